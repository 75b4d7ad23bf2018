//! Content under way in a memory store.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::Arc;
use std::time::SystemTime;

use async_trait::async_trait;
use bytes::Bytes;
use futures_core::stream::BoxStream;
use futures_util::StreamExt;
use gaveta_core::upload::{MAX_NOTE, MAX_PIECES};
use gaveta_core::{
    CHUNK, Check, ChunkHasher, Content, Digest, Entry, Error, ErrorKind, OnDrop, Path, Piece,
    Pieces, Ranges, Result, Seal, Upload, UploadId, UploadState, WritePlan, chunk,
};

use super::tree::{Looks, Tree};
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
    /// Starts an upload by its plan, where it may be.
    pub(super) fn begin(
        mut plan: WritePlan,
        tree: &Tree,
        others: &HashMap<UploadId, Self>,
    ) -> Result<Self> {
        if plan.note.as_ref().is_some_and(|note| note.len() > MAX_NOTE) {
            return Err(Error::bad_request("the note is too long"));
        }
        let mut arrived = Ranges::new();
        if !plan.parts.is_empty() {
            let length = parts_length(&plan, others)?;
            arrived.insert(0..length);
            plan.length = Some(length);
        }
        match (&plan.target, &plan.base) {
            (Some(target), base) => {
                tree.may_land(target, &plan.replace, false)?;
                base_of(tree, target, base.as_ref())?;
            }
            (None, Some(_)) => return Err(Error::bad_request("a base without a target")),
            (None, None) => {}
        }
        Ok(Self {
            plan,
            pages: BTreeMap::new(),
            arrived,
            touched: SystemTime::now(),
            writers: BTreeMap::new(),
            next_writer: 0,
            holders: 0,
        })
    }

    /// The room it takes: what was declared, or the pages there are.
    pub(super) fn room(&self) -> u64 {
        if !self.plan.parts.is_empty() {
            return 0;
        }
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
            base: self.plan.base.clone(),
            note: self.plan.note.clone(),
            touched: self.touched,
        }
    }

    fn begin_write(&mut self, offset: u64) -> Result<u64> {
        if !self.plan.parts.is_empty() {
            return Err(Error::bad_request("it is made of parts"));
        }
        self.next_writer += 1;
        let writer = Writer {
            written: offset..offset,
            lost: Ranges::new(),
            evicted: false,
        };
        self.writers.insert(self.next_writer, writer);
        Ok(self.next_writer)
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
        self.lease(writer, &range)?;
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

    /// Takes a range for a writer: older ones lose it. `UploadLost` when a newer one has it.
    fn lease(&mut self, writer: u64, range: &Range<u64>) -> Result<()> {
        match self.writers.get(&writer) {
            Some(own) if !own.evicted && !own.lost.touches(range) => {}
            Some(_) | None => return Err(Error::new(ErrorKind::UploadLost)),
        }
        for (_, older) in self.writers.range_mut(..writer) {
            older.lost.insert(range.clone());
            let overlap = older.written.start < range.end && range.start < older.written.end;
            older.evicted |= overlap;
        }
        if let Some(own) = self.writers.get_mut(&writer) {
            own.written.end = own.written.end.max(range.end);
        }
        Ok(())
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
    fn whole(
        &self,
        seal: &Seal,
        tree: &Tree,
        others: &HashMap<UploadId, Self>,
    ) -> Result<(Bytes, Digest)> {
        let Some(target) = &self.plan.target else {
            return Err(Error::bad_request("it has no target"));
        };
        let content = if self.plan.parts.is_empty() {
            self.own_content(seal, tree, target)?
        } else {
            self.content_of_parts(seal, others)?
        };
        let digest = Digest::of(&content);
        if seal.digest.is_some_and(|expected| expected != digest) {
            return Err(Error::new(ErrorKind::DigestMismatch));
        }
        Ok((content, digest))
    }

    /// What arrived, on top of the base where something is missing.
    fn own_content(&self, seal: &Seal, tree: &Tree, target: &Path) -> Result<Bytes> {
        let missing = |length| !self.arrived.covers(&(0..length));
        let declared = one_length(self.plan.length, seal.length)?;
        let of_base = match &self.plan.base {
            // The base is only asked for where something must come from it.
            Some(version) if declared.is_none_or(missing) => base_of(tree, target, Some(version))?,
            Some(_) | None => Bytes::new(),
        };
        let length = declared.unwrap_or(self.arrived.end().max(of_base.len() as u64));
        if self.arrived.end() > length {
            return Err(Error::new(ErrorKind::LengthMismatch));
        }
        let mut all = self.read(0..0).to_vec();
        for gap in self.arrived.gaps(length) {
            if gap.end > of_base.len() as u64 {
                return Err(Error::new(ErrorKind::Incomplete));
            }
            all.extend_from_slice(&self.read(all.len() as u64..gap.start));
            all.extend_from_slice(&of_base[gap.start as usize..gap.end as usize]);
        }
        all.extend_from_slice(&self.read(all.len() as u64..length));
        Ok(all.into())
    }

    /// The contents of the parts, one after another.
    fn content_of_parts(&self, seal: &Seal, others: &HashMap<UploadId, Self>) -> Result<Bytes> {
        let length = parts_length(&self.plan, others)?;
        one_length(Some(length), seal.length)?;
        let mut all = Vec::new();
        for part in &self.plan.parts {
            if let Some(part) = others.get(part) {
                all.extend_from_slice(&part.read(0..part.arrived.end()));
            }
        }
        Ok(all.into())
    }
}

/// The error, said about where the upload would appear.
pub(super) fn about(error: Error, target: &Option<Path>) -> Error {
    match target {
        Some(target) => error.about(target),
        None => error,
    }
}

/// The one length that was told; `LengthMismatch` when two were.
fn one_length(declared: Option<u64>, sealed: Option<u64>) -> Result<Option<u64>> {
    match (declared, sealed) {
        (Some(one), Some(other)) if one != other => Err(Error::new(ErrorKind::LengthMismatch)),
        (one, other) => Ok(one.or(other)),
    }
}

/// The content of the target while it is this version; nothing when none is named.
fn base_of(tree: &Tree, target: &Path, base: Option<&gaveta_core::Version>) -> Result<Bytes> {
    let Some(version) = base else {
        return Ok(Bytes::new());
    };
    let mismatch = || Error::at(ErrorKind::VersionMismatch, target);
    let content = tree.find(target).map_err(|_| mismatch())?.content.clone();
    tree.is_version(target, Some(version))?;
    content.ok_or_else(|| Error::at(ErrorKind::IsFolder, target))
}

/// The length of the parts together, when each is there, complete, and may be taken.
fn parts_length(plan: &WritePlan, others: &HashMap<UploadId, Staged>) -> Result<u64> {
    if plan.base.is_some() {
        return Err(Error::bad_request("parts and a base"));
    }
    let mut length = 0u64;
    for (n, id) in plan.parts.iter().enumerate() {
        let part = others
            .get(id)
            .filter(|part| part.plan.owner == plan.owner && part.plan.on_drop == OnDrop::Keep)
            .ok_or_else(|| Error::new(ErrorKind::UnknownUpload))?;
        let twice = plan.parts.iter().take(n).any(|other| other == id);
        if twice || part.plan.target.is_some() || !part.plan.parts.is_empty() {
            return Err(Error::bad_request("this cannot be a part"));
        }
        let own = part.plan.length.unwrap_or(part.arrived.end());
        if !part.arrived.covers(&(0..own)) {
            return Err(Error::new(ErrorKind::Incomplete));
        }
        length = length.saturating_add(own);
    }
    one_length(Some(length), plan.length)?;
    Ok(length)
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
        work(staged, free).map_err(|error| about(error, &staged.plan.target))
    }

    /// The next piece; `UploadLost` as soon as somebody newer took over.
    async fn next<T>(
        &self,
        writer: u64,
        content: &mut BoxStream<'static, Result<T>>,
    ) -> Result<Option<T>> {
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

    /// Gathers each chunk first: none of it may count before it is whole and matches.
    async fn write_whole_chunks(
        &self,
        writer: u64,
        offset: u64,
        length: u64,
        mut pieces: Pieces,
    ) -> Result<u64> {
        let (mut at, mut kept) = (offset, 0u64);
        let mut gathered = Vec::new();
        while let Some(piece) = self.next(writer, &mut pieces).await? {
            let span = chunk::span(at / CHUNK, length);
            match piece {
                Piece::Bytes(bytes) => {
                    if span.is_empty() {
                        return Err(Error::new(ErrorKind::LengthMismatch));
                    }
                    gathered.extend_from_slice(&bytes);
                    if at + gathered.len() as u64 > span.end {
                        return Err(Error::bad_request("a piece across a chunk's end"));
                    }
                    self.with(|staged, _| staged.lease(writer, &span)).await?;
                    self.shared.changed.notify_waiters();
                }
                Piece::Close(expected) => {
                    if span.is_empty() || at + gathered.len() as u64 != span.end {
                        return Err(Error::bad_request("a chunk closed before its end"));
                    }
                    let mut hasher = ChunkHasher::new(at / CHUNK);
                    hasher.update(&gathered);
                    if hasher.close(length <= CHUNK) != expected {
                        return Err(Error::new(ErrorKind::DigestMismatch));
                    }
                    self.with(|staged, free| staged.take(writer, at, &gathered, free))
                        .await?;
                    self.shared.changed.notify_waiters();
                    kept += gathered.len() as u64;
                    at = span.end;
                    gathered.clear();
                }
            }
        }
        if gathered.is_empty() {
            Ok(kept)
        } else {
            Err(Error::bad_request("the last chunk is not whole"))
        }
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

    async fn take_over(&self, range: Range<u64>) -> Result<UploadState> {
        self.with(|staged, _| {
            for writer in staged.writers.values_mut() {
                let end = writer.written.end.max(writer.written.start + 1);
                writer.evicted |= writer.written.start < range.end && range.start < end;
            }
            Ok(staged.state(&self.id))
        })
        .await
    }

    async fn write(&self, offset: u64, content: Content, check: Check) -> Result<u64> {
        let writer = self.with(|staged, _| staged.begin_write(offset)).await?;
        let _end = EndWrite(self, writer);
        match check {
            Check::None => self.write_pieces(writer, offset, content).await,
            Check::Digest(digest) => self.write_checked(writer, offset, content, digest).await,
        }
    }

    async fn write_chunks(&self, offset: u64, pieces: Pieces) -> Result<u64> {
        let (writer, length) = self
            .with(|staged, _| {
                if !offset.is_multiple_of(CHUNK) {
                    return Err(Error::new(ErrorKind::BadRange));
                }
                let length = staged.plan.length;
                let length = length.ok_or_else(|| Error::bad_request("no declared length"))?;
                if offset > length {
                    return Err(Error::new(ErrorKind::LengthMismatch));
                }
                Ok((staged.begin_write(offset)?, length))
            })
            .await?;
        let _end = EndWrite(self, writer);
        self.write_whole_chunks(writer, offset, length, pieces)
            .await
    }

    async fn read(&self, range: Range<u64>) -> Result<Bytes> {
        self.with(|staged, _| {
            if range.end.saturating_sub(range.start) > MAX_READ {
                return Err(Error::bad_request("more than 16 MiB at once"));
            }
            if !staged.arrived.covers(&range) {
                return Err(Error::new(ErrorKind::Incomplete));
            }
            if !staged.plan.parts.is_empty() {
                return Err(Error::bad_request("it is made of parts"));
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
        let checked = |state: &State| {
            let own = state.staged.get(&self.id);
            let own = own.ok_or_else(|| Error::new(ErrorKind::UploadLost))?;
            let whole = own.whole(&seal, &state.tree, &state.staged);
            whole.map_err(|error| about(error, &own.plan.target))
        };
        tokio::task::yield_now().await;
        checked(&self.shared.state())?;
        // Others get their turn here, and what was checked is checked again: nothing that
        // happens between may slip in.
        tokio::task::yield_now().await;
        let mut state = self.shared.state();
        let (content, digest) = checked(&state)?;
        let State { tree, staged, .. } = &mut *state;
        let own = staged.get(&self.id);
        let plan = own.map(|own| own.plan.clone());
        let plan = plan.ok_or_else(|| Error::new(ErrorKind::UploadLost))?;
        let looks = Looks {
            modified: plan.modified,
            executable: plan.executable,
        };
        let Some(target) = &plan.target else {
            return Err(Error::bad_request("it has no target"));
        };
        let entry = tree.publish(
            target,
            &plan.replace,
            content,
            digest,
            looks,
            Some(&plan.owner),
        )?;
        staged.remove(&self.id);
        for part in &plan.parts {
            staged.remove(part);
        }
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
