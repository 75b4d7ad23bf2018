//! A file as chunks with their digests, and the digests alone.
//!
//! Source: PROTOCOL.md.

use bytes::{Bytes, BytesMut};
use futures_util::{TryStreamExt, stream};
use gaveta_core::chunk::{self, ChunkHasher};
use gaveta_core::{Content, Entry, Error, ErrorKind, Path, ReadPlan, Reading, Result, Store};
use gaveta_wire::chunks::{MEDIA_TYPE, body_length, frame, is_whole, range_from_text};
use gaveta_wire::header as names;
use gaveta_wire::{route, url};
use http::header::{self, HeaderName, HeaderValue};
use http::request::Parts;
use http::{Method, Request, Response};
use hyper::body::Incoming;
use std::sync::Arc;
use tokio::sync::Semaphore;
use tokio::time::{Duration, timeout};

use super::body::{Body, empty, stream_exact};
use super::conditional::{Conditions, Verdict};
use super::content::refuse;
use super::error::Refusal;
use super::headers::user_content;
use super::{fields, sending};
use crate::drawer::View;

/// How many outlines are made at once where none was kept: each reads a whole file.
static OUTLINING: Semaphore = Semaphore::const_new(4);
/// How long one waits for its turn.
const TURN: Duration = Duration::from_secs(30);
/// What is hashed of a file before the peer is given something.
const DIGESTS: usize = 64;

/// Is this address ours to answer?
pub(super) fn is_here(path: &str) -> bool {
    beneath(path, route::CHUNKS).is_some() || beneath(path, route::OUTLINE).is_some()
}

fn beneath<'a>(path: &'a str, place: &str) -> Option<&'a str> {
    path.strip_prefix(place)
        .filter(|rest| rest.starts_with('/'))
}

/// Answers GET and HEAD of a file's chunks or outline.
pub(crate) async fn serve(request: Request<Incoming>, view: &View) -> Response<Body> {
    let (head, body) = request.into_parts();
    let response = match answer(&head, view).await {
        Ok(response) => response,
        Err(refusal) => refusal.answer(&head),
    };
    refuse(Request::from_parts(head, body));
    response
}

async fn answer(head: &Parts, view: &View) -> Result<Response<Body>, Refusal> {
    if !matches!(head.method, Method::GET | Method::HEAD) {
        return Err(Refusal::method("GET, HEAD"));
    }
    let address = head.uri.path();
    let (rest, outline) = match beneath(address, route::OUTLINE) {
        Some(rest) => (rest, true),
        None => (beneath(address, route::CHUNKS).unwrap_or("/"), false),
    };
    let target = url::parse(rest)?;
    if target.folder {
        return Err(Error::at(ErrorKind::IsFolder, &target.path).into());
    }
    let reading = open(head, view, &target.path).await?;
    let entry = reading.entry().clone();
    let mut response = match outline {
        true => outline_of(head, view, &reading).await?,
        false => chunks_of(head, &reading)?,
    };
    sending::describe(&mut response, &entry);
    fields::set(
        &mut response,
        HeaderName::from_static(names::LENGTH),
        &entry.size.to_string(),
    );
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    user_content(headers);
    Ok(response)
}

/// The file, while it is the version that the conditions name.
async fn open(head: &Parts, view: &View, path: &Path) -> Result<Arc<dyn Reading>> {
    let conditions = Conditions::parse(&head.headers, false)?;
    let reading = view.read(path, ReadPlan::default()).await?;
    match conditions.verdict(Some(reading.entry()), false) {
        Verdict::Proceed => Ok(reading),
        Verdict::NotModified | Verdict::Failed => Err(Error::at(ErrorKind::VersionMismatch, path)),
    }
}

fn chunks_of(head: &Parts, reading: &Arc<dyn Reading>) -> Result<Response<Body>> {
    let size = reading.entry().size;
    let field = fields::sole(&head.headers, &HeaderName::from_static(names::RANGE))?;
    let range = field.map_or(Ok(0..size), range_from_text)?;
    let whole_of_nothing = range == (0..0) && size == 0;
    if range.end > size {
        return Err(Error::at(ErrorKind::BadRange, &reading.entry().path));
    }
    if !whole_of_nothing && !is_whole(&range, size) {
        return Err(Error::bad_request("gaveta-range is of whole chunks"));
    }
    let length = body_length(&range);
    let body = match length > 0 && head.method == Method::GET {
        true => stream_exact(frame(reading.chunks(range)), length),
        false => empty(),
    };
    Ok(with_length(body, length, MEDIA_TYPE))
}

fn with_length(body: Body, length: u64, media_type: &'static str) -> Response<Body> {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    response
}

/// The chunk digests one after another: those kept since the file was published, or, when it is
/// asked for `fresh=true`, of the bytes as they are read now.
async fn outline_of(
    head: &Parts,
    view: &View,
    reading: &Arc<dyn Reading>,
) -> Result<Response<Body>> {
    let entry = reading.entry();
    let length = chunk::count(entry.size).saturating_mul(32);
    let fresh = head
        .uri
        .query()
        .is_some_and(|query| query.split('&').any(|pair| pair == "fresh=true"));
    let body = match head.method == Method::GET && length > 0 {
        false => empty(),
        true if fresh => stream_exact(afresh(reading), length),
        true => stream_exact(kept(view, entry).await?, length),
    };
    Ok(with_length(body, length, "application/octet-stream"))
}

async fn kept(view: &View, entry: &Entry) -> Result<Content> {
    let turn = timeout(TURN, OUTLINING.acquire()).await;
    let _turn = turn
        .ok()
        .and_then(std::result::Result::ok)
        .ok_or_else(|| Error::at(ErrorKind::Busy, &entry.path))?;
    let outline = view.outline(&entry.path, &entry.version).await?;
    let mut digests = BytesMut::with_capacity(outline.chunks().len().saturating_mul(32));
    for digest in outline.chunks() {
        digests.extend_from_slice(digest.as_bytes());
    }
    Ok(Box::pin(stream::iter([Ok(digests.freeze())])))
}

/// The digests of what is read, given as they are made.
fn afresh(reading: &Arc<dyn Reading>) -> Content {
    let size = reading.entry().size;
    let making = Making {
        content: reading.stream(0..size),
        rest: Bytes::new(),
        hasher: ChunkHasher::new(0),
        index: 0,
        size,
    };
    Box::pin(stream::try_unfold(making, |mut making| async move {
        let mut digests = BytesMut::new();
        while digests.len() < DIGESTS * 32 {
            match making.next().await? {
                Some(digest) => digests.extend_from_slice(&digest),
                None => break,
            }
        }
        Ok((!digests.is_empty()).then(|| (digests.freeze(), making)))
    }))
}

struct Making {
    content: Content,
    rest: Bytes,
    hasher: ChunkHasher,
    index: u64,
    size: u64,
}

impl Making {
    /// The next chunk's digest; none after the last.
    async fn next(&mut self) -> Result<Option<[u8; 32]>> {
        let span = chunk::span(self.index, self.size);
        if span.is_empty() {
            return Ok(None);
        }
        let length = span.end - span.start;
        while self.hasher.count() < length {
            if self.rest.is_empty() {
                self.rest = match self.content.try_next().await? {
                    Some(bytes) => bytes,
                    None => return Err(Error::new(ErrorKind::LengthMismatch)),
                };
            }
            let room = usize::try_from(length - self.hasher.count()).unwrap_or(usize::MAX);
            let now = self.rest.split_to(room.min(self.rest.len()));
            self.hasher.update(&now);
            tokio::task::yield_now().await;
        }
        let digest = *self.hasher.close(self.size <= chunk::CHUNK).as_bytes();
        self.index += 1;
        self.hasher = ChunkHasher::new(self.index);
        Ok(Some(digest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_beneath_their_place() {
        for (path, here) in [
            ("/.gaveta/chunks/a", true),
            ("/.gaveta/outline/a/b", true),
            ("/.gaveta/chunks", false),
            ("/.gaveta/chunksa", false),
            ("/.gaveta/outlines/a", false),
        ] {
            assert_eq!(is_here(path), here, "{path}");
        }
    }
}
