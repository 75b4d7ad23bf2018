//! What nobody should type, paste or serve, and terminals that do less than others.

use gaveta_testkit::terminal::{Key, Mark, Plan, Terminal};

use crate::common::{House, content, tree};
use crate::harness::{LOCALES, SECRET, Shell, command, either, says};

/// Does the shell still do what it is told?
#[track_caller]
fn is_well(shell: &Shell) {
    assert_eq!(shell.run("pwd").concat().trim(), "/");
}

#[test]
fn an_unknown_word_is_told_and_the_nearest_offered() {
    for locale in LOCALES {
        let house = House::open_with(SECRET);
        let shell = Shell::in_locale(&house, locale);
        let seen = shell.run("apagr x");
        says(&seen, "\"apagr\"");
        says(&seen, "apagar");
        says(&seen, either(locale, "Você quis dizer", "Did you mean"));
        let seen = shell.run("xyzzyplugh");
        says(&seen, either(locale, "indisponível", "not available"));
        assert!(
            !seen
                .concat()
                .contains(either(locale, "quis dizer", "Did you mean"))
        );
        for line in [
            "*",
            "|",
            "listar;;xyzzy",
            "-",
            "--",
            "''",
            "🗄️",
            "../..",
            "%s%n",
        ] {
            shell.run(line);
        }
        is_well(&shell);
        shell.leave();
    }
}

#[test]
fn missing_superfluous_and_wrong_arguments_are_told_with_the_usage() {
    for locale in LOCALES {
        let house = House::open_with(SECRET);
        let shell = Shell::in_locale(&house, locale);
        for line in [
            "enviar",
            "send --to x",
            "baixar",
            "deletar",
            "rm",
            "mover a",
            "copiar",
            "pasta",
            "info --what",
            "ver",
            "deletar a b c",
            "listar --sort colour",
            "cd a b",
            "eventos talvez",
            "get --parallel 0 x",
            "get --parallel -1 x",
            "rm --",
            "list -é",
        ] {
            let seen = shell.run(line);
            assert!(!seen.concat().trim().is_empty(), "{line}: nothing is said");
            let all = seen.join("\n");
            for unsaid in ["‹", "panicked", "error:", "For more information"] {
                assert!(!all.contains(unsaid), "{line}:\n{all}");
            }
        }
        assert_eq!(tree(house.served.path()), Vec::<String>::new());
        is_well(&shell);
        shell.leave();
    }
}

#[test]
fn a_line_of_64_kibibytes_is_a_line() {
    for locale in LOCALES {
        let house = House::open_with(SECRET);
        let shell = Shell::in_locale(&house, locale);
        for text in [
            "x".repeat(64 << 10),
            "mkdir ".to_owned() + &"y ".repeat(32 << 10),
        ] {
            let before = shell.terminal.mark();
            shell.terminal.paste(text.as_bytes());
            shell.terminal.press(Key::Enter);
            let mark = shell.wait_for_prompt(Some(before));
            assert!(mark > before);
        }
        is_well(&shell);
        assert!(tree(house.served.path()).len() <= 1);
        shell.leave();
    }
}

#[test]
fn control_characters_and_broken_utf8_that_are_pasted_are_not_obeyed() {
    for locale in LOCALES {
        let house = House::open_with(SECRET);
        let shell = Shell::in_locale(&house, locale);
        for bytes in [
            &b"a\x01b\x02c\x07d"[..],
            b"\x1b[2J\x1b[31mred",
            b"\x1b]0;title\x07",
            b"\xff\xfe\xc3(",
            b"caf\xe9",
            b"\xe2\x82",
            b"\x00\x00",
            b"a\x7fb",
            "\u{202e}txt.exe\u{2066}".as_bytes(),
            "\u{9b}2J".as_bytes(),
        ] {
            let before = shell.terminal.mark();
            shell.terminal.paste(bytes);
            shell.terminal.press(Key::Enter);
            // Some bytes leave nothing to enter: the prompt is then simply there again.
            shell.terminal.press(Key::Enter);
            shell.wait_for_prompt(Some(before));
            shell.terminal.press(Key::Control('u'));
            shell.wait_for_prompt(None);
            is_well(&shell);
        }
        // The greeting was not wiped away by a pasted `ESC[2J`.
        let all = shell.terminal.look(|screen| {
            let all = screen.lines_from(Mark::TOP);
            all.join("\n")
        });
        assert!(
            all.contains(either(locale, "Bem-vindo", "Welcome")),
            "{all}"
        );
        shell.leave();
    }
}

#[test]
fn names_with_escape_sequences_are_shown_not_obeyed() {
    for locale in LOCALES {
        let house = House::open_with(SECRET);
        let evil = "\u{1b}[2J\u{1b}]0;owned\u{7}evil";
        std::fs::write(house.served.path().join(evil), "x").unwrap();
        house.serve_file("\u{202e}fdp.exe", "x");
        house.serve_file("fine.txt", "x");
        house.serve_file("text", "\u{1b}[2Jcleared\u{1b}[31m\n");
        let shell = Shell::in_locale(&house, locale);
        let greeting = either(locale, "Bem-vindo", "Welcome");
        let seen = shell.run("ls");
        says(&seen, "fine.txt");
        shell.type_line("cat ");
        shell.terminal.press(Key::Tab);
        shell.terminal.wait_for("fine.txt");
        shell.terminal.press(Key::Control('c'));
        shell.wait_for_prompt(None);
        shell.run("cat text");
        assert!(
            shell.terminal.text().contains(greeting),
            "{}",
            shell.terminal.picture()
        );
        let raw = shell.terminal.raw();
        let has = |bytes: &[u8]| raw.windows(bytes.len()).any(|window| window == bytes);
        assert!(!has(b"\x1b]0;owned") && !has("\u{202e}".as_bytes()));
        is_well(&shell);
        shell.leave();
    }
}

#[test]
fn twenty_columns_are_enough() {
    for locale in LOCALES {
        let house = House::open_with(SECRET);
        house.write("a file with a long name.bin", content(100_000));
        let plan = Plan {
            rows: 12,
            columns: 20,
            ..Plan::default()
        };
        let shell = Shell::start(command(&house, locale, house.port), plan);
        shell.run("ajuda");
        shell.run("mkdir deep deep/er");
        shell.run("cd deep/er");
        shell.run("put 'a file with a long name.bin'");
        says(&shell.run("ls"), "long name");
        says(&shell.run("pwd"), "/deep/er");
        assert_eq!(
            house.served("deep/er/a file with a long name.bin"),
            content(100_000)
        );
        shell.leave();
    }
}

#[test]
fn a_terminal_that_never_tells_where_the_cursor_is_gets_plain_lines() {
    for locale in LOCALES {
        let house = House::open_with(SECRET);
        house.write("mine.txt", "mine");
        let plan = Plan {
            answers: false,
            ..Plan::default()
        };
        let shell = Shell::start(command(&house, locale, house.port), plan);
        shell.run("enviar mine.txt");
        assert_eq!(house.served("mine.txt"), b"mine");
        says(&shell.run("listar"), "mine.txt");
        // What others do is told here, too.
        house.run(["mkdir", &house.at("theirs")]).ok();
        shell.terminal.wait_for("theirs");
        shell.leave();
    }
}

#[test]
fn a_dumb_terminal_and_plain_output_get_no_escape_sequence() {
    for locale in LOCALES {
        let house = House::open_with(SECRET);
        house.write("mine.txt", content(300_000));
        for dumb in [true, false] {
            let mut plain = command(&house, locale, house.port);
            if dumb {
                plain.env("TERM", "dumb");
            } else {
                plain.arg("--plain-output");
            }
            let shell = Shell::start(plain, Plan::default());
            shell.run("ajuda");
            shell.run("enviar mine.txt");
            says(&shell.run("listar"), "mine.txt");
            shell.run("nada");
            let raw = shell.terminal.raw();
            assert!(!raw.contains(&0x1b), "{}", String::from_utf8_lossy(&raw));
            shell.leave();
            std::fs::remove_file(house.served.path().join("mine.txt")).unwrap();
        }
    }
}

/// What is typed before the first prompt is there belongs to it.
#[test]
fn keys_pressed_too_early_are_not_lost() {
    for locale in LOCALES {
        let house = House::open_with(SECRET);
        let terminal = Terminal::start(command(&house, locale, house.port), Plan::default());
        terminal.type_text("mkdir early\nmkdir birds\n");
        let shell = Shell { terminal };
        shell
            .terminal
            .wait_until("both commands and a prompt", |screen| {
                let done = tree(house.served.path()) == ["birds/", "early/"];
                (done && crate::harness::is_ready(screen)).then_some(())
            });
        shell.leave();
    }
}
