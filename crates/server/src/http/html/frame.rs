//! The frame of every page: head, bar, main, foot.

use gaveta_core::Path;
use gaveta_text::{Lang, Text};
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::{Who, assets, folder_url, icon, texts};

/// Stands where a page is cut, to be filled while it is sent. No text that is shown can hold it:
/// paths have no control characters, and what is no path is escaped.
pub(crate) const HOLE: PreEscaped<&str> = PreEscaped("\u{0}");

/// What a page says around its main part.
#[derive(Debug)]
pub(crate) struct Frame<'a> {
    pub(crate) lang: Lang,
    pub(crate) title: &'a str,
    /// Who looks; none where nobody asked (an error before the sign-in).
    pub(crate) who: Option<&'a Who>,
    /// The folder that the search starts from; none: no search.
    pub(crate) folder: Option<&'a Path>,
    /// What was searched for.
    pub(crate) sought: &'a str,
    /// Where the switches lead back to: a path and query of ours.
    pub(crate) back: &'a str,
}

/// A whole page.
pub(crate) fn page(frame: &Frame<'_>, main: &Markup) -> String {
    let text = texts(frame.lang);
    let markup = html! {
        (DOCTYPE)
        html lang=(frame.lang.tag()) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width,initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="theme-color" media="(prefers-color-scheme: light)" content="#f6f3ee";
                meta name="theme-color" media="(prefers-color-scheme: dark)" content="#1b1815";
                meta name="description" content=(text.say("page-description", &[]));
                title { (frame.title) " · Gaveta" }
                link rel="stylesheet" href=(assets::url("page.css"));
                link rel="icon" type="image/svg+xml" href=(assets::url("icon.svg"));
                link rel="apple-touch-icon" href=(assets::url("icon-180.png"));
                link rel="manifest" href=(assets::url("manifest.json"));
                script type="module" src=(assets::url("page.js")) {}
            }
            body {
                (PreEscaped(super::icon::SPRITE))
                a.skip href="#main" { (text.say("page-skip", &[])) }
                (bar(frame, text))
                main #main tabindex="-1" { (main) }
                (foot(frame, text))
            }
        }
    };
    markup.into_string()
}

fn bar(frame: &Frame<'_>, text: &Text) -> Markup {
    html! {
        header.bar {
            a.brand href="/" { (icon("drawer")) span { "Gaveta" } }
            @if let Some(folder) = frame.folder {
                form.search role="search" action="/.gaveta/search" {
                    input type="hidden" name="at" value=(folder.as_str());
                    label {
                        span.quiet { (text.say("page-search-label", &[])) }
                        input type="search" name="q" value=(frame.sought) maxlength="255"
                            placeholder=(text.say("page-search", &[])) autocomplete="off";
                    }
                    button title=(text.say("page-search-go", &[])) {
                        (icon("search")) span.quiet { (text.say("page-search-go", &[])) }
                    }
                }
            }
            @if let Some(who) = frame.who { (account(who, frame, text)) }
        }
    }
}

fn account(who: &Who, frame: &Frame<'_>, text: &Text) -> Markup {
    let back = frame.folder.map_or_else(|| "/".to_owned(), folder_url);
    html! {
        nav.account aria-label=(text.say("page-account", &[])) {
            @if who.manage {
                a href="/.gaveta/admin" title=(text.say("page-admin", &[])) {
                    (icon("meter")) span.wide { (text.say("page-admin", &[])) }
                }
            }
            @match &who.name {
                Some(name) => {
                    span.who { (icon("person")) bdi { (name) } }
                    form method="post" action="/.gaveta/sign-out" {
                        button.plain { (text.say("page-sign-out", &[])) }
                    }
                }
                None => {
                    a href={ "/.gaveta/sign-in?back=" (gaveta_wire::url::encode_name(&back)) } {
                        (icon("person")) span { (text.say("page-sign-in", &[])) }
                    }
                }
            }
        }
    }
}

fn foot(frame: &Frame<'_>, text: &Text) -> Markup {
    html! {
        footer.foot {
            form method="post" action="/.gaveta/language" {
                input type="hidden" name="back" value=(frame.back);
                @for lang in Lang::ALL {
                    @if lang == frame.lang {
                        span lang=(lang.tag()) aria-current="true" { (own_name(lang)) }
                    } @else {
                        button.plain name="to" value=(lang.tag()) lang=(lang.tag()) {
                            (own_name(lang))
                        }
                    }
                }
            }
            span.made { (text.say("page-foot", &[])) }
        }
    }
}

/// A language's name in itself.
const fn own_name(lang: Lang) -> &'static str {
    match lang {
        Lang::Portuguese => "Português",
        Lang::English => "English",
    }
}
