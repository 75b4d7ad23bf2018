//! The copy of a big file: runs of whole chunks on several streams, each landing at its place.
//!
//! Nothing is read twice: the digest of the whole is merged from those of the chunks that pass.
//! A chunk that does not arrive as it was is sent again, alone; a stream that is cut goes on from
//! what the target says has arrived.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use futures_util::StreamExt;
use gaveta_core::{
    CHUNK, Entry, Error, ErrorKind, Outline, Piece, Pieces, Ranges, ReadPlan, Reading, Replace,
    Result, Seal, Upload,
};
use tokio::task::JoinSet;

use crate::file::{Context, Sent, Stop, landed, unchanged};
use crate::memory::{Mark, Restart, Resume};
use crate::observer::{Copied, FileId};
use crate::opened::{self, Opened};
use crate::rate::Rate;
use crate::streams::Stream;
use crate::table::Table;
use crate::walk::Task;

/// So many bytes of differing chunks are gathered before they are sent, when most are equal.
const GATHERED: u64 = 4 << 20;

/// What all streams of one file share.
#[derive(Debug)]
struct Flow {
    context: Arc<Context>,
    id: FileId,
    length: u64,
    reading: Arc<dyn Reading>,
    upload: Arc<dyn Upload>,
    /// The old content, where chunks are compared as they are read.
    base: Option<Outline>,
    table: Mutex<Table>,
    /// Bytes that are there, or on their way.
    done: AtomicU64,
    sent: AtomicU64,
    equal: AtomicU64,
    /// What the source failed with.
    source_error: Mutex<Option<Error>>,
}

/// How a run of chunks ended.
struct RunEnd {
    range: Range<u64>,
    /// Bytes that were handed over.
    passed: u64,
    round: u32,
    result: Result<()>,
}

/// One try. What was begun is left in `begun` for whoever throws it away.
pub(crate) async fn send(
    context: &Arc<Context>,
    task: &Task,
    replace: &Replace,
    delta: bool,
    begun: &OnceLock<Arc<dyn Upload>>,
) -> Result<(Entry, Copied), Stop> {
    let from = &task.entry.path;
    let reading = task.source.read(from, ReadPlan::default()).await;
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
    let mut beside = JoinSet::new();
    if opened.new {
        let (context, task, mark) = (context.clone(), task.clone(), Mark::of(&source, replace));
        let upload = upload.clone();
        beside.spawn(async move {
            opened::remember(&context, &task, upload.as_ref(), mark).await;
            Ok(())
        });
    }
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
    let done = opened.arrived.total().saturating_add(equal);
    context.observer.advanced(task.id, done);
    Ok(Flow {
        context: Arc::clone(context),
        id: task.id,
        length: source.size,
        upload: Arc::clone(&opened.upload),
        base,
        table: Mutex::new(table),
        done: AtomicU64::new(done),
        sent: AtomicU64::new(0),
        equal: AtomicU64::new(equal),
        source_error: Mutex::new(None),
        reading,
    })
}

impl Flow {
    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What of the ranges that arrived earlier has no digest yet.
    fn arrived_unseen(&self, arrived: &Ranges) -> Vec<Range<u64>> {
        let whole = |range: Range<u64>| {
            let end = if range.end == self.length {
                range.end
            } else {
                range.end / CHUNK * CHUNK
            };
            range.start.div_ceil(CHUNK) * CHUNK..end
        };
        let unseen = self.table().unseen();
        let both = unseen.iter().flat_map(|unseen| {
            arrived.iter().map(|range| {
                let range = whole(range);
                range.start.max(unseen.start)..range.end.min(unseen.end)
            })
        });
        both.filter(|range| range.start < range.end).collect()
    }

    /// Reads what an earlier run sent, for its digests: so that nothing is ever spliced.
    async fn look_again(&self, ranges: Vec<Range<u64>>) -> Result<()> {
        for range in ranges {
            let mut number = range.start / CHUNK;
            let mut pieces = self.reading.chunks(range);
            while let Some(piece) = pieces.next().await {
                if let Piece::Close(digest) = piece? {
                    self.table().saw(number, digest);
                    number += 1;
                }
            }
        }
        Ok(())
    }

    /// Sends all that is missing. Says how many bytes had to be sent again.
    async fn run(self: &Arc<Self>, task: &Task) -> Result<u64, Stop> {
        let mut streams: JoinSet<RunEnd> = JoinSet::new();
        let retries = self.context.options.retries;
        let (mut again, mut tries, mut round, mut best) = (0u64, 0u32, 0u32, 0u64);
        loop {
            let more = !self.table().is_empty();
            let ended = tokio::select! {
                biased;
                Some(ended) = streams.join_next() => ended,
                stream = self.context.streams.take(), if more => {
                    if let Some(stream) = stream {
                        self.start(&mut streams, stream, round);
                    }
                    continue;
                }
                else => return Ok(again),
            };
            let ended = ended.map_err(|error| {
                Stop::Final(Error::new(ErrorKind::Io).because(error).about(&task.to))
            })?;
            let Err(error) = ended.result else {
                continue;
            };
            self.fatal(&error)?;
            if error.kind() != ErrorKind::DigestMismatch {
                self.context.streams.lost();
            }
            // Streams that were lost together are one failure.
            let first = ended.round == round;
            if first {
                if tries >= retries.times {
                    return Err(Stop::Final(error.about(&task.to)));
                }
                self.context.observer.retrying(self.id, &task.to, &error);
                tokio::time::sleep(retries.pause(tries)).await;
                round += 1;
                tries += 1;
            }
            let arrived = self.arrived(task).await?;
            if arrived.total() > best {
                best = arrived.total();
                tries = u32::from(first);
            }
            let back = self.table().give_back(&ended.range, &arrived);
            let kept = (ended.range.end - ended.range.start).saturating_sub(back);
            let lost = ended.passed.saturating_sub(kept);
            again = again.saturating_add(lost);
            self.done.fetch_sub(lost, Ordering::Relaxed);
            self.tell();
        }
    }

    /// What cannot pass by itself ends the copy, or begins it anew.
    fn fatal(&self, error: &Error) -> Result<(), Stop> {
        let source = self
            .source_error
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(source) = source {
            return match source.kind() {
                ErrorKind::VersionMismatch => Err(Stop::Changed),
                kind if kind.is_transient() => Ok(()),
                ErrorKind::DigestMismatch => Ok(()),
                _ => Err(Stop::Final(source)),
            };
        }
        match error.kind() {
            ErrorKind::UploadLost | ErrorKind::UnknownUpload => Err(Stop::Lost(copy_of(error))),
            kind if kind.is_transient() => Ok(()),
            ErrorKind::DigestMismatch => Ok(()),
            _ => Err(Stop::Final(copy_of(error))),
        }
    }

    /// What the target has; asked until it answers.
    async fn arrived(&self, task: &Task) -> Result<Ranges, Stop> {
        let retries = self.context.options.retries;
        let mut tries = 0;
        loop {
            match self.upload.state().await {
                Ok(state) => return Ok(state.arrived),
                Err(error) if error.kind().is_transient() && tries < retries.times => {
                    tokio::time::sleep(retries.pause(tries)).await;
                    tries += 1;
                }
                Err(error) => {
                    self.fatal(&error)?;
                    return Err(Stop::Final(error.about(&task.to)));
                }
            }
        }
    }

    fn start(self: &Arc<Self>, streams: &mut JoinSet<RunEnd>, stream: Stream, round: u32) {
        let rate = &self.context.rate;
        let many = self.context.streams.limit();
        let Some(range) = self.table().next(many, rate.is_slow()) else {
            return;
        };
        let flow = Arc::clone(self);
        streams.spawn(async move {
            let _stream = stream;
            let passed = Arc::new(AtomicU64::new(0));
            let result = match &flow.base {
                Some(base) => flow.send_differing(base, range.clone(), &passed).await,
                None => flow.send_all(range.clone(), &passed).await,
            };
            RunEnd {
                range,
                passed: passed.load(Ordering::Relaxed),
                round,
                result,
            }
        });
    }

    async fn send_all(self: &Arc<Self>, range: Range<u64>, passed: &Arc<AtomicU64>) -> Result<()> {
        let pieces = self.reading.chunks(range.clone());
        let pieces = self.watched(pieces, range.start, Some(Arc::clone(passed)));
        let kept = self.upload.write_chunks(range.start, pieces).await?;
        if kept == range.end - range.start {
            Ok(())
        } else {
            Err(ErrorKind::Disconnected.into())
        }
    }

    /// Reads everything, and sends what the old content does not have.
    async fn send_differing(
        self: &Arc<Self>,
        base: &Outline,
        range: Range<u64>,
        passed: &Arc<AtomicU64>,
    ) -> Result<()> {
        let pieces = self.reading.chunks(range.clone());
        let mut pieces = self.watched(pieces, range.start, None);
        let mut at = range.start;
        let (mut run, mut run_bytes) = (Vec::new(), 0u64);
        let (mut chunk, mut chunk_bytes) = (Vec::new(), 0u64);
        while let Some(piece) = pieces.next().await {
            let piece = piece?;
            let digest = match &piece {
                Piece::Bytes(bytes) => {
                    chunk_bytes += bytes.len() as u64;
                    chunk.push(piece);
                    continue;
                }
                Piece::Close(digest) => *digest,
            };
            at += chunk_bytes;
            if base.same_chunk((at - chunk_bytes) / CHUNK, self.length) == Some(digest) {
                self.send_run(
                    at - chunk_bytes - run_bytes,
                    &mut run,
                    &mut run_bytes,
                    passed,
                )
                .await?;
                self.table().same((at - chunk_bytes) / CHUNK);
                self.equal.fetch_add(chunk_bytes, Ordering::Relaxed);
                self.done.fetch_add(chunk_bytes, Ordering::Relaxed);
                self.tell();
                chunk.clear();
            } else {
                run.append(&mut chunk);
                run.push(piece);
                run_bytes += chunk_bytes;
                if run_bytes >= GATHERED {
                    self.send_run(at - run_bytes, &mut run, &mut run_bytes, passed)
                        .await?;
                }
            }
            chunk_bytes = 0;
        }
        self.send_run(at - run_bytes, &mut run, &mut run_bytes, passed)
            .await
    }

    async fn send_run(
        self: &Arc<Self>,
        offset: u64,
        run: &mut Vec<Piece>,
        bytes: &mut u64,
        passed: &Arc<AtomicU64>,
    ) -> Result<()> {
        let expected = std::mem::take(bytes);
        if expected == 0 {
            return Ok(());
        }
        let run: Pieces = Box::pin(futures_util::stream::iter(
            std::mem::take(run).into_iter().map(Ok),
        ));
        let run = self.counted(run, Arc::clone(passed));
        let kept = self.upload.write_chunks(offset, run).await?;
        if kept == expected {
            Ok(())
        } else {
            Err(ErrorKind::Disconnected.into())
        }
    }

    /// Notes digests and what the source fails with; counts, too, when it is sent as it comes.
    fn watched(
        self: &Arc<Self>,
        pieces: Pieces,
        start: u64,
        passed: Option<Arc<AtomicU64>>,
    ) -> Pieces {
        let flow = Arc::clone(self);
        let mut number = start / CHUNK;
        let noted: Pieces = Box::pin(pieces.map(move |piece| {
            match &piece {
                Ok(Piece::Close(digest)) => {
                    flow.table().saw(number, *digest);
                    number += 1;
                }
                Ok(Piece::Bytes(_)) => {}
                Err(error) => {
                    let mut slot = flow
                        .source_error
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner);
                    slot.get_or_insert_with(|| copy_of(error));
                }
            }
            piece
        }));
        match passed {
            Some(passed) => self.counted(noted, passed),
            None => noted,
        }
    }

    /// Counts what passes, at the rate it may.
    fn counted(self: &Arc<Self>, pieces: Pieces, passed: Arc<AtomicU64>) -> Pieces {
        let flow = Arc::clone(self);
        Box::pin(pieces.then(move |piece| {
            let (flow, passed) = (Arc::clone(&flow), Arc::clone(&passed));
            async move {
                if let Ok(Piece::Bytes(bytes)) = &piece {
                    let bytes = bytes.len() as u64;
                    let rate: &Rate = &flow.context.rate;
                    rate.take(bytes).await;
                    passed.fetch_add(bytes, Ordering::Relaxed);
                    flow.sent.fetch_add(bytes, Ordering::Relaxed);
                    flow.done.fetch_add(bytes, Ordering::Relaxed);
                    flow.context.streams.moved(bytes);
                    flow.tell();
                }
                piece
            }
        }))
    }

    fn tell(&self) {
        let done = self.done.load(Ordering::Relaxed).min(self.length);
        self.context.observer.advanced(self.id, done);
    }

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
        let retries = self.context.options.retries;
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

/// The error once more, for somebody else: what it is and what it is about.
fn copy_of(error: &Error) -> Error {
    let copy = Error::new(error.kind());
    let copy = match error.path() {
        Some(path) => copy.about_text(path.to_owned()),
        None => copy,
    };
    match std::error::Error::source(error) {
        Some(why) => copy.because(why.to_string()),
        None => copy,
    }
}
