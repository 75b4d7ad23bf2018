//! The drawer as one account sees it: allow, do, announce.

use std::sync::Arc;

use async_trait::async_trait;
use futures_core::stream::BoxStream;
use futures_util::StreamExt;
use gaveta_core::listing::MAX_PAGE;
use gaveta_core::{
    Account, Action, Entry, Error, ErrorKind, Event, EventKind, Finding, ListPlan, Listing,
    MovePlan, OnDrop, Operation, Outline, Path, ReadPlan, Reading, RemovePlan, Replace, Result,
    Space, Store, TouchPlan, Trash, Upkeep, Upload, UploadId, UploadState, VerifyOrder,
    VerifyState, Version, WritePlan,
};

use super::Drawer;
use super::audit::Audit;
use super::change::race_lost;
use super::gate::{Allowed, Gate, Need};
use super::keys::admission::Keys;
use super::ledger::Finished;
use super::pass::{Door, Origin, Pass, WhileAllowed};
use super::present::Guest;
use super::reading::MeteredReading;
use super::sight;
use super::telling::Telling;
use super::trash::GuardedTrash;
use super::upload::{GuardedUpload, Tale};

/// The drawer as one account sees it: a [`Store`] that refuses what the account may not do, and
/// shows nothing that it may not list.
///
/// What the account may is asked anew at every step, so that a change counts at once, also for
/// what is under way. A change of the drawer that has begun is completed and announced even when
/// the future that waits for it is dropped; how many of those there are at once is bounded.
#[derive(Debug, Clone)]
pub(crate) struct View {
    pub(super) drawer: Arc<Drawer>,
    pass: Pass,
    /// By what request or session it looks.
    guest: Option<Arc<Guest>>,
}

impl View {
    pub(super) fn new(drawer: Arc<Drawer>, pass: Pass) -> Self {
        let guest = None;
        Self {
            drawer,
            pass,
            guest,
        }
    }

    /// The same, by this request or session, which is told what moves.
    pub(crate) fn visiting(self, guest: &Arc<Guest>) -> Self {
        let guest = Some(Arc::clone(guest));
        Self { guest, ..self }
    }

    /// By what request or session it looks.
    pub(super) fn guest(&self) -> Option<&Arc<Guest>> {
        self.guest.as_ref()
    }

    /// The same, as whoever holds this pass sees it.
    pub(crate) fn held_by(&self, pass: Pass) -> Self {
        if let Some(guest) = &self.guest {
            guest.becomes(pass.clone());
        }
        Self {
            pass,
            ..self.clone()
        }
    }

    /// So many bytes of content came.
    pub(super) fn received(&self, bytes: u64) {
        self.drawer.meters.written(bytes);
        if let Some(guest) = &self.guest {
            guest.received(bytes);
        }
    }

    /// So many bytes of content left.
    pub(super) fn sent(&self, bytes: u64) {
        self.drawer.meters.read(bytes);
        if let Some(guest) = &self.guest {
            guest.sent(bytes);
        }
    }

    /// Who looks, as it was known last.
    pub(crate) fn account(&self) -> Arc<Account> {
        self.pass.last()
    }

    /// What whoever looks holds.
    pub(crate) fn pass(&self) -> &Pass {
        &self.pass
    }

    /// The same, through another door.
    pub(crate) fn through(&self, door: Door) -> Self {
        let origin = Origin {
            door,
            ..self.pass.origin()
        };
        Self {
            drawer: Arc::clone(&self.drawer),
            pass: self.pass.through(origin),
            guest: self.guest.clone(),
        }
    }

    /// May the account do this here?
    pub(crate) fn may(&self, action: Action, path: &Path) -> bool {
        self.pass
            .now()
            .is_ok_and(|account| account.may(action, path))
    }

    /// What an event tells this account; none when it may not know of it.
    pub(crate) fn sees(&self, event: &Event) -> Option<Event> {
        sight::event(&*self.pass.now().ok()?, event)
    }

    pub(super) fn allow(&self, action: Action, path: &Path) -> Result<Allowed> {
        Gate::allow(&*self.pass.now()?, action, path)
    }

    /// Is this still granted?
    pub(super) fn check(&self, need: &Need) -> Result<()> {
        need.check(&*self.pass.now()?)
    }

    pub(super) fn allow_beneath(&self, action: Action, path: &Path) -> Result<Allowed> {
        Gate::allow_beneath(&*self.pass.now()?, action, path)
    }

    fn store(&self, allowed: Allowed) -> &dyn Store {
        self.drawer.gate.store(allowed)
    }

    pub(super) fn event(&self, path: &Path, kind: EventKind) -> Event {
        Event {
            path: path.clone(),
            kind,
            by: self.account().name().to_owned(),
        }
    }
}

#[async_trait]
impl Store for View {
    async fn stat(&self, path: &Path) -> Result<Entry> {
        let account = self.pass.now()?;
        let telling = Telling::new(self, Operation::Stat, path);
        let allowed = telling.refused(Gate::allow_sight(&account, path))?;
        let entry = self.store(allowed).stat(path).await?;
        match entry.is_folder() || account.may(Action::List, path) {
            true => Ok(entry),
            // It only seemed to lead somewhere.
            false => Err(Error::at(ErrorKind::NotFound, path)),
        }
    }

    async fn list(&self, folder: &Path, plan: ListPlan) -> Result<Listing> {
        let telling = Telling::new(self, Operation::List, folder);
        let listed = self.listed(folder, plan).await;
        telling.over(&listed);
        listed
    }

    async fn read(&self, path: &Path, plan: ReadPlan) -> Result<Arc<dyn Reading>> {
        let telling = Telling::new(self, Operation::Read, path);
        let allowed = telling.step(self.allow(Action::Read, path))?;
        let reading = telling.step(self.store(allowed).read(path, plan).await)?;
        telling.step(self.not_used_up(path))?;
        Ok(Arc::new(MeteredReading::new(
            self,
            reading,
            Operation::Read,
        )))
    }
    async fn outline(&self, path: &Path, version: &Version) -> Result<Outline> {
        let telling = Telling::new(self, Operation::Outline, path);
        let allowed = telling.refused(self.allow(Action::Read, path))?;
        self.store(allowed).outline(path, version).await
    }

    async fn begin(&self, plan: WritePlan) -> Result<Arc<dyn Upload>> {
        let at = plan.target.clone().unwrap_or_else(Path::root);
        let telling = Telling::new(self, Operation::Begin, &at);
        let kept = plan.on_drop == OnDrop::Keep;
        let begun = self.begun(plan).await;
        // One that is not kept is told once: when it is published, or was cut.
        if kept || begun.is_err() {
            telling.over(&begun);
        }
        begun
    }

    /// An id is a capability of whoever began the upload; whoever looks after the server may touch
    /// any.
    async fn upload(&self, id: &UploadId, target: Option<&Path>) -> Result<Arc<dyn Upload>> {
        let account = self.pass.now()?;
        let telling = Telling::of(self, Operation::Resume.code(), None);
        let allowed = telling.refused(Gate::allow_somewhere(&account, Action::Create))?;
        let inner = self.store(allowed).upload(id, target).await?;
        let state = inner.state().await?;
        let at = state.target.clone().unwrap_or_else(Path::root);
        if state.owner != account.owner() && !account.may(Action::Manage, &at) {
            return Err(Error::new(ErrorKind::UnknownUpload));
        }
        if let Some(target) = &state.target {
            self.allow(Action::Create, target)?;
        }
        Ok(Arc::new(GuardedUpload {
            drawer: Arc::clone(&self.drawer),
            view: self.clone(),
            inner,
            target: state.target,
            replace: Replace::Always,
            narrowed: false,
            kept: Some(state.id),
            holding: None,
            parts: Vec::new(),
            tale: Tale::default(),
        }))
    }

    /// Only for who looks after the server: ids are capabilities, and all visitors are one owner.
    async fn uploads(&self) -> Result<BoxStream<'static, Result<UploadState>>> {
        let telling = Telling::of(self, Operation::Uploads.code(), None);
        let allowed = telling.refused(self.allow(Action::Manage, &Path::root()))?;
        self.store(allowed).uploads().await
    }

    async fn make_folder(&self, path: &Path) -> Result<Entry> {
        let telling = Telling::new(self, Operation::MakeFolder, path);
        let allowed = telling.step(self.allow(Action::Create, path))?;
        telling.step(self.drawer.no_lookalike(path).await)?;
        let store = self.drawer.gate.keep(allowed);
        let (this, at) = (self.clone(), path.clone());
        let path = path.clone();
        Self::change(
            &self.drawer,
            false,
            telling,
            async move { store.make_folder(&path).await },
            move |entry: &Entry| Some(this.event(&at, EventKind::Created(entry.clone()))),
        )
        .await
    }

    async fn remove(&self, path: &Path, plan: RemovePlan) -> Result<()> {
        let telling = Telling::new(self, Operation::Remove, path);
        if plan.forever {
            telling.step(self.allow_beneath(Action::Manage, path))?;
        }
        let plan = RemovePlan {
            by: Some(self.account().owner()),
            ..plan
        };
        // A folder goes with all that is in it, or only when nothing is.
        let allowed = telling.step(self.allow_beneath(Action::Delete, path))?;
        let store = self.drawer.gate.keep(allowed);
        let (this, at) = (self.clone(), path.clone());
        let drawer = Arc::clone(&self.drawer);
        let (path, long) = (path.clone(), plan.recursive);
        Self::change(
            &self.drawer,
            long,
            telling,
            async move {
                store.remove(&path, plan).await?;
                drawer.quotas.gone(&path);
                Ok(())
            },
            move |()| Some(this.event(&at, EventKind::Deleted)),
        )
        .await
    }

    async fn rename(&self, from: &Path, to: &Path, plan: MovePlan) -> Result<Entry> {
        let telling = Telling::new(self, Operation::Rename, from).to(to);
        telling.step(self.allow_beneath(Action::Delete, from))?;
        telling.step(self.taken(from))?;
        let (allowed, plan, narrowed) = telling.step(self.onto(to, plan).await)?;
        let store = self.drawer.gate.keep(allowed);
        let drawer = Arc::clone(&self.drawer);
        let (this, at) = (self.clone(), from.clone());
        let (from, to) = (from.clone(), to.clone());
        Self::change(
            &self.drawer,
            false,
            telling,
            async move {
                let entry = store
                    .rename(&from, &to, plan)
                    .await
                    .map_err(|error| race_lost(error, narrowed))?;
                drawer.quotas.moved(&from, &to);
                Ok(entry)
            },
            move |entry: &Entry| {
                let moved = entry.path != at;
                moved.then(|| this.event(&at, EventKind::Renamed(entry.clone())))
            },
        )
        .await
    }

    async fn copy(&self, from: &Path, to: &Path, plan: MovePlan) -> Result<Entry> {
        let telling = Telling::new(self, Operation::Copy, from).to(to);
        telling.step(self.taken(from))?;
        let (allowed, plan, narrowed) = telling.step(self.onto(to, plan).await)?;
        let replaces = telling.step(self.will_replace(to, &plan.replace).await)?;
        let store = self.drawer.gate.keep(allowed);
        let (this, keeper) = (self.clone(), self.clone());
        let (from, to) = (from.clone(), to.clone());
        Self::change(
            &self.drawer,
            true,
            telling,
            async move {
                // What is walked through to count it waits for its turn too.
                let copied = keeper.room_for_copy(&from).await?;
                let entry = store
                    .copy(&from, &to, plan)
                    .await
                    .map_err(|error| race_lost(error, narrowed))?;
                keeper.keeps(&entry);
                keeper.keeps_copy(&copied, &from, &to);
                Ok(entry)
            },
            move |entry: &Entry| Some(this.written(entry, replaces)),
        )
        .await
    }

    async fn touch(&self, path: &Path, plan: TouchPlan) -> Result<Entry> {
        let telling = Telling::new(self, Operation::Touch, path);
        let allowed = telling.step(self.allow(Action::Replace, path))?;
        let store = self.drawer.gate.keep(allowed);
        let (this, at) = (self.clone(), path.clone());
        let path = path.clone();
        Self::change(
            &self.drawer,
            false,
            telling,
            async move { store.touch(&path, plan).await },
            move |entry: &Entry| Some(this.event(&at, EventKind::Changed(entry.clone()))),
        )
        .await
    }

    fn trash(&self) -> Option<Arc<dyn Trash>> {
        let inner = self.drawer.gate.own().trash()?;
        Some(Arc::new(GuardedTrash::new(self.clone(), inner)))
    }

    /// It is looked after by [`View::verify`] alone.
    fn round_trip(&self) -> Option<std::time::Duration> {
        None
    }

    fn upkeep(&self) -> Option<Arc<dyn Upkeep>> {
        None
    }

    async fn space(&self) -> Result<Space> {
        let telling = Telling::of(self, Operation::Space.code(), None);
        let allowed = telling.refused(self.allow(Action::List, &Path::root()))?;
        let space = self.store(allowed).space().await?;
        Ok(self.share_of(space))
    }
}

impl View {
    async fn begun(&self, plan: WritePlan) -> Result<Arc<dyn Upload>> {
        let (allowed, replace, narrowed) = match &plan.target {
            Some(target) => self.narrow(target, plan.replace.clone()).await?,
            // It appears nowhere.
            None => (
                Gate::allow_somewhere(&*self.pass.now()?, Action::Create)?,
                plan.replace.clone(),
                false,
            ),
        };
        self.not_used_up(plan.target.as_ref().unwrap_or(&Path::root()))?;
        for part in &plan.parts {
            self.upload(part, None).await?;
        }
        if let (Some(target), Some(_)) = (&plan.target, &plan.base) {
            self.allow(Action::Read, target)?;
        }
        // Whoever does not look after the server uploads in no name but his own.
        self.recount(plan.length.unwrap_or(0)).await?;
        let at = plan.target.clone().unwrap_or_else(Path::root);
        let owner = match self.may(Action::Manage, &at) {
            true => plan.owner,
            false => self.account().owner(),
        };
        let plan = WritePlan {
            replace,
            owner,
            ..plan
        };
        let place = match plan.on_drop {
            OnDrop::Keep => {
                let ledger = &self.drawer.ledger;
                let payer = self.account().payer();
                Some(ledger.take(&plan.owner, &payer, plan.length.unwrap_or(0), self.room())?)
            }
            OnDrop::Discard => None,
        };
        let holding = match (&place, self.pass.now()?.quota()) {
            (None, Some(_)) => {
                let holding = self.drawer.quotas.hold(&self.account().payer().0);
                self.holds(&holding, plan.length.unwrap_or(0))?;
                Some(holding)
            }
            _ => None,
        };
        let (target, replace) = (plan.target.clone(), plan.replace.clone());
        let parts = plan.parts.clone();
        let inner = self
            .store(allowed)
            .begin(plan)
            .await
            .map_err(|error| race_lost(error, narrowed))?;
        let kept = match place {
            Some(place) => {
                let id = inner.state().await?.id;
                place.settle(&id);
                Some(id)
            }
            None => None,
        };
        Ok(Arc::new(GuardedUpload {
            drawer: Arc::clone(&self.drawer),
            view: self.clone(),
            inner,
            target,
            replace,
            narrowed,
            kept,
            holding,
            parts,
            tale: Tale::default(),
        }))
    }

    async fn listed(&self, folder: &Path, plan: ListPlan) -> Result<Listing> {
        let account = self.pass.now()?;
        let allowed = Gate::allow_sight(&account, folder)?;
        let whole = account.may(Action::List, folder);
        if plan.order.is_none() {
            let listing = self.store(allowed).list(folder, plan).await?;
            return Ok(match whole {
                true => {
                    let seen = sight::listing(listing, folder, &self.pass);
                    Box::pin(WhileAllowed::new(
                        seen,
                        &self.pass,
                        Need::here(Action::List, folder),
                    ))
                }
                false => sight::listing(listing, folder, &self.pass),
            });
        }
        let limit = plan.limit.unwrap_or(MAX_PAGE).min(MAX_PAGE);
        let room = self.drawer.page(limit).await?;
        let listing = match whole && account.grants().is_even(folder) {
            true => self.store(allowed).list(folder, plan).await?,
            // Pages of the store's would come out short.
            false => {
                let order_less = ListPlan::default();
                let listing = self.store(allowed).list(folder, order_less).await?;
                sight::page(sight::listing(listing, folder, &self.pass), &plan).await?
            }
        };
        Ok(Box::pin(listing.inspect(move |_| {
            let _held_until_the_page_has_left = &room;
        })))
    }

    /// Tokens and shares.
    pub(crate) fn keys(&self) -> &Arc<Keys> {
        &self.drawer.keys
    }

    /// The audit log.
    pub(crate) fn audit(&self) -> &Audit {
        &self.drawer.audit
    }

    /// Reads everything again, or tells how far that is. For who looks after the server.
    pub(crate) async fn verify(&self, order: VerifyOrder) -> Result<(VerifyState, Vec<Finding>)> {
        let telling = Telling::of(self, Operation::Verify.code(), None);
        let looks = matches!(order, VerifyOrder::Tell { .. });
        let allowed = self.allow(Action::Manage, &Path::root());
        let allowed = telling.clone().refused(allowed)?;
        let store = self.drawer.gate.keep(allowed);
        let ordered = self.drawer.verifier.order(&store, order).await;
        // Only looking how far it is changes nothing.
        if !looks {
            telling.over(&ordered);
        }
        ordered
    }

    /// What became of an upload that was committed not long ago.
    pub(crate) fn finished(&self, id: &UploadId) -> Option<Finished> {
        let finished = self.drawer.ledger.finished(id)?;
        let mine = finished.owner == self.account().owner();
        (mine || self.may(Action::Manage, &finished.entry.path)).then_some(finished)
    }
}
