//! Files that are there already: beside them, and as somebody answers.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use common::trees::{copy, quick};
use common::{Hooked, get, put};
use gaveta_core::Path;
use gaveta_transfer::{Conflict, Decision, Existing, OnConflict, Options, Summary, Why};

#[tokio::test]
async fn beside_what_is_there_a_name_gets_a_number() {
    let (here, there) = (Hooked::new(), Hooked::new());
    put(&here.inner, "t/a.txt", b"new").await;
    put(&here.inner, "t/b", b"new too").await;
    put(&there.inner, "t/a.txt", b"old").await;
    put(&there.inner, "t/a (2).txt", b"older").await;
    put(&there.inner, "t/b/c", b"in a folder").await;
    let options = Options {
        existing: Existing::Beside,
        ..quick()
    };
    let summary = copy(&here, "t", &there, "t", options).await;
    assert!(summary.is_whole() && summary.files == 2, "{summary:?}");
    for (name, expected) in [
        ("t/a.txt", &b"old"[..]),
        ("t/a (2).txt", b"older"),
        ("t/a (3).txt", b"new"),
        ("t/b (2)", b"new too"),
    ] {
        assert_eq!(get(&there.inner, name).await.unwrap(), expected, "{name}");
    }
}

#[derive(Debug, Default)]
struct Answers {
    answers: Mutex<Vec<Decision>>,
    asked: Mutex<Vec<(Path, u64, u64)>>,
}

#[async_trait]
impl OnConflict for Answers {
    async fn decide(&self, conflict: Conflict<'_>) -> Decision {
        let asked = (
            conflict.source.path.clone(),
            conflict.source.size,
            conflict.there.size,
        );
        self.asked.lock().unwrap().push(asked);
        self.answers.lock().unwrap().remove(0)
    }
}

async fn ask(answers: &[Decision]) -> (Summary, usize, Vec<Vec<u8>>) {
    let (here, there) = (Hooked::new(), Hooked::new());
    for name in ["t/1", "t/2", "t/3", "t/4"] {
        put(&here.inner, name, b"new").await;
        put(&there.inner, name, b"older").await;
    }
    let asking = Arc::new(Answers {
        answers: Mutex::new(answers.to_vec()),
        ..Answers::default()
    });
    let existing = Existing::Ask(asking.clone());
    let options = Options {
        existing,
        parallel: Some(1),
        ..quick()
    };
    let summary = copy(&here, "t", &there, "t", options).await;
    let asked = asking.asked.lock().unwrap().clone();
    assert!(
        asked.iter().all(|(_, new, old)| (*new, *old) == (3, 5)),
        "{asked:?}"
    );
    let mut contents = Vec::new();
    for name in ["t/1", "t/2", "t/3", "t/4"] {
        contents.push(get(&there.inner, name).await.unwrap());
    }
    (summary, asked.len(), contents)
}

#[tokio::test]
async fn conflicts_are_asked_and_an_all_is_remembered() {
    use Decision::{Cancel, Replace, ReplaceAll, Skip, SkipAll};
    let (new, old) = (b"new".to_vec(), b"older".to_vec());
    let (summary, asked, contents) = ask(&[Skip, Replace, ReplaceAll]).await;
    assert_eq!((summary.files, summary.skipped_count, asked), (3, 1, 3));
    assert_eq!(summary.skipped[0].why, Why::Exists);
    assert_eq!(contents, [&old, &new, &new, &new].map(Vec::clone));
    let (summary, asked, contents) = ask(&[Replace, SkipAll]).await;
    assert_eq!((summary.files, summary.skipped_count, asked), (1, 3, 2));
    assert!(summary.is_whole());
    assert_eq!(contents, [&new, &old, &old, &old].map(Vec::clone));
    let (summary, asked, contents) = ask(&[Replace, Cancel]).await;
    assert_eq!((summary.files, asked, summary.cancelled), (1, 2, true));
    assert_eq!(contents, [&new, &old, &old, &old].map(Vec::clone));
}
