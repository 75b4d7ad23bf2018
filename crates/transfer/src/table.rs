//! What of a big file is where: chunk by chunk.

use std::collections::VecDeque;
use std::ops::Range;

use gaveta_core::{CHUNK, ChunkDigest, Digest, Outline, Ranges, chunk};

/// The longest run of chunks one request brings, in bytes.
const LONGEST: u64 = 32 << 20;

/// The chunks of one copy: what is missing, and the digests seen so far.
#[derive(Debug)]
pub(crate) struct Table {
    length: u64,
    digests: Vec<Option<ChunkDigest>>,
    /// These the target takes from what it had before.
    equal: Vec<bool>,
    /// Runs of chunk numbers that nobody sends yet, in order.
    missing: VecDeque<Range<u64>>,
}

impl Table {
    /// Everything but what has arrived is missing.
    pub(crate) fn new(length: u64, arrived: &Ranges) -> Self {
        let count = usize::try_from(chunk::count(length)).unwrap_or(usize::MAX);
        let mut table = Self {
            length,
            digests: vec![None; count],
            equal: vec![false; count],
            missing: VecDeque::new(),
        };
        table.give_back(&(0..length), arrived);
        table
    }

    /// What of this range has neither arrived nor is equal, is missing again. Says how many bytes.
    pub(crate) fn give_back(&mut self, range: &Range<u64>, arrived: &Ranges) -> u64 {
        let numbers = range.start / CHUNK..chunk::count(range.end);
        let (mut run, mut bytes): (Option<Range<u64>>, u64) = (None, 0);
        for number in numbers {
            let span = chunk::span(number, self.length);
            if arrived.covers(&span) || self.is_equal(number) {
                self.missing.extend(run.take());
                continue;
            }
            bytes += span.end - span.start;
            run = Some(run.map_or(number..number + 1, |run| run.start..number + 1));
        }
        self.missing.extend(run);
        bytes
    }

    fn is_equal(&self, number: u64) -> bool {
        let place = usize::try_from(number).unwrap_or(usize::MAX);
        self.equal.get(place).copied().unwrap_or(false)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.missing.is_empty()
    }

    /// How many bytes nobody sends yet.
    pub(crate) fn left(&self) -> u64 {
        let bytes =
            |run: &Range<u64>| chunk::span(run.end - 1, self.length).end - run.start * CHUNK;
        self.missing.iter().map(bytes).sum()
    }

    /// The next run to send, for one of so many streams: long at first, so that few requests are
    /// made, and shorter towards the end, so that all streams end together.
    pub(crate) fn next(&mut self, streams: usize, shortest: bool) -> Option<Range<u64>> {
        let share = if shortest {
            CHUNK
        } else {
            (self.left() / (2 * streams.max(1) as u64)).min(LONGEST)
        };
        let chunks = share.div_ceil(CHUNK).max(1);
        let run = self.missing.front_mut()?;
        let taken = run.start..run.end.min(run.start + chunks);
        run.start = taken.end;
        if run.is_empty() {
            self.missing.pop_front();
        }
        Some(taken.start * CHUNK..chunk::span(taken.end - 1, self.length).end)
    }

    /// A chunk passed by with this digest.
    pub(crate) fn saw(&mut self, number: u64, digest: ChunkDigest) {
        let place = usize::try_from(number).unwrap_or(usize::MAX);
        if let Some(slot) = self.digests.get_mut(place) {
            *slot = Some(digest);
        }
    }

    /// The target has this chunk already, in its old content.
    pub(crate) fn same(&mut self, number: u64) {
        let place = usize::try_from(number).unwrap_or(usize::MAX);
        if let Some(slot) = self.equal.get_mut(place) {
            *slot = true;
        }
    }

    /// Everything is known of the source: takes its digests, and leaves out what an old content
    /// has too. Says how many bytes those are.
    pub(crate) fn compare(&mut self, source: &Outline, base: Option<&Outline>) -> u64 {
        let mut equal = 0;
        for (number, digest) in (0u64..).zip(source.chunks()) {
            self.saw(number, *digest);
            if base.and_then(|base| base.same_chunk(number, self.length)) == Some(*digest) {
                self.same(number);
            }
        }
        let runs: Vec<_> = self.missing.drain(..).collect();
        for run in runs {
            let bytes = run.start * CHUNK..chunk::span(run.end - 1, self.length).end;
            let whole = bytes.end - bytes.start;
            equal += whole - self.give_back(&bytes, &Ranges::new());
        }
        equal
    }

    /// The chunks whose digest was not seen, as runs of bytes.
    pub(crate) fn unseen(&self) -> Vec<Range<u64>> {
        let mut runs: Vec<Range<u64>> = Vec::new();
        for (number, digest) in (0u64..).zip(&self.digests) {
            if digest.is_some() {
                continue;
            }
            let span = chunk::span(number, self.length);
            match runs.last_mut() {
                Some(last) if last.end == span.start => last.end = span.end,
                Some(_) | None => runs.push(span),
            }
        }
        runs
    }

    /// The digest of the whole, when every chunk was seen.
    pub(crate) fn digest(&self) -> Option<Digest> {
        let chunks: Option<Vec<_>> = self.digests.iter().copied().collect();
        let outline = Outline::new(self.length, chunks?).ok()?;
        Some(outline.digest())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::single_range_in_vec_init, reason = "lists of ranges")]

    use super::*;

    fn arrived(ranges: &[Range<u64>]) -> Ranges {
        let mut all = Ranges::new();
        for range in ranges {
            all.insert(range.clone());
        }
        all
    }

    fn drain(table: &mut Table, streams: usize) -> Vec<Range<u64>> {
        std::iter::from_fn(|| table.next(streams, false)).collect()
    }

    #[test]
    fn what_arrived_whole_is_not_missing() {
        let length = 10 * CHUNK + 5;
        let have = arrived(&[0..2 * CHUNK, 3 * CHUNK + 1..5 * CHUNK, 10 * CHUNK..length]);
        let mut table = Table::new(length, &have);
        assert_eq!(table.left(), 7 * CHUNK);
        let runs = drain(&mut table, 1);
        assert_eq!(runs.first().unwrap().start, 2 * CHUNK);
        let mut covered = Ranges::new();
        for run in &runs {
            assert!(!covered.touches(run));
            covered.insert(run.clone());
        }
        assert_eq!(
            covered,
            arrived(&[2 * CHUNK..4 * CHUNK, 5 * CHUNK..10 * CHUNK])
        );
        assert!(table.is_empty());
        // Of a run that was cut, only what did not arrive comes back.
        let back = table.give_back(
            &(5 * CHUNK..9 * CHUNK),
            &arrived(&[5 * CHUNK..7 * CHUNK + 9]),
        );
        assert_eq!(back, 2 * CHUNK);
        assert_eq!(table.next(9, false), Some(7 * CHUNK..8 * CHUNK));
    }

    #[test]
    fn runs_grow_shorter_and_end_with_one_chunk() {
        let mut table = Table::new(200 * CHUNK, &Ranges::new());
        let runs = drain(&mut table, 4);
        let sizes: Vec<_> = runs.iter().map(|run| run.end - run.start).collect();
        assert!(sizes.is_sorted_by(|one, two| one >= two), "{sizes:?}");
        assert_eq!((sizes[0], sizes[sizes.len() - 1]), (25 * CHUNK, CHUNK));
        assert_eq!(sizes.iter().sum::<u64>(), 200 * CHUNK);
        let mut table = Table::new(1 << 40, &Ranges::new());
        assert_eq!(table.next(1, false).unwrap().end, LONGEST);
    }

    #[test]
    fn what_an_old_content_has_is_left_out() {
        let digest = |n: u8| ChunkDigest::from_bytes([n; 32]);
        let source = Outline::new(4 * CHUNK, (0..4).map(digest).collect()).unwrap();
        let base = [0, 9, 2, 3].map(digest).to_vec();
        let base = Outline::new(4 * CHUNK, base).unwrap();
        let mut table = Table::new(4 * CHUNK, &arrived(&[0..CHUNK]));
        assert_eq!(table.compare(&source, Some(&base)), 2 * CHUNK);
        assert_eq!(drain(&mut table, 1), [CHUNK..2 * CHUNK]);
        assert_eq!(
            table.give_back(&(0..4 * CHUNK), &arrived(&[0..CHUNK])),
            CHUNK
        );
        assert_eq!(table.digest(), Some(source.digest()));
        assert!(table.unseen().is_empty());
    }

    #[test]
    fn a_digest_wants_every_chunk() {
        let mut table = Table::new(2 * CHUNK + 1, &Ranges::new());
        table.saw(1, ChunkDigest::from_bytes([1; 32]));
        assert_eq!(table.unseen(), [0..CHUNK, 2 * CHUNK..2 * CHUNK + 1]);
        assert_eq!(table.digest(), None);
        let empty = Table::new(0, &Ranges::new());
        assert_eq!(empty.digest(), Some(Digest::of(&[])));
    }
}
