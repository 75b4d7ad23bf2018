//! PATCH of chunks, each followed by its digest: any whole chunks, in any order, in parallel.

use std::ops::Range;

use gaveta_core::{Error, ErrorKind, Result};
use gaveta_wire::chunks as framing;
use gaveta_wire::header as names;
use http::header::HeaderName;
use http::{Response, StatusCode};
use http_body::Body as _;
use hyper::body::Incoming;

use super::{Asked, Held, KEPT, Open, conclude, gone};
use crate::http::body::{Body, empty};
use crate::http::content::{Home, Lent, request_content};
use crate::http::error::Refusal;
use crate::http::{fields, sending};

/// Takes chunks in; a body may end before its range does, at a chunk's end. 204 and how many bytes were kept. A chunk that does not match its digest ends
/// the request with `digest-mismatch`; the chunks before it are kept.
pub(super) async fn patch(
    asked: &Asked<'_>,
    id: &str,
    body: &mut Option<Incoming>,
) -> Result<Response<Body>, Refusal> {
    let open = match asked.upload(id).await? {
        Held::Open(open) => open,
        Held::Finished(finished) => return Ok(gone(asked.head, &finished)),
    };
    let coming = body.as_ref().and_then(|body| body.size_hint().exact());
    let (range, length) = range(asked, &open, coming)?;
    let Some(incoming) = body.take() else {
        return Err(Error::new(ErrorKind::LengthMismatch).into());
    };
    let home = Home::default();
    let (content, _) = request_content(Lent::new(incoming, &home));
    let pieces = framing::unframe_some(content, range.clone(), length);
    let written = open.upload.write_chunks(range.start, pieces).await;
    *body = home.take();
    let kept = written?;
    let published = conclude(asked, &open).await?;
    let mut response = Response::new(empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    fields::set(&mut response, KEPT, &kept.to_string());
    match published {
        Some(published) => sending::describe(&mut response, &published.entry),
        None => asked.expires(&mut response, std::time::SystemTime::now()),
    }
    Ok(response)
}

/// The range that comes, and the length of the whole. `coming` is the length of the body, where it
/// is known.
fn range(asked: &Asked<'_>, open: &Open, coming: Option<u64>) -> Result<(Range<u64>, u64)> {
    let headers = &asked.head.headers;
    let length = open
        .state
        .length
        .ok_or_else(|| Error::bad_request("chunks want a declared length"))?;
    let text = fields::sole(headers, &HeaderName::from_static(names::RANGE))?
        .ok_or_else(|| Error::bad_request("a PATCH of chunks says its gaveta-range"))?;
    let range = framing::range_from_text(text)?;
    if range.end > length {
        return Err(Error::new(ErrorKind::BadRange));
    }
    if !framing::is_whole(&range, length) {
        return Err(Error::bad_request("gaveta-range is of whole chunks"));
    }
    if coming.is_some_and(|coming| coming > framing::body_length(&range)) {
        return Err(Error::new(ErrorKind::LengthMismatch));
    }
    Ok((range, length))
}
