//! The administrator's password: kept as an argon2id hash, checked without haste, remembered for
//! minutes.

use std::fmt;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use gaveta_core::{Account, Error, ErrorKind, Result};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};
use zeroize::{Zeroize, Zeroizing};

use super::guesses::Guesses;
pub use super::secrets::{Kept, Known, PasswordProblem, Source};

/// The longest password, in bytes.
pub(super) const LONGEST: usize = 1024;
/// Hashes computed at once, for all: each takes 19 MiB and tens of milliseconds.
const AT_ONCE: usize = 2;
/// How many may wait for their turn, and how long.
const WAITING: usize = 64;
const TURN: Duration = Duration::from_secs(10);
/// How long a right password is remembered, and how many ways of signing in.
const REMEMBERED_FOR: Duration = Duration::from_secs(5 * 60);
const REMEMBERED: usize = 4;

/// The administrator's password, as its hash.
#[derive(Clone)]
pub struct AdminPassword {
    hash: String,
}

impl AdminPassword {
    /// Hashes a password with argon2id at the recommended cost (OWASP: 19 MiB, 2 passes).
    ///
    /// # Errors
    /// `BadRequest` when it is empty or longer than 1024 bytes; `Io` when no salt can be had.
    pub fn new(password: &str) -> Result<Self> {
        Self::with_params(password, Params::DEFAULT)
    }

    /// As [`AdminPassword::new`] at the lowest cost there is: for tests, where the password is no
    /// secret.
    ///
    /// # Errors
    /// As [`AdminPassword::new`].
    pub fn cheap(password: &str) -> Result<Self> {
        let params = Params::new(Params::MIN_M_COST, 1, 1, None)
            .map_err(|error| Error::new(ErrorKind::Io).because(error.to_string()))?;
        Self::with_params(password, params)
    }

    fn with_params(password: &str, params: Params) -> Result<Self> {
        if password.is_empty() || password.len() > LONGEST {
            return Err(Error::bad_request("a password has 1 to 1024 bytes"));
        }
        let failed =
            |error: &dyn fmt::Display| Error::new(ErrorKind::Io).because(error.to_string());
        let mut salt = [0; 16];
        getrandom::fill(&mut salt).map_err(|error| failed(&error))?;
        let hash: PasswordHash = Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_with_salt(password.as_bytes(), &salt)
            .map_err(|error| failed(&error))?;
        Ok(Self {
            hash: hash.to_string(),
        })
    }

    /// Reads a hash that was kept: a PHC string of argon2.
    ///
    /// # Errors
    /// `BadRequest`.
    pub fn from_hash(hash: &str) -> Result<Self> {
        let parsed = PasswordHash::new(hash)
            .map_err(|error| Error::bad_request(format!("no password hash: {error}")))?;
        if parsed.algorithm.as_str() != "argon2id" {
            return Err(Error::bad_request("not an argon2id hash"));
        }
        Ok(Self {
            hash: hash.to_owned(),
        })
    }

    /// The hash as a PHC string.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// Is this the password? Takes tens of milliseconds of computing, right or wrong.
    pub fn is(&self, password: &str) -> bool {
        let Ok(hash) = PasswordHash::new(&self.hash) else {
            return false;
        };
        Argon2::default()
            .verify_password(password.as_bytes(), &hash)
            .is_ok()
    }
}

/// The hash does not show either.
impl fmt::Debug for AdminPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AdminPassword(***)")
    }
}

/// Who signs in.
pub(crate) struct Doorkeeper {
    /// Somebody's hash even when there is no administrator: then nobody knows its password, and
    /// a guess takes as long as any.
    password: Arc<AdminPassword>,
    guesses: Guesses,
    slots: Semaphore,
    waiting: AtomicUsize,
    key: [u8; 32],
    remembered: Mutex<Vec<(blake3::Hash, Instant)>>,
}

impl Doorkeeper {
    /// Lets the administrator in by this password; nobody, without one.
    ///
    /// # Errors
    /// `Io` when the system has no random numbers.
    pub(crate) fn new(password: Option<AdminPassword>) -> Result<Self> {
        let mut key = [0; 32];
        getrandom::fill(&mut key)
            .map_err(|error| Error::new(ErrorKind::Io).because(error.to_string()))?;
        let password = match password {
            Some(password) => password,
            None => {
                let mut nobodys = [0; 32];
                getrandom::fill(&mut nobodys)
                    .map_err(|error| Error::new(ErrorKind::Io).because(error.to_string()))?;
                AdminPassword::new(&blake3::Hash::from_bytes(nobodys).to_hex())?
            }
        };
        Ok(Self {
            password: Arc::new(password),
            guesses: Guesses::default(),
            slots: Semaphore::new(AT_ONCE),
            waiting: AtomicUsize::new(0),
            key,
            remembered: Mutex::default(),
        })
    }

    /// Signs in. A name that is not there takes as long, and counts as much, as a wrong password.
    ///
    /// # Errors
    /// `WrongPassword`; `Busy` when this address guessed too often or too many wait.
    pub(crate) async fn sign_in(
        &self,
        name: &str,
        password: Zeroizing<String>,
        from: IpAddr,
    ) -> Result<Account> {
        self.guesses.may_try(from)?;
        if password.len() > LONGEST {
            self.guesses.count(from);
            return Err(Error::new(ErrorKind::WrongPassword));
        }
        let mark = self.mark(name, &password);
        if self.remembers(&mark) {
            return Ok(Account::Admin);
        }
        let _queued = Queued::new(&self.waiting)?;
        let slot = match timeout(TURN, self.slots.acquire()).await {
            Ok(Ok(slot)) => slot,
            Ok(Err(_)) | Err(_) => return Err(Error::new(ErrorKind::Busy)),
        };
        // Others may have guessed, or signed in the same way, while this one waited.
        self.guesses.may_try(from)?;
        if self.remembers(&mark) {
            return Ok(Account::Admin);
        }
        self.guesses.count(from);
        let known = Arc::clone(&self.password);
        let right = tokio::task::spawn_blocking(move || known.is(&password))
            .await
            .map_err(|error| Error::new(ErrorKind::Io).because(error))?;
        drop(slot);
        if !right || name != Account::ADMIN {
            tracing::warn!(target: "gaveta::sign-in", peer = %from, "wrong name or password");
            return Err(Error::new(ErrorKind::WrongPassword));
        }
        self.guesses.right(from);
        self.remember(mark);
        Ok(Account::Admin)
    }

    /// A name and password as a MAC under this process's own key. The comparison of
    /// [`blake3::Hash`] takes constant time.
    fn mark(&self, name: &str, password: &str) -> blake3::Hash {
        let mut mac = blake3::Hasher::new_keyed(&self.key);
        mac.update(&(name.len() as u64).to_le_bytes());
        mac.update(name.as_bytes());
        mac.update(password.as_bytes());
        let mark = mac.finalize();
        mac.reset();
        mark
    }

    fn remembers(&self, mark: &blake3::Hash) -> bool {
        let now = Instant::now();
        let remembered = self
            .remembered
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        remembered
            .iter()
            .any(|(known, until)| *until > now && known == mark)
    }

    fn remember(&self, mark: blake3::Hash) {
        let now = Instant::now();
        let mut remembered = self
            .remembered
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        remembered.retain(|(known, until)| *until > now && *known != mark);
        if remembered.len() >= REMEMBERED {
            remembered.remove(0);
        }
        remembered.push((mark, now + REMEMBERED_FOR));
    }
}

impl fmt::Debug for Doorkeeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Doorkeeper").finish_non_exhaustive()
    }
}

impl Drop for Doorkeeper {
    fn drop(&mut self) {
        self.key.zeroize();
    }
}

/// One place in the bounded queue.
struct Queued<'a>(&'a AtomicUsize);

impl<'a> Queued<'a> {
    fn new(waiting: &'a AtomicUsize) -> Result<Self> {
        let queued = Self(waiting);
        if waiting.fetch_add(1, Ordering::AcqRel) >= WAITING {
            return Err(Error::new(ErrorKind::Busy));
        }
        Ok(queued)
    }
}

impl Drop for Queued<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ME: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn secret(text: &str) -> Zeroizing<String> {
        Zeroizing::new(text.to_owned())
    }

    fn keeper() -> Doorkeeper {
        Doorkeeper::new(Some(AdminPassword::cheap("right one").unwrap())).unwrap()
    }

    #[test]
    fn a_hash_leads_back_and_shows_nothing() {
        let password = AdminPassword::new("segredo é bom").unwrap();
        assert!(
            password
                .hash()
                .starts_with("$argon2id$v=19$m=19456,t=2,p=1$")
        );
        let kept = AdminPassword::from_hash(password.hash()).unwrap();
        assert!(kept.is("segredo é bom") && !kept.is("segredo e bom") && !kept.is(""));
        assert_eq!(format!("{kept:?}"), "AdminPassword(***)");
        assert!(AdminPassword::from_hash("nonsense").is_err());
        assert!(AdminPassword::new("").is_err());
        assert!(AdminPassword::new(&"x".repeat(LONGEST + 1)).is_err());
    }

    #[tokio::test]
    async fn only_the_right_name_with_the_right_password_enters() {
        let keeper = keeper();
        assert_eq!(
            keeper
                .sign_in("admin", secret("right one"), ME)
                .await
                .unwrap(),
            Account::Admin
        );
        for (name, password) in [
            ("admin", "wrong"),
            ("root", "right one"),
            ("admin", ""),
            ("", ""),
            ("ADMIN", "right one"),
            ("adminr", "ight one"),
        ] {
            let error = keeper
                .sign_in(name, secret(password), ME)
                .await
                .unwrap_err();
            assert_eq!(error.kind(), ErrorKind::WrongPassword, "{name} {password}");
        }
        let long = secret(&"x".repeat(LONGEST + 1));
        let error = keeper.sign_in("admin", long, ME).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WrongPassword);
    }

    #[tokio::test]
    async fn guessing_is_slowed_even_for_many_at_once() {
        let keeper = Arc::new(keeper());
        let tries = (0..40).map(|i| {
            let keeper = Arc::clone(&keeper);
            async move {
                keeper
                    .sign_in("admin", secret(&format!("{i}")), ME)
                    .await
                    .unwrap_err()
                    .kind()
            }
        });
        let kinds = futures_util::future::join_all(tries).await;
        let looked_at = kinds
            .iter()
            .filter(|kind| **kind == ErrorKind::WrongPassword)
            .count();
        assert!((10..=12).contains(&looked_at), "{looked_at}");
        // The right one has to wait too, from there; from elsewhere it enters.
        let error = keeper
            .sign_in("admin", secret("right one"), ME)
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Busy);
        let elsewhere = "192.0.2.9".parse().unwrap();
        keeper
            .sign_in("admin", secret("right one"), elsewhere)
            .await
            .unwrap();
    }

    #[tokio::test]
    async fn without_an_administrator_nobody_enters() {
        let keeper = Doorkeeper::new(None).unwrap();
        let error = keeper
            .sign_in("admin", secret("admin"), ME)
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WrongPassword);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_remembered_is_little_and_for_minutes() {
        let keeper = keeper();
        for i in 0..10 {
            keeper.remember(keeper.mark("admin", &i.to_string()));
        }
        assert_eq!(keeper.remembered.lock().unwrap().len(), REMEMBERED);
        assert!(keeper.remembers(&keeper.mark("admin", "9")));
        tokio::time::advance(REMEMBERED_FOR).await;
        assert!(!keeper.remembers(&keeper.mark("admin", "9")));
    }
}
