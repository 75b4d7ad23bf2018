//! `move`: another name or another folder on the same server.

use clap::Args;

use super::moving::{How, Moving};
use super::{Context, Run};
use crate::fault::{Ended, Outcome};

#[derive(Debug, Args)]
pub(super) struct Move {
    #[command(flatten)]
    moving: Moving,
}

impl Run for Move {
    async fn run(self, context: Context) -> Outcome<Ended> {
        self.moving.run(&context, How::Move).await
    }
}
