//! An upload as one account sees it.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt;
use gaveta_core::{
    Action, Check, Content, Entry, Error, ErrorKind, Operation, Path, Piece, Pieces, Replace,
    Result, Seal, Upload, UploadId, UploadState,
};

use super::Drawer;
use super::change::race_lost;
use super::gate::Need;
use super::guard::View;
use super::keys::shares::Taken;
use super::pass::{By, WhileAllowed};
use super::quota::Holding;
use super::reading::used_up;
use super::telling::Telling;

/// An upload behind the rules: metered, counted, and announced when it is published. The view that
/// made it has checked the account; whoever holds it may go on with it.
#[derive(Debug)]
pub(super) struct GuardedUpload {
    pub(super) drawer: Arc<Drawer>,
    pub(super) view: View,
    pub(super) inner: Arc<dyn Upload>,
    pub(super) target: Option<Path>,
    /// What the plan says about the name. `Always` where it is not known: then it is looked at.
    pub(super) replace: Replace,
    pub(super) narrowed: bool,
    /// Its entry in the ledger; none for one that nobody keeps.
    pub(super) kept: Option<UploadId>,
    /// What counts against the account's quota, where nobody keeps it.
    pub(super) holding: Option<Holding>,
    /// What goes with it when it is committed.
    pub(super) parts: Vec<UploadId>,
    /// What is told of it when it is over.
    pub(super) tale: Tale,
}

/// How far an upload has come, for the audit log.
#[derive(Debug, Default)]
pub(super) struct Tale {
    received: Arc<AtomicU64>,
    told: AtomicBool,
}

impl GuardedUpload {
    /// One file more that came through a share.
    fn take(&self, target: &Path) -> Result<Option<Taken>> {
        match self.view.pass().by() {
            By::Share(share, shares) => shares
                .take(&share, 0, 0)
                .map(Some)
                .ok_or_else(|| used_up(target)),
            By::Himself | By::Token(_) => Ok(None),
        }
    }

    /// Tells that it was cut, unless how it ended was told.
    fn cut(&self) {
        if !self.tale.told.swap(true, Ordering::Relaxed) {
            Telling::of(&self.view, Operation::Commit.code(), self.target.as_ref())
                .with_bytes(self.tale.received.load(Ordering::Relaxed))
                .cut();
        }
    }

    /// What whoever goes on with it must be granted.
    fn need(&self) -> Need {
        match &self.target {
            Some(target) => Need::here(Action::Create, target),
            None => Need::Somewhere(Action::Create),
        }
    }

    /// Content that stops when the account may no longer bring it.
    fn watched<S>(&self, stream: S) -> WhileAllowed<S> {
        WhileAllowed::new(stream, self.view.pass(), self.need())
    }

    /// Takes the room for what comes beyond what was declared.
    fn grow(&self, offset: u64) -> impl FnMut(u64) -> Result<()> + Send + 'static {
        let (view, kept) = (self.view.clone(), self.kept.clone());
        let holding = self.holding.clone();
        let received = Arc::clone(&self.tale.received);
        let mut end = offset;
        move |bytes| {
            end = end.saturating_add(bytes);
            view.received(bytes);
            received.fetch_add(bytes, Ordering::Relaxed);
            match (&kept, &holding) {
                (Some(id), _) => view.drawer.ledger.grow(id, end, view.room()),
                (None, Some(holding)) => view.holds(holding, end),
                (None, None) => Ok(()),
            }
        }
    }
}

/// The bytes of content in a piece.
pub(super) fn piece_length(piece: &Piece) -> u64 {
    match piece {
        Piece::Bytes(bytes) => bytes.len() as u64,
        _ => 0,
    }
}

/// One that is not kept is gone with its handle.
impl Drop for GuardedUpload {
    fn drop(&mut self) {
        if self.kept.is_none() {
            self.cut();
        }
    }
}

#[async_trait]
impl Upload for GuardedUpload {
    async fn state(&self) -> Result<UploadState> {
        self.view.check(&self.need())?;
        self.inner.state().await
    }

    async fn take_over(&self, range: Range<u64>) -> Result<UploadState> {
        self.view.check(&self.need())?;
        self.inner.take_over(range).await
    }

    async fn write(&self, offset: u64, content: Content, check: Check) -> Result<u64> {
        let mut grow = self.grow(offset);
        let metered = self.watched(content).map(move |piece| {
            let bytes = piece?;
            grow(bytes.len() as u64)?;
            Ok(bytes)
        });
        let metered = self.view.paced(metered, |bytes: &Bytes| bytes.len() as u64);
        self.inner.write(offset, Box::pin(metered), check).await
    }

    async fn write_chunks(&self, offset: u64, pieces: Pieces) -> Result<u64> {
        let mut grow = self.grow(offset);
        let metered = self.watched(pieces).map(move |piece| {
            let piece = piece?;
            if let Piece::Bytes(bytes) = &piece {
                grow(bytes.len() as u64)?;
            }
            Ok(piece)
        });
        let metered = self.view.paced(metered, piece_length);
        self.inner.write_chunks(offset, Box::pin(metered)).await
    }

    async fn read(&self, range: Range<u64>) -> Result<Bytes> {
        self.view.check(&self.need())?;
        self.inner.read(range).await
    }

    async fn set_length(&self, length: u64) -> Result<()> {
        self.view.check(&self.need())?;
        if let Some(id) = &self.kept {
            self.drawer.ledger.grow(id, length, self.view.room())?;
        }
        self.inner.set_length(length).await
    }

    async fn sync(&self) -> Result<()> {
        self.inner.sync().await
    }

    async fn commit(&self, seal: Seal) -> Result<Entry> {
        let Some(target) = &self.target else {
            // The store says it too, but what it would look at first is for it alone.
            return Err(Error::bad_request("the upload has no target"));
        };
        let telling = Telling::new(&self.view, Operation::Commit, target);
        let telling = match seal.length {
            Some(length) => telling.with_bytes(length),
            None => telling.with_bytes(self.tale.received.load(Ordering::Relaxed)),
        };
        self.tale.told.store(true, Ordering::Relaxed);
        telling.step(self.view.check(&self.need()))?;
        let replaced = telling.step(self.view.will_replace(target, &self.replace).await)?;
        if replaced && !self.view.may(Action::Replace, target) {
            return telling.step(Err(Error::at(ErrorKind::VersionMismatch, target)));
        }
        let note = match &self.kept {
            Some(_) => telling.step(self.inner.state().await)?.note,
            None => None,
        };
        let taken = telling.step(self.take(target))?;
        let (inner, view, drawer) = (
            Arc::clone(&self.inner),
            self.view.clone(),
            Arc::clone(&self.drawer),
        );
        let keeper = self.view.clone();
        let (narrowed, kept, parts) = (self.narrowed, self.kept.clone(), self.parts.clone());
        View::change(
            &self.drawer,
            false,
            telling,
            async move {
                let entry = match inner.commit(seal).await {
                    Ok(entry) => entry,
                    Err(error) => {
                        if let Some(taken) = taken {
                            taken.give_back();
                        }
                        return Err(race_lost(error, narrowed));
                    }
                };
                keeper.keeps(&entry);
                if let Some(id) = kept {
                    drawer.ledger.committed(&id, &entry, note);
                }
                for part in &parts {
                    drawer.ledger.gone(part);
                }
                Ok(entry)
            },
            move |entry: &Entry| Some(view.written(entry, replaced)),
        )
        .await
    }

    async fn discard(&self) -> Result<()> {
        let discarded = self.inner.discard().await;
        match &self.kept {
            Some(_) => Telling::of(&self.view, "discard", self.target.as_ref()).over(&discarded),
            None => self.cut(),
        }
        discarded?;
        if let Some(id) = &self.kept {
            self.drawer.ledger.gone(id);
        }
        Ok(())
    }
}
