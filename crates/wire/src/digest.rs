//! Digest fields of RFC 9530: `Repr-Digest: sha-256=:…:, blake3=:…:`.
//!
//! `sha-256` is the registered algorithm; `blake3` is the name this project (and others) use for
//! the digest that `b3sum` prints. Unknown algorithms are passed over, as the RFC asks.

use gaveta_core::{Digest, Error, Result};
use sfv::{BareItem, DictSerializer, Dictionary, ListEntry, Parser, RefBareItem, key_ref};

/// The digests a message promises of its content.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Digests {
    /// BLAKE3, 256 bits.
    pub blake3: Option<Digest>,
    /// SHA-256.
    pub sha256: Option<[u8; 32]>,
}

/// Which digests somebody would like, by `Want-Repr-Digest`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Wanted {
    /// BLAKE3.
    pub blake3: bool,
    /// SHA-256.
    pub sha256: bool,
}

impl Digests {
    /// Only BLAKE3.
    pub fn blake3(digest: Digest) -> Self {
        Self {
            blake3: Some(digest),
            sha256: None,
        }
    }

    /// Nothing promised?
    pub fn is_empty(&self) -> bool {
        self.blake3.is_none() && self.sha256.is_none()
    }

    /// Reads a `Repr-Digest` or `Content-Digest` field.
    ///
    /// # Errors
    /// `BadRequest` when the field is no dictionary, or a known algorithm's value is no byte
    /// sequence of its length.
    pub fn parse(field: &str) -> Result<Self> {
        let dictionary: Dictionary = Parser::new(field)
            .parse()
            .map_err(|error| Error::bad_request(format!("bad digest field: {error}")))?;
        let bytes = |name: &str| -> Result<Option<[u8; 32]>> {
            let Some(entry) = dictionary.get(name) else {
                return Ok(None);
            };
            let ListEntry::Item(item) = entry else {
                return Err(Error::bad_request(format!(
                    "digest {name} is no byte sequence"
                )));
            };
            let BareItem::ByteSequence(bytes) = &item.bare_item else {
                return Err(Error::bad_request(format!(
                    "digest {name} is no byte sequence"
                )));
            };
            <[u8; 32]>::try_from(bytes.as_slice())
                .map(Some)
                .map_err(|_| Error::bad_request(format!("digest {name} is not 32 bytes long")))
        };
        Ok(Self {
            blake3: bytes("blake3")?.map(Digest::from_bytes),
            sha256: bytes("sha-256")?,
        })
    }

    /// The field's text; none when nothing is promised.
    pub fn to_field(self) -> Option<String> {
        let mut out = DictSerializer::new();
        if let Some(digest) = self.blake3 {
            let _ = out.bare_item(
                key_ref("blake3"),
                RefBareItem::ByteSequence(digest.as_bytes()),
            );
        }
        if let Some(bytes) = self.sha256 {
            let _ = out.bare_item(key_ref("sha-256"), RefBareItem::ByteSequence(&bytes));
        }
        out.finish()
    }
}

impl Wanted {
    /// Reads a `Want-Repr-Digest` field: preferences 1 to 10, 0 for "not". What cannot be read
    /// wants nothing: the field is advice.
    pub fn parse(field: &str) -> Self {
        let Ok(dictionary) = Parser::new(field).parse::<Dictionary>() else {
            return Self::default();
        };
        let wants = |name: &str| match dictionary.get(name) {
            Some(ListEntry::Item(item)) => match &item.bare_item {
                BareItem::Integer(weight) => i64::from(*weight) > 0,
                _ => false,
            },
            _ => false,
        };
        Self {
            blake3: wants("blake3"),
            sha256: wants("sha-256"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gaveta_core::ErrorKind;

    #[test]
    fn fields_lead_back() {
        let digests = Digests {
            blake3: Some(Digest::of(b"x")),
            sha256: Some([7; 32]),
        };
        assert_eq!(
            Digests::parse(&digests.to_field().unwrap()).unwrap(),
            digests
        );
        assert_eq!(Digests::default().to_field(), None);
        // The example of RFC 9530, appendix B.1, with an algorithm we do not know beside it.
        let field = "md5=:AAAA:, sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:";
        assert!(Digests::parse(field).unwrap().sha256.is_some());
    }

    #[test]
    fn nonsense_is_refused() {
        for bad in [
            "sha-256",
            "sha-256=abc",
            "sha-256=:AAAA:",
            "blake3=1",
            "=:",
            "sha-256=(1 2)",
        ] {
            assert_eq!(
                Digests::parse(bad).unwrap_err().kind(),
                ErrorKind::BadRequest,
                "{bad}"
            );
        }
    }

    #[test]
    fn wishes_are_advice() {
        let both = Wanted {
            blake3: true,
            sha256: true,
        };
        assert_eq!(Wanted::parse("sha-256=1, blake3=10"), both);
        assert_eq!(Wanted::parse("sha-256=0, md5=3"), Wanted::default());
        assert_eq!(Wanted::parse("((("), Wanted::default());
    }
}
