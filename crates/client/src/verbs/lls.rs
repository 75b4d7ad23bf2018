//! `lls`: what a folder of this machine holds.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;
use gaveta_core::Error;
use gaveta_text::escape;
use serde_json::json;

use super::{Context, Run};
use crate::fault::{Ended, Outcome};
use crate::printer::Paint;

#[derive(Debug, Args)]
pub(super) struct Lls {
    #[arg(value_name = "FOLDER", help = "arg-lls-folder")]
    folder: Option<OsString>,
}

struct Found {
    name: String,
    is_folder: bool,
    size: u64,
    modified: Option<std::time::SystemTime>,
}

impl Run for Lls {
    async fn run(self, context: Context) -> Outcome<Ended> {
        context.needs_here()?;
        let folder = self
            .folder
            .map_or_else(|| PathBuf::from("."), PathBuf::from);
        let shown = folder.to_string_lossy().into_owned();
        let reading = tokio::task::spawn_blocking(move || read(&folder));
        let found = context
            .stoppable(async {
                let found = reading.await.map_err(std::io::Error::other);
                found
                    .and_then(|found| found)
                    .map_err(|error| Error::from(error).about_text(shown).into())
            })
            .await?;
        for entry in &found {
            tell(&context, entry)?;
        }
        if context.printer.is_for_people() {
            let text = context.text();
            let total = found.iter().map(|entry| entry.size).sum::<u64>();
            context.printer.note(&text.say(
                "client-list-total",
                &[
                    ("count", found.len().into()),
                    ("size", text.size(total).into()),
                ],
            ));
        }
        Ok(Ended::Done)
    }
}

/// The names of a folder, sorted; a file by itself.
fn read(folder: &std::path::Path) -> std::io::Result<Vec<Found>> {
    let found = |name: String, meta: &std::fs::Metadata| Found {
        name,
        is_folder: meta.is_dir(),
        size: if meta.is_file() { meta.len() } else { 0 },
        modified: meta.modified().ok(),
    };
    let meta = std::fs::metadata(folder)?;
    if !meta.is_dir() {
        return Ok(vec![found(folder.to_string_lossy().into_owned(), &meta)]);
    }
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        // What went away meanwhile is not there.
        if let Ok(meta) = entry.metadata() {
            all.push(found(name, &meta));
        }
    }
    all.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(all)
}

fn tell(context: &Context, entry: &Found) -> Outcome {
    let printer = &context.printer;
    let text = context.text();
    let kind = if entry.is_folder { "folder" } else { "file" };
    if printer.is_json() {
        let object = json!({
            "type": "local", "name": entry.name, "kind": kind, "size": entry.size,
        });
        return printer.json(&object);
    }
    let slash = if entry.is_folder { "/" } else { "" };
    if !printer.is_for_people() {
        return printer.line(&format!("{}{slash}", escape(&entry.name)));
    }
    let mut name = format!("{}{slash}", escape(&entry.name));
    if entry.is_folder {
        name = printer.paint(Paint::Folder, &name);
    }
    let size = if entry.is_folder {
        "-".to_owned()
    } else {
        text.size(entry.size)
    };
    let time = entry.modified.map(|time| text.time(time));
    printer.line(&format!(
        "{size:>10}  {:<12}  {name}",
        time.unwrap_or_default()
    ))
}
