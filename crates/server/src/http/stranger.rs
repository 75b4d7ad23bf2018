//! A browser on this machine is a stranger too: a page of another origin, or a name that was
//! rebound to this address, must get nothing.

use super::caller::Caller;
use crate::port::tls::Shown;
use gaveta_core::{Error, ErrorKind};
use http::header::{self, HeaderMap, HeaderName};
use http::uri::Authority;
use http::{Method, Request, StatusCode};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
const SEC_FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");

/// Why somebody is sent away.
#[derive(Debug)]
pub(crate) struct Refusal {
    /// The status.
    pub(crate) status: StatusCode,
    /// Why.
    pub(crate) error: Error,
}

/// The names this server answers to beside those of the loopback, in lower case, without ports.
#[derive(Debug, Clone, Default)]
pub(crate) struct Hosts {
    names: Vec<String>,
    certificate: Option<Arc<Shown>>,
}

impl Hosts {
    /// Also answers to these.
    pub(crate) fn also(names: &[String], certificate: Option<Arc<Shown>>) -> Self {
        Self {
            names: names.iter().map(|name| name.to_ascii_lowercase()).collect(),
            certificate,
        }
    }

    /// Is it the loopback, the address the request came to, a name that was told, or one that the
    /// certificate is for?
    fn knows(&self, host: &str, local: Option<IpAddr>) -> bool {
        let host = host.to_ascii_lowercase();
        if host == "localhost" || self.names.contains(&host) {
            return true;
        }
        let certified = self.certificate.as_ref();
        if certified.is_some_and(|shown| shown.is_for(&host)) {
            return true;
        }
        let ip = match host.parse::<Ipv4Addr>() {
            Ok(v4) => Some(IpAddr::V4(v4)),
            Err(_) => host
                .strip_prefix('[')
                .and_then(|rest| rest.strip_suffix(']'))
                .and_then(|inner| inner.parse::<Ipv6Addr>().ok())
                .map(|v6| IpAddr::V6(v6).to_canonical()),
        };
        ip.is_some_and(|ip| ip.is_loopback() || local == Some(ip))
    }
}

/// Lets through who may be listened to. `own` says whether the request goes to a path of the
/// server's own, where not even a navigation from elsewhere is welcome.
///
/// Sources: RFC 9110 section 7.2 (Host) and 15.5.20 (421); the Fetch standard (Origin); the
/// W3C's Fetch Metadata (`Sec-Fetch-*`).
///
/// # Errors
/// 421 for a host that is not this server; 403 for another origin.
pub(crate) fn check<B>(
    request: &Request<B>,
    hosts: &Hosts,
    local: Option<IpAddr>,
    caller: &Caller,
    own: bool,
) -> Result<(), Refusal> {
    let authority = authority(request).ok_or_else(misdirected)?;
    if !hosts.knows(authority.host(), local) {
        return Err(misdirected());
    }
    let headers = request.headers();
    if !same_origin(headers, &authority, caller.https) {
        return Err(foreign());
    }
    let Some(site) = single(headers, &SEC_FETCH_SITE) else {
        return Ok(());
    };
    if matches!(site, b"same-origin" | b"none") {
        return Ok(());
    }
    // From elsewhere: only a person who follows a link, at the top of a window.
    let safe = matches!(*request.method(), Method::GET | Method::HEAD);
    let navigates = single(headers, &SEC_FETCH_MODE) == Some(b"navigate");
    let top = matches!(single(headers, &SEC_FETCH_DEST), None | Some(b"document"));
    if safe && navigates && top && !own {
        Ok(())
    } else {
        Err(foreign())
    }
}

/// Whom the request is for. A request that says it twice, differently, says nothing.
pub(super) fn authority<B>(request: &Request<B>) -> Option<Authority> {
    let mut named = request.headers().get_all(header::HOST).iter();
    let host = match named.next() {
        Some(value) => Some(Authority::try_from(value.as_bytes()).ok()?),
        None => None,
    };
    if named.next().is_some() {
        return None;
    }
    let authority = match (request.uri().authority().cloned(), host) {
        (Some(target), Some(host)) if target != host => return None,
        (Some(authority), _) | (None, Some(authority)) => authority,
        (None, None) => return None,
    };
    let port_is_sound = match authority.as_str().strip_prefix(authority.host()) {
        Some("") => true,
        Some(rest) => rest
            .strip_prefix(':')
            .is_some_and(|port| port.parse::<u16>().is_ok()),
        // User information before the host has no place here.
        None => false,
    };
    port_is_sound.then_some(authority)
}

/// How a browser spells this server, for a request that was let through: as it says itself, else by
/// the host it asks and the line.
pub(super) fn origin<B>(request: &Request<B>, secure: bool) -> String {
    let said = request.headers().get(header::ORIGIN);
    if let Some(said) = said.and_then(|said| said.to_str().ok()) {
        return said.to_owned();
    }
    let scheme = if secure { "https" } else { "http" };
    let host = authority(request).map_or_else(String::new, |host| host.to_string());
    format!("{scheme}://{host}")
}

/// Is there no origin, or our own? `null`, several, and nonsense are foreign; so is the other
/// scheme, where the scheme is known.
fn same_origin(headers: &HeaderMap, authority: &Authority, https: Option<bool>) -> bool {
    let mut origins = headers.get_all(header::ORIGIN).iter();
    let Some(origin) = origins.next() else {
        return true;
    };
    if origins.next().is_some() {
        return false;
    }
    let Some((scheme, origin)) = origin.to_str().ok().and_then(|text| text.split_once("://"))
    else {
        return false;
    };
    let usual_port = match scheme {
        "http" if https != Some(true) => ":80",
        "https" if https != Some(false) => ":443",
        _ => return false,
    };
    let plain = |text: &str| {
        text.strip_suffix(usual_port)
            .unwrap_or(text)
            .to_ascii_lowercase()
    };
    plain(origin) == plain(authority.as_str())
}

/// A field's one value; a field that comes several times is as good as a foreign one.
fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a [u8]> {
    let mut values = headers.get_all(name).iter();
    let first = values.next()?;
    Some(if values.next().is_some() {
        b""
    } else {
        first.as_bytes()
    })
}

fn misdirected() -> Refusal {
    let why = "the Host of the request is none of this server's names (see --allow-host)";
    Refusal {
        status: StatusCode::MISDIRECTED_REQUEST,
        error: Error::bad_request(why),
    }
}

fn foreign() -> Refusal {
    Refusal {
        status: StatusCode::FORBIDDEN,
        error: Error::new(ErrorKind::Denied),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(https: Option<bool>) -> Caller {
        Caller {
            ip: [127, 0, 0, 1].into(),
            secure: https == Some(true),
            https,
            credentials: true,
            served: true,
        }
    }

    #[test]
    fn an_address_of_its_own_is_a_name_and_the_scheme_is_part_of_the_origin() {
        let local = Some(IpAddr::from([192, 0, 2, 7]));
        let to = |host: &str, origin: &str, https| {
            let request = Request::get("/").header("host", host);
            let request = request.header("origin", origin).body(()).unwrap();
            check(&request, &Hosts::default(), local, &caller(https), false).is_ok()
        };
        assert!(to("192.0.2.7:4283", "https://192.0.2.7:4283", Some(true)));
        assert!(!to("192.0.2.8:4283", "https://192.0.2.8:4283", Some(true)));
        assert!(to("192.0.2.7", "https://192.0.2.7:443", Some(true)));
        assert!(!to("192.0.2.7", "http://192.0.2.7", Some(true)));
        assert!(!to("192.0.2.7", "https://192.0.2.7", Some(false)));
        assert!(to("192.0.2.7", "https://192.0.2.7", None));
        assert!(to("192.0.2.7", "http://192.0.2.7", None));
        assert!(!to("192.0.2.7", "ftp://192.0.2.7", None));
    }

    fn status(method: &str, fields: &[(&str, &str)], own: bool) -> Option<u16> {
        let mut request = Request::builder().method(method).uri("/");
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let hosts = Hosts::also(&["Gaveta.Example".to_owned()], None);
        check(
            &request.body(()).unwrap(),
            &hosts,
            None,
            &caller(Some(false)),
            own,
        )
        .err()
        .map(|r| r.status.as_u16())
    }

    #[test]
    fn only_names_of_this_machine_are_answered() {
        for host in [
            "localhost",
            "localhost:4283",
            "LOCALHOST:1",
            "127.0.0.1",
            "127.8.9.1:80",
            "[::1]",
            "[::1]:4283",
            "gaveta.example",
            "gaveta.example:4283",
            "[::ffff:127.0.0.1]",
        ] {
            assert_eq!(status("GET", &[("host", host)], false), None, "{host}");
        }
        for host in [
            "evil.example",
            "localhost.evil.example",
            "evil.example:4283",
            "127.0.0.1.evil.example",
            "128.0.0.1",
            "10.0.0.1",
            "[::2]",
            "0.0.0.0",
            "[::]",
            "localhost.",
            "",
            "user@localhost",
            "localhost@evil.example",
            "127.1",
            "0x7f.0.0.1",
            "2130706433",
            "localhost:x",
            "localhost:99999",
            "evil.example:80@localhost",
            "localhost:",
            "notlocalhost",
        ] {
            assert_eq!(status("GET", &[("host", host)], false), Some(421), "{host}");
        }
        assert_eq!(status("GET", &[], false), Some(421));
        assert_eq!(
            status(
                "GET",
                &[("host", "localhost"), ("host", "localhost")],
                false
            ),
            Some(421)
        );
        let request = Request::get("http://evil.example/")
            .header("host", "localhost")
            .body(());
        let (hosts, caller) = (Hosts::default(), caller(Some(false)));
        assert!(check(&request.unwrap(), &hosts, None, &caller, false).is_err());
    }

    #[test]
    fn another_origin_gets_nothing() {
        let with = |method, origin: &str| {
            status(
                method,
                &[("host", "localhost:4283"), ("origin", origin)],
                false,
            )
        };
        for origin in [
            "http://evil.example",
            "null",
            "",
            "http://localhost",
            "http://localhost:80",
            "https://localhost:4283",
            "http://localhost:42830",
            "http://127.0.0.1:4283",
            "http://localhost:4283/",
            "file://",
            "http://localhost:4283.evil.example",
        ] {
            for method in ["GET", "PUT", "DELETE", "POST", "OPTIONS"] {
                assert_eq!(with(method, origin), Some(403), "{method} {origin}");
            }
        }
        assert_eq!(with("PUT", "http://localhost:4283"), None);
        assert_eq!(with("PUT", "http://LOCALHOST:4283"), None);
        let port_80 = [("host", "localhost"), ("origin", "http://localhost:80")];
        assert_eq!(status("PUT", &port_80, false), None);
    }

    #[test]
    fn a_link_may_be_followed_but_nothing_embedded_or_sent() {
        let from = |method, site, mode, dest, own| {
            let mut fields = vec![("host", "localhost"), ("sec-fetch-site", site)];
            fields.extend([("sec-fetch-mode", mode), ("sec-fetch-dest", dest)]);
            status(method, &fields, own)
        };
        for site in ["cross-site", "same-site", "nonsense"] {
            assert_eq!(from("GET", site, "navigate", "document", false), None);
            assert_eq!(from("GET", site, "navigate", "document", true), Some(403));
            assert_eq!(from("GET", site, "navigate", "iframe", false), Some(403));
            assert_eq!(from("GET", site, "no-cors", "image", false), Some(403));
            assert_eq!(from("GET", site, "cors", "empty", false), Some(403));
            assert_eq!(from("POST", site, "navigate", "document", false), Some(403));
            assert_eq!(from("PUT", site, "cors", "empty", false), Some(403));
        }
        for site in ["same-origin", "none"] {
            assert_eq!(from("PUT", site, "cors", "empty", true), None);
        }
    }
}
