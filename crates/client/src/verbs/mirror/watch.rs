//! `--watch`: after the first mirroring, only what changes is compared again.
//!
//! Upwards the system tells of changes, downwards the server's session does (which knows what
//! happens through the server, not what other programs do to its folder). Whoever loses track, by
//! too many changes or a lost line, compares everything again.

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path as OsPath, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use gaveta_core::{Error, ErrorKind, Event, EventKind, Path};
use gaveta_wire::session::Call;
use notify::event::{AccessKind, AccessMode, CreateKind, ModifyKind, RenameMode};
use notify::{EventKind as Seen, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;

use super::sides::{Sides, Way};
use super::{Mirror, Scope};
use crate::drawer::Drawer;
use crate::exclude::Excludes;
use crate::fault::{Ended, Fault, Outcome, Sentence};
use crate::remote::{Notices, Session, Told};
use crate::verbs::Context;

/// Nothing may have changed for so long before it is looked at: who writes a file writes on.
const QUIET: Duration = Duration::from_millis(400);
/// It is looked at after so long even if changes never stop.
const LONGEST: Duration = Duration::from_secs(5);
/// The pause after a failure: the first, and the longest.
const PAUSE: Duration = Duration::from_secs(2);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// So many changes wait to be looked at, and so many folders; what comes beyond is not told one by
/// one.
const WAITING: usize = 4096;
const FOLDERS: usize = 512;

/// Something changed.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Change {
    /// At this path within the mirror; a folder that is new there may hold things already.
    At { path: Path, folder: bool },
    /// Somewhere.
    Anything,
}

/// What must be compared again.
#[derive(Debug, Default)]
struct Dirty {
    everything: bool,
    /// By folder: also what lies deeper?
    folders: BTreeMap<Path, bool>,
}

impl Dirty {
    fn add(&mut self, change: Change, exclude: &Excludes) {
        match change {
            Change::Anything => self.everything = true,
            Change::At { path, folder } if exclude.covers(&path, folder) => {}
            Change::At { path, folder } => {
                match path.parent() {
                    Some(above) => self.scope(Scope {
                        folder: above,
                        deep: false,
                    }),
                    None => self.everything = true,
                }
                if folder {
                    self.scope(Scope {
                        folder: path,
                        deep: true,
                    });
                }
            }
        }
    }

    fn scope(&mut self, scope: Scope) {
        *self.folders.entry(scope.folder).or_default() |= scope.deep;
        self.everything |= self.folders.len() > FOLDERS;
    }

    /// What could not be mirrored, and what was, instead of it: where that is a folder above, new
    /// folders that are there by half are no longer new.
    fn again(&mut self, scope: Scope, near: Option<Scope>) {
        let scope = match near {
            Some(near) if near.folder != scope.folder => Scope { deep: true, ..near },
            Some(_) | None => scope,
        };
        if scope.folder.is_root() && scope.deep {
            self.everything = true;
        } else {
            self.scope(scope);
        }
    }

    /// All of it, nothing twice, what is above before what is below.
    fn take(&mut self) -> Vec<Scope> {
        let folders = std::mem::take(&mut self.folders);
        if std::mem::take(&mut self.everything) {
            return vec![Scope::everything()];
        }
        let mut scopes: Vec<Scope> = Vec::new();
        for (folder, deep) in folders {
            let covered = |scope: &Scope| scope.deep && scope.folder.holds(&folder);
            if !scopes.iter().any(covered) {
                scopes.push(Scope { folder, deep });
            }
        }
        scopes
    }
}

impl Mirror {
    /// Mirrors everything, then what changes, until Ctrl-C: which is how it ends well, once
    /// everything was mirrored.
    pub(super) async fn keep_going(
        &self,
        context: &Context,
        sides: &Sides,
        exclude: &Arc<Excludes>,
        consent: bool,
    ) -> Outcome<Ended> {
        let mut first = true;
        match self
            .follow(context, sides, exclude, consent, &mut first)
            .await
        {
            Err(Fault::Interrupted) if !first => Ok(Ended::Done),
            ended => ended,
        }
    }

    async fn follow(
        &self,
        context: &Context,
        sides: &Sides,
        exclude: &Arc<Excludes>,
        mut consent: bool,
        first: &mut bool,
    ) -> Outcome<Ended> {
        // First listen, then look: so nothing falls between.
        let mut changes = context.stoppable(Changes::start(context, sides)).await?;
        let mut dirty = Dirty {
            everything: true,
            ..Dirty::default()
        };
        let mut pause = PAUSE;
        loop {
            let mut failed = false;
            for scope in dirty.take() {
                let mut near = None;
                let mirroring = async {
                    let found = context.stoppable(nearest(sides, &scope)).await?;
                    let near = near.insert(found);
                    self.mirror(context, sides, exclude, near, &mut consent)
                        .await
                };
                let mirrored = match mirroring.await {
                    // The line was cut in the middle: what is left comes once it is back.
                    Err(fault) if !*first && fault.kind().is_some_and(ErrorKind::is_transient) => {
                        context.printer.fault(&fault)?;
                        failed = true;
                        dirty.again(scope, near);
                        continue;
                    }
                    mirrored => mirrored?,
                };
                if *first || mirrored.is_news() {
                    self.tell(context, &mirrored)?;
                }
                if mirrored.summary.cancelled {
                    return Err(Fault::Interrupted);
                }
                if mirrored.tally.count > 0 {
                    failed = true;
                    dirty.again(scope, near);
                }
            }
            if *first {
                let line = Sentence::new("client-watching")
                    .with("name", sides.show_source(&sides.source().path));
                context.printer.note(&line.say(context.text()));
                context
                    .printer
                    .json(&serde_json::json!({"type": "watching"}))?;
                *first = false;
            }
            let waited = async {
                let again = tokio::time::sleep(pause);
                tokio::select! {
                    change = changes.next() => dirty.add(change?, exclude),
                    () = again, if failed => {}
                }
                settle(&mut changes, &mut dirty, exclude).await
            };
            tokio::select! {
                waited = waited => waited?,
                () = context.cancel.cancelled() => return Ok(Ended::Done),
            }
            pause = if failed {
                pause.saturating_mul(2).min(LONGEST_PAUSE)
            } else {
                PAUSE
            };
        }
    }
}

/// Takes what follows at once, until nothing more does.
async fn settle(changes: &mut Changes, dirty: &mut Dirty, exclude: &Excludes) -> Outcome {
    let since = Instant::now();
    while since.elapsed() < LONGEST {
        match tokio::time::timeout(QUIET, changes.next()).await {
            Ok(change) => dirty.add(change?, exclude),
            Err(_) => break,
        }
    }
    Ok(())
}

/// The scope, or the nearest folder above it that both sides have. Where a side cannot say what is
/// there, what is mirrored will tell why.
///
/// # Errors
/// Those that pass by themselves: then nothing is known.
async fn nearest(sides: &Sides, scope: &Scope) -> Outcome<Scope> {
    let (source, target) = (sides.source(), sides.target());
    let mut at = scope.folder.clone();
    while let Some(above) = at.parent() {
        let mut both = true;
        for side in [&source, &target] {
            both &= match side.store.stat(&side.path.join_path(&at)?).await {
                Ok(entry) => entry.is_folder(),
                Err(error) => match error.kind() {
                    ErrorKind::NotFound | ErrorKind::NotFolder | ErrorKind::NotRegular => false,
                    kind if kind.is_transient() => return Err(error.into()),
                    _ => true,
                },
            };
        }
        if both {
            break;
        }
        at = above;
    }
    Ok(Scope {
        deep: scope.deep && at == scope.folder,
        folder: at,
    })
}

/// Who tells of changes.
enum Changes {
    Here(Here),
    There(Box<There>),
}

impl Changes {
    async fn start(context: &Context, sides: &Sides) -> Outcome<Self> {
        match sides.way {
            Way::Up => Here::start(sides.place.folder()).map(Self::Here),
            Way::Down => {
                let mut there = There {
                    context: context.clone(),
                    drawer: sides.drawer.clone(),
                    folder: sides.far.clone(),
                    line: None,
                    told: VecDeque::new(),
                    pause: Duration::ZERO,
                };
                there.line = Some(there.connect().await?);
                Ok(Self::There(Box::new(there)))
            }
        }
    }

    /// The next change. Cancel-safe.
    async fn next(&mut self) -> Outcome<Change> {
        match self {
            Self::Here(here) => here.next().await,
            Self::There(there) => Ok(there.next().await),
        }
    }
}

/// The system tells of changes beneath a folder.
struct Here {
    _watcher: RecommendedWatcher,
    told: mpsc::Receiver<Change>,
    /// Some changes were not told.
    lost: Arc<AtomicBool>,
}

impl Here {
    fn start(folder: &OsPath) -> Outcome<Self> {
        let shown = folder.to_string_lossy().into_owned();
        let failed = |why: String| {
            let sentence = Sentence::new("client-watch-failed");
            Fault::Said(
                ErrorKind::Io,
                sentence.with("name", &shown).with("why", why),
            )
        };
        let root = std::fs::canonicalize(folder).map_err(|error| failed(error.to_string()))?;
        let (tell, told) = mpsc::channel(WAITING);
        let lost = Arc::new(AtomicBool::new(false));
        let mut hearing = Hearing {
            root: root.clone(),
            tell,
            lost: Arc::clone(&lost),
        };
        let mut watcher = notify::recommended_watcher(move |event| hearing.hear(event))
            .map_err(|error| failed(error.to_string()))?;
        watcher
            .watch(&root, RecursiveMode::Recursive)
            .map_err(|error| failed(error.to_string()))?;
        Ok(Self {
            _watcher: watcher,
            told,
            lost,
        })
    }

    async fn next(&mut self) -> Outcome<Change> {
        let told = self.told.recv().await;
        if self.lost.swap(false, Ordering::Relaxed) {
            return Ok(Change::Anything);
        }
        // The watcher lives as long as we do; were it gone, nothing would ever be told again.
        told.ok_or_else(|| Error::new(ErrorKind::Io).into())
    }
}

/// Runs in the watcher's thread, and never waits.
struct Hearing {
    root: PathBuf,
    tell: mpsc::Sender<Change>,
    lost: Arc<AtomicBool>,
}

impl Hearing {
    fn hear(&mut self, event: notify::Result<notify::Event>) {
        match event {
            Ok(event) if event.need_rescan() => self.tell(Change::Anything),
            Ok(event) => {
                let Some(folder) = changes_something(&event.kind) else {
                    return;
                };
                for path in &event.paths {
                    if let Some(path) = relative(&self.root, path) {
                        // What is gone by now is no folder either.
                        let folder = folder && self.root.join(path.as_str()).is_dir();
                        self.tell(Change::At { path, folder });
                    }
                }
            }
            Err(_) => self.tell(Change::Anything),
        }
    }

    fn tell(&self, change: Change) {
        if self.tell.try_send(change).is_err() {
            self.lost.store(true, Ordering::Relaxed);
        }
    }
}

/// Does this event mean a change, and may it have brought a folder? Reading is none: we read.
fn changes_something(seen: &Seen) -> Option<bool> {
    match seen {
        Seen::Access(AccessKind::Close(AccessMode::Write)) => Some(false),
        Seen::Access(_) => None,
        Seen::Create(CreateKind::File) => Some(false),
        Seen::Create(_) => Some(true),
        Seen::Modify(ModifyKind::Name(RenameMode::From)) => Some(false),
        Seen::Modify(ModifyKind::Name(_)) => Some(true),
        Seen::Modify(_) | Seen::Remove(_) => Some(false),
        Seen::Any | Seen::Other => Some(true),
    }
}

/// The path within the mirror; none for a name no drawer can hold.
fn relative(root: &OsPath, path: &OsPath) -> Option<Path> {
    let rest = path.strip_prefix(root).ok()?;
    Path::parse(rest.to_str()?).ok()
}

/// The server tells of changes beneath a folder.
struct There {
    context: Context,
    drawer: Drawer,
    folder: Path,
    line: Option<(Session, Notices)>,
    told: VecDeque<Change>,
    /// Before the next try to get the line back.
    pause: Duration,
}

impl There {
    async fn connect(&self) -> Outcome<(Session, Notices)> {
        let (session, notices) = self.drawer.remote.session().await?;
        let path = self.folder.as_str().to_owned();
        session.ask(Call::Watch { path }).await?;
        Ok((session, notices))
    }

    async fn next(&mut self) -> Change {
        loop {
            if let Some(change) = self.told.pop_front() {
                return change;
            }
            let Some((_, notices)) = &mut self.line else {
                tokio::time::sleep(self.pause).await;
                match self.connect().await {
                    Ok(line) => {
                        self.line = Some(line);
                        self.pause = Duration::ZERO;
                        self.note("client-watch-again");
                        // Nobody told what happened meanwhile.
                        return Change::Anything;
                    }
                    Err(_) => self.pause = (self.pause * 2).clamp(PAUSE, LONGEST_PAUSE),
                }
                continue;
            };
            match notices.next().await {
                Some(Ok(Told::Event(event))) => self.told.extend(changes(&event, &self.folder)),
                Some(Ok(Told::Missed(_))) => return Change::Anything,
                Some(Ok(Told::Closing(_))) => {}
                Some(Err(_)) | None => {
                    self.line = None;
                    self.note("client-watch-lost");
                }
            }
        }
    }

    fn note(&self, key: &'static str) {
        let server = self.drawer.show(&Path::root());
        let line = Sentence::new(key).with("server", server);
        self.context.printer.note(&line.say(self.context.text()));
    }
}

/// What an event means within this folder.
fn changes(event: &Event, folder: &Path) -> Vec<Change> {
    let at = |path: &Path, entry: Option<&gaveta_core::Entry>| match path.beneath(folder) {
        Some(path) if !path.is_root() => Some(Change::At {
            path,
            folder: entry.is_some_and(gaveta_core::Entry::is_folder),
        }),
        Some(_) => Some(Change::Anything),
        // The folder itself went or came with one above it.
        None => path.holds(folder).then_some(Change::Anything),
    };
    let both = match &event.kind {
        EventKind::Created(entry) => [at(&event.path, Some(entry)), None],
        EventKind::Changed(_) | EventKind::Deleted => [at(&event.path, None), None],
        EventKind::Renamed(entry) => [at(&event.path, None), at(&entry.path, Some(entry))],
    };
    both.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(path: &str, folder: bool) -> Change {
        Change::At {
            path: Path::parse(path).unwrap(),
            folder,
        }
    }

    fn taken(changes: Vec<Change>, exclude: &[&str]) -> Vec<(String, bool)> {
        let exclude: Vec<_> = exclude.iter().map(|text| (*text).to_owned()).collect();
        let exclude = Excludes::parse(&exclude).unwrap();
        let mut dirty = Dirty::default();
        for change in changes {
            dirty.add(change, &exclude);
        }
        let scopes = dirty.take();
        assert!(dirty.take().is_empty());
        scopes
            .into_iter()
            .map(|scope| (scope.folder.as_str().to_owned(), scope.deep))
            .collect()
    }

    #[test]
    fn what_changed_is_compared_once() {
        let folder = |path: &str, deep| (path.to_owned(), deep);
        assert_eq!(
            taken(
                vec![at("a/x", false), at("a/y", false), at("b", false)],
                &[]
            ),
            [folder("", false), folder("a", false)]
        );
        assert_eq!(
            taken(vec![at("a/d", true), at("a/d/e/f", false)], &[]),
            [folder("a", false), folder("a/d", true)]
        );
        assert_eq!(
            taken(vec![at("a/x", false), Change::Anything], &[]),
            [folder("", true)]
        );
        assert_eq!(
            taken(vec![at("a/x.o", false), at("t/y", false)], &["*.o", "t/"]),
            []
        );
        let many = (0..=FOLDERS).map(|n| at(&format!("{n}/x"), false));
        assert_eq!(taken(many.collect(), &[]), [folder("", true)]);
    }

    #[test]
    fn reading_is_no_change() {
        use notify::event::DataChange;
        for (seen, expected) in [
            (Seen::Access(AccessKind::Open(AccessMode::Any)), None),
            (Seen::Access(AccessKind::Close(AccessMode::Read)), None),
            (
                Seen::Access(AccessKind::Close(AccessMode::Write)),
                Some(false),
            ),
            (Seen::Create(CreateKind::Folder), Some(true)),
            (Seen::Modify(ModifyKind::Data(DataChange::Any)), Some(false)),
            (Seen::Any, Some(true)),
        ] {
            assert_eq!(changes_something(&seen), expected, "{seen:?}");
        }
    }

    #[test]
    fn events_are_told_within_the_mirrored_folder() {
        let path = |text: &str| Path::parse(text).unwrap();
        let event = |text: &str| Event {
            path: path(text),
            kind: EventKind::Deleted,
            by: "admin".to_owned(),
        };
        for (event_at, expected) in [
            ("d/m/x", vec![at("x", false)]),
            ("d/m", vec![Change::Anything]),
            ("d", vec![Change::Anything]),
            ("d/other", vec![]),
        ] {
            assert_eq!(
                changes(&event(event_at), &path("d/m")),
                expected,
                "{event_at}"
            );
        }
    }

    #[tokio::test]
    async fn the_system_tells_of_changes() {
        let home = tempfile::tempdir().unwrap();
        let mut here = Here::start(home.path()).unwrap();
        std::fs::create_dir(home.path().join("d")).unwrap();
        std::fs::write(home.path().join("f"), "x").unwrap();
        let mut heard = Vec::new();
        while !(heard.contains(&at("d", true)) && heard.contains(&at("f", false))) {
            heard.push(here.next().await.unwrap());
        }
    }
}
