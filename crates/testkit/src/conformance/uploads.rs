//! Sections: content under way, taken up again, written in any order.

use std::time::Duration;

use bytes::Bytes;
use futures_util::TryStreamExt;
use gaveta_core::upload::MAX_PIECES;
use gaveta_core::{
    Check, Digest, ErrorKind, Result, Seal, Upload, UploadId, UploadState, WritePlan,
};

use super::Ability;
use super::bench::{Bench, by_hand, cut_after, eventually, p, refused};
use crate::content::{content, stream_of};

pub(super) async fn write(upload: &dyn Upload, offset: u64, bytes: &[u8]) -> Result<u64> {
    upload
        .write(offset, stream_of(bytes.to_vec(), 1000), Check::None)
        .await
}

/// What the store tells of uploads under way; nothing where it does not tell.
async fn all(b: &Bench) -> Vec<UploadState> {
    if !b.has(Ability::ListsUploads) {
        return Vec::new();
    }
    b.store
        .uploads()
        .await
        .unwrap()
        .try_collect()
        .await
        .unwrap()
}

/// Lets a write that goes on beside take what it was fed. A store may gather small pieces before
/// they count as arrived, so this waits a while and no more.
pub(super) async fn until_arrived(upload: &dyn Upload, range: std::ops::Range<u64>) {
    for _ in 0..50 {
        if upload.state().await.unwrap().arrived.covers(&range) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(4)).await;
    }
}

pub(super) async fn kept_uploads_are_found_again(b: &Bench) {
    assert!(all(b).await.is_empty());
    let bytes = content(10_000, 1);
    let plan = WritePlan {
        length: Some(10_000),
        ..b.kept("new/file")
    };
    let upload = b.store.begin(plan).await.unwrap();
    let id = upload.state().await.unwrap().id;
    let cut = upload.write(
        0,
        cut_after(&bytes[..4000], ErrorKind::Disconnected),
        Check::None,
    );
    refused!(cut.await, ErrorKind::Disconnected);
    upload.sync().await.unwrap();
    drop(upload);
    b.assert_empty().await;

    let upload = b.store.upload(&id, Some(&p("new/file"))).await.unwrap();
    let state = upload.state().await.unwrap();
    assert_eq!(
        (&state.id, &state.target, state.length),
        (&id, &Some(p("new/file")), Some(10_000))
    );
    assert_eq!(state.owner, b.owner());
    assert_eq!(
        state.arrived.prefix(),
        4000,
        "what came before the cut is kept"
    );
    if b.can(Ability::ListsUploads, "they are listed") {
        let listed = all(b).await;
        assert_eq!(listed.len(), 1);
        let told = (&listed[0].id, &listed[0].target, &listed[0].arrived);
        assert_eq!(told, (&id, &Some(p("new/file")), &state.arrived));
        let bare = b.store.upload(&id, None).await.unwrap();
        assert_eq!(bare.state().await.unwrap().arrived, state.arrived);
    }
    refused!(upload.commit(Seal::default()).await, ErrorKind::Incomplete);
    drop(upload);

    // The writing itself is dropped: a line that dies without a word.
    let upload = b.store.upload(&id, Some(&p("new/file"))).await.unwrap();
    let (feed, pieces) = by_hand();
    feed.send(Ok(Bytes::copy_from_slice(&bytes[4000..6000])))
        .unwrap();
    {
        let writing = upload.write(4000, pieces, Check::None);
        let seen = until_arrived(&*upload, 0..6000);
        tokio::select! {
            result = writing => panic!("the content has not ended: {result:?}"),
            () = seen => {}
        }
    }
    drop((feed, upload));
    let upload = b.store.upload(&id, Some(&p("new/file"))).await.unwrap();
    let offset = upload.state().await.unwrap().arrived.prefix();
    assert!(
        (4000..=6000).contains(&offset),
        "dropping keeps what was written so far"
    );
    let rest = &bytes[offset as usize..];
    assert_eq!(
        write(&*upload, offset, rest).await.unwrap(),
        rest.len() as u64
    );
    let seal = Seal {
        length: Some(10_000),
        digest: Some(Digest::of(&bytes)),
    };
    assert_eq!(upload.commit(seal).await.unwrap().size, 10_000);
    assert_eq!(b.bytes("new/file").await, bytes);
    drop(upload);
    assert!(
        all(b).await.is_empty(),
        "a committed upload is no longer under way"
    );
}

pub(super) async fn ended_uploads_are_unknown(b: &Bench) {
    let never = UploadId::from_bytes([7; 16]);
    refused!(
        b.store.upload(&never, Some(&p("never"))).await,
        ErrorKind::UnknownUpload
    );

    let committed = b.store.begin(b.kept("committed")).await.unwrap();
    let first = committed.state().await.unwrap().id;
    committed.commit(Seal::default()).await.unwrap();
    refused!(
        b.store.upload(&first, Some(&p("committed"))).await,
        ErrorKind::UnknownUpload
    );

    let discarded = b.store.begin(b.kept("discarded")).await.unwrap();
    let second = discarded.state().await.unwrap().id;
    assert_ne!(first, second);
    write(&*discarded, 0, b"x").await.unwrap();
    discarded.discard().await.unwrap();
    refused!(
        b.store.upload(&second, Some(&p("discarded"))).await,
        ErrorKind::UnknownUpload
    );
    drop(discarded);
    refused!(
        b.store.upload(&second, Some(&p("discarded"))).await,
        ErrorKind::UnknownUpload
    );

    let plain = b.store.begin(b.plan("plain")).await.unwrap();
    let third = plain.state().await.unwrap().id;
    drop(plain);
    let gone = async || b.store.upload(&third, Some(&p("plain"))).await.is_err();
    eventually("a dropped upload is gone", gone).await;
    refused!(
        b.store.upload(&third, Some(&p("plain"))).await,
        ErrorKind::UnknownUpload
    );

    // Two uploads to one name are two; each handle of one is the same.
    let one = b.store.begin(b.kept("same")).await.unwrap();
    let other = b.store.begin(b.kept("same")).await.unwrap();
    let id = one.state().await.unwrap().id;
    assert_ne!(id, other.state().await.unwrap().id);
    let again = b.store.upload(&id, Some(&p("same"))).await.unwrap();
    write(&*one, 0, b"123").await.unwrap();
    write(&*again, 3, b"456").await.unwrap();
    drop(one);
    assert_eq!(again.state().await.unwrap().arrived.prefix(), 6);
    again.commit(Seal::default()).await.unwrap();
    assert_eq!(b.bytes("same").await, b"123456");
    refused!(other.commit(Seal::default()).await, ErrorKind::Exists);
    other.discard().await.unwrap();
    assert!(all(b).await.is_empty());
}

pub(super) async fn gaps_are_incomplete(b: &Bench) {
    let bytes = content(9000, 8);
    for declared in [None, Some(9000)] {
        let path = format!("{declared:?}");
        let plan = WritePlan {
            length: declared,
            ..b.plan(&path)
        };
        let upload = b.store.begin(plan).await.unwrap();
        write(&*upload, 6000, &bytes[6000..]).await.unwrap();
        refused!(upload.commit(Seal::default()).await, ErrorKind::Incomplete);
        write(&*upload, 0, &bytes[..3000]).await.unwrap();
        refused!(upload.commit(Seal::default()).await, ErrorKind::Incomplete);
        write(&*upload, 3000, &bytes[3000..5999]).await.unwrap();
        refused!(upload.commit(Seal::default()).await, ErrorKind::Incomplete);
        b.is_gone(&path).await;
        write(&*upload, 5999, &bytes[5999..6000]).await.unwrap();
        upload.commit(Seal::default()).await.unwrap();
        assert_eq!(b.bytes(&path).await, bytes);
    }
}

pub(super) async fn an_ended_upload_takes_nothing(b: &Bench) {
    let upload = b.store.begin(b.plan("file")).await.unwrap();
    write(&*upload, 0, b"whole").await.unwrap();
    let twice = tokio::join!(
        upload.commit(Seal::default()),
        upload.commit(Seal::default())
    );
    let (won, lost) = match twice {
        (Ok(entry), Err(error)) | (Err(error), Ok(entry)) => (entry, error),
        other => panic!("of two commits one wins: {other:?}"),
    };
    assert_eq!((won.size, lost.kind()), (5, ErrorKind::UploadLost));
    refused!(upload.commit(Seal::default()).await, ErrorKind::UploadLost);
    refused!(write(&*upload, 0, b"other").await, ErrorKind::UploadLost);
    upload.discard().await.unwrap();
    drop(upload);
    assert_eq!(
        b.bytes("file").await,
        b"whole",
        "discarding afterwards takes nothing away"
    );

    let upload = b.store.begin(b.plan("never")).await.unwrap();
    if b.has(Ability::RandomWrites) {
        write(&*upload, 0, b"whole").await.unwrap();
    }
    upload.discard().await.unwrap();
    upload.discard().await.unwrap();
    refused!(write(&*upload, 0, b"other").await, ErrorKind::UploadLost);
    refused!(upload.commit(Seal::default()).await, ErrorKind::UploadLost);
    b.is_gone("never").await;
}

pub(super) async fn pieces_are_bounded(b: &Bench) {
    let upload = b.store.begin(b.plan("file")).await.unwrap();
    for n in 0..MAX_PIECES as u64 {
        assert_eq!(write(&*upload, n * 2, b"x").await.unwrap(), 1);
    }
    refused!(
        write(&*upload, MAX_PIECES as u64 * 2, b"x").await,
        ErrorKind::BadRequest
    );
    let state = upload.state().await.unwrap();
    assert_eq!(
        state.arrived.pieces(),
        MAX_PIECES,
        "what was refused is not kept"
    );
    // What joins pieces, or falls into one, is still taken.
    write(&*upload, 1, b"y").await.unwrap();
    write(&*upload, 0, b"z").await.unwrap();
    assert_eq!(
        upload.state().await.unwrap().arrived.pieces(),
        MAX_PIECES - 1
    );
    upload.discard().await.unwrap();
}

pub(super) async fn far_offsets(b: &Bench) {
    let upload = b.store.begin(b.plan("file")).await.unwrap();
    write(&*upload, 0, b"near").await.unwrap();
    for offset in [u64::MAX, u64::MAX - 1, u64::MAX - 3] {
        refused!(
            write(&*upload, offset, b"far away").await,
            ErrorKind::BadRange
        );
    }
    // These a store may hold, with a hole, or refuse.
    for offset in [
        1 << 40,
        i64::MAX as u64 - 4,
        i64::MAX as u64,
        u64::MAX - 100,
    ] {
        if let Err(error) = write(&*upload, offset, b"far away").await {
            let kind = error.kind();
            let fits = matches!(
                kind,
                ErrorKind::BadRange | ErrorKind::NoSpace | ErrorKind::TooLarge
            );
            assert!(fits, "at {offset}: {kind:?}");
        }
    }
    let arrived = upload.state().await.unwrap().arrived;
    assert_eq!(arrived.prefix(), 4, "what was near stays");
    if arrived.pieces() > 1 {
        refused!(upload.commit(Seal::default()).await, ErrorKind::Incomplete);
    }
    upload.discard().await.unwrap();
    b.assert_empty().await;

    let plan = WritePlan {
        length: Some(10),
        ..b.plan("declared")
    };
    let upload = b.store.begin(plan).await.unwrap();
    for offset in [6, 10, 11, 1 << 40] {
        refused!(
            write(&*upload, offset, b"12345").await,
            ErrorKind::LengthMismatch
        );
    }
    write(&*upload, 0, b"1234567890").await.unwrap();
    upload.commit(Seal::default()).await.unwrap();
    assert_eq!(b.bytes("declared").await, b"1234567890");
}

pub(super) async fn length_can_be_declared_later(b: &Bench) {
    let upload = b.store.begin(b.plan("file")).await.unwrap();
    write(&*upload, 0, b"12345").await.unwrap();
    refused!(upload.set_length(4).await, ErrorKind::LengthMismatch);
    upload.set_length(8).await.unwrap();
    upload.set_length(8).await.unwrap();
    refused!(upload.set_length(9).await, ErrorKind::LengthMismatch);
    refused!(upload.set_length(7).await, ErrorKind::LengthMismatch);
    assert_eq!(upload.state().await.unwrap().length, Some(8));
    refused!(upload.commit(Seal::default()).await, ErrorKind::Incomplete);
    refused!(write(&*upload, 5, b"6789").await, ErrorKind::LengthMismatch);
    write(&*upload, 5, b"678").await.unwrap();
    refused!(write(&*upload, 8, b"9").await, ErrorKind::LengthMismatch);
    assert_eq!(upload.commit(Seal::default()).await.unwrap().size, 8);
    assert_eq!(b.bytes("file").await, b"12345678");

    let plan = WritePlan {
        length: Some(3),
        ..b.plan("declared")
    };
    let upload = b.store.begin(plan).await.unwrap();
    refused!(upload.set_length(4).await, ErrorKind::LengthMismatch);
    upload.set_length(3).await.unwrap();
}

pub(super) async fn a_wrong_piece_keeps_nothing(b: &Bench) {
    let bytes = content(5000, 9);
    let right = Check::Digest(Digest::of(&bytes));
    let upload = b.store.begin(b.plan("once")).await.unwrap();
    assert_eq!(
        upload
            .write(0, stream_of(bytes.clone(), 700), right)
            .await
            .unwrap(),
        5000
    );
    upload.commit(Seal::default()).await.unwrap();
    assert_eq!(b.bytes("once").await, bytes);

    let wrong = Check::Digest(Digest::of(b"something else"));
    let plan = WritePlan {
        length: Some(5000),
        ..b.plan("wrong")
    };
    let upload = b.store.begin(plan).await.unwrap();
    let result = upload.write(0, stream_of(bytes.clone(), 700), wrong).await;
    refused!(result, ErrorKind::DigestMismatch);
    assert!(upload.commit(Seal::default()).await.is_err());
    b.is_gone("wrong").await;
    if !b.can(Ability::RandomWrites, "writing again") {
        return;
    }
    assert_eq!(
        upload.state().await.unwrap().arrived.total(),
        0,
        "none of it counts"
    );
    let cut = upload
        .write(0, cut_after(&bytes[..3000], ErrorKind::TimedOut), right)
        .await;
    refused!(cut, ErrorKind::TimedOut);
    assert_eq!(
        upload.state().await.unwrap().arrived.total(),
        0,
        "all or nothing"
    );
    upload
        .write(0, stream_of(bytes.clone(), 700), right)
        .await
        .unwrap();
    // A wrong piece over right ones: they are kept, or counted as missing; never mixed in.
    let bad = upload
        .write(1000, stream_of(content(2000, 10), 300), wrong)
        .await;
    refused!(bad, ErrorKind::DigestMismatch);
    match upload.commit(Seal::default()).await {
        Ok(_) => assert_eq!(b.bytes("wrong").await, bytes),
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Incomplete);
            write(&*upload, 1000, &bytes[1000..3000]).await.unwrap();
            upload.commit(Seal::default()).await.unwrap();
            assert_eq!(b.bytes("wrong").await, bytes);
        }
    }
}

pub(super) async fn written_bytes_can_be_read(b: &Bench) {
    let bytes = content(20_000, 11);
    let upload = b.store.begin(b.plan("file")).await.unwrap();
    refused!(upload.read(0..1).await, ErrorKind::Incomplete);
    write(&*upload, 4096, &bytes[4096..10_000]).await.unwrap();
    for range in [4096..4097, 5000..9000, 9999..10_000, 4096..10_000] {
        let expected = &bytes[range.start as usize..range.end as usize];
        assert_eq!(upload.read(range).await.unwrap(), expected);
    }
    for range in [4095..4097, 9999..10_001, 0..20_000] {
        refused!(upload.read(range).await, ErrorKind::Incomplete);
    }
    let huge = (16 << 20) + 1;
    refused!(upload.read(0..huge).await, ErrorKind::BadRequest);
    write(&*upload, 4200, b"rewritten").await.unwrap();
    assert_eq!(upload.read(4200..4209).await.unwrap(), &b"rewritten"[..]);
    upload.discard().await.unwrap();
}
