//! Sections: the chunk digests of files, and reading in chunks.

use futures_util::StreamExt;
use gaveta_core::{
    CHUNK, ChunkDigest, ErrorKind, MovePlan, Piece, Pieces, ReadPlan, Replace, Result, TouchPlan,
    chunk,
};

use super::Ability;
use super::bench::{Bench, p, refused, second, strange_version};
use super::chunks::LENGTHS;
use crate::content::content;

/// The bytes and the digests of pieces, and where each chunk ended.
async fn gather(mut pieces: Pieces) -> Result<(Vec<u8>, Vec<ChunkDigest>)> {
    let (mut bytes, mut digests) = (Vec::new(), Vec::new());
    while let Some(piece) = pieces.next().await {
        match piece? {
            Piece::Bytes(more) => bytes.extend_from_slice(&more),
            Piece::Close(digest) => digests.push(digest),
        }
    }
    Ok((bytes, digests))
}

fn digests_of(bytes: &[u8]) -> Vec<ChunkDigest> {
    let length = bytes.len() as u64;
    let chunks = bytes.chunks(CHUNK as usize).enumerate();
    chunks
        .map(|(index, chunk)| chunk::digest(index as u64, chunk, length))
        .collect()
}

impl Bench {
    /// Asserts that the file's outline is that of these bytes.
    pub(super) async fn outline_is_true(&self, path: &str, bytes: &[u8]) {
        let version = self.stat(path).await.version;
        let outline = self.store.outline(&p(path), &version).await;
        let outline = outline.unwrap_or_else(|e| panic!("{path}: {}", e.chain()));
        assert_eq!(outline.length(), bytes.len() as u64, "{path}");
        assert_eq!(outline.chunks(), digests_of(bytes), "{path}");
        assert_eq!(outline.digest(), gaveta_core::Digest::of(bytes), "{path}");
    }
}

pub(super) async fn outlines_are_true(b: &Bench) {
    for (seed, length) in LENGTHS.into_iter().enumerate() {
        let bytes = content(length as usize, seed as u64);
        let path = format!("{length}");
        b.put(&path, &bytes).await;
        b.outline_is_true(&path, &bytes).await;
        b.outline_is_true(&path, &bytes).await;
    }
    let (path, bytes) = (p("file"), content(2 * CHUNK as usize + 5, 20));
    b.put("file", &bytes).await;
    refused!(
        b.store.outline(&path, &strange_version()).await,
        ErrorKind::VersionMismatch
    );
    let copied = b.store.copy(&path, &p("copy"), MovePlan::default()).await;
    copied.unwrap();
    b.outline_is_true("copy", &bytes).await;
    let moved = b
        .store
        .rename(&path, &p("moved"), MovePlan::default())
        .await;
    moved.unwrap();
    b.outline_is_true("moved", &bytes).await;
    let plan = TouchPlan {
        modified: Some(second(9)),
        executable: None,
    };
    b.store.touch(&p("moved"), plan).await.unwrap();
    b.outline_is_true("moved", &bytes).await;

    let any = strange_version();
    refused!(b.store.outline(&path, &any).await, ErrorKind::NotFound);
    let folder = b.folder("folder").await;
    refused!(
        b.store.outline(&p("folder"), &folder.version).await,
        ErrorKind::IsFolder
    );
    if b.can(Ability::Replace, "a changed file") {
        let old = b.stat("moved").await.version;
        let other = content(CHUNK as usize + 1, 21);
        let replaced = b.publish_as("moved", &other, Replace::Always).await;
        replaced.unwrap();
        refused!(
            b.store.outline(&p("moved"), &old).await,
            ErrorKind::VersionMismatch
        );
        b.outline_is_true("moved", &other).await;
    }
}

pub(super) async fn reading_in_chunks(b: &Bench) {
    for (seed, length) in LENGTHS.into_iter().enumerate() {
        let bytes = content(length as usize, seed as u64);
        let path = format!("{length}");
        b.put(&path, &bytes).await;
        let reading = b.store.read(&p(&path), ReadPlan::default()).await.unwrap();
        let digests = digests_of(&bytes);
        let count = chunk::count(length) as usize;
        let singles = (0..count).map(|index| index..index + 1);
        for run in std::iter::once(0..count).chain(singles) {
            let start = chunk::span(run.start as u64, length).start;
            let end = match run.end {
                0 => 0,
                end => chunk::span(end as u64 - 1, length).end,
            };
            let (got, told) = gather(reading.chunks(start..end)).await.unwrap();
            assert!(got == bytes[start as usize..end as usize], "{start}..{end}");
            assert_eq!(told, digests[run], "{start}..{end} of {length}");
        }
    }
    let length = 3 * CHUNK + 17;
    let reading = b.store.read(&p("3145745"), ReadPlan::default()).await;
    let reading = reading.unwrap();
    for range in [
        1..CHUNK,
        0..CHUNK - 1,
        CHUNK..2 * CHUNK + 1,
        3 * CHUNK..length - 1,
        0..length + 1,
        0..4 * CHUNK,
        4 * CHUNK..5 * CHUNK,
    ] {
        refused!(gather(reading.chunks(range)).await, ErrorKind::BadRange);
    }
}

pub(super) async fn chunks_of_one_version(b: &Bench) {
    let old = content(2 * CHUNK as usize + 100, 30);
    b.put("file", &old).await;
    let plan = ReadPlan::default();
    let reading = b.store.read(&p("file"), plan).await.unwrap();
    let new = content(2 * CHUNK as usize + 100, 31);
    b.publish_as("file", &new, Replace::Always).await.unwrap();
    let all = gather(reading.chunks(0..old.len() as u64)).await;
    if b.has(Ability::PinnedReaders) {
        assert!(all.unwrap().0 == old, "it keeps its version");
    } else if let Ok((bytes, _)) = all {
        assert!(bytes == old, "it never shows another version");
    }
}
