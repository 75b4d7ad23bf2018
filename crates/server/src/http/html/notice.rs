//! Something that went wrong, told with what can be done about it.

use gaveta_core::{Error, ErrorKind};
use gaveta_text::Text;
use maud::{Markup, html};

use super::{icon, shown};

/// A box that says what went wrong and stays.
pub(crate) fn notice(text: &Text, error: &Error) -> Markup {
    html! {
        div.notice role="alert" {
            (icon("alert"))
            div {
                p {
                    @if let Some(path) = error.path() { bdi.path { (shown(path)) } ": " }
                    (text.kind(error.kind()))
                }
                @if let Some(advice) = advice(text, error.kind()) { p { (advice) } }
            }
        }
    }
}

/// What somebody at a page can do about an error; none when there is nothing to say.
pub(crate) fn advice(text: &Text, kind: ErrorKind) -> Option<String> {
    text.find(&format!("advice-{}", kind.code()), &[])
        .or_else(|| match kind {
            ErrorKind::BadPath(_) => Some(text.say("advice-path", &[])),
            _ => None,
        })
}
