//! The one error type of every store and every door.
//!
//! An [`Error`] is a [kind](ErrorKind), the path it is about, and what caused it. Its `Display`
//! prints its own level only; [`std::error::Error::source`] leads further down. Each kind has one
//! stable [code](ErrorKind::code) that goes over the line, and each door has one exhaustive match
//! that turns the kind into its own status.

use std::error::Error as StdError;
use std::fmt;

use crate::path::{Path, PathProblem};

/// The result of everything that can fail here.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong. Doors match on it without `_`, so a new kind must be thought of everywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// There is no such entry.
    NotFound,
    /// Something is there already, and the plan said never to replace.
    Exists,
    /// A folder was expected.
    NotFolder,
    /// A file was expected, and a folder is there.
    IsFolder,
    /// A file was expected, and a link, FIFO, socket or device is there. Never opened.
    NotRegular,
    /// The folder still holds something.
    NotEmpty,
    /// The text is not a path of a drawer.
    BadPath(PathProblem),
    /// A folder cannot be moved or copied into itself; the root cannot be moved or removed.
    BadMove,
    /// The entry is not the version that was named.
    VersionMismatch,
    /// What arrived has another digest than was promised.
    DigestMismatch,
    /// What arrived is longer or shorter than was declared, or changed while it was read.
    LengthMismatch,
    /// Some of the content has not arrived yet.
    Incomplete,
    /// Nothing was kept under this id, or it belongs to somebody else.
    UnknownUpload,
    /// Somebody newer writes the same range, or the upload is committed or discarded.
    UploadLost,
    /// The range lies outside the content.
    BadRange,
    /// The disk, or a quota on it, is full.
    NoSpace,
    /// More than this server takes.
    TooLarge,
    /// The store takes no changes.
    ReadOnly,
    /// Another file system is mounted there: one rename cannot cross it.
    OtherMount,
    /// Another server has this folder.
    Locked,
    /// The account may not do this; signing in may help.
    SignInNeeded,
    /// Name or password is wrong.
    WrongPassword,
    /// This account may not do this.
    Denied,
    /// The line is not encrypted, or who is at its other end is not known.
    Insecure,
    /// Too many at once, or too often; later may help.
    Busy,
    /// The request makes no sense.
    BadRequest,
    /// This store or server does not do that.
    Unsupported,
    /// No progress within the deadline.
    TimedOut,
    /// The other side went away in the middle.
    Disconnected,
    /// The server is going down.
    Closing,
    /// The operating system refused: the folder's permissions.
    Permission,
    /// Anything else; the source says what.
    Io,
}

impl ErrorKind {
    /// Every kind once (with one problem for [`ErrorKind::BadPath`]), for tables and tests.
    pub const ALL: [Self; 32] = [
        Self::NotFound,
        Self::Exists,
        Self::NotFolder,
        Self::IsFolder,
        Self::NotRegular,
        Self::NotEmpty,
        Self::BadPath(PathProblem::Dots),
        Self::BadMove,
        Self::VersionMismatch,
        Self::DigestMismatch,
        Self::LengthMismatch,
        Self::Incomplete,
        Self::UnknownUpload,
        Self::UploadLost,
        Self::BadRange,
        Self::NoSpace,
        Self::TooLarge,
        Self::ReadOnly,
        Self::OtherMount,
        Self::Locked,
        Self::SignInNeeded,
        Self::WrongPassword,
        Self::Denied,
        Self::Insecure,
        Self::Busy,
        Self::BadRequest,
        Self::Unsupported,
        Self::TimedOut,
        Self::Disconnected,
        Self::Closing,
        Self::Permission,
        Self::Io,
    ];

    /// The stable word for this kind, as it goes over the line and into JSON.
    pub const fn code(self) -> &'static str {
        match self {
            Self::NotFound => "not-found",
            Self::Exists => "exists",
            Self::NotFolder => "not-a-folder",
            Self::IsFolder => "is-a-folder",
            Self::NotRegular => "not-a-regular-file",
            Self::NotEmpty => "not-empty",
            Self::BadPath(problem) => problem.code(),
            Self::BadMove => "bad-move",
            Self::VersionMismatch => "version-mismatch",
            Self::DigestMismatch => "digest-mismatch",
            Self::LengthMismatch => "length-mismatch",
            Self::Incomplete => "incomplete",
            Self::UnknownUpload => "unknown-upload",
            Self::UploadLost => "upload-lost",
            Self::BadRange => "bad-range",
            Self::NoSpace => "no-space",
            Self::TooLarge => "too-large",
            Self::ReadOnly => "read-only",
            Self::OtherMount => "other-mount",
            Self::Locked => "locked",
            Self::SignInNeeded => "sign-in-needed",
            Self::WrongPassword => "wrong-password",
            Self::Denied => "denied",
            Self::Insecure => "insecure",
            Self::Busy => "busy",
            Self::BadRequest => "bad-request",
            Self::Unsupported => "unsupported",
            Self::TimedOut => "timed-out",
            Self::Disconnected => "disconnected",
            Self::Closing => "closing",
            Self::Permission => "permission",
            Self::Io => "io",
        }
    }

    /// The kind of a [code](Self::code); none for an unknown one.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .chain(PathProblem::ALL.into_iter().map(Self::BadPath))
            .find(|kind| kind.code() == code)
    }

    /// May the very same request succeed a little later, without anyone changing anything?
    pub const fn is_transient(self) -> bool {
        matches!(
            self,
            Self::Busy | Self::TimedOut | Self::Disconnected | Self::Closing
        )
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotFound => "not found",
            Self::Exists => "already there",
            Self::NotFolder => "not a folder",
            Self::IsFolder => "is a folder",
            Self::NotRegular => "a link or special file, which is never opened",
            Self::NotEmpty => "the folder is not empty",
            Self::BadPath(problem) => return problem.fmt(f),
            Self::BadMove => "cannot be moved or copied there",
            Self::VersionMismatch => "it changed in between",
            Self::DigestMismatch => "the content does not match its digest",
            Self::LengthMismatch => "the content is longer or shorter than declared",
            Self::Incomplete => "some of the content has not arrived",
            Self::UnknownUpload => "no such upload",
            Self::UploadLost => "the upload was taken over or ended",
            Self::BadRange => "the range lies outside the content",
            Self::NoSpace => "no space left",
            Self::TooLarge => "larger than allowed",
            Self::ReadOnly => "read-only",
            Self::OtherMount => "another file system is mounted there",
            Self::Locked => "another server has this folder",
            Self::SignInNeeded => "sign-in needed",
            Self::WrongPassword => "wrong name or password",
            Self::Denied => "not allowed",
            Self::Insecure => "only over an encrypted line to a known server",
            Self::Busy => "too many requests; try again later",
            Self::BadRequest => "the request makes no sense",
            Self::Unsupported => "not supported",
            Self::TimedOut => "no progress within the deadline",
            Self::Disconnected => "the connection was lost",
            Self::Closing => "the server is going down",
            Self::Permission => "the system does not permit it",
            Self::Io => "input/output error",
        })
    }
}

/// What went wrong, where, and why. Prints its own level only.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    path: Option<Box<str>>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error of this kind, about nothing in particular.
    pub fn new(kind: ErrorKind) -> Self {
        Self {
            kind,
            path: None,
            source: None,
        }
    }

    /// An error of this kind about this path.
    pub fn at(kind: ErrorKind, path: &Path) -> Self {
        Self::new(kind).about(path)
    }

    /// A text that is no path. The text is kept (shortened), for the message.
    pub fn bad_path(problem: PathProblem, text: &str) -> Self {
        let mut shown: String = text.chars().take(80).collect();
        if shown.len() < text.len() {
            shown.push('…');
        }
        Self {
            kind: ErrorKind::BadPath(problem),
            path: Some(shown.into()),
            source: None,
        }
    }

    /// [`ErrorKind::BadRequest`] with a sentence that says why.
    pub fn bad_request(why: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::new(ErrorKind::BadRequest).because(why)
    }

    /// Names the path, unless one is named already.
    #[must_use]
    pub fn about(mut self, path: &Path) -> Self {
        self.path.get_or_insert_with(|| path.to_string().into());
        self
    }

    /// Names the path as text: for what is no [`Path`], as on the client's own disk.
    #[must_use]
    pub fn about_text(mut self, path: impl Into<String>) -> Self {
        self.path.get_or_insert_with(|| path.into().into());
        self
    }

    /// Says what caused it.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// What went wrong.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// What it is about. Not escaped for a terminal.
    pub fn path(&self) -> Option<&str> {
        self.path.as_deref()
    }

    /// This level and all below it, in one line. Not escaped for a terminal.
    pub fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut next = self.source();
        while let Some(error) = next {
            text.push_str(": ");
            text.push_str(&error.to_string());
            next = error.source();
        }
        text
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.path {
            Some(path) => write!(f, "{path}: {}", self.kind),
            None => self.kind.fmt(f),
        }
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source
            .as_deref()
            .map(|source| source as &(dyn StdError + 'static))
    }
}

impl From<ErrorKind> for Error {
    fn from(kind: ErrorKind) -> Self {
        Self::new(kind)
    }
}

/// The kind by the operating system's word for it. A store that knows better says so itself.
impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        use std::io::ErrorKind as Os;
        let kind = match error.kind() {
            Os::NotFound => ErrorKind::NotFound,
            Os::PermissionDenied => ErrorKind::Permission,
            Os::AlreadyExists => ErrorKind::Exists,
            Os::NotADirectory => ErrorKind::NotFolder,
            Os::IsADirectory => ErrorKind::IsFolder,
            Os::DirectoryNotEmpty => ErrorKind::NotEmpty,
            Os::ReadOnlyFilesystem => ErrorKind::ReadOnly,
            Os::StorageFull | Os::QuotaExceeded => ErrorKind::NoSpace,
            Os::FileTooLarge => ErrorKind::TooLarge,
            Os::CrossesDevices => ErrorKind::OtherMount,
            Os::TimedOut => ErrorKind::TimedOut,
            Os::InvalidFilename => ErrorKind::BadPath(PathProblem::NameTooLong),
            Os::ConnectionReset
            | Os::ConnectionAborted
            | Os::BrokenPipe
            | Os::NotConnected
            | Os::UnexpectedEof => ErrorKind::Disconnected,
            Os::Unsupported => ErrorKind::Unsupported,
            _ => ErrorKind::Io,
        };
        // An error of ours that travelled inside an `io::Error` comes out as it went in.
        match error.downcast::<Self>() {
            Ok(ours) => ours,
            Err(error) => Self::new(kind).because(error),
        }
    }
}

impl From<Error> for std::io::Error {
    fn from(error: Error) -> Self {
        Self::other(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn codes_are_distinct_and_lead_back() {
        let kinds: Vec<_> = ErrorKind::ALL
            .into_iter()
            .chain(PathProblem::ALL.into_iter().map(ErrorKind::BadPath))
            .collect();
        let codes: BTreeSet<_> = kinds.iter().map(|kind| kind.code()).collect();
        assert_eq!(
            codes.len(),
            ErrorKind::ALL.len() - 1 + PathProblem::ALL.len()
        );
        for kind in kinds {
            assert_eq!(ErrorKind::from_code(kind.code()), Some(kind));
        }
        assert_eq!(ErrorKind::from_code("no-such-code"), None);
    }

    #[test]
    fn an_error_prints_its_own_level_and_its_chain_on_demand() {
        let path = Path::parse("a/b").unwrap();
        let error = Error::at(ErrorKind::Io, &path).because("the disk is on fire");
        assert_eq!(error.to_string(), "/a/b: input/output error");
        assert_eq!(
            error.chain(),
            "/a/b: input/output error: the disk is on fire"
        );
    }

    #[test]
    fn our_error_survives_a_trip_through_io() {
        let path = Path::parse("a").unwrap();
        let io = std::io::Error::from(Error::at(ErrorKind::DigestMismatch, &path));
        let back = Error::from(io);
        assert_eq!(back.kind(), ErrorKind::DigestMismatch);
        assert_eq!(back.path(), Some("/a"));
    }
}
