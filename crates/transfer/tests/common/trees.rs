//! Copies between two [`Hooked`] stores, and what lies in one afterwards.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures_util::TryStreamExt;
use gaveta_core::{ErrorKind, ListPlan, Listed, Store, TouchPlan};
use gaveta_testkit::{MemoryStore, content};
use gaveta_transfer::{Cancel, Options, Retries, Silent, Source, Summary, transfer};

use super::{Hooked, get, path, put};

pub(crate) fn quick() -> Options {
    Options {
        retries: Retries {
            times: 3,
            pause: Duration::from_millis(1),
        },
        ..Options::default()
    }
}

pub(crate) async fn copy(
    from: &Hooked,
    at: &str,
    to: &Hooked,
    as_: &str,
    options: Options,
) -> Summary {
    let source = Source {
        store: Arc::new(from.clone()),
        path: path(at),
        to: path(as_),
        entry: None,
    };
    copy_of(source, to, options).await
}

pub(crate) async fn copy_of(source: Source, to: &Hooked, options: Options) -> Summary {
    let target = Arc::new(to.clone());
    let observer = Arc::new(Silent);
    transfer(vec![source], target, options, observer, Cancel::new()).await
}

pub(crate) fn kinds(summary: &Summary) -> Vec<ErrorKind> {
    summary
        .failed
        .iter()
        .map(|failed| failed.error.kind())
        .collect()
}

/// Everything in a store: content, modified time and executable bit of files; folders.
pub(crate) async fn tree(
    store: &dyn Store,
    top: &str,
) -> BTreeMap<String, Option<(Vec<u8>, SystemTime, bool)>> {
    let mut all = BTreeMap::new();
    let mut folders = vec![path(top)];
    while let Some(folder) = folders.pop() {
        let listing = store.list(&folder, ListPlan::default()).await.unwrap();
        for listed in listing.try_collect::<Vec<_>>().await.unwrap() {
            let Listed::Entry(entry) = listed else {
                panic!("{listed:?}")
            };
            let name = entry.path.beneath(&path(top)).unwrap().as_str().to_owned();
            if entry.is_folder() {
                all.insert(name, None);
                folders.push(entry.path);
            } else {
                let bytes = get(store, entry.path.as_str()).await.unwrap();
                all.insert(name, Some((bytes, entry.modified, entry.executable)));
            }
        }
    }
    all
}

pub(crate) async fn a_tree(store: &MemoryStore) {
    for (i, at) in ["t/a", "t/b c|d", "t/ção/🗄️", "t/deep/er/file", "t/-x"]
        .iter()
        .enumerate()
    {
        put(store, at, &content(i * 70_000, i as u64)).await;
        let modified = SystemTime::UNIX_EPOCH + Duration::new(1_000_000 + i as u64, 123_456_789);
        let plan = TouchPlan {
            modified: Some(modified),
            executable: Some(i % 2 == 0),
        };
        store.touch(&path(at), plan).await.unwrap();
    }
    for folder in [
        "t/empty",
        "t/deep/empty",
        "t/only",
        "t/only/folders",
        "t/only/folders/here",
    ] {
        store.make_folder(&path(folder)).await.unwrap();
    }
}
