//! `undo`: brings back what was deleted last.

use clap::Args;
use futures_util::TryStreamExt;
use gaveta_core::{Account, Action, Cause, ErrorKind, Owner, Path, TrashPlan, Trashed};

use super::restore::{Taken, put_back};
use super::rm::fail;
use super::trash::{of, place, unsupported};
use super::{Connection, Context, Run};
use crate::drawer::Drawer;
use crate::fault::{Ended, Fault, Outcome, Sentence, Tally};
use crate::shell::Deleted;

#[derive(Debug, Args)]
pub(super) struct Undo {
    #[arg(value_name = "HOST[:PORT]", help = "arg-undo-server")]
    server: Option<String>,
    #[command(flatten)]
    taken: Taken,
    #[command(flatten)]
    connection: Connection,
}

impl Run for Undo {
    async fn run(self, context: Context) -> Outcome<Ended> {
        let address = place(&context, self.server.as_deref())?;
        let undoing = async {
            let mut drawer = context.open(&address.server, &self.connection).await?;
            // In the shell, all that the last command deleted; else the one thing that was last.
            let deleted = context.here().map(|here| here.deleted());
            let Deleted { paths, lent } = deleted.unwrap_or_default();
            if lent && drawer.remote.whoami().await?.name != Account::ADMIN {
                drawer = drawer.lent_again().await?;
            }
            drawer.need(Action::Delete).await?;
            let me = Owner(drawer.remote.whoami().await?.name.into());
            let mut tally = Tally::default();
            if paths.is_empty() {
                let one = last(&drawer, &me, None).await?;
                put_back(&context, &drawer, &one, None, &self.taken).await?;
            }
            for path in paths.iter().rev() {
                let back = async {
                    let one = last(&drawer, &me, Some(path)).await?;
                    put_back(&context, &drawer, &one, None, &self.taken).await
                };
                if let Err(fault) = back.await {
                    fail(&context, &mut tally, fault)?;
                }
            }
            if let Some(here) = context.here() {
                here.forget_deleted();
            }
            Ok(tally.ended())
        };
        context.stoppable(undoing).await
    }
}

/// What this account deleted last, at this path or anywhere.
async fn last(drawer: &Drawer, me: &Owner, path: Option<&Path>) -> Outcome<Trashed> {
    let plan = TrashPlan {
        path: path.cloned(),
        exact: true,
        by: Some(me.clone()),
        cause: Some(Cause::Deleted),
        ..TrashPlan::default()
    };
    let root = Path::root();
    let listed = of(drawer)?.trashed(plan).await;
    let mut listed = listed.map_err(|error| unsupported(drawer, error, path.unwrap_or(&root)))?;
    let nothing = Fault::Said(ErrorKind::NotFound, Sentence::new("client-nothing-to-undo"));
    listed.try_next().await?.ok_or(nothing)
}
