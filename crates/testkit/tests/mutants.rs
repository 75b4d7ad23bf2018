//! The suite can fail: stores that are broken on purpose do not pass it, nor the model.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::ops::Range;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;
use futures_util::{FutureExt, StreamExt};
use gaveta_core::{
    Check, Content, Entry, ErrorKind, ListPlan, Listed, Listing, MovePlan, Path, ReadPlan, Reading,
    RemovePlan, Replace, Result, Seal, Space, Store, TouchPlan, Upload, UploadId, UploadState,
    Version, WritePlan,
};
use gaveta_core::{Outline, Piece, Pieces, chunk};
use gaveta_testkit::conformance::{self, Abilities, Subject};
use gaveta_testkit::{MemoryStore, model};

/// What is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    Nothing,
    PublishesWhenCut,
    IgnoresNever,
    IgnoresTheVersion,
    ConstantVersion,
    LosesAnEntry,
    WritesInPlace,
    IgnoresTheDigest,
    ReadsTooShort,
    RemovesWhatIsNotEmpty,
    RenameLeavesTheOld,
    ForgetsUploads,
    OneByteWrong,
    KeepsWrongChunks,
    SplicesTheBase,
    WrongOutline,
    ForgetsTheNote,
    PartsOutOfOrder,
    LeavesOlderWrites,
}

#[derive(Debug, Clone)]
struct Mutant {
    store: MemoryStore,
    fault: Fault,
}

impl Mutant {
    fn is(&self, fault: Fault) -> bool {
        self.fault == fault
    }

    fn told(&self, mut entry: Entry) -> Entry {
        if self.is(Fault::ConstantVersion) {
            entry.version = Version::parse("always-the-same").unwrap();
        }
        entry
    }

    fn replace(&self, replace: Replace) -> Replace {
        match replace {
            Replace::Never if self.is(Fault::IgnoresNever) => Replace::Always,
            Replace::Only(_) if self.is(Fault::IgnoresTheVersion) => Replace::Always,
            other => other,
        }
    }

    /// Fills what is missing from whatever is there by now.
    async fn splice(&self, upload: &dyn Upload, plan: &WritePlan) -> Result<()> {
        let (Some(target), Some(length)) = (&plan.target, plan.length) else {
            return Ok(());
        };
        let there = self.store.read(target, ReadPlan::default()).await?;
        for gap in upload.state().await?.arrived.gaps(length) {
            let end = gap.end.min(there.entry().size);
            if gap.start < end {
                let content = there.stream(gap.start..end);
                upload.write(gap.start, content, Check::None).await?;
            }
        }
        Ok(())
    }

    async fn publish_now(&self, plan: WritePlan, bytes: Vec<u8>) {
        let plan = WritePlan {
            replace: Replace::Always,
            length: None,
            ..plan
        };
        if let Ok(upload) = self.store.begin(plan).await {
            let content = gaveta_testkit::stream_of(bytes, 4096);
            upload.write(0, content, Check::None).await.ok();
            upload.commit(Seal::default()).await.ok();
        }
    }
}

#[derive(Debug)]
struct MutantReading(Arc<dyn Reading>, Mutant, Entry);

impl Reading for MutantReading {
    fn entry(&self) -> &Entry {
        &self.2
    }

    fn stream(&self, range: Range<u64>) -> Content {
        let size = self.2.size;
        if self.1.is(Fault::ReadsTooShort) && range.end > size {
            return self.0.stream(range.start.min(size)..size);
        }
        let wrong = self.1.is(Fault::OneByteWrong) && range.contains(&4096);
        let at = 4096u64.saturating_sub(range.start);
        let mut seen = 0;
        let flip = move |piece: Result<Bytes>| {
            piece.map(|piece| {
                let (from, mut piece) = (seen, piece.to_vec());
                seen += piece.len() as u64;
                if wrong && (from..seen).contains(&at) {
                    piece[(at - from) as usize] ^= 1;
                }
                piece.into()
            })
        };
        self.0.stream(range).map(flip).boxed()
    }

    fn chunks(&self, range: Range<u64>) -> Pieces {
        if self.1.is(Fault::OneByteWrong) {
            return chunk::pieces(self.stream(range.clone()), range, self.2.size);
        }
        self.0.chunks(range)
    }
}

#[derive(Debug)]
struct MutantUpload(Arc<dyn Upload>, Mutant, WritePlan);

#[async_trait]
impl Upload for MutantUpload {
    async fn state(&self) -> Result<UploadState> {
        let mut state = self.0.state().await?;
        if self.1.is(Fault::ForgetsTheNote) {
            state.note = None;
        }
        Ok(state)
    }

    async fn take_over(&self, range: Range<u64>) -> Result<UploadState> {
        if self.1.is(Fault::LeavesOlderWrites) {
            return self.state().await;
        }
        self.0.take_over(range).await
    }

    async fn write(&self, offset: u64, content: Content, check: Check) -> Result<u64> {
        let result = self.0.write(offset, content, check).await;
        let cut = result.is_err() && self.1.is(Fault::PublishesWhenCut);
        if cut || self.1.is(Fault::WritesInPlace) {
            let arrived = self.0.state().await?.arrived.prefix();
            if let Ok(bytes) = self.0.read(0..arrived).await {
                self.1.publish_now(self.2.clone(), bytes.to_vec()).await;
            }
        }
        result
    }

    async fn write_chunks(&self, offset: u64, pieces: Pieces) -> Result<u64> {
        if self.1.is(Fault::KeepsWrongChunks) {
            let bytes = pieces.filter_map(|piece| {
                std::future::ready(match piece {
                    Ok(Piece::Bytes(bytes)) => Some(Ok(bytes)),
                    Ok(Piece::Close(_)) => None,
                    Err(error) => Some(Err(error)),
                })
            });
            return self.0.write(offset, bytes.boxed(), Check::None).await;
        }
        self.0.write_chunks(offset, pieces).await
    }

    async fn read(&self, range: Range<u64>) -> Result<Bytes> {
        self.0.read(range).await
    }

    async fn set_length(&self, length: u64) -> Result<()> {
        self.0.set_length(length).await
    }

    async fn sync(&self) -> Result<()> {
        self.0.sync().await
    }

    async fn commit(&self, mut seal: Seal) -> Result<Entry> {
        if self.1.is(Fault::IgnoresTheDigest) {
            seal.digest = None;
        }
        if self.1.is(Fault::SplicesTheBase) && self.2.base.is_some() {
            self.1.splice(&*self.0, &self.2).await?;
        }
        self.0.commit(seal).await.map(|entry| self.1.told(entry))
    }

    async fn discard(&self) -> Result<()> {
        self.0.discard().await
    }
}

#[async_trait]
impl Store for Mutant {
    async fn stat(&self, path: &Path) -> Result<Entry> {
        self.store.stat(path).await.map(|entry| self.told(entry))
    }

    async fn list(&self, folder: &Path, plan: ListPlan) -> Result<Listing> {
        let (this, skip) = (self.clone(), usize::from(self.is(Fault::LosesAnEntry)));
        let listing = self.store.list(folder, plan).await?;
        let told = move |listed: Result<Listed>| {
            listed.map(|listed| match listed {
                Listed::Entry(entry) => Listed::Entry(this.told(entry)),
                other => other,
            })
        };
        Ok(Box::pin(listing.map(told).skip(skip)))
    }

    async fn read(&self, path: &Path, mut plan: ReadPlan) -> Result<Arc<dyn Reading>> {
        if self.is(Fault::ConstantVersion) {
            plan.version = None;
        }
        let reading = self.store.read(path, plan).await?;
        let entry = self.told(reading.entry().clone());
        Ok(Arc::new(MutantReading(reading, self.clone(), entry)))
    }

    async fn outline(&self, path: &Path, version: &Version) -> Result<Outline> {
        if self.is(Fault::ConstantVersion) {
            let now = self.store.stat(path).await?.version;
            return self.store.outline(path, &now).await;
        }
        let outline = self.store.outline(path, version).await?;
        if self.is(Fault::WrongOutline) {
            let chunks = outline.chunks().iter().rev().copied().collect();
            return Outline::new(outline.length(), chunks);
        }
        Ok(outline)
    }

    async fn begin(&self, plan: WritePlan) -> Result<Arc<dyn Upload>> {
        let mut told = WritePlan {
            replace: self.replace(plan.replace.clone()),
            ..plan.clone()
        };
        if self.is(Fault::PartsOutOfOrder) {
            told.parts.reverse();
        }
        let upload = self.store.begin(told).await?;
        let plan = WritePlan {
            replace: self.replace(plan.replace.clone()),
            ..plan
        };
        Ok(Arc::new(MutantUpload(upload, self.clone(), plan)))
    }

    async fn upload(&self, id: &UploadId, target: Option<&Path>) -> Result<Arc<dyn Upload>> {
        if self.is(Fault::ForgetsUploads) {
            return Err(ErrorKind::UnknownUpload.into());
        }
        self.store.upload(id, target).await
    }

    async fn uploads(&self) -> Result<BoxStream<'static, Result<UploadState>>> {
        self.store.uploads().await
    }

    async fn make_folder(&self, path: &Path) -> Result<Entry> {
        self.store.make_folder(path).await
    }

    async fn remove(&self, path: &Path, mut plan: RemovePlan) -> Result<()> {
        plan.recursive |= self.is(Fault::RemovesWhatIsNotEmpty);
        self.store.remove(path, plan).await
    }

    async fn rename(&self, from: &Path, to: &Path, plan: MovePlan) -> Result<Entry> {
        let plan = MovePlan {
            replace: self.replace(plan.replace),
            ..plan
        };
        if self.is(Fault::RenameLeavesTheOld) && from != to {
            return self.store.copy(from, to, plan).await;
        }
        self.store
            .rename(from, to, plan)
            .await
            .map(|entry| self.told(entry))
    }

    async fn copy(&self, from: &Path, to: &Path, plan: MovePlan) -> Result<Entry> {
        let plan = MovePlan {
            replace: self.replace(plan.replace),
            ..plan
        };
        self.store
            .copy(from, to, plan)
            .await
            .map(|entry| self.told(entry))
    }

    async fn touch(&self, path: &Path, plan: TouchPlan) -> Result<Entry> {
        self.store
            .touch(path, plan)
            .await
            .map(|entry| self.told(entry))
    }

    fn trash(&self) -> Option<Arc<dyn gaveta_core::Trash>> {
        self.store.trash()
    }

    fn round_trip(&self) -> Option<std::time::Duration> {
        self.store.round_trip()
    }

    fn upkeep(&self) -> Option<Arc<dyn gaveta_core::Upkeep>> {
        self.store.upkeep()
    }

    async fn space(&self) -> Result<Space> {
        self.store.space().await
    }
}

#[async_trait]
impl Subject for Fault {
    fn name(&self) -> &str {
        "mutant"
    }

    fn abilities(&self) -> Abilities {
        Abilities::ALL
    }

    async fn fresh(&self) -> Arc<dyn Store> {
        Arc::new(Mutant {
            store: MemoryStore::new(),
            fault: *self,
        })
    }
}

/// Asserts that the suite notices the fault in this section.
async fn is_found(fault: Fault, section: &str) {
    let section = conformance::SECTIONS
        .iter()
        .find(|s| s.name == section)
        .unwrap();
    // The wrapper itself is sound: what fails is the fault.
    let sound = conformance::check(&Fault::Nothing, section).await;
    assert!(sound.is_none(), "{sound:?}");
    let failure = conformance::check(&fault, section).await;
    assert!(
        failure.is_some(),
        "{fault:?} is not found by {}",
        section.name
    );
}

#[tokio::test]
async fn the_wrapper_without_a_fault_passes() {
    conformance::run(&Fault::Nothing).await;
    model::run(Fault::Nothing.fresh().await, Abilities::ALL, 1, 2000).await;
}

#[tokio::test]
async fn each_fault_is_found_by_its_section() {
    for (fault, section) in [
        (Fault::PublishesWhenCut, "cut_content_publishes_nothing"),
        (Fault::IgnoresNever, "never_replaces"),
        (Fault::IgnoresNever, "of_two_new_names_one_wins"),
        (Fault::IgnoresNever, "renaming_files"),
        (Fault::IgnoresNever, "copying_files"),
        (Fault::IgnoresTheVersion, "only_one_version_is_replaced"),
        (Fault::IgnoresTheVersion, "of_two_replacements_one_wins"),
        (Fault::ConstantVersion, "versions_follow_the_content"),
        (Fault::LosesAnEntry, "a_folder_shows_its_entries"),
        (Fault::LosesAnEntry, "every_order_in_pages"),
        (Fault::LosesAnEntry, "two_thousand_entries"),
        (Fault::WritesInPlace, "nothing_shows_before_the_commit"),
        (Fault::WritesInPlace, "a_dropped_upload_publishes_nothing"),
        (Fault::IgnoresTheDigest, "seal_is_compared"),
        (Fault::ReadsTooShort, "ranges_past_the_end"),
        (Fault::RemovesWhatIsNotEmpty, "removing_one"),
        (Fault::RenameLeavesTheOld, "renaming_files"),
        (Fault::RenameLeavesTheOld, "renaming_races"),
        (Fault::ForgetsUploads, "kept_uploads_are_found_again"),
        (Fault::OneByteWrong, "contents_of_every_size"),
        (Fault::OneByteWrong, "ranges"),
        (Fault::OneByteWrong, "reading_in_chunks"),
        (Fault::KeepsWrongChunks, "a_wrong_chunk_is_not_kept"),
        (Fault::KeepsWrongChunks, "a_cut_chunk_is_not_kept"),
        (Fault::SplicesTheBase, "a_base_that_changed_is_noticed"),
        (Fault::WrongOutline, "outlines_are_true"),
        (Fault::ForgetsTheNote, "notes_are_kept"),
        (Fault::PartsOutOfOrder, "parts_become_a_whole"),
        (Fault::LeavesOlderWrites, "who_takes_over_ends_older_writes"),
    ] {
        is_found(fault, section).await;
    }
}

#[tokio::test]
async fn the_whole_suite_panics_and_names_the_section() {
    let run = AssertUnwindSafe(conformance::run(&Fault::LosesAnEntry))
        .catch_unwind()
        .await;
    let panic = run.unwrap_err();
    let said = panic.downcast_ref::<String>().unwrap();
    assert!(said.contains("section every_order_in_pages"), "{said}");
}

#[tokio::test]
async fn the_model_finds_them_too() {
    for fault in [
        Fault::PublishesWhenCut,
        Fault::IgnoresNever,
        Fault::IgnoresTheVersion,
        Fault::LosesAnEntry,
        Fault::WritesInPlace,
        Fault::IgnoresTheDigest,
        Fault::RemovesWhatIsNotEmpty,
        Fault::RenameLeavesTheOld,
        Fault::ForgetsUploads,
        Fault::OneByteWrong,
        Fault::KeepsWrongChunks,
        Fault::SplicesTheBase,
    ] {
        let run = model::run(fault.fresh().await, Abilities::ALL, 1, 2000);
        let panic = AssertUnwindSafe(run).catch_unwind().await;
        let said = panic.expect_err(&format!("{fault:?} is not found"));
        let said = said.downcast_ref::<String>().unwrap();
        assert!(said.starts_with("seed 1, step "), "{said}");
    }
}
