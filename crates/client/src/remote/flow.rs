//! A request whose body is on its way, and whose answer may come before its end.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::StreamExt;
use gaveta_core::{Content, Error, ErrorKind, Result};
use http::request::Builder;
use http::{HeaderMap, StatusCode};
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;
use tokio::time::timeout;

use super::body::{Out, Part};
use super::fault;
use super::line::{Lane, Line};

/// The largest piece handed to the line at once, in bytes: what counts as progress, also on a slow
/// link.
pub(super) const PIECE: usize = 64 * 1024;
/// How many pieces may wait for the line: with [`PIECE`] this bounds the memory of one body.
pub(super) const WAITING: usize = 4;

/// An answer with a small body.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// Ends the request when it is dropped.
struct Driver(AbortHandle);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Sends a request with this body and waits for its answer. Each step has a deadline on progress;
/// a refusal is heard also while the body is on its way. Where the content fails, the body ends
/// well, the server is heard, and the content's error is returned: so the content must only fail
/// where the body may end.
///
/// Dropping the future cuts the connection.
pub(super) async fn pour(
    line: &Arc<Line>,
    request: Builder,
    target: &str,
    lane: Lane,
    mut body: Content,
) -> Result<Answer> {
    let (tx, parts) = mpsc::channel(WAITING);
    let out = Out::Pieces {
        parts,
        ended: false,
    };
    let mut request = line.build(request, target, out)?;
    line.sign(&mut request);
    let (told, mut answer) = oneshot::channel();
    let driver = {
        let line = Arc::clone(line);
        tokio::spawn(async move {
            let answered = async {
                let response = line.start(request, lane).await?;
                let (parts, body) = response.into_parts();
                let body = line.whole(body).await;
                settle(parts.status, parts.headers, body)
            };
            // Nobody listens any more only when the body was given up.
            let _ = told.send(answered.await);
        })
    };
    let _driver = Driver(driver.abort_handle());
    let heard = |answer: Result<Result<Answer>, oneshot::error::RecvError>| match answer {
        Ok(Ok(_)) => fault::nonsense("success before the end of the content"),
        Ok(Err(error)) => error,
        Err(_) => ErrorKind::Disconnected.into(),
    };
    let deadlines = *line.deadlines();
    let mut broken = None;
    loop {
        let piece = tokio::select! {
            biased;
            early = &mut answer => return Err(heard(early)),
            piece = body.next() => piece,
        };
        let mut piece = match piece {
            Some(Ok(piece)) => piece,
            Some(Err(error)) => {
                broken = Some(error);
                break;
            }
            None => break,
        };
        while !piece.is_empty() {
            let part = piece.split_to(piece.len().min(PIECE));
            let part = Part::Data(part);
            hand_over(&tx, part, &mut answer, deadlines.progress, heard).await?;
        }
    }
    hand_over(
        &tx,
        Part::End(HeaderMap::new()),
        &mut answer,
        deadlines.progress,
        heard,
    )
    .await?;
    let wait = deadlines.progress.saturating_add(deadlines.answer);
    let answer = timeout(wait, answer)
        .await
        .map_err(|_| Error::new(ErrorKind::TimedOut))?
        .unwrap_or_else(|_| Err(ErrorKind::Disconnected.into()));
    match broken {
        Some(error) => Err(error),
        None => answer,
    }
}

/// Waits until the line takes the part, or answers instead.
async fn hand_over(
    parts: &mpsc::Sender<Part>,
    part: Part,
    answer: &mut oneshot::Receiver<Result<Answer>>,
    progress: std::time::Duration,
    heard: impl Fn(Result<Result<Answer>, oneshot::error::RecvError>) -> Error,
) -> Result<()> {
    let place = tokio::select! {
        biased;
        early = &mut *answer => return Err(heard(early)),
        place = timeout(progress, parts.reserve()) => place.map_err(|_| ErrorKind::TimedOut)?,
    };
    match place {
        Ok(place) => {
            place.send(part);
            Ok(())
        }
        // The line is gone: its own account of why comes at once.
        Err(_) => match timeout(progress, answer).await {
            Ok(early) => Err(heard(early)),
            Err(_) => Err(ErrorKind::TimedOut.into()),
        },
    }
}

/// An answer, or the refusal that it is.
pub(super) fn settle(
    status: StatusCode,
    headers: HeaderMap,
    body: Result<Bytes>,
) -> Result<Answer> {
    if !status.is_success() {
        // The status alone says enough if the rest was cut.
        return Err(fault::refusal(status, &headers, &body.unwrap_or_default()).error);
    }
    Ok(Answer {
        headers,
        body: body?,
    })
}
