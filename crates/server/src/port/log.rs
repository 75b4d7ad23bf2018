//! One request in the log: who asked for what, how it ended, how much and how long it took.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use gaveta_core::{Account, Error};
use http::{Method, Request, StatusCode, header};

use super::line::Line;
use crate::drawer::present::Visit;

/// The longest target that is logged, in bytes.
const TARGET: usize = 512;

/// A request on its way. It is logged when it is dropped: after the last byte of the answer left,
/// or when the peer went away before.
#[derive(Debug)]
pub(crate) struct RequestLog {
    line: Arc<Line>,
    method: Method,
    target: String,
    declared: Option<u64>,
    received_before: u64,
    multiplexed: bool,
    account: String,
    /// Who asks behind a proxy.
    forwarded: Option<IpAddr>,
    since: Instant,
    status: Option<StatusCode>,
    /// How many bytes the answer has, where it says so.
    promised: Option<u64>,
    sent: u64,
    whole: bool,
    failed: Option<String>,
    /// A piece of the answer was given and nobody came back for the next.
    waiting: bool,
    /// Who asks is here as long as this is.
    visit: Option<Visit>,
}

impl RequestLog {
    /// A request begins. Its query is not logged, nor what of its path is secret.
    pub(crate) fn begin<B>(request: &Request<B>, line: Arc<Line>) -> Self {
        line.request_begins();
        let declared = request.headers().get(header::CONTENT_LENGTH);
        let path = request.uri().path();
        let hidden = without_id(path);
        let path = hidden.as_deref().unwrap_or(path);
        let cut = path
            .char_indices()
            .map(|(at, _)| at)
            .find(|at| *at >= TARGET);
        let shown = cut.and_then(|at| path.get(..at)).unwrap_or(path);
        Self {
            method: request.method().clone(),
            target: gaveta_text::escape(shown).into_owned(),
            declared: declared.and_then(|value| value.to_str().ok()?.parse().ok()),
            received_before: line.received(),
            multiplexed: request.version() == http::Version::HTTP_2,
            account: "-".to_owned(),
            forwarded: None,
            since: Instant::now(),
            status: None,
            promised: None,
            sent: 0,
            whole: false,
            failed: None,
            waiting: false,
            visit: None,
            line,
        }
    }

    /// From where it is asked, where that is not the other end of the line.
    pub(crate) fn caller(&mut self, ip: IpAddr) {
        self.forwarded = (ip != self.line.peer().ip().to_canonical()).then_some(ip);
    }

    /// Who asks.
    pub(crate) fn account(&mut self, account: &Account) {
        account.name().clone_into(&mut self.account);
    }

    /// Method and path, without what is secret.
    pub(crate) fn asked_for(&self) -> (String, String) {
        (self.method.to_string(), self.target.clone())
    }

    /// Who asks is here until the answer has left.
    pub(crate) fn stays(&mut self, visit: Visit) {
        self.visit = Some(visit);
    }

    /// The head of the answer is known.
    pub(crate) fn answered(&mut self, status: StatusCode, promised: Option<u64>) {
        self.status = Some(status);
        self.promised = promised;
    }

    /// The next piece of the answer is asked for.
    pub(crate) fn asked(&mut self) {
        if std::mem::take(&mut self.waiting) {
            self.line.piece_taken();
        }
    }

    /// A piece of the answer was given.
    pub(crate) fn sent(&mut self, bytes: u64) {
        self.sent += bytes;
        self.asked();
        self.waiting = true;
        self.line.piece_given(bytes);
    }

    /// The answer broke off.
    pub(crate) fn failed(&mut self, error: &Error) {
        self.failed = Some(gaveta_text::escape(&error.chain()).into_owned());
    }

    /// The answer was given to its end.
    pub(crate) fn whole(&mut self) {
        self.whole = true;
        self.asked();
    }

    /// Bytes of the request: as declared, or as they came over a line of its own.
    fn received(&self) -> u64 {
        let over_the_line = self.line.received().saturating_sub(self.received_before);
        match self.declared {
            Some(declared) => declared,
            None if self.multiplexed => 0,
            None => over_the_line,
        }
    }
}

/// The path without the id of an upload, or the secret of a share: whoever knows it may go on with
/// the upload, or get what is shared. None when there is none.
fn without_id(path: &str) -> Option<String> {
    // A proxy's prefix may stand before it; no name in the folder is like ours.
    let (before, path) = path.split_at(path.find(gaveta_wire::route::OWN)?);
    if let Some((_, after)) = gaveta_wire::keys::in_link(path) {
        return Some(format!("{before}{}…{after}", gaveta_wire::route::SHARED));
    }
    let rest = path
        .strip_prefix(gaveta_wire::route::UPLOADS)?
        .strip_prefix('/')?;
    let (id, after) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let shown: String = id.chars().take(8).collect();
    Some(format!(
        "{before}{}/{shown}…{after}",
        gaveta_wire::route::UPLOADS
    ))
}

impl Drop for RequestLog {
    fn drop(&mut self) {
        self.asked();
        self.line.request_ends();
        // Nobody asks for what comes after the last byte that was promised.
        let whole = self.whole || self.promised.is_some_and(|promised| self.sent >= promised);
        let ended = match (&self.failed, self.status, whole) {
            (Some(why), _, _) => why.as_str(),
            (None, None, _) => "cancelled",
            (None, Some(_), false) if self.method != Method::HEAD => "cut",
            (None, Some(_), _) => "whole",
        };
        tracing::info!(
            target: "gaveta::request",
            peer = %self.line.peer(),
            forwarded = self.forwarded.map(tracing::field::display),
            account = self.account,
            method = %self.method,
            path = self.target,
            status = self.status.map_or(0, |status| status.as_u16()),
            received = self.received(),
            sent = self.sent,
            milliseconds = u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX),
            ended,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_secret_of_a_path_does_not_show_beneath_a_prefix_either() {
        let secret = format!("gvs_{}", "a".repeat(43));
        for prefix in ["", "/files", "/a/b"] {
            let link = without_id(&format!("{prefix}/.gaveta/s/{secret}/a b")).unwrap();
            assert!(!link.contains("aaaa") && link.starts_with(prefix), "{link}");
            let upload = without_id(&format!("{prefix}/.gaveta/uploads/0123456789abcdef/commit"));
            assert_eq!(
                upload.unwrap(),
                format!("{prefix}/.gaveta/uploads/01234567…/commit")
            );
            assert_eq!(without_id(&format!("{prefix}/a/b")), None);
        }
    }
}
