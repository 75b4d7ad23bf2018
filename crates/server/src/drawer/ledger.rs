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
    /// How many at once that one account answers for. All visitors are one.
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
    /// How many each payer has, and their bytes.
    payers: HashMap<Owner, (usize, u64)>,
    /// Open ones, and places taken for those that are just being begun.
    count: usize,
    bytes: u64,
    finished: HashMap<UploadId, Finished>,
    order: VecDeque<UploadId>,
}

#[derive(Debug, Clone)]
struct Line {
    owner: Owner,
    /// Who answers for it: the owner, or who made the share that he came by.
    payer: Owner,
    bytes: u64,
}

impl Book {
    fn add(&mut self, payer: &Owner, bytes: u64) {
        let of_one = self.payers.entry(payer.clone()).or_default();
        of_one.0 += 1;
        of_one.1 = of_one.1.saturating_add(bytes);
        self.count += 1;
        self.bytes = self.bytes.saturating_add(bytes);
    }

    fn take_off(&mut self, payer: &Owner, bytes: u64) {
        if let Some(of_one) = self.payers.get_mut(payer) {
            of_one.0 = of_one.0.saturating_sub(1);
            of_one.1 = of_one.1.saturating_sub(bytes);
            if of_one.0 == 0 {
                self.payers.remove(payer);
            }
        }
        self.count = self.count.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(bytes);
    }

    fn strike(&mut self, id: &UploadId) -> Option<Line> {
        let line = self.open.remove(id)?;
        self.take_off(&line.payer, line.bytes);
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

    /// How many bytes are under way that this one answers for.
    pub(crate) fn bytes_of(&self, payer: &Owner) -> u64 {
        self.book().payers.get(payer).map_or(0, |of_one| of_one.1)
    }

    /// Takes a place for one more, of this many bytes. It is free again when the place is dropped.
    /// All that the payer answers for takes no more than `room`, where there is a quota.
    ///
    /// # Errors
    /// `Busy` when there are too many, `NoSpace` when they are too large together.
    pub(crate) fn take(
        self: &Arc<Self>,
        owner: &Owner,
        payer: &Owner,
        bytes: u64,
        room: Option<u64>,
    ) -> Result<Place> {
        let mut book = self.book();
        let (of_one, held) = book.payers.get(payer).copied().unwrap_or_default();
        if room.is_some_and(|room| held.checked_add(bytes).is_none_or(|sum| sum > room)) {
            return Err(quota::full(&payer.0));
        }
        if book.count >= self.limits.uploads || of_one >= self.limits.uploads_of_one {
            return Err(Error::new(ErrorKind::Busy).because("too many uploads are under way"));
        }
        self.fits(&book, bytes)?;
        book.add(payer, bytes);
        let line = Line {
            owner: owner.clone(),
            payer: payer.clone(),
            bytes,
        };
        Ok(Place {
            ledger: Arc::clone(self),
            line,
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
            if let Some(of_one) = book.payers.get_mut(&line.payer) {
                let sum = of_one.1.saturating_add(more);
                if room.is_some_and(|room| sum > room) {
                    return Err(quota::full(&line.payer.0));
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

    /// Enters an upload that the store has, for who answers for its owner. Over the limits too: it
    /// is there.
    pub(crate) fn enter(&self, state: &UploadState, payer: impl FnOnce(&Owner) -> Owner) {
        let mut book = self.book();
        if book.open.contains_key(&state.id) || book.finished.contains_key(&state.id) {
            return;
        }
        let bytes = state.length.unwrap_or_else(|| state.arrived.end());
        let payer = payer(&state.owner);
        book.add(&payer, bytes);
        let line = Line {
            owner: state.owner.clone(),
            payer,
            bytes,
        };
        book.open.insert(state.id.clone(), line);
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
    line: Line,
    settled: bool,
}

impl Place {
    /// The upload is there, under this id.
    pub(crate) fn settle(mut self, id: &UploadId) {
        self.settled = true;
        let mut book = self.ledger.book();
        // A look into the store may have been quicker.
        if let Some(twice) = book.open.insert(id.clone(), self.line.clone()) {
            book.take_off(&twice.payer, twice.bytes);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if !self.settled {
            self.ledger
                .book()
                .take_off(&self.line.payer, self.line.bytes);
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

    /// Of one who answers for himself.
    fn take(ledger: &Arc<Ledger>, of: &Owner, bytes: u64, room: Option<u64>) -> Result<Place> {
        ledger.take(of, of, bytes, room)
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
        take(&ledger, &ana, 1, None).unwrap().settle(&id(1));
        let second = take(&ledger, &ana, 1, None).unwrap();
        assert_eq!(kind(take(&ledger, &ana, 1, None)), Err(ErrorKind::Busy));
        take(&ledger, &bob, 1, None).unwrap().settle(&id(2));
        assert_eq!(kind(take(&ledger, &bob, 1, None)), Err(ErrorKind::Busy));
        drop(second);
        take(&ledger, &bob, 1, None).unwrap().settle(&id(3));
        ledger.gone(&id(1));
        ledger.gone(&id(1));
        assert_eq!(ledger.count(), 2);
        assert_eq!(kind(take(&ledger, &ana, 998, None)), Ok(()));
        assert_eq!(
            kind(take(&ledger, &ana, 999, None)),
            Err(ErrorKind::NoSpace)
        );
        assert_eq!(
            kind(take(&ledger, &ana, u64::MAX, None)),
            Err(ErrorKind::NoSpace)
        );
    }

    #[test]
    fn what_comes_by_shares_counts_for_their_maker() {
        let ledger = Ledger::new(limits(9, 3, 1000));
        let ana = owner("ana");
        let by = |share: &str| ledger.take(&owner(share), &ana, 10, Some(25));
        by("share:1").unwrap().settle(&id(1));
        by("share:2").unwrap().settle(&id(2));
        assert_eq!(ledger.bytes_of(&ana), 20);
        assert_eq!(by("share:3").unwrap_err().kind(), ErrorKind::NoSpace);
        take(&ledger, &ana, 1, Some(25)).unwrap().settle(&id(3));
        let third = take(&ledger, &ana, 1, Some(25));
        assert_eq!(third.unwrap_err().kind(), ErrorKind::Busy);
        ledger.committed(&id(1), &entry(), None);
        assert_eq!(ledger.finished(&id(1)).unwrap().owner, owner("share:1"));
        assert_eq!(ledger.bytes_of(&ana), 11);
    }

    #[test]
    fn an_upload_of_unknown_length_takes_room_as_it_grows() {
        let ledger = Ledger::new(limits(9, 9, 100));
        take(&ledger, &owner("a"), 0, None).unwrap().settle(&id(1));
        ledger.grow(&id(1), 60, None).unwrap();
        ledger.grow(&id(1), 50, None).unwrap();
        ledger.grow(&id(1), 100, None).unwrap();
        assert_eq!(
            ledger.grow(&id(1), 101, None).unwrap_err().kind(),
            ErrorKind::NoSpace
        );
        ledger.committed(&id(1), &entry(), None);
        assert!(ledger.finished(&id(1)).is_some());
        take(&ledger, &owner("a"), 100, None)
            .unwrap()
            .settle(&id(2));
    }

    #[test]
    fn what_the_store_no_longer_has_is_struck_and_what_it_has_entered() {
        let ledger = Ledger::new(limits(9, 9, 100));
        take(&ledger, &owner("a"), 40, None).unwrap().settle(&id(1));
        let known = ledger.known();
        take(&ledger, &owner("a"), 40, None).unwrap().settle(&id(2));
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
        ledger.enter(&state, Owner::clone);
        ledger.enter(&state, Owner::clone);
        ledger.settle_with(&known, &[id(3)].into());
        assert_eq!(ledger.known(), [id(2), id(3)].into());
        assert_eq!(
            take(&ledger, &owner("a"), 1, None).unwrap_err().kind(),
            ErrorKind::NoSpace
        );
        ledger.gone(&id(3));
        assert!(take(&ledger, &owner("a"), 60, None).is_ok());
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
            take(&ledger, &owner("a"), 1, None)
                .unwrap()
                .settle(&numbered(n));
            ledger.committed(&numbered(n), &entry(), None);
        }
        assert!(ledger.finished(&numbered(9)).is_none());
        assert!(ledger.finished(&numbered(10)).is_some());
        assert_eq!(ledger.count(), 0);
    }
}
