//! The journal of a kept upload: which chunks are whole, one short record each, only ever appended.
//!
//! ```text
//! sequence 8 | chunk 8 | length 4 | digest 32 | check 4      little-endian, 56 bytes
//! ```
//!
//! The check is the start of the BLAKE3 digest of what is before it. A length of 0 takes the chunk
//! back: its bytes are about to be overwritten. The journal need not be flushed: after an unclean
//! stop no record counts before the chunk's bytes are found to match it, so that a record that is
//! torn, lost, or ahead of its bytes costs the chunk and no more. Only what takes a chunk back is
//! flushed, for it must not be lost while the older bytes are still on disk.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt;

use gaveta_core::{CHUNK, ChunkDigest, Result};
use rustix::fs::{Mode, OFlags};

use super::sums::Sum;
use crate::base::{Folder, open_file};
use crate::errno::Os;
use crate::os;
use crate::reserved::{read_whole, write_whole};

const RECORD: usize = 56;
const CHECKED: usize = RECORD - 4;
/// No journal is read beyond this: records for 16 TiB.
const MAX: u64 = 1 << 30;

/// What a journal says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Replayed {
    pub(super) chunks: BTreeMap<u64, Sum>,
    /// Chunks that were taken back, with the sequence number of the last time.
    pub(super) taken_back: BTreeMap<u64, u64>,
    /// The highest sequence number.
    pub(super) sequence: u64,
}

/// The open journal.
#[derive(Debug)]
pub(super) struct Journal {
    folder: Folder,
    name: String,
    file: Option<File>,
    end: u64,
    sequence: u64,
    /// A flush of it failed.
    torn: bool,
}

fn encode(sequence: u64, index: u64, sum: &Sum) -> [u8; RECORD] {
    let mut record = Vec::with_capacity(RECORD);
    record.extend_from_slice(&sequence.to_le_bytes());
    record.extend_from_slice(&index.to_le_bytes());
    record.extend_from_slice(&u32::try_from(sum.length).unwrap_or(0).to_le_bytes());
    record.extend_from_slice(sum.digest.as_bytes());
    let check = gaveta_core::Digest::of(&record);
    record.extend(check.as_bytes().iter().take(RECORD - CHECKED));
    record.try_into().unwrap_or([0; RECORD])
}

/// Reads one record; none when it is torn or makes no sense.
fn decode(record: &[u8]) -> Option<(u64, u64, Sum)> {
    let (said, check) = record.split_at_checked(CHECKED)?;
    if !gaveta_core::Digest::of(said).as_bytes().starts_with(check) || check.len() != 4 {
        return None;
    }
    let (sequence, rest) = said.split_first_chunk::<8>()?;
    let (index, rest) = rest.split_first_chunk::<8>()?;
    let (length, digest) = rest.split_first_chunk::<4>()?;
    let sum = Sum {
        digest: ChunkDigest::from_bytes(digest.try_into().ok()?),
        length: u32::from_le_bytes(*length).into(),
    };
    let index = u64::from_le_bytes(*index);
    let sane = sum.length <= CHUNK && index < i64::MAX as u64 / CHUNK;
    sane.then_some((u64::from_le_bytes(*sequence), index, sum))
}

/// What these bytes say; whatever is torn says nothing.
pub(super) fn replay(bytes: &[u8]) -> Replayed {
    let mut all = Replayed::default();
    for record in bytes.chunks_exact(RECORD) {
        let Some((sequence, index, sum)) = decode(record) else {
            continue;
        };
        all.sequence = all.sequence.max(sequence);
        if sum.length == 0 {
            all.chunks.remove(&index);
            all.taken_back.insert(index, sequence);
        } else {
            all.chunks.insert(index, sum);
        }
    }
    all
}

impl Journal {
    /// A journal of this name, which is made with its first record.
    pub(super) fn new(folder: Folder, name: String, sequence: u64) -> Self {
        Self {
            folder,
            name,
            file: None,
            end: 0,
            sequence,
            torn: false,
        }
    }

    /// Reads what a journal of this name says; nothing when there is none.
    pub(super) fn read(folder: &Folder, name: &str) -> Result<Replayed> {
        Ok(read_whole(folder, name, MAX)?
            .map(|bytes| replay(&bytes))
            .unwrap_or_default())
    }

    /// The number of the last record.
    pub(super) fn sequence(&self) -> u64 {
        self.sequence
    }

    /// How many records it has.
    pub(super) fn records(&self) -> u64 {
        self.end / RECORD as u64
    }

    fn open(&mut self) -> Result<&File> {
        if self.file.is_none() {
            let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | os::FILE;
            let mode = Mode::from_raw_mode(0o600);
            let (file, size) = match rustix::fs::openat(&*self.folder, &*self.name, flags, mode) {
                Err(rustix::io::Errno::EXIST) => {
                    let (file, meta) = open_file(&*self.folder, &*self.name, OFlags::RDWR)?;
                    (file, meta.size)
                }
                made => (made.os()?, 0),
            };
            // Goes on after the last whole record.
            self.end = size - size % RECORD as u64;
            self.file = Some(file.into());
        }
        self.file
            .as_ref()
            .ok_or_else(|| gaveta_core::Error::new(gaveta_core::ErrorKind::Io))
    }

    /// Appends a record for each of these chunks.
    pub(super) fn append(&mut self, sums: &[(u64, Sum)]) -> Result<()> {
        let mut sequence = self.sequence;
        let mut bytes = Vec::with_capacity(sums.len() * RECORD);
        for (index, sum) in sums {
            sequence += 1;
            bytes.extend_from_slice(&encode(sequence, *index, sum));
        }
        self.open()?;
        let end = self.end;
        self.open()?.write_all_at(&bytes, end)?;
        self.end += bytes.len() as u64;
        self.sequence = sequence;
        Ok(())
    }

    /// Takes these chunks back.
    pub(super) fn take_back(
        &mut self,
        chunks: impl Iterator<Item = u64>,
        full: bool,
    ) -> Result<()> {
        let nothing = Sum {
            digest: ChunkDigest::from_bytes([0; 32]),
            length: 0,
        };
        let records: Vec<_> = chunks.map(|index| (index, nothing)).collect();
        self.append(&records)?;
        if full { self.flush() } else { Ok(()) }
    }

    /// Makes what was appended survive a power cut.
    ///
    /// # Errors
    /// Whatever the flush says. What was appended until then survives only in a journal that is
    /// [written anew](Self::rewrite): the next flush of this one would promise too much.
    pub(super) fn flush(&mut self) -> Result<()> {
        let flushed = match &self.file {
            Some(file) => os::flush(file).os(),
            None => Ok(()),
        };
        self.torn |= flushed.is_err();
        flushed
    }

    /// Did a flush fail since it was written anew?
    pub(super) fn is_torn(&self) -> bool {
        self.torn
    }

    /// Writes it anew with only these records.
    pub(super) fn rewrite(&mut self, sums: &[(u64, Sum)], full: bool) -> Result<()> {
        let mut bytes = Vec::with_capacity(sums.len() * RECORD);
        let mut sequence = self.sequence;
        for (index, sum) in sums {
            sequence += 1;
            bytes.extend_from_slice(&encode(sequence, *index, sum));
        }
        self.file = None;
        write_whole(&self.folder, &self.name, &bytes, full)?;
        self.sequence = sequence;
        self.torn = false;
        self.open().map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(byte: u8, length: u64) -> Sum {
        Sum {
            digest: ChunkDigest::from_bytes([byte; 32]),
            length,
        }
    }

    #[test]
    fn a_journal_torn_at_any_byte_says_what_was_whole() {
        let mut bytes = Vec::new();
        for index in 0..5u64 {
            bytes.extend_from_slice(&encode(index + 1, index, &sum(index as u8, CHUNK)));
        }
        bytes.extend_from_slice(&encode(6, 1, &sum(0, 0)));
        for cut in 0..=bytes.len() {
            let said = replay(&bytes[..cut]);
            let whole = cut / RECORD;
            let expected = if whole == 6 { 4 } else { whole };
            assert_eq!(said.chunks.len(), expected, "{cut}");
            assert_eq!(said.sequence, whole as u64);
            assert_eq!(said.taken_back.contains_key(&1), whole == 6);
        }
    }

    #[test]
    fn a_flipped_bit_anywhere_makes_a_record_say_nothing() {
        let record = encode(7, 3, &sum(9, 1000));
        assert_eq!(decode(&record), Some((7, 3, sum(9, 1000))));
        for bit in 0..RECORD * 8 {
            let mut bad = record;
            bad[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(decode(&bad), None, "{bit}");
        }
        assert_eq!(decode(&encode(1, 3, &sum(9, CHUNK + 1))), None);
        assert_eq!(decode(&record[..55]), None);
    }

    #[test]
    fn it_goes_on_after_a_torn_record() {
        let folder = tempfile::tempdir().unwrap();
        let open = std::sync::Arc::new(os::open_folder(rustix::fs::CWD, folder.path()).unwrap());
        let mut journal = Journal::new(open.clone(), "journal".into(), 0);
        journal
            .append(&[(0, sum(1, CHUNK)), (1, sum(2, CHUNK))])
            .unwrap();
        drop(journal);
        let path = folder.path().join("journal");
        let bytes = std::fs::read(&path).unwrap();
        for cut in 1..RECORD {
            std::fs::write(&path, &bytes[..bytes.len() - cut]).unwrap();
            let mut journal = Journal::new(open.clone(), "journal".into(), 1);
            journal.append(&[(2, sum(3, CHUNK))]).unwrap();
            let said = Journal::read(&open, "journal").unwrap();
            assert_eq!(said.chunks.keys().copied().collect::<Vec<_>>(), [0, 2]);
            journal.rewrite(&[(0, sum(1, CHUNK))], true).unwrap();
            journal.take_back([0].into_iter(), true).unwrap();
            journal.append(&[(5, sum(1, 3))]).unwrap();
            let said = Journal::read(&open, "journal").unwrap();
            assert_eq!(said.chunks.keys().copied().collect::<Vec<_>>(), [5]);
            assert_eq!(said.sequence, journal.sequence());
            assert_eq!(journal.records(), 3);
        }
    }
}
