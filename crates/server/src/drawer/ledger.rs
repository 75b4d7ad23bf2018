//! The uploads under way, counted: how many and how large, by owner and in all.
//!
//! The store is the truth; the ledger is what is known of it without asking. It is counted when
//! the server starts, follows what the guard does, and is compared with the store now and then.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gaveta_core::{Entry, Error, ErrorKind, Owner, Result, UploadId, UploadState};

use super::quota;

/// How many committed uploads are remembered, so that a client whose answer was lost learns how
/// it ended.
const REMEMBERED: usize = 4096;

/// What uploads under way may take.
#[derive(Debug, Clone, Copy)]
pub struct UploadLimits {
    /// How many at once, in all.
    pub uploads: usize,
    /// How many at once that belong to one owner. All visitors are one owner.
    pub uploads_of_one: usize,
    /// How many bytes at once, in all: the declared lengths, or what arrived where none was.
    pub bytes: Option<u64>,
    /// How long an upload to which nothing arrives is kept.
    pub expiry: Duration,
}

impl Default for UploadLimits {
    fn default() -> Self {
        Self {
            uploads: 10_000,
            uploads_of_one: 1_000,
            bytes: None,
            expiry: Duration::from_secs(7 * 24 * 60 * 60),
        }
    }
}

/// An upload that was committed.
#[derive(Debug, Clone)]
pub(crate) struct Finished {
    /// Whose it was.
    pub(crate) owner: Owner,
    /// What was published.
    pub(crate) entry: Entry,
    /// The note of its plan.
    pub(crate) note: Option<String>,
}

/// The uploads under way. Bounded by its limits.
#[derive(Debug)]
pub(crate) struct Ledger {
    limits: UploadLimits,
    book: Mutex<Book>,
}

#[derive(Debug, Default)]
struct Book {
    open: HashMap<UploadId, Line>,
    /// How many of each, and their bytes.
    owners: HashMap<Owner, (usize, u64)>,
    /// Open ones, and places taken for those that are just being begun.
    count: usize,
    bytes: u64,
    finished: HashMap<UploadId, Finished>,
    order: VecDeque<UploadId>,
}

#[derive(Debug)]
struct Line {
    owner: Owner,
    bytes: u64,
}

impl Book {
    fn add(&mut self, owner: &Owner, bytes: u64) {
        let of_one = self.owners.entry(owner.clone()).or_default();
        of_one.0 += 1;
        of_one.1 = of_one.1.saturating_add(bytes);
        self.count += 1;
        self.bytes = self.bytes.saturating_add(bytes);
    }

    fn take_off(&mut self, owner: &Owner, bytes: u64) {
        if let Some(of_one) = self.owners.get_mut(owner) {
            of_one.0 = of_one.0.saturating_sub(1);
            of_one.1 = of_one.1.saturating_sub(bytes);
            if of_one.0 == 0 {
                self.owners.remove(owner);
            }
        }
        self.count = self.count.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(bytes);
    }

    fn strike(&mut self, id: &UploadId) -> Option<Line> {
        let line = self.open.remove(id)?;
        self.take_off(&line.owner, line.bytes);
        Some(line)
    }
}

impl Ledger {
    /// Nothing under way.
    pub(crate) fn new(limits: UploadLimits) -> Arc<Self> {
        Arc::new(Self {
            limits,
            book: Mutex::default(),
        })
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long an upload is kept.
    pub(crate) fn expiry(&self) -> Duration {
        self.limits.expiry
    }

    /// How many are under way.
    pub(crate) fn count(&self) -> usize {
        self.book().count
    }

    /// How many bytes of this owner are under way.
    pub(crate) fn bytes_of(&self, owner: &Owner) -> u64 {
        self.book().owners.get(owner).map_or(0, |of_one| of_one.1)
    }

    /// Takes a place for one more, of this many bytes. It is free again when the place is dropped.
    /// All of the owner's together take no more than `room`, where there is a quota.
    ///
    /// # Errors
    /// `Busy` when there are too many, `NoSpace` when they are too large together.
    pub(crate) fn take(
        self: &Arc<Self>,
        owner: &Owner,
        bytes: u64,
        room: Option<u64>,
    ) -> Result<Place> {
        let mut book = self.book();
        let (of_one, held) = book.owners.get(owner).copied().unwrap_or_default();
        if room.is_some_and(|room| held.checked_add(bytes).is_none_or(|sum| sum > room)) {
            return Err(quota::full(&owner.0));
        }
        if book.count >= self.limits.uploads || of_one >= self.limits.uploads_of_one {
            return Err(Error::new(ErrorKind::Busy).because("too many uploads are under way"));
        }
        self.fits(&book, bytes)?;
        book.add(owner, bytes);
        Ok(Place {
            ledger: Arc::clone(self),
            owner: owner.clone(),
            bytes,
            settled: false,
        })
    }

    fn fits(&self, book: &Book, more: u64) -> Result<()> {
        let limit = self.limits.bytes.unwrap_or(u64::MAX);
        if book.bytes.checked_add(more).is_some_and(|sum| sum <= limit) {
            return Ok(());
        }
        Err(Error::new(ErrorKind::NoSpace).because("the uploads under way are too large together"))
    }

    /// The content reaches up to `end`: takes the room beyond what the upload has already.
    ///
    /// # Errors
    /// `NoSpace`.
    pub(crate) fn grow(&self, id: &UploadId, end: u64, room: Option<u64>) -> Result<()> {
        let mut book = self.book();
        let Some(more) = book
            .open
            .get(id)
            .and_then(|line| end.checked_sub(line.bytes))
        else {
            return Ok(());
        };
        if more == 0 {
            return Ok(());
        }
        self.fits(&book, more)?;
        let book = &mut *book;
        if let Some(line) = book.open.get_mut(id) {
            if let Some(of_one) = book.owners.get_mut(&line.owner) {
                let sum = of_one.1.saturating_add(more);
                if room.is_some_and(|room| sum > room) {
                    return Err(quota::full(&line.owner.0));
                }
                of_one.1 = sum;
            }
            line.bytes = end;
        }
        book.bytes = book.bytes.saturating_add(more);
        Ok(())
    }

    /// It was committed.
    pub(crate) fn committed(&self, id: &UploadId, entry: &Entry, note: Option<String>) {
        let mut book = self.book();
        let Some(line) = book.strike(id) else { return };
        let finished = Finished {
            owner: line.owner,
            entry: entry.clone(),
            note,
        };
        if book.finished.insert(id.clone(), finished).is_none() {
            book.order.push_back(id.clone());
        }
        while book.order.len() > REMEMBERED {
            if let Some(oldest) = book.order.pop_front() {
                book.finished.remove(&oldest);
            }
        }
    }

    /// How an upload ended that was committed not long ago.
    pub(crate) fn finished(&self, id: &UploadId) -> Option<Finished> {
        self.book().finished.get(id).cloned()
    }

    /// It is no more.
    pub(crate) fn gone(&self, id: &UploadId) {
        self.book().strike(id);
    }

    /// The ids that are known now: what [`Ledger::settle_with`] compares.
    pub(crate) fn known(&self) -> HashSet<UploadId> {
        self.book().open.keys().cloned().collect()
    }

    /// Enters an upload that the store has. Over the limits too: it is there.
    pub(crate) fn enter(&self, state: &UploadState) {
        let mut book = self.book();
        if book.open.contains_key(&state.id) || book.finished.contains_key(&state.id) {
            return;
        }
        let bytes = state.length.unwrap_or_else(|| state.arrived.end());
        book.add(&state.owner, bytes);
        let owner = state.owner.clone();
        book.open.insert(state.id.clone(), Line { owner, bytes });
    }

    /// Strikes what was `known` before the store was asked and the store did not have.
    pub(crate) fn settle_with(&self, known: &HashSet<UploadId>, there: &HashSet<UploadId>) {
        let mut book = self.book();
        for id in known.difference(there) {
            book.strike(id);
        }
    }
}

/// A place for an upload that is just being begun.
#[derive(Debug)]
pub(crate) struct Place {
    ledger: Arc<Ledger>,
    owner: Owner,
    bytes: u64,
    settled: bool,
}

impl Place {
    /// The upload is there, under this id.
    pub(crate) fn settle(mut self, id: &UploadId) {
        self.settled = true;
        let line = Line {
            owner: self.owner.clone(),
            bytes: self.bytes,
        };
        let mut book = self.ledger.book();
        // A look into the store may have been quicker.
        if let Some(twice) = book.open.insert(id.clone(), line) {
            book.take_off(&twice.owner, twice.bytes);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if !self.settled {
            self.ledger.book().take_off(&self.owner, self.bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gaveta_core::{Kind, Path, Version};
    use std::time::SystemTime;

    fn limits(uploads: usize, of_one: usize, bytes: u64) -> UploadLimits {
        UploadLimits {
            uploads,
            uploads_of_one: of_one,
            bytes: Some(bytes),
            ..UploadLimits::default()
        }
    }

    fn owner(name: &str) -> Owner {
        Owner(name.into())
    }

    fn id(n: u8) -> UploadId {
        UploadId::from_bytes([n; 16])
    }

    fn entry() -> Entry {
        Entry {
            path: Path::parse("a").unwrap(),
            kind: Kind::File,
            size: 1,
            modified: SystemTime::now(),
            version: Version::parse("v").unwrap(),
            digest: None,
            executable: false,
        }
    }

    #[test]
    fn places_are_bounded_by_owner_and_in_all_and_come_back() {
        let ledger = Ledger::new(limits(3, 2, 1000));
        let (ana, bob) = (owner("ana"), owner("bob"));
        let kind = |taken: Result<Place>| taken.map(|_| ()).map_err(|error| error.kind());
        ledger.take(&ana, 1, None).unwrap().settle(&id(1));
        let second = ledger.take(&ana, 1, None).unwrap();
        assert_eq!(kind(ledger.take(&ana, 1, None)), Err(ErrorKind::Busy));
        ledger.take(&bob, 1, None).unwrap().settle(&id(2));
        assert_eq!(kind(ledger.take(&bob, 1, None)), Err(ErrorKind::Busy));
        drop(second);
        ledger.take(&bob, 1, None).unwrap().settle(&id(3));
        ledger.gone(&id(1));
        ledger.gone(&id(1));
        assert_eq!(ledger.count(), 2);
        assert_eq!(kind(ledger.take(&ana, 998, None)), Ok(()));
        assert_eq!(kind(ledger.take(&ana, 999, None)), Err(ErrorKind::NoSpace));
        assert_eq!(
            kind(ledger.take(&ana, u64::MAX, None)),
            Err(ErrorKind::NoSpace)
        );
    }

    #[test]
    fn an_upload_of_unknown_length_takes_room_as_it_grows() {
        let ledger = Ledger::new(limits(9, 9, 100));
        ledger.take(&owner("a"), 0, None).unwrap().settle(&id(1));
        ledger.grow(&id(1), 60, None).unwrap();
        ledger.grow(&id(1), 50, None).unwrap();
        ledger.grow(&id(1), 100, None).unwrap();
        assert_eq!(
            ledger.grow(&id(1), 101, None).unwrap_err().kind(),
            ErrorKind::NoSpace
        );
        ledger.committed(&id(1), &entry(), None);
        assert!(ledger.finished(&id(1)).is_some());
        ledger.take(&owner("a"), 100, None).unwrap().settle(&id(2));
    }

    #[test]
    fn what_the_store_no_longer_has_is_struck_and_what_it_has_entered() {
        let ledger = Ledger::new(limits(9, 9, 100));
        ledger.take(&owner("a"), 40, None).unwrap().settle(&id(1));
        let known = ledger.known();
        ledger.take(&owner("a"), 40, None).unwrap().settle(&id(2));
        let state = UploadState {
            id: id(3),
            target: None,
            owner: owner("b"),
            length: Some(500),
            arrived: gaveta_core::Ranges::new(),
            base: None,
            note: None,
            touched: SystemTime::now(),
        };
        ledger.enter(&state);
        ledger.enter(&state);
        ledger.settle_with(&known, &[id(3)].into());
        assert_eq!(ledger.known(), [id(2), id(3)].into());
        assert_eq!(
            ledger.take(&owner("a"), 1, None).unwrap_err().kind(),
            ErrorKind::NoSpace
        );
        ledger.gone(&id(3));
        assert!(ledger.take(&owner("a"), 60, None).is_ok());
    }

    #[test]
    fn only_the_latest_commits_are_remembered() {
        let ledger = Ledger::new(UploadLimits {
            uploads_of_one: 1 << 20,
            ..UploadLimits::default()
        });
        let numbered = |n: u32| {
            let mut bytes = [0; 16];
            bytes[..4].copy_from_slice(&n.to_be_bytes());
            UploadId::from_bytes(bytes)
        };
        for n in 0..REMEMBERED as u32 + 10 {
            ledger
                .take(&owner("a"), 1, None)
                .unwrap()
                .settle(&numbered(n));
            ledger.committed(&numbered(n), &entry(), None);
        }
        assert!(ledger.finished(&numbered(9)).is_none());
        assert!(ledger.finished(&numbered(10)).is_some());
        assert_eq!(ledger.count(), 0);
    }
}
