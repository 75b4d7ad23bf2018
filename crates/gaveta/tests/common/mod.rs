//! A server and clients as real processes, on folders that go away afterwards.

#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]

mod line;

#[allow(unused_imports, reason = "each test file uses its part")]
pub use line::Line;

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// Nothing here takes long; what does hangs.
const PATIENCE: Duration = Duration::from_secs(120);
pub const PASSWORD: &str = "correct horse battery";

/// What a client left behind.
#[derive(Debug)]
pub struct Run {
    pub status: ExitStatus,
    pub out: Vec<u8>,
    pub err: String,
}

impl Run {
    pub fn code(&self) -> i32 {
        self.status
            .code()
            .unwrap_or_else(|| panic!("killed: {self:?}"))
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.out).unwrap()
    }

    pub fn lines(&self) -> Vec<&str> {
        self.text().lines().collect()
    }

    /// Standard output as one JSON object per line.
    pub fn json(&self) -> Vec<serde_json::Value> {
        self.lines()
            .iter()
            .map(|line| serde_json::from_str(line).expect(line))
            .collect()
    }

    #[track_caller]
    pub fn ok(self) -> Self {
        self.ends(0)
    }

    #[track_caller]
    pub fn ends(self, code: i32) -> Self {
        assert_eq!(
            self.code(),
            code,
            "\n--- out\n{}\n--- err\n{}",
            String::from_utf8_lossy(&self.out),
            self.err
        );
        self
    }
}

/// The binary, in English, without anything of the surroundings.
pub fn gaveta() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gaveta"));
    command
        .env_clear()
        .env("LC_ALL", "en_US.UTF-8")
        .env("HOME", "/nonexistent")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Runs to the end, with this on standard input.
pub fn finish(mut command: Command, input: &[u8]) -> Run {
    if !input.is_empty() {
        command.stdin(Stdio::piped());
    }
    let mut child = command.spawn().unwrap();
    let mut out = child.stdout.take().unwrap();
    let mut err = child.stderr.take().unwrap();
    let out = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        out.read_to_end(&mut bytes).unwrap();
        bytes
    });
    let err = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        err.read_to_end(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes).into_owned()
    });
    if let Some(mut stdin) = child.stdin.take() {
        // A client that refuses early reads no further.
        let _ = stdin.write_all(input);
    }
    let status = wait(&mut child);
    Run {
        status,
        out: out.join().unwrap(),
        err: err.join().unwrap(),
    }
}

pub fn wait(child: &mut Child) -> ExitStatus {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if start.elapsed() > PATIENCE {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("it hangs");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A server on a folder of its own.
pub struct House {
    server: Child,
    pub port: u16,
    pub served: tempfile::TempDir,
    /// For the client's files; the password lies there too.
    pub home: tempfile::TempDir,
    options: Vec<String>,
}

impl House {
    pub fn open() -> Self {
        Self::on(tempfile::tempdir().unwrap())
    }

    /// A server on this folder.
    pub fn on(served: tempfile::TempDir) -> Self {
        Self::open_on(served, PASSWORD, &[])
    }

    /// With this password of the administrator.
    pub fn open_with(password: &str) -> Self {
        Self::open_on(tempfile::tempdir().unwrap(), password, &[])
    }

    /// A server with more options.
    pub fn open_as(options: &[&str]) -> Self {
        Self::open_on(tempfile::tempdir().unwrap(), PASSWORD, options)
    }

    fn open_on(served: tempfile::TempDir, password: &str, options: &[&str]) -> Self {
        let home = tempfile::tempdir().unwrap();
        fs::create_dir(home.path().join("state")).unwrap();
        let secret = home.path().join("state/password");
        fs::write(&secret, format!("{password}\n")).unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
        }
        let options: Vec<String> = options.iter().map(|&option| option.to_owned()).collect();
        let (server, port) = start(served.path(), &home.path().join("state"), 0, &options);
        Self {
            server,
            port,
            served,
            home,
            options,
        }
    }

    pub fn at(&self, path: &str) -> String {
        format!("127.0.0.1:{}/{path}", self.port)
    }

    pub fn secret(&self) -> PathBuf {
        self.home.path().join("state/password")
    }

    /// A client in the home folder.
    pub fn client<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Command {
        let mut command = gaveta();
        command.args(args).current_dir(self.home.path());
        command
    }

    pub fn run<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Run {
        finish(self.client(args), b"")
    }

    /// As the administrator.
    pub fn admin<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Run {
        let mut command = self.client(args);
        command.env("GAVETA_PASSWORD", PASSWORD);
        finish(command, b"")
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.home.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    pub fn serve_file(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.served.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    pub fn served(&self, name: &str) -> Vec<u8> {
        fs::read(self.served.path().join(name)).unwrap()
    }

    pub fn local(&self, name: &str) -> Vec<u8> {
        fs::read(self.home.path().join(name)).unwrap()
    }

    pub fn kill(&mut self) {
        self.server.kill().unwrap();
        self.server.wait().unwrap();
    }

    /// Asks the server to stop, and waits until it has.
    #[cfg(unix)]
    pub fn stop(&mut self) {
        let id = rustix::process::Pid::from_child(&self.server);
        rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
        wait(&mut self.server);
    }

    /// After its end: the same folder, on the same port.
    pub fn start_again(&mut self) {
        let state = self.home.path().join("state");
        (self.server, _) = start(self.served.path(), &state, self.port, &self.options);
    }

    pub fn server_id(&self) -> u32 {
        self.server.id()
    }
}

/// A server that listens, and where.
fn start(served: &Path, state: &Path, port: u16, options: &[String]) -> (Child, u16) {
    let mut server = gaveta()
        .arg("serve")
        .args(["--host", "127.0.0.1", "--port", &port.to_string()])
        .arg("--admin-password-file")
        .arg(state.join("password"))
        .arg("--state-dir")
        .arg(state)
        .args(options)
        .arg(served)
        .spawn()
        .unwrap();
    let port = first_port(&mut server);
    (server, port)
}

impl Drop for House {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// Reads what the server says until it names its port; goes on reading, so that it never waits.
pub fn first_port(server: &mut Child) -> u16 {
    let (send, found) = mpsc::channel();
    let mut streams: Vec<Box<dyn Read + Send>> = vec![
        Box::new(server.stdout.take().unwrap()),
        Box::new(server.stderr.take().unwrap()),
    ];
    for stream in streams.drain(..) {
        let send = send.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(stream).lines().map_while(Result::ok) {
                let port = ["127.0.0.1:", "localhost:"]
                    .iter()
                    .filter_map(|host| line.split_once(host))
                    .filter_map(|(_, rest)| {
                        rest.split(|c: char| !c.is_ascii_digit())
                            .next()?
                            .parse::<u16>()
                            .ok()
                    })
                    .find(|port| *port != 0);
                let _ = send.send((line, port));
            }
        });
    }
    drop(send);
    let mut said = Vec::new();
    while let Ok((line, port)) = found.recv_timeout(Duration::from_secs(60)) {
        said.push(line);
        if let Some(port) = port {
            return port;
        }
    }
    let _ = server.kill();
    let _ = server.wait();
    panic!("the server named no port: {said:#?}");
}

/// Every name beneath a folder, with `/` after folders, sorted; without the reserved folder.
pub fn tree(folder: &Path) -> Vec<String> {
    fn walk(base: &Path, folder: &Path, all: &mut Vec<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.file_name() == Some(OsStr::new(".gaveta")) {
                continue;
            }
            let name = path
                .strip_prefix(base)
                .unwrap()
                .to_string_lossy()
                .into_owned();
            if path.is_dir() && !path.is_symlink() {
                all.push(format!("{name}/"));
                walk(base, &path, all);
            } else {
                all.push(name);
            }
        }
    }
    let mut all = Vec::new();
    walk(folder, folder, &mut all);
    all.sort();
    all
}

/// Bytes that repeat nowhere near.
pub fn content(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    (0..length)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 32) as u8
        })
        .collect()
}

/// In both languages: no name of a key instead of a sentence, nothing that a terminal obeys.
pub fn said(house: &House, args: &[&str], code: i32, english: &str, portuguese: &str) {
    for (language, sentence) in [("en", english), ("pt-BR", portuguese)] {
        let words: Vec<&str> = ["--lang", language].iter().chain(args).copied().collect();
        let run = house.run(&words).ends(code);
        assert!(run.err.contains(sentence), "{args:?}: {}", run.err);
        assert!(
            !run.err.contains(['\u{1b}', '\u{9b}', '‹']),
            "{args:?}: {:?}",
            run.err
        );
    }
}

/// What was staged goes. A client that gives up need not wait for it.
pub fn nothing_staged(house: &House) {
    let staged = house.served.path().join(".gaveta/staging");
    let start = Instant::now();
    while fs::read_dir(&staged).unwrap().count() > 0 {
        assert!(start.elapsed().as_secs() < 60, "something stays");
        std::thread::sleep(Duration::from_millis(5));
    }
}
