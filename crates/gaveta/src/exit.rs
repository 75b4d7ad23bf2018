//! What the exit code says. Documented in README.md; scripts rely on it.

use gaveta_core::ErrorKind;

/// An exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Everything asked for was done.
    Done = 0,
    /// Something failed; what it was has been named.
    Failed = 1,
    /// The command line makes no sense.
    Usage = 2,
    /// The server could not be reached, or went away.
    Unreachable = 3,
    /// Sign-in is needed, or the password is wrong, or the account may not.
    Denied = 4,
    /// There is no such file or folder.
    NotFound = 5,
    /// Something is there already and `--replace` was not given, or it changed in between.
    Conflict = 6,
    /// The server cannot start: the port is taken or may not be used.
    Port = 10,
    /// The server cannot start: the folder is not there, not writable, or another server has it.
    Folder = 11,
    /// The server cannot start: its state or password cannot be read or kept.
    State = 12,
    /// Stopped by Ctrl-C (128 + SIGINT, as shells have it).
    Interrupted = 130,
}

impl Exit {
    /// The code for a single failure of this kind.
    pub(crate) fn of(kind: ErrorKind) -> Self {
        match kind {
            ErrorKind::NotFound => Self::NotFound,
            ErrorKind::Exists | ErrorKind::VersionMismatch | ErrorKind::NotEmpty => Self::Conflict,
            ErrorKind::SignInNeeded
            | ErrorKind::WrongPassword
            | ErrorKind::Denied
            | ErrorKind::Insecure => Self::Denied,
            ErrorKind::Disconnected | ErrorKind::TimedOut | ErrorKind::Closing => Self::Unreachable,
            ErrorKind::NotFolder
            | ErrorKind::IsFolder
            | ErrorKind::NotRegular
            | ErrorKind::BadPath(_)
            | ErrorKind::BadMove
            | ErrorKind::DigestMismatch
            | ErrorKind::LengthMismatch
            | ErrorKind::Incomplete
            | ErrorKind::UnknownUpload
            | ErrorKind::UploadLost
            | ErrorKind::BadRange
            | ErrorKind::NoSpace
            | ErrorKind::TooLarge
            | ErrorKind::ReadOnly
            | ErrorKind::OtherMount
            | ErrorKind::Locked
            | ErrorKind::Busy
            | ErrorKind::BadRequest
            | ErrorKind::Unsupported
            | ErrorKind::Permission
            | ErrorKind::Io => Self::Failed,
        }
    }
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
