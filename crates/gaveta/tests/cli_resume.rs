//! Transfers that are cut go on where they were, with the real binary.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may"
)]

mod common;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use common::{House, PASSWORD, Run, content, finish, tree};
use serde_json::Value;

/// Enough for many chunks, little enough for a test.
const LARGE: usize = 24 * 1024 * 1024;

/// A client whose journal lies in the house, and goes with it.
fn client(house: &House, words: &[&str]) -> Command {
    let mut command = house.client(words.iter().copied());
    command
        .env("XDG_STATE_HOME", house.home.path().join("journal"))
        .env("GAVETA_PASSWORD", PASSWORD);
    command
}

fn run(house: &House, words: &[&str]) -> Run {
    finish(client(house, words), b"")
}

fn summary(run: &Run) -> Value {
    run.json().pop().unwrap()
}

fn number(value: &Value, name: &str) -> u64 {
    value[name]
        .as_u64()
        .unwrap_or_else(|| panic!("{name}: {value}"))
}

fn until(mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(
            start.elapsed() < Duration::from_secs(60),
            "it never came so far"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// How much of all uploads under way has arrived.
fn arrived(house: &House) -> u64 {
    let listed = run(house, &["uploads", &house.at(""), "--json"]).ok();
    number(&summary(&listed), "bytes")
}

/// Starts a slow send and kills it when something has arrived.
fn cut_send(house: &House, words: &[&str]) {
    let mut command = client(house, words);
    command.args(["--limit-rate", "6M"]);
    let mut child = command.spawn().unwrap();
    until(|| arrived(house) >= 2 << 20);
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Starts a slow get and kills it when something has been written beside the target.
fn cut_get(house: &House, words: &[&str], folder: &Path) {
    let mut command = client(house, words);
    command.args(["--limit-rate", "6M"]);
    let mut child = command.spawn().unwrap();
    let start = Instant::now();
    until(|| parts(folder) > 0);
    // The part is as long as the whole from its start: give the first chunks their time. How many
    // there are by then does not matter, as long as there are some.
    until(|| start.elapsed() > Duration::from_millis(1500));
    child.kill().unwrap();
    child.wait().unwrap();
}

fn parts(folder: &Path) -> usize {
    let Ok(entries) = fs::read_dir(folder) else {
        return 0;
    };
    entries
        .filter(|entry| {
            let name = entry.as_ref().unwrap().file_name();
            name.to_string_lossy().contains("gaveta-part")
        })
        .count()
}

#[test]
fn a_send_that_was_killed_goes_on() {
    let house = House::open();
    let bytes = content(LARGE);
    house.write("large", &bytes);
    cut_send(&house, &["send", "large", &house.at("large")]);
    assert_eq!(
        tree(house.served.path()),
        Vec::<String>::new(),
        "no part shows"
    );
    let again = run(&house, &["send", "large", &house.at("large"), "--json"]).ok();
    let told = summary(&again);
    assert!(number(&told, "resumed") >= 2 << 20, "{told}");
    assert_eq!(
        number(&told, "moved") + number(&told, "resumed"),
        LARGE as u64,
        "{told}"
    );
    let events = again.json();
    assert!(events.iter().any(|event| event["type"] == "resumed"));
    assert_eq!(house.served("large"), bytes);
    assert_eq!(arrived(&house), 0);
    // A third time there is nothing left to do.
    let third = run(&house, &["send", "large", &house.at("large"), "--json"]).ok();
    let told = summary(&third);
    assert_eq!((number(&told, "files"), number(&told, "unchanged")), (0, 1));
}

#[test]
fn a_get_that_was_killed_goes_on_and_leaves_no_part() {
    let house = House::open();
    let bytes = content(LARGE);
    house.serve_file("large", &bytes);
    fs::create_dir(house.home.path().join("to")).unwrap();
    let to = house.home.path().join("to");
    cut_get(&house, &["get", &house.at("large"), "to"], &to);
    assert!(!to.join("large").exists());
    let again = run(&house, &["get", &house.at("large"), "to", "--json"]).ok();
    let told = summary(&again);
    assert!(number(&told, "resumed") > 0, "{told}");
    assert_eq!(house.local("to/large"), bytes);
    assert_eq!(tree(&to), ["large"]);
}

#[test]
fn a_source_that_changed_in_between_starts_over_and_says_so() {
    let house = House::open();
    house.write("large", content(LARGE));
    cut_send(&house, &["send", "large", &house.at("large")]);
    let other: Vec<u8> = content(LARGE).iter().map(|byte| byte ^ 1).collect();
    house.write("large", &other);
    let again = run(&house, &["send", "large", &house.at("large"), "--json"]).ok();
    let told = summary(&again);
    assert_eq!(
        (number(&told, "resumed"), number(&told, "restarted")),
        (0, 1)
    );
    assert_eq!(house.served("large"), other);
    assert_eq!(arrived(&house), 0, "what the old one left is gone");
}

#[test]
fn a_version_that_changed_at_the_server_starts_over_and_says_so() {
    let house = House::open();
    house.serve_file("large", content(LARGE));
    fs::create_dir(house.home.path().join("to")).unwrap();
    let to = house.home.path().join("to");
    cut_get(&house, &["get", &house.at("large"), "to"], &to);
    let other: Vec<u8> = content(LARGE).iter().map(|byte| byte ^ 1).collect();
    house.serve_file("large", &other);
    let again = run(&house, &["get", &house.at("large"), "to", "--json"]).ok();
    assert_eq!(number(&summary(&again), "restarted"), 1);
    assert_eq!(house.local("to/large"), other);
    assert_eq!(tree(&to), ["large"]);
}

#[test]
fn a_new_version_sends_only_what_differs() {
    let house = House::open();
    let mut bytes = content(LARGE);
    house.write("large", &bytes);
    run(&house, &["send", "large", &house.at("large")]).ok();
    bytes[LARGE / 2..LARGE / 2 + 1000].fill(7);
    house.write("large", &bytes);
    let again = run(
        &house,
        &["send", "--replace", "large", &house.at("large"), "--json"],
    )
    .ok();
    let told = summary(&again);
    assert!(number(&told, "moved") <= 2 << 20, "{told}");
    assert_eq!(
        number(&told, "equal") + number(&told, "moved"),
        LARGE as u64,
        "{told}"
    );
    assert_eq!(house.served("large"), bytes);
}

#[test]
fn a_mirror_that_was_killed_goes_on() {
    let house = House::open();
    let bytes = content(LARGE);
    house.write("src/large", &bytes);
    house.write("src/small", "1");
    cut_send(&house, &["mirror", "src", &house.at("m")]);
    let again = run(&house, &["mirror", "src", &house.at("m"), "--json"]).ok();
    assert!(number(&summary(&again), "resumed") >= 2 << 20);
    assert_eq!(house.served("m/large"), bytes);
    assert_eq!(house.served("m/small"), b"1");
}

#[test]
fn a_rate_that_makes_no_sense_is_refused() {
    let house = House::open();
    house.write("a", "1");
    for rate in ["fast", "0", "-1M", "10X"] {
        let rate = format!("--limit-rate={rate}");
        run(&house, &["send", "a", &house.at("a"), &rate]).ends(2);
    }
    run(
        &house,
        &["send", "a", &house.at("a"), "--limit-rate", "1,5M"],
    )
    .ok();
    run(&house, &["get", &house.at("a"), "b", "--parallel", "2"]).ok();
}
