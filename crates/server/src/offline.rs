//! What commands on this machine do to a drawer that no server has open: tokens, links, and what
//! goes with accounts. Under the files' lock, and told to the audit log where there is one.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::Path as FsPath;
use std::sync::Arc;
use std::time::Duration;

use gaveta_core::{Account, Error, ErrorKind, Kind, Path, Result};
use gaveta_wire::audit::{AuditBody, DONE};
use gaveta_wire::keys::{NewShareBody, NewTokenBody, ShareBody, TokenBody};

use crate::drawer::accounts::{Accounts, Base, Book, changes};
use crate::drawer::audit::{Audit, AuditPlan};
use crate::drawer::keys::admission::{Keys, Whose};
use crate::drawer::keys::desk::{self, What};
use crate::drawer::keys::drawers;
use crate::drawer::keys::sheet::Using;
use crate::drawer::pass::Door;
use crate::drawer::password::HashedPassword;

/// How long another command is waited for.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long the audit log may take.
const LOG: Duration = Duration::from_secs(5);

/// The tokens and links of one drawer, as its administrator has them. Everything blocks.
#[derive(Debug)]
pub struct Offline {
    keys: Arc<Keys>,
    accounts: Arc<Accounts>,
    audit: Audit,
}

impl Offline {
    /// Those that are kept in this folder ([`drawer_folder`](crate::drawer_folder)) of a drawer with
    /// these accounts, until this is dropped. What is done is told to this log, where it is there.
    ///
    /// # Errors
    /// `Locked` when a server has them; `Io`.
    pub fn open(
        folder: &FsPath,
        book: &Book,
        admin: Option<HashedPassword>,
        log: Option<&FsPath>,
    ) -> Result<Self> {
        let base = Base {
            admin,
            ..Base::default()
        };
        let accounts = Accounts::new(base, book);
        let keys = Keys::open_for(folder, Arc::clone(&accounts), Using::Alone, PATIENCE)?;
        Ok(Self {
            keys,
            accounts,
            audit: audit(log)?,
        })
    }

    /// Makes a token, of the administrator where no account is named.
    ///
    /// # Errors
    /// `NotFound` for an account that is not there; `BadRequest`, `Exists`, `Busy`, `Io`.
    pub fn make_token(&self, new: NewTokenBody) -> Result<TokenBody> {
        let of = new.account.clone();
        let of = of.unwrap_or_else(|| Account::ADMIN.to_owned());
        let done = desk::add_token(&self.keys, new, of);
        let id = done.as_ref().ok().map(|token| token.id.clone());
        self.tell("token-add", id, None, &done);
        done
    }

    /// All tokens.
    pub fn tokens(&self) -> Vec<TokenBody> {
        desk::tokens(&self.keys, None)
    }

    /// Revokes the token of this id.
    ///
    /// # Errors
    /// `NotFound`, `Io`.
    pub fn revoke_token(&self, id: &str) -> Result<()> {
        let done = desk::remove(&self.keys, What::Tokens, id, None);
        self.tell("token-remove", Some(id.to_owned()), None, &done);
        done.map(|_| ())
    }

    /// Makes a share of what is of this kind, in the administrator's name.
    ///
    /// # Errors
    /// `NotFound` when there is no administrator; `NotFolder`, `NotRegular`, `BadRequest`, `Busy`,
    /// `Io`.
    pub fn make_share(&self, new: NewShareBody, kind: Kind) -> Result<ShareBody> {
        let at = Path::parse(&new.path)?;
        let done = match self.accounts.account(Account::ADMIN) {
            Some(admin) => self.share(new, admin.name(), kind),
            None => Err(Error::new(ErrorKind::NotFound).about_text(Account::ADMIN)),
        };
        let id = done.as_ref().ok().map(|share| share.id.clone());
        self.tell("share-add", id, Some(&at), &done);
        done
    }

    fn share(&self, new: NewShareBody, of: &str, kind: Kind) -> Result<ShareBody> {
        let (mut plan, password) = desk::plan_share(&self.keys, new, of, kind)?;
        if let Some(password) = password {
            plan.password = Some(HashedPassword::new(&password)?.hash().to_owned());
        }
        desk::add_share(&self.keys, plan, kind)
    }

    /// All shares.
    pub fn shares(&self) -> Vec<ShareBody> {
        desk::shares(&self.keys, None)
    }

    /// Ends the share of this id.
    ///
    /// # Errors
    /// `NotFound`, `Io`.
    pub fn end_share(&self, id: &str) -> Result<()> {
        let done = desk::remove(&self.keys, What::Shares, id, None);
        let path = done.as_ref().ok().and_then(Option::as_ref);
        self.tell("share-remove", Some(id.to_owned()), path, &done);
        done.map(|_| ())
    }

    fn tell<T>(&self, word: &str, about: Option<String>, path: Option<&Path>, done: &Result<T>) {
        let result = done
            .as_ref()
            .map_or_else(|error| error.kind().code(), |_| DONE);
        let record = AuditBody {
            operation: word.to_owned(),
            about,
            path: path.map(ToString::to_string),
            result: result.to_owned(),
            ..AuditBody::default()
        };
        tell(&self.audit, [record]);
    }
}

/// The accounts were changed so: tells this log, where it is there, unless a server that runs tells
/// of it. Tokens and links end of accounts that are gone, and those that somebody left who had the
/// name of a new one, and tokens of an old password: in all drawers of the state folder that no
/// server has open; those that one has it ends itself. Those too are told.
///
/// # Errors
/// `Io`, the first; then it was done in all other drawers.
pub fn accounts_changed(
    state: &FsPath,
    log: &FsPath,
    served: bool,
    old: &Book,
    new: &Book,
) -> Result<()> {
    let (audit, mut done) = match audit(Some(log)) {
        Ok(audit) => (audit, Ok(())),
        Err(error) => (Audit::default(), Err(error)),
    };
    if !served {
        tell(&audit, changes::between(old, new));
    }
    let touched = changes::touched(old, new);
    if touched.is_empty() {
        return done;
    }
    // Whoever is new here has nothing yet.
    let before: HashSet<&str> = names(old).collect();
    let records = new.records.iter();
    let records = records.filter(|record| before.contains(record.name.as_str()));
    let both = Book {
        records: records.cloned().collect(),
        ..Book::default()
    };
    let accounts = Accounts::new(Base::default(), &both);
    let folders = match fs::read_dir(drawers(state)) {
        Ok(folders) => folders,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return done,
        Err(error) => return done.and(Err(error.into())),
    };
    for folder in folders {
        let ended = folder.map_err(Error::from).and_then(|folder| {
            let accounts = Arc::clone(&accounts);
            let keys = Keys::open_for(&folder.path(), accounts, Using::Alone, PATIENCE)?;
            let ended = keys.end_strays(Whose::These(&touched));
            keys.keep_now().map(|()| ended)
        });
        match ended {
            Ok(ended) => tell(&audit, ended),
            Err(error) if error.kind() == ErrorKind::Locked => {}
            Err(error) => done = done.and(Err(error)),
        }
    }
    done
}

fn names(book: &Book) -> impl Iterator<Item = &str> {
    book.records.iter().map(|record| record.name.as_str())
}

/// The log at this place: none is made, and nothing of it goes.
fn audit(log: Option<&FsPath>) -> Result<Audit> {
    match log.filter(|log| log.is_file()) {
        Some(log) => Ok(Audit::open(&AuditPlan {
            path: log.to_owned(),
            keep: u64::MAX,
        })?),
        None => Ok(Audit::default()),
    }
}

fn tell(audit: &Audit, records: impl IntoIterator<Item = AuditBody>) {
    let user = rustix::process::getuid().as_raw();
    for record in records {
        audit.record(AuditBody {
            from: format!("uid {user}"),
            door: Door::Local.code().to_owned(),
            ..record
        });
    }
    audit.flush(LOG);
}
