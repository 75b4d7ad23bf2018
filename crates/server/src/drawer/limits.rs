//! Fair shares: how many connections and requests one address may have, and how fast the bytes of
//! one account may go.

use std::collections::HashMap;
use std::net::IpAddr;
use std::net::Ipv6Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gaveta_core::{Error, ErrorKind, Result};
use tokio::time::{Instant, sleep_until};

use super::guesses::{RetryAfter, prefix};

/// Requests that one address may have at once beyond its pace: so many seconds' worth.
const BURST: f64 = 5.0;
/// How many addresses, and how many names, are kept in mind.
const KEPT: usize = 16 * 1024;

/// Shares, where there are any.
#[derive(Debug, Clone, Copy, Default)]
pub struct Shares {
    /// Connections at once of one address (IPv6: of one /64).
    pub connections: Option<usize>,
    /// Requests a second of one address, over a few seconds.
    pub requests: Option<u32>,
    /// Bytes a second of one account, both ways together. All visitors are one.
    pub rate: Option<u64>,
}

/// What each address and account has of its share. Memory is bounded.
#[derive(Debug)]
pub(crate) struct Fairness {
    shares: Shares,
    callers: Mutex<HashMap<Ipv6Addr, Caller>>,
    /// Until when the bytes that went already fill what each may send.
    busy: Mutex<HashMap<String, Instant>>,
}

#[derive(Debug)]
struct Caller {
    connections: usize,
    /// Requests it may have now.
    requests: f64,
    since: Instant,
}

impl Fairness {
    /// These shares for everybody.
    pub(crate) fn new(shares: Shares) -> Arc<Self> {
        Arc::new(Self {
            shares,
            callers: Mutex::default(),
            busy: Mutex::default(),
        })
    }

    fn callers(&self) -> MutexGuard<'_, HashMap<Ipv6Addr, Caller>> {
        self.callers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn full(&self) -> f64 {
        f64::from(self.shares.requests.unwrap_or(0)) * BURST
    }

    fn caller<T>(&self, address: IpAddr, now: Instant, with: impl FnOnce(&mut Caller) -> T) -> T {
        let full = self.full();
        let mut callers = self.callers();
        if callers.len() >= KEPT {
            // Whoever has no connection and has rested is as good as new.
            let rested = Duration::from_secs_f64(BURST);
            callers.retain(|_, caller| {
                caller.connections > 0 || now.duration_since(caller.since) < rested
            });
        }
        if callers.len() >= KEPT {
            callers.retain(|_, caller| caller.connections > 0);
        }
        with(callers.entry(prefix(address)).or_insert(Caller {
            connections: 0,
            requests: full,
            since: now,
        }))
    }

    /// One more connection of this address, until the seat is dropped; none when it has its share.
    pub(crate) fn seat(self: &Arc<Self>, address: IpAddr) -> Option<Seat> {
        let most = self.shares.connections.unwrap_or(usize::MAX);
        let taken = self.caller(address, Instant::now(), |caller| {
            let free = caller.connections < most;
            caller.connections += usize::from(free);
            free
        });
        taken.then(|| Seat {
            fairness: Arc::clone(self),
            address,
        })
    }

    /// One more request of this address.
    ///
    /// # Errors
    /// `Busy`, because of [`RetryAfter`], when it has its share.
    pub(crate) fn request(&self, address: IpAddr) -> Result<()> {
        let Some(pace) = self.shares.requests.map(|pace| f64::from(pace.max(1))) else {
            return Ok(());
        };
        let (now, full) = (Instant::now(), self.full().max(1.0));
        self.caller(address, now, |caller| {
            let rested = now.duration_since(caller.since).as_secs_f64() * pace;
            caller.requests = (caller.requests + rested).min(full);
            caller.since = now;
            if caller.requests >= 1.0 {
                caller.requests -= 1.0;
                return Ok(());
            }
            let wait = Duration::from_secs_f64((1.0 - caller.requests) / pace);
            Err(Error::new(ErrorKind::Busy).because(RetryAfter(wait)))
        })
    }

    /// Is anybody's rate bounded?
    pub(crate) fn has_rate(&self) -> bool {
        self.shares.rate.is_some()
    }

    /// Waits until these bytes of this account may go. Cancel-safe: only what was waited for
    /// counts, the rest goes back to the account.
    pub(crate) async fn bytes(&self, account: &str, bytes: u64) {
        let Some(rate) = self.shares.rate.map(|rate| rate.max(1)) else {
            return;
        };
        let now = Instant::now();
        let cost = Duration::from_nanos(nanos(bytes, rate));
        let until = {
            let mut busy = self.busy();
            if busy.len() >= KEPT {
                busy.retain(|_, until| *until > now);
            }
            let until = busy.entry(account.to_owned()).or_insert(now);
            *until = (*until).max(now) + cost;
            *until
        };
        let _debt = Debt {
            fairness: self,
            account,
            until,
            cost,
        };
        sleep_until(until).await;
    }

    fn busy(&self) -> MutexGuard<'_, HashMap<String, Instant>> {
        self.busy.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What somebody waits for on the account of all its others. Whoever goes away before gives back
/// what is not over: else requests that are dropped would keep the account waiting for long.
struct Debt<'a> {
    fairness: &'a Fairness,
    account: &'a str,
    until: Instant,
    cost: Duration,
}

impl Drop for Debt<'_> {
    fn drop(&mut self) {
        let now = Instant::now();
        let left = self.until.saturating_duration_since(now).min(self.cost);
        if left.is_zero() {
            return;
        }
        let mut busy = self.fairness.busy();
        if let Some(until) = busy.get_mut(self.account) {
            *until = until.checked_sub(left).map_or(now, |until| until.max(now));
        }
    }
}

/// How long so many bytes take at this rate, in nanoseconds.
fn nanos(bytes: u64, rate: u64) -> u64 {
    let nanos = u128::from(bytes) * 1_000_000_000 / u128::from(rate);
    // A day: what a clock can always add.
    u64::try_from(nanos)
        .unwrap_or(u64::MAX)
        .min(86_400_000_000_000)
}

/// One connection of an address.
#[derive(Debug)]
pub(crate) struct Seat {
    fairness: Arc<Fairness>,
    address: IpAddr,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let now = Instant::now();
        self.fairness.caller(self.address, now, |caller| {
            caller.connections = caller.connections.saturating_sub(1);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn each_address_has_its_share_of_connections_and_requests() {
        let fairness = Fairness::new(Shares {
            connections: Some(2),
            requests: Some(2),
            rate: None,
        });
        let (me, other) = (address("2001:db8::1"), address("2001:db8:0:1::1"));
        let seats = [fairness.seat(me), fairness.seat(address("2001:db8::2"))];
        assert!(seats.iter().all(Option::is_some));
        assert!(fairness.seat(me).is_none() && fairness.seat(other).is_some());
        drop(seats);
        assert!(fairness.seat(me).is_some());
        for _ in 0..10 {
            fairness.request(me).unwrap();
        }
        let busy = fairness.request(me).unwrap_err();
        assert_eq!(busy.kind(), ErrorKind::Busy);
        fairness.request(other).unwrap();
        tokio::time::advance(Duration::from_millis(501)).await;
        fairness.request(me).unwrap();
        fairness.request(me).unwrap_err();
    }

    #[tokio::test(start_paused = true)]
    async fn an_account_goes_no_faster_than_its_rate_and_holds_up_nobody_else() {
        let fairness = Fairness::new(Shares {
            rate: Some(1000),
            ..Shares::default()
        });
        let since = Instant::now();
        fairness.bytes("ana", 500).await;
        fairness.bytes("ana", 500).await;
        assert_eq!(since.elapsed().as_millis(), 1000);
        fairness.bytes("bob", 100).await;
        assert_eq!(since.elapsed().as_millis(), 1100);
    }

    #[tokio::test(start_paused = true)]
    async fn who_goes_away_leaves_no_debt_to_the_others() {
        use futures_util::FutureExt;
        let fairness = Fairness::new(Shares {
            rate: Some(1000),
            ..Shares::default()
        });
        let since = Instant::now();
        for _ in 0..1000 {
            let mut dropped = Box::pin(fairness.bytes("ana", 1_000_000));
            assert!((&mut dropped).now_or_never().is_none());
        }
        fairness.bytes("ana", 500).await;
        assert_eq!(since.elapsed().as_millis(), 500);
        // What was waited for counts.
        let half = Duration::from_millis(500);
        let late = tokio::time::timeout(half, fairness.bytes("ana", 1000)).await;
        assert!(late.is_err());
        fairness.bytes("ana", 500).await;
        assert_eq!(since.elapsed().as_millis(), 1500);
    }

    #[tokio::test(start_paused = true)]
    async fn the_tables_stay_small() {
        let fairness = Fairness::new(Shares {
            requests: Some(1),
            rate: Some(u64::MAX),
            connections: None,
        });
        let me = address("192.0.2.1");
        let seat = fairness.seat(me).unwrap();
        for n in 0..2 * KEPT as u32 {
            let _ = fairness.request(IpAddr::V4(std::net::Ipv4Addr::from_bits(n)));
        }
        assert!(fairness.callers().len() <= KEPT);
        assert_eq!(fairness.callers()[&prefix(me)].connections, 1);
        drop(seat);
    }
}
