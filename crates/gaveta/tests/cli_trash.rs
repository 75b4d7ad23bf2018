//! Undo on the command line: trash, restore, versions, purge, undo and verify, in both languages.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may"
)]

mod common;

use std::fs;
use std::os::unix::fs::FileExt;

use common::{House, PASSWORD, Run, finish, gaveta};

const LANGS: [&str; 2] = ["pt-BR", "en"];

fn say<'a>(lang: &str, portuguese: &'a str, english: &'a str) -> &'a str {
    if lang == "pt-BR" { portuguese } else { english }
}

/// As the administrator, in this language.
fn admin(house: &House, lang: &str, args: &[&str]) -> Run {
    let mut command = house.client(["--lang", lang]);
    command.args(args).env("GAVETA_PASSWORD", PASSWORD);
    finish(command, b"")
}

#[test]
fn what_is_deleted_is_listed_and_brought_back() {
    for lang in LANGS {
        let house = House::open();
        house.serve_file("d/a", "one");
        house.serve_file("d/b", "two");
        house.serve_file("c", "three");
        admin(&house, lang, &["rm", "-r", &house.at("d")]).ok();
        admin(&house, lang, &["delete", &house.at("c")]).ok();
        let trash = say(lang, "lixeira", "trash");
        let listed = admin(&house, lang, &[trash, &house.at("")]).ok();
        let lines = listed.lines();
        assert_eq!(lines.len(), 2);
        assert!(
            lines[0].ends_with("/c") && lines[1].ends_with("/d"),
            "{lines:?}"
        );
        assert!(lines[0].contains(say(lang, "deletado", "deleted")) && lines[0].contains("admin"));
        assert!(
            listed.err.contains(say(lang, "30 dias", "30 days")),
            "{}",
            listed.err
        );
        let objects = admin(&house, lang, &[trash, "--json", &house.at("d")])
            .ok()
            .json();
        assert_eq!(
            (&objects[0]["type"], &objects[0]["entry"]["path"]),
            (&"trashed".into(), &"d".into())
        );
        assert_eq!(objects.len(), 2);
        // A visitor sees it, and may not bring it back.
        let restore = say(lang, "restaurar", "restore");
        house.run([restore, &house.at("c")]).ends(4);
        let back = admin(&house, lang, &[restore, &house.at("d")]).ok();
        assert!(
            back.err.contains(say(lang, "de volta", "brought back")),
            "{}",
            back.err
        );
        assert_eq!(house.served("d/b"), b"two");
        admin(&house, lang, &[restore, &house.at("d")]).ends(5);
        // By its id, to another place.
        let id = lines[0].split(' ').next().unwrap();
        let to = house.at("new/place");
        admin(
            &house,
            lang,
            &[restore, "--id", id, &house.at(""), "--to", &to],
        )
        .ok();
        assert_eq!(house.served("new/place"), b"three");
        admin(&house, lang, &[restore, "--id", "abc", &house.at("")]).ends(2);
        let undo = say(lang, "desfazer", "undo");
        admin(&house, lang, &[undo, &house.at("")]).ends(5);
        admin(&house, lang, &["delete", &house.at("new/place")]).ok();
        admin(&house, lang, &[undo, &house.at("")]).ok();
        assert_eq!(house.served("new/place"), b"three");
    }
}

#[test]
fn what_stands_in_the_way_is_never_replaced_silently() {
    for lang in LANGS {
        let house = House::open();
        let restore = say(lang, "restaurar", "restore");
        house.serve_file("a.txt", "old");
        admin(&house, lang, &["delete", &house.at("a.txt")]).ok();
        house.serve_file("a.txt", "new");
        admin(&house, lang, &[restore, &house.at("a.txt")]).ends(6);
        assert_eq!(house.served("a.txt"), b"new");
        admin(&house, lang, &[restore, "--beside", &house.at("a.txt")]).ok();
        let beside = say(lang, "a (restaurado).txt", "a (restored).txt");
        assert_eq!(house.served(beside), b"old");
        admin(
            &house,
            lang,
            &["delete", &house.at(&beside.replace(' ', "%20"))],
        )
        .code();
        // Everything deleted since a time: each to its place.
        for name in ["x/1", "x/2", "y"] {
            house.serve_file(name, name);
            admin(&house, lang, &["delete", &house.at(name)]).ok();
        }
        admin(&house, lang, &["rm", "-r", &house.at("x")]).ok();
        let all = [
            restore,
            "--since",
            "1h",
            "--by",
            "admin",
            "--beside",
            &house.at(""),
        ];
        admin(&house, lang, &all).ok();
        for name in ["x/1", "x/2", "y"] {
            assert_eq!(house.served(name), name.as_bytes());
        }
    }
}

#[test]
fn versions_are_listed_compared_fetched_and_brought_back() {
    for lang in LANGS {
        let house = House::open();
        for text in ["one", "two", "one"] {
            house.write("f", text);
            admin(&house, lang, &["send", "--replace", "f", &house.at("")]).ok();
        }
        let versions = say(lang, "versões", "versions");
        let listed = admin(&house, lang, &[versions, &house.at("f")]).ok();
        let lines = listed.lines();
        assert_eq!(lines.len(), 3, "{lines:?}");
        assert!(lines[0].ends_with(say(lang, "atual", "current")));
        assert!(
            lines[2].ends_with(say(lang, "igual ao atual", "same as the current one")),
            "{lines:?}"
        );
        assert!(!lines[1].contains(say(lang, "igual", "same")));
        let id = lines[1].split(' ').next().unwrap();
        admin(
            &house,
            lang,
            &[versions, &house.at("f"), "--get", id, "--to", "old"],
        )
        .ok();
        assert_eq!(house.local("old"), b"two");
        admin(
            &house,
            lang,
            &[versions, &house.at("f"), "--get", id, "--to", "old"],
        )
        .ends(6);
        admin(&house, lang, &[versions, &house.at("f"), "--restore", id]).ok();
        assert_eq!(house.served("f"), b"two");
        let objects = admin(&house, lang, &[versions, "--json", &house.at("f")])
            .ok()
            .json();
        assert_eq!(objects.len(), 3);
        assert_eq!(objects[0]["current"], true);
        admin(&house, lang, &[versions, &house.at("nothing")]).ends(5);
    }
}

#[test]
fn the_trash_is_emptied_by_who_may_and_who_says_so() {
    for lang in LANGS {
        let house = House::open();
        let purge = say(lang, "esvaziar", "purge");
        for name in ["a", "b", "d/c"] {
            house.serve_file(name, name);
            admin(&house, lang, &["delete", &house.at(name)]).ok();
        }
        house.run([purge, "--yes", &house.at("")]).ends(4);
        admin(&house, lang, &[purge, &house.at("")]).ends(2);
        let gone = admin(&house, lang, &[purge, "--yes", "--json", &house.at("d")])
            .ok()
            .json();
        assert_eq!(gone[0]["things"], 1);
        let gone = admin(&house, lang, &[purge, "--yes", "--json", &house.at("")])
            .ok()
            .json();
        assert_eq!(gone[0]["things"], 2);
        let left = admin(&house, lang, &["trash", &house.at("")]).ok();
        assert!(left.lines().is_empty());
        house.serve_file("for good", "x");
        admin(&house, lang, &["rm", "--forever", &house.at("for good")]).ok();
        assert!(
            admin(&house, lang, &["trash", &house.at("")])
                .ok()
                .lines()
                .is_empty()
        );
    }
}

#[test]
fn rot_is_found_and_a_good_version_offered_here_and_over_the_line() {
    for lang in LANGS {
        let mut house = House::open();
        for text in ["first", "other"] {
            house.write("rots", text);
            admin(&house, lang, &["send", "--replace", "rots", &house.at("")]).ok();
        }
        for name in ["sound", "edited"] {
            house.write(name, name);
            admin(&house, lang, &["send", name, &house.at("")]).ok();
        }
        house.serve_file("foreign", "x");
        fs::write(house.served.path().join("edited"), "by another program").unwrap();
        let verify = say(lang, "verificar", "verify");
        admin(&house, lang, &[verify, &house.at("")]).ok();
        let rots = house.served.path().join("rots");
        let time = fs::metadata(&rots).unwrap().modified().unwrap();
        let file = fs::File::options().write(true).open(&rots).unwrap();
        file.write_all_at(b"0", 0).unwrap();
        file.set_modified(time).unwrap();
        house.run([verify, &house.at("")]).ends(4);
        let check = |run: Run| {
            let run = run.ends(1);
            let text = run.text();
            let rotten = say(lang, "estragado: rots", "damaged: rots");
            let edited = say(
                lang,
                "mudado por outro programa: edited",
                "changed by another program: edited",
            );
            let foreign = say(
                lang,
                "nada com que comparar: foreign",
                "nothing to compare with: foreign",
            );
            for words in [
                rotten,
                edited,
                foreign,
                say(lang, "restaurar --id", "restore --id"),
            ] {
                assert!(text.contains(words), "{words:?} is not in {text}");
            }
            assert!(!text.contains("sound:"), "{text}");
        };
        check(admin(&house, lang, &[verify, "--afresh", &house.at("")]));
        let objects = admin(&house, lang, &[verify, "--afresh", "--json", &house.at("")])
            .ends(1)
            .json();
        let rotten = objects
            .iter()
            .find(|object| object["kind"] == "rotten")
            .unwrap();
        let better = rotten["better"].as_str().unwrap().to_owned();
        let summary = objects.last().unwrap();
        assert_eq!(
            (&summary["rotten"], &summary["changed"]),
            (&1.into(), &1.into())
        );
        assert_eq!(
            (&summary["undigested"], &summary["files"]),
            (&1.into(), &5.into())
        );
        // The same on the folder itself, when nobody serves it.
        let folder = house.served.path().to_str().unwrap().to_owned();
        let locked = admin(&house, lang, &[verify, &folder]);
        assert_ne!(locked.code(), 0);
        house.stop();
        let mut offline = gaveta();
        offline.args(["--lang", lang, verify, "--afresh", &folder]);
        check(finish(offline, b""));
        // The offered version is good.
        let house = House::on(std::mem::replace(
            &mut house.served,
            tempfile::tempdir().unwrap(),
        ));
        admin(
            &house,
            lang,
            &["restore", "--id", &better, "--replace", &house.at("")],
        )
        .ok();
        assert_eq!(house.served("rots"), b"first");
        admin(&house, lang, &[verify, "--afresh", &house.at("")]).ends(1);
    }
}
