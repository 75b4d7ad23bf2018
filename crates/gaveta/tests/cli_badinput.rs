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
use std::net::TcpStream;
use std::os::unix::fs::symlink;

use common::{House, PASSWORD, nothing_staged, said, tree};

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
