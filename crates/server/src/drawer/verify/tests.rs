//! Reading everything again: stopped anywhere it goes on there, within deleted folders too.

use std::fs;
use std::os::unix::fs::FileExt;

use gaveta_core::{Check, Owner, RemovePlan, Seal, WritePlan};
use gaveta_disk::{DiskStore, Durability, Options, TrashOptions};
use gaveta_testkit::{content, stream_of};

use super::*;

/// The sizes of all files: no two alike, so that the sum tells whether one was read twice.
const FILES: [(&str, usize); 9] = [
    ("a", 1),
    ("d/in/a", 2),
    ("d/in/b", 4),
    ("d/in/deep/c", 8),
    ("d/last", 16),
    ("e/x", 32),
    ("e/y", 64),
    ("single", 128),
    ("z", 256),
];

async fn served(folder: &std::path::Path) -> Arc<dyn Store> {
    let options = Options {
        durability: Durability::Fast,
        trash: Some(TrashOptions::default()),
        ..Options::default()
    };
    let store: Arc<dyn Store> = Arc::new(DiskStore::open(folder, options).unwrap());
    for (name, size) in FILES {
        let plan = WritePlan::new(Path::parse(name).unwrap(), Owner("ana".into()));
        let upload = store.begin(plan).await.unwrap();
        let bytes = stream_of(content(size, 1), 100);
        upload.write(0, bytes, Check::None).await.unwrap();
        upload.commit(Seal::default()).await.unwrap();
    }
    for name in ["d", "single", "e"] {
        let plan = RemovePlan {
            recursive: true,
            ..RemovePlan::default()
        };
        store
            .remove(&Path::parse(name).unwrap(), plan)
            .await
            .unwrap();
    }
    store
}

#[tokio::test]
async fn stopped_after_every_file_it_reads_each_once() {
    let folder = tempfile::tempdir().unwrap();
    let store = served(folder.path()).await;
    let mut all = Verification::new(Arc::clone(&store), false).unwrap();
    let mut turns = 0;
    while !all.is_over() {
        all.run(&mut |_| false).await.unwrap();
        // As after a restart: only what is written down is known.
        all = Verification::last(Arc::clone(&store), false)
            .await
            .unwrap()
            .unwrap();
        turns += 1;
        assert!(turns < 50, "{:?}", all.place);
    }
    assert!(turns > FILES.len());
    let sum: usize = FILES.iter().map(|(_, size)| size).sum();
    let state = &all.state;
    assert_eq!((state.files, state.sound), (9, 9), "{:?}", all.findings);
    assert_eq!(state.bytes, sum as u64);
}

#[tokio::test]
async fn rot_within_a_deleted_folder_is_found_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let store = served(folder.path()).await;
    let trash = store.trash().unwrap();
    let things: Vec<Trashed> = trash
        .trashed(TrashPlan::default())
        .await
        .unwrap()
        .try_collect()
        .await
        .unwrap();
    let one = things.iter().find(|one| one.entry.path.as_str() == "d");
    let id = one.unwrap().id.clone();
    let (bucket, name) = (&id.as_str()[..12], id.as_str());
    let place = folder.path().join(".gaveta/trash").join(bucket).join(name);
    let rotten = place.join("in/deep/c");
    let time = fs::metadata(&rotten).unwrap().modified().unwrap();
    let file = fs::File::options().write(true).open(&rotten).unwrap();
    file.write_all_at(b"\0\0", 3).unwrap();
    file.set_modified(time).unwrap();
    let mut all = Verification::new(store, false).unwrap();
    all.run(&mut |_| true).await.unwrap();
    assert_eq!((all.state.rotten, all.state.sound), (1, 8));
    let [found] = &all.findings[..] else {
        panic!("{:?}", all.findings)
    };
    assert_eq!(
        (found.kind, found.path.as_str(), &found.trashed),
        (FindingKind::Rotten, "d/in/deep/c", &Some(id))
    );
}
