//! Big and many files to and from a real server, over lines that are cut and lie.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use std::net::SocketAddr;
use std::path::Path as OsPath;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::path;
use common::served::{connect, copy, get, how, plainly, put, serve};
use gaveta_client::remote::{Address, Journal, Options, Remote};
use gaveta_core::{Account, CHUNK, Digest, ErrorKind, Owner, Path, Store, WritePlan};
use gaveta_disk::{DiskStore, Staging};
use gaveta_testkit::proxy::{CuttingProxy, Direction};
use gaveta_testkit::{MemoryStore, content};
use gaveta_transfer::{Cancel, Existing, FileId, Observer, Options as How, Restart, Resume};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

const LENGTH: usize = 12 * CHUNK as usize + 4321;

/// Opens a served folder; what the server before held of it may take a moment to be let go.
async fn folder(at: &OsPath) -> Arc<dyn Store> {
    for _ in 0..500 {
        match DiskStore::open(at, gaveta_disk::Options::default()) {
            Ok(store) => return Arc::new(store),
            Err(error) if error.kind() == ErrorKind::Locked => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            Err(error) => panic!("{}", error.chain()),
        }
    }
    panic!("the folder stays locked");
}

fn beside(at: &OsPath) -> Arc<dyn Store> {
    let options = gaveta_disk::Options {
        staging: Staging::Beside,
        ..gaveta_disk::Options::default()
    };
    Arc::new(DiskStore::open(at, options).unwrap())
}

/// Does something once when so many bytes went over, and hears of new starts.
#[derive(Default)]
struct At {
    bytes: u64,
    done: AtomicBool,
    what: Option<Box<dyn Fn() + Send + Sync>>,
    restarts: Mutex<Vec<Restart>>,
    resumed: AtomicU64,
    retries: AtomicU64,
}

impl std::fmt::Debug for At {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("At")
    }
}

impl Observer for At {
    fn advanced(&self, _: FileId, bytes: u64) {
        if bytes >= self.bytes
            && let Some(what) = &self.what
            && !self.done.swap(true, Ordering::SeqCst)
        {
            what();
        }
    }
    fn restarted(&self, _: FileId, _: &Path, why: Restart) {
        self.restarts.lock().unwrap().push(why);
    }
    fn retrying(&self, _: FileId, _: &Path, _: &gaveta_core::Error) {
        self.retries.fetch_add(1, Ordering::SeqCst);
    }
    fn resumed(&self, _: FileId, _: &Path, bytes: u64) {
        self.resumed.fetch_add(bytes, Ordering::SeqCst);
    }
}

fn at(bytes: u64, what: impl Fn() + Send + Sync + 'static) -> Arc<At> {
    Arc::new(At {
        bytes,
        what: Some(Box::new(what)),
        ..At::default()
    })
}

/// Stops a copy after so many bytes, as Ctrl-C does.
async fn stopped(from: Arc<dyn Store>, to: Arc<dyn Store>, how: How, bytes: u64) {
    let cancel = Cancel::new();
    let how = How {
        parallel: Some(2),
        ..how
    };
    let observer = at(bytes, {
        let cancel = cancel.clone();
        move || cancel.cancel()
    });
    let summary = copy(from, to, how, observer, cancel).await;
    assert!(summary.cancelled && summary.files == 0, "{summary:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sending_goes_on_after_a_restart_of_either_side() {
    let home = tempfile::tempdir().unwrap();
    let (served, journal) = (home.path().join("served"), home.path().join("journal"));
    std::fs::create_dir(&served).unwrap();
    let here = Arc::new(MemoryStore::new());
    let bytes = content(LENGTH, 1);
    put(here.as_ref(), "a", &bytes).await;
    // The address changes with the restart of the server; what is remembered does not.
    let name = Address::new("drawer", 1);
    let remember = || {
        how(Some(Resume::Remember(Arc::new(Journal::in_folder(
            &journal, &name,
        )))))
    };

    let (running, address) = serve(folder(&served).await).await;
    let remote = connect(address).await;
    stopped(here.clone(), Arc::new(remote), remember(), 3 * CHUNK).await;
    let remote = connect(address).await;
    stopped(here.clone(), Arc::new(remote), remember(), 7 * CHUNK).await;
    assert!(!served.join("a").exists());
    running.stop().await.unwrap();

    let (running, address) = serve(folder(&served).await).await;
    let remote = connect(address).await;
    let heard = Arc::new(At::default());
    let summary = copy(
        here,
        Arc::new(remote),
        remember(),
        heard.clone(),
        Cancel::new(),
    )
    .await;
    assert!(summary.is_whole() && summary.files == 1, "{summary:?}");
    assert!(
        summary.resumed >= 4 * CHUNK && summary.restarted == 0,
        "{summary:?}"
    );
    assert_eq!(heard.resumed.load(Ordering::SeqCst), summary.resumed);
    assert_eq!(std::fs::read(served.join("a")).unwrap(), bytes);
    assert_eq!(std::fs::read_dir(&journal).unwrap().count(), 0);
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_good_line_nothing_is_tried_again() {
    let (here, far) = (Arc::new(MemoryStore::new()), Arc::new(MemoryStore::new()));
    let bytes = content(3 * LENGTH, 1);
    put(here.as_ref(), "a", &bytes).await;
    let (_running, address) = serve(far.clone()).await;
    let remote = Arc::new(connect(address).await);
    let back = Arc::new(MemoryStore::new());
    let ways: [(Arc<dyn Store>, Arc<dyn Store>); 2] =
        [(here, remote.clone()), (remote, back.clone())];
    for (from, to) in ways {
        let heard = Arc::new(At::default());
        let summary = copy(from, to, how(None), heard.clone(), Cancel::new()).await;
        assert!(summary.is_whole() && summary.files == 1, "{summary:?}");
        assert_eq!(
            (summary.again, heard.retries.load(Ordering::SeqCst)),
            (0, 0)
        );
    }
    assert_eq!(get(far.as_ref(), "a").await, bytes);
    assert_eq!(get(back.as_ref(), "a").await, bytes);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn getting_goes_on_from_a_part_beside_the_target() {
    let home = tempfile::tempdir().unwrap();
    let far = Arc::new(MemoryStore::new());
    let bytes = content(LENGTH, 1);
    put(far.as_ref(), "a", &bytes).await;
    let (_running, address) = serve(far.clone()).await;
    let derive = || how(Some(Resume::Derive("drawer:1".into())));
    let parts = || {
        let names = std::fs::read_dir(home.path()).unwrap();
        names
            .filter(|name| name.as_ref().unwrap().file_name() != "a")
            .count()
    };
    let remote = Arc::new(connect(address).await);
    stopped(remote, beside(home.path()), derive(), 5 * CHUNK).await;
    assert!(parts() > 0 && !home.path().join("a").exists());

    let remote = Arc::new(connect(address).await);
    let summary = plainly(remote.clone(), beside(home.path()), derive()).await;
    assert!(summary.is_whole() && summary.files == 1, "{summary:?}");
    assert!(
        summary.resumed >= CHUNK && summary.restarted == 0,
        "{summary:?}"
    );
    assert_eq!(std::fs::read(home.path().join("a")).unwrap(), bytes);
    assert_eq!(parts(), 0);

    // Another version in between: nothing of the part is used.
    std::fs::remove_file(home.path().join("a")).unwrap();
    stopped(remote.clone(), beside(home.path()), derive(), 5 * CHUNK).await;
    let other = content(LENGTH, 2);
    put(far.as_ref(), "a", &other).await;
    let heard = Arc::new(At::default());
    let target = beside(home.path());
    let summary = copy(remote, target, derive(), heard.clone(), Cancel::new()).await;
    assert!(summary.is_whole() && summary.files == 1, "{summary:?}");
    assert_eq!(*heard.restarts.lock().unwrap(), [Restart::SourceChanged]);
    assert_eq!(std::fs::read(home.path().join("a")).unwrap(), other);
    assert_eq!(parts(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_version_that_changes_in_the_middle_starts_over_and_says_so() {
    let far = MemoryStore::new();
    put(&far, "a", &content(LENGTH, 1)).await;
    let (_running, address) = serve(Arc::new(far.clone())).await;
    let remote = Arc::new(connect(address).await);
    let other = content(LENGTH, 2);
    let observer = at(2 * CHUNK, {
        let (far, other) = (far.clone(), other.clone());
        move || {
            let (far, other) = (far.clone(), other.clone());
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .unwrap();
                runtime.block_on(put(&far, "a", &other));
            })
            .join()
            .unwrap();
        }
    });
    let here = Arc::new(MemoryStore::new());
    let options = How {
        parallel: Some(1),
        // Slow enough for a request a chunk.
        limit_rate: Some(4_000_000),
        ..how(Some(Resume::Derive("drawer:1".into())))
    };
    let summary = copy(
        remote,
        here.clone(),
        options,
        observer.clone(),
        Cancel::new(),
    )
    .await;
    assert!(summary.is_whole() && summary.files == 1, "{summary:?}");
    assert_eq!(*observer.restarts.lock().unwrap(), [Restart::SourceChanged]);
    assert_eq!(get(here.as_ref(), "a").await, other);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_that_is_cut_at_any_moment_costs_little() {
    for direction in [Direction::Up, Direction::Down] {
        let (here, far) = (Arc::new(MemoryStore::new()), Arc::new(MemoryStore::new()));
        let bytes = content(LENGTH, 1);
        let (_running, address) = serve(far.clone()).await;
        let proxy = Arc::new(CuttingProxy::start(address).await.unwrap());
        let remote = Arc::new(connect(proxy.address()).await);
        for (turn, cut) in [1, 60, 500, 40_000, CHUNK + 5, 3 * CHUNK]
            .into_iter()
            .enumerate()
        {
            // Each connection lasts so long; when the copy is half done the line heals.
            proxy.cut_after(direction, cut);
            let observer = at(LENGTH as u64 / 2, {
                let proxy = proxy.clone();
                move || proxy.heal()
            });
            let healing = tokio::spawn({
                let proxy = proxy.clone();
                async move {
                    tokio::time::sleep(Duration::from_millis(60)).await;
                    proxy.heal();
                }
            });
            let (from, to): (Arc<dyn Store>, Arc<dyn Store>) = match direction {
                Direction::Up => (here.clone(), remote.clone()),
                Direction::Down => (remote.clone(), here.clone()),
            };
            let mut bytes = bytes.clone();
            bytes[turn * CHUNK as usize] ^= 1 << turn;
            match direction {
                Direction::Up => put(here.as_ref(), "a", &bytes).await,
                Direction::Down => put(far.as_ref(), "a", &bytes).await,
            };
            let options = How {
                existing: Existing::Replace,
                ..how(None)
            };
            let summary = copy(from, to.clone(), options, observer, Cancel::new()).await;
            healing.await.unwrap();
            assert!(
                summary.is_whole() && summary.files == 1,
                "{cut}: {summary:?}"
            );
            let digest = match direction {
                Direction::Up => Digest::of(&get(far.as_ref(), "a").await),
                Direction::Down => Digest::of(&get(here.as_ref(), "a").await),
            };
            assert_eq!(digest, Digest::of(&bytes), "{direction:?} {cut}");
        }
    }
}

/// A line that changes one byte, so far into each of its first connections of that length.
async fn lying(
    server: SocketAddr,
    direction: Direction,
    times: usize,
) -> (SocketAddr, JoinSet<()>) {
    const PLACE: usize = 700_000;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let left = Arc::new(AtomicUsize::new(times));
    let mut running = JoinSet::new();
    running.spawn(async move {
        let mut open = JoinSet::new();
        while let Ok((client, _)) = listener.accept().await {
            let server = TcpStream::connect(server).await.unwrap();
            let (client_reads, client_writes) = client.into_split();
            let (server_reads, server_writes) = server.into_split();
            for (way, mut from, mut to) in [
                (Direction::Up, client_reads, server_writes),
                (Direction::Down, server_reads, client_writes),
            ] {
                let left = left.clone();
                open.spawn(async move {
                    let (mut seen, mut buffer) = (0, vec![0; 16 * 1024]);
                    while let Ok(n @ 1..) = from.read(&mut buffer).await {
                        let here = seen..seen + n;
                        let spend = |left: usize| left.checked_sub(1);
                        if way == direction
                            && here.contains(&PLACE)
                            && left
                                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, spend)
                                .is_ok()
                        {
                            buffer[PLACE - seen] ^= 0x10;
                        }
                        seen += n;
                        if to.write_all(&buffer[..n]).await.is_err() {
                            return;
                        }
                    }
                });
            }
        }
    });
    (address, running)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_that_lies_is_found_out_chunk_by_chunk() {
    for direction in [Direction::Up, Direction::Down] {
        for times in [1, usize::MAX] {
            let (here, far) = (Arc::new(MemoryStore::new()), Arc::new(MemoryStore::new()));
            let bytes = content(LENGTH, 1);
            let (_running, address) = serve(far.clone()).await;
            let (address, _lying) = lying(address, direction, times).await;
            let remote = Arc::new(connect(address).await);
            let (from, to): (Arc<dyn Store>, Arc<dyn Store>) = match direction {
                Direction::Up => (here.clone(), remote.clone()),
                Direction::Down => (remote.clone(), here.clone()),
            };
            match direction {
                Direction::Up => put(here.as_ref(), "a", &bytes).await,
                Direction::Down => put(far.as_ref(), "a", &bytes).await,
            };
            let options = How {
                parallel: Some(2),
                ..how(None)
            };
            let summary = plainly(from, to, options).await;
            let there: Arc<dyn Store> = match direction {
                Direction::Up => far,
                Direction::Down => here,
            };
            if times == 1 {
                assert!(summary.is_whole() && summary.files == 1, "{summary:?}");
                assert!((1..=4 * CHUNK).contains(&summary.again), "{summary:?}");
                assert_eq!(get(there.as_ref(), "a").await, bytes);
            } else if let Some(failed) = summary.failed.first() {
                // New connections lie again and again; nothing false is ever there.
                assert_eq!(
                    failed.error.kind(),
                    ErrorKind::DigestMismatch,
                    "{summary:?}"
                );
                assert!(there.stat(&path("a")).await.is_err());
            } else {
                assert_eq!(get(there.as_ref(), "a").await, bytes);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_what_differs_travels() {
    let (here, far) = (Arc::new(MemoryStore::new()), Arc::new(MemoryStore::new()));
    let mut bytes = content(LENGTH, 1);
    put(far.as_ref(), "a", &bytes).await;
    bytes[5 * CHUNK as usize + 99] ^= 1;
    put(here.as_ref(), "a", &bytes).await;
    let (_running, address) = serve(far.clone()).await;
    let proxy = CuttingProxy::start(address).await.unwrap();
    let remote = Arc::new(connect(proxy.address()).await);
    let options = How {
        existing: Existing::Replace,
        ..how(None)
    };
    let summary = plainly(here, remote, options).await;
    assert!(summary.is_whole() && summary.files == 1, "{summary:?}");
    assert_eq!(summary.equal, LENGTH as u64 - CHUNK);
    assert!(proxy.forwarded(Direction::Up) < 2 * CHUNK);
    assert_eq!(get(far.as_ref(), "a").await, bytes);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_administrator_sees_uploads_under_way_and_a_visitor_does_not() {
    use futures_util::TryStreamExt;
    let (_running, address) = serve(Arc::new(MemoryStore::new())).await;
    let admin = connect(address).await;
    let visitor = Address::new(address.ip().to_string(), address.port());
    let visitor = Remote::connect(visitor, Options::default()).await.unwrap();
    let plan = WritePlan {
        length: Some(5 * CHUNK),
        on_drop: gaveta_core::OnDrop::Keep,
        ..WritePlan::new(path("new"), Owner::of(Account::VISITOR))
    };
    let upload = visitor.begin(plan).await.unwrap();
    let id = upload.state().await.unwrap().id;
    drop(upload);
    let all: Vec<_> = admin.uploads().await.unwrap().try_collect().await.unwrap();
    assert_eq!(all.len(), 1);
    assert_eq!((&all[0].id, all[0].length), (&id, Some(5 * CHUNK)));
    assert_eq!(all[0].target, Some(path("new")));
    let refused = visitor.uploads().await;
    assert_eq!(
        refused.err().map(|error| error.kind()),
        Some(ErrorKind::SignInNeeded)
    );
    let other = admin.upload(&id, Some(&path("other"))).await;
    assert_eq!(other.unwrap_err().kind(), ErrorKind::UnknownUpload);
    let upload = admin.upload(&id, Some(&path("new"))).await.unwrap();
    upload.discard().await.unwrap();
    upload.discard().await.unwrap();
    let gone = visitor.upload(&id, None).await;
    assert_eq!(gone.unwrap_err().kind(), ErrorKind::UnknownUpload);
}
