//! Small files for their owner alone, each replaced whole: keys, passwords, what is known of others.

use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Makes a folder for its owner alone, and those above it, where there is none. Blocks.
///
/// # Errors
/// What the system says.
pub fn make_private(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// Puts a file with this content, which only its owner may read, in the place of what has the name:
/// beside, flush, rename, flush the folder. Whole or not at all, also after a crash; on disk when
/// it returns. What root replaces belongs to whom it belonged to, or to whom the folder belongs:
/// who uses it may be somebody else. Blocks.
///
/// # Errors
/// What the system says, also when there is no folder; then what was there still is.
pub fn replace_private(path: &Path, content: &[u8]) -> io::Result<()> {
    publish(path, content, |staged| fs::rename(staged, path))
}

/// As [`replace_private`], but what has the name already stays, and that is no error.
///
/// # Errors
/// As [`replace_private`].
pub fn keep_private(path: &Path, content: &[u8]) -> io::Result<()> {
    publish(path, content, |staged| {
        match fs::hard_link(staged, path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            linked => linked?,
        }
        fs::remove_file(staged)
    })
}

fn publish(
    path: &Path,
    content: &[u8],
    take: impl FnOnce(&Path) -> io::Result<()>,
) -> io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let owner = fs::metadata(path).or_else(|_| fs::metadata(folder))?;
    let staged = beside(path);
    let written = (|| {
        // One that a crash left, of a process that had our number.
        let _ = fs::remove_file(&staged);
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&staged)?;
        if rustix::process::geteuid().is_root() {
            fchown(&file, Some(owner.uid()), Some(owner.gid()))?;
        }
        file.write_all(content)?;
        file.sync_all()?;
        take(&staged)?;
        File::open(folder)?.sync_all()
    })();
    if written.is_err() {
        let _ = fs::remove_file(&staged);
    }
    written
}

/// A hidden name in the same folder that nobody else uses.
fn beside(path: &Path) -> PathBuf {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(format!(".{}.{number}.new", std::process::id()));
    path.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_is_replaced_whole_and_is_for_its_owner_alone() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("a/b");
        let path = folder.join("key");
        assert!(replace_private(&path, b"no folder").is_err());
        make_private(&folder).unwrap();
        make_private(&folder).unwrap();
        assert_eq!(fs::metadata(&folder).unwrap().mode() & 0o777, 0o700);
        keep_private(&path, b"first").unwrap();
        keep_private(&path, b"late").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"first");
        let old = fs::metadata(&path).unwrap().ino();
        replace_private(&path, b"second").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"second");
        let about = fs::metadata(&path).unwrap();
        assert_eq!(about.mode() & 0o777, 0o600);
        assert_ne!(about.ino(), old, "what was open is as it was");
        assert_eq!(names(&folder), ["key"]);
        // What cannot be replaced leaves nothing beside.
        fs::create_dir(folder.join("folder")).unwrap();
        assert!(replace_private(&folder.join("folder"), b"x").is_err());
        assert_eq!(names(&folder), ["folder", "key"]);
    }

    #[test]
    fn many_at_once_leave_one_whole_content() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("known");
        let content = |number: u8| vec![number; 10_000];
        std::thread::scope(|scope| {
            for number in 0..8 {
                let path = &path;
                scope.spawn(move || replace_private(path, &content(number)).unwrap());
            }
        });
        let left = fs::read(&path).unwrap();
        assert!((0..8).any(|number| left == content(number)));
        assert_eq!(names(home.path()), ["known"]);
    }

    #[test]
    fn what_root_replaces_belongs_to_whom_it_belonged_to() {
        if !rustix::process::geteuid().is_root() {
            eprintln!("skipped: only root gives files away");
            return;
        }
        let home = tempfile::tempdir().unwrap();
        std::os::unix::fs::chown(home.path(), Some(12_345), Some(12_346)).unwrap();
        let path = home.path().join("accounts");
        for content in ["new", "replaced"] {
            replace_private(&path, content.as_bytes()).unwrap();
            let about = fs::metadata(&path).unwrap();
            assert_eq!((about.uid(), about.gid()), (12_345, 12_346));
        }
    }
}
