//! `purge`: destroys what is in the trash. For who looks after the server.

use clap::Args;
use gaveta_core::Action;
use serde_json::json;

use super::rm::yes;
use super::trash::{Which, by_id, of, place, unsupported};
use super::{Connection, Context, Run};
use crate::fault::{Ended, Fault, Outcome};

#[derive(Debug, Args)]
pub(super) struct Purge {
    #[arg(value_name = "HOST[:PORT]/PATH", help = "arg-purge-path")]
    place: Option<String>,
    #[arg(long, value_name = "ID", help = "arg-restore-id")]
    id: Option<String>,
    #[command(flatten)]
    which: Which,
    #[arg(short, long, visible_alias = "sim", help = "arg-purge-yes")]
    yes: bool,
    #[command(flatten)]
    connection: Connection,
}

impl Run for Purge {
    async fn run(self, context: Context) -> Outcome<Ended> {
        context.stoppable(self.purge(&context)).await
    }
}

impl Purge {
    async fn purge(&self, context: &Context) -> Outcome<Ended> {
        let address = place(context, self.place.as_deref())?;
        let drawer = context.open(&address.server, &self.connection).await?;
        let path = drawer.place(&address)?;
        let plan = self.which.plan(&path)?;
        drawer.need(Action::Manage).await?;
        if !self.yes {
            if !context.printer.can_ask() {
                return Err(Fault::usage("client-purge-yes"));
            }
            let question = context.text().say("client-ask-purge", &[]);
            if !yes(context, &question).await? {
                return Ok(Ended::Done);
            }
        }
        let mut things = 0u64;
        if let Some(id) = &self.id {
            let one = by_id(&drawer, id).await?;
            of(&drawer)?.purge(&one.id).await?;
            things = 1;
        } else {
            loop {
                let some = drawer.remote.empty_trash(&plan).await;
                let (went, more) = some.map_err(|error| unsupported(&drawer, error, &path))?;
                things += went;
                if !more || went == 0 {
                    break;
                }
            }
        }
        context
            .printer
            .json(&json!({"type": "purged", "things": things}))?;
        let args = [("count", things.into())];
        context
            .printer
            .note(&context.text().say("client-purged", &args));
        Ok(Ended::Done)
    }
}
