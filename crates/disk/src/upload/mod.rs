//! Content under way: staged, written at any range, published whole.

mod handle;
mod kept;
mod lease;
mod writing;

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use futures_core::stream::BoxStream;
use futures_util::{StreamExt, stream};
use gaveta_core::{
    Digest, Entry, Error, ErrorKind, Hasher, OnDrop, Path, Ranges, Result, Seal, UploadId,
    UploadState, WritePlan,
};
use tokio::sync::RwLock;

use crate::base::Base;
use crate::copy::copy_content;
use crate::errno::Os;
use crate::failpoint;
use crate::locks::lock;
use crate::os;
use crate::publish::{Attributes, Coming, check_replace, publish};
use crate::reading::read_range;
use crate::staged::{Place, Staged, random_bytes};
use crate::store::run;
pub(crate) use handle::DiskUpload;
use lease::Leases;

/// How much room is taken before content comes. A length is only a word: many who announce much and
/// send nothing would fill the disk for everybody.
const ROOM_AHEAD: u64 = 4 << 20;

/// How much is hashed at once.
const HASH_PIECE: u64 = 1 << 20;

/// How far an upload is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Open,
    Ended,
}

/// What has arrived.
#[derive(Debug)]
struct Progress {
    length: Option<u64>,
    arrived: Ranges,
    /// What the state file lists: a part of `arrived`.
    durable: Ranges,
    /// How much was written since the state was saved.
    unsaved: u64,
    /// The digest of the content from 0 on, as far as it came in order.
    hasher: Hasher,
    touched: SystemTime,
}

impl Progress {
    fn new(length: Option<u64>) -> Self {
        Self {
            length,
            arrived: Ranges::new(),
            durable: Ranges::new(),
            unsaved: 0,
            hasher: Hasher::new(),
            touched: SystemTime::now(),
        }
    }

    fn state(&self, id: &UploadId, plan: &WritePlan) -> UploadState {
        UploadState {
            id: id.clone(),
            target: plan.target.clone(),
            owner: plan.owner.clone(),
            length: self.length,
            arrived: self.arrived.clone(),
            touched: self.touched,
        }
    }
}

/// One upload, shared by all its handles and by the pieces being written.
#[derive(Debug)]
pub(crate) struct Body {
    base: Arc<Base>,
    id: UploadId,
    plan: WritePlan,
    staged: Staged,
    /// Pieces share it; the end of the upload has it alone.
    phase: Arc<RwLock<Phase>>,
    progress: Mutex<Progress>,
    /// Held while the state is saved, or bytes that it lists are overwritten.
    saving: Mutex<()>,
    leases: Arc<Leases>,
    /// For the crash tests' bad example only.
    in_place: bool,
}

/// Starts new content. Blocks.
pub(crate) fn begin(base: &Arc<Base>, plan: WritePlan) -> Result<DiskUpload> {
    base.check_writable()?;
    let target = &plan.target;
    if target.is_root() {
        return Err(Error::at(ErrorKind::IsFolder, target));
    }
    let there = match base.look(target) {
        Ok(there) => Some(there),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    check_replace(there.as_ref(), &plan.replace, Coming::Content).map_err(|e| e.about(target))?;
    let id = UploadId::from_bytes(random_bytes()?);
    let in_place = failpoint::unsafe_in_place();
    let staged = match plan.on_drop {
        _ if in_place => open_in_place(base, target)?,
        OnDrop::Discard => Place::near(base, target)?.create()?,
        OnDrop::Keep => kept::create(base, &id)?,
    };
    let length = plan.length;
    let body = Arc::new(Body::new(
        base.clone(),
        id,
        plan,
        staged,
        Progress::new(length),
        in_place,
    ));
    if let Err(error) = length.map_or(Ok(()), |length| body.take_room(length)) {
        body.forget();
        return Err(error.about(&body.plan.target));
    }
    if body.plan.on_drop == OnDrop::Keep {
        if let Err(error) = body.save() {
            body.forget();
            return Err(error.about(&body.plan.target));
        }
        body.staged.keep();
        lock(&base.live).insert(body.id.clone(), Arc::downgrade(&body));
    }
    Ok(DiskUpload { body })
}

/// The bad example that the crash tests must catch: writes into the target itself.
fn open_in_place(base: &Base, target: &Path) -> Result<Staged> {
    use rustix::fs::{Mode, OFlags};
    let (folder, name, _) = base.make_parents(target)?;
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::TRUNC | os::FILE;
    let file = rustix::fs::openat(&folder, name, flags, Mode::from_raw_mode(0o644)).os()?;
    let place = Place {
        folder: Arc::new(folder),
        name: name.to_owned(),
    };
    Ok(Staged::new(place, file, false))
}

/// Takes a kept upload up again.
pub(crate) async fn take_up(base: &Arc<Base>, id: &UploadId) -> Result<DiskUpload> {
    let body = find_or_load(base, id).await?;
    if *body.phase.clone().read_owned().await == Phase::Ended {
        return Err(Error::new(ErrorKind::UnknownUpload));
    }
    Ok(DiskUpload { body })
}

/// The upload that somebody holds, else the one on disk. It is loaded once, however many ask.
async fn find_or_load(base: &Arc<Base>, id: &UploadId) -> Result<Arc<Body>> {
    let _loading = base.loading.lock().await;
    let held = lock(&base.live).get(id).and_then(std::sync::Weak::upgrade);
    if let Some(body) = held {
        return Ok(body);
    }
    let (base, id) = (base.clone(), id.clone());
    run(move || {
        let (staged, plan, progress) = kept::load(&base, &id)?;
        let body = Arc::new(Body::new(
            base.clone(),
            id.clone(),
            plan,
            staged,
            progress,
            false,
        ));
        lock(&base.live).insert(id, Arc::downgrade(&body));
        Ok(body)
    })
    .await
}

/// What is known of every kept upload.
pub(crate) async fn all(base: Arc<Base>) -> Result<BoxStream<'static, Result<UploadState>>> {
    let ids = run({
        let base = base.clone();
        move || kept::ids(&base)
    })
    .await?;
    let states = stream::iter(ids).filter_map(move |id| {
        let base = base.clone();
        async move {
            let state = run(move || {
                let held = lock(&base.live).get(&id).and_then(std::sync::Weak::upgrade);
                match held {
                    Some(body) => Ok(body.state()),
                    None => kept::state(&base, &id),
                }
            });
            match state.await {
                // Committed or discarded meanwhile, or a leftover.
                Err(error) if error.kind() == ErrorKind::UnknownUpload => None,
                result => Some(result),
            }
        }
    });
    Ok(states.boxed())
}

/// Drops what an unclean stop left of uploads that were not yet begun or already committed. Blocks.
pub(crate) fn drop_incomplete(base: &Base) {
    for id in kept::ids(base).unwrap_or_default() {
        if kept::state(base, &id).is_err_and(|e| e.kind() == ErrorKind::UnknownUpload)
            && let Err(error) = kept::forget(base, &id)
        {
            tracing::warn!(error = error.chain(), %id, "an upload's leftovers stay");
        }
    }
}

impl Body {
    fn new(
        base: Arc<Base>,
        id: UploadId,
        plan: WritePlan,
        staged: Staged,
        progress: Progress,
        in_place: bool,
    ) -> Self {
        Self {
            base,
            id,
            plan,
            staged,
            phase: Arc::new(RwLock::new(Phase::Open)),
            progress: Mutex::new(progress),
            saving: Mutex::default(),
            leases: Arc::default(),
            in_place,
        }
    }

    fn state(&self) -> UploadState {
        lock(&self.progress).state(&self.id, &self.plan)
    }

    /// Refuses what does not fit, and takes the room for the first [`ROOM_AHEAD`] bytes.
    fn take_room(&self, length: u64) -> Result<()> {
        let file = &self.staged.file;
        let all = rustix::fs::fstatvfs(file).os()?;
        let root = rustix::process::geteuid().is_root();
        let blocks = if root { all.f_bfree } else { all.f_bavail };
        let free = blocks.saturating_mul(all.f_frsize);
        let taken = os::meta_of(file).os()?.size;
        // Asked first: filling the disk only to find that it is too small would hurt others. A file
        // system that counts no blocks does not tell.
        if all.f_blocks > 0 && length.saturating_sub(taken) > free {
            return Err(Error::new(ErrorKind::NoSpace));
        }
        if length == 0 {
            Ok(())
        } else {
            os::preallocate(file, length.min(ROOM_AHEAD)).os()
        }
    }

    /// Saves the state of a kept upload: flushes the content, then lists what had arrived.
    fn save(&self) -> Result<()> {
        let full = self.base.is_full();
        if self.plan.on_drop == OnDrop::Discard {
            return self.base.flush_file(&self.staged.file);
        }
        let _saving = lock(&self.saving);
        let arrived = {
            let mut progress = lock(&self.progress);
            progress.unsaved = 0;
            progress.arrived.clone()
        };
        self.base.flush_file(&self.staged.file)?;
        self.save_listing(arrived, full)
    }

    /// Writes the state file. The caller holds `saving`.
    fn save_listing(&self, arrived: Ranges, full: bool) -> Result<()> {
        let folder = &self.staged.place.folder;
        let snapshot = {
            let progress = lock(&self.progress);
            Progress {
                touched: progress.touched,
                ..Progress::new(progress.length)
            }
        };
        kept::save(folder, &self.plan, &snapshot, &arrived, full)?;
        lock(&self.progress).durable = arrived;
        Ok(())
    }

    /// Checks and publishes. Blocks; nobody else writes meanwhile.
    fn commit(&self, seal: &Seal) -> Result<Entry> {
        let (length, hasher) = {
            let progress = lock(&self.progress);
            let mismatch = |kind| Err(Error::new(kind));
            let length = match (progress.length, seal.length) {
                (Some(declared), Some(sealed)) if declared != sealed => {
                    return mismatch(ErrorKind::LengthMismatch);
                }
                (declared, sealed) => declared.or(sealed).unwrap_or(progress.arrived.end()),
            };
            if progress.arrived.end() > length {
                return mismatch(ErrorKind::LengthMismatch);
            }
            if !progress.arrived.covers(&(0..length)) {
                return mismatch(ErrorKind::Incomplete);
            }
            (length, progress.hasher.clone())
        };
        let digest = self.whole_digest(length, hasher)?;
        if seal.digest.is_some_and(|expected| expected != digest) {
            return Err(Error::new(ErrorKind::DigestMismatch));
        }
        // A write that failed in the middle, or was refused, may have left bytes behind the end.
        self.staged.file.set_len(length)?;
        if self.in_place {
            let meta = os::meta_of(&self.staged.file).os()?;
            return Ok(meta.entry(self.plan.target.clone(), Some(digest)));
        }
        let attributes = Attributes {
            modified: self.plan.modified,
            executable: self.plan.executable,
            digest: Some(digest),
        };
        let again = if self.staged.is_lost() {
            Some(self.stage_again()?)
        } else {
            None
        };
        let staged = again.as_ref().unwrap_or(&self.staged);
        let (target, replace) = (&self.plan.target, &self.plan.replace);
        publish(
            &self.base,
            staged,
            target,
            replace,
            &attributes,
            Coming::Content,
        )
    }

    /// Goes on where hashing in order ended.
    fn whole_digest(&self, length: u64, mut hasher: Hasher) -> Result<Digest> {
        while hasher.count() < length {
            let end = (hasher.count() + HASH_PIECE).min(length);
            hasher.update(&read_range(&self.staged.file, hasher.count()..end)?);
        }
        Ok(hasher.digest())
    }

    /// Stages the content again. Beside its target, it went with its folder when that was removed;
    /// the open file still has it.
    fn stage_again(&self) -> Result<Staged> {
        let again = Place::near(&self.base, &self.plan.target)?.create()?;
        let meta = os::meta_of(&self.staged.file).os()?;
        copy_content(
            &self.staged.file,
            &meta,
            &again.file,
            &AtomicBool::new(false),
        )?;
        Ok(again)
    }

    /// Removes what is staged and kept.
    fn forget(&self) {
        if self.in_place {
            return;
        }
        self.staged.keep();
        lock(&self.base.live).remove(&self.id);
        let gone = match self.plan.on_drop {
            OnDrop::Keep => kept::forget(&self.base, &self.id),
            OnDrop::Discard => {
                crate::base::unlink_quietly(&*self.staged.place.folder, &self.staged.place.name);
                Ok(())
            }
        };
        if let Err(error) = gone {
            tracing::warn!(error = error.chain(), id = %self.id, "an upload leaves something behind");
        }
    }

    /// Ends its life on a successful commit or a discard.
    fn end(&self, phase: &mut Phase) {
        *phase = Phase::Ended;
        self.leases.end_all();
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        let mut live = lock(&self.base.live);
        if live
            .get(&self.id)
            .is_some_and(|body| body.strong_count() == 0)
        {
            live.remove(&self.id);
        }
    }
}
