//! What tests of the remote store have in common.

#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]

pub mod served;

use futures_util::TryStreamExt;
use gaveta_client::remote::{Options, Remote};
use gaveta_core::{
    Account, Check, ListPlan, Owner, Path, ReadPlan, Result, Seal, Store, WritePlan,
};
use gaveta_testkit::{collect, stream_of};

pub fn path(text: &str) -> Path {
    Path::parse(text).unwrap()
}

pub fn patient() -> Options {
    Options::default()
}

pub const VISITOR: &str = r#"{"id":1,"ok":{"is":"account","name":"visitor","may":["list"]}}"#;

pub fn json(text: &str) -> Vec<u8> {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ";
    format!("{head}{}\r\n\r\n{text}", text.len()).into_bytes()
}

pub fn entry(path: &str) -> String {
    let path = serde_json::to_string(path).unwrap();
    format!(
        r#"{{"path":{path},"kind":"file","size":3,"modified":"2020-01-01T00:00:00Z","version":"v"}}"#
    )
}

pub async fn list(remote: &Remote, folder: &str) -> Result<usize> {
    let listing = remote.list(&path(folder), ListPlan::default()).await?;
    Ok(listing.try_collect::<Vec<_>>().await?.len())
}

pub async fn fetch(remote: &Remote, plan: ReadPlan) -> Result<Vec<u8>> {
    let reading = remote.read(&path("a"), plan).await?;
    collect(reading.stream(0..reading.entry().size)).await
}

pub async fn send(store: &dyn Store, bytes: Vec<u8>) -> Result<()> {
    let plan = WritePlan {
        length: Some(bytes.len() as u64),
        ..WritePlan::new(path("a"), Owner::of(Account::VISITOR))
    };
    let upload = store.begin(plan).await?;
    upload
        .write(0, stream_of(bytes, 64 * 1024), Check::None)
        .await?;
    upload.commit(Seal::default()).await.map(|_| ())
}
