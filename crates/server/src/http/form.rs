//! Forms as browsers send them: fields in a small body, or files that stream.

use futures_util::TryStreamExt;
use gaveta_core::{Content, Error, ErrorKind, Result};
use http::{HeaderMap, Request, header};
use hyper::body::Incoming;
use multer::{Constraints, Multipart, SizeLimit};

use super::content::{Home, Lent, request_content, small_body};
use super::query::Query;

/// The longest body of a form without files, in bytes: the names of some thousand entries.
const SMALL: usize = 512 * 1024;
/// The longest value of a field that is no file, in bytes.
const VALUE: u64 = 8 * 1024;

/// The media types of forms (HTML, section 4.10.21.7).
const URLENCODED: &str = "application/x-www-form-urlencoded";
const MULTIPART: &str = "multipart/form-data";

/// A form's content, as it was sent.
#[derive(Debug)]
pub(crate) enum Form {
    /// Fields.
    Fields(Query),
    /// Fields and files, one after another.
    Parts(Parts),
}

/// The parts of a form with files. One part at a time is read; what is not taken of it is passed
/// over when the next is asked for.
#[derive(Debug)]
pub(crate) struct Parts(Multipart<'static>);

/// One part.
#[derive(Debug)]
pub(crate) enum Part {
    /// A field: its name and value.
    Field(String, String),
    /// A file: the name it has where it comes from, and what it holds. A browser sends a nameless,
    /// empty file where none was chosen; that is no part.
    File(String, Box<Contents>),
}

/// What a file of a form holds.
pub(crate) struct Contents(multer::Field<'static>);

impl std::fmt::Debug for Contents {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Contents")
    }
}

impl Contents {
    /// The bytes. They end with `TimedOut` when the peer makes no progress.
    pub(crate) fn content(self) -> Content {
        Box::pin(self.0.map_err(failed))
    }
}

/// Is this request surely sent by a page of ours? Those of elsewhere are refused before any door;
/// a form may only come from a browser that says where it comes from (the Fetch standard has it
/// send `Origin` with every POST), so that no older one is made to send what its user did not ask
/// for.
///
/// # Errors
/// `Denied`.
pub(crate) fn is_ours(headers: &HeaderMap) -> Result<()> {
    let says = headers.contains_key(header::ORIGIN) || headers.contains_key("sec-fetch-site");
    match says {
        true => Ok(()),
        false => Err(Error::new(ErrorKind::Denied)),
    }
}

/// Reads a form: its fields at once, its files as they are asked for.
///
/// # Errors
/// `BadRequest` for what is no form, `TooLarge` for too many fields, and those of the body.
pub(crate) async fn read(headers: &HeaderMap, body: Lent) -> Result<Form> {
    let kind = headers
        .get(header::CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok())
        .unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case(URLENCODED) {
        let bytes = small_body(body, SMALL).await?;
        let text =
            String::from_utf8(bytes).map_err(|_| Error::bad_request("no form: not UTF-8"))?;
        return Ok(Form::Fields(Query::parse(Some(&text))));
    }
    if !essence.eq_ignore_ascii_case(MULTIPART) {
        return Err(Error::bad_request("no form"));
    }
    let boundary = multer::parse_boundary(kind).map_err(failed)?;
    let (content, _) = request_content(body);
    Ok(Form::Parts(Parts::new(content, boundary)))
}

impl Parts {
    fn new(content: Content, boundary: String) -> Self {
        let limits = SizeLimit::new()
            .per_field(VALUE)
            .for_field("file", u64::MAX);
        let constraints = Constraints::new().size_limit(limits);
        Self(Multipart::with_constraints(content, boundary, constraints))
    }

    /// The next part; none after the last.
    ///
    /// # Errors
    /// `BadRequest` for what is no form; those of the body.
    pub(crate) async fn next(&mut self) -> Result<Option<Part>> {
        loop {
            let Some(field) = self.0.next_field().await.map_err(failed)? else {
                return Ok(None);
            };
            let name = field.name().unwrap_or_default().to_owned();
            match field.file_name().map(str::to_owned) {
                Some(file) if name == "file" && !file.is_empty() => {
                    return Ok(Some(Part::File(file, Box::new(Contents(field)))));
                }
                Some(_) => {}
                None if name == "file" => {}
                None => {
                    let value = field.text().await.map_err(failed)?;
                    return Ok(Some(Part::Field(name, value)));
                }
            }
        }
    }
}

/// Our own error where the body failed; else what is wrong with the form.
fn failed(error: multer::Error) -> Error {
    match error {
        multer::Error::StreamReadFailed(inner) => match inner.downcast::<Error>() {
            Ok(error) => *error,
            Err(inner) => Error::new(ErrorKind::Disconnected).because(inner),
        },
        multer::Error::FieldSizeExceeded { .. } | multer::Error::StreamSizeExceeded { .. } => {
            Error::new(ErrorKind::TooLarge)
        }
        // The body ended before the form did.
        multer::Error::IncompleteStream | multer::Error::IncompleteFieldData { .. } => {
            Error::new(ErrorKind::LengthMismatch)
        }
        other => Error::bad_request(format!("no form: {other}")),
    }
}

/// A request's body, lent, and its head.
pub(crate) fn apart(request: Request<Incoming>, home: &Home) -> (http::request::Parts, Lent) {
    let (head, body) = request.into_parts();
    (head, Lent::new(body, home))
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use futures_util::{StreamExt, stream};

    fn parts(body: &'static str, step: usize) -> Parts {
        let pieces: Vec<Result<Bytes>> = body
            .as_bytes()
            .chunks(step)
            .map(|piece| Ok(Bytes::from_static(piece)))
            .collect();
        Parts::new(stream::iter(pieces).boxed(), "B".to_owned())
    }

    const GOOD: &str = "--B\r\nContent-Disposition: form-data; name=\"taken\"\r\n\r\nskip\r\n\
        --B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"\"\r\n\
        Content-Type: application/octet-stream\r\n\r\n\r\n\
        --B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a b.txt\"\r\n\r\n\
        one\r\n--two\r\n--B--\r\n";

    #[tokio::test]
    async fn fields_and_files_come_one_after_another_however_the_body_is_cut() {
        for step in [1, 2, 7, 1000] {
            let mut parts = parts(GOOD, step);
            let first = parts.next().await.unwrap().unwrap();
            assert!(
                matches!(first, Part::Field(name, value) if name == "taken" && value == "skip")
            );
            let Some(Part::File(name, contents)) = parts.next().await.unwrap() else {
                panic!("no file")
            };
            assert_eq!(name, "a b.txt");
            let got: Vec<Bytes> = contents.content().try_collect().await.unwrap();
            assert_eq!(got.concat(), b"one\r\n--two");
            assert!(parts.next().await.unwrap().is_none());
        }
    }

    #[tokio::test]
    async fn a_form_that_is_cut_or_is_none_is_an_error() {
        let cut = GOOD.len() - 10;
        let mut short = parts(&GOOD[..cut], 50);
        short.next().await.unwrap();
        let Some(Part::File(_, contents)) = short.next().await.unwrap() else {
            panic!("no file")
        };
        let ended: Result<Vec<Bytes>> = contents.content().try_collect().await;
        assert_eq!(ended.unwrap_err().kind(), ErrorKind::LengthMismatch);
        for bad in ["", "nonsense", "--B\r\nno colon here\r\n\r\n"] {
            assert!(parts(bad, 10).next().await.is_err(), "{bad:?}");
        }
    }

    #[tokio::test]
    async fn a_field_is_short() {
        let long = format!(
            "--B\r\nContent-Disposition: form-data; name=\"taken\"\r\n\r\n{}\r\n--B--\r\n",
            "x".repeat(9000)
        );
        let mut parts = parts(Box::leak(long.into_boxed_str()), 4096);
        assert_eq!(parts.next().await.unwrap_err().kind(), ErrorKind::TooLarge);
    }
}
