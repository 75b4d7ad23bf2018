//! A remote folder, line by line (`application/x-ndjson`).

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::{Buf, BytesMut};
use futures_util::StreamExt;
use gaveta_core::{
    Content, Entry, Error, ErrorKind, ListPlan, Listed, Listing, OrderBy, Path, Result,
};
use gaveta_wire::body::{EndBody, Line as Written};
use gaveta_wire::url;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderValue, Method};

use super::body::Out;
use super::fault;
use super::line::{Lane, Line};

const NDJSON: &str = "application/x-ndjson";
/// A listing of at most so many entries shares a connection with small contents.
const FEW: usize = 1000;
/// The longest line, in bytes: the longest path, escaped, and some names at the end fit well.
const MAX_LINE: usize = 256 * 1024;

/// Lists a folder. Nothing is kept but one line: a folder of any size streams.
pub(super) async fn list(line: &Arc<Line>, folder: &Path, plan: &ListPlan) -> Result<Listing> {
    // A cursor without an order is refused before anything is asked.
    plan.window()?;
    if plan.limit == Some(0) {
        // Nothing to ask for, but the folder must be one.
        let entry = line.stat(folder).await?;
        if !entry.is_folder() {
            return Err(Error::at(ErrorKind::NotFolder, folder));
        }
        return Ok(Box::pin(futures_util::stream::empty()));
    }
    let target = format!("{}{}", url::encode(folder, true), query(plan));
    let mut request = line.request(Method::GET, &target, Out::empty())?;
    request
        .headers_mut()
        .insert(ACCEPT, HeaderValue::from_static(NDJSON));
    let lane = match plan.limit {
        Some(..=FEW) => line.lane_for_many().await,
        _ => Lane::Own,
    };
    let response = line
        .get(request, lane)
        .await
        .map_err(|error| error.about(folder))?;
    let form = response
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let form = form
        .unwrap_or_default()
        .split(';')
        .next()
        .unwrap_or_default();
    if form.trim() != NDJSON {
        return Err(fault::nonsense("it is no listing").about(folder));
    }
    let lines = Lines {
        body: line.pieces(response.into_body()),
        buffer: BytesMut::new(),
        searched: 0,
        folder: folder.clone(),
        limit: plan.limit.map(|limit| limit as u64),
        entries: 0,
        unnameable: VecDeque::new(),
        ended: false,
    };
    Ok(Box::pin(futures_util::stream::unfold(
        Some(lines),
        |lines| async move {
            let mut lines = lines?;
            match lines.next().await {
                Ok(Some(listed)) => Some((Ok(listed), Some(lines))),
                Ok(None) => None,
                Err(error) => Some((Err(error.about(&lines.folder)), None)),
            }
        },
    )))
}

fn query(plan: &ListPlan) -> String {
    let mut terms = Vec::new();
    if let Some(order) = plan.order {
        terms.push(format!(
            "sort={}",
            match order.by {
                OrderBy::Name => "name",
                OrderBy::Size => "size",
                OrderBy::Modified => "modified",
            }
        ));
        terms.push(format!(
            "order={}",
            if order.descending { "desc" } else { "asc" }
        ));
    }
    if let Some(after) = &plan.after {
        terms.push(format!("after={}", url::encode_name(&after.to_string())));
    }
    if let Some(limit) = plan.limit {
        terms.push(format!("limit={limit}"));
    }
    if terms.is_empty() {
        String::new()
    } else {
        format!("?{}", terms.join("&"))
    }
}

struct Lines {
    body: Content,
    buffer: BytesMut,
    /// So much of the buffer holds no end of line.
    searched: usize,
    folder: Path,
    limit: Option<u64>,
    entries: u64,
    /// Names told at the end, still to be handed out.
    unnameable: VecDeque<String>,
    ended: bool,
}

impl Lines {
    async fn next(&mut self) -> Result<Option<Listed>> {
        if self.ended {
            return Ok(self
                .unnameable
                .pop_front()
                .map(|shown| Listed::Unnameable { shown }));
        }
        let text = self.line().await?;
        match serde_json::from_slice::<Written>(&text) {
            Ok(Written::Entry(body)) => {
                let entry = Entry::try_from(body)
                    .map_err(|error| fault::nonsense(format!("a bad entry: {}", error.chain())))?;
                self.check(&entry)?;
                self.entries += 1;
                Ok(Some(Listed::Entry(entry)))
            }
            Ok(Written::End(end)) => {
                self.end(end)?;
                Ok(self
                    .unnameable
                    .pop_front()
                    .map(|shown| Listed::Unnameable { shown }))
            }
            Ok(Written::Error(body)) => Err(Error::from(body)),
            Err(error) => Err(fault::nonsense(format!("a bad line: {error}"))),
        }
    }

    /// An entry must lie right in the folder: what a server says must not lead elsewhere.
    fn check(&self, entry: &Entry) -> Result<()> {
        if entry.path.is_root() || entry.path.parent().as_ref() != Some(&self.folder) {
            return Err(fault::nonsense(format!(
                "{} does not lie in the folder",
                entry.path
            )));
        }
        if self.limit.is_some_and(|limit| self.entries >= limit) {
            return Err(fault::nonsense("more entries than asked for"));
        }
        Ok(())
    }

    fn end(&mut self, end: EndBody) -> Result<()> {
        if end.entries != self.entries {
            return Err(Error::new(ErrorKind::LengthMismatch).because(format!(
                "{} entries came, {} were told",
                self.entries, end.entries
            )));
        }
        let shown = end.unnameable_shown.len() as u64;
        self.unnameable = end.unnameable_shown.into();
        if end.unnameable > shown {
            self.unnameable
                .push_back(format!("(+{})", end.unnameable - shown));
        }
        self.ended = true;
        Ok(())
    }

    /// The next line. The end of the body before the last line means that the listing was cut.
    async fn line(&mut self) -> Result<BytesMut> {
        loop {
            let unsearched = self.buffer.get(self.searched..).unwrap_or_default();
            if let Some(at) = unsearched.iter().position(|byte| *byte == b'\n') {
                let line = self.buffer.split_to(self.searched + at);
                self.buffer.advance(1);
                self.searched = 0;
                return Ok(line);
            }
            self.searched = self.buffer.len();
            if self.searched > MAX_LINE {
                return Err(fault::nonsense("a line is too long"));
            }
            match self.body.next().await {
                Some(piece) => self.buffer.extend_from_slice(&piece?),
                None => return Err(Error::new(ErrorKind::Disconnected)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use gaveta_core::Cursor;

    fn lines(folder: &str, text: &'static str, piece: usize) -> Lines {
        let pieces: Vec<_> = text
            .as_bytes()
            .chunks(piece)
            .map(|chunk| Ok(Bytes::from_static(chunk)))
            .collect();
        Lines {
            body: Box::pin(futures_util::stream::iter(pieces)),
            buffer: BytesMut::new(),
            searched: 0,
            folder: Path::parse(folder).unwrap(),
            limit: None,
            entries: 0,
            unnameable: VecDeque::new(),
            ended: false,
        }
    }

    async fn all(mut lines: Lines) -> Result<Vec<Listed>> {
        let mut listed = Vec::new();
        while let Some(one) = lines.next().await? {
            listed.push(one);
        }
        Ok(listed)
    }

    const ENTRY: &str = r#"{"entry":{"path":"d/a","kind":"file","size":1,"modified":"1970-01-01T00:00:00Z","version":"v"}}"#;

    #[tokio::test]
    async fn a_listing_reads_in_pieces_of_any_size() {
        let text = format!(
            "{ENTRY}\n{}\n",
            r#"{"end":{"entries":1,"unnameable":3,"unnameable-shown":[],"unnameable_shown":["\\x01"]}}"#
        );
        let text: &'static str = text.leak();
        for piece in [1, 7, 10_000] {
            let listed = all(lines("d", text, piece)).await.unwrap();
            assert_eq!(listed.len(), 3);
            let Some(Listed::Entry(entry)) = listed.first() else {
                panic!("{listed:?}")
            };
            assert_eq!(entry.path.as_str(), "d/a");
            assert_eq!(
                listed[2],
                Listed::Unnameable {
                    shown: "(+2)".into()
                }
            );
        }
    }

    #[tokio::test]
    async fn a_cut_listing_is_an_error() {
        let whole = format!("{ENTRY}\n{}\n", r#"{"end":{"entries":1,"unnameable":0}}"#).leak();
        for cut in 0..whole.len() {
            let error = all(lines("d", &whole[..cut], 10)).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Disconnected, "{cut}");
        }
        assert!(all(lines("d", whole, 10)).await.is_ok());
    }

    #[tokio::test]
    async fn what_lies_elsewhere_or_does_not_add_up_is_refused() {
        let end = r#"{"end":{"entries":1,"unnameable":0}}"#;
        for path in [
            "a",
            "d",
            "d/a/b",
            "e/a",
            "../d/a",
            "/d/a",
            "d/../a",
            "",
            "d/.gaveta",
            "d//a",
        ] {
            let text = format!("{}\n{end}\n", ENTRY.replace("d/a", path)).leak();
            let error = all(lines("d", text, 100)).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::BadRequest, "{path}");
        }
        let error = all(lines("d", format!("{end}\n").leak(), 100))
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::LengthMismatch);
        let error = all(lines("d", "garbage\n", 100)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BadRequest);
        let endless = "x".repeat(MAX_LINE * 2).leak();
        let error = all(lines("d", endless, 8192)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BadRequest);
    }

    #[test]
    fn a_plan_becomes_a_query() {
        assert_eq!(query(&ListPlan::default()), "");
        let mut plan = ListPlan::sorted(OrderBy::Size, true);
        plan.after = Some(Cursor::parse("7:a&b=c").unwrap());
        plan.limit = Some(5);
        assert_eq!(
            query(&plan),
            "?sort=size&order=desc&after=7%3Aa%26b%3Dc&limit=5"
        );
    }
}
