//! Content on its way to a remote drawer that keeps nothing of it: one streamed `PUT`.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt;
use gaveta_core::{
    Check, Content, Entry, Error, ErrorKind, Hasher, Path, Pieces, Ranges, Replace, Result, Seal,
    Upload, UploadId, UploadState, WritePlan,
};
use gaveta_wire::body::{EntryBody, time_to_text};
use gaveta_wire::digest::Digests;
use gaveta_wire::{header, url};
use http::header::{CONTENT_TYPE, IF_MATCH, IF_NONE_MATCH, TRAILER};
use http::{HeaderMap, HeaderValue, Method, Request};
use tokio::sync::{Mutex, Notify, OnceCell, mpsc, oneshot};
use tokio::task::AbortHandle;
use tokio::time::timeout;

use super::body::{Out, Part};
use super::fault;
use super::flow::{PIECE, WAITING};
use super::kept::{self, KeptUpload};
use super::line::{Lane, Line};
use super::own::Changing;

/// A content of at most so many bytes shares a connection with others.
pub(super) const SMALL: u64 = 512 * 1024;

/// The plan of a `PUT`, and how far it is.
#[derive(Debug)]
pub(super) struct RemoteUpload {
    line: Arc<Line>,
    plan: WritePlan,
    target: Path,
    state: Mutex<State>,
    given_up: GivenUp,
    /// What it became when its first write was one of chunks: those want to be kept apart.
    kept: OnceCell<KeptUpload>,
    /// What happens at the target meanwhile is our own doing.
    _own: Option<Changing>,
}

/// Says to a running write that the upload was discarded.
#[derive(Debug, Default)]
struct GivenUp {
    is: AtomicBool,
    told: Notify,
}

#[derive(Debug)]
struct State {
    length: Option<u64>,
    hasher: Hasher,
    touched: SystemTime,
    phase: Phase,
}

#[derive(Debug)]
enum Phase {
    /// Nothing went over yet.
    New,
    /// The body is on its way.
    Open(Wire, mpsc::Sender<Part>),
    /// The body is complete; the answer is on its way.
    Ended(Wire),
    /// Committed, failed or discarded.
    Over,
}

/// The request under way. Dropping it cuts the connection unless the answer has come.
#[derive(Debug)]
struct Wire {
    answer: oneshot::Receiver<Result<Option<EntryBody>>>,
    driver: AbortHandle,
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl RemoteUpload {
    pub(super) fn new(
        line: Arc<Line>,
        plan: WritePlan,
        target: Path,
        own: Option<Changing>,
    ) -> Self {
        let state = State {
            length: plan.length,
            hasher: Hasher::new(),
            touched: SystemTime::now(),
            phase: Phase::New,
        };
        Self {
            line,
            plan,
            target,
            state: Mutex::new(state),
            given_up: GivenUp::default(),
            kept: OnceCell::new(),
            _own: own,
        }
    }

    fn lost(&self) -> Error {
        Error::at(ErrorKind::UploadLost, &self.target)
    }

    /// Starts the `PUT`, unless it runs.
    async fn start(&self, state: &mut State) -> Result<()> {
        if !matches!(state.phase, Phase::New) {
            return Ok(());
        }
        let (tx, parts) = mpsc::channel(WAITING);
        let mut request = self.line.request(
            Method::PUT,
            &url::encode(&self.target, false),
            Out::Pieces {
                parts,
                ended: false,
            },
        )?;
        fill(request.headers_mut(), &self.plan, state.length)?;
        self.line.sign(&mut request);
        let small = state.length.is_some_and(|length| length <= SMALL);
        let lane = if small {
            self.line.lane_for_many().await
        } else {
            Lane::Own
        };
        let (told, answer) = oneshot::channel();
        let line = self.line.clone();
        let never = self.plan.replace == Replace::Never;
        let driver = tokio::spawn(async move {
            // Nobody listens any more only when the upload was given up.
            let _ = told.send(drive(&line, request, lane, never).await);
        });
        state.phase = Phase::Open(
            Wire {
                answer,
                driver: driver.abort_handle(),
            },
            tx,
        );
        Ok(())
    }

    /// Hands one piece to the line. Counted and hashed at the moment the line takes it, so that a
    /// write that is dropped leaves no doubt about what went over.
    async fn send(&self, state: &mut State, piece: Bytes) -> Result<()> {
        let Phase::Open(wire, parts) = &mut state.phase else {
            return Err(self.lost());
        };
        let place = self.room(wire, parts).await?;
        state.hasher.update(&piece);
        state.touched = SystemTime::now();
        place.send(Part::Data(piece));
        Ok(())
    }

    /// Waits until the line takes the next part.
    async fn room<'a>(
        &self,
        wire: &mut Wire,
        parts: &'a mpsc::Sender<Part>,
    ) -> Result<mpsc::Permit<'a, Part>> {
        let progress = self.line.deadlines().progress;
        let place = tokio::select! {
            biased;
            () = self.given_up.told.notified() => return Err(self.lost()),
            answer = &mut wire.answer => return Err(early(answer)),
            place = timeout(progress, parts.reserve()) => place.map_err(|_| ErrorKind::TimedOut)?,
        };
        match place {
            Ok(place) => Ok(place),
            // The line is gone: its own account of why comes at once.
            Err(_) => {
                let answer = timeout(progress, &mut wire.answer).await;
                Err(answer.map_or(ErrorKind::TimedOut.into(), early))
            }
        }
    }

    /// The next piece to send; while it is waited for, a refusal is heard too.
    async fn next_piece(&self, state: &mut State, content: &mut Content) -> Result<Option<Bytes>> {
        let Phase::Open(wire, _) = &mut state.phase else {
            return Err(self.lost());
        };
        tokio::select! {
            biased;
            () = self.given_up.told.notified() => Err(self.lost()),
            answer = &mut wire.answer => Err(early(answer)),
            piece = content.next() => piece.transpose(),
        }
    }

    async fn write_all(
        &self,
        state: &mut State,
        offset: u64,
        mut content: Content,
        check: Check,
    ) -> Result<u64> {
        let mut own = Hasher::new();
        while let Some(mut piece) = self.next_piece(state, &mut content).await? {
            let after = state.hasher.count().checked_add(piece.len() as u64);
            let after = after.ok_or(ErrorKind::BadRange)?;
            if state.length.is_some_and(|length| after > length) {
                return Err(ErrorKind::LengthMismatch.into());
            }
            while !piece.is_empty() {
                let part = piece.split_to(piece.len().min(PIECE));
                if matches!(check, Check::Digest(_)) {
                    own.update(&part);
                }
                self.send(state, part).await?;
            }
        }
        match check {
            Check::Digest(promised) if own.digest() != promised => {
                Err(ErrorKind::DigestMismatch.into())
            }
            _ => Ok(state.hasher.count() - offset),
        }
    }

    /// What must hold before the body may end. A failure leaves the upload as it was.
    fn check(&self, state: &State, seal: &Seal) -> Result<()> {
        let count = state.hasher.count();
        match state.length {
            Some(length) if count < length => {
                return Err(Error::at(ErrorKind::Incomplete, &self.target));
            }
            _ => {}
        }
        if seal.length.is_some_and(|length| length != count) {
            return Err(Error::at(ErrorKind::LengthMismatch, &self.target));
        }
        Ok(())
    }

    /// Ends the body with its digest.
    async fn end(&self, state: &mut State) -> Result<()> {
        self.start(state).await?;
        let mut trailers = HeaderMap::new();
        if let Some(field) = Digests::blake3(state.hasher.digest()).to_field() {
            let value = HeaderValue::try_from(field)
                .map_err(|error| Error::bad_request(error.to_string()))?;
            trailers.insert(header::REPR_DIGEST, value);
        }
        let Phase::Open(wire, parts) = &mut state.phase else {
            return Err(self.lost());
        };
        self.room(wire, parts).await?.send(Part::End(trailers));
        if let Phase::Open(wire, _) = std::mem::replace(&mut state.phase, Phase::Over) {
            state.phase = Phase::Ended(wire);
        }
        Ok(())
    }

    /// Waits for the answer to the whole.
    async fn answer(&self, state: &mut State) -> Result<Option<EntryBody>> {
        let Phase::Ended(wire) = &mut state.phase else {
            return Err(self.lost());
        };
        let deadlines = self.line.deadlines();
        let wait = deadlines.progress.saturating_add(deadlines.answer);
        let answer = tokio::select! {
            biased;
            () = self.given_up.told.notified() => return Err(self.lost()),
            answer = timeout(wait, &mut wire.answer) => answer.map_err(|_| ErrorKind::TimedOut)?,
        };
        answer.map_err(|_| Error::new(ErrorKind::Disconnected))?
    }

    /// The published entry, which must be what was sent.
    async fn published(&self, state: &State, body: Option<EntryBody>) -> Result<Entry> {
        let target = &self.target;
        let entry = match body {
            Some(body) => fault::entry_at(body, target)?,
            None => self.line.stat(target).await?,
        };
        let ours = state.hasher.digest();
        if entry.size != state.hasher.count() || entry.digest.is_some_and(|theirs| theirs != ours) {
            return Err(Error::at(ErrorKind::DigestMismatch, target));
        }
        Ok(entry)
    }
}

/// The headers of a `PUT`.
fn fill(headers: &mut HeaderMap, plan: &WritePlan, length: Option<u64>) -> Result<()> {
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("application/octet-stream"),
    );
    headers.insert(TRAILER, HeaderValue::from_static(header::REPR_DIGEST));
    if let Some(length) = length {
        headers.insert(header::UPLOAD_LENGTH, length.into());
    }
    fill_conditions(headers, plan)
}

/// The headers that say what may be replaced, and what the file is like.
pub(super) fn fill_conditions(headers: &mut HeaderMap, plan: &WritePlan) -> Result<()> {
    let value = |text: String| {
        HeaderValue::try_from(text).map_err(|error| Error::bad_request(error.to_string()))
    };
    match &plan.replace {
        Replace::Always => {}
        Replace::Never => {
            headers.insert(IF_NONE_MATCH, HeaderValue::from_static("*"));
        }
        Replace::Only(version) => {
            headers.insert(IF_MATCH, value(format!("\"{version}\""))?);
        }
    }
    if let Some(modified) = plan.modified {
        headers.insert(header::MODIFIED, value(time_to_text(modified))?);
    }
    if let Some(executable) = plan.executable {
        let flag = if executable { "?1" } else { "?0" };
        headers.insert(header::EXECUTABLE, HeaderValue::from_static(flag));
    }
    Ok(())
}

/// Sends the request and reads its answer to the end.
async fn drive(
    line: &Line,
    request: Request<Out>,
    lane: Lane,
    never: bool,
) -> Result<Option<EntryBody>> {
    let response = line.start(request, lane).await?;
    let (parts, body) = response.into_parts();
    let body = line.whole(body).await;
    if !parts.status.is_success() {
        // The status alone says enough if the rest was cut.
        let refused = fault::refusal(parts.status, &parts.headers, &body.unwrap_or_default());
        return Err(match refused.error.kind() {
            ErrorKind::VersionMismatch if never => ErrorKind::Exists.into(),
            _ => refused.error,
        });
    }
    let body = body?;
    if body.is_empty() {
        return Ok(None);
    }
    serde_json::from_slice(&body)
        .map(Some)
        .map_err(|error| fault::nonsense(error.to_string()))
}

/// An answer before the end of the body can only be a refusal.
fn early(answer: Result<Result<Option<EntryBody>>, oneshot::error::RecvError>) -> Error {
    match answer {
        Ok(Err(error)) => error,
        Ok(Ok(_)) => fault::nonsense("success before the end of the content"),
        Err(_) => ErrorKind::Disconnected.into(),
    }
}

#[async_trait]
impl Upload for RemoteUpload {
    /// The id is of no use: such an upload cannot be taken up again.
    async fn state(&self) -> Result<UploadState> {
        if let Some(kept) = self.kept.get() {
            return kept.state().await;
        }
        let state = self.state.lock().await;
        if matches!(state.phase, Phase::Over) {
            return Err(self.lost());
        }
        let mut arrived = Ranges::new();
        arrived.insert(0..state.hasher.count());
        Ok(UploadState {
            id: UploadId::from_bytes([0; 16]),
            target: Some(self.target.clone()),
            owner: self.plan.owner.clone(),
            length: state.length,
            arrived,
            base: None,
            note: None,
            touched: state.touched,
        })
    }

    /// Nobody else writes to it.
    async fn take_over(&self, range: Range<u64>) -> Result<UploadState> {
        match self.kept.get() {
            Some(kept) => kept.take_over(range).await,
            None => self.state().await,
        }
    }

    /// Content goes over in one run: an offset other than the end of what went over is
    /// `Unsupported`. A refusal that comes in the middle is returned as what it is. Any failure but
    /// a wrong offset ends the upload.
    async fn write(&self, offset: u64, content: Content, check: Check) -> Result<u64> {
        if let Some(kept) = self.kept.get() {
            return kept.write(offset, content, check).await;
        }
        let mut state = self.state.lock().await;
        if self.given_up.is.load(Ordering::Acquire)
            || matches!(state.phase, Phase::Over | Phase::Ended(_))
        {
            return Err(self.lost());
        }
        if offset != state.hasher.count() {
            return Err(Error::at(ErrorKind::Unsupported, &self.target));
        }
        self.start(&mut state).await?;
        let written = self.write_all(&mut state, offset, content, check).await;
        written.map_err(|error| {
            state.phase = Phase::Over;
            error.about(&self.target)
        })
    }

    /// When nothing was written before, this becomes an upload that the server keeps until it is
    /// committed or dropped; after plain writes it is `Unsupported`.
    async fn write_chunks(&self, offset: u64, pieces: Pieces) -> Result<u64> {
        let kept = self.kept.get_or_try_init(|| async {
            let mut state = self.state.lock().await;
            let plan = match state.phase {
                Phase::New => WritePlan {
                    length: state.length,
                    ..self.plan.clone()
                },
                Phase::Over | Phase::Ended(_) => return Err(self.lost()),
                Phase::Open(..) => {
                    return Err(Error::at(ErrorKind::Unsupported, &self.target));
                }
            };
            let kept = kept::begin(&self.line, &plan).await?;
            state.phase = Phase::Over;
            Ok(kept)
        });
        kept.await?.write_chunks(offset, pieces).await
    }

    /// What went over cannot be read back: `Unsupported`.
    async fn read(&self, _range: Range<u64>) -> Result<Bytes> {
        Err(Error::at(ErrorKind::Unsupported, &self.target))
    }

    /// Told to the server only before the first write; else compared here, at commit.
    async fn set_length(&self, length: u64) -> Result<()> {
        if let Some(kept) = self.kept.get() {
            return kept.set_length(length).await;
        }
        let mut state = self.state.lock().await;
        let other = state.length.is_some_and(|declared| declared != length);
        if other || state.hasher.count() > length {
            return Err(Error::at(ErrorKind::LengthMismatch, &self.target));
        }
        state.length = Some(length);
        Ok(())
    }

    /// Nothing under way survives a crash here: `Unsupported`.
    async fn sync(&self) -> Result<()> {
        Err(Error::at(ErrorKind::Unsupported, &self.target))
    }

    /// Ends the body with its digest, which the server compares, and waits for the answer. After
    /// a failure other than `Incomplete` or `LengthMismatch` found here, the upload is over. When
    /// the answer is lost (`Disconnected`, `TimedOut`), it may have been published.
    async fn commit(&self, seal: Seal) -> Result<Entry> {
        if let Some(kept) = self.kept.get() {
            return kept.commit(seal).await;
        }
        let mut state = self.state.lock().await;
        if self.given_up.is.load(Ordering::Acquire) || matches!(state.phase, Phase::Over) {
            return Err(self.lost());
        }
        if !matches!(state.phase, Phase::Ended(_)) {
            self.check(&state, &seal)?;
            if seal
                .digest
                .is_some_and(|digest| digest != state.hasher.digest())
            {
                state.phase = Phase::Over;
                return Err(Error::at(ErrorKind::DigestMismatch, &self.target));
            }
            if let Err(error) = self.end(&mut state).await {
                state.phase = Phase::Over;
                return Err(error.about(&self.target));
            }
        }
        let answer = self.answer(&mut state).await;
        state.phase = Phase::Over;
        let answer = answer.map_err(|error| error.about(&self.target))?;
        self.published(&state, answer).await
    }

    async fn discard(&self) -> Result<()> {
        if let Some(kept) = self.kept.get() {
            return kept.discard().await;
        }
        self.given_up.is.store(true, Ordering::Release);
        self.given_up.told.notify_one();
        self.state.lock().await.phase = Phase::Over;
        Ok(())
    }
}
