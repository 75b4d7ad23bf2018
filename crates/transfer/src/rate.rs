//! A bound on bytes a second, shared by everything a transfer sends.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// So much may go at once after a quiet time.
const BURST: Duration = Duration::from_millis(100);
/// The pieces that are let through one after another: small enough that each of several streams
/// keeps moving at a low rate.
const LARGEST: u64 = 64 * 1024;
const SMALLEST: u64 = 1024;
/// Below this rate few streams are opened: more would each stand still for too long.
const SLOW: u64 = 4 << 20;

/// The bound, or none.
#[derive(Debug)]
pub(crate) struct Rate {
    limit: Option<u64>,
    /// When the next byte may go.
    next: Mutex<Option<Instant>>,
}

impl Rate {
    /// At most so many bytes a second.
    pub(crate) fn new(limit: Option<u64>) -> Self {
        Self {
            limit: limit.map(|limit| limit.max(1)),
            next: Mutex::new(None),
        }
    }

    /// The most bytes to ask for at once.
    pub(crate) fn piece(&self) -> usize {
        let piece = self
            .limit
            .map_or(u64::MAX, |limit| (limit / 16).clamp(SMALLEST, LARGEST));
        usize::try_from(piece).unwrap_or(usize::MAX)
    }

    /// Is the rate so low that few streams should share it?
    pub(crate) fn is_slow(&self) -> bool {
        self.limit.is_some_and(|limit| limit < SLOW)
    }

    /// Waits until so many bytes may go. First come, first served. A dropped future has taken its
    /// turn: the rate is never exceeded.
    pub(crate) async fn take(&self, bytes: u64) {
        let Some(limit) = self.limit else {
            return;
        };
        #[allow(clippy::cast_precision_loss, reason = "a rate needs no more digits")]
        let takes = Duration::from_secs_f64(bytes as f64 / limit as f64);
        let now = Instant::now();
        let turn = {
            let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
            let earliest = now.checked_sub(BURST).unwrap_or(now);
            let turn = next.map_or(earliest, |next| next.max(earliest));
            *next = Some(turn + takes);
            turn
        };
        tokio::time::sleep_until(turn.max(now)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn no_more_than_so_many_bytes_a_second() {
        let rate = Rate::new(Some(1_000_000));
        let since = Instant::now();
        for _ in 0..100 {
            rate.take(50_000).await;
        }
        let took = since.elapsed().as_secs_f64();
        assert!((4.8..5.2).contains(&took), "{took}");
        // A quiet time is not made up for.
        tokio::time::sleep(Duration::from_secs(60)).await;
        let since = Instant::now();
        for _ in 0..20 {
            rate.take(50_000).await;
        }
        let took = since.elapsed().as_secs_f64();
        assert!((0.8..1.1).contains(&took), "{took}");
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_bound_nothing_waits() {
        let rate = Rate::new(None);
        let since = Instant::now();
        rate.take(u64::MAX).await;
        assert_eq!(since.elapsed(), Duration::ZERO);
        assert!(!rate.is_slow() && Rate::new(Some(0)).is_slow());
    }
}
