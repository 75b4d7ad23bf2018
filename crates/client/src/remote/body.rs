//! The body of a request: whole, or in pieces that end with a digest.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use tokio::sync::mpsc;

/// The next part of a body in pieces.
pub(super) enum Part {
    /// Content.
    Data(Bytes),
    /// The end, with its trailers, if there are any.
    End(HeaderMap),
}

/// A request's body. One in pieces whose sender goes away before [`Part::End`] fails, which cuts
/// the connection: the server can never take a part for the whole.
pub(super) enum Out {
    Whole(Bytes),
    Pieces {
        parts: mpsc::Receiver<Part>,
        ended: bool,
    },
}

impl Out {
    /// No body.
    pub(super) fn empty() -> Self {
        Self::Whole(Bytes::new())
    }
}

impl Body for Out {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        match self.get_mut() {
            Self::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            Self::Whole(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Self::Pieces { ended: true, .. } => Poll::Ready(None),
            Self::Pieces { parts, ended } => parts.poll_recv(cx).map(|part| match part {
                Some(Part::Data(bytes)) => Some(Ok(Frame::data(bytes))),
                Some(Part::End(trailers)) => {
                    *ended = true;
                    (!trailers.is_empty()).then(|| Ok(Frame::trailers(trailers)))
                }
                None => {
                    *ended = true;
                    Some(Err(io::Error::new(
                        io::ErrorKind::BrokenPipe,
                        "the upload was given up",
                    )))
                }
            }),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(bytes) => bytes.is_empty(),
            Self::Pieces { ended, .. } => *ended,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Pieces { .. } => SizeHint::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;

    #[tokio::test]
    async fn a_body_without_its_end_fails() {
        let (tx, parts) = mpsc::channel(2);
        tx.send(Part::Data(Bytes::from_static(b"x"))).await.unwrap();
        drop(tx);
        let mut body = Out::Pieces {
            parts,
            ended: false,
        };
        assert!(body.frame().await.unwrap().unwrap().is_data());
        assert!(body.frame().await.unwrap().is_err());
        assert!(body.frame().await.is_none());

        let (tx, parts) = mpsc::channel(2);
        let mut trailers = HeaderMap::new();
        trailers.insert("a", http::HeaderValue::from_static("b"));
        tx.send(Part::End(trailers)).await.ok().unwrap();
        let mut body = Out::Pieces {
            parts,
            ended: false,
        };
        assert!(body.frame().await.unwrap().unwrap().is_trailers());
        assert!(body.frame().await.is_none());

        let (tx, parts) = mpsc::channel(2);
        tx.send(Part::End(HeaderMap::new())).await.ok().unwrap();
        let mut body = Out::Pieces {
            parts,
            ended: false,
        };
        assert!(body.frame().await.is_none());
    }
}
