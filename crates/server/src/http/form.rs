//! Forms as browsers send them: fields in a small body, or files that stream.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;

use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use gaveta_core::{AccountKind, Action, Content, Error, ErrorKind, Path, Result};
use http::{HeaderMap, Request, header};
use hyper::body::Incoming;
use multer::{Constraints, Field, Multipart, SizeLimit};

use super::content::{Home, Lent, request_content, small_body};
use super::query::Query;
use crate::drawer::View;

/// The longest body of a form without files, in bytes: the names of some thousand entries.
const SMALL: usize = 512 * 1024;
/// The longest value of a field that is no file, in bytes.
const VALUE: u64 = 8 * 1024;

/// The most that may come between two parts, or before the first: a part's head and what nobody
/// wants, in bytes.
const BETWEEN: usize = 64 * 1024;
/// The longest name of a file, with its way in it, and all those of one form together, in bytes.
const NAME: usize = 4 * 1024;
const NAMES: usize = 1024 * 1024;

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
pub(crate) struct Parts {
    multipart: Multipart<'static>,
    gate: Arc<Gate>,
    /// Bytes of names so far.
    named: usize,
}

/// What the parser may be given while it reads no part, in bytes; [`OPEN`] while it reads one. It
/// keeps what it has not understood yet, and looks through all of it whenever more comes.
#[derive(Debug)]
struct Gate {
    left: AtomicUsize,
    /// The part whose content was handed out and not read to its end.
    unread: Mutex<Option<Field<'static>>>,
}

const OPEN: usize = usize::MAX;

impl Gate {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            left: AtomicUsize::new(BETWEEN),
            unread: Mutex::default(),
        })
    }

    fn open(&self) {
        self.left.store(OPEN, Ordering::Relaxed);
    }

    fn close(&self) {
        self.left.store(BETWEEN, Ordering::Relaxed);
    }

    /// Lets a piece pass.
    ///
    /// # Errors
    /// `TooLarge`.
    fn pass(&self, length: usize) -> Result<()> {
        match self.left.load(Ordering::Relaxed) {
            OPEN => Ok(()),
            0 => Err(Error::new(ErrorKind::TooLarge)),
            left => {
                self.left
                    .store(left.saturating_sub(length), Ordering::Relaxed);
                Ok(())
            }
        }
    }
}

/// The content, one piece at a time: the parser takes all that it is given before it looks, so it
/// is given nothing more until it has looked.
fn piecemeal(mut content: Content, gate: Arc<Gate>) -> impl Stream<Item = Result<Bytes>> + Send {
    let mut rests = false;
    stream::poll_fn(move |cx| {
        if std::mem::take(&mut rests) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let next = std::task::ready!(content.poll_next_unpin(cx));
        rests = matches!(next, Some(Ok(_)));
        Poll::Ready(next.map(|piece| {
            let piece = piece?;
            gate.pass(piece.len()).map(|()| piece)
        }))
    })
}

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
pub(crate) struct Contents {
    field: Option<Field<'static>>,
    gate: Arc<Gate>,
}

impl std::fmt::Debug for Contents {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Contents")
    }
}

/// What was not read is passed over when the next part is asked for.
impl Drop for Contents {
    fn drop(&mut self) {
        let unread = self.field.take();
        *self
            .gate
            .unread
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = unread;
    }
}

impl Contents {
    /// The bytes. They end with `TimedOut` when the peer makes no progress.
    pub(crate) fn content(self) -> Content {
        let mut contents = self;
        Box::pin(stream::poll_fn(move |cx| {
            let Some(field) = &mut contents.field else {
                return Poll::Ready(None);
            };
            let next = std::task::ready!(field.poll_next_unpin(cx));
            if next.is_none() {
                contents.field = None;
                contents.gate.close();
            }
            Poll::Ready(next.map(|piece| piece.map_err(failed)))
        }))
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

/// May whoever sends files make any in this folder or beneath it? Asked before anything is read of
/// a form that has them.
///
/// # Errors
/// `SignInNeeded` for a visitor, else `Denied`.
pub(crate) fn may_send(headers: &HeaderMap, view: &View, folder: &Path) -> Result<()> {
    let account = view.account();
    if essence(headers).eq_ignore_ascii_case(URLENCODED)
        || account.grants().allow_within(Action::Create, folder)
    {
        return Ok(());
    }
    Err(Error::new(match account.kind() {
        AccountKind::Visitor => ErrorKind::SignInNeeded,
        _ => ErrorKind::Denied,
    }))
}

/// What the content says it is, without parameters.
fn essence(headers: &HeaderMap) -> &str {
    kind(headers).split(';').next().unwrap_or_default().trim()
}

fn kind(headers: &HeaderMap) -> &str {
    headers
        .get(header::CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok())
        .unwrap_or_default()
}

/// Reads the fields of a small form of ours.
///
/// # Errors
/// As [`is_ours`] and [`read`]; `BadRequest` for one with files.
pub(crate) async fn small(headers: &HeaderMap, body: Lent) -> Result<Query> {
    is_ours(headers)?;
    match read(headers, body).await? {
        Form::Fields(given) => Ok(given),
        Form::Parts(_) => Err(Error::bad_request("a small form")),
    }
}

/// Reads a form: its fields at once, its files as they are asked for.
///
/// # Errors
/// `BadRequest` for what is no form, `TooLarge` for too many fields, and those of the body.
pub(crate) async fn read(headers: &HeaderMap, body: Lent) -> Result<Form> {
    let (kind, essence) = (kind(headers), essence(headers));
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
        let gate = Gate::new();
        let content = piecemeal(content, Arc::clone(&gate));
        Self {
            multipart: Multipart::with_constraints(content, boundary, constraints),
            gate,
            named: 0,
        }
    }

    /// The next part; none after the last. Contents that are still held were read to their end.
    ///
    /// # Errors
    /// `BadRequest` for what is no form; `TooLarge` for too much around its parts, or too long
    /// names; those of the body.
    pub(crate) async fn next(&mut self) -> Result<Option<Part>> {
        let unread = self
            .gate
            .unread
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(field) = unread {
            self.pass_over(field, u64::MAX).await?;
        }
        loop {
            self.gate.close();
            let Some(field) = self.multipart.next_field().await.map_err(failed)? else {
                return Ok(None);
            };
            self.gate.open();
            let name = field.name().unwrap_or_default().to_owned();
            match field.file_name().map(str::to_owned) {
                Some(file) if name == "file" && !file.is_empty() => {
                    self.named = self.named.saturating_add(file.len());
                    if file.len() > NAME || self.named > NAMES {
                        return Err(Error::new(ErrorKind::TooLarge));
                    }
                    let contents = Contents {
                        field: Some(field),
                        gate: Arc::clone(&self.gate),
                    };
                    return Ok(Some(Part::File(file, Box::new(contents))));
                }
                None if name != "file" => {
                    let value = field.text().await.map_err(failed)?;
                    return Ok(Some(Part::Field(name, value)));
                }
                _ => self.pass_over(field, VALUE).await?,
            }
        }
    }

    /// Reads what is left of a part, at most so many bytes.
    async fn pass_over(&mut self, mut field: Field<'static>, most: u64) -> Result<()> {
        let mut passed = 0u64;
        while let Some(piece) = field.chunk().await.map_err(failed)? {
            passed = passed.saturating_add(piece.len() as u64);
            if passed > most {
                return Err(Error::new(ErrorKind::TooLarge));
            }
        }
        Ok(())
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
    use futures_util::TryStreamExt;
    use std::sync::atomic::AtomicU64;

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

    /// A body that begins so and goes on without end, and how much of it was asked for.
    fn endless(start: &'static str, piece: &'static [u8]) -> (Parts, Arc<AtomicU64>) {
        let asked = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&asked);
        let first = stream::iter([Ok(Bytes::from_static(start.as_bytes()))]);
        let rest = stream::repeat_with(move || {
            let before = counter.fetch_add(piece.len() as u64, Ordering::Relaxed);
            match before < 64 * 1024 * 1024 {
                true => Ok(Bytes::from_static(piece)),
                false => Err(Error::new(ErrorKind::Io)),
            }
        });
        let parts = Parts::new(first.chain(rest).boxed(), "B".to_owned());
        (parts, asked)
    }

    const FILE: &str =
        "--B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\nx\r\n";

    #[tokio::test]
    async fn nothing_endless_around_parts_is_taken() {
        let heads = [
            "",
            "no boundary",
            "--B\r\nContent-Disposition: form-data; name=\"",
            "--B\r\nX: ",
            "--B",
        ];
        for head in heads {
            let (mut parts, asked) = endless(head, &[b'x'; 8192]);
            assert!(parts.next().await.is_err(), "{head:?}");
            assert!(asked.load(Ordering::Relaxed) <= 80 * 1024, "{head:?}");
        }
        // Also after a file of which nobody read anything, and after one that was read.
        for reads in [false, true] {
            let start: &'static str = Box::leak(format!("{FILE}--B\r\nX: ").into_boxed_str());
            let (mut parts, asked) = endless(start, &[b'x'; 8192]);
            let Some(Part::File(_, contents)) = parts.next().await.unwrap() else {
                panic!("no file")
            };
            match reads {
                true => {
                    let got: Vec<Bytes> = contents.content().try_collect().await.unwrap();
                    assert_eq!(got.concat(), b"x");
                }
                false => std::mem::drop(contents),
            }
            assert_eq!(parts.next().await.unwrap_err().kind(), ErrorKind::TooLarge);
            assert!(asked.load(Ordering::Relaxed) <= 80 * 1024);
        }
    }

    #[tokio::test]
    async fn a_file_that_nobody_reads_is_passed_over_and_one_without_a_name_is_short() {
        let long = "x".repeat(300_000);
        let body = format!(
            "--B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\n{long}\r\n\
             --B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"b\"\r\n\r\n{long}\r\n\
             --B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"\"\r\n\r\n{long}\r\n--B--\r\n"
        );
        let mut parts = parts(Box::leak(body.into_boxed_str()), 4096);
        for expected in ["a", "b"] {
            let Some(Part::File(name, contents)) = parts.next().await.unwrap() else {
                panic!("no file")
            };
            assert_eq!(name, expected);
            // The second is read in part.
            if name == "b" {
                let mut content = contents.content();
                content.next().await.unwrap().unwrap();
            }
        }
        assert_eq!(parts.next().await.unwrap_err().kind(), ErrorKind::TooLarge);
    }

    #[tokio::test]
    async fn names_are_bounded_alone_and_together() {
        let part = |name: &str| FILE.replace("filename=\"a\"", &format!("filename=\"{name}\""));
        let long = part(&"n".repeat(NAME + 1)) + "--B--";
        let mut one = parts(Box::leak(long.into_boxed_str()), 4096);
        assert_eq!(one.next().await.unwrap_err().kind(), ErrorKind::TooLarge);
        let many = part(&"n".repeat(NAME)).repeat(NAMES / NAME + 1) + "--B--";
        let mut all = parts(Box::leak(many.into_boxed_str()), 64 * 1024);
        for _ in 0..NAMES / NAME {
            assert!(matches!(all.next().await, Ok(Some(Part::File(..)))));
        }
        assert_eq!(all.next().await.unwrap_err().kind(), ErrorKind::TooLarge);
    }
}
