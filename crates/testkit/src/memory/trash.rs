//! What a memory store keeps of what was deleted or replaced.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use futures_core::stream::BoxStream;
use futures_util::{StreamExt, stream};
use gaveta_core::{
    Cause, Digest, Entry, Error, ErrorKind, Examined, ListPlan, Listing, Owner, Path, ReadPlan,
    Reading, RestorePlan, Result, Store, Stray, Trash, TrashId, TrashPlan, TrashState, Trashed,
    Upkeep,
};

use super::tree::{Node, Tree};
use super::{MemoryReading, MemoryStore, page, random, strict};

/// Everything that is kept, by its id.
#[derive(Debug, Default)]
pub(super) struct Held {
    things: BTreeMap<TrashId, Thing>,
    next: u64,
    /// What whoever verifies wrote down.
    mark: Option<Vec<u8>>,
    /// Bytes of all contents.
    pub(super) bytes: u64,
}

/// One thing: its own node first, then those beneath it, by what follows its path.
#[derive(Debug, Clone)]
struct Thing {
    path: Path,
    nodes: Vec<(String, Node)>,
    cause: Cause,
    at: SystemTime,
    by: Option<Owner>,
}

impl Thing {
    fn bytes(&self) -> u64 {
        let sizes = self
            .nodes
            .iter()
            .filter_map(|(_, node)| node.content.as_ref());
        sizes.map(|content| content.len() as u64).sum()
    }

    fn shown(&self, id: &TrashId) -> Result<Trashed> {
        let (_, node) = self.nodes.first().ok_or_else(|| id.unknown())?;
        Ok(Trashed {
            id: id.clone(),
            entry: node.entry(&self.path)?,
            cause: self.cause,
            at: self.at,
            by: self.by.clone(),
        })
    }
}

impl Thing {
    /// What was at this path, the thing's own or beneath it.
    fn node(&self, id: &TrashId, path: &Path) -> Result<&Node> {
        let tail = path.as_str().strip_prefix(self.path.as_str());
        let found = tail.and_then(|tail| self.nodes.iter().find(|(at, _)| at == tail));
        found.map(|(_, node)| node).ok_or_else(|| id.unknown())
    }

    fn children(&self, id: &TrashId, folder: &Path) -> Result<Vec<Entry>> {
        if self.node(id, folder)?.content.is_some() {
            return Err(Error::at(ErrorKind::NotFolder, folder));
        }
        let mut entries = Vec::new();
        for (tail, node) in &self.nodes {
            let path = Path::parse(&format!("{}{tail}", self.path.as_str()))?;
            if path.parent().as_ref() == Some(folder) {
                entries.push(node.entry(&path)?);
            }
        }
        Ok(entries)
    }
}

impl Held {
    fn put(&mut self, path: &Path, nodes: Vec<(String, Node)>, cause: Cause, by: Option<&Owner>) {
        self.next += 1;
        let text = format!("{:016x}{:016x}", self.next, random());
        let thing = Thing {
            path: path.clone(),
            nodes,
            cause,
            at: SystemTime::now(),
            by: by.cloned(),
        };
        self.bytes += thing.bytes();
        self.things.insert(TrashId::parse(&text).unwrap(), thing);
    }

    fn take(&mut self, id: &TrashId) -> Result<Thing> {
        let thing = self.things.remove(id).ok_or_else(|| id.unknown())?;
        self.bytes -= thing.bytes();
        Ok(thing)
    }
}

impl Tree {
    /// Keeps the file that is about to be replaced at this path, when one is there.
    pub(super) fn keep_replaced(&mut self, path: &Path, by: Option<&Owner>) {
        let Ok(node) = self.find(path) else { return };
        let (node, is_file) = (node.clone(), node.content.is_some());
        if let (true, Some(held)) = (is_file, &mut self.held) {
            held.put(path, vec![(String::new(), node)], Cause::Replaced, by);
        }
    }

    /// Moves what is at this path, and beneath it, to the trash.
    pub(super) fn keep_deleted(&mut self, path: &Path, by: Option<&Owner>) -> Result<()> {
        let beneath = match self.find(path)?.content {
            None => self.beneath(path),
            Some(_) => Vec::new(),
        };
        let mut nodes = Vec::new();
        for old in std::iter::once(path.as_str().to_owned()).chain(beneath) {
            if let Some(node) = self.take(&old) {
                nodes.push((old[path.as_str().len()..].to_owned(), node));
            }
        }
        if let Some(held) = &mut self.held {
            held.put(path, nodes, Cause::Deleted, by);
        }
        Ok(())
    }

    fn things(&mut self) -> Result<&mut Held> {
        let none = || Error::new(ErrorKind::Unsupported);
        self.held.as_mut().ok_or_else(none)
    }

    fn thing(&mut self, id: &TrashId) -> Result<&Thing> {
        let thing = self.things()?.things.get(id);
        thing.ok_or_else(|| id.unknown())
    }

    fn restore(&mut self, id: &TrashId, plan: &RestorePlan) -> Result<Entry> {
        let thing = self.things()?.things.get(id).cloned();
        let thing = thing.ok_or_else(|| id.unknown())?;
        let target = plan.to.as_ref().unwrap_or(&thing.path).clone();
        if target.is_root() {
            return Err(Error::at(ErrorKind::BadMove, &target));
        }
        let is_folder = thing.shown(id)?.entry.is_folder();
        self.may_land(&target, &plan.replace, is_folder)?;
        self.things()?.take(id)?;
        self.make_way(&target);
        self.keep_replaced(&target, plan.by.as_ref());
        for (tail, node) in thing.nodes {
            self.insert(&format!("{}{tail}", target.as_str()), node);
        }
        self.entry(&target)
    }
}

/// The trash of a memory store.
#[derive(Debug)]
pub(super) struct MemoryTrash(pub(super) MemoryStore);

#[async_trait]
impl Trash for MemoryTrash {
    async fn trashed(&self, plan: TrashPlan) -> Result<BoxStream<'static, Result<Trashed>>> {
        let all = self.0.with(|state, _| {
            let things = &state.tree.things()?.things;
            let shown = things.iter().rev().map(|(id, thing)| thing.shown(id));
            shown.collect::<Result<Vec<_>>>()
        });
        let taken = all.await?.into_iter().filter(move |one| plan.takes(one));
        Ok(strict(stream::iter(taken.map(Ok))).boxed())
    }

    async fn find(&self, id: &TrashId) -> Result<Trashed> {
        self.0
            .with(|state, _| match state.tree.things()?.things.get(id) {
                Some(thing) => thing.shown(id),
                None => Err(id.unknown()),
            })
            .await
    }

    async fn open(&self, id: &TrashId) -> Result<Arc<dyn Reading>> {
        self.0
            .with(|state, _| {
                let thing = state.tree.things()?.things.get(id).cloned();
                let thing = thing.ok_or_else(|| id.unknown())?;
                let entry = thing.shown(id)?.entry;
                let content = thing
                    .nodes
                    .first()
                    .and_then(|(_, node)| node.content.clone());
                let content = content.ok_or_else(|| Error::at(ErrorKind::IsFolder, &entry.path))?;
                Ok(Arc::new(MemoryReading { entry, content }) as Arc<dyn Reading>)
            })
            .await
    }

    async fn restore(&self, id: &TrashId, plan: RestorePlan) -> Result<Entry> {
        self.0.with(|state, _| state.tree.restore(id, &plan)).await
    }

    async fn purge(&self, id: &TrashId) -> Result<()> {
        self.0
            .with(|state, _| state.tree.things()?.take(id).map(|_| ()))
            .await
    }

    async fn state(&self) -> Result<TrashState> {
        self.0
            .with(|state, _| {
                let held = state.tree.things()?;
                Ok(TrashState {
                    items: held.things.len() as u64,
                    bytes: held.bytes,
                    counting: false,
                    most: None,
                    kept: Duration::MAX,
                })
            })
            .await
    }
}

/// What was read, compared with what was kept. Memory forgets nothing.
async fn examined(reading: Arc<dyn Reading>) -> Result<Examined> {
    let kept = reading.entry().digest;
    let bytes = crate::content::collect(reading.stream(0..reading.entry().size)).await?;
    let entry = Entry {
        digest: Some(Digest::of(&bytes)),
        ..reading.entry().clone()
    };
    Ok(Examined {
        entry,
        kept,
        current: true,
    })
}

#[async_trait]
impl Upkeep for MemoryTrash {
    async fn examine(&self, path: &Path, _: bool) -> Result<Examined> {
        examined(self.0.read(path, ReadPlan::default()).await?).await
    }

    async fn examine_trashed(&self, id: &TrashId, path: &Path, _: bool) -> Result<Examined> {
        let reading = self.0.with(|state, _| {
            let node = state.tree.thing(id)?.node(id, path)?;
            let content = node.content.clone();
            let content = content.ok_or_else(|| Error::at(ErrorKind::IsFolder, path))?;
            let entry = node.entry(path)?;
            Ok(Arc::new(MemoryReading { entry, content }) as Arc<dyn Reading>)
        });
        examined(reading.await?).await
    }

    async fn list_trashed(&self, id: &TrashId, folder: &Path, plan: ListPlan) -> Result<Listing> {
        let entries = self
            .0
            .with(|state, _| state.tree.thing(id)?.children(id, folder));
        page(entries.await?, &plan)
    }

    async fn strays(&self, _: usize) -> Result<(Vec<Stray>, u64)> {
        Ok((Vec::new(), 0))
    }

    async fn keep_mark(&self, mark: &[u8]) -> Result<()> {
        let mark = mark.to_vec();
        self.0
            .with(|state, _| {
                state.tree.things()?.mark = Some(mark);
                Ok(())
            })
            .await
    }

    async fn mark(&self) -> Result<Option<Vec<u8>>> {
        self.0
            .with(|state, _| Ok(state.tree.things()?.mark.clone()))
            .await
    }
}
