//! Links, FIFOs, devices and odd names: nothing of them leads out.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use gaveta_core::{
    ErrorKind, Kind, ListPlan, Listed, MovePlan, RemovePlan, Replace, Store, TouchPlan,
};
use tempfile::tempdir;

use super::{all, each_way, get, has_reserved_leftovers, kind, listed, p, put, served};

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
