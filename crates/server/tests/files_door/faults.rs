//! What breaks in the middle, and what does not fit.

use std::sync::Arc;

use gaveta_core::Store;
use gaveta_testkit::MemoryStore;
use tokio::io::AsyncWriteExt;

use super::harness::{Door, Reply, admin_field};

super::harness::on_every_store! {
    a_body_longer_or_shorter_than_declared_is_refused,
    a_refusal_comes_before_the_body_is_asked_for,
    who_sends_on_after_a_refusal_still_reads_it,
    a_connection_goes_on_after_whole_requests,
}

/// Sends a PUT's head and some of its body, then hangs up; comes back when the server noticed.
async fn cut(door: &Door, target: &str, framing: &str, body: &[u8]) {
    let mut line = door.connect().await;
    let head = format!(
        "PUT {target} HTTP/1.1\r\nHost: {}\r\nAuthorization: {}\r\n{framing}\r\n\r\n",
        door.address,
        admin_field()
    );
    line.send(head.as_bytes()).await;
    line.send(body).await;
    line.stream.shutdown().await.unwrap();
    // The server has nothing more to wait for: it answers, or hangs up, and the upload is gone.
    let rest = line.rest().await;
    if !rest.is_empty() {
        assert!(Reply::parse(&rest, false).status >= 400);
    }
}

#[tokio::test]
async fn a_cut_body_leaves_nothing_and_the_old_version_stays() {
    let store = MemoryStore::new();
    let door = Door::of(Arc::new(store.clone())).await;
    let etag = door.put("/old", b"old content").await;
    let free = store.space().await.unwrap().free;
    let half = gaveta_testkit::content(100_000, 9);
    for framing in ["Content-Length: 200000", "Transfer-Encoding: chunked"] {
        let body = match framing.starts_with('T') {
            true => [b"186a0\r\n", half.as_slice(), b"\r\n"].concat(),
            false => half.clone(),
        };
        for target in ["/new", "/old"] {
            cut(&door, target, framing, &body).await;
        }
    }
    assert_eq!(door.names().await, ["old"]);
    assert_eq!(
        store.space().await.unwrap().free,
        free,
        "something is still kept"
    );
    let get = door.get("/old", &[]).await;
    assert_eq!(
        (get.text().as_str(), get.field("etag")),
        ("old content", etag.as_str())
    );
}

async fn a_body_longer_or_shorter_than_declared_is_refused(door: Door) {
    door.put("/old", b"old").await;
    for (declared, sent) in [
        ("5", "7\r\ncontent\r\n0\r\n\r\n"),
        ("9", "7\r\ncontent\r\n0\r\n\r\n"),
    ] {
        for target in ["/new", "/old"] {
            let fields = [
                ("Transfer-Encoding", "chunked"),
                ("Upload-Length", declared),
            ];
            let reply = door.admin("PUT", target, &fields, sent.as_bytes()).await;
            assert_eq!(
                (reply.status, reply.code().as_str()),
                (400, "length-mismatch"),
                "{declared}"
            );
        }
    }
    // A chunk that is none.
    let fields = [("Transfer-Encoding", "chunked")];
    let reply = door
        .admin("PUT", "/new", &fields, b"7\r\ncontent\r\nxyz\r\n\r\n")
        .await;
    assert_eq!(reply.status, 400);
    assert_eq!(door.names().await, ["old"]);
    assert_eq!(door.get("/old", &[]).await.text(), "old");
    let fields = [("Transfer-Encoding", "chunked"), ("Upload-Length", "7")];
    let right = door
        .ask("PUT", "/new", &fields, b"7\r\ncontent\r\n0\r\n\r\n")
        .await;
    assert_eq!(right.status, 201);
    assert_eq!(door.get("/new", &[]).await.text(), "content");
}

#[tokio::test]
async fn what_is_too_large_is_refused_early_or_on_the_way() {
    let door = Door::limited(Arc::new(MemoryStore::new()), Some(1000)).await;
    let content = gaveta_testkit::content(1001, 1);
    let early = door.ask("PUT", "/f", &[], &content).await;
    assert_eq!((early.status, early.code().as_str()), (413, "too-large"));
    let body = [b"3e9\r\n", content.as_slice(), b"\r\n0\r\n\r\n"].concat();
    let late = door
        .ask("PUT", "/f", &[("Transfer-Encoding", "chunked")], &body)
        .await;
    assert_eq!((late.status, late.code().as_str()), (413, "too-large"));
    assert!(door.names().await.is_empty());
    assert_eq!(
        door.ask("PUT", "/f", &[], &content[..1000]).await.status,
        201
    );
}

#[tokio::test]
async fn a_full_disk_is_507_and_the_old_version_stays() {
    let door = Door::of(Arc::new(MemoryStore::with_capacity(1 << 20))).await;
    door.put("/old", b"old").await;
    let content = gaveta_testkit::content(2 << 20, 1);
    let early = door.admin("PUT", "/old", &[], &content).await;
    assert_eq!((early.status, early.code().as_str()), (507, "no-space"));
    let mut body = format!("{:x}\r\n", content.len()).into_bytes();
    body.extend_from_slice(&content);
    body.extend_from_slice(b"\r\n0\r\n\r\n");
    let late = door
        .admin("PUT", "/old", &[("Transfer-Encoding", "chunked")], &body)
        .await;
    assert_eq!((late.status, late.code().as_str()), (507, "no-space"));
    assert_eq!(door.get("/old", &[]).await.text(), "old");
    assert_eq!(door.names().await, ["old"]);
}

async fn a_refusal_comes_before_the_body_is_asked_for(door: Door) {
    door.put("/there", b"x").await;
    for (target, field, status) in [
        ("/there", "If-None-Match: *", 412),
        ("/there", "X-Nothing: 1", 401),
        ("/new", "If-Match: *", 412),
        ("/new/", "X-Nothing: 1", 400),
        ("/new", "Content-Encoding: br", 415),
    ] {
        let mut line = door.connect().await;
        let head = format!(
            "PUT {target} HTTP/1.1\r\nHost: {}\r\nContent-Length: 1000000\r\n\
             Expect: 100-continue\r\n{field}\r\n\r\n",
            door.address
        );
        line.send(head.as_bytes()).await;
        let mut got = Vec::new();
        line.until(&mut got, |got| {
            got.windows(4).any(|four| four == b"\r\n\r\n")
        })
        .await;
        let first = String::from_utf8_lossy(&got);
        assert!(
            first.starts_with(&format!("HTTP/1.1 {status} ")),
            "{target} {field}: {first}"
        );
    }
    let mut line = door.connect().await;
    let head = format!(
        "PUT /new HTTP/1.1\r\nHost: {}\r\nContent-Length: 3\r\nConnection: close\r\n\
         Expect: 100-continue\r\n\r\n",
        door.address
    );
    line.send(head.as_bytes()).await;
    let mut got = Vec::new();
    line.until(&mut got, |got| got.ends_with(b"\r\n\r\n")).await;
    assert!(
        got.starts_with(b"HTTP/1.1 100 "),
        "{}",
        String::from_utf8_lossy(&got)
    );
    line.send(b"abc").await;
    assert_eq!(line.reply(false).await.status, 201);
    assert_eq!(door.get("/new", &[]).await.text(), "abc");
}

async fn who_sends_on_after_a_refusal_still_reads_it(door: Door) {
    door.put("/there", b"x").await;
    let content = gaveta_testkit::content(900_000, 1);
    for _ in 0..20 {
        let reply = door
            .ask("PUT", "/there", &[("If-None-Match", "*")], &content)
            .await;
        assert_eq!((reply.status, reply.field("connection")), (412, "close"));
        assert!(reply.whole);
    }
}

async fn a_connection_goes_on_after_whole_requests(door: Door) {
    let mut line = door.connect().await;
    let mut text = String::new();
    for i in 0..3 {
        text.push_str(&format!(
            "PUT /f{i} HTTP/1.1\r\nHost: {}\r\nContent-Length: 2\r\n\r\nok",
            door.address
        ));
    }
    text.push_str(&format!(
        "GET /f2 HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
        door.address
    ));
    line.send(text.as_bytes()).await;
    let mut got = Vec::new();
    line.until(&mut got, |got| got.ends_with(b"\r\n\r\nok"))
        .await;
    let got = String::from_utf8(got).unwrap();
    assert_eq!(got.matches("HTTP/1.1 201 ").count(), 3, "{got}");
    assert_eq!(door.names().await, ["f0", "f1", "f2"]);
}

#[tokio::test]
async fn a_file_that_breaks_while_it_is_read_is_never_taken_for_whole() {
    let store = gaveta_testkit::FlakyStore::new(MemoryStore::new());
    let store = Arc::new(store);
    let door = Door::of(store.clone()).await;
    door.put("/f", &gaveta_testkit::content(500_000, 2)).await;
    store.cut_reads_after(100_000, gaveta_core::ErrorKind::LengthMismatch);
    let reply = door.get("/f", &[]).await;
    assert!(reply.status == 200 && !reply.whole);
    store.heal();
    assert!(door.get("/f", &[]).await.whole);
}
