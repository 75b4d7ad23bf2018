//! How many streams of big files at once: as many as the link bears.
//!
//! Hill climbing on what goes over in a window of time: one step up, and if that brought more, one
//! more; if it brought nothing, back, and rest for a while. A stream that is lost takes one away.
//! Far away a step costs more, so none is tried while small questions wait in the link's queue.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

/// Streams at the start, and at most: on a far link more, and they take longer to show.
const NEAR_STREAMS: (usize, usize) = (4, 8);
const FAR_STREAMS: (usize, usize) = (8, 48);
/// Over how long what goes over is measured, at least; and in round trips.
const WINDOW: Duration = Duration::from_millis(400);
const ROUND_TRIPS: u32 = 4;
/// A step up must bring so much more, in percent, or it is taken back: near, where it is a third
/// more streams; far, where it is twice as many, since what holds a far line back is mostly the
/// loss that each of its connections sees, and then twice as many bring twice as much.
const GAIN: u64 = 5;
const FAR_GAIN: u64 = 25;
/// Windows that say nothing after streams were added: until a connection is made and at its rate,
/// more is handed over than arrives, since it fills what holds bytes on the way (TCP's buffers, the
/// queue before the link). Near, one; far, so many that a slow start of 100 ms a turn is over.
const SETTLING: u32 = 1;
const FAR_SETTLING: u32 = 3;
/// Windows without a try after one that brought nothing.
const REST: u32 = 6;

/// The streams of one transfer.
#[derive(Debug)]
pub(crate) struct Streams {
    permits: Arc<Semaphore>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    fixed: bool,
    far: bool,
    /// How long there and back: when nothing was sent, and lately.
    empty: Duration,
    lately: Option<Duration>,
    limit: usize,
    most: usize,
    /// So many permits are to be taken away as they come back.
    debt: usize,
    window: Duration,
    since: Instant,
    bytes: u64,
    /// What went over a second before the last step up, and on how many streams.
    before: Option<(u64, usize)>,
    rest: u32,
}

/// From how long on an answer says that the link is full, where it would take so long on an empty
/// one: half a round trip of queue, and what a busy machine takes.
fn full(empty: Duration) -> Duration {
    empty + empty / 2 + Duration::from_millis(5)
}

/// The right to one stream.
#[derive(Debug)]
pub(crate) struct Stream {
    streams: Arc<Streams>,
    permit: Option<OwnedSemaphorePermit>,
}

impl Streams {
    /// Exactly so many, or as many as pay, when none is told.
    pub(crate) fn new(fixed: Option<usize>) -> Arc<Self> {
        let limit = fixed.map_or(NEAR_STREAMS.0, |fixed| fixed.max(1));
        let state = State {
            fixed: fixed.is_some(),
            far: false,
            empty: Duration::ZERO,
            lately: None,
            limit,
            most: fixed.map_or(NEAR_STREAMS.1, |fixed| fixed.max(1)),
            debt: 0,
            window: WINDOW,
            since: Instant::now(),
            bytes: 0,
            before: None,
            rest: 0,
        };
        Arc::new(Self {
            permits: Arc::new(Semaphore::new(limit)),
            state: Mutex::new(state),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The link is far: that long there and back.
    pub(crate) fn far(&self, round_trip: Duration) {
        let mut state = self.state();
        if state.fixed || state.far {
            return;
        }
        state.far = true;
        state.empty = round_trip;
        state.since = Instant::now();
        state.bytes = 0;
        state.rest = FAR_SETTLING;
        state.window = WINDOW
            .max(round_trip.saturating_mul(ROUND_TRIPS))
            .min(5 * WINDOW);
        state.most = FAR_STREAMS.1;
        self.set(&mut state, FAR_STREAMS.0);
    }

    pub(crate) fn is_far(&self) -> bool {
        self.state().far
    }

    /// So long it took a small question to be answered, just now.
    pub(crate) fn answered(&self, took: Duration) {
        self.state().lately = Some(took);
    }

    /// Is the link far, and is there a stream that nobody uses?
    pub(crate) fn far_and_free(&self) -> bool {
        self.state().far && self.permits.available_permits() > 0
    }

    /// How many at once, now.
    pub(crate) fn limit(&self) -> usize {
        self.state().limit
    }

    /// Waits for the right to one more stream. Cancel-safe.
    pub(crate) async fn take(self: &Arc<Self>) -> Option<Stream> {
        let permit = Arc::clone(&self.permits).acquire_owned().await.ok()?;
        Some(Stream {
            streams: Arc::clone(self),
            permit: Some(permit),
        })
    }

    /// So many bytes went over.
    pub(crate) fn moved(&self, bytes: u64) {
        let mut state = self.state();
        state.bytes = state.bytes.saturating_add(bytes);
        let took = state.since.elapsed();
        if state.fixed || took < state.window {
            return;
        }
        let millis = u64::try_from(took.as_millis()).unwrap_or(u64::MAX).max(1);
        let rate = state.bytes.saturating_mul(1000) / millis;
        state.bytes = 0;
        state.since = Instant::now();
        // What does not use all its streams says nothing about more of them.
        if self.permits.available_permits() > 0 {
            state.before = None;
            return;
        }
        self.step(&mut state, rate);
    }

    fn step(&self, state: &mut State, rate: u64) {
        if state.rest > 0 {
            state.rest -= 1;
            return;
        }
        let gain = if state.far { FAR_GAIN } else { GAIN };
        let paid = |before: u64| rate > before.saturating_add(before / 100 * gain);
        match state.before {
            Some((before, fewer)) if !paid(before) => {
                state.before = None;
                state.rest = REST;
                self.set(state, fewer);
            }
            // What waits before the link shows that it is full; more streams would wait with it.
            _ if state.far && state.lately.is_some_and(|took| took > full(state.empty)) => {
                state.before = None;
            }
            Some(_) | None if state.limit < state.most => {
                state.before = Some((rate, state.limit));
                let (more, settling) = if state.far {
                    (state.limit, FAR_SETTLING)
                } else {
                    (state.limit.div_ceil(3), SETTLING)
                };
                state.rest = settling;
                let up = (state.limit + more).min(state.most);
                self.set(state, up);
            }
            Some(_) | None => {
                state.before = None;
                state.rest = REST;
            }
        }
    }

    /// A stream was lost: the link bears less, or the other side takes fewer.
    pub(crate) fn lost(&self) {
        let mut state = self.state();
        if !state.fixed {
            state.before = None;
            state.rest = REST;
            let fewer = (state.limit - 1).max(1);
            self.set(&mut state, fewer);
        }
    }

    fn set(&self, state: &mut State, limit: usize) {
        if limit > state.limit {
            let more = limit - state.limit;
            let forgiven = state.debt.min(more);
            state.debt -= forgiven;
            self.permits.add_permits(more - forgiven);
        } else {
            state.debt += state.limit - limit;
            state.debt -= self.permits.forget_permits(state.debt);
        }
        state.limit = limit;
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let mut state = self.streams.state();
        if state.debt > 0
            && let Some(permit) = self.permit.take()
        {
            state.debt -= 1;
            permit.forget();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn all(streams: &Arc<Streams>) -> Vec<Stream> {
        let mut held = Vec::new();
        while streams.permits.available_permits() > 0 {
            held.push(streams.take().await.unwrap());
        }
        held
    }

    async fn window(streams: &Streams, rate: u64) {
        let window = streams.state().window;
        tokio::time::advance(window).await;
        streams.moved(rate.saturating_mul(window.as_millis() as u64) / 1000);
    }

    #[tokio::test(start_paused = true)]
    async fn grows_while_it_pays_and_goes_back_when_not() {
        let streams = Streams::new(None);
        streams.far(Duration::from_millis(100));
        assert_eq!(streams.limit(), FAR_STREAMS.0);
        let mut held = all(&streams).await;
        for _ in 0..20 {
            // Every stream brings as much as every other.
            window(&streams, 100_000 * held.len() as u64).await;
            held.extend(all(&streams).await);
        }
        assert_eq!(streams.limit(), FAR_STREAMS.1);
        assert_eq!(held.len(), FAR_STREAMS.1);

        // A far line that is full goes back to what filled it.
        let streams = Streams::new(None);
        streams.far(Duration::from_millis(100));
        let mut held = all(&streams).await;
        for _ in 0..2 * (FAR_SETTLING + 1) {
            window(&streams, 1_000_000).await;
            held.extend(all(&streams).await);
        }
        assert_eq!(streams.limit(), FAR_STREAMS.0);
        drop(held);
        assert_eq!(streams.permits.available_permits(), FAR_STREAMS.0);

        let streams = Streams::new(None);
        let mut held = all(&streams).await;
        for _ in 0..3 {
            window(&streams, 1_000_000).await;
            held.extend(all(&streams).await);
        }
        assert!(held.len() > NEAR_STREAMS.0);
        assert!(streams.limit() <= NEAR_STREAMS.0 + 1);
        // Those beyond the limit go as they end.
        drop(held);
        assert_eq!(streams.permits.available_permits(), streams.limit());
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_line_gets_no_more() {
        let streams = Streams::new(None);
        streams.far(Duration::from_millis(100));
        let mut held = all(&streams).await;
        for (lately, limit) in [(190, FAR_STREAMS.0), (110, FAR_STREAMS.1)] {
            streams.answered(Duration::from_millis(lately));
            for _ in 0..20 {
                window(&streams, 100_000 * held.len() as u64).await;
                held.extend(all(&streams).await);
            }
            assert_eq!(streams.limit(), limit);
        }
        // Nor when what was added last had paid: it filled the line.
        let streams = Streams::new(None);
        streams.far(Duration::from_millis(100));
        let mut held = all(&streams).await;
        while streams.limit() == FAR_STREAMS.0 {
            window(&streams, 100_000 * held.len() as u64).await;
            held.extend(all(&streams).await);
        }
        streams.answered(Duration::from_millis(190));
        for _ in 0..20 {
            window(&streams, 100_000 * held.len() as u64).await;
            held.extend(all(&streams).await);
        }
        assert_eq!(streams.limit(), 2 * FAR_STREAMS.0);
    }

    #[tokio::test(start_paused = true)]
    async fn loss_takes_streams_away_down_to_one() {
        let streams = Streams::new(None);
        for _ in 0..50 {
            streams.lost();
        }
        assert_eq!((streams.limit(), all(&streams).await.len()), (1, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_fixed_number_stays() {
        let streams = Streams::new(Some(3));
        streams.far(Duration::from_secs(1));
        let held = all(&streams).await;
        for _ in 0..5 {
            window(&streams, 1_000_000).await;
            streams.lost();
        }
        assert_eq!((streams.limit(), held.len()), (3, 3));
    }
}
