//! `uploads`: what is under way on a server and not finished; ends what nobody will finish.

use std::time::SystemTime;

use clap::Args;
use futures_util::StreamExt;
use gaveta_core::{Action, ErrorKind, Store, UploadId, UploadState};
use gaveta_text::escape;
use gaveta_wire::body::time_to_text;
use serde_json::json;

use super::rm::fail;
use super::{Connection, Context, Run};
use crate::address::Address;
use crate::drawer::Drawer;
use crate::fault::{Ended, Fault, Outcome, Sentence, Tally};

/// The most uploads that are ended in one run: what is held at once. Bounds memory.
const HELD: usize = 100_000;

#[derive(Debug, Args)]
pub(super) struct Uploads {
    #[arg(value_name = "HOST[:PORT]", help = "arg-uploads-host")]
    host: Option<String>,
    #[arg(
        long,
        value_name = "ID",
        conflicts_with = "end_all",
        help = "arg-uploads-end"
    )]
    end: Vec<String>,
    #[arg(long, help = "arg-uploads-end-all")]
    end_all: bool,
    #[arg(short, long, visible_alias = "sim", help = "arg-yes")]
    yes: bool,
    #[command(flatten)]
    connection: Connection,
}

impl Run for Uploads {
    async fn run(self, context: Context) -> Outcome<Ended> {
        let address = self.server(&context)?;
        let doing = async {
            let drawer = context.open(&address.server, &self.connection).await?;
            if !drawer.place(&address)?.is_root() {
                return Err(Fault::usage("client-uploads-host"));
            }
            drawer.need(Action::Manage).await?;
            if self.end_all {
                self.end_all(&context, &drawer).await
            } else if self.end.is_empty() {
                list(&context, &drawer).await
            } else {
                end_some(&context, &drawer, &self.end).await
            }
        };
        context.stoppable(doing).await
    }
}

impl Uploads {
    /// The server that was named; in the shell the one that one is on, which is never named.
    fn server(&self, context: &Context) -> Outcome<Address> {
        match (&self.host, context.here()) {
            (None, Some(here)) => here.address("/"),
            (None, None) => Err(Fault::usage("client-no-address")),
            (Some(_), Some(_)) => Err(Fault::usage("shell-uploads-here")),
            (Some(host), None) => Address::parse(host),
        }
    }

    async fn end_all(&self, context: &Context, drawer: &Drawer) -> Outcome<Ended> {
        // Listed whole before the first ends: the list must not change under its reader.
        let mut uploads = drawer.remote.uploads().await?.take(HELD);
        let mut ids = Vec::new();
        while let Some(state) = uploads.next().await {
            ids.push(state?.id);
        }
        if ids.is_empty() {
            context
                .printer
                .note(&context.text().say("client-uploads-none", &[]));
            return Ok(Ended::Done);
        }
        if !self.yes && context.printer.can_ask() {
            let question = Sentence::new("client-ask-end").number("count", ids.len() as u64);
            let question = question.say(context.text());
            if !super::rm::yes(context, &question).await? {
                return Ok(Ended::Done);
            }
        }
        let mut tally = Tally::default();
        for id in ids {
            end(context, drawer, &id, &mut tally).await?;
        }
        Ok(tally.ended())
    }
}

async fn list(context: &Context, drawer: &Drawer) -> Outcome<Ended> {
    let mut uploads = drawer.remote.uploads().await?;
    let (mut count, mut bytes) = (0u64, 0u64);
    while let Some(state) = uploads.next().await {
        let state = state?;
        count += 1;
        bytes = bytes.saturating_add(state.arrived.total());
        show(context, drawer, &state)?;
    }
    context
        .printer
        .json(&json!({"type": "summary", "uploads": count, "bytes": bytes}))?;
    let text = context.text();
    let args = [("count", count.into()), ("size", text.size(bytes).into())];
    context.printer.note(&match count {
        0 => text.say("client-uploads-none", &[]),
        _ => text.say("client-uploads-total", &args),
    });
    Ok(Ended::Done)
}

/// One line: the id, whose it is, how much of it is there, since when nothing came, and where it
/// will appear.
fn show(context: &Context, drawer: &Drawer, state: &UploadState) -> Outcome {
    let printer = &context.printer;
    if printer.is_json() {
        return printer.json(&json!({
            "type": "upload",
            "id": state.id.as_str(),
            "target": state.target.as_ref().map(|target| target.as_str()),
            "owner": &*state.owner.0,
            "length": state.length,
            "arrived": state.arrived.total(),
            "touched": time_to_text(state.touched),
        }));
    }
    let text = context.text();
    let age = SystemTime::now()
        .duration_since(state.touched)
        .unwrap_or_default();
    let arrived = text.size(state.arrived.total());
    let length = match state.length {
        Some(length) => text.size(length),
        None => "?".to_owned(),
    };
    let target = match &state.target {
        Some(target) => drawer.show(target),
        None => "-".to_owned(),
    };
    printer.line(&format!(
        "{}  {:<8}  {:>9} / {:<9}  {:>8}  {}",
        state.id,
        escape(&state.owner.0),
        arrived,
        length,
        text.duration(age),
        escape(&target)
    ))
}

async fn end_some(context: &Context, drawer: &Drawer, ids: &[String]) -> Outcome<Ended> {
    let mut tally = Tally::default();
    for typed in ids {
        match UploadId::parse(typed) {
            Ok(id) => end(context, drawer, &id, &mut tally).await?,
            Err(error) => fail(context, &mut tally, error.about_text(typed.clone()).into())?,
        }
    }
    Ok(tally.ended())
}

async fn end(context: &Context, drawer: &Drawer, id: &UploadId, tally: &mut Tally) -> Outcome {
    let ended = async { drawer.remote.upload(id, None).await?.discard().await };
    match ended.await {
        Ok(()) => {
            context
                .printer
                .json(&json!({"type": "ended", "id": id.as_str()}))?;
            let args = [("id", id.as_str().to_owned().into())];
            context
                .printer
                .note(&context.text().say("client-upload-ended", &args));
            Ok(())
        }
        // Its sender finished it, or somebody else ended it.
        Err(error) if error.kind() == ErrorKind::UploadLost => Ok(()),
        Err(error) => fail(context, tally, error.about_text(id.as_str()).into()),
    }
}
