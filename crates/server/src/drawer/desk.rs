//! What whoever signed in by himself makes and ends: tokens and shares, and, for who looks after the
//! server, accounts.
//!
//! A token and a share's link cannot make or end others, nor change accounts: whoever finds one gets
//! no further. Everything done here is told to the audit log.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use gaveta_core::{
    Account, AccountKind, Action, Actions, Entry, Error, ErrorKind, Kind, Path, Result, Store,
};
use gaveta_wire::keys::{NewShareBody, NewTokenBody, ScopeBody, WayBody};
use gaveta_wire::{route, url};
use zeroize::Zeroizing;

use super::View;
use super::accounts::keeping::Keeping;
use super::accounts::{Change, Settings};
use super::keys::admission::may_share;
use super::keys::secret::Secret;
use super::keys::shares::{Share, SharePlan, Way};
use super::keys::tokens::{Token, TokenPlan};
use super::keys::{Narrow, ends_in};
use super::password::AdminPassword;
use super::telling::of_pass;

/// The longest a token or share may last: a hundred years, which every clock can add.
const LONGEST: u64 = 100 * 365 * 24 * 60 * 60;

/// A share that was just made, with its link: a path here, which is told once.
#[derive(Debug)]
pub(crate) struct Made {
    pub(crate) share: Arc<Share>,
    pub(crate) link: Zeroizing<String>,
}

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

    /// One's own tokens, or everybody's for who looks after the server, each with its last use.
    ///
    /// # Errors
    /// As [`View::by_himself`].
    pub(crate) fn tokens(&self) -> Result<Vec<(Arc<Token>, Option<SystemTime>)>> {
        let account = self.by_himself()?;
        Ok(self.keys().tokens.list(only(&account)))
    }

    /// One's own shares, or everybody's for who looks after the server, each with how often it was
    /// used.
    ///
    /// # Errors
    /// As [`View::by_himself`].
    pub(crate) fn shares(&self) -> Result<Vec<(Arc<Share>, u64)>> {
        let account = self.by_himself()?;
        Ok(self.keys().shares.list(only(&account)))
    }

    /// Makes a token. Its secret is told once.
    ///
    /// # Errors
    /// As [`View::by_himself`]; `Denied` for another's token, `NotFound` for nobody's, and those of
    /// [`Tokens::add`](super::keys::tokens::Tokens::add).
    pub(crate) async fn make_token(&self, new: NewTokenBody) -> Result<(Arc<Token>, Secret)> {
        let account = self.by_himself()?;
        let done = self.token(new, &account).await;
        let id = done.as_ref().ok().map(|(token, _)| token.id.clone());
        self.tell_about("token-add", id, None, &done);
        done
    }

    async fn token(&self, new: NewTokenBody, account: &Account) -> Result<(Arc<Token>, Secret)> {
        let of = new.account.unwrap_or_else(|| account.name().to_owned());
        if of != account.name() && only(account).is_some() {
            return Err(ErrorKind::Denied.into());
        }
        let keys = Arc::clone(self.keys());
        let mark = keys
            .mark_of(&of)
            .ok_or_else(|| Error::new(ErrorKind::NotFound).about_text(of.clone()))?;
        let plan = TokenPlan {
            name: new.name,
            account: of,
            mark,
            narrow: new.scopes.iter().map(scope).collect::<Result<Vec<_>>>()?,
            expires: ends(new.seconds)?,
        };
        blocking(move || keys.tokens.add(plan)).await
    }

    /// Makes a share of what is there. Its link is told once.
    ///
    /// # Errors
    /// As [`View::by_himself`]; those of `stat`; `Denied` for who may not do it himself,
    /// `NotFolder` for a drop into what is none, `NotRegular` for what is never opened; and those of
    /// [`Shares::add`](super::keys::shares::Shares::add).
    pub(crate) async fn make_share(&self, new: NewShareBody) -> Result<Made> {
        let account = self.by_himself()?;
        let path = Path::parse(&new.path)?;
        let done = self.share(new, &path, &account).await;
        let id = done.as_ref().ok().map(|made| made.share.id.clone());
        self.tell_about("share-add", id, Some(&path), &done);
        done
    }

    async fn share(&self, new: NewShareBody, path: &Path, account: &Account) -> Result<Made> {
        let way = match new.way {
            WayBody::Get => Way::Get,
            WayBody::Drop => Way::Drop,
        };
        // Whether it is there is told only to who may see it.
        let entry = self.stat(path).await?;
        if !may_share(account, path, way.actions()) {
            return Err(Error::at(ErrorKind::Denied, path));
        }
        shareable(&entry, way)?;
        let password = match new.password {
            Some(password) => {
                let password = Zeroizing::new(password);
                Some(hashed(password).await?)
            }
            None => None,
        };
        let plan = SharePlan {
            path: path.clone(),
            way,
            maker: account.name().to_owned(),
            expires: ends(new.seconds)?,
            password,
            limit: new.limit,
        };
        let keys = Arc::clone(self.keys());
        let (share, secret) = blocking(move || keys.shares.add(plan)).await?;
        let name = match (entry.is_folder(), path.name()) {
            (false, Some(name)) => url::encode_name(name),
            _ => String::new(),
        };
        let link = format!("{}{}/{name}", route::SHARED, secret.reveal());
        Ok(Made {
            share,
            link: Zeroizing::new(link),
        })
    }

    /// How whoever looks may share this himself.
    ///
    /// # Errors
    /// As [`View::by_himself`].
    pub(crate) fn ways(&self, entry: &Entry) -> Result<Vec<Way>> {
        self.by_himself()?;
        let mut ways = self.ways_in(&entry.path);
        ways.retain(|way| shareable(entry, *way).is_ok());
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

    /// Revokes one's own token, or for who looks after the server anybody's.
    ///
    /// # Errors
    /// As [`View::by_himself`]; `NotFound`, `Io`.
    pub(crate) async fn end_token(&self, id: &str) -> Result<()> {
        let account = self.by_himself()?;
        let (keys, wanted) = (Arc::clone(self.keys()), id.to_owned());
        let mine = only(&account).map(str::to_owned);
        let done = blocking(move || {
            let is_mine = |name: &str| mine.as_deref().is_none_or(|mine| mine == name);
            let gone = keys
                .tokens
                .remove(|token| token.id == wanted && is_mine(&token.account))?;
            if gone.is_empty() {
                return Err(ErrorKind::NotFound.into());
            }
            keys.changed();
            Ok(())
        })
        .await;
        self.tell_about("token-remove", Some(short(id)), None, &done);
        done
    }

    /// Ends one's own share, or for who looks after the server anybody's.
    ///
    /// # Errors
    /// As [`View::by_himself`]; `NotFound`, `Io`.
    pub(crate) async fn end_share(&self, id: &str) -> Result<()> {
        let account = self.by_himself()?;
        let (keys, wanted) = (Arc::clone(self.keys()), id.to_owned());
        let mine = only(&account).map(str::to_owned);
        let done = blocking(move || {
            let is_mine = |name: &str| mine.as_deref().is_none_or(|mine| mine == name);
            let gone = keys
                .shares
                .remove(|share| share.id == wanted && is_mine(&share.maker))?;
            let Some(share) = gone.first() else {
                return Err(ErrorKind::NotFound.into());
            };
            keys.changed();
            Ok(share.path.clone())
        })
        .await;
        self.tell_about("share-remove", Some(short(id)), done.as_ref().ok(), &done);
        done.map(|_| ())
    }

    /// Changes an account, and puts that in force. What has begun is done and told, also when
    /// nobody waits for it any more.
    ///
    /// # Errors
    /// As [`View::keeper`] and [`Keeping::change`]; `BadRequest` for a name that will not do;
    /// `Denied` for what would lock out whoever asks, and for an account that would take the place
    /// of the administrator's.
    pub(crate) async fn change_account(
        &self,
        keeping: &Arc<Keeping>,
        name: &str,
        change: Change,
    ) -> Result<()> {
        let account = self.keeper()?;
        Account::check_name(name)?;
        let (view, keeping, name) = (self.clone(), Arc::clone(keeping), name.to_owned());
        let locks_out = name == account.name() && locks_out(&change)
            || name == Account::ADMIN && matches!(change, Change::Add { .. });
        let changing = tokio::spawn(async move {
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

/// Can this be shared so?
///
/// # Errors
/// `NotFolder`, `NotRegular`.
fn shareable(entry: &Entry, way: Way) -> Result<()> {
    match (way, entry.kind) {
        (Way::Drop, Kind::Folder) | (Way::Get, Kind::File | Kind::Folder) => Ok(()),
        (Way::Drop, _) => Err(Error::at(ErrorKind::NotFolder, &entry.path)),
        (Way::Get, _) => Err(Error::at(ErrorKind::NotRegular, &entry.path)),
    }
}

/// The hash of a new password.
///
/// # Errors
/// `BadRequest` when it is empty or too long.
pub(crate) async fn hashed(password: Zeroizing<String>) -> Result<String> {
    let hashed = blocking(move || AdminPassword::new(&password)).await?;
    Ok(hashed.hash().to_owned())
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Error::new(ErrorKind::Io).because(error))?
}

/// An id as the log has it, whatever was given.
fn short(id: &str) -> String {
    id.chars().take(64).collect()
}

fn scope(body: &ScopeBody) -> Result<Narrow> {
    Ok(Narrow {
        path: Path::parse(body.path.trim_matches('/'))?,
        actions: Actions::parse(&body.actions)?,
    })
}

fn ends(seconds: Option<u64>) -> Result<Option<SystemTime>> {
    let Some(seconds) = seconds else {
        return Ok(None);
    };
    if seconds == 0 || seconds > LONGEST {
        return Err(Error::bad_request(
            "it lasts from one second to a hundred years",
        ));
    }
    Ok(ends_in(Duration::from_secs(seconds)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_bounded() {
        assert!(ends(None).unwrap().is_none() && ends(Some(LONGEST)).unwrap().is_some());
        assert!(ends(Some(0)).is_err() && ends(Some(u64::MAX)).is_err());
    }
}
