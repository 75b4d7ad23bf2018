//! What the operating system's error numbers mean here.

use gaveta_core::{Error, ErrorKind, Path, Result};
use rustix::io::Errno;

/// The error for an errno. `LOOP` is what `O_NOFOLLOW` gives when the last name is a link.
pub(crate) fn error_of(errno: Errno) -> Error {
    let kind = match errno {
        Errno::LOOP => ErrorKind::NotRegular,
        Errno::BUSY | Errno::XDEV => ErrorKind::OtherMount,
        Errno::MFILE | Errno::NFILE | Errno::NOMEM => ErrorKind::Busy,
        Errno::NOSPC | Errno::DQUOT => ErrorKind::NoSpace,
        Errno::FBIG => ErrorKind::TooLarge,
        Errno::PERM | Errno::ACCESS => ErrorKind::Permission,
        _ => return std::io::Error::from(errno).into(),
    };
    Error::new(kind).because(std::io::Error::from(errno))
}

/// The error of a step on the way: a link there is no folder.
pub(crate) fn error_on_the_way(errno: Errno) -> Error {
    match errno {
        Errno::LOOP | Errno::XDEV | Errno::NOTDIR => {
            Error::new(ErrorKind::NotFolder).because(std::io::Error::from(errno))
        }
        other => error_of(other),
    }
}

/// Turns results of system calls into ours.
pub(crate) trait Os<T> {
    /// About nothing in particular.
    fn os(self) -> Result<T>;
    /// About this path.
    fn os_at(self, path: &Path) -> Result<T>;
}

impl<T> Os<T> for rustix::io::Result<T> {
    fn os(self) -> Result<T> {
        self.map_err(error_of)
    }
    fn os_at(self, path: &Path) -> Result<T> {
        self.map_err(|errno| error_of(errno).about(path))
    }
}

/// `None` when there is nothing of that name.
pub(crate) fn found<T>(result: rustix::io::Result<T>) -> rustix::io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(Errno::NOENT) => Ok(None),
        Err(errno) => Err(errno),
    }
}
