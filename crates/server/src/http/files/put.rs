//! PUT: new content, whole or not at all.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::SystemTime;

use bytes::Bytes;
use gaveta_core::listing::from_nanos;
use gaveta_core::{
    Check, Entry, Error, ErrorKind, Path, Replace, Result, Seal, Store, Upload, WritePlan,
};
use gaveta_wire::body::{EntryBody, time_from_text};
use gaveta_wire::digest::Digests;
use gaveta_wire::header as names;
use gaveta_wire::url;
use http::header::{self, HeaderName};
use http::request::Parts;
use http::{HeaderMap, Response, StatusCode, Version as HttpVersion};
use http_body::{Body as _, Frame, SizeHint};
use hyper::body::Incoming;

use super::conditional::{Conditions, Verdict, etag};
use super::{Asked, Refusal, asked, digest, fields};
use crate::drawer::View;
use crate::http::FilesSettings;
use crate::http::body::{Body, full};
use crate::http::content::{discard, request_content};

const OC_MTIME: HeaderName = HeaderName::from_static("x-oc-mtime");

/// Stores the body at the target.
///
/// 201 for something new and 200 for something replaced, each with the entry as JSON, once it is
/// durable. In every other case the drawer is as it was. What can be refused is refused before
/// the body is read.
pub(super) async fn put(
    head: &Parts,
    body: Incoming,
    view: &View,
    settings: &FilesSettings,
) -> Response<Body> {
    let begun = match asked(head, view) {
        Ok(asked) => Begun::new(&asked, settings).await,
        Err(error) => Err(error.into()),
    };
    let begun = match begun {
        Ok(begun) => begun,
        Err(refusal) => {
            // Whoever waits for "100 Continue" sends nothing more: reading would invite the body.
            let unasked = !head.headers.contains_key(header::EXPECT);
            return refused(head, refusal, Some(body).filter(|_| unasked));
        }
    };
    let home = Home::default();
    let stored = begun
        .receive(
            view,
            Lent {
                body: Some(body),
                home: home.clone(),
            },
        )
        .await;
    match stored {
        Ok(stored) => answer(head, &stored),
        Err(error) => {
            // Dropped, it would go too; this way it is gone before the client is told.
            let _ = begun.upload.discard().await;
            refused(head, error.into(), home.take())
        }
    }
}

/// The answer to a refused PUT; the rest of its body is read away for a while, for a client that
/// is still sending sees its connection reset otherwise, and never why.
fn refused(head: &Parts, refusal: Refusal, body: Option<Incoming>) -> Response<Body> {
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

fn answer(head: &Parts, stored: &Stored) -> Response<Body> {
    let entry = &stored.entry;
    let mut json = serde_json::to_vec(&EntryBody::from(entry)).unwrap_or_default();
    json.push(b'\n');
    let mut response = Response::new(full(json));
    if stored.created {
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
        sha256: stored.sha256,
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

#[derive(Debug)]
struct Stored {
    entry: Entry,
    created: bool,
    /// Where it was compared.
    sha256: Option<[u8; 32]>,
}

/// A PUT whose head is good.
#[derive(Debug)]
struct Begun {
    upload: Arc<dyn Upload>,
    target: Path,
    replace: Replace,
    length: Option<u64>,
    limit: Option<u64>,
    promised: Digests,
    /// Is SHA-256 to be computed on the way?
    sha256: bool,
}

impl Begun {
    async fn new(asked: &Asked<'_>, settings: &FilesSettings) -> Result<Self, Refusal> {
        let headers = &asked.head.headers;
        let target = asked.path();
        if asked.target.folder {
            let why = "a PUT stores a file; a folder is made by the command make-folder, \
                       or with the first file in it";
            return Err(Error::bad_request(why).about(target).into());
        }
        identity(headers)?;
        if headers.contains_key(header::CONTENT_RANGE) {
            // RFC 9110, section 14.5: else a part would replace the whole.
            return Err(Error::bad_request("a PUT stores the whole, not a Content-Range").into());
        }
        let length = length(headers)?;
        let limit = settings.max_file_size;
        if length.is_some_and(|length| limit.is_some_and(|limit| length > limit)) {
            return Err(Error::at(ErrorKind::TooLarge, target).into());
        }
        let promised = digest::promised(headers)?;
        let replace = replace(asked).await?;
        let plan = WritePlan {
            length,
            replace: replace.clone(),
            modified: modified(headers)?,
            executable: executable(headers)?,
            ..WritePlan::new(target.clone(), asked.view.account().owner())
        };
        let upload = asked.view.begin(plan).await?;
        let sha256 = promised.sha256.is_some() || digest::announced(headers);
        Ok(Self {
            upload,
            target: target.clone(),
            replace,
            length,
            limit,
            promised,
            sha256,
        })
    }

    /// Takes the content in, compares it with all that was promised, and publishes it.
    async fn receive(&self, view: &View, body: Lent) -> Result<Stored> {
        let (content, trailers) = request_content(body);
        let (content, passed) = digest::watch(content, self.limit, self.sha256);
        let kept = self.upload.write(0, content, Check::None).await?;
        let declared = self.length.unwrap_or(kept);
        if !passed.ended() || kept != passed.bytes() || kept != declared {
            return Err(Error::at(ErrorKind::LengthMismatch, &self.target));
        }
        let late = trailers
            .take()
            .map(|late| digest::promised(&late))
            .transpose()?;
        let promised = digest::both(self.promised, late.unwrap_or_default())?;
        let sha256 = match promised.sha256 {
            Some(sha256) if self.sha256_of(&passed).await? != sha256 => {
                return Err(Error::at(ErrorKind::DigestMismatch, &self.target));
            }
            sha256 => sha256,
        };
        let created = self.creates(view).await?;
        let seal = Seal {
            length: Some(kept),
            digest: promised.blake3,
        };
        let entry = self.upload.commit(seal).await?;
        Ok(Stored {
            entry,
            created,
            sha256,
        })
    }

    async fn sha256_of(&self, passed: &digest::Passed) -> Result<[u8; 32]> {
        passed.sha256(self.upload.as_ref()).await
    }

    /// Will the commit make something new? Where the plan leaves both open, somebody else may make
    /// or remove it in the very moment: then the status is late by that moment, nothing else.
    async fn creates(&self, view: &View) -> Result<bool> {
        match &self.replace {
            Replace::Never => Ok(true),
            Replace::Only(_) => Ok(false),
            Replace::Always => Ok(there(view, &self.target).await?.is_none()),
        }
    }
}

/// What is at the target, if anything.
async fn there(view: &View, target: &Path) -> Result<Option<Entry>> {
    match view.stat(target).await {
        Ok(entry) => Ok(Some(entry)),
        // A file where a folder would have to be: `begin` says so.
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotFolder) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// What the conditions allow to be replaced.
async fn replace(asked: &Asked<'_>) -> Result<Replace> {
    let conditions = Conditions::parse(&asked.head.headers, false)?;
    if !conditions.any() {
        return Ok(Replace::Always);
    }
    if conditions.only_new() {
        return Ok(Replace::Never);
    }
    let current = there(asked.view, asked.path()).await?;
    match conditions.verdict(current.as_ref(), false) {
        Verdict::Proceed => Ok(conditions.pin(current.as_ref())),
        Verdict::NotModified | Verdict::Failed => {
            Err(Error::at(ErrorKind::VersionMismatch, asked.path()))
        }
    }
}

/// Content is stored as it comes: one that is encoded would be stored encoded. A transfer coding
/// other than `chunked` is 501 (RFC 9112, section 6.1).
fn identity(headers: &HeaderMap) -> Result<(), Refusal> {
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

/// The declared length, by `Content-Length` or `Upload-Length`.
fn length(headers: &HeaderMap) -> Result<Option<u64>> {
    let number = |name: &HeaderName| -> Result<Option<u64>> {
        let Some(text) = fields::sole(headers, name)? else {
            return Ok(None);
        };
        if !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(Error::bad_request(format!(
                "{name} is not a number of bytes"
            )));
        }
        text.parse()
            .map(Some)
            .map_err(|_| Error::bad_request(format!("{name} is not a number of bytes")))
    };
    let content = number(&header::CONTENT_LENGTH)?;
    let upload = number(&HeaderName::from_static(names::UPLOAD_LENGTH))?;
    match (content, upload) {
        (Some(a), Some(b)) if a != b => Err(Error::bad_request(
            "Content-Length and Upload-Length differ",
        )),
        (content, upload) => Ok(content.or(upload)),
    }
}

/// The modified time: to the nanosecond by ours, to the second by `X-OC-Mtime`.
fn modified(headers: &HeaderMap) -> Result<Option<SystemTime>> {
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

fn executable(headers: &HeaderMap) -> Result<Option<bool>> {
    match fields::sole(headers, &HeaderName::from_static(names::EXECUTABLE))? {
        None => Ok(None),
        Some("?1") => Ok(Some(true)),
        Some("?0") => Ok(Some(false)),
        Some(_) => Err(Error::bad_request("gaveta-executable is ?1 or ?0")),
    }
}

/// Where a lent body comes back to.
#[derive(Debug, Clone, Default)]
struct Home(Arc<Mutex<Option<Incoming>>>);

impl Home {
    fn take(&self) -> Option<Incoming> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// A body lent to the store; dropped, it comes back, so that what was not read can be read away.
#[derive(Debug)]
struct Lent {
    body: Option<Incoming>,
    home: Home,
}

impl http_body::Body for Lent {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match &mut self.body {
            Some(body) => Pin::new(body).poll_frame(cx),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body
            .as_ref()
            .is_none_or(http_body::Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body
            .as_ref()
            .map_or_else(SizeHint::default, http_body::Body::size_hint)
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let mut home = self.home.0.lock().unwrap_or_else(PoisonError::into_inner);
        *home = self.body.take();
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
