//! Parts of a file: RFC 9110, section 14.

use super::harness::{Door, Reply};

super::harness::on_every_store! {
    one_part,
    what_is_no_range_gets_the_whole,
    what_lies_outside_is_416,
    if_range_decides_between_part_and_whole,
    several_parts_in_one_answer,
}

const LENGTH: usize = 10_000;

async fn filled(door: &Door) -> (Vec<u8>, String) {
    let content = gaveta_testkit::content(LENGTH, 7);
    let old = [("gaveta-modified", "2001-02-03T04:05:06Z")];
    let put = door.ask("PUT", "/f.txt", &old, &content).await;
    assert_eq!(put.status, 201);
    let etag = put.field("etag").to_owned();
    (content, etag)
}

async fn one_part(door: Door) {
    let (content, etag) = filled(&door).await;
    let huge = "bytes=9990-99999999999999999999999999";
    for (field, part) in [
        ("bytes=0-0", 0..1),
        ("bytes=0-9999", 0..LENGTH),
        ("bytes=0-", 0..LENGTH),
        ("bytes=5000-", 5000..LENGTH),
        ("bytes=-1", 9999..LENGTH),
        ("bytes=-20000", 0..LENGTH),
        ("bytes=9990-20000", 9990..LENGTH),
        (huge, 9990..LENGTH),
        ("bytes=0-4,5-9", 0..10),
        ("bytes=3-9,0-4", 0..10),
        ("bytes=1-1,99999-", 1..2),
    ] {
        let reply = door.get("/f.txt", &[("Range", field)]).await;
        assert_eq!((reply.status, reply.whole), (206, true), "{field}");
        assert_eq!(
            reply.field("content-range"),
            format!("bytes {}-{}/{LENGTH}", part.start, part.end - 1),
            "{field}"
        );
        assert!(reply.body == content[part], "{field}");
        assert_eq!(reply.field("etag"), etag);
        assert_eq!(reply.field("content-type"), "text/plain; charset=utf-8");
    }
}

async fn what_is_no_range_gets_the_whole(door: Door) {
    let (content, _) = filled(&door).await;
    let many: Vec<String> = (0..17).map(|i| format!("{}-{}", i * 10, i * 10)).collect();
    let many = format!("bytes={}", many.join(","));
    for field in [
        "bytes=5-4",
        "bytes=",
        "bytes=x-y",
        "lines=1-2",
        "bytes 1-2",
        "nonsense",
        "bytes=1-2,x",
        // More than sixteen parts, and parts that are longer than the whole with their heads.
        &many,
        "bytes=0-4990,5000-",
    ] {
        let reply = door.get("/f.txt", &[("Range", field)]).await;
        assert_eq!(
            (reply.status, reply.get("content-range")),
            (200, None),
            "{field}"
        );
        assert!(reply.body == content, "{field}");
    }
    let twice = door
        .get("/f.txt", &[("Range", "bytes=0-0"), ("Range", "bytes=1-1")])
        .await;
    assert_eq!(twice.status, 200);
    let head = door
        .ask("HEAD", "/f.txt", &[("Range", "bytes=0-0")], b"")
        .await;
    assert_eq!((head.status, head.field("content-length")), (200, "10000"));
}

async fn what_lies_outside_is_416(door: Door) {
    let (_, etag) = filled(&door).await;
    for field in [
        "bytes=10000-",
        "bytes=-0",
        "bytes=99999999999999999999-",
        "bytes=10000-10001,20000-",
    ] {
        let reply = door.get("/f.txt", &[("Range", field)]).await;
        assert_eq!(
            (reply.status, reply.code().as_str()),
            (416, "bad-range"),
            "{field}"
        );
        assert_eq!(reply.field("content-range"), "bytes */10000");
        assert_eq!(reply.field("etag"), etag);
    }
    door.put("/empty", b"").await;
    assert_eq!(
        door.get("/empty", &[("Range", "bytes=0-")]).await.status,
        416
    );
    assert_eq!(
        door.get("/empty", &[("Range", "bytes=-1")]).await.status,
        200
    );
}

async fn if_range_decides_between_part_and_whole(door: Door) {
    let (_, etag) = filled(&door).await;
    let weak = format!("W/{etag}");
    for (value, status) in [
        (etag.as_str(), 206),
        (weak.as_str(), 200),
        ("\"other\"", 200),
        ("Sat, 03 Feb 2001 04:05:06 GMT", 206),
        ("Sat, 03 Feb 2001 04:05:07 GMT", 200),
        ("nonsense", 200),
    ] {
        let reply = door
            .get("/f.txt", &[("Range", "bytes=1-2"), ("If-Range", value)])
            .await;
        assert_eq!(reply.status, status, "{value}");
    }
    // The other conditions come first.
    let fields = [("Range", "bytes=1-2"), ("If-None-Match", etag.as_str())];
    assert_eq!(door.get("/f.txt", &fields).await.status, 304);
    let fields = [("Range", "bytes=1-2"), ("If-Match", "\"other\"")];
    assert_eq!(door.get("/f.txt", &fields).await.status, 412);
}

async fn several_parts_in_one_answer(door: Door) {
    let (content, etag) = filled(&door).await;
    for (field, parts) in [
        ("bytes=0-9,100-199", vec![0..10, 100..200]),
        ("bytes=100-199,0-9", vec![100..200, 0..10]),
        ("bytes=-10,0-0, 5-5", vec![9990..LENGTH, 0..1, 5..6]),
        ("bytes=50-59,0-9,5-19", vec![0..20, 50..60]),
    ] {
        let reply = door.get("/f.txt", &[("Range", field)]).await;
        assert_eq!((reply.status, reply.whole), (206, true), "{field}");
        assert_eq!(
            (reply.get("content-range"), reply.field("etag")),
            (None, etag.as_str())
        );
        let expected: Vec<(String, Vec<u8>)> = parts
            .into_iter()
            .map(|p| {
                (
                    format!("bytes {}-{}/{LENGTH}", p.start, p.end - 1),
                    content[p].to_vec(),
                )
            })
            .collect();
        assert!(multipart(&reply) == expected, "{field}");
    }
}

/// The parts of a `multipart/byteranges` body, strictly.
fn multipart(reply: &Reply) -> Vec<(String, Vec<u8>)> {
    let boundary = reply
        .field("content-type")
        .strip_prefix("multipart/byteranges; boundary=")
        .unwrap();
    let (open, close) = (format!("--{boundary}\r\n"), format!("--{boundary}--\r\n"));
    let mut rest = reply.body.as_slice();
    let mut parts = Vec::new();
    loop {
        if rest == close.as_bytes() {
            return parts;
        }
        rest = rest.strip_prefix(open.as_bytes()).unwrap();
        let at = rest
            .windows(4)
            .position(|four| four == b"\r\n\r\n")
            .unwrap();
        let head = std::str::from_utf8(&rest[..at]).unwrap();
        assert!(
            head.contains("Content-Type: text/plain; charset=utf-8"),
            "{head}"
        );
        let range = head
            .lines()
            .find_map(|line| line.strip_prefix("Content-Range: "))
            .unwrap();
        let (first, last) = range
            .strip_prefix("bytes ")
            .and_then(|range| range.split_once('/'))
            .and_then(|(range, _)| range.split_once('-'))
            .unwrap();
        let length = last.parse::<usize>().unwrap() - first.parse::<usize>().unwrap() + 1;
        rest = &rest[at + 4..];
        parts.push((range.to_owned(), rest[..length].to_vec()));
        rest = rest[length..].strip_prefix(b"\r\n").unwrap();
    }
}
