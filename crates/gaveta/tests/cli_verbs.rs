//! The small verbs with the real binary against a real server.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may"
)]

mod common;

use std::fs;
use std::io::Read;

use common::{House, PASSWORD, finish, gaveta, tree, wait};

#[test]
fn listing_is_plain_for_programs() {
    let house = House::open();
    house.serve_file("b", "12345");
    house.serve_file("a|b", "1");
    house.serve_file("d/e", "123");
    assert_eq!(
        house.run(["list", &house.at("")]).ok().lines(),
        ["a|b", "b", "d/"]
    );
    assert_eq!(
        house.run(["ls", "-R", &house.at("")]).ok().lines(),
        ["a|b", "b", "d/", "d/e"]
    );
    assert_eq!(house.run(["listar", &house.at("d")]).ok().lines(), ["e"]);
    assert_eq!(house.run(["list", &house.at("d/e")]).ok().lines(), ["e"]);
    assert_eq!(
        house.run(["list", &house.at("*b")]).ok().lines(),
        ["a|b", "b"]
    );
    let by_size = house
        .run(["list", "--sort", "size", "--reverse", &house.at("")])
        .ok();
    assert_eq!(by_size.lines()[0], "b");
    let mut unsorted = house
        .run(["list", "--sort", "none", &house.at("")])
        .ok()
        .lines()
        .join(",");
    assert_eq!(unsorted.split(',').count(), 3);
    unsorted.clear();
    // Of several places the whole paths are told.
    let several = house.run(["list", &house.at("d"), &house.at("b")]).ok();
    assert_eq!(several.lines(), ["d/e", "b"]);
    let long = house.run(["list", "-l", &house.at("b")]).ok();
    let fields: Vec<_> = long.lines()[0].split('\t').collect();
    assert_eq!((fields[0], fields[2], fields[4]), ("file", "5", "b"));
    house.run(["list", &house.at("missing")]).ends(5);
    house.run(["list", &house.at("b/")]).ends(1);
}

#[test]
fn a_large_folder_is_listed_page_by_page_and_once() {
    let house = House::open();
    for i in 0..4500 {
        fs::write(house.served.path().join(format!("{i:05}")), "").unwrap();
    }
    let listed = house.run(["list", &house.at("")]).ok();
    let names = listed.lines();
    assert_eq!(names.len(), 4500);
    assert!(names.windows(2).all(|pair| pair[0] < pair[1]));
}

#[test]
fn hostile_names_on_the_servers_disk_are_escaped() {
    use std::os::unix::ffi::OsStrExt;
    let house = House::open();
    fs::write(house.served.path().join("\u{1b}[2Jevil"), "").unwrap();
    fs::write(
        house
            .served
            .path()
            .join(std::ffi::OsStr::from_bytes(b"\xff\xfe")),
        "",
    )
    .unwrap();
    house.serve_file("good", "");
    let run = house.run(["list", &house.at("")]).ok();
    assert_eq!(run.lines(), ["good"]);
    assert!(!run.err.contains('\u{1b}'), "{:?}", run.err);
    assert_eq!(run.err.matches("cannot be used").count(), 2, "{}", run.err);
    let objects = house.run(["list", "--json", &house.at("")]).ok().json();
    assert_eq!(objects.last().unwrap()["unnameable"], 2);
    // And they do not come along.
    let run = house.run(["get", &house.at(""), "to/"]).ok();
    assert!(run.err.contains("2 skipped"), "{}", run.err);
    assert_eq!(tree(&house.home.path().join("to")), ["good"]);
}

#[test]
fn delete_wants_the_password() {
    let house = House::open();
    for name in ["a", "b", "c", "d/e"] {
        house.serve_file(name, "x");
    }
    let run = house.run(["delete", &house.at("a")]).ends(4);
    assert!(run.err.contains("GAVETA_PASSWORD"), "{}", run.err);
    let run = house.run(["deletar", &house.at("a"), "wrong"]).ends(4);
    assert!(run.err.contains("wrong"), "{}", run.err);
    house.run(["deletar", &house.at("a"), PASSWORD]).ok();
    house.admin(["delete", &house.at("b")]).ok();
    let mut client = house.client(["delete", &house.at("c")]);
    client.arg("--password-file").arg(house.secret());
    finish(client, b"").ok();
    house.admin(["delete", &house.at("d")]).ends(6);
    house.admin(["delete", &house.at("missing")]).ends(5);
    house.admin(["delete", &house.at("")]).ends(1);
    assert_eq!(tree(house.served.path()), ["d/", "d/e"]);
    let run = house
        .run(["delete", &house.at("d/e"), "--password-file", "missing"])
        .ends(1);
    assert!(run.err.contains("missing"), "{}", run.err);
}

#[test]
fn rm_takes_several_and_folders_only_when_asked() {
    let house = House::open();
    for name in ["a", "b.txt", "c.txt", "d/e/f", "keep"] {
        house.serve_file(name, "x");
    }
    house.run(["rm", &house.at("a")]).ends(4);
    let run = house
        .admin(["rm", &house.at("d"), &house.at("a"), &house.at("*.txt")])
        .ends(1);
    assert!(run.err.contains("-r"), "{}", run.err);
    assert_eq!(tree(house.served.path()), ["d/", "d/e/", "d/e/f", "keep"]);
    house
        .admin(["rm", "-r", &house.at("d"), &house.at("missing")])
        .ends(5);
    assert_eq!(tree(house.served.path()), ["keep"]);
    house.admin(["rm", "-r", &house.at("")]).ends(1);
    assert_eq!(tree(house.served.path()), ["keep"]);
}

#[test]
fn move_copy_and_mkdir() {
    let house = House::open();
    house.serve_file("a", "a");
    house.serve_file("b", "b");
    house.run(["move", &house.at("a"), &house.at("c")]).ends(4);
    house.admin(["move", &house.at("a"), &house.at("c")]).ok();
    house
        .admin(["mover", &house.at("c"), &house.at("b")])
        .ends(6);
    assert_eq!(house.served("b"), b"b");
    house
        .admin(["mv", "--replace", &house.at("c"), &house.at("b")])
        .ok();
    assert_eq!(house.served("b"), b"a");
    house.run(["mkdir", &house.at("d")]).ok();
    house.run(["mkdir", &house.at("d")]).ends(6);
    house.run(["mkdir", &house.at("x/y/z")]).ends(5);
    house
        .run(["pasta", "-p", &house.at("x/y/z"), &house.at("d")])
        .ok();
    house.run(["copy", &house.at("b"), &house.at("d")]).ok();
    house
        .run(["copiar", &house.at("b"), &house.at("d/other")])
        .ok();
    house
        .admin(["move", &house.at("d/*"), &house.at("x/")])
        .ok();
    assert_eq!(
        tree(house.served.path()),
        ["b", "d/", "x/", "x/b", "x/other", "x/y/", "x/y/z/"]
    );
    house
        .admin(["move", &house.at("x"), &house.at("x/y/z")])
        .ends(1);
    let run = house
        .admin(["move", &house.at("b"), "elsewhere.example/b"])
        .ends(2);
    assert!(run.err.contains("two servers"), "{}", run.err);
    house
        .admin(["copy", &house.at("missing"), &house.at("q")])
        .ends(5);
    house
        .admin(["copy", &house.at("b"), &house.at("x"), &house.at("q")])
        .ends(2);
}

#[test]
fn info_tells_what_is_known() {
    let house = House::open();
    house.write("a", "hello");
    house.run(["send", "a", &house.at("")]).ok();
    let objects = house.run(["info", "--json", &house.at("a")]).ok().json();
    assert_eq!(objects[0]["size"], 5);
    assert_eq!(objects[0]["kind"], "file");
    let root = house.run(["info", "--json", &house.at("")]).ok().json();
    assert!(root[0]["free"].as_u64().unwrap() <= root[0]["total"].as_u64().unwrap());
    let text = house.run(["info", &house.at("a")]).ok();
    assert!(text.text().contains("Size: 5\n"), "{}", text.text());
    let text = house.run(["--lang", "pt-BR", "info", &house.at("a")]).ok();
    assert!(text.text().contains("Tamanho: 5\n"), "{}", text.text());
    house.run(["info", &house.at("missing")]).ends(5);
}

#[test]
fn a_reader_that_goes_away_ends_it_quietly() {
    let house = House::open();
    for i in 0..3000 {
        fs::write(house.served.path().join(format!("{i:0100}")), "").unwrap();
    }
    let mut client = house
        .client(["list", "--sort", "none", &house.at("")])
        .spawn()
        .unwrap();
    drop(client.stdout.take());
    let status = wait(&mut client);
    let mut err = String::new();
    client
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut err)
        .unwrap();
    assert_eq!((status.code(), err.as_str()), (Some(0), ""));
}

#[test]
fn nonsense_on_the_command_line_is_usage() {
    for args in [
        &["list"][..],
        &["send", "x"],
        &["list", "ftp://h/x"],
        &["list", "h:99999/x"],
        &["list", "/etc"],
        &["nonsense"],
        &["list", "--nonsense", "h/"],
        &["send", "--parallel", "0", "a", "h/"],
        &[],
    ] {
        let mut client = gaveta();
        client.args(args);
        let run = finish(client, b"").ends(2);
        assert!(!run.err.is_empty(), "{args:?}");
    }
}

#[test]
fn help_speaks_both_languages() {
    for (args, sentence) in [
        (&["--help"][..], "List what a folder holds"),
        (&["--lang", "pt-BR", "--help"], "Lista o que há numa pasta"),
        (&["--lang=pt-BR", "enviar", "--help"], "Substitui arquivos"),
        (&["send", "-h"], "Replace files"),
    ] {
        let mut client = gaveta();
        client.args(args);
        let run = finish(client, b"").ok();
        assert!(run.text().contains(sentence), "{}", run.text());
        assert!(!run.text().contains('‹'), "{}", run.text());
    }
    let mut client = gaveta();
    client
        .arg("--help")
        .env("LC_ALL", "pt_BR.UTF-8")
        .env("LANG", "pt_BR.UTF-8");
    assert!(finish(client, b"").ok().text().contains("Comandos"));
}
