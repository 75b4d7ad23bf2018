//! Where passwords and tokens come from.

use std::path::PathBuf;

use gaveta_core::ErrorKind;
use gaveta_wire::session::Secret;

use crate::fault::{Fault, Outcome, Sentence};
use crate::printer::Printer;
use crate::remote;

/// The largest password file that is read, in bytes.
const MAX_PASSWORD: u64 = 4096;
/// A person may mistype so often.
const TRIES: u32 = 3;

/// Where the password comes from, in this order; a person on a terminal is asked last.
#[derive(Debug, Clone, Default)]
pub(crate) struct Passwords {
    /// Who signs in, at once; none: a visitor, and the administrator where that is needed.
    pub(crate) user: Option<String>,
    /// Given with the verb, as the seed did.
    pub(crate) given: Option<Secret>,
    /// The first line of this file.
    pub(crate) file: Option<PathBuf>,
    /// From the environment.
    pub(crate) variable: Option<Secret>,
}

impl Passwords {
    /// The password that needs no question.
    pub(super) fn find(&self) -> Outcome<Option<Secret>> {
        match &self.given {
            Some(given) => Ok(Some(given.clone())),
            None => self.find_own(),
        }
    }

    /// As [`Passwords::find`], of who signs in under his own name: what is given with a verb is the
    /// administrator's.
    pub(super) fn find_own(&self) -> Outcome<Option<Secret>> {
        match &self.file {
            Some(file) => read_secret(file).map(Some),
            None => Ok(self.variable.clone()),
        }
    }
}

/// The first line of a file.
///
/// # Errors
/// A sentence that says what is wrong with the file.
pub(crate) fn read_secret(file: &std::path::Path) -> Outcome<Secret> {
    let fault = |kind: ErrorKind, why: String| {
        let name = file.to_string_lossy();
        Fault::Said(
            kind,
            Sentence::new("client-password-file")
                .with("name", name)
                .with("why", why),
        )
    };
    let read = || {
        use std::io::Read;
        let mut bytes = Vec::new();
        std::fs::File::open(file)?
            .take(MAX_PASSWORD + 1)
            .read_to_end(&mut bytes)?;
        Ok::<_, std::io::Error>(bytes)
    };
    let bytes = read().map_err(|error| fault(ErrorKind::Permission, error.to_string()))?;
    let text = String::from_utf8(bytes)
        .map_err(|error| fault(ErrorKind::BadRequest, error.to_string()))?;
    let line = text.lines().next().unwrap_or_default();
    if line.is_empty() || text.len() as u64 > MAX_PASSWORD {
        return Err(fault(
            ErrorKind::BadRequest,
            format!("{} bytes", text.len()),
        ));
    }
    Ok(Secret(line.to_owned()))
}

/// The environment variable with a token.
const TOKEN_VARIABLE: &str = "GAVETA_TOKEN";

/// The token that the environment holds.
pub(crate) fn token_of_environment() -> Option<Secret> {
    std::env::var(TOKEN_VARIABLE)
        .ok()
        .map(|token| token.trim().to_owned())
        .filter(|token| !token.is_empty())
        .map(Secret)
}

/// Whoever comes by a secret that speaks for itself: it stands where a name would.
pub(crate) fn by_secret(secret: Secret) -> remote::SignIn {
    remote::SignIn {
        name: secret.0,
        password: Secret(String::new()),
    }
}

/// Asks a person for a password and tries it, some times when it is wrong.
pub(super) async fn asked<T, F: Future<Output = Outcome<T>>>(
    printer: &Printer,
    question: &str,
    attempt: impl Fn(Secret) -> F,
) -> Outcome<T> {
    let mut tries = 0;
    loop {
        tries += 1;
        let password = Secret(printer.ask_password(question).await?);
        match attempt(password).await {
            Err(fault) if fault.kind() == Some(ErrorKind::WrongPassword) && tries < TRIES => {
                printer.note(&printer.text().kind(ErrorKind::WrongPassword));
            }
            done => return done,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_source_of_a_password_wins() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("password");
        std::fs::write(&file, "from file\r\nnot this\n").unwrap();
        let secret = |text: &str| Some(Secret(text.to_owned()));
        let found = |passwords: &Passwords| passwords.find().unwrap().map(|secret| secret.0);
        let mut passwords = Passwords {
            user: None,
            given: secret("given"),
            file: Some(file),
            variable: secret("variable"),
        };
        assert_eq!(found(&passwords).as_deref(), Some("given"));
        passwords.given = None;
        assert_eq!(found(&passwords).as_deref(), Some("from file"));
        passwords.file = None;
        assert_eq!(found(&passwords).as_deref(), Some("variable"));
        passwords.variable = None;
        assert_eq!(found(&passwords), None);
    }

    #[test]
    fn a_password_file_without_password_is_a_named_fault() {
        let home = tempfile::tempdir().unwrap();
        let empty = home.path().join("empty");
        std::fs::write(&empty, "\n").unwrap();
        let large = home.path().join("large");
        std::fs::write(&large, "x".repeat(5000)).unwrap();
        for file in [
            empty,
            large,
            home.path().join("missing"),
            home.path().to_owned(),
        ] {
            assert!(read_secret(&file).is_err(), "{file:?}");
        }
    }
}
