//! Undo in the shell: right after a deletion, and everything about the trash, in both languages.

use std::process::Command;

use gaveta_testkit::terminal::{Key, Plan};

use crate::common::{House, PASSWORD, finish};
use crate::harness::{LOCALES, SECRET, Shell, WHO, command, either, says};

fn opened(locale: &str) -> (House, Shell) {
    let house = House::open_with(SECRET);
    let shell = Shell::in_locale(&house, locale);
    (house, shell)
}

#[test]
fn what_was_deleted_comes_back_with_one_word() {
    assert_ne!(PASSWORD, SECRET);
    for locale in LOCALES {
        let (house, shell) = opened(locale);
        for name in ["a.txt", "b.txt", "d/c"] {
            house.serve_file(name, name);
        }
        let (delete, undo) = (
            either(locale, "deletar", "delete"),
            either(locale, "desfazer", "undo"),
        );
        let gone = either(
            locale,
            "Arquivo deletado! Para trazê-lo de volta: desfazer",
            "File deleted! To bring it back: undo",
        );
        says(&shell.run(&format!("{delete} a.txt {SECRET}")), gone);
        assert!(!house.served.path().join("a.txt").exists());
        // The password was lent for that one command.
        let mark = shell.enter(undo);
        says(&shell.attend(mark, &[WHO]), "a.txt");
        assert_eq!(house.served("a.txt"), b"a.txt");
        // All that one command deleted.
        let mark = shell.enter("rm -y -r *.txt d");
        says(
            &shell.attend(mark, &[WHO]),
            either(locale, "desfazer", "undo"),
        );
        shell.run(undo);
        assert_eq!(house.served("b.txt"), b"b.txt");
        assert_eq!(house.served("d/c"), b"d/c");
        shell.leave();
    }
}

/// Issue 5: the password lends the administrator's right for that one command.
#[test]
fn a_password_among_the_words_is_lent_for_one_command() {
    for locale in LOCALES {
        let (house, shell) = opened(locale);
        for name in ["a", "b", "c"] {
            house.serve_file(name, name);
        }
        let delete = either(locale, "deletar", "delete");
        let gone = either(locale, "Arquivo deletado!", "File deleted!");
        let seen = shell.run(&format!("{delete} a {SECRET}"));
        says(&seen, gone);
        assert!(!house.served.path().join("a").exists());
        // It is asked for again; nobody gives it, and nothing happens.
        let mark = shell.enter(&format!("{delete} b"));
        shell.terminal.wait_until("the question", |screen| {
            let rows = screen.lines_from(mark.next()).join("\n");
            rows.contains(WHO.0).then_some(())
        });
        shell.terminal.press(Key::Control('c'));
        shell.rest(mark);
        assert_eq!(house.served("b"), b"b");
        // A wrong one lends nothing.
        shell.run(&format!("{delete} b wrong"));
        assert_eq!(house.served("b"), b"b");
        // Who gives it when he is asked is signed in from then on: lending changes nothing.
        let mark = shell.enter(&format!("{delete} b"));
        says(&shell.attend(mark, &[WHO]), gone);
        says(&shell.run(&format!("{delete} c {SECRET}")), gone);
        says(&shell.run(either(locale, "desfazer", "undo")), "c");
        assert_eq!(house.served("c"), b"c");
        shell.leave();
    }
}

/// Who signed in under her name and may not delete, too: what the lent password deleted comes back
/// with the same password, and not without it.
#[test]
fn what_a_lent_password_deleted_comes_back_with_it() {
    for locale in LOCALES {
        let house = House::open_with(SECRET);
        house.serve_file("a", "a");
        let mut add = house.client(["account", "add", "ana", "--grant", "/=viewer"]);
        add.arg("--state-dir").arg(house.home.path().join("state"));
        finish(add, b"a horse of hers\n").ok();
        let as_ana = |mut command: Command| {
            command
                .env("GAVETA_USER", "ana")
                .env("GAVETA_PASSWORD", "a horse of hers");
            command
        };
        let delete = format!("{} a {SECRET}", either(locale, "deletar", "delete"));
        let undo = either(locale, "desfazer", "undo");
        // Where nobody can be asked.
        let mut script = as_ana(command(&house, locale, house.port));
        script.args(["-c", &format!("{delete}; {undo}")]);
        let run = finish(script, b"");
        assert_eq!(run.code(), 4, "{}", run.err);
        assert!(!house.served.path().join("a").exists());
        house.serve_file("a", "again");
        let shell = Shell::start(as_ana(command(&house, locale, house.port)), Plan::default());
        says(&shell.run(&delete), undo);
        assert!(!house.served.path().join("a").exists());
        let mark = shell.enter(undo);
        says(&shell.attend(mark, &[WHO]), "a");
        assert_eq!(house.served("a"), b"again");
        // She is who she was.
        shell.run(&format!("{} a", either(locale, "deletar", "delete")));
        assert_eq!(house.served("a"), b"again");
        shell.leave();
    }
}

/// What is deleted so is one's own deletion: nobody is told of it as of somebody else's.
#[test]
fn a_deletion_by_a_lent_password_is_not_told_as_an_event() {
    for locale in LOCALES {
        let (house, shell) = opened(locale);
        house.serve_file("a", "1");
        house.write("b", "2");
        let delete = either(locale, "deletar", "delete");
        let mark = shell.enter(&format!("{delete} a {SECRET}"));
        shell.rest(mark);
        // What another one does afterwards is told after it.
        house.run(["send", "b", &house.at("b")]).ok();
        let seen = shell.terminal.wait_until("the other's event", |screen| {
            let rows = screen.lines_from(mark.next()).join("\n");
            rows.contains(either(locale, "enviou b", "sent b"))
                .then_some(rows)
        });
        let told = either(locale, "o administrador", "the administrator");
        assert!(!seen.contains(told), "{seen}");
        shell.leave();
    }
}

#[test]
fn the_trash_is_listed_restored_and_emptied() {
    for locale in LOCALES {
        let (house, shell) = opened(locale);
        house.serve_file("a", "old");
        let delete = either(locale, "deletar", "delete");
        let mark = shell.enter(&format!("{delete} a"));
        shell.attend(mark, &[WHO]);
        let trash = either(locale, "lixeira", "trash");
        says(&shell.run(trash), "admin");
        house.serve_file("a", "new");
        // Asked, never overwritten.
        let mark = shell.enter(&format!("{} a", either(locale, "restaurar", "restore")));
        let asked = either(locale, "Pôr o antigo ao [l]ado", "Put the old one [b]eside");
        shell.attend(mark, &[(asked, either(locale, "s", "r"))]);
        assert_eq!(house.served("a"), b"old");
        let versions = shell.run(&format!("{} a", either(locale, "versões", "versions")));
        says(
            &versions,
            either(locale, "1 versão anterior", "1 earlier version"),
        );
        let mark = shell.enter(either(locale, "esvaziar", "purge"));
        let asked = either(locale, "Destruir isto", "Destroy this");
        shell.attend(mark, &[(asked, either(locale, "s", "y"))]);
        says(
            &shell.run(trash),
            either(locale, "Não há nada", "holds nothing"),
        );
        says(
            &shell.run(either(locale, "verificar", "verify")),
            either(locale, "Verificado", "Verified"),
        );
        shell.leave();
    }
}
