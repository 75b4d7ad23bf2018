//! What the server says.

use gaveta_core::{Entry, Error, Event, EventKind, Path, Result};
use serde::{Deserialize, Serialize};

use crate::body::{EndBody, EntryBody, ErrorBody};
use crate::trash::{TrashStateBody, TrashedBody, VerifyBody};

/// Everything the server sends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum FromServer {
    /// The answer to a request.
    Reply(Reply),
    /// Something nobody asked for.
    Notice(Notice),
}

/// The answer to the request with this id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// The request's id; none when the request could not be read so far.
    pub id: Option<u64>,
    /// `ok` or `error`.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// How it went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Well.
    Ok(AnswerBody),
    /// Not.
    Error(ErrorBody),
}

/// What came of it. `"is"` names the form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum AnswerBody {
    /// Done; nothing to tell.
    Done,
    /// The entry as it is now.
    Entry(EntryBody),
    /// One page of a folder.
    Page {
        /// The entries.
        list: Vec<EntryBody>,
        /// What stands at the end.
        end: EndBody,
    },
    /// The room, in bytes.
    Space {
        /// All there is.
        total: u64,
        /// What can still be written.
        free: u64,
    },
    /// One page of the trash.
    Trash {
        /// The newest first.
        list: Vec<TrashedBody>,
        /// The `after` of the next page, when there may be one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        next: Option<String>,
    },
    /// How much the trash holds.
    TrashState(TrashStateBody),
    /// So many things were destroyed.
    Purged {
        /// How many.
        things: u64,
        /// There may be more.
        more: bool,
    },
    /// How far the verification is, and what it found.
    Verify(VerifyBody),
    /// Who you are.
    Account(AccountBody),
    /// The calls.
    Help {
        /// Their words.
        calls: Vec<String>,
    },
    /// Still here.
    Pong,
}

/// An account and what it may do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountBody {
    /// Its name.
    pub name: String,
    /// Codes of actions: `list`, `read`, `create`, `replace`, `delete`, `manage`.
    pub may: Vec<String>,
}

/// What nobody asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Notice {
    /// The first message of a session.
    Hello {
        /// [`PROTOCOL`](crate::PROTOCOL).
        protocol: u32,
        /// The program and its version.
        server: String,
        /// Who you are.
        account: AccountBody,
        /// The server pings as often; a client that hears nothing for three times as long may
        /// take the line for dead.
        keep_alive_seconds: u32,
        /// The longest message it takes, in bytes.
        max_message: usize,
    },
    /// Something happened where you watch.
    Event(EventBody),
    /// So many events were left out: this session reads too slowly. List again.
    Missed {
        /// How many.
        events: u64,
    },
    /// The server is going down; transfers under way may end within so many seconds.
    Closing {
        /// Seconds.
        grace_seconds: u32,
    },
}

/// An event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventBody {
    /// `created`, `changed`, `deleted` or `renamed`.
    pub what: String,
    /// Where; for a rename, the old path.
    pub path: String,
    /// The entry as it is now; none when deleted. For a rename, under its new path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<EntryBody>,
    /// The account that did it.
    pub by: String,
}

impl From<&Event> for EventBody {
    fn from(event: &Event) -> Self {
        let (what, entry) = match &event.kind {
            EventKind::Created(entry) => ("created", Some(entry)),
            EventKind::Changed(entry) => ("changed", Some(entry)),
            EventKind::Deleted => ("deleted", None),
            EventKind::Renamed(entry) => ("renamed", Some(entry)),
        };
        Self {
            what: what.to_owned(),
            path: event.path.as_str().to_owned(),
            entry: entry.map(EntryBody::from),
            by: event.by.clone(),
        }
    }
}

impl TryFrom<EventBody> for Event {
    type Error = Error;
    fn try_from(body: EventBody) -> Result<Self> {
        let entry = body.entry.map(Entry::try_from).transpose()?;
        let kind = match (body.what.as_str(), entry) {
            ("created", Some(entry)) => EventKind::Created(entry),
            ("changed", Some(entry)) => EventKind::Changed(entry),
            ("deleted", None) => EventKind::Deleted,
            ("renamed", Some(entry)) => EventKind::Renamed(entry),
            _ => return Err(Error::bad_request("unknown event")),
        };
        Ok(Self {
            path: Path::parse(&body.path)?,
            kind,
            by: body.by,
        })
    }
}
