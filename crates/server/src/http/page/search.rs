//! Looking for names below a folder.

use std::time::Duration;

use gaveta_core::{Entry, Result};
use http::Response;
use maud::html;
use tokio::time::Instant;

use super::Asked;
use crate::http::body::Body;
use crate::http::html::{folder_url, icon, language, row, texts};
use crate::http::walk::{Ended, walk};

/// How many entries are shown.
const SHOWN: usize = 500;
/// How long is looked.
const PATIENCE: Duration = Duration::from_secs(10);

/// Answers with the entries below a folder whose names hold every word that was asked for,
/// whatever their case. What was left out is said.
pub(super) async fn search(asked: &Asked<'_>) -> Result<Response<Body>> {
    let folder = asked.at()?;
    let text = texts(language(&asked.head.headers));
    let sought: String = asked
        .query
        .get("q")
        .unwrap_or_default()
        .trim()
        .chars()
        .take(255)
        .collect();
    let words: Vec<String> = sought.split_whitespace().map(str::to_lowercase).collect();
    let (found, ended) = match words.is_empty() {
        true => (Vec::new(), Ended::Whole),
        false => find(asked, &folder, &words).await?,
    };
    let count = found.len() as u64;
    let title = text.say("page-search-title", &[("sought", sought.as_str().into())]);
    let main = html! {
        div.drawer #drawer data-path=(folder.as_str()) data-search="" {
            h1 { (title) }
            p.count role="status" {
                (text.say("page-found", &[
                    ("n", count.into()), ("count", text.count(count).into()),
                ]))
                " "
                @if ended != Ended::Whole { (text.say("page-found-part", &[])) }
            }
            @if !found.is_empty() {
                table.files {
                    caption.quiet { (title) }
                    thead { tr {
                        td.c {}
                        th.n scope="col" { (text.say("page-name", &[])) }
                        th.s scope="col" { (text.say("page-size", &[])) }
                        th.d scope="col" { (text.say("page-date", &[])) }
                    } }
                    tbody #rows {
                        @for entry in &found {
                            (row(text, entry, shown_path(entry, &folder), &asked.link(&place(entry))))
                        }
                    }
                }
            }
            p.links {
                a.button href=(asked.link(&folder_url(&folder))) { (icon("folder")) (text.say("page-back", &[])) }
            }
        }
    };
    Ok(asked.page(&title, &folder, &sought, &main))
}

async fn find(
    asked: &Asked<'_>,
    folder: &gaveta_core::Path,
    words: &[String],
) -> Result<(Vec<Entry>, Ended)> {
    let _turn = asked.house.walks.turn().await?;
    let until = Instant::now() + PATIENCE;
    let mut found: Vec<Entry> = Vec::new();
    let ended = walk(asked.view, folder, |entry| {
        let name = entry.path.name().unwrap_or_default().to_lowercase();
        if words.iter().all(|word| name.contains(word.as_str())) {
            found.push(entry);
        }
        Ok(found.len() < SHOWN && Instant::now() < until)
    })
    .await?;
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok((found, ended))
}

/// Where an entry is, as seen from the folder that was searched.
fn shown_path<'a>(entry: &'a Entry, folder: &gaveta_core::Path) -> &'a str {
    let path = entry.path.as_str();
    match folder.is_root() {
        true => path,
        false => path.get(folder.as_str().len() + 1..).unwrap_or(path),
    }
}

/// The path of the folder that holds it.
fn place(entry: &Entry) -> String {
    entry
        .path
        .parent()
        .map_or_else(|| "/".to_owned(), |folder| folder_url(&folder))
}
