//! What goes over the line: messages of the session, lines of a listing, chunks, addresses.
#![allow(clippy::unwrap_used, reason = "benches may")]

use std::hint::black_box;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::SystemTime;

use bytes::Bytes;
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use futures_core::Stream;
use gaveta_core::chunk::{self, CHUNK, Pieces};
use gaveta_core::{Content, Entry, Kind, Path, Result, Version};
use gaveta_wire::body::{EntryBody, Line};
use gaveta_wire::{chunks, session, url};

fn messages(c: &mut Criterion) {
    let mut group = c.benchmark_group("session");
    for (name, text) in [
        ("ping", r#"{"id":1,"do":"ping"}"#),
        (
            "list",
            r#"{"id":2,"do":"list","path":"photos/2026","sort":"modified","descending":true,"limit":100}"#,
        ),
        (
            "rename",
            r#"{"id":3,"do":"rename","from":"photos/2026/a b.txt","to":"photos/2025/a b.txt","replace":"always"}"#,
        ),
    ] {
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_with_input(BenchmarkId::new("request", name), text, |b, text| {
            b.iter(|| {
                let request: session::Request = serde_json::from_str(black_box(text)).unwrap();
                request.call.parse()
            });
        });
    }
    group.finish();
}

fn lines(c: &mut Criterion) {
    let entry = Entry {
        path: Path::parse("photos/2026/november/beach 000001.jpg").unwrap(),
        kind: Kind::File,
        size: 731_000,
        modified: SystemTime::now(),
        version: Version::parse("99c37b-6400000-18eabe4cd8deddae-18eabe4d56fe7698").unwrap(),
        digest: None,
        executable: false,
    };
    let text = serde_json::to_string(&Line::Entry(EntryBody::from(&entry))).unwrap();
    let mut group = c.benchmark_group("listing");
    group.throughput(Throughput::Elements(1));
    group.bench_function("write a line", |b| {
        b.iter(|| serde_json::to_vec(&Line::Entry(EntryBody::from(black_box(&entry)))));
    });
    group.bench_function("read a line", |b| {
        b.iter(|| serde_json::from_str::<Line>(black_box(&text)));
    });
    group.bench_function("parse an address", |b| {
        b.iter(|| url::parse(black_box("/relat%C3%B3rios/2026/a%20b%20c.pdf")));
    });
    group.finish();
}

/// What arrives, as it arrives.
struct Arriving(std::vec::IntoIter<Bytes>);

impl Stream for Arriving {
    type Item = Result<Bytes>;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Self::Item>> {
        Poll::Ready(self.0.next().map(Ok))
    }
}

/// Reads to the end what never waits.
fn drain(pieces: Pieces) -> usize {
    let mut pieces = pin!(pieces);
    let mut context = Context::from_waker(Waker::noop());
    let mut found = 0;
    while let Poll::Ready(Some(piece)) = pieces.as_mut().poll_next(&mut context) {
        piece.unwrap();
        found += 1;
    }
    found
}

fn chunk_frames(c: &mut Criterion) {
    const CHUNKS: u64 = 8;
    let one: Vec<u8> = (0..CHUNK).map(|at| (at >> 7) as u8).collect();
    let mut body = Vec::new();
    for index in 0..CHUNKS {
        body.extend_from_slice(&one);
        body.extend_from_slice(chunk::digest(index, &one, CHUNKS * CHUNK).as_bytes());
    }
    // In pieces as a socket gives them.
    let body: Vec<Bytes> = body
        .chunks(256 * 1024)
        .map(Bytes::copy_from_slice)
        .collect();
    let mut group = c.benchmark_group("chunks");
    group.throughput(Throughput::Bytes(CHUNKS * CHUNK));
    group.bench_function("unframe", |b| {
        b.iter_batched(
            || -> Content { Box::pin(Arriving(body.clone().into_iter())) },
            |content| drain(chunks::unframe(content, 0..CHUNKS * CHUNK, CHUNKS * CHUNK)),
            BatchSize::SmallInput,
        );
    });
    group.finish();
}

criterion_group!(frames, messages, lines, chunk_frames);
criterion_main!(frames);
