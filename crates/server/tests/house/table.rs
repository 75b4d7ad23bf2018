//! Every operation, by every door, for every role, beside what the grants say.
//!
//! A new operation without a row does not compile ([`rows_of`](rows::rows_of)) or fails
//! [`nothing_is_without_a_row`].

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::StreamExt;
use gaveta_core::{Account, AccountKind, Action, Actions, Grant, Grants, Operation, Path};
use gaveta_server::{Book, HashedPassword, Record};
use gaveta_wire::route;
use gaveta_wire::session::CALLS;

mod rows;

use super::harness::House;
use rows::{Door, How, Row, TUS, rows_of};

const PASSWORD: &str = "right one";

/// What one may be granted: (name, grants). The first is whoever does not sign in.
const ROLES: &[(&str, &[(&str, &str)])] = &[
    ("visitor", &[("/", "list,read")]),
    ("nobody", &[]),
    ("viewer", &[("/", "viewer")]),
    ("contributor", &[("/", "contributor")]),
    ("editor", &[("/", "editor")]),
    ("boss", &[("/", "admin")]),
    ("lister", &[("/", "list")]),
    ("dropper", &[("/", "create")]),
    ("deleter", &[("/", "list,delete")]),
    ("replacer", &[("/", "viewer,replace")]),
    ("elsewhere", &[("/other", "editor")]),
    ("inside", &[("/team", "editor")]),
    ("deep", &[("/team/deep", "editor")]),
    ("kept-out", &[("/", "editor"), ("/team", "none")]),
    ("half", &[("/", "editor"), ("/team/deep", "viewer")]),
];

/// The calls that are no operation on the drawer: they need nothing, and are tried elsewhere.
const FREE: &[&str] = &["sign-in", "sign-out", "whoami", "help", "ping", "unwatch"];

fn path(text: &str) -> Path {
    Path::parse(text).unwrap()
}

fn grants_of(rules: &[(&str, &str)]) -> Grants {
    Grants::new(rules.iter().map(|(at, what)| Grant {
        path: path(at.trim_start_matches('/')),
        actions: Actions::parse(what).unwrap(),
    }))
}

/// What the grants say of a row: none when it may be done, else the status.
fn refusal(account: &Account, row: &Row) -> Option<u16> {
    let grants = account.grants();
    for (action, at, beneath) in row.needs {
        let at = path(at);
        let granted = match beneath {
            true => grants.allow_beneath(*action, &at),
            false => grants.allow(*action, &at),
        };
        if granted || (row.sight && grants.shows(&at)) {
            continue;
        }
        return Some(match account.kind() {
            AccountKind::Visitor => 401,
            _ if grants.shows(&at) => 403,
            _ => 404,
        });
    }
    None
}

async fn house() -> House {
    let password = HashedPassword::cheap(PASSWORD).unwrap();
    let mut book = Book::default();
    for (name, rules) in ROLES {
        match *name {
            "visitor" => book.anonymous = Some(grants_of(rules)),
            name => book.records.push(Record {
                password: Some(password.clone()),
                ..Record::new(name, grants_of(rules))
            }),
        }
    }
    let house = House::with(|config| config.accounts = book).await;
    for at in [
        "team/a",
        "team/over",
        "team/over-tus",
        "team/gone",
        "team/deep/x",
        "other/a",
    ] {
        house.put(at, b"old").await;
    }
    house.put("team/trashed", b"old").await;
    let trashed = path("team/trashed");
    house
        .store
        .remove(&trashed, Default::default())
        .await
        .unwrap();
    house
}

/// What is asked, of the thing that is in the trash.
async fn about(house: &House, text: &str) -> String {
    let trash = house.store.trash().unwrap();
    let mut all = trash.trashed(Default::default()).await.unwrap();
    let one = all.next().await.unwrap().unwrap();
    text.replace("TRASHED", one.id.as_str())
}

fn sign_in(name: &str) -> Option<String> {
    let pair = STANDARD.encode(format!("{name}:{PASSWORD}"));
    (name != "visitor").then(|| format!("Basic {pair}"))
}

/// How somebody comes in.
#[derive(Debug, Clone, Copy)]
enum By {
    /// By his name and password.
    Name(&'static str),
    /// By a token of the administrator's, or a share of his, made so.
    Key(&'static str, &'static str),
}

impl By {
    /// Who this is, to tell whose an upload is.
    fn name(self) -> &'static str {
        match self {
            Self::Name(name) => name,
            Self::Key(route, _) => route,
        }
    }

    /// What he shows at this house.
    async fn shows(self, house: &House) -> Vec<(&'static str, String)> {
        let shown = match self {
            Self::Name(name) => sign_in(name),
            Self::Key(route, body) => {
                let boss = sign_in("boss").unwrap();
                let fields = [
                    ("Authorization", boss.as_str()),
                    ("Content-Type", "application/json"),
                ];
                let made = house.ask("POST", route, &fields, body.as_bytes()).await;
                assert_eq!(made.status, 201, "{route} {body}");
                let text = String::from_utf8(made.body).unwrap();
                let from = text.find("gvt_").or_else(|| text.find("gvs_")).unwrap();
                let secret = text[from..].split(['"', '/']).next().unwrap();
                Some(format!("Bearer {secret}"))
            }
        };
        shown
            .map(|shown| ("Authorization", shown))
            .into_iter()
            .collect()
    }
}

fn lent<'a>(who: &'a [(&'static str, String)]) -> Vec<(&'a str, &'a str)> {
    who.iter().map(|(a, b)| (*a, b.as_str())).collect()
}

/// The status of a row for whoever comes in so; by every way there is, on a house of its own each.
async fn tried(row: &Row, by: By) -> Vec<(Door, u16)> {
    let name = by.name();
    match row.how {
        How::Request(method, target, fields, body) => {
            let house = house().await;
            let who = by.shows(&house).await;
            let who = lent(&who);
            let fields = [&who[..], fields].concat();
            let target = about(&house, target).await;
            let reply = house.ask(method, &target, &fields, body.as_bytes()).await;
            vec![(row.door, reply.status)]
        }
        How::OwnUpload(method, rest, fields, body) => {
            let house = house().await;
            let who = by.shows(&house).await;
            let who = lent(&who);
            // `path team/own`.
            let begin = [
                TUS,
                ("Upload-Length", "3"),
                ("Upload-Metadata", "path dGVhbS9vd24="),
            ];
            let begun = house
                .ask(
                    "POST",
                    "/.gaveta/uploads",
                    &[&who[..], &begin].concat(),
                    b"",
                )
                .await;
            if begun.status != 201 {
                return vec![(row.door, begun.status)];
            }
            let at = format!("{}{rest}", begun.header("location").unwrap());
            // Nobody else has it, whatever he may.
            let other = [("Authorization", sign_in("inside").unwrap())];
            if name != "inside" && name != "boss" {
                let other: Vec<(&str, &str)> =
                    other.iter().map(|(a, b)| (*a, b.as_str())).collect();
                let reply = house
                    .ask(method, &at, &[&other[..], fields].concat(), body.as_bytes())
                    .await;
                assert_eq!(reply.status, 404, "somebody else's upload: {method} {name}");
            }
            let fields = [&who[..], fields].concat();
            let reply = house.ask(method, &at, &fields, body.as_bytes()).await;
            vec![(row.door, reply.status)]
        }
        How::Call(call) => {
            let watches = call.contains("\"watch\"");
            let mut statuses = Vec::new();
            if !watches {
                let house = house().await;
                let who = by.shows(&house).await;
                let who = lent(&who);
                let call = about(&house, call).await;
                let (status, _) = house.command(&who, &call).await;
                statuses.push((Door::Command, status));
            }
            let house = house().await;
            let who = by.shows(&house).await;
            let who = lent(&who);
            let (mut session, _) = house.session_with(&who).await.unwrap();
            let reply = session.ask(&about(&house, call).await).await;
            let status = match reply["error"]["code"].as_str() {
                None => 200,
                Some("sign-in-needed") => 401,
                Some("denied") => 403,
                Some("not-found") => 404,
                Some(other) => panic!("{call} {name}: {other}"),
            };
            statuses.push((Door::Session, status));
            statuses
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_operation_by_every_door_is_what_the_grants_say() {
    let mut wrong = Vec::new();
    for (name, rules) in ROLES {
        let grants = grants_of(rules);
        let account = match *name {
            "visitor" => Account::visitor(grants),
            name => Account::named(name, grants),
        };
        for row in Operation::ALL.into_iter().flat_map(rows_of) {
            let expected = refusal(&account, &row);
            for (door, status) in tried(&row, By::Name(name)).await {
                let right = match expected {
                    None => status < 400,
                    Some(expected) => status == expected,
                };
                if !right {
                    let how = &row.how;
                    wrong.push(format!(
                        "{name} {door:?} {how:?}: {status}, not {expected:?}"
                    ));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

type Key = (
    &'static str,
    &'static str,
    &'static [(&'static str, &'static str)],
);

/// What a token or a share of the administrator's gives: how it is made, and the grants it comes to.
const KEYS: &[Key] = &[
    (
        route::TOKENS,
        r#"{"name":"all","scopes":[]}"#,
        &[("/", "admin")],
    ),
    (
        route::TOKENS,
        r#"{"name":"look","scopes":[{"path":"team","actions":"viewer"}]}"#,
        &[("/team", "viewer")],
    ),
    (
        route::TOKENS,
        r#"{"name":"two","scopes":[{"path":"team/deep","actions":"editor"},{"path":"other","actions":"create"}]}"#,
        &[("/team/deep", "editor"), ("/other", "create")],
    ),
    (
        route::SHARES,
        r#"{"path":"team","way":"get"}"#,
        &[("/team", "list,read")],
    ),
    (
        route::SHARES,
        r#"{"path":"team/a","way":"get"}"#,
        &[("/team/a", "list,read")],
    ),
    (
        route::SHARES,
        r#"{"path":"team","way":"drop"}"#,
        &[("/team", "create")],
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn every_operation_by_a_token_or_a_share_is_what_it_gives() {
    let mut wrong = Vec::new();
    for (made_at, body, rules) in KEYS {
        let grants = grants_of(rules);
        let boss = Account::named("boss", grants_of(&[("/", "admin")]));
        let account = match *made_at {
            route::SHARES => Account::share("share", &boss, grants),
            _ => boss.by_token(&grants),
        };
        for row in Operation::ALL.into_iter().flat_map(rows_of) {
            let expected = refusal(&account, &row);
            for (door, status) in tried(&row, By::Key(made_at, body)).await {
                let right = match expected {
                    None => status < 400,
                    Some(expected) => status == expected,
                };
                if !right {
                    let how = &row.how;
                    wrong.push(format!(
                        "{body} {door:?} {how:?}: {status}, not {expected:?}"
                    ));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What is no operation on a path: by which address, and what only who manages is told there.
const OF_WHO_MANAGES: &[(&str, &str)] = &[
    ("/.gaveta/connected", "\"connected\""),
    ("/.gaveta/admin", "id=\"connected\""),
];

#[tokio::test]
async fn who_is_connected_is_told_to_who_manages_and_to_nobody_else() {
    let house = house().await;
    let keys = async |made_at: &str, body: &str| {
        let boss = sign_in("boss").unwrap();
        let fields = [
            ("Authorization", boss.as_str()),
            ("Content-Type", "application/json"),
        ];
        let made = house.ask("POST", made_at, &fields, body.as_bytes()).await;
        let made: serde_json::Value = serde_json::from_slice(&made.body).unwrap();
        let link = made["link"]
            .as_str()
            .and_then(|link| link.split('/').find(|part| part.starts_with("gvs_")));
        let secret = made["secret"].as_str().or(link);
        format!("Bearer {}", secret.expect("no secret"))
    };
    let mut all: Vec<(String, Option<String>, Grants)> = Vec::new();
    for (name, rules) in ROLES {
        all.push(((*name).to_owned(), sign_in(name), grants_of(rules)));
    }
    for (made_at, body, rules) in KEYS {
        let shown = keys(made_at, body).await;
        all.push(((*body).to_owned(), Some(shown), grants_of(rules)));
    }
    for (name, shown, grants) in &all {
        let manages = grants.allow(Action::Manage, &Path::root());
        for (at, told) in OF_WHO_MANAGES {
            let mut fields = vec![("Accept", "text/html")];
            fields.extend(shown.as_deref().map(|shown| ("Authorization", shown)));
            let got = house.ask("GET", at, &fields, b"").await;
            let status = match (manages, name.as_str()) {
                (true, _) => 200,
                (false, "visitor") => 401,
                (false, _) => 403,
            };
            assert_eq!(got.status, status, "{name} {at}: {}", got.text());
            assert_eq!(got.text().contains(told), manages, "{name} {at}");
        }
    }
    assert!(
        all.iter()
            .filter(|(.., grants)| grants.allow(Action::Manage, &Path::root()))
            .count()
            > 1
    );
}

#[test]
fn nothing_is_without_a_row() {
    let rows: Vec<Row> = Operation::ALL.into_iter().flat_map(rows_of).collect();
    for operation in Operation::ALL {
        assert!(
            rows.iter().any(|row| row.operation == operation),
            "{operation:?}"
        );
    }
    let calls: BTreeSet<&str> = rows
        .iter()
        .filter_map(|row| match &row.how {
            How::Call(call) => call.split("\"do\":\"").nth(1)?.split('"').next(),
            How::Request(..) | How::OwnUpload(..) => None,
        })
        .chain(FREE.iter().copied())
        .collect();
    assert_eq!(calls, CALLS.iter().copied().collect());
    let doors: BTreeSet<Door> = rows.iter().map(|row| row.door).collect();
    let all = [
        Door::Files,
        Door::Uploads,
        Door::Chunks,
        Door::Trash,
        Door::Session,
    ];
    assert_eq!(doors, all.into_iter().collect());
}
