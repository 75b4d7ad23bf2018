//! The copy between two stores: plan, copy, verify, progress.
//!
//! A transfer knows nothing of disks or networks: sending, getting and mirroring are the same copy
//! with the stores the other way round. Every file appears at the target whole and verified or not
//! at all; one file's failure never stops the others.

mod ahead;
mod cancel;
mod chunked;
mod compare;
mod engine;
mod file;
mod flow;
mod memory;
mod observer;
mod opened;
mod options;
mod pace;
mod progress;
mod rate;
mod streams;
mod summary;
mod table;
mod walk;

pub use cancel::Cancel;
pub use compare::{
    Difference, Exclude, ExcludeNothing, Fingerprint, Look, ReadEverything, Side, compare,
    same_time,
};
pub use engine::{transfer, transfer_items};
pub use memory::{Memory, Remembered, Restart, Resume};
pub use observer::{Copied, FileId, Observer, Outcome, Silent};
pub use options::{
    Conflict, Decision, Existing, Filter, Item, OnConflict, Options, Retries, Source,
};
pub use summary::{Failed, KEPT, Skipped, Summary, Why};
