//! The terminal driver, held against programs of the system.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests may")]

use std::process::Command;

use gaveta_testkit::terminal::{Key, Plan, Terminal};

fn sh(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    command
}

#[test]
fn what_is_typed_and_shown_is_what_a_person_sees() {
    let mut terminal = Terminal::start(Command::new("cat"), Plan::default());
    terminal.type_text("olá\n");
    terminal.wait_until("two lines", |screen| {
        (screen.text() == "olá\nolá").then_some(())
    });
    terminal.press(Key::Control('d'));
    assert_eq!(terminal.exit_code(), 0);
}

#[test]
fn a_program_learns_where_the_cursor_is_unless_told_never_to() {
    // Raw, so that the answer arrives without a line's end; `dd` gives up after a second without.
    let ask = "stty raw -echo min 0 time 10; printf 'ab\\033[6n'; dd bs=64 count=1 2>/dev/null | od -An -c; stty sane";
    let mut terminal = Terminal::start(sh(ask), Plan::default());
    assert_eq!(terminal.exit_code(), 0);
    let text = terminal.text();
    assert!(text.contains("033   [   1   ;   3   R"), "{text}");

    let mut terminal = Terminal::start(
        sh(ask),
        Plan {
            answers: false,
            ..Plan::default()
        },
    );
    assert_eq!(terminal.exit_code(), 0);
    assert!(!terminal.text().contains('R'), "{}", terminal.text());
}

#[test]
fn keys_signals_and_codes_reach_their_ends() {
    let mut terminal = Terminal::start(
        sh("trap 'exit 7' INT; echo ready; while :; do sleep 1; done"),
        Plan::default(),
    );
    terminal.wait_for("ready");
    terminal.press(Key::Control('c'));
    assert_eq!(terminal.exit_code(), 7);

    let mut terminal = Terminal::start(sh("kill -9 $$"), Plan::default());
    assert_eq!(terminal.exit_code(), 137);
}

#[test]
fn a_new_size_is_told_to_the_program() {
    let mut terminal = Terminal::start(
        sh("trap 'stty size; exit' WINCH; stty size; while :; do sleep 0.1; done"),
        Plan {
            rows: 30,
            columns: 100,
            ..Plan::default()
        },
    );
    terminal.wait_for("30 100");
    terminal.resize(10, 40);
    terminal.wait_for("10 40");
    assert_eq!(terminal.exit_code(), 0);
}

#[test]
fn rows_that_scrolled_away_are_still_there_from_a_mark_on() {
    let mut terminal = Terminal::start(
        sh("i=0; while [ $i -lt 100 ]; do i=$((i+1)); echo line $i; done"),
        Plan::default(),
    );
    let mark = terminal.mark();
    assert_eq!(terminal.exit_code(), 0);
    assert!(!terminal.text().contains("line 5\n"));
    let lines = terminal.look(|screen| screen.lines_from(mark));
    let all: Vec<String> = (1..=100).map(|i| format!("line {i}")).collect();
    // The program may have been faster than the mark.
    assert!(all.ends_with(&lines), "{lines:?}");
    assert!(terminal.raw().starts_with(b"line 1\r\n"));
}

#[test]
fn much_is_sent_to_a_slow_reader_and_a_paste_is_marked_when_asked_for() {
    let mut terminal = Terminal::start(
        sh(
            "stty raw -echo; printf '\\033[?2004hready'; sleep 0.3; head -c 100012 | cksum; stty sane",
        ),
        Plan::default(),
    );
    terminal.wait_for("ready");
    terminal.paste(&[b'x'; 100_000]);
    assert_eq!(terminal.exit_code(), 0);
    let text = terminal.text();
    assert!(text.contains("100012"), "{text}");
}

#[test]
fn a_dropped_terminal_takes_the_program_with_it() {
    let terminal = Terminal::start(sh("trap '' HUP TERM INT; echo ready; cat"), Plan::default());
    terminal.wait_for("ready");
    let id = terminal.id();
    drop(terminal);
    let alive = std::path::Path::new(&format!("/proc/{id}/stat")).exists();
    assert!(!alive || !cfg!(target_os = "linux"));
}
