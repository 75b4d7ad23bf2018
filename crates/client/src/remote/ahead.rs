//! Connections that are opened before somebody wants them.

use std::collections::VecDeque;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

/// For so long a connection is taken to be open still, over which nothing was sent.
const FRESH: Duration = Duration::from_secs(3);

/// Connections in the order in which they were begun. Clones share them; those that nobody took
/// are closed with the last clone.
#[derive(Debug)]
pub(super) struct Ahead<S>(Arc<Mutex<VecDeque<Begun<S>>>>);

/// When it was begun, and what came of it.
type Begun<S> = (Instant, oneshot::Receiver<(S, Instant)>);

impl<S> Clone for Ahead<S> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<S> Default for Ahead<S> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<S: Send + 'static> Ahead<S> {
    /// Begins one. What is wrong with it hears whoever makes one himself. Must run within a tokio
    /// runtime.
    pub(super) fn begin<E>(&self, opening: impl Future<Output = Result<S, E>> + Send + 'static) {
        let (ready, begun) = oneshot::channel();
        self.begun().push_back((Instant::now(), begun));
        tokio::spawn(async move {
            if let Ok(stream) = opening.await {
                let _ = ready.send((stream, Instant::now()));
            }
        });
    }

    /// How many were begun just now; closes the others.
    pub(super) fn prune(&self) -> usize {
        let mut begun = self.begun();
        begun.retain(|(since, _)| since.elapsed() < FRESH);
        begun.len()
    }

    /// The next one, waited for when it is under way; none when none was begun that is of use.
    /// Whoever stops waiting closes it.
    pub(super) async fn take(&self) -> Option<S> {
        loop {
            let (_, next) = self.begun().pop_front()?;
            match next.await {
                Ok((stream, at)) if at.elapsed() < FRESH => return Some(stream),
                Ok(_) | Err(_) => {}
            }
        }
    }

    fn begun(&self) -> MutexGuard<'_, VecDeque<Begun<S>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_failed_or_is_old_is_passed_over() {
        let ahead = Ahead::default();
        assert_eq!(ahead.take().await, None);
        ahead.begin(async { Ok::<_, ()>(1) });
        tokio::time::sleep(FRESH).await;
        ahead.begin(async { Err(()) });
        ahead.begin(async {
            tokio::time::sleep(2 * FRESH).await;
            Ok::<_, ()>(2)
        });
        ahead.begin(async { Ok::<_, ()>(3) });
        // The third is waited for, so the last is old then.
        assert_eq!(ahead.take().await, Some(2));
        assert_eq!(ahead.prune(), 0);
        assert_eq!(ahead.take().await, None);
        ahead.begin(async { Ok::<_, ()>(4) });
        assert_eq!(ahead.prune(), 1);
        assert_eq!(ahead.take().await, Some(4));
        ahead.begin(async { Ok::<_, ()>(5) });
        tokio::time::sleep(FRESH).await;
        assert_eq!(ahead.prune(), 0);
    }
}
