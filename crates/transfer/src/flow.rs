//! The streams of one big file: runs of whole chunks, each on its way to its place.

use std::collections::HashMap;
use std::ops::Range;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::StreamExt;
use gaveta_core::{
    CHUNK, Error, ErrorKind, Outline, Piece, Pieces, Ranges, Reading, Result, Upload, chunk,
};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{Duration, Instant, sleep};

use crate::file::{Context, Stop};
use crate::observer::FileId;
use crate::progress::Progress;
use crate::rate::Rate;
use crate::streams::Stream;
use crate::table::Table;
use crate::walk::Task;

/// So many bytes of differing chunks are gathered before they are sent, when most are equal.
const GATHERED: u64 = 4 << 20;

/// How often it is looked, at the end, whether one stream keeps the others waiting; and how often
/// one of a file is cut off for that. What it had in hand goes again: a chunk or two.
const LOOK: Duration = Duration::from_millis(100);
const CUTS: u32 = 16;

/// How often a far source is asked something small.
const ASK: Duration = Duration::from_millis(500);

/// What all streams of one file share.
#[derive(Debug)]
pub(crate) struct Flow {
    pub(crate) context: Arc<Context>,
    pub(crate) id: FileId,
    pub(crate) length: u64,
    pub(crate) reading: Arc<dyn Reading>,
    pub(crate) upload: Arc<dyn Upload>,
    /// The old content, where chunks are compared as they are read.
    pub(crate) base: Option<Outline>,
    pub(crate) table: Mutex<Table>,
    pub(crate) progress: Progress,
    pub(crate) sent: AtomicU64,
    pub(crate) equal: AtomicU64,
    /// What the source failed with.
    pub(crate) source_error: Mutex<Option<Error>>,
}

/// How a run of chunks ended.
struct RunEnd {
    run: u64,
    /// Bytes that were handed over.
    passed: u64,
    round: u32,
    /// Others will be faster with what it had in hand.
    cut: bool,
    /// What the target has, if it was asked already.
    arrived: Option<Ranges>,
    result: Result<()>,
}

impl Flow {
    pub(crate) fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What of the ranges that arrived earlier has no digest yet.
    pub(crate) fn arrived_unseen(&self, arrived: &Ranges) -> Vec<Range<u64>> {
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
    pub(crate) async fn look_again(&self, ranges: Vec<Range<u64>>) -> Result<()> {
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
    pub(crate) async fn run(self: &Arc<Self>, task: &Task) -> Result<u64, Stop> {
        let mut streams: JoinSet<RunEnd> = JoinSet::new();
        let retries = self.context.options.retries.under_way();
        let mut cuts: HashMap<u64, Arc<Notify>> = HashMap::new();
        let mut cuts_left = CUTS;
        let mut asking = pin!(self.ask(task));
        let (mut again, mut tries, mut round, mut best) = (0u64, 0u32, 0u32, 0u64);
        loop {
            let (more, wants) = {
                let table = self.table();
                (!table.is_empty(), table.wants(self.context.streams.limit()))
            };
            let ended = tokio::select! {
                biased;
                Some(ended) = streams.join_next() => ended,
                stream = self.context.streams.take(), if wants => {
                    if let Some(stream) = stream
                        && let Some((run, cut)) = self.start(&mut streams, stream, round)
                    {
                        cuts.insert(run, cut);
                    }
                    continue;
                }
                () = &mut asking, if !streams.is_empty() => continue,
                // More streams may be allowed meanwhile.
                () = sleep(LOOK), if more && !wants => continue,
                () = sleep(LOOK), if !more && !streams.is_empty() => {
                    if cuts_left > 0
                        && self.context.streams.far_and_free()
                        && let Some(run) = self.table().straggler(|run| cuts.contains_key(&run))
                        && let Some(cut) = cuts.remove(&run)
                    {
                        cut.notify_one();
                        cuts_left -= 1;
                    }
                    continue;
                }
                else => return Ok(again),
            };
            let ended = ended.map_err(|error| {
                Stop::Final(Error::new(ErrorKind::Io).because(error).about(&task.to))
            })?;
            let range = self.table().end(ended.run);
            cuts.remove(&ended.run);
            let Err(error) = ended.result else {
                if self.base.is_none() {
                    self.progress.has(range);
                }
                continue;
            };
            self.fatal(&error)?;
            if error.kind() != ErrorKind::DigestMismatch && !ended.cut {
                self.context.streams.lost();
            }
            // Streams that were lost together are one failure; one that was cut is none.
            let first = ended.round == round && !ended.cut;
            if first {
                if tries >= retries.times {
                    return Err(Stop::Final(error.about(&task.to)));
                }
                self.context.observer.retrying(self.id, &task.to, &error);
                sleep(retries.pause(tries)).await;
                round += 1;
                tries += 1;
            }
            let arrived = match ended.arrived {
                Some(arrived) => arrived,
                None => self.arrived(task, &range).await?,
            };
            if arrived.total() > best {
                best = arrived.total();
                tries = u32::from(first);
            }
            let back = self.table().give_back(&range, &arrived);
            let kept = (range.end - range.start).saturating_sub(back);
            let lost = ended.passed.saturating_sub(kept);
            again = again.saturating_add(lost);
            self.progress.lost(lost);
            self.progress.has_only(&arrived);
        }
    }

    /// Asks whoever is far, again and again: how far a target is, and how long answers take while
    /// the line is busy. Never ends.
    async fn ask(&self, task: &Task) {
        let streams = &self.context.streams;
        let source = &task.source;
        if source.round_trip().is_none() {
            let took = |took| streams.answered(took);
            return self.progress.ask(self.upload.as_ref(), took).await;
        }
        loop {
            sleep(ASK).await;
            let asked = Instant::now();
            if streams.is_far() && source.stat(&task.entry.path).await.is_ok() {
                streams.answered(asked.elapsed());
            }
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

    /// What the target has, and that nothing more of this range comes; asked until it answers.
    async fn arrived(&self, task: &Task, range: &Range<u64>) -> Result<Ranges, Stop> {
        let retries = self.context.options.retries.under_way();
        let mut tries = 0;
        loop {
            match self.upload.take_over(range.clone()).await {
                Ok(state) => return Ok(state.arrived),
                Err(error) if error.kind().is_transient() && tries < retries.times => {
                    sleep(retries.pause(tries)).await;
                    tries += 1;
                }
                Err(error) => {
                    self.fatal(&error)?;
                    return Err(Stop::Final(error.about(&task.to)));
                }
            }
        }
    }

    /// Starts the next run, if there is one. Who notifies what comes of it cuts it off.
    fn start(
        self: &Arc<Self>,
        streams: &mut JoinSet<RunEnd>,
        stream: Stream,
        round: u32,
    ) -> Option<(u64, Arc<Notify>)> {
        let rate = &self.context.rate;
        let many = self.context.streams.limit();
        let (run, range) = self.table().next(many, rate.is_slow())?;
        let flow = Arc::clone(self);
        let told = Arc::new(Notify::new());
        let cut = Arc::clone(&told);
        streams.spawn(async move {
            let _stream = stream;
            let passed = Arc::new(AtomicU64::new(0));
            let sending = async {
                match &flow.base {
                    Some(base) => flow.send_differing(base, run, range, &passed).await,
                    None => flow.send_all(run, range, &passed).await,
                }
            };
            let (result, cut) = tokio::select! {
                biased;
                result = sending => (result, false),
                () = cut.notified() => (Err(Error::new(ErrorKind::TimedOut)), true),
            };
            // Several may be cut at once: none waits for the answer to another.
            let arrived = if cut {
                let range = flow.table().range_of(run);
                let state = flow.upload.take_over(range).await;
                state.ok().map(|state| state.arrived)
            } else {
                None
            };
            RunEnd {
                run,
                passed: passed.load(Ordering::Relaxed),
                round,
                cut,
                arrived,
                result,
            }
        });
        Some((run, told))
    }

    async fn send_all(
        self: &Arc<Self>,
        run: u64,
        range: Range<u64>,
        passed: &Arc<AtomicU64>,
    ) -> Result<()> {
        let offset = range.start;
        let pieces = self.watched(run, range, Some(Arc::clone(passed)));
        let kept = self.upload.write_chunks(offset, pieces).await?;
        if kept == self.table().length_of(run) {
            Ok(())
        } else {
            Err(ErrorKind::Disconnected.into())
        }
    }

    /// Reads everything, and sends what the old content does not have.
    async fn send_differing(
        self: &Arc<Self>,
        base: &Outline,
        run: u64,
        range: Range<u64>,
        passed: &Arc<AtomicU64>,
    ) -> Result<()> {
        let mut at = range.start;
        let mut pieces = self.watched(run, range, None);
        let (mut gathered, mut run_bytes) = (Vec::new(), 0u64);
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
                    &mut gathered,
                    &mut run_bytes,
                    passed,
                )
                .await?;
                self.table().same((at - chunk_bytes) / CHUNK);
                self.equal.fetch_add(chunk_bytes, Ordering::Relaxed);
                self.progress.equal(chunk_bytes);
                chunk.clear();
            } else {
                gathered.append(&mut chunk);
                gathered.push(piece);
                run_bytes += chunk_bytes;
                if run_bytes >= GATHERED {
                    self.send_run(at - run_bytes, &mut gathered, &mut run_bytes, passed)
                        .await?;
                }
            }
            chunk_bytes = 0;
        }
        self.send_run(at - run_bytes, &mut gathered, &mut run_bytes, passed)
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
            self.progress.has(offset..offset + expected);
            Ok(())
        } else {
            Err(ErrorKind::Disconnected.into())
        }
    }

    /// The run's own chunks, as far as others do not take them away. Notes digests and what the
    /// source fails with; counts, too, when it is sent as it comes.
    fn watched(
        self: &Arc<Self>,
        run: u64,
        range: Range<u64>,
        passed: Option<Arc<AtomicU64>>,
    ) -> Pieces {
        let own = Own {
            flow: Arc::clone(self),
            run,
            number: range.start / CHUNK,
            end: chunk::count(range.end),
            between: true,
            pieces: self.reading.chunks(range),
        };
        let noted: Pieces = Box::pin(futures_util::stream::unfold(own, Own::next));
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
                    flow.context.streams.moved(bytes);
                    flow.progress.handed(bytes);
                }
                piece
            }
        }))
    }
}

/// The chunks of one run, on their way out of the source.
struct Own {
    flow: Arc<Flow>,
    run: u64,
    number: u64,
    /// Where the run ended at first.
    end: u64,
    /// Between two chunks?
    between: bool,
    pieces: Pieces,
}

impl Own {
    async fn next(mut self) -> Option<(Result<Piece>, Self)> {
        let goes_on = self.between && self.number < self.end;
        if goes_on && !self.flow.table().begin(self.run, self.number) {
            return None;
        }
        let piece = self.pieces.next().await?;
        self.between = false;
        match &piece {
            Ok(Piece::Close(digest)) => {
                self.flow.table().saw(self.number, *digest);
                self.number += 1;
                self.between = true;
            }
            Ok(Piece::Bytes(_)) => {}
            Err(error) => {
                let slot = &self.flow.source_error;
                let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
                slot.get_or_insert_with(|| copy_of(error));
            }
        }
        Some((piece, self))
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
