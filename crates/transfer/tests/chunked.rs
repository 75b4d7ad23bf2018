//! Big files: in chunks, several at once, as what differs.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use common::big::{
    AsStore, Heard, LENGTH, Notebook, copy, copy_heard, deriving, flaky, kept, only, quick,
    remembering, replacing,
};
use common::{get, path, put};
use gaveta_core::{CHUNK, Digest, Entry, ErrorKind, Store};
use gaveta_testkit::{FlakyStore, MemoryStore, Operation, content};
use gaveta_transfer::{Cancel, Filter, Item, Options, Source, Why, transfer, transfer_items};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_big_file_lands_chunk_by_chunk() {
    for length in [
        CHUNK as usize,
        CHUNK as usize + 1,
        2 * CHUNK as usize,
        LENGTH,
    ] {
        let (here, there) = (MemoryStore::new(), MemoryStore::new());
        let bytes = content(length, 1);
        let sent = put(&here, "a", &bytes).await;
        let (summary, heard) = copy(&here, &there, quick()).await;
        assert!(summary.is_whole() && summary.files == 1, "{summary:?}");
        let copied = only(&heard.copied);
        assert_eq!(
            (copied.size, copied.sent, copied.resumed, copied.again),
            (length as u64, length as u64, 0, 0)
        );
        let entry = there.stat(&path("a")).await.unwrap();
        assert_eq!(entry.digest, Some(Digest::of(&bytes)));
        assert_eq!(entry.modified, sent.modified);
        assert!(kept(&there).await.is_empty());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_chunk_alone_is_sent_again() {
    for spoil in [FlakyStore::spoil_writes, FlakyStore::spoil_reads] {
        let (here, there) = (flaky(), flaky());
        let bytes = content(LENGTH, 1);
        put(here.inner(), "a", &bytes).await;
        spoil(&there, 1);
        spoil(&here, 1);
        let options = Options {
            parallel: Some(1),
            ..quick()
        };
        let (summary, heard) = copy(&here, &there, options).await;
        assert!(summary.is_whole() && summary.files == 1, "{summary:?}");
        assert_eq!(get(there.inner(), "a").await.unwrap(), bytes);
        assert!(heard.retries.load(Ordering::SeqCst) >= 1);
        // Each time the wrong chunk, and at most what was on its way behind it.
        assert!(summary.again >= CHUNK, "{summary:?}");
        assert_eq!(only(&heard.copied).again, summary.again);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_chunk_that_stays_wrong_is_a_clear_error() {
    let (here, there) = (MemoryStore::new(), flaky());
    put(&here, "a", &content(LENGTH, 1)).await;
    there.spoil_writes(usize::MAX);
    let notes = Arc::new(Notebook::default());
    let (summary, _) = copy(&here, &there, remembering(&notes)).await;
    assert_eq!(summary.failed.len(), 1, "{summary:?}");
    assert_eq!(summary.failed[0].error.kind(), ErrorKind::DigestMismatch);
    assert_eq!(get(there.inner(), "a").await, None);
    // What was right stays, and the next run goes on.
    there.heal();
    let (summary, _) = copy(&here, &there, remembering(&notes)).await;
    assert!(summary.is_whole() && summary.files == 1, "{summary:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cut_streams_go_on_from_what_arrived() {
    for kind in [
        ErrorKind::Disconnected,
        ErrorKind::TimedOut,
        ErrorKind::Busy,
    ] {
        let (here, there) = (flaky(), flaky());
        let bytes = content(LENGTH, 1);
        put(here.inner(), "a", &bytes).await;
        there.fail(Operation::WriteChunks, kind, 1, 2);
        there.fail(Operation::State, kind, 0, 1);
        there.lose_answer(Operation::WriteChunks, kind);
        let (summary, _) = copy(&here, &there, quick()).await;
        assert!(summary.is_whole() && summary.files == 1, "{summary:?}");
        assert_eq!(get(there.inner(), "a").await.unwrap(), bytes);
    }
    // Every stream is cut within its second chunk, again and again: each brings one chunk.
    for cut_source in [false, true] {
        let (here, there) = (flaky(), flaky());
        let bytes = content(LENGTH, 1);
        put(here.inner(), "a", &bytes).await;
        let cut = CHUNK + CHUNK / 2;
        if cut_source {
            here.cut_reads_after(cut, ErrorKind::Disconnected);
        } else {
            there.cut_writes_after(cut, ErrorKind::Disconnected);
        }
        let (summary, _) = copy(&here, &there, quick()).await;
        assert!(summary.is_whole() && summary.files == 1, "{summary:?}");
        assert_eq!(get(there.inner(), "a").await.unwrap(), bytes);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_never_comes_further_is_given_up_and_kept() {
    let (here, there) = (MemoryStore::new(), flaky());
    let bytes = content(LENGTH, 1);
    put(&here, "a", &bytes).await;
    there.cut_writes_after(CHUNK / 2, ErrorKind::Disconnected);
    let notes = Arc::new(Notebook::default());
    let (summary, _) = copy(&here, &there, remembering(&notes)).await;
    assert_eq!(summary.failed[0].error.kind(), ErrorKind::Disconnected);
    assert_eq!(kept(there.inner()).await.len(), 1);
    there.heal();
    let (summary, _) = copy(&here, &there, remembering(&notes)).await;
    assert!(summary.is_whole() && summary.files == 1, "{summary:?}");
    assert!(kept(there.inner()).await.is_empty());
    assert!(notes.0.lock().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_what_differs_is_sent() {
    for derive in [false, true] {
        let (here, there) = (MemoryStore::new(), MemoryStore::new());
        let mut bytes = content(LENGTH, 1);
        put(&there, "a", &bytes).await;
        bytes[3 * CHUNK as usize + 5] ^= 1;
        bytes[7 * CHUNK as usize] ^= 1;
        put(&here, "a", &bytes).await;
        let notes = Arc::new(Notebook::default());
        let options = if derive {
            deriving()
        } else {
            remembering(&notes)
        };
        let (summary, heard) = copy(&here, &there, replacing(options)).await;
        assert!(summary.is_whole() && summary.files == 1, "{summary:?}");
        assert_eq!(summary.equal, LENGTH as u64 - 2 * CHUNK);
        let copied = only(&heard.copied);
        assert_eq!((copied.sent, copied.replaced), (2 * CHUNK, true));
        assert_eq!(get(&there, "a").await.unwrap(), bytes);

        // Longer and shorter than before.
        for length in [LENGTH + 5000, 4 * CHUNK as usize, 2 * CHUNK as usize + 1] {
            let new = content(length, 1);
            put(&here, "a", &new).await;
            let (summary, _) = copy(&here, &there, replacing(quick())).await;
            assert!(summary.is_whole() && summary.files == 1, "{summary:?}");
            assert_eq!(get(&there, "a").await.unwrap(), new);
            assert!(summary.equal > 0, "{length}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_answer_to_a_commit_is_looked_up_or_asked_again() {
    for before in [false, true] {
        let (here, there) = (MemoryStore::new(), flaky());
        let bytes = content(LENGTH, 1);
        put(&here, "a", &bytes).await;
        if before {
            there.fail(Operation::Commit, ErrorKind::Disconnected, 0, 2);
        } else {
            there.lose_answer(Operation::Commit, ErrorKind::Disconnected);
        }
        let (summary, heard) = copy(&here, &there, quick()).await;
        assert!(summary.is_whole() && summary.files == 1, "{summary:?}");
        assert_eq!(only(&heard.copied).sent, LENGTH as u64);
        assert_eq!(get(there.inner(), "a").await.unwrap(), bytes);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn progress_is_what_the_target_says_it_has() {
    let (here, there) = (MemoryStore::new(), flaky());
    let bytes = content(LENGTH, 1);
    put(&here, "a", &bytes).await;
    // A target that takes all and never says so before the end.
    there.fail(Operation::State, ErrorKind::TimedOut, 1, usize::MAX);
    let asks = |parallel| Options {
        ask_progress: Some(Duration::from_millis(1)),
        parallel: Some(parallel),
        limit_rate: Some(40_000_000),
        ..remembering(&Arc::new(Notebook::default()))
    };
    let told = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::new(Heard {
        told: Some(Arc::clone(&told)),
        ..Heard::default()
    });
    let summary = copy_heard(&here, &there, asks(1), &heard).await;
    assert!(summary.is_whole(), "{summary:?}");
    let told = told.lock().unwrap().clone();
    assert!(
        told.iter().all(|at| [0, LENGTH as u64].contains(at)),
        "{told:?}"
    );

    // One that says it: the steps between are whole chunks.
    let there = flaky();
    let told = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::new(Heard {
        told: Some(Arc::clone(&told)),
        ..Heard::default()
    });
    let summary = copy_heard(&here, &there, asks(1), &heard).await;
    assert!(summary.is_whole(), "{summary:?}");
    let told = told.lock().unwrap().clone();
    let whole = |at: &u64| *at == LENGTH as u64 || at.is_multiple_of(CHUNK);
    assert!(told.iter().all(whole), "{told:?}");
    let between = |at: &&u64| **at > 0 && **at < LENGTH as u64;
    assert!(told.iter().filter(between).count() > 0, "{told:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_again_is_left_as_it_is() {
    let (here, there) = (MemoryStore::new(), MemoryStore::new());
    for (name, length) in [("t/small", 10), ("t/big", LENGTH)] {
        put(&here, name, &content(length, 1)).await;
    }
    let run = |options: Options| {
        let source = Source {
            store: here.store(),
            path: path("t"),
            to: path("t"),
            entry: None,
        };
        let observer = Arc::new(gaveta_transfer::Silent);
        transfer(
            vec![source],
            there.store(),
            options,
            observer,
            Cancel::new(),
        )
    };
    assert_eq!(run(quick()).await.files, 2);
    let again = run(quick()).await;
    assert!(again.is_whole(), "{again:?}");
    assert_eq!(
        (again.files, again.unchanged, again.skipped_count),
        (0, 2, 2)
    );
    assert!(again.skipped.iter().all(|skipped| skipped.why == Why::Same));

    #[derive(Debug)]
    struct OnlyOther;
    #[async_trait]
    impl Filter for OnlyOther {
        async fn wants(&self, source: &Entry, there: Option<&Entry>) -> bool {
            there.is_none_or(|there| there.size != source.size)
        }
    }
    put(&here, "t/small", b"more than ten bytes").await;
    put(&here, "t/big", &content(LENGTH, 5)).await;
    let options = Options {
        filter: Some(Arc::new(OnlyOther)),
        ..replacing(quick())
    };
    let filtered = run(options).await;
    assert_eq!((filtered.files, filtered.unchanged), (1, 1));
    assert_eq!(
        get(&there, "t/small").await.unwrap(),
        b"more than ten bytes"
    );
    assert_eq!(get(&there, "t/big").await.unwrap(), content(LENGTH, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn items_are_copied_as_they_come() {
    let (here, there) = (MemoryStore::new(), MemoryStore::new());
    let new = put(&here, "new", b"1").await;
    let changed = put(&here, "changed", &content(LENGTH, 2)).await;
    let raced = put(&here, "raced", b"3").await;
    let was = put(&there, "changed", &content(LENGTH, 1)).await;
    let stale = put(&there, "raced", b"old").await;
    put(&there, "raced", b"newer").await;
    let (items, waiting) = tokio::sync::mpsc::channel(8);
    for (entry, was) in [(new, None), (changed, Some(was)), (raced, Some(stale))] {
        let item = Item::File {
            source: here.store(),
            to: entry.path.clone(),
            entry,
            there: was,
        };
        items.send(item).await.unwrap();
    }
    let folder = Item::Folder {
        path: path("f"),
        to: path("f/g"),
    };
    items.send(folder).await.unwrap();
    drop(items);
    let summary = transfer_items(
        waiting,
        there.store(),
        quick(),
        Arc::new(gaveta_transfer::Silent),
        Cancel::new(),
    )
    .await;
    assert_eq!((summary.files, summary.folders), (2, 1), "{summary:?}");
    assert_eq!(summary.failed[0].error.kind(), ErrorKind::VersionMismatch);
    assert_eq!(get(&there, "changed").await.unwrap(), content(LENGTH, 2));
    assert_eq!(get(&there, "raced").await.unwrap(), b"newer");
    assert!(there.stat(&path("f/g")).await.unwrap().is_folder());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bounded_rate_sends_everything_all_the_same() {
    let (here, there) = (MemoryStore::new(), MemoryStore::new());
    let bytes = content(3 * CHUNK as usize + 5, 1);
    put(&here, "a", &bytes).await;
    let options = Options {
        limit_rate: Some(64 << 20),
        ..quick()
    };
    let (summary, _) = copy(&here, &there, options).await;
    assert!(summary.is_whole() && summary.files == 1, "{summary:?}");
    let options = Options {
        limit_rate: Some(64 << 20),
        big: u64::MAX,
        ..replacing(quick())
    };
    let (summary, _) = copy(&here, &there, options).await;
    assert!(summary.is_whole() && summary.files == 1, "{summary:?}");
    assert_eq!(get(&there, "a").await.unwrap(), bytes);
    assert!(kept(&there).await.is_empty());
}
