//! What the server says when it is ready.

use std::io::{self, Write};
use std::path::Path;

use gaveta_server::Server;
use gaveta_text::Text;

use super::args::ServeArgs;
use super::refusal::shown;

/// Says where it listens, what it serves, and how to connect.
pub(super) fn greet(server: &Server, folder: &Path, args: &ServeArgs, text: &Text) {
    let port = server
        .addresses()
        .first()
        .map_or(args.port, std::net::SocketAddr::port);
    let host = match args.host.parse::<std::net::IpAddr>() {
        Ok(std::net::IpAddr::V6(v6)) => format!("[{v6}]"),
        Ok(std::net::IpAddr::V4(v4)) => v4.to_string(),
        Err(_) => args.host.clone(),
    };
    let place = format!("{host}:{port}");
    let addresses: Vec<String> = server.addresses().iter().map(ToString::to_string).collect();
    let folder_key = match args.read_only {
        true => "serve-serves-read-only",
        false => "serve-serves",
    };
    let lines = [
        text.say(folder_key, &[("folder", shown(folder.display()).into())]),
        text.say(
            "serve-listens",
            &[
                ("url", format!("http://{place}/").into()),
                ("addresses", addresses.join(", ").into()),
            ],
        ),
        text.say("serve-connect", &[]),
        format!("    gaveta connect {place}"),
        format!("    gaveta list {place}"),
        format!("    gaveta send {} {place}/", text.say("serve-a-file", &[])),
        format!(
            "    curl -T {} http://{place}/",
            text.say("serve-a-file", &[])
        ),
        text.say("serve-how-to-stop", &[]),
    ];
    let mut out = io::stdout().lock();
    for line in lines {
        // Nobody reading is no reason not to serve.
        let _ = writeln!(out, "{line}");
    }
    let _ = out.flush();
    tracing::info!(
        target: "gaveta::server", addresses = addresses.join(", "),
        folder = shown(folder.display()), read_only = args.read_only, "serving"
    );
}
