//! What is read, as one account sees it: counted, paced, and given through a share as often as that
//! may be.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use gaveta_core::{
    Action, Content, Entry, Error, ErrorKind, Operation, Path, Piece, Pieces, Reading, Result,
};

use super::gate::Need;
use super::guard::View;
use super::keys::shares::Taken;
use super::pass::{By, WhileAllowed};
use super::telling::{Telling, Told};
use super::upload::piece_length;

/// As often as its maker meant, a share was used.
pub(super) fn used_up(path: &Path) -> Error {
    Error::at(ErrorKind::Denied, path).because("the share was used as often as it may be")
}

impl View {
    /// Does a share still give something?
    pub(super) fn not_used_up(&self, path: &Path) -> Result<()> {
        match self.pass().by() {
            By::Share(share, shares) if shares.is_used_up(&share) => Err(used_up(path)),
            _ => Ok(()),
        }
    }
}

/// Counts what is read, and ends when it may no longer be read.
#[derive(Debug)]
pub(super) struct MeteredReading {
    view: View,
    reading: Arc<dyn Reading>,
    /// As what it is told.
    operation: Operation,
}

impl MeteredReading {
    pub(super) fn new(view: &View, reading: Arc<dyn Reading>, operation: Operation) -> Self {
        Self {
            view: view.clone(),
            reading,
            operation,
        }
    }

    fn watched<S>(&self, stream: S) -> WhileAllowed<S> {
        let need = Need::here(Action::Read, &self.entry().path);
        WhileAllowed::new(stream, self.view.pass(), need)
    }

    /// What a share gives of the file, taken from what it may still give.
    fn take(&self, range: &std::ops::Range<u64>) -> Result<Option<Taken>> {
        let By::Share(share, shares) = self.view.pass().by() else {
            return Ok(None);
        };
        let entry = self.entry();
        let part = range.end.saturating_sub(range.start);
        shares
            .take(&share, part, entry.size)
            .map(Some)
            .ok_or_else(|| used_up(&entry.path))
    }

    fn told<S>(&self, stream: S, range: std::ops::Range<u64>, taken: Option<Taken>) -> Told<S> {
        let telling = Telling::new(&self.view, self.operation, &self.entry().path);
        let length = range.end.saturating_sub(range.start);
        Told::new(stream, length, telling, taken)
    }
}

impl Reading for MeteredReading {
    fn entry(&self) -> &Entry {
        self.reading.entry()
    }

    fn stream(&self, range: std::ops::Range<u64>) -> Content {
        let view = self.view.clone();
        let taken = match self.take(&range) {
            Ok(taken) => taken,
            Err(error) => return Box::pin(stream::iter([Err(error)])),
        };
        let content = self.watched(self.reading.stream(range.clone()));
        let content = self.view.paced(content, |bytes: &Bytes| bytes.len() as u64);
        let content: Content = Box::pin(content.inspect(move |piece| {
            if let Ok(bytes) = piece {
                view.sent(bytes.len() as u64);
            }
        }));
        Box::pin(self.told(content, range, taken))
    }

    fn chunks(&self, range: std::ops::Range<u64>) -> Pieces {
        let view = self.view.clone();
        let taken = match self.take(&range) {
            Ok(taken) => taken,
            Err(error) => return Box::pin(stream::iter([Err(error)])),
        };
        let pieces = self.watched(self.reading.chunks(range.clone()));
        let pieces = self.view.paced(pieces, piece_length);
        let pieces: Pieces = Box::pin(pieces.inspect(move |piece| {
            if let Ok(Piece::Bytes(bytes)) = piece {
                view.sent(bytes.len() as u64);
            }
        }));
        Box::pin(self.told(pieces, range, taken))
    }
}
