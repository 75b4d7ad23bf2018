//! What breaks in the middle, and goes on.

use std::sync::Arc;

use gaveta_core::{ErrorKind, Store};
use gaveta_testkit::{FlakyStore, MemoryStore, Operation};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::harness::{Door, Reply};
use super::{begin, offset, patch};
use gaveta_disk::{DiskStore, Options as DiskOptions};

super::harness::on_every_store! {
    a_cut_upload_goes_on_from_what_arrived,
    a_newcomer_is_not_locked_out_by_a_dead_connection,
    who_sends_on_after_a_refusal_still_reads_it,
    a_byte_a_second_is_no_progress_and_what_came_is_kept,
}

/// Sends a PATCH's head and this much of its body, on a connection that stays open.
async fn hang(
    door: &Door,
    at: &str,
    offset: usize,
    length: usize,
    body: &[u8],
) -> super::harness::Line {
    let mut line = door.connect().await;
    let head = format!(
        "PATCH {at} HTTP/1.1\r\nHost: {}\r\nTus-Resumable: 1.0.0\r\nUpload-Offset: {offset}\r\n\
         Content-Type: application/offset+octet-stream\r\nContent-Length: {length}\r\n\r\n",
        door.address
    );
    line.send(head.as_bytes()).await;
    line.send(body).await;
    line
}

/// Waits until so much has arrived.
async fn reaches(door: &Door, at: &str, wanted: usize) {
    let there = async {
        while offset(door, at).await < wanted {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(super::harness::PATIENCE, there)
        .await
        .unwrap();
}

async fn a_cut_upload_goes_on_from_what_arrived(door: Door) {
    let all = gaveta_testkit::content(200_000, 1);
    let at = begin(&door, "a", all.len()).await;
    let mut line = hang(&door, &at, 0, all.len(), &all[..120_000]).await;
    line.stream.shutdown().await.unwrap();
    line.rest().await;
    let kept = offset(&door, &at).await;
    assert!(kept <= 120_000, "{kept}");
    assert_eq!(patch(&door, &at, kept, &all[kept..]).await.status, 204);
    assert!(door.get("/a", &[]).await.body == all);
}

async fn a_newcomer_is_not_locked_out_by_a_dead_connection(door: Door) {
    let all = gaveta_testkit::content(2_000_000, 2);
    let at = begin(&door, "a", all.len()).await;
    let dead = hang(&door, &at, 0, all.len(), &all[..1_200_000]).await;
    // The dead one still waits for more; what it sent is in.
    let before = std::time::Instant::now();
    reaches(&door, &at, 1).await;
    let mut kept = offset(&door, &at).await;
    loop {
        let reply = patch(&door, &at, kept, &all[kept..]).await;
        match reply.status {
            204 => break,
            // Something more of the dead one came in between.
            409 => kept = offset(&door, &at).await,
            _ => panic!("{reply:?} after {:?}", before.elapsed()),
        }
    }
    assert!(door.get("/a", &[]).await.body == all);
    drop(dead);
}

async fn who_sends_on_after_a_refusal_still_reads_it(door: Door) {
    let at = begin(&door, "a", 500_000).await;
    let mut line = hang(&door, &at, 7, 400_000, &[]).await;
    line.send(&vec![0; 400_000]).await;
    let mut got = Vec::new();
    line.until(&mut got, |got| {
        got.windows(4).any(|four| four == b"\r\n\r\n")
    })
    .await;
    assert_eq!(Reply::parse(&got, false).status, 409);
}

async fn a_byte_a_second_is_no_progress_and_what_came_is_kept(door: Door) {
    let all = gaveta_testkit::content(200_000, 5);
    let at = begin(&door, "a", all.len()).await;
    let mut line = hang(&door, &at, 0, all.len(), &all[..100_000]).await;
    let mut got = Vec::new();
    let mut drops = all[100_000..].chunks(1);
    let dropped = async {
        loop {
            tokio::select! {
                // The answer, the end, or a reset: it is over.
                _ = line.stream.read_buf(&mut got) => return,
                () = tokio::time::sleep(std::time::Duration::from_secs(1)) => {
                    let drop = drops.next().unwrap();
                    if line.stream.write_all(drop).await.is_err() {
                        return;
                    }
                }
            }
        }
    };
    // Twice the deadline on progress: the server ends it, not this.
    let ended = tokio::time::timeout(super::harness::PATIENCE, dropped).await;
    ended.expect("whoever sends so slowly is dropped");
    // A reset may take the answer away; if it came, it says why.
    if !got.is_empty() {
        got.extend(line.rest().await);
        assert_eq!(Reply::parse(&got, false).status, 408);
    }
    let kept = offset(&door, &at).await;
    assert!((100_000..100_060).contains(&kept), "{kept}");
    assert_eq!(patch(&door, &at, kept, &all[kept..]).await.status, 204);
    assert!(door.get("/a", &[]).await.body == all);
}

#[tokio::test]
async fn a_full_disk_is_507_and_goes_on_when_there_is_room() {
    let store = MemoryStore::new();
    let flaky = Arc::new(FlakyStore::new(store.clone()));
    let door = Door::of(flaky.clone()).await;
    let at = begin(&door, "a", 10).await;
    assert_eq!(patch(&door, &at, 0, b"0123").await.status, 204);
    flaky.fail(Operation::Write, ErrorKind::NoSpace, 0, 1);
    let full = patch(&door, &at, 4, b"456789").await;
    assert_eq!((full.status, full.code().as_str()), (507, "no-space"));
    let kept = offset(&door, &at).await;
    let rest = &b"0123456789"[kept..];
    assert_eq!(patch(&door, &at, kept, rest).await.status, 204);
    assert_eq!(door.get("/a", &[]).await.text(), "0123456789");
    // So does a commit that failed.
    let at = begin(&door, "b", 3).await;
    flaky.fail(Operation::Commit, ErrorKind::NoSpace, 0, 1);
    assert_eq!(patch(&door, &at, 0, b"abc").await.status, 507);
    assert_eq!(door.get("/b", &[]).await.status, 404);
    assert_eq!(patch(&door, &at, 3, b"").await.status, 204);
    assert_eq!(door.get("/b", &[]).await.text(), "abc");
    assert!(store.space().await.is_ok());
}

/// Opens the folder as soon as the server that had it has let go.
async fn open_again(folder: &std::path::Path) -> DiskStore {
    let opened = async {
        loop {
            match DiskStore::open(folder, DiskOptions::default()) {
                Ok(store) => break store,
                Err(error) if error.kind() == ErrorKind::Locked => {
                    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
                }
                Err(error) => panic!("{error}"),
            }
        }
    };
    tokio::time::timeout(super::harness::PATIENCE, opened)
        .await
        .unwrap()
}

#[tokio::test]
async fn an_upload_survives_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let all = gaveta_testkit::content(900_000, 8);
    let door = Door::of(Arc::new(open_again(folder.path()).await)).await;
    let at = begin(&door, "a", all.len()).await;
    let sent = patch(&door, &at, 0, &all[..600_000]).await;
    assert_eq!(sent.field("upload-offset"), "600000");
    drop(door);
    let door = Door::of(Arc::new(open_again(folder.path()).await)).await;
    let health = door.get("/.gaveta/health", &[]).await.json();
    assert_eq!(health["uploads"], 1);
    assert_eq!(offset(&door, &at).await, 600_000);
    assert_eq!(
        patch(&door, &at, 600_000, &all[600_000..]).await.status,
        204
    );
    assert!(door.get("/a", &[]).await.body == all);
}
