//! A handle on content under way in a memory store.

use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures_core::stream::BoxStream;
use futures_util::StreamExt;
use gaveta_core::{
    CHUNK, Check, ChunkHasher, Content, Digest, Entry, Error, ErrorKind, OnDrop, Piece, Pieces,
    Result, Seal, Upload, UploadId, UploadState, chunk,
};

use super::staged::{MAX_READ, Staged, about};
use super::tree::Looks;
use super::{Shared, State};

/// A handle on an upload. The last one that goes takes an upload that nobody keeps with it.
#[derive(Debug)]
pub(super) struct MemoryUpload {
    shared: Arc<Shared>,
    id: UploadId,
}

impl MemoryUpload {
    /// A handle on an upload that is under way.
    pub(super) fn open(shared: &Arc<Shared>, state: &mut State, id: &UploadId) -> Result<Self> {
        let staged = state.staged.get_mut(id);
        staged
            .ok_or_else(|| Error::new(ErrorKind::UnknownUpload))?
            .holders += 1;
        Ok(Self {
            shared: Arc::clone(shared),
            id: id.clone(),
        })
    }

    /// Works on the upload, while it is under way.
    async fn with<T>(&self, work: impl FnOnce(&mut Staged, u64) -> Result<T>) -> Result<T> {
        tokio::task::yield_now().await;
        let mut state = self.shared.state();
        let free = state.free(self.shared.capacity);
        let staged = state.staged.get_mut(&self.id);
        let staged = staged.ok_or_else(|| Error::new(ErrorKind::UploadLost))?;
        work(staged, free).map_err(|error| about(error, &staged.plan.target))
    }

    /// The next piece; `UploadLost` as soon as somebody newer took over.
    async fn next<T>(
        &self,
        writer: u64,
        content: &mut BoxStream<'static, Result<T>>,
    ) -> Result<Option<T>> {
        loop {
            let changed = self.shared.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if self.with(|staged, _| Ok(staged.is_evicted(writer))).await? {
                return Err(Error::new(ErrorKind::UploadLost));
            }
            tokio::select! {
                piece = content.next() => return piece.transpose(),
                () = changed => {}
            }
        }
    }

    async fn write_pieces(&self, writer: u64, offset: u64, mut content: Content) -> Result<u64> {
        let mut kept = 0u64;
        while let Some(piece) = self.next(writer, &mut content).await? {
            let at = offset
                .checked_add(kept)
                .ok_or_else(|| Error::new(ErrorKind::BadRange))?;
            self.with(|staged, free| staged.take(writer, at, &piece, free))
                .await?;
            self.shared.changed.notify_waiters();
            kept += piece.len() as u64;
        }
        Ok(kept)
    }

    /// Gathers each chunk first: none of it may count before it is whole and matches.
    async fn write_whole_chunks(
        &self,
        writer: u64,
        offset: u64,
        length: u64,
        mut pieces: Pieces,
    ) -> Result<u64> {
        let (mut at, mut kept) = (offset, 0u64);
        let mut gathered = Vec::new();
        while let Some(piece) = self.next(writer, &mut pieces).await? {
            let span = chunk::span(at / CHUNK, length);
            match piece {
                Piece::Bytes(bytes) => {
                    if span.is_empty() {
                        return Err(Error::new(ErrorKind::LengthMismatch));
                    }
                    gathered.extend_from_slice(&bytes);
                    if at + gathered.len() as u64 > span.end {
                        return Err(Error::bad_request("a piece across a chunk's end"));
                    }
                    self.with(|staged, _| staged.lease(writer, &span)).await?;
                    self.shared.changed.notify_waiters();
                }
                Piece::Close(expected) => {
                    if span.is_empty() || at + gathered.len() as u64 != span.end {
                        return Err(Error::bad_request("a chunk closed before its end"));
                    }
                    let mut hasher = ChunkHasher::new(at / CHUNK);
                    hasher.update(&gathered);
                    if hasher.close(length <= CHUNK) != expected {
                        return Err(Error::new(ErrorKind::DigestMismatch));
                    }
                    self.with(|staged, free| staged.take(writer, at, &gathered, free))
                        .await?;
                    self.shared.changed.notify_waiters();
                    kept += gathered.len() as u64;
                    at = span.end;
                    gathered.clear();
                }
            }
        }
        if gathered.is_empty() {
            Ok(kept)
        } else {
            Err(Error::bad_request("the last chunk is not whole"))
        }
    }

    /// Gathers the whole content first: none of it may count before its digest is known.
    async fn write_checked(
        &self,
        writer: u64,
        offset: u64,
        mut content: Content,
        expected: Digest,
    ) -> Result<u64> {
        let mut all = Vec::new();
        while let Some(piece) = self.next(writer, &mut content).await? {
            all.extend_from_slice(&piece);
            let room = self.with(|staged, free| Ok(free + staged.room())).await?;
            if all.len() as u64 > room {
                return Err(Error::new(ErrorKind::NoSpace));
            }
        }
        if Digest::of(&all) != expected {
            return Err(Error::new(ErrorKind::DigestMismatch));
        }
        self.with(|staged, free| staged.take(writer, offset, &all, free))
            .await?;
        self.shared.changed.notify_waiters();
        Ok(all.len() as u64)
    }
}

/// Ends a write, also one whose future is dropped.
struct EndWrite<'a>(&'a MemoryUpload, u64);

impl Drop for EndWrite<'_> {
    fn drop(&mut self) {
        if let Some(staged) = self.0.shared.state().staged.get_mut(&self.0.id) {
            staged.end_write(self.1);
        }
    }
}

impl Drop for MemoryUpload {
    fn drop(&mut self) {
        let mut state = self.shared.state();
        let Some(staged) = state.staged.get_mut(&self.id) else {
            return;
        };
        staged.holders -= 1;
        if staged.holders == 0 && staged.plan.on_drop == OnDrop::Discard {
            state.staged.remove(&self.id);
        }
    }
}

#[async_trait]
impl Upload for MemoryUpload {
    async fn state(&self) -> Result<UploadState> {
        self.with(|staged, _| Ok(staged.state(&self.id))).await
    }

    async fn take_over(&self, range: Range<u64>) -> Result<UploadState> {
        self.with(|staged, _| {
            staged.take_over(&range);
            Ok(staged.state(&self.id))
        })
        .await
    }

    async fn write(&self, offset: u64, content: Content, check: Check) -> Result<u64> {
        let writer = self.with(|staged, _| staged.begin_write(offset)).await?;
        let _end = EndWrite(self, writer);
        match check {
            Check::None => self.write_pieces(writer, offset, content).await,
            Check::Digest(digest) => self.write_checked(writer, offset, content, digest).await,
        }
    }

    async fn write_chunks(&self, offset: u64, pieces: Pieces) -> Result<u64> {
        let (writer, length) = self
            .with(|staged, _| {
                if !offset.is_multiple_of(CHUNK) {
                    return Err(Error::new(ErrorKind::BadRange));
                }
                let length = staged.plan.length;
                let length = length.ok_or_else(|| Error::bad_request("no declared length"))?;
                if offset > length {
                    return Err(Error::new(ErrorKind::LengthMismatch));
                }
                Ok((staged.begin_write(offset)?, length))
            })
            .await?;
        let _end = EndWrite(self, writer);
        self.write_whole_chunks(writer, offset, length, pieces)
            .await
    }

    async fn read(&self, range: Range<u64>) -> Result<Bytes> {
        self.with(|staged, _| {
            if range.end.saturating_sub(range.start) > MAX_READ {
                return Err(Error::bad_request("more than 16 MiB at once"));
            }
            if !staged.arrived.covers(&range) {
                return Err(Error::new(ErrorKind::Incomplete));
            }
            if !staged.plan.parts.is_empty() {
                return Err(Error::bad_request("it is made of parts"));
            }
            Ok(staged.read(range))
        })
        .await
    }

    async fn set_length(&self, length: u64) -> Result<()> {
        self.with(|staged, free| {
            let declared = staged
                .plan
                .length
                .is_some_and(|declared| declared != length);
            if declared || staged.arrived.end() > length {
                return Err(Error::new(ErrorKind::LengthMismatch));
            }
            if length.saturating_sub(staged.room()) > free {
                return Err(Error::new(ErrorKind::NoSpace));
            }
            staged.plan.length = Some(length);
            Ok(())
        })
        .await
    }

    async fn sync(&self) -> Result<()> {
        self.with(|_, _| Ok(())).await
    }

    async fn commit(&self, seal: Seal) -> Result<Entry> {
        let checked = |state: &State| {
            let own = state.staged.get(&self.id);
            let own = own.ok_or_else(|| Error::new(ErrorKind::UploadLost))?;
            let whole = own.whole(&seal, &state.tree, &state.staged);
            whole.map_err(|error| about(error, &own.plan.target))
        };
        tokio::task::yield_now().await;
        checked(&self.shared.state())?;
        // Others get their turn here, and what was checked is checked again: nothing that
        // happens between may slip in.
        tokio::task::yield_now().await;
        let mut state = self.shared.state();
        let (content, digest) = checked(&state)?;
        let State { tree, staged, .. } = &mut *state;
        let own = staged.get(&self.id);
        let plan = own.map(|own| own.plan.clone());
        let plan = plan.ok_or_else(|| Error::new(ErrorKind::UploadLost))?;
        let looks = Looks {
            modified: plan.modified,
            executable: plan.executable,
        };
        let Some(target) = &plan.target else {
            return Err(Error::bad_request("it has no target"));
        };
        let entry = tree.publish(
            target,
            &plan.replace,
            content,
            digest,
            looks,
            Some(&plan.owner),
        )?;
        staged.remove(&self.id);
        for part in &plan.parts {
            staged.remove(part);
        }
        drop(state);
        self.shared.changed.notify_waiters();
        Ok(entry)
    }

    async fn discard(&self) -> Result<()> {
        tokio::task::yield_now().await;
        self.shared.state().staged.remove(&self.id);
        self.shared.changed.notify_waiters();
        Ok(())
    }
}
