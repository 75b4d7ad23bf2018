//! Merges both sides, folder by folder.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesOrdered;
use gaveta_core::{Entry, Error, ErrorKind, Kind, Path, Result, Store};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::pages::{Page, Pager, page};
use super::{Difference, Look, Side, same_time};
use crate::summary::{Failed, Skipped, Why};

/// How many folders are asked for ahead of their turn.
const AHEAD: usize = 12;
/// How many pairs of files are hashed at once.
const HASHING: usize = 4;

/// Compares, and tells of every name. Ends early when nobody takes what it finds.
pub(super) async fn walk(source: Side, target: Side, look: Look, out: mpsc::Sender<Difference>) {
    let top = Frame {
        source: Some(Pager::new(source.path)),
        target: Some(Pager::new(target.path.clone())),
        to: target.path,
        within: look.within.clone(),
        bare: true,
        extra: None,
        keeps: false,
    };
    let mut walk = Walk {
        source: source.store,
        target: target.store,
        look,
        out,
        waiting: FuturesOrdered::new(),
        ahead: HashMap::new(),
    };
    // Who takes no more is told no more.
    let _ = walk.run(top).await;
}

/// Nobody takes what is found any more.
struct Unwanted;

/// The first page of a folder on each side, where it is wanted.
type Pages = (Option<Result<Page>>, Option<Result<Page>>);

async fn maybe<T>(wanted: Option<impl Future<Output = T>>) -> Option<T> {
    match wanted {
        Some(future) => Some(future.await),
        None => None,
    }
}

/// A folder on the way down. At least one side has it.
#[derive(Debug)]
struct Frame {
    source: Option<Pager>,
    target: Option<Pager>,
    /// Its path at the target.
    to: Path,
    /// Its path as the patterns see it.
    within: Path,
    /// Nothing below it makes it appear at the target.
    bare: bool,
    /// The target's own entry, when the source does not have the folder.
    extra: Option<Entry>,
    /// Something in it stays, so that it cannot go.
    keeps: bool,
}

impl Frame {
    /// What cannot be read must look neither like an empty folder nor like one that can go.
    fn give_up(&mut self) {
        (self.source, self.target) = (None, None);
        self.bare = false;
        self.keeps = true;
    }

    /// The next name, of either side or both; none at the end of the pages.
    fn next(&mut self) -> Option<Next> {
        let ours = self.source.as_ref().and_then(Pager::peek);
        let theirs = self.target.as_ref().and_then(Pager::peek);
        let order = match (ours, theirs) {
            (None, None) => return None,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(ours), Some(theirs)) => ours.path.name().cmp(&theirs.path.name()),
        };
        let ours = match order {
            Ordering::Greater => None,
            _ => self.source.as_mut().and_then(|side| side.page.next()),
        };
        let theirs = match order {
            Ordering::Less => None,
            _ => self.target.as_mut().and_then(|side| side.page.next()),
        };
        match (ours, theirs) {
            (Some(ours), Some(theirs)) => Some(Next::Both(ours, theirs)),
            (Some(ours), None) => Some(Next::Source(ours)),
            (None, Some(theirs)) => Some(Next::Target(theirs)),
            (None, None) => None,
        }
    }
}

/// What comes next in a folder.
enum Next {
    Source(Entry),
    Target(Entry),
    Both(Entry, Entry),
}

/// Pages that were asked for ahead; dropping it takes the question back.
struct Asked(JoinHandle<Pages>);

impl Drop for Asked {
    fn drop(&mut self) {
        self.0.abort();
    }
}

struct Walk {
    source: Arc<dyn Store>,
    target: Arc<dyn Store>,
    look: Look,
    out: mpsc::Sender<Difference>,
    /// Told in the order they were found, though some must be hashed first.
    waiting: FuturesOrdered<BoxFuture<'static, Difference>>,
    /// First pages that were asked for ahead, by the folder's path at the target.
    ahead: HashMap<Path, Asked>,
}

impl Walk {
    async fn run(&mut self, top: Frame) -> Result<(), Unwanted> {
        let mut stack = vec![top];
        while let Some(frame) = stack.last_mut() {
            self.fill(frame).await?;
            let down = match frame.next() {
                Some(Next::Source(entry)) => self.only_source(frame, entry).await?,
                Some(Next::Target(entry)) => self.only_target(frame, entry).await?,
                Some(Next::Both(entry, there)) => self.both(frame, entry, there).await?,
                None => {
                    if let Some(done) = stack.pop() {
                        self.done(done, stack.last_mut()).await?;
                    }
                    continue;
                }
            };
            stack.extend(down);
        }
        while let Some(told) = self.waiting.next().await {
            self.send(told).await?;
        }
        Ok(())
    }

    /// Reads the next page of each side that has none at hand.
    async fn fill(&mut self, frame: &mut Frame) -> Result<(), Unwanted> {
        loop {
            let wants = |side: &Option<Pager>| side.as_ref().is_some_and(Pager::wants_page);
            let (ours, theirs) = (wants(&frame.source), wants(&frame.target));
            if !ours && !theirs {
                return Ok(());
            }
            let ahead = match self.ahead.remove(&frame.to) {
                Some(mut asked) => (&mut asked.0).await.ok(),
                None => None,
            };
            let (ours, theirs) = match ahead {
                Some(pages) => pages,
                None => {
                    let depth = frame.within.depth();
                    let ours = frame.source.as_ref().filter(|_| ours);
                    let theirs = frame.target.as_ref().filter(|_| theirs);
                    let ours = ours.map(|side| self.page(&self.source, side, depth));
                    let theirs = theirs.map(|side| self.page(&self.target, side, depth));
                    tokio::join!(maybe(ours), maybe(theirs))
                }
            };
            if let Some(read) = ours {
                self.take_source(frame, read).await?;
            }
            if let Some(read) = theirs {
                self.take_target(frame, read).await?;
            }
            self.look_ahead(frame);
        }
    }

    fn page(
        &self,
        store: &Arc<dyn Store>,
        side: &Pager,
        depth: usize,
    ) -> impl Future<Output = Result<Page>> + use<> {
        let (store, folder, last) = (Arc::clone(store), side.folder.clone(), side.last.clone());
        page(store, folder, last, depth, self.look.retries)
    }

    async fn take_source(&mut self, frame: &mut Frame, read: Result<Page>) -> Result<(), Unwanted> {
        let Some(side) = &mut frame.source else {
            return Ok(());
        };
        let folder = side.folder.clone();
        match read {
            Ok(page) => {
                // Every page tells of them again.
                let first = side.last.is_none();
                side.take(page.entries, page.more);
                for shown in page.unnameable.into_iter().filter(|_| first) {
                    let (path, why) = (folder.clone(), Why::Unnameable(shown));
                    self.tell(Difference::Skipped(Skipped { path, why }))
                        .await?;
                }
                Ok(())
            }
            Err(error) => {
                frame.give_up();
                self.fail(folder, frame.to.clone(), error).await
            }
        }
    }

    async fn take_target(&mut self, frame: &mut Frame, read: Result<Page>) -> Result<(), Unwanted> {
        let Some(side) = &mut frame.target else {
            return Ok(());
        };
        match read {
            Ok(page) => {
                side.take(page.entries, page.more);
                Ok(())
            }
            // It is not there yet, or went away meanwhile.
            Err(error) if error.kind() == ErrorKind::NotFound && side.last.is_none() => {
                frame.target = None;
                Ok(())
            }
            Err(error) => {
                let ours = frame.source.as_ref().map(|side| side.folder.clone());
                let to = frame.to.clone();
                frame.give_up();
                self.fail(ours.unwrap_or_else(|| to.clone()), to, error)
                    .await
            }
        }
    }

    /// Asks for the first pages of folders whose turn comes soon.
    fn look_ahead(&mut self, frame: &Frame) {
        let Some(source) = &frame.source else {
            return;
        };
        for entry in source.page.as_slice() {
            if self.ahead.len() >= AHEAD {
                return;
            }
            let name = entry.path.name();
            let (Some(Ok(to)), true) = (name.map(|name| frame.to.join(name)), entry.is_folder())
            else {
                continue;
            };
            let there = match frame.target.as_ref().map(|side| side.find(name)) {
                None | Some(Ok(None)) => None,
                Some(Ok(Some(there))) if there.is_folder() && self.look.deep => Some(there),
                // Only what will surely be read is asked for.
                Some(_) => continue,
            };
            if self.is_out(frame, entry) {
                continue;
            }
            let depth = frame.within.depth() + 1;
            let first = |store: &Arc<dyn Store>, folder: &Path| {
                self.page(store, &Pager::new(folder.clone()), depth)
            };
            let ours = first(&self.source, &entry.path);
            let theirs = there.map(|there| first(&self.target, &there.path));
            self.ahead.entry(to).or_insert_with(|| {
                Asked(tokio::spawn(async move {
                    tokio::join!(maybe(Some(ours)), maybe(theirs))
                }))
            });
        }
    }

    async fn only_source(
        &mut self,
        frame: &mut Frame,
        entry: Entry,
    ) -> Result<Option<Frame>, Unwanted> {
        if self.is_out(frame, &entry) {
            return Ok(None);
        }
        let name = entry.path.name().unwrap_or_default();
        let (to, within) = match (frame.to.join(name), frame.within.join(name)) {
            (Ok(to), Ok(within)) => (to, within),
            (Err(error), _) | (_, Err(error)) => {
                let to = frame.to.clone();
                self.fail(entry.path, to, error).await?;
                return Ok(None);
            }
        };
        match entry.kind {
            Kind::File => {
                frame.bare = false;
                self.tell(Difference::New { entry, to }).await?;
                Ok(None)
            }
            Kind::Folder => {
                frame.bare = false;
                Ok(Some(Frame {
                    source: Some(Pager::new(entry.path)),
                    target: None,
                    to,
                    within,
                    bare: true,
                    extra: None,
                    keeps: false,
                }))
            }
            Kind::Link | Kind::Special => {
                self.skip(entry).await?;
                Ok(None)
            }
        }
    }

    async fn only_target(
        &mut self,
        frame: &mut Frame,
        entry: Entry,
    ) -> Result<Option<Frame>, Unwanted> {
        if self.is_out(frame, &entry) {
            frame.keeps = true;
            return Ok(None);
        }
        let within = frame.within.join(entry.path.name().unwrap_or_default());
        // Only where something may have to stay is it looked into.
        if let (true, false, Ok(within)) = (entry.is_folder(), self.look.exclude.is_empty(), within)
        {
            return Ok(Some(Frame {
                source: None,
                target: Some(Pager::new(entry.path.clone())),
                to: entry.path.clone(),
                within,
                bare: false,
                extra: Some(entry),
                keeps: false,
            }));
        }
        let whole = entry.is_folder();
        self.tell(Difference::Extra { entry, whole }).await?;
        Ok(None)
    }

    async fn both(
        &mut self,
        frame: &mut Frame,
        entry: Entry,
        there: Entry,
    ) -> Result<Option<Frame>, Unwanted> {
        if self.is_out(frame, &entry) || self.is_out(frame, &there) {
            frame.keeps = true;
            return Ok(None);
        }
        match (entry.kind, there.kind) {
            (Kind::Folder, Kind::Folder) if !self.look.deep => Ok(None),
            (Kind::Folder, Kind::Folder) => {
                match frame.within.join(entry.path.name().unwrap_or_default()) {
                    Ok(within) => Ok(Some(Frame {
                        source: Some(Pager::new(entry.path)),
                        target: Some(Pager::new(there.path.clone())),
                        to: there.path,
                        within,
                        bare: false,
                        extra: None,
                        keeps: false,
                    })),
                    Err(error) => {
                        self.fail(entry.path, there.path, error).await?;
                        Ok(None)
                    }
                }
            }
            (Kind::File, Kind::File) => {
                self.files(entry, there).await?;
                Ok(None)
            }
            // What is not copied leaves what has its name alone.
            (Kind::Link | Kind::Special, _) => {
                self.skip(entry).await?;
                Ok(None)
            }
            (Kind::File | Kind::Folder, _) => {
                let extra = there.clone();
                self.tell(Difference::InTheWay { entry, there }).await?;
                self.only_target(frame, extra).await
            }
        }
    }

    async fn files(&mut self, entry: Entry, there: Entry) -> Result<(), Unwanted> {
        let timely = same_time(entry.modified, there.modified);
        let alike = timely && entry.executable == there.executable;
        if entry.size != there.size {
            return self.tell(Difference::Changed { entry, there }).await;
        }
        let Some((ours, theirs)) = self.look.contents.clone() else {
            let told = match (alike, timely) {
                (true, _) => Difference::Same { entry },
                (false, true) => Difference::Attributes { entry, there },
                (false, false) => Difference::Changed { entry, there },
            };
            return self.tell(told).await;
        };
        self.waiting.push_back(Box::pin(async move {
            match tokio::try_join!(ours.digest(&entry), theirs.digest(&there)) {
                Ok((ours, theirs)) if ours != theirs => Difference::Changed { entry, there },
                Ok(_) if alike => Difference::Same { entry },
                Ok(_) => Difference::Attributes { entry, there },
                Err(error) => {
                    let error = error.about(&entry.path);
                    let (path, to) = (entry.path, there.path);
                    Difference::Failed(Failed { path, to, error })
                }
            }
        }));
        self.settle().await
    }

    /// A folder is done: a new one may be bare, an extra one may go.
    async fn done(&mut self, frame: Frame, above: Option<&mut Frame>) -> Result<(), Unwanted> {
        match (frame.extra, frame.source) {
            (Some(_), _) if frame.keeps => {
                if let Some(above) = above {
                    above.keeps = true;
                }
                Ok(())
            }
            (Some(entry), _) => {
                let whole = false;
                self.tell(Difference::Extra { entry, whole }).await
            }
            (None, Some(source)) if frame.target.is_none() && frame.bare && !frame.to.is_root() => {
                let (path, to) = (source.folder, frame.to);
                self.tell(Difference::NewFolder { path, to }).await
            }
            (None, _) => Ok(()),
        }
    }

    fn is_out(&self, frame: &Frame, entry: &Entry) -> bool {
        let exclude = &self.look.exclude;
        !exclude.is_empty()
            && frame
                .within
                .join(entry.path.name().unwrap_or_default())
                .is_ok_and(|path| exclude.leaves_out(&path, entry.is_folder()))
    }

    async fn skip(&mut self, entry: Entry) -> Result<(), Unwanted> {
        let why = if entry.kind == Kind::Link {
            Why::Link
        } else {
            Why::Special
        };
        let path = entry.path;
        self.tell(Difference::Skipped(Skipped { path, why })).await
    }

    async fn fail(&mut self, path: Path, to: Path, error: Error) -> Result<(), Unwanted> {
        let error = error.about(&path);
        self.tell(Difference::Failed(Failed { path, to, error }))
            .await
    }

    async fn tell(&mut self, told: Difference) -> Result<(), Unwanted> {
        if self.waiting.is_empty() {
            return self.send(told).await;
        }
        self.waiting.push_back(Box::pin(std::future::ready(told)));
        self.settle().await
    }

    /// Waits until not too much waits to be told.
    async fn settle(&mut self) -> Result<(), Unwanted> {
        while self.waiting.len() > HASHING {
            if let Some(told) = self.waiting.next().await {
                self.send(told).await?;
            }
        }
        Ok(())
    }

    async fn send(&mut self, told: Difference) -> Result<(), Unwanted> {
        self.out.send(told).await.map_err(|_| Unwanted)
    }
}
