//! PATCH: more of the content arrives.

use gaveta_core::{Error, ErrorKind, Result};
use gaveta_wire::chunks as framing;
use http::header;
use http::{Response, StatusCode};
use hyper::body::Incoming;

use super::{
    Asked, Held, OFFSET_STREAM, Open, UPLOAD_LENGTH, UPLOAD_OFFSET, checksum, chunks, conclude,
    digest, gone,
};
use crate::http::body::{Body, empty};
use crate::http::content::{Home, Lent, request_content};
use crate::http::error::Refusal;
use crate::http::{fields, sending};

/// Takes content in: bytes from the offset on, as tus has it, or chunks with their digests.
pub(super) async fn patch(
    asked: &Asked<'_>,
    id: &str,
    body: &mut Option<Incoming>,
) -> Result<Response<Body>, Refusal> {
    match fields::single(&asked.head.headers, &header::CONTENT_TYPE) {
        Some(OFFSET_STREAM) => {
            asked.tus()?;
            tus(asked, id, body).await
        }
        Some(framing::MEDIA_TYPE) => chunks::patch(asked, id, body).await,
        _ => Err(wrong_type()),
    }
}

/// 415.
pub(super) fn wrong_type() -> Refusal {
    let error = Error::new(ErrorKind::Unsupported).because("the Content-Type of an upload");
    Refusal::with(error, StatusCode::UNSUPPORTED_MEDIA_TYPE)
}

async fn tus(
    asked: &Asked<'_>,
    id: &str,
    body: &mut Option<Incoming>,
) -> Result<Response<Body>, Refusal> {
    let headers = &asked.head.headers;
    let offset = sending::number(headers, &UPLOAD_OFFSET)?
        .ok_or_else(|| Error::bad_request("a PATCH says its Upload-Offset"))?;
    let mut open = match asked.upload(id).await? {
        Held::Open(open) => open,
        Held::Finished(finished) => return Ok(gone(asked.head, &finished)),
    };
    if offset != open.state.arrived.prefix() {
        let error = Error::bad_request("the Upload-Offset is not where the upload is");
        let mut response = Refusal::with(error, StatusCode::CONFLICT).answer(asked.head);
        let at = open.state.arrived.prefix().to_string();
        fields::set(&mut response, UPLOAD_OFFSET, &at);
        return Ok(response);
    }
    if let Some(length) = sending::number(headers, &UPLOAD_LENGTH)? {
        declare(asked, &mut open, length).await?;
    }
    let reached = receive(asked, &open, offset, body).await?;
    let published = conclude(asked, &open).await?;
    let mut response = Response::new(empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    fields::set(&mut response, UPLOAD_OFFSET, &reached.to_string());
    match published {
        Some(published) => sending::describe(&mut response, &published.entry),
        None => asked.expires(&mut response, std::time::SystemTime::now()),
    }
    Ok(response)
}

/// The length of an upload that was begun without one.
async fn declare(asked: &Asked<'_>, open: &mut Open, length: u64) -> Result<()> {
    asked.within_limit(length)?;
    match open.state.length {
        Some(known) if known == length => return Ok(()),
        Some(_) => return Err(Error::new(ErrorKind::LengthMismatch)),
        None => open.upload.set_length(length).await?,
    }
    open.state.length = Some(length);
    Ok(())
}

/// Takes the body in from the offset on, and says up to where it reaches.
///
/// # Errors
/// 460 when it does not match its checksum: then none of it is kept.
pub(super) async fn receive(
    asked: &Asked<'_>,
    open: &Open,
    offset: u64,
    body: &mut Option<Incoming>,
) -> Result<u64, Refusal> {
    let headers = &asked.head.headers;
    let promised = checksum::promised(headers)?;
    let declared = sending::number(headers, &header::CONTENT_LENGTH)?;
    let limit = open.state.length.unwrap_or(asked.limit());
    let room = limit.saturating_sub(offset);
    if let Some(more) = declared {
        let end = offset.checked_add(more);
        let end = end.ok_or_else(|| Error::new(ErrorKind::BadRange))?;
        if end > limit {
            let kind = match open.state.length {
                Some(_) => ErrorKind::LengthMismatch,
                None => ErrorKind::TooLarge,
            };
            return Err(Error::new(kind).into());
        }
    }
    let Some(incoming) = body.take() else {
        return Ok(offset);
    };
    let home = Home::default();
    let (content, _) = request_content(Lent::new(incoming, &home));
    // One more than there is room for: the store says which bound was passed.
    let bound = match open.state.length {
        Some(_) => None,
        None => Some(room),
    };
    let (content, _) = digest::watch(content, bound, false);
    let written = checksum::write(asked.view, open, offset, content, promised).await;
    *body = home.take();
    Ok(offset.saturating_add(written?))
}
