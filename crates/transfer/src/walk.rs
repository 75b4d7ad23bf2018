//! Finds what there is to copy, as the workers take it.
//!
//! A folder is read page by page, in the order of names: no listing stays open while files are
//! copied (a server would take the reader for dead), and no folder is ever held whole. Where the
//! source is elsewhere, the folders to come are read ahead.

use std::sync::Arc;
use std::time::Duration;

use futures_util::TryStreamExt;
use gaveta_core::{Cursor, Entry, Error, ErrorKind, Kind, ListPlan, Listed, Path, Result, Store};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::ahead::{Ahead, Begun, ORDER, PAGE, Page, page, page_size};
use crate::observer::{FileId, Observer};
use crate::options::{Item, Retries, Source};
use crate::summary::{Failed, Skipped, Why};

/// How long what was found out is news: then it is asked again, before it is begun anew.
const NEWS: Duration = Duration::from_secs(10);

/// A file to copy.
#[derive(Debug, Clone)]
pub(crate) struct Task {
    pub(crate) id: FileId,
    pub(crate) source: Arc<dyn Store>,
    pub(crate) entry: Entry,
    pub(crate) to: Path,
    /// What has its name at the target, when that was found out: nothing, or this.
    pub(crate) there: Option<Option<Entry>>,
    /// When the entry was found out.
    pub(crate) since: Instant,
    /// A try with it failed, or nobody knows how old it is.
    pub(crate) doubted: bool,
}

impl Task {
    /// The entry, while it is news.
    pub(crate) fn news(&self) -> Option<&Entry> {
        (self.since.elapsed() < NEWS && !self.doubted).then_some(&self.entry)
    }
}

/// What a walk comes across.
#[derive(Debug)]
pub(crate) enum Found {
    File(Task),
    /// A folder was walked; nothing below it makes it appear at the target when `bare`.
    Folder {
        path: Path,
        to: Path,
        bare: bool,
    },
    Skipped(Skipped),
    Failed(FileId, Failed),
}

/// Nobody takes what is found any more.
struct Unwanted;

/// Walks every source. Ends early when nobody takes what it finds.
pub(crate) async fn walk(
    sources: Vec<Source>,
    retries: Retries,
    observer: &dyn Observer,
    out: mpsc::Sender<Found>,
) {
    let mut walk = Walk {
        retries,
        observer,
        out,
        files: 0,
        bytes: 0,
        last_id: 0,
        begun: Instant::now(),
    };
    for source in sources {
        if walk.source(source).await.is_err() {
            return;
        }
    }
    observer.found_all();
}

/// Takes what somebody else found, instead of walking.
pub(crate) async fn take(
    mut items: mpsc::Receiver<Item>,
    observer: &dyn Observer,
    out: mpsc::Sender<Found>,
) {
    let (mut files, mut bytes) = (0u64, 0u64);
    while let Some(item) = items.recv().await {
        let found = match item {
            Item::File {
                source,
                entry,
                to,
                there,
            } => {
                files += 1;
                bytes = bytes.saturating_add(entry.size);
                observer.found(files, bytes);
                Found::File(Task {
                    id: FileId(files),
                    source,
                    entry,
                    to,
                    there: Some(there),
                    since: Instant::now(),
                    doubted: true,
                })
            }
            Item::Folder { path, to } => Found::Folder {
                path,
                bare: !to.is_root(),
                to,
            },
        };
        if out.send(found).await.is_err() {
            return;
        }
    }
    observer.found_all();
}

struct Walk<'a> {
    retries: Retries,
    observer: &'a dyn Observer,
    out: mpsc::Sender<Found>,
    files: u64,
    bytes: u64,
    last_id: u64,
    /// When the walk began: what was known then is as old.
    begun: Instant,
}

/// A folder on the way down.
struct Frame {
    path: Path,
    to: Path,
    page: std::vec::IntoIter<Entry>,
    /// When it was read.
    since: Instant,
    /// The first page, when it is on its way.
    begun: Option<Begun>,
    ahead: Ahead,
    told: usize,
    after: Option<Cursor>,
    more: bool,
    bare: bool,
}

impl Frame {
    fn new(path: Path, to: Path) -> Self {
        Self {
            path,
            to,
            page: Vec::new().into_iter(),
            since: Instant::now(),
            begun: None,
            ahead: Ahead::default(),
            told: 0,
            after: None,
            more: true,
            bare: true,
        }
    }
}

impl Walk<'_> {
    async fn source(&mut self, source: Source) -> Result<(), Unwanted> {
        let Source {
            store,
            path,
            to,
            entry,
        } = source;
        let (entry, since) = match entry {
            Some(entry) => (Ok(entry), self.begun),
            None => {
                let since = Instant::now();
                (again(self.retries, || store.stat(&path)).await, since)
            }
        };
        match entry {
            Err(error) => self.fail(path, to, error).await,
            Ok(entry) if entry.path != path => {
                self.fail(path, to, Error::bad_request("not what was asked for"))
                    .await
            }
            Ok(entry) if entry.is_folder() => self.folder(&store, Frame::new(path, to)).await,
            Ok(entry) => self.entry(&store, entry, to, since).await.map(|_| ()),
        }
    }

    async fn folder(&mut self, store: &Arc<dyn Store>, top: Frame) -> Result<(), Unwanted> {
        let mut stack = vec![top];
        loop {
            let depth = stack.len();
            let Some(frame) = stack.last_mut() else {
                return Ok(());
            };
            if let Some(entry) = frame.page.next() {
                let name = entry.path.name().unwrap_or_default();
                let begun = match entry.is_folder() {
                    true => frame.ahead.take(&entry.path),
                    false => None,
                };
                frame.ahead.go_on(store, depth, self.retries);
                match frame.to.join(name) {
                    Err(error) => {
                        let to = frame.to.clone();
                        self.fail(entry.path, to, error).await?;
                    }
                    Ok(to) if entry.is_folder() => {
                        frame.bare = false;
                        stack.push(Frame {
                            begun,
                            ..Frame::new(entry.path, to)
                        });
                    }
                    Ok(to) => {
                        let since = frame.since;
                        if self.entry(store, entry, to, since).await? {
                            frame.bare = false;
                        }
                    }
                }
            } else if frame.more {
                if let Err(error) = self.page(store, frame, depth).await? {
                    // What could not be read must not look like an empty folder.
                    frame.more = false;
                    frame.bare = false;
                    let (path, to) = (frame.path.clone(), frame.to.clone());
                    self.fail(path, to, error).await?;
                }
            } else if let Some(Frame { path, to, bare, .. }) = stack.pop() {
                let bare = bare && !to.is_root();
                self.tell(Found::Folder { path, to, bare }).await?;
            }
        }
    }

    /// Reads the next page of a folder, and tells of what in it has no usable name.
    async fn page(
        &mut self,
        store: &Arc<dyn Store>,
        frame: &mut Frame,
        depth: usize,
    ) -> Result<Result<()>, Unwanted> {
        let (read, limit, since) = match frame.begun.take() {
            Some(begun) => begun.page().await,
            None => {
                let limit = page_size(store.as_ref(), depth, frame.told);
                let (after, since) = (frame.after.clone(), Instant::now());
                let read = page(store, &frame.path, after, limit, self.retries).await;
                (read, limit, since)
            }
        };
        frame.since = since;
        let (entries, unnameable) = match read {
            Ok(read) => read,
            Err(error) => return Ok(Err(error)),
        };
        // Every page tells of them again.
        if frame.after.is_none() {
            for shown in unnameable {
                let why = Why::Unnameable(shown);
                self.tell(Found::Skipped(Skipped {
                    path: frame.path.clone(),
                    why,
                }))
                .await?;
            }
        }
        frame.more = entries.len() >= limit;
        frame.told = frame.told.saturating_add(entries.len());
        frame.after = entries.last().map(|entry| Cursor::of(entry, ORDER));
        frame.ahead.expect(store.as_ref(), depth, &entries);
        frame.ahead.go_on(store, depth, self.retries);
        frame.page = entries.into_iter();
        Ok(Ok(()))
    }

    /// Tells of an entry that is no folder. Is it a file?
    async fn entry(
        &mut self,
        store: &Arc<dyn Store>,
        entry: Entry,
        to: Path,
        since: Instant,
    ) -> Result<bool, Unwanted> {
        let why = match entry.kind {
            Kind::File | Kind::Folder => {
                self.files += 1;
                self.bytes = self.bytes.saturating_add(entry.size);
                self.observer.found(self.files, self.bytes);
                let id = self.id();
                let task = Task {
                    id,
                    source: store.clone(),
                    entry,
                    to,
                    there: None,
                    since,
                    doubted: false,
                };
                self.tell(Found::File(task)).await?;
                return Ok(true);
            }
            Kind::Link => Why::Link,
            Kind::Special => Why::Special,
        };
        self.tell(Found::Skipped(Skipped {
            path: entry.path,
            why,
        }))
        .await?;
        Ok(false)
    }

    async fn fail(&mut self, path: Path, to: Path, error: Error) -> Result<(), Unwanted> {
        let id = self.id();
        let error = error.about(&path);
        self.tell(Found::Failed(id, Failed { path, to, error }))
            .await
    }

    async fn tell(&mut self, found: Found) -> Result<(), Unwanted> {
        self.out.send(found).await.map_err(|_| Unwanted)
    }

    fn id(&mut self) -> FileId {
        self.last_id += 1;
        FileId(self.last_id)
    }
}

/// One page, whole, and the unusable names that were told with it.
pub(crate) async fn read_page(
    store: &Arc<dyn Store>,
    folder: &Path,
    plan: ListPlan,
) -> Result<Page> {
    let most = plan.limit.unwrap_or(PAGE).min(PAGE);
    let mut listing = store.list(folder, plan).await?;
    let (mut entries, mut unnameable) = (Vec::new(), Vec::new());
    while let Some(listed) = listing.try_next().await? {
        match listed {
            Listed::Entry(entry) => {
                // A store far away must not lead out of the folder that was asked for.
                if entry.path.parent().as_ref() != Some(folder) {
                    return Err(Error::new(ErrorKind::BadRequest)
                        .about(folder)
                        .because(format!("{} does not lie in it", entry.path)));
                }
                if entries.len() >= most {
                    return Err(Error::bad_request("more entries than asked for").about(folder));
                }
                entries.push(entry);
            }
            Listed::Unnameable { shown } if unnameable.len() < PAGE => unnameable.push(shown),
            Listed::Unnameable { .. } => {}
        }
    }
    Ok((entries, unnameable))
}

/// Tries a question again that failed for a passing reason.
pub(crate) async fn again<T, F: Future<Output = Result<T>>>(
    retries: Retries,
    mut ask: impl FnMut() -> F,
) -> Result<T> {
    let mut tries = 0;
    loop {
        match ask().await {
            Err(error) if error.kind().is_transient() && tries < retries.times => {
                tokio::time::sleep(retries.pause(tries)).await;
                tries += 1;
            }
            told => return told,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observer::Silent;
    use gaveta_core::{Account, Owner, Seal, WritePlan};
    use gaveta_testkit::MemoryStore;

    #[tokio::test(start_paused = true)]
    async fn what_was_told_of_a_source_is_as_old_as_the_walk() {
        let store = MemoryStore::new();
        let mut sources = Vec::new();
        for name in ["a", "b"] {
            let path = Path::parse(name).unwrap();
            let plan = WritePlan::new(path.clone(), Owner::of(Account::ADMIN));
            let upload = store.begin(plan).await.unwrap();
            let entry = upload.commit(Seal::default()).await.unwrap();
            sources.push(Source {
                store: Arc::new(store.clone()),
                path: path.clone(),
                to: path,
                entry: Some(entry),
            });
        }
        let (out, mut found) = mpsc::channel(1);
        let observer = Silent;
        let walking = walk(sources, Retries::default(), &observer, out);
        let taking = async {
            let mut news = Vec::new();
            while let Some(Found::File(task)) = found.recv().await {
                news.push(task.news().is_some());
                tokio::time::advance(NEWS).await;
            }
            news
        };
        let ((), news) = tokio::join!(walking, taking);
        assert_eq!(news, [true, false]);
    }
}
