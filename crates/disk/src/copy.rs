//! Copying: into staging first, then published like an upload; a folder appears whole.

use std::ffi::CString;
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicBool, Ordering};

use gaveta_core::listing::from_nanos;
use gaveta_core::path::RESERVED;
use gaveta_core::{Entry, Error, ErrorKind, Kind, MovePlan, Path, Result, Version};
use rustix::fs::{Dir, Mode, OFlags};

use crate::base::{Base, open_file};
use crate::errno::{Os, error_of};
use crate::meta::{Meta, timestamps};
use crate::moving::{coming, described};
use crate::publish::{
    Attributes, Coming, check_replace, check_version, into_place, publish, raw_mode,
};
use crate::reading::read_range;
use crate::staged::{Place, Staged};
use crate::{note, os, remove};

/// How much is copied between two looks at whether it is still wanted.
const STEP: u64 = 8 << 20;
/// How much is read at once where the kernel cannot copy.
const PIECE: u64 = 1 << 20;
/// How much is copied before it counts as done where there may be no room.
const ROOMY_STEP: u64 = 4 << 20;
/// Deeper trees are refused: each level holds two folders open.
const MAX_LEVELS: usize = 256;

/// Copies what is at `from` to `to`. Ends early, leaving nothing, once `stop` is set.
pub(crate) fn copy(
    base: &Base,
    from: &Path,
    to: &Path,
    plan: &MovePlan,
    stop: &AtomicBool,
) -> Result<Entry> {
    base.check_writable()?;
    if from.is_root() || to.is_root() {
        return Err(Error::at(ErrorKind::BadMove, from));
    }
    let source = base.look(from)?;
    check_version(&source, plan.version.as_ref()).map_err(|error| error.about(from))?;
    if from == to {
        return described(base, to);
    }
    let coming = coming(&source, from, to)?;
    if matches!(source.kind, Kind::Link | Kind::Special) {
        return Err(Error::at(ErrorKind::NotRegular, from));
    }
    let there = match base.look(to) {
        Ok(there) => Some(there),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    // Early, before much is copied; it is looked at again when the copy is put in place.
    check_replace(there.as_ref(), &plan.replace, coming).map_err(|error| error.about(to))?;
    if coming == Coming::Folder {
        copy_folder(base, from, to, plan, stop)
    } else {
        copy_file(base, from, to, plan, stop)
    }
}

fn copy_file(
    base: &Base,
    from: &Path,
    to: &Path,
    plan: &MovePlan,
    stop: &AtomicBool,
) -> Result<Entry> {
    let (file, meta) = base.file(from)?;
    check_version(&meta, plan.version.as_ref()).map_err(|error| error.about(from))?;
    let staged = Place::near(base, to)?.create()?;
    copy_content(&file.into(), &meta, &staged.file, stop)
        .map_err(|error| error.about(from))
        .and_then(|digest| {
            let attributes = Attributes {
                modified: Some(meta.entry(to.clone(), None).modified),
                executable: Some(meta.mode & 0o100 != 0),
                digest,
                outline: None,
            };
            let by = plan.by.as_ref();
            publish(
                base,
                &staged,
                to,
                &plan.replace,
                &attributes,
                Coming::Entry,
                by,
            )
        })
}

/// Copies so many bytes from an offset of one file to one of the other, in the kernel where it can.
///
/// # Errors
/// `LengthMismatch` when the source ends before.
pub(crate) fn copy_span(
    (from, read): (&File, u64),
    (to, written): (&File, u64),
    length: u64,
    stop: &AtomicBool,
) -> Result<()> {
    let mut done = 0;
    let mut in_kernel = true;
    while done < length {
        if stop.load(Ordering::Relaxed) {
            return Err(Error::new(ErrorKind::Closing).because("nobody waits for the copy"));
        }
        if in_kernel {
            let step = usize::try_from((length - done).min(STEP)).unwrap_or(usize::MAX);
            match os::copy_range((from, read + done), (to, written + done), step).os()? {
                Some(0) => return Err(Error::new(ErrorKind::LengthMismatch)),
                Some(copied) => done += copied as u64,
                None => in_kernel = false,
            }
        } else {
            let step = (length - done).min(PIECE);
            let at = read + done;
            to.write_all_at(&read_range(from, at..at + step)?, written + done)?;
            done += step;
        }
    }
    Ok(())
}

/// As [`copy_span`] to where so much may lie, in steps: where there is no room for one, the trash
/// gives way ([`Base::roomy`]). What the file system shares takes none, however much is free.
///
/// # Errors
/// As [`copy_span`]; `NoSpace`.
pub(crate) fn copy_roomy(
    base: &Base,
    (from, read): (&File, u64),
    (to, written): (&File, u64),
    length: u64,
) -> Result<()> {
    let never = AtomicBool::new(false);
    let mut done = 0;
    while done < length {
        let step = (length - done).min(ROOMY_STEP);
        // A step that failed in its middle is done again from its beginning.
        base.roomy(|| copy_span((from, read + done), (to, written + done), step, &never))?;
        done += step;
    }
    Ok(())
}

/// Copies a whole content, and tells its digest where one was kept.
///
/// # Errors
/// `LengthMismatch` when the source changes meanwhile.
pub(crate) fn copy_content(
    from: &File,
    meta: &Meta,
    to: &File,
    stop: &AtomicBool,
) -> Result<Option<gaveta_core::Digest>> {
    let digest = note::read(from, meta);
    os::preallocate(to, meta.size.max(1)).os()?;
    copy_span((from, 0), (to, 0), meta.size, stop)?;
    if os::meta_of(from).os()?.version() != meta.version() {
        return Err(Error::new(ErrorKind::LengthMismatch));
    }
    Ok(digest)
}

/// Stages a copy of the file at `path`, which has this name, with its times, mode and digest; whole
/// and flushed. Tells of which version it is.
///
/// # Errors
/// `LengthMismatch` when the file changes meanwhile; nothing is left then.
pub(crate) fn stage_copy(
    base: &Base,
    (folder, name): (&OwnedFd, &str),
    path: &Path,
) -> Result<(Staged, Version)> {
    let (file, meta) = open_file(folder, name, OFlags::RDONLY)?;
    let staged = Place::near(base, path)?.create()?;
    let copy = &staged.file;
    let digest = copy_content(&file.into(), &meta, copy, &AtomicBool::new(false))?;
    set_times(copy, &meta)?;
    if let Some(digest) = &digest {
        note::write(copy, &os::meta_of(copy).os()?.version(), digest);
    }
    rustix::fs::fchmod(copy, raw_mode(meta.mode & 0o777)).os()?;
    staged.flush(base)?;
    Ok((staged, meta.version()))
}

fn copy_folder(
    base: &Base,
    from: &Path,
    to: &Path,
    plan: &MovePlan,
    stop: &AtomicBool,
) -> Result<Entry> {
    let source = base.folder(from)?;
    let place = Place::near(base, to)?;
    let copied = copy_tree(base, source, &place, stop).and_then(|()| {
        let _held = base.locks.hold(&[to]);
        into_place(
            base,
            (&*place.folder, &place.name),
            to,
            &plan.replace,
            Coming::Folder,
            plan.by.as_ref(),
        )
    });
    if let Err(error) = copied {
        if let Err(left) = remove::remove_place(&place) {
            tracing::warn!(
                error = left.chain(),
                "a copy that failed leaves something behind"
            );
        }
        return Err(error.about(from));
    }
    described(base, to)
}

/// A folder that is being copied.
struct Level {
    from: OwnedFd,
    names: Dir,
    to: OwnedFd,
    meta: Meta,
}

impl Level {
    fn open(from: OwnedFd, into: impl AsFd, name: impl rustix::path::Arg + Copy) -> Result<Self> {
        let meta = os::meta_of(&from).os()?;
        let names = os::open_readable(&from).and_then(Dir::new).os()?;
        rustix::fs::mkdirat(&into, name, Mode::from_raw_mode(0o700)).os()?;
        let to = os::open_folder(into, name).os()?;
        Ok(Self {
            from,
            names,
            to,
            meta,
        })
    }

    /// Gives the copy the source's mode and time, once nothing comes into it any more.
    fn finish(&self, base: &Base) -> Result<()> {
        let to = os::open_readable(&self.to).os()?;
        rustix::fs::fchmod(&to, raw_mode(self.meta.mode & 0o777 & !base.umask | 0o700)).os()?;
        set_times(&to, &self.meta)?;
        base.flush_folder(&self.to)
    }
}

fn set_times(open: impl AsFd, meta: &Meta) -> Result<()> {
    let all = i128::from(meta.modified.0) * 1_000_000_000 + i128::from(meta.modified.1);
    rustix::fs::futimens(open, &timestamps(from_nanos(all))?).os()
}

/// Copies the files and folders of a tree, skipping everything else.
fn copy_tree(base: &Base, from: OwnedFd, place: &Place, stop: &AtomicBool) -> Result<()> {
    let mut levels = vec![Level::open(from, &*place.folder, place.name.as_str())?];
    while let Some(level) = levels.last_mut() {
        let Some(found) = level.names.read() else {
            level.finish(base)?;
            levels.pop();
            continue;
        };
        let name: CString = found.os()?.file_name().to_owned();
        let raw = name.to_bytes();
        if raw == b"." || raw == b".." || raw.eq_ignore_ascii_case(RESERVED.as_bytes()) {
            continue;
        }
        match os::meta_at(&level.from, name.as_c_str()) {
            Err(rustix::io::Errno::NOENT) => {}
            Err(errno) => return Err(error_of(errno)),
            Ok(meta) if meta.kind == Kind::File => copy_one(base, level, &name, stop)?,
            Ok(meta) if meta.kind == Kind::Folder => {
                if levels.len() >= MAX_LEVELS {
                    return Err(Error::new(ErrorKind::Unsupported).because("too deep to copy"));
                }
                if let Some(level) = levels.last() {
                    let inner = os::open_folder(&level.from, name.as_c_str()).os()?;
                    let next = Level::open(inner, &level.to, name.as_c_str())?;
                    levels.push(next);
                }
            }
            Ok(_) => {}
        }
    }
    Ok(())
}

fn copy_one(base: &Base, level: &Level, name: &CString, stop: &AtomicBool) -> Result<()> {
    let (file, meta) = match open_file(&level.from, name.as_c_str(), OFlags::RDONLY) {
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotRegular) => {
            return Ok(());
        }
        result => result?,
    };
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | os::FILE;
    let mode = Mode::from_raw_mode(0o600);
    let copy = rustix::fs::openat(&level.to, name.as_c_str(), flags, mode).os()?;
    let copy = File::from(copy);
    let digest = copy_content(&file.into(), &meta, &copy, stop)?;
    set_times(&copy, &meta)?;
    if let Some(digest) = &digest {
        note::write(&copy, &os::meta_of(&copy).os()?.version(), digest);
    }
    let bits = 0o666 | (meta.mode & 0o111);
    rustix::fs::fchmod(&copy, raw_mode(bits & !base.umask)).os()?;
    base.flush_file(&copy)
}
