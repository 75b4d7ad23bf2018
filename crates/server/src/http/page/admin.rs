//! The corner of whoever looks after the server: what travels, what is under way, how much room
//! there is.

use futures_util::StreamExt;
use gaveta_core::{Path, Result, Space, Store, UploadId, UploadState};
use gaveta_text::Text;
use http::Response;
use maud::{Markup, html};

use super::{ADMIN, ADMIN_ACCOUNTS, ADMIN_LINKS, Asked, connected, see_other};
use crate::http::body::Body;
use crate::http::content::Lent;
use crate::http::form;
use crate::http::html::{icon, language, sheet, shown, texts, time};

/// How many uploads under way are shown.
const SHOWN: usize = 200;

/// Answers with the state of the server. The scripts keep it up to date.
///
/// # Errors
/// `SignInNeeded` and `Denied` for whoever does not look after the server.
pub(super) async fn admin(asked: &Asked<'_>) -> Result<Response<Body>> {
    let root = Path::root();
    asked.view.manages()?;
    let text = texts(language(&asked.head.headers));
    let totals = asked.house.drawer.meters.totals();
    let space = asked.view.space().await?;
    let (uploads, more) = under_way(asked).await?;
    let connected = asked.view.connected()?;
    let title = text.say("page-admin", &[]);
    let fact = |key: &str, id: &'static str, value: String| {
        html! { div { dt { (text.say(key, &[])) } dd data-fact=(id) { (value) } } }
    };
    let main = html! {
        (sheet(&asked.house.base, "desk.css"))
        div.drawer #drawer data-path="" data-admin="" {
            h1 { (title) }
            (way(asked, text, ADMIN))
            section.card.wide-card {
                h2 { (text.say("page-admin-now", &[])) }
                dl.facts {
                    (fact("page-admin-connections", "connections", text.count(totals.connected as u64)))
                    (fact("page-admin-sessions", "sessions", text.count(totals.sessions as u64)))
                    (fact("page-admin-requests", "requests", text.count(totals.requests)))
                    (fact("page-admin-received", "received", text.size(totals.written)))
                    (fact("page-admin-sent", "sent", text.size(totals.read)))
                }
                div #graph {}
            }
            section.card.wide-card {
                h2 { (text.say("page-admin-room", &[])) }
                (room(text, space))
            }
            section.card.wide-card {
                h2 { (text.say("page-admin-connected", &[])) }
                (connected::list(text, &connected))
            }
            section.card.wide-card {
                h2 { (text.say("page-admin-uploads", &[])) }
                div #uploads {
                    (table(text, &uploads, &asked.link(ADMIN)))
                    @if more { p.quiet-text { "…" } }
                }
            }
            section.card.wide-card.scripted {
                h2 { (text.say("page-admin-events", &[])) }
                ol.events #events {}
            }
            p.links { a.button href=(asked.link("/")) { (icon("drawer")) (text.say("page-error-home", &[])) } }
        }
    };
    Ok(asked.page(&title, &root, "", &main))
}

/// Ends an upload that is under way: what arrived of it goes.
///
/// # Errors
/// As [`admin`]; `UnknownUpload`.
pub(super) async fn end(asked: &Asked<'_>, body: Lent) -> Result<Response<Body>> {
    asked.view.manages()?;
    let given = form::small(&asked.head.headers, body).await?;
    let id = UploadId::parse(given.get("end").unwrap_or_default())?;
    asked.view.upload(&id, None).await?.discard().await?;
    Ok(see_other(ADMIN))
}

/// The way between the pages of this corner.
pub(super) fn way(asked: &Asked<'_>, text: &Text, here: &str) -> Markup {
    let pages = [
        (ADMIN, "page-admin-now"),
        (ADMIN_LINKS, "page-admin-links"),
        (ADMIN_ACCOUNTS, "page-admin-accounts"),
    ];
    html! {
        nav.tabs aria-label=(text.say("page-admin", &[])) {
            @for (path, key) in pages {
                @let now = (path == here).then_some("page");
                a.button href=(asked.link(path)) aria-current=[now] { (text.say(key, &[])) }
            }
        }
    }
}

async fn under_way(asked: &Asked<'_>) -> Result<(Vec<UploadState>, bool)> {
    let mut all = asked.view.uploads().await?;
    let mut uploads = Vec::new();
    while let Some(state) = all.next().await {
        if uploads.len() >= SHOWN {
            return Ok((uploads, true));
        }
        uploads.push(state?);
    }
    Ok((uploads, false))
}

fn room(text: &Text, space: Space) -> Markup {
    let used = space.total.saturating_sub(space.free);
    html! {
        p {
            (text.say("page-admin-free", &[
                ("free", text.size(space.free).into()), ("total", text.size(space.total).into()),
            ]))
        }
        progress max=(space.total.max(1)) value=(used)
            aria-label=(text.say("page-admin-room", &[])) {}
    }
}

/// `admin`: the address of this page.
fn table(text: &Text, uploads: &[UploadState], admin: &str) -> Markup {
    if uploads.is_empty() {
        return html! { p.quiet-text { (text.say("page-admin-none", &[])) } };
    }
    html! {
        ul.plain-list {
            @for state in uploads {
                @let name = state.target.as_ref().map(ToString::to_string).unwrap_or_default();
                li {
                    div.what {
                        bdi { (shown(&name)) }
                        span.detail {
                            bdi { (shown(&state.owner.0)) } " · "
                            (text.size(state.arrived.total()))
                            @if let Some(length) = state.length { " / " (text.size(length)) }
                            " · " (time(text, state.touched))
                        }
                    }
                    form method="post" action=(admin) {
                        button name="end" value=(state.id.as_str()) {
                            (icon("close")) (text.say("page-admin-end", &[]))
                        }
                    }
                }
            }
        }
    }
}
