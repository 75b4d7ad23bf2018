//! What other programs see of files, and do to them.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::sync::Arc;

use futures_util::StreamExt;
use gaveta_core::{
    Check, Digest, ErrorKind, ListPlan, MovePlan, Path, ReadPlan, Replace, Seal, Store, TouchPlan,
    Upload,
};
use gaveta_testkit::{content, stream_of};

use super::{all, each_way, get, has_reserved_leftovers, kind, listed, p, plan, put, served};

#[tokio::test]
async fn modes_are_the_replaced_files_but_never_special() {
    let (root, store) = served();
    let file = root.path().join("file");
    fs::write(&file, b"old").unwrap();
    for (old, new) in [
        (0o4755, 0o755),
        (0o2640, 0o640),
        (0o444, 0o444),
        (0o600, 0o600),
    ] {
        fs::set_permissions(&file, fs::Permissions::from_mode(old)).unwrap();
        put(&store, "file", b"new", Replace::Always).await.unwrap();
        assert_eq!(file.metadata().unwrap().mode() & 0o7777, new);
    }
    put(&store, "new", b"new", Replace::Never).await.unwrap();
    fs::write(root.path().join("by hand"), b"").unwrap();
    let mode = |name| root.path().join(name).metadata().unwrap().mode();
    assert_eq!(mode("new"), mode("by hand"));
    assert_eq!(mode(".gaveta") & 0o777, 0o700);
}

#[tokio::test]
async fn a_kept_digest_goes_stale_by_an_edit_and_survives_a_touch() {
    let (root, store) = served();
    let entry = put(&store, "file", b"first", Replace::Never).await.unwrap();
    assert_eq!(entry.digest, Some(Digest::of(b"first")));
    if store.stat(&p("file")).await.unwrap().digest.is_none() {
        eprintln!("skipped: this file system has no extended attributes");
        return;
    }
    let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(5);
    let touch = TouchPlan {
        modified: Some(time),
        executable: Some(true),
    };
    let touched = store.touch(&p("file"), touch).await.unwrap();
    assert_ne!(touched.version, entry.version);
    assert_eq!(store.stat(&p("file")).await.unwrap(), touched);
    assert_eq!(touched.digest, entry.digest);
    let copied = store
        .copy(&p("file"), &p("copy"), MovePlan::default())
        .await
        .unwrap();
    assert_eq!((copied.digest, copied.executable), (entry.digest, true));
    fs::write(root.path().join("file"), b"other").unwrap();
    let edited = store.stat(&p("file")).await.unwrap();
    assert_eq!(edited.digest, None);
    let digest = Digest::of(b"other");
    store
        .remember_digest(&p("file"), &edited.version, digest)
        .await
        .unwrap();
    assert_eq!(store.stat(&p("file")).await.unwrap().digest, Some(digest));
    let stale = store
        .remember_digest(&p("file"), &entry.version, digest)
        .await;
    assert_eq!(kind(stale), ErrorKind::VersionMismatch);
}

#[tokio::test]
async fn a_reader_is_told_when_the_file_is_cut_in_place() {
    let (root, store) = served();
    let bytes = content(3_000_000, 1);
    put(&store, "file", &bytes, Replace::Never).await.unwrap();
    let reading = store.read(&p("file"), ReadPlan::default()).await.unwrap();
    fs::OpenOptions::new()
        .write(true)
        .open(root.path().join("file"))
        .unwrap()
        .set_len(1_000_000)
        .unwrap();
    let mut got = Vec::new();
    let mut stream = reading.stream(0..3_000_000);
    let error = loop {
        match stream.next().await.unwrap() {
            Ok(piece) => got.extend_from_slice(&piece),
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), ErrorKind::LengthMismatch);
    assert!(bytes.starts_with(&got), "never zeros");
    assert!(stream.next().await.is_none());
}

#[tokio::test]
async fn hard_links_of_one_file_are_renamed_over_each_other() {
    let (root, store) = served();
    fs::write(root.path().join("a"), b"x").unwrap();
    fs::hard_link(root.path().join("a"), root.path().join("b")).unwrap();
    let plan = MovePlan {
        replace: Replace::Always,
        version: None,
        ..Default::default()
    };
    store.rename(&p("a"), &p("b"), plan).await.unwrap();
    assert!(!root.path().join("a").exists());
    assert_eq!(get(&store, "b").await.unwrap(), b"x");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_commits_to_a_new_name_one_wins() {
    let (root, store) = served();
    for round in 0..20 {
        let path = format!("new{round}/file");
        let (one, two) = (content(1000, 1), content(2000, 2));
        let both = tokio::join!(
            put(&store, &path, &one, Replace::Never),
            put(&store, &path, &two, Replace::Never)
        );
        let expected = match both {
            (Ok(_), Err(error)) if error.kind() == ErrorKind::Exists => one,
            (Err(error), Ok(_)) if error.kind() == ErrorKind::Exists => two,
            other => panic!("{other:?}"),
        };
        assert_eq!(get(&store, &path).await.unwrap(), expected);
    }
    let upload: Arc<dyn Upload> = store.begin(plan("x", Replace::Never)).await.unwrap();
    upload.discard().await.unwrap();
    assert!(!has_reserved_leftovers(root.path()));
}

#[tokio::test]
async fn the_first_entries_leave_before_the_rest_is_looked_at() {
    let (root, store) = served();
    for n in 0..1000 {
        fs::write(root.path().join(format!("{n}")), b"").unwrap();
    }
    let mut listing = store
        .list(&Path::root(), ListPlan::default())
        .await
        .unwrap();
    for _ in 0..100 {
        listing.next().await.unwrap().unwrap();
    }
    let seen: Vec<_> = fs::read_dir(root.path())
        .unwrap()
        .map(|one| one.unwrap().path())
        .collect();
    for path in seen.iter().filter(|path| path.is_file()) {
        fs::remove_file(path).unwrap();
    }
    let rest = listing.count().await;
    assert!(
        rest < 500,
        "{rest} more were looked at before they were asked for"
    );
    let limit = ListPlan {
        limit: Some(0),
        ..ListPlan::default()
    };
    assert_eq!(
        store
            .list(&Path::root(), limit)
            .await
            .unwrap()
            .count()
            .await,
        0
    );
}

#[tokio::test]
async fn an_upload_outlives_the_folder_it_was_begun_in() {
    for (root, store) in each_way() {
        store.make_folder(&p("d")).await.unwrap();
        let bytes = content(100_000, 1);
        let upload = store.begin(plan("d/file", Replace::Never)).await.unwrap();
        upload
            .write(0, stream_of(bytes.clone(), 70_000), Check::None)
            .await
            .unwrap();
        assert!(listed(&store, "d").await.is_empty(), "nothing shows");
        store.remove(&p("d"), all()).await.unwrap();
        upload
            .commit(Seal {
                length: None,
                digest: Some(Digest::of(&bytes)),
            })
            .await
            .unwrap();
        assert_eq!(get(&store, "d/file").await.unwrap(), bytes);
        assert_eq!(fs::read_dir(root.path().join("d")).unwrap().count(), 1);
    }
}

/// A small upload that is gone with its handle, with all of its content.
async fn begun(store: &gaveta_disk::DiskStore, bytes: &[u8]) -> Arc<dyn Upload> {
    let plan = gaveta_core::WritePlan {
        length: Some(bytes.len() as u64),
        ..plan("d/small", Replace::Always)
    };
    let upload = store.begin(plan).await.unwrap();
    let content = stream_of(bytes.to_vec(), 3000);
    let kept = upload.write(0, content, Check::None).await.unwrap();
    assert_eq!(kept, bytes.len() as u64);
    upload
}

#[tokio::test]
async fn a_small_whole_is_there_for_whoever_asks_before_it_is_committed() {
    let bytes = content(5000, 3);
    let sealed = |bytes: &[u8]| Seal {
        length: Some(bytes.len() as u64),
        digest: Some(Digest::of(bytes)),
    };
    for (root, store) in each_way() {
        let upload = begun(&store, &bytes).await;
        assert_eq!(upload.read(10..4000).await.unwrap(), bytes[10..4000]);
        let upload_of_two = begun(&store, &bytes).await;
        let state = upload_of_two.state().await.unwrap();
        assert!(state.arrived.covers(&(0..5000)));
        drop(upload_of_two);

        let other = content(5000, 4);
        let again = stream_of(other.clone(), 5000);
        upload.write(0, again, Check::None).await.unwrap();
        let part = stream_of(b"part".to_vec(), 4);
        upload.write(100, part, Check::None).await.unwrap();
        let mut whole = other.clone();
        whole[100..104].copy_from_slice(b"part");
        upload.sync().await.unwrap();
        upload.commit(sealed(&whole)).await.unwrap();
        assert_eq!(get(&store, "d/small").await.unwrap(), whole);

        let upload = begun(&store, &bytes).await;
        let wrong = upload.commit(sealed(&other)).await;
        assert_eq!(kind(wrong), ErrorKind::DigestMismatch);
        upload.commit(sealed(&bytes)).await.unwrap();
        assert_eq!(get(&store, "d/small").await.unwrap(), bytes);

        begun(&store, &other).await.discard().await.unwrap();
        drop(begun(&store, &other).await);
        assert_eq!(get(&store, "d/small").await.unwrap(), bytes);
        assert_eq!(listed(&store, "d").await.len(), 1);
        if root.path().join(".gaveta").exists() {
            assert!(!has_reserved_leftovers(root.path()));
        }
    }
}

#[tokio::test]
async fn a_listing_goes_on_over_many_batches_and_may_be_left_in_any() {
    for (root, store) in each_way() {
        for number in 0..1500 {
            fs::write(root.path().join(format!("file {number}")), b"").unwrap();
        }
        assert_eq!(listed(&store, "").await.len(), 1500);
        for read in [0, 1, 32, 40, 1200] {
            let listing = store.list(&p(""), ListPlan::default()).await.unwrap();
            assert_eq!(listing.take(read).count().await, read);
        }
        let plan = ListPlan {
            limit: Some(1100),
            ..ListPlan::default()
        };
        let listing = store.list(&p(""), plan).await.unwrap();
        assert_eq!(listing.count().await, 1100);
    }
}
