//! `copy`: the same once more on the same server; the bytes never travel.

use clap::Args;

use super::moving::{How, Moving};
use super::{Context, Run};
use crate::fault::{Ended, Outcome};

#[derive(Debug, Args)]
pub(super) struct Copy {
    #[command(flatten)]
    moving: Moving,
}

impl Run for Copy {
    async fn run(self, context: Context) -> Outcome<Ended> {
        self.moving.run(&context, How::Copy).await
    }
}
