//! Unencrypted requests from elsewhere: redirected or refused, never served.

use crate::harness::{ADMIN, House, get};

#[tokio::test]
async fn who_only_reads_is_sent_to_https() {
    let house = House::new().await;
    for (method, target) in [
        ("GET", "/a%20b?x=1"),
        ("HEAD", "/"),
        ("GET", "/.gaveta/health"),
    ] {
        let text = get(target, "gaveta.example:4283", "").replacen("GET", method, 1);
        let answer = house.plainly(&text).await;
        assert_eq!(answer.status, 308, "{method}");
        let place = format!("https://gaveta.example:4283{target}");
        assert_eq!(answer.header("location"), Some(&*place));
        assert!(answer.body.is_empty());
    }
}

#[tokio::test]
async fn everything_else_is_refused() {
    let house = House::new().await;
    let with =
        |method: &str, fields: &str| get("/x", "gaveta.example", fields).replacen("GET", method, 1);
    for text in [
        with("GET", ADMIN),
        with("HEAD", ADMIN),
        with("GET", "Authorization: Bearer abc\r\n"),
        with("GET", "Cookie: a=b\r\n"),
        with("PUT", "Content-Length: 0\r\n"),
        with("DELETE", ""),
        with("OPTIONS", ""),
        with("POST", "Content-Length: 0\r\n"),
        with("PROPFIND", ""),
    ] {
        let answer = house.plainly(&text).await;
        assert_eq!(answer.status, 426, "{text}");
        assert_eq!(answer.header("gaveta-error"), Some("insecure"));
        assert!(answer.header("upgrade").unwrap().starts_with("TLS/"));
        assert_eq!(answer.header("location"), None);
    }
    assert_eq!(house.server.stats().written, 0);
}

/// A redirection leads to this server and nowhere else.
#[tokio::test]
async fn a_foreign_host_is_led_nowhere() {
    let house = House::new().await;
    for host in [
        "evil.example",
        "gaveta.example.evil",
        "x.y.wild.example",
        "wild.example",
    ] {
        let answer = house.plainly(&get("/", host, "")).await;
        assert_eq!(answer.status, 421, "{host}");
        assert_eq!(answer.header("location"), None);
    }
    let answer = house.plainly(&get("/", "a.wild.example", "")).await;
    assert_eq!(answer.status, 308);
    let no_host = "GET / HTTP/1.0\r\n\r\n";
    assert_eq!(house.plainly(no_host).await.status, 421);
}

#[tokio::test]
async fn a_session_wants_encryption_too() {
    let house = House::new().await;
    let fields = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let text = format!("GET /.gaveta/session HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n");
    assert_eq!(house.plainly(&text).await.status, 308);
}

#[tokio::test]
async fn on_this_machine_both_are_spoken_on_one_port() {
    let house = House::with(|config| config.trust_loopback = true).await;
    let plain = house.plainly(&get("/", "localhost", ADMIN)).await;
    assert_eq!(plain.status, 200);
    assert_eq!(house.ask(&get("/", "localhost", ADMIN)).await.0, 200);
}
