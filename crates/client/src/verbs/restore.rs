//! `restore`: brings something back from the trash.

use clap::Args;
use futures_util::{StreamExt, TryStreamExt};
use gaveta_core::{
    Action, Cause, Entry, Error, ErrorKind, Path, Replace, RestorePlan, TrashId, TrashPlan, Trashed,
};
use gaveta_text::escape;
use serde_json::json;

use super::rm::fail;
use super::trash::{Which, by_id, of, place, unsupported};
use super::{Connection, Context, Run};
use crate::drawer::Drawer;
use crate::fault::{Ended, Fault, Outcome, Sentence, Tally};

/// So many names are tried for something that is put beside.
const BESIDE: u32 = 1000;

#[derive(Debug, Args)]
pub(super) struct Restore {
    #[arg(value_name = "HOST[:PORT]/NAME", help = "arg-restore-name")]
    name: Option<String>,
    #[arg(long, value_name = "ID", help = "arg-restore-id")]
    id: Option<String>,
    #[arg(long, help = "arg-restore-all")]
    all: bool,
    #[command(flatten)]
    which: Which,
    #[arg(
        long,
        visible_alias = "para",
        value_name = "PATH",
        help = "arg-restore-to"
    )]
    to: Option<String>,
    #[command(flatten)]
    taken: Taken,
    #[command(flatten)]
    connection: Connection,
}

/// What to do where something stands in the way.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct Taken {
    #[arg(long, visible_alias = "ao-lado", help = "arg-restore-beside")]
    pub(super) beside: bool,
    #[arg(long, conflicts_with = "beside", help = "arg-restore-replace")]
    pub(super) replace: bool,
}

impl Run for Restore {
    async fn run(self, context: Context) -> Outcome<Ended> {
        context.stoppable(self.restore(&context)).await
    }
}

impl Restore {
    async fn restore(&self, context: &Context) -> Outcome<Ended> {
        let address = place(context, self.name.as_deref())?;
        let to = self.to.as_deref().map(|to| context.address(to));
        let to = to.transpose()?;
        let many = self.all || self.which.says();
        if many && (self.to.is_some() || self.id.is_some()) {
            return Err(Fault::usage("client-restore-one"));
        }
        let drawer = context.open(&address.server, &self.connection).await?;
        let path = drawer.place(&address)?;
        if !many && self.id.is_none() && path.is_root() {
            return Err(Fault::usage("client-restore-what"));
        }
        let plan = self.which.plan(&path)?;
        let to = to.map(|to| drawer.place(&to)).transpose()?;
        drawer.need(Action::Delete).await?;
        let mut tally = Tally::default();
        if let Some(id) = &self.id {
            let one = by_id(&drawer, id).await?;
            put_back(context, &drawer, &one, to, &self.taken).await?;
        } else if many {
            // The newest first: what was deleted out of a folder comes after its folder. The ids are
            // taken page by page, while the trash changes.
            let plan = TrashPlan {
                cause: Some(Cause::Deleted),
                ..plan
            };
            let listed = of(&drawer)?.trashed(plan).await;
            let mut listed = listed.map_err(|error| unsupported(&drawer, error, &path))?;
            while let Some(one) = listed.next().await {
                let one = one?;
                if let Err(fault) = put_back(context, &drawer, &one, None, &self.taken).await {
                    fail(context, &mut tally, fault)?;
                }
            }
        } else {
            let one = newest(&drawer, &path).await?;
            put_back(context, &drawer, &one, to, &self.taken).await?;
        }
        Ok(tally.ended())
    }
}

/// What was last deleted or replaced at this path.
pub(super) async fn newest(drawer: &Drawer, path: &Path) -> Outcome<Trashed> {
    let plan = TrashPlan {
        path: Some(path.clone()),
        exact: true,
        ..TrashPlan::default()
    };
    let listed = of(drawer)?.trashed(plan).await;
    let mut listed = listed.map_err(|error| unsupported(drawer, error, path))?;
    let none = || {
        let name = drawer.show(path);
        Fault::Said(
            ErrorKind::NotFound,
            Sentence::new("client-not-in-trash").with("name", name),
        )
    };
    listed.try_next().await?.ok_or_else(none)
}

/// Brings one thing back, and says so. What stands in its place is never replaced without being
/// asked about.
pub(super) async fn put_back(
    context: &Context,
    drawer: &Drawer,
    one: &Trashed,
    to: Option<Path>,
    taken: &Taken,
) -> Outcome {
    let target = to.unwrap_or_else(|| one.entry.path.clone());
    let trash = of(drawer)?;
    let plan = |to: &Path, replace| RestorePlan {
        to: Some(to.clone()),
        replace,
        by: None,
    };
    let first = match taken.replace {
        true => Replace::Always,
        false => Replace::Never,
    };
    let restored = match trash.restore(&one.id, plan(&target, first)).await {
        Err(error) if is_taken(&error) && !taken.replace => {
            let choice = match taken.beside {
                true => Choice::Beside,
                false => ask(context, drawer, &target, one).await?,
            };
            match choice {
                Choice::Beside => beside(context, drawer, &one.id, &target).await?,
                Choice::Replace => {
                    let restored = trash.restore(&one.id, plan(&target, Replace::Always)).await;
                    restored.map_err(|error| drawer.named(error, &target))?
                }
                Choice::Leave => return Err(drawer.named(error, &target)),
            }
        }
        restored => restored.map_err(|error| drawer.named(error, &target))?,
    };
    told(context, drawer, one, &restored)
}

fn is_taken(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Exists | ErrorKind::IsFolder | ErrorKind::NotFolder
    )
}

fn told(context: &Context, drawer: &Drawer, one: &Trashed, entry: &Entry) -> Outcome {
    let shown = drawer.show(&entry.path);
    context.printer.json(&json!({
        "type": "restored", "path": drawer.show(&one.entry.path), "to": shown,
        "id": one.id.as_str(),
    }))?;
    let args = [("name", escape(&shown).into_owned().into())];
    context
        .printer
        .note(&context.text().say("client-restored", &args));
    if let Some(here) = context.here() {
        here.changed();
    }
    Ok(())
}

/// What to do about what stands in the way.
enum Choice {
    Beside,
    Replace,
    Leave,
}

async fn ask(context: &Context, drawer: &Drawer, at: &Path, one: &Trashed) -> Outcome<Choice> {
    if !context.printer.can_ask() {
        return Ok(Choice::Leave);
    }
    let name = escape(&drawer.show(at)).into_owned();
    let key = match one.entry.is_folder() {
        true => "client-ask-beside",
        false => "client-ask-taken",
    };
    let question = context.text().say(key, &[("name", name.into())]);
    loop {
        let Some(line) = context.printer.ask(&question).await? else {
            return Ok(Choice::Leave);
        };
        return Ok(match line.trim().to_lowercase().as_str() {
            "b" | "beside" | "l" | "lado" => Choice::Beside,
            "r" | "replace" | "s" | "substituir" if !one.entry.is_folder() => Choice::Replace,
            "n" | "no" | "não" | "nao" => Choice::Leave,
            _ => continue,
        });
    }
}

/// Brings it back under another name, the first that is free.
async fn beside(context: &Context, drawer: &Drawer, id: &TrashId, at: &Path) -> Outcome<Entry> {
    let trash = of(drawer)?;
    let word = context.text().say("client-restored-name", &[]);
    let taken = || drawer.named(Error::new(ErrorKind::Exists), at);
    let name = at.name().ok_or_else(taken)?;
    let parent = at.parent().ok_or_else(taken)?;
    for n in 1..BESIDE {
        let to = parent.join(&beside_name(name, &word, n))?;
        let plan = RestorePlan {
            to: Some(to),
            ..RestorePlan::default()
        };
        match trash.restore(id, plan).await {
            Err(error) if is_taken(&error) => {}
            restored => return restored.map_err(|error| drawer.named(error, at)),
        }
    }
    Err(taken())
}

/// `name (restored).ext`, `name (restored 2).ext`, short enough to be a name.
fn beside_name(name: &str, word: &str, n: u32) -> String {
    let mark = match n {
        1 => format!(" ({word})"),
        n => format!(" ({word} {n})"),
    };
    let dot = name
        .rfind('.')
        .filter(|at| *at > 0 && name.len() - at <= 16);
    let (stem, ending) = name.split_at(dot.unwrap_or(name.len()));
    let room = gaveta_core::path::MAX_NAME - mark.len() - ending.len();
    let mut end = stem.len().min(room);
    while !stem.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{mark}{ending}", stem.get(..end).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_beside_keep_their_ending_and_are_names() {
        assert_eq!(beside_name("a.txt", "restored", 1), "a (restored).txt");
        assert_eq!(beside_name("a", "restored", 2), "a (restored 2)");
        assert_eq!(
            beside_name(".profile", "restored", 1),
            ".profile (restored)"
        );
        for name in [
            "ã".repeat(127),
            "x".repeat(255),
            format!("{}.tar", "é".repeat(125)),
        ] {
            let beside = beside_name(&name, "restaurado", 999);
            assert!(gaveta_core::Name::parse(&beside).is_ok(), "{beside}");
        }
    }
}
