//! A handle of an upload: each method hands its work to a blocking thread.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use async_trait::async_trait;
use bytes::Bytes;
use gaveta_core::{
    CHUNK, Check, Content, Entry, Error, ErrorKind, Pieces, Result, Seal, Upload, UploadState,
};
use tokio::sync::OwnedRwLockReadGuard;

use super::{Body, Phase, writing};
use crate::locks::lock;
use crate::reading::read_range;
use crate::store::run;

/// How much one [`Upload::read`] gives at most.
const MAX_READ: u64 = 16 << 20;

/// Somebody's handle of an upload.
#[derive(Debug)]
pub(crate) struct DiskUpload {
    pub(super) body: Arc<Body>,
}

impl DiskUpload {
    /// One more holder.
    pub(super) fn new(body: Arc<Body>) -> Self {
        body.handles.fetch_add(1, Ordering::AcqRel);
        Self { body }
    }

    fn refuse<T>(&self, kind: ErrorKind) -> Result<T> {
        Err(self.body.about(Error::new(kind)))
    }

    /// Brings into the file what waits for the commit.
    async fn settle(&self) -> Result<()> {
        writing::write_waiting(&self.body)
            .await
            .map_err(|error| self.body.about(error))
    }

    /// While it is held, the upload goes on living.
    async fn open(&self) -> Result<OwnedRwLockReadGuard<Phase>> {
        let phase = self.body.phase.clone().read_owned().await;
        match *phase {
            Phase::Open => Ok(phase),
            Phase::Ended => self.refuse(ErrorKind::UploadLost),
        }
    }
}

impl Drop for DiskUpload {
    fn drop(&mut self) {
        if self.body.handles.fetch_sub(1, Ordering::AcqRel) > 1 {
            return;
        }
        // The body goes with the task, so that who takes the upload up meanwhile finds it, and none
        // can be loaded before it is saved.
        let body = self.body.clone();
        let phase = body.phase.clone().try_write_owned();
        if let Ok(phase) = &phase
            && **phase == Phase::Ended
            && lock(&body.progress).arrived.end() <= CHUNK
        {
            // Nothing is left to do, and closing a small file does not block.
            return;
        }
        match (tokio::runtime::Handle::try_current(), phase) {
            // At once where it can be, so that a server that is going down still does it.
            (Ok(runtime), Ok(mut phase)) => {
                drop(runtime.spawn_blocking(move || body.leave_now(&mut phase)));
            }
            (Ok(runtime), Err(_)) => drop(runtime.spawn(body.leave())),
            (Err(_), Ok(mut phase)) => body.leave_now(&mut phase),
            (Err(_), Err(_)) => {}
        }
    }
}

#[async_trait]
impl Upload for DiskUpload {
    async fn state(&self) -> Result<UploadState> {
        self.settle().await?;
        Ok(self.body.state())
    }

    async fn take_over(&self, range: Range<u64>) -> Result<UploadState> {
        drop(self.open().await?);
        self.body.leases.end_within(&range).await;
        self.settle().await?;
        Ok(self.body.state())
    }

    async fn write(&self, offset: u64, content: Content, check: Check) -> Result<u64> {
        writing::write(&self.body, offset, content, check)
            .await
            .map_err(|error| self.body.about(error))
    }

    async fn write_chunks(&self, offset: u64, pieces: Pieces) -> Result<u64> {
        writing::write_chunks(&self.body, offset, pieces)
            .await
            .map_err(|error| self.body.about(error))
    }

    async fn read(&self, range: Range<u64>) -> Result<Bytes> {
        if range.start >= range.end {
            return Ok(Bytes::new());
        }
        if range.end - range.start > MAX_READ {
            return self.refuse(ErrorKind::BadRequest);
        }
        let phase = self.open().await?;
        self.settle().await?;
        if !lock(&self.body.progress).arrived.covers(&range) {
            return self.refuse(ErrorKind::Incomplete);
        }
        let body = self.body.clone();
        run(move || {
            let bytes = read_range(&body.staged.file, range);
            drop(phase);
            bytes
        })
        .await
    }

    async fn set_length(&self, length: u64) -> Result<()> {
        let phase = self.open().await?;
        {
            let mut progress = lock(&self.body.progress);
            match progress.length {
                Some(declared) if declared == length => return Ok(()),
                Some(_) => return self.refuse(ErrorKind::LengthMismatch),
                None if progress.arrived.end() > length => {
                    return self.refuse(ErrorKind::LengthMismatch);
                }
                None => progress.length = Some(length),
            }
            progress.dirty = true;
        }
        let body = self.body.clone();
        run(move || {
            let _phase = phase;
            let taken = body.take_room(length).and_then(|()| match body.keeping {
                Some(_) => body.save(false),
                None => Ok(()),
            });
            taken.map_err(|error| {
                lock(&body.progress).length = None;
                body.about(error)
            })
        })
        .await
    }

    async fn sync(&self) -> Result<()> {
        let phase = self.open().await?;
        self.settle().await?;
        let body = self.body.clone();
        let saved = run(move || {
            let _phase = phase;
            body.save(true).map_err(|error| body.about(error))
        })
        .await;
        if self.body.staged.is_spoiled() {
            self.discard().await?;
        }
        saved
    }

    async fn commit(&self, seal: Seal) -> Result<Entry> {
        let mut phase = self.body.phase.clone().write_owned().await;
        let body = self.body.clone();
        // The task goes on when this future is dropped: it has happened or not.
        run(move || {
            if *phase == Phase::Ended {
                return Err(body.about(Error::new(ErrorKind::UploadLost)));
            }
            let published = body
                .write_waiting()
                .and_then(|()| body.commit(&seal))
                .map_err(|error| body.about(error));
            // Also when only the last flush failed: it cannot be published twice.
            let is_published = published.is_ok() || body.staged.is_published();
            if is_published || body.staged.is_spoiled() {
                body.end(&mut phase);
                body.forget();
            }
            if is_published {
                body.consume_parts();
            }
            published
        })
        .await
    }

    async fn discard(&self) -> Result<()> {
        // Whoever writes ends now, so that it is not waited for.
        self.body.leases.end_all();
        let mut phase = self.body.phase.clone().write_owned().await;
        let body = self.body.clone();
        run(move || {
            if *phase == Phase::Open {
                body.end(&mut phase);
                body.forget();
            }
            Ok(())
        })
        .await
    }
}
