//! Inputs that nobody thought of: mutations of known ones, for a while, on the stable toolchain.
//!
//! Every test by the name of `fuzz_…` runs one target for a second; `GAVETA_FUZZ_SECONDS=600` makes
//! it ten minutes. An input that breaks a target is printed, and kept as a seed from then on.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The longest input, in bytes.
const LONGEST: usize = 8 * 1024;
/// How many inputs are kept to go on from.
const KEPT: usize = 512;
/// Numbers and letters where parsers stumble.
const ODD: &[&[u8]] = &[
    b"\0",
    b"\xff",
    b"\r\n",
    b"%",
    b"%2f",
    b"%00",
    b"..",
    b"/",
    b"//",
    b"\\",
    b"\"",
    b"\\u0000",
    b"\\ud800",
    b"-1",
    b"0",
    b"18446744073709551615",
    b"18446744073709551616",
    b"9223372036854775808",
    b"1e999",
    b"-",
    b",",
    b";",
    b"=",
    b":",
    b" ",
    b"\t",
    b"*",
    b"?1",
    b"{",
    b"}",
    b"[",
    b"]",
    b"null",
    b"true",
    b"\xc3",
    b"\xe2\x80\xae",
    b"\xf0\x9f\x97\x84",
    b"a\xcc\x80",
    b".gaveta",
    b".GAVETA.",
    b"~",
    b"+",
];

/// Random numbers, good enough to mutate by (xorshift64*).
#[derive(Debug)]
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// Less than `below`; 0 when that is 0.
    fn below(&mut self, below: usize) -> usize {
        (self.roll() % (below.max(1) as u64)) as usize
    }
}

/// Runs the target on the seeds and on what becomes of them.
///
/// # Panics
/// When the target does, after printing the input and the number that leads to it again.
pub fn run(name: &str, seeds: &[&[u8]], words: &[&[u8]], mut target: impl FnMut(&[u8])) {
    let number = |name: &str| {
        std::env::var(name)
            .ok()
            .and_then(|text| text.parse::<u64>().ok())
    };
    let lasts = Duration::from_secs(number("GAVETA_FUZZ_SECONDS").unwrap_or(1));
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let seed = number("GAVETA_FUZZ_SEED").unwrap_or(now.as_nanos() as u64);
    let began = Instant::now();
    // The clock is looked at now and then; a target may be slow.
    let enough = |count: u64| count.is_multiple_of(64) && began.elapsed() >= lasts;
    let count = try_many((name, seed), enough, seeds, words, &mut target);
    eprintln!(
        "{name}: {count} inputs in {:.1} s",
        began.elapsed().as_secs_f64()
    );
}

/// Tries the seeds and what becomes of them until that is enough; how many inputs there were. The
/// same number leads to the same inputs.
fn try_many(
    (name, seed): (&str, u64),
    enough: impl Fn(u64) -> bool,
    seeds: &[&[u8]],
    words: &[&[u8]],
    target: &mut impl FnMut(&[u8]),
) -> u64 {
    let mut dice = Dice(seed | 1);
    let mut try_one = |input: &[u8]| {
        if let Err(broken) = catch_unwind(AssertUnwindSafe(|| target(input))) {
            eprintln!(
                "{name} (seed {seed}) broke on {:?}",
                input.escape_ascii().to_string()
            );
            resume_unwind(broken);
        }
    };
    let mut kept: Vec<Vec<u8>> = seeds.iter().map(|seed| seed.to_vec()).collect();
    kept.push(Vec::new());
    for seed in kept.clone() {
        try_one(&seed);
    }
    let mut count = 0u64;
    while !enough(count) {
        count += 1;
        let from = dice.below(kept.len());
        let mut input = kept.get(from).cloned().unwrap_or_default();
        for _ in 0..=dice.below(6) {
            mutate(&mut input, &kept, words, &mut dice);
        }
        input.truncate(LONGEST);
        try_one(&input);
        // Without a measure of what is new, chance decides what is gone on from; the seeds stay.
        if dice.below(8) == 0 {
            if kept.len() < KEPT {
                kept.push(input);
            } else {
                let at = seeds.len() + dice.below(kept.len() - seeds.len());
                if let Some(old) = kept.get_mut(at) {
                    *old = input;
                }
            }
        }
    }
    count
}

fn mutate(input: &mut Vec<u8>, kept: &[Vec<u8>], words: &[&[u8]], dice: &mut Dice) {
    let at = dice.below(input.len() + 1);
    match dice.below(9) {
        0 => input.insert(at, dice.roll() as u8),
        1 if !input.is_empty() => {
            let at = dice.below(input.len());
            if let Some(byte) = input.get_mut(at) {
                *byte ^= 1 << dice.below(8);
            }
        }
        2 if !input.is_empty() => {
            let end = (at + 1 + dice.below(16)).min(input.len());
            input.drain(at.min(end)..end);
        }
        3 => {
            let piece = input
                .get(at..(at + dice.below(32)).min(input.len()))
                .unwrap_or_default();
            let piece = piece.repeat(1 + dice.below(4));
            input.splice(at..at, piece);
        }
        4 | 5 if !words.is_empty() => {
            let word = words
                .get(dice.below(words.len()))
                .copied()
                .unwrap_or_default();
            input.splice(at..at, word.iter().copied());
        }
        6 => {
            let other = kept
                .get(dice.below(kept.len()))
                .map_or(&[][..], Vec::as_slice);
            let from = dice.below(other.len());
            input.truncate(at);
            input.extend_from_slice(other.get(from..).unwrap_or_default());
        }
        7 => input.truncate(at),
        _ => {
            let word = ODD.get(dice.below(ODD.len())).copied().unwrap_or_default();
            input.splice(at..at, word.iter().copied());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_target_stumbles_over_is_found() {
        let found = catch_unwind(|| {
            let few = |count| count >= 2_000_000;
            let words: &[&[u8]] = &[b"length="];
            let mut target = |input: &[u8]| {
                let text = String::from_utf8_lossy(input);
                if let Some(number) = text.strip_prefix("length=") {
                    // Adds one to a number that may be the largest.
                    let number: u64 = number.parse().unwrap_or(0);
                    assert!(number.checked_add(1).is_some());
                }
            };
            try_many(("stumble", 7), few, &[b"length=1"], words, &mut target)
        });
        assert!(found.is_err());
    }
}
