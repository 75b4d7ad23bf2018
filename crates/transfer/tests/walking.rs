//! Walking a source: what is found in it, in which order, and what is left out.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use common::trees::{copy, copy_of, kinds, quick, tree};
use common::{Hooked, get, path, put};
use gaveta_core::{ErrorKind, Kind, Store};
use gaveta_transfer::{Options, Source, Why};

#[tokio::test]
async fn what_is_no_file_is_left_out_aloud() {
    let (here, there) = (Hooked::new(), Hooked::new());
    for name in ["t/file", "t/link", "t/fifo", "u"] {
        put(&here.inner, name, b"x").await;
    }
    here.hooks.kinds.lock().unwrap().extend([
        (path("t/link"), Kind::Link),
        (path("t/fifo"), Kind::Special),
        (path("u"), Kind::Link),
    ]);
    here.hooks
        .unnameable
        .lock()
        .unwrap()
        .insert(path("t"), "a\\xff".into());
    let summary = copy(&here, "t", &there, "t", quick()).await;
    let mut why: Vec<_> = summary
        .skipped
        .iter()
        .map(|s| (s.path.to_string(), s.why.clone()))
        .collect();
    why.sort_by(|a, b| a.0.cmp(&b.0));
    assert_eq!(
        why,
        [
            (path("t").to_string(), Why::Unnameable("a\\xff".into())),
            (path("t/fifo").to_string(), Why::Special),
            (path("t/link").to_string(), Why::Link),
        ]
    );
    assert!(summary.is_whole() && summary.files == 1);
    let summary = copy(&here, "u", &there, "u", quick()).await;
    assert_eq!((summary.skipped_count, summary.files), (1, 0));
    assert_eq!(get(&there.inner, "u").await, None);
}

#[tokio::test]
async fn a_source_cannot_lead_elsewhere() {
    for foreign in ["", "t", "other/x", "t/a/b", "x"] {
        let (here, there) = (Hooked::new(), Hooked::new());
        put(&here.inner, "t/a", b"x").await;
        here.hooks
            .foreign
            .lock()
            .unwrap()
            .insert(path("t"), path(foreign));
        let summary = copy(&here, "t", &there, "safe/t", quick()).await;
        assert_eq!(kinds(&summary), [ErrorKind::BadRequest], "{foreign}");
        assert!(tree(&there.inner, "").await.is_empty());
    }
}

#[tokio::test]
async fn a_folder_of_several_pages_is_walked_whole() {
    let (here, there) = (Hooked::new(), Hooked::new());
    for i in 0..10_050 {
        here.inner
            .make_folder(&path(&format!("{i}")))
            .await
            .unwrap();
    }
    let summary = copy(
        &here,
        "",
        &there,
        "t",
        Options {
            dry_run: true,
            ..quick()
        },
    )
    .await;
    assert_eq!((summary.folders, summary.failed_count), (10_051, 0));
}

#[tokio::test(start_paused = true)]
async fn folders_elsewhere_are_read_before_their_turn() {
    let (here, there) = (Hooked::new(), Hooked::new());
    let all: Vec<String> = (0..40).map(|n| format!("a/{n:02}/file")).collect();
    for name in &all {
        put(&here.inner, name, b"x").await;
    }
    put(&here.inner, "a/05/deeper/file", b"x").await;
    *here.hooks.away.lock().unwrap() = Some(Duration::from_millis(100));
    // Whoever reads them one by one waits for ever.
    let after = [("a/00", "a/15"), ("a/02", "a/17"), ("a/24", "a/39")];
    *here.hooks.list_after.lock().unwrap() = after
        .into_iter()
        .map(|(one, other)| (path(one), path(other)))
        .collect();
    let copying = copy(&here, "a", &there, "b", quick());
    let summary = tokio::time::timeout(Duration::from_secs(600), copying).await;
    let summary = summary.expect("they are read at once");
    assert!(summary.is_whole(), "{summary:?}");
    assert_eq!((summary.files, summary.folders), (41, 42));
    assert_eq!(here.hooks.listed.borrow().len(), 42, "each once");
    let (sent, got) = (tree(&here.inner, "a").await, tree(&there.inner, "b").await);
    assert_eq!(sent.len(), got.len());
}

#[tokio::test]
async fn a_folder_elsewhere_comes_in_pages_that_grow() {
    let (here, there) = (Hooked::new(), Hooked::new());
    for i in 0..2100 {
        let folder = path(&format!("{i}"));
        here.inner.make_folder(&folder).await.unwrap();
    }
    *here.hooks.away.lock().unwrap() = Some(Duration::from_millis(1));
    let options = Options {
        dry_run: true,
        ..quick()
    };
    let summary = copy(&here, "", &there, "t", options).await;
    assert_eq!((summary.folders, summary.failed_count), (2101, 0));
    let listed = here.hooks.listed.borrow().clone();
    let root = listed.iter().filter(|(folder, _)| folder.is_root());
    let limits: Vec<_> = root.filter_map(|(_, limit)| *limit).collect();
    assert_eq!(limits, [500, 500, 1000, 2000]);
}

#[tokio::test]
async fn what_is_known_of_a_source_is_not_asked_again() {
    let (here, there) = (Hooked::new(), Hooked::new());
    put(&here.inner, "a/file", b"x").await;
    for (at, known, asked) in [("a", true, 0), ("a", false, 1), ("a/file", true, 0)] {
        here.hooks.stats.store(0, Ordering::SeqCst);
        let entry = here.inner.stat(&path(at)).await.unwrap();
        let source = Source {
            store: Arc::new(here.clone()),
            path: path(at),
            to: path(&format!("{asked}/{at}")),
            entry: known.then_some(entry),
        };
        let summary = copy_of(source, &there, quick()).await;
        assert_eq!(summary.failed_count, 0);
        assert_eq!(here.hooks.stats.load(Ordering::SeqCst), asked, "{at}");
    }
    // What somebody knows may be wrong: what is copied is what is there.
    let mut entry = here.inner.stat(&path("a/file")).await.unwrap();
    entry.size = 1000;
    let source = Source {
        store: Arc::new(here.clone()),
        path: path("a/file"),
        to: path("again"),
        entry: Some(entry),
    };
    let summary = copy_of(source, &there, quick()).await;
    assert!(summary.is_whole(), "{summary:?}");
    assert_eq!(get(&there.inner, "again").await.unwrap(), b"x");
}

#[tokio::test]
async fn a_folder_elsewhere_that_tells_more_than_was_asked_for_is_not_believed() {
    let (here, there) = (Hooked::new(), Hooked::new());
    here.inner.make_folder(&path("t")).await.unwrap();
    for i in 0..501 {
        here.inner
            .make_folder(&path(&format!("t/{i}")))
            .await
            .unwrap();
    }
    *here.hooks.away.lock().unwrap() = Some(Duration::from_millis(1));
    here.hooks.overfull.store(1, Ordering::SeqCst);
    let summary = copy(&here, "t", &there, "t", quick()).await;
    assert_eq!(kinds(&summary), [ErrorKind::BadRequest]);
    let summary = copy(&here, "t", &there, "t", quick()).await;
    assert!(summary.is_whole(), "{summary:?}");
}
