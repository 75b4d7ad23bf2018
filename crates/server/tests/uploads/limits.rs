//! What is bounded: how many, how large, how long.

use std::sync::Arc;
use std::time::Duration;

use gaveta_server::UploadLimits;
use gaveta_testkit::MemoryStore;

use super::harness::Door;
use super::{BYTES, TUS, UPLOADS, address, begin, named, offset, patch};

async fn create(door: &Door, path: &str, length: &str) -> super::harness::Reply {
    let named = named(path);
    let fields = [
        TUS,
        ("Upload-Length", length),
        ("Upload-Metadata", named.as_str()),
    ];
    door.ask("POST", UPLOADS, &fields, b"").await
}

#[tokio::test]
async fn uploads_are_counted_by_owner_also_after_a_restart() {
    let store = MemoryStore::new();
    let limit = |config: &mut gaveta_server::Config| {
        config.uploads = UploadLimits {
            uploads: 3,
            uploads_of_one: 2,
            ..UploadLimits::default()
        };
    };
    let door = Door::with(Arc::new(store.clone()), limit).await;
    let first = begin(&door, "a", 5).await;
    begin(&door, "b", 5).await;
    let third = create(&door, "c", "5").await;
    assert_eq!((third.status, third.code().as_str()), (503, "busy"));
    assert!(third.get("retry-after").is_some());
    drop(door);
    let door = Door::with(Arc::new(store), limit).await;
    assert_eq!(create(&door, "c", "5").await.status, 503);
    let named = named("admins");
    let fields = [
        TUS,
        ("Upload-Length", "5"),
        ("Upload-Metadata", named.as_str()),
    ];
    assert_eq!(door.admin("POST", UPLOADS, &fields, b"").await.status, 201);
    assert_eq!(door.ask("DELETE", &first, &[TUS], b"").await.status, 204);
    assert_eq!(create(&door, "c", "5").await.status, 201);
    assert_eq!(create(&door, "d", "5").await.status, 503);
    assert_eq!(door.get("/.gaveta/health", &[]).await.json()["uploads"], 3);
}

#[tokio::test]
async fn bytes_are_counted_declared_or_not() {
    let door = Door::with(Arc::new(MemoryStore::new()), |config| {
        config.uploads.bytes = Some(1000);
    })
    .await;
    let at = begin(&door, "a", 600).await;
    let more = create(&door, "b", "600").await;
    assert_eq!((more.status, more.code().as_str()), (507, "no-space"));
    let named = named("c");
    let fields = [
        TUS,
        ("Upload-Defer-Length", "1"),
        ("Upload-Metadata", named.as_str()),
    ];
    let growing = address(&door.ask("POST", UPLOADS, &fields, b"").await);
    assert_eq!(patch(&door, &growing, 0, &[0; 300]).await.status, 204);
    let full = patch(&door, &growing, 300, &[0; 300]).await;
    assert_eq!((full.status, full.code().as_str()), (507, "no-space"));
    // With room again it goes on from where it is.
    assert_eq!(door.ask("DELETE", &at, &[TUS], b"").await.status, 204);
    let kept = offset(&door, &growing).await;
    assert_eq!(patch(&door, &growing, kept, &[0; 300]).await.status, 204);
}

#[tokio::test]
async fn nothing_is_larger_than_the_largest() {
    let door = Door::limited(Arc::new(MemoryStore::new()), Some(100)).await;
    let options = door.ask("OPTIONS", UPLOADS, &[], b"").await;
    assert_eq!(options.field("tus-max-size"), "100");
    assert_eq!(create(&door, "a", "101").await.status, 413);
    let named = named("b");
    let fields = [
        TUS,
        ("Upload-Defer-Length", "1"),
        ("Upload-Metadata", named.as_str()),
    ];
    let at = address(&door.ask("POST", UPLOADS, &fields, b"").await);
    assert_eq!(patch(&door, &at, 0, &[0; 60]).await.status, 204);
    assert_eq!(patch(&door, &at, 60, &[0; 60]).await.status, 413);
    let chunked = [
        TUS,
        BYTES,
        ("Upload-Offset", "60"),
        ("Transfer-Encoding", "chunked"),
    ];
    let body = [b"3c\r\n".as_slice(), &[0; 60], b"\r\n0\r\n\r\n"].concat();
    assert_eq!(door.ask("PATCH", &at, &chunked, &body).await.status, 413);
    let fields = [("gaveta-target", "/c"), ("upload-length", "101")];
    assert_eq!(door.ask("POST", UPLOADS, &fields, b"").await.status, 413);
    // Parts that are too large together.
    let mut parts = Vec::new();
    for _ in 0..2 {
        let fields = [TUS, ("Upload-Length", "60"), ("Upload-Concat", "partial")];
        let part = address(&door.ask("POST", UPLOADS, &fields, b"").await);
        assert_eq!(patch(&door, &part, 0, &[0; 60]).await.status, 204);
        parts.push(part);
    }
    let concat = format!("final;{}", parts.join(" "));
    let fields = [
        TUS,
        ("Upload-Concat", concat.as_str()),
        ("Upload-Metadata", named.as_str()),
    ];
    assert_eq!(door.ask("POST", UPLOADS, &fields, b"").await.status, 413);
}

#[tokio::test]
async fn what_nobody_goes_on_with_expires() {
    let door = Door::with(Arc::new(MemoryStore::new()), |config| {
        config.uploads.expiry = Duration::from_millis(300);
    })
    .await;
    let at = begin(&door, "a", 5).await;
    let gone = async {
        while door.ask("HEAD", &at, &[TUS], b"").await.status != 404 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(super::harness::PATIENCE, gone)
        .await
        .unwrap();
    assert_eq!(door.get("/.gaveta/health", &[]).await.json()["uploads"], 0);
}
