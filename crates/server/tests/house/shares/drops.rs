//! Links by which files are dropped into a folder without seeing what lies there.

use serde_json::{Value, json};

use super::house;

#[tokio::test]
async fn files_are_dropped_beside_what_lies_there_and_nothing_is_shown() {
    let house = house().await;
    let (secret, link, _) = house.share(&json!({"path": "docs", "way": "drop"})).await;
    let put = async |name: &str, body: &[u8]| {
        house
            .ask("PUT", &format!("{link}{name}"), &[], body)
            .await
            .status
    };
    assert_eq!(put("a.txt", b"second").await, 201);
    assert_eq!(put("a.txt", b"third").await, 201);
    assert_eq!(put("new/x", b"deep").await, 201);
    assert_eq!(house.content("/docs/a.txt").await, "shared");
    assert_eq!(house.content("/docs/a%20(2).txt").await, "second");
    assert_eq!(house.content("/docs/a%20(3).txt").await, "third");
    assert_eq!(house.content("/docs/new/x").await, "deep");
    // A folder of the name is not in the way.
    assert_eq!(put("deep", b"file").await, 201);
    assert_eq!(house.content("/docs/deep%20(2)").await, "file");
    for bad in ["", "../x", "..%2fx", "a//b", ".gaveta/x", "x/"] {
        assert!(matches!(put(bad, b"x").await, 400 | 404 | 405), "{bad}");
    }
    // Nothing is shown, not even what one dropped.
    for at in ["a.txt", "a%20(2).txt", "deep/", "deep/b.html"] {
        let got = house.ask("GET", &format!("{link}{at}"), &[], b"").await;
        assert!(matches!(got.status, 404 | 405), "{at}: {}", got.status);
    }
    let html = [("Accept", "text/html")];
    let page = house.ask("GET", &link, &html, b"").await.text();
    assert!(
        page.contains("multipart/form-data") && !page.contains("a.txt"),
        "{page}"
    );
    let about = house
        .ask("GET", &format!("/.gaveta/s/{secret}"), &[], b"")
        .await;
    let about: Value = serde_json::from_slice(&about.body).unwrap();
    assert_eq!(
        (&about["way"], &about["kind"]),
        (&json!("drop"), &json!("folder"))
    );
    // A form, as a browser without scripts sends it.
    let form = "--B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"C:\\x\\a.txt\"\r\n\r\n\
                form\r\n--B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"two\"\r\n\r\n\
                2\r\n--B--\r\n";
    let fields = [
        html[0],
        ("Content-Type", "multipart/form-data; boundary=B"),
        ("Sec-Fetch-Site", "same-origin"),
    ];
    let sent = house.ask("POST", &link, &fields, form.as_bytes()).await;
    assert_eq!(sent.status, 200, "{}", sent.text());
    assert!(sent.text().contains("2 files received"), "{}", sent.text());
    assert_eq!(house.content("/docs/a%20(4).txt").await, "form");
    let cross = [fields[0], fields[1], ("Sec-Fetch-Site", "cross-site")];
    assert_eq!(
        house
            .ask("POST", &link, &cross, form.as_bytes())
            .await
            .status,
        403
    );
    // Cut or not a form: nothing half appears.
    for bad in [
        "--B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"cut\"\r\n\r\nhal",
        "nonsense",
        "",
    ] {
        let sent = house.ask("POST", &link, &fields[1..], bad.as_bytes()).await;
        assert_eq!(sent.status, 400, "{bad:?}");
    }
    assert!(!house.has("docs/cut").await);
    let name = "--B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"..\"\r\n\r\nx\r\n--B--\r\n";
    assert_eq!(
        house
            .ask("POST", &link, &fields[1..], name.as_bytes())
            .await
            .status,
        400
    );
}

#[tokio::test]
async fn who_loses_the_name_to_another_keeps_his_file_under_the_next() {
    let house = house().await;
    let (_, link, _) = house.share(&json!({"path": "docs", "way": "drop"})).await;
    let head = |length: usize| {
        format!("PUT {link}race HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n")
    };
    let (mut first, mut second) = (house.connect().await, house.connect().await);
    let long = "x".repeat(300_000);
    first
        .send(format!("{}a", head(1 + long.len())).as_bytes())
        .await
        .unwrap();
    second
        .send(format!("{}b", head(2)).as_bytes())
        .await
        .unwrap();
    // Both have begun under the same name by the time the second is whole.
    second.send(b"b").await.unwrap();
    assert_eq!(second.response().await.unwrap().status, 201);
    first.send(long.as_bytes()).await.unwrap();
    assert_eq!(first.response().await.unwrap().status, 201);
    let (one, two) = (
        house.content("/docs/race").await,
        house.content("/docs/race%20(2)").await,
    );
    let mut sizes = [one.len(), two.len()];
    sizes.sort_unstable();
    assert_eq!(sizes, [2, 1 + long.len()]);
}

#[tokio::test]
async fn nothing_endless_is_taken_of_a_form_that_is_dropped() {
    let house = house().await;
    let (secret, ..) = house.share(&json!({"path": "docs", "way": "drop"})).await;
    let at = format!("/.gaveta/s/{secret}/");
    let fields = [
        ("Content-Type", "multipart/form-data; boundary=B"),
        ("Sec-Fetch-Site", "same-origin"),
    ];
    for start in ["", "--B\r\nX: "] {
        let body = format!("{start}{}", "x".repeat(1024 * 1024));
        let answer = house.ask("POST", &at, &fields, body.as_bytes()).await;
        assert_eq!(answer.status, 413, "{}", answer.text());
    }
}
