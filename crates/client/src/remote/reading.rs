//! One version of a remote file, open.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::{StreamExt, TryStreamExt};
use gaveta_core::{
    Content, Entry, Error, ErrorKind, Kind, Path, Pieces, ReadPlan, Reading, Result, Store,
};
use gaveta_wire::{header, url};
use http::header::{CONTENT_LENGTH, CONTENT_RANGE, IF_MATCH, RANGE};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use hyper::body::Incoming;

use super::line::{Lane, Line};
use super::upload::SMALL;
use super::{Remote, body::Out, fault, outline};

/// A remote file: nothing is held open at the server; every request names the version.
#[derive(Debug)]
struct RemoteReading {
    line: Arc<Line>,
    entry: Entry,
    /// What came with the first request, until somebody asks for it.
    first: Mutex<Option<(Range<u64>, Incoming)>>,
}

/// Opens a file. With a hint of what will be streamed first, one round trip brings both.
pub(super) async fn open(remote: &Remote, path: &Path, plan: ReadPlan) -> Result<Arc<dyn Reading>> {
    let line = remote.line.clone();
    // Without content to ask for, one command tells all of the entry, and its kind for sure.
    let known = match &plan.first {
        Some(first) if first.start < first.end && !path.is_root() => None,
        _ => match plan.known.as_ref().filter(|known| known.path == *path) {
            Some(known) => Some(known.clone()),
            None => Some(remote.stat(path).await?),
        },
    };
    if let Some(entry) = known {
        return described(line, entry, &plan);
    }
    let first = plan.first.clone().unwrap_or_default();
    let response = match ask(&line, path, plan.version.as_ref(), &first, true).await {
        Ok(response) => response,
        // The hint was wrong (an empty file, say), which is no error here.
        Err(error) if error.kind() == ErrorKind::BadRange => {
            return described(line, remote.stat(path).await?, &plan);
        }
        Err(error) => return Err(error.about(path)),
    };
    let headers = response.headers();
    let content = response.status().is_success() && headers.contains_key(header::MODIFIED);
    if !content {
        // A folder's page, or the way to it, or something foreign.
        return described(line, remote.stat(path).await?, &plan);
    }
    let (range, size) = told_range(&response).map_err(|error| error.about(path))?;
    let entry = fault::entry_of(headers, path, size)?;
    if plan
        .version
        .as_ref()
        .is_some_and(|version| *version != entry.version)
    {
        return Err(Error::at(ErrorKind::VersionMismatch, path));
    }
    let first = Mutex::new(Some((range, response.into_body())));
    Ok(Arc::new(RemoteReading { line, entry, first }))
}

fn described(line: Arc<Line>, entry: Entry, plan: &ReadPlan) -> Result<Arc<dyn Reading>> {
    let kind = match entry.kind {
        Kind::File
            if plan
                .version
                .as_ref()
                .is_some_and(|version| *version != entry.version) =>
        {
            Some(ErrorKind::VersionMismatch)
        }
        Kind::File => None,
        Kind::Folder => Some(ErrorKind::IsFolder),
        Kind::Link | Kind::Special => Some(ErrorKind::NotRegular),
    };
    match kind {
        Some(kind) => Err(Error::at(kind, &entry.path)),
        None => Ok(Arc::new(RemoteReading {
            line,
            entry,
            first: Mutex::new(None),
        })),
    }
}

/// Asks for a range that is not empty; of one version, when one is named.
async fn ask(
    line: &Line,
    path: &Path,
    version: Option<&gaveta_core::Version>,
    range: &Range<u64>,
    want_digest: bool,
) -> Result<Response<Incoming>> {
    ask_at(line, &url::encode(path, false), version, range, want_digest).await
}

/// As [`ask`], of what has this address at the server.
pub(super) async fn ask_at(
    line: &Line,
    target: &str,
    version: Option<&gaveta_core::Version>,
    range: &Range<u64>,
    want_digest: bool,
) -> Result<Response<Incoming>> {
    let mut request = line.request(Method::GET, target, Out::empty())?;
    let headers = request.headers_mut();
    let value = |text: String| {
        HeaderValue::try_from(text).map_err(|error| Error::bad_request(error.to_string()))
    };
    // RFC 9110, section 14.1.2. A range to the last possible byte is the whole rest.
    if range.start != 0 || range.end != u64::MAX {
        let last = range.end.saturating_sub(1);
        headers.insert(RANGE, value(format!("bytes={}-{last}", range.start))?);
    }
    if let Some(version) = version {
        headers.insert(IF_MATCH, value(format!("\"{version}\""))?);
    }
    if want_digest {
        let wanted = HeaderValue::from_static("blake3=10");
        headers.insert(header::WANT_REPR_DIGEST, wanted);
    }
    let lane = if range.end.saturating_sub(range.start) <= SMALL {
        line.lane_for_many().await
    } else {
        Lane::Own
    };
    line.get(request, lane).await
}

/// Which bytes an answer holds, and how many the whole file has.
pub(super) fn told_range(response: &Response<Incoming>) -> Result<(Range<u64>, u64)> {
    match response.status() {
        StatusCode::PARTIAL_CONTENT => content_range(response.headers()),
        StatusCode::OK => {
            let length = response
                .headers()
                .get(CONTENT_LENGTH)
                .and_then(|v| v.to_str().ok());
            let size = length.and_then(|text| text.parse().ok());
            let size = size.ok_or_else(|| fault::nonsense("no length"))?;
            Ok((0..size, size))
        }
        other => Err(fault::nonsense(format!("status {other}"))),
    }
}

/// `Content-Range: bytes FIRST-LAST/SIZE` (RFC 9110, section 14.4).
fn content_range(headers: &HeaderMap) -> Result<(Range<u64>, u64)> {
    let parse = || {
        let text = headers
            .get(CONTENT_RANGE)?
            .to_str()
            .ok()?
            .strip_prefix("bytes ")?;
        let (range, size) = text.split_once('/')?;
        let (first, last) = range.split_once('-')?;
        let (first, last): (u64, u64) = (first.parse().ok()?, last.parse().ok()?);
        let size: u64 = size.parse().ok()?;
        (first <= last && last < size).then(|| (first..last + 1, size))
    };
    parse().ok_or_else(|| fault::nonsense("a bad Content-Range"))
}

impl Reading for RemoteReading {
    fn entry(&self) -> &Entry {
        &self.entry
    }

    fn stream(&self, range: Range<u64>) -> Content {
        if range.end > self.entry.size || range.start > range.end {
            let error = Error::at(ErrorKind::BadRange, &self.entry.path);
            return Box::pin(futures_util::stream::once(async { Err(error) }));
        }
        if range.is_empty() {
            return Box::pin(futures_util::stream::empty());
        }
        let length = range.end - range.start;
        let mut first = self.first.lock().unwrap_or_else(PoisonError::into_inner);
        let fits = |(held, _): &mut (Range<u64>, Incoming)| {
            held.start == range.start && held.end >= range.end
        };
        if let Some((_, body)) = first.take_if(fits) {
            return exactly(self.line.pieces(body), length, &self.entry.path);
        }
        drop(first);
        let (line, entry) = (self.line.clone(), self.entry.clone());
        let content = async move {
            let body = again(&line, &entry, &range).await?;
            Ok::<_, Error>(exactly(line.pieces(body), length, &entry.path))
        };
        Box::pin(futures_util::stream::once(content).try_flatten())
    }

    /// On a connection of its own. The digests are the server's: whoever takes the chunks compares.
    fn chunks(&self, range: Range<u64>) -> Pieces {
        outline::chunks(self.line.clone(), self.entry.clone(), range)
    }
}

/// What a refusal of a further range means: the version is gone, in whatever way.
pub(super) fn gone(error: Error, path: &Path) -> Error {
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::VersionMismatch | ErrorKind::BadRange => {
            Error::at(ErrorKind::VersionMismatch, path)
        }
        _ => error.about(path),
    }
}

/// Asks for a further range of the version that is open.
async fn again(line: &Line, entry: &Entry, range: &Range<u64>) -> Result<Incoming> {
    let asked = ask(line, &entry.path, Some(&entry.version), range, false).await;
    let response = asked.map_err(|error| gone(error, &entry.path))?;
    if fault::version_of(response.headers()).as_ref() != Some(&entry.version) {
        return Err(Error::at(ErrorKind::VersionMismatch, &entry.path));
    }
    let (told, size) = told_range(&response).map_err(|error| error.about(&entry.path))?;
    if size != entry.size || told != *range {
        return Err(fault::nonsense("not the range that was asked for").about(&entry.path));
    }
    Ok(response.into_body())
}

/// The first `length` bytes of a body; fewer are an error.
pub(super) fn exactly(body: Content, length: u64, path: &Path) -> Content {
    let path = path.clone();
    let state = (body, length, path);
    Box::pin(futures_util::stream::unfold(
        Some(state),
        |state| async move {
            let (mut body, left, path) = state?;
            if left == 0 {
                return None;
            }
            match body.next().await {
                Some(Ok(mut piece)) => {
                    piece.truncate(usize::try_from(left).unwrap_or(usize::MAX));
                    let left = left - piece.len() as u64;
                    Some((Ok(piece), Some((body, left, path))))
                }
                Some(Err(error)) => Some((Err(error.about(&path)), None)),
                None => Some((Err(Error::at(ErrorKind::LengthMismatch, &path)), None)),
            }
        },
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    async fn take(pieces: &[&'static str], length: u64) -> Result<Vec<u8>> {
        let pieces: Vec<_> = pieces
            .iter()
            .map(|p| Ok(Bytes::from_static(p.as_bytes())))
            .collect();
        let body: Content = Box::pin(futures_util::stream::iter(pieces));
        let path = Path::parse("a").unwrap();
        let all: Vec<Bytes> = exactly(body, length, &path).try_collect().await?;
        Ok(all.concat())
    }

    #[tokio::test]
    async fn a_body_gives_what_was_promised_or_fails() {
        assert_eq!(take(&["ab", "cd"], 4).await.unwrap(), b"abcd");
        assert_eq!(take(&["ab", "cd"], 3).await.unwrap(), b"abc");
        assert_eq!(
            take(&["ab"], 3).await.unwrap_err().kind(),
            ErrorKind::LengthMismatch
        );
    }

    #[test]
    fn content_ranges_are_read_strictly() {
        let told = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_RANGE, HeaderValue::from_static(text));
            content_range(&headers).ok()
        };
        assert_eq!(told("bytes 2-4/10"), Some((2..5, 10)));
        for bad in [
            "bytes 4-2/10",
            "bytes 2-10/10",
            "bytes */10",
            "bytes 2-4/*",
            "2-4/10",
            "bytes 2-4",
            "bytes 0-18446744073709551615/18446744073709551615",
            "items 0-1/2",
        ] {
            assert_eq!(told(bad), None, "{bad}");
        }
    }
}
