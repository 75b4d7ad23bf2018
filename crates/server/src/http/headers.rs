//! Header fields that more than one door gives or reads.

use http::header::{self, HeaderMap, HeaderName, HeaderValue};

/// What every response carries, whatever it is: nothing of ours is guessed at, framed, embedded or
/// told on by another origin.
const EVERYWHERE: [(HeaderName, &str); 4] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
    (header::X_FRAME_OPTIONS, "DENY"),
];

/// Sets what every response carries.
pub(crate) fn everywhere(headers: &mut HeaderMap) {
    for (name, value) in EVERYWHERE {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

/// Sets what content of a user's carries: a browser shows it in a sandbox, without scripts,
/// without our origin and without loading anything.
pub(crate) fn user_content(headers: &mut HeaderMap) {
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("sandbox; default-src 'none'"),
    );
}

/// Sets what a page of ours carries: no script, no outside; styles that stand in the page.
pub(crate) fn own_page(headers: &mut HeaderMap) {
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; \
             form-action 'none'; frame-ancestors 'none'",
        ),
    );
}

/// Would the client rather have a page than JSON? Only when it names `text/html` and ranks it no
/// lower than JSON (RFC 9110, section 12.5.1).
pub(crate) fn prefers_html(headers: &HeaderMap) -> bool {
    let html = weight(headers, "text/html");
    html > 0 && html >= weight(headers, "application/json")
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

/// A text that is safe within HTML, in text and in quoted attributes.
pub(crate) fn escape_html(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_gets_a_page_and_a_program_json() {
        let prefers = |accept: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT, accept.parse().unwrap());
            prefers_html(&headers)
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
        assert!(!prefers_html(&HeaderMap::new()));
    }

    #[test]
    fn nothing_leaves_its_place_in_html() {
        assert_eq!(
            escape_html(r#"<a b='c' d="e">&"#),
            "&lt;a b=&#39;c&#39; d=&quot;e&quot;&gt;&amp;"
        );
    }
}
