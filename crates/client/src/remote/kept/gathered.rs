//! Chunks on their way to a server, each whole before it begins to travel.

use bytes::Bytes;
use futures_core::stream::BoxStream;
use futures_util::StreamExt;
use gaveta_core::{CHUNK, Error, ErrorKind, Piece, Pieces, Result, chunk};

pub(super) type Chunks = BoxStream<'static, Result<Vec<Bytes>>>;

/// Whole chunks as their bytes and digest, each gathered before it goes: what is cut within a
/// chunk never begins to travel, so that a body can always end well.
pub(super) fn gathered(pieces: Pieces, offset: u64, length: u64) -> Chunks {
    let state = Some((pieces, offset));
    Box::pin(futures_util::stream::unfold(
        state,
        move |state| async move {
            let (mut pieces, at) = state?;
            match gather(&mut pieces, at, length).await {
                Ok(None) => None,
                Ok(Some((chunk, end))) => Some((Ok(chunk), Some((pieces, end)))),
                Err(error) => Some((Err(error), None)),
            }
        },
    ))
}

async fn gather(pieces: &mut Pieces, at: u64, length: u64) -> Result<Option<(Vec<Bytes>, u64)>> {
    let chunk = chunk::span(at / CHUNK, length);
    let (mut parts, mut filled) = (Vec::new(), at);
    while let Some(piece) = pieces.next().await {
        match piece? {
            Piece::Bytes(bytes) if chunk.is_empty() && !bytes.is_empty() => {
                return Err(ErrorKind::LengthMismatch.into());
            }
            Piece::Bytes(bytes) => {
                filled = filled.saturating_add(bytes.len() as u64);
                if filled > chunk.end {
                    return Err(Error::bad_request("a piece crosses the end of a chunk"));
                }
                parts.push(bytes);
            }
            Piece::Close(digest) => {
                if filled != chunk.end || chunk.is_empty() {
                    return Err(Error::bad_request("a chunk is closed before its end"));
                }
                parts.push(Bytes::copy_from_slice(digest.as_bytes()));
                return Ok(Some((parts, chunk.end)));
            }
        }
    }
    if filled == at {
        Ok(None)
    } else {
        Err(Error::bad_request("a chunk is not closed"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::TryStreamExt;
    use gaveta_core::ChunkDigest;

    fn bytes(length: usize) -> Piece {
        Piece::Bytes(Bytes::from(vec![7; length]))
    }

    fn close() -> Piece {
        Piece::Close(ChunkDigest::from_bytes([1; 32]))
    }

    async fn run(
        pieces: Vec<Result<Piece>>,
        offset: u64,
        length: u64,
    ) -> (Vec<usize>, Option<ErrorKind>) {
        let pieces: Pieces = Box::pin(futures_util::stream::iter(pieces));
        let mut chunks = gathered(pieces, offset, length);
        let mut sizes = Vec::new();
        loop {
            match chunks.try_next().await {
                Ok(Some(parts)) => sizes.push(parts.iter().map(Bytes::len).sum()),
                Ok(None) => return (sizes, None),
                Err(error) => return (sizes, Some(error.kind())),
            }
        }
    }

    #[tokio::test]
    async fn only_whole_chunks_begin_to_travel() {
        let chunk = CHUNK as usize;
        let whole = vec![Ok(bytes(chunk)), Ok(close()), Ok(bytes(5)), Ok(close())];
        assert_eq!(run(whole, 0, CHUNK + 5).await, (vec![chunk + 32, 37], None));
        let cut = vec![
            Ok(bytes(chunk)),
            Ok(close()),
            Ok(bytes(3)),
            Err(ErrorKind::Disconnected.into()),
        ];
        let expected = (vec![chunk + 32], Some(ErrorKind::Disconnected));
        assert_eq!(run(cut, 0, CHUNK + 5).await, expected);
        for (pieces, kind) in [
            (vec![Ok(bytes(4)), Ok(close())], ErrorKind::BadRequest),
            (vec![Ok(bytes(6)), Ok(close())], ErrorKind::BadRequest),
            (vec![Ok(bytes(5))], ErrorKind::BadRequest),
            (vec![Ok(close())], ErrorKind::BadRequest),
        ] {
            assert_eq!(run(pieces, CHUNK, CHUNK + 5).await, (vec![], Some(kind)));
        }
        let past = run(vec![Ok(bytes(1))], 2 * CHUNK, CHUNK + 5).await;
        assert_eq!(past, (vec![], Some(ErrorKind::LengthMismatch)));
    }
}
