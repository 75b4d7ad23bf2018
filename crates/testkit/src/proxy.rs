//! A line that is cut, stalled or slowed when told to: a TCP proxy on loopback.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

/// Bytes held for one direction of one connection.
const BUFFER: usize = 16 << 10;
/// The most connections at once; more are dropped.
const MAX_CONNECTIONS: usize = 256;
/// Between two bytes of a trickle.
const TRICKLE: Duration = Duration::from_millis(2);

/// Which way bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the client to the server.
    Up,
    /// From the server to the client.
    Down,
}

#[derive(Debug, Clone)]
struct Rules {
    target: SocketAddr,
    cut: Option<(Direction, u64)>,
    stalled: Option<Direction>,
    trickle: Option<Direction>,
    pace: Option<(Direction, u64)>,
    refuse: bool,
    /// Connections from before this many cuts are gone.
    cuts: u64,
}

impl Rules {
    fn new(target: SocketAddr) -> Self {
        Self {
            target,
            cut: None,
            stalled: None,
            trickle: None,
            pace: None,
            refuse: false,
            cuts: 0,
        }
    }
}

/// A proxy on 127.0.0.1 that forwards to one address. Rules may change at any time and hold for
/// the connections there are, too. Dropping it closes everything.
#[derive(Debug)]
pub struct CuttingProxy {
    address: SocketAddr,
    rules: watch::Sender<Rules>,
    counts: Arc<Counts>,
    task: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Counts {
    connections: AtomicU64,
    live: AtomicU64,
    up: AtomicU64,
    down: AtomicU64,
}

impl CuttingProxy {
    /// Starts to forward to `target`.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn start(target: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let (rules, seen) = watch::channel(Rules::new(target));
        let counts = Arc::new(Counts::default());
        let task = tokio::spawn(accept(listener, seen, Arc::clone(&counts)));
        Ok(Self {
            address,
            rules,
            counts,
            task,
        })
    }

    /// Where to connect to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Forwards new connections to another address from now on: the server that came back.
    pub fn retarget(&self, target: SocketAddr) {
        self.rules.send_modify(|rules| rules.target = target);
    }

    /// Cuts each connection when so many bytes went this way; exactly so many are forwarded.
    pub fn cut_after(&self, direction: Direction, bytes: u64) {
        self.rules
            .send_modify(|rules| rules.cut = Some((direction, bytes)));
    }

    /// Cuts every connection there is.
    pub fn cut_now(&self) {
        self.rules.send_modify(|rules| rules.cuts += 1);
    }

    /// Forwards nothing this way any more, and keeps the connections open.
    pub fn stall(&self, direction: Direction) {
        self.rules
            .send_modify(|rules| rules.stalled = Some(direction));
    }

    /// Forwards one byte at a time this way.
    pub fn trickle(&self, direction: Direction) {
        self.rules
            .send_modify(|rules| rules.trickle = Some(direction));
    }

    /// Forwards no more than so many bytes a second this way, on each connection.
    pub fn pace(&self, direction: Direction, bytes: u64) {
        self.rules
            .send_modify(|rules| rules.pace = Some((direction, bytes.max(1))));
    }

    /// Drops new connections as soon as they come.
    pub fn refuse(&self, refuse: bool) {
        self.rules.send_modify(|rules| rules.refuse = refuse);
    }

    /// Forwards everything again.
    pub fn heal(&self) {
        self.rules.send_modify(|rules| {
            *rules = Rules {
                cuts: rules.cuts,
                ..Rules::new(rules.target)
            }
        });
    }

    /// How many connections were taken so far.
    pub fn connections(&self) -> u64 {
        self.counts.connections.load(Ordering::Relaxed)
    }

    /// How many connections there are now.
    pub fn live(&self) -> u64 {
        self.counts.live.load(Ordering::Relaxed)
    }

    /// How many bytes went this way so far, on all connections.
    pub fn forwarded(&self, direction: Direction) -> u64 {
        self.counts.of(direction).load(Ordering::Relaxed)
    }
}

impl Counts {
    fn of(&self, direction: Direction) -> &AtomicU64 {
        match direction {
            Direction::Up => &self.up,
            Direction::Down => &self.down,
        }
    }
}

impl Drop for CuttingProxy {
    fn drop(&mut self) {
        // Its connections belong to the task and go with it.
        self.task.abort();
    }
}

/// One connection that is counted while it lives.
struct Live<'a>(&'a Counts);

impl<'a> Live<'a> {
    fn new(counts: &'a Counts) -> Self {
        counts.live.fetch_add(1, Ordering::Relaxed);
        Self(counts)
    }
}

impl Drop for Live<'_> {
    fn drop(&mut self) {
        self.0.live.fetch_sub(1, Ordering::Relaxed);
    }
}

async fn accept(listener: TcpListener, rules: watch::Receiver<Rules>, counts: Arc<Counts>) {
    let mut connections = JoinSet::new();
    loop {
        let Ok((client, _)) = listener.accept().await else {
            tokio::time::sleep(TRICKLE).await;
            continue;
        };
        while connections.try_join_next().is_some() {}
        if rules.borrow().refuse || connections.len() >= MAX_CONNECTIONS {
            continue;
        }
        counts.connections.fetch_add(1, Ordering::Relaxed);
        connections.spawn(forward(client, rules.clone(), Arc::clone(&counts)));
    }
}

/// Forwards both ways until one is cut or both have ended.
async fn forward(client: TcpStream, mut rules: watch::Receiver<Rules>, counts: Arc<Counts>) {
    let _live = Live::new(&counts);
    let (cuts, target) = {
        let rules = rules.borrow_and_update();
        (rules.cuts, rules.target)
    };
    let Ok(server) = TcpStream::connect(target).await else {
        return;
    };
    client.set_nodelay(true).ok();
    server.set_nodelay(true).ok();
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let up = pump(
        from_client,
        to_server,
        Direction::Up,
        rules.clone(),
        &counts,
    );
    let down = pump(
        from_server,
        to_client,
        Direction::Down,
        rules.clone(),
        &counts,
    );
    // Whichever way this ends, both sockets are dropped. A cut goes before a rule that was lifted
    // right after it: what was held back never arrives.
    tokio::select! {
        biased;
        _ = rules.wait_for(|rules| rules.cuts != cuts) => {}
        _ = async { tokio::try_join!(up, down) } => {}
    }
}

/// Forwards one way. An error means that the whole connection is cut.
async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    direction: Direction,
    mut rules: watch::Receiver<Rules>,
    counts: &Counts,
) -> io::Result<()> {
    let gone = || io::Error::from(io::ErrorKind::ConnectionAborted);
    let mut buffer = vec![0; BUFFER];
    let mut sent = 0u64;
    loop {
        let held = |rules: &Rules| rules.stalled == Some(direction);
        let now = rules
            .wait_for(|rules| !held(rules))
            .await
            .map_err(|_| gone())?
            .clone();
        let left = match now.cut {
            Some((cut, bytes)) if cut == direction => bytes.saturating_sub(sent),
            Some(_) | None => u64::MAX,
        };
        if left == 0 {
            return Err(gone());
        }
        let slow = now.trickle == Some(direction);
        let most = if slow { 1 } else { BUFFER };
        let most = most.min(usize::try_from(left).unwrap_or(BUFFER));
        // A rule that changes while nothing comes is obeyed before the next byte goes.
        let length = tokio::select! {
            length = from.read(&mut buffer[..most]) => length?,
            changed = rules.changed() => {
                changed.map_err(|_| gone())?;
                continue;
            }
        };
        if length == 0 {
            to.shutdown().await?;
            return Ok(());
        }
        to.write_all(&buffer[..length]).await?;
        sent += length as u64;
        counts
            .of(direction)
            .fetch_add(length as u64, Ordering::Relaxed);
        if slow {
            tokio::time::sleep(TRICKLE).await;
        }
        if let Some((paced, bytes)) = now.pace
            && paced == direction
        {
            tokio::time::sleep(
                Duration::from_secs(length as u64) / u32::try_from(bytes).unwrap_or(u32::MAX),
            )
            .await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server that sends back what it gets.
    async fn echo() -> (SocketAddr, JoinHandle<()>) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let task = tokio::spawn(async move {
            let mut all = JoinSet::new();
            while let Ok((mut stream, _)) = listener.accept().await {
                all.spawn(async move {
                    let (mut read, mut write) = stream.split();
                    tokio::io::copy(&mut read, &mut write).await.ok();
                });
            }
        });
        (address, task)
    }

    async fn exchange(proxy: &CuttingProxy, bytes: &[u8]) -> Vec<u8> {
        let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
        stream.write_all(bytes).await.ok();
        stream.shutdown().await.ok();
        let mut got = vec![];
        let read = stream.read_to_end(&mut got);
        tokio::time::timeout(Duration::from_secs(20), read)
            .await
            .unwrap()
            .ok();
        got
    }

    #[tokio::test]
    async fn forwards_cuts_and_heals() {
        let (address, echo) = echo().await;
        let proxy = CuttingProxy::start(address).await.unwrap();
        let bytes = crate::content(100_000, 1);
        assert_eq!(exchange(&proxy, &bytes).await, bytes);
        assert_eq!(proxy.forwarded(Direction::Up), 100_000);

        proxy.cut_after(Direction::Up, 70_001);
        exchange(&proxy, &bytes).await;
        assert_eq!(proxy.forwarded(Direction::Up), 170_001, "exactly so many");
        proxy.heal();
        let before = proxy.forwarded(Direction::Down);
        proxy.cut_after(Direction::Down, 10);
        let got = exchange(&proxy, &bytes).await;
        assert!(bytes.starts_with(&got) && got.len() <= 10);
        assert_eq!(proxy.forwarded(Direction::Down), before + 10);

        proxy.heal();
        proxy.refuse(true);
        assert!(exchange(&proxy, b"nobody").await.is_empty());
        proxy.heal();
        proxy.trickle(Direction::Down);
        assert_eq!(exchange(&proxy, b"slowly").await, b"slowly");
        proxy.heal();
        proxy.pace(Direction::Up, 1 << 20);
        assert_eq!(exchange(&proxy, &bytes).await, bytes);
        proxy.heal();
        assert_eq!(exchange(&proxy, &bytes).await, bytes);
        echo.abort();
    }

    #[tokio::test]
    async fn stalls_goes_on_and_ends_when_told() {
        let (address, echo) = echo().await;
        let proxy = CuttingProxy::start(address).await.unwrap();
        let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
        let mut byte = [0; 1];
        stream.write_all(b"a").await.unwrap();
        stream.read_exact(&mut byte).await.unwrap();
        proxy.stall(Direction::Up);
        stream.write_all(b"b").await.unwrap();
        let waited = tokio::time::timeout(Duration::from_millis(50), stream.read(&mut byte));
        assert!(waited.await.is_err(), "nothing comes through");
        proxy.heal();
        stream.read_exact(&mut byte).await.unwrap();
        assert_eq!(&byte, b"b");
        // What was held back when the line is cut never arrives, though the stall is lifted at once.
        proxy.stall(Direction::Down);
        let before = proxy.forwarded(Direction::Up);
        stream.write_all(b"c").await.unwrap();
        for _ in 0..2000 {
            if proxy.forwarded(Direction::Up) > before {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        proxy.cut_now();
        proxy.heal();
        let end = tokio::time::timeout(Duration::from_secs(20), stream.read(&mut byte)).await;
        assert!(matches!(end.unwrap(), Ok(0) | Err(_)), "it is cut");
        assert_eq!(exchange(&proxy, b"new").await, b"new");

        assert!(proxy.connections() >= 2);
        let there = echo.abort_handle();
        there.abort();
        let (other, back) = self::echo().await;
        proxy.retarget(other);
        assert_eq!(exchange(&proxy, b"elsewhere").await, b"elsewhere");
        back.abort();
        let address = proxy.address();
        drop(proxy);
        let closed = || async { TcpStream::connect(address).await.is_err() };
        for _ in 0..500 {
            if closed().await {
                echo.abort();
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("it still listens");
    }
}
