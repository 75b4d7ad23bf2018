//! Sections: what is there, making folders, removing, touching, room.

use gaveta_core::{ErrorKind, Kind, ListPlan, Path, RemovePlan, TouchPlan};

use super::Ability;
use super::bench::{Bench, assert_same, p, refused, second, strange_version};

pub(super) async fn an_empty_root(b: &Bench) {
    let root = b.store.stat(&Path::root()).await.unwrap();
    assert!(root.is_folder());
    assert!(root.path.is_root());
    assert!(b.names("").await.is_empty());
    refused!(b.store.make_folder(&Path::root()).await, ErrorKind::Exists);
    refused!(
        b.store.remove(&Path::root(), RemovePlan::default()).await,
        ErrorKind::BadMove
    );
    let all = RemovePlan {
        recursive: true,
        version: None,
        ..Default::default()
    };
    b.put("keep", b"me").await;
    refused!(b.store.remove(&Path::root(), all).await, ErrorKind::BadMove);
    assert_eq!(
        b.bytes("keep").await,
        b"me",
        "the root's removal is refused whole"
    );
}

pub(super) async fn folders_are_made_one_by_one(b: &Bench) {
    let made = b.folder("a").await;
    assert_eq!((made.kind, made.size), (Kind::Folder, 0));
    assert_same(&made, &b.stat("a").await);
    b.folder("a/b").await;
    refused!(b.store.make_folder(&p("a")).await, ErrorKind::Exists);
    refused!(b.store.make_folder(&p("x/y")).await, ErrorKind::NotFound);
    b.put("file", b"1").await;
    refused!(b.store.make_folder(&p("file")).await, ErrorKind::Exists);
    refused!(
        b.store.make_folder(&p("file/x")).await,
        ErrorKind::NotFolder
    );
    assert_eq!(b.bytes("file").await, b"1");
    assert_eq!(
        b.tree().await.keys().collect::<Vec<_>>(),
        ["a", "a/b", "file"]
    );
}

pub(super) async fn what_is_not_there(b: &Bench) {
    b.put("file", b"1").await;
    b.folder("folder").await;
    for path in ["none", "folder/none", "none/none"] {
        b.is_gone(path).await;
        refused!(
            b.store.list(&p(path), ListPlan::default()).await,
            ErrorKind::NotFound
        );
        refused!(
            b.store.read(&p(path), Default::default()).await,
            ErrorKind::NotFound
        );
        refused!(
            b.store.remove(&p(path), RemovePlan::default()).await,
            ErrorKind::NotFound
        );
        let touch = TouchPlan {
            modified: Some(second(1)),
            executable: None,
        };
        refused!(b.store.touch(&p(path), touch).await, ErrorKind::NotFound);
    }
    refused!(b.store.stat(&p("file/x")).await, ErrorKind::NotFolder);
    refused!(b.store.stat(&p("file/x/y")).await, ErrorKind::NotFolder);
    refused!(
        b.store.read(&p("file/x"), Default::default()).await,
        ErrorKind::NotFolder | ErrorKind::NotFound
    );
    refused!(
        b.store.list(&p("file"), ListPlan::default()).await,
        ErrorKind::NotFolder
    );
    refused!(
        b.store.read(&p("folder"), Default::default()).await,
        ErrorKind::IsFolder
    );
    refused!(
        b.store.read(&Path::root(), Default::default()).await,
        ErrorKind::IsFolder
    );
}

pub(super) async fn removing_one(b: &Bench) {
    let file = b.put("file", b"1").await;
    b.folder("empty").await;
    b.put("full/file", b"2").await;
    let plain = RemovePlan::default;
    refused!(
        b.store.remove(&p("full"), plain()).await,
        ErrorKind::NotEmpty
    );
    refused!(
        b.store.remove(&p("file/x"), plain()).await,
        ErrorKind::NotFolder | ErrorKind::NotFound
    );
    let other = RemovePlan {
        version: Some(strange_version()),
        ..plain()
    };
    refused!(
        b.store.remove(&p("file"), other.clone()).await,
        ErrorKind::VersionMismatch
    );
    refused!(
        b.store.remove(&p("none"), other).await,
        ErrorKind::NotFound | ErrorKind::VersionMismatch
    );
    assert_eq!(b.tree().await.len(), 4, "what is refused removes nothing");

    let this = RemovePlan {
        version: Some(file.version),
        ..plain()
    };
    b.store.remove(&p("file"), this).await.unwrap();
    b.is_gone("file").await;
    refused!(
        b.store.remove(&p("file"), plain()).await,
        ErrorKind::NotFound
    );
    b.store.remove(&p("empty"), plain()).await.unwrap();
    b.store.remove(&p("full/file"), plain()).await.unwrap();
    b.store.remove(&p("full"), plain()).await.unwrap();
    b.assert_empty().await;
}

pub(super) async fn removing_many(b: &Bench) {
    for path in [
        "tree/a",
        "tree/b/c",
        "tree/b/d/e",
        "tree2/keep",
        "tre/keep",
        "top",
    ] {
        b.put(path, path.as_bytes()).await;
    }
    b.folder("tree/b/empty").await;
    let many = RemovePlan {
        recursive: true,
        version: None,
        ..Default::default()
    };
    b.store.remove(&p("tree"), many.clone()).await.unwrap();
    b.is_gone("tree").await;
    b.is_gone("tree/b/d/e").await;
    assert_eq!(
        b.tree().await.keys().collect::<Vec<_>>(),
        ["top", "tre", "tre/keep", "tree2", "tree2/keep"],
        "only the folder goes, not what is named alike"
    );
    b.store.remove(&p("top"), many.clone()).await.unwrap();
    b.is_gone("top").await;
    refused!(b.store.remove(&p("tree"), many).await, ErrorKind::NotFound);
    b.put("tree/new", b"again").await;
    assert_eq!(b.bytes("tree/new").await, b"again");
    assert_eq!(
        b.names("tree").await.len(),
        1,
        "a new folder has nothing of the old"
    );
}

pub(super) async fn touching(b: &Bench) {
    b.put("file", b"unchanged").await;
    b.folder("folder").await;
    let at = |n| TouchPlan {
        modified: Some(second(n)),
        executable: None,
    };
    let touched = b.store.touch(&p("file"), at(7)).await.unwrap();
    assert_eq!(touched.modified, second(7));
    assert_same(&touched, &b.stat("file").await);
    assert_eq!(
        b.store.touch(&p("folder"), at(8)).await.unwrap().modified,
        second(8)
    );
    assert_eq!(b.stat("folder").await.modified, second(8));
    let nothing = b
        .store
        .touch(&p("file"), TouchPlan::default())
        .await
        .unwrap();
    assert_eq!(nothing.modified, second(7));

    let run = |yes| TouchPlan {
        modified: None,
        executable: Some(yes),
    };
    refused!(
        b.store.touch(&p("folder"), run(true)).await,
        ErrorKind::IsFolder
    );
    refused!(
        b.store.touch(&p("file/x"), at(1)).await,
        ErrorKind::NotFolder | ErrorKind::NotFound
    );
    if b.can(Ability::Executable, "the executable bit") {
        assert!(
            b.store
                .touch(&p("file"), run(true))
                .await
                .unwrap()
                .executable
        );
        let entry = b.stat("file").await;
        assert!(entry.executable);
        assert_eq!(entry.modified, second(7), "only what is named is set");
        assert!(
            !b.store
                .touch(&p("file"), run(false))
                .await
                .unwrap()
                .executable
        );
        assert!(!b.stat("file").await.executable);
    }
    if b.can(Ability::NanosecondTimes, "nanoseconds") {
        let fine = second(9) + std::time::Duration::from_nanos(123_456_789);
        let plan = TouchPlan {
            modified: Some(fine),
            executable: None,
        };
        assert_eq!(
            b.store.touch(&p("file"), plan).await.unwrap().modified,
            fine
        );
        assert_eq!(b.stat("file").await.modified, fine);
    }
    assert_eq!(b.bytes("file").await, b"unchanged");
}

pub(super) async fn space_makes_sense(b: &Bench) {
    let space = b.store.space().await.unwrap();
    assert!(space.total > 0, "a store that takes files has room");
    assert!(space.free <= space.total, "{space:?}");
}
