//! The store in a folder.
//!
//! [`DiskStore`] serves an ordinary folder in place: the files lie there plain, as they would
//! without Gaveta. Everything unfinished lies apart and is published by one rename.
//!
//! | what | where |
//! |---|---|
//! | paths resolved beneath the root, by the kernel or by walking | `base` |
//! | what depends on the operating system | `os` |
//! | `.gaveta/`: format, lock, kept uploads, staging | `reserved` |
//! | content under way, kept and taken up again | `upload` |
//! | the chunk digests of published files | `outlines` |
//! | what was deleted or replaced | `trash` |
//! | flushes of folders, shared by who asks at once | `flush` |
//! | flush, check and rename: the one way into the folder | `publish` |
//! | small files of programs, for their owner alone | `private` |
//!
//! Linux is home. Other Unix systems walk paths and do without preallocation and digests kept
//! in extended attributes; Windows is not there yet.

#[cfg(not(unix))]
compile_error!("the disk store for Windows (os/windows.rs) is not written yet");

mod base;
mod contains;
mod copy;
mod errno;
pub mod failpoint;
mod flush;
mod listing;
mod locks;
mod meta;
mod moving;
mod note;
mod os;
mod outlines;
mod pool;
mod private;
mod publish;
mod reading;
mod remove;
mod reserved;
mod staged;
mod store;
mod touch;
mod trash;
mod upload;

pub use contains::contains;
pub use private::{Hold, keep_private, lock_private, make_private, replace_private};
pub use store::DiskStore;
pub use trash::TrashOptions;

/// Where unfinished content lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Staging {
    /// In `.gaveta/` at the root, which a lock keeps for one server: the served folder.
    #[default]
    Reserved,
    /// In the target's own folder under a hidden name: the client's own disk. No lock, nothing
    /// reserved. A kept upload lies there too, and is found again only by who knows its target.
    Beside,
}

/// How much an acknowledged change survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// A power cut: files and folders are flushed before the answer.
    #[default]
    Full,
    /// A killed process, but not a power cut: nothing is flushed.
    Fast,
}

/// How paths are resolved beneath the root. Both ways promise the same; tests run both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Resolver {
    /// By the kernel where it can, else by walking.
    #[default]
    Auto,
    /// Only by the kernel: `openat2` with `RESOLVE_BENEATH` and `RESOLVE_NO_SYMLINKS` (Linux 5.6).
    Openat2,
    /// Name by name with `openat` and `O_NOFOLLOW`.
    Walk,
}

/// How to open a folder as a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Options {
    /// Where unfinished content lies.
    pub staging: Staging,
    /// How much an acknowledged change survives.
    pub durability: Durability,
    /// Takes no lock, writes nothing, and refuses every change with
    /// [`ErrorKind::ReadOnly`](gaveta_core::ErrorKind::ReadOnly).
    pub read_only: bool,
    /// How paths are resolved.
    pub resolver: Resolver,
    /// What is deleted or replaced is kept so; none: it is gone. Only with
    /// [`Staging::Reserved`].
    pub trash: Option<TrashOptions>,
}
