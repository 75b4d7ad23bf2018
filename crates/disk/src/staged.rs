//! Where unfinished content lies until it is published, and that it goes when it is not.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use gaveta_core::path::MAX_NAME;
use gaveta_core::{Error, ErrorKind, Path, Result, UploadId};
use rustix::fs::{Mode, OFlags};

use crate::base::{Base, Folder, unlink_quietly};
use crate::errno::Os;
use crate::os;

/// The end of the names of unfinished files beside their targets.
const PART: &str = ".gaveta-part";

/// What may follow that end: the files that go with an unfinished one.
const COMPANIONS: [&str; 7] = [
    "",
    "-state",
    "-journal",
    "-clean",
    "-state.new",
    "-journal.new",
    "-clean.new",
];
/// The length of the longest of them.
const LONGEST: usize = 12;

/// A name in an open folder.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) folder: Folder,
    pub(crate) name: String,
}

/// 128 random bits, as 32 hexadecimal digits.
pub(crate) fn random_bytes() -> Result<[u8; 16]> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| Error::new(ErrorKind::Io).because(error))?;
    Ok(bytes)
}

impl Place {
    /// A new name on the target's file system: in the reserved folder, else in the target's own
    /// folder, or the nearest above it that is there.
    ///
    /// # Errors
    /// `Io` when somebody took the reserved folder away meanwhile: our lock went with it, so that
    /// making a new one could let two servers in.
    pub(crate) fn near(base: &Base, target: &Path) -> Result<Self> {
        let random = format!("{:032x}", u128::from_le_bytes(random_bytes()?));
        if let Some(reserved) = &base.reserved {
            if os::meta_of(&*reserved.staging).os()?.links == 0 {
                let why = "the server's own folder .gaveta was taken away; start it again";
                return Err(Error::new(ErrorKind::Io).because(why));
            }
            return Ok(Self {
                folder: reserved.staging.clone(),
                name: random,
            });
        }
        Ok(Self {
            folder: Arc::new(base.nearest_folder(target)?),
            name: part_name(target.name().unwrap_or_default(), &random),
        })
    }

    /// Makes and opens a file of this name, for us alone.
    pub(crate) fn create(self) -> Result<Staged> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | os::FILE;
        let mode = Mode::from_raw_mode(0o600);
        let file = rustix::fs::openat(&*self.folder, self.name.as_str(), flags, mode).os()?;
        Ok(Staged::new(self, file, true))
    }
}

/// The name of a kept upload's content beside its target.
pub(crate) fn kept_name(name: &str, id: &UploadId) -> String {
    part_name(name, id.as_str())
}

/// `.NAME.RANDOM.gaveta-part`, at most so long that its companions are names too.
fn part_name(name: &str, random: &str) -> String {
    let rest = PART.len() + LONGEST + random.len() + 2;
    let mut end = name.len().min(MAX_NAME - rest);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    format!(".{}.{random}{PART}", name.get(..end).unwrap_or_default())
}

/// Is it the name of an unfinished file, beside its target?
pub(crate) fn is_part(name: &str) -> bool {
    let random = name
        .strip_prefix('.')
        .and_then(|rest| rest.rsplit_once(PART))
        .filter(|(_, companion)| COMPANIONS.contains(companion))
        .and_then(|(rest, _)| rest.rsplit_once('.'));
    random.is_some_and(|(_, random)| {
        random.len() == 32 && random.bytes().all(|byte| byte.is_ascii_hexdigit())
    })
}

/// A staged file, open. Its name goes when it is dropped, unless it was published or is kept.
#[derive(Debug)]
pub(crate) struct Staged {
    pub(crate) file: File,
    pub(crate) place: Place,
    goes: AtomicBool,
    published: AtomicBool,
    /// A flush of it failed once.
    spoiled: AtomicBool,
}

impl Staged {
    pub(crate) fn new(place: Place, file: OwnedFd, goes: bool) -> Self {
        Self {
            file: file.into(),
            place,
            goes: AtomicBool::new(goes),
            published: AtomicBool::new(false),
            spoiled: AtomicBool::new(false),
        }
    }

    /// Makes its content and attributes survive a power cut.
    ///
    /// # Errors
    /// When it fails once, it fails for ever (`UploadLost`): what could not be written counts as
    /// written to the next flush, which would succeed (`fsync(2)`, `EIO`).
    pub(crate) fn flush(&self, base: &Base) -> Result<()> {
        self.check_sound()?;
        base.flush_file(&self.file)
            .inspect_err(|_| self.spoiled.store(true, Ordering::Relaxed))
    }

    /// Did a flush fail? Its content must not be published then.
    pub(crate) fn is_spoiled(&self) -> bool {
        self.spoiled.load(Ordering::Relaxed)
    }

    /// # Errors
    /// `UploadLost` when it [is spoiled](Self::is_spoiled).
    pub(crate) fn check_sound(&self) -> Result<()> {
        match self.is_spoiled() {
            true => Err(Error::new(ErrorKind::UploadLost).because("it could not be flushed")),
            false => Ok(()),
        }
    }

    /// The name is no longer its own to remove.
    pub(crate) fn keep(&self) {
        self.goes.store(false, Ordering::Relaxed);
    }

    /// It has its target's name now.
    pub(crate) fn set_published(&self) {
        self.keep();
        self.published.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_published(&self) -> bool {
        self.published.load(Ordering::Relaxed)
    }

    /// Has somebody taken its name away, with the folder that it was staged in?
    pub(crate) fn is_lost(&self) -> bool {
        !self.is_published() && os::meta_of(&self.file).is_ok_and(|meta| meta.links == 0)
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if self.goes.load(Ordering::Relaxed) {
            unlink_quietly(&*self.place.folder, &self.place.name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn part_names_fit_and_are_known_again() {
        for name in ["a", "relatório.pdf", &"ã".repeat(127), &"x".repeat(255), ""] {
            let part = part_name(name, "0123456789abcdef0123456789abcdef");
            assert!(part.len() <= MAX_NAME, "{part}");
            for companion in COMPANIONS {
                let name = format!("{part}{companion}");
                assert!(name.len() <= MAX_NAME && is_part(&name), "{name}");
            }
            assert!(!is_part(&format!("{part}-other")));
        }
        for name in [
            "a.gaveta-part",
            ".a.gaveta-part",
            ".a.0123.gaveta-part",
            ".gaveta-part",
        ] {
            assert!(!is_part(name), "{name}");
        }
    }
}
