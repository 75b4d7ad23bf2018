//! The store: each method hands its work to a blocking thread.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use futures_core::stream::BoxStream;
use gaveta_core::{
    Digest, Entry, Error, ErrorKind, ListPlan, Listing, MovePlan, Outline, Path, ReadPlan, Reading,
    RemovePlan, Result, Space, Store, TouchPlan, Trash, Upkeep, Upload, UploadId, UploadState,
    Version, WritePlan,
};
use rustix::fs::Mode;

use crate::base::Base;
use crate::errno::Os;
use crate::trash::{DiskTrash, DiskUpkeep, Keeper};
use crate::{Options, copy, listing, moving, reading, remove, touch, trash, upload};

/// A folder as a store.
///
/// Crash-safety (with [`Durability::Full`](crate::Durability::Full)): what was answered is on disk,
/// whole, after a power cut; what was not answered happened whole or not at all.
#[derive(Debug, Clone)]
pub struct DiskStore {
    base: Arc<Base>,
}

impl DiskStore {
    /// Opens a folder. With [`Staging::Reserved`](crate::Staging::Reserved) it takes the folder's
    /// lock, which goes with the last clone, and clears what an unclean stop left. Blocks.
    ///
    /// # Errors
    /// `NotFound`, `NotFolder`, `Permission`; `Locked` when another server has the folder;
    /// `Unsupported` when a newer program wrote its `.gaveta`, or the named resolver is not there.
    pub fn open(root: &std::path::Path, options: Options) -> Result<Self> {
        let base = Arc::new(Base::open(root, options)?);
        upload::drop_incomplete(&base);
        trash::recover(&base);
        if let Some(bin) = base.bin() {
            base.keeper.get_or_init(|| Keeper::start(bin));
        }
        Ok(Self { base })
    }

    /// Keeps the digest of a file that somebody has read whole, so that it need not be read again.
    /// Best effort: not every file system can keep it.
    ///
    /// # Errors
    /// `VersionMismatch` when the file is another version by now; `ReadOnly`; as for a read.
    pub async fn remember_digest(
        &self,
        path: &Path,
        version: &Version,
        digest: Digest,
    ) -> Result<()> {
        let (path, version) = (path.clone(), version.clone());
        self.run(move |base| touch::remember(base, &path, &version, &digest))
            .await
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Arc<Base>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let base = self.base.clone();
        run(move || work(&base)).await
    }
}

/// Runs blocking work. It is completed even when the future is dropped.
pub(crate) async fn run<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    joined(tokio::task::spawn_blocking(work).await)
}

/// The result of a blocking task: it fails to join only when the runtime goes down, or by a panic.
pub(crate) fn joined<T>(result: Result<Result<T>, tokio::task::JoinError>) -> Result<T> {
    result.unwrap_or_else(|error| {
        let kind = if error.is_panic() {
            ErrorKind::Io
        } else {
            ErrorKind::Closing
        };
        Err(Error::new(kind).because(error))
    })
}

/// Tells long work to stop when its caller went away.
struct StopOnDrop(Arc<AtomicBool>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[async_trait]
impl Store for DiskStore {
    async fn stat(&self, path: &Path) -> Result<Entry> {
        let path = path.clone();
        self.run(move |base| moving::described(base, &path)).await
    }

    async fn list(&self, folder: &Path, plan: ListPlan) -> Result<Listing> {
        listing::list(self.base.clone(), folder.clone(), plan).await
    }

    async fn read(&self, path: &Path, plan: ReadPlan) -> Result<Arc<dyn Reading>> {
        let path = path.clone();
        let reading = self
            .run(move |base| reading::open(base, &path, &plan))
            .await?;
        Ok(Arc::new(reading))
    }

    async fn begin(&self, plan: WritePlan) -> Result<Arc<dyn Upload>> {
        Ok(Arc::new(upload::begin(&self.base, plan).await?))
    }

    async fn outline(&self, path: &Path, version: &Version) -> Result<Outline> {
        reading::outline(&self.base, path, version).await
    }

    async fn upload(&self, id: &UploadId, target: Option<&Path>) -> Result<Arc<dyn Upload>> {
        Ok(Arc::new(upload::take_up(&self.base, id, target).await?))
    }

    async fn uploads(&self) -> Result<BoxStream<'static, Result<UploadState>>> {
        upload::all(self.base.clone()).await
    }

    async fn make_folder(&self, path: &Path) -> Result<Entry> {
        let path = path.clone();
        self.run(move |base| {
            base.check_writable()?;
            if path.is_root() {
                return Err(Error::at(ErrorKind::Exists, &path));
            }
            let (parent, name) = base.parent(&path)?;
            rustix::fs::mkdirat(&parent, name, Mode::from_raw_mode(0o777)).os_at(&path)?;
            base.flush_folder(&parent)
                .map_err(|error| error.about(&path))?;
            Ok(crate::os::meta_at(&parent, name)
                .os_at(&path)?
                .entry(path, None))
        })
        .await
    }

    async fn remove(&self, path: &Path, plan: RemovePlan) -> Result<()> {
        let path = path.clone();
        self.run(move |base| remove::remove(base, &path, &plan))
            .await
    }

    async fn rename(&self, from: &Path, to: &Path, plan: MovePlan) -> Result<Entry> {
        let (from, to) = (from.clone(), to.clone());
        self.run(move |base| moving::rename(base, &from, &to, &plan))
            .await
    }

    async fn copy(&self, from: &Path, to: &Path, plan: MovePlan) -> Result<Entry> {
        let (from, to) = (from.clone(), to.clone());
        let stop = Arc::new(AtomicBool::new(false));
        let _stop = StopOnDrop(stop.clone());
        self.run(move |base| copy::copy(base, &from, &to, &plan, &stop))
            .await
    }

    async fn touch(&self, path: &Path, plan: TouchPlan) -> Result<Entry> {
        let path = path.clone();
        self.run(move |base| touch::touch(base, &path, &plan)).await
    }

    fn trash(&self) -> Option<Arc<dyn Trash>> {
        DiskTrash::of(&self.base).map(|trash| Arc::new(trash) as Arc<dyn Trash>)
    }

    fn round_trip(&self) -> Option<std::time::Duration> {
        None
    }

    fn upkeep(&self) -> Option<Arc<dyn Upkeep>> {
        Some(Arc::new(DiskUpkeep::of(&self.base)))
    }

    async fn space(&self) -> Result<Space> {
        self.run(|base| {
            let all = rustix::fs::fstatvfs(base.root()).os()?;
            let bytes = |blocks: u64| blocks.saturating_mul(all.f_frsize);
            Ok(Space {
                total: bytes(all.f_blocks),
                free: bytes(all.f_bavail),
            })
        })
        .await
    }
}

/// A range that is no range, or lies where no file can reach, is refused.
pub(crate) fn check_offset(range: &Range<u64>) -> Result<()> {
    if range.end > i64::MAX as u64 {
        Err(Error::new(ErrorKind::BadRange))
    } else {
        Ok(())
    }
}
