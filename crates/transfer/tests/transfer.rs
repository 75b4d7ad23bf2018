//! A transfer between two stores in memory that do what tests tell them to.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use common::trees::{a_tree, copy, kinds, quick, tree};
use common::{Hooked, get, path, put};
use gaveta_core::{Entry, Error, ErrorKind, Path, Store};
use gaveta_testkit::content;
use gaveta_transfer::{
    Cancel, Existing, FileId, Observer, Options, Outcome, Silent, Source, transfer,
};

#[tokio::test]
async fn a_tree_goes_over_and_back() {
    let (here, there, back) = (Hooked::new(), Hooked::new(), Hooked::new());
    a_tree(&here.inner).await;
    let summary = copy(&here, "t", &there, "x/y", quick()).await;
    assert!(summary.is_whole(), "{summary:?}");
    assert_eq!((summary.files, summary.folders), (5, 9));
    assert_eq!(summary.bytes, 70_000 * (1 + 2 + 3 + 4));
    let summary = copy(&there, "x", &back, "", quick()).await;
    assert!(summary.is_whole(), "{summary:?}");
    let sent = tree(&here.inner, "t").await;
    assert_eq!(sent.len(), 13);
    assert_eq!(tree(&there.inner, "x/y").await, sent);
    assert_eq!(tree(&back.inner, "y").await, sent);
    assert_eq!(there.hooks.open.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn one_failure_stops_no_other() {
    let (here, there) = (Hooked::new(), Hooked::new());
    a_tree(&here.inner).await;
    put(&there.inner, "t/a", b"old").await;
    there.inner.make_folder(&path("t/-x")).await.unwrap();
    let missing = Source {
        store: Arc::new(here.clone()),
        path: path("no"),
        to: path("no"),
        entry: None,
    };
    let all = Source {
        store: Arc::new(here.clone()),
        path: path("t"),
        to: path("t"),
        entry: None,
    };
    let target = Arc::new(there.clone());
    let cancel = Cancel::new();
    let summary = transfer(
        vec![missing, all],
        target.clone(),
        quick(),
        Arc::new(Silent),
        cancel,
    )
    .await;
    let mut told: Vec<_> = summary
        .failed
        .iter()
        .map(|f| (f.path.as_str(), f.error.kind()))
        .collect();
    told.sort_by_key(|(path, _)| *path);
    let expected = [
        ("no", ErrorKind::NotFound),
        ("t/-x", ErrorKind::IsFolder),
        ("t/a", ErrorKind::Exists),
    ];
    // A folder in the way may be found as something that exists, or as what it is.
    assert_eq!(told.len(), 3, "{told:?}");
    assert_eq!((told[0], told[2]), (expected[0], expected[2]));
    assert!(
        matches!(told[1], ("t/-x", ErrorKind::IsFolder | ErrorKind::Exists)),
        "{told:?}"
    );
    assert_eq!(summary.files, 3);
    assert_eq!(get(&there.inner, "t/a").await.unwrap(), b"old");

    let options = Options {
        existing: Existing::Replace,
        ..quick()
    };
    let summary = copy(&here, "t/a", &there, "t/a", options).await;
    assert!(summary.is_whole(), "{summary:?}");
    assert_eq!(get(&there.inner, "t/a").await.unwrap(), b"");
}

#[tokio::test]
async fn a_lost_answer_is_looked_up() {
    for existing in [Existing::Keep, Existing::Replace] {
        for hidden in [0, 1] {
            let (here, there) = (Hooked::new(), Hooked::new());
            put(&here.inner, "a", &content(100_000, 1)).await;
            there.hooks.lose_commits.store(1, Ordering::SeqCst);
            there.hooks.hide_digests.store(hidden, Ordering::SeqCst);
            let options = Options {
                existing: existing.clone(),
                ..quick()
            };
            let summary = copy(&here, "a", &there, "a", options).await;
            assert!(summary.is_whole() && summary.files == 1, "{summary:?}");
            assert_eq!(get(&there.inner, "a").await.unwrap(), content(100_000, 1));
        }
    }
}

#[tokio::test]
async fn a_lost_answer_does_not_make_somebody_elses_file_ours() {
    let (here, there) = (Hooked::new(), Hooked::new());
    put(&here.inner, "a", b"ours").await;
    // The commit is lost before it happens, and somebody else takes the name meanwhile.
    there.hooks.fail_commits.store(1, Ordering::SeqCst);
    let target = there.clone();
    #[derive(Debug)]
    struct Meanwhile(Hooked, AtomicUsize);
    impl Observer for Meanwhile {
        fn retrying(&self, _: FileId, to: &Path, error: &Error) {
            assert_eq!((to.as_str(), error.kind()), ("a", ErrorKind::Disconnected));
            self.1.fetch_add(1, Ordering::SeqCst);
            let store = self.0.inner.clone();
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .build()
                    .unwrap();
                runtime.block_on(put(&store, "a", b"them"));
            })
            .join()
            .unwrap();
        }
    }
    let observer = Arc::new(Meanwhile(there.clone(), AtomicUsize::new(0)));
    let source = Source {
        store: Arc::new(here.clone()),
        path: path("a"),
        to: path("a"),
        entry: None,
    };
    let summary = transfer(
        vec![source],
        Arc::new(target),
        quick(),
        observer.clone(),
        Cancel::new(),
    )
    .await;
    assert_eq!(kinds(&summary), [ErrorKind::Exists]);
    assert_eq!(observer.1.load(Ordering::SeqCst), 1);
    assert_eq!(get(&there.inner, "a").await.unwrap(), b"them");
}

#[tokio::test]
async fn what_may_pass_is_tried_again_a_few_times() {
    let (here, there) = (Hooked::new(), Hooked::new());
    put(&here.inner, "t/a", b"x").await;
    here.hooks.fail_lists.store(2, Ordering::SeqCst);
    there.hooks.fail_begins.store(3, Ordering::SeqCst);
    let summary = copy(&here, "t", &there, "t", quick()).await;
    assert!(summary.is_whole() && summary.files == 1, "{summary:?}");

    there.hooks.fail_begins.store(4, Ordering::SeqCst);
    let summary = copy(&here, "t/a", &there, "t/b", quick()).await;
    assert_eq!(kinds(&summary), [ErrorKind::TimedOut]);
    assert_eq!(get(&there.inner, "t/b").await, None);

    here.hooks.fail_lists.store(4, Ordering::SeqCst);
    let summary = copy(&here, "t", &there, "u", quick()).await;
    assert_eq!(kinds(&summary), [ErrorKind::Busy]);
    assert!(
        there.inner.stat(&path("u")).await.is_err(),
        "an unread folder looks empty"
    );
}

#[tokio::test]
async fn a_source_that_changes_publishes_nothing() {
    for (new, kind) in [
        (b"short".to_vec(), ErrorKind::LengthMismatch),
        (content(60_000, 9), ErrorKind::LengthMismatch),
        (content(50_000, 9), ErrorKind::VersionMismatch),
    ] {
        let (here, there) = (Hooked::new(), Hooked::new());
        here.hooks.hide_digests.store(1, Ordering::SeqCst);
        put(&here.inner, "a", &content(50_000, 1)).await;
        here.hooks.change.lock().unwrap().insert(path("a"), new);
        let summary = copy(&here, "a", &there, "a", quick()).await;
        assert_eq!(kinds(&summary), [kind]);
        assert_eq!(get(&there.inner, "a").await, None);
        assert_eq!(there.hooks.open.load(Ordering::SeqCst), 0);
    }
}

#[tokio::test]
async fn a_content_that_is_not_what_its_source_promised_publishes_nothing() {
    for (tampered, kind) in [
        (content(50_000, 2), ErrorKind::DigestMismatch),
        (content(49_999, 1), ErrorKind::LengthMismatch),
        (content(50_001, 1), ErrorKind::LengthMismatch),
    ] {
        let (here, there) = (Hooked::new(), Hooked::new());
        put(&here.inner, "a", &content(50_000, 1)).await;
        here.hooks
            .tamper
            .lock()
            .unwrap()
            .insert(path("a"), tampered);
        let summary = copy(&here, "a", &there, "a", quick()).await;
        assert_eq!(kinds(&summary), [kind]);
        assert_eq!(get(&there.inner, "a").await, None);
    }
}

#[tokio::test]
async fn a_target_that_keeps_something_else_is_found_out() {
    let (here, there) = (Hooked::new(), Hooked::new());
    put(&here.inner, "a", b"x").await;
    there.hooks.lie_about_digests.store(1, Ordering::SeqCst);
    let summary = copy(&here, "a", &there, "a", quick()).await;
    assert_eq!(kinds(&summary), [ErrorKind::DigestMismatch]);
}

#[tokio::test]
async fn cancelling_publishes_nothing_and_throws_away() {
    let (here, there) = (Hooked::new(), Hooked::new());
    a_tree(&here.inner).await;
    there.hooks.hang_writes.store(1, Ordering::SeqCst);
    let cancel = Cancel::new();
    let running = tokio::spawn({
        let (here, there, cancel) = (here.clone(), there.clone(), cancel.clone());
        async move {
            let source = Source {
                store: Arc::new(here),
                path: path("t"),
                to: path("t"),
                entry: None,
            };
            let options = Options {
                parallel: Some(2),
                ..quick()
            };
            transfer(
                vec![source],
                Arc::new(there),
                options,
                Arc::new(Silent),
                cancel,
            )
            .await
        }
    });
    there.hooks.writing.notified().await;
    cancel.cancel();
    let summary = running.await.unwrap();
    assert!(summary.cancelled && !summary.is_whole());
    assert!(there.hooks.discarded.load(Ordering::SeqCst) >= 1);
    assert_eq!(there.hooks.open.load(Ordering::SeqCst), 0);
    // At most the one empty file, which needs no write, went over.
    let files = tree(&there.inner, "").await;
    assert!(
        files.values().flatten().all(|(bytes, ..)| bytes.is_empty()),
        "{files:?}"
    );
}

#[tokio::test]
async fn a_dry_run_changes_nothing() {
    let (here, there) = (Hooked::new(), Hooked::new());
    a_tree(&here.inner).await;
    let summary = copy(
        &here,
        "t",
        &there,
        "t",
        Options {
            dry_run: true,
            ..quick()
        },
    )
    .await;
    assert!(summary.is_whole());
    assert_eq!(
        (summary.files, summary.folders, summary.bytes),
        (5, 9, 700_000)
    );
    assert!(tree(&there.inner, "").await.is_empty());
}

/// Counts, and checks the order in which it hears of a file.
#[derive(Debug, Default)]
struct Counting {
    found: Mutex<(u64, u64, bool)>,
    files: Mutex<BTreeMap<FileId, (u64, bool)>>,
}

impl Observer for Counting {
    fn found(&self, files: u64, bytes: u64) {
        let mut found = self.found.lock().unwrap();
        assert!(files > found.0 && bytes >= found.1);
        *found = (files, bytes, false);
    }
    fn found_all(&self) {
        self.found.lock().unwrap().2 = true;
    }
    fn started(&self, file: FileId, _: &Path, _: u64) {
        assert!(
            self.files
                .lock()
                .unwrap()
                .insert(file, (0, false))
                .is_none()
        );
    }
    fn advanced(&self, file: FileId, bytes: u64) {
        self.files.lock().unwrap().get_mut(&file).unwrap().0 = bytes;
    }
    fn finished(&self, file: FileId, _: &Path, outcome: Outcome<'_>) {
        let Outcome::Done(entry) = outcome else {
            panic!("{outcome:?}")
        };
        let mut files = self.files.lock().unwrap();
        let seen = files.get_mut(&file).unwrap();
        assert_eq!(*seen, (Entry::clone(entry).size, false));
        seen.1 = true;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn so_many_at_once_and_no_more_and_all_is_told() {
    let (here, there) = (Hooked::new(), Hooked::new());
    for i in 0..60 {
        let big = i % 2 == 0;
        put(
            &here.inner,
            &format!("t/{i}"),
            &content(if big { 9000 } else { 10 }, i),
        )
        .await;
    }
    there.hooks.big.store(9000, Ordering::SeqCst);
    let options = Options {
        parallel: Some(5),
        big: 9000,
        parallel_big: 2,
        ..quick()
    };
    let source = Source {
        store: Arc::new(here.clone()),
        path: path("t"),
        to: path("t"),
        entry: None,
    };
    let counting = Arc::new(Counting::default());
    let target = Arc::new(there.clone());
    let summary = transfer(
        vec![source],
        target,
        options,
        counting.clone(),
        Cancel::new(),
    )
    .await;
    assert!(summary.is_whole() && summary.files == 60, "{summary:?}");
    assert!(there.hooks.most.load(Ordering::SeqCst) <= 5);
    assert!(there.hooks.most_big.load(Ordering::SeqCst) <= 2);
    assert_eq!(*counting.found.lock().unwrap(), (60, summary.bytes, true));
    assert!(
        counting
            .files
            .lock()
            .unwrap()
            .values()
            .all(|(_, finished)| *finished)
    );
    assert_eq!(tree(&there.inner, "t").await.len(), 60);
}
