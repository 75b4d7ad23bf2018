//! What `send`, `get` and `mirror` have in common: how fast, its progress, and what came of it.

use std::collections::HashMap;
use std::collections::hash_map;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use gaveta_core::{ErrorKind, Path, Store};
use gaveta_text::{Value, escape};
use gaveta_transfer::{Existing, Failed, KEPT, Options, Resume, Source, Summary, transfer};
use serde_json::json;

use super::Context;
use super::conflict::Asker;
use crate::drawer::{Drawer, about};
use crate::fault::{Ended, Fault, Outcome, Sentence, Tally};
use crate::printer::progress::{Names, Progress, Stopped};

/// The most files at once that may be asked for.
const MAX_PARALLEL: i64 = 64;
/// A command longer than this, in letters, is not told again.
const LONGEST_TYPED: usize = 160;
/// The slowest limit, in bytes per second: less would look like a line that is dead.
const MIN_RATE: u64 = 1000;

/// How often a server is asked how much it has.
const ASK_PROGRESS: Duration = Duration::from_millis(500);

/// How much of the line and of both machines a transfer may take.
#[derive(Debug, Clone, Args)]
pub(super) struct Pace {
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=MAX_PARALLEL),
          help = "arg-parallel")]
    parallel: Option<u16>,
    #[arg(long, value_name = "RATE", value_parser = parse_rate, help = "arg-limit-rate")]
    limit_rate: Option<u64>,
}

impl Pace {
    /// Puts it into a transfer's options.
    pub(super) fn apply(&self, options: &mut Options) {
        options.parallel = self.parallel.map(usize::from);
        options.limit_rate = self.limit_rate;
    }
}

/// A server is asked what it has; what is handed to this machine's disk is there.
pub(super) fn ask_progress(resume: Option<&Resume>) -> Option<Duration> {
    match resume {
        Some(Resume::Derive(_)) => None,
        Some(Resume::Remember(_)) | None => Some(ASK_PROGRESS),
    }
}

/// Bytes per second: a number, also with a fraction, and `K`, `M` or `G` (thousands, as sizes are
/// shown) or `Ki`, `Mi`, `Gi` (powers of 1024); a `B` and `/s` behind it change nothing.
fn parse_rate(typed: &str) -> Result<u64, String> {
    let wrong = || format!("{typed}: 10M, 1.5G, 500K, 2Mi");
    let text = typed.trim();
    let text = text.strip_suffix("/s").unwrap_or(text);
    let text = text.strip_suffix(['B', 'b']).unwrap_or(text);
    let (text, base) = match text.strip_suffix('i') {
        Some(text) => (text, 1024u64),
        None => (text, 1000),
    };
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let power = match text.get(digits.len()..).unwrap_or_default() {
        "" if base == 1000 => 0,
        "k" | "K" => 1,
        "m" | "M" => 2,
        "g" | "G" => 3,
        _ => return Err(wrong()),
    };
    let plain = digits
        .bytes()
        .all(|b| b.is_ascii_digit() || matches!(b, b'.' | b','));
    let number: f64 = digits.replace(',', ".").parse().map_err(|_| wrong())?;
    #[allow(clippy::cast_precision_loss, reason = "at most 2^30")]
    let rate = number * base.pow(power) as f64;
    #[allow(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "within these bounds it fits"
    )]
    if plain && rate >= MIN_RATE as f64 && rate < 1e15 {
        Ok(rate as u64)
    } else {
        Err(wrong())
    }
}

#[derive(Debug, Clone, Args)]
pub(super) struct Transferring {
    #[arg(long, help = "arg-replace")]
    pub(super) replace: bool,
    #[arg(short = 'n', long, help = "arg-dry-run")]
    pub(super) dry_run: bool,
    #[command(flatten)]
    pace: Pace,
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
    /// How what was cut is found again.
    pub(super) resume: Option<Resume>,
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
    let drops = target.drawer.as_ref().is_some_and(Drawer::drops);
    let existing = if drops {
        Existing::Beside
    } else if how.replace {
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
        ask_progress: ask_progress(target.resume.as_ref()),
        resume: target.resume,
        ..Options::default()
    };
    how.pace.apply(&mut options);
    // From this size on a later run goes on with what was cut.
    let kept = options.resume.is_some().then_some(options.big);
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
    count_failed(&mut tally, &summary);
    tell_failed(
        context,
        progress.names(),
        &summary.failed,
        summary.failed_count,
    )?;
    let report = Report {
        summary: &summary,
        failed: tally.count,
        dry_run: how.dry_run,
        done_key: target.done_key,
        took,
        more: &[],
    };
    tell(context, &report)?;
    if !summary.cancelled {
        goes_on(
            context,
            &progress,
            kept,
            ["client-cut", "client-cut-several"],
        );
        return Ok(tally.ended());
    }
    let keys = ["client-stopped", "client-stopped-several"];
    if goes_on(context, &progress, kept, keys) {
        Ok(Ended::Interrupted)
    } else {
        Err(Fault::Interrupted)
    }
}

/// Tells what goes on where it was cut, by the sentence for one file or the one for several. Says
/// whether there was something to tell and somebody to listen.
fn goes_on(context: &Context, progress: &Progress, kept: Option<u64>, keys: [&str; 2]) -> bool {
    let printer = &context.printer;
    let goes_on = |file: &Stopped| kept.is_some_and(|big| file.size >= big) && file.bytes > 0;
    let files: Vec<Stopped> = progress.stopped().into_iter().filter(goes_on).collect();
    // Programs, and those who want no remarks, are told as of any command.
    let Some(first) = files.first().filter(|_| printer.tells_notes()) else {
        return false;
    };
    let text = context.text();
    let [one, several] = keys;
    let again = match &context.typed {
        Some(typed) if typed.chars().count() <= LONGEST_TYPED => escape(typed).into_owned(),
        _ => text.say("client-stopped-again", &[]),
    };
    let line = if files.len() == 1 {
        let name = escape(&progress.names().source(&first.to)).into_owned();
        let size = text.size(first.bytes);
        text.say(
            one,
            &[
                ("name", name.into()),
                ("size", size.into()),
                ("again", again.into()),
            ],
        )
    } else {
        let count = files.len() as u64;
        let args = [("count", count.into()), ("again", again.into())];
        text.say(several, &args)
    };
    printer.note(&line);
    true
}

/// Adds the failures of a summary. Beyond those that are kept by name only the number is known.
pub(super) fn count_failed(tally: &mut Tally, summary: &Summary) {
    for failed in &summary.failed {
        tally.add(failed.error.kind());
    }
    tally.count = tally
        .count
        .saturating_add(summary.failed_count)
        .saturating_sub(summary.failed.len() as u64);
}

/// Adds one summary to another.
pub(super) fn add(all: &mut Summary, one: Summary) {
    // Each field by its name, so that a new one is not forgotten.
    let Summary {
        files,
        folders,
        bytes,
        skipped,
        skipped_count,
        failed,
        failed_count,
        cancelled,
        resumed,
        equal,
        again,
        restarted,
        unchanged,
    } = one;
    for (sum, more) in [
        (&mut all.files, files),
        (&mut all.folders, folders),
        (&mut all.bytes, bytes),
        (&mut all.skipped_count, skipped_count),
        (&mut all.failed_count, failed_count),
        (&mut all.resumed, resumed),
        (&mut all.equal, equal),
        (&mut all.again, again),
        (&mut all.restarted, restarted),
        (&mut all.unchanged, unchanged),
    ] {
        *sum = sum.saturating_add(more);
    }
    all.cancelled |= cancelled;
    let room = KEPT.saturating_sub(all.skipped.len());
    all.skipped.extend(skipped.into_iter().take(room));
    let room = KEPT.saturating_sub(all.failed.len());
    all.failed.extend(failed.into_iter().take(room));
}

/// Tells each failure, what may be done about it, and how many more there were.
pub(super) fn tell_failed(
    context: &Context,
    names: &Names,
    failed: &[Failed],
    count: u64,
) -> Outcome {
    let printer = &context.printer;
    let text = context.text();
    let mut hints = Vec::new();
    for failed in failed {
        let (from, to) = (names.source(&failed.to), names.target(&failed.to));
        let kind = failed.error.kind();
        printer.bad_line(&format!(
            "{}{} → {}",
            printer.name(),
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
    let unnamed = count.saturating_sub(failed.len() as u64);
    if unnamed > 0 {
        printer.bad_line(&text.say("client-more-failed", &[("count", unnamed.into())]));
    }
    for hint in hints {
        printer.hint(Some(hint));
    }
    Ok(())
}

/// What came of it all.
pub(super) struct Report<'a> {
    pub(super) summary: &'a Summary,
    /// All failures, those from before the transfer too.
    pub(super) failed: u64,
    pub(super) dry_run: bool,
    /// The key of the sentence that sums up.
    pub(super) done_key: &'static str,
    pub(super) took: Duration,
    /// More counts: the field's name, the sentence's key, the number.
    pub(super) more: &'a [(&'static str, &'static str, u64)],
}

/// Sums up: a sentence for people, an object for programs.
pub(super) fn tell(context: &Context, report: &Report<'_>) -> Outcome {
    let printer = &context.printer;
    let text = context.text();
    let summary = report.summary;
    let moved = summary
        .bytes
        .saturating_sub(summary.resumed)
        .saturating_sub(summary.equal)
        .saturating_add(summary.again);
    let mut object = json!({
        "type": "summary",
        "files": summary.files,
        "folders": summary.folders,
        "bytes": summary.bytes,
        "moved": if report.dry_run { 0 } else { moved },
        "resumed": summary.resumed,
        "equal": summary.equal,
        "again": summary.again,
        "restarted": summary.restarted,
        "unchanged": summary.unchanged,
        "skipped": summary.skipped_count,
        "failed": report.failed,
        "cancelled": summary.cancelled,
        "dry_run": report.dry_run,
        "seconds": report.took.as_secs_f64(),
    });
    if let Some(map) = object.as_object_mut() {
        let more = report.more.iter();
        map.extend(more.map(|(name, _, count)| ((*name).to_owned(), (*count).into())));
    }
    printer.json(&object)?;
    if summary.cancelled && summary.files == 0 && report.failed == 0 {
        // That it was stopped is said; there is nothing to sum up.
        return Ok(());
    }
    let key = if report.dry_run {
        "client-planned-total"
    } else {
        report.done_key
    };
    #[allow(clippy::cast_precision_loss, reason = "three digits are shown")]
    let rate = moved as f64 / report.took.as_secs_f64().max(0.001);
    // Where nothing was done, what became of it instead is all there is to say.
    let is_nothing = summary.files == 0 && report.failed > 0;
    let mut line = match is_nothing {
        true => String::new(),
        false => text.say(
            key,
            &[
                ("count", summary.files.into()),
                ("size", text.size(summary.bytes).into()),
                ("time", text.duration(report.took).into()),
                ("rate", text.rate(rate).into()),
            ],
        ),
    };
    for (key, bytes) in [
        ("client-total-resumed", summary.resumed),
        ("client-total-equal", summary.equal),
        ("client-total-again", summary.again),
    ] {
        if bytes > 0 {
            line.push_str(&text.say(key, &[("size", text.size(bytes).into())]));
        }
    }
    if summary.resumed + summary.equal > 0 {
        line.push_str(&text.say("client-total-moved", &[("size", text.size(moved).into())]));
    }
    let counts = [
        ("client-total-restarted", summary.restarted),
        ("client-total-same", summary.unchanged),
    ];
    let more = report.more.iter().map(|(_, key, count)| (*key, *count));
    let last = [
        (
            "client-total-skipped",
            summary.skipped_count.saturating_sub(summary.unchanged),
        ),
        ("client-total-failed", report.failed),
    ];
    for (key, count) in counts.into_iter().chain(more).chain(last) {
        if count > 0 {
            line.push_str(&text.say(key, &[("count", Value::from(count))]));
        }
    }
    printer.note(line.trim_start_matches(", "));
    Ok(())
}

#[cfg(test)]
impl Transferring {
    /// As when no option is given.
    pub(super) fn plain() -> Self {
        Self {
            replace: false,
            dry_run: false,
            pace: Pace {
                parallel: None,
                limit_rate: None,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read_as_people_write_them() {
        for (typed, rate) in [
            ("1000", Some(1000)),
            ("500K", Some(500_000)),
            ("10M", Some(10_000_000)),
            ("1.5G", Some(1_500_000_000)),
            ("1,5g", Some(1_500_000_000)),
            ("2Mi", Some(2 << 20)),
            ("10MB/s", Some(10_000_000)),
            ("4KiB", Some(4096)),
            ("0", None),
            ("999", None),
            ("-1M", None),
            ("1e9", None),
            ("inf", None),
            ("nan", None),
            ("M", None),
            ("", None),
            ("10X", None),
            ("10i", None),
            ("9999999G", None),
        ] {
            assert_eq!(parse_rate(typed).ok(), rate, "{typed}");
        }
    }

    #[test]
    fn summaries_add_up_within_bounds() {
        let failed = || Failed {
            path: Path::root(),
            to: Path::root(),
            error: gaveta_core::Error::new(ErrorKind::Io),
        };
        let one = || Summary {
            files: 2,
            again: 5,
            failed: (0..700).map(|_| failed()).collect(),
            failed_count: 700,
            ..Summary::default()
        };
        let mut all = one();
        add(&mut all, one());
        assert_eq!((all.files, all.again, all.failed_count), (4, 10, 1400));
        assert_eq!(all.failed.len(), KEPT);
    }
}
