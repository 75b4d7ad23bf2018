//! Files dropped through a share: never in the place of another, and nobody is told what lies
//! there.

use std::sync::Arc;

use gaveta_core::{Check, Content, Error, ErrorKind, Name, Path, Result};
use gaveta_wire::keys::DroppedBody;
use gaveta_wire::url;
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;

use super::page;
use super::page_of;
use crate::drawer::View;
use crate::drawer::keys::shares::Share;
use crate::http::FilesSettings;
use crate::http::body::Body;
use crate::http::content::{Home, Lent, discard, request_content};
use crate::http::form::{self, Form, Part};
use crate::http::headers::prefers_html;
use crate::http::html::language;
use crate::http::keys::json;
use crate::http::names::{Names, publish};
use crate::http::{digest, sending};

/// Files of one form.
const FILES: usize = 1000;

/// A form with files (multipart): each file whole or not at all. What came before one that failed
/// stays.
pub(super) async fn form(
    request: Request<Incoming>,
    share: &Arc<Share>,
    view: &View,
    settings: &FilesSettings,
) -> Result<Response<Body>> {
    let home = Home::default();
    let (head, body) = form::apart(request, &home);
    let taken = take_form(&head.headers, body, share, view, settings).await;
    if let Some(body) = home.take() {
        discard(body);
    }
    let dropped = taken?;
    Ok(match prefers_html(&head.headers).is_page() {
        true => page_of(page::drop(share, Some(&dropped), language(&head.headers))),
        false => json(StatusCode::CREATED, &dropped),
    })
}

async fn take_form(
    headers: &http::HeaderMap,
    body: Lent,
    share: &Share,
    view: &View,
    settings: &FilesSettings,
) -> Result<DroppedBody> {
    form::may_send(headers, view, &share.path)?;
    let Form::Parts(mut parts) = form::read(headers, body).await? else {
        return Err(Error::bad_request("the form holds no file"));
    };
    let mut dropped = DroppedBody {
        received: Vec::new(),
        bytes: 0,
    };
    while let Some(part) = parts.next().await? {
        let Part::File(name, contents) = part else {
            continue;
        };
        if dropped.received.len() >= FILES {
            return Err(Error::bad_request("too many files in one form"));
        }
        // Some browsers send a path; what counts is what it ends with.
        let name = name
            .rsplit(['/', '\\'])
            .next()
            .unwrap_or_default()
            .to_owned();
        let name = Name::from_bytes(name.as_bytes())?;
        dropped.bytes += take(
            name.as_str(),
            contents.content(),
            None,
            share,
            view,
            settings,
        )
        .await?;
        dropped.received.push(name.as_str().to_owned());
    }
    Ok(dropped)
}

/// One file, by its name beneath the link. Folders on the way are made.
pub(super) async fn put(
    request: Request<Incoming>,
    share: &Arc<Share>,
    rest: &str,
    view: &View,
    settings: &FilesSettings,
) -> Result<Response<Body>> {
    let (head, body) = request.into_parts();
    let begun = (|| {
        let target = url::parse(rest)?;
        sending::identity(&head.headers).map_err(|refusal| refusal.error)?;
        let length = sending::length(&head.headers)?;
        match target.folder || target.path.is_root() {
            true => Err(Error::bad_request("a file has a name")),
            false => Ok((target.path, length)),
        }
    })();
    let (named, length) = match begun {
        Ok(begun) => begun,
        Err(failed) => {
            discard_unasked(&head.headers, body);
            return Err(failed);
        }
    };
    let home = Home::default();
    let (content, _) = request_content(Lent::new(body, &home));
    let taken = take(named.as_str(), content, length, share, view, settings).await;
    if let Some(body) = home.take() {
        discard_unasked(&head.headers, body);
    }
    let dropped = DroppedBody {
        bytes: taken?,
        received: vec![named.as_str().to_owned()],
    };
    Ok(json(StatusCode::CREATED, &dropped))
}

/// Whoever waits for "100 Continue" sends nothing more: reading would invite the body.
fn discard_unasked(headers: &http::HeaderMap, body: Incoming) {
    if !headers.contains_key(http::header::EXPECT) {
        discard(body);
    }
}

/// Stores a content under this name beneath the share, or under the next free one like it; how
/// many bytes it has.
async fn take(
    named: &str,
    content: Content,
    length: Option<u64>,
    share: &Share,
    view: &View,
    settings: &FilesSettings,
) -> Result<u64> {
    let limit = settings.max_file_size;
    if length.is_some_and(|length| limit.is_some_and(|limit| length > limit)) {
        return Err(ErrorKind::TooLarge.into());
    }
    let target = share.path.join_path(&Path::parse(named)?)?;
    let mut names = Names::new(target, view.account().owner());
    let upload = names.begin(view, length).await?;
    let (content, passed) = digest::watch(content, limit, false);
    let received = async {
        let kept = upload.write(0, content, Check::None).await?;
        let declared = length.unwrap_or(kept);
        if !passed.ended() || kept != passed.bytes() || kept != declared {
            return Err(ErrorKind::LengthMismatch.into());
        }
        Ok(kept)
    };
    let kept = match received.await {
        Ok(kept) => kept,
        Err(failed) => {
            let _ = upload.discard().await;
            return Err(failed);
        }
    };
    publish(upload, kept, Some(&mut names), view).await?;
    Ok(kept)
}
