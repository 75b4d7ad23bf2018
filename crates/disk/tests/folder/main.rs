//! What only a real folder has: links, FIFOs, mounts, modes, other programs, other servers.

// Helpers of tests may panic and print, as tests do.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr
)]

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path as OsPath;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::{StreamExt, TryStreamExt};
use gaveta_core::{
    Check, Digest, Entry, ErrorKind, Kind, ListPlan, Listed, MovePlan, OnDrop, Owner, Path,
    ReadPlan, RemovePlan, Replace, Result, Seal, Store, TouchPlan, Upload, WritePlan,
};
use gaveta_disk::{DiskStore, Durability, Options, Resolver, Staging};
use gaveta_testkit::{collect, content, stream_of};
use tempfile::{TempDir, tempdir};

fn p(text: &str) -> Path {
    Path::parse(text).unwrap()
}

fn fast() -> Options {
    Options {
        durability: Durability::Fast,
        ..Options::default()
    }
}

fn each_way() -> Vec<(TempDir, DiskStore)> {
    let mut all = Vec::new();
    for resolver in [Resolver::Auto, Resolver::Walk] {
        for staging in [Staging::Reserved, Staging::Beside] {
            let folder = tempdir().unwrap();
            let options = Options {
                resolver,
                staging,
                ..fast()
            };
            let store = DiskStore::open(folder.path(), options).unwrap();
            all.push((folder, store));
        }
    }
    all
}

fn served() -> (TempDir, DiskStore) {
    let folder = tempdir().unwrap();
    let store = DiskStore::open(folder.path(), Options::default()).unwrap();
    (folder, store)
}

fn plan(path: &str, replace: Replace) -> WritePlan {
    WritePlan {
        replace,
        ..WritePlan::new(p(path), Owner("test".into()))
    }
}

async fn put(store: &DiskStore, path: &str, bytes: &[u8], replace: Replace) -> Result<Entry> {
    let upload = store.begin(plan(path, replace)).await?;
    upload
        .write(0, stream_of(bytes.to_vec(), 70_000), Check::None)
        .await?;
    upload.commit(Seal::default()).await
}

async fn get(store: &DiskStore, path: &str) -> Result<Vec<u8>> {
    let reading = store.read(&p(path), ReadPlan::default()).await?;
    collect(reading.stream(0..reading.entry().size)).await
}

async fn listed(store: &DiskStore, path: &str) -> Vec<Listed> {
    let listing = store.list(&p(path), ListPlan::default()).await.unwrap();
    listing.try_collect().await.unwrap()
}

fn kind<T>(result: Result<T>) -> ErrorKind {
    result.err().expect("it must be refused").kind()
}

fn all() -> RemovePlan {
    RemovePlan {
        recursive: true,
        version: None,
        ..Default::default()
    }
}

fn has_reserved_leftovers(root: &OsPath) -> bool {
    ["staging", "uploads"].iter().any(|name| {
        fs::read_dir(root.join(".gaveta").join(name))
            .unwrap()
            .next()
            .is_some()
    })
}

#[tokio::test]
async fn links_are_listed_renamed_and_removed_but_never_followed() {
    for (root, store) in each_way() {
        let outside = tempdir().unwrap();
        fs::write(outside.path().join("secret"), b"secret").unwrap();
        let inside = root.path();
        fs::create_dir(inside.join("d")).unwrap();
        fs::write(inside.join("d/file"), b"inside").unwrap();
        symlink(outside.path(), inside.join("out")).unwrap();
        symlink(outside.path().join("secret"), inside.join("file")).unwrap();
        symlink("d", inside.join("in")).unwrap();
        symlink(outside.path().join("new"), inside.join("dangling")).unwrap();
        assert_eq!(
            kind(store.stat(&p("out/secret")).await),
            ErrorKind::NotFolder
        );
        assert_eq!(kind(get(&store, "out/secret").await), ErrorKind::NotFolder);
        assert_eq!(kind(get(&store, "in/file").await), ErrorKind::NotFolder);
        assert_eq!(kind(get(&store, "file").await), ErrorKind::NotRegular);
        assert_eq!(
            kind(store.list(&p("out"), ListPlan::default()).await.map(drop)),
            ErrorKind::NotFolder
        );
        for path in ["out/new", "out/secret", "out/deep/new"] {
            assert_eq!(
                kind(put(&store, path, b"x", Replace::Always).await),
                ErrorKind::NotFolder
            );
            assert_eq!(
                kind(store.make_folder(&p(path)).await),
                ErrorKind::NotFolder
            );
            assert_eq!(
                kind(
                    store
                        .rename(&p("d/file"), &p(path), MovePlan::default())
                        .await
                ),
                ErrorKind::NotFolder
            );
            assert_eq!(
                kind(store.remove(&p(path), all()).await),
                ErrorKind::NotFolder
            );
        }
        for path in ["dangling", "file"] {
            assert_eq!(
                kind(put(&store, path, b"x", Replace::Always).await),
                ErrorKind::NotRegular
            );
            assert_eq!(store.stat(&p(path)).await.unwrap().kind, Kind::Link);
            assert_eq!(
                kind(
                    store
                        .touch(
                            &p(path),
                            TouchPlan {
                                modified: Some(std::time::UNIX_EPOCH),
                                executable: None
                            }
                        )
                        .await
                ),
                ErrorKind::NotRegular
            );
            assert_eq!(
                kind(store.copy(&p(path), &p("copy"), MovePlan::default()).await),
                ErrorKind::NotRegular
            );
        }
        store
            .copy(&p("d"), &p("d2"), MovePlan::default())
            .await
            .unwrap();
        store
            .rename(&p("out"), &p("d/out"), MovePlan::default())
            .await
            .unwrap();
        store
            .remove(&p("dangling"), RemovePlan::default())
            .await
            .unwrap();
        store.remove(&p("d"), all()).await.unwrap();
        assert_eq!(fs::read(outside.path().join("secret")).unwrap(), b"secret");
        assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 1);
    }
}

#[tokio::test]
async fn fifos_and_devices_are_never_opened() {
    for (root, store) in each_way() {
        let made = Command::new("mkfifo")
            .arg(root.path().join("fifo"))
            .status()
            .unwrap();
        assert!(made.success());
        assert_eq!(store.stat(&p("fifo")).await.unwrap().kind, Kind::Special);
        assert_eq!(kind(get(&store, "fifo").await), ErrorKind::NotRegular);
        assert_eq!(
            kind(put(&store, "fifo", b"x", Replace::Always).await),
            ErrorKind::NotRegular
        );
        assert_eq!(
            kind(store.copy(&p("fifo"), &p("b"), MovePlan::default()).await),
            ErrorKind::NotRegular
        );
        let device = root.path().join("null");
        if Command::new("mknod")
            .arg(&device)
            .args(["c", "1", "3"])
            .status()
            .unwrap()
            .success()
        {
            assert_eq!(kind(get(&store, "null").await), ErrorKind::NotRegular);
        } else {
            eprintln!("skipped: only root makes device nodes");
        }
        store
            .remove(&p("fifo"), RemovePlan::default())
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn names_no_path_can_hold_are_shown_escaped_and_go_with_their_folder() {
    let (root, store) = served();
    let folder = root.path().join("d");
    fs::create_dir_all(folder.join(".gaveta/x")).unwrap();
    for name in [&b"a\xff"[..], b"new\nline", b"plain"] {
        fs::write(folder.join(std::ffi::OsStr::from_bytes(name)), b"x").unwrap();
    }
    let mut shown: Vec<String> = listed(&store, "d")
        .await
        .into_iter()
        .map(|one| match one {
            Listed::Entry(entry) => entry.path.to_string(),
            Listed::Unnameable { shown } => shown,
        })
        .collect();
    shown.sort();
    assert_eq!(
        shown,
        ["/d/plain", "a\\xff", "new\\nline"],
        "and .gaveta is hidden"
    );
    assert!(listed(&store, "").await.len() == 1, "at the root too");
    store
        .copy(&p("d"), &p("e"), MovePlan::default())
        .await
        .unwrap();
    assert_eq!(fs::read_dir(root.path().join("e")).unwrap().count(), 3);
    store.remove(&p("d"), all()).await.unwrap();
    assert!(!folder.exists());
    assert!(!has_reserved_leftovers(root.path()));
}

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

#[tokio::test]
async fn modes_are_the_replaced_files_but_never_special() {
    let (root, store) = served();
    let file = root.path().join("file");
    fs::write(&file, b"old").unwrap();
    for (old, new) in [
        (0o4755, 0o755),
        (0o2640, 0o640),
        (0o444, 0o444),
        (0o600, 0o600),
    ] {
        fs::set_permissions(&file, fs::Permissions::from_mode(old)).unwrap();
        put(&store, "file", b"new", Replace::Always).await.unwrap();
        assert_eq!(file.metadata().unwrap().mode() & 0o7777, new);
    }
    put(&store, "new", b"new", Replace::Never).await.unwrap();
    fs::write(root.path().join("by hand"), b"").unwrap();
    let mode = |name| root.path().join(name).metadata().unwrap().mode();
    assert_eq!(mode("new"), mode("by hand"));
    assert_eq!(mode(".gaveta") & 0o777, 0o700);
}

#[tokio::test]
async fn a_kept_digest_goes_stale_by_an_edit_and_survives_a_touch() {
    let (root, store) = served();
    let entry = put(&store, "file", b"first", Replace::Never).await.unwrap();
    assert_eq!(entry.digest, Some(Digest::of(b"first")));
    if store.stat(&p("file")).await.unwrap().digest.is_none() {
        eprintln!("skipped: this file system has no extended attributes");
        return;
    }
    let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(5);
    let touch = TouchPlan {
        modified: Some(time),
        executable: Some(true),
    };
    let touched = store.touch(&p("file"), touch).await.unwrap();
    assert_ne!(touched.version, entry.version);
    assert_eq!(store.stat(&p("file")).await.unwrap(), touched);
    assert_eq!(touched.digest, entry.digest);
    let copied = store
        .copy(&p("file"), &p("copy"), MovePlan::default())
        .await
        .unwrap();
    assert_eq!((copied.digest, copied.executable), (entry.digest, true));
    fs::write(root.path().join("file"), b"other").unwrap();
    let edited = store.stat(&p("file")).await.unwrap();
    assert_eq!(edited.digest, None);
    let digest = Digest::of(b"other");
    store
        .remember_digest(&p("file"), &edited.version, digest)
        .await
        .unwrap();
    assert_eq!(store.stat(&p("file")).await.unwrap().digest, Some(digest));
    let stale = store
        .remember_digest(&p("file"), &entry.version, digest)
        .await;
    assert_eq!(kind(stale), ErrorKind::VersionMismatch);
}

#[tokio::test]
async fn a_reader_is_told_when_the_file_is_cut_in_place() {
    let (root, store) = served();
    let bytes = content(3_000_000, 1);
    put(&store, "file", &bytes, Replace::Never).await.unwrap();
    let reading = store.read(&p("file"), ReadPlan::default()).await.unwrap();
    fs::OpenOptions::new()
        .write(true)
        .open(root.path().join("file"))
        .unwrap()
        .set_len(1_000_000)
        .unwrap();
    let mut got = Vec::new();
    let mut stream = reading.stream(0..3_000_000);
    let error = loop {
        match stream.next().await.unwrap() {
            Ok(piece) => got.extend_from_slice(&piece),
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), ErrorKind::LengthMismatch);
    assert!(bytes.starts_with(&got), "never zeros");
    assert!(stream.next().await.is_none());
}

#[tokio::test]
async fn hard_links_of_one_file_are_renamed_over_each_other() {
    let (root, store) = served();
    fs::write(root.path().join("a"), b"x").unwrap();
    fs::hard_link(root.path().join("a"), root.path().join("b")).unwrap();
    let plan = MovePlan {
        replace: Replace::Always,
        version: None,
        ..Default::default()
    };
    store.rename(&p("a"), &p("b"), plan).await.unwrap();
    assert!(!root.path().join("a").exists());
    assert_eq!(get(&store, "b").await.unwrap(), b"x");
}

/// A small tmpfs, taken away again when dropped.
struct Mounted(std::path::PathBuf);

impl Mounted {
    fn at(path: &OsPath, options: &str) -> Option<Self> {
        let args = ["-t", "tmpfs", "-o", options, "gaveta-test"];
        let done = Command::new("mount").args(args).arg(path).output();
        if done.is_ok_and(|output| output.status.success()) {
            return Some(Self(path.to_owned()));
        }
        eprintln!("skipped: no right to mount");
        None
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

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
    drop(store);
    let store = DiskStore::open(root.path(), Options::default()).unwrap();
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

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_swapped_for_a_link_meanwhile_lets_nothing_out() {
    for (root, store) in each_way() {
        let outside = tempdir().unwrap();
        fs::create_dir(outside.path().join("d")).unwrap();
        fs::write(outside.path().join("d/file"), b"secret").unwrap();
        fs::create_dir(root.path().join("d")).unwrap();
        fs::write(root.path().join("d/file"), b"public").unwrap();
        symlink(outside.path().join("d"), root.path().join("link")).unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let swapping = std::thread::spawn({
            let (stop, root) = (stop.clone(), root.path().to_owned());
            move || {
                let root = fs::File::open(root).unwrap();
                let swap = rustix::fs::RenameFlags::EXCHANGE;
                while !stop.load(Ordering::Relaxed) {
                    rustix::fs::renameat_with(&root, "d", &root, "link", swap).unwrap();
                }
            }
        });
        let mut read = 0;
        for n in 0..500 {
            if let Ok(bytes) = get(&store, "d/file").await {
                assert_eq!(bytes, b"public");
                read += 1;
            }
            let _ = put(&store, &format!("d/new{n}"), b"x", Replace::Always).await;
            let _ = store.remove(&p(&format!("d/new{n}")), all()).await;
            let _ = store.make_folder(&p(&format!("d/folder{n}"))).await;
        }
        stop.store(true, Ordering::Relaxed);
        swapping.join().unwrap();
        assert!(read > 0, "sometimes the folder is there");
        assert_eq!(fs::read(outside.path().join("d/file")).unwrap(), b"secret");
        assert_eq!(fs::read_dir(outside.path().join("d")).unwrap().count(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_commits_to_a_new_name_one_wins() {
    let (root, store) = served();
    for round in 0..20 {
        let path = format!("new{round}/file");
        let (one, two) = (content(1000, 1), content(2000, 2));
        let both = tokio::join!(
            put(&store, &path, &one, Replace::Never),
            put(&store, &path, &two, Replace::Never)
        );
        let expected = match both {
            (Ok(_), Err(error)) if error.kind() == ErrorKind::Exists => one,
            (Err(error), Ok(_)) if error.kind() == ErrorKind::Exists => two,
            other => panic!("{other:?}"),
        };
        assert_eq!(get(&store, &path).await.unwrap(), expected);
    }
    let upload: Arc<dyn Upload> = store.begin(plan("x", Replace::Never)).await.unwrap();
    upload.discard().await.unwrap();
    assert!(!has_reserved_leftovers(root.path()));
}

#[tokio::test]
async fn the_first_entries_leave_before_the_rest_is_looked_at() {
    let (root, store) = served();
    for n in 0..1000 {
        fs::write(root.path().join(format!("{n}")), b"").unwrap();
    }
    let mut listing = store
        .list(&Path::root(), ListPlan::default())
        .await
        .unwrap();
    for _ in 0..100 {
        listing.next().await.unwrap().unwrap();
    }
    let seen: Vec<_> = fs::read_dir(root.path())
        .unwrap()
        .map(|one| one.unwrap().path())
        .collect();
    for path in seen.iter().filter(|path| path.is_file()) {
        fs::remove_file(path).unwrap();
    }
    let rest = listing.count().await;
    assert!(
        rest < 500,
        "{rest} more were looked at before they were asked for"
    );
    let limit = ListPlan {
        limit: Some(0),
        ..ListPlan::default()
    };
    assert_eq!(
        store
            .list(&Path::root(), limit)
            .await
            .unwrap()
            .count()
            .await,
        0
    );
}

#[tokio::test]
async fn an_upload_outlives_the_folder_it_was_begun_in() {
    for (root, store) in each_way() {
        store.make_folder(&p("d")).await.unwrap();
        let bytes = content(100_000, 1);
        let upload = store.begin(plan("d/file", Replace::Never)).await.unwrap();
        upload
            .write(0, stream_of(bytes.clone(), 70_000), Check::None)
            .await
            .unwrap();
        assert!(listed(&store, "d").await.is_empty(), "nothing shows");
        store.remove(&p("d"), all()).await.unwrap();
        upload
            .commit(Seal {
                length: None,
                digest: Some(Digest::of(&bytes)),
            })
            .await
            .unwrap();
        assert_eq!(get(&store, "d/file").await.unwrap(), bytes);
        assert_eq!(fs::read_dir(root.path().join("d")).unwrap().count(), 1);
    }
}

#[tokio::test]
async fn who_announces_much_and_sends_nothing_takes_little() {
    use std::os::unix::fs::MetadataExt;
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
