//! JSON bodies: entries, listings, errors.

use std::time::SystemTime;

use gaveta_core::listing::{from_nanos, nanos};
use gaveta_core::{Digest, Entry, Error, ErrorKind, Kind, Path, Result, Version};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// An entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryBody {
    /// Where it is, without a leading slash.
    pub path: String,
    /// `file`, `folder`, `link` or `special`.
    pub kind: String,
    /// Bytes of a file; 0 for anything else.
    pub size: u64,
    /// RFC 3339, to the nanosecond.
    pub modified: String,
    /// The ETag, without its quotes.
    pub version: String,
    /// BLAKE3 in hexadecimal, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// May it be run?
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub executable: bool,
}

impl From<&Entry> for EntryBody {
    fn from(entry: &Entry) -> Self {
        Self {
            path: entry.path.as_str().to_owned(),
            kind: entry.kind.code().to_owned(),
            size: entry.size,
            modified: time_to_text(entry.modified),
            version: entry.version.as_str().to_owned(),
            digest: entry.digest.map(|digest| digest.to_string()),
            executable: entry.executable,
        }
    }
}

impl TryFrom<EntryBody> for Entry {
    type Error = Error;

    fn try_from(body: EntryBody) -> Result<Self> {
        Ok(Self {
            path: Path::parse(&body.path)?,
            kind: Kind::from_code(&body.kind).ok_or_else(|| Error::bad_request("unknown kind"))?,
            size: body.size,
            modified: time_from_text(&body.modified)?,
            version: Version::parse(&body.version)
                .ok_or_else(|| Error::bad_request("bad version"))?,
            digest: body.digest.as_deref().map(Digest::parse_hex).transpose()?,
            executable: body.executable,
        })
    }
}

/// One line of a listing as `application/x-ndjson`. The last line is always [`Line::End`]: a
/// listing without it was cut.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Line {
    /// An entry.
    Entry(EntryBody),
    /// The end.
    End(EndBody),
    /// The listing failed in the middle. Also a last line.
    Error(ErrorBody),
}

/// What stands at the end of a listing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndBody {
    /// How many entries came.
    pub entries: u64,
    /// How many more things lie there whose names no client can use.
    pub unnameable: u64,
    /// Some of those names, escaped.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unnameable_shown: Vec<String>,
    /// The `after` of the next page, when there may be one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// An upload under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UploadBody {
    /// Its id: who knows it may go on with it.
    pub id: String,
    /// Where it will appear, without a leading slash.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// Whose it is.
    pub owner: String,
    /// Its length, when known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub length: Option<u64>,
    /// What arrived and can be trusted: `[start, end]`, the end exclusive.
    pub arrived: Vec<[u64; 2]>,
    /// The version it starts from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<String>,
    /// When something last arrived, RFC 3339.
    pub touched: String,
    /// When it will be dropped unless something arrives, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
}

/// Why something failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorBody {
    /// The stable code: decide by this.
    pub code: String,
    /// An English sentence for people.
    pub message: String,
    /// What it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
}

impl From<&Error> for ErrorBody {
    /// What caused an error of ours inside (`Io`, `Permission`) stays inside: only a request's own
    /// faults are explained.
    fn from(error: &Error) -> Self {
        let why = std::error::Error::source(error);
        let message = match (error.kind(), why) {
            (ErrorKind::BadRequest, Some(why)) => why.to_string(),
            (kind, _) => kind.to_string(),
        };
        Self {
            code: error.kind().code().to_owned(),
            message,
            path: error.path().map(str::to_owned),
        }
    }
}

impl From<ErrorBody> for Error {
    fn from(body: ErrorBody) -> Self {
        let error = match ErrorKind::from_code(&body.code) {
            Some(kind) => Self::new(kind),
            None => Self::new(ErrorKind::Io).because(format!("unknown code {:?}", body.code)),
        };
        let error = match body.path {
            Some(path) => error.about_text(path),
            None => error,
        };
        if error.kind() == ErrorKind::BadRequest {
            error.because(body.message)
        } else {
            error
        }
    }
}

/// The envelope of an [`ErrorBody`] as an HTTP body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Why.
    pub error: ErrorBody,
}

/// A time as RFC 3339, to the nanosecond. Times that RFC 3339 cannot hold become its nearest.
pub fn time_to_text(time: SystemTime) -> String {
    let bounded = nanos(time).clamp(
        Timestamp::MIN.as_nanosecond(),
        Timestamp::MAX.as_nanosecond(),
    );
    Timestamp::from_nanosecond(bounded)
        .unwrap_or(Timestamp::UNIX_EPOCH)
        .to_string()
}

/// Reads RFC 3339.
///
/// # Errors
/// `BadRequest`.
pub fn time_from_text(text: &str) -> Result<SystemTime> {
    let timestamp: Timestamp = text
        .parse()
        .map_err(|error| Error::bad_request(format!("bad time: {error}")))?;
    from_nanos(timestamp.as_nanosecond()).ok_or_else(|| Error::bad_request("bad time"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_error_leads_back_and_keeps_what_is_inside() {
        let path = Path::parse("a").unwrap();
        let error = Error::at(ErrorKind::Io, &path).because("/secret/place: on fire");
        let body = ErrorBody::from(&error);
        assert!(!body.message.contains("secret"));
        let back = Error::from(body);
        assert_eq!((back.kind(), back.path()), (ErrorKind::Io, Some("/a")));
        let why = "the moon is full";
        let body = ErrorBody::from(&Error::bad_request(why));
        assert_eq!(body.message, why);
        assert!(Error::from(body).chain().ends_with(&format!(": {why}")));
        let unknown = ErrorBody {
            code: "from-the-future".into(),
            message: String::new(),
            path: None,
        };
        assert_eq!(Error::from(unknown).kind(), ErrorKind::Io);
    }

    proptest! {
        #[test]
        fn entries_lead_back(size: u64, n in -10_000_000_000_000_000_000i128..10_000_000_000_000_000_000,
                             executable: bool, known: bool) {
            let entry = Entry {
                path: Path::parse("a/é|").unwrap(),
                kind: Kind::File,
                size,
                modified: from_nanos(n).unwrap(),
                version: Version::parse("v-1").unwrap(),
                digest: known.then(|| Digest::of(b"x")),
                executable,
            };
            let json = serde_json::to_string(&EntryBody::from(&entry)).unwrap();
            let body: EntryBody = serde_json::from_str(&json).unwrap();
            prop_assert_eq!(Entry::try_from(body).unwrap(), entry);
        }
    }
}
