//! `cd`: into another folder of the server.

use clap::Args;
use gaveta_core::{ErrorKind, Path, Store};

use super::{Context, Run};
use crate::fault::{Ended, Outcome};

#[derive(Debug, Args)]
pub(super) struct Cd {
    #[arg(value_name = "FOLDER", help = "arg-cd-folder")]
    folder: Option<String>,
}

impl Run for Cd {
    async fn run(self, context: Context) -> Outcome<Ended> {
        let here = context.needs_here()?.clone();
        let to = match self.folder.as_deref() {
            None => Path::root(),
            Some("-") => here.before(),
            Some(typed) => here.address(typed)?.path()?,
        };
        let enter = async {
            let drawer = here.drawer();
            let entry = drawer.remote.stat(&to).await;
            let entry = entry.map_err(|error| drawer.named(error, &to))?;
            if !entry.is_folder() {
                return Err(drawer.named(ErrorKind::NotFolder.into(), &to));
            }
            here.enter(to.clone());
            Ok(Ended::Done)
        };
        context.stoppable(enter).await
    }
}
