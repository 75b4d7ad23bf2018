//! Files dropped through a share: never in the place of another, and nobody is told what lies
//! there.

use std::sync::Arc;

use futures_util::StreamExt;
use gaveta_core::{
    Check, Content, Error, ErrorKind, Name, Path, Result, Seal, Store, Upload, WritePlan,
};
use gaveta_wire::keys::DroppedBody;
use gaveta_wire::url;
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;

use super::page::{self, Speaks};
use super::page_of;
use crate::drawer::View;
use crate::drawer::keys::shares::Share;
use crate::http::FilesSettings;
use crate::http::body::Body;
use crate::http::content::{Home, Lent, discard, request_content};
use crate::http::form::{self, Form, Part};
use crate::http::headers::prefers_html;
use crate::http::keys::json;
use crate::http::{digest, sending};

/// How many names are tried for one file.
const NAMES: u32 = 1000;
/// Files of one form.
const FILES: usize = 1000;
/// Pieces in which content is taken over to another name.
const PIECE: u64 = 256 * 1024;

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
        true => page_of(page::drop(
            share,
            Some(&dropped),
            &Speaks::of(&head.headers),
        )),
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
    let mut names = Names::new(share, named)?;
    let mut upload = names.begin(view, length).await?;
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
    loop {
        let seal = Seal {
            length: Some(kept),
            digest: None,
        };
        match upload.commit(seal).await {
            Ok(_) => return Ok(kept),
            // Somebody else took the name meanwhile.
            Err(failed) if failed.kind() == ErrorKind::Exists => {
                let next = names.begin(view, Some(kept)).await?;
                let source = Arc::clone(&upload);
                next.write(0, taken_over(source, kept), Check::None).await?;
                let _ = upload.discard().await;
                upload = next;
            }
            Err(failed) => {
                let _ = upload.discard().await;
                return Err(failed);
            }
        }
    }
}

/// What another upload holds, as a content.
fn taken_over(source: Arc<dyn Upload>, length: u64) -> Content {
    let pieces = futures_util::stream::iter((0..length).step_by(PIECE as usize));
    Box::pin(pieces.then(move |start| {
        let source = Arc::clone(&source);
        async move { source.read(start..(start + PIECE).min(length)).await }
    }))
}

/// Names for one file, one after another: `a.txt`, `a (2).txt`, `a (3).txt`…
struct Names {
    path: Path,
    number: u32,
    owner: gaveta_core::Owner,
}

impl Names {
    fn new(share: &Share, named: &str) -> Result<Self> {
        Ok(Self {
            path: share.path.join_path(&Path::parse(named)?)?,
            number: 0,
            // The guard puts the right one in its place.
            owner: gaveta_core::Owner("".into()),
        })
    }

    /// Begins under the next name that is free.
    async fn begin(&mut self, view: &View, length: Option<u64>) -> Result<Arc<dyn Upload>> {
        while self.number < NAMES {
            self.number += 1;
            let target = self.path.numbered(self.number)?;
            let plan = WritePlan {
                length,
                ..WritePlan::new(target, self.owner.clone())
            };
            match view.begin(plan).await {
                Err(failed) if failed.kind() == ErrorKind::Exists => {}
                // A folder of this name is in the way as much as a file.
                Err(failed) if failed.kind() == ErrorKind::IsFolder => {}
                begun => return begun,
            }
        }
        Err(ErrorKind::Exists.into())
    }
}
