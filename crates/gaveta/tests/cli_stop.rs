//! Stopped in the middle: nothing of a part remains on either side.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may"
)]

mod common;

use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use common::{House, content, tree, wait};
use gaveta_testkit::terminal::{Plan, Terminal};
use rustix::process::{Pid, Signal, kill_process};

fn signal(child: &Child, signal: Signal) {
    let pid = Pid::from_child(child);
    kill_process(pid, signal).unwrap();
}

/// Waits for a state of the disk, not for a time.
fn until(mut holds: impl FnMut() -> bool) {
    let start = std::time::Instant::now();
    while !holds() {
        assert!(
            start.elapsed() < Duration::from_secs(60),
            "it never came so far"
        );
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn an_upload_that_is_stopped_leaves_nothing() {
    for which in [Signal::INT, Signal::TERM] {
        let house = House::open();
        // Standard input never ends, so the upload stands in the middle when it is stopped.
        let mut command = house.client(["send", "-", &house.at("part")]);
        let mut client = command.stdin(Stdio::piped()).spawn().unwrap();
        let mut stdin = client.stdin.take().unwrap();
        stdin.write_all(&content(2_000_000)).unwrap();
        let staged = house.served.path().join(".gaveta/staging");
        until(|| staged.exists() && fs::read_dir(&staged).unwrap().count() > 0);
        signal(&client, which);
        assert_eq!(wait(&mut client).code(), Some(130));
        drop(stdin);
        assert_eq!(tree(house.served.path()), Vec::<String>::new());
        until(|| fs::read_dir(&staged).unwrap().count() == 0);
        house.run(["list", &house.at("")]).ok();
    }
}

/// Stands between client and server, and lets only so much of the server's words through; the end
/// of either side it passes on.
fn narrow(port: u16, bytes: usize) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let own = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let client = client.unwrap();
            let Ok(server) = TcpStream::connect(("127.0.0.1", port)) else {
                continue;
            };
            let (from, to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            std::thread::spawn(move || pass(from, to, usize::MAX));
            std::thread::spawn(move || pass(server, client, bytes));
        }
    });
    own
}

fn pass(mut from: TcpStream, mut to: TcpStream, mut left: usize) {
    let mut buffer = [0; 16 * 1024];
    while let Ok(read) = from.read(&mut buffer) {
        let let_through = read.min(left);
        left -= let_through;
        if read == 0 || to.write_all(&buffer[..let_through]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
    let _ = from.shutdown(Shutdown::Both);
}

/// A client that gets a file and now stands in the middle of it.
fn stuck(house: &House) -> Child {
    house.serve_file("large", content(4_000_000));
    let port = narrow(house.port, 1_000_000);
    let address = format!("127.0.0.1:{port}/large");
    let to = house.home.path().join("to");
    fs::create_dir(&to).unwrap();
    let client = house.client(["get", &address, "to/"]).spawn().unwrap();
    until(|| files(&to) > 0);
    client
}

#[test]
fn a_download_that_is_stopped_leaves_no_part_file() {
    for which in [Signal::INT, Signal::TERM] {
        let house = House::open();
        let mut client = stuck(&house);
        signal(&client, which);
        assert_eq!(wait(&mut client).code(), Some(130));
        let mut err = String::new();
        client
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut err)
            .unwrap();
        assert!(err.contains("stopped"), "{err}");
        assert_eq!(files(&house.home.path().join("to")), 0);
    }
}

#[test]
fn a_big_upload_that_is_stopped_says_how_to_go_on() {
    let house = House::open();
    house.write("big.bin", content(24 << 20));
    let at = house.at("big.bin");
    let mut command = house.client(["send", "big.bin", &at, "--limit-rate", "4M"]);
    command.env("XDG_STATE_HOME", house.home.path().join("state"));
    let mut client = command.spawn().unwrap();
    let uploads = || {
        let listed = house.admin(["uploads", &house.at(""), "--json"]).ok();
        listed
            .json()
            .iter()
            .any(|upload| upload["arrived"].as_u64() > Some(0))
    };
    until(uploads);
    // What arrived is counted when its answer is there.
    std::thread::sleep(Duration::from_secs(1));
    signal(&client, Signal::INT);
    assert_eq!(wait(&mut client).code(), Some(130));
    let mut err = String::new();
    let mut stderr = client.stderr.take().unwrap();
    stderr.read_to_string(&mut err).unwrap();
    assert!(err.contains("Stopped. big.bin goes on from "), "{err}");
    let again = format!("gaveta send big.bin {at} --limit-rate 4M");
    assert!(err.contains(&again), "{err}");
}

/// Who changes a terminal that another has in front is stopped by the system, and would hang there.
#[test]
fn a_client_behind_ends_at_ctrl_c_and_is_not_stopped_by_the_terminal() {
    let house = House::open();
    house.serve_file("large", content(4_000_000));
    let port = narrow(house.port, 1_000_000);
    let to = house.home.path().join("to");
    fs::create_dir(&to).unwrap();
    let program = house.client([""; 0]).get_program().to_owned();
    let mut shell = Command::new("sh");
    shell
        .args([
            "-c",
            "set -m; \"$0\" \"$@\" & echo its number: $!.; wait $!; echo it ended: $?.",
        ])
        .arg(program)
        .args(["get", &format!("127.0.0.1:{port}/large"), "to/"])
        .current_dir(house.home.path())
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("LC_ALL", "en_US.UTF-8")
        .env("HOME", house.home.path());
    let terminal = Terminal::start(shell, Plan::default());
    let number = terminal.wait_until("the number of the client", |screen| {
        let text = screen.text();
        let rest = text.split_once("its number: ")?.1;
        rest.split_once('.')?.0.parse::<i32>().ok()
    });
    until(|| files(&to) > 0);
    kill_process(Pid::from_raw(number).unwrap(), Signal::INT).unwrap();
    terminal.wait_for("it ended: ");
    let text = terminal.text();
    // Should it have been stopped, it does not stay.
    let _ = kill_process(Pid::from_raw(number).unwrap(), Signal::KILL);
    assert!(text.contains("it ended: 130."), "{text}");
    assert_eq!(files(&to), 0);
}

#[test]
fn a_server_that_dies_in_the_middle_is_told_and_nothing_remains() {
    let mut house = House::open();
    let mut client = stuck(&house);
    house.kill();
    assert_eq!(wait(&mut client).code(), Some(3));
    assert_eq!(files(&house.home.path().join("to")), 0);
}

/// What was cut goes on as after Ctrl-C, and that is said; of what did not happen nothing is told.
#[test]
fn a_big_upload_whose_server_dies_says_how_to_go_on_and_goes_on() {
    for (locale, goes_on, failed) in [
        ("en_US.UTF-8", "big.bin goes on from ", "\n1 FAILED\n"),
        ("pt_BR.UTF-8", "big.bin continua de ", "\n1 FALHOU\n"),
    ] {
        let mut house = House::open();
        house.write("big.bin", content(24 << 20));
        let at = house.at("big.bin");
        let state = house.home.path().join("state");
        let mut command = house.client(["send", "big.bin", &at, "--limit-rate", "4M"]);
        command.env("XDG_STATE_HOME", &state).env("LC_ALL", locale);
        let mut client = command.spawn().unwrap();
        until(|| {
            let listed = house.admin(["uploads", &house.at(""), "--json"]).ok();
            let listed = listed.json();
            let arrived = listed.iter().map(|upload| upload["arrived"].as_u64());
            arrived.flatten().any(|bytes| bytes > 0)
        });
        // What arrived is counted when its answer is there.
        std::thread::sleep(Duration::from_secs(1));
        house.kill();
        assert_eq!(wait(&mut client).code(), Some(3));
        let mut err = String::new();
        let mut stderr = client.stderr.take().unwrap();
        stderr.read_to_string(&mut err).unwrap();
        assert!(err.contains(goes_on) && err.contains(failed), "{err}");
        assert!(!err.contains("0 B"), "{err}");
        let again = format!("gaveta send big.bin {at} --limit-rate 4M");
        assert!(err.contains(&again), "{err}");
        house.start_again();
        let mut command = house.client(["send", "big.bin", &at, "--json"]);
        command.env("XDG_STATE_HOME", &state);
        let told = common::finish(command, b"").ok().json();
        let resumed = told.last().unwrap()["resumed"].as_u64();
        assert!(resumed > Some(0), "{told:?}");
        assert_eq!(house.served("big.bin"), content(24 << 20));
    }
}

#[test]
fn where_nothing_could_be_listed_nothing_is_summed_up() {
    let house = House::open();
    let on_a_terminal = |path: &str| {
        let list = house.client(["list", &house.at(path)]);
        let mut terminal = Terminal::start(list, Plan::default());
        let code = terminal.exit_code();
        (code, terminal.text())
    };
    let (code, text) = on_a_terminal("missing");
    assert!(code == 5 && !text.contains("0 B"), "{text}");
    let (code, text) = on_a_terminal("");
    assert!(code == 0 && text.contains("0 items, 0 B"), "{text}");
    let missing = house.at("missing");
    let told = house.run(["list", &missing, "--json"]).ends(5).json();
    assert_eq!(told.last().unwrap()["entries"], 0);
}

/// How many things lie there, hidden ones too.
fn files(folder: &std::path::Path) -> usize {
    if folder.exists() {
        fs::read_dir(folder).unwrap().count()
    } else {
        0
    }
}
