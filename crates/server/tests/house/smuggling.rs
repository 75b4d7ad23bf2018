//! Requests whose end is in doubt, and floods: one reading of each, and a bound.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::harness::{HUNG, House};

/// All that the server says to these bytes, until it hangs up: after a broken request, or after
/// the rest that a connection may have.
async fn all_answers(house: &House, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(house.server.address()).await.unwrap();
    // It may hang up before the last byte.
    let _ = timeout(HUNG, stream.write_all(bytes)).await.expect("hung");
    let mut all = Vec::new();
    let _ = timeout(HUNG, stream.read_to_end(&mut all))
        .await
        .expect("hung");
    String::from_utf8_lossy(&all).into_owned()
}

async fn house() -> House {
    House::with(|config| {
        config.idle = Duration::from_millis(300);
        config.head = Duration::from_millis(300);
    })
    .await
}

#[tokio::test]
async fn a_request_has_one_end_or_is_refused() {
    let house = house().await;
    house.put("secret", b"a mark").await;
    let hidden = "GET /secret HTTP/1.1\r\nHost: localhost\r\n\r\n";
    for framing in [
        "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
        "Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcde",
        "Content-Length: 4, 4\r\n\r\nabcd",
        "Content-Length: -1\r\n\r\n",
        "Content-Length: +4\r\n\r\nabcd",
        "Content-Length: 0x4\r\n\r\nabcd",
        "Content-Length: 18446744073709551616\r\n\r\nabcd",
        "Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
        "X: a\r\n b\r\nContent-Length: 0\r\n\r\n",
        "X: a\0b\r\nContent-Length: 0\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\nabc",
        "Transfer-Encoding: chunked\r\n\r\n-3\r\nabc\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n3\nabc\n0\n\n",
    ] {
        let request = format!("PUT /new HTTP/1.1\r\nHost: localhost\r\n{framing}{hidden}");
        let said = all_answers(&house, request.as_bytes()).await;
        assert!(said.starts_with("HTTP/1.1 "), "{framing:?}: {said}");
        assert_eq!(said.matches("HTTP/1.1 ").count(), 1, "{framing:?}: {said}");
        assert!(!said.contains("a mark"), "{framing:?}: {said}");
    }
    // And the ordinary pipeline is answered twice.
    let request = format!(
        "PUT /two HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{hidden}"
    );
    let said = all_answers(&house, request.as_bytes()).await;
    assert_eq!(said.matches("HTTP/1.1 ").count(), 2, "{said}");
}

#[tokio::test]
async fn a_body_under_another_coding_is_not_stored_as_it_comes() {
    let house = house().await;
    for coding in ["gzip, chunked", "deflate, gzip,chunked"] {
        let request = format!(
            "PUT /new HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: {coding}\r\n\r\n\
             3\r\nabc\r\n0\r\n\r\n"
        );
        let said = all_answers(&house, request.as_bytes()).await;
        assert!(said.starts_with("HTTP/1.1 501 "), "{coding}: {said}");
    }
    assert!(!house.has("new").await);
}

/// An HTTP/2 frame (RFC 9113, section 4.1).
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// GET http://localhost/ in HPACK, without a dynamic table.
const HEAD: &[u8] = b"\x82\x86\x84\x01\x09localhost";

#[tokio::test]
async fn floods_of_http2_are_cut_off_and_others_go_on() {
    let house = House::new().await;
    type Flood = fn(u32) -> Vec<u8>;
    // Requests taken back at once; a head without an end; windows and content of nothing.
    let floods: [(&str, Vec<u8>, Flood); 4] = [
        ("reset", Vec::new(), |n| {
            let stream = 2 * n + 1;
            [
                frame(1, 5, stream, HEAD),
                frame(3, 0, stream, &[0, 0, 0, 8]),
            ]
            .concat()
        }),
        ("continuation", frame(1, 0, 1, HEAD), |_| {
            frame(9, 0, 1, &[0; 0x4000])
        }),
        ("window", Vec::new(), |_| {
            frame(8, 0, 0, &[0x7f, 0xff, 0xff, 0xff])
        }),
        ("no content", frame(1, 4, 1, HEAD), |_| frame(0, 0, 1, &[])),
    ];
    for (name, start, next) in floods {
        let mut stream = TcpStream::connect(house.server.address()).await.unwrap();
        let hello = [
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".as_slice(),
            &frame(4, 0, 0, &[]),
            &start,
        ]
        .concat();
        stream.write_all(&hello).await.unwrap();
        let mut n = 0;
        let cut = timeout(HUNG, async {
            loop {
                if stream.write_all(&next(n)).await.is_err() {
                    return;
                }
                n += 1;
            }
        });
        cut.await
            .unwrap_or_else(|_| panic!("{name}: {n} times and not cut off"));
        let other = house.ask("GET", "/.gaveta/health", &[], b"").await;
        assert_eq!(other.status, 200, "{name}");
    }
}
