//! What a call means: an operation on the drawer, or something about the session itself.

use gaveta_core::{
    Command, Cursor, Error, ListPlan, MovePlan, Order, OrderBy, Path, RemovePlan, Replace,
    RestorePlan, Result, TouchPlan, TrashId, VerifyOrder, Version,
};

use super::call::{Call, MAX_SESSION_PAGE, MoveBody, ReplaceBody, SortBody};
use crate::body::{time_from_text, time_to_text};
use crate::trash::TrashBody;

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
