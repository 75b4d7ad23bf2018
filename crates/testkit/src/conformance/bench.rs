//! What every section works with: the store, what it claims, and short words for long calls.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use futures_util::StreamExt;
use gaveta_core::{
    Content, Digest, Entry, Error, ErrorKind, ListPlan, Listed, MovePlan, OnDrop, Owner, Path,
    ReadPlan, Replace, Result, Seal, Store, Trash, Version, WritePlan,
};
use tokio::sync::mpsc;

use super::{Abilities, Ability};
use crate::content::{collect, stream_of};

/// Asserts that this was refused with one of these kinds.
macro_rules! refused {
    ($result:expr, $($kind:pat_param)|+ $(,)?) => {
        match $result {
            Ok(_) => panic!("{} was not refused as {}", stringify!($result), stringify!($($kind)|+)),
            Err(error) => assert!(
                matches!(error.kind(), $($kind)|+),
                "{} was refused as {:?} ({}), not as {}",
                stringify!($result), error.kind(), error.chain(), stringify!($($kind)|+),
            ),
        }
    };
}
pub(super) use refused;

/// One section's store.
#[derive(Debug)]
pub(super) struct Bench {
    pub(super) store: Arc<dyn Store>,
    abilities: Abilities,
    owner: Owner,
    section: String,
    subject: String,
}

/// A path.
pub(super) fn p(text: &str) -> Path {
    Path::parse(text).unwrap()
}

/// A whole second, long ago.
pub(super) fn second(n: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_000_000_000 + n)
}

/// A version that no store gives.
pub(super) fn strange_version() -> Version {
    Version::parse("no-such-version-7f3a").unwrap()
}

/// A plan to move with this replacement.
pub(super) fn moving(replace: Replace) -> MovePlan {
    MovePlan {
        replace,
        version: None,
        ..Default::default()
    }
}

/// A content that is fed by hand. Dropping the sender ends it well.
pub(super) fn by_hand() -> (mpsc::UnboundedSender<Result<Bytes>>, Content) {
    let (feed, pieces) = mpsc::unbounded_channel();
    let stream = futures_util::stream::unfold(pieces, |mut pieces| async move {
        pieces.recv().await.map(|piece| (piece, pieces))
    });
    (feed, stream.boxed())
}

/// These bytes, then an error of this kind.
pub(super) fn cut_after(bytes: &[u8], kind: ErrorKind) -> Content {
    let end = futures_util::stream::once(async move { Err(Error::new(kind)) });
    stream_of(bytes.to_vec(), 257).chain(end).boxed()
}

/// Waits until it is so. What a store does after the last holder let go may take a moment.
pub(super) async fn eventually<F: Future<Output = bool>>(what: &str, mut so: impl FnMut() -> F) {
    for _ in 0..600 {
        if so().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("it never came true that {what}");
}

/// Are these the same entry? What is not known to both is not compared; a folder's time and
/// version follow what happens in it.
pub(super) fn assert_same(one: &Entry, other: &Entry) {
    assert_eq!((&one.path, one.kind), (&other.path, other.kind));
    if one.is_file() {
        let told = |e: &Entry| (e.size, e.modified, e.version.clone(), e.executable);
        assert_eq!(told(one), told(other), "{:?}", one.path);
        if let (Some(one), Some(other)) = (one.digest, other.digest) {
            assert_eq!(one, other);
        }
    } else {
        assert_eq!((one.size, other.size), (0, 0), "only files have a size");
    }
}

impl Bench {
    pub(super) fn new(
        store: Arc<dyn Store>,
        abilities: Abilities,
        owner: Owner,
        section: &str,
        subject: &str,
    ) -> Self {
        Self {
            store,
            abilities,
            owner,
            section: section.into(),
            subject: subject.into(),
        }
    }

    /// Is it claimed? When not, says aloud what part of the section is left out.
    pub(super) fn can(&self, ability: Ability, part: &str) -> bool {
        let has = self.abilities.has(ability);
        if !has {
            let (section, subject) = (&self.section, &self.subject);
            eprintln!("skipped: {section} ({part}) for {subject}: needs {ability:?}");
        }
        has
    }

    /// Is it claimed? Without a word.
    pub(super) fn has(&self, ability: Ability) -> bool {
        self.abilities.has(ability)
    }

    /// What was deleted or replaced, where the store keeps it; else says aloud that the section is
    /// left out.
    pub(super) async fn trash(&self) -> Option<Arc<dyn Trash>> {
        let trash = self.store.trash();
        let kept = match &trash {
            Some(trash) => match trash.state().await {
                Err(error) if error.kind() == ErrorKind::Unsupported => false,
                state => state.map(|_| true).unwrap(),
            },
            None => false,
        };
        if !kept {
            let (section, subject) = (&self.section, &self.subject);
            eprintln!("skipped: {section} for {subject}: it has no trash");
        }
        trash.filter(|_| kept)
    }

    pub(super) fn owner(&self) -> Owner {
        self.owner.clone()
    }

    /// A plan for a new file that goes when dropped.
    pub(super) fn plan(&self, path: &str) -> WritePlan {
        WritePlan::new(p(path), self.owner())
    }

    /// A plan for a new file that stays when dropped.
    pub(super) fn kept(&self, path: &str) -> WritePlan {
        WritePlan {
            on_drop: OnDrop::Keep,
            ..self.plan(path)
        }
    }

    /// Begins, writes and commits. Where an error comes is the store's choice.
    pub(super) async fn publish(&self, plan: WritePlan, bytes: &[u8], seal: Seal) -> Result<Entry> {
        let upload = self.store.begin(plan).await?;
        let piece = 1 + bytes.len() / 3;
        let kept = upload.write(
            0,
            stream_of(bytes.to_vec(), piece.min(100_000)),
            Default::default(),
        );
        let kept = kept.await?;
        assert_eq!(kept, bytes.len() as u64, "write must say how much it kept");
        upload.commit(seal).await
    }

    /// As [`Self::publish`], with this replacement and nothing else asked for.
    pub(super) async fn publish_as(
        &self,
        path: &str,
        bytes: &[u8],
        replace: Replace,
    ) -> Result<Entry> {
        self.publish(
            WritePlan {
                replace,
                ..self.plan(path)
            },
            bytes,
            Seal::default(),
        )
        .await
    }

    /// A new file.
    pub(super) async fn put(&self, path: &str, bytes: &[u8]) -> Entry {
        match self.publish_as(path, bytes, Replace::Never).await {
            Ok(entry) => entry,
            Err(error) => panic!("{path:?} of {} bytes: {}", bytes.len(), error.chain()),
        }
    }

    pub(super) async fn folder(&self, path: &str) -> Entry {
        self.store
            .make_folder(&p(path))
            .await
            .unwrap_or_else(|e| panic!("{path}: {}", e.chain()))
    }

    pub(super) async fn stat(&self, path: &str) -> Entry {
        self.store
            .stat(&p(path))
            .await
            .unwrap_or_else(|e| panic!("{path}: {}", e.chain()))
    }

    pub(super) async fn is_gone(&self, path: &str) {
        refused!(self.store.stat(&p(path)).await, ErrorKind::NotFound);
    }

    /// A file's content, read whole, with its entry compared.
    pub(super) async fn bytes(&self, path: &str) -> Vec<u8> {
        let reading = self.store.read(&p(path), ReadPlan::default()).await;
        let reading = reading.unwrap_or_else(|e| panic!("{path}: {}", e.chain()));
        let entry = reading.entry().clone();
        let all = collect(reading.stream(0..entry.size)).await;
        let all = all.unwrap_or_else(|e| panic!("{path}: {}", e.chain()));
        assert_eq!(
            all.len() as u64,
            entry.size,
            "{path}: as many bytes as the entry says"
        );
        if let Some(digest) = entry.digest {
            assert_eq!(digest, Digest::of(&all), "{path}: the entry's digest");
        }
        all
    }

    /// A listing's entries.
    pub(super) async fn list(&self, folder: &str, plan: ListPlan) -> Vec<Entry> {
        let mut listing = self
            .store
            .list(&p(folder), plan)
            .await
            .unwrap_or_else(|e| panic!("list {folder}: {}", e.chain()));
        let mut all = Vec::new();
        while let Some(found) = listing.next().await {
            match found.unwrap_or_else(|e| panic!("list {folder}: {}", e.chain())) {
                Listed::Entry(entry) => all.push(entry),
                Listed::Unnameable { shown } => panic!("nobody made {shown}"),
            }
        }
        all
    }

    /// The names in a folder.
    pub(super) async fn names(&self, folder: &str) -> BTreeSet<String> {
        let all = self.list(folder, ListPlan::default()).await;
        let names: BTreeSet<_> = all
            .iter()
            .map(|entry| entry.path.name().unwrap().to_owned())
            .collect();
        assert_eq!(names.len(), all.len(), "a listing shows each name once");
        names
    }

    /// Everything there is: a file's content, or none for a folder.
    pub(super) async fn tree(&self) -> BTreeMap<String, Option<Vec<u8>>> {
        let mut tree = BTreeMap::new();
        let mut folders = vec![String::new()];
        while let Some(folder) = folders.pop() {
            for entry in self.list(&folder, ListPlan::default()).await {
                let path = entry.path.as_str().to_owned();
                let content = if entry.is_folder() {
                    folders.push(path.clone());
                    None
                } else {
                    Some(self.bytes(&path).await)
                };
                assert!(tree.insert(path, content).is_none(), "listed twice");
            }
        }
        tree
    }

    /// Asserts that nothing at all is there.
    pub(super) async fn assert_empty(&self) {
        assert_eq!(self.tree().await, BTreeMap::new(), "nothing may be there");
    }
}
