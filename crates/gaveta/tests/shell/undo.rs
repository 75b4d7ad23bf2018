//! Undo in the shell: right after a deletion, and everything about the trash, in both languages.

use crate::common::{House, PASSWORD};
use crate::harness::{LOCALES, SECRET, Shell, either, says};

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
        says(&shell.run(undo), "a.txt");
        assert_eq!(house.served("a.txt"), b"a.txt");
        // All that one command deleted.
        says(
            &shell.run("rm -y -r *.txt d"),
            either(locale, "desfazer", "undo"),
        );
        shell.run(undo);
        assert_eq!(house.served("b.txt"), b"b.txt");
        assert_eq!(house.served("d/c"), b"d/c");
        shell.leave();
    }
}

#[test]
fn the_trash_is_listed_restored_and_emptied() {
    for locale in LOCALES {
        let (house, shell) = opened(locale);
        house.serve_file("a", "old");
        let delete = either(locale, "deletar", "delete");
        shell.run(&format!("{delete} a {SECRET}"));
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
