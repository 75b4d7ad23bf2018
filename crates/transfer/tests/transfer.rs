//! A transfer between two stores in memory that do what tests tell them to.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use common::{Hooked, get, path, put};
use futures_util::TryStreamExt;
use gaveta_core::{Entry, Error, ErrorKind, Kind, ListPlan, Listed, Path, Store, TouchPlan};
use gaveta_testkit::{MemoryStore, content};
use gaveta_transfer::{
    Cancel, Conflict, Decision, Existing, FileId, Observer, OnConflict, Options, Outcome, Retries,
    Silent, Source, Summary, Why, transfer,
};

fn quick() -> Options {
    Options {
        retries: Retries {
            times: 3,
            pause: Duration::from_millis(1),
        },
        ..Options::default()
    }
}

async fn copy(from: &Hooked, at: &str, to: &Hooked, as_: &str, options: Options) -> Summary {
    let source = Source {
        store: Arc::new(from.clone()),
        path: path(at),
        to: path(as_),
        entry: None,
    };
    let target = Arc::new(to.clone());
    transfer(
        vec![source],
        target,
        options,
        Arc::new(Silent),
        Cancel::new(),
    )
    .await
}

fn kinds(summary: &Summary) -> Vec<ErrorKind> {
    summary
        .failed
        .iter()
        .map(|failed| failed.error.kind())
        .collect()
}

/// Everything in a store: content, modified time and executable bit of files; folders.
async fn tree(
    store: &dyn Store,
    top: &str,
) -> BTreeMap<String, Option<(Vec<u8>, SystemTime, bool)>> {
    let mut all = BTreeMap::new();
    let mut folders = vec![path(top)];
    while let Some(folder) = folders.pop() {
        let listing = store.list(&folder, ListPlan::default()).await.unwrap();
        for listed in listing.try_collect::<Vec<_>>().await.unwrap() {
            let Listed::Entry(entry) = listed else {
                panic!("{listed:?}")
            };
            let name = entry.path.beneath(&path(top)).unwrap().as_str().to_owned();
            if entry.is_folder() {
                all.insert(name, None);
                folders.push(entry.path);
            } else {
                let bytes = get(store, entry.path.as_str()).await.unwrap();
                all.insert(name, Some((bytes, entry.modified, entry.executable)));
            }
        }
    }
    all
}

async fn a_tree(store: &MemoryStore) {
    for (i, at) in ["t/a", "t/b c|d", "t/ção/🗄️", "t/deep/er/file", "t/-x"]
        .iter()
        .enumerate()
    {
        put(store, at, &content(i * 70_000, i as u64)).await;
        let modified = SystemTime::UNIX_EPOCH + Duration::new(1_000_000 + i as u64, 123_456_789);
        let plan = TouchPlan {
            modified: Some(modified),
            executable: Some(i % 2 == 0),
        };
        store.touch(&path(at), plan).await.unwrap();
    }
    for folder in [
        "t/empty",
        "t/deep/empty",
        "t/only",
        "t/only/folders",
        "t/only/folders/here",
    ] {
        store.make_folder(&path(folder)).await.unwrap();
    }
}

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
async fn beside_what_is_there_a_name_gets_a_number() {
    let (here, there) = (Hooked::new(), Hooked::new());
    put(&here.inner, "t/a.txt", b"new").await;
    put(&here.inner, "t/b", b"new too").await;
    put(&there.inner, "t/a.txt", b"old").await;
    put(&there.inner, "t/a (2).txt", b"older").await;
    put(&there.inner, "t/b/c", b"in a folder").await;
    let options = Options {
        existing: Existing::Beside,
        ..quick()
    };
    let summary = copy(&here, "t", &there, "t", options).await;
    assert!(summary.is_whole() && summary.files == 2, "{summary:?}");
    for (name, expected) in [
        ("t/a.txt", &b"old"[..]),
        ("t/a (2).txt", b"older"),
        ("t/a (3).txt", b"new"),
        ("t/b (2)", b"new too"),
    ] {
        assert_eq!(get(&there.inner, name).await.unwrap(), expected, "{name}");
    }
}

#[derive(Debug, Default)]
struct Answers {
    answers: Mutex<Vec<Decision>>,
    asked: Mutex<Vec<(Path, u64, u64)>>,
}

#[async_trait]
impl OnConflict for Answers {
    async fn decide(&self, conflict: Conflict<'_>) -> Decision {
        let asked = (
            conflict.source.path.clone(),
            conflict.source.size,
            conflict.there.size,
        );
        self.asked.lock().unwrap().push(asked);
        self.answers.lock().unwrap().remove(0)
    }
}

async fn ask(answers: &[Decision]) -> (Summary, usize, Vec<Vec<u8>>) {
    let (here, there) = (Hooked::new(), Hooked::new());
    for name in ["t/1", "t/2", "t/3", "t/4"] {
        put(&here.inner, name, b"new").await;
        put(&there.inner, name, b"older").await;
    }
    let asking = Arc::new(Answers {
        answers: Mutex::new(answers.to_vec()),
        ..Answers::default()
    });
    let existing = Existing::Ask(asking.clone());
    let options = Options {
        existing,
        parallel: Some(1),
        ..quick()
    };
    let summary = copy(&here, "t", &there, "t", options).await;
    let asked = asking.asked.lock().unwrap().clone();
    assert!(
        asked.iter().all(|(_, new, old)| (*new, *old) == (3, 5)),
        "{asked:?}"
    );
    let mut contents = Vec::new();
    for name in ["t/1", "t/2", "t/3", "t/4"] {
        contents.push(get(&there.inner, name).await.unwrap());
    }
    (summary, asked.len(), contents)
}

#[tokio::test]
async fn conflicts_are_asked_and_an_all_is_remembered() {
    use Decision::{Cancel, Replace, ReplaceAll, Skip, SkipAll};
    let (new, old) = (b"new".to_vec(), b"older".to_vec());
    let (summary, asked, contents) = ask(&[Skip, Replace, ReplaceAll]).await;
    assert_eq!((summary.files, summary.skipped_count, asked), (3, 1, 3));
    assert_eq!(summary.skipped[0].why, Why::Exists);
    assert_eq!(contents, [&old, &new, &new, &new].map(Vec::clone));
    let (summary, asked, contents) = ask(&[Replace, SkipAll]).await;
    assert_eq!((summary.files, summary.skipped_count, asked), (1, 3, 2));
    assert!(summary.is_whole());
    assert_eq!(contents, [&new, &old, &old, &old].map(Vec::clone));
    let (summary, asked, contents) = ask(&[Replace, Cancel]).await;
    assert_eq!((summary.files, asked, summary.cancelled), (1, 2, true));
    assert_eq!(contents, [&new, &old, &old, &old].map(Vec::clone));
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
        let target = Arc::new(there.clone());
        let summary = transfer(
            vec![source],
            target,
            quick(),
            Arc::new(Silent),
            Cancel::new(),
        );
        assert_eq!(summary.await.failed_count, 0);
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
    let target = Arc::new(there.clone());
    let summary = transfer(
        vec![source],
        target,
        quick(),
        Arc::new(Silent),
        Cancel::new(),
    )
    .await;
    assert!(summary.is_whole(), "{summary:?}");
    assert_eq!(get(&there.inner, "again").await.unwrap(), b"x");
}
