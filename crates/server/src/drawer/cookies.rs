//! A browser's sessions: a secret in a cookie, which says nothing by itself.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gaveta_core::{Account, Error, ErrorKind, Result};
use tokio::time::Instant;
use zeroize::Zeroizing;

use super::accounts::{Accounts, SignedIn};
use super::pass::Standing;

/// How many there are at most, in all and of one account. The one that was used least lately goes.
const SESSIONS: usize = 4096;
const OF_ONE: usize = 32;
/// How long one lasts that is not used, and at most.
const IDLE: Duration = Duration::from_secs(12 * 60 * 60);
const LONGEST: Duration = Duration::from_secs(14 * 24 * 60 * 60);

/// The sessions of browsers. Only hashes of their secrets are kept.
#[derive(Debug)]
pub(crate) struct Cookies {
    accounts: Arc<Accounts>,
    table: Mutex<HashMap<blake3::Hash, Held>>,
}

#[derive(Debug, Clone)]
struct Held {
    signed_in: SignedIn,
    since: Instant,
    used: Instant,
}

impl Held {
    fn lasts(&self, now: Instant) -> bool {
        now.duration_since(self.used) < IDLE && now.duration_since(self.since) < LONGEST
    }
}

impl Cookies {
    /// None yet.
    pub(crate) fn new(accounts: Arc<Accounts>) -> Arc<Self> {
        Arc::new(Self {
            accounts,
            table: Mutex::default(),
        })
    }

    fn table(&self) -> MutexGuard<'_, HashMap<blake3::Hash, Held>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new session of who signed in just now, which ends when that does: its secret.
    ///
    /// # Errors
    /// `Io` when the system has no random numbers.
    pub(crate) fn begin(&self, signed_in: &SignedIn) -> Result<Zeroizing<String>> {
        let name = signed_in.name();
        let mut bytes = Zeroizing::new([0; 32]);
        getrandom::fill(&mut *bytes)
            .map_err(|error| Error::new(ErrorKind::Io).because(error.to_string()))?;
        let secret = Zeroizing::new(blake3::Hash::from_bytes(*bytes).to_hex().to_string());
        let now = Instant::now();
        let mut table = self.table();
        table.retain(|_, held| held.lasts(now));
        let of_one = |table: &HashMap<_, Held>| {
            table
                .values()
                .filter(|held| held.signed_in.name() == name)
                .count()
                >= OF_ONE
        };
        if of_one(&table) || table.len() >= SESSIONS {
            let only = of_one(&table);
            let quietest = table
                .iter()
                .filter(|(_, held)| !only || held.signed_in.name() == name)
                .min_by_key(|(_, held)| held.used)
                .map(|(key, _)| *key);
            if let Some(quietest) = quietest {
                table.remove(&quietest);
            }
        }
        let held = Held {
            signed_in: signed_in.clone(),
            since: now,
            used: now,
        };
        table.insert(blake3::hash(secret.as_bytes()), held);
        Ok(secret)
    }

    /// Whose session this is the secret of; none for one that ended or never was.
    pub(crate) fn standing(self: &Arc<Self>, secret: &str) -> Option<Box<dyn Standing>> {
        let key = blake3::hash(secret.as_bytes());
        let now = Instant::now();
        let mut table = self.table();
        let held = table.get_mut(&key).filter(|held| held.lasts(now))?;
        held.used = now;
        let standing = Browser {
            signed_in: held.signed_in.clone(),
            cookies: Arc::clone(self),
            key,
        };
        drop(table);
        standing.account()?;
        Some(Box::new(standing))
    }

    /// The session ends, at once and for all that is open in it.
    pub(crate) fn end(&self, secret: &str) {
        let removed = self.table().remove(&blake3::hash(secret.as_bytes()));
        if removed.is_some() {
            self.accounts.changes().happened();
        }
    }
}

/// Whoever has the cookie of a session that has not ended.
#[derive(Debug)]
struct Browser {
    signed_in: SignedIn,
    cookies: Arc<Cookies>,
    key: blake3::Hash,
}

impl Standing for Browser {
    fn account(&self) -> Option<Account> {
        let lasts = |held: &Held| held.lasts(Instant::now());
        let there = self.cookies.table().get(&self.key).is_some_and(lasts);
        there.then(|| self.signed_in.account())?
    }
}

#[cfg(test)]
mod tests {
    use super::super::accounts::{Base, Book, Record};
    use super::*;
    use gaveta_core::{Grants, Role};

    fn cookies() -> Arc<Cookies> {
        let records = ["ana", "bob"]
            .map(|name| Record::new(name, Grants::everywhere(Role::Viewer.actions())))
            .to_vec();
        let book = Book {
            records,
            anonymous: None,
        };
        Cookies::new(Accounts::new(Base::default(), &book))
    }

    fn begin(cookies: &Cookies, name: &str) -> Result<Zeroizing<String>> {
        let mark = cookies.accounts.find(name).unwrap().mark();
        cookies.begin(&SignedIn::new(Arc::clone(&cookies.accounts), name, mark))
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_ends_by_itself_and_when_it_is_told() {
        let cookies = cookies();
        let (one, other) = (
            begin(&cookies, "ana").unwrap(),
            begin(&cookies, "ana").unwrap(),
        );
        let standing = cookies.standing(&one).unwrap();
        assert_eq!(standing.account().unwrap().name(), "ana");
        cookies.end(&one);
        assert!(standing.account().is_none() && cookies.standing(&one).is_none());
        assert!(cookies.standing(&other).is_some());
        tokio::time::advance(IDLE).await;
        assert!(cookies.standing(&other).is_none());
        assert!(cookies.standing("forged").is_none());
    }

    #[tokio::test]
    async fn an_account_that_goes_takes_its_sessions_along() {
        let cookies = cookies();
        let (ana, bob) = (
            begin(&cookies, "ana").unwrap(),
            begin(&cookies, "bob").unwrap(),
        );
        let mut book = Book::default();
        let viewer = Grants::everywhere(Role::Viewer.actions());
        book.records.push(Record::new("bob", viewer));
        cookies.accounts.replace(&book);
        assert!(cookies.standing(&ana).is_none() && cookies.standing(&bob).is_some());
    }

    #[tokio::test]
    async fn there_are_only_so_many_and_who_has_many_takes_none_from_others() {
        let cookies = cookies();
        let bob = begin(&cookies, "bob").unwrap();
        for _ in 0..2 * OF_ONE {
            begin(&cookies, "ana").unwrap();
        }
        assert_eq!(cookies.table().len(), OF_ONE + 1);
        assert!(cookies.standing(&bob).is_some());
    }
}
