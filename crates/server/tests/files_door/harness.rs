//! A server on a free port, and a client that sends what it is told, byte for byte.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use gaveta_core::Store;
use gaveta_disk::{DiskStore, Options as DiskOptions};
use gaveta_server::{Config, Running, Server};
use gaveta_testkit::MemoryStore;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

pub(crate) const PASSWORD: &str = "gaveta-test";
/// Nothing here takes as long; a test that waits longer hangs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Tests that every store must pass alike: in memory, and in a folder.
macro_rules! on_every_store {
    ($($test:ident,)*) => {
        mod in_memory {
            $(#[tokio::test]
            async fn $test() {
                super::$test(crate::harness::Door::new().await).await;
            })*
        }
        mod on_disk {
            $(#[tokio::test]
            async fn $test() {
                super::$test(crate::harness::Door::on_disk().await).await;
            })*
        }
    };
}
pub(crate) use on_every_store;

/// A served store. It goes down when it is dropped.
pub(crate) struct Door {
    pub(crate) address: SocketAddr,
    _server: Running,
    /// What goes with it.
    _folder: Option<TempDir>,
}

impl Door {
    /// An empty drawer in memory.
    pub(crate) async fn new() -> Self {
        Self::of(Arc::new(MemoryStore::new())).await
    }

    /// An empty drawer in a folder.
    pub(crate) async fn on_disk() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = DiskStore::open(folder.path(), DiskOptions::default()).unwrap();
        Self {
            _folder: Some(folder),
            ..Self::of(Arc::new(store)).await
        }
    }

    pub(crate) async fn of(store: Arc<dyn Store>) -> Self {
        Self::limited(store, None).await
    }

    pub(crate) async fn limited(store: Arc<dyn Store>, max_file_size: Option<u64>) -> Self {
        Self::with(store, |config| config.max_file_size = max_file_size).await
    }

    pub(crate) async fn with(store: Arc<dyn Store>, change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config::for_tests(PASSWORD).unwrap();
        change(&mut config);
        let server = Server::bind(config, store).await.unwrap().spawn();
        Self {
            address: server.address(),
            _server: server,
            _folder: None,
        }
    }

    pub(crate) async fn connect(&self) -> Line {
        Line {
            stream: TcpStream::connect(self.address).await.unwrap(),
        }
    }

    /// A request of a visitor, on a connection of its own.
    pub(crate) async fn ask(
        &self,
        method: &str,
        target: &str,
        fields: &[(&str, &str)],
        body: &[u8],
    ) -> Reply {
        let mut head = format!("{method} {target} HTTP/1.1\r\nHost: {}\r\n", self.address);
        head.push_str("Connection: close\r\n");
        for (name, value) in fields {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        let has = |wanted: &str| {
            fields
                .iter()
                .any(|(name, _)| name.eq_ignore_ascii_case(wanted))
        };
        let framed = has("content-length") || has("transfer-encoding");
        if !framed && (method == "PUT" || !body.is_empty()) {
            head.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        head.push_str("\r\n");
        let mut line = self.connect().await;
        line.send(head.as_bytes()).await;
        line.send(body).await;
        line.reply(method == "HEAD").await
    }

    /// A request of the administrator.
    pub(crate) async fn admin(
        &self,
        method: &str,
        target: &str,
        fields: &[(&str, &str)],
        body: &[u8],
    ) -> Reply {
        let sign_in = admin_field();
        let mut all = vec![("Authorization", sign_in.as_str())];
        all.extend_from_slice(fields);
        self.ask(method, target, &all, body).await
    }

    pub(crate) async fn get(&self, target: &str, fields: &[(&str, &str)]) -> Reply {
        self.ask("GET", target, fields, b"").await
    }

    /// Stores a new file and gives its ETag.
    pub(crate) async fn put(&self, target: &str, body: &[u8]) -> String {
        let reply = self.admin("PUT", target, &[], body).await;
        assert!(matches!(reply.status, 200 | 201), "{reply:?}");
        reply.field("etag").to_owned()
    }

    /// Everything in the root, by name.
    pub(crate) async fn names(&self) -> Vec<String> {
        let listing = self.get("/?sort=name", &[]).await.json();
        let entries = listing["entries"].as_array().unwrap();
        entries
            .iter()
            .map(|entry| entry["path"].as_str().unwrap().to_owned())
            .collect()
    }
}

pub(crate) fn admin_field() -> String {
    let pair = format!("admin:{PASSWORD}");
    format!(
        "Basic {}",
        base64::engine::general_purpose::STANDARD.encode(pair)
    )
}

/// One connection.
pub(crate) struct Line {
    pub(crate) stream: TcpStream,
}

impl Line {
    /// Sends bytes. A server that hung up already is no failure here: its answer tells.
    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        let _ = timeout(PATIENCE, self.stream.write_all(bytes))
            .await
            .unwrap();
    }

    /// Reads until so many bytes, or this text, have come.
    pub(crate) async fn until(&mut self, got: &mut Vec<u8>, enough: impl Fn(&[u8]) -> bool) {
        while !enough(got) {
            let more = timeout(PATIENCE, self.stream.read_buf(got))
                .await
                .unwrap()
                .unwrap();
            assert!(more > 0, "ended early: {}", String::from_utf8_lossy(got));
        }
    }

    /// All that comes until the server hangs up.
    pub(crate) async fn rest(mut self) -> Vec<u8> {
        let mut got = Vec::new();
        // A reset after the answer still leaves the answer.
        while let Ok(1..) = timeout(PATIENCE, self.stream.read_buf(&mut got))
            .await
            .unwrap()
        {}
        got
    }

    /// All that comes until the server hangs up, as one reply.
    pub(crate) async fn reply(self, head: bool) -> Reply {
        Reply::parse(&self.rest().await, head)
    }
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// Did the body come to the end that it declared?
    pub(crate) whole: bool,
}

impl Reply {
    pub(crate) fn parse(bytes: &[u8], head: bool) -> Self {
        let text = String::from_utf8_lossy(bytes);
        let at = bytes.windows(4).position(|four| four == b"\r\n\r\n");
        let at = at.unwrap_or_else(|| panic!("no answer: {text:?}"));
        let top = std::str::from_utf8(&bytes[..at]).unwrap();
        let mut lines = top.split("\r\n");
        let status = lines
            .next()
            .unwrap()
            .split(' ')
            .nth(1)
            .unwrap()
            .parse()
            .unwrap();
        if status == 100 {
            return Self::parse(&bytes[at + 4..], head);
        }
        let fields: Vec<(String, String)> = lines
            .map(|line| line.split_once(':').unwrap())
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        let mut reply = Self {
            status,
            fields,
            body: bytes[at + 4..].to_vec(),
            whole: true,
        };
        let bodyless = head || status == 204 || status == 304;
        if bodyless {
            assert!(reply.body.is_empty(), "a body where none may be: {text:?}");
        } else if reply.get("transfer-encoding") == Some("chunked") {
            (reply.body, reply.whole) = dechunk(&reply.body);
        } else if let Some(length) = reply.get("content-length") {
            reply.whole = reply.body.len() == length.parse::<usize>().unwrap();
        }
        reply
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let mut found = self.fields.iter().filter(|(known, _)| known == name);
        let value = found.next().map(|(_, value)| value.as_str());
        assert!(found.next().is_none(), "{name} came twice: {self:?}");
        value
    }

    pub(crate) fn field(&self, name: &str) -> &str {
        self.get(name)
            .unwrap_or_else(|| panic!("no {name} in {self:?}"))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        assert!(self.whole, "{self:?}");
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub(crate) fn code(&self) -> String {
        let code = self.json()["error"]["code"].as_str().unwrap().to_owned();
        assert_eq!(self.field("gaveta-error"), code);
        code
    }
}

fn dechunk(mut rest: &[u8]) -> (Vec<u8>, bool) {
    let mut body = Vec::new();
    loop {
        let Some(at) = rest.windows(2).position(|two| two == b"\r\n") else {
            return (body, false);
        };
        let size = usize::from_str_radix(std::str::from_utf8(&rest[..at]).unwrap(), 16).unwrap();
        rest = &rest[at + 2..];
        if size == 0 {
            return (body, rest.starts_with(b"\r\n"));
        }
        if rest.len() < size + 2 {
            body.extend_from_slice(&rest[..size.min(rest.len())]);
            return (body, false);
        }
        body.extend_from_slice(&rest[..size]);
        rest = &rest[size + 2..];
    }
}
