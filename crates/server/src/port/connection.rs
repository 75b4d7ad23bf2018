//! One connection: its first bytes tell the protocol, its deadlines keep it moving.

use std::convert::Infallible;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use gaveta_wire::wide::Wide;
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tokio_rustls::server::TlsStream;

use super::line::Line;
use super::paced::{Counted, Pace, Paced};
use super::tls::{self, Tls};
use crate::http::router;
use crate::server::House;

/// What an HTTP/2 client that knows its server says first (RFC 9113, section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// HTTP/1: the most header fields, and the longest head.
const FIELDS: usize = 100;
const HEAD: usize = 32 * 1024;
/// HTTP/1: the most bytes of one buffer. It grows as far only for a peer who fills it. The first few
/// connections may read much at once; the more there are, the less.
const LARGEST: usize = 256 * 1024;
const SMALLEST: usize = 32 * 1024;
const BUFFERS: usize = 1024 * 1024;
/// Beneath encryption: the most that is read at once, of a peer who sends much.
const READ_AHEAD: usize = 128 * 1024;
/// HTTP/2: requests at once, and what may wait to leave of each.
const STREAMS: u32 = 256;
const SEND_BUFFER: usize = 128 * 1024;
/// HTTP/2: what may come unread over one connection. The first few get what a far link needs
/// (100 ms at 300 Mbit/s); the more there are, the smaller the part of each: all of them together
/// stay within some tens of MiB, whatever their peers send while the disk is slow.
const WIDEST: u32 = 4 * 1024 * 1024;
const NARROWEST: u32 = 128 * 1024;
const WINDOWS: usize = 8 * 1024 * 1024;
/// HTTP/2: the part of it that one request may take: most, since browsers and curl send a large
/// file as one; the rest lets others of that connection go on while this one waits for the disk.
const OF_ONE: (u32, u32) = (3, 4);
const HEADER_LIST: u32 = 64 * 1024;
/// HTTP/2: how often the peer is asked whether it is there, and how long it may take to answer.
const PING: Duration = Duration::from_secs(30);
const PONG: Duration = Duration::from_secs(20);

/// Fewer bytes than this in one stall are no progress.
const PROGRESS: u64 = 1024;

/// The first byte of a TLS handshake (RFC 8446, section 5.1): no HTTP begins with it.
const HANDSHAKE: u8 = 0x16;

/// What is spoken once the line is as it will stay. SSH (`SSH-`) will be told apart in [`serve`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Protocol {
    Http1,
    Http2,
}

impl Protocol {
    /// What was agreed on during the handshake (RFC 7301). None for what is no conversation.
    fn agreed(name: Option<&[u8]>) -> Option<Self> {
        match name {
            Some(tls::H2) => Some(Self::Http2),
            Some(tls::ACME) => None,
            _ => Some(Self::Http1),
        }
    }
}

/// Serves a connection to its end.
pub(crate) async fn serve(mut socket: TcpStream, line: Arc<Line>, house: Arc<House>) {
    let work = async {
        // Answers are small or in large pieces: waiting to fill a packet only delays them.
        let _ = socket.set_nodelay(true);
        let mut first = [0];
        match timeout(house.limits.head, socket.peek(&mut first)).await {
            Ok(Ok(1..)) => {}
            _ => return,
        }
        match &house.tls {
            Some(tls) if is_handshake(first) => {
                let shaken = timeout(house.limits.head, shake(socket, tls, &line, &house)).await;
                if let Ok(Some((socket, protocol))) = shaken {
                    speak(socket, protocol, Bytes::new(), &line, &house).await;
                }
            }
            _ => {
                let sniffed = timeout(house.limits.head, sniff(&mut socket)).await;
                if let Ok(Ok(Some((protocol, before)))) = sniffed {
                    speak(socket, protocol, before, &line, &house).await;
                }
            }
        }
    };
    tokio::select! {
        () = work => {}
        () = house.over() => {}
    }
}

/// Does a connection begin with a handshake of TLS?
fn is_handshake(first: [u8; 1]) -> bool {
    first == [HANDSHAKE]
}

/// Shakes hands, under the deadline of the caller and when it is this address's turn. None when
/// that fails, or was all there is to it: a look at a name by ACME.
async fn shake(
    socket: TcpStream,
    tls: &Tls,
    line: &Arc<Line>,
    house: &Arc<House>,
) -> Option<(TlsStream<Wide<Counted<TcpStream>>>, Protocol)> {
    let _turn = house.shaking.turn(line.peer().ip()).await?;
    let ahead = buffer(house.drawer.meters.totals().connected).min(READ_AHEAD);
    let socket = Wide::new(Counted::new(socket, Arc::clone(line)), ahead);
    match tls.acceptor().accept(socket).await {
        Ok(socket) => {
            line.encrypt();
            let protocol = Protocol::agreed(socket.get_ref().1.alpn_protocol())?;
            Some((socket, protocol))
        }
        Err(error) => {
            let why = gaveta_text::escape(&error.to_string()).into_owned();
            tracing::debug!(target: "gaveta::connection", peer = %line.peer(), why, "no handshake");
            None
        }
    }
}

/// Speaks HTTP until the end.
async fn speak<S>(
    socket: S,
    protocol: Protocol,
    before: Bytes,
    line: &Arc<Line>,
    house: &Arc<House>,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let pace = Pace {
        head: (protocol == Protocol::Http1).then_some(house.limits.head),
        stall: house.limits.stall,
    };
    let paced = Paced::new(socket, before, Arc::clone(line), pace);
    match protocol {
        Protocol::Http1 => http1(paced, line, house).await,
        Protocol::Http2 => http2(paced, line, house).await,
    }
}

/// The protocol, and what was read of it; none when the peer left without a word. Reads nothing
/// beyond what tells.
async fn sniff<S: AsyncRead + Unpin>(socket: &mut S) -> io::Result<Option<(Protocol, Bytes)>> {
    let mut first = BytesMut::with_capacity(PREFACE.len());
    loop {
        let left = PREFACE.len() - first.len();
        if (&mut *socket)
            .take(left as u64)
            .read_buf(&mut first)
            .await?
            == 0
        {
            return Ok((!first.is_empty()).then(|| (Protocol::Http1, first.freeze())));
        }
        if !PREFACE.starts_with(&first) {
            return Ok(Some((Protocol::Http1, first.freeze())));
        }
        if first.len() == PREFACE.len() {
            return Ok(Some((Protocol::Http2, first.freeze())));
        }
    }
}

async fn http1<S>(paced: Paced<S>, line: &Arc<Line>, house: &Arc<House>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(|request: Request<Incoming>| {
        let (line, house) = (Arc::clone(line), Arc::clone(house));
        async move { Ok::<_, Infallible>(router::answer(request, line, house).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        // From the end of an answer: so long may the connection rest. From a head's first byte
        // on, the shorter deadline of the line holds.
        .header_read_timeout(house.limits.idle)
        .max_headers(FIELDS)
        .max_header_size(HEAD)
        .max_buf_size(buffer(house.drawer.meters.totals().connected))
        .half_close(false)
        .serve_connection(TokioIo::new(paced), service)
        .with_upgrades();
    let mut connection = pin!(connection);
    let mut watch = Watch::new(line, house);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = watch.stalled() => return gave_up(line),
        () = house.closing() => {
            connection.as_mut().graceful_shutdown();
            tokio::select! {
                ended = connection => ended,
                () = watch.stalled() => return gave_up(line),
            }
        }
    };
    told(line, ended);
}

async fn http2<S>(paced: Paced<S>, line: &Arc<Line>, house: &Arc<House>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (service_line, service_house) = (Arc::clone(line), Arc::clone(house));
    let service = service_fn(move |request: Request<Incoming>| {
        let (line, house) = (Arc::clone(&service_line), Arc::clone(&service_house));
        async move { Ok::<_, Infallible>(router::answer(request, line, house).await) }
    });
    let window = window(house.drawer.meters.totals().connected);
    let connection = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .initial_stream_window_size(window / OF_ONE.1 * OF_ONE.0)
        .initial_connection_window_size(window)
        .max_send_buf_size(SEND_BUFFER)
        .max_header_list_size(HEADER_LIST)
        .keep_alive_interval(PING)
        .keep_alive_timeout(PONG)
        .serve_connection(TokioIo::new(paced), service);
    let mut connection = pin!(connection);
    let mut watch = Watch::new(line, house);
    let mut rest = Watch::new(line, house);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = watch.stalled() => return gave_up(line),
        () = async {
            tokio::select! {
                () = house.closing() => {}
                () = rest.idle() => {}
            }
        } => {
            connection.as_mut().graceful_shutdown();
            let grace = house.limits.grace + house.limits.idle;
            tokio::select! {
                ended = timeout(grace, connection) => ended.unwrap_or(Ok(())),
                () = watch.stalled() => return gave_up(line),
            }
        }
    };
    told(line, ended);
}

/// The buffer of a connection that comes as this many-eth.
fn buffer(connected: usize) -> usize {
    (BUFFERS / connected.max(1)).clamp(SMALLEST, LARGEST)
}

/// The window of a connection that comes as this many-eth.
fn window(connected: usize) -> u32 {
    u32::try_from(WINDOWS / connected.max(1))
        .unwrap_or(WIDEST)
        .clamp(NARROWEST, WIDEST)
}

/// Looks now and then whether a connection moves.
struct Watch<'a> {
    line: &'a Line,
    stall: Duration,
    idle: Duration,
}

impl<'a> Watch<'a> {
    fn new(line: &'a Line, house: &House) -> Self {
        Self {
            line,
            stall: house.limits.stall,
            idle: house.limits.idle,
        }
    }

    /// Ends when an answer waits and the peer has taken nothing for two stalls: an HTTP/2 peer who
    /// opens no window is seen by no write that fails.
    async fn stalled(&mut self) {
        let mut tick = interval(self.stall);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut last, mut same) = (self.line.flow(), 0);
        loop {
            tick.tick().await;
            let now = self.line.flow();
            // Pings go on over a line that is stuck; they are no progress.
            let moved = now.sent.saturating_sub(last.sent) >= PROGRESS;
            let stuck = now.waiting && now.given == last.given && !moved;
            same = if stuck { same + 1 } else { 0 };
            if same >= 2 {
                return;
            }
            last = now;
        }
    }

    /// Ends when nobody has asked for anything for the idle time.
    async fn idle(&mut self) {
        let mut since = Instant::now();
        let mut begun = self.line.begun();
        loop {
            tokio::time::sleep_until(since + self.idle).await;
            let now = self.line.begun();
            if now == begun && self.line.active() == 0 {
                return;
            }
            (begun, since) = (now, Instant::now());
        }
    }
}

fn gave_up(line: &Line) {
    tracing::info!(target: "gaveta::connection", peer = %line.peer(), "the peer does not read");
}

fn told(line: &Line, ended: hyper::Result<()>) {
    if let Err(error) = ended {
        let why = gaveta_text::escape(&error.to_string()).into_owned();
        tracing::debug!(target: "gaveta::connection", peer = %line.peer(), why, "broken off");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;
    use gaveta_testkit::fuzz;
    use tokio::io::{join, sink};

    /// The first words of a client that wants to speak encrypted.
    fn hello() -> Vec<u8> {
        let roots = rustls::RootCertStore::empty();
        let mut config = rustls::ClientConfig::builder_with_provider(tls::provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![tls::H2.to_vec(), tls::ACME.to_vec()];
        let name = "files.example".try_into().unwrap();
        let mut client = rustls::ClientConnection::new(Arc::new(config), name).unwrap();
        let mut hello = Vec::new();
        client.write_tls(&mut hello).unwrap();
        hello
    }

    /// What a stranger says first, whole and in two pieces: it is told apart, nothing of it is
    /// lost, and what begins as a handshake goes through one.
    #[test]
    fn fuzz_first_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let tls = Tls::ready(tls::Identity::Own {
            folder: folder.path().join("tls"),
            names: vec!["files.example".to_owned()],
        })
        .unwrap();
        let hello = hello();
        let seeds: [&[u8]; 5] = [
            &hello,
            PREFACE,
            b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
            b"PRI * HTTP/1.1\r\n\r\n",
            b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00",
        ];
        let words: [&[u8]; 5] = [b"\x16\x03", b"PRI * HTTP/2.0", b"\r\n", b"SSH-", b"\x02h2"];
        fuzz::run("first bytes", &seeds, &words, |input| {
            let whole = sniffed(input, &[]);
            assert_eq!(whole.is_none(), input.is_empty());
            let half = input.split_at(input.len() / 2);
            for told in [whole, sniffed(half.0, half.1), sniffed(&[], input)] {
                let Some((protocol, before, rest)) = told else {
                    continue;
                };
                assert_eq!(protocol == Protocol::Http2, input.starts_with(PREFACE));
                assert!(before.len() <= PREFACE.len());
                assert_eq!([&before[..], &rest].concat(), input);
            }
            if input.first().is_some_and(|first| is_handshake([*first])) {
                let ours = tls.acceptor().accept(join(input, sink()));
                // What cannot answer our key share cannot come through.
                let shaken = ours.now_or_never().expect("nothing to wait for");
                assert!(shaken.is_err());
            }
        });
    }

    /// The protocol, what was read to tell it, and what was left.
    fn sniffed(first: &[u8], then: &[u8]) -> Option<(Protocol, Bytes, Vec<u8>)> {
        let mut socket = first.chain(then);
        let told = sniff(&mut socket)
            .now_or_never()
            .expect("nothing to wait for");
        let (protocol, before) = told.unwrap()?;
        let mut rest = Vec::new();
        socket
            .read_to_end(&mut rest)
            .now_or_never()
            .unwrap()
            .unwrap();
        Some((protocol, before, rest))
    }

    #[test]
    fn windows_together_stay_within_bounds() {
        assert_eq!(window(0), WIDEST);
        assert_eq!(window(1), WIDEST);
        assert_eq!(window(1000), NARROWEST);
        let of_fifty: u64 = (1..=50).map(|n| u64::from(window(n))).sum();
        assert!(of_fifty < 40 << 20, "{of_fifty}");
        assert_eq!((buffer(0), buffer(1000)), (LARGEST, SMALLEST));
        let of_many: usize = (1..=400).map(buffer).sum();
        assert!(of_many < 20 << 20, "{of_many}");
    }
}
