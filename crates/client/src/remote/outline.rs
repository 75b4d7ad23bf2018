//! A remote file in chunks: their digests alone, or with their bytes.

use std::ops::Range;
use std::sync::Arc;

use futures_util::TryStreamExt;
use gaveta_core::{
    CHUNK, ChunkDigest, Entry, Error, ErrorKind, Outline, Path, Pieces, Result, Version, chunk,
};
use gaveta_wire::{chunks, header, route, url};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, IF_MATCH};
use http::{HeaderMap, HeaderValue, Method};

use super::body::Out;
use super::fault;
use super::line::{Lane, Line};
use super::reading::gone;

/// The longest outline that is kept whole, in bytes: that of a file of 2 TiB.
const MAX_OUTLINE: usize = 64 << 20;

fn value(text: String) -> Result<HeaderValue> {
    HeaderValue::try_from(text).map_err(|error| Error::bad_request(error.to_string()))
}

fn number(headers: &HeaderMap, name: &str) -> Result<u64> {
    let text = headers.get(name).and_then(|value| value.to_str().ok());
    text.and_then(|text| text.parse().ok())
        .ok_or_else(|| fault::nonsense(format!("no {name}")))
}

/// The chunk digests of one version of a file; `fresh`: made by reading it now.
pub(super) async fn fetch(
    line: &Arc<Line>,
    path: &Path,
    version: &Version,
    fresh: bool,
) -> Result<Outline> {
    let query = if fresh { "?fresh=true" } else { "" };
    let target = format!("{}{}{query}", route::OUTLINE, url::encode(path, false));
    let fetched = async {
        let mut request = line.request(Method::GET, &target, Out::empty())?;
        let condition = value(format!("\"{version}\""))?;
        request.headers_mut().insert(IF_MATCH, condition);
        let response = line.get(request, Lane::Own).await?;
        let headers = response.headers();
        if fault::version_of(headers).as_ref() != Some(version) {
            return Err(ErrorKind::VersionMismatch.into());
        }
        let length = number(headers, header::LENGTH)?;
        let most = chunk::count(length).saturating_mul(ChunkDigest::LENGTH as u64);
        if most > MAX_OUTLINE as u64 {
            return Err(ErrorKind::TooLarge.into());
        }
        let body = line.whole_to(response.into_body(), MAX_OUTLINE).await?;
        let (digests, rest) = body.as_chunks::<{ ChunkDigest::LENGTH }>();
        if !rest.is_empty() {
            return Err(fault::nonsense("a digest was cut"));
        }
        let digests = digests
            .iter()
            .map(|digest| ChunkDigest::from_bytes(*digest));
        Outline::new(length, digests.collect())
            .map_err(|_| fault::nonsense("not one digest a chunk"))
    };
    fetched.await.map_err(|error| error.about(path))
}

/// Whole chunks of the version that is open, each closed by its digest.
pub(super) fn chunks(line: Arc<Line>, entry: Entry, range: Range<u64>) -> Pieces {
    let whole = range.start.is_multiple_of(CHUNK)
        && range.start <= range.end
        && (range.end == entry.size || (range.end < entry.size && range.end.is_multiple_of(CHUNK)));
    if !whole {
        let error = Error::at(ErrorKind::BadRange, &entry.path);
        return Box::pin(futures_util::stream::once(async { Err(error) }));
    }
    if range.is_empty() {
        return Box::pin(futures_util::stream::empty());
    }
    Box::pin(futures_util::stream::once(ask(line, entry, range)).try_flatten())
}

async fn ask(line: Arc<Line>, entry: Entry, range: Range<u64>) -> Result<Pieces> {
    let path = &entry.path;
    let target = format!("{}{}", route::CHUNKS, url::encode(path, false));
    let mut request = line.request(Method::GET, &target, Out::empty())?;
    let headers = request.headers_mut();
    headers.insert(IF_MATCH, value(format!("\"{}\"", entry.version))?);
    headers.insert(header::RANGE, value(chunks::range_to_text(&range))?);
    let asked = line.get(request, Lane::Own).await;
    let response = asked.map_err(|error| gone(error, path))?;
    let headers = response.headers();
    if fault::version_of(headers).as_ref() != Some(&entry.version) {
        return Err(Error::at(ErrorKind::VersionMismatch, path));
    }
    let form = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let told = (
        number(headers, CONTENT_LENGTH.as_str())?,
        number(headers, header::LENGTH)?,
    );
    if form != Some(chunks::MEDIA_TYPE) || told != (chunks::body_length(&range), entry.size) {
        return Err(fault::nonsense("not the chunks that were asked for").about(path));
    }
    let body = line.pieces(response.into_body());
    let path = entry.path.clone();
    let pieces = chunks::unframe(body, range, entry.size);
    Ok(Box::pin(pieces.map_err(move |error| error.about(&path))))
}
