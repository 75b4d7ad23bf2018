//! How much the trash takes.
//!
//! What came in this run is added up as it comes. What was there before is counted once, bucket by
//! bucket, by the keeper; so is what a deleted folder holds.

use std::collections::{BTreeMap, VecDeque};
use std::os::fd::OwnedFd;
use std::sync::atomic::Ordering;

use gaveta_core::{Kind, Result, TrashId};
use rustix::fs::Dir;

use super::{Bin, ids, info};
use crate::base::Folder;
use crate::errno::{Os, found};
use crate::locks::lock;
use crate::meta::Meta;
use crate::os;

/// The least that one thing takes on disk.
const LEAST: u64 = 4096;
/// The most folders that wait to be counted; beyond, all buckets are counted again.
const QUEUE: usize = 1024;
/// Deeper folders are not counted: each level holds one open.
const MAX_LEVELS: usize = 200;

/// What one thing takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Weight {
    pub(super) bytes: u64,
}

impl Weight {
    /// Of a thing whose inside is not counted yet, when it is a folder. A file with holes takes less
    /// than its size.
    pub(super) fn of(meta: &Meta) -> Self {
        let size = if meta.kind == Kind::File {
            meta.size.min(meta.taken)
        } else {
            0
        };
        Self {
            bytes: size.max(1).next_multiple_of(LEAST),
        }
    }
}

/// What this thing was counted as.
pub(super) fn weight(folder: &OwnedFd, id: &TrashId, meta: &Meta) -> Weight {
    let mut weight = Weight::of(meta);
    if meta.kind == Kind::Folder {
        weight.bytes += info::counted(folder, id).unwrap_or(0);
    }
    weight
}

/// What is known of one bucket.
#[derive(Debug, Clone, Copy)]
enum Count {
    /// It was there before this run.
    Unknown,
    /// It is being counted; did something come or go meanwhile?
    Walking { changed: bool },
    /// So many things, and bytes.
    Known(u64, u64),
}

/// The sum.
#[derive(Debug, Default)]
pub(super) struct Totals {
    buckets: BTreeMap<u64, Count>,
    folders: VecDeque<TrashId>,
    /// Folders are being counted that wait in no queue any more.
    in_hand: bool,
}

impl Totals {
    /// These buckets are there, and not counted.
    pub(super) fn expect(&mut self, numbers: Vec<u64>) {
        let all = numbers.into_iter().map(|number| (number, Count::Unknown));
        self.buckets.extend(all);
    }

    /// A new bucket.
    pub(super) fn begin(&mut self, number: u64) {
        self.buckets.insert(number, Count::Known(0, 0));
    }

    /// A bucket is gone.
    pub(super) fn end(&mut self, number: u64) {
        self.buckets.remove(&number);
    }

    pub(super) fn add(&mut self, number: u64, weight: Weight) {
        match self.buckets.get_mut(&number) {
            Some(Count::Known(items, bytes)) => {
                *items += 1;
                *bytes = bytes.saturating_add(weight.bytes);
            }
            Some(Count::Walking { changed }) => *changed = true,
            Some(Count::Unknown) | None => {}
        }
    }

    pub(super) fn take(&mut self, number: u64, weight: Weight) {
        match self.buckets.get_mut(&number) {
            Some(Count::Known(items, bytes)) => {
                *items = items.saturating_sub(1);
                *bytes = bytes.saturating_sub(weight.bytes);
            }
            Some(Count::Walking { changed }) => *changed = true,
            Some(Count::Unknown) | None => {}
        }
    }

    /// What a folder holds was counted.
    fn add_inside(&mut self, number: u64, inside: u64) {
        if let Some(Count::Known(_, bytes)) = self.buckets.get_mut(&number) {
            *bytes = bytes.saturating_add(inside);
        }
    }

    /// This folder is to be counted.
    pub(super) fn enqueue(&mut self, id: TrashId) {
        if self.folders.len() < QUEUE {
            self.folders.push_back(id);
            return;
        }
        // Counted with their buckets then.
        self.folders.clear();
        for count in self.buckets.values_mut() {
            *count = Count::Unknown;
        }
    }

    /// The folder that waited longest.
    fn take_up(&mut self) -> Option<TrashId> {
        let next = self.folders.pop_front();
        self.in_hand = next.is_some();
        next
    }

    /// Things, bytes, and whether something is not counted yet.
    pub(super) fn sum(&self) -> (u64, u64, bool) {
        let mut sum = (0u64, 0u64, self.in_hand || !self.folders.is_empty());
        for count in self.buckets.values() {
            match count {
                Count::Known(items, bytes) => {
                    sum = (sum.0 + items, sum.1.saturating_add(*bytes), sum.2);
                }
                Count::Unknown | Count::Walking { .. } => sum.2 = true,
            }
        }
        sum
    }
}

impl Bin {
    /// Counts what is not counted, while `on` says so. True: all of it.
    pub(super) fn count(&self, on: &mut dyn FnMut() -> bool) -> Result<bool> {
        loop {
            let Some(id) = lock(&self.totals).take_up() else {
                break;
            };
            if !on() {
                let mut totals = lock(&self.totals);
                totals.folders.push_front(id);
                totals.in_hand = false;
                return Ok(false);
            }
            let counted = match self.bucket_of(&id) {
                Ok((number, folder)) => self.count_folder(number, &folder, &id, on),
                Err(_) => Ok(()),
            };
            lock(&self.totals).in_hand = false;
            counted?;
        }
        loop {
            let unknown = |(number, count): (&u64, &Count)| {
                matches!(count, Count::Unknown | Count::Walking { .. }).then_some(*number)
            };
            // The newest first: what is new is asked for.
            let next = lock(&self.totals).buckets.iter().rev().find_map(unknown);
            let Some(number) = next else { return Ok(true) };
            if !on() {
                return Ok(false);
            }
            self.count_bucket(number, on)?;
        }
    }

    /// Counts a bucket, and sweeps up information without content.
    fn count_bucket(&self, number: u64, on: &mut dyn FnMut() -> bool) -> Result<()> {
        let walking = Count::Walking { changed: false };
        lock(&self.totals).buckets.insert(number, walking);
        let name = super::bucket_name(number);
        let Some(folder) = found(os::open_folder(&self.all, name.as_str())).os()? else {
            lock(&self.totals).end(number);
            return Ok(());
        };
        let (mut items, mut bytes) = (0u64, 0u64);
        let mut folders = Vec::new();
        let mut moves = false;
        for id in ids(&folder)? {
            if self.is_pending(&id) {
                continue;
            }
            // Who takes it away takes it off, whether it was met here or not.
            moves |= self.is_leaving(&id);
            match found(os::meta_at(&folder, id.as_str())).os()? {
                None if self.is_pending(&id) => {}
                None => info::forget(&folder, &id),
                Some(meta) => {
                    items += 1;
                    bytes = bytes.saturating_add(weight(&folder, &id, &meta).bytes);
                    if meta.kind == Kind::Folder && info::counted(&folder, &id).is_none() {
                        folders.push(id);
                    }
                }
            }
        }
        {
            let mut totals = lock(&self.totals);
            let same = !moves
                && matches!(
                    totals.buckets.get(&number),
                    Some(Count::Walking { changed: false })
                );
            let known = match same {
                true => Count::Known(items, bytes),
                false => Count::Unknown,
            };
            totals.buckets.insert(number, known);
            if !same {
                return Ok(());
            }
            totals.in_hand = !folders.is_empty();
        }
        if items == 0 {
            self.drop_bucket(number);
        }
        let counted = folders.into_iter().try_for_each(|id| {
            if on() {
                return self.count_folder(number, &folder, &id, on);
            }
            lock(&self.totals).enqueue(id);
            Ok(())
        });
        lock(&self.totals).in_hand = false;
        counted
    }

    fn count_folder(
        &self,
        number: u64,
        bucket: &OwnedFd,
        id: &TrashId,
        on: &mut dyn FnMut() -> bool,
    ) -> Result<()> {
        // With its bucket, after the folders to be counted were too many.
        if info::counted(bucket, id).is_some() {
            return Ok(());
        }
        let Some(open) = found(os::open_folder(bucket, id.as_str())).os()? else {
            return Ok(());
        };
        let Some((bytes, things)) = inside(open, on) else {
            lock(&self.totals).enqueue(id.clone());
            return Ok(());
        };
        // Who takes it away from now on takes off what is kept here.
        let leaving = lock(&self.leaving);
        if leaving.contains(id) {
            lock(&self.totals).enqueue(id.clone());
            return Ok(());
        }
        info::keep_count(bucket, id, bytes, things);
        // Taken away meanwhile, it was taken off as if it were empty.
        if found(os::meta_at(bucket, id.as_str())).os()?.is_none() {
            info::forget(bucket, id);
            return Ok(());
        }
        lock(&self.totals).add_inside(number, bytes);
        drop(leaving);
        Ok(())
    }

    /// Does it take more than its share?
    pub(super) fn is_over(&self) -> bool {
        self.most();
        self.may_be_over()
    }

    /// As [`Bin::is_over`], by the size of the file system as it was last asked for.
    pub(super) fn may_be_over(&self) -> bool {
        lock(&self.totals).sum().1 > self.known_most.load(Ordering::Relaxed)
    }

    /// The most it may take, in bytes; none: all there is.
    pub(super) fn most(&self) -> Option<u64> {
        let most = rustix::fs::fstatvfs(&self.all).ok().and_then(|all| {
            let total = all.f_blocks.saturating_mul(all.f_frsize);
            // A file system that counts no blocks does not tell.
            let bounded = total > 0 && self.options.share < 100;
            bounded.then(|| total / 100 * u64::from(self.options.share))
        });
        self.known_most
            .store(most.unwrap_or(u64::MAX), Ordering::Relaxed);
        most
    }
}

/// Bytes, and things, in a folder; none when it was stopped. What cannot be read is not counted.
fn inside(top: OwnedFd, on: &mut dyn FnMut() -> bool) -> Option<(u64, u64)> {
    let open = |folder: OwnedFd| {
        let names = os::open_readable(&folder).and_then(Dir::new).ok()?;
        Some((Folder::new(folder), names))
    };
    let (mut bytes, mut things) = (0u64, 0u64);
    let mut levels = Vec::from_iter(open(top));
    while let Some((folder, names)) = levels.last_mut() {
        let Some(Ok(entry)) = names.read() else {
            levels.pop();
            continue;
        };
        let name = entry.file_name();
        if name.to_bytes() == b"." || name.to_bytes() == b".." {
            continue;
        }
        things += 1;
        if things.is_multiple_of(256) && !on() {
            return None;
        }
        let Ok(meta) = os::meta_at(&**folder, name) else {
            continue;
        };
        bytes = bytes.saturating_add(Weight::of(&meta).bytes);
        let next = (meta.kind == Kind::Folder)
            .then(|| os::open_folder(&**folder, name).ok())
            .flatten();
        if let Some(next) = next.and_then(open)
            && levels.len() < MAX_LEVELS
        {
            levels.push(next);
        }
    }
    Some((bytes, things))
}
