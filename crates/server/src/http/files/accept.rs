//! Which form of a listing the client would like: RFC 9110, section 12.5.1.

use http::HeaderMap;

use crate::http::headers::{prefers_html, weight};

/// The form of a listing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// One JSON object, streamed.
    Json,
    /// One JSON object per line.
    Lines,
    /// A page for a browser.
    Html,
}

impl Form {
    /// Its `Content-Type`.
    pub(super) const fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Lines => "application/x-ndjson",
            Self::Html => "text/html; charset=utf-8",
        }
    }
}

/// The preferred form. A page or lines only for who names them and ranks them higher than JSON
/// (a page also as high); JSON also when nothing we have is acceptable: the client may still make
/// sense of it.
pub(super) fn form(headers: &HeaderMap) -> Form {
    let lines = weight(headers, Form::Lines.content_type());
    if prefers_html(headers).is_page() && weight(headers, "text/html") >= lines {
        Form::Html
    } else if lines > weight(headers, "application/json") {
        Form::Lines
    } else {
        Form::Json
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use http::header::ACCEPT;

    #[test]
    fn who_gets_what() {
        let table = [
            ("*/*", Form::Json),
            ("application/json", Form::Json),
            ("application/x-ndjson", Form::Lines),
            ("application/x-ndjson, */*", Form::Lines),
            ("application/x-ndjson, application/json", Form::Json),
            (
                "application/x-ndjson;q=0.9, application/json;q=0.8",
                Form::Lines,
            ),
            ("application/x-ndjson, text/html;q=0.9", Form::Lines),
            (
                "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
                Form::Html,
            ),
            ("text/html;q=0.5, application/json", Form::Json),
            ("text/html;q=0, */*", Form::Json),
            ("image/png", Form::Json),
            (",;,", Form::Json),
            ("", Form::Json),
        ];
        for (field, expected) in table {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT, HeaderValue::from_static(field));
            assert_eq!(form(&headers), expected, "{field}");
        }
        assert_eq!(form(&HeaderMap::new()), Form::Json);
    }
}
