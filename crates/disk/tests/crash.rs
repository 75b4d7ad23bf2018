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

use gaveta_core::{Check, OnDrop, Owner, Path, Replace, Seal, Store, WritePlan};
use gaveta_disk::{DiskStore, Options};
use gaveta_testkit::{content, stream_of};

const FOLDER: &str = "GAVETA_TEST_CRASH_FOLDER";
const LENGTH: usize = 1_500_000;
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
