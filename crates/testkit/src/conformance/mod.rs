//! One suite that every store must pass.
//!
//! A store is brought by a [`Subject`]. Each section starts on a fresh, empty store. A section
//! that needs an [`Ability`] the subject does not claim is skipped aloud, on stderr.
//!
//! ```no_run
//! # use gaveta_testkit::{MemoryStore, conformance::{self, Abilities, Subject}};
//! # use std::sync::Arc;
//! #[derive(Debug)]
//! struct Memory;
//! #[async_trait::async_trait]
//! impl Subject for Memory {
//!     fn name(&self) -> &str { "memory" }
//!     fn abilities(&self) -> Abilities { Abilities::ALL }
//!     async fn fresh(&self) -> Arc<dyn gaveta_core::Store> { Arc::new(MemoryStore::new()) }
//! }
//! # async fn test() {
//! conformance::run(&Memory).await;
//! # }
//! ```

mod bases;
mod bench;
mod chunks;
mod copying;
mod entries;
mod listing;
mod moving;
mod outlines;
mod publishing;
mod reading;
mod trash;
mod uploads;
mod writers;
mod writing;

use std::fmt::Debug;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_core::future::BoxFuture;
use futures_util::FutureExt;
use gaveta_core::{Owner, Store};

use bench::Bench;

/// How long one section may take before it counts as hung.
pub const SECTION_DEADLINE: Duration = Duration::from_secs(300);

/// Something a store may lack without being wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ability {
    /// Uploads begun with `OnDrop::Keep` are kept; `upload(id, target)` finds them.
    Resume,
    /// `uploads()` tells what is kept, and `upload(id)` finds it without its target.
    ListsUploads,
    /// `Upload::write` at any offset, in any order, several at once. Without it: one write from 0.
    RandomWrites,
    /// `Upload::read`.
    UploadRead,
    /// `Upload::set_length`.
    SetLength,
    /// What can be known at `begin` is said at `begin`, not at the commit.
    EarlyErrors,
    /// A failed commit leaves the upload usable.
    RetryCommit,
    /// `Check::Digest` on a write.
    WriteCheck,
    /// The executable bit is kept.
    Executable,
    /// Modified times are kept to the nanosecond; without it, to the second.
    NanosecondTimes,
    /// What is there may be replaced.
    Replace,
    /// A `Reading` keeps its version while the file is replaced, renamed or removed.
    PinnedReaders,
    /// A version never comes back for another content, even when length and modified time do.
    VersionsNeverReturn,
    /// `Upload::write_chunks`.
    Chunks,
    /// `WritePlan::base`.
    Base,
    /// `WritePlan::parts`, and uploads without a target.
    Parts,
    /// `WritePlan::id`.
    ChosenIds,
    /// `WritePlan::note`.
    Notes,
    /// `WritePlan::owner` is taken as told.
    AnyOwner,
}

/// What a store claims. One field for each [`Ability`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Abilities {
    /// [`Ability::Resume`]
    pub resume: bool,
    /// [`Ability::ListsUploads`]
    pub lists_uploads: bool,
    /// [`Ability::RandomWrites`]
    pub random_writes: bool,
    /// [`Ability::UploadRead`]
    pub upload_read: bool,
    /// [`Ability::SetLength`]
    pub set_length: bool,
    /// [`Ability::EarlyErrors`]
    pub early_errors: bool,
    /// [`Ability::RetryCommit`]
    pub retry_commit: bool,
    /// [`Ability::WriteCheck`]
    pub write_check: bool,
    /// [`Ability::Executable`]
    pub executable: bool,
    /// [`Ability::NanosecondTimes`]
    pub nanosecond_times: bool,
    /// [`Ability::Replace`]
    pub replace: bool,
    /// [`Ability::PinnedReaders`]
    pub pinned_readers: bool,
    /// [`Ability::VersionsNeverReturn`]
    pub versions_never_return: bool,
    /// [`Ability::Chunks`]
    pub chunks: bool,
    /// [`Ability::Base`]
    pub base: bool,
    /// [`Ability::Parts`]
    pub parts: bool,
    /// [`Ability::ChosenIds`]
    pub chosen_ids: bool,
    /// [`Ability::Notes`]
    pub notes: bool,
    /// [`Ability::AnyOwner`]
    pub any_owner: bool,
}

impl Abilities {
    /// Everything.
    pub const ALL: Self = Self {
        resume: true,
        lists_uploads: true,
        random_writes: true,
        upload_read: true,
        set_length: true,
        early_errors: true,
        retry_commit: true,
        write_check: true,
        executable: true,
        nanosecond_times: true,
        replace: true,
        pinned_readers: true,
        versions_never_return: true,
        chunks: true,
        base: true,
        parts: true,
        chosen_ids: true,
        notes: true,
        any_owner: true,
    };

    /// The least a store can do: one write from 0, one commit.
    pub const NONE: Self = Self {
        resume: false,
        lists_uploads: false,
        random_writes: false,
        upload_read: false,
        set_length: false,
        early_errors: false,
        retry_commit: false,
        write_check: false,
        executable: false,
        nanosecond_times: false,
        replace: false,
        pinned_readers: false,
        versions_never_return: false,
        chunks: false,
        base: false,
        parts: false,
        chosen_ids: false,
        notes: false,
        any_owner: false,
    };

    /// Is it claimed?
    pub const fn has(&self, ability: Ability) -> bool {
        match ability {
            Ability::Resume => self.resume,
            Ability::ListsUploads => self.lists_uploads,
            Ability::RandomWrites => self.random_writes,
            Ability::UploadRead => self.upload_read,
            Ability::SetLength => self.set_length,
            Ability::EarlyErrors => self.early_errors,
            Ability::RetryCommit => self.retry_commit,
            Ability::WriteCheck => self.write_check,
            Ability::Executable => self.executable,
            Ability::NanosecondTimes => self.nanosecond_times,
            Ability::Replace => self.replace,
            Ability::PinnedReaders => self.pinned_readers,
            Ability::VersionsNeverReturn => self.versions_never_return,
            Ability::Chunks => self.chunks,
            Ability::Base => self.base,
            Ability::Parts => self.parts,
            Ability::ChosenIds => self.chosen_ids,
            Ability::Notes => self.notes,
            Ability::AnyOwner => self.any_owner,
        }
    }
}

/// Who brings a store to be tested.
#[async_trait]
pub trait Subject: Debug + Send + Sync {
    /// What to call it in messages.
    fn name(&self) -> &str;

    /// What its stores claim.
    fn abilities(&self) -> Abilities;

    /// A new, empty store. What it needs (a folder, a server) must live as long as the subject.
    async fn fresh(&self) -> Arc<dyn Store>;

    /// Whose uploads are made. A store that decides itself says here whom it takes.
    fn owner(&self) -> Owner {
        Owner(Arc::from("conformance"))
    }
}

/// One section of the suite.
#[derive(Clone, Copy)]
pub struct Section {
    /// Its name.
    pub name: &'static str,
    /// Without these it is skipped.
    pub needs: &'static [Ability],
    test: for<'a> fn(&'a Bench) -> BoxFuture<'a, ()>,
}

impl Debug for Section {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Section")
            .field("name", &self.name)
            .field("needs", &self.needs)
            .finish()
    }
}

/// A section that failed.
#[derive(Debug, Clone)]
pub struct Failure {
    /// Its name.
    pub section: &'static str,
    /// What the panic said.
    pub message: String,
}

/// Turns `module: [section needs [Ability…], …]` into the table of sections.
macro_rules! sections {
    ($($module:ident: [$($name:ident $(needs [$($ability:ident),+])?),+ $(,)?]),+ $(,)?) => {
        /// Every section, in order.
        pub const SECTIONS: &[Section] = &[$($(Section {
            name: stringify!($name),
            needs: &[$($(Ability::$ability),+)?],
            test: |bench| Box::pin($module::$name(bench)),
        }),+),+];
    };
}

sections! {
    entries: [
        an_empty_root, folders_are_made_one_by_one, what_is_not_there, removing_one,
        removing_many, touching, space_makes_sense,
    ],
    writing: [
        contents_of_every_size, an_upload_without_a_write_is_empty, odd_names_are_kept,
        missing_parents_are_made, modified_time_is_kept, executable_is_kept needs [Executable],
        declared_length_is_compared, seal_is_compared, cut_content_publishes_nothing,
        a_dropped_upload_publishes_nothing, nothing_shows_before_the_commit,
        versions_follow_the_content, digests_are_true,
    ],
    publishing: [
        never_replaces, always_replaces needs [Replace], only_one_version_is_replaced needs [Replace],
        a_folder_is_no_target, a_file_is_no_parent, of_two_new_names_one_wins,
        of_two_replacements_one_wins needs [Replace], early_errors needs [EarlyErrors],
        a_failed_commit_can_be_repeated needs [RetryCommit],
    ],
    reading: [
        ranges, ranges_past_the_end, several_streams_at_once, a_version_can_be_named,
        readers_keep_their_version needs [Replace], readers_never_mix_versions needs [Replace],
    ],
    moving: [
        renaming_files, renaming_over_a_file needs [Replace], renaming_folders,
        renaming_into_itself, renaming_needs_its_version, renaming_races,
    ],
    copying: [copying_files, copying_over_a_file needs [Replace], copying_folders, copying_into_itself],
    listing: [
        a_folder_shows_its_entries, every_order_in_pages, limits_and_cursors, two_thousand_entries,
    ],
    writers: [
        writes_in_any_order needs [RandomWrites], writes_at_once_do_not_disturb needs [RandomWrites],
        a_newer_writer_takes_over needs [RandomWrites],
        a_late_writer_cannot_change_what_is_published needs [RandomWrites],
    ],
    uploads: [
        kept_uploads_are_found_again needs [Resume], ended_uploads_are_unknown needs [Resume],
        gaps_are_incomplete needs [RandomWrites], an_ended_upload_takes_nothing,
        pieces_are_bounded needs [RandomWrites], far_offsets needs [RandomWrites],
        length_can_be_declared_later needs [SetLength, RandomWrites],
        a_wrong_piece_keeps_nothing needs [WriteCheck],
        written_bytes_can_be_read needs [UploadRead, RandomWrites],
    ],
    chunks: [
        whole_contents_in_chunks needs [Chunks],
        chunks_in_any_order needs [Chunks, RandomWrites],
        a_wrong_chunk_is_not_kept needs [Chunks, RandomWrites],
        a_cut_chunk_is_not_kept needs [Chunks, RandomWrites],
        chunks_that_do_not_fit needs [Chunks, RandomWrites],
        a_newer_writer_of_chunks_takes_over needs [Chunks, RandomWrites],
        who_takes_over_ends_older_writes needs [Chunks, RandomWrites],
        chunks_and_plain_writes_mix needs [Chunks, RandomWrites, RetryCommit],
    ],
    outlines: [
        outlines_are_true, reading_in_chunks, chunks_of_one_version needs [Replace],
    ],
    bases: [
        only_what_differs_is_sent needs [Base, Chunks, RandomWrites, Replace, RetryCommit],
        a_base_that_changed_is_noticed needs [Base, Chunks, RandomWrites, Replace, RetryCommit],
        parts_become_a_whole needs [Parts, Resume, RetryCommit],
        parts_that_do_not_fit needs [Parts, Resume, RandomWrites, RetryCommit],
        ids_can_be_chosen needs [ChosenIds, Resume],
        notes_are_kept needs [Notes, Resume],
    ],
    trash: [
        what_is_deleted_comes_back, what_is_replaced_is_kept needs [Replace],
        folders_come_back_whole, the_way_back_is_not_free, the_trash_is_told_in_parts,
        what_is_purged_is_gone, of_two_restores_one_wins,
        what_lies_in_the_trash_is_checked,
    ],
}

/// Runs every section and panics with the name and the message of each that failed.
///
/// # Panics
/// When a section fails.
pub async fn run(subject: &dyn Subject) {
    let failures = failures(subject).await;
    let told: Vec<_> = failures
        .iter()
        .map(|f| format!("section {}: {}", f.section, f.message))
        .collect();
    assert!(
        told.is_empty(),
        "{} failed:\n{}",
        subject.name(),
        told.join("\n")
    );
}

/// Runs every section and says which failed.
pub async fn failures(subject: &dyn Subject) -> Vec<Failure> {
    let mut failures = Vec::new();
    for section in SECTIONS {
        failures.extend(check(subject, section).await);
    }
    failures
}

/// Runs one section.
///
/// # Panics
/// When it fails, or there is none of this name.
pub async fn run_section(subject: &dyn Subject, name: &str) {
    let section = SECTIONS.iter().find(|section| section.name == name);
    let section = section.unwrap_or_else(|| panic!("there is no section {name}"));
    if let Some(failure) = check(subject, section).await {
        panic!(
            "{}: section {}: {}",
            subject.name(),
            failure.section,
            failure.message
        );
    }
}

/// Runs one section; none when it passed or was skipped.
pub async fn check(subject: &dyn Subject, section: &Section) -> Option<Failure> {
    let abilities = subject.abilities();
    if let Some(missing) = section.needs.iter().find(|need| !abilities.has(**need)) {
        eprintln!(
            "skipped: {} for {}: needs {missing:?}",
            section.name,
            subject.name()
        );
        return None;
    }
    let whole = async {
        let store = subject.fresh().await;
        let bench = Bench::new(
            store,
            abilities,
            subject.owner(),
            section.name,
            subject.name(),
        );
        (section.test)(&bench).await;
    };
    let whole = AssertUnwindSafe(whole).catch_unwind();
    let message = match tokio::time::timeout(SECTION_DEADLINE, whole).await {
        Ok(Ok(())) => return None,
        Ok(Err(panic)) => said(&*panic),
        Err(_) => format!("no end within {SECTION_DEADLINE:?}"),
    };
    Some(Failure {
        section: section.name,
        message,
    })
}

/// What a panic said.
fn said(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic".into())
}
