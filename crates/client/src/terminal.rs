//! What the operating system knows of the terminal, and what is read from standard input.
//!
//! Reading blocks a thread, so every question runs on a thread of its own. It looks up every few
//! milliseconds whether anybody still waits: a question that was stopped takes away no line that
//! is typed later, and the terminal is put back as it was.

use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use gaveta_core::{Error, Result};
use tokio::sync::oneshot;

use crate::fault::{Fault, Outcome};

/// The longest line that is taken, in bytes.
pub(crate) const MAX_LINE: usize = 64 * 1024;

/// Can a person be asked? Standard input and standard error must both be terminals.
pub(crate) fn can_ask() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// What came from standard input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Line {
    /// A line, without its end.
    Text(String),
    /// A line that is not UTF-8.
    NotUtf8,
    /// A line beyond [`MAX_LINE`]. It was passed over to its end.
    TooLong,
}

/// The next line of standard input; none at its end. Cancel-safe: a line that was not awaited
/// stays for the next.
///
/// # Errors
/// What the system says.
pub(crate) async fn next_line() -> Result<Option<Line>> {
    on_own_thread(read_line).await
}

/// Asks for one line, without its end; none at the end of the input. Cancel-safe.
///
/// # Errors
/// What the terminal says.
pub(crate) async fn ask_line(question: String) -> Result<Option<String>> {
    let answer = on_own_thread(move |stop| {
        put_question(&question)?;
        read_line(stop)
    });
    // What is no text is no answer: an empty line is none either, and is asked again.
    Ok(answer.await?.map(|line| match line {
        Line::Text(text) => text,
        Line::NotUtf8 | Line::TooLong => String::new(),
    }))
}

/// Asks for a password without showing it. Cancel-safe: the terminal shows letters again.
///
/// # Errors
/// [`Fault::Interrupted`] at the end of the input; what the terminal says.
pub(crate) async fn ask_password(question: String) -> Outcome<String> {
    let _hidden = Hidden::now();
    let answer = on_own_thread(move |stop| {
        put_question(&question)?;
        read_line(stop)
    });
    match answer.await? {
        Some(Line::Text(text)) => Ok(text),
        Some(Line::NotUtf8 | Line::TooLong) => Ok(String::new()),
        None => Err(Fault::Interrupted),
    }
}

fn put_question(question: &str) -> std::io::Result<()> {
    let mut stderr = std::io::stderr().lock();
    // In one piece: what is typed at the sight of it comes behind the blank.
    stderr.write_all(format!("{question} ").as_bytes())?;
    stderr.flush()
}

/// Says to a reading thread that nobody waits any more.
struct Stop(Arc<AtomicBool>);

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

async fn on_own_thread<T: Send + 'static>(
    ask: impl FnOnce(&AtomicBool) -> std::io::Result<T> + Send + 'static,
) -> Result<T> {
    let (send, answer) = oneshot::channel();
    let stop = Arc::new(AtomicBool::new(false));
    let _stop = Stop(Arc::clone(&stop));
    std::thread::Builder::new()
        .name("question".to_owned())
        .spawn(move || {
            // Nobody waits any more when the verb was stopped.
            let _ = send.send(ask(&stop));
        })?;
    answer
        .await
        .map_err(|_| Error::bad_request("the question was not answered"))?
        .map_err(Error::from)
}

/// What was read and belongs to no line yet.
#[derive(Debug)]
struct Input {
    bytes: Vec<u8>,
    ended: bool,
    /// Within a line that is too long.
    passing: bool,
}

static INPUT: Mutex<Input> = Mutex::new(Input {
    bytes: Vec::new(),
    ended: false,
    passing: false,
});

impl Input {
    /// The next line of what is here.
    fn take(&mut self) -> Option<Line> {
        let end = self.bytes.iter().position(|byte| *byte == b'\n');
        if end.is_none() && self.bytes.len() > MAX_LINE {
            self.passing = true;
            self.bytes.clear();
        }
        if end.is_none() && !self.ended {
            return None;
        }
        let mut line: Vec<u8> = match end {
            Some(end) => self.bytes.drain(..=end).collect(),
            None if self.bytes.is_empty() && !self.passing => return None,
            None => std::mem::take(&mut self.bytes),
        };
        while matches!(line.last(), Some(b'\n' | b'\r')) {
            line.pop();
        }
        if std::mem::take(&mut self.passing) || line.len() > MAX_LINE {
            return Some(Line::TooLong);
        }
        Some(String::from_utf8(line).map_or(Line::NotUtf8, Line::Text))
    }
}

/// Puts bytes before what is read next: they were typed while something else was looked for.
pub(crate) fn give_back(bytes: &[u8]) {
    let mut input = INPUT.lock().unwrap_or_else(PoisonError::into_inner);
    let mut all = bytes.to_vec();
    all.append(&mut input.bytes);
    input.bytes = all;
}

/// Waits until no question that was stopped reads any more, so that another reader can begin. A
/// line that was begun for it is forgotten.
pub(crate) fn settle() {
    let mut input = INPUT.lock().unwrap_or_else(PoisonError::into_inner);
    input.bytes.clear();
}

/// The next line; none at the end of the input, and when it was stopped.
fn read_line(stop: &AtomicBool) -> std::io::Result<Option<Line>> {
    // Whoever was stopped lets go of it soon.
    let mut input = INPUT.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        if let Some(line) = input.take() {
            return Ok(Some(line));
        }
        if input.ended {
            // A terminal's end is the end of one answer only.
            input.ended = !std::io::stdin().is_terminal();
            return Ok(None);
        }
        let mut piece = [0; 8192];
        match system::read_some(&mut piece, stop)? {
            Some(0) => input.ended = true,
            Some(count) => input
                .bytes
                .extend_from_slice(piece.get(..count).unwrap_or_default()),
            None => return Ok(None),
        }
    }
}

/// Letters do not show while it lives; then the terminal is as it was.
struct Hidden {
    _saved: Option<system::Saved>,
}

impl Hidden {
    fn now() -> Self {
        let saved = system::Saved::now();
        if let Some(saved) = &saved {
            saved.hide_letters();
        }
        Self { _saved: saved }
    }
}

pub(crate) use system::{Hushed, Saved, answers_cursor, forget_typed, stop_here, width};

#[cfg(unix)]
mod system {
    use std::io::Write;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::{Duration, Instant};

    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use rustix::termios::{
        LocalModes, OptionalActions, QueueSelector, Termios, tcflush, tcgetattr, tcsetattr,
    };

    /// How long a reader that nobody waits for any more may stay.
    const LOOK_UP: Duration = Duration::from_millis(50);

    /// Waits for bytes of standard input; 0 at its end, none when it was stopped.
    pub(super) fn read_some(piece: &mut [u8], stop: &AtomicBool) -> std::io::Result<Option<usize>> {
        let stdin = std::io::stdin();
        loop {
            if stop.load(Ordering::Relaxed) {
                return Ok(None);
            }
            // What comes after nobody waits any more is for whoever reads next.
            if !is_ready(LOOK_UP)? || stop.load(Ordering::Relaxed) {
                continue;
            }
            match rustix::io::read(&stdin, &mut *piece) {
                Ok(count) => return Ok(Some(count)),
                Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Is there something to read from standard input within this time?
    fn is_ready(patience: Duration) -> std::io::Result<bool> {
        let stdin = std::io::stdin();
        let mut waiting = [PollFd::new(&stdin, PollFlags::IN)];
        let patience = Timespec::try_from(patience).ok();
        match poll(&mut waiting, patience.as_ref()) {
            Ok(count) => Ok(count > 0),
            Err(rustix::io::Errno::INTR) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// The terminal's settings, put back when dropped.
    pub(crate) struct Saved(Termios);

    impl Saved {
        /// As they are now; none when standard input is no terminal.
        pub(crate) fn now() -> Option<Self> {
            tcgetattr(std::io::stdin()).ok().map(Self)
        }

        /// A typed line shows nothing but its end; Ctrl-C remains a signal.
        pub(super) fn hide_letters(&self) {
            let mut hidden = self.0.clone();
            hidden.local_modes.remove(LocalModes::ECHO);
            hidden.local_modes.insert(LocalModes::ECHONL);
            let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, &hidden);
        }
    }

    impl Drop for Saved {
        fn drop(&mut self) {
            let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, &self.0);
        }
    }

    /// While it lives, what is typed shows nothing: it would tear what is drawn. Nothing typed is
    /// lost. Ctrl-C remains a signal, but throws nothing away that is on its way to the screen: who
    /// draws would go up by rows that were never shown, and erase others (POSIX, `NOFLSH`).
    #[derive(Debug)]
    pub(crate) struct Hushed(Termios);

    impl Hushed {
        /// None when standard input is no terminal, or one that others have in front: the system
        /// would stop us for changing it.
        pub(crate) fn now() -> Option<Self> {
            if !is_in_front() {
                return None;
            }
            let stdin = std::io::stdin();
            let before = tcgetattr(&stdin).ok()?;
            let mut hushed = before.clone();
            hushed
                .local_modes
                .remove(LocalModes::ECHO | LocalModes::ECHONL);
            hushed.local_modes.insert(LocalModes::NOFLSH);
            tcsetattr(&stdin, OptionalActions::Now, &hushed).ok()?;
            Some(Self(before))
        }
    }

    impl Drop for Hushed {
        fn drop(&mut self) {
            // Whoever took us from the front has set the terminal as he wants it.
            if is_in_front() {
                let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, &self.0);
            }
        }
    }

    /// Is the terminal of standard input ours just now? The system stops who changes another's
    /// (POSIX, 11.1.4: SIGTTOU).
    fn is_in_front() -> bool {
        rustix::termios::tcgetpgrp(std::io::stdin())
            .is_ok_and(|front| front == rustix::process::getpgrp())
    }

    /// Asks the terminal where its cursor is, and waits so long. Says whether it answered, and
    /// what was typed meanwhile.
    pub(crate) fn answers_cursor(patience: Duration) -> (bool, Vec<u8>) {
        let Some(saved) = Saved::now() else {
            return (false, Vec::new());
        };
        let mut raw = saved.0.clone();
        raw.make_raw();
        if tcsetattr(std::io::stdin(), OptionalActions::Now, &raw).is_err() {
            return (false, Vec::new());
        }
        let mut stdout = std::io::stdout();
        let asked = stdout.write_all(b"\x1b[6n").and_then(|()| stdout.flush());
        if asked.is_err() {
            return (false, Vec::new());
        }
        let deadline = Instant::now() + patience;
        let mut bytes = Vec::new();
        while bytes.len() < super::MAX_LINE {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || !is_ready(left).unwrap_or(false) {
                if left.is_zero() {
                    break;
                }
                continue;
            }
            let mut piece = [0; 1024];
            match rustix::io::read(std::io::stdin(), &mut piece) {
                Ok(count) if count > 0 => {
                    bytes.extend_from_slice(piece.get(..count).unwrap_or_default());
                }
                _ => break,
            }
            if super::take_answer(&mut bytes) {
                return (true, bytes);
            }
        }
        (false, bytes)
    }

    /// Forgets what was typed and not read yet, as Ctrl-C does where nothing is drawn.
    /// From behind, nothing: it is not ours.
    pub(crate) fn forget_typed() {
        if is_in_front() {
            let _ = tcflush(std::io::stdin(), QueueSelector::IFlush);
        }
    }

    /// How many columns the terminal has; none when nobody knows.
    pub(crate) fn width() -> Option<usize> {
        let size = rustix::termios::tcgetwinsize(std::io::stderr()).ok()?;
        (size.ws_col > 0).then(|| size.ws_col.into())
    }

    /// Stops this program as Ctrl-Z does, until somebody continues it.
    pub(crate) fn stop_here() {
        // The whole group: whoever started us together with others gets his prompt back.
        let _ = rustix::process::kill_current_process_group(rustix::process::Signal::TSTP);
    }
}

#[cfg(not(unix))]
mod system {
    use std::sync::atomic::AtomicBool;
    use std::time::Duration;

    pub(super) fn read_some(piece: &mut [u8], _: &AtomicBool) -> std::io::Result<Option<usize>> {
        use std::io::Read;
        std::io::stdin().read(piece).map(Some)
    }

    pub(crate) struct Saved;

    impl Saved {
        pub(crate) fn now() -> Option<Self> {
            None
        }
        pub(super) fn hide_letters(&self) {}
    }

    #[derive(Debug)]
    pub(crate) struct Hushed;

    impl Hushed {
        pub(crate) fn now() -> Option<Self> {
            None
        }
    }

    pub(crate) fn answers_cursor(_: Duration) -> (bool, Vec<u8>) {
        (true, Vec::new())
    }

    pub(crate) fn forget_typed() {}

    pub(crate) fn width() -> Option<usize> {
        None
    }

    pub(crate) fn stop_here() {}
}

/// Takes the terminal's answer (`ESC [ row ; column R`) out of what came; false when there is none.
///
/// Source: ECMA-48, CPR (active position report).
fn take_answer(bytes: &mut Vec<u8>) -> bool {
    let mut from = 0;
    while let Some(start) = bytes
        .get(from..)
        .and_then(|rest| rest.windows(2).position(|two| two == b"\x1b["))
    {
        let start = from + start;
        let body = bytes.get(start + 2..).unwrap_or_default();
        let digits = body
            .iter()
            .take_while(|byte| byte.is_ascii_digit() || **byte == b';')
            .count();
        if digits > 0 && body.get(digits) == Some(&b'R') {
            bytes.drain(start..start + 2 + digits + 1);
            return true;
        }
        from = start + 2;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(pieces: &[&[u8]]) -> Vec<Line> {
        let mut input = Input {
            bytes: Vec::new(),
            ended: false,
            passing: false,
        };
        let mut lines = Vec::new();
        for piece in pieces {
            input.bytes.extend_from_slice(piece);
            while let Some(line) = input.take() {
                lines.push(line);
            }
        }
        input.ended = true;
        while let Some(line) = input.take() {
            lines.push(line);
        }
        lines
    }

    #[test]
    fn lines_are_cut_at_their_ends() {
        let text = |text: &str| Line::Text(text.to_owned());
        assert_eq!(
            lines(&[b"a\r\nb", b"c\n\n", b"last"]),
            [text("a"), text("bc"), text(""), text("last")]
        );
        assert_eq!(lines(&[b""]), []);
        assert_eq!(lines(&[b"\xff\n", b"ok\n"]), [Line::NotUtf8, text("ok")]);
    }

    #[test]
    fn a_line_beyond_the_bound_is_passed_over() {
        let long = vec![b'x'; MAX_LINE];
        assert!(
            matches!(&lines(&[&long, b"\n"])[..], [Line::Text(text)] if text.len() == MAX_LINE)
        );
        let ok = Line::Text("ok".to_owned());
        assert_eq!(
            lines(&[&long, b"y", b"z", b"\nok\n"]),
            [Line::TooLong, ok.clone()]
        );
        assert_eq!(lines(&[b"ok\n", &long, &long]), [ok, Line::TooLong]);
    }

    #[test]
    fn the_terminals_answer_is_told_from_what_is_typed() {
        let taken = |bytes: &[u8]| {
            let mut bytes = bytes.to_vec();
            let answered = take_answer(&mut bytes);
            (answered, String::from_utf8(bytes).unwrap())
        };
        assert_eq!(taken(b"\x1b[12;1R"), (true, String::new()));
        assert_eq!(taken(b"ls\r\x1b[1;1Rpw"), (true, "ls\rpw".to_owned()));
        assert_eq!(taken(b"\x1b[A\x1b[3;4R"), (true, "\x1b[A".to_owned()));
        assert_eq!(taken(b"\x1b[12;"), (false, "\x1b[12;".to_owned()));
        assert_eq!(taken(b"\x1b[R"), (false, "\x1b[R".to_owned()));
    }
}
