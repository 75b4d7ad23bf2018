//! `cat`: the content of files, to read on the spot.

use clap::Args;
use gaveta_core::Action;

use super::content::{Shape, copy_out, is_file};
use super::rm::fail;
use super::{Connection, Context, Run};
use crate::address::Address;
use crate::fault::{Ended, Outcome, Tally};

#[derive(Debug, Args)]
pub(super) struct Cat {
    #[arg(
        required = true,
        value_name = "HOST[:PORT]/NAME",
        help = "arg-cat-names"
    )]
    names: Vec<String>,
    #[command(flatten)]
    connection: Connection,
}

impl Run for Cat {
    async fn run(self, context: Context) -> Outcome<Ended> {
        let names = context.addresses(&self.names)?;
        // The contents go to standard output by themselves, objects and notes elsewhere.
        let _away = context.printer.lend_output()?;
        context.stoppable(self.all(&context, &names)).await
    }
}

impl Cat {
    async fn all(&self, context: &Context, names: &[Address]) -> Outcome<Ended> {
        let mut tally = Tally::default();
        for name in names {
            if let Err(fault) = self.one(context, name).await {
                fail(context, &mut tally, fault)?;
            }
        }
        Ok(tally.ended())
    }

    async fn one(&self, context: &Context, name: &Address) -> Outcome {
        let drawer = context.open(&name.server, &self.connection).await?;
        drawer.need(Action::Read).await?;
        let shape = if context.printer.is_on_terminal() {
            Shape::Shown
        } else {
            Shape::AsIs
        };
        for entry in drawer.find(name).await? {
            is_file(&drawer, &entry)?;
            copy_out(&drawer, &entry, shape, |_| {}).await?;
        }
        Ok(())
    }
}
