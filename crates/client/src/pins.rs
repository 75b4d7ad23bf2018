//! The servers a person trusts: `known_servers`, a line each, as SSH keeps them.
//!
//! `HOST:PORT SHA256:…`; empty lines and those that begin with `#` mean nothing. The file is
//! replaced whole, under a lock, and is for nobody else to write.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use gaveta_core::ErrorKind;
use gaveta_disk::{Hold, lock_private, make_private, replace_private};
use gaveta_wire::fingerprint::Fingerprint;

use crate::fault::{Fault, Outcome, Sentence};
use crate::remote;

/// The longest file that is read, in bytes: some ten thousand servers.
const LONGEST: u64 = 1024 * 1024;
/// The file's name.
const FILE: &str = "known_servers";
/// How long another who changes the file is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// The servers that are known.
#[derive(Debug, Clone)]
pub(crate) struct Pins {
    folder: PathBuf,
}

impl Pins {
    /// Those of this person, in `$XDG_STATE_HOME/gaveta` (or `~/.local/state/gaveta`: the XDG base
    /// directory specification); none without a home.
    pub(crate) fn of_person() -> Option<Self> {
        let absolute = |name| {
            std::env::var_os(name)
                .map(PathBuf::from)
                .filter(|path| path.is_absolute())
        };
        let state = absolute("XDG_STATE_HOME")
            .or_else(|| Some(absolute("HOME")?.join(".local").join("state")))?;
        Some(Self {
            folder: state.join("gaveta"),
        })
    }

    fn path(&self) -> PathBuf {
        self.folder.join(FILE)
    }

    /// What is known of a server.
    ///
    /// # Errors
    /// The file cannot be read, or others may write it: then nobody is trusted.
    pub(crate) fn find(&self, server: &remote::Address) -> Outcome<Option<Fingerprint>> {
        let text = self.read()?;
        let wanted = server.to_string();
        Ok(text.lines().rev().find_map(|line| match entry(line) {
            Some((name, fingerprint)) if name == wanted => Some(fingerprint),
            _ => None,
        }))
    }

    /// Remembers a server. On disk when this returns.
    ///
    /// # Errors
    /// The file cannot be read or written.
    pub(crate) fn remember(&self, server: &remote::Address, key: Fingerprint) -> Outcome {
        self.change(server, Some(key)).map(|_| ())
    }

    /// Forgets a server; says whether it was known.
    ///
    /// # Errors
    /// As [`Pins::remember`].
    pub(crate) fn forget(&self, server: &remote::Address) -> Outcome<bool> {
        self.change(server, None)
    }

    fn read(&self) -> Outcome<String> {
        let path = self.path();
        let mut text = String::new();
        let read = File::open(&path).and_then(|file| {
            if is_exposed(&file.metadata()?) {
                let why = "others may write it: chmod 600";
                return Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
            }
            file.take(LONGEST).read_to_string(&mut text)
        });
        match read {
            Ok(_) => Ok(text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
            Err(error) => Err(failed(&path, &error)),
        }
    }

    /// Takes out what is known of a server and puts in what is to be.
    fn change(&self, server: &remote::Address, key: Option<Fingerprint>) -> Outcome<bool> {
        let path = self.path();
        let named = |error: io::Error| failed(&path, &error);
        make_private(&self.folder).map_err(named)?;
        let lock = self.folder.join(format!(".{FILE}.lock"));
        let _lock = lock_private(&lock, Hold::Alone, PATIENCE).map_err(named)?;
        let name = server.to_string();
        let old = self.read()?;
        let mut known = false;
        let mut new = String::with_capacity(old.len() + 128);
        for line in old.lines() {
            if entry(line).is_some_and(|(other, _)| other == name) {
                known = true;
            } else {
                new.push_str(line);
                new.push('\n');
            }
        }
        if let Some(key) = key {
            new.push_str(&format!("{name} {key}\n"));
        }
        if new.len() as u64 > LONGEST {
            return Err(named(io::ErrorKind::FileTooLarge.into()));
        }
        if new != old {
            replace_private(&path, new.as_bytes()).map_err(named)?;
        }
        Ok(known)
    }
}

/// A server and its key, from one line.
fn entry(line: &str) -> Option<(&str, Fingerprint)> {
    let mut words = line.split_whitespace();
    let (name, key) = (words.next()?, words.next()?);
    if name.starts_with('#') || words.next().is_some() {
        return None;
    }
    Some((name, key.parse().ok()?))
}

fn failed(path: &Path, error: &io::Error) -> Fault {
    Fault::Said(
        ErrorKind::Permission,
        Sentence::new("tls-known-servers")
            .with("path", path.display().to_string())
            .with("why", error.to_string()),
    )
}

#[cfg(unix)]
fn is_exposed(about: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    about.mode() & 0o022 != 0
}

#[cfg(not(unix))]
fn is_exposed(_: &fs::Metadata) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pins(folder: &Path) -> Pins {
        Pins {
            folder: folder.join("state"),
        }
    }

    fn at(host: &str, port: u16) -> remote::Address {
        remote::Address::new(host, port)
    }

    #[test]
    fn a_server_is_its_host_and_its_port() {
        let home = tempfile::tempdir().unwrap();
        let pins = pins(home.path());
        let (one, other) = (Fingerprint([1; 32]), Fingerprint([2; 32]));
        assert_eq!(pins.find(&at("h", 1)).unwrap(), None);
        pins.remember(&at("h", 1), one).unwrap();
        pins.remember(&at("::1", 1), other).unwrap();
        assert_eq!(pins.find(&at("h", 1)).unwrap(), Some(one));
        assert_eq!(pins.find(&at("h", 2)).unwrap(), None);
        assert_eq!(pins.find(&at("::1", 1)).unwrap(), Some(other));
        pins.remember(&at("h", 1), other).unwrap();
        assert_eq!(pins.find(&at("h", 1)).unwrap(), Some(other));
        assert!(pins.forget(&at("h", 1)).unwrap());
        assert!(!pins.forget(&at("h", 1)).unwrap());
        assert_eq!(pins.find(&at("::1", 1)).unwrap(), Some(other));
    }

    #[test]
    fn what_a_person_wrote_beside_stays() {
        let home = tempfile::tempdir().unwrap();
        let pins = pins(home.path());
        pins.remember(&at("h", 1), Fingerprint([1; 32])).unwrap();
        let text = fs::read_to_string(pins.path()).unwrap();
        fs::write(pins.path(), format!("# mine\nnonsense line here\n\n{text}")).unwrap();
        pins.remember(&at("i", 1), Fingerprint([2; 32])).unwrap();
        let text = fs::read_to_string(pins.path()).unwrap();
        assert!(text.starts_with("# mine\nnonsense line here\n\nh:1 SHA256:"));
        assert_eq!(text.lines().count(), 5);
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_others_may_write_is_believed_by_nobody() {
        use std::os::unix::fs::PermissionsExt;
        let home = tempfile::tempdir().unwrap();
        let pins = pins(home.path());
        pins.remember(&at("h", 1), Fingerprint([1; 32])).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&pins.path()), 0o600);
        fs::set_permissions(pins.path(), fs::Permissions::from_mode(0o666)).unwrap();
        assert!(pins.find(&at("h", 1)).is_err());
        assert!(pins.remember(&at("i", 1), Fingerprint([1; 32])).is_err());
    }

    #[test]
    fn many_at_once_lose_nothing() {
        let home = tempfile::tempdir().unwrap();
        let pins = pins(home.path());
        std::thread::scope(|scope| {
            for port in 1..=16 {
                let pins = &pins;
                scope.spawn(move || pins.remember(&at("h", port), Fingerprint([7; 32])).unwrap());
            }
        });
        for port in 1..=16 {
            assert!(pins.find(&at("h", port)).unwrap().is_some(), "{port}");
        }
    }
}
