//! The other end of the line: a thread that shows on the screen what the program writes, and
//! answers what the program asks its terminal.

use std::collections::VecDeque;
use std::io::{PipeReader, PipeWriter, Read, Write};
use std::num::NonZeroU16;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use pty_process::Size;
use pty_process::blocking::Pty;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

use super::Plan;
use super::screen::Screen;

/// Rows kept above the visible ones.
const SCROLLBACK: usize = 20_000;
/// Looked at so often though nothing changed: a wait may be for quiet.
const GLANCE: Duration = Duration::from_millis(20);
/// Bytes kept of all that was written.
const RAW: usize = 1 << 20;
/// Bytes of answers that wait for a program that reads no keys; more are not given.
const OWED: usize = 4096;

/// The terminal's answers to the program.
#[derive(Debug)]
struct Answers {
    on: bool,
    owed: Vec<u8>,
}

impl vt100::Callbacks for Answers {
    /// Source: ECMA-48, DSR; xterm, DA1.
    fn unhandled_csi(
        &mut self,
        screen: &mut vt100::Screen,
        i1: Option<u8>,
        _: Option<u8>,
        params: &[&[u16]],
        c: char,
    ) {
        if !self.on || self.owed.len() > OWED {
            return;
        }
        match (i1, params.first().and_then(|param| param.first()), c) {
            (None, Some(6), 'n') => {
                let (row, column) = screen.cursor_position();
                let columns = screen.size().1.get();
                let column = column.min(columns - 1);
                self.owed
                    .extend_from_slice(format!("\x1b[{};{}R", row + 1, column + 1).as_bytes());
            }
            (None, None | Some(0), 'c') => self.owed.extend_from_slice(b"\x1b[?62;22c"),
            _ => {}
        }
    }
}

pub(super) struct State {
    parser: vt100::Parser<Answers>,
    raw: VecDeque<u8>,
    ended: bool,
    /// When the program wrote last.
    heard: Instant,
}

impl State {
    pub(super) fn screen(&mut self) -> Screen<'_> {
        Screen {
            quiet: self.heard.elapsed(),
            model: self.parser.screen_mut(),
        }
    }

    pub(super) fn raw(&self) -> Vec<u8> {
        self.raw.iter().copied().collect()
    }

    fn show(&mut self, bytes: &[u8]) {
        self.parser.process(bytes);
        self.raw.extend(bytes);
        let excess = self.raw.len().saturating_sub(RAW);
        self.raw.drain(..excess);
        self.heard = Instant::now();
    }
}

pub(super) struct Shared {
    pub(super) pty: Pty,
    state: Mutex<State>,
    changed: Condvar,
    /// Closed to stop the reader.
    stop: Mutex<Option<PipeWriter>>,
    paused: AtomicBool,
}

impl Shared {
    pub(super) fn start(pty: Pty, plan: Plan) -> (Arc<Self>, JoinHandle<()>) {
        let (stopped, stop) = std::io::pipe().expect("a pipe");
        let size = |number| NonZeroU16::new(number).expect("a size above 0");
        let parser = vt100::Parser::new_with_callbacks(
            size(plan.rows),
            size(plan.columns),
            SCROLLBACK,
            Answers {
                on: plan.answers,
                owed: Vec::new(),
            },
        );
        let shared = Arc::new(Self {
            pty,
            state: Mutex::new(State {
                parser,
                raw: VecDeque::new(),
                ended: false,
                heard: Instant::now(),
            }),
            changed: Condvar::new(),
            stop: Mutex::new(Some(stop)),
            paused: AtomicBool::new(false),
        });
        let reader = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("terminal".to_owned())
            .spawn(move || {
                reader.read(&stopped);
                reader.lock().ended = true;
                reader.changed.notify_all();
            })
            .expect("a thread");
        (shared, thread)
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn pause(&self, paused: bool) {
        self.paused.store(paused, Ordering::Relaxed);
    }

    fn is_stopped(&self) -> bool {
        let stop = self.stop.lock().unwrap_or_else(PoisonError::into_inner);
        stop.is_none()
    }

    pub(super) fn stop(&self) {
        *self.stop.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// The model first: what the program draws for the new size must find it there.
    pub(super) fn resize(&self, rows: NonZeroU16, columns: NonZeroU16) {
        let mut state = self.lock();
        state.parser.set_size(rows, columns);
        self.pty
            .resize(Size::new(rows.get(), columns.get()))
            .expect("a new size");
    }

    /// Looks after every change until something is found.
    ///
    /// # Errors
    /// Why it was not: the program ended, or showed nothing new for so long.
    pub(super) fn wait<T>(
        &self,
        patience: Duration,
        wanted: &mut dyn FnMut(&mut Screen<'_>) -> Option<T>,
    ) -> Result<T, &'static str> {
        let start = Instant::now();
        let mut state = self.lock();
        loop {
            if let Some(found) = wanted(&mut state.screen()) {
                return Ok(found);
            }
            if state.ended {
                return Err("the program has ended");
            }
            // A program that repaints for ever shows no progress either.
            let quiet = state.heard.max(start).elapsed();
            if quiet > patience || start.elapsed() > patience * 4 {
                return Err("it does not come");
            }
            state = self
                .changed
                .wait_timeout(state, GLANCE)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    /// Waits until all output of a program that ended has been shown. A child that it left behind
    /// may keep the terminal open: that is not waited for longer than `patience`.
    pub(super) fn wait_for_end(&self, patience: Duration) {
        let start = Instant::now();
        let mut state = self.lock();
        while !state.ended && start.elapsed() < patience {
            state = self
                .changed
                .wait_timeout(state, Duration::from_millis(100))
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    fn read(&self, mut stopped: &PipeReader) {
        let mut buffer = vec![0; 16 << 10];
        loop {
            let owes = !self.lock().parser.callbacks().owed.is_empty();
            let mut flags = PollFlags::IN;
            flags.set(PollFlags::OUT, owes);
            let mut polled = [
                PollFd::new(&self.pty, flags),
                PollFd::new(stopped, PollFlags::IN),
            ];
            match poll(&mut polled, None) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(_) => return,
            }
            if !polled[1].revents().is_empty() {
                // Nothing is ever written there: it is the end that is read.
                let _ = stopped.read(&mut [0]);
                return;
            }
            while self.paused.load(Ordering::Relaxed) && !self.is_stopped() {
                std::thread::sleep(GLANCE);
            }
            match rustix::io::read(&self.pty, &mut buffer) {
                // The last program that had the terminal open has gone.
                Ok(0) | Err(Errno::IO) => return,
                Ok(length) => {
                    self.lock().show(&buffer[..length]);
                    self.changed.notify_all();
                }
                Err(Errno::AGAIN | Errno::INTR) => {}
                Err(_) => return,
            }
            self.answer();
        }
    }

    /// Gives as much of the answers as the program takes.
    fn answer(&self) {
        let mut state = self.lock();
        let owed = &mut state.parser.callbacks_mut().owed;
        if !owed.is_empty()
            && let Ok(written) = (&self.pty).write(owed)
        {
            owed.drain(..written);
        }
    }
}
