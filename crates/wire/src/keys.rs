//! Tokens and shares, as JSON.

use serde::{Deserialize, Serialize};

/// Actions at a path and beneath.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScopeBody {
    /// Where, without a leading slash.
    pub path: String,
    /// Actions or roles, with commas between.
    pub actions: String,
}

/// A token. Its secret is told once, to who made it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenBody {
    /// Names it in lists and logs.
    pub id: String,
    /// What its owner calls it.
    pub name: String,
    /// Whose rights it has a part of.
    pub account: String,
    /// The part; empty means all of them.
    #[serde(default)]
    pub scopes: Vec<ScopeBody>,
    /// RFC 3339.
    pub created: String,
    /// RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
    /// When it was last used since the server started, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used: Option<String>,
    /// The token itself: only in the answer to who made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
}

/// What a new token shall be.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewTokenBody {
    /// What its owner calls it.
    pub name: String,
    /// Of which account: one's own, when left out. Another's only for an administrator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// Which part of the account's rights; all of them, when empty.
    #[serde(default)]
    pub scopes: Vec<ScopeBody>,
    /// For how many seconds; without end, when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<u64>,
}

/// What a share lets somebody do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WayBody {
    /// Get a file, or list a folder and get what is in it.
    #[default]
    Get,
    /// Drop new files into a folder, without seeing what lies there.
    Drop,
}

/// A share. Its link is told once, to who made it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShareBody {
    /// Names it in lists and logs.
    pub id: String,
    /// What is shared, without a leading slash.
    pub path: String,
    /// What it lets somebody do.
    pub way: WayBody,
    /// The account that made it.
    pub maker: String,
    /// RFC 3339.
    pub created: String,
    /// RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
    /// Does it ask for a password?
    #[serde(default)]
    pub password: bool,
    /// So many downloads, or files dropped, at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    /// So many there were.
    #[serde(default)]
    pub used: u64,
    /// The path of the link: only in the answer to who made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
}

/// What a new share shall be.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewShareBody {
    /// What to share.
    pub path: String,
    /// What it lets somebody do.
    #[serde(default)]
    pub way: WayBody,
    /// For how many seconds; without end, when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<u64>,
    /// A password to ask for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
    /// So many downloads, or files dropped, at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
}

/// What whoever has a share's link is told: the answer to a GET of the link for JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SharedBody {
    /// The name of the file or folder; empty for the root.
    pub name: String,
    /// Its path in the drawer, without a leading slash: for the other doors, which the link's
    /// secret opens too, as a bearer.
    pub path: String,
    /// `file` or `folder`.
    pub kind: String,
    /// What the link lets one do.
    pub way: WayBody,
    /// The size of a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
}

/// What was dropped through a share. Where it lies is nobody's business.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DroppedBody {
    /// The names as they were sent.
    pub received: Vec<String>,
    /// Bytes of all of them.
    pub bytes: u64,
}

/// The secret never shows.
impl std::fmt::Debug for TokenBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Token({} {:?} of {:?})",
            self.id, self.name, self.account
        )
    }
}

/// The link never shows.
impl std::fmt::Debug for ShareBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Share({} {:?} of {:?})", self.id, self.path, self.maker)
    }
}

/// The password never shows.
impl std::fmt::Debug for NewShareBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "NewShare({:?} {:?})", self.path, self.way)
    }
}

/// The secret in a share's link, and the rest of its path (with its slash, empty for none).
pub fn in_link(path: &str) -> Option<(&str, &str)> {
    let rest = path.strip_prefix(crate::route::SHARED)?;
    let (secret, rest) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    (!secret.is_empty()).then_some((secret, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_taken_apart() {
        assert_eq!(in_link("/.gaveta/s/gvs_x/a/b"), Some(("gvs_x", "/a/b")));
        assert_eq!(in_link("/.gaveta/s/gvs_x/"), Some(("gvs_x", "/")));
        assert_eq!(in_link("/.gaveta/s/gvs_x"), Some(("gvs_x", "")));
        for bad in [
            "/.gaveta/s/",
            "/.gaveta/s//a",
            "/.gaveta/sx",
            "/s/gvs_x",
            "",
        ] {
            assert_eq!(in_link(bad), None, "{bad}");
        }
    }

    #[test]
    fn no_secret_shows() {
        let token = TokenBody {
            id: "1".into(),
            name: "n".into(),
            account: "ana".into(),
            scopes: Vec::new(),
            created: String::new(),
            expires: None,
            used: None,
            secret: Some("gvt_hidden".into()),
        };
        let new = NewShareBody {
            password: Some("hidden".into()),
            ..NewShareBody::default()
        };
        assert!(!format!("{token:?} {new:?}").contains("hidden"));
    }
}
