//! Header fields that more than one door gives or reads.

use std::borrow::Cow;

use super::html::{Wants, language};

use http::header::{self, HeaderMap, HeaderName, HeaderValue};

/// What every response carries, whatever it is: nothing of ours is guessed at, framed, embedded or
/// told on by another origin. A referrer stays within our origin: without one, a browser would send
/// `Origin: null` with every form (Fetch, "append a request Origin header").
const EVERYWHERE: [(HeaderName, &str); 4] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "same-origin"),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
    (header::X_FRAME_OPTIONS, "DENY"),
];

/// Sets what every response carries. What a door has set already stands: a preview may be framed by
/// our own page.
pub(crate) fn everywhere(headers: &mut HeaderMap) {
    for (name, value) in EVERYWHERE {
        headers
            .entry(name)
            .or_insert_with(|| HeaderValue::from_static(value));
    }
}

/// What the program that asks calls itself (RFC 9110, section 10.1.5); empty where it does not.
pub(crate) fn program(headers: &HeaderMap) -> Cow<'_, str> {
    let field = headers.get(header::USER_AGENT);
    field.map_or_else(Default::default, |name| {
        String::from_utf8_lossy(name.as_bytes())
    })
}

/// Sets what content of a user's carries: a browser shows it in a sandbox, without scripts,
/// without our origin and without loading anything.
pub(crate) fn user_content(headers: &mut HeaderMap) {
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("sandbox; default-src 'none'"),
    );
}

/// Would a browser run what it asks for, or take it for the look of a page (Fetch Metadata,
/// `Sec-Fetch-Dest`)? No file of the drawer is given for that: our scripts and styles lie
/// elsewhere, and files share our origin.
pub(crate) fn loads_code(headers: &HeaderMap) -> bool {
    const CODE: [&[u8]; 10] = [
        b"script",
        b"style",
        b"worker",
        b"sharedworker",
        b"serviceworker",
        b"audioworklet",
        b"paintworklet",
        b"xslt",
        b"object",
        b"embed",
    ];
    headers
        .get_all("sec-fetch-dest")
        .iter()
        .any(|dest| CODE.contains(&dest.as_bytes()))
}

/// Would the client rather have a page than JSON, and in which language? Only when it names
/// `text/html` and ranks it no lower than JSON (RFC 9110, section 12.5.1).
pub(crate) fn prefers_html(headers: &HeaderMap) -> Wants {
    let html = weight(headers, "text/html");
    match html > 0 && html >= weight(headers, "application/json") {
        true => Wants::Page(language(headers)),
        false => Wants::Json,
    }
}

/// The weight, in thousandths, of a media type that `Accept` names; 0 when it does not.
pub(crate) fn weight(headers: &HeaderMap, wanted: &str) -> u16 {
    headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|range| {
            let mut parts = range.split(';').map(str::trim);
            if !parts.next()?.eq_ignore_ascii_case(wanted) {
                return None;
            }
            let q = parts.find_map(|part| {
                let (name, value) = part.split_once('=')?;
                name.trim().eq_ignore_ascii_case("q").then(|| value.trim())
            });
            Some(q.map_or(1000, thousandths))
        })
        .max()
        .unwrap_or(0)
}

fn thousandths(q: &str) -> u16 {
    match q.parse::<f32>() {
        // Bounded above, so the cast keeps the value.
        Ok(q) if (0.0..=1.0).contains(&q) => (q * 1000.0).round() as u16,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_gets_a_page_and_a_program_json() {
        let prefers = |accept: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT, accept.parse().unwrap());
            prefers_html(&headers).is_page()
        };
        assert!(prefers(
            "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
        ));
        assert!(prefers("TEXT/HTML; q=0.5"));
        assert!(!prefers("*/*"));
        assert!(!prefers("application/json"));
        assert!(!prefers("application/json, text/html;q=0.9"));
        assert!(!prefers("text/html;q=0"));
        assert!(!prefers("text/html;q=nonsense"));
        assert!(!prefers_html(&HeaderMap::new()).is_page());
    }
}
