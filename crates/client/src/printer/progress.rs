//! The progress of a transfer: bars for people, events for programs.
//!
//! The transfer's workers only count; one task of ours draws, a few times a second, and only when
//! the transfer takes longer than half a second.

mod drawing;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use gaveta_core::{Entry, Error, ErrorKind, Path};
use gaveta_text::escape;
use gaveta_transfer::{
    Copied, FileId, KEPT, Observer, Outcome as FileOutcome, Restart, Skipped, Why,
};
use gaveta_wire::body::EntryBody;
use indicatif::ProgressBar;
use serde_json::json;
use tokio::task::AbortHandle;

use super::Printer;
use drawing::draw;

type Shower = dyn Fn(&Path) -> String + Send + Sync;

/// How the person names the two ends of each file.
pub struct Names {
    /// For each source, by its path at the target: how it was named.
    sources: HashMap<Path, String>,
    target: Box<Shower>,
}

impl std::fmt::Debug for Names {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Names")
            .field("sources", &self.sources.len())
            .finish_non_exhaustive()
    }
}

impl Names {
    /// `sources`: the path at the target of each, and how it was named; `target`: how a path at
    /// the target is named.
    pub fn new(
        sources: HashMap<Path, String>,
        target: impl Fn(&Path) -> String + Send + Sync + 'static,
    ) -> Self {
        Self {
            sources,
            target: Box::new(target),
        }
    }

    /// The name of the source of what is (to be) at this path of the target. Not escaped.
    pub fn source(&self, to: &Path) -> String {
        let mut above = Some(to.clone());
        while let Some(path) = above {
            if let Some(shown) = self.sources.get(&path) {
                return match to.beneath(&path) {
                    Some(rest) if !rest.is_root() => {
                        let slash = if shown.ends_with('/') { "" } else { "/" };
                        format!("{shown}{slash}{}", rest.as_str())
                    }
                    _ => shown.clone(),
                };
            }
            above = path.parent();
        }
        to.as_str().to_owned()
    }

    /// The name of this path of the target. Not escaped.
    pub fn target(&self, to: &Path) -> String {
        (self.target)(to)
    }
}

#[derive(Debug)]
struct Running {
    name: String,
    size: u64,
    bytes: u64,
    /// So many of them were there before it started.
    before: u64,
    since: Instant,
}

#[derive(Debug, Default)]
struct State {
    running: BTreeMap<FileId, Running>,
    found_files: u64,
    found_bytes: u64,
    found_all: bool,
    done_files: u64,
    done_bytes: u64,
    /// Bytes that were there already: they say nothing of how fast the line is.
    before_bytes: u64,
    /// What is known of how a file went over, until its end is told.
    copied: HashMap<FileId, serde_json::Value>,
    /// What is drawn. It goes under the same lock: a bar that goes while others draw leaves rows
    /// behind, or takes rows away that are not its own.
    bars: Bars,
    /// Nothing may be drawn any more.
    ended: bool,
    /// Files that were under way when all was stopped, or their line was lost.
    stopped: Vec<Stopped>,
}

/// A file that was under way when the transfer was stopped, or its line was lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stopped {
    /// Its path at the target.
    pub to: Path,
    /// Its size in bytes.
    pub size: u64,
    /// So many bytes of it were there.
    pub bytes: u64,
}

#[derive(Debug, Default)]
struct Bars {
    total: Option<ProgressBar>,
    files: BTreeMap<FileId, ProgressBar>,
}

impl State {
    fn bytes(&self) -> u64 {
        self.done_bytes + self.running.values().map(|file| file.bytes).sum::<u64>()
    }
}

/// Hears a transfer, tells programs at once, and draws for people.
#[derive(Debug)]
pub struct Progress {
    printer: Arc<Printer>,
    names: Names,
    state: Arc<Mutex<State>>,
    drawing: Option<AbortHandle>,
}

impl Progress {
    /// Starts to listen; the bars go when it is dropped.
    pub fn start(printer: Arc<Printer>, names: Names) -> Self {
        let state = Arc::new(Mutex::new(State::default()));
        let drawing = printer
            .shows_progress()
            .then(|| tokio::spawn(draw(Arc::clone(&printer), Arc::clone(&state))).abort_handle());
        Self {
            printer,
            names,
            state,
            drawing,
        }
    }

    /// Takes the bars away, for good.
    pub fn end(&self) {
        let Some(drawing) = &self.drawing else {
            return;
        };
        // Whoever draws holds this lock, and looks at it first.
        let mut state = self.lock();
        state.ended = true;
        drawing.abort();
        // The rows go before the bars do: a bar on a hidden target draws nothing when it goes.
        self.printer.hide_bars();
        state.bars = Bars::default();
    }

    /// The files that were under way when the transfer was stopped, or their line was lost.
    pub fn stopped(&self) -> Vec<Stopped> {
        self.lock().stopped.clone()
    }

    /// The names of both ends.
    pub fn names(&self) -> &Names {
        &self.names
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.end();
    }
}

impl Observer for Progress {
    fn found(&self, files: u64, bytes: u64) {
        let mut state = self.lock();
        state.found_files = files;
        state.found_bytes = bytes;
    }

    fn found_all(&self) {
        self.lock().found_all = true;
    }

    fn started(&self, file: FileId, to: &Path, size: u64) {
        let name = if self.drawing.is_some() {
            escape(to.name().unwrap_or_default()).into_owned()
        } else {
            String::new()
        };
        let running = Running {
            name,
            size,
            bytes: 0,
            before: 0,
            since: Instant::now(),
        };
        self.lock().running.insert(file, running);
        self.event("started", to, &[("size", size.into())]);
    }

    fn advanced(&self, file: FileId, bytes: u64) {
        if let Some(running) = self.lock().running.get_mut(&file) {
            running.bytes = bytes;
        }
    }

    fn resumed(&self, file: FileId, to: &Path, bytes: u64) {
        {
            let mut state = self.lock();
            state.before_bytes = state.before_bytes.saturating_add(bytes);
            if let Some(running) = state.running.get_mut(&file) {
                running.bytes = running.bytes.max(bytes);
                running.before = bytes;
                running.since = Instant::now();
            }
        }
        self.event("resumed", to, &[("bytes", bytes.into())]);
    }

    fn restarted(&self, _: FileId, to: &Path, why: Restart) {
        let (key, code) = match why {
            Restart::SourceChanged => ("client-restarted-source", "source-changed"),
            Restart::TargetChanged => ("client-restarted-target", "target-changed"),
            Restart::Forgotten => ("client-restarted-forgotten", "forgotten"),
        };
        let name = escape(&self.names.source(to)).into_owned();
        let text = self.printer.text();
        self.printer.note(&text.say(key, &[("name", name.into())]));
        self.event("restarted", to, &[("why", code.into())]);
    }

    fn copied(&self, file: FileId, _: &Path, copied: &Copied) {
        if self.printer.is_json() {
            let told = json!({
                "sent": copied.sent,
                "resumed": copied.resumed,
                "equal": copied.equal,
                "again": copied.again,
                "replaced": copied.replaced,
            });
            self.lock().copied.insert(file, told);
        }
    }

    fn retrying(&self, _: FileId, to: &Path, error: &Error) {
        let text = self.printer.text();
        self.printer.note(&text.say(
            "client-retrying",
            &[
                ("name", escape(&self.names.source(to)).into_owned().into()),
                ("why", text.kind(error.kind()).into()),
            ],
        ));
        self.event("retrying", to, &[("code", error.kind().code().into())]);
    }

    fn finished(&self, file: FileId, to: &Path, outcome: FileOutcome<'_>) {
        let copied = {
            let mut state = self.lock();
            let running = state.running.remove(&file);
            let was_cut = match &outcome {
                FileOutcome::Cancelled => true,
                FileOutcome::Failed(error) => {
                    matches!(error.kind(), ErrorKind::Disconnected | ErrorKind::TimedOut)
                }
                FileOutcome::Done(_) | FileOutcome::Planned | FileOutcome::Skipped(_) => false,
            };
            if let Some(running) = running
                && was_cut
                && state.stopped.len() < KEPT
            {
                state.stopped.push(Stopped {
                    to: to.clone(),
                    size: running.size,
                    bytes: running.bytes,
                });
            }
            state.done_files += 1;
            if let FileOutcome::Done(entry) = &outcome {
                state.done_bytes += entry.size;
            }
            state.copied.remove(&file)
        };
        match outcome {
            FileOutcome::Done(entry) => self.done(to, entry, copied),
            FileOutcome::Planned => self.planned(to),
            FileOutcome::Skipped(why) => self.left_out(to, why),
            // Failures are named at the end, all in one place.
            FileOutcome::Failed(_) | FileOutcome::Cancelled => {}
        }
    }

    fn folder(&self, to: &Path) {
        self.event("folder", to, &[]);
    }

    fn skipped(&self, skipped: &Skipped) {
        // Its path is the one in the source; the person gets the words of the command line where
        // only one source can hold it.
        let name = match &skipped.why {
            Why::Unnameable(shown) => format!("{}/{shown}", skipped.path.as_str()),
            Why::Link | Why::Special | Why::Exists | Why::Same => skipped.path.as_str().to_owned(),
        };
        self.tell_left_out(&name, &skipped.why);
    }
}

impl Progress {
    fn event(&self, what: &str, to: &Path, more: &[(&str, serde_json::Value)]) {
        if !self.printer.is_json() {
            return;
        }
        let mut object = json!({
            "type": what,
            "path": self.names.source(to),
            "to": self.names.target(to),
        });
        if let Some(map) = object.as_object_mut() {
            map.extend(
                more.iter()
                    .map(|(key, value)| ((*key).to_owned(), value.clone())),
            );
        }
        // Who no longer reads the events does not stop the transfer: the work goes on.
        let _ = self.printer.json(&object);
    }

    fn done(&self, to: &Path, entry: &Entry, copied: Option<serde_json::Value>) {
        if self.printer.is_json() {
            let entry = serde_json::to_value(EntryBody::from(entry)).unwrap_or_default();
            let copied = copied.unwrap_or_default();
            self.event("finished", to, &[("entry", entry), ("copied", copied)]);
        }
    }

    fn planned(&self, to: &Path) {
        self.event("planned", to, &[]);
        if !self.printer.is_json() {
            let safe = |name: String| escape(&name).into_owned();
            let _ = self.printer.line(&format!(
                "{} → {}",
                safe(self.names.source(to)),
                safe(self.names.target(to))
            ));
        }
    }

    fn left_out(&self, to: &Path, why: &Why) {
        self.tell_left_out(&self.names.source(to), why);
    }

    fn tell_left_out(&self, name: &str, why: &Why) {
        let (key, code) = match why {
            Why::Link => ("client-skipped-link", "link"),
            Why::Special => ("client-skipped-special", "special"),
            Why::Unnameable(_) => ("client-skipped-unnameable", "unnameable"),
            Why::Exists => ("client-skipped-exists", "exists"),
            Why::Same => ("client-skipped-same", "same"),
        };
        let line = self
            .printer
            .text()
            .say(key, &[("name", escape(name).into_owned().into())]);
        let object = json!({"type": "skipped", "path": name, "why": code});
        // That all is well already is told in the summary alone: there may be very many.
        let _ = if *why == Why::Same {
            self.printer.json(&object)
        } else {
            self.printer.warn(&line, &object)
        };
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ends_are_named_as_the_person_named_them() {
        let path = |text: &str| Path::parse(text).unwrap();
        let sources = HashMap::from([
            (path("in/a"), "../x/a".to_owned()),
            (path("in/d"), "/".to_owned()),
        ]);
        let names = Names::new(sources, |to| format!("h{to}"));
        assert_eq!(names.source(&path("in/a")), "../x/a");
        assert_eq!(names.source(&path("in/a/b/c")), "../x/a/b/c");
        assert_eq!(names.source(&path("in/d/b")), "/b");
        assert_eq!(names.source(&path("other")), "other");
        assert_eq!(names.target(&path("in/a")), "h/in/a");
    }
}
