//! `info`: all that is known of an entry, and of the root how much room there is.

use clap::Args;
use gaveta_core::{Entry, Error, ErrorKind, Kind, Space, Store};
use gaveta_text::{escape, exact_time};
use gaveta_wire::body::{EntryBody, time_to_text};

use super::rm::fail;
use super::{Connection, Context, Run};
use crate::address::Address;
use crate::drawer::Drawer;
use crate::fault::{Ended, Outcome, Tally};

#[derive(Debug, Args)]
pub(super) struct Info {
    #[arg(
        required = true,
        value_name = "HOST[:PORT]/NAME",
        help = "arg-info-names"
    )]
    names: Vec<String>,
    #[command(flatten)]
    connection: Connection,
}

impl Run for Info {
    async fn run(self, context: Context) -> Outcome<Ended> {
        let names = context.addresses(&self.names)?;
        context.stoppable(self.all(&context, &names)).await
    }
}

impl Info {
    async fn all(&self, context: &Context, names: &[Address]) -> Outcome<Ended> {
        let mut tally = Tally::default();
        for (i, name) in names.iter().enumerate() {
            let told = async {
                let drawer = context.open(&name.server, &self.connection).await?;
                let entries = drawer.find(name).await?;
                for (j, entry) in entries.iter().enumerate() {
                    if i + j > 0 && !context.printer.is_json() {
                        context.printer.line("")?;
                    }
                    tell(context, &drawer, entry).await?;
                }
                Ok(())
            };
            if let Err(fault) = told.await {
                fail(context, &mut tally, fault)?;
            }
        }
        Ok(tally.ended())
    }
}

async fn tell(context: &Context, drawer: &Drawer, entry: &Entry) -> Outcome {
    let space = if entry.path.is_root() {
        let space = drawer.remote.space().await;
        Some(space.map_err(|error| drawer.named(error, &entry.path))?)
    } else {
        None
    };
    if context.printer.is_json() {
        return context.printer.json(&object(entry, space)?);
    }
    let text = context.text();
    let people = context.printer.is_for_people();
    let size = |bytes: u64| {
        if people {
            format!("{} ({} B)", text.size(bytes), text.count(bytes))
        } else {
            bytes.to_string()
        }
    };
    let mut rows = vec![
        ("info-name", escape(&drawer.show(&entry.path)).into_owned()),
        ("info-kind", kind(context, entry.kind)),
    ];
    if entry.is_file() {
        rows.push(("info-size", size(entry.size)));
    }
    let modified = if people {
        exact_time(entry.modified)
    } else {
        time_to_text(entry.modified)
    };
    rows.push(("info-modified", modified));
    if entry.is_file() {
        let yes = if entry.executable {
            "client-yes"
        } else {
            "client-no"
        };
        rows.push(("info-executable", text.say(yes, &[])));
    }
    rows.push(("info-version", entry.version.to_string()));
    if let Some(digest) = entry.digest {
        rows.push(("info-digest", digest.to_string()));
    }
    if let Some(space) = space {
        rows.push(("info-total", size(space.total)));
        rows.push(("info-free", size(space.free)));
    }
    for (key, value) in rows {
        context
            .printer
            .line(&format!("{}: {value}", text.say(key, &[])))?;
    }
    Ok(())
}

fn kind(context: &Context, kind: Kind) -> String {
    let key = match kind {
        Kind::File => "client-kind-file",
        Kind::Folder => "client-kind-folder",
        Kind::Link => "client-kind-link",
        Kind::Special => "client-kind-special",
    };
    context.text().say(key, &[])
}

fn object(entry: &Entry, space: Option<Space>) -> Outcome<serde_json::Value> {
    let mut object = serde_json::to_value(EntryBody::from(entry))
        .map_err(|error| Error::new(ErrorKind::Io).because(error))?;
    if let Some(map) = object.as_object_mut() {
        map.insert("type".to_owned(), "entry".into());
        if let Some(space) = space {
            map.insert("total".to_owned(), space.total.into());
            map.insert("free".to_owned(), space.free.into());
        }
    }
    Ok(object)
}
