//! The trash: `.gaveta/trash/`, what was deleted or replaced until it expires.
//!
//! ```text
//! trash/BUCKET/ID       the content: a file, a link, or a folder with all in it
//! trash/BUCKET/ID.i     where it was, when, who, why: a symbolic link that leads nowhere, whose text
//!                       is the information (`info`); a small file where that is too long
//! trash/BUCKET/ID.n     of a folder: how many bytes, and how many things, once counted
//! trash/gone/           purged folders that are being taken apart
//! ```
//!
//! A bucket holds at most [`BUCKET`] things; its name is a number that only grows, the beginning of
//! each id in it, so that ids sort by when things came, whatever the clock says, and neither a
//! listing nor the expiry ever holds more than one bucket in memory.
//!
//! Why nothing is lost or doubled, whenever the process dies:
//!
//! - Deleting: the information is written, then one rename takes the content there. Information
//!   without content says nothing: it is swept up.
//! - Replacing: the information is written, the old file gets a second name here (a link), then one
//!   rename puts the new file in its place. Between the two the old content has both names; who
//!   starts after an unclean stop finds the live name leading to the same file and drops this one.
//!   Where there are no links a copy is staged, flushed and renamed here, and the information says
//!   of which version: while the live name still has that, the copy is dropped.
//! - Restoring and purging: one rename or unlink takes the content away; then the information goes.
//!
//! A link as the information is one step of the file system's journal, whole or not there, in the
//! same order as the renames; a file would want a flush of its own.

mod counting;
mod examine;
mod info;
mod keeper;
mod listing;
mod recover;
mod restore;
mod side;

use std::collections::HashSet;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use gaveta_core::{Cause, Error, ErrorKind, Kind, Owner, Path, Result, TrashId};
use rustix::fs::{AtFlags, Dir, Mode};
use rustix::io::Errno;

use crate::base::{Base, Folder, unlink_quietly};
use crate::errno::{Os, error_of, found};
use crate::failpoint;
use crate::locks::lock;
use crate::meta::Meta;
use crate::os;
use crate::outlines::Outlines;
use crate::reserved::own_folder;
use crate::staged::random_bytes;
use counting::Totals;
use info::{Came, Info};
pub(crate) use keeper::Keeper;
pub(crate) use recover::recover;
pub(crate) use side::{DiskTrash, DiskUpkeep};

/// The most things in one bucket.
const BUCKET: u32 = 4096;
/// How many digits of an id are its bucket's number.
const BUCKET_DIGITS: usize = 12;
/// Where purged folders wait to be taken apart.
const GONE: &str = "gone";

/// How long, and how much, the trash keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrashOptions {
    /// How long things stay.
    pub keep: Duration,
    /// The most of the file system that it may take, in percent; beyond, the oldest go. From 100 on
    /// nothing goes for the room it takes.
    pub share: u8,
    /// When the disk fills, the oldest go before anything is refused.
    pub yields: bool,
}

impl Default for TrashOptions {
    /// 30 days, a fifth of the space; a full disk refuses.
    fn default() -> Self {
        Self {
            keep: Duration::from_secs(30 * 24 * 3600),
            share: 20,
            yields: false,
        }
    }
}

/// The bucket that things go to now.
#[derive(Debug)]
struct Bucket {
    number: u64,
    folder: Folder,
    given: u32,
}

/// The trash, open. It does not hold the folder's lock: the keeper's thread may outlive the store
/// by a moment.
#[derive(Debug)]
pub(crate) struct Bin {
    options: TrashOptions,
    full: bool,
    all: OwnedFd,
    gone: OwnedFd,
    outlines: Arc<Outlines>,
    current: Mutex<Option<Bucket>>,
    /// The number of the newest bucket that there was.
    newest: AtomicU64,
    /// What is on its way here, and not yet to be seen.
    pending: Mutex<HashSet<TrashId>>,
    /// What is being taken away.
    leaving: Mutex<HashSet<TrashId>>,
    totals: Mutex<Totals>,
    /// The most it may take, in bytes, as of the last look at the file system.
    known_most: AtomicU64,
    /// The file system's journal keeps the order of all changes of names, so that one flush of any
    /// folder makes those before it survive too.
    ordered: bool,
    /// Purged folders that cannot be taken apart, and were told about.
    stuck: Mutex<HashSet<String>>,
    /// Held by who makes room, and by the keeper but while it rests: a name that another has just taken
    /// away may still hold its blocks, and who finds neither would be refused.
    yielding: Mutex<()>,
    signal: keeper::Signal,
}

/// Something on its way into the trash. Dropped unsettled, it is left to the next start.
struct Pending<'a> {
    bin: &'a Bin,
    folder: Folder,
    id: TrashId,
    info: Info,
}

/// Something that is being taken away, by one alone.
struct Leaving<'a>(&'a Bin, &'a TrashId);

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        lock(&self.0.leaving).remove(self.1);
    }
}

impl Bin {
    /// Opens the trash in the reserved folder, or makes it.
    pub(crate) fn open(
        reserved: &OwnedFd,
        outlines: Arc<Outlines>,
        options: TrashOptions,
        full: bool,
    ) -> Result<Self> {
        let all = own_folder(reserved, "trash")?;
        let gone = own_folder(&all, GONE)?;
        if full {
            os::open_readable(reserved).and_then(os::flush).os()?;
        }
        let ordered = os::orders_names(&all);
        let bin = Self {
            options,
            full,
            all,
            gone,
            outlines,
            current: Mutex::default(),
            newest: AtomicU64::new(0),
            pending: Mutex::default(),
            leaving: Mutex::default(),
            totals: Mutex::default(),
            known_most: AtomicU64::new(u64::MAX),
            ordered,
            stuck: Mutex::default(),
            yielding: Mutex::default(),
            signal: keeper::Signal::default(),
        };
        let buckets = bin.buckets()?;
        bin.newest
            .store(buckets.last().copied().unwrap_or(0), Ordering::Relaxed);
        lock(&bin.totals).expect(buckets);
        bin.most();
        Ok(bin)
    }

    /// The numbers of all buckets, the oldest first.
    fn buckets(&self) -> Result<Vec<u64>> {
        let mut all = Vec::new();
        for name in names(&self.all)? {
            if name.len() == BUCKET_DIGITS
                && let Ok(number) = u64::from_str_radix(&name, 16)
            {
                all.push(number);
            }
        }
        all.sort_unstable();
        Ok(all)
    }

    fn bucket(&self, number: u64) -> Result<OwnedFd> {
        os::open_folder(&self.all, bucket_name(number).as_str()).os()
    }

    /// The bucket of this id.
    ///
    /// # Errors
    /// `NotFound`.
    fn bucket_of(&self, id: &TrashId) -> Result<(u64, OwnedFd)> {
        let number = number_of(id).ok_or_else(|| id.unknown())?;
        match found(os::open_folder(&self.all, bucket_name(number).as_str())).os()? {
            Some(folder) => Ok((number, folder)),
            None => Err(id.unknown()),
        }
    }

    /// A new id, in the bucket that things go to now.
    fn next(&self) -> Result<(TrashId, Folder)> {
        let random = u64::from_le_bytes(first_eight(random_bytes()?));
        let mut current = lock(&self.current);
        let is_full = |bucket: &Bucket| bucket.given >= BUCKET;
        if current.as_ref().is_none_or(is_full) {
            *current = Some(self.new_bucket()?);
        }
        let Some(bucket) = current.as_mut() else {
            return Err(Error::new(ErrorKind::Io));
        };
        let id = format!(
            "{}{:04x}{random:016x}",
            bucket_name(bucket.number),
            bucket.given
        );
        bucket.given += 1;
        Ok((TrashId::parse(&id)?, bucket.folder.clone()))
    }

    fn new_bucket(&self) -> Result<Bucket> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = now.map_or(0, |now| u64::try_from(now.as_millis()).unwrap_or(0));
        let number = now.max(self.newest.load(Ordering::Relaxed) + 1) & ((1 << 48) - 1);
        let name = bucket_name(number);
        rustix::fs::mkdirat(&self.all, name.as_str(), Mode::from_raw_mode(0o700)).os()?;
        let folder = os::open_folder(&self.all, name.as_str()).os()?;
        if self.full {
            os::open_readable(&self.all).and_then(os::flush).os()?;
        }
        self.newest.store(number, Ordering::Relaxed);
        lock(&self.totals).begin(number);
        Ok(Bucket {
            number,
            folder: Arc::new(folder),
            given: 0,
        })
    }

    fn is_current(&self, number: u64) -> bool {
        lock(&self.current)
            .as_ref()
            .is_some_and(|bucket| bucket.number == number)
    }

    fn is_pending(&self, id: &TrashId) -> bool {
        lock(&self.pending).contains(id)
    }

    fn is_leaving(&self, id: &TrashId) -> bool {
        lock(&self.leaving).contains(id)
    }

    /// Lets nobody else take it away while the guard lives.
    ///
    /// # Errors
    /// `NotFound` when another does, or when it is not yet here.
    fn leave<'a>(&'a self, id: &'a TrashId) -> Result<Leaving<'a>> {
        if self.is_pending(id) || !lock(&self.leaving).insert(id.clone()) {
            return Err(id.unknown());
        }
        Ok(Leaving(self, id))
    }

    /// Writes the information of something that is to come.
    fn expect(
        &self,
        path: &Path,
        cause: Cause,
        meta: &Meta,
        by: Option<&Owner>,
    ) -> Result<Pending<'_>> {
        let (id, folder) = self.next()?;
        lock(&self.pending).insert(id.clone());
        let pending = Pending {
            bin: self,
            folder,
            id,
            info: Info {
                path: path.clone(),
                cause,
                at: SystemTime::now(),
                by: by.cloned(),
                came: Came::Itself(meta.links),
            },
        };
        pending
            .info
            .write(&pending.folder, &pending.id, self.full)?;
        Ok(pending)
    }

    /// Deletes what has this name: it lies in the trash then. The caller holds the path's lock.
    pub(crate) fn delete(
        &self,
        base: &Base,
        (parent, name): (&OwnedFd, &str),
        path: &Path,
        meta: &Meta,
        by: Option<&Owner>,
    ) -> Result<()> {
        let pending = base.roomy(|| self.expect(path, Cause::Deleted, meta, by))?;
        let renamed = failpoint::pass("trash-info").and_then(|()| {
            base.roomy(|| {
                rustix::fs::renameat(parent, name, &*pending.folder, pending.id.as_str()).os()
            })
        });
        if let Err(error) = renamed {
            pending.undo(None);
            return Err(error);
        }
        failpoint::pass("trash-renamed")?;
        pending.settle(meta);
        // First where it is now: there must be no moment without it.
        pending.flush(base)?;
        base.flush_folder(parent)?;
        failpoint::pass("trash-flushed")
    }

    /// Gives the file that is about to be replaced a second name here. To be [settled](Kept::settle)
    /// once it is replaced, else [undone](Kept::undo).
    pub(crate) fn keep(
        &self,
        base: &Base,
        (folder, name): (&OwnedFd, &str),
        path: &Path,
        meta: &Meta,
        by: Option<&Owner>,
    ) -> Result<Kept<'_>> {
        let pending = base.roomy(|| self.expect(path, Cause::Replaced, meta, by))?;
        let came = failpoint::pass("version-info").and_then(|()| {
            let came = base.roomy(|| pending.link(base, (folder, name), meta))?;
            failpoint::pass("version-linked")?;
            pending.flush(base)?;
            Ok(came)
        });
        match came {
            Ok(came) => Ok(Kept {
                pending,
                was: meta.clone(),
                came,
            }),
            Err(error) => {
                pending.undo(Some(()));
                Err(error)
            }
        }
    }

    /// Makes the names in a bucket survive a power cut, where the flush of another folder does not.
    fn flush(&self, base: &Base, folder: &OwnedFd) -> Result<()> {
        if self.ordered {
            return Ok(());
        }
        base.flush_folder(folder)
    }

    /// Destroys one thing. Gives how many bytes came free at once.
    ///
    /// # Errors
    /// `NotFound`.
    pub(crate) fn purge(&self, id: &TrashId) -> Result<u64> {
        let (number, folder) = self.bucket_of(id)?;
        let _leaving = self.leave(id)?;
        let name = id.as_str();
        let meta = match found(os::meta_at(&folder, name)).os()? {
            Some(meta) => meta,
            None => {
                info::forget(&folder, id);
                return Err(id.unknown());
            }
        };
        let weight = counting::weight(&folder, id, &meta);
        let taken = match meta.kind {
            Kind::Folder => rustix::fs::renameat(&folder, name, &self.gone, name),
            _ => rustix::fs::unlinkat(&folder, name, AtFlags::empty()),
        };
        match taken {
            Ok(()) => {}
            Err(Errno::NOENT) => return Err(id.unknown()),
            Err(errno) => return Err(error_of(errno)),
        }
        failpoint::pass("purge-taken")?;
        info::forget(&folder, id);
        if meta.kind == Kind::File && meta.links == 1 {
            self.outlines.forget(&meta.version());
        }
        lock(&self.totals).take(number, weight);
        if meta.kind == Kind::Folder {
            self.signal.wake();
            return Ok(0);
        }
        Ok(if meta.links == 1 { meta.size } else { 0 })
    }

    /// Removes a bucket that is empty and will stay so.
    fn drop_bucket(&self, number: u64) {
        if self.is_current(number) {
            return;
        }
        let name = bucket_name(number);
        if rustix::fs::unlinkat(&self.all, name.as_str(), AtFlags::REMOVEDIR).is_ok() {
            lock(&self.totals).end(number);
        }
    }
}

/// The old version of a file, linked here, whose live name is about to lead elsewhere.
pub(crate) struct Kept<'a> {
    pending: Pending<'a>,
    was: Meta,
    came: Came,
}

impl Kept<'_> {
    /// The live name leads elsewhere now.
    pub(crate) fn settle(self) {
        self.pending.settle(&self.was);
        // Its copy is another version.
        if let (Came::Copied(version), 1) = (&self.came, self.was.links) {
            self.pending.bin.outlines.forget(version);
        }
    }

    /// The live name still leads there.
    pub(crate) fn undo(self) {
        self.pending.undo(Some(()));
    }
}

impl Pending<'_> {
    /// A second name for what is to be replaced; a copy where the file system has no such names or
    /// forbids this one.
    fn link(&self, base: &Base, from: (&OwnedFd, &str), meta: &Meta) -> Result<Came> {
        let to = self.id.as_str();
        let linked = match failpoint::pass("version-no-link") {
            Ok(()) => rustix::fs::linkat(from.0, from.1, &*self.folder, to, AtFlags::empty()),
            Err(_) => Err(Errno::PERM),
        };
        match linked {
            Ok(()) => Ok(self.info.came.clone()),
            Err(Errno::PERM | Errno::OPNOTSUPP | Errno::MLINK | Errno::NOSYS)
                if meta.kind == Kind::File =>
            {
                self.copy(base, from)
            }
            Err(errno) => Err(error_of(errno)),
        }
    }

    /// Brings a copy here, whole: first it is written of what version, so that an unclean stop can
    /// tell whether that was replaced.
    fn copy(&self, base: &Base, from: (&OwnedFd, &str)) -> Result<Came> {
        let (staged, version) = crate::copy::stage_copy(base, from, &self.info.path)?;
        failpoint::pass("version-copied")?;
        let info = Info {
            came: Came::Copied(version),
            ..self.info.clone()
        };
        info::forget(&self.folder, &self.id);
        info.write(&self.folder, &self.id, self.bin.full)?;
        let (staging, name) = (&*staged.place.folder, staged.place.name.as_str());
        os::rename_new(staging, name, &*self.folder, self.id.as_str(), false).os()?;
        staged.keep();
        Ok(info.came)
    }

    fn flush(&self, base: &Base) -> Result<()> {
        self.bin.flush(base, &self.folder)
    }

    /// It is here.
    fn settle(&self, meta: &Meta) {
        let weight = counting::Weight::of(meta);
        if let Some(number) = number_of(&self.id) {
            let mut totals = lock(&self.bin.totals);
            totals.add(number, weight);
            if meta.kind == Kind::Folder {
                totals.enqueue(self.id.clone());
            }
        }
        lock(&self.bin.pending).remove(&self.id);
        if meta.kind == Kind::Folder || self.bin.may_be_over() {
            self.bin.signal.wake();
        }
    }

    /// It does not come. What was linked here goes before its information: what has no information
    /// would belong to nobody.
    fn undo(&self, linked: Option<()>) {
        if linked.is_some() {
            unlink_quietly(&*self.folder, self.id.as_str());
        }
        info::forget(&self.folder, &self.id);
    }
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        lock(&self.bin.pending).remove(&self.id);
    }
}

fn bucket_name(number: u64) -> String {
    format!("{number:0width$x}", width = BUCKET_DIGITS)
}

fn number_of(id: &TrashId) -> Option<u64> {
    u64::from_str_radix(id.as_str().get(..BUCKET_DIGITS)?, 16).ok()
}

fn first_eight(bytes: [u8; 16]) -> [u8; 8] {
    let mut first = [0; 8];
    first.copy_from_slice(bytes.split_at(8).0);
    first
}

/// The names in a folder of ours, in no order. A bucket's fit into memory.
fn names(folder: &OwnedFd) -> Result<Vec<String>> {
    let mut all = Vec::new();
    for found in os::open_readable(folder).and_then(Dir::new).os()? {
        let name = found.os()?.file_name().to_string_lossy().into_owned();
        if name != "." && name != ".." {
            all.push(name);
        }
    }
    Ok(all)
}

/// The ids of what lies in a bucket by its information, the oldest first.
fn ids(folder: &OwnedFd) -> Result<Vec<TrashId>> {
    let ended = names(folder)?;
    let mut ids: Vec<TrashId> = ended
        .iter()
        .filter_map(|name| TrashId::parse(name.strip_suffix(info::SUFFIX)?).ok())
        .collect();
    ids.sort_unstable();
    Ok(ids)
}
