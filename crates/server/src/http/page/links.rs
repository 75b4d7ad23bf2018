//! The links and tokens of everybody, for whoever looks after the server.

use gaveta_core::{Error, Path, Result};
use gaveta_text::Text;
use gaveta_wire::body::time_from_text;
use gaveta_wire::keys::TokenBody;
use http::Response;
use maud::{Markup, html};

use super::share::{item, until};
use super::{ADMIN_LINKS, Asked, see_other};
use crate::drawer::keys::desk::What;
use crate::http::body::Body;
use crate::http::content::Lent;
use crate::http::form;
use crate::http::html::{icon, language, sheet, shown, texts, time};

/// How many of each are shown.
const SHOWN: usize = 500;

/// Answers with all links and tokens.
///
/// # Errors
/// `SignInNeeded` and `Denied` for whoever does not look after the server himself.
pub(super) fn links(asked: &Asked<'_>) -> Result<Response<Body>> {
    asked.view.keeper()?;
    let text = texts(language(&asked.head.headers));
    let (shares, tokens) = (asked.view.shares()?, asked.view.tokens()?);
    let action = asked.link(ADMIN_LINKS);
    let none = html! { p.quiet-text { (text.say("page-admin-none", &[])) } };
    let title = text.say("page-admin-links", &[]);
    let main = html! {
        (sheet(&asked.house.base, "desk.css"))
        div.drawer {
            h1 { (title) }
            (super::admin::way(asked, text, ADMIN_LINKS))
            section.card.wide-card {
                h2 { (text.say("page-admin-shares", &[])) }
                @if shares.is_empty() { (none) }
                ul.plain-list {
                    @for share in shares.iter().take(SHOWN) {
                        (item(text, share, &action, true))
                    }
                    @if shares.len() > SHOWN { li { "…" } }
                }
            }
            section.card.wide-card {
                h2 { (text.say("page-admin-tokens", &[])) }
                p.quiet-text { (text.say("page-admin-tokens-what", &[])) }
                @if tokens.is_empty() { (none) }
                ul.plain-list {
                    @for token in tokens.iter().take(SHOWN) {
                        (token_item(text, token, &action))
                    }
                    @if tokens.len() > SHOWN { li { "…" } }
                }
            }
        }
    };
    Ok(asked.page(&title, &Path::root(), "", &main))
}

/// Ends a link or a token.
///
/// # Errors
/// As [`links`]; `NotFound`.
pub(super) async fn end(asked: &Asked<'_>, body: Lent) -> Result<Response<Body>> {
    asked.view.keeper()?;
    let given = form::small(&asked.head.headers, body).await?;
    match (given.get("end"), given.get("end-token")) {
        (Some(id), None) => asked.view.end_key(What::Shares, id).await?,
        (None, Some(id)) => asked.view.end_key(What::Tokens, id).await?,
        _ => return Err(Error::bad_request("nothing to do")),
    }
    Ok(see_other(ADMIN_LINKS))
}

fn token_item(text: &Text, token: &TokenBody, action: &str) -> Markup {
    let scopes = token.scopes.iter();
    let places: Vec<String> = scopes
        .map(|scope| format!("/{}: {}", scope.path, scope.actions))
        .collect();
    let used = token
        .used
        .as_deref()
        .and_then(|used| time_from_text(used).ok());
    html! {
        li {
            (icon("code"))
            div.what {
                bdi { (shown(&token.name)) }
                span.detail {
                    bdi { (shown(&token.account)) } " · "
                    @if places.is_empty() { (text.say("page-token-all", &[])) }
                    @else { bdi { (shown(&places.join(", "))) } }
                    " · "
                    @match used {
                        Some(used) => { (text.say("page-token-used", &[])) " " (time(text, used)) }
                        None => (text.say("page-token-unused", &[])),
                    }
                    (until(text, token.expires.as_deref()))
                }
            }
            form method="post" action=(action) {
                button name="end-token" value=(token.id) aria-label={
                    (text.say("page-admin-end", &[])) ": " (shown(&token.name))
                } { (text.say("page-admin-end", &[])) }
            }
        }
    }
}
