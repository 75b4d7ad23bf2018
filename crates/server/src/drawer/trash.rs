//! The trash as one account sees it.
//!
//! Nobody sees here what he could not see alive, and one brings back what one may create and delete.
//! Destroying is for who looks after the server.

use std::sync::Arc;

use async_trait::async_trait;
use futures_core::stream::BoxStream;
use futures_util::{StreamExt, TryStreamExt};
use gaveta_core::{
    Action, Entry, Error, ErrorKind, EventKind, Operation, Path, Reading, Replace, RestorePlan,
    Result, Store, Trash, TrashId, TrashPlan, TrashState, Trashed,
};

use super::change::race_lost;
use super::guard::View;
use super::reading::MeteredReading;
use super::telling::Telling;

/// How many things are destroyed in one go.
const AT_ONCE: usize = 256;

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct GuardedTrash {
    view: View,
    inner: Arc<dyn Trash>,
}

impl GuardedTrash {
    pub(super) fn new(view: View, inner: Arc<dyn Trash>) -> Self {
        Self { view, inner }
    }

    /// One thing, when the account could see it alive. Else there is none.
    async fn seen(&self, id: &TrashId) -> Result<Trashed> {
        let one = self.inner.find(id).await?;
        match self.view.may(Action::List, &one.entry.path) {
            true => Ok(one),
            false => Err(id.unknown()),
        }
    }
}

#[async_trait]
impl Trash for GuardedTrash {
    async fn trashed(&self, plan: TrashPlan) -> Result<BoxStream<'static, Result<Trashed>>> {
        if let Some(path) = &plan.path {
            let telling = Telling::new(&self.view, Operation::Trash, path);
            telling.refused(self.view.allow(Action::List, path))?;
        }
        let view = self.view.clone();
        let all = self.inner.trashed(plan).await?;
        let seen =
            all.try_filter(move |one| std::future::ready(view.may(Action::List, &one.entry.path)));
        Ok(seen.boxed())
    }

    async fn find(&self, id: &TrashId) -> Result<Trashed> {
        self.seen(id).await
    }

    async fn open(&self, id: &TrashId) -> Result<Arc<dyn Reading>> {
        let one = self.seen(id).await?;
        let telling = Telling::new(&self.view, Operation::OpenTrashed, &one.entry.path);
        telling.step(self.view.allow(Action::Read, &one.entry.path))?;
        let reading = telling.step(self.inner.open(id).await)?;
        let operation = Operation::OpenTrashed;
        Ok(Arc::new(MeteredReading::new(
            &self.view, reading, operation,
        )))
    }

    async fn restore(&self, id: &TrashId, plan: RestorePlan) -> Result<Entry> {
        let one = self.seen(id).await?;
        let was = &one.entry.path;
        let target = plan.to.clone().unwrap_or_else(|| was.clone());
        let telling = Telling::new(&self.view, Operation::Restore, was);
        let telling = match target == *was {
            true => telling,
            false => telling.to(&target),
        };
        telling.step(self.view.allow_beneath(Action::Delete, was))?;
        telling.step(self.view.allow_beneath(Action::Create, was))?;
        if target != *was {
            // What one may not read does not come where one may.
            telling.step(self.view.taken(was))?;
            telling.step(self.view.allow_beneath(Action::Create, &target))?;
        }
        let landing = self.view.landing(&target, plan.replace).await;
        let (replace, narrowed, replaces) = telling.step(landing)?;
        let plan = RestorePlan {
            to: Some(target),
            replace,
            by: Some(self.view.account().owner()),
        };
        let room = telling.step(self.view.room_for_return(&one.entry).await)?;
        let (inner, id, view) = (Arc::clone(&self.inner), id.clone(), self.view.clone());
        let keeper = self.view.clone();
        View::change(
            &self.view.drawer,
            false,
            telling,
            async move {
                let restored = inner.restore(&id, plan).await;
                let entry = restored.map_err(|error| race_lost(error, narrowed))?;
                keeper.keeps_all(&entry).await;
                drop(room);
                Ok(entry)
            },
            move |entry: &Entry| {
                let kind = match replaces {
                    true => EventKind::Changed(entry.clone()),
                    false => EventKind::Created(entry.clone()),
                };
                Some(view.event(&entry.path, kind))
            },
        )
        .await
    }

    async fn purge(&self, id: &TrashId) -> Result<()> {
        let one = self.seen(id).await?;
        let telling = Telling::new(&self.view, Operation::Purge, &one.entry.path);
        telling.step(self.view.allow_beneath(Action::Manage, &one.entry.path))?;
        let (inner, id) = (Arc::clone(&self.inner), id.clone());
        View::change(
            &self.view.drawer,
            false,
            telling,
            async move { inner.purge(&id).await },
            |()| None,
        )
        .await
    }

    async fn state(&self) -> Result<TrashState> {
        let telling = Telling::of(&self.view, Operation::TrashState.code(), None);
        telling.refused(self.view.allow(Action::List, &Path::root()))?;
        self.inner.state().await
    }
}

impl View {
    /// The trash, where the store has one.
    ///
    /// # Errors
    /// `Unsupported`.
    pub(crate) fn bin(&self) -> Result<Arc<dyn Trash>> {
        let none = || Error::new(ErrorKind::Unsupported).because("this server keeps no trash");
        self.trash().ok_or_else(none)
    }

    /// Destroys some of what the plan means. Gives how many, and whether there may be more.
    pub(crate) async fn empty(&self, plan: TrashPlan) -> Result<(u64, bool)> {
        let at = plan.path.clone().unwrap_or_else(Path::root);
        let telling = Telling::new(self, Operation::EmptyTrash, &at);
        telling.refused(self.allow_beneath(Action::Manage, &at))?;
        let trash = self.bin()?;
        let some = trash.trashed(plan).await?.take(AT_ONCE);
        let some: Vec<Trashed> = some.try_collect().await?;
        let more = some.len() >= AT_ONCE;
        let mut things = 0;
        for one in some {
            match trash.purge(&one.id).await {
                Ok(()) => things += 1,
                // Somebody else took it.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok((things, more))
    }

    /// What `replace` becomes for this account, whether that was narrowed, and whether something is
    /// there that is going to be replaced.
    async fn landing(&self, target: &Path, replace: Replace) -> Result<(Replace, bool, bool)> {
        let (_, replace, narrowed) = self.narrow(target, replace).await?;
        let replaces = self.will_replace(target, &replace).await?;
        Ok((replace, narrowed, replaces))
    }
}
