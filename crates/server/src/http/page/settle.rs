//! What is settled for one browser: who looks, and in which language.

use gaveta_core::{AccountKind, Error, ErrorKind, Result};
use gaveta_text::Lang;
use http::{Response, header};

use super::{Asked, see_other, way_back};
use crate::http::body::Body;
use crate::http::content::Lent;
use crate::http::fields;
use crate::http::form::{self, Form};
use crate::http::html::LANGUAGE_COOKIE;

/// Keeps the language in a cookie for a year and leads back.
pub(super) async fn language(asked: &Asked<'_>, body: Lent) -> Result<Response<Body>> {
    let Form::Fields(given) = form::read(&asked.head.headers, body).await? else {
        return Err(Error::bad_request("a small form"));
    };
    let lang = given
        .get("to")
        .and_then(Lang::parse)
        .ok_or_else(|| Error::bad_request("pt-BR or en"))?;
    let mut response = see_other(way_back(given.get("back").unwrap_or_default()));
    let cookie = format!(
        "{LANGUAGE_COOKIE}={}; Path=/; Max-Age=31536000; SameSite=Lax; HttpOnly",
        lang.tag()
    );
    fields::set(&mut response, header::SET_COOKIE, &cookie);
    Ok(response)
}

/// Leads whoever signed in back. A visitor is asked who he is: his browser shows the question, and
/// comes again with the answer.
///
/// # Errors
/// `SignInNeeded`.
pub(super) fn sign_in(asked: &Asked<'_>) -> Result<Response<Body>> {
    match asked.view.account().kind() {
        AccountKind::Visitor => Err(Error::new(ErrorKind::SignInNeeded)),
        _ => Ok(see_other(way_back(asked.query.get("back").unwrap_or("/")))),
    }
}
