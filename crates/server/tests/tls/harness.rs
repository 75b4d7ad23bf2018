//! A server with a certificate, and clients that look at it closely.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gaveta_server::{Config, Identity, Running, Server, Tls};
use gaveta_testkit::MemoryStore;
use gaveta_testkit::http::{Connection, Response};
use gaveta_wire::fingerprint::Fingerprint;
use rcgen::{CertificateParams, KeyPair};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme, SupportedProtocolVersion};
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// How long anything may take before it counts as hung.
pub(crate) const HUNG: Duration = Duration::from_secs(30);
/// `admin:right one`.
pub(crate) const ADMIN: &str = "Authorization: Basic YWRtaW46cmlnaHQgb25l\r\n";
/// `admin:wrong`.
pub(crate) const WRONG: &str = "Authorization: Basic YWRtaW46d3Jvbmc=\r\n";

/// A server on the loopback, which treats this machine as any other unless told otherwise.
pub(crate) struct House {
    pub(crate) server: Running,
    pub(crate) tls: Tls,
    pub(crate) home: TempDir,
}

impl House {
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let home = tempfile::tempdir().unwrap();
        let identity = Identity::Own {
            folder: home.path().join("tls"),
            names: vec!["gaveta.example".to_owned(), "*.wild.example".to_owned()],
        };
        Self::of(home, identity, change).await
    }

    pub(crate) async fn of(
        home: TempDir,
        identity: Identity,
        change: impl FnOnce(&mut Config),
    ) -> Self {
        let tls = Tls::ready(identity).unwrap();
        let mut config = Config {
            tls: Some(tls.clone()),
            trust_loopback: false,
            ..Config::for_tests("right one").unwrap()
        };
        change(&mut config);
        let server = Server::bind(config, Arc::new(MemoryStore::new()))
            .await
            .unwrap()
            .spawn();
        Self { server, tls, home }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// One request, unencrypted, byte for byte.
    pub(crate) async fn plainly(&self, text: &str) -> Response {
        let mut connection = Connection::open(self.address()).await.unwrap();
        connection.send(text.as_bytes()).await.unwrap();
        match text.starts_with("HEAD") {
            true => connection.response_to_head().await.unwrap(),
            false => connection.response().await.unwrap(),
        }
    }

    /// A line whose handshake succeeded.
    pub(crate) async fn line(&self) -> TlsStream<TcpStream> {
        shake(self.address(), "gaveta.example", &[b"http/1.1"], ALL)
            .await
            .unwrap()
            .0
    }

    /// One request over TLS: the status and all of the answer. The text must end the connection.
    pub(crate) async fn ask(&self, text: &str) -> (u16, String) {
        let mut line = self.line().await;
        exchange(&mut line, text).await
    }
}

pub(crate) async fn exchange(line: &mut TlsStream<TcpStream>, text: &str) -> (u16, String) {
    let done = async {
        line.write_all(text.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        // A peer that hangs up without a goodbye after its answer is no failure.
        let _ = line.read_to_end(&mut answer).await;
        String::from_utf8_lossy(&answer).into_owned()
    };
    let answer = timeout(HUNG, done).await.expect("it hangs");
    let status = answer
        .split_whitespace()
        .nth(1)
        .unwrap_or_else(|| panic!("no answer: {answer:?}"));
    (status.parse().unwrap(), answer)
}

/// A GET that ends its connection.
pub(crate) fn get(target: &str, host: &str, fields: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{fields}\r\n")
}

/// Takes every certificate and keeps it: what is looked at is the server.
#[derive(Debug, Default)]
struct Curious(Mutex<Option<CertificateDer<'static>>>);

impl ServerCertVerifier for Curious {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        *self.0.lock().unwrap() = Some(certificate.clone().into_owned());
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        rustls::crypto::aws_lc_rs::default_provider()
            .signature_verification_algorithms
            .supported_schemes()
    }
}

pub(crate) const ALL: &[&SupportedProtocolVersion] =
    &[&rustls::version::TLS13, &rustls::version::TLS12];

/// Shakes hands: the line, and the fingerprint that was shown.
pub(crate) async fn shake(
    address: SocketAddr,
    name: &str,
    protocols: &[&[u8]],
    versions: &[&'static SupportedProtocolVersion],
) -> std::io::Result<(TlsStream<TcpStream>, Fingerprint)> {
    let curious = Arc::new(Curious::default());
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::clone(&curious) as _)
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|p| p.to_vec()).collect();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let connector = TlsConnector::from(Arc::new(config));
    let line = timeout(HUNG, async {
        connector
            .connect(name, TcpStream::connect(address).await?)
            .await
    })
    .await
    .expect("the handshake hangs")?;
    let certificate = curious.0.lock().unwrap().clone().unwrap();
    let parsed = rustls::server::ParsedCertificate::try_from(&certificate).unwrap();
    let key = parsed.subject_public_key_info();
    Ok((line, Fingerprint(Sha256::digest(key.as_ref()).into())))
}

/// A certificate of nobody's, good for so many days from `from` days ago on, in two files.
pub(crate) fn pair(folder: &Path, name: &str, from: i64, to: i64) -> (PathBuf, PathBuf) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["files.example".to_owned()]).unwrap();
    let day = |days: i64| {
        let now = std::time::SystemTime::now();
        let span = Duration::from_secs(days.unsigned_abs() * 24 * 60 * 60);
        if days < 0 { now - span } else { now + span }
    };
    params.not_before = day(from).into();
    params.not_after = day(to).into();
    let certificate = params.self_signed(&key).unwrap();
    let paths = (
        folder.join(format!("{name}.crt")),
        folder.join(format!("{name}.key")),
    );
    std::fs::write(&paths.0, certificate.pem()).unwrap();
    std::fs::write(&paths.1, key.serialize_pem()).unwrap();
    paths
}
