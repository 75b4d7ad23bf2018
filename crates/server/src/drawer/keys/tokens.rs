//! Tokens: a named part of an account's rights, for programs.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use gaveta_core::{Error, ErrorKind, Result};
use gaveta_wire::body::{time_from_text, time_to_text};
use serde::{Deserialize, Serialize};

use super::secret::{Hash, Kind, Secret, make_id};
use super::sheet::Sheet;
use super::{Clock, Narrow, NarrowRecord};

/// How many tokens there may be, and how many of one account.
const MOST: usize = 10_000;
const MOST_OF_ONE: usize = 200;
/// The longest name, in bytes.
const LONGEST_NAME: usize = 64;

/// What is known of a token. Never its secret.
#[derive(Debug, Clone)]
pub(crate) struct Token {
    /// Names it in lists and logs.
    pub(crate) id: String,
    /// What its owner calls it.
    pub(crate) name: String,
    /// Whose rights it has a part of.
    pub(crate) account: String,
    /// What the account's password was then, as a mark that tells nothing of it: the token ends
    /// with the password.
    pub(crate) mark: String,
    /// The part; empty means all of them.
    pub(crate) narrow: Vec<Narrow>,
    pub(crate) created: SystemTime,
    pub(crate) expires: Option<SystemTime>,
    hash: Hash,
}

/// What a token shall be.
#[derive(Debug, Clone)]
pub(crate) struct TokenPlan {
    pub(crate) name: String,
    pub(crate) account: String,
    pub(crate) mark: String,
    pub(crate) narrow: Vec<Narrow>,
    pub(crate) expires: Option<SystemTime>,
}

/// All tokens. A change is kept before it counts.
#[derive(Debug)]
pub(crate) struct Tokens {
    sheet: Sheet,
    clock: Clock,
    /// Held by whoever changes and keeps; those who look never wait for the disk.
    changing: Mutex<()>,
    book: Mutex<Book>,
}

#[derive(Debug, Default, Clone)]
struct Book {
    by_hash: HashMap<Hash, Arc<Token>>,
    /// When each was last used, since the start.
    used: HashMap<String, SystemTime>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Document {
    format: u32,
    tokens: Vec<Record>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Record {
    id: String,
    name: String,
    account: String,
    mark: String,
    hash: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    narrow: Vec<NarrowRecord>,
    created: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires: Option<String>,
}

impl Tokens {
    /// Those that are kept in this file, which is made when it is first needed; in memory alone
    /// when there is none.
    ///
    /// # Errors
    /// `Io` when the file cannot be read or is damaged: it is never thrown away.
    pub(crate) fn open(path: Option<PathBuf>) -> Result<Self> {
        let sheet = Sheet::at(path);
        let mut book = Book::default();
        if let Some(document) = sheet.read::<Document>()? {
            for record in &document.tokens {
                let token = read(record).ok_or_else(|| {
                    Error::new(ErrorKind::Io).because(format!("token {:?}: damaged", record.id))
                })?;
                book.by_hash.insert(token.hash, Arc::new(token));
            }
        }
        Ok(Self {
            sheet,
            book: Mutex::new(book),
            ..Self::in_memory()
        })
    }

    /// None yet, and none is kept.
    pub(crate) fn in_memory() -> Self {
        Self {
            sheet: Sheet::at(None),
            clock: Clock::start(),
            changing: Mutex::default(),
            book: Mutex::default(),
        }
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes one. Blocks.
    ///
    /// # Errors
    /// `BadRequest` for a name that will not do, `Exists` when the account has one of this name,
    /// `Busy` when there are too many, `Io`.
    pub(crate) fn add(&self, plan: TokenPlan) -> Result<(Arc<Token>, Secret)> {
        let name = plan.name.trim();
        if name.is_empty() || name.len() > LONGEST_NAME || name.chars().any(char::is_control) {
            return Err(Error::bad_request(
                "a token's name has 1 to 64 bytes of plain text",
            ));
        }
        if plan.narrow.len() > 64 {
            return Err(Error::bad_request("a token has at most 64 scopes"));
        }
        if self.clock.is_past(plan.expires) {
            return Err(Error::bad_request("the token would have expired already"));
        }
        let secret = Secret::make(Kind::Token)?;
        let token = Arc::new(Token {
            id: make_id()?,
            name: name.to_owned(),
            account: plan.account,
            mark: plan.mark,
            narrow: plan.narrow,
            created: SystemTime::now(),
            expires: plan.expires,
            hash: secret.hash(),
        });
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let clock = &self.clock;
        let mut next = self.book().by_hash.clone();
        // What expired makes room.
        next.retain(|_, token| !clock.is_past(token.expires));
        let of_one = next.values().filter(|known| known.account == token.account);
        let (mut count, mut taken) = (0, false);
        for known in of_one {
            count += 1;
            taken |= known.name == token.name;
        }
        if taken {
            return Err(Error::new(ErrorKind::Exists).about_text(token.name.clone()));
        }
        if count >= MOST_OF_ONE || next.len() >= MOST {
            return Err(Error::new(ErrorKind::Busy).because("too many tokens"));
        }
        next.insert(token.hash, Arc::clone(&token));
        self.keep(next)?;
        Ok((token, secret))
    }

    /// Revokes the ones that `which` picks, and gives them. Blocks.
    ///
    /// # Errors
    /// `Io`; then none is revoked.
    pub(crate) fn remove(&self, which: impl Fn(&Token) -> bool) -> Result<Vec<Arc<Token>>> {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut next = self.book().by_hash.clone();
        let mut gone = Vec::new();
        next.retain(|_, token| {
            let goes = which(token);
            if goes {
                gone.push(Arc::clone(token));
            }
            !goes
        });
        if !gone.is_empty() {
            self.keep(next)?;
        }
        Ok(gone)
    }

    /// All of them, or those of one account, by name, with the time of their last use since the
    /// start. Expired ones are shown until they make room.
    pub(crate) fn list(&self, account: Option<&str>) -> Vec<(Arc<Token>, Option<SystemTime>)> {
        let book = self.book();
        let mut found: Vec<_> = book
            .by_hash
            .values()
            .filter(|token| account.is_none_or(|account| token.account == account))
            .map(|token| (Arc::clone(token), book.used.get(&token.id).copied()))
            .collect();
        found.sort_by(|(a, _), (b, _)| (&a.account, &a.name).cmp(&(&b.account, &b.name)));
        found
    }

    /// The token of this secret, unless it has expired. Notes that it was used.
    pub(crate) fn find(&self, secret: &Secret) -> Option<Arc<Token>> {
        let mut book = self.book();
        let token = Arc::clone(book.by_hash.get(&secret.hash())?);
        if self.clock.is_past(token.expires) {
            return None;
        }
        book.used.insert(token.id.clone(), SystemTime::now());
        Some(token)
    }

    /// When the next one expires, of those that have not yet.
    pub(crate) fn next_end(&self) -> Option<SystemTime> {
        let now = self.clock.now();
        let book = self.book();
        let ends = book.by_hash.values().filter_map(|token| token.expires);
        ends.filter(|end| *end > now).min()
    }

    /// Is it still there, and not expired?
    pub(crate) fn is_live(&self, token: &Token) -> bool {
        !self.clock.is_past(token.expires) && self.book().by_hash.contains_key(&token.hash)
    }

    fn keep(&self, next: HashMap<Hash, Arc<Token>>) -> Result<()> {
        let mut tokens: Vec<Record> = next.values().map(|token| record(token)).collect();
        tokens.sort_by(|a, b| (&a.created, &a.id).cmp(&(&b.created, &b.id)));
        self.sheet.write(&Document { format: 1, tokens })?;
        let mut book = self.book();
        book.used
            .retain(|id, _| next.values().any(|token| token.id == *id));
        book.by_hash = next;
        Ok(())
    }
}

fn record(token: &Token) -> Record {
    Record {
        id: token.id.clone(),
        name: token.name.clone(),
        account: token.account.clone(),
        mark: token.mark.clone(),
        hash: token.hash.to_hex(),
        narrow: token.narrow.iter().map(NarrowRecord::from).collect(),
        created: time_to_text(token.created),
        expires: token.expires.map(time_to_text),
    }
}

fn read(record: &Record) -> Option<Token> {
    let narrow: Option<Vec<Narrow>> = record.narrow.iter().map(NarrowRecord::read).collect();
    let expires = match &record.expires {
        Some(text) => Some(time_from_text(text).ok()?),
        None => None,
    };
    Some(Token {
        id: record.id.clone(),
        name: record.name.clone(),
        account: record.account.clone(),
        mark: record.mark.clone(),
        narrow: narrow?,
        created: time_from_text(&record.created).ok()?,
        expires,
        hash: Hash::from_hex(&record.hash)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use gaveta_core::{Actions, Path};
    use std::time::Duration;

    fn plan(account: &str, name: &str) -> TokenPlan {
        TokenPlan {
            name: name.to_owned(),
            account: account.to_owned(),
            mark: "mark".to_owned(),
            narrow: vec![Narrow {
                path: Path::parse("a b").unwrap(),
                actions: Actions::parse("read,create").unwrap(),
            }],
            expires: None,
        }
    }

    #[test]
    fn a_token_is_kept_as_a_hash_and_found_after_a_restart() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("tokens.json");
        let tokens = Tokens::open(Some(path.clone())).unwrap();
        let (token, secret) = tokens.add(plan("ana", "backup")).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(!text.contains(&secret.reveal()[4..]) && text.contains(&token.id));
        let again = Tokens::open(Some(path.clone())).unwrap();
        let found = again.find(&secret).unwrap();
        assert_eq!((&*found.account, &found.narrow), ("ana", &token.narrow));
        assert!(again.list(None)[0].1.is_some() && again.list(Some("bia")).is_empty());
        assert!(again.find(&Secret::make(Kind::Token).unwrap()).is_none());
        assert!(again.is_live(&found));
        assert_eq!(
            again.remove(|token| token.name == "backup").unwrap().len(),
            1
        );
        assert!(again.find(&secret).is_none() && !again.is_live(&found));
        assert!(
            Tokens::open(Some(path.clone()))
                .unwrap()
                .find(&secret)
                .is_none()
        );
        std::fs::write(&path, r#"{"format":1,"tokens":[{"id":"x"}]}"#).unwrap();
        assert!(
            Tokens::open(Some(path)).is_err(),
            "damage is not thrown away"
        );
    }

    #[test]
    fn names_are_bounded_and_of_one_account_each() {
        let tokens = Tokens::open(None).unwrap();
        tokens.add(plan("ana", "backup")).unwrap();
        tokens.add(plan("bia", "backup")).unwrap();
        let kind = |plan| tokens.add(plan).unwrap_err().kind();
        assert_eq!(kind(plan("ana", "backup")), ErrorKind::Exists);
        for bad in ["", "  ", "a\nb", &"x".repeat(65)] {
            assert_eq!(kind(plan("ana", bad)), ErrorKind::BadRequest, "{bad:?}");
        }
        for number in 1..MOST_OF_ONE {
            tokens.add(plan("ana", &number.to_string())).unwrap();
        }
        assert_eq!(kind(plan("ana", "one more")), ErrorKind::Busy);
        tokens.add(plan("bia", "one more")).unwrap();
        assert_eq!(
            tokens.remove(|token| token.account == "ana").unwrap().len(),
            MOST_OF_ONE
        );
    }

    #[test]
    fn what_expired_opens_nothing_and_makes_room() {
        let tokens = Tokens::open(None).unwrap();
        let soon = SystemTime::now() + Duration::from_millis(50);
        let past = SystemTime::now() - Duration::from_secs(1);
        let late = TokenPlan {
            expires: Some(past),
            ..plan("ana", "late")
        };
        assert_eq!(tokens.add(late).unwrap_err().kind(), ErrorKind::BadRequest);
        let (token, secret) = tokens
            .add(TokenPlan {
                expires: Some(soon),
                ..plan("ana", "x")
            })
            .unwrap();
        while SystemTime::now() <= soon {
            std::thread::yield_now();
        }
        assert!(tokens.find(&secret).is_none() && !tokens.is_live(&token));
        tokens.add(plan("ana", "x")).unwrap();
    }
}
