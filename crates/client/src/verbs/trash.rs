//! `trash`: what was deleted or replaced, the newest first.

use std::time::{Duration, SystemTime};

use clap::Args;
use futures_util::StreamExt;
use gaveta_core::{Cause, Owner, Path, Store, Trash, TrashPlan, Trashed};
use gaveta_text::escape;
use gaveta_wire::body::time_from_text;
use gaveta_wire::trash::TrashedBody;
use serde_json::json;
use std::sync::Arc;

use super::{Connection, Context, Run};
use crate::address::Address;
use crate::drawer::Drawer;
use crate::fault::{Ended, Fault, Outcome, Sentence};

/// How many digits at the end of an id are shown, and wanted at least.
const SHOWN: usize = 8;

/// Which things of the trash are meant.
#[derive(Debug, Clone, Args)]
pub(super) struct Which {
    #[arg(long, value_name = "NAME", help = "arg-trash-by")]
    pub(super) by: Option<String>,
    #[arg(long, value_name = "TIME", help = "arg-trash-since")]
    pub(super) since: Option<String>,
    #[arg(long, value_name = "TIME", help = "arg-trash-until")]
    pub(super) until: Option<String>,
}

impl Which {
    /// Does it say anything?
    pub(super) fn says(&self) -> bool {
        self.by.is_some() || self.since.is_some() || self.until.is_some()
    }

    /// The plan, of what was at this path and beneath.
    pub(super) fn plan(&self, path: &Path) -> Outcome<TrashPlan> {
        Ok(TrashPlan {
            path: (!path.is_root()).then(|| path.clone()),
            by: self.by.as_deref().map(|by| Owner(by.into())),
            since: self.since.as_deref().map(time).transpose()?,
            until: self.until.as_deref().map(time).transpose()?,
            ..TrashPlan::default()
        })
    }
}

/// A time: RFC 3339, a date (in UTC), or how long ago (`90s`, `10m`, `2h`, `3d`, `1w`).
fn time(text: &str) -> Outcome<SystemTime> {
    let bad = || Fault::Usage(Sentence::new("client-bad-time").with("text", text));
    if let Some((number, unit)) = text.char_indices().last().and_then(|(at, unit)| {
        let number: u64 = text.get(..at)?.parse().ok()?;
        Some((number, unit))
    }) {
        let seconds: u64 = match unit {
            's' => 1,
            'm' => 60,
            'h' => 60 * 60,
            'd' => 24 * 60 * 60,
            'w' => 7 * 24 * 60 * 60,
            _ => return Err(bad()),
        };
        let ago = number.checked_mul(seconds).map(Duration::from_secs);
        return ago
            .and_then(|ago| SystemTime::now().checked_sub(ago))
            .ok_or_else(bad);
    }
    let whole = match text.contains('T') {
        true => text.to_owned(),
        false => format!("{text}T00:00:00Z"),
    };
    time_from_text(&whole).map_err(|_| bad())
}

#[derive(Debug, Args)]
pub(super) struct List {
    #[arg(value_name = "HOST[:PORT]/PATH", help = "arg-trash-path")]
    place: Option<String>,
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    connection: Connection,
}

impl Run for List {
    async fn run(self, context: Context) -> Outcome<Ended> {
        let address = place(&context, self.place.as_deref())?;
        let listing = async {
            let drawer = context.open(&address.server, &self.connection).await?;
            let path = drawer.place(&address)?;
            let plan = self.which.plan(&path)?;
            let trash = of(&drawer)?;
            let listed = trash.trashed(plan).await;
            let mut listed = listed.map_err(|error| unsupported(&drawer, error, &path))?;
            let (mut count, mut bytes) = (0u64, 0u64);
            while let Some(one) = listed.next().await {
                let one = one?;
                count += 1;
                bytes = bytes.saturating_add(one.entry.size);
                show(&context, &drawer, &one)?;
            }
            let state = trash.state().await.ok();
            context.printer.json(&json!({
                "type": "summary", "things": count, "bytes": bytes,
                "kept_seconds": state.map(|state| state.kept.as_secs()),
            }))?;
            let text = context.text();
            if count == 0 {
                context.printer.note(&text.say("client-trash-empty", &[]));
                return Ok(Ended::Done);
            }
            let days = state.map_or(0, |state| state.kept.as_secs() / (24 * 3600));
            let args = [("count", count.into()), ("days", days.into())];
            context.printer.note(&text.say("client-trash-total", &args));
            Ok(Ended::Done)
        };
        context.stoppable(listing).await
    }
}

/// Which part of which server is meant; where no path is told, in the shell, everything.
pub(super) fn place(context: &Context, typed: Option<&str>) -> Outcome<Address> {
    match (typed, context.here()) {
        (Some(typed), _) => context.address(typed),
        (None, Some(_)) => context.address("/"),
        (None, None) => Err(Fault::usage("client-no-address")),
    }
}

/// The trash of a server.
pub(super) fn of(drawer: &Drawer) -> Outcome<Arc<dyn Trash>> {
    let none = || gaveta_core::Error::new(gaveta_core::ErrorKind::Unsupported);
    drawer.remote.trash().ok_or_else(|| Fault::Store(none()))
}

/// Says that the server keeps no trash, where that is what it said.
pub(super) fn unsupported(drawer: &Drawer, error: gaveta_core::Error, path: &Path) -> Fault {
    match error.kind() {
        gaveta_core::ErrorKind::Unsupported => Fault::Said(
            gaveta_core::ErrorKind::Unsupported,
            Sentence::new("client-no-trash"),
        ),
        _ => drawer.named(error, path),
    }
}

/// The end of an id, which a person types.
pub(super) fn short(one: &Trashed) -> &str {
    let id = one.id.as_str();
    id.get(id.len() - SHOWN..).unwrap_or(id)
}

fn show(context: &Context, drawer: &Drawer, one: &Trashed) -> Outcome {
    let printer = &context.printer;
    if printer.is_json() {
        let mut object = serde_json::to_value(TrashedBody::from(one))
            .map_err(|error| gaveta_core::Error::from(std::io::Error::other(error)))?;
        if let Some(map) = object.as_object_mut() {
            map.insert("type".to_owned(), "trashed".into());
        }
        return printer.json(&object);
    }
    let text = context.text();
    let cause = match one.cause {
        Cause::Deleted => "client-cause-deleted",
        Cause::Replaced => "client-cause-replaced",
    };
    let size = match one.entry.is_folder() {
        true => text.say("client-kind-folder", &[]),
        false => text.size(one.entry.size),
    };
    let by = one.by.as_ref().map_or("-", |by| &by.0);
    printer.line(&format!(
        "{}  {}  {:<11}  {:<8}  {:>9}  {}",
        short(one),
        text.time(one.at),
        text.say(cause, &[]),
        escape(by),
        size,
        escape(&drawer.show(&one.entry.path))
    ))
}

/// The one thing whose id is this or ends so.
///
/// # Errors
/// `NotFound`; a usage fault when it is too short or several end so.
pub(super) async fn by_id(drawer: &Drawer, typed: &str) -> Outcome<Trashed> {
    let typed = typed.to_ascii_lowercase();
    let trash = of(drawer)?;
    if let Ok(id) = gaveta_core::TrashId::parse(&typed) {
        return Ok(trash.find(&id).await?);
    }
    let vague = || Fault::Usage(Sentence::new("client-vague-id").with("id", &typed));
    if typed.len() < SHOWN || !typed.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(vague());
    }
    let listed = trash.trashed(TrashPlan::default()).await;
    let mut listed = listed.map_err(|error| unsupported(drawer, error, &Path::root()))?;
    let mut found: Option<Trashed> = None;
    while let Some(one) = listed.next().await {
        let one = one?;
        if one.id.as_str().ends_with(&typed) && found.replace(one).is_some() {
            return Err(vague());
        }
    }
    let none = || gaveta_core::Error::new(gaveta_core::ErrorKind::NotFound).about_text(&*typed);
    found.ok_or_else(|| none().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_in_every_form() {
        let then = time("2h").unwrap();
        let ago = SystemTime::now().duration_since(then).unwrap();
        assert!((7200..7260).contains(&ago.as_secs()));
        let day = time("2026-11-23").unwrap();
        assert_eq!(day, time("2026-11-23T00:00:00Z").unwrap());
        for bad in [
            "",
            "x",
            "2y",
            "-1d",
            "99999999999999999999d",
            "yesterday",
            "2026-13-01",
            "ç",
        ] {
            assert!(time(bad).is_err(), "{bad}");
        }
    }
}
