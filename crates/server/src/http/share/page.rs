//! Pages for whoever opens a share's link in a browser: in the frame of the house, with no way from
//! them into the drawer.

use gaveta_core::{Entry, Error, ErrorKind, Kind, Path};
use gaveta_text::{Lang, Text};
use gaveta_wire::body::ErrorBody;
use gaveta_wire::keys::DroppedBody;
use gaveta_wire::url;
use maud::{Markup, html};

use crate::drawer::keys::shares::Share;
use crate::http::base;
use crate::http::html::{Frame, advice, entry_icon, icon, page as framed, sentence, shown, texts};

/// How many names of what came are told.
const TOLD: usize = 100;

fn frame(lang: Lang, title: &str, main: &Markup) -> String {
    let base = base::here();
    let frame = Frame {
        lang,
        title,
        who: None,
        folder: None,
        sought: "",
        back: None,
        base: &base,
    };
    framed(&frame, main)
}

fn until(share: &Share, text: &Text) -> Markup {
    html! {
        @if let Some(expires) = share.expires {
            @let time = text.time(expires).trim().to_owned();
            p.quiet-text { (text.say("share-page-until", &[("time", time.into())])) }
        }
    }
}

/// A file to get.
pub(super) fn file(entry: &Entry, share: &Share, lang: Lang) -> String {
    let text = texts(lang);
    let name = entry.path.name().unwrap_or_default();
    let main = html! {
        section.card.trouble {
            (icon(entry_icon(entry)))
            h1 { bdi { (shown(name)) } }
            p { (text.size(entry.size)) }
            p.links {
                a.button.primary href={ "./" (url::encode_name(name)) "?download" } {
                    (icon("get")) span { (text.say("share-page-get", &[])) }
                }
            }
            (until(share, text))
        }
    };
    frame(lang, &shown(name), &main)
}

/// A folder's list: one page of it.
pub(super) fn folder(
    at: &Path,
    share: &Share,
    entries: &[Entry],
    next: Option<&str>,
    lang: Lang,
) -> String {
    let text = texts(lang);
    let top = at == &share.path;
    let name = match at.name() {
        Some(name) => shown(name).into_owned(),
        None => text.say("page-root", &[]),
    };
    // What is never opened is not offered.
    let offered = |entry: &&Entry| matches!(entry.kind, Kind::File | Kind::Folder);
    let main = html! {
        section.card.wide-card {
            h1 { bdi { (name) } }
            @if !top {
                p { a.button href="../" { (icon("back")) span { (text.say("share-page-up", &[])) } } }
            }
            ul.plain-list {
                @for entry in entries.iter().filter(offered) {
                    @let own = entry.path.name().unwrap_or_default();
                    @let slash = if entry.is_folder() { "/" } else { "" };
                    li data-k=(entry.kind.code()) {
                        (icon(entry_icon(entry)))
                        a.what href={ "./" (url::encode_name(own)) (slash) } { bdi { (shown(own)) } }
                        @if entry.is_file() { span.detail { (text.size(entry.size)) } }
                    }
                }
            }
            @if entries.is_empty() { p { (text.say("share-page-empty", &[])) } }
            @if let Some(next) = next {
                p.links {
                    a.button rel="next" href={ "?after=" (url::encode_name(next)) } {
                        (text.say("share-page-more", &[]))
                    }
                }
            }
            @if top { (until(share, text)) }
        }
    };
    frame(lang, &name, &main)
}

/// Where files can be dropped; after some were, with what came.
pub(super) fn drop(share: &Share, dropped: Option<&DroppedBody>, lang: Lang) -> String {
    let text = texts(lang);
    let title = text.say("share-page-drop", &[]);
    let main = html! {
        section.card {
            h1 { (title) }
            @if let Some(dropped) = dropped { (received(dropped, text)) }
            p { (text.say("share-page-drop-what", &[])) }
            form method="post" action="./" enctype="multipart/form-data" {
                label for="file" { (text.say("share-page-choose", &[])) }
                input #file type="file" name="file" multiple required;
                p.links {
                    button.primary { (icon("send")) span { (text.say("share-page-send", &[])) } }
                }
            }
            (until(share, text))
        }
    };
    frame(lang, &title, &main)
}

fn received(dropped: &DroppedBody, text: &Text) -> Markup {
    let args = [
        ("count", (dropped.received.len() as u64).into()),
        ("size", text.size(dropped.bytes).into()),
    ];
    html! {
        div role="status" {
            p { (icon("done")) " " (text.say("share-page-received", &args)) }
            ul.names {
                @for name in dropped.received.iter().take(TOLD) { li { bdi { (shown(name)) } } }
            }
        }
    }
}

/// What went wrong with a link. It tells no path and leads nowhere.
pub(crate) fn trouble(lang: Lang, error: &Error) -> String {
    let text = texts(lang);
    let (title, what) = match error.kind() {
        ErrorKind::SignInNeeded => (Some("share-page-locked"), Some("share-page-again")),
        ErrorKind::WrongPassword => (Some("share-page-wrong"), Some("share-page-again")),
        ErrorKind::NotFound => (Some("share-page-gone"), Some("share-page-gone-what")),
        ErrorKind::Denied => (Some("share-page-refused"), Some("share-page-refused-what")),
        _ => (None, None),
    };
    let title = match title {
        Some(key) => text.say(key, &[]),
        None => sentence(&text.kind(error.kind())),
    };
    let what = match what {
        Some(key) => Some(text.say(key, &[])),
        None => advice(text, error.kind()),
    };
    let body = ErrorBody::from(error);
    let main = html! {
        section.card.trouble {
            (icon("alert"))
            h1 { (title) }
            @if error.kind() == ErrorKind::BadRequest { p lang="en" { (shown(&body.message)) } }
            @if let Some(what) = what { p { (what) } }
            p.quiet-text { code { (body.code) } }
        }
    };
    frame(lang, &title, &main)
}
