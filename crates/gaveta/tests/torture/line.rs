//! The line between client and server: it can be cut, and it counts.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use gaveta_testkit::proxy::{CuttingProxy, Direction};
use tokio::runtime::Runtime;

pub(crate) struct Line {
    proxy: CuttingProxy,
    server: std::cell::Cell<u16>,
    // Last: what runs on it goes first.
    _runtime: Runtime,
}

impl Line {
    /// A line that leads nowhere yet. Its own address stays.
    pub(crate) fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let nowhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
        let proxy = runtime.block_on(CuttingProxy::start(nowhere)).unwrap();
        Self {
            proxy,
            server: 1.into(),
            _runtime: runtime,
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.proxy.address()
    }

    /// New connections go to this port from now on.
    pub(crate) fn lead_to(&self, port: u16) {
        self.server.set(port);
        self.proxy
            .retarget(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    }

    pub(crate) fn forwarded(&self, direction: Direction) -> u64 {
        self.proxy.forwarded(direction)
    }

    pub(crate) fn live(&self) -> u64 {
        self.proxy.live()
    }

    pub(crate) fn cut(&self) {
        self.proxy.cut_now();
    }

    pub(crate) fn refuse(&self, refuse: bool) {
        self.proxy.refuse(refuse);
    }

    /// How many bytes of contents the server took since it started, as it tells itself.
    pub(crate) fn received(&self) -> u64 {
        let mut server = TcpStream::connect((Ipv4Addr::LOCALHOST, self.server.get())).unwrap();
        let ask = "GET /.gaveta/health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        server.write_all(ask.as_bytes()).unwrap();
        let mut answer = String::new();
        server.read_to_string(&mut answer).unwrap();
        let (_, body) = answer.split_once("\r\n\r\n").expect(&answer);
        let body: serde_json::Value = serde_json::from_str(body).expect(body);
        body["received"].as_u64().expect("a count")
    }

    /// Lets nothing more through to the server, and waits until nothing is under way in the line:
    /// what it counts and what lies in the sockets is then told of one moment.
    pub(crate) fn settle(&self) {
        self.proxy.stall(Direction::Up);
        let mut before = self.forwarded(Direction::Up);
        loop {
            std::thread::sleep(Duration::from_millis(20));
            let now = self.forwarded(Direction::Up);
            if now == before {
                return;
            }
            before = now;
        }
    }

    /// Lets everything through again.
    pub(crate) fn heal(&self) {
        self.proxy.heal();
    }

    /// Bytes on their way to the server that it has not taken yet: in its own sockets, and in
    /// those of the line that lead there.
    pub(crate) fn unread(&self) -> u64 {
        let table = fs::read_to_string("/proc/net/tcp").unwrap();
        let port = format!("{:04X}", self.server.get());
        let ends_with = |address: &str| address.rsplit(':').next() == Some(port.as_str());
        let mut unread = 0;
        for line in table.lines().skip(1) {
            let words: Vec<_> = line.split_whitespace().collect();
            // Listening sockets have a queue of connections there.
            let [_, local, remote, state, queues, ..] = *words else {
                continue;
            };
            let Some((to_send, to_read)) = queues.split_once(':') else {
                continue;
            };
            let bytes = |text: &str| u64::from_str_radix(text, 16).unwrap();
            if state != "0A" && ends_with(local) {
                unread += bytes(to_read);
            }
            if ends_with(remote) {
                unread += bytes(to_send);
            }
        }
        unread
    }
}
