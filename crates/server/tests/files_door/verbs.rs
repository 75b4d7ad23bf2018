//! What each method answers, with its fields.

use super::harness::{Door, Reply};

super::harness::on_every_store! {
    a_file_comes_back_as_it_went,
    replacing_is_200_with_a_new_version_and_deleting_204,
    an_empty_file_is_a_file,
    the_table_of_refusals,
    folders_go_when_empty_or_when_asked,
    options_tells_the_methods,
    a_visitor_creates_but_does_not_replace_or_delete,
    what_could_run_is_saved_and_never_shown,
    times_of_other_clients_are_taken,
}

async fn a_file_comes_back_as_it_went(door: Door) {
    let sent = gaveta_testkit::content(300_000, 1);
    let digest = gaveta_core::Digest::of(&sent);
    let fields = [
        ("gaveta-modified", "2001-02-03T04:05:06.000000007Z"),
        ("gaveta-executable", "?1"),
    ];
    let put = door.ask("PUT", "/a%20b/c.txt", &fields, &sent).await;
    assert_eq!(put.status, 201, "{put:?}");
    assert_eq!(put.field("location"), "/a%20b/c.txt");
    let stored = put.json();
    assert_eq!(stored["path"], "a b/c.txt");
    assert_eq!(stored["size"], 300_000);
    assert_eq!(
        put.field("etag"),
        format!("\"{}\"", stored["version"].as_str().unwrap())
    );

    let get = door.get("/a%20b/c.txt", &[]).await;
    assert_eq!((get.status, get.whole), (200, true));
    assert!(get.body == sent);
    for (name, value) in [
        ("etag", put.field("etag")),
        ("content-length", "300000"),
        ("content-type", "text/plain; charset=utf-8"),
        ("last-modified", "Sat, 03 Feb 2001 04:05:06 GMT"),
        ("gaveta-modified", "2001-02-03T04:05:06.000000007Z"),
        ("gaveta-executable", "?1"),
        ("accept-ranges", "bytes"),
        ("cache-control", "no-cache"),
        (
            "content-disposition",
            "inline; filename=\"c.txt\"; filename*=UTF-8''c.txt",
        ),
        ("content-security-policy", "sandbox; default-src 'none'"),
    ] {
        assert_eq!(get.field(name), value);
    }
    let told = |reply: &Reply| {
        let field = reply.get("repr-digest");
        field.map(|field| {
            gaveta_wire::digest::Digests::parse(field)
                .unwrap()
                .blake3
                .unwrap()
        })
    };
    assert_eq!(told(&put), Some(digest));
    // Not every file system can keep a digest beside a file.
    assert!(told(&get).is_none_or(|kept| kept == digest));

    let head = door.ask("HEAD", "/a%20b/c.txt", &[], b"").await;
    let all = |reply: &Reply| {
        let mut fields = reply.fields.clone();
        fields.retain(|(name, _)| name != "date");
        fields.sort();
        fields
    };
    assert_eq!(all(&head), all(&get));
    assert_eq!(head.status, 200);
    let private = door.admin("GET", "/a%20b/c.txt", &[], b"").await;
    assert_eq!(private.field("cache-control"), "private, no-cache");
}

async fn replacing_is_200_with_a_new_version_and_deleting_204(door: Door) {
    let first = door.put("/f", b"old").await;
    let put = door.admin("PUT", "/f", &[], b"new!").await;
    assert_eq!((put.status, put.get("location")), (200, None));
    assert_ne!(put.field("etag"), first);
    assert_eq!(door.get("/f", &[]).await.text(), "new!");
    let gone = door.admin("DELETE", "/f", &[], b"").await;
    assert_eq!((gone.status, gone.body.len()), (204, 0));
    let missing = door.get("/f", &[]).await;
    assert_eq!(
        (missing.status, missing.code().as_str()),
        (404, "not-found")
    );
    assert_eq!(door.admin("DELETE", "/f", &[], b"").await.status, 404);
}

async fn an_empty_file_is_a_file(door: Door) {
    assert_eq!(door.ask("PUT", "/empty", &[], b"").await.status, 201);
    let get = door.get("/empty", &[]).await;
    assert_eq!(
        (get.status, get.field("content-length"), get.body.len()),
        (200, "0", 0)
    );
}

async fn the_table_of_refusals(door: Door) {
    door.put("/file", b"content").await;
    door.put("/folder/file", b"content").await;
    // (method, target, fields, status, code)
    type Row = (
        &'static str,
        &'static str,
        &'static [(&'static str, &'static str)],
        u16,
        &'static str,
    );
    let table: &[Row] = &[
        ("PUT", "/new/", &[], 400, "bad-request"),
        ("PUT", "/", &[], 400, "bad-request"),
        ("PUT", "/folder", &[], 409, "is-a-folder"),
        ("PUT", "/file/beneath", &[], 409, "not-a-folder"),
        (
            "PUT",
            "/new",
            &[("Content-Range", "bytes 0-6/7")],
            400,
            "bad-request",
        ),
        (
            "PUT",
            "/new",
            &[("Content-Encoding", "gzip")],
            415,
            "unsupported",
        ),
        (
            "PUT",
            "/new",
            &[("gaveta-modified", "soon")],
            400,
            "bad-request",
        ),
        (
            "PUT",
            "/new",
            &[("gaveta-executable", "1")],
            400,
            "bad-request",
        ),
        ("PUT", "/new", &[("X-OC-Mtime", "soon")], 400, "bad-request"),
        ("PUT", "/new", &[("Upload-Length", "8")], 400, "bad-request"),
        ("PUT", "/new", &[("Upload-Length", "x")], 400, "bad-request"),
        (
            "PUT",
            "/new",
            &[("If-Match", "nonsense")],
            400,
            "bad-request",
        ),
        ("PUT", "/.gaveta/x", &[], 404, "not-found"),
        ("PUT", "/x/.gaveta", &[], 400, "path-reserved"),
        ("PUT", "/..%2fnew", &[], 400, "path-separator"),
        ("PUT", "/%2e%2e/new", &[], 400, "path-dots"),
        ("DELETE", "/", &[], 409, "bad-move"),
        ("DELETE", "/folder", &[], 409, "not-empty"),
        ("DELETE", "/file/", &[], 409, "not-a-folder"),
        ("DELETE", "/folder?recursive=maybe", &[], 400, "bad-request"),
        ("DELETE", "/folder", &[("Depth", "1")], 400, "bad-request"),
        ("GET", "/file/", &[], 409, "not-a-folder"),
        ("GET", "/nothing/", &[], 404, "not-found"),
        ("GET", "/%zz", &[], 400, "bad-request"),
        ("POST", "/file", &[], 405, "unsupported"),
        ("PATCH", "/file", &[], 405, "unsupported"),
        ("BREW", "/file", &[], 501, "unsupported"),
    ];
    for (method, target, fields, status, code) in table {
        let body: &[u8] = if *method == "PUT" { b"content" } else { b"" };
        let reply = door.admin(method, target, fields, body).await;
        assert_eq!(
            reply.status, *status,
            "{method} {target} {fields:?}: {reply:?}"
        );
        if !target.starts_with("/.gaveta") {
            assert_eq!(reply.code(), *code, "{method} {target} {fields:?}");
        }
        if matches!(status, 405 | 501) {
            assert_eq!(reply.field("allow"), "GET, HEAD, PUT, DELETE, OPTIONS");
        }
    }
    assert_eq!(door.names().await, ["file", "folder"]);
    assert_eq!(door.get("/file", &[]).await.text(), "content");
}

async fn folders_go_when_empty_or_when_asked(door: Door) {
    for (target, fields) in [
        ("/a?recursive=true", &[][..]),
        ("/b/", &[("Depth", "infinity")]),
        ("/c/?recursive", &[]),
    ] {
        let name = target.split(['?', '/']).nth(1).unwrap();
        door.put(&format!("/{name}/deep/er"), b"x").await;
        assert_eq!(
            door.admin("DELETE", target, fields, b"").await.status,
            204,
            "{target}"
        );
    }
    door.put("/d/e", b"x").await;
    assert_eq!(door.admin("DELETE", "/d/e", &[], b"").await.status, 204);
    assert_eq!(door.admin("DELETE", "/d/", &[], b"").await.status, 204);
    assert!(door.names().await.is_empty());
}

async fn options_tells_the_methods(door: Door) {
    let reply = door.ask("OPTIONS", "/anything", &[], b"").await;
    assert_eq!(
        (reply.status, reply.field("allow")),
        (204, "GET, HEAD, PUT, DELETE, OPTIONS")
    );
    assert_eq!(door.ask("OPTIONS", "/../x", &[], b"").await.status, 400);
}

async fn a_visitor_creates_but_does_not_replace_or_delete(door: Door) {
    assert_eq!(door.ask("PUT", "/f", &[], b"first").await.status, 201);
    for (method, fields) in [
        ("PUT", &[][..]),
        ("PUT", &[("If-Match", "*")]),
        ("DELETE", &[]),
    ] {
        let reply = door.ask(method, "/f", fields, b"").await;
        assert_eq!(
            (reply.status, reply.code().as_str()),
            (401, "sign-in-needed"),
            "{method}"
        );
        assert!(reply.field("www-authenticate").starts_with("Basic"));
    }
    assert_eq!(
        door.ask("PUT", "/f", &[("If-None-Match", "*")], b"")
            .await
            .status,
        412
    );
    assert_eq!(door.get("/f", &[]).await.text(), "first");
}

async fn what_could_run_is_saved_and_never_shown(door: Door) {
    for name in ["a.html", "a.svg", "a.xml", "a.js", "a.pdf", "a"] {
        door.put(&format!("/{name}"), b"<script>alert(1)</script>")
            .await;
        let reply = door.get(&format!("/{name}"), &[]).await;
        assert!(
            reply
                .field("content-disposition")
                .starts_with("attachment; "),
            "{name}"
        );
        assert_eq!(reply.field("x-content-type-options"), "nosniff");
        assert!(reply.field("content-security-policy").contains("sandbox"));
    }
    door.put("/a.png", b"x").await;
    assert!(
        door.get("/a.png", &[])
            .await
            .field("content-disposition")
            .starts_with("inline")
    );
    let asked = door.get("/a.png?download", &[]).await;
    assert!(asked.field("content-disposition").starts_with("attachment"));
    // Any other query means nothing to a file.
    for query in ["v=2", "download=maybe", "%ff", "&&=", "sort=colour"] {
        let reply = door.get(&format!("/a.png?{query}"), &[]).await;
        assert_eq!(
            (reply.status, reply.field("content-type")),
            (200, "image/png"),
            "{query}"
        );
    }
    // A name that tries to leave its quotes.
    door.put("/x%22%3B%20filename%3D%22y.txt", b"x").await;
    let reply = door.get("/x%22%3B%20filename%3D%22y.txt", &[]).await;
    assert_eq!(
        reply.field("content-disposition"),
        "inline; filename=\"x_; filename=_y.txt\"; filename*=UTF-8''x%22%3B%20filename%3D%22y.txt"
    );
}

async fn times_of_other_clients_are_taken(door: Door) {
    let put = door
        .ask("PUT", "/f", &[("X-OC-Mtime", "981173106")], b"x")
        .await;
    assert_eq!((put.status, put.field("x-oc-mtime")), (201, "accepted"));
    let get = door.get("/f", &[]).await;
    assert_eq!(get.field("last-modified"), "Sat, 03 Feb 2001 04:05:06 GMT");
    // A file from the future was changed no later than now.
    door.ask(
        "PUT",
        "/g",
        &[("gaveta-modified", "2100-01-01T00:00:00Z")],
        b"x",
    )
    .await;
    let get = door.get("/g", &[]).await;
    assert_eq!(get.field("gaveta-modified"), "2100-01-01T00:00:00Z");
    let date = httpdate::parse_http_date(get.field("last-modified")).unwrap();
    assert!(date <= std::time::SystemTime::now());
}
