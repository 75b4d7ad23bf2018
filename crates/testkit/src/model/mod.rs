//! Random operations on a store, compared with a map.
//!
//! After each operation the result is compared with what the model expects: success, or an error
//! of a kind that is legitimate. Where several reasons to refuse stand at once, any of them may be
//! told. What is refused must change nothing: the whole tree is compared after every
//! [`COMPARE_EVERY`] steps and at the end.

mod arranging;
mod comparing;
mod sending;
mod tree;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use gaveta_core::{Error, ErrorKind, Owner, Path, Replace, Store, Version};

use crate::conformance::Abilities;
use crate::content::Rng;
use sending::Open;
use tree::{Condition, Model};

/// After how many steps the whole tree is compared.
pub const COMPARE_EVERY: usize = 25;
/// How many operations a failure tells.
const TOLD: usize = 25;
/// The most entries, so that copies of copies end.
const MAX_ENTRIES: usize = 120;
/// The most uploads under way.
const MAX_OPEN: usize = 4;

type Step = Result<(), String>;

/// Runs so many random operations on an empty store. The same seed gives the same operations.
///
/// # Panics
/// When the store and the model differ: says the seed, the step and the last operations.
pub async fn run(store: Arc<dyn Store>, abilities: Abilities, seed: u64, steps: usize) {
    run_as(
        store,
        abilities,
        seed,
        steps,
        Owner(Arc::from("conformance")),
    )
    .await;
}

/// As [`run`], with the uploads of this owner.
///
/// # Panics
/// As [`run`].
pub async fn run_as(
    store: Arc<dyn Store>,
    abilities: Abilities,
    seed: u64,
    steps: usize,
    owner: Owner,
) {
    let mut run = Run {
        store,
        abilities,
        owner,
        rng: Rng::new(seed),
        model: Model::default(),
        open: Vec::new(),
        told: VecDeque::new(),
    };
    for step in 1..=steps {
        let mut result = run.step().await;
        if result.is_ok() && (step % COMPARE_EVERY == 0 || step == steps) {
            result = run.compare().await;
        }
        if let Err(what) = result {
            let told: Vec<_> = run.told.iter().map(String::as_str).collect();
            panic!(
                "seed {seed}, step {step}: {what}\nlast operations:\n{}",
                told.join("\n")
            );
        }
    }
}

#[derive(Debug)]
struct Run {
    store: Arc<dyn Store>,
    abilities: Abilities,
    owner: Owner,
    rng: Rng,
    model: Model,
    open: Vec<Open>,
    told: VecDeque<String>,
}

/// Compares a result with the errors that are legitimate; says whether it succeeded.
fn judge<T>(result: &Result<T, Error>, legitimate: &[ErrorKind]) -> Result<bool, String> {
    match result {
        Ok(_) if legitimate.is_empty() => Ok(true),
        Ok(_) => Err(format!("it succeeded, and should be one of {legitimate:?}")),
        Err(error) if legitimate.contains(&error.kind()) => Ok(false),
        Err(error) => Err(format!(
            "it failed with {:?} ({}), and should {}",
            error.kind(),
            error.chain(),
            if legitimate.is_empty() {
                "succeed".into()
            } else {
                format!("be {legitimate:?}")
            },
        )),
    }
}

fn second(n: usize) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_000_000_000 + n as u64)
}

fn strange() -> Version {
    Version::parse("no-such-version-51c0").unwrap()
}

impl Run {
    fn tell(&mut self, operation: String) {
        if self.told.len() == TOLD {
            self.told.pop_front();
        }
        self.told.push_back(operation);
    }

    /// A path: often of something that is there.
    fn path(&mut self) -> Path {
        let there = self.model.nodes.len();
        if there > 0 && !self.rng.once_in(3) {
            let chosen = self.rng.below(there);
            return Path::parse(self.model.nodes.keys().nth(chosen).unwrap()).unwrap();
        }
        self.new_path()
    }

    /// A path of up to three names out of a few, so that they meet.
    fn new_path(&mut self) -> Path {
        const NAMES: [&str; 6] = ["a", "b", "é", "e\u{301}", "a b|c", "%2e"];
        let depth = 1 + self.rng.below(3);
        let names: Vec<_> = (0..depth).map(|_| *self.rng.pick(&NAMES)).collect();
        Path::parse(&names.join("/")).unwrap()
    }

    fn condition(&mut self) -> Condition {
        if !self.abilities.replace {
            return Condition::Never;
        }
        use Condition::{Always, Never, Right, Strange};
        *self
            .rng
            .pick(&[Never, Never, Always, Always, Right, Strange])
    }

    async fn version(&self, path: &Path, condition: Condition) -> Version {
        match condition {
            Condition::Right => self
                .store
                .stat(path)
                .await
                .map_or_else(|_| strange(), |entry| entry.version),
            Condition::Never | Condition::Always | Condition::Strange => strange(),
        }
    }

    async fn replace(&self, path: &Path, condition: Condition) -> Replace {
        match condition {
            Condition::Never => Replace::Never,
            Condition::Always => Replace::Always,
            Condition::Right | Condition::Strange => {
                Replace::Only(self.version(path, condition).await)
            }
        }
    }

    async fn step(&mut self) -> Step {
        if self.model.nodes.len() > MAX_ENTRIES {
            let top = self
                .model
                .nodes
                .keys()
                .next()
                .unwrap()
                .split('/')
                .next()
                .unwrap();
            let top = Path::parse(top).unwrap();
            return self.remove(top, true, None).await;
        }
        match self.rng.below(100) {
            0..22 => self.publish().await,
            22..28 => self.begin().await,
            28..38 => self.write().await,
            38..44 => self.commit().await,
            44..47 => self.end().await,
            47..50 => self.resume().await,
            50..60 => self.relocate(true).await,
            60..68 => self.relocate(false).await,
            68..76 => {
                let (path, recursive) = (self.path(), self.rng.once_in(2));
                let version =
                    *self
                        .rng
                        .pick(&[None, None, Some(Condition::Right), Some(Condition::Strange)]);
                self.remove(path, recursive, version).await
            }
            76..83 => self.make_folder().await,
            83..88 => self.touch().await,
            88..92 => self.stat().await,
            92..96 => self.list().await,
            _ => self.read().await,
        }
    }
}
