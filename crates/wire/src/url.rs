//! Entries as targets of HTTP requests.
//!
//! One decoding, then one parse, name by name: nothing is cleaned or joined before it is checked.

use gaveta_core::{Error, Name, Path, PathProblem, Result};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// RFC 3986 `unreserved` stays; everything else is encoded.
const SET: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// What a request target names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The entry.
    pub path: Path,
    /// Did it end with `/`? So a folder is meant.
    pub folder: bool,
}

/// Encodes one name for a URL.
pub fn encode_name(name: &str) -> String {
    utf8_percent_encode(name, SET).to_string()
}

/// The absolute path of an entry's URL. A folder other than the root ends with `/` if asked to.
pub fn encode(path: &Path, folder: bool) -> String {
    let mut url = String::from("/");
    for (i, name) in path.names().enumerate() {
        if i > 0 {
            url.push('/');
        }
        url.push_str(&encode_name(name));
    }
    if folder && !path.is_root() {
        url.push('/');
    }
    url
}

/// Parses the path of a request target (without query), which starts with `/`.
///
/// # Errors
/// `BadPath`: `//`, `.` or `..` however encoded, `%2F` within a name, control characters, bytes
/// that are not UTF-8, the reserved name. `BadRequest` for a broken `%` escape.
pub fn parse(target: &str) -> Result<Target> {
    let rest = target
        .strip_prefix('/')
        .ok_or_else(|| Error::bad_request("the request target must start with '/'"))?;
    if rest.is_empty() {
        return Ok(Target {
            path: Path::root(),
            folder: true,
        });
    }
    let (rest, folder) = match rest.strip_suffix('/') {
        Some(rest) => (rest, true),
        None => (rest, false),
    };
    let mut path = String::with_capacity(rest.len());
    for part in rest.split('/') {
        check_escapes(part)?;
        let bytes: Vec<u8> = percent_decode_str(part).collect();
        let name = Name::from_bytes(&bytes)?;
        if !path.is_empty() {
            path.push('/');
        }
        path.push_str(name.as_str());
    }
    Ok(Target {
        path: Path::parse(&path)?,
        folder,
    })
}

fn check_escapes(part: &str) -> Result<()> {
    let bytes = part.as_bytes();
    for (i, _) in part.match_indices('%') {
        let pair = bytes.get(i + 1..i + 3);
        if !pair.is_some_and(|pair| pair.iter().all(u8::is_ascii_hexdigit)) {
            return Err(Error::bad_request(
                "a '%' in the request target begins no escape",
            ));
        }
    }
    if part.is_empty() {
        return Err(Error::bad_path(PathProblem::EmptyName, part));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use gaveta_core::ErrorKind;
    use proptest::prelude::*;

    #[test]
    fn odd_names_travel() {
        for name in [
            "a b",
            "a|b",
            "-x",
            "100%",
            "a?b#c",
            "relatório",
            "🗄️",
            "a\\b",
            "\"'",
            "%2e%2e",
        ] {
            let path = Path::parse(name).unwrap();
            let url = encode(&path, false);
            assert!(url.is_ascii());
            assert_eq!(
                parse(&url).unwrap(),
                Target {
                    path,
                    folder: false
                }
            );
        }
    }

    #[test]
    fn hostile_targets_are_refused() {
        for target in [
            "",
            "a",
            "//",
            "//a",
            "/a//b",
            "/a//",
            "/..",
            "/../a",
            "/a/..",
            "/a/../b",
            "/%2e%2e/a",
            "/.%2e/a",
            "/%2E%2E",
            "/a/%2e",
            "/a%2fb",
            "/a%2Fb",
            "/%2f",
            "/%00",
            "/a%0ab",
            "/%ff",
            "/%c0%ae%c0%ae/",
            "/.gaveta",
            "/.gaveta/x",
            "/%2egaveta",
            "/.GAVETA/x",
            "/a/.gaveta",
            "/.gaveta%20",
            "/%",
            "/%2",
            "/%zz",
            "/%u002e",
            "/a/./b",
        ] {
            assert!(parse(target).is_err(), "{target}");
        }
        assert_eq!(
            parse("/a%2fb").unwrap_err().kind(),
            ErrorKind::BadPath(PathProblem::Separator)
        );
    }

    proptest! {
        #[test]
        fn every_path_leads_back(text in "[^\\p{C}/]{1,20}(/[^\\p{C}/]{1,20}){0,3}", folder: bool) {
            if let Ok(path) = Path::parse(&text) {
                let target = Target { path, folder };
                prop_assert_eq!(parse(&encode(&target.path, folder)).unwrap(), target);
            }
        }

        #[test]
        fn nothing_panics(text in "\\PC*") {
            let _ = parse(&text);
            let _ = parse(&format!("/{text}"));
        }
    }
}
