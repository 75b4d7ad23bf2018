//! The other end of the socket: a command that finds the servers and asks them.

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use super::short;

/// How long a server may take for its answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// The longest answer, in bytes.
const LONGEST: u64 = 16 * 1024 * 1024;

/// A server that runs with some state folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its port.
    pub port: u16,
    socket: PathBuf,
}

/// The servers that run with this state folder, by port. One that was killed is none.
pub fn servers(state: &Path) -> Vec<Found> {
    let Ok(entries) = fs::read_dir(state) else {
        return Vec::new();
    };
    let mut found: Vec<Found> = entries
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let name = entry.file_name().into_string().ok()?;
            let port = name.strip_prefix("control-")?.strip_suffix(".sock")?;
            let found = Found {
                port: port.parse().ok()?,
                socket: entry.path(),
            };
            connect(&found.socket).is_ok().then_some(found)
        })
        .collect();
    found.sort_by_key(|found| found.port);
    found
}

fn connect(socket: &Path) -> io::Result<UnixStream> {
    let (by, _held) = short(socket)?;
    UnixStream::connect(by)
}

/// Asks a server, and waits for at most half a minute.
///
/// # Errors
/// Those of the system; what the server answered as an error comes back as `Err` within `Ok`: its
/// code and message.
pub fn ask(server: &Found, request: &Value) -> io::Result<Result<Value, (String, String)>> {
    let mut socket = connect(&server.socket)?;
    socket.set_write_timeout(Some(PATIENCE))?;
    socket.set_read_timeout(Some(PATIENCE))?;
    let mut text = request.to_string();
    text.push('\n');
    socket.write_all(text.as_bytes())?;
    let mut answer = String::new();
    if BufReader::new(socket)
        .take(LONGEST)
        .read_line(&mut answer)?
        == 0
    {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let mut answer: Value = serde_json::from_str(&answer).map_err(io::Error::other)?;
    if let Some(ok) = answer.get_mut("ok") {
        return Ok(Ok(ok.take()));
    }
    let part = |name: &str| {
        let text = answer.get("error").and_then(|error| error.get(name));
        text.and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    Ok(Err((part("code"), part("message"))))
}
