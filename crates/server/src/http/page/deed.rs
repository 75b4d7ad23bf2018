//! What a form asks to be done with entries, and what came of it.

use gaveta_core::{Command, Error, MovePlan, Path, RemovePlan, Replace, Result};

use crate::drawer::View;
use crate::execute::execute;
use crate::http::query::Query;

/// The most entries of one form.
const MOST: usize = 10_000;

/// What can be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Deed {
    MakeFolder,
    Rename,
    Move,
    Copy,
    Delete,
}

impl Deed {
    /// By its word in a form.
    ///
    /// # Errors
    /// `BadRequest`.
    pub(super) fn parse(word: &str) -> Result<Self> {
        Ok(match word {
            "make-folder" => Self::MakeFolder,
            "rename" => Self::Rename,
            "move" => Self::Move,
            "copy" => Self::Copy,
            "delete" => Self::Delete,
            _ => return Err(Error::bad_request("nothing to do")),
        })
    }

    /// Its word in a form.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::MakeFolder => "make-folder",
            Self::Rename => "rename",
            Self::Move => "move",
            Self::Copy => "copy",
            Self::Delete => "delete",
        }
    }
}

/// What came of one entry.
#[derive(Debug)]
pub(super) struct Outcome {
    /// What it is about, as it was called.
    pub(super) name: String,
    pub(super) result: Result<()>,
}

/// The entries that a form names, in this folder.
///
/// # Errors
/// `BadPath`; `BadRequest` for none or too many.
pub(super) fn chosen(given: &Query, folder: &Path) -> Result<Vec<Path>> {
    let names: Vec<&str> = given.all("name").take(MOST + 1).collect();
    if names.is_empty() || names.len() > MOST {
        return Err(Error::bad_request(format!(
            "choose from 1 to {MOST} entries"
        )));
    }
    names.into_iter().map(|name| folder.join(name)).collect()
}

/// Does what the form says, entry by entry; one that fails does not hold up the others.
///
/// # Errors
/// What makes the whole form meaningless; what fails for one entry stands in its outcome.
pub(super) async fn carry_out(given: &Query, folder: &Path, view: &View) -> Result<Vec<Outcome>> {
    let deed = Deed::parse(given.get("do").unwrap_or_default())?;
    let to = given.get("to").unwrap_or_default().trim();
    let commands: Vec<Command> = match deed {
        Deed::MakeFolder => vec![Command::MakeFolder(folder.join(to)?)],
        Deed::Rename => {
            let target = folder.join(to)?;
            let [from]: [Path; 1] = chosen(given, folder)?
                .try_into()
                .map_err(|_| Error::bad_request("one entry is renamed at a time"))?;
            vec![Command::Rename(from, target, never())]
        }
        Deed::Move | Deed::Copy => {
            let target = Path::parse(to.trim_matches('/'))?;
            let mut all = Vec::new();
            for from in chosen(given, folder)? {
                let into = target.join(from.name().unwrap_or_default())?;
                all.push(match deed {
                    Deed::Copy => Command::Copy(from, into, never()),
                    _ => Command::Rename(from, into, never()),
                });
            }
            all
        }
        Deed::Delete => chosen(given, folder)?
            .into_iter()
            .map(|path| {
                let plan = RemovePlan {
                    recursive: true,
                    ..RemovePlan::default()
                };
                Command::Remove(path, plan)
            })
            .collect(),
    };
    let mut outcomes = Vec::with_capacity(commands.len());
    for command in commands {
        let name = command.path().name().unwrap_or_default().to_owned();
        let result = execute(command, view).await.map(|_| ());
        outcomes.push(Outcome { name, result });
    }
    Ok(outcomes)
}

fn never() -> MovePlan {
    MovePlan {
        replace: Replace::Never,
        ..MovePlan::default()
    }
}
