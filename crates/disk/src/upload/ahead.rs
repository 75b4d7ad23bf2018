//! The disk begins while content still arrives, so that the flush at the end finds little to do.
//!
//! Nothing is waited for and nothing is promised here: what was begun and failed is told to the
//! flush that the commit waits for, as of every byte.

use std::ops::Range;
use std::sync::Arc;

use gaveta_core::Ranges;

use super::Body;
use crate::locks::lock;
use crate::os;

/// So many bytes of one upload are written before the disk is told to begin with them. Less makes
/// many small requests of it, and small files gain nothing.
const STEP: u64 = 32 << 20;

/// What is written in smaller pieces waits for the flush: to remember each would take more than it
/// gives.
const SMALL: u64 = 64 << 10;

/// What was written and not yet handed to the disk.
#[derive(Debug, Default)]
pub(super) struct Ahead {
    written: Ranges,
    running: bool,
}

impl Ahead {
    /// These bytes were written. Says what to begin with now, if anything.
    fn wrote(&mut self, range: Range<u64>) -> Option<Ranges> {
        self.written.insert(range);
        if self.running || self.written.total() < STEP {
            return None;
        }
        self.running = true;
        Some(std::mem::take(&mut self.written))
    }
}

impl Body {
    /// These bytes were written: has the disk begin when they are many. Does not block.
    pub(super) fn begin_flush(self: &Arc<Self>, range: Range<u64>) {
        if !self.base.is_full() || range.end - range.start < SMALL {
            return;
        }
        let Some(ready) = lock(&self.ahead).wrote(range) else {
            return;
        };
        let body = self.clone();
        // A disk that has enough to do makes this wait: not the writers.
        tokio::task::spawn_blocking(move || {
            for range in ready.iter() {
                os::begin_flush(&body.staged.file, range);
            }
            lock(&body.ahead).running = false;
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_step_at_a_time_and_every_byte_once() {
        let mut ahead = Ahead::default();
        assert_eq!(ahead.wrote(0..STEP / 2), None);
        let ready = ahead.wrote(STEP..STEP + STEP / 2).unwrap();
        assert_eq!(
            ready.iter().collect::<Vec<_>>(),
            [0..STEP / 2, STEP..STEP + STEP / 2]
        );
        assert_eq!(ahead.wrote(STEP / 2..STEP), None);
        assert_eq!(ahead.wrote(2 * STEP..4 * STEP), None, "one runs");
        ahead.running = false;
        let ready = ahead.wrote(4 * STEP..4 * STEP + 1).unwrap();
        assert_eq!(ready.total(), STEP / 2 + 2 * STEP + 1);
    }
}
