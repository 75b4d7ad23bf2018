//! Sections: whole chunks, each with its digest.

use bytes::Bytes;
use futures_util::future::join_all;
use futures_util::{StreamExt, stream};
use gaveta_core::{
    CHUNK, Check, ChunkDigest, Digest, Error, ErrorKind, Piece, Pieces, Ranges, Result, Seal,
    Upload, WritePlan, chunk,
};
use tokio::sync::mpsc;

use super::bench::{Bench, refused};
use super::uploads::{until_arrived, write};
use crate::content::{Rng, content, stream_of};

/// Lengths around the ends of chunks.
pub(super) const LENGTHS: [u64; 8] = [
    0,
    1,
    CHUNK - 1,
    CHUNK,
    CHUNK + 1,
    2 * CHUNK,
    3 * CHUNK - 1,
    3 * CHUNK + 17,
];

/// The range of a whole content, cut into chunks.
pub(super) fn pieces_of(whole: &[u8], range: std::ops::Range<u64>) -> Pieces {
    let bytes = whole[range.start as usize..range.end as usize].to_vec();
    chunk::pieces(stream_of(bytes, 70_001), range, whole.len() as u64)
}

/// A plan with this length.
pub(super) fn sized(plan: WritePlan, length: usize) -> WritePlan {
    WritePlan {
        length: Some(length as u64),
        ..plan
    }
}

/// What must match for these bytes.
pub(super) fn seal_of(bytes: &[u8]) -> Seal {
    Seal {
        length: Some(bytes.len() as u64),
        digest: Some(Digest::of(bytes)),
    }
}

/// Gives the chunk of this number (counted from the first piece) another digest.
fn spoilt(pieces: Pieces, which: usize) -> Pieces {
    let mut seen = 0;
    let other = move |piece: Result<Piece>| match piece {
        Ok(Piece::Close(digest)) => {
            seen += 1;
            let bytes = *digest.as_bytes();
            let wrong = bytes.map(|byte| byte ^ u8::from(seen == which + 1));
            Ok(Piece::Close(ChunkDigest::from_bytes(wrong)))
        }
        other => other,
    };
    pieces.map(other).boxed()
}

fn given(pieces: Vec<Result<Piece>>) -> Pieces {
    stream::iter(pieces).boxed()
}

/// Pieces that are fed by hand. Dropping the sender ends them.
fn by_hand() -> (mpsc::UnboundedSender<Result<Piece>>, Pieces) {
    let (feed, pieces) = mpsc::unbounded_channel();
    let stream = stream::unfold(pieces, |mut pieces| async move {
        pieces.recv().await.map(|piece| (piece, pieces))
    });
    (feed, stream.boxed())
}

async fn arrived(upload: &dyn Upload) -> Ranges {
    upload.state().await.unwrap().arrived
}

/// One range, and nothing else.
fn only(range: std::ops::Range<u64>) -> Ranges {
    std::iter::once(range).collect()
}

pub(super) async fn whole_contents_in_chunks(b: &Bench) {
    for (seed, length) in LENGTHS.into_iter().enumerate() {
        let bytes = content(length as usize, seed as u64);
        let path = format!("{length}");
        let plan = sized(b.plan(&path), bytes.len());
        let upload = b.store.begin(plan).await.unwrap();
        let kept = upload.write_chunks(0, pieces_of(&bytes, 0..length)).await;
        assert_eq!(kept.unwrap(), length, "it says how much it kept");
        assert_eq!(arrived(&*upload).await.total(), length);
        let entry = upload.commit(seal_of(&bytes)).await.unwrap();
        assert_eq!(entry.size, length);
        assert!(b.bytes(&path).await == bytes, "{length} bytes");
        b.outline_is_true(&path, &bytes).await;
    }
}

pub(super) async fn chunks_in_any_order(b: &Bench) {
    let bytes = content(5 * CHUNK as usize + 333, 2);
    let length = bytes.len() as u64;
    let upload = b
        .store
        .begin(sized(b.plan("one by one"), bytes.len()))
        .await;
    let upload = upload.unwrap();
    let mut order: Vec<u64> = (0..chunk::count(length)).collect();
    Rng::new(7).shuffle(&mut order);
    let mut expected = Ranges::new();
    for index in order {
        let span = chunk::span(index, length);
        let pieces = pieces_of(&bytes, span.clone());
        let kept = upload.write_chunks(span.start, pieces).await.unwrap();
        assert_eq!(kept, span.end - span.start);
        expected.insert(span);
        assert_eq!(arrived(&*upload).await, expected);
    }
    upload.commit(seal_of(&bytes)).await.unwrap();
    assert!(b.bytes("one by one").await == bytes);

    let upload = b.store.begin(sized(b.plan("at once"), bytes.len())).await;
    let upload = upload.unwrap();
    let runs = [0..2 * CHUNK, 2 * CHUNK..3 * CHUNK, 3 * CHUNK..length];
    let all = runs.map(|run| {
        let (upload, pieces) = (&upload, pieces_of(&bytes, run.clone()));
        async move { (upload.write_chunks(run.start, pieces).await, run) }
    });
    for (kept, run) in join_all(all).await {
        assert_eq!(kept.unwrap(), run.end - run.start);
    }
    upload.commit(seal_of(&bytes)).await.unwrap();
    assert!(b.bytes("at once").await == bytes);
    b.outline_is_true("at once", &bytes).await;
}

pub(super) async fn a_wrong_chunk_is_not_kept(b: &Bench) {
    let bytes = content(3 * CHUNK as usize + 99, 3);
    let length = bytes.len() as u64;
    let upload = b.store.begin(sized(b.plan("file"), bytes.len())).await;
    let upload = upload.unwrap();
    let wrong = spoilt(pieces_of(&bytes, 0..length), 1);
    refused!(
        upload.write_chunks(0, wrong).await,
        ErrorKind::DigestMismatch
    );
    let first = 0..CHUNK;
    assert_eq!(
        arrived(&*upload).await,
        only(first.clone()),
        "what came before it is kept"
    );
    let last = 3 * CHUNK..length;
    let wrong = spoilt(pieces_of(&bytes, last.clone()), 0);
    refused!(
        upload.write_chunks(last.start, wrong).await,
        ErrorKind::DigestMismatch
    );
    assert_eq!(arrived(&*upload).await, only(first));
    refused!(upload.commit(Seal::default()).await, ErrorKind::Incomplete);
    b.is_gone("file").await;
    let rest = pieces_of(&bytes, CHUNK..length);
    assert_eq!(
        upload.write_chunks(CHUNK, rest).await.unwrap(),
        length - CHUNK
    );
    // A wrong chunk over a right one: it is kept, or counted as missing; never mixed in.
    let other = content(bytes.len(), 4);
    let wrong = spoilt(pieces_of(&other, 0..CHUNK), 0);
    refused!(
        upload.write_chunks(0, wrong).await,
        ErrorKind::DigestMismatch
    );
    if !arrived(&*upload).await.covers(&(0..CHUNK)) {
        let again = pieces_of(&bytes, 0..CHUNK);
        upload.write_chunks(0, again).await.unwrap();
    }
    upload.commit(seal_of(&bytes)).await.unwrap();
    assert!(b.bytes("file").await == bytes);

    // The only chunk of a content is the root of its tree, and no other digest will do.
    let small = content(5000, 5);
    let upload = b.store.begin(sized(b.plan("small"), 5000)).await.unwrap();
    let of_longer = chunk::digest(0, &small, CHUNK + 1);
    let pieces = vec![
        Ok(Piece::Bytes(small.clone().into())),
        Ok(Piece::Close(of_longer)),
    ];
    refused!(
        upload.write_chunks(0, given(pieces)).await,
        ErrorKind::DigestMismatch
    );
    assert_eq!(arrived(&*upload).await.total(), 0);
    upload.discard().await.unwrap();
}

pub(super) async fn a_cut_chunk_is_not_kept(b: &Bench) {
    let bytes = content(3 * CHUNK as usize, 6);
    let upload = b.store.begin(sized(b.plan("file"), bytes.len())).await;
    let upload = upload.unwrap();
    let mut left = 20;
    let first = pieces_of(&bytes, 0..3 * CHUNK).take_while(move |_| {
        left -= 1;
        std::future::ready(left > 0)
    });
    let cut = stream::once(async { Err(Error::new(ErrorKind::Disconnected)) });
    refused!(
        upload.write_chunks(0, first.chain(cut).boxed()).await,
        ErrorKind::Disconnected
    );
    let one = only(0..CHUNK);
    assert_eq!(arrived(&*upload).await, one, "only whole chunks are kept");

    // A line that dies without a word.
    let (feed, pieces) = by_hand();
    let half = Bytes::copy_from_slice(&bytes[CHUNK as usize..CHUNK as usize + 5000]);
    feed.send(Ok(Piece::Bytes(half))).unwrap();
    {
        let writing = upload.write_chunks(CHUNK, pieces);
        let moment = tokio::time::sleep(std::time::Duration::from_millis(30));
        tokio::select! {
            result = writing => panic!("the pieces have not ended: {result:?}"),
            () = moment => {}
        }
    }
    drop(feed);
    assert_eq!(arrived(&*upload).await, one);
    let rest = pieces_of(&bytes, CHUNK..3 * CHUNK);
    upload.write_chunks(CHUNK, rest).await.unwrap();
    upload.commit(seal_of(&bytes)).await.unwrap();
    assert!(b.bytes("file").await == bytes);
}

pub(super) async fn chunks_that_do_not_fit(b: &Bench) {
    use ErrorKind::{BadRange, BadRequest, DigestMismatch, Disconnected, LengthMismatch};
    let bytes = content(2 * CHUNK as usize + 9, 7);
    let length = bytes.len() as u64;
    let bare = b.store.begin(b.plan("bare")).await.unwrap();
    let pieces = pieces_of(&bytes, 0..length);
    refused!(bare.write_chunks(0, pieces).await, BadRequest);
    bare.discard().await.unwrap();

    let upload = b.store.begin(sized(b.plan("file"), bytes.len())).await;
    let upload = upload.unwrap();
    for offset in [1, CHUNK - 1, CHUNK + 1, length - 1] {
        let pieces = pieces_of(&bytes, 0..CHUNK);
        refused!(upload.write_chunks(offset, pieces).await, BadRange);
    }
    let far = u64::MAX / CHUNK * CHUNK;
    for offset in [3 * CHUNK, 1 << 40, far] {
        let pieces = pieces_of(&bytes, 0..CHUNK);
        refused!(
            upload.write_chunks(offset, pieces).await,
            LengthMismatch | BadRange
        );
    }
    // A chunk closed early, one that goes on past its end, and one that never closes. At a far
    // end only the bytes are seen, and they do not match.
    let digest = chunk::digest(0, &bytes[..100], length);
    let bit = |from: usize, to: usize| Ok(Piece::Bytes(Bytes::copy_from_slice(&bytes[from..to])));
    let early = vec![bit(0, 100), Ok(Piece::Close(digest))];
    let across = vec![bit(0, CHUNK as usize + 1), Ok(Piece::Close(digest))];
    let open = vec![bit(0, 5000)];
    for bad in [early, across, open] {
        refused!(
            upload.write_chunks(0, given(bad)).await,
            BadRequest | LengthMismatch | DigestMismatch | Disconnected
        );
        assert_eq!(arrived(&*upload).await.total(), 0, "nothing is kept");
    }
    // More than was declared: the chunks that fit may stay.
    let longer = content(3 * CHUNK as usize, 7);
    refused!(
        upload
            .write_chunks(0, pieces_of(&longer, 0..3 * CHUNK))
            .await,
        BadRequest | LengthMismatch | DigestMismatch
    );
    assert!(arrived(&*upload).await.end() <= 2 * CHUNK);
    b.is_gone("file").await;
    upload
        .write_chunks(0, pieces_of(&bytes, 0..length))
        .await
        .unwrap();
    upload.commit(seal_of(&bytes)).await.unwrap();
    assert!(b.bytes("file").await == bytes);
}

pub(super) async fn a_newer_writer_of_chunks_takes_over(b: &Bench) {
    let bytes = content(4 * CHUNK as usize, 8);
    let upload = b.store.begin(sized(b.plan("file"), bytes.len())).await;
    let upload = upload.unwrap();
    let (feed, pieces) = by_hand();
    let older = upload.write_chunks(0, pieces);
    let newer = async {
        let mut first = pieces_of(&bytes, 0..CHUNK);
        while let Some(piece) = first.next().await {
            feed.send(piece).unwrap();
        }
        until_arrived(&*upload, 0..CHUNK).await;
        // Another range is not disturbed, nor does it disturb.
        let last = pieces_of(&bytes, 3 * CHUNK..4 * CHUNK);
        assert_eq!(upload.write_chunks(3 * CHUNK, last).await.unwrap(), CHUNK);
        assert!(!feed.is_closed(), "the older goes on");
        let again = pieces_of(&bytes, 0..3 * CHUNK);
        let kept = upload.write_chunks(0, again).await.unwrap();
        assert_eq!(kept, 3 * CHUNK, "the newer is not locked out");
        // The dead line wakes up; by now nobody may be listening.
        let wrong = Bytes::from(content(1000, 9));
        feed.send(Ok(Piece::Bytes(wrong))).ok();
        drop(feed);
    };
    let (older, ()) = tokio::join!(older, newer);
    refused!(older, ErrorKind::UploadLost);
    upload.commit(seal_of(&bytes)).await.unwrap();
    assert!(
        b.bytes("file").await == bytes,
        "what the newer wrote stands"
    );
}

pub(super) async fn who_takes_over_ends_older_writes(b: &Bench) {
    let bytes = content(4 * CHUNK as usize, 12);
    let upload = b.store.begin(sized(b.plan("file"), bytes.len())).await;
    let upload = upload.unwrap();
    let (low, low_pieces) = by_hand();
    let (high, high_pieces) = by_hand();
    let writes = async {
        tokio::join!(
            upload.write_chunks(0, low_pieces),
            upload.write_chunks(2 * CHUNK, high_pieces)
        )
    };
    let taking = async {
        for (feed, range) in [(&low, 0..CHUNK), (&high, 2 * CHUNK..3 * CHUNK)] {
            let mut chunk = pieces_of(&bytes, range.clone());
            while let Some(piece) = chunk.next().await {
                feed.send(piece).unwrap();
            }
            until_arrived(&*upload, range).await;
        }
        let state = upload.take_over(2 * CHUNK..4 * CHUNK).await.unwrap();
        assert_eq!(state.arrived.total(), 2 * CHUNK);
        // What the dead line still brings does not count; the other goes on.
        for (feed, range) in [(&high, 3 * CHUNK..4 * CHUNK), (&low, CHUNK..2 * CHUNK)] {
            let mut chunk = pieces_of(&bytes, range);
            while let Some(piece) = chunk.next().await {
                feed.send(piece).ok();
            }
        }
        drop((low, high));
    };
    let ((low, high), ()) = tokio::join!(writes, taking);
    assert_eq!(low.unwrap(), 2 * CHUNK);
    refused!(high, ErrorKind::UploadLost);
    let arrived = upload.state().await.unwrap().arrived;
    assert!(!arrived.touches(&(3 * CHUNK..4 * CHUNK)), "{arrived:?}");
    let rest = pieces_of(&bytes, 3 * CHUNK..4 * CHUNK);
    assert_eq!(upload.write_chunks(3 * CHUNK, rest).await.unwrap(), CHUNK);
    upload.commit(seal_of(&bytes)).await.unwrap();
    assert!(b.bytes("file").await == bytes);
}

pub(super) async fn chunks_and_plain_writes_mix(b: &Bench) {
    let bytes = content(4 * CHUNK as usize + 1234, 10);
    let length = bytes.len() as u64;
    let upload = b.store.begin(sized(b.plan("file"), bytes.len())).await;
    let upload = upload.unwrap();
    // Across the ends of chunks, then whole chunks over them, then bits within.
    let at = CHUNK as usize - 500;
    write(&*upload, at as u64, &content(2000, 11))
        .await
        .unwrap();
    let chunks = pieces_of(&bytes, CHUNK..3 * CHUNK);
    upload.write_chunks(CHUNK, chunks).await.unwrap();
    write(&*upload, 0, &bytes[..CHUNK as usize]).await.unwrap();
    write(&*upload, 2 * CHUNK + 77, b"not what the chunk had")
        .await
        .unwrap();
    let tail = 3 * CHUNK as usize;
    let in_one = stream_of(bytes[tail..].to_vec(), 4096);
    upload
        .write(tail as u64, in_one, Check::None)
        .await
        .unwrap();
    let wrong = upload.commit(seal_of(&bytes)).await;
    refused!(wrong, ErrorKind::DigestMismatch);
    b.is_gone("file").await;
    let from = 2 * CHUNK as usize + 70;
    write(&*upload, from as u64, &bytes[from..from + 100])
        .await
        .unwrap();
    upload.commit(seal_of(&bytes)).await.unwrap();
    assert!(b.bytes("file").await == bytes);
    b.outline_is_true("file", &bytes).await;

    // Without a digest to compare: what is told is that of the bytes that are there.
    let upload = b.store.begin(sized(b.plan("patched"), bytes.len())).await;
    let upload = upload.unwrap();
    let all = pieces_of(&bytes, 0..length);
    upload.write_chunks(0, all).await.unwrap();
    write(&*upload, CHUNK - 3, b"across").await.unwrap();
    upload.commit(Seal::default()).await.unwrap();
    let mut patched = bytes;
    patched[CHUNK as usize - 3..CHUNK as usize + 3].copy_from_slice(b"across");
    assert!(b.bytes("patched").await == patched);
    b.outline_is_true("patched", &patched).await;
}
