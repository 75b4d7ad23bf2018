//! The copy of one file: read, write, compare, publish; and again when that may help.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use futures_util::StreamExt;
use gaveta_core::{
    Check, Content, Digest, Entry, Error, ErrorKind, Hasher, ReadPlan, Reading, Replace, Result,
    Seal, Store, Upload, WritePlan,
};
use tokio::time::timeout;

use crate::cancel::Cancel;
use crate::observer::{FileId, Observer};
use crate::options::{Conflict, Decision, Existing, Options};
use crate::summary::Why;
use crate::walk::Task;

/// How long to wait until a target has thrown away what was given up. Its deadline, not ours,
/// is what normally ends this.
const DISCARD: Duration = Duration::from_secs(5);

/// What every copy of one transfer shares.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) target: Arc<dyn Store>,
    pub(crate) options: Options,
    pub(crate) observer: Arc<dyn Observer>,
    pub(crate) cancel: Cancel,
    /// Held while somebody is asked: one question at a time. What was decided for all.
    pub(crate) decided: tokio::sync::Mutex<Option<ForAll>>,
}

/// A decision for every later conflict.
#[derive(Debug, Clone, Copy)]
pub(crate) enum ForAll {
    Replace,
    Skip,
}

/// How the copy of one file ended.
#[derive(Debug)]
pub(crate) enum Ended {
    Done(Entry),
    Skipped(Why),
    Failed(Error),
    Cancelled,
}

/// What went over in full, when the answer to its commit was lost.
#[derive(Debug, Clone, Copy)]
struct Sent {
    size: u64,
    digest: Digest,
}

/// Why one try failed.
#[derive(Debug)]
enum Stop {
    Cancelled,
    /// The source changed while it was read: nothing about the target helps.
    Source(Error),
    /// Before the commit.
    Before(Error),
    /// At the commit: it may have happened.
    Commit(Error, Sent),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Before(error)
    }
}

/// Copies one file. Whatever ends it, nothing but the whole is published.
pub(crate) async fn copy(context: &Context, task: &Task) -> Ended {
    context.observer.started(task.id, &task.to, task.entry.size);
    let mut replace = match context.options.existing {
        Existing::Replace => Replace::Always,
        Existing::Keep | Existing::Ask(_) => Replace::Never,
    };
    let mut doubt: Option<Sent> = None;
    let mut tries = 0;
    loop {
        let error = match try_once(context, task, &replace).await {
            Ok(entry) => return Ended::Done(entry),
            Err(Stop::Cancelled) => return Ended::Cancelled,
            Err(Stop::Source(error)) => return Ended::Failed(error),
            Err(Stop::Before(error)) => error,
            Err(Stop::Commit(error, sent)) => {
                if error.kind().is_transient() {
                    doubt = Some(sent);
                }
                error
            }
        };
        // The answer to an earlier commit was lost: is it there after all?
        if let Some(sent) = doubt
            && let Some(entry) = or_cancelled(context, landed(context, task, sent))
                .await
                .flatten()
        {
            return Ended::Done(entry);
        }
        let may_pass = error.kind().is_transient();
        if error.kind() == ErrorKind::Exists && replace == Replace::Never {
            let Some(verdict) = or_cancelled(context, decide(context, task)).await else {
                return Ended::Cancelled;
            };
            match verdict {
                Ok(Verdict::Replace(how)) => {
                    replace = how;
                    continue;
                }
                Ok(Verdict::Skip) => return Ended::Skipped(Why::Exists),
                Ok(Verdict::Cancel) => {
                    context.cancel.cancel();
                    return Ended::Cancelled;
                }
                Ok(Verdict::Keep) => return Ended::Failed(error),
                Ok(Verdict::Gone) if tries < context.options.retries.times => {}
                Ok(Verdict::Gone) => return Ended::Failed(error),
                Err(error) => return Ended::Failed(error),
            }
        } else if !may_pass || tries >= context.options.retries.times {
            return Ended::Failed(error);
        }
        context.observer.retrying(task.id, &task.to, &error);
        let pause = tokio::time::sleep(context.options.retries.pause(tries));
        if or_cancelled(context, pause).await.is_none() {
            return Ended::Cancelled;
        }
        tries += 1;
    }
}

async fn or_cancelled<T>(context: &Context, work: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        biased;
        () = context.cancel.cancelled() => None,
        done = work => Some(done),
    }
}

/// One try. When it fails or is cancelled, what was begun is thrown away before this returns.
async fn try_once(
    context: &Context,
    task: &Task,
    replace: &Replace,
) -> std::result::Result<Entry, Stop> {
    let begun: OnceLock<Arc<dyn Upload>> = OnceLock::new();
    let work = send(context, task, replace, &begun);
    let ended = or_cancelled(context, work)
        .await
        .unwrap_or(Err(Stop::Cancelled));
    if ended.is_err()
        && let Some(upload) = begun.into_inner()
    {
        // Nothing is published either way; this only takes away what is staged.
        if let Ok(Err(error)) = timeout(DISCARD, upload.discard()).await {
            tracing::debug!(error = error.chain(), to = %task.to, "could not discard");
        }
    }
    ended
}

async fn send(
    context: &Context,
    task: &Task,
    replace: &Replace,
    begun: &OnceLock<Arc<dyn Upload>>,
) -> std::result::Result<Entry, Stop> {
    let from = &task.entry.path;
    let plan = ReadPlan {
        version: None,
        first: Some(0..task.entry.size),
    };
    let reading = task
        .source
        .read(from, plan)
        .await
        .map_err(|error| error.about(from))?;
    let source = reading.entry();
    let about = |error: Error| error.about(&task.to);
    let plan = WritePlan {
        length: Some(source.size),
        replace: replace.clone(),
        modified: Some(source.modified),
        executable: Some(source.executable),
        ..WritePlan::new(task.to.clone(), context.options.owner.clone())
    };
    let upload = context.target.begin(plan).await.map_err(about)?;
    let upload = begun.get_or_init(|| upload);

    let tally = Arc::new(Mutex::new(Hasher::new()));
    context.observer.advanced(task.id, 0);
    if source.size > 0 {
        let content = counted(
            reading.stream(0..source.size),
            tally.clone(),
            context.observer.clone(),
            task.id,
        );
        upload.write(0, content, Check::None).await.map_err(about)?;
    }
    let (size, digest) = {
        let tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
        (tally.count(), tally.digest())
    };
    unchanged(task, reading.as_ref(), size, digest).await?;

    let sent = Sent { size, digest };
    let seal = Seal {
        length: Some(size),
        digest: Some(digest),
    };
    let commit = |error: Error| Stop::Commit(error.about(&task.to), sent);
    let entry = upload.commit(seal).await.map_err(commit)?;
    if entry.size != size {
        return Err(commit(Error::new(ErrorKind::LengthMismatch)));
    }
    if entry.digest.is_some_and(|theirs| theirs != digest) {
        return Err(commit(Error::new(ErrorKind::DigestMismatch)));
    }
    Ok(entry)
}

/// Was what was read the whole and one version of the source?
async fn unchanged(
    task: &Task,
    reading: &dyn Reading,
    size: u64,
    digest: Digest,
) -> std::result::Result<(), Stop> {
    let source = reading.entry();
    let path = &source.path;
    if size != source.size {
        return Err(Stop::Source(Error::at(ErrorKind::LengthMismatch, path)));
    }
    if source.digest == Some(digest) {
        return Ok(());
    }
    let now = match task.source.stat(path).await {
        Ok(now) => now,
        Err(error) if error.kind().is_transient() => return Err(Stop::Before(error)),
        Err(error) => {
            let gone = Error::at(ErrorKind::VersionMismatch, path).because(error);
            return Err(Stop::Source(gone));
        }
    };
    let kind = if now.size != source.size {
        ErrorKind::LengthMismatch
    } else if now.version != source.version {
        ErrorKind::VersionMismatch
    } else if source.digest.is_some() {
        ErrorKind::DigestMismatch
    } else {
        return Ok(());
    };
    Err(Stop::Source(Error::at(kind, path)))
}

/// Hashes and tells of what passes.
fn counted(
    content: Content,
    tally: Arc<Mutex<Hasher>>,
    observer: Arc<dyn Observer>,
    id: FileId,
) -> Content {
    Box::pin(content.map(move |piece| {
        let piece = piece?;
        let bytes = {
            let mut tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
            tally.update(&piece);
            tally.count()
        };
        observer.advanced(id, bytes);
        Ok(piece)
    }))
}

/// The target's entry, when it holds what was sent: by its digest, or by reading it back.
async fn landed(context: &Context, task: &Task, sent: Sent) -> Option<Entry> {
    let target = &context.target;
    let entry = target.stat(&task.to).await.ok()?;
    if !entry.is_file() || entry.size != sent.size {
        return None;
    }
    let digest = match entry.digest {
        Some(digest) => digest,
        None => hash(target.as_ref(), &entry).await.ok()?,
    };
    (digest == sent.digest).then_some(entry)
}

async fn hash(store: &dyn Store, entry: &Entry) -> Result<Digest> {
    let plan = ReadPlan {
        version: Some(entry.version.clone()),
        first: Some(0..entry.size),
    };
    let reading = store.read(&entry.path, plan).await?;
    let mut content = reading.stream(0..reading.entry().size);
    let mut hasher = Hasher::new();
    while let Some(piece) = content.next().await {
        hasher.update(&piece?);
    }
    Ok(hasher.digest())
}

/// What to do about a file that is at the target already.
enum Verdict {
    Replace(Replace),
    Skip,
    Keep,
    Cancel,
    /// It is not there any more.
    Gone,
}

async fn decide(context: &Context, task: &Task) -> Result<Verdict> {
    let Existing::Ask(asking) = &context.options.existing else {
        return Ok(Verdict::Keep);
    };
    let mut decided = context.decided.lock().await;
    match *decided {
        Some(ForAll::Replace) => return Ok(Verdict::Replace(Replace::Always)),
        Some(ForAll::Skip) => return Ok(Verdict::Skip),
        None => {}
    }
    let there = match context.target.stat(&task.to).await {
        Ok(there) => there,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Verdict::Gone),
        Err(error) => return Err(error.about(&task.to)),
    };
    if there.is_folder() {
        return Err(Error::at(ErrorKind::IsFolder, &task.to));
    }
    // Only what was shown is replaced.
    let this = Replace::Only(there.version.clone());
    Ok(
        match asking
            .decide(Conflict {
                source: &task.entry,
                there: &there,
            })
            .await
        {
            Decision::Replace => Verdict::Replace(this),
            Decision::ReplaceAll => {
                *decided = Some(ForAll::Replace);
                Verdict::Replace(this)
            }
            Decision::Skip => Verdict::Skip,
            Decision::SkipAll => {
                *decided = Some(ForAll::Skip);
                Verdict::Skip
            }
            Decision::Cancel => Verdict::Cancel,
        },
    )
}
