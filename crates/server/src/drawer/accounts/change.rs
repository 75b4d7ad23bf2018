//! Changes of one account, as people ask for them: by `gaveta account` and by the page, in the same
//! words.

use gaveta_core::{Account, Actions, Path};
use toml_edit::{DocumentMut, value};

use super::book::{SshKey, date, size};
use super::edit;
use super::file::FileProblem;

/// What shall be changed of an account.
#[derive(Debug, Clone)]
pub enum Change {
    /// There is none yet: with the hash of a password, these grants and settings.
    Add {
        /// The hash; nobody signs in by a password without.
        password: Option<String>,
        /// What it may do where.
        grants: Vec<(Path, Actions)>,
        /// The rest.
        settings: Settings,
    },
    /// It goes.
    Remove,
    /// The hash of another password. The administrator's account is made where it is not there.
    Password(String),
    /// What it is granted at a path; nothing of its own, with none.
    Grant(Path, Option<Actions>),
    /// Its settings.
    Set(Settings),
    /// One more SSH key.
    AddKey(SshKey),
    /// The SSH keys of which this is the comment, the base64, or the whole line go.
    RemoveKey(String),
}

/// Settings of an account. What is `None` stays; what is `Some(None)` is taken away.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// How many bytes it may keep.
    pub quota: Option<Option<String>>,
    /// From then on nobody signs in with it.
    pub expires: Option<Option<String>>,
    /// Nobody signs in with it for now.
    pub disabled: Option<bool>,
}

/// What a setting cannot be: the word that was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BadSetting {
    /// No size in bytes.
    Quota(String),
    /// No date.
    Expires(String),
}

impl Settings {
    /// Do they make sense?
    ///
    /// # Errors
    /// [`BadSetting`], the first of them.
    pub fn check(&self) -> Result<(), BadSetting> {
        if let Some(Some(quota)) = &self.quota
            && size(quota).is_none()
        {
            return Err(BadSetting::Quota(quota.clone()));
        }
        if let Some(Some(expires)) = &self.expires
            && date(expires).is_none()
        {
            return Err(BadSetting::Expires(expires.clone()));
        }
        Ok(())
    }

    fn apply(&self, document: &mut DocumentMut, name: &str) -> Result<(), FileProblem> {
        for (key, given) in [("quota", &self.quota), ("expires", &self.expires)] {
            if let Some(given) = given {
                let what = given.as_ref().map(|given| value(given.as_str()));
                edit::setting(document, name, key, what)?;
            }
        }
        match self.disabled {
            Some(disabled) => {
                let what = disabled.then(|| value(true));
                edit::setting(document, name, "disabled", what)
            }
            None => Ok(()),
        }
    }
}

impl Change {
    /// The stable word for it, in the audit log.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Add { .. } => "account-add",
            Self::Remove => "account-remove",
            Self::Password(_) => "account-password",
            Self::Grant(_, Some(_)) => "account-grant",
            Self::Grant(_, None) => "account-grant-remove",
            Self::Set(_) => "account-set",
            Self::AddKey(_) => "account-key",
            Self::RemoveKey(_) => "account-key-remove",
        }
    }

    /// The path it is about.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Grant(path, _) => Some(path),
            Self::Add { .. }
            | Self::Remove
            | Self::Password(_)
            | Self::Set(_)
            | Self::AddKey(_)
            | Self::RemoveKey(_) => None,
        }
    }

    /// Makes it in the file's document.
    ///
    /// # Errors
    /// `Taken` where there is one of the name already, `NoAccount` where there is none, `NoKey`.
    pub fn apply(&self, document: &mut DocumentMut, name: &str) -> Result<(), FileProblem> {
        match self {
            Self::Add {
                password,
                grants,
                settings,
            } => {
                edit::add(document, name)?;
                if let Some(hash) = password {
                    edit::password(document, name, hash)?;
                }
                for (at, what) in grants {
                    edit::grant(document, name, at, Some(*what))?;
                }
                settings.apply(document, name)
            }
            Self::Remove => edit::remove(document, name),
            Self::Password(hash) => {
                if name == Account::ADMIN && !edit::knows(document, name) {
                    edit::add(document, name)?;
                    edit::grant(document, name, &Path::root(), Some(Actions::ALL))?;
                }
                edit::password(document, name, hash)
            }
            Self::Grant(at, what) => edit::grant(document, name, at, *what),
            Self::Set(settings) => settings.apply(document, name),
            Self::AddKey(key) => edit::add_key(document, name, key),
            Self::RemoveKey(which) => edit::remove_key(document, name, which),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Book;
    use super::*;

    #[test]
    fn settings_that_make_no_sense_are_found_before() {
        let settings = |quota: &str, expires: &str| Settings {
            quota: Some(Some(quota.to_owned())),
            expires: Some(Some(expires.to_owned())),
            disabled: None,
        };
        assert_eq!(settings("10G", "2027-01-31").check(), Ok(()));
        assert_eq!(
            settings("much", "2027-01-31").check(),
            Err(BadSetting::Quota("much".into()))
        );
        assert_eq!(
            settings("1", "soon").check(),
            Err(BadSetting::Expires("soon".into()))
        );
    }

    #[test]
    fn an_account_is_made_whole_and_changed_in_part() {
        let mut document = DocumentMut::new();
        let team = Path::parse("team").unwrap();
        let add = Change::Add {
            password: None,
            grants: vec![(team.clone(), Actions::parse("editor").unwrap())],
            settings: Settings {
                quota: Some(Some("1G".into())),
                expires: Some(Some("2027-01-31".into())),
                disabled: Some(true),
            },
        };
        add.apply(&mut document, "ana").unwrap();
        assert!(matches!(
            add.apply(&mut document, "Ana"),
            Err(FileProblem::Taken(_))
        ));
        let set = Change::Set(Settings {
            expires: Some(None),
            disabled: Some(false),
            ..Settings::default()
        });
        set.apply(&mut document, "ana").unwrap();
        let book = Book::parse(&document.to_string()).unwrap();
        let ana = &book.records[0];
        assert_eq!(ana.quota, Some(1 << 30));
        assert!(ana.expires.is_none() && !ana.disabled);
        assert_eq!(ana.grants.at(&team), Actions::parse("editor").unwrap());
        assert!(matches!(
            set.apply(&mut document, "bia"),
            Err(FileProblem::NoAccount(_))
        ));
        // The administrator's is made with a password, nobody else's.
        let hash = "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$qc0KxBMYEMfBGHLI8vPyUQ";
        let password = Change::Password(hash.to_owned());
        assert!(password.apply(&mut document, "bia").is_err());
        password.apply(&mut document, Account::ADMIN).unwrap();
        let book = Book::parse(&document.to_string()).unwrap();
        assert_eq!(book.records[1].grants.at(&Path::root()), Actions::ALL);
    }
}
