//! Tokens: a named part of an account's rights, for programs.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use gaveta_core::{Error, ErrorKind, Result};
use gaveta_wire::body::{time_from_text, time_to_text};
use serde::{Deserialize, Serialize};

use super::ring::{Key, Ring};
use super::secret::{Hash, Kind, Secret, make_id};
use super::sheet::Sheet;
use super::{Narrow, NarrowRecord};

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
pub(crate) struct Tokens(Ring<Token>);

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Record {
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
    /// Those of a file that nobody else changes; in memory alone without one.
    ///
    /// # Errors
    /// As [`Ring::open`].
    pub(crate) fn open(path: Option<PathBuf>) -> Result<Self> {
        Self::on(Sheet::at(path))
    }

    /// As [`Ring::open`].
    ///
    /// # Errors
    /// As [`Ring::open`].
    pub(super) fn on(sheet: Sheet) -> Result<Self> {
        Ring::open(sheet).map(Self)
    }

    /// As [`Ring::follow`].
    ///
    /// # Errors
    /// As [`Ring::follow`].
    pub(super) fn follow(&self) -> Result<bool> {
        self.0.follow()
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
        if self.0.is_past(plan.expires) {
            return Err(Error::bad_request("the token would have expired already"));
        }
        let secret = Secret::make(Kind::Token)?;
        let token = Token {
            id: make_id()?,
            name: name.to_owned(),
            account: plan.account,
            mark: plan.mark,
            narrow: plan.narrow,
            created: SystemTime::now(),
            expires: plan.expires,
            hash: secret.hash(),
        };
        Ok((self.0.add(token)?, secret))
    }

    /// Revokes the ones that `which` picks, and gives them. Blocks.
    ///
    /// # Errors
    /// `Io`; then none is revoked.
    pub(crate) fn remove(&self, which: impl Fn(&Token) -> bool) -> Result<Vec<Arc<Token>>> {
        self.0.remove(which)
    }

    /// As [`Tokens::remove`], at once: that it is kept may fail, and is then tried again.
    pub(crate) fn end(&self, which: impl Fn(&Token) -> bool) -> Vec<Arc<Token>> {
        self.0.end(which)
    }

    /// Did anything change since it was kept?
    pub(crate) fn has_news(&self) -> bool {
        self.0.has_news()
    }

    /// Keeps what ended. Blocks.
    ///
    /// # Errors
    /// `Io`; it may be tried again.
    pub(crate) fn keep_news(&self) -> Result<()> {
        self.0.keep_news()
    }

    /// All of them, or those of one account, by name, with the time of their last use since the
    /// start. Expired ones are shown until they make room.
    pub(crate) fn list(&self, account: Option<&str>) -> Vec<(Arc<Token>, Option<SystemTime>)> {
        let mut found = self
            .0
            .list(account, |token, used| used.get(&token.id).copied());
        found.sort_by(|(a, _), (b, _)| (&a.account, &a.name).cmp(&(&b.account, &b.name)));
        found
    }

    /// The token of this secret, unless it has expired. Notes that it was used.
    pub(crate) fn find(&self, secret: &Secret) -> Option<Arc<Token>> {
        let token = self.0.find(secret)?;
        self.0
            .beside(|used| used.insert(token.id.clone(), SystemTime::now()));
        Some(token)
    }

    /// When the next one expires, of those that have not yet.
    pub(crate) fn next_end(&self) -> Option<SystemTime> {
        self.0.next_end()
    }

    /// Is it still there, and not expired?
    pub(crate) fn is_live(&self, token: &Token) -> bool {
        self.0.is_live(token)
    }
}

impl Key for Token {
    type Record = Record;
    /// When each was last used, since the start.
    type Beside = HashMap<String, SystemTime>;

    const ONE: &'static str = "token";
    const ALL: &'static str = "tokens";
    const FORMAT: u32 = 1;
    const MOST: usize = 10_000;
    const MOST_OF_ONE: usize = 200;

    fn id(&self) -> &str {
        &self.id
    }

    fn hash(&self) -> Hash {
        self.hash
    }

    fn account(&self) -> &str {
        &self.account
    }

    fn created(&self) -> SystemTime {
        self.created
    }

    fn expires(&self) -> Option<SystemTime> {
        self.expires
    }

    /// A name is one token's.
    fn clash(&self, known: &Self) -> Option<Error> {
        let taken = known.name == self.name;
        taken.then(|| Error::new(ErrorKind::Exists).about_text(self.name.clone()))
    }

    fn record(&self, _: &Self::Beside) -> Record {
        Record {
            id: self.id.clone(),
            name: self.name.clone(),
            account: self.account.clone(),
            mark: self.mark.clone(),
            hash: self.hash.to_hex(),
            narrow: self.narrow.iter().map(NarrowRecord::from).collect(),
            created: time_to_text(self.created),
            expires: self.expires.map(time_to_text),
        }
    }

    fn read(record: &Record, _: u32, _: &mut Self::Beside) -> Option<Self> {
        let narrow: Option<Vec<Narrow>> = record.narrow.iter().map(NarrowRecord::read).collect();
        let expires = match &record.expires {
            Some(text) => Some(time_from_text(text).ok()?),
            None => None,
        };
        Some(Self {
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

    /// Uses are not kept.
    fn follow(_: &mut Self::Beside, _: Self::Beside) {}

    fn kept(_: &mut Self::Beside, _: &[Record]) {}

    fn forget(used: &mut Self::Beside, still: &HashSet<&str>) {
        used.retain(|id, _| still.contains(id.as_str()));
    }
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
        for number in 1..Token::MOST_OF_ONE {
            tokens.add(plan("ana", &number.to_string())).unwrap();
        }
        assert_eq!(kind(plan("ana", "one more")), ErrorKind::Busy);
        let full = tokens.0.has_room("ana").unwrap_err();
        assert_eq!(full.kind(), ErrorKind::Busy);
        tokens.0.has_room("bia").unwrap();
        tokens.add(plan("bia", "one more")).unwrap();
        assert_eq!(
            tokens.remove(|token| token.account == "ana").unwrap().len(),
            Token::MOST_OF_ONE
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
