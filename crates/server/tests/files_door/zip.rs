//! Archives: whole, in ranges that fit together, and broken off when a file changed.

use std::sync::Arc;

use gaveta_core::{ErrorKind, Store};
use gaveta_testkit::{FlakyStore, MemoryStore, Operation};

use super::harness::Door;

super::harness::on_every_store! {
    an_archive_is_whole_and_any_range_of_it_is_the_same,
    what_is_chosen_is_in_it_and_nothing_else,
    an_archive_that_changed_is_another_one,
}

#[tokio::test]
async fn a_small_range_reads_only_what_it_tells_of() {
    let store = Arc::new(FlakyStore::new(MemoryStore::new()));
    let door = Door::of(Arc::clone(&store) as Arc<dyn Store>).await;
    for name in ["a", "b", "c"] {
        door.put(&format!("/d/{name}"), &[b'x'; 1000]).await;
    }
    let whole = Door::new().await;
    for name in ["a", "b", "c"] {
        whole.put(&format!("/d/{name}"), &[b'x'; 1000]).await;
    }
    // The last record and the end tell of "c" alone, whose sum is made by reading it.
    store.fail(Operation::Read, ErrorKind::Io, 1, usize::MAX);
    let tail = door.get("/.gaveta/zip/d/", &[("Range", "bytes=-60")]).await;
    assert_eq!(tail.status, 206);
    assert_eq!(tail.body.len(), 60);
    // Now that nothing can be read, what tells of the files before cannot be sent.
    let more = [("Range", "bytes=-300")];
    assert_ne!(door.get("/.gaveta/zip/d/", &more).await.body.len(), 300);
    let all = whole.get("/.gaveta/zip/d/", &[]).await.body;
    let end = all.len() - 22;
    assert_eq!(tail.body[38..], all[end..]);
}

async fn fill(door: &Door) {
    door.put("/d/a%20b.txt", b"hello").await;
    door.put("/d/empty", b"").await;
    door.put("/d/sub/%C3%A9%5Cx", &vec![b'x'; 300_000]).await;
    door.put("/d2/no", b"no").await;
}

/// The names in the central directory, in their order.
fn names(zip: &[u8]) -> Vec<String> {
    let number = |at: usize, size: usize| {
        zip[at..at + size]
            .iter()
            .rev()
            .fold(0usize, |all, byte| all << 8 | usize::from(*byte))
    };
    let end = zip.len() - 22;
    assert_eq!(&zip[end..end + 4], b"PK\x05\x06");
    let (count, mut at) = (number(end + 10, 2), number(end + 16, 4));
    (0..count)
        .map(|_| {
            assert_eq!(&zip[at..at + 4], b"PK\x01\x02");
            let (name, extra) = (number(at + 28, 2), number(at + 30, 2));
            let local = number(at + 42, 4);
            assert_eq!(&zip[local..local + 4], b"PK\x03\x04");
            let text = String::from_utf8(zip[at + 46..at + 46 + name].to_vec()).unwrap();
            at += 46 + name + extra;
            text
        })
        .collect()
}

async fn an_archive_is_whole_and_any_range_of_it_is_the_same(door: Door) {
    fill(&door).await;
    let whole = door.get("/.gaveta/zip/d/", &[]).await;
    assert_eq!(
        (whole.status, whole.field("content-type")),
        (200, "application/zip")
    );
    assert!(
        whole
            .field("content-disposition")
            .contains("filename=\"d.zip\"")
    );
    assert_eq!(whole.field("content-length"), whole.body.len().to_string());
    assert_eq!(
        names(&whole.body),
        ["d/", "d/a b.txt", "d/empty", "d/sub/", "d/sub/é\u{ff3c}x"]
    );
    let head = door.ask("HEAD", "/.gaveta/zip/d/", &[], b"").await;
    assert_eq!(head.field("content-length"), whole.field("content-length"));
    let length = whole.body.len();
    let etag = whole.field("etag").to_owned();
    for (from, to) in [
        (0, 0),
        (1, 40),
        (50, 200),
        (70, 100_000),
        (length - 500, length - 1),
        // In the middle of the central directory, and of its end.
        (length - 300, length - 100),
        (length - 250, length - 230),
        (length - 21, length - 20),
        (200, length - 1),
    ] {
        let range = format!("bytes={from}-{to}");
        let fields = [("Range", range.as_str()), ("If-Range", etag.as_str())];
        let part = door.get("/.gaveta/zip/d/", &fields).await;
        assert_eq!(part.status, 206);
        assert_eq!(
            part.field("content-range"),
            format!("bytes {from}-{to}/{length}")
        );
        assert!(part.body == whole.body[from..=to], "{range}");
    }
    // A server that sent nothing of it makes the same sums.
    let fresh = Door::new().await;
    fresh.put("/d/x", &vec![b'y'; 100_000]).await;
    let tail = fresh
        .get("/.gaveta/zip/d/", &[("Range", "bytes=-200")])
        .await;
    let all = fresh.get("/.gaveta/zip/d/", &[]).await;
    assert!(all.body.ends_with(&tail.body) && tail.body.len() == 200);
    let past = door
        .get("/.gaveta/zip/d/", &[("Range", "bytes=999999999-")])
        .await;
    assert_eq!(past.status, 416);
}

async fn what_is_chosen_is_in_it_and_nothing_else(door: Door) {
    fill(&door).await;
    let some = door
        .get("/.gaveta/zip/d/?name=sub&name=empty&name=empty", &[])
        .await;
    assert_eq!(names(&some.body), ["empty", "sub/", "sub/é\u{ff3c}x"]);
    let root = door.get("/.gaveta/zip/", &[]).await;
    assert!(names(&root.body).contains(&"d2/no".to_owned()));
    assert!(root.field("content-disposition").contains("gaveta.zip"));
    for (target, status) in [
        ("/.gaveta/zip/none/", 404),
        ("/.gaveta/zip/d/?name=none", 404),
        ("/.gaveta/zip/d/?name=..%2Fd2", 400),
        ("/.gaveta/zip/d/?name=..", 400),
        ("/.gaveta/zip/.gaveta/", 400),
        ("/.gaveta/zip/%2e%2e/", 400),
    ] {
        assert_eq!(door.get(target, &[]).await.status, status, "{target}");
    }
    let refused = door.ask("DELETE", "/.gaveta/zip/d/", &[], b"").await;
    assert_eq!((refused.status, refused.field("allow")), (405, "GET, HEAD"));
}

async fn an_archive_that_changed_is_another_one(door: Door) {
    fill(&door).await;
    let before = door.get("/.gaveta/zip/d/", &[]).await;
    door.put("/d/a%20b.txt", b"HELLO").await;
    let range = [("Range", "bytes=100-"), ("If-Range", before.field("etag"))];
    let after = door.get("/.gaveta/zip/d/", &range).await;
    // Not a part of another archive: the whole of the new one.
    assert_eq!(after.status, 200);
    assert_ne!(after.field("etag"), before.field("etag"));
    assert!(after.body.windows(5).any(|bytes| bytes == b"HELLO"));
}
