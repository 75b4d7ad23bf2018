//! After an unclean stop: what is listed counts only when its bytes are found to match.

use std::ops::Range;
use std::sync::Arc;

use gaveta_core::{ChunkHasher, Digest, Result};

use super::Body;
use super::kept::{Listed, chunk_span};
use super::sums::{Sum, span};
use crate::locks::lock;
use crate::reading::read_range;
use crate::store::run;

/// How many claims are checked in one turn: 64 MiB at most, then others get theirs.
const TURN: usize = 64;

/// What the disk claims to have.
#[derive(Debug)]
enum Claim {
    Chunk(u64, Sum),
    Piece(Range<u64>, Digest),
}

/// Makes of what is listed what has arrived: as it is when it is vouched for, else what is true
/// of it. Few are checked at once; each holds one chunk in memory.
pub(super) async fn admit(body: &Arc<Body>, listed: Listed) -> Result<()> {
    let trusted = listed.trusted;
    {
        let mut progress = lock(&body.progress);
        progress.touched = listed.touched;
        progress.saved = listed
            .pieces
            .iter()
            .map(|(range, _)| range.clone())
            .collect();
        progress.marked = trusted;
    }
    let length = lock(&body.progress).length;
    let fits = |index: u64, sum: &Sum| chunk_span(index, sum) == span(index, length);
    let chunks = listed.chunks.into_iter();
    let pieces = listed.pieces.into_iter();
    let mut claims = chunks
        .filter(|(index, sum)| fits(*index, sum))
        .map(|(index, sum)| Claim::Chunk(index, sum))
        .chain(pieces.map(|(range, digest)| Claim::Piece(range, digest)))
        .peekable();
    let (mut checked, mut untrue) = (0_u64, 0_u64);
    while claims.peek().is_some() {
        let turn: Vec<Claim> = claims.by_ref().take(TURN).collect();
        checked += turn.len() as u64;
        if trusted {
            turn.into_iter().for_each(|claim| body.admit(claim));
            continue;
        }
        // Closed only with the store.
        let _permit = body.base.hashing.acquire().await;
        let checking = body.clone();
        untrue += run(move || {
            let mut untrue = 0;
            for claim in turn {
                match checking.is_true(&claim) {
                    true => checking.admit(claim),
                    false => untrue += 1,
                }
            }
            Ok(untrue)
        })
        .await?;
        tracing::debug!(id = %body.id, checked, untrue, "an upload is hashed again");
    }
    if trusted {
        return Ok(());
    }
    if checked > 0 {
        tracing::info!(id = %body.id, checked, untrue, "an upload was hashed again after an unclean stop");
    }
    let tidied = body.clone();
    run(move || {
        // What is untrue must not be vouched for by the next mark.
        lock(&tidied.progress).dirty = true;
        match &tidied.keeping {
            Some(keeping) => {
                keeping.shelf.unmark()?;
                tidied.rewrite_journal(keeping, tidied.base.is_full())
            }
            None => Ok(()),
        }
    })
    .await
}

impl Body {
    fn admit(&self, claim: Claim) {
        match claim {
            Claim::Chunk(index, sum) => self.admit_chunk(index, sum),
            Claim::Piece(range, _) => lock(&self.progress).arrived.insert(range),
        }
    }

    /// What cannot be read is not there.
    fn is_true(&self, claim: &Claim) -> bool {
        let file = &self.staged.file;
        match claim {
            Claim::Chunk(index, sum) => {
                read_range(file, chunk_span(*index, sum)).is_ok_and(|bytes| {
                    let mut hasher = ChunkHasher::new(*index);
                    hasher.update(&bytes);
                    hasher.close(false) == sum.digest
                })
            }
            // A piece lies within one chunk.
            Claim::Piece(range, digest) => {
                range.end - range.start <= gaveta_core::CHUNK
                    && read_range(file, range.clone())
                        .is_ok_and(|bytes| Digest::of(&bytes) == *digest)
            }
        }
    }
}
