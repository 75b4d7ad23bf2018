//! How commands on this machine talk to a server that runs here: a socket in its state folder, for
//! its own user (and root) alone.
//!
//! One line of JSON in, `{"do": "…", …}`; one out, `{"ok": …}` or `{"error": …}`.

mod ask;

use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

pub use ask::{Found, ask, servers};

use crate::server::House;

/// The longest request, in bytes.
const LONGEST: u64 = 256 * 1024;
/// How long a request may take to arrive, and a line of the answer to be taken.
const DEADLINE: Duration = Duration::from_secs(10);
/// How many are listened to at once.
const AT_ONCE: usize = 16;
/// What a path of a socket may have, in bytes (unix(7): 108 with the NUL).
const SOCKET_PATH: usize = 100;

/// What answers some of the words.
#[async_trait]
pub(crate) trait Steward: fmt::Debug + Send + Sync {
    /// Answers a request of this user of the machine; none when its word is not this one's.
    async fn answer(&self, word: &str, request: &Value, user: u32) -> Option<Answer>;
}

/// What a request comes to.
pub(crate) enum Answer {
    /// Done: `{"ok": …}`.
    Done(Value),
    /// Not done: a stable code and what is to be said about it.
    Failed {
        /// As of an error kind, or of one's own.
        code: String,
        /// For the log and for who has no sentence of his own.
        message: String,
    },
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Done(_) => "Done",
            Self::Failed { .. } => "Failed",
        })
    }
}

/// The socket of a server, removed with it.
#[derive(Debug)]
pub(crate) struct Control {
    listener: UnixListener,
    path: PathBuf,
}

impl Drop for Control {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// The name of the socket of a server on this port.
fn socket(state: &Path, port: u16) -> PathBuf {
    state.join(format!("control-{port}.sock"))
}

/// A path by which the kernel takes a socket in this folder, however long the folder's own is, and
/// what must be held for as long as it is used.
fn short(path: &Path) -> io::Result<(PathBuf, Option<fs::File>)> {
    use std::os::fd::AsRawFd;
    if path.as_os_str().len() <= SOCKET_PATH {
        return Ok((path.to_owned(), None));
    }
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let folder = fs::File::open(folder)?;
    let by_number = PathBuf::from(format!("/proc/self/fd/{}", folder.as_raw_fd())).join(name);
    Ok((by_number, Some(folder)))
}

impl Control {
    /// Listens in this state folder, for the server on this port. Within a runtime.
    ///
    /// # Errors
    /// Those of the system; `AddrInUse` when a server that lives has this socket.
    pub(crate) fn bind(state: &Path, port: u16) -> io::Result<Self> {
        let path = socket(state, port);
        let (by, _held) = short(&path)?;
        if fs::symlink_metadata(&path).is_ok() {
            if std::os::unix::net::UnixStream::connect(&by).is_ok() {
                return Err(io::ErrorKind::AddrInUse.into());
            }
            // Left behind by one that was killed.
            fs::remove_file(&path)?;
        }
        let listener = UnixListener::bind(&by)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
        Ok(Self { listener, path })
    }

    /// Answers until the server closes.
    pub(crate) async fn serve(self, house: Arc<House>, stewards: Vec<Arc<dyn Steward>>) {
        let stewards: Arc<[Arc<dyn Steward>]> = stewards.into();
        let places = Arc::new(Semaphore::new(AT_ONCE));
        loop {
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                () = house.closing() => return,
            };
            let Ok((socket, _)) = accepted else {
                sleep(Duration::from_millis(100)).await;
                continue;
            };
            let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
                continue;
            };
            let Some(user) = ours(&socket) else {
                tracing::warn!(target: "gaveta::control", "somebody else's command is refused");
                continue;
            };
            let (stewards, house) = (Arc::clone(&stewards), Arc::clone(&house));
            tokio::spawn(async move {
                tokio::select! {
                    _ = answer(socket, user, &stewards) => {}
                    () = house.closing() => {}
                }
                drop(place);
            });
        }
    }
}

/// Whose the other end is, where that is our user or root. The folder's and the socket's modes say
/// so already; the kernel knows for certain.
fn ours(socket: &UnixStream) -> Option<u32> {
    let us = rustix::process::geteuid().as_raw();
    let user = socket.peer_cred().ok()?.uid();
    (user == us || user == 0).then_some(user)
}

async fn answer(socket: UnixStream, user: u32, stewards: &[Arc<dyn Steward>]) -> io::Result<()> {
    let (read, mut write) = socket.into_split();
    let mut line = Vec::new();
    let mut read = BufReader::new(read.take(LONGEST));
    timeout(DEADLINE, read.read_until(b'\n', &mut line)).await??;
    let answer = match serde_json::from_slice::<Value>(&line) {
        Ok(request) => answered(&request, user, stewards).await,
        Err(error) => Answer::Failed {
            code: "bad-request".to_owned(),
            message: error.to_string(),
        },
    };
    let last = match answer {
        Answer::Done(value) => json!({ "ok": value }),
        Answer::Failed { code, message } => {
            json!({ "error": { "code": code, "message": message } })
        }
    };
    say(&mut write, &last).await
}

async fn answered(request: &Value, user: u32, stewards: &[Arc<dyn Steward>]) -> Answer {
    let word = request
        .get("do")
        .and_then(Value::as_str)
        .unwrap_or_default();
    for steward in stewards {
        if let Some(answer) = steward.answer(word, request, user).await {
            return answer;
        }
    }
    Answer::Failed {
        code: "unsupported".to_owned(),
        message: "this server does not know this word".to_owned(),
    }
}

async fn say(write: &mut tokio::net::unix::OwnedWriteHalf, value: &Value) -> io::Result<()> {
    let mut text = value.to_string();
    text.push('\n');
    timeout(DEADLINE, write.write_all(text.as_bytes())).await?
}
