//! All that a verb shows goes through one [`Printer`]: the one owner of the terminal.
//!
//! Results (names, entries) go to standard output, everything about them (notes, questions,
//! progress, failures) to standard error. With `--json` every result, event, failure and the
//! summary is one JSON object per line on standard output. When a content itself goes to standard
//! output, the objects go to standard error.
//!
//! Every object has a `type`; a program passes over types and fields it does not know:
//!
//! | type | of | fields |
//! |---|---|---|
//! | `entry` | list, info | as `EntryBody` of the wire; of the root also `total`, `free` |
//! | `unnameable` | list | `folder`, `shown` (escaped) |
//! | `started`, `resumed`, `restarted`, `finished`, `retrying`, `folder`, `planned` | send, get, mirror | `path` as named, `to`; `bytes`, `why`, `copied`, `code` |
//! | `skipped` | send, get, mirror | `path`, `why`: `link`, `special`, `unnameable`, `exists`, `same` |
//! | `touched`, `deleted`, `watching` | mirror | `path` |
//! | `deleted`, `moved`, `copied`, `folder`, `planned` | the other verbs | `path`, `to` |
//! | `trashed` | trash | `id`, `entry`, `cause`, `at`, `by` |
//! | `version` | versions | as `trashed`; `current`, `same` (as the current one) |
//! | `restored`, `purged` | restore, undo, versions; purge | `path`, `to`, `id`; `things` |
//! | `finding` | verify | `kind`, `path`, `trashed`, `better` |
//! | `upload`, `ended` | uploads | `id`; `target`, `owner`, `length`, `arrived` (bytes), `touched` |
//! | `error` | all | `code` (stable), `message` (a sentence), `path`, `to` |
//! | `summary` | list, send, get (not of `-`), mirror, uploads, trash, verify | counts, `bytes`, `seconds` |
//!
//! In a summary of a transfer `bytes` are those of the files that are at the target now; of them
//! `resumed` were there from an earlier run and `equal` in what was replaced; `again` had to be
//! sent twice, and `moved` is what went over in all.

pub mod progress;

use std::io::{BufWriter, IsTerminal, Stderr, Stdout, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use gaveta_core::Result;
use gaveta_text::Text;
use indicatif::{MultiProgress, ProgressDrawTarget};

use crate::fault::{Ended, Fault, Outcome};
use crate::terminal;

/// When to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Color {
    /// On a terminal, unless `NO_COLOR` is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl Color {
    /// Are colours on, on standard output?
    pub fn on_output(self) -> bool {
        self.on(std::io::stdout().is_terminal())
    }

    /// Source of the variable: <https://no-color.org>.
    fn on(self, terminal: bool) -> bool {
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Auto => {
                let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
                terminal && !set("NO_COLOR") && !is_dumb()
            }
        }
    }
}

fn is_dumb() -> bool {
    std::env::var_os("TERM").is_some_and(|term| term == "dumb")
}

/// How to print.
#[derive(Debug, Clone, Copy, Default)]
pub struct Style {
    /// One JSON object per line.
    pub json: bool,
    /// No notes, no progress, no summary; failures are still told.
    pub quiet: bool,
    /// Colours.
    pub color: Color,
    /// Lines only, as a screen reader likes them: no bars, no colours, nothing that moves.
    pub plain: bool,
}

/// What a piece of text is, for its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paint {
    /// Something failed.
    Bad,
    /// Something was left out.
    Warn,
    /// A folder's name.
    Folder,
    /// Of little weight.
    Dim,
}

impl Paint {
    const fn code(self) -> &'static str {
        match self {
            Self::Bad => "31",
            Self::Warn => "33",
            Self::Folder => "34",
            Self::Dim => "2",
        }
    }
}

/// See the [module](self).
pub struct Printer {
    text: Text,
    style: Style,
    out: Mutex<BufWriter<Stdout>>,
    out_terminal: bool,
    err_terminal: bool,
    /// The bars, drawn on standard error.
    bars: MultiProgress,
    /// A content goes to standard output.
    content: AtomicBool,
    /// A question stands on the terminal.
    asking: AtomicBool,
    /// What is typed shows nothing while bars stand on the terminal. Whoever draws bars, or takes
    /// them away, holds this lock: a row drawn between would be left behind.
    hushed: Mutex<Option<terminal::Hushed>>,
    /// Who speaks goes without saying: in the shell.
    nameless: AtomicBool,
}

/// While it lives, standard output is for a content.
#[derive(Debug)]
pub(crate) struct Lent<'a>(&'a Printer);

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        self.0.content.store(false, Ordering::Relaxed);
    }
}

impl std::fmt::Debug for Printer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Printer")
            .field("style", &self.style)
            .finish_non_exhaustive()
    }
}

impl Printer {
    /// A printer in this language and style.
    pub fn new(text: Text, mut style: Style) -> Self {
        if style.plain {
            style.color = Color::Never;
        }
        Self {
            text,
            style,
            out: Mutex::new(BufWriter::new(std::io::stdout())),
            out_terminal: std::io::stdout().is_terminal(),
            err_terminal: std::io::stderr().is_terminal(),
            bars: MultiProgress::with_draw_target(ProgressDrawTarget::hidden()),
            content: AtomicBool::new(false),
            asking: AtomicBool::new(false),
            hushed: Mutex::new(None),
            nameless: AtomicBool::new(false),
        }
    }

    /// The texts.
    pub fn text(&self) -> &Text {
        &self.text
    }

    /// Is a JSON object wanted for everything?
    pub fn is_json(&self) -> bool {
        self.style.json
    }

    /// Does a person read the results on a terminal, rather than a program?
    pub fn is_for_people(&self) -> bool {
        self.out_terminal && !self.style.json
    }

    /// Is progress to be shown?
    pub fn shows_progress(&self) -> bool {
        self.err_terminal
            && !self.style.json
            && !self.style.quiet
            && !self.style.plain
            && !is_dumb()
    }

    /// Is standard output a terminal?
    pub(crate) fn is_on_terminal(&self) -> bool {
        self.out_terminal
    }

    /// Lines only?
    pub(crate) fn is_plain(&self) -> bool {
        self.style.plain || is_dumb()
    }

    /// Are colours on where the prompt stands?
    pub(crate) fn has_colors(&self) -> bool {
        self.style.color.on(self.err_terminal)
    }

    /// Are remarks told?
    pub(crate) fn tells_notes(&self) -> bool {
        !self.style.quiet && !self.style.json
    }

    /// A plain prompt, on standard error: what is asked for comes on the same line.
    pub(crate) fn put(&self, prompt: &str) {
        let mut stderr: Stderr = std::io::stderr();
        let _ = write!(stderr, "{prompt}").and_then(|()| stderr.flush());
    }

    /// From now on failures are told without the program's name.
    pub(crate) fn speak_namelessly(&self) {
        self.nameless.store(true, Ordering::Relaxed);
    }

    /// `gaveta: `, where nobody would know who speaks.
    pub(crate) fn name(&self) -> &'static str {
        if self.nameless.load(Ordering::Relaxed) {
            ""
        } else {
            "gaveta: "
        }
    }

    /// Standard output is for a content as long as the answer lives.
    ///
    /// # Errors
    /// [`Fault::Closed`] when nobody reads any more.
    pub(crate) fn lend_output(&self) -> Outcome<Lent<'_>> {
        self.finish()?;
        self.give_output_away();
        Ok(Lent(self))
    }

    /// Can and may a person be asked?
    pub fn can_ask(&self) -> bool {
        !self.style.json && terminal::can_ask()
    }

    /// From now on standard output is for a content.
    pub fn give_output_away(&self) {
        self.content.store(true, Ordering::Relaxed);
    }

    /// A line of results. The caller escapes what may reach a terminal.
    ///
    /// # Errors
    /// [`Fault::Closed`] when nobody reads any more.
    pub fn line(&self, line: &str) -> Outcome {
        if self.content.load(Ordering::Relaxed) {
            return self.error_line(line);
        }
        let write = || {
            let mut out = self.lock();
            writeln!(out, "{line}")?;
            if self.out_terminal || self.style.json {
                out.flush()
            } else {
                Ok(())
            }
        };
        let done = if self.out_terminal {
            self.bars.suspend(write)
        } else {
            write()
        };
        done.map_err(closed)
    }

    /// One JSON object, when they are wanted.
    ///
    /// # Errors
    /// [`Fault::Closed`] when nobody reads any more.
    pub fn json(&self, object: &serde_json::Value) -> Outcome {
        if self.style.json {
            self.line(&object.to_string())
        } else {
            Ok(())
        }
    }

    /// A remark on standard error for people: nothing with `--quiet` or `--json`.
    pub fn note(&self, note: &str) {
        if self.tells_notes() {
            let _ = self.error_line(note);
        }
    }

    /// A failure: always told.
    ///
    /// # Errors
    /// [`Fault::Closed`] when nobody reads any more (only with `--json`).
    pub fn fault(&self, fault: &Fault) -> Outcome {
        match fault {
            Fault::Closed => Ok(()),
            _ if self.style.json => self.json(&fault.json(&self.text)),
            _ => {
                let line = format!("{}{}", self.name(), fault.say(&self.text));
                let _ = self.error_line(&self.paint_error(Paint::Bad, &line));
                self.hint(fault.hint(&self.text));
                Ok(())
            }
        }
    }

    /// A failure's line that was made elsewhere: always told, but to programs as JSON only.
    pub fn bad_line(&self, line: &str) {
        if !self.style.json {
            let _ = self.error_line(&self.paint_error(Paint::Bad, line));
        }
    }

    /// What somebody may do about a failure.
    pub fn hint(&self, hint: Option<String>) {
        if let Some(hint) = hint {
            self.note(&self.paint_error(Paint::Dim, &format!("  {hint}")));
        }
    }

    /// Something was left out; `object` says so to programs.
    ///
    /// # Errors
    /// [`Fault::Closed`] when nobody reads any more (only with `--json`).
    pub fn warn(&self, line: &str, object: &serde_json::Value) -> Outcome {
        self.note(&self.paint_error(Paint::Warn, line));
        self.json(object)
    }

    /// Colours a text for standard output, if colours are on there.
    pub fn paint(&self, paint: Paint, text: &str) -> String {
        colored(self.style.color.on(self.out_terminal), paint, text)
    }

    /// Writes what is buffered.
    ///
    /// # Errors
    /// [`Fault::Closed`] when nobody reads any more.
    pub fn finish(&self) -> Outcome {
        self.lock().flush().map_err(closed)
    }

    /// Tells what failed, writes what is buffered, and says how it ended: that nobody reads any more
    /// is no failure of what was done.
    pub fn ended(&self, outcome: Outcome<Ended>) -> Ended {
        let ended = match outcome {
            Ok(ended) => ended,
            Err(fault) => match self.fault(&fault) {
                Err(Fault::Closed) => Ended::Done,
                _ => Ended::of(&fault),
            },
        };
        match self.finish() {
            Err(fault) if ended == Ended::Done => Ended::of(&fault),
            _ => ended,
        }
    }

    /// Asks a question, the bars away meanwhile. None at the end of the input. One question at a
    /// time is the caller's to see to.
    ///
    /// # Errors
    /// What the terminal says.
    pub async fn ask(&self, question: &str) -> Result<Option<String>> {
        let mut holding = self.hold_bars();
        let answer = terminal::ask_line(question.to_owned()).await;
        holding.answered = true;
        answer
    }

    /// Asks for a password, the bars away meanwhile.
    ///
    /// # Errors
    /// [`Fault::Interrupted`] by Ctrl-C, and what the terminal says.
    pub async fn ask_password(&self, question: &str) -> Outcome<String> {
        let mut holding = self.hold_bars();
        let answer = terminal::ask_password(question.to_owned()).await;
        holding.answered = true;
        answer
    }

    fn hold_bars(&self) -> Holding<'_> {
        self.asking.store(true, Ordering::Relaxed);
        self.hide_bars();
        Holding {
            printer: self,
            answered: false,
        }
    }

    /// Bars may be drawn as long as the answer lives, and show unless a question stands there.
    fn show_bars(&self) -> MutexGuard<'_, Option<terminal::Hushed>> {
        let mut hushed = self.hushed.lock().unwrap_or_else(PoisonError::into_inner);
        let hidden = self.bars.is_hidden();
        // A new target knows nothing of the rows that stand there, and would repeat them.
        if hidden && self.shows_progress() && !self.asking.load(Ordering::Relaxed) {
            *hushed = terminal::Hushed::now();
            self.bars
                .set_draw_target(ProgressDrawTarget::stderr_with_hz(10));
        }
        hushed
    }

    fn hide_bars(&self) {
        let mut hushed = self.hushed.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = self.bars.clear();
        self.bars.set_draw_target(ProgressDrawTarget::hidden());
        hushed.take();
    }

    fn error_line(&self, line: &str) -> Outcome {
        self.bars.suspend(|| {
            let mut stderr: Stderr = std::io::stderr();
            writeln!(stderr, "{line}").map_err(closed)
        })
    }

    fn paint_error(&self, paint: Paint, text: &str) -> String {
        colored(self.style.color.on(self.err_terminal), paint, text)
    }

    fn lock(&self) -> MutexGuard<'_, BufWriter<Stdout>> {
        self.out.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// While it lives, a question stands on the terminal.
struct Holding<'a> {
    printer: &'a Printer,
    answered: bool,
}

impl Drop for Holding<'_> {
    fn drop(&mut self) {
        if !self.answered {
            // Stopped meanwhile: what comes next begins on a line of its own.
            let _ = self.printer.error_line("");
        }
        self.printer.asking.store(false, Ordering::Relaxed);
    }
}

fn colored(on: bool, paint: Paint, text: &str) -> String {
    if on {
        format!("\u{1b}[{}m{text}\u{1b}[0m", paint.code())
    } else {
        text.to_owned()
    }
}

/// Whatever keeps us from writing: there is nobody to tell it to on this stream.
fn closed(error: std::io::Error) -> Fault {
    if error.kind() == std::io::ErrorKind::BrokenPipe {
        Fault::Closed
    } else {
        Fault::Store(error.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_follow_the_choice() {
        assert!(Color::Always.on(false));
        assert!(!Color::Never.on(true));
        assert!(!Color::Auto.on(false));
        assert_eq!(colored(true, Paint::Bad, "x"), "\u{1b}[31mx\u{1b}[0m");
        assert_eq!(colored(false, Paint::Bad, "x"), "x");
    }
}
