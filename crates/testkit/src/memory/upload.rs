//! Content under way in a memory store.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::Arc;
use std::time::SystemTime;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt;
use gaveta_core::upload::MAX_PIECES;
use gaveta_core::{
    Check, Content, Digest, Entry, Error, ErrorKind, OnDrop, Ranges, Result, Seal, Upload,
    UploadId, UploadState, WritePlan,
};

use super::tree::Looks;
use super::{Shared, State};

/// Bytes of a page: what a hole is made of.
const PAGE: u64 = 4096;
/// The most that may be read back at once.
const MAX_READ: u64 = 16 << 20;

/// One upload's content and who writes it.
#[derive(Debug)]
pub(super) struct Staged {
    pub(super) plan: WritePlan,
    pages: BTreeMap<u64, Box<[u8; PAGE as usize]>>,
    arrived: Ranges,
    touched: SystemTime,
    /// By age: a later key is a newer writer.
    writers: BTreeMap<u64, Writer>,
    next_writer: u64,
    /// How many handles there are.
    holders: usize,
}

/// One write that goes on.
#[derive(Debug)]
struct Writer {
    /// What it wrote so far.
    written: Range<u64>,
    /// What newer ones wrote since it began: it may not write there.
    lost: Ranges,
    /// A newer one wrote where it had written.
    evicted: bool,
}

impl Staged {
    pub(super) fn new(plan: WritePlan) -> Self {
        Self {
            plan,
            pages: BTreeMap::new(),
            arrived: Ranges::new(),
            touched: SystemTime::now(),
            writers: BTreeMap::new(),
            next_writer: 0,
            holders: 0,
        }
    }

    /// The room it takes: what was declared, or the pages there are.
    pub(super) fn room(&self) -> u64 {
        self.plan
            .length
            .unwrap_or(0)
            .max(self.pages.len() as u64 * PAGE)
    }

    pub(super) fn state(&self, id: &UploadId) -> UploadState {
        UploadState {
            id: id.clone(),
            target: self.plan.target.clone(),
            owner: self.plan.owner.clone(),
            length: self.plan.length,
            arrived: self.arrived.clone(),
            touched: self.touched,
        }
    }

    fn begin_write(&mut self, offset: u64) -> u64 {
        self.next_writer += 1;
        let writer = Writer {
            written: offset..offset,
            lost: Ranges::new(),
            evicted: false,
        };
        self.writers.insert(self.next_writer, writer);
        self.next_writer
    }

    fn is_evicted(&self, writer: u64) -> bool {
        self.writers
            .get(&writer)
            .is_none_or(|writer| writer.evicted)
    }

    /// Takes one piece, whole or not at all. `room` is what the store has left.
    fn take(&mut self, writer: u64, offset: u64, piece: &[u8], room: u64) -> Result<()> {
        let length = piece.len() as u64;
        let end = offset
            .checked_add(length)
            .ok_or_else(|| Error::new(ErrorKind::BadRange))?;
        if self.plan.length.is_some_and(|declared| end > declared) {
            return Err(Error::new(ErrorKind::LengthMismatch));
        }
        let range = offset..end;
        match self.writers.get(&writer) {
            Some(own) if !own.evicted && !own.lost.touches(&range) => {}
            Some(_) | None => return Err(Error::new(ErrorKind::UploadLost)),
        }
        if self.arrived.pieces() >= MAX_PIECES {
            let mut arrived = self.arrived.clone();
            arrived.insert(range.clone());
            if arrived.pieces() > MAX_PIECES {
                return Err(Error::bad_request("too many separate ranges"));
            }
        }
        let new = pages_of(&range)
            .filter(|page| !self.pages.contains_key(page))
            .count() as u64;
        let after = (self.pages.len() as u64 + new) * PAGE;
        if after.saturating_sub(self.room()) > room {
            return Err(Error::new(ErrorKind::NoSpace));
        }
        self.arrived.insert(range.clone());
        self.touched = SystemTime::now();
        self.evict_older(writer, &range);
        let mut rest = piece;
        let mut at = offset;
        while !rest.is_empty() {
            let page = self
                .pages
                .entry(at / PAGE)
                .or_insert_with(|| Box::new([0; PAGE as usize]));
            let from = (at % PAGE) as usize;
            let (now, later) = rest.split_at(rest.len().min(page.len() - from));
            page[from..from + now.len()].copy_from_slice(now);
            at += now.len() as u64;
            rest = later;
        }
        Ok(())
    }

    fn evict_older(&mut self, writer: u64, range: &Range<u64>) {
        for (_, older) in self.writers.range_mut(..writer) {
            older.lost.insert(range.clone());
            let overlap = older.written.start < range.end && range.start < older.written.end;
            older.evicted |= overlap;
        }
        if let Some(own) = self.writers.get_mut(&writer) {
            own.written.end = own.written.end.max(range.end);
        }
    }

    fn read(&self, range: Range<u64>) -> Bytes {
        let mut all = Vec::with_capacity((range.end - range.start) as usize);
        let mut at = range.start;
        while at < range.end {
            let from = (at % PAGE) as usize;
            let length = (range.end - at).min(PAGE - at % PAGE) as usize;
            match self.pages.get(&(at / PAGE)) {
                Some(page) => all.extend_from_slice(&page[from..from + length]),
                None => all.resize(all.len() + length, 0),
            }
            at += length as u64;
        }
        all.into()
    }

    /// The whole, when it is as it should be.
    fn whole(&self, seal: &Seal) -> Result<(Bytes, Digest)> {
        let lengths = [self.plan.length, seal.length];
        let length = lengths
            .into_iter()
            .flatten()
            .next()
            .unwrap_or(self.arrived.end());
        let differ = lengths.into_iter().flatten().any(|other| other != length);
        if differ || self.arrived.end() > length {
            return Err(Error::new(ErrorKind::LengthMismatch));
        }
        if !self.arrived.covers(&(0..length)) {
            return Err(Error::new(ErrorKind::Incomplete));
        }
        let content = self.read(0..length);
        let digest = Digest::of(&content);
        if seal.digest.is_some_and(|expected| expected != digest) {
            return Err(Error::new(ErrorKind::DigestMismatch));
        }
        Ok((content, digest))
    }
}

fn pages_of(range: &Range<u64>) -> Range<u64> {
    range.start / PAGE..range.end.div_ceil(PAGE)
}

/// A handle on an upload. The last one that goes takes an upload that nobody keeps with it.
#[derive(Debug)]
pub(super) struct MemoryUpload {
    shared: Arc<Shared>,
    id: UploadId,
}

impl MemoryUpload {
    /// A handle on an upload that is under way.
    pub(super) fn open(shared: &Arc<Shared>, state: &mut State, id: &UploadId) -> Result<Self> {
        let staged = state.staged.get_mut(id);
        staged
            .ok_or_else(|| Error::new(ErrorKind::UnknownUpload))?
            .holders += 1;
        Ok(Self {
            shared: Arc::clone(shared),
            id: id.clone(),
        })
    }

    /// Works on the upload, while it is under way.
    async fn with<T>(&self, work: impl FnOnce(&mut Staged, u64) -> Result<T>) -> Result<T> {
        tokio::task::yield_now().await;
        let mut state = self.shared.state();
        let free = state.free(self.shared.capacity);
        let staged = state.staged.get_mut(&self.id);
        let staged = staged.ok_or_else(|| Error::new(ErrorKind::UploadLost))?;
        work(staged, free).map_err(|error| error.about(&staged.plan.target))
    }

    /// The next piece; `UploadLost` as soon as somebody newer took over.
    async fn next(&self, writer: u64, content: &mut Content) -> Result<Option<Bytes>> {
        loop {
            let changed = self.shared.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if self.with(|staged, _| Ok(staged.is_evicted(writer))).await? {
                return Err(Error::new(ErrorKind::UploadLost));
            }
            tokio::select! {
                piece = content.next() => return piece.transpose(),
                () = changed => {}
            }
        }
    }

    async fn write_pieces(&self, writer: u64, offset: u64, mut content: Content) -> Result<u64> {
        let mut kept = 0u64;
        while let Some(piece) = self.next(writer, &mut content).await? {
            let at = offset
                .checked_add(kept)
                .ok_or_else(|| Error::new(ErrorKind::BadRange))?;
            self.with(|staged, free| staged.take(writer, at, &piece, free))
                .await?;
            self.shared.changed.notify_waiters();
            kept += piece.len() as u64;
        }
        Ok(kept)
    }

    /// Gathers the whole content first: none of it may count before its digest is known.
    async fn write_checked(
        &self,
        writer: u64,
        offset: u64,
        mut content: Content,
        expected: Digest,
    ) -> Result<u64> {
        let mut all = Vec::new();
        while let Some(piece) = self.next(writer, &mut content).await? {
            all.extend_from_slice(&piece);
            let room = self.with(|staged, free| Ok(free + staged.room())).await?;
            if all.len() as u64 > room {
                return Err(Error::new(ErrorKind::NoSpace));
            }
        }
        if Digest::of(&all) != expected {
            return Err(Error::new(ErrorKind::DigestMismatch));
        }
        self.with(|staged, free| staged.take(writer, offset, &all, free))
            .await?;
        self.shared.changed.notify_waiters();
        Ok(all.len() as u64)
    }
}

/// Ends a write, also one whose future is dropped.
struct EndWrite<'a>(&'a MemoryUpload, u64);

impl Drop for EndWrite<'_> {
    fn drop(&mut self) {
        if let Some(staged) = self.0.shared.state().staged.get_mut(&self.0.id) {
            staged.writers.remove(&self.1);
        }
    }
}

impl Drop for MemoryUpload {
    fn drop(&mut self) {
        let mut state = self.shared.state();
        let Some(staged) = state.staged.get_mut(&self.id) else {
            return;
        };
        staged.holders -= 1;
        if staged.holders == 0 && staged.plan.on_drop == OnDrop::Discard {
            state.staged.remove(&self.id);
        }
    }
}

#[async_trait]
impl Upload for MemoryUpload {
    async fn state(&self) -> Result<UploadState> {
        self.with(|staged, _| Ok(staged.state(&self.id))).await
    }

    async fn write(&self, offset: u64, content: Content, check: Check) -> Result<u64> {
        let writer = self
            .with(|staged, _| Ok(staged.begin_write(offset)))
            .await?;
        let _end = EndWrite(self, writer);
        match check {
            Check::None => self.write_pieces(writer, offset, content).await,
            Check::Digest(digest) => self.write_checked(writer, offset, content, digest).await,
        }
    }

    async fn read(&self, range: Range<u64>) -> Result<Bytes> {
        self.with(|staged, _| {
            if range.end.saturating_sub(range.start) > MAX_READ {
                return Err(Error::bad_request("more than 16 MiB at once"));
            }
            if !staged.arrived.covers(&range) {
                return Err(Error::new(ErrorKind::Incomplete));
            }
            Ok(staged.read(range))
        })
        .await
    }

    async fn set_length(&self, length: u64) -> Result<()> {
        self.with(|staged, free| {
            let declared = staged
                .plan
                .length
                .is_some_and(|declared| declared != length);
            if declared || staged.arrived.end() > length {
                return Err(Error::new(ErrorKind::LengthMismatch));
            }
            if length.saturating_sub(staged.room()) > free {
                return Err(Error::new(ErrorKind::NoSpace));
            }
            staged.plan.length = Some(length);
            Ok(())
        })
        .await
    }

    async fn sync(&self) -> Result<()> {
        self.with(|_, _| Ok(())).await
    }

    async fn commit(&self, seal: Seal) -> Result<Entry> {
        let (content, digest) = self.with(|staged, _| staged.whole(&seal)).await?;
        // Others get their turn here, and what was checked is checked again: nothing that
        // happens between may slip in.
        tokio::task::yield_now().await;
        let mut state = self.shared.state();
        let State { tree, staged, .. } = &mut *state;
        let Some(own) = staged.get(&self.id) else {
            return Err(Error::new(ErrorKind::UploadLost));
        };
        let (content, digest) = match own.whole(&seal) {
            Ok((_, now)) if now == digest => (content, digest),
            Ok(changed) => changed,
            Err(error) => return Err(error.about(&own.plan.target)),
        };
        let looks = Looks {
            modified: own.plan.modified,
            executable: own.plan.executable,
        };
        let entry = tree.publish(&own.plan.target, &own.plan.replace, content, digest, looks)?;
        staged.remove(&self.id);
        drop(state);
        self.shared.changed.notify_waiters();
        Ok(entry)
    }

    async fn discard(&self) -> Result<()> {
        tokio::task::yield_now().await;
        self.shared.state().staged.remove(&self.id);
        self.shared.changed.notify_waiters();
        Ok(())
    }
}

/// The room of all uploads together.
pub(super) fn room(staged: &HashMap<UploadId, Staged>) -> u64 {
    staged
        .values()
        .fold(0, |sum, one| sum.saturating_add(one.room()))
}
