//! How the port is protected: the options for it, what comes of them, and what is said about it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};
use std::path::{Path, PathBuf};

use clap::Args;
use gaveta_server::{AcmePlan, BasePath, Config, Identity, IpNet, Listening, Tls, TlsProblem};
use gaveta_text::Text;

use super::refusal::{Refusal, shown};
use super::warn;
use crate::exit::Exit;

/// What `gaveta serve` takes about encryption and proxies. The help is a key of the texts.
#[derive(Debug, Args)]
pub(super) struct TlsArgs {
    #[arg(
        long,
        value_name = "FILE",
        requires = "tls_key",
        help = "help-serve-tls-cert"
    )]
    tls_cert: Option<PathBuf>,
    #[arg(
        long,
        value_name = "FILE",
        requires = "tls_cert",
        help = "help-serve-tls-key"
    )]
    tls_key: Option<PathBuf>,
    #[arg(long, value_name = "DOMAIN", conflicts_with = "tls_cert",
        value_parser = domain, help = "help-serve-acme")]
    acme: Vec<String>,
    #[arg(long, value_name = "URL", requires = "acme", value_parser = directory,
        default_value = AcmePlan::LETS_ENCRYPT, hide_default_value = true,
        help = "help-serve-acme-directory")]
    acme_directory: String,
    #[arg(long, value_name = "ADDRESS", requires = "acme", value_parser = contact,
        help = "help-serve-acme-contact")]
    acme_contact: Option<String>,
    #[arg(long, help = "help-serve-plain")]
    plain: bool,
    #[arg(long, value_name = "ADDRESS", value_parser = network,
        help = "help-serve-trusted-proxy")]
    trusted_proxy: Vec<IpNet>,
    #[arg(
        long,
        value_name = "PREFIX",
        default_value = "",
        hide_default_value = true,
        help = "help-serve-base-path"
    )]
    base_path: BasePath,
    #[arg(long, value_name = "NAME", value_parser = host, help = "help-serve-allow-host")]
    allow_host: Vec<String>,
}

/// A name of letters, digits and hyphens, with a dot within.
fn domain(text: &str) -> Result<String, String> {
    let label = |label: &str| {
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '-';
        (1..=63).contains(&label.len()) && label.chars().all(fits)
    };
    let fits = text.len() <= 253 && text.contains('.') && text.split('.').all(label);
    match fits && text.parse::<IpAddr>().is_err() {
        true => Ok(text.to_ascii_lowercase()),
        false => Err("files.example.org".to_owned()),
    }
}

fn directory(text: &str) -> Result<String, String> {
    match text.strip_prefix("https://") {
        Some(rest) if !rest.is_empty() && !rest.starts_with('/') => Ok(text.to_owned()),
        _ => Err(AcmePlan::LETS_ENCRYPT.to_owned()),
    }
}

fn contact(text: &str) -> Result<String, String> {
    let address = text.strip_prefix("mailto:").unwrap_or(text);
    let sound = address.split_once('@').is_some_and(|(name, host)| {
        !name.is_empty() && !host.is_empty() && !address.contains(char::is_whitespace)
    });
    match sound && address.is_ascii() {
        true => Ok(format!("mailto:{address}")),
        false => Err("ana@example.org".to_owned()),
    }
}

/// An address, or a network with the length of its prefix.
fn network(text: &str) -> Result<IpNet, String> {
    let net = text
        .parse::<IpNet>()
        .or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
    net.map_err(|_| "127.0.0.1, 10.0.0.0/8, 2001:db8::/32".to_owned())
}

/// As it stands in `Host`, without a port.
fn host(text: &str) -> Result<String, String> {
    let fits =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | ':' | '[' | ']');
    let whole = text.starts_with('[') == text.ends_with(']');
    match !text.is_empty() && whole && text.chars().all(fits) {
        true if text.parse::<Ipv6Addr>().is_ok() => Ok(format!("[{text}]")),
        true if text.starts_with('[') || !text.contains(':') => Ok(text.to_ascii_lowercase()),
        _ => Err("files.example.org".to_owned()),
    }
}

impl TlsArgs {
    /// The key, which must not be served.
    pub(super) fn key_file(&self) -> Option<&Path> {
        self.tls_key.as_deref()
    }

    /// The prefix a proxy serves us under.
    pub(super) fn base(&self) -> &BasePath {
        &self.base_path
    }

    /// Does a proxy stand before us?
    pub(super) fn is_plain(&self) -> bool {
        self.plain
    }

    /// The certificate of `--tls-cert`: read while we still may.
    pub(super) fn given(&self, text: &Text) -> Result<Option<Tls>, Refusal> {
        let (Some(certificate), Some(key)) = (&self.tls_cert, &self.tls_key) else {
            return Ok(None);
        };
        let identity = Identity::Files {
            certificate: certificate.clone(),
            key: key.clone(),
        };
        ready(identity, text).map(Some)
    }

    /// The certificate by ACME or of our own, from this state folder; none where the loopback or
    /// a proxy needs none.
    pub(super) fn made(
        &self,
        host: &str,
        listening: &Listening,
        state: &Path,
        text: &Text,
    ) -> Result<Option<Tls>, Refusal> {
        let folder = state.join("tls");
        if !self.acme.is_empty() {
            let plan = AcmePlan {
                domains: self.acme.clone(),
                directory: self.acme_directory.clone(),
                contact: self.acme_contact.iter().cloned().collect(),
                folder,
            };
            return ready(Identity::Acme(plan), text).map(Some);
        }
        if !listening.is_outside() || self.plain {
            return Ok(None);
        }
        let mut names = own_names(host, listening);
        names.extend(self.allow_host.iter().map(|name| {
            name.trim_start_matches('[')
                .trim_end_matches(']')
                .to_owned()
        }));
        names.dedup();
        ready(Identity::Own { folder, names }, text).map(Some)
    }

    /// Puts all of it into the server's settings.
    pub(super) fn settle(
        &self,
        tls: Option<Tls>,
        host: &str,
        listening: &Listening,
        config: &mut Config,
    ) {
        config.tls = tls;
        config.plain = self.plain;
        config.proxies.clone_from(&self.trusted_proxy);
        config.base = self.base_path.clone();
        config.hosts.clone_from(&self.allow_host);
        if listening.is_outside() {
            config.hosts.extend(own_names(host, listening));
        }
        config.ease = !listening.is_outside() && !self.plain && self.trusted_proxy.is_empty();
    }
}

fn ready(identity: Identity, text: &Text) -> Result<Tls, Refusal> {
    let tls = Tls::ready(identity).map_err(|problem| cannot_encrypt(text, &problem))?;
    let left = tls.expires().duration_since(std::time::SystemTime::now());
    match left.map(|left| left.as_secs() / (24 * 60 * 60)) {
        Err(_) => warn(&text.say("serve-warn-certificate-expired", &[])),
        Ok(days) if days < 30 => {
            warn(&text.say("serve-warn-certificate-soon", &[("days", days.into())]));
        }
        Ok(_) => {}
    }
    Ok(tls)
}

pub(super) fn cannot_encrypt(text: &Text, problem: &TlsProblem) -> Refusal {
    let path = |path: &Path| ("path", shown(path.display()).into());
    let sentence = match problem {
        TlsProblem::File(file, error) => text.say(
            "serve-tls-file",
            &[path(file), ("reason", shown(error).into())],
        ),
        TlsProblem::NoCertificate(file) => text.say("serve-tls-no-certificate", &[path(file)]),
        TlsProblem::NoKey(file) => text.say("serve-tls-no-key", &[path(file)]),
        TlsProblem::Mismatch(certificate, key) => text.say(
            "serve-tls-mismatch",
            &[
                ("certificate", shown(certificate.display()).into()),
                ("key", shown(key.display()).into()),
            ],
        ),
        TlsProblem::Exposed(file) => text.say("serve-tls-exposed", &[path(file)]),
        TlsProblem::BadName(name) => {
            text.say("serve-tls-bad-name", &[("name", shown(name).into())])
        }
        TlsProblem::Tls(reason) => {
            text.say("serve-tls-failed", &[("reason", shown(reason).into())])
        }
    };
    Refusal(Exit::State, sentence)
}

/// What this machine is called, and where it is reached: for its own certificate, and for `Host`.
fn own_names(host: &str, listening: &Listening) -> Vec<String> {
    let mut names = vec!["localhost".to_owned()];
    if host.parse::<IpAddr>().is_err() && domain_like(host) {
        names.push(host.to_ascii_lowercase());
    }
    let called = rustix::system::uname();
    let called = called.nodename().to_string_lossy().to_ascii_lowercase();
    if domain_like(&called) {
        if !called.contains('.') {
            // As machines find each other without a name server (RFC 6762).
            names.push(format!("{called}.local"));
        }
        names.push(called);
    }
    names.extend(reached_at(listening).iter().map(ToString::to_string));
    names.sort();
    names.dedup();
    names
}

fn domain_like(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
    !name.is_empty() && name.len() <= 253 && name.chars().all(fits) && !name.starts_with(['.', '-'])
}

/// The addresses others may use: those it listens at, and for "all of them" the one by which this
/// machine reaches others.
pub(super) fn reached_at(listening: &Listening) -> Vec<IpAddr> {
    let mut all = Vec::new();
    for address in listening.addresses() {
        match address.ip().to_canonical() {
            IpAddr::V4(Ipv4Addr::UNSPECIFIED) => all.extend(outward(false)),
            IpAddr::V6(Ipv6Addr::UNSPECIFIED) => {
                all.extend(outward(false));
                all.extend(outward(true));
            }
            ip => all.push(ip),
        }
    }
    all.dedup();
    all
}

/// The address that the system would send from. Nothing is sent: the socket only chooses its route
/// (to an address kept for documents, RFC 5737 and RFC 3849).
fn outward(v6: bool) -> Option<IpAddr> {
    let (from, to) = match v6 {
        false => ("0.0.0.0:0", "192.0.2.1:9"),
        true => ("[::]:0", "[2001:db8::1]:9"),
    };
    let socket = UdpSocket::bind(from).ok()?;
    socket.connect(to).ok()?;
    let ip = socket.local_addr().ok()?.ip();
    (!ip.is_unspecified() && !ip.is_loopback()).then_some(ip)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_strictly() {
        for good in ["a.example", "files.example.org", "x-1.example"] {
            assert!(domain(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "localhost",
            "1.2.3.4",
            "a..b",
            "a b.example",
            "*.example.org",
            "é.org",
        ] {
            assert!(domain(bad).is_err(), "{bad}");
        }
        assert!(directory("https://ca.example/dir").is_ok());
        for bad in [
            "",
            "http://ca.example/dir",
            "https://",
            "ca.example",
            "https:///x",
        ] {
            assert!(directory(bad).is_err(), "{bad}");
        }
        assert_eq!(
            contact("ana@example.org").unwrap(),
            "mailto:ana@example.org"
        );
        assert_eq!(contact("mailto:a@b").unwrap(), "mailto:a@b");
        for bad in ["", "ana", "@b", "a@", "a b@c"] {
            assert!(contact(bad).is_err(), "{bad}");
        }
        assert_eq!(network("10.1.2.3").unwrap().prefix_len(), 32);
        assert_eq!(network("2001:db8::/32").unwrap().prefix_len(), 32);
        for bad in ["", "proxy", "10.0.0.0/33", "10.0.0/8"] {
            assert!(network(bad).is_err(), "{bad}");
        }
        assert_eq!(host("2001:DB8::1").unwrap(), "[2001:DB8::1]");
        assert_eq!(host("[2001:db8::1]").unwrap(), "[2001:db8::1]");
        assert_eq!(host("Files.Example").unwrap(), "files.example");
        for bad in ["", "a b", "a:80", "[::1", "http://x", "a/b"] {
            assert!(host(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn every_problem_has_its_sentence_in_both_languages() {
        let path = PathBuf::from("/a\u{1b}b");
        for lang in gaveta_text::Lang::ALL {
            let text = Text::new(lang);
            let problems = [
                TlsProblem::File(path.clone(), std::io::Error::other("reason")),
                TlsProblem::NoCertificate(path.clone()),
                TlsProblem::NoKey(path.clone()),
                TlsProblem::Mismatch(path.clone(), path.clone()),
                TlsProblem::Exposed(path.clone()),
                TlsProblem::BadName("a b".into()),
                TlsProblem::Tls("reason".into()),
            ];
            for problem in &problems {
                let Refusal(exit, sentence) = cannot_encrypt(&text, problem);
                assert_eq!(exit, Exit::State);
                assert!(
                    !sentence.contains('‹') && !sentence.contains("{ "),
                    "{sentence}"
                );
                assert!(!sentence.chars().any(char::is_control), "{sentence:?}");
            }
        }
    }
}
