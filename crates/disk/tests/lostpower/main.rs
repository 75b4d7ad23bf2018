//! A machine that loses its power, again and again, in the middle of what the disk store does:
//! no acknowledged file is lost or torn.
//!
//! The machine is a Linux of its own in user mode (Debian's package `user-mode-linux`). It runs on
//! the host's files, and the drawer lies on a disk of its own, an image file with ext4. To kill the
//! machine is to cut its power: what its kernel had not written to the disk is gone. What a drive
//! forgets that has taken the bytes is not part of it: the host keeps what was written.
//!
//! Each round starts the machine, which looks at everything it finds and compares it with the
//! journal (kept on the host, so that it loses nothing), then writes until it is killed at a
//! random moment. With [`Durability::Fast`](gaveta_disk::Durability::Fast) the same must find
//! losses: the test can fail.
//!
//! `GAVETA_LOSTPOWER_ROUNDS` sets the rounds (4 unless set). Skipped aloud where the machine cannot
//! be had; with `CI=true` that is an error.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "tests may, and the figures of a run are for people"
)]

mod inside;
mod journal;
mod machine;

use gaveta_disk::Durability;
use gaveta_testkit::Rng;
use journal::Journal;
use machine::Machine;

/// In the machine, its folder on the host.
const INSIDE: &str = "GAVETA_LOSTPOWER_INSIDE";
/// In the machine: nothing is flushed.
const FAST: &str = "GAVETA_LOSTPOWER_FAST";

fn rounds() -> usize {
    std::env::var("GAVETA_LOSTPOWER_ROUNDS").map_or(4, |text| text.parse().unwrap())
}

/// What the rounds came to.
#[derive(Debug, Default)]
struct Figures {
    rounds: usize,
    acknowledged: usize,
    broken: Vec<String>,
}

/// Cuts the power so many times, or until a promise is broken; looks once more at the end.
fn lose_power(machine: &Machine, durability: Durability, rounds: usize) -> Figures {
    let mut chance = Rng::new(std::process::id().into());
    let mut figures = Figures::default();
    for round in 0..=rounds {
        let before = Journal::read(machine.folder()).done_in_all;
        // From hardly anything to a few hundred changes since the start.
        let wanted = if round == rounds {
            0
        } else {
            let most = 1 << chance.below(9);
            1 + chance.below(most)
        };
        machine.run(durability, round, |journal| {
            !journal.broken.is_empty()
                || (journal.up > round && journal.done_in_all >= before + wanted)
        });
        let journal = Journal::read(machine.folder());
        figures.rounds = round;
        figures.acknowledged = journal.done_in_all;
        figures.broken = journal.broken;
        if !figures.broken.is_empty() {
            break;
        }
    }
    figures
}

#[test]
fn what_was_acknowledged_survives() {
    let Some(machine) = Machine::new() else {
        return;
    };
    let figures = lose_power(&machine, Durability::Full, rounds());
    println!(
        "lost power {} times, {} acknowledged changes, broken: {}",
        figures.rounds,
        figures.acknowledged,
        figures.broken.len()
    );
    assert!(figures.broken.is_empty(), "{}", figures.broken.join("\n"));
    assert_eq!(figures.rounds, rounds());
    assert!(figures.acknowledged >= figures.rounds);
}

#[test]
fn without_flushes_the_same_finds_losses() {
    let Some(machine) = Machine::new() else {
        return;
    };
    let figures = lose_power(&machine, Durability::Fast, rounds().max(10));
    println!(
        "not flushed: {} broken after {} cuts: {:?}",
        figures.broken.len(),
        figures.rounds,
        figures.broken.first()
    );
    assert!(!figures.broken.is_empty(), "nothing was lost: {figures:?}");
}

/// What runs in the machine; on its own it does nothing.
#[test]
fn inside() {
    if let Some(folder) = std::env::var_os(INSIDE) {
        inside::run(folder.as_ref());
    }
}
