//! Tokens, links and the audit log while no server runs: in its files, under their lock.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may"
)]

mod common;

use std::fs;

use common::{House, Run, finish, first_port, gaveta, wait};
use gaveta_testkit::terminal::{Plan, Terminal};

/// As whoever looks after the server of this house, on its machine.
fn here(house: &House, args: &[&str]) -> Run {
    let mut command = house.client(args);
    command
        .arg("--state-dir")
        .arg(house.home.path().join("state"));
    finish(command, b"")
}

fn by_token(house: &House, token: &str, args: &[&str]) -> Run {
    let mut command = house.client(args);
    command.env("GAVETA_TOKEN", token);
    finish(command, b"")
}

fn told(house: &House, args: &[&str]) -> Vec<(String, String)> {
    let folder = house.served.path().to_str().unwrap().to_owned();
    let run = here(
        house,
        &[&["audit", folder.as_str(), "--json"], args].concat(),
    )
    .ok();
    let field = |record: &serde_json::Value, name: &str| {
        record[name].as_str().unwrap_or_default().to_owned()
    };
    let records = run.json();
    let records = records.iter();
    records
        .map(|record| (field(record, "operation"), field(record, "door")))
        .collect()
}

#[test]
fn tokens_and_links_made_without_a_server_open_it_when_it_runs() {
    let mut house = House::open();
    house.serve_file("docs/a.txt", "content of a");
    let folder = house.served.path().to_str().unwrap().to_owned();
    let account = ["account", "add", "ana", "--grant", "/docs=viewer"];
    here(&house, &[&account[..], &["--no-password"]].concat()).ok();
    // A server has the files: it is to be asked, and its address is told.
    let add = ["token", "add", &folder, "robot", "--account", "ana"];
    let refused = here(&house, &add).ends(1);
    let server = format!("localhost:{}", house.port);
    assert!(refused.err.contains(&server), "{refused:?}");
    house.stop();

    let made = here(&house, &add).ok();
    let token = made.lines()[0].to_owned();
    assert!(token.starts_with("gvt_"), "{made:?}");
    here(&house, &add).ends(6);
    let list = here(&house, &["token", "list", &folder, "--json"]).ok();
    let list = list.json();
    assert_eq!(
        (&list[0]["name"], &list[0]["account"]),
        (&"robot".into(), &"ana".into())
    );
    let file = format!("{folder}/docs/a.txt");
    let shared = here(&house, &["share", &file, "--limit", "2"]).ok();
    let link = shared.lines()[0].to_owned();
    assert!(link.starts_with("/.gaveta/s/gvs_"), "{shared:?}");
    here(&house, &["share", &format!("{folder}/none")]).ends(5);
    here(&house, &["share", &file, "--drop"]).ends(1);
    let listed = here(&house, &["share", &folder, "--list", "--json"]).ok();
    assert_eq!(listed.json()[0]["path"], "docs/a.txt");

    house.start_again();
    let at = house.at("docs/a.txt");
    let read = by_token(&house, &token, &["cat", &at]).ok();
    assert_eq!(read.out, b"content of a");
    let url = format!("http://127.0.0.1:{}{link}", house.port);
    house.run(["get", &url]).ok();
    assert_eq!(house.local("a.txt"), b"content of a");

    house.stop();
    let id = listed.json()[0]["id"].as_str().unwrap().to_owned();
    here(&house, &["share", &folder, "--end", &id]).ok();
    here(&house, &["token", "remove", &folder, "robot"]).ok();
    here(&house, &["token", "remove", &folder, "robot"]).ends(5);
    house.start_again();
    by_token(&house, &token, &["cat", &at]).ends(4);
    house.run(["get", &url, "again"]).ends(5);

    let all = told(&house, &[]);
    for operation in ["token-add", "share-add", "share-remove", "token-remove"] {
        let one = (operation.to_owned(), "local".to_owned());
        assert!(all.contains(&one), "{operation}: {all:?}");
    }
    let log = house.home.path().join("state/audit.jsonl");
    let text = std::fs::read_to_string(&log).unwrap();
    let secret = link.split('/').nth(3).unwrap();
    assert!(!text.contains(&token) && !text.contains(secret), "{text}");
    // The log itself may be named as well, and filters count.
    let reads = house.run(["audit", log.to_str().unwrap(), "--operation", "read"]);
    assert!(reads.ok().text().contains("/docs/a.txt"));
}

#[test]
fn an_account_removed_without_a_server_takes_its_tokens_with_it() {
    let mut house = House::open();
    house.serve_file("a.txt", "content of a");
    house.stop();
    let folder = house.served.path().to_str().unwrap().to_owned();
    let account = ["account", "add", "ana", "--grant", "/=viewer"];
    let add = [&account[..], &["--no-password"]].concat();
    here(&house, &add).ok();
    let made = ["token", "add", &folder, "robot", "--account", "ana"];
    let made = here(&house, &made).ok();
    let token = made.lines()[0].to_owned();
    here(&house, &["account", "remove", "ana"]).ok();
    // Another one of this name has none of it.
    here(&house, &add).ok();
    let list = here(&house, &["token", "list", &folder]).ok();
    assert_eq!(list.text(), "");
    house.start_again();
    by_token(&house, &token, &["cat", &house.at("a.txt")]).ends(4);
    let all = told(&house, &[]);
    let operations: Vec<&str> = all.iter().map(|(word, _)| word.as_str()).collect();
    for operation in [
        "account-add",
        "account-grant",
        "account-remove",
        "token-remove",
    ] {
        assert!(
            operations.contains(&operation),
            "{operation}: {operations:?}"
        );
    }
}

#[test]
fn tokens_end_with_an_account_however_it_went_while_no_server_ran() {
    let mut house = House::open();
    house.stop();
    let folder = house.served.path().to_str().unwrap().to_owned();
    let file = house.home.path().join("state/gaveta.toml");
    let add = |name: &str| here(&house, &["account", "add", name, "--no-password"]).ok();
    add("bia");
    let without = fs::read_to_string(&file).unwrap();
    add("ana");
    let with = fs::read_to_string(&file).unwrap();
    let make = ["token", "add", &folder, "robot", "--account", "ana"];
    let none = |house: &House| {
        let list = here(house, &["token", "list", &folder]).ok();
        assert_eq!(list.text(), "");
    };
    // Taken out by hand, and another one put there after a server ran.
    here(&house, &make).ok();
    fs::write(&file, &without).unwrap();
    house.start_again();
    house.stop();
    fs::write(&file, &with).unwrap();
    none(&house);
    // Taken out by hand, and another one made by the command.
    here(&house, &make).ok();
    fs::write(&file, &without).unwrap();
    here(&house, &["account", "add", "ana", "--no-password"]).ok();
    none(&house);
    // Removed while a server of another folder runs, which tells of the account alone.
    here(&house, &make).ok();
    let other = tempfile::tempdir().unwrap();
    let mut command = gaveta();
    command.args(["serve", "--host", "127.0.0.1", "--port", "0"]);
    command
        .arg("--state-dir")
        .arg(house.home.path().join("state"));
    let mut server = command.arg(other.path()).spawn().unwrap();
    first_port(&mut server);
    here(&house, &["account", "remove", "ana"]).ok();
    let id = rustix::process::Pid::from_child(&server);
    rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
    wait(&mut server);
    none(&house);
    let all = told(&house, &[]);
    let count = |word: &str, door: &str| {
        let one = (word.to_owned(), door.to_owned());
        all.iter().filter(|told| **told == one).count()
    };
    assert_eq!(count("token-remove", "inside"), 1, "{all:?}");
    assert_eq!(count("token-remove", "local"), 2, "{all:?}");
    assert_eq!(count("account-remove", "local"), 1, "{all:?}");
}

#[test]
fn while_a_person_is_asked_for_a_links_password_others_go_on() {
    let mut house = House::open();
    house.serve_file("a.txt", "content of a");
    house.stop();
    let folder = house.served.path().to_str().unwrap().to_owned();
    let mut command = house.client(["share", &format!("{folder}/a.txt"), "--password"]);
    command
        .arg("--state-dir")
        .arg(house.home.path().join("state"));
    let mut terminal = Terminal::start(command, Plan::default());
    terminal.wait_for("Password");
    here(&house, &["token", "add", &folder, "robot"]).ok();
    house.start_again();
    house.stop();
    terminal.type_text("of the link\n");
    assert_eq!(terminal.exit_code(), 0, "{}", terminal.text());
    let list = here(&house, &["share", &folder, "--list", "--json"]).ok();
    assert_eq!(list.json()[0]["password"], true);
}

#[test]
fn what_cannot_be_done_without_a_server_says_why_in_both_languages() {
    let house = House::open();
    let folder = house.home.path().to_str().unwrap().to_owned();
    for (lang, part) in [
        ("en", "no folder that was ever served"),
        ("pt-BR", "em nenhuma pasta"),
    ] {
        let run = here(&house, &["share", &folder, "--lang", lang]).ends(5);
        assert!(run.err.contains(part), "{run:?}");
    }
    // Where the state is means a folder of this machine.
    here(&house, &["token", "list", &house.at("")]).ends(2);
    let nobody = ["token", "add", &folder, "robot", "--account", "nobody"];
    here(&house, &nobody).ends(5);
    for (lang, part) in [("en", "no audit log"), ("pt-BR", "registro de auditoria")] {
        let mut command = house.client(["audit", &folder, "--lang", lang, "--state-dir"]);
        command.arg(&folder);
        let run = finish(command, b"").ends(5);
        assert!(run.err.contains(part), "{run:?}");
    }
}
