//! Memory that does not grow with who sends: 50 clients at once, 8 ranges each.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests may"
)]
#![allow(clippy::print_stderr, reason = "the figures of a run are for people")]

use std::convert::Infallible;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use gaveta_core::chunk::{self, CHUNK};
use http_body_util::StreamBody;
use hyper::body::Frame;
use hyper::client::conn::http2::handshake;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::sync::Barrier;

const CLIENTS: usize = 50;
const RANGES: u64 = 8;
/// What the server may take, in bytes.
const MEMORY: u64 = 96 << 20;

struct Server {
    child: Child,
    port: u16,
}

impl Server {
    fn start(drawer: &Path, state: &Path) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gaveta"));
        command.args(["serve", "--port", "0", "--lang", "en"]);
        command.args(["--log-level", "error", "--durability", "fast"]);
        command.arg("--state-dir").arg(state).arg(drawer);
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("the server starts");
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        let port = loop {
            line.clear();
            assert!(
                lines.read_line(&mut line).unwrap() > 0,
                "the server did not come up"
            );
            let found = line.split("localhost:").nth(1);
            let found = found.and_then(|rest| rest.split(|c: char| !c.is_ascii_digit()).next());
            if let Some(port) = found.and_then(|digits| digits.parse().ok()) {
                break port;
            }
        };
        thread::spawn(move || std::io::copy(&mut lines, &mut std::io::sink()));
        Self { child, port }
    }

    /// The most memory the server has used so far, in bytes (`VmHWM` of Linux).
    fn peak(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmHWM"));
        let kib: u64 = line
            .and_then(|line| line.split_whitespace().nth(1)?.parse().ok())
            .expect("the system tells the peak");
        kib * 1024
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn connect(port: u16) -> TcpStream {
    let socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
    // Hung is what takes longer than this.
    let patience = Some(Duration::from_secs(300));
    socket.set_read_timeout(patience).unwrap();
    socket.set_write_timeout(patience).unwrap();
    socket
}

/// The head and body of the answer to a request that was sent with `Connection: close`.
fn answer(mut socket: TcpStream) -> String {
    let mut text = String::new();
    socket.read_to_string(&mut text).unwrap();
    text
}

fn ask(port: u16, head: &str) -> String {
    let mut socket = connect(port);
    let head = format!("{head}\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    socket.write_all(head.as_bytes()).unwrap();
    answer(socket)
}

/// Where all senders wait for each other. Whoever fails on the way there sends the others home, so
/// that his failure is told rather than waited for.
struct Meeting {
    wanted: usize,
    /// Who has come, and whether nobody need wait any more.
    state: Mutex<(usize, bool)>,
    changed: Condvar,
}

impl Meeting {
    fn of(wanted: usize) -> Self {
        Self {
            wanted,
            state: Mutex::new((0, false)),
            changed: Condvar::new(),
        }
    }

    fn wait(&self) {
        let mut state = self.state.lock().unwrap();
        state.0 += 1;
        state.1 |= state.0 == self.wanted;
        self.changed.notify_all();
        let waited = self
            .changed
            .wait_timeout_while(state, Duration::from_secs(120), |state| !state.1);
        let (state, late) = waited.unwrap();
        assert!(!late.timed_out(), "{} of {} came", state.0, self.wanted);
        assert_eq!(state.0, self.wanted, "another sender failed");
    }

    fn break_up(&self) {
        if let Ok(mut state) = self.state.lock() {
            state.1 = true;
        }
        self.changed.notify_all();
    }
}

/// Begins an upload by hand, of all ranges together, and gives its address.
fn begin(port: u16, name: &str) -> String {
    let length = RANGES * CHUNK;
    let created = ask(
        port,
        &format!(
            "POST /.gaveta/uploads HTTP/1.1\r\nGaveta-Target: /{name}\r\n\
             Upload-Length: {length}\r\nGaveta-Manual: ?1\r\nContent-Length: 0"
        ),
    );
    assert!(created.starts_with("HTTP/1.1 201"), "{created}");
    let location = created
        .lines()
        .find_map(|line| line.strip_prefix("location: "));
    location.expect("an address").trim().to_owned()
}

/// Sends one chunk. All wait for each other with half of it sent.
fn send(port: u16, at: &str, index: u64, framed: &[u8], together: &Meeting) {
    let mut socket = connect(port);
    let range = chunk::span(index, RANGES * CHUNK);
    let head = format!(
        "PATCH {at} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
         Content-Type: application/vnd.gaveta.chunks\r\nGaveta-Range: {}-{}\r\n\
         Content-Length: {}\r\n\r\n",
        range.start,
        range.end,
        framed.len()
    );
    socket.write_all(head.as_bytes()).unwrap();
    let (first, rest) = framed.split_at(framed.len() / 2);
    socket.write_all(first).unwrap();
    together.wait();
    socket.write_all(rest).unwrap();
    let answered = answer(socket);
    assert!(answered.starts_with("HTTP/1.1 204"), "{answered}");
}

/// The content of a chunk, and it as it goes over the line at each place.
fn chunks() -> (Vec<u8>, Arc<Vec<Vec<u8>>>) {
    let bytes: Vec<u8> = (0..CHUNK)
        .map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8)
        .collect();
    let framed = (0..RANGES)
        .map(|index| {
            let digest = chunk::digest(index, &bytes, RANGES * CHUNK);
            [bytes.as_slice(), digest.as_bytes()].concat()
        })
        .collect();
    (bytes, Arc::new(framed))
}

/// Starts a server, has `send` bring all ranges of all files to it, and looks at what it took.
fn measure(send: impl FnOnce(u16, &[String], &Arc<Vec<Vec<u8>>>)) {
    let (drawer, state) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let server = Server::start(drawer.path(), state.path());
    let port = server.port;
    let (bytes, framed) = chunks();
    let before = server.peak();
    let addresses: Vec<String> = (0..CLIENTS)
        .map(|n| begin(port, &format!("file{n}")))
        .collect();
    send(port, &addresses, &framed);
    for at in &addresses {
        let done = ask(
            port,
            &format!("POST {at}/commit HTTP/1.1\r\nContent-Length: 0"),
        );
        assert!(done.starts_with("HTTP/1.1 201"), "{done}");
    }
    let peak = server.peak();
    eprintln!("peak memory: {before} bytes at rest, {peak} bytes with all who send");
    let whole = bytes.repeat(RANGES as usize);
    for n in 0..CLIENTS {
        let there = fs::read(drawer.path().join(format!("file{n}"))).unwrap();
        assert!(there == whole, "file{n} differs");
    }
    assert!(peak < MEMORY, "{peak} bytes");
}

#[test]
fn fifty_clients_with_eight_ranges_each_take_little_memory() {
    measure(|port, addresses, framed| {
        let together = Arc::new(Meeting::of(CLIENTS * RANGES as usize));
        let senders: Vec<_> = addresses
            .iter()
            .flat_map(|at| (0..RANGES).map(move |index| (at.clone(), index)))
            .map(|(at, index)| {
                let (together, framed) = (Arc::clone(&together), Arc::clone(framed));
                thread::Builder::new()
                    .stack_size(256 << 10)
                    .spawn(move || {
                        let own = framed.get(index as usize).unwrap();
                        let sent = catch_unwind(AssertUnwindSafe(|| {
                            send(port, &at, index, own, &together);
                        }));
                        if let Err(panic) = sent {
                            together.break_up();
                            resume_unwind(panic);
                        }
                    })
                    .unwrap()
            })
            .collect();
        let failed = senders
            .into_iter()
            .map(thread::JoinHandle::join)
            .filter(Result::is_err)
            .count();
        assert_eq!(failed, 0, "senders failed; the first said why above");
    });
}

/// Sends all ranges of one file over one connection, side by side, all waiting with half of each.
async fn send_side_by_side(port: u16, at: String, framed: Arc<Vec<Vec<u8>>>, all: Arc<Barrier>) {
    let socket = tokio::net::TcpStream::connect(("127.0.0.1", port));
    let (client, line) = handshake(TokioExecutor::new(), TokioIo::new(socket.await.unwrap()))
        .await
        .unwrap();
    tokio::spawn(line);
    let mut requests = tokio::task::JoinSet::new();
    for (index, framed) in (0u64..).zip(framed.iter()) {
        let range = chunk::span(index, RANGES * CHUNK);
        let (first, rest) = framed.split_at(framed.len() / 2);
        let (first, rest) = (Bytes::copy_from_slice(first), Bytes::copy_from_slice(rest));
        let all = Arc::clone(&all);
        let last = async move {
            all.wait().await;
            rest
        };
        let pieces = stream::iter([first]).chain(stream::once(last));
        let body = StreamBody::new(pieces.map(|piece| Ok::<_, Infallible>(Frame::data(piece))));
        let request = http::Request::patch(format!("http://localhost:{port}{at}"))
            .header("content-type", "application/vnd.gaveta.chunks")
            .header("gaveta-range", format!("{}-{}", range.start, range.end))
            .body(Box::pin(body))
            .unwrap();
        let mut client = client.clone();
        requests.spawn(async move { client.send_request(request).await });
    }
    while let Some(answer) = requests.join_next().await {
        assert_eq!(answer.unwrap().unwrap().status(), 204);
    }
}

#[test]
fn over_http2_they_take_little_memory_too() {
    measure(|port, addresses, framed| {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let all = Arc::new(Barrier::new(CLIENTS * RANGES as usize));
        let path = |at: &String| at[at.find("/.gaveta").unwrap()..].to_owned();
        runtime.block_on(async {
            let mut senders = tokio::task::JoinSet::new();
            for at in addresses {
                let (framed, all) = (Arc::clone(framed), Arc::clone(&all));
                senders.spawn(send_side_by_side(port, path(at), framed, all));
            }
            // Hung is what takes longer than this; who fails ends it for all.
            let sent = async {
                while let Some(sent) = senders.join_next().await {
                    sent.expect("a sender failed");
                }
            };
            tokio::time::timeout(Duration::from_secs(300), sent)
                .await
                .expect("all are sent");
        });
    });
}
