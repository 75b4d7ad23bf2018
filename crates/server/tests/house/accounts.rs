//! Accounts over a real socket: what changes counts at once, also for what is open.

use std::fs;
use std::path::Path as FsPath;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use gaveta_server::{AccountsFile, AuditPlan, HashedPassword, control};
use gaveta_testkit::http::Connection;
use serde_json::json;
use tokio::time::timeout;

use super::harness::{ADMIN, HUNG, House, Session, request};

/// A house whose accounts follow a file, and the file.
pub(crate) struct Team {
    pub(crate) house: House,
    pub(crate) state: tempfile::TempDir,
}

fn hash(password: &str) -> String {
    HashedPassword::cheap(password).unwrap().hash().to_owned()
}

/// The same for all, so that a file that is written again has the same.
fn hers() -> &'static str {
    static HERS: OnceLock<String> = OnceLock::new();
    HERS.get_or_init(|| hash("secret of hers"))
}

pub(crate) fn basic(name: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{name}:{password}")))
}

pub(crate) fn account(name: &str, grants: &str) -> String {
    let hash = hers();
    format!("[account.{name}]\npassword = '{hash}'\ngrants = {{ {grants} }}\n")
}

impl Team {
    pub(crate) async fn with(text: &str) -> Self {
        let state = tempfile::tempdir().unwrap();
        let file = AccountsFile::at(state.path().join("gaveta.toml"));
        write(file.path(), text);
        let house = House::with(|config| {
            config.accounts = file.read().unwrap();
            config.accounts_file = Some(file);
            config.audit = Some(AuditPlan::at(state.path().join("audit.jsonl")));
            config.state = Some(state.path().to_owned());
        })
        .await;
        Self { house, state }
    }

    pub(crate) fn write(&self, text: &str) {
        write(&self.state.path().join("gaveta.toml"), text);
    }

    /// Has the server read the file, as `gaveta account` does.
    pub(crate) async fn reload(&self) -> Result<serde_json::Value, (String, String)> {
        let state = self.state.path().to_owned();
        tokio::task::spawn_blocking(move || {
            // Its socket comes a moment after the port.
            let patience = Instant::now() + Duration::from_secs(30);
            let servers = loop {
                let servers = control::servers(&state);
                if !servers.is_empty() || Instant::now() > patience {
                    break servers;
                }
                std::thread::sleep(Duration::from_millis(5));
            };
            assert_eq!(servers.len(), 1);
            control::ask(&servers[0], &json!({ "do": "reload" })).unwrap()
        })
        .await
        .unwrap()
    }

    async fn get(&self, at: &str, name: &str) -> u16 {
        let basic = basic(name, "secret of hers");
        let fields = [("Authorization", basic.as_str())];
        self.house.ask("GET", at, &fields, b"").await.status
    }

    /// How a browser calls the server: host and origin.
    fn names(&self) -> (String, String) {
        let host = self.house.server.address().to_string();
        let origin = format!("http://{host}");
        (host, origin)
    }

    async fn session(&self, name: &str) -> Session {
        let basic = basic(name, "secret of hers");
        let fields = [("Authorization", basic.as_str())];
        self.house.session_with(&fields).await.unwrap().0
    }
}

fn write(path: &FsPath, text: &str) {
    let new = path.with_extension("new");
    fs::write(&new, text).unwrap();
    fs::rename(new, path).unwrap();
}

/// A PUT of ana's that has begun and does not end.
async fn under_way(team: &Team, at: &str) -> Connection {
    let mut connection = team.house.connect().await;
    let basic = basic("ana", "secret of hers");
    let fields = [
        ("Authorization", basic.as_str()),
        ("Content-Length", "1000000"),
    ];
    let whole = request("GET", at, &fields, b"");
    let head = String::from_utf8(whole).unwrap().replacen("GET", "PUT", 1);
    connection.send(head.as_bytes()).await.unwrap();
    connection.send(&[7; 1000]).await.unwrap();
    connection
}

#[tokio::test]
async fn whoever_is_taken_away_is_out_of_everything_that_is_open() {
    let ana = account("ana", "'/' = 'editor'");
    let other = ana.replace(hers(), &hash("another password"));
    let disabled = format!("{ana}disabled = true\n");
    let expired = format!("{ana}expires = 2020-01-01T00:00:00Z\n");
    for gone in [String::new(), other, disabled, expired] {
        let team = Team::with(&ana).await;
        assert_eq!(team.get("/", "ana").await, 200);
        let mut session = team.session("ana").await;
        let mut put = under_way(&team, "/new").await;
        let cookie = signed_in(&team).await;
        team.write(&gone);
        team.reload().await.unwrap();
        let told = session.next().await;
        assert_eq!(told["error"]["code"], "sign-in-needed", "{told}");
        let closed = session.next_message().await;
        assert!(closed.is_none_or(|message| message.is_close()));
        let refused = timeout(HUNG, put.response()).await.expect("it goes on");
        // What arrived was read no further: answered, or broken off.
        if let Ok(refused) = refused {
            assert_eq!(refused.status, 401);
        }
        assert!(!team.house.has("new").await);
        assert_eq!(team.get("/", "ana").await, 401);
        // Who only looks is a visitor, who may nothing, also when nobody has an account any more.
        let (host, origin) = team.names();
        let looks = [
            ("Cookie", cookie.as_str()),
            ("Host", &host),
            ("Origin", &origin),
        ];
        let reply = team.house.ask("GET", "/", &looks, b"").await;
        assert_eq!(reply.status, 401, "{gone}");
        assert_eq!(team.house.ask("PUT", "/x", &looks, b"").await.status, 401);
    }
}

#[tokio::test]
async fn what_is_granted_less_counts_for_what_is_open_and_the_file_is_followed() {
    let team = Team::with(&account("ana", "'/' = 'editor'")).await;
    team.house.put("team/a", b"a").await;
    let mut session = team.session("ana").await;
    let mut put = under_way(&team, "/team/new").await;
    // Nobody says so: the server sees it by itself.
    team.write(&account("ana", "'/' = 'editor', '/team' = 'none'"));
    let refused = timeout(HUNG, put.response()).await.expect("it goes on");
    if let Ok(refused) = refused {
        assert_eq!(refused.status, 404);
    }
    let reply = session.ask(r#"{"id":1,"do":"stat","path":"team/a"}"#).await;
    assert_eq!(reply["error"]["code"], "not-found");
    let reply = session.ask(r#"{"id":2,"do":"list","path":""}"#).await;
    assert_eq!(
        reply["ok"]["list"].as_array().map(Vec::len),
        Some(0),
        "{reply}"
    );
}

#[tokio::test]
async fn a_broken_file_changes_nothing_and_its_line_is_named() {
    let team = Team::with(&account("ana", "'/' = 'viewer'")).await;
    team.write("[account.ana]\n\npassword = 1234\n");
    let (code, message) = team.reload().await.unwrap_err();
    assert_eq!(code, "bad-request");
    assert!(message.contains("line 3"), "{message}");
    assert_eq!(team.get("/", "ana").await, 200);
    team.write("");
    team.reload().await.unwrap();
    assert_eq!(team.get("/", "ana").await, 401);
}

#[tokio::test]
async fn the_ease_ends_with_the_first_account() {
    let team = Team::with("").await;
    assert_eq!(team.house.ask("PUT", "/a", &[], b"1").await.status, 201);
    team.write(&account("ana", "'/' = 'viewer'"));
    team.reload().await.unwrap();
    for (method, target) in [
        ("GET", "/a"),
        ("PUT", "/b"),
        ("GET", "/nothing"),
        ("GET", "/"),
    ] {
        let reply = team.house.ask(method, target, &[], b"").await;
        assert_eq!(reply.status, 401, "{method} {target}");
    }
    assert_eq!(team.get("/a", "ana").await, 200);
    // The administrator of before is there still.
    assert_eq!(team.house.ask("GET", "/a", &[ADMIN], b"").await.status, 200);
}

#[tokio::test]
async fn nothing_hidden_shows_in_lists_events_or_errors() {
    let rules = "'/' = 'editor', '/secret' = 'none', '/team/money' = 'none'";
    let team = Team::with(&account("ana", rules)).await;
    for at in ["secret/a", "team/money/b", "team/c", "d"] {
        team.house.put(at, b"x").await;
    }
    let mut session = team.session("ana").await;
    for (folder, seen) in [("", vec!["d", "team"]), ("team", vec!["team/c"])] {
        let list = format!(r#"{{"id":1,"do":"list","path":"{folder}"}}"#);
        let reply = session.ask(&list).await;
        let entries = reply["ok"]["list"].as_array().unwrap().iter();
        let names: Vec<&str> = entries
            .map(|entry| entry["path"].as_str().unwrap())
            .collect();
        assert_eq!(names, seen, "{reply}");
    }
    // What is there and what is not look alike.
    for (there, not) in [
        ("/secret/a", "/secret/z"),
        ("/SECRET/a", "/SECRET/z"),
        ("/team/money/b", "/team/money"),
    ] {
        for method in ["GET", "PUT", "DELETE"] {
            let basic = basic("ana", "secret of hers");
            let fields = [("Authorization", basic.as_str())];
            for at in [there, not] {
                let reply = team.house.ask(method, at, &fields, b"").await;
                assert_eq!(reply.status, 404, "{method} {at}");
            }
        }
    }
    assert_eq!(
        session.ask(r#"{"id":2,"do":"watch","path":""}"#).await["ok"]["is"],
        "done"
    );
    for (at, method) in [
        ("/secret/n", "PUT"),
        ("/secret/n", "DELETE"),
        ("/seen", "PUT"),
    ] {
        team.house.ask(method, at, &[ADMIN], b"").await;
    }
    let told = session.next().await;
    assert_eq!(told["event"]["path"], "seen", "{told}");
    // A folder that holds what one may not delete stays whole.
    let reply = session
        .ask(r#"{"id":3,"do":"delete","path":"team","recursive":true}"#)
        .await;
    assert_eq!(reply["error"]["code"], "denied");
    assert!(team.house.has("team/money/b").await && team.house.has("team/c").await);
}

#[tokio::test]
async fn a_name_that_looks_like_a_granted_one_is_not_made() {
    let rules = "'/' = 'editor'";
    let text = format!(
        "{}{}",
        account("ana", rules),
        account("bob", "'/Team' = 'viewer'")
    );
    let team = Team::with(&text).await;
    team.house.put("Team/a", b"x").await;
    let basic = basic("ana", "secret of hers");
    let fields = [("Authorization", basic.as_str())];
    for at in ["/team/x", "/TEAM", "/tEam/a/b"] {
        let reply = team.house.ask("PUT", at, &fields, b"x").await;
        assert_eq!(reply.header("gaveta-error"), Some("path-lookalike"), "{at}");
    }
    assert_eq!(
        team.house.ask("PUT", "/Team/x", &fields, b"x").await.status,
        201
    );
    assert_eq!(
        team.house.ask("PUT", "/teams", &fields, b"x").await.status,
        201
    );
    // What is there already may be filled.
    team.house.put("TEAM/a", b"x").await;
    assert_eq!(
        team.house.ask("PUT", "/TEAM/b", &fields, b"x").await.status,
        201
    );
}

/// Signs ana in as a browser does; the cookie.
async fn signed_in(team: &Team) -> String {
    let (host, origin) = team.names();
    let fields = [
        ("Content-Type", "application/json"),
        ("Origin", origin.as_str()),
        ("Host", host.as_str()),
    ];
    let body = json!({ "name": "ana", "password": "secret of hers" }).to_string();
    let reply = team
        .house
        .ask("POST", "/.gaveta/sign-in", &fields, body.as_bytes())
        .await;
    assert_eq!(reply.status, 200, "{reply:?}");
    let cookie = reply.header("set-cookie").unwrap();
    for part in ["HttpOnly", "SameSite=Strict", "Path=/"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    cookie.split(';').next().unwrap().to_owned()
}

#[tokio::test]
async fn a_browser_signs_in_and_out() {
    let team = Team::with(&account("ana", "'/' = 'editor'")).await;
    team.house.put("a", b"a").await;
    let cookie = signed_in(&team).await;
    let with = ("Cookie", cookie.as_str());
    let (host, origin) = team.names();
    let (here, ours) = (("Host", host.as_str()), ("Origin", origin.as_str()));
    assert_eq!(
        team.house.ask("GET", "/a", &[with, here], b"").await.status,
        200
    );
    assert_eq!(
        team.house
            .ask("PUT", "/b", &[with, here, ours], b"b")
            .await
            .status,
        201
    );
    // Whatever changes something says where it comes from, and comes from here.
    let unsaid = team.house.ask("PUT", "/c", &[with, here], b"c").await;
    assert_eq!(unsaid.status, 403);
    assert!(unsaid.header("set-cookie").is_none(), "it is good still");
    // Another credential that is wrong says nothing about the cookie either.
    let wrong = basic("ana", "wrong");
    let both = [with, here, ("Authorization", wrong.as_str())];
    let other = team.house.ask("GET", "/a", &both, b"").await;
    assert_eq!(other.status, 401);
    assert!(other.header("set-cookie").is_none(), "it is good still");
    let theirs = ("Origin", "http://evil.example");
    assert_eq!(
        team.house
            .ask("PUT", "/c", &[with, here, theirs], b"c")
            .await
            .status,
        403
    );
    assert!(team.house.session_with(&[with]).await.is_err());
    let (mut session, hello) = team.house.session_with(&[with, ours]).await.unwrap();
    assert_eq!(hello["hello"]["account"]["name"], "ana", "{hello}");
    forged_cookies_are_nobodys(&team, &cookie).await;
    let out = team
        .house
        .ask("POST", "/.gaveta/sign-out", &[with, here, ours], b"")
        .await;
    assert_eq!(out.status, 204);
    assert_eq!(session.next().await["error"]["code"], "sign-in-needed");
    assert_eq!(
        team.house.ask("GET", "/a", &[with, here], b"").await.status,
        401
    );
}

/// Longer, shorter, changed, empty, of another kind, and far too long: refused at every door.
async fn forged_cookies_are_nobodys(team: &Team, cookie: &str) {
    let (host, origin) = team.names();
    let (name, value) = cookie.split_once('=').unwrap();
    let last = if value.ends_with('0') { '1' } else { '0' };
    let changed = format!("{}{last}", &value[..value.len() - 1]);
    for forged in [
        format!("{value}x"),
        value[1..].to_owned(),
        changed,
        String::new(),
        "..".to_owned(),
        "x".repeat(4000),
    ] {
        let forged = format!("{name}={forged}");
        let with = [
            ("Cookie", forged.as_str()),
            ("Host", host.as_str()),
            ("Origin", origin.as_str()),
            ("Tus-Resumable", "1.0.0"),
            ("Upload-Length", "1"),
            ("Upload-Metadata", "path L2M="),
        ];
        for (method, at) in [
            ("GET", "/a"),
            ("PUT", "/c"),
            ("POST", "/.gaveta/uploads"),
            ("GET", "/.gaveta/tokens"),
        ] {
            let reply = team.house.ask(method, at, &with, b"").await;
            assert_eq!(reply.status, 401, "{method} {at} {forged}: {reply:?}");
        }
        let session = team.house.session_with(&with[..3]).await;
        let name = session.map(|(_, hello)| hello["hello"]["account"]["name"].clone());
        assert!(name.map_or(true, |name| name != "ana"), "{forged}");
    }
    let forged = format!("{cookie}x");
    let with = [
        ("Cookie", forged.as_str()),
        ("Host", host.as_str()),
        ("Origin", origin.as_str()),
    ];
    let reply = team.house.ask("PUT", "/c", &with, b"c").await;
    assert!(reply.header("set-cookie").unwrap().contains("Max-Age=0"));
    assert!(!team.house.has("c").await);
}

#[tokio::test]
async fn a_wrong_form_signs_nobody_in() {
    let team = Team::with(&account("ana", "'/' = 'editor'")).await;
    let form = ("Content-Type", "application/x-www-form-urlencoded");
    let html = ("Accept", "text/html");
    for (fields, body, status) in [
        (vec![form], "name=ana&password=wrong", 401),
        (vec![form], "name=ana", 400),
        (vec![], "name=ana&password=secret+of+hers", 400),
        (
            vec![form, html],
            "name=ana&password=secret+of+hers&back=%2Fteam%2F",
            303,
        ),
        (
            vec![form, html],
            "name=ana&password=secret+of+hers&back=%2F%2Fevil",
            303,
        ),
    ] {
        let reply = team
            .house
            .ask("POST", "/.gaveta/sign-in", &fields, body.as_bytes())
            .await;
        assert_eq!(reply.status, status, "{body}");
        assert_eq!(reply.header("set-cookie").is_some(), status == 303);
        if status == 303 {
            assert!(
                matches!(reply.header("location"), Some("/team/" | "/")),
                "{reply:?}"
            );
        }
    }
    assert_eq!(
        team.house
            .ask("GET", "/.gaveta/sign-out", &[], b"")
            .await
            .status,
        405
    );
}

#[tokio::test]
async fn a_quota_counts_what_is_there_and_what_is_under_way() {
    let text = format!("{}quota = 10\n", account("ana", "'/' = 'editor'"));
    let team = Team::with(&text).await;
    let basic = basic("ana", "secret of hers");
    let ana = [("Authorization", basic.as_str())];
    let put = async |at: &'static str, bytes: &'static [u8]| {
        team.house.ask("PUT", at, &ana, bytes).await.status
    };
    assert_eq!(put("/a", b"123456").await, 201);
    assert_eq!(put("/b", b"12345").await, 507);
    assert_eq!(put("/b", b"1234").await, 201);
    let copy = r#"{"id":1,"do":"copy","from":"a","to":"c"}"#;
    assert_eq!(team.house.command(&ana, copy).await.0, 507);
    assert_eq!(team.house.ask("DELETE", "/a", &ana, b"").await.status, 204);
    assert_eq!(
        team.house
            .command(&ana, &copy.replace("\"a\"", "\"b\""))
            .await
            .0,
        200
    );
    // 4 + 4 are there; an upload that is begun takes what is left.
    let begin = |length| {
        let named = ("Upload-Metadata", "path dXBsb2Fk");
        [
            ana[0],
            ("Tus-Resumable", "1.0.0"),
            ("Upload-Length", length),
            named,
        ]
    };
    let at = "/.gaveta/uploads";
    assert_eq!(
        team.house.ask("POST", at, &begin("3"), b"").await.status,
        507
    );
    let begun = team.house.ask("POST", at, &begin("2"), b"").await;
    assert_eq!(begun.status, 201);
    assert_eq!(put("/d", b"1").await, 507);
    let space = team.house.command(&ana, r#"{"id":1,"do":"space"}"#).await.1;
    assert_eq!(
        (&space["ok"]["total"], space["ok"]["free"].as_u64()),
        (&json!(10), Some(2))
    );
    let address = begun.header("location").unwrap();
    let tus = [ana[0], ("Tus-Resumable", "1.0.0")];
    assert_eq!(
        team.house.ask("DELETE", address, &tus, b"").await.status,
        204
    );
    assert_eq!(put("/d", b"1").await, 201);
    // Nobody else is counted, and what another program removed is noticed when it matters.
    assert_eq!(
        team.house
            .ask("PUT", "/e", &[ADMIN], &[0; 100])
            .await
            .status,
        201
    );
}

#[tokio::test]
async fn one_address_has_its_share_of_connections_and_requests() {
    let house = House::with(|config| config.shares.requests = Some(1)).await;
    let asked = (0..40).map(|_| house.ask("GET", "/", &[], b""));
    let replies = futures_util::future::join_all(asked).await;
    for busy in replies.iter().filter(|reply| reply.status != 200) {
        assert_eq!(busy.status, 429);
        assert!(busy.header("retry-after").unwrap().parse::<u64>().unwrap() >= 1);
    }
    let statuses: Vec<u16> = replies.iter().map(|reply| reply.status).collect();
    assert!(
        statuses.contains(&200) && statuses.contains(&429),
        "{statuses:?}"
    );
    let house = House::with(|config| config.shares.connections = Some(2)).await;
    let (_one, _two) = (house.connect().await, house.connect().await);
    let mut third = house.connect().await;
    let reply = timeout(HUNG, third.response()).await.expect("it hangs");
    assert_eq!(reply.unwrap().status, 503);
}

/// What the system says of this process, in KiB: `VmRSS`, `VmHWM`.
fn memory(word: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(word));
    let number = line.and_then(|rest| rest.trim_start_matches(':').split_whitespace().next());
    number.and_then(|kib| kib.parse().ok()).unwrap_or_default()
}

/// How much more memory 10,000 guesses may leave in use, or have in use at once, in KiB: the two
/// hashes that are computed at once take 19 MiB each. Server and guesser are one process.
const GROWTH: u64 = 64 << 10;

/// By hand: `cargo test --release -p gaveta-server --test house ten_thousand -- --ignored --nocapture`.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement"]
async fn ten_thousand_guesses_cost_little_and_another_enters() {
    // At what a hash costs a real server.
    let hash = HashedPassword::new("secret of hers").unwrap();
    let ana = format!(
        "[account.ana]\npassword = '{}'\ngrants = {{ '/' = 'editor' }}\n",
        hash.hash()
    );
    let team = Team::with(&ana).await;
    let guess = async |n: u32| {
        let wrong = basic("ana", &format!("guess {n}"));
        let fields = [("Authorization", wrong.as_str())];
        team.house.ask("GET", "/", &fields, b"").await.status
    };
    let (rss, peak) = (memory("VmRSS"), memory("VmHWM"));
    let since = std::time::Instant::now();
    let mut refused = [0; 3];
    for n in 0..10_000 {
        match guess(n).await {
            401 => refused[0] += 1,
            429 => refused[1] += 1,
            _ => refused[2] += 1,
        }
    }
    let took = since.elapsed();
    let (rss_after, peak_after) = (memory("VmRSS"), memory("VmHWM"));
    let entered = std::time::Instant::now();
    assert_eq!(team.house.ask("GET", "/", &[ADMIN], b"").await.status, 200);
    println!("another enters after {:?}", entered.elapsed());
    println!("10,000 guesses: {refused:?} (401, 429, other) in {took:?}");
    println!("VmRSS {rss} KiB before, {rss_after} after; VmHWM {peak} and {peak_after}");
    assert_eq!(refused[2], 0);
    assert!(rss_after.saturating_sub(rss) < GROWTH, "it stays in use");
    assert!(peak_after.saturating_sub(peak) < GROWTH, "it was in use");
}
