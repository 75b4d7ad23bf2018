//! The chunk digests of published files, kept in `.gaveta/records/outlines/` under their version.
//!
//! A version names one content for ever, so a record needs no order with the rename that publishes
//! its file, and no flush: a record without its file is never asked for, and one that a power cut
//! tore fails its own check and is made again by reading the file. The name of a file plays no
//! part: a record outlives renames.
//!
//! ```text
//! "gaveta outline 1\n" | length 8, little-endian | 32 for each chunk | BLAKE3 of all before, 32
//! ```

use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex};

use gaveta_core::{ChunkDigest, Digest, Outline, Result, Version, chunk};
use rustix::fs::Dir;

use crate::base::{Folder, unlink_quietly};
use crate::errno::Os;
use crate::locks::lock;
use crate::os;
use crate::reserved::{read_whole, write_whole};

const HEAD: &[u8] = b"gaveta outline 1\n";
/// The most records kept, and the most bytes of them all; the oldest go.
const MAX_RECORDS: usize = 16_384;
const MAX_BYTES: u64 = 64 << 20;
/// The largest record: a file of 512 GiB.
const MAX_RECORD: u64 = 16 << 20;

/// The kept outlines.
#[derive(Debug)]
pub(crate) struct Outlines {
    folder: Folder,
    /// How many there are, and of how many bytes; counted when the first one comes.
    held: Mutex<Option<(usize, u64)>>,
}

fn encode(outline: &Outline) -> Vec<u8> {
    let mut bytes = HEAD.to_vec();
    bytes.extend_from_slice(&outline.length().to_le_bytes());
    for digest in outline.chunks() {
        bytes.extend_from_slice(digest.as_bytes());
    }
    let check = Digest::of(&bytes);
    bytes.extend_from_slice(check.as_bytes());
    bytes
}

fn decode(bytes: &[u8]) -> Option<Outline> {
    let (said, check) = bytes.split_last_chunk::<32>()?;
    if Digest::of(said).as_bytes() != check {
        return None;
    }
    let (length, digests) = said.strip_prefix(HEAD)?.split_first_chunk::<8>()?;
    let (digests, []) = digests.as_chunks::<{ ChunkDigest::LENGTH }>() else {
        return None;
    };
    let chunks = digests.iter().copied().map(ChunkDigest::from_bytes);
    Outline::new(u64::from_le_bytes(*length), chunks.collect()).ok()
}

impl Outlines {
    pub(crate) fn new(folder: OwnedFd) -> Self {
        Self {
            folder: Arc::new(folder),
            held: Mutex::default(),
        }
    }

    /// The outline of this version, whose whole has this digest where that is known.
    pub(crate) fn read(
        &self,
        version: &Version,
        size: u64,
        whole: Option<Digest>,
    ) -> Option<Outline> {
        let bytes = read_whole(&self.folder, version.as_str(), MAX_RECORD).ok()??;
        let outline = decode(&bytes).filter(|outline| outline.length() == size)?;
        let agrees = whole.is_none_or(|whole| whole == outline.digest());
        agrees.then_some(outline)
    }

    /// Keeps an outline. Best effort: without it the file is hashed when somebody asks. One of a
    /// single chunk says no more than the digest of the whole and is not kept.
    pub(crate) fn keep(&self, version: &Version, outline: &Outline) {
        let size = chunk::count(outline.length()) * ChunkDigest::LENGTH as u64 + 64;
        if outline.chunks().len() < 2 || size > MAX_RECORD {
            return;
        }
        let kept = write_whole(&self.folder, version.as_str(), &encode(outline), false)
            .and_then(|()| self.bound(size));
        if let Err(error) = kept {
            tracing::debug!(error = error.chain(), "an outline is not kept");
        }
    }

    /// Forgets the outline of a version that is no more.
    pub(crate) fn forget(&self, version: &Version) {
        unlink_quietly(&*self.folder, version.as_str());
    }

    /// The same content has another version now.
    pub(crate) fn renew(&self, old: &Version, new: &Version) {
        let folder = &*self.folder;
        // There may be none.
        let _ = rustix::fs::renameat(folder, old.as_str(), folder, new.as_str());
    }

    fn bound(&self, added: u64) -> Result<()> {
        let mut held = lock(&self.held);
        let (records, bytes) = match *held {
            Some((records, bytes)) => (records + 1, bytes + added),
            None => self.sum_up()?,
        };
        *held = Some((records, bytes));
        if records <= MAX_RECORDS && bytes <= MAX_BYTES {
            return Ok(());
        }
        *held = Some(self.drop_oldest(MAX_RECORDS / 4 * 3, MAX_BYTES / 4 * 3)?);
        Ok(())
    }

    fn all(&self) -> Result<Vec<(crate::meta::Instant, u64, String)>> {
        let names = os::open_readable(&*self.folder).and_then(Dir::new).os()?;
        let mut all = Vec::new();
        for found in names {
            let found = found.os()?;
            let name = found.file_name().to_string_lossy().into_owned();
            if name != "."
                && name != ".."
                && let Ok(meta) = os::meta_at(&*self.folder, name.as_str())
            {
                all.push((meta.modified, meta.size, name));
            }
        }
        Ok(all)
    }

    fn sum_up(&self) -> Result<(usize, u64)> {
        let all = self.all()?;
        Ok((all.len(), all.iter().map(|(_, size, _)| size).sum()))
    }

    /// Removes the oldest until no more than so many, and so many bytes, are left.
    fn drop_oldest(&self, records: usize, bytes: u64) -> Result<(usize, u64)> {
        let mut all = self.all()?;
        all.sort_unstable();
        let mut left = (all.len(), all.iter().map(|(_, size, _)| size).sum::<u64>());
        for (_, size, name) in all {
            if left.0 <= records && left.1 <= bytes {
                break;
            }
            unlink_quietly(&*self.folder, &name);
            left = (left.0 - 1, left.1 - size);
        }
        Ok(left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gaveta_core::CHUNK;

    fn outline(chunks: u8, seed: u8) -> Outline {
        let digests = (0..chunks).map(|n| ChunkDigest::from_bytes([n ^ seed; 32]));
        Outline::new(u64::from(chunks) * CHUNK - 1, digests.collect()).unwrap()
    }

    fn version(text: &str) -> Version {
        Version::parse(text).unwrap()
    }

    fn outlines() -> (tempfile::TempDir, Outlines) {
        let folder = tempfile::tempdir().unwrap();
        let open = os::open_folder(rustix::fs::CWD, folder.path()).unwrap();
        (folder, Outlines::new(open))
    }

    #[test]
    fn a_record_that_is_torn_or_changed_says_nothing() {
        let whole = encode(&outline(3, 1));
        assert_eq!(decode(&whole), Some(outline(3, 1)));
        for cut in 0..whole.len() {
            assert_eq!(decode(&whole[..cut]), None, "{cut}");
            let mut bad = whole.clone();
            bad[cut] ^= 1;
            assert_eq!(decode(&bad), None, "{cut}");
        }
    }

    #[test]
    fn it_is_found_by_its_version_while_it_agrees_with_the_file() {
        let (_folder, all) = outlines();
        let (a, b) = (version("1-a"), version("1-b"));
        let three = outline(3, 7);
        all.keep(&a, &three);
        let size = three.length();
        assert_eq!(
            all.read(&a, size, Some(three.digest())),
            Some(three.clone())
        );
        assert_eq!(all.read(&a, size + 1, None), None);
        assert_eq!(all.read(&a, size, Some(Digest::of(b"other"))), None);
        assert_eq!(all.read(&b, size, None), None);
        all.renew(&a, &b);
        assert_eq!(all.read(&b, size, None), Some(three));
        all.forget(&b);
        assert_eq!(all.read(&b, size, None), None);
        all.keep(&a, &outline(1, 0));
        assert_eq!(all.sum_up().unwrap(), (0, 0));
    }

    #[test]
    fn the_oldest_go() {
        let (folder, all) = outlines();
        for n in 0..10u64 {
            all.keep(&version(&format!("{n}")), &outline(2, 0));
            let file = std::fs::File::open(folder.path().join(format!("{n}"))).unwrap();
            let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1000 - n);
            file.set_modified(time).unwrap();
        }
        let left = all.drop_oldest(4, u64::MAX).unwrap();
        assert_eq!(left, all.sum_up().unwrap());
        let kept = |n: u64| {
            all.read(&version(&format!("{n}")), 2 * CHUNK - 1, None)
                .is_some()
        };
        assert_eq!(
            (0..10).filter(|n| kept(*n)).collect::<Vec<_>>(),
            [0, 1, 2, 3]
        );
        assert_eq!(all.drop_oldest(100, left.1 / 2).unwrap().0, 2);
    }
}
