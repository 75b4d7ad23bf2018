//! Names that are free: where one is taken and both are to be kept, the newcomer gets a number.

use std::sync::Arc;

use futures_util::StreamExt;
use gaveta_core::{Check, Content, ErrorKind, Owner, Path, Result, Seal, Store, Upload, WritePlan};

use crate::drawer::View;

/// How many names are tried for one file.
const NAMES: u32 = 1000;
/// Pieces in which content is taken over to another name, in bytes.
const PIECE: u64 = 256 * 1024;

/// Names for one file, one after another: `a.txt`, `a (2).txt`, `a (3).txt`…
#[derive(Debug)]
pub(super) struct Names {
    path: Path,
    number: u32,
    owner: Owner,
}

impl Names {
    pub(super) fn new(path: Path, owner: Owner) -> Self {
        Self {
            path,
            number: 0,
            owner,
        }
    }

    /// Begins under the next name that is free.
    ///
    /// # Errors
    /// `Exists` when all that are tried are taken; those of the store.
    pub(super) async fn begin(
        &mut self,
        view: &View,
        length: Option<u64>,
    ) -> Result<Arc<dyn Upload>> {
        while self.number < NAMES {
            self.number += 1;
            let target = self.path.numbered(self.number)?;
            let plan = WritePlan {
                length,
                ..WritePlan::new(target, self.owner.clone())
            };
            match view.begin(plan).await {
                Err(failed) if failed.kind() == ErrorKind::Exists => {}
                // A folder of this name is in the way as much as a file.
                Err(failed) if failed.kind() == ErrorKind::IsFolder => {}
                begun => return begun,
            }
        }
        Err(ErrorKind::Exists.into())
    }
}

/// Publishes what an upload has kept; with `names`, under the next one that is free when somebody
/// else took its name meanwhile. What cannot be published goes.
pub(super) async fn publish(
    mut upload: Arc<dyn Upload>,
    kept: u64,
    mut names: Option<&mut Names>,
    view: &View,
) -> Result<()> {
    loop {
        let seal = Seal {
            length: Some(kept),
            digest: None,
        };
        let failed = match upload.commit(seal).await {
            Ok(_) => return Ok(()),
            Err(failed) => failed,
        };
        let next = match (failed.kind(), &mut names) {
            (ErrorKind::Exists, Some(names)) => names.begin(view, Some(kept)).await,
            _ => Err(failed),
        };
        let taken_over = async {
            let next = next?;
            let source = taken_over(Arc::clone(&upload), kept);
            match next.write(0, source, Check::None).await {
                Ok(_) => Ok(next),
                Err(failed) => {
                    let _ = next.discard().await;
                    Err(failed)
                }
            }
        };
        let next = taken_over.await;
        let _ = upload.discard().await;
        upload = next?;
    }
}

/// What another upload holds, as a content.
fn taken_over(source: Arc<dyn Upload>, length: u64) -> Content {
    let pieces = futures_util::stream::iter((0..length).step_by(PIECE as usize));
    Box::pin(pieces.then(move |start| {
        let source = Arc::clone(&source);
        async move { source.read(start..(start + PIECE).min(length)).await }
    }))
}
