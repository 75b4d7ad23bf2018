//! Big files whose target goes away while they are under way.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use common::trees::{copy, kinds};
use common::{Hooked, get, put};
use gaveta_core::{CHUNK, ErrorKind};
use gaveta_testkit::content;
use gaveta_transfer::{Options, Summary};
use tokio::time::Instant;

/// Copies eight chunks while the target fails after so many, for so long. Says how long it took.
async fn with(outages: &[(usize, u64, ErrorKind)]) -> (Summary, Arc<common::Hooks>, Duration) {
    let (here, there) = (Hooked::new(), Hooked::new());
    let bytes = content(8 * CHUNK as usize, 1);
    put(&here.inner, "a", &bytes).await;
    let last_first = outages.iter().rev();
    let outages = last_first.map(|(after, long, kind)| (*after, Duration::from_secs(*long), *kind));
    there.hooks.outages.lock().unwrap().extend(outages);
    let options = Options {
        big: CHUNK,
        parallel: Some(2),
        ..Options::default()
    };
    let begun = Instant::now();
    let summary = copy(&here, "a", &there, "a", options).await;
    if summary.is_whole() {
        assert_eq!(get(&there.inner, "a").await.unwrap(), bytes);
    }
    (summary, there.hooks.clone(), begun.elapsed())
}

#[tokio::test(start_paused = true)]
async fn a_server_that_comes_back_within_seconds_costs_no_big_file() {
    let away = |after| (after, 8, ErrorKind::Disconnected);
    let (summary, _, took) = with(&[away(2)]).await;
    assert!(summary.is_whole() && summary.files == 1, "{summary:?}");
    assert!(took >= Duration::from_secs(8), "{took:?}");
    // What came in between counts: each outage by itself.
    let (summary, hooks, took) = with(&[away(1), away(3), away(5)]).await;
    assert!(summary.is_whole() && summary.files == 1, "{summary:?}");
    assert!(hooks.outages.lock().unwrap().is_empty());
    assert!(took >= Duration::from_secs(24), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_stays_away_is_given_up() {
    let (summary, hooks, took) = with(&[(2, 600, ErrorKind::Disconnected)]).await;
    assert_eq!(kinds(&summary), [ErrorKind::Disconnected]);
    assert!(took < Duration::from_secs(60), "{took:?}");
    assert!(hooks.chunks.load(Ordering::SeqCst) >= 2);
}

#[tokio::test(start_paused = true)]
async fn what_will_not_pass_is_told_at_once() {
    for kind in [ErrorKind::Denied, ErrorKind::NotFound, ErrorKind::NoSpace] {
        let (summary, _, took) = with(&[(2, 600, kind)]).await;
        assert_eq!(kinds(&summary), [kind]);
        assert!(took < Duration::from_millis(100), "{kind:?}: {took:?}");
    }
}
