//! The questions, on a real terminal (made by `script`, of util-linux).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests may"
)]

mod common;

use std::process::{Command, Stdio};

use common::{House, PASSWORD, Run, finish, tree};

/// Runs the client on a terminal and types this; none where there is no `script`.
fn on_terminal(house: &House, arguments: &str, typed: &str) -> Option<Run> {
    let mut command = Command::new("script");
    command
        .arg("-qec")
        .arg(format!("'{}' {arguments}", env!("CARGO_BIN_EXE_gaveta")))
        .arg("/dev/null")
        .current_dir(house.home.path())
        .env("GAVETA_PASSWORD", PASSWORD)
        .env("LC_ALL", "en_US.UTF-8")
        .env("TERM", "xterm")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    if Command::new("script")
        .arg("--version")
        .stdout(Stdio::null())
        .status()
        .is_err()
    {
        assert!(
            std::env::var_os("CI").is_none(),
            "CI must have script (util-linux)"
        );
        eprintln!("skipped: questions on a terminal: there is no script (util-linux)");
        return None;
    }
    Some(finish(command, typed.as_bytes()))
}

#[test]
fn an_existing_file_is_replaced_only_after_a_yes() {
    let house = House::open();
    for name in ["a", "b", "c"] {
        house.serve_file(name, "theirs");
        house.write(name, "mine");
    }
    let get = format!("get --parallel 1 {} {} .", house.at("a"), house.at("b"));
    // An empty line and an unknown word are no answer.
    let Some(run) = on_terminal(&house, &get, "\nperhaps\nn\nnone\n") else {
        return;
    };
    assert!(run.ok().text().contains("is there already"));
    assert_eq!(
        (house.local("a"), house.local("b")),
        (b"mine".to_vec(), b"mine".to_vec())
    );
    on_terminal(&house, &get, "y\nn\n").unwrap().ok();
    let kept = [house.local("a"), house.local("b")];
    assert_eq!(kept.iter().filter(|content| *content == b"mine").count(), 1);
    // In Portuguese, and for all that come.
    let get = format!("--lang pt-BR get {} {} .", house.at("*"), house.at("c"));
    let run = on_terminal(&house, &get, "todos\n").unwrap();
    assert!(run.text().contains("já existe"), "{}", run.text());
    assert_eq!(house.local("b"), b"theirs");

    let send = format!("send a {}", house.at(""));
    house.write("a", "newer");
    on_terminal(&house, &send, "s\n").unwrap().ok();
    assert_eq!(house.served("a"), b"newer");
}

#[test]
fn rm_asks_once() {
    let house = House::open();
    for name in ["a", "b", "c"] {
        house.serve_file(name, "x");
    }
    let rm = format!("rm {} {}", house.at("a"), house.at("b"));
    let Some(run) = on_terminal(&house, &rm, "n\n") else {
        return;
    };
    assert!(run.ok().text().contains("and one more"));
    assert_eq!(tree(house.served.path()), ["a", "b", "c"]);
    on_terminal(&house, &rm, "y\n").unwrap().ok();
    assert_eq!(tree(house.served.path()), ["c"]);
    on_terminal(&house, &format!("rm -y {}", house.at("c")), "")
        .unwrap()
        .ok();
    assert_eq!(tree(house.served.path()), Vec::<String>::new());
}
