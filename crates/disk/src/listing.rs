//! What a folder holds, as it is found.
//!
//! While somebody reads one batch, the next is read: an idle or dropped listing holds no thread, and
//! no more than two batches.

use std::collections::VecDeque;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use futures_util::{StreamExt, TryStreamExt, stream};
use gaveta_core::{Error, ErrorKind, ListPlan, Listed, Listing, Path, PathProblem, Result, Window};
use rustix::fs::{Dir, DirEntry};
use rustix::io::Errno;
use tokio::task::JoinHandle;

use crate::base::Base;
use crate::errno::Os;
use crate::staged::is_part;
use crate::store::{joined, run};
use crate::{Staging, os};

/// Few at first, so that the first entries leave at once.
const FIRST_BATCH: usize = 32;
const BATCH: usize = 256;

/// Opens a folder for listing; entries are looked at as they are asked for.
pub(crate) async fn list(base: Arc<Base>, folder: Path, plan: ListPlan) -> Result<Listing> {
    list_opened(base, folder, plan, |base, path| base.folder(path)).await
}

/// As [`list`], of a folder that `open` opens; its entries are told beneath `path`.
pub(crate) async fn list_opened(
    base: Arc<Base>,
    path: Path,
    plan: ListPlan,
    open: impl FnOnce(&Base, &Path) -> Result<OwnedFd> + Send + 'static,
) -> Result<Listing> {
    // The first batch comes with the opening: most folders have no other.
    let first = run(move || {
        let folder = open(&base, &path)?;
        Reader::new(&base, folder, path, &plan)?.step()
    })
    .await?;
    let batches = stream::try_unfold(Next::Here(first), |next| async move {
        let (batch, reader) = match next {
            Next::Here(step) => step,
            Next::Ahead(reading) => joined(reading.await)?,
            Next::End => return Ok(None),
        };
        let next = match reader {
            Some(reader) => Next::Ahead(tokio::task::spawn_blocking(move || reader.step())),
            None => Next::End,
        };
        Ok::<_, Error>(Some((batch, next)))
    });
    let items = batches
        .map_ok(|batch| stream::iter(batch.into_iter().map(Ok)))
        .try_flatten();
    Ok(items.boxed())
}

/// A batch, and who reads on.
type Step = (VecDeque<Listed>, Option<Reader>);

/// What a listing goes on with.
enum Next {
    Here(Step),
    /// It ends by itself, also when nobody waits for it any more.
    Ahead(JoinHandle<Result<Step>>),
    End,
}

struct Reader {
    names: Dir,
    /// The same folder, to look at its entries.
    folder: OwnedFd,
    path: Path,
    window: Option<Window>,
    /// How many entries may still leave.
    left: usize,
    batch: usize,
    hides_parts: bool,
    /// Unusable names are told with the first page only, so that pages add up.
    tells_unnameable: bool,
    done: bool,
}

impl Reader {
    fn new(base: &Base, folder: OwnedFd, path: Path, plan: &ListPlan) -> Result<Self> {
        let window = plan.window()?;
        let names = os::open_readable(&folder).and_then(Dir::new).os_at(&path)?;
        Ok(Self {
            names,
            folder,
            path,
            left: plan.limit.unwrap_or(usize::MAX),
            window,
            batch: FIRST_BATCH,
            hides_parts: base.staging() == Staging::Beside,
            tells_unnameable: plan.after.is_none(),
            done: plan.limit == Some(0),
        })
    }

    /// Reads a batch. Blocks.
    fn step(mut self) -> Result<Step> {
        let batch = match self.done {
            true => VecDeque::new(),
            false => self.next_batch()?,
        };
        Ok((batch, (!self.done).then_some(self)))
    }

    /// Looks at the next entries; sorted, they leave only at the end, as one page.
    fn next_batch(&mut self) -> Result<VecDeque<Listed>> {
        let mut batch = VecDeque::new();
        // A sorted listing looks at as many names for one batch; else it would hop per entry.
        for _ in 0..self.batch {
            let Some(next) = self.names.read() else {
                self.done = true;
                break;
            };
            match self.look(&next.os_at(&self.path)?)? {
                None => {}
                Some(Listed::Entry(entry)) => match &mut self.window {
                    Some(window) => window.push(entry),
                    None => {
                        batch.push_back(Listed::Entry(entry));
                        self.left -= 1;
                        if self.left == 0 {
                            self.done = true;
                            break;
                        }
                    }
                },
                Some(unnameable) if self.tells_unnameable => batch.push_back(unnameable),
                Some(_) => {}
            }
        }
        self.batch = BATCH;
        if self.done
            && let Some(window) = self.window.take()
        {
            batch.extend(window.into_page().into_iter().map(Listed::Entry));
        }
        Ok(batch)
    }

    /// None for what is hidden, or gone meanwhile.
    fn look(&self, found: &DirEntry) -> Result<Option<Listed>> {
        let raw = found.file_name().to_bytes();
        if raw == b"." || raw == b".." {
            return Ok(None);
        }
        let unnameable = || {
            Some(Listed::Unnameable {
                shown: raw.escape_ascii().to_string(),
            })
        };
        let path = match std::str::from_utf8(raw).map(|name| self.path.join(name)) {
            Ok(Ok(path)) => path,
            Ok(Err(error)) if error.kind() == ErrorKind::BadPath(PathProblem::Reserved) => {
                return Ok(None);
            }
            Ok(Err(_)) | Err(_) => return Ok(unnameable()),
        };
        if self.hides_parts && path.name().is_some_and(is_part) {
            return Ok(None);
        }
        match os::meta_at(&self.folder, found.file_name()) {
            Ok(meta) => Ok(Some(Listed::Entry(meta.entry(path, None)))),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(errno).os_at(&path),
        }
    }
}
