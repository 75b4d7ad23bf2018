//! What the client says.

use serde::{Deserialize, Serialize};

use crate::trash::TrashBody;

/// What the client asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Chosen by the client; comes back in the answer.
    #[serde(default)]
    pub id: u64,
    /// What to do.
    #[serde(flatten)]
    pub call: Call,
}

/// What to do. `"do"` names it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
pub enum Call {
    /// Sign in, for this session.
    SignIn {
        /// The account.
        name: String,
        /// Its password.
        password: String,
    },
    /// Be a visitor again.
    SignOut,
    /// Who am I, and what may I do?
    Whoami,
    /// Which calls are there?
    Help,
    /// Still there?
    Ping,
    /// Tell me what happens at a path and beneath it.
    Watch {
        /// Where.
        path: String,
    },
    /// No longer.
    Unwatch {
        /// Where.
        path: String,
    },
    /// One page of a folder.
    List {
        /// The folder.
        path: String,
        /// `name` (as when left out), `size` or `modified`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sort: Option<SortBody>,
        /// From the largest down.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        descending: bool,
        /// The `next` of the page before.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<String>,
        /// At most so many entries: at most 100 in a session.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        limit: Option<usize>,
    },
    /// What is there.
    Stat {
        /// Where.
        path: String,
    },
    /// Make a folder.
    MakeFolder {
        /// Where.
        path: String,
    },
    /// Rename.
    Rename(MoveBody),
    /// Copy.
    Copy(MoveBody),
    /// Set the modified time or the executable bit.
    Touch {
        /// Where.
        path: String,
        /// RFC 3339.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        modified: Option<String>,
        /// May it be run?
        #[serde(default, skip_serializing_if = "Option::is_none")]
        executable: Option<bool>,
    },
    /// Delete.
    Delete {
        /// What.
        path: String,
        /// A folder with all in it.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        recursive: bool,
        /// Only while it is this version.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        version: Option<String>,
        /// Past the trash: it cannot be brought back.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        forever: bool,
    },
    /// How much room there is.
    Space,
    /// What was deleted or replaced; one page, the newest first.
    Trash(TrashBody),
    /// How much the trash holds.
    TrashState,
    /// Bring something back from the trash.
    Restore {
        /// Its id.
        trashed: String,
        /// Where to; where it was, when left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<String>,
        /// About what stands there by now.
        #[serde(default)]
        replace: ReplaceBody,
    },
    /// Destroy one thing of the trash.
    Purge {
        /// Its id.
        trashed: String,
    },
    /// Destroy what is meant, some of it in one go.
    EmptyTrash(TrashBody),
    /// How far the verification is.
    Verify {
        /// So many findings are known: tell those after them.
        #[serde(default)]
        after: u64,
    },
    /// Read everything again, or go on where that was stopped.
    VerifyStart {
        /// From the beginning in any case.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        afresh: bool,
    },
    /// Stop reading everything again.
    VerifyStop,
}

/// The most entries of one page over the session, so that every message stays under
/// [`MAX_MESSAGE`](crate::MAX_MESSAGE) for ordinary names; larger pages go over HTTP.
pub const MAX_SESSION_PAGE: usize = 100;

/// The words of every call, for `help`.
pub const CALLS: &[&str] = &[
    "sign-in",
    "sign-out",
    "whoami",
    "help",
    "ping",
    "watch",
    "unwatch",
    "list",
    "stat",
    "make-folder",
    "rename",
    "copy",
    "touch",
    "delete",
    "space",
    "trash",
    "trash-state",
    "restore",
    "purge",
    "empty-trash",
    "verify",
    "verify-start",
    "verify-stop",
];

/// The password never shows.
impl std::fmt::Debug for Call {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::SignIn { name, .. } => write!(f, "SignIn({name:?})"),
            other => f.write_str(&serde_json::to_string(other).unwrap_or_default()),
        }
    }
}

/// From where to where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MoveBody {
    /// The old path.
    pub from: String,
    /// The new path.
    pub to: String,
    /// About what has the new name.
    #[serde(default)]
    pub replace: ReplaceBody,
    /// Only while the source is this version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// `"never"`, `"always"` or `{"only":"VERSION"}`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReplaceBody {
    /// Fail when something is there.
    #[default]
    Never,
    /// Replace it.
    Always,
    /// Replace it while it is this version.
    Only(String),
}

/// What to sort by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SortBody {
    /// By name.
    Name,
    /// By size.
    Size,
    /// By modified time.
    Modified,
}
