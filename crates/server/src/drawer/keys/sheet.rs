//! A small document of the server's, kept as one file: read whole, replaced whole.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use gaveta_core::{Error, ErrorKind, Result};
use gaveta_disk::{Hold, lock_private, make_private, replace_private};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::drawer::stamp::Stamp;

/// The largest document that is read, in bytes.
const LARGEST: u64 = 64 * 1024 * 1024;

/// Where a document lies; nowhere, in tests and where nothing is to be kept.
#[derive(Debug, Clone)]
pub(super) struct Sheet {
    path: Option<PathBuf>,
    /// Nobody else changes it.
    ours: bool,
}

impl Sheet {
    /// One that nobody else changes.
    pub(super) fn at(path: Option<PathBuf>) -> Self {
        Self { path, ours: true }
    }

    /// One that others may change.
    pub(super) fn of_others(path: PathBuf) -> Self {
        Self {
            path: Some(path),
            ours: false,
        }
    }

    /// Does nobody else change it?
    pub(super) fn is_ours(&self) -> bool {
        self.ours
    }

    /// How it looks from outside; none when it is not there. Blocks.
    pub(super) fn stamp(&self) -> Option<Stamp> {
        Stamp::of(self.path.as_deref()?)
    }

    /// That it is not there any more.
    pub(super) fn gone(&self) -> Error {
        let path = self.path.as_deref().unwrap_or(Path::new(""));
        let why = io::Error::from(io::ErrorKind::NotFound);
        Error::new(ErrorKind::Io).because(format!("{}: {why}", path.display()))
    }

    /// Keeps others from it while the answer is held; none where nobody else changes it anyway.
    /// Blocks, at most so long.
    ///
    /// # Errors
    /// `ReadOnly` when a server has it that writes; `Io`.
    pub(super) fn hold(&self, patience: Duration) -> Result<Option<File>> {
        match self.path.as_deref().and_then(Path::parent) {
            Some(folder) if !self.ours => alone(folder, patience).map(Some),
            _ => Ok(None),
        }
    }

    /// Reads it; none when it is not there.
    ///
    /// # Errors
    /// `Io` with the file's name: it cannot be read, makes no sense, or others than its owner may
    /// write it.
    pub(super) fn read<T: DeserializeOwned>(&self) -> Result<Option<T>> {
        let Some(path) = &self.path else {
            return Ok(None);
        };
        let failed =
            |why: String| Error::new(ErrorKind::Io).because(format!("{}: {why}", path.display()));
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error.to_string())),
        };
        let about = file.metadata().map_err(|error| failed(error.to_string()))?;
        if !about.is_file() || about.mode() & 0o022 != 0 {
            return Err(failed("others may change it".to_owned()));
        }
        let mut text = Vec::new();
        file.take(LARGEST)
            .read_to_end(&mut text)
            .map_err(|error| failed(error.to_string()))?;
        serde_json::from_slice(&text)
            .map(Some)
            .map_err(|error| failed(format!("damaged: {error}")))
    }

    /// Replaces it ([`replace_private`]). Blocks.
    ///
    /// # Errors
    /// `Io`; then what was kept before is still there.
    pub(super) fn write<T: Serialize>(&self, document: &T) -> Result<()> {
        let Some(path) = &self.path else {
            return Ok(());
        };
        let failed = |error: io::Error| {
            Error::new(ErrorKind::Io).because(format!("{}: {error}", path.display()))
        };
        let mut text = serde_json::to_vec_pretty(document)
            .map_err(|error| Error::new(ErrorKind::Io).because(error))?;
        text.push(b'\n');
        replace(path, &text).map_err(failed)
    }
}

/// Who uses the documents of a folder at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Using {
    /// A server, which has them in memory and writes them.
    Serving,
    /// A server that only reads what is served: it follows what others write, holds nothing, and
    /// changes them for a moment, as a command does, while no server writes them.
    Reading,
    /// A command that changes them while no server has them.
    Alone,
}

/// Locks the documents of a folder for as long as the file is held.
///
/// # Errors
/// As [`hold`].
pub(super) fn lock(folder: &Path, using: Using, patience: Duration) -> Result<Option<File>> {
    match using {
        Using::Serving => hold(folder, Hold::Shared, patience).map(Some),
        Using::Alone => hold(folder, Hold::Alone, patience).map(Some),
        // Each document is replaced whole: whoever reads needs no lock.
        Using::Reading => Ok(None),
    }
}

/// Locks the documents of a folder for a moment, for who only reads otherwise. Blocks.
///
/// # Errors
/// `ReadOnly` when a server has them that writes; `Io`.
pub(super) fn alone(folder: &Path, patience: Duration) -> Result<File> {
    hold(folder, Hold::Alone, patience).map_err(|error| match error.kind() {
        ErrorKind::Locked => {
            Error::new(ErrorKind::ReadOnly).because("another server writes what is kept here")
        }
        _ => error,
    })
}

/// Locks the documents of a folder, which is made where there is none. Waits for a command that is
/// there, not for servers ([`lock_private`]). Blocks.
///
/// # Errors
/// `Locked`, `Io`.
fn hold(folder: &Path, how: Hold, patience: Duration) -> Result<File> {
    let failed = |error: io::Error| {
        Error::new(ErrorKind::Io).because(format!("{}: {error}", folder.display()))
    };
    make_private(folder).map_err(failed)?;
    lock_private(&folder.join("lock"), how, patience).map_err(|error| match error.kind() {
        io::ErrorKind::WouldBlock => ErrorKind::Locked.into(),
        _ => failed(error),
    })
}

fn replace(path: &Path, text: &[u8]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        make_private(folder)?;
    }
    replace_private(path, text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_document_is_kept_whole_and_for_its_owner_alone() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("deep/a.json");
        let sheet = Sheet::at(Some(path.clone()));
        assert_eq!(sheet.read::<Vec<u8>>().unwrap(), None);
        sheet.write(&vec![1u8, 2]).unwrap();
        assert_eq!(sheet.read::<Vec<u8>>().unwrap(), Some(vec![1, 2]));
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
        fs::write(&path, "[1,").unwrap();
        let damaged = sheet.read::<Vec<u8>>().unwrap_err();
        assert!(damaged.chain().contains("a.json") && damaged.chain().contains("damaged"));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
        assert!(
            sheet
                .read::<Vec<u8>>()
                .unwrap_err()
                .chain()
                .contains("others")
        );
        let nowhere = Sheet::at(None);
        nowhere.write(&vec![1u8]).unwrap();
        assert_eq!(nowhere.read::<Vec<u8>>().unwrap(), None);
    }
}
