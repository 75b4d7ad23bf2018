//! First contact, a changed key and a trusted certificate, as a person sees them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use gaveta_testkit::terminal::{Plan, Terminal};

use crate::house::{House, client, fingerprint, known, pair, run};

const LOCALES: [(&str, &str); 2] = [("pt_BR.UTF-8", "pt-BR"), ("en_US.UTF-8", "en")];

/// Wide enough for a fingerprint and a sentence.
const WIDE: Plan = Plan {
    rows: 24,
    columns: 240,
    answers: true,
};

/// What is seen of a `list`, the question answered with these words, and its exit code.
fn seen(house: &House, home: &Path, locale: &str, answers: &[&str], roots: &Path) -> (String, i32) {
    let mut command = client(home, locale, &["list", &house.url("")]);
    command.env("SSL_CERT_FILE", roots);
    let mut terminal = Terminal::start(command, WIDE);
    for answer in answers {
        terminal.wait_until("a question", |screen| {
            screen.cursor_line().ends_with("/n]").then_some(())
        });
        terminal.type_text(&format!("{answer}\n"));
    }
    let code = terminal.exit_code();
    let text = terminal.text();
    (timeless(text.trim_end(), house), code)
}

/// Without what differs each time.
fn timeless(text: &str, house: &House) -> String {
    let mut text = text.replace(&house.port.to_string(), "PORT");
    let mut from = 0;
    while let Some(at) = text[from..].find("SHA256:").map(|at| from + at + 7) {
        let end = text[at..]
            .find(|c: char| !c.is_ascii_alphanumeric() && !"+/".contains(c))
            .map_or(text.len(), |end| at + end);
        let mark = if text[at..end] == fingerprint(house)[7..] {
            "(ITS OWN)"
        } else {
            "(ANOTHER)"
        };
        text.replace_range(at..end, mark);
        from = at + mark.len();
    }
    text.lines()
        .map(|line| match line.find("theirs.txt") {
            Some(_) => "theirs.txt …",
            None => line.trim_end(),
        })
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn the_first_contact_is_asked_about_once() {
    for (locale, name) in LOCALES {
        let folder = tempfile::tempdir().unwrap();
        let nobody = folder.path().join("nobody");
        fs::write(&nobody, "").unwrap();
        let house = House::open(&pair(folder.path(), "a"));
        let home = tempfile::tempdir().unwrap();
        let (text, code) = seen(&house, home.path(), locale, &["n"], &nobody);
        insta::assert_snapshot!(format!("first-no-{name}"), text);
        assert_eq!(
            (code, house.requests()),
            (4, 0),
            "nothing is sent before the answer"
        );
        assert!(!known(home.path()).exists());
        let (text, code) = seen(&house, home.path(), locale, &["s"], &nobody);
        insta::assert_snapshot!(format!("first-yes-{name}"), text);
        assert_eq!(code, 0);
        let kept = fs::read_to_string(known(home.path())).unwrap();
        assert_eq!(
            kept,
            format!("127.0.0.1:{} {}\n", house.port, fingerprint(&house))
        );
        let mode = fs::metadata(known(home.path()))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        let (text, code) = seen(&house, home.path(), locale, &[], &nobody);
        insta::assert_snapshot!(format!("known-{name}"), text);
        assert_eq!(code, 0);
    }
}

#[test]
fn a_changed_key_is_refused_until_it_is_forgotten() {
    for (locale, name) in LOCALES {
        let folder = tempfile::tempdir().unwrap();
        let nobody = folder.path().join("nobody");
        fs::write(&nobody, "").unwrap();
        let (first, second) = (pair(folder.path(), "a"), pair(folder.path(), "b"));
        let mut house = House::open(&first);
        let home = tempfile::tempdir().unwrap();
        assert_eq!(seen(&house, home.path(), locale, &["y"], &nobody).1, 0);
        let port = house.port;
        house.stop();
        let house = House::at(&second, port);
        let (text, code) = seen(&house, home.path(), locale, &[], &nobody);
        insta::assert_snapshot!(format!("changed-{name}"), text);
        assert_eq!((code, house.requests()), (4, 0));
        // Not even when this machine trusts the new one: a person chose the old one.
        let (_, code) = seen(&house, home.path(), locale, &[], &second.authority);
        assert_eq!((code, house.requests()), (4, 0));
        run(home.path(), &["forget", &format!("127.0.0.1:{port}")]).ok();
        run(home.path(), &["forget", &format!("127.0.0.1:{port}")]).ends(5);
        assert_eq!(seen(&house, home.path(), locale, &["y"], &nobody).1, 0);
    }
}

#[test]
fn a_trusted_certificate_needs_no_question() {
    for (locale, name) in LOCALES {
        let folder = tempfile::tempdir().unwrap();
        let pair = pair(folder.path(), "a");
        let house = House::open(&pair);
        let home = tempfile::tempdir().unwrap();
        let (text, code) = seen(&house, home.path(), locale, &[], &pair.authority);
        insta::assert_snapshot!(format!("trusted-{name}"), text);
        assert_eq!(code, 0);
        assert!(!known(home.path()).exists(), "nothing has to be remembered");
    }
}

#[test]
fn without_a_terminal_a_fingerprint_must_be_given() {
    let folder = tempfile::tempdir().unwrap();
    let house = House::open(&pair(folder.path(), "a"));
    let home = tempfile::tempdir().unwrap();
    let url = house.url("");
    let right = fingerprint(&house);
    let told = run(home.path(), &["list", &url]).ends(4);
    assert!(
        told.err.contains(&format!("--fingerprint {right}")),
        "{}",
        told.err
    );
    let told = run(home.path(), &["list", "--json", &url]).ends(4);
    assert!(told.text().contains("\"code\":\"insecure\"") || told.err.contains("insecure"));
    assert_eq!(house.requests(), 0);
    let listed = run(home.path(), &["list", &url, "--fingerprint", &right]).ok();
    assert!(listed.text().contains("theirs.txt"));
    let mut command = client(home.path(), "en_US.UTF-8", &["list", &url]);
    command.env("GAVETA_FINGERPRINT", &right);
    crate::common::finish(command, b"").ok();
    assert!(
        !known(home.path()).exists(),
        "a script leaves nothing behind"
    );
    let before = house.requests();
    let wrong = format!("SHA256:{}", "A".repeat(43));
    run(home.path(), &["list", &url, "--fingerprint", &wrong]).ends(4);
    run(home.path(), &["list", &url, "--fingerprint", "nonsense"]).ends(2);
    assert_eq!(house.requests(), before);
}

/// A server on this machine that takes no plain HTTP from here: as at the end of a tunnel.
#[test]
fn all_verbs_and_the_shell_go_over_it() {
    let folder = tempfile::tempdir().unwrap();
    let house = House::open(&pair(folder.path(), "a"));
    let home = tempfile::tempdir().unwrap();
    let right = fingerprint(&house);
    let pin = ["--fingerprint", right.as_str()];
    let content = crate::common::content(20 << 20);
    fs::write(home.path().join("big"), &content).unwrap();
    for n in 0..20 {
        fs::create_dir_all(home.path().join("many")).unwrap();
        fs::write(home.path().join(format!("many/{n}")), format!("{n}")).unwrap();
    }
    let with = |args: &[&str]| run(home.path(), &[args, &pin[..]].concat());
    with(&["send", "big", "many", &house.url("")]).ok();
    assert_eq!(house.served("big").as_deref(), Some(&content[..]));
    assert_eq!(house.served("many/7").as_deref(), Some(&b"7"[..]));
    fs::remove_file(home.path().join("big")).unwrap();
    with(&["get", &house.url("big"), "."]).ok();
    assert_eq!(fs::read(home.path().join("big")).unwrap(), content);
    with(&["delete", &house.url("big"), crate::common::PASSWORD]).ok();
    assert_eq!(house.served("big"), None);
    let script = "list\nmkdir new\n";
    let mut command = client(home.path(), "en_US.UTF-8", &["connect", &house.url("")]);
    command.args(pin);
    let shell = crate::common::finish(command, script.as_bytes()).ok();
    assert!(shell.text().contains("theirs.txt"), "{shell:?}");
}

/// Another program of this machine has the port of a server that is known by its key.
#[test]
fn who_was_remembered_is_not_spoken_to_without_encryption() {
    let folder = tempfile::tempdir().unwrap();
    let nobody = folder.path().join("nobody");
    fs::write(&nobody, "").unwrap();
    let mut house = House::open(&pair(folder.path(), "a"));
    let home = tempfile::tempdir().unwrap();
    let (text, code) = seen(&house, home.path(), "en_US.UTF-8", &["y"], &nobody);
    assert_eq!(code, 0, "{text}");
    let (port, right) = (house.port, fingerprint(&house));
    house.stop();
    let other = House::start("127.0.0.1", port, &[], |_| {});
    let place = format!("127.0.0.1:{port}/");
    let as_somebody = |args: &[&str]| {
        let mut command = client(home.path(), "en_US.UTF-8", args);
        command.env("GAVETA_TOKEN", "gvt_not-for-everybody");
        crate::common::finish(command, b"")
    };
    as_somebody(&["list", &place]).ends(4);
    as_somebody(&["list", &place, "--fingerprint", &right]).ends(4);
    let open = format!("http://{place}");
    let told = as_somebody(&["list", &open, "--fingerprint", &right]).ends(4);
    assert!(told.err.contains("Nothing was sent"), "{}", told.err);
    assert_eq!(other.requests(), 0);
    // Whoever says so in so many words is let in unencrypted.
    run(home.path(), &["list", &open]).ok();
    run(home.path(), &["forget", &place]).ok();
    run(home.path(), &["list", &place]).ok();
    assert!(other.requests() > 0);
}
