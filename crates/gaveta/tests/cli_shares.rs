//! Links, tokens and the audit log with the real binary.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may"
)]

mod common;

use std::fs;

use common::{House, Run, finish};
use gaveta_testkit::terminal::{Plan, Terminal};
use serde_json::Value;

const SECRET: &str = "a horse of hers";

/// Whoever has this token and nothing else.
fn by_token(house: &House, token: &str, args: &[&str]) -> Run {
    let mut command = house.client(args);
    command.env("GAVETA_TOKEN", token);
    finish(command, b"")
}

fn as_ana(house: &House, args: &[&str]) -> Run {
    let mut command = house.client(args);
    command
        .env("GAVETA_USER", "ana")
        .env("GAVETA_PASSWORD", SECRET);
    finish(command, b"")
}

/// An account of this name that edits this folder.
fn account(house: &House, grant: &str) {
    let state = house.home.path().join("state");
    let mut command = house.client(["account", "add", "ana", "--grant", grant, "--state-dir"]);
    command.arg(state);
    finish(command, format!("{SECRET}\n").as_bytes()).ok();
}

fn records(house: &House, args: &[&str]) -> Vec<Value> {
    let at = house.at("");
    let all = [&["audit", &at, "--json"], args].concat();
    house.admin(all).ok().json()
}

fn told(records: &[Value], field: &str) -> Vec<String> {
    let text = |record: &Value| record[field].as_str().unwrap_or_default().to_owned();
    records.iter().map(text).collect()
}

#[test]
fn a_link_opens_its_file_until_it_is_revoked_and_the_log_tells_all_of_it() {
    let house = House::open();
    account(&house, "/docs=editor");
    house.serve_file("docs/a.txt", "content of a");
    house.serve_file("docs/b.txt", "content of b");
    let made = house.admin(["share", &house.at("docs/a.txt"), "--expires", "1h"]);
    let made = made.ok();
    let link = made.lines()[0].to_owned();
    let (server, secret) = link.split_once("/.gaveta/s/").expect(&link);
    assert_eq!(server, format!("http://127.0.0.1:{}", house.port));
    assert!(secret.starts_with("gvs_"), "{link}");
    // A stranger with the link, and nothing else.
    house.run(["get", &link]).ok();
    assert_eq!(house.local("a.txt"), b"content of a");
    house.run(["get", &format!("{link}/b.txt")]).ends(5);
    house.run(["get", &house.at("docs/b.txt")]).ends(4);
    let listed = house
        .admin(["share", &house.at(""), "--list", "--json"])
        .ok();
    let listed = listed.json();
    assert_eq!(
        (&listed[0]["path"], &listed[0]["used"]),
        (&"docs/a.txt".into(), &1.into())
    );
    let id = listed[0]["id"].as_str().unwrap();
    house.admin(["share", &house.at(""), "--end", id]).ok();
    let refused = house.run(["get", &link, "again.txt"]).ends(5);
    assert!(!refused.err.contains(secret), "{}", refused.err);
    assert!(!house.home.path().join("again.txt").exists());

    let log = records(&house, &["--path", "docs/a.txt"]);
    let operations = told(&log, "operation");
    assert!(operations.contains(&"share-add".to_owned()), "{log:?}");
    let read = log.iter().find(|record| record["operation"] == "read");
    let read = read.unwrap_or_else(|| panic!("{log:?}"));
    assert_eq!(
        (&read["share"], &read["account"], &read["bytes"]),
        (&id.into(), &"admin".into(), &12.into())
    );
    assert!(!format!("{log:?}").contains(secret));
    let ended = records(&house, &["--operation", "share-remove"]);
    assert_eq!(told(&ended, "about"), [id]);
}

#[test]
fn a_token_opens_its_part_until_it_is_revoked_and_the_log_tells_all_of_it() {
    let house = House::open();
    account(&house, "/docs=editor");
    house.serve_file("docs/a.txt", "content of a");
    let at = house.at("");
    let add = ["token", "add", &at, "robot", "--scope", "/docs=viewer"];
    // Ana makes her own; nobody else's rights are asked for.
    let made = as_ana(&house, &add).ok();
    let token = made.lines()[0].to_owned();
    assert!(token.starts_with("gvt_"), "{made:?}");
    let file = house.at("docs/a.txt");
    assert_eq!(
        by_token(&house, &token, &["cat", &file]).ok().out,
        b"content of a"
    );
    house.write("token", format!("{token}\n"));
    house.run(["cat", &file, "--token-file", "token"]).ok();
    house.write("new", "new");
    by_token(&house, &token, &["send", "new", &house.at("docs/")]).ends(4);
    let listed = as_ana(&house, &["token", "list", &at, "--json"])
        .ok()
        .json();
    assert_eq!(
        (&listed[0]["name"], &listed[0]["account"]),
        (&"robot".into(), &"ana".into())
    );
    as_ana(&house, &["token", "remove", &at, "robot"]).ok();
    by_token(&house, &token, &["cat", &file]).ends(4);

    let log = records(&house, &["--account", "ana"]);
    let operations = told(&log, "operation");
    for operation in ["token-add", "read", "token-remove"] {
        assert!(
            operations.iter().any(|one| one == operation),
            "{operation}: {log:?}"
        );
    }
    let id = listed[0]["id"].as_str().unwrap();
    assert!(told(&log, "token").iter().any(|one| one == id), "{log:?}");
    assert!(!format!("{log:?}").contains(&token));
    // What was refused is there too, and only the administrator sees it.
    let failed = records(&house, &["--failed", "--path", "docs"]);
    assert!(
        told(&failed, "result").contains(&"denied".to_owned()),
        "{failed:?}"
    );
    as_ana(&house, &["audit", &at]).ends(4);
}

/// Whoever made a link chose where it leads: what the environment holds for one's own server is not
/// sent there.
#[test]
fn the_password_of_a_link_is_given_for_it_or_asked_for() {
    let house = House::open();
    account(&house, "/docs=editor");
    house.serve_file("docs/a.txt", "content of a");
    let mut share = house.client(["share", &house.at("docs/a.txt"), "--password"]);
    share
        .env("GAVETA_USER", "ana")
        .env("GAVETA_PASSWORD", SECRET);
    let made = finish(share, b"of the link\n").ok();
    let link = made.lines()[0].to_owned();
    let mut with_variable = house.client(["get", &link]);
    with_variable.env("GAVETA_PASSWORD", "of the link");
    let refused = finish(with_variable, b"").ends(4);
    assert!(refused.err.contains("wants a password"), "{}", refused.err);
    house.write("wrong", "another\n");
    house
        .run(["get", &link, "--password-file", "wrong"])
        .ends(4);
    house.write("right", "of the link\n");
    house.run(["get", &link, "--password-file", "right"]).ok();
    assert_eq!(house.local("a.txt"), b"content of a");
    // A person is asked, and may mistype.
    let mut command = house.client(["get", &link, "asked.txt"]);
    command.env("GAVETA_PASSWORD", SECRET);
    let mut terminal = Terminal::start(command, Plan::default());
    let server = format!("127.0.0.1:{}:", house.port);
    for typed in ["mistyped\n", "of the link\n"] {
        let mark = terminal.mark();
        terminal.wait_for_after(mark, &server);
        terminal.type_text(typed);
    }
    assert_eq!(terminal.exit_code(), 0, "{}", terminal.text());
    assert_eq!(house.local("asked.txt"), b"content of a");
}

#[test]
fn files_are_dropped_through_a_link_of_an_account() {
    let house = House::open();
    account(&house, "/in=editor");
    house.serve_file("in/note.txt", "first");
    let made = as_ana(
        &house,
        &["share", &house.at("in"), "--drop", "--limit", "4"],
    )
    .ok();
    let link = made.lines()[0].trim_end_matches('/').to_owned();
    house.write("note.txt", "second");
    // A name that is taken gets a number, also when it is asked to replace.
    house.run(["send", "note.txt", &link]).ok();
    house.run(["send", "note.txt", &link, "--replace"]).ok();
    assert_eq!(house.served("in/note.txt"), b"first");
    assert_eq!(house.served("in/note (2).txt"), b"second");
    assert_eq!(house.served("in/note (3).txt"), b"second");
    // So does a big one, which goes in chunks.
    fs::create_dir(house.served.path().join("in/big")).unwrap();
    house.write("big", vec![7; 5_000_000]);
    house.run(["send", "big", &link]).ok();
    assert_eq!(house.served("in/big (2)").len(), 5_000_000);
    // Nothing of what lies there is shown.
    house
        .run(["get", &format!("{link}/note.txt"), "seen"])
        .ends(5);
    house.write("other.txt", "third");
    let sent = house.run(["send", "other.txt", &format!("{link}/")]).ok();
    assert_eq!(house.served("in/other.txt"), b"third", "{sent:?}");
    house.write("more.txt", "fourth");
    house.run(["send", "more.txt", &format!("{link}/")]).ends(4);
    assert!(!house.served.path().join("in/more.txt").exists());
}
