//! The threads that compute password hashes.
//!
//! Always the same few, whoever asks: what else waits for a thread does not wait for them.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, mpsc};
use std::thread;

use gaveta_core::{Error, ErrorKind, Result};
use tokio::sync::oneshot;

/// Hashes computed at once, for all: each takes 19 MiB and tens of milliseconds.
pub(super) const AT_ONCE: usize = 2;

type Job = Box<dyn FnOnce() + Send>;

/// Where work is handed in; whoever does so bounds how much waits there.
static WORK: OnceLock<mpsc::Sender<Job>> = OnceLock::new();

/// Computes a hash, and gives the turn back with it. When nobody waits for it any more, the turn
/// ends with the computing.
///
/// # Errors
/// `Io` when no thread can be had, or the work broke off.
pub(super) async fn computed<T: Send + 'static, P: Send + 'static>(
    turn: P,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<(T, P)> {
    let (done, answer) = oneshot::channel();
    let job = Box::new(move || {
        // Nobody may wait any more.
        let _ = done.send((work(), turn));
    });
    let lost = |_| Error::new(ErrorKind::Io).because("no hash could be computed");
    hashers()?.send(job).map_err(|_| ()).map_err(lost)?;
    answer.await.map_err(|_| ()).map_err(lost)
}

fn hashers() -> Result<mpsc::Sender<Job>> {
    if let Some(work) = WORK.get() {
        return Ok(work.clone());
    }
    let (give, take) = mpsc::channel::<Job>();
    let take = Arc::new(Mutex::new(take));
    for _ in 0..AT_ONCE {
        let take = Arc::clone(&take);
        let hasher = thread::Builder::new().name("hasher".to_owned());
        hasher.spawn(move || compute(&take))?;
    }
    // Were two here at once, the threads of the other end with what they were given.
    Ok(WORK.get_or_init(|| give).clone())
}

/// Does what comes, one after the other, until nobody can give anything more.
fn compute(take: &Mutex<mpsc::Receiver<Job>>) {
    loop {
        let job = take.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = job else { return };
        // Work that breaks off takes no thread with it.
        let _ = catch_unwind(AssertUnwindSafe(job));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[tokio::test(flavor = "multi_thread")]
    async fn however_many_hashes_are_computed_it_is_on_the_same_few_threads() {
        let works = (0..64).map(|_| computed((), || thread::current().id()));
        let ids = futures_util::future::join_all(works).await;
        let ids: HashSet<_> = ids.into_iter().map(|done| done.unwrap().0).collect();
        assert!(ids.len() <= AT_ONCE, "{}", ids.len());
        for _ in 0..2 * AT_ONCE {
            let broken = computed((), || -> () { panic!("as a test wants it") }).await;
            assert_eq!(broken.unwrap_err().kind(), ErrorKind::Io);
        }
        assert_eq!(computed(7, || 8).await.unwrap(), (8, 7));
    }
}
