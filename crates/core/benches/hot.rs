//! What the core does for every byte, name and entry.
#![allow(clippy::unwrap_used, reason = "benches may")]

use std::hint::black_box;
use std::time::{Duration, SystemTime};

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use gaveta_core::chunk::{self, CHUNK, Outline};
use gaveta_core::{Entry, Kind, ListPlan, OrderBy, Path, Ranges, Version};

/// Bytes that are not all alike.
fn bytes(count: u64) -> Vec<u8> {
    (0..count)
        .map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8)
        .collect()
}

fn digest_tree(c: &mut Criterion) {
    let one = bytes(CHUNK);
    let mut group = c.benchmark_group("digest");
    group.throughput(Throughput::Bytes(CHUNK));
    group.bench_function("chunk", |b| {
        b.iter(|| chunk::digest(3, black_box(&one), 8 * CHUNK));
    });
    // The digests of a file of 10 GiB, merged to that of the whole.
    let count = 10 * 1024;
    let digests: Vec<_> = (0..count)
        .map(|index: u64| chunk::digest(index, &index.to_le_bytes(), count * CHUNK))
        .collect();
    let outline = Outline::new(count * CHUNK, digests).unwrap();
    group.throughput(Throughput::Elements(count));
    group.bench_function("merge", |b| b.iter(|| black_box(&outline).digest()));
    group.finish();
}

fn ranges(c: &mut Criterion) {
    let mut group = c.benchmark_group("ranges");
    for chunks in [64_u64, 4096] {
        // Eight streams, each with its own stretch, in turn.
        let share = chunks / 8;
        let order: Vec<u64> = (0..share)
            .flat_map(|step| (0..8).map(move |stream| stream * share + step))
            .collect();
        group.throughput(Throughput::Elements(chunks));
        group.bench_with_input(BenchmarkId::new("insert", chunks), &order, |b, order| {
            b.iter(|| {
                let mut there = Ranges::new();
                for index in order {
                    there.insert(index * CHUNK..(index + 1) * CHUNK);
                }
                there
            });
        });
        // The worst that an upload may look like: every second chunk.
        let mut holes = Ranges::new();
        for index in (0..chunks).step_by(2) {
            holes.insert(index * CHUNK..(index + 1) * CHUNK);
        }
        group.bench_with_input(BenchmarkId::new("gaps", chunks), &holes, |b, holes| {
            b.iter(|| black_box(holes).gaps(chunks * CHUNK).count());
        });
    }
    group.finish();
}

fn paths(c: &mut Criterion) {
    let mut group = c.benchmark_group("path");
    for (name, text) in [
        ("short", "photos/beach-1.jpg"),
        (
            "deep",
            "a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q/r/s/t/u/v/w/x/y/z",
        ),
        ("accents", "relatórios/2026/março/reunião de avaliação.pdf"),
    ] {
        group.bench_with_input(BenchmarkId::new("parse", name), text, |b, text| {
            b.iter(|| Path::parse(black_box(text)));
        });
    }
    let folder = Path::parse("photos/2026/november").unwrap();
    group.bench_function("join", |b| b.iter(|| folder.join(black_box("beach-1.jpg"))));
    group.finish();
}

/// Entries in an order that is nobody's.
fn entries(count: u64) -> Vec<Entry> {
    (0..count)
        .map(|number| {
            let mixed = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
            Entry {
                path: Path::parse(&format!("folder/{mixed:016x}.txt")).unwrap(),
                kind: Kind::File,
                size: mixed >> 40,
                modified: SystemTime::UNIX_EPOCH + Duration::from_nanos(mixed >> 4),
                version: Version::parse("1-2-3-4").unwrap(),
                digest: None,
                executable: false,
            }
        })
        .collect()
}

fn page(c: &mut Criterion) {
    let all = entries(20_000);
    let mut group = c.benchmark_group("listing");
    group.throughput(Throughput::Elements(all.len() as u64));
    for (name, by) in [("name", OrderBy::Name), ("modified", OrderBy::Modified)] {
        let plan = ListPlan {
            limit: Some(100),
            ..ListPlan::sorted(by, false)
        };
        group.bench_function(BenchmarkId::new("page of 100", name), |b| {
            b.iter_batched(
                || (plan.window().unwrap().unwrap(), all.clone()),
                |(mut window, all)| {
                    all.into_iter().for_each(|entry| window.push(entry));
                    window.into_page()
                },
                BatchSize::LargeInput,
            );
        });
    }
    group.finish();
}

criterion_group!(hot, digest_tree, ranges, paths, page);
criterion_main!(hot);
