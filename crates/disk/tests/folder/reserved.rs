//! The folder `.gaveta`: whose it is, and what an unclean stop leaves in it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::fs::symlink;
use std::path::Path as OsPath;
use std::process::Command;

use futures_util::{StreamExt, TryStreamExt};
use gaveta_core::{
    Check, Digest, ErrorKind, MovePlan, OnDrop, Replace, Seal, Store, TouchPlan, WritePlan,
};
use gaveta_disk::{DiskStore, Options};
use gaveta_testkit::{content, stream_of};
use tempfile::tempdir;

use super::{all, get, has_reserved_leftovers, kind, listed, p, plan, put, served};

#[tokio::test]
async fn a_second_server_is_refused_and_the_lock_goes_with_the_first() {
    let (root, store) = served();
    let again = || DiskStore::open(root.path(), Options::default());
    assert_eq!(kind(again()), ErrorKind::Locked);
    let reader = Options {
        read_only: true,
        ..Options::default()
    };
    DiskStore::open(root.path(), reader).unwrap();
    drop(store);
    again().unwrap();
}

#[tokio::test]
async fn a_reserved_folder_that_is_not_ours_is_refused() {
    for make in [
        (|root| symlink("/tmp", root.join(".gaveta")).unwrap()) as fn(&OsPath),
        |root| fs::write(root.join(".gaveta"), b"").unwrap(),
        |root| {
            fs::create_dir(root.join(".gaveta")).unwrap();
            symlink("/tmp", root.join(".gaveta/staging")).unwrap();
        },
    ] {
        let root = tempdir().unwrap();
        make(root.path());
        assert_eq!(
            kind(DiskStore::open(root.path(), Options::default())),
            ErrorKind::NotFolder
        );
    }
    let root = tempdir().unwrap();
    fs::create_dir(root.path().join(".gaveta")).unwrap();
    fs::write(root.path().join(".gaveta/format"), "2\n").unwrap();
    let error = DiskStore::open(root.path(), Options::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.chain().contains("format 2"), "{}", error.chain());
}

#[tokio::test]
async fn read_only_writes_nothing() {
    let root = tempdir().unwrap();
    fs::write(root.path().join("file"), b"x").unwrap();
    fs::set_permissions(root.path(), fs::Permissions::from_mode(0o555)).unwrap();
    let options = Options {
        read_only: true,
        ..Options::default()
    };
    let store = DiskStore::open(root.path(), options).unwrap();
    assert_eq!(get(&store, "file").await.unwrap(), b"x");
    assert_eq!(listed(&store, "").await.len(), 1);
    let (a, b) = (p("file"), p("b"));
    assert_eq!(
        kind(put(&store, "new", b"x", Replace::Never).await),
        ErrorKind::ReadOnly
    );
    assert_eq!(kind(store.make_folder(&b).await), ErrorKind::ReadOnly);
    assert_eq!(kind(store.remove(&a, all()).await), ErrorKind::ReadOnly);
    assert_eq!(
        kind(store.rename(&a, &b, MovePlan::default()).await),
        ErrorKind::ReadOnly
    );
    assert_eq!(
        kind(store.copy(&a, &b, MovePlan::default()).await),
        ErrorKind::ReadOnly
    );
    assert_eq!(
        kind(store.touch(&a, TouchPlan::default()).await),
        ErrorKind::ReadOnly
    );
    assert_eq!(store.uploads().await.unwrap().count().await, 0);
    assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1);
    fs::set_permissions(root.path(), fs::Permissions::from_mode(0o755)).unwrap();
}

#[tokio::test]
async fn leftovers_of_an_unclean_stop_are_cleared_and_kept_uploads_stay() {
    let (root, store) = served();
    let bytes = content(300_000, 1);
    let keep = WritePlan {
        on_drop: OnDrop::Keep,
        ..plan("kept", Replace::Never)
    };
    let upload = store.begin(keep).await.unwrap();
    let id = upload.state().await.unwrap().id;
    upload
        .write(0, stream_of(bytes[..200_000].to_vec(), 9000), Check::None)
        .await
        .unwrap();
    upload.sync().await.unwrap();
    upload
        .write(
            200_000,
            stream_of(bytes[200_000..250_000].to_vec(), 9000),
            Check::None,
        )
        .await
        .unwrap();
    // As after a crash: a copy of the disk while the server still runs.
    let crashed = tempdir().unwrap();
    let copied = Command::new("cp")
        .args(["-a"])
        .arg(root.path().join("."))
        .arg(crashed.path())
        .status();
    assert!(copied.unwrap().success());
    let inner = crashed.path().join(".gaveta");
    fs::create_dir_all(inner.join("staging/removed/deep/er")).unwrap();
    fs::write(inner.join("staging/part"), b"half").unwrap();
    fs::create_dir(inner.join("uploads/00000000000000000000000000000000")).unwrap();
    let store = DiskStore::open(crashed.path(), Options::default()).unwrap();
    assert_eq!(fs::read_dir(inner.join("staging")).unwrap().count(), 0);
    assert!(listed(&store, "").await.is_empty(), "never published");
    let states: Vec<_> = store.uploads().await.unwrap().try_collect().await.unwrap();
    assert_eq!(states.len(), 1);
    let upload = store.upload(&id, None).await.unwrap();
    assert_eq!(
        upload.state().await.unwrap().arrived.prefix(),
        200_000,
        "only what was flushed"
    );
    upload
        .write(
            200_000,
            stream_of(bytes[200_000..].to_vec(), 9000),
            Check::None,
        )
        .await
        .unwrap();
    upload
        .commit(Seal {
            length: None,
            digest: Some(Digest::of(&bytes)),
        })
        .await
        .unwrap();
    assert_eq!(get(&store, "kept").await.unwrap(), bytes);
    assert!(!has_reserved_leftovers(crashed.path()));
}

#[tokio::test]
async fn overwritten_bytes_are_not_trusted_after_a_crash() {
    let (root, store) = served();
    let keep = WritePlan {
        on_drop: OnDrop::Keep,
        ..plan("kept", Replace::Never)
    };
    let upload = store.begin(keep).await.unwrap();
    let id = upload.state().await.unwrap().id;
    upload
        .write(0, stream_of(content(9000, 1), 9000), Check::None)
        .await
        .unwrap();
    upload.sync().await.unwrap();
    upload
        .write(1000, stream_of(content(2000, 2), 9000), Check::None)
        .await
        .unwrap();
    // As after a power cut that kept the older bytes: they must not count as the newer ones.
    let crashed = tempdir().unwrap();
    copy_tree(root.path(), crashed.path());
    let content_there = crashed
        .path()
        .join(".gaveta/uploads")
        .join(id.as_str())
        .join("content");
    fs::write(content_there, content(9000, 1)).unwrap();
    let store = DiskStore::open(crashed.path(), Options::default()).unwrap();
    let upload = store.upload(&id, None).await.unwrap();
    let arrived = upload.state().await.unwrap().arrived;
    assert!(!arrived.touches(&(1000..3000)), "{arrived:?}");
}

fn copy_tree(from: &OsPath, to: &OsPath) {
    let copied = Command::new("cp")
        .args(["-a"])
        .arg(from.join("."))
        .arg(to)
        .status();
    assert!(copied.unwrap().success());
}
