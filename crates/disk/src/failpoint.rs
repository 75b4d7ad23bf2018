//! Deliberate failures, to prove that no moment is a bad one to die in.
//!
//! Compiled in always, inert unless the cargo feature `failpoints` is on *and*
//! `GAVETA_FAILPOINT` is set when the process first passes a point:
//!
//! ```text
//! GAVETA_FAILPOINT=POINT[:COUNT][=ACTION]      several, separated by commas
//! ```
//!
//! The action happens at the COUNT-th passing (the first, when none is given), once; of several at
//! one point the first that is left, so that one named N times fails the first N passings:
//! `kill` (SIGKILL to this process; the default), `error` (an input/output error) or `sleep_MS`.
//!
//! | point | where |
//! |---|---|
//! | `after-write` | a piece of content was written to the staged file |
//! | `before-file-flush`, `after-file-flush` | around the flush of the staged file |
//! | `file-flush` | instead of the flush of a file, when the action is `error` |
//! | `before-rename`, `after-rename` | around the rename that publishes |
//! | `after-folder-flush` | the folder was flushed; nothing was acknowledged yet |
//! | `trash-info`, `trash-renamed`, `trash-flushed` | what is deleted: it is written where it was; it is in the trash; flushed |
//! | `version-info`, `version-linked` | what is replaced: it is written where it was; it has its second name |
//! | `version-no-link`, `version-copied` | what is replaced: it may have no second name, when the action is `error`; its copy is staged |
//! | `restore-renamed`, `purge-taken` | it is back, or gone; its information is still there |
//! | `upload-state` | before a kept upload's state file is put in place |
//!
//! With the same feature, `GAVETA_UNSAFE_IN_PLACE=1` makes uploads write straight into their
//! target: the store that the crash tests must catch.

use gaveta_core::Result;

/// Passes a point: does nothing, or what the environment asked for.
///
/// # Errors
/// `Io`, when the action is `error`.
pub(crate) fn pass(point: &'static str) -> Result<()> {
    #[cfg(feature = "failpoints")]
    return armed::pass(point);
    #[cfg(not(feature = "failpoints"))]
    {
        let _ = point;
        Ok(())
    }
}

/// Do uploads write into their target? Only ever in a build for crash tests.
pub(crate) fn unsafe_in_place() -> bool {
    cfg!(feature = "failpoints")
        && std::env::var_os("GAVETA_UNSAFE_IN_PLACE").is_some_and(|value| value == "1")
}

#[cfg(feature = "failpoints")]
mod armed {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::Duration;

    use gaveta_core::{Error, ErrorKind, Result};

    #[derive(Debug, PartialEq, Eq)]
    pub(super) enum Action {
        Kill,
        Fail,
        Sleep(Duration),
    }

    #[derive(Debug)]
    pub(super) struct Trap {
        pub(super) point: String,
        /// Passings left before it springs.
        pub(super) left: AtomicU64,
        pub(super) action: Action,
    }

    pub(super) fn parse(text: &str) -> Vec<Trap> {
        text.split(',').filter_map(parse_one).collect()
    }

    fn parse_one(text: &str) -> Option<Trap> {
        let (place, action) = text.split_once('=').unwrap_or((text, "kill"));
        let (point, count) = place.split_once(':').unwrap_or((place, "1"));
        let action = match action.split_once('_') {
            None if action == "kill" => Action::Kill,
            None if action == "error" => Action::Fail,
            Some(("sleep", ms)) => Action::Sleep(Duration::from_millis(ms.parse().ok()?)),
            _ => return None,
        };
        Some(Trap {
            point: point.to_owned(),
            left: AtomicU64::new(count.parse().ok()?),
            action,
        })
    }

    pub(super) fn pass(point: &str) -> Result<()> {
        static TRAPS: OnceLock<Vec<Trap>> = OnceLock::new();
        let traps =
            TRAPS.get_or_init(|| parse(&std::env::var("GAVETA_FAILPOINT").unwrap_or_default()));
        spring(traps, point)
    }

    pub(super) fn spring(traps: &[Trap], point: &str) -> Result<()> {
        for trap in traps.iter().filter(|trap| trap.point == point) {
            let left = |left: u64| left.checked_sub(1);
            if trap
                .left
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, left)
                != Ok(1)
            {
                continue;
            }
            match trap.action {
                Action::Kill => {
                    let this = rustix::process::getpid();
                    let _ = rustix::process::kill_process(this, rustix::process::Signal::KILL);
                }
                Action::Fail => return Err(Error::new(ErrorKind::Io).because("a fail point")),
                Action::Sleep(time) => std::thread::sleep(time),
            }
        }
        Ok(())
    }
}

#[cfg(all(test, feature = "failpoints"))]
mod tests {
    use super::armed::{parse, spring};

    #[test]
    fn a_trap_springs_once_at_its_count() {
        let traps = parse("a:3=error,b=sleep_0,nonsense=x,c:x");
        assert_eq!(traps.len(), 2);
        let results: Vec<bool> = (0..5).map(|_| spring(&traps, "a").is_ok()).collect();
        assert_eq!(results, [true, true, false, true, true]);
        assert!(spring(&traps, "b").is_ok());
    }
}
