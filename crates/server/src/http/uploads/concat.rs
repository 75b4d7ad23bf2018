//! Concatenation: an upload made of others (tus 1.0.0, concatenation).

use gaveta_core::{Error, ErrorKind, Result, Store, UploadId, WritePlan};
use gaveta_wire::route;
use http::header;
use http::{HeaderMap, Response, StatusCode};

use super::create::{address, plan, target};
use super::note::Note;
use super::{Asked, Held, Open, UPLOAD_CONCAT, UPLOAD_LENGTH, UPLOAD_METADATA, conclude};
use crate::http::body::{Body, empty};
use crate::http::error::Refusal;
use crate::http::{fields, sending};

/// The most parts of one upload.
const PARTS: usize = 256;

/// What `Upload-Concat` says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Concat {
    /// It will be a part.
    Partial,
    /// It is made of these.
    Final(Vec<UploadId>),
}

/// Reads `Upload-Concat`.
///
/// # Errors
/// `BadRequest` for what is neither `partial` nor `final;` with addresses of uploads here.
pub(super) fn read(headers: &HeaderMap) -> Result<Option<Concat>> {
    let Some(text) = fields::sole(headers, &UPLOAD_CONCAT)? else {
        return Ok(None);
    };
    if text == "partial" {
        return Ok(Some(Concat::Partial));
    }
    let urls = text
        .strip_prefix("final;")
        .ok_or_else(|| Error::bad_request("Upload-Concat is partial, or final; with addresses"))?;
    let parts = urls
        .split_ascii_whitespace()
        .map(id)
        .collect::<Result<Vec<_>>>()?;
    match parts.len() {
        1..=PARTS => Ok(Some(Concat::Final(parts))),
        0 => Err(Error::bad_request("Upload-Concat names no parts")),
        _ => Err(Error::bad_request("Upload-Concat names too many parts")),
    }
}

/// The id within an address, absolute or not: only what follows the door's own path counts, for
/// whoever stands between client and server may have changed what comes before.
fn id(address: &str) -> Result<UploadId> {
    let at = address.rfind(route::UPLOADS);
    let rest = at.and_then(|at| address.get(at + route::UPLOADS.len() + 1..));
    UploadId::parse(rest.unwrap_or_default())
}

/// Publishes the parts, one after another, at the target.
pub(super) async fn whole(
    asked: &Asked<'_>,
    parts: &[UploadId],
) -> Result<Response<Body>, Refusal> {
    let headers = &asked.head.headers;
    if headers.contains_key(UPLOAD_LENGTH) {
        return Err(Error::bad_request("a final upload has the length of its parts").into());
    }
    let length = lengths(asked, parts).await?;
    asked.within_limit(length)?;
    let metadata = fields::sole(headers, &UPLOAD_METADATA)?;
    let note = Note {
        manual: false,
        metadata: metadata.map(str::to_owned),
        concat: fields::sole(headers, &UPLOAD_CONCAT)?.map(str::to_owned),
    };
    let plan = WritePlan {
        parts: parts.to_vec(),
        // The list of parts may be longer than what is kept.
        note: Some(note.write().or_else(|_| {
            let concat = Some("final;".to_owned());
            Note {
                concat,
                ..note.clone()
            }
            .write()
        })?),
        ..plan(asked, Some(target(metadata)?)).await?
    };
    let upload = asked.view.begin(plan).await?;
    let state = upload.state().await?;
    let open = Open {
        upload,
        state,
        note,
    };
    let published = match conclude(asked, &open).await {
        Ok(published) => published,
        Err(error) => {
            // The parts stay, so that it can be asked for again.
            let _ = open.upload.discard().await;
            return Err(error.into());
        }
    };
    let mut response = Response::new(empty());
    *response.status_mut() = StatusCode::CREATED;
    fields::set(&mut response, header::LOCATION, &address(&open));
    if let Some(published) = published {
        sending::describe(&mut response, &published.entry);
    }
    Ok(response)
}

/// The length of the parts together.
///
/// # Errors
/// `UnknownUpload`; `BadRequest` for what was not begun as a part, or comes twice; `Incomplete`.
async fn lengths(asked: &Asked<'_>, parts: &[UploadId]) -> Result<u64, Refusal> {
    let mut sum = 0u64;
    for (n, part) in parts.iter().enumerate() {
        if parts.iter().take(n).any(|other| other == part) {
            return Err(Error::bad_request("a part comes twice").into());
        }
        let Held::Open(open) = asked.upload(part.as_str()).await? else {
            return Err(Error::new(ErrorKind::UnknownUpload).into());
        };
        if open.note.concat.as_deref() != Some("partial") {
            return Err(Error::bad_request("a part is begun with Upload-Concat: partial").into());
        }
        let length = open
            .state
            .length
            .ok_or(ErrorKind::Incomplete)
            .map_err(Error::new)?;
        if !open.state.arrived.covers(&(0..length)) {
            return Err(Error::new(ErrorKind::Incomplete).into());
        }
        sum = sum.saturating_add(length);
    }
    Ok(sum)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn concat(text: &str) -> Result<Option<Concat>> {
        let mut headers = HeaderMap::new();
        headers.insert(UPLOAD_CONCAT, HeaderValue::from_str(text).unwrap());
        read(&headers)
    }

    #[test]
    fn parts_are_named_by_their_addresses() {
        assert_eq!(read(&HeaderMap::new()).unwrap(), None);
        assert_eq!(concat("partial").unwrap(), Some(Concat::Partial));
        let (a, b) = ("0".repeat(32), "f".repeat(32));
        let text = format!("final;/.gaveta/uploads/{a} http://localhost:1/.gaveta/uploads/{b}");
        let ids = [&a, &b].map(|id| UploadId::parse(id).unwrap()).to_vec();
        assert_eq!(concat(&text).unwrap(), Some(Concat::Final(ids)));
        for bad in [
            "",
            "final",
            "final;",
            "final; ",
            "Partial",
            "final;x",
            "final;/.gaveta/uploads/",
            "final;/.gaveta/uploads",
            &format!("final;/.gaveta/uploads/{a}/commit"),
            &format!("final;/elsewhere/{a}"),
        ] {
            assert!(concat(bad).is_err(), "{bad}");
        }
        let many = format!(
            "final;{}",
            format!(" /.gaveta/uploads/{a}").repeat(PARTS + 1)
        );
        assert!(concat(&many).is_err());
    }
}
