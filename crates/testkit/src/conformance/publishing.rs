//! Sections: what a commit may put where, and who wins.

use futures_util::future::join_all;
use gaveta_core::{Check, Digest, Entry, Error, ErrorKind, Path, Replace, Result, Seal, WritePlan};

use super::Ability;
use super::bench::{Bench, p, refused, strange_version};
use crate::content::{content, stream_of};

pub(super) async fn never_replaces(b: &Bench) {
    let was = b.put("file", b"first").await;
    refused!(
        b.publish_as("file", b"second", Replace::Never).await,
        ErrorKind::Exists
    );
    assert_eq!(b.bytes("file").await, b"first");
    assert_eq!(b.stat("file").await.version, was.version);

    // It comes between begin and commit.
    let upload = b.store.begin(b.plan("late")).await.unwrap();
    b.put("late", b"first").await;
    let result = async {
        upload
            .write(0, stream_of(&b"second"[..], 3), Check::None)
            .await?;
        upload.commit(Seal::default()).await
    };
    refused!(result.await, ErrorKind::Exists);
    assert_eq!(b.bytes("late").await, b"first");
}

pub(super) async fn always_replaces(b: &Bench) {
    b.publish_as("file", b"first", Replace::Always)
        .await
        .unwrap();
    for bytes in [&b"the second, longer"[..], b"third", b""] {
        let entry = b.publish_as("file", bytes, Replace::Always).await.unwrap();
        assert_eq!(entry.size, bytes.len() as u64);
        assert_eq!(b.bytes("file").await, bytes);
    }
    // It goes between begin and commit: then there is nothing to replace, and it is made.
    let plan = WritePlan {
        replace: Replace::Always,
        ..b.plan("file")
    };
    let upload = b.store.begin(plan).await.unwrap();
    b.store
        .remove(&p("file"), Default::default())
        .await
        .unwrap();
    upload
        .write(0, stream_of(&b"fifth"[..], 2), Check::None)
        .await
        .unwrap();
    upload.commit(Seal::default()).await.unwrap();
    assert_eq!(b.bytes("file").await, b"fifth");
    assert_eq!(b.names("").await.len(), 1);
}

pub(super) async fn only_one_version_is_replaced(b: &Bench) {
    let strange = || Replace::Only(strange_version());
    refused!(
        b.publish_as("none", b"x", strange()).await,
        ErrorKind::VersionMismatch
    );
    b.is_gone("none").await;
    let first = b.put("file", b"first").await.version;
    refused!(
        b.publish_as("file", b"x", strange()).await,
        ErrorKind::VersionMismatch
    );
    assert_eq!(b.bytes("file").await, b"first");
    b.publish_as("file", b"second", Replace::Only(first.clone()))
        .await
        .unwrap();
    assert_eq!(b.bytes("file").await, b"second");
    refused!(
        b.publish_as("file", b"third", Replace::Only(first)).await,
        ErrorKind::VersionMismatch
    );

    // It changes between begin and commit.
    let second = b.stat("file").await.version;
    let plan = WritePlan {
        replace: Replace::Only(second.clone()),
        ..b.plan("file")
    };
    let upload = b.store.begin(plan).await.unwrap();
    b.publish_as("file", b"somebody else", Replace::Always)
        .await
        .unwrap();
    let result = async {
        upload
            .write(0, stream_of(&b"late"[..], 2), Check::None)
            .await?;
        upload.commit(Seal::default()).await
    };
    refused!(result.await, ErrorKind::VersionMismatch);
    assert_eq!(b.bytes("file").await, b"somebody else");

    // It goes between begin and commit.
    let third = b.stat("file").await.version;
    let plan = WritePlan {
        replace: Replace::Only(third),
        ..b.plan("file")
    };
    let upload = b.store.begin(plan).await.unwrap();
    b.store
        .remove(&p("file"), Default::default())
        .await
        .unwrap();
    let result = async {
        upload
            .write(0, stream_of(&b"late"[..], 2), Check::None)
            .await?;
        upload.commit(Seal::default()).await
    };
    refused!(result.await, ErrorKind::VersionMismatch);
    b.is_gone("file").await;
}

pub(super) async fn a_folder_is_no_target(b: &Bench) {
    b.put("folder/inside", b"x").await;
    let version = b.stat("folder").await.version;
    refused!(
        b.publish_as("folder", b"x", Replace::Never).await,
        ErrorKind::IsFolder | ErrorKind::Exists
    );
    refused!(
        b.publish(
            WritePlan {
                target: Some(Path::root()),
                ..b.plan("x")
            },
            b"x",
            Seal::default()
        )
        .await,
        ErrorKind::IsFolder | ErrorKind::Exists
    );
    if b.has(Ability::Replace) {
        refused!(
            b.publish_as("folder", b"x", Replace::Always).await,
            ErrorKind::IsFolder
        );
        refused!(
            b.publish_as("folder", b"x", Replace::Only(version)).await,
            ErrorKind::IsFolder | ErrorKind::VersionMismatch
        );
    }
    // It comes between begin and commit.
    let upload = b.store.begin(b.plan("late")).await.unwrap();
    b.folder("late").await;
    let result = async {
        upload
            .write(0, stream_of(&b"x"[..], 2), Check::None)
            .await?;
        upload.commit(Seal::default()).await
    };
    refused!(result.await, ErrorKind::IsFolder | ErrorKind::Exists);
    assert_eq!(b.bytes("folder/inside").await, b"x");
    assert!(b.stat("late").await.is_folder());
}

pub(super) async fn a_file_is_no_parent(b: &Bench) {
    b.put("file", b"x").await;
    for path in ["file/below", "file/far/below"] {
        refused!(
            b.publish_as(path, b"y", Replace::Never).await,
            ErrorKind::NotFolder
        );
    }
    // It comes between begin and commit.
    let upload = b.store.begin(b.plan("late/below")).await.unwrap();
    b.put("late", b"z").await;
    let result = async {
        upload
            .write(0, stream_of(&b"y"[..], 2), Check::None)
            .await?;
        upload.commit(Seal::default()).await
    };
    refused!(result.await, ErrorKind::NotFolder);
    assert_eq!(b.tree().await.len(), 2);
    assert_eq!(b.bytes("late").await, b"z");
}

/// Asserts that one won, the others failed with this kind, and the file is the winner's.
async fn one_won(b: &Bench, path: &str, results: Vec<Result<Entry>>, lost: ErrorKind) {
    let won: Vec<usize> = results
        .iter()
        .enumerate()
        .filter(|(_, r)| r.is_ok())
        .map(|(i, _)| i)
        .collect();
    let kinds: Vec<_> = results
        .iter()
        .filter_map(|r| r.as_ref().err())
        .map(Error::kind)
        .collect();
    assert_eq!(won.len(), 1, "exactly one wins; the others got {kinds:?}");
    assert!(
        kinds.iter().all(|kind| *kind == lost),
        "the others get {lost:?}, not {kinds:?}"
    );
    assert_eq!(
        b.bytes(path).await,
        content(3000, won[0] as u64),
        "the winner's content"
    );
}

pub(super) async fn of_two_new_names_one_wins(b: &Bench) {
    for round in 0..8 {
        let path = format!("new/{round}/file");
        let all = (0..4).map(|i| {
            let path = path.clone();
            async move { b.publish_as(&path, &content(3000, i), Replace::Never).await }
        });
        one_won(b, &path, join_all(all).await, ErrorKind::Exists).await;
    }
    let folder = p("folder");
    let mut folders = join_all((0..4).map(|_| b.store.make_folder(&folder))).await;
    folders.retain(Result::is_ok);
    assert_eq!(folders.len(), 1, "one makes the folder");
}

pub(super) async fn of_two_replacements_one_wins(b: &Bench) {
    let mut version = b.put("file", b"old").await.version;
    for _ in 0..8 {
        let all = (0..4).map(|i| {
            let replace = Replace::Only(version.clone());
            async move { b.publish_as("file", &content(3000, i), replace).await }
        });
        let all = join_all(all).await;
        one_won(b, "file", all, ErrorKind::VersionMismatch).await;
        version = b.stat("file").await.version;
    }
    // Without a condition all win, one after another: the content is one of them, whole.
    let all = (0..4).map(|i| async move {
        b.publish_as("file", &content(3000, i), Replace::Always)
            .await
    });
    assert!(join_all(all).await.iter().all(Result::is_ok));
    let last = b.bytes("file").await;
    assert!((0..4).any(|i| content(3000, i) == last), "never a mixture");
}

pub(super) async fn early_errors(b: &Bench) {
    b.put("file", b"x").await;
    b.folder("folder").await;
    refused!(b.store.begin(b.plan("file")).await, ErrorKind::Exists);
    refused!(
        b.store.begin(b.plan("file/below")).await,
        ErrorKind::NotFolder
    );
    refused!(
        b.store.begin(b.plan("folder")).await,
        ErrorKind::IsFolder | ErrorKind::Exists
    );
    let replacing = |path, replace| WritePlan {
        replace,
        ..b.plan(path)
    };
    refused!(
        b.store.begin(replacing("folder", Replace::Always)).await,
        ErrorKind::IsFolder
    );
    for path in ["file", "none"] {
        let plan = replacing(path, Replace::Only(strange_version()));
        refused!(b.store.begin(plan).await, ErrorKind::VersionMismatch);
    }
}

pub(super) async fn a_failed_commit_can_be_repeated(b: &Bench) {
    let bytes = content(5000, 1);
    let upload = b.store.begin(b.plan("target")).await.unwrap();
    upload
        .write(0, stream_of(bytes.clone(), 600), Check::None)
        .await
        .unwrap();
    let wrong = Seal {
        length: None,
        digest: Some(Digest::of(b"wrong")),
    };
    refused!(upload.commit(wrong).await, ErrorKind::DigestMismatch);
    let long = Seal {
        length: Some(6000),
        digest: None,
    };
    refused!(
        upload.commit(long).await,
        ErrorKind::Incomplete | ErrorKind::LengthMismatch
    );
    let short = Seal {
        length: Some(4000),
        digest: None,
    };
    refused!(upload.commit(short).await, ErrorKind::LengthMismatch);
    b.assert_empty().await;

    b.put("target", b"in the way").await;
    refused!(upload.commit(Seal::default()).await, ErrorKind::Exists);
    assert_eq!(b.bytes("target").await, b"in the way");
    b.store
        .remove(&p("target"), Default::default())
        .await
        .unwrap();
    let right = Seal {
        length: Some(5000),
        digest: Some(Digest::of(&bytes)),
    };
    assert_eq!(upload.commit(right).await.unwrap().size, 5000);
    assert_eq!(b.bytes("target").await, bytes);
}
