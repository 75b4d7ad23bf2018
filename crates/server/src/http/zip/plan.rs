//! What an archive will hold: decided before its first byte leaves.

use std::collections::{HashMap, VecDeque};
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use gaveta_core::{Action, Entry, Error, ErrorKind, Path, Result, Store, Version};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use super::format::{AROUND, Item, ending, name};
use crate::drawer::View;
use crate::http::walk::{Ended, Walks, walk};

/// What all plans under way may take, in KiB; and one of them, in bytes.
const ROOM: usize = 96 * 1024;
const ONE: usize = 24 * 1024 * 1024;
/// How many sums are remembered: enough to go on with an archive of as many files without reading
/// again what was sent.
const SUMS: usize = 100_000;

/// How long is looked for what an archive will hold.
const PATIENCE: Duration = Duration::from_secs(60);
/// Files that are read at once for their sums alone, nothing of them sent.
const SUMMING: usize = 4;

/// What all archives of a server share.
#[derive(Debug, Clone)]
pub(crate) struct Archives {
    room: Arc<Semaphore>,
    sums: Arc<Sums>,
    summing: Arc<Semaphore>,
}

impl Default for Archives {
    fn default() -> Self {
        Self {
            room: Arc::new(Semaphore::new(ROOM)),
            sums: Arc::default(),
            summing: Arc::new(Semaphore::new(SUMMING)),
        }
    }
}

impl Archives {
    pub(super) fn sums(&self) -> Arc<Sums> {
        Arc::clone(&self.sums)
    }

    /// The turns of reading files for their sums alone.
    pub(super) fn summing(&self) -> Arc<Semaphore> {
        Arc::clone(&self.summing)
    }
}

/// The sums (CRC-32) of files that were sent lately, so that a download that goes on need not read
/// the files before it again. Bounded; the oldest go.
#[derive(Debug, Default)]
pub(super) struct Sums(Mutex<Remembered>);

#[derive(Debug, Default)]
struct Remembered {
    sums: HashMap<[u8; 16], u32>,
    order: VecDeque<[u8; 16]>,
}

impl Sums {
    fn key(planned: &Planned) -> [u8; 16] {
        let mut hasher = blake3::Hasher::new();
        hasher.update(planned.path.as_str().as_bytes());
        hasher.update(&[0]);
        hasher.update(planned.version.as_str().as_bytes());
        let mut key = [0; 16];
        hasher.finalize_xof().fill(&mut key);
        key
    }

    pub(super) fn get(&self, planned: &Planned) -> Option<u32> {
        let remembered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        remembered.sums.get(&Self::key(planned)).copied()
    }

    pub(super) fn keep(&self, planned: &Planned, sum: u32) {
        let key = Self::key(planned);
        let mut remembered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if remembered.sums.insert(key, sum).is_none() {
            remembered.order.push_back(key);
        }
        while remembered.order.len() > SUMS {
            if let Some(oldest) = remembered.order.pop_front() {
                remembered.sums.remove(&oldest);
            }
        }
    }
}

/// One entry of an archive.
#[derive(Debug)]
pub(super) struct Planned {
    pub(super) path: Path,
    pub(super) version: Version,
    pub(super) item: Item,
    /// Where its header starts.
    pub(super) offset: u64,
}

impl Planned {
    /// Where its data lies in the archive.
    pub(super) fn data(&self) -> Range<u64> {
        let start = self.offset + self.item.header().len() as u64;
        start..start + if self.item.folder { 0 } else { self.item.size }
    }
}

/// An archive, planned.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) entries: Vec<Planned>,
    /// Where the central directory starts, and how long it is.
    pub(super) records: Range<u64>,
    name: String,
    mark: String,
    _room: Vec<OwnedSemaphorePermit>,
}

impl Plan {
    /// Plans an archive of a folder, or of what was chosen in it. What may not be read, links and
    /// specials are left out.
    ///
    /// # Errors
    /// `NotFound` for what was chosen and is not there; `TooLarge` for more than a plan holds, or
    /// than can be looked through in time; `Busy` when too many archives are under way; those of the store.
    pub(super) async fn make(
        view: &View,
        folder: &Path,
        chosen: &[Path],
        archives: &Archives,
        walks: &Walks,
    ) -> Result<Self> {
        let _turn = walks.turn().await?;
        let mut gathered = Gathered::new(view, archives);
        // A folder keeps its own name in the archive; what was chosen stands beside each other.
        let base = match chosen {
            [] => folder.parent().unwrap_or_else(Path::root),
            _ => folder.clone(),
        };
        // However often something was named, it is looked at once.
        let mut chosen = chosen.to_vec();
        chosen.sort();
        chosen.dedup();
        let tops = match &*chosen {
            [] => std::slice::from_ref(folder),
            chosen => chosen,
        };
        let until = Instant::now() + PATIENCE;
        for top in tops {
            let entry = view.stat(top).await?;
            let inner = entry.is_folder();
            if !top.is_root() {
                gathered.add(entry)?;
            }
            if inner
                && walk(
                    view,
                    top,
                    until.saturating_duration_since(Instant::now()),
                    |entry| gathered.add(entry).map(|()| true),
                )
                .await?
                    != Ended::Whole
            {
                return Err(Error::at(ErrorKind::TooLarge, top));
            }
        }
        let name = match &*chosen {
            [one] => one.name(),
            _ => folder.name(),
        };
        let name = name.unwrap_or("gaveta").to_owned();
        Ok(gathered.plan(&base, name))
    }

    /// How long the archive is, in bytes.
    pub(super) fn length(&self) -> u64 {
        self.records.end + self.ending().len() as u64
    }

    pub(super) fn ending(&self) -> Vec<u8> {
        let size = self.records.end.saturating_sub(self.records.start);
        ending(self.entries.len() as u64, size, self.records.start)
    }

    /// Changes whenever a byte of the archive would.
    pub(super) fn mark(&self) -> &str {
        &self.mark
    }

    /// What to call it, without an extension.
    pub(super) fn name(&self) -> &str {
        &self.name
    }
}

/// Entries as they are found.
struct Gathered<'a> {
    view: &'a View,
    archives: &'a Archives,
    entries: Vec<Entry>,
    bytes: usize,
    room: Vec<OwnedSemaphorePermit>,
}

impl<'a> Gathered<'a> {
    fn new(view: &'a View, archives: &'a Archives) -> Self {
        Self {
            view,
            archives,
            entries: Vec::new(),
            bytes: 0,
            room: Vec::new(),
        }
    }

    fn add(&mut self, entry: Entry) -> Result<()> {
        let taken = entry.is_folder() || entry.is_file();
        if !taken || !self.view.may(Action::Read, &entry.path) {
            return Ok(());
        }
        // The entry, its name once more for the archive, and what lies around them.
        self.bytes += 2 * entry.path.as_str().len() + entry.version.as_str().len() + 200;
        if self.bytes > ONE {
            return Err(Error::new(ErrorKind::TooLarge));
        }
        while self.bytes > self.room.len() * 256 * 1024 {
            let room = Arc::clone(&self.archives.room)
                .try_acquire_many_owned(256)
                .map_err(|_| Error::new(ErrorKind::Busy))?;
            self.room.push(room);
        }
        self.entries.push(entry);
        Ok(())
    }

    fn plan(mut self, base: &Path, top: String) -> Plan {
        self.entries.sort_by(|a, b| a.path.cmp(&b.path));
        self.entries.dedup_by(|a, b| a.path == b.path);
        let mut hasher = blake3::Hasher::new();
        hasher.update(base.as_str().as_bytes());
        let mut offset = 0u64;
        let mut entries = Vec::with_capacity(self.entries.len());
        for entry in self.entries {
            let folder = entry.is_folder();
            let shown = entry
                .path
                .beneath(base)
                .unwrap_or_else(|| entry.path.clone());
            let item = Item {
                name: name(shown.as_str(), folder),
                size: if folder { 0 } else { entry.size },
                folder,
                executable: entry.executable,
                modified: entry.modified,
            };
            for part in [item.header(), entry.version.as_str().as_bytes().to_vec()] {
                hasher
                    .update(&(part.len() as u64).to_le_bytes())
                    .update(&part);
            }
            hasher
                .update(&item.size.to_le_bytes())
                .update(&[u8::from(item.executable)]);
            let planned = Planned {
                path: entry.path,
                version: entry.version,
                item,
                offset,
            };
            // Sizes of files are far below what could overflow; one that lies breaks off later.
            offset = planned
                .data()
                .end
                .saturating_add(planned.item.descriptor(0).len() as u64);
            debug_assert!(planned.item.header().len() as u64 <= AROUND + 12_000);
            entries.push(planned);
        }
        let size: u64 = entries
            .iter()
            .map(|planned| planned.item.record(0, planned.offset).len() as u64)
            .sum();
        Plan {
            entries,
            records: offset..offset.saturating_add(size),
            name: top,
            mark: hasher.finalize().to_hex().chars().take(32).collect(),
            _room: self.room,
        }
    }
}
