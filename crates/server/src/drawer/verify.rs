//! Reading everything again.
//!
//! The files go first, folder by folder in the order of their names, so that one path says how far
//! it is and it can go on there after a restart; then the trash, and what lies within the folders in
//! it in the same way; then what lies in the store's own place and belongs to nobody.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures_util::{StreamExt, TryStreamExt};
use gaveta_core::listing::MAX_PAGE;
use gaveta_core::verify::MAX_FINDINGS;
use gaveta_core::{
    Cursor, Entry, Error, ErrorKind, Examined, Finding, FindingKind, Health, ListPlan, Listed,
    OrderBy, Path, Result, Store, TrashId, TrashPlan, Trashed, Upkeep, VerifyState,
};
use gaveta_wire::trash::VerifyBody;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

/// The most entries of folders that are held at once.
const HELD: usize = 50_000;
/// How often is written down how far it is.
const MARK_EVERY: Duration = Duration::from_secs(5);
/// How many findings of a lesser kind are told.
const SOME: u64 = 200;
/// How many earlier versions are read to find a sound one.
const VERSIONS: usize = 20;
/// How many findings are written down.
const MARKED: usize = 200;

/// How far it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Place {
    /// All up to this path is read.
    Files(Option<String>),
    /// The files are read, and the trash up to this id.
    Trash(Option<String>),
    /// As well as what lies within the next, a folder, up to this path.
    Within(String, String),
    /// All is read.
    Done,
}

/// What is written down.
#[derive(Debug, Serialize, Deserialize)]
struct Mark {
    place: Place,
    state: VerifyBody,
}

/// One reading of everything.
#[derive(Debug)]
pub struct Verification {
    store: Arc<dyn Store>,
    upkeep: Arc<dyn Upkeep>,
    /// Rests as much as it works.
    gentle: bool,
    place: Place,
    /// How far it is, and what it counted.
    pub state: VerifyState,
    /// What it found.
    pub findings: Vec<Finding>,
    marked: Instant,
}

/// A folder that is being read.
struct Level {
    folder: Path,
    page: VecDeque<Entry>,
    after: Option<Cursor>,
    /// There is nothing after the page.
    last: bool,
}

impl Verification {
    /// A new one.
    ///
    /// # Errors
    /// `Unsupported` for a store that cannot be looked after from here.
    pub fn new(store: Arc<dyn Store>, gentle: bool) -> Result<Self> {
        let none = || Error::new(ErrorKind::Unsupported);
        let upkeep = store.upkeep().ok_or_else(none)?;
        let state = VerifyState {
            began: Some(SystemTime::now()),
            ..VerifyState::default()
        };
        Ok(Self {
            store,
            upkeep,
            gentle,
            place: Place::Files(None),
            state,
            findings: Vec::new(),
            marked: Instant::now(),
        })
    }

    /// The last one, as far as it is written down: ended, or to be gone on with. None when there
    /// was none, or nothing sensible is written.
    pub async fn last(store: Arc<dyn Store>, gentle: bool) -> Result<Option<Self>> {
        let mut this = Self::new(store, gentle)?;
        let Some(bytes) = this.upkeep.mark().await? else {
            return Ok(None);
        };
        let Ok(mark) = serde_json::from_slice::<Mark>(&bytes) else {
            return Ok(None);
        };
        let Ok((state, findings)) = mark.state.parse() else {
            return Ok(None);
        };
        this.place = mark.place;
        this.state = VerifyState {
            running: false,
            ..state
        };
        this.findings = findings;
        Ok(Some(this))
    }

    /// Has it come to its end?
    pub fn is_over(&self) -> bool {
        self.place == Place::Done
    }

    /// Reads on until the end, or until `tell`, which is called after each file, says no. Cancel-safe:
    /// what was read since it was last written down is read again.
    ///
    /// # Errors
    /// Those of listing a folder that is there, of the trash, and of writing down.
    pub async fn run(&mut self, tell: &mut (dyn FnMut(&Self) -> bool + Send)) -> Result<()> {
        self.state.running = true;
        let ended = self.read_on(tell).await;
        self.state.running = false;
        let marked = self.keep_mark().await;
        tell(self);
        ended.and(marked)
    }

    async fn read_on(&mut self, tell: &mut (dyn FnMut(&Self) -> bool + Send)) -> Result<()> {
        if let Place::Files(at) = &self.place {
            let at = at.as_deref().map(Path::parse).transpose()?;
            if !self.files(&Path::root(), None, at, tell).await? {
                return Ok(());
            }
            self.place = Place::Trash(None);
        }
        if self.place != Place::Done {
            if !self.trash(tell).await? {
                return Ok(());
            }
            let (strays, count) = self.upkeep.strays(SOME as usize).await?;
            self.state.strays = count;
            for stray in strays {
                self.find(FindingKind::Stray, stray.shown, None, None);
            }
            self.place = Place::Done;
            self.state.at = None;
            self.state.ended = Some(SystemTime::now());
        }
        Ok(())
    }

    /// Reads the files beneath this folder, after this path; of a folder in the trash, when an id is
    /// given. False: it was told to stop.
    async fn files(
        &mut self,
        top: &Path,
        of: Option<&TrashId>,
        after: Option<Path>,
        tell: &mut (dyn FnMut(&Self) -> bool + Send),
    ) -> Result<bool> {
        let mut levels = levels_after(top, after.as_ref())?;
        while let Some(level) = levels.last_mut() {
            let Some(entry) = level.page.pop_front() else {
                if level.last || !self.next_page(of, level).await? {
                    levels.pop();
                }
                continue;
            };
            level.after = Some(Cursor::of(&entry, by_name()));
            if entry.is_folder() {
                levels.push(Level::new(entry.path));
                let_go(&mut levels);
                continue;
            }
            let at = entry.path.as_str().to_owned();
            match of {
                Some(id) => {
                    if entry.is_file() {
                        self.trashed_file(id, &entry.path).await;
                    }
                    self.place = Place::Within(id.to_string(), at);
                }
                None => {
                    if entry.is_file() {
                        self.file(&entry.path).await;
                    }
                    self.place = Place::Files(Some(at));
                }
            }
            self.state.at = Some(entry.path);
            if !self.go_on(tell).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Reads the next page of a folder. False: there is none, or the folder is gone.
    async fn next_page(&self, of: Option<&TrashId>, level: &mut Level) -> Result<bool> {
        let plan = ListPlan {
            after: level.after.clone(),
            ..ListPlan::sorted(OrderBy::Name, false)
        };
        let listing = match of {
            None => self.store.list(&level.folder, plan).await,
            Some(id) => self.upkeep.list_trashed(id, &level.folder, plan).await,
        };
        let listing = match listing {
            Ok(listing) => listing,
            // Deleted, or closed to us: what cannot be listed was not served either.
            Err(error) if is_gone(&error) || error.kind() == ErrorKind::Permission => {
                return Ok(false);
            }
            Err(error) => return Err(error),
        };
        let mut listing = listing;
        while let Some(listed) = listing.next().await {
            match listed {
                Ok(Listed::Entry(entry)) => level.page.push_back(entry),
                Ok(Listed::Unnameable { .. }) => {}
                Err(error) if is_gone(&error) => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        level.last = level.page.len() < MAX_PAGE;
        Ok(!level.page.is_empty())
    }

    async fn file(&mut self, path: &Path) {
        let examined = match self.upkeep.examine(path, self.gentle).await {
            // It was changed while it was read.
            Err(error) if error.kind() == ErrorKind::VersionMismatch => {
                self.upkeep.examine(path, self.gentle).await
            }
            examined => examined,
        };
        let better = match &examined {
            Ok(examined) if examined.health() == Health::Rotten => self.better(path).await,
            _ => None,
        };
        self.count(path, None, examined, better);
    }

    /// A sound earlier version of what is at this path, the newest.
    async fn better(&self, path: &Path) -> Option<TrashId> {
        let plan = TrashPlan {
            path: Some(path.clone()),
            exact: true,
            ..TrashPlan::default()
        };
        let versions = self.store.trash()?.trashed(plan).await.ok()?;
        let versions: Vec<Trashed> = versions.take(VERSIONS).try_collect().await.ok()?;
        for one in versions {
            let examined = self
                .upkeep
                .examine_trashed(&one.id, &one.entry.path, self.gentle);
            if let Ok(examined) = examined.await
                && examined.health() == Health::Sound
            {
                return Some(one.id);
            }
        }
        None
    }

    async fn trashed_file(&mut self, id: &TrashId, path: &Path) {
        let examined = self.upkeep.examine_trashed(id, path, self.gentle).await;
        self.count(path, Some(id), examined, None);
    }

    /// Reads what is left of the trash. False: it was told to stop.
    async fn trash(&mut self, tell: &mut (dyn FnMut(&Self) -> bool + Send)) -> Result<bool> {
        let Some(trash) = self.store.trash() else {
            return Ok(true);
        };
        let mut begun = None;
        let after = match &self.place {
            Place::Trash(Some(id)) => Some(TrashId::parse(id)?),
            Place::Within(id, at) => {
                let id = TrashId::parse(id)?;
                let after = id.successor();
                begun = Some((id, Path::parse(at)?));
                after
            }
            Place::Trash(None) | Place::Files(_) | Place::Done => None,
        };
        let plan = TrashPlan {
            after,
            ..TrashPlan::default()
        };
        let mut all = trash.trashed(plan).await?;
        while let Some(one) = all.next().await {
            let one = one?;
            if one.entry.is_file() {
                self.trashed_file(&one.id, &one.entry.path).await;
            }
            if one.entry.is_folder() {
                let begun = begun.take().filter(|(id, _)| *id == one.id);
                let after = begun.map(|(_, at)| at);
                if !self
                    .files(&one.entry.path, Some(&one.id), after, tell)
                    .await?
                {
                    return Ok(false);
                }
            }
            self.place = Place::Trash(Some(one.id.to_string()));
            self.state.at = Some(one.entry.path);
            if !self.go_on(tell).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn count(
        &mut self,
        path: &Path,
        trashed: Option<&TrashId>,
        examined: Result<Examined>,
        better: Option<TrashId>,
    ) {
        let kind = match &examined {
            // Gone, or not a file any more, or changed all the time: nothing to say about it.
            Err(error) if is_gone(error) => return,
            Err(error) => {
                let why = gaveta_text::escape(&error.chain()).into_owned();
                tracing::warn!(target: "gaveta::verify", why, "a file cannot be read");
                self.state.unreadable += 1;
                Some(FindingKind::Unreadable)
            }
            Ok(examined) => {
                self.state.bytes = self.state.bytes.saturating_add(examined.entry.size);
                match examined.health() {
                    Health::Sound => {
                        self.state.sound += 1;
                        None
                    }
                    Health::Changed => {
                        self.state.changed += 1;
                        (self.state.changed <= SOME).then_some(FindingKind::Changed)
                    }
                    Health::Undigested => {
                        self.state.undigested += 1;
                        (self.state.undigested <= SOME).then_some(FindingKind::Undigested)
                    }
                    Health::Rotten => {
                        self.state.rotten += 1;
                        let path = gaveta_text::escape(path.as_str()).into_owned();
                        tracing::warn!(target: "gaveta::verify", path, "a file lost its content");
                        Some(FindingKind::Rotten)
                    }
                }
            }
        };
        self.state.files += 1;
        if let Some(kind) = kind {
            self.find(kind, path.as_str().to_owned(), trashed.cloned(), better);
        }
    }

    fn find(
        &mut self,
        kind: FindingKind,
        path: String,
        trashed: Option<TrashId>,
        better: Option<TrashId>,
    ) {
        if self.findings.len() < MAX_FINDINGS {
            self.findings.push(Finding {
                kind,
                path,
                trashed,
                better,
            });
            self.state.findings = self.findings.len() as u64;
        }
    }

    async fn go_on(&mut self, tell: &mut (dyn FnMut(&Self) -> bool + Send)) -> Result<bool> {
        if self.marked.elapsed() >= MARK_EVERY {
            self.marked = Instant::now();
            self.keep_mark().await?;
        }
        Ok(tell(self))
    }

    async fn keep_mark(&self) -> Result<()> {
        // The worst come first, should they be more than can be written down.
        let mut worst: Vec<_> = self.findings.clone();
        worst.sort_by_key(|finding| finding.kind);
        worst.truncate(MARKED);
        let told = VerifyState {
            findings: worst.len() as u64,
            ..self.state.clone()
        };
        let mark = Mark {
            place: self.place.clone(),
            state: VerifyBody::new(&told, &worst),
        };
        let bytes =
            serde_json::to_vec(&mark).map_err(|error| Error::new(ErrorKind::Io).because(error))?;
        self.upkeep.keep_mark(&bytes).await
    }
}

impl Level {
    fn new(folder: Path) -> Self {
        Self {
            folder,
            page: VecDeque::new(),
            after: None,
            last: false,
        }
    }
}

fn by_name() -> gaveta_core::Order {
    gaveta_core::Order {
        by: OrderBy::Name,
        descending: false,
    }
}

/// The folders on the way from `top` to this path, each to be read after the name on the way.
fn levels_after(top: &Path, path: Option<&Path>) -> Result<Vec<Level>> {
    let mut levels = vec![Level::new(top.clone())];
    let Some(path) = path.and_then(|path| path.beneath(top)) else {
        return Ok(levels);
    };
    let mut at = top.clone();
    for name in path.names() {
        if let Some(level) = levels.last_mut() {
            level.after = Some(Cursor::parse(&format!("0:{name}"))?);
        }
        at = at.join(name)?;
        levels.push(Level::new(at.clone()));
    }
    // The path itself is a file, and read.
    levels.pop();
    Ok(levels)
}

/// Lets pages of outer folders go when all hold too much; they are read again then.
fn let_go(levels: &mut [Level]) {
    let mut held: usize = levels.iter().map(|level| level.page.len()).sum();
    for level in levels {
        if held <= HELD {
            return;
        }
        held -= level.page.len();
        level.page = VecDeque::new();
        level.last = false;
    }
}

fn is_gone(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::NotFound
            | ErrorKind::NotFolder
            | ErrorKind::IsFolder
            | ErrorKind::NotRegular
            | ErrorKind::VersionMismatch
    )
}

#[cfg(test)]
mod tests;
