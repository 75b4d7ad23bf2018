//! Who is connected: requests under way and open sessions, told to who manages and to nobody else.

use serde_json::Value;

use super::harness::{ADMIN, HUNG, House, request};

const AT: &str = "/.gaveta/connected";

/// What is told, once it is so.
async fn told(house: &House, so: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    let since = std::time::Instant::now();
    loop {
        let got = house.ask("GET", AT, &[ADMIN], b"").await;
        assert_eq!(got.status, 200, "{}", got.text());
        assert_eq!(got.header("cache-control"), Some("no-store"));
        let body: Value = serde_json::from_slice(&got.body).unwrap();
        assert_eq!(body["more"], 0);
        let all = body["connected"].as_array().unwrap().clone();
        if so(&all) {
            return all;
        }
        assert!(since.elapsed() < HUNG, "{all:?}");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn each_request_and_session_is_told_with_what_it_moves_until_it_ends() {
    let house = House::new().await;
    assert_eq!(told(&house, |_| true).await, Vec::<Value>::new());
    // Half a file comes, and then nothing.
    let mut sender = house.connect().await;
    let head = "PUT /new%20one HTTP/1.1\r\nHost: localhost\r\nUser-Agent: half/1.0 (x)\r\n\
                Content-Length: 100000\r\n\r\n";
    let half = [head.as_bytes(), &[b'x'; 50_000]].concat();
    sender.send(&half).await.unwrap();
    let is = |visit: &Value, what: &str, value: &str| visit[what] == value;
    let all = told(&house, |all| {
        all.iter().any(|visit| visit["received"] == 50_000)
    })
    .await;
    let [one] = &all[..] else { panic!("{all:?}") };
    assert!(
        is(one, "account", "visitor") && is(one, "from", "127.0.0.1"),
        "{one}"
    );
    assert!(
        is(one, "door", "http") && is(one, "program", "half/1.0 (x)"),
        "{one}"
    );
    assert!(
        is(one, "method", "PUT") && is(one, "path", "/new%20one"),
        "{one}"
    );
    assert!(
        one["since"].as_str().unwrap().ends_with('Z') && one["sent"] == 0,
        "{one}"
    );

    // A session is somebody else's once he signs in.
    let agent = ("User-Agent", "shell/2");
    let (mut session, _) = house.session_with(&[agent]).await.unwrap();
    let here = |all: &[Value]| all.iter().any(|visit| is(visit, "door", "session"));
    let all = told(&house, |all| here(all)).await;
    assert!(is(&all[1], "account", "visitor") && is(&all[1], "program", "shell/2"));
    assert!(all[1]["method"].is_null() && all[1]["path"].is_null());
    session.sign_in().await;
    assert!(is(&told(&house, |_| true).await[1], "account", "admin"));

    // Nobody reads what he asked for, by a link whose secret is not told.
    house.put("big", &[b'y'; 8 << 20]).await;
    let share = br#"{"path":"big"}"#;
    let json = ("Content-Type", "application/json");
    let made = house
        .ask("POST", "/.gaveta/shares", &[ADMIN, json], share)
        .await;
    let made: Value = serde_json::from_slice(&made.body).unwrap();
    let link = made["link"].as_str().unwrap();
    let mut reader = house.connect().await;
    reader.send(&request("GET", link, &[], b"")).await.unwrap();
    let all = told(&house, |all| {
        all.iter().any(|visit| visit["sent"].as_u64() > Some(0))
    })
    .await;
    // Requests come before sessions.
    assert_eq!(all[1]["share"], made["id"]);
    assert!(is(&all[2], "door", "session"));
    let text = Value::from(all).to_string();
    let secret = link
        .rsplit('/')
        .find(|part| part.starts_with("gvs_"))
        .unwrap();
    assert!(
        text.contains("/.gaveta/s/…") && !text.contains(secret),
        "{text}"
    );

    drop((sender, session, reader));
    told(&house, <[Value]>::is_empty).await;
}

#[tokio::test]
async fn it_is_asked_for_and_not_changed() {
    let house = House::new().await;
    assert_eq!(house.ask("HEAD", AT, &[ADMIN], b"").await.body, b"");
    for method in ["POST", "PUT", "DELETE"] {
        let refused = house.ask(method, AT, &[ADMIN], b"").await;
        assert_eq!(
            (refused.status, refused.header("allow")),
            (405, Some("GET, HEAD"))
        );
    }
}
