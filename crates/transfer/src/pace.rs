//! How many small files at once: as many as pay, within a bound on their bytes.

use tokio::time::Instant;

use crate::file::Ended;

/// Small files in flight at the start, and at most.
const START: usize = 32;
const MOST: usize = 192;
/// There where the link is far: each file is at least one way there and back, however little of the
/// line it takes.
const FAR_START: usize = 256;
const FAR_MOST: usize = 512;
const LEAST: usize = 4;
/// Twice as many must bring so much more, in percent, or no more are tried.
const GAIN: u64 = 10;
/// The bytes of small files in flight: what is held of each is less than this share of it.
const BYTES: u64 = 32 << 20;
const HELD: u64 = 1 << 20;

/// The number of small files in flight.
#[derive(Debug)]
pub(crate) struct Pace {
    fixed: bool,
    limit: usize,
    most: usize,
    bytes: u64,
    /// Since when, and how many ended since.
    since: Instant,
    ended: usize,
    /// Files in a thousand seconds, at half as many in flight.
    before: Option<u64>,
    settled: bool,
}

impl Pace {
    /// Exactly so many at once, or as many as pay, when none is told.
    pub(crate) fn new(fixed: Option<usize>) -> Self {
        Self {
            fixed: fixed.is_some(),
            limit: fixed.map_or(START, |fixed| fixed.max(1)),
            most: MOST,
            bytes: 0,
            since: Instant::now(),
            ended: 0,
            before: None,
            settled: false,
        }
    }

    /// The link is far: what few files at once would tell of it only costs time.
    pub(crate) fn far(&mut self) {
        if !self.fixed && !self.settled && self.before.is_none() {
            self.limit = self.limit.max(FAR_START);
            self.most = FAR_MOST;
        }
    }

    /// May one more start, when so many run?
    pub(crate) fn has_room(&self, running: usize) -> bool {
        running < self.limit && (self.bytes < BYTES || running < LEAST)
    }

    /// A file of so many bytes starts.
    pub(crate) fn started(&mut self, size: u64) {
        self.bytes = self.bytes.saturating_add(size.min(HELD));
    }

    /// A file of so many bytes ended.
    pub(crate) fn ended(&mut self, size: u64, how: &Ended) {
        self.bytes = self.bytes.saturating_sub(size.min(HELD));
        if self.fixed {
            return;
        }
        if let Ended::Failed(error) = how
            && error.kind().is_transient()
        {
            self.limit = (self.limit / 2).max(LEAST);
            self.settled = true;
            return;
        }
        self.ended += 1;
        if self.settled || self.ended < self.limit {
            return;
        }
        let micros = u64::try_from(self.since.elapsed().as_micros()).unwrap_or(u64::MAX);
        let rate = (self.ended as u64).saturating_mul(1_000_000_000) / micros.max(1);
        let paid = |before: u64| rate > before.saturating_add(before / 100 * GAIN);
        if self.before.is_none_or(paid) && self.limit < self.most {
            self.before = Some(rate);
            self.limit = (self.limit * 2).min(self.most);
        } else {
            self.settled = true;
        }
        self.ended = 0;
        self.since = Instant::now();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gaveta_core::ErrorKind;
    use std::time::Duration;

    async fn batch(pace: &mut Pace, took: Duration) {
        tokio::time::advance(took).await;
        for _ in 0..pace.limit {
            pace.started(10);
            pace.ended(10, &Ended::Cancelled);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_far_link_gets_many_and_a_busy_disk_few() {
        let mut near = Pace::new(None);
        for _ in 0..10 {
            let took = Duration::from_millis(near.limit as u64);
            batch(&mut near, took).await;
        }
        let mut far = Pace::new(None);
        far.far();
        assert_eq!(far.limit, FAR_START);
        for _ in 0..10 {
            batch(&mut far, Duration::from_millis(100)).await;
        }
        assert_eq!(far.limit, FAR_MOST);
        assert_eq!(near.limit, 2 * START);
        far.ended(0, &Ended::Failed(ErrorKind::Disconnected.into()));
        assert_eq!(far.limit, FAR_MOST / 2);
    }

    #[tokio::test]
    async fn bytes_are_bounded_and_a_number_can_be_told() {
        let mut pace = Pace::new(None);
        let mut running = 0;
        while pace.has_room(running) {
            pace.started(u64::MAX);
            running += 1;
        }
        assert_eq!(running as u64, BYTES / HELD);
        let mut pace = Pace::new(Some(3));
        pace.far();
        assert!(pace.has_room(2) && !pace.has_room(3));
    }
}
