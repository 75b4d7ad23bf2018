//! What came of reading everything again, without trusting any digest that was kept.

use std::time::SystemTime;

use crate::error::{Error, Result};
use crate::path::Path;
use crate::trash::TrashId;

/// How far it is, and what was found so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VerifyState {
    /// Is it going on now?
    pub running: bool,
    /// When it began; none when there was none yet.
    pub began: Option<SystemTime>,
    /// When it ended; none when it was stopped, and goes on from there when asked to.
    pub ended: Option<SystemTime>,
    /// Files read, those in the trash too.
    pub files: u64,
    /// Bytes read.
    pub bytes: u64,
    /// Files that are what was published.
    pub sound: u64,
    /// Files that another program changed.
    pub changed: u64,
    /// Files of which nothing was kept to compare with.
    pub undigested: u64,
    /// Files that lost what was published.
    pub rotten: u64,
    /// Files that could not be read.
    pub unreadable: u64,
    /// Things in the store's own place that belong to nobody.
    pub strays: u64,
    /// What was read last.
    pub at: Option<Path>,
    /// How many findings are told; what is more than [`MAX_FINDINGS`] is only counted.
    pub findings: u64,
}

impl VerifyState {
    /// Is something wrong that no program did on purpose?
    pub fn is_bad(&self) -> bool {
        self.rotten > 0 || self.unreadable > 0
    }
}

/// The most findings that are told one by one.
pub const MAX_FINDINGS: usize = 1000;

/// What a [`Finding`] is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FindingKind {
    /// A file whose content is not what was published, though nothing says that it was changed.
    Rotten,
    /// A file that another program changed.
    Changed,
    /// A file of which nothing was kept to compare with.
    Undigested,
    /// A file that cannot be read.
    Unreadable,
    /// Something in the store's own place that belongs to nobody.
    Stray,
}

impl FindingKind {
    /// Every kind, for tables and tests.
    pub const ALL: [Self; 5] = [
        Self::Rotten,
        Self::Changed,
        Self::Undigested,
        Self::Unreadable,
        Self::Stray,
    ];

    /// The stable word, as it goes over the line.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Rotten => "rotten",
            Self::Changed => "changed",
            Self::Undigested => "undigested",
            Self::Unreadable => "unreadable",
            Self::Stray => "stray",
        }
    }

    /// The kind of a [code](Self::code).
    ///
    /// # Errors
    /// `BadRequest`.
    pub fn from_code(code: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|kind| kind.code() == code);
        found.ok_or_else(|| Error::bad_request("unknown finding"))
    }
}

/// One thing that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What.
    pub kind: FindingKind,
    /// Where: a path as text; of a stray, its name in the store's own place, escaped.
    pub path: String,
    /// It lies in the trash under this id.
    pub trashed: Option<TrashId>,
    /// An earlier version in the trash that was read too and is sound.
    pub better: Option<TrashId>,
}

/// What to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VerifyOrder {
    /// Begin, or go on where it was stopped; `afresh` begins in any case.
    Start {
        /// From the beginning.
        afresh: bool,
    },
    /// Stop; it can go on later.
    Stop,
    /// Tell how far it is, and the findings after so many.
    Tell {
        /// So many are known.
        after: u64,
    },
}
