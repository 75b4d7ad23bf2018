//! Copies of one big file, and what is heard of them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use gaveta_core::{CHUNK, Error, Path, Result, Store, UploadState};
use gaveta_testkit::{FlakyStore, MemoryStore};
use gaveta_transfer::{
    Cancel, Copied, Existing, FileId, Memory, Observer, Options, Outcome, Remembered, Restart,
    Resume, Retries, Source, Summary, transfer,
};

use super::path;

pub(crate) const LENGTH: usize = 9 * CHUNK as usize + 777;

/// Remembers in memory what a client remembers on its disk.
#[derive(Debug, Default)]
pub(crate) struct Notebook(pub(crate) Mutex<HashMap<Path, Remembered>>);

#[async_trait]
impl Memory for Notebook {
    async fn find(&self, to: &Path) -> Option<Remembered> {
        self.0.lock().unwrap().get(to).cloned()
    }
    async fn keep(&self, to: &Path, what: &Remembered) -> Result<()> {
        self.0.lock().unwrap().insert(to.clone(), what.clone());
        Ok(())
    }
    async fn forget(&self, to: &Path) {
        self.0.lock().unwrap().remove(to);
    }
}

#[derive(Debug, Default)]
pub(crate) struct Heard {
    pub(crate) copied: Mutex<Vec<Copied>>,
    pub(crate) restarts: Mutex<Vec<Restart>>,
    pub(crate) resumed: AtomicU64,
    pub(crate) retries: AtomicU64,
    pub(crate) last: AtomicU64,
    /// Cancels when so many bytes went over.
    pub(crate) cancel_at: Option<(u64, Cancel)>,
    /// All that was told, where somebody wants it.
    pub(crate) told: Option<Arc<Mutex<Vec<u64>>>>,
}

impl Observer for Heard {
    fn advanced(&self, _: FileId, bytes: u64) {
        self.last.store(bytes, Ordering::SeqCst);
        if let Some(told) = &self.told {
            told.lock().unwrap().push(bytes);
        }
        if let Some((at, cancel)) = &self.cancel_at
            && bytes >= *at
        {
            cancel.cancel();
        }
    }
    fn resumed(&self, _: FileId, _: &Path, bytes: u64) {
        self.resumed.fetch_add(bytes, Ordering::SeqCst);
    }
    fn restarted(&self, _: FileId, _: &Path, why: Restart) {
        self.restarts.lock().unwrap().push(why);
    }
    fn retrying(&self, _: FileId, _: &Path, _: &Error) {
        self.retries.fetch_add(1, Ordering::SeqCst);
    }
    fn copied(&self, _: FileId, _: &Path, copied: &Copied) {
        self.copied.lock().unwrap().push(*copied);
    }
    fn finished(&self, _: FileId, _: &Path, outcome: Outcome<'_>) {
        if let Outcome::Done(entry) = outcome {
            assert_eq!(self.last.load(Ordering::SeqCst), entry.size);
        }
    }
}

pub(crate) fn quick() -> Options {
    Options {
        retries: Retries {
            times: 3,
            pause: Duration::from_millis(1),
        },
        big: CHUNK,
        ..Options::default()
    }
}

pub(crate) fn remembering(notes: &Arc<Notebook>) -> Options {
    Options {
        resume: Some(Resume::Remember(notes.clone())),
        ..quick()
    }
}

pub(crate) fn deriving() -> Options {
    Options {
        resume: Some(Resume::Derive("far:4283".into())),
        ..quick()
    }
}

pub(crate) fn replacing(options: Options) -> Options {
    Options {
        existing: Existing::Replace,
        ..options
    }
}

pub(crate) async fn copy_heard(
    here: &dyn AsStore,
    there: &dyn AsStore,
    options: Options,
    heard: &Arc<Heard>,
) -> Summary {
    let source = Source {
        store: here.store(),
        path: path("a"),
        to: path("a"),
        entry: None,
    };
    let cancel = match &heard.cancel_at {
        Some((_, cancel)) => cancel.clone(),
        None => Cancel::new(),
    };
    let observer = heard.clone();
    transfer(vec![source], there.store(), options, observer, cancel).await
}

pub(crate) async fn copy(
    here: &dyn AsStore,
    there: &dyn AsStore,
    options: Options,
) -> (Summary, Arc<Heard>) {
    let heard = Arc::new(Heard::default());
    (copy_heard(here, there, options, &heard).await, heard)
}

pub(crate) trait AsStore {
    fn store(&self) -> Arc<dyn Store>;
}

impl AsStore for MemoryStore {
    fn store(&self) -> Arc<dyn Store> {
        Arc::new(self.clone())
    }
}

impl AsStore for FlakyStore<MemoryStore> {
    fn store(&self) -> Arc<dyn Store> {
        Arc::new(self.clone())
    }
}

pub(crate) fn flaky() -> FlakyStore<MemoryStore> {
    FlakyStore::new(MemoryStore::new())
}

pub(crate) async fn kept(store: &MemoryStore) -> Vec<UploadState> {
    use futures_util::TryStreamExt;
    store.uploads().await.unwrap().try_collect().await.unwrap()
}

#[track_caller]
pub(crate) fn only<T: Copy>(all: &Mutex<Vec<T>>) -> T {
    let all = all.lock().unwrap();
    assert_eq!(all.len(), 1);
    all[0]
}
