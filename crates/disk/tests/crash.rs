//! Killed at every fail point: a name shows the old content or the new one, whole. Run with
//! `--features failpoints`.

// Helpers of tests may panic and print, as tests do.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr
)]

use std::os::unix::process::ExitStatusExt;
use std::path::Path as OsPath;
use std::process::Command;
use std::sync::Arc;

use gaveta_core::{
    CHUNK, Check, Digest, ErrorKind, OnDrop, Owner, Path, Replace, Seal, Store, Upload, UploadId,
    WritePlan, chunk,
};
use gaveta_disk::{DiskStore, Options};
use gaveta_testkit::{content, stream_of};

const FOLDER: &str = "GAVETA_TEST_CRASH_FOLDER";
const TOLD: &str = "GAVETA_TEST_CRASH_TOLD";
const ID: &str = "00112233445566778899aabbccddeeff";
/// Three chunks and a bit: 13 pieces of 256 KiB.
const BIG: usize = (3 << 20) + 1000;
const SMALL: usize = 40;
/// Several writes, so that a process that is killed after the second is amid its content.
const LENGTH: usize = 3_500_000;
const POINTS: [&str; 7] = [
    "after-write:2",
    "before-file-flush",
    "after-file-flush",
    "before-rename",
    "after-rename",
    "after-folder-flush",
    "upload-state:2",
];

fn old() -> Vec<u8> {
    content(LENGTH, 1)
}

fn new() -> Vec<u8> {
    content(LENGTH + 1, 2)
}

/// The process that is killed. Does nothing unless it was started by the tests below.
#[tokio::test]
async fn child() {
    let Some(folder) = std::env::var_os(FOLDER) else {
        return;
    };
    let store = DiskStore::open(OsPath::new(&folder), Options::default()).unwrap();
    for (on_drop, name) in [(OnDrop::Discard, "file"), (OnDrop::Keep, "kept")] {
        let plan = WritePlan {
            replace: Replace::Always,
            on_drop,
            ..WritePlan::new(Path::parse(name).unwrap(), Owner("test".into()))
        };
        let upload = store.begin(plan).await.unwrap();
        upload
            .write(0, stream_of(new(), 100_000), Check::None)
            .await
            .unwrap();
        if on_drop == OnDrop::Keep {
            upload.sync().await.unwrap();
        }
        upload.commit(Seal::default()).await.unwrap();
    }
}

/// What the second child sends: whole chunks of a kept upload, and many small files at once.
#[tokio::test(flavor = "multi_thread")]
async fn busy_child() {
    let (Some(folder), Some(told)) = (std::env::var_os(FOLDER), std::env::var_os(TOLD)) else {
        return;
    };
    let store = DiskStore::open(OsPath::new(&folder), Options::default()).unwrap();
    let plan = WritePlan {
        id: Some(UploadId::parse(ID).unwrap()),
        length: Some(BIG as u64),
        on_drop: OnDrop::Keep,
        ..WritePlan::new(Path::parse("big").unwrap(), Owner("test".into()))
    };
    let big = store.begin(plan).await.unwrap();
    let pieces = chunk::pieces(
        stream_of(content(BIG, 3), 100_000),
        0..BIG as u64,
        BIG as u64,
    );
    big.write_chunks(0, pieces).await.unwrap();
    let small = (0..SMALL).map(|n| {
        let (store, told) = (store.clone(), std::path::PathBuf::from(&told));
        tokio::spawn(async move {
            let name = format!("d{}/{n}", n % 3);
            let plan = WritePlan::new(Path::parse(&name).unwrap(), Owner("test".into()));
            let upload = store.begin(plan).await.unwrap();
            let bytes = stream_of(content(3000 + n, n as u64), 1000);
            upload.write(0, bytes, Check::None).await.unwrap();
            upload.commit(Seal::default()).await.unwrap();
            std::fs::write(told.join(n.to_string()), b"").unwrap();
        })
    });
    for task in small.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    panic!("it was not killed");
}

#[tokio::test]
async fn a_killed_server_keeps_whole_chunks_and_what_it_acknowledged() {
    for point in [
        "after-write:5",
        "after-write:12",
        "before-file-flush:7",
        "after-file-flush:9",
        "before-rename:11",
        "after-rename:20",
        "after-folder-flush:3",
        "after-folder-flush:25",
    ] {
        let (folder, told) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "busy_child"])
            .env(FOLDER, folder.path())
            .env(TOLD, told.path())
            .env("GAVETA_FAILPOINT", point)
            .output()
            .unwrap();
        assert_eq!(output.status.signal(), Some(9), "{point}: {output:?}");
        let store = DiskStore::open(folder.path(), Options::default()).unwrap();
        for n in 0..SMALL {
            let found = std::fs::read(folder.path().join(format!("d{}/{n}", n % 3)));
            let acknowledged = told.path().join(n.to_string()).exists();
            match found {
                Ok(bytes) => assert!(bytes == content(3000 + n, n as u64), "{point} {n}"),
                Err(_) => assert!(!acknowledged, "{point} {n}"),
            }
        }
        let upload = store
            .upload(&UploadId::parse(ID).unwrap(), None)
            .await
            .unwrap();
        let arrived = upload.state().await.unwrap().arrived;
        let written: u64 = match point {
            // The fail point lies between a piece's write and what follows.
            "after-write:5" => 1,
            _ => 2,
        };
        assert!(arrived.prefix() >= written * CHUNK, "{point} {arrived:?}");
        let bytes = content(BIG, 3);
        for gap in arrived.gaps(BIG as u64).collect::<Vec<_>>() {
            let rest = bytes[gap.start as usize..gap.end as usize].to_vec();
            upload
                .write(gap.start, stream_of(rest, 70_000), Check::None)
                .await
                .unwrap();
        }
        let seal = Seal {
            length: None,
            digest: Some(Digest::of(&bytes)),
        };
        upload.commit(seal).await.unwrap();
    }
}

/// Kills a child at this point, and tells whether every name is whole afterwards.
fn whole_after_kill(point: &str, in_place: bool) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let names = ["file", "kept"].map(|name| folder.path().join(name));
    for name in &names {
        std::fs::write(name, old()).unwrap();
    }
    let mut child = Command::new(std::env::current_exe().unwrap());
    child
        .args(["--exact", "child"])
        .env(FOLDER, folder.path())
        .env("GAVETA_FAILPOINT", point);
    if in_place {
        child.env("GAVETA_UNSAFE_IN_PLACE", "1");
    }
    let output = child.output().unwrap();
    assert_eq!(
        output.status.signal(),
        Some(9),
        "{point} was not passed: {output:?}"
    );
    DiskStore::open(folder.path(), Options::default()).expect("the server starts again");
    let staging = std::fs::read_dir(folder.path().join(".gaveta/staging")).unwrap();
    assert_eq!(staging.count(), 0);
    names.iter().all(|name| {
        let found = std::fs::read(name).unwrap_or_default();
        found == old() || found == new()
    })
}

#[test]
fn every_name_is_whole_whenever_the_process_is_killed() {
    for point in POINTS {
        assert!(whole_after_kill(point, false), "{point}");
        // The second passing is that of the kept upload.
        if !point.contains(':') {
            assert!(whole_after_kill(&format!("{point}:2"), false), "{point}:2");
        }
    }
}

#[test]
fn a_store_that_writes_in_place_is_caught() {
    assert!(!whole_after_kill("after-write:2", true));
}

/// Puts whole content into an upload.
async fn begun(store: &DiskStore, name: Option<&str>, plan: WritePlan) -> Arc<dyn Upload> {
    let target = name.map(|name| Path::parse(name).unwrap());
    let length = Some(LENGTH as u64 + 1);
    let plan = WritePlan {
        target,
        length,
        replace: Replace::Always,
        ..plan
    };
    let upload = store.begin(plan).await.unwrap();
    let bytes = stream_of(new(), 100_000);
    upload.write(0, bytes, Check::None).await.unwrap();
    upload
}

/// The process whose first flushes of files fail. Does nothing unless it was started by the test
/// below.
#[tokio::test]
async fn unflushed_child() {
    let Some(folder) = std::env::var_os(FOLDER) else {
        return;
    };
    let store = DiskStore::open(OsPath::new(&folder), Options::default()).unwrap();
    let plan = |on_drop| WritePlan {
        on_drop,
        ..WritePlan::new(Path::root(), Owner("test".into()))
    };
    let kind = |error: gaveta_core::Error| error.kind();
    for on_drop in [OnDrop::Discard, OnDrop::Keep] {
        for syncs in [false, true] {
            let upload = begun(&store, Some("file"), plan(on_drop)).await;
            let id = upload.state().await.unwrap().id;
            let failed = match syncs {
                true => upload.sync().await.map_err(kind),
                false => upload
                    .commit(Seal::default())
                    .await
                    .map(|_| ())
                    .map_err(kind),
            };
            assert_eq!(failed, Err(ErrorKind::Io));
            // The next flush would succeed.
            let again = upload.commit(Seal::default()).await.map_err(kind);
            assert_eq!(again.unwrap_err(), ErrorKind::UploadLost);
            assert_eq!(
                upload.sync().await.map_err(kind),
                Err(ErrorKind::UploadLost)
            );
            drop(upload);
            let gone = store.upload(&id, None).await.err().unwrap();
            assert_eq!(gone.kind(), ErrorKind::UnknownUpload);
        }
    }
    let part = begun(&store, None, plan(OnDrop::Keep)).await;
    let parts = vec![part.state().await.unwrap().id];
    drop(part);
    let whole = || WritePlan {
        target: Some(Path::parse("file").unwrap()),
        replace: Replace::Always,
        parts: parts.clone(),
        ..plan(OnDrop::Keep)
    };
    assert_eq!(
        store.begin(whole()).await.err().unwrap().kind(),
        ErrorKind::Io
    );
    let again = store.begin(whole()).await.err().unwrap().kind();
    assert!(
        [ErrorKind::UploadLost, ErrorKind::UnknownUpload].contains(&again),
        "{again:?}"
    );
    assert_eq!(
        std::fs::read(OsPath::new(&folder).join("file")).unwrap(),
        old()
    );
    begun(&store, Some("other"), plan(OnDrop::Keep))
        .await
        .commit(Seal::default())
        .await
        .unwrap();
    eprintln!("all flushes failed as told");
}

#[test]
fn content_whose_flush_failed_once_is_never_published() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("file"), old()).unwrap();
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "unflushed_child", "--nocapture"])
        .env(FOLDER, folder.path())
        .env("GAVETA_FAILPOINT", ["file-flush=error"; 5].join(","))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{said}{}",
        String::from_utf8_lossy(&output.stdout)
    );
    assert!(said.contains("all flushes failed as told"), "{said}");
    for name in ["staging", "uploads"] {
        let left = std::fs::read_dir(folder.path().join(".gaveta").join(name)).unwrap();
        assert_eq!(left.count(), 0, "{name}");
    }
    assert_eq!(std::fs::read(folder.path().join("file")).unwrap(), old());
    assert_eq!(std::fs::read(folder.path().join("other")).unwrap(), new());
}
