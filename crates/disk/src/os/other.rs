//! Any other Unix: what there is everywhere, and honest answers about the rest.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, OFlags, Stat};
use rustix::io::{Errno, Result};
use rustix::path::Arg;

use crate::meta::{Meta, kind_of};

/// How a folder is opened on the way.
pub(crate) const FOLDER: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

/// The kernel does not resolve beneath a folder: the caller walks.
pub(crate) fn resolve(_root: BorrowedFd<'_>, _path: &str) -> Result<OwnedFd> {
    Err(Errno::NOSYS)
}

/// What has this name; a link is not followed.
pub(crate) fn meta_at(folder: impl AsFd, name: impl Arg) -> Result<Meta> {
    rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW).map(|found| meta(&found))
}

/// What is open.
pub(crate) fn meta_of(open: impl AsFd) -> Result<Meta> {
    rustix::fs::fstat(open).map(|found| meta(&found))
}

#[allow(
    clippy::unnecessary_cast,
    reason = "the fields' widths differ from system to system"
)]
fn meta(found: &Stat) -> Meta {
    let mode = found.st_mode as u32;
    Meta {
        kind: kind_of(mode),
        mode,
        size: u64::try_from(found.st_size).unwrap_or(0),
        taken: u64::try_from(found.st_blocks)
            .unwrap_or(0)
            .saturating_mul(512),
        modified: (found.st_mtime as i64, found.st_mtime_nsec as u32),
        born: None,
        inode: found.st_ino as u64,
        device: found.st_dev as u64,
        mount: found.st_dev as u64,
        links: found.st_nlink as u64,
        owner: found.st_uid as u32,
    }
}

/// The room is taken as it is written.
pub(crate) fn preallocate(_file: impl AsFd, _length: u64) -> Result<()> {
    Ok(())
}

/// The system does not tell.
pub(crate) fn read_cached(_file: impl AsFd, _into: &mut [u8], _offset: u64) -> Option<usize> {
    None
}

/// The system's own way, for [`flush`](super::flush) alone.
pub(crate) fn flush_now(open: impl AsFd) -> Result<()> {
    #[cfg(target_vendor = "apple")]
    if rustix::fs::fcntl_fullfsync(&open).is_ok() {
        return Ok(());
    }
    rustix::fs::fsync(open)
}

/// The disk begins when it is flushed.
pub(crate) fn begin_flush(_file: impl AsFd, _range: std::ops::Range<u64>) {}

/// Not relied on.
pub(crate) fn orders_names(_folder: impl AsFd) -> bool {
    false
}

/// It is read as the system gives it.
pub(crate) fn forget_cached(_file: impl AsFd) {}

/// The system does not say which start of it this is.
pub(crate) fn boot() -> Option<String> {
    None
}

/// No digest is kept.
pub(crate) fn note(_file: impl AsFd) -> Option<String> {
    None
}

/// No digest is kept.
pub(crate) fn set_note(_file: impl AsFd, _text: &str) -> Result<()> {
    Err(Errno::NOTSUP)
}

/// The caller reads and writes.
pub(crate) fn copy_range(
    _from: (impl AsFd, u64),
    _to: (impl AsFd, u64),
    _length: usize,
) -> Result<Option<usize>> {
    Ok(None)
}

/// The system does not say.
pub(crate) fn mounts_beneath(_folder: impl AsFd) -> Option<bool> {
    None
}

/// The process's file mode mask. It can only be read by setting it, so it is read once.
pub(crate) fn umask() -> u32 {
    static MASK: std::sync::OnceLock<u32> = std::sync::OnceLock::new();
    *MASK.get_or_init(|| {
        let mask = rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
        rustix::process::umask(mask);
        u32::from(mask.as_raw_mode())
    })
}
