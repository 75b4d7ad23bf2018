//! Small files for their owner alone, each replaced whole: keys, passwords, what is known of others.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, fchown};
use std::path::{Component, Path, PathBuf};
use std::sync::Mutex;
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime};

use rustix::fs::{FlockOperation, Mode, OFlags, flock, mkdirat, openat};
use rustix::io::Errno;
use rustix::process::geteuid;

use crate::locks::lock;
use crate::staged::random_bytes;

/// How often a lock that is waited for is tried.
const STEP: Duration = Duration::from_millis(20);
/// Tries in a row that found a lock shared: by then it is no other who only looked.
const SHARED: u32 = 5;
/// How the names end of what is not yet in its place.
const NEW: &str = ".new";
/// Whatever is older has nobody who writes it.
const OLD: Duration = Duration::from_secs(24 * 60 * 60);

/// Makes a folder for its owner alone, and those above it, where there is none. What root makes
/// belongs to whom the nearest folder belongs that was there: who uses it may be somebody else.
/// Blocks.
///
/// # Errors
/// What the system says.
pub fn make_private(folder: &Path) -> io::Result<()> {
    let there = folder.ancestors().find(|above| or_here(above).is_dir());
    let new = there.and_then(|there| folder.strip_prefix(there).ok());
    let plain = |name: Component<'_>| matches!(name, Component::Normal(_));
    match (there, new) {
        (Some(there), Some(new)) if geteuid().is_root() && new.components().all(plain) => {
            make_for_owner(or_here(there), new)
        }
        _ => DirBuilder::new().recursive(true).mode(0o700).create(folder),
    }
}

/// Makes these folders beneath one that is there, for its owner. By handles: whoever owns it can
/// put no link in the way.
fn make_for_owner(there: &Path, new: &Path) -> io::Result<()> {
    let mut at = File::open(there)?;
    let owner = at.metadata()?;
    for name in new {
        let made = match mkdirat(&at, name, Mode::RWXU) {
            Ok(()) => true,
            Err(Errno::EXIST) => false,
            Err(errno) => return Err(errno.into()),
        };
        let how = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        at = File::from(openat(&at, name, how, Mode::empty())?);
        if made {
            fchown(&at, Some(owner.uid()), Some(owner.gid()))?;
        }
    }
    Ok(())
}

/// How a lock is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    /// Beside others who hold it so, and for long.
    Shared,
    /// By nobody else, for a moment.
    Alone,
}

/// Locks a file for as long as what it gives is held. The file is made for its owner alone where
/// there is none, and stays; one that root made becomes its folder's owner's. Whoever has it alone
/// is waited for, at most so long; those who share it are there to stay, and not waited for. Blocks.
///
/// # Errors
/// `WouldBlock` when somebody else has it; what the system says.
pub fn lock_private(path: &Path, hold: Hold, patience: Duration) -> io::Result<File> {
    let file = open_lock(path)?;
    let how = match hold {
        Hold::Shared => FlockOperation::NonBlockingLockShared,
        Hold::Alone => FlockOperation::NonBlockingLockExclusive,
    };
    let since = Instant::now();
    let mut shared = 0;
    loop {
        match flock(&file, how) {
            Ok(()) => return Ok(file),
            Err(Errno::WOULDBLOCK) => {}
            Err(errno) => return Err(errno.into()),
        }
        shared = match hold == Hold::Alone && is_shared(&file)? {
            true => shared + 1,
            false => 0,
        };
        if since.elapsed() >= patience || shared >= SHARED {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        sleep(STEP);
    }
}

/// Do those who have this lock share it?
fn is_shared(file: &File) -> io::Result<bool> {
    match flock(file, FlockOperation::NonBlockingLockShared) {
        Ok(()) => flock(file, FlockOperation::Unlock)?,
        Err(Errno::WOULDBLOCK) => return Ok(false),
        Err(errno) => return Err(errno.into()),
    }
    Ok(true)
}

fn open_lock(path: &Path) -> io::Result<File> {
    let folder = File::open(folder_of(path))?;
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    let how = OFlags::WRONLY | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let mode = Mode::RUSR | Mode::WUSR;
    let file = File::from(openat(&folder, name, how | OFlags::CLOEXEC, mode)?);
    let (about, owner) = (file.metadata()?, folder.metadata()?);
    if !about.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    // Under its one name: nobody is given what he made another name of.
    if geteuid().is_root() && about.uid() == 0 && about.nlink() == 1 {
        fchown(&file, Some(owner.uid()), Some(owner.gid()))?;
    }
    Ok(file)
}

/// The folder that this lies in.
fn folder_of(path: &Path) -> &Path {
    or_here(path.parent().unwrap_or(Path::new("")))
}

/// What lies above a name alone is where one is.
fn or_here(folder: &Path) -> &Path {
    match folder.as_os_str().is_empty() {
        true => Path::new("."),
        false => folder,
    }
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
    let folder = folder_of(path);
    let owner = fs::metadata(path).or_else(|_| fs::metadata(folder))?;
    sweep_once(folder);
    let staged = beside(path)?;
    let written = (|| {
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&staged)?;
        if geteuid().is_root() {
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

/// A hidden name in the same folder that nobody else uses, nor guesses.
fn beside(path: &Path) -> io::Result<PathBuf> {
    let random = random_bytes().map_err(|error| io::Error::other(error.chain()))?;
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(format!(".{:032x}{NEW}", u128::from_le_bytes(random)));
    Ok(path.with_file_name(name))
}

/// Is this a name that [`beside`] makes?
fn is_beside(name: &OsStr) -> bool {
    let rest = name
        .as_bytes()
        .strip_prefix(b".")
        .and_then(|rest| rest.strip_suffix(NEW.as_bytes()));
    let Some((rest, random)) = rest.and_then(|rest| rest.split_last_chunk::<32>()) else {
        return false;
    };
    let is_hex = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    rest.len() > 1 && rest.ends_with(b".") && random.iter().all(is_hex)
}

/// Throws away what crashes left in a folder, before this process writes there for the first time.
/// What cannot be thrown away stays.
fn sweep_once(folder: &Path) {
    static SWEPT: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());
    if lock(&SWEPT).insert(folder.to_owned()) {
        let _ = sweep(folder, SystemTime::now());
    }
}

/// Removes the files that [`publish`] left in a folder, as far as they are ours and, at this time,
/// so old that nobody writes them any more.
fn sweep(folder: &Path, now: SystemTime) -> io::Result<()> {
    let (user, owner) = (geteuid(), fs::metadata(folder)?.uid());
    // What root writes belongs to the folder's owner.
    let is_ours = |uid| uid == user.as_raw() || user.is_root() && uid == owner;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if !is_beside(&entry.file_name()) {
            continue;
        }
        // Of the name itself, whatever it leads to.
        let Ok(about) = entry.metadata() else {
            continue;
        };
        let age = about.modified().and_then(|modified| {
            let age = now.duration_since(modified);
            age.map_err(io::Error::other)
        });
        if about.is_file() && is_ours(about.uid()) && age.is_ok_and(|age| age > OLD) {
            let _ = fs::remove_file(entry.path());
        }
    }
    Ok(())
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
    fn what_a_crash_left_goes_once_it_is_old_and_nothing_else_does() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path();
        let path = folder.join("known");
        let (one, another) = (beside(&path).unwrap(), beside(&path).unwrap());
        assert_ne!(one, another);
        assert!(is_beside(one.file_name().unwrap()));
        let random = "0123456789abcdef0123456789abcdef";
        let others = [
            "known".to_owned(),
            "x.new".to_owned(),
            ".known.new".to_owned(),
            format!(".{random}.new"),
            format!("..{random}.new"),
            format!("known.{random}.new"),
            format!(".known.{random}"),
            format!(".known.{}.new", random.to_uppercase()),
            format!(".known-{random}.new"),
        ];
        let old = SystemTime::now() - 2 * OLD;
        for name in &others {
            let file = File::create(folder.join(name)).unwrap();
            file.set_modified(old).unwrap();
        }
        File::create(&one).unwrap().set_modified(old).unwrap();
        // Somebody writes it now, or by a clock that went ahead.
        File::create(&another).unwrap();
        let ahead = beside(&path).unwrap();
        let tomorrow = SystemTime::now() + OLD;
        File::create(&ahead)
            .unwrap()
            .set_modified(tomorrow)
            .unwrap();
        let link = beside(&path).unwrap();
        std::os::unix::fs::symlink("known", &link).unwrap();
        let folder_of_the_name = beside(&path).unwrap();
        fs::create_dir(&folder_of_the_name).unwrap();
        replace_private(&path, b"first").unwrap();
        assert!(!one.exists());
        for name in &others {
            assert!(folder.join(name).exists(), "{name}");
        }
        for path in [&another, &ahead, &folder_of_the_name] {
            assert!(path.exists(), "{path:?}");
        }
        assert!(fs::symlink_metadata(&link).is_ok());
        // Once for each process: what is left later waits for the next.
        File::create(&one).unwrap().set_modified(old).unwrap();
        replace_private(&path, b"second").unwrap();
        assert!(one.exists());
        sweep(folder, SystemTime::now() + 2 * OLD).unwrap();
        assert!(!one.exists() && !another.exists());
        if geteuid().is_root() {
            // Another user's, in a folder that is not his.
            File::create(&one).unwrap().set_modified(old).unwrap();
            std::os::unix::fs::chown(&one, Some(12_345), None).unwrap();
            sweep(folder, SystemTime::now()).unwrap();
            assert!(one.exists());
        }
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

    /// A folder of somebody who is not root; none where that cannot be made.
    fn somebody_elses() -> Option<tempfile::TempDir> {
        if !geteuid().is_root() {
            eprintln!("skipped: only root gives files away");
            return None;
        }
        let home = tempfile::tempdir().unwrap();
        std::os::unix::fs::chown(home.path(), Some(12_345), Some(12_346)).unwrap();
        Some(home)
    }

    #[test]
    fn a_lock_is_shared_or_held_alone() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("lock");
        let lock = |hold, patience| lock_private(&path, hold, patience).map_err(|e| e.kind());
        let (none, long) = (Duration::ZERO, Duration::from_secs(3600));
        let one = lock(Hold::Shared, none).unwrap();
        assert_eq!(one.metadata().unwrap().mode() & 0o777, 0o600);
        let another = lock(Hold::Shared, none).unwrap();
        // They stay: however much patience there is, nobody waits for them.
        let alone = lock(Hold::Alone, long);
        assert_eq!(alone.unwrap_err(), io::ErrorKind::WouldBlock);
        drop((one, another));
        let alone = lock(Hold::Alone, none).unwrap();
        for hold in [Hold::Alone, Hold::Shared] {
            assert_eq!(lock(hold, none).unwrap_err(), io::ErrorKind::WouldBlock);
        }
        // Whoever has it alone is waited for.
        let waits = std::thread::spawn(move || lock_private(&path, Hold::Alone, long).map(drop));
        sleep(STEP * (SHARED + 2));
        assert!(!waits.is_finished());
        drop(alone);
        waits.join().unwrap().unwrap();
    }

    #[test]
    fn what_root_makes_and_locks_belongs_to_whose_folder_it_is_in() {
        let Some(home) = somebody_elses() else { return };
        let folder = home.path().join("a/b");
        make_private(&folder).unwrap();
        let lock = folder.join("lock");
        lock_private(&lock, Hold::Alone, Duration::ZERO).unwrap();
        for made in [&home.path().join("a"), &folder, &lock] {
            let about = fs::metadata(made).unwrap();
            assert_eq!((about.uid(), about.gid()), (12_345, 12_346), "{made:?}");
        }
        // What root has elsewhere is not given away by a link or another name.
        let roots = tempfile::tempdir().unwrap();
        let secret = roots.path().join("secret");
        fs::write(&secret, "x").unwrap();
        let (link, name) = (folder.join("link"), folder.join("name"));
        std::os::unix::fs::symlink(&secret, &link).unwrap();
        lock_private(&link, Hold::Alone, Duration::ZERO).unwrap_err();
        if fs::hard_link(&secret, &name).is_ok() {
            lock_private(&name, Hold::Alone, Duration::ZERO).unwrap();
        }
        assert_eq!(fs::metadata(&secret).unwrap().uid(), 0);
    }

    #[test]
    fn what_root_replaces_belongs_to_whom_it_belonged_to() {
        let Some(home) = somebody_elses() else { return };
        let path = home.path().join("accounts");
        for content in ["new", "replaced"] {
            replace_private(&path, content.as_bytes()).unwrap();
            let about = fs::metadata(&path).unwrap();
            assert_eq!((about.uid(), about.gid()), (12_345, 12_346));
        }
    }
}
