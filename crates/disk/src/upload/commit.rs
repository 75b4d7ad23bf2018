//! The end of an upload: the rest comes from the base, the whole is checked, and published.

use std::ops::Range;
use std::sync::atomic::AtomicBool;

use gaveta_core::{ChunkHasher, Entry, Error, ErrorKind, Outline, Path, Result, Seal, chunk};

use super::sums::{Sum, touched};
use super::{Body, Origin};
use crate::copy::{copy_content, copy_roomy};
use crate::errno::Os;
use crate::locks::lock;
use crate::os;
use crate::publish::{Attributes, Coming, publish};
use crate::reading::read_range;
use crate::staged::{Place, Staged};

impl Body {
    /// Checks and publishes. Blocks; nobody else writes meanwhile.
    pub(super) fn commit(&self, seal: &Seal) -> Result<Entry> {
        let Some(target) = &self.plan.target else {
            return Err(Error::bad_request(
                "an upload without a target is only a part",
            ));
        };
        self.staged.check_sound()?;
        let length = self.whole_length(seal)?;
        self.fill_from_base(target, length)?;
        let outline = self.outline(length)?;
        let digest = outline.digest();
        if seal.digest.is_some_and(|expected| expected != digest) {
            return Err(Error::new(ErrorKind::DigestMismatch));
        }
        // A write that failed in the middle, or was refused, may have left bytes behind the end.
        if os::meta_of(&self.staged.file).os()?.size != length {
            self.staged.file.set_len(length)?;
        }
        if self.in_place {
            let meta = os::meta_of(&self.staged.file).os()?;
            return Ok(meta.entry(target.clone(), Some(digest)));
        }
        let attributes = Attributes {
            modified: self.plan.modified,
            executable: self.plan.executable,
            digest: Some(digest),
            outline: Some(outline),
        };
        let again = if self.staged.is_lost() {
            Some(self.stage_again(target)?)
        } else {
            None
        };
        let staged = again.as_ref().unwrap_or(&self.staged);
        let replace = &self.plan.replace;
        let published = publish(
            &self.base,
            staged,
            target,
            replace,
            &attributes,
            Coming::Content,
            Some(&self.plan.owner),
        );
        if staged.is_published() {
            self.staged.set_published();
        }
        published
    }

    /// The length of the whole, which everything that arrived lies in, and for whose rest there is
    /// a base.
    fn whole_length(&self, seal: &Seal) -> Result<u64> {
        let progress = lock(&self.progress);
        let length = match (progress.length, seal.length) {
            (Some(declared), Some(sealed)) if declared != sealed => {
                return Err(Error::new(ErrorKind::LengthMismatch));
            }
            (declared, sealed) => declared.or(sealed),
        };
        let arrived = progress.arrived.end();
        let length = length.unwrap_or_else(|| {
            let base = self.origin.as_ref().and_then(Origin::size);
            arrived.max(base.unwrap_or(0))
        });
        if arrived > length {
            return Err(Error::new(ErrorKind::LengthMismatch));
        }
        if self.origin.is_none() && !progress.arrived.covers(&(0..length)) {
            return Err(Error::new(ErrorKind::Incomplete));
        }
        Ok(length)
    }

    /// Takes what did not arrive from the base.
    ///
    /// # Errors
    /// `Incomplete` past the base's end; `VersionMismatch` when the base is gone or changed, also
    /// when what it has no longer matches the digests that were kept of it.
    fn fill_from_base(&self, target: &Path, length: u64) -> Result<()> {
        let gaps: Vec<Range<u64>> = lock(&self.progress).arrived.gaps(length).collect();
        let (Some(origin), Some(last)) = (&self.origin, gaps.last()) else {
            return Ok(());
        };
        let changed = || Error::new(ErrorKind::VersionMismatch);
        let (file, meta) = origin.opened.as_ref().ok_or_else(changed)?;
        if last.end > meta.size {
            return Err(Error::new(ErrorKind::Incomplete));
        }
        // Still at the target, and still as it was: what was replaced meanwhile must not come back
        // under what was meant to change it.
        let check = || {
            let found = self
                .base
                .look(target)
                .map_err(|error| changed().because(error))?;
            let opened = os::meta_of(file).os()?;
            match found.version() == origin.version && opened.version() == origin.version {
                true => Ok(()),
                false => Err(changed()),
            }
        };
        check()?;
        let digest = crate::note::read(file, meta);
        let outlines = self.base.outlines();
        let known = outlines.and_then(|all| all.read(&origin.version, meta.size, digest));
        for gap in &gaps {
            // A state that is saved meanwhile does not list these.
            lock(&self.progress).sums.forget(gap);
            let count = gap.end - gap.start;
            copy_roomy(
                &self.base,
                (file, gap.start),
                (&self.staged.file, gap.start),
                count,
            )
            .map_err(|error| match error.kind() {
                ErrorKind::LengthMismatch => changed().because(error),
                _ => error,
            })?;
            for index in touched(gap) {
                let span = chunk::span(index, length);
                if gap.start > span.start || gap.end < span.end {
                    continue;
                }
                let sum = self.hash_chunk(index, &span)?;
                let kept = known
                    .as_ref()
                    .and_then(|known| known.same_chunk(index, length));
                let found = lock(&self.progress).sums.digest(index, length);
                if kept.is_some() && kept != found {
                    return Err(changed().because("the base is not what was published"));
                }
                debug_assert_eq!(sum.length, span.end - span.start);
            }
        }
        check()?;
        let mut progress = lock(&self.progress);
        for gap in gaps {
            progress.arrived.insert(gap);
        }
        progress.dirty = true;
        Ok(())
    }

    /// Hashes a chunk from the file, and keeps the sum.
    fn hash_chunk(&self, index: u64, span: &Range<u64>) -> Result<Sum> {
        let mut hasher = ChunkHasher::new(index);
        hasher.update(&read_range(&self.staged.file, span.clone())?);
        let mut progress = lock(&self.progress);
        progress.sums.close(index, &hasher);
        Ok(Sum {
            digest: hasher.close(false),
            length: hasher.count(),
        })
    }

    /// The digests of all chunks: those made on the way, and the others' from the file.
    fn outline(&self, length: u64) -> Result<Outline> {
        let mut chunks = Vec::new();
        for index in 0..chunk::count(length) {
            let known = lock(&self.progress).sums.digest(index, length);
            let digest = match known {
                Some(digest) => digest,
                None => {
                    self.hash_chunk(index, &chunk::span(index, length))?;
                    let found = lock(&self.progress).sums.digest(index, length);
                    found.ok_or_else(|| Error::new(ErrorKind::Io))?
                }
            };
            chunks.push(digest);
        }
        Outline::new(length, chunks)
    }

    /// Stages the content again. Beside its target, it went with its folder when that was removed;
    /// the open file still has it.
    fn stage_again(&self, target: &Path) -> Result<Staged> {
        // As for the parts of an upload: what was let go of would be read back as something else.
        self.staged.flush(&self.base)?;
        let again = Place::near(&self.base, target)?.create()?;
        let meta = os::meta_of(&self.staged.file).os()?;
        copy_content(
            &self.staged.file,
            &meta,
            &again.file,
            &AtomicBool::new(false),
        )?;
        Ok(again)
    }
}
