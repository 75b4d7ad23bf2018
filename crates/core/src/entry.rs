//! What a listing shows: a file, a folder, or something that is only named.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use crate::digest::Digest;
use crate::path::Path;

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A regular file.
    File,
    /// A folder.
    Folder,
    /// A symbolic link: listed, renamed and removed, never followed.
    Link,
    /// A FIFO, socket or device: listed, renamed and removed, never opened.
    Special,
}

impl Kind {
    /// The stable word for this kind, as it goes over the line.
    pub const fn code(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Folder => "folder",
            Self::Link => "link",
            Self::Special => "special",
        }
    }

    /// The kind of a [code](Self::code).
    pub fn from_code(code: &str) -> Option<Self> {
        [Self::File, Self::Folder, Self::Link, Self::Special]
            .into_iter()
            .find(|kind| kind.code() == code)
    }
}

/// An opaque value that changes whenever the content changes: the ETag of HTTP, without quotes.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Version(Arc<str>);

impl Version {
    /// The longest version, in bytes.
    pub const MAX: usize = 128;

    /// A version from its text; none when the text could not stand in an ETag (RFC 9110,
    /// section 8.8.3: visible ASCII without `"`) or is longer than [`Version::MAX`].
    pub fn parse(text: &str) -> Option<Self> {
        let visible = |b: u8| b.is_ascii_graphic() && b != b'"';
        (!text.is_empty() && text.len() <= Self::MAX && text.bytes().all(visible))
            .then(|| Self(text.into()))
    }

    /// The version as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A file or folder in a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Where it is.
    pub path: Path,
    /// What it is.
    pub kind: Kind,
    /// Bytes of a file; 0 for anything else.
    pub size: u64,
    /// When the content was last changed.
    pub modified: SystemTime,
    /// Changes whenever the content changes. A folder's version says nothing of what lies in it.
    pub version: Version,
    /// The content's digest, where it is known without reading the content.
    pub digest: Option<Digest>,
    /// May the owner run the file?
    pub executable: bool,
}

impl Entry {
    /// Is it a regular file?
    pub fn is_file(&self) -> bool {
        self.kind == Kind::File
    }

    /// Is it a folder?
    pub fn is_folder(&self) -> bool {
        self.kind == Kind::Folder
    }
}

/// How much room a store has, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    /// All there is.
    pub total: u64,
    /// What can still be written.
    pub free: u64,
}
