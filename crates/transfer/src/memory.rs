//! What lets a cut transfer go on in a later run.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use gaveta_core::{Digest, Entry, Path, Replace, Result, UploadId, Version};

/// How a later run finds what an earlier one left at the target.
#[derive(Debug, Clone)]
pub enum Resume {
    /// The target gives uploads their ids (a server): they are remembered here.
    Remember(Arc<dyn Memory>),
    /// The target takes ids of our choice (this machine's disk): they follow from this name of
    /// where the sources lie, and from the paths. The upload's note remembers the rest.
    Derive(String),
}

/// Remembers uploads under way, by their path at the target. One memory for each target store.
///
/// What is lost costs sending again, never more: everything found is checked before it is used.
#[async_trait]
pub trait Memory: Debug + Send + Sync {
    /// What is remembered of this path.
    async fn find(&self, to: &Path) -> Option<Remembered>;

    /// Remembers it, instead of what was remembered before.
    async fn keep(&self, to: &Path, what: &Remembered) -> Result<()>;

    /// Forgets it. What is not remembered is forgotten already.
    async fn forget(&self, to: &Path);
}

/// An upload that may be taken up again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remembered {
    /// Its id.
    pub id: UploadId,
    /// From what it was begun: a few lines of text that mean something only to the transfer.
    pub mark: String,
}

/// Why a copy that was begun in an earlier try or run begins anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Restart {
    /// The source is another version now.
    SourceChanged,
    /// What the target kept is of no use any more, or was to become something else.
    TargetChanged,
    /// The target has dropped what it kept.
    Forgotten,
}

/// From what an upload was begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) size: u64,
    pub(crate) version: Version,
    pub(crate) digest: Option<Digest>,
    pub(crate) replace: Replace,
}

impl Mark {
    pub(crate) fn of(source: &Entry, replace: &Replace) -> Self {
        Self {
            size: source.size,
            version: source.version.clone(),
            digest: source.digest,
            replace: replace.clone(),
        }
    }

    pub(crate) fn to_text(&self) -> String {
        let digest = self
            .digest
            .map_or_else(|| "-".to_owned(), |d| d.to_string());
        let replace = match &self.replace {
            Replace::Always => "always".to_owned(),
            Replace::Never => "never".to_owned(),
            Replace::Only(version) => format!("only {version}"),
        };
        format!("{}\n{}\n{digest}\n{replace}\n", self.size, self.version)
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        let size = lines.next()?.parse().ok()?;
        let version = Version::parse(lines.next()?)?;
        let digest = match lines.next()? {
            "-" => None,
            hex => Some(Digest::parse_hex(hex).ok()?),
        };
        let replace = match lines.next()? {
            "always" => Replace::Always,
            "never" => Replace::Never,
            other => Replace::Only(Version::parse(other.strip_prefix("only ")?)?),
        };
        lines.next().is_none().then_some(Self {
            size,
            version,
            digest,
            replace,
        })
    }

    /// Is the source still what it was?
    pub(crate) fn is_of(&self, source: &Entry) -> bool {
        let other = |(one, two): (Digest, Digest)| one != two;
        self.size == source.size
            && self.version == source.version
            && !self.digest.zip(source.digest).is_some_and(other)
    }
}

/// The id that follows from where a content comes from and where it goes.
pub(crate) fn derived(name: &str, from: &Path, to: &Path) -> UploadId {
    let text = format!("{name}\n{}\n{}", from.as_str(), to.as_str());
    let digest = Digest::of(text.as_bytes());
    let mut id = [0; 16];
    id.iter_mut()
        .zip(digest.as_bytes())
        .for_each(|(byte, from)| *byte = *from);
    UploadId::from_bytes(id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use gaveta_core::Kind;
    use std::time::SystemTime;

    fn entry(size: u64, version: &str, digest: Option<&[u8]>) -> Entry {
        Entry {
            path: Path::parse("a").unwrap(),
            kind: Kind::File,
            size,
            modified: SystemTime::UNIX_EPOCH,
            version: Version::parse(version).unwrap(),
            digest: digest.map(Digest::of),
            executable: false,
        }
    }

    #[test]
    fn a_mark_leads_back_and_nonsense_does_not() {
        for replace in [
            Replace::Always,
            Replace::Never,
            Replace::Only(Version::parse("w").unwrap()),
        ] {
            for digest in [None, Some(&b"x"[..])] {
                let mark = Mark::of(&entry(7, "v", digest), &replace);
                assert_eq!(Mark::parse(&mark.to_text()), Some(mark));
            }
        }
        for bad in [
            "",
            "1\nv\n-\n",
            "x\nv\n-\nnever",
            "1\nv\n-\nonly",
            "1\nv\n-\nnever\nmore",
        ] {
            assert_eq!(Mark::parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn another_version_size_or_digest_is_another_source() {
        let mark = Mark::of(&entry(7, "v", Some(b"x")), &Replace::Never);
        assert!(mark.is_of(&entry(7, "v", Some(b"x"))));
        assert!(mark.is_of(&entry(7, "v", None)));
        for other in [
            entry(8, "v", None),
            entry(7, "w", None),
            entry(7, "v", Some(b"y")),
        ] {
            assert!(!mark.is_of(&other));
        }
    }

    #[test]
    fn ids_follow_from_where_and_where_to() {
        let (a, b) = (Path::parse("a").unwrap(), Path::parse("b").unwrap());
        assert_eq!(derived("s", &a, &b), derived("s", &a, &b));
        assert_ne!(derived("s", &a, &b), derived("s", &b, &a));
        assert_ne!(derived("s", &a, &b), derived("t", &a, &b));
    }
}
