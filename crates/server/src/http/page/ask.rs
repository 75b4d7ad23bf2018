//! The questions that a page without scripts asks before it does something.

use gaveta_core::Result;
use gaveta_wire::url;
use http::Response;
use maud::html;

use super::deed::{Deed, chosen};
use super::{Asked, FORM};
use crate::http::body::Body;
use crate::http::html::{folder_url, icon, language, shown, texts};

/// How many names a question lists.
const SHOWN: usize = 50;

/// Answers with a question about the chosen entries.
pub(super) fn ask(asked: &Asked<'_>) -> Result<Response<Body>> {
    let folder = asked.at()?;
    let text = texts(language(&asked.head.headers));
    let deed = Deed::parse(asked.query.get("do").unwrap_or_default())?;
    let entries = chosen(&asked.query, &folder)?;
    let count = entries.len();
    let title = match deed {
        Deed::Rename => text.say("page-rename", &[]),
        Deed::Move => text.say("page-move", &[]),
        Deed::Copy => text.say("page-copy", &[]),
        Deed::Delete => text.say("page-delete", &[]),
        Deed::MakeFolder => text.say("page-new-folder", &[]),
    };
    let names = || entries.iter().map(|entry| entry.name().unwrap_or_default());
    let form = format!("{FORM}?at={}", url::encode_name(folder.as_str()));
    let form = asked.link(&form);
    let main = html! {
        section.card.ask {
            h1 { (title) }
            @if deed == Deed::Delete {
                p { (text.say("page-delete-sure", &[
                    ("n", count.into()), ("count", text.count(count as u64).into()),
                ])) }
            }
            ul.names {
                @for name in names().take(SHOWN) { li { bdi { (shown(name)) } } }
                @if count > SHOWN { li { "… (" (text.count(count as u64)) ")" } }
            }
            form method="post" action=(form) {
                input type="hidden" name="do" value=(deed.word());
                @for name in names() { input type="hidden" name="name" value=(name); }
                @match deed {
                    Deed::Rename | Deed::MakeFolder => {
                        label for="to" { (text.say("page-new-name", &[])) }
                        input #to name="to" required maxlength="255" autocomplete="off" dir="auto"
                            value=(names().next().unwrap_or_default());
                    }
                    Deed::Move | Deed::Copy => {
                        label for="to" { (text.say("page-to-folder", &[])) }
                        input #to name="to" autocomplete="off" dir="auto"
                            value={ "/" (folder.as_str()) };
                    }
                    Deed::Delete => {}
                }
                p.links {
                    button.primary[deed != Deed::Delete].danger[deed == Deed::Delete] {
                        @if deed == Deed::Delete { (icon("delete")) }
                        (title)
                    }
                    a.button href=(asked.link(&folder_url(&folder))) { (text.say("page-back", &[])) }
                }
            }
        }
    };
    Ok(asked.page(&title, &folder, "", &main))
}
