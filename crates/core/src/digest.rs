//! The digest of a content: BLAKE3, 256 bits, as `b3sum` prints it.
//!
//! Source: the BLAKE3 specification, <https://github.com/BLAKE3-team/BLAKE3-specs>.

use std::fmt;

use crate::error::{Error, ErrorKind};

/// A BLAKE3 digest of a whole content.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }

    /// A digest from its 32 bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Reads 64 hexadecimal digits, in either case.
    ///
    /// # Errors
    /// [`ErrorKind::BadRequest`].
    pub fn parse_hex(text: &str) -> Result<Self, Error> {
        blake3::Hash::from_hex(text)
            .map(|hash| Self(*hash.as_bytes()))
            .map_err(|error| Error::new(ErrorKind::BadRequest).because(error))
    }
}

/// 64 lower-case hexadecimal digits.
impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&blake3::Hash::from_bytes(self.0).to_hex())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A digest in the making. Feed it 16 KiB and more at a time: it is several times faster so.
#[derive(Clone, Default)]
pub struct Hasher(blake3::Hasher);

impl Hasher {
    /// Nothing hashed yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest of all bytes so far.
    pub fn digest(&self) -> Digest {
        Digest(*self.0.finalize().as_bytes())
    }

    /// How many bytes so far.
    pub fn count(&self) -> u64 {
        self.0.count()
    }
}

impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hasher")
            .field("count", &self.0.count())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equals_the_published_test_vectors() {
        // From the official test vectors: inputs of the repeating bytes 0..=250.
        let input: Vec<u8> = (0..=250u8).cycle().take(1025).collect();
        assert_eq!(
            Digest::of(&[]).to_string(),
            "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"
        );
        assert_eq!(
            Digest::of(&input).to_string(),
            "d00278ae47eb27b34faecf67b4fe263f82d5412916c1ffd97c8cb7fb814b8444"
        );
    }

    #[test]
    fn hex_leads_back_and_nonsense_is_refused() {
        let digest = Digest::of(b"gaveta");
        assert_eq!(Digest::parse_hex(&digest.to_string()).unwrap(), digest);
        for bad in ["", "00", "zz", &"g".repeat(64), &"0".repeat(65)] {
            assert_eq!(
                Digest::parse_hex(bad).unwrap_err().kind(),
                ErrorKind::BadRequest
            );
        }
    }

    #[test]
    fn pieces_hash_as_the_whole() {
        let mut hasher = Hasher::new();
        hasher.update(b"ga");
        hasher.update(b"veta");
        assert_eq!(hasher.digest(), Digest::of(b"gaveta"));
        assert_eq!(hasher.count(), 6);
    }
}
