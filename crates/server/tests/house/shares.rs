//! Shares: what a link opens, on every door, and nothing else.

mod drops;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::harness::{ADMIN, HUNG, House, request};

impl House {
    /// Makes a share as the administrator: its secret, its link, its id.
    pub(crate) async fn share(&self, body: &Value) -> (String, String, String) {
        let fields = [ADMIN, ("Content-Type", "application/json")];
        let text = body.to_string();
        let made = self
            .ask("POST", "/.gaveta/shares", &fields, text.as_bytes())
            .await;
        assert_eq!(made.status, 201, "{}", made.text());
        let made: Value = serde_json::from_slice(&made.body).unwrap();
        let link = made["link"].as_str().unwrap().to_owned();
        let secret = link.split('/').nth(3).unwrap().to_owned();
        (secret, link, made["id"].as_str().unwrap().to_owned())
    }

    /// All shares, as the administrator sees them.
    async fn shares(&self) -> Value {
        let listed = self.ask("GET", "/.gaveta/shares", &[ADMIN], b"").await;
        serde_json::from_slice(&listed.body).unwrap()
    }

    async fn content(&self, at: &str) -> String {
        let got = self.ask("GET", at, &[ADMIN], b"").await;
        assert_eq!(got.status, 200, "{at}");
        got.text()
    }
}

fn basic(name: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{name}:{password}")))
}

async fn house() -> House {
    let house = House::new().await;
    for (at, content) in [
        ("docs/a.txt", &b"shared"[..]),
        ("docs/a.txt2", b"sibling"),
        ("docs/deep/b.html", b"<script>1</script>"),
        ("docs2/c.txt", b"elsewhere"),
        ("top.txt", b"top"),
    ] {
        house.put(at, content).await;
    }
    house
}

#[tokio::test]
async fn a_link_gives_its_file_in_every_way_and_nothing_beside_it() {
    let house = house().await;
    let (secret, link, _) = house.share(&json!({"path": "docs/a.txt"})).await;
    assert_eq!(link, format!("/.gaveta/s/{secret}/a.txt"));
    assert!(secret.len() > 40);
    let get = async |at: &str, fields: &[(&str, &str)]| house.ask("GET", at, fields, b"").await;
    let whole = get(&link, &[]).await;
    assert_eq!((whole.status, whole.text().as_str()), (200, "shared"));
    assert_eq!(whole.header("referrer-policy"), Some("no-referrer"));
    assert!(
        whole
            .header("content-security-policy")
            .unwrap()
            .contains("sandbox")
    );
    let part = get(&link, &[("Range", "bytes=1-2")]).await;
    assert_eq!((part.status, part.text().as_str()), (206, "ha"));
    let head = house.ask("HEAD", &link, &[], b"").await;
    assert_eq!(
        (head.status, head.header("content-length")),
        (200, Some("6"))
    );
    // What there is to know, for programs and for people.
    let bare = format!("/.gaveta/s/{secret}");
    let about: Value = serde_json::from_slice(&get(&bare, &[]).await.body).unwrap();
    assert_eq!(
        (&about["name"], &about["way"], &about["size"]),
        (&json!("a.txt"), &json!("get"), &json!(6))
    );
    let html = [("Accept", "text/html"), ("Accept-Language", "pt-BR")];
    let led = get(&bare, &html).await;
    assert_eq!(led.status, 303);
    assert_eq!(
        led.header("location"),
        Some(format!("./{secret}/").as_str())
    );
    let page = get(&format!("{bare}/"), &html).await;
    assert!(
        page.text().contains("Baixar") && page.text().contains("a.txt"),
        "{}",
        page.text()
    );
    assert!(
        !page.text().contains("docs"),
        "where it lies is not told: {}",
        page.text()
    );
    assert!(
        page.header("content-security-policy")
            .unwrap()
            .starts_with("default-src 'none'")
    );
    // A person who follows the link from elsewhere comes in; a page that embeds it does not.
    let from = |mode| {
        [
            ("Sec-Fetch-Site", "cross-site"),
            ("Sec-Fetch-Mode", mode),
            ("Sec-Fetch-Dest", "document"),
        ]
    };
    assert_eq!(get(&link, &from("navigate")).await.status, 200);
    assert_eq!(get(&link, &from("no-cors")).await.status, 403);
    for rest in [
        "/a.txt2",
        "/docs/a.txt",
        "/../top.txt",
        "/%2e%2e/top.txt",
        "/a.txt/../a.txt2",
        "//a.txt",
        "/a.txt%2f..%2fa.txt2",
        "/.gaveta/health",
        "/a%5c..%5ctop.txt",
        "/deep/b.html",
        "/A.TXT",
    ] {
        let got = get(&format!("{bare}{rest}"), &[]).await;
        assert!(matches!(got.status, 400 | 404), "{rest}: {}", got.status);
        assert!(!got.text().contains("docs"), "{rest}: {}", got.text());
    }
    for wrong in [
        "gvs_x",
        &format!("{}A", &secret[..secret.len() - 1]),
        &secret[4..],
        "x",
    ] {
        if wrong != secret {
            let got = get(&format!("/.gaveta/s/{wrong}/a.txt"), &[]).await;
            assert_eq!(got.status, 404, "{wrong}");
        }
    }
    for method in ["PUT", "POST", "DELETE", "PATCH", "OPTIONS"] {
        let got = house.ask(method, &link, &[], b"x").await;
        assert_eq!(got.status, 405, "{method}");
    }
    assert_eq!(house.content("/docs/a.txt").await, "shared");
}

#[tokio::test]
async fn on_every_other_door_the_secret_gives_no_more() {
    let house = house().await;
    let (get, ..) = house.share(&json!({"path": "docs/deep"})).await;
    let (drop, ..) = house.share(&json!({"path": "docs", "way": "drop"})).await;
    for (secret, may_read, may_create) in [(&get, true, false), (&drop, false, true)] {
        for field in [format!("Bearer {secret}"), basic(secret, "")] {
            let fields = [("Authorization", field.as_str())];
            let ask =
                async |method: &str, at: &str| house.ask(method, at, &fields, b"x").await.status;
            let read = |status: u16| {
                if may_read {
                    status == 200
                } else {
                    status == 404
                }
            };
            assert!(read(ask("GET", "/docs/deep/b.html").await), "{field}");
            assert!(read(ask("GET", "/.gaveta/outline/docs/deep/b.html").await));
            for at in [
                "/top.txt",
                "/docs/a.txt",
                "/docs2/c.txt",
                "/docs2/",
                "/.gaveta/chunks/top.txt",
            ] {
                assert!(matches!(ask("GET", at).await, 403 | 404), "{at}");
            }
            for at in ["/top.txt", "/docs/deep/b.html", "/docs2/new", "/new"] {
                assert!(matches!(ask("PUT", at).await, 403 | 404), "PUT {at}");
                assert!(matches!(ask("DELETE", at).await, 403 | 404), "DELETE {at}");
            }
            for call in [
                r#"{"id":1,"do":"stat","path":"docs/a.txt"}"#,
                r#"{"id":1,"do":"list","path":"docs2"}"#,
                r#"{"id":1,"do":"copy","from":"docs/deep/b.html","to":"new"}"#,
                r#"{"id":1,"do":"rename","from":"docs/deep/b.html","to":"docs/new"}"#,
                r#"{"id":1,"do":"delete","path":"docs/deep/b.html"}"#,
                r#"{"id":1,"do":"touch","path":"docs/deep/b.html","executable":true}"#,
                r#"{"id":1,"do":"make-folder","path":"docs2/x"}"#,
            ] {
                let (_, reply) = house.command(&fields, call).await;
                let code = reply["error"]["code"].as_str();
                assert!(
                    matches!(code, Some("denied" | "not-found")),
                    "{call}: {reply}"
                );
            }
            // It makes, lists and ends no tokens and shares, and reads no audit log.
            for at in [
                "/.gaveta/tokens",
                "/.gaveta/shares",
                "/.gaveta/audit",
                "/.gaveta/uploads",
            ] {
                assert!(matches!(ask("GET", at).await, 403..=405), "{at}");
            }
            let json = [fields[0], ("Content-Type", "application/json")];
            let made = house
                .ask(
                    "POST",
                    "/.gaveta/shares",
                    &json,
                    b"{\"path\":\"docs/deep\"}",
                )
                .await;
            assert_eq!(made.status, 403);
            let (mut session, hello) = house.session_with(&fields).await.unwrap();
            assert!(
                hello["hello"]["account"]["name"]
                    .as_str()
                    .unwrap()
                    .starts_with("share:"),
                "{hello}"
            );
            let said = session
                .ask(r#"{"id":1,"do":"stat","path":"top.txt"}"#)
                .await;
            assert_eq!(said["error"]["code"], "not-found", "{said}");
            // Uploads, in parts: only beneath what may be dropped into.
            let tus = [
                fields[0],
                ("Tus-Resumable", "1.0.0"),
                ("Upload-Length", "1"),
                ("Gaveta-Target", "/docs/up"),
            ];
            let begun = house
                .ask("POST", "/.gaveta/uploads", &tus, b"")
                .await
                .status;
            assert_eq!(begun == 201, may_create, "{begun}");
            let tus = [
                fields[0],
                ("Tus-Resumable", "1.0.0"),
                ("Upload-Length", "1"),
                ("Gaveta-Target", "/up"),
            ];
            assert!(matches!(
                house
                    .ask("POST", "/.gaveta/uploads", &tus, b"")
                    .await
                    .status,
                403 | 404
            ));
        }
    }
    assert!(!house.has("new").await && !house.has("docs2/new").await && house.has("top.txt").await);
}

#[tokio::test]
async fn a_shared_folder_is_listed_and_got_beneath_itself_alone() {
    let house = house().await;
    let (secret, link, _) = house.share(&json!({"path": "docs"})).await;
    assert_eq!(link, format!("/.gaveta/s/{secret}/"));
    let html = [("Accept", "text/html")];
    let page = house.ask("GET", &link, &html, b"").await;
    for name in ["a.txt", "a.txt2", "deep/"] {
        assert!(page.text().contains(name), "{}", page.text());
    }
    assert!(!page.text().contains("top.txt") && !page.text().contains("../"));
    let list = house.ask("GET", &link, &[], b"").await;
    let list: Value = serde_json::from_slice(&list.body).unwrap();
    assert_eq!(list["entries"].as_array().unwrap().len(), 3);
    let deep = house.ask("GET", &format!("{link}deep/"), &html, b"").await;
    assert!(deep.text().contains("b.html") && deep.text().contains("../"));
    let file = house
        .ask("GET", &format!("{link}deep/b.html"), &html, b"")
        .await;
    assert!(
        file.header("content-disposition")
            .unwrap()
            .starts_with("attachment")
    );
    for rest in [
        "../top.txt",
        "..%2ftop.txt",
        "%2e%2e/docs2/c.txt",
        "deep/../../top.txt",
    ] {
        let got = house.ask("GET", &format!("{link}{rest}"), &[], b"").await;
        assert!(matches!(got.status, 400 | 404), "{rest}");
    }
}

#[tokio::test]
async fn a_link_leads_nowhere_else_whatever_a_folder_is_called() {
    let house = house().await;
    house.put("docs/http:evil.example/x", b"x").await;
    let (_, link, _) = house.share(&json!({"path": "docs"})).await;
    let html = [("Accept", "text/html")];
    let at = format!("{link}http:evil.example");
    let led = house.ask("GET", &at, &html, b"").await;
    assert_eq!(led.status, 303);
    assert_eq!(led.header("location"), Some("./http:evil.example/"));
    let page = house.ask("GET", &format!("{at}/"), &html, b"").await;
    assert!(page.text().contains("href=\"./x\""), "{}", page.text());
}

#[tokio::test]
async fn the_pages_of_a_link_are_of_the_house_and_show_no_way_into_it() {
    let house = house().await;
    let (file, _, _) = house.share(&json!({"path": "docs/a.txt"})).await;
    let (folder, _, _) = house.share(&json!({"path": "docs"})).await;
    let (drop, _, _) = house.share(&json!({"path": "docs", "way": "drop"})).await;
    let locked = json!({"path": "docs/a.txt", "password": "aberta"});
    let (locked, _, _) = house.share(&locked).await;
    let browser = [
        ("Accept", "text/html"),
        ("Accept-Language", "fr, pt;q=0.9, en;q=0.1"),
        ("Sec-Fetch-Site", "none"),
    ];
    for (secret, status, says) in [
        (file.as_str(), 200, "Baixar"),
        (&folder, 200, "a.txt2"),
        (&drop, 200, "Enviar arquivos"),
        (&locked, 401, "Este link pede uma senha"),
        ("gvs_nothing", 404, "Este link não leva a lugar nenhum"),
    ] {
        let at = format!("/.gaveta/s/{secret}/");
        let page = house.ask("GET", &at, &browser, b"").await;
        let text = page.text();
        assert_eq!(page.status, status, "{text}");
        assert!(text.contains(says), "{says}: {text}");
        assert!(text.contains("<html lang=\"pt-BR\""), "{text}");
        assert!(!text.contains("href=\"/\""), "{text}");
        assert!(
            !text.contains("/.gaveta/sign-in") && !text.contains("/.gaveta/search"),
            "{text}"
        );
        let robots = page.header("x-robots-tag");
        assert!(status != 200 || robots == Some("noindex"), "{says}");
        let policy = page.header("content-security-policy").unwrap();
        assert!(!policy.contains("unsafe") && policy.contains("trusted-types"));
    }
    // A browser asks for the password of a link by itself: our form is for accounts.
    let at = format!("/.gaveta/s/{locked}/");
    let asks = house.ask("GET", &at, &browser, b"").await;
    let scheme = asks.header("www-authenticate").unwrap();
    assert!(scheme.starts_with("Basic"), "{scheme}");
    let password = basic("", "aberta");
    let fields = [browser[0], browser[2], ("Authorization", password.as_str())];
    assert_eq!(house.ask("GET", &at, &fields, b"").await.status, 200);
}

#[tokio::test]
async fn a_limit_is_kept_whatever_is_asked_for() {
    let house = house().await;
    let (secret, link, _) = house
        .share(&json!({"path": "docs/a.txt", "limit": 1}))
        .await;
    let get = async |fields: &[(&str, &str)]| house.ask("GET", &link, fields, b"").await.status;
    for _ in 0..3 {
        assert_eq!(
            house.ask("HEAD", &link, &[], b"").await.status,
            200,
            "looking is free"
        );
    }
    // As our client asks: what the server would read to answer it counts for nobody.
    let wants = ("Want-Repr-Digest", "sha-256=1, blake3=1");
    assert_eq!(get(&[wants, ("Range", "bytes=0-2")]).await, 206);
    assert_eq!(get(&[wants, ("Range", "bytes=3-")]).await, 206);
    assert_eq!(get(&[]).await, 403);
    assert_eq!(get(&[("Range", "bytes=0-2")]).await, 403);
    let bearer = format!("Bearer {secret}");
    let fields = [("Authorization", bearer.as_str())];
    for at in ["/docs/a.txt", "/.gaveta/chunks/docs/a.txt"] {
        assert_eq!(house.ask("GET", at, &fields, b"").await.status, 403, "{at}");
    }
    assert_eq!(house.shares().await[0]["used"], 1);
    // Files dropped count one each.
    let (_, link, _) = house
        .share(&json!({"path": "docs", "way": "drop", "limit": 2}))
        .await;
    let put = async |name: &str| {
        house
            .ask("PUT", &format!("{link}{name}"), &[], b"x")
            .await
            .status
    };
    assert_eq!(
        (put("1").await, put("2").await, put("3").await),
        (201, 201, 403)
    );
    assert!(!house.has("docs/3").await);
}

#[tokio::test]
async fn a_password_is_asked_for_and_guesses_are_slowed() {
    let house = house().await;
    let body = json!({"path": "docs/a.txt", "password": "aberta"});
    let (secret, link, _) = house.share(&body).await;
    let get = async |password: Option<&str>| {
        let field = password
            .map(|password| basic("", password))
            .unwrap_or_default();
        let fields = [("Authorization", field.as_str())];
        let fields = &fields[..usize::from(password.is_some())];
        house.ask("GET", &link, fields, b"").await
    };
    let asks = get(None).await;
    assert_eq!(asks.status, 401);
    assert!(
        asks.header("www-authenticate")
            .unwrap()
            .starts_with("Basic")
    );
    assert!(!asks.text().contains("docs"));
    assert_eq!(get(Some("aberta")).await.text(), "shared");
    assert_eq!(get(Some("fechada")).await.status, 401);
    // On the other doors the secret is the name.
    for (password, status) in [("aberta", 200), ("x", 401), ("", 401)] {
        let field = basic(&secret, password);
        let got = house
            .ask("GET", "/docs/a.txt", &[("Authorization", &field)], b"")
            .await;
        assert_eq!(got.status, status, "{password:?}");
    }
    let bearer = format!("Bearer {secret}");
    let got = house
        .ask("GET", "/docs/a.txt", &[("Authorization", &bearer)], b"")
        .await;
    assert_eq!(got.status, 401);
    let mut slowed = false;
    for guess in 0..30 {
        slowed |= get(Some(&format!("guess {guess}"))).await.status == 429;
    }
    assert!(slowed);
}

#[tokio::test]
async fn a_share_ends_with_its_file_and_when_it_is_revoked_also_for_what_is_under_way() {
    let house = house().await;
    // Larger than what the line holds by itself.
    let large: &'static [u8] = Box::leak(vec![7u8; 24 << 20].into_boxed_slice());
    house.put("docs/large", large).await;
    let (_, link, id) = house.share(&json!({"path": "docs/large"})).await;
    let mut slow = house.connect().await;
    slow.send(&request("GET", &link, &[], b"")).await.unwrap();
    let (drop_secret, drop_link, drop_id) =
        house.share(&json!({"path": "docs", "way": "drop"})).await;
    let mut sending = house.connect().await;
    let head = format!(
        "PUT {drop_link}half HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nhalf"
    );
    sending.send(head.as_bytes()).await.unwrap();
    let bearer = format!("Bearer {drop_secret}");
    let (mut session, _) = house
        .session_with(&[("Authorization", &bearer)])
        .await
        .unwrap();
    for id in [&id, &drop_id] {
        let gone = house
            .ask("DELETE", &format!("/.gaveta/shares/{id}"), &[ADMIN], b"")
            .await;
        assert_eq!(gone.status, 204);
    }
    assert_eq!(house.ask("GET", &link, &[], b"").await.status, 404);
    let cut = tokio::time::timeout(HUNG, slow.rest()).await.unwrap();
    assert!(cut.map_or(0, |got| got.len()) < large.len());
    let refused = tokio::time::timeout(HUNG, sending.response())
        .await
        .unwrap()
        .unwrap();
    assert!(matches!(refused.status, 401 | 404), "{}", refused.status);
    while session.next_message().await.is_some() {}
    assert!(!house.has("docs/half").await);
    // The file goes, or gets another name: the share ends, whatever comes in its place.
    for call in [
        r#"{"id":1,"do":"delete","path":"docs/a.txt"}"#,
        r#"{"id":1,"do":"rename","from":"docs/a.txt","to":"docs/b.txt"}"#,
        r#"{"id":1,"do":"rename","from":"docs","to":"gone"}"#,
    ] {
        if !house.has("docs/a.txt").await {
            house.put("docs/a.txt", b"again").await;
        }
        let (_, link, _) = house.share(&json!({"path": "docs/a.txt"})).await;
        assert_eq!(house.ask("GET", &link, &[], b"").await.status, 200);
        let (status, reply) = house.command(&[ADMIN], call).await;
        assert_eq!(status, 200, "{reply}");
        if !house.has("docs/a.txt").await {
            house.put("docs/a.txt", b"somebody else's").await;
        }
        assert_eq!(
            house.ask("GET", &link, &[], b"").await.status,
            404,
            "{call}"
        );
    }
    assert_eq!(house.shares().await, json!([]));
}

#[tokio::test]
async fn only_who_signed_in_makes_shares_of_what_is_there_and_nonsense_is_refused() {
    let house = house().await;
    let make = async |fields: &[(&str, &str)], body: &str| {
        house
            .ask("POST", "/.gaveta/shares", fields, body.as_bytes())
            .await
            .status
    };
    let json = ("Content-Type", "application/json");
    assert_eq!(make(&[json], r#"{"path":"docs"}"#).await, 401);
    assert_eq!(
        make(
            &[ADMIN, ("Content-Type", "text/plain")],
            r#"{"path":"docs"}"#
        )
        .await,
        400
    );
    for (body, status) in [
        (r#"{"path":"none"}"#, 404),
        (r#"{"path":"../x"}"#, 400),
        (r#"{"path":"docs/a.txt","way":"drop"}"#, 409),
        (r#"{"path":"docs","seconds":0}"#, 400),
        (r#"{"path":"docs","limit":0}"#, 400),
        (r#"{"path":"docs","password":""}"#, 400),
        (r#"{"path":"docs","unknown":1}"#, 400),
        (r#"{"path":7}"#, 400),
        ("{", 400),
    ] {
        assert_eq!(make(&[ADMIN, json], body).await, status, "{body}");
    }
    let long = format!(r#"{{"path":"docs","password":"{}"}}"#, "x".repeat(10_000));
    assert_eq!(make(&[ADMIN, json], &long).await, 400);
    let soon = house
        .share(&json!({"path": "docs/a.txt", "seconds": 1}))
        .await
        .1;
    let until = std::time::Instant::now();
    while house.ask("GET", &soon, &[], b"").await.status == 200 {
        assert!(until.elapsed() < HUNG);
    }
    assert_eq!(house.ask("GET", &soon, &[], b"").await.status, 404);
    assert_eq!(
        house
            .ask("DELETE", "/.gaveta/shares/nonsense", &[ADMIN], b"")
            .await
            .status,
        404
    );
    assert_eq!(
        house
            .ask("PATCH", "/.gaveta/shares", &[ADMIN], b"")
            .await
            .status,
        405
    );
}
