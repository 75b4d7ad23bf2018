//! The fingerprint of a server: how its key is shown to people and kept by clients.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

/// SHA-256 of the public key in a server's certificate (its SubjectPublicKeyInfo in DER, RFC 5280
/// section 4.1): the same for every certificate that is made for this key.
///
/// Shown as `SHA256:` and 43 letters of base64, as SSH shows its own.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint(pub [u8; 32]);

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SHA256:{}", STANDARD_NO_PAD.encode(self.0))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text is no fingerprint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoFingerprint;

impl fmt::Display for NoFingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SHA256:… (43 letters) or 64 hexadecimal digits")
    }
}

impl std::error::Error for NoFingerprint {}

/// `SHA256:…` with or without its padding, or the 32 bytes in hexadecimal, with or without colons.
impl FromStr for Fingerprint {
    type Err = NoFingerprint;

    fn from_str(text: &str) -> Result<Self, NoFingerprint> {
        if let Some(encoded) = text.strip_prefix("SHA256:") {
            let bytes = STANDARD_NO_PAD
                .decode(encoded.trim_end_matches('='))
                .map_err(|_| NoFingerprint)?;
            return bytes.try_into().map(Self).map_err(|_| NoFingerprint);
        }
        let digits: Vec<u8> = text
            .chars()
            .filter(|c| *c != ':')
            .map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
            .collect::<Option<_>>()
            .ok_or(NoFingerprint)?;
        let bytes: Vec<u8> = digits
            .chunks(2)
            .map(|pair| match pair {
                [high, low] => Ok(high << 4 | low),
                _ => Err(NoFingerprint),
            })
            .collect::<Result<_, _>>()?;
        bytes.try_into().map(Self).map_err(|_| NoFingerprint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_is_read_again() {
        let one = Fingerprint([7; 32]);
        assert_eq!(one.to_string().parse(), Ok(one));
        assert_eq!(format!("{one}=").parse(), Ok(one));
        assert_eq!("07".repeat(32).parse(), Ok(one));
        assert_eq!(["07"; 32].join(":").parse(), Ok(one));
    }

    #[test]
    fn nothing_else_is() {
        let long = "0".repeat(65);
        for bad in ["", "SHA256:", "SHA256:AAAA", "md5:00", "07", "é", &long] {
            assert_eq!(bad.parse::<Fingerprint>(), Err(NoFingerprint), "{bad}");
        }
    }
}
