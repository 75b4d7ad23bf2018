//! What is known of a server from its greeting, and what was asked beside it: told once, while it
//! is news.

use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use gaveta_core::{Entry, Error, ErrorKind, FAR, Path, Result};
use gaveta_wire::session::AccountBody;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::Line;

/// How long what a greeting told is news.
const NEWS: Duration = Duration::from_secs(10);

/// What was asked beside the greeting: what there is at a path.
pub(super) struct Expected {
    path: Path,
    told: oneshot::Receiver<Result<Entry>>,
    at: Instant,
}

/// How a server greeted.
pub(super) struct Greeting {
    account: AccountBody,
    at: Instant,
}

impl Line {
    /// The server has just said whom it takes us for.
    pub(super) fn news(&self, account: &AccountBody) {
        *self.greeting() = Some(Greeting {
            account: account.clone(),
            at: Instant::now(),
        });
    }

    pub(super) fn greeting(&self) -> MutexGuard<'_, Option<Greeting>> {
        self.greeting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who the greeting was for, told once, while that is news.
    pub(in crate::remote) fn greeted(&self) -> Option<AccountBody> {
        let greeting = self.greeting().take()?;
        (greeting.at.elapsed() < NEWS).then_some(greeting.account)
    }

    /// A transfer follows the greeting, and its first question is what there is at this path: it
    /// is asked at once, over a connection of its own, and what connections are wanted far away
    /// are opened as soon as the first one shows that it is. A visitor's question only: a sign-in
    /// may be wrong, and is tried once. Must run within a tokio runtime.
    pub(in crate::remote) fn expect(self: &Arc<Self>, path: Path) {
        if self.signed_in().is_some() {
            return;
        }
        let (tell, told) = oneshot::channel();
        *self.expected() = Some(Expected {
            path: path.clone(),
            told,
            at: Instant::now(),
        });
        let line = Arc::clone(self);
        tokio::spawn(async move { tell.send(line.ask_stat(&path).await) });
        let line = Arc::clone(self);
        tokio::spawn(async move {
            let dialed = timeout(line.deadlines.connect, line.connector.dialed()).await;
            if dialed.is_ok_and(|took| took.is_some_and(|took| took >= FAR)) {
                line.open_ahead();
            }
        });
    }

    /// What was asked beside the greeting of this path, told once, while it is news: what is there,
    /// or that nothing is.
    pub(super) async fn told(&self, path: &Path) -> Option<Result<Entry>> {
        let expected = {
            let mut expected = self.expected();
            expected.take_if(|expected| expected.path == *path)?
        };
        if expected.at.elapsed() >= NEWS {
            return None;
        }
        let told = expected.told.await.ok()?;
        let is_told = |error: &Error| error.kind() == ErrorKind::NotFound;
        (told.is_ok() || told.as_ref().is_err_and(is_told)).then_some(told)
    }

    pub(super) fn expected(&self) -> MutexGuard<'_, Option<Expected>> {
        self.expected.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
