//! Uploads that are taken up again, what they start from, and what is kept about published files.

// Helpers of tests may panic and print, as tests do.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path as OsPath, PathBuf};
use std::process::Command;

use futures_util::{StreamExt, TryStreamExt};
use gaveta_core::{
    CHUNK, Check, Digest, ErrorKind, MovePlan, OnDrop, Owner, Path, Piece, Pieces, ReadPlan,
    Replace, Result, Seal, Store, UploadId, WritePlan, chunk,
};
use gaveta_disk::{DiskStore, Options, Staging};
use gaveta_testkit::{content, stream_of};
use tempfile::{TempDir, tempdir};

const ID: &str = "00112233445566778899aabbccddeeff";
const SIZE: usize = 3 * CHUNK as usize + 5000;

fn p(text: &str) -> Path {
    Path::parse(text).unwrap()
}

fn id() -> UploadId {
    UploadId::parse(ID).unwrap()
}

fn keep(target: &str) -> WritePlan {
    WritePlan {
        id: Some(id()),
        length: Some(SIZE as u64),
        on_drop: OnDrop::Keep,
        replace: Replace::Always,
        ..WritePlan::new(p(target), Owner("test".into()))
    }
}

fn open(root: &OsPath) -> DiskStore {
    DiskStore::open(root, Options::default()).unwrap()
}

fn all(bytes: &[u8]) -> Pieces {
    let length = bytes.len() as u64;
    chunk::pieces(stream_of(bytes.to_vec(), 100_000), 0..length, length)
}

fn sealed(bytes: &[u8]) -> Seal {
    Seal {
        length: Some(bytes.len() as u64),
        digest: Some(Digest::of(bytes)),
    }
}

fn kind<T>(result: Result<T>) -> ErrorKind {
    result.err().expect("it must be refused").kind()
}

/// The disk as it would be found if the server had been killed now.
fn killed(root: &OsPath) -> TempDir {
    let copy = tempdir().unwrap();
    let copied = Command::new("cp")
        .arg("-a")
        .arg(root.join("."))
        .arg(copy.path())
        .status();
    assert!(copied.unwrap().success());
    copy
}

fn flip(file: &OsPath, at: u64) {
    let file = fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open(file)
        .unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).unwrap();
    file.write_all_at(&[byte[0] ^ 1], at).unwrap();
}

fn kept(root: &OsPath, name: &str) -> PathBuf {
    root.join(".gaveta/uploads").join(ID).join(name)
}

async fn put(store: &DiskStore, path: &str, bytes: &[u8]) {
    let plan = WritePlan {
        replace: Replace::Always,
        ..WritePlan::new(p(path), Owner("test".into()))
    };
    let upload = store.begin(plan).await.unwrap();
    let content = stream_of(bytes.to_vec(), 100_000);
    upload.write(0, content, Check::None).await.unwrap();
    upload.commit(sealed(bytes)).await.unwrap();
}

/// Takes the upload up, says what had arrived, sends the rest and commits.
async fn go_on(store: &DiskStore, target: Option<&Path>, bytes: &[u8]) -> Vec<(u64, u64)> {
    let upload = store.upload(&id(), target).await.unwrap();
    let arrived = upload.state().await.unwrap().arrived;
    for gap in arrived.gaps(bytes.len() as u64).collect::<Vec<_>>() {
        let rest = bytes[gap.start as usize..gap.end as usize].to_vec();
        upload
            .write(gap.start, stream_of(rest, 77_777), Check::None)
            .await
            .unwrap();
    }
    upload.commit(sealed(bytes)).await.unwrap();
    arrived
        .iter()
        .map(|range| (range.start, range.end))
        .collect()
}

#[tokio::test]
async fn a_chunk_that_went_bad_after_a_kill_is_asked_for_again_alone() {
    let root = tempdir().unwrap();
    let store = open(root.path());
    let bytes = content(SIZE, 1);
    let upload = store.begin(keep("file")).await.unwrap();
    assert_eq!(
        upload.write_chunks(0, all(&bytes)).await.unwrap(),
        SIZE as u64
    );
    let crashed = killed(root.path());
    flip(&kept(crashed.path(), "content"), CHUNK + 17);
    let arrived = go_on(&open(crashed.path()), None, &bytes).await;
    assert_eq!(arrived, [(0, CHUNK), (2 * CHUNK, SIZE as u64)]);
    assert!(fs::read(crashed.path().join("file")).unwrap() == bytes);
}

#[tokio::test]
async fn more_chunks_at_once_than_are_summed_on_the_way() {
    const MANY: u64 = 160;
    let root = tempdir().unwrap();
    let store = open(root.path());
    let bytes = content(MANY as usize * CHUNK as usize, 4);
    let length = bytes.len() as u64;
    let mut plan = keep("file");
    plan.length = Some(length);
    let upload = store.begin(plan).await.unwrap();
    let all_begun = std::sync::Arc::new(tokio::sync::Barrier::new(MANY as usize));
    let writes = (0..MANY).map(|number| {
        let span = chunk::span(number, length);
        let own = bytes[span.start as usize..span.end as usize].to_vec();
        let pieces = chunk::pieces(stream_of(own, 500_000), span.clone(), length);
        let all_begun = std::sync::Arc::clone(&all_begun);
        let halting = pieces.enumerate().then(move |(place, piece)| {
            let all_begun = std::sync::Arc::clone(&all_begun);
            async move {
                if place == 1 {
                    // What came is written when nothing comes for a while.
                    tokio::time::sleep(std::time::Duration::from_millis(60)).await;
                    all_begun.wait().await;
                }
                piece
            }
        });
        upload.write_chunks(span.start, Box::pin(halting))
    });
    for kept in futures_util::future::join_all(writes).await {
        assert_eq!(kept.unwrap(), CHUNK);
    }
    upload.commit(sealed(&bytes)).await.unwrap();
    assert!(fs::read(root.path().join("file")).unwrap() == bytes);
}

#[tokio::test]
async fn a_digest_that_comes_late_still_closes_its_chunk_and_bad_framing_keeps_nothing() {
    let root = tempdir().unwrap();
    let store = open(root.path());
    let bytes = content(SIZE, 8);
    let upload = store.begin(keep("file")).await.unwrap();
    let slow = all(&bytes).then(|piece| async move {
        if matches!(piece, Ok(Piece::Close(_))) {
            tokio::time::sleep(std::time::Duration::from_millis(80)).await;
        }
        piece
    });
    upload.write_chunks(0, Box::pin(slow)).await.unwrap();
    assert!(
        upload
            .state()
            .await
            .unwrap()
            .arrived
            .covers(&(0..SIZE as u64))
    );
    let other = content(SIZE, 9);
    let unclosed = all(&other).filter(|piece| {
        let keeps = !matches!(piece, Ok(Piece::Close(_)));
        async move { keeps }
    });
    let again = upload.write_chunks(0, Box::pin(unclosed)).await;
    assert_eq!(kind(again), ErrorKind::BadRequest);
    // What was there before counts as long as none of it was overwritten, and not an instant longer.
    let arrived = upload.state().await.unwrap().arrived;
    if arrived.touches(&(0..CHUNK)) {
        assert!(arrived.covers(&(0..CHUNK)));
        assert_eq!(
            upload.read(0..CHUNK).await.unwrap(),
            bytes[..CHUNK as usize]
        );
    }
    upload.write_chunks(0, all(&bytes)).await.unwrap();
    upload.commit(sealed(&bytes)).await.unwrap();
    assert!(fs::read(root.path().join("file")).unwrap() == bytes);
}

#[tokio::test]
async fn without_a_target_content_can_be_spooled_in_every_staging() {
    for staging in [Staging::Reserved, Staging::Beside] {
        let root = tempdir().unwrap();
        let options = Options {
            staging,
            ..Options::default()
        };
        let store = DiskStore::open(root.path(), options).unwrap();
        let plan = WritePlan {
            target: None,
            ..WritePlan::new(p("unused"), Owner("test".into()))
        };
        let upload = store.begin(plan).await.unwrap();
        let bytes = content(1000, 9);
        let first = stream_of(bytes.clone(), 100);
        upload.write(0, first, Check::None).await.unwrap();
        assert_eq!(upload.read(0..1000).await.unwrap(), bytes);
        assert_eq!(
            kind(upload.commit(Seal::default()).await),
            ErrorKind::BadRequest
        );
        upload.discard().await.unwrap();
        let listed = store.list(&Path::root(), Default::default()).await.unwrap();
        assert!(listed.try_collect::<Vec<_>>().await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn a_journal_torn_anywhere_costs_no_more_than_what_it_lost() {
    let root = tempdir().unwrap();
    let store = open(root.path());
    let bytes = content(SIZE, 2);
    let upload = store.begin(keep("file")).await.unwrap();
    upload.write_chunks(0, all(&bytes)).await.unwrap();
    let journal = fs::metadata(kept(root.path(), "journal")).unwrap().len();
    for cut in [0, 1, 55, 56, 57, 100, 112, 130, journal - 1, journal] {
        let crashed = killed(root.path());
        let file = fs::OpenOptions::new()
            .write(true)
            .open(kept(crashed.path(), "journal"))
            .unwrap();
        file.set_len(cut).unwrap();
        let arrived = go_on(&open(crashed.path()), None, &bytes).await;
        let whole = (cut / 56 * CHUNK).min(SIZE as u64);
        let expected: Vec<_> = (whole > 0).then_some((0, whole)).into_iter().collect();
        assert_eq!(arrived, expected, "{cut}");
    }
}

#[tokio::test]
async fn what_the_last_holder_left_is_not_hashed_again_unless_the_system_started_anew() {
    let root = tempdir().unwrap();
    let store = open(root.path());
    let bytes = content(SIZE, 3);
    let upload = store.begin(keep("file")).await.unwrap();
    // Ends within a chunk.
    let half = SIZE / 2;
    let first = stream_of(bytes[..half].to_vec(), 100_000);
    upload.write(0, first, Check::None).await.unwrap();
    drop(upload);
    let mark = kept(root.path(), "clean");
    while !mark.exists() {
        tokio::task::yield_now().await;
    }
    let left = killed(root.path());
    flip(&kept(left.path(), "content"), 5);
    let trusting = open(left.path());
    let upload = trusting.upload(&id(), None).await.unwrap();
    let state = upload.state().await.unwrap();
    assert_eq!(
        state.arrived.prefix(),
        half as u64,
        "it was not hashed again"
    );
    let anew = killed(root.path());
    flip(&kept(anew.path(), "content"), 5);
    fs::write(kept(anew.path(), "clean"), b"another start").unwrap();
    let arrived = go_on(&open(anew.path()), None, &bytes).await;
    assert_eq!(arrived, [(CHUNK, half as u64)]);
    // The first write takes the mark away.
    let upload = store.upload(&id(), None).await.unwrap();
    let more = stream_of(bytes[half..].to_vec(), 100_000);
    upload.write(half as u64, more, Check::None).await.unwrap();
    assert!(!mark.exists());
    upload.commit(sealed(&bytes)).await.unwrap();
}

#[tokio::test]
async fn what_differs_is_enough_when_the_rest_is_there_also_after_a_restart() {
    let root = tempdir().unwrap();
    let store = open(root.path());
    let old = content(SIZE, 4);
    let mut new = old.clone();
    new[CHUNK as usize + 9] ^= 1;
    put(&store, "file", &old).await;
    let base = store.stat(&p("file")).await.unwrap().version;
    let plan = WritePlan {
        base: Some(base),
        note: Some("a note".to_owned()),
        ..keep("file")
    };
    let upload = store.begin(plan).await.unwrap();
    let changed = stream_of(new[CHUNK as usize..2 * CHUNK as usize].to_vec(), 50_000);
    upload.write(CHUNK, changed, Check::None).await.unwrap();
    // A base that rotted is not taken: what was published is known by its outline.
    let rotten = killed(root.path());
    let file = rotten.path().join("file");
    let modified = fs::metadata(&file).unwrap().modified().unwrap();
    flip(&file, 2 * CHUNK + 1);
    fs::File::open(&file)
        .unwrap()
        .set_modified(modified)
        .unwrap();
    let store = open(rotten.path());
    let again = store.upload(&id(), None).await.unwrap();
    assert_eq!(again.state().await.unwrap().note.as_deref(), Some("a note"));
    // The copy is another inode, so it is another version: gone, as far as the upload knows.
    assert_eq!(
        kind(again.commit(sealed(&new)).await),
        ErrorKind::VersionMismatch
    );
    let seen = again.state().await.unwrap();
    assert_eq!(seen.arrived.total(), CHUNK, "it is usable as before");
    // Here it is the same inode and the same time.
    let file = root.path().join("file");
    let modified = fs::metadata(&file).unwrap().modified().unwrap();
    flip(&file, 2 * CHUNK + 1);
    fs::File::open(&file)
        .unwrap()
        .set_modified(modified)
        .unwrap();
    assert_eq!(
        kind(upload.commit(sealed(&new)).await),
        ErrorKind::VersionMismatch
    );
    flip(&file, 2 * CHUNK + 1);
    fs::File::open(&file)
        .unwrap()
        .set_modified(modified)
        .unwrap();
    upload.commit(sealed(&new)).await.unwrap();
    assert!(fs::read(&file).unwrap() == new);
}

#[tokio::test]
async fn published_chunks_are_known_by_their_digests_and_rot_is_told() {
    let root = tempdir().unwrap();
    let store = open(root.path());
    let outlines = root.path().join(".gaveta/records/outlines");
    let count = || fs::read_dir(&outlines).unwrap().count();
    let bytes = content(SIZE, 5);
    put(&store, "file", &bytes).await;
    put(&store, "small", &bytes[..1000]).await;
    assert_eq!(count(), 1, "a single chunk is the whole");
    store
        .rename(&p("file"), &p("else"), MovePlan::default())
        .await
        .unwrap();
    let reading = store.read(&p("else"), ReadPlan::default()).await.unwrap();
    let entry = reading.entry().clone();
    let outline = store.outline(&p("else"), &entry.version).await.unwrap();
    assert_eq!(outline.digest(), Digest::of(&bytes));
    let file = root.path().join("else");
    flip(&file, CHUNK + 3);
    fs::File::open(&file)
        .unwrap()
        .set_modified(entry.modified)
        .unwrap();
    let pieces: Vec<Piece> = reading
        .chunks(CHUNK..2 * CHUNK)
        .try_collect()
        .await
        .unwrap();
    let Some(Piece::Close(kept)) = pieces.last() else {
        panic!("a chunk that is not closed");
    };
    assert_eq!(
        Some(kept),
        outline.chunks().get(1),
        "that of what was published"
    );
    let sent: Vec<u8> = pieces
        .iter()
        .flat_map(|piece| match piece {
            Piece::Bytes(bytes) => bytes.to_vec(),
            Piece::Close(_) => Vec::new(),
        })
        .collect();
    assert_ne!(chunk::digest(1, &sent, SIZE as u64), *kept);
    assert_eq!(
        kind(reading.chunks(5..CHUNK).try_collect::<Vec<_>>().await),
        ErrorKind::BadRange
    );
    put(&store, "else", &bytes[..2 * CHUNK as usize]).await;
    assert_eq!(count(), 1, "the replaced one's is gone");
    store.remove(&p("else"), Default::default()).await.unwrap();
    assert_eq!(count(), 0);
    // What another program wrote is hashed when somebody asks, and then known.
    fs::write(&file, &bytes).unwrap();
    let version = store.stat(&p("else")).await.unwrap().version;
    let made = store.outline(&p("else"), &version).await.unwrap();
    assert_eq!(made.digest(), Digest::of(&bytes));
    assert_eq!(count(), 1);
    assert_eq!(
        store.stat(&p("else")).await.unwrap().digest,
        Some(made.digest())
    );
}

#[tokio::test]
async fn beside_its_target_it_is_found_by_whoever_knows_the_target() {
    let root = tempdir().unwrap();
    let options = Options {
        staging: Staging::Beside,
        ..Options::default()
    };
    let store = DiskStore::open(root.path(), options).unwrap();
    let bytes = content(SIZE, 6);
    let target = p("new/folder/file");
    let upload = store.begin(keep("new/folder/file")).await.unwrap();
    let first = stream_of(bytes[..SIZE / 2].to_vec(), 100_000);
    upload.write(0, first, Check::None).await.unwrap();
    upload.sync().await.unwrap();
    let listed = store.list(&Path::root(), Default::default()).await.unwrap();
    assert_eq!(listed.try_collect::<Vec<_>>().await.unwrap().len(), 0);
    let other = DiskStore::open(root.path(), options).unwrap();
    assert_eq!(
        kind(other.upload(&id(), Some(&target)).await),
        ErrorKind::Locked
    );
    assert_eq!(
        kind(other.begin(keep("new/folder/file")).await),
        ErrorKind::Exists
    );
    assert_eq!(
        kind(other.upload(&id(), None).await),
        ErrorKind::UnknownUpload
    );
    assert_eq!(
        kind(other.upload(&id(), Some(&p("x"))).await),
        ErrorKind::UnknownUpload
    );
    let crashed = killed(root.path());
    fs::create_dir_all(crashed.path().join("new/folder")).unwrap();
    let part = format!(".file.{ID}.gaveta-part");
    flip(&crashed.path().join(&part), 5);
    let crashed_store = DiskStore::open(crashed.path(), options).unwrap();
    let arrived = go_on(&crashed_store, Some(&target), &bytes).await;
    assert_eq!(arrived, [(CHUNK, SIZE as u64 / 2)]);
    let names = fs::read_dir(crashed.path()).unwrap();
    assert_eq!(names.count(), 1, "nothing is left beside it");
    assert!(fs::read(crashed.path().join("new/folder/file")).unwrap() == bytes);
}
