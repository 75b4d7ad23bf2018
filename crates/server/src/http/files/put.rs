//! PUT: new content, whole or not at all.

use std::sync::Arc;

use gaveta_core::{Check, Error, ErrorKind, Path, Replace, Result, Seal, Store, Upload, WritePlan};
use gaveta_wire::digest::Digests;
use http::Response;
use http::header;
use http::request::Parts;
use hyper::body::Incoming;

use super::{Asked, Refusal, asked, digest};
use crate::drawer::View;
use crate::http::FilesSettings;
use crate::http::body::Body;
use crate::http::content::{Home, Lent, request_content};
use crate::http::sending::{self, Published, refused};

/// Stores the body at the target.
///
/// 201 for something new and 200 for something replaced, each with the entry as JSON, once it is
/// durable. In every other case the drawer is as it was. What can be refused is refused before
/// the body is read.
pub(super) async fn put(
    head: &Parts,
    body: Incoming,
    view: &View,
    settings: &FilesSettings,
) -> Response<Body> {
    let begun = match asked(head, view) {
        Ok(asked) => Begun::new(&asked, settings).await,
        Err(error) => Err(error.into()),
    };
    let begun = match begun {
        Ok(begun) => begun,
        Err(refusal) => {
            // Whoever waits for "100 Continue" sends nothing more: reading would invite the body.
            let unasked = !head.headers.contains_key(header::EXPECT);
            return refused(head, &refusal, Some(body).filter(|_| unasked));
        }
    };
    let home = Home::default();
    let stored = begun.receive(view, Lent::new(body, &home)).await;
    match stored {
        Ok(published) => published.answer(head),
        Err(error) => {
            // Dropped, it would go too; this way it is gone before the client is told.
            let _ = begun.upload.discard().await;
            refused(head, &error.into(), home.take())
        }
    }
}

/// A PUT whose head is good.
#[derive(Debug)]
struct Begun {
    upload: Arc<dyn Upload>,
    target: Path,
    replace: Replace,
    length: Option<u64>,
    limit: Option<u64>,
    promised: Digests,
    /// Is SHA-256 to be computed on the way?
    sha256: bool,
}

impl Begun {
    async fn new(asked: &Asked<'_>, settings: &FilesSettings) -> Result<Self, Refusal> {
        let headers = &asked.head.headers;
        let target = asked.path();
        if asked.target.folder {
            let why = "a PUT stores a file; a folder is made by the command make-folder, \
                       or with the first file in it";
            return Err(Error::bad_request(why).about(target).into());
        }
        sending::identity(headers)?;
        if headers.contains_key(header::CONTENT_RANGE) {
            // RFC 9110, section 14.5: else a part would replace the whole.
            return Err(Error::bad_request("a PUT stores the whole, not a Content-Range").into());
        }
        let length = sending::length(headers)?;
        let limit = settings.max_file_size;
        if length.is_some_and(|length| limit.is_some_and(|limit| length > limit)) {
            return Err(Error::at(ErrorKind::TooLarge, target).into());
        }
        let promised = digest::promised(headers)?;
        let replace = sending::replace(headers, asked.view, target).await?;
        let plan = WritePlan {
            length,
            replace: replace.clone(),
            modified: sending::modified(headers)?,
            executable: sending::executable(headers)?,
            ..WritePlan::new(target.clone(), asked.view.account().owner())
        };
        let upload = asked.view.begin(plan).await?;
        let sha256 = promised.sha256.is_some() || digest::announced(headers);
        Ok(Self {
            upload,
            target: target.clone(),
            replace,
            length,
            limit,
            promised,
            sha256,
        })
    }

    /// Takes the content in, compares it with all that was promised, and publishes it.
    async fn receive(&self, view: &View, body: Lent) -> Result<Published> {
        let (content, trailers) = request_content(body);
        let (content, passed) = digest::watch(content, self.limit, self.sha256);
        let kept = self.upload.write(0, content, Check::None).await?;
        let declared = self.length.unwrap_or(kept);
        if !passed.ended() || kept != passed.bytes() || kept != declared {
            return Err(Error::at(ErrorKind::LengthMismatch, &self.target));
        }
        let late = trailers
            .take()
            .map(|late| digest::promised(&late))
            .transpose()?;
        let promised = digest::both(self.promised, late.unwrap_or_default())?;
        let sha256 = match promised.sha256 {
            Some(sha256) if self.sha256_of(&passed).await? != sha256 => {
                return Err(Error::at(ErrorKind::DigestMismatch, &self.target));
            }
            sha256 => sha256,
        };
        let created = self.creates(view).await?;
        let seal = Seal {
            length: Some(kept),
            digest: promised.blake3,
        };
        let entry = self.upload.commit(seal).await?;
        Ok(Published {
            entry,
            created,
            sha256,
        })
    }

    async fn sha256_of(&self, passed: &digest::Passed) -> Result<[u8; 32]> {
        passed.sha256(self.upload.as_ref()).await
    }

    /// Will the commit make something new? Where the plan leaves both open, somebody else may make
    /// or remove it in the very moment: then the status is late by that moment, nothing else.
    async fn creates(&self, view: &View) -> Result<bool> {
        match &self.replace {
            Replace::Never => Ok(true),
            Replace::Only(_) => Ok(false),
            Replace::Always => Ok(sending::there(view, &self.target).await?.is_none()),
        }
    }
}
