//! One version of a file, open, and its bytes as a stream.

use std::fs::File;
use std::ops::Range;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use gaveta_core::{Content, Entry, Error, ErrorKind, Path, ReadPlan, Reading, Result};
use tokio::task::JoinHandle;

use crate::base::Base;
use crate::errno::Os;
use crate::note;
use crate::os;
use crate::publish::check_version;
use crate::store::joined;

/// How much is read at once. One piece is read ahead, so a stream holds twice as much.
const PIECE: u64 = 256 << 10;

/// An open file. The handle pins the version: replacing or removing the name does not touch it.
#[derive(Debug)]
pub(crate) struct DiskReading {
    entry: Entry,
    file: Arc<File>,
}

/// Opens a file for reading.
///
/// # Errors
/// `LengthMismatch` when it says that it is empty and is not, besides those of opening.
pub(crate) fn open(base: &Base, path: &Path, plan: &ReadPlan) -> Result<DiskReading> {
    let (file, meta) = base.file(path)?;
    if meta.size == 0 {
        is_empty(&file).map_err(|error| error.about(path))?;
    }
    check_version(&meta, plan.version.as_ref()).map_err(|error| error.about(path))?;
    let digest = note::read(&file, &meta);
    Ok(DiskReading {
        entry: meta.entry(path.clone(), digest),
        file: Arc::new(file.into()),
    })
}

/// Files that the kernel makes up as they are read (`/proc`) say that they are empty: taken at their
/// word, nothing would be copied and called whole.
fn is_empty(file: &OwnedFd) -> Result<()> {
    match rustix::io::pread(file, &mut [0; 1], 0).os()? {
        0 => Ok(()),
        // It grows in this moment: what was opened is the empty version of it.
        _ if os::meta_of(file).os()?.size > 0 => Ok(()),
        _ => Err(Error::new(ErrorKind::LengthMismatch)),
    }
}

impl Reading for DiskReading {
    fn entry(&self) -> &Entry {
        &self.entry
    }

    fn stream(&self, range: Range<u64>) -> Content {
        if range.start > range.end || range.end > self.entry.size {
            let error = Error::at(ErrorKind::BadRange, &self.entry.path);
            return stream::once(async { Err(error) }).boxed();
        }
        let ahead = Ahead {
            file: self.file.clone(),
            rest: range,
            next: None,
            path: self.entry.path.clone(),
        };
        stream::try_unfold(ahead, Ahead::step).boxed()
    }
}

/// What is still to be streamed. No thread waits while nobody asks.
struct Ahead {
    file: Arc<File>,
    rest: Range<u64>,
    next: Option<JoinHandle<Result<Bytes>>>,
    path: Path,
}

impl Ahead {
    async fn step(mut self) -> Result<Option<(Bytes, Self)>> {
        self.start_next();
        let Some(next) = self.next.take() else {
            return Ok(None);
        };
        let piece = joined(next.await).map_err(|error| error.about(&self.path))?;
        self.start_next();
        Ok(Some((piece, self)))
    }

    fn start_next(&mut self) {
        if self.next.is_some() || self.rest.is_empty() {
            return;
        }
        let end = self.rest.start.saturating_add(PIECE).min(self.rest.end);
        let (file, range) = (self.file.clone(), self.rest.start..end);
        self.rest.start = end;
        self.next = Some(tokio::task::spawn_blocking(move || {
            read_range(&file, range)
        }));
    }
}

/// Reads exactly this range.
///
/// # Errors
/// `LengthMismatch` when the file ends before it.
pub(crate) fn read_range(file: &File, range: Range<u64>) -> Result<Bytes> {
    let length = usize::try_from(range.end - range.start)
        .map_err(|error| Error::new(ErrorKind::TooLarge).because(error))?;
    let mut bytes = Vec::with_capacity(length);
    while bytes.len() < length {
        let offset = range.start + bytes.len() as u64;
        // The space may be larger than asked for: what is too much is cut off below.
        match rustix::io::pread(file, rustix::buffer::spare_capacity(&mut bytes), offset) {
            Ok(0) => return Err(Error::new(ErrorKind::LengthMismatch)),
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(errno) => return Err(errno).os(),
        }
    }
    bytes.truncate(length);
    Ok(bytes.into())
}
