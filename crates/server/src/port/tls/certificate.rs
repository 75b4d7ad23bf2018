//! One certificate with its key, and what is to be known of it.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use gaveta_wire::fingerprint::Fingerprint;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use sha2::{Digest, Sha256};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

/// A certificate that can be shown.
#[derive(Debug)]
pub(crate) struct Certificate {
    pub(super) key: Arc<CertifiedKey>,
    pub(crate) fingerprint: Fingerprint,
    /// From when on it is good.
    pub(super) begins: SystemTime,
    /// Until when.
    pub(crate) expires: SystemTime,
    /// The names and addresses it is for, in lower case.
    pub(crate) names: Vec<String>,
    /// One of the server's own, which nobody vouches for.
    pub(crate) own: bool,
}

/// Why these do not make one.
#[derive(Debug)]
pub(super) enum Unfit {
    /// What should be a certificate is none.
    NoCertificate,
    /// The key is of a kind that is not known.
    NoKey,
    /// The key is another's.
    Mismatch,
}

impl Certificate {
    /// Takes a chain, the certificate first, and its key. Whether it is expired is not looked at.
    ///
    /// # Errors
    /// [`Unfit`].
    pub(super) fn new(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
        provider: &CryptoProvider,
    ) -> Result<Self, Unfit> {
        let first = chain.first().ok_or(Unfit::NoCertificate)?.clone();
        let (_, read) = X509Certificate::from_der(&first).map_err(|_| Unfit::NoCertificate)?;
        let key = provider
            .key_provider
            .load_private_key(key)
            .map_err(|_| Unfit::NoKey)?;
        let key = CertifiedKey::new(chain, key);
        key.keys_match().map_err(|_| Unfit::Mismatch)?;
        Ok(Self {
            key: Arc::new(key),
            fingerprint: Fingerprint(Sha256::digest(read.public_key().raw).into()),
            begins: time(read.validity().not_before.timestamp()),
            expires: time(read.validity().not_after.timestamp()),
            names: names(&read),
            own: false,
        })
    }

    /// How long it is still good; none when it has expired.
    pub(super) fn left(&self) -> Option<Duration> {
        self.expires.duration_since(SystemTime::now()).ok()
    }

    /// A clock that is wrong, or a certificate that is not good yet.
    pub(super) fn is_early(&self) -> bool {
        self.begins > SystemTime::now()
    }
}

fn time(seconds: i64) -> SystemTime {
    match u64::try_from(seconds) {
        Ok(seconds) => SystemTime::UNIX_EPOCH
            .checked_add(Duration::from_secs(seconds))
            .unwrap_or(SystemTime::UNIX_EPOCH),
        Err(_) => SystemTime::UNIX_EPOCH,
    }
}

/// The subject's alternative names (RFC 5280, section 4.2.1.6). A name in the subject itself
/// counts no more (RFC 9525).
fn names(read: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(extension)) = read.subject_alternative_name() else {
        return Vec::new();
    };
    let named = extension.value.general_names.iter();
    named
        .filter_map(|name| match name {
            GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
            GeneralName::IPAddress(bytes) => {
                let ip = match <[u8; 4]>::try_from(*bytes) {
                    Ok(v4) => IpAddr::from(v4),
                    Err(_) => IpAddr::from(<[u8; 16]>::try_from(*bytes).ok()?),
                };
                Some(ip.to_string())
            }
            _ => None,
        })
        .collect()
}
