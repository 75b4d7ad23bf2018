//! Progress, as somebody who shows it hears of it.

use std::fmt::Debug;

use gaveta_core::{Entry, Error, Path};

use crate::memory::Restart;
use crate::summary::{Skipped, Why};

/// One file of one transfer. Never used twice within it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FileId(pub u64);

/// How one file came to be at the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Copied {
    /// Its bytes.
    pub size: u64,
    /// Bytes that went over now, those that had to go again among them.
    pub sent: u64,
    /// Bytes an earlier run had sent.
    pub resumed: u64,
    /// Bytes the target took from what it had before.
    pub equal: u64,
    /// Bytes that had to be sent again.
    pub again: u64,
    /// Did it replace something? As far as that is known.
    pub replaced: bool,
}

/// How it ended for one file.
#[derive(Debug)]
pub enum Outcome<'a> {
    /// It is there, verified.
    Done(&'a Entry),
    /// A dry run would have copied it.
    Planned,
    /// It was left out.
    Skipped(&'a Why),
    /// It failed; nothing of it was published.
    Failed(&'a Error),
    /// The transfer was cancelled.
    Cancelled,
}

/// Hears what a transfer does. Called from the workers themselves, several at once and often: it
/// must return at once (count, or put into a bounded queue), never wait.
///
/// A file is found, then started, advances, and is finished. A file that fails before it can be
/// started (a source that is not there) or is only planned is finished without a start.
pub trait Observer: Debug + Send + Sync {
    /// So much was found so far, in files and bytes; it grows while the transfer runs.
    fn found(&self, files: u64, bytes: u64) {
        let _ = (files, bytes);
    }

    /// Nothing more will be found.
    fn found_all(&self) {}

    /// A file's copy begins. `to` is its path at the target, `size` its bytes.
    fn started(&self, file: FileId, to: &Path, size: u64) {
        let _ = (file, to, size);
    }

    /// So many bytes of the file are there so far. It falls back when something is tried again.
    fn advanced(&self, file: FileId, bytes: u64) {
        let _ = (file, bytes);
    }

    /// A file goes on where an earlier run was cut: so many of its bytes are there.
    fn resumed(&self, file: FileId, to: &Path, bytes: u64) {
        let _ = (file, to, bytes);
    }

    /// A copy that was under way, now or in an earlier run, begins anew.
    fn restarted(&self, file: FileId, to: &Path, why: Restart) {
        let _ = (file, to, why);
    }

    /// How a file came to be there. Told right before it is finished as done.
    fn copied(&self, file: FileId, to: &Path, copied: &Copied) {
        let _ = (file, to, copied);
    }

    /// A file, or a part of it, failed for a passing reason and will be tried again.
    fn retrying(&self, file: FileId, to: &Path, error: &Error) {
        let _ = (file, to, error);
    }

    /// It ended.
    fn finished(&self, file: FileId, to: &Path, outcome: Outcome<'_>) {
        let _ = (file, to, outcome);
    }

    /// A folder is there at the target (or would be, in a dry run). Only folders that had to be
    /// made for themselves are told; others appear with their first file.
    fn folder(&self, to: &Path) {
        let _ = to;
    }

    /// Something that is no file to copy was left out.
    fn skipped(&self, skipped: &Skipped) {
        let _ = skipped;
    }
}

/// Hears everything, says nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Observer for Silent {}
