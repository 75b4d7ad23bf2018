//! The body of a response: nothing, bytes, or a content that streams.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use gaveta_core::{Content, Error, ErrorKind};
use http_body::{Frame, SizeHint};
use tokio::sync::OwnedSemaphorePermit;

use crate::port::line::Line;
use crate::port::log::RequestLog;

/// What a stream holds at most: the piece that leaves and the one that is read ahead.
const HELD: u64 = 512 * 1024;
/// What a stream of unknown length (a listing) is taken to hold.
const HELD_UNKNOWN: u64 = 64 * 1024;

/// A response body. Streams are asked for the next piece only when the last one left, so one
/// response holds one piece.
pub(crate) struct Body {
    inner: Inner,
    room: Room,
    log: Option<RequestLog>,
}

/// The room on its connection that a stream takes.
enum Room {
    /// The connection carries one answer at a time: that bounds it.
    Free,
    Awaited(Pin<Box<dyn Future<Output = Option<OwnedSemaphorePermit>> + Send>>),
    Held(Arc<OwnedSemaphorePermit>),
}

/// A piece that keeps its stream's room until it has left, or was dropped with its stream.
struct Leaving {
    bytes: Bytes,
    _room: Arc<OwnedSemaphorePermit>,
}

impl AsRef<[u8]> for Leaving {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

enum Inner {
    Empty,
    Full(Bytes),
    Stream {
        content: Content,
        /// What is still to come, when the length is known.
        left: Option<u64>,
    },
}

/// No body.
pub(crate) fn empty() -> Body {
    Body {
        inner: Inner::Empty,
        room: Room::Free,
        log: None,
    }
}

/// A body that is there already.
pub(crate) fn full(bytes: impl Into<Bytes>) -> Body {
    let bytes = bytes.into();
    let inner = if bytes.is_empty() {
        Inner::Empty
    } else {
        Inner::Full(bytes)
    };
    Body {
        inner,
        room: Room::Free,
        log: None,
    }
}

/// A body of unknown length. When the content ends with an error the connection (HTTP/1) or the
/// stream (HTTP/2) is broken off, so that nobody takes a part for the whole.
pub(crate) fn stream(content: Content) -> Body {
    Body {
        inner: Inner::Stream {
            content,
            left: None,
        },
        room: Room::Free,
        log: None,
    }
}

/// A body of exactly `length` bytes. A content that ends early or goes on breaks the connection.
pub(crate) fn stream_exact(content: Content, length: u64) -> Body {
    Body {
        inner: Inner::Stream {
            content,
            left: Some(length),
        },
        room: Room::Free,
        log: None,
    }
}

impl Body {
    /// Has the request logged when the body has left or is dropped.
    pub(crate) fn logged(mut self, mut log: RequestLog) -> Self {
        if self.inner.ended() {
            log.whole();
        }
        self.log = Some(log);
        self
    }

    /// Has a stream wait for room on its connection before it is asked for anything: for
    /// connections that carry many answers at once.
    pub(crate) fn with_room(mut self, line: &Arc<Line>) -> Self {
        if let Inner::Stream { left, .. } = &self.inner {
            let held = left.unwrap_or(HELD_UNKNOWN).min(HELD);
            let line = Arc::clone(line);
            self.room = Room::Awaited(Box::pin(async move { line.room(held).await }));
        }
        self
    }

    /// Ready when the stream has its room.
    fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        if let Room::Awaited(room) = &mut self.room {
            match std::task::ready!(room.as_mut().poll(cx)) {
                Some(room) => self.room = Room::Held(Arc::new(room)),
                None => return Poll::Ready(Err(Error::new(ErrorKind::Busy))),
            }
        }
        Poll::Ready(Ok(()))
    }

    fn next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Error>>> {
        if let Err(error) = std::task::ready!(self.poll_room(cx)) {
            self.inner = Inner::Empty;
            return Poll::Ready(Some(Err(error)));
        }
        let next = std::task::ready!(self.next_piece(cx));
        Poll::Ready(match (next, &self.room) {
            (Some(Ok(bytes)), Room::Held(room)) => Some(Ok(Bytes::from_owner(Leaving {
                bytes,
                _room: Arc::clone(room),
            }))),
            (next, _) => next,
        })
    }

    fn next_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Error>>> {
        match &mut self.inner {
            Inner::Empty => Poll::Ready(None),
            Inner::Full(_) => {
                let Inner::Full(bytes) = std::mem::replace(&mut self.inner, Inner::Empty) else {
                    return Poll::Ready(None);
                };
                Poll::Ready(Some(Ok(bytes)))
            }
            Inner::Stream { content, left } => {
                let next = std::task::ready!(content.as_mut().poll_next(cx));
                let next = match (next, left) {
                    (Some(Ok(bytes)), Some(left)) => match left.checked_sub(bytes.len() as u64) {
                        Some(rest) => {
                            *left = rest;
                            Some(Ok(bytes))
                        }
                        None => Some(Err(Error::new(ErrorKind::LengthMismatch))),
                    },
                    (None, Some(1..)) => Some(Err(Error::new(ErrorKind::LengthMismatch))),
                    (next, _) => next,
                };
                if !matches!(next, Some(Ok(_))) {
                    self.inner = Inner::Empty;
                }
                Poll::Ready(next)
            }
        }
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        if let Some(log) = &mut self.log {
            log.asked();
        }
        let next = std::task::ready!(self.next(cx));
        if let Some(log) = &mut self.log {
            match &next {
                Some(Ok(bytes)) => log.sent(bytes.len() as u64),
                Some(Err(error)) => log.failed(error),
                None => log.whole(),
            }
        }
        let ended = self.inner.ended() && !matches!(next, Some(Err(_)));
        if let Some(log) = &mut self.log
            && ended
        {
            log.whole();
        }
        Poll::Ready(next.map(|next| next.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.ended()
    }

    fn size_hint(&self) -> SizeHint {
        match &self.inner {
            Inner::Empty => SizeHint::with_exact(0),
            Inner::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Inner::Stream {
                left: Some(left), ..
            } => SizeHint::with_exact(*left),
            Inner::Stream { left: None, .. } => SizeHint::default(),
        }
    }
}

impl Inner {
    /// Nothing more comes. A stream of known length is over only when it says so itself: what it
    /// gives beyond its length must be noticed.
    fn ended(&self) -> bool {
        matches!(self, Self::Empty)
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hint = http_body::Body::size_hint(self);
        f.debug_struct("Body")
            .field("length", &hint.exact())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;
    use http_body_util::BodyExt;

    fn pieces(pieces: &[&'static str]) -> Content {
        let pieces: Vec<_> = pieces
            .iter()
            .map(|p| Ok(Bytes::from_static(p.as_bytes())))
            .collect();
        Box::pin(futures_util::stream::iter(pieces))
    }

    #[tokio::test]
    async fn a_body_of_known_length_keeps_it_or_breaks() {
        let whole = stream_exact(pieces(&["ab", "c"]), 3)
            .collect()
            .await
            .unwrap();
        assert_eq!(whole.to_bytes(), "abc");
        for length in [2, 4] {
            let error = stream_exact(pieces(&["ab", "c"]), length)
                .collect()
                .await
                .unwrap_err();
            assert_eq!(error.kind(), ErrorKind::LengthMismatch, "{length}");
        }
    }

    #[tokio::test]
    async fn a_stream_waits_for_room_and_its_pieces_keep_it_until_they_left() {
        let line = crate::port::line::tests::line();
        let streams = crate::port::line::ROOM as u64 / HELD;
        let large = || stream_exact(pieces(&["ab"]), HELD).with_room(&line);
        let mut left = Vec::new();
        for _ in 0..streams {
            left.push(large().frame().await.unwrap().unwrap());
        }
        let mut waits = large();
        let next = waits.frame();
        tokio::pin!(next);
        assert!(next.as_mut().now_or_never().is_none());
        left.pop();
        let piece = next.await.unwrap().unwrap().into_data().unwrap();
        assert_eq!(piece, "ab");
        // What is there already waits for nothing.
        let small = full("abc").with_room(&line).collect().await.unwrap();
        assert_eq!(small.to_bytes(), "abc");
    }

    #[tokio::test]
    async fn lengths_are_told_where_they_are_known() {
        use http_body::Body as _;
        assert_eq!(empty().size_hint().exact(), Some(0));
        assert_eq!(full("abc").size_hint().exact(), Some(3));
        assert_eq!(stream(pieces(&["a"])).size_hint().exact(), None);
        assert!(full("").is_end_stream());
    }
}
