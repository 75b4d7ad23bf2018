//! Whole folders sent and fetched by the real programs, while the server or the client is killed
//! or the line is cut, round after round.
//!
//! Each round changes the source (a large file anew, or a bit of it; many small ones), begins to
//! send or to get, and does its harm at a random moment: most often when so many bytes went by.
//! Then
//! - every name on the disk that is being written shows its old or its new content, whole;
//! - the same command again completes;
//! - everything equals its source, by digest;
//! - the bytes that the server took twice stay under one chunk for each connection and cut, over
//!   all rounds; in one round a slow disk may have one more chunk of a connection in hand.
//!
//! The server itself tells what it took. Where it was killed, it is counted at the line, less what
//! still lay unread in the server's sockets then; that count has the requests' heads in it, for
//! which a little is allowed.
//!
//! `GAVETA_TORTURE_ROUNDS` (12 unless set), `GAVETA_TORTURE_BYTES` (the large file, 48 MiB),
//! `GAVETA_TORTURE_FILES` (the small ones, 150) and `GAVETA_TORTURE_SEED` set the size of it.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "tests may, and the figures of a run are for people"
)]

#[path = "../common/mod.rs"]
mod common;
mod line;
mod tree;

use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use common::{PASSWORD, finish, gaveta, wait};
use gaveta_core::chunk::CHUNK;
use gaveta_testkit::Rng;
use gaveta_testkit::proxy::Direction;
use line::Line;
use tree::Trees;

fn setting(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |text| text.parse().expect(name))
}

/// How many chunks of one connection may be in hand in one round: one arrives while one is
/// written.
const SLOW_DISK: u64 = 2;

/// What is done to a transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Harm {
    KillServer,
    KillClient,
    CutLine,
    /// Nothing comes through for a while, either.
    CutLineForLonger,
}

/// What the rounds came to.
#[derive(Debug, Default)]
struct Figures {
    in_flight: u64,
    /// The most that was sent twice in a round, and what was allowed there.
    worst: (u64, u64),
    twice: u64,
    allowed: u64,
    sent: u64,
    harms: [u64; 4],
    went_on_alone: u64,
}

struct Torture {
    line: Line,
    server: Option<Child>,
    trees: Trees,
    chance: Rng,
    figures: Figures,
}

#[test]
fn killed_and_cut_again_and_again() {
    let rounds = setting("GAVETA_TORTURE_ROUNDS", 12);
    let seed = setting("GAVETA_TORTURE_SEED", u64::from(std::process::id()));
    println!("seed {seed}");
    let large = setting("GAVETA_TORTURE_BYTES", 48 << 20);
    let small = setting("GAVETA_TORTURE_FILES", 150);
    let mut torture = Torture {
        line: Line::new(),
        server: None,
        trees: Trees::new(large, small),
        chance: Rng::new(seed),
        figures: Figures::default(),
    };
    torture.start_server();
    for round in 0..rounds {
        torture.round(round);
    }
    let figures = &torture.figures;
    println!(
        "{rounds} rounds, {} while bytes were in flight; harms {:?}; {} clients went on alone",
        figures.in_flight, figures.harms, figures.went_on_alone
    );
    println!(
        "{} bytes had to be sent; {} taken twice in all ({} allowed), at most {} in a round ({} \
         allowed)",
        figures.sent, figures.twice, figures.allowed, figures.worst.0, figures.worst.1
    );
    assert!(
        figures.twice <= figures.allowed,
        "too much was sent again: {figures:?}"
    );
    assert!(
        figures.in_flight * 2 >= rounds,
        "too often nothing was in flight: {figures:?}"
    );
}

impl Torture {
    fn start_server(&mut self) {
        let home = self.trees.home();
        let secret = home.join("password");
        fs::write(&secret, format!("{PASSWORD}\n")).unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
        }
        let mut server = gaveta()
            .arg("serve")
            .args(["--port", "0", "--host", "127.0.0.1", "--log-level", "error"])
            // Each round replaces the large file: of 300 such, the trash keeps few.
            .args(["--trash-share", "1"])
            .arg("--admin-password-file")
            .arg(&secret)
            .arg("--state-dir")
            .arg(home.join("server-state"))
            .arg(self.trees.drawer())
            .spawn()
            .unwrap();
        let port = common::first_port(&mut server);
        self.line.lead_to(port);
        self.server = Some(server);
    }

    /// The server's process ends now; gives how many bytes it had not taken from its sockets.
    fn kill_server(&mut self) -> u64 {
        let mut server = self.server.take().unwrap();
        let id = rustix::process::Pid::from_child(&server);
        // It stands still while the sockets are looked at, and goes on no more.
        rustix::process::kill_process(id, rustix::process::Signal::STOP).unwrap();
        self.line.settle();
        let unread = self.line.unread();
        server.kill().unwrap();
        server.wait().unwrap();
        self.line.heal();
        unread
    }

    /// The command of this round.
    fn client(&self, direction: Direction) -> Command {
        let mut command = gaveta();
        command
            .env("GAVETA_PASSWORD", PASSWORD)
            .env("HOME", self.trees.home())
            .current_dir(self.trees.home());
        let at = |path: &str| format!("{}/{path}", self.line.address());
        match direction {
            // Not `send --replace`: that sends small files again that are there already, as it says.
            Direction::Up => command.args(["mirror", "source", &at("source")]),
            Direction::Down => command.args(["get", "--replace", &at("source"), "back/"]),
        };
        command
    }

    fn round(&mut self, round: u64) {
        let direction = if round % 3 == 2 {
            Direction::Down
        } else {
            Direction::Up
        };
        let wanted = match direction {
            Direction::Up => self.trees.change(&mut self.chance, round),
            Direction::Down => self.trees.note_what_is_there(),
        };
        let before = (self.line.forwarded(Direction::Up), self.line.received());
        let harm = *self.chance.pick(&[
            Harm::KillServer,
            Harm::KillClient,
            Harm::CutLine,
            Harm::CutLineForLonger,
        ]);
        self.figures.harms[harm as usize] += 1;

        let mut client = self
            .client(direction)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let in_flight = self.wait_for_the_moment(&mut client, direction, wanted);
        self.figures.in_flight += u64::from(in_flight);
        let connections = self.line.live().max(1);
        let unread = self.harm(harm, &mut client);
        self.trees.nothing_is_torn(direction);
        self.heal(harm);
        let alone = wait(&mut client);
        self.figures.went_on_alone += u64::from(in_flight && alone.success());
        self.trees.nothing_is_torn(direction);

        let again = finish(self.client(direction), b"");
        assert_eq!(
            again.status.code(),
            Some(0),
            "round {round}, {direction:?}, {harm:?}: the same command again:\n{}",
            again.err
        );
        self.trees.all_is_equal(direction);
        if direction == Direction::Up {
            let allowed = connections * CHUNK;
            // Digests on the line.
            let digests = wanted / 1000;
            let (taken, heads) = match harm {
                Harm::KillServer => (
                    self.line.forwarded(Direction::Up) - before.0 - unread,
                    // Thrice at most for each file, and greetings.
                    3 * 1024 * (self.trees.small() + 64),
                ),
                _ => (self.line.received() - before.1, 0),
            };
            println!(
                "round {round}: mirror, {harm:?}, in flight: {in_flight}, {connections} connections"
            );
            self.judge(wanted, taken, allowed + digests + heads);
        } else {
            println!("round {round}: get, {harm:?}, in flight: {in_flight}");
        }
    }

    /// Waits until so many bytes went by, or the client has ended. Says whether it was at work.
    fn wait_for_the_moment(&mut self, client: &mut Child, direction: Direction, all: u64) -> bool {
        let before = self.line.forwarded(direction);
        let early = self.chance.once_in(8);
        let moment = if early {
            1
        } else {
            self.chance.below(usize::try_from(all).unwrap().max(1)) as u64
        };
        let began = Instant::now();
        while self.line.forwarded(direction) - before < moment {
            if client.try_wait().unwrap().is_some() {
                return false;
            }
            assert!(began.elapsed() < Duration::from_secs(300), "it hangs");
            std::thread::sleep(Duration::from_micros(200));
        }
        client.try_wait().unwrap().is_none() && !early
    }

    fn harm(&mut self, harm: Harm, client: &mut Child) -> u64 {
        match harm {
            Harm::KillServer => return self.kill_server(),
            Harm::KillClient => {
                client.kill().unwrap();
                client.wait().unwrap();
            }
            Harm::CutLine => self.line.cut(),
            Harm::CutLineForLonger => {
                self.line.refuse(true);
                self.line.cut();
            }
        }
        0
    }

    fn heal(&mut self, harm: Harm) {
        match harm {
            Harm::KillServer => self.start_server(),
            Harm::KillClient | Harm::CutLine => {}
            Harm::CutLineForLonger => {
                let long = self.chance.below(1500) as u64;
                std::thread::sleep(Duration::from_millis(long));
                self.line.refuse(false);
            }
        }
    }

    /// Compares what the server took with what it had to take.
    fn judge(&mut self, wanted: u64, taken: u64, allowed: u64) {
        let twice = taken.saturating_sub(wanted);
        println!("    wanted {wanted}, taken {taken}: {twice} twice, of {allowed} allowed");
        assert!(twice <= SLOW_DISK * allowed, "too much was sent again");
        let figures = &mut self.figures;
        figures.sent += wanted;
        figures.twice += twice;
        figures.allowed += allowed;
        if twice > figures.worst.0 {
            figures.worst = (twice, allowed);
        }
    }
}

impl Drop for Torture {
    fn drop(&mut self) {
        if let Some(server) = &mut self.server {
            let _ = server.kill();
            let _ = server.wait();
        }
    }
}
