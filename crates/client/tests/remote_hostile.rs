//! The remote store against servers that lie, stall, or are none of ours.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{VISITOR, entry, fetch, json, list, path, patient, send};
use gaveta_client::remote::{
    Address, Deadlines, Options, Remote, Security, Session, SignIn, Trust,
};
use gaveta_core::{Account, ErrorKind, MovePlan, Owner, ReadPlan, Seal, Store, WritePlan};
use gaveta_testkit::content;
use gaveta_wire::fingerprint::Fingerprint;
use gaveta_wire::session::Secret;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// Deadlines that are short, so that a server that stalls is found out within the test.
fn hasty() -> Options {
    let deadlines = Deadlines {
        connect: Duration::from_secs(1),
        answer: Duration::from_millis(300),
        progress: Duration::from_millis(300),
    };
    Options {
        deadlines,
        ..Options::default()
    }
}

/// What a raw server does with each connection.
#[derive(Clone)]
enum Then {
    /// Closes the connection.
    Close,
    /// Says and reads nothing more.
    Stall,
    /// Says this again and again.
    Repeat(&'static [u8]),
}

/// A server that greets like one of ours, answers everything else with these bytes, and then does
/// what it was told. Ends with the test.
struct Raw {
    address: Address,
    _running: JoinSet<()>,
}

async fn raw(answer: impl Into<Vec<u8>>, then: Then) -> Raw {
    let answer: Arc<[u8]> = answer.into().into();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = Address::new("127.0.0.1", listener.local_addr().unwrap().port());
    let mut running = JoinSet::new();
    running.spawn(async move {
        let mut open = JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            open.spawn(talk(stream, answer.clone(), then.clone()));
        }
    });
    Raw {
        address,
        _running: running,
    }
}

async fn talk(mut stream: TcpStream, answer: Arc<[u8]>, then: Then) {
    let mut asked = Vec::new();
    loop {
        let mut piece = [0; 4096];
        match stream.read(&mut piece).await {
            Ok(0) | Err(_) => return,
            Ok(n) => asked.extend_from_slice(&piece[..n]),
        }
        let text = String::from_utf8_lossy(&asked).into_owned();
        if !text.contains("\r\n\r\n") {
            continue;
        }
        if text.starts_with("POST") && !text.ends_with('}') {
            continue;
        }
        if text.contains("whoami") {
            asked.clear();
            if stream.write_all(&json(VISITOR)).await.is_err() {
                return;
            }
            continue;
        }
        break;
    }
    if stream.write_all(&answer).await.is_err() {
        return;
    }
    match then {
        Then::Close => {
            let _ = stream.shutdown().await;
        }
        Then::Stall => std::future::pending().await,
        Then::Repeat(bytes) => while stream.write_all(bytes).await.is_ok() {},
    }
}

async fn lie(answer: impl Into<Vec<u8>>, then: Then, options: Options) -> (Raw, Remote) {
    let raw = raw(answer, then).await;
    let remote = Remote::connect(raw.address.clone(), options).await.unwrap();
    (raw, remote)
}

/// Another program of this machine on the server's port: it answers as a visitor's server would,
/// and keeps all that it was told, by connection.
#[tokio::test]
async fn who_is_known_by_a_key_gets_nothing_without_it_on_this_machine_either() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let told: Arc<Mutex<Vec<Vec<u8>>>> = Arc::default();
    let keep = Arc::clone(&told);
    let mut running = JoinSet::new();
    running.spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut piece = [0; 4096];
            let count = stream.read(&mut piece).await.unwrap_or(0);
            keep.lock().unwrap().push(piece[..count].to_vec());
            let _ = stream.write_all(&json(VISITOR)).await;
        }
    });
    let options = Options {
        trust: Trust::Pinned(Fingerprint([7; 32])),
        sign_in: Some(SignIn {
            name: "gvt_a-token".to_owned(),
            password: Secret(String::new()),
        }),
        ..hasty()
    };
    for host in ["127.0.0.1", "localhost"] {
        let auto = Address::new(host, port);
        let refused = Remote::connect(auto.clone(), options.clone()).await;
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::Insecure);
        let seen = std::mem::take(&mut *told.lock().unwrap());
        // RFC 8446, section 5.1: a record of the handshake, and nothing else.
        assert!(!seen.is_empty() && seen.iter().all(|told| told[0] == 22));
        let plain = auto.secured(Security::Plain);
        let refused = Remote::connect(plain, options.clone()).await;
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::Insecure);
        assert_eq!(told.lock().unwrap().len(), 0);
    }
}

#[tokio::test]
async fn what_is_no_gaveta_server_is_told_so() {
    let html = "<html>hello</html>";
    let page = format!(
        "HTTP/1.1 404 Not Found\r\ncontent-length: {}\r\n\r\n{html}",
        html.len()
    );
    let ok = format!(
        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{html}",
        html.len()
    );
    let elsewhere =
        "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n";
    for (answer, then) in [
        (page.into_bytes(), Then::Close),
        (ok.into_bytes(), Then::Close),
        (elsewhere.into(), Then::Close),
        (json(r#"{"id":1,"ok":{"is":"pong"}}"#), Then::Close),
        (json("{}"), Then::Close),
        (b"SSH-2.0-OpenSSH_9.2\r\n".to_vec(), Then::Stall),
        (
            b"\x16\x03\x01\x02\x00\x01\x00garbage\r\n\r\n".to_vec(),
            Then::Close,
        ),
        (
            b"HTTP/1.1 200 OK\r\nx: ".to_vec(),
            Then::Repeat(b"yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy"),
        ),
        (b"HTTP/1.1 200 OK\r\n".to_vec(), Then::Repeat(b"x: y\r\n")),
        (
            b"HTTP/1.1 200 OK\r\n\r\n".to_vec(),
            Then::Repeat(b"{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{"),
        ),
    ] {
        let shown = String::from_utf8_lossy(&answer).into_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = Address::new("127.0.0.1", listener.local_addr().unwrap().port());
        let mut running = JoinSet::new();
        running.spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            // The question is read first, so that the answer is one.
            let mut asked = vec![0; 4096];
            let _ = stream.read(&mut asked).await;
            if stream.write_all(&answer).await.is_err() {
                return;
            }
            match then {
                Then::Close => drop(stream.shutdown().await),
                Then::Stall => std::future::pending().await,
                Then::Repeat(bytes) => while stream.write_all(bytes).await.is_ok() {},
            }
        });
        let error = Remote::connect(address.clone(), patient())
            .await
            .unwrap_err();
        assert_eq!(
            error.kind(),
            ErrorKind::Unsupported,
            "{shown}: {}",
            error.chain()
        );
        assert_eq!(error.path(), Some(address.to_string().as_str()));
    }
}

#[tokio::test]
async fn a_session_with_something_else_is_refused() {
    let page = "HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\n\r\nno";
    for (answer, kinds) in [
        (page, [ErrorKind::Unsupported, ErrorKind::Unsupported]),
        (
            "garbage\r\n\r\n",
            [ErrorKind::Unsupported, ErrorKind::Unsupported],
        ),
        ("", [ErrorKind::Unsupported, ErrorKind::Disconnected]),
        (
            "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\
             sec-websocket-accept: wrong\r\n\r\n",
            [ErrorKind::Unsupported, ErrorKind::Unsupported],
        ),
    ] {
        let raw = raw(answer, Then::Close).await;
        let error = Session::open(&raw.address, &patient().deadlines)
            .await
            .unwrap_err();
        assert!(kinds.contains(&error.kind()), "{answer}: {}", error.chain());
    }
    let raw = raw("", Then::Stall).await;
    let error = Session::open(&raw.address, &hasty().deadlines)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
}

fn lines(lines: &[String]) -> Vec<u8> {
    let body = lines.join("\n") + "\n";
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/x-ndjson\r\ncontent-length: ";
    format!("{head}{}\r\n\r\n{body}", body.len()).into_bytes()
}

#[tokio::test]
async fn entries_that_lead_elsewhere_are_refused() {
    let end = |n: u64| format!(r#"{{"end":{{"entries":{n},"unnameable":0}}}}"#);
    let (_raw, remote) = lie(
        lines(&[format!(r#"{{"entry":{}}}"#, entry("f/a")), end(1)]),
        Then::Close,
        patient(),
    )
    .await;
    assert_eq!(list(&remote, "f").await.unwrap(), 1);
    for bad in [
        "../a",
        "/etc/passwd",
        "f/../../a",
        "f",
        "",
        "a",
        "f/a/b",
        "g/a",
        "f/.gaveta/x",
        "f/\u{1b}[2J",
        "f/a\0",
        "f//a",
        "f/.",
        "f/..",
        "F/a",
        "f/a/",
    ] {
        let answer = lines(&[format!(r#"{{"entry":{}}}"#, entry(bad)), end(1)]);
        let (_raw, remote) = lie(answer, Then::Close, patient()).await;
        let error = list(&remote, "f").await.unwrap_err();
        assert_eq!(
            error.kind(),
            ErrorKind::BadRequest,
            "{bad:?}: {}",
            error.chain()
        );

        let answer = json(&format!(
            r#"{{"id":1,"ok":{{"is":"entry",{}}}"#,
            &entry(bad)[1..]
        ));
        let (_raw, remote) = lie(answer, Then::Close, patient()).await;
        let error = remote.stat(&path("f/a")).await.unwrap_err();
        assert_eq!(
            error.kind(),
            ErrorKind::BadRequest,
            "{bad:?}: {}",
            error.chain()
        );
        let moved = remote
            .rename(&path("x"), &path("f/a"), MovePlan::default())
            .await;
        assert_eq!(moved.unwrap_err().kind(), ErrorKind::BadRequest, "{bad:?}");
    }
    let answer = lines(&[end(0), "more".into()]);
    let (_raw, remote) = lie(answer, Then::Close, patient()).await;
    assert_eq!(list(&remote, "f").await.unwrap(), 0);
    let html = "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 2\r\n\r\nhi";
    let (_raw, remote) = lie(html, Then::Close, patient()).await;
    assert_eq!(
        list(&remote, "f").await.unwrap_err().kind(),
        ErrorKind::BadRequest
    );
}

#[tokio::test]
async fn an_endless_line_or_answer_is_cut_off() {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/x-ndjson\r\n\r\n";
    let (_raw, remote) = lie(head, Then::Repeat(MUCH), patient()).await;
    assert_eq!(
        list(&remote, "").await.unwrap_err().kind(),
        ErrorKind::BadRequest
    );
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n";
    let (_raw, remote) = lie(head, Then::Repeat(MUCH), patient()).await;
    assert_eq!(
        remote.stat(&path("a")).await.unwrap_err().kind(),
        ErrorKind::BadRequest
    );
}

const MUCH: &[u8] = &[b'x'; 4096];
const CONTENT: &str = "HTTP/1.1 206 Partial Content\r\netag: \"v1\"\r\n\
     gaveta-modified: 2020-01-01T00:00:00Z\r\n";

fn whole() -> ReadPlan {
    ReadPlan {
        version: None,
        first: Some(0..10),
        ..ReadPlan::default()
    }
}

#[tokio::test]
async fn a_content_that_is_cut_or_stalls_is_an_error() {
    let head = format!("{CONTENT}content-range: bytes 0-9/10\r\ncontent-length: 10\r\n\r\n");
    let (_raw, remote) = lie(format!("{head}0123456789"), Then::Close, patient()).await;
    assert_eq!(fetch(&remote, whole()).await.unwrap(), b"0123456789");

    let (_raw, remote) = lie(format!("{head}01234"), Then::Close, patient()).await;
    assert_eq!(
        fetch(&remote, whole()).await.unwrap_err().kind(),
        ErrorKind::Disconnected
    );
    let (_raw, remote) = lie(format!("{head}01234"), Then::Stall, hasty()).await;
    assert_eq!(
        fetch(&remote, whole()).await.unwrap_err().kind(),
        ErrorKind::TimedOut
    );
    let (_raw, remote) = lie("", Then::Stall, hasty()).await;
    let kind = fetch(&remote, whole()).await.map_err(|error| error.kind());
    // The wait for an answer takes in the one for a connection.
    assert_eq!(kind, Err(ErrorKind::TimedOut));

    let short = format!("{CONTENT}content-range: bytes 0-9/10\r\ncontent-length: 5\r\n\r\n01234");
    let (_raw, remote) = lie(short, Then::Close, patient()).await;
    assert_eq!(
        fetch(&remote, whole()).await.unwrap_err().kind(),
        ErrorKind::LengthMismatch
    );
}

#[tokio::test]
async fn a_content_that_contradicts_itself_is_refused() {
    for head in [
        "HTTP/1.1 206 Partial Content\r\ngaveta-modified: 2020-01-01T00:00:00Z\r\n\
         content-range: bytes 0-9/10\r\n",
        "HTTP/1.1 206 Partial Content\r\netag: W/\"v\"\r\ngaveta-modified: 2020-01-01T00:00:00Z\r\n\
         content-range: bytes 0-9/10\r\n",
        "HTTP/1.1 206 Partial Content\r\netag: \"v\"\r\ngaveta-modified: yesterday\r\n\
         content-range: bytes 0-9/10\r\n",
        "HTTP/1.1 206 Partial Content\r\netag: \"v\"\r\ngaveta-modified: 2020-01-01T00:00:00Z\r\n",
        "HTTP/1.1 206 Partial Content\r\netag: \"v\"\r\ngaveta-modified: 2020-01-01T00:00:00Z\r\n\
         content-range: bytes 9-0/10\r\n",
    ] {
        let answer = format!("{head}content-length: 10\r\n\r\n0123456789");
        let (_raw, remote) = lie(answer, Then::Close, patient()).await;
        let error = fetch(&remote, whole()).await.unwrap_err();
        assert_eq!(
            error.kind(),
            ErrorKind::BadRequest,
            "{head}: {}",
            error.chain()
        );
    }
    let other =
        format!("{CONTENT}content-range: bytes 0-9/10\r\ncontent-length: 10\r\n\r\n0123456789");
    let (_raw, remote) = lie(other, Then::Close, patient()).await;
    let plan = ReadPlan {
        version: gaveta_core::Version::parse("v0"),
        first: Some(0..10),
        ..ReadPlan::default()
    };
    assert_eq!(
        fetch(&remote, plan).await.unwrap_err().kind(),
        ErrorKind::VersionMismatch
    );
}

#[tokio::test]
async fn an_answer_to_an_upload_is_believed_only_when_it_fits() {
    let created = |body: &str| {
        format!(
            "HTTP/1.1 201 Created\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    for (answer, kind) in [
        (created(&entry("b")), ErrorKind::BadRequest),
        (created("{}"), ErrorKind::BadRequest),
        (created(&entry("a")), ErrorKind::DigestMismatch),
        (
            "HTTP/1.1 507 Full\r\ncontent-length: 0\r\n\r\n".into(),
            ErrorKind::NoSpace,
        ),
        (
            "HTTP/1.1 412 No\r\ncontent-length: 0\r\n\r\n".into(),
            ErrorKind::Exists,
        ),
    ] {
        // Small enough to be sent whole before the answer is looked at, or not sent at all: the
        // answer to a length of 2 is never an entry of 3 bytes.
        let (_raw, remote) = lie(answer.clone(), Then::Stall, patient()).await;
        let plan = WritePlan::new(path("a"), Owner::of(Account::VISITOR));
        let upload = remote.begin(plan).await.unwrap();
        let error = upload.commit(Seal::default()).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{answer}: {}", error.chain());
    }
    // A refusal or a nonsense in the middle of much content.
    let (_raw, remote) = lie(
        "HTTP/1.1 507 Full\r\ncontent-length: 0\r\n\r\n",
        Then::Stall,
        patient(),
    )
    .await;
    assert_eq!(
        send(&remote, content(32 << 20, 1))
            .await
            .unwrap_err()
            .kind(),
        ErrorKind::NoSpace
    );
    let (_raw, remote) = lie(created(&entry("a")), Then::Stall, patient()).await;
    let error = send(&remote, content(32 << 20, 1)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BadRequest, "{}", error.chain());
    let (_raw, remote) = lie("", Then::Stall, hasty()).await;
    let error = send(&remote, content(32 << 20, 1)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    let (_raw, remote) = lie("", Then::Close, patient()).await;
    let error = send(&remote, content(32 << 20, 1)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Disconnected, "{}", error.chain());
}
