//! Big files that were cut off: what the next run goes on with, and what begins anew.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use common::big::{
    AsStore, Heard, LENGTH, Notebook, copy, copy_heard, deriving, flaky, kept, only, quick,
    remembering, replacing,
};
use common::{get, put};
use gaveta_core::{CHUNK, ErrorKind, Store};
use gaveta_testkit::{MemoryStore, Operation, content};
use gaveta_transfer::{Cancel, Memory, Options, Restart};

/// Cuts a copy off after so many bytes, as Ctrl-C does.
async fn cut_off(here: &dyn AsStore, there: &dyn AsStore, options: Options, at: u64) {
    let heard = Arc::new(Heard {
        cancel_at: Some((at, Cancel::new())),
        ..Heard::default()
    });
    let options = Options {
        parallel: Some(1),
        ..options
    };
    let summary = copy_heard(here, there, options, &heard).await;
    assert!(summary.cancelled && summary.files == 0, "{summary:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_next_run_goes_on_where_the_last_was_cut() {
    for derive in [false, true] {
        let (here, there) = (MemoryStore::new(), MemoryStore::new());
        let bytes = content(LENGTH, 1);
        put(&here, "a", &bytes).await;
        let notes = Arc::new(Notebook::default());
        let options = || {
            if derive {
                deriving()
            } else {
                remembering(&notes)
            }
        };
        cut_off(&here, &there, options(), 4 * CHUNK).await;
        assert_eq!(get(&there, "a").await, None);
        let left = kept(&there).await;
        assert_eq!(left.len(), 1);
        let arrived = left[0].arrived.total();
        assert!(arrived >= CHUNK, "{arrived}");

        let (summary, heard) = copy(&here, &there, options()).await;
        assert!(summary.is_whole() && summary.files == 1, "{summary:?}");
        assert_eq!((summary.resumed, summary.restarted), (arrived, 0));
        assert_eq!(heard.resumed.load(Ordering::SeqCst), arrived);
        assert_eq!(only(&heard.copied).sent, LENGTH as u64 - arrived);
        assert_eq!(get(&there, "a").await.unwrap(), bytes);
        assert!(kept(&there).await.is_empty());
        assert!(notes.0.lock().unwrap().is_empty());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_that_changed_in_between_is_sent_anew() {
    for derive in [false, true] {
        let (here, there) = (MemoryStore::new(), MemoryStore::new());
        put(&here, "a", &content(LENGTH, 1)).await;
        let notes = Arc::new(Notebook::default());
        let options = || {
            if derive {
                deriving()
            } else {
                remembering(&notes)
            }
        };
        cut_off(&here, &there, options(), 4 * CHUNK).await;
        let other = content(LENGTH, 2);
        put(&here, "a", &other).await;
        let (summary, heard) = copy(&here, &there, options()).await;
        assert!(summary.is_whole() && summary.files == 1, "{summary:?}");
        assert_eq!((summary.resumed, summary.restarted), (0, 1));
        assert_eq!(only(&heard.restarts), Restart::SourceChanged);
        assert_eq!(get(&there, "a").await.unwrap(), other);
        assert!(kept(&there).await.is_empty());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_target_forgot_is_sent_anew() {
    let (here, there) = (MemoryStore::new(), MemoryStore::new());
    let bytes = content(LENGTH, 1);
    put(&here, "a", &bytes).await;
    let notes = Arc::new(Notebook::default());
    cut_off(&here, &there, remembering(&notes), 4 * CHUNK).await;
    let id = kept(&there).await[0].id.clone();
    there
        .upload(&id, None)
        .await
        .unwrap()
        .discard()
        .await
        .unwrap();
    let (summary, heard) = copy(&here, &there, remembering(&notes)).await;
    assert!(summary.is_whole() && summary.files == 1, "{summary:?}");
    assert_eq!(only(&heard.restarts), Restart::Forgotten);
    assert_eq!(get(&there, "a").await.unwrap(), bytes);

    // Also in the middle.
    let flaky = flaky();
    flaky.fail(Operation::WriteChunks, ErrorKind::UploadLost, 1, 1);
    let (summary, heard) = copy(&here, &flaky, quick()).await;
    assert!(summary.is_whole() && summary.files == 1, "{summary:?}");
    assert_eq!(only(&heard.restarts), Restart::Forgotten);
    assert_eq!(get(flaky.inner(), "a").await.unwrap(), bytes);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_spliced_is_found_out() {
    let (here, there) = (MemoryStore::new(), MemoryStore::new());
    put(&here, "a", &content(LENGTH, 1)).await;
    let notes = Arc::new(Notebook::default());
    cut_off(&here, &there, remembering(&notes), 4 * CHUNK).await;
    // Somebody changes the source in a way that no version shows.
    let (to, mut was) = {
        let notes = notes.0.lock().unwrap();
        let (to, was) = notes.iter().next().unwrap();
        (to.clone(), was.clone())
    };
    let other = content(LENGTH, 2);
    let now = put(&here, "a", &other).await;
    let mut lines: Vec<_> = was.mark.lines().map(str::to_owned).collect();
    lines[1] = now.version.to_string();
    lines[2] = "-".into();
    was.mark = lines.join("\n");
    notes.keep(&to, &was).await.unwrap();
    let (summary, heard) = copy(&here, &there, remembering(&notes)).await;
    assert!(summary.is_whole() && summary.files == 1, "{summary:?}");
    assert_eq!(get(&there, "a").await.unwrap(), other);
    assert_eq!(only(&heard.restarts), Restart::TargetChanged);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delta_that_was_cut_goes_on_as_one() {
    let (here, there) = (MemoryStore::new(), MemoryStore::new());
    let mut bytes = content(LENGTH, 1);
    put(&there, "a", &bytes).await;
    for chunk in [1, 3, 5, 7] {
        bytes[chunk * CHUNK as usize + 5] ^= 1;
    }
    put(&here, "a", &bytes).await;
    let notes = Arc::new(Notebook::default());
    cut_off(&here, &there, replacing(remembering(&notes)), 5 * CHUNK).await;
    let (summary, _) = copy(&here, &there, replacing(remembering(&notes))).await;
    assert!(summary.is_whole() && summary.files == 1, "{summary:?}");
    assert_eq!(summary.restarted, 0);
    assert!(
        summary.equal + summary.resumed >= LENGTH as u64 - 4 * CHUNK,
        "{summary:?}"
    );
    assert_eq!(get(&there, "a").await.unwrap(), bytes);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_content_that_goes_in_the_middle_is_not_used() {
    let (here, there) = (MemoryStore::new(), MemoryStore::new());
    let mut bytes = content(LENGTH, 1);
    put(&there, "a", &bytes).await;
    bytes[0] ^= 1;
    put(&here, "a", &bytes).await;
    let notes = Arc::new(Notebook::default());
    cut_off(&here, &there, replacing(remembering(&notes)), 2 * CHUNK).await;
    put(&there, "a", &content(LENGTH, 3)).await;
    let (summary, heard) = copy(&here, &there, replacing(remembering(&notes))).await;
    assert!(summary.is_whole() && summary.files == 1, "{summary:?}");
    assert_eq!(only(&heard.restarts), Restart::TargetChanged);
    assert_eq!(get(&there, "a").await.unwrap(), bytes);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_target_keeps_what_it_has_for_later() {
    let (here, there) = (MemoryStore::new(), flaky());
    let bytes = content(LENGTH, 1);
    put(&here, "a", &bytes).await;
    there.fail(Operation::WriteChunks, ErrorKind::NoSpace, 2, 1);
    let notes = Arc::new(Notebook::default());
    let options = Options {
        parallel: Some(1),
        // Slow enough for runs of one chunk.
        limit_rate: Some(4_000_000),
        ..remembering(&notes)
    };
    let (summary, _) = copy(&here, &there, options).await;
    assert_eq!(summary.failed[0].error.kind(), ErrorKind::NoSpace);
    let (summary, _) = copy(&here, &there, remembering(&notes)).await;
    assert!(
        summary.is_whole() && summary.resumed >= 2 * CHUNK,
        "{summary:?}"
    );
    assert_eq!(get(there.inner(), "a").await.unwrap(), bytes);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_resume_nothing_is_left() {
    let (here, there) = (MemoryStore::new(), MemoryStore::new());
    put(&here, "a", &content(LENGTH, 1)).await;
    cut_off(&here, &there, quick(), 4 * CHUNK).await;
    for _ in 0..500 {
        if kept(&there).await.is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(kept(&there).await.is_empty());
    assert_eq!(get(&there, "a").await, None);
}
