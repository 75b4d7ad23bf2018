//! Chunks on the line: the bytes of each chunk, followed by its 32-byte digest.
//!
//! Where chunks end follows from the range and the length of the whole, which both sides know; so
//! there is nothing else in the body: no lengths, no marks. Its length is known beforehand.

use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use futures_core::Stream;
use gaveta_core::chunk::{CHUNK, ChunkDigest, Piece, Pieces, span};
use gaveta_core::{Content, Error, ErrorKind, Result};

/// The media type of a body of chunks.
pub const MEDIA_TYPE: &str = "application/vnd.gaveta.chunks";

/// Is this a range of whole chunks, of a whole of `length` bytes? It is not empty.
pub fn is_whole(range: &Range<u64>, length: u64) -> bool {
    range.start < range.end
        && range.end <= length
        && range.start.is_multiple_of(CHUNK)
        && (range.end == length || range.end.is_multiple_of(CHUNK))
}

/// The length of the body that brings this range.
pub fn body_length(range: &Range<u64>) -> u64 {
    let bytes = range.end.saturating_sub(range.start);
    bytes.saturating_add(
        bytes
            .div_ceil(CHUNK)
            .saturating_mul(ChunkDigest::LENGTH as u64),
    )
}

/// Writes a range as `START-END`, the end exclusive.
pub fn range_to_text(range: &Range<u64>) -> String {
    format!("{}-{}", range.start, range.end)
}

/// Reads what [`range_to_text`] wrote.
///
/// # Errors
/// `BadRequest`.
pub fn range_from_text(text: &str) -> Result<Range<u64>> {
    let parse = |digits: &str| -> Option<u64> {
        digits
            .bytes()
            .all(|b| b.is_ascii_digit())
            .then(|| digits.parse().ok())
            .flatten()
    };
    text.split_once('-')
        .and_then(|(start, end)| Some(parse(start)?..parse(end)?))
        .filter(|range| range.start <= range.end)
        .ok_or_else(|| Error::bad_request("a range is START-END, the end exclusive"))
}

/// Chunks as a body.
pub fn frame(pieces: Pieces) -> Content {
    Box::pin(Framing(pieces))
}

/// A body as the chunks of this range, of a whole of `length` bytes.
///
/// A body that ends early ends with `Disconnected`, one that goes on with `LengthMismatch`.
pub fn unframe(content: Content, range: Range<u64>, length: u64) -> Pieces {
    unframing(content, range, length, true)
}

/// As [`unframe`], for a body that may well end before its range does, at the end of a chunk: a
/// sender that streams does not always know how far it will come.
pub fn unframe_some(content: Content, range: Range<u64>, length: u64) -> Pieces {
    unframing(content, range, length, false)
}

fn unframing(content: Content, range: Range<u64>, length: u64, whole: bool) -> Pieces {
    Box::pin(Unframing {
        content,
        at: range.start,
        end: range.end,
        length,
        rest: Bytes::new(),
        due: false,
        digest: BytesMut::with_capacity(ChunkDigest::LENGTH),
        whole,
        done: false,
    })
}

struct Framing(Pieces);

impl Stream for Framing {
    type Item = Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let piece = std::task::ready!(self.0.as_mut().poll_next(cx));
        Poll::Ready(piece.map(|piece| {
            piece.map(|piece| match piece {
                Piece::Bytes(bytes) => bytes,
                Piece::Close(digest) => Bytes::copy_from_slice(digest.as_bytes()),
            })
        }))
    }
}

struct Unframing {
    content: Content,
    at: u64,
    end: u64,
    length: u64,
    rest: Bytes,
    /// A chunk is full: its digest comes next.
    due: bool,
    /// What has come of that digest.
    digest: BytesMut,
    /// Must the range be brought to its end?
    whole: bool,
    done: bool,
}

impl Unframing {
    /// Is this a place where the body may end?
    fn may_end(&self) -> bool {
        !self.due && (self.at == self.end || (!self.whole && self.at.is_multiple_of(CHUNK)))
    }

    /// The next piece of what is at hand; none when more must come first.
    fn cut(&mut self) -> Option<Result<Piece>> {
        if self.rest.is_empty() {
            return None;
        }
        if self.due {
            let want = ChunkDigest::LENGTH - self.digest.len();
            let have = self.rest.split_to(want.min(self.rest.len()));
            self.digest.extend_from_slice(&have);
            let whole = <[u8; ChunkDigest::LENGTH]>::try_from(self.digest.as_ref()).ok()?;
            self.digest.clear();
            self.due = false;
            return Some(Ok(Piece::Close(ChunkDigest::from_bytes(whole))));
        }
        let chunk_end = span(self.at / CHUNK, self.length).end.min(self.end);
        let room = usize::try_from(chunk_end - self.at).unwrap_or(usize::MAX);
        if room == 0 {
            return Some(Err(Error::new(ErrorKind::LengthMismatch)));
        }
        let bytes = self.rest.split_to(room.min(self.rest.len()));
        self.at += bytes.len() as u64;
        self.due = self.at == chunk_end;
        Some(Ok(Piece::Bytes(bytes)))
    }
}

impl Stream for Unframing {
    type Item = Result<Piece>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        if this.done {
            return Poll::Ready(None);
        }
        let next = loop {
            if let Some(piece) = this.cut() {
                break Some(piece);
            }
            match std::task::ready!(this.content.as_mut().poll_next(cx)) {
                Some(Ok(bytes)) => this.rest = bytes,
                Some(Err(error)) => break Some(Err(error)),
                None if this.may_end() => break None,
                None => break Some(Err(Error::new(ErrorKind::Disconnected))),
            }
        };
        this.done = matches!(next, None | Some(Err(_)));
        Poll::Ready(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gaveta_core::chunk;
    use proptest::prelude::*;
    use std::task::Waker;

    struct Given(std::vec::IntoIter<Bytes>);
    impl Stream for Given {
        type Item = Result<Bytes>;
        fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
            Poll::Ready(self.0.next().map(Ok))
        }
    }

    fn content(bytes: &[u8], piece: usize) -> Content {
        let pieces: Vec<_> = bytes.chunks(piece).map(Bytes::copy_from_slice).collect();
        Box::pin(Given(pieces.into_iter()))
    }

    fn all<T>(
        mut stream: Pin<Box<dyn Stream<Item = Result<T>> + Send>>,
    ) -> (Vec<T>, Option<ErrorKind>) {
        let mut cx = Context::from_waker(Waker::noop());
        let mut items = Vec::new();
        loop {
            match stream.as_mut().poll_next(&mut cx) {
                Poll::Ready(Some(Ok(item))) => items.push(item),
                Poll::Ready(Some(Err(error))) => return (items, Some(error.kind())),
                Poll::Ready(None) => return (items, None),
                Poll::Pending => panic!("nothing to wait for"),
            }
        }
    }

    fn bytes(length: u64) -> Vec<u8> {
        (0..length)
            .map(|i| (i.wrapping_mul(2_654_435_761) >> 7) as u8)
            .collect()
    }

    fn body(whole: &[u8], range: Range<u64>) -> Vec<u8> {
        let part = &whole[range.start as usize..range.end as usize];
        let pieces = chunk::pieces(content(part, 300_000), range, whole.len() as u64);
        all(frame(pieces)).0.concat()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn chunks_lead_back(length in 1u64..3 * CHUNK + 5, first in 0u64..3, piece in 1000usize..2_000_000) {
            let whole = bytes(length);
            let start = first.min((length - 1) / CHUNK) * CHUNK;
            let range = start..length;
            prop_assert!(is_whole(&range, length));
            let body = body(&whole, range.clone());
            prop_assert_eq!(body.len() as u64, body_length(&range));
            let (pieces, error) = all(unframe(content(&body, piece), range, length));
            prop_assert_eq!(error, None);
            let mut got = Vec::new();
            let mut closed = start;
            for piece in pieces {
                match piece {
                    Piece::Bytes(bytes) => got.extend_from_slice(&bytes),
                    Piece::Close(digest) => {
                        let span = span(closed / CHUNK, length);
                        let chunk = &whole[span.start as usize..span.end as usize];
                        prop_assert_eq!(digest, chunk::digest(closed / CHUNK, chunk, length));
                        closed = span.end;
                    }
                }
            }
            prop_assert_eq!(closed, length);
            prop_assert!(got == whole[start as usize..]);
        }
    }

    #[test]
    fn a_body_of_another_length_is_an_error() {
        let whole = bytes(CHUNK + 100);
        let range = 0..CHUNK + 100;
        let body = body(&whole, range.clone());
        for cut in [0, 5, CHUNK as usize, CHUNK as usize + 31, body.len() - 1] {
            let (_, error) = all(unframe(
                content(&body[..cut], 1 << 16),
                range.clone(),
                CHUNK + 100,
            ));
            assert_eq!(error, Some(ErrorKind::Disconnected), "{cut}");
        }
        let first = CHUNK as usize + ChunkDigest::LENGTH;
        for (cut, expected) in [
            (0, None),
            (first, None),
            (body.len(), None),
            (5, Some(ErrorKind::Disconnected)),
            (first - 1, Some(ErrorKind::Disconnected)),
            (first + 1, Some(ErrorKind::Disconnected)),
        ] {
            let content = content(&body[..cut], 1 << 16);
            let (_, error) = all(unframe_some(content, range.clone(), CHUNK + 100));
            assert_eq!(error, expected, "{cut}");
        }
        let mut more = body.clone();
        more.push(0);
        let (_, error) = all(unframe(content(&more, 1 << 16), range, CHUNK + 100));
        assert_eq!(error, Some(ErrorKind::LengthMismatch));
    }

    #[test]
    fn ranges_are_told_exactly() {
        assert_eq!(range_from_text(&range_to_text(&(3..9))).unwrap(), 3..9);
        for bad in [
            "",
            "1",
            "-",
            "1-",
            "9-3",
            "+1-2",
            "1--2",
            "1-18446744073709551616",
        ] {
            assert!(range_from_text(bad).is_err(), "{bad}");
        }
        assert!(is_whole(&(CHUNK..CHUNK + 5), CHUNK + 5));
        for (range, length) in [(0..0, 5), (1..5, 5), (0..4, 5), (0..6, 5)] {
            assert!(!is_whole(&range, length), "{range:?}");
        }
    }
}
