//! The body of a request as a [`Content`], under a deadline on progress.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use gaveta_core::{Content, Error, ErrorKind, Result};
use http::HeaderMap;
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::time::{Instant, timeout};

/// How long a body may take for [`STEP`] bytes. Only the time we wait for the peer counts, not
/// the time the store takes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
/// How many bytes are progress.
pub(crate) const STEP: usize = 1024;

/// What is read and thrown away of a refused request's body, so that the client sees the answer
/// instead of a reset connection.
const DISCARDED: usize = 1024 * 1024;
/// For how long.
const DISCARD_FOR: Duration = Duration::from_secs(5);

/// The trailers of a request, once its content has ended.
#[derive(Debug, Clone, Default)]
pub(crate) struct TrailerHandle(Arc<Mutex<Option<HeaderMap>>>);

impl TrailerHandle {
    /// The trailers; none before the content has ended, or when none came.
    pub(crate) fn take(&self) -> Option<HeaderMap> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn set(&self, trailers: HeaderMap) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(trailers);
    }
}

/// The body as a content. It ends with `TimedOut` when the peer makes no progress, and with
/// `Disconnected` when the body was cut.
pub(crate) fn request_content<B>(body: B) -> (Content, TrailerHandle)
where
    B: HttpBody<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let trailers = TrailerHandle::default();
    let incoming = Arriving {
        body,
        trailers: trailers.clone(),
        waited: Duration::ZERO,
        got: 0,
    };
    let content = stream::try_unfold(incoming, |mut incoming| async move {
        Ok(incoming.next().await?.map(|bytes| (bytes, incoming)))
    });
    (Box::pin(content), trailers)
}

struct Arriving<B> {
    body: B,
    trailers: TrailerHandle,
    /// How long we waited for the peer since it last made progress.
    waited: Duration,
    /// What came since then.
    got: usize,
}

impl<B> Arriving<B>
where
    B: HttpBody<Data = Bytes> + Unpin,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    async fn next(&mut self) -> Result<Option<Bytes>> {
        loop {
            let left = PATIENCE.saturating_sub(self.waited);
            let since = Instant::now();
            let frame = timeout(left, self.body.frame())
                .await
                .map_err(|_| Error::new(ErrorKind::TimedOut))?;
            let Some(frame) = frame else { return Ok(None) };
            let frame =
                frame.map_err(|error| Error::new(ErrorKind::Disconnected).because(error))?;
            match frame.into_data() {
                Ok(bytes) => {
                    self.waited += since.elapsed();
                    self.got = self.got.saturating_add(bytes.len());
                    if self.got >= STEP {
                        (self.got, self.waited) = (0, Duration::ZERO);
                    }
                    if !bytes.is_empty() {
                        return Ok(Some(bytes));
                    }
                }
                Err(frame) => {
                    if let Ok(trailers) = frame.into_trailers() {
                        self.trailers.set(trailers);
                    }
                }
            }
        }
    }
}

/// The whole body, for small ones.
///
/// # Errors
/// `TooLarge` past `limit` bytes; else as [`request_content`].
pub(crate) async fn small_body<B>(body: B, limit: usize) -> Result<Vec<u8>>
where
    B: HttpBody<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    use futures_util::TryStreamExt;
    if body.size_hint().lower() > limit as u64 {
        discard(body);
        return Err(Error::new(ErrorKind::TooLarge));
    }
    let (mut content, _) = request_content(body);
    let mut whole = Vec::new();
    while let Some(bytes) = content.try_next().await? {
        if whole.len() + bytes.len() > limit {
            return Err(Error::new(ErrorKind::TooLarge));
        }
        whole.extend_from_slice(&bytes);
    }
    Ok(whole)
}

/// Reads on for a while and throws away what comes, beside the answer: a client that is still
/// sending would else see its connection reset and never read why it was refused. Bounded in
/// bytes and time. Call it only where no `100 Continue` is awaited: reading would send it.
pub(crate) fn discard<B>(mut body: B)
where
    B: HttpBody<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    if body.is_end_stream() {
        return;
    }
    tokio::spawn(timeout(DISCARD_FOR, async move {
        let mut left = DISCARDED;
        while let Some(frame) = body.frame().await {
            let Ok(frame) = frame else { return };
            let length = frame.data_ref().map_or(0, Bytes::len);
            let Some(rest) = left.checked_sub(length) else {
                break;
            };
            left = rest;
        }
        // Neither read on nor closed: who sends still has to wait, and reads the answer.
        if !body.is_end_stream() {
            std::future::pending::<()>().await;
        }
    }));
}

/// Where a lent body comes back to.
#[derive(Debug, Clone, Default)]
pub(crate) struct Home(Arc<Mutex<Option<Incoming>>>);

impl Home {
    /// The body, once it was given back.
    pub(crate) fn take(&self) -> Option<Incoming> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// A body lent to the store; dropped, it comes back, so that what was not read can be read away.
#[derive(Debug)]
pub(crate) struct Lent {
    body: Option<Incoming>,
    home: Home,
}

impl Lent {
    /// Lends the body; it comes back to this home.
    pub(crate) fn new(body: Incoming, home: &Home) -> Self {
        Self {
            body: Some(body),
            home: home.clone(),
        }
    }
}

impl http_body::Body for Lent {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match &mut self.body {
            Some(body) => Pin::new(body).poll_frame(cx),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body
            .as_ref()
            .is_none_or(http_body::Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body
            .as_ref()
            .map_or_else(SizeHint::default, http_body::Body::size_hint)
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let mut home = self.home.0.lock().unwrap_or_else(PoisonError::into_inner);
        *home = self.body.take();
    }
}

/// As [`discard`], for a request that was refused before its body was looked at.
pub(crate) fn refuse(request: http::Request<Incoming>) {
    if !request.headers().contains_key(http::header::EXPECT) {
        discard(request.into_body());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::{StreamExt, TryStreamExt};
    use http_body_util::StreamBody;

    type Frames = Vec<std::result::Result<Frame<Bytes>, std::io::Error>>;

    fn body(frames: Frames) -> StreamBody<stream::Iter<std::vec::IntoIter<Frames0>>> {
        StreamBody::new(stream::iter(frames))
    }
    type Frames0 = std::result::Result<Frame<Bytes>, std::io::Error>;

    #[tokio::test]
    async fn content_comes_whole_and_trailers_after_it() {
        let mut map = HeaderMap::new();
        map.insert("repr-digest", "x".parse().unwrap());
        let frames = vec![
            Ok(Frame::data(Bytes::from_static(b"ga"))),
            Ok(Frame::data(Bytes::new())),
            Ok(Frame::data(Bytes::from_static(b"veta"))),
            Ok(Frame::trailers(map)),
        ];
        let (content, trailers) = request_content(body(frames));
        assert!(trailers.take().is_none());
        let got: Vec<Bytes> = content.try_collect().await.unwrap();
        assert_eq!(got.concat(), b"gaveta");
        assert!(trailers.take().unwrap().contains_key("repr-digest"));
    }

    #[tokio::test]
    async fn a_cut_body_ends_with_an_error() {
        let frames = vec![
            Ok(Frame::data(Bytes::from_static(b"ga"))),
            Err(std::io::Error::other("reset")),
        ];
        let got: Vec<_> = request_content(body(frames)).0.collect().await;
        assert_eq!(got.len(), 2);
        assert_eq!(got[1].as_ref().unwrap_err().kind(), ErrorKind::Disconnected);
    }

    #[tokio::test(start_paused = true)]
    async fn drops_of_a_byte_each_are_no_progress() {
        let drops = stream::unfold((), |()| async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            let frame: Frames0 = Ok(Frame::data(Bytes::from_static(b"x")));
            Some((frame, ()))
        });
        let got: Vec<_> = request_content(StreamBody::new(Box::pin(drops)))
            .0
            .collect()
            .await;
        assert_eq!(
            got.last().unwrap().as_ref().unwrap_err().kind(),
            ErrorKind::TimedOut
        );
        assert!(got.len() <= 31, "{}", got.len());
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_store_is_not_the_peers_fault() {
        let frames = (0..5)
            .map(|_| Ok(Frame::data(Bytes::from_static(b"x"))))
            .collect();
        let mut content = request_content(body(frames)).0;
        let mut got = 0;
        while let Some(piece) = content.next().await {
            piece.unwrap();
            got += 1;
            tokio::time::sleep(PATIENCE).await;
        }
        assert_eq!(got, 5);
    }

    #[tokio::test]
    async fn small_bodies_are_bounded() {
        let frames = || vec![Ok(Frame::data(Bytes::from_static(b"abcd")))];
        assert_eq!(small_body(body(frames()), 4).await.unwrap(), b"abcd");
        let error = small_body(body(frames()), 3).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TooLarge);
    }
}
