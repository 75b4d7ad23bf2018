//! What was deleted or replaced. For stores that keep it.

use futures_util::{StreamExt, TryStreamExt};
use gaveta_core::{
    Cause, Digest, ErrorKind, ListPlan, Listed, OrderBy, RemovePlan, Replace, RestorePlan, Trash,
    TrashId, TrashPlan, Trashed,
};
use std::sync::Arc;

use super::Ability;
use super::bench::{Bench, moving, p, refused};
use crate::content::{collect, content};

async fn delete(bench: &Bench, path: &str) {
    let plan = RemovePlan {
        recursive: true,
        ..RemovePlan::default()
    };
    bench.store.remove(&p(path), plan).await.unwrap();
}

async fn is_folder(bench: &Bench, path: &str) -> bool {
    bench.store.stat(&p(path)).await.unwrap().is_folder()
}

async fn listed(trash: &Arc<dyn Trash>, plan: TrashPlan) -> Vec<Trashed> {
    let listing = trash.trashed(plan).await.unwrap();
    listing.try_collect().await.unwrap()
}

async fn everything(trash: &Arc<dyn Trash>) -> Vec<Trashed> {
    listed(trash, TrashPlan::default()).await
}

async fn versions(trash: &Arc<dyn Trash>, path: &str) -> Vec<Trashed> {
    let plan = TrashPlan {
        path: Some(p(path)),
        exact: true,
        ..TrashPlan::default()
    };
    listed(trash, plan).await
}

async fn content_of(trash: &Arc<dyn Trash>, id: &TrashId) -> Vec<u8> {
    let reading = trash.open(id).await.unwrap();
    let size = reading.entry().size;
    collect(reading.stream(0..size)).await.unwrap()
}

fn to(path: &str) -> RestorePlan {
    RestorePlan {
        to: Some(p(path)),
        ..RestorePlan::default()
    }
}

/// Whatever stands there by now.
fn onto() -> RestorePlan {
    RestorePlan {
        replace: Replace::Always,
        ..RestorePlan::default()
    }
}

pub(super) async fn what_is_deleted_comes_back(bench: &Bench) {
    let Some(trash) = bench.trash().await else {
        return;
    };
    let bytes = content(300_000, 1);
    let was = bench.put("d/file", &bytes).await;
    delete(bench, "d/file").await;
    refused!(bench.store.stat(&p("d/file")).await, ErrorKind::NotFound);
    let held = everything(&trash).await;
    assert_eq!(held.len(), 1);
    let one = held[0].clone();
    assert_eq!((&one.entry.path, one.entry.size), (&p("d/file"), was.size));
    assert_eq!(one.cause, Cause::Deleted);
    assert_eq!(trash.find(&one.id).await.unwrap(), one);
    assert_eq!(content_of(&trash, &one.id).await, bytes);
    // Its folder went too: it is made again.
    delete(bench, "d").await;
    let back = trash
        .restore(&one.id, RestorePlan::default())
        .await
        .unwrap();
    assert_eq!((back.path.clone(), back.size), (p("d/file"), was.size));
    assert_eq!(back.modified, was.modified);
    assert_eq!(bench.bytes("d/file").await, bytes);
    refused!(
        trash.restore(&one.id, RestorePlan::default()).await,
        ErrorKind::NotFound
    );
    refused!(trash.find(&one.id).await, ErrorKind::NotFound);
    refused!(trash.open(&one.id).await, ErrorKind::NotFound);
    refused!(trash.purge(&one.id).await, ErrorKind::NotFound);
    let held = everything(&trash).await;
    assert_eq!(held.len(), 1);
    assert!(held[0].entry.is_folder());
}

pub(super) async fn what_is_replaced_is_kept(bench: &Bench) {
    let Some(trash) = bench.trash().await else {
        return;
    };
    let of = |seed: u64| content(50_000 + seed as usize, seed);
    for seed in 1..=3 {
        bench
            .publish_as("file", &of(seed), Replace::Always)
            .await
            .unwrap();
    }
    let mut kept = versions(&trash, "file").await;
    assert_eq!(kept.len(), 2);
    for (one, seed) in kept.iter().zip([2, 1]) {
        assert_eq!(
            (one.cause, one.entry.size),
            (Cause::Replaced, 50_000 + seed)
        );
        assert_eq!(content_of(&trash, &one.id).await, of(seed));
    }
    // An earlier one comes back, and what it replaces is kept.
    let first = kept.pop().unwrap();
    refused!(
        trash.restore(&first.id, RestorePlan::default()).await,
        ErrorKind::Exists
    );
    assert_eq!(bench.bytes("file").await, of(3));
    let back = trash.restore(&first.id, onto()).await.unwrap();
    assert_eq!(
        back.version,
        bench.store.stat(&p("file")).await.unwrap().version
    );
    assert_eq!(bench.bytes("file").await, of(1));
    let kept = versions(&trash, "file").await;
    assert_eq!(kept.len(), 2);
    assert_eq!(content_of(&trash, &kept[0].id).await, of(3));
    // Renames and copies keep what they replace.
    bench.put("other", b"other").await;
    bench.put("third", b"third").await;
    let always = || moving(Replace::Always);
    bench
        .store
        .rename(&p("other"), &p("file"), always())
        .await
        .unwrap();
    assert_eq!(
        content_of(&trash, &versions(&trash, "file").await[0].id).await,
        of(1)
    );
    bench
        .store
        .copy(&p("third"), &p("file"), always())
        .await
        .unwrap();
    assert_eq!(
        content_of(&trash, &versions(&trash, "file").await[0].id).await,
        b"other"
    );
    assert_eq!(versions(&trash, "file").await.len(), 4);
    assert_eq!(versions(&trash, "other").await.len(), 0);
    // Nothing is kept of what was refused.
    refused!(
        bench.publish_as("file", b"x", Replace::Never).await,
        ErrorKind::Exists
    );
    assert_eq!(versions(&trash, "file").await.len(), 4);
}

pub(super) async fn folders_come_back_whole(bench: &Bench) {
    let Some(trash) = bench.trash().await else {
        return;
    };
    for n in 0..20u64 {
        bench
            .put(&format!("a/b{}/{n}", n % 3), &content(1000, n))
            .await;
    }
    bench.store.make_folder(&p("a/empty")).await.unwrap();
    refused!(
        bench.store.remove(&p("a"), RemovePlan::default()).await,
        ErrorKind::NotEmpty
    );
    assert!(everything(&trash).await.is_empty());
    delete(bench, "a").await;
    let held = everything(&trash).await;
    assert_eq!(held.len(), 1);
    refused!(trash.open(&held[0].id).await, ErrorKind::IsFolder);
    bench.put("a/b0/new", b"new").await;
    refused!(
        trash.restore(&held[0].id, RestorePlan::default()).await,
        ErrorKind::Exists
    );
    refused!(
        trash.restore(&held[0].id, onto()).await,
        ErrorKind::Exists | ErrorKind::IsFolder
    );
    let back = trash.restore(&held[0].id, to("beside/a")).await.unwrap();
    assert!(back.is_folder());
    for n in 0..20u64 {
        let bytes = bench.bytes(&format!("beside/a/b{}/{n}", n % 3)).await;
        assert_eq!(bytes, content(1000, n));
    }
    assert!(is_folder(bench, "beside/a/empty").await);
    assert_eq!(bench.bytes("a/b0/new").await, b"new");
    // An empty folder too.
    delete(bench, "beside/a/empty").await;
    let held = everything(&trash).await;
    assert_eq!(held.len(), 1);
    trash
        .restore(&held[0].id, RestorePlan::default())
        .await
        .unwrap();
    assert!(is_folder(bench, "beside/a/empty").await);
}

pub(super) async fn the_way_back_is_not_free(bench: &Bench) {
    let Some(trash) = bench.trash().await else {
        return;
    };
    bench.put("d/file", b"one").await;
    delete(bench, "d/file").await;
    let id = everything(&trash).await[0].id.clone();
    refused!(
        trash.restore(&id, to("d")).await,
        ErrorKind::Exists | ErrorKind::IsFolder
    );
    bench.put("plain", b"two").await;
    refused!(
        trash.restore(&id, to("plain/file")).await,
        ErrorKind::NotFolder
    );
    let root = RestorePlan {
        to: Some(gaveta_core::Path::root()),
        ..RestorePlan::default()
    };
    refused!(trash.restore(&id, root).await, ErrorKind::BadMove);
    let only = |version| RestorePlan {
        to: Some(p("plain")),
        replace: Replace::Only(version),
        ..RestorePlan::default()
    };
    let strange = super::bench::strange_version();
    refused!(
        trash.restore(&id, only(strange)).await,
        ErrorKind::VersionMismatch
    );
    // Whatever was refused, it is still there.
    let version = bench.store.stat(&p("plain")).await.unwrap().version;
    trash.restore(&id, only(version)).await.unwrap();
    assert_eq!(bench.bytes("plain").await, b"one");
    let unknown = TrashId::parse(&"7".repeat(32)).unwrap();
    refused!(
        trash.restore(&unknown, RestorePlan::default()).await,
        ErrorKind::NotFound
    );
    refused!(trash.purge(&unknown).await, ErrorKind::NotFound);
}

pub(super) async fn the_trash_is_told_in_parts(bench: &Bench) {
    let Some(trash) = bench.trash().await else {
        return;
    };
    for n in 0..30 {
        let path = format!("d{}/{n}", n % 3);
        bench.put(&path, b"x").await;
        bench
            .store
            .remove(
                &p(&path),
                RemovePlan {
                    by: Some(bench.owner()),
                    ..RemovePlan::default()
                },
            )
            .await
            .unwrap();
    }
    let all_of_it = everything(&trash).await;
    let names: Vec<_> = all_of_it
        .iter()
        .filter_map(|one| one.entry.path.name())
        .collect();
    let newest_first: Vec<_> = (0..30).rev().map(|n| n.to_string()).collect();
    assert_eq!(names, newest_first);
    let beneath = TrashPlan {
        path: Some(p("d1")),
        ..TrashPlan::default()
    };
    assert_eq!(listed(&trash, beneath).await.len(), 10);
    let by = all_of_it[0].by.clone();
    assert!(by.is_some(), "who deleted is not known");
    let plan = |by| TrashPlan {
        by,
        ..TrashPlan::default()
    };
    assert_eq!(listed(&trash, plan(by)).await.len(), 30);
    let nobody = Some(gaveta_core::Owner("nobody at all".into()));
    assert!(listed(&trash, plan(nobody)).await.is_empty());
    let mut paged = Vec::new();
    loop {
        let plan = TrashPlan {
            after: paged.last().map(|one: &Trashed| one.id.clone()),
            ..TrashPlan::default()
        };
        let page = trash.trashed(plan).await.unwrap().take(7);
        let page: Vec<Trashed> = page.try_collect().await.unwrap();
        if page.is_empty() {
            break;
        }
        paged.extend(page);
    }
    assert_eq!(paged, all_of_it);
    let since = TrashPlan {
        since: Some(all_of_it[4].at),
        cause: Some(Cause::Deleted),
        ..TrashPlan::default()
    };
    assert!(listed(&trash, since).await.len() >= 5);
}

pub(super) async fn what_is_purged_is_gone(bench: &Bench) {
    let Some(trash) = bench.trash().await else {
        return;
    };
    bench.put("a", &content(5000, 1)).await;
    bench.put("d/b", &content(5000, 2)).await;
    delete(bench, "a").await;
    delete(bench, "d").await;
    assert_eq!(trash.state().await.unwrap().items, 2);
    for one in everything(&trash).await {
        trash.purge(&one.id).await.unwrap();
        refused!(trash.purge(&one.id).await, ErrorKind::NotFound);
        refused!(
            trash.restore(&one.id, RestorePlan::default()).await,
            ErrorKind::NotFound
        );
    }
    assert!(everything(&trash).await.is_empty());
    assert_eq!(trash.state().await.unwrap().items, 0);
    // Past the trash.
    bench.put("a", b"x").await;
    let forever = RemovePlan {
        forever: true,
        ..RemovePlan::default()
    };
    bench.store.remove(&p("a"), forever).await.unwrap();
    assert!(everything(&trash).await.is_empty());
}

pub(super) async fn of_two_restores_one_wins(bench: &Bench) {
    let Some(trash) = bench.trash().await else {
        return;
    };
    for n in 0..10 {
        bench.put("file", &content(2000, n)).await;
        delete(bench, "file").await;
        let id = everything(&trash).await[0].id.clone();
        let (one, other) = tokio::join!(
            trash.restore(&id, to(&format!("one{n}"))),
            trash.restore(&id, to(&format!("other{n}"))),
        );
        assert_eq!(u8::from(one.is_ok()) + u8::from(other.is_ok()), 1);
        let name = if one.is_ok() { "one" } else { "other" };
        let lost = if one.is_ok() { other } else { one };
        refused!(lost, ErrorKind::NotFound);
        assert_eq!(bench.bytes(&format!("{name}{n}")).await, content(2000, n));
        assert!(everything(&trash).await.is_empty());
    }
    // Restoring and purging at once: one of them.
    if bench.has(Ability::Replace) {
        bench.put("file", b"x").await;
        delete(bench, "file").await;
        let id = everything(&trash).await[0].id.clone();
        let (back, gone) = tokio::join!(trash.restore(&id, to("back")), trash.purge(&id));
        assert_ne!(back.is_ok(), gone.is_ok());
        assert_eq!(bench.store.stat(&p("back")).await.is_ok(), back.is_ok());
    }
}

/// For stores that are looked after from here.
pub(super) async fn what_lies_in_the_trash_is_checked(bench: &Bench) {
    let (Some(trash), Some(upkeep)) = (bench.trash().await, bench.store.upkeep()) else {
        return;
    };
    for (path, seed) in [("d/a", 1), ("d/in/b", 2), ("file", 3)] {
        bench.put(path, &content(3000, seed)).await;
    }
    delete(bench, "file").await;
    delete(bench, "d").await;
    let [folder, file] = &everything(&trash).await[..] else {
        panic!("two things were deleted");
    };
    for (one, path, seed) in [(file, "file", 3), (folder, "d/a", 1), (folder, "d/in/b", 2)] {
        let examined = upkeep.examine_trashed(&one.id, &p(path), false).await;
        let examined = examined.unwrap();
        assert_eq!(examined.entry.path, p(path));
        assert_eq!(
            examined.entry.digest,
            Some(Digest::of(&content(3000, seed)))
        );
    }
    let names = async |path: &str| -> gaveta_core::Result<Vec<String>> {
        let plan = ListPlan::sorted(OrderBy::Name, false);
        let listing = upkeep.list_trashed(&folder.id, &p(path), plan).await?;
        let all: Vec<Listed> = listing.try_collect().await?;
        let paths = all.into_iter().map(|listed| match listed {
            Listed::Entry(entry) => entry.path.as_str().to_owned(),
            Listed::Unnameable { shown } => panic!("{shown}"),
        });
        Ok(paths.collect())
    };
    assert_eq!(names("d").await.unwrap(), ["d/a", "d/in"]);
    assert_eq!(names("d/in").await.unwrap(), ["d/in/b"]);
    refused!(names("d/a").await, ErrorKind::NotFolder);
    refused!(names("d/none").await, ErrorKind::NotFound);
    refused!(names("else").await, ErrorKind::NotFound);
    for path in ["d/none", "else", "file"] {
        let refusal = upkeep.examine_trashed(&folder.id, &p(path), false).await;
        refused!(refusal, ErrorKind::NotFound);
    }
    let refusal = upkeep.examine_trashed(&folder.id, &p("d"), false).await;
    refused!(refusal, ErrorKind::IsFolder);
    trash.purge(&folder.id).await.unwrap();
    refused!(names("d").await, ErrorKind::NotFound);
}
