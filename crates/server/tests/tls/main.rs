//! The port under TLS: what is served to whom, and what hostile first bytes get.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may"
)]

mod certificates;
mod handshakes;
mod harness;
mod plain;
mod proxies;
