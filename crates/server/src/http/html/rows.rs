//! Entries as rows of a table: of a folder, or of what a search found.

use std::time::SystemTime;

use gaveta_core::{Entry, Kind};
use gaveta_text::Text;
use gaveta_wire::body::time_to_text;
use gaveta_wire::url;
use maud::{Markup, html};

use super::{entry_icon, icon, shown};

/// One entry as a row. `name` is what stands for it: its name, or its path where several folders
/// meet in one table; `at` is the path of its address without the entry's own name.
pub(crate) fn row(text: &Text, entry: &Entry, name: &str, at: &str) -> Markup {
    let own = entry.path.name().unwrap_or_default();
    // Every byte but letters, digits and `-._~` is encoded: no name is a scheme or a host.
    let link = match entry.kind {
        Kind::File => Some(format!("{at}{}", url::encode_name(own))),
        Kind::Folder => Some(format!("{at}{}/", url::encode_name(own))),
        Kind::Link | Kind::Special => None,
    };
    let visible = html! { (icon(entry_icon(entry))) bdi { (shown(name)) } };
    // Where the folder is the page's own, its path need not stand in every row.
    let path = (name != own).then(|| entry.path.as_str());
    html! {
        tr data-k=(entry.kind.code()) {
            td.c {
                input type="checkbox" name="name" value=(own) data-path=[path]
                    aria-label=(text.say("page-select", &[("name", shown(name).as_ref().into())]));
            }
            td.n {
                @match link {
                    Some(link) => { a href=(link) { (visible) } }
                    None => span { (visible) " " small { (text.say("page-never-opened", &[])) } },
                }
            }
            td.s { @if entry.is_file() { (text.size(entry.size)) } }
            td.d { (time(text, entry.modified)) }
        }
        "\n"
    }
}

/// A time for people, with the exact one beside it for the browser.
pub(crate) fn time(text: &Text, time: SystemTime) -> Markup {
    let exact: String = time_to_text(time).chars().take(19).collect();
    html! { time datetime={ (exact) "Z" } { (text.time(time)) } }
}
