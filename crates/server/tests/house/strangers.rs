//! A page of another origin, and a name that was rebound to this machine, get nothing.

use super::harness::{ADMIN, House, request};

const SECRET: &[u8] = b"the content that nobody else may see";

fn holds_secret(body: &[u8]) -> bool {
    body.windows(SECRET.len()).any(|window| window == SECRET)
}

#[tokio::test]
async fn strangers_get_nothing_and_change_nothing() {
    let house = House::new().await;
    house.put("secret", SECRET).await;
    let strangers: &[(&[(&str, &str)], u16)] = &[
        (&[("Host", "evil.example")], 421),
        (&[("Host", "evil.example:4283")], 421),
        (&[("Host", "localhost.evil.example")], 421),
        (&[("Host", "169.254.169.254")], 421),
        (&[("Host", "localhost"), ("Host", "evil.example")], 421),
        (&[("Origin", "http://evil.example")], 403),
        (&[("Origin", "null")], 403),
        (&[("Origin", "https://localhost")], 403),
        (
            &[
                ("Sec-Fetch-Site", "cross-site"),
                ("Sec-Fetch-Mode", "no-cors"),
            ],
            403,
        ),
        (
            &[("Sec-Fetch-Site", "same-site"), ("Sec-Fetch-Mode", "cors")],
            403,
        ),
        (&[("Sec-Fetch-Site", "cross-site")], 403),
    ];
    for (fields, status) in strangers {
        // Not even with the right password, which a browser may send along by itself.
        let fields = [fields, &[ADMIN][..]].concat();
        for (method, target, body) in [
            ("GET", "/secret", &b""[..]),
            ("GET", "/", b""),
            ("HEAD", "/secret", b""),
            ("PUT", "/secret", b"x"),
            ("PUT", "/new", b"x"),
            ("DELETE", "/secret", b""),
            (
                "POST",
                "/.gaveta/command",
                br#"{"do":"delete","path":"secret"}"#,
            ),
            ("GET", "/.gaveta/health", b""),
            ("OPTIONS", "/secret", b""),
        ] {
            let reply = house.ask(method, target, &fields, body).await;
            assert_eq!(reply.status, *status, "{method} {target} {fields:?}");
            assert!(!holds_secret(&reply.body));
            assert!(
                !reply
                    .headers
                    .iter()
                    .any(|(name, _)| name.starts_with("access-control"))
            );
        }
        let refused = house.session_with(&fields).await.map(|_| ()).unwrap_err();
        assert!(matches!(refused, 403 | 421 | 426), "{fields:?}: {refused}");
    }
    assert!(house.has("secret").await && !house.has("new").await);
    assert_eq!(house.ask("GET", "/secret", &[], b"").await.body, SECRET);
}

#[tokio::test]
async fn our_own_pages_and_programs_are_let_in() {
    let house = House::new().await;
    house.put("a", b"a").await;
    let own: &[&[(&str, &str)]] = &[
        &[],
        &[
            ("Host", "localhost:4283"),
            ("Origin", "http://localhost:4283"),
        ],
        &[
            ("Host", "127.0.0.1:4283"),
            ("Origin", "http://127.0.0.1:4283"),
        ],
        &[
            ("Host", "[::1]:4283"),
            ("Origin", "http://[::1]:4283"),
            ("Sec-Fetch-Site", "same-origin"),
        ],
        &[("Sec-Fetch-Site", "none"), ("Sec-Fetch-Mode", "navigate")],
    ];
    for fields in own {
        assert_eq!(
            house.ask("GET", "/a", fields, b"").await.status,
            200,
            "{fields:?}"
        );
    }
    let link = [
        ("Sec-Fetch-Site", "cross-site"),
        ("Sec-Fetch-Mode", "navigate"),
        ("Sec-Fetch-Dest", "document"),
    ];
    assert_eq!(house.ask("GET", "/a", &link, b"").await.status, 200);
}

#[tokio::test]
async fn every_answer_carries_what_keeps_browsers_honest() {
    let house = House::new().await;
    house.put("page.html", b"<script>alert(1)</script>").await;
    for (method, target, fields) in [
        ("GET", "/", &[][..]),
        ("GET", "/page.html", &[]),
        ("GET", "/none", &[]),
        ("GET", "/.gaveta/health", &[]),
        ("GET", "/.gaveta/x", &[]),
        ("BREW", "/", &[]),
        ("GET", "/", &[("Host", "evil.example")]),
        ("DELETE", "/page.html", &[]),
        ("GET", "/%zz", &[]),
        ("GET", "/none", &[("Accept", "text/html")]),
    ] {
        let reply = house.ask(method, target, fields, b"").await;
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
            ("x-frame-options", "DENY"),
        ] {
            assert_eq!(reply.header(name), Some(value), "{method} {target} {name}");
        }
    }
    let page = house.ask("GET", "/page.html", &[], b"").await;
    let policy = page.header("content-security-policy").unwrap();
    assert!(
        policy.contains("sandbox") && policy.contains("default-src 'none'"),
        "{policy}"
    );
}

#[tokio::test]
async fn a_target_that_names_another_host_is_not_for_us() {
    let house = House::new().await;
    house.put("a", b"a").await;
    for (target, status) in [
        ("http://evil.example/a", 421),
        ("http://localhost@evil.example/a", 421),
        ("http://localhost/a", 200),
    ] {
        let mut connection = house.connect().await;
        connection
            .send(&request("GET", target, &[], b""))
            .await
            .unwrap();
        assert_eq!(
            connection.response().await.unwrap().status,
            status,
            "{target}"
        );
    }
}
