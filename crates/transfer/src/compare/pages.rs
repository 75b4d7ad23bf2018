//! A folder of one side, page by page, in the order of names.

use std::sync::Arc;

use gaveta_core::{Cursor, Entry, Error, ListPlan, Order, OrderBy, Path, Result, Store};

use crate::options::Retries;
use crate::walk::{again, read_page};

/// How many entries of a folder are held at once on each side; of one that lies deep, fewer. With
/// the largest depth of a path this bounds the memory of a comparison.
const PAGE: usize = 2_000;
const DEEP_PAGE: usize = 200;
const DEEP: usize = 8;
const BY_NAME: Order = Order {
    by: OrderBy::Name,
    descending: false,
};

/// A page of a folder, in the order of names.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) entries: Vec<Entry>,
    /// Things in it that have no usable name, escaped. Every page tells of them again.
    pub(super) unnameable: Vec<String>,
    pub(super) more: bool,
}

/// Reads a page. An order that is not the one asked for is refused: merging by it would take what
/// is on both sides for something extra.
pub(super) async fn page(
    store: Arc<dyn Store>,
    folder: Path,
    after: Option<Entry>,
    depth: usize,
    retries: Retries,
) -> Result<Page> {
    let limit = if depth > DEEP { DEEP_PAGE } else { PAGE };
    let plan = ListPlan {
        order: Some(BY_NAME),
        after: after.as_ref().map(|last| Cursor::of(last, BY_NAME)),
        limit: Some(limit),
    };
    let (entries, unnameable) = again(retries, || read_page(&store, &folder, plan.clone())).await?;
    let names = after.iter().chain(&entries).map(|entry| entry.path.name());
    if !names.is_sorted_by(|one, next| one < next) {
        return Err(Error::bad_request("the listing is not in the order of names").about(&folder));
    }
    Ok(Page {
        more: entries.len() >= limit,
        entries,
        unnameable,
    })
}

/// One side of a folder on the way down.
#[derive(Debug)]
pub(super) struct Pager {
    pub(super) folder: Path,
    pub(super) page: std::vec::IntoIter<Entry>,
    /// The last entry that was taken over from the store.
    pub(super) last: Option<Entry>,
    more: bool,
}

impl Pager {
    pub(super) fn new(folder: Path) -> Self {
        Self {
            folder,
            page: Vec::new().into_iter(),
            last: None,
            more: true,
        }
    }

    pub(super) fn peek(&self) -> Option<&Entry> {
        self.page.as_slice().first()
    }

    pub(super) fn wants_page(&self) -> bool {
        self.more && self.peek().is_none()
    }

    pub(super) fn take(&mut self, entries: Vec<Entry>, more: bool) {
        self.last = entries.last().cloned();
        self.more = more;
        self.page = entries.into_iter();
    }

    /// The entry of this name on the page at hand; an error when it may still come.
    pub(super) fn find(&self, name: Option<&str>) -> Result<Option<&Entry>, ()> {
        let page = self.page.as_slice();
        match page.binary_search_by(|entry| entry.path.name().cmp(&name)) {
            Ok(at) => Ok(page.get(at)),
            Err(at) if at == page.len() && self.more => Err(()),
            Err(_) => Ok(None),
        }
    }
}
