//! Pages for whoever opens a share's link in a browser: no script, nothing loaded.

use gaveta_core::{Entry, Kind, Path};
use gaveta_text::{Lang, Text, escape};
use gaveta_wire::keys::DroppedBody;
use gaveta_wire::url;
use http::header::{self, HeaderMap};

use crate::drawer::keys::shares::Share;

/// What these pages carry: no script, no outside; a form goes back here alone.
pub(super) const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; \
     form-action 'self'; frame-ancestors 'none'";

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:40rem;\
padding:0 1rem;color-scheme:light dark}h1{overflow-wrap:anywhere;font-size:1.4rem}\
ul{list-style:none;padding:0}li{display:flex;gap:1rem;justify-content:space-between;\
padding:.3rem 0;border-bottom:1px solid #8884}li a{overflow-wrap:anywhere}\
.go,button{display:inline-block;padding:.6rem 1.2rem;border:1px solid;border-radius:.4rem;\
font:inherit;text-decoration:none}form p{margin:1rem 0}.done{border-left:4px solid #2a7;padding-left:1rem}";

/// The language of whoever asks.
#[derive(Debug)]
pub(super) struct Speaks(Text);

impl Speaks {
    /// By `Accept-Language` (RFC 9110, section 12.5.4): the first that we speak, in their order.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let asked = headers
            .get(header::ACCEPT_LANGUAGE)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        let first = asked
            .split(',')
            .filter_map(|range| Lang::parse(range.split(';').next()?.trim()))
            .next();
        Self(Text::new(first.unwrap_or(Lang::English)))
    }

    fn say(&self, key: &str, args: &[(&'static str, gaveta_text::Value)]) -> String {
        escape_html(&self.0.say(key, args))
    }
}

fn frame(title: &str, body: &str, speaks: &Speaks) -> String {
    format!(
        "<!doctype html>\n<html lang=\"{}\"><head><meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n\
         <meta name=\"robots\" content=\"noindex\">\n<title>{title}</title>\n\
         <style>{STYLE}</style></head>\n<body><main><h1><bdi>{title}</bdi></h1>\n{body}\
         </main></body></html>\n",
        speaks.0.lang().tag(),
    )
}

fn escape_html(text: &str) -> String {
    maud::html! { (text) }.into_string()
}

fn shown(name: &str) -> String {
    escape_html(&escape(name))
}

fn until(share: &Share, speaks: &Speaks) -> String {
    match share.expires {
        Some(expires) => {
            let time = speaks.0.time(expires).trim().to_owned();
            let said = speaks.say("share-page-until", &[("time", time.into())]);
            format!("<p>{said}</p>\n")
        }
        None => String::new(),
    }
}

/// A file to get.
pub(super) fn file(entry: &Entry, share: &Share, speaks: &Speaks) -> String {
    let name = entry.path.name().unwrap_or_default();
    let body = format!(
        "<p>{}</p>\n<p><a class=\"go\" href=\"./{}?download\">{}</a></p>\n{}",
        escape_html(&speaks.0.size(entry.size)),
        url::encode_name(name),
        speaks.say("share-page-get", &[]),
        until(share, speaks),
    );
    frame(&shown(name), &body, speaks)
}

/// A folder's list: one page of it.
pub(super) fn folder(
    at: &Path,
    share: &Share,
    entries: &[Entry],
    next: Option<&str>,
    speaks: &Speaks,
) -> String {
    let beneath = at.beneath(&share.path).unwrap_or_else(Path::root);
    let name = at.name().map_or_else(|| "/".to_owned(), shown);
    let mut body = String::new();
    if !beneath.is_root() {
        body.push_str("<p><a href=\"../\">../</a></p>\n");
    }
    body.push_str("<ul>\n");
    for entry in entries {
        let name = entry.path.name().unwrap_or_default();
        let (link, shown) = (url::encode_name(name), shown(name));
        let row = match entry.kind {
            Kind::File => format!(
                "<a href=\"./{link}\"><bdi>{shown}</bdi></a> <span>{}</span>",
                escape_html(&speaks.0.size(entry.size))
            ),
            Kind::Folder => format!("<a href=\"./{link}/\"><bdi>{shown}/</bdi></a>"),
            // Never opened, so not offered.
            Kind::Link | Kind::Special => continue,
        };
        body.push_str(&format!("<li>{row}</li>\n"));
    }
    body.push_str("</ul>\n");
    if entries.is_empty() {
        body.push_str(&format!("<p>{}</p>\n", speaks.say("share-page-empty", &[])));
    }
    if let Some(next) = next {
        body.push_str(&format!(
            "<p><a rel=\"next\" href=\"?after={}\">{}</a></p>\n",
            url::encode_name(next),
            speaks.say("share-page-more", &[])
        ));
    }
    if beneath.is_root() {
        body.push_str(&until(share, speaks));
    }
    frame(&name, &body, speaks)
}

/// Where files can be dropped; after some were, with what came.
pub(super) fn drop(share: &Share, dropped: Option<&DroppedBody>, speaks: &Speaks) -> String {
    let mut body = String::new();
    if let Some(dropped) = dropped {
        let args = [
            ("count", (dropped.received.len() as u64).into()),
            ("size", speaks.0.size(dropped.bytes).into()),
        ];
        body.push_str(&format!(
            "<div class=\"done\" role=\"status\"><p>{}</p>\n<ul>\n",
            speaks.say("share-page-received", &args)
        ));
        for name in dropped.received.iter().take(100) {
            body.push_str(&format!("<li><bdi>{}</bdi></li>\n", shown(name)));
        }
        body.push_str("</ul></div>\n");
    }
    body.push_str(&format!(
        "<p>{}</p>\n<form method=\"post\" action=\"./\" enctype=\"multipart/form-data\">\n\
         <p><label>{} <input type=\"file\" name=\"file\" multiple required></label></p>\n\
         <p><button type=\"submit\">{}</button></p>\n</form>\n{}",
        speaks.say("share-page-drop-what", &[]),
        speaks.say("share-page-choose", &[]),
        speaks.say("share-page-send", &[]),
        until(share, speaks),
    ));
    frame(&speaks.say("share-page-drop", &[]), &body, speaks)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_in_the_readers_language() {
        let lang = |accept: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_LANGUAGE, accept.parse().unwrap());
            Speaks::of(&headers).0.lang()
        };
        assert_eq!(lang("pt-BR,pt;q=0.9,en;q=0.8"), Lang::Portuguese);
        assert_eq!(lang("fr, en-GB;q=0.5, pt;q=0.1"), Lang::English);
        assert_eq!(lang(";;,,"), Lang::English);
        assert_eq!(Speaks::of(&HeaderMap::new()).0.lang(), Lang::English);
    }
}
