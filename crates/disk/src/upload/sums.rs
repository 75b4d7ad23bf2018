//! The digests of the chunks as they lie in the staged file, made while they are written.
//!
//! They speak of the file's bytes, not of what has arrived: a chunk may be summed before the write
//! that brought it counts. Bytes that come in order are hashed on the way; what does not (ranges
//! within chunks out of order, or repeated) is left unsummed, and hashed from the file when the
//! chunk is complete or at the commit.

use std::collections::BTreeMap;
use std::ops::Range;

use gaveta_core::{CHUNK, ChunkDigest, ChunkHasher, chunk};

/// How many chunks of one upload are hashed on the way at once. The oldest go first: they are
/// hashed from the file later. A hasher takes about 2 KiB.
const MAX_OPEN: usize = 128;

/// What is known of the chunks.
#[derive(Debug, Default)]
pub(super) struct Sums {
    closed: BTreeMap<u64, Sum>,
    open: BTreeMap<u64, Open>,
    /// Chunk 0 as it would be, were it the only one.
    alone: Option<ChunkDigest>,
    tokens: u64,
}

/// A chunk's digest as one of several, and how many bytes of it that covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sum {
    pub(super) digest: ChunkDigest,
    pub(super) length: u64,
}

/// A chunk that is being summed from its start on.
#[derive(Debug)]
struct Open {
    token: u64,
    /// The sum reaches up to here, or will when the hasher comes back.
    at: u64,
    /// None while a piece is being added.
    hasher: Option<Box<ChunkHasher>>,
}

/// A hasher on loan.
#[derive(Debug)]
pub(super) struct Loan {
    index: u64,
    token: u64,
    pub(super) hasher: Box<ChunkHasher>,
}

/// The chunks that a range touches.
pub(super) fn touched(range: &Range<u64>) -> Range<u64> {
    if range.start >= range.end {
        return 0..0;
    }
    range.start / CHUNK..(range.end - 1) / CHUNK + 1
}

/// A range cut at the chunks' ends, in order.
pub(super) fn cut(range: Range<u64>) -> impl Iterator<Item = (u64, Range<u64>)> {
    touched(&range).map(move |index| {
        let start = range.start.max(index * CHUNK);
        (index, start..range.end.min((index + 1) * CHUNK))
    })
}

/// The bytes of a chunk, of a content whose length may not be known yet.
pub(super) fn span(index: u64, length: Option<u64>) -> Range<u64> {
    chunk::span(index, length.unwrap_or(u64::MAX))
}

impl Sums {
    /// These bytes are about to be overwritten: sums that cover them are no longer true.
    pub(super) fn forget(&mut self, range: &Range<u64>) {
        for (index, part) in cut(range.clone()) {
            self.closed.remove(&index);
            if index == 0 {
                self.alone = None;
            }
            if self
                .open
                .get(&index)
                .is_some_and(|open| part.start < open.at)
            {
                self.open.remove(&index);
            }
        }
    }

    /// The hasher to which these bytes (of one chunk) are the next; none when they are not in order.
    pub(super) fn lend(&mut self, index: u64, part: &Range<u64>) -> Option<Loan> {
        if part.start == index * CHUNK {
            return Some(self.start(index, part.end));
        }
        let open = self.open.get_mut(&index)?;
        if open.at != part.start {
            return None;
        }
        let hasher = open.hasher.take()?;
        open.at = part.end;
        let token = open.token;
        Some(Loan {
            index,
            token,
            hasher,
        })
    }

    /// A new hasher for a chunk from its start up to `end`.
    pub(super) fn start(&mut self, index: u64, end: u64) -> Loan {
        self.tokens += 1;
        let open = Open {
            token: self.tokens,
            at: end,
            hasher: None,
        };
        self.open.insert(index, open);
        Loan {
            index,
            token: self.tokens,
            hasher: Box::new(ChunkHasher::new(index)),
        }
    }

    /// Takes a hasher back, unless its bytes were overwritten meanwhile. Closes the chunk when it
    /// is full, or ends where the whole does.
    pub(super) fn take_back(&mut self, loan: Loan, length: Option<u64>) {
        let Some(open) = self.open.get_mut(&loan.index) else {
            return;
        };
        if open.token != loan.token {
            return;
        }
        let chunk = span(loan.index, length);
        if loan.hasher.count() < chunk.end - chunk.start {
            open.hasher = Some(loan.hasher);
            self.evict();
            return;
        }
        self.open.remove(&loan.index);
        self.close(loan.index, &loan.hasher);
    }

    /// A chunk was hashed whole.
    pub(super) fn close(&mut self, index: u64, hasher: &ChunkHasher) {
        if index == 0 {
            self.alone = Some(hasher.close(true));
        }
        let sum = Sum {
            digest: hasher.close(false),
            length: hasher.count(),
        };
        self.closed.insert(index, sum);
    }

    /// A chunk is known to have this sum.
    pub(super) fn insert(&mut self, index: u64, sum: Sum) {
        self.closed.insert(index, sum);
    }

    fn evict(&mut self) {
        if self.open.len() > MAX_OPEN {
            let idle = self.open.iter().filter(|(_, open)| open.hasher.is_some());
            let oldest = idle
                .min_by_key(|(_, open)| open.token)
                .map(|(&index, _)| index);
            if let Some(index) = oldest {
                self.open.remove(&index);
            }
        }
    }

    /// The sum of a chunk that covers exactly this span.
    pub(super) fn sum(&self, index: u64, span: &Range<u64>) -> Option<Sum> {
        let sum = self.closed.get(&index).copied();
        sum.filter(|sum| sum.length == span.end - span.start)
    }

    /// The digest of a chunk of a content of this length, when it was summed on the way.
    pub(super) fn digest(&self, index: u64, length: u64) -> Option<ChunkDigest> {
        let span = chunk::span(index, length);
        let only = length <= CHUNK;
        match self.sum(index, &span) {
            Some(_) if only => self.alone,
            Some(sum) => Some(sum.digest),
            None => {
                let hasher = self.open.get(&index)?.hasher.as_ref()?;
                (hasher.count() == span.end - span.start).then(|| hasher.close(only))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(length: u64) -> Vec<u8> {
        (0..length).map(|at| (at % 251) as u8).collect()
    }

    fn add(sums: &mut Sums, all: &[u8], range: Range<u64>, length: Option<u64>) {
        sums.forget(&range);
        for (index, part) in cut(range) {
            if let Some(mut loan) = sums.lend(index, &part) {
                loan.hasher
                    .update(&all[part.start as usize..part.end as usize]);
                sums.take_back(loan, length);
            }
        }
    }

    fn expected(all: &[u8], index: u64) -> ChunkDigest {
        let span = chunk::span(index, all.len() as u64);
        let part = &all[span.start as usize..span.end as usize];
        chunk::digest(index, part, all.len() as u64)
    }

    #[test]
    fn what_comes_in_order_is_summed_whatever_its_pieces() {
        let all = bytes(2 * CHUNK + 77);
        for length in [None, Some(all.len() as u64)] {
            let mut sums = Sums::default();
            for start in (0..all.len() as u64).step_by(300_007) {
                let end = (start + 300_007).min(all.len() as u64);
                add(&mut sums, &all, start..end, length);
            }
            for index in 0..3 {
                let found = sums.digest(index, all.len() as u64);
                assert_eq!(found, Some(expected(&all, index)), "{index} {length:?}");
            }
        }
    }

    #[test]
    fn a_single_chunk_has_the_digest_of_the_whole_also_when_the_length_came_late() {
        for size in [5, CHUNK - 1, CHUNK] {
            let all = bytes(size);
            let mut sums = Sums::default();
            add(&mut sums, &all, 0..size, None);
            assert_eq!(sums.digest(0, size), Some(expected(&all, 0)));
            assert_eq!(
                sums.digest(0, size + CHUNK),
                sums.sum(0, &(0..CHUNK)).map(|s| s.digest)
            );
        }
    }

    #[test]
    fn overwritten_bytes_and_other_lengths_are_not_known() {
        let all = bytes(2 * CHUNK);
        let mut sums = Sums::default();
        add(&mut sums, &all, 0..2 * CHUNK, None);
        assert_eq!(sums.digest(1, 2 * CHUNK - 5), None);
        add(&mut sums, &all, CHUNK + 5..CHUNK + 6, None);
        assert_eq!(sums.digest(1, 2 * CHUNK), None);
        assert!(sums.digest(0, 2 * CHUNK).is_some());
        // Behind what is summed so far, nothing is lost; before its end, all is.
        let mut sums = Sums::default();
        add(&mut sums, &all, 0..100, None);
        add(&mut sums, &all, 500..600, None);
        add(&mut sums, &all, 100..CHUNK, None);
        assert!(sums.digest(0, 2 * CHUNK).is_some());
        let mut sums = Sums::default();
        add(&mut sums, &all, 0..100, None);
        add(&mut sums, &all, 99..150, None);
        add(&mut sums, &all, 150..CHUNK, None);
        assert_eq!(sums.digest(0, 2 * CHUNK), None);
    }

    #[test]
    fn a_hasher_on_loan_is_not_taken_back_after_its_bytes_were_overwritten() {
        let mut sums = Sums::default();
        let mut loan = sums.start(0, CHUNK);
        loan.hasher.update(&bytes(CHUNK));
        sums.forget(&(5..6));
        sums.take_back(loan, None);
        assert_eq!(sums.digest(0, 2 * CHUNK), None);
    }

    #[test]
    fn many_open_chunks_are_bounded() {
        let mut sums = Sums::default();
        let all = bytes(1);
        for index in 0..100 {
            let start = index * CHUNK;
            sums.forget(&(start..start + 1));
            let mut loan = sums.lend(index, &(start..start + 1)).unwrap();
            loan.hasher.update(&all);
            sums.take_back(loan, None);
        }
        assert!(sums.open.len() <= MAX_OPEN);
        assert!(sums.open.contains_key(&99));
    }
}
