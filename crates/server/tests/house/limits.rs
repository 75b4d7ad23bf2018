//! Bounds and deadlines.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::harness::{HUNG, House, request};

/// Reads to the end, which must come.
async fn ends(stream: &mut TcpStream) -> Vec<u8> {
    let mut all = Vec::new();
    let _ = timeout(HUNG, stream.read_to_end(&mut all))
        .await
        .expect("the line stays open");
    all
}

#[tokio::test]
async fn connections_beyond_the_bound_are_told_and_places_come_back() {
    let house = House::with(|config| config.connections = 2).await;
    let (mut one, mut two) = (house.connect().await, house.connect().await);
    for line in [&mut one, &mut two] {
        line.send(&request("GET", "/.gaveta/health", &[], b""))
            .await
            .unwrap();
        assert_eq!(line.response().await.unwrap().status, 200);
    }
    let mut third = TcpStream::connect(house.server.address()).await.unwrap();
    let told = ends(&mut third).await;
    assert!(
        told.is_empty() || told.starts_with(b"HTTP/1.1 503"),
        "{}",
        told.escape_ascii()
    );
    drop(one);
    timeout(HUNG, async {
        loop {
            let mut again = house.connect().await;
            let sent = again
                .send(&request("GET", "/.gaveta/health", &[], b""))
                .await;
            if sent.is_ok()
                && again
                    .response()
                    .await
                    .is_ok_and(|reply| reply.status == 200)
            {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn sessions_beyond_the_bound_are_refused_and_places_come_back() {
    let house = House::with(|config| config.sessions = 1).await;
    let first = house.session().await;
    assert_eq!(house.session_with(&[]).await.unwrap_err(), 503);
    drop(first);
    timeout(HUNG, async {
        while house.session_with(&[]).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn a_slow_or_silent_head_is_dropped() {
    let house = House::with(|config| config.head = Duration::from_millis(200)).await;
    for start in [&b""[..], b"G", b"PRI * HT", b"GET / HTTP/1.1\r\nHost: loc"] {
        let mut stream = TcpStream::connect(house.server.address()).await.unwrap();
        stream.write_all(start).await.unwrap();
        let told = ends(&mut stream).await;
        assert!(
            !told.starts_with(b"HTTP/1.1 200"),
            "{}",
            told.escape_ascii()
        );
    }
    // Also the second request of a connection.
    let mut stream = TcpStream::connect(house.server.address()).await.unwrap();
    stream
        .write_all(&request("GET", "/.gaveta/health", &[], b""))
        .await
        .unwrap();
    let mut head = [0; 15];
    stream.read_exact(&mut head).await.unwrap();
    assert_eq!(&head, b"HTTP/1.1 200 OK");
    stream.write_all(b"GET / HT").await.unwrap();
    ends(&mut stream).await;
}

#[tokio::test]
async fn a_session_may_rest_longer_than_a_head_may_take() {
    let house = House::with(|config| {
        config.head = Duration::from_millis(100);
        config.idle = Duration::from_millis(100);
    })
    .await;
    let mut session = house.session().await;
    for _ in 0..3 {
        assert_eq!(session.ask(r#"{"do":"ping"}"#).await["ok"]["is"], "pong");
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}

#[tokio::test]
async fn an_idle_connection_is_closed() {
    let house = House::with(|config| config.idle = Duration::from_millis(200)).await;
    let mut stream = TcpStream::connect(house.server.address()).await.unwrap();
    stream
        .write_all(&request("GET", "/.gaveta/health", &[], b""))
        .await
        .unwrap();
    assert!(ends(&mut stream).await.starts_with(b"HTTP/1.1 200"));
}

#[tokio::test]
async fn a_head_too_large_is_refused() {
    let house = House::new().await;
    let huge = "x".repeat(300 * 1024);
    for fields in [vec![("X-Huge", huge.as_str())], vec![("X", "y"); 200]] {
        let mut connection = house.connect().await;
        let _ = connection.send(&request("GET", "/", &fields, b"")).await;
        if let Ok(reply) = connection.response().await {
            assert_eq!(reply.status, 431);
        }
    }
    assert_eq!(
        house.ask("GET", "/.gaveta/health", &[], b"").await.status,
        200
    );
}

#[tokio::test]
async fn a_peer_who_does_not_read_is_dropped() {
    static BIG: [u8; 16 << 20] = [7; 16 << 20];
    let house = House::with(|config| config.stall = Duration::from_millis(200)).await;
    house.put("big", &BIG).await;
    let mut stream = TcpStream::connect(house.server.address()).await.unwrap();
    stream
        .write_all(&request("GET", "/big", &[], b""))
        .await
        .unwrap();
    let mut begin = [0; 15];
    stream.read_exact(&mut begin).await.unwrap();
    assert_eq!(&begin, b"HTTP/1.1 200 OK");
    // Only the server's own deadline ends this: nothing is read meanwhile.
    timeout(HUNG, async {
        while house.server.stats().connected > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await
    .expect("the line stays open");
    assert!(ends(&mut stream).await.len() < BIG.len());
}

#[tokio::test]
async fn a_silent_session_is_taken_for_dead() {
    let house = House::with(|config| config.keep_alive = Duration::from_millis(100)).await;
    // Pings are answered only while somebody reads.
    let session = house.session().await;
    timeout(HUNG, async {
        while house.server.stats().connected > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await
    .expect("the session stays");
    drop(session);
    let mut answering = house.session().await;
    let pings = timeout(Duration::from_millis(1000), answering.next_message()).await;
    assert!(pings.is_err(), "a session that answers goes on: {pings:?}");
}
