//! What goes wrong in the middle: a file that changes while it is sent, a server that dies, a disk that
//! fills, two who send one name. Nothing is lost on either side.

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
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::mpsc;
use std::time::{Duration, SystemTime};

use common::{House, PASSWORD, Run, content, finish, nothing_staged, said, tree, wait};
use gaveta_testkit::Mounted;

/// Stands between client and server and stops after so many of the client's bytes, until told to
/// go on.
struct Gate {
    port: u16,
    reached: mpsc::Receiver<()>,
    go: mpsc::Sender<()>,
}

impl Gate {
    fn at(port: u16, after: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let own = listener.local_addr().unwrap().port();
        let ((says, reached), (go, told)) = (mpsc::channel(), mpsc::channel());
        // Once told to go on, every line goes on.
        let told = std::sync::Arc::new(std::sync::Mutex::new((told, false)));
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let mut client = client.unwrap();
                let Ok(mut server) = TcpStream::connect(("127.0.0.1", port)) else {
                    continue;
                };
                let (mut back, mut to) = (server.try_clone().unwrap(), client.try_clone().unwrap());
                std::thread::spawn(move || {
                    let _ = std::io::copy(&mut back, &mut to);
                    let _ = to.shutdown(std::net::Shutdown::Both);
                });
                let (says, told) = (says.clone(), told.clone());
                std::thread::spawn(move || {
                    let (mut passed, mut stopped) = (0, false);
                    let mut buffer = [0; 16 * 1024];
                    while let Ok(read @ 1..) = client.read(&mut buffer) {
                        passed += read;
                        if passed > after && !stopped {
                            stopped = true;
                            // Nobody listens any more once the first line has said so.
                            let _ = says.send(());
                            let mut told = told.lock().unwrap();
                            if !told.1 {
                                // Ends too when the test is over.
                                let _ = told.0.recv();
                                told.1 = true;
                            }
                        }
                        if server.write_all(&buffer[..read]).is_err() {
                            break;
                        }
                    }
                    let _ = server.shutdown(std::net::Shutdown::Both);
                });
            }
        });
        Self {
            port: own,
            reached,
            go,
        }
    }
}

/// How a client ended that runs already.
fn end(mut child: Child) -> Run {
    let mut err = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut err)
        .unwrap();
    let status = wait(&mut child);
    Run {
        status,
        out: Vec::new(),
        err,
    }
}

/// Sends `large` through a gate and does something to it, or to the server, in the middle.
fn in_the_middle(house: &mut House, replace: bool, what: impl FnOnce(&mut House, &Path)) -> Run {
    house.write("large", content(24_000_000));
    let gate = Gate::at(house.port, 1_000_000);
    let address = format!("127.0.0.1:{}/large", gate.port);
    let mut client = house.client(["send", "large", &address]);
    if replace {
        client.arg("--replace").env("GAVETA_PASSWORD", PASSWORD);
    }
    let client = client.stdin(Stdio::null()).spawn().unwrap();
    gate.reached.recv().unwrap();
    let file = house.home.path().join("large");
    what(house, &file);
    gate.go.send(()).unwrap();
    end(client)
}

#[test]
fn a_file_that_grows_or_shrinks_while_it_is_sent_is_refused() {
    type Change = fn(&Path);
    let changes: [(&str, i32, &str, Change); 3] = [
        ("grows", 1, "changed while it was read", |file| {
            let mut file = fs::File::options().append(true).open(file).unwrap();
            file.write_all(b"more").unwrap();
        }),
        ("shrinks", 1, "changed while it was read", |file| {
            let file = fs::File::options().write(true).open(file).unwrap();
            file.set_len(2_000_000).unwrap();
        }),
        ("is written over", 6, "changed in the meantime", |file| {
            use std::os::unix::fs::FileExt;
            let file = fs::File::options().write(true).open(file).unwrap();
            file.write_all_at(b"other", 23_000_000).unwrap();
        }),
    ];
    for (name, code, sentence, change) in changes {
        for old in [None, Some("old")] {
            let mut house = House::open();
            if let Some(old) = old {
                house.serve_file("large", old);
            }
            let run = in_the_middle(&mut house, old.is_some(), |_, file| change(file)).ends(code);
            assert!(run.err.contains(sentence), "{name}: {}", run.err);
            match old {
                Some(old) => assert_eq!(house.served("large"), old.as_bytes(), "{name}"),
                None => assert_eq!(tree(house.served.path()), Vec::<String>::new(), "{name}"),
            }
            nothing_staged(&house);
        }
    }
}

#[test]
fn a_server_that_dies_while_it_receives_is_told_and_the_old_version_stays() {
    let mut house = House::open();
    house.serve_file("large", "old");
    let run = in_the_middle(&mut house, true, |house, _| house.kill()).ends(3);
    assert!(run.err.contains("large"), "{}", run.err);
    assert_eq!(house.served("large"), b"old");
    assert_eq!(house.local("large"), content(24_000_000));
}

#[test]
fn of_two_clients_who_send_one_name_at_once_one_wins() {
    let house = House::open();
    for round in 0..4 {
        let name = format!("name{round}");
        let clients: Vec<_> = (0..3u8)
            .map(|n| {
                let file = format!("from{n}");
                // Of other times, or the losers would take the winner's for their own.
                house.write(&file, vec![n; 300_000]);
                let modified =
                    SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000 + u64::from(n));
                let local = house.home.path().join(&file);
                let local = fs::File::options().write(true).open(local).unwrap();
                local.set_modified(modified).unwrap();
                house
                    .client(["send", &file, &house.at(&name)])
                    .spawn()
                    .unwrap()
            })
            .collect();
        let codes: Vec<i32> = clients
            .into_iter()
            .map(|client| end(client).code())
            .collect();
        let winner = codes
            .iter()
            .position(|code| *code == 0)
            .expect("one of them");
        assert_eq!(
            codes.iter().filter(|code| **code == 6).count(),
            2,
            "{codes:?}"
        );
        assert_eq!(house.served(&name), vec![winner as u8; 300_000]);
    }
    nothing_staged(&house);
}

#[test]
fn a_full_disk_on_either_side_is_told_and_nothing_is_lost() {
    let served = tempfile::tempdir().unwrap();
    let Some(_mounted) = Mounted::at(served.path(), "size=2m") else {
        return;
    };
    let house = House::on(served);
    house.serve_file("old", "old");
    house.write("large", content(3_000_000));
    let at = house.at("old");
    for args in [
        ["send", "--replace", "large", &at],
        ["send", "large", "--replace", &at],
    ] {
        let run = house.admin(args).ends(1);
        assert!(run.err.contains("no space left"), "{}", run.err);
        assert!(run.err.contains("still there"), "{}", run.err);
    }
    let mut client = house.client(["send", "--replace", "-", &at]);
    client.env("GAVETA_PASSWORD", PASSWORD);
    let run = finish(client, &content(3_000_000)).ends(1);
    assert!(run.err.contains("no space left"), "{}", run.err);
    assert_eq!(house.served("old"), b"old");
    nothing_staged(&house);

    // Our own disk.
    let small = house.home.path().join("small");
    fs::create_dir(&small).unwrap();
    let Some(_small) = Mounted::at(&small, "size=256k") else {
        return;
    };
    house.serve_file("large", content(1_000_000));
    house.write("small/large", "mine");
    let run = house
        .run(["get", "--replace", &house.at("large"), "small/"])
        .ends(1);
    assert!(run.err.contains("no space left"), "{}", run.err);
    assert!(
        !run.err.contains("on the server"),
        "whose disk? {}",
        run.err
    );
    assert_eq!(tree(&small), ["large"]);
    assert_eq!(house.local("small/large"), b"mine");
}

#[test]
fn a_mount_inside_the_drawer_is_named() {
    let house = House::open();
    let point = house.served.path().join("d/mount");
    fs::create_dir_all(&point).unwrap();
    let Some(_mounted) = Mounted::at(&point, "size=1m") else {
        return;
    };
    house.serve_file("d/mount/precious", "precious");
    house.write("a", "x");
    let into = house.at("d/mount/");
    let (english, portuguese) = ("another file system", "outro sistema de arquivos");
    said(&house, &["send", "a", &into], 1, english, portuguese);
    let run = house.admin(["rm", "-r", "--yes", &house.at("d")]);
    assert!(run.code() != 0, "{}", run.err);
    house
        .run(["get", &house.at("d/mount/precious"), "to/"])
        .ok();
    assert_eq!(house.local("to/precious"), b"precious");
    assert_eq!(house.served("d/mount/precious"), b"precious");
}
