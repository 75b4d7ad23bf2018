//! Which server: `HOST[:PORT]`, and the prefix it is behind.

use std::fmt;
use std::net::Ipv6Addr;

use gaveta_wire::DEFAULT_PORT;

use crate::remote::{self, Security};

/// The port of a URL that names none (RFC 9110, section 4.2.2).
const HTTPS_PORT: u16 = 443;

/// The server's side of an address.
#[derive(Debug, Clone)]
pub struct Server {
    /// A name or an IP address; IPv6 without its brackets. Lower case.
    pub host: String,
    /// The port.
    pub port: u16,
    /// How it is to be reached. It is the same server either way.
    pub security: Security,
    /// The prefix it is behind: `/files`; empty for none, or when it is not known yet.
    pub(crate) base: String,
    /// The prefixes it may be behind, by the path that was typed: the shortest first.
    pub(crate) bases: Vec<String>,
}

impl PartialEq for Server {
    fn eq(&self, other: &Self) -> bool {
        (&self.host, self.port, &self.base) == (&other.host, other.port, &other.base)
    }
}

impl Eq for Server {}

impl std::hash::Hash for Server {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        (&self.host, self.port, &self.base).hash(state);
    }
}

impl Server {
    /// This host and port, behind no prefix that is known.
    fn new(host: impl Into<String>, port: u16, security: Security) -> Self {
        Self {
            host: host.into(),
            port,
            security,
            base: String::new(),
            bases: Vec::new(),
        }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> remote::Address {
        remote::Address::new(self.host.clone(), self.port)
            .secured(self.security)
            .behind(self.base.clone())
    }

    /// The same server, which turned out to be behind this prefix.
    pub(crate) fn behind(&self, base: &str) -> Self {
        Self {
            base: base.to_owned(),
            ..Self::new(self.host.clone(), self.port, self.security)
        }
    }
}

/// As it is typed, with the port only when it is not the usual one, and with its prefix.
impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]", self.host)?;
        } else {
            f.write_str(&self.host)?;
        }
        if self.port != DEFAULT_PORT {
            write!(f, ":{}", self.port)?;
        }
        f.write_str(&self.base)
    }
}

/// The server of an address without scheme and path; an error is the key of its sentence.
pub(super) fn parse_server(text: &str, security: Security) -> Result<Server, &'static str> {
    let usual = match security {
        Security::Tls => HTTPS_PORT,
        Security::Auto | Security::Plain => DEFAULT_PORT,
    };
    if let Some(rest) = text.strip_prefix('[') {
        let (host, port) = rest.split_once(']').ok_or("address-host")?;
        let ip: Ipv6Addr = host.parse().map_err(|_| "address-host")?;
        let port = match port.strip_prefix(':') {
            Some(port) => parse_port(port)?,
            None if port.is_empty() => usual,
            None => return Err("address-port"),
        };
        return Ok(Server::new(ip.to_string(), port, security));
    }
    let (host, port) = match text.split_once(':') {
        Some((_, port)) if port.contains(':') => return Err("address-brackets"),
        Some((host, port)) => (host, parse_port(port)?),
        None => (text, usual),
    };
    if host.is_empty() {
        return Ok(Server::new("localhost", port, security));
    }
    let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_');
    let names = host.bytes().any(|b| b.is_ascii_alphanumeric());
    if host.len() > 253 || !names || host.starts_with(['.', '-']) || !host.bytes().all(fits) {
        return Err("address-host");
    }
    Ok(Server::new(host.to_ascii_lowercase(), port, security))
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
