//! What a request says that brings content, and how it is answered: the same for a PUT and for an
//! upload.

use std::time::SystemTime;

use gaveta_core::listing::from_nanos;
use gaveta_core::{Entry, Error, ErrorKind, Path, Replace, Result, Store};
use gaveta_wire::body::{EntryBody, time_from_text, time_to_text};
use gaveta_wire::digest::Digests;
use gaveta_wire::header as names;
use gaveta_wire::url;
use http::header::{self, HeaderName};
use http::request::Parts;
use http::{HeaderMap, Response, StatusCode, Version as HttpVersion};
use http_body::Body as _;
use hyper::body::Incoming;

use super::body::{Body, full};
use super::conditional::{Conditions, Verdict, etag};
use super::content::discard;
use super::error::Refusal;
use super::fields;
use crate::drawer::View;

const OC_MTIME: HeaderName = HeaderName::from_static("x-oc-mtime");

/// What was published.
#[derive(Debug)]
pub(super) struct Published {
    pub(super) entry: Entry,
    /// Was nothing there before?
    pub(super) created: bool,
    /// Where it was compared.
    pub(super) sha256: Option<[u8; 32]>,
}

impl Published {
    /// 201 for something new and 200 for something replaced, with the entry as JSON.
    pub(super) fn answer(&self, head: &Parts) -> Response<Body> {
        let entry = &self.entry;
        let mut json = serde_json::to_vec(&EntryBody::from(entry)).unwrap_or_default();
        json.push(b'\n');
        let mut response = Response::new(full(json));
        if self.created {
            *response.status_mut() = StatusCode::CREATED;
            fields::set(
                &mut response,
                header::LOCATION,
                &url::encode(&entry.path, false),
            );
        }
        fields::set(&mut response, header::CONTENT_TYPE, "application/json");
        fields::set(&mut response, header::ETAG, &etag(&entry.version));
        let digests = Digests {
            blake3: entry.digest,
            sha256: self.sha256,
        };
        if let Some(text) = digests.to_field() {
            fields::set(
                &mut response,
                HeaderName::from_static(names::REPR_DIGEST),
                &text,
            );
        }
        if head.headers.contains_key(OC_MTIME) {
            fields::set(&mut response, OC_MTIME, "accepted");
        }
        response
    }
}

/// What an answer says about a published entry: version, digest, modified time, executable.
pub(super) fn describe(response: &mut Response<Body>, entry: &Entry) {
    fields::set(response, header::ETAG, &etag(&entry.version));
    if let Some(text) = entry
        .digest
        .and_then(|digest| Digests::blake3(digest).to_field())
    {
        fields::set(response, HeaderName::from_static(names::REPR_DIGEST), &text);
    }
    let time = time_to_text(entry.modified);
    fields::set(response, HeaderName::from_static(names::MODIFIED), &time);
    let executable = if entry.executable { "?1" } else { "?0" };
    fields::set(
        response,
        HeaderName::from_static(names::EXECUTABLE),
        executable,
    );
}

/// The answer to a refused request that brings content; the rest of its body is read away for a while, for a client that
/// is still sending sees its connection reset otherwise, and never why.
pub(super) fn refused(head: &Parts, refusal: &Refusal, body: Option<Incoming>) -> Response<Body> {
    let mut response = refusal.answer(head);
    if refusal.status == Some(StatusCode::UNSUPPORTED_MEDIA_TYPE) {
        // RFC 9110, section 15.5.16: what would have been taken.
        fields::set(&mut response, header::ACCEPT_ENCODING, "identity");
    }
    let unread = body.as_ref().is_none_or(|body| !body.is_end_stream());
    if unread && head.version < HttpVersion::HTTP_2 {
        fields::set(&mut response, header::CONNECTION, "close");
    }
    if let Some(body) = body {
        discard(body);
    }
    response
}

/// What is at the target, if anything.
pub(super) async fn there(view: &View, target: &Path) -> Result<Option<Entry>> {
    match view.stat(target).await {
        Ok(entry) => Ok(Some(entry)),
        // A file where a folder would have to be: `begin` says so. Who may not know what is there
        // is told nothing.
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::NotFound
                    | ErrorKind::NotFolder
                    | ErrorKind::Denied
                    | ErrorKind::SignInNeeded
            ) =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// What the conditions allow to be replaced at the target.
///
/// # Errors
/// `VersionMismatch` when they do not hold now.
pub(super) async fn replace(headers: &HeaderMap, view: &View, target: &Path) -> Result<Replace> {
    let conditions = Conditions::parse(headers, false)?;
    if !conditions.any() {
        return Ok(Replace::Always);
    }
    if conditions.only_new() {
        return Ok(Replace::Never);
    }
    let current = there(view, target).await?;
    match conditions.verdict(current.as_ref(), false) {
        Verdict::Proceed => Ok(conditions.pin(current.as_ref())),
        Verdict::NotModified | Verdict::Failed => {
            Err(Error::at(ErrorKind::VersionMismatch, target))
        }
    }
}

/// Content is stored as it comes: one that is encoded would be stored encoded.
pub(super) fn identity(headers: &HeaderMap) -> Result<(), Refusal> {
    let transfer = fields::list(headers, &header::TRANSFER_ENCODING)?.unwrap_or_default();
    let framing = |coding: &str| coding.is_empty() || coding.eq_ignore_ascii_case("chunked");
    if !transfer.split(',').all(|coding| framing(coding.trim())) {
        let error =
            Error::new(ErrorKind::Unsupported).because("a Transfer-Encoding other than chunked");
        return Err(Refusal::with(error, StatusCode::NOT_IMPLEMENTED));
    }
    let field = fields::list(headers, &header::CONTENT_ENCODING)?.unwrap_or_default();
    let plain = |coding: &str| coding.is_empty() || coding.eq_ignore_ascii_case("identity");
    if field.split(',').all(|coding| plain(coding.trim())) {
        return Ok(());
    }
    let error =
        Error::new(ErrorKind::Unsupported).because("a Content-Encoding other than identity");
    Err(Refusal::with(error, StatusCode::UNSUPPORTED_MEDIA_TYPE))
}

/// A number of bytes: digits alone, and no more than 64 bits hold.
///
/// # Errors
/// `BadRequest`.
pub(super) fn number(headers: &HeaderMap, name: &HeaderName) -> Result<Option<u64>> {
    let Some(text) = fields::sole(headers, name)? else {
        return Ok(None);
    };
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse() {
        Ok(number) if digits => Ok(Some(number)),
        _ => Err(Error::bad_request(format!(
            "{name} is not a number of bytes"
        ))),
    }
}

/// The declared length, by `Content-Length` or `Upload-Length`.
pub(super) fn length(headers: &HeaderMap) -> Result<Option<u64>> {
    let content = number(headers, &header::CONTENT_LENGTH)?;
    let upload = number(headers, &HeaderName::from_static(names::UPLOAD_LENGTH))?;
    match (content, upload) {
        (Some(a), Some(b)) if a != b => Err(Error::bad_request(
            "Content-Length and Upload-Length differ",
        )),
        (content, upload) => Ok(content.or(upload)),
    }
}

/// The modified time: to the nanosecond by ours, to the second by `X-OC-Mtime`.
pub(super) fn modified(headers: &HeaderMap) -> Result<Option<SystemTime>> {
    if let Some(text) = fields::sole(headers, &HeaderName::from_static(names::MODIFIED))? {
        return time_from_text(text).map(Some);
    }
    let Some(text) = fields::sole(headers, &OC_MTIME)? else {
        return Ok(None);
    };
    // Some clients send a fraction; a whole second is what the field promises.
    let whole = text.split_once('.').map_or(text, |(whole, _)| whole);
    whole
        .parse::<i64>()
        .ok()
        .and_then(|seconds| from_nanos(i128::from(seconds).checked_mul(1_000_000_000)?))
        .map(Some)
        .ok_or_else(|| Error::bad_request("X-OC-Mtime is not a number of seconds"))
}

/// `Gaveta-Executable`.
///
/// # Errors
/// `BadRequest`.
pub(super) fn executable(headers: &HeaderMap) -> Result<Option<bool>> {
    match fields::sole(headers, &HeaderName::from_static(names::EXECUTABLE))? {
        None => Ok(None),
        Some("?1") => Ok(Some(true)),
        Some("?0") => Ok(Some(false)),
        Some(_) => Err(Error::bad_request("gaveta-executable is ?1 or ?0")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use std::time::{Duration, UNIX_EPOCH};

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in pairs {
            map.append(*name, HeaderValue::from_static(value));
        }
        map
    }

    #[test]
    fn lengths_agree_or_are_refused() {
        assert_eq!(length(&headers(&[])).unwrap(), None);
        assert_eq!(
            length(&headers(&[("upload-length", "7")])).unwrap(),
            Some(7)
        );
        let both = [("content-length", "7"), ("upload-length", "7")];
        assert_eq!(length(&headers(&both)).unwrap(), Some(7));
        for bad in [
            &[("content-length", "7"), ("upload-length", "8")][..],
            &[("upload-length", "-1")],
            &[("upload-length", "+1")],
            &[("upload-length", "")],
            &[("upload-length", "18446744073709551616")],
            &[("upload-length", "7"), ("upload-length", "7")],
        ] {
            assert_eq!(
                length(&headers(bad)).unwrap_err().kind(),
                ErrorKind::BadRequest,
                "{bad:?}"
            );
        }
    }

    #[test]
    fn times_come_in_two_ways() {
        let at = |seconds| Some(UNIX_EPOCH + Duration::from_secs(seconds));
        assert_eq!(modified(&headers(&[])).unwrap(), None);
        assert_eq!(modified(&headers(&[("x-oc-mtime", "12")])).unwrap(), at(12));
        assert_eq!(
            modified(&headers(&[("x-oc-mtime", "12.75")])).unwrap(),
            at(12)
        );
        let both = [
            ("x-oc-mtime", "12"),
            ("gaveta-modified", "1970-01-01T00:00:13Z"),
        ];
        assert_eq!(modified(&headers(&both)).unwrap(), at(13));
        for bad in [
            ("x-oc-mtime", "soon"),
            ("x-oc-mtime", "99999999999999999999"),
            ("gaveta-modified", "yesterday"),
        ] {
            assert!(modified(&headers(&[bad])).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn only_plain_content_is_taken() {
        for good in ["identity", "Identity", "", " , identity"] {
            assert!(
                identity(&headers(&[("content-encoding", good)])).is_ok(),
                "{good}"
            );
        }
        for bad in ["gzip", "identity, br"] {
            let refusal = identity(&headers(&[("content-encoding", bad)])).unwrap_err();
            assert_eq!(
                refusal.status,
                Some(StatusCode::UNSUPPORTED_MEDIA_TYPE),
                "{bad}"
            );
        }
    }

    #[test]
    fn executable_is_a_boolean() {
        assert_eq!(
            executable(&headers(&[("gaveta-executable", "?1")])).unwrap(),
            Some(true)
        );
        assert_eq!(
            executable(&headers(&[("gaveta-executable", "?0")])).unwrap(),
            Some(false)
        );
        assert!(executable(&headers(&[("gaveta-executable", "yes")])).is_err());
    }
}
