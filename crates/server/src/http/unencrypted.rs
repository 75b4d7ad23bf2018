//! What an unencrypted request gets where none is served: who only wants to read, and shows no
//! secret, is sent to https; everyone else is told so.

use gaveta_core::{Error, ErrorKind};
use http::header::{self, HeaderValue};
use http::{Method, Request, Response, StatusCode};

use super::body::{Body, empty};
use super::html::Wants;
use super::{error, stranger};

/// Fields that may hold a secret. What was sent in the open is not sent on as if nothing had
/// happened.
const SECRETS: [header::HeaderName; 3] = [
    header::AUTHORIZATION,
    header::PROXY_AUTHORIZATION,
    header::COOKIE,
];

/// Does it carry what may be a secret?
pub(super) fn has_credentials<B>(request: &Request<B>) -> bool {
    SECRETS
        .iter()
        .any(|name| request.headers().contains_key(name))
}

/// 308 to the same place over https for a GET or HEAD without credentials, else 426. Where plain
/// is served and only the credentials are too much (`served`), it is always the latter. The host
/// was looked at before.
pub(super) fn answer<B>(
    request: &Request<B>,
    served: bool,
    html: impl Into<Wants>,
) -> Response<Body> {
    let safe = !served && matches!(*request.method(), Method::GET | Method::HEAD);
    let place = stranger::authority(request)
        .zip(request.uri().path_and_query())
        .and_then(|(authority, target)| {
            HeaderValue::try_from(format!("https://{authority}{target}")).ok()
        });
    match place {
        Some(place) if safe && !has_credentials(request) => {
            let mut response = Response::new(empty());
            *response.status_mut() = StatusCode::PERMANENT_REDIRECT;
            let headers = response.headers_mut();
            headers.insert(header::LOCATION, place);
            // Not for ever: the server may be set up otherwise tomorrow.
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
            response
        }
        _ => error::answer(&Error::new(ErrorKind::Insecure), html),
    }
}
