//! A store that fails when told to, around any other.

use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use futures_core::stream::BoxStream;
use futures_util::{StreamExt, stream};
use gaveta_core::{
    Check, Content, Entry, Error, ErrorKind, ListPlan, Listing, MovePlan, Path, ReadPlan, Reading,
    RemovePlan, Result, Seal, Space, Store, TouchPlan, Upload, UploadId, UploadState, WritePlan,
};
use gaveta_core::{ChunkDigest, Outline, Piece, Pieces, Version};

/// What can be made to fail: the methods of `Store` and of `Upload`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// `Store::stat`
    Stat,
    /// `Store::list`
    List,
    /// `Store::read`
    Read,
    /// `Store::outline`
    Outline,
    /// `Store::begin`
    Begin,
    /// `Store::upload`
    Upload,
    /// `Store::uploads`
    Uploads,
    /// `Store::make_folder`
    MakeFolder,
    /// `Store::remove`
    Remove,
    /// `Store::rename`
    Rename,
    /// `Store::copy`
    Copy,
    /// `Store::touch`
    Touch,
    /// `Store::space`
    Space,
    /// `Upload::state`
    State,
    /// `Upload::write`
    Write,
    /// `Upload::write_chunks`
    WriteChunks,
    /// `Upload::read`
    ReadBack,
    /// `Upload::set_length`
    SetLength,
    /// `Upload::sync`
    Sync,
    /// `Upload::commit`
    Commit,
    /// `Upload::discard`
    Discard,
}

/// A store that fails when told to. Clones share what they were told; so do its uploads.
#[derive(Debug, Clone)]
pub struct FlakyStore<S> {
    inner: S,
    told: Told,
}

type Told = Arc<Mutex<Faults>>;

#[derive(Debug, Default)]
struct Faults {
    /// Taken from the front when their turn comes.
    failures: Vec<Failure>,
    cut_reads: Option<(u64, ErrorKind)>,
    cut_writes: Option<(u64, ErrorKind)>,
    spoilt_reads: usize,
    spoilt_writes: usize,
}

#[derive(Debug)]
struct Failure {
    operation: Operation,
    kind: ErrorKind,
    after: usize,
    times: usize,
    done_first: bool,
}

impl<S> FlakyStore<S> {
    /// As `inner`, until told to fail.
    pub fn new(inner: S) -> Self {
        Self {
            inner,
            told: Told::default(),
        }
    }

    /// After so many calls that succeed, this operation fails so many times without being done.
    pub fn fail(&self, operation: Operation, kind: ErrorKind, after: usize, times: usize) {
        let failure = Failure {
            operation,
            kind,
            after,
            times,
            done_first: false,
        };
        faults(&self.told).failures.push(failure);
    }

    /// The next call of this operation is done, but its answer is lost.
    pub fn lose_answer(&self, operation: Operation, kind: ErrorKind) {
        let failure = Failure {
            operation,
            kind,
            after: 0,
            times: 1,
            done_first: true,
        };
        faults(&self.told).failures.push(failure);
    }

    /// From now on every stream of a `Reading` ends with this error after so many bytes.
    pub fn cut_reads_after(&self, bytes: u64, kind: ErrorKind) {
        faults(&self.told).cut_reads = Some((bytes, kind));
    }

    /// From now on every content that is written ends with this error after so many bytes.
    pub fn cut_writes_after(&self, bytes: u64, kind: ErrorKind) {
        faults(&self.told).cut_writes = Some((bytes, kind));
    }

    /// The first chunk of the next so many `Reading::chunks` gets a digest that is not its own.
    pub fn spoil_reads(&self, times: usize) {
        faults(&self.told).spoilt_reads = times;
    }

    /// The first chunk of the next so many `Upload::write_chunks` arrives with a digest that is
    /// not its own.
    pub fn spoil_writes(&self, times: usize) {
        faults(&self.told).spoilt_writes = times;
    }

    /// Nothing fails any more.
    pub fn heal(&self) {
        *faults(&self.told) = Faults::default();
    }

    /// The store around which it stands.
    pub fn inner(&self) -> &S {
        &self.inner
    }
}

fn faults(told: &Told) -> MutexGuard<'_, Faults> {
    told.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Does the operation, unless it is its turn to fail.
async fn around<T>(
    told: &Told,
    operation: Operation,
    work: impl Future<Output = Result<T>>,
) -> Result<T> {
    match turn(told, operation) {
        None => work.await,
        Some((kind, done_first)) => {
            if done_first {
                work.await?;
            }
            Err(Error::new(kind).because("told to fail"))
        }
    }
}

/// Is it this operation's turn to fail?
fn turn(told: &Told, operation: Operation) -> Option<(ErrorKind, bool)> {
    let mut faults = faults(told);
    let at = faults
        .failures
        .iter()
        .position(|failure| failure.operation == operation)?;
    let failure = faults.failures.get_mut(at)?;
    if failure.after > 0 {
        failure.after -= 1;
        return None;
    }
    let fault = (failure.kind, failure.done_first);
    failure.times = failure.times.saturating_sub(1);
    if failure.times == 0 {
        faults.failures.remove(at);
    }
    Some(fault)
}

/// Something on its way that counts bytes.
trait Counted: Send + Sized + 'static {
    fn count(&self) -> u64;
    /// No more than so many bytes of it.
    fn shorten(self, most: u64) -> Self;
}

impl Counted for Bytes {
    fn count(&self) -> u64 {
        self.len() as u64
    }

    fn shorten(mut self, most: u64) -> Self {
        self.truncate(usize::try_from(most).unwrap_or(usize::MAX));
        self
    }
}

/// A chunk's digest counts nothing.
impl Counted for Piece {
    fn count(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.count(),
            Self::Close(_) => 0,
        }
    }

    fn shorten(self, most: u64) -> Self {
        match self {
            Self::Bytes(bytes) => Self::Bytes(bytes.shorten(most)),
            close @ Self::Close(_) => close,
        }
    }
}

/// The content's first bytes, then the error; the whole, when it is shorter.
fn cut<T: Counted>(
    content: BoxStream<'static, Result<T>>,
    at: Option<(u64, ErrorKind)>,
) -> BoxStream<'static, Result<T>> {
    let Some((bytes, kind)) = at else {
        return content;
    };
    stream::unfold(Some((content, bytes)), move |state| async move {
        let (mut content, left) = state?;
        if left == 0 {
            return Some((Err(Error::new(kind).because("told to be cut")), None));
        }
        match content.next().await? {
            Ok(piece) => {
                let piece = piece.shorten(left);
                let left = left - piece.count();
                Some((Ok(piece), Some((content, left))))
            }
            Err(error) => Some((Err(error), None)),
        }
    })
    .boxed()
}

/// Gives the first chunk another digest, when told to.
fn spoil(pieces: Pieces, spoilt: bool) -> Pieces {
    let mut left = usize::from(spoilt);
    let other = move |piece: Result<Piece>| match piece {
        Ok(Piece::Close(digest)) if left > 0 => {
            left -= 1;
            let bytes = digest.as_bytes().map(|byte| !byte);
            Ok(Piece::Close(ChunkDigest::from_bytes(bytes)))
        }
        other => other,
    };
    pieces.map(other).boxed()
}

/// Counts down; says whether something was left.
fn spend(left: &mut usize) -> bool {
    let some = *left > 0;
    *left = left.saturating_sub(1);
    some
}

#[derive(Debug)]
struct FlakyReading {
    inner: Arc<dyn Reading>,
    told: Told,
}

impl Reading for FlakyReading {
    fn entry(&self) -> &Entry {
        self.inner.entry()
    }

    fn stream(&self, range: Range<u64>) -> Content {
        let at = faults(&self.told).cut_reads;
        cut(self.inner.stream(range), at)
    }

    fn chunks(&self, range: Range<u64>) -> Pieces {
        let (at, spoilt) = {
            let mut faults = faults(&self.told);
            (faults.cut_reads, spend(&mut faults.spoilt_reads))
        };
        cut(spoil(self.inner.chunks(range), spoilt), at)
    }
}

#[derive(Debug)]
struct FlakyUpload {
    inner: Arc<dyn Upload>,
    told: Told,
}

#[async_trait]
impl Upload for FlakyUpload {
    async fn state(&self) -> Result<UploadState> {
        around(&self.told, Operation::State, self.inner.state()).await
    }

    async fn take_over(&self, range: Range<u64>) -> Result<UploadState> {
        around(&self.told, Operation::State, self.inner.take_over(range)).await
    }

    async fn write(&self, offset: u64, content: Content, check: Check) -> Result<u64> {
        let at = faults(&self.told).cut_writes;
        let work = self.inner.write(offset, cut(content, at), check);
        around(&self.told, Operation::Write, work).await
    }

    async fn write_chunks(&self, offset: u64, pieces: Pieces) -> Result<u64> {
        let (at, spoilt) = {
            let mut faults = faults(&self.told);
            (faults.cut_writes, spend(&mut faults.spoilt_writes))
        };
        let pieces = cut(spoil(pieces, spoilt), at);
        let work = self.inner.write_chunks(offset, pieces);
        around(&self.told, Operation::WriteChunks, work).await
    }

    async fn read(&self, range: Range<u64>) -> Result<Bytes> {
        around(&self.told, Operation::ReadBack, self.inner.read(range)).await
    }

    async fn set_length(&self, length: u64) -> Result<()> {
        around(
            &self.told,
            Operation::SetLength,
            self.inner.set_length(length),
        )
        .await
    }

    async fn sync(&self) -> Result<()> {
        around(&self.told, Operation::Sync, self.inner.sync()).await
    }

    async fn commit(&self, seal: Seal) -> Result<Entry> {
        around(&self.told, Operation::Commit, self.inner.commit(seal)).await
    }

    async fn discard(&self) -> Result<()> {
        around(&self.told, Operation::Discard, self.inner.discard()).await
    }
}

#[async_trait]
impl<S: Store> Store for FlakyStore<S> {
    async fn stat(&self, path: &Path) -> Result<Entry> {
        around(&self.told, Operation::Stat, self.inner.stat(path)).await
    }

    async fn list(&self, folder: &Path, plan: ListPlan) -> Result<Listing> {
        around(&self.told, Operation::List, self.inner.list(folder, plan)).await
    }

    async fn read(&self, path: &Path, plan: ReadPlan) -> Result<Arc<dyn Reading>> {
        let inner = around(&self.told, Operation::Read, self.inner.read(path, plan)).await?;
        Ok(Arc::new(FlakyReading {
            inner,
            told: Arc::clone(&self.told),
        }))
    }

    async fn outline(&self, path: &Path, version: &Version) -> Result<Outline> {
        let work = self.inner.outline(path, version);
        around(&self.told, Operation::Outline, work).await
    }

    async fn begin(&self, plan: WritePlan) -> Result<Arc<dyn Upload>> {
        let inner = around(&self.told, Operation::Begin, self.inner.begin(plan)).await?;
        Ok(Arc::new(FlakyUpload {
            inner,
            told: Arc::clone(&self.told),
        }))
    }

    async fn upload(&self, id: &UploadId, target: Option<&Path>) -> Result<Arc<dyn Upload>> {
        let work = self.inner.upload(id, target);
        let inner = around(&self.told, Operation::Upload, work).await?;
        Ok(Arc::new(FlakyUpload {
            inner,
            told: Arc::clone(&self.told),
        }))
    }

    async fn uploads(&self) -> Result<BoxStream<'static, Result<UploadState>>> {
        around(&self.told, Operation::Uploads, self.inner.uploads()).await
    }

    async fn make_folder(&self, path: &Path) -> Result<Entry> {
        around(
            &self.told,
            Operation::MakeFolder,
            self.inner.make_folder(path),
        )
        .await
    }

    async fn remove(&self, path: &Path, plan: RemovePlan) -> Result<()> {
        around(&self.told, Operation::Remove, self.inner.remove(path, plan)).await
    }

    async fn rename(&self, from: &Path, to: &Path, plan: MovePlan) -> Result<Entry> {
        around(
            &self.told,
            Operation::Rename,
            self.inner.rename(from, to, plan),
        )
        .await
    }

    async fn copy(&self, from: &Path, to: &Path, plan: MovePlan) -> Result<Entry> {
        around(&self.told, Operation::Copy, self.inner.copy(from, to, plan)).await
    }

    async fn touch(&self, path: &Path, plan: TouchPlan) -> Result<Entry> {
        around(&self.told, Operation::Touch, self.inner.touch(path, plan)).await
    }

    fn trash(&self) -> Option<Arc<dyn gaveta_core::Trash>> {
        self.inner.trash()
    }

    fn round_trip(&self) -> Option<std::time::Duration> {
        self.inner.round_trip()
    }

    fn upkeep(&self) -> Option<Arc<dyn gaveta_core::Upkeep>> {
        self.inner.upkeep()
    }

    async fn space(&self) -> Result<Space> {
        around(&self.told, Operation::Space, self.inner.space()).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::{collect, content, stream_of};
    use crate::memory::MemoryStore;
    use gaveta_core::Owner;

    fn plan(name: &str) -> WritePlan {
        WritePlan::new(Path::parse(name).unwrap(), Owner("test".into()))
    }

    #[tokio::test]
    async fn fails_when_told_and_only_then() {
        let store = FlakyStore::new(MemoryStore::new());
        let root = Path::root();
        store.fail(Operation::Stat, ErrorKind::Busy, 1, 2);
        assert!(store.stat(&root).await.is_ok());
        for _ in 0..2 {
            assert_eq!(store.stat(&root).await.unwrap_err().kind(), ErrorKind::Busy);
        }
        assert!(store.stat(&root).await.is_ok());

        store.lose_answer(Operation::MakeFolder, ErrorKind::Disconnected);
        let folder = Path::parse("a").unwrap();
        let lost = store.make_folder(&folder).await.unwrap_err();
        assert_eq!(lost.kind(), ErrorKind::Disconnected);
        assert!(store.inner().stat(&folder).await.unwrap().is_folder());
    }

    #[tokio::test]
    async fn contents_are_cut_at_the_byte() {
        let store = FlakyStore::new(MemoryStore::new());
        let bytes = content(5000, 1);
        let upload = store.begin(plan("file")).await.unwrap();
        store.cut_writes_after(1234, ErrorKind::TimedOut);
        let cut = upload
            .write(0, stream_of(bytes.clone(), 1000), Check::None)
            .await;
        assert_eq!(cut.unwrap_err().kind(), ErrorKind::TimedOut);
        assert_eq!(upload.state().await.unwrap().arrived.prefix(), 1234);
        store.heal();
        upload
            .write(0, stream_of(bytes.clone(), 1000), Check::None)
            .await
            .unwrap();
        upload.commit(Seal::default()).await.unwrap();

        store.cut_reads_after(99, ErrorKind::Io);
        let path = Path::parse("file").unwrap();
        let reading = store.read(&path, ReadPlan::default()).await.unwrap();
        assert_eq!(
            collect(reading.stream(0..99)).await.unwrap_err().kind(),
            ErrorKind::Io
        );
        store.heal();
        assert_eq!(collect(reading.stream(0..5000)).await.unwrap(), bytes);
    }
}
