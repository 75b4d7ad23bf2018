//! Whether the connection that a request went over is still there.
//!
//! The HTTP library can lose a request that is handed to a connection at the very moment that this
//! one ends: nothing answers it any more, and its caller would wait for the whole deadline
//! (<https://github.com/hyperium/hyper/issues/4122>). So every connection carries a lifeline, and
//! who waits for an answer looks at it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Request, Uri};
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::capture_connection;
use hyper_util::client::legacy::connect::{CaptureConnection, Connected, Connection};
use tokio::sync::watch;
use tower_service::Service;

/// So long may the library take to say itself that a connection has ended.
const MOMENT: Duration = Duration::from_secs(1);

/// A connector whose connections carry a lifeline.
#[derive(Debug, Clone)]
pub(super) struct Watched<C>(pub(super) C);

impl<C, T> Service<Uri> for Watched<C>
where
    C: Service<Uri, Response = T>,
    C::Future: Send + 'static,
{
    type Response = Held<T>;
    type Error = C::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Held<T>, C::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), C::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connecting = self.0.call(uri);
        Box::pin(async move {
            Ok(Held {
                stream: connecting.await?,
                line: watch::Sender::new(()),
            })
        })
    }
}

/// A connection and its lifeline, which ends with it.
#[derive(Debug)]
pub(super) struct Held<T> {
    stream: T,
    line: watch::Sender<()>,
}

#[derive(Debug, Clone)]
struct Lifeline(watch::Receiver<()>);

impl<T: Connection> Connection for Held<T> {
    fn connected(&self) -> Connected {
        let lifeline = Lifeline(self.line.subscribe());
        self.stream.connected().extra(lifeline)
    }
}

impl<T: Read + Unpin> Read for Held<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<T: Write + Unpin> Write for Held<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, pieces)
    }
}

/// The connection of one request, by its lifeline.
pub(super) struct Watch(CaptureConnection);

impl Watch {
    /// Of this request, which is about to be sent.
    pub(super) fn of<B>(request: &mut Request<B>) -> Self {
        Self(capture_connection(request))
    }

    /// Comes true when the connection has ended and the library has not said so a moment later.
    pub(super) async fn ended(mut self) {
        self.0.wait_for_connection_metadata().await;
        // A request that never began is tried over another connection.
        while let Some(mut lifeline) = self.lifeline() {
            while lifeline.changed().await.is_ok() {}
            tokio::time::sleep(MOMENT).await;
            if self
                .lifeline()
                .is_none_or(|now| now.same_channel(&lifeline))
            {
                return;
            }
        }
        std::future::pending().await
    }

    fn lifeline(&self) -> Option<watch::Receiver<()>> {
        let mut extras = http::Extensions::new();
        self.0
            .connection_metadata()
            .as_ref()?
            .get_extras(&mut extras);
        Some(extras.get::<Lifeline>()?.0.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::Future;
    use std::net::Ipv4Addr;

    use bytes::Bytes;
    use http_body_util::Empty;
    use hyper_util::client::legacy::Client;
    use hyper_util::client::legacy::connect::HttpConnector;
    use hyper_util::rt::TokioExecutor;
    use tokio::io::AsyncReadExt;
    use tokio::net::TcpListener;

    /// So long may nothing happen.
    const PATIENCE: Duration = Duration::from_secs(60);

    async fn soon<T>(what: &str, doing: impl Future<Output = T>) -> T {
        let done = tokio::time::timeout(PATIENCE, doing).await;
        done.unwrap_or_else(|_| panic!("it does not come: {what}"))
    }

    #[tokio::test]
    async fn a_connection_that_ends_is_noticed_and_one_that_lasts_is_not() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let client: Client<_, Empty<Bytes>> =
            Client::builder(TokioExecutor::new()).build(Watched(HttpConnector::new()));
        let mut request = Request::get(format!("http://{address}/"))
            .body(Empty::new())
            .unwrap();
        let watch = Watch::of(&mut request);
        let ended = watch.ended();
        tokio::pin!(ended);
        let asking = tokio::spawn(client.request(request));
        let (mut stream, _) = soon("the connection", listener.accept()).await.unwrap();
        soon("the request", stream.read_u8()).await.unwrap();
        let still = tokio::time::timeout(MOMENT * 2, &mut ended).await;
        assert!(still.is_err(), "it lasts");
        drop(stream);
        soon("the end", ended).await;
        soon("the failure", asking).await.unwrap().unwrap_err();
    }
}
