//! Renaming.

use gaveta_core::{Entry, Error, ErrorKind, Kind, MovePlan, Path, Result};
use rustix::fs::AtFlags;

use crate::base::Base;
use crate::errno::Os;
use crate::meta::Meta;
use crate::publish::{Coming, check_version, into_place};
use crate::{note, os};

/// Renames what is at `from` to `to`, in one step.
pub(crate) fn rename(base: &Base, from: &Path, to: &Path, plan: &MovePlan) -> Result<Entry> {
    base.check_writable()?;
    if from.is_root() || to.is_root() {
        return Err(Error::at(ErrorKind::BadMove, from));
    }
    let _held = base.locks.hold(&[from, to]);
    let (parent, name) = base.parent(from)?;
    let source = os::meta_at(&parent, name).os_at(from)?;
    check_version(&source, plan.version.as_ref()).map_err(|error| error.about(from))?;
    if from == to {
        return described(base, to);
    }
    let coming = coming(&source, from, to)?;
    let by = plan.by.as_ref();
    into_place(base, (&parent, name), to, &plan.replace, coming, by)?;
    drop_old_name(base, from, to, &source)?;
    base.flush_folder(&parent)?;
    described(base, to)
}

/// What a renamed or copied entry comes as.
///
/// # Errors
/// `BadMove` for a folder into itself.
pub(crate) fn coming(source: &Meta, from: &Path, to: &Path) -> Result<Coming> {
    match source.kind {
        Kind::Folder if from.holds(to) => Err(Error::at(ErrorKind::BadMove, to)),
        Kind::Folder => Ok(Coming::Folder),
        Kind::File | Kind::Link | Kind::Special => Ok(Coming::Entry),
    }
}

/// Renaming between two names of one file does nothing (POSIX `rename`), so the old name is
/// taken away here; not where both spell one and the same name (a file system without case).
fn drop_old_name(base: &Base, from: &Path, to: &Path, source: &Meta) -> Result<()> {
    let one_name = from.as_str().to_lowercase() == to.as_str().to_lowercase();
    if source.links < 2 || source.kind == Kind::Folder || one_name {
        return Ok(());
    }
    let (parent, name) = base.parent(from)?;
    match os::meta_at(&parent, name) {
        Ok(left) if left.is_same(source) => {
            rustix::fs::unlinkat(&parent, name, AtFlags::empty()).os_at(from)
        }
        Ok(_) | Err(_) => Ok(()),
    }
}

/// The entry at this path, with its digest where one is kept.
pub(crate) fn described(base: &Base, path: &Path) -> Result<Entry> {
    let meta = base.look(path)?;
    if meta.kind == Kind::File
        && let Ok((file, opened)) = base.file(path)
    {
        let digest = note::read(&file, &opened);
        return Ok(opened.entry(path.clone(), digest));
    }
    Ok(meta.entry(path.clone(), None))
}
