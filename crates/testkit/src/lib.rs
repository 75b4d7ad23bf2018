//! What the tests of every crate share. Only ever a dev-dependency.
//!
//! | what | where |
//! |---|---|
//! | one suite that every store must pass | [`conformance`] |
//! | random operations compared with a map | [`model`] |
//! | a store in memory, stricter than reality | [`MemoryStore`] |
//! | a store that fails when told to | [`FlakyStore`] |
//! | a line that is cut, stalled or slowed when told to | [`proxy`] |
//! | a small file system in a folder | [`Mounted`] |
//! | HTTP, byte for byte | [`http`] |
//! | a real terminal, its screen and its keys | `terminal` (Unix) |
//! | request targets that try to get out | [`hostile_paths`] |
//! | contents to send | [`content`], [`stream_of`], [`collect`] |

// A suite says what it found by panicking, as every test does.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]
#![allow(clippy::print_stderr)]

pub mod conformance;
mod content;
mod flaky;
pub mod fuzz;
mod hostile;
pub mod http;
mod memory;
pub mod model;
mod mounted;
pub mod proxy;
#[cfg(unix)]
pub mod terminal;

pub use content::{Rng, collect, content, stream_of};
pub use flaky::{FlakyStore, Operation};
pub use hostile::{HostilePath, hostile_paths};
pub use memory::MemoryStore;
pub use mounted::Mounted;
