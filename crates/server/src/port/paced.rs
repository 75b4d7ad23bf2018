//! A socket that counts, and that gives up on a peer who does not move.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes};
use gaveta_wire::wide::poll_read_full;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

use super::line::Line;

/// Deadlines on progress.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    /// From a request's first byte to the end of its head. None for HTTP/2, where a request's head
    /// is one frame among others and the connection has pings.
    pub(crate) head: Option<Duration>,
    /// What is written and moves nothing for so long fails: the peer does not read.
    pub(crate) stall: Duration,
}

/// A socket under deadlines. What was read of it before is read first.
#[derive(Debug)]
pub(crate) struct Paced<S> {
    socket: S,
    before: Bytes,
    line: Arc<Line>,
    pace: Pace,
    stalled: Option<Stalled>,
    head: Option<Head>,
    /// What failed after something came.
    failed: Option<io::Error>,
}

/// A write that waits.
#[derive(Debug)]
struct Stalled {
    deadline: Pin<Box<Sleep>>,
    /// How much the system had taken when it began to wait.
    left: u64,
}

/// A request's head on its way.
#[derive(Debug)]
struct Head {
    deadline: Pin<Box<Sleep>>,
    /// How many requests had begun when its first byte came.
    begun: u64,
}

impl<S> Paced<S> {
    /// Wraps a socket of which `before` was read already.
    pub(crate) fn new(socket: S, before: Bytes, line: Arc<Line>, pace: Pace) -> Self {
        Self {
            socket,
            before,
            line,
            pace,
            stalled: None,
            head: None,
            failed: None,
        }
    }

    fn poll_stall(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        let left = self.line.left();
        // Beneath encryption some of it may have gone meanwhile.
        self.stalled.take_if(|stalled| stalled.left != left);
        let limit = self.pace.stall;
        let stalled = self.stalled.get_or_insert_with(|| Stalled {
            deadline: Box::pin(sleep(limit)),
            left,
        });
        ready!(stalled.deadline.as_mut().poll(cx));
        Poll::Ready(io::Error::new(
            io::ErrorKind::TimedOut,
            "the peer does not read",
        ))
    }

    fn wrote(&mut self, bytes: usize) {
        self.stalled = None;
        self.line.add_sent(bytes as u64);
    }

    /// Bytes came: when nobody is being answered, they begin a request.
    fn came(&mut self, bytes: usize) {
        self.line.add_received(bytes as u64);
        let begun = self.line.begun();
        if self.head.as_ref().is_some_and(|head| head.begun != begun) {
            self.head = None;
        }
        if let Some(limit) = self.pace.head
            && self.head.is_none()
            && self.line.awaits_head()
        {
            let deadline = Box::pin(sleep(limit));
            self.head = Some(Head { deadline, begun });
        }
    }

    fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        let begun = self.line.begun();
        match &mut self.head {
            Some(head) if head.begun == begun => {
                ready!(head.deadline.as_mut().poll(cx));
                Poll::Ready(io::Error::new(
                    io::ErrorKind::TimedOut,
                    "the head took too long",
                ))
            }
            _ => {
                self.head = None;
                Poll::Pending
            }
        }
    }
}

impl<S: AsyncRead + Unpin> Paced<S> {
    fn poll_bytes(
        &mut self,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<usize>> {
        if !self.before.is_empty() {
            let length = self.before.len().min(into.remaining());
            into.put_slice(self.before.get(..length).unwrap_or_default());
            self.before.advance(length);
            return Poll::Ready(Ok(length));
        }
        let filled = into.filled().len();
        ready!(poll_read_full(
            Pin::new(&mut self.socket),
            &mut self.failed,
            cx,
            into
        ))?;
        Poll::Ready(Ok(into.filled().len() - filled))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Paced<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.poll_bytes(cx, into)? {
            Poll::Ready(length) => {
                if length > 0 {
                    self.came(length);
                }
                Poll::Ready(Ok(()))
            }
            Poll::Pending => self.poll_head(cx).map(Err),
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Paced<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match Pin::new(&mut self.socket).poll_write(cx, bytes)? {
            Poll::Ready(length) => {
                self.wrote(length);
                Poll::Ready(Ok(length))
            }
            Poll::Pending => self.poll_stall(cx).map(Err),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match Pin::new(&mut self.socket).poll_write_vectored(cx, bytes)? {
            Poll::Ready(length) => {
                self.wrote(length);
                Poll::Ready(Ok(length))
            }
            Poll::Pending => self.poll_stall(cx).map(Err),
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.socket).poll_flush(cx)? {
            Poll::Ready(()) => {
                // All that was written went: the next wait begins anew.
                self.stalled = None;
                Poll::Ready(Ok(()))
            }
            Poll::Pending => self.poll_stall(cx).map(Err),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.socket).poll_shutdown(cx)? {
            Poll::Ready(()) => Poll::Ready(Ok(())),
            Poll::Pending => self.poll_stall(cx).map(Err),
        }
    }
}

/// A socket beneath encryption: tells the line what left, which is not when it was written.
#[derive(Debug)]
pub(crate) struct Counted<S> {
    socket: S,
    line: Arc<Line>,
}

impl<S> Counted<S> {
    /// Wraps a socket of this line.
    pub(crate) fn new(socket: S, line: Arc<Line>) -> Self {
        Self { socket, line }
    }

    fn went(&self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Ok(bytes)) = &written {
            self.line.add_left(*bytes as u64);
        }
        written
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Counted<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_read(cx, into)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Counted<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.socket).poll_write(cx, bytes);
        self.went(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.socket).poll_write_vectored(cx, bytes);
        self.went(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::port::line::tests::line;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, BufWriter, duplex};

    const PACE: Pace = Pace {
        head: Some(Duration::from_secs(10)),
        stall: Duration::from_secs(30),
    };

    #[tokio::test(start_paused = true)]
    async fn a_peer_who_does_not_read_is_given_up() {
        let (mine, _theirs) = duplex(16);
        let mut paced = Paced::new(mine, Bytes::new(), line(), PACE);
        let error = paced.write_all(&[0; 64]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    /// A layer that takes all that is written at once, as encryption does, and hands it on later.
    fn layered() -> (
        Paced<BufWriter<Counted<tokio::io::DuplexStream>>>,
        tokio::io::DuplexStream,
    ) {
        let (mine, theirs) = duplex(16);
        let line = line();
        let layer = BufWriter::new(Counted::new(mine, Arc::clone(&line)));
        (Paced::new(layer, Bytes::new(), line, PACE), theirs)
    }

    #[tokio::test(start_paused = true)]
    async fn beneath_encryption_what_leaves_is_progress() {
        let (mut paced, mut theirs) = layered();
        let reading = tokio::spawn(async move {
            let mut piece = [0; 16];
            for _ in 0..8 {
                tokio::time::sleep(Duration::from_secs(20)).await;
                theirs.read_exact(&mut piece).await.unwrap();
            }
            theirs
        });
        paced.write_all(&[0; 128]).await.unwrap();
        paced.flush().await.expect("16 bytes every 20 s");
        let _theirs = reading.await.unwrap();

        let (mut paced, _theirs) = layered();
        paced.write_all(&[0; 128]).await.unwrap();
        let error = paced.flush().await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    /// Says at each flush, after so long, that all of it went.
    #[derive(Default)]
    struct Late(Option<Pin<Box<Sleep>>>);

    impl AsyncWrite for Late {
        fn poll_write(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            Poll::Ready(Ok(bytes.len()))
        }

        fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            let waiting = || Box::pin(sleep(Duration::from_secs(20)));
            ready!(self.0.get_or_insert_with(waiting).as_mut().poll(cx));
            self.0 = None;
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            self.poll_flush(cx)
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_that_is_over_counts_for_no_later_one() {
        let mut paced = Paced::new(Late::default(), Bytes::new(), line(), PACE);
        paced.write_all(&[0; 64]).await.unwrap();
        paced.flush().await.unwrap();
        sleep(Duration::from_secs(60)).await;
        paced.shutdown().await.expect("20 s, and not 80");
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_in_drops_is_given_up_but_a_body_may_take_its_time() {
        let (mine, mut theirs) = duplex(1024);
        let line = line();
        let mut paced = Paced::new(mine, Bytes::from_static(b"G"), Arc::clone(&line), PACE);
        let mut byte = [0];
        paced.read_exact(&mut byte).await.unwrap();
        assert_eq!(&byte, b"G");
        let drops = tokio::spawn(async move {
            while theirs.write_all(b"x").await.is_ok() {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        });
        let since = tokio::time::Instant::now();
        let error = loop {
            match paced.read_exact(&mut byte).await {
                Ok(_) => assert!(since.elapsed() <= Duration::from_secs(11)),
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        line.request_begins();
        for _ in 0..60 {
            paced.read_exact(&mut byte).await.unwrap();
        }
        drops.abort();
    }
}
