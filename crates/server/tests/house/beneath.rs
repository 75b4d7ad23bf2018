//! Behind a proxy that serves us beneath a prefix, and hands paths on as they are.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::harness::{ADMIN, House};

const BASE: &str = "/in/files";
const PAGE: (&str, &str) = ("Accept", "text/html");

/// The addresses that a page names, as they stand there.
fn addresses(page: &str) -> BTreeSet<String> {
    let marks = [" href=\"", " src=\"", " action=\"", " formaction=\""];
    let named = marks.iter().flat_map(|mark| page.split(*mark).skip(1));
    named
        .filter_map(|rest| rest.split('"').next())
        .map(|address| address.replace("&amp;", "&"))
        .collect()
}

async fn house() -> House {
    let house = House::with(|config| config.base = BASE.parse().unwrap()).await;
    house.put("docs/a b.txt", b"content").await;
    house.put("docs/deep/c.txt", b"content").await;
    house
}

/// Makes a share: its link.
async fn share(house: &House, body: &Value) -> String {
    let fields = [ADMIN, ("Content-Type", "application/json")];
    let text = body.to_string();
    let shares = format!("{BASE}/.gaveta/shares");
    let made = house.ask("POST", &shares, &fields, text.as_bytes()).await;
    assert_eq!(made.status, 201, "{}", made.text());
    let made: Value = serde_json::from_slice(&made.body).unwrap();
    made["link"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn every_address_of_every_page_lies_beneath_it() {
    let house = house().await;
    let file = share(&house, &json!({"path": "docs/a b.txt"})).await;
    let folder = share(&house, &json!({"path": "docs"})).await;
    let drop = share(&house, &json!({"path": "docs", "way": "drop"})).await;
    // The place of a file's link, which is the page about it.
    let place = |link: &str| format!("{}/", link.rsplit_once('/').unwrap().0);
    let mut asked = vec![place(&file), place(&folder), place(&drop)];
    for path in [
        "/",
        "/docs/",
        "/docs/?sort=size",
        "/docs/nothing",
        "/.gaveta/sign-in?back=%2Fdocs%2F",
        "/.gaveta/search?q=c&at=docs",
        "/.gaveta/ask?do=move&at=docs&name=a%20b.txt",
        "/.gaveta/admin",
        "/.gaveta/nothing",
    ] {
        asked.push(format!("{BASE}{path}"));
    }
    let mut named = 0;
    for (page, fields) in asked
        .iter()
        .flat_map(|page| [(page, &[PAGE][..]), (page, &[PAGE, ADMIN])])
    {
        // Whoever follows a link comes by the link; whoever has signed in is led on.
        let visitors = page.contains("/.gaveta/s/") || page.contains("sign-in");
        if visitors && fields.len() > 1 {
            continue;
        }
        let answer = house.ask("GET", page, fields, b"").await;
        let text = answer.text();
        assert!(text.contains("</html>"), "{page}: {text}");
        for address in addresses(&text) {
            named += 1;
            if address.starts_with('/') {
                assert!(address.starts_with("/in/files/"), "{address} in {page}");
            } else {
                let outside = address.contains(':') || address.starts_with("../../../../");
                assert!(!outside, "{address} in {page}");
                continue;
            }
            if !text.contains(&format!("action=\"{address}\"").replace('&', "&amp;")) {
                let there = house.ask("GET", &address, fields, b"").await;
                assert!(
                    there.status < 400 || there.status == 401,
                    "{address} in {page}: {}",
                    there.status
                );
            }
        }
    }
    assert!(named > 100, "only {named} addresses were looked at");
}

#[tokio::test]
async fn what_is_told_beside_pages_lies_beneath_it_too() {
    let house = house().await;
    let link = share(&house, &json!({"path": "docs/a b.txt"})).await;
    assert!(link.starts_with("/in/files/.gaveta/s/"), "{link}");
    assert_eq!(house.ask("GET", &link, &[], b"").await.text(), "content");
    let page = house.ask("GET", "/in/files/", &[PAGE], b"").await.text();
    assert!(page.contains(" data-base=\"/in/files\""), "{page}");
    let browser = [PAGE, ("Sec-Fetch-Site", "same-origin")];
    let refused = house
        .ask("GET", "/in/files/.gaveta/admin", &browser, b"")
        .await;
    assert_eq!(refused.status, 401);
    let asks = refused.header("www-authenticate").unwrap();
    assert!(asks.contains("\"/in/files/.gaveta/sign-in\""), "{asks}");
    // The manifest leads to where the page is, by its own place.
    let manifest = addresses(&page);
    let manifest = manifest.iter().find(|a| a.ends_with("/manifest.json"));
    let manifest = manifest.unwrap();
    let told = house.ask("GET", manifest, &[], b"").await;
    let told: Value = serde_json::from_slice(&told.body).unwrap();
    let ups = told["start_url"].as_str().unwrap();
    assert_eq!(ups.replace("../", ""), "");
    let names: Vec<&str> = manifest.split('/').collect();
    let left = names.len() - 1 - ups.matches("../").count();
    assert_eq!(names[..left].join("/"), BASE);
    assert_eq!(told["scope"], told["start_url"]);
    // Not beneath it, nothing is.
    assert_eq!(house.ask("GET", "/docs/", &[PAGE], b"").await.status, 404);
    let bare = house.ask("GET", BASE, &[PAGE], b"").await;
    assert_eq!(
        (bare.status, bare.header("location")),
        (308, Some("/in/files/"))
    );
}
