//! The session of the project's seed, word by word, in both languages.

use crate::common::{House, content};
use crate::harness::{ENGLISH, LOCALES, PORTUGUESE, SECRET, Shell, either, says, timeless};

/// Types the commands, each after the prompt is back, and gives all that was seen.
fn session(house: &House, locale: &str, commands: &[&str], last: &str) -> String {
    let mut shell = Shell::in_locale(house, locale);
    let mut seen = shell.terminal.look(|screen| {
        let top = screen.text();
        top.lines().map(str::to_owned).collect::<Vec<_>>()
    });
    for command in commands {
        let start = shell.terminal.mark();
        shell.run(command);
        seen.pop();
        seen.extend(shell.terminal.look(|screen| screen.lines_from(start)));
    }
    let start = shell.terminal.mark();
    shell.enter(last);
    assert_eq!(
        shell.terminal.exit_code(),
        0,
        "{}",
        shell.terminal.picture()
    );
    seen.pop();
    seen.extend(shell.terminal.look(|screen| screen.lines_from(start)));
    timeless(&seen, house)
}

fn house() -> House {
    let house = House::open_with(SECRET);
    house.write("client_files/teste.txt", "olá, gaveta\n");
    house
}

#[test]
fn the_seeds_session_in_portuguese() {
    let house = house();
    let seen = session(
        &house,
        PORTUGUESE,
        &[
            "ajuda",
            "listar",
            "enviar client_files/teste.txt",
            "listar",
            "deletar teste.txt 1234",
            "listar",
        ],
        "sair",
    );
    insta::assert_snapshot!("seed-pt-BR", seen);
    assert!(!house.served.path().join("teste.txt").exists());
}

#[test]
fn the_seeds_session_in_english() {
    let house = house();
    let seen = session(
        &house,
        ENGLISH,
        &[
            "help",
            "list",
            "send client_files/teste.txt",
            "list",
            "delete teste.txt 1234",
            "list",
        ],
        "exit",
    );
    insta::assert_snapshot!("seed-en", seen);
    assert!(!house.served.path().join("teste.txt").exists());
}

/// The seed cut a file at 4096 bytes and tore one that held its separator.
#[test]
fn what_the_seed_broke_arrives_whole() {
    for locale in LOCALES {
        let house = house();
        let files = [
            ("cinco_mil.bin", content(5000)),
            ("separador.txt", b"a|b|c".to_vec()),
            ("a|b|c", b"enviar|deletar|sair\n".to_vec()),
            ("vazio", Vec::new()),
        ];
        let shell = Shell::in_locale(&house, locale);
        for (name, content) in &files {
            house.write(name, content);
            shell.run(&format!("{} '{name}'", either(locale, "enviar", "send")));
            assert_eq!(&house.served(name), content, "{name}");
            std::fs::remove_file(house.home.path().join(name)).unwrap();
            shell.run(&format!("{} '{name}'", either(locale, "baixar", "get")));
            assert_eq!(&house.local(name), content, "{name}");
        }
        shell.leave();
    }
}

#[test]
fn twenty_shells_at_once() {
    let house = house();
    for number in 0..20 {
        house.write(&format!("file {number}"), content(5000 + number));
    }
    let shells: Vec<Shell> = (0..20)
        .map(|number| Shell::in_locale(&house, LOCALES[number % 2]))
        .collect();
    let sent: Vec<_> = shells
        .iter()
        .enumerate()
        .map(|(number, shell)| {
            // The others' arrivals are told at any moment and would mix with what is typed.
            shell.run("eventos off");
            shell.enter(&format!("enviar 'file {number}'"))
        })
        .collect();
    for (shell, mark) in shells.iter().zip(sent) {
        shell.rest(mark);
    }
    for (number, shell) in shells.iter().enumerate() {
        assert_eq!(
            house.served(&format!("file {number}")),
            content(5000 + number)
        );
        let seen = shell.run("ls");
        for other in 0..20 {
            says(&seen, &format!("file {other}"));
        }
    }
    for shell in shells {
        shell.leave();
    }
}
