//! Who asks, as far as the network tells: from which address, and over a line that can be trusted
//! with a password or not.

use std::net::IpAddr;

use http::Request;
use http::header::{self, HeaderMap, HeaderName};
use ipnet::IpNet;

use crate::port::line::Line;
use crate::server::House;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
/// The longest forwarding field that is read, in bytes; of a longer one nothing is believed.
const LONGEST: usize = 4096;

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Caller {
    /// The address that limits, logs and audits go by. A proxy's word for it counts only when the
    /// proxy is one that was named.
    pub(crate) ip: IpAddr,
    /// Encrypted all the way, as far as that is known.
    pub(crate) secure: bool,
    /// How a browser spells this server: `https` or `http`; none where only the proxy knows.
    pub(super) https: Option<bool>,
    /// May a password, a token or a cookie be taken over this line?
    pub(crate) credentials: bool,
    /// Is an unencrypted request answered at all?
    pub(super) served: bool,
}

/// What decides about lines.
#[derive(Debug, Clone, Default)]
pub(crate) struct Trust {
    /// Unencrypted requests are served to everyone: a proxy stands before us.
    pub(crate) plain: bool,
    /// Who is on this machine needs no encryption.
    pub(crate) loopback: bool,
    /// Whose word about others counts.
    pub(crate) proxies: Vec<IpNet>,
}

impl Trust {
    fn is_proxy(&self, ip: IpAddr) -> bool {
        self.proxies.iter().any(|net| net.contains(&ip))
    }
}

impl Caller {
    /// Reads it off a request.
    pub(crate) fn of<B>(request: &Request<B>, line: &Line, house: &House) -> Self {
        let peer = line.peer().ip().to_canonical();
        Self::seen(
            request.headers(),
            peer,
            line.is_encrypted(),
            line.is_local(),
            &house.trust,
        )
    }

    fn seen(
        headers: &HeaderMap,
        peer: IpAddr,
        encrypted: bool,
        local: bool,
        trust: &Trust,
    ) -> Self {
        let own = trust.loopback && local;
        if trust.is_proxy(peer) {
            let told = forwarded(headers, trust);
            let ip = told.ip.unwrap_or(peer);
            // The proxy's own line to its client counts as much as ours to the proxy.
            let credentials = told.https.unwrap_or(true) && (encrypted || trust.plain || own);
            return Self {
                ip,
                secure: told.https.unwrap_or(encrypted),
                https: told.https,
                credentials,
                served: encrypted || trust.plain || own,
            };
        }
        // Somebody on this machine hands on what others send, and was not named: whose password
        // this is, and over what it came, nobody knows.
        let handed_on = [&header::FORWARDED, &X_FORWARDED_FOR, &X_FORWARDED_PROTO]
            .into_iter()
            .any(|name| headers.contains_key(name));
        Self {
            ip: peer,
            secure: encrypted,
            https: match encrypted {
                true => Some(true),
                false if trust.plain => None,
                false => Some(false),
            },
            credentials: encrypted || own && !(trust.plain && handed_on),
            served: encrypted || trust.plain || own,
        }
    }
}

/// What proxies tell.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Told {
    ip: Option<IpAddr>,
    https: Option<bool>,
}

/// By `Forwarded` (RFC 7239) or by `X-Forwarded-*`. Where both are there and disagree, one of them
/// is the client's own: then neither is believed, and the line counts as unencrypted.
fn forwarded(headers: &HeaderMap, trust: &Trust) -> Told {
    let nothing = Told {
        ip: None,
        https: Some(false),
    };
    let standard = match joined(headers, &header::FORWARDED) {
        Ok(text) => text.map(|text| by_standard(&text, trust)),
        Err(TooLong) => return nothing,
    };
    let (addresses, protocols) = match (
        joined(headers, &X_FORWARDED_FOR),
        joined(headers, &X_FORWARDED_PROTO),
    ) {
        (Ok(addresses), Ok(protocols)) => (addresses, protocols),
        _ => return nothing,
    };
    let custom = (addresses.is_some() || protocols.is_some()).then(|| Told {
        ip: addresses.and_then(|text| outermost(text.split(',').map(node), trust)),
        https: protocols.and_then(|text| protocol(text.rsplit(',').next()?)),
    });
    match (standard, custom) {
        (Some(standard), Some(custom)) if standard != custom => nothing,
        (Some(told), _) | (None, Some(told)) => told,
        (None, None) => Told::default(),
    }
}

struct TooLong;

/// A field that may come several times, as one list.
fn joined(headers: &HeaderMap, name: &HeaderName) -> Result<Option<String>, TooLong> {
    let mut all = None::<String>;
    for value in headers.get_all(name) {
        let value = value.to_str().map_err(|_| TooLong)?;
        let all = all.get_or_insert_default();
        if all.len() + value.len() > LONGEST {
            return Err(TooLong);
        }
        if !all.is_empty() {
            all.push(',');
        }
        all.push_str(value);
    }
    Ok(all)
}

/// The nearest hop that is no proxy of ours: whatever stands before it, the client may have made
/// up. None when a hop has no address.
fn outermost(
    hops: impl DoubleEndedIterator<Item = Option<IpAddr>>,
    trust: &Trust,
) -> Option<IpAddr> {
    let mut last = None;
    for hop in hops.rev() {
        let ip = hop?;
        last = Some(ip);
        if !trust.is_proxy(ip) {
            break;
        }
    }
    last
}

fn by_standard(text: &str, trust: &Trust) -> Told {
    let field = |element: &str, wanted: &str| {
        element.split(';').find_map(|pair| {
            let (name, value) = pair.split_once('=')?;
            let value = value.trim().trim_matches('"').to_owned();
            name.trim().eq_ignore_ascii_case(wanted).then_some(value)
        })
    };
    let elements: Vec<&str> = text.split(',').collect();
    let hops = elements
        .iter()
        .map(|element| field(element, "for").and_then(|value| node(&value)));
    Told {
        ip: outermost(hops, trust),
        https: elements
            .last()
            .and_then(|element| protocol(&field(element, "proto")?)),
    }
}

fn protocol(text: &str) -> Option<bool> {
    match text.trim().to_ascii_lowercase().as_str() {
        "https" | "wss" => Some(true),
        "http" | "ws" => Some(false),
        _ => None,
    }
}

/// An address, with or without a port; IPv6 with or without brackets (RFC 7239, section 6).
fn node(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    if let Ok(ip) = text.parse::<IpAddr>() {
        return Some(ip.to_canonical());
    }
    if let Some(rest) = text.strip_prefix('[') {
        let (ip, _) = rest.split_once(']')?;
        return Some(IpAddr::V6(ip.parse().ok()?).to_canonical());
    }
    let (ip, _) = text.split_once(':')?;
    ip.parse().ok().map(IpAddr::V4)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    const PROXY: &str = "10.0.0.1";

    fn seen(peer: &str, encrypted: bool, trust: &Trust, fields: &[(&'static str, &str)]) -> Caller {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, HeaderValue::from_str(value).unwrap());
        }
        let peer: IpAddr = peer.parse().unwrap();
        Caller::seen(&headers, peer, encrypted, peer.is_loopback(), trust)
    }

    fn behind() -> Trust {
        Trust {
            plain: true,
            loopback: true,
            proxies: vec!["10.0.0.0/24".parse().unwrap()],
        }
    }

    #[test]
    fn only_a_named_proxy_speaks_for_others() {
        let open = Trust {
            loopback: true,
            ..Trust::default()
        };
        let fields = [("x-forwarded-for", "203.0.113.9")];
        assert_eq!(seen(PROXY, true, &open, &fields).ip.to_string(), PROXY);
        assert_eq!(
            seen("127.0.0.1", false, &open, &fields).ip.to_string(),
            "127.0.0.1"
        );
        let told = seen(PROXY, false, &behind(), &fields);
        assert_eq!(told.ip.to_string(), "203.0.113.9");
        let stranger = seen("192.0.2.1", false, &behind(), &fields);
        assert_eq!(stranger.ip.to_string(), "192.0.2.1");
        assert!(!stranger.credentials && stranger.served);
    }

    #[test]
    fn the_nearest_hop_that_is_no_proxy_counts() {
        for (name, value, ip) in [
            (
                "x-forwarded-for",
                "6.6.6.6, 203.0.113.9, 10.0.0.7",
                "203.0.113.9",
            ),
            ("x-forwarded-for", "10.0.0.9, 10.0.0.8", "10.0.0.9"),
            ("x-forwarded-for", "203.0.113.9:4711", "203.0.113.9"),
            ("x-forwarded-for", "[2001:db8::7]:4711", "2001:db8::7"),
            ("x-forwarded-for", "::ffff:203.0.113.9", "203.0.113.9"),
            ("x-forwarded-for", "6.6.6.6, nonsense", PROXY),
            ("x-forwarded-for", "", PROXY),
            (
                "forwarded",
                "for=6.6.6.6, for=203.0.113.9;proto=https",
                "203.0.113.9",
            ),
            ("forwarded", "For=\"[2001:db8::7]:80\"", "2001:db8::7"),
            ("forwarded", "for=unknown", PROXY),
            ("forwarded", "for=6.6.6.6, for=_hidden", PROXY),
        ] {
            let told = seen(PROXY, false, &behind(), &[(name, value)]);
            assert_eq!(told.ip.to_string(), ip, "{name}: {value}");
        }
    }

    #[test]
    fn fields_that_disagree_are_not_believed() {
        let both = [
            ("forwarded", "for=6.6.6.6;proto=https"),
            ("x-forwarded-for", "203.0.113.9"),
        ];
        let told = seen(PROXY, false, &behind(), &both);
        assert_eq!(told.ip.to_string(), PROXY);
        assert!(!told.credentials && !told.secure);
        let long = "1.1.1.1,".repeat(1000);
        let told = seen(PROXY, false, &behind(), &[("x-forwarded-for", &long)]);
        assert!(told.ip.to_string() == PROXY && !told.credentials);
    }

    #[test]
    fn a_password_travels_encrypted_or_from_a_named_proxy() {
        let to = |peer, encrypted, trust: &Trust, fields: &[(&'static str, &str)]| {
            seen(peer, encrypted, trust, fields).credentials
        };
        let none: &[(&'static str, &str)] = &[];
        let local = Trust {
            loopback: true,
            ..Trust::default()
        };
        assert!(to("127.0.0.1", false, &local, none));
        assert!(!to("192.0.2.1", false, &local, none));
        assert!(to("192.0.2.1", true, &local, none));
        let behind = behind();
        assert!(!to("192.0.2.1", false, &behind, none));
        assert!(to(PROXY, false, &behind, none));
        assert!(to(PROXY, false, &behind, &[("x-forwarded-proto", "https")]));
        assert!(!to(PROXY, false, &behind, &[("x-forwarded-proto", "http")]));
        assert!(to("127.0.0.1", false, &behind, none));
        let handed_on = [("x-forwarded-for", "203.0.113.9")];
        assert!(
            !to("127.0.0.1", false, &behind, &handed_on),
            "a proxy that was not named"
        );
    }

    #[test]
    fn off_the_machine_nothing_is_served_unencrypted() {
        let closed = Trust {
            loopback: true,
            ..Trust::default()
        };
        assert!(!seen("192.0.2.1", false, &closed, &[]).served);
        assert!(seen("192.0.2.1", true, &closed, &[]).served);
        assert!(seen("127.0.0.1", false, &closed, &[]).served);
        assert!(!seen("127.0.0.1", false, &Trust::default(), &[]).served);
    }
}
