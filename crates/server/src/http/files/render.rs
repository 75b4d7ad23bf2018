//! A listing as JSON, in one object or in lines.

use std::fmt::Debug;

use gaveta_core::{Entry, Error, Path};
use gaveta_wire::body::{EndBody, EntryBody, ErrorBody, Line};
use serde::Serialize;

/// One form of a listing. Each method appends to `out`.
pub(super) trait Render: Debug + Send {
    /// What stands before the entries.
    fn head(&mut self, folder: &Path, out: &mut Vec<u8>);
    /// One entry.
    fn entry(&mut self, entry: &Entry, out: &mut Vec<u8>);
    /// What stands after the last entry.
    fn end(&mut self, end: &EndBody, out: &mut Vec<u8>);
    /// What stands after the last entry when the listing failed.
    fn failed(&mut self, error: &Error, out: &mut Vec<u8>);
}

/// `{"path": …, "entries": […], "unnameable": …, "next": …}`, one entry per line; with `"error"`
/// in place of the last two when the listing failed.
#[derive(Debug, Default)]
pub(super) struct Json {
    entries: bool,
}

impl Render for Json {
    fn head(&mut self, folder: &Path, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"path\":");
        write(out, folder.as_str());
        out.extend_from_slice(b",\"entries\":[");
    }

    fn entry(&mut self, entry: &Entry, out: &mut Vec<u8>) {
        out.extend_from_slice(if self.entries { b",\n" } else { b"\n" });
        self.entries = true;
        write(out, &EntryBody::from(entry));
    }

    fn end(&mut self, end: &EndBody, out: &mut Vec<u8>) {
        out.extend_from_slice(b"\n],\"unnameable\":");
        write(out, &end.unnameable);
        if !end.unnameable_shown.is_empty() {
            out.extend_from_slice(b",\"unnameable_shown\":");
            write(out, &end.unnameable_shown);
        }
        out.extend_from_slice(b",\"next\":");
        write(out, &end.next);
        out.extend_from_slice(b"}\n");
    }

    fn failed(&mut self, error: &Error, out: &mut Vec<u8>) {
        out.extend_from_slice(b"\n],\"error\":");
        write(out, &ErrorBody::from(error));
        out.extend_from_slice(b"}\n");
    }
}

/// One [`Line`] per entry, and a last one.
#[derive(Debug)]
pub(super) struct Lines;

impl Render for Lines {
    fn head(&mut self, _folder: &Path, _out: &mut Vec<u8>) {}

    fn entry(&mut self, entry: &Entry, out: &mut Vec<u8>) {
        line(out, &Line::Entry(entry.into()));
    }

    fn end(&mut self, end: &EndBody, out: &mut Vec<u8>) {
        line(out, &Line::End(end.clone()));
    }

    fn failed(&mut self, error: &Error, out: &mut Vec<u8>) {
        line(out, &Line::Error(error.into()));
    }
}

fn line(out: &mut Vec<u8>, line: &Line) {
    write(out, line);
    out.push(b'\n');
}

/// Appends JSON. Writing plain data to memory does not fail.
fn write<T: Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) {
    let _ = serde_json::to_writer(out, value);
}

#[cfg(test)]
mod tests {
    use super::*;
    use gaveta_core::{ErrorKind, Kind, Version};
    use serde_json::Value;
    use std::time::UNIX_EPOCH;

    fn entry(name: &str) -> Entry {
        Entry {
            path: Path::parse(name).unwrap(),
            kind: Kind::File,
            size: 3,
            modified: UNIX_EPOCH,
            version: Version::parse("v").unwrap(),
            digest: None,
            executable: false,
        }
    }

    fn json(entries: &[&str], end: impl FnOnce(&mut Json, &mut Vec<u8>)) -> Value {
        let (mut render, mut out) = (Json::default(), Vec::new());
        render.head(&Path::parse("a \"b\"").unwrap(), &mut out);
        entries
            .iter()
            .for_each(|name| render.entry(&entry(name), &mut out));
        end(&mut render, &mut out);
        serde_json::from_slice(&out).unwrap()
    }

    #[test]
    fn json_is_one_object_however_many_entries() {
        let end = EndBody {
            next: Some("0:x\"".into()),
            unnameable: 2,
            ..EndBody::default()
        };
        for names in [&[][..], &["a"], &["a", "b\"c", "d"]] {
            let object = json(names, |render, out| render.end(&end, out));
            assert_eq!(object["path"], "a \"b\"");
            assert_eq!(object["entries"].as_array().unwrap().len(), names.len());
            assert_eq!(
                (&object["unnameable"], &object["next"]),
                (&2.into(), &"0:x\"".into())
            );
        }
        let object = json(&["a"], |render, out| render.end(&EndBody::default(), out));
        assert!(object["next"].is_null() && object.get("unnameable_shown").is_none());
        assert_eq!(object["entries"][0]["path"], "a");
    }

    #[test]
    fn a_failed_listing_says_so_in_json_too() {
        let error = Error::new(ErrorKind::Io).because("/secret");
        let object = json(&["a"], |render, out| render.failed(&error, out));
        assert_eq!(object["error"]["code"], "io");
        assert!(object.get("next").is_none() && !object.to_string().contains("secret"));
    }
}
