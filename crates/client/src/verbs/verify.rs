//! `verify`: the server reads everything again, and what is wrong is told.

use std::time::Duration;

use clap::Args;
use gaveta_core::{Action, ErrorKind, Finding, FindingKind, VerifyOrder, VerifyState};
use gaveta_text::escape;
use gaveta_wire::trash::{FindingBody, VerifyBody};

use super::trash::place;
use super::{Connection, Context, Run};
use crate::drawer::Drawer;
use crate::fault::{Ended, Fault, Outcome, Sentence};
use crate::printer::{Paint, Printer};

/// How often is asked how far it is.
const ASK: Duration = Duration::from_millis(500);

/// The arguments of `verify`.
#[derive(Debug, Args)]
pub struct Verify {
    /// The server, or a folder of this machine.
    #[arg(value_name = "HOST[:PORT] | FOLDER", help = "arg-verify-place")]
    pub place: Option<String>,
    /// From the beginning.
    #[arg(long, help = "arg-verify-afresh")]
    pub afresh: bool,
    #[arg(long, conflicts_with_all = ["stop", "status"], help = "arg-verify-background")]
    background: bool,
    #[arg(long, conflicts_with = "status", help = "arg-verify-stop")]
    stop: bool,
    #[arg(long, help = "arg-verify-status")]
    status: bool,
    #[command(flatten)]
    connection: Connection,
}

impl Run for Verify {
    async fn run(self, context: Context) -> Outcome<Ended> {
        let address = place(&context, self.place.as_deref())?;
        let work = async {
            let drawer = context.open(&address.server, &self.connection).await?;
            drawer.need(Action::Manage).await?;
            self.work(&context, &drawer).await
        };
        context.stoppable(work).await
    }
}

impl Verify {
    async fn work(&self, context: &Context, drawer: &Drawer) -> Outcome<Ended> {
        if self.stop {
            let (state, _) = order(drawer, VerifyOrder::Stop).await?;
            context
                .printer
                .note(&context.text().say("client-verify-stopping", &[]));
            return Ok(ended(&state));
        }
        if !self.status {
            let afresh = self.afresh;
            let (state, _) = order(drawer, VerifyOrder::Start { afresh }).await?;
            if self.background {
                context
                    .printer
                    .note(&context.text().say("client-verify-begun", &[]));
                return Ok(if state.running {
                    Ended::Done
                } else {
                    ended(&state)
                });
            }
        }
        let mut known = 0u64;
        loop {
            let (state, list) = order(drawer, VerifyOrder::Tell { after: known }).await?;
            known += list.len() as u64;
            for finding in &list {
                tell(&context.printer, finding)?;
            }
            // Findings come in pages.
            if !list.is_empty() && known < state.findings {
                continue;
            }
            if self.status || !state.running {
                summary(&context.printer, &state)?;
                return Ok(ended(&state));
            }
            tokio::time::sleep(ASK).await;
        }
    }
}

async fn order(drawer: &Drawer, order: VerifyOrder) -> Outcome<(VerifyState, Vec<Finding>)> {
    drawer
        .remote
        .verify(order)
        .await
        .map_err(|error| match error.kind() {
            ErrorKind::Unsupported => {
                Fault::Said(ErrorKind::Unsupported, Sentence::new("client-no-verify"))
            }
            _ => error.into(),
        })
}

/// What was lost fails; what others changed, or what nobody summed up, does not.
pub fn ended(state: &VerifyState) -> Ended {
    match state.is_bad() {
        true => Ended::Failed(vec![ErrorKind::DigestMismatch]),
        false => Ended::Done,
    }
}

/// Tells one finding.
///
/// # Errors
/// [`Fault::Closed`].
pub fn tell(printer: &Printer, finding: &Finding) -> Outcome {
    if printer.is_json() {
        let mut value = serde_json::to_value(FindingBody::from(finding))
            .map_err(|error| gaveta_core::Error::from(std::io::Error::other(error)))?;
        if let Some(map) = value.as_object_mut() {
            map.insert("type".to_owned(), "finding".into());
        }
        return printer.json(&value);
    }
    let text = printer.text();
    let key = match finding.kind {
        FindingKind::Rotten => "client-found-rotten",
        FindingKind::Changed => "client-found-changed",
        FindingKind::Undigested => "client-found-undigested",
        FindingKind::Unreadable => "client-found-unreadable",
        FindingKind::Stray => "client-found-stray",
    };
    let name = escape(&finding.path).into_owned();
    let mut line = text.say(key, &[("name", name.into())]);
    if finding.trashed.is_some() {
        line = format!("{line} {}", text.say("client-found-in-trash", &[]));
    }
    let bad = matches!(finding.kind, FindingKind::Rotten | FindingKind::Unreadable);
    let paint = if bad { Paint::Bad } else { Paint::Warn };
    printer.line(&printer.paint(paint, &line))?;
    if let Some(better) = &finding.better {
        let id = better.as_str();
        let id = id.get(id.len() - 8..).unwrap_or(id).to_owned();
        printer.line(&text.say("client-found-better", &[("id", id.into())]))?;
    }
    Ok(())
}

/// Tells what it came to.
///
/// # Errors
/// [`Fault::Closed`].
pub fn summary(printer: &Printer, state: &VerifyState) -> Outcome {
    let mut value = serde_json::to_value(VerifyBody::new(state, &[]))
        .map_err(|error| gaveta_core::Error::from(std::io::Error::other(error)))?;
    if let Some(map) = value.as_object_mut() {
        map.remove("list");
        map.insert("type".to_owned(), "summary".into());
    }
    printer.json(&value)?;
    if printer.is_json() {
        return Ok(());
    }
    let text = printer.text();
    let key = match (state.running, state.ended) {
        (true, _) => "client-verify-running",
        (false, Some(_)) => "client-verify-ended",
        (false, None) => "client-verify-broken-off",
    };
    let args = [
        ("count", state.files.into()),
        ("size", text.size(state.bytes).into()),
    ];
    printer.line(&text.say(key, &args))?;
    for (key, count) in [
        ("client-verify-sound", state.sound),
        ("client-verify-changed", state.changed),
        ("client-verify-undigested", state.undigested),
        ("client-verify-rotten", state.rotten),
        ("client-verify-unreadable", state.unreadable),
        ("client-verify-strays", state.strays),
    ] {
        if count > 0 {
            printer.line(&format!("  {}", text.say(key, &[("count", count.into())])))?;
        }
    }
    Ok(())
}
