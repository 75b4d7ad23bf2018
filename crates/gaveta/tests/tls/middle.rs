//! A man in the middle: a real second server, with a certificate of its own, where the first one
//! was.

use std::fs;
use std::path::Path;

use gaveta_testkit::terminal::{Plan, Terminal};

use crate::common::{PASSWORD, finish};
use crate::house::{House, client, fingerprint, pair, run};

/// Everything a client could be made to send: none of it reaches him.
#[test]
fn he_gets_nothing_not_even_a_password() {
    let folder = tempfile::tempdir().unwrap();
    let (honest, his) = (pair(folder.path(), "honest"), pair(folder.path(), "his"));
    let mut house = House::open(&honest);
    let right = fingerprint(&house);
    let home = tempfile::tempdir().unwrap();
    remember(&house, home.path());
    let port = house.port;
    house.stop();
    let he = House::at(&his, port);
    fs::write(home.path().join("mine"), "a secret of mine").unwrap();
    let url = he.url("theirs.txt");
    let root = he.url("");
    let pin = ["--fingerprint", right.as_str()];
    for pinned in [&[][..], &pin[..]] {
        for verb in [
            &["delete", &url, PASSWORD][..],
            &["list", &root],
            &["get", &url],
            &["send", "mine", &root],
            &["send", "--replace", "mine", &url],
            &["rm", &url],
            &["mkdir", &url],
            &["connect", &root, "-c", "list"],
        ] {
            let mut command = client(home.path(), "en_US.UTF-8", &[verb, pinned].concat());
            // He is vouched for, even, by somebody this machine trusts.
            command
                .env("SSL_CERT_FILE", &his.authority)
                .env("GAVETA_PASSWORD", PASSWORD);
            let run = finish(command, b"");
            assert_eq!(run.code(), 4, "{verb:?} {}", run.err);
            assert!(run.err.contains(&right), "{verb:?}: {}", run.err);
        }
    }
    assert_eq!(he.requests(), 0, "{}", he.log());
    assert!(he.log().contains("gaveta::connection"), "he was there");
    assert_eq!(
        he.served("theirs.txt").as_deref(),
        Some(&b"from the server"[..])
    );
    assert_eq!(he.served("mine"), None);
}

/// He comes while a shell is open: its next connection is not made with him.
#[test]
fn he_does_not_get_into_an_open_shell() {
    let folder = tempfile::tempdir().unwrap();
    let (honest, his) = (pair(folder.path(), "honest"), pair(folder.path(), "his"));
    let mut house = House::open(&honest);
    let home = tempfile::tempdir().unwrap();
    remember(&house, home.path());
    let command = client(home.path(), "en_US.UTF-8", &["connect", &house.url("")]);
    let mut terminal = Terminal::start(command, Plan::default());
    terminal.wait_until("a prompt", |screen| {
        screen
            .cursor_line()
            .ends_with("> ")
            .then_some(())
            .or_else(|| screen.cursor_line().trim_end().ends_with('>').then_some(()))
    });
    let port = house.port;
    house.stop();
    let he = House::at(&his, port);
    terminal.type_text(&format!("delete theirs.txt \"{PASSWORD}\"\n"));
    terminal.wait_for("ANOTHER FINGERPRINT");
    terminal.type_text("exit\n");
    terminal.exit_code();
    assert_eq!(he.requests(), 0, "{}", he.log());
    assert!(he.served("theirs.txt").is_some());
}

/// On a terminal, with a yes.
fn remember(house: &House, home: &Path) {
    let command = client(home, "en_US.UTF-8", &["list", &house.url("")]);
    let mut terminal = Terminal::start(command, Plan::default());
    terminal.wait_until("a question", |screen| {
        screen.cursor_line().ends_with("/n]").then_some(())
    });
    terminal.type_text("y\n");
    assert_eq!(terminal.exit_code(), 0, "{}", terminal.picture());
    run(home, &["list", &house.url("")]).ok();
}
