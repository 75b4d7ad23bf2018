//! `.gaveta/`: what the server keeps at the root for itself.
//!
//! ```text
//! .gaveta/format      the number of this layout
//! .gaveta/lock        locked while a server has the folder
//! .gaveta/uploads/    one folder for each kept upload
//! .gaveta/records/    what is kept about the files: outlines; where the last check of all is
//! .gaveta/trash/      what was deleted or replaced, until it expires
//! .gaveta/staging/    what goes at the next start: unfinished content, removed folders
//! ```

use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use gaveta_core::path::RESERVED;
use gaveta_core::{Error, ErrorKind, Kind, Result};
use rustix::fs::{FlockOperation, Mode, OFlags};
use rustix::io::Errno;

use crate::base::{Folder, open_file, unlink_quietly};
use crate::errno::{Os, found};
use crate::outlines::Outlines;
use crate::trash::Bin;
use crate::{TrashOptions, os, remove};

const FORMAT: u64 = 1;

/// The reserved folder, open and locked.
#[derive(Debug)]
pub(crate) struct Reserved {
    pub(crate) all: OwnedFd,
    pub(crate) staging: Folder,
    pub(crate) uploads: Folder,
    pub(crate) records: OwnedFd,
    pub(crate) outlines: Arc<Outlines>,
    pub(crate) bin: Option<Arc<Bin>>,
    /// The lock goes with this file.
    _lock: OwnedFd,
}

impl Reserved {
    /// What may lie right in the reserved folder.
    pub(crate) const OWN: [&str; 6] = ["format", "lock", "records", "staging", "trash", "uploads"];

    /// Opens the reserved folder of `root`, makes it when there is none, takes its lock and clears
    /// what an unclean stop left in staging.
    ///
    /// # Errors
    /// `Locked` when another server has it; `Unsupported` when a newer server made it; `NotFolder`
    /// or `Permission` when what is there is not a folder of ours.
    pub(crate) fn open(root: &OwnedFd, full: bool, trash: Option<TrashOptions>) -> Result<Self> {
        let all = own_folder(root, RESERVED)?;
        let flags = OFlags::RDWR | OFlags::CREATE | os::FILE;
        let lock = rustix::fs::openat(&all, "lock", flags, Mode::from_raw_mode(0o600)).os()?;
        match rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Err(Errno::WOULDBLOCK) => return Err(Error::new(ErrorKind::Locked)),
            result => result.os()?,
        }
        check_format(&all, full)?;
        let staging = Arc::new(own_folder(&all, "staging")?);
        let uploads = Arc::new(own_folder(&all, "uploads")?);
        let records = own_folder(&all, "records")?;
        let outlines = Arc::new(Outlines::new(own_folder(&records, "outlines")?));
        let bin = match trash {
            Some(options) => Some(Arc::new(Bin::open(&all, outlines.clone(), options, full)?)),
            None => None,
        };
        if full {
            for folder in [&records, &all, root] {
                os::open_readable(folder).and_then(os::flush).os()?;
            }
        }
        if let Err(error) = remove::clear(&*staging) {
            tracing::warn!(
                error = error.chain(),
                "leftovers stay in the staging folder"
            );
        }
        Ok(Self {
            all,
            staging,
            uploads,
            records,
            outlines,
            bin,
            _lock: lock,
        })
    }
}

/// Opens or makes a folder of ours: never through a link, only ours to look into.
pub(crate) fn own_folder(at: impl AsFd, name: &str) -> Result<OwnedFd> {
    let refuse = |kind, why: &str| Error::new(kind).because(format!("{name} {why}"));
    match rustix::fs::mkdirat(&at, name, Mode::from_raw_mode(0o700)) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(errno) => return Err(errno).os(),
    }
    let seen = os::meta_at(&at, name).os()?;
    if seen.kind != Kind::Folder {
        return Err(refuse(
            ErrorKind::NotFolder,
            "is not a folder of the server's",
        ));
    }
    let folder = os::open_folder(&at, name).os()?;
    let meta = os::meta_of(&folder).os()?;
    let us = rustix::process::geteuid();
    // Root takes over what its unprivileged self made (`--user`); nobody else takes a stranger's.
    if meta.owner != us.as_raw() && !us.is_root() {
        return Err(refuse(ErrorKind::Permission, "belongs to another user"));
    }
    if meta.mode & 0o077 != 0 {
        let readable = os::open_readable(&folder).os()?;
        rustix::fs::fchmod(readable, Mode::from_raw_mode(0o700)).os()?;
    }
    Ok(folder)
}

fn check_format(all: &OwnedFd, full: bool) -> Result<()> {
    match open_file(all, "format", OFlags::RDONLY) {
        Ok((file, _)) => {
            let mut text = String::new();
            std::fs::File::from(file)
                .take(64)
                .read_to_string(&mut text)?;
            let refuse = |why: String| Error::new(ErrorKind::Unsupported).because(why);
            match text.trim().parse::<u64>() {
                Ok(FORMAT) => Ok(()),
                Ok(newer) => Err(refuse(format!(
                    "{RESERVED} has format {newer}; this program knows format {FORMAT}: use a newer one"
                ))),
                Err(_) => Err(refuse(format!("{RESERVED}/format is not a number"))),
            }
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            write_whole(all, "format", format!("{FORMAT}\n").as_bytes(), full)
        }
        Err(error) => Err(error),
    }
}

/// Writes a small file whole or not at all, over one that is there.
pub(crate) fn write_whole(folder: &OwnedFd, name: &str, bytes: &[u8], full: bool) -> Result<()> {
    use std::io::Write;
    let temporary = format!("{name}.new");
    unlink_quietly(folder, &temporary);
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | os::FILE;
    let mode = Mode::from_raw_mode(0o600);
    let file = rustix::fs::openat(folder, temporary.as_str(), flags, mode).os()?;
    let written = (|| {
        let mut file = std::fs::File::from(file);
        file.write_all(bytes)?;
        if full {
            os::flush(&file).os()?;
        }
        rustix::fs::renameat(folder, temporary.as_str(), folder, name).os()
    })();
    if written.is_err() {
        unlink_quietly(folder, &temporary);
    } else if full {
        os::open_readable(folder).and_then(os::flush).os()?;
    }
    written
}

/// Reads a small file whole; none when it is not there.
pub(crate) fn read_whole(folder: &OwnedFd, name: &str, most: u64) -> Result<Option<Vec<u8>>> {
    if found(os::meta_at(folder, name)).os()?.is_none() {
        return Ok(None);
    }
    let (file, meta) = open_file(folder, name, OFlags::RDONLY)?;
    if meta.size > most {
        return Err(Error::new(ErrorKind::TooLarge));
    }
    let mut bytes = Vec::new();
    std::fs::File::from(file)
        .take(most)
        .read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}
