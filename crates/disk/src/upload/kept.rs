//! Uploads that outlive their holders: content, state, journal and mark.
//!
//! | file | in the reserved folder | beside the target | says |
//! |---|---|---|---|
//! | content | `uploads/ID/content` | `.NAME.ID.gaveta-part` | the bytes |
//! | state | `uploads/ID/state` | `…-part-state` | the plan, and what arrived outside whole chunks |
//! | journal | `uploads/ID/journal` | `…-part-journal` | the whole chunks, with their digests |
//! | mark | `uploads/ID/clean` | `…-part-clean` | nothing was written since the last holder left |
//!
//! All that the state and the journal list comes with its digest. A mark of this start of the
//! system vouches for it: what a process wrote survives that process, flushed or not. Without one
//! every byte listed is hashed again before it counts. So nothing but [`gaveta_core::Upload::sync`]
//! needs a flush, and no order among the files is relied on.

use std::collections::BTreeMap;
use std::ops::Range;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use gaveta_core::listing::{from_nanos, nanos};
use gaveta_core::{
    Digest, Error, ErrorKind, OnDrop, Owner, Path, Ranges, Replace, Result, UploadId, UploadState,
    Version, WritePlan,
};
use rustix::fs::{AtFlags, Dir, FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use super::journal::{Journal, Replayed};
use super::sums::{Sum, touched};
use crate::base::{Base, Folder, open_file, unlink_quietly};
use crate::errno::Os;
use crate::failpoint;
use crate::os;
use crate::remove::remove_place;
use crate::reserved::{read_whole, write_whole};
use crate::staged::{Place, Staged, kept_name};

/// No state of ours is larger: 65 536 ranges, each with its digest.
const STATE_MAX: u64 = 16 << 20;
/// No upload has more parts: each is held open.
pub(super) const MAX_PARTS: usize = 256;

/// How often, and how far apart, a lock is tried.
const LOCK_TRIES: u32 = 20;
const LOCK_PAUSE: Duration = Duration::from_millis(5);

/// Where the files of one kept upload lie.
#[derive(Debug, Clone)]
pub(super) struct Shelf {
    pub(super) folder: Folder,
    content: String,
    /// What the names of the other files start with.
    stem: String,
    /// The folder is this upload's own.
    own: bool,
}

/// What is kept of an upload beside its content and its whole chunks.
#[derive(Debug, Serialize, Deserialize)]
struct Record {
    format: u32,
    target: Option<String>,
    owner: String,
    length: Option<u64>,
    /// `always`, `never` or `only`.
    replace: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    /// Nanoseconds since 1970, as text: JSON numbers are not wide enough everywhere.
    modified: Option<String>,
    executable: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    base: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    parts: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    note: Option<String>,
    touched: String,
    /// The journal's last record when this was written.
    sequence: u64,
    /// What arrived outside whole chunks: start, end, digest.
    pieces: Vec<(u64, u64, String)>,
}

/// What arrived, as the disk says.
#[derive(Debug)]
pub(super) struct Listed {
    pub(super) chunks: BTreeMap<u64, Sum>,
    pub(super) pieces: Vec<(Range<u64>, Digest)>,
    pub(super) touched: SystemTime,
    pub(super) sequence: u64,
    /// It need not be hashed again.
    pub(super) trusted: bool,
}

impl Listed {
    /// Every byte that is listed.
    pub(super) fn ranges(&self) -> Ranges {
        let chunks = self
            .chunks
            .iter()
            .map(|(&index, sum)| chunk_span(index, sum));
        chunks
            .chain(self.pieces.iter().map(|(range, _)| range.clone()))
            .collect()
    }
}

/// The bytes that a chunk's sum covers.
pub(super) fn chunk_span(index: u64, sum: &Sum) -> Range<u64> {
    let start = index * gaveta_core::CHUNK;
    start..start + sum.length
}

/// What the state file says beside the plan.
#[derive(Debug)]
pub(super) struct Snapshot {
    pub(super) length: Option<u64>,
    pub(super) touched: SystemTime,
    pub(super) sequence: u64,
    pub(super) pieces: Vec<(Range<u64>, Digest)>,
}

fn record(plan: &WritePlan, snapshot: &Snapshot) -> Record {
    let (replace, version) = match &plan.replace {
        Replace::Always => ("always", None),
        Replace::Never => ("never", None),
        Replace::Only(version) => ("only", Some(version.to_string())),
    };
    let pieces = snapshot.pieces.iter();
    Record {
        format: 2,
        target: plan.target.as_ref().map(|path| path.as_str().to_owned()),
        owner: plan.owner.0.to_string(),
        length: snapshot.length,
        replace: replace.to_owned(),
        version,
        modified: plan.modified.map(|time| nanos(time).to_string()),
        executable: plan.executable,
        base: plan.base.as_ref().map(ToString::to_string),
        parts: plan.parts.iter().map(ToString::to_string).collect(),
        note: plan.note.clone(),
        touched: nanos(snapshot.touched).to_string(),
        sequence: snapshot.sequence,
        pieces: pieces
            .map(|(range, digest)| (range.start, range.end, digest.to_string()))
            .collect(),
    }
}

fn time(text: &str) -> Option<SystemTime> {
    from_nanos(text.parse().ok()?)
}

impl Record {
    fn plan(&self, id: &UploadId) -> Option<WritePlan> {
        let replace = match (self.replace.as_str(), &self.version) {
            ("always", None) => Replace::Always,
            ("never", None) => Replace::Never,
            ("only", Some(version)) => Replace::Only(Version::parse(version)?),
            _ => return None,
        };
        let target = match &self.target {
            Some(path) => Some(Path::parse(path).ok()?),
            None => None,
        };
        let base = match &self.base {
            Some(version) => Some(Version::parse(version)?),
            None => None,
        };
        let parts = self.parts.iter().map(|id| UploadId::parse(id).ok());
        Some(WritePlan {
            id: Some(id.clone()),
            target,
            owner: Owner(Arc::from(self.owner.as_str())),
            length: self.length,
            replace,
            modified: match &self.modified {
                Some(text) => Some(time(text)?),
                None => None,
            },
            executable: self.executable,
            on_drop: OnDrop::Keep,
            base,
            parts: parts.collect::<Option<_>>()?,
            note: self.note.clone(),
        })
    }

    fn listed(&self, replayed: Replayed) -> Option<Listed> {
        let mut pieces = Vec::new();
        for (start, end, digest) in &self.pieces {
            let range = *start..*end;
            let stale = touched(&range).any(|index| {
                let back = replayed.taken_back.get(&index);
                back.is_some_and(|&back| back > self.sequence)
            });
            if range.start < range.end && range.end <= i64::MAX as u64 && !stale {
                pieces.push((range, Digest::parse_hex(digest).ok()?));
            }
        }
        Some(Listed {
            chunks: replayed.chunks,
            pieces,
            touched: time(&self.touched)?,
            sequence: replayed.sequence.max(self.sequence),
            trusted: false,
        })
    }
}

fn unknown() -> Error {
    Error::new(ErrorKind::UnknownUpload)
}

fn uploads(base: &Base) -> Option<&Folder> {
    base.reserved.as_ref().map(|reserved| &reserved.uploads)
}

impl Shelf {
    fn own(folder: OwnedFd) -> Self {
        Self {
            folder: Arc::new(folder),
            content: "content".to_owned(),
            stem: String::new(),
            own: true,
        }
    }

    fn beside(folder: OwnedFd, target: &Path, id: &UploadId) -> Self {
        let content = kept_name(target.name().unwrap_or_default(), id);
        Self {
            folder: Arc::new(folder),
            stem: format!("{content}-"),
            content,
            own: false,
        }
    }

    fn state(&self) -> String {
        format!("{}state", self.stem)
    }

    pub(super) fn journal(&self) -> String {
        format!("{}journal", self.stem)
    }

    fn mark(&self) -> String {
        format!("{}clean", self.stem)
    }

    /// Makes the place and the empty content of a new kept upload.
    ///
    /// # Errors
    /// `Exists` when the id is taken.
    pub(super) fn create(
        base: &Base,
        id: &UploadId,
        target: Option<&Path>,
    ) -> Result<(Self, Staged)> {
        let shelf = match (uploads(base), target) {
            (Some(uploads), _) => {
                match rustix::fs::mkdirat(&**uploads, id.as_str(), Mode::from_raw_mode(0o700)) {
                    Err(Errno::EXIST) => return Err(Error::new(ErrorKind::Exists)),
                    made => made.os()?,
                }
                Self::own(os::open_folder(&**uploads, id.as_str()).os()?)
            }
            (None, Some(target)) => Self::beside(base.nearest_folder(target)?, target, id),
            (None, None) => {
                return Err(Error::new(ErrorKind::Unsupported)
                    .because("without a target there is no place beside it"));
            }
        };
        let place = Place {
            folder: shelf.folder.clone(),
            name: shelf.content.clone(),
        };
        let staged = place.create().map_err(|error| match error.kind() {
            ErrorKind::Io if shelf.exists() => Error::new(ErrorKind::Exists).because(error),
            _ => error,
        })?;
        shelf.hold(&staged)?;
        Ok((shelf, staged))
    }

    fn exists(&self) -> bool {
        os::meta_at(&*self.folder, &*self.content).is_ok()
    }

    /// Beside its target no lock on a folder keeps other programs off: the content itself has one.
    fn hold(&self, staged: &Staged) -> Result<()> {
        if self.own {
            return Ok(());
        }
        for _ in 0..LOCK_TRIES {
            match rustix::fs::flock(&staged.file, FlockOperation::NonBlockingLockExclusive) {
                // Perhaps our own last holder's, which is just being closed.
                Err(Errno::WOULDBLOCK) => std::thread::sleep(LOCK_PAUSE),
                // Not every file system has locks.
                Err(_) | Ok(()) => return Ok(()),
            }
        }
        Err(Error::new(ErrorKind::Locked))
    }

    fn find(base: &Base, id: &UploadId, target: Option<&Path>) -> Result<Self> {
        if let Some(uploads) = uploads(base) {
            let folder = os::open_folder(&**uploads, id.as_str()).map_err(|_| unknown())?;
            return Ok(Self::own(folder));
        }
        let target = target.ok_or_else(unknown)?;
        // It was put into the nearest folder that was there then.
        let mut at = target.parent();
        while let Some(path) = at {
            if let Ok(folder) = base.folder(&path) {
                let shelf = Self::beside(folder, target, id);
                if shelf.exists() {
                    return Ok(shelf);
                }
            }
            at = path.parent();
        }
        Err(unknown())
    }

    /// Writes the state.
    pub(super) fn save(&self, plan: &WritePlan, snapshot: &Snapshot, full: bool) -> Result<()> {
        let bytes = serde_json::to_vec(&record(plan, snapshot))
            .map_err(|error| Error::new(ErrorKind::Io).because(error))?;
        failpoint::pass("upload-state")?;
        write_whole(&self.folder, &self.state(), &bytes, full)
    }

    fn read(&self) -> Result<Record> {
        let bytes = read_whole(&self.folder, &self.state(), STATE_MAX)?.ok_or_else(unknown)?;
        let record: Record =
            serde_json::from_slice(&bytes).map_err(|error| unknown().because(error))?;
        if record.format == 2 {
            Ok(record)
        } else {
            Err(unknown().because("another state format"))
        }
    }

    /// Marks that nothing is written any more: what is listed may be trusted.
    pub(super) fn set_mark(&self, base: &Base) -> Result<()> {
        match vouching(base, self.own) {
            Some(text) => write_whole(&self.folder, &self.mark(), text.as_bytes(), false),
            None => Ok(()),
        }
    }

    /// Takes the mark away: something is going to be written.
    pub(super) fn unmark(&self) -> Result<()> {
        match rustix::fs::unlinkat(&*self.folder, self.mark(), AtFlags::empty()) {
            Err(Errno::NOENT) => Ok(()),
            result => result.os(),
        }
    }

    fn is_marked(&self, base: &Base) -> bool {
        let mark = read_whole(&self.folder, &self.mark(), 256).ok().flatten();
        mark.is_some_and(|mark| {
            vouching(base, self.own).is_some_and(|text| mark == text.as_bytes())
        })
    }

    fn listed(&self, base: &Base, record: &Record) -> Result<Listed> {
        let replayed = Journal::read(&self.folder, &self.journal())?;
        let mut listed = record.listed(replayed).ok_or_else(unknown)?;
        listed.trusted = self.is_marked(base);
        // The state is not written with every piece.
        if let Ok(meta) = os::meta_at(&*self.folder, self.journal()) {
            listed.touched = listed.touched.max(meta.entry(Path::root(), None).modified);
        }
        Ok(listed)
    }

    /// Removes all that is kept.
    pub(super) fn forget(&self, base: &Base, id: &UploadId) -> Result<()> {
        // First the state: without it the rest is a leftover.
        for name in [self.state(), self.mark(), self.journal()] {
            unlink_quietly(&*self.folder, &name);
        }
        match uploads(base).filter(|_| self.own) {
            Some(uploads) => remove_place(&Place {
                folder: uploads.clone(),
                name: id.as_str().to_owned(),
            }),
            None => {
                unlink_quietly(&*self.folder, &self.content);
                Ok(())
            }
        }
    }
}

/// What a mark must say to be believed. In the reserved folder: that the system is the same start
/// of it. Beside a target, where other programs come by: that this very store left it.
fn vouching(base: &Base, own: bool) -> Option<String> {
    if own {
        os::boot()
    } else {
        Some(base.token.clone())
    }
}

/// A kept upload, opened again.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) shelf: Shelf,
    pub(super) staged: Staged,
    pub(super) plan: WritePlan,
    pub(super) listed: Listed,
}

/// Opens a kept upload's content, with what is said of it.
///
/// # Errors
/// `UnknownUpload`; `Locked` when another program has it, beside its target.
pub(super) fn load(base: &Base, id: &UploadId, target: Option<&Path>) -> Result<Loaded> {
    let shelf = Shelf::find(base, id, target)?;
    let record = shelf.read()?;
    let plan = record.plan(id).ok_or_else(unknown)?;
    if !shelf.own && plan.target.as_ref() != target {
        return Err(unknown());
    }
    let (file, _) = open_file(&*shelf.folder, &*shelf.content, OFlags::RDWR)
        .map_err(|error| unknown().because(error))?;
    let place = Place {
        folder: shelf.folder.clone(),
        name: shelf.content.clone(),
    };
    let staged = Staged::new(place, file, false);
    shelf.hold(&staged)?;
    let listed = shelf.listed(base, &record)?;
    Ok(Loaded {
        shelf,
        staged,
        plan,
        listed,
    })
}

/// What is said of a kept upload that nobody holds, when it is complete.
pub(super) fn state(base: &Base, id: &UploadId) -> Result<UploadState> {
    let shelf = Shelf::find(base, id, None)?;
    let record = shelf.read()?;
    if !shelf.exists() {
        return Err(unknown());
    }
    let plan = record.plan(id).ok_or_else(unknown)?;
    let listed = shelf.listed(base, &record)?;
    Ok(UploadState {
        id: id.clone(),
        length: plan.length,
        target: plan.target,
        owner: plan.owner,
        arrived: listed.ranges(),
        base: plan.base,
        note: plan.note,
        touched: listed.touched,
    })
}

/// Removes what is kept of an upload that nobody holds.
pub(super) fn forget(base: &Base, id: &UploadId) -> Result<()> {
    match Shelf::find(base, id, None) {
        Ok(shelf) => shelf.forget(base, id),
        Err(_) => Ok(()),
    }
}

/// Is something kept under this id?
pub(super) fn has(base: &Base, id: &UploadId) -> bool {
    uploads(base).is_some_and(|uploads| os::meta_at(&**uploads, id.as_str()).is_ok())
}

/// The ids of all kept uploads.
pub(super) fn ids(base: &Base) -> Result<Vec<UploadId>> {
    let Some(uploads) = uploads(base) else {
        return Ok(Vec::new());
    };
    let names = os::open_readable(&**uploads).and_then(Dir::new).os()?;
    let mut ids = Vec::new();
    for found in names {
        let found = found.os()?;
        if let Ok(id) = UploadId::parse(&found.file_name().to_string_lossy()) {
            ids.push(id);
        }
    }
    Ok(ids)
}
