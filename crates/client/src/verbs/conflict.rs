//! What to do about files that are there already: ask a person, where one can be asked.

use std::sync::Arc;

use async_trait::async_trait;
use gaveta_core::Action;
use gaveta_text::escape;
use gaveta_transfer::{Conflict, Decision, OnConflict};

use super::Context;
use crate::answer::Answer;
use crate::drawer::Drawer;
use crate::fault::Fault;

/// Asks on the terminal.
pub(super) struct Asker {
    context: Context,
    /// Set when the server is the target: it may want a password before it lets itself replace.
    drawer: Option<Drawer>,
    /// How a path at the target is named.
    show: Arc<dyn Fn(&gaveta_core::Path) -> String + Send + Sync>,
}

impl std::fmt::Debug for Asker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Asker").finish_non_exhaustive()
    }
}

impl Asker {
    pub(super) fn new(
        context: Context,
        drawer: Option<Drawer>,
        show: Arc<dyn Fn(&gaveta_core::Path) -> String + Send + Sync>,
    ) -> Self {
        Self {
            context,
            drawer,
            show,
        }
    }

    async fn ask(&self, conflict: &Conflict<'_>) -> Decision {
        let text = self.context.text();
        let there = conflict.there;
        let question = text.say(
            "client-ask-replace",
            &[
                (
                    "name",
                    escape(&(self.show)(&there.path)).into_owned().into(),
                ),
                ("size", text.size(there.size).into()),
                ("time", text.time(there.modified).trim().into()),
                ("new-size", text.size(conflict.source.size).into()),
                (
                    "new-time",
                    text.time(conflict.source.modified).trim().into(),
                ),
            ],
        );
        loop {
            let Ok(Some(line)) = self.context.printer.ask(&question).await else {
                return Decision::SkipAll;
            };
            return match Answer::parse(&line) {
                Some(Answer::Yes) => self.allowed(Decision::Replace).await,
                Some(Answer::All) => self.allowed(Decision::ReplaceAll).await,
                Some(Answer::No) => Decision::Skip,
                Some(Answer::None) => Decision::SkipAll,
                None => continue,
            };
        }
    }

    /// Signs in first, where the server wants it.
    async fn allowed(&self, decision: Decision) -> Decision {
        let Some(drawer) = &self.drawer else {
            return decision;
        };
        match drawer.need(Action::Replace).await {
            Ok(()) => decision,
            Err(Fault::Interrupted) => Decision::Cancel,
            Err(fault) => {
                let _ = self.context.printer.fault(&fault);
                Decision::SkipAll
            }
        }
    }
}

#[async_trait]
impl OnConflict for Asker {
    async fn decide(&self, conflict: Conflict<'_>) -> Decision {
        tokio::select! {
            decision = self.ask(&conflict) => decision,
            () = self.context.cancel.cancelled() => Decision::Cancel,
        }
    }
}
