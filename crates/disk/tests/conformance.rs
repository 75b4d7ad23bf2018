//! The suite that every store must pass, on each way to open a folder.

// Helpers of tests may panic and print, as tests do.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr
)]

use std::sync::{Arc, Mutex};

use gaveta_core::Store;
use gaveta_disk::{DiskStore, Durability, Options, Resolver, Staging, TrashOptions};
use gaveta_testkit::conformance::{self, Abilities, Subject};
use gaveta_testkit::model;
use tempfile::TempDir;

#[derive(Debug)]
struct Disk {
    name: &'static str,
    options: Options,
    folders: Mutex<Vec<TempDir>>,
}

impl Disk {
    fn new(name: &'static str, options: Options) -> Self {
        Self {
            name,
            options,
            folders: Mutex::default(),
        }
    }
}

#[async_trait::async_trait]
impl Subject for Disk {
    fn name(&self) -> &str {
        self.name
    }

    fn abilities(&self) -> Abilities {
        Abilities {
            lists_uploads: self.options.staging == Staging::Reserved,
            parts: self.options.staging == Staging::Reserved,
            // An inode number may come back within one tick of a coarse clock.
            versions_never_return: false,
            ..Abilities::ALL
        }
    }

    async fn fresh(&self) -> Arc<dyn Store> {
        let folder = tempfile::tempdir().unwrap();
        let store = DiskStore::open(folder.path(), self.options).unwrap();
        self.folders.lock().unwrap().push(folder);
        Arc::new(store)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_served_folder_resolved_by_the_kernel() {
    if !gaveta_disk_kernel_resolves() {
        eprintln!("skipped: this kernel does not resolve paths beneath a folder");
        return;
    }
    let options = Options {
        resolver: Resolver::Openat2,
        ..Options::default()
    };
    conformance::run(&Disk::new("reserved, openat2", options)).await;
}

fn gaveta_disk_kernel_resolves() -> bool {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("a")).unwrap();
    let options = Options {
        resolver: Resolver::Openat2,
        read_only: true,
        ..Options::default()
    };
    let store = DiskStore::open(folder.path(), options).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let path = gaveta_core::Path::parse("a").unwrap();
    std::thread::spawn(move || {
        runtime
            .block_on(store.list(&path, gaveta_core::ListPlan::default()))
            .is_ok()
    })
    .join()
    .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_served_folder_resolved_by_walking() {
    let options = Options {
        resolver: Resolver::Walk,
        durability: Durability::Fast,
        ..Options::default()
    };
    conformance::run(&Disk::new("reserved, walk, fast", options)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_clients_own_disk() {
    let options = Options {
        staging: Staging::Beside,
        ..Options::default()
    };
    conformance::run(&Disk::new("beside", options)).await;
}

/// With a trash, on each way: that no flush of another folder is relied on is the file system's.
#[tokio::test(flavor = "multi_thread")]
async fn a_served_folder_with_a_trash() {
    for (durability, resolver) in [
        (Durability::Full, Resolver::Auto),
        (Durability::Fast, Resolver::Walk),
    ] {
        let options = Options {
            durability,
            resolver,
            trash: Some(TrashOptions::default()),
            ..Options::default()
        };
        let disk = Disk::new("reserved, trash", options);
        assert!(disk.fresh().await.trash().is_some());
        conformance::run(&disk).await;
    }
}

/// Random operations, compared with a map, on each way.
#[tokio::test(flavor = "multi_thread")]
async fn random_operations_do_what_the_model_does() {
    let kept = Some(TrashOptions::default());
    for (seed, resolver, staging, trash) in [
        (1, Resolver::Auto, Staging::Reserved, None),
        (2, Resolver::Walk, Staging::Reserved, None),
        (3, Resolver::Auto, Staging::Beside, None),
        (4, Resolver::Auto, Staging::Reserved, kept),
        (5, Resolver::Walk, Staging::Reserved, kept),
    ] {
        let options = Options {
            resolver,
            staging,
            durability: Durability::Fast,
            read_only: false,
            trash,
        };
        let subject = Disk::new("model", options);
        model::run(subject.fresh().await, subject.abilities(), seed, 1500).await;
    }
}
