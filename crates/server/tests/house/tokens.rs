//! Tokens: a part of an account's rights, on every door, until they are revoked.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::harness::{ADMIN, HUNG, House};

impl House {
    /// Makes a token as the administrator: what goes into `Authorization`, the token, its id.
    pub(crate) async fn token(&self, body: &Value) -> (String, String, String) {
        let fields = [ADMIN, ("Content-Type", "application/json")];
        let text = body.to_string();
        let made = self
            .ask("POST", "/.gaveta/tokens", &fields, text.as_bytes())
            .await;
        assert_eq!(made.status, 201, "{}", made.text());
        assert_eq!(made.header("cache-control"), Some("no-store"));
        let made: Value = serde_json::from_slice(&made.body).unwrap();
        let secret = made["secret"].as_str().unwrap().to_owned();
        (
            format!("Bearer {secret}"),
            secret,
            made["id"].as_str().unwrap().to_owned(),
        )
    }
}

#[tokio::test]
async fn a_token_gives_its_part_on_every_door_and_no_more() {
    let house = House::new().await;
    house.put("in/a", b"a").await;
    house.put("in2/b", b"b").await;
    let scopes = json!([{"path": "in", "actions": "viewer,create"}]);
    let (bearer, secret, _) = house
        .token(&json!({"name": "backup", "scopes": scopes}))
        .await;
    let as_password = format!("Basic {}", STANDARD.encode(format!("admin:{secret}")));
    let as_name = format!("Basic {}", STANDARD.encode(format!("{secret}:")));
    for field in [&bearer, &as_password, &as_name] {
        let fields = [("Authorization", field.as_str())];
        let ask = async |method: &str, at: &str| house.ask(method, at, &fields, b"x").await.status;
        assert_eq!(ask("GET", "/in/a").await, 200, "{field}");
        assert_eq!(ask("GET", "/.gaveta/chunks/in/a").await, 200);
        for at in ["/in2/b", "/in2/", "/.gaveta/outline/in2/b"] {
            assert!(matches!(ask("GET", at).await, 403 | 404), "{at}");
        }
        for (method, at) in [
            ("PUT", "/in/a"),
            ("DELETE", "/in/a"),
            ("PUT", "/new"),
            ("PUT", "/in2/x"),
        ] {
            assert!(matches!(ask(method, at).await, 403 | 404), "{method} {at}");
        }
        for at in ["/.gaveta/tokens", "/.gaveta/shares", "/.gaveta/audit"] {
            assert_eq!(ask("GET", at).await, 403, "{at}");
        }
        let json = [fields[0], ("Content-Type", "application/json")];
        let more = house
            .ask("POST", "/.gaveta/tokens", &json, br#"{"name":"more"}"#)
            .await;
        assert_eq!(more.status, 403, "a token makes no tokens");
        let (status, reply) = house
            .command(&fields, r#"{"id":1,"do":"stat","path":"in2/b"}"#)
            .await;
        assert_eq!(
            (status, &reply["error"]["code"]),
            (404, &json!("not-found"))
        );
        let (mut session, hello) = house.session_with(&fields).await.unwrap();
        assert_eq!(hello["hello"]["account"]["name"], "admin", "{hello}");
        let said = session.ask(r#"{"id":1,"do":"delete","path":"in/a"}"#).await;
        assert_eq!(said["error"]["code"], "denied", "{said}");
    }
    for (n, field) in [&bearer, &as_password].into_iter().enumerate() {
        let at = format!("/in/new{n}");
        let put = house
            .ask("PUT", &at, &[("Authorization", field)], b"x")
            .await;
        assert_eq!(put.status, 201);
    }
    for wrong in [
        "Bearer gvt_x".to_owned(),
        format!("{}A", &bearer[..bearer.len() - 1]),
        format!("Basic {}", STANDARD.encode(format!("root:{secret}"))),
        format!("Basic {}", STANDARD.encode(format!("{secret}:x"))),
        "Bearer".to_owned(),
    ] {
        if wrong != bearer {
            let got = house
                .ask("GET", "/in/a", &[("Authorization", &wrong)], b"")
                .await;
            assert_eq!(got.status, 401, "{wrong}");
        }
    }
}

#[tokio::test]
async fn a_revoked_token_ends_sessions_and_uploads_that_are_under_way() {
    let house = House::new().await;
    let (bearer, secret, id) = house.token(&json!({"name": "t"})).await;
    let fields = [("Authorization", bearer.as_str())];
    let (mut session, _) = house.session_with(&fields).await.unwrap();
    let mut sending = house.connect().await;
    let head = format!(
        "PUT /half HTTP/1.1\r\nHost: localhost\r\nAuthorization: {bearer}\r\nContent-Length: 1000\r\n\r\nhalf"
    );
    sending.send(head.as_bytes()).await.unwrap();
    let listed = house.ask("GET", "/.gaveta/tokens", &[ADMIN], b"").await;
    assert!(
        !listed.text().contains(&secret) && listed.text().contains("\"used\""),
        "{}",
        listed.text()
    );
    let gone = house
        .ask("DELETE", &format!("/.gaveta/tokens/{id}"), &[ADMIN], b"")
        .await;
    assert_eq!(gone.status, 204);
    while session.next_message().await.is_some() {}
    let refused = tokio::time::timeout(HUNG, sending.response())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(refused.status, 401);
    assert_eq!(house.ask("GET", "/", &fields, b"").await.status, 401);
    assert!(!house.has("half").await);
    let again = house
        .ask("DELETE", &format!("/.gaveta/tokens/{id}"), &[ADMIN], b"")
        .await;
    assert_eq!(again.status, 404);
}

#[tokio::test]
async fn an_expired_token_ends_what_is_under_way() {
    let house = House::new().await;
    let (bearer, ..) = house.token(&json!({"name": "t", "seconds": 2})).await;
    let fields = [("Authorization", bearer.as_str())];
    let (mut session, _) = house.session_with(&fields).await.unwrap();
    while session.next_message().await.is_some() {}
    assert_eq!(house.ask("GET", "/", &fields, b"").await.status, 401);
}

#[tokio::test]
async fn nonsense_makes_no_token() {
    let house = House::new().await;
    let json = ("Content-Type", "application/json");
    house.token(&json!({"name": "taken"})).await;
    for (body, status) in [
        (r#"{"name":""}"#, 400),
        (r#"{"name":"a\nb"}"#, 400),
        (r#"{"name":"taken"}"#, 412),
        (r#"{"name":"x","account":"nobody"}"#, 404),
        (r#"{"name":"x","seconds":0}"#, 400),
        (
            r#"{"name":"x","scopes":[{"path":"../x","actions":"read"}]}"#,
            400,
        ),
        (
            r#"{"name":"x","scopes":[{"path":"x","actions":"fly"}]}"#,
            400,
        ),
        (r#"{"nam":"x"}"#, 400),
        ("[]", 400),
    ] {
        let made = house
            .ask("POST", "/.gaveta/tokens", &[ADMIN, json], body.as_bytes())
            .await;
        assert_eq!(made.status, status, "{body}: {}", made.text());
    }
    let visitor = house
        .ask("POST", "/.gaveta/tokens", &[json], br#"{"name":"x"}"#)
        .await;
    assert_eq!(visitor.status, 401);
}

#[tokio::test]
async fn neither_a_token_nor_a_share_begins_a_browsers_session() {
    let house = House::new().await;
    house.put("in/a", b"a").await;
    let scopes = json!([{"path": "in", "actions": "viewer"}]);
    let (_, token, _) = house.token(&json!({"name": "t", "scopes": scopes})).await;
    let open = json!({"path": "in/a"});
    let closed = json!({"path": "in/a", "password": "segredo1"});
    let (open, ..) = house.share(&open).await;
    let (closed, ..) = house.share(&closed).await;
    let form = [("Content-Type", "application/json")];
    for (name, password, status) in [
        ("admin", token.as_str(), 401),
        (token.as_str(), "", 401),
        ("admin", open.as_str(), 401),
        (open.as_str(), "", 401),
        (closed.as_str(), "segredo1", 401),
        ("admin", "right one", 200),
    ] {
        let body = json!({"name": name, "password": password}).to_string();
        let reply = house
            .ask("POST", "/.gaveta/sign-in", &form, body.as_bytes())
            .await;
        assert_eq!(reply.status, status, "{name} {password}");
        let cookie = reply.header("set-cookie").is_some();
        assert_eq!(cookie, status == 200, "{name} {password}");
    }
}
