//! Contents to send, and a source of chance that a seed repeats.

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use gaveta_core::{Content, Result};

/// Chance that a seed repeats (SplitMix64). Not for secrets.
#[derive(Debug, Clone)]
pub struct Rng(u64);

impl Rng {
    /// The same seed gives the same numbers.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number less than `bound`; 0 when the bound is 0.
    pub fn below(&mut self, bound: usize) -> usize {
        let bound = bound as u64;
        self.bits().checked_rem(bound).unwrap_or(0) as usize
    }

    /// True once in so many times.
    pub fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    /// One of these.
    ///
    /// # Panics
    /// When there is none.
    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    /// Puts these into another order.
    pub fn shuffle<T>(&mut self, all: &mut [T]) {
        for last in (1..all.len()).rev() {
            all.swap(last, self.below(last + 1));
        }
    }
}

/// So many bytes that look random and do not compress; the same for the same seed.
pub fn content(length: usize, seed: u64) -> Vec<u8> {
    let mut rng = Rng::new(seed ^ 0x6a09_e667_f3bc_c908);
    let mut all = Vec::with_capacity(length + 8);
    while all.len() < length {
        all.extend_from_slice(&rng.bits().to_le_bytes());
    }
    all.truncate(length);
    all
}

/// These bytes as a stream, in pieces of so many bytes.
pub fn stream_of(bytes: impl Into<Bytes>, piece: usize) -> Content {
    let piece = piece.max(1);
    stream::unfold(bytes.into(), move |mut rest| async move {
        if rest.is_empty() {
            return None;
        }
        let next = rest.split_to(piece.min(rest.len()));
        Some((Ok(next), rest))
    })
    .boxed()
}

/// All bytes of a stream.
///
/// # Errors
/// Whatever the stream ends with.
pub async fn collect(mut content: Content) -> Result<Vec<u8>> {
    let mut all = Vec::new();
    while let Some(piece) = content.next().await {
        all.extend_from_slice(&piece?);
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_stream_has_all_bytes_in_pieces() {
        for (length, piece) in [(0, 1), (1, 1), (1009, 7), (1009, 4096)] {
            let bytes = content(length, 1);
            let pieces: Vec<_> = stream_of(bytes.clone(), piece).collect().await;
            assert_eq!(pieces.len(), length.div_ceil(piece));
            assert_eq!(
                collect(stream_of(bytes.clone(), piece)).await.unwrap(),
                bytes
            );
        }
    }

    #[test]
    fn a_seed_repeats_and_another_differs() {
        assert_eq!(content(1009, 5), content(1009, 5));
        assert_ne!(content(1009, 5), content(1009, 6));
        let mut all: Vec<u32> = (0..100).collect();
        Rng::new(3).shuffle(&mut all);
        assert_ne!(all, (0..100).collect::<Vec<_>>());
        all.sort_unstable();
        assert_eq!(all, (0..100).collect::<Vec<_>>());
    }
}
