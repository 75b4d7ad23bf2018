//! The prefix under which a proxy serves us.

use gaveta_wire::route;
use http::header::{self, HeaderValue};
use http::uri::PathAndQuery;
use http::{HeaderMap, Request, Uri};

/// A prefix that every path begins with, outside: `/files`, without a slash at its end; empty for
/// none. The proxy hands paths on as they are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BasePath(String);

/// The text is no prefix of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoBasePath;

impl std::fmt::Display for NoBasePath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("/files, /a/b")
    }
}

impl std::error::Error for NoBasePath {}

impl std::str::FromStr for BasePath {
    type Err = NoBasePath;

    /// Names of letters, digits and `-._~`, none of them `.` or `..` or the reserved one.
    fn from_str(text: &str) -> Result<Self, NoBasePath> {
        let bare = text.trim_matches('/');
        let names = bare.split('/').filter(|_| !bare.is_empty());
        for name in names {
            if !route::is_in_base(name) {
                return Err(NoBasePath);
            }
        }
        Ok(Self(match bare {
            "" => String::new(),
            bare => format!("/{bare}"),
        }))
    }
}

tokio::task_local! {
    static HERE: BasePath;
}

/// Answers a request that came beneath this prefix: whatever is said meanwhile, [`here`] is it.
pub(super) async fn within<F: Future>(base: BasePath, answer: F) -> F::Output {
    HERE.scope(base, answer).await
}

/// The prefix beneath which the request came that is being answered. What is made later, while the
/// answer leaves, must have asked before.
pub(super) fn here() -> BasePath {
    HERE.try_with(BasePath::clone).unwrap_or_default()
}

impl BasePath {
    /// An address of ours as a browser asks for it: this prefix, then the path.
    pub(super) fn link(&self, path: &str) -> String {
        format!("{}{path}", self.0)
    }

    /// As it stands in a URL: `/files`, or nothing.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Takes the prefix off a request's target. None when the target is not beneath it; the bare
    /// prefix is a target that lacks its slash.
    pub(super) fn take_off<B>(&self, request: &mut Request<B>) -> Option<Within> {
        if self.0.is_empty() || request.uri().path() == "*" {
            return Some(Within::Target);
        }
        let target = request.uri().path_and_query()?.as_str();
        let rest = target.strip_prefix(&self.0)?;
        if rest.is_empty() || rest.starts_with('?') {
            return Some(Within::Bare);
        }
        let rest: PathAndQuery = rest.starts_with('/').then(|| rest.parse().ok())??;
        let mut parts = request.uri().clone().into_parts();
        parts.path_and_query = Some(rest);
        *request.uri_mut() = Uri::from_parts(parts).ok()?;
        Some(Within::Target)
    }

    /// Puts the prefix before a `Location` of ours.
    pub(super) fn put_on(&self, headers: &mut HeaderMap) {
        if self.0.is_empty() {
            return;
        }
        let Some(location) = headers.get(header::LOCATION).and_then(|v| v.to_str().ok()) else {
            return;
        };
        if location.starts_with('/')
            && !location.starts_with("//")
            && let Ok(outside) = HeaderValue::try_from(format!("{}{location}", self.0))
        {
            headers.insert(header::LOCATION, outside);
        }
    }
}

/// What is left of a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Within {
    /// A target.
    Target,
    /// The prefix alone, without the slash that makes it a folder.
    Bare,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_are_plain_names() {
        for (text, base) in [
            ("", ""),
            ("/", ""),
            ("files", "/files"),
            ("/files/", "/files"),
            ("/a/b", "/a/b"),
        ] {
            assert_eq!(text.parse::<BasePath>().unwrap().as_str(), base, "{text}");
        }
        for bad in [
            "/a//b",
            "/..",
            "/a/./b",
            "/.gaveta",
            "/a b",
            "/a?b",
            "/%41",
            "http://x/",
        ] {
            assert_eq!(bad.parse::<BasePath>(), Err(NoBasePath), "{bad}");
        }
    }

    #[test]
    fn targets_lie_beneath_it_by_whole_names() {
        let base: BasePath = "/files".parse().unwrap();
        let taken = |target: &str| {
            let mut request = Request::get(target).body(()).unwrap();
            let within = base.take_off(&mut request)?;
            Some((within, request.uri().to_string()))
        };
        let target = |text: &str| Some((Within::Target, text.to_owned()));
        assert_eq!(taken("/files/"), target("/"));
        assert_eq!(taken("/files/a%20b?x=1"), target("/a%20b?x=1"));
        assert_eq!(
            taken("/files?x").map(|(within, _)| within),
            Some(Within::Bare)
        );
        assert_eq!(taken("/files2/a"), None);
        assert_eq!(taken("/a"), None);
        assert_eq!(taken("http://h/files/a"), target("http://h/a"));
    }

    #[test]
    fn places_are_told_with_it() {
        let base: BasePath = "/files".parse().unwrap();
        for (given, told) in [
            ("/a", "/files/a"),
            ("https://h/a", "https://h/a"),
            ("//h/a", "//h/a"),
            ("a/", "a/"),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::LOCATION, HeaderValue::from_static(given));
            base.put_on(&mut headers);
            assert_eq!(headers[header::LOCATION], told);
        }
    }
}
