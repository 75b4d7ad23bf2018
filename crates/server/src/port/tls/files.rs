//! The user's own certificate and key, from PEM files.

use std::fs::{self, Metadata};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use zeroize::Zeroizing;

use super::certificate::{Certificate, Unfit};
use super::problem::TlsProblem;

/// The longest file that is read, in bytes: a long chain has some tens of thousands.
const LONGEST: u64 = 1024 * 1024;

/// The certificate that the files hold.
///
/// # Errors
/// `File`, `NoCertificate`, `NoKey`, `Mismatch`.
pub(super) fn read(certificate: &Path, key: &Path) -> Result<Certificate, TlsProblem> {
    let chain = chain(certificate)?;
    let bytes = bytes(key)?;
    let secret =
        PrivateKeyDer::from_pem_slice(&bytes).map_err(|_| TlsProblem::NoKey(key.to_owned()))?;
    Certificate::new(chain, secret, &super::provider()).map_err(|unfit| match unfit {
        Unfit::NoCertificate => TlsProblem::NoCertificate(certificate.to_owned()),
        Unfit::NoKey => TlsProblem::NoKey(key.to_owned()),
        Unfit::Mismatch => TlsProblem::Mismatch(certificate.to_owned(), key.to_owned()),
    })
}

fn chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsProblem> {
    let bytes = bytes(path)?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    match chain {
        Ok(chain) if !chain.is_empty() => Ok(chain),
        _ => Err(TlsProblem::NoCertificate(path.to_owned())),
    }
}

/// Never more than [`LONGEST`], whatever lies there.
pub(super) fn bytes(path: &Path) -> Result<Zeroizing<Vec<u8>>, TlsProblem> {
    let mut bytes = Zeroizing::new(Vec::new());
    fs::File::open(path)
        .and_then(|file| file.take(LONGEST).read_to_end(&mut bytes))
        .map_err(|error| TlsProblem::File(path.to_owned(), error))?;
    Ok(bytes)
}

/// What tells, looked at twice, whether the files are still the same. Links are followed: who
/// renews a certificate often turns a link.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Stamp(Vec<(PathBuf, Option<State>)>);

/// Inode, length, and when it was changed: seconds and nanoseconds.
type State = (u64, u64, i64, i64);

impl Stamp {
    pub(super) fn of(paths: &[&Path]) -> Self {
        let about = |about: Metadata| (about.ino(), about.len(), about.mtime(), about.mtime_nsec());
        let stamp = |path: &&Path| (path.to_path_buf(), fs::metadata(path).ok().map(about));
        Self(paths.iter().map(stamp).collect())
    }
}
