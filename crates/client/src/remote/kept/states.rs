//! What a server tells of the uploads it keeps.

use std::sync::Arc;

use futures_core::stream::BoxStream;
use futures_util::StreamExt;
use gaveta_core::{Account, Content, Owner, Path, Ranges, Result, UploadId, UploadState, Version};
use gaveta_wire::body::{UploadBody, time_from_text};
use gaveta_wire::route;
use http::{HeaderValue, Method};

use super::super::body::Out;
use super::super::fault;
use super::super::line::{Lane, Line};

/// How many bytes an answer about one upload may have: the most ranges that are kept fit.
pub(super) const MAX_STATE: usize = 4 << 20;
/// The longest line of a list of uploads.
const MAX_LINE: usize = MAX_STATE;

/// All uploads the server tells of: to the administrator, everybody's.
pub(in crate::remote) async fn list(
    line: &Arc<Line>,
) -> Result<BoxStream<'static, Result<UploadState>>> {
    let mut request = line.request(Method::GET, route::UPLOADS, Out::empty())?;
    let accept = HeaderValue::from_static("application/x-ndjson");
    request.headers_mut().insert(http::header::ACCEPT, accept);
    let response = line.get(request, Lane::Own).await?;
    let lines = Lines {
        body: line.pieces(response.into_body()),
        rest: Vec::new(),
        ended: false,
    };
    Ok(Box::pin(futures_util::stream::unfold(
        Some(lines),
        |lines| async move {
            let mut lines = lines?;
            match lines.next().await {
                Ok(Some(state)) => Some((Ok(state), Some(lines))),
                Ok(None) => None,
                Err(error) => Some((Err(error), None)),
            }
        },
    )))
}

struct Lines {
    body: Content,
    rest: Vec<u8>,
    ended: bool,
}

impl Lines {
    async fn next(&mut self) -> Result<Option<UploadState>> {
        loop {
            if let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.rest.drain(..=end).collect();
                if line.trim_ascii().is_empty() {
                    continue;
                }
                return parse(&line).map(Some);
            }
            if self.ended {
                return if self.rest.trim_ascii().is_empty() {
                    Ok(None)
                } else {
                    parse(&std::mem::take(&mut self.rest)).map(Some)
                };
            }
            match self.body.next().await.transpose()? {
                Some(piece) if self.rest.len() + piece.len() > MAX_LINE => {
                    return Err(fault::nonsense("a line is too long"));
                }
                Some(piece) => self.rest.extend_from_slice(&piece),
                None => self.ended = true,
            }
        }
    }
}

pub(super) fn parse(line: &[u8]) -> Result<UploadState> {
    let body = serde_json::from_slice(line).map_err(|error| fault::nonsense(error.to_string()))?;
    state_of(body)
}

pub(super) fn state_of(body: UploadBody) -> Result<UploadState> {
    let bad = |what: &str| fault::nonsense(format!("a bad {what} of an upload"));
    let target = body.target.as_deref().map(Path::parse).transpose();
    let mut arrived = Ranges::new();
    for [start, end] in body.arrived {
        if start > end || body.length.is_some_and(|length| end > length) {
            return Err(bad("range"));
        }
        arrived.insert(start..end);
    }
    let base = match body.base {
        Some(text) => Some(Version::parse(&text).ok_or_else(|| bad("base"))?),
        None => None,
    };
    Ok(UploadState {
        id: UploadId::parse(&body.id).map_err(|_| bad("id"))?,
        target: target.map_err(|_| bad("target"))?,
        owner: owner(&body.owner),
        length: body.length,
        arrived,
        base,
        note: None,
        touched: time_from_text(&body.touched).map_err(|_| bad("time"))?,
    })
}

fn owner(name: &str) -> Owner {
    match name {
        Account::ADMIN => Owner::of(Account::ADMIN),
        Account::VISITOR => Owner::of(Account::VISITOR),
        other => Owner(other.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_that_makes_no_sense_is_refused() {
        let body = |arrived: Vec<[u64; 2]>, target: &str| UploadBody {
            id: "0".repeat(32),
            target: Some(target.into()),
            owner: "visitor".into(),
            length: Some(10),
            arrived,
            base: None,
            touched: "2026-11-23T10:12:00Z".into(),
            expires: None,
        };
        let good = state_of(body(vec![[0, 3], [5, 10]], "a")).unwrap();
        assert_eq!(good.arrived.total(), 8);
        assert_eq!(good.owner, Owner::of(Account::VISITOR));
        for (arrived, target) in [
            (vec![[5, 3]], "a"),
            (vec![[0, 11]], "a"),
            (vec![], "../a"),
            (vec![], ".gaveta/x"),
        ] {
            assert!(state_of(body(arrived, target)).is_err());
        }
    }
}
