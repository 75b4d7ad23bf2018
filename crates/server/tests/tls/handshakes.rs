//! Handshakes, good and hostile.

use std::time::Duration;

use gaveta_testkit::http::Connection;
use gaveta_wire::route;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::harness::{ADMIN, ALL, HUNG, House, WRONG, get, shake};

#[tokio::test]
async fn the_protocol_is_agreed_on() {
    let house = House::new().await;
    let agreed = |protocols: &'static [&'static [u8]], versions| {
        let address = house.address();
        async move {
            let (line, _) = shake(address, "x.example", protocols, versions).await?;
            Ok::<_, std::io::Error>(line.get_ref().1.alpn_protocol().map(<[u8]>::to_vec))
        }
    };
    assert_eq!(
        agreed(&[b"h2", b"http/1.1"], ALL).await.unwrap(),
        Some(b"h2".to_vec())
    );
    assert_eq!(
        agreed(&[b"http/1.1"], ALL).await.unwrap(),
        Some(b"http/1.1".to_vec())
    );
    assert_eq!(agreed(&[], ALL).await.unwrap(), None);
    for version in ALL {
        let one = std::slice::from_ref(version);
        assert!(agreed(&[b"h2"], one).await.is_ok(), "{version:?}");
    }
    // What nobody speaks, and a look at a name that nobody asked for.
    assert!(agreed(&[b"spdy/1"], ALL).await.is_err());
    assert!(agreed(&[b"acme-tls/1"], ALL).await.is_err());
}

#[tokio::test]
async fn whatever_name_is_asked_for_the_same_certificate_is_shown() {
    let house = House::new().await;
    let shown = house.tls.fingerprint();
    let long = format!("{}.example", vec!["a".repeat(60); 3].join("."));
    for name in ["gaveta.example", "evil.example", "127.0.0.1", "::1", &long] {
        let (_, fingerprint) = shake(house.address(), name, &[], ALL).await.unwrap();
        assert_eq!(fingerprint, shown, "{name}");
    }
    // The name of the handshake lets nobody in: the Host decides.
    assert_eq!(house.ask(&get("/", "evil.example", "")).await.0, 421);
}

#[tokio::test]
async fn all_of_the_house_is_behind_it() {
    let house = House::new().await;
    let host = "gaveta.example";
    let put = format!(
        "PUT /a HTTP/1.1\r\nHost: {host}\r\nContent-Length: 5\r\nConnection: close\r\n{ADMIN}\r\nhello"
    );
    assert_eq!(house.ask(&put).await.0, 201);
    let (status, answer) = house.ask(&get("/a", host, ADMIN)).await;
    assert!(status == 200 && answer.ends_with("hello"), "{answer}");
    assert_eq!(house.ask(&get("/a", host, WRONG)).await.0, 401);
    // Nobody was promised that other servers of this host encrypt.
    assert!(!answer.to_lowercase().contains("strict-transport-security"));
    let own = "Origin: https://gaveta.example\r\n";
    assert_eq!(
        house
            .ask(&get("/a", host, &format!("{own}{ADMIN}")))
            .await
            .0,
        200
    );
    let other = "Origin: http://gaveta.example\r\n";
    assert_eq!(
        house
            .ask(&get("/a", host, &format!("{other}{ADMIN}")))
            .await
            .0,
        403
    );
}

#[tokio::test]
async fn a_session_goes_over_it() {
    use futures_util::{SinkExt, StreamExt};
    use tokio_tungstenite::tungstenite::Message;
    let house = House::new().await;
    let url = format!("ws://gaveta.example{}", route::SESSION);
    let (mut session, _) = tokio_tungstenite::client_async(url, house.line().await)
        .await
        .unwrap();
    let hello = timeout(HUNG, session.next())
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    assert!(hello.to_text().unwrap().contains("\"hello\""));
    let sign_in = r#"{"id":1,"do":"sign-in","name":"admin","password":"right one"}"#;
    session.send(Message::text(sign_in)).await.unwrap();
    let answer = timeout(HUNG, session.next())
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    assert!(answer.to_text().unwrap().contains("\"admin\""), "{answer}");
}

/// A record of so many bytes that says it begins a handshake.
fn record(length: u16, content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x16, 3, 1];
    bytes.extend(length.to_be_bytes());
    bytes.extend(content);
    bytes
}

/// Until the server hangs up, whatever it says before.
async fn hung_up(bytes: &[u8], house: &House) {
    let mut line = TcpStream::connect(house.address()).await.unwrap();
    // It may hang up while we still send.
    let _ = line.write_all(bytes).await;
    let mut answer = Vec::new();
    let _ = timeout(HUNG, line.read_to_end(&mut answer))
        .await
        .unwrap_or_else(|_| panic!("{:?}… is waited for", &bytes[..bytes.len().min(8)]));
    assert!(!answer.starts_with(b"HTTP/1.1 2"));
}

#[tokio::test]
async fn half_and_hostile_handshakes_end_and_hold_nobody_up() {
    let house = House::with(|config| config.head = Duration::from_millis(300)).await;
    // A ClientHello of 16 MiB, announced; and one that is sent, record after record.
    let huge = record(0x4000, &[&[1, 0xff, 0xff, 0xff][..], &[0; 0x3ffc]].concat());
    let sent: Vec<u8> = std::iter::once(huge.clone())
        .chain((0..64).map(|_| record(0x4000, &[0; 0x4000])))
        .flatten()
        .collect();
    let cases: Vec<Vec<u8>> = vec![
        vec![0x16],
        vec![0x16, 3, 1, 2],
        record(512, &[1, 0, 1]),
        record(0, &[]),
        record(0xffff, &[7; 300]),
        record(4, b"junk"),
        huge,
        sent,
        // An alert, application data and a record of SSL 2 before anything else.
        vec![0x15, 3, 1, 0, 2, 2, 40],
        vec![0x17, 3, 3, 0, 5, 1, 2, 3, 4, 5],
        vec![0x80, 0x2e, 1, 0, 2, 0, 0x15, 0, 0, 0, 0x10],
        vec![0; 64],
        vec![0xff; 64],
        b"SSH-2.0-nobody\r\n\r\n".to_vec(),
        b"\r\n\r\n\r\n\r\n".to_vec(),
    ];
    futures_util::future::join_all(cases.iter().map(|bytes| hung_up(bytes, &house))).await;
    assert_eq!(house.ask(&get("/", "localhost", ADMIN)).await.0, 200);
}

/// A byte now and then is no progress: the handshake as a whole has its deadline.
#[tokio::test]
async fn a_handshake_in_drops_is_given_up() {
    let house = House::with(|config| config.head = Duration::from_millis(300)).await;
    let mut line = TcpStream::connect(house.address()).await.unwrap();
    let hello = record(512, &[1; 512]);
    let drops = async {
        for byte in hello.iter().cycle() {
            if line.write_all(&[*byte]).await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(HUNG, drops).await.expect("it is waited for");
}

/// Who never finishes holds up the handshakes of his own address at most, and those only until
/// his deadline.
#[tokio::test]
async fn many_half_handshakes_leave_room_for_others() {
    let house = House::with(|config| config.head = Duration::from_secs(2)).await;
    let mut halves = Vec::new();
    for _ in 0..100 {
        let mut line = TcpStream::connect(house.address()).await.unwrap();
        line.write_all(&record(512, &[1, 0, 1])).await.unwrap();
        halves.push(line);
    }
    // A turn comes when the first of them are given up; whoever waits longer than the deadline
    // asks again.
    let whole = async { while shake(house.address(), "x.example", &[], ALL).await.is_err() {} };
    timeout(HUNG, whole).await.expect("no turn ever comes");
    // Plain connections never wait for handshakes.
    let mut plain = Connection::open(house.address()).await.unwrap();
    plain
        .send(get("/", "localhost", "").as_bytes())
        .await
        .unwrap();
    assert_eq!(plain.response().await.unwrap().status, 308);
}

#[tokio::test]
async fn without_a_certificate_a_hello_is_nonsense() {
    let house = House::with(|config| {
        config.tls = None;
        config.trust_loopback = true;
    })
    .await;
    assert!(shake(house.address(), "x.example", &[], ALL).await.is_err());
    assert_eq!(
        house.plainly(&get("/", "localhost", ADMIN)).await.status,
        200
    );
}
