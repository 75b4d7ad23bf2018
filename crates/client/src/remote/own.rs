//! What this side changed itself: the server tells everybody, and nobody wants to hear of his own.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use gaveta_core::{Event, EventKind, Path};

/// How long after a change its event may come.
const LATE: Duration = Duration::from_secs(10);
/// So many paths are kept before those of long ago are thrown away.
const KEPT: usize = 4096;

/// The paths that were changed lately, or are being changed.
#[derive(Debug, Default)]
pub(super) struct Own(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// How many changes are under way, and when the last one ended.
    paths: HashMap<Path, (usize, Instant)>,
    /// At so many paths it is time to throw some away.
    full: usize,
}

/// A change under way.
#[derive(Debug)]
pub(super) struct Changing {
    own: Arc<Own>,
    path: Path,
}

impl Drop for Changing {
    fn drop(&mut self) {
        if let Some((under_way, last)) = self.own.lock().paths.get_mut(&self.path) {
            *under_way = under_way.saturating_sub(1);
            *last = Instant::now();
        }
    }
}

impl Own {
    /// A change of this path begins; it ends when the answer is dropped.
    pub(super) fn changing(self: &Arc<Self>, path: &Path) -> Changing {
        let now = Instant::now();
        let mut state = self.lock();
        if state.paths.len() >= state.full.max(KEPT) {
            let recent = |last: Instant| now.duration_since(last) < LATE;
            state
                .paths
                .retain(|_, (under_way, last)| *under_way > 0 || recent(*last));
            // Most may be recent: looking again at once would take time for nothing.
            state.full = state.paths.len() * 2;
        }
        let (under_way, last) = state.paths.entry(path.clone()).or_insert((0, now));
        *under_way += 1;
        *last = now;
        drop(state);
        Changing {
            own: Arc::clone(self),
            path: path.clone(),
        }
    }

    /// Is the event about a change of ours? Folders that were made on the way to it are ours too.
    pub(super) fn is(&self, event: &Event) -> bool {
        let state = self.lock();
        let recent = |(under_way, last): &(usize, Instant)| *under_way > 0 || last.elapsed() < LATE;
        if state.paths.get(&event.path).is_some_and(recent) {
            return true;
        }
        let made = matches!(&event.kind, EventKind::Created(entry) if entry.is_folder());
        made && state
            .paths
            .iter()
            .any(|(path, when)| recent(when) && event.path.holds(path))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ones_own_changes_are_known() {
        let path = |text: &str| Path::parse(text).unwrap();
        let event = |text: &str| Event {
            path: path(text),
            kind: EventKind::Deleted,
            by: String::new(),
        };
        let own = Arc::new(Own::default());
        let changing = own.changing(&path("a/b"));
        assert!(own.is(&event("a/b")) && !own.is(&event("a")) && !own.is(&event("a/b/c")));
        drop(changing);
        assert!(own.is(&event("a/b")));
    }

    #[test]
    fn what_is_long_ago_is_forgotten() {
        let own = Arc::new(Own::default());
        let Some(before) = Instant::now().checked_sub(LATE * 2) else {
            return;
        };
        for i in 0..KEPT {
            let path = Path::parse(&format!("f{i}")).unwrap();
            own.lock().paths.insert(path, (0, before));
        }
        let _held = own.changing(&Path::parse("new").unwrap());
        assert_eq!(own.lock().paths.len(), 1);
    }
}
