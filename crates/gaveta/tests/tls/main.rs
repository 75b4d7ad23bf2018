//! Encryption end to end, with real servers and clients: first contact, changed keys, a man in the
//! middle, certificates that are trusted, and an authority that speaks ACME.

#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    unreachable_pub,
    reason = "tests may"
)]

#[path = "../common/mod.rs"]
mod common;

mod acme;
mod contacts;
mod house;
mod middle;
mod outside;
