//! `Upload-Checksum`: a digest of one PATCH's content (tus 1.0.0, checksum).

use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt, TryStreamExt, stream};
use gaveta_core::{
    Check, Content, Digest, Error, ErrorKind, OnDrop, Path, Result, Store, WritePlan,
};
use http::header::HeaderName;
use http::{HeaderMap, StatusCode};
use sha1::Sha1;
use sha2::{Digest as _, Sha256};

use super::Open;
use crate::drawer::View;
use crate::http::error::Refusal;
use crate::http::fields;

const UPLOAD_CHECKSUM: HeaderName = HeaderName::from_static("upload-checksum");

/// The algorithms, as OPTIONS tells them.
pub(super) const ALGORITHMS: &str = "sha1,sha256,blake3";

/// What is held in memory of a content that must be whole before it may be kept. What is longer
/// is set aside in the store.
const HELD: usize = 64 * 1024;
/// What is read back of it at once.
const STEP: u64 = 256 * 1024;
/// A promise about a content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Promise {
    Sha1([u8; 20]),
    Sha256([u8; 32]),
    Blake3(Digest),
}

/// Reads `Upload-Checksum`.
///
/// # Errors
/// `BadRequest` for an algorithm that is not offered, or a digest of another length.
pub(super) fn promised(headers: &HeaderMap) -> Result<Option<Promise>> {
    let Some(text) = fields::sole(headers, &UPLOAD_CHECKSUM)? else {
        return Ok(None);
    };
    let bad = || Error::bad_request("Upload-Checksum is an algorithm and a digest in Base64");
    let (algorithm, encoded) = text.split_once(' ').ok_or_else(bad)?;
    let digest = STANDARD.decode(encoded.trim()).map_err(|_| bad())?;
    let promise = match algorithm {
        "sha1" => digest.try_into().ok().map(Promise::Sha1),
        "sha256" => digest.try_into().ok().map(Promise::Sha256),
        "blake3" => {
            let digest: Option<[u8; 32]> = digest.try_into().ok();
            digest.map(|digest| Promise::Blake3(Digest::from_bytes(digest)))
        }
        _ => {
            let why = format!("the checksum algorithms are {ALGORITHMS}");
            return Err(Error::bad_request(why));
        }
    };
    promise.map(Some).ok_or_else(bad)
}

/// Writes the content, all of it or, when it does not match its promise, nothing.
///
/// # Errors
/// 460 when it does not match.
pub(super) async fn write(
    view: &View,
    open: &Open,
    offset: u64,
    content: Content,
    promise: Option<Promise>,
) -> Result<u64, Refusal> {
    let (content, check) = match promise {
        None => (content, Check::None),
        Some(Promise::Blake3(digest)) => (content, Check::Digest(digest)),
        Some(Promise::Sha1(digest)) => (
            verified(view, content, Sha1::new(), &digest).await?,
            Check::None,
        ),
        Some(Promise::Sha256(digest)) => (
            verified(view, content, Sha256::new(), &digest).await?,
            Check::None,
        ),
    };
    open.upload
        .write(offset, content, check)
        .await
        .map_err(mismatch)
}

fn mismatch(error: Error) -> Refusal {
    match error.kind() {
        ErrorKind::DigestMismatch => match StatusCode::from_u16(460) {
            Ok(status) => Refusal::with(error, status),
            Err(_) => error.into(),
        },
        _ => error.into(),
    }
}

/// The content, once it has arrived whole and matches. A short one waits in memory; of a longer one
/// at most [`HELD`] bytes do, the rest is set aside in the store, where it goes with its last user.
async fn verified<H>(
    view: &View,
    mut content: Content,
    mut hasher: H,
    promised: &[u8],
) -> Result<Content, Refusal>
where
    H: sha2::Digest + Send + 'static,
{
    let mut held = BytesMut::new();
    loop {
        let Some(bytes) = content.try_next().await? else {
            matches(hasher, promised)?;
            return Ok(Box::pin(stream::iter([Ok(held.freeze())])));
        };
        hasher.update(&bytes);
        held.extend_from_slice(&bytes);
        if held.len() > HELD {
            break;
        }
    }
    let (hasher, hashing) = shared(hasher);
    let rest = content.inspect_ok(hashing);
    let start = stream::iter([Ok(held.freeze())]);
    let plan = WritePlan {
        target: None,
        on_drop: OnDrop::Discard,
        ..WritePlan::new(Path::root(), view.account().owner())
    };
    let aside = view.begin(plan).await?;
    let length = aside
        .write(0, Box::pin(start.chain(rest)), Check::None)
        .await?;
    let hasher = hasher.lock().unwrap_or_else(PoisonError::into_inner).take();
    matches(hasher.unwrap_or_else(H::new), promised)?;
    let content = stream::try_unfold((aside, 0), move |(aside, at)| async move {
        if at >= length {
            return Ok(None);
        }
        let next = length.min(at.saturating_add(STEP));
        let bytes = aside.read(at..next).await?;
        Ok(Some((bytes, (aside, next))))
    });
    Ok(Box::pin(content))
}

/// A hasher and what feeds it as bytes pass.
fn shared<H>(hasher: H) -> (Arc<Mutex<Option<H>>>, impl FnMut(&Bytes) + Send + 'static)
where
    H: sha2::Digest + Send + 'static,
{
    let shared = Arc::new(Mutex::new(Some(hasher)));
    let feeding = Arc::clone(&shared);
    let feed = move |bytes: &Bytes| {
        let mut hasher = feeding.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(hasher) = hasher.as_mut() {
            hasher.update(bytes);
        }
    };
    (shared, feed)
}

fn matches<H: sha2::Digest>(hasher: H, promised: &[u8]) -> Result<(), Refusal> {
    match hasher.finalize().as_slice() == promised {
        true => Ok(()),
        false => Err(mismatch(Error::new(ErrorKind::DigestMismatch))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn promises_are_read_with_their_lengths() {
        let read = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(UPLOAD_CHECKSUM, HeaderValue::from_str(text).unwrap());
            promised(&headers)
        };
        assert_eq!(promised(&HeaderMap::new()).unwrap(), None);
        let zeros = |n: usize| STANDARD.encode(vec![0; n]);
        let got = read(&format!("sha1 {}", zeros(20))).unwrap();
        assert_eq!(got, Some(Promise::Sha1([0; 20])));
        assert!(read(&format!("sha256 {}", zeros(32))).is_ok());
        assert!(read(&format!("blake3 {}", zeros(32))).is_ok());
        for bad in [
            "",
            "sha1",
            "sha1 !",
            &format!("sha1 {}", zeros(19)),
            &format!("sha256 {}", zeros(20)),
            &format!("md5 {}", zeros(16)),
            &format!("SHA1 {}", zeros(20)),
        ] {
            assert_eq!(
                read(bad).unwrap_err().kind(),
                ErrorKind::BadRequest,
                "{bad}"
            );
        }
    }

    #[test]
    fn fuzz_upload_checksum() {
        let seeds: [&[u8]; 3] = [
            b"sha1 Kq5sNclPz7QV2+lfQIuc6R7oRu0=",
            b"sha256 47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
            b"md5 x",
        ];
        gaveta_testkit::fuzz::run("upload checksum", &seeds, &[b"blake3 ", b" "], |input| {
            if let Ok(value) = http::HeaderValue::from_bytes(input) {
                let mut headers = HeaderMap::new();
                headers.insert("upload-checksum", value);
                let _ = promised(&headers);
            }
        });
    }
}
