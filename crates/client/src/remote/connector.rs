//! Connections to one server: the one place where they are made, for requests and sessions alike.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use gaveta_wire::wide::{Wide, poll_read_full};
use http::Uri;
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tower_service::Service;

use super::ahead::Ahead;
use super::trust::{self, Trust, Untrusted};
use super::{Address, Deadlines};

/// So many bytes may wait in a socket beyond what is on its way: what waits there is bound to this
/// connection, however slow it is, and looks sent to whoever counts.
#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
const WAITING: u32 = 128 * 1024;
/// How much is read at once beneath encryption.
const READ_AHEAD: usize = 128 * 1024;

type Failed = Box<dyn StdError + Send + Sync>;

/// No agreement on an encrypted connection.
#[derive(Debug, Clone)]
pub struct NoHandshake(pub String);

impl fmt::Display for NoHandshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl StdError for NoHandshake {}

/// What was taken for this machine by its name is another one. Nothing was sent to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Elsewhere(pub IpAddr);

impl fmt::Display for Elsewhere {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the name leads to {}, not to this machine", self.0)
    }
}

impl StdError for Elsewhere {}

/// Makes connections of one kind to one server. Clones share what was learnt of it, such as the
/// tickets by which a handshake is shorter.
#[derive(Clone)]
pub(super) struct Connector {
    tcp: HttpConnector,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    /// Only to this machine: what is said is open.
    near: bool,
    /// Those that were opened ahead: they are taken before new ones are made.
    ahead: Ahead<Stream>,
    round_trip: RoundTrip,
    /// How long the first connection took, before any handshake.
    dialed: Arc<watch::Sender<Option<Duration>>>,
    /// For the name and the connection, and again for the handshake.
    limit: Duration,
}

impl Connector {
    /// Connections to `address`; encrypted under this trust, or not where there is none. `h2` says
    /// that HTTP/2 is meant.
    pub(super) fn new(
        address: &Address,
        deadlines: &Deadlines,
        trust: Option<Trust>,
        h2: bool,
    ) -> gaveta_core::Result<Self> {
        let mut tcp = HttpConnector::new();
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(deadlines.connect));
        tcp.enforce_http(false);
        let bad = |error: Failed| gaveta_core::Error::bad_request(error);
        let near = trust.is_none() && address.is_loopback();
        let tls = match trust {
            None => None,
            Some(trust) => {
                let protocol: &[u8] = if h2 { b"h2" } else { b"http/1.1" };
                let config = trust::config(trust, protocol).map_err(|error| bad(error.into()))?;
                let name = ServerName::try_from(address.host.clone())
                    .map_err(|error| bad(error.into()))?;
                Some((TlsConnector::from(Arc::new(config)), name))
            }
        };
        Ok(Self {
            tcp,
            tls,
            near,
            ahead: Ahead::default(),
            round_trip: RoundTrip::default(),
            dialed: Arc::default(),
            limit: deadlines.connect,
        })
    }

    /// The shortest that the peer took to answer: to a handshake, which goes all the way whatever
    /// stands between; where nothing is encrypted, to a connection.
    pub(super) fn round_trip(&self) -> Option<Duration> {
        self.round_trip.get()
    }

    /// How long the first connection took, once there is one.
    pub(super) async fn dialed(&self) -> Option<Duration> {
        let mut dialed = self.dialed.subscribe();
        let told = dialed.wait_for(Option::is_some).await;
        told.ok().and_then(|took| *took)
    }

    /// Keeps an open connection for whoever asks next. Must run within a tokio runtime.
    pub(super) fn keep(&self, stream: Stream) {
        self.ahead.begin(async { Ok::<_, Failed>(stream) });
    }

    /// Opens connections for those who will ask, until so many wait. Must run within a tokio
    /// runtime.
    pub(super) fn open_ahead(&self, uri: &Uri, many: usize) {
        for _ in self.ahead.prune()..many {
            self.ahead.begin(self.clone().open(uri.clone()));
        }
    }

    /// A connection over which nothing was sent yet but the handshake.
    ///
    /// # Errors
    /// [`Untrusted`], [`NoHandshake`], [`Elsewhere`], and those of the system.
    pub(super) async fn open(self, uri: Uri) -> Result<Stream, Failed> {
        let begun = Instant::now();
        let socket = dial(self.tcp, uri, self.limit).await?;
        self.dialed.send_if_modified(|dialed| {
            let is_first = dialed.is_none();
            dialed.get_or_insert(begun.elapsed());
            is_first
        });
        let there = socket.peer_addr()?.ip().to_canonical();
        if self.near && !there.is_loopback() {
            return Err(Elsewhere(there).into());
        }
        hold_little(&socket);
        let Some((tls, name)) = self.tls else {
            self.round_trip.took(begun.elapsed());
            return Ok(Stream::Plain(socket));
        };
        let begun = Instant::now();
        let socket = Wide::new(socket, READ_AHEAD);
        match timeout(self.limit, tls.connect(name, socket)).await {
            Ok(Ok(stream)) => {
                self.round_trip.took(begun.elapsed());
                Ok(Stream::Tls(Box::new(Encrypted {
                    stream,
                    failed: None,
                })))
            }
            Ok(Err(error)) => Err(why(error)),
            Err(_) => Err(io::Error::from(io::ErrorKind::TimedOut).into()),
        }
    }
}

/// The shortest of some times, in microseconds; 0 for none.
#[derive(Debug, Clone, Default)]
struct RoundTrip(Arc<AtomicU64>);

impl RoundTrip {
    fn took(&self, took: Duration) {
        let took = u64::try_from(took.as_micros()).unwrap_or(u64::MAX).max(1);
        let shorter = |known| (known == 0 || took < known).then_some(took);
        let _ = self
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, shorter);
    }

    fn get(&self) -> Option<Duration> {
        let known = self.0.load(Ordering::Relaxed);
        (known > 0).then(|| Duration::from_micros(known))
    }
}

/// A socket within this time: the system may take any time to find out where a name is.
async fn dial<C>(mut tcp: C, uri: Uri, limit: Duration) -> Result<TcpStream, Failed>
where
    C: Service<Uri, Response = TokioIo<TcpStream>, Error: Into<Failed>>,
{
    let dialed = timeout(limit, async {
        std::future::poll_fn(|cx| tcp.poll_ready(cx)).await?;
        tcp.call(uri).await
    });
    match dialed.await {
        Ok(dialed) => dialed.map(TokioIo::into_inner).map_err(Into::into),
        Err(_) => Err(io::Error::from(io::ErrorKind::TimedOut).into()),
    }
}

/// Where the system does not know the option (tcp(7), `TCP_NOTSENT_LOWAT`), nothing changes.
#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
fn hold_little(socket: &TcpStream) {
    let socket = socket2::SockRef::from(socket);
    if let Err(error) = socket.set_tcp_notsent_lowat(WAITING) {
        tracing::debug!(%error, "a socket holds as much as it likes");
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
fn hold_little(_: &TcpStream) {}

/// What a failed handshake says.
fn why(error: io::Error) -> Failed {
    let told = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match told {
        Some(rustls::Error::InvalidCertificate(rustls::CertificateError::Other(other))) => {
            match other.0.downcast_ref::<Untrusted>() {
                Some(untrusted) => untrusted.clone().into(),
                None => NoHandshake(other.to_string()).into(),
            }
        }
        Some(other) => NoHandshake(other.to_string()).into(),
        None => error.into(),
    }
}

impl Service<Uri> for Connector {
    type Response = TokioIo<Stream>;
    type Error = Failed;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Failed>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Failed>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connector = self.clone();
        Box::pin(async move {
            let stream = match connector.ahead.take().await {
                Some(stream) => stream,
                None => connector.open(uri).await?,
            };
            Ok(TokioIo::new(stream))
        })
    }
}

/// A line to a server.
#[derive(Debug)]
pub(super) enum Stream {
    Plain(TcpStream),
    Tls(Box<Encrypted>),
}

/// An encrypted line, and what failed on it after something came.
#[derive(Debug)]
pub(super) struct Encrypted {
    stream: TlsStream<Wide<TcpStream>>,
    failed: Option<io::Error>,
}

impl Stream {
    /// Was HTTP/2 agreed on in the handshake (RFC 7301)?
    pub(super) fn agreed_on_h2(&self) -> bool {
        match self {
            Self::Plain(_) => false,
            Self::Tls(tls) => tls.stream.get_ref().1.alpn_protocol() == Some(b"h2"),
        }
    }
}

impl Connection for Stream {
    fn connected(&self) -> Connected {
        if self.agreed_on_h2() {
            Connected::new().negotiated_h2()
        } else {
            Connected::new()
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(plain) => Pin::new(plain).poll_read(cx, into),
            Self::Tls(tls) => {
                let Encrypted { stream, failed } = tls.as_mut();
                poll_read_full(Pin::new(stream), failed, cx, into)
            }
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(plain) => Pin::new(plain).poll_write(cx, bytes),
            Self::Tls(tls) => Pin::new(&mut tls.stream).poll_write(cx, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(plain) => Pin::new(plain).poll_write_vectored(cx, pieces),
            Self::Tls(tls) => Pin::new(&mut tls.stream).poll_write_vectored(cx, pieces),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(plain) => plain.is_write_vectored(),
            Self::Tls(tls) => tls.stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(plain) => Pin::new(plain).poll_flush(cx),
            Self::Tls(tls) => Pin::new(&mut tls.stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(plain) => Pin::new(plain).poll_shutdown(cx),
            Self::Tls(tls) => Pin::new(&mut tls.stream).poll_shutdown(cx),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{SocketAddr, UdpSocket};
    use tokio::io::AsyncReadExt;
    use tokio::net::TcpListener;

    /// An address of this machine that is not loopback; none without a network.
    fn outside() -> Option<IpAddr> {
        let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
        socket.connect("192.0.2.1:9").ok()?;
        let ip = socket.local_addr().ok()?.ip();
        (!ip.is_loopback() && !ip.is_unspecified()).then_some(ip)
    }

    fn uri(at: SocketAddr) -> Uri {
        format!("http://{at}/").parse().unwrap()
    }

    #[tokio::test]
    async fn a_name_of_this_machine_that_leads_elsewhere_is_not_used() {
        let Some(ip) = outside() else {
            assert!(std::env::var_os("CI").is_none(), "CI must have a network");
            eprintln!("skipped: this machine has no address but loopback");
            return;
        };
        let elsewhere = TcpListener::bind((ip, 0)).await.unwrap();
        let at = elsewhere.local_addr().unwrap();
        let deadlines = Deadlines::default();
        let near = Address::new("localhost", at.port());
        let connector = Connector::new(&near, &deadlines, None, false).unwrap();
        let refused = connector.open(uri(at)).await.unwrap_err();
        assert_eq!(refused.downcast_ref(), Some(&Elsewhere(ip)));
        let (mut socket, _) = elsewhere.accept().await.unwrap();
        let mut sent = Vec::new();
        timeout(deadlines.progress, socket.read_to_end(&mut sent))
            .await
            .expect("the connection is closed")
            .unwrap();
        assert_eq!(sent, b"", "nothing was sent");

        let here = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let connector = Connector::new(&near, &deadlines, None, false).unwrap();
        let here = uri(here.local_addr().unwrap());
        connector.open(here).await.expect("this machine");
        let far = Address::new("far.example", at.port());
        let connector = Connector::new(&far, &deadlines, None, false).unwrap();
        connector
            .open(uri(at))
            .await
            .expect("meant to be elsewhere");
    }

    /// A name about which nobody ever answers.
    #[derive(Clone)]
    struct Silent;

    impl Service<Uri> for Silent {
        type Response = TokioIo<TcpStream>;
        type Error = Failed;
        type Future = std::future::Pending<Result<Self::Response, Failed>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Failed>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, _: Uri) -> Self::Future {
            std::future::pending()
        }
    }

    #[tokio::test]
    async fn a_name_that_nobody_answers_for_is_given_up() {
        let limit = Duration::from_millis(20);
        let dialed = dial(Silent, Uri::from_static("http://h/"), limit);
        let patience = Duration::from_secs(60);
        let error = timeout(patience, dialed).await.expect("a deadline");
        let error = error.unwrap_err();
        let error = error.downcast_ref::<io::Error>().unwrap();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
}
