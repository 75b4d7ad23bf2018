//! What `move` and `copy` have in common: several entries of one server and where they go there.

use clap::Args;
use gaveta_core::{Action, Entry, ErrorKind, MovePlan, Path, Replace, Store};
use gaveta_text::escape;
use serde_json::json;

use super::rm::fail;
use super::{Connection, Context};
use crate::address::Address;
use crate::drawer::Drawer;
use crate::fault::{Ended, Fault, Outcome, Sentence, Tally};

#[derive(Debug, Args)]
pub(super) struct Moving {
    #[arg(required = true, num_args = 2.., value_name = "HOST[:PORT]/NAME",
          help = "arg-moving-places")]
    places: Vec<String>,
    #[arg(long, help = "arg-replace")]
    replace: bool,
    #[arg(short = 'n', long, help = "arg-dry-run")]
    dry_run: bool,
    #[command(flatten)]
    connection: Connection,
}

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    Move,
    Copy,
}

impl Moving {
    /// Does it; each failure is named and the others go on.
    pub(super) async fn run(self, context: &Context, how: How) -> Outcome<Ended> {
        context.stoppable(self.all(context, how)).await
    }

    async fn all(&self, context: &Context, how: How) -> Outcome<Ended> {
        let places = context.addresses(&self.places)?;
        let Some((target, sources)) = places.split_last() else {
            return Err(Fault::usage("client-no-target"));
        };
        if let Some(other) = sources.iter().find(|source| source.server != target.server) {
            return Err(two_servers(other, target));
        }
        let drawer = context.open(&target.server, &self.connection).await?;
        if let Some(other) = sources.iter().find(|source| !drawer.holds(source)) {
            return Err(two_servers(other, target));
        }
        let to = drawer.place(target)?;
        let mut tally = Tally::default();
        let mut found = Vec::new();
        for source in sources {
            match drawer.find(source).await {
                Ok(more) => found.extend(more),
                Err(fault) => fail(context, &mut tally, fault)?,
            }
        }
        let into = is_into(&drawer, target, &to).await?;
        if !into && (sources.len() > 1 || found.len() > 1) {
            return Err(Fault::Usage(
                Sentence::new("client-several-into-one").with("target", target.to_string()),
            ));
        }
        if !self.dry_run && !found.is_empty() {
            for action in self.actions(how) {
                drawer.need(action).await?;
            }
        }
        for entry in found {
            if let Err(fault) = self.one(context, &drawer, how, &entry, &to, into).await {
                fail(context, &mut tally, fault)?;
            }
        }
        Ok(tally.ended())
    }

    fn actions(&self, how: How) -> Vec<Action> {
        let mut actions = vec![match how {
            How::Move => Action::Delete,
            How::Copy => Action::Create,
        }];
        if self.replace {
            actions.push(Action::Replace);
        }
        actions
    }

    async fn one(
        &self,
        context: &Context,
        drawer: &Drawer,
        how: How,
        entry: &Entry,
        to: &Path,
        into: bool,
    ) -> Outcome {
        let from = &entry.path;
        let Some(name) = from.name() else {
            return Err(drawer.named(ErrorKind::BadMove.into(), from));
        };
        let to = if into { to.join(name)? } else { to.clone() };
        if !self.dry_run {
            let replace = if self.replace {
                Replace::Always
            } else {
                Replace::Never
            };
            let plan = MovePlan {
                replace,
                version: None,
                ..Default::default()
            };
            let done = match how {
                How::Move => drawer.remote.rename(from, &to, plan).await,
                How::Copy => drawer.remote.copy(from, &to, plan).await,
            };
            done.map_err(|error| {
                let about_source =
                    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotRegular);
                drawer.named(error, if about_source { from } else { &to })
            })?;
        }
        let (what, key) = match (self.dry_run, how) {
            (true, _) => ("planned", "client-planned"),
            (false, How::Move) => ("moved", "client-moved"),
            (false, How::Copy) => ("copied", "client-copied"),
        };
        let (from, to) = (drawer.show(from), drawer.show(&to));
        context
            .printer
            .json(&json!({"type": what, "path": from, "to": to}))?;
        let args = [
            ("from", escape(&from).into_owned().into()),
            ("to", escape(&to).into_owned().into()),
        ];
        context.printer.note(&context.text().say(key, &args));
        Ok(())
    }
}

fn two_servers(one: &Address, other: &Address) -> Fault {
    Fault::Usage(
        Sentence::new("client-two-servers")
            .with("one", one.server.to_string())
            .with("other", other.server.to_string()),
    )
}

/// Is the target a folder to put things into? So when it ends with `/`, and when a folder is there
/// or the link of a share says so.
///
/// # Errors
/// `NotFolder` when a file is there and the target ends with `/`.
pub(super) async fn is_into(drawer: &Drawer, target: &Address, path: &Path) -> Outcome<bool> {
    if drawer.drops_at(path) {
        return Ok(true);
    }
    match drawer.remote.stat(path).await {
        Ok(entry) if entry.is_folder() => Ok(true),
        Ok(_) if target.folder => Err(drawer.named(ErrorKind::NotFolder.into(), path)),
        Ok(_) => Ok(false),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(target.folder),
        Err(error) => Err(drawer.named(error, path)),
    }
}
