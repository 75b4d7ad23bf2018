//! In-process locks by path: between a look and the change that rests on it, no other request of
//! this server changes the same name.

use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};

use gaveta_core::{Path, UploadId};

const STRIPES: usize = 256;

/// A fixed number of locks; two paths may share one.
#[derive(Debug)]
pub(crate) struct Locks {
    stripes: Vec<Mutex<()>>,
    hash: RandomState,
}

/// Held while the change is made. For blocking threads.
#[derive(Debug)]
pub(crate) struct Held<'a>(
    #[allow(dead_code, reason = "held for its drop")] Vec<MutexGuard<'a, ()>>,
);

impl Locks {
    pub(crate) fn new() -> Self {
        Self {
            stripes: (0..STRIPES).map(|_| Mutex::new(())).collect(),
            hash: RandomState::new(),
        }
    }

    /// Locks all these paths, in one order for all callers.
    pub(crate) fn hold(&self, paths: &[&Path]) -> Held<'_> {
        let mut indices: Vec<usize> = paths.iter().map(|path| self.index(path)).collect();
        indices.sort_unstable();
        indices.dedup();
        let stripes = indices
            .into_iter()
            .filter_map(|index| self.stripes.get(index));
        Held(stripes.map(lock).collect())
    }

    fn index(&self, path: &Path) -> usize {
        usize::try_from(self.hash.hash_one(path) % STRIPES as u64).unwrap_or(0)
    }
}

/// Locks, also after a panic elsewhere: what the locks of this crate guard is changed in single
/// steps, none of which can be found half done.
pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Turns by upload: a fixed number of asynchronous locks; two uploads may share one.
#[derive(Debug)]
pub(crate) struct Turns(Vec<tokio::sync::Mutex<()>>, RandomState);

impl Default for Turns {
    fn default() -> Self {
        let turns = (0..STRIPES).map(|_| tokio::sync::Mutex::new(()));
        Self(turns.collect(), RandomState::new())
    }
}

impl Turns {
    /// Waits for the turn of this upload.
    pub(crate) async fn take(&self, id: &UploadId) -> Option<tokio::sync::MutexGuard<'_, ()>> {
        let index = usize::try_from(self.1.hash_one(id) % STRIPES as u64).unwrap_or(0);
        match self.0.get(index) {
            Some(turn) => Some(turn.lock().await),
            None => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_two_paths_can_be_held_by_many_threads() {
        let locks = Locks::new();
        let paths: Vec<Path> = (0..50)
            .map(|n| Path::parse(&format!("{n}")).unwrap())
            .collect();
        std::thread::scope(|scope| {
            for start in 0..4 {
                let (locks, paths) = (&locks, &paths);
                scope.spawn(move || {
                    for n in 0..500usize {
                        let (a, b) = (&paths[(n * 7 + start) % 50], &paths[(n * 3) % 50]);
                        drop(locks.hold(&[a, b]));
                        drop(locks.hold(&[b, a, a]));
                    }
                });
            }
        });
    }
}
