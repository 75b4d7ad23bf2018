//! Measurements: not run by themselves.

use super::*;

/// Figures, not a test: `cargo test --release -p gaveta-disk --test trash figures -- --ignored
/// --nocapture`. `GAVETA_FIGURES_IN`: the folder; `GAVETA_LANES`: so many at once; `GAVETA_FILES`,
/// `GAVETA_ROUNDS`: how many.
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
    let files = std::env::var("GAVETA_FILES").map_or(5000, |text| text.parse().unwrap());
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
                            for n in (lane..files).step_by(at_once) {
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
                for n in 0..files {
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
                "{what} {files} files, {at_once} at once: {:?} without, {:?} with a trash: {ratio:.3}",
                best[0][verb], best[1][verb]
            );
        }
    }
}

/// What this process takes of the memory, in bytes.
fn resident() -> u64 {
    let text = fs::read_to_string("/proc/self/statm").unwrap();
    let pages: u64 = text.split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4096
}

/// As many small files as `GAVETA_MANY` says (a million), deleted one by one: the memory does not grow
/// with them, nor the time that one of them takes or that the newest hundred are listed in. Run alone:
/// `cargo test --release -p gaveta-disk --test trash a_million -- --ignored --nocapture`.
#[tokio::test]
#[ignore = "measures"]
async fn a_million_small_deletions_take_no_more_memory_than_a_few() {
    let many: u32 = std::env::var("GAVETA_MANY").map_or(1_000_000, |text| text.parse().unwrap());
    let step = (many / 10).max(1);
    let folder = tempfile::tempdir().unwrap();
    let options = TrashOptions {
        share: 100,
        ..TrashOptions::default()
    };
    let store = open_with(folder.path(), options);
    let trash = store.trash().unwrap();
    let (mut memory, mut began) = (Vec::new(), std::time::Instant::now());
    for n in 1..=many {
        fs::write(folder.path().join("file"), "x").unwrap();
        delete(&store, "file").await;
        if n.is_multiple_of(step) {
            let each = began.elapsed() / step;
            began = std::time::Instant::now();
            let newest = trash.trashed(TrashPlan::default()).await.unwrap();
            let newest: Vec<Trashed> = newest.take(100).try_collect().await.unwrap();
            let took = began.elapsed();
            assert_eq!(newest.len(), 100);
            memory.push(resident());
            eprintln!(
                "{n} deleted: {each:?} each, the newest hundred in {took:?}, {} KiB",
                resident() >> 10
            );
            began = std::time::Instant::now();
        }
    }
    assert_eq!(trash.state().await.unwrap().items, u64::from(many));
    assert!(memory.last().unwrap() - memory[0] < 16 << 20, "{memory:?}");
    drop((trash, store));
    began = std::time::Instant::now();
    let store = open_with(folder.path(), options);
    let trash = store.trash().unwrap();
    eprintln!("opened again in {:?}", began.elapsed());
    eventually("all is counted", async || {
        !trash.state().await.unwrap().counting
    })
    .await;
    assert_eq!(trash.state().await.unwrap().items, u64::from(many));
    assert!(resident() - memory[0] < 16 << 20);
}
