//! A server that a proxy serves under a prefix, beside other things of its host.

#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may"
)]

mod common;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use common::{House, PASSWORD, Run, content, finish};
use gaveta_testkit::terminal::{Plan, Terminal};

const BASE: &str = "/apps/files";
/// A token that nobody made.
const TOKEN: &str = "gvt_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

/// Hands on what is for the prefix, as it is; everything else is a page of another program.
struct Proxy {
    port: u16,
    /// The heads of the requests that were for others.
    others: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    fn to(house: &House) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let others: Arc<Mutex<Vec<String>>> = Arc::default();
        let (heard, server) = (Arc::clone(&others), house.port);
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let (client, heard) = (client.unwrap(), Arc::clone(&heard));
                std::thread::spawn(move || hand_on(client, server, &heard));
            }
        });
        Self { port, others }
    }

    fn at(&self, path: &str) -> String {
        format!("127.0.0.1:{}{BASE}/{path}", self.port)
    }

    fn others(&self) -> Vec<String> {
        self.others.lock().unwrap().clone()
    }
}

/// One connection, by its first request: a client that found its server asks nobody else there.
fn hand_on(client: TcpStream, server: u16, heard: &Mutex<Vec<String>>) {
    let mut from = BufReader::new(client.try_clone().unwrap());
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        match from.read_line(&mut head) {
            Ok(1..) => {}
            _ => return,
        }
    }
    let target = head.split(' ').nth(1).unwrap_or_default();
    let beneath = target.strip_prefix(BASE);
    // HTTP/2 with prior knowledge begins like a request for `*`.
    if target == "*" || beneath.is_some_and(|rest| rest.starts_with('/')) {
        let mut to = TcpStream::connect(("127.0.0.1", server)).unwrap();
        to.write_all(head.as_bytes()).unwrap();
        let (mut back, mut client) = (to.try_clone().unwrap(), client);
        std::thread::spawn(move || {
            let _ = std::io::copy(&mut back, &mut client);
            let _ = client.shutdown(Shutdown::Both);
        });
        let _ = std::io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Write);
        return;
    }
    let lower = head.to_ascii_lowercase();
    let length = lower.split("content-length: ").nth(1).unwrap_or("0\r");
    let length: u64 = length.split('\r').next().unwrap().parse().unwrap();
    let _ = std::io::copy(&mut from.take(length), &mut std::io::sink());
    heard.lock().unwrap().push(lower);
    let page = "<html>not here</html>";
    let answer = format!(
        "HTTP/1.1 404 Not Found\r\ncontent-type: text/html\r\nconnection: close\r\n\
         content-length: {}\r\n\r\n{page}",
        page.len()
    );
    let mut client = client;
    let _ = client.write_all(answer.as_bytes());
}

fn open() -> (House, Proxy) {
    let house = House::open_as(&["--base-path", BASE]);
    let proxy = Proxy::to(&house);
    (house, proxy)
}

fn admin(house: &House, args: &[&str]) -> Run {
    let mut command = house.client(args);
    command
        .env("GAVETA_PASSWORD", PASSWORD)
        .env("XDG_STATE_HOME", house.home.path().join("state"));
    finish(command, b"")
}

#[test]
fn every_verb_finds_it_by_the_path_that_was_typed() {
    let (house, proxy) = open();
    house.serve_file("docs/a.txt", "content of a");
    house.serve_file("docs/b b.txt", "content of b");
    let ok = |args: &[&str]| admin(&house, args).ok();
    let listed = ok(&["list", &proxy.at("docs")]);
    assert_eq!(listed.lines(), ["a.txt", "b b.txt"]);
    assert_eq!(ok(&["list", &proxy.at("")]).lines(), ["docs/"]);
    let without_slash = proxy.at("").trim_end_matches('/').to_owned();
    assert_eq!(ok(&["list", &without_slash]).lines(), ["docs/"]);
    let url = format!("http://{}", proxy.at("docs/b%20b.txt"));
    assert_eq!(ok(&["cat", &url]).out, b"content of b");
    ok(&["get", &proxy.at("docs/*.txt"), "got/"]);
    assert_eq!(house.local("got/b b.txt"), b"content of b");
    house.write("small", "sent");
    house.write("big", content(24 << 20));
    ok(&["send", "small", "big", &proxy.at("docs/")]);
    assert_eq!(house.served("docs/small"), b"sent");
    assert_eq!(house.served("docs/big"), content(24 << 20));
    ok(&["get", &proxy.at("docs/big"), "back"]);
    assert_eq!(house.local("back"), content(24 << 20));
    ok(&["mkdir", &proxy.at("new")]);
    ok(&["copy", &proxy.at("docs/small"), &proxy.at("new/copy")]);
    ok(&["move", &proxy.at("new/copy"), &proxy.at("new/moved")]);
    assert_eq!(house.served("new/moved"), b"sent");
    let told = ok(&["rm", &proxy.at("new/moved"), "--json"]).json();
    // What is told can be typed again.
    assert_eq!(told[0]["path"], proxy.at("new/moved"));
    ok(&["restore", &proxy.at("new/moved")]);
    assert_eq!(house.served("new/moved"), b"sent");
    ok(&["trash", &proxy.at("new")]);
    ok(&["info", &proxy.at("docs/big")]);
    ok(&["uploads", &proxy.at("")]);
    ok(&["mirror", &proxy.at("docs"), "mirrored/"]);
    assert_eq!(house.local("mirrored/small"), b"sent");
    // What lies beside is another's.
    let beside = format!("127.0.0.1:{}/apps/other/x", proxy.port);
    ok(&["list", &proxy.at("docs")]);
    let told = admin(&house, &["list", &beside]).ends(1);
    assert!(told.err.contains("Gaveta"), "{}", told.err);
    let two = admin(&house, &["copy", &proxy.at("docs/small"), &beside]);
    assert_ne!(two.code(), 0);
    assert!(
        proxy
            .others()
            .iter()
            .all(|head| head.contains("/.gaveta/command"))
    );
}

#[test]
fn the_link_of_a_share_tells_the_prefix_and_the_shell_stays_behind_it() {
    let (house, proxy) = open();
    house.serve_file("docs/a.txt", "content of a");
    let made = admin(&house, &["share", &proxy.at("docs/a.txt")]).ok();
    let link = made.lines()[0].to_owned();
    let start = format!("http://127.0.0.1:{}{BASE}/.gaveta/s/", proxy.port);
    assert!(link.starts_with(&start), "{link}");
    let before = proxy.others().len();
    house.run(["get", &link]).ok();
    assert_eq!(house.local("a.txt"), b"content of a");
    assert_eq!(proxy.others().len(), before, "nobody else was asked");

    let shell = house.client(["connect", &proxy.at("docs")]);
    let mut terminal = Terminal::start(shell, Plan::default());
    terminal.wait_for("/docs >");
    // Somebody else's change comes by the session, which is behind the prefix too.
    house.write("new.txt", "new");
    admin(&house, &["send", "new.txt", &proxy.at("docs/")]).ok();
    terminal.wait_for("new.txt");
    let mark = terminal.mark();
    terminal.type_text("cat a.txt\n");
    terminal.wait_for_after(mark, "content of a");
    terminal.type_text("exit\n");
    assert_eq!(terminal.exit_code(), 0, "{}", terminal.text());
}

/// Where the server is looked for, others may answer: nobody signs in there.
#[test]
fn nobody_signs_in_where_the_server_is_only_looked_for() {
    let (house, proxy) = open();
    let mut command = house.client(["list", &proxy.at("docs")]);
    command.env("GAVETA_TOKEN", TOKEN);
    finish(command, b"").ends(4);
    let others = proxy.others();
    let asked: Vec<&str> = others
        .iter()
        .filter_map(|head| head.split(' ').nth(1))
        .collect();
    assert_eq!(asked, ["/.gaveta/command", "/apps/.gaveta/command"]);
    assert!(!others[1].contains("authorization"), "{}", others[1]);
}
