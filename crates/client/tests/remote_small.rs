//! Many small files to and from a real server share what they go over.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use std::sync::Arc;

use common::path;
use common::served::{connect, get, how, plainly, put, serve};
use gaveta_core::Store;
use gaveta_testkit::proxy::CuttingProxy;
use gaveta_testkit::{MemoryStore, content};
use gaveta_transfer::{Cancel, Silent, Source, transfer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_small_files_share_a_connection() {
    let (here, far) = (Arc::new(MemoryStore::new()), Arc::new(MemoryStore::new()));
    for i in 0..300 {
        put(
            here.as_ref(),
            &format!("t/{}/{i}", i % 7),
            &content(i * 40, i as u64),
        )
        .await;
    }
    let (_running, address) = serve(far.clone()).await;
    let proxy = CuttingProxy::start(address).await.unwrap();
    let remote = Arc::new(connect(proxy.address()).await);
    let run = |from: Arc<dyn Store>, to: Arc<dyn Store>, name: &str| {
        let source = Source {
            store: from,
            path: path("t"),
            to: path(name),
            entry: None,
        };
        transfer(vec![source], to, how(None), Arc::new(Silent), Cancel::new())
    };
    let sent = run(here.clone(), remote.clone(), "t").await;
    assert!(sent.is_whole() && sent.files == 300, "{sent:?}");
    let got = run(remote.clone(), here.clone(), "back").await;
    assert!(got.is_whole() && got.bytes == sent.bytes, "{got:?}");
    for i in 0..300 {
        let at = format!("back/{}/{i}", i % 7);
        assert_eq!(get(here.as_ref(), &at).await, content(i * 40, i as u64));
    }
    assert!(proxy.connections() < 40, "{}", proxy.connections());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_without_http_2_takes_small_files_all_the_same() {
    // What does not look like HTTP/1.1 is turned away.
    let far = Arc::new(MemoryStore::new());
    let (_running, server) = serve(far.clone()).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut open = JoinSet::new();
    open.spawn(async move {
        let mut pipes = JoinSet::new();
        while let Ok((mut client, _)) = listener.accept().await {
            pipes.spawn(async move {
                let mut first = [0; 3];
                if client.read_exact(&mut first).await.is_err() || &first == b"PRI" {
                    let _ = client
                        .write_all(b"HTTP/1.1 505 No\r\ncontent-length: 0\r\n\r\n")
                        .await;
                    return;
                }
                let mut server = TcpStream::connect(server).await.unwrap();
                server.write_all(&first).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
            });
        }
    });
    let here = Arc::new(MemoryStore::new());
    for i in 0..30 {
        put(here.as_ref(), &format!("a/{i}"), &content(100, i)).await;
    }
    let remote = Arc::new(connect(address).await);
    let sent = plainly(here, remote, how(None)).await;
    assert!(sent.is_whole() && sent.files == 30, "{sent:?}");
}
