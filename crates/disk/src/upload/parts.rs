//! Uploads that are made of others, one after another: the concatenation of tus.

use std::sync::Arc;

use gaveta_core::{Error, ErrorKind, Result, UploadId, WritePlan};
use tokio::sync::OwnedRwLockReadGuard;

use super::kept::{self, MAX_PARTS};
use super::{Body, DiskUpload, Phase, take_up};
use crate::base::Base;
use crate::copy::copy_roomy;
use crate::locks::lock;

/// A complete part. Nobody commits or drops it while it is held here.
#[derive(Debug)]
pub(super) struct Part {
    upload: DiskUpload,
    length: u64,
    _phase: OwnedRwLockReadGuard<Phase>,
}

/// Finds the parts of a plan.
///
/// # Errors
/// `UnknownUpload` for one that is not there, or is another's; `BadRequest` for one with a target,
/// or for too many; `Incomplete`.
pub(super) async fn take(base: &Arc<Base>, plan: &WritePlan) -> Result<Vec<Part>> {
    if plan.parts.len() > MAX_PARTS {
        return Err(Error::bad_request("too many parts"));
    }
    let mut parts = Vec::with_capacity(plan.parts.len());
    for id in &plan.parts {
        let upload = take_up(base, id, None).await?;
        let body = &upload.body;
        if body.plan.owner != plan.owner {
            return Err(Error::new(ErrorKind::UnknownUpload));
        }
        if body.plan.target.is_some() {
            return Err(Error::bad_request("a part has a target of its own"));
        }
        let phase = body.phase.clone().read_owned().await;
        if *phase == Phase::Ended {
            return Err(Error::new(ErrorKind::UnknownUpload));
        }
        let length = {
            let progress = lock(&body.progress);
            progress
                .length
                .filter(|&length| progress.arrived.covers(&(0..length)))
        };
        parts.push(Part {
            length: length.ok_or_else(|| Error::new(ErrorKind::Incomplete))?,
            _phase: phase,
            upload,
        });
    }
    Ok(parts)
}

/// How long the parts are together.
pub(super) fn length(parts: &[Part]) -> Result<u64> {
    let sum = parts
        .iter()
        .try_fold(0_u64, |sum, part| sum.checked_add(part.length));
    sum.filter(|&sum| sum <= i64::MAX as u64)
        .ok_or_else(|| Error::new(ErrorKind::TooLarge))
}

impl Body {
    /// Fills a new upload with its parts.
    pub(super) fn assemble(&self, parts: &[Part]) -> Result<()> {
        let mut at = 0;
        for part in parts {
            let staged = &part.upload.body.staged;
            // The system may have let go of what it could not write: what is read then is not what
            // arrived. A flush tells.
            staged.flush(&self.base)?;
            let from = &staged.file;
            copy_roomy(&self.base, (from, 0), (&self.staged.file, at), part.length)?;
            at += part.length;
        }
        // Kept uploads hash their chunks now; others with the commit.
        self.count(0..at)
    }

    /// Drops the parts that this upload was made of.
    pub(super) fn consume_parts(&self) {
        for id in &self.plan.parts {
            let held = lock(&self.base.live)
                .get(id)
                .and_then(std::sync::Weak::upgrade);
            match held {
                Some(body) => {
                    body.leases.end_all();
                    let mut phase = body.phase.blocking_write();
                    if *phase == Phase::Open {
                        body.end(&mut phase);
                        body.forget();
                    }
                }
                None => forget(&self.base, id),
            }
        }
    }
}

fn forget(base: &Base, id: &UploadId) {
    if let Err(error) = kept::forget(base, id) {
        tracing::warn!(error = error.chain(), %id, "a part stays");
    }
}
