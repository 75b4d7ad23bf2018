//! One pass: what a comparison finds is copied while it goes on.

use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use gaveta_core::{Action, Entry, Path, Result, TouchPlan};
use gaveta_text::escape;
use gaveta_transfer::{
    Difference, Failed, Fingerprint, Item, KEPT, Look, Observer, Options, ReadEverything, Side,
    Summary, compare, same_time, transfer_items,
};
use serde_json::json;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::sides::{Sides, Way};
use super::{Extras, Mirror, Scope, in_the_way};
use crate::drawer::Drawer;
use crate::exclude::Excludes;
use crate::fault::Outcome;
use crate::printer::progress::Progress;
use crate::verbs::Context;
use crate::verbs::transferring::ask_progress;

/// How far the comparison may be ahead of the copies, in names.
const AHEAD: usize = 4096;
/// So many times are set at once.
const TOUCHING: usize = 16;

/// What one pass found and did.
#[derive(Debug)]
pub(super) struct Passed {
    pub(super) summary: Summary,
    pub(super) same: u64,
    pub(super) touched: u64,
    pub(super) extras: Extras,
    /// What must go first; the first [`KEPT`].
    pub(super) in_the_way: Vec<Failed>,
    /// What could not be compared or touched.
    pub(super) failed: Vec<Failed>,
}

impl Mirror {
    /// Compares within the scope and copies what differs. Deletes nothing.
    pub(super) async fn pass(
        &self,
        context: &Context,
        sides: &Sides,
        exclude: &Arc<Excludes>,
        scope: &Scope,
    ) -> Outcome<Passed> {
        let (source, target) = (
            within(sides.source(), scope)?,
            within(sides.target(), scope)?,
        );
        let progress = Arc::new(Progress::start(Arc::clone(&context.printer), sides.names()));
        let (found, differences) = mpsc::channel(AHEAD);
        let (give, items) = mpsc::channel(AHEAD);
        let look = Look {
            exclude: Arc::clone(exclude) as _,
            within: scope.folder.clone(),
            deep: scope.deep,
            contents: self.checksum.then(|| fingerprints(sides)),
            ..Look::default()
        };
        let comparing = Comparing(tokio::spawn(compare(source, target.clone(), look, found)));
        let resume = sides.resume();
        let mut options = Options {
            dry_run: self.dry_run,
            ask_progress: ask_progress(resume.as_ref()),
            resume,
            ..Options::default()
        };
        self.pace.apply(&mut options);
        let copying = transfer_items(
            items,
            target.store,
            options,
            Arc::clone(&progress) as Arc<dyn Observer>,
            context.cancel.clone(),
        );
        let taking = Taking {
            mirror: self,
            context,
            sides,
            progress: &progress,
            give,
            touching: FuturesUnordered::new(),
            asked: false,
            passed: Passed {
                summary: Summary::default(),
                same: 0,
                touched: 0,
                extras: Extras::default(),
                in_the_way: Vec::new(),
                failed: Vec::new(),
            },
        };
        // The copies go on to their end even if nobody hears of the comparison any more.
        let (summary, passed) = tokio::join!(copying, taking.run(differences));
        drop(comparing);
        progress.end();
        let mut passed = passed?;
        passed.summary = summary;
        passed.summary.cancelled |= context.cancel.is_cancelled();
        Ok(passed)
    }
}

/// The scope's folder on one side.
fn within(side: Side, scope: &Scope) -> Outcome<Side> {
    Ok(Side {
        path: side.path.join_path(&scope.folder)?,
        store: side.store,
    })
}

/// How contents are compared: this machine reads its files, the server its own. Neither looks at
/// a digest it kept.
fn fingerprints(sides: &Sides) -> (Arc<dyn Fingerprint>, Arc<dyn Fingerprint>) {
    let near: Arc<dyn Fingerprint> = Arc::new(ReadEverything(Arc::clone(&sides.place.store)));
    let far: Arc<dyn Fingerprint> = Arc::new(HashedThere(sides.drawer.clone()));
    match sides.way {
        Way::Up => (near, far),
        Way::Down => (far, near),
    }
}

/// The server reads the file afresh and says its digest.
#[derive(Debug)]
struct HashedThere(Drawer);

#[async_trait::async_trait]
impl Fingerprint for HashedThere {
    async fn digest(&self, entry: &Entry) -> Result<gaveta_core::Digest> {
        let outline = self
            .0
            .remote
            .outline_afresh(&entry.path, &entry.version)
            .await?;
        Ok(outline.digest())
    }
}

/// A comparison that ends when it is dropped.
struct Comparing(JoinHandle<()>);

impl Drop for Comparing {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Takes what a comparison finds.
struct Taking<'a> {
    mirror: &'a Mirror,
    context: &'a Context,
    sides: &'a Sides,
    progress: &'a Progress,
    give: mpsc::Sender<Item>,
    touching: FuturesUnordered<BoxFuture<'static, std::result::Result<Path, Failed>>>,
    /// The server was asked whether something there may be changed.
    asked: bool,
    passed: Passed,
}

impl Taking<'_> {
    async fn run(mut self, mut differences: mpsc::Receiver<Difference>) -> Outcome<Passed> {
        let cancel = self.context.cancel.clone();
        loop {
            let difference = tokio::select! {
                biased;
                () = cancel.cancelled() => break,
                difference = differences.recv() => difference,
            };
            match difference {
                Some(difference) => self.take(difference).await?,
                None => break,
            }
        }
        while let Some(touched) = self.touching.next().await {
            self.touched(touched)?;
        }
        Ok(self.passed)
    }

    async fn take(&mut self, difference: Difference) -> Outcome {
        match difference {
            Difference::New { entry, to } => {
                self.copy(entry, to, None).await;
            }
            Difference::NewFolder { path, to } => {
                self.give(Item::Folder { path, to }).await;
            }
            Difference::Changed { entry, there } => {
                self.may_change().await?;
                self.copy(entry, there.path.clone(), Some(there)).await;
            }
            Difference::Attributes { entry, there } => {
                self.may_change().await?;
                self.touch(&entry, there).await?;
            }
            Difference::Same { .. } => self.passed.same += 1,
            Difference::Extra { entry, whole } if self.mirror.delete => {
                self.passed.extras.add(entry, whole);
            }
            Difference::Extra { .. } => {}
            Difference::InTheWay { entry, there } => {
                if self.passed.in_the_way.len() < KEPT {
                    self.passed.in_the_way.push(in_the_way(entry, there));
                }
            }
            Difference::Skipped(skipped) => self.progress.skipped(&skipped),
            Difference::Failed(failed) => self.fail(failed),
        }
        Ok(())
    }

    async fn copy(&mut self, entry: Entry, to: Path, there: Option<Entry>) {
        let source = self.sides.source().store;
        self.give(Item::File {
            source,
            entry,
            to,
            there,
        })
        .await;
    }

    /// Gives it to the copies; they take nothing more once they are cancelled.
    async fn give(&mut self, item: Item) {
        let _ = self.give.send(item).await;
    }

    /// The first change of something that is there may want a password.
    async fn may_change(&mut self) -> Outcome {
        if self.asked || self.mirror.dry_run {
            return Ok(());
        }
        self.asked = true;
        match self.sides.guarded() {
            Some(drawer) => self.context.stoppable(drawer.need(Action::Replace)).await,
            None => Ok(()),
        }
    }

    async fn touch(&mut self, entry: &Entry, there: Entry) -> Outcome {
        if self.mirror.dry_run {
            return self.touched(Ok(there.path));
        }
        let target = self.sides.target().store;
        let plan = TouchPlan {
            modified: (!same_time(entry.modified, there.modified)).then_some(entry.modified),
            executable: (entry.executable != there.executable).then_some(entry.executable),
        };
        let path = entry.path.clone();
        self.touching.push(Box::pin(async move {
            match target.touch(&there.path, plan).await {
                Ok(_) => Ok(there.path),
                Err(error) => Err(Failed {
                    path,
                    to: there.path,
                    error,
                }),
            }
        }));
        while self.touching.len() >= TOUCHING {
            if let Some(touched) = self.touching.next().await {
                self.touched(touched)?;
            }
        }
        Ok(())
    }

    fn touched(&mut self, touched: std::result::Result<Path, Failed>) -> Outcome {
        let path = match touched {
            Ok(path) => path,
            Err(failed) => {
                self.fail(failed);
                return Ok(());
            }
        };
        self.passed.touched += 1;
        let printer = &self.context.printer;
        let shown = self.sides.show_target(&path);
        let what = if self.mirror.dry_run {
            let name = escape(&shown).into_owned();
            let text = self.context.text();
            printer.note(&text.say("client-would-touch", &[("name", name.into())]));
            "planned"
        } else {
            "touched"
        };
        printer.json(&json!({"type": what, "path": shown}))
    }

    fn fail(&mut self, failed: Failed) {
        if self.passed.failed.len() < KEPT {
            self.passed.failed.push(failed);
        } else if let Some(last) = self.passed.failed.last_mut() {
            // Beyond those only the last is kept: that something failed is what counts.
            *last = failed;
        }
    }
}
