//! The memory store passes what every store must pass.

use std::sync::Arc;

use gaveta_core::Store;
use gaveta_testkit::MemoryStore;
use gaveta_testkit::conformance::{self, Abilities, Subject};

#[derive(Debug)]
struct Memory(Abilities);

#[async_trait::async_trait]
impl Subject for Memory {
    fn name(&self) -> &str {
        "memory"
    }

    fn abilities(&self) -> Abilities {
        self.0
    }

    async fn fresh(&self) -> Arc<dyn Store> {
        Arc::new(MemoryStore::new())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_memory_store_conforms() {
    conformance::run(&Memory(Abilities::ALL)).await;
}

#[derive(Debug)]
struct Keeping;

#[async_trait::async_trait]
impl Subject for Keeping {
    fn name(&self) -> &str {
        "memory, with a trash"
    }

    fn abilities(&self) -> Abilities {
        Abilities::ALL
    }

    async fn fresh(&self) -> Arc<dyn Store> {
        Arc::new(MemoryStore::with_trash())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_memory_store_with_a_trash_conforms() {
    conformance::run(&Keeping).await;
}

#[tokio::test]
async fn what_is_not_claimed_is_skipped_and_the_rest_still_runs() {
    conformance::run(&Memory(Abilities::NONE)).await;
}
