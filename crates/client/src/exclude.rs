//! Names that a mirror leaves alone: the [patterns](crate::pattern) of `--exclude`.
//!
//! A pattern without a slash is held against every name, at any depth; one with a slash against the
//! whole path from the mirrored folder on, where `**` stands for any folders. A slash at the end
//! means folders only. What lies in a folder that is left out is left out with it. Unlike in a
//! listing, `*` takes a dot in front too: `*.swp` leaves out `.notes.swp`.

use gaveta_core::Path;
use gaveta_transfer::Exclude;

use crate::fault::{Fault, Outcome, Sentence};
use crate::pattern::Part;

/// The most patterns; with the length of a command line this bounds the time of a comparison.
const MAX: usize = 1000;

/// The patterns, each held against every name.
#[derive(Debug, Clone, Default)]
pub(crate) struct Excludes(Vec<Rule>);

#[derive(Debug, Clone)]
struct Rule {
    parts: Vec<Part>,
    /// Held against the name alone.
    anywhere: bool,
    folders_only: bool,
}

impl Excludes {
    /// Parses what was typed.
    ///
    /// # Errors
    /// [`Fault::Usage`] for a pattern no path could ever fit, and for too many.
    pub(crate) fn parse(patterns: &[String]) -> Outcome<Self> {
        if patterns.len() > MAX {
            return Err(Fault::Usage(
                Sentence::new("client-many-excludes").number("count", MAX as u64),
            ));
        }
        let rules = patterns.iter().map(|typed| {
            let bad = |_| {
                Fault::Usage(Sentence::new("client-bad-exclude").with("pattern", typed.clone()))
            };
            let (rest, folders_only) = match typed.strip_suffix('/') {
                Some(rest) => (rest, true),
                None => (typed.as_str(), false),
            };
            let anywhere = !rest.contains('/');
            let rest = rest.strip_prefix('/').unwrap_or(rest);
            // Wildcards are ordinary characters of a name, so a pattern must be a path itself.
            let path = Path::parse(rest).map_err(bad)?;
            if path.is_root() {
                return Err(bad(gaveta_core::ErrorKind::BadRequest.into()));
            }
            Ok(Rule {
                parts: path.names().map(Part::parse).collect(),
                anywhere,
                folders_only,
            })
        });
        rules.collect::<Outcome<_>>().map(Self)
    }

    /// Is this path left out, or any folder above it?
    pub(crate) fn covers(&self, path: &Path, folder: bool) -> bool {
        let mut at = Some((path.clone(), folder));
        while let Some((path, folder)) = at {
            if path.is_root() {
                break;
            }
            if self.leaves_out(&path, folder) {
                return true;
            }
            at = path.parent().map(|above| (above, true));
        }
        false
    }
}

impl Exclude for Excludes {
    fn leaves_out(&self, path: &Path, folder: bool) -> bool {
        let names: Vec<&str> = path.names().collect();
        self.0
            .iter()
            .any(|rule| (folder || !rule.folders_only) && rule.fits(&names))
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Rule {
    /// Takes time in the product of both lengths at most: only the last `**` is ever gone back to.
    fn fits(&self, names: &[&str]) -> bool {
        if self.anywhere {
            return match (self.parts.as_slice(), names.last()) {
                ([part], Some(name)) => part.fits_dots(name),
                _ => false,
            };
        }
        let (mut at, mut part) = (0, 0);
        let mut back: Option<(usize, usize)> = None;
        while let Some(name) = names.get(at) {
            match self.parts.get(part) {
                Some(Part::AnyFolders) => {
                    back = Some((at, part));
                    part += 1;
                }
                Some(one) if one.fits_dots(name) => {
                    at += 1;
                    part += 1;
                }
                _ => match &mut back {
                    Some((start, many)) => {
                        *start += 1;
                        at = *start;
                        part = *many + 1;
                    }
                    None => return false,
                },
            }
        }
        let rest = self.parts.get(part..).unwrap_or_default();
        rest.iter().all(|part| matches!(part, Part::AnyFolders))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn out(patterns: &[&str], path: &str, folder: bool) -> bool {
        let patterns: Vec<_> = patterns.iter().map(|text| (*text).to_owned()).collect();
        Excludes::parse(&patterns)
            .unwrap()
            .covers(&Path::parse(path).unwrap(), folder)
    }

    #[test]
    fn patterns_are_held_against_names_or_paths() {
        for (pattern, path, folder, expected) in [
            ("*.swp", "a.swp", false, true),
            ("*.swp", "d/.a.swp", false, true),
            ("*.swp", "a.swpx", false, false),
            ("cache", "x/cache/deep/y", false, true),
            ("cache/", "cache", false, false),
            ("cache/", "cache", true, true),
            ("cache/", "cache/x", false, true),
            ("/cache", "cache", false, true),
            ("/cache", "x/cache", false, false),
            ("a/b", "a/b", false, true),
            ("a/b", "x/a/b", false, false),
            ("**/b/*.o", "b/x.o", false, true),
            ("**/b/*.o", "a/a/b/x.o", false, true),
            ("**/b/*.o", "a/b/c/x.o", false, false),
            ("a/**", "a/x/y", false, true),
            ("a/**", "ab", false, false),
            ("[ab]?", "b1", false, true),
        ] {
            assert_eq!(out(&[pattern], path, folder), expected, "{pattern} {path}");
        }
        assert!(!out(&[], "a", false));
        assert!(out(&["x", "a"], "a", false));
    }

    #[test]
    fn a_pattern_that_fits_nothing_is_refused() {
        for bad in ["", "/", "..", "a/../b", "a//b", ".gaveta", "\u{7}"] {
            let fault = Excludes::parse(&[bad.to_owned()]).unwrap_err();
            assert!(matches!(fault, Fault::Usage(_)), "{bad:?}");
        }
        assert!(Excludes::parse(&vec!["a".to_owned(); MAX + 1]).is_err());
    }

    #[test]
    fn many_stars_are_quick() {
        let pattern = format!("{}/end", vec!["**/a"; 60].join("/"));
        let path = vec!["a"; 250].join("/");
        assert!(!out(&[&pattern], &path, false));
    }
}
