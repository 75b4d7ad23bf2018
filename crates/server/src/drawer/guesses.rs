//! Guesses at the password, slowed by address.

use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use gaveta_core::{Error, ErrorKind, Result};
use tokio::time::Instant;

/// Wrong guesses that cost nothing but their time.
const FREE: u32 = 10;
/// The longest wait.
const LONGEST: Duration = Duration::from_secs(60);
/// An address that stayed away so long starts afresh.
const FORGET: Duration = Duration::from_secs(15 * 60);
/// How many addresses are kept in mind.
const ADDRESSES: usize = 4096;

/// How long an address is asked to wait: the source of a `Busy` about guesses.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RetryAfter(pub(crate) Duration);

impl fmt::Display for RetryAfter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "too many wrong passwords; wait {} s",
            self.0.as_secs().max(1)
        )
    }
}

impl std::error::Error for RetryAfter {}

/// Who guessed how often. Memory is bounded: when the table is full, the address that was quiet
/// for longest is forgotten.
#[derive(Debug, Default)]
pub(crate) struct Guesses(Mutex<HashMap<Ipv6Addr, Record>>);

#[derive(Debug)]
struct Record {
    guesses: u32,
    last: Instant,
    until: Instant,
}

impl Guesses {
    /// May this address try now?
    ///
    /// # Errors
    /// `Busy`, because of [`RetryAfter`].
    pub(crate) fn may_try(&self, address: IpAddr) -> Result<()> {
        let now = Instant::now();
        let table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match table.get(&prefix(address)) {
            Some(record) if record.until > now => {
                let wait = record.until - now;
                Err(Error::new(ErrorKind::Busy).because(RetryAfter(ceil(wait))))
            }
            _ => Ok(()),
        }
    }

    /// Counts a guess before it is known to be wrong, so that many at once are no way around.
    pub(crate) fn count(&self, address: IpAddr) {
        let now = Instant::now();
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = prefix(address);
        if !table.contains_key(&key) && table.len() >= ADDRESSES {
            table.retain(|_, record| now.duration_since(record.last) < FORGET);
            if table.len() >= ADDRESSES
                && let Some(quiet) = table
                    .iter()
                    .min_by_key(|(_, record)| record.last)
                    .map(|(key, _)| *key)
            {
                table.remove(&quiet);
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
        record.until = now + wait_after(record.guesses);
    }

    /// The guess was right: the address starts afresh.
    pub(crate) fn right(&self, address: IpAddr) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&prefix(address));
    }
}

/// 1, 2, 4 … seconds after the free ones.
fn wait_after(guesses: u32) -> Duration {
    match guesses.checked_sub(FREE) {
        None => Duration::ZERO,
        Some(over) => Duration::from_secs(1 << over.min(6)).min(LONGEST),
    }
}

fn ceil(wait: Duration) -> Duration {
    Duration::from_secs(wait.as_secs() + u64::from(wait.subsec_nanos() > 0))
}

/// Who an address is: IPv4 whole, IPv6 by its /64, which one household has for itself. The loopback
/// is one: whoever is on this machine may call from any of its sixteen million addresses.
fn prefix(address: IpAddr) -> Ipv6Addr {
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
            guesses.count(me);
            guesses.may_try(me).unwrap();
        }
        guesses.count(me);
        let error = guesses.may_try(me).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Busy);
        guesses.may_try(address("192.0.2.2")).unwrap();
        tokio::time::advance(Duration::from_millis(1001)).await;
        guesses.may_try(me).unwrap();
        for _ in 0..40 {
            guesses.count(me);
        }
        tokio::time::advance(LONGEST - Duration::from_secs(1)).await;
        guesses.may_try(me).unwrap_err();
        guesses.right(me);
        guesses.may_try(me).unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn the_table_stays_small_and_forgets() {
        let guesses = Guesses::default();
        for i in 0..ADDRESSES as u32 + 100 {
            for _ in 0..2 {
                guesses.count(IpAddr::V4(std::net::Ipv4Addr::from_bits(i)));
            }
        }
        assert_eq!(guesses.0.lock().unwrap().len(), ADDRESSES);
        tokio::time::advance(FORGET).await;
        guesses.count(address("::1"));
        assert_eq!(guesses.0.lock().unwrap().len(), 1);
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
