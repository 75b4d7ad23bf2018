//! `mirror` with the real binary against a real server, in both directions.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may"
)]

mod common;

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Child;
use std::sync::mpsc;
use std::time::{Duration, Instant, SystemTime};

use common::{House, Line, PASSWORD, Run, content, tree, wait};
use gaveta_testkit::proxy::Direction;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

fn summary(run: &Run) -> Value {
    let mut lines = run.json();
    let last = lines.pop().unwrap();
    assert_eq!(last["type"], "summary", "{last}");
    last
}

/// Of a mirror's summary: copied, the same, touched, deleted, failed.
fn counts(run: &Run) -> [u64; 5] {
    let summary = summary(run);
    ["files", "same", "touched", "deleted", "failed"].map(|name| summary[name].as_u64().unwrap())
}

fn modified(path: &Path) -> SystemTime {
    fs::metadata(path).unwrap().modified().unwrap()
}

fn set_modified(path: &Path, time: SystemTime) {
    let file = fs::File::options().write(true).open(path).unwrap();
    file.set_modified(time).unwrap();
}

/// Whoever waits longer waits for what never comes.
const PATIENCE: Duration = Duration::from_secs(60);

/// Waits for a state of the disk, not for a time.
fn until(mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < PATIENCE, "it never came so far");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn only_what_differs_goes_up_and_times_are_kept() {
    let house = House::open();
    house.write("src/a", "1");
    house.write("src/d/b", content(2_500_000));
    house.write("src/d/e/c", "3");
    fs::create_dir(house.home.path().join("src/empty")).unwrap();
    let (source, target) = (house.home.path().join("src"), house.served.path().join("m"));
    let first = house
        .admin(["mirror", "src", &house.at("m"), "--json"])
        .ok();
    assert_eq!(counts(&first), [3, 0, 0, 0, 0]);
    assert_eq!(tree(&target), tree(&source));
    for name in ["a", "d/b", "d/e/c"] {
        assert_eq!(
            fs::read(target.join(name)).unwrap(),
            fs::read(source.join(name)).unwrap()
        );
        assert_eq!(modified(&target.join(name)), modified(&source.join(name)));
    }
    let second = house
        .admin(["espelhar", "src", &house.at("m"), "--json"])
        .ok();
    assert_eq!(counts(&second), [0, 3, 0, 0, 0]);
    house.write("src/a", "22");
    house.write("src/new", "4");
    let third = house
        .admin(["mirror", "src", &house.at("m"), "--json"])
        .ok();
    assert_eq!(counts(&third), [2, 2, 0, 0, 0]);
    assert_eq!(house.served("m/a"), b"22");
    assert_eq!(tree(&target), tree(&source));
}

#[test]
fn only_what_differs_comes_down() {
    let house = House::open();
    house.serve_file("m/a", "1");
    house.serve_file("m/d/b", content(2_500_000));
    fs::create_dir(house.served.path().join("m/empty")).unwrap();
    let (source, target) = (
        house.served.path().join("m"),
        house.home.path().join("back"),
    );
    let first = house.run(["mirror", &house.at("m"), "back", "--json"]).ok();
    assert_eq!(counts(&first), [2, 0, 0, 0, 0]);
    assert_eq!(tree(&target), tree(&source));
    assert_eq!(house.local("back/d/b"), house.served("m/d/b"));
    assert_eq!(modified(&target.join("a")), modified(&source.join("a")));
    house.serve_file("m/a", "22");
    let second = house
        .run(["mirror", &house.at("m"), "./back/", "--json"])
        .ok();
    assert_eq!(counts(&second), [1, 1, 0, 0, 0]);
    assert_eq!(house.local("back/a"), b"22");
}

#[test]
fn what_only_the_target_has_goes_when_that_is_asked_for() {
    let house = House::open();
    house.write("src/a", "1");
    house.serve_file("m/a", "old");
    house.serve_file("m/x", "2");
    house.serve_file("m/gone/deep/y", "3");
    let kept = house
        .admin(["mirror", "src", &house.at("m"), "--json"])
        .ok();
    assert_eq!(counts(&kept), [1, 0, 0, 0, 0]);
    assert_eq!(house.served("m/x"), b"2");
    let planned = house
        .admin(["mirror", "--delete", "-n", "src", &house.at("m"), "--json"])
        .ok();
    assert_eq!(counts(&planned), [0, 1, 0, 0, 0]);
    let mut paths: Vec<_> = planned
        .json()
        .iter()
        .filter(|line| line["type"] == "planned")
        .map(|line| line["path"].as_str().unwrap().to_owned())
        .collect();
    paths.sort();
    assert_eq!(paths, [house.at("m/gone"), house.at("m/x")]);
    assert_eq!(house.served("m/gone/deep/y"), b"3");
    // Who may not delete is told so before anything happens.
    house.write("src/b", "new");
    house
        .run(["mirror", "--delete", "src", &house.at("m")])
        .ends(4);
    let done = house
        .admin(["mirror", "--delete", "src", &house.at("m"), "--json"])
        .ok();
    assert_eq!(counts(&done), [1, 1, 0, 2, 0]);
    assert_eq!(tree(&house.served.path().join("m")), ["a", "b"]);
    // Downwards as well.
    house.write("back/a", "1");
    house.write("back/extra/z", "1");
    let down = house
        .run(["mirror", "--delete", &house.at("m"), "back", "--json"])
        .ok();
    assert_eq!(counts(&down)[3], 1);
    assert_eq!(tree(&house.home.path().join("back")), ["a", "b"]);
}

#[test]
fn nothing_is_deleted_when_something_failed() {
    let house = House::open();
    let long = vec!["n".repeat(250); 15].join("/");
    house.write(&format!("src/{}", "f".repeat(250)), "1");
    house.write("src/short", "2");
    house.serve_file(&format!("{long}/extra"), "3");
    let run = house
        .admin(["mirror", "--delete", "src", &house.at(&long), "--json"])
        .ends(1);
    assert_eq!(counts(&run), [1, 0, 0, 0, 1]);
    assert_eq!(house.served(&format!("{long}/extra")), b"3");
    assert_eq!(house.served(&format!("{long}/short")), b"2");
}

#[test]
fn a_folder_in_the_way_of_a_file_goes_first_or_is_named() {
    let house = House::open();
    house.write("src/x", "file");
    house.write("src/y/z", "folder");
    house.serve_file("m/x/deep", "1");
    house.serve_file("m/y", "1");
    let named = house
        .admin(["mirror", "src", &house.at("m"), "--json"])
        .ends(1);
    assert_eq!(counts(&named), [0, 0, 0, 0, 2]);
    assert_eq!(house.served("m/x/deep"), b"1");
    let done = house
        .admin(["mirror", "src", &house.at("m"), "--delete", "--json"])
        .ok();
    assert_eq!(counts(&done), [2, 0, 0, 2, 0]);
    assert_eq!(tree(&house.served.path().join("m")), ["x", "y/", "y/z"]);
}

#[test]
fn what_is_excluded_is_left_alone_on_both_sides() {
    let house = House::open();
    house.write("src/a.o", "1");
    house.write("src/keep/b", "1");
    house.write("src/cache/c", "1");
    house.serve_file("m/old.o", "1");
    house.serve_file("m/stale/s.o", "1");
    house.serve_file("m/stale/t", "1");
    let words = ["--delete", "--exclude", "*.o", "--exclude", "cache/"];
    let run = house
        .admin(
            ["mirror", "src", &house.at("m"), "--json"]
                .iter()
                .copied()
                .chain(words),
        )
        .ok();
    assert_eq!(counts(&run), [1, 0, 0, 1, 0]);
    assert_eq!(
        tree(&house.served.path().join("m")),
        ["keep/", "keep/b", "old.o", "stale/", "stale/s.o"]
    );
    house
        .run(["mirror", "src", &house.at("m"), "--exclude", "a//b"])
        .ends(2);
}

#[test]
fn contents_are_compared_on_demand() {
    let house = House::open();
    house.write("src/deceives", "old");
    house.write("src/same", content(1_500_000));
    let at = |name: &str| house.home.path().join("src").join(name);
    house.admin(["mirror", "src", &house.at("m")]).ok();
    // Another content of the same size and time, behind the back of the server.
    let time = modified(&at("deceives"));
    fs::write(house.served.path().join("m/deceives"), "new").unwrap();
    set_modified(&house.served.path().join("m/deceives"), time);
    set_modified(&house.served.path().join("m/same"), time);
    set_modified(&at("same"), time);
    let blind = house
        .admin(["mirror", "src", &house.at("m"), "--json"])
        .ok();
    assert_eq!(counts(&blind), [0, 2, 0, 0, 0]);
    let seeing = house
        .admin(["mirror", "src", &house.at("m"), "--checksum", "--json"])
        .ok();
    assert_eq!(counts(&seeing), [1, 1, 0, 0, 0]);
    assert_eq!(house.served("m/deceives"), b"old");
    // The same content at another time only gets the time.
    set_modified(&at("same"), time + Duration::from_secs(60));
    let touched = house
        .admin(["mirror", "src", &house.at("m"), "--checksum", "--json"])
        .ok();
    assert_eq!(counts(&touched), [0, 1, 1, 0, 0]);
    let there = house.served.path().join("m/same");
    assert_eq!(modified(&there), modified(&at("same")));
    // Downwards the server is the one that reads.
    house.run(["mirror", &house.at("m"), "back"]).ok();
    let back = house.home.path().join("back/deceives");
    fs::write(&back, "bad").unwrap();
    set_modified(&back, modified(&house.served.path().join("m/deceives")));
    let down = house
        .run(["mirror", &house.at("m"), "back", "--checksum", "--json"])
        .ok();
    assert_eq!(counts(&down), [1, 1, 0, 0, 0]);
    assert_eq!(house.local("back/deceives"), b"old");
}

#[test]
fn a_dry_run_changes_nothing() {
    let house = House::open();
    house.write("src/a", "1");
    house.serve_file("m/b", "1");
    let run = house
        .run(["mirror", "src", &house.at("m"), "--dry-run", "--json"])
        .ok();
    assert_eq!(counts(&run), [1, 0, 0, 0, 0]);
    assert_eq!(tree(&house.served.path().join("m")), ["b"]);
    house.run(["mirror", &house.at("m"), "back", "-n"]).ok();
    assert!(!house.home.path().join("back").exists());
}

#[test]
fn a_visitor_may_mirror_what_is_new_and_nothing_else() {
    let house = House::open();
    house.write("src/new", "1");
    house.write("src/there", "other");
    house.serve_file("m/there", "1");
    let run = house
        .run(["mirror", "src", &house.at("m"), "--json"])
        .ends(4);
    assert_eq!(counts(&run), [1, 0, 0, 0, 1]);
    assert_eq!(house.served("m/new"), b"1");
    assert_eq!(house.served("m/there"), b"1");
}

#[test]
fn sides_that_cannot_be_mirrored_are_refused() {
    let house = House::open();
    house.write("src/a", "1");
    house.serve_file("file", "1");
    house.run(["mirror", "./src", "./other"]).ends(2);
    house
        .run(["mirror", &house.at("a"), &house.at("b")])
        .ends(2);
    house.run(["mirror", "./nothing", &house.at("m")]).ends(5);
    house.run(["mirror", &house.at("nothing"), "x"]).ends(5);
    house.run(["mirror", "src", &house.at("file")]).ends(1);
    house.run(["mirror", "./src/a", &house.at("m")]).ends(1);
    house
        .run(["mirror", "src", &house.at("m"), "--watch", "-n"])
        .ends(2);
    assert_eq!(tree(house.served.path()), ["file"]);
}

/// A mirror that goes on, and what it says.
struct Watching {
    client: Child,
    lines: mpsc::Receiver<String>,
}

impl Watching {
    fn start(house: &House, words: &[&str]) -> Self {
        let mut command = house.client(["mirror", "--watch", "--delete", "-y", "--json"]);
        command.args(words).env("GAVETA_PASSWORD", PASSWORD);
        command.stderr(std::process::Stdio::null());
        let mut client = command.spawn().unwrap();
        let out = BufReader::new(client.stdout.take().unwrap());
        let (tell, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                // Who waits for nothing more hears nothing more.
                let _ = tell.send(line);
            }
        });
        let watching = Self { client, lines };
        watching.says(|line| line["type"] == "watching");
        watching
    }

    #[track_caller]
    fn says(&self, wanted: impl Fn(&Value) -> bool) {
        let start = Instant::now();
        loop {
            let left = PATIENCE.saturating_sub(start.elapsed());
            let line = self.lines.recv_timeout(left).expect("it never said so");
            if wanted(&serde_json::from_str(&line).unwrap()) {
                return;
            }
        }
    }

    fn stop(mut self) {
        kill_process(Pid::from_child(&self.client), Signal::INT).unwrap();
        assert_eq!(wait(&mut self.client).code(), Some(0));
    }
}

/// Also where it was never stopped.
impl Drop for Watching {
    fn drop(&mut self) {
        let _ = self.client.kill();
        let _ = self.client.wait();
    }
}

#[test]
fn changes_here_go_up_until_it_is_stopped() {
    let house = House::open();
    house.write("src/a", "1");
    house.serve_file("m/stale", "1");
    let watching = Watching::start(&house, &["src", &house.at("m")]);
    let served = house.served.path().join("m");
    assert_eq!(tree(&served), ["a"]);
    let holds = |name: &str, content: &str| {
        let there = served.join(name);
        until(|| fs::read(&there).is_ok_and(|bytes| bytes == content.as_bytes()));
    };
    house.write("src/a", "changed");
    holds("a", "changed");
    house.write("src/new/deep/b", "2");
    house.write("src/new/deep/c", "3");
    holds("new/deep/b", "2");
    holds("new/deep/c", "3");
    // A folder that is watched only since it is there.
    house.write("src/new/deep/er/d", "4");
    holds("new/deep/er/d", "4");
    let at = |name: &str| house.home.path().join("src").join(name);
    fs::rename(at("new"), at("renamed")).unwrap();
    holds("renamed/deep/er/d", "4");
    until(|| !served.join("new").exists());
    fs::remove_dir_all(at("renamed")).unwrap();
    until(|| tree(&served) == ["a"]);
    watching.stop();
}

#[test]
fn changes_at_the_server_come_down_until_it_is_stopped() {
    let house = House::open();
    house.serve_file("m/a", "1");
    house.write("b", "2");
    house.write("c", "3");
    let watching = Watching::start(&house, &[&house.at("m"), "back"]);
    assert_eq!(house.local("back/a"), b"1");
    let back = house.home.path().join("back");
    let holds = |name: &str, content: &str| {
        let here = back.join(name);
        until(|| fs::read(&here).is_ok_and(|bytes| bytes == content.as_bytes()));
    };
    house.run(["send", "b", &house.at("m/d/b")]).ok();
    holds("d/b", "2");
    house
        .admin(["move", &house.at("m/d"), &house.at("m/e")])
        .ok();
    holds("e/b", "2");
    until(|| !back.join("d").exists());
    // What happens elsewhere changes nothing here.
    house.run(["send", "b", &house.at("other")]).ok();
    house.admin(["rm", "-r", &house.at("m/e")]).ok();
    until(|| tree(&back) == ["a"]);
    watching.stop();
}

/// What is done here while the line is cut goes up once it is back.
#[test]
fn a_line_that_is_cut_keeps_no_change_from_going_up() {
    let house = House::open();
    house.write("src/a", "1");
    house.write("src/gone/b", "2");
    house.write("src/sub/x", "old");
    let line = Line::to(&house);
    let watching = Watching::start(&house, &["src", &line.at("m")]);
    let served = house.served.path().join("m");
    let source = house.home.path().join("src");
    assert_eq!(tree(&served), tree(&source));
    // In the middle of a file: it goes on where it was.
    line.proxy.cut_after(Direction::Up, 2_000_000);
    house.write("src/large", content(5_000_000));
    until(|| line.proxy.forwarded(Direction::Up) > 2_000_000);
    line.cut();
    house.write("src/a", "changed");
    house.write("src/sub/x", "changed");
    house.write("src/new/deep/c", "3");
    fs::remove_dir_all(source.join("gone")).unwrap();
    watching.says(|said| said["type"] == "error");
    assert!(!served.join("new").exists());
    line.mend();
    until(|| tree(&served) == tree(&source));
    until(|| fs::read(served.join("a")).is_ok_and(|bytes| bytes == b"changed"));
    until(|| fs::read(served.join("sub/x")).is_ok_and(|bytes| bytes == b"changed"));
    assert!(fs::read(served.join("large")).unwrap() == content(5_000_000));
    // And so it stays.
    house.write("src/later", "4");
    until(|| tree(&served) == tree(&source));
    watching.stop();
}

/// What changes in a folder that both sides have, and nowhere else, is not forgotten either.
#[test]
fn a_line_that_is_cut_keeps_no_change_in_a_folder_from_going_up() {
    let house = House::open();
    house.write("src/a", "1");
    house.write("src/sub/deep/x", "old");
    let line = Line::to(&house);
    let watching = Watching::start(&house, &["src", &line.at("m")]);
    let served = house.served.path().join("m/sub/deep/x");
    assert_eq!(fs::read(&served).unwrap(), b"old");
    line.cut();
    house.write("src/sub/deep/x", "changed");
    // The one that was looked at in vain.
    watching.says(|said| said["type"] == "error");
    line.mend();
    until(|| fs::read(&served).is_ok_and(|bytes| bytes == b"changed"));
    watching.stop();
}

/// What is done there while the line is cut comes down once it is back.
#[test]
fn a_line_that_is_cut_keeps_no_change_from_coming_down() {
    let house = House::open();
    house.serve_file("m/a", "1");
    house.serve_file("m/gone/b", "2");
    house.serve_file("m/sub/x", "old");
    house.write("c", "changed");
    house.write("large", content(5_000_000));
    let line = Line::to(&house);
    let watching = Watching::start(&house, &[&line.at("m"), "back"]);
    let (source, target) = (
        house.served.path().join("m"),
        house.home.path().join("back"),
    );
    assert_eq!(tree(&target), tree(&source));
    line.proxy.cut_after(Direction::Down, 2_000_000);
    house.admin(["send", "large", &house.at("m/large")]).ok();
    until(|| line.proxy.forwarded(Direction::Down) > 2_000_000);
    line.cut();
    house
        .admin(["send", "--replace", "c", &house.at("m/a")])
        .ok();
    house
        .admin(["send", "--replace", "c", &house.at("m/sub/x")])
        .ok();
    house.admin(["send", "c", &house.at("m/new/deep/c")]).ok();
    house.admin(["rm", "-r", &house.at("m/gone")]).ok();
    // Whether the large one failed or was there just in time is chance; nothing else can come.
    assert!(!target.join("new").exists());
    line.mend();
    until(|| tree(&target) == tree(&source));
    until(|| fs::read(target.join("a")).is_ok_and(|bytes| bytes == b"changed"));
    until(|| fs::read(target.join("sub/x")).is_ok_and(|bytes| bytes == b"changed"));
    assert!(fs::read(target.join("large")).unwrap() == content(5_000_000));
    house.admin(["send", "c", &house.at("m/later")]).ok();
    until(|| tree(&target) == tree(&source));
    watching.stop();
}

/// Seconds from 1970, either way.
fn at(seconds: i64) -> SystemTime {
    let span = Duration::from_secs(seconds.unsigned_abs());
    match seconds {
        0.. => SystemTime::UNIX_EPOCH + span,
        _ => SystemTime::UNIX_EPOCH - span,
    }
}

#[test]
fn times_of_clocks_that_are_wrong_are_mirrored_once_and_what_differs_goes() {
    let house = House::open();
    // 1901 and 1950; before and after the second 0; 2038, 2106 and 2300; now is among them.
    let times = [
        -2_147_483_648,
        -631_152_000,
        -1,
        0,
        2_147_483_648,
        4_294_967_296,
        10_413_792_000,
    ];
    let source = house.home.path().join("src");
    for time in times {
        let name = format!("src/{time}");
        house.write(&name, "one");
        let path = house.home.path().join(&name);
        set_modified(&path, at(time));
        assert_eq!(modified(&path), at(time), "this file system cannot keep it");
    }
    let many = times.len() as u64;
    let up = || {
        let run = house.admin(["mirror", "src", &house.at("m"), "--json"]);
        counts(&run.ok())
    };
    let down = || {
        let run = house.admin(["mirror", &house.at("m"), "back", "--json"]);
        counts(&run.ok())
    };
    for mirror in [&up as &dyn Fn() -> [u64; 5], &down] {
        assert_eq!(mirror(), [many, 0, 0, 0, 0]);
        assert_eq!(mirror(), [0, many, 0, 0, 0], "it is equal");
    }
    for time in times {
        let back = house.home.path().join(format!("back/{time}"));
        assert_eq!(modified(&back), at(time));
    }
    // Another content of the same size, written by a clock that was set back, or ahead.
    for (n, time) in times.into_iter().enumerate() {
        let path = source.join(time.to_string());
        fs::write(&path, "two").unwrap();
        set_modified(&path, at(times[(n + 1) % times.len()]));
    }
    for mirror in [&up as &dyn Fn() -> [u64; 5], &down] {
        assert_eq!(mirror(), [many, 0, 0, 0, 0]);
        assert_eq!(mirror(), [0, many, 0, 0, 0]);
    }
    for time in times {
        assert_eq!(house.local(&format!("back/{time}")), b"two");
    }
}
