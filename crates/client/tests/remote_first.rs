//! What the remote store asks beside the greeting.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use common::{VISITOR, entry, json, path, patient};
use gaveta_client::remote::{Address, Options, Remote, Security};
use gaveta_core::{ErrorKind, ReadPlan, Store};
use gaveta_testkit::collect;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// What a server was asked: about an entry, and for chunks.
#[derive(Debug, Default)]
struct Asked {
    stats: AtomicUsize,
    any_stat: tokio::sync::Notify,
    contents: Mutex<Vec<String>>,
}

/// A server that greets only when somebody has asked what is at a path, beside the greeting.
async fn greets_late(mut stream: TcpStream, asked: Arc<Asked>) {
    let mut text = String::new();
    loop {
        let mut piece = [0; 4096];
        match stream.read(&mut piece).await {
            Ok(0) | Err(_) => return,
            Ok(n) => text.push_str(&String::from_utf8_lossy(&piece[..n])),
        }
        let is_whole =
            text.contains("\r\n\r\n") && (text.starts_with("GET") || text.ends_with('}'));
        if !is_whole {
            continue;
        }
        let answer = if text.contains("whoami") {
            asked.any_stat.notified().await;
            json(VISITOR)
        } else if text.starts_with("GET") {
            asked.contents.lock().unwrap().push(text.clone());
            b"HTTP/1.1 412 Precondition Failed\r\ncontent-length: 0\r\n\r\n".to_vec()
        } else {
            asked.stats.fetch_add(1, Ordering::SeqCst);
            asked.any_stat.notify_one();
            json(&format!(
                r#"{{"id":1,"ok":{{"is":"entry",{}}}}}"#,
                &entry("a").trim_matches(['{', '}'])
            ))
        };
        text.clear();
        if stream.write_all(&answer).await.is_err() {
            return;
        }
    }
}

#[tokio::test]
async fn what_is_asked_first_is_asked_beside_the_greeting_and_told_once() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = Address::new("127.0.0.1", listener.local_addr().unwrap().port());
    let address = address.secured(Security::Plain);
    let asked = Arc::new(Asked::default());
    let mut running = JoinSet::new();
    let heard = Arc::clone(&asked);
    running.spawn(async move {
        let mut open = JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            open.spawn(greets_late(stream, Arc::clone(&heard)));
        }
    });
    let options = Options {
        next: Some(path("a")),
        ..patient()
    };
    let remote = Remote::connect(address, options).await.unwrap();
    let stats = || asked.stats.load(Ordering::SeqCst);
    let known = remote.stat(&path("a")).await.unwrap();
    assert_eq!(stats(), 1, "that was the one beside the greeting");
    remote.stat(&path("a")).await.unwrap();
    assert_eq!(stats(), 2, "it is news once");

    // What is known of a file is not asked; what changed since is noticed by its version.
    let plan = ReadPlan {
        known: Some(known.clone()),
        ..ReadPlan::default()
    };
    let reading = remote.read(&path("a"), plan).await.unwrap();
    assert_eq!((reading.entry().size, stats()), (known.size, 2));
    let read = collect(reading.stream(0..known.size)).await;
    assert_eq!(read.unwrap_err().kind(), ErrorKind::VersionMismatch);
    let contents = asked.contents.lock().unwrap().clone();
    let condition = format!("if-match: \"{}\"", known.version);
    assert!(
        contents[0].to_lowercase().contains(&condition),
        "{contents:?}"
    );
    // Of another file it says nothing.
    let plan = ReadPlan {
        known: Some(known),
        ..ReadPlan::default()
    };
    assert!(remote.read(&path("b"), plan).await.is_err());
    assert_eq!(stats(), 3);
}
