//! Why there is no certificate.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// Why the server cannot speak TLS.
#[derive(Debug)]
pub enum TlsProblem {
    /// A file cannot be read, made or written.
    File(PathBuf, io::Error),
    /// The file holds no certificate in PEM.
    NoCertificate(PathBuf),
    /// The file holds no key in PEM, or one of a kind that is not known.
    NoKey(PathBuf),
    /// The key is not the certificate's.
    Mismatch(PathBuf, PathBuf),
    /// The key of the server's own can be read by others.
    Exposed(PathBuf),
    /// A name that no certificate can be for.
    BadName(String),
    /// Anything else.
    Tls(String),
}

impl TlsProblem {
    pub(super) fn tls(error: impl fmt::Display) -> Self {
        Self::Tls(error.to_string())
    }
}

impl fmt::Display for TlsProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path, error) => write!(f, "{}: {error}", path.display()),
            Self::NoCertificate(path) => write!(f, "{}: no certificate in PEM", path.display()),
            Self::NoKey(path) => write!(f, "{}: no usable key in PEM", path.display()),
            Self::Mismatch(certificate, key) => write!(
                f,
                "{} is not the key of {}",
                key.display(),
                certificate.display()
            ),
            Self::Exposed(path) => write!(f, "{}: others may read it", path.display()),
            Self::BadName(name) => write!(f, "{name}: not a name for a certificate"),
            Self::Tls(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for TlsProblem {}
