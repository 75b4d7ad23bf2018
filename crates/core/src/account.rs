//! Who asks.

use std::sync::Arc;

use unicode_normalization::is_nfc;

use crate::error::{Error, Result};
use crate::grant::{Action, Actions, Grants};
use crate::path::Path;
use crate::upload::Owner;

/// What an account is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AccountKind {
    /// Somebody who did not sign in.
    Visitor,
    /// Somebody with a name and a password.
    Named,
    /// Whoever looks after the whole server.
    Administrator,
    /// Somebody's token, with no more than he may himself.
    Token,
    /// Whoever has the link of a share.
    Share,
}

/// Who asks, and what he is granted at this moment. A value: whoever keeps one for long asks for a
/// fresh one when accounts change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    name: Arc<str>,
    kind: AccountKind,
    grants: Arc<Grants>,
    quota: Option<u64>,
    /// Whose quota and rate it has, where that is not its own.
    payer: Option<Arc<str>>,
}

impl Account {
    /// The name that signs in as the administrator.
    pub const ADMIN: &'static str = "admin";
    /// The name shown for somebody who did not sign in.
    pub const VISITOR: &'static str = "visitor";
    /// The longest name, in bytes.
    pub const LONGEST: usize = 64;

    /// Somebody who did not sign in, with what everybody is granted.
    pub fn visitor(grants: Grants) -> Self {
        Self::new(Self::VISITOR, AccountKind::Visitor, grants)
    }

    /// Somebody who signed in. Whoever manages the root is an administrator.
    pub fn named(name: &str, grants: Grants) -> Self {
        let kind = match grants.allow(Action::Manage, &Path::root()) {
            true => AccountKind::Administrator,
            false => AccountKind::Named,
        };
        Self::new(name, kind, grants)
    }

    /// The administrator, who may do everything.
    pub fn administrator() -> Self {
        Self::named(Self::ADMIN, Grants::everywhere(Actions::ALL))
    }

    /// Whoever has the link of a share that this account made. The name is shown and logged: no
    /// secret in it. What it keeps here and how fast it goes counts for the maker.
    pub fn share(name: &str, maker: &Self, grants: Grants) -> Self {
        Self {
            quota: maker.quota,
            payer: Some(maker.payer().0),
            ..Self::new(name, AccountKind::Share, grants)
        }
    }

    /// This account through a token of its own: the same name, no more than both grant.
    #[must_use]
    pub fn by_token(&self, scope: &Grants) -> Self {
        Self {
            kind: AccountKind::Token,
            grants: Arc::new(self.grants.within(scope)),
            ..self.clone()
        }
    }

    /// This account with so many bytes for what it keeps here.
    #[must_use]
    pub fn with_quota(self, quota: Option<u64>) -> Self {
        Self { quota, ..self }
    }

    fn new(name: &str, kind: AccountKind, grants: Grants) -> Self {
        Self {
            name: name.into(),
            kind,
            grants: Arc::new(grants),
            quota: None,
            payer: None,
        }
    }

    /// Can this be the name of an account? Letters, digits, and `. _ - @` after the first; in NFC;
    /// at most [`Account::LONGEST`] bytes; not a visitor's.
    ///
    /// # Errors
    /// `BadRequest`.
    pub fn check_name(name: &str) -> Result<()> {
        let sound = name.starts_with(char::is_alphanumeric)
            && name.len() <= Self::LONGEST
            && name
                .chars()
                .all(|c| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '@'))
            && is_nfc(name)
            && name != Self::VISITOR;
        match sound {
            true => Ok(()),
            false => Err(Error::bad_request(
                "a name has letters, digits and . _ - @, begins with a letter or digit, and has \
                 at most 64 bytes",
            )),
        }
    }

    /// The account's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it is.
    pub fn kind(&self) -> AccountKind {
        self.kind
    }

    /// What it is granted.
    pub fn grants(&self) -> &Grants {
        &self.grants
    }

    /// How many bytes it may keep here; none where nobody counts.
    pub fn quota(&self) -> Option<u64> {
        self.quota
    }

    /// The owner of what this account uploads.
    pub fn owner(&self) -> Owner {
        Owner(Arc::clone(&self.name))
    }

    /// Who answers for what it keeps here, has under way and moves: itself, and for a token or a
    /// share whoever made it. A share more is no quota more.
    pub fn payer(&self) -> Owner {
        Owner(Arc::clone(self.payer.as_ref().unwrap_or(&self.name)))
    }

    /// May it do this here?
    pub fn may(&self, action: Action, path: &Path) -> bool {
        self.grants.allow(action, path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grant::Role;

    #[test]
    fn names_are_plain_words() {
        for good in ["ana", "joão", "a.b-c_d@e", "9", &"x".repeat(64)] {
            Account::check_name(good).unwrap();
        }
        for bad in [
            "",
            "visitor",
            "-a",
            "a b",
            "a:b",
            "a/b",
            "a\n",
            "jo\u{61}\u{303}o",
            &"x".repeat(65),
        ] {
            assert!(Account::check_name(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_token_never_has_more_than_its_account() {
        let ana = Account::named("ana", Grants::everywhere(Role::Viewer.actions()));
        let all = ana.by_token(&Grants::everywhere(Actions::ALL));
        assert_eq!(all.grants(), ana.grants());
        assert_eq!((all.kind(), all.owner()), (AccountKind::Token, ana.owner()));
        assert_eq!(Account::administrator().kind(), AccountKind::Administrator);
    }

    #[test]
    fn what_comes_by_a_share_counts_for_its_maker() {
        let ana = Account::named("ana", Grants::everywhere(Role::Viewer.actions()));
        let ana = ana.with_quota(Some(7));
        let token = ana.by_token(ana.grants());
        let share = Account::share("share:1", &ana, ana.grants().clone());
        assert_ne!(share.owner(), ana.owner());
        for account in [&ana, &token, &share] {
            assert_eq!((account.payer(), account.quota()), (ana.owner(), Some(7)));
        }
    }
}
