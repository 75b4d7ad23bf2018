//! What goes by itself: what is too old, what is more than the share, and what was purged. A thread
//! of its own, that rests after each piece of work as long as the work took.

use std::collections::HashSet;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use gaveta_core::{Error, Kind, Result, TrashId};
use rustix::fs::AtFlags;

use super::info::Info;
use super::{Bin, bucket_name, ids, names};
use crate::errno::{Os, found};
use crate::locks::lock;
use crate::{os, remove};

/// The longest and the shortest time between two looks.
const LONGEST: Duration = Duration::from_secs(10 * 60);
const SHORTEST: Duration = Duration::from_millis(100);
/// A clock that was wrong when the machine started has so long to be set right.
const GRACE: Duration = Duration::from_secs(60);
/// The longest rest after a piece of work.
const REST: Duration = Duration::from_millis(250);

/// The most purged folders that cannot be taken apart and are told about.
const MAX_STUCK: usize = 256;

/// How taking a purged folder apart ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cleared {
    Whole,
    /// It was told to stop.
    Stopped,
    /// Something in it cannot be removed.
    Stuck,
}

/// Wakes and stops the keeper.
#[derive(Debug, Default)]
pub(super) struct Signal {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    woken: bool,
    stopped: bool,
}

impl Signal {
    pub(super) fn wake(&self) {
        lock(&self.state).woken = true;
        self.changed.notify_all();
    }

    fn stop(&self) {
        lock(&self.state).stopped = true;
        self.changed.notify_all();
    }

    fn is_stopped(&self) -> bool {
        lock(&self.state).stopped
    }

    /// Waits until it is woken or stopped, at most so long. False: stopped.
    fn wait(&self, most: Duration) -> bool {
        let state = lock(&self.state);
        let waiting = |state: &mut State| !state.woken && !state.stopped;
        let waited = self.changed.wait_timeout_while(state, most, waiting);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.woken = false;
        !state.stopped
    }

    /// Rests, but not when it is stopped.
    fn rest(&self, most: Duration) {
        let state = lock(&self.state);
        let _ = self
            .changed
            .wait_timeout_while(state, most, |state| !state.stopped);
    }
}

/// Two clocks: the wall's, which people set, and one that only goes on. Something is old when both
/// say so.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clocks {
    wall: SystemTime,
    steady: Instant,
}

impl Clocks {
    pub(super) fn now() -> Self {
        Self {
            wall: SystemTime::now(),
            steady: Instant::now(),
        }
    }

    /// How old, when it is older than that. Nothing from the future is.
    fn past(&self, at: SystemTime, keep: Duration) -> bool {
        let by = |now: SystemTime| now.duration_since(at).is_ok_and(|age| age > keep);
        let steady = self.wall.checked_add(self.steady.elapsed());
        by(SystemTime::now()) && steady.is_some_and(by)
    }
}

/// The thread; it ends soon after this is dropped.
#[derive(Debug)]
pub(crate) struct Keeper(Arc<Bin>);

impl Keeper {
    /// Starts it.
    pub(crate) fn start(bin: &Arc<Bin>) -> Self {
        let own = bin.clone();
        let started = std::thread::Builder::new()
            .name("gaveta-trash".to_owned())
            .spawn(move || own.keep_house());
        if let Err(error) = started {
            tracing::warn!(%error, "nothing goes from the trash by itself");
        }
        Self(bin.clone())
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.0.signal.stop();
    }
}

impl Bin {
    fn keep_house(&self) {
        let clocks = Clocks::now();
        let every = (self.options.keep / 10).clamp(SHORTEST, LONGEST);
        loop {
            if let Err(error) = self.turn(&clocks) {
                tracing::warn!(error = error.chain(), "the trash is not kept in order");
            }
            if !self.signal.wait(every) {
                return;
            }
        }
    }

    fn turn(&self, clocks: &Clocks) -> Result<()> {
        let mut began = Instant::now();
        let mut held = None;
        let mut on = || {
            drop(held.take());
            self.signal.rest(began.elapsed().min(REST));
            held = Some(lock(&self.yielding));
            began = Instant::now();
            !self.signal.is_stopped()
        };
        self.clear_gone(&mut on)?;
        if !self.count(&mut on)? {
            return Ok(());
        }
        if clocks.steady.elapsed() >= GRACE.min(self.options.keep / 10) {
            self.expire(clocks, &mut on)?;
        }
        self.shrink(&mut on)?;
        self.clear_gone(&mut on)
    }

    /// Takes purged folders apart, while `on` says so.
    fn clear_gone(&self, on: &mut dyn FnMut() -> bool) -> Result<()> {
        for name in names(&self.gone)? {
            if !on() {
                return Ok(());
            }
            self.clear_one(&name, on);
        }
        Ok(())
    }

    /// Takes one purged folder apart, while `on` says so. One that cannot be is told about once, and
    /// tried again the next time.
    fn clear_one(&self, name: &str, on: &mut dyn FnMut() -> bool) -> Cleared {
        let cleared = (|| {
            // Gone already: who makes room does this too.
            let Some(folder) = found(os::open_folder(&self.gone, name)).os()? else {
                return Ok(Cleared::Whole);
            };
            if !remove::clear_while(&folder, on)? {
                return Ok(Cleared::Stopped);
            }
            found(rustix::fs::unlinkat(&self.gone, name, AtFlags::REMOVEDIR)).os()?;
            Ok::<_, Error>(Cleared::Whole)
        })();
        let mut stuck = lock(&self.stuck);
        match cleared {
            Ok(cleared) => {
                stuck.remove(name);
                cleared
            }
            Err(error) => {
                if stuck.len() < MAX_STUCK && stuck.insert(name.to_owned()) {
                    tracing::warn!(
                        error = error.chain(),
                        name,
                        "a purged folder cannot be taken apart"
                    );
                }
                Cleared::Stuck
            }
        }
    }

    /// Purges what is too old.
    fn expire(&self, clocks: &Clocks, on: &mut dyn FnMut() -> bool) -> Result<()> {
        let keep = self.options.keep;
        self.oldest(&mut |id, info| {
            if clocks.past(info.at, keep) {
                self.purge_quietly(id);
                return on();
            }
            // What comes later is younger, unless this one says that it is from the future.
            info.at > SystemTime::now()
        })
    }

    /// Purges the oldest while all takes more than its share.
    fn shrink(&self, on: &mut dyn FnMut() -> bool) -> Result<()> {
        if !self.is_over() {
            return Ok(());
        }
        self.oldest(&mut |id, _| {
            self.purge_quietly(id);
            on() && self.is_over()
        })
    }

    fn purge_quietly(&self, id: &TrashId) -> bool {
        match self.purge(id) {
            Ok(_) => true,
            Err(error) if error.kind() == gaveta_core::ErrorKind::NotFound => false,
            Err(error) => {
                tracing::warn!(error = error.chain(), %id, "something stays in the trash");
                false
            }
        }
    }

    /// Calls for everything, the oldest first, while it is told to go on. Drops empty buckets.
    fn oldest(&self, each: &mut dyn FnMut(&TrashId, &Info) -> bool) -> Result<()> {
        for number in self.buckets()? {
            let name = bucket_name(number);
            let Some(folder) = found(os::open_folder(&self.all, name.as_str())).os()? else {
                continue;
            };
            for id in ids(&folder)? {
                if self.is_pending(&id) {
                    continue;
                }
                if let Some(info) = Info::read(&folder, &id)?
                    && !each(&id, &info)
                {
                    return Ok(());
                }
            }
            self.drop_bucket(number);
        }
        Ok(())
    }

    /// How many bytes could come free for what comes, as far as is known: any number while it is not
    /// all counted.
    pub(crate) fn could_yield(&self) -> u64 {
        match lock(&self.totals).sum() {
            _ if !self.options.yields => 0,
            (_, _, true) => u64::MAX,
            (_, bytes, false) => bytes,
        }
    }

    /// Destroys the oldest until there is enough, where the administrator allowed it; `enough` is
    /// told how many went. False: nothing could go, and nothing came free.
    pub(crate) fn make_room(&self, enough: &mut dyn FnMut(u64) -> bool) -> bool {
        if !self.options.yields {
            return false;
        }
        let _one = lock(&self.yielding);
        let (mut went, before) = (0, self.free_blocks());
        let made = self.make_room_now(enough, &mut went);
        if let Err(error) = made {
            tracing::warn!(error = error.chain(), "no room is made in the trash");
        }
        if went > 0 {
            tracing::info!(went, "the trash gave way to what comes");
        }
        // The keeper takes purged folders apart too.
        went > 0 || self.free_blocks() > before
    }

    /// Counts in `went` what is really gone: a folder only once it is taken apart, or when that
    /// made some room.
    fn make_room_now(&self, enough: &mut dyn FnMut(u64) -> bool, went: &mut u64) -> Result<()> {
        let mut stuck = HashSet::new();
        loop {
            // What was purged and is still there goes first.
            for name in names(&self.gone)? {
                if stuck.contains(&name) {
                    continue;
                }
                if enough(*went) {
                    return Ok(());
                }
                let free = self.free_blocks();
                let cleared = self.clear_one(&name, &mut || !enough(*went));
                if cleared != Cleared::Stuck || self.free_blocks() > free {
                    *went += 1;
                }
                if cleared == Cleared::Stuck {
                    stuck.insert(name);
                }
            }
            if enough(*went) {
                return Ok(());
            }
            let (mut some, mut folder) = (false, false);
            self.oldest(&mut |id, _| {
                let is_folder = self.bucket_of(id).ok().is_some_and(|(_, bucket)| {
                    os::meta_at(&bucket, id.as_str()).is_ok_and(|meta| meta.kind == Kind::Folder)
                });
                if self.purge_quietly(id) {
                    (some, folder) = (true, is_folder);
                    *went += u64::from(!is_folder);
                }
                !folder && !enough(*went)
            })?;
            if !some {
                return Ok(());
            }
        }
    }

    fn free_blocks(&self) -> u64 {
        rustix::fs::fstatvfs(&self.all).map_or(0, |all| all.f_bfree)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_jumps_throws_nothing_away() {
        let month = Duration::from_secs(30 * 24 * 3600);
        let now = SystemTime::now();
        let clocks = |wall| Clocks {
            wall,
            steady: Instant::now(),
        };
        assert!(clocks(now).past(now - 2 * month, month));
        assert!(!clocks(now).past(now - month / 2, month));
        assert!(!clocks(now).past(now + month, month));
        // The wall's clock jumped ahead since the start.
        assert!(!clocks(now - 3 * month).past(now - 2 * month - month / 2, month));
        // It was set back.
        assert!(!clocks(now + 3 * month).past(now + month, month));
    }
}
