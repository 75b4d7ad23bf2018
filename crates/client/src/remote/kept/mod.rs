//! Content on its way that a server keeps: in chunks, in any order, several at once, and taken up
//! again by its id.

mod gathered;
mod states;

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::StreamExt;
use gaveta_core::{
    CHUNK, Check, Content, Entry, Error, ErrorKind, OnDrop, Path, Pieces, Replace, Result, Seal,
    Upload, UploadId, UploadState, WritePlan,
};
use gaveta_wire::body::{EntryBody, UploadBody};
use gaveta_wire::digest::Digests;
use gaveta_wire::{chunks, header, route, url};
use http::header::{CONTENT_TYPE, HeaderName};
use http::{HeaderValue, Method, Request};

use super::body::Out;
use super::flow::{self, Answer};
use super::line::{Lane, Line};
use super::own::Changing;
use super::{fault, upload};
use gathered::gathered;
pub(super) use states::list;
use states::{MAX_STATE, parse, state_of};

/// The tus core protocol, version 1.0.0, for what of it is used here.
const RESUMABLE: HeaderName = HeaderName::from_static("tus-resumable");
const OFFSET: HeaderName = HeaderName::from_static("upload-offset");
const LENGTH: HeaderName = HeaderName::from_static("upload-length");
const DEFER: HeaderName = HeaderName::from_static("upload-defer-length");
const CONCAT: HeaderName = HeaderName::from_static("upload-concat");
const CHECKSUM: HeaderName = HeaderName::from_static("upload-checksum");
const VERSION: HeaderValue = HeaderValue::from_static("1.0.0");

/// An upload at a server. Nothing of its state is here: the server is asked.
#[derive(Debug)]
pub(super) struct KeptUpload {
    line: Arc<Line>,
    id: UploadId,
    target: Option<Path>,
    length: Mutex<Option<u64>>,
    /// What a failed condition means: something is there.
    never: bool,
    /// Taken away when nobody holds it any more.
    discards: AtomicBool,
    /// What the server said when it was begun, until something was written.
    begun: Mutex<Option<UploadState>>,
    /// What happens at the target meanwhile is our own doing.
    own: Option<Changing>,
}

impl KeptUpload {
    /// Says that what happens at the target is our own doing, for as long as this is held.
    pub(super) fn owned(mut self, own: Option<Changing>) -> Self {
        self.own = own;
        self
    }
}

impl Drop for KeptUpload {
    fn drop(&mut self) {
        if !self.discards.swap(false, Ordering::AcqRel) {
            return;
        }
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return;
        };
        let (line, id) = (Arc::clone(&self.line), self.id.clone());
        // When this fails, the upload expires at the server.
        runtime.spawn(async move { end(&line, &id).await });
    }
}

/// Begins an upload at the server.
///
/// # Errors
/// `Unsupported` for an id of the caller's or a note: the server chooses ids, and keeps no notes.
pub(super) async fn begin(line: &Arc<Line>, plan: &WritePlan) -> Result<KeptUpload> {
    let about = |error: Error| match &plan.target {
        Some(target) => error.about(target),
        None => error,
    };
    if plan.id.is_some() || plan.note.is_some() {
        return Err(about(Error::new(ErrorKind::Unsupported)));
    }
    let mut request = line.request(Method::POST, route::UPLOADS, Out::empty())?;
    let headers = request.headers_mut();
    headers.insert(RESUMABLE, VERSION);
    headers.insert(header::MANUAL, HeaderValue::from_static("?1"));
    if let Some(target) = &plan.target {
        let target = value(url::encode(target, false))?;
        headers.insert(header::TARGET, target);
    }
    if plan.parts.is_empty() {
        match plan.length {
            Some(length) => headers.insert(LENGTH, length.into()),
            None => headers.insert(DEFER, HeaderValue::from_static("1")),
        };
        if plan.target.is_none() {
            headers.insert(CONCAT, HeaderValue::from_static("partial"));
        }
    } else {
        let parts: Vec<_> = plan.parts.iter().map(place).collect();
        headers.insert(CONCAT, value(format!("final;{}", parts.join(" ")))?);
    }
    if let Some(base) = &plan.base {
        headers.insert(header::BASE, value(format!("\"{base}\""))?);
    }
    upload::fill_conditions(headers, plan)?;
    let never = plan.replace == Replace::Never;
    let body = ask(line, request)
        .await
        .and_then(|answer| {
            serde_json::from_slice::<UploadBody>(&answer.body)
                .map_err(|error| fault::nonsense(error.to_string()))
        })
        .map_err(|error| about(exists(error, never)))?;
    let state = state_of(body)?;
    Ok(KeptUpload {
        line: Arc::clone(line),
        id: state.id.clone(),
        target: plan.target.clone(),
        length: Mutex::new(state.length.or(plan.length)),
        never,
        discards: AtomicBool::new(plan.on_drop == OnDrop::Discard),
        begun: Mutex::new(Some(state)),
        own: None,
    })
}

/// Takes up an upload again.
///
/// # Errors
/// `UnknownUpload`, also when it has another target.
pub(super) async fn take_up(
    line: &Arc<Line>,
    id: &UploadId,
    target: Option<&Path>,
) -> Result<KeptUpload> {
    // What an earlier run's connections still bring would be sent twice.
    let state = take_over(line, id, &(0..u64::MAX)).await;
    let state = state.map_err(|error| match error.kind() {
        // Committed or discarded: there is nothing to take up.
        ErrorKind::UploadLost => ErrorKind::UnknownUpload.into(),
        _ => error,
    })?;
    if target.is_some() && state.target.as_ref() != target {
        return Err(Error::new(ErrorKind::UnknownUpload));
    }
    Ok(KeptUpload {
        line: Arc::clone(line),
        id: id.clone(),
        target: state.target,
        length: Mutex::new(state.length),
        never: false,
        discards: AtomicBool::new(false),
        begun: Mutex::new(None),
        own: None,
    })
}

/// Where an upload is on its server.
fn place(id: &UploadId) -> String {
    format!("{}/{id}", route::UPLOADS)
}

fn value(text: String) -> Result<HeaderValue> {
    HeaderValue::try_from(text).map_err(|error| Error::bad_request(error.to_string()))
}

/// A failed condition means that something is there, when the condition was that nothing is.
fn exists(error: Error, never: bool) -> Error {
    if never && error.kind() == ErrorKind::VersionMismatch {
        ErrorKind::Exists.into()
    } else {
        error
    }
}

/// Sends a request without content, and gives its answer.
async fn ask(line: &Arc<Line>, mut request: Request<Out>) -> Result<Answer> {
    line.sign(&mut request);
    let lane = match *request.method() {
        Method::GET => line.lane_for_questions(),
        _ => Lane::Own,
    };
    let response = line.send(request, lane).await?;
    let (parts, body) = response.into_parts();
    let body = line.whole_to(body, MAX_STATE).await;
    flow::settle(parts.status, parts.headers, body)
}

async fn state(line: &Arc<Line>, id: &UploadId) -> Result<UploadState> {
    told(line, id, Method::GET, &place(id), None).await
}

/// Ends what older connections write of this range, and asks for the state then.
async fn take_over(line: &Arc<Line>, id: &UploadId, range: &Range<u64>) -> Result<UploadState> {
    let there = format!("{}/take-over", place(id));
    told(line, id, Method::POST, &there, Some(range)).await
}

async fn told(
    line: &Arc<Line>,
    id: &UploadId,
    method: Method,
    target: &str,
    range: Option<&Range<u64>>,
) -> Result<UploadState> {
    let mut request = line.request(method, target, Out::empty())?;
    if let Some(range) = range {
        let range = value(chunks::range_to_text(range))?;
        request.headers_mut().insert(header::RANGE, range);
    }
    let answer = ask(line, request)
        .await
        .map_err(|error| match error.kind() {
            ErrorKind::NotFound => ErrorKind::UnknownUpload.into(),
            _ => error,
        })?;
    let state = parse(&answer.body)?;
    if state.id == *id {
        Ok(state)
    } else {
        Err(fault::nonsense("an upload that was not asked for"))
    }
}

/// Ends an upload. One that is gone already is no error.
async fn end(line: &Arc<Line>, id: &UploadId) -> Result<()> {
    let mut request = line.request(Method::DELETE, &place(id), Out::empty())?;
    request.headers_mut().insert(RESUMABLE, VERSION);
    match ask(line, request).await {
        Ok(_) => Ok(()),
        Err(error) => match error.kind() {
            ErrorKind::NotFound | ErrorKind::UnknownUpload | ErrorKind::UploadLost => Ok(()),
            _ => Err(error),
        },
    }
}

impl KeptUpload {
    fn about(&self, error: Error) -> Error {
        match &self.target {
            Some(target) => error.about(target),
            None => error,
        }
    }

    fn begun(&self) -> Option<UploadState> {
        let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        begun.take()
    }

    fn length(&self) -> Option<u64> {
        *self.length.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who asks for an upload that ended hears that it is lost.
    fn lost(error: Error) -> Error {
        match error.kind() {
            ErrorKind::NotFound | ErrorKind::UnknownUpload => ErrorKind::UploadLost.into(),
            _ => error,
        }
    }

    async fn send_chunks(&self, offset: u64, pieces: Pieces) -> Result<u64> {
        self.begun();
        let length = self
            .length()
            .ok_or_else(|| Error::bad_request("chunks want a declared length"))?;
        if !offset.is_multiple_of(CHUNK) {
            return Err(ErrorKind::BadRange.into());
        }
        let mut whole = gathered(pieces, offset, length);
        // Nothing at all is not worth a request.
        let first = match whole.next().await {
            None => return Ok(0),
            Some(Err(error)) => return Err(error),
            Some(Ok(first)) => first,
        };
        let whole = futures_util::stream::iter([Ok(first)]).chain(whole);
        let body: Content = Box::pin(whole.flat_map(|chunk| {
            let parts: Vec<Result<Bytes>> = match chunk {
                Ok(parts) => parts.into_iter().map(Ok).collect(),
                Err(error) => vec![Err(error)],
            };
            futures_util::stream::iter(parts)
        }));
        let request = Request::builder()
            .method(Method::PATCH)
            .header(CONTENT_TYPE, chunks::MEDIA_TYPE)
            .header(header::RANGE, chunks::range_to_text(&(offset..length)));
        let place = place(&self.id);
        let answer = flow::pour(&self.line, request, &place, Lane::Own, body).await?;
        number(&answer, header::KEPT)
    }

    async fn send_content(&self, offset: u64, content: Content, check: Check) -> Result<u64> {
        self.begun();
        let mut request = Request::builder()
            .method(Method::PATCH)
            .header(RESUMABLE, VERSION)
            .header(OFFSET, offset)
            .header(CONTENT_TYPE, "application/offset+octet-stream");
        if let Check::Digest(digest) = check {
            let sum = format!("blake3 {}", STANDARD.encode(digest.as_bytes()));
            request = request.header(CHECKSUM, value(sum)?);
        }
        let place = place(&self.id);
        let answer = flow::pour(&self.line, request, &place, Lane::Own, content).await?;
        number(&answer, OFFSET.as_str())?
            .checked_sub(offset)
            .ok_or_else(|| fault::nonsense("an offset that goes back"))
    }
}

fn number(answer: &Answer, name: &str) -> Result<u64> {
    let text = answer.headers.get(name).and_then(|v| v.to_str().ok());
    text.and_then(|text| text.parse().ok())
        .ok_or_else(|| fault::nonsense(format!("no {name}")))
}

#[async_trait]
impl Upload for KeptUpload {
    /// Right after the beginning it is known; else the server is asked.
    async fn state(&self) -> Result<UploadState> {
        if let Some(state) = self.begun() {
            return Ok(state);
        }
        let state = state(&self.line, &self.id).await;
        state.map_err(|error| self.about(Self::lost(error)))
    }

    async fn take_over(&self, range: Range<u64>) -> Result<UploadState> {
        let state = take_over(&self.line, &self.id, &range).await;
        state.map_err(|error| self.about(Self::lost(error)))
    }

    /// Plain content goes over in one run, from where the last ended (a `PATCH` of tus): another
    /// offset is `Unsupported`.
    async fn write(&self, offset: u64, content: Content, check: Check) -> Result<u64> {
        let sent = self.send_content(offset, content, check).await;
        sent.map_err(|error| self.about(Self::lost(error)))
    }

    /// On a connection of its own. Each chunk is gathered before it goes.
    async fn write_chunks(&self, offset: u64, pieces: Pieces) -> Result<u64> {
        let sent = self.send_chunks(offset, pieces).await;
        sent.map_err(|error| self.about(Self::lost(error)))
    }

    /// What went over cannot be read back: `Unsupported`.
    async fn read(&self, _range: Range<u64>) -> Result<Bytes> {
        Err(self.about(ErrorKind::Unsupported.into()))
    }

    async fn set_length(&self, length: u64) -> Result<()> {
        self.begun();
        let offset = self.state().await?.arrived.prefix();
        let request = Request::builder()
            .method(Method::PATCH)
            .header(RESUMABLE, VERSION)
            .header(OFFSET, offset)
            .header(LENGTH, length)
            .header(CONTENT_TYPE, "application/offset+octet-stream");
        let request = self.line.build(request, &place(&self.id), Out::empty())?;
        let set = ask(&self.line, request).await;
        set.map_err(|error| self.about(Self::lost(error)))?;
        *self.length.lock().unwrap_or_else(PoisonError::into_inner) = Some(length);
        Ok(())
    }

    /// The server keeps what it acknowledged over a restart of its own, and hashes it again where
    /// it could not flush it; so this only asks whether the upload is still there.
    async fn sync(&self) -> Result<()> {
        self.state().await.map(|_| ())
    }

    /// When the answer is lost (`Disconnected`, `TimedOut`), it may have been published.
    async fn commit(&self, seal: Seal) -> Result<Entry> {
        let Some(target) = &self.target else {
            return Err(Error::bad_request("it has no target"));
        };
        if let (Some(length), Some(sealed)) = (self.length(), seal.length)
            && length != sealed
        {
            return Err(Error::at(ErrorKind::LengthMismatch, target));
        }
        let commit = format!("{}/commit", place(&self.id));
        let mut request = self.line.request(Method::POST, &commit, Out::empty())?;
        if let Some(field) = seal.digest.and_then(|d| Digests::blake3(d).to_field()) {
            request
                .headers_mut()
                .insert(header::REPR_DIGEST, value(field)?);
        }
        let answer = ask(&self.line, request).await;
        let answer = answer.map_err(|error| exists(Self::lost(error), self.never).about(target))?;
        self.discards.store(false, Ordering::Release);
        let body: EntryBody = serde_json::from_slice(&answer.body)
            .map_err(|error| fault::nonsense(error.to_string()))?;
        let entry = fault::entry_at(body, target)?;
        let differs =
            seal.digest.is_some() && entry.digest.is_some() && entry.digest != seal.digest;
        if differs || self.length().is_some_and(|length| length != entry.size) {
            return Err(Error::at(ErrorKind::DigestMismatch, target));
        }
        Ok(entry)
    }

    async fn discard(&self) -> Result<()> {
        self.discards.store(false, Ordering::Release);
        end(&self.line, &self.id)
            .await
            .map_err(|error| self.about(error))
    }
}
