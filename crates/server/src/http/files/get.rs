//! GET and HEAD of a file.

use std::ops::Range;
use std::sync::Arc;
use std::time::SystemTime;

use gaveta_core::{Entry, Error, ErrorKind, ReadPlan, Reading, Store};
use gaveta_wire::body::time_to_text;
use gaveta_wire::digest::{Digests, Wanted as WantedDigests};
use gaveta_wire::header as names;
use http::header::{self, HeaderName, HeaderValue};
use http::{Response, StatusCode};

use super::conditional::{self, Conditions, Verdict};
use super::multipart::Multipart;
use super::{Asked, Refusal, digest, fields, listing};
use crate::drawer::pass::By;
use crate::http::body::{Body, empty, stream_exact};
use crate::http::headers::{loads_code, user_content};
use crate::http::media;
use crate::http::range::{self, Wanted};

/// Answers with a file, a part of it, or a folder's list.
pub(super) async fn get(asked: &Asked<'_>) -> Result<Response<Body>, Refusal> {
    if loads_code(&asked.head.headers) {
        return Err(Error::at(ErrorKind::Denied, asked.path()).into());
    }
    if asked.target.folder {
        return listing::list(asked).await;
    }
    // HEAD opens the file too, so that it fails where GET would.
    match asked.view.read(asked.path(), ReadPlan::default()).await {
        Ok(reading) => file(asked, reading).await,
        Err(error) if error.kind() == ErrorKind::IsFolder => listing::list(asked).await,
        Err(error) if is_refusal(&error) && shows_folder(asked).await => listing::list(asked).await,
        Err(error) => Err(error.into()),
    }
}

fn is_refusal(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Denied | ErrorKind::SignInNeeded | ErrorKind::NotFound
    )
}

/// Is there a folder that shows to somebody who may not read what is in it?
async fn shows_folder(asked: &Asked<'_>) -> bool {
    let entry = asked.view.stat(asked.path()).await;
    entry.is_ok_and(|entry| entry.is_folder())
}

/// Answers with what is open.
pub(super) async fn file(
    asked: &Asked<'_>,
    reading: Arc<dyn Reading>,
) -> Result<Response<Body>, Refusal> {
    let now = SystemTime::now();
    let entry = reading.entry().clone();
    let request = &asked.head.headers;
    let conditions = Conditions::parse(request, true)?;
    match conditions.verdict(Some(&entry), true) {
        Verdict::Proceed => {}
        Verdict::NotModified => return Ok(not_modified(asked, &entry, now)),
        Verdict::Failed => {
            return Err(Error::at(ErrorKind::VersionMismatch, asked.path()).into());
        }
    }
    let digests = digests(asked, &reading).await;
    // Section 14.2: of no meaning but for GET; and If-Range comes after all other conditions.
    let field = fields::single(request, &header::RANGE)
        .filter(|_| !asked.is_head() && conditional::if_range(request, &entry, now));
    let wanted = field.map_or(Wanted::Whole, |field| range::resolve(field, entry.size));
    let mut response = match wanted {
        Wanted::Whole => whole(asked, &reading, &entry),
        Wanted::Unsatisfiable => return Ok(unsatisfiable(asked, &entry)),
        Wanted::Parts(parts) => match <[Range<u64>; 1]>::try_from(parts) {
            Ok([part]) => single(&reading, &entry, part),
            Err(parts) => several(asked, &reading, &entry, parts)?,
        },
    };
    describe(asked, &mut response, &entry, now);
    if let Some(text) = digests.to_field() {
        fields::set(
            &mut response,
            HeaderName::from_static(names::REPR_DIGEST),
            &text,
        );
    }
    Ok(response)
}

fn whole(asked: &Asked<'_>, reading: &Arc<dyn Reading>, entry: &Entry) -> Response<Body> {
    let body = match asked.is_head() {
        true => empty(),
        false => stream_exact(reading.stream(0..entry.size), entry.size),
    };
    let mut response = Response::new(body);
    response
        .headers_mut()
        .insert(header::CONTENT_LENGTH, HeaderValue::from(entry.size));
    content_type(&mut response, entry);
    response
}

fn single(reading: &Arc<dyn Reading>, entry: &Entry, part: Range<u64>) -> Response<Body> {
    let length = part.end.saturating_sub(part.start);
    let field = content_range(&part, entry.size);
    let mut response = Response::new(stream_exact(reading.stream(part), length));
    *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    response
        .headers_mut()
        .insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    fields::set(&mut response, header::CONTENT_RANGE, &field);
    content_type(&mut response, entry);
    response
}

/// Several parts, unless the whole is shorter than they are with all that stands between them.
fn several(
    asked: &Asked<'_>,
    reading: &Arc<dyn Reading>,
    entry: &Entry,
    parts: Vec<Range<u64>>,
) -> Result<Response<Body>, Error> {
    let multipart = Multipart::new(parts, entry, media_of(entry).name)?;
    if multipart.length() > entry.size {
        return Ok(whole(asked, reading, entry));
    }
    let (kind, length) = (multipart.content_type(), multipart.length());
    let mut response = Response::new(stream_exact(multipart.stream(Arc::clone(reading)), length));
    *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    response
        .headers_mut()
        .insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    fields::set(&mut response, header::CONTENT_TYPE, &kind);
    Ok(response)
}

/// `Content-Range` (section 14.4) of a part that is not empty.
pub(super) fn content_range(part: &Range<u64>, size: u64) -> String {
    format!("bytes {}-{}/{size}", part.start, part.end.saturating_sub(1))
}

fn unsatisfiable(asked: &Asked<'_>, entry: &Entry) -> Response<Body> {
    let error = Error::at(ErrorKind::BadRange, asked.path());
    let mut response = Refusal::from(error).answer(asked.head);
    fields::set(
        &mut response,
        header::CONTENT_RANGE,
        &format!("bytes */{}", entry.size),
    );
    response
        .headers_mut()
        .insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    fields::set(
        &mut response,
        header::ETAG,
        &conditional::etag(&entry.version),
    );
    response
}

/// 304 carries what a cache needs to freshen its copy: section 15.4.5.
fn not_modified(asked: &Asked<'_>, entry: &Entry, now: SystemTime) -> Response<Body> {
    let mut response = Response::new(empty());
    *response.status_mut() = StatusCode::NOT_MODIFIED;
    validators(asked, &mut response, entry, now);
    response
}

fn validators(asked: &Asked<'_>, response: &mut Response<Body>, entry: &Entry, now: SystemTime) {
    fields::set(response, header::ETAG, &conditional::etag(&entry.version));
    let date = conditional::last_modified(entry.modified, now);
    fields::set(response, header::LAST_MODIFIED, &date);
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, asked.cache_control());
}

/// What every answer with content of the file says about it.
fn describe(asked: &Asked<'_>, response: &mut Response<Body>, entry: &Entry, now: SystemTime) {
    validators(asked, response, entry, now);
    let time = time_to_text(entry.modified);
    fields::set(response, HeaderName::from_static(names::MODIFIED), &time);
    let executable = if entry.executable { "?1" } else { "?0" };
    fields::set(
        response,
        HeaderName::from_static(names::EXECUTABLE),
        executable,
    );
    // Any other value than yes means nothing: a file's query is passed over.
    let save = asked.query.flag("download").unwrap_or(false);
    let inline = media_of(entry).inline && !save;
    let name = entry.path.name().unwrap_or_default();
    fields::set(
        response,
        header::CONTENT_DISPOSITION,
        &media::disposition(name, inline),
    );
    let headers = response.headers_mut();
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    user_content(headers);
}

fn media_of(entry: &Entry) -> media::Media {
    media::media(entry.path.name().unwrap_or_default())
}

fn content_type(response: &mut Response<Body>, entry: &Entry) {
    let kind = HeaderValue::from_static(media_of(entry).name);
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
}

/// The digests to send: what is known, and what was asked for by `Want-Repr-Digest` if it can be
/// had (RFC 9530, section 4: the field is advice).
async fn digests(asked: &Asked<'_>, reading: &Arc<dyn Reading>) -> Digests {
    let known = Digests {
        blake3: reading.entry().digest,
        sha256: None,
    };
    let name = HeaderName::from_static(names::WANT_REPR_DIGEST);
    let Ok(Some(field)) = fields::list(&asked.head.headers, &name) else {
        return known;
    };
    let wanted = WantedDigests::parse(&field);
    let missing = WantedDigests {
        blake3: wanted.blake3 && known.blake3.is_none(),
        sha256: wanted.sha256,
    };
    // What is read for a share is counted; and nobody without an account has files hashed.
    if matches!(asked.view.pass().by(), By::Share(..)) {
        return known;
    }
    match digest::of_reading(reading, missing).await {
        Some(found) => Digests {
            blake3: known.blake3.or(found.blake3),
            sha256: found.sha256,
        },
        None => known,
    }
}
