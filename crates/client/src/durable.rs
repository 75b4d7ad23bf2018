//! How much of what is written survives, as a person says it.

use clap::ValueEnum;
use gaveta_disk::Durability;

/// How durable what was told to be done is: on a server what it acknowledged, here what arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Durable {
    /// It survives a power cut.
    Full,
    /// It survives the program's death, but not a power cut.
    Fast,
}

impl From<Durable> for Durability {
    fn from(durable: Durable) -> Self {
        match durable {
            Durable::Full => Self::Full,
            Durable::Fast => Self::Fast,
        }
    }
}
