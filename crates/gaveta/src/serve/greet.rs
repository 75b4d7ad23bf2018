//! What the server says when it is ready.

use std::io::{self, Write};
use std::path::Path;

use gaveta_server::Server;
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
        about_trash(args, text),
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
