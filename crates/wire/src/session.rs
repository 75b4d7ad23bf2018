//! The messages of the session, and of a POST to [`COMMAND`](crate::route::COMMAND).
//!
//! Every message is one JSON object. The client sends [`Request`]s, each with an id of its choice;
//! the server answers each with an [`Reply`] of that id, in any order, and pushes [`Notice`]s.

use gaveta_core::{
    Command, Cursor, Entry, Error, Event, EventKind, ListPlan, MovePlan, Order, OrderBy, Path,
    RemovePlan, Replace, RestorePlan, Result, TouchPlan, TrashId, VerifyOrder, Version,
};
use serde::{Deserialize, Serialize};

use crate::body::{EndBody, EntryBody, ErrorBody, time_from_text, time_to_text};
use crate::trash::{TrashBody, TrashStateBody, TrashedBody, VerifyBody};

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

impl From<SortBody> for OrderBy {
    fn from(sort: SortBody) -> Self {
        match sort {
            SortBody::Name => Self::Name,
            SortBody::Size => Self::Size,
            SortBody::Modified => Self::Modified,
        }
    }
}

impl From<OrderBy> for SortBody {
    fn from(by: OrderBy) -> Self {
        match by {
            OrderBy::Name => Self::Name,
            OrderBy::Size => Self::Size,
            OrderBy::Modified => Self::Modified,
        }
    }
}

fn version(text: Option<String>) -> Result<Option<Version>> {
    text.map(|text| Version::parse(&text).ok_or_else(|| Error::bad_request("bad version")))
        .transpose()
}

impl TryFrom<ReplaceBody> for Replace {
    type Error = Error;
    fn try_from(body: ReplaceBody) -> Result<Self> {
        Ok(match body {
            ReplaceBody::Never => Self::Never,
            ReplaceBody::Always => Self::Always,
            ReplaceBody::Only(text) => {
                Self::Only(Version::parse(&text).ok_or_else(|| Error::bad_request("bad version"))?)
            }
        })
    }
}

impl From<&Replace> for ReplaceBody {
    fn from(replace: &Replace) -> Self {
        match replace {
            Replace::Never => Self::Never,
            Replace::Always => Self::Always,
            Replace::Only(version) => Self::Only(version.to_string()),
        }
    }
}

impl MoveBody {
    /// The body of a rename or copy.
    pub fn new(from: &Path, to: &Path, plan: &MovePlan) -> Self {
        Self {
            from: from.as_str().to_owned(),
            to: to.as_str().to_owned(),
            replace: (&plan.replace).into(),
            version: plan.version.as_ref().map(ToString::to_string),
        }
    }

    fn parse(self) -> Result<(Path, Path, MovePlan)> {
        let plan = MovePlan {
            replace: self.replace.try_into()?,
            version: version(self.version)?,
            ..Default::default()
        };
        Ok((Path::parse(&self.from)?, Path::parse(&self.to)?, plan))
    }
}

/// A call, parsed: an operation on the drawer, or something about the session itself.
#[derive(Debug, Clone)]
pub enum Parsed {
    /// For `execute(command, view)`.
    Command(Command),
    /// Sign in as this account with this password.
    SignIn(String, Secret),
    /// Sign out.
    SignOut,
    /// Who am I?
    Whoami,
    /// Which calls are there?
    Help,
    /// Still there?
    Ping,
    /// Watch.
    Watch(Path),
    /// Unwatch.
    Unwatch(Path),
}

/// A password. Its `Debug` does not show it.
#[derive(Clone)]
pub struct Secret(pub String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

impl Call {
    /// Parses paths, versions and times.
    ///
    /// # Errors
    /// `BadPath`, `BadRequest`.
    pub fn parse(self) -> Result<Parsed> {
        Ok(match self {
            Self::SignIn { name, password } => Parsed::SignIn(name, Secret(password)),
            Self::SignOut => Parsed::SignOut,
            Self::Whoami => Parsed::Whoami,
            Self::Help => Parsed::Help,
            Self::Ping => Parsed::Ping,
            Self::Watch { path } => Parsed::Watch(Path::parse(&path)?),
            Self::Unwatch { path } => Parsed::Unwatch(Path::parse(&path)?),
            Self::List {
                path,
                sort,
                descending,
                after,
                limit,
            } => {
                let by = sort.unwrap_or(SortBody::Name).into();
                let plan = ListPlan {
                    order: Some(Order { by, descending }),
                    after: after.as_deref().map(Cursor::parse).transpose()?,
                    limit: Some(limit.unwrap_or(MAX_SESSION_PAGE).min(MAX_SESSION_PAGE)),
                };
                Parsed::Command(Command::List(Path::parse(&path)?, plan))
            }
            Self::Stat { path } => Parsed::Command(Command::Stat(Path::parse(&path)?)),
            Self::MakeFolder { path } => Parsed::Command(Command::MakeFolder(Path::parse(&path)?)),
            Self::Rename(body) => {
                let (from, to, plan) = body.parse()?;
                Parsed::Command(Command::Rename(from, to, plan))
            }
            Self::Copy(body) => {
                let (from, to, plan) = body.parse()?;
                Parsed::Command(Command::Copy(from, to, plan))
            }
            Self::Touch {
                path,
                modified,
                executable,
            } => {
                let modified = modified.as_deref().map(time_from_text).transpose()?;
                let plan = TouchPlan {
                    modified,
                    executable,
                };
                Parsed::Command(Command::Touch(Path::parse(&path)?, plan))
            }
            Self::Delete {
                path,
                recursive,
                version: named,
                forever,
            } => {
                let plan = RemovePlan {
                    recursive,
                    version: version(named)?,
                    forever,
                    ..Default::default()
                };
                Parsed::Command(Command::Remove(Path::parse(&path)?, plan))
            }
            Self::Space => Parsed::Command(Command::Space),
            Self::Trash(body) => {
                let (plan, limit) = body.parse()?;
                Parsed::Command(Command::Trash(plan, limit))
            }
            Self::TrashState => Parsed::Command(Command::TrashState),
            Self::Restore {
                trashed,
                to,
                replace,
            } => {
                let plan = RestorePlan {
                    to: to.as_deref().map(Path::parse).transpose()?,
                    replace: replace.try_into()?,
                    by: None,
                };
                Parsed::Command(Command::Restore(TrashId::parse(&trashed)?, plan))
            }
            Self::Purge { trashed } => Parsed::Command(Command::Purge(TrashId::parse(&trashed)?)),
            Self::EmptyTrash(body) => Parsed::Command(Command::Empty(body.parse()?.0)),
            Self::Verify { after } => Parsed::Command(Command::Verify(VerifyOrder::Tell { after })),
            Self::VerifyStart { afresh } => {
                Parsed::Command(Command::Verify(VerifyOrder::Start { afresh }))
            }
            Self::VerifyStop => Parsed::Command(Command::Verify(VerifyOrder::Stop)),
        })
    }
}

impl From<&Command> for Call {
    fn from(command: &Command) -> Self {
        let text = |path: &Path| path.as_str().to_owned();
        match command {
            Command::List(path, plan) => Self::List {
                path: text(path),
                sort: plan.order.map(|order| order.by.into()),
                descending: plan.order.is_some_and(|order| order.descending),
                after: plan.after.as_ref().map(ToString::to_string),
                limit: plan.limit,
            },
            Command::Stat(path) => Self::Stat { path: text(path) },
            Command::MakeFolder(path) => Self::MakeFolder { path: text(path) },
            Command::Rename(from, to, plan) => Self::Rename(MoveBody::new(from, to, plan)),
            Command::Copy(from, to, plan) => Self::Copy(MoveBody::new(from, to, plan)),
            Command::Touch(path, plan) => Self::Touch {
                path: text(path),
                modified: plan.modified.map(time_to_text),
                executable: plan.executable,
            },
            Command::Remove(path, plan) => Self::Delete {
                path: text(path),
                recursive: plan.recursive,
                version: plan.version.as_ref().map(ToString::to_string),
                forever: plan.forever,
            },
            Command::Space => Self::Space,
            Command::Trash(plan, limit) => Self::Trash(TrashBody::new(plan, Some(*limit))),
            Command::TrashState => Self::TrashState,
            Command::Restore(id, plan) => Self::Restore {
                trashed: id.to_string(),
                to: plan.to.as_ref().map(text),
                replace: (&plan.replace).into(),
            },
            Command::Purge(id) => Self::Purge {
                trashed: id.to_string(),
            },
            Command::Empty(plan) => Self::EmptyTrash(TrashBody::new(plan, None)),
            Command::Verify(VerifyOrder::Tell { after }) => Self::Verify { after: *after },
            Command::Verify(VerifyOrder::Start { afresh }) => Self::VerifyStart { afresh: *afresh },
            Command::Verify(VerifyOrder::Stop) => Self::VerifyStop,
        }
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_reads_as_documented() {
        let text = r#"{"id":7,"do":"delete","path":"a b","recursive":true,"unknown":1}"#;
        let request: Request = serde_json::from_str(text).unwrap();
        assert_eq!(request.id, 7);
        let Parsed::Command(Command::Remove(path, plan)) = request.call.parse().unwrap() else {
            panic!("not a remove")
        };
        assert_eq!((path.as_str(), plan.recursive), ("a b", true));
        let text = r#"{"id":8,"do":"rename","from":"a","to":"b","replace":{"only":"v1"}}"#;
        let request: Request = serde_json::from_str(text).unwrap();
        assert!(matches!(
            request.call.parse().unwrap(),
            Parsed::Command(Command::Rename(
                _,
                _,
                MovePlan {
                    replace: Replace::Only(_),
                    ..
                }
            ))
        ));
    }

    #[test]
    fn every_call_is_in_the_help_and_leads_back() {
        let path = || String::from("a");
        let body = MoveBody {
            from: path(),
            to: path(),
            replace: ReplaceBody::Never,
            version: None,
        };
        let calls = [
            Call::SignIn {
                name: path(),
                password: path(),
            },
            Call::SignOut,
            Call::Whoami,
            Call::Help,
            Call::Ping,
            Call::Watch { path: path() },
            Call::Unwatch { path: path() },
            Call::List {
                path: path(),
                sort: None,
                descending: false,
                after: None,
                limit: None,
            },
            Call::Stat { path: path() },
            Call::MakeFolder { path: path() },
            Call::Rename(body.clone()),
            Call::Copy(body),
            Call::Touch {
                path: path(),
                modified: None,
                executable: None,
            },
            Call::Delete {
                path: path(),
                recursive: false,
                version: None,
                forever: false,
            },
            Call::Space,
            Call::Trash(TrashBody {
                path: Some(path()),
                ..TrashBody::default()
            }),
            Call::TrashState,
            Call::Restore {
                trashed: "0".repeat(32),
                to: Some(path()),
                replace: ReplaceBody::Never,
            },
            Call::Purge {
                trashed: "0".repeat(32),
            },
            Call::EmptyTrash(TrashBody::default()),
            Call::Verify { after: 3 },
            Call::VerifyStart { afresh: true },
            Call::VerifyStop,
        ];
        assert_eq!(calls.len(), CALLS.len());
        for (call, word) in calls.into_iter().zip(CALLS) {
            let json = serde_json::to_value(Request {
                id: 1,
                call: call.clone(),
            })
            .unwrap();
            assert_eq!(json["do"], *word);
            let back: Request = serde_json::from_value(json).unwrap();
            assert_eq!(back.call, call);
            if let Parsed::Command(command) = call.parse().unwrap() {
                assert_eq!(command.word(), *word);
            }
        }
    }

    #[test]
    fn what_the_server_sends_leads_back() {
        let end = EndBody::default();
        for message in [
            FromServer::Reply(Reply {
                id: Some(1),
                outcome: Outcome::Ok(AnswerBody::Done),
            }),
            FromServer::Reply(Reply {
                id: None,
                outcome: Outcome::Ok(AnswerBody::Page { list: vec![], end }),
            }),
            FromServer::Notice(Notice::Closing { grace_seconds: 3 }),
            FromServer::Notice(Notice::Missed { events: 3 }),
        ] {
            let json = serde_json::to_string(&message).unwrap();
            assert_eq!(
                serde_json::from_str::<FromServer>(&json).unwrap(),
                message,
                "{json}"
            );
        }
    }

    #[test]
    fn a_password_never_shows() {
        let call = Call::SignIn {
            name: "admin".into(),
            password: "hunter2".into(),
        };
        assert!(!format!("{call:?}").contains("hunter2"));
        assert!(!format!("{:?}", call.parse().unwrap()).contains("hunter2"));
    }
}
