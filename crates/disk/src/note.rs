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
    kept(file, meta).and_then(|(digest, current)| current.then_some(digest))
}

/// The digest that was kept of an open file last, and whether it speaks of the file as it is.
pub(crate) fn kept(file: impl AsFd, meta: &Meta) -> Option<(Digest, bool)> {
    let text = os::note(file)?;
    let mut words = text.split(' ');
    let (format, version, digest) = (words.next()?, words.next()?, words.next()?);
    if format != "1" || words.next().is_some() {
        return None;
    }
    let digest = Digest::parse_hex(digest).ok()?;
    Some((digest, version == meta.version().as_str()))
}

/// Keeps a digest of this version. Best effort: not every file system has attributes.
pub(crate) fn write(file: impl AsFd, version: &Version, digest: &Digest) {
    if let Err(errno) = os::set_note(file, &format!("1 {version} {digest}")) {
        tracing::debug!(%errno, "the digest is not kept");
    }
}
