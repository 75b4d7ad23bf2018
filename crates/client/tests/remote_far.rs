//! The remote store and a server that is far away.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use common::{path, patient};
use futures_util::future::try_join_all;
use gaveta_client::remote::{Address, Options, Remote, Security, Trust};
use gaveta_core::{FAR, Store};
use gaveta_server::{Config, Identity, Server, Tls};
use gaveta_testkit::MemoryStore;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// Each way.
const AWAY: Duration = FAR;
/// So many questions more at once in each round, in so many rounds.
const MORE: usize = 12;
const ROUNDS: usize = 8;

/// A way to a server on which everything takes its time; counts its connections.
async fn far_away(server: SocketAddr) -> (SocketAddr, Arc<AtomicUsize>, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let made = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&made);
    let mut running = JoinSet::new();
    running.spawn(async move {
        let mut open = JoinSet::new();
        while let Ok((near, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::SeqCst);
            open.spawn(async move {
                let far = TcpStream::connect(server).await.unwrap();
                let (near_in, near_out) = near.into_split();
                let (far_in, far_out) = far.into_split();
                tokio::select! {
                    () = slowly(near_in, far_out) => {}
                    () = slowly(far_in, near_out) => {}
                }
            });
        }
    });
    (address, made, running)
}

async fn slowly(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin) {
    let mut piece = vec![0; 64 * 1024];
    while let Ok(count @ 1..) = from.read(&mut piece).await {
        tokio::time::sleep(AWAY).await;
        if to.write_all(&piece[..count]).await.is_err() {
            return;
        }
    }
}

/// How long an answer takes says how full the line is: so it must not wait for a new connection.
#[tokio::test]
async fn questions_share_the_connection_that_is_open_already() {
    let home = tempfile::tempdir().unwrap();
    let tls = Tls::ready(Identity::Own {
        folder: home.path().join("tls"),
        names: vec!["127.0.0.1".to_owned()],
    });
    let tls = tls.unwrap();
    let config = Config {
        tls: Some(tls.clone()),
        ..Config::for_tests("unused").unwrap()
    };
    let store = MemoryStore::new();
    store.make_folder(&path("d")).await.unwrap();
    let server = Server::bind(config, Arc::new(store)).await.unwrap().spawn();
    let (address, made, _way) = far_away(server.address()).await;
    let address = Address::new("127.0.0.1", address.port()).secured(Security::Tls);
    let options = Options {
        trust: Trust::Pinned(tls.fingerprint()),
        ..patient()
    };
    let remote = Remote::connect(address, options).await.unwrap();
    assert!(remote.round_trip().unwrap() >= FAR);
    remote.warm_up();
    let (folder, made) = (path("d"), || made.load(Ordering::SeqCst));
    // Until it is known that the server speaks HTTP/2, each has a connection of its own.
    for round in 1..=ROUNDS {
        let before = made();
        let questions = (0..round * MORE).map(|_| remote.stat(&folder));
        try_join_all(questions).await.unwrap();
        if round > 1 && made() == before {
            return;
        }
    }
    panic!("{} connections, and every question makes more", made());
}
