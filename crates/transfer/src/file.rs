//! The copy of one file: read, write, compare, publish; and again when that may help.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use futures_util::StreamExt;
use gaveta_core::{
    Check, Content, Digest, Entry, Error, ErrorKind, Hasher, ReadPlan, Reading, Replace, Result,
    Seal, Store, Upload, WritePlan,
};
use tokio::time::timeout;

use crate::cancel::Cancel;
use crate::chunked;
use crate::memory::Restart;
use crate::observer::{Copied, FileId, Observer};
use crate::opened::{forget, is_unsupported};
use crate::options::{Conflict, Decision, Existing, Filter, Options, Retries};
use crate::rate::Rate;
use crate::streams::Streams;
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
    /// What big files travel on.
    pub(crate) streams: Arc<Streams>,
    pub(crate) rate: Arc<Rate>,
    /// How often a copy began anew.
    pub(crate) restarts: AtomicU64,
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
    Done(Entry, Copied),
    Skipped(Why),
    Failed(Error),
    Cancelled,
}

/// What went over in full, when the answer to its commit was lost.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sent {
    pub(crate) size: u64,
    pub(crate) digest: Digest,
}

/// Why one try failed.
#[derive(Debug)]
pub(crate) enum Stop {
    Cancelled,
    /// Another try would not help, or there were enough.
    Final(Error),
    /// Before the commit.
    Before(Error),
    /// At the commit: it may have happened.
    Commit(Error, Sent),
    /// The source is another version than the one that was being read.
    Changed,
    /// The target has dropped what was under way.
    Lost(Error),
    /// What was there before is of no use: everything must be sent.
    Anew(Restart, Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Before(error)
    }
}

impl Stop {
    /// May a later run go on from here?
    fn may_go_on(&self) -> bool {
        match self {
            Self::Cancelled | Self::Final(_) => true,
            Self::Before(error) => {
                error.kind().is_transient() || error.kind() == ErrorKind::NoSpace
            }
            Self::Commit(..) | Self::Changed | Self::Lost(_) | Self::Anew(..) => false,
        }
    }
}

impl Context {
    pub(crate) fn is_big(&self, task: &Task) -> bool {
        task.entry.size >= self.options.big.max(1)
    }

    /// Says that a copy begins anew.
    pub(crate) fn restarted(&self, task: &Task, why: Restart) {
        self.restarts.fetch_add(1, Ordering::Relaxed);
        self.observer.restarted(task.id, &task.to, why);
    }

    fn replace(&self, task: &Task) -> Replace {
        match (&task.there, &self.options.existing) {
            (Some(Some(there)), _) => Replace::Only(there.version.clone()),
            (None, Existing::Replace) => Replace::Always,
            (Some(None), _) | (None, Existing::Keep | Existing::Beside | Existing::Ask(_)) => {
                Replace::Never
            }
        }
    }
}

/// How one file is to be sent; it changes from try to try.
struct How {
    replace: Replace,
    /// In chunks, on several streams?
    chunked: bool,
    /// Only what differs from what is there?
    delta: bool,
}

impl How {
    fn retries(&self, context: &Context) -> Retries {
        let retries = context.options.retries;
        match self.chunked {
            true => retries.under_way(),
            false => retries,
        }
    }
}

/// So many names are tried for one file.
const NAMES: u32 = 1000;

/// Copies one file. Whatever ends it, nothing but the whole is published.
pub(crate) async fn copy(context: &Arc<Context>, task: &Task) -> Ended {
    if let Some(filter) = &context.options.filter {
        let wanted = or_cancelled(context, wanted(context, task, filter.as_ref())).await;
        match wanted {
            None => return Ended::Cancelled,
            Some(false) => return Ended::Skipped(Why::Same),
            Some(true) => {}
        }
    }
    context.observer.started(task.id, &task.to, task.entry.size);
    let mut how = How {
        replace: context.replace(task),
        chunked: context.is_big(task),
        delta: true,
    };
    let beside = matches!(context.options.existing, Existing::Beside);
    // Under the next name, once its own is taken. Who watches knows it by its own.
    let mut named = task.clone();
    let mut number = 1;
    let mut doubt: Option<Sent> = None;
    let (mut tries, mut restarts) = (0, 0);
    let passed = Arc::new(AtomicU64::new(0));
    let most = context.options.retries.times;
    loop {
        let tried = try_once(context, &named, &how, &passed).await;
        named.doubted = true;
        let error = match tried {
            Ok((entry, copied)) => return Ended::Done(entry, copied),
            Err(Stop::Cancelled) => return Ended::Cancelled,
            Err(Stop::Final(error)) => return Ended::Failed(error),
            Err(stop) if how.chunked && is_unsupported(&stop) => {
                how.chunked = false;
                continue;
            }
            Err(Stop::Before(error)) => error,
            Err(Stop::Commit(error, sent)) => {
                if error.kind().is_transient() {
                    doubt = Some(sent);
                }
                error
            }
            Err(Stop::Changed) if restarts < most => {
                context.restarted(task, Restart::SourceChanged);
                restarts += 1;
                continue;
            }
            Err(Stop::Changed) => {
                return Ended::Failed(Error::at(ErrorKind::VersionMismatch, &task.entry.path));
            }
            Err(Stop::Lost(_)) if restarts < most => {
                context.restarted(task, Restart::Forgotten);
                restarts += 1;
                continue;
            }
            Err(Stop::Anew(why, _)) if how.delta => {
                context.restarted(task, why);
                how.delta = false;
                continue;
            }
            Err(Stop::Lost(error) | Stop::Anew(_, error)) => {
                return Ended::Failed(error.about(&named.to));
            }
        };
        // The answer to an earlier commit was lost: is it there after all?
        if let Some(sent) = doubt
            && let Some(entry) = or_cancelled(context, landed(context, &named, sent))
                .await
                .flatten()
        {
            let copied = whole(&entry, &passed, &how.replace);
            return Ended::Done(entry, copied);
        }
        let may_pass = error.kind().is_transient();
        // A folder of this name is in the way as much as a file.
        let taken = matches!(error.kind(), ErrorKind::Exists | ErrorKind::IsFolder);
        if beside && taken && number < NAMES {
            number += 1;
            match task.to.numbered(number) {
                Ok(to) => named.to = to,
                Err(error) => return Ended::Failed(error),
            }
            (doubt, tries) = (None, 0);
            continue;
        }
        if error.kind() == ErrorKind::Exists && how.replace == Replace::Never {
            let Some(verdict) = or_cancelled(context, decide(context, task)).await else {
                return Ended::Cancelled;
            };
            match verdict {
                Ok(Verdict::Replace(replace)) => {
                    how.replace = replace;
                    continue;
                }
                Ok(Verdict::Skip) => return Ended::Skipped(Why::Exists),
                Ok(Verdict::Same) => return Ended::Skipped(Why::Same),
                Ok(Verdict::Cancel) => {
                    context.cancel.cancel();
                    return Ended::Cancelled;
                }
                Ok(Verdict::Keep) => return Ended::Failed(error),
                Ok(Verdict::Gone) if tries < most => {}
                Ok(Verdict::Gone) => return Ended::Failed(error),
                Err(error) => return Ended::Failed(error),
            }
        } else if !may_pass || tries >= how.retries(context).times {
            return Ended::Failed(error);
        }
        context.observer.retrying(task.id, &task.to, &error);
        let pause = tokio::time::sleep(how.retries(context).pause(tries));
        if or_cancelled(context, pause).await.is_none() {
            return Ended::Cancelled;
        }
        tries += 1;
    }
}

async fn wanted(context: &Context, task: &Task, filter: &dyn Filter) -> bool {
    let there = match &task.there {
        Some(there) => there.clone(),
        // What cannot be looked at is copied: that will say why it cannot.
        None => context.target.stat(&task.to).await.ok(),
    };
    filter.wants(&task.entry, there.as_ref()).await
}

/// A file that went over in one run.
fn whole(entry: &Entry, passed: &AtomicU64, replace: &Replace) -> Copied {
    let sent = passed.load(Ordering::Relaxed);
    Copied {
        size: entry.size,
        sent,
        again: sent.saturating_sub(entry.size),
        replaced: matches!(replace, Replace::Only(_)),
        ..Copied::default()
    }
}

async fn or_cancelled<T>(context: &Context, work: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        biased;
        () = context.cancel.cancelled() => None,
        done = work => Some(done),
    }
}

/// One try. When it fails or is cancelled, what was begun is thrown away before this returns,
/// unless a later run may go on with it.
async fn try_once(
    context: &Arc<Context>,
    task: &Task,
    how: &How,
    passed: &Arc<AtomicU64>,
) -> std::result::Result<(Entry, Copied), Stop> {
    let begun: OnceLock<Arc<dyn Upload>> = OnceLock::new();
    let ended = if how.chunked {
        let work = chunked::send(context, task, &how.replace, how.delta, &begun);
        or_cancelled(context, work).await
    } else {
        let work = send(context, task, &how.replace, passed, &begun);
        or_cancelled(context, work).await.map(|sent| {
            sent.map(|entry| {
                let copied = whole(&entry, passed, &how.replace);
                (entry, copied)
            })
        })
    };
    let ended = ended.unwrap_or(Err(Stop::Cancelled));
    let keep = how.chunked && context.options.resume.is_some();
    if let Err(stop) = &ended
        && let Some(upload) = begun.into_inner()
        && !(keep && stop.may_go_on())
    {
        // Nothing is published either way; this only takes away what is staged.
        if let Ok(Err(error)) = timeout(DISCARD, upload.discard()).await {
            tracing::debug!(error = error.chain(), to = %task.to, "could not discard");
        }
        if keep {
            forget(context, task).await;
        }
    }
    ended
}

async fn send(
    context: &Context,
    task: &Task,
    replace: &Replace,
    passed: &Arc<AtomicU64>,
    begun: &OnceLock<Arc<dyn Upload>>,
) -> std::result::Result<Entry, Stop> {
    let from = &task.entry.path;
    let plan = ReadPlan {
        version: None,
        first: Some(0..task.entry.size),
        ..ReadPlan::default()
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
            at_rate(reading.stream(0..source.size), &context.rate),
            tally.clone(),
            Arc::clone(passed),
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

/// Lets the content through at the rate it may go, in pieces that suit the rate.
fn at_rate(content: Content, rate: &Arc<Rate>) -> Content {
    let most = rate.piece();
    if most == usize::MAX {
        return content;
    }
    let rate = Arc::clone(rate);
    let small = content.flat_map(move |piece| {
        let pieces: Vec<Result<_>> = match piece {
            Ok(mut bytes) => {
                let mut pieces = Vec::new();
                while !bytes.is_empty() {
                    pieces.push(Ok(bytes.split_to(most.min(bytes.len()))));
                }
                pieces
            }
            Err(error) => vec![Err(error)],
        };
        futures_util::stream::iter(pieces)
    });
    Box::pin(small.then(move |piece| {
        let rate = Arc::clone(&rate);
        async move {
            if let Ok(bytes) = &piece {
                rate.take(bytes.len() as u64).await;
            }
            piece
        }
    }))
}

/// Was what was read the whole and one version of the source?
pub(crate) async fn unchanged(
    task: &Task,
    reading: &dyn Reading,
    size: u64,
    digest: Digest,
) -> std::result::Result<(), Stop> {
    let source = reading.entry();
    let path = &source.path;
    if size != source.size {
        return Err(Stop::Final(Error::at(ErrorKind::LengthMismatch, path)));
    }
    if source.digest == Some(digest) {
        return Ok(());
    }
    let now = match task.source.stat(path).await {
        Ok(now) => now,
        Err(error) if error.kind().is_transient() => return Err(Stop::Before(error)),
        Err(error) => {
            let gone = Error::at(ErrorKind::VersionMismatch, path).because(error);
            return Err(Stop::Final(gone));
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
    Err(Stop::Final(Error::at(kind, path)))
}

/// Hashes and tells of what passes.
fn counted(
    content: Content,
    tally: Arc<Mutex<Hasher>>,
    passed: Arc<AtomicU64>,
    observer: Arc<dyn Observer>,
    id: FileId,
) -> Content {
    Box::pin(content.map(move |piece| {
        let piece = piece?;
        passed.fetch_add(piece.len() as u64, Ordering::Relaxed);
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
pub(crate) async fn landed(context: &Context, task: &Task, sent: Sent) -> Option<Entry> {
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
        ..ReadPlan::default()
    };
    let reading = store.read(&entry.path, plan).await?;
    let mut content = reading.stream(0..reading.entry().size);
    let mut hasher = Hasher::new();
    while let Some(piece) = content.next().await {
        hasher.update(&piece?);
    }
    Ok(hasher.digest())
}

/// Was this copied before? By size and modified time to the nanosecond, and by digest where both
/// know theirs.
fn is_same(source: &Entry, there: &Entry) -> bool {
    let differ = source
        .digest
        .zip(there.digest)
        .is_some_and(|(one, two)| one != two);
    there.is_file() && source.size == there.size && source.modified == there.modified && !differ
}

/// What to do about a file that is at the target already.
enum Verdict {
    Replace(Replace),
    Skip,
    /// It is the same already.
    Same,
    Keep,
    Cancel,
    /// It is not there any more.
    Gone,
}

async fn decide(context: &Context, task: &Task) -> Result<Verdict> {
    let there = match context.target.stat(&task.to).await {
        Ok(there) => there,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Verdict::Gone),
        Err(error) => return Err(error.about(&task.to)),
    };
    if is_same(&task.entry, &there) {
        return Ok(Verdict::Same);
    }
    let Existing::Ask(asking) = &context.options.existing else {
        return Ok(Verdict::Keep);
    };
    let mut decided = context.decided.lock().await;
    match *decided {
        Some(ForAll::Replace) => return Ok(Verdict::Replace(Replace::Always)),
        Some(ForAll::Skip) => return Ok(Verdict::Skip),
        None => {}
    }
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
