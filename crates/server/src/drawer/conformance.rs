//! The administrator's view passes the suite that every store passes; a visitor's refuses.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt;
use gaveta_core::{
    Account, Action, Actions, Check, ErrorKind, EventKind, Grant, Grants, MovePlan, OnDrop, Owner,
    Path, ReadPlan, RemovePlan, Replace, RestorePlan, Role, Seal, Store, TouchPlan, TrashPlan,
    VerifyOrder, WritePlan,
};
use gaveta_testkit::MemoryStore;
use gaveta_testkit::conformance::{self, Abilities, Subject};

use super::Drawer;
use super::accounts::{Accounts, Base, Book};
use super::entrance::Entrance;
use super::guard::View;
use super::pass::Origin;

pub(super) fn drawer() -> Arc<Drawer> {
    let base = Base {
        ease: true,
        ..Base::default()
    };
    let entrance = Entrance::new(Accounts::new(base, &Book::default())).unwrap();
    Drawer::new(
        Arc::new(MemoryStore::with_trash()),
        entrance,
        super::ledger::UploadLimits::default(),
    )
}

pub(super) fn visitor(drawer: &Arc<Drawer>) -> View {
    drawer.view(drawer.entrance.visitor(Origin::INSIDE))
}

pub(super) fn administrator(drawer: &Arc<Drawer>) -> View {
    let standing = Box::new(Account::administrator());
    drawer.view(drawer.entrance.pass(standing, Origin::INSIDE).unwrap())
}

fn path(text: &str) -> Path {
    Path::parse(text).unwrap()
}

fn content(text: &'static str) -> gaveta_core::Content {
    Box::pin(futures_util::stream::iter([Ok(Bytes::from_static(
        text.as_bytes(),
    ))]))
}

async fn put(
    store: &dyn Store,
    at: &str,
    text: &'static str,
    replace: Replace,
) -> gaveta_core::Result<gaveta_core::Entry> {
    let plan = WritePlan {
        replace,
        ..WritePlan::new(path(at), Owner::of(Account::VISITOR))
    };
    let upload = store.begin(plan).await?;
    upload.write(0, content(text), Check::None).await?;
    upload.commit(Seal::default()).await
}

#[derive(Debug)]
struct Administrator;

#[async_trait]
impl Subject for Administrator {
    fn name(&self) -> &str {
        "the administrator's view"
    }

    fn abilities(&self) -> Abilities {
        Abilities::ALL
    }

    async fn fresh(&self) -> Arc<dyn Store> {
        Arc::new(administrator(&drawer()))
    }
}

#[tokio::test]
async fn the_administrators_view_is_a_store() {
    conformance::run(&Administrator).await;
}

#[tokio::test]
async fn a_visitor_adds_and_changes_nothing() {
    let drawer = drawer();
    let (admin, visitor) = (administrator(&drawer), visitor(&drawer));
    let there = put(&admin, "a", "old", Replace::Always).await.unwrap();
    put(&visitor, "new", "mine", Replace::Always).await.unwrap();
    put(&visitor, "newer", "mine", Replace::Never)
        .await
        .unwrap();
    visitor.make_folder(&path("folder")).await.unwrap();
    visitor
        .copy(&path("a"), &path("copy"), MovePlan::default())
        .await
        .unwrap();

    let onto = |replace: Replace| MovePlan {
        replace,
        version: None,
        ..Default::default()
    };
    let only = || Replace::Only(there.version.clone());
    let kinds = [
        put(&visitor, "a", "bad", Replace::Always)
            .await
            .unwrap_err()
            .kind(),
        put(&visitor, "a", "bad", only()).await.unwrap_err().kind(),
        visitor
            .remove(&path("a"), RemovePlan::default())
            .await
            .unwrap_err()
            .kind(),
        visitor
            .remove(&path("none"), RemovePlan::default())
            .await
            .unwrap_err()
            .kind(),
        visitor
            .rename(&path("a"), &path("b"), onto(Replace::Never))
            .await
            .unwrap_err()
            .kind(),
        visitor
            .copy(&path("new"), &path("a"), onto(Replace::Always))
            .await
            .unwrap_err()
            .kind(),
        visitor
            .copy(&path("new"), &path("a"), onto(only()))
            .await
            .unwrap_err()
            .kind(),
        visitor
            .touch(&path("a"), TouchPlan::default())
            .await
            .unwrap_err()
            .kind(),
    ];
    assert!(
        kinds.iter().all(|kind| *kind == ErrorKind::SignInNeeded),
        "{kinds:?}"
    );
    let kind = put(&visitor, "none", "x", only()).await.unwrap_err().kind();
    assert_eq!(kind, ErrorKind::VersionMismatch);
    let kind = put(&visitor, "folder", "x", Replace::Always)
        .await
        .unwrap_err()
        .kind();
    assert_eq!(kind, ErrorKind::IsFolder);
    let kind = put(&visitor, "a", "x", Replace::Never)
        .await
        .unwrap_err()
        .kind();
    assert_eq!(kind, ErrorKind::Exists);
    assert_eq!(admin.stat(&path("a")).await.unwrap().version, there.version);
    assert!(!visitor.may(Action::Delete, &path("a")) && visitor.may(Action::Read, &path("a")));
}

#[tokio::test]
async fn a_visitor_who_loses_the_race_for_a_new_name_replaces_nothing() {
    let drawer = drawer();
    let visitor = visitor(&drawer);
    let plan = || WritePlan {
        replace: Replace::Always,
        ..WritePlan::new(path("new"), Owner::of(Account::VISITOR))
    };
    let (first, second) = (
        visitor.begin(plan()).await.unwrap(),
        visitor.begin(plan()).await.unwrap(),
    );
    for (upload, text) in [(&first, "one"), (&second, "two")] {
        upload.write(0, content(text), Check::None).await.unwrap();
    }
    first.commit(Seal::default()).await.unwrap();
    let lost = second.commit(Seal::default()).await.unwrap_err();
    assert_eq!(lost.kind(), ErrorKind::VersionMismatch);
    let reading = visitor
        .read(&path("new"), ReadPlan::default())
        .await
        .unwrap();
    let got: Vec<_> = reading.stream(0..3).collect().await;
    assert_eq!(
        got.into_iter()
            .map(Result::unwrap)
            .collect::<Vec<_>>()
            .concat(),
        b"one"
    );
    assert!(drawer.meters.totals().read >= 3 && drawer.meters.totals().written >= 6);
}

#[tokio::test]
async fn an_upload_belongs_to_who_began_it() {
    let drawer = drawer();
    let (admin, visitor) = (administrator(&drawer), visitor(&drawer));
    let plan = |at: &str| WritePlan {
        on_drop: OnDrop::Keep,
        ..WritePlan::new(path(at), Owner::of(Account::ADMIN))
    };
    let admins = admin.begin(plan("a")).await.unwrap().state().await.unwrap();
    // A visitor who says he is the administrator is a visitor.
    let visitors = visitor
        .begin(plan("b"))
        .await
        .unwrap()
        .state()
        .await
        .unwrap();
    assert_eq!(visitors.owner, Owner::of(Account::VISITOR));
    let refused = visitor.upload(&admins.id, None).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::UnknownUpload);
    visitor.upload(&visitors.id, None).await.unwrap();
    admin.upload(&visitors.id, None).await.unwrap();
    let refused = visitor.uploads().await.err().unwrap();
    assert_eq!(refused.kind(), ErrorKind::SignInNeeded);
    assert_eq!(admin.uploads().await.unwrap().count().await, 2);
}

#[tokio::test]
async fn what_happens_is_announced_once_it_has() {
    let drawer = drawer();
    let admin = administrator(&drawer);
    let mut events = drawer.events();
    put(&admin, "a", "1", Replace::Always).await.unwrap();
    put(&admin, "a", "2", Replace::Always).await.unwrap();
    admin.make_folder(&path("f")).await.unwrap();
    admin
        .rename(&path("a"), &path("f/b"), MovePlan::default())
        .await
        .unwrap();
    admin
        .rename(&path("none"), &path("x"), MovePlan::default())
        .await
        .unwrap_err();
    admin
        .copy(&path("f/b"), &path("c"), MovePlan::default())
        .await
        .unwrap();
    admin
        .touch(
            &path("c"),
            TouchPlan {
                executable: Some(true),
                modified: None,
            },
        )
        .await
        .unwrap();
    admin
        .remove(
            &path("f"),
            RemovePlan {
                recursive: true,
                version: None,
                ..Default::default()
            },
        )
        .await
        .unwrap();
    let mut told = Vec::new();
    while let Ok(event) = events.try_recv() {
        let what = match &event.kind {
            EventKind::Created(entry) => format!("created {}", entry.path),
            EventKind::Changed(entry) => format!("changed {}", entry.path),
            EventKind::Deleted => "deleted".to_owned(),
            EventKind::Renamed(entry) => format!("renamed {}", entry.path),
        };
        told.push(format!("{}: {what} by {}", event.path, event.by));
    }
    assert_eq!(
        told,
        [
            "/a: created /a by admin",
            "/a: changed /a by admin",
            "/f: created /f by admin",
            "/a: renamed /f/b by admin",
            "/c: created /c by admin",
            "/c: changed /c by admin",
            "/f: deleted by admin",
        ]
    );
}

#[tokio::test]
async fn the_trash_shows_and_gives_back_no_more_than_one_may_alive() {
    let drawer = drawer();
    let (admin, visitor) = (administrator(&drawer), visitor(&drawer));
    let grants = [
        ("mine", Role::Editor.actions()),
        ("look", Role::Viewer.actions()),
        ("drop", Actions::parse("create,delete").unwrap()),
    ];
    let grants = Grants::new(grants.map(|(at, actions)| Grant {
        path: path(at),
        actions,
    }));
    let standing = Box::new(Account::named("ana", grants));
    let ana = drawer.view(drawer.entrance.pass(standing, Origin::INSIDE).unwrap());
    let mut ids = std::collections::HashMap::new();
    for at in ["mine/a", "look/a", "drop/a", "hidden/a"] {
        put(&admin, at, "text", Replace::Always).await.unwrap();
        admin
            .remove(&path(at), RemovePlan::default())
            .await
            .unwrap();
        let all = admin.bin().unwrap().trashed(TrashPlan::default()).await;
        let one = all.unwrap().next().await.unwrap().unwrap();
        assert_eq!(one.by, Some(Owner::of("admin")));
        ids.insert(at, one.id);
    }
    let listed = async |view: &View| {
        let all = view
            .bin()
            .unwrap()
            .trashed(TrashPlan::default())
            .await
            .unwrap();
        let mut all: Vec<_> = all
            .map(|one| one.unwrap().entry.path.to_string())
            .collect()
            .await;
        all.sort();
        all
    };
    assert_eq!(listed(&ana).await, ["/look/a", "/mine/a"]);
    assert_eq!(listed(&visitor).await.len(), 4);
    let kind = |result: gaveta_core::Result<()>| result.map_err(|error| error.kind());
    let back = async |view: &View, at: &str, to: Option<&str>| {
        let plan = RestorePlan {
            to: to.map(path),
            ..RestorePlan::default()
        };
        kind(
            view.bin()
                .unwrap()
                .restore(&ids[at], plan)
                .await
                .map(|_| ()),
        )
    };
    let opened =
        async |view: &View, at: &str| kind(view.bin().unwrap().open(&ids[at]).await.map(|_| ()));
    // What one may not see is not there.
    for at in ["drop/a", "hidden/a"] {
        assert_eq!(opened(&ana, at).await, Err(ErrorKind::NotFound), "{at}");
        assert_eq!(
            back(&ana, at, Some("mine/got")).await,
            Err(ErrorKind::NotFound),
            "{at}"
        );
        assert_eq!(
            kind(ana.bin().unwrap().purge(&ids[at]).await),
            Err(ErrorKind::NotFound)
        );
    }
    // What one may only look at does not come back by one's hand, nor elsewhere.
    assert_eq!(opened(&ana, "look/a").await, Ok(()));
    assert_eq!(back(&ana, "look/a", None).await, Err(ErrorKind::Denied));
    assert_eq!(
        back(&ana, "look/a", Some("mine/got")).await,
        Err(ErrorKind::Denied)
    );
    assert_eq!(
        back(&ana, "mine/a", Some("look/put")).await,
        Err(ErrorKind::Denied)
    );
    assert_eq!(
        back(&visitor, "mine/a", None).await,
        Err(ErrorKind::SignInNeeded)
    );
    // Destroying is for who looks after the server.
    assert_eq!(
        kind(ana.bin().unwrap().purge(&ids["mine/a"]).await),
        Err(ErrorKind::Denied)
    );
    assert!(ana.empty(TrashPlan::default()).await.is_err());
    let forever = RemovePlan {
        forever: true,
        ..RemovePlan::default()
    };
    put(&ana, "mine/b", "text", Replace::Always).await.unwrap();
    assert_eq!(
        kind(ana.remove(&path("mine/b"), forever).await),
        Err(ErrorKind::Denied)
    );
    let tell = VerifyOrder::Tell { after: 0 };
    assert!(ana.verify(tell).await.is_err() && ana.upkeep().is_none());
    let mut events = drawer.events();
    assert_eq!(back(&ana, "mine/a", None).await, Ok(()));
    let event = events.try_recv().unwrap();
    assert_eq!((event.by.as_str(), event.path.as_str()), ("ana", "mine/a"));
    assert!(matches!(event.kind, EventKind::Created(_)));
    // Onto something that is there: only who may replace it.
    put(&admin, "hidden/a", "new", Replace::Always)
        .await
        .unwrap();
    assert_eq!(admin.empty(TrashPlan::default()).await.unwrap(), (3, false));
    assert!(listed(&admin).await.is_empty());
}
