//! `exit`: out of the shell.

use clap::Args;

use super::{Context, Run};
use crate::fault::{Ended, Outcome};

#[derive(Debug, Args)]
pub(super) struct Exit {}

impl Run for Exit {
    async fn run(self, context: Context) -> Outcome<Ended> {
        context.needs_here()?.leave();
        Ok(Ended::Done)
    }
}
