//! What a folder holds, as it is found.
//!
//! Each batch is read when the listing is asked for it: an idle or dropped listing holds no
//! thread and no more than one batch.

use std::collections::VecDeque;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use futures_util::{StreamExt, TryStreamExt, stream};
use gaveta_core::{ErrorKind, ListPlan, Listed, Listing, Path, PathProblem, Result, Window};
use rustix::fs::{Dir, DirEntry};
use rustix::io::Errno;

use crate::base::Base;
use crate::errno::Os;
use crate::staged::is_part;
use crate::store::run;
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
    let reader = run(move || {
        let folder = open(&base, &path)?;
        Reader::new(&base, folder, path, &plan)
    })
    .await?;
    let batches = stream::try_unfold(reader, |mut reader| async move {
        if reader.done {
            return Ok(None);
        }
        run(move || {
            let batch = reader.next_batch()?;
            Ok(Some((batch, reader)))
        })
        .await
    });
    let items = batches
        .map_ok(|batch| stream::iter(batch.into_iter().map(Ok)))
        .try_flatten();
    Ok(items.boxed())
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
