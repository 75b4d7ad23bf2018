//! Who is here now: requests under way and open sessions.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use gaveta_core::{AccountKind, Action, ErrorKind, Path, Result};
use gaveta_wire::body::time_to_text;
use gaveta_wire::connected::{ConnectedBody, VisitBody};

use super::guard::View;
use super::pass::Pass;
use super::telling::of_pass;

/// How many are told at once: those who came first.
const TOLD: usize = 200;
/// The longest name of a program that is kept, in bytes.
const PROGRAM: usize = 200;

/// Everybody who was let in and is still here. As many as the port has places for requests and
/// sessions, each of a bounded size.
#[derive(Debug, Default)]
pub(crate) struct Present(Mutex<Visits>);

#[derive(Debug, Default)]
struct Visits {
    last: u64,
    here: BTreeMap<u64, Arc<Guest>>,
}

/// Somebody who is here: one request, or one session.
#[derive(Debug)]
pub(crate) struct Guest {
    number: u64,
    since: SystemTime,
    program: String,
    /// Method and path, of a request.
    asked: Option<(String, String)>,
    /// A session may change whose it is.
    pass: Mutex<Pass>,
    received: AtomicU64,
    sent: AtomicU64,
}

/// A stay; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Visit {
    present: Arc<Present>,
    guest: Arc<Guest>,
}

impl Present {
    /// Somebody comes. `program`: what calls itself so in the request. `asked`: method and path of a
    /// request, without anything that is secret; none for a session.
    pub(crate) fn enter(
        self: &Arc<Self>,
        pass: Pass,
        program: &str,
        asked: Option<(String, String)>,
    ) -> Visit {
        let end = (0..=PROGRAM).rev().find(|at| program.is_char_boundary(*at));
        let program = program.get(..end.unwrap_or(0)).unwrap_or(program);
        let mut visits = self.visits();
        visits.last += 1;
        let guest = Arc::new(Guest {
            number: visits.last,
            since: SystemTime::now(),
            program: program.to_owned(),
            asked,
            pass: Mutex::new(pass),
            received: AtomicU64::new(0),
            sent: AtomicU64::new(0),
        });
        visits.here.insert(guest.number, Arc::clone(&guest));
        drop(visits);
        Visit {
            present: Arc::clone(self),
            guest,
        }
    }

    /// Requests, then sessions, each from the first that came, but for this one; and how many more
    /// there are.
    fn told(&self, but: Option<&Guest>) -> ConnectedBody {
        let but = but.map(|guest| guest.number);
        let visits = self.visits();
        let others =
            visits.here.len() - usize::from(but.is_some_and(|n| visits.here.contains_key(&n)));
        let asking = visits.here.values().filter(|guest| guest.asked.is_some());
        let sessions = visits.here.values().filter(|guest| guest.asked.is_none());
        let told: Vec<Arc<Guest>> = asking
            .chain(sessions)
            .filter(|guest| Some(guest.number) != but)
            .take(TOLD)
            .cloned()
            .collect();
        drop(visits);
        ConnectedBody {
            more: others.saturating_sub(told.len()) as u64,
            connected: told.iter().map(|guest| guest.told()).collect(),
        }
    }

    fn visits(&self) -> std::sync::MutexGuard<'_, Visits> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Visit {
    /// Who came.
    pub(crate) fn guest(&self) -> &Arc<Guest> {
        &self.guest
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        self.present.visits().here.remove(&self.guest.number);
    }
}

impl Guest {
    /// From now on it is whoever holds this.
    pub(super) fn becomes(&self, pass: Pass) {
        *self.pass.lock().unwrap_or_else(PoisonError::into_inner) = pass;
    }

    pub(super) fn received(&self, bytes: u64) {
        self.received.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(super) fn sent(&self, bytes: u64) {
        self.sent.fetch_add(bytes, Ordering::Relaxed);
    }

    fn told(&self) -> VisitBody {
        let pass = self.pass.lock().unwrap_or_else(PoisonError::into_inner);
        let who = of_pass(&pass);
        drop(pass);
        let (method, path) = self.asked.clone().unzip();
        VisitBody {
            account: who.account,
            token: who.token,
            share: who.share,
            from: who.from,
            door: who.door,
            program: self.program.clone(),
            since: time_to_text(self.since),
            method,
            path,
            received: self.received.load(Ordering::Relaxed),
            sent: self.sent.load(Ordering::Relaxed),
        }
    }
}

impl View {
    /// May the account look after the server?
    ///
    /// # Errors
    /// `SignInNeeded` for who did not sign in, `Denied` for everybody else who may not.
    pub(crate) fn manages(&self) -> Result<()> {
        let account = self.pass().now()?;
        match account.may(Action::Manage, &Path::root()) {
            true => Ok(()),
            false if account.kind() == AccountKind::Visitor => Err(ErrorKind::SignInNeeded.into()),
            false => Err(ErrorKind::Denied.into()),
        }
    }

    /// Who is here beside the one who asks.
    ///
    /// # Errors
    /// As [`View::manages`].
    pub(crate) fn connected(&self) -> Result<ConnectedBody> {
        self.manages()?;
        Ok(self.drawer.present.told(self.guest().map(AsRef::as_ref)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drawer::conformance;

    #[test]
    fn the_list_is_bounded_and_empties() {
        let drawer = conformance::drawer();
        let pass = conformance::visitor(&drawer).pass().clone();
        let enter = |n: usize| {
            let asked = Some(("GET".to_owned(), format!("/{n}")));
            drawer
                .present
                .enter(pass.clone(), &"é".repeat(PROGRAM), asked)
        };
        let mut visits: Vec<Visit> = (0..TOLD + 7).map(enter).collect();
        let told = drawer.present.told(None);
        assert_eq!((told.connected.len(), told.more), (TOLD, 7));
        assert!(
            told.connected
                .iter()
                .all(|visit| visit.program == "é".repeat(PROGRAM / 2))
        );
        assert_eq!(told.connected[0].path.as_deref(), Some("/0"));
        let first = visits.remove(0);
        let told = drawer.present.told(Some(first.guest()));
        assert_eq!((told.connected.len(), told.more), (TOLD, 6));
        assert_eq!(told.connected[0].path.as_deref(), Some("/1"));
        drop((first, visits));
        assert_eq!(drawer.present.told(None), ConnectedBody::default());
    }
}
