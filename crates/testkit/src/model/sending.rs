//! Operations of the model: contents sent at once, or bit by bit.

use std::sync::Arc;

use futures_util::StreamExt;
use gaveta_core::{
    Check, Content, Digest, Error, ErrorKind, OnDrop, Path, Ranges, Replace, Seal, Upload,
    WritePlan,
};
use gaveta_core::{ChunkDigest, Piece, chunk};

use super::tree::Condition;
use super::{MAX_OPEN, Run, Step, judge, second};
use crate::content::{content, stream_of};

/// An upload under way, and what it holds.
#[derive(Debug)]
pub(super) struct Open {
    upload: Arc<dyn Upload>,
    plan: WritePlan,
    condition: Condition,
    bytes: Vec<u8>,
    arrived: Ranges,
    wrote: bool,
}

/// What an upload starts from, by now.
#[derive(Debug)]
enum Base {
    /// Its plan names none.
    Unnamed,
    /// It is not that version any more.
    Gone,
    There(Vec<u8>),
}

impl Open {
    fn new(upload: Arc<dyn Upload>, plan: WritePlan, condition: Condition) -> Self {
        let (bytes, arrived) = (Vec::new(), Ranges::new());
        Self {
            upload,
            plan,
            condition,
            bytes,
            arrived,
            wrote: false,
        }
    }

    fn keep(&mut self, offset: usize, bytes: &[u8]) {
        let end = offset + bytes.len();
        if !bytes.is_empty() {
            self.bytes.resize(self.bytes.len().max(end), 0);
            self.bytes[offset..end].copy_from_slice(bytes);
            self.arrived.insert(offset as u64..end as u64);
        }
    }

    /// What would be published, with what does not come from the sender taken from the base; and
    /// why it cannot be, none when it can.
    fn whole(&self, base: &Base, seal: &Seal) -> (Vec<u8>, Vec<ErrorKind>) {
        let mut filled = Self {
            upload: Arc::clone(&self.upload),
            plan: self.plan.clone(),
            condition: self.condition,
            bytes: self.bytes.clone(),
            arrived: self.arrived.clone(),
            wrote: self.wrote,
        };
        let length = self.plan.length.unwrap_or(self.arrived.end());
        let gaps: Vec<_> = self.arrived.gaps(length).collect();
        let mut errors = vec![];
        match base {
            Base::Unnamed => {}
            Base::Gone if gaps.is_empty() => {}
            Base::Gone => errors.push(ErrorKind::VersionMismatch),
            Base::There(there) => {
                for gap in gaps {
                    let end = gap.end.min(there.len() as u64);
                    if gap.start < end {
                        let taken = &there[gap.start as usize..end as usize];
                        filled.keep(gap.start as usize, taken);
                    }
                }
            }
        }
        errors.extend(filled.unready(seal));
        (filled.bytes, errors)
    }

    /// Why the content cannot be published; none when it can.
    fn unready(&self, seal: &Seal) -> Vec<ErrorKind> {
        let mut errors = vec![];
        let lengths = [self.plan.length, seal.length];
        let length = lengths
            .into_iter()
            .flatten()
            .next()
            .unwrap_or(self.arrived.end());
        let differ = lengths.into_iter().flatten().any(|other| other != length);
        if differ || self.arrived.end() > length {
            errors.push(ErrorKind::LengthMismatch);
        }
        let longest = lengths.into_iter().flatten().max().unwrap_or(length);
        if !self.arrived.covers(&(0..longest)) {
            errors.extend([ErrorKind::Incomplete, ErrorKind::LengthMismatch]);
        }
        if seal
            .digest
            .is_some_and(|digest| digest != Digest::of(&self.bytes))
        {
            errors.push(ErrorKind::DigestMismatch);
        }
        errors
    }
}

impl Run {
    fn some_bytes(&mut self) -> Vec<u8> {
        let length = *self.rng.pick(&[0, 1, 17, 300, 4096, 9000]);
        content(length, self.rng.bits())
    }

    fn seal(&mut self, bytes: &[u8]) -> Seal {
        match self.rng.below(8) {
            0 => Seal {
                length: None,
                digest: Some(Digest::of(b"some other content")),
            },
            1 => Seal {
                length: Some(bytes.len() as u64 + 1),
                digest: None,
            },
            2..5 => Seal {
                length: Some(bytes.len() as u64),
                digest: Some(Digest::of(bytes)),
            },
            _ => Seal::default(),
        }
    }

    /// Begins, writes and commits in one go.
    pub(super) async fn publish(&mut self) -> Step {
        let (mut plan, condition) = self.plan().await;
        let bytes = self.some_bytes();
        plan.length =
            *self
                .rng
                .pick(&[None, Some(bytes.len() as u64), Some(bytes.len() as u64 + 3)]);
        let seal = self.seal(&bytes);
        self.tell(format!("publish {} bytes: {plan:?} {seal:?}", bytes.len()));
        let mut legitimate = self.model.landing(target_of(&plan), condition, false);
        let attempt = async {
            let upload = self.store.begin(plan.clone()).await?;
            upload
                .write(0, stream_of(bytes.clone(), 1000), Check::None)
                .await?;
            upload.commit(seal).await
        };
        let result = attempt.await;
        legitimate.extend(
            Unheld {
                plan: &plan,
                bytes: &bytes,
            }
            .unready(&seal),
        );
        if judge(&result, &legitimate)? {
            self.published(&plan, bytes, result.map_err(|e| e.chain())?.size)?;
        }
        Ok(())
    }

    fn published(&mut self, plan: &WritePlan, bytes: Vec<u8>, size: u64) -> Step {
        if size != bytes.len() as u64 {
            return Err(format!("its entry says {size} bytes of {}", bytes.len()));
        }
        self.model
            .publish(target_of(plan), bytes, plan.modified, plan.executable);
        Ok(())
    }

    pub(super) async fn begin(&mut self) -> Step {
        if self.open.len() == MAX_OPEN {
            return self.end().await;
        }
        let (mut plan, condition) = self.plan().await;
        if self.abilities.resume && self.rng.once_in(2) {
            plan.on_drop = OnDrop::Keep;
        }
        plan.length = self.rng.once_in(3).then_some(1000);
        let content = self.model.nodes.get(target_of(&plan).as_str());
        let content = content.and_then(|node| node.content.as_ref());
        if let Some(length) = content.map(Vec::len)
            && self.abilities.base
            && self.rng.once_in(2)
        {
            plan.base = Some(self.version(target_of(&plan), Condition::Right).await);
            plan.length = Some(*self.rng.pick(&[length as u64, length as u64 / 2, 1000]));
        }
        self.tell(format!("begin {plan:?}"));
        let legitimate = self.model.landing(target_of(&plan), condition, false);
        match self.store.begin(plan.clone()).await {
            Ok(upload) if !self.abilities.early_errors || legitimate.is_empty() => {
                self.open.push(Open::new(upload, plan, condition));
                Ok(())
            }
            result => judge(&result, &legitimate).map(|_| ()),
        }
    }

    /// Writes to an open upload; sometimes the content is cut.
    pub(super) async fn write(&mut self) -> Step {
        if self.open.is_empty() {
            return self.begin().await;
        }
        let chosen = self.rng.below(self.open.len());
        let anywhere = self.abilities.random_writes;
        let chunks = self.abilities.chunks && self.open[chosen].plan.length.is_some();
        if anywhere && chunks && self.rng.once_in(3) {
            return self.write_chunk(chosen).await;
        }
        if !anywhere && self.open[chosen].wrote {
            return self.commit_open(chosen).await;
        }
        let end = self.open[chosen].arrived.end() as usize;
        let offset = match self.rng.below(3) {
            _ if !anywhere => 0,
            0 => self.rng.below(1000),
            1 => 0,
            _ => end,
        };
        let length = self.rng.below(600);
        let declared = self.open[chosen]
            .plan
            .length
            .map_or(usize::MAX, |n| n as usize);
        let outside = offset >= declared && length > 0;
        let length = if outside {
            length
        } else {
            length.min(declared - offset)
        };
        let bytes = content(length, self.rng.bits());
        let cut = self.rng.once_in(4);
        self.tell(format!(
            "write {length} at {offset} to {chosen}, cut: {cut}"
        ));

        let landing = self.landing_now(&self.open[chosen]).await;
        let open = &mut self.open[chosen];
        let error =
            futures_util::stream::iter(cut.then_some(Err(Error::new(ErrorKind::Disconnected))));
        let pieces: Content = stream_of(bytes.clone(), 250).chain(error).boxed();
        let result = open.upload.write(offset as u64, pieces, Check::None).await;
        let mut legitimate = vec![];
        if outside {
            legitimate.push(ErrorKind::LengthMismatch);
        }
        if cut && legitimate.is_empty() {
            legitimate.push(ErrorKind::Disconnected);
        }
        open.wrote = true;
        if !outside {
            open.keep(offset, &bytes);
        }
        if !anywhere {
            // One request carries the whole: it may learn here what others learn at the commit.
            if let Err(error) = &result {
                let (kind, open) = (error.kind(), self.open.remove(chosen));
                drop(open);
                let fits = legitimate.contains(&kind) || landing.contains(&kind);
                return if fits {
                    Ok(())
                } else {
                    Err(format!("it failed: {}", error.chain()))
                };
            }
        }
        if judge(&result, &legitimate)? && result.ok() != Some(length as u64) {
            return Err("it kept another number of bytes".into());
        }
        if anywhere {
            let state = open.upload.state().await.map_err(|e| e.chain())?;
            if state.arrived != open.arrived {
                return Err(format!(
                    "arrived: {:?}, not {:?}",
                    state.arrived, open.arrived
                ));
            }
        }
        Ok(())
    }

    /// Writes the only chunk of an open upload; sometimes its digest is wrong.
    async fn write_chunk(&mut self, chosen: usize) -> Step {
        let length = self.open[chosen].plan.length.unwrap_or(0);
        let bytes = content(length as usize, self.rng.bits());
        let wrong = self.rng.once_in(3) && length > 0;
        self.tell(format!("write a chunk to {chosen}, wrong: {wrong}"));
        let pieces = chunk::pieces(stream_of(bytes.clone(), 250), 0..length, length);
        let spoil = move |piece| match piece {
            Ok(Piece::Close(digest)) if wrong => {
                let bytes = ChunkDigest::as_bytes(&digest).map(|byte| !byte);
                Ok(Piece::Close(ChunkDigest::from_bytes(bytes)))
            }
            other => other,
        };
        let open = &mut self.open[chosen];
        let result = open.upload.write_chunks(0, pieces.map(spoil).boxed()).await;
        let legitimate = wrong.then_some(ErrorKind::DigestMismatch);
        open.wrote = true;
        let state = open.upload.state().await.map_err(|e| e.chain())?;
        if judge(&result, legitimate.as_slice())? {
            open.keep(0, &bytes);
            if result.ok() != Some(length) {
                return Err("it kept another number of bytes".into());
            }
        } else if state.arrived.total() == 0 {
            // What a wrong chunk was written over is kept, or counts as missing.
            open.arrived = Ranges::new();
            open.bytes.clear();
        }
        if state.arrived == open.arrived {
            return Ok(());
        }
        Err(format!(
            "arrived: {:?}, not {:?}",
            state.arrived, open.arrived
        ))
    }

    /// What an open upload starts from, by now.
    async fn base_now(&self, open: &Open) -> Base {
        let Some(version) = &open.plan.base else {
            return Base::Unnamed;
        };
        let target = target_of(&open.plan);
        let now = self.store.stat(target).await;
        let node = self.model.nodes.get(target.as_str());
        match (now, node.and_then(|node| node.content.clone())) {
            (Ok(entry), Some(content)) if entry.version == *version => Base::There(content),
            _ => Base::Gone,
        }
    }

    pub(super) async fn commit(&mut self) -> Step {
        match self.open.len() {
            0 => self.begin().await,
            open => {
                let chosen = self.rng.below(open);
                self.commit_open(chosen).await
            }
        }
    }

    async fn commit_open(&mut self, chosen: usize) -> Step {
        let base = self.base_now(&self.open[chosen]).await;
        let (likely, _) = self.open[chosen].whole(&base, &Seal::default());
        let seal = self.seal(&likely);
        let open = &self.open[chosen];
        let (bytes, mut legitimate) = open.whole(&base, &seal);
        legitimate.extend(self.landing_now(open).await);
        let what = format!("commit {chosen}, {:?}, {seal:?}", open.plan);
        let result = open.upload.commit(seal).await;
        self.tell(what);
        // A base that nothing is taken from may be looked at all the same.
        let refused = |kind| result.as_ref().is_err_and(|e| e.kind() == kind);
        if matches!(base, Base::Gone) && refused(ErrorKind::VersionMismatch) {
            legitimate.push(ErrorKind::VersionMismatch);
        }
        let committed = judge(&result, &legitimate)?;
        if committed || !self.abilities.retry_commit || self.rng.once_in(3) {
            let open = self.open.remove(chosen);
            if committed {
                let size = result.map_err(|e| e.chain())?.size;
                return self.published(&open.plan, bytes, size);
            }
            open.upload.discard().await.map_err(|e| e.chain())?;
        }
        Ok(())
    }

    /// Why an open upload cannot land now. The version it names is that of its beginning; the
    /// entry may have changed since.
    async fn landing_now(&self, open: &Open) -> Vec<ErrorKind> {
        let target = target_of(&open.plan);
        let mut condition = open.condition;
        if let Replace::Only(version) = &open.plan.replace {
            let now = self
                .store
                .stat(target)
                .await
                .ok()
                .map(|entry| entry.version);
            let still = now.as_ref() == Some(version);
            condition = if still {
                Condition::Right
            } else {
                Condition::Strange
            };
        }
        self.model.landing(target, condition, false)
    }

    /// Drops or discards an open upload.
    pub(super) async fn end(&mut self) -> Step {
        if self.open.is_empty() {
            return Ok(());
        }
        let chosen = self.rng.below(self.open.len());
        let open = self.open.remove(chosen);
        let kept = open.plan.on_drop == OnDrop::Keep;
        let discard = kept || self.rng.once_in(2);
        self.tell(format!("end {chosen}, discard: {discard}"));
        if discard {
            open.upload.discard().await.map_err(|e| e.chain())?;
        }
        Ok(())
    }

    /// Lets a kept upload go and takes it up again.
    pub(super) async fn resume(&mut self) -> Step {
        let kept = self
            .open
            .iter()
            .position(|open| open.plan.on_drop == OnDrop::Keep);
        let Some(kept) = kept else { return Ok(()) };
        self.tell(format!("resume {kept}"));
        let mut open = self.open.remove(kept);
        let id = open.upload.state().await.map_err(|e| e.chain())?.id;
        // The old handle goes first: nobody holds it for a moment.
        drop(open.upload);
        open.upload = self
            .store
            .upload(&id, open.plan.target.as_ref())
            .await
            .map_err(|e| e.chain())?;
        let state = open.upload.state().await.map_err(|e| e.chain())?;
        if state.arrived != open.arrived || state.target != open.plan.target {
            return Err(format!(
                "it came back as {state:?}, not with {:?}",
                open.arrived
            ));
        }
        self.open.push(open);
        Ok(())
    }

    async fn plan(&mut self) -> (WritePlan, Condition) {
        let (target, condition) = (self.path(), self.condition());
        let replace = self.replace(&target, condition).await;
        let modified = Some(second(self.rng.below(50)));
        let executable = *self.rng.pick(&[None, None, Some(true), Some(false)]);
        let plan = WritePlan {
            replace,
            modified,
            executable,
            ..WritePlan::new(target, self.owner.clone())
        };
        (plan, condition)
    }
}

/// Where the model's uploads appear: each has a place.
fn target_of(plan: &WritePlan) -> &Path {
    plan.target.as_ref().unwrap()
}

/// A content that was sent in one go.
struct Unheld<'a> {
    plan: &'a WritePlan,
    bytes: &'a [u8],
}

impl Unheld<'_> {
    /// Why it cannot be published; none when it can.
    fn unready(&self, seal: &Seal) -> Vec<ErrorKind> {
        let length = self.bytes.len() as u64;
        let mut errors = vec![];
        let lengths = [self.plan.length, seal.length];
        if lengths.into_iter().flatten().any(|other| other != length) {
            errors.extend([ErrorKind::LengthMismatch, ErrorKind::Incomplete]);
        }
        if seal
            .digest
            .is_some_and(|digest| digest != Digest::of(self.bytes))
        {
            errors.push(ErrorKind::DigestMismatch);
        }
        errors
    }
}
