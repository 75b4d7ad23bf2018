//! Uploads that outlive their holders: `uploads/ID/content` and `uploads/ID/state`.
//!
//! The state lists only ranges that were flushed before it was written, so what a new start
//! reads there may be trusted as far as the disk may.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::SystemTime;

use gaveta_core::listing::{from_nanos, nanos};
use gaveta_core::{
    Error, ErrorKind, OnDrop, Owner, Path, Ranges, Replace, Result, UploadId, UploadState, Version,
    WritePlan,
};
use rustix::fs::{AtFlags, Dir, Mode, OFlags};
use serde::{Deserialize, Serialize};

use super::Progress;
use crate::base::{Base, Folder, open_file};
use crate::errno::Os;
use crate::failpoint;
use crate::os;
use crate::remove::remove_place;
use crate::reserved::{read_whole, write_whole};
use crate::staged::{Place, Staged};

const CONTENT: &str = "content";
const STATE: &str = "state";
/// No state of ours is larger: 65 536 ranges of two numbers.
const STATE_MAX: u64 = 8 << 20;

/// What is kept of an upload beside its content.
#[derive(Debug, Serialize, Deserialize)]
struct Record {
    format: u32,
    target: String,
    owner: String,
    length: Option<u64>,
    /// `always`, `never` or `only`.
    replace: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    /// Nanoseconds since 1970, as text: JSON numbers are not wide enough everywhere.
    modified: Option<String>,
    executable: Option<bool>,
    arrived: Vec<(u64, u64)>,
    touched: String,
}

fn record(plan: &WritePlan, progress: &Progress, arrived: &Ranges) -> Record {
    let (replace, version) = match &plan.replace {
        Replace::Always => ("always", None),
        Replace::Never => ("never", None),
        Replace::Only(version) => ("only", Some(version.to_string())),
    };
    Record {
        format: 1,
        target: plan.target.as_str().to_owned(),
        owner: plan.owner.0.to_string(),
        length: progress.length,
        replace: replace.to_owned(),
        version,
        modified: plan.modified.map(|time| nanos(time).to_string()),
        executable: plan.executable,
        arrived: arrived
            .iter()
            .map(|range| (range.start, range.end))
            .collect(),
        touched: nanos(progress.touched).to_string(),
    }
}

fn time(text: &str) -> Option<SystemTime> {
    from_nanos(text.parse().ok()?)
}

impl Record {
    fn plan(&self) -> Option<WritePlan> {
        let replace = match (self.replace.as_str(), &self.version) {
            ("always", None) => Replace::Always,
            ("never", None) => Replace::Never,
            ("only", Some(version)) => Replace::Only(Version::parse(version)?),
            _ => return None,
        };
        Some(WritePlan {
            length: self.length,
            replace,
            modified: match &self.modified {
                Some(text) => Some(time(text)?),
                None => None,
            },
            executable: self.executable,
            on_drop: OnDrop::Keep,
            ..WritePlan::new(
                Path::parse(&self.target).ok()?,
                Owner(Arc::from(self.owner.as_str())),
            )
        })
    }

    fn progress(&self) -> Option<Progress> {
        let arrived: Ranges = self
            .arrived
            .iter()
            .map(|&(start, end)| start..end)
            .collect();
        let mut progress = Progress::new(self.length);
        progress.durable = arrived.clone();
        progress.arrived = arrived;
        progress.touched = time(&self.touched)?;
        Some(progress)
    }
}

fn unknown() -> Error {
    Error::new(ErrorKind::UnknownUpload)
}

fn uploads(base: &Base) -> Option<&Folder> {
    base.reserved.as_ref().map(|reserved| &reserved.uploads)
}

/// Makes the folder and the empty content of a new kept upload.
///
/// # Errors
/// `Unsupported` where nothing is reserved.
pub(super) fn create(base: &Base, id: &UploadId) -> Result<Staged> {
    let uploads = uploads(base).ok_or_else(|| {
        Error::new(ErrorKind::Unsupported).because("uploads are kept only in a served folder")
    })?;
    rustix::fs::mkdirat(&**uploads, id.as_str(), Mode::from_raw_mode(0o700)).os()?;
    base.flush_folder(&**uploads)?;
    let folder = Arc::new(os::open_folder(&**uploads, id.as_str()).os()?);
    Place {
        folder,
        name: CONTENT.to_owned(),
    }
    .create()
}

/// Writes the state: these ranges, which must be flushed already.
pub(super) fn save(
    folder: &OwnedFd,
    plan: &WritePlan,
    progress: &Progress,
    arrived: &Ranges,
    full: bool,
) -> Result<()> {
    let bytes = serde_json::to_vec(&record(plan, progress, arrived))
        .map_err(|error| Error::new(ErrorKind::Io).because(error))?;
    failpoint::pass("upload-state")?;
    write_whole(folder, STATE, &bytes, full)
}

fn open(base: &Base, id: &UploadId) -> Result<OwnedFd> {
    let uploads = uploads(base).ok_or_else(unknown)?;
    os::open_folder(&**uploads, id.as_str()).map_err(|_| unknown())
}

fn read(folder: &OwnedFd) -> Result<Record> {
    let bytes = read_whole(folder, STATE, STATE_MAX)?.ok_or_else(unknown)?;
    let record: Record =
        serde_json::from_slice(&bytes).map_err(|error| unknown().because(error))?;
    if record.format == 1 {
        Ok(record)
    } else {
        Err(unknown().because("a newer state format"))
    }
}

/// Opens a kept upload's content, with what its state says.
pub(super) fn load(base: &Base, id: &UploadId) -> Result<(Staged, WritePlan, Progress)> {
    let folder = open(base, id)?;
    let record = read(&folder)?;
    let plan = record.plan().ok_or_else(unknown)?;
    let progress = record.progress().ok_or_else(unknown)?;
    let (file, _) = open_file(&folder, CONTENT, OFlags::RDWR).map_err(|e| unknown().because(e))?;
    let place = Place {
        folder: Arc::new(folder),
        name: CONTENT.to_owned(),
    };
    Ok((Staged::new(place, file, false), plan, progress))
}

/// What the state of a kept upload says, when it is complete.
pub(super) fn state(base: &Base, id: &UploadId) -> Result<UploadState> {
    let folder = open(base, id)?;
    let record = read(&folder)?;
    os::meta_at(&folder, CONTENT).map_err(|_| unknown())?;
    let plan = record.plan().ok_or_else(unknown)?;
    Ok(record.progress().ok_or_else(unknown)?.state(id, &plan))
}

/// Removes all that is kept of an upload.
pub(super) fn forget(base: &Base, id: &UploadId) -> Result<()> {
    let Some(uploads) = uploads(base) else {
        return Ok(());
    };
    // First the state: without it the rest is a leftover.
    if let Ok(folder) = os::open_folder(&**uploads, id.as_str()) {
        let _ = rustix::fs::unlinkat(&folder, STATE, AtFlags::empty());
    }
    remove_place(&Place {
        folder: uploads.clone(),
        name: id.as_str().to_owned(),
    })?;
    base.flush_folder(&**uploads)
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
