//! The digest tree: a content's aligned chunks, each the root of a subtree of its BLAKE3 tree.
//!
//! BLAKE3 is a binary tree over blocks of 1 KiB in which every left subtree is complete. So the
//! aligned runs of [`CHUNK`] bytes (a power of two of such blocks) are subtrees, whose digests can
//! be computed anywhere, in any order, and merged into the digest that `b3sum` prints for the
//! whole: no second pass over the content. A content of one chunk has no subtree above it: its
//! only chunk digest *is* the whole digest.
//!
//! Source: the BLAKE3 paper, section 2.1 (tree structure) and 4.1; `blake3::hazmat`.
//!
//! On its way, a chunk is followed by its digest ([`Piece::Close`]): neither side buffers a chunk
//! or reads it twice, and what does not match is found when the chunk has arrived.

use std::ops::Range;
use std::task::{Context, Poll};
use std::{fmt, pin::Pin};

use blake3::hazmat::{HasherExt, Mode, merge_subtrees_non_root, merge_subtrees_root};
use bytes::Bytes;
use futures_core::Stream;
use futures_core::stream::BoxStream;

use crate::digest::Digest;
use crate::error::{Error, ErrorKind, Result};
use crate::upload::Content;

/// The size of a chunk in bytes: 1 MiB. Small enough that a cut costs little and that an edit in
/// the middle sends little; large enough that its digest (32 bytes) is 0.003 % of it.
pub const CHUNK: u64 = 1 << 20;

/// The digest of one chunk: a chaining value of the BLAKE3 tree, or, for a content of one chunk,
/// the digest of the whole.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ChunkDigest([u8; 32]);

impl ChunkDigest {
    /// The length in bytes.
    pub const LENGTH: usize = 32;

    /// A chunk digest from its 32 bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for ChunkDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&Digest::from_bytes(self.0), f)
    }
}

/// How many chunks a content of this length has; none when it is empty.
pub const fn count(length: u64) -> u64 {
    length.div_ceil(CHUNK)
}

/// The bytes of a chunk of a content of this length; empty past its end.
pub fn span(index: u64, length: u64) -> Range<u64> {
    let start = index.saturating_mul(CHUNK).min(length);
    start..start.saturating_add(CHUNK).min(length)
}

/// One chunk's digest in the making.
#[derive(Debug, Clone)]
pub struct ChunkHasher {
    index: u64,
    hasher: blake3::Hasher,
}

impl ChunkHasher {
    /// Nothing hashed yet of the chunk at this index.
    pub fn new(index: u64) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.set_input_offset(index.saturating_mul(CHUNK));
        Self { index, hasher }
    }

    /// Adds the next bytes. The chunk's end is the caller's to mind: at most [`CHUNK`] in all.
    pub fn update(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
    }

    /// How many bytes so far.
    pub fn count(&self) -> u64 {
        self.hasher.count()
    }

    /// The digest, once all bytes are in. `only` says that the content has no other chunk.
    pub fn close(&self, only: bool) -> ChunkDigest {
        if only && self.index == 0 {
            ChunkDigest(*self.hasher.finalize().as_bytes())
        } else {
            ChunkDigest(self.hasher.finalize_non_root())
        }
    }
}

/// The digest of the chunk at `index`, of a content of `length` bytes.
pub fn digest(index: u64, bytes: &[u8], length: u64) -> ChunkDigest {
    let mut hasher = ChunkHasher::new(index);
    hasher.update(bytes);
    hasher.close(length <= CHUNK)
}

/// All chunk digests of a content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outline {
    length: u64,
    chunks: Vec<ChunkDigest>,
}

impl Outline {
    /// The outline of a content of this length.
    ///
    /// # Errors
    /// `LengthMismatch` when the number of chunk digests is not that of the length.
    pub fn new(length: u64, chunks: Vec<ChunkDigest>) -> Result<Self> {
        if u64::try_from(chunks.len()).is_ok_and(|found| found == count(length)) {
            Ok(Self { length, chunks })
        } else {
            Err(Error::new(ErrorKind::LengthMismatch))
        }
    }

    /// The content's length.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// The digests, in order.
    pub fn chunks(&self) -> &[ChunkDigest] {
        &self.chunks
    }

    /// The digest of the chunk at this index, and whether it would be the same chunk in a content
    /// of `length` bytes; none when not.
    ///
    /// The last chunk of one content is another chunk when the length differs there; a content's
    /// only chunk never equals one of several.
    pub fn same_chunk(&self, index: u64, length: u64) -> Option<ChunkDigest> {
        let alone = |length: u64| length <= CHUNK;
        let same =
            span(index, self.length) == span(index, length) && alone(self.length) == alone(length);
        let digest = self.chunks.get(usize::try_from(index).ok()?)?;
        same.then_some(*digest)
    }

    /// The digest of the whole, as `b3sum` prints it: the chunks' merged.
    pub fn digest(&self) -> Digest {
        match self.chunks.as_slice() {
            [] => Digest::of(&[]),
            [only] => Digest::from_bytes(only.0),
            chunks => {
                let (left, right) = split(chunks);
                let root = merge_subtrees_root(&merge(left), &merge(right), Mode::Hash);
                Digest::from_bytes(*root.as_bytes())
            }
        }
    }
}

/// The left subtree of BLAKE3 is the largest complete one that leaves something on the right.
fn split(chunks: &[ChunkDigest]) -> (&[ChunkDigest], &[ChunkDigest]) {
    let half = chunks.len().div_ceil(2).next_power_of_two();
    chunks.split_at(half.min(chunks.len()))
}

fn merge(chunks: &[ChunkDigest]) -> [u8; 32] {
    match chunks {
        [] => [0; 32],
        [one] => one.0,
        // Depth is the logarithm of the count: at most 44 for any file.
        more => {
            let (left, right) = split(more);
            merge_subtrees_non_root(&merge(left), &merge(right), Mode::Hash)
        }
    }
}

/// A part of a content on its way in chunks.
#[derive(Debug, Clone)]
pub enum Piece {
    /// The next bytes. Never across the end of a chunk.
    Bytes(Bytes),
    /// The chunk that these bytes filled has this digest.
    Close(ChunkDigest),
}

/// Whole chunks on their way, each closed by its digest.
pub type Pieces = BoxStream<'static, Result<Piece>>;

/// Cuts a content at its chunks and closes each with its digest, hashing on the way.
///
/// `range` is what the content brings, of a whole of `length` bytes: it starts at a chunk's start
/// and ends at a chunk's end or at the end of the whole.
pub fn pieces(content: Content, range: Range<u64>, length: u64) -> Pieces {
    Box::pin(Cutting {
        content,
        hasher: ChunkHasher::new(range.start / CHUNK),
        at: range.start,
        end: range.end,
        length,
        rest: Bytes::new(),
        failed: false,
    })
}

struct Cutting {
    content: Content,
    hasher: ChunkHasher,
    at: u64,
    end: u64,
    length: u64,
    rest: Bytes,
    failed: bool,
}

impl Cutting {
    /// The next piece of what is at hand; none when more must come first.
    fn cut(&mut self) -> Option<Result<Piece>> {
        let chunk = span(self.hasher.index, self.length);
        let filled = chunk.start + self.hasher.count();
        if filled == chunk.end && self.hasher.count() > 0 {
            let digest = self.hasher.close(self.length <= CHUNK);
            self.hasher = ChunkHasher::new(self.hasher.index + 1);
            return Some(Ok(Piece::Close(digest)));
        }
        if self.rest.is_empty() {
            return None;
        }
        let room = usize::try_from(chunk.end - filled).unwrap_or(usize::MAX);
        let bytes = self.rest.split_to(room.min(self.rest.len()));
        if bytes.is_empty() || self.at + bytes.len() as u64 > self.end {
            return Some(Err(Error::new(ErrorKind::LengthMismatch)));
        }
        self.at += bytes.len() as u64;
        self.hasher.update(&bytes);
        Some(Ok(Piece::Bytes(bytes)))
    }
}

impl Stream for Cutting {
    type Item = Result<Piece>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        if this.failed {
            return Poll::Ready(None);
        }
        let next = loop {
            if let Some(piece) = this.cut() {
                break Some(piece);
            }
            match std::task::ready!(this.content.as_mut().poll_next(cx)) {
                Some(Ok(bytes)) => this.rest = bytes,
                Some(Err(error)) => break Some(Err(error)),
                None if this.at == this.end => break None,
                None => break Some(Err(Error::new(ErrorKind::LengthMismatch))),
            }
        };
        this.failed = matches!(next, Some(Err(_)) | None);
        Poll::Ready(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Hasher;
    use proptest::prelude::*;
    use std::task::Waker;

    fn bytes(length: u64) -> Vec<u8> {
        (0..length)
            .map(|i| (i.wrapping_mul(2_654_435_761) >> 11) as u8)
            .collect()
    }

    fn outline(bytes: &[u8]) -> Outline {
        let length = bytes.len() as u64;
        let chunks = bytes
            .chunks(CHUNK as usize)
            .enumerate()
            .map(|(index, chunk)| digest(index as u64, chunk, length))
            .collect();
        Outline::new(length, chunks).unwrap()
    }

    #[test]
    fn chunks_merge_into_the_digest_of_the_whole() {
        for length in [
            0,
            1,
            1023,
            1024,
            1025,
            CHUNK - 1,
            CHUNK,
            CHUNK + 1,
            2 * CHUNK,
            3 * CHUNK,
            3 * CHUNK + 7,
            5 * CHUNK - 1,
            7 * CHUNK,
            8 * CHUNK,
            9 * CHUNK + 1024,
        ] {
            let bytes = bytes(length);
            assert_eq!(outline(&bytes).digest(), Digest::of(&bytes), "{length}");
        }
    }

    #[test]
    fn an_outline_has_as_many_chunks_as_its_length() {
        let one = ChunkDigest::from_bytes([0; 32]);
        assert!(Outline::new(0, vec![]).is_ok());
        assert!(Outline::new(CHUNK, vec![one]).is_ok());
        for (length, chunks) in [(0, vec![one]), (1, vec![]), (CHUNK + 1, vec![one])] {
            assert!(Outline::new(length, chunks).is_err(), "{length}");
        }
    }

    #[test]
    fn only_chunks_of_the_same_bytes_are_the_same() {
        let two = outline(&bytes(2 * CHUNK));
        assert!(two.same_chunk(0, 3 * CHUNK).is_some());
        assert!(two.same_chunk(1, 2 * CHUNK).is_some());
        assert!(two.same_chunk(1, 2 * CHUNK - 1).is_none());
        assert!(two.same_chunk(2, 3 * CHUNK).is_none());
        assert!(
            two.same_chunk(0, CHUNK).is_none(),
            "alone it would be the root"
        );
        assert!(outline(&bytes(CHUNK)).same_chunk(0, 2 * CHUNK).is_none());
    }

    fn run(mut pieces: Pieces) -> (Vec<u8>, Vec<ChunkDigest>, Option<ErrorKind>) {
        let mut cx = Context::from_waker(Waker::noop());
        let (mut all, mut digests) = (Vec::new(), Vec::new());
        loop {
            match pieces.as_mut().poll_next(&mut cx) {
                Poll::Ready(Some(Ok(Piece::Bytes(bytes)))) => all.extend_from_slice(&bytes),
                Poll::Ready(Some(Ok(Piece::Close(digest)))) => digests.push(digest),
                Poll::Ready(Some(Err(error))) => return (all, digests, Some(error.kind())),
                Poll::Ready(None) => return (all, digests, None),
                Poll::Pending => panic!("nothing to wait for"),
            }
        }
    }

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

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn a_content_on_its_way_is_closed_chunk_by_chunk(
            length in 1u64..4 * CHUNK, piece in 1000usize..3_000_000, first in 0u64..4,
        ) {
            let all = bytes(length);
            let start = span(first, length).start.min(length / CHUNK * CHUNK);
            let part = &all[start as usize..];
            let (got, digests, error) = run(pieces(content(part, piece), start..length, length));
            prop_assert_eq!(error, None);
            prop_assert!(got == part);
            let whole = outline(&all);
            prop_assert_eq!(&digests[..], &whole.chunks()[(start / CHUNK) as usize..]);
            let mut hasher = Hasher::new();
            hasher.update(&all);
            prop_assert_eq!(whole.digest(), hasher.digest());
        }
    }

    #[test]
    fn a_content_of_another_length_is_an_error() {
        let all = bytes(CHUNK + 10);
        for end in [CHUNK + 9, CHUNK + 11] {
            let (_, _, error) = run(pieces(content(&all, 4096), 0..end, end));
            assert_eq!(error, Some(ErrorKind::LengthMismatch));
        }
    }
}
