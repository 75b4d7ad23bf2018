//! The one trait that everything that holds files implements.

use std::fmt::Debug;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use futures_core::stream::BoxStream;

use crate::chunk::{Outline, Pieces};
use crate::entry::{Entry, Space, Version};
use crate::error::Result;
use crate::listing::{ListPlan, Listing};
use crate::path::Path;
use crate::trash::{Trash, Upkeep};
use crate::upload::{Content, Owner, Upload, UploadId, UploadState, WritePlan};

/// What to do about an entry that is there already.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Replace {
    /// Replace it, whatever it is by now.
    Always,
    /// Fail with [`Exists`](crate::ErrorKind::Exists). Two who race for one new name: one wins.
    #[default]
    Never,
    /// Replace it only while it is this version; else
    /// [`VersionMismatch`](crate::ErrorKind::VersionMismatch), also when nothing is there.
    Only(Version),
}

/// How to read a file.
#[derive(Debug, Clone, Default)]
pub struct ReadPlan {
    /// Fail with [`VersionMismatch`](crate::ErrorKind::VersionMismatch) unless it is this version.
    pub version: Option<Version>,
    /// What will be streamed first, when the caller knows: a store far away asks for it at once.
    /// Only a hint; a range that lies outside the content is no error here.
    pub first: Option<Range<u64>>,
    /// What this store told of it just now: one far away may take that for the entry, and ask
    /// nothing. What is read is of that version then, or fails as a further range of it would.
    pub known: Option<Entry>,
}

/// How to remove an entry.
#[derive(Debug, Clone, Default)]
pub struct RemovePlan {
    /// A folder with all that is in it; without it a folder must be empty.
    pub recursive: bool,
    /// Fail with [`VersionMismatch`](crate::ErrorKind::VersionMismatch) unless it is this version.
    pub version: Option<Version>,
    /// Who does it: it lies in the trash in this name.
    pub by: Option<Owner>,
    /// Past the trash: it cannot be brought back.
    pub forever: bool,
}

/// How to rename or copy an entry.
#[derive(Debug, Clone, Default)]
pub struct MovePlan {
    /// About an entry that has the new name already. A folder is never replaced: what is there
    /// must be a file (or link), and what comes must be one too.
    pub replace: Replace,
    /// Fail with [`VersionMismatch`](crate::ErrorKind::VersionMismatch) unless the source is this
    /// version.
    pub version: Option<Version>,
    /// Who does it: what is replaced goes to the trash in this name.
    pub by: Option<Owner>,
}

/// What to set on an entry; `None` leaves it.
#[derive(Debug, Clone, Copy, Default)]
pub struct TouchPlan {
    /// The time of the last change. Files and folders.
    pub modified: Option<SystemTime>,
    /// May it be run? Files only.
    pub executable: Option<bool>,
}

/// One version of a file, open: it stays readable, whole and unchanged while others replace or
/// remove the file (where the store's system can hold it so).
pub trait Reading: Debug + Send + Sync {
    /// The entry as it was when opened; its size bounds every range.
    fn entry(&self) -> &Entry;

    /// The bytes of a range, in pieces of at most 1 MiB, exactly as many as asked for.
    /// May be called several times, also at once. Dropping the stream ends the reading.
    ///
    /// The stream ends with an error, and no more bytes, on
    /// [`BadRange`](crate::ErrorKind::BadRange) when the range passes the end,
    /// [`LengthMismatch`](crate::ErrorKind::LengthMismatch) when somebody cut the file shorter in
    /// place, or [`VersionMismatch`](crate::ErrorKind::VersionMismatch) when a far store no longer
    /// has this version.
    fn stream(&self, range: Range<u64>) -> Content;

    /// As [`Reading::stream`], in whole chunks, each closed by its digest. The range starts at a
    /// chunk's start and ends at a chunk's end or at the file's end; else `BadRange`.
    ///
    /// The digests are those of the bytes as they were published, where the store kept them, so
    /// that whoever compares finds what rotted since; else of the bytes as they are read.
    fn chunks(&self, range: Range<u64>) -> Pieces;
}

/// From this round trip on a store is far away: more must be under way at once, and what will be
/// wanted is best begun before.
pub const FAR: Duration = Duration::from_millis(15);

/// A tree of files. A change to one file appears whole or not at all.
///
/// Cancel-safety: dropping a future of any method leaves the store as if the call had not been
/// made, or as if it had been completed; never between. Crash-safety is the store's own to state.
///
/// No method has a default body, so that no wrapper can forget to forward one.
#[async_trait]
pub trait Store: Debug + Send + Sync + 'static {
    /// What is there. Links and specials are described, not followed.
    ///
    /// # Errors
    /// `NotFound`; `NotFolder` when something on the way is no folder.
    async fn stat(&self, path: &Path) -> Result<Entry>;

    /// What a folder holds.
    ///
    /// # Errors
    /// `NotFound`, `NotFolder`, `BadRequest` for a cursor without an order.
    async fn list(&self, folder: &Path, plan: ListPlan) -> Result<Listing>;

    /// Opens one version of a file.
    ///
    /// # Errors
    /// `NotFound`, `IsFolder`, `NotRegular`, `VersionMismatch`.
    async fn read(&self, path: &Path, plan: ReadPlan) -> Result<Arc<dyn Reading>>;

    /// The chunk digests of a file: kept since it was published, or made by reading it now (and
    /// then kept, where the store can). The digest of the whole follows from them.
    ///
    /// # Errors
    /// As [`Store::read`]; `VersionMismatch` unless it is this version.
    async fn outline(&self, path: &Path, version: &Version) -> Result<Outline>;

    /// Starts new content. Missing folders on the way to the target are made at commit.
    ///
    /// # Errors
    /// `UnknownUpload` for a part that is not there, or is held by another;
    /// `Exists` when the plan's id is taken. Early, where it can be known: `Exists`, `VersionMismatch`, `IsFolder`, `NotFolder`,
    /// `NotRegular`, `NoSpace`, `ReadOnly`; each may also come at commit.
    async fn begin(&self, plan: WritePlan) -> Result<Arc<dyn Upload>>;

    /// Takes up content again that was begun with [`OnDrop::Keep`](crate::OnDrop::Keep), also
    /// after a restart. After an unclean stop its recorded chunks are hashed again before they
    /// count as arrived.
    ///
    /// `target` is where it will appear, when the caller knows: a store that stages beside the
    /// target finds it only so.
    ///
    /// # Errors
    /// `UnknownUpload`.
    async fn upload(&self, id: &UploadId, target: Option<&Path>) -> Result<Arc<dyn Upload>>;

    /// All content under way that is kept. A store that stages beside the targets knows of none.
    async fn uploads(&self) -> Result<BoxStream<'static, Result<UploadState>>>;

    /// Makes a folder. Its parent must be there.
    ///
    /// # Errors
    /// `Exists` (whatever is there), `NotFound` and `NotFolder` about the parent.
    async fn make_folder(&self, path: &Path) -> Result<Entry>;

    /// Removes an entry: a link itself, never what it points to. Where there is a trash, it goes
    /// there.
    ///
    /// # Errors
    /// `NotFound`, `NotEmpty`, `VersionMismatch`, `BadMove` for the root, `OtherMount` when a file
    /// system is mounted at or (for a recursive removal) beneath it: nothing on it is touched.
    async fn remove(&self, path: &Path, plan: RemovePlan) -> Result<()>;

    /// Renames an entry in one step. Missing folders on the way to the new name are made.
    /// Renaming an entry to itself does nothing.
    ///
    /// # Errors
    /// `NotFound`, `Exists`, `VersionMismatch`, `IsFolder` and `NotFolder` when a folder would be
    /// replaced or would replace something, `BadMove` into itself or of the root, `OtherMount`.
    async fn rename(&self, from: &Path, to: &Path, plan: MovePlan) -> Result<Entry>;

    /// Copies an entry. One file appears whole or not at all; a folder is copied file by file into
    /// a new folder, skipping what is neither file nor folder; when it fails midway, what was
    /// copied is taken away again.
    ///
    /// # Errors
    /// As [`Store::rename`], and `NotRegular` for a link or special.
    async fn copy(&self, from: &Path, to: &Path, plan: MovePlan) -> Result<Entry>;

    /// Sets the modified time or the executable bit. The entry's version may change.
    ///
    /// # Errors
    /// `NotFound`; `NotRegular` for a link or special; `IsFolder` for a folder's executable bit.
    async fn touch(&self, path: &Path, plan: TouchPlan) -> Result<Entry>;

    /// What was deleted or replaced; none when it is not kept.
    fn trash(&self) -> Option<Arc<dyn Trash>>;

    /// What looks after the store; none when it cannot be looked after from here.
    fn upkeep(&self) -> Option<Arc<dyn Upkeep>>;

    /// How far away it is: the shortest time that anything took to go there and come back, without
    /// what it takes to answer. None when it is here, or not known. From [`FAR`] on it is far.
    fn round_trip(&self) -> Option<Duration>;

    /// How much room there is.
    async fn space(&self) -> Result<Space>;
}
