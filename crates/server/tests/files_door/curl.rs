//! The real `curl`: what the README promises. Skipped aloud where it is missing, but not in CI.

use std::path::Path;
use std::process::{Command, Output};

use super::harness::{Door, PASSWORD};

super::harness::on_every_store! {
    send_get_resume_and_fail,
    standard_input_of_unknown_length,
    over_http_2_too,
    a_refusal_is_read_by_who_sends_much_without_asking_first,
}

async fn curl(folder: &Path, arguments: &[&str]) -> Output {
    run(command(folder, arguments)).await.unwrap()
}

/// Without settings or proxies of the person who runs the tests.
fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new("curl");
    command
        .args(["-q", "-sS", "--noproxy", "*", "--max-time", "60"])
        .args(arguments);
    command.current_dir(folder);
    command
}

async fn run(mut command: Command) -> std::io::Result<Output> {
    tokio::task::spawn_blocking(move || command.output())
        .await
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Is it there? In CI it must be.
async fn missing() -> bool {
    if run(command(Path::new("."), &["--version"])).await.is_ok() {
        return false;
    }
    assert!(std::env::var_os("CI").is_none(), "curl is missing");
    eprintln!("SKIPPED: curl is not installed");
    true
}

async fn knows_http_2() -> bool {
    let version = run(command(Path::new("."), &["--version"])).await.unwrap();
    let knows = text(&version.stdout).contains("HTTP2");
    if !knows {
        eprintln!("SKIPPED: this curl knows no HTTP/2");
    }
    knows
}

async fn send_get_resume_and_fail(door: Door) {
    if missing().await {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let base = format!("http://{}", door.address);
    let content = gaveta_testkit::content(3_000_000, 11);
    std::fs::write(here.join("file.bin"), &content).unwrap();

    // curl appends the name to a folder's URL by itself.
    let sent = curl(here, &["--fail", "-T", "file.bin", &format!("{base}/")]).await;
    assert!(sent.status.success(), "{}", text(&sent.stderr));
    assert!(text(&sent.stdout).contains("\"size\":3000000"));
    std::fs::remove_file(here.join("file.bin")).unwrap();
    let got = curl(here, &["--fail", "-O", &format!("{base}/file.bin")]).await;
    assert!(got.status.success(), "{}", text(&got.stderr));
    assert!(std::fs::read(here.join("file.bin")).unwrap() == content);

    // What came is a part; curl goes on from there, and finds nothing to do the second time.
    std::fs::write(here.join("file.bin"), &content[..1_234_567]).unwrap();
    for _ in 0..2 {
        curl(here, &["-C", "-", "-O", &format!("{base}/file.bin")]).await;
        assert!(std::fs::read(here.join("file.bin")).unwrap() == content);
    }
    let part = curl(
        here,
        &["--fail", "-r", "100-199", &format!("{base}/file.bin")],
    )
    .await;
    assert!(part.stdout == content[100..200]);
    let parts = curl(
        here,
        &["--fail", "-r", "0-9,100-199", &format!("{base}/file.bin")],
    )
    .await;
    assert!(text(&parts.stdout).contains("Content-Range: bytes 100-199/3000000"));

    // Nobody replaces without the password: 22 is curl's code for an answer of 400 and more.
    for arguments in [
        ["--fail", "-T", "file.bin", &format!("{base}/")],
        ["--fail", "-X", "DELETE", &format!("{base}/file.bin")],
        ["--fail", "-o", "none", &format!("{base}/nothing")],
    ] {
        let refused = curl(here, &arguments).await;
        assert_eq!(refused.status.code(), Some(22), "{arguments:?}");
    }
    let user = format!("admin:{PASSWORD}");
    let target = format!("{base}/file.bin");
    let gone = curl(here, &["--fail", "-u", &user, "-X", "DELETE", &target]).await;
    assert!(gone.status.success(), "{}", text(&gone.stderr));
    assert!(door.names().await.is_empty());
}

async fn standard_input_of_unknown_length(door: Door) {
    if missing().await {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let content = gaveta_testkit::content(2_000_000, 12);
    std::fs::write(here.join("in"), &content).unwrap();
    let url = format!("http://{}/from%20stdin", door.address);
    let mut command = command(here, &["--fail", "-T", "-", &url]);
    command.stdin(std::fs::File::open(here.join("in")).unwrap());
    let sent = run(command).await.unwrap();
    assert!(sent.status.success(), "{}", text(&sent.stderr));
    assert!(door.get("/from%20stdin", &[]).await.body == content);
}

async fn over_http_2_too(door: Door) {
    if missing().await {
        return;
    }
    if !knows_http_2().await {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let content = gaveta_testkit::content(3_000_000, 13);
    std::fs::write(here.join("file"), &content).unwrap();
    let url = format!("http://{}/file", door.address);
    let h2 = [
        "--http2-prior-knowledge",
        "--fail",
        "-w",
        "%{stderr}%{http_version} %{http_code}",
    ];
    for (arguments, told) in [
        (&["-T", "file", url.as_str()][..], "2 201"),
        (
            &["-T", "file", "-H", "If-None-Match: *", url.as_str()],
            "2 412",
        ),
        (&["-o", "got", url.as_str()], "2 200"),
        (&["-o", "part", "-r", "5-9", url.as_str()], "2 206"),
        (&["-I", url.as_str()], "2 200"),
    ] {
        let done = curl(here, &[&h2, arguments].concat()).await;
        assert!(
            text(&done.stderr).contains(told),
            "{arguments:?}: {}",
            text(&done.stderr)
        );
    }
    assert!(std::fs::read(here.join("got")).unwrap() == content);
    assert!(std::fs::read(here.join("part")).unwrap() == content[5..10]);
}

async fn a_refusal_is_read_by_who_sends_much_without_asking_first(door: Door) {
    if missing().await {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    std::fs::write(here.join("file"), gaveta_testkit::content(30_000_000, 14)).unwrap();
    door.put("/file", b"first").await;
    let url = format!("http://{}/file", door.address);
    for http in ["--http1.1", "--http2-prior-knowledge"] {
        if http.starts_with("--http2") && !knows_http_2().await {
            continue;
        }
        for _ in 0..10 {
            let refused = curl(here, &["--fail", http, "-H", "Expect:", "-T", "file", &url]).await;
            assert_eq!(
                refused.status.code(),
                Some(22),
                "{http}: {}",
                text(&refused.stderr)
            );
        }
    }
    assert_eq!(door.get("/file", &[]).await.text(), "first");
}
