//! `audit`: who did what on a server; goes on as it happens, when asked to.

use std::time::{Duration, SystemTime};

use clap::Args;
use futures_util::StreamExt;
use gaveta_core::{Action, Path};
use gaveta_text::escape;
use gaveta_wire::audit::{AuditBody, AuditFilter, DONE};
use gaveta_wire::body::time_from_text;

use super::span::seconds;
use super::{Connection, Context, Run};
use crate::fault::{Ended, Fault, Outcome};

/// The longest line of the log that is read, in bytes.
const LONGEST: usize = 128 * 1024;

/// The arguments of `audit`.
#[derive(Debug, Args)]
pub struct Audit {
    #[arg(value_name = "HOST[:PORT]/", help = "arg-audit-server")]
    /// The server, or on this machine a folder or the log itself.
    pub server: Option<String>,
    #[arg(long, visible_alias = "desde", value_name = "TIME", value_parser = since, help = "arg-audit-since")]
    since: Option<SystemTime>,
    #[arg(
        long,
        visible_alias = "conta",
        value_name = "NAME",
        help = "arg-audit-account"
    )]
    account: Option<String>,
    #[arg(
        long,
        visible_alias = "caminho",
        value_name = "PATH",
        help = "arg-audit-path"
    )]
    path: Option<String>,
    #[arg(
        long,
        visible_alias = "operacao",
        value_name = "WORD",
        help = "arg-audit-operation"
    )]
    operation: Option<String>,
    #[arg(long, visible_alias = "falhas", help = "arg-audit-failed")]
    failed: bool,
    #[arg(long, visible_alias = "seguir", help = "arg-audit-follow")]
    /// Go on with what happens.
    pub follow: bool,
    #[command(flatten)]
    connection: Connection,
}

/// A time, or how long ago.
fn since(text: &str) -> Result<SystemTime, String> {
    if let Ok(time) = time_from_text(text) {
        return Ok(time);
    }
    let ago = Duration::from_secs(seconds(text)?);
    Ok(SystemTime::now()
        .checked_sub(ago)
        .unwrap_or(SystemTime::UNIX_EPOCH))
}

impl Run for Audit {
    async fn run(self, context: Context) -> Outcome<Ended> {
        let doing = async {
            let typed: Vec<String> = self.server.iter().cloned().collect();
            let found = context.addresses(&typed)?;
            let address = found.first().ok_or(Fault::usage("client-no-address"))?;
            let drawer = context.open(&address.server, &self.connection).await?;
            drawer.need(Action::Manage).await?;
            let filter = self.filter()?;
            let mut pieces = drawer.remote.audit(&filter, self.follow).await?;
            let mut part: Vec<u8> = Vec::new();
            while let Some(piece) = pieces.next().await {
                for &byte in &piece? {
                    if byte != b'\n' && part.len() < LONGEST {
                        part.push(byte);
                    } else if byte == b'\n' {
                        // An empty line only says that the line is alive.
                        if let Ok(record) = serde_json::from_slice(&std::mem::take(&mut part)) {
                            tell(&context, &record)?;
                        }
                    }
                }
            }
            Ok(Ended::Done)
        };
        context.stoppable(doing).await
    }
}

impl Audit {
    /// What is asked for.
    ///
    /// # Errors
    /// `BadPath`.
    pub fn filter(&self) -> Outcome<AuditFilter> {
        let path = self.path.as_deref();
        let path = path.map(|path| Path::parse(path.trim_matches('/')));
        Ok(AuditFilter {
            since: self.since,
            account: self.account.clone(),
            path: path.transpose()?,
            operation: self.operation.clone(),
            failed: self.failed,
        })
    }
}

/// Tells one record.
///
/// # Errors
/// [`Fault::Closed`].
pub fn tell(context: &Context, record: &AuditBody) -> Outcome {
    let printer = &context.printer;
    if printer.is_json() {
        let object = serde_json::to_value(record).unwrap_or_default();
        return printer.json(&object);
    }
    let time = time_from_text(&record.time).map(gaveta_text::exact_time);
    let who = match (&record.token, &record.share) {
        (Some(token), _) => format!("{} (token {token})", record.account),
        (None, Some(share)) => format!("{} (share {share})", record.account),
        (None, None) => record.account.clone(),
    };
    let mut words = vec![
        time.unwrap_or_default(),
        record.from.clone(),
        who,
        record.operation.clone(),
    ];
    words.extend(record.path.clone());
    words.extend(record.to.as_ref().map(|to| format!("-> {to}")));
    words.extend(record.about.clone());
    words.extend(record.bytes.map(|bytes| context.text().size(bytes)));
    if let Some(lost) = record.lost {
        words.push(lost.to_string());
    }
    if record.result != DONE {
        words.push(record.result.clone());
    }
    let words: Vec<&str> = words
        .iter()
        .map(String::as_str)
        .filter(|word| !word.is_empty())
        .collect();
    printer.line(&escape(&words.join("  ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn since_is_a_time_or_how_long_ago() {
        let at = since("2026-01-01T00:00:00Z").unwrap();
        assert!(at < since("1s").unwrap() || at > SystemTime::now() - Duration::from_secs(1));
        assert!(since("1d").unwrap() < since("1h").unwrap());
        assert!(since("yesterday").is_err());
    }
}
