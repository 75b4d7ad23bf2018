//! Sections: renaming.

use futures_util::future::join_all;
use gaveta_core::{ErrorKind, MovePlan, Path, Replace, Result};

use super::Ability;
use super::bench::{Bench, assert_same, moving, p, refused, strange_version};

pub(super) async fn renaming_files(b: &Bench) {
    b.put("a", b"content a").await;
    b.put("b", b"content b").await;
    let never = MovePlan::default;
    let moved = b.store.rename(&p("a"), &p("c"), never()).await.unwrap();
    assert_eq!(moved.path, p("c"));
    assert_same(&moved, &b.stat("c").await);
    b.is_gone("a").await;
    assert_eq!(b.bytes("c").await, b"content a");

    refused!(
        b.store.rename(&p("c"), &p("b"), never()).await,
        ErrorKind::Exists
    );
    refused!(
        b.store.rename(&p("none"), &p("x"), never()).await,
        ErrorKind::NotFound
    );
    refused!(
        b.store.rename(&p("none/x"), &p("x"), never()).await,
        ErrorKind::NotFound
    );
    refused!(
        b.store.rename(&p("c"), &p("b/x"), never()).await,
        ErrorKind::NotFolder
    );
    refused!(
        b.store.rename(&p("c/x"), &p("y"), never()).await,
        ErrorKind::NotFolder | ErrorKind::NotFound
    );
    refused!(
        b.store.rename(&p("c"), &p("c/x"), never()).await,
        ErrorKind::NotFolder | ErrorKind::BadMove
    );
    assert_eq!(
        (b.bytes("b").await, b.bytes("c").await),
        (b"content b".into(), b"content a".into())
    );

    let deep = b.store.rename(&p("c"), &p("x/y/z"), never()).await.unwrap();
    assert_eq!(deep.path, p("x/y/z"));
    assert_eq!(b.bytes("x/y/z").await, b"content a");
    for replace in [Replace::Never, Replace::Always] {
        let same = b
            .store
            .rename(&p("b"), &p("b"), moving(replace))
            .await
            .unwrap();
        assert_same(&same, &b.stat("b").await);
        assert_eq!(
            b.bytes("b").await,
            b"content b",
            "renaming to itself does nothing"
        );
    }
    b.put("a", b"new").await;
    assert_eq!(b.bytes("a").await, b"new", "the old name is free again");
}

pub(super) async fn renaming_over_a_file(b: &Bench) {
    for (n, bytes) in [b"0", b"1", b"2", b"3"].into_iter().enumerate() {
        b.put(&format!("f{n}"), bytes).await;
    }
    b.store
        .rename(&p("f0"), &p("f1"), moving(Replace::Always))
        .await
        .unwrap();
    assert_eq!(b.bytes("f1").await, b"0");
    let strange = moving(Replace::Only(strange_version()));
    refused!(
        b.store.rename(&p("f1"), &p("f2"), strange.clone()).await,
        ErrorKind::VersionMismatch
    );
    refused!(
        b.store.rename(&p("f1"), &p("none"), strange).await,
        ErrorKind::VersionMismatch
    );
    b.is_gone("none").await;
    assert_eq!(b.bytes("f2").await, b"2");
    let this = moving(Replace::Only(b.stat("f2").await.version));
    b.store.rename(&p("f1"), &p("f2"), this).await.unwrap();
    assert_eq!(b.bytes("f2").await, b"0");
    assert_eq!(
        b.names("").await.into_iter().collect::<Vec<_>>(),
        ["f2", "f3"]
    );
    b.store
        .rename(&p("f3"), &p("free"), moving(Replace::Always))
        .await
        .unwrap();
    assert_eq!(b.bytes("free").await, b"3");
}

pub(super) async fn renaming_folders(b: &Bench) {
    b.put("d/one", b"1").await;
    b.put("d/e/two", b"2").await;
    b.put("d2/near", b"near").await;
    b.put("file", b"f").await;
    b.folder("empty").await;
    let never = MovePlan::default;
    let moved = b
        .store
        .rename(&p("d"), &p("new/place"), never())
        .await
        .unwrap();
    assert!(moved.is_folder());
    assert_eq!(moved.path, p("new/place"));
    b.is_gone("d").await;
    b.is_gone("d/one").await;
    assert_eq!(b.bytes("new/place/one").await, b"1");
    assert_eq!(b.bytes("new/place/e/two").await, b"2");
    assert_eq!(b.bytes("d2/near").await, b"near", "named alike, not inside");

    refused!(
        b.store.rename(&p("d2"), &p("empty"), never()).await,
        ErrorKind::Exists | ErrorKind::IsFolder
    );
    refused!(
        b.store.rename(&p("file"), &p("empty"), never()).await,
        ErrorKind::Exists | ErrorKind::IsFolder
    );
    refused!(
        b.store.rename(&p("d2"), &p("file"), never()).await,
        ErrorKind::Exists | ErrorKind::NotFolder
    );
    if b.can(Ability::Replace, "a folder is never replaced") {
        let always = || moving(Replace::Always);
        refused!(
            b.store.rename(&p("file"), &p("empty"), always()).await,
            ErrorKind::IsFolder
        );
        refused!(
            b.store.rename(&p("d2"), &p("file"), always()).await,
            ErrorKind::NotFolder
        );
        refused!(
            b.store.rename(&p("d2"), &p("empty"), always()).await,
            ErrorKind::IsFolder | ErrorKind::NotFolder
        );
    }
    assert_eq!(b.tree().await.len(), 9, "what is refused changes nothing");
    b.store
        .rename(&p("empty"), &p("d2/empty"), never())
        .await
        .unwrap();
    assert!(b.names("d2/empty").await.is_empty());
}

pub(super) async fn renaming_into_itself(b: &Bench) {
    b.put("a/b/c", b"x").await;
    let before = b.tree().await;
    let plan = MovePlan::default;
    for to in ["a/x", "a/b/x", "a/b/c/x", "a/new/x"] {
        refused!(
            b.store.rename(&p("a"), &p(to), plan()).await,
            ErrorKind::BadMove
        );
    }
    refused!(
        b.store.rename(&Path::root(), &p("x"), plan()).await,
        ErrorKind::BadMove
    );
    refused!(
        b.store.rename(&Path::root(), &p("a/x"), plan()).await,
        ErrorKind::BadMove
    );
    refused!(
        b.store.rename(&p("a/b"), &Path::root(), plan()).await,
        ErrorKind::BadMove | ErrorKind::Exists | ErrorKind::IsFolder
    );
    refused!(
        b.store.rename(&p("a/b"), &p("a"), plan()).await,
        ErrorKind::BadMove | ErrorKind::Exists | ErrorKind::IsFolder
    );
    refused!(
        b.store.rename(&p("a/b/c"), &p("a/b"), plan()).await,
        ErrorKind::BadMove | ErrorKind::Exists | ErrorKind::IsFolder
    );
    let same = b.store.rename(&p("a"), &p("a"), plan()).await.unwrap();
    assert_eq!(same.path, p("a"));
    assert_eq!(b.tree().await, before);
    // Up and down again, and a name that only begins alike.
    b.store.rename(&p("a/b"), &p("ab"), plan()).await.unwrap();
    b.store.rename(&p("a"), &p("ab/a"), plan()).await.unwrap();
    assert_eq!(
        b.tree().await.into_keys().collect::<Vec<_>>(),
        ["ab", "ab/a", "ab/c"]
    );
}

pub(super) async fn renaming_needs_its_version(b: &Bench) {
    let file = b.put("file", b"x").await;
    let folder = b.folder("folder").await;
    let named = |version| MovePlan {
        replace: Replace::Never,
        version: Some(version),
        ..Default::default()
    };
    for path in ["file", "folder"] {
        let plan = named(strange_version());
        refused!(
            b.store.rename(&p(path), &p("to"), plan).await,
            ErrorKind::VersionMismatch
        );
        b.is_gone("to").await;
    }
    b.store
        .rename(&p("file"), &p("to"), named(file.version))
        .await
        .unwrap();
    b.store
        .rename(&p("folder"), &p("to2"), named(folder.version))
        .await
        .unwrap();
    assert_eq!(
        b.names("").await.into_iter().collect::<Vec<_>>(),
        ["to", "to2"]
    );
}

pub(super) async fn renaming_races(b: &Bench) {
    for round in 0..8 {
        let (to, first) = (format!("{round}/to"), format!("{round}/0"));
        for n in 0..4u8 {
            b.put(&format!("{round}/{n}"), &[n]).await;
        }
        // Several files want one name: one gets it, nothing is lost.
        let all = (0..4).map(|n| {
            let (from, to) = (p(&format!("{round}/{n}")), p(&to));
            async move { b.store.rename(&from, &to, MovePlan::default()).await }
        });
        let results = join_all(all).await;
        assert_eq!(
            results.iter().filter(|r| r.is_ok()).count(),
            1,
            "one gets the name"
        );
        for error in results.into_iter().filter_map(Result::err) {
            assert_eq!(error.kind(), ErrorKind::Exists);
        }
        let names = b.names(&round.to_string()).await;
        assert_eq!(names.len(), 4, "three keep theirs: {names:?}");

        // One file is wanted under several names: it gets one.
        let from = if names.contains("0") {
            first
        } else {
            format!("{round}/1")
        };
        let all = (0..4).map(|n| {
            let (from, to) = (p(&from), p(&format!("{round}/got{n}")));
            async move { b.store.rename(&from, &to, MovePlan::default()).await }
        });
        let results = join_all(all).await;
        assert_eq!(
            results.iter().filter(|r| r.is_ok()).count(),
            1,
            "it goes to one place"
        );
        for error in results.into_iter().filter_map(Result::err) {
            assert_eq!(error.kind(), ErrorKind::NotFound);
        }
        assert_eq!(
            b.names(&round.to_string()).await.len(),
            4,
            "and is there once"
        );
    }
}
