//! Who is behind a request: a pass, which is asked again whenever accounts change.

use std::fmt;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use futures_core::Stream;
use gaveta_core::{Account, Error, ErrorKind, Result};
use tokio::sync::watch;

use super::accounts::Everybody;
use super::gate::Need;
use super::keys::shares::{Share, Shares};

/// How somebody came to be who he is: a name and password, a token, a share, or nothing at all.
/// Asked after every change.
pub(crate) trait Standing: fmt::Debug + Send + Sync {
    /// The account as it is now; none when the standing has ended (revoked, expired, disabled,
    /// another password). What has ended stays so, whatever this says later.
    fn account(&self) -> Option<Account>;

    /// What he came by.
    fn by(&self) -> By {
        By::Himself
    }
}

/// What somebody came by.
#[derive(Debug, Clone)]
pub(crate) enum By {
    /// A name and password, or nothing at all.
    Himself,
    /// The token of this id.
    Token(String),
    /// This share, which counts what it gives.
    Share(Arc<Share>, Arc<Shares>),
}

/// Whoever is who he is for good: the server itself, and tests.
impl Standing for Account {
    fn account(&self) -> Option<Account> {
        Some(self.clone())
    }
}

/// Counts the changes of accounts, tokens and shares. Whoever makes one counts it, once it is in
/// force: passes look again.
#[derive(Debug)]
pub(crate) struct Changes(watch::Sender<u64>);

impl Default for Changes {
    fn default() -> Self {
        Self(watch::channel(0).0)
    }
}

impl Changes {
    /// Something changed, or may have.
    pub(crate) fn happened(&self) {
        self.0.send_modify(|generation| *generation += 1);
    }

    fn now(&self) -> u64 {
        *self.0.borrow()
    }

    fn watch(&self) -> watch::Receiver<u64> {
        self.0.subscribe()
    }
}

/// Through which door somebody came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Door {
    /// HTTP: files, uploads, chunks, commands.
    Http,
    /// A session.
    Session,
    /// A command of this machine, by the socket in the state folder or beside the server.
    Local,
    /// The server itself.
    Inside,
}

impl Door {
    /// The stable word for this door.
    pub(crate) const fn code(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Session => "session",
            Self::Local => "local",
            Self::Inside => "inside",
        }
    }
}

/// Where somebody came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Origin {
    /// The address, as far as it is known.
    pub(crate) ip: Option<IpAddr>,
    /// The door.
    pub(crate) door: Door,
}

impl Origin {
    /// The server itself.
    #[cfg(test)]
    pub(crate) const INSIDE: Self = Self {
        ip: None,
        door: Door::Inside,
    };
}

/// What whoever asks holds. Cheap to clone; all clones end together.
#[derive(Debug, Clone)]
pub(crate) struct Pass {
    held: Arc<Held>,
    origin: Origin,
}

#[derive(Debug)]
struct Held {
    standing: Box<dyn Standing>,
    changes: Arc<Changes>,
    seen: Mutex<Seen>,
}

#[derive(Debug)]
struct Seen {
    generation: u64,
    account: Arc<Account>,
    ended: bool,
}

impl Pass {
    /// A pass for this standing.
    ///
    /// # Errors
    /// `SignInNeeded` when it has ended already.
    pub(crate) fn new(
        standing: Box<dyn Standing>,
        changes: Arc<Changes>,
        origin: Origin,
    ) -> Result<Self> {
        // Counted before it is asked: a change in between is seen.
        let generation = changes.now();
        let account = standing.account().ok_or_else(ended)?;
        Ok(Self::of(standing, changes, origin, generation, account))
    }

    /// A visitor's pass, which never ends.
    pub(super) fn lasting(everybody: Everybody, changes: Arc<Changes>, origin: Origin) -> Self {
        let generation = changes.now();
        let account = everybody.0.visitor();
        Self::of(Box::new(everybody), changes, origin, generation, account)
    }

    fn of(
        standing: Box<dyn Standing>,
        changes: Arc<Changes>,
        origin: Origin,
        generation: u64,
        account: Account,
    ) -> Self {
        let seen = Mutex::new(Seen {
            generation,
            account: Arc::new(account),
            ended: false,
        });
        let held = Arc::new(Held {
            standing,
            changes,
            seen,
        });
        Self { held, origin }
    }

    /// The same, through another door.
    pub(crate) fn through(&self, origin: Origin) -> Self {
        Self {
            origin,
            ..self.clone()
        }
    }

    /// What whoever holds it came by.
    pub(crate) fn by(&self) -> By {
        self.held.standing.by()
    }

    /// Where whoever holds it came from.
    pub(crate) fn origin(&self) -> Origin {
        self.origin
    }

    /// The account as it is now.
    ///
    /// # Errors
    /// `SignInNeeded` when the pass has ended.
    pub(crate) fn now(&self) -> Result<Arc<Account>> {
        let generation = self.held.changes.now();
        let mut seen = self
            .held
            .seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if !seen.ended && seen.generation != generation {
            match self.held.standing.account() {
                Some(account) if account == *seen.account => {}
                Some(account) => seen.account = Arc::new(account),
                None => seen.ended = true,
            }
            seen.generation = generation;
        }
        match seen.ended {
            true => Err(ended()),
            false => Ok(Arc::clone(&seen.account)),
        }
    }

    /// The account as it was known last, also after the end: for names in logs and events.
    pub(crate) fn last(&self) -> Arc<Account> {
        let _ = self.now();
        let seen = self
            .held
            .seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&seen.account)
    }

    /// Waits until the pass ends. Cancel-safe.
    pub(crate) async fn ended(&self) {
        self.until(|pass| pass.now().err()).await;
    }

    /// Waits until this is no longer granted, and says why. Cancel-safe.
    async fn lost(self, need: Need) -> Error {
        self.until(|pass| pass.now().and_then(|account| need.check(&account)).err())
            .await
    }

    async fn until(&self, over: impl Fn(&Self) -> Option<Error>) -> Error {
        let mut changes = self.held.changes.watch();
        loop {
            if let Some(error) = over(self) {
                return error;
            }
            if changes.changed().await.is_err() {
                // Nobody is left who could change anything.
                std::future::pending::<()>().await;
            }
        }
    }
}

fn ended() -> Error {
    Error::new(ErrorKind::SignInNeeded).because("the sign-in has ended")
}

/// A stream that ends with an error, also while it waits, once its reader may not go on.
pub(crate) struct WhileAllowed<S> {
    stream: S,
    lost: Option<Pin<Box<dyn Future<Output = Error> + Send>>>,
}

impl<S> WhileAllowed<S> {
    /// As long as the holder of the pass is granted what it needs.
    pub(crate) fn new(stream: S, pass: &Pass, need: Need) -> Self {
        let lost = pass.clone().lost(need);
        Self {
            stream,
            lost: Some(Box::pin(lost)),
        }
    }
}

impl<S> fmt::Debug for WhileAllowed<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WhileAllowed").finish_non_exhaustive()
    }
}

impl<S, T> Stream for WhileAllowed<S>
where
    S: Stream<Item = Result<T>> + Unpin,
{
    type Item = Result<T>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(lost) = &mut self.lost else {
            return Poll::Ready(None);
        };
        if let Poll::Ready(error) = lost.as_mut().poll(cx) {
            self.lost = None;
            return Poll::Ready(Some(Err(error)));
        }
        Pin::new(&mut self.stream).poll_next(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::{FutureExt, StreamExt, stream};
    use gaveta_core::{Action, Grants, Path, Role};

    #[derive(Debug, Clone, Default)]
    struct Switch(Arc<Mutex<Option<Account>>>);

    impl Standing for Switch {
        fn account(&self) -> Option<Account> {
            self.0.lock().unwrap().clone()
        }
    }

    fn ana(role: Role) -> Option<Account> {
        Some(Account::named("ana", Grants::everywhere(role.actions())))
    }

    fn pass() -> (Switch, Arc<Changes>, Pass) {
        let (switch, changes) = (Switch::default(), Arc::new(Changes::default()));
        *switch.0.lock().unwrap() = ana(Role::Editor);
        let standing = Box::new(switch.clone());
        let pass = Pass::new(standing, Arc::clone(&changes), Origin::INSIDE).unwrap();
        (switch, changes, pass)
    }

    #[test]
    fn what_has_ended_stays_so() {
        let (switch, changes, pass) = pass();
        *switch.0.lock().unwrap() = ana(Role::Viewer);
        changes.happened();
        assert!(!pass.now().unwrap().may(Action::Create, &Path::root()));
        *switch.0.lock().unwrap() = None;
        changes.happened();
        assert_eq!(pass.now().unwrap_err().kind(), ErrorKind::SignInNeeded);
        *switch.0.lock().unwrap() = ana(Role::Admin);
        changes.happened();
        pass.now().unwrap_err();
        assert_eq!(pass.last().name(), "ana");
        assert!(pass.ended().now_or_never().is_some());
    }

    #[tokio::test]
    async fn a_stream_that_waits_ends_with_what_allowed_it() {
        let (switch, changes, pass) = pass();
        let waits = stream::iter([Ok(1)]).chain(stream::pending());
        let mut waits = WhileAllowed::new(
            Box::pin(waits),
            &pass,
            Need::here(Action::Create, &Path::root()),
        );
        assert_eq!(waits.next().await.unwrap().unwrap(), 1);
        let mut next = Box::pin(waits.next());
        assert!((&mut next).now_or_never().is_none());
        *switch.0.lock().unwrap() = ana(Role::Viewer);
        changes.happened();
        assert_eq!(next.await.unwrap().unwrap_err().kind(), ErrorKind::Denied);
        assert!(waits.next().await.is_none());
    }
}
