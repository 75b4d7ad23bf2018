//! A remote drawer, seen through the network, as a [`Store`].
//!
//! Small contents travel over the files door (`GET`, `PUT`), sharing a connection (HTTP/2); big
//! ones in chunks with their digests, on connections of their own, and are kept by the server when
//! they are cut; everything else goes as one command by `POST`.
//! What a server says is not trusted: every path it gives must be one that was asked for, every
//! body is bounded, every wait has a deadline on progress.

mod ahead;
mod body;
mod connector;
mod fault;
mod flow;
mod journal;
mod kept;
mod keys;
mod lifeline;
mod line;
mod listing;
mod outline;
mod own;
mod reading;
mod session;
mod trash;
mod trust;
mod upload;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_core::stream::BoxStream;
use gaveta_core::{
    Command, Entry, Error, ErrorKind, Event, ListPlan, Listing, MovePlan, OnDrop, Outline, Path,
    ReadPlan, Reading, RemovePlan, Result, Space, Store, TouchPlan, Trash, Upkeep, Upload,
    UploadId, UploadState, Version, WritePlan,
};
use gaveta_wire::session::{AccountBody, AnswerBody, Call, Secret};

use line::Line;
use own::Own;

pub use connector::{Elsewhere, NoHandshake};
pub use journal::Journal;
pub use session::{Hello, Notices, OtherProtocol, Session, Told};
pub use trust::{Doubt, Trust, Untrusted};

/// Where a server listens.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Address {
    /// A name or an IP address; IPv6 without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
    /// Is the connection encrypted?
    pub security: Security,
    /// The prefix under which a proxy serves it: `/files`; empty for none.
    pub base: String,
}

/// Is a connection encrypted?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Security {
    /// Always, but to this machine only when the server there wants it, or is known by its key.
    #[default]
    Auto,
    /// Never: `http://`.
    Plain,
    /// Always: `https://`.
    Tls,
}

impl Address {
    /// This host and port.
    pub fn new(host: impl Into<String>, port: u16) -> Self {
        Self {
            host: host.into(),
            port,
            security: Security::Auto,
            base: String::new(),
        }
    }

    /// The same place, reached so.
    #[must_use]
    pub fn secured(self, security: Security) -> Self {
        Self { security, ..self }
    }

    /// The same place, behind this prefix.
    #[must_use]
    pub fn behind(self, base: impl Into<String>) -> Self {
        let base = base.into();
        Self { base, ..self }
    }

    /// Is it this machine, by its name or number? Nobody else hears what is said there: where
    /// nothing is encrypted, a connection that leads elsewhere all the same is not used
    /// ([`Elsewhere`]).
    pub fn is_loopback(&self) -> bool {
        match self.host.parse::<std::net::IpAddr>() {
            Ok(ip) => ip.to_canonical().is_loopback(),
            Err(_) => self.host == "localhost",
        }
    }
}

/// Host and port as they stand in a URL: IPv6 in brackets.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// Who signs in.
#[derive(Debug, Clone)]
pub struct SignIn {
    /// The account.
    pub name: String,
    /// Its password.
    pub password: Secret,
}

/// How long to wait for progress. None of them limits a whole transfer.
#[derive(Debug, Clone, Copy)]
pub struct Deadlines {
    /// For a connection.
    pub connect: Duration,
    /// For the start of an answer: the server may have to hash a file or flush a disk first.
    pub answer: Duration,
    /// For the next piece of a content, either way.
    pub progress: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            answer: Duration::from_secs(120),
            progress: Duration::from_secs(30),
        }
    }
}

/// How to talk to a server.
#[derive(Debug, Clone)]
pub struct Options {
    /// Who signs in; none: a visitor.
    pub sign_in: Option<SignIn>,
    /// How long to wait.
    pub deadlines: Deadlines,
    /// How many idle connections are kept for the next request.
    pub idle_connections: usize,
    /// Whom an encrypted connection may be made with.
    pub trust: Trust,
    /// A transfer follows, whose first question is what there is at this path: a visitor's is
    /// asked at once, beside the greeting.
    pub next: Option<Path>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            sign_in: None,
            deadlines: Deadlines::default(),
            idle_connections: 64,
            trust: Trust::Public,
            next: None,
        }
    }
}

/// A remote drawer. Clones share their connections and their sign-in.
#[derive(Debug, Clone)]
pub struct Remote {
    line: Arc<Line>,
    own: Arc<Own>,
}

impl Remote {
    /// Finds out that a Gaveta server is there, and that it takes the sign-in, if one is given.
    /// Whom an encrypted connection is made with is settled before anything is sent.
    ///
    /// # Errors
    /// `Disconnected` when nothing listens there, `TimedOut`, `Unsupported` when what answers is
    /// not a Gaveta server, `Insecure` because of [`Untrusted`], [`NoHandshake`] or [`Elsewhere`],
    /// when a sign-in would travel unencrypted, or when a key is asked of a connection that shows
    /// none, `WrongPassword`, `Busy` when guesses are slowed down.
    pub async fn connect(address: Address, options: Options) -> Result<Self> {
        let is_pinned = matches!(options.trust, Trust::Pinned(_));
        let both = match address.security {
            Security::Plain if is_pinned => {
                return Err(
                    Error::new(ErrorKind::Insecure).because("nothing shows a key without TLS")
                );
            }
            Security::Plain => return Self::try_connect(address, &options, false).await,
            Security::Tls => return Self::try_connect(address, &options, true).await,
            Security::Auto => address.is_loopback() && !is_pinned,
        };
        if !both {
            return Self::try_connect(address, &options, true).await;
        }
        let plain = match Self::try_connect(address.clone(), &options, false).await {
            Ok(remote) => return Ok(remote),
            Err(error) => error,
        };
        let may_want_tls = matches!(
            plain.kind(),
            ErrorKind::Insecure | ErrorKind::Unsupported | ErrorKind::Disconnected
        );
        if !may_want_tls || plain.kind() == ErrorKind::Disconnected && is_refused(&plain) {
            return Err(plain);
        }
        match Self::try_connect(address, &options, true).await {
            Ok(remote) => Ok(remote),
            // It does speak TLS.
            Err(error) if trust::is_untrusted(&error) => Err(error),
            Err(_) => Err(plain),
        }
    }

    async fn try_connect(address: Address, options: &Options, tls: bool) -> Result<Self> {
        let remote = Self {
            line: Arc::new(Line::new(address, options, tls)?),
            own: Arc::default(),
        };
        if let Some(next) = &options.next {
            remote.line.expect(next.clone());
        }
        remote.line.greet().await?;
        Ok(remote)
    }

    /// Who the server took us for when we connected, told once; none when that was long ago.
    pub fn greeted(&self) -> Option<AccountBody> {
        self.line.greeted()
    }

    /// Opens what connections a transfer will want, where the server is far: they are there when
    /// it has found out what to copy. Must run within a tokio runtime.
    pub fn warm_up(&self) {
        self.line.warm_up();
    }

    /// Does what is said to it travel encrypted?
    pub fn is_encrypted(&self) -> bool {
        self.line.is_encrypted()
    }

    /// Where the server is.
    pub fn address(&self) -> &Address {
        self.line.address()
    }

    /// Signs in, for every request from now on, of every clone. A failure leaves the old sign-in.
    ///
    /// # Errors
    /// `WrongPassword`, `Busy` when guesses are slowed down.
    pub async fn sign_in(&self, name: &str, password: &Secret) -> Result<AccountBody> {
        self.line.sign_in(name, password).await
    }

    /// Is this what every request is signed in by?
    pub fn is_signed_in(&self, name: &str, password: &Secret) -> bool {
        let signed = self.line.signed_in();
        signed.is_some_and(|signed| signed.name == name && signed.password.0 == password.0)
    }

    /// Is a visitor again.
    pub fn sign_out(&self) {
        self.line.sign_out();
    }

    /// Who the server takes us for, and what that account may do.
    pub async fn whoami(&self) -> Result<AccountBody> {
        self.line.whoami().await
    }

    /// Opens a session beside the requests, under the same sign-in.
    ///
    /// # Errors
    /// As [`Session::open`].
    pub async fn session(&self) -> Result<(Session, Notices)> {
        let (session, notices) = Session::over(&self.line).await?;
        if let Some(SignIn { name, password }) = self.line.signed_in() {
            session
                .ask(Call::SignIn {
                    name,
                    password: password.0,
                })
                .await?;
        }
        Ok((session, notices))
    }

    /// As [`Store::outline`], but made by reading the file now: no digest the server stored is
    /// trusted.
    ///
    /// # Errors
    /// As [`Store::outline`].
    pub async fn outline_afresh(&self, path: &Path, version: &Version) -> Result<Outline> {
        outline::fetch(&self.line, path, version, true).await
    }

    /// Is this about a change that was made through this drawer or a clone of it, just now?
    pub fn is_own(&self, event: &Event) -> bool {
        self.own.is(event)
    }

    /// The same, over the same connections; what is changed through either counts as changed
    /// through both ([`Remote::is_own`]).
    #[must_use]
    pub fn as_one_with(self, other: &Self) -> Self {
        let own = Arc::clone(&other.own);
        Self { own, ..self }
    }

    async fn command(&self, command: &Command) -> Result<AnswerBody> {
        self.line.call(Call::from(command)).await
    }

    /// Runs a command that answers with the entry at `path`.
    async fn entry(&self, command: &Command, path: &Path) -> Result<Entry> {
        match self.command(command).await? {
            AnswerBody::Entry(body) => fault::entry_at(body, path),
            other => Err(fault::odd_answer(&other)),
        }
    }
}

#[async_trait]
impl Store for Remote {
    async fn stat(&self, path: &Path) -> Result<Entry> {
        self.line.stat(path).await
    }

    async fn list(&self, folder: &Path, plan: ListPlan) -> Result<Listing> {
        listing::list(&self.line, folder, &plan).await
    }

    async fn read(&self, path: &Path, plan: ReadPlan) -> Result<Arc<dyn Reading>> {
        reading::open(self, path, plan).await
    }

    async fn outline(&self, path: &Path, version: &Version) -> Result<Outline> {
        outline::fetch(&self.line, path, version, false).await
    }

    /// What is to be kept, has a base, parts, or no target becomes an upload at the server: chunks
    /// go in any order and several at once, plain content in one run. Anything else is a `PUT`,
    /// which starts with the first write and takes one run of bytes from offset 0 on; dropping it,
    /// or any error, cuts the connection, so that the server publishes nothing.
    ///
    /// The server chooses ids and keeps no notes: a plan with either is `Unsupported`.
    async fn begin(&self, plan: WritePlan) -> Result<Arc<dyn Upload>> {
        if plan.target.as_ref().is_some_and(Path::is_root) {
            return Err(Error::at(ErrorKind::IsFolder, &Path::root()));
        }
        let one_put = plan.on_drop == OnDrop::Discard
            && plan.id.is_none()
            && plan.note.is_none()
            && plan.base.is_none()
            && plan.parts.is_empty();
        let changing = plan.target.as_ref().map(|target| self.own.changing(target));
        match plan.target.clone() {
            Some(target) if one_put => {
                let line = self.line.clone();
                Ok(Arc::new(upload::RemoteUpload::new(
                    line, plan, target, changing,
                )))
            }
            _ => {
                let upload = kept::begin(&self.line, &plan).await?;
                Ok(Arc::new(upload.owned(changing)))
            }
        }
    }

    async fn upload(&self, id: &UploadId, target: Option<&Path>) -> Result<Arc<dyn Upload>> {
        let upload = kept::take_up(&self.line, id, target).await?;
        let changing = target.map(|target| self.own.changing(target));
        Ok(Arc::new(upload.owned(changing)))
    }

    /// The server tells the administrator of all, and a visitor of none: who began an upload
    /// knows its id.
    async fn uploads(&self) -> Result<BoxStream<'static, Result<UploadState>>> {
        kept::list(&self.line).await
    }

    async fn make_folder(&self, path: &Path) -> Result<Entry> {
        let _own = self.own.changing(path);
        self.entry(&Command::MakeFolder(path.clone()), path).await
    }

    async fn remove(&self, path: &Path, plan: RemovePlan) -> Result<()> {
        let _own = self.own.changing(path);
        match self.command(&Command::Remove(path.clone(), plan)).await? {
            AnswerBody::Done => Ok(()),
            other => Err(fault::odd_answer(&other)),
        }
    }

    async fn rename(&self, from: &Path, to: &Path, plan: MovePlan) -> Result<Entry> {
        let _own = (self.own.changing(from), self.own.changing(to));
        self.entry(&Command::Rename(from.clone(), to.clone(), plan), to)
            .await
    }

    async fn copy(&self, from: &Path, to: &Path, plan: MovePlan) -> Result<Entry> {
        let _own = self.own.changing(to);
        self.entry(&Command::Copy(from.clone(), to.clone(), plan), to)
            .await
    }

    async fn touch(&self, path: &Path, plan: TouchPlan) -> Result<Entry> {
        let _own = self.own.changing(path);
        self.entry(&Command::Touch(path.clone(), plan), path).await
    }

    /// Whether the server keeps one shows when it is asked.
    fn trash(&self) -> Option<Arc<dyn Trash>> {
        Some(Arc::new(trash::RemoteTrash(self.clone())))
    }

    /// The server looks after it: [`Remote::verify`].
    fn upkeep(&self) -> Option<Arc<dyn Upkeep>> {
        None
    }

    fn round_trip(&self) -> Option<Duration> {
        self.line.round_trip()
    }

    async fn space(&self) -> Result<Space> {
        match self.command(&Command::Space).await? {
            AnswerBody::Space { total, free } => Ok(Space { total, free }),
            other => Err(fault::odd_answer(&other)),
        }
    }
}

/// Does nothing listen there at all?
fn is_refused(error: &Error) -> bool {
    std::error::Error::source(error).is_some_and(|cause| cause.to_string().contains("refused"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_is_known_by_its_names() {
        for near in [
            "localhost",
            "127.0.0.1",
            "127.9.9.9",
            "::1",
            "::ffff:127.0.0.1",
        ] {
            assert!(Address::new(near, 1).is_loopback(), "{near}");
        }
        for far in [
            "example.org",
            "localhost.example",
            "a.localhost",
            "10.0.0.1",
            "::2",
            "notlocalhost",
            "127.1",
        ] {
            assert!(!Address::new(far, 1).is_loopback(), "{far}");
        }
    }

    #[test]
    fn addresses_read_as_in_a_url() {
        assert_eq!(
            Address::new("localhost", 4283).to_string(),
            "localhost:4283"
        );
        assert_eq!(Address::new("::1", 1).to_string(), "[::1]:1");
    }
}
