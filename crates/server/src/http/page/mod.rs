//! The page: what a person does in a browser, beside looking at files.
//!
//! Folders themselves are the files door's; here is what their pages load, ask and send.

mod account;
mod accounts;
mod admin;
mod ask;
mod assets;
mod connected;
mod deed;
mod links;
mod preview;
mod qr;
mod search;
mod send;
mod settle;
mod share;
mod wish;

use gaveta_core::{Error, ErrorKind, Path, Result};
use http::header::{self, HeaderValue};
use http::request::Parts;
use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use maud::Markup;

use super::body::{Body, empty, full};
use super::content::{Home, Lent, refuse};
use super::error::Refusal;
use super::headers::prefers_html;
use super::html::{self, Frame, Press, Wants, Who, assets as files, language, own_page};
use super::query::Query;
use super::sign_in::SIGN_IN;
use super::{fields, form, stranger};
use crate::drawer::View;
use crate::server::House;

const ASK: &str = "/.gaveta/ask";
const FORM: &str = "/.gaveta/form";
const SEARCH: &str = "/.gaveta/search";
const ADMIN: &str = "/.gaveta/admin";
const ADMIN_LINKS: &str = "/.gaveta/admin/links";
const ADMIN_ACCOUNTS: &str = "/.gaveta/admin/accounts";
const ADMIN_ACCOUNT: &str = "/.gaveta/admin/account";
const SHARE: &str = "/.gaveta/share";
const LANGUAGE: &str = "/.gaveta/language";
const PREVIEW: &str = "/.gaveta/preview/";

/// Is this address ours to answer?
pub(super) fn is_here(path: &str) -> bool {
    matches!(path, ASK | FORM | SEARCH | LANGUAGE | SIGN_IN | SHARE)
        || matches!(path, ADMIN | ADMIN_LINKS | ADMIN_ACCOUNTS | ADMIN_ACCOUNT)
        || path.starts_with(files::PREFIX)
        || path.starts_with(PREVIEW)
}

/// A request to the page.
struct Asked<'a> {
    head: &'a Parts,
    query: Query,
    view: &'a View,
    house: &'a House,
    /// How a browser spells this server: scheme, host and port.
    origin: String,
}

impl Asked<'_> {
    /// The folder that is meant.
    fn at(&self) -> Result<Path> {
        let text = self.query.get("at").unwrap_or_default();
        Path::parse(text.trim_matches('/'))
    }

    /// The address of a path of ours.
    fn link(&self, path: &str) -> String {
        self.house.base.link(path)
    }

    /// A page of ours around this, for whoever asks.
    fn page(&self, title: &str, folder: &Path, sought: &str, main: &Markup) -> Response<Body> {
        let who = Who::of(self.view, folder);
        let back = match (self.head.method == Method::GET, self.head.uri.query()) {
            (true, Some(query)) => format!("{}?{query}", self.head.uri.path()),
            (true, None) => self.head.uri.path().to_owned(),
            (false, _) => html::folder_url(folder),
        };
        let frame = Frame {
            lang: language(&self.head.headers),
            title,
            who: Some(&who),
            folder: Some(folder),
            sought,
            back: Some(&back),
            base: &self.house.base,
        };
        let text = html::page(&frame, main);
        let mut response = match Press::wanted(&self.head.headers) {
            Some(mut press) => {
                let mut pressed = press.piece(text.as_bytes());
                pressed.extend(press.end());
                let mut response = Response::new(full(pressed));
                fields::set(&mut response, header::CONTENT_ENCODING, "gzip");
                response
            }
            None => Response::new(full(text)),
        };
        fields::set(
            &mut response,
            header::CONTENT_TYPE,
            "text/html; charset=utf-8",
        );
        own_page(response.headers_mut());
        response
    }
}

/// Answers one request to the page.
///
/// Dropping the future leaves the drawer as if the request had not come, or with what was begun
/// completed.
pub(crate) async fn serve(
    request: Request<Incoming>,
    view: &View,
    house: &House,
    secure: bool,
) -> Response<Body> {
    let origin = stranger::origin(&request, secure);
    let home = Home::default();
    let (head, body) = form::apart(request, &home);
    let asked = Asked {
        head: &head,
        query: Query::parse(head.uri.query()),
        view,
        house,
        origin,
    };
    let answered = route(&asked, body).await;
    let response = answered.unwrap_or_else(|refusal| {
        // A page, whatever is asked for: nothing but a browser comes here.
        let wants = match prefers_html(&head.headers) {
            Wants::Json => Wants::Page(language(&head.headers)),
            page => page,
        };
        refusal.answer_as(wants)
    });
    if let Some(body) = home.take() {
        refuse(Request::from_parts(head, body));
    }
    response
}

async fn route(asked: &Asked<'_>, body: Lent) -> Result<Response<Body>, Refusal> {
    let path = asked.head.uri.path();
    let reads = matches!(asked.head.method, Method::GET | Method::HEAD);
    let sends = asked.head.method == Method::POST;
    match path {
        ASK if reads => Ok(ask::ask(asked)?),
        ADMIN if reads => Ok(admin::admin(asked).await?),
        ADMIN if sends => Ok(admin::end(asked, body).await?),
        ADMIN_LINKS if reads => Ok(links::links(asked)?),
        ADMIN_LINKS if sends => Ok(links::end(asked, body).await?),
        ADMIN_ACCOUNTS if reads => Ok(accounts::accounts(asked)?),
        ADMIN_ACCOUNT if reads => Ok(accounts::account(asked)?),
        ADMIN_ACCOUNTS | ADMIN_ACCOUNT if sends => Ok(accounts::change(asked, body).await?),
        SHARE if reads => Ok(share::share(asked).await?),
        SHARE if sends => Ok(share::change(asked, body).await?),
        SIGN_IN if reads => Ok(settle::sign_in(asked)),
        SEARCH if reads => Ok(search::search(asked).await?),
        FORM if sends => {
            form::is_ours(&asked.head.headers)?;
            send::form(asked, body).await
        }
        LANGUAGE if sends => Ok(settle::keep_language(asked, body).await?),
        ADMIN | ADMIN_LINKS | ADMIN_ACCOUNTS | ADMIN_ACCOUNT | SHARE | SIGN_IN => {
            Err(Refusal::method("GET, HEAD, POST"))
        }
        FORM | LANGUAGE => Err(Refusal::method("POST")),
        _ if !reads => Err(Refusal::method("GET, HEAD")),
        path => match (path.strip_prefix(files::PREFIX), path.strip_prefix(PREVIEW)) {
            (Some(rest), _) => Ok(assets::asset(asked, rest)?),
            (_, Some(rest)) => Ok(preview::preview(asked, rest).await?),
            (None, None) => Err(Error::new(ErrorKind::NotFound).into()),
        },
    }
}

/// To another page of ours, which is then asked for by GET.
fn see_other(to: &str) -> Response<Body> {
    let mut response = Response::new(empty());
    *response.status_mut() = StatusCode::SEE_OTHER;
    fields::set(&mut response, header::LOCATION, to);
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
