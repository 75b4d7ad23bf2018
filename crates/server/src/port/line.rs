//! One connection: who is at the other end, what went over it, and whether it moves.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::drawer::Drawer;
use crate::drawer::limits::Seat;

/// Bytes that the streamed answers of one connection hold at once. HTTP/2 answers many requests
/// side by side, and a peer who opens every window and reads nothing would have each of them hold
/// its share.
pub(crate) const ROOM: usize = 8 * 1024 * 1024;

/// What is known of one connection. The place it takes is free again when the last who holds it
/// (the connection, a session that came of it) lets go.
#[derive(Debug)]
pub(crate) struct Line {
    peer: SocketAddr,
    /// The address it came to; none when the system does not say.
    local: Option<IpAddr>,
    encrypted: AtomicBool,
    received: AtomicU64,
    sent: AtomicU64,
    /// Encrypted bytes that the system took.
    left: AtomicU64,
    begun: AtomicU64,
    active: AtomicUsize,
    /// It became a session: no request's head is awaited any more.
    switched: AtomicBool,
    /// Bodies whose last piece nobody came back for yet.
    waiting: AtomicUsize,
    /// Bytes that bodies gave.
    given: AtomicU64,
    /// [`ROOM`], less what is held now.
    room: Arc<Semaphore>,
    drawer: Arc<Drawer>,
    _place: Option<(OwnedSemaphorePermit, Seat)>,
}

impl Line {
    /// A new connection, told to the console.
    pub(crate) fn open(
        peer: SocketAddr,
        local: Option<IpAddr>,
        drawer: Arc<Drawer>,
        place: Option<(OwnedSemaphorePermit, Seat)>,
    ) -> Arc<Self> {
        let connected = drawer.meters.connected();
        tracing::info!(target: "gaveta::connection", %peer, connected, "connected");
        Arc::new(Self {
            peer,
            local: local.map(|ip| ip.to_canonical()),
            encrypted: AtomicBool::new(false),
            received: AtomicU64::new(0),
            sent: AtomicU64::new(0),
            left: AtomicU64::new(0),
            begun: AtomicU64::new(0),
            active: AtomicUsize::new(0),
            switched: AtomicBool::new(false),
            waiting: AtomicUsize::new(0),
            given: AtomicU64::new(0),
            room: Arc::new(Semaphore::new(ROOM)),
            drawer,
            _place: place,
        })
    }

    /// Room for an answer that holds so many bytes, once there is; it is free again when dropped.
    /// None asks for more than all of it. Cancel-safe; waits in order.
    pub(crate) async fn room(&self, bytes: u64) -> Option<OwnedSemaphorePermit> {
        let bytes = u32::try_from(bytes.clamp(1, ROOM as u64)).ok()?;
        Arc::clone(&self.room).acquire_many_owned(bytes).await.ok()
    }

    /// Who is at the other end.
    pub(crate) fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// The address of this machine that it came to.
    pub(crate) fn local(&self) -> Option<IpAddr> {
        self.local
    }

    /// Are both its ends on this machine?
    pub(crate) fn is_local(&self) -> bool {
        let here = |ip: IpAddr| ip.to_canonical().is_loopback();
        here(self.peer.ip()) && self.local.is_none_or(here)
    }

    /// A handshake succeeded: all that comes is encrypted.
    pub(super) fn encrypt(&self) {
        self.encrypted.store(true, Ordering::Release);
    }

    /// Is it encrypted?
    pub(crate) fn is_encrypted(&self) -> bool {
        self.encrypted.load(Ordering::Acquire)
    }

    /// Bytes that came over it.
    pub(crate) fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    /// So many bytes came.
    pub(super) fn add_received(&self, bytes: u64) {
        self.received.fetch_add(bytes, Ordering::Relaxed);
    }

    /// So many bytes went.
    pub(super) fn add_sent(&self, bytes: u64) {
        self.sent.fetch_add(bytes, Ordering::Relaxed);
    }

    /// So many encrypted bytes left for the peer.
    pub(super) fn add_left(&self, bytes: u64) {
        self.left.fetch_add(bytes, Ordering::Relaxed);
    }

    /// How many encrypted bytes left; 0 as long as nothing is encrypted.
    pub(super) fn left(&self) -> u64 {
        self.left.load(Ordering::Relaxed)
    }

    /// How many requests have begun on it.
    pub(super) fn begun(&self) -> u64 {
        self.begun.load(Ordering::Acquire)
    }

    /// How many requests are being answered.
    pub(super) fn active(&self) -> usize {
        self.active.load(Ordering::Acquire)
    }

    /// From here on it is a session.
    pub(crate) fn switch(&self) {
        self.switched.store(true, Ordering::Release);
    }

    /// May what comes be a request's head?
    pub(super) fn awaits_head(&self) -> bool {
        self.active() == 0 && !self.switched.load(Ordering::Acquire)
    }

    pub(super) fn request_begins(&self) {
        self.begun.fetch_add(1, Ordering::AcqRel);
        self.active.fetch_add(1, Ordering::AcqRel);
    }

    pub(super) fn request_ends(&self) {
        self.active.fetch_sub(1, Ordering::AcqRel);
    }

    pub(super) fn piece_given(&self, bytes: u64) {
        self.given.fetch_add(bytes, Ordering::Relaxed);
        self.waiting.fetch_add(1, Ordering::AcqRel);
    }

    pub(super) fn piece_taken(&self) {
        self.waiting.fetch_sub(1, Ordering::AcqRel);
    }

    /// What tells, looked at twice, whether answers wait for a peer who takes none of them.
    pub(super) fn flow(&self) -> Flow {
        Flow {
            given: self.given.load(Ordering::Relaxed),
            sent: self.sent.load(Ordering::Relaxed),
            waiting: self.waiting.load(Ordering::Acquire) > 0,
        }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let connected = self.drawer.meters.left();
        tracing::info!(
            target: "gaveta::connection", peer = %self.peer, connected,
            received = self.received(), sent = self.sent.load(Ordering::Relaxed), "left"
        );
    }
}

/// A look at what moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Flow {
    pub(super) given: u64,
    pub(super) sent: u64,
    pub(super) waiting: bool,
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::drawer::accounts::{Accounts, Base, Book};
    use crate::drawer::entrance::Entrance;
    use futures_util::FutureExt;
    use gaveta_testkit::MemoryStore;

    /// A line to nobody.
    pub(crate) fn line() -> Arc<Line> {
        let accounts = Accounts::new(Base::default(), &Book::default());
        let entrance = Entrance::new(accounts).unwrap();
        let drawer = Drawer::new(Arc::new(MemoryStore::new()), entrance, Default::default());
        Line::open("127.0.0.1:1".parse().unwrap(), None, drawer, None)
    }

    #[tokio::test]
    async fn room_is_bounded_and_comes_back() {
        let line = line();
        let all = line.room(u64::MAX).await.unwrap();
        let more = line.room(1);
        tokio::pin!(more);
        assert!(more.as_mut().now_or_never().is_none());
        drop(all);
        assert!(more.await.is_some());
    }
}
