//! A server that only reads, beside one that writes, with the same state.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use gaveta_core::Store;
use gaveta_server::{AccountsFile, AuditPlan, Config, HashedPassword};
use gaveta_testkit::MemoryStore;
use serde_json::{Value, json};

use super::accounts::{account, basic};
use super::audit::records;
use super::harness::{ADMIN, HUNG, House};

/// How often it is looked whether it is so.
const LOOK: Duration = Duration::from_millis(20);

struct Two {
    state: tempfile::TempDir,
    store: Arc<dyn Store>,
    admin: HashedPassword,
}

impl Two {
    fn new() -> Self {
        let state = tempfile::tempdir().unwrap();
        fs::write(
            state.path().join("gaveta.toml"),
            account("ana", "'/' = 'viewer'"),
        )
        .unwrap();
        Self {
            state,
            store: Arc::new(MemoryStore::with_trash()),
            admin: HashedPassword::cheap("right one").unwrap(),
        }
    }

    async fn house(&self, read_only: bool) -> House {
        let file = AccountsFile::at(self.state.path().join("gaveta.toml"));
        House::of(Arc::clone(&self.store), |config: &mut Config| {
            config.admin = Some(self.admin.clone());
            config.accounts = file.read().unwrap();
            config.accounts_file = Some(file);
            config.keys = Some(self.state.path().join("drawer"));
            config.read_only = read_only;
            config.audit = Some(AuditPlan::at(self.state.path().join("audit.jsonl")));
        })
        .await
    }

    /// What is kept, byte by byte; nothing for what is not there.
    fn kept(&self) -> [Vec<u8>; 3] {
        ["drawer/tokens.json", "drawer/shares.json", "gaveta.toml"]
            .map(|name| fs::read(self.state.path().join(name)).unwrap_or_default())
    }

    fn shares(&self) -> Value {
        serde_json::from_slice(&self.kept()[1]).unwrap()
    }
}

/// Waits until this is answered so.
async fn until(house: &House, at: &str, fields: &[(&str, &str)], status: u16) {
    let so = async {
        while house.ask("GET", at, fields, b"").await.status != status {
            tokio::time::sleep(LOOK).await;
        }
    };
    let so = tokio::time::timeout(HUNG, so).await;
    so.unwrap_or_else(|_| panic!("{at} is never answered with {status}"));
}

const JSON: (&str, &str) = ("Content-Type", "application/json");

#[tokio::test]
async fn what_the_one_that_writes_makes_and_ends_counts_at_the_one_that_reads() {
    let two = Two::new();
    let (writes, reads) = (two.house(false).await, two.house(true).await);
    writes.put("docs/a", b"a").await;
    let (bearer, _, token) = writes.token(&json!({"name": "t"})).await;
    let fields = [("Authorization", bearer.as_str())];
    until(&reads, "/docs/a", &fields, 200).await;
    let (_, link, share) = writes.share(&json!({"path": "docs/a"})).await;
    until(&reads, &link, &[], 200).await;
    let (mut session, _) = reads.session_with(&fields).await.unwrap();
    let ana = basic("ana", "secret of hers");
    let ana = [("Authorization", ana.as_str())];
    let (mut hers, _) = reads.session_with(&ana).await.unwrap();
    for at in [
        format!("/.gaveta/tokens/{token}"),
        format!("/.gaveta/shares/{share}"),
    ] {
        assert_eq!(writes.ask("DELETE", &at, &[ADMIN], b"").await.status, 204);
    }
    while session.next_message().await.is_some() {}
    until(&reads, "/docs/a", &fields, 401).await;
    until(&reads, &link, &[], 404).await;
    // Accounts are followed by both, whoever changes the file.
    let other = account("bia", "'/' = 'viewer'");
    let new = two.state.path().join("new");
    fs::write(&new, other).unwrap();
    fs::rename(new, two.state.path().join("gaveta.toml")).unwrap();
    while hers.next_message().await.is_some() {}
    until(&reads, "/docs/a", &ana, 401).await;
}

/// One log, two servers: what an editor changed is told once.
#[tokio::test]
async fn a_change_of_an_account_is_told_once_in_one_log() {
    let two = Two::new();
    let (writes, reads) = (two.house(false).await, two.house(true).await);
    writes.put("a", b"a").await;
    let mut all = account("ana", "'/' = 'viewer'");
    // When both know of the second, both have told of the first what they tell.
    for name in ["bia", "cida"] {
        all += &account(name, "'/' = 'viewer'");
        let new = two.state.path().join("new");
        fs::write(&new, &all).unwrap();
        fs::rename(new, two.state.path().join("gaveta.toml")).unwrap();
        let her = basic(name, "secret of hers");
        for house in [&writes, &reads] {
            until(house, "/a", &[("Authorization", &her)], 200).await;
        }
    }
    records(&writes, "operation=account-add", 2).await;
    assert!(writes.server.stop().await.is_ok() && reads.server.stop().await.is_ok());
    let log = fs::read_to_string(two.state.path().join("audit.jsonl")).unwrap();
    let told = log.lines().filter(|line| line.contains("\"account-add\""));
    assert_eq!(told.count(), 2, "{log}");
}

#[tokio::test]
async fn the_one_that_reads_writes_nothing_while_the_other_is_there() {
    let two = Two::new();
    let (writes, reads) = (two.house(false).await, two.house(true).await);
    writes.put("a", b"a").await;
    writes.token(&json!({"name": "t"})).await;
    let (_, link, share) = writes.share(&json!({"path": "a", "limit": 2})).await;
    until(&reads, &link, &[], 200).await;
    let kept = two.kept();
    let form = ("Content-Type", "application/x-www-form-urlencoded");
    let same = ("Sec-Fetch-Site", "same-origin");
    let account = "/.gaveta/admin/account?name=ana";
    for (method, at, kind, body) in [
        ("POST", "/.gaveta/tokens", JSON, r#"{"name":"x"}"#),
        ("POST", "/.gaveta/shares", JSON, r#"{"path":"a"}"#),
        ("DELETE", &*format!("/.gaveta/shares/{share}"), JSON, ""),
        ("POST", account, form, "do=set&disabled=on"),
    ] {
        let said = reads
            .ask(method, at, &[ADMIN, kind, same], body.as_bytes())
            .await;
        assert_eq!(said.status, 403, "{method} {at}: {}", said.text());
    }
    // How often a share was used here counts, and is not kept.
    assert_eq!(reads.ask("GET", &link, &[], b"").await.status, 200);
    until(&reads, &link, &[], 403).await;
    reads.server.stop().await.unwrap();
    assert!(two.kept() == kept);
    // The other one knows nothing of it, and goes on.
    assert_eq!(writes.ask("GET", &link, &[], b"").await.status, 200);
    let (bearer, ..) = writes.token(&json!({"name": "more"})).await;
    let fields = [("Authorization", bearer.as_str())];
    assert_eq!(writes.ask("GET", "/a", &fields, b"").await.status, 200);
}

#[tokio::test]
async fn one_that_reads_and_has_nobody_beside_it_keeps_what_is_made_and_used() {
    let two = Two::new();
    let writes = two.house(false).await;
    writes.put("a", b"a").await;
    let (_, link, _) = writes.share(&json!({"path": "a", "limit": 5})).await;
    let reads = two.house(true).await;
    for house in [&writes, &reads, &reads] {
        assert_eq!(house.ask("GET", &link, &[], b"").await.status, 200);
    }
    writes.server.stop().await.unwrap();
    // Now its own two are kept, beside the other's.
    let used = |shares: Value| shares["shares"][0]["used"].as_u64().unwrap();
    let so = async {
        while used(two.shares()) < 3_000_000_000 {
            tokio::time::sleep(LOOK).await;
        }
    };
    tokio::time::timeout(HUNG, so).await.expect("it is kept");
    assert_eq!(used(two.shares()), 3_000_000_000);
    let (bearer, ..) = reads.token(&json!({"name": "t"})).await;
    let fields = [("Authorization", bearer.as_str())];
    // A second one beside it hears of that, and can do the same.
    let another = two.house(true).await;
    until(&another, "/a", &fields, 200).await;
    let (other, ..) = another.token(&json!({"name": "u"})).await;
    until(&reads, "/a", &[("Authorization", other.as_str())], 200).await;
    // A server that writes may come at any time.
    let writes = two.house(false).await;
    assert_eq!(writes.ask("GET", "/a", &fields, b"").await.status, 200);
    let refused = reads
        .ask(
            "POST",
            "/.gaveta/tokens",
            &[ADMIN, JSON],
            br#"{"name":"v"}"#,
        )
        .await;
    assert_eq!(refused.status, 403, "{}", refused.text());
}

#[tokio::test]
async fn what_makes_no_sense_leaves_all_as_it_was() {
    let two = Two::new();
    let (writes, reads) = (two.house(false).await, two.house(true).await);
    writes.put("a", b"a").await;
    let (bearer, ..) = writes.token(&json!({"name": "t"})).await;
    let fields = [("Authorization", bearer.as_str())];
    until(&reads, "/a", &fields, 200).await;
    let file = two.state.path().join("drawer/tokens.json");
    writes.server.stop().await.unwrap();
    let whole = fs::read(&file).unwrap();
    for content in [Some(&b"{\"format\":1,"[..]), None] {
        match content {
            Some(content) => fs::write(&file, content).unwrap(),
            None => fs::remove_file(&file).unwrap(),
        }
        let made = reads
            .ask(
                "POST",
                "/.gaveta/tokens",
                &[ADMIN, JSON],
                br#"{"name":"x"}"#,
            )
            .await;
        assert_eq!(made.status, 500, "{}", made.text());
        assert_eq!(fs::read(&file).ok().as_deref(), content);
        assert_eq!(reads.ask("GET", "/a", &fields, b"").await.status, 200);
    }
    fs::write(&file, whole).unwrap();
    let json: Value = json!({"name": "x"});
    let (bearer, ..) = reads.token(&json).await;
    let fields = [("Authorization", bearer.as_str())];
    assert_eq!(reads.ask("GET", "/a", &fields, b"").await.status, 200);
}
