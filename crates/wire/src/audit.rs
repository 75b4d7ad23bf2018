//! The audit log: one JSON object a line, in the file and over the line alike.

use std::time::SystemTime;

use gaveta_core::{Path, Result};
use serde::{Deserialize, Serialize};

use crate::body::{time_from_text, time_to_text};

/// The result of what was done.
pub const DONE: &str = "done";
/// The result of content whose other side went away in the middle.
pub const CUT: &str = "cut";

/// Who did what to which path from where, when, with what result and how many bytes. Never a
/// secret: a token and a share are told by their ids.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditBody {
    /// When it ended, RFC 3339, to the microsecond.
    pub time: String,
    /// The account; of a token its account, of a share its maker.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub account: String,
    /// The id of the token that was used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// The id of the share that was used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<String>,
    /// The address, without its port; the user of this machine (`uid 1000`) for a command given
    /// here; empty for what the server does by itself.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub from: String,
    /// The door: `http`, `session`, `local` (a command given on this machine), `inside` (the server
    /// itself).
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub door: String,
    /// What was done.
    pub operation: String,
    /// To which path, with a leading slash.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The new path of a rename or copy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// `done`, `cut`, or the code of the error.
    pub result: String,
    /// Bytes of content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// Whom or what it was about, where that is no path: an account, a token, a share.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
    /// So many records before this one could not be written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost: Option<u64>,
}

impl AuditBody {
    /// The time as the log holds it.
    pub fn stamp(time: SystemTime) -> String {
        let text = time_to_text(time);
        // Microseconds are enough, and one length is easier on the eye.
        match text.trim_end_matches('Z').split_once('.') {
            Some((whole, fraction)) => {
                let fraction: String = fraction.chars().chain("000000".chars()).take(6).collect();
                format!("{whole}.{fraction}Z")
            }
            None => format!("{}.000000Z", text.trim_end_matches('Z')),
        }
    }
}

/// Which records somebody wants to see. As the query of a request too.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// From this time on.
    pub since: Option<SystemTime>,
    /// Of this account.
    pub account: Option<String>,
    /// At this path and beneath, the new path of a rename included.
    pub path: Option<Path>,
    /// This operation.
    pub operation: Option<String>,
    /// Only what did not succeed.
    pub failed: bool,
}

impl AuditFilter {
    /// Does it take this record? What was lost is always shown.
    pub fn takes(&self, record: &AuditBody) -> bool {
        if record.lost.is_some() {
            return true;
        }
        let beneath = |path: &Option<String>, wanted: &Path| {
            path.as_deref()
                .and_then(|path| Path::parse(path.trim_start_matches('/')).ok())
                .is_some_and(|path| wanted.holds(&path))
        };
        let since = self
            .since
            .is_none_or(|since| time_from_text(&record.time).is_ok_and(|time| time >= since));
        let path = self
            .path
            .as_ref()
            .is_none_or(|wanted| beneath(&record.path, wanted) || beneath(&record.to, wanted));
        since
            && path
            && self
                .account
                .as_ref()
                .is_none_or(|name| *name == record.account)
            && self
                .operation
                .as_ref()
                .is_none_or(|word| *word == record.operation)
            && !(self.failed && record.result == DONE)
    }

    /// As the query of a URL, without `?`.
    pub fn to_query(&self) -> String {
        let mut parts = Vec::new();
        let mut add = |name: &str, value: &str| {
            parts.push(format!("{name}={}", crate::url::encode_name(value)));
        };
        if let Some(since) = self.since {
            add("since", &time_to_text(since));
        }
        if let Some(account) = &self.account {
            add("account", account);
        }
        if let Some(path) = &self.path {
            add("path", path.as_str());
        }
        if let Some(operation) = &self.operation {
            add("operation", operation);
        }
        if self.failed {
            add("failed", "true");
        }
        parts.join("&")
    }

    /// Takes one pair of a query. False for a name it does not know.
    ///
    /// # Errors
    /// `BadRequest`, `BadPath` for a value that makes no sense.
    pub fn set(&mut self, name: &str, value: &str) -> Result<bool> {
        match name {
            "since" => self.since = Some(time_from_text(value)?),
            "account" => self.account = Some(value.to_owned()),
            "path" => self.path = Some(Path::parse(value.trim_matches('/'))?),
            "operation" => self.operation = Some(value.to_owned()),
            "failed" => self.failed = value == "true",
            _ => return Ok(false),
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, UNIX_EPOCH};

    fn record() -> AuditBody {
        AuditBody {
            time: AuditBody::stamp(UNIX_EPOCH + Duration::from_millis(1500)),
            account: "ana".into(),
            operation: "rename".into(),
            path: Some("/a/b".into()),
            to: Some("/c/d".into()),
            result: DONE.into(),
            ..AuditBody::default()
        }
    }

    #[test]
    fn times_have_one_length() {
        assert_eq!(record().time, "1970-01-01T00:00:01.500000Z");
        assert_eq!(AuditBody::stamp(UNIX_EPOCH), "1970-01-01T00:00:00.000000Z");
        let fine = UNIX_EPOCH + Duration::from_nanos(1_234_567_891);
        assert_eq!(AuditBody::stamp(fine), "1970-01-01T00:00:01.234567Z");
    }

    #[test]
    fn a_filter_takes_what_it_names_by_whole_names() {
        let takes = |change: &dyn Fn(&mut AuditFilter)| {
            let mut filter = AuditFilter::default();
            change(&mut filter);
            filter.takes(&record())
        };
        let path = |text: &str| Some(Path::parse(text).unwrap());
        assert!(takes(&|_| {}));
        assert!(takes(&|f| f.path = path("a")) && takes(&|f| f.path = path("c")));
        assert!(takes(&|f| f.path = path("")) && !takes(&|f| f.path = path("a/bc")));
        assert!(!takes(&|f| f.path = path("a/b/c")));
        assert!(takes(&|f| f.account = Some("ana".into())));
        assert!(!takes(&|f| f.account = Some("an".into())));
        assert!(!takes(&|f| f.operation = Some("read".into())));
        assert!(!takes(&|f| f.failed = true));
        assert!(takes(
            &|f| f.since = Some(UNIX_EPOCH + Duration::from_secs(1))
        ));
        assert!(!takes(
            &|f| f.since = Some(UNIX_EPOCH + Duration::from_secs(2))
        ));
        let lost = AuditBody {
            lost: Some(3),
            ..record()
        };
        let nobody = AuditFilter {
            account: Some("nobody".into()),
            ..AuditFilter::default()
        };
        assert!(nobody.takes(&lost));
    }

    #[test]
    fn a_filter_travels_as_a_query() {
        let filter = AuditFilter {
            since: Some(UNIX_EPOCH + Duration::from_nanos(5)),
            account: Some("a&b=c".into()),
            path: Some(Path::parse("x y/é").unwrap()),
            operation: Some("read".into()),
            failed: true,
        };
        let mut back = AuditFilter::default();
        for pair in filter.to_query().split('&') {
            let (name, value) = pair.split_once('=').unwrap();
            let value = percent_encoding::percent_decode_str(value)
                .decode_utf8()
                .unwrap();
            assert!(back.set(name, &value).unwrap(), "{name}");
        }
        assert_eq!(back, filter);
        assert!(!back.set("nonsense", "x").unwrap());
        assert!(back.set("since", "yesterday").is_err() && back.set("path", "../x").is_err());
    }
}
