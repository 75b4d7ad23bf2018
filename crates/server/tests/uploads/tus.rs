//! The core of tus, creation, expiration, checksum and termination.

use sha1::Digest as _;

use super::harness::Door;
use super::{BYTES, TUS, UPLOADS, address, base64, begin, named, offset, patch, patch_with};

super::harness::on_every_store! {
    an_upload_is_published_with_its_last_byte,
    options_tell_what_is_spoken,
    an_empty_upload_is_published_at_once,
    content_may_come_with_the_creation,
    the_length_may_come_later,
    a_checksum_that_does_not_match_keeps_nothing,
    an_upload_can_be_ended,
    what_contradicts_itself_is_refused,
    requests_without_the_version_are_refused,
    a_method_may_stand_for_another,
    hostile_metadata_reaches_nothing,
    a_visitor_adds_and_replaces_nothing,
    an_id_is_a_capability_of_its_owner,
}

async fn an_upload_is_published_with_its_last_byte(door: Door) {
    let at = begin(&door, "folder/a b.txt", 10).await;
    assert_eq!(offset(&door, &at).await, 0);
    let reply = patch(&door, &at, 0, b"01234").await;
    assert_eq!((reply.status, reply.field("upload-offset")), (204, "5"));
    assert_eq!(reply.field("tus-resumable"), "1.0.0");
    assert!(reply.field("upload-expires").ends_with("GMT"));
    assert_eq!(door.get("/folder/a%20b.txt", &[]).await.status, 404);
    let head = door.ask("HEAD", &at, &[TUS], b"").await;
    assert_eq!(
        (head.field("upload-offset"), head.field("upload-length")),
        ("5", "10")
    );
    assert_eq!(head.field("upload-metadata"), named("folder/a b.txt"));
    assert_eq!(head.field("cache-control"), "no-store");
    assert!(head.get("upload-expires").is_some());
    let reply = patch(&door, &at, 5, b"56789").await;
    assert_eq!((reply.status, reply.field("upload-offset")), (204, "10"));
    let file = door.get("/folder/a%20b.txt", &[]).await;
    assert_eq!(file.text(), "0123456789");
    assert_eq!(reply.field("etag"), file.field("etag"));
    // Who did not get the last answer learns here that all is well.
    let head = door.ask("HEAD", &at, &[TUS], b"").await;
    assert_eq!((head.status, head.field("upload-offset")), (200, "10"));
    assert_eq!(head.field("etag"), file.field("etag"));
    let late = patch(&door, &at, 10, b"x").await;
    assert_eq!((late.status, late.code().as_str()), (410, "upload-lost"));
    assert_eq!(door.ask("DELETE", &at, &[TUS], b"").await.status, 410);
}

async fn options_tell_what_is_spoken(door: Door) {
    let reply = door.ask("OPTIONS", UPLOADS, &[], b"").await;
    assert_eq!(reply.status, 204);
    assert_eq!(reply.field("tus-version"), "1.0.0");
    let extensions: Vec<&str> = reply.field("tus-extension").split(',').collect();
    for extension in [
        "creation",
        "creation-with-upload",
        "creation-defer-length",
        "expiration",
        "checksum",
        "termination",
        "concatenation",
    ] {
        assert!(extensions.contains(&extension), "{extension}");
    }
    assert_eq!(reply.field("tus-checksum-algorithm"), "sha1,sha256,blake3");
    assert_eq!(reply.get("tus-max-size"), None);
}

async fn an_empty_upload_is_published_at_once(door: Door) {
    let at = begin(&door, "empty", 0).await;
    let file = door.get("/empty", &[]).await;
    assert_eq!((file.status, file.body.len()), (200, 0));
    assert_eq!(offset(&door, &at).await, 0);
}

async fn content_may_come_with_the_creation(door: Door) {
    for (path, whole) in [("some", "9"), ("all", "4")] {
        let named = named(path);
        let fields = [
            TUS,
            BYTES,
            ("Upload-Length", whole),
            ("Upload-Metadata", &named),
        ];
        let reply = door.ask("POST", UPLOADS, &fields, b"0123").await;
        assert_eq!((reply.status, reply.field("upload-offset")), (201, "4"));
        let at = address(&reply);
        if path == "some" {
            assert_eq!(patch(&door, &at, 4, b"45678").await.status, 204);
        }
    }
    assert_eq!(door.get("/some", &[]).await.text(), "012345678");
    assert_eq!(door.get("/all", &[]).await.text(), "0123");
    let named = named("other");
    let other = [
        TUS,
        ("Content-Type", "text/plain"),
        ("Upload-Length", "4"),
        ("Upload-Metadata", &named),
    ];
    assert_eq!(door.ask("POST", UPLOADS, &other, b"0123").await.status, 415);
}

async fn the_length_may_come_later(door: Door) {
    let named = named("later");
    let fields = [
        TUS,
        ("Upload-Defer-Length", "1"),
        ("Upload-Metadata", &named),
    ];
    let at = address(&door.ask("POST", UPLOADS, &fields, b"").await);
    let head = door.ask("HEAD", &at, &[TUS], b"").await;
    assert_eq!(
        (head.field("upload-defer-length"), head.get("upload-length")),
        ("1", None)
    );
    assert_eq!(patch(&door, &at, 0, b"012").await.status, 204);
    assert_eq!(door.get("/later", &[]).await.status, 404);
    let short = patch_with(&door, &at, 3, &[("Upload-Length", "2")], b"").await;
    assert_eq!(
        (short.status, short.code().as_str()),
        (400, "length-mismatch")
    );
    let last = patch_with(&door, &at, 3, &[("Upload-Length", "5")], b"34").await;
    assert_eq!(last.status, 204, "{last:?}");
    assert_eq!(door.get("/later", &[]).await.text(), "01234");
}

async fn a_checksum_that_does_not_match_keeps_nothing(door: Door) {
    // Longer than what is held in memory, and short.
    for length in [300_000, 1000] {
        let all = gaveta_testkit::content(length, 3);
        let path = format!("checked{length}");
        let at = begin(&door, &path, length).await;
        let (one, rest) = all.split_at(length / 3);
        let (two, three) = rest.split_at(length / 3);
        let sha1 = format!("sha1 {}", base64(sha1::Sha1::digest(one)));
        let sha256 = format!("sha256 {}", base64(sha2::Sha256::digest(two)));
        let blake3 = format!(
            "blake3 {}",
            base64(gaveta_core::Digest::of(three).as_bytes())
        );
        let mut reached = 0;
        for (checksum, part) in [(sha1, one), (sha256, two), (blake3, three)] {
            let mut wrong = part.to_vec();
            *wrong.last_mut().unwrap() ^= 1;
            let field = [("Upload-Checksum", checksum.as_str())];
            let refused = patch_with(&door, &at, reached, &field, &wrong).await;
            assert_eq!(
                (refused.status, refused.code().as_str()),
                (460, "digest-mismatch")
            );
            assert_eq!(offset(&door, &at).await, reached);
            let kept = patch_with(&door, &at, reached, &field, part).await;
            assert_eq!(kept.status, 204, "{checksum}: {kept:?}");
            reached += part.len();
        }
        assert_eq!(door.get(&format!("/{path}"), &[]).await.body, all);
    }
    let at = begin(&door, "x", 1).await;
    let unknown = patch_with(&door, &at, 0, &[("Upload-Checksum", "md5 AAAA")], b"x").await;
    assert_eq!(unknown.status, 400);
    assert_eq!(offset(&door, &at).await, 0);
}

async fn an_upload_can_be_ended(door: Door) {
    let at = begin(&door, "ended", 4).await;
    patch(&door, &at, 0, b"01").await;
    assert_eq!(door.ask("DELETE", &at, &[TUS], b"").await.status, 204);
    assert_eq!(door.ask("DELETE", &at, &[TUS], b"").await.status, 404);
    assert_eq!(patch(&door, &at, 2, b"23").await.status, 404);
    assert_eq!(door.ask("HEAD", &at, &[TUS], b"").await.status, 404);
    assert!(door.names().await.is_empty());
}

async fn what_contradicts_itself_is_refused(door: Door) {
    let named = named("a");
    let creation = |fields: Vec<(&'static str, String)>| {
        let door = &door;
        let named = named.clone();
        async move {
            let mut all = vec![TUS, ("Upload-Metadata", named.as_str())];
            all.extend(fields.iter().map(|(name, value)| (*name, value.as_str())));
            door.ask("POST", UPLOADS, &all, b"").await.status
        }
    };
    let one = |name: &'static str, value: &str| vec![(name, value.to_owned())];
    for value in ["-1", "+1", "1.5", "", "abc", "18446744073709551616", "1, 1"] {
        assert_eq!(creation(one("Upload-Length", value)).await, 400, "{value}");
    }
    assert_eq!(creation(vec![]).await, 400);
    assert_eq!(creation(one("Upload-Defer-Length", "2")).await, 400);
    let mut both = one("Upload-Length", "1");
    both.extend(one("Upload-Defer-Length", "1"));
    assert_eq!(creation(both).await, 400);
    assert_eq!(creation(one("Upload-Concat", "nonsense")).await, 400);
    let huge = creation(one("Upload-Length", "18446744073709551615")).await;
    assert!(matches!(huge, 413 | 507), "{huge}");

    let at = begin(&door, "a", 10).await;
    patch(&door, &at, 0, b"012").await;
    for (offset, status) in [(0, 409), (2, 409), (4, 409), (usize::MAX, 409)] {
        let reply = patch(&door, &at, offset, b"x").await;
        assert_eq!(
            (reply.status, reply.field("upload-offset")),
            (status, "3"),
            "{offset}"
        );
    }
    for bad in ["-3", "+3", "", "3.0", "0x3", "99999999999999999999"] {
        let fields = [TUS, BYTES, ("Upload-Offset", bad)];
        assert_eq!(
            door.ask("PATCH", &at, &fields, b"x").await.status,
            400,
            "{bad}"
        );
    }
    assert_eq!(
        door.ask("PATCH", &at, &[TUS, BYTES], b"x").await.status,
        400
    );
    let fields = [TUS, ("Upload-Offset", "3")];
    let untyped = door.ask("PATCH", &at, &fields, b"x").await;
    assert_eq!(untyped.status, 415);
    assert!(
        untyped
            .field("accept-patch")
            .contains("application/offset+octet-stream")
    );
    let long = patch(&door, &at, 3, b"01234567").await;
    assert_eq!(
        (long.status, long.code().as_str()),
        (400, "length-mismatch")
    );
    let chunked = [
        TUS,
        BYTES,
        ("Upload-Offset", "3"),
        ("Transfer-Encoding", "chunked"),
    ];
    let long = door
        .ask("PATCH", &at, &chunked, b"8\r\n01234567\r\n0\r\n\r\n")
        .await;
    assert_eq!(long.status, 400, "{long:?}");
    assert!(door.names().await.is_empty());
    let now = offset(&door, &at).await;
    assert!((3..=10).contains(&now), "{now}");
    let unknown = format!("{UPLOADS}/{}", "0".repeat(32));
    for at in [
        unknown.as_str(),
        "/.gaveta/uploads/x",
        "/.gaveta/uploads/..%2f..",
        "/.gaveta/uploads//",
    ] {
        let status = patch(&door, at, 0, b"x").await.status;
        assert!(matches!(status, 404 | 400), "{at}: {status}");
    }
    let put = door.ask("PUT", &at, &[], b"x").await;
    assert_eq!(put.status, 405);
    assert!(put.field("allow").contains("PATCH"));
}

async fn requests_without_the_version_are_refused(door: Door) {
    let at = begin(&door, "a", 4).await;
    for other in [None, Some(("Tus-Resumable", "0.2.2"))] {
        let fields: Vec<_> = other.into_iter().collect();
        let (named, length) = (named("b"), ("Upload-Length", "4"));
        let create = [fields.as_slice(), &[length, ("Upload-Metadata", &named)]].concat();
        let write = [fields.as_slice(), &[BYTES, ("Upload-Offset", "0")]].concat();
        for (method, target, fields) in [
            ("POST", UPLOADS, &create),
            ("PATCH", at.as_str(), &write),
            ("HEAD", at.as_str(), &fields),
        ] {
            let reply = door.ask(method, target, fields, b"").await;
            assert_eq!(
                (reply.status, reply.field("tus-version")),
                (412, "1.0.0"),
                "{method}"
            );
        }
    }
    let old = [("Tus-Resumable", "0.2.2")];
    assert_eq!(door.ask("DELETE", &at, &old, b"").await.status, 412);
    assert_eq!(offset(&door, &at).await, 0);
}

async fn a_method_may_stand_for_another(door: Door) {
    let at = begin(&door, "over", 3).await;
    let write = [
        TUS,
        BYTES,
        ("Upload-Offset", "0"),
        ("X-HTTP-Method-Override", "PATCH"),
    ];
    assert_eq!(door.ask("POST", &at, &write, b"012").await.status, 204);
    assert_eq!(door.get("/over", &[]).await.text(), "012");
    for (method, other) in [("GET", "DELETE"), ("POST", "TRACE"), ("POST", "patch")] {
        let fields = [TUS, ("X-HTTP-Method-Override", other)];
        assert_eq!(
            door.ask(method, &at, &fields, b"").await.status,
            400,
            "{method} {other}"
        );
    }
}

async fn hostile_metadata_reaches_nothing(door: Door) {
    for hostile in gaveta_testkit::hostile_paths() {
        let encoded = base64(&hostile.target);
        let decoded: Vec<u8> = percent(&hostile.target);
        for value in [encoded, base64(decoded)] {
            let metadata = format!("path {value}");
            let fields = [
                TUS,
                ("Upload-Length", "0"),
                ("Upload-Metadata", metadata.as_str()),
            ];
            let reply = door.ask("POST", UPLOADS, &fields, b"").await;
            assert!(
                matches!(reply.status, 201 | 400 | 401 | 409 | 412 | 413 | 431),
                "{}: {reply:?}",
                hostile.shown()
            );
        }
        let Ok(target) = std::str::from_utf8(&hostile.target) else {
            continue;
        };
        if target.bytes().any(|b| b.is_ascii_control()) {
            continue;
        }
        let fields = [("gaveta-target", target.trim()), ("Upload-Length", "0")];
        let reply = door.ask("POST", UPLOADS, &fields, b"").await;
        assert!(
            matches!(reply.status, 201 | 400 | 401 | 409 | 412 | 413 | 431),
            "{}: {reply:?}",
            hostile.shown()
        );
    }
    for bad in [
        "path !!!",
        "path YQ==,path YQ==",
        "",
        "type dGV4dA==",
        "path",
        "path Lw==",
    ] {
        let fields = [TUS, ("Upload-Length", "0"), ("Upload-Metadata", bad)];
        assert_eq!(
            door.ask("POST", UPLOADS, &fields, b"").await.status,
            400,
            "{bad}"
        );
    }
    let long = format!("path {},x {}", base64("a"), "A".repeat(12_000));
    let fields = [
        TUS,
        ("Upload-Length", "0"),
        ("Upload-Metadata", long.as_str()),
    ];
    assert_eq!(door.ask("POST", UPLOADS, &fields, b"").await.status, 413);
    // What the server keeps for itself cannot be named, in any spelling.
    for name in door.names().await {
        let plain = name.trim_end_matches(['.', ' ']).to_lowercase();
        assert!(plain != ".gaveta" && plain != "..", "{name:?}");
    }
}

fn percent(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = bytes;
    while let Some((&first, after)) = rest.split_first() {
        let hex = after.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) if first == b'%' => {
                out.push(byte);
                rest = &after[2..];
            }
            _ => {
                out.push(first);
                rest = after;
            }
        }
    }
    out
}

async fn a_visitor_adds_and_replaces_nothing(door: Door) {
    door.put("/there", b"old").await;
    let named = named("there");
    let fields = [
        TUS,
        ("Upload-Length", "3"),
        ("Upload-Metadata", named.as_str()),
    ];
    assert_eq!(door.ask("POST", UPLOADS, &fields, b"").await.status, 401);
    // The administrator replaces, unless he says otherwise.
    let only_new = [&fields[..], &[("If-None-Match", "*")]].concat();
    assert_eq!(
        door.admin("POST", UPLOADS, &only_new, b"").await.status,
        412
    );
    let stale = [&fields[..], &[("If-Match", "\"other\"")]].concat();
    assert_eq!(door.admin("POST", UPLOADS, &stale, b"").await.status, 412);
    let at = address(&door.admin("POST", UPLOADS, &fields, b"").await);
    let write = [TUS, BYTES, ("Upload-Offset", "0")];
    assert_eq!(door.admin("PATCH", &at, &write, b"new").await.status, 204);
    assert_eq!(door.get("/there", &[]).await.text(), "new");
    // Who loses the race for a new name replaces nothing, and may go on.
    let at = begin(&door, "raced", 4).await;
    door.put("/raced", b"winner").await;
    assert_eq!(patch(&door, &at, 0, b"late").await.status, 412);
    assert_eq!(door.get("/raced", &[]).await.text(), "winner");
    door.admin("DELETE", "/raced", &[], b"").await;
    // Complete and not published: whoever asks has it published.
    assert_eq!(offset(&door, &at).await, 4);
    assert_eq!(door.get("/raced", &[]).await.text(), "late");
}

async fn an_id_is_a_capability_of_its_owner(door: Door) {
    let named = named("admins");
    let fields = [
        TUS,
        ("Upload-Length", "3"),
        ("Upload-Metadata", named.as_str()),
    ];
    let at = address(&door.admin("POST", UPLOADS, &fields, b"").await);
    assert_eq!(door.ask("HEAD", &at, &[TUS], b"").await.status, 404);
    assert_eq!(patch(&door, &at, 0, b"bad").await.status, 404);
    assert_eq!(door.ask("DELETE", &at, &[TUS], b"").await.status, 404);
    assert_eq!(door.ask("GET", &at, &[], b"").await.status, 404);
    let visitors = begin(&door, "visitors", 3).await;
    assert_eq!(door.admin("HEAD", &visitors, &[TUS], b"").await.status, 200);
    assert_eq!(door.get(UPLOADS, &[]).await.status, 401);
    let all = door.admin("GET", UPLOADS, &[], b"").await;
    assert_eq!(all.field("content-type"), "application/x-ndjson");
    let lines: Vec<serde_json::Value> = all
        .text()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let mut owners: Vec<_> = lines
        .iter()
        .map(|line| line["owner"].as_str().unwrap())
        .collect();
    owners.sort_unstable();
    assert_eq!(owners, ["admin", "visitor"]);
    assert_eq!(
        door.admin("DELETE", &visitors, &[TUS], b"").await.status,
        204
    );
}
