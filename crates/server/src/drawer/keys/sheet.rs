//! A small document of the server's, kept as one file: read whole, replaced whole.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use gaveta_core::{Error, ErrorKind, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The largest document that is read, in bytes.
const LARGEST: u64 = 64 * 1024 * 1024;

/// Where a document lies; nowhere, in tests and where nothing is to be kept.
#[derive(Debug, Clone)]
pub(super) struct Sheet(Option<PathBuf>);

impl Sheet {
    pub(super) fn at(path: Option<PathBuf>) -> Self {
        Self(path)
    }

    /// Reads it; none when it is not there.
    ///
    /// # Errors
    /// `Io` with the file's name: it cannot be read, makes no sense, or others than its owner may
    /// write it.
    pub(super) fn read<T: DeserializeOwned>(&self) -> Result<Option<T>> {
        let Some(path) = &self.0 else { return Ok(None) };
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

    /// Replaces it: beside (0600), flush, rename, flush the folder. Blocks.
    ///
    /// # Errors
    /// `Io`; then what was kept before is still there.
    pub(super) fn write<T: Serialize>(&self, document: &T) -> Result<()> {
        let Some(path) = &self.0 else { return Ok(()) };
        let failed = |error: io::Error| {
            Error::new(ErrorKind::Io).because(format!("{}: {error}", path.display()))
        };
        let mut text = serde_json::to_vec_pretty(document)
            .map_err(|error| Error::new(ErrorKind::Io).because(error))?;
        text.push(b'\n');
        replace(path, &text).map_err(failed)
    }
}

fn replace(path: &Path, text: &[u8]) -> io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)?;
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".{}", std::process::id()));
    let beside = PathBuf::from(beside);
    let written = (|| {
        let _ = fs::remove_file(&beside);
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&beside)?;
        file.write_all(text)?;
        file.sync_all()?;
        fs::rename(&beside, path)?;
        File::open(folder)?.sync_all()
    })();
    if written.is_err() {
        let _ = fs::remove_file(&beside);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;
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
