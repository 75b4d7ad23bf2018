//! The files: GET, HEAD, PUT, DELETE and OPTIONS of every path that is not the server's own.
//!
//! A request is parsed, turned into one call of the [`View`], and rendered. What a path may be is
//! `gaveta_wire::url`'s to say, what the account may do the view's, and how an error looks
//! [`error`](super::error)'s.

mod accept;
mod delete;
mod get;
mod listing;
mod multipart;
mod page;
mod put;
mod render;

use std::sync::Arc;

use gaveta_core::{AccountKind, Error, ErrorKind, Path, Reading};
use gaveta_wire::url::{self, Target};
use http::header::{self, HeaderValue};
use http::request::Parts;
use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;

use super::FilesSettings;
use super::body::{Body, empty};
use super::error::Refusal;
use super::query::Query;
use super::{conditional, content, digest, fields};
use crate::drawer::View;

/// What a path answers to.
const ALLOW: HeaderValue = HeaderValue::from_static("GET, HEAD, PUT, DELETE, OPTIONS");

/// A request, parsed as far as every method needs it.
#[derive(Debug)]
struct Asked<'a> {
    head: &'a Parts,
    target: Target,
    query: Query,
    view: &'a View,
}

impl Asked<'_> {
    fn path(&self) -> &Path {
        &self.target.path
    }

    fn is_head(&self) -> bool {
        self.head.method == Method::HEAD
    }

    /// Who keeps a copy must ask before using it; a shared cache keeps none of what was given to
    /// somebody who signed in (RFC 9111, section 5.2.2).
    fn cache_control(&self) -> HeaderValue {
        HeaderValue::from_static(match self.view.account().kind() {
            AccountKind::Visitor => "no-cache",
            AccountKind::Named
            | AccountKind::Administrator
            | AccountKind::Token
            | AccountKind::Share => "private, no-cache",
        })
    }
}

/// Answers one request for a file or folder.
///
/// Dropping the future leaves the drawer as if the request had not come, or with the change
/// completed.
pub(crate) async fn serve(
    request: Request<Incoming>,
    view: &View,
    settings: &FilesSettings,
) -> Response<Body> {
    let (head, body) = request.into_parts();
    if head.method == Method::PUT {
        return put::put(&head, body, view, settings).await;
    }
    let answer = match route(&head, view).await {
        Ok(answer) => answer,
        Err(refusal) => refusal.answer(&head),
    };
    // None of these has a use for content; what comes is read away so that the answer arrives.
    content::refuse(Request::from_parts(head, body));
    answer
}

async fn route(head: &Parts, view: &View) -> Result<Response<Body>, Refusal> {
    match head.method {
        Method::GET | Method::HEAD => get::get(&asked(head, view)?).await,
        Method::DELETE => delete::delete(&asked(head, view)?).await,
        Method::OPTIONS => {
            if head.uri.path() != "*" {
                url::parse(head.uri.path())?;
            }
            let mut response = Response::new(empty());
            *response.status_mut() = StatusCode::NO_CONTENT;
            response.headers_mut().insert(header::ALLOW, ALLOW);
            response
                .headers_mut()
                .insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
            Ok(response)
        }
        _ => Ok(not_allowed(head)),
    }
}

/// 405 for what HTTP knows and files do not do; 501 for what we have never heard of (RFC 9110,
/// sections 15.5.6 and 15.6.2).
fn not_allowed(head: &Parts) -> Response<Body> {
    let known = [Method::POST, Method::PATCH, Method::TRACE, Method::CONNECT];
    let status = match known.contains(&head.method) {
        true => StatusCode::METHOD_NOT_ALLOWED,
        false => StatusCode::NOT_IMPLEMENTED,
    };
    let mut response = Refusal::with(Error::new(ErrorKind::Unsupported), status).answer(head);
    response.headers_mut().insert(header::ALLOW, ALLOW);
    response
}

/// Answers a GET or HEAD with what was opened already: conditions and ranges as of a file.
pub(super) async fn answer_with(
    head: &Parts,
    view: &View,
    reading: Arc<dyn Reading>,
) -> Result<Response<Body>, Refusal> {
    let asked = Asked {
        head,
        target: Target {
            path: reading.entry().path.clone(),
            folder: false,
        },
        query: Query::parse(head.uri.query()),
        view,
    };
    get::file(&asked, reading).await
}

fn asked<'a>(head: &'a Parts, view: &'a View) -> Result<Asked<'a>, Error> {
    let target = url::parse(head.uri.path())?;
    let query = Query::parse(head.uri.query());
    Ok(Asked {
        head,
        target,
        query,
        view,
    })
}
