//! The drawer as one account sees it: allow, do, announce.

use std::sync::Arc;

use async_trait::async_trait;
use futures_core::stream::BoxStream;
use futures_util::StreamExt;
use gaveta_core::listing::MAX_PAGE;
use gaveta_core::{
    Account, Action, Content, Entry, Error, ErrorKind, Event, EventKind, Finding, ListPlan,
    Listing, MovePlan, OnDrop, Outline, Path, Piece, Pieces, ReadPlan, Reading, RemovePlan,
    Replace, Result, Space, Store, TouchPlan, Trash, Upkeep, Upload, UploadId, UploadState,
    VerifyOrder, VerifyState, Version, WritePlan,
};

use super::Drawer;
use super::gate::{self, Allowed, Gate};
use super::ledger::Finished;
use super::trash::GuardedTrash;
use super::upload::GuardedUpload;

/// The drawer as one account sees it: a [`Store`] that refuses what the account may not do.
///
/// A change that has begun is completed and announced even when the future that waits for it is
/// dropped; how many of those there are at once is bounded.
#[derive(Debug, Clone)]
pub(crate) struct View {
    drawer: Arc<Drawer>,
    account: Account,
}

impl View {
    pub(super) fn new(drawer: Arc<Drawer>, account: Account) -> Self {
        Self { drawer, account }
    }

    /// Who looks.
    pub(crate) fn account(&self) -> &Account {
        &self.account
    }

    /// May the account do this here?
    pub(crate) fn may(&self, action: Action, path: &Path) -> bool {
        gate::may(&self.account, action, path)
    }

    /// As [`View::may`], as an error.
    ///
    /// # Errors
    /// `SignInNeeded`, `Denied`.
    pub(super) fn check(&self, action: Action, path: &Path) -> Result<()> {
        self.allow(action, path).map(|_| ())
    }

    pub(super) fn drawer(&self) -> &Arc<Drawer> {
        &self.drawer
    }

    fn allow(&self, action: Action, path: &Path) -> Result<Allowed> {
        Gate::allow(&self.account, action, path)
    }

    fn store(&self, allowed: Allowed) -> &dyn Store {
        self.drawer.gate.store(allowed)
    }

    pub(super) fn event(&self, path: &Path, kind: EventKind) -> Event {
        Event {
            path: path.clone(),
            kind,
            by: self.account.name().to_owned(),
        }
    }

    /// Does the change to its end and announces it, whoever waits for it.
    pub(super) async fn change<T, F>(
        drawer: &Arc<Drawer>,
        long: bool,
        change: F,
        event: impl FnOnce(&T) -> Option<Event> + Send + 'static,
    ) -> Result<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T>> + Send + 'static,
    {
        let turn = drawer.turn(long).await?;
        let drawer = Arc::clone(drawer);
        let done = tokio::spawn(async move {
            let done = change.await?;
            if let Some(event) = event(&done) {
                drawer.announce(event);
            }
            drop(turn);
            Ok(done)
        });
        done.await
            .map_err(|error| Error::new(ErrorKind::Io).because(error))?
    }

    /// What is at the target, whoever asks: for the rules alone.
    async fn there(&self, target: &Path) -> Result<Option<Entry>> {
        match self
            .store(self.allow(Action::List, target)?)
            .stat(target)
            .await
        {
            Ok(entry) => Ok(Some(entry)),
            // The store says why a file on the way is no folder better than the rules could.
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotFolder) => {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// What `replace` becomes for somebody who may create, but perhaps not replace: onto nothing,
    /// `Never`, so that whoever loses the race for a new name cannot replace the winner's.
    pub(super) async fn narrow(
        &self,
        target: &Path,
        replace: Replace,
    ) -> Result<(Allowed, Replace, bool)> {
        let create = self.allow(Action::Create, target)?;
        if replace == Replace::Never || self.may(Action::Replace, target) {
            return Ok((create, replace, false));
        }
        match self.there(target).await? {
            Some(entry) if entry.is_folder() => Err(Error::at(ErrorKind::IsFolder, target)),
            Some(_) => self
                .allow(Action::Replace, target)
                .map(|allowed| (allowed, replace, false)),
            None if replace == Replace::Always => Ok((create, Replace::Never, true)),
            None => Err(Error::at(ErrorKind::VersionMismatch, target)),
        }
    }

    /// The rules of rename and copy about the new name.
    async fn onto(&self, to: &Path, plan: MovePlan) -> Result<(Allowed, MovePlan, bool)> {
        let (allowed, replace, narrowed) = self.narrow(to, plan.replace).await?;
        let by = Some(self.account.owner());
        let plan = MovePlan {
            replace,
            by,
            ..plan
        };
        Ok((allowed, plan, narrowed))
    }

    /// Was something there that the plan is going to replace? So the event tells `Changed`.
    async fn replaces(&self, to: &Path, replace: &Replace) -> Result<bool> {
        Ok(*replace != Replace::Never && self.there(to).await?.is_some())
    }
}

/// What the loser of a race is told who did not ask for `Never` himself.
pub(super) fn race_lost(error: Error, narrowed: bool) -> Error {
    match (error.kind(), narrowed) {
        (ErrorKind::Exists, true) => {
            let about = error.path().map(str::to_owned);
            let lost = Error::new(ErrorKind::VersionMismatch).because(error);
            match about {
                Some(path) => lost.about_text(path),
                None => lost,
            }
        }
        _ => error,
    }
}

#[async_trait]
impl Store for View {
    async fn stat(&self, path: &Path) -> Result<Entry> {
        let allowed = self.allow(Action::List, path)?;
        self.store(allowed).stat(path).await
    }

    async fn list(&self, folder: &Path, plan: ListPlan) -> Result<Listing> {
        let allowed = self.allow(Action::List, folder)?;
        if plan.order.is_none() {
            return self.store(allowed).list(folder, plan).await;
        }
        let limit = plan.limit.unwrap_or(MAX_PAGE).min(MAX_PAGE);
        let room = self.drawer.page(limit).await?;
        let listing = self.store(allowed).list(folder, plan).await?;
        Ok(Box::pin(listing.inspect(move |_| {
            let _held_until_the_page_has_left = &room;
        })))
    }

    async fn read(&self, path: &Path, plan: ReadPlan) -> Result<Arc<dyn Reading>> {
        let allowed = self.allow(Action::Read, path)?;
        let reading = self.store(allowed).read(path, plan).await?;
        Ok(Arc::new(MeteredReading::new(&self.drawer, reading)))
    }

    async fn outline(&self, path: &Path, version: &Version) -> Result<Outline> {
        let allowed = self.allow(Action::Read, path)?;
        self.store(allowed).outline(path, version).await
    }

    async fn begin(&self, plan: WritePlan) -> Result<Arc<dyn Upload>> {
        let (allowed, replace, narrowed) = match &plan.target {
            Some(target) => self.narrow(target, plan.replace.clone()).await?,
            // It appears nowhere.
            None => (
                self.allow(Action::Create, &Path::root())?,
                plan.replace.clone(),
                false,
            ),
        };
        if let (Some(target), Some(_)) = (&plan.target, &plan.base) {
            self.allow(Action::Read, target)?;
        }
        // Whoever does not look after the server uploads in no name but his own.
        let at = plan.target.clone().unwrap_or_else(Path::root);
        let owner = match self.may(Action::Manage, &at) {
            true => plan.owner,
            false => self.account.owner(),
        };
        let plan = WritePlan {
            replace,
            owner,
            ..plan
        };
        let place = match plan.on_drop {
            OnDrop::Keep => {
                let ledger = &self.drawer.ledger;
                Some(ledger.take(&plan.owner, plan.length.unwrap_or(0))?)
            }
            OnDrop::Discard => None,
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
            parts,
        }))
    }

    /// An id is a capability of whoever began the upload; whoever looks after the server may touch
    /// any.
    async fn upload(&self, id: &UploadId, target: Option<&Path>) -> Result<Arc<dyn Upload>> {
        let allowed = self.allow(Action::Create, &Path::root())?;
        let inner = self.store(allowed).upload(id, target).await?;
        let state = inner.state().await?;
        let at = state.target.clone().unwrap_or_else(Path::root);
        if state.owner != self.account.owner() && !self.may(Action::Manage, &at) {
            return Err(Error::new(ErrorKind::UnknownUpload));
        }
        self.allow(Action::Create, &at)?;
        Ok(Arc::new(GuardedUpload {
            drawer: Arc::clone(&self.drawer),
            view: self.clone(),
            inner,
            target: state.target,
            replace: Replace::Always,
            narrowed: false,
            kept: Some(state.id),
            parts: Vec::new(),
        }))
    }

    /// Only for who looks after the server: ids are capabilities, and all visitors are one owner.
    async fn uploads(&self) -> Result<BoxStream<'static, Result<UploadState>>> {
        let allowed = self.allow(Action::Manage, &Path::root())?;
        self.store(allowed).uploads().await
    }

    async fn make_folder(&self, path: &Path) -> Result<Entry> {
        let store = self.drawer.gate.keep(self.allow(Action::Create, path)?);
        let (this, at) = (self.clone(), path.clone());
        let path = path.clone();
        Self::change(
            &self.drawer,
            false,
            async move { store.make_folder(&path).await },
            move |entry: &Entry| Some(this.event(&at, EventKind::Created(entry.clone()))),
        )
        .await
    }

    async fn remove(&self, path: &Path, plan: RemovePlan) -> Result<()> {
        if plan.forever {
            self.allow(Action::Manage, path)?;
        }
        let plan = RemovePlan {
            by: Some(self.account.owner()),
            ..plan
        };
        let store = self.drawer.gate.keep(self.allow(Action::Delete, path)?);
        let (this, at) = (self.clone(), path.clone());
        let (path, long) = (path.clone(), plan.recursive);
        Self::change(
            &self.drawer,
            long,
            async move { store.remove(&path, plan).await },
            move |()| Some(this.event(&at, EventKind::Deleted)),
        )
        .await
    }

    async fn rename(&self, from: &Path, to: &Path, plan: MovePlan) -> Result<Entry> {
        self.allow(Action::Delete, from)?;
        let (allowed, plan, narrowed) = self.onto(to, plan).await?;
        let store = self.drawer.gate.keep(allowed);
        let (this, at) = (self.clone(), from.clone());
        let (from, to) = (from.clone(), to.clone());
        Self::change(
            &self.drawer,
            false,
            async move {
                store
                    .rename(&from, &to, plan)
                    .await
                    .map_err(|error| race_lost(error, narrowed))
            },
            move |entry: &Entry| {
                let moved = entry.path != at;
                moved.then(|| this.event(&at, EventKind::Renamed(entry.clone())))
            },
        )
        .await
    }

    async fn copy(&self, from: &Path, to: &Path, plan: MovePlan) -> Result<Entry> {
        self.allow(Action::Read, from)?;
        let (allowed, plan, narrowed) = self.onto(to, plan).await?;
        let replaces = self.replaces(to, &plan.replace).await?;
        let store = self.drawer.gate.keep(allowed);
        let this = self.clone();
        let (from, to) = (from.clone(), to.clone());
        Self::change(
            &self.drawer,
            true,
            async move {
                store
                    .copy(&from, &to, plan)
                    .await
                    .map_err(|error| race_lost(error, narrowed))
            },
            move |entry: &Entry| Some(this.written(entry, replaces)),
        )
        .await
    }

    async fn touch(&self, path: &Path, plan: TouchPlan) -> Result<Entry> {
        let store = self.drawer.gate.keep(self.allow(Action::Replace, path)?);
        let (this, at) = (self.clone(), path.clone());
        let path = path.clone();
        Self::change(
            &self.drawer,
            false,
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
    fn upkeep(&self) -> Option<Arc<dyn Upkeep>> {
        None
    }

    async fn space(&self) -> Result<Space> {
        let allowed = self.allow(Action::List, &Path::root())?;
        self.store(allowed).space().await
    }
}

impl View {
    /// The event of content that was published.
    pub(super) fn written(&self, entry: &Entry, replaced: bool) -> Event {
        let kind = match replaced {
            true => EventKind::Changed(entry.clone()),
            false => EventKind::Created(entry.clone()),
        };
        self.event(&entry.path, kind)
    }

    /// Reads everything again, or tells how far that is. For who looks after the server.
    pub(crate) async fn verify(&self, order: VerifyOrder) -> Result<(VerifyState, Vec<Finding>)> {
        let store = self
            .drawer
            .gate
            .keep(self.allow(Action::Manage, &Path::root())?);
        self.drawer.verifier.order(&store, order).await
    }

    /// What became of an upload that was committed not long ago.
    pub(crate) fn finished(&self, id: &UploadId) -> Option<Finished> {
        let finished = self.drawer.ledger.finished(id)?;
        let mine = finished.owner == self.account.owner();
        (mine || self.may(Action::Manage, &finished.entry.path)).then_some(finished)
    }

    /// Is something at this name that a commit is going to replace?
    pub(super) async fn will_replace(&self, target: &Path, replace: &Replace) -> Result<bool> {
        self.replaces(target, replace).await
    }
}

/// Counts what is read.
#[derive(Debug)]
pub(super) struct MeteredReading {
    drawer: Arc<Drawer>,
    reading: Arc<dyn Reading>,
}

impl MeteredReading {
    pub(super) fn new(drawer: &Arc<Drawer>, reading: Arc<dyn Reading>) -> Self {
        Self {
            drawer: Arc::clone(drawer),
            reading,
        }
    }
}

impl Reading for MeteredReading {
    fn entry(&self) -> &Entry {
        self.reading.entry()
    }

    fn stream(&self, range: std::ops::Range<u64>) -> Content {
        let drawer = Arc::clone(&self.drawer);
        Box::pin(self.reading.stream(range).inspect(move |piece| {
            if let Ok(bytes) = piece {
                drawer.meters.read(bytes.len() as u64);
            }
        }))
    }

    fn chunks(&self, range: std::ops::Range<u64>) -> Pieces {
        let drawer = Arc::clone(&self.drawer);
        Box::pin(self.reading.chunks(range).inspect(move |piece| {
            if let Ok(Piece::Bytes(bytes)) = piece {
                drawer.meters.read(bytes.len() as u64);
            }
        }))
    }
}
