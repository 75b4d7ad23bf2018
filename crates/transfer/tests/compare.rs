//! What a comparison tells, between stores that nothing is known of.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may"
)]

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use gaveta_core::{
    Account, Check, ErrorKind, Owner, Path, RemovePlan, Replace, Seal, Store, TouchPlan, WritePlan,
};
use gaveta_testkit::{FlakyStore, MemoryStore, Operation, stream_of};
use gaveta_transfer::{
    Difference, Exclude, Look, ReadEverything, Retries, Side, Skipped, Why, compare,
};
use tokio::sync::mpsc;

fn path(text: &str) -> Path {
    Path::parse(text).unwrap()
}

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::new(1_700_000_000 + seconds, 123_456_789)
}

async fn put(store: &dyn Store, name: &str, content: &str, modified: SystemTime) {
    let plan = WritePlan {
        replace: Replace::Always,
        modified: Some(modified),
        ..WritePlan::new(path(name), Owner::of(Account::VISITOR))
    };
    let upload = store.begin(plan).await.unwrap();
    if !content.is_empty() {
        let content = stream_of(content.as_bytes().to_vec(), 1 << 16);
        upload.write(0, content, Check::None).await.unwrap();
    }
    upload.commit(Seal::default()).await.unwrap();
}

async fn make(store: &dyn Store, name: &str) {
    let path = path(name);
    for depth in 1..=path.depth() {
        let names: Vec<_> = path.names().take(depth).collect();
        match store
            .make_folder(&Path::parse(&names.join("/")).unwrap())
            .await
        {
            Ok(_) => {}
            Err(error) => assert_eq!(error.kind(), ErrorKind::Exists),
        }
    }
}

async fn found(source: &Arc<dyn Store>, target: &Arc<dyn Store>, look: Look) -> Vec<Difference> {
    between((source, ""), (target, ""), look).await
}

async fn between(
    source: (&Arc<dyn Store>, &str),
    target: (&Arc<dyn Store>, &str),
    look: Look,
) -> Vec<Difference> {
    let side = |(store, folder): (&Arc<dyn Store>, &str)| Side {
        store: Arc::clone(store),
        path: path(folder),
    };
    let (out, mut told) = mpsc::channel(4);
    let comparing = tokio::spawn(compare(side(source), side(target), look, out));
    let mut all = Vec::new();
    while let Some(difference) = told.recv().await {
        all.push(difference);
    }
    comparing.await.unwrap();
    all
}

/// One short line for each.
fn lines(told: &[Difference]) -> Vec<String> {
    told.iter()
        .map(|difference| match difference {
            Difference::New { entry, to } => format!("+ {} {}", entry.path.as_str(), to.as_str()),
            Difference::NewFolder { path, to } => format!("+/ {} {}", path.as_str(), to.as_str()),
            Difference::Changed { entry, there } => {
                assert_eq!(entry.path.name(), there.path.name());
                format!("~ {}", entry.path.as_str())
            }
            Difference::Attributes { entry, .. } => format!("t {}", entry.path.as_str()),
            Difference::Same { entry } => format!("= {}", entry.path.as_str()),
            Difference::Extra { entry, whole } => {
                format!(
                    "- {}{}",
                    entry.path.as_str(),
                    if *whole { "/**" } else { "" }
                )
            }
            Difference::InTheWay { entry, .. } => format!("! {}", entry.path.as_str()),
            Difference::Skipped(Skipped { path, why }) => match why {
                Why::Unnameable(shown) => format!("s {}/{shown}", path.as_str()),
                _ => format!("s {}", path.as_str()),
            },
            Difference::Failed(failed) => {
                format!("x {} {}", failed.to.as_str(), failed.error.kind().code())
            }
        })
        .collect()
}

fn memory() -> Arc<dyn Store> {
    Arc::new(MemoryStore::new())
}

/// Leaves out names that end so.
#[derive(Debug)]
struct Ending(&'static str);

impl Exclude for Ending {
    fn leaves_out(&self, path: &Path, _: bool) -> bool {
        path.as_str().ends_with(self.0)
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn without(ending: &'static str) -> Look {
    Look {
        exclude: Arc::new(Ending(ending)),
        ..Look::default()
    }
}

#[tokio::test]
async fn every_kind_of_difference_is_told() {
    let (a, b) = (memory(), memory());
    for name in [
        "new", "d/new", "same", "time", "size", "d-not/x", "way", "yaw/x",
    ] {
        put(&*a, name, "1", at(1)).await;
    }
    make(&*a, "bare/inner").await;
    make(&*a, "both").await;
    for (name, content, time) in [
        ("same", "1", 1),
        ("time", "1", 2),
        ("size", "12", 1),
        ("extra", "1", 1),
        ("gone/x/y", "1", 1),
        ("way/x", "1", 1),
        ("yaw", "1", 1),
    ] {
        put(&*b, name, content, at(time)).await;
    }
    make(&*b, "both").await;
    make(&*b, "d").await;
    let mut told = lines(&found(&a, &b, Look::default()).await);
    told.sort();
    assert_eq!(
        told,
        [
            "! way",
            "! yaw",
            "+ d-not/x d-not/x",
            "+ d/new d/new",
            "+ new new",
            "+/ bare/inner bare/inner",
            "- extra",
            "- gone/**",
            "- way/**",
            "- yaw",
            "= same",
            "~ size",
            "~ time",
        ]
    );
}

#[tokio::test]
async fn folders_of_different_names_and_a_missing_target_are_compared_too() {
    let (a, b) = (memory(), memory());
    put(&*a, "in/d/x", "1", at(1)).await;
    make(&*a, "in/e").await;
    let told = between((&a, "in"), (&b, "out/there"), Look::default()).await;
    assert_eq!(
        lines(&told),
        ["+ in/d/x out/there/d/x", "+/ in/e out/there/e"]
    );
    put(&*b, "out/there/d/x", "1", at(1)).await;
    let told = between((&a, "in"), (&b, "out/there"), Look::default()).await;
    assert_eq!(lines(&told), ["= in/d/x", "+/ in/e out/there/e"]);
    // An empty source and no target: the folder itself is new.
    make(&*a, "empty").await;
    let told = between((&a, "empty"), (&b, "nothing"), Look::default()).await;
    assert_eq!(lines(&told), ["+/ empty nothing"]);
}

#[tokio::test]
async fn contents_are_compared_where_size_and_time_deceive() {
    let (a, b) = (memory(), memory());
    put(&*a, "deceives", "old", at(1)).await;
    put(&*b, "deceives", "new", at(1)).await;
    put(&*a, "touched", "1", at(1)).await;
    put(&*b, "touched", "1", at(9)).await;
    put(&*a, "same", "1", at(1)).await;
    put(&*b, "same", "1", at(1)).await;
    put(&*a, "empty", "", at(1)).await;
    put(&*b, "empty", "", at(1)).await;
    put(&*b, "zextra", "", at(1)).await;
    let quick = lines(&found(&a, &b, Look::default()).await);
    assert_eq!(
        quick,
        ["= deceives", "= empty", "= same", "~ touched", "- zextra"]
    );
    let look = Look {
        contents: Some((
            Arc::new(ReadEverything(Arc::clone(&a))),
            Arc::new(ReadEverything(Arc::clone(&b))),
        )),
        ..Look::default()
    };
    let thorough = lines(&found(&a, &b, look).await);
    assert_eq!(
        thorough,
        ["~ deceives", "= empty", "= same", "t touched", "- zextra"],
        "in the order they were found"
    );
}

#[tokio::test]
async fn the_executable_bit_is_kept_alike() {
    let (a, b) = (memory(), memory());
    put(&*a, "run", "1", at(1)).await;
    put(&*b, "run", "1", at(1)).await;
    let plan = TouchPlan {
        executable: Some(true),
        modified: Some(at(1)),
    };
    a.touch(&path("run"), plan).await.unwrap();
    assert_eq!(lines(&found(&a, &b, Look::default()).await), ["t run"]);
}

#[tokio::test]
async fn what_is_left_out_is_neither_new_nor_extra_and_keeps_its_folders() {
    let (a, b) = (memory(), memory());
    put(&*a, "d/x.o", "1", at(1)).await;
    put(&*a, "e/y", "1", at(1)).await;
    put(&*b, "e/z.o", "1", at(1)).await;
    put(&*b, "old/keep/k.o", "1", at(1)).await;
    put(&*b, "old/go/g", "1", at(1)).await;
    put(&*b, "old/x", "1", at(1)).await;
    put(&*b, "stale/s", "1", at(1)).await;
    assert_eq!(
        lines(&found(&a, &b, without(".o")).await),
        [
            "+/ d d",
            "+ e/y e/y",
            "- old/go/g",
            "- old/go",
            "- old/x",
            "- stale/s",
            "- stale",
        ]
    );
}

#[tokio::test]
async fn only_one_folder_is_compared_when_no_deeper_is_wanted() {
    let (a, b) = (memory(), memory());
    put(&*a, "d/x", "1", at(1)).await;
    put(&*a, "d/sub/deep", "1", at(1)).await;
    put(&*a, "d/new/deep", "1", at(1)).await;
    make(&*b, "d/sub").await;
    let look = Look {
        deep: false,
        within: path("d"),
        ..without("d/x")
    };
    let told = between((&a, "d"), (&b, "d"), look).await;
    assert_eq!(lines(&told), ["+ d/new/deep d/new/deep"]);
}

#[tokio::test]
async fn more_than_a_page_on_either_side_is_merged() {
    let (a, b) = (memory(), memory());
    let mut expected = BTreeSet::new();
    for n in 0..4500 {
        if n % 3 != 0 {
            put(&*a, &format!("{n:05}"), "1", at(1)).await;
        }
        if n % 2 != 0 {
            put(&*b, &format!("{n:05}"), "1", at(1)).await;
        }
        match (n % 3 != 0, n % 2 != 0) {
            (true, true) => expected.insert(format!("= {n:05}")),
            (true, false) => expected.insert(format!("+ {n:05} {n:05}")),
            (false, true) => expected.insert(format!("- {n:05}")),
            (false, false) => false,
        };
    }
    let told = lines(&found(&a, &b, Look::default()).await);
    assert_eq!(told.len(), expected.len());
    assert_eq!(told.into_iter().collect::<BTreeSet<_>>(), expected);
}

#[tokio::test]
async fn a_folder_that_cannot_be_read_looks_neither_empty_nor_new() {
    for broken_source in [true, false] {
        let flaky = FlakyStore::new(MemoryStore::new());
        let other = memory();
        put(&flaky, "d/x", "1", at(1)).await;
        put(&*other, "d/y", "1", at(1)).await;
        flaky.fail(Operation::List, ErrorKind::Permission, 1, 1);
        let flaky: Arc<dyn Store> = Arc::new(flaky);
        let (a, b) = if broken_source {
            (&flaky, &other)
        } else {
            (&other, &flaky)
        };
        let told = lines(&found(a, b, Look::default()).await);
        assert_eq!(told, ["x d permission"], "source: {broken_source}");
    }
}

#[tokio::test]
async fn a_listing_that_fails_for_a_passing_reason_is_read_again() {
    let flaky = FlakyStore::new(MemoryStore::new());
    put(&flaky, "x", "1", at(1)).await;
    flaky.fail(Operation::List, ErrorKind::Busy, 0, 2);
    let (a, b): (Arc<dyn Store>, _) = (Arc::new(flaky), memory());
    let look = Look {
        retries: Retries {
            times: 3,
            pause: Duration::from_millis(1),
        },
        ..Look::default()
    };
    assert_eq!(lines(&found(&a, &b, look).await), ["+ x x"]);
}

/// Random trees: whoever does what is told ends with two trees that are the same.
#[tokio::test]
async fn doing_what_is_told_makes_both_the_same() {
    let mut state = 0x2545_f491_4f6c_dd1du64;
    let mut random = |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 33) % below
    };
    for round in 0..60 {
        let (a, b) = (memory(), memory());
        for store in [&a, &b] {
            for _ in 0..random(25) {
                let depth = 1 + random(4);
                let name: Vec<_> = (0..depth).map(|_| format!("{}", random(4))).collect();
                let name = name.join("/");
                // What cannot be made there for another's sake is left.
                if store.stat(&path(&name)).await.is_ok() || blocked(&**store, &name).await {
                    continue;
                }
                if random(4) == 0 {
                    make(&**store, &name).await;
                } else {
                    put(
                        &**store,
                        &name,
                        &"x".repeat(random(3) as usize),
                        at(random(2)),
                    )
                    .await;
                }
            }
        }
        let ending = if round % 2 == 0 { "" } else { "/3" };
        let mut rounds = 0;
        loop {
            let told = found(&a, &b, without(ending)).await;
            if told.iter().all(|d| matches!(d, Difference::Same { .. })) {
                break;
            }
            rounds += 1;
            assert!(rounds < 3, "round {round}: {:#?}", lines(&told));
            if !follow(&a, &b, told).await {
                break;
            }
        }
    }
}

async fn blocked(store: &dyn Store, name: &str) -> bool {
    let mut above = path(name).parent();
    while let Some(folder) = above {
        if store
            .stat(&folder)
            .await
            .is_ok_and(|entry| !entry.is_folder())
        {
            return true;
        }
        above = folder.parent();
    }
    false
}

/// Does what is told; false when something that is left out stays in the way.
async fn follow(a: &Arc<dyn Store>, b: &Arc<dyn Store>, told: Vec<Difference>) -> bool {
    let mut copies = Vec::new();
    let mut ways = Vec::new();
    for difference in told {
        match difference {
            Difference::New { entry, to } => copies.push((entry, to)),
            Difference::Changed { entry, there } => copies.push((entry, there.path)),
            Difference::NewFolder { to, .. } => copies_folder(b, &to).await,
            Difference::Extra { entry, whole } => {
                let plan = RemovePlan {
                    recursive: whole,
                    version: None,
                    ..Default::default()
                };
                b.remove(&entry.path, plan).await.unwrap();
            }
            Difference::InTheWay { there, .. } => ways.push(there.path),
            Difference::Same { .. } => {}
            other => panic!("{other:?}"),
        }
    }
    for (entry, to) in copies {
        let content = "x".repeat(entry.size as usize);
        put(&**b, to.as_str(), &content, entry.modified).await;
    }
    let _ = a;
    for way in ways {
        if b.stat(&way).await.is_ok() {
            return false;
        }
    }
    true
}

async fn copies_folder(store: &Arc<dyn Store>, to: &Path) {
    make(&**store, to.as_str()).await;
}
