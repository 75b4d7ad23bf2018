//! Who shows a token or a share's secret, and what it stands for as long as it is there.

use std::collections::HashSet;
use std::fs::File;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path as FsPath, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use gaveta_core::{Account, Action, Error, ErrorKind, Grant, Grants, Owner, Path, Result};
use gaveta_wire::audit::{AuditBody, DONE};
use zeroize::Zeroizing;

use super::secret::{Kind, Secret};
use super::shares::{Share, Shares};
use super::sheet::{self, Sheet, Using};
use super::tokens::{Token, Tokens};
use crate::drawer::accounts::Accounts;
use crate::drawer::entrance::{Admission, Credential};
use crate::drawer::pass::{By, Origin, Standing};
use crate::drawer::password::{Doorkeeper, HashedPassword};

/// How often it is looked whether something expired, and counts are kept.
const TICK: Duration = Duration::from_millis(500);
/// How long a server waits for a command that changes the files.
const PATIENCE: Duration = Duration::from_secs(10);

/// All tokens and shares of a drawer.
#[derive(Debug)]
pub(crate) struct Keys {
    pub(crate) tokens: Arc<Tokens>,
    pub(crate) shares: Arc<Shares>,
    accounts: Arc<Accounts>,
    /// Where others may change the files: the folder.
    followed: Option<PathBuf>,
    /// Keeps others from the files.
    _lock: Option<File>,
}

/// Of which accounts it is looked whether they are still there.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Whose<'a> {
    /// All that have tokens or shares.
    All,
    /// These.
    These(&'a HashSet<String>),
}

impl Keys {
    /// Those that are kept in this folder (`tokens.json`, `shares.json`); in memory alone when there
    /// is none. For a server: a command that changes them is waited for. Blocks.
    ///
    /// # Errors
    /// `Io` when a file cannot be read or is damaged; `Locked`.
    pub(crate) fn open(
        folder: Option<&FsPath>,
        accounts: Arc<Accounts>,
        using: Using,
    ) -> Result<Arc<Self>> {
        match folder {
            Some(folder) => Self::open_for(folder, accounts, using, PATIENCE),
            None => Ok(Arc::new(Self {
                tokens: Arc::new(Tokens::open(None)?),
                shares: Arc::new(Shares::open(None)?),
                accounts,
                followed: None,
                _lock: None,
            })),
        }
    }

    /// Those that are kept in this folder, for who uses them so. Blocks.
    ///
    /// # Errors
    /// As [`Keys::open`].
    pub(crate) fn open_for(
        folder: &FsPath,
        accounts: Arc<Accounts>,
        using: Using,
        patience: Duration,
    ) -> Result<Arc<Self>> {
        // First the lock: what is read is what nobody else changes.
        let lock = sheet::lock(folder, using, patience)?;
        let sheet = |name: &str| match using {
            Using::Reading => Sheet::of_others(folder.join(name)),
            Using::Serving | Using::Alone => Sheet::at(Some(folder.join(name))),
        };
        Ok(Arc::new(Self {
            tokens: Arc::new(Tokens::on(sheet("tokens.json"))?),
            shares: Arc::new(Shares::on(sheet("shares.json"))?),
            accounts,
            followed: (using == Using::Reading).then(|| folder.to_owned()),
            _lock: lock,
        }))
    }

    /// Keeps servers that write from the state of this drawer while the answer is held; none where
    /// it is this one that writes. Blocks.
    ///
    /// # Errors
    /// `ReadOnly` when there is another one that writes; `Io`.
    pub(crate) fn alone(&self) -> Result<Option<File>> {
        let folder = self.followed.as_deref();
        folder
            .map(|folder| sheet::alone(folder, PATIENCE))
            .transpose()
    }

    /// Takes over what others wrote since: whoever is here by what ended goes.
    async fn follow(self: Arc<Self>) {
        if self.followed.is_none() {
            return;
        }
        let keys = Arc::clone(&self);
        let looked =
            tokio::task::spawn_blocking(move || [keys.tokens.follow(), keys.shares.follow()]);
        let Ok(looked) = looked.await else { return };
        let mut news = false;
        for look in looked {
            match look {
                Ok(new) => news |= new,
                Err(error) => {
                    let why = gaveta_text::escape(&error.chain()).into_owned();
                    tracing::error!(
                        target: "gaveta::shares", why, "tokens or shares stay as they were"
                    );
                }
            }
        }
        if news {
            self.changed();
        }
    }

    /// Something was revoked: whoever is here by it goes.
    pub(crate) fn changed(&self) {
        self.accounts.changes().happened();
    }

    /// What changes when the account's password does.
    pub(crate) fn mark_of(&self, account: &str) -> Option<String> {
        let person = self.accounts.find(account)?;
        Some(person.mark().to_hex().to_string())
    }

    /// Ends, at once, the tokens and shares of accounts that are not there, and the tokens of those
    /// that have another password since: whoever has the name or the password later has none of
    /// them. Gives what was done, for the audit log. That it is kept may fail, and is then tried
    /// again ([`Keys::keep`]).
    pub(crate) fn end_strays(&self, whose: Whose<'_>) -> Vec<AuditBody> {
        let meant = |name: &str| match whose {
            Whose::All => true,
            Whose::These(names) => names.contains(name),
        };
        // The administrator may be there without a file that names him.
        let may_go = |name: &str| matches!(whose, Whose::These(_)) || name != Account::ADMIN;
        let gone = |name: &str| meant(name) && may_go(name) && self.accounts.find(name).is_none();
        let tokens = self.tokens.end(|token| {
            let name = token.account.as_str();
            let person = self
                .accounts
                .find(name)
                .filter(|known| !known.is_built_in());
            let other = person.is_some_and(|person| *person.mark().to_hex() != *token.mark);
            gone(name) || meant(name) && other
        });
        let shares = self.shares.end(|share| gone(&share.maker));
        let body = |operation: &str, id: &str, path: Option<&Path>| AuditBody {
            operation: operation.to_owned(),
            about: Some(id.to_owned()),
            path: path.map(ToString::to_string),
            result: DONE.to_owned(),
            ..AuditBody::default()
        };
        let tokens = tokens
            .iter()
            .map(|token| body("token-remove", &token.id, None));
        let shares = shares
            .iter()
            .map(|share| body("share-remove", &share.id, Some(&share.path)));
        let ended: Vec<_> = tokens.chain(shares).collect();
        if !ended.is_empty() {
            self.changed();
        }
        ended
    }

    /// Looks now and then, for ever: what expired ends what is under way, counts are kept.
    pub(crate) async fn keep(self: Arc<Self>) {
        let mut next = self.next_end();
        loop {
            tokio::time::sleep(TICK).await;
            Arc::clone(&self).follow().await;
            // By the clock that says what has expired: what was next is no longer to come.
            let now = self.next_end();
            if next.is_some() && now != next {
                self.changed();
            }
            next = now;
            let _ = Arc::clone(&self).keep_news().await;
        }
    }

    /// Keeps how often shares were used, and what ended.
    ///
    /// # Errors
    /// `Io`; it may be tried again.
    pub(crate) async fn keep_news(self: Arc<Self>) -> Result<()> {
        if !self.shares.has_news() && !self.tokens.has_news() {
            return Ok(());
        }
        let kept = tokio::task::spawn_blocking(move || self.keep_now()).await;
        let kept = kept.unwrap_or_else(|error| Err(Error::new(ErrorKind::Io).because(error)));
        if let Err(error) = &kept {
            let why = gaveta_text::escape(&error.chain()).into_owned();
            tracing::warn!(
                target: "gaveta::shares", why, "changes of tokens and shares cannot be kept"
            );
        }
        kept
    }

    /// As [`Keys::keep_news`], both whatever becomes of one. Blocks.
    ///
    /// # Errors
    /// `Io`, of the first; it may be tried again.
    pub(crate) fn keep_now(&self) -> Result<()> {
        let (shares, tokens) = (self.shares.keep_counts(), self.tokens.keep_news());
        shares.and(tokens)
    }

    /// Who answers for what belongs to this owner: for what came by a share that is still there,
    /// whoever made it; else the owner himself.
    pub(crate) fn payer_of(&self, owner: &Owner) -> Owner {
        let share = owner.0.strip_prefix(SHARE);
        let maker = share.and_then(|id| self.shares.maker(id));
        maker.map_or_else(|| owner.clone(), |maker| Owner::of(&maker))
    }

    fn next_end(&self) -> Option<std::time::SystemTime> {
        let ends = [self.tokens.next_end(), self.shares.next_end()];
        ends.into_iter().flatten().min()
    }

    fn by_token(&self, secret: &Secret, account: Option<&str>) -> Result<Box<dyn Standing>> {
        let wrong = || Error::new(ErrorKind::WrongPassword);
        let token = self.tokens.find(secret).ok_or_else(wrong)?;
        if account.is_some_and(|name| name != token.account) {
            return Err(wrong());
        }
        let narrow = token.narrow.iter().map(|narrow| Grant {
            path: narrow.path.clone(),
            actions: narrow.actions,
        });
        let scope = (!token.narrow.is_empty()).then(|| Grants::new(narrow));
        let standing = ByToken {
            token,
            scope,
            tokens: Arc::clone(&self.tokens),
            accounts: Arc::clone(&self.accounts),
        };
        match standing.account() {
            Some(_) => Ok(Box::new(standing)),
            None => Err(wrong()),
        }
    }

    async fn by_share(
        &self,
        secret: &Secret,
        password: Option<Zeroizing<String>>,
        origin: Origin,
        keeper: &Doorkeeper,
    ) -> Result<Box<dyn Standing>> {
        // A link that leads nowhere is a page that is not there, not a wrong password.
        let gone = || Error::new(ErrorKind::NotFound);
        let share = self.shares.find(secret).ok_or_else(gone)?;
        if let Some(hash) = &share.password {
            let Some(password) = password.filter(|password| !password.is_empty()) else {
                return Err(Error::new(ErrorKind::SignInNeeded));
            };
            let known = HashedPassword::from_hash(hash)?;
            let from = origin.ip.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
            let name = standing_name(&share);
            keeper.compare(&name, password, Some(&known), from).await?;
        }
        let standing = ByShare {
            share,
            shares: Arc::clone(&self.shares),
            accounts: Arc::clone(&self.accounts),
        };
        match standing.account() {
            Some(_) => Ok(Box::new(standing)),
            None => Err(gone()),
        }
    }
}

/// What the name of a share's visitors begins with: no account can have it, for it holds a colon.
const SHARE: &str = "share:";

/// The name that a share's visitors have.
fn standing_name(share: &Share) -> String {
    format!("{SHARE}{}", share.id)
}

#[async_trait]
impl Admission for Keys {
    /// - A token as a bearer, or as the password of its account (for programs that know names and
    ///   passwords only).
    /// - A share's secret by its link, as a bearer, or as a name with the share's password.
    async fn admit(
        &self,
        credential: &Credential,
        origin: Origin,
        keeper: &Doorkeeper,
    ) -> Result<Option<Box<dyn Standing>>> {
        let (shown, account, password) = match credential {
            Credential::Bearer(text) | Credential::Share(text, None) => (text.as_str(), None, None),
            Credential::Share(text, Some(password)) => {
                (text.as_str(), None, Some(password.clone()))
            }
            Credential::Password(name, password) => match Secret::parse(name) {
                Some(_) => (name.as_str(), None, Some(password.clone())),
                None => (password.as_str(), Some(name.as_str()), None),
            },
            Credential::Nothing | Credential::Cookie(_) | Credential::Broken => return Ok(None),
        };
        let Some(secret) = Secret::parse(shown) else {
            return match credential {
                Credential::Share(..) => Err(Error::new(ErrorKind::NotFound)),
                _ => Ok(None),
            };
        };
        match (secret.kind(), account, &password) {
            (Kind::Token, account, None) => self.by_token(&secret, account).map(Some),
            (Kind::Share, None, _) => self
                .by_share(&secret, password, origin, keeper)
                .await
                .map(Some),
            // A token as a name, with nothing for a password, as some programs want it.
            (Kind::Token, None, Some(password)) if password.is_empty() => {
                self.by_token(&secret, None).map(Some)
            }
            // A share's secret as the password of an account.
            (Kind::Token, _, Some(_)) | (Kind::Share, Some(_), _) => {
                Err(Error::new(ErrorKind::WrongPassword))
            }
        }
    }
}

/// Whoever is here by a token: until it is revoked or expires, or its account has another password.
#[derive(Debug)]
struct ByToken {
    token: Arc<Token>,
    scope: Option<Grants>,
    tokens: Arc<Tokens>,
    accounts: Arc<Accounts>,
}

impl Standing for ByToken {
    fn account(&self) -> Option<Account> {
        if !self.tokens.is_live(&self.token) {
            return None;
        }
        let person = self.accounts.find(&self.token.account)?;
        if person.mark().to_hex().as_str() != self.token.mark {
            return None;
        }
        let account = person.account()?;
        Some(match &self.scope {
            Some(scope) => account.by_token(scope),
            None => account.by_token(account.grants()),
        })
    }

    fn by(&self) -> By {
        By::Token(self.token.id.clone())
    }
}

/// Whoever is here by a share: until it ends, or its maker may not do it himself.
#[derive(Debug)]
struct ByShare {
    share: Arc<Share>,
    shares: Arc<Shares>,
    accounts: Arc<Accounts>,
}

impl Standing for ByShare {
    fn account(&self) -> Option<Account> {
        if !self.shares.is_live(&self.share) {
            return None;
        }
        let maker = self.accounts.account(&self.share.maker)?;
        let may = |action: &Action| maker.may(*action, &self.share.path);
        if !self.share.way.actions().iter().all(may) {
            return None;
        }
        let only = Grants::new([Grant {
            path: self.share.path.clone(),
            actions: self.share.way.actions().iter().copied().collect(),
        }]);
        let grants = maker.grants().within(&only);
        Some(Account::share(&standing_name(&self.share), &maker, grants))
    }

    fn by(&self) -> By {
        By::Share(Arc::clone(&self.share), Arc::clone(&self.shares))
    }
}

/// May this account make such a share, by itself?
pub(crate) fn may_share(account: &Account, path: &Path, actions: &[Action]) -> bool {
    actions.iter().all(|action| account.may(*action, path))
}

#[cfg(test)]
mod tests {
    use super::super::tokens::TokenPlan;
    use super::*;
    use crate::drawer::accounts::{Base, Book};
    use std::fs;

    #[test]
    fn what_ends_is_over_at_once_and_kept_as_soon_as_that_can_be() {
        let home = tempfile::tempdir().unwrap();
        let accounts = Accounts::new(Base::default(), &Book::default());
        let open = || Keys::open(Some(home.path()), Arc::clone(&accounts), Using::Serving).unwrap();
        let keys = open();
        let made = keys.tokens.add(TokenPlan {
            name: "robot".to_owned(),
            account: "ana".to_owned(),
            mark: String::new(),
            narrow: Vec::new(),
            expires: None,
        });
        let (_, secret) = made.unwrap();
        // Nothing can be put in the place of a folder.
        let (file, aside) = (home.path().join("tokens.json"), home.path().join("aside"));
        fs::rename(&file, &aside).unwrap();
        fs::create_dir(&file).unwrap();
        assert_eq!(keys.end_strays(Whose::All).len(), 1);
        assert!(keys.tokens.find(&secret).is_none());
        keys.keep_now().unwrap_err();
        fs::remove_dir(&file).unwrap();
        fs::rename(&aside, &file).unwrap();
        assert!(open().tokens.find(&secret).is_some());
        keys.keep_now().unwrap();
        assert!(open().tokens.find(&secret).is_none());
    }
}
