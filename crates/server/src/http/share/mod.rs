//! `/.gaveta/s/SECRET/…`: what a share's link opens, for whoever has it.
//!
//! The link is the credential; the guard gives what the share gives, and no more. What is asked
//! for beneath the link is a path beneath what is shared; for a file it is its name. No answer
//! tells a path above.

mod dropping;
mod page;

use std::sync::Arc;

use gaveta_core::{Entry, Error, ErrorKind, ListPlan, Listed, OrderBy, Path, Result, Store};
use gaveta_text::Lang;
use gaveta_wire::body::time_to_text;
use gaveta_wire::keys::{SharedBody, in_link};
use gaveta_wire::url;
use http::header::{self, HeaderValue};
use http::uri::PathAndQuery;
use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;

use super::FilesSettings;
use super::body::{Body, empty, full};
use super::content::refuse;
use super::error::{self, Refusal};
use super::files;
use super::headers::prefers_html;
use super::html::{Wants, language, own_page};
use super::keys::json;
use super::query::Query;
use crate::drawer::View;
use crate::drawer::keys::desk;
use crate::drawer::keys::shares::{Share, Way};
use crate::drawer::pass::By;
pub(super) use page::trouble;

/// The most entries of one page of a shared folder.
const PAGE: usize = 500;

/// Answers one request for what a link opens. Whoever holds the view came by the link.
pub(crate) async fn serve(
    request: Request<Incoming>,
    view: &View,
    settings: &FilesSettings,
) -> Response<Body> {
    let html = prefers_html(request.headers());
    let mut response = match answer(request, view, settings).await {
        Ok(response) => response,
        Err(failed) => refused(&failed, html),
    };
    // Whoever was sent a link sends it on or does not; a search engine is not to.
    let unlisted = HeaderValue::from_static("noindex");
    response.headers_mut().insert("x-robots-tag", unlisted);
    let drops = matches!(view.pass().by(), By::Share(share, _) if share.way == Way::Drop);
    if !drops {
        // The page of a drop sends a form, and browsers then must say where it comes from.
        let nothing = HeaderValue::from_static("no-referrer");
        response
            .headers_mut()
            .insert(header::REFERRER_POLICY, nothing);
    }
    response
}

/// The answer to an error. It tells no path: where things lie in the drawer is nobody's business.
pub(crate) fn refused(failed: &Error, html: Wants) -> Response<Body> {
    let why = match failed.kind() {
        ErrorKind::BadRequest => std::error::Error::source(failed).map(ToString::to_string),
        _ => None,
    };
    let bare = Error::new(failed.kind());
    let bare = match why {
        Some(why) => bare.because(why),
        None => bare,
    };
    let html = html.by_a_link();
    match failed.kind() {
        ErrorKind::Unsupported => Refusal::method("GET, HEAD, POST, PUT").answer_as(html),
        // How long to wait stands in the source.
        ErrorKind::Busy => error::answer(failed, html),
        _ => error::answer(&bare, html),
    }
}

async fn answer(
    request: Request<Incoming>,
    view: &View,
    settings: &FilesSettings,
) -> Result<Response<Body>> {
    let By::Share(share, _) = view.pass().by() else {
        refuse(request);
        return Err(ErrorKind::NotFound.into());
    };
    let rest = in_link(request.uri().path()).map(|(_, rest)| rest.to_owned());
    let Some(rest) = rest else {
        refuse(request);
        return Err(ErrorKind::NotFound.into());
    };
    match (share.way, request.method()) {
        (Way::Get, &Method::GET | &Method::HEAD) => {
            get(request, &share, &rest, view, settings).await
        }
        (Way::Drop, &Method::GET | &Method::HEAD) if matches!(&*rest, "" | "/") => {
            let lang = language(request.headers());
            let html = prefers_html(request.headers()).is_page();
            let named = request.uri().path().to_owned();
            refuse(request);
            Ok(match (html, rest.is_empty()) {
                (true, true) => with_slash(&named),
                (true, false) => page_of(page::drop(&share, None, lang)),
                (false, _) => json(StatusCode::OK, &about(&share, "folder", None)),
            })
        }
        (Way::Drop, &Method::POST) if rest == "/" => {
            dropping::form(request, &share, view, settings).await
        }
        (Way::Drop, &Method::PUT) => dropping::put(request, &share, &rest, view, settings).await,
        _ => {
            refuse(request);
            Err(ErrorKind::Unsupported.into())
        }
    }
}

/// A file, a folder's list, or what there is to know about the link.
async fn get(
    mut request: Request<Incoming>,
    share: &Arc<Share>,
    rest: &str,
    view: &View,
    settings: &FilesSettings,
) -> Result<Response<Body>> {
    let html = prefers_html(request.headers()).is_page();
    let lang = language(request.headers());
    let named = request.uri().path().to_owned();
    let shared = view.stat(&share.path).await?;
    if rest.is_empty() || (rest == "/" && !shared.is_folder()) {
        refuse(request);
        return Ok(match (html, rest.is_empty()) {
            // Links on the page are relative to the link.
            (true, true) => with_slash(&named),
            (true, false) => page_of(page::file(&shared, share, lang)),
            (false, _) => {
                let kind = if shared.is_folder() { "folder" } else { "file" };
                json(StatusCode::OK, &about(share, kind, Some(&shared)))
            }
        });
    }
    let target = url::parse(rest)?;
    let path = beneath(share, &shared, &target.path)?;
    let entry = match path == share.path {
        true => shared,
        false => view.stat(&path).await?,
    };
    if entry.is_folder() && html {
        if !target.folder {
            refuse(request);
            return Ok(with_slash(&named));
        }
        let query = Query::parse(request.uri().query());
        refuse(request);
        let text = folder(&entry, share, &query, view, lang).await?;
        return Ok(page_of(text));
    }
    // From here on it is a file or a list like any other: ranges, conditions and all.
    let mut inside = url::encode(&path, entry.is_folder());
    if let Some(query) = request.uri().query() {
        inside.push('?');
        inside.push_str(query);
    }
    let inside = PathAndQuery::try_from(inside)
        .map_err(|error| Error::new(ErrorKind::BadRequest).because(error))?;
    let mut parts = request.uri().clone().into_parts();
    parts.path_and_query = Some(inside);
    *request.uri_mut() = http::Uri::from_parts(parts)
        .map_err(|error| Error::new(ErrorKind::BadRequest).because(error))?;
    Ok(files::serve(request, view, settings).await)
}

/// The path in the drawer of what is named beneath the link.
fn beneath(share: &Share, shared: &Entry, named: &Path) -> Result<Path> {
    if shared.is_folder() {
        return share.path.join_path(named);
    }
    match named.depth() == 1 && named.name() == share.path.name() {
        true => Ok(share.path.clone()),
        false => Err(ErrorKind::NotFound.into()),
    }
}

/// One page of a folder.
async fn folder(
    entry: &Entry,
    share: &Share,
    query: &Query,
    view: &View,
    lang: Lang,
) -> Result<String> {
    use futures_util::StreamExt;
    let plan = ListPlan {
        limit: Some(PAGE),
        after: query
            .get("after")
            .map(gaveta_core::Cursor::parse)
            .transpose()?,
        ..ListPlan::sorted(OrderBy::Name, false)
    };
    let order = plan.order;
    let mut listing = view.list(&entry.path, plan).await?;
    let mut entries = Vec::new();
    while let Some(listed) = listing.next().await {
        if let Listed::Entry(entry) = listed? {
            entries.push(entry);
        }
    }
    let next = match (entries.last(), order) {
        (Some(last), Some(order)) if entries.len() >= PAGE => {
            Some(gaveta_core::Cursor::of(last, order).to_string())
        }
        _ => None,
    };
    Ok(page::folder(
        &entry.path,
        share,
        &entries,
        next.as_deref(),
        lang,
    ))
}

fn about(share: &Share, kind: &str, entry: Option<&Entry>) -> SharedBody {
    SharedBody {
        name: share.path.name().unwrap_or_default().to_owned(),
        path: share.path.as_str().to_owned(),
        kind: kind.to_owned(),
        way: desk::way_body(share.way),
        size: entry
            .filter(|entry| !entry.is_folder())
            .map(|entry| entry.size),
        expires: share.expires.map(time_to_text),
    }
}

/// To the same with a slash at its end.
fn with_slash(path: &str) -> Response<Body> {
    let mut response = Response::new(empty());
    *response.status_mut() = StatusCode::SEE_OTHER;
    // The last name again: relative to where one is, and a name alone, whatever it looks like.
    let last = path.rsplit('/').next().unwrap_or_default();
    let headers = response.headers_mut();
    if let Ok(place) = HeaderValue::try_from(format!("./{last}/")) {
        headers.insert(header::LOCATION, place);
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn page_of(text: String) -> Response<Body> {
    let mut response = Response::new(full(text));
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/html; charset=utf-8"),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    own_page(headers);
    response
}
