//! What only a real folder has: links, FIFOs, mounts, modes, other programs, other servers.

// Helpers of tests may panic and print, as tests do.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr
)]

mod files;
mod links;
mod reserved;
mod room;

use std::fs;
use std::path::Path as OsPath;

use futures_util::TryStreamExt;
use gaveta_core::{
    Check, Entry, ErrorKind, ListPlan, Listed, Owner, Path, ReadPlan, RemovePlan, Replace, Result,
    Seal, Store, WritePlan,
};
use gaveta_disk::{DiskStore, Durability, Options, Resolver, Staging};
use gaveta_testkit::{collect, stream_of};
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
