//! Who is connected, as the administrator's corner lists it.

use std::borrow::Cow;

use gaveta_text::Text;
use gaveta_wire::body::time_from_text;
use gaveta_wire::connected::{ConnectedBody, VisitBody};
use maud::{Markup, html};
use percent_encoding::percent_decode_str;

use crate::http::html::{icon, shown, time};

/// Browsers, by the word by which each is told from those that it also claims to be. The order
/// matters.
const BROWSERS: [(&str, &str); 5] = [
    ("Firefox/", "Firefox"),
    ("Edg/", "Edge"),
    ("OPR/", "Opera"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
];

/// Each request and each session, who it is and what it moves; the scripts fetch it again.
pub(super) fn list(text: &Text, here: &ConnectedBody) -> Markup {
    html! {
        div #connected {
            @if here.connected.is_empty() {
                p.quiet-text { (text.say("page-admin-nobody", &[])) }
            } @else {
                ul.plain-list { @for visit in &here.connected { (row(text, visit)) } }
            }
            @if here.more > 0 {
                p.quiet-text {
                    (text.say("page-admin-more", &[
                        ("n", here.more.into()), ("count", text.count(here.more).into()),
                    ]))
                }
            }
        }
    }
}

fn row(text: &Text, visit: &VisitBody) -> Markup {
    let name = match visit.account.as_str() {
        "visitor" => text.say("page-admin-visitor", &[]),
        name => shown(name).into_owned(),
    };
    let key = |what: &str, id: &Option<String>| {
        let id = id.as_ref()?;
        Some(text.say(what, &[("id", shown(id).into_owned().into())]))
    };
    let key = key("page-admin-by-token", &visit.token)
        .or_else(|| key("page-admin-by-link", &visit.share));
    let program = program(&visit.program);
    html! {
        li {
            (icon(drawing(visit)))
            div.what {
                b { bdi { (name) } @if let Some(key) = key { " · " (key) } }
                span.detail {
                    @match (&visit.method, &visit.path) {
                        (Some(method), Some(path)) => { (shown(method)) " " bdi { (shown(&plain(path))) } },
                        _ => (text.say("page-admin-session", &[])),
                    }
                }
                span.detail {
                    bdi { (shown(&visit.from)) }
                    @if !program.is_empty() {
                        " · " bdi title=(shown(&visit.program)) { (shown(program)) }
                    }
                    @if let Ok(since) = time_from_text(&visit.since) {
                        " · " (text.say("page-admin-since", &[])) " " (time(text, since))
                    }
                }
            }
            span.detail {
                @if visit.received > 0 {
                    (text.say("page-admin-in", &[("size", text.size(visit.received).into())])) br;
                }
                @if visit.sent > 0 {
                    (text.say("page-admin-out", &[("size", text.size(visit.sent).into())]))
                }
            }
        }
    }
}

/// A path as people write it; as it was asked for where that makes no text.
fn plain(path: &str) -> Cow<'_, str> {
    let text = percent_decode_str(path).decode_utf8();
    text.unwrap_or(Cow::Borrowed(path))
}

fn drawing(visit: &VisitBody) -> &'static str {
    match visit.method.as_deref() {
        None => "person",
        Some("GET" | "HEAD") => "get",
        Some(_) => "send",
    }
}

/// What a person calls the program: a browser by its name, anything else by its first word.
fn program(agent: &str) -> &str {
    let browser = BROWSERS.iter().find(|(word, _)| agent.contains(word));
    match browser {
        Some((_, name)) => name,
        None => agent.split(' ').next().unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_have_the_names_that_people_know() {
        let chrome = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) \
                      Chrome/150.0.0.0 Safari/537.36";
        assert_eq!(program(chrome), "Chrome");
        assert_eq!(program(&format!("{chrome} Edg/150.0.0.0")), "Edge");
        assert_eq!(
            program("Mozilla/5.0 (X11; rv:140.0) Firefox/140.0"),
            "Firefox"
        );
        assert_eq!(program("curl/8.14.1"), "curl/8.14.1");
        assert_eq!(program(""), "");
    }
}
