//! The server: sockets that listen, a drawer behind them, and an orderly end.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use gaveta_core::{Actions, Error, ErrorKind, Result, Store};
use ipnet::IpNet;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;

use crate::control::{Control, Steward};
use crate::drawer::Drawer;
use crate::drawer::accounts::keeping::Keeping;
use crate::drawer::accounts::{Accounts, AccountsFile, Base, Book};
use crate::drawer::audit::{Audit, AuditPlan};
use crate::drawer::entrance::Entrance;
use crate::drawer::keys::admission::Keys;
use crate::drawer::keys::sheet::Using;
use crate::drawer::ledger::UploadLimits;
use crate::drawer::limits::Shares;
use crate::drawer::meters::Totals;
use crate::drawer::password::HashedPassword;
use crate::drawer::quota::Quotas;
use crate::http::FilesSettings;
use crate::http::base::BasePath;
use crate::http::caller::Trust;
use crate::http::stranger::Hosts;
use crate::http::walk::Walks;
use crate::http::zip::Archives;
pub use crate::port::listen::{BindError, Listening};
use crate::port::tls::{Shaking, Tls};

/// How long connections that were broken off may take to notice.
const FALL: Duration = Duration::from_secs(2);

/// No deadline is shorter: a timer wants some time.
const SHORTEST: Duration = Duration::from_millis(1);

/// How a server behaves.
#[derive(Debug, Clone)]
pub struct Config {
    /// The administrator's password, unless the accounts have one of that name.
    pub admin: Option<HashedPassword>,
    /// Who else may sign in.
    pub accounts: Book,
    /// The file that the accounts follow from then on.
    pub accounts_file: Option<AccountsFile>,
    /// The state folder: there the server takes commands of this machine.
    pub state: Option<PathBuf>,
    /// What everybody may who does not sign in, everywhere; none where that was not asked for.
    pub anonymous: Option<Actions>,
    /// Only this machine can call: everybody lists, reads and sends until there is an account.
    pub ease: bool,
    /// The folder where tokens and shares are kept; none: they are forgotten with the server.
    pub keys: Option<PathBuf>,
    /// Nothing is changed in the store here. Tokens, shares and accounts too are another server's,
    /// while one runs that writes: what it changes is followed.
    pub read_only: bool,
    /// The audit log; none is kept without.
    pub audit: Option<AuditPlan>,
    /// The largest file that is taken, in bytes.
    pub max_file_size: Option<u64>,
    /// What uploads under way may take, and how long they are kept.
    pub uploads: UploadLimits,
    /// What one address, and one account, may have of the server.
    pub shares: Shares,
    /// The file of what accounts with a quota keep in this store; in memory alone, without.
    pub usage: Option<PathBuf>,
    /// Names it answers to beside those of the loopback, of its addresses and of its certificate,
    /// without ports.
    pub hosts: Vec<String>,
    /// How it encrypts; none: it does not, and serves this machine alone unless `plain` is set.
    pub tls: Option<Tls>,
    /// Unencrypted requests are answered wherever they come from: a proxy stands before it.
    pub plain: bool,
    /// Who is on this machine needs no encryption. False treats this machine as any other.
    pub trust_loopback: bool,
    /// Proxies whose word about the address of others counts.
    pub proxies: Vec<IpNet>,
    /// The prefix under which a proxy serves it.
    pub base: BasePath,
    /// Connections at once.
    pub connections: usize,
    /// Sessions at once.
    pub sessions: usize,
    /// How long what is under way may take to end when the server goes down.
    pub grace: Duration,
    /// From a request's first byte to the end of its head.
    pub head: Duration,
    /// How long a connection may rest between requests.
    pub idle: Duration,
    /// How long a peer may take nothing of what is sent to it.
    pub stall: Duration,
    /// How often a session is pinged.
    pub keep_alive: Duration,
    /// Everything is read again whenever the last time is so long ago.
    pub verify_every: Option<Duration>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            admin: None,
            accounts: Book::default(),
            accounts_file: None,
            state: None,
            anonymous: None,
            ease: true,
            keys: None,
            read_only: false,
            audit: None,
            max_file_size: None,
            uploads: UploadLimits::default(),
            shares: Shares::default(),
            usage: None,
            hosts: Vec::new(),
            tls: None,
            plain: false,
            trust_loopback: true,
            proxies: Vec::new(),
            base: BasePath::default(),
            connections: 1024,
            sessions: 256,
            grace: Duration::from_secs(10),
            head: Duration::from_secs(10),
            idle: Duration::from_secs(70),
            stall: Duration::from_secs(30),
            keep_alive: Duration::from_secs(30),
            verify_every: None,
        }
    }
}

impl Config {
    /// A server whose administrator has this password, hashed at the lowest cost: for tests, where
    /// it is no secret.
    ///
    /// # Errors
    /// `BadRequest` when the password is empty or too long.
    pub fn for_tests(password: &str) -> Result<Self> {
        Ok(Self {
            admin: Some(HashedPassword::cheap(password)?),
            ..Self::default()
        })
    }
}

/// How far the server has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    Open,
    Closing,
    Over,
}

impl Phase {
    /// Nothing new is begun.
    pub(crate) fn is_closing(self) -> bool {
        self >= Self::Closing
    }

    /// What is still under way is broken off.
    pub(crate) fn is_over(self) -> bool {
        self == Self::Over
    }
}

/// Deadlines.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) grace: Duration,
    pub(crate) head: Duration,
    pub(crate) idle: Duration,
    pub(crate) stall: Duration,
    pub(crate) keep_alive: Duration,
}

/// What every connection of one server shares.
#[derive(Debug)]
pub(crate) struct House {
    pub(crate) drawer: Arc<Drawer>,
    pub(crate) files: FilesSettings,
    pub(crate) hosts: Hosts,
    /// The file of the accounts; none: nobody changes them here.
    pub(crate) keeping: Option<Arc<Keeping>>,
    /// What all archives under way share.
    pub(crate) archives: Archives,
    /// The turns of walks through folders.
    pub(crate) walks: Walks,
    pub(crate) trust: Trust,
    pub(crate) base: BasePath,
    pub(crate) tls: Option<Tls>,
    pub(crate) shaking: Arc<Shaking>,
    pub(crate) limits: Limits,
    phase: watch::Receiver<Phase>,
    pub(crate) connections: Arc<Semaphore>,
    pub(crate) sessions: Arc<Semaphore>,
    verify_every: Option<Duration>,
}

impl House {
    /// Is the server going down?
    pub(crate) fn is_closing(&self) -> bool {
        self.phase.borrow().is_closing()
    }

    /// Waits until the server goes down.
    pub(crate) async fn closing(&self) {
        let _ = self
            .phase
            .clone()
            .wait_for(|phase| phase.is_closing())
            .await;
    }

    /// Waits until what is still under way is to be broken off.
    pub(crate) async fn over(&self) {
        let _ = self.phase.clone().wait_for(|phase| phase.is_over()).await;
    }
}

/// Takes commands of this machine; without, when the state folder does not let it.
fn control(state: &Path, port: u16) -> Option<Control> {
    match Control::bind(state, port) {
        Ok(control) => Some(control),
        Err(error) => {
            tracing::warn!(target: "gaveta::control", %error, "no commands of this machine");
            None
        }
    }
}

/// A server, ready to run.
#[derive(Debug)]
pub struct Server {
    house: Arc<House>,
    phase: Arc<watch::Sender<Phase>>,
    places: u32,
    listeners: Vec<TcpListener>,
    addresses: Vec<SocketAddr>,
    state: Option<PathBuf>,
}

/// A task that ends with whoever holds it.
struct AbortOnDrop(JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Ends a server from elsewhere.
#[derive(Debug, Clone)]
pub struct Handle(Arc<watch::Sender<Phase>>);

impl Handle {
    /// Takes nothing new and lets what is under way end, for as long as the grace lasts.
    pub fn close(&self) {
        self.advance(Phase::Closing);
    }

    /// Breaks off what is under way.
    pub fn stop_now(&self) {
        self.advance(Phase::Over);
    }

    fn advance(&self, to: Phase) {
        self.0.send_if_modified(|phase| {
            let further = *phase < to;
            if further {
                *phase = to;
            }
            further
        });
    }
}

impl Server {
    /// Serves this store on sockets that listen already. Within a runtime.
    ///
    /// # Errors
    /// `Io` when the sockets cannot join the runtime or the system has no random numbers.
    pub fn new(config: Config, listening: Listening, store: Arc<dyn Store>) -> Result<Self> {
        let addresses = listening.addresses().to_vec();
        let outside = listening.is_outside();
        if config.tls.is_none() && !config.plain && outside {
            return Err(Error::new(ErrorKind::Insecure));
        }
        let listeners = listening
            .into_sockets()
            .into_iter()
            .map(|socket| TcpListener::from_std(socket).map_err(Error::from))
            .collect::<Result<Vec<_>>>()?;
        let places = u32::try_from(config.connections.clamp(1, 1 << 20)).unwrap_or(1);
        let (phase, phase_seen) = watch::channel(Phase::Open);
        let base = Base {
            admin: config.admin,
            // Whatever was asked for: it ends off the loopback and behind a proxy.
            ease: config.ease && !outside && !config.plain && config.proxies.is_empty(),
            anonymous: config.anonymous,
        };
        let accounts = Accounts::new(base, &config.accounts);
        let entrance = Entrance::new(accounts)?;
        let quotas = Quotas::open(config.usage)?;
        let using = match config.read_only {
            true => Using::Reading,
            false => Using::Serving,
        };
        let keys = Keys::open(
            config.keys.as_deref(),
            Arc::clone(&entrance.accounts),
            using,
        )?;
        let audit = match &config.audit {
            Some(plan) => Audit::open(plan).map_err(|error| {
                let path = plan.path.display();
                Error::new(ErrorKind::Io).because(format!("{path}: {error}"))
            })?,
            None => Audit::default(),
        };
        let drawer = Drawer::keeping(store, entrance, config.uploads, keys, audit);
        let drawer = drawer.sharing(config.shares, quotas);
        let keeping = config.accounts_file.map(|file| {
            let book = config.accounts;
            Arc::new(Keeping::new(Arc::clone(&drawer), file, book))
        });
        let house = House {
            drawer,
            files: FilesSettings {
                max_file_size: config.max_file_size,
            },
            keeping,
            archives: Archives::default(),
            walks: Walks::default(),
            hosts: Hosts::also(
                &config.hosts,
                config.tls.as_ref().map(|tls| Arc::clone(tls.shown())),
            ),
            trust: Trust {
                plain: config.plain,
                loopback: config.trust_loopback,
                proxies: config.proxies,
            },
            base: config.base,
            tls: config.tls,
            shaking: Arc::default(),
            limits: Limits {
                grace: config.grace,
                head: config.head,
                idle: config.idle.max(SHORTEST),
                stall: config.stall.max(SHORTEST),
                keep_alive: config.keep_alive.max(SHORTEST),
            },
            phase: phase_seen,
            connections: Arc::new(Semaphore::new(places as usize)),
            sessions: Arc::new(Semaphore::new(config.sessions)),
            verify_every: config.verify_every,
        };
        Ok(Self {
            house: Arc::new(house),
            phase: Arc::new(phase),
            places,
            listeners,
            addresses,
            state: config.state,
        })
    }

    /// Listens on a free port of the loopback and serves this store there.
    ///
    /// # Errors
    /// As [`Server::new`], and `Io` when no port can be had.
    pub async fn bind(config: Config, store: Arc<dyn Store>) -> Result<Self> {
        let listening = tokio::task::spawn_blocking(|| Listening::bind("localhost", 0))
            .await
            .map_err(std::io::Error::other)?
            .map_err(std::io::Error::other)?;
        Self::new(config, listening, store)
    }

    /// Where it listens.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Ends it from elsewhere.
    pub fn handle(&self) -> Handle {
        Handle(Arc::clone(&self.phase))
    }

    /// Runs until `shutdown` is ready (or [`Handle::close`] was called) and what is under way has
    /// ended, at the latest when the grace is over or [`Handle::stop_now`] was called. Content
    /// under way by then is never published: nothing but a whole commit publishes.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> Totals {
        let handle = self.handle();
        let house = self.house;
        // Before anybody begins another.
        house.drawer.count_uploads().await;
        let keeping = AbortOnDrop(tokio::spawn(Arc::clone(&house.drawer).keep_uploads()));
        let keeping_keys = AbortOnDrop(tokio::spawn(Arc::clone(&house.drawer.keys).keep()));
        let verifying = house.verify_every.map(|every| {
            let drawer = Arc::clone(&house.drawer);
            AbortOnDrop(tokio::spawn(drawer.keep_verifying(every)))
        });
        let tls = house
            .tls
            .clone()
            .map(|tls| AbortOnDrop(tokio::spawn(tls.keep())));
        let following = house
            .keeping
            .clone()
            .map(|keeping| AbortOnDrop(tokio::spawn(async move { keeping.follow().await })));
        let mut stewards: Vec<Arc<dyn Steward>> = Vec::new();
        stewards.extend(
            house
                .keeping
                .clone()
                .map(|keeping| keeping as Arc<dyn Steward>),
        );
        let controlled = self.state.as_deref().and_then(|state| {
            let control = control(state, self.addresses.first()?.port())?;
            let house = Arc::clone(&house);
            Some(AbortOnDrop(tokio::spawn(control.serve(house, stewards))))
        });
        let mut accepting = JoinSet::new();
        for listener in self.listeners {
            accepting.spawn(crate::port::accept(listener, Arc::clone(&house)));
        }
        tokio::select! {
            () = shutdown => {}
            () = house.closing() => {}
        }
        handle.close();
        tracing::info!(
            target: "gaveta::server", grace_seconds = house.limits.grace.as_secs(), "going down"
        );
        drop((keeping, keeping_keys, verifying, following, controlled, tls));
        while accepting.join_next().await.is_some() {}
        let all_gone = house.connections.acquire_many(self.places);
        tokio::pin!(all_gone);
        let gone = tokio::select! {
            _ = &mut all_gone => true,
            () = tokio::time::sleep(house.limits.grace) => false,
            () = house.over() => false,
        };
        handle.stop_now();
        if !gone && timeout(FALL, all_gone).await.is_err() {
            tracing::warn!(target: "gaveta::server", "some connections do not end");
        }
        // What was counted and done until the last moment is kept, if the disk lets it.
        let _ = Arc::clone(&house.drawer.keys).keep_news().await;
        let drawer = Arc::clone(&house.drawer);
        let _ = tokio::task::spawn_blocking(move || drawer.flush(FALL)).await;
        let totals = house.drawer.meters.totals();
        tracing::info!(
            target: "gaveta::server", requests = totals.requests, written = totals.written,
            read = totals.read, "down"
        );
        totals
    }

    /// Runs beside the caller.
    pub fn spawn(self) -> Running {
        let (handle, addresses) = (self.handle(), self.addresses.clone());
        let drawer = Arc::clone(&self.house.drawer);
        let task = tokio::spawn(self.run(std::future::pending()));
        Running {
            handle,
            addresses,
            drawer,
            task,
        }
    }
}

/// A server that runs beside the caller. Dropping it ends the server at once.
#[derive(Debug)]
pub struct Running {
    handle: Handle,
    addresses: Vec<SocketAddr>,
    drawer: Arc<Drawer>,
    task: JoinHandle<Totals>,
}

impl Running {
    /// Where it listens.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Its first address: 127.0.0.1, by default.
    pub fn address(&self) -> SocketAddr {
        self.addresses
            .first()
            .copied()
            .unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 0)))
    }

    /// Ends it from elsewhere.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// What was counted so far.
    pub fn stats(&self) -> Totals {
        self.drawer.meters.totals()
    }

    /// Ends it in order and waits for that.
    ///
    /// # Errors
    /// `Io` when its task was broken off.
    pub async fn stop(mut self) -> Result<Totals> {
        self.handle.close();
        (&mut self.task)
            .await
            .map_err(|error| Error::from(std::io::Error::other(error)))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.handle.stop_now();
    }
}
