//! How a server ends.

use std::time::Duration;

use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;

use super::harness::{HUNG, House};

#[tokio::test]
async fn sessions_are_told_and_what_is_under_way_ends() {
    let house = House::with(|config| config.grace = Duration::from_secs(20)).await;
    let mut session = house.session().await;
    let mut upload = house.connect().await;
    let head = b"PUT /a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 6\r\n\r\nabc";
    upload.send(head).await.unwrap();
    let mut idle = house.connect().await;
    idle.send(b"GET /.gaveta/health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await
        .unwrap();
    idle.response().await.unwrap();
    let store = std::sync::Arc::clone(&house.store);
    let address = house.server.address();
    let stopped = tokio::spawn(house.server.stop());
    let notice = session.next().await;
    assert_eq!(notice["closing"]["grace_seconds"], 20, "{notice}");
    match session.next_message().await {
        Some(Message::Close(Some(frame))) => assert_eq!(u16::from(frame.code), 1001),
        end => panic!("{end:?}"),
    }
    assert!(idle.rest().await.unwrap().is_empty());
    upload.send(b"def").await.unwrap();
    assert_eq!(upload.response().await.unwrap().status, 201);
    timeout(HUNG, stopped)
        .await
        .expect("does not stop")
        .unwrap()
        .unwrap();
    assert_eq!(store.stat(&"a".parse().unwrap()).await.unwrap().size, 6);
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn the_grace_ends_and_nothing_is_half_published() {
    let house = House::with(|config| config.grace = Duration::from_millis(100)).await;
    let mut upload = house.connect().await;
    let head = b"PUT /a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 6\r\n\r\nabc";
    upload.send(head).await.unwrap();
    let store = std::sync::Arc::clone(&house.store);
    timeout(HUNG, house.server.stop())
        .await
        .expect("does not stop")
        .unwrap();
    assert!(store.stat(&"a".parse().unwrap()).await.is_err());
}

#[tokio::test]
async fn at_once_is_at_once() {
    let house = House::with(|config| config.grace = Duration::from_secs(3600)).await;
    let mut upload = house.connect().await;
    let head = b"PUT /a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 6\r\n\r\nabc";
    upload.send(head).await.unwrap();
    let handle = house.server.handle();
    let stopped = tokio::spawn(house.server.stop());
    handle.stop_now();
    timeout(HUNG, stopped)
        .await
        .expect("does not stop")
        .unwrap()
        .unwrap();
}

#[tokio::test]
async fn peers_who_vanish_leave_nothing_behind() {
    let house = House::new().await;
    for _ in 0..20 {
        let mut upload = house.connect().await;
        let head = b"PUT /a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 6\r\n\r\nabc";
        upload.send(head).await.unwrap();
        drop(upload);
        drop(house.session().await);
    }
    timeout(HUNG, async {
        while house.server.stats().connected > 0 || house.server.stats().sessions > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await
    .expect("lines stay open");
    assert!(!house.has("a").await);
}
