//! Walks through folders that a request asks for: bounded in number, in entries, in memory and in time.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use gaveta_core::{Entry, Error, ErrorKind, ListPlan, Listed, Path, Result, Store};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout, timeout_at};

use crate::drawer::View;

/// Walks at once.
const WALKS: usize = 16;
/// How long one waits for its turn.
const TURN: Duration = Duration::from_secs(20);
/// How many entries one looks at.
const MOST: usize = 250_000;
/// What one keeps of the folders it has yet to look into, in bytes of their paths.
const PENDING: usize = 8 * 1024 * 1024;

/// The turns of all walks of a server.
#[derive(Debug, Clone)]
pub(crate) struct Walks(Arc<Semaphore>);

impl Default for Walks {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(WALKS)))
    }
}

impl Walks {
    /// Waits for a turn, which lasts as long as what is given.
    ///
    /// # Errors
    /// `Busy`.
    pub(crate) async fn turn(&self) -> Result<OwnedSemaphorePermit> {
        let turn = Arc::clone(&self.0).acquire_owned();
        match timeout(TURN, turn).await {
            Ok(Ok(turn)) => Ok(turn),
            Ok(Err(_)) | Err(_) => Err(Error::new(ErrorKind::Busy)),
        }
    }
}

/// Why a walk ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// All was seen.
    Whole,
    /// Whoever looked has seen enough.
    Enough,
    /// There is more than a walk looks at.
    Bound,
}

/// Looks at everything beneath a folder, the folder itself not; each entry before what is in it.
/// What lies there under a name that no path can hold is passed over, as is a folder that went
/// away meanwhile. `look` says whether to go on; past `patience` it ends.
///
/// # Errors
/// Those of the store.
pub(crate) async fn walk(
    view: &View,
    folder: &Path,
    patience: Duration,
    mut look: impl FnMut(Entry) -> Result<bool> + Send,
) -> Result<Ended> {
    let until = Instant::now() + patience;
    let mut pending = vec![folder.clone()];
    let (mut seen, mut kept) = (0usize, 0usize);
    while let Some(next) = pending.pop() {
        kept = kept.saturating_sub(next.as_str().len());
        let listing = timeout_at(until, view.list(&next, ListPlan::default())).await;
        let mut listing = match listing {
            Ok(Ok(listing)) => listing,
            Ok(Err(error)) if next != *folder && gone(&error) => continue,
            Ok(Err(error)) => return Err(error),
            Err(_) => return Ok(Ended::Bound),
        };
        loop {
            let Ok(listed) = timeout_at(until, listing.next()).await else {
                return Ok(Ended::Bound);
            };
            let Some(listed) = listed else { break };
            let Listed::Entry(entry) = listed? else {
                continue;
            };
            seen += 1;
            let inner = entry.is_folder().then(|| entry.path.clone());
            if !look(entry)? {
                return Ok(Ended::Enough);
            }
            if let Some(inner) = inner {
                kept += inner.as_str().len();
                pending.push(inner);
            }
            if seen >= MOST || kept > PENDING || Instant::now() >= until {
                return Ok(Ended::Bound);
            }
        }
    }
    Ok(Ended::Whole)
}

fn gone(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::NotFound | ErrorKind::NotFolder | ErrorKind::Permission
    )
}
