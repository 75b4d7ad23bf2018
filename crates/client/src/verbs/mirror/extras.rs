//! Takes away what only the target has, after everything else went over.

use futures_util::{StreamExt, stream};
use gaveta_core::{Entry, ErrorKind, RemovePlan};

use super::super::delete::told;
use super::super::rm::{fail, yes};
use super::Mirror;
use super::sides::Sides;
use crate::fault::{Fault, Outcome, Sentence, Tally};
use crate::verbs::Context;

/// So many are held at once; where there are more, they go in several rounds. Bounds memory.
const HELD: usize = 50_000;
/// So many are removed at once.
const AT_ONCE: usize = 16;

/// Something that only the target has.
#[derive(Debug)]
pub(super) struct Extra {
    entry: Entry,
    /// A folder with all that is in it.
    whole: bool,
}

/// What only the target has, as a comparison told it.
#[derive(Debug, Default)]
pub(super) struct Extras {
    held: Vec<Extra>,
    count: u64,
}

impl Extras {
    /// One more, in the order it was told: a folder comes after what is in it.
    pub(super) fn add(&mut self, entry: Entry, whole: bool) {
        self.count += 1;
        if self.held.len() < HELD {
            self.held.push(Extra { entry, whole });
        }
    }

    /// Is nothing extra?
    pub(super) fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// Are there more than are held?
    pub(super) fn are_more(&self) -> bool {
        self.count > self.held.len() as u64
    }

    /// Names what would go.
    pub(super) fn plan(&self, context: &Context, sides: &Sides) -> Outcome {
        for extra in &self.held {
            told(context, &sides.show_target(&extra.entry.path), true)?;
        }
        let unnamed = self.count.saturating_sub(self.held.len() as u64);
        if unnamed > 0 {
            let line = Sentence::new("client-more-extra").number("count", unnamed);
            context.printer.note(&line.say(context.text()));
        }
        Ok(())
    }

    /// May they go? Asked on a terminal only.
    pub(super) async fn may_go(&self, context: &Context, sides: &Sides) -> Outcome<bool> {
        let Some(first) = self.held.first() else {
            return Ok(false);
        };
        if !context.printer.can_ask() {
            return Ok(true);
        }
        let name = sides.show_target(&first.entry.path);
        let question = Sentence::new("client-ask-delete")
            .with("name", name)
            .number("more", self.count.saturating_sub(1))
            .say(context.text());
        yes(context, &question).await
    }

    /// Removes those that are held: a file only while it is still the version that was seen. Says
    /// how many went.
    pub(super) async fn remove(
        self,
        context: &Context,
        sides: &Sides,
        tally: &mut Tally,
    ) -> Outcome<u64> {
        let target = sides.target().store;
        let mut gone = 0;
        // What lies in a folder goes before it: folders wait for all else, in their order.
        let (folders, others): (Vec<_>, Vec<_>) = self
            .held
            .into_iter()
            .partition(|extra| extra.entry.is_folder() && !extra.whole);
        for (batch, at_once) in [(others, AT_ONCE), (folders, 1)] {
            let mut removing = stream::iter(batch.into_iter().map(|extra| {
                let target = &target;
                async move {
                    let plan = RemovePlan {
                        recursive: extra.whole,
                        version: (!extra.entry.is_folder()).then(|| extra.entry.version.clone()),
                        ..Default::default()
                    };
                    (target.remove(&extra.entry.path, plan).await, extra.entry)
                }
            }))
            .buffered(at_once);
            while let Some((removed, entry)) = removing.next().await {
                match removed {
                    Ok(()) => {
                        gone += 1;
                        told(context, &sides.show_target(&entry.path), false)?;
                    }
                    // Somebody else was quicker.
                    Err(error) if error.kind() == ErrorKind::NotFound => {}
                    Err(error) => {
                        let shown = sides.show_target(&entry.path);
                        let error = crate::drawer::about(&error, shown);
                        fail(context, tally, Fault::Store(error))?;
                    }
                }
                if context.cancel.is_cancelled() {
                    return Err(Fault::Interrupted);
                }
            }
        }
        Ok(gone)
    }
}

impl Mirror {
    /// Deletes what is extra, where that was asked for and nothing failed before. Says how many
    /// went.
    pub(super) async fn delete_extras(
        &self,
        context: &Context,
        sides: &Sides,
        extras: Extras,
        consent: &mut bool,
        tally: &mut Tally,
    ) -> Outcome<u64> {
        if extras.is_empty() {
            return Ok(0);
        }
        if self.dry_run {
            extras.plan(context, sides)?;
            return Ok(0);
        }
        if tally.count > 0 {
            let line = Sentence::new("client-mirror-kept").number("count", extras.count);
            context.printer.note(&line.say(context.text()));
            return Ok(0);
        }
        if !*consent {
            *consent = extras.may_go(context, sides).await?;
        }
        if !*consent {
            return Ok(0);
        }
        extras.remove(context, sides, tally).await
    }
}
