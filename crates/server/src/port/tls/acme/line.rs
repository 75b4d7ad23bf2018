//! Requests to an authority: few and small, each over a connection of its own.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::rt::TokioIo;
use instant_acme::{BodyWrapper, BytesResponse, Error, HttpClient};
use rustls::ClientConfig;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

type Failed = Box<dyn std::error::Error + Send + Sync>;

/// How long one request may take.
const DEADLINE: Duration = Duration::from_secs(30);
/// The longest answer that is taken, in bytes.
const LONGEST: usize = 1024 * 1024;

/// How an authority is spoken to: over TLS, under a certificate this machine trusts.
pub(super) struct Line(TlsConnector);

impl Line {
    pub(super) fn new(provider: Arc<CryptoProvider>) -> Result<Self, String> {
        let told = |error: rustls::Error| error.to_string();
        let verifier =
            rustls_platform_verifier::Verifier::new(Arc::clone(&provider)).map_err(told)?;
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(told)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth();
        Ok(Self(TlsConnector::from(Arc::new(config))))
    }
}

impl HttpClient for Line {
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>> {
        let asked = ask(self.0.clone(), request);
        Box::pin(async move {
            match timeout(DEADLINE, asked).await {
                Ok(Ok(response)) => Ok(response.into()),
                Ok(Err(error)) => Err(Error::Other(error)),
                Err(late) => Err(Error::Other(late.into())),
            }
        })
    }
}

async fn ask(
    tls: TlsConnector,
    mut request: Request<BodyWrapper<Bytes>>,
) -> Result<Response<Full<Bytes>>, Failed> {
    if request.uri().scheme_str() != Some("https") {
        return Err("the authority's address is not https".into());
    }
    let host = request.uri().host().ok_or("an address without a host")?;
    let host = host
        .trim_start_matches('[')
        .trim_end_matches(']')
        .to_owned();
    let port = request.uri().port_u16().unwrap_or(443);
    let socket = TcpStream::connect((host.as_str(), port)).await?;
    let socket = tls.connect(ServerName::try_from(host)?, socket).await?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(socket)).await?;
    let running = tokio::spawn(connection);
    let authority = request.uri().authority().map(ToString::to_string);
    let host = authority.ok_or("an address without a host")?.parse()?;
    request.headers_mut().insert(header::HOST, host);
    *request.uri_mut() = request
        .uri()
        .path_and_query()
        .map_or("/", |target| target.as_str())
        .parse()?;
    let response = sender.send_request(request).await?;
    let (parts, body) = response.into_parts();
    let body = Limited::new(body, LONGEST).collect().await?.to_bytes();
    running.abort();
    Ok(Response::from_parts(parts, Full::new(body)))
}
