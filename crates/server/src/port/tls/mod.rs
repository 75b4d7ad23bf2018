//! TLS on the port: which certificate is shown, and that it stays fit.
//!
//! One of three: the user's own files, a certificate by ACME, or one the server makes for a key it
//! keeps. All of them end in one place, [`Shown`], which the handshakes read.

mod acme;
mod certificate;
mod files;
mod handshake;
mod keep;
mod own;
mod problem;
mod shown;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use gaveta_wire::fingerprint::Fingerprint;
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use tokio_rustls::TlsAcceptor;

pub use acme::AcmePlan;
pub(crate) use handshake::Shaking;
pub use problem::TlsProblem;
pub(crate) use shown::Shown;

/// Protocols over TLS, the preferred one first (RFC 7301).
pub(super) const H2: &[u8] = b"h2";
const HTTP1: &[u8] = b"http/1.1";
/// What an ACME server asks for when it looks whether a name is ours (RFC 8737).
pub(super) const ACME: &[u8] = b"acme-tls/1";

/// Where the certificate comes from.
#[derive(Debug, Clone)]
pub enum Identity {
    /// A key the server makes at its first start and keeps in this folder, and certificates for
    /// these names and addresses that it makes anew before they expire. Clients know it by its
    /// fingerprint.
    Own {
        /// Made when it is missing, for nobody else.
        folder: PathBuf,
        /// Names and addresses.
        names: Vec<String>,
    },
    /// PEM files: the certificate with its chain, and its key. Read again when they change.
    Files {
        /// The certificate, then those that vouch for it.
        certificate: PathBuf,
        /// The key.
        key: PathBuf,
    },
    /// A certificate authority that speaks ACME (RFC 8555).
    Acme(AcmePlan),
}

/// TLS, ready for handshakes. Clones share it.
#[derive(Debug, Clone)]
pub struct Tls {
    identity: Arc<Identity>,
    shown: Arc<Shown>,
    config: Arc<ServerConfig>,
}

impl Tls {
    /// Reads the files, or makes what is missing. Blocks on the disk. With ACME a certificate of
    /// the server's own is shown until the authority gave one.
    ///
    /// # Errors
    /// [`TlsProblem`].
    pub fn ready(identity: Identity) -> Result<Self, TlsProblem> {
        let shown = Arc::new(Shown::new(match &identity {
            Identity::Own { folder, names } => own::certificate(folder, names)?,
            Identity::Files { certificate, key } => files::read(certificate, key)?,
            Identity::Acme(plan) => acme::kept_or_own(plan)?,
        }));
        let provider = Arc::clone(shown.provider());
        let config = config(provider, &identity, &shown)?;
        Ok(Self {
            identity: Arc::new(identity),
            shown,
            config: Arc::new(config),
        })
    }

    /// What clients know the server by.
    pub fn fingerprint(&self) -> Fingerprint {
        self.shown.now().fingerprint
    }

    /// Until when the certificate is good.
    pub fn expires(&self) -> SystemTime {
        self.shown.now().expires
    }

    /// Is the certificate one of the server's own, which nobody vouches for?
    pub fn is_own(&self) -> bool {
        self.shown.now().own
    }

    /// Does the whole host speak https here? So it is with ACME, whose names lead to this port as
    /// port 443. Anywhere else the host may have other servers, of which we know nothing.
    pub(crate) fn is_whole_host(&self) -> bool {
        matches!(*self.identity, Identity::Acme(_)) && !self.is_own()
    }

    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.config))
    }

    pub(crate) fn shown(&self) -> &Arc<Shown> {
        &self.shown
    }

    /// Sees to it that the certificate stays fit. Never ends.
    pub(crate) async fn keep(self) {
        keep::keep(&self.identity, &self.shown).await;
    }
}

/// TLS 1.2 and 1.3 with the suites of rustls: forward secret and authenticated all of them, and a
/// key exchange that also holds against quantum computers where the client knows it.
fn config(
    provider: Arc<CryptoProvider>,
    identity: &Identity,
    shown: &Arc<Shown>,
) -> Result<ServerConfig, TlsProblem> {
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(TlsProblem::tls)?
        .with_no_client_auth()
        .with_cert_resolver(Arc::clone(shown) as _);
    config.alpn_protocols = vec![H2.to_vec(), HTTP1.to_vec()];
    if matches!(identity, Identity::Acme(_)) {
        config.alpn_protocols.push(ACME.to_vec());
    }
    // Tickets under keys that turn every six hours, kept in memory alone.
    config.ticketer = rustls::crypto::aws_lc_rs::Ticketer::new().map_err(TlsProblem::tls)?;
    Ok(config)
}

/// The one provider of cryptography.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}
