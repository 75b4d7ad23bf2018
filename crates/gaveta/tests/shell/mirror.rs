//! Mirrors and the uploads under way, typed in the shell from where one is.

use std::fs;

use crate::common::{House, content, tree};
use crate::harness::{LOCALES, SECRET, Shell, WHO, either, says};

fn mirrored(locale: &str, lines: &[String], count: &str) {
    says(lines, either(locale, count, count));
    says(lines, either(locale, "igua", "same"));
}

#[test]
fn espelhar_goes_from_here_to_the_folder_one_is_in_and_back() {
    for locale in LOCALES {
        let house = House::open_with(SECRET);
        house.serve_file("backup/old.txt", "old");
        for name in ["photos/1.jpg", "photos/deep/2.jpg"] {
            house.write(name, name);
        }
        let shell = Shell::in_locale(&house, locale);
        let mirror = either(locale, "espelhar", "mirror");
        shell.run(either(locale, "entrar backup", "cd backup"));
        shell.run(&format!("{mirror} photos"));
        assert_eq!(
            house.served("backup/photos/deep/2.jpg"),
            b"photos/deep/2.jpg"
        );
        // Only what differs goes, to a target that was said, too.
        house.write("photos/3.jpg", "three");
        let seen = shell.run(&format!("{mirror} photos/ /backup/photos"));
        mirrored(locale, &seen, "1");
        assert_eq!(house.served("backup/photos/3.jpg"), b"three");
        // What only the server has goes when it is said so, and after a question.
        fs::remove_file(house.home.path().join("photos/1.jpg")).unwrap();
        let mark = shell.enter(&format!("{mirror} --delete photos"));
        let delete = (
            either(locale, "Deletar", "Delete"),
            either(locale, "s", "y"),
        );
        shell.attend(mark, &[WHO, delete]);
        assert!(!house.served.path().join("backup/photos/1.jpg").exists());
        assert_eq!(house.served("backup/old.txt"), b"old");
        // The other way.
        house.serve_file("backup/photos/4.jpg", "four");
        let back = either(locale, "--baixar", "--get");
        shell.run(&format!("{mirror} {back} photos"));
        assert_eq!(house.local("photos/4.jpg"), b"four");
        shell.run(&format!("{mirror} {back} photos there/copy"));
        assert_eq!(house.local("there/copy/deep/2.jpg"), b"photos/deep/2.jpg");
        assert!(!house.home.path().join("there/copy/1.jpg").exists());
        // What has no name needs a target.
        let seen = shell.run(&format!("{mirror} ."));
        says(
            &seen,
            either(locale, "onde fica o espelho", "where the mirror"),
        );
        says(&shell.run(&format!("{mirror} nada")), "nada");
        shell.leave();
    }
}

#[test]
fn espelhar_completes_folders_of_the_side_it_comes_from() {
    for locale in LOCALES {
        let house = House::open_with(SECRET);
        house.serve_file("far-folder/x", "x");
        house.write("near-folder/y", "y");
        house.write("near-file", "y");
        let shell = Shell::in_locale(&house, locale);
        for (typed, completed) in [
            (
                either(locale, "espelhar near", "mirror near"),
                "near-folder/",
            ),
            (
                either(locale, "espelhar --baixar far", "mirror --get far"),
                "far-folder/",
            ),
        ] {
            shell.type_line(typed);
            shell.terminal.press(gaveta_testkit::terminal::Key::Tab);
            shell.terminal.wait_until("a completion", |screen| {
                screen.cursor_line().ends_with(completed).then_some(())
            });
            shell
                .terminal
                .press(gaveta_testkit::terminal::Key::Control('u'));
            shell.wait_for_prompt(None);
        }
        shell.leave();
    }
}

#[test]
fn envios_lists_what_is_under_way_here_and_ends_it() {
    for locale in LOCALES {
        let house = House::open_with(SECRET);
        // Begun by somebody who went away.
        house.write("big.bin", content(12 << 20));
        let at = house.at("");
        let mut gone = house.client(["send", "big.bin", &at, "--limit-rate", "2M"]);
        let mut gone = gone.spawn().unwrap();
        let shell = Shell::in_locale(&house, locale);
        let uploads = either(locale, "envios", "uploads");
        let mark = shell.enter(uploads);
        let mut seen = shell.attend(mark, &[WHO]);
        // The first may come before it is begun.
        while !seen.concat().contains("big.bin") {
            seen = shell.run(uploads);
            assert!(gone.try_wait().unwrap().is_none(), "{seen:#?}");
        }
        gone.kill().unwrap();
        gone.wait().unwrap();
        says(
            &shell.run(&format!("{uploads} host")),
            either(locale, "deste servidor", "this server"),
        );
        let mark = shell.enter(&format!("{uploads} --end-all"));
        let question = (either(locale, "ncerrar", "nd "), either(locale, "s", "y"));
        shell.attend(mark, &[question]);
        let seen = shell.run(uploads);
        assert!(!seen.concat().contains("big.bin"), "{seen:#?}");
        assert_eq!(tree(house.served.path()), Vec::<String>::new());
        shell.leave();
    }
}
