//! Sections: copying.

use gaveta_core::{ErrorKind, MovePlan, Path, Replace, Seal, WritePlan};

use super::Ability;
use super::bench::{Bench, assert_same, moving, p, refused, strange_version};
use crate::content::content;

pub(super) async fn copying_files(b: &Bench) {
    let bytes = content(300_001, 1);
    let plan = WritePlan {
        executable: Some(true),
        ..b.plan("a")
    };
    let source = b.publish(plan, &bytes, Seal::default()).await.unwrap();
    b.put("b", b"content b").await;
    let never = MovePlan::default;
    let copied = b.store.copy(&p("a"), &p("x/y/c"), never()).await.unwrap();
    assert_eq!(
        (copied.path.as_str(), copied.size),
        ("x/y/c", bytes.len() as u64)
    );
    assert_same(&copied, &b.stat("x/y/c").await);
    assert!(b.bytes("x/y/c").await == bytes);
    assert!(b.bytes("a").await == bytes, "the source stays");
    assert_eq!(
        b.stat("a").await.version,
        source.version,
        "and is not changed"
    );
    if b.can(Ability::Executable, "a copy may be run as its source") {
        assert!(copied.executable);
    }
    refused!(
        b.store.copy(&p("a"), &p("b"), never()).await,
        ErrorKind::Exists
    );
    refused!(
        b.store.copy(&p("none"), &p("z"), never()).await,
        ErrorKind::NotFound
    );
    refused!(
        b.store.copy(&p("a"), &p("b/z"), never()).await,
        ErrorKind::NotFolder
    );
    refused!(
        b.store.copy(&p("b/x"), &p("z"), never()).await,
        ErrorKind::NotFolder | ErrorKind::NotFound
    );
    let strange = MovePlan {
        version: Some(strange_version()),
        ..never()
    };
    refused!(
        b.store.copy(&p("a"), &p("z"), strange).await,
        ErrorKind::VersionMismatch
    );
    b.is_gone("z").await;
    assert_eq!(b.bytes("b").await, b"content b");
    let this = MovePlan {
        version: Some(source.version),
        ..never()
    };
    b.store.copy(&p("a"), &p("z"), this).await.unwrap();
    assert!(b.bytes("z").await == bytes);
    b.store.remove(&p("a"), Default::default()).await.unwrap();
    assert!(b.bytes("z").await == bytes, "a copy stands alone");
}

pub(super) async fn copying_over_a_file(b: &Bench) {
    b.put("a", b"aa").await;
    let there = b.put("b", b"b").await.version;
    b.put("folder/x", b"x").await;
    let strange = moving(Replace::Only(strange_version()));
    refused!(
        b.store.copy(&p("a"), &p("b"), strange.clone()).await,
        ErrorKind::VersionMismatch
    );
    refused!(
        b.store.copy(&p("a"), &p("none"), strange).await,
        ErrorKind::VersionMismatch
    );
    b.is_gone("none").await;
    assert_eq!(b.bytes("b").await, b"b");
    b.store
        .copy(&p("a"), &p("b"), moving(Replace::Only(there.clone())))
        .await
        .unwrap();
    assert_eq!(b.bytes("b").await, b"aa");
    refused!(
        b.store
            .copy(&p("a"), &p("b"), moving(Replace::Only(there)))
            .await,
        ErrorKind::VersionMismatch
    );
    b.put("c", b"ccc").await;
    b.store
        .copy(&p("c"), &p("b"), moving(Replace::Always))
        .await
        .unwrap();
    assert_eq!(b.bytes("b").await, b"ccc");
    let always = || moving(Replace::Always);
    refused!(
        b.store.copy(&p("a"), &p("folder"), always()).await,
        ErrorKind::IsFolder
    );
    refused!(
        b.store.copy(&p("folder"), &p("a"), always()).await,
        ErrorKind::NotFolder
    );
    // Onto itself: nothing, or a refusal; never a loss.
    if let Err(error) = b.store.copy(&p("a"), &p("a"), always()).await {
        assert!(
            matches!(error.kind(), ErrorKind::BadMove | ErrorKind::Exists),
            "{error}"
        );
    }
    assert_eq!(b.bytes("a").await, b"aa");
    assert_eq!(b.bytes("folder/x").await, b"x");
}

pub(super) async fn copying_folders(b: &Bench) {
    b.put("d/one", b"1").await;
    b.put("d/e/two", &content(70_000, 2)).await;
    b.folder("d/empty").await;
    b.put("taken", b"t").await;
    b.folder("there").await;
    let copied = b
        .store
        .copy(&p("d"), &p("new/d"), MovePlan::default())
        .await
        .unwrap();
    assert!(copied.is_folder());
    assert_eq!(copied.path, p("new/d"));
    let tree = b.tree().await;
    for name in ["one", "e", "e/two", "empty"] {
        let (from, to) = (format!("d/{name}"), format!("new/d/{name}"));
        assert!(
            tree[&from] == tree[&to],
            "{name} is copied, and the source stays"
        );
    }
    let never = MovePlan::default;
    refused!(
        b.store.copy(&p("d"), &p("taken"), never()).await,
        ErrorKind::Exists | ErrorKind::NotFolder
    );
    refused!(
        b.store.copy(&p("d"), &p("there"), never()).await,
        ErrorKind::Exists | ErrorKind::IsFolder | ErrorKind::NotFolder
    );
    refused!(
        b.store.copy(&p("taken"), &p("there"), never()).await,
        ErrorKind::Exists | ErrorKind::IsFolder
    );
    let strange = MovePlan {
        version: Some(strange_version()),
        ..never()
    };
    refused!(
        b.store.copy(&p("d"), &p("z"), strange).await,
        ErrorKind::VersionMismatch
    );
    assert!(b.tree().await == tree, "what is refused changes nothing");
}

pub(super) async fn copying_into_itself(b: &Bench) {
    b.put("a/b/c", b"x").await;
    let before = b.tree().await;
    let plan = MovePlan::default;
    for to in ["a/x", "a/b/x", "a/new/x"] {
        refused!(
            b.store.copy(&p("a"), &p(to), plan()).await,
            ErrorKind::BadMove
        );
    }
    refused!(
        b.store.copy(&Path::root(), &p("x"), plan()).await,
        ErrorKind::BadMove
    );
    refused!(
        b.store.copy(&p("a"), &Path::root(), plan()).await,
        ErrorKind::BadMove | ErrorKind::Exists | ErrorKind::IsFolder
    );
    assert_eq!(b.tree().await, before);
    b.store.copy(&p("a/b"), &p("ab"), plan()).await.unwrap();
    b.store.copy(&p("a/b/c"), &p("a/d"), plan()).await.unwrap();
    assert_eq!(b.bytes("ab/c").await, b"x");
    assert_eq!(b.bytes("a/d").await, b"x");
}
