//! How much memory all writes of a store hold together, however many there are.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What all writes may hold in pieces, in bytes.
const ALL: usize = 12 << 20;
/// What one permit is.
const UNIT: usize = 1 << 10;
/// The largest and the smallest piece that is gathered before it is written.
const LARGEST: usize = 1 << 20;
const SMALLEST: usize = 32 << 10;

/// The room for pieces on their way to the disk. First come, first served.
#[derive(Debug)]
pub(crate) struct Budget {
    room: Arc<Semaphore>,
    writers: AtomicUsize,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            room: Arc::new(Semaphore::new(ALL / UNIT)),
            writers: AtomicUsize::new(0),
        }
    }
}

/// Counts a write while it runs.
#[derive(Debug)]
pub(super) struct Writing<'a>(&'a Budget);

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        self.0.writers.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Budget {
    /// One more write runs.
    pub(super) fn enter(&self) -> Writing<'_> {
        self.writers.fetch_add(1, Ordering::Relaxed);
        Writing(self)
    }

    /// How large pieces are worth gathering now: smaller when many write.
    pub(super) fn piece(&self) -> usize {
        let writers = self.writers.load(Ordering::Relaxed).max(1);
        (ALL / 2 / writers).clamp(SMALLEST, LARGEST)
    }

    /// Waits for the room for so many bytes. None, when there never will be: the store is closing.
    pub(super) async fn take(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let units = bytes.div_ceil(UNIT).min(ALL / UNIT);
        let units = u32::try_from(units).unwrap_or(u32::MAX);
        self.room.clone().acquire_many_owned(units).await.ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    #[tokio::test]
    async fn pieces_shrink_when_many_write_and_no_more_than_all_is_given() {
        let budget = Budget::default();
        assert_eq!(budget.piece(), LARGEST);
        let writing: Vec<_> = (0..400).map(|_| budget.enter()).collect();
        assert_eq!(budget.piece(), SMALLEST);
        drop(writing);
        assert_eq!(budget.piece(), LARGEST);
        let first = budget.take(ALL - LARGEST).await;
        let second = budget.take(LARGEST).await;
        assert!(budget.take(1).now_or_never().is_none());
        drop(second);
        assert!(budget.take(LARGEST).now_or_never().is_some());
        drop(first);
        assert!(budget.take(10 * ALL).now_or_never().is_some());
    }
}
