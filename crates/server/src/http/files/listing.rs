//! GET and HEAD of a folder: what it holds, streamed.

use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_core::Stream;
use futures_util::{StreamExt, stream};
use gaveta_core::listing::MAX_PAGE;
use gaveta_core::{Cursor, Error, ListPlan, Listed, Listing, Order, OrderBy, Result, Store};
use gaveta_wire::body::EndBody;
use gaveta_wire::url;
use http::header::{self, HeaderValue};
use http::{Response, StatusCode};

use super::accept::{Form, form};
use super::page::Page;
use super::render::{Json, Lines, Render};
use super::{Asked, Refusal, fields};
use crate::http::body::{Body, empty, stream as stream_body};
use crate::http::html::{Press, Who, language, own_page};

/// What is gathered before it is sent, in bytes. What is ready earlier leaves when the store
/// pauses.
const CHUNK: usize = 32 * 1024;
/// How many names that no client can use are shown.
const SHOWN: usize = 20;
/// The entries of a browser's page, unless it asks for another number.
pub(super) const PAGE: usize = 1000;

/// Answers with the list of a folder, in the form that the client prefers.
///
/// A failure before the first entry is an error's answer; a later one stands in the body, and
/// the connection is broken off, so that nobody takes a part for the whole.
pub(super) async fn list(asked: &Asked<'_>) -> Result<Response<Body>, Refusal> {
    let form = form(&asked.head.headers);
    let plan = plan(asked, form)?;
    if form == Form::Html && !asked.target.folder {
        return Ok(redirect(asked));
    }
    let mut listing = asked.view.list(asked.path(), plan.clone()).await?;
    let first = listing.next().await.transpose()?;
    let press = Press::wanted(&asked.head.headers).filter(|_| form == Form::Html);
    let pressed = press.is_some();
    let body = match asked.is_head() {
        true => empty(),
        false => {
            // What has ended is not asked again.
            let listing = match first {
                Some(first) => stream::iter([Ok(first)]).chain(listing).boxed(),
                None => stream::empty().boxed(),
            };
            stream_body(Box::pin(Rendered::new(asked, form, &plan, listing, press)))
        }
    };
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static(form.content_type()),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::VARY, HeaderValue::from_static("Accept"));
    if form == Form::Html {
        own_page(headers);
    }
    if pressed {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    Ok(response)
}

/// What was asked for. A person gets pages in order.
fn plan(asked: &Asked<'_>, form: Form) -> Result<ListPlan> {
    let mut plan = asked.query.list_plan()?;
    if form == Form::Html {
        plan.order.get_or_insert(Order {
            by: OrderBy::Name,
            descending: false,
        });
        plan.limit.get_or_insert(PAGE);
    }
    Ok(plan)
}

/// To the same folder with a slash at its end, for a page's links are relative to it. The path is
/// encoded again from its names, so it cannot lead to another host.
fn redirect(asked: &Asked<'_>) -> Response<Body> {
    let mut location = url::encode(asked.path(), true);
    if let Some(query) = asked.head.uri.query() {
        location.push('?');
        location.push_str(query);
    }
    let mut response = Response::new(empty());
    *response.status_mut() = StatusCode::PERMANENT_REDIRECT;
    fields::set(&mut response, header::LOCATION, &location);
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::VARY, HeaderValue::from_static("Accept"));
    response
}

/// A listing as bytes. Holds one chunk of text, whatever the folder's size.
struct Rendered {
    listing: Listing,
    render: Box<dyn Render>,
    /// What is ready to be sent.
    ready: Vec<u8>,
    order: Option<Order>,
    /// With so many entries the page is full, and there may be another one.
    full: u64,
    end: EndBody,
    state: State,
    press: Option<Press>,
}

enum State {
    Listing,
    /// All was rendered.
    Ended,
    /// It failed, the body says so, and that is to be on its way before the line is cut.
    Failing(Error),
    Cutting(Error),
    Done,
}

impl Rendered {
    fn new(
        asked: &Asked<'_>,
        form: Form,
        plan: &ListPlan,
        listing: Listing,
        press: Option<Press>,
    ) -> Self {
        let mut render: Box<dyn Render> = match form {
            Form::Json => Box::new(Json::default()),
            Form::Lines => Box::new(Lines),
            Form::Html => Box::new(Page::new(
                asked.path().clone(),
                plan.clone(),
                language(&asked.head.headers),
                Who::of(asked.view, asked.path()),
                asked.head.uri.query(),
            )),
        };
        let mut ready = Vec::new();
        render.head(asked.path(), &mut ready);
        Self {
            listing,
            render,
            ready,
            order: plan.order,
            full: plan.limit.unwrap_or(MAX_PAGE).min(MAX_PAGE) as u64,
            end: EndBody::default(),
            state: State::Listing,
            press,
        }
    }

    fn add(&mut self, listed: Listed) {
        match listed {
            Listed::Entry(entry) => {
                self.end.entries += 1;
                if let Some(order) = self.order
                    && self.end.entries == self.full
                {
                    self.end.next = Some(Cursor::of(&entry, order).to_string());
                }
                self.render.entry(&entry, &mut self.ready);
            }
            Listed::Unnameable { shown } => {
                self.end.unnameable += 1;
                if self.end.unnameable_shown.len() < SHOWN {
                    self.end.unnameable_shown.push(shown);
                }
            }
        }
    }

    fn send(&mut self) -> Poll<Option<Result<Bytes>>> {
        let mut ready = mem::take(&mut self.ready);
        if let Some(press) = &mut self.press {
            ready = press.piece(&ready);
            if matches!(self.state, State::Ended) {
                ready.extend(press.end());
            }
        }
        Poll::Ready(Some(Ok(Bytes::from(ready))))
    }
}

impl Stream for Rendered {
    type Item = Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        while matches!(self.state, State::Listing) && self.ready.len() < CHUNK {
            match self.listing.as_mut().poll_next(cx) {
                Poll::Ready(Some(Ok(listed))) => self.add(listed),
                Poll::Ready(Some(Err(error))) => {
                    let this = &mut *self;
                    this.render.failed(&error, &mut this.ready);
                    this.state = State::Failing(error);
                }
                Poll::Ready(None) => {
                    let this = &mut *self;
                    this.render.end(&this.end, &mut this.ready);
                    this.state = State::Ended;
                }
                Poll::Pending if self.ready.is_empty() => return Poll::Pending,
                Poll::Pending => break,
            }
        }
        if !self.ready.is_empty() {
            return self.send();
        }
        match mem::replace(&mut self.state, State::Done) {
            // The connection sends what it has whenever there is nothing new at once.
            State::Failing(error) => {
                self.state = State::Cutting(error);
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            State::Cutting(error) => Poll::Ready(Some(Err(error))),
            State::Listing | State::Ended | State::Done => Poll::Ready(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;
    use gaveta_core::{Entry, ErrorKind, Kind, Path, Version};
    use std::time::UNIX_EPOCH;

    fn entry(i: u64) -> Result<Listed> {
        Ok(Listed::Entry(Entry {
            path: Path::parse(&format!("folder/a name of some length {i}")).unwrap(),
            kind: Kind::File,
            size: i,
            modified: UNIX_EPOCH,
            version: Version::parse("v").unwrap(),
            digest: None,
            executable: false,
        }))
    }

    fn rendered(listing: Listing, plan: ListPlan) -> Rendered {
        Rendered {
            listing,
            render: Box::new(Lines),
            ready: Vec::new(),
            order: plan.order,
            full: plan.limit.unwrap_or(MAX_PAGE) as u64,
            end: EndBody::default(),
            state: State::Listing,
            press: None,
        }
    }

    #[tokio::test]
    async fn a_folder_of_any_size_is_one_small_chunk_at_a_time() {
        let listing = stream::iter((0..100_000).map(entry)).boxed();
        let mut rendered = rendered(listing, ListPlan::default());
        let (mut lines, mut most) = (0, 0);
        while let Some(chunk) = rendered.next().await {
            let chunk = chunk.unwrap();
            lines += chunk.iter().filter(|byte| **byte == b'\n').count();
            most = most.max(chunk.len());
        }
        assert_eq!(lines, 100_001);
        assert!((CHUNK..CHUNK + 1024).contains(&most), "{most}");
    }

    #[tokio::test]
    async fn what_is_there_leaves_before_what_is_not() {
        let listing = stream::iter((0..3).map(entry))
            .chain(stream::pending())
            .boxed();
        let mut rendered = rendered(listing, ListPlan::default());
        let first = rendered.next().await.unwrap().unwrap();
        assert_eq!(first.iter().filter(|byte| **byte == b'\n').count(), 3);
        assert!(rendered.next().now_or_never().is_none());
    }

    #[tokio::test]
    async fn a_failure_is_said_and_then_cuts() {
        let failure = stream::iter([entry(1), Err(Error::new(ErrorKind::Permission))]);
        let mut rendered = rendered(failure.boxed(), ListPlan::default());
        let said = rendered.next().await.unwrap().unwrap();
        assert!(String::from_utf8_lossy(&said).contains(r#"{"error":{"code":"permission""#));
        let cut = rendered.next().await.unwrap().unwrap_err();
        assert_eq!(cut.kind(), ErrorKind::Permission);
        assert!(rendered.next().await.is_none());
    }

    #[tokio::test]
    async fn names_that_cannot_be_used_are_counted_and_some_are_shown() {
        let odd = (0..50).map(|i| {
            Ok(Listed::Unnameable {
                shown: format!("\\xff{i}"),
            })
        });
        let mut rendered = rendered(stream::iter(odd).boxed(), ListPlan::default());
        let text = rendered.next().await.unwrap().unwrap();
        let end: serde_json::Value = serde_json::from_slice(&text).unwrap();
        assert_eq!(end["end"]["unnameable"], 50);
        assert_eq!(
            end["end"]["unnameable_shown"].as_array().unwrap().len(),
            SHOWN
        );
    }
}
