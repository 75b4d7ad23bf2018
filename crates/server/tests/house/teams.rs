//! What counts for whom, what ends with an account, and what the audit log says of accounts.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::timeout;

use super::accounts::{Team, account, basic};
use super::audit::records;
use super::harness::{ADMIN, HUNG, House};

/// A share or a token of ana's: its secret.
async fn made(house: &House, route: &str, body: &Value) -> String {
    let basic = basic("ana", "secret of hers");
    let fields = [
        ("Authorization", basic.as_str()),
        ("Content-Type", "application/json"),
    ];
    let at = format!("/.gaveta/{route}");
    let made = house
        .ask("POST", &at, &fields, body.to_string().as_bytes())
        .await;
    assert_eq!(made.status, 201, "{}", made.text());
    let made: Value = serde_json::from_slice(&made.body).unwrap();
    match made["secret"].as_str() {
        Some(secret) => secret.to_owned(),
        None => made["link"]
            .as_str()
            .unwrap()
            .split('/')
            .nth(3)
            .unwrap()
            .to_owned(),
    }
}

#[tokio::test]
async fn what_comes_by_shares_and_tokens_counts_against_their_makers_quota() {
    let text = format!("{}quota = 10\n", account("ana", "'/' = 'editor'"));
    let team = Team::with(&text).await;
    team.house
        .command(&[ADMIN], r#"{"id":1,"do":"make-folder","path":"in"}"#)
        .await;
    let drop = json!({"path": "in", "way": "drop"});
    let one = made(&team.house, "shares", &drop).await;
    let two = made(&team.house, "shares", &drop).await;
    let token = made(&team.house, "tokens", &json!({"name": "robot"})).await;
    let put = async |secret: &str, at: &str, bytes: &[u8]| {
        let at = format!("/.gaveta/s/{secret}/{at}");
        team.house.ask("PUT", &at, &[], bytes).await.status
    };
    assert_eq!(put(&one, "a", b"123456").await, 201);
    assert_eq!(put(&two, "b", b"12345").await, 507);
    assert_eq!(put(&two, "b", b"123").await, 201);
    let bearer = format!("Bearer {token}");
    let by_token = [("Authorization", bearer.as_str())];
    let sent = team.house.ask("PUT", "/c", &by_token, b"12").await;
    assert_eq!(sent.status, 507);
    // What is under way by one of them, too.
    let bearer = format!("Bearer {one}");
    let begin = [
        ("Authorization", bearer.as_str()),
        ("Tus-Resumable", "1.0.0"),
        ("Upload-Length", "1"),
        ("Upload-Metadata", "path aW4vdA=="),
    ];
    let begun = team
        .house
        .ask("POST", "/.gaveta/uploads", &begin, b"")
        .await;
    assert_eq!(begun.status, 201, "{}", begun.text());
    assert_eq!(put(&two, "d", b"1").await, 507);
    assert_eq!(put(&one, "d", b"1").await, 507);
}

#[tokio::test]
async fn tokens_and_links_end_with_their_account_also_for_who_has_its_name_later() {
    let (ana, bia) = (
        account("ana", "'/' = 'editor'"),
        account("bia", "'/' = 'viewer'"),
    );
    let both = format!("{ana}{bia}");
    let team = Team::with(&both).await;
    team.house.ask("PUT", "/a", &[ADMIN], b"content").await;
    let token = made(&team.house, "tokens", &json!({"name": "robot"})).await;
    let share = made(&team.house, "shares", &json!({"path": "a"})).await;
    let opens = async || {
        let bearer = format!("Bearer {token}");
        let fields = [("Authorization", bearer.as_str())];
        let by_token = team.house.ask("GET", "/a", &fields, b"").await.status;
        let link = format!("/.gaveta/s/{share}/a");
        (
            by_token,
            team.house.ask("GET", &link, &[], b"").await.status,
        )
    };
    assert_eq!(opens().await, (200, 200));
    // Emptied by a slip: nobody has an account, and when they are back, they have their links.
    team.write("");
    timeout(HUNG, async {
        while opens().await.1 == 200 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await
    .unwrap();
    team.write(&both);
    team.reload().await.unwrap();
    assert_eq!(opens().await, (200, 200));
    // Removed.
    team.write(&bia);
    team.reload().await.unwrap();
    assert_eq!(opens().await, (401, 404));
    team.write(&both);
    team.reload().await.unwrap();
    assert_eq!(opens().await, (401, 404));
    for (operation, count) in [("token-remove", 1), ("share-remove", 1)] {
        let query = format!("operation={operation}");
        assert_eq!(records(&team.house, &query, count).await.len(), count);
    }
}

#[tokio::test]
async fn who_changed_which_account_is_in_the_audit_log_and_no_secret() {
    let ana = account("ana", "'/' = 'viewer'");
    let team = Team::with(&ana).await;
    let wider = account("ana", "'/' = 'viewer', '/team' = 'editor'");
    team.write(&format!("{wider}disabled = true\n[account.bia]\n"));
    team.reload().await.unwrap();
    let all = records(&team.house, "", 3).await;
    let told: Vec<(&str, &str)> = all
        .iter()
        .map(|record| {
            let field = |name: &str| record[name].as_str().unwrap_or_default();
            assert_eq!((field("door"), field("result")), ("local", "done"));
            assert!(field("from").starts_with("uid "), "{record}");
            (field("operation"), field("about"))
        })
        .collect();
    assert_eq!(
        told,
        [
            ("account-grant", "ana=editor"),
            ("account-set", "ana disabled=true"),
            ("account-add", "bia"),
        ]
    );
    assert_eq!(all[0]["path"], "/team");
    // What a person changes in the file is told as well; nobody knows by whom.
    team.write(&ana);
    let found = records(&team.house, "operation=account-remove", 1).await;
    assert_eq!(
        (&found[0]["about"], &found[0]["door"]),
        (&json!("bia"), &json!("inside"))
    );
    let everything = std::fs::read_to_string(team.state.path().join("audit.jsonl")).unwrap();
    assert!(!everything.contains("argon2"), "{everything}");
}
