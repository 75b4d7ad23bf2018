//! The shell on a real terminal: what a person types, and what a person then sees.

#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    unreachable_pub,
    reason = "tests may"
)]

#[path = "../common/mod.rs"]
mod common;

mod ends;
mod harness;
mod hostile;
mod keys;
mod lines;
mod mirror;
mod seed;
mod shares;
mod transfers;
mod undo;
mod verbs;
