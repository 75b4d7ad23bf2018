//! Digest fields, in both directions: RFC 9530.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use gaveta_core::Digest;
use sha2::{Digest as _, Sha256};

use super::harness::Door;

super::harness::on_every_store! {
    promises_are_kept_or_nothing_is_published,
    promises_may_come_after_the_content,
    a_wrong_promise_leaves_the_old_version,
    wishes_are_answered,
}

type Fields<'a> = Vec<(&'a str, &'a str)>;

fn sha256(content: &[u8]) -> String {
    format!("sha-256=:{}:", STANDARD.encode(Sha256::digest(content)))
}

fn blake3(content: &[u8]) -> String {
    format!(
        "blake3=:{}:",
        STANDARD.encode(Digest::of(content).as_bytes())
    )
}

/// The body in chunks, with trailers.
fn chunked(content: &[u8], trailers: &[(&str, &str)]) -> Vec<u8> {
    let mut body = Vec::new();
    for piece in content.chunks(1000) {
        body.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
        body.extend_from_slice(piece);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"0\r\n");
    for (name, value) in trailers {
        body.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
    }
    body.extend_from_slice(b"\r\n");
    body
}

async fn promises_are_kept_or_nothing_is_published(door: Door) {
    let content = gaveta_testkit::content(3_000_000, 3);
    let (sha, blake) = (sha256(&content), blake3(&content));
    let (wrong_sha, wrong_blake) = (sha256(b"other"), blake3(b"other"));
    let both = format!("{sha}, {blake}");
    let half = format!("{sha}, {wrong_blake}");
    let table: Vec<(Fields, u16, &str)> = vec![
        (vec![("Repr-Digest", &sha)], 201, ""),
        (vec![("Repr-Digest", &blake)], 201, ""),
        (vec![("Content-Digest", &both)], 201, ""),
        (
            vec![("Repr-Digest", &sha), ("Content-Digest", &blake)],
            201,
            "",
        ),
        (
            vec![("Repr-Digest", &sha), ("Repr-Digest", &blake)],
            201,
            "",
        ),
        (vec![("Repr-Digest", "md5=:AAAA:, sha-512=:AAAA:")], 201, ""),
        (vec![("Repr-Digest", &wrong_sha)], 400, "digest-mismatch"),
        (vec![("Repr-Digest", &wrong_blake)], 400, "digest-mismatch"),
        (vec![("Content-Digest", &half)], 400, "digest-mismatch"),
        (
            vec![("Repr-Digest", &sha), ("Content-Digest", &wrong_sha)],
            400,
            "digest-mismatch",
        ),
        (vec![("Repr-Digest", "sha-256=abc")], 400, "bad-request"),
        (vec![("Repr-Digest", "sha-256=:AAAA:")], 400, "bad-request"),
        (vec![("Content-Digest", "(((")], 400, "bad-request"),
    ];
    for (i, (fields, status, code)) in table.iter().enumerate() {
        let target = format!("/f{i}");
        let reply = door.ask("PUT", &target, fields, &content).await;
        assert_eq!(reply.status, *status, "{fields:?}: {reply:?}");
        let get = door.get(&target, &[]).await;
        if *status == 201 {
            assert!(get.body == content, "{fields:?}");
        } else {
            assert_eq!(reply.code(), *code, "{fields:?}");
            assert_eq!(get.status, 404, "{fields:?}");
        }
    }
}

async fn promises_may_come_after_the_content(door: Door) {
    let content = gaveta_testkit::content(2_500_000, 4);
    let (sha, blake) = (sha256(&content), blake3(&content));
    let (wrong_sha, wrong_blake) = (sha256(b"other"), blake3(b"other"));
    // (announced, trailers, status, code); what was not announced is compared all the same.
    let table: Vec<(bool, Fields, u16, &str)> = vec![
        (true, vec![("Repr-Digest", &sha)], 201, ""),
        (true, vec![("Repr-Digest", &blake)], 201, ""),
        (
            true,
            vec![("Content-Digest", &sha), ("Repr-Digest", &blake)],
            201,
            "",
        ),
        (true, vec![("Repr-Digest", "md5=:AAAA:")], 201, ""),
        (
            true,
            vec![("Repr-Digest", &wrong_sha)],
            400,
            "digest-mismatch",
        ),
        (
            true,
            vec![("Repr-Digest", &wrong_blake)],
            400,
            "digest-mismatch",
        ),
        (true, vec![("Repr-Digest", "sha-256=1")], 400, "bad-request"),
        (false, vec![("Repr-Digest", &sha)], 201, ""),
        (
            false,
            vec![("Repr-Digest", &wrong_sha)],
            400,
            "digest-mismatch",
        ),
    ];
    for (i, (announced, trailers, status, code)) in table.iter().enumerate() {
        let target = format!("/f{i}");
        let mut fields = vec![("Transfer-Encoding", "chunked")];
        if *announced {
            fields.push(("Trailer", "Repr-Digest, Content-Digest"));
        }
        let body = chunked(&content, trailers);
        let reply = door.ask("PUT", &target, &fields, &body).await;
        assert_eq!(reply.status, *status, "{announced} {trailers:?}: {reply:?}");
        let get = door.get(&target, &[]).await;
        if *status == 201 {
            assert!(get.body == content, "{trailers:?}");
        } else {
            assert_eq!(reply.code(), *code, "{trailers:?}");
            assert_eq!(get.status, 404, "{trailers:?}");
        }
    }
}

async fn a_wrong_promise_leaves_the_old_version(door: Door) {
    let etag = door.put("/f", b"old").await;
    let wrong = blake3(b"other");
    let reply = door
        .admin("PUT", "/f", &[("Repr-Digest", &wrong)], b"new")
        .await;
    assert_eq!(
        (reply.status, reply.code().as_str()),
        (400, "digest-mismatch")
    );
    let get = door.get("/f", &[]).await;
    assert_eq!(
        (get.text().as_str(), get.field("etag")),
        ("old", etag.as_str())
    );
}

async fn wishes_are_answered(door: Door) {
    let content = gaveta_testkit::content(500_000, 5);
    door.put("/f", &content).await;
    let both = "sha-256=1, blake3=2";
    for (method, range) in [
        ("GET", None),
        ("HEAD", None),
        ("GET", Some(("Range", "bytes=0-9"))),
    ] {
        let mut fields = vec![("Want-Repr-Digest", both)];
        fields.extend(range);
        let reply = door.ask(method, "/f", &fields, b"").await;
        // Of the whole, whatever part is sent.
        let digests = gaveta_wire::digest::Digests::parse(reply.field("repr-digest")).unwrap();
        assert_eq!(
            digests.blake3,
            Some(Digest::of(&content)),
            "{method} {range:?}"
        );
        assert_eq!(
            digests.sha256,
            Some(Sha256::digest(&content).into()),
            "{method} {range:?}"
        );
    }
    let only = door.get("/f", &[("Want-Repr-Digest", "blake3=1")]).await;
    let digests = gaveta_wire::digest::Digests::parse(only.field("repr-digest")).unwrap();
    assert_eq!(
        (digests.blake3, digests.sha256),
        (Some(Digest::of(&content)), None)
    );
    for advice in ["md5=3", "sha-256=0", "((("] {
        let reply = door.get("/f", &[("Want-Repr-Digest", advice)]).await;
        assert!(reply.status == 200 && reply.body == content, "{advice}");
    }
}
