//! POST to `…/commit`: the upload is published.

use gaveta_core::{Error, Result, Seal};
use http::Response;

use super::{Asked, Held, digest, gone, publish};
use crate::http::body::Body;
use crate::http::error::Refusal;

/// Publishes: 201 or 200 as a PUT, with the entry. A failure leaves the upload usable.
pub(super) async fn commit(asked: &Asked<'_>, id: &str) -> Result<Response<Body>, Refusal> {
    let promised = digest::promised(&asked.head.headers)?;
    if promised.sha256.is_some() && promised.blake3.is_none() {
        return Err(Error::bad_request("a commit compares the digest blake3").into());
    }
    let open = match asked.upload(id).await? {
        Held::Open(open) => open,
        Held::Finished(finished) => return Ok(gone(asked.head, &finished)),
    };
    let Some(target) = open.state.target.clone() else {
        return Err(Error::bad_request("a part is published with the whole").into());
    };
    let seal = Seal {
        length: None,
        digest: promised.blake3,
    };
    let published = publish(asked, &open, &target, seal).await?;
    Ok(published.answer(asked.head))
}
