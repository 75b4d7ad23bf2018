//! One version of a file, open, and its bytes as a stream.

use std::fs::File;
use std::ops::Range;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use gaveta_core::{
    CHUNK, ChunkDigest, Content, Entry, Error, ErrorKind, Outline, Path, Piece, Pieces, ReadPlan,
    Reading, Result, Version, chunk,
};
use tokio::task::JoinHandle;

use crate::base::Base;
use crate::errno::Os;
use crate::meta::Meta;
use crate::publish::check_version;
use crate::store::{joined, run};
use crate::{note, os};

/// How much is read at once: less when many read. One piece is read ahead, so a stream holds twice
/// as much.
const LARGEST: u64 = 256 << 10;
const SMALLEST: u64 = 64 << 10;
/// What all streams hold together, until there are so many that the smallest pieces come to more.
const ALL: u64 = 32 << 20;

/// How many chunks are hashed in one turn, before others get theirs.
const TURN: usize = 64;

/// An open file. The handle pins the version: replacing or removing the name does not touch it.
#[derive(Debug)]
pub(crate) struct DiskReading {
    entry: Entry,
    file: Arc<File>,
    base: Arc<Base>,
}

/// Opens a file for reading.
///
/// # Errors
/// `LengthMismatch` when it says that it is empty and is not, besides those of opening.
pub(crate) fn open(base: &Arc<Base>, path: &Path, plan: &ReadPlan) -> Result<DiskReading> {
    let (file, meta) = base.file(path)?;
    if meta.size == 0 {
        is_empty(&file).map_err(|error| error.about(path))?;
    }
    check_version(&meta, plan.version.as_ref()).map_err(|error| error.about(path))?;
    let digest = note::read(&file, &meta);
    Ok(DiskReading {
        entry: meta.entry(path.clone(), digest),
        file: Arc::new(file.into()),
        base: base.clone(),
    })
}

/// A file that is open already, as it was at this path.
pub(crate) fn of_open(base: &Arc<Base>, path: Path, file: OwnedFd, meta: &Meta) -> DiskReading {
    let digest = note::read(&file, meta);
    DiskReading {
        entry: meta.entry(path, digest),
        file: Arc::new(file.into()),
        base: base.clone(),
    }
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
            cached: true,
            path: self.entry.path.clone(),
            reader: Reader::new(self.base.clone()),
        };
        stream::try_unfold(ahead, Ahead::step).boxed()
    }

    fn chunks(&self, range: Range<u64>) -> Pieces {
        let size = self.entry.size;
        let aligned = |at: u64| at == size || at.is_multiple_of(CHUNK);
        if !aligned(range.start) || !aligned(range.end) || range.end > size {
            let error = Error::at(ErrorKind::BadRange, &self.entry.path);
            return stream::once(async { Err(error) }).boxed();
        }
        let content = self.stream(range.clone());
        let (base, entry) = (self.base.clone(), self.entry.clone());
        let pieces = async move {
            let known = run(move || Ok(kept(&base, &entry))).await;
            match known.ok().flatten() {
                Some(outline) => closing(content, range, outline),
                None => chunk::pieces(content, range, size),
            }
        };
        stream::once(pieces).flatten().boxed()
    }
}

/// The outline that is kept of an entry.
fn kept(base: &Base, entry: &Entry) -> Option<Outline> {
    match (entry.size, entry.digest) {
        (0, _) => Outline::new(0, Vec::new()).ok(),
        // The only chunk is the whole.
        (1..=CHUNK, Some(digest)) => {
            let only = ChunkDigest::from_bytes(*digest.as_bytes());
            Outline::new(entry.size, vec![only]).ok()
        }
        (size, digest) => base.outlines()?.read(&entry.version, size, digest),
    }
}

/// Closes each chunk with the digest that is kept of it: nothing is hashed.
fn closing(content: Content, range: Range<u64>, outline: Outline) -> Pieces {
    struct State {
        content: Content,
        outline: Outline,
        at: u64,
        rest: Bytes,
        due: bool,
    }
    let state = State {
        content,
        outline,
        at: range.start,
        rest: Bytes::new(),
        due: false,
    };
    let step = |mut state: State| async move {
        let short = || Error::new(ErrorKind::LengthMismatch);
        if state.due {
            state.due = false;
            let index = usize::try_from((state.at - 1) / CHUNK).map_err(|_| short())?;
            let digest = state.outline.chunks().get(index).ok_or_else(short)?;
            return Ok(Some((Piece::Close(*digest), state)));
        }
        while state.rest.is_empty() {
            match state.content.next().await.transpose()? {
                Some(bytes) => state.rest = bytes,
                None => return Ok(None),
            }
        }
        let end = chunk::span(state.at / CHUNK, state.outline.length()).end;
        let room = usize::try_from(end - state.at).unwrap_or(usize::MAX);
        let bytes = state.rest.split_to(room.min(state.rest.len()));
        state.at += bytes.len() as u64;
        state.due = state.at == end;
        Ok(Some((Piece::Bytes(bytes), state)))
    };
    stream::try_unfold(state, step).boxed()
}

/// The chunk digests of a file: those kept, else made now, a few at a time, and then kept.
pub(crate) async fn outline(base: &Arc<Base>, path: &Path, version: &Version) -> Result<Outline> {
    let plan = ReadPlan {
        version: Some(version.clone()),
        first: None,
        ..ReadPlan::default()
    };
    let about = |error: Error| error.about(path);
    let reading = Arc::new({
        let (base, path) = (base.clone(), path.clone());
        run(move || open(&base, &path, &plan)).await?
    });
    let known = {
        let reading = reading.clone();
        run(move || Ok(kept(&reading.base, &reading.entry))).await?
    };
    if let Some(outline) = known {
        return Ok(outline);
    }
    let (size, mut chunks) = (reading.entry.size, Vec::new());
    for start in (0..chunk::count(size)).step_by(TURN) {
        let end = (start + TURN as u64).min(chunk::count(size));
        // Closed only with the store.
        let _permit = base.hashing.acquire().await;
        let file = reading.file.clone();
        let turn = run(move || {
            let hash = |index| {
                let bytes = read_range(&file, chunk::span(index, size))?;
                Ok(chunk::digest(index, &bytes, size))
            };
            (start..end).map(hash).collect::<Result<Vec<_>>>()
        });
        chunks.extend(turn.await.map_err(about)?);
    }
    let outline = Outline::new(size, chunks)?;
    let (made, base) = (outline.clone(), base.clone());
    let unchanged = run(move || {
        let entry = &reading.entry;
        // Read while somebody wrote to it in place, it is of no version.
        if os::meta_of(&*reading.file).os()?.version() != entry.version {
            return Err(Error::new(ErrorKind::VersionMismatch));
        }
        if let (None, Ok(())) = (entry.digest, base.check_writable()) {
            note::write(&*reading.file, &entry.version, &made.digest());
        }
        if let Some(outlines) = base.outlines() {
            outlines.keep(&entry.version, &made);
        }
        Ok(())
    });
    unchanged.await.map_err(about)?;
    Ok(outline)
}

/// What is still to be streamed. No thread waits while nobody asks.
struct Ahead {
    file: Arc<File>,
    rest: Range<u64>,
    next: Option<JoinHandle<Result<Bytes>>>,
    /// What is asked for lies in memory, as far as is known: it is copied here and now, which takes
    /// less than to have another thread do it.
    cached: bool,
    path: Path,
    reader: Reader,
}

/// Counts a stream while it lives.
struct Reader(Arc<Base>);

impl Reader {
    fn new(base: Arc<Base>) -> Self {
        base.readers.fetch_add(1, Ordering::Relaxed);
        Self(base)
    }

    fn piece(&self) -> u64 {
        let readers = self.0.readers.load(Ordering::Relaxed).max(1) as u64;
        (ALL / 2 / readers).clamp(SMALLEST, LARGEST)
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.0.readers.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Ahead {
    async fn step(mut self) -> Result<Option<(Bytes, Self)>> {
        // What is never waited for must still let others have their turn.
        tokio::task::coop::consume_budget().await;
        if let Some(piece) = self.read_now() {
            return Ok(Some((piece, self)));
        }
        self.start_next();
        let Some(next) = self.next.take() else {
            return Ok(None);
        };
        let piece = joined(next.await).map_err(|error| error.about(&self.path))?;
        self.start_next();
        Ok(Some((piece, self)))
    }

    /// The next piece, when all of it lies in memory.
    fn read_now(&mut self) -> Option<Bytes> {
        if !self.cached || self.next.is_some() || self.rest.is_empty() {
            return None;
        }
        let range = self.range();
        let length = usize::try_from(range.end - range.start).unwrap_or(usize::MAX);
        let mut lent = self.reader.0.pool.lend_filled(length);
        if os::read_cached(&*self.file, &mut lent.bytes, range.start) != Some(length) {
            self.cached = false;
            return None;
        }
        self.rest.start = range.end;
        Some(lent.freeze())
    }

    fn range(&self) -> Range<u64> {
        let end = self.rest.start.saturating_add(self.reader.piece());
        self.rest.start..end.min(self.rest.end)
    }

    fn start_next(&mut self) {
        if self.next.is_some() || self.rest.is_empty() {
            return;
        }
        let (file, range) = (self.file.clone(), self.range());
        self.rest.start = range.end;
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
