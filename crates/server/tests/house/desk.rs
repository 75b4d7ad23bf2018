//! The page's forms for links, tokens and accounts: who may, what comes of it, and what is refused.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use gaveta_server::{AccountsFile, AuditPlan, HashedPassword};
use gaveta_testkit::http::Response;
use serde_json::json;

use super::audit::records;
use super::harness::House;

const FORM: (&str, &str) = ("Content-Type", "application/x-www-form-urlencoded");
/// By this a browser says that the request comes from a page of the server's own.
const OWN: (&str, &str) = ("Origin", "http://localhost");

/// A house with people: `boss` looks after it, `ana` edits `/team`, `vi` sees everything.
struct Office {
    house: House,
    file: AccountsFile,
    state: tempfile::TempDir,
}

fn basic(name: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{name}:{password}")))
}

impl Office {
    async fn new() -> Self {
        let state = tempfile::tempdir().unwrap();
        let file = AccountsFile::at(state.path().join("gaveta.toml"));
        let hash = HashedPassword::cheap("secret").unwrap().hash().to_owned();
        let account = |name: &str, grants: &str| {
            format!("[account.{name}]\npassword = '{hash}'\ngrants = {{ {grants} }}\n")
        };
        let text = [
            account("boss", "'/' = 'admin'"),
            account("ana", "'/team' = 'editor'"),
            account("vi", "'/' = 'viewer'"),
            account("lu", "'/' = 'list'"),
        ];
        std::fs::write(file.path(), text.concat()).unwrap();
        let house = House::with(|config| {
            config.accounts = file.read().unwrap();
            config.accounts_file = Some(file.clone());
            config.audit = Some(AuditPlan::at(state.path().join("audit.jsonl")));
        })
        .await;
        house.put("team/a.txt", b"shared").await;
        house.put("top.txt", b"top").await;
        Self { house, file, state }
    }

    /// A request of a browser's by somebody; nobody by an empty name.
    async fn ask(&self, name: &str, method: &str, at: &str, body: &str) -> Response {
        let shown = basic(name, "secret");
        let mut fields = vec![("Accept", "text/html"), FORM, OWN];
        if !name.is_empty() {
            fields.push(("Authorization", shown.as_str()));
        }
        self.house.ask(method, at, &fields, body.as_bytes()).await
    }

    async fn signs_in(&self, name: &str, password: &str) -> bool {
        let shown = basic(name, password);
        let fields = [("Authorization", shown.as_str())];
        let at = "/.gaveta/health";
        self.house.ask("GET", at, &fields, b"").await.status == 200
    }

    fn text(&self) -> String {
        std::fs::read_to_string(self.file.path()).unwrap()
    }
}

/// What the page of links shows as the new one's path, and its id.
fn link(page: &Response) -> String {
    let text = page.text();
    let (_, rest) = text.split_once("id=\"share-link\"").expect("no link");
    let (_, rest) = rest.split_once("value=\"http://localhost").unwrap();
    rest.split('"').next().unwrap().to_owned()
}

#[tokio::test]
async fn only_who_looks_after_the_server_looks_after_accounts_links_and_tokens() {
    let office = Office::new().await;
    let (bearer, ..) = office.house.token(&json!({"name": "all"})).await;
    let asked = [
        ("GET", "/.gaveta/admin/accounts", ""),
        ("GET", "/.gaveta/admin/account?name=vi", ""),
        ("GET", "/.gaveta/admin/links", ""),
        ("POST", "/.gaveta/admin/links", "end=x"),
        (
            "POST",
            "/.gaveta/admin/accounts",
            "do=add&name=x&password=1&at=/&what=admin",
        ),
        (
            "POST",
            "/.gaveta/admin/account?name=vi",
            "do=grant&at=/&what=admin",
        ),
        ("POST", "/.gaveta/admin/account?name=vi", "do=remove"),
    ];
    let before = office.text();
    for (method, at, body) in asked {
        for (name, status) in [("", 401), ("vi", 403), ("ana", 403)] {
            let refused = office.ask(name, method, at, body).await;
            assert_eq!(
                refused.status,
                status,
                "{name} {method} {at}: {}",
                refused.text()
            );
        }
        // Nor by a token of who may everything.
        let fields = [("Authorization", bearer.as_str()), FORM, OWN];
        let refused = office.house.ask(method, at, &fields, body.as_bytes()).await;
        assert_eq!(refused.status, 403, "token {method} {at}");
        // Nor by a page of elsewhere, nor by who does not say where it comes from.
        if method == "POST" {
            let boss = basic("boss", "secret");
            let boss = ("Authorization", boss.as_str());
            for fields in [
                &[boss, FORM][..],
                &[boss, FORM, ("Origin", "http://evil.example")],
            ] {
                let refused = office.house.ask(method, at, fields, body.as_bytes()).await;
                assert_eq!(refused.status, 403, "{fields:?} {at}");
            }
        }
    }
    assert_eq!(office.text(), before);
    for (method, at, body) in asked {
        let done = office.ask("boss", method, at, body).await;
        let status = match (method, at) {
            ("GET", _) => 200,
            (_, "/.gaveta/admin/links") => 404,
            _ => 303,
        };
        assert_eq!(done.status, status, "boss {method} {at}: {}", done.text());
    }
    assert!(office.signs_in("x", "1").await && !office.signs_in("vi", "secret").await);
}

#[tokio::test]
async fn an_account_is_made_changed_and_removed_and_all_of_it_counts_at_once_and_is_told() {
    let office = Office::new().await;
    let change = async |body: &str| {
        let done = office
            .ask(
                "boss",
                "POST",
                "/.gaveta/admin/account?name=jo%C3%A3o",
                body,
            )
            .await;
        assert_eq!(done.status, 303, "{body}: {}", done.text());
    };
    let sees = async |at: &str| {
        let shown = basic("joão", "long enough");
        let fields = [("Authorization", shown.as_str())];
        office.house.ask("GET", at, &fields, b"").await.status
    };
    let add = "do=add&name=jo%C3%A3o&password=long+enough&at=%2Fteam&what=viewer";
    let made = office
        .ask("boss", "POST", "/.gaveta/admin/accounts", add)
        .await;
    assert_eq!(made.status, 303, "{}", made.text());
    assert_eq!(
        made.header("location"),
        Some("/.gaveta/admin/account?name=jo%C3%A3o&done")
    );
    assert_eq!(
        (sees("/team/a.txt").await, sees("/top.txt").await),
        (200, 404)
    );
    change("do=grant&at=/&what=viewer").await;
    assert_eq!(sees("/top.txt").await, 200);
    change("do=grant&at=team&what=none").await;
    assert_eq!(
        (sees("/team/a.txt").await, sees("/top.txt").await),
        (404, 200)
    );
    change("do=forget&at=team&what=none").await;
    assert_eq!(sees("/team/a.txt").await, 200);
    change("do=set&quota=10G&expires=2099-01-31&disabled=yes").await;
    assert_eq!(sees("/top.txt").await, 401);
    let page = office
        .ask("boss", "GET", "/.gaveta/admin/account?name=jo%C3%A3o", "")
        .await;
    for shown in ["value=\"10G\"", "value=\"2099-01-31\"", "checked"] {
        assert!(page.text().contains(shown), "{shown}: {}", page.text());
    }
    // What stands as it was shown stays as it is; what is empty goes.
    change("do=set&quota=&quota-was=10G&expires=2099-01-31&expires-was=2099-01-31").await;
    assert!(office.text().contains("2099-01-31") && !office.text().contains("10G"));
    assert_eq!(sees("/top.txt").await, 200);
    change("do=password&password=another+one").await;
    assert_eq!(sees("/top.txt").await, 401);
    assert!(office.signs_in("joão", "another one").await);
    change("do=remove").await;
    assert!(!office.signs_in("joão", "another one").await && !office.text().contains("joão"));
    let told = records(&office.house, "account=boss", 10).await;
    let words: Vec<String> = told
        .iter()
        .map(|record| {
            assert_eq!(
                (&record["door"], &record["result"]),
                (&json!("http"), &json!("done"))
            );
            assert_eq!(record["from"], "127.0.0.1", "{record}");
            let word = |name: &str| record[name].as_str().unwrap_or_default();
            format!("{} {} {}", word("operation"), word("about"), word("path"))
        })
        .collect();
    for expected in [
        "account-add joão ",
        "account-grant joão=viewer /",
        "account-grant joão=none /team",
        "account-grant-remove joão /team",
        "account-remove joão ",
    ] {
        assert_eq!(
            words.iter().filter(|word| *word == expected).count(),
            1,
            "{words:?}"
        );
    }
    let log = std::fs::read_to_string(office.state.path().join("audit.jsonl")).unwrap();
    assert!(!log.contains("another") && !log.contains("argon2"));
}

#[tokio::test]
async fn nobody_locks_himself_out_and_what_makes_no_sense_is_said_and_changes_nothing() {
    let office = Office::new().await;
    let before = office.text();
    let new = "/.gaveta/admin/accounts";
    for (at, body, status) in [
        // His own.
        ("/.gaveta/admin/account?name=boss", "do=remove", 403),
        (
            "/.gaveta/admin/account?name=boss",
            "do=grant&at=/&what=viewer",
            403,
        ),
        (
            "/.gaveta/admin/account?name=boss",
            "do=set&disabled=yes",
            403,
        ),
        (
            "/.gaveta/admin/account?name=boss",
            "do=set&expires=2020-01-01",
            403,
        ),
        // In the administrator's place.
        (new, "do=add&name=admin&password=x&at=/&what=none", 403),
        ("/.gaveta/admin/account?name=admin", "do=remove", 403),
        // Of a name that is taken, or looks so.
        (new, "do=add&name=ana&password=x&at=/&what=none", 412),
        (new, "do=add&name=ANA&password=x&at=/&what=none", 412),
        // Nonsense.
        (new, "do=add&name=a%20b&password=x&at=/&what=none", 400),
        (new, "do=add&name=&password=x&at=/&what=none", 400),
        (new, "do=add&name=x&password=&at=/&what=none", 400),
        (new, "do=add&name=x&password=x&at=/../x&what=none", 400),
        (new, "do=add&name=x&password=x&at=/&what=god", 400),
        (new, "do=dance&name=x", 400),
        ("/.gaveta/admin/account?name=ana", "do=set&quota=much", 400),
        (
            "/.gaveta/admin/account?name=ana",
            "do=set&expires=soon",
            400,
        ),
        ("/.gaveta/admin/account?name=ana", "", 400),
        // Nobody.
        ("/.gaveta/admin/account?name=nobody", "do=remove", 404),
        ("/.gaveta/admin/account?name=%22%5D%0Ax", "do=remove", 404),
    ] {
        let refused = office.ask("boss", "POST", at, body).await;
        assert_eq!(refused.status, status, "{at} {body}: {}", refused.text());
        if status != 404 {
            assert!(refused.text().contains("role=\"alert\""), "{at} {body}");
        }
        assert_eq!(office.text(), before, "{at} {body}");
    }
    // Markup in what was given stays text.
    let said = office
        .ask(
            "boss",
            "POST",
            new,
            "do=add&name=%3Cb%3Ex&password=x&at=/&what=none",
        )
        .await;
    assert!(
        said.status == 400 && !said.text().contains("<b>x"),
        "{}",
        said.text()
    );
    // His own password he changes, and is asked for the new one.
    let own = "/.gaveta/admin/account?name=boss";
    assert_eq!(
        office
            .ask("boss", "POST", own, "do=password&password=next")
            .await
            .status,
        303
    );
    assert!(!office.signs_in("boss", "secret").await && office.signs_in("boss", "next").await);
    let refused = records(&office.house, "account=boss&failed=true", 5).await;
    assert!(
        refused.iter().any(|record| record["about"] == "admin"),
        "{refused:?}"
    );
}

#[tokio::test]
async fn the_page_offers_no_removal_of_the_administrator_and_names_a_path_to_its_last_blank() {
    let office = Office::new().await;
    let text = format!("{}[account.admin]\n", office.text());
    let text = text.replace("'/team' = 'editor'", "'/team ' = 'editor'");
    std::fs::write(office.file.path(), text).unwrap();
    let at = |name: &str| format!("/.gaveta/admin/account?name={name}");
    let page = async |name: &str| {
        let page = office.ask("boss", "GET", &at(name), "").await.text();
        page.contains("value=\"remove\"")
    };
    tokio::time::timeout(super::harness::HUNG, async {
        let followed = async || {
            let page = office.ask("boss", "GET", &at("admin"), "").await;
            page.text().contains("name=\"disabled\"")
        };
        while !followed().await {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    })
    .await
    .unwrap();
    assert!(page("ana").await && !page("admin").await);
    // As the page names it, and as a person types it.
    let forget = |at: &str| format!("do=forget&{at}=%2Fteam%20&what=none");
    for (field, stays) in [("at", true), ("exactly", false)] {
        let done = office.ask("boss", "POST", &at("ana"), &forget(field)).await;
        assert_eq!(done.status, 303, "{}", done.text());
        assert_eq!(office.text().contains("'/team '"), stays, "{field}");
    }
}

#[tokio::test]
async fn a_link_is_made_by_a_form_shown_once_listed_and_ended() {
    let office = Office::new().await;
    let at = "/.gaveta/share?at=team&name=a.txt";
    let question = office.ask("ana", "GET", at, "").await;
    assert_eq!(question.status, 200);
    assert!(!question.text().contains("id=\"share-link\""));
    let made = office
        .ask("ana", "POST", at, "way=get&seconds=3600&password=&limit=2")
        .await;
    assert_eq!(made.status, 200, "{}", made.text());
    assert_eq!(made.header("cache-control"), Some("no-store"));
    assert!(made.text().contains("<svg class=\"qr\""));
    let link = link(&made);
    let got = office.house.ask("GET", &link, &[], b"").await;
    assert_eq!((got.status, got.text().as_str()), (200, "shared"));
    // It is in the list, without its secret, and only in hers.
    let secret = link.split('/').nth(3).unwrap();
    let listed = office.ask("ana", "GET", at, "").await.text();
    assert!(listed.contains("/team/a.txt") && !listed.contains(secret));
    let (_, rest) = listed.split_once("name=\"end\" value=\"").unwrap();
    let id = rest.split('"').next().unwrap().to_owned();
    let vi = office.ask("vi", "GET", at, "").await;
    assert!(vi.status == 200 && !vi.text().contains(&id));
    let boss = office
        .ask("boss", "GET", "/.gaveta/admin/links", "")
        .await
        .text();
    assert!(boss.contains(&id) && boss.contains("ana"));
    // Somebody else's is not there for others, but for who looks after the server.
    let end = format!("end={id}");
    assert_eq!(office.ask("vi", "POST", at, &end).await.status, 404);
    assert_eq!(
        office
            .ask("boss", "POST", "/.gaveta/admin/links", &end)
            .await
            .status,
        303
    );
    assert_eq!(office.house.ask("GET", &link, &[], b"").await.status, 404);
    // With a password, into a folder.
    let folder = "/.gaveta/share?at=&name=team";
    let made = office
        .ask(
            "ana",
            "POST",
            folder,
            "way=drop&seconds=&password=p+w&limit=",
        )
        .await;
    let link = self::link(&made);
    assert_eq!(
        office
            .house
            .ask("PUT", &format!("{link}new"), &[], b"x")
            .await
            .status,
        401
    );
    let shown = basic("", "p w");
    let fields = [("Authorization", shown.as_str())];
    let sent = office
        .house
        .ask("PUT", &format!("{link}new"), &fields, b"x")
        .await;
    assert_eq!(sent.status, 201, "{}", sent.text());
    assert!(office.house.has("team/new").await);
}

#[tokio::test]
async fn a_link_is_made_only_of_what_its_maker_may_and_by_himself() {
    let office = Office::new().await;
    let (bearer, ..) = office.house.token(&json!({"name": "all"})).await;
    for (name, at, body, status) in [
        ("", "?at=&name=top.txt", "way=get", 401),
        ("ana", "?at=&name=top.txt", "way=get", 404),
        ("vi", "?at=&name=top.txt", "way=get", 200),
        ("vi", "?at=&name=team", "way=drop", 403),
        ("boss", "?at=&name=top.txt", "way=drop", 409),
        ("boss", "?at=&name=nothing", "way=get", 404),
        ("boss", "?at=&name=top.txt&name=team", "way=get", 400),
        ("boss", "?at=..", "way=get", 400),
        ("boss", "?at=&name=top.txt", "way=get&limit=0", 400),
        ("boss", "?at=&name=top.txt", "way=get&limit=many", 400),
        ("boss", "?at=&name=top.txt", "way=get&seconds=0", 400),
        (
            "boss",
            "?at=&name=top.txt",
            "way=get&seconds=99999999999999999999",
            400,
        ),
        ("boss", "?at=&name=top.txt", "way=dance", 400),
        ("boss", "?at=&name=top.txt", "limit=1", 400),
        ("boss", "?at=", "way=drop", 200),
    ] {
        let at = format!("/.gaveta/share{at}");
        let answer = office.ask(name, "POST", &at, body).await;
        assert_eq!(
            answer.status,
            status,
            "{name} {at} {body}: {}",
            answer.text()
        );
    }
    let fields = [("Authorization", bearer.as_str()), FORM, OWN];
    let at = "/.gaveta/share?at=&name=top.txt";
    assert_eq!(
        office
            .house
            .ask("POST", at, &fields, b"way=get")
            .await
            .status,
        403
    );
    let boss = basic("boss", "secret");
    let fields = [("Authorization", boss.as_str()), FORM];
    assert_eq!(
        office
            .house
            .ask("POST", at, &fields, b"way=get")
            .await
            .status,
        403
    );
    assert_eq!(office.ask("boss", "PUT", at, "").await.status, 405);
    // The button is there only for who may.
    for (name, offered) in [("vi", true), ("ana", true), ("boss", true), ("lu", false)] {
        let page = office.ask(name, "GET", "/team/", "").await;
        assert_eq!(page.status, 200, "{name}");
        let has = page.text().contains("data-act=\"share\"");
        assert_eq!(has, offered, "{name}");
    }
}
