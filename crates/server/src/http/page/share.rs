//! Links that let somebody without an account in: made, looked over and ended, in front of what they
//! lead to.

use std::time::SystemTime;

use gaveta_core::{Entry, Error, Path, Result, Store};
use gaveta_text::Text;
use gaveta_wire::body::time_from_text;
use gaveta_wire::keys::{NewShareBody, ShareBody, WayBody};
use gaveta_wire::url;
use http::Response;
use maud::{Markup, html};

use super::qr::qr;
use super::{Asked, SHARE, see_other};
use crate::drawer::keys::desk::What;
use crate::drawer::keys::shares::Way;
use crate::http::body::Body;
use crate::http::content::Lent;
use crate::http::form;
use crate::http::html::{entry_icon, folder_url, icon, language, sheet, shown, texts, time};
use crate::http::query::Query;

/// How many links of one's own are shown.
const SHOWN: usize = 200;
/// How long a link may last, in seconds, and what that is called; the last has no end.
const LASTS: [(&str, &str); 5] = [
    ("3600", "page-share-hour"),
    ("86400", "page-share-day"),
    ("604800", "page-share-week"),
    ("2592000", "page-share-month"),
    ("", "page-share-ever"),
];
/// What is offered first.
const USUAL: &str = "604800";

/// Answers with what a link to this could be, and the links that there are.
///
/// # Errors
/// `SignInNeeded` and `Denied` for who makes no links; those of `stat`.
pub(super) async fn share(asked: &Asked<'_>) -> Result<Response<Body>> {
    asked.view.by_himself()?;
    let entry = asked.view.stat(&target(asked)?).await?;
    answer(asked, &entry, None)
}

/// Makes a link, and shows it this once; or ends one.
///
/// # Errors
/// As [`share`]; those of [`View::make_share`](crate::drawer::View::make_share).
pub(super) async fn change(asked: &Asked<'_>, body: Lent) -> Result<Response<Body>> {
    asked.view.by_himself()?;
    let given = form::small(&asked.head.headers, body).await?;
    let path = target(asked)?;
    if let Some(id) = given.get("end") {
        asked.view.end_key(What::Shares, id).await?;
        return Ok(see_other(&own(&path)));
    }
    let entry = asked.view.stat(&path).await?;
    let made = asked.view.make_share(plan(&given, &entry)?).await?;
    answer(asked, &entry, Some(&made))
}

/// What is shared: the chosen entry, or the folder itself.
fn target(asked: &Asked<'_>) -> Result<Path> {
    let folder = asked.at()?;
    let mut names = asked.query.all("name").filter(|name| !name.is_empty());
    match (names.next(), names.next()) {
        (None, _) => Ok(folder),
        (Some(name), None) => folder.join(name),
        (Some(_), Some(_)) => Err(Error::bad_request("one entry is shared at a time")),
    }
}

/// The path of this page for what is shared.
fn own(path: &Path) -> String {
    let folder = path.parent().unwrap_or_else(Path::root);
    let at = url::encode_name(folder.as_str());
    let name = url::encode_name(path.name().unwrap_or_default());
    format!("{SHARE}?at={at}&name={name}")
}

fn plan(given: &Query, entry: &Entry) -> Result<NewShareBody> {
    let number = |name: &'static str| match given.get(name).map(str::trim) {
        None | Some("") => Ok(None),
        Some(text) => match text.parse::<u64>() {
            Ok(number) => Ok(Some(number)),
            Err(_) => Err(Error::bad_request(format!("{name} is a number"))),
        },
    };
    let password = given
        .get("password")
        .filter(|password| !password.is_empty());
    Ok(NewShareBody {
        path: entry.path.as_str().to_owned(),
        way: match given.get("way") {
            Some("get") => WayBody::Get,
            Some("drop") => WayBody::Drop,
            _ => return Err(Error::bad_request("way is get or drop")),
        },
        seconds: number("seconds")?,
        password: password.map(str::to_owned),
        limit: number("limit")?,
    })
}

fn answer(asked: &Asked<'_>, entry: &Entry, made: Option<&ShareBody>) -> Result<Response<Body>> {
    let text = texts(language(&asked.head.headers));
    let me = asked.view.account();
    let mut mine = asked.view.shares()?;
    mine.retain(|share| share.maker == me.name());
    // What leads here first.
    mine.sort_by_key(|share| share.path != entry.path.as_str());
    let action = asked.link(&own(&entry.path));
    let folder = entry.path.parent().unwrap_or_else(Path::root);
    let title = text.say("page-share", &[]);
    let name = match entry.path.name() {
        Some(name) => shown(name).into_owned(),
        None => text.say("page-root", &[]),
    };
    let main = html! {
        (sheet(&asked.house.base, "desk.css"))
        section.card.share #share {
            h1 { (title) }
            p.what-shared data-k=(entry.kind.code()) {
                (icon(entry_icon(entry))) " " bdi { (name) }
            }
            @match made {
                Some(made) => (told(asked, text, made, &action)),
                None => (question(text, &asked.view.ways(entry)?, &action)),
            }
            @if !mine.is_empty() {
                h2 { (text.say("page-share-mine", &[])) }
                ul.plain-list {
                    @for share in mine.iter().take(SHOWN) {
                        (item(text, share, &action, false))
                    }
                    @if mine.len() > SHOWN { li { "…" } }
                }
            }
            p.links.back {
                a.button href=(asked.link(&folder_url(&folder))) { (text.say("page-back", &[])) }
            }
        }
    };
    Ok(asked.page(&title, &folder, "", &main))
}

/// What a link shall be.
fn question(text: &Text, ways: &[Way], action: &str) -> Markup {
    if ways.is_empty() {
        return html! { p.notice { (icon("alert")) span { (text.say("page-share-denied", &[])) } } };
    }
    let words = |way: Way| match way {
        Way::Get => ("get", text.say("page-share-get", &[])),
        Way::Drop => ("drop", text.say("page-share-drop", &[])),
    };
    html! {
        form method="post" action=(action) {
            @if let [only] = ways {
                @let (word, said) = words(*only);
                input type="hidden" name="way" value=(word);
                p.quiet-text { (text.say("page-share-way", &[])) ": " (said) }
            } @else {
                fieldset {
                    legend { (text.say("page-share-way", &[])) }
                    @for (i, way) in ways.iter().enumerate() {
                        @let (word, said) = words(*way);
                        label.choice {
                            input type="radio" name="way" value=(word) checked[i == 0];
                            span { (said) }
                        }
                    }
                }
            }
            label for="share-lasts" { (text.say("page-share-lasts", &[])) }
            select #share-lasts name="seconds" {
                @for (seconds, key) in LASTS {
                    option value=(seconds) selected[seconds == USUAL] { (text.say(key, &[])) }
                }
            }
            label for="share-password" { (text.say("page-share-password", &[])) }
            input #share-password name="password" type="password" maxlength="1024"
                autocomplete="new-password";
            label for="share-limit" { (text.say("page-share-limit", &[])) }
            input #share-limit name="limit" type="number" min="1" max="1000000" step="1";
            p.links { button.primary { (icon("share")) (text.say("page-share-make", &[])) } }
        }
    }
}

/// A link that was just made.
fn told(asked: &Asked<'_>, text: &Text, made: &ShareBody, action: &str) -> Markup {
    let link = format!(
        "{}{}",
        asked.origin,
        asked.link(made.link.as_deref().unwrap_or_default())
    );
    html! {
        div.made role="status" {
            p { (text.say("page-share-once", &[])) }
            p.copy {
                input #share-link readonly value=(link) aria-label=(text.say("page-share-link", &[]));
            }
            @if let Some(drawn) = qr(&link, &text.say("page-share-qr", &[])) { (drawn) }
            p.detail { (about(text, made)) }
        }
        p.links { a.button.another href=(action) { (text.say("page-share-another", &[])) } }
    }
}

/// One link in a list, with a button that ends it.
pub(super) fn item(text: &Text, share: &ShareBody, action: &str, maker: bool) -> Markup {
    let path = format!("/{}", share.path);
    html! {
        li {
            (icon(match share.way { WayBody::Get => "get", WayBody::Drop => "send", }))
            div.what {
                bdi { (shown(&path)) }
                span.detail {
                    @if maker { bdi { (shown(&share.maker)) } " · " }
                    (about(text, share))
                }
            }
            form method="post" action=(action) {
                button name="end" value=(share.id) aria-label={
                    (text.say("page-admin-end", &[])) ": " (shown(&path))
                } { (text.say("page-admin-end", &[])) }
            }
        }
    }
}

/// What a link lets people do, and for how long.
fn about(text: &Text, share: &ShareBody) -> Markup {
    let used = share.used;
    let way = match share.way {
        WayBody::Get => "page-link-get",
        WayBody::Drop => "page-link-drop",
    };
    let count = [("n", used.into()), ("count", text.count(used).into())];
    html! {
        (text.say(way, &[])) " · "
        @match share.limit {
            Some(limit) => (text.say("page-link-used-of", &[
                ("used", text.count(used).into()), ("limit", text.count(limit).into()),
            ])),
            None => (text.say("page-link-used", &count)),
        }
        @if share.password { " · " (text.say("share-has-password", &[])) }
        (until(text, share.expires.as_deref()))
    }
}

/// When a link or a token ends, after what else is said of it.
pub(super) fn until(text: &Text, expires: Option<&str>) -> Markup {
    let end = expires.and_then(|end| time_from_text(end).ok());
    html! {
        @if let Some(end) = end {
            " · "
            @if end <= SystemTime::now() { (text.say("page-link-over", &[])) }
            @else { (text.say("page-link-until", &[])) " " (time(text, end)) }
        }
    }
}
