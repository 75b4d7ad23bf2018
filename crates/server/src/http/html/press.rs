//! A page pressed on its way, piece by piece.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use http::{HeaderMap, header};

/// Presses a stream with gzip (RFC 1952). Every piece can be read as soon as it arrives.
#[derive(Debug)]
pub(crate) struct Press(GzEncoder<Vec<u8>>);

impl Press {
    /// A press, for who understands it (RFC 9110, section 12.5.3).
    pub(crate) fn wanted(headers: &HeaderMap) -> Option<Self> {
        accepts(headers).then(|| Self(GzEncoder::new(Vec::new(), Compression::new(5))))
    }

    /// The next piece, pressed.
    pub(crate) fn piece(&mut self, bytes: &[u8]) -> Vec<u8> {
        // Writing to memory does not fail.
        let _ = self.0.write_all(bytes);
        let _ = self.0.flush();
        std::mem::take(self.0.get_mut())
    }

    /// What stands at the end.
    pub(crate) fn end(&mut self) -> Vec<u8> {
        let _ = self.0.try_finish();
        std::mem::take(self.0.get_mut())
    }
}

/// Does the client understand gzip?
pub(crate) fn accepts(headers: &HeaderMap) -> bool {
    headers
        .get_all(header::ACCEPT_ENCODING)
        .iter()
        .filter_map(|field| field.to_str().ok())
        .flat_map(|field| field.split(','))
        .any(|range| {
            let mut parts = range.split(';').map(str::trim);
            let named = parts
                .next()
                .is_some_and(|coding| coding.eq_ignore_ascii_case("gzip"));
            let refused = parts
                .filter_map(|part| part.strip_prefix("q="))
                .any(|weight| {
                    weight
                        .trim()
                        .parse::<f32>()
                        .is_ok_and(|weight| weight <= 0.0)
                });
            named && !refused
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use std::io::Read;

    fn headers(field: &'static str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static(field));
        headers
    }

    #[test]
    fn who_understands_gzip_gets_it() {
        for field in ["gzip", "gzip, deflate, br", "br;q=1, GZIP;q=0.5"] {
            assert!(accepts(&headers(field)), "{field}");
        }
        for field in ["", "br", "gzip;q=0", "identity", "xgzip"] {
            assert!(!accepts(&headers(field)), "{field}");
        }
    }

    #[test]
    fn each_piece_can_be_read_when_it_comes() {
        let mut press = Press::wanted(&headers("gzip")).unwrap();
        let mut sent = press.piece(b"first");
        let mut read = [0; 5];
        flate2::read::GzDecoder::new(&sent[..])
            .read_exact(&mut read)
            .unwrap();
        assert_eq!(&read, b"first");
        sent.extend(press.piece(b" second"));
        sent.extend(press.end());
        let mut whole = String::new();
        flate2::read::GzDecoder::new(&sent[..])
            .read_to_string(&mut whole)
            .unwrap();
        assert_eq!(whole, "first second");
    }
}
