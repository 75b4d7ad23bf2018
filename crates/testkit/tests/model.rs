//! Random operations on the memory store, compared with the model.

use std::sync::Arc;

use gaveta_testkit::conformance::Abilities;
use gaveta_testkit::{MemoryStore, model};

#[tokio::test]
async fn ten_thousand_steps_on_memory() {
    model::run(Arc::new(MemoryStore::new()), Abilities::ALL, 1, 10_000).await;
}

#[tokio::test]
async fn other_seeds_and_fewer_abilities() {
    for seed in 2..12 {
        let abilities = if seed % 2 == 0 {
            Abilities::ALL
        } else {
            Abilities::NONE
        };
        model::run(Arc::new(MemoryStore::new()), abilities, seed, 1000).await;
    }
}
