//! A real terminal for a program under test: a pseudo-terminal of the system, with a screen model
//! that holds what a person would see, and keys as a person types them.
//!
//! Every wait has a deadline on progress and ends early when the program does; a wait that fails
//! shows the screen. Nothing sleeps for a fixed time, and a dropped terminal takes its program and
//! everything it started in the foreground with it.

mod key;
mod picture;
mod reader;
mod report;
mod screen;

use std::fmt;
use std::io::ErrorKind;
use std::num::NonZeroU16;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use pty_process::Size;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};

pub use key::Key;
pub use screen::{Mark, Screen};

use reader::Shared;

/// So long may a program show nothing of what is waited for before it counts as hung.
const PATIENCE: Duration = Duration::from_secs(90);
/// So often is asked whether a child has ended; the system has no portable way to wait with a
/// deadline.
const GLANCE: Duration = Duration::from_millis(5);

/// What the terminal is like.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Its height in rows.
    pub rows: u16,
    /// Its width in columns.
    pub columns: u16,
    /// Does it tell the cursor's position when asked (`ESC[6n`)? Some terminals never do.
    pub answers: bool,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            rows: 24,
            columns: 80,
            answers: true,
        }
    }
}

/// A program on a terminal of its own.
pub struct Terminal {
    shared: Arc<Shared>,
    child: Child,
    reader: Option<JoinHandle<()>>,
}

impl fmt::Debug for Terminal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Terminal")
            .field("child", &self.child.id())
            .finish_non_exhaustive()
    }
}

impl Terminal {
    /// Runs the program on a new terminal, as the leader of a new session. `TERM` is
    /// `xterm-256color` unless the command says otherwise.
    pub fn start(mut command: Command, plan: Plan) -> Self {
        if !command.get_envs().any(|(name, _)| name == "TERM") {
            command.env("TERM", "xterm-256color");
        }
        let (pty, pts) = pty_process::blocking::open().expect("a pseudo-terminal");
        pty.resize(Size::new(plan.rows, plan.columns)).unwrap();
        let flags = rustix::fs::fcntl_getfl(&pty).unwrap();
        rustix::fs::fcntl_setfl(&pty, flags | rustix::fs::OFlags::NONBLOCK).unwrap();
        let child = pty_process::blocking::Command::from(command)
            .spawn(pts)
            .expect("the program");
        let (shared, reader) = Shared::start(pty, plan);
        Self {
            shared,
            child,
            reader: Some(reader),
        }
    }

    /// Types a text, character by character as they come; a line's end is the Enter key.
    pub fn type_text(&self, text: &str) {
        self.send(text.replace('\n', "\r").as_bytes());
    }

    /// Presses a key.
    pub fn press(&self, key: Key) {
        let application = self.look(|screen| screen.application_cursor());
        self.send(&key.bytes(application));
    }

    /// Pastes a text as a terminal does: between the marks of a bracketed paste if the program
    /// asked for them, with the line ends of the Enter key.
    pub fn paste(&self, text: &[u8]) {
        let mut bytes: Vec<u8> = text
            .iter()
            .map(|byte| if *byte == b'\n' { b'\r' } else { *byte })
            .collect();
        if self.look(|screen| screen.bracketed_paste()) {
            bytes.splice(0..0, *b"\x1b[200~");
            bytes.extend_from_slice(b"\x1b[201~");
        }
        self.send(&bytes);
    }

    /// Sends bytes as they are.
    ///
    /// # Panics
    /// When the program takes nothing for the deadline.
    pub fn send(&self, mut bytes: &[u8]) {
        let mut last = Instant::now();
        while !bytes.is_empty() {
            match rustix::io::write(&self.shared.pty, bytes) {
                Ok(written) => {
                    bytes = &bytes[written..];
                    last = Instant::now();
                }
                // The program has gone: what it shows, or its exit code, will tell.
                Err(rustix::io::Errno::IO) => return,
                Err(errno) if std::io::Error::from(errno).kind() == ErrorKind::WouldBlock => {
                    assert!(
                        last.elapsed() < PATIENCE,
                        "the program reads no keys\n{}",
                        self.report()
                    );
                    let mut polled = [PollFd::new(&self.shared.pty, PollFlags::OUT)];
                    let wait = Timespec {
                        tv_sec: 0,
                        tv_nsec: 100_000_000,
                    };
                    let _ = poll(&mut polled, Some(&wait));
                }
                Err(rustix::io::Errno::INTR) => {}
                Err(errno) => panic!("the terminal takes no keys: {errno}"),
            }
        }
    }

    /// Shows nothing of what the program writes as long as it is paused: a terminal that is busy.
    /// What is written meanwhile waits where the system keeps it.
    pub fn pause(&self, paused: bool) {
        self.shared.pause(paused);
    }

    /// Makes the window this size; the program hears of it.
    pub fn resize(&self, rows: u16, columns: u16) {
        self.shared.resize(
            NonZeroU16::new(rows).unwrap(),
            NonZeroU16::new(columns).unwrap(),
        );
    }

    /// Looks at the screen as it is now.
    pub fn look<T>(&self, look: impl FnOnce(&mut Screen<'_>) -> T) -> T {
        let mut state = self.shared.lock();
        look(&mut state.screen())
    }

    /// What a person sees now: the visible rows, without the blanks at their ends and the empty
    /// ones at the bottom.
    pub fn text(&self) -> String {
        self.look(|screen| screen.text())
    }

    /// Where the cursor is, as a place that scrolling does not change.
    pub fn mark(&self) -> Mark {
        self.look(|screen| screen.mark())
    }

    /// Waits until the screen is as wanted, and gives what the last look gave.
    ///
    /// # Panics
    /// At the deadline, or when the program has ended and the screen is still not so.
    #[track_caller]
    pub fn wait_until<T>(
        &self,
        what: &str,
        mut wanted: impl FnMut(&mut Screen<'_>) -> Option<T>,
    ) -> T {
        match self.shared.wait(PATIENCE, &mut wanted) {
            Ok(found) => found,
            Err(why) => panic!("{why}: waited for {what}\n{}", self.report()),
        }
    }

    /// Waits until this text is among the visible rows.
    ///
    /// # Panics
    /// As [`wait_until`](Self::wait_until).
    #[track_caller]
    pub fn wait_for(&self, text: &str) {
        self.wait_until(&format!("{text:?}"), |screen| {
            screen.text().contains(text).then_some(())
        });
    }

    /// Waits until this text stands at or below the mark, also where it has scrolled away since.
    ///
    /// # Panics
    /// As [`wait_until`](Self::wait_until).
    #[track_caller]
    pub fn wait_for_after(&self, mark: Mark, text: &str) {
        self.wait_until(&format!("{text:?}"), |screen| {
            let lines = screen.lines_from(mark);
            lines.iter().any(|line| line.contains(text)).then_some(())
        });
    }

    /// Everything the program wrote, escape sequences included; of much output the last mebibyte.
    pub fn raw(&self) -> Vec<u8> {
        self.shared.lock().raw()
    }

    /// The number of the program's process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends the program a signal.
    pub fn signal(&self, signal: Signal) {
        // It may have ended by itself meanwhile.
        let _ = kill_process(Pid::from_child(&self.child), signal);
    }

    /// Waits for the program's end, and for all of its output: its exit code, or 128 and the
    /// signal that ended it.
    ///
    /// # Panics
    /// When it does not end.
    #[track_caller]
    pub fn exit_code(&mut self) -> i32 {
        let start = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(
                start.elapsed() < PATIENCE,
                "the program does not end\n{}",
                self.report()
            );
            std::thread::sleep(GLANCE);
        };
        self.shared.wait_for_end(PATIENCE);
        status
            .code()
            .unwrap_or_else(|| 128 + status.signal().unwrap_or_default())
    }

    /// The screen in a frame, for the message of a test that failed.
    pub fn picture(&self) -> String {
        self.look(|screen| screen.framed())
    }

    /// The picture, what was written last, and what the program's threads wait for.
    fn report(&self) -> String {
        let tail = report::tail(&self.raw());
        let process = report::process(self.child.id());
        format!("{}\n{tail}\n{process}", self.picture())
    }

    /// The visible rows as an SVG picture, colours and all, under this title.
    pub fn svg(&self, title: &str) -> String {
        self.look(|screen| picture::svg(screen, title))
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            // The foreground may be a child of the program, in a group of its own.
            if let Ok(group) = rustix::termios::tcgetpgrp(&self.shared.pty) {
                let _ = kill_process_group(group, Signal::KILL);
            }
            let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
            let _ = self.child.wait();
        }
        self.shared.stop();
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
    }
}
