//! The line editor at the prompt of a terminal.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::SyncSender;
use std::time::Duration;

use gaveta_text::escape;
use reedline::{
    Color, ColumnarMenu, DefaultHinter, EditCommand, Emacs, ExternalPrinter, Highlighter, KeyCode,
    KeyModifiers, MenuBuilder, Prompt, PromptEditMode, PromptHistorySearch,
    PromptHistorySearchStatus, Reedline, ReedlineEvent, ReedlineMenu, Signal, StyledText,
    ValidationResult, Validator, default_emacs_keybindings,
};

use super::complete::Completing;
use super::history;
use super::words::take_apart;
use crate::terminal;

/// A terminal that says in this time where its cursor is can be edited on.
const PATIENCE: Duration = Duration::from_secs(1);
/// The name of the menu of completions.
const MENU: &str = "completion";
/// What Ctrl-Z asks of us.
const SUSPEND: &str = "suspend";

/// What came of one prompt.
#[derive(Debug)]
pub(super) enum Read {
    /// A line, or several.
    Line(String),
    /// Ctrl-C.
    Interrupted,
    /// Ctrl-D on an empty line, or the end of the input.
    Ended,
    /// The system wants us to end.
    Terminated,
    /// The terminal no longer answers.
    Broken,
}

/// The editor.
pub(super) struct Editor {
    /// Away while it reads.
    reedline: Option<Reedline>,
    above: SyncSender<String>,
    stop: Arc<AtomicBool>,
    /// Lines that were typed before the editor was there.
    ahead: VecDeque<String>,
}

impl Editor {
    /// Finds out whether the terminal can be edited on; else none, and what was typed meanwhile is
    /// read as plain lines.
    pub(super) fn open(colors: bool, completing: Completing) -> Option<Self> {
        let (answered, typed) = terminal::answers_cursor(PATIENCE);
        let typed: Vec<u8> = typed
            .into_iter()
            .map(|byte| if byte == b'\r' { b'\n' } else { byte })
            .collect();
        if !answered {
            terminal::give_back(&typed);
            return None;
        }
        let printer = ExternalPrinter::default();
        let above = printer.sender();
        let stop = Arc::new(AtomicBool::new(false));
        let mut reedline = set_up(colors, completing)
            .with_external_printer(printer)
            .with_break_signal(Arc::clone(&stop));
        let typed = String::from_utf8_lossy(&typed).into_owned();
        let mut ahead: VecDeque<String> = typed.split('\n').map(without_control).collect();
        if let Some(begun) = ahead.pop_back().filter(|begun| !begun.is_empty()) {
            reedline.run_edit_commands(&[EditCommand::InsertString(begun)]);
        }
        Some(Self {
            reedline: Some(reedline),
            above,
            stop,
            ahead,
        })
    }

    /// Where lines go that are to stand above the prompt.
    pub(super) fn above(&self) -> SyncSender<String> {
        self.above.clone()
    }

    /// Reads what is typed. `ended` comes true when the system wants us to end.
    pub(super) async fn read(
        &mut self,
        prompt: Place,
        ended: impl Future<Output = ()> + Send,
    ) -> Read {
        if let Some(line) = self.ahead.pop_front() {
            return Read::Line(line);
        }
        tokio::pin!(ended);
        loop {
            let Some(mut reedline) = self.reedline.take() else {
                return Read::Broken;
            };
            let prompt = prompt.clone();
            let reading = tokio::task::spawn_blocking(move || {
                terminal::settle();
                let read = reedline.read_line(&prompt);
                (reedline, read)
            });
            tokio::pin!(reading);
            let read = tokio::select! {
                read = &mut reading => read,
                () = &mut ended => {
                    self.stop.store(true, Ordering::Relaxed);
                    let _ = reading.await;
                    return Read::Terminated;
                }
            };
            let Ok((reedline, signal)) = read else {
                return Read::Broken;
            };
            self.reedline = Some(reedline);
            return match signal {
                Ok(Signal::Success(line)) => Read::Line(line),
                Ok(Signal::CtrlC) => Read::Interrupted,
                Ok(Signal::CtrlD) => Read::Ended,
                Ok(Signal::HostCommand(command)) if command == SUSPEND => {
                    terminal::stop_here();
                    continue;
                }
                Ok(Signal::ExternalBreak(_)) => Read::Terminated,
                Ok(_) => continue,
                Err(error) => {
                    tracing::debug!(%error, "the editor gives up");
                    Read::Broken
                }
            };
        }
    }
}

/// What was typed blindly, as text.
fn without_control(line: &str) -> String {
    line.chars().filter(|c| !c.is_control()).collect()
}

fn set_up(colors: bool, completing: Completing) -> Reedline {
    let mut keys = default_emacs_keybindings();
    let menu = || ReedlineEvent::Menu(MENU.to_owned());
    keys.add_binding(
        KeyModifiers::NONE,
        KeyCode::Tab,
        ReedlineEvent::UntilFound(vec![menu(), ReedlineEvent::MenuNext]),
    );
    keys.add_binding(
        KeyModifiers::SHIFT,
        KeyCode::BackTab,
        ReedlineEvent::MenuPrevious,
    );
    keys.add_binding(
        KeyModifiers::CONTROL,
        KeyCode::Char('z'),
        ReedlineEvent::ExecuteHostCommand(SUSPEND.to_owned()),
    );
    let menu = ColumnarMenu::default()
        .with_name(MENU)
        .with_marker(INDICATOR);
    let mut reedline = Reedline::create()
        .with_edit_mode(Box::new(Emacs::new(keys)))
        .with_menu(ReedlineMenu::EngineCompleter(Box::new(menu)))
        .with_completer(Box::new(completing))
        .with_quick_completions(true)
        .with_partial_completions(true)
        .with_validator(Box::new(Closed))
        .with_highlighter(Box::new(Safely))
        .with_history(history::open())
        .with_history_exclusion_prefix(Some(" ".to_owned()))
        .use_bracketed_paste(true)
        .with_ansi_colors(colors);
    if colors {
        let style = Color::DarkGray.normal();
        reedline = reedline.with_hinter(Box::new(DefaultHinter::default().with_style(style)));
    }
    reedline
}

/// A line with an open quote goes on.
struct Closed;

impl Validator for Closed {
    fn validate(&self, line: &str) -> ValidationResult {
        if take_apart(line).open.is_some() {
            ValidationResult::Incomplete
        } else {
            ValidationResult::Complete
        }
    }
}

/// What was pasted reaches the terminal only as letters.
struct Safely;

impl Highlighter for Safely {
    fn highlight(&self, line: &str, _: usize) -> StyledText {
        let mut text = StyledText::new();
        text.push((Color::Default.normal(), safely(line)));
        text
    }
}

/// The same number of bytes, so that the cursor stands where it should.
fn safely(line: &str) -> String {
    let mut safe = String::with_capacity(line.len());
    for c in line.chars() {
        let mut letter = [0; 4];
        if c == '\n' || matches!(escape(c.encode_utf8(&mut letter)), Cow::Borrowed(_)) {
            safe.push(c);
        } else {
            safe.extend(std::iter::repeat_n('?', c.len_utf8()));
        }
    }
    safe
}

/// What stands between the place and what is typed.
const INDICATOR: &str = " > ";
/// The least room for typing, in columns, before the place is shortened.
const ROOM: usize = 24;

/// The prompt: where one is.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// `localhost:/folder`, safe for a terminal.
    pub(super) full: String,
    /// The word of the search in the history.
    pub(super) search: String,
}

impl Place {
    /// The whole prompt as plain text.
    pub(super) fn plain(&self) -> String {
        format!("{}{INDICATOR}", self.fit(terminal::width()))
    }

    /// As much of the place as leaves room to type: its end tells most.
    fn fit(&self, width: Option<usize>) -> String {
        let Some(width) = width else {
            return self.full.clone();
        };
        let room = width.saturating_sub(ROOM).max(width / 3).max(6);
        let length = self.full.chars().count();
        if length <= room {
            return self.full.clone();
        }
        let tail = self.full.chars().skip(length - room + 1);
        std::iter::once('…').chain(tail).collect()
    }
}

impl Prompt for Place {
    fn render_prompt_left(&self) -> Cow<'_, str> {
        self.fit(terminal::width()).into()
    }

    fn render_prompt_right(&self) -> Cow<'_, str> {
        "".into()
    }

    fn render_prompt_indicator(&self, _: PromptEditMode) -> Cow<'_, str> {
        INDICATOR.into()
    }

    fn render_prompt_multiline_indicator(&self) -> Cow<'_, str> {
        "… ".into()
    }

    fn render_prompt_history_search_indicator(&self, search: PromptHistorySearch) -> Cow<'_, str> {
        let mark = match search.status {
            PromptHistorySearchStatus::Passing => "",
            PromptHistorySearchStatus::Failing => "? ",
        };
        format!(" ({mark}{} {}) ", self.search, search.term).into()
    }

    fn get_prompt_color(&self) -> Color {
        Color::Blue
    }

    fn get_indicator_color(&self) -> Color {
        Color::Default
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_place_leaves_room_to_type() {
        let place = Place {
            full: "localhost:/a/very/deep/folder/indeed".to_owned(),
            search: String::new(),
        };
        assert_eq!(place.fit(None), place.full);
        assert_eq!(place.fit(Some(80)), place.full);
        for width in [0, 1, 5, 20, 40] {
            let fits = place.fit(Some(width));
            assert!(
                fits.starts_with('…') && place.full.ends_with(&fits[3..]),
                "{fits}"
            );
            assert!(
                fits.chars().count() <= (width / 3).max(16),
                "{width}: {fits}"
            );
        }
    }

    #[test]
    fn pasted_control_characters_are_shown_not_obeyed() {
        for line in ["a\u{1b}[2Jb", "x\u{202e}y", "\u{7}", "\u{9b}31m", "a\tb"] {
            let safe = safely(line);
            assert_eq!(safe.len(), line.len());
            assert!(!safe.chars().any(char::is_control), "{safe:?}");
        }
        assert_eq!(safely("relatório 🗄️\nx"), "relatório 🗄️\nx");
    }

    #[test]
    fn what_was_typed_blindly_holds_no_control() {
        assert_eq!(without_control("a\u{1b}b\u{3}"), "ab");
    }
}
