//! The one place where an error becomes an HTTP answer.

use std::error::Error as _;
use std::time::Duration;

use gaveta_core::{Error, ErrorKind};
use gaveta_text::Lang;
use gaveta_wire::body::{ErrorBody, Failure};
use gaveta_wire::header as names;
use http::header::{self, HeaderValue};
use http::request::Parts;
use http::{Response, StatusCode};

use super::base;
use super::body::{Body, full};
use super::headers::prefers_html;
use super::html::{self, Frame, Wants, advice, own_page, shown, texts};
use crate::drawer::guesses::RetryAfter;

/// How long a client that was told "busy" waits when nothing better is known.
const SOON: Duration = Duration::from_secs(5);

/// The status of an error.
///
/// - 412 says that a precondition failed: somebody else's content is there (`Exists`,
///   `VersionMismatch`), so `If-None-Match: *` and `If-Match` (RFC 9110, section 13) answer alike.
/// - 409 says that what lies there does not fit the request (a folder, a link, a mount).
/// - 400 says that what was sent contradicts itself (length, digest, path).
/// - 429 is for an address that asks too often; 503 for a server that is busy or going down.
pub(crate) fn status(error: &Error) -> StatusCode {
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::UnknownUpload => StatusCode::NOT_FOUND,
        ErrorKind::Exists | ErrorKind::VersionMismatch => StatusCode::PRECONDITION_FAILED,
        ErrorKind::NotFolder
        | ErrorKind::IsFolder
        | ErrorKind::NotRegular
        | ErrorKind::NotEmpty
        | ErrorKind::BadMove
        | ErrorKind::Incomplete
        | ErrorKind::UploadLost
        | ErrorKind::OtherMount => StatusCode::CONFLICT,
        ErrorKind::BadPath(_)
        | ErrorKind::DigestMismatch
        | ErrorKind::LengthMismatch
        | ErrorKind::BadRequest
        // Nobody is there to read it; it stands in the log.
        | ErrorKind::Disconnected => StatusCode::BAD_REQUEST,
        ErrorKind::BadRange => StatusCode::RANGE_NOT_SATISFIABLE,
        ErrorKind::NoSpace => StatusCode::INSUFFICIENT_STORAGE,
        ErrorKind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        ErrorKind::ReadOnly | ErrorKind::Denied | ErrorKind::Permission => StatusCode::FORBIDDEN,
        ErrorKind::Insecure => StatusCode::UPGRADE_REQUIRED,
        ErrorKind::Locked => StatusCode::LOCKED,
        ErrorKind::SignInNeeded | ErrorKind::WrongPassword => StatusCode::UNAUTHORIZED,
        ErrorKind::Busy if retry_after(error).is_some() => StatusCode::TOO_MANY_REQUESTS,
        ErrorKind::Busy | ErrorKind::Closing => StatusCode::SERVICE_UNAVAILABLE,
        ErrorKind::Unsupported => StatusCode::NOT_IMPLEMENTED,
        ErrorKind::TimedOut => StatusCode::REQUEST_TIMEOUT,
        ErrorKind::Io => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// Is it the server's fault, or its machine's? So the log warns.
pub(crate) fn is_ours(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Io | ErrorKind::Permission | ErrorKind::NoSpace
    )
}

/// How long this address was asked to wait; none when the server as a whole is busy.
fn retry_after(error: &Error) -> Option<Duration> {
    error
        .source()?
        .downcast_ref::<RetryAfter>()
        .map(|after| after.0)
}

/// The whole answer to an error: status, fields, and a body as JSON
/// ([`Failure`]) or, for who prefers it, a page.
pub(crate) fn answer(error: &Error, wants: impl Into<Wants>) -> Response<Body> {
    answer_with(error, status(error), wants)
}

/// As [`answer`], with a status that only the door can know (421, 415).
pub(crate) fn answer_with(
    error: &Error,
    status: StatusCode,
    wants: impl Into<Wants>,
) -> Response<Body> {
    log(error, status);
    let (kind, text) = match wants.into() {
        Wants::Page(lang) => ("text/html; charset=utf-8", page(lang, status, error)),
        Wants::Json => ("application/json", json(ErrorBody::from(error))),
    };
    let mut response = Response::new(full(text));
    if kind.starts_with("text/html") {
        own_page(response.headers_mut());
    }
    fields(&mut response, error, status);
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

/// Why a request is refused, and the status where the error's own does not say it.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) error: Error,
    pub(super) status: Option<StatusCode>,
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self {
            error,
            status: None,
        }
    }
}

impl Refusal {
    pub(super) fn with(error: Error, status: StatusCode) -> Self {
        Self {
            error,
            status: Some(status),
        }
    }

    pub(super) fn answer(&self, head: &Parts) -> Response<Body> {
        let status = self.status.unwrap_or_else(|| status(&self.error));
        answer_with(&self.error, status, prefers_html(&head.headers))
    }
}

/// The status and fields of an error on a response that has its body already.
pub(crate) fn fields(response: &mut Response<Body>, error: &Error, status: StatusCode) {
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(names::ERROR, HeaderValue::from_static(error.kind().code()));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if status == StatusCode::UPGRADE_REQUIRED && error.kind() == ErrorKind::Insecure {
        // RFC 9110, section 15.5.22: it must name what is wanted.
        headers.insert(
            header::UPGRADE,
            HeaderValue::from_static("TLS/1.3, TLS/1.2"),
        );
        headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    }
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(
            header::WWW_AUTHENTICATE,
            HeaderValue::from_static("Basic realm=\"gaveta\", charset=\"UTF-8\""),
        );
    }
    let wait = match error.kind() {
        ErrorKind::Busy => Some(retry_after(error).unwrap_or(SOON)),
        ErrorKind::Closing => Some(SOON),
        _ => None,
    };
    if let Some(wait) = wait {
        // Never 0: that would say "at once".
        headers.insert(
            header::RETRY_AFTER,
            HeaderValue::from(wait.as_secs().max(1)),
        );
    }
}

fn json(error: ErrorBody) -> String {
    let mut text = serde_json::to_string(&Failure { error }).unwrap_or_default();
    text.push('\n');
    text
}

/// What went wrong, and what somebody can do about it. It says no more than the JSON does: what
/// lies behind our own faults stays in the log.
fn page(lang: Lang, status: StatusCode, error: &Error) -> String {
    let text = texts(lang);
    let body = ErrorBody::from(error);
    let base = base::here();
    let kind = text.kind(error.kind());
    let mut letters = kind.chars();
    let first = letters.next().into_iter().flat_map(char::to_uppercase);
    let title: String = first.chain(letters).collect();
    let why = (error.kind() == ErrorKind::BadRequest).then_some(&body.message);
    let main = maud::html! {
        section.card.trouble {
            (html::icon("alert"))
            h1 { (title) }
            @if let Some(path) = &body.path { p { code { bdi { (shown(path)) } } } }
            @if let Some(why) = why { p lang="en" { (shown(why)) } }
            @if let Some(advice) = advice(text, error.kind()) { p { (advice) } }
            p.links {
                a.button href=(base.link("/")) { (text.say("page-error-home", &[])) }
                @if matches!(error.kind(), ErrorKind::SignInNeeded | ErrorKind::WrongPassword) {
                    a.button href=(base.link("/.gaveta/sign-in")) { (text.say("page-sign-in", &[])) }
                }
            }
            p.quiet-text { (status.as_u16()) " · " code { (body.code) } }
        }
    };
    let frame = Frame {
        lang,
        title: &title,
        who: None,
        folder: None,
        sought: "",
        back: Some("/"),
        base: &base,
    };
    html::page(&frame, &main)
}

/// Our faults at warn, the client's at debug: the request's own line tells of those.
fn log(error: &Error, status: StatusCode) {
    let chain = error.chain();
    let shown = gaveta_text::escape(&chain);
    if is_ours(error) {
        tracing::warn!(target: "gaveta::error", status = status.as_u16(), "{shown}");
    } else {
        tracing::debug!(target: "gaveta::error", status = status.as_u16(), "{shown}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gaveta_core::{Path, PathProblem};
    use http_body_util::BodyExt;

    #[test]
    fn every_error_is_an_error_to_http_too() {
        let all = ErrorKind::ALL.into_iter();
        for kind in all.chain(PathProblem::ALL.into_iter().map(ErrorKind::BadPath)) {
            let response = answer(&Error::new(kind), false);
            assert!(response.status().is_client_error() || response.status().is_server_error());
            assert_eq!(response.headers()[names::ERROR], kind.code());
            let asks = response.headers().contains_key(header::WWW_AUTHENTICATE);
            assert_eq!(asks, response.status() == StatusCode::UNAUTHORIZED);
        }
    }

    #[test]
    fn a_busy_server_is_503_and_a_busy_address_429() {
        let server = answer(&Error::new(ErrorKind::Busy), false);
        assert_eq!(server.status(), StatusCode::SERVICE_UNAVAILABLE);
        let wait = RetryAfter(Duration::from_secs(7));
        let address = answer(&Error::new(ErrorKind::Busy).because(wait), false);
        assert_eq!(address.status(), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(address.headers()[header::RETRY_AFTER], "7");
    }

    #[tokio::test]
    async fn a_page_echoes_no_markup_and_no_secrets() {
        let path = Path::parse("<script>alert(1)</script>").unwrap();
        let error = Error::at(ErrorKind::Io, &path).because("/secret/place");
        let response = answer(&error, true);
        assert!(
            response
                .headers()
                .contains_key(header::CONTENT_SECURITY_POLICY)
        );
        let text = response.into_body().collect().await.unwrap().to_bytes();
        let text = String::from_utf8(text.to_vec()).unwrap();
        assert!(
            text.matches("<script").count() == 1 && text.contains("&lt;script"),
            "{text}"
        );
        assert!(!text.contains("secret"));
    }
}
