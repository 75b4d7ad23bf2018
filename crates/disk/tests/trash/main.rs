//! The trash in a folder: what somebody does to its files, clocks, mounts, and many things.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::indexing_slicing,
    reason = "tests may"
)]

mod check;
mod figures;
mod races;
mod room;

use std::fs;
use std::path::Path as OsPath;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures_util::{StreamExt, TryStreamExt};
use gaveta_core::{
    Cause, Check, ErrorKind, Health, ListPlan, Listed, OnDrop, OrderBy, Owner, Path, RemovePlan,
    Replace, RestorePlan, Seal, Store, Trash, TrashPlan, Trashed, WritePlan,
};
use gaveta_disk::{DiskStore, Durability, Options, TrashOptions};
use gaveta_testkit::{content, stream_of};

fn p(text: &str) -> Path {
    Path::parse(text).unwrap()
}

fn open_with(folder: &OsPath, trash: TrashOptions) -> DiskStore {
    let options = Options {
        durability: Durability::Fast,
        trash: Some(trash),
        ..Options::default()
    };
    // The lock of a store that was just dropped goes with its last thread.
    for _ in 0..200 {
        match DiskStore::open(folder, options) {
            Err(error) if error.kind() == ErrorKind::Locked => {
                std::thread::sleep(Duration::from_millis(10));
            }
            store => return store.unwrap(),
        }
    }
    panic!("the folder stays locked");
}

fn open(folder: &OsPath) -> DiskStore {
    open_with(folder, TrashOptions::default())
}

async fn put(store: &DiskStore, path: &str, bytes: Vec<u8>) -> gaveta_core::Result<()> {
    let plan = WritePlan {
        replace: Replace::Always,
        length: Some(bytes.len() as u64),
        ..WritePlan::new(p(path), Owner("ana".into()))
    };
    let upload = store.begin(plan).await?;
    upload
        .write(0, stream_of(bytes, 100_000), Check::None)
        .await?;
    upload.commit(Seal::default()).await.map(|_| ())
}

async fn delete(store: &DiskStore, path: &str) {
    let plan = RemovePlan {
        recursive: true,
        by: Some(Owner("ana".into())),
        ..RemovePlan::default()
    };
    store.remove(&p(path), plan).await.unwrap();
}

async fn listed(trash: &Arc<dyn Trash>) -> Vec<Trashed> {
    let all = trash.trashed(TrashPlan::default()).await.unwrap();
    all.try_collect().await.unwrap()
}

fn place(folder: &OsPath, one: &Trashed) -> std::path::PathBuf {
    let id = one.id.as_str();
    folder.join(".gaveta/trash").join(&id[..12]).join(id)
}

/// Waits until it is so: what the keeper does comes when it comes.
async fn eventually(what: &str, mut so: impl AsyncFnMut() -> bool) {
    for _ in 0..1500 {
        if so().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("it never came true that {what}");
}

#[tokio::test]
async fn it_is_still_there_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    put(&store, "d/file", content(5000, 1)).await.unwrap();
    let was = store.stat(&p("d/file")).await.unwrap();
    put(&store, "d/file", content(5000, 2)).await.unwrap();
    delete(&store, "d").await;
    drop(store);
    let store = open(folder.path());
    let trash = store.trash().unwrap();
    let all = listed(&trash).await;
    assert_eq!(all.len(), 2);
    assert_eq!(
        (all[0].cause, all[1].cause),
        (Cause::Deleted, Cause::Replaced)
    );
    assert_eq!(all[1].by.as_ref().map(|by| &*by.0), Some("ana"));
    // The very file: its version, its digest.
    assert_eq!(all[1].entry, was);
    eventually("all is counted", async || {
        let state = trash.state().await.unwrap();
        !state.counting && state.items == 2 && state.bytes >= 10_000
    })
    .await;
    trash
        .restore(&all[0].id, RestorePlan::default())
        .await
        .unwrap();
    assert_eq!(
        fs::read(folder.path().join("d/file")).unwrap(),
        content(5000, 2)
    );
}

#[tokio::test]
async fn what_somebody_does_to_its_files_harms_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("secret"), "secret").unwrap();
    let store = open(folder.path());
    for name in ["gone", "changed", "link", "noinfo", "badinfo"] {
        put(&store, name, content(3000, 1)).await.unwrap();
        delete(&store, name).await;
    }
    let trash = store.trash().unwrap();
    let all = listed(&trash).await;
    let one = |name: &str| {
        let found = all.iter().find(|one| one.entry.path.as_str() == name);
        found.unwrap().clone()
    };
    let info = |one: &Trashed| format!("{}.i", place(folder.path(), one).display());
    fs::remove_file(place(folder.path(), &one("gone"))).unwrap();
    fs::write(place(folder.path(), &one("changed")), "other").unwrap();
    fs::remove_file(place(folder.path(), &one("link"))).unwrap();
    let secret = outside.path().join("secret");
    std::os::unix::fs::symlink(&secret, place(folder.path(), &one("link"))).unwrap();
    fs::remove_file(info(&one("noinfo"))).unwrap();
    fs::remove_file(info(&one("badinfo"))).unwrap();
    std::os::unix::fs::symlink("1 deleted 1 1 - ../../outside", info(&one("badinfo"))).unwrap();
    fs::write(folder.path().join(".gaveta/trash/what is this"), "").unwrap();

    let kind =
        |result: gaveta_core::Result<_>| result.map(|_: gaveta_core::Entry| ()).unwrap_err().kind();
    for name in ["gone", "noinfo", "badinfo"] {
        let refused = trash.restore(&one(name).id, RestorePlan::default()).await;
        assert_eq!(kind(refused), ErrorKind::NotFound, "{name}");
    }
    let read = trash.open(&one("link").id).await.unwrap_err();
    assert_eq!(read.kind(), ErrorKind::NotRegular);
    // A link comes back as the link it is, and leads nowhere for anybody.
    trash
        .restore(&one("link").id, RestorePlan::default())
        .await
        .unwrap();
    let kind = store
        .read(&p("link"), Default::default())
        .await
        .unwrap_err()
        .kind();
    assert_eq!(kind, ErrorKind::NotRegular);
    trash
        .restore(&one("changed").id, RestorePlan::default())
        .await
        .unwrap();
    assert_eq!(fs::read(folder.path().join("changed")).unwrap(), b"other");
    assert!(listed(&trash).await.is_empty());
    let (strays, count) = store.upkeep().unwrap().strays(10).await.unwrap();
    let shown: Vec<_> = strays.iter().map(|stray| stray.shown.as_str()).collect();
    // The two contents without sensible information, the information, and the foreign file; the
    // information of what is gone went when it was asked for.
    assert!(
        count >= 3 && shown.contains(&"trash/what is this"),
        "{shown:?}"
    );
    drop((store, trash));
    open(folder.path());
}

#[tokio::test]
async fn what_is_old_goes_by_itself_and_what_is_from_the_future_stays() {
    let folder = tempfile::tempdir().unwrap();
    let options = TrashOptions {
        keep: Duration::from_secs(2),
        ..TrashOptions::default()
    };
    let store = open_with(folder.path(), options);
    let trash = store.trash().unwrap();
    for name in ["future", "a", "d/b"] {
        put(&store, name, content(100, 1)).await.unwrap();
    }
    delete(&store, "future").await;
    // The clock was ahead when it was deleted, and was set back since.
    let one = listed(&trash).await.remove(0);
    let info = format!("{}.i", place(folder.path(), &one).display());
    let text = fs::read_link(&info)
        .unwrap()
        .into_os_string()
        .into_string()
        .unwrap();
    let ahead = SystemTime::now() + Duration::from_secs(100_000);
    let nanos = ahead
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap()
        .as_nanos();
    let words: Vec<&str> = text.splitn(4, ' ').collect();
    fs::remove_file(&info).unwrap();
    std::os::unix::fs::symlink(format!("1 deleted {nanos} {}", words[3]), &info).unwrap();
    delete(&store, "a").await;
    delete(&store, "d").await;
    eventually("the old ones are gone", async || {
        listed(&trash).await.len() == 1
            && fs::read_dir(folder.path().join(".gaveta/trash/gone"))
                .unwrap()
                .count()
                == 0
    })
    .await;
    assert_eq!(listed(&trash).await[0].id, one.id);
}

#[tokio::test]
async fn many_small_deletions_fill_several_buckets_and_pages_meet_all() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    const MANY: usize = 9000;
    for n in 0..MANY {
        fs::write(folder.path().join(format!("{n:05}")), "x").unwrap();
        delete(&store, &format!("{n:05}")).await;
    }
    let buckets = fs::read_dir(folder.path().join(".gaveta/trash"))
        .unwrap()
        .count();
    assert_eq!(buckets, 3 + 1);
    let trash = store.trash().unwrap();
    let all = listed(&trash).await;
    let names: Vec<_> = all.iter().map(|one| one.entry.path.as_str()).collect();
    let expected: Vec<_> = (0..MANY).rev().map(|n| format!("{n:05}")).collect();
    assert!(names == expected);
    assert_eq!(trash.state().await.unwrap().items, MANY as u64);
    // Who asks for the newest waits for no older bucket: this one could not be read.
    let oldest = all.last().unwrap().id.as_str()[..12].to_owned();
    let bucket = folder.path().join(".gaveta/trash").join(oldest);
    let away = folder.path().join("away");
    fs::rename(&bucket, &away).unwrap();
    fs::write(&bucket, "").unwrap();
    let newest = trash.trashed(TrashPlan::default()).await.unwrap();
    let newest: Vec<_> = newest.take(100).try_collect().await.unwrap();
    assert_eq!(newest, all[..100]);
    fs::remove_file(&bucket).unwrap();
    fs::rename(&away, &bucket).unwrap();
    for one in all {
        trash.purge(&one.id).await.unwrap();
    }
    assert_eq!(trash.state().await.unwrap().items, 0);
}

#[tokio::test]
async fn a_mount_within_is_a_named_error_and_stays_whole() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let inner = folder.path().join("d/inner");
    fs::create_dir_all(&inner).unwrap();
    let mounted = std::process::Command::new("mount")
        .args(["-t", "tmpfs", "tmpfs"])
        .arg(&inner)
        .stderr(std::process::Stdio::null())
        .status();
    if !mounted.is_ok_and(|status| status.success()) {
        eprintln!("skipped: nothing can be mounted here");
        return;
    }
    fs::write(inner.join("file"), "x").unwrap();
    let all = || RemovePlan {
        recursive: true,
        ..RemovePlan::default()
    };
    let mut kinds = Vec::new();
    for path in ["d", "d/inner", "d/inner/file"] {
        kinds.push(
            store
                .remove(&p(path), all())
                .await
                .map_err(|error| error.kind()),
        );
    }
    put(&store, "away", content(10, 1)).await.unwrap();
    delete(&store, "away").await;
    let trash = store.trash().unwrap();
    let id = listed(&trash).await[0].id.clone();
    let onto = RestorePlan {
        to: Some(p("d/inner/away")),
        ..RestorePlan::default()
    };
    let restored = trash.restore(&id, onto).await.map_err(|error| error.kind());
    let whole = inner.join("file").exists();
    let left = listed(&trash).await.len();
    let _ = std::process::Command::new("umount").arg(&inner).status();
    assert_eq!(kinds, [Err(ErrorKind::OtherMount); 3]);
    assert_eq!(restored.unwrap_err(), ErrorKind::OtherMount);
    assert!(whole && left == 1);
}
