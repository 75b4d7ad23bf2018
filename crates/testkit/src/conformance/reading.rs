//! Sections: reading ranges of one version.

use futures_util::StreamExt;
use futures_util::future::join_all;
use gaveta_core::{ErrorKind, ReadPlan, Replace};

use super::Ability;
use super::bench::{Bench, p, refused, strange_version};
use crate::content::{collect, content};

/// The largest piece a stream may give.
const MAX_PIECE: usize = 1 << 20;

pub(super) async fn ranges(b: &Bench) {
    let bytes = content(3_000_000, 1);
    let size = bytes.len() as u64;
    b.put("file", &bytes).await;
    let reading = b.store.read(&p("file"), ReadPlan::default()).await.unwrap();
    for range in [
        0..0,
        0..1,
        0..size,
        1..2,
        5..5,
        4095..4097,
        4096..8192,
        65_535..65_537,
        262_143..1_048_577,
        1_000_000..2_999_999,
        size - 1..size,
        size..size,
    ] {
        let expected = &bytes[range.start as usize..range.end as usize];
        let got = collect(reading.stream(range.clone())).await.unwrap();
        assert!(
            got == expected,
            "{range:?}: {} bytes, not {}",
            got.len(),
            expected.len()
        );
    }
    let mut stream = reading.stream(0..size);
    while let Some(piece) = stream.next().await {
        let length = piece.unwrap().len();
        assert!(
            (1..=MAX_PIECE).contains(&length),
            "a piece of {length} bytes"
        );
    }
    // A hint is only a hint.
    for first in [0..10, 100..200, size - 5..size + 50, u64::MAX - 1..u64::MAX] {
        let plan = ReadPlan {
            version: None,
            first: Some(first),
            ..ReadPlan::default()
        };
        let reading = b.store.read(&p("file"), plan).await.unwrap();
        assert_eq!(reading.entry().size, size);
        assert_eq!(
            collect(reading.stream(10..20)).await.unwrap(),
            &bytes[10..20]
        );
        assert_eq!(collect(reading.stream(0..10)).await.unwrap(), &bytes[0..10]);
    }
}

pub(super) async fn ranges_past_the_end(b: &Bench) {
    let bytes = content(5000, 2);
    b.put("file", &bytes).await;
    b.put("empty", b"").await;
    let reading = b.store.read(&p("file"), ReadPlan::default()).await.unwrap();
    for range in [
        4999..5001,
        0..5001,
        5000..5001,
        6000..6001,
        0..u64::MAX,
        u64::MAX - 1..u64::MAX,
    ] {
        let mut stream = reading.stream(range.clone());
        let mut got = Vec::new();
        let error = loop {
            match stream.next().await {
                Some(Ok(piece)) => got.extend_from_slice(&piece),
                Some(Err(error)) => break error,
                None => panic!("{range:?} ended as if it were whole"),
            }
        };
        assert_eq!(error.kind(), ErrorKind::BadRange, "{range:?}");
        let from = &bytes[(range.start as usize).min(bytes.len())..];
        assert!(
            from.starts_with(&got),
            "{range:?}: only what is there, if anything"
        );
    }
    // It is still good for ranges that are there.
    assert_eq!(collect(reading.stream(0..5000)).await.unwrap(), bytes);
    let empty = b
        .store
        .read(&p("empty"), ReadPlan::default())
        .await
        .unwrap();
    assert!(collect(empty.stream(0..0)).await.unwrap().is_empty());
    refused!(collect(empty.stream(0..1)).await, ErrorKind::BadRange);
}

pub(super) async fn several_streams_at_once(b: &Bench) {
    let bytes = content(1_500_000, 3);
    b.put("file", &bytes).await;
    let reading = b.store.read(&p("file"), ReadPlan::default()).await.unwrap();
    let parts = (0..15u64).map(|n| collect(reading.stream(n * 100_000..(n + 1) * 100_000)));
    let parts: Vec<u8> = join_all(parts)
        .await
        .into_iter()
        .flat_map(|part| part.unwrap())
        .collect();
    assert!(parts == bytes, "the parts are the whole");

    let again = (0..3).map(|_| collect(reading.stream(0..1_500_000)));
    assert!(
        join_all(again)
            .await
            .into_iter()
            .all(|all| all.unwrap() == bytes)
    );

    // A stream that is dropped in the middle disturbs no other, nor does its Reading.
    let mut dropped = reading.stream(0..1_500_000);
    assert!(dropped.next().await.unwrap().is_ok());
    let mut kept = reading.stream(0..1_500_000);
    let mut got = kept.next().await.unwrap().unwrap().to_vec();
    drop(dropped);
    drop(reading);
    got.extend(collect(kept).await.unwrap());
    assert!(got == bytes, "a stream outlives its Reading");
}

pub(super) async fn a_version_can_be_named(b: &Bench) {
    let version = b.put("file", b"first").await.version;
    let named = |version| ReadPlan {
        version: Some(version),
        first: None,
        ..ReadPlan::default()
    };
    let reading = b
        .store
        .read(&p("file"), named(version.clone()))
        .await
        .unwrap();
    assert_eq!(collect(reading.stream(0..5)).await.unwrap(), b"first");
    let strange = named(strange_version());
    refused!(
        b.store.read(&p("file"), strange.clone()).await,
        ErrorKind::VersionMismatch
    );
    refused!(
        b.store.read(&p("none"), strange).await,
        ErrorKind::NotFound | ErrorKind::VersionMismatch
    );
    if b.can(Ability::Replace, "an old version") {
        b.publish_as("file", b"other", Replace::Always)
            .await
            .unwrap();
        refused!(
            b.store.read(&p("file"), named(version)).await,
            ErrorKind::VersionMismatch
        );
    }
}

pub(super) async fn readers_keep_their_version(b: &Bench) {
    if !b.can(Ability::PinnedReaders, "all of it") {
        return;
    }
    let old = content(400_000, 4);
    let size = old.len() as u64;
    b.put("file", &old).await;
    let before = b.store.read(&p("file"), ReadPlan::default()).await.unwrap();
    let mut begun = before.stream(0..size);
    let mut got = begun.next().await.unwrap().unwrap().to_vec();

    let new = content(300_000, 5);
    b.publish_as("file", &new, Replace::Always).await.unwrap();
    let after = b.store.read(&p("file"), ReadPlan::default()).await.unwrap();
    b.store
        .rename(&p("file"), &p("moved"), Default::default())
        .await
        .unwrap();
    assert!(
        collect(before.stream(0..size)).await.unwrap() == old,
        "after it was renamed"
    );
    b.store
        .remove(&p("moved"), Default::default())
        .await
        .unwrap();
    b.assert_empty().await;

    got.extend(collect(begun).await.unwrap());
    assert!(got == old, "a stream that was under way");
    assert!(
        collect(before.stream(0..size)).await.unwrap() == old,
        "after it was replaced"
    );
    assert!(
        collect(after.stream(0..300_000)).await.unwrap() == new,
        "after it was removed"
    );
    assert_eq!(before.entry().size, size, "the entry is as it was");
}

/// Pinned or not: what a reader gets is one version's bytes, or an error.
pub(super) async fn readers_never_mix_versions(b: &Bench) {
    let contents = [vec![b'a'; 200_000], vec![b'b'; 200_000]];
    b.put("file", &contents[0]).await;
    let writer = async {
        for round in 1..12 {
            b.publish_as("file", &contents[round % 2], Replace::Always)
                .await
                .unwrap();
        }
    };
    let reader = async {
        let mut whole = 0;
        for _ in 0..24 {
            let reading = b.store.read(&p("file"), ReadPlan::default()).await.unwrap();
            let first = collect(reading.stream(0..100_000)).await;
            let second = collect(reading.stream(100_000..200_000)).await;
            match first.and_then(|first| Ok([first, second?].concat())) {
                Ok(all) => {
                    assert!(contents.contains(&all), "one version, whole");
                    whole += 1;
                }
                Err(error) => assert!(
                    error.kind() == ErrorKind::VersionMismatch && !b.has(Ability::PinnedReaders),
                    "{}",
                    error.chain()
                ),
            }
        }
        whole
    };
    let ((), whole) = tokio::join!(writer, reader);
    assert!(whole > 0, "some reads get through");
}
