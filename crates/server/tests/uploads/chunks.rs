//! Ours: chunks in any order and in parallel, outlines, commit.

use std::ops::Range;

use bytes::Bytes;
use futures_util::TryStreamExt;
use gaveta_core::chunk::{self, CHUNK};
use gaveta_core::{Digest, Piece};
use gaveta_wire::chunks::{body_length, frame, unframe};
use gaveta_wire::digest::Digests;

use super::harness::{Door, Reply};
use super::{TUS, UPLOADS, address};

super::harness::on_every_store! {
    chunks_land_in_any_order_and_are_committed,
    a_wrong_chunk_alone_is_not_kept,
    ranges_that_are_no_chunks_are_refused,
    a_wrong_digest_of_the_whole_publishes_nothing,
    of_two_commits_one_wins,
    only_what_differs_is_sent,
    a_file_is_read_in_chunks,
    an_outline_is_the_files,
    attributes_travel,
}

const TYPE: (&str, &str) = ("Content-Type", "application/vnd.gaveta.chunks");

fn content(length: u64, seed: u64) -> Vec<u8> {
    gaveta_testkit::content(length as usize, seed)
}

async fn framed(whole: &[u8], range: Range<u64>) -> Vec<u8> {
    let part = Bytes::copy_from_slice(&whole[range.start as usize..range.end as usize]);
    let content = Box::pin(futures_util::stream::iter([Ok(part)]));
    let pieces = chunk::pieces(content, range, whole.len() as u64);
    let all: Vec<Bytes> = frame(pieces).try_collect().await.unwrap();
    all.concat()
}

async fn create(door: &Door, target: &str, length: u64, more: &[(&str, &str)]) -> Reply {
    let length = length.to_string();
    let fields = [
        &[
            ("gaveta-target", target),
            ("upload-length", length.as_str()),
            ("gaveta-manual", "?1"),
        ],
        more,
    ]
    .concat();
    door.admin("POST", UPLOADS, &fields, b"").await
}

async fn send(door: &Door, at: &str, range: Range<u64>, body: &[u8]) -> Reply {
    let range = format!("{}-{}", range.start, range.end);
    let fields = [TYPE, ("gaveta-range", range.as_str())];
    door.admin("PATCH", at, &fields, body).await
}

async fn commit(door: &Door, at: &str, digest: Option<Digest>) -> Reply {
    let field = digest.map(|digest| Digests::blake3(digest).to_field().unwrap());
    let fields: Vec<_> = field
        .iter()
        .map(|text| ("Repr-Digest", text.as_str()))
        .collect();
    door.admin("POST", &format!("{at}/commit"), &fields, b"")
        .await
}

async fn arrived(door: &Door, at: &str) -> serde_json::Value {
    door.admin("GET", at, &[], b"").await.json()["arrived"].clone()
}

/// The bytes of content that the server counted.
async fn received(door: &Door) -> u64 {
    let health = door.get("/.gaveta/health", &[]).await.json();
    health["received"].as_u64().unwrap()
}

async fn chunks_land_in_any_order_and_are_committed(door: Door) {
    let length = 3 * CHUNK + 5;
    let all = content(length, 1);
    let begun = create(&door, "/a/big%20one", length, &[]).await;
    assert_eq!(begun.status, 201, "{begun:?}");
    let state = begun.json();
    assert_eq!(
        (&state["target"], &state["length"]),
        (&"a/big one".into(), &length.into())
    );
    assert_eq!(state["arrived"], serde_json::json!([]));
    let at = address(&begun);
    // The range may promise more than comes, up to a chunk's end.
    let first = framed(&all, 0..2 * CHUNK).await;
    let some = first.split_at(CHUNK as usize + 32).0;
    let reply = send(&door, &at, 0..2 * CHUNK, some).await;
    assert_eq!(reply.status, 204, "{reply:?}");
    assert_eq!(reply.field("gaveta-kept"), CHUNK.to_string());
    let last = 3 * CHUNK..length;
    let reply = send(&door, &at, last.clone(), &framed(&all, last).await).await;
    assert_eq!(
        (reply.status, reply.field("gaveta-kept")),
        (204, "5"),
        "{reply:?}"
    );
    assert_eq!(
        arrived(&door, &at).await,
        serde_json::json!([[0, CHUNK], [3 * CHUNK, length]])
    );
    let early = commit(&door, &at, None).await;
    assert_eq!((early.status, early.code().as_str()), (409, "incomplete"));
    // Two at once.
    let (left, right) = (0..CHUNK, CHUNK..3 * CHUNK);
    let bodies = (
        framed(&all, left.clone()).await,
        framed(&all, right.clone()).await,
    );
    let both = tokio::join!(
        send(&door, &at, right, &bodies.1),
        send(&door, &at, left, &bodies.0)
    );
    assert_eq!((both.0.status, both.1.status), (204, 204));
    assert_eq!(
        door.get("/a/big%20one", &[]).await.status,
        404,
        "committed by hand only"
    );
    let done = commit(&door, &at, Some(Digest::of(&all))).await;
    assert_eq!(done.status, 201, "{done:?}");
    assert_eq!(done.json()["digest"], Digest::of(&all).to_string());
    let file = door.get("/a/big%20one", &[]).await;
    assert!(file.body == all);
    assert_eq!(file.field("etag"), done.field("etag"));
    let again = commit(&door, &at, None).await;
    assert_eq!((again.status, again.code().as_str()), (410, "upload-lost"));
    assert_eq!(again.field("etag"), file.field("etag"));
    assert_eq!(door.admin("GET", &at, &[], b"").await.status, 410);
    assert_eq!(received(&door).await, length + CHUNK);
}

async fn a_wrong_chunk_alone_is_not_kept(door: Door) {
    let length = 3 * CHUNK;
    let all = content(length, 2);
    let at = address(&create(&door, "/a", length, &[]).await);
    let mut body = framed(&all, 0..length).await;
    body[CHUNK as usize + 32 + 7] ^= 1;
    let refused = send(&door, &at, 0..length, &body).await;
    assert_eq!(
        (refused.status, refused.code().as_str()),
        (400, "digest-mismatch")
    );
    assert_eq!(arrived(&door, &at).await, serde_json::json!([[0, CHUNK]]));
    let rest = CHUNK..length;
    assert_eq!(
        send(&door, &at, rest.clone(), &framed(&all, rest).await)
            .await
            .status,
        204
    );
    assert_eq!(commit(&door, &at, None).await.status, 201);
    assert!(door.get("/a", &[]).await.body == all);
}

async fn ranges_that_are_no_chunks_are_refused(door: Door) {
    let length = CHUNK + 10;
    let all = content(length, 3);
    let at = address(&create(&door, "/a", length, &[]).await);
    let body = framed(&all, 0..length).await;
    for (range, status) in [
        (1..length, 400),
        (0..CHUNK - 1, 400),
        (0..0, 400),
        (0..length + 1, 416),
        (2 * CHUNK..3 * CHUNK, 416),
        (0..u64::MAX, 416),
    ] {
        assert_eq!(
            send(&door, &at, range.clone(), &body).await.status,
            status,
            "{range:?}"
        );
    }
    // Longer than the range, or cut within a chunk or its digest.
    let long = send(&door, &at, 0..CHUNK, &body).await;
    assert_eq!(
        (long.status, long.code().as_str()),
        (400, "length-mismatch")
    );
    for cut in [1, CHUNK as usize, CHUNK as usize + 31] {
        let reply = send(&door, &at, 0..length, &body[..cut]).await;
        assert_eq!((reply.status, reply.code().as_str()), (400, "disconnected"));
    }
    let none = send(&door, &at, 0..length, b"").await;
    assert_eq!((none.status, none.field("gaveta-kept")), (204, "0"));
    for text in ["", "0", "-", "0-x", "5-1", "-1-5", "0-99999999999999999999"] {
        let fields = [TYPE, ("gaveta-range", text)];
        assert_eq!(
            door.admin("PATCH", &at, &fields, &body).await.status,
            400,
            "{text}"
        );
    }
    assert_eq!(door.admin("PATCH", &at, &[TYPE], &body).await.status, 400);
    assert_eq!(arrived(&door, &at).await, serde_json::json!([]));
    let deferred = [("gaveta-target", "/b")];
    let at = address(&door.admin("POST", UPLOADS, &deferred, b"").await);
    assert_eq!(send(&door, &at, 0..length, &body).await.status, 400);
    for (name, value) in [
        ("gaveta-target", "b"),
        ("gaveta-target", "/../b"),
        ("gaveta-target", "/b/"),
        ("gaveta-target", "/"),
        ("gaveta-target", "/%zz"),
    ] {
        let reply = door.admin("POST", UPLOADS, &[(name, value)], b"").await;
        assert!(matches!(reply.status, 400 | 409), "{value}: {reply:?}");
    }
    for (name, value) in [
        ("gaveta-manual", "yes"),
        ("gaveta-base", "x"),
        ("gaveta-executable", "1"),
        ("gaveta-modified", "yesterday"),
        ("upload-length", "-1"),
    ] {
        let fields = [("gaveta-target", "/b"), (name, value)];
        assert_eq!(
            door.admin("POST", UPLOADS, &fields, b"").await.status,
            400,
            "{name}"
        );
    }
}

async fn a_wrong_digest_of_the_whole_publishes_nothing(door: Door) {
    let all = content(1000, 4);
    let at = address(&create(&door, "/a", 1000, &[]).await);
    send(&door, &at, 0..1000, &framed(&all, 0..1000).await).await;
    let refused = commit(&door, &at, Some(Digest::of(b"other"))).await;
    assert_eq!(
        (refused.status, refused.code().as_str()),
        (400, "digest-mismatch")
    );
    assert_eq!(door.get("/a", &[]).await.status, 404);
    let sha256 = [(
        "Repr-Digest",
        "sha-256=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:",
    )];
    let other = door
        .admin("POST", &format!("{at}/commit"), &sha256, b"")
        .await;
    assert_eq!(other.status, 400);
    assert_eq!(commit(&door, &at, Some(Digest::of(&all))).await.status, 201);
}

async fn of_two_commits_one_wins(door: Door) {
    let all = content(1000, 5);
    let at = address(&create(&door, "/a", 1000, &[]).await);
    send(&door, &at, 0..1000, &framed(&all, 0..1000).await).await;
    let (one, two) = tokio::join!(commit(&door, &at, None), commit(&door, &at, None));
    let mut both = [one.status, two.status];
    both.sort_unstable();
    assert_eq!(both[0], 201, "{one:?} {two:?}");
    assert!(matches!(both[1], 409 | 410 | 404), "{one:?} {two:?}");
    assert!(door.get("/a", &[]).await.body == all);
}

async fn only_what_differs_is_sent(door: Door) {
    let length = 3 * CHUNK;
    let old = content(length, 6);
    let version = door.put("/a", &old).await;
    let mut new = old.clone();
    new[CHUNK as usize + 3] ^= 0xff;
    let base = [
        ("gaveta-base", version.as_str()),
        ("If-Match", version.as_str()),
    ];
    let begun = create(&door, "/a", length, &base).await;
    assert_eq!(begun.status, 201, "{begun:?}");
    let at = address(&begun);
    let changed = CHUNK..2 * CHUNK;
    let before = received(&door).await;
    let sent = send(&door, &at, changed.clone(), &framed(&new, changed).await).await;
    assert_eq!(sent.status, 204, "{sent:?}");
    let done = commit(&door, &at, Some(Digest::of(&new))).await;
    assert_eq!(done.status, 200, "{done:?}");
    assert_eq!(received(&door).await - before, CHUNK);
    assert!(door.get("/a", &[]).await.body == new);
}

fn parse(reply: &Reply, range: Range<u64>, length: u64) -> Vec<u8> {
    let body = Bytes::copy_from_slice(&reply.body);
    let content = Box::pin(futures_util::stream::iter([Ok(body)]));
    let mut pieces = unframe(content, range.clone(), length);
    let mut got = Vec::new();
    let mut at = range.start;
    futures_util::FutureExt::now_or_never(async {
        while let Some(piece) = pieces.try_next().await.unwrap() {
            match piece {
                Piece::Bytes(bytes) => got.extend_from_slice(&bytes),
                Piece::Close(digest) => {
                    let span = chunk::span(at / CHUNK, length);
                    let bytes = &got[(at - range.start) as usize..];
                    assert_eq!(digest, chunk::digest(at / CHUNK, bytes, length));
                    at = span.end;
                }
            }
        }
    })
    .expect("all is there");
    assert_eq!(at, range.end);
    got
}

async fn a_file_is_read_in_chunks(door: Door) {
    let length = 2 * CHUNK + 9;
    let all = content(length, 7);
    let version = door.put("/a%20b", &all).await;
    let at = "/.gaveta/chunks/a%20b";
    let whole = door.get(at, &[]).await;
    assert_eq!(whole.status, 200);
    assert_eq!(whole.field("content-type"), "application/vnd.gaveta.chunks");
    assert_eq!(
        whole.field("content-length"),
        body_length(&(0..length)).to_string()
    );
    assert_eq!(whole.field("gaveta-length"), length.to_string());
    assert_eq!(whole.field("etag"), version);
    assert!(whole.get("gaveta-modified").is_some());
    assert_eq!(whole.field("gaveta-executable"), "?0");
    assert!(parse(&whole, 0..length, length) == all);
    for range in [0..CHUNK, CHUNK..2 * CHUNK, CHUNK..length, 2 * CHUNK..length] {
        let text = format!("{}-{}", range.start, range.end);
        let fields = [
            ("gaveta-range", text.as_str()),
            ("If-Match", version.as_str()),
        ];
        let part = door.get(at, &fields).await;
        let wanted = &all[range.start as usize..range.end as usize];
        assert!(parse(&part, range.clone(), length) == wanted, "{range:?}");
    }
    for (range, status) in [("1-5", 400), ("0-9999999", 416), ("x", 400), ("0-0", 400)] {
        assert_eq!(
            door.get(at, &[("gaveta-range", range)]).await.status,
            status,
            "{range}"
        );
    }
    let other = door.get(at, &[("If-Match", "\"other\"")]).await;
    assert_eq!(
        (other.status, other.code().as_str()),
        (412, "version-mismatch")
    );
    let head = door.ask("HEAD", at, &[], b"").await;
    assert_eq!(
        head.field("content-length"),
        body_length(&(0..length)).to_string()
    );
    door.put("/empty", b"").await;
    let empty = door.get("/.gaveta/chunks/empty", &[]).await;
    assert_eq!(
        (empty.status, empty.body.len(), empty.field("gaveta-length")),
        (200, 0, "0")
    );
    for (path, status) in [
        ("none", 404),
        ("x/", 409),
        ("", 409),
        ("%2e%2e/x", 400),
        (".gaveta/x", 400),
    ] {
        let reply = door.get(&format!("/.gaveta/chunks/{path}"), &[]).await;
        assert_eq!(reply.status, status, "{path}: {reply:?}");
    }
    assert_eq!(door.ask("PUT", at, &[], b"x").await.status, 405);
}

async fn an_outline_is_the_files(door: Door) {
    for length in [0, 1, CHUNK, CHUNK + 1, 3 * CHUNK] {
        let all = content(length, length);
        let version = door.put("/a", &all).await;
        let wanted: Vec<u8> = all
            .chunks(CHUNK as usize)
            .enumerate()
            .flat_map(|(i, bytes)| *chunk::digest(i as u64, bytes, length).as_bytes())
            .collect();
        for query in ["", "?fresh=true"] {
            let at = format!("/.gaveta/outline/a{query}");
            let reply = door.get(&at, &[("If-Match", version.as_str())]).await;
            assert_eq!(reply.status, 200, "{reply:?}");
            assert!(reply.body == wanted, "{length} {query}");
            assert_eq!(reply.field("gaveta-length"), length.to_string());
            assert_eq!(reply.field("etag"), version);
            let stale = door.get(&at, &[("If-Match", "\"other\"")]).await;
            assert_eq!(stale.status, 412);
        }
    }
}

async fn attributes_travel(door: Door) {
    let more = [
        ("gaveta-modified", "2001-02-03T04:05:06.000000007Z"),
        ("gaveta-executable", "?1"),
        ("If-None-Match", "*"),
    ];
    let at = address(&create(&door, "/a", 3, &more).await);
    send(&door, &at, 0..3, &framed(b"abc", 0..3).await).await;
    assert_eq!(commit(&door, &at, None).await.status, 201);
    let file = door.get("/a", &[]).await;
    assert_eq!(file.field("gaveta-executable"), "?1");
    assert!(
        file.field("gaveta-modified")
            .starts_with("2001-02-03T04:05:06")
    );
    // Without `gaveta-manual` the last byte publishes, in chunks too, and tus may go on with it.
    let fields = [("gaveta-target", "/b"), ("upload-length", "3")];
    let at = address(&door.admin("POST", UPLOADS, &fields, b"").await);
    assert_eq!(
        send(&door, &at, 0..3, &framed(b"abc", 0..3).await)
            .await
            .status,
        204
    );
    assert_eq!(door.get("/b", &[]).await.text(), "abc");
    assert_eq!(
        door.admin("HEAD", &at, &[TUS], b"")
            .await
            .field("upload-offset"),
        "3"
    );
}
