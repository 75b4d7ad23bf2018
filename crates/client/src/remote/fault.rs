//! The one place where answers and failures of the line become errors.

use std::error::Error as StdError;
use std::io;

use bytes::Bytes;
use gaveta_core::{Digest, Entry, Error, ErrorKind, Path, Result, Version};
use gaveta_wire::body::{EntryBody, Failure, time_from_text};
use gaveta_wire::digest::Digests;
use gaveta_wire::header;
use gaveta_wire::session::AnswerBody;
use http::{HeaderMap, StatusCode};

use super::connector::{Elsewhere, NoHandshake};
use super::trust::Untrusted;

/// An error the server told, and whether it told it as a Gaveta server does.
pub(super) struct Refusal {
    pub(super) error: Error,
    pub(super) known: bool,
}

/// What an answer that is no success says: by its body's code, by its header's code, else by its
/// status alone.
pub(super) fn refusal(status: StatusCode, headers: &HeaderMap, body: &Bytes) -> Refusal {
    if let Ok(failure) = serde_json::from_slice::<Failure>(body) {
        return Refusal {
            error: Error::from(failure.error),
            known: true,
        };
    }
    let code = headers
        .get(header::ERROR)
        .and_then(|value| value.to_str().ok());
    if let Some(kind) = code.and_then(ErrorKind::from_code) {
        return Refusal {
            error: Error::new(kind),
            known: true,
        };
    }
    let error = Error::new(kind_of(status)).because(format!("the server answered {status}"));
    Refusal {
        error,
        known: false,
    }
}

/// The nearest kind for a status (RFC 9110, section 15; RFC 4918, section 11) without a code.
fn kind_of(status: StatusCode) -> ErrorKind {
    match status.as_u16() {
        401 => ErrorKind::SignInNeeded,
        403 => ErrorKind::Denied,
        404 | 410 => ErrorKind::NotFound,
        405 | 501 | 505 => ErrorKind::Unsupported,
        408 | 504 => ErrorKind::TimedOut,
        409 => ErrorKind::Exists,
        412 => ErrorKind::VersionMismatch,
        413 => ErrorKind::TooLarge,
        416 => ErrorKind::BadRange,
        423 => ErrorKind::Locked,
        426 => ErrorKind::Insecure,
        429 | 503 => ErrorKind::Busy,
        507 => ErrorKind::NoSpace,
        500..=599 => ErrorKind::Io,
        _ => ErrorKind::BadRequest,
    }
}

/// The server said something that makes no sense.
pub(super) fn nonsense(why: impl Into<String>) -> Error {
    Error::bad_request(format!(
        "the server's answer makes no sense: {}",
        why.into()
    ))
}

/// An answer of the wrong form.
pub(super) fn odd_answer(answer: &AnswerBody) -> Error {
    let form = match answer {
        AnswerBody::Done => "done",
        AnswerBody::Entry(_) => "entry",
        AnswerBody::Page { .. } => "page",
        AnswerBody::Space { .. } => "space",
        AnswerBody::Trash { .. } => "trash",
        AnswerBody::TrashState(_) => "trash-state",
        AnswerBody::Purged { .. } => "purged",
        AnswerBody::Verify(_) => "verify",
        AnswerBody::Account(_) => "account",
        AnswerBody::Help { .. } => "help",
        AnswerBody::Pong => "pong",
    };
    nonsense(format!("unexpected answer {form:?}"))
}

/// What an error of the HTTP library is: the line was lost, a deadline passed, or what answers
/// does not speak HTTP. Of its causes only the innermost is told: the others are the library's.
pub(super) fn from_line(error: impl StdError + Send + Sync + 'static) -> Error {
    of_connection(&error)
}

/// As [`from_line`]. What the handshake had to say stays what it is.
pub(super) fn of_connection(error: &(dyn StdError + 'static)) -> Error {
    let mut kind = ErrorKind::Disconnected;
    let mut next: Option<&(dyn StdError + 'static)> = Some(error);
    let mut innermost = String::new();
    while let Some(cause) = next {
        innermost = cause.to_string();
        if let Some(untrusted) = cause.downcast_ref::<Untrusted>() {
            return Error::new(ErrorKind::Insecure).because(untrusted.clone());
        }
        if let Some(elsewhere) = cause.downcast_ref::<Elsewhere>() {
            return Error::new(ErrorKind::Insecure).because(*elsewhere);
        }
        if let Some(failed) = cause.downcast_ref::<NoHandshake>() {
            return Error::new(ErrorKind::Insecure).because(failed.clone());
        }
        if let Some(os) = cause.downcast_ref::<io::Error>() {
            if os.kind() == io::ErrorKind::TimedOut {
                kind = ErrorKind::TimedOut;
            }
        } else if let Some(http) = cause.downcast_ref::<hyper::Error>() {
            if http.is_parse() && !http.is_incomplete_message() {
                kind = ErrorKind::Unsupported;
            } else if http.is_timeout() {
                kind = ErrorKind::TimedOut;
            }
        }
        next = cause.source();
    }
    Error::new(kind).because(innermost)
}

/// An entry from its JSON body, which must be the one at `path`.
pub(super) fn entry_at(body: EntryBody, path: &Path) -> Result<Entry> {
    let entry = Entry::try_from(body)
        .map_err(|error| nonsense(format!("a bad entry: {}", error.chain())))?;
    if entry.path != *path {
        return Err(nonsense("an entry that was not asked for").about(path));
    }
    Ok(entry)
}

/// The strong ETag of an answer (RFC 9110, section 8.8.3).
pub(super) fn version_of(headers: &HeaderMap) -> Option<Version> {
    let tag = headers.get(http::header::ETAG)?.to_str().ok()?;
    Version::parse(tag.strip_prefix('"')?.strip_suffix('"')?)
}

/// The BLAKE3 digest an answer promises; what cannot be read promises nothing.
pub(super) fn digest_of(headers: &HeaderMap) -> Option<Digest> {
    let field = headers.get(header::REPR_DIGEST)?.to_str().ok()?;
    Digests::parse(field).ok()?.blake3
}

/// A file's entry from the headers of a `GET`.
pub(super) fn entry_of(headers: &HeaderMap, path: &Path, size: u64) -> Result<Entry> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let version = version_of(headers).ok_or_else(|| nonsense("no ETag").about(path))?;
    let modified = text(header::MODIFIED)
        .ok_or_else(|| nonsense("no modified time").about(path))
        .and_then(|text| time_from_text(text).map_err(|_| nonsense("a bad modified time")))?;
    Ok(Entry {
        path: path.clone(),
        kind: gaveta_core::Kind::File,
        size,
        modified,
        version,
        digest: digest_of(headers),
        executable: text(header::EXECUTABLE) == Some("?1"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn a_code_goes_before_a_status() {
        let body = Bytes::from_static(
            br#"{"error":{"code":"exists","message":"already there","path":"/a"}}"#,
        );
        let refused = refusal(StatusCode::PRECONDITION_FAILED, &HeaderMap::new(), &body);
        assert!(refused.known);
        assert_eq!(
            (refused.error.kind(), refused.error.path()),
            (ErrorKind::Exists, Some("/a"))
        );

        let mut headers = HeaderMap::new();
        headers.insert(header::ERROR, HeaderValue::from_static("no-space"));
        let refused = refusal(StatusCode::BAD_GATEWAY, &headers, &Bytes::new());
        assert_eq!(refused.error.kind(), ErrorKind::NoSpace);

        let html = Bytes::from_static(b"<html>nginx</html>");
        let refused = refusal(StatusCode::NOT_FOUND, &HeaderMap::new(), &html);
        assert!(!refused.known);
        assert_eq!(refused.error.kind(), ErrorKind::NotFound);
    }

    #[test]
    fn every_status_has_a_kind() {
        for status in 100..1000 {
            let status = StatusCode::from_u16(status).unwrap();
            let refused = refusal(status, &HeaderMap::new(), &Bytes::new());
            assert!(refused.error.chain().contains(status.as_str()));
        }
    }

    #[test]
    fn an_entry_of_another_path_is_refused() {
        let body = |path: &str| EntryBody {
            path: path.into(),
            kind: "file".into(),
            size: 0,
            modified: "1970-01-01T00:00:00Z".into(),
            version: "v".into(),
            digest: None,
            executable: false,
        };
        let path = Path::parse("a").unwrap();
        assert!(entry_at(body("a"), &path).is_ok());
        for bad in ["b", "a/b", "../a", "/a", "", "a\nb", ".gaveta"] {
            let error = entry_at(body(bad), &path).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::BadRequest, "{bad:?}");
        }
    }

    #[test]
    fn only_strong_tags_name_a_version() {
        let tagged = |tag: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(http::header::ETAG, HeaderValue::from_static(tag));
            version_of(&headers)
        };
        assert_eq!(tagged("\"v1\"").unwrap().as_str(), "v1");
        for bad in ["v1", "W/\"v1\"", "\"\"", "\"a\"b\"", "\""] {
            assert_eq!(tagged(bad), None, "{bad}");
        }
    }
}
