//! Several who take one thing away.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn of_a_restore_and_a_purge_one_wins_and_it_is_taken_off_once() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let trash = store.trash().unwrap();
    // What stays: were something taken off twice, it would be missed.
    for name in ["a", "b", "c"] {
        put(&store, name, content(100, 1)).await.unwrap();
        delete(&store, name).await;
    }
    for round in 0..300 {
        put(&store, "file", content(100, 2)).await.unwrap();
        delete(&store, "file").await;
        let id = listed(&trash).await.remove(0).id;
        let in_the_way = round % 2 == 1;
        if in_the_way {
            put(&store, "file", content(100, 3)).await.unwrap();
        }
        let (own, other) = (trash.clone(), trash.clone());
        let (to_restore, to_purge) = (id.clone(), id.clone());
        let restored =
            tokio::spawn(async move { own.restore(&to_restore, RestorePlan::default()).await });
        let purged = tokio::spawn(async move { other.purge(&to_purge).await });
        let restored = restored.await.unwrap().map_err(|error| error.kind());
        let purged = purged.await.unwrap().map_err(|error| error.kind());
        match (&restored, &purged) {
            (Ok(_), Err(ErrorKind::NotFound)) if !in_the_way => {}
            (Err(ErrorKind::NotFound), Ok(())) => {}
            (Err(ErrorKind::Exists), Ok(())) if in_the_way => {}
            (Err(ErrorKind::Exists), Err(ErrorKind::NotFound)) if in_the_way => {
                trash.purge(&id).await.unwrap();
            }
            _ => panic!("round {round}: {restored:?}, {purged:?}"),
        }
        if folder.path().join("file").exists() {
            let forever = RemovePlan {
                forever: true,
                ..RemovePlan::default()
            };
            store.remove(&p("file"), forever).await.unwrap();
        }
        let state = trash.state().await.unwrap();
        assert_eq!((state.items, state.bytes), (3, 3 * 4096), "round {round}");
        assert_eq!(listed(&trash).await.len(), 3);
    }
}
