//! Every verb on a terminal, in both languages.

use std::collections::BTreeSet;
use std::fs;

use crate::common::{House, content, finish, tree};
use crate::harness::{ENGLISH, LOCALES, PORTUGUESE, SECRET, Shell, WHO, command, either, says};

/// The words of each verb in Portuguese and in English.
const WORDS: [(&str, &str); 29] = [
    ("listar", "list"),
    ("enviar", "send"),
    ("baixar", "get"),
    ("espelhar", "mirror"),
    ("deletar", "delete"),
    ("rm", "rm"),
    ("mover", "move"),
    ("copiar", "copy"),
    ("pasta", "mkdir"),
    ("info", "info"),
    ("envios", "uploads"),
    ("ver", "cat"),
    ("espaço", "df"),
    ("entrar", "cd"),
    ("onde", "pwd"),
    ("local", "lcd"),
    ("lpwd", "lpwd"),
    ("lls", "lls"),
    ("eventos", "events"),
    ("lixeira", "trash"),
    ("restaurar", "restore"),
    ("versões", "versions"),
    ("esvaziar", "purge"),
    ("desfazer", "undo"),
    ("verificar", "verify"),
    ("compartilhar", "share"),
    ("token", "token"),
    ("auditoria", "audit"),
    ("sair", "exit"),
];

/// The usual words and the other language's, which work in both.
const ALWAYS: [(&str, &str); 19] = [
    ("ls", "list"),
    ("put", "send"),
    ("get", "baixar"),
    ("sync", "espelhar"),
    ("apagar", "delete"),
    ("remover", "rm"),
    ("mv", "move"),
    ("renomear", "rename"),
    ("cp", "copy"),
    ("mkdir", "pasta"),
    ("stat", "info"),
    ("cat", "ver"),
    ("df", "espaço"),
    ("espaco", "space"),
    ("cd", "entrar"),
    ("pwd", "onde"),
    ("lcd", "local"),
    ("quit", "sair"),
    ("help", "ajuda"),
];

fn opened(locale: &str) -> (House, Shell) {
    let house = House::open_with(SECRET);
    let shell = Shell::in_locale(&house, locale);
    (house, shell)
}

/// Prints what a piped shell says to these commands.
fn piped(house: &House, locale: &str, commands: &str) -> Vec<String> {
    let mut command = command(house, locale, house.port);
    command.args(["-c", commands]);
    let run = finish(command, b"").ok();
    run.lines().into_iter().map(str::to_owned).collect()
}

#[test]
fn help_names_every_verb_that_is_tested_here_and_no_other() {
    for locale in LOCALES {
        let (_house, shell) = opened(locale);
        let seen = shell.run(either(locale, "ajuda", "help"));
        let named: BTreeSet<String> = seen
            .iter()
            .filter(|line| !line.starts_with(' '))
            .take_while(|line| !line.is_empty())
            .map(|line| line.split(' ').next().unwrap().to_owned())
            .collect();
        let mut tested: BTreeSet<String> = WORDS
            .iter()
            .map(|(portuguese, english)| either(locale, portuguese, english).to_owned())
            .collect();
        tested.insert(either(locale, "ajuda", "help").to_owned());
        assert_eq!(named, tested);
        shell.leave();
    }
}

#[test]
fn every_word_works_in_either_language_and_has_its_help() {
    let house = House::open_with(SECRET);
    for locale in LOCALES {
        for (one, other) in WORDS.iter().chain(&ALWAYS) {
            let helps = [one, other].map(|word| piped(&house, locale, &format!("ajuda {word}")));
            assert_eq!(helps[0], helps[1], "{one} and {other}");
            says(&helps[0], either(locale, "Uso:", "Usage:"));
            for word in [one, other] {
                says(&helps[0], word);
            }
        }
    }
}

#[test]
fn listar_says_that_the_server_is_empty_and_then_what_it_holds() {
    for locale in LOCALES {
        let (house, shell) = opened(locale);
        let list = either(locale, "listar", "list");
        says(
            &shell.run(list),
            either(locale, "O servidor está vazio.", "The server is empty."),
        );
        house.serve_file("small.txt", content(10));
        house.serve_file("large.bin", content(2_000_000));
        house.serve_file("folder/inner.txt", content(1));
        let seen = shell.run(list);
        says(&seen, "folder/");
        says(&seen, either(locale, "2,0 MB", "2.0 MB"));
        says(&seen, "small.txt");
        assert!(!seen.join("\n").contains("inner.txt"));

        let place = |lines: &[String], name: &str| {
            let found = lines.iter().position(|line| line.contains(name));
            found.unwrap_or_else(|| panic!("{name} is not in {lines:#?}"))
        };
        let seen = shell.run(&format!("{list} --sort size --reverse"));
        assert!(place(&seen, "large.bin") < place(&seen, "small.txt"));
        let seen = shell.run(&format!("{list} *.txt"));
        assert!(seen.join("\n").contains("small.txt") && !seen.join("\n").contains("large"));
        says(&shell.run(&format!("{list} folder")), "inner.txt");
        says(&shell.run(&format!("{list} -l small.txt")), "small.txt");
        let seen = shell.run(&format!("{list} nada"));
        says(&seen, "nada");
        says(&seen, either(locale, "não", "no"));
        shell.leave();
    }
}

#[test]
fn enviar_sends_files_folders_and_patterns_to_where_they_belong() {
    for locale in LOCALES {
        let (house, shell) = opened(locale);
        let send = either(locale, "enviar", "send");
        for name in ["a.txt", "b.txt", "photos/1.jpg", "photos/deep/2.jpg"] {
            house.write(name, name);
        }
        house.write("dois nomes.txt", "x");
        says(
            &shell.run(&format!("{send} a.txt 'dois nomes.txt'")),
            either(locale, "enviados e conferidos", "sent and verified"),
        );
        shell.run(&format!("{send} photos"));
        shell.run(&format!("{} into", either(locale, "pasta", "mkdir")));
        shell.run(&format!("{send} *.txt into/"));
        shell.run(&format!(
            "{send} a.txt {} into/c.txt",
            either(locale, "--para", "--to")
        ));
        assert_eq!(
            tree(house.served.path()),
            [
                "a.txt",
                "dois nomes.txt",
                "into/",
                "into/a.txt",
                "into/b.txt",
                "into/c.txt",
                "into/dois nomes.txt",
                "photos/",
                "photos/1.jpg",
                "photos/deep/",
                "photos/deep/2.jpg",
            ]
        );
        says(&shell.run(&format!("{send} nada.txt")), "nada.txt");
        shell.leave();
    }
}

#[test]
fn enviar_asks_before_it_replaces_and_takes_all_for_an_answer() {
    for locale in LOCALES {
        let (house, shell) = opened(locale);
        for name in ["a.txt", "b.txt", "c.txt"] {
            house.write(name, "mine");
            house.serve_file(name, "theirs");
        }
        let asked = either(locale, "Substituir", "Replace");
        let mark = shell.enter(&format!("{} a.txt", either(locale, "enviar", "send")));
        let seen = shell.attend(mark, &[(asked, "n")]);
        says(&seen, asked);
        assert_eq!(house.served("a.txt"), b"theirs");

        // Only the administrator replaces: the password is asked for, and not shown.
        let mark = shell.enter(&format!(
            "{} a.txt b.txt c.txt",
            either(locale, "enviar", "send")
        ));
        let seen = shell.attend(mark, &[WHO, (asked, either(locale, "todos", "all"))]);
        assert_eq!(seen.join("\n").matches(asked).count(), 1, "{seen:#?}");
        assert!(!seen.join("\n").contains(SECRET), "{seen:#?}");
        for name in ["a.txt", "b.txt", "c.txt"] {
            assert_eq!(house.served(name), b"mine");
        }
        shell.leave();
    }
}

#[test]
fn baixar_gets_files_folders_and_patterns_to_where_they_belong() {
    for locale in LOCALES {
        let (house, shell) = opened(locale);
        let get = either(locale, "baixar", "get");
        for name in ["a.txt", "b.txt", "photos/1.jpg", "photos/deep/2.jpg"] {
            house.serve_file(name, name);
        }
        fs::create_dir(house.home.path().join("into")).unwrap();
        says(
            &shell.run(&format!("{get} a.txt b.txt")),
            either(locale, "baixados e conferidos", "got and verified"),
        );
        shell.run(&format!("{get} photos"));
        shell.run(&format!("{get} *.txt into/"));
        for name in ["a.txt", "photos/deep/2.jpg"] {
            assert_eq!(house.local(name), name.as_bytes());
        }
        assert_eq!(house.local("into/b.txt"), b"b.txt");

        house.write("a.txt", "mine");
        let mark = shell.enter(&format!("{get} a.txt"));
        let asked = either(locale, "Substituir", "Replace");
        shell.attend(mark, &[(asked, either(locale, "s", "y"))]);
        assert_eq!(house.local("a.txt"), b"a.txt");
        says(&shell.run(&format!("{get} nada")), "nada");
        shell.leave();
    }
}

#[test]
fn deletar_takes_a_name_and_a_password_or_asks_for_it_unseen() {
    for locale in LOCALES {
        let (house, shell) = opened(locale);
        for name in ["a", "b", "c", "d"] {
            house.serve_file(name, "x");
        }
        let delete = either(locale, "deletar", "delete");
        let gone = either(locale, "Arquivo deletado!", "File deleted!");
        let wrong = shell.run(&format!("{delete} a errada"));
        says(&wrong, either(locale, "senha", "password"));
        assert!(house.served.path().join("a").exists());

        let mark = shell.enter(&format!("{delete} a"));
        let seen = shell.attend(mark, &[WHO]);
        says(&seen, gone);
        assert!(!seen.join("\n").contains(SECRET), "{seen:#?}");
        // Remembered, and a given one as well.
        says(&shell.run(&format!("{delete} b")), gone);
        says(&shell.run(&format!("{delete} c {SECRET}")), gone);
        says(&shell.run(&format!("{delete} nada {SECRET}")), "nada");
        assert_eq!(tree(house.served.path()), ["d"]);
        shell.leave();

        let history = history(&house);
        assert!(!history.contains(SECRET), "{history}");
        assert!(history.contains(&format!("{delete} a")), "{history}");
    }
}

/// The history file, as it lies there.
fn history(house: &House) -> String {
    fs::read_to_string(house.home.path().join("state/gaveta/history")).unwrap()
}

#[test]
fn rm_takes_several_and_asks_once() {
    for locale in LOCALES {
        let (house, shell) = opened(locale);
        for name in ["a.txt", "b.txt", "c", "folder/inner"] {
            house.serve_file(name, "x");
        }
        let rm = either(locale, "remover", "rm");
        let mark = shell.enter(&format!("{rm} *.txt c"));
        let sure = either(locale, "Deletar ", "Delete ");
        let seen = shell.attend(mark, &[WHO, (sure, either(locale, "s", "y"))]);
        assert_eq!(seen.join("\n").matches(sure).count(), 1, "{seen:#?}");
        assert_eq!(tree(house.served.path()), ["folder/", "folder/inner"]);
        says(&shell.run(&format!("{rm} -y folder")), "-r");
        let mark = shell.enter(&format!("{rm} -r folder"));
        shell.attend(mark, &[(sure, "n")]);
        assert!(house.served.path().join("folder").exists());
        shell.run(&format!("{rm} -r -y folder"));
        assert_eq!(tree(house.served.path()), Vec::<String>::new());
        shell.leave();
    }
}

#[test]
fn mover_copiar_and_pasta_arrange_what_is_there() {
    for locale in LOCALES {
        let (house, shell) = opened(locale);
        house.serve_file("a", "a");
        house.serve_file("b", "b");
        let word = |portuguese, english| either(locale, portuguese, english);
        shell.run(&format!("{} x 'y z'", word("pasta", "mkdir")));
        shell.run(&format!("{} -p deep/er/est", word("pasta", "mkdir")));
        let mark = shell.enter(&format!("{} a c", word("copiar", "copy")));
        shell.attend(mark, &[WHO]);
        // Renaming wants the administrator, who has signed in or does so now.
        let mark = shell.enter(&format!("{} a new", word("mover", "move")));
        shell.attend(mark, &[WHO]);
        shell.run(&format!("{} b new x/", word("mover", "mv")));
        assert_eq!(
            tree(house.served.path()),
            [
                "c",
                "deep/",
                "deep/er/",
                "deep/er/est/",
                "x/",
                "x/b",
                "x/new",
                "y z/"
            ]
        );
        assert_eq!(house.served("x/new"), b"a");
        says(
            &shell.run(&format!("{} nada y", word("mover", "move"))),
            "nada",
        );
        says(&shell.run(&format!("{} x", word("pasta", "mkdir"))), "x");
        shell.leave();
    }
}

#[test]
fn entrar_and_onde_change_what_names_mean() {
    for locale in LOCALES {
        let (house, shell) = opened(locale);
        let word = |portuguese, english| either(locale, portuguese, english);
        house.serve_file("dir one/below/file.txt", "x");
        house.write("mine.txt", "mine");
        says(&shell.run(word("onde", "pwd")), "/");
        shell.run(&format!("{} 'dir one'", word("entrar", "cd")));
        let prompt = shell.terminal.look(|screen| screen.cursor_line());
        assert!(prompt.contains("/dir one"), "{prompt}");
        shell.run(&format!("{} below/", word("entrar", "cd")));
        says(&shell.run(word("onde", "pwd")), "/dir one/below");
        says(&shell.run(word("listar", "list")), "file.txt");
        shell.run(&format!("{} mine.txt", word("enviar", "send")));
        assert_eq!(house.served("dir one/below/mine.txt"), b"mine");
        shell.run(&format!("{} ..", word("entrar", "cd")));
        says(&shell.run(word("onde", "pwd")), "/dir one");
        shell.run(&format!("{} ../../..", word("entrar", "cd")));
        says(
            &shell.run(&format!("{} nada", word("entrar", "cd"))),
            "nada",
        );
        says(
            &shell.run(&format!(
                "{} '/dir one/below/file.txt'",
                word("entrar", "cd")
            )),
            "file.txt",
        );
        shell.leave();
    }
}

#[test]
fn local_lpwd_and_lls_are_about_this_machine() {
    for locale in LOCALES {
        let (house, shell) = opened(locale);
        house.write("here/mine.txt", "mine");
        says(&shell.run("lls"), "here/");
        shell.run(&format!("{} here", either(locale, "local", "lcd")));
        says(&shell.run("lpwd"), "/here");
        says(&shell.run("lls"), "mine.txt");
        shell.run(&format!("{} mine.txt", either(locale, "enviar", "send")));
        assert_eq!(house.served("mine.txt"), b"mine");
        let lcd = either(locale, "local", "lcd");
        says(&shell.run(&format!("{lcd} nowhere")), "nowhere");
        shell.leave();
    }
}

#[test]
fn info_ver_and_espaco_show_what_there_is() {
    for locale in LOCALES {
        let (house, shell) = opened(locale);
        house.serve_file("poem.txt", "uma linha\noutra linha\n");
        let seen = shell.run("info poem.txt");
        says(&seen, "poem.txt");
        says(&seen, "22");
        let seen = shell.run(&format!("{} poem.txt", either(locale, "ver", "cat")));
        assert_eq!(seen, ["uma linha", "outra linha"]);
        let seen = shell.run(either(locale, "espaço", "df"));
        says(&seen, either(locale, "GB", "GB"));
        // No end of line at its end: the prompt still begins a row.
        house.serve_file("short", "no end");
        assert_eq!(shell.run("cat short")[0], "no end");
        says(&shell.run("cat nada"), "nada");
        shell.leave();
    }
}

#[test]
fn eventos_tells_what_others_do_above_the_prompt_until_switched_off() {
    for locale in LOCALES {
        let (house, shell) = opened(locale);
        house.write("relatório.pdf", "x");
        shell.type_line("lista");
        house.run(["send", "relatório.pdf", &house.at("")]).ok();
        shell.terminal.wait_for("relatório.pdf");
        // What was being typed is still there, and goes on.
        shell
            .terminal
            .wait_until("the line as it was typed", |screen| {
                screen.cursor_line().ends_with("> lista").then_some(())
            });
        let seen = shell.run("r");
        assert_eq!(
            seen.iter()
                .filter(|line| line.contains("relatório.pdf"))
                .count(),
            1,
            "{seen:#?}"
        );

        shell.run(&format!(
            "{} {}",
            either(locale, "eventos", "events"),
            either(locale, "desliga", "off")
        ));
        let quiet = shell.terminal.mark();
        house.write("second.txt", "x");
        house.run(["send", "second.txt", &house.at("")]).ok();
        // A command's answer comes after an event would have.
        shell.run("pwd");
        shell.run("pwd");
        let after = shell.terminal.look(|screen| screen.lines_from(quiet));
        assert!(!after.join("\n").contains("second.txt"), "{after:#?}");
        shell.run(&format!("{} on", either(locale, "eventos", "events")));
        house.write("third.txt", "x");
        house.run(["send", "third.txt", &house.at("")]).ok();
        shell.terminal.wait_for("third.txt");
        shell.leave();
    }
}

#[test]
fn sair_says_goodbye_as_the_seed_did() {
    for (locale, words) in [
        (PORTUGUESE, ["sair", "exit", "quit", "EXIT"]),
        (ENGLISH, ["exit", "sair", "quit", "Sair"]),
    ] {
        for word in words {
            let (_house, mut shell) = opened(locale);
            shell.enter(word);
            assert_eq!(shell.terminal.exit_code(), 0);
            shell.terminal.wait_for(either(
                locale,
                "Você foi desconectado do servidor.",
                "You were disconnected from the server.",
            ));
        }
    }
}
