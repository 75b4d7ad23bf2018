//! The session beside the requests: what others do, and what becomes of the server. It is taken up
//! again by itself.

use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use gaveta_core::{Account, Error, ErrorKind, Event, EventKind, Path};
use gaveta_text::escape;
use gaveta_transfer::Cancel;
use gaveta_wire::session::Call;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::here::Here;
use crate::drawer::not_ours;
use crate::printer::Printer;
use crate::remote::{Notices, Session, Told};
use crate::terminal;

/// The first wait before the line is tried again; it doubles, up to the second.
const FIRST_WAIT: Duration = Duration::from_millis(250);
const LONGEST_WAIT: Duration = Duration::from_secs(15);
/// Events are told together after so long: at once when it was quiet, else more seldom.
const SOON: Duration = Duration::from_millis(250);
const SELDOM: Duration = Duration::from_secs(3);
/// So many events are told one by one; the others are counted.
const TOLD: usize = 3;
/// How long a goodbye may take.
const GOODBYE: Duration = Duration::from_millis(300);

/// Where the person's eyes are.
#[derive(Debug, Clone)]
pub(super) enum Stage {
    /// A command runs; the printer owns the terminal.
    Command,
    /// At the editor's prompt; what is told stands above it.
    Editor(SyncSender<String>),
    /// At a plain prompt, which is put again.
    Prompt(String),
}

/// Tells what nobody asked for, without getting in the way of what is being typed.
#[derive(Debug)]
pub(super) struct Teller {
    printer: Arc<Printer>,
    stage: Mutex<Stage>,
}

impl Teller {
    pub(super) fn new(printer: Arc<Printer>) -> Self {
        Self {
            printer,
            stage: Mutex::new(Stage::Command),
        }
    }

    /// From now on the person looks there.
    pub(super) fn set(&self, stage: Stage) {
        *self.stage.lock().unwrap_or_else(PoisonError::into_inner) = stage;
    }

    fn say(&self, line: &str) {
        let wide = terminal::width().is_none_or(|width| width >= 60);
        let indent = if wide && !self.printer.is_plain() {
            "        "
        } else {
            ""
        };
        let line = format!("{indent}{line}");
        // Held while it is said: a prompt that comes meanwhile stands beneath it.
        let stage = self.stage.lock().unwrap_or_else(PoisonError::into_inner);
        match &*stage {
            Stage::Command => self.printer.note(&line),
            Stage::Editor(above) if self.printer.tells_notes() => {
                // When the editor does not come to it, less is told.
                let _ = above.try_send(line);
            }
            Stage::Prompt(prompt) if self.printer.tells_notes() => {
                self.printer.note(&format!("\r{line}"));
                self.printer.put(prompt);
            }
            Stage::Editor(_) | Stage::Prompt(_) => {}
        }
    }
}

/// The live line of a shell.
pub(super) struct Live {
    pub(super) here: Arc<Here>,
    pub(super) teller: Arc<Teller>,
    /// Says that the shell is left.
    pub(super) over: Cancel,
}

/// Why one session ended.
enum End {
    Over,
    Lost,
}

impl Live {
    /// Follows the sessions until the shell is left. `first` is none when there was none to be had
    /// yet.
    pub(super) async fn follow(self, first: Option<(Session, Notices)>) {
        let mut next = first;
        loop {
            let (session, notices) = match next.take() {
                Some(line) => line,
                None => match self.again().await {
                    Some(line) => line,
                    None => return,
                },
            };
            match self.one(&session, notices).await {
                End::Over => {
                    let _ = timeout(GOODBYE, session.close()).await;
                    return;
                }
                End::Lost => {
                    self.here.changed();
                    self.say("shell-lost", &[]);
                }
            }
        }
    }

    /// Tries until there is a session again; none when the shell is left.
    async fn again(&self) -> Option<(Session, Notices)> {
        let mut wait = FIRST_WAIT;
        let mut told: Option<ErrorKind> = None;
        loop {
            tokio::select! {
                () = sleep(wait) => {}
                () = self.over.cancelled() => return None,
            }
            wait = (wait * 2).min(LONGEST_WAIT);
            let opened = tokio::select! {
                opened = self.here.drawer().remote.session() => opened,
                () = self.over.cancelled() => return None,
            };
            match opened {
                Ok(line) => {
                    self.say("shell-back", &[]);
                    return Some(line);
                }
                // Another program took its place: that is worth a word, once.
                Err(error) if error.kind() == ErrorKind::Unsupported => {
                    if told != Some(ErrorKind::Unsupported) {
                        self.tell_fault(&error);
                    }
                    told = Some(ErrorKind::Unsupported);
                }
                Err(_) => {}
            }
        }
    }

    fn tell_fault(&self, error: &Error) {
        let text = self.teller.printer.text();
        let fault = not_ours(error, self.here.server(), text);
        self.teller.say(&fault.say(text));
    }

    async fn one(&self, session: &Session, mut notices: Notices) -> End {
        let root = Path::root().as_str().to_owned();
        let watch = Call::Watch { path: root };
        let mut batch = Batch::default();
        tokio::select! {
            watched = session.ask(watch) => {
                if let Err(error) = watched {
                    tracing::debug!(error = error.chain(), "not watching");
                }
            }
            () = self.over.cancelled() => return End::Over,
        }
        loop {
            let due = batch.due;
            tokio::select! {
                told = notices.next() => match told {
                    Some(Ok(Told::Event(event))) => {
                        self.here.changed();
                        if self.here.tells_events() && !self.here.drawer().remote.is_own(&event) {
                            batch.add(event, Instant::now());
                        }
                    }
                    Some(Ok(Told::Missed(count))) => {
                        self.here.changed();
                        if self.here.tells_events() {
                            batch.missed(count, Instant::now());
                        }
                    }
                    Some(Ok(Told::Closing(_))) => self.say("shell-closing", &[]),
                    Some(Err(_)) | None => {
                        self.flush(&mut batch);
                        return End::Lost;
                    }
                },
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                    self.flush(&mut batch);
                }
                () = self.over.cancelled() => return End::Over,
            }
        }
    }

    fn say(&self, key: &str, args: &[(&'static str, gaveta_text::Value)]) {
        self.teller.say(&self.teller.printer.text().say(key, args));
    }

    fn flush(&self, batch: &mut Batch) {
        let events = std::mem::take(&mut batch.events);
        let more = std::mem::take(&mut batch.more);
        batch.due = None;
        batch.last = Some(Instant::now());
        for event in events {
            self.tell(&event);
        }
        if more > 0 {
            self.say("shell-event-more", &[("count", more.into())]);
        }
    }

    fn tell(&self, event: &Event) {
        let text = self.teller.printer.text();
        let who = match event.by.as_str() {
            Account::ADMIN => text.say("shell-who-admin", &[]),
            "" | Account::VISITOR => text.say("shell-who-visitor", &[]),
            name => escape(name).into_owned(),
        };
        let drawer = self.here.drawer();
        let name = |path: &Path, folder: bool| {
            let slash = if folder { "/" } else { "" };
            format!("{}{slash}", escape(&drawer.show(path)))
        };
        let (key, shown, to) = match &event.kind {
            EventKind::Created(entry) if entry.is_folder() => {
                ("shell-event-folder", name(&event.path, true), None)
            }
            EventKind::Created(_) => ("shell-event-sent", name(&event.path, false), None),
            EventKind::Changed(entry) => {
                let name = name(&event.path, entry.is_folder());
                ("shell-event-changed", name, None)
            }
            EventKind::Deleted => ("shell-event-deleted", name(&event.path, false), None),
            EventKind::Renamed(entry) => {
                let to = name(&entry.path, entry.is_folder());
                ("shell-event-moved", name(&event.path, false), Some(to))
            }
        };
        let mut args = vec![("who", who.into()), ("name", shown.into())];
        args.extend(to.map(|to| ("to", to.into())));
        self.say(key, &args);
    }
}

/// Events that are told together.
#[derive(Debug, Default)]
struct Batch {
    events: Vec<Event>,
    more: u64,
    due: Option<Instant>,
    last: Option<Instant>,
}

impl Batch {
    fn add(&mut self, event: Event, now: Instant) {
        if self.events.len() < TOLD {
            self.events.push(event);
        } else {
            self.more += 1;
        }
        self.is_due(now);
    }

    fn missed(&mut self, count: u64, now: Instant) {
        self.more = self.more.saturating_add(count);
        self.is_due(now);
    }

    fn is_due(&mut self, now: Instant) {
        if self.due.is_none() {
            let quiet = self.last.is_none_or(|last| now - last > SELDOM);
            self.due = Some(now + if quiet { SOON } else { SELDOM });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_events_are_counted_and_told_seldom() {
        let now = Instant::now();
        let event = || Event {
            path: Path::parse("a").unwrap(),
            kind: EventKind::Deleted,
            by: "ana".to_owned(),
        };
        let mut batch = Batch::default();
        for _ in 0..1000 {
            batch.add(event(), now);
        }
        batch.missed(5, now);
        assert_eq!((batch.events.len(), batch.more), (TOLD, 1000 - 3 + 5));
        assert_eq!(batch.due, Some(now + SOON));
        batch.due = None;
        batch.last = Some(now);
        batch.add(event(), now);
        assert_eq!(batch.due, Some(now + SELDOM));
    }
}
