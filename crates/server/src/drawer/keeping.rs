//! What becomes of uploads that nobody goes on with.

use std::collections::HashSet;
use std::time::{Duration, SystemTime};

use futures_util::StreamExt;
use gaveta_core::{ErrorKind, Result, UploadState};
use tokio::time::{Instant, sleep};

use super::Drawer;

/// The longest and the shortest time between two looks.
const LONGEST: Duration = Duration::from_secs(10 * 60);
const SHORTEST: Duration = Duration::from_millis(100);

/// Two clocks: the one of the wall, which people set, and one that only goes on. An upload is old
/// when both say so: whichever way the wall's clock jumps, nothing that lives is thrown away.
#[derive(Debug, Clone, Copy)]
struct Clocks {
    wall: SystemTime,
    steady: Instant,
}

impl Clocks {
    fn now() -> Self {
        Self {
            wall: SystemTime::now(),
            steady: Instant::now(),
        }
    }

    /// Is that so long ago?
    fn past(&self, touched: SystemTime, expiry: Duration) -> bool {
        let by = |now: SystemTime| {
            now.duration_since(touched)
                .is_ok_and(|untouched| untouched > expiry)
        };
        let steady = self.wall.checked_add(self.steady.elapsed());
        by(SystemTime::now()) && steady.is_none_or(by)
    }
}

impl Drawer {
    /// Enters what the store has into the ledger, and strikes what it no longer has. A store that
    /// cannot tell leaves the ledger as it is.
    pub(crate) async fn count_uploads(&self) {
        if let Err(error) = self.look(|_| false).await {
            let why = gaveta_text::escape(&error.chain()).into_owned();
            tracing::warn!(target: "gaveta::uploads", why, "the uploads could not be counted");
        }
    }

    /// Looks now and then, for ever, and throws away what is too old.
    pub(crate) async fn keep_uploads(self: std::sync::Arc<Self>) {
        let began = Clocks::now();
        let expiry = self.ledger.expiry();
        let every = (expiry / 10).clamp(SHORTEST, LONGEST);
        loop {
            sleep(every).await;
            if let Err(error) = self.look(|state| began.past(state.touched, expiry)).await {
                let why = gaveta_text::escape(&error.chain()).into_owned();
                tracing::warn!(target: "gaveta::uploads", why, "the uploads could not be listed");
            }
        }
    }

    async fn look(&self, old: impl Fn(&UploadState) -> bool) -> Result<()> {
        let store = self.gate.own();
        let known = self.ledger.known();
        let mut there = HashSet::new();
        let mut states = store.uploads().await?;
        while let Some(state) = states.next().await {
            let state = match state {
                Ok(state) => state,
                // One that cannot be read hides none of the others.
                Err(error) => {
                    let why = gaveta_text::escape(&error.chain()).into_owned();
                    tracing::warn!(target: "gaveta::uploads", why, "an upload cannot be read");
                    continue;
                }
            };
            if old(&state) && self.expire(&state).await {
                continue;
            }
            self.ledger.enter(&state, |owner| self.keys.payer_of(owner));
            there.insert(state.id);
        }
        self.ledger.settle_with(&known, &there);
        Ok(())
    }

    /// Throws an upload away. Is it gone?
    async fn expire(&self, state: &UploadState) -> bool {
        let store = self.gate.own();
        let discarded = async {
            let upload = store.upload(&state.id, state.target.as_ref()).await?;
            upload.discard().await
        };
        match discarded.await {
            Ok(()) => {
                let target = state.target.as_ref().map(ToString::to_string);
                let target = target.unwrap_or_default();
                let target = gaveta_text::escape(&target).into_owned();
                tracing::info!(target: "gaveta::uploads", path = target, "an old upload went");
                self.ledger.gone(&state.id);
                true
            }
            Err(error) if error.kind() == ErrorKind::UnknownUpload => true,
            Err(error) => {
                let why = gaveta_text::escape(&error.chain()).into_owned();
                tracing::warn!(target: "gaveta::uploads", why, "an old upload stays");
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_jumps_throws_nothing_away() {
        let week = Duration::from_secs(7 * 24 * 3600);
        let now = SystemTime::now();
        let clocks = |wall| Clocks {
            wall,
            steady: Instant::now(),
        };
        assert!(clocks(now).past(now - 2 * week, week));
        assert!(!clocks(now).past(now - week / 2, week));
        assert!(!clocks(now).past(now + week, week));
        // The wall's clock jumped ahead since the start: what was touched before looks old.
        assert!(!clocks(now - 3 * week).past(now - 2 * week - week / 2, week));
        // It jumped back: what was touched before lies ahead.
        assert!(!clocks(now + 3 * week).past(now + week, week));
        // Back, and touched since: old only to the clock that goes on.
        assert!(!clocks(now + 3 * week).past(now, week));
    }
}
