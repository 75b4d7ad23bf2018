//! A shell on a terminal.

use std::process::Command;
use std::time::Duration;

use gaveta_testkit::terminal::{Key, Mark, Plan, Screen, Terminal};

pub use crate::common::Line;
use crate::common::{House, gaveta};

/// Both languages, by the locale of an operating system.
pub const LOCALES: [&str; 2] = ["pt_BR.UTF-8", "en_US.UTF-8"];
pub const PORTUGUESE: &str = LOCALES[0];
pub const ENGLISH: &str = LOCALES[1];

/// What the seed's server had as its password.
pub const SECRET: &str = "1234";

/// The question for the password, in both languages, and its answer.
pub const WHO: (&str, &str) = ("dministra", SECRET);

/// A prompt that is being painted again shows for a moment without what was typed.
const SETTLED: Duration = Duration::from_millis(40);

/// One of two words, by the locale.
pub fn either<'a>(locale: &str, portuguese: &'a str, english: &'a str) -> &'a str {
    if locale == PORTUGUESE {
        portuguese
    } else {
        english
    }
}

/// A shell that waits for a command.
pub struct Shell {
    pub terminal: Terminal,
}

impl Shell {
    /// In the home folder, connected, in English.
    #[track_caller]
    pub fn open(house: &House) -> Self {
        Self::in_locale(house, ENGLISH)
    }

    #[track_caller]
    pub fn in_locale(house: &House, locale: &str) -> Self {
        Self::start(command(house, locale, house.port), Plan::default())
    }

    /// Starts it and waits for its first prompt.
    #[track_caller]
    pub fn start(command: Command, plan: Plan) -> Self {
        let shell = Self {
            terminal: Terminal::start(command, plan),
        };
        shell.wait_for_prompt(None);
        shell
    }

    /// Waits until the cursor stands behind a prompt and nothing is typed, below the mark.
    #[track_caller]
    pub fn wait_for_prompt(&self, below: Option<Mark>) -> Mark {
        self.terminal.wait_until("a prompt", |screen| {
            (is_ready(screen) && Some(screen.mark()) > below).then(|| screen.mark())
        })
    }

    /// Types a command, waits until it can be seen, enters it, and waits for the next prompt:
    /// the rows between the two.
    #[track_caller]
    pub fn run(&self, line: &str) -> Vec<String> {
        let mark = self.enter(line);
        self.rest(mark)
    }

    /// The rows from below the mark to the next prompt, which is waited for.
    #[track_caller]
    pub fn rest(&self, mark: Mark) -> Vec<String> {
        self.terminal.wait_until("a prompt", |screen| {
            let ready = is_ready(screen) && screen.mark() > mark;
            ready.then(|| {
                let mut lines = screen.lines_from(mark.next());
                lines.pop();
                lines
            })
        })
    }

    /// As [`rest`](Self::rest), giving each of these questions its answer when it comes.
    #[track_caller]
    pub fn attend(&self, mark: Mark, answers: &[(&str, &str)]) -> Vec<String> {
        let mut left = answers.to_vec();
        loop {
            let asked = self
                .terminal
                .wait_until("a prompt or a question", |screen| {
                    if is_ready(screen) && screen.mark() > mark {
                        return Some(None);
                    }
                    let rows = screen.lines_from(mark.next()).join("\n");
                    let asked = left
                        .iter()
                        .position(|(question, _)| rows.contains(question));
                    asked.map(Some)
                });
            let Some(index) = asked else {
                return self.rest(mark);
            };
            let (_, answer) = left.remove(index);
            self.terminal.type_text(&format!("{answer}\n"));
        }
    }

    /// As [`run`](Self::run), without waiting for its end: the mark of its row.
    #[track_caller]
    pub fn enter(&self, line: &str) -> Mark {
        self.type_line(line);
        let mark = self.terminal.mark();
        self.terminal.press(Key::Enter);
        mark
    }

    /// Types and waits until it can be seen.
    #[track_caller]
    pub fn type_line(&self, line: &str) {
        let start = self.terminal.mark();
        self.terminal.type_text(line);
        // Blanks where a row ends are seen by nobody.
        let seen = |text: &str| text.replace([' ', '\n'], "");
        let wanted = seen(line);
        self.terminal.wait_until("what was typed", |screen| {
            let rows = screen.lines_from(start).concat();
            seen(&rows).contains(&wanted).then_some(())
        });
    }

    /// Leaves with Ctrl-D and expects that it went well.
    #[track_caller]
    pub fn leave(mut self) {
        self.terminal.press(Key::Control('d'));
        assert_eq!(self.terminal.exit_code(), 0, "{}", self.terminal.picture());
    }
}

/// Does the cursor stand behind a prompt, with nothing typed yet?
pub fn is_ready(screen: &Screen<'_>) -> bool {
    let line = screen.cursor_line();
    let width = line.chars().count();
    line.ends_with('>')
        && usize::from(screen.cursor().1) == width + 1
        && !screen.hides_cursor()
        && screen.quiet() >= SETTLED
}

/// The shell's command, connecting to this port, with its own history.
pub fn command(house: &House, locale: &str, port: u16) -> Command {
    let mut command = plain(house, locale);
    command.args(["connect", &format!("127.0.0.1:{port}")]);
    command
}

/// The program in the home folder, in this locale, with its own history.
pub fn plain(house: &House, locale: &str) -> Command {
    let mut command = gaveta();
    command
        .current_dir(house.home.path())
        .env("HOME", house.home.path())
        .env("XDG_STATE_HOME", house.home.path().join("state"))
        .env("LC_ALL", locale)
        .env("TZ", "UTC");
    command
}

/// Do these lines say so, anywhere?
#[track_caller]
pub fn says(lines: &[String], words: &str) {
    let all = lines.join("\n");
    // A narrow terminal breaks a sentence anywhere.
    let flat = all.replace('\n', "");
    assert!(
        all.contains(words) || flat.contains(words),
        "{words:?} is not in:\n{all}"
    );
}

/// The same text wherever and whenever it is made: ports, times, dates and rates replaced.
pub fn timeless(lines: &[String], house: &House) -> String {
    let mut text = lines.join("\n");
    text = text.replace(&house.port.to_string(), "PORT");
    while let Some(end) = text.find("/s)") {
        let start = text[..end].rfind('(').unwrap();
        text.replace_range(start..end + 3, "(RATE)");
    }
    let words: Vec<String> = text
        .split_inclusive([' ', '\n'])
        .map(|word| {
            let body = word.trim_end_matches([' ', '\n']);
            let core = body.trim_matches(['(', ')', ',', '.', ';']);
            let clock = core.len() >= 4
                && core.contains(':')
                && core.chars().all(|c| c.is_ascii_digit() || c == ':');
            if clock {
                word.replace(core, &"#".repeat(core.len()))
            } else {
                word.to_owned()
            }
        })
        .collect();
    words.concat()
}
