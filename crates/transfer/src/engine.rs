//! Runs a transfer: one walk, several workers, one summary.

use std::collections::{HashMap, VecDeque};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use gaveta_core::{Error, ErrorKind, FAR, Path, Result, Store};
use tokio::sync::mpsc;
use tokio::task::{Id, JoinError, JoinSet};

use crate::cancel::Cancel;
use crate::file::{self, Context, Ended};
use crate::observer::{FileId, Observer, Outcome};
use crate::options::{Item, Options, Source};
use crate::pace::Pace;
use crate::rate::Rate;
use crate::streams::Streams;
use crate::summary::{Failed, Skipped, Summary};
use crate::walk::{self, Found, Task};

/// How far the walk may be ahead of the workers, in entries: what a progress display needs to say
/// how much there is, without a bound on the tree.
const AHEAD: usize = 4096;
/// How many big files wait until another big one is done, before small ones wait too.
const BIG_WAITING: usize = 1024;

/// Streams of big files when the rate is bounded so that more would stand still.
const SLOW_STREAMS: usize = 2;

/// Copies every source to the target, and says what came of it.
///
/// A file's failure is kept in the summary and stops no other. Each file appears at the target
/// whole, with the digest of what was read, or not at all: whatever fails, is cancelled or dropped.
/// A source that changes while it is read fails (`LengthMismatch`, `VersionMismatch`). Failures
/// that may pass are tried again; where an answer was lost, only after looking whether it is there.
///
/// A big file travels in chunks, several at once, of which only those that fail are sent again.
///
/// Cancelling ([`Cancel`]) drops what is in flight, waits until the target has thrown it away, and
/// returns the summary so far; with [`Options::resume`], what arrived of big files stays, and the
/// same transfer goes on from there. Dropping the future stops everything at once.
///
/// Must run within a tokio runtime.
pub async fn transfer(
    sources: Vec<Source>,
    target: Arc<dyn Store>,
    options: Options,
    observer: Arc<dyn Observer>,
    cancel: Cancel,
) -> Summary {
    let retries = options.retries;
    let (out, found) = mpsc::channel(AHEAD);
    let walk = walk::walk(sources, retries, observer.as_ref(), out);
    run(walk, found, target, options, &observer, cancel).await
}

/// As [`transfer`], of what somebody else finds: until all senders of `items` are gone.
pub async fn transfer_items(
    items: mpsc::Receiver<Item>,
    target: Arc<dyn Store>,
    options: Options,
    observer: Arc<dyn Observer>,
    cancel: Cancel,
) -> Summary {
    let (out, found) = mpsc::channel(AHEAD);
    let walk = walk::take(items, observer.as_ref(), out);
    run(walk, found, target, options, &observer, cancel).await
}

async fn run(
    walk: impl Future<Output = ()>,
    mut found: mpsc::Receiver<Found>,
    target: Arc<dyn Store>,
    options: Options,
    observer: &Arc<dyn Observer>,
    cancel: Cancel,
) -> Summary {
    let rate = Arc::new(Rate::new(options.limit_rate));
    let few = rate.is_slow().then_some(SLOW_STREAMS);
    let context = Arc::new(Context {
        target,
        streams: Streams::new(options.parallel.or(few)),
        rate,
        restarts: AtomicU64::new(0),
        options,
        observer: Arc::clone(observer),
        cancel: cancel.clone(),
        decided: tokio::sync::Mutex::new(None),
    });
    let mut walk = pin!(walk);
    let mut walking = true;
    let mut crew = Crew::new(context);
    loop {
        let taking = !found.is_closed() || !found.is_empty();
        if !taking && crew.is_idle() {
            break;
        }
        tokio::select! {
            biased;
            () = cancel.cancelled() => break,
            Some(ended) = crew.workers.join_next_with_id() => crew.end(ended),
            thing = found.recv(), if taking && crew.has_room() => match thing {
                Some(thing) => crew.take(thing),
                None => found.close(),
            },
            () = &mut walk, if walking => walking = false,
        }
    }
    crew.finish(cancel.is_cancelled()).await
}

/// The workers and what they did.
struct Crew {
    context: Arc<Context>,
    workers: JoinSet<JobEnd>,
    running: HashMap<Id, Job>,
    big: usize,
    waiting: VecDeque<Task>,
    pace: Pace,
    summary: Summary,
}

/// What a worker does.
enum Job {
    File {
        id: FileId,
        path: Path,
        to: Path,
        big: bool,
        size: u64,
    },
    Folder {
        path: Path,
        to: Path,
    },
}

/// How a worker's job ended.
enum JobEnd {
    File(Ended),
    Folder(Option<Result<()>>),
}

impl Crew {
    fn new(context: Arc<Context>) -> Self {
        Self {
            pace: Pace::new(context.options.parallel),
            context,
            workers: JoinSet::new(),
            running: HashMap::new(),
            big: 0,
            waiting: VecDeque::new(),
            summary: Summary::default(),
        }
    }

    fn is_idle(&self) -> bool {
        self.workers.is_empty() && self.waiting.is_empty()
    }

    /// Can one more thing be taken?
    fn has_room(&self) -> bool {
        self.pace
            .has_room(self.workers.len() - self.big.min(self.workers.len()))
            && self.workers.len() < self.context.options.parallel.unwrap_or(usize::MAX).max(1)
            && self.waiting.len() < BIG_WAITING
    }

    fn take(&mut self, found: Found) {
        match found {
            Found::Skipped(skipped) => {
                self.context.observer.skipped(&skipped);
                self.summary.skip(skipped);
            }
            Found::Failed(id, failed) => {
                self.context
                    .observer
                    .finished(id, &failed.to, Outcome::Failed(&failed.error));
                self.summary.fail(failed);
            }
            Found::Folder { path, to, bare } => self.folder(path, to, bare),
            Found::File(task) if self.context.options.dry_run => {
                self.context
                    .observer
                    .finished(task.id, &task.to, Outcome::Planned);
                self.summary.files += 1;
                self.summary.bytes = self.summary.bytes.saturating_add(task.entry.size);
            }
            Found::File(task) => {
                if self.context.is_big(&task)
                    && self.big >= self.context.options.parallel_big.max(1)
                {
                    self.waiting.push_back(task);
                } else {
                    self.start(task);
                }
            }
        }
    }

    fn start(&mut self, task: Task) {
        let ends = [task.source.round_trip(), self.context.target.round_trip()];
        if ends.into_iter().flatten().any(|took| took >= FAR) {
            self.context.streams.far(ends.into_iter().flatten().sum());
            self.pace.far();
        }
        let big = self.context.is_big(&task);
        self.big += usize::from(big);
        let job = Job::File {
            id: task.id,
            path: task.entry.path.clone(),
            to: task.to.clone(),
            big,
            size: task.entry.size,
        };
        if !big {
            self.pace.started(task.entry.size);
        }
        let context = self.context.clone();
        let handle = self
            .workers
            .spawn(async move { JobEnd::File(file::copy(&context, &task).await) });
        self.running.insert(handle.id(), job);
    }

    fn folder(&mut self, path: Path, to: Path, bare: bool) {
        if !bare {
            self.summary.folders += 1;
            return;
        }
        if self.context.options.dry_run {
            self.context.observer.folder(&to);
            self.summary.folders += 1;
            return;
        }
        let job = Job::Folder {
            path,
            to: to.clone(),
        };
        let context = self.context.clone();
        let handle = self.workers.spawn(async move {
            let made = tokio::select! {
                biased;
                () = context.cancel.cancelled() => None,
                made = make_folder(context.target.as_ref(), &to) => Some(made),
            };
            JobEnd::Folder(made)
        });
        self.running.insert(handle.id(), job);
    }

    /// A worker ended: count it, and let the next big file start.
    fn end(&mut self, ended: Result<(Id, JobEnd), JoinError>) {
        let (id, ended) = match ended {
            Ok((id, ended)) => (id, Ok(ended)),
            Err(error) => (error.id(), Err(error)),
        };
        let Some(job) = self.running.remove(&id) else {
            return;
        };
        let broken = |error: JoinError| Error::new(ErrorKind::Io).because(error);
        match job {
            Job::File {
                id,
                path,
                to,
                big,
                size,
            } => {
                self.big -= usize::from(big);
                let ended = match ended {
                    Ok(JobEnd::File(ended)) => ended,
                    Ok(JobEnd::Folder(_)) => Ended::Cancelled,
                    Err(error) => Ended::Failed(broken(error).about(&path)),
                };
                if !big {
                    self.pace.ended(size, &ended);
                }
                self.end_file(id, path, to, ended);
            }
            Job::Folder { path, to } => match ended {
                Ok(JobEnd::Folder(Some(Ok(())))) => {
                    self.context.observer.folder(&to);
                    self.summary.folders += 1;
                }
                Ok(JobEnd::Folder(Some(Err(error)))) => {
                    self.summary.fail(Failed { path, to, error });
                }
                Ok(_) => {}
                Err(error) => {
                    let error = broken(error).about(&path);
                    self.summary.fail(Failed { path, to, error });
                }
            },
        }
        if self.big < self.context.options.parallel_big.max(1)
            && !self.context.cancel.is_cancelled()
            && let Some(task) = self.waiting.pop_front()
        {
            self.start(task);
        }
    }

    fn end_file(&mut self, id: FileId, path: Path, to: Path, ended: Ended) {
        let observer = self.context.observer.clone();
        match ended {
            Ended::Done(entry, copied) => {
                observer.copied(id, &to, &copied);
                observer.finished(id, &to, Outcome::Done(&entry));
                self.summary.done(&copied);
            }
            Ended::Skipped(why) => {
                observer.finished(id, &to, Outcome::Skipped(&why));
                self.summary.skip(Skipped { path, why });
            }
            Ended::Failed(error) => {
                observer.finished(id, &to, Outcome::Failed(&error));
                self.summary.fail(Failed { path, to, error });
            }
            Ended::Cancelled => observer.finished(id, &to, Outcome::Cancelled),
        }
    }

    /// Waits for those who still run: each hears of a cancel by itself.
    async fn finish(mut self, cancelled: bool) -> Summary {
        self.waiting.clear();
        while let Some(ended) = self.workers.join_next_with_id().await {
            self.end(ended);
        }
        self.summary.cancelled = cancelled;
        self.summary.restarted = self.context.restarts.load(Ordering::Relaxed);
        self.summary
    }
}

/// Makes a folder and those above it. One that is there already is no error.
async fn make_folder(target: &dyn Store, path: &Path) -> Result<()> {
    // From the folder itself up to the first whose parent is there, then down again.
    let mut missing = vec![path.clone()];
    let mut unseen = None;
    while let Some(folder) = missing.last() {
        match target.make_folder(folder).await {
            Ok(_) => {
                missing.pop();
            }
            Err(error) => match (error.kind(), folder.parent()) {
                (ErrorKind::Exists, _) => {
                    match target.stat(folder).await {
                        Ok(there) if !there.is_folder() => {
                            return Err(Error::at(ErrorKind::NotFolder, folder));
                        }
                        Ok(_) => {}
                        // A target that one may only drop into does not say what it is.
                        Err(error)
                            if error.kind() == ErrorKind::NotFound
                                && unseen.as_ref() != Some(folder) =>
                        {
                            unseen = Some(folder.clone());
                        }
                        Err(error) => return Err(error),
                    }
                    missing.pop();
                }
                (ErrorKind::NotFound, Some(parent))
                    if !parent.is_root() && missing.len() <= path.depth() =>
                {
                    missing.push(parent);
                }
                _ => return Err(error.about(folder)),
            },
        }
    }
    Ok(())
}
