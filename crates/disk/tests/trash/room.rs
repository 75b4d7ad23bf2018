//! How much it takes, and how it gives way.

use super::*;

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

/// A store on a small file system, whose trash may give way and has 1 MiB in each of so many things.
async fn with_trash(small: &Small, things: u64) -> (DiskStore, Arc<dyn Trash>) {
    let options = TrashOptions {
        share: 100,
        yields: true,
        ..TrashOptions::default()
    };
    let store = open_with(small.0.path(), options);
    let trash = store.trash().unwrap();
    for n in 0..things {
        put(&store, &format!("{n}"), content(1 << 20, n))
            .await
            .unwrap();
        delete(&store, &format!("{n}")).await;
    }
    eventually("all is counted", async || {
        !trash.state().await.unwrap().counting
    })
    .await;
    (store, trash)
}

/// What a delta leaves out is taken from what is there.
#[tokio::test]
async fn the_trash_gives_way_to_what_is_copied_only_when_there_is_no_room() {
    const MIB: usize = 1 << 20;
    // 16 MiB, of which the base takes 6, and as much again will be wanted.
    for (things, stays) in [(2u64, true), (9, false)] {
        let Some(small) = Small::new(16) else { return };
        let (store, trash) = with_trash(&small, things).await;
        let bytes = content(6 * MIB, 77);
        put(&store, "file", bytes.clone()).await.unwrap();
        let base = store.stat(&p("file")).await.unwrap().version;
        let plan = WritePlan {
            base: Some(base),
            length: Some(6 * MIB as u64),
            replace: Replace::Always,
            ..WritePlan::new(p("file"), Owner("ana".into()))
        };
        let before = listed(&trash).await.len();
        assert_eq!(before, things as usize, "the base itself fits");
        let upload = store.begin(plan).await.unwrap();
        let first = content(MIB, 78);
        upload
            .write(0, stream_of(first.clone(), 100_000), Check::None)
            .await
            .unwrap();
        upload.commit(Seal::default()).await.unwrap();
        let expected = [first, bytes[MIB..].to_vec()].concat();
        assert!(fs::read(small.0.path().join("file")).unwrap() == expected);
        // The replaced file is in the trash now too, unless that gave way as well.
        let left = listed(&trash).await;
        let old = left.iter().filter(|one| one.cause == Cause::Deleted);
        assert_eq!(old.count() == things as usize, stays, "{}", left.len());
        drop((upload, trash, store));
    }
}

/// What takes no room needs none: the room of the first 4 MiB was taken when the upload began.
#[tokio::test]
async fn a_copy_that_fits_where_room_was_taken_empties_no_trash() {
    const MIB: usize = 1 << 20;
    let Some(small) = Small::new(16) else { return };
    let (store, trash) = with_trash(&small, 6).await;
    let bytes = content(4 * MIB, 77);
    put(&store, "file", bytes.clone()).await.unwrap();
    let plan = WritePlan {
        base: Some(store.stat(&p("file")).await.unwrap().version),
        length: Some(4 * MIB as u64),
        replace: Replace::Always,
        ..WritePlan::new(p("file"), Owner("ana".into()))
    };
    // 6 in the trash, 4 live, 4 taken: less than 2 are free, and 3 are copied.
    let upload = store.begin(plan).await.unwrap();
    upload
        .write(0, stream_of(content(MIB, 78), 100_000), Check::None)
        .await
        .unwrap();
    upload.commit(Seal::default()).await.unwrap();
    let left = listed(&trash).await;
    assert_eq!(left.len(), 7, "all of it, and the replaced file");
    drop((upload, trash, store));
}

#[tokio::test]
async fn the_trash_gives_way_to_parts_that_are_put_together() {
    const MIB: usize = 1 << 20;
    for (things, stays) in [(4u64, true), (8, false)] {
        let Some(small) = Small::new(16) else { return };
        let (store, trash) = with_trash(&small, things).await;
        let mut parts = Vec::new();
        for n in 0..2 {
            let plan = WritePlan {
                target: None,
                length: Some(2 * MIB as u64),
                on_drop: OnDrop::Keep,
                ..WritePlan::new(p("x"), Owner("ana".into()))
            };
            let part = store.begin(plan).await.unwrap();
            part.write(0, stream_of(content(2 * MIB, n), 100_000), Check::None)
                .await
                .unwrap();
            parts.push(part.state().await.unwrap().id);
        }
        assert_eq!(listed(&trash).await.len(), things as usize);
        let plan = WritePlan {
            parts,
            ..WritePlan::new(p("whole"), Owner("ana".into()))
        };
        let whole = store.begin(plan).await.unwrap();
        assert_eq!(listed(&trash).await.len() == things as usize, stays);
        whole.commit(Seal::default()).await.unwrap();
        let expected = [content(2 * MIB, 0), content(2 * MIB, 1)].concat();
        assert!(fs::read(small.0.path().join("whole")).unwrap() == expected);
        drop((whole, trash, store));
    }
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
async fn a_file_with_holes_counts_for_what_it_takes() {
    let folder = tempfile::tempdir().unwrap();
    let options = TrashOptions {
        share: 1,
        ..TrashOptions::default()
    };
    let store = open_with(folder.path(), options);
    let trash = store.trash().unwrap();
    let most = trash.state().await.unwrap().most.unwrap();
    // Alone it would be more than all that may be kept.
    let file = fs::File::create(folder.path().join("holes")).unwrap();
    file.set_len(most.max(1 << 30) + 1).unwrap();
    drop(file);
    delete(&store, "holes").await;
    put(&store, "d/file", content(100, 1)).await.unwrap();
    delete(&store, "d").await;
    eventually("the folder is counted", async || {
        !trash.state().await.unwrap().counting
    })
    .await;
    let state = trash.state().await.unwrap();
    assert_eq!((state.items, state.bytes), (2, 3 * 4096));
}

#[tokio::test]
async fn with_a_share_of_all_nothing_goes_for_the_room_it_takes() {
    let folder = tempfile::tempdir().unwrap();
    let options = TrashOptions {
        share: 100,
        ..TrashOptions::default()
    };
    let store = open_with(folder.path(), options);
    assert_eq!(store.trash().unwrap().state().await.unwrap().most, None);
}

/// More than wait to be counted at once.
#[tokio::test]
async fn what_many_folders_hold_is_counted_once() {
    const MANY: u64 = 1500;
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let trash = store.trash().unwrap();
    for n in 0..MANY {
        let at = folder.path().join(n.to_string());
        fs::create_dir(&at).unwrap();
        fs::write(at.join("file"), "x").unwrap();
        delete(&store, &n.to_string()).await;
    }
    eventually("all is counted", async || {
        !trash.state().await.unwrap().counting
    })
    .await;
    let state = trash.state().await.unwrap();
    assert_eq!((state.items, state.bytes), (MANY, MANY * 2 * 4096));
}
