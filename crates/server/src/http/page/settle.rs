//! What is settled for one browser: who looks, and in which language.

use gaveta_core::{AccountKind, Error, Path, Result};
use gaveta_text::Lang;
use http::{Response, header};
use maud::html;

use super::{Asked, SIGN_IN, see_other};
use crate::http::back::way_back;
use crate::http::body::Body;
use crate::http::content::Lent;
use crate::http::fields;
use crate::http::form;
use crate::http::html::{LANGUAGE_COOKIE, language, texts};

/// Keeps the language in a cookie for a year and leads back.
pub(super) async fn keep_language(asked: &Asked<'_>, body: Lent) -> Result<Response<Body>> {
    let given = form::small(&asked.head.headers, body).await?;
    let lang = given
        .get("to")
        .and_then(Lang::parse)
        .ok_or_else(|| Error::bad_request("pt-BR or en"))?;
    let mut response = see_other(given.get("back").and_then(way_back).unwrap_or("/"));
    let cookie = format!(
        "{LANGUAGE_COOKIE}={}; Path=/; Max-Age=31536000; SameSite=Lax; HttpOnly",
        lang.tag()
    );
    fields::set(&mut response, header::SET_COOKIE, &cookie);
    Ok(response)
}

/// A form to sign in with; whoever has done so already is led back. What is filled in goes to the
/// door that signs in.
pub(super) fn sign_in(asked: &Asked<'_>) -> Response<Body> {
    let back = asked.query.get("back").and_then(way_back).unwrap_or("/");
    if asked.view.account().kind() != AccountKind::Visitor {
        return see_other(back);
    }
    let text = texts(language(&asked.head.headers));
    let title = text.say("page-sign-in", &[]);
    let main = html! {
        section.card.ask {
            h1 { (title) }
            form method="post" action=(asked.link(SIGN_IN)) {
                input type="hidden" name="back" value=(back);
                label for="name" { (text.say("page-account-name", &[])) }
                input #name name="name" required maxlength="255" autocomplete="username"
                    autocapitalize="none" spellcheck="false" autofocus;
                label for="password" { (text.say("page-password", &[])) }
                input #password name="password" type="password" required maxlength="1024"
                    autocomplete="current-password";
                p.links {
                    button.primary { (title) }
                    a.button href=(asked.link(back)) { (text.say("page-cancel", &[])) }
                }
            }
        }
    };
    asked.page(&title, &Path::root(), "", &main)
}
