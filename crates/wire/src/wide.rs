//! Between a socket and encryption: large reads beneath, small ones above.
//!
//! A TLS library that asks for 4 KiB at a time makes five system calls for each record of 16 KiB
//! (RFC 8446, section 5.1). Here they become one for many records.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A read of fewer bytes, in large pieces, is the end of much.
const LITTLE: usize = 4096;

/// A socket that is read in large pieces while much comes.
///
/// Holds a buffer from when much comes until little does: who never sends much takes no memory. What
/// it has read is lost when it is dropped, as what the system has.
#[derive(Debug)]
pub struct Wide<S> {
    socket: S,
    most: usize,
    /// What was read and not yet asked for is in `at..end`.
    buffer: Vec<u8>,
    at: usize,
    end: usize,
    /// The last read filled all there was room for, or brought much: more is to come.
    more: bool,
}

impl<S> Wide<S> {
    /// Wraps a socket. It reads at most so many bytes ahead.
    pub fn new(socket: S, most: usize) -> Self {
        Self {
            socket,
            most,
            buffer: Vec::new(),
            at: 0,
            end: 0,
            more: false,
        }
    }

    /// The socket. What was read ahead of it does not come again.
    pub fn get_ref(&self) -> &S {
        &self.socket
    }
}

impl<S: AsyncRead + Unpin> Wide<S> {
    /// Reads what is there into the buffer, which is empty.
    fn poll_ahead(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.buffer.is_empty() {
            self.buffer = vec![0; self.most];
        }
        let mut room = ReadBuf::new(&mut self.buffer);
        ready!(Pin::new(&mut self.socket).poll_read(cx, &mut room))?;
        (self.at, self.end) = (0, room.filled().len());
        self.more = self.end >= LITTLE;
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Wide<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.at == this.end {
            let wanted = into.remaining();
            if !this.more || wanted >= this.most {
                let before = into.filled().len();
                ready!(Pin::new(&mut this.socket).poll_read(cx, into))?;
                this.more = wanted > 0 && into.filled().len() - before == wanted;
                return Poll::Ready(Ok(()));
            }
            ready!(this.poll_ahead(cx))?;
        }
        let length = into.remaining().min(this.end - this.at);
        let piece = this.buffer.get(this.at..this.at + length);
        into.put_slice(piece.unwrap_or_default());
        this.at += length;
        if this.at == this.end && !this.more {
            this.buffer = Vec::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Wide<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write_vectored(cx, pieces)
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

/// Reads again and again until there is no more room, or nothing more is there: encryption gives a
/// record at a time, and every answer costs its reader some work. What fails after something came
/// fails at the next read: `failed` keeps it until then.
pub fn poll_read_full(
    mut source: Pin<&mut (impl AsyncRead + ?Sized)>,
    failed: &mut Option<io::Error>,
    cx: &mut Context<'_>,
    into: &mut ReadBuf<'_>,
) -> Poll<io::Result<()>> {
    if let Some(error) = failed.take() {
        return Poll::Ready(Err(error));
    }
    let start = into.filled().len();
    loop {
        let before = into.filled().len();
        let read = source.as_mut().poll_read(cx, into);
        let came = into.filled().len() - before;
        match read {
            Poll::Ready(Ok(())) if came > 0 && into.remaining() > 0 => {}
            Poll::Ready(Err(error)) if before > start => {
                *failed = Some(error);
                return Poll::Ready(Ok(()));
            }
            Poll::Pending if before > start => return Poll::Ready(Ok(())),
            read => return read,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::VecDeque;
    use std::future::poll_fn;
    use std::task::Waker;

    /// What a read gives, one after the other; at the end nothing comes any more.
    struct Script(VecDeque<Step>, Vec<usize>);

    #[derive(Clone)]
    enum Step {
        Some(Vec<u8>),
        Wait,
        Fail,
    }

    impl AsyncRead for Script {
        fn poll_read(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            into: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            self.1.push(into.remaining());
            match self.0.pop_front() {
                None => Poll::Ready(Ok(())),
                Some(Step::Wait) => Poll::Pending,
                Some(Step::Fail) => Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
                Some(Step::Some(mut bytes)) => {
                    let rest = bytes.split_off(bytes.len().min(into.remaining()));
                    into.put_slice(&bytes);
                    if !rest.is_empty() {
                        self.0.push_front(Step::Some(rest));
                    }
                    Poll::Ready(Ok(()))
                }
            }
        }
    }

    fn counted(count: usize) -> Vec<u8> {
        (0..count).map(|at| (at % 251) as u8).collect()
    }

    fn read(from: &mut (impl AsyncRead + Unpin), room: usize) -> Poll<io::Result<Vec<u8>>> {
        let mut bytes = vec![0; room];
        let mut into = ReadBuf::new(&mut bytes);
        let mut cx = Context::from_waker(Waker::noop());
        ready!(Pin::new(from).poll_read(&mut cx, &mut into))?;
        Poll::Ready(Ok(into.filled().to_vec()))
    }

    #[test]
    fn much_comes_in_few_reads_and_in_order() {
        let all = counted(1_000_000);
        let script = Script([Step::Some(all.clone())].into(), Vec::new());
        let mut wide = Wide::new(script, 65_536);
        let mut got = Vec::new();
        loop {
            let Poll::Ready(Ok(piece)) = read(&mut wide, 4096) else {
                panic!("it never waits nor fails");
            };
            if piece.is_empty() {
                break;
            }
            got.extend(piece);
        }
        assert!(got == all, "the same bytes");
        let reads = wide.socket.1.len();
        assert!(reads < 20, "{reads}");
        assert!(wide.buffer.is_empty(), "nothing is held at the end");
    }

    #[test]
    fn little_needs_no_buffer_and_ends_one() {
        let steps = [
            Step::Some(counted(100)),
            Step::Wait,
            Step::Some(counted(9000)),
            Step::Wait,
            Step::Some(counted(10)),
            Step::Fail,
        ];
        let mut wide = Wide::new(Script(steps.into(), Vec::new()), 65_536);
        assert!(matches!(read(&mut wide, 4096), Poll::Ready(Ok(piece)) if piece == counted(100)));
        assert!(read(&mut wide, 4096).is_pending());
        assert!(wide.buffer.is_empty());
        let mut got = Vec::new();
        for length in [4096, 4096, 808] {
            let Poll::Ready(Ok(piece)) = read(&mut wide, 4096) else {
                panic!("it is there");
            };
            assert_eq!(piece.len(), length);
            got.extend(piece);
        }
        assert!(got == counted(9000));
        assert!(read(&mut wide, 4096).is_pending());
        assert!(!wide.buffer.is_empty(), "in the midst of much");
        assert!(matches!(read(&mut wide, 4096), Poll::Ready(Ok(piece)) if piece == counted(10)));
        assert!(wide.buffer.is_empty(), "little came");
        assert!(matches!(read(&mut wide, 4096), Poll::Ready(Err(_))));
    }

    #[tokio::test]
    async fn a_read_takes_all_that_is_there_and_a_failure_comes_after_it() {
        let steps = [
            Step::Some(vec![1; 10]),
            Step::Some(vec![2; 10]),
            Step::Wait,
            Step::Some(vec![3; 40]),
            Step::Some(vec![4; 10]),
            Step::Fail,
        ];
        let mut script = Script(steps.into(), Vec::new());
        let mut failed = None;
        let mut lengths = Vec::new();
        for _ in 0..3 {
            let mut bytes = [0; 32];
            let mut into = ReadBuf::new(&mut bytes);
            poll_fn(|cx| poll_read_full(Pin::new(&mut script), &mut failed, cx, &mut into))
                .await
                .unwrap();
            lengths.push(into.filled().len());
        }
        assert_eq!(lengths, [20, 32, 18]);
        let mut bytes = [0; 32];
        let mut into = ReadBuf::new(&mut bytes);
        let error =
            poll_fn(|cx| poll_read_full(Pin::new(&mut script), &mut failed, cx, &mut into)).await;
        assert_eq!(error.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
    }
}
