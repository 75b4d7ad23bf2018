//! Secrets of 256 random bits, their ids, and the hash that is kept of them.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gaveta_core::{Error, ErrorKind, Result};
use zeroize::{Zeroize, Zeroizing};

/// Bytes of a secret.
const BYTES: usize = 32;
/// Letters of a secret, after its mark.
const LETTERS: usize = 43;
/// What the hash is for (BLAKE3's key derivation): no other hash of ours equals one of these.
const PURPOSE: &str = "gaveta 2026-11 hash of a token or share";

/// What a secret opens. Told by how it begins, so that those who scan for leaked secrets find it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Token,
    Share,
}

impl Kind {
    /// How it begins.
    pub(crate) const fn mark(self) -> &'static str {
        match self {
            Self::Token => "gvt_",
            Self::Share => "gvs_",
        }
    }
}

/// A secret, or what somebody says is one. Does not show itself.
pub(crate) struct Secret {
    text: Zeroizing<String>,
    kind: Kind,
}

impl Secret {
    /// A new one.
    ///
    /// # Errors
    /// `Io` when the system has no random numbers.
    pub(crate) fn make(kind: Kind) -> Result<Self> {
        let mut bytes = [0; BYTES];
        random(&mut bytes)?;
        let text = format!("{}{}", kind.mark(), URL_SAFE_NO_PAD.encode(bytes));
        bytes.zeroize();
        Ok(Self {
            text: Zeroizing::new(text),
            kind,
        })
    }

    /// What may be one: the form is looked at, nothing else.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let kind = [Kind::Token, Kind::Share]
            .into_iter()
            .find(|kind| text.starts_with(kind.mark()))?;
        let letters = text.get(kind.mark().len()..)?;
        let fits = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        (letters.len() == LETTERS && letters.bytes().all(fits)).then(|| Self {
            text: Zeroizing::new(text.to_owned()),
            kind,
        })
    }

    /// What it opens.
    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    /// The text, to be shown once.
    pub(crate) fn reveal(&self) -> &str {
        &self.text
    }

    /// What is kept of it. Nobody finds 256 random bits by trying, so one fast hash is enough; and
    /// as it is looked up by its hash, the time of the look-up tells nothing of the secret.
    pub(crate) fn hash(&self) -> Hash {
        Hash(blake3::derive_key(PURPOSE, self.text.as_bytes()))
    }
}

/// Shows no secret.
impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}***", self.kind.mark())
    }
}

/// The hash of a secret.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Hash([u8; BYTES]);

impl Hash {
    pub(super) fn to_hex(self) -> String {
        blake3::Hash::from_bytes(self.0).to_hex().to_string()
    }

    pub(super) fn from_hex(text: &str) -> Option<Self> {
        blake3::Hash::from_hex(text)
            .ok()
            .map(|hash| Self(*hash.as_bytes()))
    }
}

/// Shows no hash either.
impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// A name for something in lists and logs: says nothing of its secret.
pub(super) fn make_id() -> Result<String> {
    let mut bytes = [0; 6];
    random(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn random(bytes: &mut [u8]) -> Result<()> {
    getrandom::fill(bytes).map_err(|error| Error::new(ErrorKind::Io).because(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_found_by_its_hash_and_does_not_show() {
        for kind in [Kind::Token, Kind::Share] {
            let secret = Secret::make(kind).unwrap();
            let text = secret.reveal().to_owned();
            assert!(text.starts_with(kind.mark()) && text.len() == 4 + LETTERS);
            let given = Secret::parse(&text).unwrap();
            assert_eq!((given.hash(), given.kind()), (secret.hash(), kind));
            let shown = format!("{secret:?} {:?}", secret.hash());
            assert!(!shown.contains(&text[4..12]), "{shown}");
            assert_eq!(Hash::from_hex(&secret.hash().to_hex()), Some(secret.hash()));
            assert_ne!(Secret::make(kind).unwrap().hash(), secret.hash());
        }
    }

    #[test]
    fn what_cannot_be_one_is_none() {
        let good = Secret::make(Kind::Token).unwrap().reveal().to_owned();
        let long = format!("{good}A");
        let odd = good.replace("gvt_", "gvx_");
        let letters = format!("{}é", &good[..good.len() - 2]);
        for bad in [
            "",
            "gvt_",
            &good[1..],
            &good[..46],
            &long,
            &odd,
            &letters,
            "gvt_é",
        ] {
            assert!(Secret::parse(bad).is_none(), "{bad}");
        }
        assert!(Hash::from_hex("").is_none() && Hash::from_hex(&"é".repeat(32)).is_none());
    }
}
