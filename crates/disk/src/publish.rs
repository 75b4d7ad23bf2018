//! The one way into the folder: attributes, flush, check, rename, flush.
//!
//! Why nothing acknowledged is lost, and nothing torn is seen, when the power goes:
//!
//! 1. The staged file is flushed whole (`fsync`: content, length and attributes) before it is
//!    renamed. So the name can never show content that is not on disk, whatever order the file
//!    system keeps between its journal and the content (no reliance on `data=ordered`, nor on
//!    what some do for a rename onto a file).
//! 2. Only then it is renamed: one entry of the file system's journal. Before it is on disk the
//!    name shows what it showed before; the staged file goes at the next start.
//! 3. Then every folder in which a name was made is flushed: those made on the way, from the top
//!    down, and the target's own. Only then it is acknowledged.
//!
//! What the rename takes away has by then a second name in the trash, where there is one
//! (`trash`), so that at no moment it has none.
//!
//! Who publishes at once shares these: the files' flushes run side by side and the file system
//! joins them into one commit of its journal; a folder is flushed once for all that came until
//! then (`flush`). Nobody waits for company.

use std::os::fd::AsFd;
use std::time::SystemTime;

use gaveta_core::{
    Digest, Entry, Error, ErrorKind, Kind, Outline, Owner, Path, Replace, Result, Version,
};
use rustix::fs::Mode;

use crate::base::{Base, is_vanished};
use crate::errno::{Os, found};
use crate::failpoint;
use crate::meta::{Meta, timestamps};
use crate::staged::{Place, Staged};
use crate::{note, os};

/// What comes to a name, for deciding about what is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Coming {
    /// Uploaded content: replaces files only.
    Content,
    /// A renamed or copied file or link: replaces files and links.
    Entry,
    /// A folder: replaces nothing.
    Folder,
}

/// May what is there be replaced by what comes?
///
/// # Errors
/// `Exists`, `IsFolder`, `NotFolder`, `NotRegular`, `VersionMismatch`.
pub(crate) fn check_replace(there: Option<&Meta>, replace: &Replace, coming: Coming) -> Result<()> {
    let refuse = |kind| Err(Error::new(kind));
    let Some(there) = there else {
        return match replace {
            Replace::Only(_) => refuse(ErrorKind::VersionMismatch),
            Replace::Always | Replace::Never => Ok(()),
        };
    };
    if *replace == Replace::Never {
        return refuse(ErrorKind::Exists);
    }
    match (there.kind, coming) {
        (Kind::Folder, _) => return refuse(ErrorKind::IsFolder),
        (_, Coming::Folder) => return refuse(ErrorKind::NotFolder),
        (Kind::Special, _) | (Kind::Link, Coming::Content) => return refuse(ErrorKind::NotRegular),
        (Kind::File, _) | (Kind::Link, Coming::Entry) => {}
    }
    match replace {
        Replace::Only(version) => check_version(there, Some(version)),
        Replace::Always | Replace::Never => Ok(()),
    }
}

/// Is it the version that was named?
pub(crate) fn check_version(meta: &Meta, version: Option<&Version>) -> Result<()> {
    if version.is_some_and(|version| *version != meta.version()) {
        return Err(Error::new(ErrorKind::VersionMismatch));
    }
    Ok(())
}

/// Renames what is at `from` to `target`, making missing folders, and flushes the target's folder.
/// The caller holds the lock of `target` (and of the name it takes away, when that is a path).
pub(crate) fn into_place(
    base: &Base,
    from: (impl AsFd, &str),
    target: &Path,
    replace: &Replace,
    coming: Coming,
    by: Option<&Owner>,
) -> Result<()> {
    // Another change may take away a folder that it made and that we have just found: try again.
    for last in [false, false, false, true] {
        match try_into_place(base, &from, target, replace, coming, by) {
            Err(error) if is_vanished(&error) && !last => {
                os::meta_at(&from.0, from.1).os_at(target)?;
            }
            result => return result.map_err(|error| error.about(target)),
        }
    }
    Err(Error::at(ErrorKind::NotFound, target))
}

fn try_into_place(
    base: &Base,
    (from, old): &(impl AsFd, &str),
    target: &Path,
    replace: &Replace,
    coming: Coming,
    by: Option<&Owner>,
) -> Result<()> {
    if let Replace::Only(_) = replace {
        // Not to make folders for what is refused.
        match base.look(target) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                check_replace(None, replace, coming)?
            }
            Err(error) => return Err(error),
            Ok(_) => {}
        }
    }
    let (folder, name, made) = base.make_parents(target)?;
    let renamed = (|| {
        let there = found(os::meta_at(&folder, name)).os()?;
        check_replace(there.as_ref(), replace, coming)?;
        failpoint::pass("before-rename")?;
        let Some(there) = &there else {
            let is_folder = coming == Coming::Folder;
            return base.roomy(|| os::rename_new(from, *old, &folder, name, is_folder).os());
        };
        let kept = match base.bin() {
            // What is staged cannot be what is there.
            Some(bin)
                if coming == Coming::Content || !os::meta_at(from, *old).os()?.is_same(there) =>
            {
                Some(bin.keep(base, (&folder, name), target, there, by)?)
            }
            _ => None,
        };
        let renamed = rustix::fs::renameat(from, *old, &folder, name).os();
        match (kept, &renamed) {
            (Some(kept), Ok(())) => kept.settle(),
            (Some(kept), Err(_)) => kept.undo(),
            (None, _) => {}
        }
        renamed
    })();
    if let Err(error) = renamed {
        made.undo();
        return Err(error);
    }
    failpoint::pass("after-rename")?;
    // Whoever may try again what passes would find the name there, and take it for flushed.
    let final_ = |error: Error| {
        if error.kind().is_transient() {
            Error::new(ErrorKind::Io).because(error)
        } else {
            error
        }
    };
    base.flush_made(&made).map_err(final_)?;
    base.flush_folder(&folder).map_err(final_)?;
    failpoint::pass("after-folder-flush")
}

/// What a published file gets beside its content.
#[derive(Debug)]
pub(crate) struct Attributes {
    pub(crate) modified: Option<SystemTime>,
    pub(crate) executable: Option<bool>,
    pub(crate) digest: Option<Digest>,
    pub(crate) outline: Option<Outline>,
}

/// Publishes a complete staged file. When it fails, the target is as it was (but for a failed
/// flush after the rename) and the staged file can be published again.
pub(crate) fn publish(
    base: &Base,
    staged: &Staged,
    target: &Path,
    replace: &Replace,
    attributes: &Attributes,
    coming: Coming,
    by: Option<&Owner>,
) -> Result<Entry> {
    let there = match base.look(target) {
        Ok(there) => Some(there),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    check_replace(there.as_ref(), replace, coming).map_err(|error| error.about(target))?;
    let file = &staged.file;
    rustix::fs::futimens(file, &timestamps(attributes.modified)?).os_at(target)?;
    let version = os::meta_of(file).os_at(target)?.version();
    if let Some(digest) = &attributes.digest {
        note::write(file, &version, digest);
    }
    if let (Some(outlines), Some(outline)) = (base.outlines(), &attributes.outline) {
        outlines.keep(&version, outline);
    }
    let placed = place(
        base,
        staged,
        (target, there),
        replace,
        attributes,
        coming,
        by,
    );
    if placed.is_err()
        && !staged.is_published()
        && let Some(outlines) = base.outlines()
    {
        outlines.forget(&version);
    }
    placed
}

/// Mode, flush, rename, flush.
fn place(
    base: &Base,
    staged: &Staged,
    (target, there): (&Path, Option<Meta>),
    replace: &Replace,
    attributes: &Attributes,
    coming: Coming,
    by: Option<&Owner>,
) -> Result<Entry> {
    let file = &staged.file;
    let older = there.as_ref().map(Meta::version);
    // Last: an attribute cannot be set on what its mode does not let us write.
    let replaced = there
        .filter(|there| there.kind == Kind::File)
        .map(|there| there.mode);
    let mode = published_mode(replaced, attributes.executable, base.umask);
    rustix::fs::fchmod(file, raw_mode(mode)).os_at(target)?;
    failpoint::pass("before-file-flush")?;
    staged.flush(base).map_err(|error| error.about(target))?;
    failpoint::pass("after-file-flush")?;
    {
        let _held = base.locks.hold(&[target]);
        let Place { folder, name } = &staged.place;
        if let Err(error) = into_place(base, (&**folder, name), target, replace, coming, by) {
            // Renamed already, when only the flush of the folder failed.
            if found(os::meta_at(&**folder, name.as_str())).os()?.is_none() && !staged.is_lost() {
                staged.set_published();
            }
            return Err(error);
        }
        staged.set_published();
    }
    // In the trash it goes on being that version.
    if let (Some(outlines), Some(older), None) = (base.outlines(), older, base.bin()) {
        outlines.forget(&older);
    }
    Ok(os::meta_of(file)
        .os_at(target)?
        .entry(target.clone(), attributes.digest))
}

/// The mode of a published file: the replaced file's, or what the mask leaves. Never setuid,
/// setgid or sticky.
fn published_mode(replaced: Option<u32>, executable: Option<bool>, umask: u32) -> u32 {
    let mode = replaced.map_or(0o666 & !umask, |mode| mode & 0o777);
    with_executable(mode, executable)
}

/// Adds the right to run for whoever may read, or takes it from all.
pub(crate) fn with_executable(mode: u32, executable: Option<bool>) -> u32 {
    match executable {
        None => mode,
        Some(true) => mode | ((mode & 0o444) >> 2),
        Some(false) => mode & !0o111,
    }
}

/// Permission bits as the system calls take them.
pub(crate) fn raw_mode(mode: u32) -> Mode {
    #[allow(
        clippy::unnecessary_cast,
        reason = "the width differs from system to system"
    )]
    Mode::from_raw_mode(mode as rustix::fs::RawMode)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_follow_the_replaced_file_or_the_mask_and_are_never_special() {
        assert_eq!(published_mode(None, None, 0o022), 0o644);
        assert_eq!(published_mode(None, Some(true), 0o022), 0o755);
        assert_eq!(published_mode(None, Some(true), 0o077), 0o700);
        assert_eq!(published_mode(Some(0o104_755), None, 0o022), 0o755);
        assert_eq!(published_mode(Some(0o107_640), Some(true), 0o022), 0o750);
        assert_eq!(published_mode(Some(0o100_751), Some(false), 0o022), 0o640);
    }
}
