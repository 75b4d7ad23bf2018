//! What the accounts with a quota keep here: which files are theirs, and how large.
//!
//! The store knows no owners, so a book is kept beside it ([`journal`]), read back at the next start.
//! Other programs may change the folder too: before anybody is told that his quota is
//! full, his files are looked at again.

mod journal;

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use gaveta_core::{Error, ErrorKind, Path, Result};
use serde::{Deserialize, Serialize};

use journal::{Files, Journal, Outbox};

/// How often the files of one account are looked at again.
const LOOK: Duration = Duration::from_secs(10);

/// One change.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Change {
    Kept {
        path: String,
        owner: String,
        size: u64,
    },
    Gone {
        path: String,
    },
    Moved {
        from: String,
        to: String,
    },
}

/// The book of all accounts with a quota. Its file is written by a thread, which ends with it.
#[derive(Debug, Default)]
pub(crate) struct Quotas(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    book: Mutex<Book>,
    /// There is something to write, or nobody will bring any more.
    more: Condvar,
    /// Something was written.
    written: Condvar,
}

impl Shared {
    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug, Default)]
struct Book {
    /// By path, so that what is beneath a folder lies together.
    files: Files,
    used: HashMap<Arc<str>, u64>,
    /// Under way, and not counted by the ledger.
    open: HashMap<Arc<str>, u64>,
    /// For the file, where there is one.
    outbox: Option<Outbox>,
    /// When each was looked at again.
    looked: HashMap<Arc<str>, Instant>,
}

impl Quotas {
    /// The book in this file, which is made when it is first needed; in memory alone, without.
    ///
    /// # Errors
    /// Those of the system.
    pub(crate) fn open(file: Option<PathBuf>) -> io::Result<Self> {
        let mut book = Book::default();
        let Some(path) = file else {
            return Ok(Self::default());
        };
        match File::open(&path) {
            Ok(file) => journal::read(file, |change| book.apply(change))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let journal = Journal::afresh(path, &book.files)?;
        Self::with(book, journal)
    }

    /// This book, which goes on in this file.
    fn with(mut book: Book, journal: Journal) -> io::Result<Self> {
        book.outbox = Some(Outbox::new(book.files.len()));
        let shared = Arc::new(Shared {
            book: Mutex::new(book),
            ..Shared::default()
        });
        let writer = Arc::clone(&shared);
        std::thread::Builder::new()
            .name("gaveta-quota".to_owned())
            .spawn(move || journal::write_all(&writer, journal))?;
        Ok(Self(shared))
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.0.book()
    }

    /// Waits until what was noted before is in the file, or the deadline is over. Blocks.
    pub(crate) fn flush(&self, patience: Duration) -> bool {
        journal::flush(&self.0, patience)
    }

    /// Notes what the book as it is now makes of it.
    fn note(&self, change: impl FnOnce(&Book) -> Option<Change>) {
        let mut book = self.book();
        let Some(change) = change(&book) else { return };
        book.apply(&change);
        if let Some(outbox) = &mut book.outbox {
            outbox.enter(&change);
            drop(book);
            self.0.more.notify_all();
        }
    }

    /// How much this account has published and has under way (but for what the ledger counts).
    pub(crate) fn used(&self, owner: &str) -> u64 {
        let book = self.book();
        let of = |table: &HashMap<Arc<str>, u64>| table.get(owner).copied().unwrap_or(0);
        of(&book.used).saturating_add(of(&book.open))
    }

    /// May the files of this account be looked at again now? Not all the time, for it may be many.
    pub(crate) fn may_look(&self, owner: &str) -> bool {
        let mut book = self.book();
        let now = Instant::now();
        let again = |looked: &Instant| now.duration_since(*looked) >= LOOK;
        let may = book.looked.get(owner).is_none_or(again);
        if may {
            book.looked.insert(owner.into(), now);
        }
        may
    }

    /// What this account published.
    pub(crate) fn files_of(&self, owner: &str) -> Vec<(String, u64)> {
        let book = self.book();
        let own = book.files.iter().filter(|(_, (of, _))| &**of == owner);
        own.map(|(path, (_, size))| (path.clone(), *size)).collect()
    }

    /// Room for what is under way and nobody else counts, as it grows.
    pub(crate) fn hold(self: &Arc<Self>, owner: &str) -> Holding {
        Holding(Arc::new(Held {
            quotas: Arc::clone(self),
            owner: owner.into(),
            bytes: Mutex::new(0),
        }))
    }

    /// This file is there now: of this account, when it has a quota.
    pub(crate) fn kept(&self, path: &Path, owner: Option<(&str, u64)>) {
        let path = path.as_str();
        self.note(|book| match owner {
            Some((owner, size)) => Some(Change::Kept {
                path: path.to_owned(),
                owner: owner.to_owned(),
                size,
            }),
            None if book.files.contains_key(path) => Some(Change::Gone {
                path: path.to_owned(),
            }),
            None => None,
        });
    }

    /// It is gone, with all that was beneath.
    pub(crate) fn gone(&self, path: &Path) {
        self.note(|book| {
            book.concerns(path).then(|| Change::Gone {
                path: path.as_str().to_owned(),
            })
        });
    }

    /// It has another name, with all that is beneath.
    pub(crate) fn moved(&self, from: &Path, to: &Path) {
        self.note(|book| {
            let concerns = from != to && (book.concerns(from) || book.concerns(to));
            concerns.then(|| Change::Moved {
                from: from.as_str().to_owned(),
                to: to.as_str().to_owned(),
            })
        });
    }
}

impl Drop for Quotas {
    fn drop(&mut self) {
        journal::end(&self.0);
    }
}

impl Book {
    /// Does it know something at this path or beneath?
    fn concerns(&self, path: &Path) -> bool {
        self.beneath(path.as_str()).next().is_some()
    }

    /// What is at this path and beneath.
    fn beneath<'a>(&'a self, path: &'a str) -> impl Iterator<Item = String> + 'a {
        let inside = move |known: &str| {
            path.is_empty()
                || known
                    .strip_prefix(path)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        self.files
            .range(path.to_owned()..)
            .map(|(known, _)| known)
            .take_while(move |known| known.starts_with(path))
            .filter(move |known| inside(known))
            .cloned()
    }

    fn apply(&mut self, change: &Change) {
        match change {
            Change::Kept { path, owner, size } => {
                self.drop_one(path);
                let owner: Arc<str> = owner.as_str().into();
                *self.used.entry(Arc::clone(&owner)).or_default() += size;
                self.files.insert(path.clone(), (owner, *size));
            }
            Change::Gone { path } => {
                let all: Vec<String> = self.beneath(path).collect();
                for path in all {
                    self.drop_one(&path);
                }
            }
            Change::Moved { from, to } => {
                let moved: Vec<String> = self.beneath(from).collect();
                let moved: Vec<(String, (Arc<str>, u64))> = moved
                    .into_iter()
                    .filter_map(|path| Some((path.clone(), self.drop_one(&path)?)))
                    .collect();
                // What was there is replaced.
                let replaced: Vec<String> = self.beneath(to).collect();
                for path in replaced {
                    self.drop_one(&path);
                }
                for (path, (owner, size)) in moved {
                    let rest = path.strip_prefix(from.as_str()).unwrap_or_default();
                    *self.used.entry(Arc::clone(&owner)).or_default() += size;
                    self.files.insert(format!("{to}{rest}"), (owner, size));
                }
            }
        }
    }

    fn drop_one(&mut self, path: &str) -> Option<(Arc<str>, u64)> {
        let (owner, size) = self.files.remove(path)?;
        if let Some(used) = self.used.get_mut(&owner) {
            *used = used.saturating_sub(size);
            if *used == 0 {
                self.used.remove(&owner);
            }
        }
        Some((owner, size))
    }
}

/// Bytes under way of one upload, free again when the last clone is dropped.
#[derive(Debug, Clone)]
pub(crate) struct Holding(Arc<Held>);

#[derive(Debug)]
struct Held {
    quotas: Arc<Quotas>,
    owner: Arc<str>,
    bytes: Mutex<u64>,
}

impl Holding {
    /// It holds this many bytes now, if the account's room allows it.
    ///
    /// # Errors
    /// `NoSpace`.
    pub(crate) fn grow(&self, end: u64, quota: u64, kept: u64) -> Result<()> {
        let Held {
            quotas,
            owner,
            bytes,
        } = &*self.0;
        let mut bytes = bytes.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(more) = end.checked_sub(*bytes).filter(|more| *more > 0) else {
            return Ok(());
        };
        let mut book = quotas.book();
        let used = book.used.get(owner).copied().unwrap_or(0);
        let open = book.open.entry(Arc::clone(owner)).or_default();
        let sum = used.saturating_add(*open).saturating_add(kept);
        if sum.checked_add(more).is_none_or(|sum| sum > quota) {
            return Err(full(owner));
        }
        *open = open.saturating_add(more);
        *bytes = end;
        Ok(())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let bytes = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        let mut book = self.quotas.book();
        if let Some(open) = book.open.get_mut(&self.owner) {
            *open = open.saturating_sub(*bytes);
            if *open == 0 {
                book.open.remove(&self.owner);
            }
        }
    }
}

/// The error of an account that keeps as much as it may.
pub(crate) fn full(owner: &str) -> Error {
    Error::new(ErrorKind::NoSpace).because(format!("the quota of {owner} is full"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    const SOON: Duration = Duration::from_secs(60);

    fn path(text: &str) -> Path {
        Path::parse(text).unwrap()
    }

    #[test]
    fn what_is_kept_follows_what_happens_and_survives() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("usage.jsonl");
        let quotas = Quotas::open(Some(file.clone())).unwrap();
        quotas.kept(&path("a/1"), Some(("ana", 10)));
        quotas.kept(&path("a/2"), Some(("ana", 20)));
        quotas.kept(&path("ab"), Some(("bob", 5)));
        quotas.kept(&path("a/2"), Some(("bob", 7)));
        assert_eq!((quotas.used("ana"), quotas.used("bob")), (10, 12));
        quotas.moved(&path("a"), &path("c"));
        quotas.moved(&path("c/1"), &path("ab"));
        assert_eq!((quotas.used("ana"), quotas.used("bob")), (10, 7));
        assert_eq!(quotas.files_of("ana"), [("ab".to_owned(), 10)]);
        assert!(quotas.flush(SOON));
        drop(quotas);
        let mut whole = std::fs::read(&file).unwrap();
        whole.extend_from_slice(b"{\"gone\":{\"pa");
        std::fs::write(&file, whole).unwrap();
        let quotas = Quotas::open(Some(file)).unwrap();
        assert_eq!((quotas.used("ana"), quotas.used("bob")), (10, 7));
        // Somebody without a quota takes its place.
        quotas.kept(&path("ab"), None);
        quotas.gone(&path("c"));
        assert_eq!((quotas.used("ana"), quotas.used("bob")), (0, 0));
    }

    #[test]
    fn a_disk_that_was_full_is_written_again_and_nothing_is_missing() {
        let home = tempfile::tempdir().unwrap();
        let (folder, known) = (home.path().join("state"), home.path().join("known"));
        let path_of_book = folder.join("usage.jsonl");
        fs::write(&folder, "in the way").unwrap();
        let full = File::options().write(true).open("/dev/full").unwrap();
        let journal = Journal {
            path: path_of_book.clone(),
            file: full,
        };
        let quotas = Quotas::with(Book::default(), journal).unwrap();
        quotas.kept(&path("a"), Some(("ana", 10)));
        assert!(!quotas.flush(Duration::from_millis(200)));
        quotas.kept(&path("b"), Some(("ana", 5)));
        quotas.moved(&path("a"), &path("c"));
        fs::rename(&folder, known).unwrap();
        assert!(quotas.flush(SOON));
        // And it goes on with lines.
        quotas.kept(&path("d"), Some(("ana", 1)));
        assert!(quotas.flush(SOON));
        assert_eq!(
            fs::read_to_string(&path_of_book).unwrap().lines().count(),
            3
        );
        drop(quotas);
        let again = Quotas::open(Some(path_of_book)).unwrap();
        assert_eq!(again.used("ana"), 16);
        assert_eq!(again.files_of("ana").len(), 3);
    }

    #[test]
    fn the_file_stays_as_small_as_what_is_in_force() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("usage.jsonl");
        let quotas = Quotas::open(Some(file.clone())).unwrap();
        for size in 0..25_000 {
            quotas.kept(&path("a"), Some(("ana", size)));
        }
        assert!(quotas.flush(SOON));
        let lines = fs::read_to_string(&file).unwrap().lines().count();
        assert!(lines <= 15_000, "{lines}");
        drop(quotas);
        assert_eq!(Quotas::open(Some(file)).unwrap().used("ana"), 24_999);
    }

    #[test]
    fn what_is_under_way_counts_until_it_ends() {
        let quotas = Arc::new(Quotas::default());
        quotas.kept(&path("a"), Some(("ana", 40)));
        let (one, two) = (quotas.hold("ana"), quotas.hold("ana"));
        one.grow(50, 100, 0).unwrap();
        assert_eq!(two.grow(11, 100, 0).unwrap_err().kind(), ErrorKind::NoSpace);
        two.grow(10, 100, 0).unwrap();
        assert_eq!(one.grow(51, 100, 0).unwrap_err().kind(), ErrorKind::NoSpace);
        drop(two);
        one.grow(60, 100, 0).unwrap();
        drop(one);
        assert_eq!(quotas.used("ana"), 40);
    }
}
