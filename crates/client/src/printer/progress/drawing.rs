//! How a transfer is drawn: a bar for each file that takes long, and one for all of it.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::{Running, State, lock};
use crate::printer::Printer;
use crate::terminal;

/// Bars appear only after so long: the total's, and each file's.
const PATIENCE: Duration = Duration::from_millis(500);
const REDRAW: Duration = Duration::from_millis(120);
/// So many running files have a bar; the total has its own.
const SHOWN: usize = 8;

/// How much of a row there is room for: a row that is wider than the terminal tears the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Layout {
    /// Columns of the name.
    name: usize,
    /// Is there room for a bar?
    bar: bool,
    /// What stands after the percentage.
    message: &'static str,
}

impl Layout {
    fn of(width: Option<usize>) -> Self {
        let width = width.unwrap_or(80);
        match width {
            0..32 => Self {
                name: width.saturating_sub(8).max(1),
                bar: false,
                message: "client-progress-least",
            },
            32..60 => Self {
                name: width - 22,
                bar: false,
                message: "client-progress-left",
            },
            60..100 => Self {
                name: width / 4,
                bar: true,
                message: "client-progress-short",
            },
            _ => Self {
                name: 28,
                bar: true,
                message: "client-progress",
            },
        }
    }

    fn message(self) -> &'static str {
        self.message
    }

    fn style(self) -> ProgressStyle {
        let bar = if self.bar { " {wide_bar}" } else { "" };
        let template = format!("{{prefix:<{}!}}{bar} {{percent:>3}} %{{msg}}", self.name);
        ProgressStyle::with_template(&template)
            .unwrap_or_else(|_| ProgressStyle::default_bar())
            .progress_chars("█▌░")
    }
}

/// Redraws until it is aborted, or the transfer has ended.
pub(super) async fn draw(printer: Arc<Printer>, state: Arc<Mutex<State>>) {
    let mut rate = Rate::new(0);
    let mut layout = None;
    tokio::time::sleep(PATIENCE).await;
    loop {
        {
            let mut state = lock(&state);
            if state.ended {
                return;
            }
            let _drawing = printer.show_bars();
            rate.sample(state.bytes().saturating_sub(state.before_bytes));
            let now = Layout::of(terminal::width());
            let changed = layout.replace(now) != Some(now);
            state.redraw(&printer, now, changed, rate.per_second());
        }
        tokio::time::sleep(REDRAW).await;
    }
}

impl State {
    fn redraw(&mut self, printer: &Printer, layout: Layout, restyle: bool, rate: f64) {
        let mut bars = std::mem::take(&mut self.bars);
        let total = bars
            .total
            .get_or_insert_with(|| printer.bars.add(ProgressBar::new(0)));
        if restyle {
            for bar in bars.files.values().chain([&*total]) {
                bar.set_style(layout.style());
            }
        }
        bars.files.retain(|file, bar| {
            let runs = self.running.contains_key(file);
            if !runs {
                bar.finish_and_clear();
                printer.bars.remove(bar);
            }
            runs
        });
        for (file, running) in &self.running {
            // A small file is gone before anyone could read its name.
            let new = !bars.files.contains_key(file);
            if new && (bars.files.len() >= SHOWN || running.since.elapsed() < PATIENCE) {
                continue;
            }
            let bar = bars.files.entry(*file).or_insert_with(|| {
                let bar = printer
                    .bars
                    .insert_before(total, ProgressBar::new(running.size));
                bar.set_style(layout.style());
                bar.set_prefix(running.name.clone());
                bar
            });
            show_file(printer, layout, bar, running);
        }
        show_total(printer, layout, total, self, rate);
        self.bars = bars;
    }
}

fn show_file(printer: &Printer, layout: Layout, bar: &ProgressBar, running: &Running) {
    let text = printer.text();
    #[allow(clippy::cast_precision_loss, reason = "three digits are shown")]
    let rate = running.bytes.saturating_sub(running.before) as f64
        / running.since.elapsed().as_secs_f64().max(0.001);
    bar.set_length(running.size);
    bar.set_position(running.bytes);
    bar.set_message(text.say(
        layout.message(),
        &[
            ("done", text.size(running.bytes).into()),
            ("size", text.size(running.size).into()),
            ("rate", text.rate(rate).into()),
            (
                "left",
                left(printer, running.size.saturating_sub(running.bytes), rate).into(),
            ),
        ],
    ));
}

fn show_total(printer: &Printer, layout: Layout, bar: &ProgressBar, state: &State, rate: f64) {
    let text = printer.text();
    let bytes = state.bytes();
    bar.set_length(state.found_bytes.max(bytes));
    bar.set_position(bytes);
    bar.set_prefix(text.say(
        "client-progress-files",
        &[
            ("done", text.count(state.done_files).into()),
            ("count", text.count(state.found_files).into()),
        ],
    ));
    // Before everything is found nobody knows what is left.
    let left = if state.found_all {
        left(printer, state.found_bytes.saturating_sub(bytes), rate)
    } else {
        "…".to_owned()
    };
    bar.set_message(text.say(
        layout.message(),
        &[
            ("done", text.size(bytes).into()),
            ("size", text.size(state.found_bytes).into()),
            ("rate", text.rate(rate).into()),
            ("left", left.into()),
        ],
    ));
}

fn left(printer: &Printer, bytes: u64, rate: f64) -> String {
    if rate < 1.0 {
        return "…".to_owned();
    }
    #[allow(clippy::cast_precision_loss, reason = "seconds are shown")]
    let seconds = (bytes as f64 / rate).min(1e9);
    printer
        .text()
        .duration(Duration::from_secs_f64(seconds.ceil()))
}

/// Bytes per second, smoothed over some seconds.
#[derive(Debug)]
struct Rate {
    last: (Instant, u64),
    smooth: Option<f64>,
}

impl Rate {
    fn new(bytes: u64) -> Self {
        Self {
            last: (Instant::now(), bytes),
            smooth: None,
        }
    }

    fn sample(&mut self, bytes: u64) {
        self.sample_at(Instant::now(), bytes);
    }

    #[allow(clippy::cast_precision_loss, reason = "three digits are shown")]
    fn sample_at(&mut self, now: Instant, bytes: u64) {
        let seconds = now.duration_since(self.last.0).as_secs_f64();
        if seconds <= 0.0 {
            return;
        }
        let rate = bytes.saturating_sub(self.last.1) as f64 / seconds;
        // Half of the weight lies on about the last two seconds.
        let weight = 1.0 - (-seconds / 3.0).exp();
        self.smooth = Some(
            self.smooth
                .map_or(rate, |smooth| smooth + weight * (rate - smooth)),
        );
        self.last = (now, bytes);
    }

    fn per_second(&self) -> f64 {
        self.smooth.unwrap_or(0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_follows_the_bytes() {
        let mut rate = Rate::new(0);
        let start = rate.last.0;
        for second in 1..=60u64 {
            rate.sample_at(start + Duration::from_secs(second), second * 1000);
        }
        assert!((rate.per_second() - 1000.0).abs() < 1.0);
        for second in 61..=120u64 {
            rate.sample_at(start + Duration::from_secs(second), 60_000);
        }
        assert!(rate.per_second() < 1.0);
    }
}
