//! The copy of a big file: runs of whole chunks on several streams, each landing at its place.
//!
//! Nothing is read twice: the digest of the whole is merged from those of the chunks that pass.
//! A chunk that does not arrive as it was is sent again, alone; a stream that is cut goes on from
//! what the target says has arrived.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use gaveta_core::{Entry, Error, ErrorKind, ReadPlan, Reading, Replace, Result, Seal, Upload};
use tokio::task::JoinSet;

use crate::file::{Context, Sent, Stop, landed, unchanged};
use crate::flow::Flow;
use crate::memory::{Mark, Restart, Resume};
use crate::observer::Copied;
use crate::opened::{self, Opened};
use crate::progress::Progress;
use crate::table::Table;
use crate::walk::Task;

/// One try. What was begun is left in `begun` for whoever throws it away.
pub(crate) async fn send(
    context: &Arc<Context>,
    task: &Task,
    replace: &Replace,
    delta: bool,
    begun: &OnceLock<Arc<dyn Upload>>,
) -> Result<(Entry, Copied), Stop> {
    let from = &task.entry.path;
    let plan = ReadPlan {
        known: task.news().cloned(),
        ..ReadPlan::default()
    };
    let reading = task.source.read(from, plan).await;
    let reading = reading.map_err(|error| Stop::Before(error.about(from)))?;
    let source = reading.entry().clone();
    let opened = opened::open(context, task, &source, replace, delta).await?;
    let upload = begun.get_or_init(|| Arc::clone(&opened.upload)).clone();
    let (resumed, was_resumed) = (opened.arrived.total(), opened.resumed());
    if was_resumed {
        context.observer.resumed(task.id, &task.to, resumed);
    }
    let flow = prepare(context, task, reading, &opened).await?;
    let flow = Arc::new(flow);
    if opened.new {
        // Before the first byte: what is not remembered would be sent again.
        opened::remember(context, task, upload.as_ref(), Mark::of(&source, replace)).await;
    }
    let mut beside = JoinSet::new();
    let unseen = if was_resumed {
        flow.arrived_unseen(&opened.arrived)
    } else {
        Vec::new()
    };
    if !unseen.is_empty() && source.digest.is_none() {
        let flow = Arc::clone(&flow);
        beside.spawn(async move { flow.look_again(unseen).await });
    }
    let again = flow.run(task).await?;
    while let Some(looked) = beside.join_next().await {
        let looked = looked.map_err(|error| Error::new(ErrorKind::Io).because(error));
        looked.and_then(|looked| looked).map_err(Stop::Final)?;
    }
    let sent = flow.whole(task, &source).await?;
    let entry = flow
        .commit(task, sent, was_resumed || opened.base.is_some())
        .await?;
    opened::forget(context, task).await;
    context.observer.advanced(task.id, source.size);
    let copied = Copied {
        size: source.size,
        sent: flow.sent.load(Ordering::Relaxed),
        resumed,
        equal: flow.equal.load(Ordering::Relaxed),
        again,
        replaced: opened.base.is_some() || matches!(replace, Replace::Only(_)),
    };
    Ok((entry, copied))
}

/// Finds out what is missing. Where the source is far and its digests are cheap, what the target
/// has in its old content is found before anything is asked for.
async fn prepare(
    context: &Arc<Context>,
    task: &Task,
    reading: Arc<dyn Reading>,
    opened: &Opened,
) -> Result<Flow, Stop> {
    let source = reading.entry();
    let mut table = Table::new(source.size, &opened.arrived);
    let far = matches!(context.options.resume, Some(Resume::Derive(_)));
    if far {
        table.keep_runs();
    }
    let mut equal = 0;
    let mut base = opened.base.clone();
    if far && (base.is_some() || (opened.resumed() && source.digest.is_none())) {
        let outline = task.source.outline(&source.path, &source.version).await;
        match outline {
            Ok(outline) if outline.length() == source.size => {
                equal = table.compare(&outline, base.take().as_ref());
            }
            Ok(_) => return Err(Stop::Changed),
            Err(error) if error.kind() == ErrorKind::VersionMismatch => return Err(Stop::Changed),
            Err(error) if error.kind().is_transient() => return Err(Stop::Before(error)),
            Err(_) => {}
        }
    }
    let progress = Progress::new(
        Arc::clone(&context.observer),
        task.id,
        source.size,
        context.options.ask_progress,
        opened.arrived.clone(),
        equal,
    );
    progress.tell();
    Ok(Flow {
        context: Arc::clone(context),
        id: task.id,
        length: source.size,
        upload: Arc::clone(&opened.upload),
        base,
        table: Mutex::new(table),
        progress,
        sent: AtomicU64::new(0),
        equal: AtomicU64::new(equal),
        source_error: Mutex::new(None),
        reading,
    })
}

impl Flow {
    /// Was all that passed one version of the source? Its digest, then.
    async fn whole(&self, task: &Task, source: &Entry) -> Result<Sent, Stop> {
        let merged = self.table().digest();
        let digest = merged
            .or(source.digest)
            .ok_or_else(|| Stop::Final(Error::at(ErrorKind::Incomplete, &source.path)))?;
        let size = self.length;
        unchanged(task, self.reading.as_ref(), size, digest).await?;
        Ok(Sent { size, digest })
    }

    /// Publishes. When the answer is lost, looks whether it happened before it tries again.
    async fn commit(&self, task: &Task, sent: Sent, mixed: bool) -> Result<Entry, Stop> {
        let retries = self.context.options.retries.under_way();
        let seal = Seal {
            length: Some(sent.size),
            digest: Some(sent.digest),
        };
        let mut tries = 0;
        loop {
            let error = match self.upload.commit(seal).await {
                Ok(entry) if entry.size != sent.size => {
                    Error::new(ErrorKind::LengthMismatch).about(&task.to)
                }
                Ok(entry) if entry.digest.is_some_and(|theirs| theirs != sent.digest) => {
                    Error::new(ErrorKind::DigestMismatch).about(&task.to)
                }
                Ok(entry) => return Ok(entry),
                Err(error) => error.about(&task.to),
            };
            let doubt =
                error.kind().is_transient() || (tries > 0 && error.kind() == ErrorKind::UploadLost);
            if doubt {
                if let Some(entry) = landed(&self.context, task, sent).await {
                    return Ok(entry);
                }
                if error.kind().is_transient() && tries < retries.times {
                    self.context.observer.retrying(self.id, &task.to, &error);
                    tokio::time::sleep(retries.pause(tries)).await;
                    tries += 1;
                    continue;
                }
            }
            return Err(match error.kind() {
                // What an earlier run or the old content brought is of no use.
                ErrorKind::DigestMismatch | ErrorKind::Incomplete | ErrorKind::VersionMismatch
                    if mixed =>
                {
                    Stop::Anew(Restart::TargetChanged, error)
                }
                kind if kind.is_transient() => Stop::Final(error),
                _ => Stop::Before(error),
            });
        }
    }
}
