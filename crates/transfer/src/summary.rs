//! What came of a transfer.

use std::fmt;

use gaveta_core::{Error, Path};

use crate::observer::Copied;

/// So many skipped and failed things are kept by name; the rest is only counted. Bounds the memory
/// of a transfer where everything fails.
pub const KEPT: usize = 1000;

/// Why something was left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// A symbolic link: never followed.
    Link,
    /// A FIFO, socket or device: never opened.
    Special,
    /// Its name cannot be used in a drawer; the text is the name, escaped.
    Unnameable(String),
    /// It is at the target already, and the answer was to leave it.
    Exists,
    /// The same is at the target already.
    Same,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Link => f.write_str("a symbolic link"),
            Self::Special => f.write_str("a FIFO, socket or device"),
            Self::Unnameable(shown) => write!(f, "its name cannot be used: {shown}"),
            Self::Exists => f.write_str("already there"),
            Self::Same => f.write_str("the same is already there"),
        }
    }
}

/// Something that was left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// Its path in the source; for something without a usable name, its folder.
    pub path: Path,
    /// Why.
    pub why: Why,
}

/// Something that failed.
#[derive(Debug)]
pub struct Failed {
    /// Its path in the source; for a folder that could not be read or made, the folder.
    pub path: Path,
    /// Where it should have gone.
    pub to: Path,
    /// Why.
    pub error: Error,
}

/// What came of a transfer.
#[derive(Debug, Default)]
pub struct Summary {
    /// Files that are at the target now, verified (or would be, in a dry run).
    pub files: u64,
    /// Folders that were walked (each is at the target with its first file, or by itself).
    pub folders: u64,
    /// Bytes of those files.
    pub bytes: u64,
    /// The first [`KEPT`] things left out.
    pub skipped: Vec<Skipped>,
    /// How many were left out in all.
    pub skipped_count: u64,
    /// The first [`KEPT`] failures.
    pub failed: Vec<Failed>,
    /// How many failures in all.
    pub failed_count: u64,
    /// How many of those left out are the same at the target ([`Why::Same`]).
    pub unchanged: u64,
    /// Bytes of the files that are there now which an earlier run had sent.
    pub resumed: u64,
    /// Bytes of them that the target took from what it had before.
    pub equal: u64,
    /// Bytes that had to be sent again.
    pub again: u64,
    /// How often a copy that was under way began anew, because something had changed.
    pub restarted: u64,
    /// Was it cancelled before its end?
    pub cancelled: bool,
}

impl Summary {
    /// Did everything go over that could?
    pub fn is_whole(&self) -> bool {
        self.failed_count == 0 && !self.cancelled
    }

    pub(crate) fn done(&mut self, copied: &Copied) {
        self.files += 1;
        for (sum, bytes) in [
            (&mut self.bytes, copied.size),
            (&mut self.resumed, copied.resumed),
            (&mut self.equal, copied.equal),
            (&mut self.again, copied.again),
        ] {
            *sum = sum.saturating_add(bytes);
        }
    }

    pub(crate) fn skip(&mut self, skipped: Skipped) {
        self.skipped_count += 1;
        self.unchanged += u64::from(skipped.why == Why::Same);
        if self.skipped.len() < KEPT {
            self.skipped.push(skipped);
        }
    }

    pub(crate) fn fail(&mut self, failed: Failed) {
        self.failed_count += 1;
        if self.failed.len() < KEPT {
            self.failed.push(failed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gaveta_core::ErrorKind;

    #[test]
    fn names_are_bounded_and_counts_are_not() {
        let mut summary = Summary::default();
        for _ in 0..KEPT + 5 {
            summary.skip(Skipped {
                path: Path::root(),
                why: Why::Link,
            });
            summary.fail(Failed {
                path: Path::root(),
                to: Path::root(),
                error: Error::new(ErrorKind::Io),
            });
        }
        assert_eq!((summary.skipped.len(), summary.failed.len()), (KEPT, KEPT));
        assert_eq!(summary.skipped_count, summary.failed_count);
        assert_eq!(summary.failed_count, KEPT as u64 + 5);
        assert!(!summary.is_whole());
    }
}
