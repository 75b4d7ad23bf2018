//! `list`: what a folder holds.

use clap::{Args, ValueEnum};
use futures_util::StreamExt;
use gaveta_core::{Cursor, Entry, Error, ErrorKind, Kind, ListPlan, Listed, OrderBy, Path, Store};
use gaveta_text::escape;
use gaveta_wire::body::{EntryBody, time_to_text};
use serde_json::json;

use super::{Connection, Context, Run};
use crate::address::Address;
use crate::drawer::Drawer;
use crate::fault::{Ended, Fault, Outcome, Tally};
use crate::pattern::matches;
use crate::printer::Paint;

/// Entries asked for at once when sorted.
const PAGE: usize = 2000;

/// By what to sort.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Sort {
    Name,
    Size,
    Modified,
    /// As the server finds them: nothing is kept anywhere, however large the folder.
    None,
}

#[derive(Debug, Args)]
pub(super) struct List {
    #[arg(value_name = "HOST[:PORT]/PATH", help = "arg-list-places")]
    places: Vec<String>,
    #[arg(short, long, help = "arg-long")]
    long: bool,
    #[arg(short = 'R', long, help = "arg-list-recursive")]
    recursive: bool,
    #[arg(
        long,
        value_enum,
        value_name = "BY",
        default_value = "name",
        help = "arg-sort"
    )]
    sort: Sort,
    #[arg(long, help = "arg-reverse")]
    reverse: bool,
    #[command(flatten)]
    connection: Connection,
}

impl Run for List {
    async fn run(self, context: Context) -> Outcome<Ended> {
        let places = context.addresses(&self.places)?;
        context.stoppable(self.list(&context, &places)).await
    }
}

#[derive(Debug, Default)]
struct Totals {
    entries: u64,
    bytes: u64,
    unnameable: u64,
}

impl Totals {
    fn is_empty(&self) -> bool {
        self.entries + self.unnameable == 0
    }
}

impl List {
    /// In the shell an empty folder is told in words, as the seed did.
    fn nothing(&self, context: &Context, place: &Address) -> Outcome<Ended> {
        self.sum_up_for_programs(context, &Totals::default())?;
        let key = if place.path()?.is_root() {
            "shell-empty-server"
        } else {
            "shell-empty-folder"
        };
        context.printer.note(&context.text().say(key, &[]));
        Ok(Ended::Done)
    }

    async fn list(&self, context: &Context, places: &[Address]) -> Outcome<Ended> {
        let mut tally = Tally::default();
        let mut totals = Totals::default();
        for place in places {
            let listed = async {
                let drawer = context.open(&place.server, &self.connection).await?;
                self.place(context, &drawer, place, &mut totals).await
            };
            match listed.await {
                Ok(()) => {}
                Err(Fault::Closed) => return Err(Fault::Closed),
                Err(fault) => {
                    context.printer.fault(&fault)?;
                    tally.add(fault.kind().unwrap_or(ErrorKind::Io));
                }
            }
        }
        if totals.is_empty() {
            match places {
                // Why there is nothing to sum up has been told.
                _ if tally.count > 0 => {
                    self.sum_up_for_programs(context, &totals)?;
                    return Ok(tally.ended());
                }
                [place] if context.here().is_some() => return self.nothing(context, place),
                _ => {}
            }
        }
        self.sum_up(context, &totals)?;
        Ok(tally.ended())
    }

    async fn place(
        &self,
        context: &Context,
        drawer: &Drawer,
        place: &Address,
        totals: &mut Totals,
    ) -> Outcome {
        if let Some(pattern) = drawer.pattern(place)? {
            let mut found = matches(&drawer.remote, &pattern)
                .await
                .map_err(|error| Fault::Store(crate::drawer::about(&error, place.to_string())))?;
            self.order(&mut found);
            for entry in found {
                self.show(context, entry, &Path::root(), totals)?;
            }
            return Ok(());
        }
        for entry in drawer.find(place).await? {
            if entry.is_folder() {
                self.folder(context, drawer, &entry.path, totals).await?;
            } else {
                let base = entry.path.parent().unwrap_or_else(Path::root);
                self.show(context, entry, self.base(&base), totals)?;
            }
        }
        Ok(())
    }

    /// A folder, and with `-R` what lies in its folders, each right after its folder's own line.
    async fn folder(
        &self,
        context: &Context,
        drawer: &Drawer,
        base: &Path,
        totals: &mut Totals,
    ) -> Outcome {
        let mut folders = vec![base.clone()];
        while let Some(folder) = folders.pop() {
            let mut below = Vec::new();
            let mut plan = self.plan();
            loop {
                let listing = drawer.remote.list(&folder, plan.clone()).await;
                let mut listing = match listing {
                    Ok(listing) => listing,
                    // A folder that went away while its parent was listed is no failure.
                    Err(error) if folder != *base && error.kind() == ErrorKind::NotFound => break,
                    Err(error) => return Err(drawer.named(error, &folder)),
                };
                let mut last = None;
                let mut count = 0;
                while let Some(listed) = listing.next().await {
                    match listed.map_err(|error| drawer.named(error, &folder))? {
                        Listed::Entry(entry) => {
                            count += 1;
                            last = plan.order.map(|order| Cursor::of(&entry, order));
                            if self.recursive && entry.is_folder() {
                                below.push(entry.path.clone());
                            }
                            self.show(context, entry, self.base(base), totals)?;
                        }
                        Listed::Unnameable { shown } => {
                            // Every page counts them anew.
                            if plan.after.is_none() {
                                totals.unnameable += 1;
                                Self::show_unnameable(context, &folder, &shown)?;
                            }
                        }
                    }
                }
                if last.is_none() || count < PAGE {
                    break;
                }
                plan.after = last;
            }
            below.reverse();
            folders.extend(below);
        }
        Ok(())
    }

    /// Names are told from the folder on, or from the root where several places are listed.
    fn base<'a>(&self, folder: &'a Path) -> &'a Path {
        static ROOT: std::sync::LazyLock<Path> = std::sync::LazyLock::new(Path::root);
        if self.places.len() > 1 { &ROOT } else { folder }
    }

    fn plan(&self) -> ListPlan {
        let by = match self.sort {
            Sort::Name => OrderBy::Name,
            Sort::Size => OrderBy::Size,
            Sort::Modified => OrderBy::Modified,
            Sort::None => return ListPlan::default(),
        };
        ListPlan {
            limit: Some(PAGE),
            ..ListPlan::sorted(by, self.reverse)
        }
    }

    fn order(&self, entries: &mut [Entry]) {
        match self.sort {
            Sort::Name | Sort::None => {}
            Sort::Size => entries.sort_by_key(|entry| entry.size),
            Sort::Modified => entries.sort_by_key(|entry| entry.modified),
        }
        if self.reverse {
            entries.reverse();
        }
    }

    fn show(&self, context: &Context, entry: Entry, base: &Path, totals: &mut Totals) -> Outcome {
        let printer = &context.printer;
        totals.entries += 1;
        totals.bytes = totals.bytes.saturating_add(entry.size);
        if printer.is_json() {
            let mut object = serde_json::to_value(EntryBody::from(&entry))
                .map_err(|error| Error::new(ErrorKind::Io).because(error))?;
            if let Some(map) = object.as_object_mut() {
                map.insert("type".to_owned(), "entry".into());
            }
            return printer.json(&object);
        }
        let name = entry
            .path
            .beneath(base)
            .unwrap_or_else(|| entry.path.clone());
        let slash = if entry.is_folder() { "/" } else { "" };
        if printer.is_for_people() {
            let mut name = format!("{}{slash}", escape(name.as_str()));
            if entry.is_folder() {
                name = printer.paint(Paint::Folder, &name);
            }
            return printer.line(&self.human(context, &entry, &name));
        }
        let name = name.as_str();
        if self.long {
            let kind = entry.kind.code();
            let modified = time_to_text(entry.modified);
            let run = if entry.executable { "x" } else { "-" };
            printer.line(&format!(
                "{kind}\t{run}\t{}\t{modified}\t{name}{slash}",
                entry.size
            ))
        } else {
            printer.line(&format!("{name}{slash}"))
        }
    }

    fn human(&self, context: &Context, entry: &Entry, name: &str) -> String {
        let text = context.text();
        if self.long {
            let letter = match entry.kind {
                Kind::File if entry.executable => 'x',
                Kind::File => '-',
                Kind::Folder => 'd',
                Kind::Link => 'l',
                Kind::Special => 's',
            };
            let size = if entry.is_file() {
                text.count(entry.size)
            } else {
                "-".to_owned()
            };
            let time = gaveta_text::exact_time(entry.modified);
            return format!("{letter} {size:>17}  {time}  {name}");
        }
        let size = match entry.kind {
            Kind::File => text.size(entry.size),
            Kind::Folder => "-".to_owned(),
            Kind::Link => text.say("client-kind-link", &[]),
            Kind::Special => text.say("client-kind-special", &[]),
        };
        format!("{size:>10}  {:<12}  {name}", text.time(entry.modified))
    }

    fn show_unnameable(context: &Context, folder: &Path, shown: &str) -> Outcome {
        let name = escape(shown).into_owned();
        context.printer.warn(
            &context
                .text()
                .say("client-skipped-unnameable", &[("name", name.into())]),
            &json!({"type": "unnameable", "folder": folder.as_str(), "shown": shown}),
        )
    }

    fn sum_up_for_programs(&self, context: &Context, totals: &Totals) -> Outcome {
        context.printer.json(&json!({
            "type": "summary",
            "entries": totals.entries,
            "bytes": totals.bytes,
            "unnameable": totals.unnameable,
        }))
    }

    fn sum_up(&self, context: &Context, totals: &Totals) -> Outcome {
        let text = context.text();
        self.sum_up_for_programs(context, totals)?;
        if context.printer.is_for_people() {
            context.printer.note(&text.say(
                "client-list-total",
                &[
                    ("count", totals.entries.into()),
                    ("size", text.size(totals.bytes).into()),
                ],
            ));
        }
        Ok(())
    }
}
