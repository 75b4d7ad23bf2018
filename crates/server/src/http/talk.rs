//! A session, once it is open: requests in, replies and notices out.

use std::sync::Arc;

use futures_util::{SinkExt, StreamExt};
use gaveta_core::{Error, ErrorKind, Event, Path, Result, Store};
use gaveta_wire::session::{AnswerBody, EventBody, FromServer, Notice, Parsed, Reply};
use gaveta_wire::{MAX_MESSAGE, PROTOCOL};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::sync::broadcast::error::RecvError;
use tokio::task::JoinSet;
use tokio::time::{Duration, Instant, MissedTickBehavior, interval_at, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::{CapacityError, Error as WsError};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Message};
use zeroize::Zeroizing;

use super::caller::Caller;
use super::reply;
use crate::drawer::View;
use crate::drawer::entrance::Credential;
use crate::drawer::pass::Pass;
use crate::port::line::Line;
use crate::server::House;

/// Requests of one session that run at once; further ones are not read until one is done.
const AT_ONCE: usize = 8;
/// The most places one session watches.
const WATCHES: usize = 64;
/// Pings without an answer until the line is taken for dead.
const MISSES: u32 = 3;
/// How long, and how much, is still read from a peer who was told to go.
const LINGER: Duration = Duration::from_secs(2);
const LINGER_BYTES: usize = 1024 * 1024;

/// Talks until the peer leaves, breaks the rules, stops reading, or the server goes down.
///
/// Memory is bounded: at most [`AT_ONCE`] requests and their replies (each at most one message);
/// events wait in the one ring that all sessions share, and a session that is overtaken is told
/// how many it missed. A peer who does not read is dropped by the line's own deadline.
pub(crate) async fn talk<S>(
    socket: WebSocketStream<S>,
    view: View,
    line: &Arc<Line>,
    caller: Caller,
    house: &Arc<House>,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let peer = line.peer();
    let count = house.drawer.meters.session_opened();
    tracing::info!(target: "gaveta::session", %peer, sessions = count, "session opened");
    let events = house.drawer.events();
    let talk = Talk {
        socket,
        view,
        _line: Arc::clone(line),
        caller,
        house: Arc::clone(house),
        watches: Vec::new(),
        running: JoinSet::new(),
        heard: true,
        misses: 0,
    };
    let end = talk.run(events).await;
    let count = house.drawer.meters.session_closed();
    let why = match end {
        Ok(()) => String::new(),
        Err(error) => gaveta_text::escape(&error.chain()).into_owned(),
    };
    tracing::info!(target: "gaveta::session", %peer, sessions = count, why, "session closed");
}

struct Talk<S> {
    socket: WebSocketStream<S>,
    view: View,
    /// Its place is taken for as long as this goes on.
    _line: Arc<Line>,
    caller: Caller,
    house: Arc<House>,
    watches: Vec<Path>,
    running: JoinSet<Reply>,
    /// Something came since the last ping.
    heard: bool,
    misses: u32,
}

/// How a message from the peer leaves the session.
enum Next {
    Go,
    End,
}

impl<S> Talk<S>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    async fn run(mut self, mut events: tokio::sync::broadcast::Receiver<Arc<Event>>) -> Result<()> {
        let every = self.house.limits.keep_alive;
        let mut tick = interval_at(Instant::now() + every, every);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let house = Arc::clone(&self.house);
        let hello = self.hello();
        self.notice(hello).await?;
        loop {
            let room = self.running.len() < AT_ONCE;
            tokio::select! {
                message = self.socket.next(), if room => {
                    self.heard = true;
                    self.misses = 0;
                    match self.message(message).await? {
                        Next::Go => {}
                        Next::End => return Ok(()),
                    }
                }
                Some(done) = self.running.join_next() => {
                    // A task that was broken off has no reply; the session cannot go on rightly.
                    let reply = done.map_err(|error| Error::new(ErrorKind::Io).because(error))?;
                    self.reply(reply).await?;
                }
                event = events.recv() => self.event(event).await?,
                _ = tick.tick() => self.ping(room).await?,
                () = house.closing() => return self.closing().await,
                () = self.view.pass().ended() => return self.signed_out().await,
            }
        }
    }

    fn hello(&self) -> Notice {
        Notice::Hello {
            protocol: PROTOCOL,
            server: concat!("gaveta/", env!("CARGO_PKG_VERSION")).to_owned(),
            account: reply::account(&self.view),
            keep_alive_seconds: u32::try_from(self.house.limits.keep_alive.as_secs())
                .unwrap_or(u32::MAX)
                .max(1),
            max_message: MAX_MESSAGE,
        }
    }

    async fn message(&mut self, message: Option<Result<Message, WsError>>) -> Result<Next> {
        match message {
            None => Ok(Next::End),
            Some(Ok(Message::Text(text))) => {
                self.request(text.as_bytes()).await?;
                Ok(Next::Go)
            }
            Some(Ok(Message::Binary(_))) => {
                let error = Error::bad_request("messages are text");
                self.reply(reply::reply(None, Err(error))).await?;
                Ok(Next::Go)
            }
            // The library answers pings by itself, and a close with the next write.
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => Ok(Next::Go),
            Some(Ok(Message::Close(_))) => {
                let _ = self.socket.flush().await;
                Ok(Next::End)
            }
            Some(Err(WsError::Capacity(CapacityError::MessageTooLong { .. }))) => {
                let why = format!("a message has at most {MAX_MESSAGE} bytes");
                let _ = self
                    .reply(reply::reply(None, Err(Error::bad_request(why))))
                    .await;
                self.dismiss(CloseCode::Size).await;
                Ok(Next::End)
            }
            Some(Err(WsError::Utf8(_))) => {
                self.dismiss(CloseCode::Invalid).await;
                Ok(Next::End)
            }
            Some(Err(WsError::Protocol(_))) => {
                self.dismiss(CloseCode::Protocol).await;
                Ok(Next::End)
            }
            Some(Err(WsError::ConnectionClosed | WsError::AlreadyClosed)) => Ok(Next::End),
            Some(Err(error)) => Err(Error::new(ErrorKind::Disconnected).because(error)),
        }
    }

    async fn request(&mut self, text: &[u8]) -> Result<()> {
        let (id, parsed) = match reply::parse(text) {
            Ok((id, parsed)) => (Some(id), parsed),
            Err((id, error)) => return self.reply(reply::reply(id, Err(error))).await,
        };
        let done = match parsed {
            // Nothing else is read meanwhile: what comes after is said by who signed in.
            Parsed::SignIn(name, secret) => {
                let password = Zeroizing::new(secret.0);
                let shown = Credential::Password(name, password);
                let origin = self.view.pass().origin();
                match self.caller.credentials {
                    true => self.house.drawer.admit(shown, origin).await,
                    false => Err(Error::new(ErrorKind::Insecure)),
                }
                .map(|pass| self.become_(pass))
            }
            Parsed::SignOut => {
                let origin = self.view.pass().origin();
                Ok(self.become_(self.house.drawer.entrance.visitor(origin)))
            }
            Parsed::Watch(path) => self.watch(path).await,
            Parsed::Unwatch(path) => {
                self.watches.retain(|watched| *watched != path);
                Ok(AnswerBody::Done)
            }
            parsed @ (Parsed::Command(_) | Parsed::Whoami | Parsed::Help | Parsed::Ping) => {
                let view = self.view.clone();
                self.running
                    .spawn(async move { reply::reply(id, reply::answer(parsed, &view).await) });
                return Ok(());
            }
        };
        self.reply(reply::reply(id, done)).await
    }

    fn become_(&mut self, pass: Pass) -> AnswerBody {
        self.view = self.view.held_by(pass);
        let account = self.view.account();
        self.watches.retain(|path| account.grants().shows(path));
        AnswerBody::Account(reply::account(&self.view))
    }

    async fn watch(&mut self, path: Path) -> Result<AnswerBody> {
        self.view.stat(&path).await?;
        if !self.watches.contains(&path) {
            if self.watches.len() >= WATCHES {
                return Err(Error::at(ErrorKind::Busy, &path));
            }
            self.watches.push(path);
        }
        Ok(AnswerBody::Done)
    }

    async fn event(&mut self, event: Result<Arc<Event>, RecvError>) -> Result<()> {
        match event {
            Ok(event) => {
                let concerns = self.watches.iter().any(|watched| event.concerns(watched));
                match self.view.sees(&event).filter(|_| concerns) {
                    Some(event) => self.notice(Notice::Event(EventBody::from(&event))).await,
                    None => Ok(()),
                }
            }
            Err(RecvError::Lagged(events)) if !self.watches.is_empty() => {
                self.notice(Notice::Missed { events }).await
            }
            Err(RecvError::Lagged(_)) => Ok(()),
            Err(RecvError::Closed) => Err(Error::new(ErrorKind::Closing)),
        }
    }

    /// While requests fill the session nothing is read, so nothing can be heard either.
    async fn ping(&mut self, reading: bool) -> Result<()> {
        if reading && !self.heard {
            self.misses += 1;
            if self.misses >= MISSES {
                return Err(Error::new(ErrorKind::TimedOut));
            }
        }
        self.heard = !reading;
        self.send(Message::Ping(bytes::Bytes::new())).await
    }

    /// The sign-in has ended: says so and closes. What is running is broken off.
    async fn signed_out(&mut self) -> Result<()> {
        let account = self.view.account();
        tracing::info!(target: "gaveta::sign-in", account = account.name(), "a sign-in has ended");
        let ended = Error::new(ErrorKind::SignInNeeded);
        self.reply(reply::reply(None, Err(ended))).await?;
        self.dismiss(CloseCode::Policy).await;
        Ok(())
    }

    /// Tells the peer, lets what is running end, and says goodbye.
    async fn closing(&mut self) -> Result<()> {
        let grace = self.house.limits.grace;
        let grace_seconds = u32::try_from(grace.as_secs()).unwrap_or(u32::MAX);
        self.notice(Notice::Closing { grace_seconds }).await?;
        let house = Arc::clone(&self.house);
        loop {
            tokio::select! {
                done = self.running.join_next() => match done {
                    Some(Ok(reply)) => self.reply(reply).await?,
                    Some(Err(_)) => {}
                    None => break,
                },
                () = house.over() => break,
            }
        }
        self.dismiss(CloseCode::Away).await;
        Ok(())
    }

    /// Closes, and reads on for a moment so that the last words arrive.
    async fn dismiss(&mut self, code: CloseCode) {
        let frame = CloseFrame {
            code,
            reason: "".into(),
        };
        let _ = timeout(LINGER, self.socket.close(Some(frame))).await;
        let raw = self.socket.get_mut();
        let mut left = LINGER_BYTES;
        let mut buffer = vec![0; 8 * 1024];
        let _ = timeout(LINGER, async {
            while let Ok(read) = raw.read(&mut buffer).await {
                match left.checked_sub(read) {
                    Some(rest) if read > 0 => left = rest,
                    _ => break,
                }
            }
        })
        .await;
    }

    async fn reply(&mut self, reply: Reply) -> Result<()> {
        self.tell(&FromServer::Reply(reply)).await
    }

    async fn notice(&mut self, notice: Notice) -> Result<()> {
        self.tell(&FromServer::Notice(notice)).await
    }

    async fn tell(&mut self, message: &FromServer) -> Result<()> {
        let text = serde_json::to_string(message)
            .map_err(|error| Error::new(ErrorKind::Io).because(error))?;
        self.send(Message::text(text)).await
    }

    async fn send(&mut self, message: Message) -> Result<()> {
        self.socket
            .send(message)
            .await
            .map_err(|error| Error::new(ErrorKind::Disconnected).because(error))
    }
}
