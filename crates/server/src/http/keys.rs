//! Tokens and shares: made, listed and revoked, by whoever has an account.
//!
//! JSON only, which no form of another page can send. A token and a share's link cannot make or
//! revoke others: whoever finds one gets no further.

use std::sync::Arc;

use gaveta_core::{Account, AccountKind, Action, Error, ErrorKind, Path, Result, Store};
use gaveta_wire::MAX_MESSAGE;
use gaveta_wire::keys::{NewShareBody, NewTokenBody, ShareBody, TokenBody};
use gaveta_wire::route;
use http::header::{self, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::body::{Body, empty, full};
use super::content::{refuse, small_body};
use super::error;
use super::headers::prefers_html;
use crate::drawer::View;
use crate::drawer::keys::admission::{Keys, may_share};
use crate::drawer::keys::desk::{self, What};

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
    let account = match by_himself(view) {
        Ok(account) => account,
        Err(failed) => {
            refuse(request);
            return Err(failed);
        }
    };
    let method = request.method().clone();
    match (method, what, id) {
        (Method::GET | Method::HEAD, What::Tokens, None) => {
            refuse(request);
            let tokens = desk::tokens(view.keys(), only(&account));
            Ok(json(StatusCode::OK, &tokens))
        }
        (Method::GET | Method::HEAD, What::Shares, None) => {
            refuse(request);
            let shares = desk::shares(view.keys(), only(&account));
            Ok(json(StatusCode::OK, &shares))
        }
        (Method::POST, What::Tokens, None) => {
            let new = read(request).await?;
            let done = add_token(new, &account, view).await;
            view.tell_about(
                "token-add",
                done.as_ref().ok().map(|t| t.id.clone()),
                None,
                &done,
            );
            Ok(json(StatusCode::CREATED, &done?))
        }
        (Method::POST, What::Shares, None) => {
            let new: NewShareBody = read(request).await?;
            let at = Path::parse(&new.path)?;
            let done = add_share(new, &account, view).await;
            let id = done.as_ref().ok().map(|share| share.id.clone());
            view.tell_about("share-add", id, Some(&at), &done);
            Ok(json(StatusCode::CREATED, &done?))
        }
        (Method::DELETE, _, Some(id)) => {
            refuse_body(request);
            let done = remove(what, id, &account, view.keys()).await;
            let word = match what {
                What::Tokens => "token-remove",
                What::Shares => "share-remove",
            };
            let path = done.as_ref().ok().and_then(Option::as_ref);
            view.tell_about(word, Some(id.chars().take(64).collect()), path, &done);
            done?;
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

fn refuse_body(request: Request<Incoming>) {
    refuse(request);
}

/// Whoever signed in by a name and password.
fn by_himself(view: &View) -> Result<Arc<Account>> {
    let account = view.pass().now()?;
    match account.kind() {
        AccountKind::Named | AccountKind::Administrator => Ok(account),
        AccountKind::Visitor => Err(ErrorKind::SignInNeeded.into()),
        AccountKind::Token | AccountKind::Share => Err(ErrorKind::Denied.into()),
    }
}

/// Whose he may see: his own, or everybody's.
fn only(account: &Account) -> Option<&str> {
    match account.may(Action::Manage, &Path::root()) {
        true => None,
        false => Some(account.name()),
    }
}

async fn add_token(new: NewTokenBody, account: &Account, view: &View) -> Result<TokenBody> {
    let of = new.account.clone();
    let of = of.unwrap_or_else(|| account.name().to_owned());
    if of != account.name() && only(account).is_some() {
        return Err(ErrorKind::Denied.into());
    }
    let keys = Arc::clone(view.keys());
    blocking(move || desk::add_token(&keys, new, of)).await
}

async fn add_share(new: NewShareBody, account: &Account, view: &View) -> Result<ShareBody> {
    let path = Path::parse(&new.path)?;
    // Whether it is there is told only to who may see it.
    let entry = view.stat(&path).await?;
    if !may_share(account, &path, desk::way(new.way).actions()) {
        return Err(Error::at(ErrorKind::Denied, &path));
    }
    let (keys, of) = (Arc::clone(view.keys()), account.name().to_owned());
    blocking(move || desk::add_share(&keys, new, &of, entry.kind)).await
}

/// Revokes one's own, or for an administrator anybody's; gives what a share was of.
async fn remove(what: What, id: &str, account: &Account, keys: &Arc<Keys>) -> Result<Option<Path>> {
    let (keys, id) = (Arc::clone(keys), id.to_owned());
    let mine = only(account).map(str::to_owned);
    blocking(move || desk::remove(&keys, what, &id, mine.as_deref())).await
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Error::new(ErrorKind::Io).because(error))?
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
