//! The one way to the store: past the rules.
//!
//! The store is private to this file. It is handed out only against an [`Allowed`], which only
//! the check can make and which one use takes away: a forgotten check does not compile.

use std::sync::Arc;

use gaveta_core::{Account, AccountKind, Action, Entry, Error, ErrorKind, Path, Result, Store};

/// The evidence that an account may do something. Made by [`Gate::allow`] alone.
#[derive(Debug)]
pub(crate) struct Allowed(());

/// What goes on only as long as it is granted.
#[derive(Debug, Clone)]
pub(crate) enum Need {
    /// This action at this place.
    Here(Action, Path),
    /// This action at any place: for what belongs to none yet.
    Somewhere(Action),
}

impl Need {
    /// This action at this place.
    pub(crate) fn here(action: Action, path: &Path) -> Self {
        Self::Here(action, path.clone())
    }

    /// Is it granted to this account?
    ///
    /// # Errors
    /// As [`Gate::allow`].
    pub(crate) fn check(&self, account: &Account) -> Result<()> {
        match self {
            Self::Here(action, path) => Gate::allow(account, *action, path),
            Self::Somewhere(action) => Gate::allow_somewhere(account, *action),
        }
        .map(|_| ())
    }
}

/// The store behind the rules.
#[derive(Debug)]
pub(crate) struct Gate {
    store: Arc<dyn Store>,
}

impl Gate {
    /// Closes the gate behind the store.
    pub(crate) fn new(store: Arc<dyn Store>) -> Self {
        Self { store }
    }

    /// May this account do this here?
    ///
    /// # Errors
    /// `SignInNeeded` for who did not sign in; `Denied` where the account may know what is there,
    /// and else `NotFound`, whether something is there or not.
    pub(crate) fn allow(account: &Account, action: Action, path: &Path) -> Result<Allowed> {
        match account.may(action, path) {
            true => Ok(Allowed(())),
            false => Err(refusal(account, path)),
        }
    }

    /// May it do this here and everywhere beneath?
    ///
    /// # Errors
    /// As [`Gate::allow`].
    pub(crate) fn allow_beneath(account: &Account, action: Action, path: &Path) -> Result<Allowed> {
        match account.grants().allow_beneath(action, path) {
            true => Ok(Allowed(())),
            false => Err(refusal(account, path)),
        }
    }

    /// May it do this anywhere, as what belongs to no place yet?
    ///
    /// # Errors
    /// As [`Gate::allow`] at the root.
    pub(crate) fn allow_somewhere(account: &Account, action: Action) -> Result<Allowed> {
        match account.grants().anywhere(action) {
            true => Ok(Allowed(())),
            false => Err(refusal(account, &Path::root())),
        }
    }

    /// May it know that something is here, if only because it leads to what it may list?
    ///
    /// # Errors
    /// As [`Gate::allow`].
    pub(crate) fn allow_sight(account: &Account, path: &Path) -> Result<Allowed> {
        match account.grants().shows(path) {
            true => Ok(Allowed(())),
            false => Err(refusal(account, path)),
        }
    }

    /// What is there, whoever asks: for the rules alone, which tell nobody.
    pub(super) async fn there(&self, path: &Path) -> Result<Option<Entry>> {
        match self.store.stat(path).await {
            Ok(entry) => Ok(Some(entry)),
            // The store says why a file on the way is no folder better than the rules could.
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotFolder) => {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// The store, against the evidence.
    pub(crate) fn store(&self, _: Allowed) -> &dyn Store {
        &*self.store
    }

    /// The store, for what the server does by itself: no account asks.
    pub(super) fn own(&self) -> &dyn Store {
        &*self.store
    }

    /// As [`Gate::own`], for what goes on by itself.
    pub(super) fn own_shared(&self) -> Arc<dyn Store> {
        Arc::clone(&self.store)
    }

    /// The store, against the evidence, for what outlives the call.
    pub(crate) fn keep(&self, _: Allowed) -> Arc<dyn Store> {
        Arc::clone(&self.store)
    }
}

fn refusal(account: &Account, path: &Path) -> Error {
    let kind = match account.kind() {
        AccountKind::Visitor => ErrorKind::SignInNeeded,
        AccountKind::Named
        | AccountKind::Administrator
        | AccountKind::Token
        | AccountKind::Share => match account.grants().shows(path) {
            true => ErrorKind::Denied,
            false => ErrorKind::NotFound,
        },
    };
    Error::at(kind, path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use gaveta_core::{Actions, Grant, Grants, Role};

    #[test]
    fn a_refusal_says_no_more_than_one_may_know() {
        let path = |text: &str| Path::parse(text).unwrap();
        let grants = || {
            Grants::new(
                [
                    ("a/b", Role::Viewer.actions()),
                    ("drop", Actions::parse("create").unwrap()),
                ]
                .map(|(at, actions)| Grant {
                    path: path(at),
                    actions,
                }),
            )
        };
        let ana = Account::named("ana", grants());
        let kind = |account: &Account, action, at: &str| {
            Gate::allow(account, action, &path(at))
                .map(|_| ())
                .map_err(|error| error.kind())
        };
        assert_eq!(kind(&ana, Action::Read, "a/b/c"), Ok(()));
        assert_eq!(kind(&ana, Action::Delete, "a/b/c"), Err(ErrorKind::Denied));
        assert_eq!(kind(&ana, Action::Delete, "a"), Err(ErrorKind::Denied));
        assert_eq!(kind(&ana, Action::Delete, "a/x"), Err(ErrorKind::NotFound));
        assert_eq!(kind(&ana, Action::Create, "drop/x"), Ok(()));
        assert_eq!(kind(&ana, Action::Read, "drop/x"), Err(ErrorKind::NotFound));
        let visitor = Account::visitor(grants());
        assert_eq!(
            kind(&visitor, Action::Delete, "a/x"),
            Err(ErrorKind::SignInNeeded)
        );
        assert!(Gate::allow_sight(&ana, &path("a")).is_ok());
        assert!(Gate::allow_sight(&ana, &path("drop")).is_err());
        for action in Action::ALL {
            assert!(Gate::allow_beneath(&Account::administrator(), action, &Path::root()).is_ok());
        }
    }
}
