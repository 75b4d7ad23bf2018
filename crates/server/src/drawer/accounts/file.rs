//! `gaveta.toml` on the disk: read whole or not at all, and edited under a lock with all that a
//! person wrote into it kept.

use std::ffi::OsString;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path as FsPath, PathBuf};
use std::time::Duration;

use gaveta_disk::{Hold, lock_private, make_private, replace_private};
use toml_edit::DocumentMut;

use super::book::{Book, LARGEST, Problem};
use super::change::Change;
use crate::drawer::stamp::Stamp;

/// How long an edit waits for another one.
const PATIENCE: Duration = Duration::from_secs(10);

/// The file of the accounts. It need not be there: then there are none.
#[derive(Debug, Clone)]
pub struct AccountsFile {
    path: PathBuf,
}

/// Why the file cannot be read or changed.
#[derive(Debug)]
pub enum FileProblem {
    /// The system said no.
    Io(PathBuf, io::Error),
    /// Others may change it.
    Exposed(PathBuf),
    /// It is too large, or no text.
    Unreadable(PathBuf),
    /// It says something that makes no sense.
    Wrong(PathBuf, Problem),
    /// Somebody else has been changing it for too long.
    Locked(PathBuf),
    /// There is no account of this name.
    NoAccount(String),
    /// There is one already.
    Taken(String),
    /// There is no such key.
    NoKey,
}

impl fmt::Display for FileProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(path, error) => write!(f, "{}: {error}", path.display()),
            Self::Exposed(path) => write!(f, "{}: others may change it", path.display()),
            Self::Unreadable(path) => write!(f, "{}: too large, or no text", path.display()),
            Self::Wrong(path, problem) => write!(f, "{}: {problem}", path.display()),
            Self::Locked(path) => write!(f, "{}: locked", path.display()),
            Self::NoAccount(name) => write!(f, "{name}: no such account"),
            Self::Taken(name) => write!(f, "{name}: there already"),
            Self::NoKey => f.write_str("no such key"),
        }
    }
}

impl std::error::Error for FileProblem {}

impl AccountsFile {
    /// The file at this path.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Where it is.
    pub fn path(&self) -> &FsPath {
        &self.path
    }

    /// What it looks like from outside; none when it is not there.
    pub(crate) fn stamp(&self) -> Option<Stamp> {
        Stamp::of(&self.path)
    }

    /// All that it says; nobody, when it is not there.
    ///
    /// # Errors
    /// [`FileProblem`].
    pub fn read(&self) -> Result<Book, FileProblem> {
        let text = self.text()?;
        Book::parse(&text).map_err(|problem| FileProblem::Wrong(self.path.clone(), problem))
    }

    /// That it is not there any more.
    pub(crate) fn gone(&self) -> FileProblem {
        FileProblem::Io(self.path.clone(), io::ErrorKind::NotFound.into())
    }

    fn text(&self) -> Result<String, FileProblem> {
        let failed = |error| FileProblem::Io(self.path.clone(), error);
        let file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(String::new()),
            Err(error) => return Err(failed(error)),
        };
        let about = file.metadata().map_err(failed)?;
        if !about.is_file() || about.mode() & 0o022 != 0 {
            return Err(FileProblem::Exposed(self.path.clone()));
        }
        let mut bytes = Vec::new();
        file.take(LARGEST + 1)
            .read_to_end(&mut bytes)
            .map_err(failed)?;
        if bytes.len() as u64 > LARGEST {
            return Err(FileProblem::Unreadable(self.path.clone()));
        }
        String::from_utf8(bytes).map_err(|_| FileProblem::Unreadable(self.path.clone()))
    }

    /// Changes an account. Gives what the file said before and what it says now.
    ///
    /// # Errors
    /// [`FileProblem`].
    pub fn change(&self, name: &str, change: &Change) -> Result<(Book, Book), FileProblem> {
        self.edit(|document| change.apply(document, name))
    }

    /// Changes it: under its lock, so that two who do it at once lose nothing; replaced whole and
    /// flushed, for its owner alone to read. What comes of it must make sense, or the file stays.
    /// Gives what it said before and what it says now.
    ///
    /// # Errors
    /// [`FileProblem`], also that of the change.
    pub(crate) fn edit(
        &self,
        change: impl FnOnce(&mut DocumentMut) -> Result<(), FileProblem>,
    ) -> Result<(Book, Book), FileProblem> {
        let failed = |error| FileProblem::Io(self.path.clone(), error);
        // A link leads to the file that is replaced, not the link.
        let path = fs::canonicalize(&self.path).unwrap_or_else(|_| self.path.clone());
        let folder = path.parent().unwrap_or(FsPath::new("/")).to_owned();
        make_private(&folder).map_err(failed)?;
        let _lock = self.lock(&path)?;
        let wrong = |problem| FileProblem::Wrong(self.path.clone(), problem);
        let text = self.text()?;
        // First the whole: whoever edits a broken file is told where it is broken.
        let old = Book::parse(&text).map_err(wrong)?;
        let mut document: DocumentMut = text.parse().map_err(|error: toml_edit::TomlError| {
            FileProblem::Io(self.path.clone(), io::Error::other(error.to_string()))
        })?;
        change(&mut document)?;
        let text = document.to_string();
        let new = Book::parse(&text).map_err(wrong)?;
        replace_private(&path, text.as_bytes()).map_err(failed)?;
        Ok((old, new))
    }

    /// Waits for the lock, a file beside, which stays.
    fn lock(&self, path: &FsPath) -> Result<File, FileProblem> {
        let lock = lock_private(&beside(path, ".lock"), Hold::Alone, PATIENCE);
        lock.map_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock => FileProblem::Locked(self.path.clone()),
            _ => FileProblem::Io(self.path.clone(), error),
        })
    }
}

fn beside(path: &FsPath, ending: &str) -> PathBuf {
    let mut name: OsString = path.file_name().unwrap_or_default().to_owned();
    name.push(ending);
    path.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::super::edit;
    use super::*;
    use gaveta_core::Actions;
    use std::os::unix::fs::PermissionsExt;

    fn file() -> (tempfile::TempDir, AccountsFile) {
        let folder = tempfile::tempdir().unwrap();
        let file = AccountsFile::at(folder.path().join("state/gaveta.toml"));
        (folder, file)
    }

    #[test]
    fn an_edit_keeps_what_a_person_wrote() {
        let (_folder, file) = file();
        assert!(file.read().unwrap().records.is_empty());
        file.edit(|document| edit::add(document, "ana")).unwrap();
        let mode = fs::metadata(file.path()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let written = "# our people\n[account.ana] # the boss\nquota = \"1G\"  # enough\n\n\
                       [anonymous]\n'/pub' = 'viewer'\n";
        fs::write(file.path(), written).unwrap();
        let team = gaveta_core::Path::parse("team").unwrap();
        let actions = Actions::parse("editor").unwrap();
        file.edit(|document| edit::grant(document, "ana", &team, Some(actions)))
            .unwrap();
        file.edit(|document| edit::add(document, "joão")).unwrap();
        let text = fs::read_to_string(file.path()).unwrap();
        for kept in [
            "# our people",
            "# the boss",
            "quota = \"1G\"  # enough",
            "'/pub' = 'viewer'",
        ] {
            assert!(text.contains(kept), "{text}");
        }
        let book = file.read().unwrap();
        assert_eq!(book.records[0].grants.at(&team), actions);
        assert_eq!(book.records[1].name, "joão");
        // Nothing is left beside but the lock.
        assert_eq!(
            fs::read_dir(file.path().parent().unwrap()).unwrap().count(),
            2
        );
    }

    #[test]
    fn a_broken_file_is_not_edited_and_a_change_that_fails_leaves_it() {
        let (_folder, file) = file();
        file.edit(|document| edit::add(document, "ana")).unwrap();
        let before = fs::read(file.path()).unwrap();
        for name in ["ana", "ANA"] {
            let again = file.edit(|document| edit::add(document, name)).unwrap_err();
            assert!(matches!(again, FileProblem::Taken(_)), "{again}");
        }
        let nobody = file
            .edit(|document| edit::remove(document, "bob"))
            .unwrap_err();
        assert!(matches!(nobody, FileProblem::NoAccount(_)));
        assert_eq!(fs::read(file.path()).unwrap(), before);
        fs::write(file.path(), "[account.ana]\nquota = \n").unwrap();
        match file
            .edit(|document| edit::add(document, "bob"))
            .unwrap_err()
        {
            FileProblem::Wrong(_, problem) => assert_eq!(problem.line, 2),
            other => panic!("{other}"),
        }
    }

    #[test]
    fn a_file_that_others_may_change_is_not_believed() {
        let (_folder, file) = file();
        file.edit(|document| edit::add(document, "ana")).unwrap();
        fs::set_permissions(file.path(), fs::Permissions::from_mode(0o622)).unwrap();
        assert!(matches!(file.read(), Err(FileProblem::Exposed(_))));
    }

    #[test]
    fn many_edits_at_once_lose_nothing() {
        let (_folder, file) = file();
        let threads: Vec<_> = (0..8)
            .map(|n| {
                let file = file.clone();
                std::thread::spawn(move || {
                    file.edit(|document| edit::add(document, &format!("a{n}")))
                        .unwrap();
                })
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(file.read().unwrap().records.len(), 8);
    }
}
