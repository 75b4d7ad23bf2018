//! What pages load.

use gaveta_core::{Error, ErrorKind, Result};
use http::header::{self, HeaderValue};
use http::{Method, Response};

use super::{Asked, files};
use crate::http::body::{Body, empty, full};
use crate::http::fields;
use crate::http::html::accepts_gzip;

/// Answers with an asset. Under its own address it never changes.
pub(super) fn asset(asked: &Asked<'_>, rest: &str) -> Result<Response<Body>> {
    let (asset, lasting) = files::find(rest).ok_or_else(|| Error::new(ErrorKind::NotFound))?;
    let pressed = asset
        .pressed
        .as_ref()
        .filter(|_| accepts_gzip(&asked.head.headers));
    let bytes = pressed.unwrap_or(&asset.plain).clone();
    let length = bytes.len();
    let mut response = Response::new(match asked.head.method == Method::HEAD {
        true => empty(),
        false => full(bytes),
    });
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    headers.insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(asset.media));
    headers.insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static(match lasting {
            true => "public, max-age=31536000, immutable",
            false => "no-store",
        }),
    );
    if pressed.is_some() {
        fields::set(&mut response, header::CONTENT_ENCODING, "gzip");
    }
    Ok(response)
}
