//! Tokens and shares: made, listed and revoked, by whoever has an account.
//!
//! JSON only, which no form of another page can send. A token and a share's link cannot make or
//! revoke others: whoever finds one gets no further.

use std::time::SystemTime;

use gaveta_core::{Error, ErrorKind, Result};
use gaveta_wire::MAX_MESSAGE;
use gaveta_wire::body::time_to_text;
use gaveta_wire::keys::{ScopeBody, ShareBody, TokenBody, WayBody};
use gaveta_wire::route;
use http::header::{self, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::base;
use super::body::{Body, empty, full};
use super::content::{refuse, small_body};
use super::error;
use super::headers::prefers_html;
use crate::drawer::View;
use crate::drawer::keys::shares::{Share, Way};
use crate::drawer::keys::tokens::Token;

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Tokens,
    Shares,
}

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
            let status = StatusCode::METHOD_NOT_ALLOWED;
            let mut response = error::answer_with(&failed, status, html);
            let allow = HeaderValue::from_static("GET, HEAD, POST, DELETE");
            response.headers_mut().insert(header::ALLOW, allow);
            response
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
            let tokens = view.tokens()?;
            let bodies: Vec<_> = tokens
                .iter()
                .map(|(t, used)| token_body(t, *used))
                .collect();
            Ok(json(StatusCode::OK, &bodies))
        }
        (Method::GET | Method::HEAD, What::Shares, None) => {
            refuse(request);
            let shares = view.shares()?;
            let bodies: Vec<_> = shares
                .iter()
                .map(|(s, used)| share_body(s, *used))
                .collect();
            Ok(json(StatusCode::OK, &bodies))
        }
        (Method::POST, What::Tokens, None) => {
            let (token, secret) = view.make_token(read(request).await?).await?;
            let mut body = token_body(&token, None);
            body.secret = Some(secret.reveal().to_owned());
            Ok(json(StatusCode::CREATED, &body))
        }
        (Method::POST, What::Shares, None) => {
            let made = view.make_share(read(request).await?).await?;
            let mut body = share_body(&made.share, 0);
            body.link = Some(base::here().link(&made.link));
            Ok(json(StatusCode::CREATED, &body))
        }
        (Method::DELETE, what, Some(id)) => {
            refuse(request);
            match what {
                What::Tokens => view.end_token(id).await?,
                What::Shares => view.end_share(id).await?,
            }
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

fn token_body(token: &Token, used: Option<SystemTime>) -> TokenBody {
    TokenBody {
        id: token.id.clone(),
        name: token.name.clone(),
        account: token.account.clone(),
        scopes: token
            .narrow
            .iter()
            .map(|narrow| ScopeBody {
                path: narrow.path.as_str().to_owned(),
                actions: narrow.actions.to_string(),
            })
            .collect(),
        created: time_to_text(token.created),
        expires: token.expires.map(time_to_text),
        used: used.map(time_to_text),
        secret: None,
    }
}

fn share_body(share: &Share, used: u64) -> ShareBody {
    ShareBody {
        id: share.id.clone(),
        path: share.path.as_str().to_owned(),
        way: way_body(share.way),
        maker: share.maker.clone(),
        created: time_to_text(share.created),
        expires: share.expires.map(time_to_text),
        password: share.password.is_some(),
        limit: share.limit,
        used,
        link: None,
    }
}

pub(super) fn way_body(way: Way) -> WayBody {
    match way {
        Way::Get => WayBody::Get,
        Way::Drop => WayBody::Drop,
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
