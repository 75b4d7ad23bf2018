//! The path of an entry inside a drawer.
//!
//! Parse, don't validate: whoever holds a [`Path`] holds these invariants.
//!
//! - It is relative to the drawer's root; the empty path *is* the root.
//! - Names are separated by one `/`; none is empty, `.` or `..`.
//! - Every name is UTF-8, kept byte for byte (no Unicode normalisation), at most
//!   [`MAX_NAME`] bytes, without control characters (C0, DEL, C1).
//! - No name is the reserved one (`.gaveta`), whatever its case, its trailing dots or spaces, or
//!   the ignorable characters within it. So no protocol can name what lies there.
//! - At most [`MAX_PATH`] bytes and [`MAX_DEPTH`] names.
//!
//! A backslash is an ordinary character, as on Unix: it never separates. A client on a system
//! where it does must refuse such names.

use std::fmt;
use std::sync::Arc;

use crate::error::{Error, ErrorKind};

/// The longest name, in bytes: what Linux file systems hold.
pub const MAX_NAME: usize = 255;
/// The longest path, in bytes.
pub const MAX_PATH: usize = 4000;
/// The most names in a path.
pub const MAX_DEPTH: usize = 256;
/// What comes after a name's last point and is longer than this, in bytes, is no extension.
const LONGEST_EXTENSION: usize = 16;
/// The one name no client may use, at any depth.
pub const RESERVED: &str = ".gaveta";

/// Why a text is not a [`Path`] or a [`Name`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathProblem {
    /// A name is empty: the path starts or ends with `/`, or has `//`.
    EmptyName,
    /// A name is `.` or `..`.
    Dots,
    /// A name holds `/`.
    Separator,
    /// A name holds NUL or another control character.
    Control,
    /// Not UTF-8.
    NotUtf8,
    /// A name is longer than [`MAX_NAME`] bytes.
    NameTooLong,
    /// The path is longer than [`MAX_PATH`] bytes or deeper than [`MAX_DEPTH`] names.
    PathTooLong,
    /// A name is reserved for the server.
    Reserved,
    /// A new name differs from one that a grant speaks of only in case or Unicode form.
    Lookalike,
}

impl PathProblem {
    /// All problems, for tables and tests.
    pub const ALL: [Self; 9] = [
        Self::EmptyName,
        Self::Dots,
        Self::Separator,
        Self::Control,
        Self::NotUtf8,
        Self::NameTooLong,
        Self::PathTooLong,
        Self::Reserved,
        Self::Lookalike,
    ];

    /// The stable word for this problem, as it goes over the line.
    pub const fn code(self) -> &'static str {
        match self {
            Self::EmptyName => "path-empty-name",
            Self::Dots => "path-dots",
            Self::Separator => "path-separator",
            Self::Control => "path-control-character",
            Self::NotUtf8 => "path-not-utf8",
            Self::NameTooLong => "path-name-too-long",
            Self::PathTooLong => "path-too-long",
            Self::Reserved => "path-reserved",
            Self::Lookalike => "path-lookalike",
        }
    }
}

impl fmt::Display for PathProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::EmptyName => "a name in the path is empty",
            Self::Dots => "'.' and '..' are not names",
            Self::Separator => "a name cannot hold '/'",
            Self::Control => "a name cannot hold control characters",
            Self::NotUtf8 => "the name is not UTF-8",
            Self::NameTooLong => "a name is longer than 255 bytes",
            Self::PathTooLong => "the path is too long or too deep",
            Self::Reserved => "the name .gaveta is reserved",
            Self::Lookalike => "the name looks like another one that a rule speaks of",
        })
    }
}

/// One name: a [`Path`] of exactly one part.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Arc<str>);

impl Name {
    /// Parses one name.
    ///
    /// # Errors
    /// [`ErrorKind::BadPath`] with the [`PathProblem`].
    pub fn parse(text: &str) -> Result<Self, Error> {
        check_name(text).map_err(|problem| Error::bad_path(problem, text))?;
        Ok(Self(text.into()))
    }

    /// Parses a name as the operating system gives it.
    ///
    /// # Errors
    /// As [`Name::parse`], and [`PathProblem::NotUtf8`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        match std::str::from_utf8(bytes) {
            Ok(text) => Self::parse(text),
            Err(_) => Err(Error::bad_path(
                PathProblem::NotUtf8,
                &bytes.escape_ascii().to_string(),
            )),
        }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

/// Where an entry is inside a drawer. See the [module](self) for the invariants.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Path(Arc<str>);

impl Path {
    /// The drawer itself.
    pub fn root() -> Self {
        Self("".into())
    }

    /// Parses a path relative to the root; the empty text is the root.
    ///
    /// # Errors
    /// [`ErrorKind::BadPath`] with the [`PathProblem`]. Absolute paths (`/a`), `a//b` and `a/`
    /// are [`PathProblem::EmptyName`]: a door strips its own leading or trailing slash first.
    pub fn parse(text: &str) -> Result<Self, Error> {
        check_path(text).map_err(|problem| Error::bad_path(problem, text))?;
        Ok(Self(text.into()))
    }

    /// The path as text, without a leading slash; empty for the root.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Is this the drawer itself?
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// The names from the root down.
    pub fn names(&self) -> impl DoubleEndedIterator<Item = &str> {
        // `split` gives one empty part for the empty text; no other part can be empty.
        self.0.split('/').filter(|part| !part.is_empty())
    }

    /// How many names the path has; 0 for the root.
    pub fn depth(&self) -> usize {
        self.names().count()
    }

    /// The last name; none for the root.
    pub fn name(&self) -> Option<&str> {
        self.names().next_back()
    }

    /// The folder that holds this entry; none for the root.
    pub fn parent(&self) -> Option<Self> {
        if self.is_root() {
            return None;
        }
        Some(match self.0.rsplit_once('/') {
            Some((parent, _)) => Self(parent.into()),
            None => Self::root(),
        })
    }

    /// The entry called `name` in this folder.
    ///
    /// # Errors
    /// [`ErrorKind::BadPath`] when the name is bad or the whole becomes too long.
    pub fn join(&self, name: &str) -> Result<Self, Error> {
        check_name(name).map_err(|problem| Error::bad_path(problem, name))?;
        self.with_tail(name)
    }

    /// The name that this entry gets beside others of its name: `a (2).txt` for `a.txt`. The number
    /// stands before the last extension, so that the kind stays; the first has none. A long name is
    /// cut to make room.
    ///
    /// # Errors
    /// [`PathProblem::PathTooLong`].
    pub fn numbered(&self, number: u32) -> Result<Self, Error> {
        let name = self.name().unwrap_or_default();
        if number < 2 {
            return Ok(self.clone());
        }
        let (stem, extension) = match name.rsplit_once('.') {
            Some((stem, extension)) if !stem.is_empty() && extension.len() <= LONGEST_EXTENSION => {
                (stem, format!(".{extension}"))
            }
            _ => (name, String::new()),
        };
        let tail = format!(" ({number}){extension}");
        let mut end = stem.len().min(MAX_NAME.saturating_sub(tail.len()));
        while !stem.is_char_boundary(end) {
            end -= 1;
        }
        let stem = stem.get(..end).unwrap_or_default();
        let folder = self.parent().unwrap_or_else(Self::root);
        folder.join(&format!("{stem}{tail}"))
    }

    /// `tail` beneath this folder.
    ///
    /// # Errors
    /// [`PathProblem::PathTooLong`].
    pub fn join_path(&self, tail: &Self) -> Result<Self, Error> {
        if tail.is_root() {
            return Ok(self.clone());
        }
        if self.is_root() {
            return Ok(tail.clone());
        }
        self.with_tail(&tail.0)
    }

    /// `tail` has names only.
    fn with_tail(&self, tail: &str) -> Result<Self, Error> {
        if self.is_root() {
            return Ok(Self(tail.into()));
        }
        let mut whole = String::with_capacity(self.0.len() + 1 + tail.len());
        whole.push_str(&self.0);
        whole.push('/');
        whole.push_str(tail);
        check_length(&whole).map_err(|problem| Error::bad_path(problem, &whole))?;
        Ok(Self(whole.into()))
    }

    /// Is `other` this entry or beneath it? Compares whole names: `share` does not hold `share2`.
    pub fn holds(&self, other: &Self) -> bool {
        self.is_root()
            || other
                .0
                .strip_prefix(&*self.0)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// `self` as seen from `base`, when `base` [holds](Self::holds) it.
    pub fn beneath(&self, base: &Self) -> Option<Self> {
        if !base.holds(self) {
            return None;
        }
        let rest = self.0.get(base.0.len()..)?;
        Some(Self(rest.strip_prefix('/').unwrap_or(rest).into()))
    }
}

impl From<Name> for Path {
    fn from(name: Name) -> Self {
        Self(name.0)
    }
}

impl std::str::FromStr for Path {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self, Error> {
        Self::parse(text)
    }
}

/// With a leading slash, as a person sees it. The names are *not* escaped for a terminal.
impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/{}", self.0)
    }
}

impl fmt::Debug for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

fn check_path(text: &str) -> Result<(), PathProblem> {
    if text.is_empty() {
        return Ok(());
    }
    check_length(text)?;
    text.split('/').try_for_each(check_name)
}

fn check_length(text: &str) -> Result<(), PathProblem> {
    let deep = text.len() > MAX_DEPTH && text.bytes().filter(|&b| b == b'/').count() >= MAX_DEPTH;
    if text.len() > MAX_PATH || deep {
        return Err(PathProblem::PathTooLong);
    }
    Ok(())
}

fn check_name(name: &str) -> Result<(), PathProblem> {
    if name.is_empty() {
        Err(PathProblem::EmptyName)
    } else if name == "." || name == ".." {
        Err(PathProblem::Dots)
    } else if name.contains('/') {
        Err(PathProblem::Separator)
    } else if name.chars().any(char::is_control) {
        Err(PathProblem::Control)
    } else if name.len() > MAX_NAME {
        Err(PathProblem::NameTooLong)
    } else if is_reserved(name) {
        Err(PathProblem::Reserved)
    } else {
        Ok(())
    }
}

/// Would some file system, or some eye, take this for [`RESERVED`]?
///
/// Beyond ASCII case, trailing dots and spaces (which Windows drops) and characters that
/// HFS+ ignores are taken away, full-width letters and the full stops that look alike are folded;
/// a stream suffix (`.gaveta::$DATA`) counts as the name before it.
fn is_reserved(name: &str) -> bool {
    let stem_of = |name: &str| {
        let stem = name.split(':').next().unwrap_or_default();
        stem.trim_end_matches(['.', ' ']).len()
    };
    // Most names: of ASCII nothing is ignored or folded but its case.
    if name.is_ascii() {
        return name
            .get(..stem_of(name))
            .is_some_and(|stem| stem.eq_ignore_ascii_case(RESERVED));
    }
    let folded: String = name
        .chars()
        .filter(|c| !is_ignorable(*c))
        .map(|c| match c {
            '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(c) - 0xfee0)
                .unwrap_or(c)
                .to_ascii_lowercase(),
            '\u{2024}' | '\u{3002}' | '\u{fe52}' | '\u{ff61}' => '.',
            _ => c.to_ascii_lowercase(),
        })
        .collect();
    folded.get(..stem_of(&folded)) == Some(RESERVED)
}

fn is_ignorable(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}' | '\u{e0000}'..='\u{e0fff}')
}

/// The kind of an error that this module makes, for matching.
impl From<PathProblem> for ErrorKind {
    fn from(problem: PathProblem) -> Self {
        Self::BadPath(problem)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn problem(text: &str) -> Option<PathProblem> {
        match Path::parse(text).map_err(|error| error.kind()) {
            Ok(_) => None,
            Err(ErrorKind::BadPath(problem)) => Some(problem),
            Err(other) => panic!("{text:?} gave {other:?}"),
        }
    }

    #[test]
    fn ordinary_names_are_kept_byte_for_byte() {
        for name in [
            "a",
            "-rf",
            "a b",
            "a|b|c",
            "\"quoted\"",
            "it's",
            "relatório.pdf",
            "e\u{301}",
            "🗄️.txt",
            "...",
            "..a",
            "a\\b",
            "%2e%2e",
            "~",
            "CON",
            ".gavetas",
            "gaveta",
            ".gaveta-old",
        ] {
            let path = Path::parse(name).unwrap();
            assert_eq!(path.as_str().as_bytes(), name.as_bytes());
            assert_eq!(path.name(), Some(name));
        }
    }

    #[test]
    fn each_problem_has_its_name() {
        let long = "x".repeat(256);
        let deep = vec!["a"; 300].join("/");
        let wide = vec!["x".repeat(200); 30].join("/");
        for (text, expected) in [
            ("/a", PathProblem::EmptyName),
            ("a/", PathProblem::EmptyName),
            ("a//b", PathProblem::EmptyName),
            ("/", PathProblem::EmptyName),
            ("..", PathProblem::Dots),
            ("a/../b", PathProblem::Dots),
            ("a/./b", PathProblem::Dots),
            ("a\0b", PathProblem::Control),
            ("a\nb", PathProblem::Control),
            ("\u{1b}[2J", PathProblem::Control),
            ("a\u{9b}b", PathProblem::Control),
            ("a\u{7f}", PathProblem::Control),
            (long.as_str(), PathProblem::NameTooLong),
            (deep.as_str(), PathProblem::PathTooLong),
            (wide.as_str(), PathProblem::PathTooLong),
        ] {
            assert_eq!(problem(text), Some(expected), "{text:?}");
        }
        assert!(matches!(
            Name::from_bytes(b"a\xff").map_err(|e| e.kind()),
            Err(ErrorKind::BadPath(PathProblem::NotUtf8))
        ));
        assert!(matches!(
            Name::parse("a/b").map_err(|e| e.kind()),
            Err(ErrorKind::BadPath(PathProblem::Separator))
        ));
    }

    #[test]
    fn the_reserved_name_is_refused_in_any_spelling() {
        for name in [
            ".gaveta",
            ".GAVETA",
            ".Gaveta",
            ".gaveta.",
            ".gaveta...",
            ".gaveta ",
            ".gaveta. .",
            ".gav\u{200d}eta",
            "\u{feff}.gaveta",
            ".gaveta::$DATA",
            ".gaveta:x",
            "\u{ff0e}gaveta",
            ".\u{ff47}aveta",
        ] {
            assert_eq!(problem(name), Some(PathProblem::Reserved), "{name:?}");
            assert_eq!(
                problem(&format!("a/{name}/b")),
                Some(PathProblem::Reserved),
                "{name:?}"
            );
        }
    }

    #[test]
    fn holds_compares_whole_names() {
        let share = Path::parse("share").unwrap();
        assert!(share.holds(&share));
        assert!(share.holds(&Path::parse("share/x").unwrap()));
        assert!(!share.holds(&Path::parse("share2").unwrap()));
        assert!(Path::root().holds(&share));
        assert!(!share.holds(&Path::root()));
        assert_eq!(
            Path::parse("share/x/y")
                .unwrap()
                .beneath(&share)
                .unwrap()
                .as_str(),
            "x/y"
        );
        assert_eq!(share.beneath(&share).unwrap(), Path::root());
        assert_eq!(share.beneath(&Path::root()).unwrap(), share);
    }

    #[test]
    fn a_number_stands_before_the_extension() {
        let numbered = |text: &str, number| {
            let path = Path::parse(text).unwrap();
            path.numbered(number).unwrap().as_str().to_owned()
        };
        for (path, number, expected) in [
            ("a/b.txt", 1, "a/b.txt"),
            ("a/b.txt", 2, "a/b (2).txt"),
            ("b", 12, "b (12)"),
            (".rc", 2, ".rc (2)"),
            ("a.tar.gz", 2, "a.tar (2).gz"),
            (
                "a.an extension that is none",
                2,
                "a.an extension that is none (2)",
            ),
        ] {
            assert_eq!(numbered(path, number), expected);
        }
        let long = numbered(&format!("{}.txt", "é".repeat(125)), 1000);
        assert!(
            long.len() <= MAX_NAME && long.ends_with(" (1000).txt"),
            "{long}"
        );
    }

    proptest! {
        #[test]
        fn whatever_parses_keeps_the_invariants(text in "\\PC{0,40}|[a-z./\\\\%]{0,20}") {
            if let Ok(path) = Path::parse(&text) {
                prop_assert_eq!(path.as_str(), text.as_str());
                for name in path.names() {
                    prop_assert!(!name.is_empty() && name != "." && name != "..");
                    prop_assert!(!name.chars().any(char::is_control));
                    prop_assert!(name.len() <= MAX_NAME);
                    prop_assert!(!name.eq_ignore_ascii_case(RESERVED));
                }
                let again = path.names().try_fold(Path::root(), |at, name| at.join(name)).unwrap();
                prop_assert_eq!(&again, &path);
                if let Some(parent) = path.parent() {
                    prop_assert!(parent.holds(&path));
                    prop_assert_eq!(parent.join(path.name().unwrap()).unwrap(), path);
                }
            }
        }
    }
}
