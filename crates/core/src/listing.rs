//! What a folder holds, streamed: unsorted as the store finds it, or one sorted page at a time.
//!
//! Unsorted, nothing is kept: the first entries leave before the rest is looked at. Sorted, a
//! [`Window`] keeps no more than one page however large the folder is; the next page is asked for
//! by the [`Cursor`] of the last entry.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::fmt;
use std::pin::Pin;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_core::Stream;

use crate::entry::{Entry, Kind};
use crate::error::{Error, ErrorKind, Result};
use crate::path::Name;

/// The largest sorted page, in entries. Bounds the memory of one listing.
pub const MAX_PAGE: usize = 10_000;

/// One thing found in a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listed {
    /// An entry.
    Entry(Entry),
    /// Something whose name no [`Path`](crate::Path) can hold: not UTF-8, control characters, or
    /// too long. It is shown escaped (printable ASCII), and can only go with its folder.
    Unnameable {
        /// The name, escaped.
        shown: String,
    },
}

/// A folder's contents as they are found. Bounded read-ahead; dropping it ends the reading.
pub type Listing = Pin<Box<dyn Stream<Item = Result<Listed>> + Send + 'static>>;

/// What a page is sorted by. Ties are broken by name, byte for byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrderBy {
    /// The name, byte for byte. Folders are not set apart.
    Name,
    /// The size in bytes.
    Size,
    /// The time of the last change.
    Modified,
}

/// Ascending or descending by something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Order {
    /// By what.
    pub by: OrderBy,
    /// From the largest down.
    pub descending: bool,
}

/// How to list a folder.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListPlan {
    /// None: as the store finds them, streamed without bound.
    pub order: Option<Order>,
    /// Only what comes after this in the order. Wants an order.
    pub after: Option<Cursor>,
    /// At most so many entries; a sorted listing never has more than [`MAX_PAGE`].
    pub limit: Option<usize>,
}

impl ListPlan {
    /// A page in this order.
    pub fn sorted(by: OrderBy, descending: bool) -> Self {
        Self {
            order: Some(Order { by, descending }),
            after: None,
            limit: None,
        }
    }

    /// The window that keeps this plan's page; none when nothing is to be sorted.
    ///
    /// # Errors
    /// [`ErrorKind::BadRequest`] when the plan has a cursor but no order.
    pub fn window(&self) -> Result<Option<Window>> {
        match (self.order, &self.after) {
            (None, Some(_)) => Err(Error::bad_request("a cursor wants an order")),
            (None, None) => Ok(None),
            (Some(order), after) => Ok(Some(Window {
                order,
                after: after.clone(),
                limit: self.limit.unwrap_or(MAX_PAGE).min(MAX_PAGE),
                heap: BinaryHeap::new(),
            })),
        }
    }
}

/// Where a sorted page ended: the key and the name of its last entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    key: i128,
    name: String,
}

impl Cursor {
    /// The place of this entry in this order.
    pub fn of(entry: &Entry, order: Order) -> Self {
        let key = match order.by {
            OrderBy::Name => 0,
            OrderBy::Size => i128::from(entry.size),
            OrderBy::Modified => nanos(entry.modified),
        };
        Self {
            key,
            name: entry.path.name().unwrap_or_default().to_owned(),
        }
    }

    /// Reads what [`Display`](fmt::Display) wrote.
    ///
    /// # Errors
    /// [`ErrorKind::BadRequest`].
    pub fn parse(text: &str) -> Result<Self> {
        let bad = || Error::bad_request("not a cursor");
        let (key, name) = text.split_once(':').ok_or_else(bad)?;
        let key = key.parse().map_err(|_| bad())?;
        Name::parse(name).map_err(|error| Error::new(ErrorKind::BadRequest).because(error))?;
        Ok(Self {
            key,
            name: name.to_owned(),
        })
    }

    fn compare(&self, other: &Self, order: Order) -> Ordering {
        let ascending = self
            .key
            .cmp(&other.key)
            .then_with(|| self.name.cmp(&other.name));
        if order.descending {
            ascending.reverse()
        } else {
            ascending
        }
    }
}

/// `key:name`; opaque to clients.
impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.key, self.name)
    }
}

/// Keeps one sorted page of everything that is pushed: O(page) memory, O(n log page) time.
#[derive(Debug)]
pub struct Window {
    order: Order,
    after: Option<Cursor>,
    limit: usize,
    heap: BinaryHeap<Ranked>,
}

impl Window {
    /// Offers one entry.
    pub fn push(&mut self, entry: Entry) {
        let at = Cursor::of(&entry, self.order);
        if self
            .after
            .as_ref()
            .is_some_and(|after| at.compare(after, self.order).is_le())
        {
            return;
        }
        self.heap.push(Ranked {
            at,
            order: self.order,
            entry,
        });
        if self.heap.len() > self.limit {
            self.heap.pop();
        }
    }

    /// The page, in order.
    pub fn into_page(self) -> Vec<Entry> {
        self.heap
            .into_sorted_vec()
            .into_iter()
            .map(|ranked| ranked.entry)
            .collect()
    }
}

#[derive(Debug)]
struct Ranked {
    at: Cursor,
    order: Order,
    entry: Entry,
}

impl Ord for Ranked {
    fn cmp(&self, other: &Self) -> Ordering {
        self.at.compare(&other.at, self.order)
    }
}
impl PartialOrd for Ranked {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl PartialEq for Ranked {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}
impl Eq for Ranked {}

/// Nanoseconds since 1970, negative before it.
pub fn nanos(time: SystemTime) -> i128 {
    let whole = |span: Duration| i128::try_from(span.as_nanos()).unwrap_or(i128::MAX);
    match time.duration_since(UNIX_EPOCH) {
        Ok(since) => whole(since),
        Err(before) => -whole(before.duration()),
    }
}

/// The time so many nanoseconds after 1970; none when the clock cannot hold it.
pub fn from_nanos(nanos: i128) -> Option<SystemTime> {
    let span = |n: i128| {
        let n = u128::try_from(n).ok()?;
        let seconds = u64::try_from(n / 1_000_000_000).ok()?;
        Some(Duration::new(
            seconds,
            u32::try_from(n % 1_000_000_000).ok()?,
        ))
    };
    if nanos >= 0 {
        UNIX_EPOCH.checked_add(span(nanos)?)
    } else {
        UNIX_EPOCH.checked_sub(span(nanos.checked_neg()?)?)
    }
}

impl Listed {
    /// The entry, when it is one.
    pub fn entry(self) -> Option<Entry> {
        match self {
            Self::Entry(entry) => Some(entry),
            Self::Unnameable { .. } => None,
        }
    }

    /// Is it a folder one can go into?
    pub fn is_folder(&self) -> bool {
        matches!(self, Self::Entry(entry) if entry.kind == Kind::Folder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::Version;
    use crate::path::Path;
    use proptest::prelude::*;

    fn entry(name: &str, size: u64) -> Entry {
        Entry {
            path: Path::parse(name).unwrap(),
            kind: Kind::File,
            size,
            modified: UNIX_EPOCH,
            version: Version::parse("v").unwrap(),
            digest: None,
            executable: false,
        }
    }

    proptest! {
        #[test]
        fn pages_one_after_another_are_the_whole_in_order(
            sizes in proptest::collection::vec(0u64..5, 0..40), page in 1usize..7, descending: bool,
            by in prop_oneof![Just(OrderBy::Name), Just(OrderBy::Size), Just(OrderBy::Modified)],
        ) {
            let all: Vec<Entry> =
                sizes.iter().enumerate().map(|(i, size)| entry(&format!("n{i}"), *size)).collect();
            let mut plan = ListPlan { limit: Some(page), ..ListPlan::sorted(by, descending) };
            let order = plan.order.unwrap();
            let mut got = Vec::new();
            loop {
                let mut window = plan.window().unwrap().unwrap();
                all.iter().cloned().for_each(|e| window.push(e));
                let page = window.into_page();
                let Some(last) = page.last() else { break };
                let text = Cursor::of(last, order).to_string();
                plan.after = Some(Cursor::parse(&text).unwrap());
                got.extend(page);
            }
            let mut expected = all;
            expected.sort_by(|a, b| Cursor::of(a, order).compare(&Cursor::of(b, order), order));
            prop_assert_eq!(got, expected);
        }

        #[test]
        fn times_lead_back(n in -4_000_000_000_000_000_000i128..9_000_000_000_000_000_000) {
            prop_assert_eq!(nanos(from_nanos(n).unwrap()), n);
        }
    }

    #[test]
    fn nonsense_is_refused() {
        for bad in ["", "x", "1", "1:", "a:b", "1:a/b", "1:.."] {
            assert_eq!(
                Cursor::parse(bad).unwrap_err().kind(),
                ErrorKind::BadRequest,
                "{bad}"
            );
        }
        let after = Some(Cursor::parse("0:a").unwrap());
        assert!(
            ListPlan {
                after,
                ..ListPlan::default()
            }
            .window()
            .is_err()
        );
        assert_eq!(from_nanos(i128::MAX), None);
        assert_eq!(from_nanos(i128::MIN), None);
    }
}
