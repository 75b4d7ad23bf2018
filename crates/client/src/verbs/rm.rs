//! `rm`: several names, patterns and whole folders; never a password among the words.

use clap::Args;
use gaveta_core::{Action, Entry, ErrorKind, RemovePlan, Store};

use super::delete::{is_folder, keeps_trash, told};
use super::{Connection, Context, Run};
use crate::address::{Address, Server};
use crate::answer::Answer;
use crate::drawer::Drawer;
use crate::fault::{Ended, Fault, Outcome, Tally};

#[derive(Debug, Args)]
pub(super) struct Rm {
    #[arg(
        required = true,
        value_name = "HOST[:PORT]/NAME",
        help = "arg-rm-names"
    )]
    names: Vec<String>,
    #[arg(short, long, help = "arg-rm-recursive")]
    recursive: bool,
    #[arg(short, long, visible_alias = "sim", help = "arg-yes")]
    yes: bool,
    #[arg(short = 'n', long, help = "arg-dry-run")]
    dry_run: bool,
    #[arg(long, visible_alias = "para-sempre", help = "arg-rm-forever")]
    forever: bool,
    #[command(flatten)]
    connection: Connection,
}

impl Run for Rm {
    async fn run(self, context: Context) -> Outcome<Ended> {
        let names = context.addresses(&self.names)?;
        context.stoppable(self.remove_all(&context, &names)).await
    }
}

impl Rm {
    async fn remove_all(&self, context: &Context, names: &[Address]) -> Outcome<Ended> {
        let mut tally = Tally::default();
        let mut drawers: Vec<(&Server, Drawer)> = Vec::new();
        let mut found: Vec<(Drawer, Entry)> = Vec::new();
        for name in names {
            match self.find(context, &mut drawers, name).await {
                Ok(more) => found.extend(more),
                Err(fault) => fail(context, &mut tally, fault)?,
            }
        }
        if found.is_empty() || (!self.dry_run && !self.confirmed(context, &found).await?) {
            return Ok(tally.ended());
        }
        if !self.dry_run {
            for (_, drawer) in &drawers {
                drawer.need(Action::Delete).await?;
                if self.forever {
                    drawer.need(Action::Manage).await?;
                }
            }
        }
        let mut gone = Vec::new();
        for (drawer, entry) in &found {
            match self.remove(drawer, entry).await {
                Ok(()) => {
                    told(context, &drawer.show(&entry.path), self.dry_run)?;
                    gone.push(entry.path.clone());
                }
                Err(fault) => fail(context, &mut tally, fault)?,
            }
        }
        if let (Some(here), Some((drawer, _))) = (context.here(), found.first())
            && !gone.is_empty()
            && !self.dry_run
            && !self.forever
            && keeps_trash(drawer).await
        {
            here.remember_deleted(gone, false);
            context
                .printer
                .note(&context.text().say("shell-deleted-undo", &[]));
        }
        Ok(tally.ended())
    }

    async fn find<'a>(
        &self,
        context: &Context,
        drawers: &mut Vec<(&'a Server, Drawer)>,
        name: &'a Address,
    ) -> Outcome<Vec<(Drawer, Entry)>> {
        let known = drawers
            .iter()
            .find(|(server, drawer)| **server == name.server && drawer.holds(name));
        let drawer = match known {
            Some((_, drawer)) => drawer.clone(),
            None => {
                let drawer = context.open(&name.server, &self.connection).await?;
                drawers.push((&name.server, drawer.clone()));
                drawer
            }
        };
        let found = drawer.find(name).await?;
        for entry in &found {
            if entry.path.is_root() {
                return Err(drawer.named(ErrorKind::BadMove.into(), &entry.path));
            }
            if entry.is_folder() && !self.recursive {
                return Err(is_folder(drawer.show(&entry.path)));
            }
        }
        Ok(found
            .into_iter()
            .map(|entry| (drawer.clone(), entry))
            .collect())
    }

    /// Asked once, on a terminal only.
    async fn confirmed(&self, context: &Context, found: &[(Drawer, Entry)]) -> Outcome<bool> {
        if self.yes || !context.printer.can_ask() {
            return Ok(true);
        }
        let [(drawer, first), more @ ..] = found else {
            return Ok(true);
        };
        let name = gaveta_text::escape(&drawer.show(&first.path)).into_owned();
        let args = [("name", name.into()), ("more", more.len().into())];
        let question = context.text().say("client-ask-delete", &args);
        yes(context, &question).await
    }

    async fn remove(&self, drawer: &Drawer, entry: &Entry) -> Outcome {
        if self.dry_run {
            return Ok(());
        }
        let plan = RemovePlan {
            recursive: self.recursive && entry.is_folder(),
            forever: self.forever,
            ..RemovePlan::default()
        };
        let removed = drawer.remote.remove(&entry.path, plan).await;
        removed.map_err(|error| drawer.named(error, &entry.path))
    }
}

/// Asks until the answer is yes or no; the end of the input means no.
pub(super) async fn yes(context: &Context, question: &str) -> Outcome<bool> {
    loop {
        let Some(line) = context.printer.ask(question).await? else {
            return Ok(false);
        };
        match Answer::parse(&line) {
            Some(Answer::Yes | Answer::All) => return Ok(true),
            Some(Answer::No | Answer::None) => return Ok(false),
            None => {}
        }
    }
}

/// Tells a failure and goes on; nobody listening ends it.
pub(super) fn fail(context: &Context, tally: &mut Tally, fault: Fault) -> Outcome {
    match fault {
        Fault::Closed | Fault::Interrupted | Fault::Usage(_) => Err(fault),
        Fault::Store(_) | Fault::Said(..) => {
            context.printer.fault(&fault)?;
            tally.add(fault.kind().unwrap_or(ErrorKind::Io));
            Ok(())
        }
    }
}
