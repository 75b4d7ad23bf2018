//! Guesses at passwords, slowed by address and by name.

use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gaveta_core::{Error, ErrorKind, Result};
use tokio::time::Instant;

/// Wrong guesses at one name, from one address, that cost nothing but their time.
const FREE: u32 = 10;
/// Wrong guesses from one address, at whatever names: many people may share an address.
const FREE_IN_ALL: u32 = 100;
/// The longest wait.
const LONGEST: Duration = Duration::from_secs(60);
/// An address that stayed away so long starts afresh.
const FORGET: Duration = Duration::from_secs(15 * 60);
/// How many addresses, and how many pairs of a name and an address, are kept in mind.
const PLACES: usize = 4096;

/// How long an address is asked to wait: the source of a `Busy` about guesses and requests.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RetryAfter(pub(crate) Duration);

impl fmt::Display for RetryAfter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "too often from here; wait {} s", self.0.as_secs().max(1))
    }
}

impl std::error::Error for RetryAfter {}

/// Who guessed how often: by address, and by name and address, so that whoever guesses at one name
/// keeps nobody else out, and nobody elsewhere that one.
#[derive(Debug)]
pub(crate) struct Guesses {
    pairs: Slowed<(Ipv6Addr, blake3::Hash)>,
    addresses: Slowed<Ipv6Addr>,
}

impl Default for Guesses {
    fn default() -> Self {
        Self {
            pairs: Slowed::new(FREE),
            addresses: Slowed::new(FREE_IN_ALL),
        }
    }
}

impl Guesses {
    /// May this address try this name now?
    ///
    /// # Errors
    /// `Busy`, because of [`RetryAfter`].
    pub(crate) fn may_try(&self, name: &str, address: IpAddr) -> Result<()> {
        self.addresses.may_try(&prefix(address))?;
        self.pairs.may_try(&pair(name, address))
    }

    /// Counts a guess before it is known to be wrong, so that many at once are no way around.
    pub(crate) fn count(&self, name: &str, address: IpAddr) {
        self.addresses.count(prefix(address));
        self.pairs.count(pair(name, address));
    }

    /// The guess was right: the name starts afresh there, and the address has guessed once less.
    /// It does not start afresh: else whoever has an account would guess at others' without end.
    pub(crate) fn right(&self, name: &str, address: IpAddr) {
        self.pairs.forget(&pair(name, address));
        self.addresses.take_back(&prefix(address));
    }
}

fn pair(name: &str, address: IpAddr) -> (Ipv6Addr, blake3::Hash) {
    (prefix(address), blake3::hash(name.as_bytes()))
}

/// Those who are made to wait longer and longer. Memory is bounded: when the table is full, the one
/// that was quiet for longest is forgotten.
#[derive(Debug)]
struct Slowed<K> {
    free: u32,
    table: Mutex<HashMap<K, Record>>,
}

#[derive(Debug)]
struct Record {
    guesses: u32,
    last: Instant,
    until: Instant,
}

impl<K: Eq + Hash + Clone> Slowed<K> {
    fn new(free: u32) -> Self {
        Self {
            free,
            table: Mutex::default(),
        }
    }

    fn table(&self) -> MutexGuard<'_, HashMap<K, Record>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn may_try(&self, key: &K) -> Result<()> {
        let now = Instant::now();
        match self.table().get(key) {
            Some(record) if record.until > now => {
                let wait = record.until - now;
                Err(Error::new(ErrorKind::Busy).because(RetryAfter(ceil(wait))))
            }
            _ => Ok(()),
        }
    }

    fn count(&self, key: K) {
        let now = Instant::now();
        let mut table = self.table();
        if !table.contains_key(&key) && table.len() >= PLACES {
            table.retain(|_, record| now.duration_since(record.last) < FORGET);
            // Many at once, so that a full table is not gone through for each newcomer.
            if table.len() >= PLACES {
                let mut times: Vec<Instant> = table.values().map(|record| record.last).collect();
                times.sort_unstable();
                let quiet = times.get(PLACES / 8).copied().unwrap_or(now);
                table.retain(|_, record| record.last > quiet);
            }
        }
        let record = table.entry(key).or_insert(Record {
            guesses: 0,
            last: now,
            until: now,
        });
        if now.duration_since(record.last) >= FORGET {
            record.guesses = 0;
        }
        record.guesses = record.guesses.saturating_add(1);
        record.last = now;
        record.until = now + wait_after(record.guesses, self.free);
    }

    fn forget(&self, key: &K) {
        self.table().remove(key);
    }

    fn take_back(&self, key: &K) {
        let mut table = self.table();
        if let Some(record) = table.get_mut(key) {
            record.guesses = record.guesses.saturating_sub(1);
            record.until = record.last;
        }
    }
}

/// 1, 2, 4 … seconds after the free ones.
fn wait_after(guesses: u32, free: u32) -> Duration {
    match guesses.checked_sub(free) {
        None => Duration::ZERO,
        Some(over) => Duration::from_secs(1 << over.min(6)).min(LONGEST),
    }
}

fn ceil(wait: Duration) -> Duration {
    Duration::from_secs(wait.as_secs() + u64::from(wait.subsec_nanos() > 0))
}

/// Who an address is: IPv4 whole, IPv6 by its /64, which one household has for itself. The loopback
/// is one: whoever is on this machine may call from any of its sixteen million addresses.
pub(super) fn prefix(address: IpAddr) -> Ipv6Addr {
    match address {
        loopback if loopback.to_canonical().is_loopback() => Ipv6Addr::LOCALHOST,
        IpAddr::V4(v4) => v4.to_ipv6_mapped(),
        IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some() => v6,
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << 64)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn waits_grow_and_a_right_one_ends_them() {
        let guesses = Guesses::default();
        let me = address("127.0.0.1");
        for _ in 0..FREE - 1 {
            guesses.count("ana", me);
            guesses.may_try("ana", me).unwrap();
        }
        guesses.count("ana", me);
        let error = guesses.may_try("ana", me).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Busy);
        // Nobody else has to wait: not elsewhere, and not under another name.
        guesses.may_try("ana", address("192.0.2.2")).unwrap();
        guesses.may_try("bob", me).unwrap();
        tokio::time::advance(Duration::from_millis(1001)).await;
        guesses.may_try("ana", me).unwrap();
        for _ in 0..40 {
            guesses.count("ana", me);
        }
        tokio::time::advance(LONGEST - Duration::from_secs(1)).await;
        guesses.may_try("ana", me).unwrap_err();
        guesses.right("ana", me);
        guesses.may_try("ana", me).unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn who_tries_many_names_waits_too_and_his_own_account_is_no_way_around() {
        let guesses = Guesses::default();
        let me = address("192.0.2.1");
        for i in 0..FREE_IN_ALL {
            guesses.may_try(&i.to_string(), me).unwrap();
            guesses.count(&i.to_string(), me);
        }
        guesses.may_try("new", me).unwrap_err();
        guesses.right("mine", me);
        guesses.count("new", me);
        guesses.may_try("newer", me).unwrap_err();
        guesses.may_try("new", address("192.0.2.2")).unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn the_table_stays_small_and_forgets() {
        let guesses = Guesses::default();
        for i in 0..PLACES as u32 + 100 {
            guesses.count("x", IpAddr::V4(std::net::Ipv4Addr::from_bits(i)));
            assert!(guesses.addresses.table().len() <= PLACES);
        }
        assert!(guesses.pairs.table().len() <= PLACES);
        tokio::time::advance(FORGET).await;
        for i in 0..PLACES as u32 {
            guesses.count("x", IpAddr::V4(std::net::Ipv4Addr::from_bits(1 << 20 | i)));
        }
        assert!(guesses.pairs.table().len() <= PLACES);
    }

    #[test]
    fn a_household_is_one_guesser() {
        assert_eq!(
            prefix(address("2001:db8::1")),
            prefix(address("2001:db8::ffff"))
        );
        assert_ne!(
            prefix(address("2001:db8::1")),
            prefix(address("2001:db8:0:1::1"))
        );
        assert_eq!(
            prefix(address("192.0.2.1")),
            prefix(address("::ffff:192.0.2.1"))
        );
        assert_ne!(prefix(address("192.0.2.1")), prefix(address("192.0.2.2")));
        for here in ["127.1.2.3", "::1", "::ffff:127.0.0.9"] {
            assert_eq!(
                prefix(address(here)),
                prefix(address("127.0.0.1")),
                "{here}"
            );
        }
    }
}
