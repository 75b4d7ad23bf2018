//! Paths that try to get out, on every way in.

use gaveta_testkit::hostile_paths;
use serde_json::json;

use super::harness::{ADMIN, House};

#[tokio::test]
async fn no_target_gets_out_or_brings_the_server_down() {
    let house = House::new().await;
    house.put("a", b"a").await;
    let paths = hostile_paths();
    assert!(paths.len() >= 200);
    for hostile in &paths {
        for method in ["GET", "PUT", "DELETE"] {
            let mut connection = house.connect().await;
            let head = [
                method.as_bytes(),
                b" ",
                &hostile.target,
                b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 0\r\n",
                b"Authorization: ",
                ADMIN.1.as_bytes(),
                b"\r\n\r\n",
            ]
            .concat();
            connection.send(&head).await.unwrap();
            // Some break the request itself: then the line is closed, with or without a word.
            if let Ok(reply) = connection.response().await {
                assert_ne!(reply.status, 500, "{method} {}", hostile.shown());
                assert!(!reply.text().contains("root:x:0"), "{}", hostile.shown());
            }
        }
    }
    assert_eq!(
        house.ask("GET", "/.gaveta/health", &[], b"").await.status,
        200
    );
}

#[tokio::test]
async fn no_message_gets_out() {
    let house = House::new().await;
    house.put("a", b"a").await;
    let mut session = house.session().await;
    session.sign_in().await;
    let paths = [
        "..",
        "../x",
        "a/../..",
        "/etc/passwd",
        "/",
        "//",
        "a//b",
        "a/",
        "./a",
        ".",
        "a/.",
        ".gaveta",
        ".gaveta/lock",
        ".GAVETA/x",
        ".Gaveta./x",
        ".gaveta ",
        "a/.gaveta",
        "a\u{0}b",
        "a\nb",
        "a\u{1b}[2J",
        "a\u{85}b",
        ".gaveta\u{200b}",
    ];
    let long = ["x".repeat(256), "x/".repeat(300) + "x", "é".repeat(2500)];
    for path in paths.into_iter().map(str::to_owned).chain(long) {
        for call in [
            json!({"id": 1, "do": "list", "path": path}),
            json!({"id": 1, "do": "stat", "path": path}),
            json!({"id": 1, "do": "make-folder", "path": path}),
            json!({"id": 1, "do": "delete", "path": path, "recursive": true}),
            json!({"id": 1, "do": "rename", "from": "a", "to": path}),
            json!({"id": 1, "do": "rename", "from": path, "to": "b"}),
            json!({"id": 1, "do": "copy", "from": "a", "to": path}),
            json!({"id": 1, "do": "copy", "from": path, "to": "b"}),
            json!({"id": 1, "do": "touch", "path": path}),
            json!({"id": 1, "do": "watch", "path": path}),
        ] {
            let reply = session.ask(&call.to_string()).await;
            let code = reply["error"]["code"].as_str().unwrap_or_default();
            assert!(code.starts_with("path-"), "{call}: {reply}");
            let (status, reply) = match call["do"].as_str() {
                Some("watch") => continue,
                _ => house.command(&[ADMIN], &call.to_string()).await,
            };
            assert_eq!(status, 400, "{call}");
            assert!(
                reply["error"]["code"]
                    .as_str()
                    .unwrap()
                    .starts_with("path-"),
                "{reply}"
            );
        }
    }
    assert!(house.has("a").await && !house.has("b").await);
}

#[tokio::test]
async fn on_a_disk_no_target_reaches_what_lies_beside_or_is_reserved() {
    const MARK: &[u8] = b"a mark that lies outside";
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("folder");
    std::fs::create_dir_all(folder.join("in")).unwrap();
    std::fs::write(home.path().join("secret.txt"), MARK).unwrap();
    std::os::unix::fs::symlink(home.path(), folder.join("out")).unwrap();
    let store = gaveta_disk::DiskStore::open(&folder, Default::default()).unwrap();
    std::fs::write(folder.join(".gaveta/secret.txt"), MARK).unwrap();
    let house = House::of(std::sync::Arc::new(store), |_| {}).await;
    let targets = hostile_paths().into_iter().map(|hostile| hostile.target);
    let more = [
        "/out/secret.txt",
        "/out/",
        "/in/../secret.txt",
        "/.gaveta/secret.txt",
        "/%2egaveta/secret.txt",
        "/in/../.gaveta/secret.txt",
        "/.GAVETA/secret.txt",
    ];
    let more = more.into_iter().map(|target| target.as_bytes().to_vec());
    for target in targets.chain(more) {
        for method in ["GET", "PUT", "DELETE"] {
            let mut connection = house.connect().await;
            let head = [
                method.as_bytes(),
                b" ",
                &target,
                b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 0\r\n",
                b"Authorization: ",
                ADMIN.1.as_bytes(),
                b"\r\n\r\n",
            ]
            .concat();
            connection.send(&head).await.unwrap();
            if let Ok(reply) = connection.response().await {
                let shown = target.escape_ascii();
                assert!(
                    !reply.body.windows(MARK.len()).any(|part| part == MARK),
                    "{shown}"
                );
                assert_ne!(reply.status, 500, "{method} {shown}");
            }
        }
    }
    assert_eq!(std::fs::read(home.path().join("secret.txt")).unwrap(), MARK);
    assert_eq!(
        std::fs::read(folder.join(".gaveta/secret.txt")).unwrap(),
        MARK
    );
    let mut beside: Vec<_> = std::fs::read_dir(home.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    beside.sort();
    assert_eq!(beside, ["folder", "secret.txt"]);
    let mut session = house.session().await;
    session.sign_in().await;
    for path in ["out/secret.txt", "out/new"] {
        for call in ["stat", "delete", "make-folder", "touch", "list"] {
            let reply = session
                .ask(&json!({"id": 1, "do": call, "path": path}).to_string())
                .await;
            assert!(reply["error"].is_object(), "{call} {path}: {reply}");
        }
    }
    assert_eq!(std::fs::read(home.path().join("secret.txt")).unwrap(), MARK);
}
