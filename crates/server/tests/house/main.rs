//! The house rules over a real line: who may, who may not, and what nobody gets.

// A test says what it found by panicking.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::indexing_slicing
)]

mod accounts;
mod audit;
mod badinput;
mod beneath;
mod beside;
mod connected;
mod desk;
mod ends;
mod harness;
mod hostile;
mod http2;
mod limits;
mod passwords;
mod roles;
mod sessions;
mod shares;
mod smuggling;
mod strangers;
mod table;
mod teams;
mod tokens;
