//! What opens the drawer beside a name and a password: tokens and shares.
//!
//! Both are secrets of 256 random bits, shown once and kept as a hash, which narrow what their
//! account may do: they never give more than the account has at the moment of each operation.

pub(crate) mod secret;
pub(crate) mod shares;
mod sheet;
pub(crate) mod tokens;

use std::time::{Duration, SystemTime};

use gaveta_core::{Action, Path};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

/// Actions beneath a path: what a token keeps of its account's grants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Narrow {
    /// Where, and beneath.
    pub(crate) path: Path,
    /// What.
    pub(crate) actions: Vec<Action>,
}

impl Narrow {
    /// Does it leave this?
    pub(crate) fn leaves(&self, action: Action, path: &Path) -> bool {
        self.path.holds(path) && self.actions.contains(&action)
    }
}

/// As it is kept.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct NarrowRecord {
    path: String,
    actions: Vec<String>,
}

impl From<&Narrow> for NarrowRecord {
    fn from(narrow: &Narrow) -> Self {
        Self {
            path: narrow.path.as_str().to_owned(),
            actions: narrow
                .actions
                .iter()
                .map(|action| action.code().to_owned())
                .collect(),
        }
    }
}

impl NarrowRecord {
    /// None when it makes no sense.
    fn read(&self) -> Option<Narrow> {
        let known = |code: &String| Action::ALL.into_iter().find(|action| action.code() == code);
        Some(Narrow {
            path: Path::parse(&self.path).ok()?,
            actions: self.actions.iter().map(known).collect::<Option<_>>()?,
        })
    }
}

/// The time for what expires: whichever is later of the wall's clock and of one that only goes on,
/// so that a clock that was put back brings nothing to life again.
#[derive(Debug)]
struct Clock {
    wall: SystemTime,
    steady: Instant,
}

impl Clock {
    fn start() -> Self {
        Self {
            wall: SystemTime::now(),
            steady: Instant::now(),
        }
    }

    fn now(&self) -> SystemTime {
        let steady = self.wall.checked_add(self.steady.elapsed());
        steady.map_or_else(SystemTime::now, |steady| steady.max(SystemTime::now()))
    }

    fn is_past(&self, expires: Option<SystemTime>) -> bool {
        expires.is_some_and(|expires| expires <= self.now())
    }
}

/// The end of a span from now; none when no clock can hold it.
pub(crate) fn ends_in(span: Duration) -> Option<SystemTime> {
    SystemTime::now().checked_add(span)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_narrowed_leaves_whole_names_only() {
        let narrow = Narrow {
            path: Path::parse("share").unwrap(),
            actions: vec![Action::Read],
        };
        let leaves = |action, path: &str| narrow.leaves(action, &Path::parse(path).unwrap());
        assert!(leaves(Action::Read, "share") && leaves(Action::Read, "share/a/b"));
        assert!(!leaves(Action::Read, "share2") && !leaves(Action::Read, ""));
        assert!(!leaves(Action::List, "share"));
    }

    #[test]
    fn a_clock_that_is_put_back_brings_nothing_to_life() {
        let hour = Duration::from_secs(3600);
        let ahead = Clock {
            wall: SystemTime::now() + hour,
            steady: Instant::now(),
        };
        assert!(ahead.is_past(Some(SystemTime::now() + hour / 2)));
        let right = Clock::start();
        assert!(!right.is_past(Some(SystemTime::now() + hour / 2)) && !right.is_past(None));
        assert!(right.is_past(Some(SystemTime::now() - hour)));
    }
}
