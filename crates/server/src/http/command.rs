//! One request of the session by POST, for who has no WebSocket.

use gaveta_core::{Error, ErrorKind, Result};
use gaveta_wire::MAX_MESSAGE;
use http::header::{self, HeaderValue};
use http::{HeaderMap, Request, Response};
use hyper::body::Incoming;

use super::body::{Body, full};
use super::content::{refuse, small_body};
use super::{error, reply};
use crate::drawer::View;

/// Answers with the reply as a session would give it; an error has its HTTP status too.
pub(crate) async fn serve(request: Request<Incoming>, view: &View) -> Response<Body> {
    let (id, outcome) = match read(request).await {
        Err(error) => (None, Err(error)),
        Ok(text) => match reply::parse(&text) {
            Err((id, error)) => (id, Err(error)),
            Ok((id, parsed)) => (Some(id), reply::answer(parsed, view).await),
        },
    };
    let mut response = Response::new(full(""));
    if let Err(failed) = &outcome {
        error::fields(&mut response, failed, error::status(failed));
    }
    let mut text = serde_json::to_string(&reply::reply(id, outcome)).unwrap_or_default();
    text.push('\n');
    *response.body_mut() = full(text);
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Is the body said to be JSON? No form of another page can say so.
pub(super) fn is_json(headers: &HeaderMap) -> bool {
    headers.get(header::CONTENT_TYPE).is_some_and(|value| {
        let mut parts = value.as_bytes().split(|&b| b == b';');
        let essence = parts.next().unwrap_or_default();
        essence
            .trim_ascii()
            .eq_ignore_ascii_case(b"application/json")
    })
}

/// The body; only JSON, which no form of another page can send.
async fn read(request: Request<Incoming>) -> Result<Vec<u8>> {
    if !is_json(request.headers()) {
        refuse(request);
        return Err(Error::bad_request("a command is application/json"));
    }
    small_body(request.into_body(), MAX_MESSAGE)
        .await
        .map_err(|error| match error.kind() {
            ErrorKind::TooLarge => error.about_text("the command"),
            _ => error,
        })
}
