//! The session's client against servers that flood, lie or go away.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use futures_util::{SinkExt, StreamExt};
use gaveta_client::remote::{Address, Deadlines, Notices, Session, Told};
use gaveta_core::{ErrorKind, Result};
use gaveta_wire::session::{AnswerBody, Call};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

const HELLO: &str = r#"{"hello":{"protocol":1,"server":"test","account":{"name":"visitor","may":[]},"keep_alive_seconds":30,"max_message":65536}}"#;

/// A server that says this on each session, and answers every ping with these messages.
async fn server(hello: &'static str, answer: Vec<Message>) -> (Address, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = Address::new("127.0.0.1", listener.local_addr().unwrap().port());
    let mut running = JoinSet::new();
    running.spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut socket: WebSocketStream<TcpStream> =
            tokio_tungstenite::accept_async(stream).await.unwrap();
        socket.send(Message::text(hello)).await.unwrap();
        while let Some(Ok(message)) = socket.next().await {
            if message.is_text() {
                for part in answer.clone() {
                    if socket.send(part).await.is_err() {
                        return;
                    }
                }
            }
        }
    });
    (address, running)
}

async fn open(
    hello: &'static str,
    answer: Vec<Message>,
) -> Result<(Session, Notices, JoinSet<()>)> {
    let (address, running) = server(hello, answer).await;
    let (session, notices) = Session::open(&address, &Deadlines::default()).await?;
    Ok((session, notices, running))
}

fn pong() -> Message {
    Message::text(r#"{"id":1,"ok":{"is":"pong"}}"#)
}

#[tokio::test]
async fn another_version_or_no_greeting_is_refused() {
    let other = HELLO.replace("\"protocol\":1", "\"protocol\":2").leak();
    let error = open(other, vec![]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.chain().contains("protocol 2"), "{}", error.chain());
    for bad in [
        r#"{"id":1,"ok":{"is":"pong"}}"#,
        "garbage",
        "{}",
        r#"{"closing":{"grace_seconds":1}}"#,
    ] {
        let error = open(bad, vec![]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BadRequest, "{bad}");
    }
    assert!(open(HELLO, vec![]).await.is_ok());
}

#[tokio::test]
async fn a_flood_is_counted_not_kept() {
    let event = r#"{"event":{"what":"deleted","path":"a","by":"admin"}}"#;
    let mut answer = vec![Message::text(event); 5000];
    answer.push(Message::text(r#"{"missed":{"events":7}}"#));
    answer.push(pong());
    let (session, mut notices, _running) = open(HELLO, answer).await.unwrap();
    assert!(matches!(
        session.ask(Call::Ping).await.unwrap(),
        AnswerBody::Pong
    ));
    // Nobody read meanwhile: the first are kept, the rest is counted.
    let (mut events, mut missed) = (0, 0);
    while events + missed < 5007 {
        match notices.next().await.unwrap().unwrap() {
            Told::Event(_) => events += 1,
            Told::Missed(n) => missed += n,
            Told::Closing(_) => panic!(),
        }
    }
    assert_eq!(events + missed, 5007);
    assert!((1..=200).contains(&events), "{events} were kept");
}

#[tokio::test]
async fn nonsense_ends_the_session_and_says_why() {
    let event = |path: &str| {
        Message::text(format!(
            r#"{{"event":{{"what":"deleted","path":"{path}","by":"x"}}}}"#
        ))
    };
    for (bad, kind) in [
        (Message::text("garbage"), ErrorKind::BadRequest),
        (Message::text(HELLO), ErrorKind::BadRequest),
        (Message::binary(vec![0; 10]), ErrorKind::BadRequest),
        (Message::text("x".repeat(1 << 20)), ErrorKind::BadRequest),
        (event("../a"), ErrorKind::BadRequest),
        (event(".gaveta"), ErrorKind::BadRequest),
        (Message::Close(None), ErrorKind::Disconnected),
    ] {
        let shown = format!("{bad:.40}");
        let (session, mut notices, _running) = open(HELLO, vec![bad]).await.unwrap();
        let error = session.ask(Call::Ping).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{shown}: {}", error.chain());
        let error = notices.next().await.unwrap().unwrap_err();
        assert_eq!(error.kind(), kind, "{shown}");
        assert!(notices.next().await.is_none());
        assert_eq!(
            session.ask(Call::Ping).await.unwrap_err().kind(),
            ErrorKind::Disconnected
        );
    }
}

#[tokio::test]
async fn answers_to_nothing_are_passed_by() {
    let foreign = Message::text(r#"{"id":99,"ok":{"is":"done"}}"#);
    let nobody = Message::text(r#"{"id":null,"error":{"code":"bad-request","message":"no"}}"#);
    let (session, _notices, _running) = open(HELLO, vec![foreign, nobody, pong()]).await.unwrap();
    assert!(matches!(
        session.ask(Call::Ping).await.unwrap(),
        AnswerBody::Pong
    ));
    session.close().await;
}
