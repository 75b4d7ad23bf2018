//! The remote store over lines that end in the middle, and against servers that go away.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use common::{fetch, list, path, patient, send};
use gaveta_client::remote::{Address, Remote};
use gaveta_core::{Account, Check, ErrorKind, Owner, ReadPlan, Seal, Store, WritePlan};
use gaveta_server::{Config, Server};
use gaveta_testkit::{MemoryStore, collect, content, stream_of};
use gaveta_transfer::{Cancel, Silent, Source, transfer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// Hands bytes between a client and a real server, and cuts both lines when so many bytes went
/// one way on one connection.
async fn cutting(server: std::net::SocketAddr, up: u64, down: u64) -> (Address, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = Address::new("127.0.0.1", listener.local_addr().unwrap().port());
    let mut running = JoinSet::new();
    running.spawn(async move {
        let mut open = JoinSet::new();
        while let Ok((client, _)) = listener.accept().await {
            open.spawn(async move {
                let far = TcpStream::connect(server).await.unwrap();
                let (client_in, mut client_out) = client.into_split();
                let (far_in, mut far_out) = far.into_split();
                let (mut upward, mut downward) = (client_in.take(up), far_in.take(down));
                tokio::select! {
                    _ = tokio::io::copy(&mut upward, &mut far_out) => {}
                    _ = tokio::io::copy(&mut downward, &mut client_out) => {}
                }
            });
        }
    });
    (address, running)
}

async fn a_server(store: &MemoryStore) -> gaveta_server::Running {
    let config = Config::for_tests("unused").unwrap();
    Server::bind(config, Arc::new(store.clone()))
        .await
        .unwrap()
        .spawn()
}

#[tokio::test]
async fn a_server_that_goes_away_while_content_comes() {
    let store = MemoryStore::new();
    let running = a_server(&store).await;
    send(&store, content(4 << 20, 1)).await.unwrap();
    let (address, _proxy) = cutting(running.address(), u64::MAX, 1 << 20).await;
    let remote = Remote::connect(address, patient()).await.unwrap();
    let plan = ReadPlan {
        version: None,
        first: Some(0..4 << 20),
        ..ReadPlan::default()
    };
    assert_eq!(
        fetch(&remote, plan).await.unwrap_err().kind(),
        ErrorKind::Disconnected
    );
}

#[tokio::test]
async fn a_server_that_goes_away_while_content_goes_publishes_nothing() {
    let store = MemoryStore::new();
    let running = a_server(&store).await;
    for cut in [1000, 1 << 20, (4 << 20) - 1] {
        let (address, _proxy) = cutting(running.address(), cut, u64::MAX).await;
        let remote = Remote::connect(address, patient()).await.unwrap();
        let error = send(&remote, content(4 << 20, 1)).await.unwrap_err();
        assert_eq!(
            error.kind(),
            ErrorKind::Disconnected,
            "{cut}: {}",
            error.chain()
        );
    }
    running.stop().await.unwrap();
    // The server has ended, so nothing can be published any more.
    assert_eq!(
        store.stat(&path("a")).await.unwrap_err().kind(),
        ErrorKind::NotFound
    );
}

#[tokio::test]
async fn a_server_that_goes_away_while_it_lists() {
    let store = MemoryStore::new();
    let running = a_server(&store).await;
    for i in 0..3000 {
        store
            .make_folder(&path(&format!("folder {i}")))
            .await
            .unwrap();
    }
    let (address, _proxy) = cutting(running.address(), u64::MAX, 100_000).await;
    let remote = Remote::connect(address, patient()).await.unwrap();
    assert_eq!(
        list(&remote, "").await.unwrap_err().kind(),
        ErrorKind::Disconnected
    );
}

#[tokio::test]
async fn dropping_an_upload_publishes_nothing() {
    let store = MemoryStore::new();
    let running = a_server(&store).await;
    let address = Address::new("127.0.0.1", running.address().port());
    let remote = Remote::connect(address, patient()).await.unwrap();
    let plan = || WritePlan::new(path("a"), Owner::of(Account::VISITOR));
    let upload = remote.begin(plan()).await.unwrap();
    upload
        .write(0, stream_of(content(1 << 20, 1), 65536), Check::None)
        .await
        .unwrap();
    drop(upload);
    let upload = remote.begin(plan()).await.unwrap();
    upload
        .write(0, stream_of(content(1 << 20, 1), 65536), Check::None)
        .await
        .unwrap();
    upload.discard().await.unwrap();
    upload.discard().await.unwrap();
    let late = upload.write(1 << 20, stream_of("x", 1), Check::None).await;
    assert_eq!(late.unwrap_err().kind(), ErrorKind::UploadLost);
    assert_eq!(
        upload.commit(Seal::default()).await.unwrap_err().kind(),
        ErrorKind::UploadLost
    );
    // A write that waits for its content is ended too.
    let upload = remote.begin(plan()).await.unwrap();
    let waiting = upload.write(0, Box::pin(futures_util::stream::pending()), Check::None);
    let (lost, discarded) = tokio::join!(waiting, upload.discard());
    assert_eq!(lost.unwrap_err().kind(), ErrorKind::UploadLost);
    discarded.unwrap();
    running.stop().await.unwrap();
    assert_eq!(
        store.stat(&path("a")).await.unwrap_err().kind(),
        ErrorKind::NotFound
    );
}

/// Lets everything pass but the first answer that has so much in it: it is lost, with its line.
async fn losing(server: std::net::SocketAddr, mark: &'static [u8]) -> (Address, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = Address::new("127.0.0.1", listener.local_addr().unwrap().port());
    let lost = Arc::new(AtomicBool::new(false));
    let mut running = JoinSet::new();
    running.spawn(async move {
        let mut open = JoinSet::new();
        while let Ok((client, _)) = listener.accept().await {
            let lost = lost.clone();
            open.spawn(async move {
                let far = TcpStream::connect(server).await.unwrap();
                let (mut client_in, mut client_out) = client.into_split();
                let (mut far_in, mut far_out) = far.into_split();
                let back = async {
                    let mut piece = vec![0; 65536];
                    while let Ok(n @ 1..) = far_in.read(&mut piece).await {
                        let marked = piece[..n].windows(mark.len()).any(|window| window == mark);
                        if marked && !lost.swap(true, Ordering::SeqCst) {
                            return;
                        }
                        client_out.write_all(&piece[..n]).await.unwrap();
                    }
                };
                tokio::select! {
                    _ = tokio::io::copy(&mut client_in, &mut far_out) => {}
                    () = back => {}
                }
            });
        }
    });
    (address, running)
}

#[tokio::test]
async fn a_lost_answer_to_an_upload_is_looked_up() {
    let (here, there) = (MemoryStore::new(), MemoryStore::new());
    send(&here, content(100_000, 1)).await.unwrap();
    let running = a_server(&there).await;
    let (address, _proxy) = losing(running.address(), b"201 Created").await;
    let remote = Remote::connect(address, patient()).await.unwrap();
    let error = send(&remote, content(100_000, 2)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Disconnected);
    there
        .remove(&path("a"), gaveta_core::RemovePlan::default())
        .await
        .unwrap();

    let (address, _proxy) = losing(running.address(), b"201 Created").await;
    let remote = Remote::connect(address, patient()).await.unwrap();
    let source = Source {
        store: Arc::new(here),
        path: path("a"),
        to: path("a"),
        entry: None,
    };
    let options = gaveta_transfer::Options::default();
    let observer = Arc::new(Silent);
    let summary = transfer(
        vec![source],
        Arc::new(remote),
        options,
        observer,
        Cancel::new(),
    )
    .await;
    assert!(summary.is_whole() && summary.files == 1, "{summary:?}");
    let reading = there.read(&path("a"), ReadPlan::default()).await.unwrap();
    assert_eq!(
        collect(reading.stream(0..100_000)).await.unwrap(),
        content(100_000, 1)
    );
}
