//! The house rules: the store behind its gate, who may what, what happened, and how much.

pub(crate) mod gate;
pub(crate) mod guard;
pub(crate) mod guesses;
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
use meters::Meters;
use password::Doorkeeper;

/// How many events a session may lag behind before it misses some. Shared by all sessions.
const EVENTS: usize = 256;
/// Changes at once that take a moment each, and those that may take long (copies, removals of
/// whole folders).
const QUICK_CHANGES: usize = 256;
const LONG_CHANGES: usize = 16;
/// How long a change waits for its turn.
const TURN: Duration = Duration::from_secs(30);

/// What one server serves.
#[derive(Debug)]
pub(crate) struct Drawer {
    gate: Gate,
    events: broadcast::Sender<Arc<Event>>,
    quick: Arc<Semaphore>,
    long: Arc<Semaphore>,
    /// Counts what goes in and out.
    pub(crate) meters: Meters,
    /// Who signs in.
    pub(crate) doorkeeper: Doorkeeper,
}

impl Drawer {
    /// A drawer of what this store holds.
    pub(crate) fn new(store: Arc<dyn Store>, doorkeeper: Doorkeeper) -> Arc<Self> {
        Arc::new(Self {
            gate: Gate::new(store),
            events: broadcast::channel(EVENTS).0,
            quick: Arc::new(Semaphore::new(QUICK_CHANGES)),
            long: Arc::new(Semaphore::new(LONG_CHANGES)),
            meters: Meters::default(),
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
        let turns = Arc::clone(if long { &self.long } else { &self.quick });
        match timeout(TURN, turns.acquire_owned()).await {
            Ok(Ok(turn)) => Ok(turn),
            Ok(Err(_)) | Err(_) => Err(Error::new(ErrorKind::Busy)),
        }
    }
}
