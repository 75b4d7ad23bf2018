//! Transfers that take their time: their bars, Ctrl-C, and a window that changes meanwhile.

use std::collections::BTreeSet;

use gaveta_testkit::proxy::Direction;
use gaveta_testkit::terminal::{Key, Mark, Plan};

use crate::common::{House, content, tree};
use crate::harness::{LOCALES, Line, SECRET, Shell, command, either, says};

/// Bytes a second on each connection, so few that nothing ends before it has been looked at, be
/// the machine ever so busy; and for a big file, of which some chunks are to arrive.
const SLOW: u64 = 40 << 10;
const BIG_SLOW: u64 = 512 << 10;

/// A slow line, and ten files to send over it.
fn ten_files() -> (House, Line, &'static str) {
    let house = House::open_with(SECRET);
    let line = Line::to(&house);
    for number in 0..10 {
        house.write(&format!("file-{number}.bin"), content(1 << 20));
    }
    // Named by a pattern: rows that name a file are then its bar's.
    (house, line, "*.bin")
}

/// Waits until several bars and a total are there.
#[track_caller]
fn wait_for_bars(shell: &Shell, mark: Mark) {
    shell.terminal.wait_until("bars", |screen| {
        let rows = screen.lines_from(mark.next());
        let files = rows.iter().filter(|row| row.contains("file-")).count();
        (files >= 2).then_some(())
    });
}

/// No row is torn or left behind: each running file has one row, and no row holds two.
#[track_caller]
fn bars_are_whole(shell: &Shell) {
    shell.terminal.wait_until("whole bars", |screen| {
        let text = screen.text();
        let rows = text.lines().filter(|row| row.contains("file-"));
        let starts: Vec<&str> = rows
            .filter(|row| !row.contains(" > "))
            .map(str::trim_start)
            .collect();
        let whole = starts.iter().all(|row| row.matches("file-").count() == 1);
        let names: BTreeSet<&str> = starts.iter().filter_map(|row| row.get(..6)).collect();
        let whole = whole && names.len() == starts.len();
        (whole && starts.len() >= 2).then_some(())
    });
}

/// When the transfer is over its bars are gone.
#[track_caller]
fn no_bar_is_left(seen: &[String]) {
    for row in seen {
        let bar = row.contains('█') || row.contains('░') || row.contains(" %");
        assert!(!bar, "a bar was left: {seen:#?}");
    }
}

#[test]
fn ctrl_c_stops_the_transfer_and_not_the_shell() {
    for locale in LOCALES {
        let (house, line, names) = ten_files();
        let shell = Shell::start(command(&house, locale, line.port()), Plan::default());
        line.proxy.pace(Direction::Up, SLOW);
        let mark = shell.enter(&format!("{} {names}", either(locale, "enviar", "send")));
        wait_for_bars(&shell, mark);
        bars_are_whole(&shell);
        shell.terminal.press(Key::Control('c'));
        let seen = shell.rest(mark);
        says(&seen, either(locale, "parado", "stopped"));
        no_bar_is_left(&seen);
        // What is there is there whole; the bars are gone; the next command works.
        for name in tree(house.served.path()) {
            assert_eq!(house.served(&name), content(1 << 20), "{name}");
        }
        line.proxy.heal();
        shell.run("pwd");
        let mark = shell.enter(&format!(
            "{} --replace {names}",
            either(locale, "enviar", "send")
        ));
        let seen = shell.attend(mark, &[crate::harness::WHO]);
        says(&seen, either(locale, "10 arquivos", "10 files"));
        assert_eq!(tree(house.served.path()).len(), 10);
        no_bar_is_left(&seen);
        shell.leave();
    }
}

#[test]
fn ctrl_c_stops_a_download_too_and_leaves_no_half_file() {
    for locale in LOCALES {
        let (house, line, _) = ten_files();
        // Small enough not to be kept for going on with.
        house.serve_file("big.bin", content(3 << 20));
        let shell = Shell::start(command(&house, locale, line.port()), Plan::default());
        line.proxy.pace(Direction::Down, SLOW);
        let mark = shell.enter(&format!("{} big.bin", either(locale, "baixar", "get")));
        shell.terminal.wait_until("a bar", |screen| {
            let rows = screen.lines_from(mark.next());
            rows.iter().any(|row| row.contains("big.bin")).then_some(())
        });
        shell.terminal.press(Key::Control('c'));
        no_bar_is_left(&shell.rest(mark));
        let here = tree(house.home.path());
        assert!(!here.iter().any(|name| name.contains("big")), "{here:?}");
        line.proxy.heal();
        shell.run("get big.bin");
        assert_eq!(house.local("big.bin"), content(3 << 20));
        shell.leave();
    }
}

#[test]
fn a_new_window_size_in_the_middle_of_a_bar_breaks_nothing() {
    for locale in LOCALES {
        let (house, line, names) = ten_files();
        let shell = Shell::start(command(&house, locale, line.port()), Plan::default());
        line.proxy.pace(Direction::Up, SLOW);
        let mark = shell.enter(&format!("{} {names}", either(locale, "enviar", "send")));
        wait_for_bars(&shell, mark);
        for (rows, columns) in [(24, 40), (16, 20), (30, 120), (24, 80)] {
            shell.terminal.resize(rows, columns);
            bars_are_whole(&shell);
        }
        line.proxy.heal();
        // The rows from before were rolled up and cut: no mark holds any more.
        let done = either(locale, "10 arquivos", "10 files");
        shell.terminal.wait_for(done);
        shell.wait_for_prompt(None);
        for number in 0..10 {
            assert_eq!(
                house.served(&format!("file-{number}.bin")),
                content(1 << 20)
            );
        }
        says(&shell.run("pwd"), "/");
        shell.leave();
    }
}

#[test]
fn what_others_do_meanwhile_does_not_tear_the_bars() {
    for locale in LOCALES {
        let (house, line, names) = ten_files();
        house.write("other.txt", "x");
        let shell = Shell::start(command(&house, locale, line.port()), Plan::default());
        line.proxy.pace(Direction::Up, SLOW);
        let mark = shell.enter(&format!("{} {names}", either(locale, "enviar", "send")));
        wait_for_bars(&shell, mark);
        house.run(["send", "other.txt", &house.at("")]).ok();
        shell.terminal.wait_for_after(mark, "other.txt");
        // Keys pressed meanwhile tear nothing, and are there afterwards.
        shell.terminal.type_text("zz");
        bars_are_whole(&shell);
        line.proxy.heal();
        shell
            .terminal
            .wait_until("what was typed meanwhile", |screen| {
                screen.cursor_line().ends_with("> zz").then_some(())
            });
        shell.terminal.press(Key::Control('u'));
        let seen = shell.rest(mark);
        no_bar_is_left(&seen);
        let told: Vec<_> = seen
            .iter()
            .filter(|row| row.contains("other.txt"))
            .collect();
        assert_eq!(told.len(), 1, "{seen:#?}");
        assert!(!told[0].contains("file-"), "{told:?}");
        shell.leave();
    }
}

/// Stopped, a big file goes on from where it was cut, and the line says how.
#[test]
fn after_ctrl_c_one_line_says_how_to_go_on() {
    for locale in LOCALES {
        let house = House::open_with(SECRET);
        let line = Line::to(&house);
        house.write("a big.bin", content(24 << 20));
        let shell = Shell::start(command(&house, locale, line.port()), Plan::default());
        line.proxy.pace(Direction::Up, BIG_SLOW);
        let typed = either(locale, "enviar 'a big.bin'", "send 'a big.bin'");
        let mark = shell.enter(typed);
        let before = line.proxy.forwarded(Direction::Up);
        // More than a chunk for each stream: some are whole by then.
        shell.terminal.wait_until("some chunks", |_| {
            (line.proxy.forwarded(Direction::Up) > before + (14 << 20)).then_some(())
        });
        shell.terminal.press(Key::Control('c'));
        let seen = shell.rest(mark);
        says(
            &seen,
            either(
                locale,
                "Parado. a big.bin continua de",
                "Stopped. a big.bin goes on from",
            ),
        );
        let again = seen.join(" ");
        let again = again.rsplit_once(": ").unwrap().1.trim();
        assert!(
            again.starts_with(either(locale, "enviar a", "send a")),
            "{again}"
        );
        no_bar_is_left(&seen);
        line.proxy.heal();
        // What it says may be typed, and goes on.
        let seen = shell.run(again);
        says(&seen, either(locale, "já de antes", "from an earlier run"));
        assert_eq!(house.served("a big.bin"), content(24 << 20));
        shell.leave();
    }
}

/// Where what was begun is to be thrown away and the line is dead, stopping takes a while: who
/// presses Ctrl-C again is asked whether to leave.
#[test]
fn a_second_ctrl_c_in_a_hung_transfer_asks() {
    for locale in LOCALES {
        let house = House::open_with(SECRET);
        let line = Line::to(&house);
        house.write("big.bin", content(8 << 20));
        let mut command = command(&house, locale, line.port());
        // Nothing can be remembered: what was begun is of no use later.
        command.env_remove("HOME").env_remove("XDG_STATE_HOME");
        let shell = Shell::start(command, Plan::default());
        line.proxy.pace(Direction::Up, BIG_SLOW);
        let mark = shell.enter(either(locale, "enviar big.bin", "send big.bin"));
        shell.terminal.wait_until("a bar", |screen| {
            let rows = screen.lines_from(mark.next());
            rows.iter().any(|row| row.contains('%')).then_some(())
        });
        line.proxy.stall(Direction::Up);
        let question = either(locale, "Sair do servidor?", "Leave the server?");
        shell.terminal.press(Key::Control('c'));
        std::thread::sleep(std::time::Duration::from_secs(1));
        shell.terminal.press(Key::Control('c'));
        shell.terminal.wait_for_after(mark, question);
        shell.terminal.type_text("n\n");
        shell.wait_for_prompt(Some(mark));
        line.proxy.heal();
        says(&shell.run("pwd"), "/");
        assert!(!house.served.path().join("big.bin").exists());
        shell.leave();
    }
}

/// Ctrl-C makes the system throw away what is on its way to the screen, unless it is told not to:
/// bars that were never shown would then take rows away that are not theirs.
#[test]
fn ctrl_c_takes_no_row_away_that_stood_above_the_bars() {
    for locale in LOCALES {
        let (house, line, names) = ten_files();
        let shell = Shell::start(command(&house, locale, line.port()), Plan::default());
        line.proxy.pace(Direction::Up, SLOW);
        let mark = shell.enter(&format!("{} {names}", either(locale, "enviar", "send")));
        wait_for_bars(&shell, mark);
        // A terminal that is busy with something else while more is drawn.
        shell.terminal.pause(true);
        std::thread::sleep(std::time::Duration::from_millis(400));
        shell.terminal.press(Key::Control('c'));
        shell.terminal.pause(false);
        let seen = shell.rest(mark);
        says(&seen, either(locale, "parado", "stopped"));
        no_bar_is_left(&seen);
        let above = shell.terminal.look(|screen| screen.lines_from(Mark::TOP));
        says(&above, either(locale, "Bem-vindo", "Welcome"));
        says(&above, names);
        shell.leave();
    }
}

/// How far the bar says this file is, in percent.
fn percent(rows: &[String], name: &str) -> Option<u32> {
    let row = rows.iter().find(|row| row.contains(name))?;
    let (before, _) = row.split_once(" %")?;
    before.rsplit(' ').next()?.parse().ok()
}

#[test]
fn an_upload_whose_line_is_lost_says_how_to_go_on_and_goes_on() {
    for locale in LOCALES {
        let house = House::open_with(SECRET);
        let line = Line::to(&house);
        house.write("big.bin", content(24 << 20));
        let shell = Shell::start(command(&house, locale, line.port()), Plan::default());
        line.proxy.pace(Direction::Up, BIG_SLOW);
        let send = format!("{} big.bin", either(locale, "enviar", "send"));
        let mark = shell.enter(&send);
        shell.terminal.wait_until("a part of it", |screen| {
            let rows = screen.lines_from(mark.next());
            percent(&rows, "big.bin").filter(|percent| *percent >= 10)
        });
        line.proxy.refuse(true);
        line.proxy.cut_now();
        let seen = shell.rest(mark);
        says(
            &seen,
            either(locale, "big.bin continua de ", "big.bin goes on from "),
        );
        says(&seen, &format!(": {send}"));
        says(&seen, either(locale, "1 FALHOU", "1 FAILED"));
        assert!(!seen.concat().contains("0 B"), "{seen:#?}");
        no_bar_is_left(&seen);
        line.proxy.heal();
        // The line comes back by itself, and says so above the prompt.
        says(
            &shell.run(&send),
            either(locale, "já de antes", "from an earlier run"),
        );
        assert_eq!(house.served("big.bin"), content(24 << 20));
        shell.leave();
    }
}
