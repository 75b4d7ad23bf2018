//! Folders that are read before the walk comes to them, where each reading costs a way there and
//! back: the walk itself goes on in order.

use std::collections::VecDeque;
use std::sync::Arc;

use gaveta_core::{Cursor, Entry, Error, ErrorKind, ListPlan, Order, OrderBy, Path, Result, Store};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::options::Retries;
use crate::walk::{again, read_page};

/// How many entries of a folder are held at once; of one that lies deep, fewer. With the largest
/// depth of a path this bounds the memory of a walk.
pub(crate) const PAGE: usize = 10_000;
const DEEP_PAGE: usize = 500;
const DEEP: usize = 8;
/// Of a store that is elsewhere, the first page of a folder: what is in it is copied while the next
/// comes, which is twice as long.
const FIRST_PAGE: usize = 500;
/// So many folders are read ahead, beneath one that does not lie deep: their first pages.
const FOLDERS: usize = 16;

/// One page, whole: its entries, and the unusable names that were told with it.
pub(crate) type Page = (Vec<Entry>, Vec<String>);

/// The order in which folders are read.
pub(crate) const ORDER: Order = Order {
    by: OrderBy::Name,
    descending: false,
};

/// How many entries of a folder so deep are asked for, when so many were told of it before.
pub(crate) fn page_size(store: &dyn Store, depth: usize, told: usize) -> usize {
    if depth > DEEP {
        DEEP_PAGE
    } else if store.round_trip().is_some() {
        told.clamp(FIRST_PAGE, PAGE)
    } else {
        PAGE
    }
}

/// Reads a page of a folder; again when that fails for a passing reason.
pub(crate) async fn page(
    store: &Arc<dyn Store>,
    folder: &Path,
    after: Option<Cursor>,
    limit: usize,
    retries: Retries,
) -> Result<Page> {
    let plan = ListPlan {
        order: Some(ORDER),
        after,
        limit: Some(limit),
    };
    again(retries, || read_page(store, folder, plan.clone())).await
}

/// The folders beneath one, in the order in which the walk comes to them.
#[derive(Debug, Default)]
pub(crate) struct Ahead {
    begun: VecDeque<Begun>,
    next: VecDeque<Path>,
}

/// The first page of a folder, on its way. Ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Begun {
    path: Path,
    limit: usize,
    since: Instant,
    page: JoinHandle<Result<Page>>,
}

impl Drop for Begun {
    fn drop(&mut self) {
        self.page.abort();
    }
}

impl Begun {
    /// The page, how many entries it was to have, and when it was asked for.
    pub(crate) async fn page(mut self) -> (Result<Page>, usize, Instant) {
        let page = (&mut self.page).await;
        let page = page.unwrap_or_else(|error| Err(Error::new(ErrorKind::Io).because(error)));
        (page, self.limit, self.since)
    }
}

impl Ahead {
    /// These come next. Nothing is read ahead of a store that is here, nor deep down: what is held
    /// of pages that nobody wants yet is bounded.
    pub(crate) fn expect(&mut self, store: &dyn Store, depth: usize, entries: &[Entry]) {
        if depth <= DEEP && store.round_trip().is_some() {
            let folders = entries.iter().filter(|entry| entry.is_folder());
            self.next.extend(folders.map(|entry| entry.path.clone()));
        }
    }

    /// Begins what may be read ahead. Must run within a tokio runtime.
    pub(crate) fn go_on(&mut self, store: &Arc<dyn Store>, depth: usize, retries: Retries) {
        while self.begun.len() < FOLDERS
            && let Some(path) = self.next.pop_front()
        {
            let limit = page_size(store.as_ref(), depth + 1, 0);
            let (store, folder) = (Arc::clone(store), path.clone());
            let page =
                tokio::spawn(async move { page(&store, &folder, None, limit, retries).await });
            self.begun.push_back(Begun {
                path,
                limit,
                since: Instant::now(),
                page,
            });
        }
    }

    /// The walk has come to this folder. None when it was not read ahead.
    pub(crate) fn take(&mut self, folder: &Path) -> Option<Begun> {
        if self
            .begun
            .front()
            .is_some_and(|begun| begun.path == *folder)
        {
            return self.begun.pop_front();
        }
        if self.next.front() == Some(folder) {
            self.next.pop_front();
        }
        None
    }
}
