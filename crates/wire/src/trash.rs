//! Bodies about the trash and the verification.

use std::time::Duration;

use gaveta_core::{
    Cause, Finding, FindingKind, Owner, Path, Result, TrashId, TrashPlan, TrashState, Trashed,
    VerifyState,
};
use serde::{Deserialize, Serialize};

use crate::body::{EntryBody, time_from_text, time_to_text};

/// The most things of the trash in one page, so that every message stays under
/// [`MAX_MESSAGE`](crate::MAX_MESSAGE) for ordinary names.
pub const MAX_TRASH_PAGE: usize = 100;
/// The most findings in one answer.
pub const MAX_FINDINGS_PAGE: usize = 50;

/// Which things of the trash are meant; all when nothing is said.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrashBody {
    /// What was at this path or beneath.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Only what was at the path itself.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub exact: bool,
    /// What this account put there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// `deleted` or `replaced`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// Since then, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// Before then, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// The `next` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// At most so many, and at most [`MAX_TRASH_PAGE`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
}

impl TrashBody {
    /// Parses it, with the size of the page.
    ///
    /// # Errors
    /// `BadPath`, `BadRequest`.
    pub fn parse(self) -> Result<(TrashPlan, usize)> {
        let unknown = || gaveta_core::Error::bad_request("unknown cause");
        let cause = self.cause.as_deref();
        let bad_cursor = |_| gaveta_core::Error::bad_request("not a cursor");
        let after = self.after.as_deref().map(TrashId::parse).transpose();
        let plan = TrashPlan {
            path: self.path.as_deref().map(Path::parse).transpose()?,
            exact: self.exact,
            by: self.by.map(|by| Owner(by.into())),
            cause: cause
                .map(|code| Cause::from_code(code).ok_or_else(unknown))
                .transpose()?,
            since: self.since.as_deref().map(time_from_text).transpose()?,
            until: self.until.as_deref().map(time_from_text).transpose()?,
            after: after.map_err(bad_cursor)?,
        };
        let limit = self.limit.unwrap_or(MAX_TRASH_PAGE);
        Ok((plan, limit.clamp(1, MAX_TRASH_PAGE)))
    }

    /// The body of a plan.
    pub fn new(plan: &TrashPlan, limit: Option<usize>) -> Self {
        Self {
            path: plan.path.as_ref().map(|path| path.as_str().to_owned()),
            exact: plan.exact,
            by: plan.by.as_ref().map(|by| by.0.to_string()),
            cause: plan.cause.map(|cause| cause.code().to_owned()),
            since: plan.since.map(time_to_text),
            until: plan.until.map(time_to_text),
            after: plan.after.as_ref().map(ToString::to_string),
            limit,
        }
    }
}

/// One thing in the trash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrashedBody {
    /// Its id.
    pub id: String,
    /// What it is, under the path where it was.
    pub entry: EntryBody,
    /// `deleted` or `replaced`.
    pub cause: String,
    /// Since when, RFC 3339.
    pub at: String,
    /// The account that did it, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

impl From<&Trashed> for TrashedBody {
    fn from(one: &Trashed) -> Self {
        Self {
            id: one.id.to_string(),
            entry: EntryBody::from(&one.entry),
            cause: one.cause.code().to_owned(),
            at: time_to_text(one.at),
            by: one.by.as_ref().map(|by| by.0.to_string()),
        }
    }
}

impl TryFrom<TrashedBody> for Trashed {
    type Error = gaveta_core::Error;

    fn try_from(body: TrashedBody) -> Result<Self> {
        let unknown = || gaveta_core::Error::bad_request("unknown cause");
        Ok(Self {
            id: TrashId::parse(&body.id)?,
            entry: body.entry.try_into()?,
            cause: Cause::from_code(&body.cause).ok_or_else(unknown)?,
            at: time_from_text(&body.at)?,
            by: body.by.map(|by| Owner(by.into())),
        })
    }
}

/// How much the trash holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrashStateBody {
    /// How many things.
    pub items: u64,
    /// What they take, in bytes.
    pub bytes: u64,
    /// Not everything is counted yet.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub counting: bool,
    /// The most they may take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub most: Option<u64>,
    /// How long things are kept.
    pub kept_seconds: u64,
}

impl From<&TrashState> for TrashStateBody {
    fn from(state: &TrashState) -> Self {
        Self {
            items: state.items,
            bytes: state.bytes,
            counting: state.counting,
            most: state.most,
            kept_seconds: state.kept.as_secs(),
        }
    }
}

impl From<TrashStateBody> for TrashState {
    fn from(body: TrashStateBody) -> Self {
        Self {
            items: body.items,
            bytes: body.bytes,
            counting: body.counting,
            most: body.most,
            kept: Duration::from_secs(body.kept_seconds),
        }
    }
}

/// How far the verification is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct VerifyBody {
    /// Is it going on now?
    pub running: bool,
    /// When it began, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub began: Option<String>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended: Option<String>,
    /// Files read.
    pub files: u64,
    /// Bytes read.
    pub bytes: u64,
    /// Files that are what was published.
    pub sound: u64,
    /// Files that another program changed.
    pub changed: u64,
    /// Files of which nothing was kept.
    pub undigested: u64,
    /// Files that lost what was published.
    pub rotten: u64,
    /// Files that could not be read.
    pub unreadable: u64,
    /// Things in the server's own place that belong to nobody.
    pub strays: u64,
    /// What was read last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// How many findings there are to be told.
    pub findings: u64,
    /// Those that were asked for.
    pub list: Vec<FindingBody>,
}

/// One thing that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FindingBody {
    /// `rotten`, `changed`, `undigested`, `unreadable` or `stray`.
    pub kind: String,
    /// Where.
    pub path: String,
    /// It lies in the trash under this id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trashed: Option<String>,
    /// A sound earlier version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub better: Option<String>,
}

impl VerifyBody {
    /// The body of a state and these findings.
    pub fn new(state: &VerifyState, findings: &[Finding]) -> Self {
        Self {
            running: state.running,
            began: state.began.map(time_to_text),
            ended: state.ended.map(time_to_text),
            files: state.files,
            bytes: state.bytes,
            sound: state.sound,
            changed: state.changed,
            undigested: state.undigested,
            rotten: state.rotten,
            unreadable: state.unreadable,
            strays: state.strays,
            at: state.at.as_ref().map(|at| at.as_str().to_owned()),
            findings: state.findings,
            list: findings.iter().map(FindingBody::from).collect(),
        }
    }

    /// Parses it.
    ///
    /// # Errors
    /// `BadPath`, `BadRequest`, `NotFound` for what is no id.
    pub fn parse(self) -> Result<(VerifyState, Vec<Finding>)> {
        let findings = self.list.into_iter().map(Finding::try_from);
        let findings = findings.collect::<Result<Vec<_>>>()?;
        let state = VerifyState {
            running: self.running,
            began: self.began.as_deref().map(time_from_text).transpose()?,
            ended: self.ended.as_deref().map(time_from_text).transpose()?,
            files: self.files,
            bytes: self.bytes,
            sound: self.sound,
            changed: self.changed,
            undigested: self.undigested,
            rotten: self.rotten,
            unreadable: self.unreadable,
            strays: self.strays,
            at: self.at.as_deref().map(Path::parse).transpose()?,
            findings: self.findings,
        };
        Ok((state, findings))
    }
}

impl From<&Finding> for FindingBody {
    fn from(finding: &Finding) -> Self {
        Self {
            kind: finding.kind.code().to_owned(),
            path: finding.path.clone(),
            trashed: finding.trashed.as_ref().map(ToString::to_string),
            better: finding.better.as_ref().map(ToString::to_string),
        }
    }
}

impl TryFrom<FindingBody> for Finding {
    type Error = gaveta_core::Error;

    fn try_from(body: FindingBody) -> Result<Self> {
        Ok(Self {
            kind: FindingKind::from_code(&body.kind)?,
            path: body.path,
            trashed: body.trashed.as_deref().map(TrashId::parse).transpose()?,
            better: body.better.as_deref().map(TrashId::parse).transpose()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gaveta_core::{Entry, Kind, Version};
    use std::time::SystemTime;

    #[test]
    fn plans_and_things_lead_back() {
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        let id = TrashId::parse(&"1".repeat(32)).unwrap();
        let plan = TrashPlan {
            path: Some(Path::parse("a b").unwrap()),
            exact: true,
            by: Some(Owner("ana".into())),
            cause: Some(Cause::Replaced),
            since: Some(time),
            until: Some(time),
            after: Some(id.clone()),
        };
        let body = TrashBody::new(&plan, Some(7));
        let json = serde_json::to_string(&body).unwrap();
        let back: TrashBody = serde_json::from_str(&json).unwrap();
        assert_eq!(back.parse().unwrap(), (plan, 7));
        let all: TrashBody = serde_json::from_str("{}").unwrap();
        assert_eq!(all.parse().unwrap(), (TrashPlan::default(), MAX_TRASH_PAGE));
        let one = Trashed {
            id: id.clone(),
            entry: Entry {
                path: Path::parse("a").unwrap(),
                kind: Kind::Folder,
                size: 0,
                modified: time,
                version: Version::parse("v").unwrap(),
                digest: None,
                executable: false,
            },
            cause: Cause::Deleted,
            at: time,
            by: None,
        };
        assert_eq!(Trashed::try_from(TrashedBody::from(&one)).unwrap(), one);
        let finding = Finding {
            kind: FindingKind::Rotten,
            path: "a".into(),
            trashed: None,
            better: Some(id),
        };
        let state = VerifyState {
            running: true,
            began: Some(time),
            rotten: 1,
            at: Some(Path::parse("a").unwrap()),
            findings: 1,
            ..VerifyState::default()
        };
        let body = VerifyBody::new(&state, std::slice::from_ref(&finding));
        assert_eq!(body.parse().unwrap(), (state, vec![finding]));
    }

    #[test]
    fn nonsense_is_refused() {
        for bad in [
            r#"{"path":"/a"}"#,
            r#"{"path":"../a"}"#,
            r#"{"cause":"lost"}"#,
            r#"{"since":"yesterday"}"#,
            r#"{"after":"x"}"#,
        ] {
            let body: TrashBody = serde_json::from_str(bad).unwrap();
            assert!(body.parse().is_err(), "{bad}");
        }
    }
}
