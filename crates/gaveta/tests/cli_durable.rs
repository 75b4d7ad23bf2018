//! `--durability` of the verbs that write on this machine.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may"
)]

mod common;

use common::{House, content, tree};

/// Fetches a folder with a small file and a big one by each verb, and says how each ended.
fn fetched(house: &House, durability: Option<&str>, environment: &[(&str, &str)]) -> Vec<i32> {
    let how = durability.map_or(Vec::new(), |how| vec!["--durability", how]);
    let verbs = [
        vec!["get", &*house.at("d/small"), "got/"],
        vec!["get", &*house.at("d"), "got/"],
        vec!["mirror", &*house.at("d"), "mirrored"],
    ]
    .map(|words| words.into_iter().map(str::to_owned).collect::<Vec<_>>());
    let ended = verbs.map(|words| {
        let how = how.iter().map(|word| (*word).to_owned());
        let mut command = house.client(words.into_iter().chain(how));
        command.envs(environment.iter().copied());
        common::finish(command, b"").code()
    });
    ended.to_vec()
}

fn filled() -> House {
    let house = House::open();
    house.serve_file("d/small", "small");
    house.serve_file("d/e/big", content(9 << 20));
    house
}

#[test]
fn what_is_not_flushed_is_verified_and_whole_all_the_same() {
    let house = filled();
    assert_eq!(fetched(&house, Some("fast"), &[]), [0, 0, 0]);
    let here = |name| house.home.path().join(name);
    assert_eq!(tree(&here("got/d")), tree(&house.served.path().join("d")));
    assert_eq!(tree(&here("mirrored")), tree(&here("got/d")));
    assert_eq!(house.local("got/small"), b"small");
    assert_eq!(house.local("mirrored/e/big"), content(9 << 20));
}

#[test]
fn a_version_too_is_fetched_as_durable_as_said() {
    let house = House::open();
    house.write("f", "old");
    house.run(["send", "f", &house.at("")]).ok();
    house.write("f", "new");
    house.admin(["send", "--replace", "f", &house.at("")]).ok();
    let told = house.run(["versions", &house.at("f"), "--json"]).ok();
    let versions = told.json();
    let id = versions.iter().find_map(|line| line["id"].as_str());
    let id = id.unwrap_or_else(|| panic!("{versions:?}"));
    let at = house.at("f");
    let words = [
        "versions",
        &at,
        "--get",
        id,
        "--to",
        "was",
        "--durability",
        "fast",
    ];
    house.run(words).ok();
    assert_eq!(house.local("was"), b"old");
}

#[test]
fn what_it_cannot_change_is_said() {
    let house = House::open();
    house.write("src/a", "1");
    let at = house.at("m");
    let words = ["mirror", "src", &at, "--durability", "fast", "--lang", "en"];
    let told = house.run(words).ends(2).err;
    assert!(
        told.contains("--durability is for a mirror from a server to here"),
        "{told}"
    );
    let words = [
        "mirror",
        "src",
        &at,
        "--durability",
        "fast",
        "--lang",
        "pt-BR",
    ];
    let told = house.run(words).ends(2).err;
    assert!(told.contains("quem decide isso é o servidor"), "{told}");
    for words in [
        ["get", &at, "--durability", "slow"],
        ["send", "src/a", &at, "--durability=fast"],
    ] {
        house.run(words).ends(2);
    }
}

/// A disk that cannot flush: who flushes fails, who does not never notices. (That folders are flushed
/// with their files, or neither, is counted in the disk's own tests.)
#[cfg(feature = "failpoints")]
#[test]
fn nothing_is_flushed_when_fast_and_everything_otherwise() {
    let house = filled();
    // Every flush fails, also of what is tried again.
    let trap = vec!["file-flush=error"; 64].join(",");
    let failing = [("GAVETA_FAILPOINT", trap.as_str())];
    for how in [None, Some("full")] {
        let ended = fetched(&house, how, &failing);
        assert!(ended.iter().all(|code| *code != 0), "{how:?} {ended:?}");
    }
    assert_eq!(fetched(&house, Some("fast"), &failing), [0, 0, 0]);
}
