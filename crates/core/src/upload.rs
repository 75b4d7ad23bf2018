//! Content under way: invisible until it is committed.

use std::fmt;
use std::fmt::Debug;
use std::ops::Range;
use std::sync::Arc;
use std::time::SystemTime;

use async_trait::async_trait;
use bytes::Bytes;
use futures_core::stream::BoxStream;

use crate::chunk::Pieces;
use crate::digest::Digest;
use crate::entry::{Entry, Version};
use crate::error::{Error, Result};
use crate::path::Path;
use crate::ranges::Ranges;
use crate::store::Replace;

/// Bytes on their way, in pieces. A stream that was cut ends with an error, never silently.
pub type Content = BoxStream<'static, Result<Bytes>>;

/// The most separate ranges an upload keeps track of: what bounds its memory. A write that would
/// make more is refused as `BadRequest`.
pub const MAX_PIECES: usize = 65_536;

/// The longest note kept with an upload, in bytes.
pub const MAX_NOTE: usize = 8 * 1024;

/// The name of an upload. Unguessable: 128 random bits.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UploadId(Arc<str>);

impl UploadId {
    /// An id from its 16 random bytes.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(
            bytes
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect::<String>()
                .into(),
        )
    }

    /// Reads 32 lower-case hexadecimal digits.
    ///
    /// # Errors
    /// `UnknownUpload`: what is no id names nothing.
    pub fn parse(text: &str) -> Result<Self> {
        let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        if text.len() == 32 && text.bytes().all(hex) {
            Ok(Self(text.into()))
        } else {
            Err(Error::new(crate::ErrorKind::UnknownUpload))
        }
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for UploadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whose upload it is: the name of an account.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Owner(pub Arc<str>);

impl Owner {
    /// The owner of this name.
    pub fn of(name: &str) -> Self {
        Self(name.into())
    }
}

/// What becomes of an upload that nobody holds any more and that was not committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnDrop {
    /// It goes: a plain PUT that was cut. Also after a crash.
    #[default]
    Discard,
    /// It stays, and can be taken up by its id, also after a restart.
    Keep,
}

/// What is going to be written.
#[derive(Debug, Clone)]
pub struct WritePlan {
    /// The id it shall have; a random one, when none.
    pub id: Option<UploadId>,
    /// Where it will appear. None: it can only become a part of another upload.
    pub target: Option<Path>,
    /// Whose it is.
    pub owner: Owner,
    /// How many bytes, when known: the room is taken at once, and the commit compares.
    pub length: Option<u64>,
    /// About what has the name already, at commit.
    pub replace: Replace,
    /// The modified time to give it; now, when none.
    pub modified: Option<SystemTime>,
    /// May it be run? None: as the file it replaces, else not.
    pub executable: Option<bool>,
    /// What becomes of it when nobody holds it.
    pub on_drop: OnDrop,
    /// Start from this version of the target: at commit, what did not arrive is taken from there,
    /// up to the length. So only what differs need be sent.
    pub base: Option<Version>,
    /// Start as the contents of these uploads, one after another; each must be complete, of the
    /// same owner and without a target. They go when this one is committed. Nothing more can be
    /// written (the concatenation of tus).
    pub parts: Vec<UploadId>,
    /// A small text that is kept with the upload for whoever began it, at most [`MAX_NOTE`] bytes.
    pub note: Option<String>,
}

impl WritePlan {
    /// A plan for new content at `target` that never replaces and is dropped when cut.
    pub fn new(target: Path, owner: Owner) -> Self {
        Self {
            id: None,
            target: Some(target),
            owner,
            length: None,
            replace: Replace::Never,
            modified: None,
            executable: None,
            on_drop: OnDrop::Discard,
            base: None,
            parts: Vec::new(),
            note: None,
        }
    }
}

/// What a piece must match to be kept.
#[derive(Debug, Clone, Copy, Default)]
pub enum Check {
    /// Nothing.
    #[default]
    None,
    /// The digest of the bytes of this write. When it differs, none of them counts as arrived.
    Digest(Digest),
}

/// What the whole must match to be published.
#[derive(Debug, Clone, Copy, Default)]
pub struct Seal {
    /// The whole's length.
    pub length: Option<u64>,
    /// The whole's digest.
    pub digest: Option<Digest>,
}

/// What is known of an upload.
#[derive(Debug, Clone)]
pub struct UploadState {
    /// Its id.
    pub id: UploadId,
    /// Where it will appear, when it is to appear.
    pub target: Option<Path>,
    /// Whose it is.
    pub owner: Owner,
    /// Its declared length.
    pub length: Option<u64>,
    /// What arrived and can be trusted.
    pub arrived: Ranges,
    /// What the commit takes the rest from.
    pub base: Option<Version>,
    /// The note of its plan.
    pub note: Option<String>,
    /// When something last arrived.
    pub touched: SystemTime,
}

/// Content under way. Clones of the `Arc` write at once; each range has one writer.
///
/// A writer leases the range it writes. A newcomer whose range overlaps takes it over: the older
/// write ends with `UploadLost`, so that a client that reconnects is never locked out by its own
/// dead connection, and writers of different ranges never disturb each other.
///
/// Crash-safety: nothing is published but by [`Upload::commit`], whole.
#[async_trait]
pub trait Upload: Debug + Send + Sync {
    /// What is known of it.
    async fn state(&self) -> Result<UploadState>;

    /// Ends the older writes of what lies in this range, waits for what they have in hand, and says
    /// what is known then: for who goes on where a line was cut, and would else send what the dead
    /// connection still brings.
    ///
    /// # Errors
    /// `UploadLost`.
    async fn take_over(&self, range: Range<u64>) -> Result<UploadState>;

    /// Writes the content from `offset` on, and says how many bytes it kept.
    ///
    /// When the content ends with an error, that error is returned; what came before it is kept
    /// (unless a [`Check`] asked for all or nothing) and shows in the state.
    /// Dropping the future keeps what was written so far.
    ///
    /// # Errors
    /// `LengthMismatch` past the declared length, `BadRange` when the offset overflows,
    /// `DigestMismatch`, `NoSpace`, `UploadLost`, and whatever the content ends with.
    async fn write(&self, offset: u64, content: Content, check: Check) -> Result<u64>;

    /// Writes whole chunks from `offset` on (a chunk's start), each checked against the digest
    /// that closes it, and says how many bytes it kept.
    ///
    /// A chunk counts as arrived when it is whole and matches. The first that does not match ends
    /// the write with `DigestMismatch`: it alone is not kept. What was cut within a chunk is not
    /// kept. Wants a declared length, which tells where the last chunk ends.
    ///
    /// # Errors
    /// As [`Upload::write`]; `BadRange` for an offset within a chunk; `BadRequest` without a
    /// declared length, or for pieces that cross or miss a chunk's end.
    async fn write_chunks(&self, offset: u64, pieces: Pieces) -> Result<u64>;

    /// Reads back what was written.
    ///
    /// # Errors
    /// `Incomplete` when some of the range has not arrived; `BadRequest` over 16 MiB at once.
    async fn read(&self, range: Range<u64>) -> Result<Bytes>;

    /// Declares the length.
    ///
    /// # Errors
    /// `LengthMismatch` when more has arrived or another length was declared.
    async fn set_length(&self, length: u64) -> Result<()>;

    /// Makes what arrived survive a crash.
    ///
    /// # Errors
    /// `UploadLost`. What could not be made durable may be lost without a sign: the upload ends with
    /// that error.
    async fn sync(&self) -> Result<()>;

    /// Checks the whole, makes it durable and publishes it at the target, in one step.
    ///
    /// A failure leaves the upload usable and the target as it was; but one whose content could not
    /// be made durable ends with that error, as in [`Upload::sync`]. Of two commits one wins, the
    /// other gets `UploadLost`. Cancel-safe: a dropped commit has happened or not.
    ///
    /// # Errors
    /// `BadRequest` without a target; `Incomplete` when something has not arrived and there is no
    /// base for it, `LengthMismatch`, `DigestMismatch`, `Exists`, `VersionMismatch`, `IsFolder`,
    /// `NotFolder`, `NoSpace`.
    async fn commit(&self, seal: Seal) -> Result<Entry>;

    /// Drops it, whatever its [`OnDrop`]. Doing it twice is no error.
    async fn discard(&self) -> Result<()>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_leads_back_and_nothing_else_is_one() {
        let id = UploadId::from_bytes(*b"0123456789abcdef");
        assert_eq!(UploadId::parse(id.as_str()).unwrap(), id);
        for bad in [
            "",
            "..",
            "0123",
            &"g".repeat(32),
            &"A".repeat(32),
            &"0".repeat(33),
        ] {
            assert!(UploadId::parse(bad).is_err(), "{bad}");
        }
    }
}
