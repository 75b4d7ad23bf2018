//! A store in memory, stricter than reality: what another store may do sometimes, it does always.
//!
//! It lists in another order each time, reads in small pieces of uneven length, lets others run
//! in the middle of everything, gives a new version at every chance, and panics when a stream is
//! polled after its end or a range runs backwards: mistakes that other stores may forgive.

mod staged;
mod trash;
mod tree;
mod upload;

use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher};
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use futures_core::stream::BoxStream;
use futures_util::{Stream, StreamExt, stream};
use gaveta_core::{
    Content, Entry, Error, ErrorKind, ListPlan, Listed, Listing, MovePlan, OnDrop, Outline, Path,
    Pieces, ReadPlan, Reading, RemovePlan, Result, Space, Store, TouchPlan, Trash, Upkeep, Upload,
    UploadId, UploadState, Version, WritePlan, chunk,
};
use tokio::sync::Notify;

use crate::content::Rng;
use staged::Staged;
use tree::Tree;
use upload::MemoryUpload;

/// The largest piece a stream gives.
const MAX_PIECE: usize = 16 << 10;

/// A store in memory. Clones are the same store. What is in it goes with the last of them.
///
/// Cancel-safe: everything that changes the tree happens in one step.
#[derive(Debug, Clone)]
pub struct MemoryStore {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// Told when an upload was written to or ended, for writers that wait for their content.
    changed: Notify,
    capacity: u64,
}

#[derive(Debug)]
struct State {
    tree: Tree,
    staged: HashMap<UploadId, Staged>,
    chance: Rng,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn free(&self, capacity: u64) -> u64 {
        capacity
            .saturating_sub(self.tree.used)
            .saturating_sub(self.tree.held.as_ref().map_or(0, |held| held.bytes))
            .saturating_sub(staged::room(&self.staged))
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl MemoryStore {
    /// An empty store for a gibibyte.
    pub fn new() -> Self {
        Self::with_capacity(1 << 30)
    }

    /// An empty store for so many bytes; beyond, everything is `NoSpace`. Content under way
    /// counts in pages of 4 KiB, or by its declared length when that is more.
    pub fn with_capacity(capacity: u64) -> Self {
        let state = State {
            tree: Tree::new(),
            staged: HashMap::new(),
            chance: Rng::new(random()),
        };
        Self {
            shared: Arc::new(Shared {
                state: Mutex::new(state),
                changed: Notify::new(),
                capacity,
            }),
        }
    }

    /// An empty store that keeps what is deleted or replaced, as long as it lives.
    pub fn with_trash() -> Self {
        let store = Self::new();
        store.shared.state().tree.held = Some(trash::Held::default());
        store
    }

    /// Lets others run, then works on the state in one step.
    async fn with<T>(&self, work: impl FnOnce(&mut State, u64) -> Result<T>) -> Result<T> {
        tokio::task::yield_now().await;
        let mut state = self.shared.state();
        let free = state.free(self.shared.capacity);
        work(&mut state, free)
    }
}

/// 64 bits nobody can guess.
fn random() -> u64 {
    std::hash::RandomState::new().build_hasher().finish()
}

fn random_id() -> UploadId {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&random().to_le_bytes());
    bytes[8..].copy_from_slice(&random().to_le_bytes());
    UploadId::from_bytes(bytes)
}

/// Panics when it is polled after its end.
fn strict<T>(inner: impl Stream<Item = T> + Send) -> impl Stream<Item = T> + Send {
    let mut inner = Box::pin(inner);
    let mut ended = false;
    stream::poll_fn(move |context| {
        assert!(!ended, "a stream was polled after its end");
        let item = inner.poll_next_unpin(context);
        ended = matches!(item, std::task::Poll::Ready(None));
        item
    })
}

#[derive(Debug)]
struct MemoryReading {
    entry: Entry,
    content: Bytes,
}

impl Reading for MemoryReading {
    fn entry(&self) -> &Entry {
        &self.entry
    }

    fn stream(&self, range: Range<u64>) -> Content {
        assert!(range.start <= range.end, "a range ran backwards: {range:?}");
        if range.end > self.entry.size {
            let error = Error::at(ErrorKind::BadRange, &self.entry.path);
            return strict(stream::once(async { Err(error) })).boxed();
        }
        let rest = self.content.slice(range.start as usize..range.end as usize);
        let pieces = stream::unfold(
            (rest, Rng::new(random())),
            |(mut rest, mut rng)| async move {
                if rest.is_empty() {
                    return None;
                }
                if rng.once_in(3) {
                    tokio::task::yield_now().await;
                }
                let piece = rest.split_to(rest.len().min(1 + rng.below(MAX_PIECE)));
                Some((Ok(piece), (rest, rng)))
            },
        );
        strict(pieces).boxed()
    }

    fn chunks(&self, range: Range<u64>) -> Pieces {
        let size = self.entry.size;
        let start = chunk::span(range.start / chunk::CHUNK, size).start;
        let at_an_end = range.end == size || range.end.is_multiple_of(chunk::CHUNK);
        if range.start != start || !at_an_end || range.end > size || range.start > range.end {
            let error = Error::at(ErrorKind::BadRange, &self.entry.path);
            return strict(stream::once(async { Err(error) })).boxed();
        }
        let pieces = chunk::pieces(self.stream(range.clone()), range, size);
        strict(pieces).boxed()
    }
}

/// The chunk digests of these bytes.
fn outline_of(content: &[u8]) -> Result<Outline> {
    let length = content.len() as u64;
    let chunks = content.chunks(chunk::CHUNK as usize).enumerate();
    let digests = chunks.map(|(index, bytes)| chunk::digest(index as u64, bytes, length));
    Outline::new(length, digests.collect())
}

/// Those of the entries that the plan takes, as a listing.
fn page(entries: Vec<Entry>, plan: &ListPlan) -> Result<Listing> {
    let entries = match plan.window()? {
        Some(mut window) => {
            entries.into_iter().for_each(|entry| window.push(entry));
            window.into_page()
        }
        None => {
            let limit = plan.limit.unwrap_or(usize::MAX);
            entries.into_iter().take(limit).collect()
        }
    };
    let listed = stream::iter(entries).then(|entry| async {
        tokio::task::yield_now().await;
        Ok(Listed::Entry(entry))
    });
    Ok(Box::pin(strict(listed)))
}

#[async_trait]
impl Store for MemoryStore {
    async fn stat(&self, path: &Path) -> Result<Entry> {
        self.with(|state, _| state.tree.entry(path)).await
    }

    async fn list(&self, folder: &Path, plan: ListPlan) -> Result<Listing> {
        let entries = self
            .with(|state, _| {
                let mut entries = state.tree.children(folder)?;
                state.chance.shuffle(&mut entries);
                Ok(entries)
            })
            .await?;
        page(entries, &plan)
    }

    async fn read(&self, path: &Path, plan: ReadPlan) -> Result<Arc<dyn Reading>> {
        self.with(|state, _| {
            let content = state.tree.find(path)?.content.clone();
            let content = content.ok_or_else(|| Error::at(ErrorKind::IsFolder, path))?;
            state.tree.is_version(path, plan.version.as_ref())?;
            let entry = state.tree.entry(path)?;
            Ok(Arc::new(MemoryReading { entry, content }) as Arc<dyn Reading>)
        })
        .await
    }

    async fn outline(&self, path: &Path, version: &Version) -> Result<Outline> {
        let content = self
            .with(|state, _| {
                let content = state.tree.find(path)?.content.clone();
                let content = content.ok_or_else(|| Error::at(ErrorKind::IsFolder, path))?;
                state.tree.is_version(path, Some(version))?;
                Ok(content)
            })
            .await?;
        outline_of(&content)
    }

    async fn begin(&self, plan: WritePlan) -> Result<Arc<dyn Upload>> {
        self.with(|state, free| {
            let id = plan.id.clone().unwrap_or_else(random_id);
            if state.staged.contains_key(&id) {
                return Err(Error::new(ErrorKind::Exists).because("the id is taken"));
            }
            let staged = Staged::begin(plan, &state.tree, &state.staged)?;
            if staged.room() > free {
                return Err(staged::about(
                    Error::new(ErrorKind::NoSpace),
                    &staged.plan.target,
                ));
            }
            state.staged.insert(id.clone(), staged);
            Ok(Arc::new(MemoryUpload::open(&self.shared, state, &id)?) as Arc<dyn Upload>)
        })
        .await
    }

    async fn upload(&self, id: &UploadId, _: Option<&Path>) -> Result<Arc<dyn Upload>> {
        self.with(|state, _| {
            let kept = |staged: &Staged| staged.plan.on_drop == OnDrop::Keep;
            if !state.staged.get(id).is_some_and(kept) {
                return Err(Error::new(ErrorKind::UnknownUpload));
            }
            Ok(Arc::new(MemoryUpload::open(&self.shared, state, id)?) as Arc<dyn Upload>)
        })
        .await
    }

    async fn uploads(&self) -> Result<BoxStream<'static, Result<UploadState>>> {
        let all = self.with(|state, _| {
            let kept = state
                .staged
                .iter()
                .filter(|(_, one)| one.plan.on_drop == OnDrop::Keep);
            Ok(kept.map(|(id, one)| Ok(one.state(id))).collect::<Vec<_>>())
        });
        Ok(strict(stream::iter(all.await?)).boxed())
    }

    async fn make_folder(&self, path: &Path) -> Result<Entry> {
        self.with(|state, _| state.tree.make_folder(path)).await
    }

    async fn remove(&self, path: &Path, plan: RemovePlan) -> Result<()> {
        self.with(|state, _| state.tree.remove(path, &plan)).await
    }

    async fn rename(&self, from: &Path, to: &Path, plan: MovePlan) -> Result<Entry> {
        self.with(|state, _| state.tree.rename(from, to, &plan))
            .await
    }

    async fn copy(&self, from: &Path, to: &Path, plan: MovePlan) -> Result<Entry> {
        self.with(|state, free| state.tree.copy(from, to, &plan, free))
            .await
    }

    async fn touch(&self, path: &Path, plan: TouchPlan) -> Result<Entry> {
        self.with(|state, _| state.tree.touch(path, plan)).await
    }

    fn trash(&self) -> Option<Arc<dyn Trash>> {
        let kept = self.shared.state().tree.held.is_some();
        kept.then(|| Arc::new(trash::MemoryTrash(self.clone())) as Arc<dyn Trash>)
    }

    fn round_trip(&self) -> Option<std::time::Duration> {
        None
    }

    fn upkeep(&self) -> Option<Arc<dyn Upkeep>> {
        let kept = self.shared.state().tree.held.is_some();
        kept.then(|| Arc::new(trash::MemoryTrash(self.clone())) as Arc<dyn Upkeep>)
    }

    async fn space(&self) -> Result<Space> {
        self.with(|_, free| {
            Ok(Space {
                total: self.shared.capacity,
                free,
            })
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::{content, stream_of};
    use gaveta_core::{Check, Owner, Replace, Seal};

    fn plan(name: &str) -> WritePlan {
        WritePlan::new(Path::parse(name).unwrap(), Owner("test".into()))
    }

    async fn put(store: &MemoryStore, plan: WritePlan, length: usize) -> Result<Entry> {
        let upload = store.begin(plan).await?;
        upload
            .write(0, stream_of(content(length, 1), 1000), Check::None)
            .await?;
        upload.commit(Seal::default()).await
    }

    #[tokio::test]
    async fn a_full_store_says_so_and_room_comes_back() {
        let store = MemoryStore::with_capacity(64 << 10);
        put(&store, plan("a"), 40 << 10).await.unwrap();
        let full = put(&store, plan("b"), 40 << 10).await.unwrap_err();
        assert_eq!(full.kind(), ErrorKind::NoSpace);
        let declared = WritePlan {
            length: Some(25 << 10),
            ..plan("b")
        };
        assert_eq!(
            store.begin(declared).await.unwrap_err().kind(),
            ErrorKind::NoSpace
        );
        let path = Path::parse("a").unwrap();
        let copy = store
            .copy(&path, &Path::parse("c").unwrap(), MovePlan::default())
            .await;
        assert_eq!(copy.unwrap_err().kind(), ErrorKind::NoSpace);
        assert_eq!(
            store.space().await.unwrap(),
            Space {
                total: 64 << 10,
                free: 24 << 10
            }
        );

        let held = store
            .begin(WritePlan {
                length: Some(20 << 10),
                ..plan("b")
            })
            .await
            .unwrap();
        assert_eq!(store.space().await.unwrap().free, 4 << 10);
        drop(held);
        assert_eq!(store.space().await.unwrap().free, 24 << 10);
        // A small file replaces a large one.
        let smaller = WritePlan {
            replace: Replace::Always,
            ..plan("a")
        };
        put(&store, smaller, 10).await.unwrap();
        assert_eq!(store.space().await.unwrap().free, (64 << 10) - 10);
        store.remove(&path, RemovePlan::default()).await.unwrap();
        assert_eq!(store.space().await.unwrap().free, 64 << 10);
    }

    #[tokio::test]
    #[should_panic(expected = "polled after its end")]
    async fn a_stream_is_not_polled_after_its_end() {
        let store = MemoryStore::new();
        let mut listing = store
            .list(&Path::root(), ListPlan::default())
            .await
            .unwrap();
        assert!(listing.next().await.is_none());
        listing.next().await;
    }
}
