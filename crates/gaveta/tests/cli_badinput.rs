//! Bad input to the real binary: a clear sentence, an exit code, and nothing lost on either side.

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
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, SystemTime};

use common::{House, PASSWORD, Run, content, finish, tree, wait};

/// In both languages: no name of a key instead of a sentence, nothing that a terminal obeys.
fn said(house: &House, args: &[&str], code: i32, english: &str, portuguese: &str) {
    for (language, sentence) in [("en", english), ("pt-BR", portuguese)] {
        let words: Vec<&str> = ["--lang", language].iter().chain(args).copied().collect();
        let run = house.run(&words).ends(code);
        assert!(run.err.contains(sentence), "{args:?}: {}", run.err);
        assert!(
            !run.err.contains(['\u{1b}', '\u{9b}', '‹']),
            "{args:?}: {:?}",
            run.err
        );
    }
}

/// What was staged goes. A client that gives up need not wait for it.
fn nothing_staged(house: &House) {
    let staged = house.served.path().join(".gaveta/staging");
    let start = std::time::Instant::now();
    while fs::read_dir(&staged).unwrap().count() > 0 {
        assert!(start.elapsed().as_secs() < 60, "something stays");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}

#[test]
fn what_is_not_a_name_is_refused_in_both_languages() {
    let house = House::open();
    house.write("good", "x");
    house.serve_file("there", "old");
    let dots = "\"..\"";
    let control = ("control characters", "caracteres de controle");
    let long = ("longer than 255 bytes", "mais de 255 bytes");
    let reserved = ("reserved", "reservado");
    let (x256, wide) = ("x".repeat(256), "é".repeat(128));
    let deep = vec!["d"; 300].join("/");
    for (name, (english, portuguese)) in [
        ("..", (dots, dots)),
        ("../x", (dots, dots)),
        ("a/../b", (dots, dots)),
        ("./x", (dots, dots)),
        ("/etc/passwd", ("is empty", "nome vazio")),
        ("a//b", ("is empty", "nome vazio")),
        ("a\u{1b}[2Jb", control),
        ("a\nb", control),
        ("a\u{9b}b", control),
        (x256.as_str(), long),
        (wide.as_str(), long),
        (deep.as_str(), ("too deep", "profundo demais")),
        (".gaveta", reserved),
        (".GAVETA/x", reserved),
        ("x/.Gaveta", reserved),
        (".gaveta.", reserved),
        (".gaveta ", reserved),
    ] {
        let at = house.at(name);
        for args in [
            &["send", "good", &at][..],
            &["get", &at, "to/"],
            &["mkdir", &at],
            &["delete", &at, PASSWORD],
            &["list", &at],
            &["copy", &house.at("there"), &at],
        ] {
            said(&house, args, 1, english, portuguese);
        }
    }
    assert_eq!(tree(house.served.path()), ["there"]);
    let mut here = tree(house.home.path());
    here.retain(|name| !name.starts_with("state/"));
    assert_eq!(here, ["good"]);
}

#[test]
fn what_is_missing_or_of_another_kind_is_told() {
    let house = House::open();
    house.write("good", "x");
    house.write("folder/file", "x");
    house.serve_file("there", "old");
    house.serve_file("d/e", "old");
    let (root, there, missing) = (house.at(""), house.at("there"), house.at("missing"));
    said(
        &house,
        &["send", "missing", &root],
        5,
        "missing: does not exist",
        "não existe",
    );
    said(
        &house,
        &["get", &missing, "to/"],
        5,
        "does not exist",
        "não existe",
    );
    let onto = house.at("there/");
    said(
        &house,
        &["send", "good", &onto],
        1,
        "is not a folder",
        "não é uma pasta",
    );
    let beneath = house.at("there/x");
    said(
        &house,
        &["send", "good", &beneath],
        1,
        "is not a folder",
        "não é uma pasta",
    );
    said(
        &house,
        &["send", "folder", &there],
        1,
        "is not a folder",
        "não é uma pasta",
    );
    said(
        &house,
        &["get", &house.at("d"), "-"],
        1,
        "is a folder",
        "é uma pasta",
    );
    said(
        &house,
        &["get", &house.at("d"), "good"],
        1,
        "is not a folder",
        "não é uma pasta",
    );
    said(
        &house,
        &["send", "good/", &root],
        1,
        "is not a folder",
        "não é uma pasta",
    );
    let device = "FIFO, socket";
    said(&house, &["send", "/dev/null", &root], 1, device, device);
    assert_eq!(tree(house.served.path()), ["d/", "d/e", "there"]);
    assert_eq!(
        (house.served("there"), house.local("good")),
        (b"old".to_vec(), b"x".to_vec())
    );
}

#[test]
fn odd_names_and_empty_files_go_by_every_verb() {
    let house = House::open();
    let names = [
        "-rf",
        " sp ace ",
        "a|b",
        "'\"",
        "🗄️ é e\u{301}",
        "*",
        "[x]",
        "%2e",
        "...",
    ];
    for name in names {
        house.write(name, "");
        let run = |args: &[&str]| house.admin(args).ok();
        run(&["send", "--", name, &house.at("")]);
        assert_eq!(house.served(name), b"", "{name}");
        run(&[
            "move",
            "--",
            &house.at(name),
            &house.at(&format!("moved {name}")),
        ]);
        run(&[
            "copy",
            "--",
            &house.at(&format!("moved {name}")),
            &house.at(&format!("d/{name}")),
        ]);
        run(&["get", "--", &house.at(&format!("d/{name}")), "to/"]);
        assert_eq!(house.local(&format!("to/{name}")), b"", "{name}");
        run(&["delete", "--", &house.at(&format!("moved {name}"))]);
    }
    let mut left: Vec<String> = names.iter().map(|name| format!("d/{name}")).collect();
    left.push("d/".to_owned());
    left.sort();
    assert_eq!(tree(house.served.path()), left);
}

/// What says that it is empty and is not, or cannot be read, is not "sent and verified".
#[cfg(target_os = "linux")]
#[test]
fn a_file_that_cannot_be_read_or_lies_about_its_size_is_refused() {
    let house = House::open();
    house.write("good", "x");
    for file in ["/proc/self/status", "/proc/self/mem"] {
        let run = house.run(["send", file, "good", &house.at("to/")]).ends(1);
        assert!(
            run.err.contains(file) && run.err.contains("1 FAILED"),
            "{}",
            run.err
        );
        assert_eq!(tree(house.served.path()), ["to/", "to/good"], "{file}");
        fs::remove_file(house.served.path().join("to/good")).unwrap();
    }
    nothing_staged(&house);
}

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
fn links_and_special_files_in_the_drawer_do_not_come_along() {
    let house = House::open();
    house.serve_file("d/good", "x");
    let secret = house.home.path().join("secret");
    fs::write(&secret, "a mark").unwrap();
    let at = |name: &str| house.served.path().join("d").join(name);
    symlink(&secret, at("out")).unwrap();
    symlink("good", at("in")).unwrap();
    symlink("nowhere", at("dangling")).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, at("fifo"), rustix::fs::Mode::RWXU).unwrap();
    let run = house.run(["get", &house.at("d"), "to"]).ok();
    assert!(run.err.contains("4 skipped"), "{}", run.err);
    for name in ["out", "in", "dangling", "fifo"] {
        assert!(run.err.contains(name), "{name}: {}", run.err);
        let never = ("link", "link");
        said(
            &house,
            &["get", &house.at(&format!("d/{name}")), "one/"],
            1,
            never.0,
            never.1,
        );
    }
    assert_eq!(tree(&house.home.path().join("to")), ["good"]);
    // Our own side: a target that is a link is not written through.
    symlink(&secret, house.home.path().join("good")).unwrap();
    for replace in [false, true] {
        let mut words = vec!["get".to_owned(), house.at("d/good")];
        words.extend(replace.then(|| "--replace".to_owned()));
        house.run(&words);
        assert_eq!(fs::read(&secret).unwrap(), b"a mark", "replace: {replace}");
    }
}

/// A small file system, taken away again when dropped.
struct Mounted(PathBuf);

impl Mounted {
    fn at(path: &Path, options: &str) -> Option<Self> {
        let done = Command::new("mount")
            .args(["-t", "tmpfs", "-o", options, "gaveta-test"])
            .arg(path)
            .output();
        if done.is_ok_and(|output| output.status.success()) {
            return Some(Self(path.to_owned()));
        }
        eprintln!("skipped: no right to mount");
        None
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
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

/// One request on a connection of its own, as these bytes; the answer goes unread but for its end.
fn raw(port: u16, request: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.write_all(request).unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    answer
}

#[test]
fn the_log_holds_no_secret_and_nothing_a_terminal_obeys() {
    let served = tempfile::tempdir().unwrap();
    let home = tempfile::tempdir().unwrap();
    let log = home.path().join("log");
    let file = fs::File::create(&log).unwrap();
    fs::write(home.path().join("secret"), "the-right-secret\n").unwrap();
    let mut server = common::gaveta()
        .args(["serve", "--port", "0", "--host", "127.0.0.1"])
        .args(["--log-level", "trace", "--admin-password-file"])
        .arg(home.path().join("secret"))
        .arg("--state-dir")
        .arg(home.path().join("state"))
        .arg(served.path())
        .stdout(file.try_clone().unwrap())
        .stderr(file)
        .spawn()
        .unwrap();
    let port = loop {
        let said = fs::read_to_string(&log).unwrap();
        let found = said.split("http://127.0.0.1:").nth(1);
        if let Some((port, _)) = found.and_then(|rest| rest.split_once('/')) {
            break port.parse().unwrap();
        }
        assert!(server.try_wait().unwrap().is_none(), "{said}");
        std::thread::sleep(std::time::Duration::from_millis(5));
    };
    // `admin:the-right-secret` and `admin:a-wrong-secret`.
    let right = "YWRtaW46dGhlLXJpZ2h0LXNlY3JldA==";
    let wrong = "YWRtaW46YS13cm9uZy1zZWNyZXQ=";
    for (credentials, status) in [(right, "404"), (wrong, "401")] {
        let request = format!(
            "DELETE /none?key=a-query-secret HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
             Authorization: Basic {credentials}\r\nUser-Agent: a\u{9b}b\r\nReferer: \u{9b}x\r\n\r\n"
        );
        let answer = raw(port, request.as_bytes());
        let head = String::from_utf8_lossy(&answer);
        assert!(head.starts_with(&format!("HTTP/1.1 {status}")), "{head}");
    }
    raw(
        port,
        b"GET /%1b[2J%0aINFO%20forged HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    );
    raw(port, b"GET /\x1b[2J HTTP/1.1\r\nHost: \x1b]0;x\x07\r\n\r\n");
    raw(port, b"\x1b[2J\x9b\r\n\r\n");
    let call = r#"{"id":1,"do":"sign-in","name":"admin","password":"the-right-secret"}"#;
    let request = format!(
        "POST /.gaveta/command HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{call}",
        call.len()
    );
    raw(port, request.as_bytes());
    server.kill().unwrap();
    server.wait().unwrap();
    let said = fs::read(&log).unwrap();
    let text = String::from_utf8(said).unwrap();
    assert!(text.contains("DELETE"), "{text}");
    for secret in [
        "the-right-secret",
        "a-wrong-secret",
        "a-query-secret",
        right,
        wrong,
    ] {
        assert!(!text.contains(secret), "{secret}: {text}");
    }
    let obeyed = |c: char| c.is_control() && c != '\n';
    assert!(!text.contains(obeyed), "{text:?}");
    assert!(!text.lines().any(|line| line.starts_with("INFO forged")));
}
