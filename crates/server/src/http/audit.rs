//! The audit log over the line, for whoever manages the server.

use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use gaveta_core::{Error, ErrorKind, Result};
use gaveta_wire::audit::AuditFilter;
use http::header::{self, HeaderValue};
use http::{Method, Request, Response};
use hyper::body::Incoming;
use tokio::time::{Instant, sleep};

use super::body::{Body, stream};
use super::content::refuse;
use super::error;
use super::headers::prefers_html;
use super::query::Query;
use crate::drawer::View;
use crate::drawer::audit::reading::AuditReader;

/// A piece of the answer, in bytes.
const PIECE: usize = 64 * 1024;
/// How often it is looked whether there is more, and how often a quiet line says it is there.
const LOOK: Duration = Duration::from_millis(250);
const QUIET: Duration = Duration::from_secs(10);

/// `GET /.gaveta/audit?since=…&account=…&path=…&operation=…&failed=true&follow=true`: the records
/// as lines of JSON, oldest first. With `follow` it goes on as they come, with an empty line now
/// and then. Ends when the account may no longer manage.
pub(crate) fn serve(request: Request<Incoming>, view: &View) -> Response<Body> {
    let html = prefers_html(request.headers());
    let head = request.method() == Method::HEAD;
    let query = Query::parse(request.uri().query());
    refuse(request);
    match begin(&query, view, head) {
        Ok(response) => response,
        Err(failed) => error::answer(&failed, html),
    }
}

fn begin(query: &Query, view: &View, head: bool) -> Result<Response<Body>> {
    view.manages()?;
    let path = view
        .audit()
        .path()
        .ok_or_else(|| Error::new(ErrorKind::NotFound).because("the audit log is off"))?
        .to_owned();
    let mut filter = AuditFilter::default();
    let mut follow = false;
    for (name, value) in query.pairs() {
        match name {
            "follow" => follow = value == "true",
            _ if filter.set(name, value)? => {}
            _ => return Err(Error::bad_request(format!("{name}: no such filter"))),
        }
    }
    let reading = Following {
        reader: Some(AuditReader::new(path, filter)),
        view: view.clone(),
        follow,
        quiet_since: Instant::now(),
    };
    let pieces = stream::try_unfold(reading, |mut reading| async move {
        Ok(reading.next().await?.map(|piece| (piece, reading)))
    });
    let mut response = Response::new(match head {
        true => super::body::empty(),
        false => stream(Box::pin(pieces)),
    });
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/x-ndjson"),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

struct Following {
    /// Away while a thread reads.
    reader: Option<AuditReader>,
    view: View,
    follow: bool,
    quiet_since: Instant,
}

impl Following {
    async fn next(&mut self) -> Result<Option<Bytes>> {
        loop {
            self.view.manages()?;
            let Some(mut reader) = self.reader.take() else {
                return Ok(None);
            };
            let read = tokio::task::spawn_blocking(move || {
                let piece = piece_of(&mut reader)?;
                Ok::<_, Error>((piece, reader))
            });
            let ((piece, more), reader) = read
                .await
                .map_err(|error| Error::new(ErrorKind::Io).because(error))??;
            self.reader = Some(reader);
            if !piece.is_empty() {
                self.quiet_since = Instant::now();
                return Ok(Some(Bytes::from(piece)));
            }
            if more {
                continue;
            }
            if !self.follow {
                return Ok(None);
            }
            if self.quiet_since.elapsed() >= QUIET {
                self.quiet_since = Instant::now();
                return Ok(Some(Bytes::from_static(b"\n")));
            }
            tokio::select! {
                () = sleep(LOOK) => {}
                () = self.view.pass().ended() => {}
            }
        }
    }
}

/// Lines for one piece, and whether there may be more at once.
fn piece_of(reader: &mut AuditReader) -> Result<(Vec<u8>, bool)> {
    let mut piece = Vec::new();
    while piece.len() < PIECE {
        match reader.next_record()? {
            Some(record) => {
                serde_json::to_writer(&mut piece, &record)
                    .map_err(|error| Error::new(ErrorKind::Io).because(error))?;
                piece.push(b'\n');
            }
            None => return Ok((piece, false)),
        }
    }
    Ok((piece, true))
}
