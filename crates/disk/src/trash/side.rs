//! The trash and what looks after the store, as others see them.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use async_trait::async_trait;
use futures_core::stream::BoxStream;
use gaveta_core::{
    Entry, Examined, ListPlan, Listing, Path, Reading, RestorePlan, Result, Stray, Trash, TrashId,
    TrashPlan, TrashState, Trashed, Upkeep,
};
use rustix::fs::OFlags;

use super::{Bin, examine, listing, restore};
use crate::base::{Base, open_file};
use crate::errno::error_on_the_way;
use crate::locks::lock;
use crate::store::run;
use crate::{os, reading};

/// The trash of an open folder.
#[derive(Debug)]
pub(crate) struct DiskTrash {
    base: Arc<Base>,
    bin: Arc<Bin>,
}

impl DiskTrash {
    pub(crate) fn of(base: &Arc<Base>) -> Option<Self> {
        Some(Self {
            base: base.clone(),
            bin: base.bin()?.clone(),
        })
    }
}

fn look_up(bin: &Bin, id: &TrashId) -> Result<Trashed> {
    let (_, folder) = bin.bucket_of(id)?;
    listing::look(bin, &folder, id, &TrashPlan::default())?.ok_or_else(|| id.unknown())
}

/// The bucket of a thing, and where what had this path lies within it; the root: the thing itself.
///
/// # Errors
/// `NotFound`, also for a path that is not the thing's and not beneath it.
fn find_within(base: &Base, id: &TrashId, path: &Path) -> Result<(OwnedFd, Path)> {
    let bin = base.bin().ok_or_else(|| id.unknown())?;
    let own = look_up(bin, id)?.entry.path;
    let within = path.beneath(&own).ok_or_else(|| id.unknown())?;
    Ok((bin.bucket_of(id)?.1, within))
}

fn open_thing(bucket: &OwnedFd, id: &TrashId) -> Result<OwnedFd> {
    os::open_folder(bucket, id.as_str()).map_err(error_on_the_way)
}

#[async_trait]
impl Trash for DiskTrash {
    async fn trashed(&self, plan: TrashPlan) -> Result<BoxStream<'static, Result<Trashed>>> {
        listing::list(self.bin.clone(), plan).await
    }

    async fn find(&self, id: &TrashId) -> Result<Trashed> {
        let (bin, id) = (self.bin.clone(), id.clone());
        run(move || look_up(&bin, &id)).await
    }

    async fn open(&self, id: &TrashId) -> Result<Arc<dyn Reading>> {
        let (base, bin, id) = (self.base.clone(), self.bin.clone(), id.clone());
        run(move || {
            let one = look_up(&bin, &id)?;
            let (_, folder) = bin.bucket_of(&id)?;
            let opened = open_file(&folder, id.as_str(), OFlags::RDONLY);
            let (file, meta) = opened.map_err(|error| error.about(&one.entry.path))?;
            let reading = reading::of_open(&base, one.entry.path, file, &meta);
            Ok(Arc::new(reading) as Arc<dyn Reading>)
        })
        .await
    }

    async fn restore(&self, id: &TrashId, plan: RestorePlan) -> Result<Entry> {
        let (base, bin, id) = (self.base.clone(), self.bin.clone(), id.clone());
        run(move || restore::restore(&base, &bin, &id, &plan)).await
    }

    async fn purge(&self, id: &TrashId) -> Result<()> {
        let (base, bin, id) = (self.base.clone(), self.bin.clone(), id.clone());
        run(move || {
            base.check_writable()?;
            let (_, folder) = bin.bucket_of(&id)?;
            bin.purge(&id)?;
            base.flush_folder(&folder)
        })
        .await
    }

    async fn state(&self) -> Result<TrashState> {
        let bin = self.bin.clone();
        run(move || {
            let (items, bytes, counting) = lock(&bin.totals).sum();
            Ok(TrashState {
                items,
                bytes,
                counting,
                most: bin.most(),
                kept: bin.options.keep,
            })
        })
        .await
    }
}

/// What looks after an open folder.
#[derive(Debug)]
pub(crate) struct DiskUpkeep {
    base: Arc<Base>,
}

impl DiskUpkeep {
    pub(crate) fn of(base: &Arc<Base>) -> Self {
        Self { base: base.clone() }
    }
}

#[async_trait]
impl Upkeep for DiskUpkeep {
    async fn examine(&self, path: &Path, gentle: bool) -> Result<Examined> {
        let (base, at) = (self.base.clone(), path.clone());
        let opened = run(move || base.file(&at)).await?;
        examine::read_whole(&self.base, path, opened, gentle)
            .await
            .map_err(|error| error.about(path))
    }

    async fn examine_trashed(&self, id: &TrashId, path: &Path, gentle: bool) -> Result<Examined> {
        let (base, id, at) = (self.base.clone(), id.clone(), path.clone());
        let opened = run(move || {
            let (bucket, within) = find_within(&base, &id, &at)?;
            let (Some(above), Some(name)) = (within.parent(), within.name()) else {
                return open_file(&bucket, id.as_str(), OFlags::RDONLY);
            };
            let top = open_thing(&bucket, &id)?;
            let folder = base.folder_in(top.as_fd(), &above)?;
            open_file(&folder, name, OFlags::RDONLY)
        })
        .await
        .map_err(|error| error.about(path))?;
        examine::read_whole(&self.base, path, opened, gentle)
            .await
            .map_err(|error| error.about(path))
    }

    async fn list_trashed(&self, id: &TrashId, folder: &Path, plan: ListPlan) -> Result<Listing> {
        let id = id.clone();
        crate::listing::list_opened(
            self.base.clone(),
            folder.clone(),
            plan,
            move |base, path| {
                let (bucket, within) = find_within(base, &id, path)?;
                let top = open_thing(&bucket, &id)?;
                base.folder_in(top.as_fd(), &within)
            },
        )
        .await
    }

    async fn strays(&self, most: usize) -> Result<(Vec<Stray>, u64)> {
        let base = self.base.clone();
        run(move || examine::strays(&base, most)).await
    }

    async fn keep_mark(&self, mark: &[u8]) -> Result<()> {
        let (base, mark) = (self.base.clone(), mark.to_vec());
        run(move || examine::keep_mark(&base, &mark)).await
    }

    async fn mark(&self) -> Result<Option<Vec<u8>>> {
        let base = self.base.clone();
        run(move || examine::mark(&base)).await
    }
}
