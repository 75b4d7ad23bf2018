//! The one way to the store: past the rules.
//!
//! The store is private to this file. It is handed out only against an [`Allowed`], which only
//! the check can make and which one use takes away: a forgotten check does not compile.

use std::sync::Arc;

use gaveta_core::{Account, Action, Error, ErrorKind, Path, Result, Store};

/// The evidence that an account may do something. Made by [`Gate::allow`] alone.
#[derive(Debug)]
pub(crate) struct Allowed(());

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
    /// `SignInNeeded` when somebody who signs in may.
    pub(crate) fn allow(account: &Account, action: Action, path: &Path) -> Result<Allowed> {
        if may(account, action, path) {
            return Ok(Allowed(()));
        }
        let kind = match account {
            Account::Visitor => ErrorKind::SignInNeeded,
            Account::Admin => ErrorKind::Denied,
        };
        Err(Error::at(kind, path))
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

/// The table of rules. Today they are the same at every path.
pub(crate) fn may(account: &Account, action: Action, _: &Path) -> bool {
    match account {
        Account::Admin => true,
        Account::Visitor => match action {
            Action::List | Action::Read | Action::Create => true,
            Action::Replace | Action::Delete | Action::Manage => false,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_visitor_adds_and_the_administrator_does_everything() {
        let root = Path::root();
        for action in Action::ALL {
            assert!(Gate::allow(&Account::Admin, action, &root).is_ok());
            let visitor = Gate::allow(&Account::Visitor, action, &root);
            let adds = matches!(action, Action::List | Action::Read | Action::Create);
            assert_eq!(
                visitor.map(|_| ()).map_err(|e| e.kind()),
                match adds {
                    true => Ok(()),
                    false => Err(ErrorKind::SignInNeeded),
                }
            );
        }
    }
}
