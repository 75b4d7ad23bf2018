//! What a session or a POST may ask of a drawer: small, without content.
//!
//! The session and the POST run the same `execute(command, view)` of the server.

use crate::entry::{Entry, Space};
use crate::listing::ListPlan;
use crate::path::Path;
use crate::store::{MovePlan, RemovePlan, TouchPlan};
use crate::trash::{RestorePlan, TrashId, TrashPlan, TrashState, Trashed};
use crate::verify::{Finding, VerifyOrder, VerifyState};

/// One operation on the drawer.
#[derive(Debug, Clone)]
pub enum Command {
    /// What a folder holds; one page.
    List(Path, ListPlan),
    /// What is there.
    Stat(Path),
    /// Make a folder.
    MakeFolder(Path),
    /// Rename.
    Rename(Path, Path, MovePlan),
    /// Copy.
    Copy(Path, Path, MovePlan),
    /// Set times or the executable bit.
    Touch(Path, TouchPlan),
    /// Remove.
    Remove(Path, RemovePlan),
    /// How much room there is.
    Space,
    /// What was deleted or replaced; one page of at most so many.
    Trash(TrashPlan, usize),
    /// Bring something back.
    Restore(TrashId, RestorePlan),
    /// Destroy one thing.
    Purge(TrashId),
    /// Destroy what is meant, some of it in one go.
    Empty(TrashPlan),
    /// How much the trash holds.
    TrashState,
    /// Read everything again.
    Verify(VerifyOrder),
}

impl Command {
    /// The stable word for this command, as it goes over the line.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::List(..) => "list",
            Self::Stat(_) => "stat",
            Self::MakeFolder(_) => "make-folder",
            Self::Rename(..) => "rename",
            Self::Copy(..) => "copy",
            Self::Touch(..) => "touch",
            Self::Remove(..) => "delete",
            Self::Space => "space",
            Self::Trash(..) => "trash",
            Self::Restore(..) => "restore",
            Self::Purge(_) => "purge",
            Self::Empty(_) => "empty-trash",
            Self::TrashState => "trash-state",
            Self::Verify(VerifyOrder::Start { .. }) => "verify-start",
            Self::Verify(VerifyOrder::Stop) => "verify-stop",
            Self::Verify(VerifyOrder::Tell { .. }) => "verify",
        }
    }

    /// What it is about, first of all.
    pub fn path(&self) -> Path {
        match self {
            Self::List(path, _)
            | Self::Stat(path)
            | Self::MakeFolder(path)
            | Self::Rename(path, ..)
            | Self::Copy(path, ..)
            | Self::Touch(path, _)
            | Self::Remove(path, _) => path.clone(),
            Self::Trash(plan, _) | Self::Empty(plan) => {
                plan.path.clone().unwrap_or_else(Path::root)
            }
            Self::Restore(_, plan) => plan.to.clone().unwrap_or_else(Path::root),
            Self::Space | Self::Purge(_) | Self::TrashState | Self::Verify(_) => Path::root(),
        }
    }
}

/// What came of a [`Command`].
#[derive(Debug, Clone)]
pub enum Answer {
    /// Done; nothing to tell.
    Done,
    /// The entry as it is now.
    Entry(Entry),
    /// One page of a folder.
    Page {
        /// The entries.
        entries: Vec<Entry>,
        /// How many more things lie there whose names cannot be used, in the pages so far seen.
        unnameable: u64,
        /// The cursor of the next page, when there may be one.
        next: Option<String>,
    },
    /// The room.
    Space(Space),
    /// One page of the trash.
    Trash {
        /// The newest first.
        list: Vec<Trashed>,
        /// The last one looked at, when there may be more.
        next: Option<TrashId>,
    },
    /// So many things were destroyed.
    Purged {
        /// How many.
        things: u64,
        /// There may be more.
        more: bool,
    },
    /// How much the trash holds.
    TrashState(TrashState),
    /// How far the verification is, and some of what it found.
    Verify(VerifyState, Vec<Finding>),
}
