//! Sections: new content, whole or not at all.

use std::time::{Duration, SystemTime};

use gaveta_core::{Check, Content, Digest, ErrorKind, ReadPlan, Replace, Seal, WritePlan};

use super::Ability;
use super::bench::{Bench, assert_same, by_hand, cut_after, eventually, p, refused, second};
use crate::content::{content, stream_of};

/// Lengths at which stores have gone wrong: none, one, a piece and a block, more or less.
const LENGTHS: [usize; 12] = [
    0, 1, 1009, 4095, 4096, 5000, 65_536, 262_143, 262_144, 262_145, 1_048_577, 5_242_880,
];

pub(super) async fn contents_of_every_size(b: &Bench) {
    for (seed, length) in LENGTHS.into_iter().enumerate() {
        let bytes = content(length, seed as u64);
        let path = format!("sizes/{length}");
        let plan = WritePlan {
            length: Some(length as u64),
            ..b.plan(&path)
        };
        let seal = Seal {
            length: Some(length as u64),
            digest: Some(Digest::of(&bytes)),
        };
        let entry = b
            .publish(plan, &bytes, seal)
            .await
            .unwrap_or_else(|e| panic!("{}", e.chain()));
        assert_eq!(
            (entry.size, entry.path.as_str()),
            (length as u64, path.as_str())
        );
        assert!(entry.is_file());
        assert!(
            b.bytes(&path).await == bytes,
            "{length} bytes come back as they went"
        );
        assert_same(&entry, &b.stat(&path).await);

        let other = format!("undeclared/{length}");
        b.put(&other, &bytes).await;
        assert!(
            b.bytes(&other).await == bytes,
            "{length} bytes of undeclared length"
        );
    }
    b.put("letters", b"a|b|c").await;
    assert_eq!(b.bytes("letters").await, b"a|b|c");
    assert_eq!(b.names("sizes").await.len(), LENGTHS.len());
}

pub(super) async fn an_upload_without_a_write_is_empty(b: &Bench) {
    for (path, length) in [("undeclared", None), ("declared", Some(0))] {
        let upload = b
            .store
            .begin(WritePlan {
                length,
                ..b.plan(path)
            })
            .await
            .unwrap();
        let entry = upload.commit(Seal::default()).await.unwrap();
        assert_eq!(entry.size, 0);
        assert!(b.bytes(path).await.is_empty());
    }
}

pub(super) async fn odd_names_are_kept(b: &Bench) {
    let long = "x".repeat(255);
    let long_accents = "é".repeat(127);
    let mut names = vec![
        " leading and trailing ",
        "two  spaces",
        "'single'",
        "\"double\"",
        "a|b|c",
        "-rf",
        "--help",
        "~",
        "$HOME",
        "`id`",
        "*",
        "?",
        "[a]",
        "{a,b}",
        "#",
        "a#b",
        "a?b=c",
        "a&b;c",
        "a+b",
        "%",
        "%2e%2e",
        "%2f",
        "%00",
        "%zz",
        "back\\slash",
        "..\\..\\up",
        "...",
        "..a",
        ".hidden",
        ".gavetas",
        "CON",
        "nul.txt",
        "trailing.",
        "a:b",
        "<a>",
        "🗄️.txt",
        "日本語",
        "ação",
        "ac\u{327}a\u{303}o",
        "e\u{301}",
        "\u{e9}",
        "\u{202e}gpj.exe",
        "İ",
        "ß",
        "ẞ",
        "@",
        "=",
        ",",
        "!",
        "^",
        "(",
        ")",
        "a\u{a0}b",
    ];
    names.extend([long.as_str(), long_accents.as_str()]);
    for (seed, name) in names.iter().enumerate() {
        let bytes = content(17, seed as u64);
        let entry = b.put(&format!("odd/{name}"), &bytes).await;
        assert_eq!(
            entry.path.name().map(str::as_bytes),
            Some(name.as_bytes()),
            "byte for byte"
        );
        b.put(&format!("folders/{name}/inside"), &bytes).await;
    }
    let expected: std::collections::BTreeSet<_> = names.iter().map(|n| (*n).to_owned()).collect();
    assert_eq!(expected.len(), names.len(), "the table has each name once");
    assert_eq!(b.names("odd").await, expected);
    assert_eq!(b.names("folders").await, expected);
    for (seed, name) in names.iter().enumerate() {
        assert_eq!(
            b.bytes(&format!("odd/{name}")).await,
            content(17, seed as u64),
            "{name:?}"
        );
        let inside = format!("folders/{name}/inside");
        assert_eq!(
            b.bytes(&inside).await,
            content(17, seed as u64),
            "{inside:?}"
        );
        assert_eq!(b.stat(&inside).await.path.as_str(), inside);
    }
    for name in &names {
        b.store
            .remove(&p(&format!("odd/{name}")), Default::default())
            .await
            .unwrap();
    }
    assert!(b.names("odd").await.is_empty());
}

pub(super) async fn missing_parents_are_made(b: &Bench) {
    let upload = b.store.begin(b.plan("a/b/c/file")).await.unwrap();
    upload
        .write(0, stream_of(&b"x"[..], 1), Check::None)
        .await
        .unwrap();
    b.is_gone("a").await;
    upload.commit(Seal::default()).await.unwrap();
    assert_eq!(b.bytes("a/b/c/file").await, b"x");
    assert!(b.stat("a/b").await.is_folder());
    b.put("a/b/other", b"y").await;
    assert_eq!(b.names("a/b").await.len(), 2);
}

pub(super) async fn modified_time_is_kept(b: &Bench) {
    let plan = WritePlan {
        modified: Some(second(5)),
        ..b.plan("old")
    };
    let entry = b.publish(plan, b"x", Seal::default()).await.unwrap();
    assert_eq!(entry.modified, second(5));
    assert_eq!(b.stat("old").await.modified, second(5));
    let listed = b.list("", Default::default()).await;
    assert_eq!(listed[0].modified, second(5));

    // A day's room: the store may live by another clock.
    let now = b.put("now", b"x").await.modified;
    let apart = now
        .duration_since(SystemTime::now())
        .unwrap_or_else(|e| e.duration());
    assert!(
        apart < Duration::from_secs(86_400),
        "a new file is new, not from {now:?}"
    );
    if b.can(Ability::NanosecondTimes, "nanoseconds") {
        let fine = second(6) + Duration::from_nanos(987_654_321);
        let plan = WritePlan {
            modified: Some(fine),
            ..b.plan("fine")
        };
        b.publish(plan, b"x", Seal::default()).await.unwrap();
        assert_eq!(b.stat("fine").await.modified, fine);
    }
}

pub(super) async fn executable_is_kept(b: &Bench) {
    for (path, executable) in [("yes", Some(true)), ("no", Some(false)), ("unsaid", None)] {
        let plan = WritePlan {
            executable,
            ..b.plan(path)
        };
        let entry = b.publish(plan, b"#!", Seal::default()).await.unwrap();
        assert_eq!(entry.executable, executable == Some(true), "{path}");
        assert_eq!(b.stat(path).await.executable, entry.executable, "{path}");
    }
    if b.can(Ability::Replace, "as the file it replaces") {
        for (executable, expected) in [(None, true), (Some(false), false), (Some(true), true)] {
            let plan = WritePlan {
                executable,
                replace: Replace::Always,
                ..b.plan("yes")
            };
            let entry = b.publish(plan, b"#!2", Seal::default()).await.unwrap();
            assert_eq!(entry.executable, expected, "{executable:?}");
        }
    }
}

pub(super) async fn declared_length_is_compared(b: &Bench) {
    let long = content(5000, 1);
    let declared = |length| WritePlan {
        length: Some(length),
        ..b.plan("file")
    };
    for (length, sent) in [(4999, 5000), (0, 5000), (1, 5000), (0, 1)] {
        let result = b
            .publish(declared(length), &long[..sent], Seal::default())
            .await;
        refused!(result, ErrorKind::LengthMismatch);
        b.assert_empty().await;
    }
    for (length, sent) in [(5001, 5000), (1, 0), (5000, 1), (262_144, 5000)] {
        let result = b
            .publish(declared(length), &long[..sent], Seal::default())
            .await;
        refused!(result, ErrorKind::Incomplete | ErrorKind::LengthMismatch);
        b.assert_empty().await;
    }
}

pub(super) async fn seal_is_compared(b: &Bench) {
    let bytes = content(5000, 2);
    let wrong = Some(Digest::of(b"something else"));
    let right = Some(Digest::of(&bytes));
    for length in [None, Some(5000)] {
        let seal = Seal {
            length,
            digest: wrong,
        };
        refused!(
            b.publish(b.plan("file"), &bytes, seal).await,
            ErrorKind::DigestMismatch
        );
        b.assert_empty().await;
    }
    for length in [0, 4999, 5001, u64::MAX] {
        let seal = Seal {
            length: Some(length),
            digest: right,
        };
        let result = b.publish(b.plan("file"), &bytes, seal).await;
        refused!(result, ErrorKind::LengthMismatch | ErrorKind::Incomplete);
        b.assert_empty().await;
    }
    let seal = Seal {
        length: Some(5000),
        digest: right,
    };
    b.publish(b.plan("file"), &bytes, seal).await.unwrap();
    assert_eq!(b.bytes("file").await, bytes);
}

pub(super) async fn cut_content_publishes_nothing(b: &Bench) {
    let bytes = content(3000, 3);
    // The error itself comes back, not one about the length or the line.
    for kind in [
        ErrorKind::TimedOut,
        ErrorKind::LengthMismatch,
        ErrorKind::Closing,
    ] {
        let plan = WritePlan {
            length: Some(5000),
            ..b.plan("cut/file")
        };
        let upload = b.store.begin(plan).await.unwrap();
        let result = upload.write(0, cut_after(&bytes, kind), Check::None).await;
        assert_eq!(
            result.map_err(|error| error.kind()),
            Err(kind),
            "what the content ends with"
        );
        assert!(
            upload.commit(Seal::default()).await.is_err(),
            "2000 bytes are missing"
        );
        drop(upload);
        b.assert_empty().await;
    }
    if b.has(Ability::Replace) {
        b.put("there", b"old").await;
        let plan = WritePlan {
            replace: Replace::Always,
            ..b.plan("there")
        };
        let upload = b.store.begin(plan).await.unwrap();
        let content = cut_after(&bytes, ErrorKind::TimedOut);
        refused!(
            upload.write(0, content, Check::None).await,
            ErrorKind::TimedOut
        );
        drop(upload);
        assert_eq!(b.bytes("there").await, b"old");
    }
}

pub(super) async fn a_dropped_upload_publishes_nothing(b: &Bench) {
    drop(b.store.begin(b.plan("begun")).await.unwrap());

    let upload = b.store.begin(b.plan("written")).await.unwrap();
    upload
        .write(0, stream_of(content(70_000, 4), 999), Check::None)
        .await
        .unwrap();
    drop(upload);

    // The line is cut while it writes: the future itself is dropped.
    let upload = b.store.begin(b.plan("writing")).await.unwrap();
    let (feed, pieces) = by_hand();
    feed.send(Ok(content(9000, 5).into())).unwrap();
    {
        let write = upload.write(0, pieces, Check::None);
        tokio::pin!(write);
        let waited = tokio::time::timeout(Duration::from_millis(50), &mut write).await;
        assert!(waited.is_err(), "the content has not ended");
    }
    drop((upload, feed));
    b.assert_empty().await;

    if b.has(Ability::Resume) {
        eventually("no dropped upload is kept", async || kept(b).await == 0).await;
    }
    b.assert_empty().await;
}

async fn kept(b: &Bench) -> usize {
    use futures_util::StreamExt;
    b.store.uploads().await.unwrap().count().await
}

pub(super) async fn nothing_shows_before_the_commit(b: &Bench) {
    if b.has(Ability::Replace) {
        b.put("there", b"old content").await;
    }
    let before = b.tree().await;
    let new = content(100_000, 6);
    let upload = b.store.begin(b.plan("new")).await.unwrap();
    assert_eq!(b.tree().await, before);
    write_whole(&*upload, &new).await;
    assert_eq!(b.tree().await, before);
    upload.commit(Seal::default()).await.unwrap();
    assert_eq!(b.bytes("new").await, new);

    if b.has(Ability::Replace) {
        let was = b.stat("there").await;
        let plan = WritePlan {
            replace: Replace::Always,
            ..b.plan("there")
        };
        let upload = b.store.begin(plan).await.unwrap();
        assert_eq!(b.bytes("there").await, b"old content");
        write_whole(&*upload, &new).await;
        assert_eq!(b.bytes("there").await, b"old content");
        assert_same(&was, &b.stat("there").await);
        upload.commit(Seal::default()).await.unwrap();
        assert_eq!(b.bytes("there").await, new);
    }
}

async fn write_whole(upload: &dyn gaveta_core::Upload, bytes: &[u8]) {
    let content: Content = stream_of(bytes.to_vec(), 30_000);
    assert_eq!(
        upload.write(0, content, Check::None).await.unwrap(),
        bytes.len() as u64
    );
}

pub(super) async fn versions_follow_the_content(b: &Bench) {
    let first = b.put("file", b"content 0").await.version;
    for _ in 0..3 {
        assert_eq!(
            b.stat("file").await.version,
            first,
            "looking changes nothing"
        );
        assert_eq!(b.list("", Default::default()).await[0].version, first);
        let reading = b.store.read(&p("file"), ReadPlan::default()).await.unwrap();
        assert_eq!(reading.entry().version, first);
        b.bytes("file").await;
    }
    b.put("other", b"x").await;
    assert_eq!(
        b.stat("file").await.version,
        first,
        "another file's change is not its own"
    );
    if !b.can(Ability::Replace, "changed content") {
        return;
    }
    let mut seen = vec![first];
    for round in 1..=8u8 {
        // The same length and the same modified time each time: only the content differs.
        let plan = WritePlan {
            replace: Replace::Always,
            modified: Some(second(0)),
            ..b.plan("file")
        };
        let bytes = [b"content ".as_slice(), &[b'0' + round]].concat();
        let version = b
            .publish(plan, &bytes, Seal::default())
            .await
            .unwrap()
            .version;
        assert_ne!(
            Some(&version),
            seen.last(),
            "a changed content has another version"
        );
        assert_eq!(b.stat("file").await.version, version);
        seen.push(version);
    }
    if b.can(Ability::VersionsNeverReturn, "old versions") {
        let distinct: std::collections::HashSet<_> = seen.iter().collect();
        assert_eq!(
            distinct.len(),
            seen.len(),
            "no version comes back: {seen:?}"
        );
    }
}

pub(super) async fn digests_are_true(b: &Bench) {
    let bytes = content(70_001, 7);
    let digest = Digest::of(&bytes);
    let seal = Seal {
        length: None,
        digest: Some(digest),
    };
    let committed = b.publish(b.plan("file"), &bytes, seal).await.unwrap();
    let mut seen = vec![committed, b.stat("file").await];
    seen.extend(b.list("", Default::default()).await);
    seen.push(
        b.store
            .rename(&p("file"), &p("moved"), Default::default())
            .await
            .unwrap(),
    );
    seen.push(
        b.store
            .copy(&p("moved"), &p("copied"), Default::default())
            .await
            .unwrap(),
    );
    seen.push(b.stat("moved").await);
    seen.push(b.stat("copied").await);
    for entry in seen {
        assert!(entry.digest.is_none_or(|told| told == digest), "{entry:?}");
    }
    if b.has(Ability::Replace) {
        let other = b
            .publish_as("moved", b"other", Replace::Always)
            .await
            .unwrap();
        for entry in [other, b.stat("moved").await] {
            assert!(
                entry.digest.is_none_or(|told| told == Digest::of(b"other")),
                "{entry:?}"
            );
        }
    }
}
