//! The HTTP door: files, the session and single commands.

pub(crate) mod audit;
mod back;
pub(crate) mod base;
pub(crate) mod body;
pub(crate) mod caller;
pub(crate) mod chunks;
pub(crate) mod command;
mod conditional;
pub(crate) mod connected;
pub(crate) mod content;
mod digest;
pub(crate) mod error;
mod fields;
pub(crate) mod files;
pub(crate) mod form;
pub(crate) mod headers;
pub(crate) mod html;
pub(crate) mod keys;
mod media;
mod names;
pub(crate) mod page;
pub(crate) mod query;
pub(crate) mod range;
pub(crate) mod reply;
pub(crate) mod router;
mod sending;
pub(crate) mod session;
pub(crate) mod share;
mod sign_in;
pub(crate) mod stranger;
pub(crate) mod talk;
pub(crate) mod trash;
mod unencrypted;
pub(crate) mod uploads;
pub(crate) mod walk;
pub(crate) mod zip;

/// What the files door is told.
#[derive(Debug, Clone, Default)]
pub(crate) struct FilesSettings {
    /// The largest file it takes, in bytes.
    pub(crate) max_file_size: Option<u64>,
}
