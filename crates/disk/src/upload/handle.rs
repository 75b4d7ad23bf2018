//! A handle of an upload: each method hands its work to a blocking thread.

use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use gaveta_core::{
    Check, Content, Entry, Error, ErrorKind, OnDrop, Result, Seal, Upload, UploadState,
};

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

impl Drop for DiskUpload {
    fn drop(&mut self) {
        // Saving, and freeing a large file, block. The body goes with the task, so that who takes
        // the upload up meanwhile finds it, and none can be loaded before it is saved.
        let body = self.body.clone();
        let work = move || {
            let saves = body.plan.on_drop == OnDrop::Keep && lock(&body.progress).unsaved > 0;
            if saves
                && let Ok(phase) = body.phase.clone().try_read_owned()
                && *phase == Phase::Open
                && let Err(error) = body.save()
            {
                tracing::warn!(error = error.chain(), id = %body.id, "an upload's state is not saved");
            }
        };
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(work)),
            Err(_) => work(),
        }
    }
}

#[async_trait]
impl Upload for DiskUpload {
    async fn state(&self) -> Result<UploadState> {
        Ok(self.body.state())
    }

    async fn write(&self, offset: u64, content: Content, check: Check) -> Result<u64> {
        writing::write(&self.body, offset, content, check)
            .await
            .map_err(|error| error.about(&self.body.plan.target))
    }

    async fn read(&self, range: Range<u64>) -> Result<Bytes> {
        let refuse = |kind| Err(Error::at(kind, &self.body.plan.target));
        if range.start >= range.end {
            return Ok(Bytes::new());
        }
        if range.end - range.start > MAX_READ {
            return refuse(ErrorKind::BadRequest);
        }
        let phase = self.body.phase.clone().read_owned().await;
        if *phase == Phase::Ended {
            return refuse(ErrorKind::UploadLost);
        }
        if !lock(&self.body.progress).arrived.covers(&range) {
            return refuse(ErrorKind::Incomplete);
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
        let phase = self.body.phase.clone().read_owned().await;
        let refuse = |kind| Err(Error::at(kind, &self.body.plan.target));
        if *phase == Phase::Ended {
            return refuse(ErrorKind::UploadLost);
        }
        {
            let mut progress = lock(&self.body.progress);
            match progress.length {
                Some(declared) if declared == length => return Ok(()),
                Some(_) => return refuse(ErrorKind::LengthMismatch),
                None if progress.arrived.end() > length => {
                    return refuse(ErrorKind::LengthMismatch);
                }
                None => progress.length = Some(length),
            }
        }
        let body = self.body.clone();
        run(move || {
            let _phase = phase;
            if let Err(error) = body.take_room(length) {
                lock(&body.progress).length = None;
                return Err(error.about(&body.plan.target));
            }
            if body.plan.on_drop == OnDrop::Keep {
                body.save()
            } else {
                Ok(())
            }
        })
        .await
    }

    async fn sync(&self) -> Result<()> {
        let phase = self.body.phase.clone().read_owned().await;
        if *phase == Phase::Ended {
            return Err(Error::at(ErrorKind::UploadLost, &self.body.plan.target));
        }
        let body = self.body.clone();
        run(move || {
            let _phase = phase;
            body.save()
        })
        .await
    }

    async fn commit(&self, seal: Seal) -> Result<Entry> {
        let mut phase = self.body.phase.clone().write_owned().await;
        let body = self.body.clone();
        // The task goes on when this future is dropped: it has happened or not.
        run(move || {
            let about = |error: Error| error.about(&body.plan.target);
            if *phase == Phase::Ended {
                return Err(about(Error::new(ErrorKind::UploadLost)));
            }
            let published = body.commit(&seal).map_err(about);
            // Also when only the last flush failed: it cannot be published twice.
            if published.is_ok() || body.staged.is_published() {
                body.end(&mut phase);
                body.forget();
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
