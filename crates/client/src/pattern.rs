//! Names with wildcards, matched by ourselves on every system and on both sides.
//!
//! `*` any characters of a name, `?` one, `[a-z]` and `[!a-z]` one of some, `**` as a whole name
//! any folders, also none. As in a shell, a name that begins with a dot is only matched by a
//! pattern that begins with one, and a `[` that is never closed means itself. An entry whose name
//! is the pattern letter by letter comes before all of this: see [`matches()`].

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::StreamExt;
use gaveta_core::{Entry, Error, ErrorKind, ListPlan, Listed, Path, Result, Store};

/// The most entries one pattern may match. Bounds memory.
pub const MAX_MATCHES: usize = 1_000_000;

/// A path with wildcards.
#[derive(Debug, Clone)]
pub struct Pattern {
    typed: String,
    /// The folders before the first wildcard.
    base: Path,
    rest: Arc<[Part]>,
}

#[derive(Debug, Clone)]
pub(crate) enum Part {
    /// `**`
    AnyFolders,
    /// A name without wildcards.
    Name(String),
    Glob(Glob),
}

impl Pattern {
    /// Parses a path without leading or trailing slash; none when nothing in it is a wildcard.
    ///
    /// # Errors
    /// `BadPath` for `..`, an empty or a reserved name.
    pub fn parse(text: &str) -> Result<Option<Self>> {
        if !is_wild(text) {
            return Ok(None);
        }
        // Wildcards are ordinary characters of a name, so the pattern itself must be a path.
        Path::parse(text)?;
        let mut base = Path::root();
        let mut rest = Vec::new();
        for name in text.split('/') {
            if rest.is_empty() && !is_wild(name) {
                base = base.join(name)?;
            } else {
                rest.push(Part::parse(name));
            }
        }
        Ok(Some(Self {
            typed: text.to_owned(),
            base,
            rest: rest.into(),
        }))
    }
}

impl Part {
    pub(crate) fn parse(name: &str) -> Self {
        if name == "**" {
            Self::AnyFolders
        } else if is_wild(name) {
            Self::Glob(Glob::parse(name))
        } else {
            Self::Name(name.to_owned())
        }
    }

    fn fits(&self, name: &str) -> bool {
        match self {
            Self::AnyFolders => !name.starts_with('.'),
            Self::Name(literal) => literal == name,
            Self::Glob(glob) => glob.fits(name),
        }
    }

    /// As a name of a listing is matched, but a dot in front is a letter as any other.
    pub(crate) fn fits_dots(&self, name: &str) -> bool {
        match self {
            Self::AnyFolders => true,
            Self::Name(literal) => literal == name,
            Self::Glob(glob) => glob.fits_dots(name),
        }
    }
}

/// The wildcards of one name.
#[derive(Debug, Clone)]
pub(crate) struct Glob(Vec<Token>);

#[derive(Debug, Clone, PartialEq)]
enum Token {
    One(char),
    Any,
    Many,
    Class { not: bool, spans: Vec<(char, char)> },
}

impl Token {
    fn takes(&self, c: char) -> bool {
        match self {
            Self::One(own) => *own == c,
            Self::Any => true,
            Self::Many => false,
            Self::Class { not, spans } => {
                spans.iter().any(|(from, to)| (*from..=*to).contains(&c)) != *not
            }
        }
    }
}

impl Glob {
    fn parse(name: &str) -> Self {
        let mut tokens = Vec::new();
        let mut rest = name;
        while let Some(c) = rest.chars().next() {
            let tail = rest.get(c.len_utf8()..).unwrap_or_default();
            rest = match (c, class(tail)) {
                ('*', _) => {
                    if tokens.last() != Some(&Token::Many) {
                        tokens.push(Token::Many);
                    }
                    tail
                }
                ('?', _) => {
                    tokens.push(Token::Any);
                    tail
                }
                ('[', Some((token, after))) => {
                    tokens.push(token);
                    after
                }
                (c, _) => {
                    tokens.push(Token::One(c));
                    tail
                }
            };
        }
        Self(tokens)
    }

    fn fits(&self, name: &str) -> bool {
        (!name.starts_with('.') || self.0.first() == Some(&Token::One('.'))) && self.fits_dots(name)
    }

    /// As the shell would, but a dot in front is a letter as any other.
    ///
    /// Takes time in the product of both lengths at most: only the last `*` is ever gone back to.
    fn fits_dots(&self, name: &str) -> bool {
        let name: Vec<char> = name.chars().collect();
        let (mut at, mut token) = (0, 0);
        let mut back: Option<(usize, usize)> = None;
        while let Some(c) = name.get(at) {
            match self.0.get(token) {
                Some(Token::Many) => {
                    back = Some((at, token));
                    token += 1;
                }
                Some(one) if one.takes(*c) => {
                    at += 1;
                    token += 1;
                }
                _ => match &mut back {
                    Some((start, many)) => {
                        *start += 1;
                        at = *start;
                        token = *many + 1;
                    }
                    None => return false,
                },
            }
        }
        self.0.iter().skip(token).all(|token| *token == Token::Many)
    }
}

/// What stands between `[` and `]`, and what comes after it; none when it is not closed.
fn class(text: &str) -> Option<(Token, &str)> {
    let (not, body) = match text.strip_prefix(['!', '^']) {
        Some(body) => (true, body),
        None => (false, text),
    };
    // A `]` that comes first means itself.
    let skip = usize::from(body.starts_with(']'));
    let end = skip + body.get(skip..)?.find(']')?;
    let chars: Vec<char> = body.get(..end)?.chars().collect();
    let mut spans = Vec::new();
    let mut rest = chars.as_slice();
    loop {
        rest = match rest {
            [from, '-', to, tail @ ..] => {
                spans.push((*from, *to));
                tail
            }
            [one, tail @ ..] => {
                spans.push((*one, *one));
                tail
            }
            [] => break,
        };
    }
    Some((Token::Class { not, spans }, body.get(end + 1..)?))
}

/// Does the text hold a wildcard?
pub fn is_wild(text: &str) -> bool {
    text.contains(['*', '?'])
        || text.split('/').any(|name| {
            name.match_indices('[')
                .any(|(at, _)| name.get(at + 1..).is_some_and(|rest| class(rest).is_some()))
        })
}

/// Everything in the store that the pattern names, sorted by path.
///
/// An entry whose path is the pattern letter by letter is the only match: so a file called `a[1]`
/// can be named, and `rm '*'` where a file `*` lies removes only that.
///
/// # Errors
/// `NotFound` when nothing matches, `TooLarge` over [`MAX_MATCHES`], and what listing ends with. A
/// folder that goes away meanwhile is passed over.
pub async fn matches(store: &dyn Store, pattern: &Pattern) -> Result<Vec<Entry>> {
    if let Ok(path) = Path::parse(&pattern.typed)
        && let Ok(entry) = store.stat(&path).await
    {
        return Ok(vec![entry]);
    }
    let none = || Error::new(ErrorKind::NotFound).about_text(pattern.typed.clone());
    let mut found = BTreeMap::new();
    let mut folders = vec![(pattern.base.clone(), 0)];
    // With several `**` one folder may be reached in several ways; once is enough.
    let mut seen = std::collections::BTreeSet::new();
    let mut first = true;
    while let Some((folder, index)) = folders.pop() {
        if !seen.insert((folder.clone(), index)) {
            continue;
        }
        let Some(part) = pattern.rest.get(index) else {
            continue;
        };
        let last = index + 1 == pattern.rest.len();
        if matches!(part, Part::AnyFolders) && !last {
            folders.push((folder.clone(), index + 1));
        }
        if let Part::Name(name) = part {
            let path = folder.join(name)?;
            if !last {
                folders.push((path, index + 1));
            } else if let Ok(entry) = store.stat(&path).await {
                found.insert(path, entry);
            }
            continue;
        }
        let mut listing = match store.list(&folder, ListPlan::default()).await {
            Ok(listing) => listing,
            Err(error) if !first && is_gone(error.kind()) => continue,
            Err(error) if first && is_gone(error.kind()) => return Err(none()),
            Err(error) => return Err(error),
        };
        first = false;
        while let Some(listed) = listing.next().await {
            let Listed::Entry(entry) = listed? else {
                continue;
            };
            if !entry.path.name().is_some_and(|name| part.fits(name)) {
                continue;
            }
            if entry.is_folder() {
                if matches!(part, Part::AnyFolders) {
                    folders.push((entry.path.clone(), index));
                } else if !last {
                    folders.push((entry.path.clone(), index + 1));
                }
            }
            if last {
                found.insert(entry.path.clone(), entry);
            }
            if found.len().max(folders.len()) > MAX_MATCHES {
                return Err(Error::new(ErrorKind::TooLarge).about_text(pattern.typed.clone()));
            }
        }
    }
    if found.is_empty() {
        Err(none())
    } else {
        Ok(found.into_values().collect())
    }
}

/// Leaves out what lies beneath another match: a folder goes whole anyway.
pub fn outermost(sorted: Vec<Entry>) -> Vec<Entry> {
    let mut kept: Vec<Entry> = Vec::with_capacity(sorted.len());
    let mut folders: std::collections::HashSet<Path> = std::collections::HashSet::new();
    for entry in sorted {
        let mut above = entry.path.parent();
        let covered = loop {
            match above {
                None => break false,
                Some(path) if folders.contains(&path) => break true,
                Some(path) => above = path.parent(),
            }
        };
        if !covered {
            if entry.is_folder() {
                folders.insert(entry.path.clone());
            }
            kept.push(entry);
        }
    }
    kept
}

fn is_gone(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::NotFound | ErrorKind::NotFolder)
}

#[cfg(test)]
mod tests {
    use super::*;
    use gaveta_core::{Account, Owner, Seal, WritePlan};
    use gaveta_testkit::MemoryStore;

    async fn tree(paths: &[&str]) -> Arc<dyn Store> {
        let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
        for path in paths {
            match path.strip_suffix('/') {
                Some(folder) => {
                    store
                        .make_folder(&Path::parse(folder).unwrap())
                        .await
                        .unwrap();
                }
                None => {
                    let plan =
                        WritePlan::new(Path::parse(path).unwrap(), Owner::of(Account::VISITOR));
                    let upload = store.begin(plan).await.unwrap();
                    upload.commit(Seal::default()).await.unwrap();
                }
            }
        }
        store
    }

    async fn expand(store: &dyn Store, text: &str) -> Vec<String> {
        let pattern = Pattern::parse(text).unwrap().unwrap();
        match matches(store, &pattern).await {
            Ok(entries) => entries.iter().map(|e| e.path.as_str().to_owned()).collect(),
            Err(error) => vec![error.kind().code().to_owned()],
        }
    }

    #[tokio::test]
    async fn patterns_match_as_in_a_shell() {
        let store = tree(&[
            "a.txt",
            "b.txt",
            "c.rs",
            ".hidden.txt",
            "é|x.txt",
            "d/e.txt",
            "d/f/g.txt",
            "d/f/h.rs",
            "empty/",
            "x[1]",
            "x1",
        ])
        .await;
        for (pattern, expected) in [
            ("*.txt", vec!["a.txt", "b.txt", "é|x.txt"]),
            (".*", vec![".hidden.txt"]),
            ("?.rs", vec!["c.rs"]),
            ("[ab].txt", vec!["a.txt", "b.txt"]),
            ("[!a].txt", vec!["b.txt"]),
            ("?|x.txt", vec!["é|x.txt"]),
            ("[à-ü]*.txt", vec!["é|x.txt"]),
            ("d/*", vec!["d/e.txt", "d/f"]),
            ("d/*/*.rs", vec!["d/f/h.rs"]),
            ("*/f/g.txt", vec!["d/f/g.txt"]),
            (
                "**/*.txt",
                vec!["a.txt", "b.txt", "d/e.txt", "d/f/g.txt", "é|x.txt"],
            ),
            ("d/**", vec!["d/e.txt", "d/f", "d/f/g.txt", "d/f/h.rs"]),
            ("**/**/h.rs", vec!["d/f/h.rs"]),
            ("x[1]", vec!["x[1]"]),
            ("*.nothing", vec!["not-found"]),
            ("nowhere/*", vec!["not-found"]),
            ("a.txt/*", vec!["not-found"]),
        ] {
            assert_eq!(expand(&*store, pattern).await, expected, "{pattern}");
        }
    }

    #[tokio::test]
    async fn what_lies_in_a_matched_folder_is_not_matched_twice() {
        let store = tree(&["d/e/f", "d/g", "d-x", "h"]).await;
        let pattern = Pattern::parse("**").unwrap().unwrap();
        let kept = outermost(matches(&*store, &pattern).await.unwrap());
        let kept: Vec<_> = kept.iter().map(|e| e.path.as_str()).collect();
        assert_eq!(kept, ["d", "d-x", "h"]);
    }

    #[test]
    fn what_is_no_pattern_is_none() {
        for bad in ["*/../x", "*//x", ".gaveta/*", "*/.GAVETA"] {
            assert!(Pattern::parse(bad).is_err(), "{bad}");
        }
        for plain in ["plain/name", "a[", "a]b", "[]", "[!]", "a[/b]"] {
            assert!(Pattern::parse(plain).unwrap().is_none(), "{plain}");
        }
    }

    #[test]
    fn one_name_against_one_glob() {
        for (glob, name, fits) in [
            ("*", "", true),
            ("*", ".a", false),
            (".*", ".a", true),
            ("a*b*c", "axxbyyc", true),
            ("a*b*c", "axxbyy", false),
            ("*a", "aaaa", true),
            ("[]a]", "]", true),
            ("[!]a]", "b", true),
            ("[a-]", "-", true),
            ("[^a-c]x", "dx", true),
            ("[^a-c]x", "bx", false),
            ("a[b", "a[b", true),
        ] {
            assert_eq!(Glob::parse(glob).fits(name), fits, "{glob} {name}");
        }
        // Many stars against a long name that never fits: quick.
        assert!(!Glob::parse(&"a*".repeat(100)).fits(&format!("{}b", "a".repeat(99))));
    }
}
