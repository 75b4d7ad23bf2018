//! The files of the audit log: the one that is written, and the rotated ones beside it.
//!
//! `audit.jsonl` becomes `audit-00000001.jsonl`, `audit-00000002.jsonl` and so on; the oldest go
//! when all of them together take more than is kept.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::AuditPlan;

/// Into how many files what is kept is cut, and how large one of them may be.
const PARTS: u64 = 16;
const SMALLEST: u64 = 16 * 1024;
const LARGEST: u64 = 64 * 1024 * 1024;

/// The file that is written.
#[derive(Debug)]
pub(super) struct LogFile {
    plan: AuditPlan,
    file: File,
    size: u64,
    /// The last write stopped in the middle of a line.
    torn: bool,
}

impl LogFile {
    /// Opens or makes it.
    pub(super) fn open(plan: &AuditPlan) -> io::Result<Self> {
        if let Some(folder) = plan
            .path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty())
        {
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(folder)?;
        }
        let file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .mode(0o600)
            .custom_flags(nofollow())
            .open(&plan.path)?;
        let about = file.metadata()?;
        if !about.is_file() {
            return Err(io::Error::other("not a regular file"));
        }
        if about.nlink() > 1 {
            // It was being rotated when the server was stopped.
            fs::remove_file(&plan.path)?;
            return Self::open(plan);
        }
        let torn = !ends_a_line(&file, about.len())?;
        Ok(Self {
            plan: plan.clone(),
            file,
            size: about.len(),
            torn,
        })
    }

    /// Appends whole lines in one write. After a failure the next write begins a new line, so that
    /// at most one line is half.
    pub(super) fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        if !self.is_in_place() {
            *self = Self::open(&self.plan)?;
        }
        if self.size > 0 && self.size + lines.len() as u64 > self.most() {
            self.rotate()?;
        }
        if self.torn {
            self.file.write_all(b"\n")?;
            self.size += 1;
        }
        self.torn = true;
        self.file.write_all(lines)?;
        self.torn = false;
        self.size += lines.len() as u64;
        Ok(())
    }

    /// Flushes, as far as that is possible.
    pub(super) fn sync(&self) {
        let _ = self.file.sync_data();
    }

    /// The largest one file may get.
    fn most(&self) -> u64 {
        (self.plan.keep / PARTS).clamp(SMALLEST, LARGEST)
    }

    /// Is what is open still what has the name? Others may have moved it away.
    fn is_in_place(&self) -> bool {
        let same = |open: fs::Metadata, named: fs::Metadata| {
            open.ino() == named.ino() && open.dev() == named.dev()
        };
        match (self.file.metadata(), fs::symlink_metadata(&self.plan.path)) {
            (Ok(open), Ok(named)) => same(open, named),
            _ => false,
        }
    }

    fn rotate(&mut self) -> io::Result<()> {
        self.sync();
        // Another server may keep its log in the same file: a link never takes another's place.
        loop {
            let rotated = rotated(&self.plan.path)?;
            let next = rotated.last().map_or(1, |last| last.number + 1);
            match fs::hard_link(&self.plan.path, numbered(&self.plan.path, next)) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                linked => break linked?,
            }
        }
        if self.is_in_place() {
            fs::remove_file(&self.plan.path)?;
        }
        *self = Self::open(&self.plan)?;
        self.drop_oldest()
    }

    /// Leaves room for one more whole file beside those that are kept.
    fn drop_oldest(&self) -> io::Result<()> {
        let rotated = rotated(&self.plan.path)?;
        let mut all: u64 = rotated.iter().map(|file| file.size).sum();
        let most = self.plan.keep.saturating_sub(self.most());
        for file in rotated {
            if all <= most {
                break;
            }
            fs::remove_file(&file.path)?;
            all -= file.size;
        }
        Ok(())
    }
}

fn nofollow() -> i32 {
    i32::try_from(rustix::fs::OFlags::NOFOLLOW.bits()).unwrap_or(0)
}

/// Is it empty, or is its last byte the end of a line?
fn ends_a_line(mut file: &File, size: u64) -> io::Result<bool> {
    if size == 0 {
        return Ok(true);
    }
    let mut last = [0];
    file.seek(SeekFrom::Start(size - 1))?;
    file.read_exact(&mut last)?;
    Ok(last == *b"\n")
}

/// A rotated file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rotated {
    pub(super) number: u64,
    pub(super) path: PathBuf,
    pub(super) size: u64,
    pub(super) inode: u64,
}

/// The rotated files of this log, oldest first.
pub(super) fn rotated(path: &Path) -> io::Result<Vec<Rotated>> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let Some(number) = entry
            .file_name()
            .to_str()
            .and_then(|name| number(path, name))
        else {
            continue;
        };
        // It may have gone meanwhile.
        if let Ok(about) = entry.metadata()
            && about.is_file()
        {
            found.push(Rotated {
                number,
                path: entry.path(),
                size: about.len(),
                inode: about.ino(),
            });
        }
    }
    found.sort_by_key(|file| file.number);
    Ok(found)
}

/// The name's stem, and its extension with the dot.
fn parts(path: &Path) -> (String, String) {
    let text =
        |part: Option<&std::ffi::OsStr>| part.map(|part| part.to_string_lossy().into_owned());
    let stem = text(path.file_stem()).unwrap_or_else(|| "audit".to_owned());
    let extension = text(path.extension()).map_or_else(String::new, |dot| format!(".{dot}"));
    (stem, extension)
}

fn numbered(path: &Path, number: u64) -> PathBuf {
    let (stem, extension) = parts(path);
    path.with_file_name(format!("{stem}-{number:08}{extension}"))
}

/// The number of a rotated file's name.
fn number(path: &Path, name: &str) -> Option<u64> {
    let (stem, extension) = parts(path);
    let digits = name
        .strip_prefix(stem.as_str())?
        .strip_prefix('-')?
        .strip_suffix(extension.as_str())?;
    let sound = digits.len() >= 8 && digits.bytes().all(|b| b.is_ascii_digit());
    sound.then(|| digits.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_rotated_and_all_of_them_bounded() {
        let home = tempfile::tempdir().unwrap();
        let plan = AuditPlan {
            path: home.path().join("audit.jsonl"),
            keep: PARTS * SMALLEST,
        };
        fs::write(home.path().join("audit-x.jsonl"), "not ours").unwrap();
        let mut log = LogFile::open(&plan).unwrap();
        let line = [b"{".repeat(999), b"\n".to_vec()].concat();
        for _ in 0..1000 {
            log.append(&line).unwrap();
        }
        let rotated = rotated(&plan.path).unwrap();
        let all: u64 = rotated.iter().map(|file| file.size).sum();
        let now = fs::metadata(&plan.path).unwrap().len();
        assert!(all + now <= plan.keep, "{all} + {now}");
        assert!(all + now > plan.keep / 2, "{all} + {now}");
        assert!(rotated.first().unwrap().number > 1, "the oldest went");
        let numbers: Vec<u64> = rotated.iter().map(|file| file.number).collect();
        assert!(
            numbers.windows(2).all(|pair| pair[0] + 1 == pair[1]),
            "{numbers:?}"
        );
        assert!(home.path().join("audit-x.jsonl").exists());
    }

    #[test]
    fn a_half_line_is_closed_off() {
        let home = tempfile::tempdir().unwrap();
        let plan = AuditPlan::at(home.path().join("audit.jsonl"));
        fs::write(&plan.path, "{\"whole\":1}\n{\"ha").unwrap();
        let mut log = LogFile::open(&plan).unwrap();
        log.append(b"{\"next\":1}\n").unwrap();
        let text = fs::read_to_string(&plan.path).unwrap();
        assert_eq!(text, "{\"whole\":1}\n{\"ha\n{\"next\":1}\n");
    }

    #[test]
    fn a_link_in_its_place_is_not_written_through() {
        let home = tempfile::tempdir().unwrap();
        let plan = AuditPlan::at(home.path().join("audit.jsonl"));
        std::os::unix::fs::symlink(home.path().join("elsewhere"), &plan.path).unwrap();
        assert!(LogFile::open(&plan).is_err());
        assert!(!home.path().join("elsewhere").exists());
    }
}
