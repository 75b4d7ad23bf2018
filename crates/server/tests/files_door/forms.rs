//! What a page without scripts does: its forms, its questions, its searches, its previews.

use super::harness::Door;

super::harness::on_every_store! {
    forms_do_what_they_say_and_lead_back,
    a_form_of_nobody_knows_where_is_refused,
    files_are_sent_by_form_and_names_that_are_taken_are_kept,
    a_form_that_is_cut_publishes_nothing,
    questions_name_what_was_chosen,
    a_search_finds_names_below_the_folder,
    previews_have_no_power,
    no_file_is_a_script_or_a_style,
    nothing_endless_is_taken_of_a_form,
}

const FORM: (&str, &str) = ("Content-Type", "application/x-www-form-urlencoded");
const OURS: (&str, &str) = ("Sec-Fetch-Site", "same-origin");
const PARTS: (&str, &str) = ("Content-Type", "multipart/form-data; boundary=B");

async fn forms_do_what_they_say_and_lead_back(door: Door) {
    door.put("/d/a%20b", b"x").await;
    let act = async |body: &str| {
        let at = "/.gaveta/form?at=d";
        door.admin("POST", at, &[FORM, OURS], body.as_bytes()).await
    };
    for (body, there, gone) in [
        ("do=make-folder&to=new", "/d/new/", None),
        ("do=rename&name=a+b&to=c%26d", "/d/c%26d", Some("/d/a%20b")),
        ("do=copy&name=c%26d&to=%2Fd%2Fnew", "/d/new/c%26d", None),
        ("do=move&name=c%26d&to=%2F", "/c%26d", Some("/d/c%26d")),
    ] {
        let reply = act(body).await;
        assert_eq!(
            (reply.status, reply.field("location")),
            (303, "/d/"),
            "{body}: {reply:?}"
        );
        assert_eq!(door.get(there, &[]).await.status, 200, "{body}");
        if let Some(gone) = gone {
            assert_eq!(door.get(gone, &[]).await.status, 404, "{body}");
        }
    }
    assert_eq!(act("do=delete&name=new").await.status, 303);
    assert_eq!(door.get("/d/new/", &[]).await.status, 404);
    // What fails is told, entry by entry, and the others are done.
    door.put("/d/here", b"x").await;
    let reply = act("do=delete&name=%3Cnot%3E&name=here").await;
    let text = reply.text();
    assert_eq!(reply.status, 404);
    assert!(
        text.contains("&lt;not&gt;") && !text.contains("<not>"),
        "{text}"
    );
    assert_eq!(door.get("/d/here", &[]).await.status, 404);
    for bad in [
        "",
        "do=dance",
        "do=delete",
        "do=rename&name=a&name=b&to=c",
        "do=delete&name=..",
    ] {
        assert_eq!(act(bad).await.status, 400, "{bad}");
    }
}

async fn a_form_of_nobody_knows_where_is_refused(door: Door) {
    let body = b"do=make-folder&to=x";
    let refused = door.admin("POST", "/.gaveta/form?at=", &[FORM], body).await;
    assert_eq!(refused.status, 403);
    let foreign = [FORM, ("Origin", "http://evil.example")];
    let refused = door
        .admin("POST", "/.gaveta/form?at=", &foreign, body)
        .await;
    assert_eq!(refused.status, 403);
    let origin = format!("http://{}", door.address);
    let ours = [FORM, ("Origin", origin.as_str())];
    assert_eq!(
        door.ask("POST", "/.gaveta/form?at=", &ours, body)
            .await
            .status,
        303
    );
    // A visitor may make, and not delete.
    let delete = b"do=delete&name=x";
    let refused = door.ask("POST", "/.gaveta/form?at=", &ours, delete).await;
    assert_eq!(refused.status, 401);
    assert_eq!(door.names().await, ["x"]);
    assert_eq!(door.get("/.gaveta/form", &[]).await.status, 405);
}

fn form(taken: &str, files: &[(&str, &str)]) -> String {
    let mut text =
        format!("--B\r\nContent-Disposition: form-data; name=\"taken\"\r\n\r\n{taken}\r\n");
    for (name, content) in files {
        text.push_str(&format!(
            "--B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\
             Content-Type: text/html\r\n\r\n{content}\r\n"
        ));
    }
    text.push_str("--B--\r\n");
    text
}

async fn files_are_sent_by_form_and_names_that_are_taken_are_kept(door: Door) {
    let send = async |taken: &str, files: &[(&str, &str)]| {
        let body = form(taken, files);
        door.ask(
            "POST",
            "/.gaveta/form?at=d",
            &[PARTS, OURS],
            body.as_bytes(),
        )
        .await
    };
    let reply = send(
        "keep",
        &[("a.txt", "one"), ("é b.txt", ""), ("sub/c.txt", "three")],
    )
    .await;
    assert_eq!(
        (reply.status, reply.field("location")),
        (303, "/d/"),
        "{reply:?}"
    );
    assert_eq!(send("keep", &[("a.txt", "two")]).await.status, 303);
    assert_eq!(send("skip", &[("a.txt", "lost")]).await.status, 303);
    for (target, content) in [
        ("/d/a.txt", "one"),
        ("/d/a%20%282%29.txt", "two"),
        ("/d/%C3%A9%20b.txt", ""),
        ("/d/sub/c.txt", "three"),
    ] {
        let reply = door.get(target, &[]).await;
        assert_eq!(
            (reply.status, reply.text()),
            (200, content.to_owned()),
            "{target}"
        );
    }
    // A visitor may not replace; a bad name fails alone.
    assert_eq!(send("replace", &[("a.txt", "no")]).await.status, 401);
    let reply = send("keep", &[("..", "x"), (".gaveta/x", "x"), ("good", "x")]).await;
    assert_eq!(reply.status, 400);
    assert_eq!(door.get("/d/good", &[]).await.status, 200);
    assert_eq!(door.get("/d/a.txt", &[]).await.text(), "one");
    assert_eq!(send("keep", &[]).await.status, 400);
}

async fn a_form_that_is_cut_publishes_nothing(door: Door) {
    let whole = form("keep", &[("first", "1"), ("second", &"x".repeat(100_000))]);
    for cut in [whole.len() - 8, whole.len() - 50_000] {
        let length = cut.to_string();
        let fields = [PARTS, OURS, ("Content-Length", length.as_str())];
        let body = &whole.as_bytes()[..cut];
        let reply = door.ask("POST", "/.gaveta/form?at=", &fields, body).await;
        assert_eq!(reply.status, 400, "{reply:?}");
        assert_eq!(door.get("/second", &[]).await.status, 404);
    }
}

async fn nothing_endless_is_taken_of_a_form(door: Door) {
    let rest = "x".repeat(4 * 1024 * 1024);
    let head = "--B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"";
    for start in ["", head, "--B\r\nX: "] {
        // It says that more comes, and is answered all the same.
        let length = (1u64 << 40).to_string();
        let fields = [PARTS, OURS, ("Content-Length", length.as_str())];
        let body = format!("{start}{rest}");
        let reply = door
            .ask("POST", "/.gaveta/form?at=", &fields, body.as_bytes())
            .await;
        assert_eq!(reply.status, 413, "{start:?} {reply:?}");
    }
    assert!(door.names().await.is_empty());
}

/// Nobody who may make nothing is listened to: nothing of the body was sent.
#[tokio::test]
async fn who_may_send_nothing_is_told_before_the_body() {
    let store = std::sync::Arc::new(gaveta_testkit::MemoryStore::new());
    let door = Door::with(store, |config| config.ease = false).await;
    let fields = [PARTS, OURS, ("Content-Length", "1000")];
    let reply = door.ask("POST", "/.gaveta/form?at=", &fields, b"").await;
    assert_eq!(reply.status, 401, "{reply:?}");
}

async fn questions_name_what_was_chosen(door: Door) {
    door.put("/d/a", b"x").await;
    let html = ("Accept", "text/html");
    for word in ["rename", "move", "copy", "delete"] {
        let target = format!("/.gaveta/ask?do={word}&at=d&name=a&name=%3Cb%3E");
        let reply = door.get(&target, &[html]).await;
        let text = reply.text();
        assert_eq!(reply.status, 200);
        assert!(text.contains("&lt;b&gt;") && text.contains("action=\"/.gaveta/form?at=d\""));
        assert_eq!(text.matches("name=\"name\"").count(), 2, "{text}");
    }
    for bad in [
        "do=delete&at=d",
        "do=x&at=d&name=a",
        "do=delete&at=..&name=a",
        "do=delete&at=d&name=a%2Fb",
    ] {
        assert_eq!(
            door.get(&format!("/.gaveta/ask?{bad}"), &[html])
                .await
                .status,
            400,
            "{bad}"
        );
    }
    // The language is kept in a cookie, and the way back leads nowhere else.
    for (back, location) in [
        ("%2Fd%2F%3Fsort%3Dname", "/d/?sort=name"),
        ("%2F%2Fevil.example", "/"),
    ] {
        let body = format!("to=pt-BR&back={back}");
        let reply = door
            .ask("POST", "/.gaveta/language", &[FORM, OURS], body.as_bytes())
            .await;
        assert_eq!((reply.status, reply.field("location")), (303, location));
        assert!(
            reply
                .field("set-cookie")
                .starts_with("gaveta-language=pt-BR;")
        );
    }
    let cookie = ("Cookie", "gaveta-language=pt-BR");
    let text = door.get("/nothing", &[html, cookie]).await.text();
    assert!(
        text.contains("Não existe") && text.contains("<html lang=\"pt-BR\">"),
        "{text}"
    );
}

async fn a_search_finds_names_below_the_folder(door: Door) {
    for target in [
        "/a/deep/Relat%C3%B3rio%20final.txt",
        "/a/other",
        "/relat%C3%B3rio",
    ] {
        door.put(target, b"x").await;
    }
    let search = async |query: &str| {
        door.get(&format!("/.gaveta/search?{query}"), &[])
            .await
            .text()
    };
    let found = search("at=a&q=RELAT%C3%93RIO+final").await;
    assert!(
        found.contains("href=\"/a/deep/Relat%C3%B3rio%20final.txt\""),
        "{found}"
    );
    assert!(found.contains("deep/Relatório final.txt") && !found.contains("href=\"/relat"));
    assert!(search("at=&q=relat").await.matches("<tr data-k").count() == 2);
    let nothing = search("at=&q=%3Cscript%3Ex").await;
    assert!(nothing.contains("&lt;script&gt;x") && nothing.matches("<script").count() == 1);
    assert_eq!(search("at=&q=").await.matches("<tr data-k").count(), 0);
}

async fn previews_have_no_power(door: Door) {
    door.put(
        "/x.md",
        b"# T\n<script>alert(1)</script> [a](javascript:alert(1))",
    )
    .await;
    let reply = door.get("/.gaveta/preview/x.md", &[]).await;
    let policy = reply.field("content-security-policy");
    assert!(policy.starts_with("sandbox allow-popups ") && policy.contains("default-src 'none'"));
    assert!(!policy.contains("allow-scripts") && !policy.contains("allow-same-origin"));
    assert_eq!(reply.field("x-frame-options"), "SAMEORIGIN");
    let text = reply.text();
    assert!(
        text.contains("<h1>T</h1>")
            && !text.contains("<script")
            && !text.contains("javascript:alert(1)\"")
    );
    door.put("/lies.pdf", b"<html><script>alert(1)</script>")
        .await;
    door.put("/true.pdf", b"%PDF-1.7\n").await;
    assert_eq!(door.get("/.gaveta/preview/lies.pdf", &[]).await.status, 501);
    let reply = door.get("/.gaveta/preview/true.pdf", &[]).await;
    assert_eq!(
        (reply.status, reply.field("content-type")),
        (200, "application/pdf")
    );
    for bad in ["x.html", "%2e%2e/x.md", ".gaveta/x.md", "none.md"] {
        let status = door
            .get(&format!("/.gaveta/preview/{bad}"), &[])
            .await
            .status;
        assert!(matches!(status, 400 | 404 | 501), "{bad}: {status}");
    }
}

async fn no_file_is_a_script_or_a_style(door: Door) {
    door.put("/x.js", b"alert(1)").await;
    for dest in [
        "script",
        "style",
        "worker",
        "serviceworker",
        "object",
        "embed",
    ] {
        let fields = [OURS, ("Sec-Fetch-Dest", dest)];
        assert_eq!(door.get("/x.js", &fields).await.status, 403, "{dest}");
    }
    for dest in ["document", "image", "video", "empty"] {
        let fields = [OURS, ("Sec-Fetch-Dest", dest)];
        assert_eq!(door.get("/x.js", &fields).await.status, 200, "{dest}");
    }
    // Ours are given, pressed for who understands it, for ever under their own address.
    let page = door.get("/", &[("Accept", "text/html")]).await.text();
    let script = page
        .split("src=\"")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap();
    let gzip = ("Accept-Encoding", "gzip");
    let reply = door
        .get(script, &[OURS, ("Sec-Fetch-Dest", "script"), gzip])
        .await;
    assert_eq!(
        (reply.status, reply.field("content-encoding")),
        (200, "gzip")
    );
    assert!(reply.field("cache-control").contains("immutable"));
    assert!(reply.field("content-type").starts_with("text/javascript"));
    assert_eq!(door.get("/.gaveta/assets/x/none.js", &[]).await.status, 404);
}
