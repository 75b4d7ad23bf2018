//! A remote drawer, seen through the network, as a [`Store`].
//!
//! Contents travel over the files door (`GET`, `PUT`), everything else as one command by `POST`.
//! What a server says is not trusted: every path it gives must be one that was asked for, every
//! body is bounded, every wait has a deadline on progress.

mod body;
mod fault;
mod line;
mod listing;
mod reading;
mod session;
mod upload;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_core::stream::BoxStream;
use gaveta_core::{
    Command, Entry, Error, ErrorKind, ListPlan, Listing, MovePlan, OnDrop, Path, ReadPlan, Reading,
    RemovePlan, Result, Space, Store, TouchPlan, Upload, UploadId, UploadState, WritePlan,
};
use gaveta_wire::session::{AccountBody, AnswerBody, Call, Secret};

use line::Line;

pub use session::{Hello, Notices, Session, Told};

/// Where a server listens.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Address {
    /// A name or an IP address; IPv6 without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl Address {
    /// This host and port.
    pub fn new(host: impl Into<String>, port: u16) -> Self {
        Self {
            host: host.into(),
            port,
        }
    }
}

/// As it stands in a URL: IPv6 in brackets.
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
}

impl Default for Options {
    fn default() -> Self {
        Self {
            sign_in: None,
            deadlines: Deadlines::default(),
            idle_connections: 16,
        }
    }
}

/// A remote drawer. Clones share their connections and their sign-in.
#[derive(Debug, Clone)]
pub struct Remote {
    line: Arc<Line>,
}

impl Remote {
    /// Finds out that a Gaveta server is there, and that it takes the sign-in, if one is given.
    ///
    /// # Errors
    /// `Disconnected` when nothing listens there, `TimedOut`, `Unsupported` when what answers is
    /// not a Gaveta server, `WrongPassword`, `Busy` when guesses are slowed down.
    pub async fn connect(address: Address, options: Options) -> Result<Self> {
        let remote = Self {
            line: Arc::new(Line::new(address, &options)?),
        };
        remote.line.greet().await?;
        Ok(remote)
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
        let (session, notices) = Session::open(self.line.address(), self.line.deadlines()).await?;
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

    /// A `PUT`, which starts with the first write. It takes one run of bytes from offset 0 on;
    /// dropping it, or any error, cuts the connection, so that the server publishes nothing.
    async fn begin(&self, plan: WritePlan) -> Result<Arc<dyn Upload>> {
        if plan.on_drop == OnDrop::Keep {
            return Err(Error::at(ErrorKind::Unsupported, &plan.target));
        }
        if plan.target.is_root() {
            return Err(Error::at(ErrorKind::IsFolder, &plan.target));
        }
        Ok(Arc::new(upload::RemoteUpload::new(self.line.clone(), plan)))
    }

    /// Uploads cannot be taken up again over this door: always `Unsupported`.
    async fn upload(&self, _id: &UploadId) -> Result<Arc<dyn Upload>> {
        Err(Error::new(ErrorKind::Unsupported))
    }

    /// None is ever kept.
    async fn uploads(&self) -> Result<BoxStream<'static, Result<UploadState>>> {
        Ok(Box::pin(futures_util::stream::empty()))
    }

    async fn make_folder(&self, path: &Path) -> Result<Entry> {
        self.entry(&Command::MakeFolder(path.clone()), path).await
    }

    async fn remove(&self, path: &Path, plan: RemovePlan) -> Result<()> {
        match self.command(&Command::Remove(path.clone(), plan)).await? {
            AnswerBody::Done => Ok(()),
            other => Err(fault::odd_answer(&other)),
        }
    }

    async fn rename(&self, from: &Path, to: &Path, plan: MovePlan) -> Result<Entry> {
        self.entry(&Command::Rename(from.clone(), to.clone(), plan), to)
            .await
    }

    async fn copy(&self, from: &Path, to: &Path, plan: MovePlan) -> Result<Entry> {
        self.entry(&Command::Copy(from.clone(), to.clone(), plan), to)
            .await
    }

    async fn touch(&self, path: &Path, plan: TouchPlan) -> Result<Entry> {
        self.entry(&Command::Touch(path.clone(), plan), path).await
    }

    async fn space(&self) -> Result<Space> {
        match self.command(&Command::Space).await? {
            AnswerBody::Space { total, free } => Ok(Space { total, free }),
            other => Err(fault::odd_answer(&other)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_read_as_in_a_url() {
        assert_eq!(
            Address::new("localhost", 4283).to_string(),
            "localhost:4283"
        );
        assert_eq!(Address::new("::1", 1).to_string(), "[::1]:1");
    }
}
