//! Keys as a person presses them: completion, history, editing, paste, Ctrl-C, a new window size.

use std::fs;
use std::process::Command;

use gaveta_testkit::terminal::{Key, Plan, Terminal};

use crate::common::{House, tree};
use crate::harness::{
    ENGLISH, LOCALES, PORTUGUESE, SECRET, Shell, command, either, is_ready, plain, says,
};

/// Waits until the line at the prompt is this, hint or not.
#[track_caller]
fn typed(shell: &Shell, line: &str) {
    shell
        .terminal
        .wait_until(&format!("{line:?} at the prompt"), |screen| {
            let shown = screen.cursor_line();
            let (_, shown) = shown.split_once("> ")?;
            (shown.trim_end() == line.trim_end()).then_some(())
        });
}

fn press_tab(shell: &Shell) {
    shell.terminal.press(Key::Tab);
}

/// Empties the line.
#[track_caller]
fn wipe(shell: &Shell) {
    shell.terminal.press(Key::Control('e'));
    shell.terminal.press(Key::Control('u'));
    shell.wait_for_prompt(None);
}

#[test]
fn tab_completes_verbs_options_and_names_of_both_sides() {
    for locale in LOCALES {
        let house = House::open_with(SECRET);
        house.serve_file("relatório final.pdf", "report");
        house.serve_file("fotos/praia.jpg", "x");
        house.write("client_files/it's here.txt", "mine");
        let shell = Shell::in_locale(&house, locale);

        let verb = either(locale, "enviar", "send");
        shell.type_line(either(locale, "envia", "sen"));
        press_tab(&shell);
        typed(&shell, verb);
        wipe(&shell);

        shell.type_line(either(locale, "listar --so", "list --so"));
        press_tab(&shell);
        typed(&shell, either(locale, "listar --sort", "list --sort"));
        wipe(&shell);

        // A name of the server, with a blank: what is completed is one word.
        shell.type_line(either(locale, "baixar rel", "get rel"));
        press_tab(&shell);
        shell.terminal.wait_for("final.pdf");
        let mark = shell.terminal.mark();
        shell.terminal.press(Key::Enter);
        shell.rest(mark);
        assert_eq!(house.local("relatório final.pdf"), b"report");

        // Into a folder, step by step, and a name of this machine with a quote in it.
        shell.type_line(&format!("{verb} cli"));
        press_tab(&shell);
        shell.terminal.wait_for("client_files/");
        shell.terminal.type_text("it");
        press_tab(&shell);
        shell.terminal.wait_for("here.txt");
        let mark = shell.terminal.mark();
        shell.terminal.press(Key::Enter);
        shell.rest(mark);
        assert_eq!(house.served("it's here.txt"), b"mine");

        // Only folders where a folder is wanted; what arrived meanwhile is known.
        house.serve_file("fotos2/x", "x");
        shell.run(&format!("{} nova", either(locale, "pasta", "mkdir")));
        shell.type_line("cd nov");
        press_tab(&shell);
        typed(&shell, "cd nova/");
        wipe(&shell);
        shell.leave();
    }
}

#[test]
fn several_candidates_stand_below_and_another_tab_takes_one() {
    let house = House::open_with(SECRET);
    for name in ["alpha", "alpine", "beta"] {
        house.serve_file(name, "x");
    }
    let shell = Shell::open(&house);
    shell.type_line("cat a");
    press_tab(&shell);
    shell.terminal.wait_until("both candidates", |screen| {
        let text = screen.text();
        (text.contains("alpha") && text.contains("alpine") && !text.contains("beta")).then_some(())
    });
    shell.terminal.press(Key::Enter);
    shell.terminal.wait_until("one of them", |screen| {
        let line = screen.cursor_line();
        line.contains("> cat alp").then_some(())
    });
    wipe(&shell);
    shell.leave();
}

#[test]
fn history_is_kept_found_again_and_hinted_at() {
    let house = House::open_with(SECRET);
    house.serve_file("one.txt", "1");
    let shell = Shell::in_locale(&house, PORTUGUESE);
    shell.run("info one.txt");
    shell.run("onde");
    shell.terminal.press(Key::Up);
    typed(&shell, "onde");
    shell.terminal.press(Key::Up);
    typed(&shell, "info one.txt");
    shell.terminal.press(Key::Down);
    typed(&shell, "onde");
    wipe(&shell);
    shell.leave();

    // The next shell knows, too.
    let shell = Shell::in_locale(&house, PORTUGUESE);
    shell.terminal.press(Key::Control('r'));
    shell.terminal.type_text("info");
    shell.terminal.wait_for("info one.txt");
    let mark = shell.terminal.mark();
    shell.terminal.press(Key::Enter);
    // What was found may stand at the prompt first, to be looked at.
    shell.terminal.wait_until("the end or the line", |screen| {
        let ready = is_ready(screen) && screen.mark() > mark;
        (ready || screen.cursor_line().ends_with("> info one.txt")).then_some(())
    });
    if shell.terminal.look(|screen| !is_ready(screen)) {
        shell.terminal.press(Key::Enter);
    }
    says(&shell.rest(mark), "one.txt");

    // The rest of an old line is hinted at, and taken by the arrow.
    shell.terminal.type_text("inf");
    typed(&shell, "info one.txt");
    shell.terminal.press(Key::Right);
    let mark = shell.terminal.mark();
    shell.terminal.press(Key::Enter);
    says(&shell.rest(mark), "one.txt");
    shell.leave();
}

#[test]
fn the_history_is_for_the_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let house = House::open_with(SECRET);
    let shell = Shell::open(&house);
    shell.run("pwd");
    shell.leave();
    let file = house.home.path().join("state/gaveta/history");
    assert_eq!(
        fs::metadata(&file).unwrap().permissions().mode() & 0o777,
        0o600
    );
    assert!(fs::read_to_string(&file).unwrap().contains("pwd"));
}

#[test]
fn a_line_is_edited_as_in_any_shell() {
    let house = House::open_with(SECRET);
    let shell = Shell::open(&house);
    shell.terminal.type_text("kdir umm");
    shell.terminal.press(Key::Backspace);
    shell.terminal.press(Key::Home);
    shell.terminal.type_text("m");
    shell.terminal.press(Key::End);
    shell.terminal.type_text(" doisX");
    shell.terminal.press(Key::Left);
    shell.terminal.press(Key::Delete);
    typed(&shell, "mkdir um dois");
    let mark = shell.terminal.mark();
    shell.terminal.press(Key::Enter);
    shell.rest(mark);
    assert_eq!(tree(house.served.path()), ["dois/", "um/"]);
    shell.leave();
}

#[test]
fn several_lines_pasted_are_several_commands() {
    for locale in LOCALES {
        let house = House::open_with(SECRET);
        let shell = Shell::in_locale(&house, locale);
        shell
            .terminal
            .paste("pasta um\nmkdir 'dois três'\nlistar".as_bytes());
        shell.terminal.wait_for("listar");
        let mark = shell.terminal.mark();
        shell.terminal.press(Key::Enter);
        says(&shell.rest(mark), "dois três/");
        assert_eq!(tree(house.served.path()), ["dois três/", "um/"]);
        shell.leave();
    }
}

#[test]
fn a_quote_that_is_not_closed_wants_another_line_and_ctrl_c_forgets_it() {
    for locale in LOCALES {
        let house = House::open_with(SECRET);
        let shell = Shell::in_locale(&house, locale);
        shell.enter("mkdir 'never");
        shell.terminal.wait_until("another line", |screen| {
            screen.cursor_line().starts_with('…').then_some(())
        });
        shell.terminal.type_text("made");
        shell.terminal.wait_for("made");
        let mark = shell.terminal.mark();
        shell.terminal.press(Key::Control('c'));
        shell.rest(mark);
        shell.run("mkdir \"two words\"");
        assert_eq!(tree(house.served.path()), ["two words/"]);
        shell.leave();
    }
}

#[test]
fn ctrl_c_forgets_the_line_and_a_second_one_asks_whether_to_leave() {
    for locale in LOCALES {
        let house = House::open_with(SECRET);
        let mut shell = Shell::in_locale(&house, locale);
        shell.type_line("mkdir never");
        let mark = shell.terminal.mark();
        shell.terminal.press(Key::Control('c'));
        shell.rest(mark);
        assert_eq!(tree(house.served.path()), Vec::<String>::new());
        let mark = shell.terminal.mark();
        shell.terminal.press(Key::Control('c'));
        let asked = either(locale, "[s]im", "[y]es");
        shell.terminal.wait_for_after(mark, asked);
        shell.terminal.type_text("n\n");
        let mark = shell.wait_for_prompt(Some(mark));

        shell.terminal.press(Key::Control('c'));
        let mark = shell.wait_for_prompt(Some(mark));
        shell.terminal.press(Key::Control('c'));
        shell.terminal.wait_for_after(mark, asked);
        shell.terminal.type_text(either(locale, "s\n", "y\n"));
        assert_eq!(shell.terminal.exit_code(), 0);
    }
}

#[test]
fn ctrl_d_leaves_only_when_nothing_is_typed() {
    for locale in LOCALES {
        let house = House::open_with(SECRET);
        let mut shell = Shell::in_locale(&house, locale);
        shell.type_line("pwd");
        shell.terminal.press(Key::Control('d'));
        typed(&shell, "pwd");
        let mark = shell.terminal.mark();
        shell.terminal.press(Key::Enter);
        says(&shell.rest(mark), "/");
        shell.terminal.press(Key::Control('d'));
        assert_eq!(shell.terminal.exit_code(), 0);
        shell.terminal.wait_for(either(
            locale,
            "Você foi desconectado do servidor.",
            "You were disconnected from the server.",
        ));
    }
}

#[test]
fn a_new_window_size_at_the_prompt_breaks_nothing() {
    for locale in LOCALES {
        let house = House::open_with(SECRET);
        house.serve_file("a name of some length.txt", "x");
        let shell = Shell::in_locale(&house, locale);
        shell.type_line("list");
        for (rows, columns) in [(24, 40), (10, 20), (40, 132), (24, 80)] {
            shell.terminal.resize(rows, columns);
            shell.terminal.type_text("x");
            shell.terminal.press(Key::Backspace);
        }
        shell.terminal.press(Key::Control('e'));
        shell.terminal.press(Key::Control('u'));
        shell.type_line("ls");
        let mark = shell.terminal.mark();
        shell.terminal.press(Key::Enter);
        says(&shell.rest(mark), "a name of some length.txt");
        shell.leave();
    }
}

/// The shell under another shell, which has job control.
#[test]
fn ctrl_z_and_back() {
    for locale in LOCALES {
        let house = House::open_with(SECRET);
        house.serve_file("still here.txt", "x");
        let mut outer: Command = plain(&house, locale);
        let inner = command(&house, locale, house.port);
        let line: Vec<String> = std::iter::once(inner.get_program())
            .chain(inner.get_args())
            .map(|word| format!("'{}'", word.to_str().unwrap()))
            .collect();
        let envs: Vec<_> = outer
            .get_envs()
            .filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())))
            .collect();
        outer = Command::new("sh");
        outer
            .arg("-i")
            .current_dir(house.home.path())
            .env_clear()
            .envs(envs)
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("PS1", "outer% ");
        let mut shell = Shell {
            terminal: Terminal::start(outer, Plan::default()),
        };
        shell.terminal.wait_for("outer%");
        shell.terminal.type_text(&format!("{}\n", line.join(" ")));
        shell.wait_for_prompt(None);
        let mark = shell.terminal.mark();
        shell.terminal.press(Key::Control('z'));
        shell.terminal.wait_until("the outer shell", |screen| {
            screen.cursor_line().starts_with("outer%").then_some(())
        });
        shell.terminal.type_text("echo in $((40 + 2))\n");
        shell.terminal.wait_for_after(mark, "in 42");
        shell.terminal.type_text("fg\n");
        // Back at the prompt: a key may be needed by no one.
        shell.terminal.wait_until("the prompt again", |screen| {
            (screen.mark() > mark && is_ready(screen)).then_some(())
        });
        says(&shell.run("ls"), "still here.txt");
        shell.enter("exit");
        shell.terminal.wait_until("the outer shell", |screen| {
            screen.cursor_line().starts_with("outer%").then_some(())
        });
        shell.terminal.type_text("exit 5\n");
        assert_eq!(shell.terminal.exit_code(), 5);
    }
}

#[test]
fn a_terminal_without_colours_gets_none() {
    let house = House::open_with(SECRET);
    house.serve_file("folder/x", "x");
    let mut colorless = command(&house, ENGLISH, house.port);
    colorless.env("NO_COLOR", "1");
    let shell = Shell::start(colorless, Plan::default());
    shell.run("ls");
    shell.run("cat nothing");
    let raw = String::from_utf8_lossy(&shell.terminal.raw()).into_owned();
    let colors: Vec<&str> = raw
        .split("\u{1b}[")
        .skip(1)
        .filter_map(|rest| rest.split_once('m').map(|(codes, _)| codes))
        .filter(|codes| codes.chars().all(|c| c.is_ascii_digit() || c == ';'))
        .filter(|codes| codes.split(';').any(|code| code.len() == 2 && code > "29"))
        .filter(|codes| !codes.split(';').all(|code| code == "39" || code == "49"))
        .collect();
    assert!(colors.is_empty(), "{colors:?}");
    shell.leave();
}
