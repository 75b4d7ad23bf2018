//! `versions`: the earlier contents of a file.

use clap::Args;
use futures_util::{StreamExt, TryStreamExt};
use gaveta_core::{
    Action, Entry, Error, ErrorKind, Kind, Path, Replace, Seal, Store, TrashPlan, Trashed,
    WritePlan,
};
use gaveta_text::escape;
use gaveta_wire::body::EntryBody;
use gaveta_wire::trash::TrashedBody;
use serde_json::json;

use super::restore::{Taken, put_back};
use super::trash::{by_id, of, short, unsupported};
use super::{Connection, Context, Run};
use crate::drawer::Drawer;
use crate::durable::Durable;
use crate::fault::{Ended, Fault, Outcome, Sentence};
use crate::local::Place;

/// How many digits of a digest are shown.
const DIGITS: usize = 16;

#[derive(Debug, Args)]
pub(super) struct Versions {
    #[arg(value_name = "HOST[:PORT]/NAME", help = "arg-versions-name")]
    name: String,
    #[arg(
        long,
        visible_alias = "baixar",
        value_name = "ID",
        help = "arg-versions-get"
    )]
    get: Option<String>,
    #[arg(
        long,
        visible_alias = "para",
        value_name = "FILE",
        help = "arg-versions-to"
    )]
    to: Option<std::path::PathBuf>,
    #[arg(long, value_name = "HOW", hide_possible_values = true, requires = "get",
        value_enum, default_value_t = Durable::Full, help = "arg-durability")]
    durability: Durable,
    #[arg(
        long,
        visible_alias = "restaurar",
        value_name = "ID",
        conflicts_with = "get",
        help = "arg-versions-restore"
    )]
    restore: Option<String>,
    #[command(flatten)]
    connection: Connection,
}

impl Run for Versions {
    async fn run(self, context: Context) -> Outcome<Ended> {
        context.stoppable(self.work(&context)).await
    }
}

impl Versions {
    async fn work(&self, context: &Context) -> Outcome<Ended> {
        let address = context.address(&self.name)?;
        let drawer = context.open(&address.server, &self.connection).await?;
        let path = drawer.place(&address)?;
        match (&self.get, &self.restore) {
            (Some(id), _) => self.fetch(context, &drawer, id, &path).await,
            (None, Some(id)) => {
                drawer.need(Action::Delete).await?;
                let one = version(&drawer, id, &path).await?;
                let taken = Taken {
                    replace: true,
                    ..Taken::default()
                };
                put_back(context, &drawer, &one, None, &taken).await?;
                Ok(Ended::Done)
            }
            (None, None) => list(context, &drawer, &path).await,
        }
    }

    /// Fetches one into a file of this machine, which must not be there yet.
    async fn fetch(
        &self,
        context: &Context,
        drawer: &Drawer,
        id: &str,
        path: &Path,
    ) -> Outcome<Ended> {
        let one = version(drawer, id, path).await?;
        let reading = of(drawer)?.open(&one.id).await?;
        let own = path.name().unwrap_or_default();
        let typed = self.to.clone().unwrap_or_else(|| own.into());
        let local = Place::find(typed.as_os_str(), self.durability.into())?;
        let target = match local.into {
            true => local.base.join(own)?,
            false => local.base.clone(),
        };
        let entry = reading.entry().clone();
        let plan = WritePlan {
            length: Some(entry.size),
            replace: Replace::Never,
            modified: Some(entry.modified),
            executable: Some(entry.executable),
            ..WritePlan::new(target.clone(), gaveta_core::Owner("client".into()))
        };
        let shown = local.show(&target);
        let named = |error: Error| Fault::Store(crate::drawer::about(&error, shown.clone()));
        let upload = local.store.begin(plan).await.map_err(named)?;
        let content = reading.stream(0..entry.size);
        let written = upload.write(0, content, gaveta_core::Check::None).await;
        written.map_err(named)?;
        let seal = Seal {
            length: Some(entry.size),
            digest: entry.digest,
        };
        upload.commit(seal).await.map_err(named)?;
        context.printer.json(&json!({
            "type": "finished", "path": drawer.show(path), "to": shown, "bytes": entry.size,
        }))?;
        let args = [("name", escape(&shown).into_owned().into())];
        context
            .printer
            .note(&context.text().say("client-version-fetched", &args));
        Ok(Ended::Done)
    }
}

/// The version of this file with this id.
async fn version(drawer: &Drawer, id: &str, path: &Path) -> Outcome<Trashed> {
    let one = by_id(drawer, id).await?;
    match one.entry.path == *path {
        true => Ok(one),
        false => Err(Fault::Said(
            ErrorKind::NotFound,
            Sentence::new("client-other-version").with("name", drawer.show(path)),
        )),
    }
}

async fn list(context: &Context, drawer: &Drawer, path: &Path) -> Outcome<Ended> {
    let now = match drawer.remote.stat(path).await {
        Ok(entry) => Some(entry),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => return Err(drawer.named(error, path)),
    };
    let plan = TrashPlan {
        path: Some(path.clone()),
        exact: true,
        ..TrashPlan::default()
    };
    let listed = of(drawer)?.trashed(plan).await;
    let listed = listed.map_err(|error| unsupported(drawer, error, path))?;
    let mut listed = listed.try_filter(|one| std::future::ready(one.entry.kind == Kind::File));
    if let Some(entry) = &now {
        show(context, entry, None, false)?;
    }
    let mut count = 0u64;
    while let Some(one) = listed.next().await {
        let one = one?;
        count += 1;
        let digest = now.as_ref().and_then(|now| now.digest);
        let same = digest.is_some() && digest == one.entry.digest;
        show(context, &one.entry, Some(&one), same)?;
    }
    if now.is_none() && count == 0 {
        return Err(drawer.named(Error::new(ErrorKind::NotFound), path));
    }
    let args = [("count", count.into())];
    context
        .printer
        .note(&context.text().say("client-versions-total", &args));
    Ok(Ended::Done)
}

/// One line: id, since when it is no longer the content (or that it is), size, who ended it, digest.
fn show(context: &Context, entry: &Entry, one: Option<&Trashed>, same: bool) -> Outcome {
    let (text, printer) = (context.text(), &context.printer);
    if printer.is_json() {
        let value = match one {
            Some(one) => serde_json::to_value(TrashedBody::from(one)),
            None => serde_json::to_value(json!({ "entry": EntryBody::from(entry) })),
        };
        let mut value = value.map_err(|error| Error::from(std::io::Error::other(error)))?;
        if let Some(map) = value.as_object_mut() {
            map.insert("type".to_owned(), "version".into());
            map.insert("current".to_owned(), one.is_none().into());
            map.insert("same".to_owned(), (same || one.is_none()).into());
        }
        return printer.json(&value);
    }
    let digest = match entry.digest {
        Some(digest) => digest.to_string().chars().take(DIGITS).collect(),
        None => "-".to_owned(),
    };
    let id = one.map_or("-", short);
    let by = one.and_then(|one| one.by.as_ref()).map_or("-", |by| &by.0);
    let mark = match (one, same) {
        (None, _) => text.say("client-version-now", &[]),
        (Some(_), true) => text.say("client-version-same", &[]),
        (Some(_), false) => String::new(),
    };
    let line = format!(
        "{id:<8}  {}  {:>9}  {:<8}  {digest:<16}  {mark}",
        text.time(entry.modified),
        text.size(entry.size),
        escape(by),
    );
    printer.line(line.trim_end())
}
