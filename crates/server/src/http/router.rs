//! Where a request goes: past the strangers' check and the sign-in to its door.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use gaveta_core::{Action, Error, ErrorKind, Path, Result};
use gaveta_wire::keys::in_link;
use gaveta_wire::route;
use http::header::{self, HeaderMap, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use zeroize::Zeroizing;

use super::base::{self, Within};
use super::body::{Body, empty, full};
use super::caller::Caller;
use super::content::refuse;
use super::error::Refusal;
use super::headers::{everywhere, prefers_html, program};
use super::html::Wants;
use super::{
    audit, chunks, command, connected, error, fields, files, keys, page, session, share, sign_in,
    stranger, trash, unencrypted, uploads, zip,
};
use crate::drawer::View;
use crate::drawer::entrance::Credential;
use crate::drawer::pass::{Door, Origin, Pass};
use crate::port::line::Line;
use crate::port::log::RequestLog;
use crate::port::tls::Tls;
use crate::server::House;

/// Answers one request. Never fails: what goes wrong is an answer too.
pub(crate) async fn answer(
    request: Request<Incoming>,
    line: Arc<Line>,
    house: Arc<House>,
) -> Response<Body> {
    house.drawer.meters.request();
    let mut log = RequestLog::begin(&request, Arc::clone(&line));
    let multiplexed = request.version() == http::Version::HTTP_2;
    let browser = request.headers().contains_key("sec-fetch-site");
    // The password of a link is no account's: its browser is to ask, no form of ours can.
    let mut linked = false;
    let answered = async {
        match outside(request, &house) {
            Ok(request) => {
                linked = in_link(request.uri().path()).is_some();
                route(request, &line, &house, &mut log).await
            }
            Err(response) => *response,
        }
    };
    let mut response = base::within(house.base.clone(), answered).await;
    if browser && !linked && response.status() == StatusCode::UNAUTHORIZED {
        // A browser would ask by itself, in a window of its own, over a page that asks already. A
        // 401 names a scheme (RFC 9110, section 11.6.1); this one is of
        // draft-broyer-http-cookie-auth, and browsers pass over one that they do not know.
        let form = house.base.link(sign_in::SIGN_IN);
        let by_cookie = format!("Cookie realm=\"gaveta\", form-action=\"{form}\"");
        fields::set(&mut response, header::WWW_AUTHENTICATE, &by_cookie);
    }
    house.base.put_on(response.headers_mut());
    everywhere(response.headers_mut());
    if line.is_encrypted() && house.tls.as_ref().is_some_and(Tls::is_whole_host) {
        // RFC 6797: a month, and no subdomain.
        let strict = HeaderValue::from_static("max-age=2592000");
        let headers = response.headers_mut();
        headers.insert(header::STRICT_TRANSPORT_SECURITY, strict);
    }
    log.answered(response.status(), promised(&response));
    response.map(|body| match multiplexed {
        true => body.with_room(&line).logged(log),
        false => body.logged(log),
    })
}

/// How long the answer says it is.
fn promised(response: &Response<Body>) -> Option<u64> {
    let declared = response.headers().get(header::CONTENT_LENGTH);
    declared
        .and_then(|value| value.to_str().ok()?.parse().ok())
        .or_else(|| http_body::Body::size_hint(response.body()).exact())
}

/// The request as it is within the prefix a proxy serves us under, or the answer to one that is
/// not.
fn outside(
    mut request: Request<Incoming>,
    house: &House,
) -> Result<Request<Incoming>, Box<Response<Body>>> {
    let html = prefers_html(request.headers());
    match house.base.take_off(&mut request) {
        Some(Within::Target) => Ok(request),
        Some(Within::Bare) => {
            refuse(request);
            let mut response = Response::new(empty());
            *response.status_mut() = StatusCode::PERMANENT_REDIRECT;
            let place = HeaderValue::from_static("/");
            response.headers_mut().insert(header::LOCATION, place);
            Err(Box::new(response))
        }
        None => {
            refuse(request);
            Err(Box::new(error::answer(
                &Error::new(ErrorKind::NotFound),
                html,
            )))
        }
    }
}

async fn route(
    request: Request<Incoming>,
    line: &Arc<Line>,
    house: &Arc<House>,
    log: &mut RequestLog,
) -> Response<Body> {
    let html = prefers_html(request.headers());
    let path = request.uri().path();
    let own = path.starts_with(route::OWN);
    // A link to a share is there to be followed, from wherever it was sent to.
    let shared = in_link(path).map(|(secret, _)| Zeroizing::new(secret.to_owned()));
    let caller = Caller::of(&request, line, house);
    log.caller(caller.ip);
    let ours = own && shared.is_none();
    if let Err(refusal) = stranger::check(&request, &house.hosts, line.local(), &caller, ours) {
        refuse(request);
        return error::answer_with(&refusal.error, refusal.status, html);
    }
    // Before the password is looked at: it came in the open, and is not to come so again.
    let secret =
        path == sign_in::SIGN_IN || shared.is_some() || unencrypted::has_credentials(&request);
    if !caller.served || !caller.credentials && secret {
        let response = unencrypted::answer(&request, caller.served, html);
        refuse(request);
        return response;
    }
    let origin = Origin {
        ip: Some(caller.ip),
        door: Door::Http,
    };
    if let Err(failed) = house.drawer.fairness.request(caller.ip) {
        refuse(request);
        return error::answer(&failed, html);
    }
    // Behind TLS a cookie is for TLS alone.
    let secure = caller.secure;
    match (path, request.method()) {
        (sign_in::SIGN_IN, &Method::POST) => {
            return sign_in::sign_in(request, origin, secure, house).await;
        }
        (sign_in::SIGN_OUT, &Method::POST) => return sign_in::sign_out(request, secure, house),
        _ => {}
    }
    let by_a_link = shared.is_some();
    let pass = match admit(&request, shared, origin, house).await {
        Ok(pass) => pass,
        Err(failed) => {
            // Only a cookie that was looked at, and means nothing any more.
            let stale = failed.kind() == ErrorKind::SignInNeeded
                && !by_a_link
                && matches!(credential(request.headers()), Credential::Cookie(_));
            let headers = stale.then(|| request.headers().clone());
            refuse(request);
            let mut response = match by_a_link {
                true => share::refused(&failed, html),
                false => error::answer(&failed, html),
            };
            if let Some(headers) = headers {
                sign_in::forget(&mut response, &headers, secure);
            }
            return response;
        }
    };
    log.account(&pass.last());
    let program = program(request.headers());
    let visit = (house.drawer.present).enter(pass.clone(), &program, Some(log.asked_for()));
    let view = house.drawer.view(pass).visiting(visit.guest());
    log.stays(visit);
    if by_a_link {
        return share::serve(request, &view, &house.files).await;
    }
    if !own {
        if request.method() == Method::CONNECT {
            return error::answer(&Error::new(ErrorKind::Unsupported), html);
        }
        return files::serve(request, &view, &house.files).await;
    }
    if uploads::is_here(path_of(&request)) {
        let expiry = house.drawer.ledger.expiry();
        return uploads::serve(request, &view, &house.files, expiry).await;
    }
    if chunks::is_here(path_of(&request)) {
        return chunks::serve(request, &view).await;
    }
    if keys::is_here(path_of(&request)) {
        return keys::serve(request, &view).await;
    }
    if zip::is_here(path_of(&request)) {
        return zip::serve(request, &view, &house.archives, &house.walks).await;
    }
    if page::is_here(path_of(&request)) {
        return page::serve(request, &view, house, secure).await;
    }
    if trash::is_here(path_of(&request)) {
        return trash::serve(request, &view).await;
    }
    match (path_of(&request), request.method()) {
        (route::AUDIT, &Method::GET | &Method::HEAD) => audit::serve(request, &view),
        (route::AUDIT, _) => wrong_method(request, "GET, HEAD", html),
        (route::CONNECTED, &Method::GET | &Method::HEAD) => connected::serve(request, &view),
        (route::CONNECTED, _) => wrong_method(request, "GET, HEAD", html),
        (route::SESSION, &Method::GET) => session::open(request, view, line, caller, house),
        (route::COMMAND, &Method::POST) => command::serve(request, &view).await,
        (route::HEALTH, &Method::GET | &Method::HEAD) => health(house, &view),
        (sign_in::SIGN_OUT, _) => wrong_method(request, "POST", html),
        (route::SESSION, _) => wrong_method(request, "GET", html),
        (route::COMMAND, _) => wrong_method(request, "POST", html),
        (route::HEALTH, _) => wrong_method(request, "GET, HEAD", html),
        _ => {
            refuse(request);
            error::answer(&Error::new(ErrorKind::NotFound), html)
        }
    }
}

fn path_of(request: &Request<Incoming>) -> &str {
    request.uri().path()
}

/// That the server serves, and, to whoever may list the root, what it counted since it started.
fn health(house: &House, view: &View) -> Response<Body> {
    let totals = house.drawer.meters.totals();
    let told = match view.may(Action::List, &Path::root()) {
        true => serde_json::json!({
            "status": "ok",
            "requests": totals.requests,
            "received": totals.written,
            "sent": totals.read,
            "connections": totals.connected,
            "sessions": totals.sessions,
            "uploads": house.drawer.ledger.count(),
        }),
        false => serde_json::json!({ "status": "ok" }),
    };
    let mut text = told.to_string();
    text.push('\n');
    let mut response = Response::new(full(text));
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn wrong_method(request: Request<Incoming>, allow: &'static str, html: Wants) -> Response<Body> {
    refuse(request);
    Refusal::method(allow).answer_as(html)
}

/// Who asks. A browser's session that has ended is a visitor's who only looks.
/// Whoever follows a link comes by the link alone, whoever he is elsewhere.
async fn admit(
    request: &Request<Incoming>,
    link: Option<Zeroizing<String>>,
    origin: Origin,
    house: &House,
) -> Result<Pass> {
    let entrance = &house.drawer.entrance;
    let shown = match (credential(request.headers()), link) {
        (Credential::Password(_, password), Some(link)) => Credential::Share(link, Some(password)),
        (_, Some(link)) => Credential::Share(link, None),
        (shown, None) => shown,
    };
    let by_cookie = matches!(shown, Credential::Cookie(_));
    if by_cookie {
        sign_in::says_its_origin(request)?;
    }
    match house.drawer.admit(shown, origin).await {
        Err(ended) if ended.kind() == ErrorKind::SignInNeeded && by_cookie => {
            match *request.method() {
                Method::GET | Method::HEAD => Ok(entrance.visitor(origin)),
                _ => Err(ended),
            }
        }
        admitted => admitted,
    }
}

/// What somebody shows, by `Authorization: Basic` (RFC 7617) or `Bearer` (RFC 6750), or by the
/// cookie of a browser's session.
fn credential(headers: &HeaderMap) -> Credential {
    let mut fields = headers.get_all(header::AUTHORIZATION).iter();
    let Some(field) = fields.next() else {
        return sign_in::cookie(headers).map_or(Credential::Nothing, Credential::Cookie);
    };
    match fields.next() {
        None => authorization(field).unwrap_or(Credential::Broken),
        Some(_) => Credential::Broken,
    }
}

fn authorization(field: &HeaderValue) -> Option<Credential> {
    let (scheme, rest) = field.to_str().ok()?.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") {
        let token = rest.trim();
        return (!token.is_empty()).then(|| Credential::Bearer(Zeroizing::new(token.to_owned())));
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let bytes = Zeroizing::new(STANDARD.decode(rest.trim()).ok()?);
    let (name, password) = std::str::from_utf8(&bytes).ok()?.split_once(':')?;
    let password = Zeroizing::new(password.to_owned());
    Some(Credential::Password(name.to_owned(), password))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_read_as_the_rfc_has_them() {
        let read = |text: &str| match authorization(&HeaderValue::from_str(text).unwrap()) {
            Some(Credential::Password(name, password)) => Some((name, password.to_string())),
            Some(Credential::Bearer(token)) => Some(("bearer".into(), token.to_string())),
            _ => None,
        };
        let aladdin = Some(("Aladdin".to_owned(), "open sesame".to_owned()));
        assert_eq!(read("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="), aladdin);
        assert_eq!(read("basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="), aladdin);
        let colons = STANDARD.encode("admin:a:b:ç");
        assert_eq!(
            read(&format!("Basic {colons}")),
            Some(("admin".into(), "a:b:ç".into()))
        );
        assert_eq!(read("Bearer abc"), Some(("bearer".into(), "abc".into())));
        for bad in [
            "Basic",
            "Basic ",
            "Basic !!!",
            "Bearer ",
            "Basic YWRtaW4=",
            "Basic /////w==",
        ] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    #[test]
    fn fuzz_cookie_and_token() {
        use crate::drawer::keys::secret::Secret;
        let seeds: [&[u8]; 6] = [
            b"Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
            b"Bearer gvt_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
            b"gvs_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
            b"gaveta=abc; other=1; gaveta=x",
            b"a=b;c",
            b"bearer  x",
        ];
        let words: [&[u8]; 6] = [b"Basic ", b"Bearer ", b"gvt_", b"gvs_", b"; ", b"="];
        gaveta_testkit::fuzz::run("cookie and token", &seeds, &words, |input| {
            if let Ok(text) = std::str::from_utf8(input)
                && let Some(secret) = Secret::parse(text)
            {
                assert!(text.len() == 47 && !format!("{secret:?}").contains(&text[4..]));
                let _ = secret.hash();
            }
            let Ok(value) = HeaderValue::from_bytes(input) else {
                return;
            };
            let mut headers = HeaderMap::new();
            headers.insert(header::COOKIE, value.clone());
            let _ = credential(&headers);
            headers.insert(header::AUTHORIZATION, value);
            // Whoever shows something is never a visitor.
            assert!(!matches!(credential(&headers), Credential::Nothing));
        });
    }
}
