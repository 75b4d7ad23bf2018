//! The server's own key, and certificates for it that nobody else vouches for.
//!
//! The key is what clients know the server by ([`Fingerprint`](gaveta_wire::fingerprint)): it is
//! made once and kept. Certificates for it are made at each start and before they expire, for the
//! names and addresses the server has then.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use gaveta_disk::{keep_private, make_private, replace_private};
use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use zeroize::Zeroizing;

use super::certificate::Certificate;
use super::files;
use super::problem::TlsProblem;

/// How long a certificate is good: with [`EARLIER`] a year, and nobody asks for less.
const GOOD_FOR: Duration = Duration::from_secs(364 * 24 * 60 * 60);
/// It begins in the past, for clients whose clocks are late.
const EARLIER: Duration = Duration::from_secs(24 * 60 * 60);
/// The key's file within the folder.
const KEY: &str = "key.pem";

/// A new certificate for the key in this folder, which is made when it is missing.
///
/// # Errors
/// `File`, `NoKey`, `Exposed`, `BadName`.
pub(super) fn certificate(folder: &Path, names: &[String]) -> Result<Certificate, TlsProblem> {
    let key = key(folder)?;
    let mut params = CertificateParams::new(names.to_vec())
        .map_err(|_| TlsProblem::BadName(names.join(", ")))?;
    let now = SystemTime::now();
    params.not_before = now.checked_sub(EARLIER).unwrap_or(now).into();
    params.not_after = (now + GOOD_FOR).into();
    let subject = &mut params.distinguished_name;
    subject.remove(DnType::CommonName);
    subject.push(DnType::CommonName, "gaveta");
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = false;
    let made = params.self_signed(&key).map_err(TlsProblem::tls)?;
    let secret = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let certificate = Certificate::new(vec![made.der().clone()], secret, &super::provider())
        .map_err(|unfit| TlsProblem::Tls(format!("{unfit:?}")))?;
    Ok(Certificate {
        own: true,
        ..certificate
    })
}

/// The kept key, or a new one (ECDSA on P-256).
fn key(folder: &Path) -> Result<KeyPair, TlsProblem> {
    let path = folder.join(KEY);
    let named = |error| TlsProblem::File(path.clone(), error);
    match fs::metadata(&path) {
        Ok(about) if about.mode() & 0o077 != 0 => return Err(TlsProblem::Exposed(path)),
        Ok(_) => {
            let pem = files::bytes(&path)?;
            let pem = std::str::from_utf8(&pem).map_err(|_| TlsProblem::NoKey(path.clone()))?;
            return KeyPair::from_pem(pem).map_err(|_| TlsProblem::NoKey(path.clone()));
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(named(error)),
    }
    let made = KeyPair::generate().map_err(TlsProblem::tls)?;
    keep(folder, KEY, Zeroizing::new(made.serialize_pem()).as_bytes())?;
    // Another server may have been quicker: the one that is kept counts.
    let pem = files::bytes(&path)?;
    let pem = std::str::from_utf8(&pem).map_err(|_| TlsProblem::NoKey(path.clone()))?;
    KeyPair::from_pem(pem).map_err(|_| TlsProblem::NoKey(path.clone()))
}

/// Keeps a secret under this name unless something has the name: whole or not at all, on disk when
/// this returns, and for nobody else to read.
pub(super) fn keep(folder: &Path, name: &str, secret: &[u8]) -> Result<(), TlsProblem> {
    write(folder, name, |target| keep_private(target, secret))
}

/// As [`keep`], in place of what has the name.
pub(super) fn replace(folder: &Path, name: &str, secret: &[u8]) -> Result<(), TlsProblem> {
    write(folder, name, |target| replace_private(target, secret))
}

fn write(
    folder: &Path,
    name: &str,
    put: impl FnOnce(&Path) -> io::Result<()>,
) -> Result<(), TlsProblem> {
    let target = folder.join(name);
    let written = make_private(folder).and_then(|()| put(&target));
    written.map_err(|error| TlsProblem::File(target, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_made_once_and_for_nobody_else() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("state/tls");
        let names = vec!["gaveta.example".to_owned(), "192.0.2.7".to_owned()];
        let first = certificate(&folder, &names).unwrap();
        let again = certificate(&folder, &["other.example".to_owned()]).unwrap();
        assert_eq!(first.fingerprint, again.fingerprint);
        assert_eq!(first.names, names);
        assert!(first.own && first.left().is_some() && !first.is_early());
        let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
        assert_eq!(mode(&folder.join(KEY)), 0o600);
        assert_eq!(mode(&folder), 0o700);
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1, "nothing is left");
    }

    #[test]
    fn a_key_that_is_exposed_or_no_key_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let home = tempfile::tempdir().unwrap();
        certificate(home.path(), &[]).unwrap();
        let path = home.path().join(KEY);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let refused = certificate(home.path(), &[]).unwrap_err();
        assert!(matches!(refused, TlsProblem::Exposed(_)), "{refused}");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&path, "no key").unwrap();
        let refused = certificate(home.path(), &[]).unwrap_err();
        assert!(matches!(refused, TlsProblem::NoKey(_)), "{refused}");
    }
}
