//! What was deleted or replaced, until it expires; and what looks after a store.

use std::fmt::{self, Debug};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use futures_core::stream::BoxStream;

use crate::digest::Digest;
use crate::entry::Entry;
use crate::error::{Error, ErrorKind, Result};
use crate::listing::{ListPlan, Listing};
use crate::path::Path;
use crate::store::{Reading, Replace};
use crate::upload::Owner;

/// The name of one thing in the trash. Ids sort by when things came there, whatever the clock said.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TrashId(Arc<str>);

impl TrashId {
    /// Reads 32 lower-case hexadecimal digits.
    ///
    /// # Errors
    /// `NotFound`: what is no id names nothing.
    pub fn parse(text: &str) -> Result<Self> {
        let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        if text.len() == 32 && text.bytes().all(hex) {
            Ok(Self(text.into()))
        } else {
            let shown: String = text.chars().take(40).collect();
            Err(Error::new(ErrorKind::NotFound).about_text(shown))
        }
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The id right after this one, were there one; none after the last.
    pub fn successor(&self) -> Option<Self> {
        let next = u128::from_str_radix(&self.0, 16).ok()?.checked_add(1)?;
        Some(Self(format!("{next:032x}").into()))
    }

    /// There is nothing of this id (any more).
    pub fn unknown(&self) -> Error {
        Error::new(ErrorKind::NotFound).about_text(self.as_str())
    }
}

impl fmt::Display for TrashId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why something lies in the trash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cause {
    /// It was deleted.
    Deleted,
    /// Another content took its place: an earlier version.
    Replaced,
}

impl Cause {
    /// The stable word, as it goes over the line.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Deleted => "deleted",
            Self::Replaced => "replaced",
        }
    }

    /// The cause of a [code](Self::code).
    pub fn from_code(code: &str) -> Option<Self> {
        [Self::Deleted, Self::Replaced]
            .into_iter()
            .find(|cause| cause.code() == code)
    }
}

/// One thing in the trash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trashed {
    /// Its id.
    pub id: TrashId,
    /// What it is, under the path where it was.
    pub entry: Entry,
    /// Why it is here.
    pub cause: Cause,
    /// Since when.
    pub at: SystemTime,
    /// The name of the account that did it, where known.
    pub by: Option<Owner>,
}

/// Which things of the trash are meant; the default: all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrashPlan {
    /// What was at this path or beneath.
    pub path: Option<Path>,
    /// Only what was at the path itself: its earlier versions.
    pub exact: bool,
    /// What this account put there.
    pub by: Option<Owner>,
    /// Only deleted, or only replaced.
    pub cause: Option<Cause>,
    /// What came there at this time or later.
    pub since: Option<SystemTime>,
    /// What came there before this time.
    pub until: Option<SystemTime>,
    /// Only what came before this one: the next page.
    pub after: Option<TrashId>,
}

impl TrashPlan {
    /// Is this one meant?
    pub fn takes(&self, one: &Trashed) -> bool {
        let path = &one.entry.path;
        let at_path = |wanted: &Path| match self.exact {
            true => wanted == path,
            false => wanted.holds(path),
        };
        self.path.as_ref().is_none_or(at_path)
            && self
                .by
                .as_ref()
                .is_none_or(|by| one.by.as_ref() == Some(by))
            && self.cause.is_none_or(|cause| one.cause == cause)
            && self.since.is_none_or(|since| one.at >= since)
            && self.until.is_none_or(|until| one.at < until)
            && self.after.as_ref().is_none_or(|after| one.id < *after)
    }
}

/// How to bring something back.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RestorePlan {
    /// Where to; where it was, when none.
    pub to: Option<Path>,
    /// About what stands there by now. A folder replaces nothing, and nothing replaces a folder.
    pub replace: Replace,
    /// Who does it: what is replaced goes to the trash in this name.
    pub by: Option<Owner>,
}

/// What the trash holds, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrashState {
    /// How many things.
    pub items: u64,
    /// What they take, in bytes. It may be less than the truth while `counting`.
    pub bytes: u64,
    /// Not everything is counted yet.
    pub counting: bool,
    /// The most it may take, in bytes; beyond, the oldest go.
    pub most: Option<u64>,
    /// How long things are kept.
    pub kept: Duration,
}

/// What was deleted or replaced, until it expires.
///
/// Cancel- and crash-safety are those of the [`Store`](crate::Store): at no moment is a content
/// neither live nor here, and never does one stay in both places.
#[async_trait]
pub trait Trash: Debug + Send + Sync + 'static {
    /// What is there, the newest first, streamed with bounded memory.
    async fn trashed(&self, plan: TrashPlan) -> Result<BoxStream<'static, Result<Trashed>>>;

    /// One thing.
    ///
    /// # Errors
    /// `NotFound`.
    async fn find(&self, id: &TrashId) -> Result<Trashed>;

    /// Opens a file that lies there.
    ///
    /// # Errors
    /// `NotFound`; `IsFolder`, `NotRegular`.
    async fn open(&self, id: &TrashId) -> Result<Arc<dyn Reading>>;

    /// Brings it back, in one step; folders that are missing on the way are made. Of two who
    /// restore one thing, one does and the other gets `NotFound`.
    ///
    /// # Errors
    /// `NotFound`, `Exists`, `VersionMismatch`, `IsFolder`, `NotFolder`, `NoSpace`, `OtherMount`;
    /// it stays in the trash then.
    async fn restore(&self, id: &TrashId, plan: RestorePlan) -> Result<Entry>;

    /// Destroys it. Its room may come back a little later.
    ///
    /// # Errors
    /// `NotFound`.
    async fn purge(&self, id: &TrashId) -> Result<()>;

    /// How much there is.
    async fn state(&self) -> Result<TrashState>;
}

/// What a file was found to be when it was read whole, without trusting any digest that was kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Examined {
    /// The entry, with the digest that was found now.
    pub entry: Entry,
    /// The digest that was kept of it when it was published, if any was.
    pub kept: Option<Digest>,
    /// Does what is kept speak of the file as it is? Not when another program edited it since.
    pub current: bool,
}

/// What an [`Examined`] file comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Health {
    /// It is what was published.
    Sound,
    /// Another program changed it: its time or size says so.
    Changed,
    /// Nothing was kept to compare with.
    Undigested,
    /// Its content differs and nothing says that it was changed: the disk lost some of it.
    Rotten,
}

impl Examined {
    /// What it comes to.
    pub fn health(&self) -> Health {
        match (self.kept, self.current) {
            (None, _) => Health::Undigested,
            (Some(kept), _) if Some(kept) == self.entry.digest => Health::Sound,
            (Some(_), true) => Health::Rotten,
            (Some(_), false) => Health::Changed,
        }
    }
}

/// Something in the store's own place that belongs to nobody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stray {
    /// Its name there, escaped (printable ASCII).
    pub shown: String,
}

/// What looks after a store.
#[async_trait]
pub trait Upkeep: Debug + Send + Sync + 'static {
    /// Reads a file whole and compares; gently, it rests as much as it works. Dropping the future
    /// ends it.
    ///
    /// # Errors
    /// As [`Store::read`](crate::Store::read); `VersionMismatch` when it changed meanwhile.
    async fn examine(&self, path: &Path, gentle: bool) -> Result<Examined>;

    /// As [`Upkeep::examine`], of a file in the trash: the thing itself or what lies within it, by
    /// the path that it had.
    ///
    /// # Errors
    /// As [`Trash::open`]; `NotFound` for what is not there.
    async fn examine_trashed(&self, id: &TrashId, path: &Path, gentle: bool) -> Result<Examined>;

    /// What a folder in the trash holds: the thing itself or a folder within it, by the path that it
    /// had.
    ///
    /// # Errors
    /// As [`Store::list`](crate::Store::list); `NotFound` for what is not there.
    async fn list_trashed(&self, id: &TrashId, folder: &Path, plan: ListPlan) -> Result<Listing>;

    /// What lies in the store's own place and belongs to nobody; at most `most` of them, and how
    /// many there are in all.
    async fn strays(&self, most: usize) -> Result<(Vec<Stray>, u64)>;

    /// A small document of whoever verifies, kept across restarts (best effort). At most 1 MiB.
    ///
    /// # Errors
    /// `TooLarge`, `Io`.
    async fn keep_mark(&self, mark: &[u8]) -> Result<()>;

    /// The document that was kept last.
    ///
    /// # Errors
    /// `Io`.
    async fn mark(&self) -> Result<Option<Vec<u8>>>;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::{Kind, Version};

    fn one(path: &str, by: &str, at: u64) -> Trashed {
        Trashed {
            id: TrashId::parse(&format!("{at:032x}")).unwrap(),
            entry: Entry {
                path: Path::parse(path).unwrap(),
                kind: Kind::File,
                size: 1,
                modified: SystemTime::UNIX_EPOCH,
                version: Version::parse("v").unwrap(),
                digest: None,
                executable: false,
            },
            cause: Cause::Deleted,
            at: SystemTime::UNIX_EPOCH + Duration::from_secs(at),
            by: Some(Owner(by.into())),
        }
    }

    #[test]
    fn a_plan_takes_what_it_names() {
        let it = one("a/b", "ana", 50);
        let at = |seconds| Some(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds));
        let path = |text: &str| Some(Path::parse(text).unwrap());
        let all = TrashPlan::default;
        for plan in [
            all(),
            TrashPlan {
                path: path("a"),
                ..all()
            },
            TrashPlan {
                path: path("a/b"),
                exact: true,
                ..all()
            },
            TrashPlan {
                by: it.by.clone(),
                ..all()
            },
            TrashPlan {
                since: at(50),
                until: at(51),
                ..all()
            },
            TrashPlan {
                after: Some(one("x", "x", 51).id),
                ..all()
            },
            TrashPlan {
                cause: Some(Cause::Deleted),
                ..all()
            },
        ] {
            assert!(plan.takes(&it), "{plan:?}");
        }
        for plan in [
            TrashPlan {
                path: path("a"),
                exact: true,
                ..all()
            },
            TrashPlan {
                path: path("a/b2"),
                ..all()
            },
            TrashPlan {
                by: Some(Owner("bob".into())),
                ..all()
            },
            TrashPlan {
                since: at(51),
                ..all()
            },
            TrashPlan {
                until: at(50),
                ..all()
            },
            TrashPlan {
                after: Some(it.id.clone()),
                ..all()
            },
            TrashPlan {
                cause: Some(Cause::Replaced),
                ..all()
            },
        ] {
            assert!(!plan.takes(&it), "{plan:?}");
        }
    }

    #[test]
    fn health_tells_rot_from_change() {
        let (is, was) = (Digest::of(b"is"), Digest::of(b"was"));
        let examined = |kept, current| Examined {
            entry: Entry {
                digest: Some(is),
                ..one("a", "x", 1).entry
            },
            kept,
            current,
        };
        for (kept, current, health) in [
            (Some(is), true, Health::Sound),
            (Some(is), false, Health::Sound),
            (Some(was), true, Health::Rotten),
            (Some(was), false, Health::Changed),
            (None, false, Health::Undigested),
        ] {
            assert_eq!(examined(kept, current).health(), health);
        }
    }

    #[test]
    fn nothing_else_is_an_id() {
        for bad in [
            "",
            "..",
            "0123",
            &"g".repeat(32),
            &"A".repeat(32),
            &"0".repeat(33),
        ] {
            assert!(TrashId::parse(bad).is_err(), "{bad}");
        }
    }
}
