//! A file in the trash, by its id: GET and HEAD as of a file; DELETE destroys it.
//!
//! Source: PROTOCOL.md.

use gaveta_core::{Result, TrashId};
use gaveta_wire::route;
use http::header::{self, HeaderValue};
use http::request::Parts;
use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;

use super::body::{Body, empty};
use super::content::refuse;
use super::error::Refusal;
use super::files;
use crate::drawer::View;

/// Is this address ours to answer?
pub(super) fn is_here(path: &str) -> bool {
    id_of(path).is_some()
}

fn id_of(path: &str) -> Option<&str> {
    path.strip_prefix(route::TRASH)?.strip_prefix('/')
}

/// Answers one request.
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
    let id = TrashId::parse(id_of(head.uri.path()).unwrap_or_default())?;
    let trash = view.bin()?;
    match head.method {
        Method::GET | Method::HEAD => {
            let reading = trash.open(&id).await?;
            let mut response = files::answer_with(head, view, reading).await?;
            let no_store = HeaderValue::from_static("no-store");
            response
                .headers_mut()
                .insert(header::CACHE_CONTROL, no_store);
            Ok(response)
        }
        Method::DELETE => {
            trash.purge(&id).await?;
            let mut response = Response::new(empty());
            *response.status_mut() = StatusCode::NO_CONTENT;
            Ok(response)
        }
        _ => Err(Refusal::method("GET, HEAD, DELETE")),
    }
}
