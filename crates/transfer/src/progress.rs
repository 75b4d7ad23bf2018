//! How much of a big file is there: what was handed over, or what the target says it has.

use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gaveta_core::{Ranges, Upload};
use tokio::time::{Duration, Instant, sleep};

use crate::observer::{FileId, Observer};

/// What one copy tells of how far it is.
#[derive(Debug)]
pub(crate) struct Progress {
    observer: Arc<dyn Observer>,
    id: FileId,
    length: u64,
    /// How often the target is asked; none: what was handed over is there.
    asks: Option<Duration>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// What the target has, as far as it said so.
    there: Ranges,
    /// Bytes it takes from what it had before.
    equal: u64,
    /// Bytes handed over now, but for those that were lost.
    handed: u64,
    /// Bytes that were there when the copy began.
    before: u64,
}

impl Progress {
    /// `asks`: how often the target is asked what it has; none where what is handed over is there.
    pub(crate) fn new(
        observer: Arc<dyn Observer>,
        id: FileId,
        length: u64,
        asks: Option<Duration>,
        arrived: Ranges,
        equal: u64,
    ) -> Self {
        let state = State {
            before: arrived.total(),
            there: arrived,
            equal,
            handed: 0,
        };
        Self {
            observer,
            id,
            length,
            asks,
            state: Mutex::new(state),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// So many bytes were handed over.
    pub(crate) fn handed(&self, bytes: u64) {
        self.state().handed += bytes;
        if self.asks.is_none() {
            self.tell();
        }
    }

    /// So many of the bytes that were handed over did not arrive.
    pub(crate) fn lost(&self, bytes: u64) {
        let mut state = self.state();
        state.handed = state.handed.saturating_sub(bytes);
    }

    /// The target takes so many bytes from what it had before.
    pub(crate) fn equal(&self, bytes: u64) {
        self.state().equal += bytes;
        self.tell();
    }

    /// The target has all of this.
    pub(crate) fn has(&self, range: Range<u64>) {
        self.state().there.insert(range);
        self.tell();
    }

    /// The target has this, and nothing else.
    pub(crate) fn has_only(&self, arrived: &Ranges) {
        self.state().there = arrived.clone();
        self.tell();
    }

    pub(crate) fn tell(&self) {
        let done = {
            let state = self.state();
            let there = match self.asks {
                Some(_) => state.there.total(),
                None => state.before.saturating_add(state.handed),
            };
            there.saturating_add(state.equal).min(self.length)
        };
        self.observer.advanced(self.id, done);
    }

    /// Asks the target again and again, for as long as this is polled; it never ends. What it
    /// cannot answer now it may answer later: whoever sends hears of what matters. Tells how long
    /// each answer took.
    pub(crate) async fn ask(&self, upload: &dyn Upload, took: impl Fn(Duration)) {
        let Some(every) = self.asks else {
            return std::future::pending().await;
        };
        let mut pause = every;
        loop {
            sleep(pause).await;
            let asked = Instant::now();
            if let Ok(state) = upload.state().await {
                for range in state.arrived.iter() {
                    self.state().there.insert(range.clone());
                }
                self.tell();
                took(asked.elapsed());
            }
            // Far away, or busy: no more than half of the time is spent with asking.
            pause = every.max(asked.elapsed());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering};

    #[derive(Debug, Default)]
    struct Last(AtomicU64);

    impl Observer for Last {
        fn advanced(&self, _: FileId, bytes: u64) {
            self.0.store(bytes, Ordering::Relaxed);
        }
    }

    fn progress(asks: Option<Duration>) -> (Arc<Last>, Progress) {
        let last = Arc::new(Last::default());
        let mut arrived = Ranges::new();
        arrived.insert(0..10);
        let observer = Arc::clone(&last) as Arc<dyn Observer>;
        let progress = Progress::new(observer, FileId(1), 100, asks, arrived, 5);
        (last, progress)
    }

    #[test]
    fn what_lies_on_the_way_counts_only_where_there_is_no_way() {
        let (last, near) = progress(None);
        near.handed(20);
        assert_eq!(last.0.load(Ordering::Relaxed), 35);
        near.lost(20);
        near.equal(1);
        assert_eq!(last.0.load(Ordering::Relaxed), 16);

        let (last, far) = progress(Some(Duration::from_secs(1)));
        far.handed(20);
        far.equal(1);
        assert_eq!(last.0.load(Ordering::Relaxed), 16);
        far.has(5..30);
        assert_eq!(last.0.load(Ordering::Relaxed), 36);
        far.has_only(&Ranges::new());
        assert_eq!(last.0.load(Ordering::Relaxed), 6);
    }
}
