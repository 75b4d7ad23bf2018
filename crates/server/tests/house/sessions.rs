//! The session's messages, as PROTOCOL.md has them.

use futures_util::SinkExt;
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use super::harness::{ADMIN, House, WRONG};

#[tokio::test]
async fn the_greeting_tells_who_is_there() {
    let house = House::new().await;
    let session = house.session().await;
    assert_eq!(
        session.hello,
        json!({"hello": {
            "protocol": 1,
            "server": concat!("gaveta/", env!("CARGO_PKG_VERSION")),
            "account": {"name": "visitor", "may": ["list", "read", "create"]},
            "keep_alive_seconds": 30,
            "max_message": 65536,
        }})
    );
    let (_, hello) = house.session_with(&[ADMIN]).await.unwrap();
    assert_eq!(hello["hello"]["account"]["name"], "admin");
    assert_eq!(house.session_with(&[WRONG]).await.unwrap_err(), 401);
}

#[tokio::test]
async fn golden_requests_and_replies() {
    let house = House::new().await;
    house.put("a", b"abc").await;
    let mut session = house.session().await;
    let admin = ["list", "read", "create", "replace", "delete", "manage"];
    let table = [
        (
            r#"{"id":1,"do":"ping"}"#,
            json!({"id": 1, "ok": {"is": "pong"}}),
        ),
        (r#"{"do":"ping"}"#, json!({"id": 0, "ok": {"is": "pong"}})),
        (
            r#"{"id":2,"do":"sign-in","name":"admin","password":"no"}"#,
            json!({"id": 2, "error": {"code": "wrong-password", "message": "wrong name or password"}}),
        ),
        (
            r#"{"id":3,"do":"whoami"}"#,
            json!({"id": 3, "ok":
            {"is": "account", "name": "visitor", "may": ["list", "read", "create"]}}),
        ),
        (
            r#"{"id":4,"do":"delete","path":"a"}"#,
            json!({"id": 4, "error":
            {"code": "sign-in-needed", "message": "sign-in needed", "path": "/a"}}),
        ),
        (
            r#"{"id":5,"do":"sign-in","name":"admin","password":"right one"}"#,
            json!({"id": 5, "ok": {"is": "account", "name": "admin", "may": admin}}),
        ),
        (
            r#"{"id":6,"do":"delete","path":"a"}"#,
            json!({"id": 6, "ok": {"is": "done"}}),
        ),
        (
            r#"{"id":7,"do":"stat","path":"a"}"#,
            json!({"id": 7, "error":
            {"code": "not-found", "message": "not found", "path": "/a"}}),
        ),
        (
            r#"{"id":8,"do":"list","path":""}"#,
            json!({"id": 8, "ok":
            {"is": "page", "list": [], "end": {"entries": 0, "unnameable": 0}}}),
        ),
        (
            r#"{"id":9,"do":"sign-out"}"#,
            json!({"id": 9, "ok":
            {"is": "account", "name": "visitor", "may": ["list", "read", "create"]}}),
        ),
        (
            r#"{"id":10,"do":"watch","path":"nowhere"}"#,
            json!({"id": 10, "error":
            {"code": "not-found", "message": "not found", "path": "/nowhere"}}),
        ),
        (
            r#"{"id":11,"do":"unwatch","path":"nowhere"}"#,
            json!({"id": 11, "ok": {"is": "done"}}),
        ),
    ];
    for (request, expected) in table {
        assert_eq!(session.ask(request).await, expected, "{request}");
    }
    let help = session.ask(r#"{"id":12,"do":"help"}"#).await;
    assert!(
        help["ok"]["calls"]
            .as_array()
            .unwrap()
            .contains(&json!("sign-in"))
    );
    let space = session.ask(r#"{"id":13,"do":"space"}"#).await;
    assert!(space["ok"]["total"].as_u64() >= space["ok"]["free"].as_u64());
    let made = session
        .ask(r#"{"id":14,"do":"make-folder","path":"é | \"x\""}"#)
        .await;
    assert_eq!(made["ok"]["path"], "é | \"x\"");
    assert_eq!(made["ok"]["kind"], "folder");
}

#[tokio::test]
async fn nonsense_gets_an_error_and_the_session_goes_on() {
    let house = House::new().await;
    let mut session = house.session().await;
    for (text, id) in [
        ("", None),
        ("null", None),
        ("{", None),
        ("[]", None),
        ("{\"id\":3}", Some(3)),
        (r#"{"id":4,"do":"dance"}"#, Some(4)),
        (r#"{"id":"x","do":"ping"}"#, None),
        (r#"{"id":5,"do":"stat"}"#, Some(5)),
        (r#"{"id":6,"do":"stat","path":7}"#, Some(6)),
        (r#"{"id":7,"do":"list","path":"","limit":-1}"#, Some(7)),
        (r#"{"id":8,"do":"list","path":"","after":"x"}"#, Some(8)),
        (
            r#"{"id":9,"do":"touch","path":"a","modified":"yesterday"}"#,
            Some(9),
        ),
    ] {
        let reply = session.ask(text).await;
        assert_eq!(reply["error"]["code"], "bad-request", "{text}: {reply}");
        assert_eq!(reply["id"].as_u64(), id, "{text}");
    }
    let deep = session.ask(&"[".repeat(60_000)).await;
    assert_eq!(deep["error"]["code"], "bad-request");
    session
        .socket
        .send(Message::binary(vec![0u8; 10]))
        .await
        .unwrap();
    assert_eq!(session.next().await["error"]["code"], "bad-request");
    assert_eq!(session.ask(r#"{"do":"ping"}"#).await["ok"]["is"], "pong");
}

#[tokio::test]
async fn an_oversized_message_gets_an_answer_and_ends_only_its_session() {
    let house = House::new().await;
    let mut other = house.session().await;
    for size in [64 * 1024 + 1, 1024 * 1024] {
        let mut session = house.session().await;
        let _ = session.socket.send(Message::text("x".repeat(size))).await;
        let reply = session.next().await;
        assert_eq!(reply["error"]["code"], "bad-request", "{reply}");
        match session.next_message().await {
            Some(Message::Close(Some(frame))) => assert_eq!(u16::from(frame.code), 1009),
            end => panic!("{end:?}"),
        }
    }
    assert_eq!(other.ask(r#"{"do":"ping"}"#).await["ok"]["is"], "pong");
}

#[tokio::test]
async fn who_watches_is_told_what_happens_there_and_nothing_else() {
    let house = House::new().await;
    let (mut watcher, mut admin) = (house.session().await, house.session().await);
    admin.sign_in().await;
    for folder in ["in", "out"] {
        admin
            .ask(&format!(
                r#"{{"id":1,"do":"make-folder","path":"{folder}"}}"#
            ))
            .await;
    }
    assert_eq!(
        watcher.ask(r#"{"id":1,"do":"watch","path":"in"}"#).await["ok"]["is"],
        "done"
    );
    for path in ["out/b", "in/a"] {
        let made = house.ask("PUT", &format!("/{path}"), &[], b"abc").await;
        assert_eq!(made.status, 201, "{made:?}");
    }
    let event = watcher.next().await;
    assert_eq!(event["event"]["what"], "created", "{event}");
    assert_eq!(event["event"]["path"], "in/a");
    assert_eq!(event["event"]["entry"]["size"], 3);
    assert_eq!(event["event"]["by"], "visitor");
    let put = house.ask("PUT", "/in/a", &[ADMIN], b"abcd").await;
    assert!(matches!(put.status, 200 | 204), "{put:?}");
    let event = watcher.next().await;
    assert_eq!(
        (&event["event"]["what"], &event["event"]["by"]),
        (&json!("changed"), &json!("admin"))
    );
    admin
        .ask(r#"{"id":2,"do":"rename","from":"in/a","to":"out/a"}"#)
        .await;
    let event = watcher.next().await;
    assert_eq!(event["event"]["what"], "renamed");
    assert_eq!(event["event"]["entry"]["path"], "out/a");
    admin.ask(r#"{"id":3,"do":"delete","path":"in"}"#).await;
    assert_eq!(watcher.next().await["event"]["what"], "deleted");
    watcher.ask(r#"{"id":2,"do":"unwatch","path":"in"}"#).await;
    house.ask("PUT", "/in/c", &[], b"").await;
    assert_eq!(watcher.ask(r#"{"id":9,"do":"ping"}"#).await["id"], 9);
}

#[tokio::test]
async fn watches_are_bounded() {
    let house = House::new().await;
    let mut session = house.session().await;
    for i in 0..65 {
        house
            .store
            .make_folder(&format!("f{i}").parse().unwrap())
            .await
            .unwrap();
        let reply = session
            .ask(&format!(r#"{{"id":{i},"do":"watch","path":"f{i}"}}"#))
            .await;
        assert_eq!(reply["error"].is_object(), i == 64, "{reply}");
    }
}

#[tokio::test]
async fn many_requests_at_once_are_all_answered() {
    let house = House::new().await;
    let mut session = house.session().await;
    for id in 0..200 {
        session
            .say(&format!(r#"{{"id":{id},"do":"stat","path":""}}"#))
            .await;
    }
    let mut seen = std::collections::BTreeSet::new();
    while seen.len() < 200 {
        let reply = session.next().await;
        assert!(reply["ok"].is_object(), "{reply}");
        assert!(seen.insert(reply["id"].as_u64().unwrap()));
    }
}

#[tokio::test]
async fn a_folder_comes_page_by_page() {
    let house = House::new().await;
    for i in 0..250 {
        house.put(&format!("{}{i:03}", "n".repeat(200)), b"").await;
    }
    let mut session = house.session().await;
    let (mut names, mut after) = (Vec::new(), None::<String>);
    loop {
        let request = json!({"id": 1, "do": "list", "path": "", "after": after});
        let reply = session.ask(&request.to_string()).await;
        for entry in reply["ok"]["list"].as_array().unwrap() {
            names.push(entry["path"].as_str().unwrap().to_owned());
        }
        match reply["ok"]["end"]["next"].as_str() {
            Some(next) => after = Some(next.to_owned()),
            None => break,
        }
    }
    assert_eq!(names.len(), 250);
    assert!(names.is_sorted());
}

#[tokio::test]
async fn handshakes_that_are_none_are_refused() {
    let house = House::new().await;
    let sound = [
        ("Connection", "Upgrade"),
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    for (i, bad) in ["close", "h2c", "8", "short"].iter().enumerate() {
        let mut fields = sound;
        fields[i].1 = bad;
        let reply = house.ask("GET", "/.gaveta/session", &fields, b"").await;
        assert_eq!(reply.status, 426, "{bad}");
        assert_eq!(reply.header("sec-websocket-version"), Some("13"));
    }
    assert_eq!(
        house.ask("GET", "/.gaveta/session", &[], b"").await.status,
        426
    );
    assert_eq!(
        house.ask("POST", "/.gaveta/session", &[], b"").await.status,
        405
    );
    // The example of RFC 6455, section 1.3.
    let mut connection = house.connect().await;
    connection
        .send(&super::harness::request(
            "GET",
            "/.gaveta/session",
            &sound,
            b"",
        ))
        .await
        .unwrap();
    let reply = connection.response().await.unwrap();
    assert_eq!(reply.status, 101);
    assert_eq!(
        reply.header("sec-websocket-accept"),
        Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
    );
}

#[tokio::test]
async fn who_reads_too_slowly_is_told_what_was_missed_and_holds_nobody_up() {
    let house = House::new().await;
    let deep = vec!["n".repeat(250); 15].join("/");
    house.put(&deep, b"").await;
    let (mut slow, mut admin) = (house.session().await, house.session().await);
    slow.ask(r#"{"id":1,"do":"watch","path":""}"#).await;
    admin.sign_in().await;
    let touch = json!({"id": 2, "do": "touch", "path": deep, "executable": true}).to_string();
    // Far more than the sockets between the two hold; nobody reads meanwhile.
    for _ in 0..3000 {
        assert!(admin.ask(&touch).await["ok"].is_object());
    }
    let (mut told, mut missed) = (0, 0);
    while told + missed < 3000 {
        let message = slow.next().await;
        match message["missed"]["events"].as_u64() {
            Some(events) => missed += events,
            None => {
                assert_eq!(message["event"]["what"], "changed", "{message}");
                told += 1;
            }
        }
    }
    assert!(missed > 0, "all {told} events were kept");
    assert_eq!(told + missed, 3000);
    assert_eq!(slow.ask(r#"{"id":3,"do":"ping"}"#).await["id"], 3);
}
