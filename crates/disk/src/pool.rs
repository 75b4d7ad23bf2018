//! Buffers of content on its way, used again.
//!
//! A new buffer costs a page fault for each 4 KiB, more than copying as much: a few are kept for
//! the next. They hold what was read of a file, or what arrived for one.

use std::sync::{Arc, Mutex};

use bytes::Bytes;

use crate::locks::lock;

/// The size of a buffer that is kept, in bytes.
pub(crate) const BUFFER: usize = 256 << 10;
/// How many wait for their next use: 8 MiB.
const KEPT: usize = 8;

/// The buffers of one store.
#[derive(Debug, Default)]
pub(crate) struct Pool(Mutex<Vec<Vec<u8>>>);

/// A buffer; it goes back to its pool when the last who reads it lets go.
#[derive(Debug)]
pub(crate) struct Lent {
    pub(crate) bytes: Vec<u8>,
    pool: Option<Arc<Pool>>,
}

impl Pool {
    /// An empty buffer with room for so many bytes: one of the pool's when it has their size.
    pub(crate) fn lend(self: &Arc<Self>, room: usize) -> Lent {
        if room != BUFFER {
            return Lent::new(Vec::with_capacity(room));
        }
        let mut bytes = self.used();
        bytes.clear();
        bytes.reserve_exact(BUFFER);
        Lent {
            bytes,
            pool: Some(self.clone()),
        }
    }

    /// A buffer of so many bytes, whatever they are.
    pub(crate) fn lend_filled(self: &Arc<Self>, length: usize) -> Lent {
        if length != BUFFER {
            return Lent::new(vec![0; length]);
        }
        let mut bytes = self.used();
        bytes.resize(BUFFER, 0);
        Lent {
            bytes,
            pool: Some(self.clone()),
        }
    }

    fn used(&self) -> Vec<u8> {
        lock(&self.0).pop().unwrap_or_default()
    }
}

impl Lent {
    /// A buffer of no pool.
    pub(crate) fn new(bytes: Vec<u8>) -> Self {
        Self { bytes, pool: None }
    }

    /// Its bytes, to be handed on.
    pub(crate) fn freeze(mut self) -> Bytes {
        if self.pool.is_none() {
            return std::mem::take(&mut self.bytes).into();
        }
        Bytes::from_owner(self)
    }
}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(pool) = self.pool.take() {
            let mut kept = lock(&pool.0);
            if kept.len() < KEPT {
                kept.push(std::mem::take(&mut self.bytes));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_come_back_once_nobody_reads_them_and_few_are_kept() {
        let pool = Arc::new(Pool::default());
        let mut lent = pool.lend(BUFFER);
        lent.bytes.extend_from_slice(b"abc");
        let place = lent.bytes.as_ptr();
        let bytes = lent.freeze();
        let part = bytes.slice(1..);
        drop(bytes);
        assert_eq!(part, "bc");
        assert!(lock(&pool.0).is_empty());
        drop(part);
        let again = pool.lend(BUFFER);
        assert_eq!(again.bytes.as_ptr(), place);
        assert!(again.bytes.is_empty());
        let many: Vec<_> = (0..2 * KEPT).map(|_| pool.lend_filled(BUFFER)).collect();
        assert!(many.iter().all(|lent| lent.bytes.len() == BUFFER));
        drop((many, again));
        assert_eq!(lock(&pool.0).len(), KEPT);
        assert_eq!(pool.lend_filled(7).freeze().len(), 7);
        assert_eq!(lock(&pool.0).len(), KEPT);
    }
}
