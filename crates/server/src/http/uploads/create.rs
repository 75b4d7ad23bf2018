//! POST: an upload begins.

use gaveta_core::{Error, ErrorKind, OnDrop, Path, Replace, Result, Store, Version, WritePlan};
use gaveta_wire::header as names;
use gaveta_wire::{route, url};
use http::header::{self, HeaderName};
use http::{Response, StatusCode};
use hyper::body::Incoming;

use super::concat::{self, Concat};
use super::note::Note;
use super::{
    Asked, OFFSET_STREAM, Open, UPLOAD_CONCAT, UPLOAD_DEFER, UPLOAD_LENGTH, UPLOAD_METADATA,
    UPLOAD_OFFSET, conclude, metadata, patch, state,
};
use crate::http::body::{Body, empty, full};
use crate::http::error::Refusal;
use crate::http::{fields, sending};

/// Begins an upload: 201 with its address.
///
/// With `gaveta-target` as ours, with the state as JSON; else as tus has it. What comes with it is
/// taken in (creation-with-upload), and what is complete by then is published.
pub(super) async fn create(
    asked: &Asked<'_>,
    body: &mut Option<Incoming>,
) -> Result<Response<Body>, Refusal> {
    let headers = &asked.head.headers;
    let ours = fields::sole(headers, &HeaderName::from_static(names::TARGET))?;
    match ours {
        Some(target) => {
            let plan = our_plan(asked, target).await?;
            begin(asked, plan, body, true).await
        }
        None => {
            asked.tus()?;
            match concat::read(headers)? {
                Some(Concat::Final(parts)) => concat::whole(asked, &parts).await,
                partial => {
                    let plan = tus_plan(asked, partial.is_some()).await?;
                    begin(asked, plan, body, false).await
                }
            }
        }
    }
}

async fn begin(
    asked: &Asked<'_>,
    plan: (WritePlan, Note),
    body: &mut Option<Incoming>,
    ours: bool,
) -> Result<Response<Body>, Refusal> {
    let (plan, note) = plan;
    if let Some(length) = plan.length {
        asked.within_limit(length)?;
    }
    let with_upload = has_upload(asked)?;
    let upload = asked.view.begin(plan).await?;
    let state = upload.state().await?;
    let open = Open {
        upload,
        state,
        note,
    };
    let mut offset = 0;
    if with_upload {
        // What was cut is kept: the client asks for the offset by the address, if it learnt it.
        offset = patch::receive(asked, &open, 0, body).await?;
    }
    let published = match conclude(asked, &open).await {
        Ok(published) => published,
        Err(error) => {
            // Nobody knows its address yet.
            let _ = open.upload.discard().await;
            return Err(error.into());
        }
    };
    let mut response = match ours && published.is_none() {
        true => {
            let mut response = Response::new(full(state::json(asked, &open.state)));
            fields::set(&mut response, header::CONTENT_TYPE, "application/json");
            response
        }
        false => Response::new(empty()),
    };
    *response.status_mut() = StatusCode::CREATED;
    fields::set(&mut response, header::LOCATION, &address(&open));
    if with_upload {
        fields::set(&mut response, UPLOAD_OFFSET, &offset.to_string());
    }
    match published {
        Some(published) => sending::describe(&mut response, &published.entry),
        None => asked.expires(&mut response, open.state.touched),
    }
    Ok(response)
}

/// The address of an upload.
pub(super) fn address(open: &Open) -> String {
    format!("{}/{}", route::UPLOADS, open.state.id)
}

/// Does content come with the creation? (creation-with-upload.)
fn has_upload(asked: &Asked<'_>) -> Result<bool, Refusal> {
    let headers = &asked.head.headers;
    match fields::single(headers, &header::CONTENT_TYPE) {
        Some(OFFSET_STREAM) => Ok(true),
        _ => {
            let length = sending::number(headers, &header::CONTENT_LENGTH)?;
            let chunked = headers.contains_key(header::TRANSFER_ENCODING);
            match length.unwrap_or(0) > 0 || chunked {
                true => Err(patch::wrong_type()),
                false => Ok(false),
            }
        }
    }
}

async fn tus_plan(asked: &Asked<'_>, partial: bool) -> Result<(WritePlan, Note), Refusal> {
    let headers = &asked.head.headers;
    let length = sending::number(headers, &UPLOAD_LENGTH)?;
    let deferred = fields::sole(headers, &UPLOAD_DEFER)?;
    match (length, deferred) {
        (Some(_), None) | (None, Some("1")) => {}
        _ => {
            let why = "say Upload-Length, or Upload-Defer-Length: 1";
            return Err(Error::bad_request(why).into());
        }
    }
    let metadata = fields::sole(headers, &UPLOAD_METADATA)?;
    let target = match partial {
        true => None,
        false => Some(target(metadata)?),
    };
    let concat = partial.then(|| "partial".to_owned());
    let plan = WritePlan {
        length,
        ..plan(asked, target).await?
    };
    with_note(
        plan,
        Note {
            manual: false,
            metadata: metadata.map(str::to_owned),
            concat,
        },
    )
}

/// The target that the metadata must name.
pub(super) fn target(metadata: Option<&str>) -> Result<Path> {
    let target = metadata.map(metadata::target).transpose()?.flatten();
    target.ok_or_else(|| {
        Error::bad_request("Upload-Metadata names no path, relativePath, filename or name")
    })
}

/// The plan of content that stays when it is cut, with what the conditions allow to replace.
pub(super) async fn plan(asked: &Asked<'_>, target: Option<Path>) -> Result<WritePlan> {
    let headers = &asked.head.headers;
    let replace = match &target {
        Some(target) => sending::replace(headers, asked.view, target).await?,
        None => Replace::Never,
    };
    Ok(WritePlan {
        replace,
        target,
        modified: sending::modified(headers)?,
        executable: sending::executable(headers)?,
        on_drop: OnDrop::Keep,
        ..WritePlan::new(Path::root(), asked.view.account().owner())
    })
}

fn with_note(plan: WritePlan, note: Note) -> Result<(WritePlan, Note), Refusal> {
    let text = note.write()?;
    Ok((
        WritePlan {
            note: Some(text),
            ..plan
        },
        note,
    ))
}

async fn our_plan(asked: &Asked<'_>, target: &str) -> Result<(WritePlan, Note), Refusal> {
    let headers = &asked.head.headers;
    if headers.contains_key(UPLOAD_CONCAT) {
        return Err(Error::bad_request("parts have no gaveta-target").into());
    }
    let parsed = url::parse(target)?;
    if parsed.folder {
        return Err(Error::at(ErrorKind::IsFolder, &parsed.path).into());
    }
    let manual = match fields::sole(headers, &HeaderName::from_static(names::MANUAL))? {
        None | Some("?0") => false,
        Some("?1") => true,
        Some(_) => return Err(Error::bad_request("gaveta-manual is ?1 or ?0").into()),
    };
    let base = fields::sole(headers, &HeaderName::from_static(names::BASE))?
        .map(quoted)
        .transpose()?;
    let plan = WritePlan {
        length: sending::number(headers, &UPLOAD_LENGTH)?,
        base,
        ..plan(asked, Some(parsed.path)).await?
    };
    with_note(
        plan,
        Note {
            manual,
            ..Note::default()
        },
    )
}

/// A version in quotes.
fn quoted(text: &str) -> Result<Version> {
    text.strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
        .and_then(Version::parse)
        .ok_or_else(|| Error::bad_request("gaveta-base is a version in quotes"))
}
