//! Content under way: staged, written at any range, published whole.

mod ahead;
mod budget;
mod commit;
mod gathered;
mod handle;
mod journal;
mod kept;
mod lease;
mod parts;
mod saving;
mod sums;
mod verify;
mod writing;

use std::fs::File;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::SystemTime;

use futures_core::stream::BoxStream;
use futures_util::{StreamExt, stream};
use gaveta_core::upload::MAX_NOTE;
use gaveta_core::{
    Error, ErrorKind, OnDrop, Path, Ranges, Result, UploadId, UploadState, Version, WritePlan,
};
use tokio::sync::RwLock;

use crate::base::Base;
use crate::errno::Os;
use crate::failpoint;
use crate::locks::lock;
use crate::meta::Meta;
use crate::os;
use crate::publish::{Coming, check_replace, check_version};
use crate::staged::{Place, Staged, random_bytes};
use crate::store::{joined, run};
use ahead::Ahead;
pub(crate) use budget::Budget;
pub(crate) use handle::DiskUpload;
use journal::Journal;
use kept::{Loaded, Shelf};
use lease::Leases;
use parts::Part;
use sums::Sums;
use writing::Write;

/// How much room is taken before content comes. A length is only a word: many who announce much and
/// send nothing would fill the disk for everybody.
const ROOM_AHEAD: u64 = 4 << 20;
/// For less, none is looked for or taken ahead: its only write asks for as much.
const WORTH_ROOM: u64 = 256 << 10;

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
    sums: Sums,
    /// The chunks (by index) that the journal lists.
    journaled: Ranges,
    /// The bytes that the state file lists.
    saved: Ranges,
    /// Something changed since the state was saved.
    dirty: bool,
    /// A mark on disk vouches for what is listed there.
    marked: bool,
    touched: SystemTime,
}

impl Progress {
    fn new(length: Option<u64>) -> Self {
        Self {
            length,
            arrived: Ranges::new(),
            sums: Sums::default(),
            journaled: Ranges::new(),
            saved: Ranges::new(),
            dirty: false,
            marked: false,
            touched: SystemTime::now(),
        }
    }
}

/// Where a kept upload is written down.
#[derive(Debug)]
struct Keeping {
    shelf: Shelf,
    journal: Mutex<Journal>,
}

impl Keeping {
    fn new(shelf: Shelf, sequence: u64) -> Self {
        let journal = Journal::new(shelf.folder.clone(), shelf.journal(), sequence);
        Self {
            shelf,
            journal: Mutex::new(journal),
        }
    }
}

/// What the upload starts from. The open file stays that version while others replace it.
#[derive(Debug)]
struct Origin {
    version: Version,
    /// None when it was gone as the upload was taken up again.
    opened: Option<(File, Meta)>,
}

impl Origin {
    fn open(base: &Base, target: &Path, version: &Version) -> Result<Self> {
        let gone = |error: Error| match error.kind() {
            ErrorKind::NotFound | ErrorKind::NotFolder => {
                Error::at(ErrorKind::VersionMismatch, target).because(error)
            }
            _ => error,
        };
        let (file, meta) = base.file(target).map_err(gone)?;
        check_version(&meta, Some(version)).map_err(|error| error.about(target))?;
        Ok(Self {
            version: version.clone(),
            opened: Some((file.into(), meta)),
        })
    }

    fn size(&self) -> Option<u64> {
        self.opened.as_ref().map(|(_, meta)| meta.size)
    }
}

/// One upload, shared by all its handles and by the pieces being written.
///
/// Locks are taken in this order: `saving`, the journal, `progress`.
#[derive(Debug)]
pub(crate) struct Body {
    base: Arc<Base>,
    id: UploadId,
    plan: WritePlan,
    staged: Staged,
    keeping: Option<Keeping>,
    origin: Option<Origin>,
    /// Pieces share it; the end of the upload has it alone.
    phase: Arc<RwLock<Phase>>,
    progress: Mutex<Progress>,
    /// Held while the state is saved, or bytes that it lists are overwritten.
    saving: Mutex<()>,
    leases: Arc<Leases>,
    /// Held while bytes go into the file: the system lets one in at a time, and who waits there
    /// would spin on the processor that the others need.
    writing: Mutex<()>,
    /// A small whole that arrived and is not in the file yet: the commit, or whoever asks for
    /// anything else, writes it.
    waiting: Arc<tokio::sync::Mutex<Option<Write>>>,
    ahead: Mutex<Ahead>,
    /// How many hold it.
    handles: AtomicUsize,
    /// For the crash tests' bad example only.
    in_place: bool,
}

/// Starts new content.
pub(crate) async fn begin(base: &Arc<Base>, plan: WritePlan) -> Result<DiskUpload> {
    base.check_writable()?;
    let parts = parts::take(base, &plan).await?;
    let base = base.clone();
    run(move || begin_now(&base, plan, &parts)).await
}

fn check_plan(base: &Base, plan: &WritePlan) -> Result<()> {
    if plan.note.as_ref().is_some_and(|note| note.len() > MAX_NOTE) {
        return Err(Error::bad_request("the note is too long"));
    }
    if plan.base.is_some() && (plan.target.is_none() || !plan.parts.is_empty()) {
        return Err(Error::bad_request(
            "only a target's own content can be a base",
        ));
    }
    let Some(target) = &plan.target else {
        return Ok(());
    };
    if target.is_root() {
        return Err(Error::at(ErrorKind::IsFolder, target));
    }
    let there = match base.look(target) {
        Ok(there) => Some(there),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    check_replace(there.as_ref(), &plan.replace, Coming::Content).map_err(|e| e.about(target))
}

fn begin_now(base: &Arc<Base>, mut plan: WritePlan, parts: &[Part]) -> Result<DiskUpload> {
    check_plan(base, &plan)?;
    if !plan.parts.is_empty() {
        let length = parts::length(parts)?;
        if plan.length.is_some_and(|declared| declared != length) {
            return Err(Error::new(ErrorKind::LengthMismatch));
        }
        plan.length = Some(length);
    }
    let origin = match (&plan.target, &plan.base) {
        (Some(target), Some(version)) => Some(Origin::open(base, target, version)?),
        _ => None,
    };
    let id = match plan.id.take() {
        Some(id) if is_taken(base, &id) => {
            return Err(Error::new(ErrorKind::Exists).because("the id is taken"));
        }
        Some(id) => id,
        // Of 128 random bits: nobody has it.
        None => UploadId::from_bytes(random_bytes()?),
    };
    plan.id = Some(id.clone());
    let in_place = failpoint::unsafe_in_place();
    let (shelf, staged) = match (&plan.target, plan.on_drop) {
        (Some(target), _) if in_place => (None, open_in_place(base, target)?),
        (target, OnDrop::Keep) => {
            let (shelf, staged) = Shelf::create(base, &id, target.as_ref())?;
            (Some(shelf), staged)
        }
        (target, OnDrop::Discard) => {
            let near = target.clone().unwrap_or_else(Path::root);
            (None, base.roomy(|| Place::near(base, &near)?.create())?)
        }
    };
    let keeping = shelf.map(|shelf| Keeping::new(shelf, 0));
    let progress = Progress::new(plan.length);
    let mut body = Body::new(base.clone(), id, plan, staged, progress);
    body.keeping = keeping;
    body.origin = origin;
    body.in_place = in_place;
    if let Err(error) = body.set_up(parts) {
        body.forget();
        return Err(body.about(error));
    }
    let body = Arc::new(body);
    if body.keeping.is_some() {
        body.staged.keep();
        lock(&base.live).insert(body.id.clone(), Arc::downgrade(&body));
    }
    Ok(DiskUpload::new(body))
}

/// Does somebody hold an upload of this id, or is one kept?
fn is_taken(base: &Base, id: &UploadId) -> bool {
    lock(&base.live)
        .get(id)
        .is_some_and(|body| body.strong_count() > 0)
        || kept::has(base, id)
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

/// Takes a kept upload up again. After an unclean stop it is hashed again first; that goes on when
/// this future is dropped, so that who asks once more finds it done.
pub(crate) async fn take_up(
    base: &Arc<Base>,
    id: &UploadId,
    target: Option<&Path>,
) -> Result<DiskUpload> {
    if base.check_writable().is_err() {
        return Err(Error::new(ErrorKind::UnknownUpload));
    }
    let (base, id, target) = (base.clone(), id.clone(), target.cloned());
    let found = tokio::spawn(async move { find_or_load(&base, &id, target.as_ref()).await });
    let upload = joined(found.await)?;
    if *upload.body.phase.clone().read_owned().await == Phase::Ended {
        return Err(Error::new(ErrorKind::UnknownUpload));
    }
    Ok(upload)
}

/// The upload that somebody holds, else the one on disk. It is loaded once, however many ask.
async fn find_or_load(
    base: &Arc<Base>,
    id: &UploadId,
    target: Option<&Path>,
) -> Result<DiskUpload> {
    let _turn = base.loading.take(id).await;
    let held = lock(&base.live).get(id).and_then(Weak::upgrade);
    if let Some(body) = held {
        return Ok(DiskUpload::new(body));
    }
    let (opened, listed) = {
        let (base, id, target) = (base.clone(), id.clone(), target.cloned());
        run(move || open_kept(&base, &id, target.as_ref())).await?
    };
    // No handle before: what is not yet verified must not be marked as if it were.
    verify::admit(&opened, listed).await?;
    lock(&base.live).insert(id.clone(), Arc::downgrade(&opened));
    Ok(DiskUpload::new(opened))
}

fn open_kept(
    base: &Arc<Base>,
    id: &UploadId,
    target: Option<&Path>,
) -> Result<(Arc<Body>, kept::Listed)> {
    let Loaded {
        shelf,
        staged,
        plan,
        listed,
    } = kept::load(base, id, target)?;
    let origin = match (&plan.target, &plan.base) {
        (Some(target), Some(version)) => {
            Some(Origin::open(base, target, version).unwrap_or(Origin {
                version: version.clone(),
                opened: None,
            }))
        }
        _ => None,
    };
    let progress = Progress::new(plan.length);
    let mut body = Body::new(base.clone(), id.clone(), plan, staged, progress);
    body.keeping = Some(Keeping::new(shelf, listed.sequence));
    body.origin = origin;
    Ok((Arc::new(body), listed))
}

/// What is known of every kept upload. Of one that nobody holds: what is recorded, which after an
/// unclean stop is not hashed again before somebody takes it up.
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
                let held = lock(&base.live).get(&id).and_then(Weak::upgrade);
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
    ) -> Self {
        Self {
            base,
            id,
            plan,
            staged,
            keeping: None,
            origin: None,
            phase: Arc::new(RwLock::new(Phase::Open)),
            progress: Mutex::new(progress),
            saving: Mutex::default(),
            leases: Arc::default(),
            writing: Mutex::default(),
            waiting: Arc::default(),
            ahead: Mutex::default(),
            handles: AtomicUsize::new(0),
            in_place: false,
        }
    }

    /// Takes the room, brings the parts, and writes down that it is there.
    fn set_up(&self, parts: &[Part]) -> Result<()> {
        if let Some(length) = self.plan.length {
            self.take_room(length)?;
        }
        if !self.plan.parts.is_empty() {
            self.assemble(parts)?;
        }
        if self.keeping.is_some() {
            self.save(false)?;
        }
        Ok(())
    }

    fn state(&self) -> UploadState {
        let progress = lock(&self.progress);
        UploadState {
            id: self.id.clone(),
            target: self.plan.target.clone(),
            owner: self.plan.owner.clone(),
            length: progress.length,
            arrived: progress.arrived.clone(),
            base: self.plan.base.clone(),
            note: self.plan.note.clone(),
            touched: progress.touched,
        }
    }

    /// The error, about the target.
    fn about(&self, error: Error) -> Error {
        match &self.plan.target {
            Some(target) => error.about(target),
            None => error,
        }
    }

    /// Refuses what does not fit, and takes the room for the first [`ROOM_AHEAD`] bytes of what is
    /// not small. The trash gives way only to bytes that come: here it is asked whether it could.
    fn take_room(&self, length: u64) -> Result<()> {
        if length < WORTH_ROOM {
            // Its write says as much, and leaves no full disk behind.
            return Ok(());
        }
        let file = &self.staged.file;
        let room = || -> Result<Option<u64>> {
            let all = rustix::fs::fstatvfs(file).os()?;
            let root = rustix::process::geteuid().is_root();
            let blocks = if root { all.f_bfree } else { all.f_bavail };
            // A file system that counts no blocks does not tell.
            Ok((all.f_blocks > 0).then(|| blocks.saturating_mul(all.f_frsize)))
        };
        let wanted = length.saturating_sub(os::meta_of(file).os()?.size);
        let yields = self.base.bin().map_or(0, |bin| bin.could_yield());
        // Asked first: filling the disk only to find that it is too small would hurt others.
        if room()?.is_some_and(|free| wanted > free.saturating_add(yields)) {
            return Err(Error::new(ErrorKind::NoSpace));
        }
        match os::preallocate(file, length.min(ROOM_AHEAD)).os() {
            Err(error) if error.kind() == ErrorKind::NoSpace && yields > 0 => Ok(()),
            result => result,
        }
    }

    /// Removes what is staged and kept.
    fn forget(&self) {
        if self.in_place {
            return;
        }
        self.staged.keep();
        lock(&self.base.live).remove(&self.id);
        let gone = match &self.keeping {
            Some(keeping) => keeping.shelf.forget(&self.base, &self.id),
            None if self.staged.is_published() => Ok(()),
            None => {
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

    fn is_held(&self) -> bool {
        self.handles.load(Ordering::Acquire) > 0
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
