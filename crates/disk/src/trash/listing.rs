//! What lies in the trash, the newest first, one bucket in memory at a time.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use futures_core::stream::BoxStream;
use futures_util::{StreamExt, TryStreamExt, stream};
use gaveta_core::{Kind, Result, TrashId, TrashPlan, Trashed};
use rustix::fs::OFlags;

use super::info::Info;
use super::{Bin, bucket_name, ids, number_of};
use crate::base::open_file;
use crate::errno::{Os, found};
use crate::store::run;
use crate::{note, os};

/// How many are looked at in one go.
const BATCH: usize = 128;

struct Reader {
    bin: Arc<Bin>,
    plan: TrashPlan,
    /// What is left, the next one last.
    buckets: Vec<u64>,
    open: Option<(OwnedFd, Vec<TrashId>)>,
}

pub(super) async fn list(
    bin: Arc<Bin>,
    plan: TrashPlan,
) -> Result<BoxStream<'static, Result<Trashed>>> {
    let reader = run(move || {
        let mut buckets = bin.buckets()?;
        if let Some(last) = plan.after.as_ref().and_then(number_of) {
            buckets.retain(|number| *number <= last);
        }
        Ok(Reader {
            bin,
            plan,
            buckets,
            open: None,
        })
    })
    .await?;
    let batches = stream::try_unfold(reader, |mut reader| async move {
        run(move || {
            let batch = reader.next_batch()?;
            Ok(batch.map(|batch| (batch, reader)))
        })
        .await
    });
    let items = batches.map_ok(|batch| stream::iter(batch.into_iter().map(Ok)));
    Ok(items.try_flatten().boxed())
}

impl Reader {
    /// The next ones that the plan takes, perhaps none of those looked at; `None` at the end.
    fn next_batch(&mut self) -> Result<Option<Vec<Trashed>>> {
        let Some((folder, ids)) = &mut self.open else {
            let Some(number) = self.buckets.pop() else {
                return Ok(None);
            };
            let name = bucket_name(number);
            if let Some(folder) = found(os::open_folder(&self.bin.all, name.as_str())).os()? {
                let mut all = ids(&folder)?;
                if let Some(after) = &self.plan.after {
                    all.retain(|id| id < after);
                }
                self.open = Some((folder, all));
            }
            return Ok(Some(Vec::new()));
        };
        let mut batch = Vec::new();
        for _ in 0..BATCH {
            let Some(id) = ids.pop() else {
                self.open = None;
                break;
            };
            if let Some(one) = look(&self.bin, folder, &id, &self.plan)? {
                batch.push(one);
            }
        }
        Ok(Some(batch))
    }
}

/// One thing, when it is there and the plan takes it.
pub(super) fn look(
    bin: &Bin,
    folder: &OwnedFd,
    id: &TrashId,
    plan: &TrashPlan,
) -> Result<Option<Trashed>> {
    if bin.is_pending(id) {
        return Ok(None);
    }
    let (Some(info), Some(meta)) = (
        Info::read(folder, id)?,
        found(os::meta_at(folder, id.as_str())).os()?,
    ) else {
        return Ok(None);
    };
    let mut one = Trashed {
        id: id.clone(),
        entry: meta.entry(info.path, None),
        cause: info.cause,
        at: info.at,
        by: info.by,
    };
    if !plan.takes(&one) {
        return Ok(None);
    }
    if meta.kind == Kind::File
        && let Ok((file, opened)) = open_file(folder, id.as_str(), OFlags::RDONLY)
    {
        one.entry.digest = note::read(&file, &opened);
    }
    Ok(Some(one))
}
