//! The book of quotas on the disk: a line for each change, written by a thread of its own.
//!
//! Nobody who changes a file waits for the disk. What cannot be written, and what did not fit into
//! the queue, is not lost: the whole book is written afresh, beside, as soon as the disk lets it.
//! So no half line stays in the middle of the file either.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use super::{Change, Shared};

/// The longest line of the book: a path and a little more, in bytes.
const LONGEST: u64 = 64 * 1024;
/// Lines beyond what is in force until the book is written afresh.
const SLACK: usize = 10_000;
/// What may wait to be written, in bytes.
const WAITING: usize = 4 * 1024 * 1024;
/// After a failure nothing is tried for so long.
const PAUSE: Duration = Duration::from_secs(1);

/// Whose each file is, and how large.
pub(super) type Files = BTreeMap<String, (Arc<str>, u64)>;

/// What is still to be written.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    lines: Vec<u8>,
    /// The file lacks something: all of it is to be written.
    afresh: bool,
    /// Lines in the file, with those that wait.
    count: usize,
    /// Changes that ever came, and those that are in the file.
    came: u64,
    went: u64,
    ended: bool,
}

impl Outbox {
    /// Nothing to write yet into a file of so many lines.
    pub(super) fn new(count: usize) -> Self {
        Self {
            count,
            ..Self::default()
        }
    }

    pub(super) fn enter(&mut self, change: &Change) {
        self.came += 1;
        self.count += 1;
        if self.afresh {
            return;
        }
        let written = serde_json::to_writer(&mut self.lines, change);
        self.lines.push(b'\n');
        if written.is_err() || self.lines.len() > WAITING {
            self.lines = Vec::new();
            self.afresh = true;
        }
    }

    fn waits(&self) -> bool {
        self.afresh || !self.lines.is_empty()
    }
}

/// The file.
#[derive(Debug)]
pub(super) struct Journal {
    pub(super) path: PathBuf,
    pub(super) file: File,
}

impl Journal {
    /// Writes a book that holds these, in the place of what is there: beside, flush, rename.
    ///
    /// # Errors
    /// Those of the system; then what was there before is still there.
    pub(super) fn afresh(path: PathBuf, files: &Files) -> io::Result<Self> {
        let new = path.with_extension("new");
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let _ = fs::remove_file(&new);
        let mut options = OpenOptions::new();
        let options = options.append(true).create_new(true).mode(0o600);
        let mut whole = BufWriter::new(options.open(&new)?);
        for (path, (owner, size)) in files {
            let change = Change::Kept {
                path: path.clone(),
                owner: owner.as_ref().to_owned(),
                size: *size,
            };
            serde_json::to_writer(&mut whole, &change)?;
            whole.write_all(b"\n")?;
        }
        let file = whole.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.sync_all()?;
        fs::rename(&new, &path)?;
        Ok(Self { path, file })
    }
}

/// Reads the lines; one that was cut short, as by a crash, is left out.
pub(super) fn read(file: File, mut each: impl FnMut(&Change)) -> io::Result<()> {
    let mut lines = BufReader::new(file);
    loop {
        let mut line = Vec::new();
        if (&mut lines).take(LONGEST).read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        if let Ok(change) = serde_json::from_slice::<Change>(&line) {
            each(&change);
        }
    }
}

/// What the writer does next.
enum Work {
    Append(Vec<u8>),
    Afresh(Files),
}

/// The writer's thread: takes all that waits, writes it in one piece, and begins again.
pub(super) fn write_all(shared: &Shared, mut journal: Journal) {
    let mut warned = false;
    while let Some((work, came)) = next(shared) {
        let done = match work {
            Work::Append(lines) => journal.file.write_all(&lines),
            Work::Afresh(files) => Journal::afresh(journal.path.clone(), &files).map(|afresh| {
                journal = afresh;
            }),
        };
        let mut book = shared.book();
        let Some(outbox) = &mut book.outbox else {
            return;
        };
        match done {
            Ok(()) => {
                outbox.went = came;
                warned = false;
                shared.written.notify_all();
            }
            Err(error) => {
                outbox.afresh = true;
                outbox.lines = Vec::new();
                if outbox.ended {
                    return;
                }
                if !warned {
                    let why = gaveta_text::escape(&error.to_string()).into_owned();
                    tracing::warn!(
                        target: "gaveta::quota", why, "what accounts keep is not written down"
                    );
                }
                warned = true;
                let goes_on = |book: &mut super::Book| {
                    let outbox = book.outbox.as_ref();
                    outbox.is_some_and(|outbox| !outbox.ended)
                };
                drop(shared.more.wait_timeout_while(book, PAUSE, goes_on));
            }
        }
    }
}

/// Waits for something to write; none when nobody will bring any more.
fn next(shared: &Shared) -> Option<(Work, u64)> {
    let mut book = shared.book();
    loop {
        let files = book.files.len();
        let outbox = book.outbox.as_mut()?;
        if outbox.waits() {
            let came = outbox.came;
            let lines = std::mem::take(&mut outbox.lines);
            if !outbox.afresh && outbox.count <= 2 * files + SLACK {
                return Some((Work::Append(lines), came));
            }
            (outbox.afresh, outbox.count) = (false, files);
            return Some((Work::Afresh(book.files.clone()), came));
        }
        if outbox.ended {
            return None;
        }
        book = shared
            .more
            .wait(book)
            .unwrap_or_else(PoisonError::into_inner);
    }
}

/// Nobody brings any more: the thread ends once it has written what waits.
pub(super) fn end(shared: &Shared) {
    if let Some(outbox) = &mut shared.book().outbox {
        outbox.ended = true;
    }
    shared.more.notify_all();
}

/// Waits until what came before is in the file, or the deadline is over. Blocks.
pub(super) fn flush(shared: &Shared, patience: Duration) -> bool {
    let deadline = Instant::now() + patience;
    let mut book = shared.book();
    let wanted = book.outbox.as_ref().map_or(0, |outbox| outbox.came);
    loop {
        if book
            .outbox
            .as_ref()
            .is_none_or(|outbox| outbox.went >= wanted)
        {
            return true;
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return false;
        }
        let waited = shared.written.wait_timeout(book, left);
        book = waited.unwrap_or_else(PoisonError::into_inner).0;
    }
}
