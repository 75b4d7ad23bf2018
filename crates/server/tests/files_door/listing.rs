//! Folders: in three forms, sorted and paged, streamed.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_core::stream::BoxStream;
use futures_util::{StreamExt, stream};
use gaveta_core::{
    Entry, Error, ErrorKind, Kind, ListPlan, Listed, Listing, MovePlan, Path, ReadPlan, Reading,
    RemovePlan, Result, Space, Store, TouchPlan, Upload, UploadId, UploadState, Version, WritePlan,
};
use gaveta_testkit::MemoryStore;
use gaveta_wire::body::Line as ListLine;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::harness::{Door, PATIENCE};

super::harness::on_every_store! {
    a_browser_is_led_to_the_slash_and_nowhere_else,
    hostile_names_stay_names,
    json_for_a_program,
    lines_for_a_program_that_streams,
    sorted_and_page_by_page,
    a_page_for_a_browser,
}

const HTML: (&str, &str) = ("Accept", "text/html,application/xhtml+xml,*/*;q=0.8");
const LINES: (&str, &str) = ("Accept", "application/x-ndjson");

async fn fill(door: &Door) {
    for (name, size) in [("b", 30), ("a%20a", 10), ("%C3%A9", 20)] {
        door.put(&format!("/folder/{name}"), &vec![b'x'; size])
            .await;
    }
    door.put("/folder/sub/deep", b"x").await;
}

fn paths(listing: &serde_json::Value) -> Vec<&str> {
    let entries = listing["entries"].as_array().unwrap();
    entries
        .iter()
        .map(|entry| entry["path"].as_str().unwrap())
        .collect()
}

async fn json_for_a_program(door: Door) {
    fill(&door).await;
    for target in ["/folder/", "/folder"] {
        let reply = door.get(target, &[]).await;
        assert_eq!(
            (reply.status, reply.field("content-type")),
            (200, "application/json")
        );
        assert_eq!(reply.field("cache-control"), "no-store");
        assert_eq!((reply.field("vary"), reply.get("etag")), ("Accept", None));
        let listing = reply.json();
        assert_eq!(listing["path"], "folder");
        assert_eq!(
            (&listing["unnameable"], &listing["next"]),
            (&0.into(), &serde_json::Value::Null)
        );
        let found: BTreeSet<&str> = paths(&listing).into_iter().collect();
        let expected = ["folder/b", "folder/a a", "folder/é", "folder/sub"];
        assert_eq!(found, BTreeSet::from(expected));
        let sub = listing["entries"]
            .as_array()
            .unwrap()
            .iter()
            .find(|e| e["path"] == "folder/sub");
        assert_eq!(sub.unwrap()["kind"], "folder");
        let head = door.ask("HEAD", target, &[], b"").await;
        assert_eq!(
            (head.status, head.field("content-type")),
            (200, "application/json")
        );
    }
    let root = door.get("/", &[]).await.json();
    assert_eq!(
        (root["path"].as_str(), paths(&root)),
        (Some(""), vec!["folder"])
    );
    let empty = Door::new().await;
    assert!(paths(&empty.get("/", &[]).await.json()).is_empty());
}

async fn lines_for_a_program_that_streams(door: Door) {
    fill(&door).await;
    let reply = door.get("/folder/", &[LINES]).await;
    assert!(reply.whole);
    assert_eq!(reply.field("content-type"), "application/x-ndjson");
    let lines: Vec<ListLine> = reply
        .text()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 5);
    let ListLine::End(end) = &lines[4] else {
        panic!("{lines:?}")
    };
    assert_eq!((end.entries, &end.next), (4, &None));
    assert!(
        lines[..4]
            .iter()
            .all(|line| matches!(line, ListLine::Entry(_)))
    );
}

async fn sorted_and_page_by_page(door: Door) {
    fill(&door).await;
    for (query, expected) in [
        (
            "sort=name",
            ["folder/a a", "folder/b", "folder/sub", "folder/é"],
        ),
        (
            "sort=name&order=desc",
            ["folder/é", "folder/sub", "folder/b", "folder/a a"],
        ),
        (
            "sort=size",
            ["folder/sub", "folder/a a", "folder/é", "folder/b"],
        ),
        (
            "sort=size&order=desc",
            ["folder/b", "folder/é", "folder/a a", "folder/sub"],
        ),
    ] {
        let whole = door.get(&format!("/folder/?{query}"), &[]).await.json();
        assert_eq!(paths(&whole), expected, "{query}");
        let (mut got, mut after) = (Vec::new(), String::new());
        for _ in 0..10 {
            let page = door
                .get(&format!("/folder/?{query}&limit=2{after}"), &[])
                .await
                .json();
            assert!(paths(&page).len() <= 2);
            got.extend(paths(&page).into_iter().map(str::to_owned));
            let Some(next) = page["next"].as_str() else {
                break;
            };
            after = format!("&after={}", gaveta_wire::url::encode_name(next));
        }
        assert_eq!(got, expected, "{query}");
    }
    for bad in [
        "sort=colour",
        "order=up",
        "limit=0",
        "after=x",
        "limit=x",
        "sort=%ff",
    ] {
        let reply = door.get(&format!("/folder/?{bad}"), &[]).await;
        assert_eq!(
            (reply.status, reply.code().as_str()),
            (400, "bad-request"),
            "{bad}"
        );
    }
}

async fn a_page_for_a_browser(door: Door) {
    fill(&door).await;
    let reply = door.get("/folder/", &[HTML]).await;
    assert_eq!(reply.field("content-type"), "text/html; charset=utf-8");
    let policy = reply.field("content-security-policy");
    assert!(
        policy.contains("default-src 'none'")
            && policy.contains("script-src 'self'")
            && !policy.contains("unsafe"),
        "{policy}"
    );
    assert_eq!(
        (reply.field("vary"), reply.field("x-frame-options")),
        ("Accept, Accept-Language, Accept-Encoding, Cookie", "DENY")
    );
    let text = reply.text();
    for link in [
        "\"./a%20a\"",
        "\"./%C3%A9\"",
        "\"./sub/\"",
        "\"/\"",
        "sort=size",
    ] {
        assert!(
            text.contains(&format!("href={link}")) || text.contains(link),
            "{link}: {text}"
        );
    }
    assert!(text.contains("30 B") && text.matches("<script").count() == 1);
    assert!(text.contains("<html lang=\"en\">"));
    let portuguese = door
        .get("/folder/", &[HTML, ("Accept-Language", "pt-PT,en;q=0.5")])
        .await
        .text();
    assert!(portuguese.contains("<html lang=\"pt-BR\">") && portuguese.contains("Tamanho"));
    // In order, and with a way to go on.
    let page = door.get("/folder/?limit=2", &[HTML]).await.text();
    assert!(
        page.contains("rel=\"next\"") && page.contains("after=0%3Ab"),
        "{page}"
    );
    // An error is a page too.
    let missing = door.get("/nothing/", &[HTML]).await;
    assert_eq!(
        (missing.status, missing.field("content-type")),
        (404, "text/html; charset=utf-8")
    );
}

async fn a_browser_is_led_to_the_slash_and_nowhere_else(door: Door) {
    door.put("/a%20b/%22x", b"x").await;
    door.put("/%5Cevil.example/x", b"x").await;
    for (target, location) in [
        ("/a%20b", "/a%20b/"),
        ("/a%20b?sort=size&x=%0d%0a", "/a%20b/?sort=size&x=%0d%0a"),
        ("/%5Cevil.example", "/%5Cevil.example/"),
    ] {
        let reply = door.get(target, &[HTML]).await;
        assert_eq!(
            (reply.status, reply.field("location")),
            (308, location),
            "{target}"
        );
    }
    assert_eq!(door.get("//evil.example/%2e%2e", &[HTML]).await.status, 400);
}

async fn hostile_names_stay_names(door: Door) {
    let names = [
        "<script>alert(1)<|script>",
        "\"><img src=x onerror=alert(1)>",
        "javascript:alert(1)",
        "&amp;",
    ];
    for name in names {
        door.put(&format!("/{}", gaveta_wire::url::encode_name(name)), b"x")
            .await;
    }
    let text = door.get("/", &[HTML]).await.text();
    for bad in ["<img", "href=\"javascript", "href=\"./javascript:"] {
        assert!(!text.contains(bad), "{bad}: {text}");
    }
    // The page's own script is the only one.
    assert_eq!(text.matches("<script").count(), 1, "{text}");
    assert!(text.contains("&amp;amp;"));
    let listing = door.get("/", &[]).await.json();
    let found: BTreeSet<&str> = paths(&listing).into_iter().collect();
    assert_eq!(found, BTreeSet::from(names));
}

/// A store whose folder comes entry by entry, as permits are given, and then ends as told.
#[derive(Debug)]
struct Gated {
    inner: MemoryStore,
    permits: Arc<Semaphore>,
    entries: usize,
    fails: bool,
}

fn entry(i: usize) -> Result<Listed> {
    Ok(Listed::Entry(Entry {
        path: Path::parse(&format!("entry-{i}"))?,
        kind: Kind::File,
        size: 1,
        modified: std::time::UNIX_EPOCH,
        version: Version::parse("v").unwrap(),
        digest: None,
        executable: false,
    }))
}

#[async_trait]
impl Store for Gated {
    async fn list(&self, _folder: &Path, _plan: ListPlan) -> Result<Listing> {
        let permits = Arc::clone(&self.permits);
        let entries = stream::iter(0..self.entries).then(move |i| {
            let permits = Arc::clone(&permits);
            async move {
                permits.acquire().await.unwrap().forget();
                entry(i)
            }
        });
        let failure = self.fails.then(|| Err(Error::new(ErrorKind::Permission)));
        Ok(Box::pin(entries.chain(stream::iter(failure))))
    }
    async fn stat(&self, path: &Path) -> Result<Entry> {
        self.inner.stat(path).await
    }
    async fn read(&self, path: &Path, plan: ReadPlan) -> Result<Arc<dyn Reading>> {
        self.inner.read(path, plan).await
    }
    async fn begin(&self, plan: WritePlan) -> Result<Arc<dyn Upload>> {
        self.inner.begin(plan).await
    }
    async fn outline(&self, path: &Path, version: &Version) -> Result<gaveta_core::Outline> {
        self.inner.outline(path, version).await
    }
    async fn upload(&self, id: &UploadId, target: Option<&Path>) -> Result<Arc<dyn Upload>> {
        self.inner.upload(id, target).await
    }
    async fn uploads(&self) -> Result<BoxStream<'static, Result<UploadState>>> {
        self.inner.uploads().await
    }
    async fn make_folder(&self, path: &Path) -> Result<Entry> {
        self.inner.make_folder(path).await
    }
    async fn remove(&self, path: &Path, plan: RemovePlan) -> Result<()> {
        self.inner.remove(path, plan).await
    }
    async fn rename(&self, from: &Path, to: &Path, plan: MovePlan) -> Result<Entry> {
        self.inner.rename(from, to, plan).await
    }
    async fn copy(&self, from: &Path, to: &Path, plan: MovePlan) -> Result<Entry> {
        self.inner.copy(from, to, plan).await
    }
    async fn touch(&self, path: &Path, plan: TouchPlan) -> Result<Entry> {
        self.inner.touch(path, plan).await
    }
    fn trash(&self) -> Option<Arc<dyn gaveta_core::Trash>> {
        self.inner.trash()
    }

    fn round_trip(&self) -> Option<std::time::Duration> {
        self.inner.round_trip()
    }

    fn upkeep(&self) -> Option<Arc<dyn gaveta_core::Upkeep>> {
        self.inner.upkeep()
    }

    async fn space(&self) -> Result<Space> {
        self.inner.space().await
    }
}

async fn gated(given: usize, entries: usize, fails: bool) -> (Door, Arc<Semaphore>) {
    let permits = Arc::new(Semaphore::new(given));
    let store = Gated {
        inner: MemoryStore::new(),
        permits: Arc::clone(&permits),
        entries,
        fails,
    };
    (Door::of(Arc::new(store)).await, permits)
}

fn count(text: &[u8]) -> usize {
    text.windows(7).filter(|seven| seven == b"\"entry-").count()
}

#[tokio::test]
async fn the_first_hundred_leave_before_the_rest_is_looked_at() {
    for accept in ["*/*", "application/x-ndjson"] {
        let (door, permits) = gated(100, 1000, false).await;
        let mut line = door.connect().await;
        let head = format!(
            "GET / HTTP/1.1\r\nHost: {}\r\nAccept: {accept}\r\nConnection: close\r\n\r\n",
            door.address
        );
        line.send(head.as_bytes()).await;
        let mut got = Vec::new();
        // The store gives no more than these until they are here.
        line.until(&mut got, |got| count(got) >= 100).await;
        assert_eq!(count(&got), 100);
        permits.add_permits(900);
        line.until(&mut got, |got| got.ends_with(b"\r\n0\r\n\r\n"))
            .await;
        assert_eq!(count(&got), 1000);
    }
}

#[tokio::test]
async fn a_listing_that_fails_in_the_middle_says_so_and_is_cut() {
    let (door, _permits) = gated(10, 3, true).await;
    let json = door.get("/", &[]).await;
    assert_eq!((json.status, json.whole), (200, false));
    let object: serde_json::Value = serde_json::from_slice(&json.body).unwrap();
    assert_eq!(
        (paths(&object).len(), &object["error"]["code"]),
        (3, &"permission".into())
    );
    let lines = gated(10, 3, true).await.0.get("/", &[LINES]).await;
    assert!(!lines.whole);
    let text = lines.text();
    let last: ListLine = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    assert!(matches!(last, ListLine::Error(error) if error.code == "permission"));
    // Before the first entry it is a plain error.
    let (door, _permits) = gated(0, 0, true).await;
    let reply = door.get("/", &[]).await;
    assert_eq!((reply.status, reply.code().as_str()), (403, "permission"));
}

#[tokio::test]
async fn who_leaves_a_listing_ends_it() {
    let (door, permits) = gated(100, 1_000_000, false).await;
    let mut line = door.connect().await;
    let head = format!("GET / HTTP/1.1\r\nHost: {}\r\n\r\n", door.address);
    line.send(head.as_bytes()).await;
    let mut got = Vec::new();
    line.until(&mut got, |got| count(got) >= 100).await;
    drop(line);
    // The server lets go of the store's listing: nobody else holds these.
    let alone = async {
        while Arc::strong_count(&permits) > 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, alone).await.unwrap();
}
