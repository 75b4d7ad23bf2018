//! What goes in and out, counted.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Counters since the server started. Only for people: nothing is decided by them.
#[derive(Debug, Default)]
pub(crate) struct Meters {
    written: AtomicU64,
    read: AtomicU64,
    requests: AtomicU64,
    connected: AtomicUsize,
    sessions: AtomicUsize,
}

impl Meters {
    /// So many bytes of content arrived.
    pub(crate) fn written(&self, bytes: u64) {
        self.written.fetch_add(bytes, Ordering::Relaxed);
    }

    /// So many bytes of content left.
    pub(crate) fn read(&self, bytes: u64) {
        self.read.fetch_add(bytes, Ordering::Relaxed);
    }

    /// One more request.
    pub(crate) fn request(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    /// One more connection; how many there are now.
    pub(crate) fn connected(&self) -> usize {
        self.connected.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// One connection less; how many are left.
    pub(crate) fn left(&self) -> usize {
        self.connected
            .fetch_sub(1, Ordering::Relaxed)
            .saturating_sub(1)
    }

    /// One more session; how many there are now.
    pub(crate) fn session_opened(&self) -> usize {
        self.sessions.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// One session less; how many are left.
    pub(crate) fn session_closed(&self) -> usize {
        self.sessions
            .fetch_sub(1, Ordering::Relaxed)
            .saturating_sub(1)
    }

    /// The totals.
    pub(crate) fn totals(&self) -> Totals {
        Totals {
            written: self.written.load(Ordering::Relaxed),
            read: self.read.load(Ordering::Relaxed),
            requests: self.requests.load(Ordering::Relaxed),
            connected: self.connected.load(Ordering::Relaxed),
            sessions: self.sessions.load(Ordering::Relaxed),
        }
    }
}

/// What was counted since the server started, and who is there now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Totals {
    /// Bytes of content that arrived.
    pub written: u64,
    /// Bytes of content that left.
    pub read: u64,
    /// Requests.
    pub requests: u64,
    /// Connections now, those of sessions included.
    pub connected: usize,
    /// Sessions now.
    pub sessions: usize,
}
