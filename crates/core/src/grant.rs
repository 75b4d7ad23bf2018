//! Who may do what.

use std::sync::Arc;

use crate::upload::Owner;

/// One thing an account may be granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Action {
    /// See names, sizes and dates.
    List,
    /// Read contents.
    Read,
    /// Make what was not there.
    Create,
    /// Change or replace what is there.
    Replace,
    /// Delete or move away what is there.
    Delete,
    /// Look after the server.
    Manage,
}

impl Action {
    /// Every action, for tables and tests.
    pub const ALL: [Self; 6] = [
        Self::List,
        Self::Read,
        Self::Create,
        Self::Replace,
        Self::Delete,
        Self::Manage,
    ];

    /// The stable word for this action.
    pub const fn code(self) -> &'static str {
        match self {
            Self::List => "list",
            Self::Read => "read",
            Self::Create => "create",
            Self::Replace => "replace",
            Self::Delete => "delete",
            Self::Manage => "manage",
        }
    }
}

/// Who asks. What each may do is the server's table of rules.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Account {
    /// Somebody who did not sign in.
    Visitor,
    /// The administrator.
    Admin,
}

impl Account {
    /// The name that signs in as the administrator.
    pub const ADMIN: &'static str = "admin";
    /// The name shown for somebody who did not sign in.
    pub const VISITOR: &'static str = "visitor";

    /// The account's name.
    pub fn name(&self) -> &str {
        match self {
            Self::Visitor => Self::VISITOR,
            Self::Admin => Self::ADMIN,
        }
    }

    /// The owner of what this account uploads.
    pub fn owner(&self) -> Owner {
        Owner(Arc::from(self.name()))
    }
}
