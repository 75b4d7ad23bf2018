//! Requests to one server: pooled connections, deadlines, sign-in.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use gaveta_core::{Command, Content, Entry, Error, ErrorKind, FAR, Path, Result};
use gaveta_wire::route;
use gaveta_wire::session::{
    AccountBody, AnswerBody, Call, Outcome, Reply, Request as Asked, Secret,
};
use http::header::{AUTHORIZATION, CONTENT_TYPE, USER_AGENT};
use http::request::Builder;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderValue, Method, Request, Response, Uri};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::sync::OnceCell;
use tokio::time::timeout;

use super::body::Out;
use super::connector::{Connector, Stream};
use super::fault::{self, Refusal};
use super::lifeline::{Watch, Watched};
use super::{Address, Deadlines, Options, SignIn};

mod news;

use news::{Expected, Greeting};

/// What we call ourselves to servers.
pub(super) const PROGRAM: &str = concat!("gaveta/", env!("CARGO_PKG_VERSION"));
/// The longest answer that is kept whole, in bytes: a page of entries fits, a file does not.
const MAX_ANSWER: usize = 1024 * 1024;
/// Idle connections are closed before a server of ours would close them.
const IDLE: Duration = Duration::from_secs(10);
/// So many small contents go over connections of their own before one connection for all is
/// tried: for a few it would only cost a round trip.
const FEW: usize = 2;
/// What may come over the shared connection unread, in bytes: of one answer, and of all.
const STREAM_WINDOW: u32 = 1 << 20;
const SHARED_WINDOW: u32 = 8 << 20;
/// How many connections are opened ahead, then: for the streams of a transfer, and a question.
const AHEAD: usize = 9;
/// Connections that many small contents share: where the server is far, more than one, since each
/// begins slowly.
const SHARED: usize = 2;
/// A shared connection that is silent so long is asked, and given up when it does not answer.
const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// Which connection a request goes over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lane {
    /// One of its own while it lasts (HTTP/1.1): big contents get a window each.
    Own,
    /// The one that many small contents share (HTTP/2), where the server speaks it.
    Shared,
}

/// What a request carries to show who asks.
struct Signed {
    sign_in: SignIn,
    header: HeaderValue,
}

impl Signed {
    /// Basic sign-in (RFC 7617).
    fn new(sign_in: SignIn) -> Result<Self> {
        if sign_in.name.contains(':') {
            return Err(Error::bad_request("an account's name holds no ':'"));
        }
        let pair = format!("{}:{}", sign_in.name, sign_in.password.0);
        let mut header = HeaderValue::try_from(format!("Basic {}", STANDARD.encode(pair)))
            .map_err(|error| Error::new(ErrorKind::BadRequest).because(error))?;
        header.set_sensitive(true);
        Ok(Self { sign_in, header })
    }
}

/// A server, and the connections to it.
pub(super) struct Line {
    address: Address,
    authority: Authority,
    deadlines: Deadlines,
    client: Client<Watched<Connector>, Out>,
    shared: [Client<Watched<Connector>, Out>; SHARED],
    turn: AtomicUsize,
    /// Makes the connections of `client`, and those that are no requests.
    connector: Connector,
    /// Makes those of `shared`.
    for_many: Connector,
    encrypted: bool,
    /// Does the server speak HTTP/2? Found out once, when it begins to pay.
    speaks: OnceCell<bool>,
    small: AtomicUsize,
    signed: RwLock<Option<Signed>>,
    greeting: Mutex<Option<Greeting>>,
    expected: Mutex<Option<Expected>>,
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Line")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

impl Line {
    /// Connects nowhere yet.
    pub(super) fn new(address: Address, options: &Options, tls: bool) -> Result<Self> {
        if address.host.is_empty() || address.host.contains('@') {
            return Err(Error::bad_request("not the name of a host"));
        }
        let authority = Authority::try_from(address.to_string())
            .map_err(|error| Error::new(ErrorKind::BadRequest).because(error))?;
        let trust = tls.then_some(options.trust);
        let connector = Connector::new(&address, &options.deadlines, trust, false)?;
        let for_many = Connector::new(&address, &options.deadlines, trust, true)?;
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(options.idle_connections)
            .build(Watched(connector.clone()));
        // RFC 9113, section 3.3: with prior knowledge.
        let mut builder = Client::builder(TokioExecutor::new());
        builder
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .http2_only(true)
            .http2_initial_stream_window_size(STREAM_WINDOW)
            .http2_initial_connection_window_size(SHARED_WINDOW)
            .http2_keep_alive_interval(KEEP_ALIVE)
            .http2_keep_alive_timeout(options.deadlines.progress);
        let shared = std::array::from_fn(|_| builder.build(Watched(for_many.clone())));
        let signed = options.sign_in.clone().map(Signed::new).transpose()?;
        if signed.is_some() && !tls && !address.is_loopback() {
            return Err(Error::new(ErrorKind::Insecure));
        }
        Ok(Self {
            address,
            authority,
            deadlines: options.deadlines,
            client,
            shared,
            turn: AtomicUsize::new(0),
            connector,
            for_many,
            encrypted: tls,
            speaks: OnceCell::new(),
            small: AtomicUsize::new(0),
            signed: RwLock::new(signed),
            greeting: Mutex::new(None),
            expected: Mutex::new(None),
        })
    }

    pub(super) fn address(&self) -> &Address {
        &self.address
    }

    /// Where connections lead.
    fn uri(&self) -> Result<Uri> {
        Uri::builder()
            .scheme(Scheme::HTTP)
            .authority(self.authority.clone())
            .path_and_query("/")
            .build()
            .map_err(|error| Error::new(ErrorKind::BadRequest).because(error))
    }

    /// A connection for what is no request, over which nothing was sent yet.
    pub(super) async fn connection(&self) -> Result<Stream> {
        let uri = self.uri()?;
        let opened = self.connector.clone().open(uri).await;
        opened.map_err(|error| fault::of_connection(&*error))
    }

    pub(super) fn deadlines(&self) -> &Deadlines {
        &self.deadlines
    }

    pub(super) fn signed_in(&self) -> Option<SignIn> {
        let signed = self.signed.read().unwrap_or_else(PoisonError::into_inner);
        signed.as_ref().map(|signed| signed.sign_in.clone())
    }

    pub(super) fn sign_out(&self) {
        *self.signed.write().unwrap_or_else(PoisonError::into_inner) = None;
        self.greeting().take();
        self.expected().take();
    }

    /// Does what is sent travel encrypted?
    pub(super) fn is_encrypted(&self) -> bool {
        self.encrypted
    }

    /// Tries the sign-in, and keeps it when the server takes it.
    pub(super) async fn sign_in(&self, name: &str, password: &Secret) -> Result<AccountBody> {
        let sign_in = SignIn {
            name: name.to_owned(),
            password: password.clone(),
        };
        // Not over a line that others may read.
        if !self.encrypted && !self.address.is_loopback() {
            return Err(Error::new(ErrorKind::Insecure));
        }
        let signed = Signed::new(sign_in)?;
        let mut request = self.asking(Call::Whoami)?;
        request
            .headers_mut()
            .insert(AUTHORIZATION, signed.header.clone());
        let account = account_of(
            self.answer_of(request)
                .await
                .map_err(|refused| refused.error)?,
        )?;
        *self.signed.write().unwrap_or_else(PoisonError::into_inner) = Some(signed);
        self.expected().take();
        self.news(&account);
        Ok(account)
    }

    pub(super) async fn whoami(&self) -> Result<AccountBody> {
        account_of(self.call(Call::Whoami).await?)
    }

    /// The first request to a server: what answers must be one of ours.
    pub(super) async fn greet(&self) -> Result<AccountBody> {
        let mut request = self.asking(Call::Whoami)?;
        self.sign(&mut request);
        let told = match self.answer_of(request).await {
            Ok(answer) => {
                let told = account_of(answer);
                if let Ok(account) = &told {
                    self.news(account);
                }
                told
            }
            Err(Refusal { error, known: true }) => return Err(error),
            Err(Refusal {
                error,
                known: false,
            }) => Err(error),
        };
        told.map_err(|error| match error.kind() {
            kind if kind.is_transient() || kind == ErrorKind::Insecure => {
                error.about_text(self.address.to_string())
            }
            _ => Error::new(ErrorKind::Unsupported)
                .about_text(self.address.to_string())
                .because(format!("this is no Gaveta server: {}", error.chain())),
        })
    }

    /// How far away the server is, once there was a connection.
    pub(super) fn round_trip(&self) -> Option<Duration> {
        self.connector.round_trip()
    }

    /// Opens connections ahead, where that takes long.
    pub(super) fn warm_up(self: &Arc<Self>) {
        if self.is_far() {
            self.open_ahead();
        }
    }

    /// Opens what connections a transfer wants far away.
    fn open_ahead(self: &Arc<Self>) {
        let line = Arc::clone(self);
        tokio::spawn(async move { line.speaks().await });
        if let Ok(uri) = self.uri() {
            self.connector.open_ahead(&uri, AHEAD);
        }
    }

    /// Asks one call by `POST`.
    pub(super) async fn call(&self, call: Call) -> Result<AnswerBody> {
        let mut request = self.asking(call)?;
        self.sign(&mut request);
        self.answer_of(request)
            .await
            .map_err(|refused| refused.error)
    }

    /// What is at a path.
    pub(super) async fn stat(&self, path: &Path) -> Result<Entry> {
        match self.told(path).await {
            Some(told) => told,
            None => self.ask_stat(path).await,
        }
    }

    async fn ask_stat(&self, path: &Path) -> Result<Entry> {
        match self.call(Call::from(&Command::Stat(path.clone()))).await? {
            AnswerBody::Entry(body) => fault::entry_at(body, path),
            other => Err(fault::odd_answer(&other)),
        }
    }

    fn asking(&self, call: Call) -> Result<Request<Out>> {
        let json = serde_json::to_vec(&Asked { id: 1, call })
            .map_err(|error| Error::new(ErrorKind::BadRequest).because(error))?;
        let mut request =
            self.request(Method::POST, route::COMMAND, Out::Whole(Bytes::from(json)))?;
        let json = HeaderValue::from_static("application/json");
        request.headers_mut().insert(CONTENT_TYPE, json);
        Ok(request)
    }

    async fn answer_of(&self, request: Request<Out>) -> Result<AnswerBody, Refusal> {
        let unknown = |error| Refusal {
            error,
            known: false,
        };
        let lane = self.lane_for_questions();
        let response = self.send(request, lane).await.map_err(unknown)?;
        let (parts, body) = response.into_parts();
        let body = self.whole(body).await.map_err(unknown)?;
        if !parts.status.is_success() {
            return Err(fault::refusal(parts.status, &parts.headers, &body));
        }
        match serde_json::from_slice::<Reply>(&body) {
            Ok(Reply {
                outcome: Outcome::Ok(answer),
                ..
            }) => Ok(answer),
            Ok(Reply {
                outcome: Outcome::Error(body),
                ..
            }) => Err(Refusal {
                error: Error::from(body),
                known: true,
            }),
            Err(error) => Err(unknown(fault::nonsense(error.to_string()))),
        }
    }

    /// A request for a target on this server; not signed yet.
    pub(super) fn request(&self, method: Method, target: &str, body: Out) -> Result<Request<Out>> {
        self.build(Request::builder().method(method), target, body)
    }

    /// What was begun, as a request for a target on this server; not signed yet.
    pub(super) fn build(&self, begun: Builder, target: &str, body: Out) -> Result<Request<Out>> {
        let bad = |error: http::Error| Error::new(ErrorKind::BadRequest).because(error);
        let target = format!("{}{target}", self.address.base);
        let target = PathAndQuery::try_from(target).map_err(|error| bad(error.into()))?;
        let uri = Uri::builder()
            .scheme(match self.encrypted {
                true => Scheme::HTTPS,
                false => Scheme::HTTP,
            })
            .authority(self.authority.clone())
            .path_and_query(target)
            .build()
            .map_err(bad)?;
        begun
            .uri(uri)
            .header(USER_AGENT, PROGRAM)
            .body(body)
            .map_err(bad)
    }

    /// Adds the sign-in, if there is one.
    pub(super) fn sign(&self, request: &mut Request<Out>) {
        let signed = self.signed.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(signed) = signed.as_ref() {
            request
                .headers_mut()
                .insert(AUTHORIZATION, signed.header.clone());
        }
    }

    /// Sends a request with a small body and waits for the head of its answer.
    pub(super) async fn send(
        &self,
        request: Request<Out>,
        lane: Lane,
    ) -> Result<Response<Incoming>> {
        let wait = self.deadlines.connect.saturating_add(self.deadlines.answer);
        timeout(wait, self.start(request, lane))
            .await
            .map_err(|_| ErrorKind::TimedOut)?
    }

    /// The lane for a small content; asks the server for a shared one when there are many.
    pub(super) async fn lane_for_many(&self) -> Lane {
        let is_one_of_few = self.small.fetch_add(1, Ordering::Relaxed) < FEW;
        if is_one_of_few && self.speaks.get().is_none() {
            return Lane::Own;
        }
        if self.speaks().await {
            Lane::Shared
        } else {
            Lane::Own
        }
    }

    /// The lane for a question with a short answer: far away, the shared one as soon as there is
    /// one, for a connection of its own may have to be made first.
    pub(super) fn lane_for_questions(&self) -> Lane {
        match self.speaks.get() {
            Some(true) if self.is_far() => Lane::Shared,
            Some(_) | None => Lane::Own,
        }
    }

    fn is_far(&self) -> bool {
        self.round_trip().is_some_and(|took| took >= FAR)
    }

    /// The client of the next request over a shared connection.
    fn shared(&self) -> &Client<Watched<Connector>, Out> {
        let [first, ..] = &self.shared;
        if !self.is_far() {
            return first;
        }
        let turn = self.turn.fetch_add(1, Ordering::Relaxed) % SHARED;
        self.shared.get(turn).unwrap_or(first)
    }

    /// Does the server speak HTTP/2? The first who wants to know finds out: from the handshake, of
    /// what is used then, or by a question.
    async fn speaks(&self) -> bool {
        let speaks = self.speaks.get_or_init(|| async {
            if self.encrypted {
                let Ok(uri) = self.uri() else {
                    return false;
                };
                if self.is_far() {
                    self.for_many.open_ahead(&uri, SHARED - 1);
                }
                return match self.for_many.clone().open(uri).await {
                    Ok(stream) if stream.agreed_on_h2() => {
                        self.for_many.keep(stream);
                        true
                    }
                    Ok(_) | Err(_) => false,
                };
            }
            let Ok(request) = self.request(Method::GET, route::HEALTH, Out::empty()) else {
                return false;
            };
            // What does not speak it answers nonsense, or nothing.
            let asked = timeout(self.deadlines.connect, self.shared().request(request)).await;
            matches!(asked, Ok(Ok(_)))
        });
        *speaks.await
    }

    /// Sends a request without a deadline of its own: for bodies that are watched elsewhere. A
    /// connection that ends is noticed.
    pub(super) async fn start(
        &self,
        mut request: Request<Out>,
        lane: Lane,
    ) -> Result<Response<Incoming>> {
        let client = match lane {
            Lane::Own => &self.client,
            Lane::Shared => self.shared(),
        };
        let watch = Watch::of(&mut request);
        let answered = tokio::select! {
            biased;
            answered = client.request(request) => answered,
            () = watch.ended() => return Err(ErrorKind::Disconnected.into()),
        };
        answered.map_err(|error| {
            if error.is_connect() {
                fault::from_line(error).about_text(self.address.to_string())
            } else {
                fault::from_line(error)
            }
        })
    }

    /// Sends a request without a body, with the sign-in; an answer that is a refusal is an error.
    /// A redirection is handed on: it is never followed.
    pub(super) async fn get(
        &self,
        mut request: Request<Out>,
        lane: Lane,
    ) -> Result<Response<Incoming>> {
        self.sign(&mut request);
        let response = self.send(request, lane).await?;
        if response.status().is_success() || response.status().is_redirection() {
            return Ok(response);
        }
        let (parts, body) = response.into_parts();
        let body = self.whole(body).await?;
        Err(fault::refusal(parts.status, &parts.headers, &body).error)
    }

    /// A small body, whole.
    pub(super) async fn whole(&self, body: Incoming) -> Result<Bytes> {
        self.whole_to(body, MAX_ANSWER).await
    }

    /// A body of at most so many bytes, whole.
    pub(super) async fn whole_to(&self, body: Incoming, most: usize) -> Result<Bytes> {
        let mut pieces = self.pieces(body);
        let mut whole = BytesMut::new();
        while let Some(piece) = pieces.next().await {
            let piece = piece?;
            if whole.len() + piece.len() > most {
                return Err(fault::nonsense("it is too long"));
            }
            whole.extend_from_slice(&piece);
        }
        Ok(whole.freeze())
    }

    /// A body in pieces, each within the deadline.
    pub(super) fn pieces(&self, body: Incoming) -> Content {
        let progress = self.deadlines.progress;
        Box::pin(futures_util::stream::try_unfold(
            body,
            move |mut body| async move {
                loop {
                    let frame = timeout(progress, body.frame()).await;
                    match frame.map_err(|_| Error::new(ErrorKind::TimedOut))? {
                        None => return Ok(None),
                        Some(Err(error)) => return Err(fault::from_line(error)),
                        Some(Ok(frame)) => {
                            if let Ok(data) = frame.into_data() {
                                return Ok(Some((data, body)));
                            }
                        }
                    }
                }
            },
        ))
    }
}

fn account_of(answer: AnswerBody) -> Result<AccountBody> {
    match answer {
        AnswerBody::Account(account) => Ok(account),
        other => Err(fault::odd_answer(&other)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_that_would_become_something_else_are_refused() {
        for host in ["a b", "a/b", "user@host", "", "a\nb", "a?b", "a#b"] {
            let made = Line::new(Address::new(host, 1), &Options::default(), false);
            assert!(made.is_err(), "{host:?}");
        }
        assert!(Line::new(Address::new("::1", 1), &Options::default(), true).is_ok());
    }

    #[test]
    fn a_password_never_shows() {
        let password = Secret("hunter2".into());
        let sign_in = SignIn {
            name: "admin".into(),
            password,
        };
        let signed = Signed::new(sign_in.clone()).unwrap();
        assert!(!format!("{:?} {:?}", signed.header, sign_in).contains("hunter2"));
        assert!(!format!("{:?}", signed.header).contains(&STANDARD.encode("admin:hunter2")));
    }
}
