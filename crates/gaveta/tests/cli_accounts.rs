//! `gaveta account` beside a server that runs, and without one.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may"
)]

mod common;

use std::fs;

use common::{House, Run, finish, gaveta};

const SECRET: &str = "a horse of hers";
const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA ana@laptop";

/// `gaveta account …` about the state of this house, with this on standard input.
fn account(house: &House, args: &[&str], input: &str) -> Run {
    let state = house.home.path().join("state");
    let mut command = house.client(["account"]);
    command.args(args).arg("--state-dir").arg(state);
    finish(command, input.as_bytes())
}

fn as_ana(house: &House, args: &[&str]) -> Run {
    let mut command = house.client(args);
    command
        .env("GAVETA_USER", "ana")
        .env("GAVETA_PASSWORD", SECRET);
    finish(command, b"")
}

#[test]
fn what_is_granted_counts_at_once_in_a_server_that_runs() {
    let house = House::open();
    house.serve_file("team/a", "a");
    house.serve_file("money/b", "b");
    let add = ["add", "ana", "--grant", "/team=editor", "--quota", "1M"];
    let added = account(&house, &add, &format!("{SECRET}\n")).ok();
    assert!(
        added.text().is_empty() || added.err.contains("ana"),
        "{added:?}"
    );
    // The ease is over, and ana sees the way to her folder alone.
    house.run(["list", &house.at("")]).ends(4);
    let seen = as_ana(&house, &["list", "--json", &house.at("")]).ok();
    assert!(
        seen.text().contains("team") && !seen.text().contains("money"),
        "{seen:?}"
    );
    house.write("new", "new");
    as_ana(&house, &["send", "new", &house.at("team/")]).ok();
    assert_eq!(house.served("team/new"), b"new");
    as_ana(&house, &["send", "new", &house.at("elsewhere")]).ends(5);
    as_ana(&house, &["rm", &house.at("money/b")]).ends(5);
    // The administrator's password is lent to one command.
    let mut lent = house.client(["delete", &house.at("money/b"), common::PASSWORD]);
    lent.env("GAVETA_USER", "ana")
        .env("GAVETA_PASSWORD", SECRET);
    finish(lent, b"").ends(5);
    account(&house, &["grant", "ana", "/team", "viewer"], "").ok();
    as_ana(&house, &["rm", &house.at("team/new")]).ends(4);
    account(&house, &["set", "ana", "--disable"], "").ok();
    as_ana(&house, &["list", &house.at("team")]).ends(4);
    account(&house, &["set", "ana", "--enable"], "").ok();
    as_ana(&house, &["list", &house.at("team")]).ok();
    account(&house, &["password", "ana"], "another horse\n").ok();
    as_ana(&house, &["list", &house.at("team")]).ends(4);
    account(&house, &["remove", "ana"], "").ok();
    // What was closed once stays so until the server starts anew.
    house.run(["list", &house.at("")]).ends(4);
}

#[test]
fn without_a_server_the_file_is_edited_and_its_comments_stay() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("gaveta.toml");
    fs::write(&file, "# ours\n").unwrap();
    let run = |args: &[&str], input: &str| {
        let mut command = gaveta();
        command.args(["account", "--config"]).arg(&file).args(args);
        finish(command, input.as_bytes())
    };
    run(
        &["add", "ana", "--no-password", "--expires", "2999-01-31"],
        "",
    )
    .ok();
    run(&["key", "ana", KEY], "").ok();
    run(&["grant", "ana", "/", "list,read"], "").ok();
    let list = run(&["list", "--json"], "").ok().json();
    assert_eq!(list[0]["name"], "ana");
    assert_eq!(list[0]["grants"]["/"], "viewer");
    assert_eq!(list[0]["keys"][0], KEY);
    assert_eq!(
        (list[0]["password"].as_bool(), list[0]["expired"].as_bool()),
        (Some(false), Some(false))
    );
    run(&["key", "ana", "ana@laptop", "--remove"], "").ok();
    let text = fs::read_to_string(&file).unwrap();
    assert!(
        text.starts_with("# ours\n") && !text.contains("AAAA"),
        "{text}"
    );
    for (args, input, code) in [
        (&["add", "ana", "--no-password"][..], "", 6),
        (&["add", "ANA", "--no-password"], "", 6),
        (&["add", "a b", "--no-password"], "", 2),
        (&["add", "bob"], "", 2),
        (&["add", "bob"], "\n", 2),
        (&["remove", "bob"], "", 5),
        (&["password", "bob"], "x\n", 5),
        (&["grant", "ana", "/", "everything"], "", 2),
        (&["grant", "ana", "/../x", "viewer"], "", 2),
        (&["grant", "bob", "/", "viewer"], "", 5),
        (&["key", "ana", "ssh-rsa AAAA"], "", 2),
        (&["key", "ana", "none", "--remove"], "", 5),
        (&["set", "ana", "--quota", "ten"], "", 2),
        (&["set", "ana", "--expires", "soon"], "", 2),
    ] {
        let before = fs::read(&file).unwrap();
        let run = run(args, input).ends(code);
        assert!(
            !run.err.is_empty() && !run.err.contains('‹'),
            "{args:?}: {run:?}"
        );
        assert_eq!(fs::read(&file).unwrap(), before, "{args:?}");
    }
    let long = "x".repeat(10_000);
    run(&["password", "ana"], &long).ends(2);
}

#[test]
fn a_broken_file_keeps_a_server_from_starting_and_its_line_is_named_in_both_languages() {
    let home = tempfile::tempdir().unwrap();
    fs::create_dir(home.path().join("served")).unwrap();
    fs::write(
        home.path().join("gaveta.toml"),
        "[account.ana]\n\nquota = \"much\"\n",
    )
    .unwrap();
    for (lang, part) in [
        ("en", "line 3: \"much\" is no size"),
        ("pt-BR", "linha 3: \"much\" não é um tamanho"),
    ] {
        let mut command = gaveta();
        command.args(["--lang", lang, "serve", "--port", "0", "--state-dir"]);
        command.arg(home.path()).arg(home.path().join("served"));
        let run = finish(command, b"").ends(12);
        assert!(run.err.contains(part), "{run:?}");
        let mut command = gaveta();
        command
            .args(["--lang", lang, "account", "list", "--state-dir"])
            .arg(home.path());
        assert!(finish(command, b"").ends(12).err.contains(part));
    }
}
