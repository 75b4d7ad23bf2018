//! Linux.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::fs::{
    Advice, AtFlags, FallocateFlags, Mode, OFlags, ResolveFlags, StatxFlags, XattrFlags, openat2,
    statx,
};
use rustix::io::{Errno, Result};
use rustix::path::Arg;

use crate::meta::{Meta, kind_of};

/// How a folder is opened on the way: nothing of it is read, so search permission is enough.
pub(crate) const FOLDER: OFlags = OFlags::PATH
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

/// The attribute that keeps a file's digest.
const NOTE: &str = "user.gaveta.digest";
/// Longer than any note of ours.
const NOTE_MAX: usize = 512;

/// Opens the folder at a path beneath `root`, in one step. `AGAIN` when somebody renames on the
/// way all the time; `NOSYS` and `PERM` when this kernel or its filter does not do it.
pub(crate) fn resolve(root: BorrowedFd<'_>, path: &str) -> Result<OwnedFd> {
    let how = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    for _ in 0..64 {
        match openat2(root, path, FOLDER, Mode::empty(), how) {
            Err(Errno::AGAIN | Errno::INTR) => {}
            result => return result,
        }
    }
    Err(Errno::AGAIN)
}

const WANTED: StatxFlags = StatxFlags::BASIC_STATS
    .union(StatxFlags::BTIME)
    .union(StatxFlags::MNT_ID);

/// What has this name; a link is not followed and nothing is mounted by looking.
pub(crate) fn meta_at(folder: impl AsFd, name: impl Arg) -> Result<Meta> {
    let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT;
    statx(folder, name, flags, WANTED).map(|found| meta(&found))
}

/// What is open.
pub(crate) fn meta_of(open: impl AsFd) -> Result<Meta> {
    statx(open, "", AtFlags::EMPTY_PATH, WANTED).map(|found| meta(&found))
}

fn meta(found: &rustix::fs::Statx) -> Meta {
    let has = |flag: StatxFlags| found.stx_mask & flag.bits() != 0;
    let device = (u64::from(found.stx_dev_major) << 32) | u64::from(found.stx_dev_minor);
    let mode = u32::from(found.stx_mode);
    Meta {
        kind: kind_of(mode),
        mode,
        size: found.stx_size,
        taken: found.stx_blocks.saturating_mul(512),
        modified: (found.stx_mtime.tv_sec, found.stx_mtime.tv_nsec),
        born: has(StatxFlags::BTIME).then_some((found.stx_btime.tv_sec, found.stx_btime.tv_nsec)),
        inode: found.stx_ino,
        device,
        // The device tells mounts apart where the kernel (before 5.8) does not number them.
        mount: if has(StatxFlags::MNT_ID) {
            found.stx_mnt_id
        } else {
            device
        },
        links: u64::from(found.stx_nlink),
        owner: found.stx_uid,
    }
}

/// Takes the room for so many bytes now, where the file system can. The size does not change.
pub(crate) fn preallocate(file: impl AsFd, length: u64) -> Result<()> {
    match rustix::fs::fallocate(file, FallocateFlags::KEEP_SIZE, 0, length) {
        Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL | Errno::INTR) => Ok(()),
        result => result,
    }
}

/// Reads what the system has in memory of a file at this offset, without waiting for its disk.
/// None: it has nothing of it, or cannot tell (before Linux 4.14, or on some file systems).
pub(crate) fn read_cached(file: impl AsFd, into: &mut [u8], offset: u64) -> Option<usize> {
    let mut into = [std::io::IoSliceMut::new(into)];
    rustix::io::preadv2(file, &mut into, offset, rustix::io::ReadWriteFlags::NOWAIT).ok()
}

/// The system's own way, for [`flush`](super::flush) alone.
pub(crate) fn flush_now(open: impl AsFd) -> Result<()> {
    rustix::fs::fsync(open)
}

/// Has the disk begin with what was written in this range. Waits for nothing but its queue, and
/// promises nothing. Its name is of what the call is for when nothing is left to write
/// (`posix_fadvise(2)`, `POSIX_FADV_DONTNEED`): Linux begins with what is, and lets only go what is
/// on the disk already.
pub(crate) fn begin_flush(file: impl AsFd, range: std::ops::Range<u64>) {
    if let Some(length) = std::num::NonZeroU64::new(range.end.saturating_sub(range.start)) {
        let _ = rustix::fs::fadvise(file, range.start, Some(length), Advice::DontNeed);
    }
}

/// Does the file system's journal keep the order of all changes of names, so that the flush of one
/// folder makes those before it in others survive too? So ext4 with a journal (which has one order
/// for all) and XFS (its log too); of others it is not relied on.
pub(crate) fn orders_names(folder: impl AsFd) -> bool {
    /// Of ext2 and ext3 too (`statfs(2)`).
    const EXT4: i64 = 0xEF53;
    const XFS: i64 = 0x5846_5342;
    #[allow(
        clippy::unnecessary_cast,
        clippy::cast_lossless,
        reason = "the width differs from system to system"
    )]
    match rustix::fs::fstatfs(&folder).map(|all| all.f_type as i64) {
        Ok(XFS) => true,
        Ok(EXT4) => has_journal(folder).unwrap_or(false),
        Ok(_) | Err(_) => false,
    }
}

/// Has the ext4 that this folder lies on a journal in itself? None when the system does not say.
/// The kernel lists the journals in use, each by the name of its device and the inode it lies in
/// (`/proc/fs/jbd2/DEVICE-INODE`; Linux, fs/jbd2/journal.c, `jbd2_journal_init_inode`).
fn has_journal(folder: impl AsFd) -> Option<bool> {
    let device = meta_of(folder).ok()?.device;
    let numbers = format!("{}:{}", device >> 32, device & u64::from(u32::MAX));
    let device = std::fs::read_link(format!("/sys/dev/block/{numbers}")).ok()?;
    let device = device.file_name()?.to_str()?;
    let journals = std::fs::read_dir("/proc/fs/jbd2").ok()?;
    let mut names = journals.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    Some(names.any(|name| is_journal_of(device, &name)))
}

fn is_journal_of(device: &str, name: &str) -> bool {
    name.strip_prefix(device)
        .and_then(|rest| rest.strip_prefix('-'))
        .is_some_and(|inode| !inode.is_empty() && inode.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Lets the system forget what it holds of a file in memory, so that it is read from the disk. Best
/// effort.
pub(crate) fn forget_cached(file: impl AsFd) {
    let _ = rustix::fs::fadvise(file, 0, None, rustix::fs::Advice::DontNeed);
}

/// What tells one start of the system from another: what was not flushed survives only within one.
pub(crate) fn boot() -> Option<String> {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(id.trim().to_owned()).filter(|id| !id.is_empty())
}

/// The digest note of an open file.
pub(crate) fn note(file: impl AsFd) -> Option<String> {
    let mut space = Vec::with_capacity(NOTE_MAX);
    rustix::fs::fgetxattr(file, NOTE, rustix::buffer::spare_capacity(&mut space)).ok()?;
    String::from_utf8(space).ok()
}

/// Sets the digest note of an open file.
pub(crate) fn set_note(file: impl AsFd, text: &str) -> Result<()> {
    rustix::fs::fsetxattr(file, NOTE, text.as_bytes(), XattrFlags::empty())
}

/// Copies up to `length` bytes from an offset of one file to one of the other, inside the kernel,
/// sharing extents where the file system can. None: it cannot between these two.
pub(crate) fn copy_range(
    (from, mut read): (impl AsFd, u64),
    (to, mut written): (impl AsFd, u64),
    length: usize,
) -> Result<Option<usize>> {
    match rustix::fs::copy_file_range(from, Some(&mut read), to, Some(&mut written), length) {
        Ok(copied) => Ok(Some(copied)),
        Err(
            Errno::XDEV
            | Errno::INVAL
            | Errno::NOSYS
            | Errno::OPNOTSUPP
            | Errno::PERM
            | Errno::INTR,
        ) => Ok(None),
        Err(errno) => Err(errno),
    }
}

/// Is something mounted at or beneath this open folder? None when the system does not say.
///
/// The mount table is asked, not the tree: it knows mounts at any depth, on files too, without
/// a walk. Its columns: `proc_pid_mountinfo(5)`.
pub(crate) fn mounts_beneath(folder: impl AsFd) -> Option<bool> {
    use std::os::unix::ffi::OsStrExt;
    let link = format!("/proc/self/fd/{}", folder.as_fd().as_raw_fd());
    let here = std::fs::read_link(link).ok()?;
    let here = here.as_os_str().as_bytes();
    let table = std::fs::read("/proc/self/mountinfo").ok()?;
    let mut points = table
        .split(|&byte| byte == b'\n')
        .filter_map(|line| line.split(|&byte| byte == b' ').nth(4))
        .map(unescape);
    Some(points.any(|point| {
        point
            .strip_prefix(here)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
    }))
}

/// Undoes the table's `\040` for a space and the like.
fn unescape(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, tail @ ..] = rest {
        rest = tail;
        match (first, tail) {
            (
                b'\\',
                [
                    a @ b'0'..=b'3',
                    b @ b'0'..=b'7',
                    c @ b'0'..=b'7',
                    after @ ..,
                ],
            ) => {
                out.push((a - b'0') * 64 + (b - b'0') * 8 + (c - b'0'));
                rest = after;
            }
            _ => out.push(*first),
        }
    }
    out
}

/// The process's file mode mask, read without changing it even for a moment.
pub(crate) fn umask() -> u32 {
    let read = || {
        let status = std::fs::read_to_string("/proc/self/status").ok()?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("Umask:"))?;
        u32::from_str_radix(line.trim(), 8).ok()
    };
    read().unwrap_or(0o022)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_escapes_are_undone() {
        assert_eq!(unescape(br"/a\040b\134c"), b"/a b\\c");
        assert_eq!(unescape(br"/a\9"), br"/a\9");
        assert_eq!(unescape(b""), b"");
    }

    #[test]
    fn a_journal_is_known_by_its_device_and_inode() {
        assert!(is_journal_of("sda1", "sda1-8"));
        assert!(is_journal_of("dm-0", "dm-0-8"));
        assert!(is_journal_of("cciss!c0d0", "cciss!c0d0-8"));
        for (device, name) in [
            ("sda1", "sda11-8"),
            ("sda1", "sda1"),
            ("sda1", "sda1-"),
            ("dm-0", "dm-0"),
            ("dm", "dm-0-8"),
            ("vda", "vdb-8"),
        ] {
            assert!(!is_journal_of(device, name), "{device} {name}");
        }
    }

    #[test]
    #[allow(clippy::print_stderr, reason = "it says that it is skipped")]
    fn an_ext4_keeps_the_order_of_names_by_its_journal() {
        let run = |program: &str, words: &[&str]| {
            let mut command = std::process::Command::new(program);
            let ended = command.args(words).stderr(std::process::Stdio::null());
            ended.status().is_ok_and(|status| status.success())
        };
        for (feature, ordered) in [("has_journal", true), ("^has_journal", false)] {
            let (image, place) = (
                tempfile::NamedTempFile::new().unwrap(),
                tempfile::tempdir().unwrap(),
            );
            image.as_file().set_len(32 << 20).unwrap();
            let (image, at) = (image.path(), place.path().to_str().unwrap());
            let image = image.to_str().unwrap();
            if !run("mkfs.ext4", &["-q", "-F", "-O", feature, image])
                || !run("mount", &["-o", "loop", image, at])
            {
                eprintln!("skipped: no ext4 can be made and mounted here");
                return;
            }
            let found = orders_names(open_path(at));
            assert!(run("umount", &[at]));
            assert_eq!(found, ordered, "{feature}");
        }
    }

    #[test]
    fn the_root_has_mounts_beneath_and_a_new_folder_none() {
        let root = open_path("/");
        assert_eq!(mounts_beneath(&root), Some(true));
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(mounts_beneath(open_path(folder.path())), Some(false));
    }

    fn open_path(path: impl Arg) -> OwnedFd {
        rustix::fs::open(path, FOLDER, Mode::empty()).unwrap()
    }
}
