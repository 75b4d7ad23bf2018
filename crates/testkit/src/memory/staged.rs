//! What arrived of an upload of a memory store: its pages, who writes them, and what it comes to.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::time::SystemTime;

use bytes::Bytes;
use gaveta_core::upload::{MAX_NOTE, MAX_PIECES};
use gaveta_core::{
    Digest, Error, ErrorKind, OnDrop, Path, Ranges, Result, Seal, UploadId, UploadState, WritePlan,
};

use super::tree::Tree;

/// Bytes of a page: what a hole is made of.
const PAGE: u64 = 4096;
/// The most that may be read back at once.
pub(super) const MAX_READ: u64 = 16 << 20;

/// One upload's content and who writes it.
#[derive(Debug)]
pub(super) struct Staged {
    pub(super) plan: WritePlan,
    pages: BTreeMap<u64, Box<[u8; PAGE as usize]>>,
    pub(super) arrived: Ranges,
    touched: SystemTime,
    /// By age: a later key is a newer writer.
    writers: BTreeMap<u64, Writer>,
    next_writer: u64,
    /// How many handles there are.
    pub(super) holders: usize,
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

    pub(super) fn begin_write(&mut self, offset: u64) -> Result<u64> {
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

    pub(super) fn is_evicted(&self, writer: u64) -> bool {
        self.writers
            .get(&writer)
            .is_none_or(|writer| writer.evicted)
    }

    /// Whoever writes there now has lost it.
    pub(super) fn take_over(&mut self, range: &Range<u64>) {
        for writer in self.writers.values_mut() {
            let end = writer.written.end.max(writer.written.start + 1);
            writer.evicted |= writer.written.start < range.end && range.start < end;
        }
    }

    pub(super) fn end_write(&mut self, writer: u64) {
        self.writers.remove(&writer);
    }

    /// Takes one piece, whole or not at all. `room` is what the store has left.
    pub(super) fn take(&mut self, writer: u64, offset: u64, piece: &[u8], room: u64) -> Result<()> {
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
    pub(super) fn lease(&mut self, writer: u64, range: &Range<u64>) -> Result<()> {
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

    pub(super) fn read(&self, range: Range<u64>) -> Bytes {
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
    pub(super) fn whole(
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

/// The room of all uploads together.
pub(super) fn room(staged: &HashMap<UploadId, Staged>) -> u64 {
    staged
        .values()
        .fold(0, |sum, one| sum.saturating_add(one.room()))
}
