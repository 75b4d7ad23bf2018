//! What is told to the audit log: one record for each operation, at its end.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;
use gaveta_core::{Operation, Path, Result};
use gaveta_wire::audit::{AuditBody, CUT, DONE};

use super::audit::Audit;
use super::guard::View;
use super::keys::shares::Taken;
use super::pass::{By, Pass};

/// The record of who is behind a pass, and from where; what he does is still to be said.
pub(super) fn of_pass(pass: &Pass) -> AuditBody {
    let origin = pass.origin();
    let mut record = AuditBody {
        from: origin
            .ip
            .map(|ip| ip.to_canonical().to_string())
            .unwrap_or_default(),
        door: origin.door.code().to_owned(),
        ..AuditBody::default()
    };
    match pass.by() {
        By::Share(share, _) => {
            record.account.clone_from(&share.maker);
            record.share = Some(share.id.clone());
        }
        By::Token(id) => {
            pass.last().name().clone_into(&mut record.account);
            record.token = Some(id);
        }
        By::Himself => pass.last().name().clone_into(&mut record.account),
    }
    record
}

/// An operation that is under way: told when it is over.
#[derive(Debug, Clone)]
pub(super) struct Telling {
    audit: Audit,
    record: AuditBody,
}

impl Telling {
    pub(super) fn new(view: &View, operation: Operation, path: &Path) -> Self {
        Self::of(view, operation.code(), Some(path))
    }

    pub(super) fn of(view: &View, operation: &str, path: Option<&Path>) -> Self {
        Self {
            audit: view.drawer.audit.clone(),
            record: AuditBody {
                operation: operation.to_owned(),
                path: path.map(ToString::to_string),
                ..of_pass(view.pass())
            },
        }
    }

    /// With a new path.
    pub(super) fn to(mut self, path: &Path) -> Self {
        self.record.to = Some(path.to_string());
        self
    }

    /// About something that is no path.
    pub(super) fn about(mut self, about: Option<String>) -> Self {
        self.record.about = about;
        self
    }

    /// With so many bytes of content.
    pub(super) fn with_bytes(mut self, bytes: u64) -> Self {
        self.record.bytes = Some(bytes);
        self
    }

    /// A step of it: when that fails, the whole has, and is told so.
    pub(super) fn step<T>(&self, done: Result<T>) -> Result<T> {
        if done.is_err() {
            self.clone().over(&done);
        }
        done
    }

    /// It is over, and ended so.
    pub(super) fn over<T>(self, done: &Result<T>) {
        self.ended(match done {
            Ok(_) => DONE,
            Err(error) => error.kind().code(),
        });
    }

    /// It is over; only that it was refused is worth a record.
    pub(super) fn refused<T>(self, done: Result<T>) -> Result<T> {
        use gaveta_core::ErrorKind::{Denied, SignInNeeded};
        if matches!(&done, Err(error) if matches!(error.kind(), Denied | SignInNeeded)) {
            self.over(&done);
        }
        done
    }

    /// It was broken off.
    pub(super) fn cut(self) {
        self.ended(CUT);
    }

    fn ended(mut self, how: &str) {
        how.clone_into(&mut self.record.result);
        self.audit.record(self.record);
    }
}

impl View {
    /// Tells what was done about something that is no path of the drawer's: a token, a share.
    pub(crate) fn tell_about<T>(
        &self,
        word: &'static str,
        about: Option<String>,
        path: Option<&Path>,
        done: &Result<T>,
    ) {
        Telling::of(self, word, path).about(about).over(done);
    }
}

/// A content on its way to who reads it: counted by its share, and told when it is over or was
/// broken off.
pub(super) struct Told<S> {
    stream: S,
    telling: Option<Telling>,
    taken: Option<Taken>,
    length: u64,
    sent: u64,
}

impl<S> Told<S> {
    /// So many bytes shall go.
    pub(super) fn new(stream: S, length: u64, telling: Telling, taken: Option<Taken>) -> Self {
        Self {
            stream,
            telling: Some(telling),
            taken,
            length,
            sent: 0,
        }
    }
}

impl<S> std::fmt::Debug for Told<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Told").finish_non_exhaustive()
    }
}

/// What has a length in bytes of content.
pub(super) trait Weighed {
    fn weight(&self) -> u64;
}

impl Weighed for bytes::Bytes {
    fn weight(&self) -> u64 {
        self.len() as u64
    }
}

impl Weighed for gaveta_core::Piece {
    fn weight(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Close(_) => 0,
        }
    }
}

impl<S, T> Stream for Told<S>
where
    S: Stream<Item = Result<T>> + Unpin,
    T: Weighed,
{
    type Item = Result<T>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = std::task::ready!(Pin::new(&mut self.stream).poll_next(cx));
        match &next {
            Some(Ok(piece)) => {
                let weight = piece.weight();
                self.sent += weight;
                if let Some(taken) = &mut self.taken {
                    taken.sent(weight);
                }
            }
            Some(Err(error)) => {
                if let Some(telling) = self.telling.take() {
                    telling.with_bytes(self.sent).ended(error.kind().code());
                }
            }
            None => {}
        }
        Poll::Ready(next)
    }
}

impl<S> Drop for Told<S> {
    fn drop(&mut self) {
        if let Some(telling) = self.telling.take() {
            let telling = telling.with_bytes(self.sent);
            match self.sent >= self.length {
                true => telling.ended(DONE),
                false => telling.cut(),
            }
        }
    }
}
