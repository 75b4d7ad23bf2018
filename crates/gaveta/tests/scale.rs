//! Memory that does not grow with what is served: large folders, a large file.
//!
//! `GAVETA_SCALE_ENTRIES` (1,000,000 unless set) and `GAVETA_SCALE_BYTES` (1 GiB unless set) make
//! the tests smaller on a small machine.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests may"
)]
#![allow(clippy::print_stderr, reason = "the figures of a run are for people")]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

struct Server {
    child: Child,
    port: u16,
}

impl Server {
    fn start(drawer: &Path, state: &Path) -> Self {
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
        std::thread::spawn(move || std::io::copy(&mut lines, &mut std::io::sink()));
        Self { child, port }
    }

    /// The most memory the server has used so far, in bytes (`VmHWM` of Linux).
    fn peak(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status
            .lines()
            .find(|line| line.starts_with("VmHWM"))
            .unwrap();
        line.split_whitespace()
            .nth(1)
            .unwrap()
            .parse::<u64>()
            .unwrap()
            * 1024
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Asks for the unsorted listing of a folder; says how many entries came, and the peak memory.
fn list(folder: &Path, name: &str) -> (u64, u64) {
    let state = tempfile::tempdir().unwrap();
    let server = Server::start(folder, state.path());
    let mut socket = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    write!(
        socket,
        "GET /{name}/ HTTP/1.0\r\nHost: localhost\r\nAccept: application/x-ndjson\r\n\r\n"
    )
    .unwrap();
    let mut entries = 0;
    let mut ended = false;
    for line in BufReader::new(socket).lines() {
        let line = line.unwrap();
        entries += u64::from(line.contains("{\"entry\":"));
        ended |= line.contains("{\"end\":");
    }
    assert!(ended, "the listing was cut");
    (entries, server.peak())
}

#[test]
fn listing_a_million_entries_takes_no_more_memory_than_a_tenth_of_them() {
    let many: u64 =
        std::env::var("GAVETA_SCALE_ENTRIES").map_or(1_000_000, |text| text.parse().unwrap());
    let drawer = tempfile::tempdir().unwrap();
    for (name, count) in [("some", many / 10), ("many", many)] {
        let folder = drawer.path().join(name);
        fs::create_dir(&folder).unwrap();
        // Links to few files: a folder of a million names without a million inodes.
        let mut origin = folder.join("origin");
        fs::write(&origin, b"x").unwrap();
        for i in 1..count {
            let path = folder.join(format!("entry-{i:07}"));
            if i % 30_000 == 0 {
                fs::write(&path, b"x").unwrap();
                origin = path;
            } else {
                fs::hard_link(&origin, &path).unwrap();
            }
        }
    }
    let (some, some_peak) = list(drawer.path(), "some");
    let (all, all_peak) = list(drawer.path(), "many");
    assert_eq!((some, all), (many / 10, many));
    eprintln!("peak memory: {some} entries {some_peak} bytes, {all} entries {all_peak} bytes");
    assert!(
        all_peak.abs_diff(some_peak) < 8 << 20,
        "{some_peak} and {all_peak} bytes"
    );
}

#[test]
fn sending_a_large_file_takes_little_memory() {
    let length: u64 =
        std::env::var("GAVETA_SCALE_BYTES").map_or(1 << 30, |text| text.parse().unwrap());
    let drawer = tempfile::tempdir().unwrap();
    let state = tempfile::tempdir().unwrap();
    let local = tempfile::tempdir().unwrap();
    let source = local.path().join("large.bin");
    let mut file = fs::File::create(&source).unwrap();
    let block: Vec<u8> = (0..1 << 20)
        .map(|i: u32| (i.wrapping_mul(2_654_435_761) >> 13) as u8)
        .collect();
    for i in 0..length >> 20 {
        file.write_all(&i.to_le_bytes()).unwrap();
        file.write_all(block.get(8..).unwrap()).unwrap();
    }
    drop(file);
    let server = Server::start(drawer.path(), state.path());
    let began = Instant::now();
    let sent = Command::new(env!("CARGO_BIN_EXE_gaveta"))
        .args(["send", "--quiet"])
        .arg(&source)
        .arg(format!("localhost:{}/", server.port))
        .status()
        .unwrap();
    assert!(sent.success());
    let seconds = began.elapsed().as_secs_f64();
    let peak = server.peak();
    eprintln!("{length} bytes sent in {seconds:.2} s; the server's peak memory is {peak} bytes");
    assert!(peak < 64 << 20, "{peak} bytes");
    let (mut left, mut right) = (Vec::new(), Vec::new());
    let mut here = fs::File::open(&source).unwrap();
    let mut there = fs::File::open(drawer.path().join("large.bin")).unwrap();
    loop {
        left.clear();
        right.clear();
        Read::by_ref(&mut here)
            .take(1 << 22)
            .read_to_end(&mut left)
            .unwrap();
        Read::by_ref(&mut there)
            .take(1 << 22)
            .read_to_end(&mut right)
            .unwrap();
        assert!(left == right, "what arrived differs");
        if left.is_empty() {
            break;
        }
    }
}
