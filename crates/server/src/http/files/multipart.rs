//! `multipart/byteranges`: RFC 9110, section 14.6.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use gaveta_core::{Content, Entry, Error, ErrorKind, Reading, Result};

use super::get::content_range;

/// Several parts of one file as one body. Holds the heads of the parts, not their content.
#[derive(Debug)]
pub(super) struct Multipart {
    boundary: String,
    parts: Vec<(Bytes, Range<u64>)>,
    end: Bytes,
}

impl Multipart {
    /// The parts of this file. The boundary is random, so no content can hold it on purpose.
    ///
    /// # Errors
    /// `Io` when the system has no random bytes.
    pub(super) fn new(parts: Vec<Range<u64>>, entry: &Entry, media: &str) -> Result<Self> {
        let mut random = [0; 16];
        getrandom::fill(&mut random).map_err(|error| Error::new(ErrorKind::Io).because(error))?;
        let boundary = format!("gaveta-{:032x}", u128::from_be_bytes(random));
        let parts = parts
            .into_iter()
            .enumerate()
            .map(|(i, part)| {
                let before = if i == 0 { "" } else { "\r\n" };
                let field = content_range(&part, entry.size);
                let head = format!(
                    "{before}--{boundary}\r\nContent-Type: {media}\r\nContent-Range: {field}\r\n\r\n"
                );
                (Bytes::from(head), part)
            })
            .collect();
        let end = Bytes::from(format!("\r\n--{boundary}--\r\n"));
        Ok(Self {
            boundary,
            parts,
            end,
        })
    }

    /// The whole body's `Content-Type`.
    pub(super) fn content_type(&self) -> String {
        format!("multipart/byteranges; boundary={}", self.boundary)
    }

    /// The whole body's length in bytes.
    pub(super) fn length(&self) -> u64 {
        self.parts
            .iter()
            .fold(self.end.len() as u64, |sum, (head, part)| {
                let content = part.end.saturating_sub(part.start);
                sum.saturating_add(head.len() as u64)
                    .saturating_add(content)
            })
    }

    /// The body. All parts are of the version that the reading has pinned.
    pub(super) fn stream(self, reading: Arc<dyn Reading>) -> Content {
        let parts = stream::iter(self.parts).flat_map(move |(head, part)| {
            stream::once(std::future::ready(Ok(head))).chain(reading.stream(part))
        });
        parts
            .chain(stream::once(std::future::ready(Ok(self.end))))
            .boxed()
    }
}
