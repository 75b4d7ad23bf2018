//! One write: gathers what arrives into large pieces and writes each on a blocking thread, while
//! the next is gathered. It holds two pieces at most.

use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures_util::StreamExt;
use gaveta_core::upload::MAX_PIECES;
use gaveta_core::{Check, Content, Error, ErrorKind, Hasher, OnDrop, Result};
use tokio::task::JoinHandle;

use super::lease::Lease;
use super::{Body, Phase, Progress};
use crate::failpoint;
use crate::locks::lock;
use crate::store::{check_offset, joined};

/// What is gathered before it is written.
const GATHERED: usize = 256 << 10;
/// The largest piece.
const PIECE: usize = 1 << 20;
/// How long what was gathered waits for more.
const IDLE: Duration = Duration::from_millis(25);
/// How much of a kept upload may be lost to a crash without a word.
const SAVE_EVERY: u64 = 64 << 20;

/// Writes content from `offset` on, and says how much was kept.
pub(super) async fn write(
    body: &Arc<Body>,
    offset: u64,
    mut content: Content,
    check: Check,
) -> Result<u64> {
    check_offset(&(offset..offset))?;
    if *body.phase.clone().read_owned().await == Phase::Ended {
        return Err(Error::new(ErrorKind::UploadLost));
    }
    let lease = body.leases.take(offset).await?;
    let checked = match check {
        Check::None => None,
        Check::Digest(expected) => Some((expected, Hasher::new())),
    };
    let mut writer = Writer {
        body,
        lease,
        offset,
        at: offset,
        gathered: Vec::new(),
        running: None,
        checked,
    };
    let ended = writer.take(&mut content).await;
    // What came before an error is kept, but for one of the lease: it is not ours any more.
    let flushed = match &ended {
        Err(error) if error.kind() == ErrorKind::UploadLost => writer.wait().await,
        _ => writer.flush_all().await,
    };
    ended.and(flushed)?;
    writer.finish()
}

struct Writer<'a> {
    body: &'a Arc<Body>,
    lease: Lease,
    offset: u64,
    /// Where the next byte received goes; `gathered` ends here.
    at: u64,
    gathered: Vec<u8>,
    running: Option<JoinHandle<Result<Option<Hasher>>>>,
    /// The digest that the whole write must have, and that of what came so far.
    checked: Option<(gaveta_core::Digest, Hasher)>,
}

impl Writer<'_> {
    async fn take(&mut self, content: &mut Content) -> Result<()> {
        loop {
            let idle = !self.gathered.is_empty();
            let next = tokio::select! {
                biased;
                () = self.lease.lost() => return Err(Error::new(ErrorKind::UploadLost)),
                next = content.next() => next,
                () = tokio::time::sleep(IDLE), if idle => {
                    self.flush().await?;
                    continue;
                }
            };
            match next {
                None => return Ok(()),
                Some(bytes) => self.receive(bytes?).await?,
            }
        }
    }

    async fn receive(&mut self, mut bytes: Bytes) -> Result<()> {
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
            if self.gathered.is_empty() && bytes.len() >= GATHERED {
                let piece = bytes.split_to(bytes.len().min(PIECE));
                self.at += piece.len() as u64;
                self.start(piece).await?;
                continue;
            }
            let part = bytes.split_to(bytes.len().min(GATHERED - self.gathered.len()));
            self.gathered.extend_from_slice(&part);
            self.at += part.len() as u64;
            if self.gathered.len() >= GATHERED {
                self.flush().await?;
            }
        }
        Ok(())
    }

    async fn flush(&mut self) -> Result<()> {
        if self.gathered.is_empty() {
            return Ok(());
        }
        let piece = std::mem::take(&mut self.gathered);
        self.start(piece.into()).await
    }

    /// Starts writing a piece that ends at `at`, once the one before is written.
    async fn start(&mut self, piece: Bytes) -> Result<()> {
        self.wait().await?;
        let turn = self.lease.piece().await?;
        let phase = self.body.phase.clone().read_owned().await;
        if *phase == Phase::Ended {
            return Err(Error::new(ErrorKind::UploadLost));
        }
        let body = self.body.clone();
        let start = self.at - piece.len() as u64;
        let hasher = self.checked.as_ref().map(|(_, hasher)| hasher.clone());
        self.running = Some(tokio::task::spawn_blocking(move || {
            let written = body.write_piece(start, &piece, hasher);
            drop((turn, phase));
            written
        }));
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
        self.flush().await?;
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
            let mut progress = lock(&self.body.progress);
            progress.arrive(self.offset..self.at)?;
            if progress.hasher.count() == 0 && self.offset == 0 {
                progress.hasher = hasher;
            }
        }
        Ok(self.at - self.offset)
    }
}

impl Progress {
    fn arrive(&mut self, range: Range<u64>) -> Result<()> {
        // A piece that touches another joins it.
        let near = range.start.saturating_sub(1)..range.end.saturating_add(1);
        if self.arrived.pieces() >= MAX_PIECES && !self.arrived.touches(&near) {
            return Err(Error::bad_request("too many separate ranges"));
        }
        self.unsaved = self.unsaved.saturating_add(range.end - range.start);
        self.touched = SystemTime::now();
        self.arrived.insert(range);
        Ok(())
    }
}

impl Body {
    /// Writes one piece. With a hasher it counts as arrived only when the whole write was checked.
    fn write_piece(
        &self,
        start: u64,
        piece: &[u8],
        mut hasher: Option<Hasher>,
    ) -> Result<Option<Hasher>> {
        let range = start..start + piece.len() as u64;
        let overwrites = lock(&self.progress).arrived.touches(&range);
        // The state must not list bytes that are half old and half new.
        let saving = overwrites.then(|| lock(&self.saving));
        if overwrites {
            self.unlist(&range)?;
        }
        {
            let mut progress = lock(&self.progress);
            if start < progress.hasher.count() {
                progress.hasher = Hasher::new();
            }
            if hasher.is_none() {
                // Asked before anything is written, and again when it counts.
                let near = start.saturating_sub(1)..range.end.saturating_add(1);
                if progress.arrived.pieces() >= MAX_PIECES && !progress.arrived.touches(&near) {
                    return Err(Error::bad_request("too many separate ranges"));
                }
            }
        }
        self.staged.file.write_all_at(piece, start)?;
        failpoint::pass("after-write")?;
        let saves = {
            let mut progress = lock(&self.progress);
            if let Some(hasher) = &mut hasher {
                hasher.update(piece);
            } else {
                if progress.hasher.count() == start {
                    progress.hasher.update(piece);
                }
                progress.arrive(range)?;
            }
            self.plan.on_drop == OnDrop::Keep && progress.unsaved >= SAVE_EVERY
        };
        drop(saving);
        if saves {
            self.save()?;
        }
        Ok(hasher)
    }

    /// Takes a range out of what has arrived before it is overwritten; out of the state file too.
    fn unlist(&self, range: &Range<u64>) -> Result<()> {
        let listed = {
            let mut progress = lock(&self.progress);
            // Only a hole within one piece makes more of them.
            let full = progress.arrived.pieces() >= MAX_PIECES;
            let before = full.then(|| progress.arrived.clone());
            progress.arrived.remove(range.clone());
            if let Some(before) = before
                && progress.arrived.pieces() > MAX_PIECES
            {
                progress.arrived = before;
                return Err(Error::bad_request("too many separate ranges"));
            }
            progress.durable.touches(range).then(|| {
                let mut rest = progress.durable.clone();
                rest.remove(range.clone());
                rest
            })
        };
        match listed {
            Some(rest) => self.save_listing(rest, self.base.is_full()),
            None => Ok(()),
        }
    }
}
