//! Content under way over HTTP: tus 1.0.0 with its extensions, and ours beside it.
//!
//! Both speak about the same uploads at the same addresses. What is only ours (chunks with their
//! digests, commit, the state, the list) needs no `Tus-Resumable`.
//!
//! Source: the tus resumable upload protocol, version 1.0.0; PROTOCOL.md.

mod checksum;
mod chunks;
mod commit;
mod concat;
mod create;
mod metadata;
mod note;
mod patch;
mod state;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use gaveta_core::{Error, ErrorKind, Path, Result, Store, Upload, UploadId, UploadState};
use gaveta_wire::route;
use http::header::{self, HeaderName, HeaderValue};
use http::request::Parts;
use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;

use super::body::{Body, empty};
use super::content::refuse;
use super::error::Refusal;
use super::{FilesSettings, digest, fields, sending};
use crate::drawer::View;
use crate::drawer::ledger::Finished;

/// The version of tus.
const TUS: &str = "1.0.0";
const EXTENSIONS: &str = "creation,creation-with-upload,creation-defer-length,expiration,checksum,\
                          termination,concatenation";

const TUS_RESUMABLE: HeaderName = HeaderName::from_static("tus-resumable");
const TUS_VERSION: HeaderName = HeaderName::from_static("tus-version");
const TUS_EXTENSION: HeaderName = HeaderName::from_static("tus-extension");
const TUS_MAX_SIZE: HeaderName = HeaderName::from_static("tus-max-size");
const TUS_ALGORITHMS: HeaderName = HeaderName::from_static("tus-checksum-algorithm");
const UPLOAD_OFFSET: HeaderName = HeaderName::from_static("upload-offset");
const UPLOAD_LENGTH: HeaderName = HeaderName::from_static("upload-length");
const UPLOAD_DEFER: HeaderName = HeaderName::from_static("upload-defer-length");
const UPLOAD_METADATA: HeaderName = HeaderName::from_static("upload-metadata");
const UPLOAD_CONCAT: HeaderName = HeaderName::from_static("upload-concat");
const UPLOAD_EXPIRES: HeaderName = HeaderName::from_static("upload-expires");
const OVERRIDE: HeaderName = HeaderName::from_static("x-http-method-override");
/// How many bytes of chunks were kept.
const KEPT: HeaderName = HeaderName::from_static(gaveta_wire::header::KEPT);

/// The media type of a tus PATCH.
const OFFSET_STREAM: &str = "application/offset+octet-stream";

const COLLECTION: &str = "GET, POST, OPTIONS";
const SINGLE: &str = "GET, HEAD, PATCH, POST, DELETE, OPTIONS";
const COMMIT: &str = "POST, OPTIONS";

/// What an address beneath [`route::UPLOADS`] names.
#[derive(Debug, PartialEq, Eq)]
enum Place<'a> {
    All,
    One(&'a str),
    Commit(&'a str),
    TakeOver(&'a str),
}

/// Reads an address; none when it is not beneath [`route::UPLOADS`].
fn place(path: &str) -> Option<Place<'_>> {
    let rest = path.strip_prefix(route::UPLOADS)?;
    if matches!(rest, "" | "/") {
        return Some(Place::All);
    }
    match rest.strip_prefix('/') {
        None => None,
        Some(rest) => match rest.split_once('/') {
            None => Some(Place::One(rest)),
            Some((id, "commit")) => Some(Place::Commit(id)),
            Some((id, "take-over")) => Some(Place::TakeOver(id)),
            Some(_) => None,
        },
    }
}

/// Is this address ours to answer?
pub(super) fn is_here(path: &str) -> bool {
    path.strip_prefix(route::UPLOADS)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// A request about uploads.
struct Asked<'a> {
    head: &'a Parts,
    view: &'a View,
    settings: &'a FilesSettings,
    expiry: Duration,
}

impl Asked<'_> {
    /// Refuses who speaks no tus that we know, where only tus is spoken.
    fn tus(&self) -> Result<(), Refusal> {
        match fields::single(&self.head.headers, &TUS_RESUMABLE) {
            Some(TUS) => Ok(()),
            _ => Err(wrong_version()),
        }
    }

    /// The upload of this id, or how it ended.
    async fn upload(&self, id: &str) -> Result<Held, Refusal> {
        let id = UploadId::parse(id)?;
        match self.view.upload(&id, None).await {
            Ok(upload) => {
                let state = upload.state().await?;
                let note = note::Note::read(state.note.as_deref());
                Ok(Held::Open(Box::new(Open {
                    upload,
                    state,
                    note,
                })))
            }
            Err(error) if error.kind() == ErrorKind::UnknownUpload => {
                match self.view.finished(&id) {
                    Some(finished) => Ok(Held::Finished(Box::new(finished))),
                    None => Err(error.into()),
                }
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The largest content that is taken.
    fn limit(&self) -> u64 {
        self.settings.max_file_size.unwrap_or(u64::MAX)
    }

    /// Refuses what is declared larger than is taken.
    fn within_limit(&self, length: u64) -> Result<()> {
        match length > self.limit() {
            true => Err(Error::new(ErrorKind::TooLarge)),
            false => Ok(()),
        }
    }

    /// Says until when the upload is kept (the expiration extension).
    fn expires(&self, response: &mut Response<Body>, touched: SystemTime) {
        if let Some(at) = touched.checked_add(self.expiry).and_then(dated) {
            fields::set(response, UPLOAD_EXPIRES, &at);
        }
    }
}

/// A date as HTTP writes it; none for one that it cannot write.
fn dated(time: SystemTime) -> Option<String> {
    // Year 9999: what the format holds.
    let latest = Duration::from_secs(253_402_300_799);
    let since = time.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    (since <= latest).then(|| httpdate::fmt_http_date(time))
}

/// An upload under way, as it was a moment ago.
struct Open {
    upload: Arc<dyn Upload>,
    state: UploadState,
    note: note::Note,
}

/// What an id names.
enum Held {
    Open(Box<Open>),
    Finished(Box<Finished>),
}

/// Answers one request about uploads.
///
/// Dropping the future leaves what arrived kept; a commit that was begun is completed.
pub(crate) async fn serve(
    request: Request<Incoming>,
    view: &View,
    settings: &FilesSettings,
    expiry: Duration,
) -> Response<Body> {
    let (head, body) = request.into_parts();
    let asked = Asked {
        head: &head,
        view,
        settings,
        expiry,
    };
    let mut body = Some(body);
    let answered = match method(&head) {
        Ok(method) => route_to(&asked, &method, &mut body).await,
        Err(refusal) => Err(refusal),
    };
    let mut response = match answered {
        Ok(response) => response,
        Err(refusal) => refusal_of(&head, &refusal),
    };
    if let Some(body) = body {
        refuse(Request::from_parts(head, body));
    }
    let headers = response.headers_mut();
    headers.insert(TUS_RESUMABLE, HeaderValue::from_static(TUS));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn refusal_of(head: &Parts, refusal: &Refusal) -> Response<Body> {
    let mut response = refusal.answer(head);
    match refusal.status {
        Some(StatusCode::PRECONDITION_FAILED) => fields::set(&mut response, TUS_VERSION, TUS),
        // RFC 5789, section 3.1.
        Some(StatusCode::UNSUPPORTED_MEDIA_TYPE) => {
            let taken = format!("{OFFSET_STREAM}, {}", gaveta_wire::chunks::MEDIA_TYPE);
            fields::set(
                &mut response,
                HeaderName::from_static("accept-patch"),
                &taken,
            );
        }
        _ => {}
    }
    response
}

/// The method; one that the client cannot send comes as a POST that says so.
fn method(head: &Parts) -> Result<Method, Refusal> {
    let Some(text) = fields::sole(&head.headers, &OVERRIDE)? else {
        return Ok(head.method.clone());
    };
    let known = [Method::PATCH, Method::DELETE, Method::HEAD, Method::POST];
    let wanted = known.into_iter().find(|method| method.as_str() == text);
    match wanted {
        Some(wanted) if head.method == Method::POST => Ok(wanted),
        Some(wanted) if head.method == wanted => Ok(wanted),
        _ => Err(Error::bad_request("a POST may stand for PATCH, DELETE or HEAD").into()),
    }
}

async fn route_to(
    asked: &Asked<'_>,
    method: &Method,
    body: &mut Option<Incoming>,
) -> Result<Response<Body>, Refusal> {
    let Some(place) = place(asked.head.uri.path()) else {
        return Err(Error::new(ErrorKind::NotFound).into());
    };
    match (place, method) {
        (_, &Method::OPTIONS) => Ok(options(asked)),
        (Place::All, &Method::GET) => state::list(asked).await,
        (Place::All, &Method::POST) => create::create(asked, body).await,
        (Place::One(id), &Method::HEAD) => state::offset(asked, id).await,
        (Place::One(id), &Method::GET) => state::state(asked, id).await,
        (Place::One(id), &Method::PATCH) => patch::patch(asked, id, body).await,
        (Place::One(id), &Method::DELETE) => discard(asked, id).await,
        (Place::Commit(id), &Method::POST) => commit::commit(asked, id).await,
        (Place::TakeOver(id), &Method::POST) => state::take_over(asked, id).await,
        (place, _) => Ok(not_allowed(asked.head, &place)),
    }
}

fn not_allowed(head: &Parts, place: &Place<'_>) -> Response<Body> {
    let allow = match place {
        Place::All => COLLECTION,
        Place::One(_) => SINGLE,
        Place::Commit(_) | Place::TakeOver(_) => COMMIT,
    };
    Refusal::method(allow).answer(head)
}

fn options(asked: &Asked<'_>) -> Response<Body> {
    let mut response = Response::new(empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    fields::set(&mut response, TUS_VERSION, TUS);
    fields::set(&mut response, TUS_EXTENSION, EXTENSIONS);
    fields::set(&mut response, TUS_ALGORITHMS, checksum::ALGORITHMS);
    if let Some(limit) = asked.settings.max_file_size {
        fields::set(&mut response, TUS_MAX_SIZE, &limit.to_string());
    }
    response
}

/// Termination. Ours may leave `Tus-Resumable` out; a version that we do not speak is refused.
async fn discard(asked: &Asked<'_>, id: &str) -> Result<Response<Body>, Refusal> {
    if asked.head.headers.contains_key(TUS_RESUMABLE) {
        asked.tus()?;
    }
    match asked.upload(id).await? {
        Held::Open(open) => open.upload.discard().await?,
        Held::Finished(finished) => return Ok(gone(asked.head, &finished)),
    }
    let mut response = Response::new(empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    Ok(response)
}

/// 410 for an upload that was committed, with the version that came of it.
fn gone(head: &Parts, finished: &Finished) -> Response<Body> {
    let entry = &finished.entry;
    let error = Error::at(ErrorKind::UploadLost, &entry.path);
    let mut response = Refusal::with(error, StatusCode::GONE).answer(head);
    sending::describe(&mut response, entry);
    response
}

fn wrong_version() -> Refusal {
    let error = Error::new(ErrorKind::Unsupported).because("tus 1.0.0 is spoken here");
    Refusal::with(error, StatusCode::PRECONDITION_FAILED)
}

/// Publishes an upload that is complete and that ends with its last byte; else does nothing.
///
/// # Errors
/// Those of the commit. The upload stays as it is.
async fn conclude(asked: &Asked<'_>, open: &Open) -> Result<Option<sending::Published>> {
    let state = open.upload.state().await;
    let complete = |state: &UploadState| {
        state
            .length
            .is_some_and(|length| state.arrived.covers(&(0..length)))
    };
    let state = match state {
        Ok(state) => state,
        Err(error) => return settled(asked, &open.state, error),
    };
    let Some(target) = state.target.clone().filter(|_| !open.note.manual) else {
        return Ok(None);
    };
    if !complete(&state) {
        return Ok(None);
    }
    match publish(asked, open, &target, gaveta_core::Seal::default()).await {
        Ok(published) => Ok(Some(published)),
        Err(error) => settled(asked, &open.state, error),
    }
}

/// When somebody else committed it in this very moment, all is well.
fn settled(
    asked: &Asked<'_>,
    state: &UploadState,
    error: Error,
) -> Result<Option<sending::Published>> {
    let ended = matches!(
        error.kind(),
        ErrorKind::UploadLost | ErrorKind::UnknownUpload
    );
    match asked.view.finished(&state.id).filter(|_| ended) {
        Some(finished) => Ok(Some(sending::Published {
            entry: finished.entry,
            created: true,
            sha256: None,
        })),
        None => Err(error),
    }
}

/// Commits, and says whether something new was made.
async fn publish(
    asked: &Asked<'_>,
    open: &Open,
    target: &Path,
    seal: gaveta_core::Seal,
) -> Result<sending::Published> {
    let created = sending::there(asked.view, target).await?.is_none();
    let entry = open.upload.commit(seal).await?;
    Ok(sending::Published {
        entry,
        created,
        sha256: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_exactly() {
        let at = |rest: &str| format!("{}{rest}", route::UPLOADS);
        assert_eq!(place(&at("")), Some(Place::All));
        assert_eq!(place(&at("/")), Some(Place::All));
        assert_eq!(place(&at("/x")), Some(Place::One("x")));
        assert_eq!(place(&at("/x/commit")), Some(Place::Commit("x")));
        assert_eq!(place(&at("/x/take-over")), Some(Place::TakeOver("x")));
        for bad in ["x", "/x/", "/x/commit/", "/x/y", "/x//commit"] {
            assert_eq!(place(&at(bad)), None, "{bad}");
        }
        assert!(is_here(&at("")) && is_here(&at("/x/y")) && !is_here(&at("x")));
    }

    #[test]
    fn dates_beyond_what_http_writes_are_left_out() {
        assert!(dated(SystemTime::now()).is_some());
        assert_eq!(dated(SystemTime::UNIX_EPOCH - Duration::from_secs(1)), None);
        let far = SystemTime::UNIX_EPOCH + Duration::from_secs(253_402_300_800);
        assert_eq!(dated(far), None);
    }
}
