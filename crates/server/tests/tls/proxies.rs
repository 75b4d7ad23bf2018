//! Behind a proxy: whose word counts, and a prefix.

use gaveta_server::Config;

use gaveta_testkit::http::Connection;

use crate::harness::{ADMIN, HUNG, House, WRONG, get};

fn behind(config: &mut Config) {
    config.tls = None;
    config.plain = true;
    config.trust_loopback = true;
    config.proxies = vec!["127.0.0.0/8".parse().unwrap()];
}

#[tokio::test]
async fn a_password_is_taken_from_a_named_proxy_and_from_no_other() {
    let from = "X-Forwarded-For: 203.0.113.9\r\nX-Forwarded-Proto: https\r\n";
    let house = House::with(behind).await;
    let answer = house
        .plainly(&get("/", "localhost", &format!("{from}{ADMIN}")))
        .await;
    assert_eq!(answer.status, 200);
    // The proxy says that the password came to it in the open.
    let open = format!("X-Forwarded-For: 203.0.113.9\r\nX-Forwarded-Proto: http\r\n{ADMIN}");
    assert_eq!(
        house.plainly(&get("/", "localhost", &open)).await.status,
        426
    );
    let house = House::with(|config| {
        behind(config);
        config.proxies.clear();
    })
    .await;
    // Somebody hands on what others send, and was not named.
    let answer = house
        .plainly(&get("/", "localhost", &format!("{from}{ADMIN}")))
        .await;
    assert_eq!(answer.status, 426);
    let house = House::with(|config| {
        behind(config);
        config.proxies.clear();
        config.trust_loopback = false;
    })
    .await;
    assert_eq!(
        house.plainly(&get("/", "localhost", ADMIN)).await.status,
        426
    );
}

#[tokio::test]
async fn who_is_connected_comes_from_where_the_named_proxy_says() {
    let house = House::with(behind).await;
    let put = "PUT /a HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: 203.0.113.9\r\n";
    let mut waits = Connection::open(house.address()).await.unwrap();
    let put = format!("{put}{ADMIN}Content-Length: 9\r\n\r\nhalf");
    waits.send(put.as_bytes()).await.unwrap();
    let since = std::time::Instant::now();
    loop {
        let asked = get("/.gaveta/connected", "localhost", ADMIN);
        let told = house.plainly(&asked).await.text();
        if told.contains("\"received\":4") {
            assert!(told.contains("\"from\":\"203.0.113.9\""), "{told}");
            assert!(told.contains("\"account\":\"admin\""), "{told}");
            break;
        }
        assert!(since.elapsed() < HUNG, "{told}");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

/// Each address has its own patience, so that one guesser does not lock out all who come through
/// the same proxy; and nobody escapes by making up addresses before the proxy's own.
#[tokio::test]
async fn guesses_count_against_the_forwarded_address() {
    let house = House::with(behind).await;
    let ask = |for_: &str, who: &str| {
        get(
            "/",
            "localhost",
            &format!("X-Forwarded-For: {for_}\r\n{who}"),
        )
    };
    let mut last = 0;
    for turn in 0..40 {
        let made_up = format!("198.51.100.{turn}, 203.0.113.9");
        last = house.plainly(&ask(&made_up, WRONG)).await.status;
        if last == 429 {
            break;
        }
    }
    assert_eq!(last, 429, "the guesser is never slowed");
    assert_eq!(house.plainly(&ask("203.0.113.9", ADMIN)).await.status, 429);
    assert_eq!(house.plainly(&ask("203.0.113.10", ADMIN)).await.status, 200);
}

#[tokio::test]
async fn a_prefix_is_taken_off_and_put_on() {
    let house = House::with(|config| {
        behind(config);
        config.base = "/files".parse().unwrap();
    })
    .await;
    let put =
        format!("PUT /files/d/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n{ADMIN}\r\nhi");
    let answer = house.plainly(&put).await;
    assert_eq!(
        (answer.status, answer.header("location")),
        (201, Some("/files/d/a"))
    );
    let html = format!("Accept: text/html\r\n{ADMIN}");
    let answer = house.plainly(&get("/files/d", "localhost", &html)).await;
    assert_eq!(
        (answer.status, answer.header("location")),
        (308, Some("/files/d/"))
    );
    let answer = house.plainly(&get("/files", "localhost", &html)).await;
    assert_eq!(
        (answer.status, answer.header("location")),
        (308, Some("/files/"))
    );
    let tus = format!(
        "POST /files/.gaveta/uploads HTTP/1.1\r\nHost: localhost\r\nTus-Resumable: 1.0.0\r\n\
         Upload-Length: 5\r\nUpload-Metadata: path {}\r\nContent-Length: 0\r\n{ADMIN}\r\n",
        "YQ=="
    );
    let answer = house.plainly(&tus).await;
    assert_eq!(answer.status, 201);
    assert!(
        answer
            .header("location")
            .unwrap()
            .starts_with("/files/.gaveta/uploads/")
    );
    for outside in ["/", "/d/a", "/files2/d/a", "/.gaveta/health"] {
        let answer = house.plainly(&get(outside, "localhost", ADMIN)).await;
        assert_eq!(answer.status, 404, "{outside}");
    }
    assert_eq!(
        house
            .plainly(&get("/files/d/a", "localhost", ADMIN))
            .await
            .body,
        b"hi"
    );
}
