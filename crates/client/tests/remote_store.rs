//! The remote store against a real server on a socket.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use gaveta_client::remote::{Address, Options, Remote, Session, SignIn, Told};
use gaveta_core::{
    Account, Check, Digest, ErrorKind, EventKind, OnDrop, Owner, Path, ReadPlan, RemovePlan,
    Replace, Seal, Store, UploadId, WritePlan,
};
use gaveta_disk::DiskStore;
use gaveta_server::{Config, Running, Server};
use gaveta_testkit::conformance::{self, Abilities, Subject};
use gaveta_testkit::{MemoryStore, collect, content, stream_of};
use gaveta_transfer::{Cancel, Silent, Source, transfer};
use gaveta_wire::session::{AnswerBody, Call, Secret};

const PASSWORD: &str = "correct horse";

fn path(text: &str) -> Path {
    Path::parse(text).unwrap()
}

async fn serve(store: Arc<dyn Store>) -> (Running, Address) {
    let server = Server::bind(Config::for_tests(PASSWORD).unwrap(), store)
        .await
        .unwrap();
    let address = server.addresses()[0];
    (
        server.spawn(),
        Address::new(address.ip().to_string(), address.port()),
    )
}

fn admin() -> Options {
    let password = Secret(PASSWORD.into());
    let sign_in = Some(SignIn {
        name: Account::ADMIN.into(),
        password,
    });
    Options {
        sign_in,
        ..Options::default()
    }
}

async fn remote(store: Arc<dyn Store>) -> (Running, Remote) {
    let (running, address) = serve(store).await;
    (running, Remote::connect(address, admin()).await.unwrap())
}

/// Remote drawers over stores of one kind. The servers live as long as the subject.
#[derive(Debug)]
struct Far {
    name: &'static str,
    folder: Option<tempfile::TempDir>,
    servers: Mutex<Vec<Running>>,
}

#[async_trait]
impl Subject for Far {
    fn name(&self) -> &str {
        self.name
    }
    fn abilities(&self) -> Abilities {
        Abilities {
            executable: true,
            nanosecond_times: true,
            replace: true,
            resume: true,
            lists_uploads: true,
            chunks: true,
            base: true,
            parts: true,
            ..Abilities::NONE
        }
    }
    async fn fresh(&self) -> Arc<dyn Store> {
        let number = self.servers.lock().unwrap().len();
        let store: Arc<dyn Store> = match &self.folder {
            None => Arc::new(MemoryStore::new()),
            Some(folder) => {
                let root = folder.path().join(number.to_string());
                std::fs::create_dir(&root).unwrap();
                Arc::new(DiskStore::open(&root, gaveta_disk::Options::default()).unwrap())
            }
        };
        let (running, remote) = remote(store).await;
        self.servers.lock().unwrap().push(running);
        Arc::new(remote)
    }
    fn owner(&self) -> Owner {
        Owner::of(Account::ADMIN)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn passes_the_conformance_suite_over_memory() {
    let far = Far {
        name: "remote over memory",
        folder: None,
        servers: Mutex::default(),
    };
    conformance::run(&far).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn passes_the_conformance_suite_over_a_disk() {
    let folder = Some(tempfile::tempdir().unwrap());
    conformance::run(&Far {
        name: "remote over a disk",
        folder,
        servers: Mutex::default(),
    })
    .await;
}

#[tokio::test]
async fn signs_in_and_out() {
    let (_running, address) = serve(Arc::new(MemoryStore::new())).await;
    let remote = Remote::connect(address.clone(), Options::default())
        .await
        .unwrap();
    assert_eq!(remote.whoami().await.unwrap().name, Account::VISITOR);
    put(&remote, "a", b"1", Replace::Never).await.unwrap();

    let gone = remote.remove(&path("a"), RemovePlan::default()).await;
    assert_eq!(gone.unwrap_err().kind(), ErrorKind::SignInNeeded);
    let again = put(&remote, "a", b"2", Replace::Always).await;
    assert_eq!(again, Err(ErrorKind::SignInNeeded));

    let wrong = remote.sign_in("admin", &Secret("wrong".into())).await;
    assert_eq!(wrong.unwrap_err().kind(), ErrorKind::WrongPassword);
    assert_eq!(remote.whoami().await.unwrap().name, Account::VISITOR);

    let account = remote
        .clone()
        .sign_in("admin", &Secret(PASSWORD.into()))
        .await
        .unwrap();
    assert_eq!(account.name, Account::ADMIN);
    assert!(account.may.iter().any(|action| action == "delete"));
    put(&remote, "a", b"2", Replace::Always).await.unwrap();
    remote
        .remove(&path("a"), RemovePlan::default())
        .await
        .unwrap();
    remote.sign_out();
    assert_eq!(remote.whoami().await.unwrap().name, Account::VISITOR);

    let mut options = admin();
    options.sign_in.as_mut().unwrap().password = Secret("guess".into());
    let refused = Remote::connect(address, options).await.unwrap_err();
    assert!(
        matches!(refused.kind(), ErrorKind::WrongPassword | ErrorKind::Busy),
        "{refused:?}"
    );
}

async fn put(store: &dyn Store, at: &str, bytes: &[u8], replace: Replace) -> Result<(), ErrorKind> {
    let plan = WritePlan {
        replace,
        ..WritePlan::new(path(at), Owner::of(Account::VISITOR))
    };
    let sent = async {
        let upload = store.begin(plan).await?;
        upload
            .write(0, stream_of(bytes.to_vec(), 100_000), Check::None)
            .await?;
        upload
            .commit(Seal {
                length: Some(bytes.len() as u64),
                digest: Some(Digest::of(bytes)),
            })
            .await
    };
    sent.await.map(|_| ()).map_err(|error| error.kind())
}

#[tokio::test]
async fn a_refusal_in_the_middle_is_told_as_what_it_is() {
    let (_running, remote) = remote(Arc::new(MemoryStore::with_capacity(1 << 20))).await;
    put(&remote, "there", b"old", Replace::Never).await.unwrap();
    let much = content(8 << 20, 1);
    assert_eq!(
        put(&remote, "there", &much, Replace::Never).await,
        Err(ErrorKind::Exists)
    );
    assert_eq!(
        put(&remote, "new", &much, Replace::Never).await,
        Err(ErrorKind::NoSpace)
    );
    remote.sign_out();
    assert_eq!(
        put(&remote, "there", &much, Replace::Always).await,
        Err(ErrorKind::SignInNeeded)
    );
    let reading = remote
        .read(&path("there"), ReadPlan::default())
        .await
        .unwrap();
    assert_eq!(collect(reading.stream(0..3)).await.unwrap(), b"old");
    assert_eq!(
        remote.stat(&path("new")).await.unwrap_err().kind(),
        ErrorKind::NotFound
    );
}

#[tokio::test]
async fn what_an_upload_cannot_do_is_said() {
    let memory = MemoryStore::new();
    let (_running, remote) = remote(Arc::new(memory.clone())).await;
    let plan = || WritePlan::new(path("a"), Owner::of(Account::VISITOR));
    for plan in [
        WritePlan {
            id: Some(UploadId::from_bytes([1; 16])),
            ..plan()
        },
        WritePlan {
            note: Some("mine".into()),
            ..plan()
        },
    ] {
        for on_drop in [OnDrop::Keep, OnDrop::Discard] {
            let chosen = remote
                .begin(WritePlan {
                    on_drop,
                    ..plan.clone()
                })
                .await;
            assert_eq!(chosen.unwrap_err().kind(), ErrorKind::Unsupported);
        }
    }

    let upload = remote.begin(plan()).await.unwrap();
    let ahead = upload.write(1, stream_of("x", 1), Check::None).await;
    assert_eq!(ahead.unwrap_err().kind(), ErrorKind::Unsupported);
    // A wrong offset ends nothing; two writes, one after the other, are one content.
    assert_eq!(
        upload
            .write(0, stream_of("ab", 1), Check::None)
            .await
            .unwrap(),
        2
    );
    assert_eq!(
        upload
            .write(2, stream_of("cd", 1), Check::None)
            .await
            .unwrap(),
        2
    );
    assert_eq!(upload.state().await.unwrap().arrived.prefix(), 4);
    let wrong = Seal {
        length: Some(5),
        digest: None,
    };
    assert_eq!(
        upload.commit(wrong).await.unwrap_err().kind(),
        ErrorKind::LengthMismatch
    );
    let wrong = Seal {
        length: None,
        digest: Some(Digest::of(b"other")),
    };
    assert_eq!(
        upload.commit(wrong).await.unwrap_err().kind(),
        ErrorKind::DigestMismatch
    );
    assert_eq!(
        upload.commit(Seal::default()).await.unwrap_err().kind(),
        ErrorKind::UploadLost
    );
    assert_eq!(
        memory.stat(&path("a")).await.unwrap_err().kind(),
        ErrorKind::NotFound
    );

    let upload = remote.begin(plan()).await.unwrap();
    let check = Check::Digest(Digest::of(b"other"));
    let wrong = upload.write(0, stream_of("ab", 1), check).await;
    assert_eq!(wrong.unwrap_err().kind(), ErrorKind::DigestMismatch);
    assert_eq!(
        upload.commit(Seal::default()).await.unwrap_err().kind(),
        ErrorKind::UploadLost
    );

    let upload = remote
        .begin(WritePlan {
            length: Some(3),
            ..plan()
        })
        .await
        .unwrap();
    let long = upload.write(0, stream_of("abcd", 4), Check::None).await;
    assert_eq!(long.unwrap_err().kind(), ErrorKind::LengthMismatch);

    let upload = remote
        .begin(WritePlan {
            length: Some(3),
            ..plan()
        })
        .await
        .unwrap();
    upload
        .write(0, stream_of("ab", 4), Check::None)
        .await
        .unwrap();
    assert_eq!(
        upload.commit(Seal::default()).await.unwrap_err().kind(),
        ErrorKind::Incomplete
    );
    upload
        .write(2, stream_of("c", 4), Check::None)
        .await
        .unwrap();
    assert_eq!(upload.commit(Seal::default()).await.unwrap().size, 3);
}

#[tokio::test]
async fn a_hint_about_the_first_range_is_only_a_hint() {
    let (_running, remote) = remote(Arc::new(MemoryStore::new())).await;
    let bytes = content(5000, 1);
    put(&remote, "a", &bytes, Replace::Never).await.unwrap();
    put(&remote, "empty", b"", Replace::Never).await.unwrap();
    remote.make_folder(&path("folder")).await.unwrap();
    for first in [
        None,
        Some(0..5000),
        Some(0..9000),
        Some(0..u64::MAX),
        Some(100..200),
        Some(9000..9001),
        Some(0..0),
    ] {
        let plan = || ReadPlan {
            version: None,
            first: first.clone(),
            ..ReadPlan::default()
        };
        let reading = remote.read(&path("a"), plan()).await.unwrap();
        assert_eq!(reading.entry().size, 5000, "{first:?}");
        for range in [0..5000, 100..200, 4999..5000, 0..0, 0..5000] {
            let expected = &bytes[range.start as usize..range.end as usize];
            assert_eq!(
                collect(reading.stream(range)).await.unwrap(),
                expected,
                "{first:?}"
            );
        }
        assert_eq!(
            remote
                .read(&path("empty"), plan())
                .await
                .unwrap()
                .entry()
                .size,
            0
        );
        let folder = remote.read(&path("folder"), plan()).await.unwrap_err();
        assert_eq!(folder.kind(), ErrorKind::IsFolder, "{first:?}");
    }
}

#[tokio::test]
async fn a_transfer_goes_there_and_back() {
    let (here, back) = (MemoryStore::new(), MemoryStore::new());
    let (_running, remote) = remote(Arc::new(MemoryStore::new())).await;
    for (i, name) in ["t/a", "t/empty file", "t/ç/|", "t/big"].iter().enumerate() {
        put(
            &here,
            name,
            &content([10, 0, 5000, 3 << 20][i], i as u64),
            Replace::Never,
        )
        .await
        .unwrap();
    }
    here.make_folder(&path("t/folder")).await.unwrap();
    let remote: Arc<dyn Store> = Arc::new(remote);
    let copy = |store: Arc<dyn Store>, target: Arc<dyn Store>| async {
        let source = Source {
            store,
            path: path("t"),
            to: path("t"),
            entry: None,
        };
        let options = gaveta_transfer::Options::default();
        transfer(
            vec![source],
            target,
            options,
            Arc::new(Silent),
            Cancel::new(),
        )
        .await
    };
    let sent = copy(Arc::new(here.clone()), remote.clone()).await;
    assert!(sent.is_whole() && sent.files == 4, "{sent:?}");
    let got = copy(remote, Arc::new(back.clone())).await;
    assert!(got.is_whole() && got.bytes == sent.bytes, "{got:?}");
    for name in ["t/a", "t/empty file", "t/ç/|", "t/big", "t/folder"] {
        let (sent, got) = (
            here.stat(&path(name)).await.unwrap(),
            back.stat(&path(name)).await.unwrap(),
        );
        assert_eq!(
            (sent.kind, sent.size, sent.digest),
            (got.kind, got.size, got.digest)
        );
        assert!(sent.is_folder() || sent.modified == got.modified, "{name}");
    }
}

#[tokio::test]
async fn a_session_asks_watches_and_says_goodbye() {
    let (running, remote) = remote(Arc::new(MemoryStore::new())).await;
    let (session, mut notices) = remote.session().await.unwrap();
    assert_eq!(session.hello().account.name, Account::VISITOR);
    let AnswerBody::Account(account) = session.ask(Call::Whoami).await.unwrap() else {
        panic!()
    };
    assert_eq!(account.name, Account::ADMIN);
    let missing = session
        .ask(Call::Stat { path: "no".into() })
        .await
        .unwrap_err();
    assert_eq!(
        (missing.kind(), missing.path()),
        (ErrorKind::NotFound, Some("/no"))
    );
    let long = session
        .ask(Call::Stat {
            path: "x".repeat(100_000),
        })
        .await
        .unwrap_err();
    assert_eq!(long.kind(), ErrorKind::TooLarge);
    let several = futures_util::future::join_all((0..50).map(|_| session.ask(Call::Ping))).await;
    assert!(
        several
            .iter()
            .all(|answer| matches!(answer, Ok(AnswerBody::Pong))),
        "{several:?}"
    );

    session
        .ask(Call::Watch {
            path: String::new(),
        })
        .await
        .unwrap();
    put(&remote, "seen", b"x", Replace::Never).await.unwrap();
    let Some(Ok(Told::Event(event))) = notices.next().await else {
        panic!()
    };
    assert_eq!(
        (event.path.as_str(), event.by.as_str()),
        ("seen", Account::ADMIN)
    );
    assert!(matches!(event.kind, EventKind::Created(_)));

    session.close().await;
    assert!(notices.next().await.is_none());

    let (_session, mut notices) = remote.session().await.unwrap();
    running.handle().close();
    let Some(Ok(Told::Closing(_))) = notices.next().await else {
        panic!()
    };
    let Some(Err(error)) = notices.next().await else {
        panic!()
    };
    assert_eq!(error.kind(), ErrorKind::Disconnected);
    assert!(notices.next().await.is_none());
}

#[tokio::test]
async fn nobody_there_is_told() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = Address::new("127.0.0.1", listener.local_addr().unwrap().port());
    drop(listener);
    let error = Remote::connect(address.clone(), Options::default())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Disconnected);
    assert_eq!(error.path(), Some(address.to_string().as_str()));
    let error = Session::open(&address, &Options::default().deadlines)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Disconnected);
}

#[tokio::test]
async fn modified_and_executable_travel() {
    let (_running, remote) = remote(Arc::new(MemoryStore::new())).await;
    let modified = SystemTime::UNIX_EPOCH + Duration::new(1_234_567_890, 123_456_789);
    let plan = WritePlan {
        modified: Some(modified),
        executable: Some(true),
        ..WritePlan::new(path("x"), Owner::of(Account::VISITOR))
    };
    let upload = remote.begin(plan).await.unwrap();
    upload.commit(Seal::default()).await.unwrap();
    let entry = remote.stat(&path("x")).await.unwrap();
    assert_eq!(
        (entry.modified, entry.executable, entry.size),
        (modified, true, 0)
    );
}
