//! One write: gathers what arrives into large pieces and writes each on a blocking thread, while
//! the next is gathered. It holds two pieces at most, and all writes together what the budget gives.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use gaveta_core::{
    CHUNK, Check, ChunkDigest, ChunkHasher, Content, Digest, Error, ErrorKind, Hasher, Piece,
    Pieces, Result, chunk,
};
use tokio::sync::{OwnedRwLockReadGuard, OwnedSemaphorePermit};
use tokio::task::JoinHandle;

use super::gathered::{Gathered, write_all};
use super::lease::Lease;
use super::sums::{cut, span};
use super::{Body, Phase};
use crate::failpoint;
use crate::locks::lock;
use crate::reading::read_range;
use crate::store::{check_offset, joined, run};

/// How long what was gathered waits for more.
const IDLE: Duration = Duration::from_millis(25);
/// A whole of so much waits in memory for its commit, in bytes: a write of its own would wake one
/// thread more for little.
const WAITS: u64 = 64 << 10;

/// Writes content from `offset` on, and says how much was kept.
pub(super) async fn write(
    body: &Arc<Body>,
    offset: u64,
    mut content: Content,
    check: Check,
) -> Result<u64> {
    let _writing = body.base.budget.enter();
    let mut writer = Writer::start(body, offset, Counts::Now).await?;
    if let Check::Digest(expected) = check {
        writer.counts = Counts::WhenChecked;
        writer.checked = Some((expected, Hasher::new()));
    }
    let ended = writer.take(&mut content).await;
    // What came before an error is kept, but for one of the lease: it is not ours any more.
    let flushed = match &ended {
        Err(error) if error.kind() == ErrorKind::UploadLost => writer.wait().await,
        Ok(()) if writer.is_small_whole() => writer.leave_waiting().await,
        _ => writer.flush_all().await,
    };
    ended.and(flushed)?;
    writer.finish()
}

/// Writes whole chunks from `offset` on, and says how much was kept.
pub(super) async fn write_chunks(body: &Arc<Body>, offset: u64, mut pieces: Pieces) -> Result<u64> {
    if !offset.is_multiple_of(CHUNK) {
        return Err(Error::new(ErrorKind::BadRange));
    }
    let Some(length) = lock(&body.progress).length else {
        return Err(Error::bad_request("chunks want a declared length"));
    };
    let _writing = body.base.budget.enter();
    let mut writer = Writer::start(body, offset, Counts::WhenClosed).await?;
    let ended = writer.take_chunks(&mut pieces, length).await;
    // A chunk that is not closed does not count: what is gathered of it is let go.
    ended.and(writer.wait().await)?;
    Ok(writer.at - offset)
}

/// When a piece counts as arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Counts {
    /// As soon as it is written.
    Now,
    /// When the whole write matches its digest.
    WhenChecked,
    /// When its chunk is whole and matches its digest.
    WhenClosed,
}

/// What is written in one go.
#[derive(Debug)]
pub(super) struct Write {
    start: u64,
    end: u64,
    parts: Vec<Bytes>,
    counts: Counts,
    /// The digest of the chunk that ends here.
    close: Option<ChunkDigest>,
    hasher: Option<Hasher>,
    /// The room it takes in memory.
    _room: Option<OwnedSemaphorePermit>,
}

struct Writer<'a> {
    body: &'a Arc<Body>,
    lease: Lease,
    offset: u64,
    /// Where the next byte received goes; `gathered` ends here.
    at: u64,
    gathered: Gathered,
    /// How much is gathered before it is written, and the room for it.
    wanted: usize,
    room: Option<OwnedSemaphorePermit>,
    running: Option<JoinHandle<Result<Option<Hasher>>>>,
    counts: Counts,
    /// The digest that the whole write must have, and that of what came so far.
    checked: Option<(Digest, Hasher)>,
}

impl<'a> Writer<'a> {
    async fn start(body: &'a Arc<Body>, offset: u64, counts: Counts) -> Result<Self> {
        check_offset(&(offset..offset))?;
        if !body.plan.parts.is_empty() {
            return Err(Error::bad_request("it is made of its parts"));
        }
        if *body.phase.clone().read_owned().await == Phase::Ended {
            return Err(Error::new(ErrorKind::UploadLost));
        }
        let lease = body.leases.take(offset).await?;
        // What came before is overwritten, not what comes now.
        write_waiting(body).await?;
        Ok(Self {
            body,
            lease,
            offset,
            at: offset,
            gathered: Gathered::default(),
            wanted: 0,
            room: None,
            running: None,
            counts,
            checked: None,
        })
    }

    async fn take(&mut self, content: &mut Content) -> Result<()> {
        while let Some(bytes) = self.next(content).await? {
            self.receive(bytes, None).await?;
        }
        Ok(())
    }

    async fn take_chunks(&mut self, pieces: &mut Pieces, length: u64) -> Result<()> {
        let bad = || Error::bad_request("pieces that are not whole chunks");
        // The end of the chunk under way.
        let mut end = None;
        while let Some(piece) = self.next(pieces).await? {
            match piece {
                Piece::Bytes(bytes) if bytes.is_empty() => {}
                Piece::Bytes(bytes) => {
                    let to = end.unwrap_or_else(|| chunk::span(self.at / CHUNK, length).end);
                    end = Some(to);
                    let reaches = self.at.saturating_add(bytes.len() as u64);
                    if reaches > length {
                        return Err(Error::new(ErrorKind::LengthMismatch));
                    }
                    if reaches > to {
                        return Err(bad());
                    }
                    self.receive(bytes, end).await?;
                }
                Piece::Close(digest) => {
                    if end.take() != Some(self.at) {
                        return Err(bad());
                    }
                    self.write_gathered(Some(digest)).await?;
                }
            }
        }
        match end {
            None => Ok(()),
            Some(_) => Err(bad()),
        }
    }

    /// What comes next. What was gathered is written when nothing comes for a while.
    async fn next<T>(
        &mut self,
        stream: &mut (impl Stream<Item = Result<T>> + Unpin),
    ) -> Result<Option<T>> {
        loop {
            // Who sends slowly keeps no room from others.
            let idle = !self.gathered.is_empty();
            tokio::select! {
                biased;
                () = self.lease.lost() => return Err(Error::new(ErrorKind::UploadLost)),
                next = stream.next() => return next.transpose(),
                () = tokio::time::sleep(IDLE), if idle => self.write_gathered(None).await?,
            }
        }
    }

    /// Gathers bytes and writes them when they are many. What reaches `hold` waits a little for what
    /// is said about it.
    async fn receive(&mut self, mut bytes: Bytes, hold: Option<u64>) -> Result<()> {
        let end = self.at.checked_add(bytes.len() as u64);
        let end = end.ok_or_else(|| Error::new(ErrorKind::BadRange))?;
        check_offset(&(self.at..end))?;
        if lock(&self.body.progress)
            .length
            .is_some_and(|length| end > length)
        {
            return Err(Error::new(ErrorKind::LengthMismatch));
        }
        if bytes.is_empty() {
            return Ok(());
        }
        self.lease.grow(end).await?;
        while !bytes.is_empty() {
            if self.gathered.is_empty() {
                // It may have been told meanwhile.
                let left = match lock(&self.body.progress).length {
                    None => u64::MAX,
                    Some(length) if length <= self.at => {
                        return Err(Error::new(ErrorKind::LengthMismatch));
                    }
                    Some(length) => length - self.at,
                };
                let left = usize::try_from(left).unwrap_or(usize::MAX);
                self.wanted = self.body.base.budget.piece().min(left);
                self.room = self.body.base.budget.take(self.wanted).await;
            }
            let part = bytes.split_to(bytes.len().min(self.wanted - self.gathered.len()));
            self.at += part.len() as u64;
            self.gathered.push(part, self.wanted, &self.body.base.pool);
            if self.gathered.len() >= self.wanted && hold != Some(self.at) {
                self.write_gathered(None).await?;
            }
        }
        Ok(())
    }

    /// Starts writing what was gathered, once what was before is written.
    async fn write_gathered(&mut self, close: Option<ChunkDigest>) -> Result<()> {
        if self.gathered.is_empty() && close.is_none() {
            return Ok(());
        }
        self.wait().await?;
        let turn = self.lease.piece().await?;
        let phase = self.phase().await?;
        let write = self.taken(close);
        let body = self.body.clone();
        self.running = Some(tokio::task::spawn_blocking(move || {
            let range = write.start..write.end;
            let written = body.write_piece(write);
            drop((turn, phase));
            body.begin_flush(range);
            written
        }));
        Ok(())
    }

    /// While it is held, the upload goes on living.
    async fn phase(&self) -> Result<OwnedRwLockReadGuard<Phase>> {
        let phase = self.body.phase.clone().read_owned().await;
        match *phase {
            Phase::Open => Ok(phase),
            Phase::Ended => Err(Error::new(ErrorKind::UploadLost)),
        }
    }

    /// What was gathered, to be written.
    fn taken(&mut self, close: Option<ChunkDigest>) -> Write {
        Write {
            start: self.at - self.gathered.len() as u64,
            end: self.at,
            parts: self.gathered.take(),
            counts: self.counts,
            close,
            hasher: self.checked.as_ref().map(|(_, hasher)| hasher.clone()),
            _room: self.room.take(),
        }
    }

    /// Has all of a small upload come at once, and is it gone with its handle?
    fn is_small_whole(&self) -> bool {
        let gathered = self.gathered.len() as u64;
        self.counts == Counts::Now
            && self.body.keeping.is_none()
            && !self.body.in_place
            && self.running.is_none()
            && gathered == self.at
            && (1..=WAITS).contains(&gathered)
            && lock(&self.body.progress).length == Some(self.at)
    }

    /// Leaves it for the commit.
    async fn leave_waiting(&mut self) -> Result<()> {
        let _turn = self.lease.piece().await?;
        let _phase = self.phase().await?;
        let write = self.taken(None);
        *self.body.waiting.lock().await = Some(write);
        Ok(())
    }

    async fn wait(&mut self) -> Result<()> {
        if let Some(running) = self.running.take() {
            let hashed = joined(running.await)?;
            if let (Some((_, hasher)), Some(hashed)) = (&mut self.checked, hashed) {
                *hasher = hashed;
            }
        }
        Ok(())
    }

    async fn flush_all(&mut self) -> Result<()> {
        self.write_gathered(None).await?;
        self.wait().await
    }

    /// The whole write has come: does it count?
    fn finish(self) -> Result<u64> {
        if let Some((expected, hasher)) = self.checked {
            if hasher.digest() != expected {
                return Err(Error::new(ErrorKind::DigestMismatch));
            }
            // The lease has been lost if somebody newer wrote over some of it.
            self.lease.check()?;
            self.body.count(self.offset..self.at)?;
        }
        Ok(self.at - self.offset)
    }
}

/// Writes what waits for the commit. Who asks meanwhile finds it written.
pub(super) async fn write_waiting(body: &Arc<Body>) -> Result<()> {
    let mut waiting = body.waiting.clone().lock_owned().await;
    let Some(write) = waiting.take() else {
        return Ok(());
    };
    let body = body.clone();
    run(move || {
        let _waiting = waiting;
        body.write_piece(write).map(drop)
    })
    .await
}

impl Body {
    /// As [`write_waiting`], where blocking work runs.
    pub(super) fn write_waiting(&self) -> Result<()> {
        match self.waiting.blocking_lock().take() {
            Some(write) => self.write_piece(write).map(drop),
            None => Ok(()),
        }
    }

    /// Writes one piece, and sums it up on the way.
    fn write_piece(&self, write: Write) -> Result<Option<Hasher>> {
        if let (true, Some(expected)) = (write.parts.is_empty(), write.close) {
            // The digest came after the last bytes were written.
            self.close_chunk(write.start.saturating_sub(1) / CHUNK, expected)?;
            return Ok(write.hasher);
        }
        let range = write.start..write.end;
        let clear = match write.counts {
            // Half of an older chunk is of no use.
            Counts::WhenClosed => span(range.start / CHUNK, lock(&self.progress).length),
            Counts::Now | Counts::WhenChecked => range.clone(),
        };
        let saving = self.make_way(&range, &clear)?;
        if write.counts == Counts::Now {
            // Asked before anything is written, and again when it counts.
            lock(&self.progress).check_pieces(&range)?;
        }
        self.base.roomy(|| {
            let _turn = lock(&self.writing);
            write_all(&self.staged.file, &write.parts, write.start)
        })?;
        failpoint::pass("after-write")?;
        self.sum_up(write.start, &write.parts);
        let mut hasher = write.hasher;
        match write.counts {
            Counts::Now => lock(&self.progress).arrive(range.clone())?,
            Counts::WhenChecked => {
                if let Some(hasher) = &mut hasher {
                    write.parts.iter().for_each(|part| hasher.update(part));
                }
            }
            Counts::WhenClosed => {}
        }
        // Saving and what follows take the same locks.
        drop(saving);
        match (write.counts, write.close) {
            (Counts::Now, _) => self.record(&range)?,
            (_, Some(expected)) => self.close_chunk(range.start / CHUNK, expected)?,
            (_, None) => {}
        }
        Ok(hasher)
    }

    /// Adds written parts, the first from `start` on, to the sums of their chunks.
    fn sum_up(&self, mut start: u64, parts: &[Bytes]) {
        for bytes in parts {
            let range = start..start + bytes.len() as u64;
            start = range.end;
            let mut rest = bytes.clone();
            for (index, part) in cut(range) {
                let length = usize::try_from(part.end - part.start).unwrap_or(usize::MAX);
                let now = rest.split_to(length.min(rest.len()));
                let loan = lock(&self.progress).sums.lend(index, &part);
                if let Some(mut loan) = loan {
                    // Not under the lock: pieces of other chunks are hashed at the same time.
                    loan.hasher.update(&now);
                    let mut progress = lock(&self.progress);
                    let length = progress.length;
                    progress.sums.take_back(loan, length);
                }
            }
        }
    }

    /// A chunk is written whole: it counts when it matches.
    fn close_chunk(&self, index: u64, expected: ChunkDigest) -> Result<()> {
        let (length, found) = {
            let progress = lock(&self.progress);
            let length = progress.length.unwrap_or(u64::MAX);
            (length, progress.sums.digest(index, length))
        };
        let found = match found {
            Some(found) => found,
            // More chunks come at once than are summed on the way.
            None => {
                let span = chunk::span(index, length);
                let mut hasher = ChunkHasher::new(index);
                hasher.update(&read_range(&self.staged.file, span)?);
                hasher.close(length <= CHUNK)
            }
        };
        if found != expected {
            return Err(Error::new(ErrorKind::DigestMismatch));
        }
        self.count(chunk::span(index, length))
    }
}
