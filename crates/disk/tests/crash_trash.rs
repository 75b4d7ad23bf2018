//! Killed again and again while it deletes, replaces, restores and purges: every content is where
//! the model says, live or in the trash, once. Run with `--features failpoints`; so many rounds as
//! `GAVETA_ROUNDS` says.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::indexing_slicing,
    reason = "tests may"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path as OsPath;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use futures_util::TryStreamExt;
use gaveta_core::{
    Check, MovePlan, Owner, Path, RemovePlan, Replace, RestorePlan, Seal, Store, Trash, TrashPlan,
    Trashed, WritePlan,
};
use gaveta_disk::{DiskStore, Options, TrashOptions};
use gaveta_testkit::stream_of;

const FOLDER: &str = "GAVETA_TEST_TRASH_FOLDER";
const LOG: &str = "GAVETA_TEST_TRASH_LOG";
const SEED: &str = "GAVETA_TEST_TRASH_SEED";
const NAMES: [&str; 5] = ["a", "b", "c", "d/e", "d/f"];
const OPERATIONS: usize = 30;
const POINTS: [&str; 14] = [
    "trash-info",
    "trash-renamed",
    "trash-flushed",
    "version-info",
    "version-linked",
    "version-copied",
    "before-rename",
    "after-rename",
    "after-folder-flush",
    "after-file-flush",
    "after-write",
    "restore-renamed",
    "purge-taken",
    // None: the parent kills at any moment.
    "",
];

fn options() -> Options {
    Options {
        trash: Some(TrashOptions {
            share: 100,
            ..TrashOptions::default()
        }),
        ..Options::default()
    }
}

struct Rng(u64);

impl Rng {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        ((self.0 >> 33) as usize) % n
    }
}

/// A content that tells its number.
fn bytes(content: u64) -> Vec<u8> {
    format!("{content} ")
        .repeat(1 + (content % 700) as usize)
        .into_bytes()
}

fn number(bytes: &[u8]) -> u64 {
    let text = std::str::from_utf8(bytes).unwrap();
    let number: u64 = text.split(' ').next().unwrap().parse().unwrap();
    assert_eq!(text.as_bytes(), self::bytes(number), "a torn content");
    number
}

/// A thing in the trash: where it was, and what it is: contents by what follows the path.
type Thing = (String, BTreeMap<String, u64>);

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Model {
    live: BTreeMap<String, u64>,
    trash: BTreeSet<Thing>,
}

impl Model {
    fn keep(&mut self, path: &str) {
        if let Some(old) = self.live.remove(path) {
            let inside = BTreeMap::from([(String::new(), old)]);
            assert!(self.trash.insert((path.to_owned(), inside)));
        }
    }

    /// Applies one line of the log.
    fn apply(&mut self, line: &str) {
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["put", path, content] => {
                self.keep(path);
                self.live.insert(path.to_owned(), content.parse().unwrap());
            }
            ["delete", path] => self.keep(path),
            ["delete-folder", path] => {
                let prefix = format!("{path}/");
                let (inside, rest): (BTreeMap<_, _>, BTreeMap<_, _>) =
                    std::mem::take(&mut self.live)
                        .into_iter()
                        .partition(|(name, _)| name.starts_with(&prefix));
                self.live = rest;
                let cut = |(name, content): (String, u64)| (name[path.len()..].to_owned(), content);
                let inside = inside.into_iter().map(cut).collect();
                self.trash.insert((path.to_owned(), inside));
            }
            ["rename", from, to] => {
                let content = self.live.remove(from).unwrap();
                self.keep(to);
                self.live.insert(to.to_owned(), content);
            }
            ["restore", path, content] | ["restore-to", path, content, ..] => {
                let content: u64 = content.parse().unwrap();
                let inside = BTreeMap::from([(String::new(), content)]);
                assert!(self.trash.remove(&(path.to_owned(), inside)), "{line}");
                let to = words.get(3).copied().unwrap_or(path);
                self.keep(to);
                self.live.insert(to.to_owned(), content);
            }
            ["restore-folder", path] => {
                let thing = self
                    .trash
                    .iter()
                    .find(|(at, _)| at == path)
                    .cloned()
                    .unwrap();
                self.trash.remove(&thing);
                for (tail, content) in thing.1 {
                    self.live.insert(format!("{path}{tail}"), content);
                }
            }
            ["purge", path, content] => {
                let inside = BTreeMap::from([(String::new(), content.parse().unwrap())]);
                assert!(self.trash.remove(&(path.to_owned(), inside)), "{line}");
            }
            ["purge-folder", path] => self.trash.retain(|(at, _)| at != path),
            _ => panic!("{line:?}"),
        }
    }
}

async fn things(trash: &Arc<dyn Trash>) -> Vec<Trashed> {
    let all = trash.trashed(TrashPlan::default()).await.unwrap();
    all.try_collect().await.unwrap()
}

async fn content_of(trash: &Arc<dyn Trash>, one: &Trashed) -> u64 {
    let reading = trash.open(&one.id).await.unwrap();
    let pieces: Vec<_> = reading
        .stream(0..one.entry.size)
        .try_collect()
        .await
        .unwrap();
    number(&pieces.concat())
}

/// The process that is killed. Does nothing unless it was started by the test below.
#[tokio::test]
async fn child() {
    let (Some(folder), Some(log)) = (std::env::var_os(FOLDER), std::env::var_os(LOG)) else {
        return;
    };
    let seed: u64 = std::env::var(SEED).unwrap().parse().unwrap();
    let mut log = fs::File::options()
        .append(true)
        .create(true)
        .open(log)
        .unwrap();
    let store = DiskStore::open(OsPath::new(&folder), options()).unwrap();
    let mut rng = Rng(seed);
    for step in 0..OPERATIONS {
        let content = seed * 1000 + step as u64;
        if let Some((line, done)) = operation(&store, &mut rng, content).await {
            writeln!(log, "{line}").unwrap();
            done.await;
            writeln!(log, ".").unwrap();
        }
    }
}

type Doing = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

/// The next operation: what it is, and how to do it.
async fn operation(store: &DiskStore, rng: &mut Rng, content: u64) -> Option<(String, Doing)> {
    let p = |text: &str| Path::parse(text).unwrap();
    let name = NAMES[rng.below(NAMES.len())];
    let there = store.stat(&p(name)).await.is_ok();
    let (own, trash) = (store.clone(), store.trash().unwrap());
    let put = |path: String| -> (String, Doing) {
        let line = format!("put {path} {content}");
        let own = own.clone();
        let doing = async move {
            let plan = WritePlan {
                replace: Replace::Always,
                ..WritePlan::new(Path::parse(&path).unwrap(), Owner("ana".into()))
            };
            let upload = own.begin(plan).await.unwrap();
            let bytes = stream_of(bytes(content), 1000);
            upload.write(0, bytes, Check::None).await.unwrap();
            upload.commit(Seal::default()).await.unwrap();
        };
        (line, Box::pin(doing))
    };
    Some(match rng.below(12) {
        0..4 => put(name.to_owned()),
        4 => put(format!("f{content}/x")),
        5 if there => {
            let path = p(name);
            let doing = async move { own.remove(&path, RemovePlan::default()).await.unwrap() };
            (format!("delete {name}"), Box::pin(doing))
        }
        6 => {
            let folder = folders(store).await.pop()?;
            let line = format!("delete-folder {folder}");
            let plan = RemovePlan {
                recursive: true,
                ..RemovePlan::default()
            };
            let doing = async move { own.remove(&p(&folder), plan).await.unwrap() };
            (line, Box::pin(doing))
        }
        7 if there => {
            let to = NAMES[rng.below(NAMES.len())];
            if to == name {
                return None;
            }
            let plan = MovePlan {
                replace: Replace::Always,
                ..MovePlan::default()
            };
            let doing = async move {
                own.rename(&p(name), &p(to), plan).await.unwrap();
            };
            (format!("rename {name} {to}"), Box::pin(doing))
        }
        which @ 8..12 => {
            let all = things(&trash).await;
            if all.is_empty() {
                return None;
            }
            let one = all[rng.below(all.len())].clone();
            let path = one.entry.path.as_str().to_owned();
            let what = match one.entry.is_folder() {
                true => format!("-folder {path}"),
                false => format!(" {path} {}", content_of(&trash, &one).await),
            };
            if which == 11 {
                let doing = async move { trash.purge(&one.id).await.unwrap() };
                return Some((format!("purge{what}"), Box::pin(doing)));
            }
            let replace = match one.entry.is_folder() {
                true => Replace::Never,
                false => Replace::Always,
            };
            let plan = RestorePlan {
                replace,
                ..RestorePlan::default()
            };
            let doing = async move {
                trash.restore(&one.id, plan).await.unwrap();
            };
            (format!("restore{what}"), Box::pin(doing))
        }
        _ => return None,
    })
}

/// The folders that hold something, by their names.
async fn folders(store: &DiskStore) -> Vec<String> {
    let listing = store.list(&Path::root(), Default::default()).await.unwrap();
    let all: Vec<_> = listing.try_collect().await.unwrap();
    let mut names = Vec::new();
    for listed in all {
        if let gaveta_core::Listed::Entry(entry) = listed
            && entry.path.as_str().starts_with('f')
            && store.stat(&entry.path.join("x").unwrap()).await.is_ok()
        {
            names.push(entry.path.as_str().to_owned());
        }
    }
    names.sort();
    names
}

fn contents(folder: &OsPath, prefix: &str, all: &mut BTreeMap<String, u64>) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        if prefix.is_empty() && name == ".gaveta" {
            continue;
        }
        let path = format!("{prefix}{name}");
        if entry.file_type().unwrap().is_dir() {
            contents(&entry.path(), &format!("{path}/"), all);
        } else {
            let meta = entry.metadata().unwrap();
            assert_eq!(meta.nlink(), 1, "{path} has a second name");
            all.insert(path, number(&fs::read(entry.path()).unwrap()));
        }
    }
}

/// What is really there, after the store was opened again.
async fn found(folder: &OsPath) -> Model {
    let store = DiskStore::open(folder, options()).unwrap();
    let mut model = Model::default();
    contents(folder, "", &mut model.live);
    let trash = store.trash().unwrap();
    for one in things(&trash).await {
        let bucket = &one.id.as_str()[..12];
        let place = folder
            .join(".gaveta/trash")
            .join(bucket)
            .join(one.id.as_str());
        let mut inside = BTreeMap::new();
        if one.entry.is_folder() {
            let mut within = BTreeMap::new();
            contents(&place, "/", &mut within);
            inside = within;
        } else {
            assert_eq!(fs::metadata(&place).unwrap().nlink(), 1, "{one:?}");
            inside.insert(String::new(), number(&fs::read(&place).unwrap()));
        }
        let path = one.entry.path.as_str().to_owned();
        assert!(model.trash.insert((path, inside)), "doubled: {one:?}");
    }
    let (strays, count) = store.upkeep().unwrap().strays(10).await.unwrap();
    assert_eq!(count, 0, "{strays:?}");
    model
}

/// The file system gives nothing a second name.
fn no_links() -> [String; 100] {
    std::array::from_fn(|_| "version-no-link=error".to_owned())
}

/// The process that replaces one file. Does nothing unless it was started by the test below.
#[tokio::test]
async fn replacing_child() {
    let Some(folder) = std::env::var_os(FOLDER) else {
        return;
    };
    let store = DiskStore::open(OsPath::new(&folder), options()).unwrap();
    replace(&store, 2).await;
}

async fn replace(store: &DiskStore, content: u64) {
    let plan = WritePlan {
        replace: Replace::Always,
        ..WritePlan::new(Path::parse("a").unwrap(), Owner("ana".into()))
    };
    let upload = store.begin(plan).await.unwrap();
    let bytes = stream_of(bytes(content), 1000);
    upload.write(0, bytes, Check::None).await.unwrap();
    upload.commit(Seal::default()).await.unwrap();
}

#[tokio::test]
async fn a_copy_of_what_was_not_replaced_is_dropped_and_of_what_was_stays() {
    for (point, replaced) in [
        ("version-no-link", false),
        ("version-copied", false),
        ("version-linked", false),
        ("after-rename", true),
        ("after-folder-flush", true),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let store = DiskStore::open(folder.path(), options()).unwrap();
        replace(&store, 1).await;
        let digest = store.stat(&Path::parse("a").unwrap()).await.unwrap().digest;
        drop(store);
        let traps = std::iter::once(format!("{point}:1=kill")).chain(no_links());
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "replacing_child"])
            .env(FOLDER, folder.path())
            .env("GAVETA_FAILPOINT", traps.collect::<Vec<_>>().join(","))
            .output()
            .unwrap();
        assert_eq!(output.status.signal(), Some(9), "{point}: {output:?}");
        let there = found(folder.path()).await;
        let old = ("a".to_owned(), BTreeMap::from([(String::new(), 1)]));
        let expected = match replaced {
            true => Model {
                live: BTreeMap::from([("a".to_owned(), 2)]),
                trash: BTreeSet::from([old]),
            },
            false => Model {
                live: BTreeMap::from([("a".to_owned(), 1)]),
                trash: BTreeSet::new(),
            },
        };
        assert_eq!(there, expected, "{point}");
        let staging = fs::read_dir(folder.path().join(".gaveta/staging")).unwrap();
        assert_eq!(staging.count(), 0, "{point}");
        if replaced {
            // A copy keeps the digest too.
            let store = DiskStore::open(folder.path(), options()).unwrap();
            let kept = things(&store.trash().unwrap()).await.remove(0);
            assert!(digest.is_some() && kept.entry.digest == digest, "{point}");
        }
    }
}

#[tokio::test]
async fn every_content_is_live_or_in_the_trash_and_once() {
    let rounds = std::env::var("GAVETA_ROUNDS").map_or(25, |text| text.parse().unwrap());
    let (folder, logs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut model = Model::default();
    let mut rng = Rng(4711);
    let (mut killed, mut unfinished, mut operations, mut copying) = (0, 0, 0, 0);
    for round in 1..=rounds {
        let point = POINTS[rng.below(POINTS.len())];
        let log = logs.path().join(round.to_string());
        let mut child = Command::new(std::env::current_exe().unwrap());
        child
            .args(["--exact", "child"])
            .env(FOLDER, folder.path())
            .env(LOG, &log)
            .env(SEED, round.to_string())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut traps = Vec::new();
        if !point.is_empty() {
            traps.push(format!("{point}:{}", 1 + rng.below(8)));
        }
        // Sometimes the old versions have to be copied.
        if point == "version-copied" || rng.below(3) == 0 {
            traps.extend(no_links());
            copying += 1;
        }
        child.env("GAVETA_FAILPOINT", traps.join(","));
        let mut child = child.spawn().unwrap();
        if point.is_empty() {
            std::thread::sleep(Duration::from_millis(20 + rng.below(200) as u64));
            let _ = child.kill();
        }
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!said.contains("panicked"), "round {round}, {point}: {said}");
        killed += u32::from(!output.status.success());
        let mut pending: Option<String> = None;
        for line in fs::read_to_string(&log).unwrap_or_default().lines() {
            match line {
                "." => {
                    model.apply(&pending.take().unwrap());
                    operations += 1;
                }
                line => pending = Some(line.to_owned()),
            }
        }
        let found = found(folder.path()).await;
        // What was begun last has happened, or not; nothing between.
        let mut after = model.clone();
        if let Some(line) = &pending {
            after.apply(line);
            unfinished += 1;
        }
        assert!(
            found == model || found == after,
            "round {round}, {point}, {pending:?}\nfound {found:#?}\nbefore {model:#?}"
        );
        model = found;
    }
    eprintln!(
        "{rounds} rounds, {copying} without links, {killed} killed, {unfinished} amid an operation, {operations} operations, \
         {} live, {} in the trash",
        model.live.len(),
        model.trash.len()
    );
    assert!(rounds < 10 || unfinished > 0);
}
