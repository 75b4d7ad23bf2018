//! How far an upload has come: HEAD for tus, GET as JSON, and the list of all.

use bytes::Bytes;
use futures_util::StreamExt;
use gaveta_core::{Result, Store, UploadState};
use gaveta_wire::body::{UploadBody, time_to_text};
use gaveta_wire::chunks::range_from_text;
use http::Response;
use http::header::{self, HeaderName};

use super::note::Note;
use super::{
    Asked, Held, UPLOAD_CONCAT, UPLOAD_DEFER, UPLOAD_LENGTH, UPLOAD_METADATA, UPLOAD_OFFSET,
    conclude, gone,
};
use crate::http::body::{Body, empty, full, stream};
use crate::http::error::Refusal;
use crate::http::{fields, sending};

/// HEAD of tus. An upload that is complete and was not published (the server stopped in between)
/// is published now: who reads that nothing is missing will not ask again.
pub(super) async fn offset(asked: &Asked<'_>, id: &str) -> Result<Response<Body>, Refusal> {
    asked.tus()?;
    let mut response = Response::new(empty());
    match asked.upload(id).await? {
        Held::Open(open) => {
            let published = conclude(asked, &open).await?;
            let at = open.state.arrived.prefix();
            lengths(&mut response, at, open.state.length);
            noted(&mut response, &open.note);
            match published {
                Some(published) => sending::describe(&mut response, &published.entry),
                None => asked.expires(&mut response, open.state.touched),
            }
        }
        Held::Finished(finished) => {
            let size = finished.entry.size;
            lengths(&mut response, size, Some(size));
            noted(&mut response, &Note::read(finished.note.as_deref()));
            sending::describe(&mut response, &finished.entry);
        }
    }
    Ok(response)
}

fn lengths(response: &mut Response<Body>, offset: u64, length: Option<u64>) {
    fields::set(response, UPLOAD_OFFSET, &offset.to_string());
    match length {
        Some(length) => fields::set(response, UPLOAD_LENGTH, &length.to_string()),
        None => fields::set(response, UPLOAD_DEFER, "1"),
    }
}

fn noted(response: &mut Response<Body>, note: &Note) {
    if let Some(metadata) = &note.metadata {
        fields::set(response, UPLOAD_METADATA, metadata);
    }
    if let Some(concat) = &note.concat {
        fields::set(response, UPLOAD_CONCAT, concat);
    }
}

/// GET: the state as JSON.
pub(super) async fn state(asked: &Asked<'_>, id: &str) -> Result<Response<Body>, Refusal> {
    match asked.upload(id).await? {
        Held::Open(open) => Ok(tell(asked, &open.state)),
        Held::Finished(finished) => Ok(gone(asked.head, &finished)),
    }
}

/// POST to `…/take-over`: what older connections write of the range in `Gaveta-Range` (or of all)
/// ends, and the state as it is then.
pub(super) async fn take_over(asked: &Asked<'_>, id: &str) -> Result<Response<Body>, Refusal> {
    let field = HeaderName::from_static(gaveta_wire::header::RANGE);
    let range = match fields::sole(&asked.head.headers, &field)? {
        Some(text) => range_from_text(text)?,
        None => 0..u64::MAX,
    };
    match asked.upload(id).await? {
        Held::Open(open) => Ok(tell(asked, &open.upload.take_over(range).await?)),
        Held::Finished(finished) => Ok(gone(asked.head, &finished)),
    }
}

fn tell(asked: &Asked<'_>, state: &UploadState) -> Response<Body> {
    let mut response = Response::new(full(json(asked, state)));
    fields::set(&mut response, header::CONTENT_TYPE, "application/json");
    asked.expires(&mut response, state.touched);
    response
}

/// A state as one line of JSON.
pub(super) fn json(asked: &Asked<'_>, state: &UploadState) -> Vec<u8> {
    line(state, asked.expiry)
}

fn line(state: &UploadState, expiry: std::time::Duration) -> Vec<u8> {
    let body = UploadBody {
        id: state.id.to_string(),
        target: state.target.as_ref().map(|path| path.as_str().to_owned()),
        owner: state.owner.0.to_string(),
        length: state.length,
        arrived: state
            .arrived
            .iter()
            .map(|range| [range.start, range.end])
            .collect(),
        base: state
            .base
            .as_ref()
            .map(|version| version.as_str().to_owned()),
        touched: time_to_text(state.touched),
        expires: state.touched.checked_add(expiry).map(time_to_text),
    };
    let mut json = serde_json::to_vec(&body).unwrap_or_default();
    json.push(b'\n');
    json
}

/// All uploads under way, a line of JSON each, streamed.
pub(super) async fn list(asked: &Asked<'_>) -> Result<Response<Body>, Refusal> {
    let expiry = asked.expiry;
    let states = asked.view.uploads().await?;
    let lines = states.map(move |state| Ok(Bytes::from(line(&state?, expiry))));
    let mut response = Response::new(stream(Box::pin(lines)));
    fields::set(&mut response, header::CONTENT_TYPE, "application/x-ndjson");
    Ok(response)
}
