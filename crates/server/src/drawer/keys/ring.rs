//! A ring of keys of one kind: found by the hash of their secret, kept together in one file.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Debug;
use std::fs::File;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use gaveta_core::{Error, ErrorKind, Result};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::Clock;
use super::secret::{Hash, Secret};
use super::sheet::Sheet;
use crate::drawer::stamp::Stamp;

/// How long another change of a file that is not ours is waited for.
const PATIENCE: Duration = Duration::from_secs(2);

/// What opens the drawer by a secret: a token or a share. Never the secret itself.
pub(super) trait Key: Debug + Sized + Send + Sync + 'static {
    /// As it is kept.
    type Record: Serialize + DeserializeOwned;
    /// What changes about keys while they stay: by their ids, under the same lock.
    type Beside: Debug + Default + Send;

    /// The word for one, and for all of them in the file.
    const ONE: &'static str;
    const ALL: &'static str;
    /// What is written; every format up to it is read.
    const FORMAT: u32;
    /// How many there may be, and how many of one account.
    const MOST: usize;
    const MOST_OF_ONE: usize;

    fn id(&self) -> &str;
    fn hash(&self) -> Hash;
    /// The account that it is of.
    fn account(&self) -> &str;
    fn created(&self) -> SystemTime;
    fn expires(&self) -> Option<SystemTime>;

    /// Why there cannot be both, of one account.
    fn clash(&self, known: &Self) -> Option<Error>;
    fn record(&self, beside: &Self::Beside) -> Self::Record;
    /// None when it makes no sense.
    fn read(record: &Self::Record, format: u32, beside: &mut Self::Beside) -> Option<Self>;
    /// What is in the file was changed by others, to this.
    fn follow(beside: &mut Self::Beside, fresh: Self::Beside);
    /// These are in the file now.
    fn kept(beside: &mut Self::Beside, records: &[Self::Record]);
    /// Only these are left.
    fn forget(beside: &mut Self::Beside, still: &HashSet<&str>);
}

/// All keys of a kind. One that is added or removed is kept before that counts; what changes beside
/// is kept now and then. Where others may change the file, it is followed ([`Ring::follow`]), and
/// written only while they are kept from it.
#[derive(Debug)]
pub(super) struct Ring<K: Key> {
    sheet: Sheet,
    clock: Clock,
    /// Held by whoever changes and keeps; those who look never wait for the disk.
    changing: Mutex<Seen>,
    book: Mutex<Book<K>>,
}

type Keys<K> = HashMap<Hash, Arc<K>>;

/// How the file looked; `None` where it was not there.
#[derive(Debug)]
pub(super) struct Seen {
    /// When it was read, or written, last.
    read: Option<Stamp>,
    /// When it was found to make no sense, or gone, which was told.
    wrong: Option<Option<Stamp>>,
}

/// Whoever has it changes and keeps; others are kept from the file.
pub(super) type Turn<'a> = (MutexGuard<'a, Seen>, Option<File>);

#[derive(Debug)]
struct Book<K: Key> {
    keys: Keys<K>,
    beside: K::Beside,
    /// Those that ended here and are still in the file, where that is not ours.
    ended: HashSet<Hash>,
    /// Changes that are kept later, and how many of them were there when the file was written last.
    changes: u64,
    kept: u64,
}

#[derive(Debug, Serialize, Deserialize)]
struct Document<R> {
    format: u32,
    /// By the word for all of them.
    #[serde(flatten)]
    all: BTreeMap<String, Vec<R>>,
}

impl<K: Key> Ring<K> {
    /// Those that are kept in this file, which is made when it is first needed; in memory alone
    /// when there is none.
    ///
    /// # Errors
    /// `Io` when the file cannot be read or is damaged: it is never thrown away.
    pub(super) fn open(sheet: Sheet) -> Result<Self> {
        let seen = Seen {
            read: sheet.stamp(),
            wrong: None,
        };
        let (keys, beside) = read::<K>(&sheet)?;
        let book = Book {
            keys,
            beside,
            ended: HashSet::new(),
            changes: 0,
            kept: 0,
        };
        Ok(Self {
            sheet,
            clock: Clock::start(),
            changing: Mutex::new(seen),
            book: Mutex::new(book),
        })
    }

    fn book(&self) -> MutexGuard<'_, Book<K>> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn changing(&self) -> MutexGuard<'_, Seen> {
        self.changing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until nobody else changes and keeps, here and, where others may, in the file: what
    /// they wrote is taken over.
    ///
    /// # Errors
    /// `ReadOnly` when a server has the file that writes; `Io`.
    pub(super) fn turn(&self, patience: Duration) -> Result<Turn<'_>> {
        let mut seen = self.changing();
        let held = self.sheet.hold(patience)?;
        if held.is_some() {
            self.take_over(&mut seen)?;
        }
        Ok((seen, held))
    }

    /// Takes over what others wrote into the file since: did anything change? Blocks.
    ///
    /// # Errors
    /// `Io` when it is damaged or gone, once for each state of the file; then all stays as it was.
    pub(super) fn follow(&self) -> Result<bool> {
        if self.sheet.is_ours() {
            return Ok(false);
        }
        let mut seen = self.changing();
        if seen.wrong == Some(self.sheet.stamp()) {
            return Ok(false);
        }
        self.take_over(&mut seen)
    }

    fn take_over(&self, seen: &mut Seen) -> Result<bool> {
        let stamp = self.sheet.stamp();
        if stamp == seen.read {
            seen.wrong = None;
            return Ok(false);
        }
        let fresh = match stamp {
            Some(_) => read::<K>(&self.sheet),
            None => Err(self.sheet.gone()),
        };
        let (mut keys, beside) = fresh.inspect_err(|_| seen.wrong = Some(stamp))?;
        *seen = Seen {
            read: stamp,
            wrong: None,
        };
        let mut book = self.book();
        let book = &mut *book;
        book.ended.retain(|hash| keys.contains_key(hash));
        keys.retain(|hash, _| !book.ended.contains(hash));
        K::follow(&mut book.beside, beside);
        book.keys = keys;
        let still = book.keys.values().map(|key| key.id()).collect();
        K::forget(&mut book.beside, &still);
        Ok(true)
    }

    /// Is this time past, by the clock of the ring?
    pub(super) fn is_past(&self, expires: Option<SystemTime>) -> bool {
        self.clock.is_past(expires)
    }

    /// Adds one. Blocks.
    ///
    /// # Errors
    /// What it clashes with; `Busy` when there are too many; `ReadOnly` when the file is another
    /// server's; `Io`.
    pub(super) fn add(&self, key: K) -> Result<Arc<K>> {
        let key = Arc::new(key);
        let mut turn = self.turn(PATIENCE)?;
        let (mut next, seen) = self.all();
        // What expired makes room.
        next.retain(|_, key| !self.is_past(key.expires()));
        let of = |known: &&Arc<K>| known.account() == key.account();
        if let Some(clash) = next.values().filter(of).find_map(|known| key.clash(known)) {
            return Err(clash);
        }
        self.room(&next, key.account())?;
        next.insert(key.hash(), Arc::clone(&key));
        self.keep(&mut turn, &next, seen)?;
        let mut book = self.book();
        book.keys.retain(|_, key| !self.is_past(key.expires()));
        book.keys.insert(key.hash(), Arc::clone(&key));
        drop(book);
        Ok(key)
    }

    /// May this account have one more, as it is now? For an answer before it costs anything;
    /// [`Ring::add`] decides.
    ///
    /// # Errors
    /// `Busy`.
    pub(super) fn has_room(&self, account: &str) -> Result<()> {
        self.room(&self.book().keys, account)
    }

    fn room(&self, keys: &Keys<K>, account: &str) -> Result<()> {
        let live = || keys.values().filter(|key| !self.is_past(key.expires()));
        let of_one = live().filter(|key| key.account() == account).count();
        match of_one >= K::MOST_OF_ONE || live().count() >= K::MOST {
            true => Err(Error::new(ErrorKind::Busy).because(format!("too many {}", K::ALL))),
            false => Ok(()),
        }
    }

    /// Ends the ones that `which` picks, and gives them. Blocks.
    ///
    /// # Errors
    /// `ReadOnly` when the file is another server's; `Io`; then none is ended.
    pub(super) fn remove(&self, which: impl Fn(&K) -> bool) -> Result<Vec<Arc<K>>> {
        let mut turn = self.turn(PATIENCE)?;
        let (mut next, seen) = self.all();
        let gone = take_out(&mut next, &which);
        if !gone.is_empty() {
            self.keep(&mut turn, &next, seen)?;
            take_out(&mut self.book().keys, &which);
        }
        Ok(gone)
    }

    /// As [`Ring::remove`], at once: that it is kept may fail, and is then tried again.
    pub(super) fn end(&self, which: impl Fn(&K) -> bool) -> Vec<Arc<K>> {
        let mut book = self.book();
        let gone = take_out(&mut book.keys, &which);
        book.changes += u64::from(!gone.is_empty());
        if !self.sheet.is_ours() {
            book.ended.extend(gone.iter().map(|key| key.hash()));
        }
        gone
    }

    /// All of them, or those of one account, each with what is beside. Expired ones too, until they
    /// make room.
    pub(super) fn list<T>(
        &self,
        account: Option<&str>,
        beside: impl Fn(&K, &K::Beside) -> T,
    ) -> Vec<(Arc<K>, T)> {
        let book = self.book();
        let of = book.keys.values();
        of.filter(|key| account.is_none_or(|account| key.account() == account))
            .map(|key| (Arc::clone(key), beside(key, &book.beside)))
            .collect()
    }

    /// The one of this secret, unless it has expired.
    pub(super) fn find(&self, secret: &Secret) -> Option<Arc<K>> {
        let key = Arc::clone(self.book().keys.get(&secret.hash())?);
        (!self.is_past(key.expires())).then_some(key)
    }

    /// The one of this id.
    pub(super) fn by_id(&self, id: &str) -> Option<Arc<K>> {
        let book = self.book();
        book.keys.values().find(|key| key.id() == id).cloned()
    }

    /// Is it still there, and not expired?
    pub(super) fn is_live(&self, key: &K) -> bool {
        !self.is_past(key.expires()) && self.book().keys.contains_key(&key.hash())
    }

    /// When the next one expires, of those that have not yet.
    pub(super) fn next_end(&self) -> Option<SystemTime> {
        let now = self.clock.now();
        let book = self.book();
        let ends = book.keys.values().filter_map(|key| key.expires());
        ends.filter(|end| *end > now).min()
    }

    /// Looks at what is beside, or notes what need not be kept.
    pub(super) fn beside<T>(&self, look: impl FnOnce(&mut K::Beside) -> T) -> T {
        look(&mut self.book().beside)
    }

    /// Changes what is beside; that is kept later.
    pub(super) fn note<T>(&self, change: impl FnOnce(&mut K::Beside) -> T) -> T {
        let mut book = self.book();
        book.changes += 1;
        change(&mut book.beside)
    }

    /// Did anything change since it was kept?
    pub(super) fn has_news(&self) -> bool {
        let book = self.book();
        book.changes != book.kept
    }

    /// Keeps what changed beside, and what ended at once; later, while the file is another server's.
    /// Blocks.
    ///
    /// # Errors
    /// `Io`; it may be tried again.
    pub(super) fn keep_news(&self) -> Result<()> {
        if !self.has_news() {
            return Ok(());
        }
        let mut turn = match self.turn(Duration::ZERO) {
            Err(error) if error.kind() == ErrorKind::ReadOnly => return Ok(()),
            turn => turn?,
        };
        let (next, seen) = self.all();
        self.keep(&mut turn, &next, seen)
    }

    /// All of them, and how many changes there had been at that moment: what changes afterwards is
    /// still to be kept.
    pub(super) fn all(&self) -> (Keys<K>, u64) {
        let book = self.book();
        (book.keys.clone(), book.changes)
    }

    /// Writes these, as they were after so many changes, with what is beside them, and forgets that
    /// of all others.
    pub(super) fn keep(&self, turn: &mut Turn<'_>, next: &Keys<K>, seen: u64) -> Result<()> {
        let mut keys: Vec<&Arc<K>> = next.values().collect();
        keys.sort_by(|a, b| (a.created(), a.id()).cmp(&(b.created(), b.id())));
        let records = {
            let book = self.book();
            let keys = keys.iter();
            keys.map(|key| key.record(&book.beside)).collect()
        };
        let mut document = Document {
            format: K::FORMAT,
            all: [(K::ALL.to_owned(), records)].into(),
        };
        self.sheet.write(&document)?;
        turn.0.read = self.sheet.stamp();
        let records = document.all.remove(K::ALL).unwrap_or_default();
        let mut book = self.book();
        book.kept = seen;
        let written = |hash: &Hash| next.contains_key(hash);
        book.ended.retain(written);
        K::kept(&mut book.beside, &records);
        let still = keys.iter().map(|key| key.id()).collect();
        K::forget(&mut book.beside, &still);
        Ok(())
    }
}

/// What the file says; nothing, when it is not there.
fn read<K: Key>(sheet: &Sheet) -> Result<(Keys<K>, K::Beside)> {
    let (mut keys, mut beside) = (HashMap::new(), K::Beside::default());
    let Some(document) = sheet.read::<Document<K::Record>>()? else {
        return Ok((keys, beside));
    };
    let Document { format, all } = document;
    let wrong = |why: String| Error::new(ErrorKind::Io).because(why);
    if format == 0 || format > K::FORMAT {
        let all = K::ALL;
        return Err(wrong(format!(
            "{all} of format {format}, which is not known"
        )));
    }
    let records = all.get(K::ALL);
    let records = records.ok_or_else(|| wrong(format!("no {}: damaged", K::ALL)))?;
    for (place, record) in records.iter().enumerate() {
        let key = K::read(record, format, &mut beside);
        let key = key.ok_or_else(|| wrong(format!("{} {}: damaged", K::ONE, place + 1)))?;
        keys.insert(key.hash(), Arc::new(key));
    }
    Ok((keys, beside))
}

fn take_out<K: Key>(keys: &mut Keys<K>, which: impl Fn(&K) -> bool) -> Vec<Arc<K>> {
    let mut out = Vec::new();
    keys.retain(|_, key| {
        let goes = which(key);
        if goes {
            out.push(Arc::clone(key));
        }
        !goes
    });
    out
}
