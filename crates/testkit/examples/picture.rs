//! Types lines into a program on a real terminal and draws what a person sees at the end, as SVG.
//!
//! `picture TITLE ROWS COLUMNS PROGRAM [ARGUMENT]… < LINES > PICTURE`
//!
//! A line is typed when the cursor stands behind a prompt (`$`, `>`, or `:` for a question) and
//! nothing else; the last one is typed and not entered. A line that begins with `!` is not typed:
//! the machine's shell runs the rest, and what comes of it on the screen is waited for.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a tool of the project's scripts, not of its users"
)]

#[cfg(unix)]
fn main() {
    use gaveta_testkit::terminal::{Key, Mark, Plan, Screen, Terminal};

    /// A screen that changes no more is worth a picture.
    const SETTLED: std::time::Duration = std::time::Duration::from_millis(300);

    fn waits(screen: &Screen<'_>) -> bool {
        let line = screen.cursor_line();
        let width = line.chars().count();
        line.ends_with(['$', '>', ':'])
            && usize::from(screen.cursor().1) == width + 1
            && screen.quiet() >= SETTLED
    }

    let mut arguments = std::env::args().skip(1);
    let mut next = || arguments.next().expect("TITLE ROWS COLUMNS PROGRAM");
    let (title, rows, columns) = (next(), next().parse().unwrap(), next().parse().unwrap());
    let mut command = std::process::Command::new(next());
    command.args(arguments);
    let plan = Plan {
        rows,
        columns,
        ..Plan::default()
    };
    let terminal = Terminal::start(command, plan);
    let lines: Vec<String> = std::io::stdin().lines().map(Result::unwrap).collect();
    let mut typed: Option<Mark> = None;
    for (number, line) in lines.iter().enumerate() {
        terminal.wait_until("a prompt", |screen| {
            (waits(screen) && Some(screen.mark()) > typed).then_some(())
        });
        if let Some(command) = line.strip_prefix('!') {
            let before = terminal.text();
            let mut shell = std::process::Command::new("sh");
            let done = shell
                .args(["-c", command])
                .stdout(std::io::stderr())
                .status();
            assert!(done.unwrap().success(), "{command}");
            terminal.wait_until("what came of it", |screen| {
                (screen.text() != before && waits(screen)).then_some(())
            });
            typed = None;
            continue;
        }
        typed = Some(terminal.mark());
        terminal.type_text(line);
        if number + 1 < lines.len() {
            terminal.press(Key::Enter);
        } else if !line.is_empty() {
            terminal.wait_for(line);
        }
    }
    print!("{}", terminal.svg(&title));
}

#[cfg(not(unix))]
fn main() {}
