//! The audit log: who did what, and never a secret.

use std::time::Duration;

use gaveta_server::AuditPlan;
use serde_json::{Value, json};

use super::harness::{ADMIN, HUNG, House, WRONG};

async fn house(folder: &std::path::Path) -> House {
    let plan = AuditPlan::at(folder.join("audit.jsonl"));
    House::with(|config| config.audit = Some(plan)).await
}

/// The records that a filter takes, once there are so many.
pub(crate) async fn records(house: &House, query: &str, at_least: usize) -> Vec<Value> {
    let since = std::time::Instant::now();
    loop {
        let got = house
            .ask("GET", &format!("/.gaveta/audit?{query}"), &[ADMIN], b"")
            .await;
        assert_eq!(got.status, 200, "{}", got.text());
        let lines = got.text();
        let found: Vec<Value> = lines
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        if found.len() >= at_least {
            return found;
        }
        assert!(since.elapsed() < HUNG, "{query}: {lines}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn every_change_and_every_reading_is_one_record_with_its_result() {
    let home = tempfile::tempdir().unwrap();
    let house = house(home.path()).await;
    house.ask("PUT", "/a%0a", &[], b"x").await;
    house.ask("PUT", "/a", &[], b"twelve bytes").await;
    house.ask("GET", "/a", &[], b"").await;
    house.ask("DELETE", "/a", &[], b"").await;
    house
        .command(&[ADMIN], r#"{"id":1,"do":"copy","from":"a","to":"b/c"}"#)
        .await;
    house
        .command(&[ADMIN], r#"{"id":1,"do":"rename","from":"a","to":"d"}"#)
        .await;
    house
        .command(&[ADMIN], r#"{"id":1,"do":"make-folder","path":"f"}"#)
        .await;
    house
        .command(
            &[ADMIN],
            r#"{"id":1,"do":"touch","path":"d","executable":true}"#,
        )
        .await;
    house.ask("DELETE", "/d", &[ADMIN], b"").await;
    let all = records(&house, "", 8).await;
    let told: Vec<String> = all
        .iter()
        .map(|r| {
            let text = |name: &str| r[name].as_str().unwrap_or("-").to_owned();
            let bytes = r["bytes"]
                .as_u64()
                .map_or("-".to_owned(), |bytes| bytes.to_string());
            let [who, what, path, to, how] =
                ["account", "operation", "path", "to", "result"].map(text);
            assert_eq!(
                (r["from"].as_str(), r["door"].as_str()),
                (Some("127.0.0.1"), Some("http"))
            );
            format!("{who} {what} {path} {to} {how} {bytes}")
        })
        .collect();
    assert_eq!(
        told,
        [
            "visitor commit /a - done 12",
            "visitor read /a - done 12",
            "visitor remove /a - sign-in-needed -",
            "admin copy /a /b/c done -",
            "admin rename /a /d done -",
            "admin make-folder /f - done -",
            "admin touch /d - done -",
            "admin remove /d - done -",
        ]
    );
    let only = async |query: &str| records(&house, query, 1).await.len();
    assert_eq!(only("failed=true").await, 1);
    assert_eq!(only("account=visitor").await, 3);
    assert_eq!(only("path=b").await, 1);
    assert_eq!(only("operation=touch").await, 1);
    for bad in ["since=yesterday", "path=../x", "nonsense=1"] {
        let got = house
            .ask("GET", &format!("/.gaveta/audit?{bad}"), &[ADMIN], b"")
            .await;
        assert_eq!(got.status, 400, "{bad}");
    }
    assert_eq!(
        house.ask("GET", "/.gaveta/audit", &[], b"").await.status,
        401
    );
    assert_eq!(
        house
            .ask("DELETE", "/.gaveta/audit", &[ADMIN], b"")
            .await
            .status,
        405
    );
}

#[tokio::test]
async fn what_was_cut_is_told_so_and_who_guessed_is_known() {
    let home = tempfile::tempdir().unwrap();
    let house = house(home.path()).await;
    let mut cut = house.connect().await;
    cut.send(b"PUT /cut HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nhalf")
        .await
        .unwrap();
    drop(cut);
    let found = records(&house, "path=cut", 1).await;
    assert_eq!(
        (&found[0]["result"], &found[0]["bytes"]),
        (&json!("cut"), &json!(4)),
        "{found:?}"
    );
    house.ask("GET", "/", &[WRONG], b"").await;
    let unknown = "Basic aHVudGVyMjpodW50ZXIy";
    house
        .ask("GET", "/", &[("Authorization", unknown)], b"")
        .await;
    let found = records(&house, "operation=sign-in", 2).await;
    assert_eq!(
        (&found[0]["account"], &found[0]["result"]),
        (&json!("admin"), &json!("wrong-password"))
    );
    // What was typed in the place of a name may be a password.
    assert!(found[1]["account"].is_null(), "{found:?}");
    let form = [("Content-Type", "application/json")];
    let wrong = br#"{"name":"admin","password":"wrong"}"#;
    let refused = house.ask("POST", "/.gaveta/sign-in", &form, wrong).await;
    assert_eq!(refused.status, 401);
    let found = records(&house, "operation=sign-in", 3).await;
    assert_eq!(
        (&found[2]["account"], &found[2]["result"]),
        (&json!("admin"), &json!("wrong-password"))
    );
}

#[tokio::test]
async fn no_secret_is_in_it_and_who_came_by_what_is() {
    let home = tempfile::tempdir().unwrap();
    let house = house(home.path()).await;
    house.put("docs/a", b"a").await;
    let (bearer, token, token_id) = house.token(&json!({"name": "t"})).await;
    let body = json!({"path": "docs/a", "password": "segredo1"});
    let (secret, link, share_id) = house.share(&body).await;
    house
        .ask("GET", "/docs/a", &[("Authorization", &bearer)], b"")
        .await;
    let field = "Basic OnNlZ3JlZG8x";
    let got = house
        .ask("GET", &link, &[("Authorization", field)], b"")
        .await;
    assert_eq!(got.status, 200);
    house
        .ask(
            "GET",
            &link,
            &[("Authorization", "Basic Ondyb25nMQ==")],
            b"",
        )
        .await;
    house
        .ask(
            "DELETE",
            &format!("/.gaveta/shares/{share_id}"),
            &[ADMIN],
            b"",
        )
        .await;
    let read = records(&house, "operation=read", 2).await;
    assert_eq!(
        (&read[0]["token"], &read[0]["account"]),
        (&json!(token_id), &json!("admin"))
    );
    assert_eq!(
        (&read[1]["share"], &read[1]["account"]),
        (&json!(share_id), &json!("admin"))
    );
    let ended = records(&house, "operation=share-remove", 1).await;
    assert_eq!(
        (&ended[0]["about"], &ended[0]["path"]),
        (&json!(share_id), &json!("/docs/a"))
    );
    let text = std::fs::read_to_string(home.path().join("audit.jsonl")).unwrap();
    for hidden in [
        &token[4..],
        &secret[4..],
        "segredo1",
        "wrong1",
        "right one",
        "$argon2",
    ] {
        assert!(!text.contains(hidden), "{hidden}: {text}");
    }
}

#[tokio::test]
async fn whoever_follows_sees_what_comes_until_he_may_no_longer() {
    let home = tempfile::tempdir().unwrap();
    let house = house(home.path()).await;
    let (bearer, _, id) = house.token(&json!({"name": "t"})).await;
    let mut follower = house.connect().await;
    let ask = format!(
        "GET /.gaveta/audit?follow=true&operation=make-folder HTTP/1.1\r\nHost: localhost\r\n\
         Authorization: {bearer}\r\n\r\n"
    );
    follower.send(ask.as_bytes()).await.unwrap();
    house
        .command(&[ADMIN], r#"{"id":1,"do":"make-folder","path":"now"}"#)
        .await;
    records(&house, "operation=make-folder", 1).await;
    // Long enough for the follower to look again.
    tokio::time::sleep(Duration::from_millis(600)).await;
    house
        .ask("DELETE", &format!("/.gaveta/tokens/{id}"), &[ADMIN], b"")
        .await;
    let seen = tokio::time::timeout(HUNG, follower.rest())
        .await
        .unwrap()
        .unwrap();
    let seen = String::from_utf8_lossy(&seen).into_owned();
    assert!(seen.contains("\"/now\""), "{seen}");
}
