//! The shell at a terminal: greet, prompt, run, until somebody leaves.

use std::sync::Arc;

use gaveta_core::ErrorKind;
use gaveta_transfer::Cancel;
use tokio::runtime::Handle;

use super::bad_line;
use super::complete::Completing;
use super::editor::{Editor, Read};
use super::live::{Live, Stage, Teller};
use super::runner::{OnInterrupt, Runner};
use super::words::take_apart;
use crate::drawer::not_ours;
use crate::fault::{Ended, Outcome};
use crate::stop::{Signals, Told};
use crate::terminal::{self, Line};

/// Talks with a person until he leaves. `edits`: may there be an editor at all?
///
/// # Errors
/// The greeting could not be printed, or another program answers there.
pub(super) async fn talk(runner: Runner, edits: bool) -> Outcome<Ended> {
    // However it ends, the terminal is as it was.
    let _saved = terminal::Saved::now();
    let printer = Arc::clone(runner.printer());
    let here = Arc::clone(&runner.here);
    let session = match here.drawer().remote.session().await {
        Ok(line) => Some(line),
        Err(error) if error.kind() == ErrorKind::Unsupported => {
            return Err(not_ours(&error, here.server(), printer.text()));
        }
        // Too many sessions, or just lost: commands work, and it is tried again.
        Err(error) => {
            tracing::debug!(error = error.chain(), "no session yet");
            None
        }
    };
    if printer.tells_notes() {
        printer.line(&printer.text().say("shell-welcome", &[]))?;
    }
    let teller = Arc::new(Teller::new(Arc::clone(&printer)));
    let over = Cancel::new();
    let live = Live {
        here: Arc::clone(&here),
        teller: Arc::clone(&teller),
        over: over.clone(),
    };
    let live = tokio::spawn(live.follow(session));
    let editor = if edits && !printer.is_plain() {
        open_editor(&runner).await
    } else {
        None
    };
    let mut talk = Talk {
        runner,
        teller,
        editor,
        interrupts: 0,
    };
    talk.run().await;
    over.cancel();
    let _ = live.await;
    printer.note(&printer.text().say("shell-goodbye", &[]));
    Ok(Ended::Done)
}

/// The editor; none when the terminal does not answer.
async fn open_editor(runner: &Runner) -> Option<Editor> {
    let completing = Completing::new(
        Arc::clone(&runner.here),
        runner.text().clone(),
        Handle::current(),
    );
    let colors = runner.printer().has_colors();
    tokio::task::spawn_blocking(move || Editor::open(colors, completing))
        .await
        .ok()
        .flatten()
}

struct Talk {
    runner: Runner,
    teller: Arc<Teller>,
    editor: Option<Editor>,
    /// So many Ctrl-C at the prompt, one after another.
    interrupts: u32,
}

impl Talk {
    async fn run(&mut self) {
        while !self.runner.here.is_leaving() {
            let read = self.read().await;
            self.teller.set(Stage::Command);
            match read {
                Read::Line(line) => {
                    self.interrupts = 0;
                    self.run_line(&line).await;
                }
                Read::Interrupted => self.interrupted().await,
                Read::Ended | Read::Terminated => return,
                Read::Broken => {
                    // Better plain lines than none.
                    if self.editor.take().is_none() {
                        return;
                    }
                    let note = self.runner.text().say("shell-plain", &[]);
                    self.runner.printer().note(&note);
                }
            }
        }
    }

    async fn run_line(&mut self, line: &str) {
        if line.len() > terminal::MAX_LINE {
            self.bad(&Line::TooLong);
            return;
        }
        for command in take_apart(line).commands {
            let ended = self.runner.run(&command, OnInterrupt::Ask).await;
            // Who stops one command does not want those behind it.
            if ended == Ended::Interrupted {
                // The next one right away asks.
                self.interrupts = 1;
            }
            if ended == Ended::Interrupted || self.runner.here.is_leaving() {
                return;
            }
        }
    }

    fn bad(&self, line: &Line) {
        if let Some(fault) = bad_line(line) {
            self.runner.fault(&fault);
        }
    }

    async fn interrupted(&mut self) {
        self.interrupts += 1;
        if self.interrupts == 1 {
            let note = self.runner.text().say("shell-interrupted", &[]);
            self.runner.printer().note(&note);
        } else {
            self.interrupts = 0;
            self.runner.ask_leave().await;
        }
    }

    async fn read(&mut self) -> Read {
        let place = self.runner.place();
        match &mut self.editor {
            Some(editor) => {
                self.teller.set(Stage::Editor(editor.above()));
                editor.read(place, ended(&mut self.runner.signals)).await
            }
            None => self.read_plain(&place.plain()).await,
        }
    }

    /// A plain prompt; a line that is not closed goes on.
    async fn read_plain(&mut self, prompt: &str) -> Read {
        let mut begun = String::new();
        loop {
            let shown = if begun.is_empty() { prompt } else { "… " };
            self.runner.printer().put(shown);
            self.teller.set(Stage::Prompt(shown.to_owned()));
            let next = tokio::select! {
                next = terminal::next_line() => next,
                told = self.runner.signals.next() => {
                    self.teller.set(Stage::Command);
                    self.runner.printer().put("\n");
                    return match told {
                        Told::Interrupt => Read::Interrupted,
                        Told::Terminate => Read::Terminated,
                    };
                }
            };
            match next {
                Ok(Some(Line::Text(line))) => {
                    begun.push_str(&line);
                    if take_apart(&begun).open.is_none() || begun.len() > terminal::MAX_LINE {
                        return Read::Line(begun);
                    }
                    begun.push('\n');
                }
                Ok(Some(bad)) => {
                    self.teller.set(Stage::Command);
                    self.bad(&bad);
                    begun.clear();
                }
                Ok(None) => {
                    self.runner.printer().put("\n");
                    return Read::Ended;
                }
                Err(_) => return Read::Broken,
            }
        }
    }
}

/// Comes true when the system wants us to end. Ctrl-C is a key at the prompt, no signal.
async fn ended(signals: &mut Signals) {
    while signals.next().await != Told::Terminate {}
}
