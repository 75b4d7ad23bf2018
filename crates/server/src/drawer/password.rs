//! Passwords: kept as argon2id hashes, compared without haste, remembered for minutes.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use argon2::password_hash::phc::{Output, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use gaveta_core::{Error, ErrorKind, Result};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};
use zeroize::{Zeroize, Zeroizing};

use super::guesses::Guesses;
use super::hashers::{AT_ONCE, computed};
pub use super::secrets::{Kept, Known, PasswordProblem, Source, is_weak};

/// A hash of a password that nobody knows.
static NOBODY: OnceLock<Arc<HashedPassword>> = OnceLock::new();
/// The longest password, in bytes.
pub(super) const LONGEST: usize = 1024;
/// What comparing with a hash may cost at most: KiB of memory, and passes over it.
const COSTLIEST: u32 = 256 * 1024;
const SLOWEST: u32 = 16;
/// How many may wait for their turn, and how long.
const WAITING: usize = 64;
const TURN: Duration = Duration::from_secs(10);
/// How long a right password is remembered, and how many ways of signing in.
const REMEMBERED_FOR: Duration = Duration::from_secs(5 * 60);
const REMEMBERED: usize = 1024;

/// A password of an account or a share, as its hash.
#[derive(Clone)]
pub struct HashedPassword {
    hash: String,
}

impl HashedPassword {
    /// Hashes a password with argon2id at the recommended cost (OWASP: 19 MiB, 2 passes).
    ///
    /// # Errors
    /// `BadRequest` when it is empty or longer than 1024 bytes; `Io` when no salt can be had.
    pub fn new(password: &str) -> Result<Self> {
        Self::with_params(password, Params::DEFAULT)
    }

    /// As [`HashedPassword::new`] at the lowest cost there is: for tests, where the password is no
    /// secret.
    ///
    /// # Errors
    /// As [`HashedPassword::new`].
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
        let length = params.output_len().unwrap_or(Params::DEFAULT_OUTPUT_LEN);
        let (algorithm, version) = (Algorithm::Argon2id, Version::V0x13);
        let hashed = hashed((version, &params), password, &salt, length);
        let hash = PasswordHash {
            algorithm: algorithm.into(),
            version: Some(version.into()),
            params: (&params).try_into().map_err(|error| failed(&error))?,
            salt: Some(Salt::new(&salt).map_err(|error| failed(&error))?),
            hash: Some(hashed.ok_or(ErrorKind::Io)?),
        };
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
        let params = Params::try_from(&parsed)
            .map_err(|error| Error::bad_request(format!("no password hash: {error}")))?;
        if params.m_cost() > COSTLIEST || params.t_cost() > SLOWEST {
            return Err(Error::bad_request("the hash costs too much to compare"));
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
        let Ok(known) = PasswordHash::new(&self.hash) else {
            return false;
        };
        let version = known
            .version
            .map_or(Ok(Version::default()), Version::try_from);
        let (Ok(version), Ok(params)) = (version, Params::try_from(&known)) else {
            return false;
        };
        let (Some(salt), Some(hash)) = (&known.salt, &known.hash) else {
            return false;
        };
        // Compared in constant time.
        hashed((version, &params), password, salt, hash.len()).is_some_and(|found| found == *hash)
    }
}

/// The least that is taken of the system for a hash, in blocks of 1 KiB; what is not used of it costs
/// nothing. The C library's allocator gives back at once what is larger than 32 MiB (mallopt(3),
/// `M_MMAP_THRESHOLD`); of what a hash needs it would keep a piece for each thread.
const LEAST_TAKEN: usize = 33 << 10;

/// The argon2id hash of this length; none for parameters that do not fit.
fn hashed(
    (version, params): (Version, &Params),
    password: &str,
    salt: &[u8],
    length: usize,
) -> Option<Output> {
    let argon2 = Argon2::new(Algorithm::Argon2id, version, params.clone());
    let mut out = Zeroizing::new(vec![0; length]);
    let blocks = params.block_count();
    let mut memory = Vec::with_capacity(blocks.max(LEAST_TAKEN));
    memory.resize(blocks, Block::new());
    argon2
        .hash_password_into_with_memory(password.as_bytes(), salt, &mut out, &mut memory)
        .ok()?;
    Output::new(&out).ok()
}

/// The hash does not show either.
impl fmt::Debug for HashedPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HashedPassword(***)")
    }
}

/// Compares passwords: without haste, few at once, and counting the guesses.
pub(crate) struct Doorkeeper {
    /// Nobody's hash, for names that are not there: a guess takes as long as any.
    nobody: Arc<HashedPassword>,
    guesses: Guesses,
    turns: Turns,
    /// Of these, those that make a hash: not all, lest they keep others from signing in.
    makers: Turns,
    key: [u8; 32],
    remembered: Mutex<Remembered>,
}

/// The ways of signing in that were right lately, each until then.
type Remembered = HashMap<blake3::Hash, Instant>;

impl Doorkeeper {
    /// Nobody has guessed yet.
    ///
    /// # Errors
    /// `Io` when the system has no random numbers.
    pub(crate) fn new() -> Result<Self> {
        let random = || {
            let mut bytes = [0; 32];
            match getrandom::fill(&mut bytes) {
                Ok(()) => Ok(bytes),
                Err(error) => Err(Error::new(ErrorKind::Io).because(error.to_string())),
            }
        };
        // One of the whole process, for it takes a hash to make.
        let nobody = match NOBODY.get() {
            Some(nobody) => Arc::clone(nobody),
            None => {
                let nobodys = blake3::Hash::from_bytes(random()?).to_hex();
                let made = Arc::new(HashedPassword::new(&nobodys)?);
                Arc::clone(NOBODY.get_or_init(|| made))
            }
        };
        Ok(Self {
            nobody,
            guesses: Guesses::default(),
            turns: Turns::new(AT_ONCE),
            makers: Turns::new(AT_ONCE / 2),
            key: random()?,
            remembered: Mutex::default(),
        })
    }

    /// Is this the password of who has this name? A name that nobody has takes as long, and counts
    /// as much, as a wrong password. What was right is remembered for minutes, under a key of this
    /// process alone, so that not every request takes a hash.
    ///
    /// # Errors
    /// `WrongPassword`; `Busy` when this address guessed too often, by itself or at this name, or
    /// too many wait.
    pub(crate) async fn compare(
        &self,
        name: &str,
        password: Zeroizing<String>,
        known: Option<&HashedPassword>,
        from: IpAddr,
    ) -> Result<()> {
        self.guesses.may_try(name, from)?;
        if password.len() > LONGEST || name.len() > LONGEST {
            self.guesses.count(name, from);
            return Err(Error::new(ErrorKind::WrongPassword));
        }
        let known = known.cloned().map(Arc::new);
        let mark = self.mark(name, &password, known.as_deref());
        if self.remembers(&mark) {
            return Ok(());
        }
        let turn = self.turns.next().await?;
        // Others may have guessed, or signed in the same way, while this one waited.
        self.guesses.may_try(name, from)?;
        if self.remembers(&mark) {
            return Ok(());
        }
        self.guesses.count(name, from);
        let somebody = known.is_some();
        let hash = known.unwrap_or_else(|| Arc::clone(&self.nobody));
        let (right, turn) = computed(turn, move || hash.is(&password)).await?;
        if !right || !somebody {
            let name = gaveta_text::escape(name)
                .chars()
                .take(64)
                .collect::<String>();
            tracing::warn!(target: "gaveta::sign-in", peer = %from, name, "wrong name or password");
            return Err(Error::new(ErrorKind::WrongPassword));
        }
        self.guesses.right(name, from);
        self.remember(mark);
        // Only now: whoever comes next with the same finds it remembered and is not counted.
        drop(turn);
        Ok(())
    }

    /// The hash of a new password. One at a time.
    ///
    /// # Errors
    /// `BadRequest` when it is empty or too long; `Busy` when too many wait; `Io`.
    pub(crate) async fn hash(&self, password: Zeroizing<String>) -> Result<String> {
        let making = self.makers.next().await?;
        let turns = (making, self.turns.next().await?);
        let (hashed, _turns) = computed(turns, move || HashedPassword::new(&password)).await?;
        Ok(hashed?.hash)
    }

    /// A name, a password and what it is compared with, as a MAC under this process's own key:
    /// whoever gets another password is not remembered by the old one. Found by a hash table, so
    /// its comparison need not take constant time: without the key nobody can choose it.
    fn mark(&self, name: &str, password: &str, known: Option<&HashedPassword>) -> blake3::Hash {
        let mut mac = blake3::Hasher::new_keyed(&self.key);
        for part in [name, known.map_or("", HashedPassword::hash), password] {
            mac.update(&(part.len() as u64).to_le_bytes());
            mac.update(part.as_bytes());
        }
        let mark = mac.finalize();
        mac.reset();
        mark
    }

    fn remembers(&self, mark: &blake3::Hash) -> bool {
        let remembered = self
            .remembered
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        remembered
            .get(mark)
            .is_some_and(|until| *until > Instant::now())
    }

    fn remember(&self, mark: blake3::Hash) {
        let now = Instant::now();
        let mut remembered = self
            .remembered
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if remembered.len() >= REMEMBERED {
            remembered.retain(|_, until| *until > now);
        }
        if remembered.len() >= REMEMBERED
            && let Some(oldest) = remembered
                .iter()
                .min_by_key(|(_, until)| **until)
                .map(|(mark, _)| *mark)
        {
            remembered.remove(&oldest);
        }
        remembered.insert(mark, now + REMEMBERED_FOR);
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

/// So many at once, and a bounded queue before them.
struct Turns {
    slots: Arc<Semaphore>,
    waiting: AtomicUsize,
}

impl Turns {
    fn new(at_once: usize) -> Self {
        Self {
            slots: Arc::new(Semaphore::new(at_once)),
            waiting: AtomicUsize::new(0),
        }
    }

    /// Waits for a turn.
    ///
    /// # Errors
    /// `Busy` when too many wait, or for too long.
    async fn next(&self) -> Result<OwnedSemaphorePermit> {
        let _queued = Queued::new(&self.waiting)?;
        match timeout(TURN, Arc::clone(&self.slots).acquire_owned()).await {
            Ok(Ok(turn)) => Ok(turn),
            Ok(Err(_)) | Err(_) => Err(Error::new(ErrorKind::Busy)),
        }
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
    use futures_util::FutureExt;

    const ME: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn secret(text: &str) -> Zeroizing<String> {
        Zeroizing::new(text.to_owned())
    }

    fn right() -> HashedPassword {
        HashedPassword::cheap("right one").unwrap()
    }

    async fn tried(keeper: &Doorkeeper, name: &str, password: &str, from: IpAddr) -> Result<()> {
        let known = right();
        let known = (name == "admin").then_some(&known);
        keeper.compare(name, secret(password), known, from).await
    }

    #[test]
    fn a_hash_leads_back_and_shows_nothing() {
        let password = HashedPassword::new("segredo é bom").unwrap();
        assert!(
            password
                .hash()
                .starts_with("$argon2id$v=19$m=19456,t=2,p=1$")
        );
        let kept = HashedPassword::from_hash(password.hash()).unwrap();
        assert!(kept.is("segredo é bom") && !kept.is("segredo e bom") && !kept.is(""));
        assert_eq!(format!("{kept:?}"), "HashedPassword(***)");
        assert!(HashedPassword::from_hash("nonsense").is_err());
        assert!(HashedPassword::new("").is_err());
        assert!(HashedPassword::new(&"x".repeat(LONGEST + 1)).is_err());
    }

    #[tokio::test]
    async fn only_the_right_name_with_the_right_password_enters() {
        let keeper = Doorkeeper::new().unwrap();
        tried(&keeper, "admin", "right one", ME).await.unwrap();
        let long = "x".repeat(LONGEST + 1);
        for (name, password) in [
            ("admin", "wrong"),
            ("root", "right one"),
            ("admin", ""),
            ("", ""),
            ("ADMIN", "right one"),
            ("adminr", "ight one"),
            ("admin", &long),
            (&long, "right one"),
        ] {
            let error = tried(&keeper, name, password, ME).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::WrongPassword, "{name} {password}");
        }
    }

    #[tokio::test]
    async fn guessing_is_slowed_even_for_many_at_once_and_locks_nobody_out() {
        let keeper = Arc::new(Doorkeeper::new().unwrap());
        let tries = (0..40).map(|i| {
            let keeper = Arc::clone(&keeper);
            async move {
                let error = tried(&keeper, "admin", &i.to_string(), ME).await;
                error.unwrap_err().kind()
            }
        });
        let kinds = futures_util::future::join_all(tries).await;
        let looked_at = kinds
            .iter()
            .filter(|kind| **kind == ErrorKind::WrongPassword)
            .count();
        assert!((10..=12).contains(&looked_at), "{looked_at}");
        // The right one has to wait too, from there; from elsewhere it enters.
        let error = tried(&keeper, "admin", "right one", ME).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Busy);
        let elsewhere = "192.0.2.9".parse().unwrap();
        tried(&keeper, "admin", "right one", elsewhere)
            .await
            .unwrap();
        // So does another one from the same place.
        let ana = right();
        keeper
            .compare("ana", secret("right one"), Some(&ana), ME)
            .await
            .unwrap();
    }

    #[tokio::test]
    async fn many_at_once_with_the_right_password_are_no_guesses() {
        for _ in 0..100 {
            let keeper = Doorkeeper::new().unwrap();
            let asked = (0..50).map(|_| tried(&keeper, "admin", "right one", ME));
            for entered in futures_util::future::join_all(asked).await {
                entered.unwrap();
            }
        }
    }

    #[tokio::test]
    async fn another_password_is_not_remembered_by_the_old_one() {
        let keeper = Doorkeeper::new().unwrap();
        tried(&keeper, "admin", "right one", ME).await.unwrap();
        let other = HashedPassword::cheap("another").unwrap();
        let old = keeper.compare("admin", secret("right one"), Some(&other), ME);
        assert_eq!(old.await.unwrap_err().kind(), ErrorKind::WrongPassword);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_remembered_is_bounded_and_for_minutes() {
        let keeper = Doorkeeper::new().unwrap();
        for i in 0..REMEMBERED + 10 {
            keeper.remember(keeper.mark("admin", &i.to_string(), None));
        }
        assert_eq!(keeper.remembered.lock().unwrap().len(), REMEMBERED);
        let last = keeper.mark("admin", &(REMEMBERED + 9).to_string(), None);
        assert!(keeper.remembers(&last));
        tokio::time::advance(REMEMBERED_FOR).await;
        assert!(!keeper.remembers(&last));
    }

    #[tokio::test]
    async fn few_hash_at_once_and_few_wait() {
        let turns = Turns::new(AT_ONCE);
        let mut held = Vec::new();
        for _ in 0..AT_ONCE {
            held.push(turns.next().await.unwrap());
        }
        let mut waiting: Vec<_> = (0..WAITING).map(|_| Box::pin(turns.next())).collect();
        for next in &mut waiting {
            assert!(next.now_or_never().is_none());
        }
        let refused = turns.next().now_or_never().unwrap();
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::Busy);
        held.pop();
        drop(waiting.swap_remove(0).await.unwrap());
        // Who does not wait any more leaves his place to others.
        waiting.clear();
        tokio::task::yield_now().await;
        drop(turns.next().now_or_never().unwrap().unwrap());
    }

    #[tokio::test]
    async fn a_new_password_is_hashed_and_its_turn_ends_with_it() {
        let keeper = Doorkeeper::new().unwrap();
        // Nobody waits for these: they are computed all the same, and end.
        for _ in 0..3 {
            let left = keeper.hash(secret("nobody waits"));
            let _ = tokio::time::timeout(Duration::from_millis(1), left).await;
        }
        let hash = keeper.hash(secret("a new one")).await.unwrap();
        assert!(HashedPassword::from_hash(&hash).unwrap().is("a new one"));
        let empty = keeper.hash(secret("")).await.unwrap_err();
        assert_eq!(empty.kind(), ErrorKind::BadRequest);
    }

    #[test]
    fn a_hash_that_costs_too_much_is_none() {
        for costs in ["m=4194304,t=2,p=1", "m=19456,t=1000,p=1"] {
            let hash = format!("$argon2id$v=19${costs}$c29tZXNhbHQ$qc0KxBMYEMfBGHLI8vPyUQ");
            assert!(HashedPassword::from_hash(&hash).is_err(), "{costs}");
        }
    }
}
