//! A folder read from the disk: unsorted, and one sorted page of it.
#![allow(clippy::unwrap_used, reason = "benches may")]

use std::fs;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use futures_util::StreamExt;
use gaveta_core::{ListPlan, OrderBy, Path, Store};
use gaveta_disk::{DiskStore, Options};

const ENTRIES: u64 = 10_000;

fn listing(c: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("many")).unwrap();
    for number in 0..ENTRIES {
        fs::write(folder.path().join(format!("many/{number:05}.txt")), b"x").unwrap();
    }
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let store = DiskStore::open(folder.path(), Options::default()).unwrap();
    let many = Path::parse("many").unwrap();
    let page = ListPlan {
        limit: Some(100),
        ..ListPlan::sorted(OrderBy::Name, false)
    };
    let mut group = c.benchmark_group("listing");
    group
        .throughput(Throughput::Elements(ENTRIES))
        .sample_size(30);
    for (name, plan, wanted) in [
        ("unsorted", ListPlan::default(), ENTRIES),
        ("page of 100 by name", page, 100),
    ] {
        group.bench_function(name, |b| {
            b.iter(|| {
                let found = runtime.block_on(async {
                    let listing = store.list(&many, plan.clone()).await.unwrap();
                    listing.count().await
                });
                assert_eq!(found as u64, wanted);
            });
        });
    }
    group.finish();
}

criterion_group!(benches, listing);
criterion_main!(benches);
