//! A real server of a store, and transfers to and from it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use gaveta_client::remote::{Address, Options, Remote, SignIn};
use gaveta_core::{Account, Check, Entry, Owner, ReadPlan, Replace, Seal, Store, WritePlan};
use gaveta_server::{Config, Running, Server};
use gaveta_testkit::{collect, stream_of};
use gaveta_transfer::{
    Cancel, Observer, Options as How, Resume, Retries, Silent, Source, Summary, transfer,
};
use gaveta_wire::session::Secret;

use super::path;

pub const PASSWORD: &str = "correct horse";

pub async fn serve(store: Arc<dyn Store>) -> (Running, SocketAddr) {
    let server = Server::bind(Config::for_tests(PASSWORD).unwrap(), store)
        .await
        .unwrap();
    let address = server.addresses()[0];
    (server.spawn(), address)
}

pub async fn connect(address: SocketAddr) -> Remote {
    let sign_in = Some(SignIn {
        name: Account::ADMIN.into(),
        password: Secret(PASSWORD.into()),
    });
    let options = Options {
        sign_in,
        ..Options::default()
    };
    let address = Address::new(address.ip().to_string(), address.port());
    Remote::connect(address, options).await.unwrap()
}

pub async fn put(store: &dyn Store, at: &str, bytes: &[u8]) -> Entry {
    let plan = WritePlan {
        replace: Replace::Always,
        ..WritePlan::new(path(at), Owner::of(Account::ADMIN))
    };
    let upload = store.begin(plan).await.unwrap();
    let content = stream_of(bytes.to_vec(), 64 * 1024);
    upload.write(0, content, Check::None).await.unwrap();
    upload.commit(Seal::default()).await.unwrap()
}

pub async fn get(store: &dyn Store, at: &str) -> Vec<u8> {
    let reading = store.read(&path(at), ReadPlan::default()).await.unwrap();
    let size = reading.entry().size;
    collect(reading.stream(0..size)).await.unwrap()
}

pub fn how(resume: Option<Resume>) -> How {
    How {
        retries: Retries {
            times: 4,
            pause: Duration::from_millis(20),
        },
        resume,
        ..How::default()
    }
}

pub async fn copy(
    from: Arc<dyn Store>,
    to: Arc<dyn Store>,
    how: How,
    observer: Arc<dyn Observer>,
    cancel: Cancel,
) -> Summary {
    let source = Source {
        store: from,
        path: path("a"),
        to: path("a"),
        entry: None,
    };
    transfer(vec![source], to, how, observer, cancel).await
}

pub async fn plainly(from: Arc<dyn Store>, to: Arc<dyn Store>, how: How) -> Summary {
    copy(from, to, how, Arc::new(Silent), Cancel::new()).await
}
