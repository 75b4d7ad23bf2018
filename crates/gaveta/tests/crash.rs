//! `kill -9` of the server in the middle of uploads and overwrites, again and again: every name
//! shows an old or a new content, whole, and what was acknowledged is there.
//!
//! Wants the feature `failpoints`, so that the kill also falls between flush, rename and folder
//! flush. `GAVETA_CRASH_ROUNDS` sets the number of rounds (100 unless set). The last test shows
//! that all of this can fail: a store that writes in place does.
#![cfg(feature = "failpoints")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests may"
)]
#![allow(clippy::print_stderr, reason = "the figures of a run are for people")]

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// One of these kills the server in each round; the empty one leaves it to the clock.
const POINTS: [&str; 8] = [
    "",
    "after-write",
    "before-file-flush",
    "",
    "after-file-flush",
    "before-rename",
    "after-rename",
    "after-folder-flush",
];
const WRITERS: usize = 4;
/// `admin:crash-test` in Base64.
const BASIC: &str = "YWRtaW46Y3Jhc2gtdGVzdA==";

/// Numbers that look random and are the same in each run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

/// The content of a version of a name: its length and every byte follow from both.
fn content(name: &str, version: u64) -> Vec<u8> {
    let seed = name
        .bytes()
        .fold(version + 1, |seed, b| seed.wrapping_mul(31) ^ u64::from(b));
    let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let length = match dice.roll(4) {
        0 => dice.roll(40),
        1 => dice.roll(5_000),
        _ => 50_000 + dice.roll(900_000),
    };
    let mut bytes = format!("{name} {version} ").into_bytes();
    while bytes.len() < usize::try_from(length).unwrap() {
        bytes.extend_from_slice(&dice.roll(u64::MAX).to_le_bytes());
    }
    bytes
}

/// What is known of a name: the last acknowledged version, and one that may or may not be there.
#[derive(Debug, Clone, Default)]
struct Known {
    acknowledged: Option<u64>,
    in_flight: Option<u64>,
}

type Ledger = Arc<Mutex<BTreeMap<String, Known>>>;

struct Server {
    child: Child,
    port: u16,
}

impl Server {
    fn start(drawer: &Path, state: &Path, env: &[(&str, String)]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gaveta"));
        command.args([
            "serve",
            "--port",
            "0",
            "--lang",
            "en",
            "--log-level",
            "error",
        ]);
        command.arg("--state-dir").arg(state).arg(drawer);
        command.env("GAVETA_ADMIN_PASSWORD", "crash-test");
        command.envs(env.iter().map(|(name, value)| (name, value.as_str())));
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
            let digits = line
                .split("localhost:")
                .nth(1)
                .or_else(|| line.split("127.0.0.1:").nth(1));
            let digits =
                digits.map(|rest| rest.split(|c: char| !c.is_ascii_digit()).next().unwrap());
            if let Some(port) = digits.and_then(|digits| digits.parse().ok()) {
                break port;
            }
        };
        // Nobody reads further lines; the pipe must not fill or break.
        thread::spawn(move || std::io::copy(&mut lines, &mut std::io::sink()));
        Self { child, port }
    }

    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// One request; the status of its answer, and its body where there is one.
fn request(port: u16, head: &str, body: &[u8], slowly: bool) -> std::io::Result<(u16, Vec<u8>)> {
    let mut socket = TcpStream::connect(("127.0.0.1", port))?;
    socket.set_read_timeout(Some(Duration::from_secs(20)))?;
    let length = body.len();
    write!(
        socket,
        "{head} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
         Authorization: Basic {BASIC}\r\nContent-Length: {length}\r\n\r\n"
    )?;
    for piece in body.chunks(100_000) {
        socket.write_all(piece)?;
        if slowly {
            thread::sleep(Duration::from_millis(3));
        }
    }
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer)?;
    let cut = || std::io::Error::from(std::io::ErrorKind::UnexpectedEof);
    let split = answer
        .windows(4)
        .position(|w| w == b"\r\n\r\n")
        .ok_or_else(cut)?;
    let status = std::str::from_utf8(answer.get(9..12).ok_or_else(cut)?).ok();
    let status = status
        .and_then(|digits| digits.parse().ok())
        .ok_or_else(cut)?;
    Ok((status, answer.split_off(split + 4)))
}

/// Sends new versions of its own names until the server is gone.
fn writer(port: u16, number: usize, ledger: &Ledger, mut dice: Dice, stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        let name = match dice.roll(4) {
            0 => format!("w{number}/new-{}", dice.roll(1_000_000)),
            n => format!("w{number}/n{n}"),
        };
        let version = {
            let mut ledger = ledger.lock().unwrap();
            let known = ledger.entry(name.clone()).or_default();
            let version = known
                .acknowledged
                .max(known.in_flight)
                .map_or(0, |version| version + 1);
            known.in_flight = Some(version);
            version
        };
        let body = content(&name, version);
        match request(port, &format!("PUT /{name}"), &body, dice.roll(2) == 0) {
            Ok((200..=204, _)) => {
                let mut ledger = ledger.lock().unwrap();
                let known = ledger.get_mut(&name).unwrap();
                (known.acknowledged, known.in_flight) = (Some(version), None);
            }
            Ok((status, body)) => {
                panic!("{name}: {status} {}", String::from_utf8_lossy(&body))
            }
            Err(_) => return,
        }
    }
}

fn staged(drawer: &Path) -> usize {
    fs::read_dir(drawer.join(".gaveta/staging")).map_or(0, Iterator::count)
}

/// Compares what the folder shows with what may be there; settles what was in flight.
fn examine(drawer: &Path, ledger: &Ledger, violations: &mut Vec<String>) {
    let mut ledger = ledger.lock().unwrap();
    for (name, known) in ledger.iter_mut() {
        let found = fs::read(drawer.join(name)).ok();
        let is = |version: Option<u64>| match (&found, version) {
            (Some(bytes), Some(version)) => *bytes == content(name, version),
            (None, None) => true,
            _ => false,
        };
        if known.in_flight.is_some() && is(known.in_flight) {
            known.acknowledged = known.in_flight;
        } else if !is(known.acknowledged) {
            let length = found.as_ref().map(Vec::len);
            violations.push(format!(
                "{name}: {known:?}, and {length:?} bytes are neither"
            ));
            known.acknowledged = None;
            let _ = fs::remove_file(drawer.join(name));
        }
        known.in_flight = None;
    }
    ledger.retain(|_, known| known.acknowledged.is_some());
    // Nothing else may show: no part under a name of its own.
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(drawer.join(&folder)).unwrap() {
            let entry = entry.unwrap();
            let path = folder.join(entry.file_name());
            if path.as_os_str() == ".gaveta" {
                continue;
            }
            if entry.file_type().unwrap().is_dir() {
                folders.push(path);
            } else if !ledger.contains_key(path.to_str().unwrap()) {
                violations.push(format!("{}: nobody sent this", path.display()));
            }
        }
    }
}

struct Outcome {
    violations: Vec<String>,
    rounds_with_staged: usize,
    by_failpoint: usize,
}

fn torture(rounds: usize, env: &[(&str, String)]) -> Outcome {
    let drawer = tempfile::tempdir().unwrap();
    let state = tempfile::tempdir().unwrap();
    let ledger = Ledger::default();
    let mut dice = Dice(0x6761_7665_7461);
    let mut outcome = Outcome {
        violations: vec![],
        rounds_with_staged: 0,
        by_failpoint: 0,
    };
    for round in 0..rounds {
        let point = POINTS.get(round % POINTS.len()).unwrap();
        let mut env = env.to_vec();
        if !point.is_empty() {
            env.push((
                "GAVETA_FAILPOINT",
                format!("{point}:{}=kill", 1 + dice.roll(25)),
            ));
        }
        let mut server = Server::start(drawer.path(), state.path(), &env);
        assert_eq!(
            staged(drawer.path()),
            0,
            "leftovers are cleared at the start"
        );
        for (name, known) in ledger.lock().unwrap().iter() {
            let (status, body) = request(server.port, &format!("GET /{name}"), b"", false).unwrap();
            assert_eq!(status, 200, "{name}");
            assert_eq!(
                Some(body),
                known.acknowledged.map(|v| content(name, v)),
                "{name}"
            );
        }
        let stop = Arc::new(AtomicBool::new(false));
        let writers: Vec<_> = (0..WRITERS)
            .map(|number| {
                let (ledger, stop, port) = (ledger.clone(), stop.clone(), server.port);
                let dice = Dice(dice.roll(u64::MAX) | 1);
                thread::spawn(move || writer(port, number, &ledger, dice, &stop))
            })
            .collect();
        let patience = if point.is_empty() {
            20 + dice.roll(180)
        } else {
            5_000
        };
        for _ in 0..patience / 5 {
            thread::sleep(Duration::from_millis(5));
            if server.child.try_wait().unwrap().is_some() {
                outcome.by_failpoint += 1;
                break;
            }
        }
        server.kill();
        outcome.rounds_with_staged += usize::from(staged(drawer.path()) > 0);
        stop.store(true, Ordering::Relaxed);
        writers
            .into_iter()
            .for_each(|writer| writer.join().unwrap());
        examine(drawer.path(), &ledger, &mut outcome.violations);
        // Few enough names that reading them all back stays quick.
        ledger.lock().unwrap().retain(|name, _| {
            let keep = !name.contains("new-") || name.len().is_multiple_of(3);
            if !keep {
                fs::remove_file(drawer.path().join(name)).unwrap();
            }
            keep
        });
    }
    outcome
}

#[test]
fn every_name_shows_an_old_or_a_new_content_whole() {
    let rounds = std::env::var("GAVETA_CRASH_ROUNDS").map_or(100, |text| text.parse().unwrap());
    let outcome = torture(rounds, &[]);
    eprintln!(
        "{rounds} rounds: {} with something staged, {} ended by a fail point",
        outcome.rounds_with_staged, outcome.by_failpoint
    );
    assert!(outcome.violations.is_empty(), "{:#?}", outcome.violations);
    assert!(
        outcome.rounds_with_staged * 2 >= rounds,
        "too few rounds hit an upload"
    );
    assert!(
        outcome.by_failpoint * 2 >= rounds,
        "too few rounds ended by a fail point"
    );
}

#[test]
fn a_store_that_writes_in_place_fails_this() {
    let outcome = torture(16, &[("GAVETA_UNSAFE_IN_PLACE", "1".to_owned())]);
    assert!(
        !outcome.violations.is_empty(),
        "writing in place was not noticed"
    );
}
