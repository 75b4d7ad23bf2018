//! Tokens and shares: made, listed and revoked, by whoever has an account.
//!
//! JSON only, which no form of another page can send. A token and a share's link cannot make or
//! revoke others: whoever finds one gets no further.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use gaveta_core::{Account, AccountKind, Action, Actions, Error, ErrorKind, Path, Result, Store};
use gaveta_wire::MAX_MESSAGE;
use gaveta_wire::body::time_to_text;
use gaveta_wire::keys::{NewShareBody, NewTokenBody, ScopeBody, ShareBody, TokenBody, WayBody};
use gaveta_wire::{route, url};
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
use crate::drawer::keys::admission::{Keys, may_share};
use crate::drawer::keys::shares::{Share, SharePlan, Way};
use crate::drawer::keys::tokens::{Token, TokenPlan};
use crate::drawer::keys::{Narrow, ends_in};
use crate::drawer::password::AdminPassword;

/// The longest a token or share may last: a hundred years, which every clock can add.
const LONGEST: u64 = 100 * 365 * 24 * 60 * 60;

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
            let tokens = view.keys().tokens.list(only(&account));
            let bodies: Vec<_> = tokens
                .iter()
                .map(|(t, used)| token_body(t, *used))
                .collect();
            Ok(json(StatusCode::OK, &bodies))
        }
        (Method::GET | Method::HEAD, What::Shares, None) => {
            refuse(request);
            let shares = view.keys().shares.list(only(&account));
            let bodies: Vec<_> = shares
                .iter()
                .map(|(s, used)| share_body(s, *used))
                .collect();
            Ok(json(StatusCode::OK, &bodies))
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
    let of = new.account.unwrap_or_else(|| account.name().to_owned());
    if of != account.name() && only(account).is_some() {
        return Err(ErrorKind::Denied.into());
    }
    let keys = Arc::clone(view.keys());
    let mark = keys
        .mark_of(&of)
        .ok_or_else(|| Error::new(ErrorKind::NotFound).about_text(of.clone()))?;
    let narrow = new.scopes.iter().map(scope).collect::<Result<Vec<_>>>()?;
    let plan = TokenPlan {
        name: new.name,
        account: of,
        mark,
        narrow,
        expires: ends(new.seconds)?,
    };
    let (token, secret) = blocking(move || keys.tokens.add(plan)).await?;
    let mut body = token_body(&token, None);
    body.secret = Some(secret.reveal().to_owned());
    Ok(body)
}

async fn add_share(new: NewShareBody, account: &Account, view: &View) -> Result<ShareBody> {
    let path = Path::parse(&new.path)?;
    let way = match new.way {
        WayBody::Get => Way::Get,
        WayBody::Drop => Way::Drop,
    };
    // Whether it is there is told only to who may see it.
    let entry = view.stat(&path).await?;
    if !may_share(account, &path, way.actions()) {
        return Err(Error::at(ErrorKind::Denied, &path));
    }
    match (way, entry.kind) {
        (Way::Drop, kind) if kind != gaveta_core::Kind::Folder => {
            return Err(Error::at(ErrorKind::NotFolder, &path));
        }
        (Way::Get, gaveta_core::Kind::Link | gaveta_core::Kind::Special) => {
            return Err(Error::at(ErrorKind::NotRegular, &path));
        }
        _ => {}
    }
    let password = match new.password {
        Some(password) => {
            let password = zeroize::Zeroizing::new(password);
            let hashed = blocking(move || AdminPassword::new(&password)).await?;
            Some(hashed.hash().to_owned())
        }
        None => None,
    };
    let plan = SharePlan {
        path: path.clone(),
        way,
        maker: account.name().to_owned(),
        expires: ends(new.seconds)?,
        password,
        limit: new.limit,
    };
    let keys = Arc::clone(view.keys());
    let (share, secret) = blocking(move || keys.shares.add(plan)).await?;
    let name = match (entry.is_folder(), path.name()) {
        (false, Some(name)) => url::encode_name(name),
        _ => String::new(),
    };
    let mut body = share_body(&share, 0);
    let path = format!("{}{}/{name}", route::SHARED, secret.reveal());
    body.link = Some(base::here().link(&path));
    Ok(body)
}

/// Revokes one's own, or for an administrator anybody's; gives what a share was of.
async fn remove(what: What, id: &str, account: &Account, keys: &Arc<Keys>) -> Result<Option<Path>> {
    let (owned, id) = (Arc::clone(keys), id.to_owned());
    let mine = only(account).map(str::to_owned);
    let gone = blocking(move || {
        let is_mine = |name: &str| mine.as_deref().is_none_or(|mine| mine == name);
        Ok(match what {
            What::Tokens => owned
                .tokens
                .remove(|token| token.id == id && is_mine(&token.account))?
                .first()
                .map(|_| None),
            What::Shares => owned
                .shares
                .remove(|share| share.id == id && is_mine(&share.maker))?
                .first()
                .map(|share| Some(share.path.clone())),
        })
    })
    .await?;
    let gone = gone.ok_or(ErrorKind::NotFound)?;
    keys.changed();
    Ok(gone)
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Error::new(ErrorKind::Io).because(error))?
}

fn scope(body: &ScopeBody) -> Result<Narrow> {
    Ok(Narrow {
        path: Path::parse(body.path.trim_matches('/'))?,
        actions: Actions::parse(&body.actions)?,
    })
}

fn ends(seconds: Option<u64>) -> Result<Option<SystemTime>> {
    let Some(seconds) = seconds else {
        return Ok(None);
    };
    if seconds == 0 || seconds > LONGEST {
        return Err(Error::bad_request(
            "it lasts from one second to a hundred years",
        ));
    }
    Ok(ends_in(Duration::from_secs(seconds)))
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

    #[test]
    fn times_are_bounded() {
        assert!(ends(None).unwrap().is_none() && ends(Some(LONGEST)).unwrap().is_some());
        assert!(ends(Some(0)).is_err() && ends(Some(u64::MAX)).is_err());
    }
}
