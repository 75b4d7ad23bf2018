//! What of a big file is where: chunk by chunk.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;

use gaveta_core::{CHUNK, ChunkDigest, Digest, Outline, Ranges, chunk};
use tokio::time::{Duration, Instant};

/// The longest run of chunks one request brings, in bytes.
const LONGEST: u64 = 32 << 20;

/// So many of the last chunks tell how long one takes.
const TYPICAL: usize = 64;
/// So many times as long as most chunks, and at least so long, is too long at the end.
const PATIENCE: u32 = 2;
const LEAST_PATIENCE: Duration = Duration::from_millis(500);

/// The chunks of one copy: what is missing, and the digests seen so far.
#[derive(Debug)]
pub(crate) struct Table {
    length: u64,
    digests: Vec<Option<ChunkDigest>>,
    /// These the target takes from what it had before.
    equal: Vec<bool>,
    /// Runs of chunk numbers that nobody sends yet, in order.
    missing: VecDeque<Range<u64>>,
    /// Runs that somebody sends.
    runs: BTreeMap<u64, Run>,
    next: u64,
    /// How long the last chunks took their streams.
    taking: Vec<Duration>,
    /// May what was not begun of a run be taken away from it?
    shares: bool,
    /// So many streams left the rest to others, who are faster.
    resting: usize,
    /// How many chunks were missing at first, and how many streams there were at most.
    all: u64,
    widest: usize,
}

/// A run under way, in chunk numbers.
#[derive(Debug)]
struct Run {
    start: u64,
    /// The first that was not begun; from here on others may take it away.
    begun: u64,
    end: u64,
    /// When its last chunk was begun.
    since: Instant,
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
            runs: BTreeMap::new(),
            next: 0,
            taking: Vec::new(),
            shares: true,
            resting: 0,
            all: 0,
            widest: 0,
        };
        table.give_back(&(0..length), arrived);
        table.all = table.rest();
        table
    }

    /// Each run stays whole with who began it: what a far source was asked for is on its way, and
    /// would be thrown away.
    pub(crate) fn keep_runs(&mut self) {
        self.shares = false;
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

    /// Is there nothing that one more stream could send?
    pub(crate) fn is_empty(&self) -> bool {
        self.missing.is_empty() && self.longest().is_none()
    }

    /// Is there something for one more stream, of so many? Towards the end of a long file no more
    /// are begun than there were: what is new on the line would be the last to end.
    pub(crate) fn wants(&self, streams: usize) -> bool {
        let under_way = self.runs.len() + self.resting.min(streams / 2);
        let some = 4 * streams as u64;
        let late = self.all >= some && self.rest() < some.min(self.all / 4);
        let most = if late {
            streams.min(self.widest)
        } else {
            streams
        };
        !self.is_empty() && (under_way < most || self.runs.is_empty())
    }

    /// How many chunks nobody began.
    fn rest(&self) -> u64 {
        let missing: u64 = self.missing.iter().map(|run| run.end - run.start).sum();
        let waiting = |run: &Run| run.end.saturating_sub(run.begun);
        missing + self.runs.values().map(waiting).sum::<u64>()
    }

    /// The run that has the most before it.
    fn longest(&self) -> Option<u64> {
        if !self.shares {
            return None;
        }
        let left = |(id, run): (&u64, &Run)| (run.end.saturating_sub(run.begun), *id);
        let (chunks, id) = self.runs.iter().map(left).max()?;
        (chunks > 0).then_some(id)
    }

    fn bytes(&self, numbers: Range<u64>) -> Range<u64> {
        match numbers.end.checked_sub(1) {
            Some(last) if !numbers.is_empty() => {
                numbers.start * CHUNK..chunk::span(last, self.length).end
            }
            _ => numbers.start * CHUNK..numbers.start * CHUNK,
        }
    }

    /// How many bytes nobody sends yet.
    pub(crate) fn left(&self) -> u64 {
        let bytes = |run: &Range<u64>| {
            let bytes = self.bytes(run.clone());
            bytes.end - bytes.start
        };
        self.missing.iter().map(bytes).sum()
    }

    /// The next run to send, for one of so many streams: its share of what is
    /// missing, so that few requests are made. When all is under way, it is the second half of what
    /// the slowest has before it, so that all streams end together. Gives the run's number for
    /// [`Table::begin`] and [`Table::end`], and its bytes.
    pub(crate) fn next(&mut self, streams: usize, shortest: bool) -> Option<(u64, Range<u64>)> {
        let share = if shortest {
            CHUNK
        } else {
            // What is not shared must be short at the end.
            let parts = if self.shares { 1 } else { 2 };
            (self.left() / (parts * streams.max(1) as u64)).min(LONGEST)
        };
        let chunks = share.div_ceil(CHUNK).max(1);
        let taken = match self.missing.front_mut() {
            Some(run) => {
                let taken = run.start..run.end.min(run.start + chunks);
                run.start = taken.end;
                if run.is_empty() {
                    self.missing.pop_front();
                }
                taken
            }
            None => {
                let run = self.longest().and_then(|id| self.runs.get_mut(&id))?;
                let end = run.end;
                run.end = run.begun + (end - run.begun) / 2;
                run.end..end
            }
        };
        let id = self.next;
        self.next += 1;
        let run = Run {
            start: taken.start,
            begun: taken.start,
            end: taken.end,
            since: Instant::now(),
        };
        self.runs.insert(id, run);
        self.widest = self.widest.max(self.runs.len());
        Some((id, self.bytes(taken)))
    }

    /// May this run go on with this chunk? Then nobody else will send it. It may not when others
    /// took it, or will be done with it sooner.
    pub(crate) fn begin(&mut self, id: u64, number: u64) -> bool {
        let Some(run) = self.runs.get(&id).filter(|run| number < run.end) else {
            return false;
        };
        let (end, goes_on, took) = (run.end, number > run.start, run.since.elapsed());
        let rests = goes_on && self.hinders(took);
        if let Some(run) = self.runs.get_mut(&id) {
            if rests {
                run.end = number;
                self.missing.push_front(number..end);
                self.resting += 1;
                return false;
            }
            run.since = Instant::now();
            run.begun = run.begun.max(number + 1);
        }
        if goes_on {
            self.took(took);
        }
        true
    }

    /// Will the other streams have sent all the rest before one that takes so long has sent one
    /// chunk more?
    fn hinders(&self, took: Duration) -> bool {
        let others = self.runs.len().saturating_sub(1) as u64;
        let Some(typical) = self.typical().filter(|_| self.shares && others > 0) else {
            return false;
        };
        // What each of them has in hand comes first.
        let turns = u32::try_from(self.rest().div_ceil(others)).unwrap_or(u32::MAX);
        took > typical
            .saturating_mul(turns.saturating_add(1))
            .max(LEAST_PATIENCE)
    }

    /// How long a chunk takes most streams, once some have passed.
    fn typical(&self) -> Option<Duration> {
        if self.taking.len() < TYPICAL / 4 {
            return None;
        }
        let mut taking = self.taking.clone();
        taking.sort_unstable();
        taking.get(taking.len() / 2).copied()
    }

    fn took(&mut self, took: Duration) {
        if self.taking.len() == TYPICAL {
            self.taking.remove(0);
        }
        self.taking.push(took);
    }

    /// The run, of those that may be cut off, that keeps all others waiting when nothing is left
    /// but what was begun: its last chunk takes far longer than most of the last ones did.
    pub(crate) fn straggler(&self, may: impl Fn(u64) -> bool) -> Option<u64> {
        if !self.is_empty() {
            return None;
        }
        let typical = self.typical()?;
        let patience = typical.saturating_mul(PATIENCE).max(LEAST_PATIENCE);
        let late = |(id, run): &(&u64, &Run)| may(**id) && run.since.elapsed() > patience;
        let (id, _) = self
            .runs
            .iter()
            .filter(late)
            .min_by_key(|(_, run)| run.since)?;
        Some(*id)
    }

    /// The bytes that are the run's own, now.
    pub(crate) fn range_of(&self, run: u64) -> Range<u64> {
        let own = |run: &Run| self.bytes(run.start..run.end);
        self.runs.get(&run).map_or(0..0, own)
    }

    /// How many bytes are the run's own.
    pub(crate) fn length_of(&self, run: u64) -> u64 {
        let own = self.range_of(run);
        own.end - own.start
    }

    /// A run is over. Gives the bytes that were its own at last.
    pub(crate) fn end(&mut self, run: u64) -> Range<u64> {
        match self.runs.remove(&run) {
            Some(run) => self.bytes(run.start..run.end),
            None => 0..0,
        }
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
            let bytes = self.bytes(run);
            let whole = bytes.end - bytes.start;
            equal += whole - self.give_back(&bytes, &Ranges::new());
        }
        self.all = self.rest();
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
        let begun = |table: &mut Table, id, range: &Range<u64>| {
            for number in range.start / CHUNK..chunk::count(range.end) {
                assert!(table.begin(id, number));
            }
        };
        std::iter::from_fn(|| {
            let (id, range) = table.next(streams, false)?;
            begun(table, id, &range);
            Some(range)
        })
        .collect()
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
        assert_eq!(table.next(9, false).unwrap().1, 7 * CHUNK..8 * CHUNK);
    }

    #[test]
    fn runs_grow_shorter_and_end_with_one_chunk() {
        let mut table = Table::new(200 * CHUNK, &Ranges::new());
        let runs = drain(&mut table, 4);
        let sizes: Vec<_> = runs.iter().map(|run| run.end - run.start).collect();
        assert!(sizes.is_sorted_by(|one, two| one >= two), "{sizes:?}");
        assert_eq!((sizes[0], sizes[sizes.len() - 1]), (LONGEST, CHUNK));
        assert_eq!(sizes.iter().sum::<u64>(), 200 * CHUNK);
        let mut table = Table::new(1 << 40, &Ranges::new());
        assert_eq!(table.next(1, false).unwrap().1.end, LONGEST);
    }

    #[test]
    fn runs_that_are_kept_are_short_at_the_end() {
        let mut table = Table::new(64 * CHUNK, &Ranges::new());
        table.keep_runs();
        let first = table.next(4, false).unwrap().1;
        assert_eq!(first, 0..8 * CHUNK);
        let rest = drain(&mut table, 4);
        assert_eq!(rest.last().unwrap(), &(63 * CHUNK..64 * CHUNK));
        assert!(table.is_empty() && table.next(4, false).is_none());
    }

    #[test]
    fn what_a_slow_one_has_before_it_is_shared() {
        let length = 9 * CHUNK + 5;
        let mut table = Table::new(length, &Ranges::new());
        let (slow, range) = table.next(2, false).unwrap();
        assert_eq!(range, 0..5 * CHUNK);
        assert!(table.begin(slow, 0));
        let (fast, range) = table.next(2, false).unwrap();
        assert_eq!(range, 5 * CHUNK..8 * CHUNK);
        for number in 5..8 {
            assert!(table.begin(fast, number));
        }
        assert_eq!(table.end(fast), 5 * CHUNK..8 * CHUNK);
        let mut taken = Vec::new();
        while let Some((id, range)) = table.next(1, false) {
            for number in range.start / CHUNK..chunk::count(range.end) {
                assert!(table.begin(id, number), "{number}");
            }
            taken.push(table.end(id));
        }
        let last = [
            8 * CHUNK..length,
            3 * CHUNK..5 * CHUNK,
            2 * CHUNK..3 * CHUNK,
            CHUNK..2 * CHUNK,
        ];
        assert_eq!(taken, last);
        assert!(table.is_empty() && !table.begin(slow, 1));
        assert_eq!(table.end(slow), 0..CHUNK);
    }

    #[test]
    fn towards_the_end_no_streams_are_added() {
        let mut table = Table::new(40 * CHUNK, &Ranges::new());
        let (one, _) = table.next(2, false).unwrap();
        let (two, _) = table.next(2, false).unwrap();
        assert!(!table.wants(2) && table.wants(8));
        for number in 0..20 {
            table.begin(one, number);
        }
        table.end(one);
        for number in 20..30 {
            table.begin(two, number);
        }
        table.end(two);
        let (three, _) = table.next(1, false).unwrap();
        assert!(table.begin(three, 30) && table.begin(three, 31));
        // Nine of forty: two at once are as many as there were.
        table.give_back(&(0..CHUNK), &Ranges::new());
        assert!(table.wants(8));
        table.next(1, false).unwrap();
        assert!(!table.wants(8) && !table.is_empty());
        // A short file is sent by as many as there are.
        let mut short = Table::new(8 * CHUNK, &Ranges::new());
        for _ in 0..8 {
            assert!(short.wants(8));
            let (id, range) = short.next(8, true).unwrap();
            assert!(short.begin(id, range.start / CHUNK));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_one_leaves_the_end_to_faster_ones() {
        let mut table = Table::new(32 * CHUNK, &Ranges::new());
        let (slow, _) = table.next(1, false).unwrap();
        assert!(table.begin(slow, 0));
        let (mut fast, range) = table.next(1, false).unwrap();
        assert_eq!(range, 16 * CHUNK..32 * CHUNK);
        for number in 16..32 {
            assert!(table.begin(fast, number));
            tokio::time::advance(Duration::from_millis(100)).await;
        }
        // Not enough has passed to know what is slow.
        assert!(table.begin(slow, 1));
        table.end(fast);
        loop {
            let range;
            (fast, range) = table.next(1, false).unwrap();
            for number in range.start / CHUNK..range.end / CHUNK {
                assert!(table.begin(fast, number));
                tokio::time::advance(Duration::from_millis(100)).await;
            }
            if range.start == 3 * CHUNK {
                break;
            }
            table.end(fast);
        }
        assert!(!table.begin(slow, 2));
        assert_eq!(table.end(slow), 0..2 * CHUNK);
        // Its place stays empty; what it had before it is there for others.
        assert!(!table.wants(2) && !table.is_empty());
        table.end(fast);
        assert_eq!(table.next(2, false).unwrap().1, 2 * CHUNK..3 * CHUNK);
    }

    #[test]
    fn what_an_old_content_has_is_left_out() {
        let digest = |n: u8| ChunkDigest::from_bytes([n; 32]);
        let source = Outline::new(4 * CHUNK, (0..4).map(digest).collect()).unwrap();
        let base = [0, 9, 2, 3].map(digest).to_vec();
        let base = Outline::new(4 * CHUNK, base).unwrap();
        let mut table = Table::new(4 * CHUNK, &arrived(&[0..CHUNK]));
        assert_eq!(table.compare(&source, Some(&base)), 2 * CHUNK);
        assert_eq!(table.all, 1);
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
