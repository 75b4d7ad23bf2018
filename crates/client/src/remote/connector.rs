//! TCP connections that hold little that has not left yet.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tower_service::Service;

/// So many bytes may wait in a socket beyond what is on its way: what waits there is bound to this
/// connection, however slow it is, and looks sent to whoever counts.
#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
const WAITING: u32 = 128 * 1024;

/// Connects, within a deadline.
#[derive(Debug, Clone)]
pub(super) struct Connector(HttpConnector);

impl Connector {
    pub(super) fn new(deadline: Duration) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(deadline));
        Self(connector)
    }
}

type Connected = <HttpConnector as Service<Uri>>::Response;
type Failed = <HttpConnector as Service<Uri>>::Error;

impl Service<Uri> for Connector {
    type Response = Connected;
    type Error = Failed;
    type Future = Pin<Box<dyn Future<Output = Result<Connected, Failed>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failed>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connecting = self.0.call(uri);
        Box::pin(async move {
            let connected = connecting.await?;
            hold_little(&connected);
            Ok(connected)
        })
    }
}

/// Where the system does not know the option (tcp(7), `TCP_NOTSENT_LOWAT`), nothing changes.
#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
fn hold_little(connected: &TokioIo<TcpStream>) {
    let socket = socket2::SockRef::from(connected.inner());
    if let Err(error) = socket.set_tcp_notsent_lowat(WAITING) {
        tracing::debug!(%error, "a socket holds as much as it likes");
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
fn hold_little(_: &TokioIo<TcpStream>) {}
