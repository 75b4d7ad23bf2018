//! What happened in a drawer, as sessions are told.

use crate::entry::Entry;
use crate::path::Path;

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventKind {
    /// Something is there that was not.
    Created(Entry),
    /// The content or an attribute changed.
    Changed(Entry),
    /// It is gone, with all that was in it.
    Deleted,
    /// It has another name, with all that is in it.
    Renamed(Entry),
}

/// Something that happened through the server (not: what other programs do to the folder).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Where; for a rename, the old path (the new one is in the entry).
    pub path: Path,
    /// What.
    pub kind: EventKind,
    /// The name of the account that did it.
    pub by: String,
}

impl Event {
    /// Does it concern what is at `watched` or beneath?
    pub fn concerns(&self, watched: &Path) -> bool {
        let to = match &self.kind {
            EventKind::Renamed(entry) => watched.holds(&entry.path),
            EventKind::Created(_) | EventKind::Changed(_) | EventKind::Deleted => false,
        };
        // What holds the watched path concerns it too: its folder was renamed or deleted.
        to || watched.holds(&self.path) || self.path.holds(watched)
    }
}
