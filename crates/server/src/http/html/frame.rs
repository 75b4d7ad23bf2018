//! The frame of every page: head, bar, main, foot.

use gaveta_core::Path;
use gaveta_text::{Lang, Text};
use gaveta_wire::url;
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::{Who, assets, folder_url, icon, texts};
use crate::http::base::BasePath;

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
    /// Where the switches lead back to: a path and query of ours; none: no switches.
    pub(crate) back: Option<&'a str>,
    /// What every address begins with.
    pub(crate) base: &'a BasePath,
}

/// A whole page.
pub(crate) fn page(frame: &Frame<'_>, main: &Markup) -> String {
    let text = texts(frame.lang);
    let asset = |name: &str| frame.base.link(&assets::url(name));
    let markup = html! {
        (DOCTYPE)
        html lang=(frame.lang.tag()) data-base=(frame.base.as_str()) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width,initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="theme-color" media="(prefers-color-scheme: light)" content="#f6f3ee";
                meta name="theme-color" media="(prefers-color-scheme: dark)" content="#1b1815";
                meta name="description" content=(text.say("page-description", &[]));
                title { (frame.title) " · Gaveta" }
                link rel="stylesheet" href=(asset("page.css"));
                link rel="icon" type="image/svg+xml" href=(asset("icon.svg"));
                link rel="apple-touch-icon" href=(asset("icon-180.png"));
                link rel="manifest" href=(asset("manifest.json"));
                script type="module" src=(asset("page.js")) {}
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
            a.brand href=(frame.base.link("/")) { (icon("drawer")) span { "Gaveta" } }
            @if let Some(folder) = frame.folder {
                form.search role="search" action=(frame.base.link("/.gaveta/search")) {
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
    let sign_in = format!("/.gaveta/sign-in?back={}", url::encode_name(&back));
    html! {
        nav.account aria-label=(text.say("page-account", &[])) {
            @if who.manage {
                a href=(frame.base.link("/.gaveta/admin")) title=(text.say("page-admin", &[])) {
                    (icon("meter")) span.wide { (text.say("page-admin", &[])) }
                }
            }
            @match &who.name {
                Some(name) => {
                    span.who { (icon("person")) bdi { (name) } }
                    form method="post" action=(frame.base.link("/.gaveta/sign-out")) {
                        button.plain { (text.say("page-sign-out", &[])) }
                    }
                }
                None => {
                    a href=(frame.base.link(&sign_in)) {
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
            @if let Some(back) = frame.back { (switches(frame, back)) }
            span.made { (text.say("page-foot", &[])) }
        }
    }
}

fn switches(frame: &Frame<'_>, back: &str) -> Markup {
    html! {
        form method="post" action=(frame.base.link("/.gaveta/language")) {
            input type="hidden" name="back" value=(back);
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
    }
}

/// A language's name in itself.
const fn own_name(lang: Lang) -> &'static str {
    match lang {
        Lang::Portuguese => "Português",
        Lang::English => "English",
    }
}
