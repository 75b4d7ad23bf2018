//! Who writes which range of one upload.
//!
//! A lease grows with what its writer has received. When two overlap, the newer stays: the older
//! one's write ends with `UploadLost`. A newer lease that starts exactly where an older one stands
//! takes it over as soon as the older goes on.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, Mutex};

use gaveta_core::{Error, ErrorKind, Result};
use tokio::sync::watch;

use crate::locks::lock;

/// All leases of one upload.
#[derive(Debug, Default)]
pub(super) struct Leases(Mutex<Table>);

#[derive(Debug, Default)]
struct Table {
    next: u64,
    held: HashMap<u64, Holder>,
}

#[derive(Debug)]
struct Holder {
    range: Range<u64>,
    lost: watch::Sender<bool>,
    piece: Arc<tokio::sync::Mutex<()>>,
}

/// One writer's lease; it ends when dropped.
#[derive(Debug)]
pub(super) struct Lease {
    leases: Arc<Leases>,
    number: u64,
    lost: watch::Receiver<bool>,
    /// Held while a piece of this lease is being written. Who takes the range over waits for it,
    /// so that a late piece cannot land on newer bytes.
    piece: Arc<tokio::sync::Mutex<()>>,
}

impl Leases {
    /// Leases the byte at `offset`, and what will follow.
    pub(super) async fn take(self: &Arc<Self>, offset: u64) -> Result<Lease> {
        let lease = {
            let mut table = lock(&self.0);
            let number = table.next;
            table.next += 1;
            let (lost, seen) = watch::channel(false);
            let piece = Arc::new(tokio::sync::Mutex::new(()));
            table.held.insert(
                number,
                Holder {
                    range: offset..offset,
                    lost,
                    piece: piece.clone(),
                },
            );
            Lease {
                leases: self.clone(),
                number,
                lost: seen,
                piece,
            }
        };
        lease.grow(offset).await?;
        Ok(lease)
    }

    /// Ends the writes of what lies in this range, and waits for what they have in hand.
    pub(super) async fn end_within(&self, range: &Range<u64>) {
        let mut evicted = Vec::new();
        for holder in lock(&self.0).held.values() {
            let theirs = claim(&holder.range);
            if theirs.start < range.end && range.start < theirs.end {
                holder.lost.send_replace(true);
                evicted.push(Arc::clone(&holder.piece));
            }
        }
        for piece in evicted {
            drop(piece.lock_owned().await);
        }
    }

    /// Ends every write: the upload is committed or discarded.
    pub(super) fn end_all(&self) {
        for holder in lock(&self.0).held.values() {
            holder.lost.send_replace(true);
        }
    }
}

/// An empty lease still claims the byte it stands at.
fn claim(range: &Range<u64>) -> Range<u64> {
    range.start..range.end.max(range.start.saturating_add(1))
}

impl Lease {
    /// Claims everything up to `end`, and waits until older writers let go of it.
    ///
    /// # Errors
    /// `UploadLost` when somebody newer has some of it.
    pub(super) async fn grow(&self, end: u64) -> Result<()> {
        for piece in self.claim_to(end)? {
            drop(piece.lock_owned().await);
        }
        Ok(())
    }

    fn claim_to(&self, end: u64) -> Result<Vec<Arc<tokio::sync::Mutex<()>>>> {
        let lost = || Error::new(ErrorKind::UploadLost);
        let mut table = lock(&self.leases.0);
        let mine = table.held.get_mut(&self.number).ok_or_else(lost)?;
        mine.range.end = mine.range.end.max(end);
        let wanted = claim(&mine.range);
        let mut evicted = Vec::new();
        for (&number, other) in &table.held {
            let theirs = claim(&other.range);
            if number == self.number || theirs.start >= wanted.end || wanted.start >= theirs.end {
                continue;
            }
            // What an older one has lost already is no longer its to defend.
            if number > self.number {
                if !*other.lost.borrow() {
                    return Err(lost());
                }
            } else {
                other.lost.send_replace(true);
                evicted.push(other.piece.clone());
            }
        }
        if *self.lost.borrow() {
            Err(lost())
        } else {
            Ok(evicted)
        }
    }

    /// Waits until somebody newer takes the range.
    pub(super) async fn lost(&self) {
        let mut lost = self.lost.clone();
        // The sender lives as long as this lease.
        let _ = lost.wait_for(|lost| *lost).await;
    }

    /// Is the range still ours?
    ///
    /// # Errors
    /// `UploadLost`.
    pub(super) fn check(&self) -> Result<()> {
        if *self.lost.borrow() {
            Err(Error::new(ErrorKind::UploadLost))
        } else {
            Ok(())
        }
    }

    /// The right to write one piece now.
    ///
    /// # Errors
    /// `UploadLost`.
    pub(super) async fn piece(&self) -> Result<tokio::sync::OwnedMutexGuard<()>> {
        let piece = self.piece.clone().lock_owned().await;
        self.check().map(|()| piece)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        // A piece may still be on its way when the writer itself was dropped: the lease must then
        // stay for others to wait for.
        let mut table = lock(&self.leases.0);
        if self.piece.try_lock().is_ok() {
            table.held.remove(&self.number);
        } else if let Some(holder) = table.held.get(&self.number) {
            holder.lost.send_replace(true);
            let (leases, number, piece) = (self.leases.clone(), self.number, self.piece.clone());
            if let Ok(runtime) = tokio::runtime::Handle::try_current() {
                runtime.spawn(async move {
                    drop(piece.lock_owned().await);
                    lock(&leases.0).held.remove(&number);
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_newer_of_two_that_overlap_stays() {
        let leases = Arc::new(Leases::default());
        let older = leases.take(0).await.unwrap();
        older.grow(100).await.unwrap();
        let above = leases.take(100).await.unwrap();
        older.piece().await.unwrap();
        assert!(older.grow(101).await.is_err(), "it runs into a newer one");
        above.grow(200).await.unwrap();
        let newer = leases.take(150).await.unwrap();
        above.lost().await;
        assert!(above.piece().await.is_err());
        newer.grow(300).await.unwrap();
        let below = leases.take(10).await.unwrap();
        below.grow(160).await.unwrap();
        newer.lost().await;
        drop((older, above, newer, below));
        assert!(lock(&leases.0).held.is_empty());
    }

    #[tokio::test]
    async fn who_takes_over_waits_for_the_piece_under_way() {
        let leases = Arc::new(Leases::default());
        let older = leases.take(0).await.unwrap();
        let piece = older.piece().await.unwrap();
        let taking = leases.take(0);
        tokio::pin!(taking);
        assert!(futures_util::FutureExt::now_or_never(&mut taking).is_none());
        drop(older);
        assert!(futures_util::FutureExt::now_or_never(&mut taking).is_none());
        drop(piece);
        taking.await.unwrap();
    }
}
