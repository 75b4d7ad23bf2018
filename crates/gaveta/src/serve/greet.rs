//! What the server says when it is ready.

use std::io::{self, Write};
use std::net::IpAddr;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gaveta_client::verbs;
use gaveta_server::{Server, Tls};
use gaveta_text::Text;

use super::args::ServeArgs;
use super::refusal::shown;

/// What becomes of what is deleted or replaced.
fn about_trash(args: &ServeArgs, text: &Text) -> String {
    match args.trash() {
        Some(trash) => {
            const DAY: u64 = 24 * 60 * 60;
            let (seconds, share) = (trash.keep.as_secs(), u64::from(trash.share).into());
            match seconds.is_multiple_of(DAY) {
                true => {
                    let args = [("days", (seconds / DAY).into()), ("share", share)];
                    text.say("serve-trash", &args)
                }
                false => {
                    let time = text.duration(trash.keep).into();
                    text.say("serve-trash-short", &[("time", time), ("share", share)])
                }
            }
        }
        None if args.read_only => String::new(),
        None => text.say("serve-trash-off", &[]),
    }
}

/// Says where it listens, what it serves, and how to connect.
pub(super) fn greet(
    server: &Server,
    folder: &Path,
    args: &ServeArgs,
    tls: Option<&Tls>,
    reached: &[IpAddr],
    text: &Text,
) {
    let port = server
        .addresses()
        .first()
        .map_or(args.port, std::net::SocketAddr::port);
    let host = match args.host.parse::<IpAddr>() {
        Ok(ip) if ip.is_unspecified() => reached.first().copied().unwrap_or(ip),
        Ok(ip) => ip,
        Err(_) => IpAddr::from([127, 0, 0, 1]),
    };
    let host = match args.host.parse::<IpAddr>() {
        Err(_) => args.host.clone(),
        Ok(_) if host.is_ipv6() => format!("[{host}]"),
        Ok(_) => host.to_string(),
    };
    let local = addresses_are_local(server);
    let scheme = match tls {
        Some(_) if !local => "https",
        _ => "http",
    };
    let listens = match (local, scheme) {
        (true, _) => "serve-listens",
        (false, "https") => "serve-listens-tls",
        (false, _) => "serve-listens-open",
    };
    let place = format!("{host}:{port}");
    let url = format!("{scheme}://{place}{}/", args.tls.base().as_str());
    let own = tls.filter(|tls| tls.is_own());
    // What our own client takes without asking, curl takes when it is told the same.
    let pin = own.map_or_else(String::new, |own| {
        let pin = STANDARD.encode(own.fingerprint().0);
        format!("-k --pinnedpubkey sha256//{pin} ")
    });
    let addresses: Vec<String> = server.addresses().iter().map(ToString::to_string).collect();
    let folder_key = match args.read_only {
        true => "serve-serves-read-only",
        false => "serve-serves",
    };
    let mut lines = vec![
        text.say(folder_key, &[("folder", shown(folder.display()).into())]),
        about_trash(args, text),
        text.say(
            listens,
            &[
                ("url", url.as_str().into()),
                ("addresses", addresses.join(", ").into()),
            ],
        ),
    ];
    if let Some(tls) = tls {
        let fingerprint = tls.fingerprint().to_string();
        lines.push(text.say("serve-fingerprint", &[("fingerprint", fingerprint.into())]));
    }
    if own.is_some() {
        lines.push(text.say("serve-fingerprint-why", &[]));
    }
    let word = |name| verbs::verb(name).map_or(name, |verb| verb.word(text.lang()));
    lines.extend([
        text.say("serve-connect", &[]),
        format!("    gaveta {} {place}", text.say("serve-word-connect", &[])),
        format!("    gaveta {} {place}", word("list")),
        format!(
            "    gaveta {} {} {place}/",
            word("send"),
            text.say("serve-a-file", &[])
        ),
        format!("    curl {pin}-T {} {url}", text.say("serve-a-file", &[])),
        text.say("serve-how-to-stop", &[]),
    ]);
    let mut out = io::stdout().lock();
    for line in lines.iter().filter(|line| !line.is_empty()) {
        // Nobody reading is no reason not to serve.
        let _ = writeln!(out, "{line}");
    }
    let _ = out.flush();
    tracing::info!(
        target: "gaveta::server", addresses = addresses.join(", "),
        folder = shown(folder.display()), read_only = args.read_only, "serving"
    );
}

/// Does it serve this machine alone?
fn addresses_are_local(server: &Server) -> bool {
    let mut addresses = server.addresses().iter();
    addresses.all(|address| address.ip().to_canonical().is_loopback())
}
