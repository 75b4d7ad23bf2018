//! The digest kept beside a file's content: `1 VERSION DIGEST` in an extended attribute.
//!
//! It counts only while its version is the file's current one, so an edit by another program
//! makes it stale by itself.

use std::os::fd::AsFd;

use gaveta_core::{Digest, Version};

use crate::meta::Meta;
use crate::os;

/// The digest of an open file, when one is kept and is still true.
pub(crate) fn read(file: impl AsFd, meta: &Meta) -> Option<Digest> {
    let text = os::note(file)?;
    let mut words = text.split(' ');
    let (format, version, digest) = (words.next()?, words.next()?, words.next()?);
    let current = format == "1" && version == meta.version().as_str() && words.next().is_none();
    if current {
        Digest::parse_hex(digest).ok()
    } else {
        None
    }
}

/// Keeps a digest of this version. Best effort: not every file system has attributes.
pub(crate) fn write(file: impl AsFd, version: &Version, digest: &Digest) {
    if let Err(errno) = os::set_note(file, &format!("1 {version} {digest}")) {
        tracing::debug!(%errno, "the digest is not kept");
    }
}
