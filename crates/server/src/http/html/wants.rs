//! What somebody would like an answer to look like.

use gaveta_text::Lang;
use http::HeaderMap;
use http::header;

/// The cookie of the language switch. It holds a tag and nothing about anybody.
pub(crate) const LANGUAGE_COOKIE: &str = "gaveta-language";

/// A page in a language, or JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wants {
    /// JSON, for a program.
    Json,
    /// A page, for a person.
    Page(Lang),
    /// A page, for a person who came by a share's link: it leads nowhere into the drawer.
    Linked(Lang),
}

impl Wants {
    /// Is it a page?
    pub(crate) fn is_page(self) -> bool {
        matches!(self, Self::Page(_) | Self::Linked(_))
    }

    /// The same for whoever came by a link.
    pub(crate) fn by_a_link(self) -> Self {
        match self {
            Self::Page(lang) => Self::Linked(lang),
            other => other,
        }
    }
}

/// A page in English where the door knows no more than that it is to be a page.
impl From<bool> for Wants {
    fn from(page: bool) -> Self {
        match page {
            true => Self::Page(Lang::English),
            false => Self::Json,
        }
    }
}

/// The language of whoever asks: what was chosen on the page, else what the browser says, else
/// English.
pub(crate) fn language(headers: &HeaderMap) -> Lang {
    cookie(headers, LANGUAGE_COOKIE)
        .and_then(Lang::parse)
        .or_else(|| {
            let field = headers.get(header::ACCEPT_LANGUAGE)?.to_str().ok()?;
            Lang::accepted(field)
        })
        .unwrap_or(Lang::English)
}

/// The value of a cookie (RFC 6265, section 5.4), the first if there are several.
fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|field| field.to_str().ok())
        .flat_map(|field| field.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(known, _)| *known == name)
        .map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn the_switch_wins_over_the_browser() {
        let mut headers = HeaderMap::new();
        assert_eq!(language(&headers), Lang::English);
        headers.insert(
            header::ACCEPT_LANGUAGE,
            HeaderValue::from_static("pt-BR,en;q=0.5"),
        );
        assert_eq!(language(&headers), Lang::Portuguese);
        headers.append(
            header::COOKIE,
            HeaderValue::from_static("a=b; gaveta-language=en"),
        );
        assert_eq!(language(&headers), Lang::English);
        headers.insert(
            header::COOKIE,
            HeaderValue::from_static("gaveta-language=<script>"),
        );
        assert_eq!(language(&headers), Lang::Portuguese);
    }
}
