//! `delete`: one name and, as the seed had it, an optional password.

use clap::Args;
use gaveta_core::{Action, ErrorKind, RemovePlan, Store};
use gaveta_text::escape;
use gaveta_wire::session::Secret;
use serde_json::json;

use super::{Connection, Context, Run};
use crate::address::Address;
use crate::drawer::Drawer;
use crate::fault::{Ended, Fault, Outcome, Sentence};

#[derive(Args)]
pub(super) struct Delete {
    #[arg(value_name = "HOST[:PORT]/NAME", help = "arg-delete-name")]
    name: String,
    #[arg(value_name = "PASSWORD", help = "arg-delete-password")]
    password: Option<String>,
    #[arg(short = 'n', long, help = "arg-dry-run")]
    dry_run: bool,
    #[command(flatten)]
    connection: Connection,
}

impl Run for Delete {
    async fn run(self, context: Context) -> Outcome<Ended> {
        let address = context.address(&self.name)?;
        context.stoppable(self.delete(&context, &address)).await
    }
}

impl Delete {
    async fn delete(&self, context: &Context, address: &Address) -> Outcome<Ended> {
        let given = self.password.clone().map(Secret);
        let drawer = context
            .open_with(&address.server, &self.connection, given, None)
            .await?;
        // One name, letter by letter: this verb takes no patterns.
        let path = drawer.place(address)?;
        let entry = drawer
            .remote
            .stat(&path)
            .await
            .map_err(|error| drawer.named(error, &path))?;
        if address.folder && !entry.is_folder() {
            return Err(drawer.named(ErrorKind::NotFolder.into(), &path));
        }
        if !self.dry_run {
            drawer.use_given().await?;
            drawer.need(Action::Delete).await?;
            let removed = drawer.remote.remove(&path, RemovePlan::default()).await;
            removed.map_err(|error| drawer.named(error, &path))?;
        }
        if context.here().is_some() && !self.dry_run {
            // In the words of the seed: one name was given, and it is gone.
            let shown = drawer.show(&path);
            context
                .printer
                .json(&json!({"type": "deleted", "path": shown}))?;
            let key = if entry.is_folder() {
                "shell-deleted-folder"
            } else {
                "shell-deleted-file"
            };
            let gone = context.text().say(key, &[]);
            match context.here() {
                Some(here) if keeps_trash(&drawer).await => {
                    here.remember_deleted(vec![path.clone()], self.password.is_some());
                    let how = context.text().say("shell-deleted-undo", &[]);
                    context.printer.note(&format!("{gone} {how}"));
                }
                _ => context.printer.note(&gone),
            }
        } else {
            told(context, &drawer.show(&path), self.dry_run)?;
        }
        Ok(Ended::Done)
    }
}

/// Can what is deleted there be brought back?
pub(super) async fn keeps_trash(drawer: &Drawer) -> bool {
    match drawer.remote.trash() {
        Some(trash) => trash.state().await.is_ok(),
        None => false,
    }
}

/// Says that something was deleted, or would be.
pub(super) fn told(context: &Context, shown: &str, dry_run: bool) -> Outcome {
    let name = escape(shown).into_owned();
    let what = if dry_run { "planned" } else { "deleted" };
    context
        .printer
        .json(&json!({"type": what, "path": shown}))?;
    let key = if dry_run {
        "client-would-delete"
    } else {
        "client-deleted"
    };
    context
        .printer
        .note(&context.text().say(key, &[("name", name.into())]));
    Ok(())
}

/// A folder that must not go without being asked for.
pub(super) fn is_folder(shown: String) -> Fault {
    Fault::Said(
        ErrorKind::IsFolder,
        Sentence::new("client-rm-folder").with("name", shown),
    )
}
