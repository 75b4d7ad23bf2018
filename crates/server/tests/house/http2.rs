//! The same door over HTTP/2 with prior knowledge (RFC 9113, section 3.3).

use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::harness::{ADMIN, HUNG, House};

type Client = SendRequest<Full<bytes::Bytes>>;

async fn client(house: &House) -> Client {
    let stream = TcpStream::connect(house.server.address()).await.unwrap();
    let (client, line) = handshake(TokioExecutor::new(), TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(line);
    client
}

async fn ask(client: &mut Client, method: &str, url: &str, body: &'static [u8]) -> (u16, Vec<u8>) {
    let request = http::Request::builder()
        .method(method)
        .uri(url)
        .header("authorization", ADMIN.1)
        .body(Full::new(bytes::Bytes::from_static(body)))
        .unwrap();
    let response = timeout(HUNG, client.send_request(request))
        .await
        .unwrap()
        .unwrap();
    let status = response.status().as_u16();
    assert_eq!(response.headers()["x-content-type-options"], "nosniff");
    (
        status,
        response
            .into_body()
            .collect()
            .await
            .unwrap()
            .to_bytes()
            .to_vec(),
    )
}

#[tokio::test]
async fn files_and_commands_go_over_http2() {
    let house = House::new().await;
    let mut client = client(&house).await;
    assert_eq!(
        ask(&mut client, "PUT", "http://localhost/a", b"abc")
            .await
            .0,
        201
    );
    assert_eq!(
        ask(&mut client, "GET", "http://localhost/a", b"").await,
        (200, b"abc".to_vec())
    );
    assert_eq!(
        ask(&mut client, "GET", "http://evil.example/a", b"")
            .await
            .0,
        421
    );
    assert_eq!(
        ask(&mut client, "GET", "http://localhost/.gaveta/session", b"")
            .await
            .0,
        426
    );
    assert_eq!(
        ask(&mut client, "DELETE", "http://localhost/a", b"")
            .await
            .0,
        204
    );
}

#[tokio::test]
async fn an_idle_connection_is_closed_and_a_stop_ends_the_others() {
    let house = House::with(|config| config.idle = Duration::from_millis(200)).await;
    let mut idle = client(&house).await;
    assert_eq!(ask(&mut idle, "GET", "http://localhost/", b"").await.0, 200);
    timeout(HUNG, async {
        while !idle.is_closed() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await
    .expect("the line stays open");
    let house = House::new().await;
    let mut other = client(&house).await;
    assert_eq!(
        ask(&mut other, "GET", "http://localhost/", b"").await.0,
        200
    );
    timeout(HUNG, house.server.stop())
        .await
        .expect("does not stop")
        .unwrap();
}

#[tokio::test]
async fn a_peer_who_opens_no_window_is_dropped() {
    static BIG: [u8; 16 << 20] = [7; 16 << 20];
    let house = House::with(|config| config.stall = Duration::from_millis(200)).await;
    house.put("big", &BIG).await;
    let mut client = client(&house).await;
    let request = http::Request::get("http://localhost/big")
        .body(Full::new(bytes::Bytes::new()))
        .unwrap();
    let response = timeout(HUNG, client.send_request(request))
        .await
        .unwrap()
        .unwrap();
    // The body is held but not read: the window stays shut.
    timeout(HUNG, async {
        while house.server.stats().connected > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await
    .expect("the line stays open");
    drop(response);
}

#[tokio::test]
async fn many_large_answers_side_by_side_all_arrive() {
    static BIG: [u8; 3 << 20] = [7; 3 << 20];
    let house = House::new().await;
    house.put("big", &BIG).await;
    let client = client(&house).await;
    // More than have room at once: the others wait for their turn.
    let answers = (0..40).map(|_| {
        let mut client = client.clone();
        async move { ask(&mut client, "GET", "http://localhost/big", b"").await }
    });
    for (status, body) in futures_util::future::join_all(answers).await {
        assert_eq!(status, 200);
        assert!(body == BIG);
    }
}
