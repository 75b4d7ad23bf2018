//! Shares: links that let somebody without an account get one file or folder, or drop files into
//! one folder without seeing what lies there.
//!
//! A share names a path, not a file: a new version of the file is shared too. It ends when it is
//! revoked or expires, when what lies at the path is deleted or renamed through Gaveta (so that
//! nothing else that is put there later is shared by accident), and it does nothing while its
//! maker may not do it himself.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use gaveta_core::{Action, Error, Path, Result};
use gaveta_wire::body::{time_from_text, time_to_text};
use serde::{Deserialize, Serialize};

mod counts;

pub(super) use counts::Counts;
pub(crate) use counts::Taken;
use counts::WHOLE;

use super::ring::{Key, Ring};
use super::secret::{Hash, Kind, Secret, make_id};
use super::sheet::Sheet;

/// What a share lets somebody do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Way {
    /// Get the file, or list the folder and get what is in it.
    Get,
    /// Drop new files into the folder.
    Drop,
}

impl Way {
    /// What it gives at its path and beneath.
    pub(crate) const fn actions(self) -> &'static [Action] {
        match self {
            Self::Get => &[Action::List, Action::Read],
            Self::Drop => &[Action::Create],
        }
    }
}

/// What is known of a share. Never its secret.
#[derive(Debug, Clone)]
pub(crate) struct Share {
    /// Names it in lists and logs.
    pub(crate) id: String,
    /// What is shared.
    pub(crate) path: Path,
    pub(crate) way: Way,
    /// The account that made it.
    pub(crate) maker: String,
    pub(crate) created: SystemTime,
    pub(crate) expires: Option<SystemTime>,
    /// The hash of its password (a PHC string), when it has one.
    pub(crate) password: Option<String>,
    /// So many downloads, or files dropped.
    pub(crate) limit: Option<u64>,
    hash: Hash,
}

/// What a share shall be.
#[derive(Debug, Clone)]
pub(crate) struct SharePlan {
    pub(crate) path: Path,
    pub(crate) way: Way,
    pub(crate) maker: String,
    pub(crate) expires: Option<SystemTime>,
    pub(crate) password: Option<String>,
    pub(crate) limit: Option<u64>,
}

/// All shares. A change is kept before it counts; how often each was used is kept now and then.
#[derive(Debug)]
pub(crate) struct Shares(Ring<Share>);

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Record {
    id: String,
    path: String,
    way: Way,
    maker: String,
    hash: String,
    created: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    password: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    limit: Option<u64>,
    /// In parts of a file: billionths, or millionths in format 1.
    #[serde(default)]
    used: u64,
}

impl Shares {
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
    /// `BadRequest` for a limit of nothing or a time that is past, `Busy` when there are too many,
    /// `Io`.
    pub(crate) fn add(&self, plan: SharePlan) -> Result<(Arc<Share>, Secret)> {
        if plan.limit == Some(0) || plan.limit.is_some_and(|limit| limit > u64::MAX / WHOLE / 2) {
            return Err(Error::bad_request("a limit is 1 or more"));
        }
        if self.0.is_past(plan.expires) {
            return Err(Error::bad_request("the share would have expired already"));
        }
        let secret = Secret::make(Kind::Share)?;
        let share = Share {
            id: make_id()?,
            path: plan.path,
            way: plan.way,
            maker: plan.maker,
            created: SystemTime::now(),
            expires: plan.expires,
            password: plan.password,
            limit: plan.limit,
            hash: secret.hash(),
        };
        Ok((self.0.add(share)?, secret))
    }

    /// Ends the ones that `which` picks, and gives them. Blocks.
    ///
    /// # Errors
    /// `Io`; then none is ended.
    pub(crate) fn remove(&self, which: impl Fn(&Share) -> bool) -> Result<Vec<Arc<Share>>> {
        self.0.remove(which)
    }

    /// As [`Shares::remove`], at once: that it is kept may fail, and is then tried again with the
    /// counts.
    pub(crate) fn end(&self, which: impl Fn(&Share) -> bool) -> Vec<Arc<Share>> {
        self.0.end(which)
    }

    /// Ends the shares of what is no longer at this path, or beneath it, as [`Shares::end`].
    pub(crate) fn gone(&self, path: &Path) -> Vec<Arc<Share>> {
        self.end(|share| path.holds(&share.path))
    }

    /// May this account make one more, as it is now? For an answer before it costs anything.
    ///
    /// # Errors
    /// `Busy`.
    pub(crate) fn has_room(&self, maker: &str) -> Result<()> {
        self.0.has_room(maker)
    }

    /// All of them, or those of one account, by path, each with how often it was used. Expired
    /// ones are shown until they make room.
    pub(crate) fn list(&self, maker: Option<&str>) -> Vec<(Arc<Share>, u64)> {
        let mut found = self.0.list(maker, |share, counts| counts.downloads(share));
        found.sort_by(|(a, _), (b, _)| (&a.path, a.created).cmp(&(&b.path, b.created)));
        found
    }

    /// The share of this secret, unless it has expired.
    pub(crate) fn find(&self, secret: &Secret) -> Option<Arc<Share>> {
        self.0.find(secret)
    }

    /// Who made the share of this id.
    pub(crate) fn maker(&self, id: &str) -> Option<String> {
        Some(self.0.by_id(id)?.maker.clone())
    }

    /// Is it still there, and not expired?
    pub(crate) fn is_live(&self, share: &Share) -> bool {
        self.0.is_live(share)
    }

    /// Did anything change since it was kept?
    pub(crate) fn has_news(&self) -> bool {
        self.0.has_news()
    }

    /// When the next one expires, of those that have not yet.
    pub(crate) fn next_end(&self) -> Option<SystemTime> {
        self.0.next_end()
    }

    /// Keeps the counts, and what ended, when anything changed since. Blocks.
    ///
    /// # Errors
    /// `Io`; it may be tried again.
    pub(crate) fn keep_counts(&self) -> Result<()> {
        self.0.keep_news()
    }
}

impl Key for Share {
    type Record = Record;
    type Beside = Counts;

    const ONE: &'static str = "share";
    const ALL: &'static str = "shares";
    /// Format 1 counted in millionths of a file.
    const FORMAT: u32 = 2;
    const MOST: usize = 10_000;
    const MOST_OF_ONE: usize = 1_000;

    fn id(&self) -> &str {
        &self.id
    }

    fn hash(&self) -> Hash {
        self.hash
    }

    fn account(&self) -> &str {
        &self.maker
    }

    fn created(&self) -> SystemTime {
        self.created
    }

    fn expires(&self) -> Option<SystemTime> {
        self.expires
    }

    /// What is shared may be shared again.
    fn clash(&self, _: &Self) -> Option<Error> {
        None
    }

    fn record(&self, counts: &Counts) -> Record {
        Record {
            id: self.id.clone(),
            path: self.path.as_str().to_owned(),
            way: self.way,
            maker: self.maker.clone(),
            hash: self.hash.to_hex(),
            created: time_to_text(self.created),
            expires: self.expires.map(time_to_text),
            password: self.password.clone(),
            limit: self.limit,
            used: counts.used(self),
        }
    }

    fn read(record: &Record, format: u32, counts: &mut Counts) -> Option<Self> {
        let expires = match &record.expires {
            Some(text) => Some(time_from_text(text).ok()?),
            None => None,
        };
        let share = Self {
            id: record.id.clone(),
            path: Path::parse(&record.path).ok()?,
            way: record.way,
            maker: record.maker.clone(),
            created: time_from_text(&record.created).ok()?,
            expires,
            password: record.password.clone(),
            limit: record.limit,
            hash: Hash::from_hex(&record.hash)?,
        };
        counts.read(&share.id, record.used, format);
        Some(share)
    }

    fn follow(counts: &mut Counts, fresh: Counts) {
        counts.follow(fresh);
    }

    fn kept(counts: &mut Counts, records: &[Record]) {
        for record in records {
            counts.kept(&record.id, record.used);
        }
    }

    fn forget(counts: &mut Counts, still: &HashSet<&str>) {
        counts.forget(still);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gaveta_core::ErrorKind;
    use std::time::Duration;

    pub(super) fn plan(path: &str, limit: Option<u64>) -> SharePlan {
        SharePlan {
            path: Path::parse(path).unwrap(),
            way: Way::Get,
            maker: "ana".into(),
            expires: None,
            password: None,
            limit,
        }
    }

    pub(super) fn shares() -> Arc<Shares> {
        Arc::new(Shares::open(None).unwrap())
    }

    pub(super) fn send(shares: &Arc<Shares>, share: &Share, part: u64, sent: u64) -> bool {
        match shares.take(share, part, 1000) {
            Some(mut taken) => {
                taken.sent(sent);
                true
            }
            None => false,
        }
    }

    #[test]
    fn a_share_is_kept_as_a_hash_with_its_count() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("shares.json");
        let shares = Arc::new(Shares::open(Some(path.clone())).unwrap());
        let (share, secret) = shares.add(plan("a/b", Some(2))).unwrap();
        assert!(send(&shares, &share, 1000, 1000));
        shares.keep_counts().unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(!text.contains(&secret.reveal()[4..]), "{text}");
        let again = Arc::new(Shares::open(Some(path)).unwrap());
        let found = again.find(&secret).unwrap();
        assert_eq!(found.path, share.path);
        assert_eq!(again.list(Some("ana"))[0].1, 1);
        assert!(again.list(Some("bia")).is_empty());
        assert!(send(&again, &found, 1000, 1000) && !send(&again, &found, 1000, 1000));
        assert_eq!(again.remove(|share| share.id == found.id).unwrap().len(), 1);
        assert!(again.find(&secret).is_none() && !again.is_live(&found));
    }

    #[test]
    fn what_ends_while_others_are_kept_is_kept_too() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("shares.json");
        let shares = Arc::new(Shares::open(Some(path.clone())).unwrap());
        let (_, secret) = shares.add(plan("a", None)).unwrap();
        // Somebody looked at all of them, and this one ends before they are written.
        let mut turn = shares.0.turn(Duration::ZERO).unwrap();
        let (next, seen) = shares.0.all();
        assert_eq!(shares.gone(&Path::parse("a").unwrap()).len(), 1);
        shares.0.keep(&mut turn, &next, seen).unwrap();
        drop(turn);
        assert!(shares.has_news());
        shares.keep_counts().unwrap();
        assert!(!shares.has_news());
        let again = Shares::open(Some(path.clone())).unwrap();
        assert!(again.find(&secret).is_none());
    }

    #[test]
    fn counts_of_an_older_file_are_taken_over() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("shares.json");
        let shares = Arc::new(Shares::open(Some(path.clone())).unwrap());
        let (share, _) = shares.add(plan("a", Some(9))).unwrap();
        for _ in 0..3 {
            assert!(send(&shares, &share, 1000, 1000));
        }
        shares.keep_counts().unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let old = text.replace("\"format\": 2", "\"format\": 1");
        let old = old.replace("\"used\": 3000000000", "\"used\": 3000000");
        assert_ne!(old, text);
        std::fs::write(&path, &old).unwrap();
        let again = Shares::open(Some(path.clone())).unwrap();
        assert_eq!(again.list(None)[0].1, 3);
        std::fs::write(&path, old.replace("\"format\": 1", "\"format\": 3")).unwrap();
        Shares::open(Some(path)).unwrap_err();
    }

    #[test]
    fn a_share_ends_with_what_it_shares_and_with_its_time() {
        let shares = shares();
        let (deep, deep_secret) = shares.add(plan("a/b/c", None)).unwrap();
        let (sibling, secret) = shares.add(plan("a/bb", None)).unwrap();
        assert!(shares.gone(&Path::parse("a/b/c/d").unwrap()).is_empty());
        assert_eq!(shares.gone(&Path::parse("a/b").unwrap())[0].id, deep.id);
        assert!(shares.find(&deep_secret).is_none() && shares.is_live(&sibling));
        assert!(shares.find(&secret).is_some());
        let soon = SystemTime::now() + Duration::from_millis(50);
        let (short, secret) = shares
            .add(SharePlan {
                expires: Some(soon),
                ..plan("x", None)
            })
            .unwrap();
        while SystemTime::now() <= soon {
            std::thread::yield_now();
        }
        assert!(shares.find(&secret).is_none() && !shares.is_live(&short));
        for bad in [
            SharePlan {
                expires: Some(soon),
                ..plan("x", None)
            },
            plan("x", Some(0)),
            plan("x", Some(u64::MAX)),
        ] {
            assert_eq!(shares.add(bad).unwrap_err().kind(), ErrorKind::BadRequest);
        }
    }
}
