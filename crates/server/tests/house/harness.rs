//! A server on a free port, and clients of it.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use gaveta_core::{Owner, Path, Seal, Store, WritePlan};
use gaveta_server::{Config, Running, Server};
use gaveta_testkit::http::{Connection, Response};
use gaveta_testkit::{MemoryStore, stream_of};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

/// How long anything may take before it counts as hung.
pub(crate) const HUNG: Duration = Duration::from_secs(30);
/// `admin:right one`.
pub(crate) const ADMIN: (&str, &str) = ("Authorization", "Basic YWRtaW46cmlnaHQgb25l");
/// `admin:wrong`.
pub(crate) const WRONG: (&str, &str) = ("Authorization", "Basic YWRtaW46d3Jvbmc=");

#[derive(Debug)]
pub(crate) struct House {
    pub(crate) server: Running,
    pub(crate) store: Arc<dyn Store>,
}

impl House {
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut Config)) -> Self {
        Self::of(Arc::new(MemoryStore::with_trash()), change).await
    }

    pub(crate) async fn of(store: Arc<dyn Store>, change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config::for_tests("right one").unwrap();
        change(&mut config);
        let server = Server::bind(config, Arc::clone(&store))
            .await
            .unwrap()
            .spawn();
        Self { server, store }
    }

    pub(crate) async fn put(&self, at: &str, content: &'static [u8]) {
        let plan = WritePlan::new(Path::parse(at).unwrap(), Owner("test".into()));
        let upload = self.store.begin(plan).await.unwrap();
        upload
            .write(0, stream_of(content, 1024), Default::default())
            .await
            .unwrap();
        upload.commit(Seal::default()).await.unwrap();
    }

    pub(crate) async fn has(&self, at: &str) -> bool {
        self.store.stat(&Path::parse(at).unwrap()).await.is_ok()
    }

    pub(crate) async fn connect(&self) -> Connection {
        Connection::open(self.server.address()).await.unwrap()
    }

    /// One request on a connection of its own, with a Host unless the fields have one.
    pub(crate) async fn ask(
        &self,
        method: &str,
        target: &str,
        fields: &[(&str, &str)],
        body: &[u8],
    ) -> Response {
        let mut connection = self.connect().await;
        connection
            .send(&request(method, target, fields, body))
            .await
            .unwrap();
        match method {
            "HEAD" => connection.response_to_head().await.unwrap(),
            _ => connection.response().await.unwrap(),
        }
    }

    /// One command by POST.
    pub(crate) async fn command(&self, fields: &[(&str, &str)], json: &str) -> (u16, Value) {
        let fields = [fields, &[("Content-Type", "application/json")]].concat();
        let response = self
            .ask("POST", "/.gaveta/command", &fields, json.as_bytes())
            .await;
        (
            response.status,
            serde_json::from_slice(&response.body).unwrap(),
        )
    }

    pub(crate) async fn session(&self) -> Session {
        let (mut session, hello) = self.session_with(&[]).await.unwrap();
        assert!(hello["hello"].is_object(), "{hello}");
        session.hello = hello;
        session
    }

    /// A session with these fields in its handshake; the status when it is refused.
    pub(crate) async fn session_with(
        &self,
        fields: &[(&str, &str)],
    ) -> Result<(Session, Value), u16> {
        use tokio_tungstenite::tungstenite::client::IntoClientRequest;
        use tokio_tungstenite::tungstenite::http::{HeaderName, HeaderValue};
        let address = self.server.address();
        let url = format!("ws://{address}/.gaveta/session");
        let mut request = url.into_client_request().unwrap();
        for (name, value) in fields {
            let name: HeaderName = name.parse().unwrap();
            request
                .headers_mut()
                .insert(name, HeaderValue::from_str(value).unwrap());
        }
        let stream = TcpStream::connect(address).await.unwrap();
        match timeout(HUNG, tokio_tungstenite::client_async(request, stream))
            .await
            .unwrap()
        {
            Ok((socket, _)) => {
                let mut session = Session {
                    socket,
                    hello: Value::Null,
                };
                let hello = session.next().await;
                Ok((session, hello))
            }
            Err(tokio_tungstenite::tungstenite::Error::Http(response)) => {
                Err(response.status().as_u16())
            }
            Err(error) => panic!("{error}"),
        }
    }
}

pub(crate) fn request(method: &str, target: &str, fields: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut head = format!("{method} {target} HTTP/1.1\r\n");
    if !fields
        .iter()
        .any(|(name, _)| name.eq_ignore_ascii_case("host"))
    {
        head.push_str("Host: localhost\r\n");
    }
    for (name, value) in fields {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if !body.is_empty() || matches!(method, "PUT" | "POST") {
        head.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    head.push_str("\r\n");
    [head.as_bytes(), body].concat()
}

#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) socket: WebSocketStream<TcpStream>,
    pub(crate) hello: Value,
}

impl Session {
    pub(crate) async fn say(&mut self, text: &str) {
        self.socket.send(Message::text(text)).await.unwrap();
    }

    /// The next message as JSON.
    pub(crate) async fn next(&mut self) -> Value {
        match self.next_message().await {
            Some(Message::Text(text)) => serde_json::from_str(&text).unwrap(),
            other => panic!("no text: {other:?}"),
        }
    }

    /// The next message that is no ping; none when the session ended.
    pub(crate) async fn next_message(&mut self) -> Option<Message> {
        loop {
            match timeout(HUNG, self.socket.next()).await.expect("hung") {
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(message)) => return Some(message),
                Some(Err(_)) | None => return None,
            }
        }
    }

    pub(crate) async fn ask(&mut self, text: &str) -> Value {
        self.say(text).await;
        self.next().await
    }

    pub(crate) async fn sign_in(&mut self) {
        let reply = self
            .ask(r#"{"id":1,"do":"sign-in","name":"admin","password":"right one"}"#)
            .await;
        assert_eq!(reply["ok"]["name"], "admin", "{reply}");
    }
}
