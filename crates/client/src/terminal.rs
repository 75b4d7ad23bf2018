//! What the operating system knows of the terminal, and the questions asked there.
//!
//! Reading blocks a thread that nothing can wake, so every question runs on a thread of its own
//! and is left behind when the verb is stopped: the terminal is put back as it was.

use std::io::{IsTerminal, Write};

use gaveta_core::{Error, Result};
use tokio::sync::oneshot;

use crate::fault::{Fault, Outcome};

/// Can a person be asked? Standard input and standard error must both be terminals.
pub(crate) fn can_ask() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// Asks for one line, without its end; none at the end of the input. Cancel-safe, but the thread
/// that reads stays until the program ends.
///
/// # Errors
/// What the terminal says.
pub(crate) async fn ask_line(question: String) -> Result<Option<String>> {
    on_own_thread(move || {
        let mut stderr = std::io::stderr().lock();
        write!(stderr, "{question} ")?;
        stderr.flush()?;
        drop(stderr);
        let mut line = String::new();
        let read = std::io::stdin().read_line(&mut line)?;
        Ok((read > 0).then(|| line.trim_end_matches(['\r', '\n']).to_owned()))
    })
    .await
}

/// Asks for a password without showing it. Cancel-safe: the terminal shows letters again.
///
/// # Errors
/// [`Fault::Interrupted`] by Ctrl-C, which is no signal while nothing is shown; what the terminal
/// says, also when there is none.
pub(crate) async fn ask_password(question: String) -> Outcome<String> {
    let _saved = Saved::now();
    let answer = on_own_thread(
        move || match rpassword::prompt_password(format!("{question} ")) {
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => Ok(None),
            answer => answer.map(Some),
        },
    );
    answer.await?.ok_or(Fault::Interrupted)
}

async fn on_own_thread<T: Send + 'static>(
    ask: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> Result<T> {
    let (send, answer) = oneshot::channel();
    std::thread::Builder::new()
        .name("question".to_owned())
        .spawn(move || {
            // Nobody waits any more when the verb was stopped.
            let _ = send.send(ask());
        })?;
    answer
        .await
        .map_err(|_| Error::bad_request("the question was not answered"))?
        .map_err(Error::from)
}

/// The terminal's settings, put back when dropped.
struct Saved {
    #[cfg(unix)]
    settings: Option<(std::fs::File, rustix::termios::Termios)>,
}

impl Saved {
    #[cfg(unix)]
    fn now() -> Self {
        let settings = std::fs::File::open("/dev/tty").ok().and_then(|terminal| {
            let settings = rustix::termios::tcgetattr(&terminal).ok()?;
            Some((terminal, settings))
        });
        Self { settings }
    }

    #[cfg(not(unix))]
    fn now() -> Self {
        Self {}
    }
}

impl Drop for Saved {
    fn drop(&mut self) {
        #[cfg(unix)]
        if let Some((terminal, settings)) = &self.settings {
            let when = rustix::termios::OptionalActions::Now;
            let _ = rustix::termios::tcsetattr(terminal, when, settings);
        }
    }
}
