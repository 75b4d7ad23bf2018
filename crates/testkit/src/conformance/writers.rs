//! Sections: several writers of one upload.

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use gaveta_core::{Check, Digest, ErrorKind, Ranges, Seal};

use super::bench::{Bench, by_hand, refused};
use super::uploads::{until_arrived, write};
use crate::content::{Rng, content, stream_of};

pub(super) async fn writes_in_any_order(b: &Bench) {
    let bytes = content(300_000, 2);
    let mut cuts: Vec<usize> = (0..=30).map(|n| n * 10_000).collect();
    // Not only at round offsets.
    for cut in &mut cuts[1..30] {
        *cut += Rng::new(*cut as u64).below(9000);
    }
    let mut parts: Vec<_> = cuts.windows(2).map(|pair| pair[0]..pair[1]).collect();
    Rng::new(2).shuffle(&mut parts);
    let upload = b.store.begin(b.plan("file")).await.unwrap();
    let mut expected = Ranges::new();
    for part in parts {
        let range = part.start as u64..part.end as u64;
        let kept = write(&*upload, range.start, &bytes[part.clone()])
            .await
            .unwrap();
        assert_eq!(kept, part.len() as u64);
        expected.insert(range);
        assert_eq!(upload.state().await.unwrap().arrived, expected);
    }
    // Written twice is no harm, also with other bytes first.
    write(&*upload, 100_000, &bytes[100_000..150_001])
        .await
        .unwrap();
    write(&*upload, 5, b"wrong at first").await.unwrap();
    write(&*upload, 0, &bytes[..4099]).await.unwrap();
    assert_eq!(
        upload
            .write(0, stream_of(Bytes::new(), 1), Check::None)
            .await
            .unwrap(),
        0
    );
    let seal = Seal {
        length: Some(300_000),
        digest: Some(Digest::of(&bytes)),
    };
    upload.commit(seal).await.unwrap();
    assert!(b.bytes("file").await == bytes);
}

pub(super) async fn writes_at_once_do_not_disturb(b: &Bench) {
    let bytes = content(1_200_000, 3);
    let upload = b.store.begin(b.plan("parallel")).await.unwrap();
    let parts = bytes.chunks(100_000).enumerate().map(|(n, part)| {
        let upload = &upload;
        async move { write(&**upload, n as u64 * 100_000, part).await }
    });
    assert!(
        join_all(parts)
            .await
            .into_iter()
            .all(|kept| kept.unwrap() == 100_000)
    );
    upload
        .commit(Seal {
            length: None,
            digest: Some(Digest::of(&bytes)),
        })
        .await
        .unwrap();

    // A slow writer of a lower range outlasts a fast one right above it.
    let bytes = content(4000, 4);
    let upload = b.store.begin(b.plan("slow and fast")).await.unwrap();
    let (feed, pieces) = by_hand();
    let slow = upload.write(0, pieces, Check::None);
    let fast = async {
        feed.send(Ok(Bytes::copy_from_slice(&bytes[..1000])))
            .unwrap();
        until_arrived(&*upload, 0..1000).await;
        assert_eq!(write(&*upload, 2000, &bytes[2000..]).await.unwrap(), 2000);
        feed.send(Ok(Bytes::copy_from_slice(&bytes[1000..2000])))
            .unwrap();
        drop(feed);
    };
    let (slow, ()) = tokio::join!(slow, fast);
    assert_eq!(slow.unwrap(), 2000);
    upload.commit(Seal::default()).await.unwrap();
    assert_eq!(b.bytes("slow and fast").await, bytes);
}

pub(super) async fn a_newer_writer_takes_over(b: &Bench) {
    let right = content(5000, 5);
    let wrong = content(5000, 6);
    for (begun, from) in [(1000, 0), (1000, 500), (3000, 1000)] {
        let path = format!("{begun} {from}");
        let upload = b.store.begin(b.plan(&path)).await.unwrap();
        let (feed, pieces) = by_hand();
        let older = upload.write(0, pieces, Check::None);
        let newer = async {
            feed.send(Ok(Bytes::copy_from_slice(&right[..begun])))
                .unwrap();
            until_arrived(&*upload, 0..begun as u64).await;
            let kept = write(&*upload, from as u64, &right[from..]).await.unwrap();
            assert_eq!(kept, (5000 - from) as u64, "the newer is not locked out");
            // The dead line wakes up; by now nobody may be listening.
            feed.send(Ok(Bytes::copy_from_slice(&wrong[..1000]))).ok();
            drop(feed);
        };
        let (older, ()) = tokio::join!(older, newer);
        refused!(older, ErrorKind::UploadLost);
        upload
            .commit(Seal {
                length: Some(5000),
                digest: None,
            })
            .await
            .unwrap();
        assert!(
            b.bytes(&path).await == right,
            "{path}: what the newer wrote stands"
        );
    }
}

pub(super) async fn a_late_writer_cannot_change_what_is_published(b: &Bench) {
    let bytes = content(1000, 7);
    let upload = b.store.begin(b.plan("file")).await.unwrap();
    let (feed, pieces) = by_hand();
    feed.send(Ok(Bytes::copy_from_slice(&bytes))).unwrap();
    let late = upload.write(0, pieces, Check::None);
    let commit = async {
        until_arrived(&*upload, 0..1000).await;
        let committed = upload.commit(Seal {
            length: Some(1000),
            digest: None,
        });
        // A store may wait for the writer, so the writer goes on meanwhile.
        let feeding = async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            feed.send(Ok(Bytes::from_static(b"more"))).ok();
            drop(feed);
        };
        tokio::join!(committed, feeding).0
    };
    let (late, committed) = tokio::join!(late, commit);
    match committed {
        Ok(entry) => {
            assert_eq!(entry.size, 1000);
            refused!(late, ErrorKind::UploadLost);
            assert_eq!(b.bytes("file").await, bytes);
            assert_eq!(b.stat("file").await.version, entry.version);
        }
        Err(error) => {
            let kind = error.kind();
            assert!(
                matches!(kind, ErrorKind::LengthMismatch | ErrorKind::Incomplete),
                "{kind:?}"
            );
            b.is_gone("file").await;
        }
    }
}
