//! Times and the executable bit; and digests that were learnt later.

use gaveta_core::{Digest, Entry, Error, ErrorKind, Kind, Path, Result, TouchPlan, Version};

use crate::base::Base;
use crate::errno::Os;
use crate::meta::timestamps;
use crate::publish::{check_version, raw_mode, with_executable};
use crate::{note, os};

/// Sets what the plan names. A digest that was true goes on being so.
pub(crate) fn touch(base: &Base, path: &Path, plan: &TouchPlan) -> Result<Entry> {
    base.check_writable()?;
    let _held = base.locks.hold(&[path]);
    let seen = base.look(path)?;
    let (open, meta) = match seen.kind {
        Kind::File => base.file(path)?,
        Kind::Folder if plan.executable.is_some() => {
            return Err(Error::at(ErrorKind::IsFolder, path));
        }
        Kind::Folder => (os::open_readable(base.folder(path)?).os_at(path)?, seen),
        Kind::Link | Kind::Special => return Err(Error::at(ErrorKind::NotRegular, path)),
    };
    let digest = if meta.kind == Kind::File {
        note::read(&open, &meta)
    } else {
        None
    };
    if plan.modified.is_some() {
        rustix::fs::futimens(&open, &timestamps(plan.modified)?).os_at(path)?;
    }
    if plan.executable.is_some() {
        let mode = with_executable(meta.mode & 0o777, plan.executable);
        rustix::fs::fchmod(&open, raw_mode(mode)).os_at(path)?;
    }
    let now = os::meta_of(&open).os_at(path)?;
    if let Some(digest) = &digest {
        note::write(&open, &now.version(), digest);
    }
    if let (Kind::File, Some(outlines)) = (meta.kind, base.outlines()) {
        outlines.renew(&meta.version(), &now.version());
    }
    if plan.modified.is_some() || plan.executable.is_some() {
        base.flush_file(&open).map_err(|error| error.about(path))?;
    }
    Ok(now.entry(path.clone(), digest))
}

/// Keeps the digest of a version that somebody has read whole.
pub(crate) fn remember(base: &Base, path: &Path, version: &Version, digest: &Digest) -> Result<()> {
    base.check_writable()?;
    let (file, meta) = base.file(path)?;
    check_version(&meta, Some(version)).map_err(|error| error.about(path))?;
    note::write(&file, version, digest);
    Ok(())
}
