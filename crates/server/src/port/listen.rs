//! Where the server listens.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, ToSocketAddrs};

/// Connections that wait to be accepted, as far as the system allows so many. Beyond them Linux
/// loses what a client believes to be open, and may break it off when it begins to send.
const WAITING: i32 = 4096;
/// How often a free port is sought that is free for IPv4 and IPv6.
const TRIES: usize = 16;

/// Sockets that listen: bound before privileges are dropped and threads are started.
#[derive(Debug)]
pub struct Listening {
    sockets: Vec<TcpListener>,
    addresses: Vec<SocketAddr>,
}

/// Why nobody can listen there.
#[derive(Debug)]
pub enum BindError {
    /// The host has no address.
    NoHost(String, io::Error),
    /// Another program listens there.
    InUse(SocketAddr),
    /// Ports below 1024 are for root.
    Forbidden(SocketAddr),
    /// Anything else.
    Io(SocketAddr, io::Error),
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoHost(host, error) => write!(f, "{host}: {error}"),
            Self::InUse(address) => write!(f, "{address}: in use"),
            Self::Forbidden(address) => write!(f, "{address}: not permitted"),
            Self::Io(address, error) => write!(f, "{address}: {error}"),
        }
    }
}

impl std::error::Error for BindError {}

impl Listening {
    /// Binds every address of `host` at this port; port 0 is any free one, the same for all.
    /// `localhost` is 127.0.0.1 and ::1, or 127.0.0.1 alone on a machine without IPv6.
    ///
    /// # Errors
    /// [`BindError`].
    pub fn bind(host: &str, port: u16) -> Result<Self, BindError> {
        let addresses = resolve(host)?;
        let mut tried = 0;
        loop {
            tried += 1;
            match Self::bind_all(&addresses, port) {
                Err(BindError::InUse(_)) if port == 0 && tried < TRIES => {}
                bound => return bound,
            }
        }
    }

    fn bind_all(ips: &[IpAddr], port: u16) -> Result<Self, BindError> {
        let (mut sockets, mut addresses) = (Vec::new(), Vec::<SocketAddr>::new());
        for ip in ips {
            let port = addresses.first().map_or(port, SocketAddr::port);
            match bind_one(SocketAddr::new(*ip, port)) {
                Ok((socket, address)) => {
                    sockets.push(socket);
                    addresses.push(address);
                }
                // No IPv6 here: the machine's other address will do.
                Err(BindError::Io(_, error)) if ip.is_ipv6() && !addresses.is_empty() => {
                    tracing::debug!(target: "gaveta::port", %ip, %error, "not there");
                }
                Err(error) => return Err(error),
            }
        }
        Ok(Self { sockets, addresses })
    }

    /// Where.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Can others than this machine reach it?
    pub fn is_outside(&self) -> bool {
        let outside = |address: &SocketAddr| !address.ip().to_canonical().is_loopback();
        self.addresses.iter().any(outside)
    }

    /// The sockets, for the runtime.
    pub(crate) fn into_sockets(self) -> Vec<TcpListener> {
        self.sockets
    }
}

fn resolve(host: &str) -> Result<Vec<IpAddr>, BindError> {
    if host.eq_ignore_ascii_case("localhost") {
        return Ok(vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]);
    }
    let bare = host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(host);
    if let Ok(ip) = bare.parse() {
        return Ok(vec![ip]);
    }
    let failed = |error| BindError::NoHost(host.to_owned(), error);
    let mut ips: Vec<IpAddr> = (host, 0)
        .to_socket_addrs()
        .map_err(failed)?
        .map(|address| address.ip())
        .collect();
    ips.sort();
    ips.dedup();
    if ips.is_empty() {
        return Err(failed(io::ErrorKind::NotFound.into()));
    }
    Ok(ips)
}

fn bind_one(wanted: SocketAddr) -> Result<(TcpListener, SocketAddr), BindError> {
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::AddrInUse => BindError::InUse(wanted),
        io::ErrorKind::PermissionDenied => BindError::Forbidden(wanted),
        _ => BindError::Io(wanted, error),
    };
    let socket = TcpListener::bind(wanted).map_err(failed)?;
    // The standard library has room for 128; to listen again makes more.
    rustix::net::listen(&socket, WAITING).map_err(|error| failed(error.into()))?;
    socket.set_nonblocking(true).map_err(failed)?;
    let address = socket.local_addr().map_err(failed)?;
    Ok((socket, address))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn localhost_is_one_port_for_all_its_addresses() {
        let listening = Listening::bind("localhost", 0).unwrap();
        let ports: Vec<u16> = listening.addresses().iter().map(SocketAddr::port).collect();
        assert!(ports.iter().all(|port| *port == ports[0] && *port != 0));
        assert!(
            listening
                .addresses()
                .iter()
                .all(|address| address.ip().is_loopback())
        );
        let again = Listening::bind("127.0.0.1", ports[0]).unwrap_err();
        assert!(matches!(again, BindError::InUse(_)), "{again}");
    }

    #[test]
    fn what_others_can_reach_is_told_from_the_loopback() {
        // Nothing listens there: only the addresses are looked at.
        let at = |address: &str| Listening {
            sockets: Vec::new(),
            addresses: vec![address.parse().unwrap()],
        };
        for outside in ["0.0.0.0:1", "[::]:1", "192.0.2.1:1", "[::ffff:10.0.0.1]:1"] {
            assert!(at(outside).is_outside(), "{outside}");
        }
        for inside in [
            "127.0.0.1:1",
            "127.8.9.1:1",
            "[::1]:1",
            "[::ffff:127.0.0.1]:1",
        ] {
            assert!(!at(inside).is_outside(), "{inside}");
        }
        let error = Listening::bind("", 0).unwrap_err();
        assert!(!matches!(error, BindError::InUse(_)), "{error}");
    }
}
