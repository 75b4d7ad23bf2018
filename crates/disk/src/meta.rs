//! What the file system says of one entry, and the version made of it.

use std::time::{SystemTime, UNIX_EPOCH};

use gaveta_core::listing::{from_nanos, nanos};
use gaveta_core::{Digest, Entry, Error, ErrorKind, Kind, Path, Result, Version};
use rustix::fs::{FileType, Timespec, Timestamps, UTIME_NOW, UTIME_OMIT};

/// Seconds since 1970 and nanoseconds after them.
pub(crate) type Instant = (i64, u32);

/// What the file system says of one entry.
#[derive(Debug, Clone)]
pub(crate) struct Meta {
    pub(crate) kind: Kind,
    /// Type and permission bits.
    pub(crate) mode: u32,
    pub(crate) size: u64,
    /// The bytes that it takes on disk, in whole blocks; fewer than its size when it has holes.
    pub(crate) taken: u64,
    pub(crate) modified: Instant,
    /// When the inode was made, where the file system tells.
    pub(crate) born: Option<Instant>,
    pub(crate) inode: u64,
    pub(crate) device: u64,
    /// Which mount it lies on.
    pub(crate) mount: u64,
    /// How many names it has.
    pub(crate) links: u64,
    pub(crate) owner: u32,
}

/// The kind by the type bits of a mode.
pub(crate) fn kind_of(mode: u32) -> Kind {
    #[allow(
        clippy::unnecessary_cast,
        reason = "the width differs from system to system"
    )]
    match FileType::from_raw_mode(mode as rustix::fs::RawMode) {
        FileType::RegularFile => Kind::File,
        FileType::Directory => Kind::Folder,
        FileType::Symlink => Kind::Link,
        _ => Kind::Special,
    }
}

impl Meta {
    /// Do both describe one and the same thing on disk?
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        (self.inode, self.device, self.kind) == (other.inode, other.device, other.kind)
    }

    /// The version: inode, size, modified time and birth time, as hexadecimal text.
    ///
    /// A client can set the same modified time and length again, and inode numbers are reused: only
    /// the birth time then tells the old file from the new. Not the change time: setting an
    /// attribute or a link moves it without the content changing. A folder's version is only its
    /// identity, so that what happens in it does not change it.
    pub(crate) fn version(&self) -> Version {
        let born = self.born.map(stamp).unwrap_or_default();
        let text = match self.kind {
            Kind::Folder => format!("{:x}-{born:x}", self.inode),
            _ => {
                let modified = stamp(self.modified);
                format!("{:x}-{:x}-{modified:x}-{born:x}", self.inode, self.size)
            }
        };
        // Two times of 32 digits, two numbers of 16 and the dashes stay below `Version::MAX`.
        Version::parse(&text).unwrap_or_else(|| unreachable!("hexadecimal digits and dashes"))
    }

    /// The entry at this path.
    pub(crate) fn entry(&self, path: Path, digest: Option<Digest>) -> Entry {
        let is_file = self.kind == Kind::File;
        Entry {
            path,
            kind: self.kind,
            size: if is_file { self.size } else { 0 },
            modified: time_of(self.modified),
            version: self.version(),
            digest,
            executable: is_file && self.mode & 0o100 != 0,
        }
    }
}

fn stamp((seconds, nanos): Instant) -> i128 {
    i128::from(seconds) * 1_000_000_000 + i128::from(nanos)
}

fn time_of(instant: Instant) -> SystemTime {
    from_nanos(stamp(instant)).unwrap_or(UNIX_EPOCH)
}

/// Times that set only the modified time: this one, or now.
///
/// # Errors
/// `BadRequest` for a time that no file system could hold.
pub(crate) fn timestamps(modified: Option<SystemTime>) -> Result<Timestamps> {
    let last_modification = match modified {
        None => Timespec {
            tv_sec: 0,
            tv_nsec: UTIME_NOW,
        },
        Some(time) => {
            let all = nanos(time);
            let seconds = i64::try_from(all.div_euclid(1_000_000_000)).map_err(|_| {
                Error::new(ErrorKind::BadRequest).because("a modified time out of range")
            })?;
            // Less than 10⁹, so it always fits.
            let rest = i32::try_from(all.rem_euclid(1_000_000_000)).unwrap_or(0);
            Timespec {
                tv_sec: seconds,
                tv_nsec: rest.into(),
            }
        }
    };
    let last_access = Timespec {
        tv_sec: 0,
        tv_nsec: UTIME_OMIT,
    };
    Ok(Timestamps {
        last_access,
        last_modification,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meta(kind: Kind) -> Meta {
        Meta {
            kind,
            mode: 0o644,
            size: 5,
            taken: 4096,
            modified: (1, 2),
            born: Some((3, 4)),
            inode: 6,
            device: 7,
            mount: 8,
            links: 1,
            owner: 0,
        }
    }

    #[test]
    fn each_part_changes_a_files_version_and_only_identity_a_folders() {
        let file = meta(Kind::File);
        for other in [
            Meta {
                size: 6,
                ..file.clone()
            },
            Meta {
                modified: (1, 3),
                ..file.clone()
            },
            Meta {
                born: Some((3, 5)),
                ..file.clone()
            },
            Meta {
                inode: 9,
                ..file.clone()
            },
        ] {
            assert_ne!(file.version(), other.version());
        }
        let folder = meta(Kind::Folder);
        assert_eq!(
            folder.version(),
            Meta {
                modified: (9, 9),
                ..folder.clone()
            }
            .version()
        );
        assert_ne!(
            folder.version(),
            Meta {
                inode: 9,
                ..folder.clone()
            }
            .version()
        );
    }

    #[test]
    fn extreme_times_make_versions_and_entries() {
        for seconds in [i64::MIN, -1, 0, i64::MAX] {
            let mut extreme = meta(Kind::File);
            (extreme.modified, extreme.born) = ((seconds, 999_999_999), Some((seconds, 0)));
            (extreme.inode, extreme.size) = (u64::MAX, u64::MAX);
            assert!(extreme.entry(Path::root(), None).version.as_str().len() <= Version::MAX);
        }
    }

    #[test]
    fn times_before_1970_count_nanoseconds_forwards() {
        let time = UNIX_EPOCH - std::time::Duration::from_nanos(1);
        let set = timestamps(Some(time)).unwrap().last_modification;
        assert_eq!((set.tv_sec, set.tv_nsec), (-1, 999_999_999));
    }
}
