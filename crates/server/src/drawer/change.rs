//! What all changes have in common: their turn, the rules about the name they come to, the event.

use std::sync::Arc;

use gaveta_core::{
    Action, Entry, Error, ErrorKind, Event, EventKind, MovePlan, Path, Replace, Result,
};

use super::Drawer;
use super::gate::Allowed;
use super::guard::View;
use super::telling::Telling;

impl View {
    /// Does the change to its end and announces it, whoever waits for it.
    pub(super) async fn change<T, F>(
        drawer: &Arc<Drawer>,
        long: bool,
        telling: Telling,
        change: F,
        event: impl FnOnce(&T) -> Option<Event> + Send + 'static,
    ) -> Result<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T>> + Send + 'static,
    {
        let turn = telling.step(drawer.turn(long).await)?;
        let drawer = Arc::clone(drawer);
        let done = tokio::spawn(async move {
            let done = change.await;
            telling.over(&done);
            let done = done?;
            if let Some(event) = event(&done) {
                drawer.announce(event);
            }
            drop(turn);
            Ok(done)
        });
        done.await
            .map_err(|error| Error::new(ErrorKind::Io).because(error))?
    }

    /// What `replace` becomes for somebody who may create, but perhaps not replace: onto nothing,
    /// `Never`, so that whoever loses the race for a new name cannot replace the winner's.
    pub(super) async fn narrow(
        &self,
        target: &Path,
        replace: Replace,
    ) -> Result<(Allowed, Replace, bool)> {
        let create = self.allow(Action::Create, target)?;
        self.drawer.no_lookalike(target).await?;
        if replace == Replace::Never || self.may(Action::Replace, target) {
            return Ok((create, replace, false));
        }
        match self.drawer.gate.there(target).await? {
            Some(entry) if entry.is_folder() => Err(Error::at(ErrorKind::IsFolder, target)),
            Some(_) => self
                .allow(Action::Replace, target)
                .map(|allowed| (allowed, replace, false)),
            None if replace == Replace::Always => Ok((create, Replace::Never, true)),
            None => Err(Error::at(ErrorKind::VersionMismatch, target)),
        }
    }

    /// The rules of rename and copy about the new name, and of all that comes to lie beneath it.
    pub(super) async fn onto(
        &self,
        to: &Path,
        plan: MovePlan,
    ) -> Result<(Allowed, MovePlan, bool)> {
        self.allow_beneath(Action::Create, to)?;
        let (allowed, replace, narrowed) = self.narrow(to, plan.replace).await?;
        let by = Some(self.account().owner());
        let plan = MovePlan {
            replace,
            by,
            ..plan
        };
        Ok((allowed, plan, narrowed))
    }

    /// The rules of rename and copy about what is taken: whoever may not see all of it would come
    /// to see it elsewhere.
    pub(super) fn taken(&self, from: &Path) -> Result<()> {
        self.allow_beneath(Action::Read, from)?;
        self.allow_beneath(Action::List, from).map(|_| ())
    }

    /// Is something at this name that the plan is going to replace? So the event tells `Changed`.
    pub(super) async fn will_replace(&self, to: &Path, replace: &Replace) -> Result<bool> {
        Ok(*replace != Replace::Never && self.drawer.gate.there(to).await?.is_some())
    }

    /// The event of content that was published.
    pub(super) fn written(&self, entry: &Entry, replaced: bool) -> Event {
        let kind = match replaced {
            true => EventKind::Changed(entry.clone()),
            false => EventKind::Created(entry.clone()),
        };
        self.event(&entry.path, kind)
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
