//! Other file systems: mounts inside, and disks that fill.

use std::fs;
use std::os::unix::fs::MetadataExt;

use gaveta_core::{Check, Digest, ErrorKind, MovePlan, OnDrop, Replace, Seal, Store, WritePlan};
use gaveta_disk::{DiskStore, Options};
use gaveta_testkit::{Mounted, content, stream_of};
use tempfile::tempdir;

use super::{all, each_way, get, kind, listed, p, plan, put, served};

#[tokio::test]
async fn a_mount_inside_is_named_and_nothing_on_it_is_touched() {
    for (root, store) in each_way() {
        let point = root.path().join("d/e/mo unt");
        fs::create_dir_all(&point).unwrap();
        fs::write(root.path().join("d/file"), b"x").unwrap();
        let Some(_mounted) = Mounted::at(&point, "size=1m") else {
            return;
        };
        fs::write(point.join("precious"), b"x").unwrap();
        for path in ["d", "d/e", "d/e/mo unt"] {
            assert_eq!(
                kind(store.remove(&p(path), all()).await),
                ErrorKind::OtherMount,
                "{path}"
            );
        }
        let over = store
            .rename(&p("d/file"), &p("d/e/mo unt/file"), MovePlan::default())
            .await;
        assert_eq!(kind(over), ErrorKind::OtherMount);
        let mount = store
            .rename(&p("d/e/mo unt"), &p("x"), MovePlan::default())
            .await;
        assert_eq!(kind(mount), ErrorKind::OtherMount);
        if root.path().join(".gaveta").exists() {
            let put = put(&store, "d/e/mo unt/new", b"x", Replace::Never).await;
            assert_eq!(kind(put), ErrorKind::OtherMount);
        }
        assert!(point.join("precious").exists() && root.path().join("d/file").exists());
    }
}

#[tokio::test]
async fn a_disk_that_fills_in_the_middle_costs_nothing_once_there_is_room() {
    let root = tempdir().unwrap();
    let Some(_mounted) = Mounted::at(root.path(), "size=6m") else {
        return;
    };
    let store = DiskStore::open(root.path(), Options::default()).unwrap();
    fs::write(root.path().join("ballast"), vec![1; 3 << 20]).unwrap();
    let bytes = content(4 << 20, 7);
    let keep = WritePlan {
        on_drop: OnDrop::Keep,
        ..plan("big", Replace::Never)
    };
    let upload = store.begin(keep).await.unwrap();
    let full = upload
        .write(0, stream_of(bytes.clone(), 60_000), Check::None)
        .await;
    assert_eq!(kind(full), ErrorKind::NoSpace);
    let prefix = upload.state().await.unwrap().arrived.prefix();
    assert!((1 << 20..4 << 20).contains(&prefix), "{prefix}");
    assert_eq!(
        kind(
            upload
                .commit(Seal {
                    length: Some(4 << 20),
                    digest: None
                })
                .await
        ),
        ErrorKind::Incomplete
    );
    fs::remove_file(root.path().join("ballast")).unwrap();
    let rest = bytes[usize::try_from(prefix).unwrap()..].to_vec();
    upload
        .write(prefix, stream_of(rest, 60_000), Check::None)
        .await
        .unwrap();
    let seal = Seal {
        length: None,
        digest: Some(Digest::of(&bytes)),
    };
    upload.commit(seal).await.unwrap();
    assert!(get(&store, "big").await.unwrap() == bytes);
}

#[tokio::test]
async fn a_full_disk_is_named_and_the_old_version_stays() {
    let root = tempdir().unwrap();
    let Some(_mounted) = Mounted::at(root.path(), "size=2m") else {
        return;
    };
    let store = DiskStore::open(root.path(), Options::default()).unwrap();
    put(&store, "file", b"old", Replace::Never).await.unwrap();
    let big = content(4 << 20, 1);
    let declared = WritePlan {
        length: Some(4 << 20),
        ..plan("file", Replace::Always)
    };
    assert_eq!(
        kind(store.begin(declared).await.map(drop)),
        ErrorKind::NoSpace
    );
    assert_eq!(
        kind(put(&store, "file", &big, Replace::Always).await),
        ErrorKind::NoSpace
    );
    assert_eq!(get(&store, "file").await.unwrap(), b"old");
    // What is thrown away on another thread may hold it a moment longer.
    drop(store);
    let since = std::time::Instant::now();
    let store = loop {
        match DiskStore::open(root.path(), Options::default()) {
            Err(e) if e.kind() == ErrorKind::Locked && since.elapsed().as_secs() < 30 => {
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
            opened => break opened.unwrap(),
        }
    };
    put(&store, "file", &big[..1 << 20], Replace::Always)
        .await
        .unwrap();
    assert_eq!(
        kind(
            store
                .copy(&p("file"), &p("copy"), MovePlan::default())
                .await
        ),
        ErrorKind::NoSpace
    );
    assert_eq!(listed(&store, "").await.len(), 1);
}

#[tokio::test]
async fn who_announces_much_and_sends_nothing_takes_little() {
    let (root, store) = served();
    let announced = WritePlan {
        length: Some(256 << 20),
        ..plan("x", Replace::Never)
    };
    let _upload = store.begin(announced).await.unwrap();
    let staged = fs::read_dir(root.path().join(".gaveta/staging")).unwrap();
    let sizes: Vec<u64> = staged
        .map(|entry| entry.unwrap().metadata().unwrap().blocks() * 512)
        .collect();
    assert_eq!(sizes.len(), 1);
    assert!(sizes[0] < 16 << 20, "{sizes:?}");
}
