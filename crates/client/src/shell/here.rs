//! Where one is: the server, the folder of it, and what the shell remembers as long as it runs.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gaveta_core::Path;

use crate::address::{Address, Server};
use crate::drawer::{Drawer, Folder};
use crate::fault::Outcome;

/// How many deleted things are remembered.
const MAX_DELETED: usize = 10_000;

/// What the last command that deleted something deleted.
#[derive(Debug, Clone, Default)]
pub(crate) struct Deleted {
    /// At most [`MAX_DELETED`] of them.
    pub(crate) paths: Vec<Path>,
    /// By a password that was lent to that command alone: who brings it back needs it again.
    pub(crate) lent: bool,
}

/// Where one is. One of a shell; the drawer's sign-in lives as long as it does, and no longer.
#[derive(Debug)]
pub(crate) struct Here {
    drawer: Drawer,
    server: Server,
    folder: Folder,
    before: Mutex<Path>,
    events: AtomicBool,
    leaving: AtomicBool,
    /// What the last command that deleted something deleted, for `undo`.
    deleted: Mutex<Deleted>,
    /// Grows whenever names may have changed.
    changes: AtomicU64,
}

impl Here {
    /// In this folder of the drawer of this server.
    pub(crate) fn new(drawer: Drawer, server: Server, folder: Path, events: bool) -> Self {
        let shared: Folder = Arc::new(Mutex::new(folder));
        Self {
            drawer: drawer.seen_from(Arc::clone(&shared)),
            server,
            folder: shared,
            before: Mutex::new(Path::root()),
            events: AtomicBool::new(events),
            leaving: AtomicBool::new(false),
            deleted: Mutex::default(),
            changes: AtomicU64::new(0),
        }
    }

    /// The drawer, seen from here.
    pub(crate) fn drawer(&self) -> &Drawer {
        &self.drawer
    }

    /// The server.
    pub(crate) fn server(&self) -> &Server {
        &self.server
    }

    /// The folder.
    pub(crate) fn folder(&self) -> Path {
        lock(&self.folder).clone()
    }

    /// The folder one was in before.
    pub(crate) fn before(&self) -> Path {
        lock(&self.before).clone()
    }

    /// Goes into another folder.
    pub(crate) fn enter(&self, folder: Path) {
        let before = std::mem::replace(&mut *lock(&self.folder), folder);
        *lock(&self.before) = before;
    }

    /// What a word names, from here.
    ///
    /// # Errors
    /// As [`Address::near`].
    pub(crate) fn address(&self, typed: &str) -> Outcome<Address> {
        Address::near(&self.server, &self.folder(), typed)
    }

    /// Are the events of others told?
    pub(crate) fn tells_events(&self) -> bool {
        self.events.load(Ordering::Relaxed)
    }

    /// Whether to tell the events of others.
    pub(crate) fn tell_events(&self, tell: bool) {
        self.events.store(tell, Ordering::Relaxed);
    }

    /// Somebody wants to leave.
    pub(crate) fn leave(&self) {
        self.leaving.store(true, Ordering::Relaxed);
    }

    /// Does somebody want to leave?
    pub(crate) fn is_leaving(&self) -> bool {
        self.leaving.load(Ordering::Relaxed)
    }

    /// What the last command that deleted something deleted.
    pub(crate) fn deleted(&self) -> Deleted {
        lock(&self.deleted).clone()
    }

    /// This was deleted, with a lent password or without.
    pub(crate) fn remember_deleted(&self, mut paths: Vec<Path>, lent: bool) {
        paths.truncate(MAX_DELETED);
        *lock(&self.deleted) = Deleted { paths, lent };
    }

    /// Nothing that was deleted is remembered any more.
    pub(crate) fn forget_deleted(&self) {
        *lock(&self.deleted) = Deleted::default();
    }

    /// Names on the server may have changed.
    pub(crate) fn changed(&self) {
        self.changes.fetch_add(1, Ordering::Relaxed);
    }

    /// Another number whenever names may have changed.
    pub(crate) fn changes(&self) -> u64 {
        self.changes.load(Ordering::Relaxed)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
