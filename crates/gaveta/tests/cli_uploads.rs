//! `uploads` with the real binary: what is under way is listed and can be ended.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may"
)]

mod common;

use std::time::{Duration, Instant};

use common::{House, content, tree};
use serde_json::Value;

fn listed(house: &House) -> Vec<Value> {
    let mut lines = house
        .admin(["uploads", &house.at(""), "--json"])
        .ok()
        .json();
    let summary = lines.pop().unwrap();
    assert_eq!(summary["type"], "summary");
    assert_eq!(summary["uploads"].as_u64(), Some(lines.len() as u64));
    lines
}

/// Leaves an upload behind.
fn leave(house: &House, name: &str) {
    let before = listed(house).len();
    house.write(name, content(16 << 20));
    let words = ["send", name, &house.at(name), "--limit-rate", "4M"];
    let mut client = house.client(words).spawn().unwrap();
    let start = Instant::now();
    let some = |upload: &Value| upload["arrived"].as_u64().unwrap() > 0;
    loop {
        let now = listed(house);
        if now.len() > before && now.iter().all(some) {
            break;
        }
        assert!(start.elapsed() < Duration::from_secs(60), "nothing arrives");
        std::thread::sleep(Duration::from_millis(20));
    }
    client.kill().unwrap();
    client.wait().unwrap();
}

#[test]
fn what_is_under_way_is_listed_and_ended() {
    let house = House::open();
    assert!(listed(&house).is_empty());
    let none = house.admin(["uploads", &house.at(""), "--end-all"]).ok();
    assert!(none.err.contains("nothing is under way"), "{}", none.err);
    leave(&house, "one");
    leave(&house, "two");
    let uploads = listed(&house);
    let targets: Vec<_> = uploads.iter().map(|upload| &upload["target"]).collect();
    assert!(targets.contains(&&"one".into()) && targets.contains(&&"two".into()));
    for upload in &uploads {
        assert_eq!(upload["length"], 16 << 20);
        assert_eq!(upload["owner"], "visitor");
    }
    let shown = house.admin(["envios", &house.at("")]).ok();
    assert_eq!(shown.lines().len(), 2);
    assert!(shown.text().contains(&house.at("one")), "{}", shown.text());

    let id = |name: &str| {
        let upload = uploads.iter().find(|upload| upload["target"] == name);
        upload.unwrap()["id"].as_str().unwrap().to_owned()
    };
    house
        .admin(["uploads", &house.at(""), "--end", &id("one")])
        .ok();
    assert_eq!(listed(&house).len(), 1);
    house
        .admin(["uploads", &house.at(""), "--end", &id("one")])
        .ends(1);
    house
        .admin(["uploads", &house.at(""), "--end", "no-id"])
        .ends(1);
    house.admin(["uploads", &house.at(""), "--end-all"]).ok();
    assert!(listed(&house).is_empty());
    assert_eq!(tree(house.served.path()), Vec::<String>::new());
}

#[test]
fn a_visitor_sees_no_uploads() {
    let house = House::open();
    house.run(["uploads", &house.at("")]).ends(4);
    house.run(["uploads", &house.at("folder")]).ends(2);
}
