//! The one place where whoever asks becomes an account.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use gaveta_core::{Error, ErrorKind, Result};
use zeroize::Zeroizing;

use super::accounts::{Accounts, Everybody, SignedIn};
use super::cookies::Cookies;
use super::pass::{Origin, Pass, Standing};
use super::password::Doorkeeper;

/// What somebody shows to say who he is. Secrets do not show in its `Debug`.
pub(crate) enum Credential {
    /// Nothing: a visitor.
    Nothing,
    /// A name and a password.
    Password(String, Zeroizing<String>),
    /// A token, or whatever else speaks for itself.
    Bearer(Zeroizing<String>),
    /// A browser's session.
    Cookie(Zeroizing<String>),
    /// The secret of a share's link, as it stands in its path, and the share's password.
    Share(Zeroizing<String>, Option<Zeroizing<String>>),
    /// Something that nobody can read. Never a visitor.
    Broken,
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nothing => "Nothing",
            Self::Password(..) => "Password(***)",
            Self::Bearer(_) => "Bearer(***)",
            Self::Cookie(_) => "Cookie(***)",
            Self::Share(..) => "Share(***)",
            Self::Broken => "Broken",
        })
    }
}

/// Whoever knows some credentials beside names and passwords: tokens, shares, a browser's sessions.
#[async_trait]
pub(crate) trait Admission: fmt::Debug + Send + Sync {
    /// Who shows this; none when it is not for this one to know.
    ///
    /// # Errors
    /// `WrongPassword`, `Busy`: whoever shows it is not let in by anybody else. A password of its
    /// own is compared by the keeper.
    async fn admit(
        &self,
        credential: &Credential,
        origin: Origin,
        keeper: &Doorkeeper,
    ) -> Result<Option<Box<dyn Standing>>>;
}

/// The entrance of a drawer.
#[derive(Debug)]
pub(crate) struct Entrance {
    /// The accounts in force.
    pub(crate) accounts: Arc<Accounts>,
    /// The sessions of browsers.
    pub(crate) cookies: Arc<Cookies>,
    /// Compares and makes what is kept of passwords.
    pub(crate) keeper: Doorkeeper,
    others: OnceLock<Vec<Arc<dyn Admission>>>,
}

impl Entrance {
    /// Lets in who has one of these accounts.
    ///
    /// # Errors
    /// `Io` when the system has no random numbers.
    pub(crate) fn new(accounts: Arc<Accounts>) -> Result<Self> {
        Ok(Self {
            cookies: Cookies::new(Arc::clone(&accounts)),
            accounts,
            keeper: Doorkeeper::new()?,
            others: OnceLock::new(),
        })
    }

    /// Also lets in whom these know: they are asked first, one after the other. Once, before the
    /// server runs.
    pub(crate) fn also(&self, others: Vec<Arc<dyn Admission>>) {
        let _ = self.others.set(others);
    }

    /// Who shows this? Whoever gives credentials is never taken for a visitor when they are wrong.
    ///
    /// # Errors
    /// `WrongPassword`; `SignInNeeded` for a browser's session that has ended; `Busy` when this
    /// address guessed too often.
    pub(super) async fn admit(&self, credential: Credential, origin: Origin) -> Result<Pass> {
        for other in self.others.get().into_iter().flatten() {
            if let Some(standing) = other.admit(&credential, origin, &self.keeper).await? {
                return self.pass(standing, origin);
            }
        }
        match credential {
            Credential::Nothing => Ok(self.visitor(origin)),
            Credential::Password(name, password) => {
                let (_, pass) = self.by_password(&name, password, origin).await?;
                Ok(pass)
            }
            Credential::Cookie(secret) => match self.cookies.standing(&secret) {
                Some(standing) => self.pass(standing, origin),
                None => Err(Error::new(ErrorKind::SignInNeeded)),
            },
            Credential::Bearer(_) | Credential::Share(..) | Credential::Broken => {
                Err(Error::new(ErrorKind::WrongPassword))
            }
        }
    }

    /// Begins a browser's session of who has this name and password: its secret. Nothing else that
    /// opens the drawer begins one: it would lose its scope and outlive its end.
    ///
    /// # Errors
    /// As [`Entrance::admit`]; `Io` when the system has no random numbers.
    pub(super) async fn sign_in(
        &self,
        name: &str,
        password: Zeroizing<String>,
        origin: Origin,
    ) -> Result<(Pass, Zeroizing<String>)> {
        let (signed_in, pass) = self.by_password(name, password, origin).await?;
        Ok((pass, self.cookies.begin(&signed_in)?))
    }

    async fn by_password(
        &self,
        name: &str,
        password: Zeroizing<String>,
        origin: Origin,
    ) -> Result<(SignedIn, Pass)> {
        let person = self.accounts.find(name);
        let known = person.as_ref().and_then(|person| person.password());
        let from = origin.ip.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
        self.keeper.compare(name, password, known, from).await?;
        let wrong = || Error::new(ErrorKind::WrongPassword);
        let mark = person.ok_or_else(wrong)?.mark();
        let standing = SignedIn::new(Arc::clone(&self.accounts), name, mark);
        // Disabled, expired, or changed in this very moment.
        let pass = self.pass(Box::new(standing.clone()), origin);
        Ok((standing, pass.map_err(|_| wrong())?))
    }

    /// A pass for a standing that was found out otherwise.
    ///
    /// # Errors
    /// `SignInNeeded` when it has ended.
    pub(crate) fn pass(&self, standing: Box<dyn Standing>, origin: Origin) -> Result<Pass> {
        Pass::new(standing, Arc::clone(self.accounts.changes()), origin)
    }

    /// Somebody who does not sign in.
    pub(crate) fn visitor(&self, origin: Origin) -> Pass {
        let everybody = Everybody(Arc::clone(&self.accounts));
        Pass::lasting(everybody, Arc::clone(self.accounts.changes()), origin)
    }
}
