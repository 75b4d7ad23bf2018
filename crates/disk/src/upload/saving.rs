//! What of a kept upload is written down, and when.
//!
//! A whole chunk is journaled as soon as it has arrived. The rest (what arrived within chunks) is
//! written with the state, when somebody asks for it and when the last holder leaves. So a killed
//! process loses of each writer no more than the chunk it was at.

use std::ops::Range;
use std::sync::{Arc, MutexGuard};

use gaveta_core::upload::MAX_PIECES;
use gaveta_core::{CHUNK, Digest, Error, Ranges, Result};

use super::kept::{Snapshot, chunk_span};
use super::sums::{Sum, cut, span, touched};
use super::{Body, Keeping, Phase, Progress};
use crate::locks::lock;
use crate::reading::read_range;

/// A journal is written anew when it has this many records more than twice what it needs.
const SLACK: u64 = 4096;

impl Progress {
    /// A piece that touches another joins it; what touches none is one more.
    pub(super) fn check_pieces(&self, range: &Range<u64>) -> Result<()> {
        let near = range.start.saturating_sub(1)..range.end.saturating_add(1);
        if self.arrived.pieces() >= MAX_PIECES && !self.arrived.touches(&near) {
            return Err(Error::bad_request("too many separate ranges"));
        }
        Ok(())
    }

    pub(super) fn arrive(&mut self, range: Range<u64>) -> Result<()> {
        self.check_pieces(&range)?;
        self.dirty = true;
        self.touched = std::time::SystemTime::now();
        self.arrived.insert(range);
        Ok(())
    }

    /// Takes a range out of what arrived.
    fn unlist(&mut self, range: &Range<u64>) -> Result<()> {
        // Only a hole within one piece makes more of them.
        let full = self.arrived.pieces() >= MAX_PIECES;
        let before = full.then(|| self.arrived.clone());
        self.arrived.remove(range.clone());
        if let Some(before) = before
            && self.arrived.pieces() > MAX_PIECES
        {
            self.arrived = before;
            return Err(Error::bad_request("too many separate ranges"));
        }
        self.dirty = true;
        Ok(())
    }

    /// What arrived and is not journaled, cut at the chunks' ends.
    fn loose(&self) -> Vec<Range<u64>> {
        let mut loose = self.arrived.clone();
        for chunks in self.journaled.iter() {
            let end = span(chunks.end - 1, self.length).end;
            loose.remove(chunks.start * CHUNK..end);
        }
        let pieces = loose.iter().flat_map(cut);
        pieces.map(|(_, part)| part).collect()
    }
}

impl Body {
    /// Prepares for writing over `range`: what is there no longer counts (nor what is in `clear`,
    /// which holds the range), neither here nor on disk. The guard is kept until it is written, so
    /// that no state is saved that lists bytes half old and half new.
    pub(super) fn make_way(
        &self,
        range: &Range<u64>,
        clear: &Range<u64>,
    ) -> Result<Option<MutexGuard<'_, ()>>> {
        let (marked, overwrites) = {
            let progress = lock(&self.progress);
            (progress.marked, progress.arrived.touches(clear))
        };
        if let (true, Some(keeping)) = (marked, &self.keeping) {
            keeping.shelf.unmark()?;
            lock(&self.progress).marked = false;
        }
        let saving = overwrites.then(|| lock(&self.saving));
        if overwrites {
            if let Some(keeping) = &self.keeping {
                self.take_back(keeping, clear)?;
            }
            lock(&self.progress).unlist(clear)?;
        }
        lock(&self.progress).sums.forget(range);
        Ok(saving)
    }

    /// Takes chunks back that the disk says are there.
    fn take_back(&self, keeping: &Keeping, range: &Range<u64>) -> Result<()> {
        let mut journal = lock(&keeping.journal);
        let listed: Vec<u64> = {
            let progress = lock(&self.progress);
            let is_listed = |index: &u64| {
                progress.journaled.covers(&(*index..*index + 1))
                    || progress.saved.touches(&span(*index, progress.length))
            };
            touched(range).filter(is_listed).collect()
        };
        if listed.is_empty() {
            return Ok(());
        }
        journal.take_back(listed.iter().copied(), self.base.is_full())?;
        let mut progress = lock(&self.progress);
        for index in listed {
            progress.journaled.remove(index..index + 1);
            let span = span(index, progress.length);
            progress.saved.remove(span);
            progress.dirty = true;
        }
        Ok(())
    }

    /// These bytes count from now on.
    pub(super) fn count(&self, range: Range<u64>) -> Result<()> {
        lock(&self.progress).arrive(range.clone())?;
        self.record(&range)
    }

    /// Journals the chunks in this range that are whole. What did not come in order is hashed from
    /// the file first.
    pub(super) fn record(&self, range: &Range<u64>) -> Result<()> {
        let Some(keeping) = &self.keeping else {
            return Ok(());
        };
        for index in touched(range) {
            let (span, sum) = {
                let progress = lock(&self.progress);
                let span = span(index, progress.length);
                if progress.journaled.covers(&(index..index + 1)) || !progress.arrived.covers(&span)
                {
                    continue;
                }
                (span.clone(), progress.sums.sum(index, &span))
            };
            let sum = match sum {
                Some(sum) => sum,
                None => match self.sum_from_file(index, &span)? {
                    Some(sum) => sum,
                    None => continue,
                },
            };
            let mut journal = lock(&keeping.journal);
            {
                let mut progress = lock(&self.progress);
                // Somebody may write there by now.
                if progress.sums.sum(index, &span) != Some(sum) || !progress.arrived.covers(&span) {
                    continue;
                }
                progress.journaled.insert(index..index + 1);
            }
            if let Err(error) = journal.append(&[(index, sum)]) {
                lock(&self.progress).journaled.remove(index..index + 1);
                return Err(error);
            }
        }
        Ok(())
    }

    /// Hashes a chunk that lies whole in the file; none when somebody writes to it meanwhile.
    pub(super) fn sum_from_file(&self, index: u64, span: &Range<u64>) -> Result<Option<Sum>> {
        let mut loan = lock(&self.progress).sums.start(index, span.end);
        loan.hasher
            .update(&read_range(&self.staged.file, span.clone())?);
        let mut progress = lock(&self.progress);
        let length = progress.length.or(Some(span.end));
        progress.sums.take_back(loan, length);
        Ok(progress.sums.sum(index, span))
    }

    /// Writes down what arrived, when the upload is kept. With `flush`, it survives a power cut.
    pub(super) fn save(&self, flush: bool) -> Result<()> {
        let full = flush && self.base.is_full();
        let Some(keeping) = &self.keeping else {
            return match full {
                true => self.staged.flush(&self.base),
                false => Ok(()),
            };
        };
        let _saving = lock(&self.saving);
        let loose = {
            let mut progress = lock(&self.progress);
            progress.dirty = false;
            progress.loose()
        };
        let saved = (|| {
            for piece in &loose {
                self.record(piece)?;
            }
            let snapshot = self.snapshot(keeping)?;
            if full {
                self.staged.flush(&self.base)?;
                if lock(&keeping.journal).is_torn() {
                    self.rewrite_journal(keeping, full)?;
                }
                lock(&keeping.journal).flush()?;
            }
            keeping.shelf.save(&self.plan, &snapshot, full)?;
            if let (true, Some(reserved)) = (full, &self.base.reserved) {
                self.base.flush_folder(&*reserved.uploads)?;
            }
            let pieces = snapshot.pieces.into_iter().map(|(range, _)| range);
            lock(&self.progress).saved = pieces.collect::<Ranges>();
            self.tidy(keeping, full)
        })();
        if saved.is_err() {
            lock(&self.progress).dirty = true;
        }
        saved
    }

    /// What the state is going to say. The caller holds `saving`.
    fn snapshot(&self, keeping: &Keeping) -> Result<Snapshot> {
        let sequence = lock(&keeping.journal).sequence();
        let (loose, length, touched) = {
            let progress = lock(&self.progress);
            (progress.loose(), progress.length, progress.touched)
        };
        let mut pieces = Vec::with_capacity(loose.len());
        for range in loose {
            let digest = Digest::of(&read_range(&self.staged.file, range.clone())?);
            pieces.push((range, digest));
        }
        Ok(Snapshot {
            length,
            touched,
            sequence,
            pieces,
        })
    }

    /// Writes the journal anew when most of it is about what is no more, or when `force`d by what
    /// was found untrue.
    fn tidy(&self, keeping: &Keeping, full: bool) -> Result<()> {
        let needed = lock(&self.progress).journaled.total();
        if lock(&keeping.journal).records() <= 2 * needed + SLACK {
            return Ok(());
        }
        self.rewrite_journal(keeping, full)
    }

    /// Writes the journal anew with what counts now.
    pub(super) fn rewrite_journal(&self, keeping: &Keeping, full: bool) -> Result<()> {
        let mut journal = lock(&keeping.journal);
        let sums: Vec<(u64, Sum)> = {
            let progress = lock(&self.progress);
            let chunks = progress.journaled.iter().flatten();
            chunks
                .filter_map(|index| {
                    let span = span(index, progress.length);
                    Some((index, progress.sums.sum(index, &span)?))
                })
                .collect()
        };
        journal.rewrite(&sums, full)
    }

    /// A chunk or piece that was found true, or is vouched for.
    pub(super) fn admit_chunk(&self, index: u64, sum: Sum) {
        let mut progress = lock(&self.progress);
        progress.arrived.insert(chunk_span(index, &sum));
        progress.journaled.insert(index..index + 1);
        progress.sums.insert(index, sum);
    }

    /// Saves and marks an upload that nobody holds any more, so that it need not be hashed again; one
    /// that [is spoiled](crate::staged::Staged::is_spoiled) ends.
    pub(super) async fn leave(self: Arc<Self>) {
        let mut phase = self.phase.clone().write_owned().await;
        let work = move || self.leave_now(&mut phase);
        // Freeing a large file blocks.
        let _ = tokio::task::spawn_blocking(work).await;
    }

    /// As [`Body::leave`], where nothing is written any more.
    pub(super) fn leave_now(&self, phase: &mut Phase) {
        let Some(keeping) = &self.keeping else {
            return;
        };
        if *phase == Phase::Ended || self.is_held() {
            return;
        }
        if self.staged.is_spoiled() {
            self.end(phase);
            self.forget();
            return;
        }
        let (dirty, marked) = {
            let progress = lock(&self.progress);
            (progress.dirty, progress.marked)
        };
        let left = (|| {
            if dirty {
                self.save(false)?;
            }
            if !marked {
                keeping.shelf.set_mark(&self.base)?;
                lock(&self.progress).marked = true;
            }
            Ok::<(), Error>(())
        })();
        if let Err(error) = left {
            tracing::warn!(error = error.chain(), id = %self.id, "an upload's state is not saved");
        }
    }
}
