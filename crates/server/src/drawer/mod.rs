//! The house rules: the store behind its gate, who may what, what happened, and how much.

pub(crate) mod accounts;
pub(crate) mod affairs;
pub(crate) mod audit;
mod change;
pub(crate) mod cookies;
pub(crate) mod entrance;
pub(crate) mod gate;
pub(crate) mod guard;
pub(crate) mod guesses;
mod hashers;
mod keeping;
pub(crate) mod keys;
pub(crate) mod ledger;
pub(crate) mod limits;
pub(crate) mod meters;
pub(crate) mod pass;
pub(crate) mod password;
pub(crate) mod present;
pub(crate) mod quota;
mod reading;
mod secrets;
mod share;
mod sight;
pub(crate) mod stamp;
mod telling;
mod trash;
mod upload;
pub(crate) mod verify;
mod verifying;

#[cfg(test)]
mod conformance;

use std::sync::Arc;
use std::time::Duration;

use gaveta_core::{Error, ErrorKind, Event, Path, Result, Store};
use gaveta_wire::audit::{AuditBody, DONE};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, broadcast};
use tokio::time::timeout;
use zeroize::Zeroizing;

use audit::Audit;
use entrance::{Credential, Entrance};
use gate::Gate;
pub(crate) use guard::View;
use keys::admission::Keys;
use ledger::{Ledger, UploadLimits};
use limits::{Fairness, Shares};
use meters::Meters;
use pass::{Origin, Pass};
use present::Present;
use quota::Quotas;
use verifying::Verifier;

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
    /// Who is here now.
    pub(crate) present: Arc<Present>,
    /// Counts the uploads under way.
    pub(crate) ledger: Arc<Ledger>,
    /// Who has how much of the connections, requests and bytes.
    pub(crate) fairness: Arc<Fairness>,
    /// What accounts with a quota keep.
    quotas: Arc<Quotas>,
    /// Where whoever asks becomes an account.
    pub(crate) entrance: Entrance,
    /// Tokens and shares.
    pub(crate) keys: Arc<Keys>,
    /// Who did what.
    pub(crate) audit: Audit,
    /// Reads everything again.
    verifier: Verifier,
}

impl Drawer {
    /// A drawer of what this store holds, which keeps no tokens and no audit log.
    #[cfg(test)]
    pub(crate) fn new(
        store: Arc<dyn Store>,
        entrance: Entrance,
        limits: UploadLimits,
    ) -> Arc<Self> {
        let keys = Keys::open(
            None,
            Arc::clone(&entrance.accounts),
            keys::sheet::Using::Serving,
        )
        .unwrap();
        Self::keeping(store, entrance, limits, keys, Audit::default())
    }

    /// A drawer of what this store holds, which lets in also who has a token or a share.
    pub(crate) fn keeping(
        store: Arc<dyn Store>,
        entrance: Entrance,
        limits: UploadLimits,
        keys: Arc<Keys>,
        audit: Audit,
    ) -> Arc<Self> {
        entrance.also(vec![Arc::clone(&keys) as Arc<dyn entrance::Admission>]);
        Arc::new(Self {
            gate: Gate::new(store),
            events: broadcast::channel(EVENTS).0,
            quick: Arc::new(Semaphore::new(QUICK_CHANGES)),
            long: Arc::new(Semaphore::new(LONG_CHANGES)),
            small_pages: Arc::new(Semaphore::new(SORTED)),
            large_pages: Arc::new(Semaphore::new(SORTED)),
            meters: Meters::default(),
            present: Arc::default(),
            ledger: Ledger::new(limits),
            fairness: Fairness::new(Shares::default()),
            quotas: Arc::default(),
            entrance,
            keys,
            audit,
            verifier: Verifier::default(),
        })
    }

    /// The same drawer with these shares, and this book of what accounts keep.
    pub(crate) fn sharing(self: Arc<Self>, shares: Shares, quotas: Quotas) -> Arc<Self> {
        match Arc::try_unwrap(self) {
            Ok(drawer) => Arc::new(Self {
                fairness: Fairness::new(shares),
                quotas: Arc::new(quotas),
                ..drawer
            }),
            Err(shared) => shared,
        }
    }

    /// The drawer as whoever holds this pass sees it.
    pub(crate) fn view(self: &Arc<Self>, pass: Pass) -> View {
        View::new(Arc::clone(self), pass)
    }

    /// Refuses to make what looks like a folder or file that a grant speaks of, and is not it.
    /// What is there already is nobody's to refuse.
    ///
    /// # Errors
    /// `BadPath`.
    async fn no_lookalike(&self, target: &Path) -> Result<()> {
        match self.entrance.accounts.lookalike(target) {
            Some(at) if self.gate.there(&at).await?.is_none() => Err(accounts::lookalike(&at)),
            Some(_) | None => Ok(()),
        }
    }

    /// Reads everything again, whenever the last time is so long ago. For ever.
    pub(crate) async fn keep_verifying(self: Arc<Self>, every: Duration) {
        self.verifier.every(self.gate.own_shared(), every).await;
    }

    /// Waits until what was noted is in its files, or the deadline is over. Blocks.
    pub(crate) fn flush(&self, patience: Duration) {
        self.audit.flush(patience);
        self.quotas.flush(patience);
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
        if matches!(
            event.kind,
            gaveta_core::EventKind::Deleted | gaveta_core::EventKind::Renamed(_)
        ) {
            self.end_shares(&event.path);
        }
        // Nobody listening is no error.
        let _ = self.events.send(Arc::new(event));
    }

    /// Ends the shares of what is no longer at this path.
    fn end_shares(&self, path: &Path) {
        let ended = self.keys.shares.gone(path);
        if ended.is_empty() {
            return;
        }
        self.keys.changed();
        for share in ended {
            self.audit.record(AuditBody {
                account: share.maker.clone(),
                share: Some(share.id.clone()),
                door: pass::Door::Inside.code().to_owned(),
                operation: "share-end".to_owned(),
                path: Some(share.path.to_string()),
                result: DONE.to_owned(),
                ..AuditBody::default()
            });
        }
    }

    /// Lets in whoever shows this, and tells who was not. A name that nobody has is not told: it may
    /// be a password in the wrong place.
    ///
    /// # Errors
    /// As [`Entrance::admit`].
    pub(crate) async fn admit(&self, shown: Credential, origin: Origin) -> Result<Pass> {
        let name = match &shown {
            Credential::Password(name, _) => name.clone(),
            _ => String::new(),
        };
        let admitted = self.entrance.admit(shown, origin).await;
        self.tell_wrong(&name, origin, &admitted);
        admitted
    }

    /// Begins a browser's session by a name and a password, and tells of wrong ones: the secret of
    /// its cookie.
    ///
    /// # Errors
    /// As [`Drawer::admit`].
    pub(crate) async fn sign_in(
        &self,
        name: &str,
        password: Zeroizing<String>,
        origin: Origin,
    ) -> Result<(Pass, Zeroizing<String>)> {
        let begun = self.entrance.sign_in(name, password, origin).await;
        self.tell_wrong(name, origin, &begun);
        begun
    }

    fn tell_wrong<T>(&self, name: &str, origin: Origin, admitted: &Result<T>) {
        if let Err(error) = admitted
            && error.kind() == ErrorKind::WrongPassword
        {
            let known = self.entrance.accounts.find(name).is_some();
            let name = if known { name } else { "" };
            let from = origin.ip.map(|ip| ip.to_canonical().to_string());
            self.audit.record(AuditBody {
                account: name.to_owned(),
                from: from.unwrap_or_default(),
                door: origin.door.code().to_owned(),
                operation: "sign-in".to_owned(),
                result: error.kind().code().to_owned(),
                ..AuditBody::default()
            });
        }
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

    #[tokio::test]
    async fn sorted_pages_that_nobody_reads_are_bounded() {
        let drawer = conformance::drawer();
        let view = conformance::visitor(&drawer);
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
