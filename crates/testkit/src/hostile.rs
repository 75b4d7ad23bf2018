//! Request targets that try to get out of the folder, or at what is reserved.

use gaveta_core::path::RESERVED;

/// A request target, byte for byte as it stands in the request line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostilePath {
    /// The target: not always UTF-8, not always one word.
    pub target: Vec<u8>,
    /// What it tries.
    pub note: String,
}

impl HostilePath {
    /// The target in printable ASCII.
    pub fn shown(&self) -> String {
        self.target.escape_ascii().to_string()
    }
}

/// Ways to write two dots.
const DOTS: [(&str, &str); 26] = [
    ("..", "plain dots"),
    ("%2e%2e", "encoded dots"),
    ("%2E%2E", "encoded dots, upper case"),
    (".%2e", "the second dot encoded"),
    ("%2e.", "the first dot encoded"),
    ("%252e%252e", "dots encoded twice"),
    ("%25252e%25252e", "dots encoded three times"),
    ("%c0%ae%c0%ae", "overlong dots, 2 bytes"),
    ("%e0%80%ae%e0%80%ae", "overlong dots, 3 bytes"),
    ("%f0%80%80%ae%f0%80%80%ae", "overlong dots, 4 bytes"),
    ("%u002e%u002e", "dots as IIS once wrote them"),
    ("%ef%bc%8e%ef%bc%8e", "full-width dots"),
    ("%e2%80%a4%e2%80%a4", "one dot leaders"),
    ("%e3%80%82%e3%80%82", "ideographic full stops"),
    (".%e2%80%8b.", "a zero-width space between dots"),
    (".%c2%ad.", "a soft hyphen between dots"),
    ("..%00", "dots and NUL"),
    ("..%20", "dots and a space"),
    ("..%09", "dots and a tab"),
    ("..%0d%0a", "dots and a line end"),
    ("..;", "dots and a path parameter"),
    ("..;a=b", "dots and a named path parameter"),
    ("...", "three dots"),
    ("....", "four dots"),
    (".%2e%2f.%2e", "dots and an encoded slash"),
    ("%2e%2e%3f", "dots and an encoded question mark"),
];

/// Ways to write a separator.
const SEPARATORS: [(&str, &str); 8] = [
    ("/", "slash"),
    ("%2f", "encoded slash"),
    ("%252f", "slash encoded twice"),
    ("%5c", "encoded backslash"),
    ("\\", "backslash"),
    ("//", "two slashes"),
    ("/./", "slash, dot, slash"),
    ("%c0%af", "overlong slash"),
];

/// Ways to write the reserved name.
const RESERVED_NAMES: [(&str, &str); 36] = [
    (".gaveta", "as it is"),
    (".GAVETA", "upper case"),
    (".Gaveta", "mixed case"),
    (".gAvEtA", "mixed case"),
    (".gaveta.", "a trailing dot"),
    (".gaveta...", "trailing dots"),
    (".gaveta%20", "a trailing space"),
    (".gaveta%20.", "a trailing space and dot"),
    (".gaveta.%20.", "trailing dots and spaces"),
    ("%2egaveta", "an encoded dot"),
    ("%2Egaveta", "an encoded dot, upper case"),
    ("%252egaveta", "a dot encoded twice"),
    (".%67aveta", "an encoded letter"),
    ("%2e%67%61%76%65%74%61", "all encoded"),
    ("%2e%47%41%56%45%54%41", "all encoded, upper case"),
    (".gav%e2%80%8beta", "a zero-width space"),
    (".gav%e2%80%8deta", "a zero-width joiner"),
    (".gav%e2%80%8ceta", "a zero-width non-joiner"),
    ("%ef%bb%bf.gaveta", "a byte order mark before"),
    (".gaveta%ef%bb%bf", "a byte order mark after"),
    (".gav%c2%adeta", "a soft hyphen"),
    (".gaveta%e2%80%ae", "a direction mark"),
    (".gaveta%ef%b8%8f", "a variation selector"),
    ("%ef%bc%8egaveta", "a full-width dot"),
    (".%ef%bd%87aveta", "a full-width letter"),
    (
        ".%ef%bd%87%ef%bd%81%ef%bd%96%ef%bd%85%ef%bd%94%ef%bd%81",
        "full-width letters",
    ),
    ("%e2%80%a4gaveta", "a one dot leader"),
    (".gaveta::$DATA", "a stream"),
    (".gaveta:x", "a named stream"),
    (".gaveta::$INDEX_ALLOCATION", "a folder's stream"),
    (".gaveta%00", "NUL after"),
    (".gaveta%00.txt", "NUL and an extension"),
    (".gaveta%0a", "a line end after"),
    (".gaveta;a=b", "a path parameter"),
    (".gaveta%5c", "a backslash after"),
    ("%c0%aegaveta", "an overlong dot"),
];

/// Targets that fit no table.
const ODD: [(&[u8], &str); 47] = [
    (b"/../", "up, and nothing more"),
    (b"/..", "up, without a slash"),
    (b"/.", "here"),
    (b"/./", "here, with a slash"),
    (b"//", "an empty name"),
    (b"///etc/passwd", "an absolute path after slashes"),
    (b"//etc/passwd", "a network path"),
    (b"/%2fetc%2fpasswd", "an absolute path, encoded"),
    (
        b"/%2f%2fetc/passwd",
        "an absolute path after encoded slashes",
    ),
    (b"/C:/Windows/win.ini", "a drive"),
    (b"/C:%5cWindows%5cwin.ini", "a drive, encoded backslashes"),
    (b"/%5c%5cserver%5cshare", "a UNC path"),
    (b"/%5c%5c%3f%5cC:%5c", "a device path"),
    (b"/file:///etc/passwd", "a file URI as a name"),
    (b"/proc/self/environ", "the process"),
    (b"/dev/zero", "a device"),
    (b"/~root/.ssh/id_rsa", "somebody's home"),
    (b"/$HOME/.ssh/id_rsa", "a variable"),
    (b"/%00", "NUL alone"),
    (b"/secret.txt%00.png", "NUL before an extension"),
    (b"/%01%02%1f%7f", "control characters"),
    (b"/%1b%5b2J", "a terminal escape"),
    (b"/%c2%9b2J", "a C1 control character"),
    (b"/a%0d%0aSet-Cookie:x=y", "a header in a name"),
    (b"/a%0aHTTP/1.1%20200%20OK", "an answer in a name"),
    (b"/%ff", "a byte that is not UTF-8"),
    (b"/%fe%ff", "bytes that are not UTF-8"),
    (b"/%ed%a0%80", "a lone surrogate"),
    (b"/%f4%90%80%80", "beyond Unicode"),
    (b"/%", "a percent sign alone"),
    (b"/%2", "half an escape"),
    (b"/%zz", "an escape of no digits"),
    (b"/%u2215", "a slash as IIS once wrote it"),
    (b"/\xff\xfe", "raw bytes that are not UTF-8"),
    (b"/a\x00b", "a raw NUL"),
    (b"/a\x1bb", "a raw escape"),
    (b"/a\tb", "a raw tab"),
    (b"/a b", "a raw space"),
    (b"..", "no slash at all"),
    (b"../secret.txt", "a relative target"),
    (b"\\..\\secret.txt", "a target of backslashes"),
    (b"*", "the asterisk form"),
    (
        b"http://evil.example/../secret.txt",
        "an absolute target of another host",
    ),
    (
        b"http://127.0.0.1/../secret.txt",
        "an absolute target with dots",
    ),
    (
        b"http://127.0.0.1/%2e%2e/secret.txt",
        "an absolute target with encoded dots",
    ),
    (
        b"http://user:pass@127.0.0.1/.gaveta/format",
        "an absolute target with a user",
    ),
    (b"file:///etc/passwd", "a file URI"),
];

/// More than 200 request targets that try to reach a `secret.txt` beside the served folder, a
/// system's file, or something beneath the reserved name; or to trip the parser.
///
/// None may succeed in that: no answer holds what lies outside or under the reserved name, no
/// change happens there, and the server goes on. Some are harmless names once decoded (`...`, or
/// a backslash), so a test plants a mark outside and looks for it; it does not expect one status.
pub fn hostile_paths() -> Vec<HostilePath> {
    let mut all = vec![];
    let mut add = |target: Vec<u8>, note: String| all.push(HostilePath { target, note });
    for (dots, what) in DOTS {
        for (separator, how) in SEPARATORS {
            let target = format!("/{dots}{separator}secret.txt");
            add(target.into(), format!("{what}, {how}"));
        }
        let deep = format!("/folder/{}etc/passwd", format!("{dots}/").repeat(12));
        add(deep.into(), format!("{what}, far up from within"));
        add(
            format!("/folder/{dots}").into(),
            format!("{what}, at the end"),
        );
    }
    for (name, what) in RESERVED_NAMES {
        for (target, whither) in [
            (format!("/{name}"), "itself"),
            (format!("/{name}/uploads/"), "beneath"),
            (format!("/folder/{name}/format"), "deeper"),
        ] {
            add(target.into(), format!("{RESERVED} with {what}, {whither}"));
        }
    }
    add(
        format!("/folder/..%2f{RESERVED}/format").into(),
        "up and reserved".into(),
    );
    add(
        format!("/%2e/{RESERVED}/format").into(),
        "here and reserved".into(),
    );
    add(
        format!("//{RESERVED}/format").into(),
        "slashes and reserved".into(),
    );
    for (target, what) in ODD {
        add(target.to_vec(), what.to_owned());
    }
    add(
        format!("/{}", "a".repeat(256)).into(),
        "a name of 256 bytes".into(),
    );
    add(
        format!("/{}", "%c3%a9".repeat(128)).into(),
        "a name of 256 bytes, encoded".into(),
    );
    add(
        format!("/{}", "a".repeat(60_000)).into(),
        "a very long name".into(),
    );
    add(format!("/{}", "a/".repeat(257)).into(), "too deep".into());
    add(
        format!("/{}", "a/".repeat(20_000)).into(),
        "very deep".into(),
    );
    add(
        format!("/{}secret.txt", "../".repeat(5000)).into(),
        "very far up".into(),
    );
    add(
        format!("/?{}", "a=b&".repeat(10_000)).into(),
        "a very long query".into(),
    );
    add(
        b"/secret.txt?../../secret.txt".to_vec(),
        "dots in the query".into(),
    );
    add(
        b"/folder/#/../../secret.txt".to_vec(),
        "dots after a fragment".into(),
    );
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn there_are_many_and_each_is_another() {
        let all = hostile_paths();
        assert!(all.len() >= 200, "{}", all.len());
        let distinct: HashSet<_> = all.iter().map(|one| &one.target).collect();
        let twice: Vec<_> = all.iter().map(HostilePath::shown).collect();
        assert_eq!(distinct.len(), all.len(), "{twice:?}");
        assert!(all.iter().all(|one| !one.note.is_empty()));
    }
}
