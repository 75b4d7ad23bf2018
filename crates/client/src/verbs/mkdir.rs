//! `mkdir`: new folders.

use clap::Args;
use gaveta_core::{Action, ErrorKind, Path, Store};
use gaveta_text::escape;
use serde_json::json;

use super::rm::fail;
use super::{Connection, Context, Run};
use crate::address::Address;
use crate::drawer::Drawer;
use crate::fault::{Ended, Outcome, Tally};

#[derive(Debug, Args)]
pub(super) struct Mkdir {
    #[arg(
        required = true,
        value_name = "HOST[:PORT]/FOLDER",
        help = "arg-mkdir-folders"
    )]
    folders: Vec<String>,
    #[arg(short, long, help = "arg-mkdir-parents")]
    parents: bool,
    #[arg(short = 'n', long, help = "arg-dry-run")]
    dry_run: bool,
    #[command(flatten)]
    connection: Connection,
}

impl Run for Mkdir {
    async fn run(self, context: Context) -> Outcome<Ended> {
        let folders = context.addresses(&self.folders)?;
        context.stoppable(self.make_all(&context, &folders)).await
    }
}

impl Mkdir {
    async fn make_all(&self, context: &Context, folders: &[Address]) -> Outcome<Ended> {
        let mut tally = Tally::default();
        for folder in folders {
            let made = async {
                let drawer = context.open(&folder.server, &self.connection).await?;
                // A name letter by letter: nothing there could match a pattern.
                let path = drawer.place(folder)?;
                if !self.dry_run {
                    drawer.need(Action::Create).await?;
                }
                self.make(context, &drawer, &path).await
            };
            if let Err(fault) = made.await {
                fail(context, &mut tally, fault)?;
            }
        }
        Ok(tally.ended())
    }

    async fn make(&self, context: &Context, drawer: &Drawer, path: &Path) -> Outcome {
        let mut missing = vec![path.clone()];
        if self.parents {
            // From the folder up to the first that is there.
            missing.clear();
            let mut above = Some(path.clone());
            while let Some(folder) = above.filter(|folder| !folder.is_root()) {
                match drawer.remote.stat(&folder).await {
                    Ok(entry) if entry.is_folder() => break,
                    Ok(_) => return Err(drawer.named(ErrorKind::NotFolder.into(), &folder)),
                    Err(error) if error.kind() == ErrorKind::NotFound => {}
                    Err(error) => return Err(drawer.named(error, &folder)),
                }
                above = folder.parent();
                missing.push(folder);
            }
        }
        for folder in missing.iter().rev() {
            if !self.dry_run {
                match drawer.remote.make_folder(folder).await {
                    Ok(_) => {}
                    // Somebody was quicker: with -p that is as good.
                    Err(error) if self.parents && error.kind() == ErrorKind::Exists => continue,
                    Err(error) => return Err(drawer.named(error, folder)),
                }
            }
            let shown = drawer.show(folder);
            let what = if self.dry_run { "planned" } else { "folder" };
            context
                .printer
                .json(&json!({"type": what, "path": shown}))?;
            let key = if self.dry_run {
                "client-would-make"
            } else {
                "client-made"
            };
            let name = escape(&shown).into_owned();
            context
                .printer
                .note(&context.text().say(key, &[("name", name.into())]));
        }
        Ok(())
    }
}
