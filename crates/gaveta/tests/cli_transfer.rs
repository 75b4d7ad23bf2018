//! `send` and `get` with the real binary against a real server.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::indexing_slicing,
    reason = "tests may"
)]

mod common;

use std::fs;

use common::{House, PASSWORD, content, finish, tree};

#[test]
fn files_of_every_kind_go_and_come_back() {
    let house = House::open();
    let files: [(&str, Vec<u8>); 9] = [
        ("empty", Vec::new()),
        ("five thousand", content(5000)),
        ("a|b|c", b"a|b|c\na|b|c".to_vec()),
        ("-leading dash", b"x".to_vec()),
        ("\"quotes\" 'too'", b"y".to_vec()),
        ("acentuação 🗄️.txt", "ção".into()),
        ("back\\slash", b"z".to_vec()),
        ("%2e%2e", b"not dots".to_vec()),
        ("large", content(3_000_001)),
    ];
    for (name, bytes) in &files {
        house.write(&format!("from/{name}"), bytes);
    }
    let mut words = vec!["send".to_owned(), "--".to_owned()];
    words.extend(files.iter().map(|(name, _)| format!("from/{name}")));
    words.push(house.at(""));
    let sent = house.run(&words).ok();
    assert!(sent.err.contains("9 files"), "{}", sent.err);
    for (name, bytes) in &files {
        assert_eq!(&house.served(name), bytes, "{name}");
    }
    let mut words = vec!["get".to_owned()];
    words.extend(files.iter().map(|(name, _)| house.at(name)));
    words.push("to/".to_owned());
    house.run(&words).ok();
    for (name, bytes) in &files {
        assert_eq!(&house.local(&format!("to/{name}")), bytes, "{name}");
    }
}

#[test]
fn folders_go_whole_with_times_and_modes() {
    use std::os::unix::fs::PermissionsExt;
    let house = House::open();
    house.write("d/a", "1");
    house.write("d/e/f/g", "2");
    fs::create_dir(house.home.path().join("d/empty")).unwrap();
    let script = house.home.path().join("d/run.sh");
    fs::write(&script, "#!/bin/sh\n").unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let then = std::time::UNIX_EPOCH + std::time::Duration::new(1_000_000_000, 123_456_789);
    fs::File::options()
        .write(true)
        .open(&script)
        .unwrap()
        .set_modified(then)
        .unwrap();

    house.run(["send", "d", &house.at("")]).ok();
    house.run(["send", "d", &house.at("renamed")]).ok();
    house.run(["send", "d", &house.at("new/")]).ok();
    let expected = tree(&house.home.path().join("d"));
    for place in ["d", "renamed", "new/d"] {
        assert_eq!(tree(&house.served.path().join(place)), expected, "{place}");
    }

    house.run(["get", &house.at("d"), "back"]).ok();
    house.run(["get", &house.at(""), "all/"]).ok();
    assert_eq!(tree(&house.home.path().join("back")), expected);
    assert_eq!(
        tree(&house.home.path().join("all")),
        tree(house.served.path())
    );
    let back = fs::metadata(house.home.path().join("back/run.sh")).unwrap();
    assert_eq!(back.modified().unwrap(), then);
    assert_eq!(back.permissions().mode() & 0o111, 0o111);
    let plain = fs::metadata(house.home.path().join("back/a")).unwrap();
    assert_eq!(plain.permissions().mode() & 0o111, 0);
}

#[test]
fn a_target_is_a_folder_or_a_name() {
    let house = House::open();
    house.write("a", "a");
    house.write("b", "b");
    house.run(["send", "a", &house.at("other name")]).ok();
    house.run(["send", "a", &house.at("made/on/the/way/")]).ok();
    house.run(["enviar", "a", "b", &house.at("made/on")]).ok();
    house
        .run(["send", "--para", &house.at("para/"), "a", "b"])
        .ok();
    assert_eq!(
        tree(house.served.path()),
        [
            "made/",
            "made/on/",
            "made/on/a",
            "made/on/b",
            "made/on/the/",
            "made/on/the/way/",
            "made/on/the/way/a",
            "other name",
            "para/",
            "para/a",
            "para/b"
        ]
    );
    let run = house.run(["send", "a", "b", &house.at("one")]).ends(2);
    assert!(run.err.contains("end it with /"), "{}", run.err);
    house.run(["send", "a", &house.at("other name/")]).ends(1);
    house.run(["get", &house.at("made/on/a"), "got"]).ok();
    house
        .run(["baixar", &house.at("made/on/a"), "new/folder/"])
        .ok();
    assert_eq!(
        (house.local("got"), house.local("new/folder/a")),
        (b"a".to_vec(), b"a".to_vec())
    );
    house
        .run([
            "get",
            &house.at("made/on/a"),
            &house.at("made/on/b"),
            "nowhere",
        ])
        .ends(2);
    fs::remove_file(house.home.path().join("b")).unwrap();
    house
        .run(["get", &house.at("made/on/b"), &house.at("para")])
        .ok();
    assert_eq!(
        (house.local("b"), house.local("para/a")),
        (b"b".to_vec(), b"a".to_vec())
    );
}

#[test]
fn what_is_there_stays_without_replace() {
    let house = House::open();
    house.write("a", "newer");
    house.serve_file("a", "old");
    let run = house.run(["send", "a", &house.at("")]).ends(6);
    assert!(
        run.err.contains("is there already") && run.err.contains("--replace"),
        "{}",
        run.err
    );
    assert_eq!(house.served("a"), b"old");
    // A visitor may not replace; the administrator may.
    house.run(["send", "--replace", "a", &house.at("")]).ends(4);
    assert_eq!(house.served("a"), b"old");
    house.admin(["send", "--replace", "a", &house.at("")]).ok();
    assert_eq!(house.served("a"), b"newer");

    house.write("a", "mine");
    house.run(["get", &house.at("a")]).ends(6);
    assert_eq!(house.local("a"), b"mine");
    house.run(["get", "--replace", &house.at("a")]).ok();
    assert_eq!(house.local("a"), b"newer");
}

#[test]
fn standard_input_and_output() {
    let house = House::open();
    let bytes = content(1_000_003);
    finish(house.client(["send", "-", &house.at("in/put")]), &bytes).ok();
    assert_eq!(house.served("in/put"), bytes);
    let got = house.run(["get", &house.at("in/put"), "-"]).ok();
    assert_eq!(got.out, bytes);
    // The objects must not mix with the content.
    let got = house.run(["get", "--json", &house.at("in/put"), "-"]).ok();
    assert_eq!(got.out, bytes);
    assert!(
        got.err
            .lines()
            .all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok())
    );

    finish(house.client(["send", "-", &house.at("in/put")]), b"other").ends(6);
    finish(house.client(["send", "-", &house.at("in/")]), b"other").ends(2);
    finish(house.client(["send", "-", "x", &house.at("in/")]), b"other").ends(2);
    house.run(["get", &house.at("in"), "-"]).ends(1);
    house
        .run(["get", "--to", "-", &house.at("in/put"), &house.at("in/put")])
        .ends(2);
    assert_eq!(house.served("in/put"), bytes);
}

#[test]
fn patterns_are_ours_on_both_sides() {
    let house = House::open();
    for name in ["a.txt", "b.txt", "c.rs", "d/e.txt", "[x].txt"] {
        house.write(&format!("from/{name}"), name);
    }
    house.run(["send", "from/*.txt", &house.at("")]).ok();
    assert_eq!(tree(house.served.path()), ["[x].txt", "a.txt", "b.txt"]);
    house.run(["send", "from/**/e.*", &house.at("deep/")]).ok();
    house.run(["get", &house.at("**/*.txt"), "to/"]).ok();
    assert_eq!(
        tree(&house.home.path().join("to")),
        ["[x].txt", "a.txt", "b.txt", "e.txt"]
    );
    // Letter by letter comes first.
    house.run(["get", &house.at("[x].txt"), "one/"]).ok();
    assert_eq!(tree(&house.home.path().join("one")), ["[x].txt"]);
    let run = house.run(["send", "from/*.nothing", &house.at("")]).ends(5);
    assert!(run.err.contains("nothing matches"), "{}", run.err);
    let run = house.run(["get", &house.at("*.nothing")]).ends(5);
    assert!(run.err.contains("nothing matches"), "{}", run.err);
}

#[test]
fn what_cannot_be_sent_is_named_and_the_rest_goes() {
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::{PermissionsExt, symlink};
    let house = House::open();
    let at = |name: &str| house.home.path().join(name);
    house.write("d/good", "x");
    house.write("d/con\ntrol", "x");
    fs::write(at("d").join(std::ffi::OsStr::from_bytes(b"\xff")), "x").unwrap();
    symlink("good", at("d/link")).unwrap();
    symlink("nowhere", at("d/dangling")).unwrap();
    symlink("..", at("d/up")).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, at("d/fifo"), rustix::fs::Mode::RWXU).unwrap();
    let run = house.run(["send", "d", &house.at("")]).ok();
    assert!(run.err.contains("6 skipped"), "{}", run.err);
    for name in ["link", "dangling", "up", "fifo"] {
        assert!(run.err.contains(name), "{name}: {}", run.err);
    }
    assert_eq!(tree(house.served.path()), ["d/", "d/good"]);

    // Followed: what they point to goes, but never in circles.
    let run = house
        .run(["send", "--follow-links", "d", &house.at("followed")])
        .ok();
    assert!(run.err.contains("5 skipped"), "{}", run.err);
    assert_eq!(
        tree(&house.served.path().join("followed")),
        ["good", "link"]
    );

    // What was named itself fails, and the rest goes.
    let run = house
        .run([
            "send",
            "d/fifo",
            "d/link",
            "missing",
            "d/good",
            &house.at("named/"),
        ])
        .ends(1);
    for word in [
        "fifo",
        "--follow-links",
        "missing: does not exist",
        "3 FAILED",
    ] {
        assert!(run.err.contains(word), "{word}: {}", run.err);
    }
    assert_eq!(tree(&house.served.path().join("named")), ["good"]);
    house.run(["send", "missing", &house.at("")]).ends(5);
    for bad in ["../x", "a/../b", ".gaveta/x", "a//b", "x\u{1b}y"] {
        let run = house.run(["send", "d/good", &house.at(bad)]).ends(1);
        assert!(!run.err.contains('\u{1b}'), "{}", run.err);
    }
    let long = "x".repeat(256);
    house.run(["send", "d/good", &house.at(&long)]).ends(1);

    fs::write(at("secret"), "x").unwrap();
    fs::set_permissions(at("secret"), fs::Permissions::from_mode(0o000)).unwrap();
    if rustix::process::geteuid().is_root() {
        eprintln!("skipped: an unreadable file: root reads everything");
    } else {
        let run = house
            .run(["send", "secret", "d/good", &house.at("unreadable/")])
            .ends(1);
        assert!(run.err.contains("secret"), "{}", run.err);
        assert_eq!(tree(&house.served.path().join("unreadable")), ["good"]);
    }
}

#[test]
fn two_things_that_would_get_one_name_do_not() {
    let house = House::open();
    house.write("x/same", "x");
    house.write("y/same", "y");
    let run = house
        .run(["send", "x/same", "y/same", &house.at("")])
        .ends(6);
    assert!(run.err.contains("the same name"), "{}", run.err);
    assert_eq!(house.served("same"), b"x");
}

#[test]
fn a_dry_run_changes_nothing() {
    let house = House::open();
    house.write("d/a", "x");
    house.serve_file("s/b", "y");
    // What the server keeps about itself is no matter of the verbs'.
    let all = || {
        let mut home = tree(house.home.path());
        home.retain(|name| !name.starts_with("state/"));
        (home, tree(house.served.path()))
    };
    let before = all();
    let run = house
        .run(["send", "--dry-run", "d", &house.at("new/")])
        .ok();
    assert!(run.text().contains("d/a → "), "{}", run.text());
    house.run(["get", "-n", &house.at("s"), "new/folder/"]).ok();
    house.run(["get", "-n", &house.at("s/b"), "-"]).ok();
    finish(house.client(["send", "-n", "-", &house.at("i")]), b"x").ok();
    house.admin(["rm", "-rn", &house.at("s")]).ok();
    house.admin(["delete", "-n", &house.at("s/b")]).ok();
    house
        .admin(["move", "-n", &house.at("s"), &house.at("t")])
        .ok();
    house
        .admin(["copy", "-n", &house.at("s"), &house.at("t")])
        .ok();
    house.run(["mkdir", "-n", "-p", &house.at("t/u")]).ok();
    assert_eq!(all(), before);
}

#[test]
fn every_line_of_json_is_an_object() {
    let house = House::open();
    house.write("d/a", "x");
    house.write("d/b", "y");
    let objects = house
        .run(["send", "--json", "d", "missing", &house.at("")])
        .ends(5)
        .json();
    let types: Vec<_> = objects
        .iter()
        .map(|o| o["type"].as_str().unwrap())
        .collect();
    assert_eq!(
        types.iter().filter(|t| **t == "finished").count(),
        2,
        "{objects:#?}"
    );
    let error = objects.iter().find(|o| o["type"] == "error").unwrap();
    assert_eq!(
        (error["code"].as_str(), error["path"].as_str()),
        (Some("not-found"), Some("missing"))
    );
    let summary = objects.last().unwrap();
    assert_eq!(summary["type"], "summary");
    assert_eq!(
        (summary["files"].as_u64(), summary["failed"].as_u64()),
        (Some(2), Some(1))
    );

    house.write("d/b", "another");
    let objects = house
        .run(["send", "--json", "d", &house.at("")])
        .ends(6)
        .json();
    assert_eq!(objects.iter().filter(|o| o["code"] == "exists").count(), 1);
    assert_eq!(objects.iter().filter(|o| o["why"] == "same").count(), 1);
    let objects = house.run(["list", "--json", &house.at("d")]).ok().json();
    assert_eq!(objects[0]["path"], "d/a");
    assert_eq!(objects.last().unwrap()["entries"], 2);
    let objects = house.run(["list", "--json", "ftp://x/"]).ends(2).json();
    assert_eq!(objects[0]["code"], "usage");
    let objects = house
        .admin(["delete", "--json", &house.at("d/a")])
        .ok()
        .json();
    assert_eq!(objects[0]["type"], "deleted");
}

#[test]
fn quiet_says_only_what_failed() {
    let house = House::open();
    house.write("a", "x");
    let run = house.run(["-q", "send", "a", &house.at("")]).ok();
    assert_eq!((run.text(), run.err.as_str()), ("", ""));
    let run = house.run(["send", "-q", "a", &house.at("")]).ok();
    assert_eq!((run.text(), run.err.as_str()), ("", ""));
    house.write("a", "another");
    let run = house.run(["send", "-q", "a", &house.at("")]).ends(6);
    assert!(run.err.contains("is there already"), "{}", run.err);
}

#[test]
fn the_server_that_is_not_there_or_goes_away_is_told() {
    let mut house = House::open();
    house.write("a", "x");
    let address = house.at("");
    house.kill();
    for args in [
        vec!["list", &address],
        vec!["send", "a", &address],
        vec!["get", &address, "x/"],
    ] {
        let run = house.run(&args).ends(3);
        assert!(
            run.err.contains(&format!("127.0.0.1:{}", house.port)),
            "{}",
            run.err
        );
    }
    assert!(!house.home.path().join("x").exists());
}

#[test]
fn a_hostile_environment_password_is_told_as_wrong() {
    let house = House::open();
    house.write("a", "x");
    house.serve_file("a", "old");
    let mut client = house.client(["send", "--replace", "a", &house.at("")]);
    client.env("GAVETA_PASSWORD", "wrong");
    finish(client, b"").ends(4);
    assert_eq!(house.served("a"), b"old");
    let mut client = house.client(["send", "--replace", "a", &house.at("")]);
    client.arg("--password-file").arg(house.secret());
    finish(client, b"").ok();
    assert_eq!(house.served("a"), b"x");
    assert!(PASSWORD.len() > 8);
}
