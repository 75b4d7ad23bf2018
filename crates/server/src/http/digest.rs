//! Digests of what is read and of what arrives.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures_core::Stream;
use futures_util::TryStreamExt;
use gaveta_core::{Content, Error, ErrorKind, Hasher, Reading, Result, Upload};
use gaveta_wire::digest::{Digests, Wanted};
use gaveta_wire::header as names;
use http::HeaderMap;
use http::header::HeaderName;
use sha2::{Digest as _, Sha256};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::fields;

/// How many files are hashed at once because somebody wants a digest that is not known. All
/// servers of a process share its processors.
static HASHING: Semaphore = Semaphore::const_new(2);
/// How long a wish for a digest waits for its turn before it is passed over.
const TURN: Duration = Duration::from_secs(30);
/// What is hashed between two looks at what else is to be done.
const STEP: usize = 128 * 1024;
/// What is read back at once.
const READ_BACK: u64 = 1024 * 1024;

/// The wanted digests of a pinned file, by reading it through. None when nothing is wanted, when
/// it cannot be read, or when too many are being hashed: a wish is only advice.
pub(super) async fn of_reading(reading: &Arc<dyn Reading>, wanted: Wanted) -> Option<Digests> {
    if wanted == Wanted::default() {
        return None;
    }
    let turn = timeout(TURN, HASHING.acquire()).await;
    let _turn = turn.ok()?.ok()?;
    let mut blake3 = wanted.blake3.then(Hasher::new);
    let mut sha256 = wanted.sha256.then(Sha256::new);
    let mut content = reading.stream(0..reading.entry().size);
    while let Some(bytes) = content.try_next().await.ok()? {
        for step in bytes.chunks(STEP) {
            if let Some(blake3) = &mut blake3 {
                blake3.update(step);
            }
            if let Some(sha256) = &mut sha256 {
                sha256.update(step);
            }
            tokio::task::yield_now().await;
        }
    }
    Some(Digests {
        blake3: blake3.map(|blake3| blake3.digest()),
        sha256: sha256.map(|sha256| sha256.finalize().into()),
    })
}

/// Which digests the fields (or trailers) of a message promise. Without a `Content-Encoding` and
/// a `Content-Range`, `Content-Digest` and `Repr-Digest` are of the same bytes.
///
/// # Errors
/// `BadRequest` for what cannot be read; `DigestMismatch` when two promises contradict each other.
pub(super) fn promised(headers: &HeaderMap) -> Result<Digests> {
    [names::REPR_DIGEST, names::CONTENT_DIGEST]
        .into_iter()
        .try_fold(Digests::default(), |sum, name| {
            match fields::list(headers, &HeaderName::from_static(name))? {
                Some(field) => both(sum, Digests::parse(&field)?),
                None => Ok(sum),
            }
        })
}

/// Both promises.
///
/// # Errors
/// `DigestMismatch` when they contradict each other: no content can keep both.
pub(super) fn both(a: Digests, b: Digests) -> Result<Digests> {
    fn one<T: PartialEq>(a: Option<T>, b: Option<T>) -> Result<Option<T>> {
        match (a, b) {
            (Some(a), Some(b)) if a != b => Err(Error::new(ErrorKind::DigestMismatch)),
            (a, b) => Ok(a.or(b)),
        }
    }
    Ok(Digests {
        blake3: one(a.blake3, b.blake3)?,
        sha256: one(a.sha256, b.sha256)?,
    })
}

/// Does the `Trailer` field announce a digest? (RFC 9110, section 6.6.2.)
pub(super) fn announced(headers: &HeaderMap) -> bool {
    let Ok(Some(field)) = fields::list(headers, &http::header::TRAILER) else {
        return false;
    };
    field.split(',').map(str::trim).any(|name| {
        name.eq_ignore_ascii_case(names::REPR_DIGEST)
            || name.eq_ignore_ascii_case(names::CONTENT_DIGEST)
    })
}

/// What is known of a content that passed through [`watch`].
#[derive(Debug, Clone)]
pub(super) struct Passed(Arc<Mutex<Tally>>);

#[derive(Debug)]
struct Tally {
    bytes: u64,
    ended: bool,
    sha256: Option<Sha256>,
}

/// The content as it is, counted on its way, hashed as SHA-256 if asked to, and ended with
/// `TooLarge` past `limit` bytes.
pub(super) fn watch(content: Content, limit: Option<u64>, sha256: bool) -> (Content, Passed) {
    let sha256 = sha256.then(Sha256::new);
    let passed = Passed(Arc::new(Mutex::new(Tally {
        bytes: 0,
        ended: false,
        sha256,
    })));
    let limit = limit.unwrap_or(u64::MAX);
    (
        Box::pin(Watched {
            content,
            limit,
            passed: passed.clone(),
        }),
        passed,
    )
}

impl Passed {
    fn tally(&self) -> MutexGuard<'_, Tally> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many bytes passed.
    pub(super) fn bytes(&self) -> u64 {
        self.tally().bytes
    }

    /// Did the content end by itself, and not with an error?
    pub(super) fn ended(&self) -> bool {
        self.tally().ended
    }

    /// The SHA-256 of what passed and was written to this upload: from the way, or else read back.
    ///
    /// # Errors
    /// What reading back fails with.
    pub(super) async fn sha256(&self, upload: &dyn Upload) -> Result<[u8; 32]> {
        let (end, hashed) = {
            let mut tally = self.tally();
            (tally.bytes, tally.sha256.take())
        };
        if let Some(hashed) = hashed {
            return Ok(hashed.finalize().into());
        }
        let mut sha256 = Sha256::new();
        let mut at = 0;
        while at < end {
            let next = end.min(at.saturating_add(READ_BACK));
            for step in upload.read(at..next).await?.chunks(STEP) {
                sha256.update(step);
                tokio::task::yield_now().await;
            }
            at = next;
        }
        Ok(sha256.finalize().into())
    }
}

struct Watched {
    content: Content,
    limit: u64,
    passed: Passed,
}

impl Stream for Watched {
    type Item = Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = ready!(self.content.as_mut().poll_next(cx));
        let mut tally = self.passed.tally();
        Poll::Ready(match next {
            Some(Ok(bytes)) => {
                tally.bytes = tally.bytes.saturating_add(bytes.len() as u64);
                if tally.bytes > self.limit {
                    Some(Err(Error::new(ErrorKind::TooLarge)))
                } else {
                    if let Some(sha256) = &mut tally.sha256 {
                        sha256.update(&bytes);
                    }
                    Some(Ok(bytes))
                }
            }
            None => {
                tally.ended = true;
                None
            }
            error => error,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gaveta_core::Digest;
    use gaveta_testkit::{collect, stream_of};
    use http::HeaderValue;

    fn headers(pairs: &[(&'static str, String)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in pairs {
            map.append(*name, HeaderValue::from_str(value).unwrap());
        }
        map
    }

    fn field(content: &[u8]) -> String {
        let sha256: [u8; 32] = Sha256::digest(content).into();
        Digests {
            blake3: Some(Digest::of(content)),
            sha256: Some(sha256),
        }
        .to_field()
        .unwrap()
    }

    #[test]
    fn promises_add_up_or_contradict() {
        assert!(promised(&HeaderMap::new()).unwrap().is_empty());
        let same = headers(&[
            ("repr-digest", field(b"a")),
            ("content-digest", field(b"a")),
        ]);
        assert_eq!(promised(&same).unwrap().blake3, Some(Digest::of(b"a")));
        let other = headers(&[
            ("repr-digest", field(b"a")),
            ("content-digest", field(b"b")),
        ]);
        assert_eq!(
            promised(&other).unwrap_err().kind(),
            ErrorKind::DigestMismatch
        );
        let unknown = headers(&[("repr-digest", "md5=:AAAA:".to_owned())]);
        assert!(promised(&unknown).unwrap().is_empty());
        let bad = headers(&[("content-digest", "blake3=:AAAA:".to_owned())]);
        assert_eq!(promised(&bad).unwrap_err().kind(), ErrorKind::BadRequest);
    }

    #[test]
    fn trailers_are_announced() {
        let says = |text: &str| announced(&headers(&[("trailer", text.to_owned())]));
        assert!(says("Repr-Digest") && says("x, content-digest"));
        assert!(!says("x") && !announced(&HeaderMap::new()));
    }

    #[tokio::test]
    async fn what_passes_is_counted_and_bounded() {
        let (content, passed) = watch(stream_of(&b"abcdef"[..], 4), Some(6), false);
        assert!(!passed.ended());
        assert_eq!(collect(content).await.unwrap(), b"abcdef");
        assert!(passed.ended());
        assert_eq!(passed.bytes(), 6);
        let (content, passed) = watch(stream_of(&b"abcdefg"[..], 4), Some(6), false);
        assert_eq!(
            collect(content).await.unwrap_err().kind(),
            ErrorKind::TooLarge
        );
        assert!(!passed.ended());
    }
}
