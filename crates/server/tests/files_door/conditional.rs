//! Preconditions over the line: RFC 9110, section 13.

use super::harness::Door;

super::harness::on_every_store! {
    the_table_of_conditions,
    delete_honours_conditions,
    a_missing_file_is_missing_whatever_the_condition,
    of_two_who_make_one_name_one_wins,
    of_two_who_replace_one_version_one_wins,
}

const MODIFIED: (&str, &str) = ("gaveta-modified", "2001-02-03T04:05:06.5Z");
const SAME: &str = "Sat, 03 Feb 2001 04:05:06 GMT";
const OLDER: &str = "Sat, 03 Feb 2001 04:05:05 GMT";

/// What stands for the current ETag, without quotes, in the tables.
fn fill(fields: &[(&'static str, &str)], etag: &str) -> Vec<(&'static str, String)> {
    fields
        .iter()
        .map(|(name, value)| (*name, value.replace("NOW", etag)))
        .collect()
}

fn refs<'a>(fields: &'a [(&'static str, String)]) -> Vec<(&'a str, &'a str)> {
    fields
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect()
}

type Row = (&'static [(&'static str, &'static str)], u16, u16, u16);

/// (fields, GET and HEAD, PUT over what is there, PUT of something new)
const TABLE: &[Row] = &[
    (&[], 200, 200, 201),
    (&[("If-Match", "*")], 200, 200, 412),
    (&[("If-Match", "NOW")], 200, 200, 412),
    (&[("If-Match", "\"x\", NOW")], 200, 200, 412),
    (&[("If-Match", "\"x\""), ("If-Match", "NOW")], 200, 200, 412),
    (&[("If-Match", "\"x\"")], 412, 412, 412),
    (&[("If-Match", "W/NOW")], 412, 412, 412),
    (&[("If-None-Match", "*")], 304, 412, 201),
    (&[("If-None-Match", "NOW")], 304, 412, 201),
    (&[("If-None-Match", "W/NOW")], 304, 412, 201),
    (&[("If-None-Match", "\"x\", W/NOW")], 304, 412, 201),
    (&[("If-None-Match", "\"x\"")], 200, 200, 201),
    (&[("If-Modified-Since", SAME)], 304, 200, 201),
    (&[("If-Modified-Since", OLDER)], 200, 200, 201),
    (&[("If-Modified-Since", "nonsense")], 200, 200, 201),
    (&[("If-Unmodified-Since", SAME)], 200, 200, 201),
    (&[("If-Unmodified-Since", OLDER)], 412, 412, 201),
    (
        &[("If-Match", "NOW"), ("If-Unmodified-Since", OLDER)],
        200,
        200,
        412,
    ),
    (
        &[("If-None-Match", "\"x\""), ("If-Modified-Since", SAME)],
        200,
        200,
        201,
    ),
    (
        &[("If-Match", "NOW"), ("If-None-Match", "NOW")],
        304,
        412,
        412,
    ),
    (
        &[("If-Match", "\"x\""), ("If-None-Match", "NOW")],
        412,
        412,
        412,
    ),
];

async fn the_table_of_conditions(door: Door) {
    let made = door.ask("PUT", "/f", &[MODIFIED], b"content").await;
    let mut etag = made.field("etag").to_owned();
    for (i, (fields, get, put, new)) in TABLE.iter().enumerate() {
        let owned = fill(fields, &etag);
        let fields = refs(&owned);
        for method in ["GET", "HEAD"] {
            let reply = door.ask(method, "/f", &fields, b"").await;
            assert_eq!(reply.status, *get, "{method} {fields:?}: {reply:?}");
            if reply.status != 412 {
                assert_eq!(reply.field("etag"), etag);
                assert_eq!(reply.field("last-modified"), SAME);
                assert_eq!(reply.field("cache-control"), "no-cache");
            }
        }
        let mut all = fields.clone();
        all.push(MODIFIED);
        let reply = door.admin("PUT", "/f", &all, b"content").await;
        assert_eq!(reply.status, *put, "PUT {fields:?}: {reply:?}");
        if reply.status == 200 {
            etag = reply.field("etag").to_owned();
        }
        // Nothing there: what the field named is the ETag of something else.
        let target = format!("/new-{i}");
        let reply = door.admin("PUT", &target, &fields, b"content").await;
        assert_eq!(reply.status, *new, "PUT {target} {fields:?}: {reply:?}");
        let there = door.get(&target, &[]).await.status;
        assert_eq!(there, if *new == 201 { 200 } else { 404 }, "{fields:?}");
    }
}

async fn delete_honours_conditions(door: Door) {
    let etag = door.put("/f", b"content").await;
    for (fields, status) in [
        ([("If-Match", "\"x\"")], 412),
        ([("If-None-Match", "*")], 412),
        ([("If-Match", "bad")], 400),
        ([("If-Unmodified-Since", OLDER)], 412),
    ] {
        assert_eq!(
            door.admin("DELETE", "/f", &fields, b"").await.status,
            status,
            "{fields:?}"
        );
    }
    assert_eq!(
        door.admin("DELETE", "/g", &[("If-Match", "*")], b"")
            .await
            .status,
        404
    );
    assert_eq!(
        door.admin("DELETE", "/f", &[("If-Match", &etag)], b"")
            .await
            .status,
        204
    );
}

async fn a_missing_file_is_missing_whatever_the_condition(door: Door) {
    for field in [
        ("If-Match", "*"),
        ("If-None-Match", "*"),
        ("If-Match", "\"x\""),
    ] {
        assert_eq!(door.get("/f", &[field]).await.status, 404, "{field:?}");
    }
}

async fn of_two_who_make_one_name_one_wins(door: Door) {
    for round in 0..20 {
        let target = format!("/f{round}");
        let one = gaveta_testkit::content(100_000, round);
        let two = gaveta_testkit::content(100_000, round + 1000);
        let new = [("If-None-Match", "*")];
        let (a, b) = tokio::join!(
            door.ask("PUT", &target, &new, &one),
            door.ask("PUT", &target, &new, &two)
        );
        let winner = match (a.status, b.status) {
            (201, 412) => one,
            (412, 201) => two,
            other => panic!("{other:?}"),
        };
        assert!(door.get(&target, &[]).await.body == winner);
    }
}

async fn of_two_who_replace_one_version_one_wins(door: Door) {
    for round in 0..20 {
        let etag = door.put("/f", format!("before {round}").as_bytes()).await;
        let only = [("If-Match", etag.as_str())];
        let (a, b) = tokio::join!(
            door.admin("PUT", "/f", &only, b"one"),
            door.admin("PUT", "/f", &only, b"two")
        );
        let winner = match (a.status, b.status) {
            (200, 412) => "one",
            (412, 200) => "two",
            other => panic!("{other:?}"),
        };
        assert_eq!(door.get("/f", &[]).await.text(), winner);
    }
}
