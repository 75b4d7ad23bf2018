//! What whoever signed in by himself makes and ends: tokens and shares, and, for who looks after the
//! server, accounts.
//!
//! A token and a share's link cannot make or end others, nor change accounts: whoever finds one gets
//! no further. Everything done here is told to the audit log.

use std::sync::Arc;

use gaveta_core::{Account, AccountKind, Action, Entry, Error, ErrorKind, Path, Result, Store};
use gaveta_wire::keys::{NewShareBody, NewTokenBody, ShareBody, TokenBody};
use zeroize::Zeroizing;

use super::View;
use super::accounts::keeping::Keeping;
use super::accounts::{Change, Settings};
use super::keys::admission::may_share;
use super::keys::desk::{self, What};
use super::keys::shares::Way;
use super::telling::of_pass;

impl View {
    /// Whoever signed in by a name and password.
    ///
    /// # Errors
    /// `SignInNeeded`, `Denied` for who came by a token or share.
    pub(crate) fn by_himself(&self) -> Result<Arc<Account>> {
        let account = self.pass().now()?;
        match account.kind() {
            AccountKind::Named | AccountKind::Administrator => Ok(account),
            AccountKind::Visitor => Err(ErrorKind::SignInNeeded.into()),
            AccountKind::Token | AccountKind::Share => Err(ErrorKind::Denied.into()),
        }
    }

    /// Whoever looks after the server, signed in by a name and password.
    ///
    /// # Errors
    /// As [`View::by_himself`]; `Denied`.
    pub(crate) fn keeper(&self) -> Result<Arc<Account>> {
        let account = self.by_himself()?;
        match only(&account) {
            None => Ok(account),
            Some(_) => Err(ErrorKind::Denied.into()),
        }
    }

    /// One's own tokens, or everybody's for who looks after the server.
    ///
    /// # Errors
    /// As [`View::by_himself`].
    pub(crate) fn tokens(&self) -> Result<Vec<TokenBody>> {
        let account = self.by_himself()?;
        Ok(desk::tokens(self.keys(), only(&account)))
    }

    /// One's own shares, or everybody's for who looks after the server.
    ///
    /// # Errors
    /// As [`View::by_himself`].
    pub(crate) fn shares(&self) -> Result<Vec<ShareBody>> {
        let account = self.by_himself()?;
        Ok(desk::shares(self.keys(), only(&account)))
    }

    /// Makes a token. Its secret is told this once.
    ///
    /// # Errors
    /// As [`View::by_himself`] and [`desk::add_token`]; `Denied` for another's token.
    pub(crate) async fn make_token(&self, new: NewTokenBody) -> Result<TokenBody> {
        let account = self.by_himself()?;
        let done = self.token(new, &account).await;
        let id = done.as_ref().ok().map(|token| token.id.clone());
        self.tell_about("token-add", id, None, &done);
        done
    }

    async fn token(&self, new: NewTokenBody, account: &Account) -> Result<TokenBody> {
        let of = new.account.clone();
        let of = of.unwrap_or_else(|| account.name().to_owned());
        if of != account.name() && only(account).is_some() {
            return Err(ErrorKind::Denied.into());
        }
        let keys = Arc::clone(self.keys());
        blocking(move || desk::add_token(&keys, new, of)).await
    }

    /// Makes a share of what is there. Its link, a path here, is told this once.
    ///
    /// # Errors
    /// As [`View::by_himself`], [`desk::plan_share`] and [`desk::add_share`]; those of `stat`; `Denied`
    /// for who may not do himself what the link lets do.
    pub(crate) async fn make_share(&self, new: NewShareBody) -> Result<ShareBody> {
        let account = self.by_himself()?;
        let path = Path::parse(&new.path)?;
        let done = self.share(new, &path, &account).await;
        let id = done.as_ref().ok().map(|share| share.id.clone());
        self.tell_about("share-add", id, Some(&path), &done);
        done
    }

    async fn share(&self, new: NewShareBody, path: &Path, account: &Account) -> Result<ShareBody> {
        // Whether it is there is told only to who may see it.
        let entry = self.stat(path).await?;
        if !may_share(account, path, desk::way(new.way).actions()) {
            return Err(Error::at(ErrorKind::Denied, path));
        }
        let (keys, kind) = (Arc::clone(self.keys()), entry.kind);
        let (mut plan, password) = desk::plan_share(&keys, new, account.name(), kind)?;
        if let Some(password) = password {
            plan.password = Some(self.hashed(password).await?);
            // That took its time.
            self.by_himself()?;
        }
        blocking(move || desk::add_share(&keys, plan, kind)).await
    }

    /// The hash of a new password.
    ///
    /// # Errors
    /// `BadRequest` when it is empty or too long; `Busy`, `Io`.
    pub(crate) async fn hashed(&self, password: Zeroizing<String>) -> Result<String> {
        self.drawer.entrance.keeper.hash(password).await
    }

    /// How whoever looks may share this himself.
    ///
    /// # Errors
    /// As [`View::by_himself`].
    pub(crate) fn ways(&self, entry: &Entry) -> Result<Vec<Way>> {
        self.by_himself()?;
        let mut ways = self.ways_in(&entry.path);
        ways.retain(|way| desk::fits(*way, entry.kind, &entry.path).is_ok());
        Ok(ways)
    }

    /// How he may share what is at this path, as far as grants go.
    pub(crate) fn ways_in(&self, path: &Path) -> Vec<Way> {
        let account = self.account();
        [Way::Get, Way::Drop]
            .into_iter()
            .filter(|way| may_share(&account, path, way.actions()))
            .collect()
    }

    /// How many bytes an account keeps, as far as they are counted: where it has a quota.
    pub(crate) fn kept_by(&self, account: &str) -> u64 {
        self.drawer.quotas.used(account)
    }

    /// Ends one's own token or share, or for who looks after the server anybody's.
    ///
    /// # Errors
    /// As [`View::by_himself`] and [`desk::remove`].
    pub(crate) async fn end_key(&self, what: What, id: &str) -> Result<()> {
        let account = self.by_himself()?;
        let (keys, wanted) = (Arc::clone(self.keys()), id.to_owned());
        let mine = only(&account).map(str::to_owned);
        let done = blocking(move || desk::remove(&keys, what, &wanted, mine.as_deref())).await;
        let word = match what {
            What::Tokens => "token-remove",
            What::Shares => "share-remove",
        };
        let path = done.as_ref().ok().and_then(Option::as_ref);
        self.tell_about(word, Some(id.chars().take(64).collect()), path, &done);
        done.map(|_| ())
    }

    /// Changes an account, and puts that in force. What has begun is done and told, also when
    /// nobody waits for it any more.
    ///
    /// # Errors
    /// As [`View::keeper`], [`Keeping::turn`] and [`Keeping::change`]; `BadRequest` for a name that
    /// will not do; `Denied` for what would lock out whoever asks, and for an account that would take
    /// the place of the administrator's, or leave it to whoever knows the password of the start.
    pub(crate) async fn change_account(
        &self,
        keeping: &Arc<Keeping>,
        name: &str,
        change: Change,
    ) -> Result<()> {
        self.keeper()?;
        Account::check_name(name)?;
        let turn = keeping.turn().await?;
        // Whoever was before may have taken it from him.
        let account = self.keeper()?;
        let (view, keeping, name) = (self.clone(), Arc::clone(keeping), name.to_owned());
        let locks_out = name == account.name() && locks_out(&change)
            || name == Account::ADMIN && matches!(change, Change::Add { .. } | Change::Remove);
        let changing = tokio::spawn(async move {
            let _turn = turn;
            let done = match locks_out {
                true => Err(Error::new(ErrorKind::Denied).about_text(name.clone())),
                false => {
                    let by = of_pass(view.pass());
                    keeping.change(by, &name, change.clone()).await
                }
            };
            // What was done is told with what came of it.
            if done.is_err() {
                view.tell_about(change.word(), Some(name), change.path(), &done);
            }
            done
        });
        changing
            .await
            .unwrap_or_else(|error| Err(Error::new(ErrorKind::Io).because(error)))
    }
}

/// Would whoever changes his own account so be unable to change it back?
fn locks_out(change: &Change) -> bool {
    match change {
        Change::Remove | Change::Grant(..) | Change::Add { .. } => true,
        Change::Set(Settings {
            disabled, expires, ..
        }) => *disabled == Some(true) || matches!(expires, Some(Some(_))),
        Change::Password(_) | Change::AddKey(_) | Change::RemoveKey(_) => false,
    }
}

/// Whose he may see: his own, or everybody's.
fn only(account: &Account) -> Option<&str> {
    match account.may(Action::Manage, &Path::root()) {
        true => None,
        false => Some(account.name()),
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Error::new(ErrorKind::Io).because(error))?
}
