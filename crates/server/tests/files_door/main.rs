//! The files door over a real socket: golden requests and their answers, verb by verb.

// A test says what it found by panicking; what it skips it says aloud.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]
#![allow(clippy::print_stderr)]

mod conditional;
mod curl;
mod digest;
mod faults;
mod forms;
mod harness;
mod listing;
mod range;
mod verbs;
mod zip;
