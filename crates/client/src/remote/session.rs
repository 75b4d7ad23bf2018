//! The session: one live connection beside the requests. Commands one way, answers and events the
//! other (WebSocket, RFC 6455).

use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use gaveta_core::{Error, ErrorKind, Event, Result};
use gaveta_wire::body::ErrorBody;
use gaveta_wire::session::{
    AccountBody, AnswerBody, Call, FromServer, Notice, Outcome, Reply, Request,
};
use gaveta_wire::{MAX_MESSAGE, PROTOCOL, route};
use http::header::{HeaderValue, USER_AGENT};
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::error::{Error as WsError, ProtocolError};
use tokio_tungstenite::tungstenite::protocol::{Message, WebSocketConfig};

use super::connector::Stream;
use super::line::{Line, PROGRAM};
use super::{Address, Deadlines, Options, Security, fault};

/// The longest message that is taken from a server, in bytes.
const MAX_TAKEN: usize = 2 * MAX_MESSAGE;
/// How many notices wait for a reader; what comes beyond is counted as missed. With
/// [`MAX_TAKEN`] this bounds the memory.
const WAITING_NOTICES: usize = 128;
/// How many questions may be under way.
const WAITING_ANSWERS: usize = 64;

/// What the server said of itself when the session opened.
#[derive(Debug, Clone)]
pub struct Hello {
    /// The program and its version.
    pub server: String,
    /// Who it takes us for.
    pub account: AccountBody,
    /// How often it lets itself be heard.
    pub keep_alive: Duration,
    /// The longest message it takes, in bytes.
    pub max_message: usize,
}

/// The other side is a Gaveta server of another protocol: the cause of an `Unsupported`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OtherProtocol {
    /// Its version of the protocol.
    pub theirs: u32,
    /// Ours.
    pub ours: u32,
}

impl std::fmt::Display for OtherProtocol {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { theirs, ours } = self;
        write!(f, "the server speaks protocol {theirs}, this client {ours}")
    }
}

impl std::error::Error for OtherProtocol {}

/// What the server tells unasked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// Something happened where this session watches.
    Event(Event),
    /// So many notices were left out, here or at the server. List again.
    Missed(u64),
    /// The server is going down; transfers under way may end within this time.
    Closing(Duration),
}

/// A live connection. Dropping it cuts the line; [`Session::close`] says goodbye.
#[derive(Debug)]
pub struct Session {
    asks: mpsc::Sender<Ask>,
    hello: Hello,
    answer: Duration,
    task: AbortHandle,
}

/// What the server tells unasked, in order.
#[derive(Debug)]
pub struct Notices {
    told: mpsc::Receiver<Told>,
    end: Option<oneshot::Receiver<Error>>,
}

impl Notices {
    /// The next notice; none after the session was closed. An error tells once why it ended by
    /// itself. Cancel-safe.
    pub async fn next(&mut self) -> Option<Result<Told>> {
        if let Some(told) = self.told.recv().await {
            return Some(Ok(told));
        }
        self.end.take()?.await.ok().map(Err)
    }
}

#[derive(Debug)]
struct Ask {
    call: Call,
    answer: oneshot::Sender<Result<AnswerBody>>,
}

impl Drop for Session {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Session {
    /// Opens a session as a visitor.
    ///
    /// # Errors
    /// `Disconnected`, `TimedOut`, `Busy` when there are too many, `Unsupported` when the other
    /// side is no Gaveta server or speaks another version of the protocol.
    pub async fn open(address: &Address, deadlines: &Deadlines) -> Result<(Self, Notices)> {
        let options = Options {
            deadlines: *deadlines,
            ..Options::default()
        };
        let tls = match address.security {
            Security::Auto => !address.is_loopback(),
            Security::Plain => false,
            Security::Tls => true,
        };
        Self::over(&Line::new(address.clone(), &options, tls)?).await
    }

    /// As [`Session::open`], reached as the requests of this line are.
    pub(super) async fn over(line: &Line) -> Result<(Self, Notices)> {
        let (address, deadlines) = (line.address(), line.deadlines());
        let mut socket = dial(line)
            .await
            .map_err(|error| error.about_text(address.to_string()))?;
        let first = timeout(deadlines.progress, next_text(&mut socket));
        let hello = match first.await.map_err(|_| ErrorKind::TimedOut)?? {
            FromServer::Notice(Notice::Hello {
                protocol,
                server,
                account,
                keep_alive_seconds,
                max_message,
            }) => {
                if protocol != PROTOCOL {
                    return Err(Error::new(ErrorKind::Unsupported).because(OtherProtocol {
                        theirs: protocol,
                        ours: PROTOCOL,
                    }));
                }
                let keep_alive = Duration::from_secs(keep_alive_seconds.clamp(5, 600).into());
                Hello {
                    server,
                    account,
                    keep_alive,
                    max_message,
                }
            }
            _ => return Err(fault::nonsense("no greeting")),
        };
        let (asks, asked) = mpsc::channel(WAITING_ANSWERS);
        let (tell, told) = mpsc::channel(WAITING_NOTICES);
        let (ended, end) = oneshot::channel();
        let talk = Talk {
            socket,
            asked,
            tell,
            missed: 0,
            pending: HashMap::new(),
            last_id: 0,
            silence: hello.keep_alive.saturating_mul(3),
            progress: deadlines.progress,
            max_message: hello.max_message,
        };
        let task = tokio::spawn(talk.run(ended)).abort_handle();
        let session = Self {
            asks,
            hello,
            answer: deadlines.answer,
            task,
        };
        Ok((
            session,
            Notices {
                told,
                end: Some(end),
            },
        ))
    }

    /// What the server said of itself.
    pub fn hello(&self) -> &Hello {
        &self.hello
    }

    /// Asks one call and waits for its answer. Several may be asked at once. Dropping the future
    /// takes nothing back: the server may have done it.
    ///
    /// # Errors
    /// What the server answers; `TooLarge` for a message longer than it takes; `TimedOut`,
    /// `Disconnected`.
    pub async fn ask(&self, call: Call) -> Result<AnswerBody> {
        let (answer, answered) = oneshot::channel();
        let asking = async {
            self.asks
                .send(Ask { call, answer })
                .await
                .map_err(|_| Error::new(ErrorKind::Disconnected))?;
            answered
                .await
                .map_err(|_| Error::new(ErrorKind::Disconnected))?
        };
        timeout(self.answer, asking)
            .await
            .map_err(|_| ErrorKind::TimedOut)?
    }

    /// Says goodbye, and waits a moment for the server's.
    pub async fn close(mut self) {
        let (gone, _) = mpsc::channel(1);
        // Without anybody left to ask, the task says goodbye and ends.
        drop(std::mem::replace(&mut self.asks, gone));
        let deadline = Instant::now() + Duration::from_secs(5);
        while !self.task.is_finished() && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

type Socket = WebSocketStream<Stream>;

async fn dial(line: &Line) -> Result<Socket> {
    let (address, deadlines) = (line.address(), line.deadlines());
    let stream = line.connection().await?;
    let mut request = format!("ws://{address}{}{}", address.base, route::SESSION)
        .into_client_request()
        .map_err(|error| Error::new(ErrorKind::BadRequest).because(error))?;
    let program = HeaderValue::from_static(PROGRAM);
    request.headers_mut().insert(USER_AGENT, program);
    let mut config = WebSocketConfig::default();
    config.max_message_size = Some(MAX_TAKEN);
    config.max_frame_size = Some(MAX_TAKEN);
    config.max_write_buffer_size = MAX_TAKEN + config.write_buffer_size;
    let shake = tokio_tungstenite::client_async_with_config(request, stream, Some(config));
    match timeout(deadlines.progress, shake)
        .await
        .map_err(|_| ErrorKind::TimedOut)?
    {
        Ok((socket, _)) => Ok(socket),
        Err(WsError::Http(response)) => {
            let body = Bytes::from(response.body().clone().unwrap_or_default());
            let refused = fault::refusal(response.status(), response.headers(), &body);
            Err(if refused.known {
                refused.error
            } else {
                foreign(refused.error)
            })
        }
        // A line that is cut before the answer says nothing about who was to answer.
        Err(error @ (WsError::Io(_) | WsError::Protocol(ProtocolError::HandshakeIncomplete))) => {
            Err(Error::new(ErrorKind::Disconnected).because(error))
        }
        Err(error) => Err(foreign(error)),
    }
}

fn foreign(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(ErrorKind::Unsupported).because(error)
}

/// The next message, pings and pongs aside.
async fn next_text(socket: &mut Socket) -> Result<FromServer> {
    loop {
        if let Some(message) = understand(socket.next().await)? {
            return Ok(message);
        }
    }
}

/// A frame as a message; none for what only shows life.
fn understand(frame: Option<Result<Message, WsError>>) -> Result<Option<FromServer>> {
    match frame {
        Some(Ok(Message::Text(text))) => serde_json::from_str(text.as_str())
            .map(Some)
            .map_err(|error| fault::nonsense(error.to_string())),
        Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => Ok(None),
        Some(Ok(Message::Binary(_))) => Err(fault::nonsense("a binary message")),
        Some(Ok(Message::Close(_))) | None => Err(ErrorKind::Disconnected.into()),
        Some(Err(error @ (WsError::Capacity(_) | WsError::Utf8(_)))) => {
            Err(fault::nonsense(error.to_string()))
        }
        Some(Err(error)) => Err(Error::new(ErrorKind::Disconnected).because(error)),
    }
}

/// The one owner of the socket.
struct Talk {
    socket: Socket,
    asked: mpsc::Receiver<Ask>,
    tell: mpsc::Sender<Told>,
    missed: u64,
    pending: HashMap<u64, oneshot::Sender<Result<AnswerBody>>>,
    last_id: u64,
    silence: Duration,
    progress: Duration,
    max_message: usize,
}

impl Talk {
    async fn run(mut self, ended: oneshot::Sender<Error>) {
        let Err(error) = self.talk().await else {
            self.goodbye().await;
            return;
        };
        tracing::debug!(error = error.chain(), "session ended");
        for (_, answer) in self.pending.drain() {
            let _ = answer.send(Err(Error::new(error.kind()).because(error.chain())));
        }
        if self.missed > 0 {
            let _ = self.tell.try_send(Told::Missed(self.missed));
        }
        let _ = ended.send(error);
    }

    /// Until nobody is left to ask (`Ok`) or the line fails.
    async fn talk(&mut self) -> Result<()> {
        let mut heard = Instant::now();
        let tell = self.tell.clone();
        loop {
            if self.pending.len() >= WAITING_ANSWERS {
                self.pending.retain(|_, answer| !answer.is_closed());
            }
            tokio::select! {
                frame = tokio::time::timeout_at(heard + self.silence, self.socket.next()) => {
                    let frame = frame.map_err(|_| Error::new(ErrorKind::TimedOut))?;
                    heard = Instant::now();
                    if let Some(message) = understand(frame)? {
                        self.take(message)?;
                    }
                }
                ask = self.asked.recv(), if self.pending.len() < WAITING_ANSWERS => match ask {
                    Some(ask) => self.send(ask).await?,
                    None => return Ok(()),
                },
                place = tell.reserve(), if self.missed > 0 && !tell.is_closed() => {
                    if let Ok(place) = place {
                        place.send(Told::Missed(std::mem::take(&mut self.missed)));
                    }
                }
            }
        }
    }

    async fn send(&mut self, ask: Ask) -> Result<()> {
        if ask.answer.is_closed() {
            return Ok(());
        }
        self.last_id += 1;
        let json = serde_json::to_string(&Request {
            id: self.last_id,
            call: ask.call,
        });
        let json = json.map_err(|error| Error::new(ErrorKind::BadRequest).because(error))?;
        if json.len() > self.max_message {
            let _ = ask.answer.send(Err(ErrorKind::TooLarge.into()));
            return Ok(());
        }
        self.pending.insert(self.last_id, ask.answer);
        let sent = timeout(self.progress, self.socket.send(Message::text(json))).await;
        sent.map_err(|_| Error::new(ErrorKind::TimedOut))?
            .map_err(|error| Error::new(ErrorKind::Disconnected).because(error))
    }

    fn take(&mut self, message: FromServer) -> Result<()> {
        match message {
            FromServer::Reply(Reply { id, outcome }) => {
                // An answer nobody waits for any more, or to nothing that was asked, is passed by.
                if let Some(answer) = id.and_then(|id| self.pending.remove(&id)) {
                    let _ = answer.send(match outcome {
                        Outcome::Ok(body) => Ok(body),
                        Outcome::Error(body) => Err(Error::from(body)),
                    });
                } else if let Outcome::Error(ErrorBody { code, message, .. }) = outcome {
                    tracing::debug!(code, message, "the server could not read a message");
                }
            }
            FromServer::Notice(notice) => self.tell(notice)?,
        }
        Ok(())
    }

    /// Queues a notice; when its reader is too slow, it is counted instead.
    fn tell(&mut self, notice: Notice) -> Result<()> {
        let told = match notice {
            Notice::Event(body) => Told::Event(
                Event::try_from(body)
                    .map_err(|error| fault::nonsense(format!("a bad event: {}", error.chain())))?,
            ),
            Notice::Missed { events } => {
                self.missed = self.missed.saturating_add(events);
                return Ok(());
            }
            Notice::Closing { grace_seconds } => {
                Told::Closing(Duration::from_secs(grace_seconds.into()))
            }
            Notice::Hello { .. } => return Err(fault::nonsense("a second greeting")),
        };
        if self.tell.try_send(told).is_err() && !self.tell.is_closed() {
            self.missed = self.missed.saturating_add(1);
        }
        Ok(())
    }

    /// The closing handshake, within a moment.
    async fn goodbye(&mut self) {
        let moment = self.progress.min(Duration::from_secs(3));
        let _ = timeout(moment, async {
            self.socket.close(None).await?;
            while let Some(frame) = self.socket.next().await {
                frame?;
            }
            Ok::<_, WsError>(())
        })
        .await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nonsense_is_told_from_a_lost_line() {
        let kind = |frame| understand(frame).unwrap_err().kind();
        assert_eq!(kind(None), ErrorKind::Disconnected);
        assert_eq!(
            kind(Some(Ok(Message::Close(None)))),
            ErrorKind::Disconnected
        );
        assert_eq!(
            kind(Some(Ok(Message::text("garbage")))),
            ErrorKind::BadRequest
        );
        assert_eq!(
            kind(Some(Ok(Message::binary(vec![1])))),
            ErrorKind::BadRequest
        );
        let pong = r#"{"id":1,"ok":{"is":"pong"}}"#;
        assert!(understand(Some(Ok(Message::text(pong)))).unwrap().is_some());
        assert!(
            understand(Some(Ok(Message::Ping(Bytes::new()))))
                .unwrap()
                .is_none()
        );
    }
}
