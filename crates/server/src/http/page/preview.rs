//! What cannot be shown as it is: Markdown as a page without any power, and PDF for the browser's
//! own viewer.

use futures_util::TryStreamExt;
use gaveta_core::{Error, ErrorKind, ReadPlan, Reading, Result, Store};
use gaveta_wire::url;
use http::header::{self, HeaderValue};
use http::{Method, Response};
use pulldown_cmark::{CowStr, Event, LinkType, Options, Parser, Tag, TagEnd};

use super::Asked;
use crate::http::body::{Body, empty, full, stream_exact};
use crate::http::fields;
use crate::http::html::language;

/// The largest Markdown file that is rendered, in bytes.
const MARKDOWN: u64 = 1024 * 1024;
/// The deepest nesting that is rendered: what is deeper becomes text.
const DEEPEST: usize = 64;

/// The look of rendered Markdown. It stands in the page, because a page in a sandbox has no origin
/// of its own to load it from; the policy names its digest.
const STYLE: &str = include_str!("../../../assets/markdown.css");

/// Answers with a file made fit to be seen in a frame of ours.
///
/// # Errors
/// Those of reading; `TooLarge` for too long a text; `Unsupported` for what needs no preview.
pub(super) async fn preview(asked: &Asked<'_>, rest: &str) -> Result<Response<Body>> {
    let target = url::parse(&format!("/{rest}"))?;
    let name = target.path.name().unwrap_or_default().to_lowercase();
    let reading = asked.view.read(&target.path, ReadPlan::default()).await?;
    if name.ends_with(".md") || name.ends_with(".markdown") {
        let size = reading.entry().size;
        if size > MARKDOWN {
            return Err(Error::at(ErrorKind::TooLarge, &target.path));
        }
        let pieces: Vec<bytes::Bytes> = reading.stream(0..size).try_collect().await?;
        let source = pieces.concat();
        return Ok(markdown(asked, &String::from_utf8_lossy(&source)));
    }
    if name.ends_with(".pdf") {
        return pdf(asked, &*reading).await;
    }
    Err(Error::at(ErrorKind::Unsupported, &target.path))
}

fn framed(response: &mut Response<Body>, kind: &'static str, policy: &str) {
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(
        header::X_FRAME_OPTIONS,
        HeaderValue::from_static("SAMEORIGIN"),
    );
    fields::set(response, header::CONTENT_SECURITY_POLICY, policy);
}

/// A PDF for the viewer of the browser, which keeps it apart from pages by itself and does not
/// work in a sandbox. What is no PDF is not given as one.
async fn pdf(asked: &Asked<'_>, reading: &dyn Reading) -> Result<Response<Body>> {
    let size = reading.entry().size;
    let first: Vec<bytes::Bytes> = reading.stream(0..size.min(5)).try_collect().await?;
    if first.concat() != b"%PDF-" {
        return Err(Error::at(ErrorKind::Unsupported, &reading.entry().path));
    }
    let mut response = Response::new(match asked.head.method == Method::HEAD {
        true => empty(),
        false => stream_exact(reading.stream(0..size), size),
    });
    response
        .headers_mut()
        .insert(header::CONTENT_LENGTH, HeaderValue::from(size));
    framed(&mut response, "application/pdf", "frame-ancestors 'self'");
    Ok(response)
}

fn markdown(asked: &Asked<'_>, source: &str) -> Response<Body> {
    let lang = language(&asked.head.headers).tag();
    let body = rendered(source);
    let text = format!(
        "<!doctype html>\n<html lang=\"{lang}\"><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>Markdown</title>\
         <style>{STYLE}</style>\n<body>{body}</body></html>\n"
    );
    let mut response = Response::new(full(text));
    framed(&mut response, "text/html; charset=utf-8", &policy());
    response
}

/// No script, no origin, nothing loaded; links open elsewhere, and only when a person follows one.
fn policy() -> String {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use sha2::Digest;
    let digest = STANDARD.encode(sha2::Sha256::digest(STYLE.as_bytes()));
    format!(
        "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; \
         style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
    )
}

/// Markdown as HTML that holds no more than Markdown can say: HTML in it is shown as text, links
/// lead to the web alone, pictures become their descriptions.
fn rendered(source: &str) -> String {
    let options = Options::ENABLE_TABLES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_FOOTNOTES;
    let mut depth = 0usize;
    let mut dropped = Vec::new();
    let events = Parser::new_ext(source, options).filter_map(|event| match event {
        Event::Html(text) | Event::InlineHtml(text) => Some(Event::Text(text)),
        Event::Start(tag) => {
            depth += 1;
            let tame = match tag {
                Tag::HtmlBlock | Tag::Image { .. } => None,
                _ if depth > DEEPEST => None,
                Tag::Link {
                    dest_url,
                    title,
                    id,
                    link_type,
                } => web(&dest_url, link_type).map(|dest_url| Tag::Link {
                    link_type: LinkType::Inline,
                    dest_url,
                    title,
                    id,
                }),
                tag => Some(tag),
            };
            dropped.push(tame.is_none());
            tame.map(Event::Start)
        }
        Event::End(end) => {
            depth = depth.saturating_sub(1);
            let kept = !dropped.pop().unwrap_or(true);
            (kept && end != TagEnd::HtmlBlock).then_some(Event::End(end))
        }
        event => Some(event),
    });
    let mut html = String::with_capacity(source.len() * 2);
    pulldown_cmark::html::push_html(&mut html, events);
    // Every link that is left was made here, and starts so.
    html.replace(
        "<a href=\"http",
        "<a target=\"_blank\" rel=\"noopener noreferrer nofollow\" href=\"http",
    )
}

/// An address on the web; none for every other scheme, and for what is relative to a page without
/// a place.
fn web<'a>(address: &str, kind: LinkType) -> Option<CowStr<'a>> {
    let lower = address.to_ascii_lowercase();
    let good = lower.starts_with("http://") || lower.starts_with("https://");
    (good && kind != LinkType::Email).then(|| {
        // The scheme in lower case, so that the link is known by it.
        let (scheme, rest) = address.split_at(address.find(':').unwrap_or(0));
        CowStr::from(format!("{}{rest}", scheme.to_ascii_lowercase()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markdown_says_what_it_says_and_no_more() {
        let html = rendered(
            "# T\n\n**b** [w](HTTPS://example.org/a?b&c) `x<y`\n\n- [x] done\n\n|a|b|\n|-|-|\n|1|2|\n",
        );
        for part in [
            "<h1>T</h1>",
            "<strong>b</strong>",
            "rel=\"noopener noreferrer nofollow\" href=\"https://example.org/a?b&amp;c\"",
            "<code>x&lt;y</code>",
            "<table>",
        ] {
            assert!(html.contains(part), "{part} in {html}");
        }
    }

    #[test]
    fn nothing_in_markdown_runs_or_loads() {
        let html = rendered(
            "<script>alert(1)</script>\n\n<img src=x onerror=alert(1)>\n\n\
             a <b onclick=alert(1)>b</b> [x](javascript:alert(1)) [y](JaVaScRiPt:alert(1))\n\
             [z](data:text/html,<script>alert(1)</script>) ![p](https://evil.example/p.png)\n\
             <javascript:alert(1)> [q](vbscript:x) [r](\"onmouseover=alert(1))\n\n\
             [s]: javascript:alert(1)\n\n[s] [t](http://a\"onmouseover=\"alert(1))\n",
        );
        for bad in [
            "<script",
            "<img",
            "<b ",
            "href=\"javascript",
            "href=\"data",
            "href=\"vb",
            "\"onmouseover",
        ] {
            assert!(!html.contains(bad), "{bad} in {html}");
        }
        assert!(html.contains("&lt;script&gt;"));
    }

    #[test]
    fn deep_nesting_is_no_harm() {
        for deep in [
            ">".repeat(50_000),
            "[".repeat(50_000),
            "- ".repeat(5_000),
            "*a ".repeat(20_000),
        ] {
            assert!(rendered(&deep).matches("<blockquote>").count() <= DEEPEST);
        }
    }
}
