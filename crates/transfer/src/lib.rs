//! The copy between two stores: plan, copy, verify, progress.
//!
//! A transfer knows nothing of disks or networks: sending, getting and mirroring are the same copy
//! with the stores the other way round. Every file appears at the target whole and verified or not
//! at all; one file's failure never stops the others.

mod cancel;
mod engine;
mod file;
mod observer;
mod options;
mod summary;
mod walk;

pub use cancel::Cancel;
pub use engine::transfer;
pub use observer::{FileId, Observer, Outcome, Silent};
pub use options::{Conflict, Decision, Existing, OnConflict, Options, Retries, Source};
pub use summary::{Failed, KEPT, Skipped, Summary, Why};
