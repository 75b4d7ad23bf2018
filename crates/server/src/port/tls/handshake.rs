//! Handshakes at once: they cost more than any other first bytes.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Handshakes of one address at once; more wait for their turn, under their deadline.
const PER_ADDRESS: usize = 32;

/// Who shakes hands now.
#[derive(Debug, Default)]
pub(crate) struct Shaking(Mutex<HashMap<IpAddr, Arc<Semaphore>>>);

/// A handshake's turn. It is the next one's when dropped.
#[derive(Debug)]
pub(crate) struct Turn {
    shaking: Arc<Shaking>,
    address: IpAddr,
    permit: Option<OwnedSemaphorePermit>,
}

impl Shaking {
    /// Waits for a turn. Cancel-safe. What is kept is bounded by the connections there are.
    pub(crate) async fn turn(self: &Arc<Self>, peer: IpAddr) -> Option<Turn> {
        let address = household(peer);
        let turns = {
            let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(
                all.entry(address)
                    .or_insert_with(|| Arc::new(Semaphore::new(PER_ADDRESS))),
            )
        };
        // Made before the wait: whoever gives up tidies too.
        let mut turn = Turn {
            shaking: Arc::clone(self),
            address,
            permit: None,
        };
        turn.permit = Some(turns.acquire_owned().await.ok()?);
        Some(turn)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.permit = None;
        let mut all = self
            .shaking
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let unused = all
            .get(&self.address)
            .is_some_and(|turns| Arc::strong_count(turns) == 1);
        if unused {
            all.remove(&self.address);
        }
    }
}

/// Who is one: an IPv4 address, or the network of an IPv6 one.
fn household(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    #[tokio::test]
    async fn one_address_waits_and_others_do_not() {
        let shaking = Arc::new(Shaking::default());
        let busy: IpAddr = "2001:db8::1".parse().unwrap();
        let mut turns = Vec::new();
        for _ in 0..PER_ADDRESS {
            turns.push(shaking.turn(busy).await.unwrap());
        }
        let neighbour = "2001:db8::2".parse().unwrap();
        let mut waits = Box::pin(shaking.turn(neighbour));
        assert!(waits.as_mut().now_or_never().is_none());
        let other = "2001:db8:0:1::1".parse().unwrap();
        assert!(shaking.turn(other).now_or_never().flatten().is_some());
        turns.pop();
        drop(waits.await.unwrap());
        turns.clear();
        assert!(shaking.0.lock().unwrap().is_empty(), "nothing is kept");
    }

    #[tokio::test]
    async fn who_gives_up_leaves_nothing() {
        let shaking = Arc::new(Shaking::default());
        let ip: IpAddr = "192.0.2.1".parse().unwrap();
        let mut turns = Vec::new();
        for _ in 0..PER_ADDRESS {
            turns.push(shaking.turn(ip).await.unwrap());
        }
        assert!(shaking.turn(ip).now_or_never().is_none());
        turns.clear();
        assert!(shaking.0.lock().unwrap().is_empty());
    }
}
