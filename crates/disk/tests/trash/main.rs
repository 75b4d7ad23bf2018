//! The trash in a folder: what somebody does to its files, clocks, bounds, and what a check finds.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::indexing_slicing,
    reason = "tests may"
)]

use std::fs;
use std::path::Path as OsPath;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures_util::TryStreamExt;
use gaveta_core::{
    Cause, Check, ErrorKind, Health, Owner, Path, RemovePlan, Replace, RestorePlan, Seal, Store,
    Trash, TrashPlan, Trashed, WritePlan,
};
use gaveta_disk::{DiskStore, Durability, Options, TrashOptions};
use gaveta_testkit::{content, stream_of};

fn p(text: &str) -> Path {
    Path::parse(text).unwrap()
}

fn open_with(folder: &OsPath, trash: TrashOptions) -> DiskStore {
    let options = Options {
        durability: Durability::Fast,
        trash: Some(trash),
        ..Options::default()
    };
    // The lock of a store that was just dropped goes with its last thread.
    for _ in 0..200 {
        match DiskStore::open(folder, options) {
            Err(error) if error.kind() == ErrorKind::Locked => {
                std::thread::sleep(Duration::from_millis(10));
            }
            store => return store.unwrap(),
        }
    }
    panic!("the folder stays locked");
}

fn open(folder: &OsPath) -> DiskStore {
    open_with(folder, TrashOptions::default())
}

async fn put(store: &DiskStore, path: &str, bytes: Vec<u8>) -> gaveta_core::Result<()> {
    let plan = WritePlan {
        replace: Replace::Always,
        length: Some(bytes.len() as u64),
        ..WritePlan::new(p(path), Owner("ana".into()))
    };
    let upload = store.begin(plan).await?;
    upload
        .write(0, stream_of(bytes, 100_000), Check::None)
        .await?;
    upload.commit(Seal::default()).await.map(|_| ())
}

async fn delete(store: &DiskStore, path: &str) {
    let plan = RemovePlan {
        recursive: true,
        by: Some(Owner("ana".into())),
        ..RemovePlan::default()
    };
    store.remove(&p(path), plan).await.unwrap();
}

async fn listed(trash: &Arc<dyn Trash>) -> Vec<Trashed> {
    let all = trash.trashed(TrashPlan::default()).await.unwrap();
    all.try_collect().await.unwrap()
}

fn place(folder: &OsPath, one: &Trashed) -> std::path::PathBuf {
    let id = one.id.as_str();
    folder.join(".gaveta/trash").join(&id[..12]).join(id)
}

/// Waits until it is so: what the keeper does comes when it comes.
async fn eventually(what: &str, mut so: impl AsyncFnMut() -> bool) {
    for _ in 0..1500 {
        if so().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("it never came true that {what}");
}

#[tokio::test]
async fn it_is_still_there_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    put(&store, "d/file", content(5000, 1)).await.unwrap();
    let was = store.stat(&p("d/file")).await.unwrap();
    put(&store, "d/file", content(5000, 2)).await.unwrap();
    delete(&store, "d").await;
    drop(store);
    let store = open(folder.path());
    let trash = store.trash().unwrap();
    let all = listed(&trash).await;
    assert_eq!(all.len(), 2);
    assert_eq!(
        (all[0].cause, all[1].cause),
        (Cause::Deleted, Cause::Replaced)
    );
    assert_eq!(all[1].by.as_ref().map(|by| &*by.0), Some("ana"));
    // The very file: its version, its digest.
    assert_eq!(all[1].entry, was);
    eventually("all is counted", async || {
        let state = trash.state().await.unwrap();
        !state.counting && state.items == 2 && state.bytes >= 10_000
    })
    .await;
    trash
        .restore(&all[0].id, RestorePlan::default())
        .await
        .unwrap();
    assert_eq!(
        fs::read(folder.path().join("d/file")).unwrap(),
        content(5000, 2)
    );
}

#[tokio::test]
async fn what_somebody_does_to_its_files_harms_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("secret"), "secret").unwrap();
    let store = open(folder.path());
    for name in ["gone", "changed", "link", "noinfo", "badinfo"] {
        put(&store, name, content(3000, 1)).await.unwrap();
        delete(&store, name).await;
    }
    let trash = store.trash().unwrap();
    let all = listed(&trash).await;
    let one = |name: &str| {
        let found = all.iter().find(|one| one.entry.path.as_str() == name);
        found.unwrap().clone()
    };
    let info = |one: &Trashed| format!("{}.i", place(folder.path(), one).display());
    fs::remove_file(place(folder.path(), &one("gone"))).unwrap();
    fs::write(place(folder.path(), &one("changed")), "other").unwrap();
    fs::remove_file(place(folder.path(), &one("link"))).unwrap();
    let secret = outside.path().join("secret");
    std::os::unix::fs::symlink(&secret, place(folder.path(), &one("link"))).unwrap();
    fs::remove_file(info(&one("noinfo"))).unwrap();
    fs::remove_file(info(&one("badinfo"))).unwrap();
    std::os::unix::fs::symlink("1 deleted 1 1 - ../../outside", info(&one("badinfo"))).unwrap();
    fs::write(folder.path().join(".gaveta/trash/what is this"), "").unwrap();

    let kind =
        |result: gaveta_core::Result<_>| result.map(|_: gaveta_core::Entry| ()).unwrap_err().kind();
    for name in ["gone", "noinfo", "badinfo"] {
        let refused = trash.restore(&one(name).id, RestorePlan::default()).await;
        assert_eq!(kind(refused), ErrorKind::NotFound, "{name}");
    }
    let read = trash.open(&one("link").id).await.unwrap_err();
    assert_eq!(read.kind(), ErrorKind::NotRegular);
    // A link comes back as the link it is, and leads nowhere for anybody.
    trash
        .restore(&one("link").id, RestorePlan::default())
        .await
        .unwrap();
    let kind = store
        .read(&p("link"), Default::default())
        .await
        .unwrap_err()
        .kind();
    assert_eq!(kind, ErrorKind::NotRegular);
    trash
        .restore(&one("changed").id, RestorePlan::default())
        .await
        .unwrap();
    assert_eq!(fs::read(folder.path().join("changed")).unwrap(), b"other");
    assert!(listed(&trash).await.is_empty());
    let (strays, count) = store.upkeep().unwrap().strays(10).await.unwrap();
    let shown: Vec<_> = strays.iter().map(|stray| stray.shown.as_str()).collect();
    // The two contents without sensible information, the information, and the foreign file; the
    // information of what is gone went when it was asked for.
    assert!(
        count >= 3 && shown.contains(&"trash/what is this"),
        "{shown:?}"
    );
    drop((store, trash));
    open(folder.path());
}

#[tokio::test]
async fn what_is_old_goes_by_itself_and_what_is_from_the_future_stays() {
    let folder = tempfile::tempdir().unwrap();
    let options = TrashOptions {
        keep: Duration::from_secs(2),
        ..TrashOptions::default()
    };
    let store = open_with(folder.path(), options);
    let trash = store.trash().unwrap();
    for name in ["future", "a", "d/b"] {
        put(&store, name, content(100, 1)).await.unwrap();
    }
    delete(&store, "future").await;
    // The clock was ahead when it was deleted, and was set back since.
    let one = listed(&trash).await.remove(0);
    let info = format!("{}.i", place(folder.path(), &one).display());
    let text = fs::read_link(&info)
        .unwrap()
        .into_os_string()
        .into_string()
        .unwrap();
    let ahead = SystemTime::now() + Duration::from_secs(100_000);
    let nanos = ahead
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap()
        .as_nanos();
    let words: Vec<&str> = text.splitn(4, ' ').collect();
    fs::remove_file(&info).unwrap();
    std::os::unix::fs::symlink(format!("1 deleted {nanos} {}", words[3]), &info).unwrap();
    delete(&store, "a").await;
    delete(&store, "d").await;
    eventually("the old ones are gone", async || {
        listed(&trash).await.len() == 1
            && fs::read_dir(folder.path().join(".gaveta/trash/gone"))
                .unwrap()
                .count()
                == 0
    })
    .await;
    assert_eq!(listed(&trash).await[0].id, one.id);
}

#[tokio::test]
async fn many_small_deletions_fill_several_buckets_and_pages_meet_all() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    const MANY: usize = 9000;
    for n in 0..MANY {
        fs::write(folder.path().join(format!("{n:05}")), "x").unwrap();
        delete(&store, &format!("{n:05}")).await;
    }
    let buckets = fs::read_dir(folder.path().join(".gaveta/trash"))
        .unwrap()
        .count();
    assert_eq!(buckets, 3 + 1);
    let trash = store.trash().unwrap();
    let all = listed(&trash).await;
    let names: Vec<_> = all.iter().map(|one| one.entry.path.as_str()).collect();
    let expected: Vec<_> = (0..MANY).rev().map(|n| format!("{n:05}")).collect();
    assert!(names == expected);
    assert_eq!(trash.state().await.unwrap().items, MANY as u64);
    for one in all {
        trash.purge(&one.id).await.unwrap();
    }
    assert_eq!(trash.state().await.unwrap().items, 0);
}

#[tokio::test]
async fn a_flipped_bit_is_rot_and_an_edit_is_a_change() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let upkeep = store.upkeep().unwrap();
    for name in ["sound", "rotten", "edited"] {
        put(&store, name, content(3 << 20, 7)).await.unwrap();
    }
    fs::write(folder.path().join("foreign"), "never stored by us").unwrap();
    let flipped = folder.path().join("rotten");
    let (mut bytes, times) = (fs::read(&flipped).unwrap(), fs::metadata(&flipped).unwrap());
    bytes[1 << 20] ^= 4;
    let file = fs::File::options().write(true).open(&flipped).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, &bytes, 0).unwrap();
    file.set_modified(times.modified().unwrap()).unwrap();
    fs::write(folder.path().join("edited"), "by another program").unwrap();
    for (name, health) in [
        ("sound", Health::Sound),
        ("rotten", Health::Rotten),
        ("edited", Health::Changed),
        ("foreign", Health::Undigested),
    ] {
        let examined = upkeep.examine(&p(name), false).await.unwrap();
        assert_eq!(examined.health(), health, "{name}");
    }
    assert_eq!(upkeep.strays(10).await.unwrap().1, 0);
    upkeep.keep_mark(b"here").await.unwrap();
    assert_eq!(upkeep.mark().await.unwrap().as_deref(), Some(&b"here"[..]));
}

/// A small file system of its own. None: this user may not mount one.
struct Small(tempfile::TempDir);

impl Small {
    fn new(megabytes: u32) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mounted = std::process::Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={megabytes}m"), "tmpfs"])
            .arg(folder.path())
            .stderr(std::process::Stdio::null())
            .status();
        if mounted.is_ok_and(|status| status.success()) {
            Some(Self(folder))
        } else {
            eprintln!("skipped: no small file system can be mounted here");
            None
        }
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        // A store's last thread holds it open for a moment more.
        for _ in 0..200 {
            let unmounted = std::process::Command::new("umount")
                .arg(self.0.path())
                .stderr(std::process::Stdio::null())
                .status();
            if unmounted.is_ok_and(|status| status.success()) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

#[tokio::test]
async fn uploads_go_on_while_the_trash_gives_way_and_nothing_live_is_touched() {
    const MIB: usize = 1 << 20;
    for yields in [true, false] {
        let Some(small) = Small::new(24) else { return };
        let folder = small.0.path();
        let options = TrashOptions {
            share: 100,
            yields,
            ..TrashOptions::default()
        };
        let store = open_with(folder, options);
        let trash = store.trash().unwrap();
        put(&store, "live", content(3 * MIB, 1)).await.unwrap();
        put(&store, "d/live", content(MIB, 2)).await.unwrap();
        for n in 0..4 {
            put(&store, &format!("old/{n}"), content(2 * MIB, n))
                .await
                .unwrap();
        }
        delete(&store, "old").await;
        for n in 0..4 {
            put(&store, "file", content(2 * MIB, 10 + n)).await.unwrap();
        }
        // 12 MiB in the trash, 6 live; so six files of 2 MiB do not fit without the trash.
        let mut refused = 0;
        for n in 0..6u64 {
            match put(&store, &format!("new/{n}"), content(2 * MIB, 20 + n)).await {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::NoSpace => refused += 1,
                Err(error) => panic!("{}", error.chain()),
            }
        }
        let read = |name: &str| fs::read(folder.join(name)).unwrap();
        assert_eq!(read("live"), content(3 * MIB, 1));
        assert_eq!(read("d/live"), content(MIB, 2));
        assert_eq!(read("file"), content(2 * MIB, 13));
        if yields {
            assert_eq!(refused, 0);
            for n in 0..6 {
                assert_eq!(read(&format!("new/{n}")), content(2 * MIB, 20 + n));
            }
            assert!(
                listed(&trash)
                    .await
                    .iter()
                    .all(|one| !one.entry.is_folder())
            );
        } else {
            assert!(refused > 0);
            assert_eq!(listed(&trash).await.len(), 4);
            // A full disk, and still what was deleted comes back, for that takes no room.
            let old = listed(&trash).await.pop().unwrap();
            trash
                .restore(&old.id, RestorePlan::default())
                .await
                .unwrap();
            assert_eq!(read("old/3"), content(2 * MIB, 3));
        }
        drop((trash, store));
    }
}

/// Something that nobody can take apart, in a purged folder: another file system.
struct Stuck(std::path::PathBuf);

impl Stuck {
    /// Before the store is opened, which would take it apart. None: nothing can be mounted here.
    fn new(folder: &OsPath) -> Option<Self> {
        let inner = folder.join(".gaveta/trash/gone/0stuck/inner");
        fs::create_dir_all(&inner).unwrap();
        let mounted = std::process::Command::new("mount")
            .args(["-t", "tmpfs", "tmpfs"])
            .arg(&inner)
            .stderr(std::process::Stdio::null())
            .status();
        if mounted.is_ok_and(|status| status.success()) {
            return Some(Self(inner));
        }
        eprintln!("skipped: nothing can be mounted here");
        None
    }
}

impl Drop for Stuck {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg(&self.0).status();
    }
}

#[tokio::test]
async fn a_purged_folder_that_cannot_be_taken_apart_keeps_nothing_else_from_going() {
    let folder = tempfile::tempdir().unwrap();
    let Some(_stuck) = Stuck::new(folder.path()) else {
        return;
    };
    let options = TrashOptions {
        keep: Duration::from_secs(1),
        ..TrashOptions::default()
    };
    let store = open_with(folder.path(), options);
    let trash = store.trash().unwrap();
    for name in ["a", "d/b"] {
        put(&store, name, content(100, 1)).await.unwrap();
    }
    delete(&store, "a").await;
    delete(&store, "d").await;
    eventually("the old ones are gone", async || {
        let gone = fs::read_dir(folder.path().join(".gaveta/trash/gone")).unwrap();
        listed(&trash).await.is_empty() && gone.count() == 1
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_wants_room_is_refused_when_what_is_left_of_the_trash_cannot_go() {
    const MIB: usize = 1 << 20;
    let Some(small) = Small::new(16) else { return };
    let folder = small.0.path();
    let options = TrashOptions {
        share: 100,
        yields: true,
        ..TrashOptions::default()
    };
    let Some(stuck) = Stuck::new(folder) else {
        return;
    };
    let store = open_with(folder, options);
    put(&store, "d/old", content(6 * MIB, 1)).await.unwrap();
    put(&store, "live", content(6 * MIB, 2)).await.unwrap();
    delete(&store, "d").await;
    // The trash gives way all the same.
    put(&store, "new", content(6 * MIB, 3)).await.unwrap();
    let more = tokio::spawn(async move {
        let plan = WritePlan::new(p("more"), Owner("ana".into()));
        let upload = store.begin(plan).await?;
        let bytes = stream_of(content(8 * MIB, 4), 100_000);
        upload.write(0, bytes, Check::None).await
    });
    let refused = tokio::time::timeout(Duration::from_secs(60), more).await;
    // Who would try for ever ends now.
    drop(stuck);
    let refused = refused.expect("it is answered").unwrap();
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::NoSpace);
    assert_eq!(fs::read(folder.join("live")).unwrap(), content(6 * MIB, 2));
}

#[tokio::test]
async fn a_word_about_a_length_empties_no_trash() {
    const MIB: usize = 1 << 20;
    let Some(small) = Small::new(16) else { return };
    let options = TrashOptions {
        share: 100,
        yields: true,
        ..TrashOptions::default()
    };
    let store = open_with(small.0.path(), options);
    let trash = store.trash().unwrap();
    for n in 0..12 {
        put(&store, &format!("{n}"), content(MIB, n)).await.unwrap();
        delete(&store, &format!("{n}")).await;
    }
    let announce = async |name: &str, length: usize| {
        let plan = WritePlan {
            length: Some(length as u64),
            ..WritePlan::new(p(name), Owner("ana".into()))
        };
        store.begin(plan).await
    };
    let too_much = announce("too much", 40 * MIB).await.err().unwrap();
    assert_eq!(too_much.kind(), ErrorKind::NoSpace);
    let much = announce("much", 13 * MIB).await.unwrap();
    assert_eq!(listed(&trash).await.len(), 12);
    much.write(0, stream_of(content(13 * MIB, 7), 100_000), Check::None)
        .await
        .unwrap();
    much.commit(Seal::default()).await.unwrap();
    assert!(listed(&trash).await.len() < 4);
    drop((much, trash, store));
}

#[tokio::test]
async fn the_oldest_go_when_all_takes_more_than_its_share() {
    let Some(small) = Small::new(40) else { return };
    let options = TrashOptions {
        share: 10,
        ..TrashOptions::default()
    };
    let store = open_with(small.0.path(), options);
    let trash = store.trash().unwrap();
    for n in 0..10u64 {
        put(&store, &format!("d{n}/file"), content(1 << 20, n))
            .await
            .unwrap();
        delete(&store, &format!("d{n}")).await;
    }
    eventually("it takes no more than its share", async || {
        let state = trash.state().await.unwrap();
        !state.counting && Some(state.bytes) <= state.most
    })
    .await;
    let left = listed(&trash).await;
    assert!((1..=4).contains(&left.len()), "{}", left.len());
    assert_eq!(left[0].entry.path.as_str(), "d9");
    drop((trash, store));
}

#[tokio::test]
async fn a_mount_within_is_a_named_error_and_stays_whole() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let inner = folder.path().join("d/inner");
    fs::create_dir_all(&inner).unwrap();
    let mounted = std::process::Command::new("mount")
        .args(["-t", "tmpfs", "tmpfs"])
        .arg(&inner)
        .stderr(std::process::Stdio::null())
        .status();
    if !mounted.is_ok_and(|status| status.success()) {
        eprintln!("skipped: nothing can be mounted here");
        return;
    }
    fs::write(inner.join("file"), "x").unwrap();
    let all = || RemovePlan {
        recursive: true,
        ..RemovePlan::default()
    };
    let mut kinds = Vec::new();
    for path in ["d", "d/inner", "d/inner/file"] {
        kinds.push(
            store
                .remove(&p(path), all())
                .await
                .map_err(|error| error.kind()),
        );
    }
    put(&store, "away", content(10, 1)).await.unwrap();
    delete(&store, "away").await;
    let trash = store.trash().unwrap();
    let id = listed(&trash).await[0].id.clone();
    let onto = RestorePlan {
        to: Some(p("d/inner/away")),
        ..RestorePlan::default()
    };
    let restored = trash.restore(&id, onto).await.map_err(|error| error.kind());
    let whole = inner.join("file").exists();
    let left = listed(&trash).await.len();
    let _ = std::process::Command::new("umount").arg(&inner).status();
    assert_eq!(kinds, [Err(ErrorKind::OtherMount); 3]);
    assert_eq!(restored.unwrap_err(), ErrorKind::OtherMount);
    assert!(whole && left == 1);
}

/// Figures, not a test: `cargo test --release -p gaveta-disk --test trash figures -- --ignored
/// --nocapture`.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures"]
async fn figures() {
    let trees = match std::env::var_os("GAVETA_LANES") {
        None => &[2_000u32, 200_000][..],
        Some(_) => &[],
    };
    for &many in trees {
        let folder = tempfile::tempdir().unwrap();
        let store = open_with(folder.path(), TrashOptions::default());
        let trash = store.trash().unwrap();
        for n in 0..many {
            let at = folder.path().join(format!("big/{}", n % 100));
            if n < 100 {
                fs::create_dir_all(&at).unwrap();
            }
            fs::write(at.join(n.to_string()), "x").unwrap();
        }
        let began = std::time::Instant::now();
        delete(&store, "big").await;
        let deleted = began.elapsed();
        let began = std::time::Instant::now();
        let id = listed(&trash).await[0].id.clone();
        trash.restore(&id, RestorePlan::default()).await.unwrap();
        let restored = began.elapsed();
        eprintln!("{many} files: deleted in {deleted:?}, restored in {restored:?}");
    }
    const FILES: usize = 5000;
    let lanes = std::env::var("GAVETA_LANES").map_or(1, |text| text.parse().unwrap());
    for at_once in [lanes] {
        let mut best = [[Duration::MAX; 2]; 2];
        let rounds = std::env::var("GAVETA_ROUNDS").map_or(4, |text| text.parse().unwrap());
        for round in 0..rounds {
            // Whoever comes first changes from round to round.
            for which in [round % 2, 1 - round % 2] {
                let folder = tempfile::tempdir_in(
                    std::env::var("GAVETA_FIGURES_IN")
                        .unwrap_or_else(|_| std::env::temp_dir().to_str().unwrap().to_owned()),
                )
                .unwrap();
                let options = Options {
                    trash: (which == 1).then(TrashOptions::default),
                    ..Options::default()
                };
                let store = Arc::new(DiskStore::open(folder.path(), options).unwrap());
                let work = async |replace: bool| {
                    let began = std::time::Instant::now();
                    let mut tasks = tokio::task::JoinSet::new();
                    for lane in 0..at_once {
                        let store = store.clone();
                        tasks.spawn(async move {
                            for n in (lane..FILES).step_by(at_once) {
                                let path = format!("d{}/{n}", n % 10);
                                match replace {
                                    true => put(&store, &path, content(1000, 1)).await.unwrap(),
                                    false => delete(&store, &path).await,
                                }
                            }
                        });
                    }
                    while let Some(done) = tasks.join_next().await {
                        done.unwrap();
                    }
                    began.elapsed()
                };
                for n in 0..FILES {
                    let at = folder.path().join(format!("d{}", n % 10));
                    fs::create_dir_all(&at).unwrap();
                    fs::write(at.join(n.to_string()), "x").unwrap();
                }
                let (replaced, deleted) = (work(true).await, work(false).await);
                best[which][0] = best[which][0].min(replaced);
                best[which][1] = best[which][1].min(deleted);
            }
        }
        for (verb, what) in ["replace", "delete"].into_iter().enumerate() {
            let ratio = best[1][verb].as_secs_f64() / best[0][verb].as_secs_f64();
            eprintln!(
                "{what} {FILES} files, {at_once} at once: {:?} without, {:?} with a trash: {ratio:.3}",
                best[0][verb], best[1][verb]
            );
        }
    }
}
