//! The house rules: the store behind its gate, who may what, what happened, and how much.

pub(crate) mod audit;
pub(crate) mod gate;
pub(crate) mod guard;
pub(crate) mod guesses;
mod keeping;
pub(crate) mod keys;
pub(crate) mod ledger;
pub(crate) mod meters;
pub(crate) mod password;
mod secrets;
mod upload;

#[cfg(test)]
mod conformance;

use std::sync::Arc;
use std::time::Duration;

use gaveta_core::{Account, Error, ErrorKind, Event, Result, Store};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, broadcast};
use tokio::time::timeout;

use gate::Gate;
pub(crate) use guard::View;
use ledger::{Ledger, UploadLimits};
use meters::Meters;
use password::Doorkeeper;

/// How many events a session may lag behind before it misses some. Shared by all sessions.
const EVENTS: usize = 256;
/// Changes at once that take a moment each, and those that may take long (copies, removals of
/// whole folders).
const QUICK_CHANGES: usize = 256;
const LONG_CHANGES: usize = 16;
/// The entries that all sorted pages hold until they have left: those of at most [`SMALL_PAGE`]
/// entries (for people and sessions), and the larger ones, which so cannot hold up the others.
const SORTED: usize = 1 << 18;
const SMALL_PAGE: usize = 1000;
/// How long a change, or a sorted listing, waits for its turn.
const TURN: Duration = Duration::from_secs(30);

/// What one server serves.
#[derive(Debug)]
pub(crate) struct Drawer {
    gate: Gate,
    events: broadcast::Sender<Arc<Event>>,
    quick: Arc<Semaphore>,
    long: Arc<Semaphore>,
    small_pages: Arc<Semaphore>,
    large_pages: Arc<Semaphore>,
    /// Counts what goes in and out.
    pub(crate) meters: Meters,
    /// Counts the uploads under way.
    pub(crate) ledger: Arc<Ledger>,
    /// Who signs in.
    pub(crate) doorkeeper: Doorkeeper,
}

impl Drawer {
    /// A drawer of what this store holds.
    pub(crate) fn new(
        store: Arc<dyn Store>,
        doorkeeper: Doorkeeper,
        limits: UploadLimits,
    ) -> Arc<Self> {
        Arc::new(Self {
            gate: Gate::new(store),
            events: broadcast::channel(EVENTS).0,
            quick: Arc::new(Semaphore::new(QUICK_CHANGES)),
            long: Arc::new(Semaphore::new(LONG_CHANGES)),
            small_pages: Arc::new(Semaphore::new(SORTED)),
            large_pages: Arc::new(Semaphore::new(SORTED)),
            meters: Meters::default(),
            ledger: Ledger::new(limits),
            doorkeeper,
        })
    }

    /// The drawer as this account sees it.
    pub(crate) fn view(self: &Arc<Self>, account: Account) -> View {
        View::new(Arc::clone(self), account)
    }

    /// What happens from now on.
    pub(crate) fn events(&self) -> broadcast::Receiver<Arc<Event>> {
        self.events.subscribe()
    }

    /// Tells every session.
    fn announce(&self, event: Event) {
        let path = event.path.to_string();
        let path = gaveta_text::escape(&path).into_owned();
        let what = match &event.kind {
            gaveta_core::EventKind::Created(_) => "created",
            gaveta_core::EventKind::Changed(_) => "changed",
            gaveta_core::EventKind::Deleted => "deleted",
            gaveta_core::EventKind::Renamed(_) => "renamed",
        };
        tracing::info!(target: "gaveta::change", what, path, by = event.by);
        // Nobody listening is no error.
        let _ = self.events.send(Arc::new(event));
    }

    /// Waits for the turn of a change.
    ///
    /// # Errors
    /// `Busy`.
    async fn turn(&self, long: bool) -> Result<OwnedSemaphorePermit> {
        take(if long { &self.long } else { &self.quick }, 1).await
    }

    /// Waits for the room of a sorted page of `limit` entries.
    ///
    /// # Errors
    /// `Busy`.
    async fn page(&self, limit: usize) -> Result<OwnedSemaphorePermit> {
        let pages = if limit <= SMALL_PAGE {
            &self.small_pages
        } else {
            &self.large_pages
        };
        take(pages, limit.clamp(1, SORTED)).await
    }
}

async fn take(from: &Arc<Semaphore>, permits: usize) -> Result<OwnedSemaphorePermit> {
    let busy = || Error::new(ErrorKind::Busy);
    let permits = u32::try_from(permits).map_err(|_| busy())?;
    match timeout(TURN, Arc::clone(from).acquire_many_owned(permits)).await {
        Ok(Ok(turn)) => Ok(turn),
        Ok(Err(_)) | Err(_) => Err(busy()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::{FutureExt, StreamExt};
    use gaveta_core::listing::MAX_PAGE;
    use gaveta_core::{ListPlan, OrderBy, Path};
    use gaveta_testkit::MemoryStore;

    #[tokio::test]
    async fn sorted_pages_that_nobody_reads_are_bounded() {
        let keeper = password::AdminPassword::cheap("x").unwrap();
        let keeper = Doorkeeper::new(Some(keeper)).unwrap();
        let drawer = Drawer::new(Arc::new(MemoryStore::new()), keeper, Default::default());
        let view = drawer.view(Account::Visitor);
        view.make_folder(&Path::parse("a").unwrap()).await.unwrap();
        let root = Path::root();
        let plan = ListPlan::sorted(OrderBy::Name, false);
        let mut unread = Vec::new();
        for _ in 0..SORTED / MAX_PAGE {
            let mut listing = view.list(&root, plan.clone()).await.unwrap();
            listing.next().await.unwrap().unwrap();
            unread.push(listing);
        }
        let mut next = Box::pin(view.list(&root, plan.clone()));
        assert!((&mut next).now_or_never().is_none());
        // Whatever is not sorted holds no page.
        let mut plain = view.list(&root, ListPlan::default()).await.unwrap();
        plain.next().await.unwrap().unwrap();
        // Nor do large pages hold up small ones.
        let small = ListPlan {
            limit: Some(SMALL_PAGE),
            ..plan.clone()
        };
        let mut small = view.list(&root, small).await.unwrap();
        small.next().await.unwrap().unwrap();
        unread.pop();
        next.await.unwrap().next().await.unwrap().unwrap();
    }
}
