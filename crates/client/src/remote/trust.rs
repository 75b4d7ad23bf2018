//! Whom a connection may be made with. Nothing is sent before that is settled: it is settled
//! within the handshake.

use std::fmt;
use std::sync::Arc;

use gaveta_wire::fingerprint::Fingerprint;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, CipherSuite, ClientConfig, DigitallySignedStruct, OtherError, SignatureScheme,
};
use rustls_platform_verifier::Verifier;
use sha2::{Digest, Sha256};

/// Whom a connection may be made with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Trust {
    /// A server whose certificate this machine trusts, as browsers do.
    #[default]
    Public,
    /// The server with this key and no other, whoever vouches for it.
    Pinned(Fingerprint),
}

/// The server is not one that is trusted. Nothing was sent to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Untrusted {
    /// What it shows.
    pub shown: Fingerprint,
    /// What was expected; none when nobody expected anything.
    pub known: Option<Fingerprint>,
    /// Why this machine does not trust it.
    pub why: Doubt,
}

/// Why this machine does not trust a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Doubt {
    /// Its time is over.
    Expired,
    /// Its time has not come, or the clock is wrong.
    Early,
    /// It is for other names.
    OtherName,
    /// Nobody this machine trusts vouches for it.
    Issuer,
    /// Anything else, or a key other than the one that is known.
    Other(String),
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Expired => "expired",
            Self::Early => "not valid yet",
            Self::OtherName => "for another name",
            Self::Issuer => "of an unknown issuer",
            Self::Other(why) => why,
        })
    }
}

impl fmt::Display for Untrusted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.known {
            Some(known) => write!(f, "its key is {}, not {known}", self.shown),
            None => write!(f, "its key {} is not known: {}", self.shown, self.why),
        }
    }
}

impl std::error::Error for Untrusted {}

/// Did it fail because the server is not trusted?
pub(super) fn is_untrusted(error: &gaveta_core::Error) -> bool {
    std::error::Error::source(error).is_some_and(|cause| cause.is::<Untrusted>())
}

/// The judge of handshakes.
struct Judge {
    trust: Trust,
    /// None when this machine has no certificates that it trusts.
    public: Option<Verifier>,
    provider: Arc<CryptoProvider>,
}

impl fmt::Debug for Judge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Judge")
            .field("trust", &self.trust)
            .finish_non_exhaustive()
    }
}

impl ServerCertVerifier for Judge {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        above: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let shown = fingerprint(certificate)?;
        let (known, why) = match (self.trust, &self.public) {
            // Name and dates are of no importance: the key is what a person compared.
            (Trust::Pinned(known), _) if known == shown => {
                return Ok(ServerCertVerified::assertion());
            }
            (Trust::Pinned(known), _) => (Some(known), Doubt::Other(String::new())),
            (Trust::Public, Some(public)) => {
                match public.verify_server_cert(certificate, above, name, ocsp, now) {
                    Ok(verified) => return Ok(verified),
                    Err(rustls::Error::InvalidCertificate(why)) => (None, doubt(&why)),
                    Err(error) => (None, Doubt::Other(error.to_string())),
                }
            }
            (Trust::Public, None) => (None, Doubt::Issuer),
        };
        let untrusted = Untrusted { shown, known, why };
        Err(CertificateError::Other(OtherError(Arc::new(untrusted))).into())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

/// SHA-256 of the key in a certificate.
fn fingerprint(certificate: &CertificateDer<'_>) -> Result<Fingerprint, rustls::Error> {
    let parsed = ParsedCertificate::try_from(certificate)?;
    let key = parsed.subject_public_key_info();
    Ok(Fingerprint(Sha256::digest(key.as_ref()).into()))
}

fn doubt(why: &CertificateError) -> Doubt {
    match why {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => Doubt::Expired,
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => Doubt::Early,
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            Doubt::OtherName
        }
        CertificateError::UnknownIssuer => Doubt::Issuer,
        other => Doubt::Other(other.to_string()),
    }
}

/// The provider of cryptography. Of its suites AES with the shorter key first, which costs less and
/// is what the standard wants everybody to have (RFC 8446, section 9.1); a server may choose another.
fn provider() -> CryptoProvider {
    let mut provider = rustls::crypto::aws_lc_rs::default_provider();
    let short = CipherSuite::TLS13_AES_128_GCM_SHA256;
    let rank = |suite: &rustls::SupportedCipherSuite| suite.suite() != short;
    provider.cipher_suites.sort_by_key(rank);
    provider
}

/// How to shake hands under this trust, and what to speak afterwards.
///
/// # Errors
/// None that a correct build gives.
pub(super) fn config(trust: Trust, protocol: &[u8]) -> Result<ClientConfig, rustls::Error> {
    let provider = Arc::new(provider());
    let public = match trust {
        Trust::Public => Verifier::new(Arc::clone(&provider))
            .inspect_err(|error| tracing::debug!(target: "gaveta::tls", %error, "no roots"))
            .ok(),
        Trust::Pinned(_) => None,
    };
    let judge = Judge {
        trust,
        public,
        provider: Arc::clone(&provider),
    };
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(judge))
        .with_no_client_auth();
    config.alpn_protocols = vec![protocol.to_vec()];
    Ok(config)
}
