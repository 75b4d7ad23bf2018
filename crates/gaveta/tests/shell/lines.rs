//! The shell without a terminal, and `gaveta` alone.

use std::process::Command;

use gaveta_testkit::terminal::{Plan, Terminal};

use crate::common::{House, Run, finish, tree};
use crate::harness::{ENGLISH, LOCALES, SECRET, Shell, command, either, plain};

fn piped(house: &House, locale: &str, args: &[&str], input: &str) -> Run {
    let mut command = command(house, locale, house.port);
    command.args(args);
    finish(command, input.as_bytes())
}

#[test]
fn commands_come_from_a_pipe_an_argument_or_a_file() {
    for locale in LOCALES {
        let house = House::open_with(SECRET);
        house.serve_file("there.txt", "x");
        house.write("mine.txt", "mine");
        house.write(
            "commands",
            "# a remark\npasta from-file\n\nenviar mine.txt from-file/\n",
        );
        let listed = piped(&house, locale, &[], "listar\n").ok();
        assert_eq!(listed.lines(), ["there.txt"]);
        let listed = piped(
            &house,
            locale,
            &["-c", "list; mkdir 'a b' ; sair; mkdir never"],
            "",
        )
        .ok();
        assert_eq!(listed.lines(), ["there.txt"]);
        piped(&house, locale, &["--file", "commands"], "").ok();
        assert_eq!(
            tree(house.served.path()),
            ["a b/", "from-file/", "from-file/mine.txt", "there.txt"]
        );
        // No end of line at the end, and the line ends of another system.
        piped(&house, locale, &[], "mkdir one\r\nmkdir two").ok();
        assert!(house.served.path().join("one").is_dir());
        assert!(house.served.path().join("two").is_dir());
    }
}

#[test]
fn the_first_failure_ends_it_and_the_exit_code_says_which() {
    for locale in LOCALES {
        let house = House::open_with(SECRET);
        for (commands, code) in [
            ("cat nada; mkdir never", 5),
            ("nada; mkdir never", 2),
            ("info; mkdir never", 2),
            ("mkdir 'never", 2),
            ("rm -y x; mkdir never", 4),
        ] {
            house.serve_file("x", "x");
            for run in [
                piped(&house, locale, &["-c", commands], ""),
                piped(&house, locale, &[], &commands.replace("; ", "\n")),
            ] {
                let run = run.ends(code);
                assert!(!run.err.is_empty(), "{commands}");
                assert!(
                    !run.err.contains('\u{1b}') && !run.err.contains('‹'),
                    "{}",
                    run.err
                );
            }
        }
        assert_eq!(tree(house.served.path()), ["x"]);
        let run = piped(
            &house,
            locale,
            &["--keep-going", "-c", "cat nada; mkdir made"],
            "",
        );
        assert_ne!(run.code(), 0);
        assert_eq!(tree(house.served.path()), ["made/", "x"]);
    }
}

#[test]
fn the_password_of_a_script_is_that_of_the_surroundings() {
    let house = House::open_with(SECRET);
    house.serve_file("x", "x");
    let mut deleting = command(&house, ENGLISH, house.port);
    deleting
        .args(["-c", "delete x"])
        .env("GAVETA_PASSWORD", SECRET);
    finish(deleting, b"").ok();
    assert_eq!(tree(house.served.path()), Vec::<String>::new());
}

#[test]
fn bad_lines_of_a_pipe_are_told_and_end_it() {
    let house = House::open_with(SECRET);
    for input in [&b"mkdir \xff\xfe\nmkdir never\n"[..], &[b'x'; 2 << 20]] {
        let run = finish(command(&house, ENGLISH, house.port), input).ends(2);
        assert!(!run.err.is_empty());
    }
    assert_eq!(tree(house.served.path()), Vec::<String>::new());
}

#[test]
fn gaveta_alone_asks_what_to_do_and_takes_enter_for_the_default() {
    for locale in LOCALES {
        let house = House::open_with(SECRET);
        let terminal = Terminal::start(plain(&house, locale), Plan::default());
        terminal.wait_for(either(locale, "[c]onectar", "[c]onnect"));
        terminal.type_text(either(locale, "talvez\n", "perhaps\n"));
        terminal.wait_for(either(locale, "talvez", "perhaps"));
        terminal.type_text("c\n");
        terminal.wait_for("[localhost]");
        terminal.type_text("127.0.0.1\n");
        terminal.wait_for("[4283]");
        terminal.type_text(&format!("{}\n", house.port));
        let shell = Shell { terminal };
        shell.wait_for_prompt(None);
        shell.leave();
    }
}

#[test]
fn gaveta_alone_serves_when_told_to_and_takes_enter_for_the_port() {
    for locale in LOCALES {
        let house = House::open_with(SECRET);
        let free = {
            let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
            listener.local_addr().unwrap().port()
        };
        // Enter takes the port of the surroundings, which nobody else has.
        let mut alone = plain(&house, locale);
        alone.env("GAVETA_PORT", free.to_string());
        let mut terminal = Terminal::start(alone, Plan::default());
        terminal.wait_for(either(locale, "[s]ervir", "[s]erve"));
        terminal.type_text("s\n");
        terminal.wait_for(&format!("[{free}]"));
        terminal.type_text("0\n");
        terminal.wait_for(either(locale, "Isto não serve: 0", "This does not fit: 0"));
        terminal.type_text("\n");
        let connect = either(locale, "conectar", "connect");
        terminal.wait_for(&format!("gaveta {connect} localhost:{free}"));
        assert!(house.home.path().join("server_files").is_dir());
        house.write("a", "a");
        house.run(["send", "a", &format!("localhost:{free}/")]).ok();
        assert_eq!(house.local("server_files/a"), b"a");
        terminal.press(gaveta_testkit::terminal::Key::Control('c'));
        assert_eq!(terminal.exit_code(), 0, "{}", terminal.picture());
    }
}

#[test]
fn gaveta_alone_without_a_terminal_tells_its_usage() {
    let house = House::open_with(SECRET);
    for locale in LOCALES {
        let mut alone: Command = plain(&house, locale);
        alone.stdin(std::process::Stdio::null());
        let run = finish(alone, b"").ends(2);
        let said = format!("{}{}", run.text(), run.err);
        assert!(said.contains(either(locale, "Uso:", "Usage:")), "{said}");
    }
}
