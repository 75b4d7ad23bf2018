//! What is known of one thing in the trash, in one line of text.
//!
//! ```text
//! 1 CAUSE NANOSECONDS LINKS BY PATH
//! ```
//!
//! `BY` is `-` when nobody is known; blanks, `%` and control characters in it are written `%XX`.
//! `LINKS` is how many names the content had before it came here; of a copy, `=` and the version
//! that it is a copy of.

use std::os::fd::OwnedFd;
use std::time::SystemTime;

use gaveta_core::listing::{from_nanos, nanos};
use gaveta_core::{Cause, Kind, Owner, Path, Result, TrashId, Version};
use rustix::io::Errno;

use crate::base::unlink_quietly;
use crate::errno::{Os, found};
use crate::os;
use crate::reserved::{read_whole, write_whole};

/// The end of the name of the information.
pub(super) const SUFFIX: &str = ".i";
/// The end of the name of what was counted of a folder.
pub(super) const COUNTED: &str = ".n";
/// Longer than any information: a path of 4,000 bytes, and whoever.
const MAX: u64 = 16 << 10;

/// How what is replaced came here: it tells, after an unclean stop, whether it was replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Came {
    /// Itself, which had so many names before.
    Itself(u64),
    /// As a copy of this version, where the file system gives no second name.
    Copied(Version),
}

impl Came {
    fn encode(&self) -> String {
        match self {
            Self::Itself(links) => links.to_string(),
            Self::Copied(version) => format!("={version}"),
        }
    }

    fn decode(text: &str) -> Option<Self> {
        match text.strip_prefix('=') {
            Some(version) => Version::parse(version).map(Self::Copied),
            None => text.parse().ok().map(Self::Itself),
        }
    }
}

/// See the [module](self).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Info {
    pub(super) path: Path,
    pub(super) cause: Cause,
    pub(super) at: SystemTime,
    pub(super) by: Option<Owner>,
    pub(super) came: Came,
}

impl Info {
    fn encode(&self) -> String {
        let by = match &self.by {
            None => "-".to_owned(),
            Some(by) => escaped(&by.0),
        };
        format!(
            "1 {} {} {} {by} {}",
            self.cause.code(),
            nanos(self.at),
            self.came.encode(),
            self.path.as_str()
        )
    }

    fn decode(text: &str) -> Option<Self> {
        let mut words = text.splitn(6, ' ');
        let mut next = || words.next();
        if next()? != "1" {
            return None;
        }
        let cause = Cause::from_code(next()?)?;
        let at = from_nanos(next()?.parse().ok()?)?;
        let came = Came::decode(next()?)?;
        let by = match next()? {
            "-" => None,
            by => Some(Owner(unescaped(by)?.into())),
        };
        let path = Path::parse(next()?).ok().filter(|path| !path.is_root())?;
        Some(Self {
            path,
            cause,
            at,
            by,
            came,
        })
    }

    /// Writes it, whole or not at all.
    pub(super) fn write(&self, folder: &OwnedFd, id: &TrashId, full: bool) -> Result<()> {
        write_text(folder, &format!("{id}{SUFFIX}"), &self.encode(), full)
    }

    /// Reads it; none when it is not there or says nothing sensible.
    pub(super) fn read(folder: &OwnedFd, id: &TrashId) -> Result<Option<Self>> {
        let text = read_text(folder, &format!("{id}{SUFFIX}"))?;
        Ok(text.and_then(|text| Self::decode(&text)))
    }
}

/// The information goes, last of all that speaks of this id.
pub(super) fn forget(folder: &OwnedFd, id: &TrashId) {
    unlink_quietly(folder, &format!("{id}{COUNTED}"));
    unlink_quietly(folder, &format!("{id}{SUFFIX}"));
}

/// Keeps how many bytes and things a folder holds. Best effort.
pub(super) fn keep_count(folder: &OwnedFd, id: &TrashId, bytes: u64, things: u64) {
    let name = format!("{id}{COUNTED}");
    unlink_quietly(folder, &name);
    if let Err(error) = write_text(folder, &name, &format!("{bytes} {things}"), false) {
        tracing::debug!(error = error.chain(), "the size of a folder is not kept");
    }
}

/// How many bytes a folder was found to hold.
pub(super) fn counted(folder: &OwnedFd, id: &TrashId) -> Option<u64> {
    let text = read_text(folder, &format!("{id}{COUNTED}")).ok()??;
    text.split_once(' ')?.0.parse().ok()
}

fn write_text(folder: &OwnedFd, name: &str, text: &str, full: bool) -> Result<()> {
    match rustix::fs::symlinkat(text, folder, name) {
        Err(Errno::NAMETOOLONG | Errno::PERM | Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => {
            write_whole(folder, name, text.as_bytes(), full)
        }
        result => result.os(),
    }
}

fn read_text(folder: &OwnedFd, name: &str) -> Result<Option<String>> {
    let Some(meta) = found(os::meta_at(folder, name)).os()? else {
        return Ok(None);
    };
    let bytes = match meta.kind {
        Kind::Link => match found(rustix::fs::readlinkat(folder, name, Vec::new())).os()? {
            Some(text) => text.into_bytes(),
            None => return Ok(None),
        },
        Kind::File => match read_whole(folder, name, MAX) {
            Ok(Some(bytes)) => bytes,
            Ok(None) | Err(_) => return Ok(None),
        },
        Kind::Folder | Kind::Special => return Ok(None),
    };
    Ok(String::from_utf8(bytes).ok())
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c == '%' || c == '-' || c.is_whitespace() || c.is_control() {
            let mut bytes = [0; 4];
            for byte in c.encode_utf8(&mut bytes).bytes() {
                out.push_str(&format!("%{byte:02x}"));
            }
        } else {
            out.push(c);
        }
    }
    out
}

fn unescaped(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        rest = tail;
        if *first != b'%' {
            out.push(*first);
            continue;
        }
        let (hex, after) = rest.split_at_checked(2)?;
        out.push(u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok()?);
        rest = after;
    }
    String::from_utf8(out).ok().filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn info(path: &str, by: Option<&str>, came: Came) -> Info {
        Info {
            path: Path::parse(path).unwrap(),
            cause: Cause::Replaced,
            at: SystemTime::UNIX_EPOCH + Duration::from_nanos(1_700_000_000_123_456_789),
            by: by.map(|by| Owner(by.into())),
            came,
        }
    }

    #[test]
    fn it_leads_back_through_a_link_or_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let open = os::open_folder(rustix::fs::CWD, folder.path()).unwrap();
        let long = vec!["x".repeat(250); 15].join("/");
        for (n, (path, by)) in [
            ("a b/ç %20", Some("ana maria%-\u{2003}")),
            ("x", None),
            ("x", Some("-")),
            (long.as_str(), Some("ana")),
            (long.as_str(), Some("a".repeat(600).as_str())),
        ]
        .into_iter()
        .enumerate()
        {
            let id = TrashId::parse(&format!("{n:032x}")).unwrap();
            let came = match n % 2 {
                0 => Came::Itself(3),
                _ => Came::Copied(Version::parse("1-2-3").unwrap()),
            };
            let info = info(path, by, came);
            info.write(&open, &id, true).unwrap();
            assert_eq!(Info::read(&open, &id).unwrap(), Some(info));
            keep_count(&open, &id, 7, 8);
            assert_eq!(counted(&open, &id), Some(7));
            forget(&open, &id);
            assert_eq!(Info::read(&open, &id).unwrap(), None);
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_somebody_made_of_it_says_nothing() {
        for bad in [
            "",
            "1",
            "2 deleted 1 1 - a",
            "1 deleted x 1 - a",
            "1 lost 1 1 - a",
            "1 deleted 1 1 - ../../etc/passwd",
            "1 deleted 1 1 - /etc",
            "1 deleted 1 1 - ",
            "1 deleted 1 1 %zz a",
            "1 deleted 1 = - a",
            "1 deleted 1 -1 - a",
            "1 deleted 1 1 - .gaveta/lock",
        ] {
            assert_eq!(Info::decode(bad), None, "{bad}");
        }
    }
}
