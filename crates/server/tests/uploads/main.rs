//! The uploads door over a real socket: tus 1.0.0 with its extensions, and ours.

// A test says what it found by panicking.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod chunks;
mod concat;
mod faults;
#[path = "../files_door/harness.rs"]
#[allow(dead_code, reason = "the files door uses more of it")]
mod harness;
mod limits;
mod tus;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use harness::{Door, Reply};

/// Where uploads are begun.
const UPLOADS: &str = "/.gaveta/uploads";
/// What every request of tus says.
const TUS: (&str, &str) = ("Tus-Resumable", "1.0.0");
/// What a PATCH of tus brings.
const BYTES: (&str, &str) = ("Content-Type", "application/offset+octet-stream");

fn base64(bytes: impl AsRef<[u8]>) -> String {
    STANDARD.encode(bytes)
}

fn named(path: &str) -> String {
    format!("path {}", base64(path))
}

/// Begins an upload as tus does, and gives its address.
async fn begin(door: &Door, path: &str, length: usize) -> String {
    let (named, length) = (named(path), length.to_string());
    let fields = [
        TUS,
        ("Upload-Length", length.as_str()),
        ("Upload-Metadata", named.as_str()),
    ];
    let reply = door.ask("POST", UPLOADS, &fields, b"").await;
    assert_eq!(reply.status, 201, "{reply:?}");
    address(&reply)
}

fn address(reply: &Reply) -> String {
    let address = reply.field("location").to_owned();
    assert!(address.starts_with("/.gaveta/uploads/"), "{address}");
    address
}

async fn patch(door: &Door, at: &str, offset: usize, bytes: &[u8]) -> Reply {
    patch_with(door, at, offset, &[], bytes).await
}

async fn patch_with(
    door: &Door,
    at: &str,
    offset: usize,
    more: &[(&str, &str)],
    bytes: &[u8],
) -> Reply {
    let offset = offset.to_string();
    let fields = [&[TUS, BYTES, ("Upload-Offset", offset.as_str())], more].concat();
    door.ask("PATCH", at, &fields, bytes).await
}

/// The offset that HEAD tells.
async fn offset(door: &Door, at: &str) -> usize {
    let head = door.ask("HEAD", at, &[TUS], b"").await;
    assert_eq!(head.status, 200, "{head:?}");
    head.field("upload-offset").parse().unwrap()
}
