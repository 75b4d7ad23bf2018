//! What opens the drawer beside a name and a password: tokens and shares.
//!
//! Both are secrets of 256 random bits, shown once and kept as a hash, which narrow what their
//! account may do: they never give more than the account has at the moment of each operation.

pub(crate) mod admission;
pub(crate) mod desk;
mod ring;
pub(crate) mod secret;
pub(crate) mod shares;
pub(crate) mod sheet;
pub(crate) mod tokens;

use std::path::{Path as FsPath, PathBuf};
use std::time::{Duration, SystemTime};

use gaveta_core::{Actions, Path};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

/// Actions beneath a path: what a token keeps of its account's grants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Narrow {
    /// Where, and beneath.
    pub(crate) path: Path,
    /// What.
    pub(crate) actions: Actions,
}

/// As it is kept.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct NarrowRecord {
    path: String,
    actions: String,
}

impl From<&Narrow> for NarrowRecord {
    fn from(narrow: &Narrow) -> Self {
        Self {
            path: narrow.path.as_str().to_owned(),
            actions: narrow.actions.to_string(),
        }
    }
}

impl NarrowRecord {
    /// None when it makes no sense.
    fn read(&self) -> Option<Narrow> {
        Some(Narrow {
            path: Path::parse(&self.path).ok()?,
            actions: Actions::parse(&self.actions).ok()?,
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

/// Where the tokens and shares of one served folder are kept: a folder of their own in the state
/// folder, which may be that of several servers.
pub fn drawer_folder(state: &FsPath, served: &FsPath) -> PathBuf {
    let mark = blake3::hash(served.as_os_str().as_encoded_bytes()).to_hex();
    let name: String = mark.chars().take(16).collect();
    drawers(state).join(name)
}

/// Where the folders of all drawers are.
pub(crate) fn drawers(state: &FsPath) -> PathBuf {
    state.join("drawers")
}

/// The end of a span from now; none when no clock can hold it.
pub(crate) fn ends_in(span: Duration) -> Option<SystemTime> {
    SystemTime::now().checked_add(span)
}

#[cfg(test)]
mod tests {
    use super::*;

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
