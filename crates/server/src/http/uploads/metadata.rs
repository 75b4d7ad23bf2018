//! `Upload-Metadata`: pairs of a key and a value in Base64 (tus 1.0.0, creation).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use gaveta_core::{Error, Path, Result};

/// Which key tells the target, the first that is there.
const KEYS: [&str; 4] = ["path", "relativePath", "filename", "name"];

/// The target that the metadata names; none when it names none.
///
/// # Errors
/// `BadRequest` for what is no metadata, `BadPath` for what is no path of a file.
pub(super) fn target(field: &str) -> Result<Option<Path>> {
    let pairs = pairs(field)?;
    for wanted in KEYS {
        let Some((_, value)) = pairs.iter().find(|(key, _)| *key == wanted) else {
            continue;
        };
        let text = std::str::from_utf8(value)
            .map_err(|_| Error::bad_request(format!("{wanted} in Upload-Metadata is no UTF-8")))?;
        // Uppy sends the word where there is no relative path.
        if wanted != "path" && (text.is_empty() || text == "null" && wanted == "relativePath") {
            continue;
        }
        let path = Path::parse(text.strip_prefix('/').unwrap_or(text))?;
        if path.is_root() {
            return Err(Error::bad_request("the target is a file, not the drawer"));
        }
        return Ok(Some(path));
    }
    Ok(None)
}

fn pairs(field: &str) -> Result<Vec<(&str, Vec<u8>)>> {
    let mut pairs: Vec<(&str, Vec<u8>)> = Vec::new();
    for pair in field.split(',').map(str::trim).filter(|p| !p.is_empty()) {
        let (key, value) = pair.split_once(' ').unwrap_or((pair, ""));
        if pairs.iter().any(|(known, _)| *known == key) {
            return Err(Error::bad_request("Upload-Metadata has a key twice"));
        }
        let value = STANDARD
            .decode(value.trim())
            .map_err(|_| Error::bad_request("a value of Upload-Metadata is no Base64"))?;
        pairs.push((key, value));
    }
    Ok(pairs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use gaveta_core::ErrorKind;

    fn field(pairs: &[(&str, &str)]) -> String {
        let pair = |(key, value): &(&str, &str)| format!("{key} {}", STANDARD.encode(value));
        pairs.iter().map(pair).collect::<Vec<_>>().join(",")
    }

    #[test]
    fn the_target_is_the_first_of_the_keys() {
        let target = |pairs: &[(&str, &str)]| {
            let path = super::target(&field(pairs)).unwrap();
            path.map(|path| path.as_str().to_owned())
        };
        let all = [
            ("name", "n"),
            ("filename", "f"),
            ("path", "/p/é"),
            ("x", ""),
        ];
        assert_eq!(target(&all).as_deref(), Some("p/é"));
        assert_eq!(target(&all[..2]).as_deref(), Some("f"));
        let uppy = [
            ("relativePath", "null"),
            ("name", "n"),
            ("type", "text/plain"),
        ];
        assert_eq!(target(&uppy).as_deref(), Some("n"));
        let folder = [("relativePath", "a/b.txt"), ("name", "b.txt")];
        assert_eq!(target(&folder).as_deref(), Some("a/b.txt"));
        assert_eq!(target(&[("x", "y")]), None);
        assert_eq!(target(&[]), None);
        assert_eq!(
            super::target("lonely, filename YQ==")
                .unwrap()
                .unwrap()
                .as_str(),
            "a"
        );
    }

    #[test]
    fn broken_metadata_is_refused() {
        for bad in [
            "filename !!!",
            "filename YQ",
            "a YQ==,a YQ==",
            "filename YQ== YQ==",
        ] {
            let kind = target(bad).unwrap_err().kind();
            assert_eq!(kind, ErrorKind::BadRequest, "{bad}");
        }
        assert!(target(&format!("filename {}", STANDARD.encode([0xff, 0xfe]))).is_err());
        for hostile in [
            "../x",
            "a/../b",
            "/",
            "//x",
            "a//b",
            ".gaveta/x",
            "a\0b",
            "a/",
            ".",
        ] {
            assert!(target(&field(&[("path", hostile)])).is_err(), "{hostile:?}");
        }
    }

    #[test]
    fn fuzz_upload_metadata() {
        let seeds: [&[u8]; 3] = [
            b"filename YS50eHQ=,path YS9iLnR4dA==",
            b"relativePath Li4veA==,name",
            b"a YQ==, b",
        ];
        let words: [&[u8]; 5] = [b"filename ", b"path ", b",", b"Li4v", b"=="];
        gaveta_testkit::fuzz::run("upload metadata", &seeds, &words, |input| {
            let Ok(text) = std::str::from_utf8(input) else {
                return;
            };
            if let Ok(Some(path)) = target(text) {
                assert!(path.names().all(|name| !name.is_empty() && name != ".."));
            }
        });
    }
}
