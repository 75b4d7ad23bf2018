//! What depends on the operating system, behind one set of functions.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
pub(crate) use linux::*;

#[cfg(not(target_os = "linux"))]
mod other;
#[cfg(not(target_os = "linux"))]
pub(crate) use other::*;

use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{AtFlags, Mode, OFlags, RenameFlags};
use rustix::io::{Errno, Result};
use rustix::path::Arg;

/// How a regular file is opened: never through a link, never waiting for a FIFO's other end, never
/// as a controlling terminal.
pub(crate) const FILE: OFlags = OFlags::NOFOLLOW
    .union(OFlags::NONBLOCK)
    .union(OFlags::NOCTTY)
    .union(OFlags::CLOEXEC);

/// Makes what was written to an open file or folder survive a power cut: all that is flushed goes
/// through here.
pub(crate) fn flush(open: impl AsFd) -> Result<()> {
    #[cfg(all(test, target_os = "linux"))]
    tally::flushed(&open);
    flush_now(open)
}

/// What was flushed, for tests that count.
#[cfg(all(test, target_os = "linux"))]
pub(crate) mod tally {
    use std::os::fd::{AsFd, AsRawFd};
    use std::path::{Path, PathBuf};
    use std::sync::{Mutex, MutexGuard, PoisonError};

    static FLUSHED: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

    fn list() -> MutexGuard<'static, Vec<PathBuf>> {
        FLUSHED.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn flushed(open: impl AsFd) {
        let link = format!("/proc/self/fd/{}", open.as_fd().as_raw_fd());
        let path = std::fs::read_link(link).unwrap_or_default();
        list().push(path);
    }

    /// What of this folder, and beneath it, was flushed so far.
    pub(crate) fn beneath(folder: &Path) -> Vec<PathBuf> {
        let flushed = list();
        let mine = flushed.iter().filter(|path| path.starts_with(folder));
        mine.cloned().collect()
    }
}

/// Opens a folder by one name, never through a link, to reach what is in it.
pub(crate) fn open_folder(at: impl AsFd, name: impl Arg) -> Result<OwnedFd> {
    rustix::fs::openat(at, name, FOLDER, Mode::empty())
}

/// Opens a folder again to read its names or to flush it.
pub(crate) fn open_readable(folder: impl AsFd) -> Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::openat(folder, ".", flags, Mode::empty())
}

/// Renames, but never onto something. Where the file system cannot say so in one step, a file is
/// linked under its new name and unlinked under its old one, and a folder is renamed after a look
/// (another program that makes an empty folder in between loses it).
pub(crate) fn rename_new(
    from: impl AsFd,
    old: impl Arg + Copy,
    to: impl AsFd,
    new: impl Arg + Copy,
    is_folder: bool,
) -> Result<()> {
    match rustix::fs::renameat_with(&from, old, &to, new, RenameFlags::NOREPLACE) {
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {}
        result => return result,
    }
    if is_folder {
        return match rustix::fs::statat(&to, new, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => rustix::fs::renameat(&from, old, &to, new),
            Err(errno) => Err(errno),
            Ok(_) => Err(Errno::EXIST),
        };
    }
    rustix::fs::linkat(&from, old, &to, new, AtFlags::empty())?;
    rustix::fs::unlinkat(&from, old, AtFlags::empty())
}
