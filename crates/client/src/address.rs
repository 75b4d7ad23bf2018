//! What a person types to name something on a server: `HOST[:PORT]/PATH`.
//!
//! Also `http://HOST…`, `gaveta://HOST…`, `:PORT/PATH` for this machine, and IPv6 in brackets.
//! With a scheme it is a URL, and `%20` in its path means a space; without one every character
//! means itself. The path may be a [pattern](crate::pattern).

use std::fmt;
use std::net::Ipv6Addr;

use gaveta_core::Path;
use gaveta_wire::DEFAULT_PORT;

use crate::fault::{Fault, Outcome, Sentence};
use crate::pattern::Pattern;

/// The server's side of an address.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Server {
    /// A name or an IP address; IPv6 without its brackets. Lower case.
    pub host: String,
    /// The port.
    pub port: u16,
}

/// As it is typed, with the port only when it is not the usual one.
impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]", self.host)?;
        } else {
            f.write_str(&self.host)?;
        }
        if self.port == DEFAULT_PORT {
            Ok(())
        } else {
            write!(f, ":{}", self.port)
        }
    }
}

/// A server and a path on it, as typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// The server.
    pub server: Server,
    /// The path without its leading and trailing slash; empty for the root. May be a pattern.
    pub text: String,
    /// Did it end with `/`, or is it the root? So a folder is meant.
    pub folder: bool,
}

impl Address {
    /// Parses what was typed.
    ///
    /// # Errors
    /// [`Fault::Usage`] with a sentence that says what is wrong with it.
    pub fn parse(typed: &str) -> Outcome<Self> {
        let bad = |key| Fault::Usage(Sentence::new(key).with("address", typed));
        let (rest, url) = match typed.split_once("://") {
            None => (typed, false),
            Some((scheme, rest)) => match scheme.to_ascii_lowercase().as_str() {
                "http" | "gaveta" => (rest, true),
                "https" => return Err(bad("address-https")),
                _ if scheme.contains('/') => (typed, false),
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
        let server = parse_server(server).map_err(bad)?;
        let path = path.unwrap_or_default();
        let (text, folder) = if url {
            let target = gaveta_wire::url::parse(&format!("/{path}"))?;
            (target.path.as_str().to_owned(), target.folder)
        } else {
            match path.strip_suffix('/') {
                Some(text) => (text.to_owned(), true),
                None => (path.to_owned(), path.is_empty()),
            }
        };
        let address = Self {
            server,
            text,
            folder,
        };
        // What can be neither a path nor a pattern is refused before anything is asked.
        if address.pattern()?.is_none() {
            address.path()?;
        }
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
        Ok(Pattern::parse(&self.text)?)
    }

    /// Another path on the same server, as it would be typed. Not escaped for a terminal.
    pub fn show(&self, path: &Path) -> String {
        format!("{}{path}", self.server)
    }
}

/// As it would be typed. Not escaped for a terminal.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
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

fn parse_server(text: &str) -> Result<Server, &'static str> {
    if let Some(rest) = text.strip_prefix('[') {
        let (host, port) = rest.split_once(']').ok_or("address-host")?;
        let ip: Ipv6Addr = host.parse().map_err(|_| "address-host")?;
        let port = match port.strip_prefix(':') {
            Some(port) => parse_port(port)?,
            None if port.is_empty() => DEFAULT_PORT,
            None => return Err("address-port"),
        };
        return Ok(Server {
            host: ip.to_string(),
            port,
        });
    }
    let (host, port) = match text.split_once(':') {
        Some((_, port)) if port.contains(':') => return Err("address-brackets"),
        Some((host, port)) => (host, parse_port(port)?),
        None => (text, DEFAULT_PORT),
    };
    if host.is_empty() {
        return Ok(Server {
            host: "localhost".to_owned(),
            port,
        });
    }
    let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_');
    let names = host.bytes().any(|b| b.is_ascii_alphanumeric());
    if host.len() > 253 || !names || host.starts_with(['.', '-']) || !host.bytes().all(fits) {
        return Err("address-host");
    }
    Ok(Server {
        host: host.to_ascii_lowercase(),
        port,
    })
}

fn parse_port(text: &str) -> Result<u16, &'static str> {
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err("address-port");
    }
    match text.parse() {
        Ok(0) | Err(_) => Err("address-port"),
        Ok(port) => Ok(port),
    }
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
        ] {
            assert_eq!(
                parsed(typed),
                (host.into(), port, text.into(), folder),
                "{typed}"
            );
        }
    }

    #[test]
    fn nonsense_is_refused_with_a_sentence() {
        for typed in [
            "",
            "/",
            "/etc/passwd",
            "https://h/x",
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
