//! Several files, or a folder, as one ZIP archive: streamed, never built in memory or on disk.
//!
//! What it will hold is planned first, so its length is known and any range of it can be made
//! again: a cut download goes on. Files are stored as they are; each is pinned to its version, and
//! one that changes meanwhile breaks the answer off, so that nobody takes a mixture for the whole.
//!
//! Source: PKWARE APPNOTE.TXT 6.3.10 (ZIP64, data descriptors, UTF-8 names).

mod format;
mod plan;
mod stream;

use std::ops::Range;
use std::sync::Arc;

use gaveta_core::{Error, ErrorKind, Path, Result};
use gaveta_wire::url;
use http::header::{self, HeaderValue};
use http::request::Parts;
use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;

use super::body::{Body, empty, stream_exact};
use super::content::refuse;
use super::error::Refusal;
use super::headers::user_content;
use super::query::Query;
use super::walk::Walks;
use super::{fields, range};
use crate::drawer::View;
pub(crate) use plan::Archives;
use plan::Plan;

/// Where archives are: this, then the path of the folder; `?name=` for some of what is in it.
const ZIP: &str = "/.gaveta/zip/";

/// Is this address ours to answer?
pub(super) fn is_here(path: &str) -> bool {
    path.starts_with(ZIP)
}

/// Answers one request for an archive.
pub(crate) async fn serve(
    request: Request<Incoming>,
    view: &View,
    archives: &Archives,
    walks: &Walks,
) -> Response<Body> {
    let (head, body) = request.into_parts();
    let answer = match archive(&head, view, archives, walks).await {
        Ok(response) => response,
        Err(refusal) => refusal.answer(&head),
    };
    refuse(Request::from_parts(head, body));
    answer
}

async fn archive(
    head: &Parts,
    view: &View,
    archives: &Archives,
    walks: &Walks,
) -> Result<Response<Body>, Refusal> {
    if !matches!(head.method, Method::GET | Method::HEAD) {
        return Err(Refusal::method("GET, HEAD"));
    }
    let rest = head.uri.path().strip_prefix(ZIP).unwrap_or_default();
    let folder = url::parse(&format!("/{rest}"))?.path;
    let query = Query::parse(head.uri.query());
    let chosen = query
        .all("name")
        .map(|name| folder.join(name))
        .collect::<Result<Vec<Path>>>()?;
    let plan = Arc::new(Plan::make(view, &folder, &chosen, archives, walks).await?);
    let etag = format!("\"{}\"", plan.mark());
    let length = plan.length();
    let mut response = match wanted(head, &etag, length) {
        Wanted::Whole => {
            let mut response = Response::new(body(head, view, &plan, archives, 0..length));
            response
                .headers_mut()
                .insert(header::CONTENT_LENGTH, HeaderValue::from(length));
            response
        }
        Wanted::Part(part) => {
            let size = part.end.saturating_sub(part.start);
            let field = format!(
                "bytes {}-{}/{length}",
                part.start,
                part.end.saturating_sub(1)
            );
            let mut response = Response::new(body(head, view, &plan, archives, part));
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
            response
                .headers_mut()
                .insert(header::CONTENT_LENGTH, HeaderValue::from(size));
            fields::set(&mut response, header::CONTENT_RANGE, &field);
            response
        }
        Wanted::Never => {
            let mut response = Refusal::from(Error::new(ErrorKind::BadRange)).answer(head);
            let field = format!("bytes */{length}");
            fields::set(&mut response, header::CONTENT_RANGE, &field);
            return Ok(response);
        }
    };
    fields::set(&mut response, header::ETAG, &etag);
    let name = format!("{}.zip", plan.name());
    let disposition = super::media::disposition(&name, false);
    fields::set(&mut response, header::CONTENT_DISPOSITION, &disposition);
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/zip"),
    );
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static("private, no-cache"),
    );
    user_content(headers);
    Ok(response)
}

fn body(
    head: &Parts,
    view: &View,
    plan: &Arc<Plan>,
    archives: &Archives,
    part: Range<u64>,
) -> Body {
    if head.method == Method::HEAD {
        return empty();
    }
    let length = part.end.saturating_sub(part.start);
    let content = stream::content(view.clone(), Arc::clone(plan), archives, part);
    stream_exact(content, length)
}

enum Wanted {
    Whole,
    Part(Range<u64>),
    Never,
}

/// What of the archive is asked for: RFC 9110, section 14.2. `If-Range` with another mark asks for
/// the whole; several ranges get the whole, as the section allows.
fn wanted(head: &Parts, etag: &str, length: u64) -> Wanted {
    let field = fields::single(&head.headers, &header::RANGE).filter(|_| {
        let same = fields::single(&head.headers, &header::IF_RANGE).is_none_or(|had| had == etag);
        head.method == Method::GET && same
    });
    match field.map(|field| range::resolve(field, length)) {
        None | Some(range::Wanted::Whole) => Wanted::Whole,
        Some(range::Wanted::Unsatisfiable) => Wanted::Never,
        Some(range::Wanted::Parts(parts)) => match <[Range<u64>; 1]>::try_from(parts) {
            Ok([part]) => Wanted::Part(part),
            Err(_) => Wanted::Whole,
        },
    }
}
