//! Tokens and shares: made, listed and revoked, by whoever has an account.
//!
//! JSON only, which no form of another page can send. A token and a share's link cannot make or
//! revoke others: whoever finds one gets no further.

use gaveta_core::{Error, ErrorKind, Result};
use gaveta_wire::MAX_MESSAGE;
use gaveta_wire::route;
use http::header::{self, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::base;
use super::body::{Body, empty, full};
use super::content::{refuse, small_body};
use super::error::{self, Refusal};
use super::headers::prefers_html;
use crate::drawer::View;
use crate::drawer::keys::desk::What;

/// Is this path for here?
pub(crate) fn is_here(path: &str) -> bool {
    asked(path).is_some()
}

/// What is asked about, and the id of one.
fn asked(path: &str) -> Option<(What, Option<&str>)> {
    [(route::TOKENS, What::Tokens), (route::SHARES, What::Shares)]
        .into_iter()
        .find_map(|(route, what)| match path.strip_prefix(route)? {
            "" => Some((what, None)),
            rest => {
                let id = rest.strip_prefix('/')?;
                Some((what, Some(id)))
            }
        })
}

/// Answers one request.
pub(crate) async fn serve(request: Request<Incoming>, view: &View) -> Response<Body> {
    let html = prefers_html(request.headers());
    match answer(request, view).await {
        Ok(response) => response,
        Err(failed) if failed.kind() == ErrorKind::Unsupported => {
            Refusal::method("GET, HEAD, POST, DELETE").answer_as(html)
        }
        Err(failed) => error::answer(&failed, html),
    }
}

async fn answer(request: Request<Incoming>, view: &View) -> Result<Response<Body>> {
    let path = request.uri().path().to_owned();
    let Some((what, id)) = asked(&path) else {
        refuse(request);
        return Err(ErrorKind::NotFound.into());
    };
    if let Err(failed) = view.by_himself() {
        refuse(request);
        return Err(failed);
    }
    let method = request.method().clone();
    match (method, what, id) {
        (Method::GET | Method::HEAD, What::Tokens, None) => {
            refuse(request);
            Ok(json(StatusCode::OK, &view.tokens()?))
        }
        (Method::GET | Method::HEAD, What::Shares, None) => {
            refuse(request);
            Ok(json(StatusCode::OK, &view.shares()?))
        }
        (Method::POST, What::Tokens, None) => {
            let made = view.make_token(read(request).await?).await?;
            Ok(json(StatusCode::CREATED, &made))
        }
        (Method::POST, What::Shares, None) => {
            let mut made = view.make_share(read(request).await?).await?;
            made.link = made.link.map(|link| base::here().link(&link));
            Ok(json(StatusCode::CREATED, &made))
        }
        (Method::DELETE, what, Some(id)) => {
            refuse(request);
            view.end_key(what, id).await?;
            let mut response = Response::new(empty());
            *response.status_mut() = StatusCode::NO_CONTENT;
            Ok(response)
        }
        _ => {
            refuse(request);
            Err(ErrorKind::Unsupported.into())
        }
    }
}

/// A body of JSON, said to be so.
async fn read<T: DeserializeOwned>(request: Request<Incoming>) -> Result<T> {
    if !super::command::is_json(request.headers()) {
        refuse(request);
        return Err(Error::bad_request("this is application/json"));
    }
    let text = small_body(request.into_body(), MAX_MESSAGE).await?;
    let text = zeroize::Zeroizing::new(text);
    // What is wrong with it is said without what it holds: there may be a password in it.
    serde_json::from_slice(&text).map_err(|error| {
        Error::bad_request(format!(
            "not what is expected, in line {} column {}",
            error.line(),
            error.column()
        ))
    })
}

/// An answer that nobody keeps: it may hold a secret.
pub(super) fn json<T: Serialize>(status: StatusCode, body: &T) -> Response<Body> {
    let mut text = serde_json::to_string(body).unwrap_or_default();
    text.push('\n');
    let mut response = Response::new(full(text));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_these_paths_are_for_here() {
        assert_eq!(asked("/.gaveta/tokens"), Some((What::Tokens, None)));
        assert_eq!(
            asked("/.gaveta/shares/a1"),
            Some((What::Shares, Some("a1")))
        );
        for elsewhere in [
            "/.gaveta/tokens2",
            "/.gaveta/share",
            "/.gaveta/s/x",
            "/tokens",
        ] {
            assert_eq!(asked(elsewhere), None, "{elsewhere}");
        }
    }
}
