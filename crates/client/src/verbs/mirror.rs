//! `mirror`: makes one folder like another, one here and one on a server, in either direction.
//!
//! Both trees are compared as they are listed; what differs is copied as it is found. What only
//! the target has goes last of all, and only when nothing failed before: a source that could not
//! be read never empties its mirror.

mod extras;
mod pass;
mod sides;
mod watch;

use std::ffi::OsString;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use gaveta_core::{Action, Error, ErrorKind, Path};
use gaveta_transfer::{Failed, Summary};

use super::transferring::{self, Pace, Report};
use super::{Connection, Context, Run};
use crate::drawer::Drawer;
use crate::durable::Durable;
use crate::exclude::Excludes;
use crate::fault::{Ended, Fault, Outcome, Tally};
use crate::printer::progress::Names;
use extras::Extras;
use sides::{Sides, Way, Words};

/// So many times is compared again because something had to go first, or too much was extra for
/// one round.
const MAX_ROUNDS: usize = 10_000;

#[derive(Debug, Args)]
pub(super) struct Mirror {
    #[arg(value_name = "FROM", help = "arg-mirror-from")]
    from: OsString,
    #[arg(value_name = "TO", help = "arg-mirror-to")]
    to: Option<OsString>,
    #[arg(long, visible_alias = "baixar", help = "arg-mirror-get")]
    get: bool,
    #[arg(long, help = "arg-mirror-delete")]
    delete: bool,
    #[arg(short = 'n', long, help = "arg-dry-run")]
    dry_run: bool,
    #[arg(short, long, visible_alias = "sim", help = "arg-yes")]
    yes: bool,
    #[arg(long, help = "arg-mirror-checksum")]
    checksum: bool,
    #[arg(long, value_name = "PATTERN", help = "arg-mirror-exclude")]
    exclude: Vec<String>,
    #[arg(long, conflicts_with = "dry_run", help = "arg-mirror-watch")]
    watch: bool,
    #[arg(
        long,
        value_name = "HOW",
        hide_possible_values = true,
        value_enum,
        help = "arg-mirror-durability"
    )]
    durability: Option<Durable>,
    #[command(flatten)]
    pace: Pace,
    #[command(flatten)]
    connection: Connection,
}

/// What is compared: a folder, by its path within the mirror.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Scope {
    folder: Path,
    /// Also what lies in folders that both sides have.
    deep: bool,
}

impl Scope {
    fn everything() -> Self {
        Self {
            folder: Path::root(),
            deep: true,
        }
    }
}

/// What came of a mirror, or of one round of it.
#[derive(Debug, Default)]
struct Mirrored {
    summary: Summary,
    /// The failures, of the summary too.
    tally: Tally,
    /// Files that were the same on both sides.
    same: u64,
    /// Files that only got the other's modified time or executable bit.
    touched: u64,
    deleted: u64,
    took: Duration,
}

impl Mirrored {
    /// Did anything happen?
    fn is_news(&self) -> bool {
        let moved = self.summary.files + self.touched + self.deleted;
        moved + self.tally.count > 0
    }
}

impl Run for Mirror {
    async fn run(self, context: Context) -> Outcome<Ended> {
        let words = self.words(&context)?;
        if self.durability.is_some() && words.way == Way::Up {
            return Err(Fault::usage("client-mirror-durability"));
        }
        let durable = self.durability.unwrap_or(Durable::Full);
        let exclude = Arc::new(Excludes::parse(&self.exclude)?);
        let prepared = async {
            let drawer = context.open(&words.there.server, &self.connection).await?;
            if !self.dry_run {
                for action in self.actions(words.way) {
                    drawer.need(action).await?;
                }
                if self.delete && words.way == Way::Up {
                    // Better now than after everything else was done.
                    may_delete(&drawer).await?;
                }
            }
            Sides::open(&words, drawer, durable.into()).await
        };
        let sides = context.stoppable(prepared).await?;
        let mut consent = self.yes;
        if self.watch {
            return self.keep_going(&context, &sides, &exclude, consent).await;
        }
        let scope = Scope::everything();
        let mirrored = self
            .mirror(&context, &sides, &exclude, &scope, &mut consent)
            .await?;
        self.tell(&context, &mirrored)?;
        if mirrored.summary.cancelled {
            return Err(Fault::Interrupted);
        }
        Ok(mirrored.tally.ended())
    }
}

impl Mirror {
    /// What is what. In the shell the direction is said, never guessed: a wrong guess with
    /// `--delete` would empty the wrong side. Without a second word the mirror has the name of
    /// its source, where one is.
    fn words(&self, context: &Context) -> Outcome<Words> {
        match (context.here(), &self.to) {
            (Some(here), to) => Words::near(here, &self.from, to.as_deref(), self.get),
            (None, Some(to)) => {
                let words = Words::sort(&self.from, to)?;
                if self.get && words.way == Way::Up {
                    return Err(Fault::usage("client-mirror-get"));
                }
                Ok(words)
            }
            (None, None) => Err(Fault::usage("client-mirror-sides")),
        }
    }

    /// What the account must be allowed from the start; for replacing it is asked when there is
    /// something to replace.
    fn actions(&self, way: Way) -> Vec<Action> {
        match (way, self.delete) {
            (Way::Up, true) => vec![Action::List, Action::Create, Action::Delete],
            (Way::Up, false) => vec![Action::List, Action::Create],
            (Way::Down, _) => vec![Action::List, Action::Read],
        }
    }

    /// Makes the target like the source within the scope, in as many rounds as it needs.
    async fn mirror(
        &self,
        context: &Context,
        sides: &Sides,
        exclude: &Arc<Excludes>,
        scope: &Scope,
        consent: &mut bool,
    ) -> Outcome<Mirrored> {
        let since = Instant::now();
        let mut all = Mirrored::default();
        for _ in 0..MAX_ROUNDS {
            let passed = self.pass(context, sides, exclude, scope).await?;
            let names = sides.names();
            all.same = passed.same;
            all.touched += passed.touched;
            self.count_failures(context, &names, &mut all, passed.failed)?;
            self.count_summary(context, &names, &mut all, passed.summary)?;
            if all.summary.cancelled {
                break;
            }
            let more = passed.extras.are_more();
            let gone = self
                .delete_extras(context, sides, passed.extras, consent, &mut all.tally)
                .await?;
            all.deleted += gone;
            if gone == 0 || all.tally.count > 0 || (!more && passed.in_the_way.is_empty()) {
                self.count_failures(context, &names, &mut all, passed.in_the_way)?;
                break;
            }
        }
        all.took = since.elapsed();
        Ok(all)
    }

    fn count_failures(
        &self,
        context: &Context,
        names: &Names,
        all: &mut Mirrored,
        failed: Vec<Failed>,
    ) -> Outcome {
        for failed in &failed {
            all.tally.add(failed.error.kind());
        }
        transferring::tell_failed(context, names, &failed, failed.len() as u64)
    }

    fn count_summary(
        &self,
        context: &Context,
        names: &Names,
        all: &mut Mirrored,
        summary: Summary,
    ) -> Outcome {
        transferring::count_failed(&mut all.tally, &summary);
        transferring::tell_failed(context, names, &summary.failed, summary.failed_count)?;
        transferring::add(&mut all.summary, summary);
        Ok(())
    }

    fn tell(&self, context: &Context, mirrored: &Mirrored) -> Outcome {
        transferring::tell(
            context,
            &Report {
                summary: &mirrored.summary,
                failed: mirrored.tally.count,
                dry_run: self.dry_run,
                done_key: "client-mirrored",
                took: mirrored.took,
                more: &[
                    ("same", "client-total-same", mirrored.same),
                    ("touched", "client-total-touched", mirrored.touched),
                    ("deleted", "client-total-deleted", mirrored.deleted),
                ],
            },
        )
    }
}

/// Nobody could give a password, and without one nothing may be deleted there.
async fn may_delete(drawer: &Drawer) -> Outcome {
    let account = drawer.remote.whoami().await?;
    if account.may.iter().any(|may| may == Action::Delete.code()) {
        Ok(())
    } else {
        Err(drawer.named(ErrorKind::SignInNeeded.into(), &Path::root()))
    }
}

/// Why something at the target must go before its source can come.
fn in_the_way(entry: gaveta_core::Entry, there: gaveta_core::Entry) -> Failed {
    let kind = match (entry.is_folder(), there.is_folder()) {
        (_, true) => ErrorKind::IsFolder,
        (true, false) => ErrorKind::NotFolder,
        (false, false) => ErrorKind::NotRegular,
    };
    Failed {
        path: entry.path,
        error: Error::at(kind, &there.path),
        to: there.path,
    }
}
