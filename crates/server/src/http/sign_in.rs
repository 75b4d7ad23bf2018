//! Signing in and out of a browser: a name and a password for a cookie, and back.
//!
//! Source: RFC 6265bis (cookies, SameSite), the Fetch standard (Origin), Fetch Metadata.

use std::sync::Arc;

use gaveta_core::{Error, ErrorKind, Result};
use gaveta_wire::session::AnswerBody;
use http::header::{self, HeaderMap, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::back::way_back;
use super::body::{Body, empty, full};
use super::content::{refuse, small_body};
use super::headers::prefers_html;
use super::{error, fields, reply};
use crate::drawer::pass::Origin;
use crate::server::House;

/// Where one signs in and out.
pub(crate) const SIGN_IN: &str = "/.gaveta/sign-in";
pub(crate) const SIGN_OUT: &str = "/.gaveta/sign-out";
/// The longest request, in bytes.
const LONGEST: usize = 8 * 1024;

/// What is sent to sign in, as JSON or as a form.
#[derive(Deserialize)]
struct SignIn {
    name: String,
    password: String,
    /// Where a browser goes then: a path here.
    #[serde(default)]
    back: Option<String>,
}

/// `POST` of [`SIGN_IN`]: 200 with the account as JSON, or, for a browser, 303 back; each with the
/// cookie. Another answer sets none.
pub(crate) async fn sign_in(
    request: Request<Incoming>,
    origin: Origin,
    secure: bool,
    house: &Arc<House>,
) -> Response<Body> {
    let wants = prefers_html(request.headers());
    let name = cookie_name(request.headers());
    match signed_in(request, origin, house).await {
        Ok((secret, account, back)) => {
            let mut response = match wants.is_page() {
                true => see(&back),
                false => json(&account),
            };
            set(&mut response, &name, &secret, secure);
            response
        }
        Err(failed) => error::answer(&failed, wants),
    }
}

async fn signed_in(
    request: Request<Incoming>,
    origin: Origin,
    house: &Arc<House>,
) -> Result<(Zeroizing<String>, AnswerBody, String)> {
    let form = is(request.headers(), "application/x-www-form-urlencoded");
    if !form && !is(request.headers(), "application/json") {
        refuse(request);
        return Err(Error::bad_request(
            "a sign-in is application/json or a form",
        ));
    }
    let bytes = Zeroizing::new(small_body(request.into_body(), LONGEST).await?);
    let asked = match form {
        true => form_of(&bytes),
        false => serde_json::from_slice(&bytes).ok(),
    };
    let asked = asked.ok_or_else(|| Error::bad_request("a sign-in has a name and a password"))?;
    let password = Zeroizing::new(asked.password);
    let begun = house.drawer.sign_in(&asked.name, password, origin).await;
    let (pass, secret) = begun?;
    let view = house.drawer.view(pass);
    let back = asked.back.filter(|back| way_back(back).is_some());
    Ok((
        secret,
        AnswerBody::Account(reply::account(&view)),
        back.unwrap_or_else(|| "/".to_owned()),
    ))
}

/// `POST` of [`SIGN_OUT`]: the session of the cookie ends, if there is one.
pub(crate) fn sign_out(
    request: Request<Incoming>,
    secure: bool,
    house: &Arc<House>,
) -> Response<Body> {
    let wants = prefers_html(request.headers());
    let name = cookie_name(request.headers());
    if let Some(secret) = cookie(request.headers()) {
        house.drawer.entrance.cookies.end(&secret);
    }
    refuse(request);
    let mut response = match wants.is_page() {
        true => see("/"),
        false => {
            let mut response = Response::new(empty());
            *response.status_mut() = StatusCode::NO_CONTENT;
            response
        }
    };
    clear(&mut response, &name, secure);
    response
}

/// May a request that shows only a cookie do this? A browser says where its request comes from:
/// when it changes something or opens a session, it must have said so, and the strangers' check
/// has found that it comes from here.
///
/// # Errors
/// `Denied`.
pub(super) fn says_its_origin<B>(request: &Request<B>) -> Result<()> {
    let headers = request.headers();
    let safe = matches!(
        *request.method(),
        Method::GET | Method::HEAD | Method::OPTIONS
    );
    let says = headers.contains_key(header::ORIGIN) || headers.contains_key("sec-fetch-site");
    match (safe && !headers.contains_key(header::UPGRADE)) || says {
        true => Ok(()),
        false => Err(Error::new(ErrorKind::Denied)),
    }
}

/// The secret of the cookie; none without one, or with several.
pub(super) fn cookie(headers: &HeaderMap) -> Option<Zeroizing<String>> {
    let name = cookie_name(headers);
    let mut found = headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .filter(|(known, _)| *known == name)
        .map(|(_, secret)| Zeroizing::new(secret.to_owned()));
    let first = found.next()?;
    found.next().is_none().then_some(first)
}

/// The name of our cookie. Ports share cookies: two servers of one machine would take each other's.
fn cookie_name(headers: &HeaderMap) -> String {
    let host = headers.get(header::HOST);
    let port = host
        .and_then(|host| host.to_str().ok()?.rsplit_once(':')?.1.parse::<u16>().ok())
        .unwrap_or(0);
    format!("gaveta-session-{port}")
}

fn set(response: &mut Response<Body>, name: &str, secret: &str, secure: bool) {
    let secure = if secure { "; Secure" } else { "" };
    let value = format!("{name}={secret}; Path=/; HttpOnly; SameSite=Strict{secure}");
    if let Ok(mut value) = HeaderValue::try_from(value) {
        value.set_sensitive(true);
        response.headers_mut().append(header::SET_COOKIE, value);
    }
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
}

/// Takes the cookie away.
fn clear(response: &mut Response<Body>, name: &str, secure: bool) {
    set(response, name, "; Max-Age=0", secure);
}

/// Takes a cookie away that means nothing any more.
pub(super) fn forget(response: &mut Response<Body>, headers: &HeaderMap, secure: bool) {
    clear(response, &cookie_name(headers), secure);
}

fn see(place: &str) -> Response<Body> {
    let mut response = Response::new(empty());
    *response.status_mut() = StatusCode::SEE_OTHER;
    fields::set(&mut response, header::LOCATION, place);
    response
}

fn json(account: &AnswerBody) -> Response<Body> {
    let mut text = serde_json::to_string(account).unwrap_or_default();
    text.push('\n');
    let mut response = Response::new(full(text));
    fields::set(&mut response, header::CONTENT_TYPE, "application/json");
    response
}

fn is(headers: &HeaderMap, media_type: &str) -> bool {
    let value = headers.get(header::CONTENT_TYPE);
    value.is_some_and(|value| {
        let essence = value.as_bytes().split(|&b| b == b';').next();
        let essence = essence.unwrap_or_default().trim_ascii();
        essence.eq_ignore_ascii_case(media_type.as_bytes())
    })
}

fn form_of(bytes: &[u8]) -> Option<SignIn> {
    let text = std::str::from_utf8(bytes).ok()?;
    let decoded = |value: &str| {
        let value = value.replace('+', " ");
        Some(percent_decode_str(&value).decode_utf8().ok()?.into_owned())
    };
    let field = |name: &str| {
        let mut values = text.split('&').filter_map(|pair| {
            let (known, value) = pair.split_once('=')?;
            (known == name).then_some(value)
        });
        let first = values.next()?;
        values.next().is_none().then(|| decoded(first))?
    };
    Some(SignIn {
        name: field("name")?,
        password: field("password")?,
        back: field("back"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_read() {
        let form = form_of(b"name=jo%C3%A3o&password=a+b%26c&back=%2Fteam%2F").unwrap();
        assert_eq!(
            (form.name.as_str(), form.password.as_str()),
            ("joão", "a b&c")
        );
        assert_eq!(form.back.as_deref(), Some("/team/"));
        for bad in ["name=a", "name=a&name=b&password=c", "name=%ff&password=c"] {
            assert!(form_of(bad.as_bytes()).is_none(), "{bad}");
        }
    }

    #[test]
    fn a_cookie_is_ours_or_none() {
        let of = |cookies: &[&str]| {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, HeaderValue::from_static("localhost:4283"));
            for cookie in cookies {
                headers.append(header::COOKIE, HeaderValue::from_str(cookie).unwrap());
            }
            cookie(&headers).map(|secret| secret.to_string())
        };
        assert_eq!(of(&["a=b; gaveta-session-4283=x"]).as_deref(), Some("x"));
        assert_eq!(of(&["gaveta-session-4284=x"]), None);
        assert_eq!(
            of(&["gaveta-session-4283=x", "gaveta-session-4283=y"]),
            None
        );
        assert_eq!(of(&[]), None);
    }
}
