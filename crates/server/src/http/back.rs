//! The way back from a form of the page.

/// A way back that leads nowhere else: a path of ours. None for anything else: `//host` and
/// `/\host` name hosts to a browser; a control character could end the field.
pub(super) fn way_back(text: &str) -> Option<&str> {
    let ours = text.starts_with('/')
        && !text.starts_with("//")
        && !text.contains('\\')
        && text.bytes().all(|byte| byte.is_ascii_graphic());
    ours.then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_back_leads_nowhere_else() {
        for good in ["/", "/a%20b/?sort=name", "/.gaveta/search?q=x"] {
            assert_eq!(way_back(good), Some(good));
        }
        for bad in [
            "",
            "a",
            "//evil.example",
            "/\\evil.example",
            "https://evil.example",
            "/a\r\nSet-Cookie: x=y",
            "/a b",
            "/\u{0}",
            "/é",
        ] {
            assert_eq!(way_back(bad), None, "{bad:?}");
        }
    }
}
