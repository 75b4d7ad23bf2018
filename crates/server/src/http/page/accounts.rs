//! Accounts, for whoever looks after the server: who may sign in, and may what.

use std::sync::Arc;
use std::time::SystemTime;

use gaveta_core::{Account, Actions, ErrorKind, Path, Result, Role};
use gaveta_text::Text;
use gaveta_wire::url;
use http::{Response, StatusCode};
use maud::{Markup, html};

use super::account::one;
use super::wish::wanted;
use super::{ADMIN_ACCOUNT, ADMIN_ACCOUNTS, Asked, see_other};
use crate::drawer::accounts::keeping::Keeping;
use crate::drawer::accounts::{Change, Person};
use crate::http::body::Body;
use crate::http::content::Lent;
use crate::http::error;
use crate::http::form;
use crate::http::html::{icon, language, notice, sheet, shown, texts, time};

/// How many accounts one page shows.
const SHOWN: usize = 100;

/// What can be granted by one word, and what that is called.
const ROLES: [(&str, &str); 5] = [
    ("viewer", "page-role-viewer"),
    ("contributor", "page-role-contributor"),
    ("editor", "page-role-editor"),
    ("admin", "page-role-admin"),
    ("none", "page-role-none"),
];

/// Answers with all accounts, a page of them, and what a new one could be.
///
/// # Errors
/// `SignInNeeded` and `Denied` for whoever does not look after the server himself.
pub(super) fn accounts(asked: &Asked<'_>) -> Result<Response<Body>> {
    asked.view.keeper()?;
    Ok(all(asked, None))
}

/// Answers with one account and what can be changed of it.
///
/// # Errors
/// As [`accounts`]; `NotFound`.
pub(super) fn account(asked: &Asked<'_>) -> Result<Response<Body>> {
    asked.view.keeper()?;
    let name = asked.query.get("name").unwrap_or_default();
    one(asked, name, None)
}

/// Makes an account, or changes or removes one. What cannot be done is said on the page it was
/// asked from.
///
/// # Errors
/// As [`account`].
pub(super) async fn change(asked: &Asked<'_>, body: Lent) -> Result<Response<Body>> {
    let me = asked.view.keeper()?;
    let keeping = keeping(asked)?;
    let given = form::small(&asked.head.headers, body).await?;
    let named = asked.query.get("name");
    let name = named
        .or_else(|| given.get("name"))
        .unwrap_or_default()
        .trim();
    let text = texts(language(&asked.head.headers));
    let refused = |said: Markup, status: StatusCode| {
        let mut response = match named {
            Some(name) => one(asked, name, Some(&said))?,
            None => all(asked, Some(&said)),
        };
        *response.status_mut() = status;
        Ok(response)
    };
    let (change, weak) = match wanted(asked.view, &given, name).await {
        Ok(wanted) => wanted,
        Err(wrong) => return refused(saying(&wrong.said(text)), wrong.status()),
    };
    let removed = matches!(change, Change::Remove);
    match asked.view.change_account(keeping, name, change).await {
        Ok(()) if removed => Ok(see_other(&format!("{ADMIN_ACCOUNTS}?done"))),
        Ok(()) => {
            let said = if weak { "weak" } else { "done" };
            Ok(see_other(&format!("{}&{said}", own(name))))
        }
        Err(failed) => {
            let about = [("name", shown(name).into_owned().into())];
            let said = match failed.kind() {
                ErrorKind::Exists => saying(&text.say("account-taken", &about)),
                ErrorKind::Denied if name == Account::ADMIN && name != me.name() => {
                    saying(&text.say("page-account-admin", &[]))
                }
                ErrorKind::Denied => saying(&text.say("page-account-own", &[])),
                ErrorKind::NotFound if named.is_some() => return Err(failed),
                _ => notice(text, &failed),
            };
            refused(said, error::status(&failed))
        }
    }
}

fn keeping<'a>(asked: &Asked<'a>) -> Result<&'a Arc<Keeping>> {
    let keeping = asked.house.keeping.as_ref();
    keeping.ok_or_else(|| ErrorKind::NotFound.into())
}

/// The path of an account's page.
pub(super) fn own(name: &str) -> String {
    format!("{ADMIN_ACCOUNT}?name={}", url::encode_name(name))
}

fn saying(sentence: &str) -> Markup {
    html! { div.notice role="alert" { (icon("alert")) p { (sentence) } } }
}

/// What was done before this page, where it was led to from there.
pub(super) fn done(asked: &Asked<'_>, text: &Text) -> Markup {
    html! {
        @if asked.query.get("done").is_some() {
            p.done role="status" { (icon("done")) (text.say("page-account-done", &[])) }
        }
        @if asked.query.get("weak").is_some() {
            p.done role="status" { (icon("done")) (text.say("page-account-done", &[])) }
            (saying(&text.say("account-weak", &[])))
        }
    }
}

fn all(asked: &Asked<'_>, said: Option<&Markup>) -> Response<Body> {
    let text = texts(language(&asked.head.headers));
    let accounts = &asked.house.drawer.entrance.accounts;
    let people = accounts.people();
    let from = asked.query.get("from").and_then(|from| from.parse().ok());
    let from = from.unwrap_or(0usize);
    let title = text.say("page-admin-accounts", &[]);
    let main = html! {
        (sheet(&asked.house.base, "desk.css"))
        div.drawer {
            h1 { (title) }
            (super::admin::way(asked, text, ADMIN_ACCOUNTS))
            (done(asked, text))
            @if let Some(said) = said { (said) }
            section.card.wide-card {
                ul.plain-list.people {
                    @for person in people.iter().skip(from).take(SHOWN) {
                        (person_item(asked, text, person))
                    }
                }
                @if people.len() > from.saturating_add(SHOWN) {
                    p.links {
                        a.button rel="next" href={
                            (asked.link(ADMIN_ACCOUNTS)) "?from=" (from + SHOWN)
                        } { (text.say("page-more", &[])) }
                    }
                }
            }
            @if asked.house.keeping.is_some() { (new(asked, text, accounts.is_eased())) }
        }
    };
    asked.page(&title, &Path::root(), "", &main)
}

fn person_item(asked: &Asked<'_>, text: &Text, person: &Person) -> Markup {
    let account = person.known();
    let now = SystemTime::now();
    let grants: Vec<_> = account.grants().iter().collect();
    let mut notes = Vec::new();
    if account.name() == asked.view.account().name() {
        notes.push(text.say("page-account-you", &[]));
    }
    if person.is_built_in() {
        notes.push(text.say("page-account-built-in", &[]));
    }
    if person.is_disabled() {
        notes.push(text.say("page-account-is-disabled", &[]));
    }
    if person.password().is_none() {
        notes.push(text.say("page-account-no-password", &[]));
    }
    html! {
        li {
            (icon("person"))
            div.what {
                a href=(asked.link(&own(account.name()))) { bdi { (shown(account.name())) } }
                span.detail {
                    @for note in notes { (note) " · " }
                    @match person.expires() {
                        Some(end) if end <= now => { (text.say("page-link-over", &[])) " · " }
                        Some(end) => {
                            (text.say("page-link-until", &[])) " " (time(text, end)) " · "
                        }
                        None => {}
                    }
                    @if grants.is_empty() { (text.say("page-role-none", &[])) }
                    @for (i, grant) in grants.iter().enumerate().take(5) {
                        @if i > 0 { ", " }
                        bdi { "/" (shown(grant.path.as_str())) } ": " (called(text, grant.actions))
                    }
                    @if grants.len() > 5 { ", …" }
                }
            }
        }
    }
}

/// What actions are called.
pub(super) fn called(text: &Text, actions: Actions) -> String {
    let word = actions.to_string();
    let known = ROLES.into_iter().find(|(role, _)| *role == word);
    known.map_or(word, |(_, key)| text.say(key, &[]))
}

/// A choice of what can be granted.
pub(super) fn roles(text: &Text, id: &str, now: &str) -> Markup {
    let known = ROLES.iter().any(|(role, _)| *role == now);
    html! {
        select id=(id) name="what" {
            @if !known { option value=(now) selected { (now) } }
            @for (role, key) in ROLES {
                option value=(role) selected[role == now] { (text.say(key, &[])) }
            }
        }
    }
}

fn new(asked: &Asked<'_>, text: &Text, eased: bool) -> Markup {
    html! {
        section.card.wide-card {
            h2 { (text.say("page-account-new", &[])) }
            @if eased { p.quiet-text { (text.say("page-account-first", &[])) } }
            form.fields method="post" action=(asked.link(ADMIN_ACCOUNTS)) {
                input type="hidden" name="do" value="add";
                div {
                    label for="new-account" { (text.say("page-account-name", &[])) }
                    input #new-account name="name" required maxlength="64" autocomplete="off"
                        autocapitalize="none" spellcheck="false";
                }
                div {
                    label for="new-password" { (text.say("page-password", &[])) }
                    input #new-password name="password" type="password" required maxlength="1024"
                        autocomplete="new-password";
                }
                div {
                    label for="new-what" { (text.say("page-account-what", &[])) }
                    (roles(text, "new-what", Role::Viewer.code()))
                }
                div {
                    label for="new-at" { (text.say("page-account-at", &[])) }
                    input #new-at name="at" required value="/" autocomplete="off" dir="auto";
                }
                p.links { button.primary { (text.say("page-account-make", &[])) } }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_role_has_a_name() {
        for role in Role::ALL {
            assert!(
                ROLES.iter().any(|(word, _)| *word == role.code()),
                "{role:?}"
            );
        }
    }
}
