//! A store that does to its callers what tests tell it to.

#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "each test file uses its part"
)]

pub(crate) mod big;
pub(crate) mod trees;

use std::collections::HashMap;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use gaveta_core::{
    Check, Content, Entry, Error, ErrorKind, Kind, ListPlan, Listed, Listing, MovePlan, Outline,
    Path, Piece, Pieces, ReadPlan, Reading, RemovePlan, Result, Seal, Space, Store, TouchPlan,
    Upload, UploadId, UploadState, Version, WritePlan, chunk,
};
use gaveta_testkit::{MemoryStore, collect, stream_of};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

/// What a [`Hooked`] store does beside its work.
#[derive(Debug, Default)]
pub(crate) struct Hooks {
    /// So many commits are done and then answered with `Disconnected`.
    pub(crate) lose_commits: AtomicUsize,
    /// So many commits fail with `Disconnected` before they are done.
    pub(crate) fail_commits: AtomicUsize,
    /// So many begins fail with `TimedOut`.
    pub(crate) fail_begins: AtomicUsize,
    /// So many listings fail with `Busy`.
    pub(crate) fail_lists: AtomicUsize,
    /// Commits answer with another digest.
    pub(crate) lie_about_digests: AtomicUsize,
    /// Writes never end; each tells that it began.
    pub(crate) hang_writes: AtomicUsize,
    /// A write began.
    pub(crate) writing: Notify,
    /// Reading a file yields this instead of its content, once the first piece was asked for.
    pub(crate) tamper: Mutex<HashMap<Path, Vec<u8>>>,
    /// A file gets this content when it is read to the end.
    pub(crate) change: Mutex<HashMap<Path, Vec<u8>>>,
    /// These entries are of this kind.
    pub(crate) kinds: Mutex<HashMap<Path, Kind>>,
    /// The listing of this folder shows these paths instead.
    pub(crate) foreign: Mutex<HashMap<Path, Path>>,
    /// The listing of this folder shows this name that cannot be used.
    pub(crate) unnameable: Mutex<HashMap<Path, String>>,
    /// Entries do not tell their digest.
    pub(crate) hide_digests: AtomicUsize,
    /// How many uploads are open now, and the most there were.
    pub(crate) open: AtomicUsize,
    pub(crate) most: AtomicUsize,
    pub(crate) open_big: AtomicUsize,
    pub(crate) most_big: AtomicUsize,
    /// From this length on an upload counts as big.
    pub(crate) big: AtomicUsize,
    pub(crate) discarded: AtomicUsize,
    /// The store says that it is so far away.
    pub(crate) away: Mutex<Option<std::time::Duration>>,
    /// The folders that were listed, and how many entries were asked for.
    pub(crate) listed: watch::Sender<Vec<(Path, Option<usize>)>>,
    /// The listing of the first comes after that of the other was asked for.
    pub(crate) list_after: Mutex<HashMap<Path, Path>>,
    /// How often somebody asked what is at a path.
    pub(crate) stats: AtomicUsize,
    /// Listings hold one entry more than was asked for.
    pub(crate) overfull: AtomicUsize,
    /// How many chunks came; after so many of them uploads fail for so long, and so.
    pub(crate) chunks: AtomicUsize,
    pub(crate) outages: Mutex<Vec<(usize, Duration, ErrorKind)>>,
    pub(crate) out: Mutex<Option<(Instant, ErrorKind)>>,
}

impl Hooks {
    fn chunk_came(&self) {
        let chunks = self.chunks.fetch_add(1, Ordering::SeqCst) + 1;
        let mut outages = self.outages.lock().unwrap();
        if let Some((_, long, kind)) = outages.pop_if(|(after, ..)| *after <= chunks) {
            *self.out.lock().unwrap() = Some((Instant::now() + long, kind));
        }
    }

    fn is_there(&self) -> Result<()> {
        match *self.out.lock().unwrap() {
            Some((until, kind)) if Instant::now() < until => Err(kind.into()),
            Some(_) | None => Ok(()),
        }
    }
}

fn spend(counter: &AtomicUsize) -> bool {
    counter
        .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
            left.checked_sub(1)
        })
        .is_ok()
}

#[derive(Debug, Clone)]
pub(crate) struct Hooked {
    pub(crate) inner: MemoryStore,
    pub(crate) hooks: Arc<Hooks>,
}

impl Hooked {
    pub(crate) fn new() -> Self {
        Self {
            inner: MemoryStore::new(),
            hooks: Arc::default(),
        }
    }

    fn shown(&self, mut entry: Entry) -> Entry {
        if let Some(kind) = self.hooks.kinds.lock().unwrap().get(&entry.path) {
            entry.kind = *kind;
        }
        if self.hooks.hide_digests.load(Ordering::SeqCst) > 0 {
            entry.digest = None;
        }
        entry
    }
}

#[async_trait]
impl Store for Hooked {
    async fn stat(&self, path: &Path) -> Result<Entry> {
        self.hooks.stats.fetch_add(1, Ordering::SeqCst);
        self.inner.stat(path).await.map(|entry| self.shown(entry))
    }
    async fn list(&self, folder: &Path, plan: ListPlan) -> Result<Listing> {
        if spend(&self.hooks.fail_lists) {
            return Err(ErrorKind::Busy.into());
        }
        let asked = (folder.clone(), plan.limit);
        self.hooks.listed.send_modify(|listed| listed.push(asked));
        let after = self.hooks.list_after.lock().unwrap().get(folder).cloned();
        if let Some(other) = after {
            let mut listed = self.hooks.listed.subscribe();
            let is_asked = |listed: &Vec<(Path, _)>| listed.iter().any(|(path, _)| *path == other);
            listed.wait_for(is_asked).await.unwrap();
        }
        let this = self.clone();
        let foreign = self.hooks.foreign.lock().unwrap().get(folder).cloned();
        let odd = self.hooks.unnameable.lock().unwrap().get(folder).cloned();
        let more = usize::from(spend(&self.hooks.overfull));
        let plan = ListPlan {
            limit: plan.limit.map(|limit| limit + more),
            ..plan
        };
        let listing = self.inner.list(folder, plan).await?.map(move |listed| {
            Ok(match listed? {
                Listed::Entry(mut entry) => {
                    entry = this.shown(entry);
                    if let Some(path) = &foreign {
                        entry.path = path.clone();
                    }
                    Listed::Entry(entry)
                }
                other => other,
            })
        });
        let odd = odd.map(|shown| Ok(Listed::Unnameable { shown }));
        Ok(Box::pin(listing.chain(futures_util::stream::iter(odd))))
    }
    async fn read(&self, path: &Path, plan: ReadPlan) -> Result<Arc<dyn Reading>> {
        let inner = self.inner.read(path, plan).await?;
        let entry = self.shown(inner.entry().clone());
        Ok(Arc::new(HookedReading {
            inner,
            entry,
            store: self.clone(),
        }))
    }
    async fn outline(&self, path: &Path, version: &Version) -> Result<Outline> {
        self.inner.outline(path, version).await
    }
    async fn begin(&self, plan: WritePlan) -> Result<Arc<dyn Upload>> {
        if spend(&self.hooks.fail_begins) {
            return Err(ErrorKind::TimedOut.into());
        }
        let threshold = self.hooks.big.load(Ordering::SeqCst) as u64;
        let big = threshold > 0 && plan.length.is_some_and(|length| length >= threshold);
        let inner = self.inner.begin(plan).await?;
        let hooks = self.hooks.clone();
        let count = |open: &AtomicUsize, most: &AtomicUsize| {
            let now = open.fetch_add(1, Ordering::SeqCst) + 1;
            most.fetch_max(now, Ordering::SeqCst);
        };
        count(&hooks.open, &hooks.most);
        if big {
            count(&hooks.open_big, &hooks.most_big);
        }
        Ok(Arc::new(HookedUpload { inner, hooks, big }))
    }
    async fn upload(&self, id: &UploadId, target: Option<&Path>) -> Result<Arc<dyn Upload>> {
        self.inner.upload(id, target).await
    }
    async fn uploads(&self) -> Result<BoxStream<'static, Result<UploadState>>> {
        self.inner.uploads().await
    }
    async fn make_folder(&self, path: &Path) -> Result<Entry> {
        self.inner.make_folder(path).await
    }
    async fn remove(&self, path: &Path, plan: RemovePlan) -> Result<()> {
        self.inner.remove(path, plan).await
    }
    async fn rename(&self, from: &Path, to: &Path, plan: MovePlan) -> Result<Entry> {
        self.inner.rename(from, to, plan).await
    }
    async fn copy(&self, from: &Path, to: &Path, plan: MovePlan) -> Result<Entry> {
        self.inner.copy(from, to, plan).await
    }
    async fn touch(&self, path: &Path, plan: TouchPlan) -> Result<Entry> {
        self.inner.touch(path, plan).await
    }
    fn trash(&self) -> Option<Arc<dyn gaveta_core::Trash>> {
        self.inner.trash()
    }

    fn round_trip(&self) -> Option<std::time::Duration> {
        *self.hooks.away.lock().unwrap()
    }

    fn upkeep(&self) -> Option<Arc<dyn gaveta_core::Upkeep>> {
        self.inner.upkeep()
    }

    async fn space(&self) -> Result<Space> {
        self.inner.space().await
    }
}

#[derive(Debug)]
struct HookedReading {
    inner: Arc<dyn Reading>,
    entry: Entry,
    store: Hooked,
}

impl Reading for HookedReading {
    fn entry(&self) -> &Entry {
        &self.entry
    }
    fn stream(&self, range: Range<u64>) -> Content {
        let path = self.entry.path.clone();
        if let Some(bytes) = self.store.hooks.tamper.lock().unwrap().get(&path) {
            return stream_of(bytes.clone(), 1000);
        }
        let store = self.store.clone();
        let after = futures_util::stream::once(async move {
            let change = store.hooks.change.lock().unwrap().remove(&path);
            if let Some(bytes) = change {
                put(&store.inner, path.as_str(), &bytes).await;
            }
            Ok(Bytes::new())
        });
        Box::pin(self.inner.stream(range).chain(after))
    }
    fn chunks(&self, range: Range<u64>) -> Pieces {
        chunk::pieces(self.stream(range.clone()), range, self.entry.size)
    }
}

#[derive(Debug)]
struct HookedUpload {
    inner: Arc<dyn Upload>,
    hooks: Arc<Hooks>,
    big: bool,
}

impl Drop for HookedUpload {
    fn drop(&mut self) {
        self.hooks.open.fetch_sub(1, Ordering::SeqCst);
        if self.big {
            self.hooks.open_big.fetch_sub(1, Ordering::SeqCst);
        }
    }
}

#[async_trait]
impl Upload for HookedUpload {
    async fn state(&self) -> Result<UploadState> {
        self.hooks.is_there()?;
        self.inner.state().await
    }
    async fn take_over(&self, range: Range<u64>) -> Result<UploadState> {
        self.hooks.is_there()?;
        self.inner.take_over(range).await
    }
    async fn write(&self, offset: u64, content: Content, check: Check) -> Result<u64> {
        // Others get their turn, so that what may run at once does.
        tokio::task::yield_now().await;
        if self.hooks.hang_writes.load(Ordering::SeqCst) > 0 {
            self.hooks.writing.notify_one();
            std::future::pending::<()>().await;
        }
        self.inner.write(offset, content, check).await
    }
    async fn write_chunks(&self, offset: u64, pieces: Pieces) -> Result<u64> {
        tokio::task::yield_now().await;
        if self.hooks.hang_writes.load(Ordering::SeqCst) > 0 {
            self.hooks.writing.notify_one();
            std::future::pending::<()>().await;
        }
        self.hooks.is_there()?;
        let hooks = self.hooks.clone();
        let pieces: Pieces = Box::pin(pieces.map(move |piece| {
            hooks.is_there()?;
            if matches!(piece, Ok(Piece::Close(_))) {
                hooks.chunk_came();
            }
            piece
        }));
        self.inner.write_chunks(offset, pieces).await
    }
    async fn read(&self, range: Range<u64>) -> Result<Bytes> {
        self.inner.read(range).await
    }
    async fn set_length(&self, length: u64) -> Result<()> {
        self.inner.set_length(length).await
    }
    async fn sync(&self) -> Result<()> {
        self.inner.sync().await
    }
    async fn commit(&self, seal: Seal) -> Result<Entry> {
        if spend(&self.hooks.fail_commits) {
            return Err(ErrorKind::Disconnected.into());
        }
        let mut entry = self.inner.commit(seal).await?;
        if spend(&self.hooks.lose_commits) {
            return Err(ErrorKind::Disconnected.into());
        }
        if self.hooks.lie_about_digests.load(Ordering::SeqCst) > 0 {
            entry.digest = Some(gaveta_core::Digest::of(b"something else"));
        }
        Ok(entry)
    }
    async fn discard(&self) -> Result<()> {
        self.hooks.discarded.fetch_add(1, Ordering::SeqCst);
        self.inner.discard().await
    }
}

pub(crate) fn path(text: &str) -> Path {
    Path::parse(text).unwrap()
}

/// Puts a content there, whatever was there.
pub(crate) async fn put(store: &dyn Store, at: &str, bytes: &[u8]) -> Entry {
    let plan = WritePlan {
        replace: gaveta_core::Replace::Always,
        ..WritePlan::new(
            path(at),
            gaveta_core::Owner::of(gaveta_core::Account::ADMIN),
        )
    };
    let upload = store.begin(plan).await.unwrap();
    upload
        .write(0, stream_of(bytes.to_vec(), 64 * 1024), Check::None)
        .await
        .unwrap();
    upload.commit(Seal::default()).await.unwrap()
}

/// What is there; none when nothing is.
pub(crate) async fn get(store: &dyn Store, at: &str) -> Option<Vec<u8>> {
    match store.read(&path(at), ReadPlan::default()).await {
        Ok(reading) => {
            let size = reading.entry().size;
            Some(collect(reading.stream(0..size)).await.unwrap())
        }
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => panic!("{}", Error::chain(&error)),
    }
}
