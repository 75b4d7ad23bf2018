//! Big files: in chunks, several at once, resumed, as what differs.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use gaveta_core::{
    Account, CHUNK, Check, Digest, Entry, Error, ErrorKind, Owner, Path, ReadPlan, Replace, Result,
    Seal, Store, UploadState, WritePlan,
};
use gaveta_testkit::{FlakyStore, MemoryStore, Operation, collect, content, stream_of};
use gaveta_transfer::{
    Cancel, Copied, Existing, FileId, Filter, Item, Memory, Observer, Options, Outcome, Remembered,
    Restart, Resume, Retries, Source, Summary, Why, transfer, transfer_items,
};

const LENGTH: usize = 9 * CHUNK as usize + 777;

/// Remembers in memory what a client remembers on its disk.
#[derive(Debug, Default)]
struct Notebook(Mutex<HashMap<Path, Remembered>>);

#[async_trait]
impl Memory for Notebook {
    async fn find(&self, to: &Path) -> Option<Remembered> {
        self.0.lock().unwrap().get(to).cloned()
    }
    async fn keep(&self, to: &Path, what: &Remembered) -> Result<()> {
        self.0.lock().unwrap().insert(to.clone(), what.clone());
        Ok(())
    }
    async fn forget(&self, to: &Path) {
        self.0.lock().unwrap().remove(to);
    }
}

#[derive(Debug, Default)]
struct Heard {
    copied: Mutex<Vec<Copied>>,
    restarts: Mutex<Vec<Restart>>,
    resumed: AtomicU64,
    retries: AtomicU64,
    last: AtomicU64,
    /// Cancels when so many bytes went over.
    cancel_at: Option<(u64, Cancel)>,
    /// All that was told, where somebody wants it.
    told: Option<Arc<Mutex<Vec<u64>>>>,
}

impl Observer for Heard {
    fn advanced(&self, _: FileId, bytes: u64) {
        self.last.store(bytes, Ordering::SeqCst);
        if let Some(told) = &self.told {
            told.lock().unwrap().push(bytes);
        }
        if let Some((at, cancel)) = &self.cancel_at
            && bytes >= *at
        {
            cancel.cancel();
        }
    }
    fn resumed(&self, _: FileId, _: &Path, bytes: u64) {
        self.resumed.fetch_add(bytes, Ordering::SeqCst);
    }
    fn restarted(&self, _: FileId, _: &Path, why: Restart) {
        self.restarts.lock().unwrap().push(why);
    }
    fn retrying(&self, _: FileId, _: &Path, _: &Error) {
        self.retries.fetch_add(1, Ordering::SeqCst);
    }
    fn copied(&self, _: FileId, _: &Path, copied: &Copied) {
        self.copied.lock().unwrap().push(*copied);
    }
    fn finished(&self, _: FileId, _: &Path, outcome: Outcome<'_>) {
        if let Outcome::Done(entry) = outcome {
            assert_eq!(self.last.load(Ordering::SeqCst), entry.size);
        }
    }
}

fn quick() -> Options {
    Options {
        retries: Retries {
            times: 3,
            pause: Duration::from_millis(1),
        },
        big: CHUNK,
        ..Options::default()
    }
}

fn remembering(notes: &Arc<Notebook>) -> Options {
    Options {
        resume: Some(Resume::Remember(notes.clone())),
        ..quick()
    }
}

fn deriving() -> Options {
    Options {
        resume: Some(Resume::Derive("far:4283".into())),
        ..quick()
    }
}

fn replacing(options: Options) -> Options {
    Options {
        existing: Existing::Replace,
        ..options
    }
}

async fn copy_heard(
    here: &dyn AsStore,
    there: &dyn AsStore,
    options: Options,
    heard: &Arc<Heard>,
) -> Summary {
    let source = Source {
        store: here.store(),
        path: path("a"),
        to: path("a"),
        entry: None,
    };
    let cancel = match &heard.cancel_at {
        Some((_, cancel)) => cancel.clone(),
        None => Cancel::new(),
    };
    let observer = heard.clone();
    transfer(vec![source], there.store(), options, observer, cancel).await
}

async fn copy(here: &dyn AsStore, there: &dyn AsStore, options: Options) -> (Summary, Arc<Heard>) {
    let heard = Arc::new(Heard::default());
    (copy_heard(here, there, options, &heard).await, heard)
}

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

fn path(text: &str) -> Path {
    Path::parse(text).unwrap()
}

async fn put(store: &dyn Store, at: &str, bytes: &[u8]) -> Entry {
    let plan = WritePlan {
        replace: Replace::Always,
        ..WritePlan::new(path(at), Owner::of(Account::ADMIN))
    };
    let upload = store.begin(plan).await.unwrap();
    let content = stream_of(bytes.to_vec(), 64 * 1024);
    upload.write(0, content, Check::None).await.unwrap();
    upload.commit(Seal::default()).await.unwrap()
}

async fn get(store: &dyn Store, at: &str) -> Option<Vec<u8>> {
    match store.read(&path(at), ReadPlan::default()).await {
        Ok(reading) => {
            let size = reading.entry().size;
            Some(collect(reading.stream(0..size)).await.unwrap())
        }
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => panic!("{}", error.chain()),
    }
}

trait AsStore {
    fn store(&self) -> Arc<dyn Store>;
}

impl AsStore for MemoryStore {
    fn store(&self) -> Arc<dyn Store> {
        Arc::new(self.clone())
    }
}

impl AsStore for FlakyStore<MemoryStore> {
    fn store(&self) -> Arc<dyn Store> {
        Arc::new(self.clone())
    }
}

fn flaky() -> FlakyStore<MemoryStore> {
    FlakyStore::new(MemoryStore::new())
}

async fn kept(store: &MemoryStore) -> Vec<UploadState> {
    use futures_util::TryStreamExt;
    store.uploads().await.unwrap().try_collect().await.unwrap()
}

#[track_caller]
fn only<T: Copy>(all: &Mutex<Vec<T>>) -> T {
    let all = all.lock().unwrap();
    assert_eq!(all.len(), 1);
    all[0]
}

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
