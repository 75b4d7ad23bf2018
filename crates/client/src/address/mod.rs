//! What a person types to name something on a server: `HOST[:PORT]/PATH`.
//!
//! Also `https://HOST…`, `http://HOST…` (never encrypted), `gaveta://HOST…`, `:PORT/PATH` for this
//! machine, and IPv6 in brackets. With a scheme it is a URL, and `%20` in its path means a space;
//! without one every character means itself. The path may be a [pattern](crate::pattern).
//!
//! Where a proxy serves the server under a prefix, the path begins with it. Nothing in an address
//! says so: it shows when one connects (`Server::bases`), and `Address::behind` takes it off.

mod server;

use std::fmt;

use gaveta_core::Path;
pub use gaveta_wire::DEFAULT_PORT;
use gaveta_wire::route;

use crate::fault::{Fault, Outcome, Sentence};
use crate::pattern::{Pattern, is_wild};
use crate::remote::Security;
pub use server::Server;
use server::parse_server;

/// A prefix is looked for among so many names of a path: each costs a question.
const DEEPEST_BASE: usize = 4;
/// A server and a path on it, as typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// The server.
    pub server: Server,
    /// The path without its leading and trailing slash; empty for the root. May be a pattern.
    pub text: String,
    /// Did it end with `/`, or is it the root? So a folder is meant.
    pub folder: bool,
    /// The path as a pattern, when the person typed a wildcard. A folder the shell stands in is
    /// taken by its letters, whatever they are.
    glob: Option<String>,
    /// How the person typed it, when the server goes without saying: in the shell.
    typed: Option<String>,
    /// The secret of a share, when a link to one was typed: the path is what lies behind it.
    pub(crate) share: Option<Link>,
}

/// The secret in the link of a share. Does not show.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Link(pub(crate) String);

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl Address {
    /// Parses what was typed.
    ///
    /// # Errors
    /// [`Fault::Usage`] with a sentence that says what is wrong with it.
    pub fn parse(typed: &str) -> Outcome<Self> {
        let bad = |key| Fault::Usage(Sentence::new(key).with("address", typed));
        let (rest, url, security) = match typed.split_once("://") {
            None => (typed, false, Security::Auto),
            Some((scheme, rest)) => match scheme.to_ascii_lowercase().as_str() {
                "gaveta" => (rest, true, Security::Auto),
                "http" => (rest, true, Security::Plain),
                "https" => (rest, true, Security::Tls),
                _ if scheme.contains('/') => (typed, false, Security::Auto),
                _ => return Err(bad("address-scheme")),
            },
        };
        let (server, path) = match rest.split_once('/') {
            Some((server, path)) => (server, Some(path)),
            None => (rest, None),
        };
        if server.is_empty() {
            return Err(bad("address-no-host"));
        }
        if server.contains('@') {
            return Err(bad("address-user"));
        }
        let mut server = parse_server(server, security).map_err(bad)?;
        let path = path.unwrap_or_default();
        let whole = format!("/{path}");
        let (path, share) = match in_link(&whole) {
            Some((base, secret, behind)) => {
                base.clone_into(&mut server.base);
                // A link is copied whole: what a browser says after `?` means nothing here.
                let behind = behind.split(['?', '#']).next().unwrap_or_default();
                let behind = behind.strip_prefix('/').unwrap_or(behind);
                (behind, Some(Link(secret.to_owned())))
            }
            None => (path, None),
        };
        let (text, folder) = if url || share.is_some() {
            let target = gaveta_wire::url::parse(&format!("/{path}"))?;
            (target.path.as_str().to_owned(), target.folder)
        } else {
            match path.strip_suffix('/') {
                Some(text) => (text.to_owned(), true),
                None => (path.to_owned(), path.is_empty()),
            }
        };
        if share.is_none() {
            server.bases = prefixes(&text);
        }
        let glob = (is_wild(&text) && share.is_none()).then(|| text.clone());
        let address = Self {
            server,
            text,
            folder,
            glob,
            typed: None,
            share,
        };
        // What can be neither a path nor a pattern is refused before anything is asked.
        if address.pattern()?.is_none() {
            address.path()?;
        }
        Ok(address)
    }

    /// Parses what was typed in the shell: a path from this folder of this server on, or from the
    /// root when it begins with `/`. `.` and `..` mean what they mean everywhere; above the root
    /// there is nothing.
    ///
    /// # Errors
    /// [`Fault::Usage`] for nothing at all, `BadPath` for names that cannot be.
    pub(crate) fn near(server: &Server, folder: &Path, typed: &str) -> Outcome<Self> {
        if typed.is_empty() {
            return Err(Fault::usage("client-empty-name"));
        }
        // Each name with its spelling in a pattern: what was not typed is no wildcard.
        let mut names: Vec<(&str, String)> = Vec::new();
        if !typed.starts_with('/') {
            let above = folder.as_str().split('/').filter(|name| !name.is_empty());
            names.extend(above.map(|name| (name, literally(name))));
        }
        let mut folder = typed.ends_with('/');
        for name in typed.split('/') {
            match name {
                "" => {}
                "." => folder = true,
                ".." => {
                    names.pop();
                    folder = true;
                }
                name => {
                    names.push((name, name.to_owned()));
                    folder = typed.ends_with('/');
                }
            }
        }
        let join = |parts: Vec<&str>| parts.join("/");
        let address = Self {
            server: server.clone(),
            text: join(names.iter().map(|(name, _)| *name).collect()),
            folder: folder || names.is_empty(),
            glob: is_wild(typed).then(|| join(names.iter().map(|(_, glob)| &**glob).collect())),
            typed: Some(typed.to_owned()),
            share: None,
        };
        address.path()?;
        Ok(address)
    }

    /// The path, taken by its letters.
    ///
    /// # Errors
    /// `BadPath`.
    pub fn path(&self) -> Outcome<Path> {
        Ok(Path::parse(&self.text)?)
    }

    /// The path as a pattern; none when it has no wildcard.
    ///
    /// # Errors
    /// `BadPath` for `..` and the like within it.
    pub fn pattern(&self) -> Outcome<Option<Pattern>> {
        match &self.glob {
            Some(glob) => Ok(Pattern::parse(glob)?),
            None => Ok(None),
        }
    }

    /// What it names on its server, which is behind this prefix; none when it lies beside. In the
    /// shell, and behind the link of a share, the prefix goes without saying.
    pub(crate) fn behind(&self, base: &str) -> Option<Self> {
        let base = base.trim_start_matches('/');
        if base.is_empty() || self.typed.is_some() || self.share.is_some() {
            return Some(self.clone());
        }
        let cut = |text: &str| {
            let rest = text.strip_prefix(base)?;
            let rest = rest.strip_prefix('/').or(rest.is_empty().then_some(rest))?;
            Some(rest.to_owned())
        };
        let text = cut(&self.text)?;
        let glob = match &self.glob {
            Some(glob) => Some(cut(glob)?),
            None => None,
        };
        Some(Self {
            folder: self.folder || text.is_empty(),
            text,
            glob,
            ..self.clone()
        })
    }

    /// Another path on the same server, as it would be typed. Not escaped for a terminal.
    pub fn show(&self, path: &Path) -> String {
        format!("{}{path}", self.server)
    }
}

/// As it would be typed. Not escaped for a terminal.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(typed) = &self.typed {
            return f.write_str(typed);
        }
        let slash = if self.folder && !self.text.is_empty() {
            "/"
        } else {
            ""
        };
        write!(f, "{}/{}{slash}", self.server, self.text)
    }
}

/// Does this look like an address of that server? Tells `get HOST/A HOST/B` from `get HOST/A B`.
pub fn is_on(typed: &str, server: &Server) -> bool {
    typed.contains('/') && Address::parse(typed).is_ok_and(|address| address.server == *server)
}

/// The link of a share taken apart: the prefix its server is behind, the secret, and what is behind
/// it.
fn in_link(path: &str) -> Option<(&str, &str, &str)> {
    let (base, link) = path.split_at(path.find(route::SHARED)?);
    let mut names = base.split('/').skip(1);
    let (secret, behind) = gaveta_wire::keys::in_link(link)?;
    names
        .all(route::is_in_base)
        .then_some((base, secret, behind))
}

/// The prefixes of a path that a server may be behind, the shortest first.
fn prefixes(path: &str) -> Vec<String> {
    let names = path.split('/').take_while(|name| route::is_in_base(name));
    let longer = |base: &mut String, name: &str| {
        base.push('/');
        base.push_str(name);
        Some(base.clone())
    };
    names
        .take(DEEPEST_BASE)
        .scan(String::new(), longer)
        .collect()
}

/// A name as a pattern that matches nothing else.
fn literally(name: &str) -> String {
    let mut glob = String::with_capacity(name.len());
    for c in name.chars() {
        if matches!(c, '*' | '?' | '[') {
            glob.extend(['[', c, ']']);
        } else {
            glob.push(c);
        }
    }
    glob
}

#[cfg(test)]
mod tests {
    use super::*;
    use gaveta_core::{ErrorKind, PathProblem};

    fn parsed(typed: &str) -> (String, u16, String, bool) {
        let address = Address::parse(typed).unwrap();
        (
            address.server.host,
            address.server.port,
            address.text,
            address.folder,
        )
    }

    #[test]
    fn every_form_is_understood() {
        for (typed, host, port, text, folder) in [
            ("localhost/x", "localhost", 4283, "x", false),
            ("localhost:4283/x", "localhost", 4283, "x", false),
            ("localhost", "localhost", 4283, "", true),
            ("localhost:99", "localhost", 99, "", true),
            ("LocalHost/X/", "localhost", 4283, "X", true),
            (":99/a b", "localhost", 99, "a b", false),
            ("[::1]/x", "::1", 4283, "x", false),
            ("[0:0::1]:80/x", "::1", 80, "x", false),
            ("127.0.0.1:1/a|b%20", "127.0.0.1", 1, "a|b%20", false),
            ("http://h.example/a%20b", "h.example", 4283, "a b", false),
            ("gaveta://h:5/", "h", 5, "", true),
            ("HTTP://h/%2A.txt", "h", 4283, "*.txt", false),
            ("h/*.txt", "h", 4283, "*.txt", false),
            ("https://h/x", "h", 443, "x", false),
            ("https://h:4283/x", "h", 4283, "x", false),
            ("https://[::1]/x", "::1", 443, "x", false),
        ] {
            assert_eq!(
                parsed(typed),
                (host.into(), port, text.into(), folder),
                "{typed}"
            );
        }
    }

    #[test]
    fn the_link_of_a_share_is_taken_apart_and_shows_no_secret() {
        for (typed, text) in [
            ("http://h:5/.gaveta/s/gvs_secret/a%20b.txt", "a b.txt"),
            ("h:5/.gaveta/s/gvs_secret/", ""),
            ("h:5/.gaveta/s/gvs_secret", ""),
            ("http://h:5/.gaveta/s/gvs_secret/a/b?download", "a/b"),
        ] {
            let address = Address::parse(typed).unwrap();
            assert_eq!(address.text, text, "{typed}");
            assert_eq!(address.share, Some(Link("gvs_secret".into())));
            assert!(!format!("{address} {address:?}").contains("secret"));
        }
        assert!(Address::parse("h/.gaveta/s/gvs_secret/../x").is_err());
    }

    #[test]
    fn a_prefix_is_looked_for_in_the_path_and_taken_off() {
        let bases = |typed: &str| Address::parse(typed).unwrap().server.bases;
        assert_eq!(
            bases("h/a/b/c/d/e"),
            ["/a", "/a/b", "/a/b/c", "/a/b/c/d"].map(str::to_owned)
        );
        assert_eq!(bases("h/a/b c/d"), ["/a".to_owned()]);
        assert_eq!(bases("h/*.txt"), [""; 0].map(str::to_owned));
        for (typed, text, folder) in [
            ("h/a/b/c", Some("c"), false),
            ("h/a/b/c/", Some("c"), true),
            ("h/a/b/", Some(""), true),
            ("h/a/b", Some(""), true),
            ("h/a/bc/d", None, false),
            ("h/a", None, false),
            ("h", None, false),
        ] {
            let behind = Address::parse(typed).unwrap().behind("/a/b");
            let behind = behind.map(|address| (address.text, address.folder));
            assert_eq!(
                behind,
                text.map(|text| (text.to_owned(), folder)),
                "{typed}"
            );
        }
        let wild = Address::parse("h/a/b/*.txt").unwrap().behind("/a/b");
        assert_eq!(wild.unwrap().glob.as_deref(), Some("*.txt"));
        let server = Address::parse("h").unwrap().server.behind("/a");
        assert_eq!(server.to_string(), "h/a");
        let near = Address::near(&server, &Path::root(), "a/x").unwrap();
        assert_eq!(near.behind("/a").unwrap().text, "a/x");
    }

    #[test]
    fn a_link_tells_the_prefix_itself() {
        let address = Address::parse("https://h/a/b/.gaveta/s/gvs_secret/x").unwrap();
        assert_eq!((&*address.server.base, &*address.text), ("/a/b", "x"));
        assert_eq!(address.server.to_string(), "h:443/a/b");
        assert_eq!(address.behind("/a/b").unwrap().text, "x");
        assert!(Address::parse("h/a b/.gaveta/s/gvs_secret/x").is_err());
    }

    #[test]
    fn nonsense_is_refused_with_a_sentence() {
        for typed in [
            "",
            "/",
            "/etc/passwd",
            "ftp://h/x",
            "http:///x",
            "a:b@h/x",
            "::1/x",
            "[::1/x",
            "[x]/a",
            "[::1]x/a",
            "h:/x",
            "h:0/x",
            "h:65536/x",
            "h:+1/x",
            "h:1x/y",
            "./x",
            "../x",
            ".",
            "h ost/x",
            "é/x",
            "-h/x",
            "\u{1b}[2J/x",
        ] {
            let fault = Address::parse(typed).unwrap_err();
            assert!(matches!(fault, Fault::Usage(_)), "{typed}: {fault:?}");
        }
    }

    #[test]
    fn bad_paths_are_refused_by_their_problem() {
        for (typed, problem) in [
            ("h//x", PathProblem::EmptyName),
            ("h/a//b", PathProblem::EmptyName),
            ("h/a://b", PathProblem::EmptyName),
            ("h/../x", PathProblem::Dots),
            ("http://h/%2e%2e/x", PathProblem::Dots),
            ("http://h/a%2fb", PathProblem::Separator),
            ("h/a\nb", PathProblem::Control),
            ("h/.gaveta/x", PathProblem::Reserved),
            ("h/*/../x", PathProblem::Dots),
        ] {
            let fault = Address::parse(typed).unwrap_err();
            assert_eq!(fault.kind(), Some(ErrorKind::BadPath(problem)), "{typed}");
        }
    }

    #[test]
    fn what_is_shown_leads_back() {
        for typed in ["localhost/x", "h:5/a/", "[::1]/a", "[::1]:5/", "h/"] {
            let address = Address::parse(typed).unwrap();
            assert_eq!(address.to_string(), typed);
            assert_eq!(Address::parse(&address.to_string()).unwrap(), address);
        }
    }

    #[test]
    fn in_the_shell_a_path_begins_where_one_is() {
        let server = Address::parse("h").unwrap().server;
        let near = |folder: &str, typed: &str| {
            let address = Address::near(&server, &Path::parse(folder).unwrap(), typed).unwrap();
            assert_eq!(address.to_string(), typed);
            (address.text, address.folder)
        };
        for (folder, typed, text, is_folder) in [
            ("", "a", "a", false),
            ("a/b", "c", "a/b/c", false),
            ("a/b", "/c/", "c", true),
            ("a/b", ".", "a/b", true),
            ("a/b", "..", "a", true),
            ("a/b", "../../../..", "", true),
            ("a/b", "../c//d", "a/c/d", false),
            ("a/b", "/", "", true),
            ("", "a:b@h", "a:b@h", false),
        ] {
            assert_eq!(near(folder, typed), (text.to_owned(), is_folder), "{typed}");
        }
        for typed in ["a\nb", ".gaveta/x"] {
            assert!(Address::near(&server, &Path::root(), typed).is_err());
        }
    }

    #[test]
    fn the_folder_one_is_in_is_no_pattern() {
        let server = Address::parse("h").unwrap().server;
        let folder = Path::parse("a[1]*?").unwrap();
        let near = |typed| Address::near(&server, &folder, typed).unwrap();
        assert!(near("x").pattern().unwrap().is_none());
        let wild = near("*.txt");
        assert!(wild.pattern().unwrap().is_some());
        assert_eq!(wild.glob.as_deref(), Some("a[[]1][*][?]/*.txt"));
        assert_eq!(wild.text, "a[1]*?/*.txt");
    }

    #[test]
    fn another_address_of_the_server_is_told_from_a_folder() {
        let server = Address::parse("localhost/a").unwrap().server;
        assert!(is_on("localhost/b", &server));
        assert!(is_on("http://localhost:4283/b", &server));
        for folder in [
            ".",
            "out",
            "out/",
            "./localhost/b",
            "/tmp/x",
            "localhost",
            "other/b",
        ] {
            assert!(!is_on(folder, &server), "{folder}");
        }
    }
}
