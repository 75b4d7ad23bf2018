//! Removing: a folder with all that is in it vanishes in one step and is taken apart afterwards.

use std::ffi::CString;
use std::os::fd::{AsFd, OwnedFd};

use gaveta_core::{Error, ErrorKind, Kind, Path, RemovePlan, Result};
use rustix::fs::{AtFlags, Dir, Mode};
use rustix::io::Errno;

use crate::base::Base;
use crate::errno::{Os, error_of, found};
use crate::meta::Meta;
use crate::os;
use crate::publish::check_version;
use crate::staged::Place;
use crate::trash::Bin;

/// How many folders are open at once while a tree is taken apart; deeper ones are first moved up.
const MAX_OPEN: usize = 64;

/// How many names are looked at between two questions whether to go on.
const ASK_EVERY: u64 = 128;

/// Removes what is at this path.
pub(crate) fn remove(base: &Base, path: &Path, plan: &RemovePlan) -> Result<()> {
    base.check_writable()?;
    if path.is_root() {
        return Err(Error::at(ErrorKind::BadMove, path));
    }
    let held = base.locks.hold(&[path]);
    let (parent, name) = base.parent(path)?;
    let meta = os::meta_at(&parent, name).os_at(path)?;
    check_version(&meta, plan.version.as_ref()).map_err(|error| error.about(path))?;
    if let (Some(bin), false) = (base.bin(), plan.forever) {
        return to_trash(base, bin, (&parent, name), path, &meta, plan)
            .map_err(|error| error.about(path));
    }
    if meta.kind != Kind::Folder {
        rustix::fs::unlinkat(&parent, name, AtFlags::empty()).os_at(path)?;
        if let (Kind::File, 1, Some(outlines)) = (meta.kind, meta.links, base.outlines()) {
            outlines.forget(&meta.version());
        }
        return base.flush_folder(&parent);
    }
    match rustix::fs::unlinkat(&parent, name, AtFlags::REMOVEDIR) {
        Ok(()) => return base.flush_folder(&parent),
        Err(Errno::NOTEMPTY | Errno::EXIST) if plan.recursive => {}
        Err(Errno::NOTEMPTY | Errno::EXIST) => return Err(Error::at(ErrorKind::NotEmpty, path)),
        Err(errno) => return Err(error_of(errno).about(path)),
    }
    let folder = os::open_folder(&parent, name).os_at(path)?;
    let opened = os::meta_of(&folder).os_at(path)?;
    if os::mounts_beneath(&folder) == Some(true) {
        return Err(Error::at(ErrorKind::OtherMount, path));
    }
    // Holds the tree while it is taken apart, so that what is too deep can be moved up into it.
    let place = Place::near(base, path)?;
    let mode = Mode::from_raw_mode(0o700);
    rustix::fs::mkdirat(&*place.folder, place.name.as_str(), mode).os_at(path)?;
    let taken = os::open_folder(&*place.folder, place.name.as_str()).and_then(|holder| {
        let on_mount = os::meta_of(&holder)?.mount == opened.mount;
        if !on_mount {
            return Err(Errno::XDEV);
        }
        rustix::fs::renameat(&parent, name, &holder, "0")?;
        Ok(holder)
    });
    let holder = match taken {
        Ok(holder) => holder,
        Err(errno) => {
            let _ = rustix::fs::unlinkat(&*place.folder, place.name.as_str(), AtFlags::REMOVEDIR);
            return Err(error_of(errno).about(path));
        }
    };
    base.flush_folder(&parent)?;
    drop(held);
    let rest = clear(&holder).and_then(|()| {
        rustix::fs::unlinkat(&*place.folder, place.name.as_str(), AtFlags::REMOVEDIR).os()
    });
    if let Err(error) = rest {
        // It is gone for everybody; what is left is tried again at the next start.
        tracing::warn!(error = error.chain(), path = %path, "a removed folder leaves something behind");
    }
    Ok(())
}

/// Moves what has this name to the trash, a folder with all that is in it, in one step.
fn to_trash(
    base: &Base,
    bin: &Bin,
    (parent, name): (&OwnedFd, &str),
    path: &Path,
    meta: &Meta,
    plan: &RemovePlan,
) -> Result<()> {
    if meta.kind == Kind::Folder {
        let folder = os::open_folder(parent, name).os()?;
        if !plan.recursive && !is_empty(&folder)? {
            return Err(Error::new(ErrorKind::NotEmpty));
        }
        // A mount would be torn out of its place for all who use it.
        if os::mounts_beneath(&folder) == Some(true) {
            return Err(Error::new(ErrorKind::OtherMount));
        }
    }
    bin.delete(base, (parent, name), path, meta, plan.by.as_ref())
}

fn is_empty(folder: &OwnedFd) -> Result<bool> {
    for found in os::open_readable(folder).and_then(Dir::new).os()? {
        let found = found.os()?;
        if found.file_name() != c"." && found.file_name() != c".." {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Removes a place and, when it is a folder, all that is in it.
pub(crate) fn remove_place(place: &Place) -> Result<()> {
    let (folder, name) = (&*place.folder, place.name.as_str());
    match os::open_folder(folder, name) {
        Ok(open) => {
            clear(&open)?;
            rustix::fs::unlinkat(folder, name, AtFlags::REMOVEDIR).os()
        }
        Err(Errno::NOTDIR | Errno::LOOP) => {
            rustix::fs::unlinkat(folder, name, AtFlags::empty()).os()
        }
        Err(Errno::NOENT) => Ok(()),
        Err(errno) => Err(errno).os(),
    }
}

/// One folder that is being emptied.
struct Level {
    folder: OwnedFd,
    names: Dir,
    /// Its name in the level above.
    name: CString,
    /// Something was removed since the names were last read from the start.
    progress: bool,
}

impl Level {
    /// None: it is gone.
    fn open(at: impl AsFd, name: CString, mount: u64) -> Result<Option<Self>> {
        let Some(folder) = found(os::open_folder(at, name.as_c_str())).os()? else {
            return Ok(None);
        };
        if os::meta_of(&folder).os()?.mount != mount {
            return Err(Error::new(ErrorKind::OtherMount));
        }
        let names = match os::open_readable(&folder) {
            Err(Errno::NOENT) => return Ok(None),
            // Ours, but closed even to us: the holder of the tree may open it.
            Err(Errno::ACCESS) => {
                let flags = AtFlags::empty();
                rustix::fs::chmodat(&folder, ".", Mode::from_raw_mode(0o700), flags).os()?;
                os::open_readable(&folder).os()?
            }
            result => result.os()?,
        };
        Ok(Some(Self {
            folder,
            names: Dir::new(names).os()?,
            name,
            progress: false,
        }))
    }

    fn next(&mut self) -> Result<Option<CString>> {
        while let Some(found) = self.names.read() {
            let found = match found {
                // The folder itself is gone: another takes the same tree apart.
                Err(Errno::NOENT) => return Ok(None),
                found => found.os()?,
            };
            let name = found.file_name();
            if name.to_bytes() != b"." && name.to_bytes() != b".." {
                return Ok(Some(name.to_owned()));
            }
        }
        Ok(None)
    }
}

/// Removes all that is in an open folder. Never follows a link, never enters another mount, and
/// holds a bounded number of folders open however deep the tree is. Several may take one tree apart.
///
/// # Errors
/// The first thing that cannot be removed ends it.
pub(crate) fn clear(top: impl AsFd) -> Result<()> {
    clear_while(top, &mut || true).map(|_| ())
}

/// As [`clear`], asking now and then whether to go on. False: it was told to stop.
pub(crate) fn clear_while(top: impl AsFd, on: &mut dyn FnMut() -> bool) -> Result<bool> {
    let mut removed = 0u64;
    let mount = os::meta_of(&top).os()?.mount;
    let mut moved_up = 0u64;
    let mut levels = Vec::from_iter(Level::open(&top, c".".to_owned(), mount)?);
    loop {
        let depth = levels.len();
        let Some(level) = levels.last_mut() else {
            return Ok(true);
        };
        let Some(name) = level.next()? else {
            if !leave(&mut levels)? {
                return Ok(true);
            }
            continue;
        };
        removed += 1;
        if removed.is_multiple_of(ASK_EVERY) && !on() {
            return Ok(false);
        }
        match remove_one(&level.folder, &name)? {
            true => level.progress = true,
            false if depth < MAX_OPEN => match Level::open(&level.folder, name, mount)? {
                Some(next) => levels.push(next),
                None => level.progress = true,
            },
            false => {
                move_up(&level.folder, &name, &top, &mut moved_up)?;
                level.progress = true;
            }
        }
    }
}

/// Removes what is no full folder. False: it is one.
fn remove_one(folder: &OwnedFd, name: &CString) -> Result<bool> {
    let unlink = |flags| rustix::fs::unlinkat(folder, name.as_c_str(), flags);
    let Some(meta) = found(os::meta_at(folder, name.as_c_str())).os()? else {
        return Ok(true);
    };
    let is_folder = meta.kind == Kind::Folder;
    let flags = if is_folder {
        AtFlags::REMOVEDIR
    } else {
        AtFlags::empty()
    };
    let result = match unlink(flags) {
        Err(Errno::ACCESS) => {
            let mode = Mode::from_raw_mode(0o700);
            rustix::fs::chmodat(folder, ".", mode, AtFlags::empty()).os()?;
            unlink(flags)
        }
        result => result,
    };
    match result {
        Ok(()) | Err(Errno::NOENT) => Ok(true),
        Err(Errno::NOTEMPTY | Errno::EXIST) => Ok(false),
        Err(errno) => Err(errno).os(),
    }
}

/// Moves a folder that lies too deep to the top, where it is found again.
fn move_up(from: &OwnedFd, name: &CString, top: impl AsFd, count: &mut u64) -> Result<()> {
    loop {
        *count += 1;
        let new = format!("up{count}");
        match os::rename_new(from, name.as_c_str(), &top, new.as_str(), true) {
            Err(Errno::EXIST | Errno::NOTEMPTY) => {}
            result => return result.os(),
        }
    }
}

/// Ends the last level: reads it again while that helps, then removes it. False at the top.
fn leave(levels: &mut Vec<Level>) -> Result<bool> {
    if let Some(level) = levels.last_mut()
        && level.progress
    {
        // Removing while reading may hide names, and folders may have been moved up to here.
        level.progress = false;
        level.names.rewind();
        return Ok(true);
    }
    let done = levels.pop();
    let (Some(done), Some(above)) = (done, levels.last_mut()) else {
        return Ok(false);
    };
    above.progress = true;
    match remove_one(&above.folder, &done.name)? {
        true => Ok(true),
        false => Err(Error::new(ErrorKind::NotEmpty).because("somebody fills it meanwhile")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_deeper_than_any_path_goes_and_links_are_not_followed() {
        let top = tempfile::tempdir().unwrap();
        let outside = tempfile::tempdir().unwrap();
        std::fs::write(outside.path().join("stays"), b"x").unwrap();
        let holder = os::open_folder(rustix::fs::CWD, top.path()).unwrap();
        let mut at = os::open_folder(&holder, ".").unwrap();
        for depth in 0..1500 {
            let mode = Mode::from_raw_mode(0o700);
            rustix::fs::mkdirat(&at, "up1", mode).unwrap();
            rustix::fs::symlinkat(outside.path(), &at, "link").unwrap();
            if depth % 100 == 0 {
                rustix::fs::mkdirat(&at, "empty", mode).unwrap();
            }
            at = os::open_folder(&at, "up1").unwrap();
        }
        clear(&holder).unwrap();
        assert_eq!(std::fs::read_dir(top.path()).unwrap().count(), 0);
        assert!(outside.path().join("stays").exists());
    }
    #[test]
    fn several_take_one_tree_apart() {
        for _ in 0..20 {
            let top = tempfile::tempdir().unwrap();
            for n in 0..40 {
                let at = top.path().join(format!("{}/{}/{n}", n % 3, n % 7));
                std::fs::create_dir_all(&at).unwrap();
                std::fs::write(at.join("file"), b"x").unwrap();
            }
            let holder = os::open_folder(rustix::fs::CWD, top.path()).unwrap();
            std::thread::scope(|scope| {
                let all: Vec<_> = (0..3).map(|_| scope.spawn(|| clear(&holder))).collect();
                for one in all {
                    one.join().unwrap().unwrap();
                }
            });
            assert_eq!(std::fs::read_dir(top.path()).unwrap().count(), 0);
        }
    }
}
