//! DELETE: a file, or a folder when it is empty, or with all that is in it if so asked.

use gaveta_core::{Error, ErrorKind, RemovePlan, Replace, Result, Store, Version};
use http::header::HeaderName;
use http::{HeaderMap, Response, StatusCode};

use super::conditional::{Conditions, Verdict};
use super::{Asked, Refusal, fields};
use crate::http::body::{Body, empty};

/// Removes what is there and answers 204. `?recursive=true` or `Depth: infinity` (RFC 4918,
/// section 10.2) takes a folder with all that is in it.
pub(super) async fn delete(asked: &Asked<'_>) -> Result<Response<Body>, Refusal> {
    let recursive = asked.query.flag("recursive")? || infinite(&asked.head.headers)?;
    let version = guard(asked).await?;
    asked
        .view
        .remove(
            asked.path(),
            RemovePlan {
                recursive,
                version,
                ..RemovePlan::default()
            },
        )
        .await?;
    let mut response = Response::new(empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    Ok(response)
}

/// The version that the conditions were true of.
async fn guard(asked: &Asked<'_>) -> Result<Option<Version>> {
    let conditions = Conditions::parse(&asked.head.headers, false)?;
    if !conditions.any() && !asked.target.folder {
        return Ok(None);
    }
    let entry = asked.view.stat(asked.path()).await?;
    if asked.target.folder && !entry.is_folder() {
        return Err(Error::at(ErrorKind::NotFolder, asked.path()));
    }
    if conditions.verdict(Some(&entry), false) != Verdict::Proceed {
        return Err(Error::at(ErrorKind::VersionMismatch, asked.path()));
    }
    Ok(match conditions.pin(Some(&entry)) {
        Replace::Only(version) => Some(version),
        Replace::Always | Replace::Never => None,
    })
}

fn infinite(headers: &HeaderMap) -> Result<bool> {
    match fields::sole(headers, &HeaderName::from_static("depth"))? {
        None | Some("0") => Ok(false),
        Some(depth) if depth.eq_ignore_ascii_case("infinity") => Ok(true),
        Some(_) => Err(Error::bad_request("Depth is 0 or infinity")),
    }
}
