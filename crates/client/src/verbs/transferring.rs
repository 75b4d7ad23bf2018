//! What `send` and `get` have in common: the transfer, its progress, and what came of it.

use std::collections::HashMap;
use std::collections::hash_map;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use gaveta_core::{ErrorKind, Path, Store};
use gaveta_text::escape;
use gaveta_transfer::{Existing, Options, Source, Summary, transfer};
use serde_json::json;

use super::Context;
use super::conflict::Asker;
use crate::drawer::{Drawer, about};
use crate::fault::{Ended, Fault, Outcome, Sentence, Tally};
use crate::printer::progress::{Names, Progress};

/// The most files at once that may be asked for.
const MAX_PARALLEL: i64 = 64;

#[derive(Debug, Clone, Args)]
pub(super) struct Transferring {
    #[arg(long, help = "arg-replace")]
    pub(super) replace: bool,
    #[arg(short = 'n', long, help = "arg-dry-run")]
    pub(super) dry_run: bool,
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=MAX_PARALLEL),
          help = "arg-parallel")]
    parallel: Option<u16>,
}

/// Everything that is to be copied, and where to.
pub(super) struct Job {
    sources: Vec<Source>,
    shown: HashMap<Path, String>,
    /// Failures from before the transfer.
    pub(super) tally: Tally,
}

impl Job {
    pub(super) fn new() -> Self {
        Self {
            sources: Vec::new(),
            shown: HashMap::new(),
            tally: Tally::default(),
        }
    }

    /// One more source, and how the person named it.
    ///
    /// # Errors
    /// `Exists` when another source would get the same name.
    pub(super) fn add(&mut self, source: Source, shown: String) -> Outcome {
        match self.shown.entry(source.to.clone()) {
            hash_map::Entry::Occupied(other) => Err(Fault::Said(
                ErrorKind::Exists,
                Sentence::new("client-same-name")
                    .with("one", other.get())
                    .with("other", shown),
            )),
            hash_map::Entry::Vacant(free) => {
                free.insert(shown);
                self.sources.push(source);
                Ok(())
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.sources.is_empty()
    }
}

/// The target of a job.
pub(super) struct Target {
    pub(super) store: Arc<dyn Store>,
    /// The server, when it is the target.
    pub(super) drawer: Option<Drawer>,
    /// How a path of it is named.
    pub(super) show: Arc<dyn Fn(&Path) -> String + Send + Sync>,
    /// The key of the sentence that sums up: sent, or got.
    pub(super) done_key: &'static str,
}

/// Runs the job to its end, or to Ctrl-C, and tells what came of it.
pub(super) async fn run(
    context: &Context,
    how: &Transferring,
    job: Job,
    target: Target,
) -> Outcome<Ended> {
    let Job {
        sources,
        shown,
        mut tally,
    } = job;
    let show = Arc::clone(&target.show);
    let names = Names::new(shown, move |path| show(path));
    let progress = Arc::new(Progress::start(Arc::clone(&context.printer), names));
    let existing = if how.replace {
        Existing::Replace
    } else if context.printer.can_ask() && !how.dry_run {
        let asker = Asker::new(context.clone(), target.drawer, Arc::clone(&target.show));
        Existing::Ask(Arc::new(asker))
    } else {
        Existing::Keep
    };
    let mut options = Options {
        existing,
        dry_run: how.dry_run,
        ..Options::default()
    };
    if let Some(parallel) = how.parallel {
        options.parallel = usize::from(parallel);
        options.parallel_big = options.parallel_big.min(options.parallel);
    }
    let since = Instant::now();
    let observer = Arc::clone(&progress) as Arc<dyn gaveta_transfer::Observer>;
    let summary = transfer(
        sources,
        target.store,
        options,
        observer,
        context.cancel.clone(),
    )
    .await;
    let took = since.elapsed();
    progress.end();
    for failed in &summary.failed {
        tally.add(failed.error.kind());
    }
    // Beyond those that are kept by name only the number is known.
    tally.count = tally
        .count
        .saturating_add(summary.failed_count)
        .saturating_sub(summary.failed.len() as u64);
    let cancelled = summary.cancelled;
    tell(
        context,
        &progress,
        &summary,
        &tally,
        how.dry_run,
        target.done_key,
        took,
    )?;
    if cancelled {
        Err(Fault::Interrupted)
    } else {
        Ok(tally.ended())
    }
}

fn tell(
    context: &Context,
    progress: &Progress,
    summary: &Summary,
    tally: &Tally,
    dry_run: bool,
    done_key: &'static str,
    took: Duration,
) -> Outcome {
    let printer = &context.printer;
    let text = context.text();
    let mut hints = Vec::new();
    for failed in &summary.failed {
        let (from, to) = (
            progress.names().source(&failed.to),
            progress.names().target(&failed.to),
        );
        let kind = failed.error.kind();
        printer.bad_line(&format!(
            "gaveta: {} → {}",
            escape(&from),
            text.error(&about(&failed.error, to.clone()))
        ));
        printer.json(&json!({
            "type": "error",
            "code": kind.code(),
            "message": text.kind(kind),
            "path": from,
            "to": to,
        }))?;
        if let Some(hint) = text.hint(kind)
            && !hints.contains(&hint)
        {
            hints.push(hint);
        }
    }
    let unnamed = summary
        .failed_count
        .saturating_sub(summary.failed.len() as u64);
    if unnamed > 0 {
        printer.bad_line(&text.say("client-more-failed", &[("count", unnamed.into())]));
    }
    for hint in hints {
        printer.hint(Some(hint));
    }
    printer.json(&json!({
        "type": "summary",
        "files": summary.files,
        "folders": summary.folders,
        "bytes": summary.bytes,
        "skipped": summary.skipped_count,
        "failed": tally.count,
        "cancelled": summary.cancelled,
        "dry_run": dry_run,
        "seconds": took.as_secs_f64(),
    }))?;
    let key = if dry_run {
        "client-planned-total"
    } else {
        done_key
    };
    #[allow(clippy::cast_precision_loss, reason = "three digits are shown")]
    let rate = summary.bytes as f64 / took.as_secs_f64().max(0.001);
    let mut line = text.say(
        key,
        &[
            ("count", summary.files.into()),
            ("size", text.size(summary.bytes).into()),
            ("time", text.duration(took).into()),
            ("rate", text.rate(rate).into()),
        ],
    );
    if summary.skipped_count > 0 {
        line.push_str(&text.say(
            "client-total-skipped",
            &[("count", summary.skipped_count.into())],
        ));
    }
    if tally.count > 0 {
        line.push_str(&text.say("client-total-failed", &[("count", tally.count.into())]));
    }
    printer.note(&line);
    Ok(())
}

#[cfg(test)]
impl Transferring {
    /// As when no option is given.
    pub(super) fn plain() -> Self {
        Self {
            replace: false,
            dry_run: false,
            parallel: None,
        }
    }
}
