//! Compares two trees, for whoever makes one like the other.
//!
//! Both sides are read page by page in the order of names and merged as they come: no folder is
//! ever held whole, and which side is near and which is far makes no difference. Folders that come
//! next are asked for ahead, so that a far side costs few round trips.

mod pages;
mod walk;

use std::fmt::Debug;
use std::sync::Arc;
use std::time::SystemTime;

use async_trait::async_trait;
use futures_util::StreamExt;
use gaveta_core::listing::nanos;
use gaveta_core::{Digest, Entry, Error, ErrorKind, Hasher, Path, ReadPlan, Result, Store};
use tokio::sync::mpsc;

use crate::options::Retries;
use crate::summary::{Failed, Skipped};

/// A tree, or a part of one, that is compared.
#[derive(Debug, Clone)]
pub struct Side {
    /// Where it lies.
    pub store: Arc<dyn Store>,
    /// Its folder there.
    pub path: Path,
}

/// Leaves names out of a comparison: on neither side they are looked at, copied or extra.
pub trait Exclude: Debug + Send + Sync {
    /// Is this one left out? The path is relative to what is compared.
    fn leaves_out(&self, path: &Path, folder: bool) -> bool;

    /// Is nothing ever left out?
    fn is_empty(&self) -> bool;
}

/// Nothing is left out.
#[derive(Debug, Clone, Copy, Default)]
pub struct ExcludeNothing;

impl Exclude for ExcludeNothing {
    fn leaves_out(&self, _: &Path, _: bool) -> bool {
        false
    }

    fn is_empty(&self) -> bool {
        true
    }
}

/// Says what a file's content is, for whoever does not trust size and time.
#[async_trait]
pub trait Fingerprint: Debug + Send + Sync {
    /// The digest of this version of the file.
    ///
    /// # Errors
    /// As reading it; `VersionMismatch` when it changed.
    async fn digest(&self, entry: &Entry) -> Result<Digest>;
}

/// Reads every byte of the file and hashes it: no stored digest is trusted.
#[derive(Debug, Clone)]
pub struct ReadEverything(pub Arc<dyn Store>);

#[async_trait]
impl Fingerprint for ReadEverything {
    async fn digest(&self, entry: &Entry) -> Result<Digest> {
        let range = 0..entry.size;
        let plan = ReadPlan {
            version: Some(entry.version.clone()),
            first: Some(range.clone()),
            ..ReadPlan::default()
        };
        let reading = self.0.read(&entry.path, plan).await?;
        let mut content = reading.stream(range);
        let mut hasher = Hasher::new();
        while let Some(bytes) = content.next().await {
            let bytes = bytes?;
            hasher = hashed(hasher, bytes).await?;
        }
        if hasher.count() == entry.size {
            Ok(hasher.digest())
        } else {
            Err(Error::at(ErrorKind::LengthMismatch, &entry.path))
        }
    }
}

/// Hashes a piece away from the runtime's own threads.
async fn hashed(mut hasher: Hasher, bytes: impl AsRef<[u8]> + Send + 'static) -> Result<Hasher> {
    tokio::task::spawn_blocking(move || {
        hasher.update(bytes.as_ref());
        hasher
    })
    .await
    .map_err(|error| Error::new(ErrorKind::Io).because(error))
}

/// How to compare.
#[derive(Debug, Clone)]
pub struct Look {
    /// What is left out.
    pub exclude: Arc<dyn Exclude>,
    /// Where the compared folders lie within what the patterns of `exclude` are relative to.
    pub within: Path,
    /// Also what lies in folders that both sides have.
    pub deep: bool,
    /// Compare the contents of files of one size, by these (the source's, the target's); else size
    /// and modified time decide.
    pub contents: Option<(Arc<dyn Fingerprint>, Arc<dyn Fingerprint>)>,
    /// About listings that fail for a passing reason.
    pub retries: Retries,
}

impl Default for Look {
    fn default() -> Self {
        Self {
            exclude: Arc::new(ExcludeNothing),
            within: Path::root(),
            deep: true,
            contents: None,
            retries: Retries::default(),
        }
    }
}

/// What was found at one name, on either side.
#[derive(Debug)]
pub enum Difference {
    /// A file that the target does not have.
    New {
        /// The source's.
        entry: Entry,
        /// Its path at the target.
        to: Path,
    },
    /// A folder that the target does not have, and that no file in it will bring.
    NewFolder {
        /// Its path in the source.
        path: Path,
        /// Its path at the target.
        to: Path,
    },
    /// A file that both have, with another content (or, by size and time, perhaps another).
    Changed {
        /// The source's.
        entry: Entry,
        /// The target's.
        there: Entry,
    },
    /// A file that both have with the same content, but another modified time or executable bit.
    Attributes {
        /// The source's.
        entry: Entry,
        /// The target's.
        there: Entry,
    },
    /// A file that is the same on both sides.
    Same {
        /// The source's.
        entry: Entry,
    },
    /// Something the source does not have. A folder is told after everything in it when something
    /// is left out there (then `whole` is false); else only the folder is, with all it holds.
    Extra {
        /// The target's.
        entry: Entry,
        /// A folder with all that is in it.
        whole: bool,
    },
    /// A folder on one side has the name of something else on the other: it must go first. What
    /// the target has is told as [`Difference::Extra`], too.
    InTheWay {
        /// The source's.
        entry: Entry,
        /// The target's.
        there: Entry,
    },
    /// Something in the source that can not be copied.
    Skipped(Skipped),
    /// A folder of either side that could not be read, or a file that could not be hashed. What
    /// lies there is told as nothing: neither as new nor as extra.
    Failed(Failed),
}

/// Compares two folders, and tells of every name. Ends early when nobody takes what it finds.
///
/// A target that is not there counts as empty. Cancel-safe: nothing is changed on either side.
pub async fn compare(source: Side, target: Side, look: Look, out: mpsc::Sender<Difference>) {
    walk::walk(source, target, look, out).await;
}

/// Is this the same moment, as far as the coarser of two file systems can tell?
///
/// A time with nothing below a second, a microsecond or 100 ns was likely cut there.
pub fn same_time(one: SystemTime, other: SystemTime) -> bool {
    let (one, other) = (nanos(one), nanos(other));
    one == other
        || [1_000_000_000, 1_000, 100].iter().any(|unit| {
            (one % unit == 0 || other % unit == 0)
                && one.div_euclid(*unit) == other.div_euclid(*unit)
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use gaveta_core::listing::from_nanos;

    #[test]
    fn times_are_compared_as_the_coarser_side_can_tell() {
        for (one, other, same) in [
            (1_500_000_001, 1_500_000_001, true),
            (1_500_000_001, 1_500_000_002, false),
            (1_000_000_000, 1_999_999_999, true),
            (1_000_000_000, 2_000_000_000, false),
            (1_500_001_000, 1_500_001_999, true),
            (1_500_001_000, 1_500_002_001, false),
            (1_500_000_100, 1_500_000_199, true),
            (-1, -1_000_000_000, true),
            (-1, 0, false),
        ] {
            let time = |n| from_nanos(n).unwrap();
            assert_eq!(same_time(time(one), time(other)), same, "{one} {other}");
            assert_eq!(same_time(time(other), time(one)), same, "{other} {one}");
        }
    }
}
