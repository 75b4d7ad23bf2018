//! Who is connected, over the line, for whoever manages the server.

use http::header::{self, HeaderValue};
use http::{Request, Response};
use hyper::body::Incoming;

use super::body::{Body, full};
use super::content::refuse;
use super::error;
use super::headers::prefers_html;
use crate::drawer::View;

/// `GET /.gaveta/connected`: requests under way and open sessions, as JSON.
pub(crate) fn serve(request: Request<Incoming>, view: &View) -> Response<Body> {
    let html = prefers_html(request.headers());
    refuse(request);
    let told = match view.connected() {
        Ok(told) => told,
        Err(failed) => return error::answer(&failed, html),
    };
    let mut json = serde_json::to_vec(&told).unwrap_or_default();
    json.push(b'\n');
    let mut response = Response::new(full(json));
    let headers = response.headers_mut();
    let kind = HeaderValue::from_static("application/json");
    headers.insert(header::CONTENT_TYPE, kind);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
