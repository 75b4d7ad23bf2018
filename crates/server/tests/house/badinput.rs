//! Bad input at the server's doors, on a real folder: HTTP, the session, and the POSTed command.

use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, symlink};
use std::path::Path as OsPath;
use std::sync::Arc;

use gaveta_disk::DiskStore;
use gaveta_testkit::Mounted;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::harness::{ADMIN, House, WRONG};

/// A server on a folder, and what lies beside the folder.
struct OnDisk {
    house: House,
    home: TempDir,
}

impl OnDisk {
    async fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir(home.path().join("folder")).unwrap();
        Self::at(home).await
    }

    async fn at(home: TempDir) -> Self {
        let store = DiskStore::open(&home.path().join("folder"), Default::default()).unwrap();
        let house = House::of(Arc::new(store), |_| {}).await;
        Self { house, home }
    }

    fn path(&self, name: impl AsRef<OsPath>) -> std::path::PathBuf {
        self.home.path().join("folder").join(name)
    }

    fn write(&self, name: impl AsRef<OsPath>, content: &[u8]) {
        std::fs::write(self.path(name), content).unwrap();
    }

    fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap()
    }

    /// The same call as the administrator, by POST and in a session; their codes must agree.
    async fn both(&self, call: &Value) -> String {
        let (_, posted) = self.house.command(&[ADMIN], &call.to_string()).await;
        let mut session = self.house.session().await;
        session.sign_in().await;
        let said = session.ask(&call.to_string()).await;
        assert_eq!(posted["error"]["code"], said["error"]["code"], "{call}");
        said["error"]["code"].as_str().unwrap_or("ok").to_owned()
    }

    /// No content under way is left.
    fn nothing_staged(&self) -> bool {
        let staged = std::fs::read_dir(self.path(".gaveta/staging")).unwrap();
        staged.count() == 0
    }
}

fn encoded(name: &str) -> String {
    name.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

#[tokio::test]
async fn odd_names_and_empty_files_are_kept_byte_for_byte() {
    let on = OnDisk::new().await;
    let mut session = on.house.session().await;
    session.sign_in().await;
    let longest = format!("{}x", "é".repeat(127));
    let names = [
        " with  spaces ",
        "\"quotes\" 'too'",
        "a|b&c;d$e`f",
        "🗄️ gaveta",
        "ac\u{301}a\u{303}o",
        "ação",
        "-rf",
        "--help",
        "back\\slash",
        "%2e%2e%2f",
        "?query#fragment",
        "*",
        "~",
        "...",
        ". ",
        ".gaveta2",
        "COM1",
        longest.as_str(),
    ];
    for (n, name) in names.into_iter().enumerate() {
        // Every second one is empty.
        let content = vec![7; n % 2];
        let target = format!("/{}", encoded(name));
        let put = on.house.ask("PUT", &target, &[], &content).await;
        assert_eq!(put.status, 201, "{name}");
        assert_eq!(on.read(name), content, "{name}");
        let get = on.house.ask("GET", &target, &[], b"").await;
        assert_eq!((get.status, &get.body), (200, &content), "{name}");
        let stat = session
            .ask(&json!({"id": 1, "do": "stat", "path": name}).to_string())
            .await;
        assert_eq!(stat["ok"]["path"], name);
        assert_eq!(stat["ok"]["size"], content.len());
        let to = format!("moved/{name}");
        let copy = json!({"id": 1, "do": "copy", "from": name, "to": to});
        assert_eq!(
            on.house.command(&[], &copy.to_string()).await.0,
            200,
            "{name}"
        );
        let rename = json!({"id": 1, "do": "rename", "from": name, "to": to, "replace": "always"});
        let reply = session.ask(&rename.to_string()).await;
        assert_eq!(reply["ok"]["path"], to, "{reply}");
        assert_eq!(on.read(&to), content, "{name}");
    }
    let on_disk = std::fs::read_dir(on.path("moved")).unwrap().count();
    assert_eq!(on_disk, names.len());
}

#[tokio::test]
async fn names_that_are_none_are_refused_with_their_reason() {
    let on = OnDisk::new().await;
    on.write("a", b"a");
    let long = "x".repeat(256);
    let wide = "é".repeat(128);
    let table = [
        ("..", "path-dots"),
        ("a/../b", "path-dots"),
        ("/etc/passwd", "path-empty-name"),
        ("nul\0", "path-control-character"),
        ("line\nfeed", "path-control-character"),
        ("\u{1b}[2J", "path-control-character"),
        ("c1\u{9b}", "path-control-character"),
        (&long, "path-name-too-long"),
        (&wide, "path-name-too-long"),
        ("x/.gaveta", "path-reserved"),
        ("x/.GAVETA", "path-reserved"),
        ("x/.Gaveta.", "path-reserved"),
        ("x/.gaveta ", "path-reserved"),
        ("x/.gaveta. .", "path-reserved"),
    ];
    for (name, code) in table {
        let target: Vec<String> = name.split('/').map(encoded).collect();
        let target = format!("/{}", target.join("/"));
        for method in ["GET", "PUT", "DELETE"] {
            let reply = on.house.ask(method, &target, &[ADMIN], b"").await;
            assert_eq!(reply.status, 400, "{method} {name:?}");
            assert_eq!(
                reply.header("gaveta-error"),
                Some(code),
                "{method} {name:?}"
            );
            // What is told of the name cannot talk to a terminal.
            assert!(!reply.body.contains(&0x1b), "{name:?}");
        }
        for call in [
            json!({"id": 1, "do": "stat", "path": name}),
            json!({"id": 1, "do": "make-folder", "path": name}),
            json!({"id": 1, "do": "copy", "from": "a", "to": name}),
        ] {
            assert_eq!(on.both(&call).await, code, "{call}");
        }
    }
    let raw = on.house.ask("GET", "/%FF%FE", &[], b"").await;
    assert_eq!(raw.header("gaveta-error"), Some("path-not-utf8"));
    let mut left: Vec<_> = std::fs::read_dir(on.path(""))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    left.sort();
    assert_eq!(left, [".gaveta", "a"]);
}

#[tokio::test]
async fn a_folder_is_no_file_and_what_is_missing_is_missing() {
    let on = OnDisk::new().await;
    on.write("file", b"x");
    std::fs::create_dir(on.path("folder")).unwrap();
    let call = |what: &str, from: &str, to: &str| json!({"id": 1, "do": what, "from": from, "to": to, "replace": "always"});
    for (call, code) in [
        (call("copy", "file", "folder"), "is-a-folder"),
        (call("rename", "file", "folder"), "is-a-folder"),
        (call("copy", "file", "file/beneath"), "not-a-folder"),
        (call("copy", "missing", "new"), "not-found"),
        (call("rename", "missing", "new"), "not-found"),
        (call("rename", "folder", "folder/in/itself"), "bad-move"),
        (call("copy", "folder", "folder/in/itself"), "bad-move"),
        (
            json!({"id": 1, "do": "list", "path": "file"}),
            "not-a-folder",
        ),
        (
            json!({"id": 1, "do": "stat", "path": "missing"}),
            "not-found",
        ),
        (
            json!({"id": 1, "do": "touch", "path": "missing"}),
            "not-found",
        ),
        (
            json!({"id": 1, "do": "delete", "path": "missing"}),
            "not-found",
        ),
        (
            json!({"id": 1, "do": "make-folder", "path": "file"}),
            "exists",
        ),
    ] {
        assert_eq!(on.both(&call).await, code, "{call}");
    }
    assert_eq!(on.read("file"), b"x");
    assert!(on.path("folder").is_dir());
}

#[tokio::test]
async fn links_and_special_files_are_shown_and_never_opened() {
    let on = OnDisk::new().await;
    let secret = on.home.path().join("secret");
    std::fs::write(&secret, b"a mark").unwrap();
    on.write("inside", b"inside");
    symlink(&secret, on.path("out")).unwrap();
    symlink("inside", on.path("in")).unwrap();
    symlink("nowhere", on.path("dangling")).unwrap();
    symlink(on.home.path(), on.path("door")).unwrap();
    let mode = rustix::fs::Mode::RWXU;
    rustix::fs::mkfifoat(rustix::fs::CWD, on.path("fifo"), mode).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(on.path("socket")).unwrap();
    let mut special = vec!["out", "in", "dangling", "door", "fifo", "socket"];
    if rustix::process::geteuid().is_root() {
        let kind = rustix::fs::FileType::CharacterDevice;
        let null = rustix::fs::makedev(1, 3);
        match rustix::fs::mknodat(rustix::fs::CWD, on.path("null"), kind, mode, null) {
            Ok(()) => special.push("null"),
            Err(error) => eprintln!("skipped: a device: {error}"),
        }
    } else {
        eprintln!("skipped: a device: only root makes one");
    }
    let list = on.house.ask("GET", "/", &[], b"").await;
    let list: Value = serde_json::from_slice(&list.body).unwrap();
    assert_eq!(list["entries"].as_array().unwrap().len(), special.len() + 1);
    for name in &special {
        let target = format!("/{name}");
        for (method, body) in [("GET", &b""[..]), ("HEAD", b""), ("PUT", b"new")] {
            let reply = on.house.ask(method, &target, &[ADMIN], body).await;
            assert_eq!(reply.status, 409, "{method} {name}");
            assert_eq!(
                reply.header("gaveta-error"),
                Some("not-a-regular-file"),
                "{method} {name}"
            );
        }
        let stat = json!({"id": 1, "do": "stat", "path": name});
        assert_eq!(on.both(&stat).await, "ok");
        let copy = json!({"id": 1, "do": "copy", "from": name, "to": "copied"});
        assert_eq!(on.both(&copy).await, "not-a-regular-file", "{name}");
        let touch = json!({"id": 1, "do": "touch", "path": name, "executable": true});
        assert_eq!(on.both(&touch).await, "not-a-regular-file", "{name}");
    }
    for call in ["stat", "make-folder", "delete", "touch", "list", "watch"] {
        let call = json!({"id": 1, "do": call, "path": "door/secret"});
        let mut session = on.house.session().await;
        session.sign_in().await;
        let reply = session.ask(&call.to_string()).await;
        assert_eq!(reply["error"]["code"], "not-a-folder", "{call}: {reply}");
    }
    assert_eq!(
        on.house.ask("PUT", "/door/new", &[], b"x").await.status,
        409
    );
    // They are renamed and removed as what they are.
    let rename = json!({"id": 1, "do": "rename", "from": "fifo", "to": "pipe"});
    assert_eq!(on.house.command(&[ADMIN], &rename.to_string()).await.0, 200);
    let kind = std::fs::symlink_metadata(on.path("pipe"))
        .unwrap()
        .file_type();
    assert!(kind.is_fifo());
    for name in ["out", "dangling", "door", "pipe", "socket"] {
        let target = format!("/{name}?recursive=true");
        let gone = on.house.ask("DELETE", &target, &[ADMIN], b"").await;
        assert_eq!(gone.status, 204, "{name}");
    }
    assert_eq!(std::fs::read(&secret).unwrap(), b"a mark");
    assert_eq!(on.read("inside"), b"inside");
    assert!(on.nothing_staged());
}

#[tokio::test]
async fn names_on_disk_that_no_client_can_use_are_counted() {
    let on = OnDisk::new().await;
    for name in [
        &b"\xff\xfe"[..],
        b"new\nline",
        b"\x1b[2Jx",
        b"tab\tx",
        b"c1\xc2\x9b",
    ] {
        on.write(std::ffi::OsStr::from_bytes(name), b"x");
    }
    on.write("good", b"x");
    let list = on.house.ask("GET", "/", &[], b"").await;
    assert!(!list.body.contains(&0x1b));
    let list: Value = serde_json::from_slice(&list.body).unwrap();
    assert_eq!(list["unnameable"], 5, "{list}");
    assert_eq!(list["entries"].as_array().unwrap().len(), 1);
    let page = on
        .house
        .ask("GET", "/", &[("Accept", "text/html")], b"")
        .await;
    assert!(page.text().contains("\\xff\\xfe"), "{}", page.text());
    assert!(!page.body.contains(&0x1b));
    let call = json!({"id": 1, "do": "list", "path": ""});
    let (_, posted) = on.house.command(&[], &call.to_string()).await;
    let said = on.house.session().await.ask(&call.to_string()).await;
    for reply in [posted, said] {
        assert_eq!(reply["ok"]["end"]["unnameable"], 5, "{reply}");
    }
}

#[tokio::test]
async fn of_two_who_take_one_name_at_once_one_gets_it() {
    let on = Arc::new(OnDisk::new().await);
    on.write("one", b"one");
    on.write("two", b"two");
    for round in 0..10 {
        let to = format!("new{round}");
        let take = |from: &str| json!({"id": 1, "do": "copy", "from": from, "to": to}).to_string();
        let (by_one, by_two) = (take("one"), take("two"));
        let mut session = on.house.session().await;
        let target = format!("/{to}");
        let (said, posted, put) = tokio::join!(
            session.ask(&by_one),
            on.house.command(&[], &by_two),
            on.house.ask("PUT", &target, &[], b"put"),
        );
        let content = on.read(&to);
        let won = [
            (said["ok"].is_object(), &b"one"[..]),
            (posted.0 == 200, b"two"),
            (put.status == 201, b"put"),
        ];
        assert_eq!(
            won.iter().filter(|(won, _)| *won).count(),
            1,
            "{said} {posted:?}"
        );
        assert!(won.contains(&(true, content.as_slice())));
    }
    assert!(on.nothing_staged());
}

#[tokio::test]
async fn a_wrong_password_changes_nothing_on_any_way_in() {
    let on = OnDisk::new().await;
    on.write("a", b"a");
    for method in ["GET", "PUT", "DELETE"] {
        let reply = on.house.ask(method, "/a", &[WRONG], b"new").await;
        assert_eq!(reply.status, 401, "{method}");
        assert_eq!(reply.header("gaveta-error"), Some("wrong-password"));
    }
    let call = r#"{"id":1,"do":"delete","path":"a"}"#;
    assert_eq!(on.house.command(&[WRONG], call).await.0, 401);
    let mut session = on.house.session().await;
    let wrong = r#"{"id":1,"do":"sign-in","name":"admin","password":"wrong"}"#;
    assert_eq!(session.ask(wrong).await["error"]["code"], "wrong-password");
    let refused = session.ask(call).await;
    assert_eq!(refused["error"]["code"], "sign-in-needed");
    assert_eq!(on.read("a"), b"a");
}

/// The folder may change in any way while content is on its way into it.
#[tokio::test]
async fn what_becomes_of_the_target_meanwhile_lets_nothing_out() {
    let on = OnDisk::new().await;
    let outside = tempfile::tempdir().unwrap();
    type Change<'a> = Box<dyn Fn(&OsPath) + 'a>;
    let changes: [(&str, u16, Change<'_>); 5] = [
        (
            "removed",
            201,
            Box::new(|at| std::fs::remove_dir(at).unwrap()),
        ),
        (
            "renamed",
            201,
            Box::new(|at| std::fs::rename(at, at.with_extension("old")).unwrap()),
        ),
        (
            "a link",
            409,
            Box::new(|at| {
                std::fs::remove_dir(at).unwrap();
                symlink(outside.path(), at).unwrap();
            }),
        ),
        (
            "a file",
            409,
            Box::new(|at| {
                std::fs::remove_dir(at).unwrap();
                std::fs::write(at, b"file").unwrap();
            }),
        ),
        (
            "filled",
            412,
            Box::new(|at| symlink("/dev/null", at.join("target")).unwrap()),
        ),
    ];
    for (n, (name, status, change)) in changes.iter().enumerate() {
        let folder = format!("folder{n}");
        std::fs::create_dir(on.path(&folder)).unwrap();
        let mut line = on.house.connect().await;
        let head = format!(
            "PUT /{folder}/target HTTP/1.1\r\nHost: localhost\r\nContent-Length: 8\r\n\r\nhalf"
        );
        line.send(head.as_bytes()).await.unwrap();
        while on.nothing_staged() {
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
        change(&on.path(&folder));
        line.send(b"half").await.unwrap();
        let reply = line.response().await.unwrap();
        assert_eq!(reply.status, *status, "{name}: {}", reply.text());
        assert!(on.nothing_staged(), "{name}");
        if *status == 201 {
            assert_eq!(on.read(&format!("{folder}/target")), b"halfhalf");
        }
    }
    assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn without_its_own_folder_the_server_says_so_and_loses_nothing() {
    let on = OnDisk::new().await;
    on.write("a", b"a");
    std::fs::remove_dir_all(on.path(".gaveta")).unwrap();
    let put = on.house.ask("PUT", "/a", &[ADMIN], b"new").await;
    assert_eq!((put.status, put.header("gaveta-error")), (500, Some("io")));
    let copy = json!({"id": 1, "do": "copy", "from": "a", "to": "b"});
    assert_eq!(on.both(&copy).await, "io");
    assert_eq!(on.read("a"), b"a");
    assert!(!on.path("b").exists());
    assert_eq!(on.house.ask("GET", "/a", &[], b"").await.status, 200);
}

#[tokio::test]
async fn a_full_disk_is_507_on_every_way_and_the_old_version_stays() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("folder");
    std::fs::create_dir(&folder).unwrap();
    let Some(_mounted) = Mounted::at(&folder, "size=2m") else {
        return;
    };
    let on = OnDisk::at(home).await;
    on.write("old", b"old");
    on.write("large", &vec![7; 1_200_000]);
    let content = vec![8; 1_500_000];
    let declared = on.house.ask("PUT", "/old", &[ADMIN], &content).await;
    assert_eq!(declared.status, 507);
    assert_eq!(declared.header("gaveta-error"), Some("no-space"));
    let mut line = on.house.connect().await;
    let head = format!(
        "PUT /old HTTP/1.1\r\nHost: localhost\r\n{}: {}\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n",
        ADMIN.0,
        ADMIN.1,
        content.len()
    );
    let body = [head.as_bytes(), &content, b"\r\n0\r\n\r\n"].concat();
    line.send(&body).await.unwrap();
    assert_eq!(line.response().await.unwrap().status, 507);
    let copy = json!({"id": 1, "do": "copy", "from": "large", "to": "copy"});
    assert_eq!(on.house.command(&[], &copy.to_string()).await.0, 507);
    assert_eq!(on.both(&copy).await, "no-space");
    assert_eq!(on.read("old"), b"old");
    assert!(!on.path("copy").exists() && on.nothing_staged());
    // What fits still goes.
    assert_eq!(on.house.ask("PUT", "/new", &[], b"new").await.status, 201);
}

#[tokio::test]
async fn a_mount_inside_is_named_on_every_way_and_stays() {
    let on = OnDisk::new().await;
    on.write("file", b"x");
    std::fs::create_dir_all(on.path("d/mount")).unwrap();
    let Some(_mounted) = Mounted::at(&on.path("d/mount"), "size=1m") else {
        return;
    };
    on.write("d/mount/precious", b"precious");
    let get = on.house.ask("GET", "/d/mount/precious", &[], b"").await;
    assert_eq!((get.status, get.text().as_str()), (200, "precious"));
    for (method, target) in [
        ("PUT", "/d/mount/new"),
        ("PUT", "/d/mount/precious"),
        ("DELETE", "/d?recursive=true"),
        ("DELETE", "/d/mount?recursive=true"),
    ] {
        let reply = on.house.ask(method, target, &[ADMIN], b"").await;
        assert_eq!(
            reply.header("gaveta-error"),
            Some("other-mount"),
            "{method} {target}: {}",
            reply.text()
        );
    }
    for call in [
        json!({"id": 1, "do": "rename", "from": "file", "to": "d/mount/file"}),
        json!({"id": 1, "do": "rename", "from": "d/mount/precious", "to": "out"}),
        json!({"id": 1, "do": "rename", "from": "d/mount", "to": "moved"}),
        json!({"id": 1, "do": "delete", "path": "d", "recursive": true}),
    ] {
        assert_eq!(on.both(&call).await, "other-mount", "{call}");
    }
    assert_eq!(on.read("d/mount/precious"), b"precious");
    assert_eq!(on.read("file"), b"x");
}
