//! What to copy, and how.

use std::collections::hash_map::RandomState;
use std::fmt::Debug;
use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use gaveta_core::{Account, Entry, Owner, Path, Store};

use crate::memory::Resume;

/// One thing to copy: a file, or a folder with all that is in it.
#[derive(Debug, Clone)]
pub struct Source {
    /// Where it lies.
    pub store: Arc<dyn Store>,
    /// Its path there.
    pub path: Path,
    /// Its path at the target: the file's own, or the folder's own (not: the folder to put it in).
    pub to: Path,
    /// What it is, when that was found out just now: nobody asks again.
    pub entry: Option<Entry>,
}

/// How to copy.
#[derive(Debug, Clone)]
pub struct Options {
    /// Whose the uploads are, where the target asks.
    pub owner: Owner,
    /// About files that are at the target already.
    pub existing: Existing,
    /// How many files, and how many streams of big ones, at once; none: as many as the link bears.
    pub parallel: Option<usize>,
    /// From how many bytes on a file is big: it travels in chunks on several streams, and goes on
    /// where it was cut.
    pub big: u64,
    /// How many big files at once, at least 1.
    pub parallel_big: usize,
    /// At most so many bytes a second, of all files together.
    pub limit_rate: Option<u64>,
    /// How a big file goes on in a later run; none: what is cut is thrown away.
    pub resume: Option<Resume>,
    /// Leaves files out, by what is at the target.
    pub filter: Option<Arc<dyn Filter>>,
    /// How often the target is asked what it has of a big file, so that progress tells that and not
    /// what lies on the way; none: what was handed over counts (a target on this machine).
    pub ask_progress: Option<Duration>,
    /// About failures that may pass.
    pub retries: Retries,
    /// Only find out what would be copied; nothing is read from a file, nothing written.
    pub dry_run: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            owner: Owner::of(Account::VISITOR),
            existing: Existing::Keep,
            parallel: None,
            big: 4 * 1024 * 1024,
            parallel_big: 4,
            limit_rate: None,
            resume: None,
            filter: None,
            ask_progress: None,
            retries: Retries::default(),
            dry_run: false,
        }
    }
}

/// Decides which files are copied. Called before a file is started, several at once.
#[async_trait]
pub trait Filter: Debug + Send + Sync {
    /// Is this file to be copied? `there` is what has its name at the target; when not, it counts
    /// as unchanged.
    async fn wants(&self, source: &Entry, there: Option<&Entry>) -> bool;
}

/// One thing to copy, for [`transfer_items`](crate::transfer_items).
#[derive(Debug)]
pub enum Item {
    /// A file.
    File {
        /// Where it lies.
        source: Arc<dyn Store>,
        /// What it is there.
        entry: Entry,
        /// Its path at the target.
        to: Path,
        /// What is to be replaced, only while it is that version; none: nothing may be there.
        there: Option<Entry>,
    },
    /// A folder to make.
    Folder {
        /// Its path in the source.
        path: Path,
        /// Its path at the target.
        to: Path,
    },
}

/// When to try again what failed for a passing reason.
#[derive(Debug, Clone, Copy)]
pub struct Retries {
    /// So many times after the first try. A big file under way is tried twice as often, and
    /// counted anew after each progress: with the pauses of [`Retries::default`] it lives through
    /// 9 to 19 seconds without its server.
    pub times: u32,
    /// The pause before the first of them; it doubles each time, with some chance in it.
    pub pause: Duration,
}

impl Retries {
    /// Those of a big file under way, which has more to lose than a pause.
    pub(crate) fn under_way(&self) -> Self {
        Self {
            times: self.times.saturating_mul(2),
            ..*self
        }
    }

    /// The pause before the try after so many retries: between half of it and all of it, so that
    /// those who failed together do not come back together.
    pub(crate) fn pause(&self, tries: u32) -> Duration {
        let longest = self.pause.saturating_mul(1 << tries.min(6));
        let chance = RandomState::new().build_hasher().finish() % 512 + 512;
        longest.mul_f64(chance as f64 / 1024.0)
    }
}

impl Default for Retries {
    fn default() -> Self {
        Self {
            times: 3,
            pause: Duration::from_millis(300),
        }
    }
}

/// What to do about a file that is at the target already. One of the same size and modified time
/// (to the nanosecond) is left as [`Same`](crate::Why::Same), unless it is to be replaced whatever
/// it is: so that the same transfer, run again after a cut, completes.
#[derive(Debug, Clone, Default)]
pub enum Existing {
    /// Leave it; the file fails with [`Exists`](gaveta_core::ErrorKind::Exists).
    #[default]
    Keep,
    /// Leave it, and take the next free name like it: `a (2).txt` ([`Path::numbered`]). For targets
    /// that do not say what lies there.
    Beside,
    /// Replace it, whatever it is.
    Replace,
    /// Ask, file by file.
    Ask(Arc<dyn OnConflict>),
}

/// A file that is at the target already.
#[derive(Debug)]
pub struct Conflict<'a> {
    /// What would be copied.
    pub source: &'a Entry,
    /// What is there.
    pub there: &'a Entry,
}

/// What was decided about a [`Conflict`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Replace this one, if it is still what was shown.
    Replace,
    /// Replace this one and every later one.
    ReplaceAll,
    /// Leave this one.
    Skip,
    /// Leave this one and every later one.
    SkipAll,
    /// Cancel the whole transfer.
    Cancel,
}

/// Decides about conflicts. Asked for one at a time; other files go on meanwhile.
#[async_trait]
pub trait OnConflict: Debug + Send + Sync {
    /// Decides. An "all" is remembered by the transfer: nothing more is asked.
    async fn decide(&self, conflict: Conflict<'_>) -> Decision;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_big_file_waits_for_a_server_that_begins_again() {
        let retries = Retries::default().under_way();
        let all: Duration = (0..retries.times).map(|tries| retries.pause(tries)).sum();
        let range = Duration::from_secs(9)..Duration::from_secs(19);
        assert!(range.contains(&all), "{all:?}");
    }

    #[test]
    fn pauses_grow_within_bounds() {
        let retries = Retries {
            times: 9,
            pause: Duration::from_millis(100),
        };
        for tries in 0..100 {
            let longest = Duration::from_millis(100 * (1 << tries.min(6)));
            let pause = retries.pause(tries);
            assert!(
                pause >= longest / 2 && pause <= longest,
                "{tries}: {pause:?}"
            );
        }
    }
}
