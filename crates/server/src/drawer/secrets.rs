//! Where the administrator's password comes from, and where its hash is kept.

use std::ffi::OsString;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use gaveta_disk::{make_private, replace_private};
use zeroize::Zeroizing;

use super::password::{HashedPassword, LONGEST};

/// The name of the file that holds the hash, in the state folder.
const FILE: &str = "admin.hash";
/// The longest hash file that is read, in bytes.
const HASH_MAX: u64 = 1024;
/// Letters and digits that nobody takes for one another.
const ALPHABET: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz23456789A";
/// How long a password of ours is: 20 of 32 letters are 100 bits.
const MADE: usize = 20;
/// Shorter ones are weak.
const SHORT: usize = 8;
/// Long enough, and the first ones anybody tries.
const COMMON: &[&str] = &[
    "12345678",
    "123456789",
    "1234567890",
    "password",
    "senha123",
    "senha1234",
    "password1",
    "qwertyuiop",
    "administrator",
    "administrador",
    "11111111",
    "iloveyou",
    "admin123",
    "admin1234",
    "gaveta123",
    "gavetagaveta",
];

/// Where a password may come from.
pub enum Source {
    /// The first line of this file.
    File(PathBuf),
    /// This text, as from the environment.
    Text(Zeroizing<String>),
    /// What was kept; when nothing was, one is made if somebody is there to read it.
    Kept {
        /// May one be made?
        make: bool,
    },
}

impl Source {
    /// A text as the environment gives it.
    ///
    /// # Errors
    /// `Unusable` when it is not UTF-8.
    pub fn text(text: OsString) -> Result<Self, PasswordProblem> {
        match text.into_string() {
            Ok(text) => Ok(Self::Text(Zeroizing::new(text))),
            Err(_) => Err(PasswordProblem::Unusable),
        }
    }

    /// Reads a file at once: whoever gives up rights may not be able to later.
    ///
    /// # Errors
    /// [`PasswordProblem::File`], [`PasswordProblem::Unusable`].
    pub fn read(self) -> Result<Self, PasswordProblem> {
        match self {
            Self::File(path) => first_line(&path).map(Self::Text),
            Self::Text(_) | Self::Kept { .. } => Ok(self),
        }
    }
}

/// The text does not show.
impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "File({path:?})"),
            Self::Text(_) => f.write_str("Text(***)"),
            Self::Kept { make } => write!(f, "Kept({make})"),
        }
    }
}

/// The administrator's password as found at the start.
pub struct Known {
    /// The password; none when there is no administrator.
    pub password: Option<HashedPassword>,
    /// It was made just now: to be shown once.
    pub made: Option<Zeroizing<String>>,
    /// It is weak: to be warned of. Known only where it was read in clear.
    pub weak: bool,
}

/// What was made does not show.
impl fmt::Debug for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Known")
            .field("password", &self.password)
            .field("made", &self.made.is_some())
            .field("weak", &self.weak)
            .finish()
    }
}

/// Why there is no password to be had.
#[derive(Debug)]
pub enum PasswordProblem {
    /// A file cannot be read or written.
    File(PathBuf, io::Error),
    /// Empty, longer than 1024 bytes, or not UTF-8.
    Unusable,
    /// The kept hash is damaged.
    Damaged(PathBuf),
    /// The kept hash, or its folder, belongs to or can be changed by somebody else.
    Exposed(PathBuf),
    /// The system has no random numbers.
    Random,
}

impl fmt::Display for PasswordProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path, error) => write!(f, "{}: {error}", path.display()),
            Self::Unusable => f.write_str("a password has 1 to 1024 bytes of UTF-8"),
            Self::Damaged(path) => write!(f, "{}: damaged", path.display()),
            Self::Exposed(path) => write!(f, "{}: others may change it", path.display()),
            Self::Random => f.write_str("no random numbers"),
        }
    }
}

impl std::error::Error for PasswordProblem {}

/// The folder where the hash is kept.
#[derive(Debug, Clone)]
pub struct Kept {
    folder: PathBuf,
}

impl Kept {
    /// Keeps the hash in this folder, which is made (0700) when it is first needed.
    pub fn in_folder(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
        }
    }

    /// The password from this source. One that was given or made is kept, as its hash, for the
    /// next start; the hash file is replaced whole, and flushed.
    ///
    /// # Errors
    /// [`PasswordProblem`].
    pub fn know(&self, source: Source) -> Result<Known, PasswordProblem> {
        let given = match source {
            Source::File(path) => first_line(&path)?,
            Source::Text(text) => text,
            Source::Kept { make } => {
                return match self.read()? {
                    Some(password) => Ok(Known {
                        password: Some(password),
                        made: None,
                        weak: false,
                    }),
                    None if make => self.make(),
                    None => Ok(Known {
                        password: None,
                        made: None,
                        weak: false,
                    }),
                };
            }
        };
        if given.is_empty() || given.len() > LONGEST {
            return Err(PasswordProblem::Unusable);
        }
        let weak = is_weak(&given);
        let password = match self.read() {
            Ok(Some(kept)) if kept.is(&given) => kept,
            // What is damaged is replaced; what cannot be read is not.
            Ok(_) | Err(PasswordProblem::Damaged(_)) => self.keep(&given)?,
            Err(problem) => return Err(problem),
        };
        Ok(Known {
            password: Some(password),
            made: None,
            weak,
        })
    }

    fn make(&self) -> Result<Known, PasswordProblem> {
        let made = random_password().ok_or(PasswordProblem::Random)?;
        let password = self.keep(&made)?;
        Ok(Known {
            password: Some(password),
            made: Some(made),
            weak: false,
        })
    }

    fn path(&self) -> PathBuf {
        self.folder.join(FILE)
    }

    fn read(&self) -> Result<Option<HashedPassword>, PasswordProblem> {
        let path = self.path();
        let failed = |error| PasswordProblem::File(path.clone(), error);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        let about = file.metadata().map_err(failed)?;
        if !about.is_file() || about.mode() & 0o022 != 0 {
            return Err(PasswordProblem::Exposed(path));
        }
        let mut text = String::new();
        match file.take(HASH_MAX).read_to_string(&mut text) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                return Err(PasswordProblem::Damaged(path));
            }
            Err(error) => return Err(failed(error)),
        }
        HashedPassword::from_hash(text.trim_end())
            .map(Some)
            .map_err(|_| PasswordProblem::Damaged(path))
    }

    fn keep(&self, password: &str) -> Result<HashedPassword, PasswordProblem> {
        let hashed = HashedPassword::new(password).map_err(|_| PasswordProblem::Random)?;
        self.write(hashed.hash())
            .map_err(|error| PasswordProblem::File(self.path(), error))?;
        Ok(hashed)
    }

    fn write(&self, hash: &str) -> io::Result<()> {
        make_private(&self.folder)?;
        let about = fs::metadata(&self.folder)?;
        if about.mode() & 0o022 != 0 {
            fs::set_permissions(&self.folder, fs::Permissions::from_mode(0o700))?;
        }
        replace_private(&self.path(), format!("{hash}\n").as_bytes())
    }
}

/// The first line of a file, without its end.
fn first_line(path: &Path) -> Result<Zeroizing<String>, PasswordProblem> {
    let failed = |error| PasswordProblem::File(path.to_owned(), error);
    let mut bytes = Zeroizing::new(Vec::with_capacity(2 * LONGEST));
    let limit = 2 * LONGEST as u64;
    File::open(path)
        .map_err(failed)?
        .take(limit)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| PasswordProblem::Unusable)?;
    let line = text.split('\n').next().unwrap_or_default();
    let line = line.strip_suffix('\r').unwrap_or(line);
    Ok(Zeroizing::new(line.to_owned()))
}

/// Would anybody guess it?
pub fn is_weak(password: &str) -> bool {
    let lower = password.to_lowercase();
    let one_letter = password.chars().all(|c| password.starts_with(c));
    password.chars().count() < SHORT || one_letter || COMMON.contains(&lower.as_str())
}

fn random_password() -> Option<Zeroizing<String>> {
    let mut bytes = Zeroizing::new([0u8; MADE]);
    getrandom::fill(&mut *bytes).ok()?;
    // 256 is a multiple of 32, so every letter is as likely.
    let letter = |byte: &u8| ALPHABET.get(usize::from(*byte) % ALPHABET.len());
    let text: Option<String> = bytes
        .iter()
        .map(|byte| letter(byte).copied().map(char::from))
        .collect();
    text.map(Zeroizing::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Source {
        Source::Text(Zeroizing::new(text.to_owned()))
    }

    #[test]
    fn a_given_password_is_kept_for_the_next_start() {
        let home = tempfile::tempdir().unwrap();
        let kept = Kept::in_folder(home.path().join("state/gaveta"));
        let none = kept.know(Source::Kept { make: false }).unwrap();
        assert!(none.password.is_none());
        assert!(!kept.folder.exists(), "nothing is made before it is needed");
        assert!(kept.know(text("1234")).unwrap().weak);
        let hash = fs::read_to_string(kept.path()).unwrap();
        assert!(!hash.contains("1234$") && hash.starts_with("$argon2id$"));
        let again = kept.know(Source::Kept { make: true }).unwrap();
        assert!(again.made.is_none() && again.password.unwrap().is("1234"));
        // The same one again leaves the file as it is; another one replaces it.
        kept.know(text("1234")).unwrap();
        assert_eq!(fs::read_to_string(kept.path()).unwrap(), hash);
        assert!(!kept.know(text("a longer and better one")).unwrap().weak);
        assert_ne!(fs::read_to_string(kept.path()).unwrap(), hash);
        assert_eq!(fs::metadata(kept.path()).unwrap().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(&kept.folder).unwrap().mode() & 0o777, 0o700);
        assert_eq!(
            fs::read_dir(&kept.folder).unwrap().count(),
            1,
            "nothing is left beside"
        );
    }

    #[test]
    fn a_password_is_made_once_and_is_not_weak() {
        let home = tempfile::tempdir().unwrap();
        let kept = Kept::in_folder(home.path().join("s"));
        let first = kept.know(Source::Kept { make: true }).unwrap();
        let made = first.made.unwrap();
        assert_eq!(made.len(), MADE);
        assert!(!is_weak(&made));
        assert!(first.password.unwrap().is(&made));
        assert!(
            kept.know(Source::Kept { make: true })
                .unwrap()
                .made
                .is_none()
        );
    }

    #[test]
    fn files_give_their_first_line() {
        let home = tempfile::tempdir().unwrap();
        let kept = Kept::in_folder(home.path().join("s"));
        let file = home.path().join("password");
        for (content, expected) in [
            ("open sesame\n", Some("open sesame")),
            ("open sesame\r\nmore\n", Some("open sesame")),
            (" spaces stay ", Some(" spaces stay ")),
            ("", None),
            ("\nsecond", None),
        ] {
            fs::write(&file, content).unwrap();
            let known = kept.know(Source::File(file.clone()));
            match expected {
                Some(expected) => assert!(known.unwrap().password.unwrap().is(expected)),
                None => assert!(
                    matches!(known, Err(PasswordProblem::Unusable)),
                    "{content:?}"
                ),
            }
        }
        fs::write(&file, "x".repeat(LONGEST + 1)).unwrap();
        assert!(matches!(
            kept.know(Source::File(file)),
            Err(PasswordProblem::Unusable)
        ));
        let missing = kept.know(Source::File(home.path().join("missing")));
        assert!(matches!(missing, Err(PasswordProblem::File(..))));
    }

    #[test]
    fn a_damaged_or_exposed_hash_is_not_trusted() {
        let home = tempfile::tempdir().unwrap();
        let kept = Kept::in_folder(home.path());
        fs::write(kept.path(), "nonsense").unwrap();
        fs::set_permissions(kept.path(), fs::Permissions::from_mode(0o600)).unwrap();
        let know = |source| kept.know(source);
        assert!(matches!(
            know(Source::Kept { make: true }),
            Err(PasswordProblem::Damaged(_))
        ));
        assert!(know(text("good enough")).unwrap().password.is_some());
        fs::set_permissions(kept.path(), fs::Permissions::from_mode(0o666)).unwrap();
        assert!(matches!(
            know(Source::Kept { make: true }),
            Err(PasswordProblem::Exposed(_))
        ));
    }

    #[test]
    fn weak_ones_are_known() {
        for weak in [
            "1234",
            "senha",
            "PASSWORD",
            "admin",
            "aaaaaaaaaaaa",
            "12345678",
            "ééééé",
        ] {
            assert!(is_weak(weak), "{weak}");
        }
        assert!(!is_weak("correct horse battery staple"));
    }
}
