//! What a visitor may, and what only the administrator may, on every way in.

use super::harness::{ADMIN, House, WRONG};

/// (call, code for a visitor; none when he may)
const CALLS: &[(&str, Option<&str>)] = &[
    (r#"{"id":1,"do":"list","path":""}"#, None),
    (r#"{"id":1,"do":"stat","path":"a"}"#, None),
    (r#"{"id":1,"do":"make-folder","path":"new"}"#, None),
    (r#"{"id":1,"do":"copy","from":"a","to":"copied"}"#, None),
    (r#"{"id":1,"do":"space"}"#, None),
    (
        r#"{"id":1,"do":"copy","from":"a","to":"b","replace":"always"}"#,
        Some("sign-in-needed"),
    ),
    (
        r#"{"id":1,"do":"touch","path":"a","modified":"2020-01-01T00:00:00Z"}"#,
        Some("sign-in-needed"),
    ),
    (
        r#"{"id":1,"do":"rename","from":"a","to":"c"}"#,
        Some("sign-in-needed"),
    ),
    (
        r#"{"id":1,"do":"delete","path":"b"}"#,
        Some("sign-in-needed"),
    ),
];

#[tokio::test]
async fn every_command_by_session_and_by_post() {
    for admin in [false, true] {
        for by_post in [false, true] {
            let house = House::new().await;
            house.put("a", b"a").await;
            house.put("b", b"b").await;
            let mut session = house.session().await;
            if admin {
                session.sign_in().await;
            }
            for (call, refused) in CALLS {
                let fields: &[_] = if admin { &[ADMIN] } else { &[] };
                let (status, reply) = match by_post {
                    true => house.command(fields, call).await,
                    false => (0, session.ask(call).await),
                };
                let expected = if admin { None } else { *refused };
                assert_eq!(reply["error"]["code"].as_str(), expected, "{call}: {reply}");
                if by_post {
                    assert_eq!(status, if expected.is_some() { 401 } else { 200 }, "{call}");
                }
            }
            assert_eq!(house.has("b").await, !admin);
            assert_eq!(house.has("c").await, admin);
        }
    }
}

#[tokio::test]
async fn over_http_a_visitor_sends_what_is_new() {
    let house = House::new().await;
    assert_eq!(house.ask("PUT", "/new", &[], b"1").await.status, 201);
    let refused = house.ask("PUT", "/new", &[], b"2").await;
    assert_eq!(refused.status, 401);
    assert_eq!(refused.header("gaveta-error"), Some("sign-in-needed"));
    let asks = refused.header("www-authenticate");
    assert_eq!(asks, Some("Basic realm=\"gaveta\", charset=\"UTF-8\""));
    assert_eq!(
        house
            .ask("PUT", "/new", &[("If-None-Match", "*")], b"2")
            .await
            .status,
        412
    );
    assert_eq!(house.ask("DELETE", "/new", &[], b"").await.status, 401);
    assert_eq!(house.ask("GET", "/new", &[], b"").await.body, b"1");
    assert!(matches!(
        house.ask("PUT", "/new", &[ADMIN], b"2").await.status,
        200 | 204
    ));
    assert_eq!(house.ask("DELETE", "/new", &[ADMIN], b"").await.status, 204);
}

#[tokio::test]
async fn wrong_credentials_are_never_a_visitor() {
    let house = House::new().await;
    house.put("a", b"a").await;
    for field in [
        WRONG,
        ("Authorization", "Bearer x"),
        ("Authorization", "Basic"),
        ("Authorization", ""),
        ("Authorization", "Basic eA=="),
        ("Authorization", "Basic cm9vdDpyaWdodCBvbmU="),
    ] {
        for (method, target) in [("GET", "/a"), ("GET", "/.gaveta/health"), ("PUT", "/new")] {
            let reply = house.ask(method, target, &[field], b"").await;
            assert!(
                matches!(reply.status, 401 | 429),
                "{method} {target} {field:?}"
            );
        }
    }
    assert!(!house.has("new").await);
}

#[tokio::test]
async fn what_needs_a_session_is_refused_by_post_and_the_rest_answers() {
    let house = House::new().await;
    for call in [
        r#"{"id":1,"do":"sign-in","name":"admin","password":"right one"}"#,
        r#"{"id":1,"do":"sign-out"}"#,
        r#"{"id":1,"do":"watch","path":""}"#,
        r#"{"id":1,"do":"unwatch","path":""}"#,
    ] {
        let (status, reply) = house.command(&[], call).await;
        assert_eq!(
            (status, reply["error"]["code"].as_str()),
            (501, Some("unsupported")),
            "{call}"
        );
    }
    let (status, reply) = house.command(&[ADMIN], r#"{"id":3,"do":"whoami"}"#).await;
    assert_eq!((status, reply["id"].as_u64()), (200, Some(3)));
    assert_eq!(reply["ok"]["name"], "admin");
    let json = ("Content-Type", "application/json; charset=utf-8");
    for (fields, body, status) in [
        (vec![], br#"{"do":"ping"}"#.to_vec(), 400),
        (
            vec![("Content-Type", "text/plain")],
            br#"{"do":"ping"}"#.to_vec(),
            400,
        ),
        (vec![json], br#"{"do":"ping"}"#.to_vec(), 200),
        (vec![json], b"{".to_vec(), 400),
        (vec![json], vec![b' '; 64 * 1024 + 1], 413),
    ] {
        let reply = house.ask("POST", "/.gaveta/command", &fields, &body).await;
        assert_eq!(reply.status, status, "{fields:?}");
    }
    assert_eq!(
        house.ask("GET", "/.gaveta/command", &[], b"").await.status,
        405
    );
    assert_eq!(
        house.ask("GET", "/.gaveta/health", &[], b"").await.status,
        200
    );
    assert_eq!(
        house.ask("HEAD", "/.gaveta/health", &[], b"").await.status,
        200
    );
    assert_eq!(
        house.ask("GET", "/.gaveta/else", &[], b"").await.status,
        404
    );
    assert_eq!(
        house
            .ask("PUT", "/.gaveta/else", &[ADMIN], b"x")
            .await
            .status,
        404
    );
}
