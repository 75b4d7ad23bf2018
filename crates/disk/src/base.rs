//! The served folder, open: paths resolved beneath it, folders made and flushed.

use std::collections::HashMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, Weak};

use gaveta_core::{Error, ErrorKind, Kind, Path, Result, UploadId};
use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;
use tokio::sync::Semaphore;

use crate::errno::{Os, error_of, error_on_the_way, found};
use crate::flush::SharedFlush;
use crate::locks::{Locks, Turns};
use crate::meta::Meta;
use crate::outlines::Outlines;
use crate::pool::Pool;
use crate::reserved::Reserved;
use crate::staged::random_bytes;
use crate::trash::{Bin, Keeper};
use crate::upload::{Body, Budget};
use crate::{Durability, Options, Resolver, Staging, failpoint, os};

/// How many pieces are hashed at once beside what arrives: what is verified after an unclean stop,
/// and outlines. Two, so that the rest of the machine goes on.
const MAX_HASHING: usize = 2;

/// How much the trash gives way at once to what found no room: so many bytes, or things.
const ROOM: u64 = 4 << 20;
const ROOM_THINGS: u64 = 64;
/// How often it gives way to one and the same: others may take what came free.
const ROOM_TRIES: u32 = 256;

/// What every operation works on. Its methods block: never call them on an async thread.
#[derive(Debug)]
pub(crate) struct Base {
    root: OwnedFd,
    options: Options,
    /// The kernel said once that it does not resolve paths.
    walks: AtomicBool,
    pub(crate) umask: u32,
    /// None when staging lies beside the targets or nothing is ever written.
    pub(crate) reserved: Option<Reserved>,
    pub(crate) locks: Locks,
    /// Kept uploads that somebody holds.
    pub(crate) live: Mutex<HashMap<UploadId, Weak<Body>>>,
    /// Held while a kept upload is loaded, so that it is loaded once.
    pub(crate) loading: Turns,
    /// Names this store among all that ever were.
    pub(crate) token: String,
    /// Bounds what all writes together hold in memory.
    pub(crate) budget: Budget,
    /// Buffers that are used again.
    pub(crate) pool: Arc<Pool>,
    /// How much is hashed at once, beside what arrives.
    pub(crate) hashing: Semaphore,
    /// How many streams are being read.
    pub(crate) readers: AtomicUsize,
    folders: SharedFlush,
    /// Keeps the trash in order. Set once, after recovery.
    pub(crate) keeper: OnceLock<Keeper>,
}

/// Folders that were made on the way to something, from the top down.
#[derive(Debug, Default)]
pub(crate) struct Made(Vec<(OwnedFd, String)>);

impl Made {
    /// Takes them away again, where nobody else uses them by now.
    pub(crate) fn undo(self) {
        for (folder, name) in self.0.iter().rev() {
            if rustix::fs::unlinkat(folder, name.as_str(), AtFlags::REMOVEDIR).is_err() {
                return;
            }
        }
    }
}

impl Base {
    pub(crate) fn open(root: &std::path::Path, options: Options) -> Result<Self> {
        let about = |error: Error| error.about_text(root.display().to_string());
        let flags = os::FOLDER.difference(OFlags::NOFOLLOW);
        let root = rustix::fs::open(root, flags, Mode::empty())
            .os()
            .map_err(about)?;
        let reserves = options.staging == Staging::Reserved && !options.read_only;
        let full = options.durability == Durability::Full;
        let reserved = if reserves {
            Some(Reserved::open(&root, full, options.trash).map_err(about)?)
        } else {
            None
        };
        Ok(Self {
            root,
            walks: AtomicBool::new(options.resolver == Resolver::Walk),
            options,
            umask: os::umask(),
            reserved,
            locks: Locks::new(),
            live: Mutex::default(),
            loading: Turns::default(),
            token: format!("{:032x}", u128::from_le_bytes(random_bytes()?)),
            budget: Budget::default(),
            pool: Arc::default(),
            hashing: Semaphore::new(MAX_HASHING),
            readers: AtomicUsize::new(0),
            folders: SharedFlush::default(),
            keeper: OnceLock::new(),
        })
    }

    /// Refuses when nothing may be written.
    pub(crate) fn check_writable(&self) -> Result<()> {
        if self.options.read_only {
            Err(Error::new(ErrorKind::ReadOnly))
        } else {
            Ok(())
        }
    }

    /// Are changes flushed before they are acknowledged?
    pub(crate) fn is_full(&self) -> bool {
        self.options.durability == Durability::Full
    }

    pub(crate) fn staging(&self) -> Staging {
        self.options.staging
    }

    pub(crate) fn root(&self) -> &OwnedFd {
        &self.root
    }

    /// Opens the folder at this path. A link on the way, or there, is no folder.
    pub(crate) fn folder(&self, path: &Path) -> Result<OwnedFd> {
        self.folder_in(self.root.as_fd(), path)
    }

    /// As [`Base::folder`], beneath an open folder.
    pub(crate) fn folder_in(&self, top: BorrowedFd<'_>, path: &Path) -> Result<OwnedFd> {
        if path.is_root() {
            return os::open_folder(top, ".").os_at(path);
        }
        if !self.walks.load(Ordering::Relaxed) {
            match os::resolve(top, path.as_str()) {
                Err(Errno::NOSYS | Errno::PERM) if self.options.resolver == Resolver::Auto => {
                    tracing::info!("the kernel does not resolve paths beneath a folder: walking");
                    self.walks.store(true, Ordering::Relaxed);
                }
                // Renames on the way would not let the kernel finish.
                Err(Errno::AGAIN) => {}
                result => return result.map_err(|e| error_on_the_way(e).about(path)),
            }
        }
        walk(top, path)
    }

    /// The open parent, and the last name.
    ///
    /// # Errors
    /// `BadMove` for the root, which has none.
    pub(crate) fn parent<'a>(&self, path: &'a Path) -> Result<(OwnedFd, &'a str)> {
        let (Some(parent), Some(name)) = (path.parent(), path.name()) else {
            return Err(Error::at(ErrorKind::BadMove, path));
        };
        Ok((self.folder(&parent).map_err(|e| renamed(e, path))?, name))
    }

    /// What is at this path.
    pub(crate) fn look(&self, path: &Path) -> Result<Meta> {
        if path.is_root() {
            return os::meta_of(&self.root).os_at(path);
        }
        let (parent, name) = self.parent(path)?;
        os::meta_at(&parent, name).os_at(path)
    }

    /// Opens the regular file at this path for reading, with what it is.
    pub(crate) fn file(&self, path: &Path) -> Result<(OwnedFd, Meta)> {
        if path.is_root() {
            return Err(Error::at(ErrorKind::IsFolder, path));
        }
        let (parent, name) = self.parent(path)?;
        open_file(&parent, name, OFlags::RDONLY).map_err(|error| error.about(path))
    }

    /// Opens the folder that `path` lies in, or the nearest above it that is there.
    pub(crate) fn nearest_folder(&self, path: &Path) -> Result<OwnedFd> {
        let mut at = path.parent().or_else(|| Some(Path::root()));
        while let Some(parent) = at {
            match self.folder(&parent) {
                Err(error) if error.kind() == ErrorKind::NotFound => at = parent.parent(),
                result => return result,
            }
        }
        Err(Error::at(ErrorKind::NotFound, path))
    }

    /// Opens the parent of `path`, making what is missing of it.
    pub(crate) fn make_parents<'a>(&self, path: &'a Path) -> Result<(OwnedFd, &'a str, Made)> {
        let mut made = Made::default();
        match self.parent(path) {
            Ok((parent, name)) => return Ok((parent, name, made)),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let (Some(parent), Some(name)) = (path.parent(), path.name()) else {
            return Err(Error::at(ErrorKind::BadMove, path));
        };
        let mut at = self.folder(&Path::root())?;
        for part in parent.names() {
            match self.step(at, part, &mut made) {
                Ok(next) => at = next,
                Err(errno) => {
                    made.undo();
                    return Err(error_on_the_way(errno).about(path));
                }
            }
        }
        Ok((at, name, made))
    }

    /// Goes into a folder, making it when it is not there.
    fn step(&self, at: OwnedFd, name: &str, made: &mut Made) -> rustix::io::Result<OwnedFd> {
        if let Some(next) = found(os::open_folder(&at, name))? {
            return Ok(next);
        }
        match rustix::fs::mkdirat(&at, name, Mode::from_raw_mode(0o777)) {
            Err(Errno::EXIST) => os::open_folder(&at, name),
            Err(errno) => Err(errno),
            Ok(()) => {
                let next = os::open_folder(&at, name);
                made.0.push((at, name.to_owned()));
                next
            }
        }
    }

    /// Makes an open file's content and attributes survive a power cut.
    pub(crate) fn flush_file(&self, file: impl AsFd) -> Result<()> {
        if self.options.durability == Durability::Full {
            failpoint::pass("file-flush")?;
            os::flush(file).os()
        } else {
            Ok(())
        }
    }

    /// The kept outlines, where there is a place for them.
    pub(crate) fn outlines(&self) -> Option<&Outlines> {
        self.reserved.as_ref().map(|reserved| &*reserved.outlines)
    }

    /// Where deleted and replaced things go, when they are kept.
    pub(crate) fn bin(&self) -> Option<&Arc<Bin>> {
        self.reserved.as_ref()?.bin.as_ref()
    }

    /// Does something that takes room; when there is none, as often as the trash gives way, at most
    /// [`ROOM_TRIES`] times.
    pub(crate) fn roomy<T>(&self, mut work: impl FnMut() -> Result<T>) -> Result<T> {
        let mut tries = 0;
        loop {
            match work() {
                Err(error) if error.kind() == ErrorKind::NoSpace && tries < ROOM_TRIES => {
                    tries += 1;
                    let some = self.free().saturating_add(ROOM);
                    let enough = &mut |went| went >= ROOM_THINGS || self.free() >= some;
                    match self.bin() {
                        None => return Err(error),
                        Some(bin) if bin.make_room(enough) => {}
                        // Others may have had it give way meanwhile.
                        Some(_) => tries = ROOM_TRIES,
                    }
                }
                result => return result,
            }
        }
    }

    /// How much can be written; 0 when the system does not say.
    pub(crate) fn free(&self) -> u64 {
        let Ok(all) = rustix::fs::fstatvfs(&self.root) else {
            return 0;
        };
        let root = rustix::process::geteuid().is_root();
        let blocks = if root { all.f_bfree } else { all.f_bavail };
        blocks.saturating_mul(all.f_frsize)
    }

    /// Makes the names in an open folder survive a power cut. Those who ask at once share it.
    pub(crate) fn flush_folder(&self, folder: impl AsFd) -> Result<()> {
        if self.options.durability == Durability::Fast {
            return Ok(());
        }
        self.folders.flush(folder)
    }

    /// Makes folders made on the way survive a power cut.
    pub(crate) fn flush_made(&self, made: &Made) -> Result<()> {
        made.0
            .iter()
            .try_for_each(|(folder, _)| self.flush_folder(folder))
    }
}

/// Opens the folder at this path beneath an open one, name by name.
fn walk(top: BorrowedFd<'_>, path: &Path) -> Result<OwnedFd> {
    let mut at = os::open_folder(top, ".").os_at(path)?;
    for name in path.names() {
        at = os::open_folder(&at, name).map_err(|e| error_on_the_way(e).about(path))?;
    }
    Ok(at)
}

/// Opens a regular file by name, and only that: what is something else is not even opened, unless
/// it takes the file's place in the instant between the look and the opening; then it is opened
/// without waiting, and closed.
pub(crate) fn open_file(
    parent: impl AsFd,
    name: impl rustix::path::Arg + Copy,
    access: OFlags,
) -> Result<(OwnedFd, Meta)> {
    for _ in 0..64 {
        let seen = os::meta_at(&parent, name).os()?;
        match seen.kind {
            Kind::File => {}
            Kind::Folder => return Err(Error::new(ErrorKind::IsFolder)),
            Kind::Link | Kind::Special => return Err(Error::new(ErrorKind::NotRegular)),
        }
        let flags = os::FILE | access;
        let file = rustix::fs::openat(&parent, name, flags, Mode::empty()).os()?;
        let opened = os::meta_of(&file).os()?;
        if opened.is_same(&seen) {
            return Ok((file, opened));
        }
    }
    Err(Error::new(ErrorKind::Busy).because("the file is replaced all the time"))
}

/// The same error about another path.
fn renamed(error: Error, path: &Path) -> Error {
    let kind = error.kind();
    Error::at(kind, path).because(error)
}

/// The error for an open folder handle that lost its name meanwhile.
pub(crate) fn is_vanished(error: &Error) -> bool {
    error.kind() == ErrorKind::NotFound
}

/// A shared folder handle.
pub(crate) type Folder = Arc<OwnedFd>;

/// Removes a name, whatever it is, but a folder; it is no error when it is gone.
pub(crate) fn unlink_quietly(folder: impl AsFd, name: &str) {
    match rustix::fs::unlinkat(folder, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => {}
        Err(errno) => {
            tracing::warn!(error = %error_of(errno).chain(), name, "a leftover stays");
        }
    }
}
