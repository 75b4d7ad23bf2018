//! What comes over the line, as nobody would send it.

// A test says what it found by panicking.
#![allow(clippy::unwrap_used, clippy::panic)]

use gaveta_core::Path;
use gaveta_testkit::fuzz;
use gaveta_wire::audit::{AuditBody, AuditFilter};
use gaveta_wire::digest::{Digests, Wanted};
use gaveta_wire::keys::in_link;
use gaveta_wire::session::{Parsed, Request};
use gaveta_wire::url;

#[test]
fn fuzz_path() {
    let seeds: [&[u8]; 6] = [
        b"/a/b%20c",
        b"/%2e%2e/x",
        b"/docs/relat%C3%B3rio.pdf",
        b"/a//b",
        b"/.gaveta/s/gvs_x/y",
        b"/%5c..%5c",
    ];
    let words: [&[u8]; 5] = [b"%2e", b"%2F", b"../", b"/./", b".gaveta"];
    fuzz::run("path", &seeds, &words, |input| {
        let Ok(text) = std::str::from_utf8(input) else {
            return;
        };
        let target = url::parse(text).map(|target| target.path);
        for path in [target, Path::parse(text)].into_iter().flatten() {
            // Whatever is a path holds its invariants, and leads back.
            for name in path.names() {
                assert!(!name.is_empty() && name.len() <= 255 && name != "." && name != "..");
                assert!(!name.contains('/') && !name.chars().any(|c| c.is_ascii_control()));
                let plain = name.to_ascii_lowercase();
                assert!(plain.trim_end_matches(['.', ' ']) != ".gaveta");
            }
            assert_eq!(url::parse(&url::encode(&path, false)).unwrap().path, path);
            assert_eq!(Path::parse(path.as_str()).unwrap(), path);
        }
        if let Some((secret, rest)) = in_link(text) {
            assert!(!secret.contains('/') && (rest.is_empty() || rest.starts_with('/')));
        }
    });
}

#[test]
fn fuzz_session_message() {
    let seeds: [&[u8]; 7] = [
        br#"{"id":1,"do":"list","path":"a","sort":"size","descending":true,"after":"0:x","limit":5}"#,
        br#"{"id":2,"do":"rename","from":"a","to":"b","replace":{"only":"v1"},"version":"v2"}"#,
        br#"{"id":3,"do":"touch","path":"a","modified":"2026-01-01T00:00:00.123Z"}"#,
        br#"{"id":4,"do":"sign-in","name":"ana","password":"a long secret"}"#,
        br#"{"id":5,"do":"delete","path":"a","recursive":true}"#,
        br#"{"id":6,"do":"watch","path":""}"#,
        br#"{"do":"space"}"#,
    ];
    let words: [&[u8]; 6] = [
        b"\"do\":",
        b"\"path\":\"",
        b"\"limit\":",
        b"\"copy\"",
        b"\"whoami\"",
        b"\\u",
    ];
    fuzz::run("session message", &seeds, &words, |input| {
        let Ok(request) = serde_json::from_slice::<Request>(input) else {
            return;
        };
        let text = serde_json::to_string(&request).unwrap();
        assert_eq!(serde_json::from_str::<Request>(&text).unwrap(), request);
        let parsed = request.call.parse();
        if let Ok(Parsed::SignIn(_, secret)) = &parsed {
            assert_eq!(format!("{secret:?}"), "***");
        }
    });
}

#[test]
fn fuzz_digest_fields() {
    let seeds: [&[u8]; 4] = [
        b"blake3=:rxNJufX5oaagQE3qNtzJSZvLJcmtwRK3zJqTyuQfMmI=:",
        b"sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:, blake3=?0;a=1",
        b"blake3=3, sha-256=10;q=0.5",
        b"a=(1 2.5 \"x\");b, c=:AA==:",
    ];
    let words: [&[u8]; 6] = [b"blake3=", b"sha-256=", b":", b"=:", b"(", b");"];
    fuzz::run("digest fields", &seeds, &words, |input| {
        let Ok(text) = std::str::from_utf8(input) else {
            return;
        };
        if let Ok(digests) = Digests::parse(text)
            && let Some(field) = digests.to_field()
        {
            assert_eq!(Digests::parse(&field).unwrap(), digests);
        }
        let _ = Wanted::parse(text);
    });
}

#[test]
fn fuzz_audit_line() {
    let seeds: [&[u8]; 1] = [
        br#"{"time":"2026-01-01T00:00:00.000000Z","account":"ana","operation":"read","path":"/a","result":"done","bytes":1}"#,
    ];
    let words: [&[u8]; 3] = [b"\"path\":\"", b"\"to\":", b"\"time\":"];
    fuzz::run("audit line", &seeds, &words, |input| {
        let Ok(record) = serde_json::from_slice::<AuditBody>(input) else {
            return;
        };
        let filter = AuditFilter {
            path: Some(Path::root()),
            since: Some(std::time::UNIX_EPOCH),
            ..AuditFilter::default()
        };
        let _ = filter.takes(&record);
        let text = serde_json::to_string(&record).unwrap();
        assert_eq!(serde_json::from_str::<AuditBody>(&text).unwrap(), record);
        assert!(!text.bytes().any(|byte| byte < 0x20));
    });
}
