//! An archive's bytes, made as they leave.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use gaveta_core::{Content, Error, ErrorKind, ReadPlan, Result, Store};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;

use super::plan::{Archives, Plan, Planned, Sums};
use crate::drawer::View;

/// Pieces that wait to leave; each is at most 1 MiB.
const AHEAD: usize = 2;
/// How long one waits for its turn to read a file for its sum alone.
const TURN: Duration = Duration::from_secs(120);
/// How much of the central directory is gathered before it leaves, in bytes.
const GATHERED: usize = 64 * 1024;

/// A range of an archive. It ends with an error when a file is no longer what was planned.
pub(super) fn content(
    view: View,
    plan: Arc<Plan>,
    archives: &Archives,
    wanted: Range<u64>,
) -> Content {
    let (sums, summing) = (archives.sums(), archives.summing());
    let (pieces, queue) = mpsc::channel(AHEAD);
    // Ends with whoever reads: what nobody takes cannot be sent.
    tokio::spawn(async move {
        let mut maker = Maker {
            view,
            sums,
            summing,
            wanted,
            made: vec![None; plan.entries.len()],
            pieces,
        };
        if let Err(Some(error)) = maker.make(&plan).await {
            let _ = maker.pieces.send(Err(error)).await;
        }
    });
    stream::unfold(queue, |mut queue| async move {
        queue.recv().await.map(|piece| (piece, queue))
    })
    .boxed()
}

struct Maker {
    view: View,
    sums: Arc<Sums>,
    summing: Arc<Semaphore>,
    wanted: Range<u64>,
    /// The sums made so far, by entry.
    made: Vec<Option<u32>>,
    pieces: mpsc::Sender<Result<Bytes>>,
}

/// Why it stops: an error to tell, or nobody who listens.
type Stop = Option<Error>;

impl Maker {
    async fn make(&mut self, plan: &Plan) -> Result<(), Stop> {
        let first = plan
            .entries
            .partition_point(|entry| end_of(entry) <= self.wanted.start);
        for (i, entry) in plan.entries.iter().enumerate().skip(first) {
            if entry.offset >= self.wanted.end {
                return Ok(());
            }
            self.put(entry.offset, entry.item.header().into()).await?;
            self.data(i, entry).await?;
            let after = entry.data().end;
            if entry.item.has_data() && after < self.wanted.end {
                let sum = self.sum(i, entry).await?;
                self.put(after, entry.item.descriptor(sum).into()).await?;
            }
        }
        let (mut at, mut gathered) = (plan.records.start, Vec::new());
        for (i, entry) in plan.entries.iter().enumerate() {
            let here = at + gathered.len() as u64;
            if here >= self.wanted.end {
                break;
            }
            let length = entry.item.record(0, entry.offset).len() as u64;
            // Nobody asked for a record that ends before: its sum may be any.
            let sum = match here + length <= self.wanted.start {
                true => 0,
                false => self.sum(i, entry).await?,
            };
            gathered.extend(entry.item.record(sum, entry.offset));
            if gathered.len() >= GATHERED {
                let length = gathered.len() as u64;
                self.put(at, std::mem::take(&mut gathered).into()).await?;
                at += length;
            }
        }
        gathered.extend(plan.ending());
        self.put(at, gathered.into()).await
    }

    /// Sends what is wanted of bytes that stand at this place.
    async fn put(&self, at: u64, bytes: Bytes) -> Result<(), Stop> {
        let length = bytes.len() as u64;
        let from = self.wanted.start.saturating_sub(at).min(length);
        let to = self.wanted.end.saturating_sub(at).min(length);
        if from >= to {
            return Ok(());
        }
        // Both are at most the length of bytes in memory.
        let (from, to) = (from as usize, to as usize);
        self.pieces
            .send(Ok(bytes.slice(from..to)))
            .await
            .map_err(|_| None)
    }

    /// Sends what is wanted of a file, and its sum on the way when all of it is.
    async fn data(&mut self, i: usize, entry: &Planned) -> Result<(), Stop> {
        let place = entry.data();
        let from = self.wanted.start.clamp(place.start, place.end) - place.start;
        let to = self.wanted.end.clamp(place.start, place.end) - place.start;
        if from >= to {
            return Ok(());
        }
        let whole = from == 0 && to == entry.item.size;
        let mut content = self.open(entry).await?.stream(from..to);
        let mut hasher = crc32fast::Hasher::new();
        let mut at = place.start + from;
        while let Some(piece) = content.next().await {
            let piece = piece.map_err(Some)?;
            if whole {
                hasher.update(&piece);
            }
            let length = piece.len() as u64;
            self.put(at, piece).await?;
            at += length;
        }
        if whole {
            self.remember(i, entry, hasher.finalize());
        }
        Ok(())
    }

    fn remember(&mut self, i: usize, entry: &Planned, sum: u32) {
        self.sums.keep(entry, sum);
        if let Some(place) = self.made.get_mut(i) {
            *place = Some(sum);
        }
    }

    /// The sum of a file: made on the way, remembered, or made by reading it now.
    async fn sum(&mut self, i: usize, entry: &Planned) -> Result<u32, Stop> {
        if !entry.item.has_data() {
            return Ok(0);
        }
        let made = self.made.get(i).copied().flatten();
        if let Some(sum) = made.or_else(|| self.sums.get(entry)) {
            return Ok(sum);
        }
        let _turn = tokio::select! {
            turn = timeout(TURN, Arc::clone(&self.summing).acquire_owned()) => match turn {
                Ok(Ok(turn)) => turn,
                Ok(Err(_)) | Err(_) => return Err(Some(ErrorKind::Busy.into())),
            },
            () = self.pieces.closed() => return Err(None),
        };
        let mut content = self.open(entry).await?.stream(0..entry.item.size);
        let mut hasher = crc32fast::Hasher::new();
        while let Some(piece) = content.next().await {
            hasher.update(&piece.map_err(Some)?);
            if self.pieces.is_closed() {
                return Err(None);
            }
        }
        let sum = hasher.finalize();
        self.remember(i, entry, sum);
        Ok(sum)
    }

    /// Opens the version that was planned.
    async fn open(&self, entry: &Planned) -> Result<Arc<dyn gaveta_core::Reading>, Stop> {
        let plan = ReadPlan {
            version: Some(entry.version.clone()),
            first: None,
            ..ReadPlan::default()
        };
        let reading = self.view.read(&entry.path, plan).await.map_err(Some)?;
        match reading.entry().size == entry.item.size {
            true => Ok(reading),
            false => Err(Some(Error::at(ErrorKind::VersionMismatch, &entry.path))),
        }
    }
}

/// Where an entry ends, with what stands after its data.
fn end_of(entry: &Planned) -> u64 {
    entry.data().end + entry.item.descriptor(0).len() as u64
}
