//! What became of accounts, for the audit log: one record for each change. Never a hash.

use std::collections::{BTreeMap, HashMap, HashSet};

use gaveta_core::{Account, Actions, Grants, Path};
use gaveta_text::exact_time;
use gaveta_wire::audit::{AuditBody, DONE};

use super::{Book, HashedPassword, Record, SshKey};

/// What is different in the new book, in the order of its accounts; those that are gone come last.
/// Who did it and how is still to be said.
pub(crate) fn between(old: &Book, new: &Book) -> Vec<AuditBody> {
    let known = by_name(old);
    let mut told = Vec::new();
    let (before, now) = (&old.anonymous, &new.anonymous);
    grants(Account::VISITOR, before.as_ref(), now.as_ref(), &mut told);
    for record in &new.records {
        match known.get(record.name.as_str()) {
            Some(before) => changed(before, record, &mut told),
            None => {
                told.push(body("account-add", record.name.clone()));
                let nothing = Record::new(&record.name, Grants::none());
                changed(&nothing, record, &mut told);
            }
        }
    }
    let still = by_name(new);
    let gone = old.records.iter().map(|record| record.name.as_str());
    for name in gone.filter(|name| !still.contains_key(name)) {
        told.push(body("account-remove", name.to_owned()));
    }
    told
}

/// The accounts of the old book that are not in the new one.
pub(crate) fn gone(old: &Book, new: &Book) -> HashSet<String> {
    let still = by_name(new);
    let old = old.records.iter().map(|record| &record.name);
    old.filter(|name| !still.contains_key(name.as_str()))
        .cloned()
        .collect()
}

/// The accounts that only one of the two books has, and those that have another password in the
/// new one. The administrator's does not begin with the book that first names it.
pub(crate) fn touched(old: &Book, new: &Book) -> HashSet<String> {
    let (before, now) = (by_name(old), by_name(new));
    let names = before.keys().chain(now.keys());
    let differs = |name: &&&str| match (before.get(**name), now.get(**name)) {
        (Some(before), Some(now)) => hash(before) != hash(now),
        (None, _) => **name != Account::ADMIN,
        (_, None) => true,
    };
    names
        .filter(differs)
        .map(|name| (*name).to_owned())
        .collect()
}

fn by_name(book: &Book) -> HashMap<&str, &Record> {
    let records = book.records.iter();
    records
        .map(|record| (record.name.as_str(), record))
        .collect()
}

fn body(operation: &str, about: String) -> AuditBody {
    AuditBody {
        operation: operation.to_owned(),
        about: Some(about),
        result: DONE.to_owned(),
        ..AuditBody::default()
    }
}

fn hash(record: &Record) -> Option<&str> {
    record.password.as_ref().map(HashedPassword::hash)
}

fn changed(old: &Record, new: &Record, told: &mut Vec<AuditBody>) {
    let name = new.name.as_str();
    if hash(old) != hash(new) {
        told.push(body("account-password", name.to_owned()));
    }
    grants(name, Some(&old.grants), Some(&new.grants), told);
    for (operation, from, to) in [("account-key", new, old), ("account-key-remove", old, new)] {
        for key in from.keys.iter().filter(|key| !to.keys.contains(key)) {
            told.push(body(operation, format!("{name}={}", called(key))));
        }
    }
    let none = || "none".to_owned();
    let quota = |record: &Record| record.quota.map_or_else(none, |bytes| bytes.to_string());
    let expires = |record: &Record| record.expires.map_or_else(none, exact_time);
    for (word, before, now) in [
        ("quota", quota(old), quota(new)),
        ("expires", expires(old), expires(new)),
        (
            "disabled",
            old.disabled.to_string(),
            new.disabled.to_string(),
        ),
    ] {
        if before != now {
            told.push(body("account-set", format!("{name} {word}={now}")));
        }
    }
}

/// A key by its kind and what its owner calls it.
fn called(key: &SshKey) -> String {
    format!("{} {}", key.kind, key.comment)
        .trim_end()
        .to_owned()
}

fn grants(name: &str, old: Option<&Grants>, new: Option<&Grants>, told: &mut Vec<AuditBody>) {
    let (old, new) = (rules(old), rules(new));
    let at = |path: &Path, record: AuditBody| AuditBody {
        path: Some(path.to_string()),
        ..record
    };
    for (path, actions) in &new {
        if old.get(path) != Some(actions) {
            let record = body("account-grant", format!("{name}={actions}"));
            told.push(at(path, record));
        }
    }
    for path in old.keys().filter(|path| !new.contains_key(path)) {
        told.push(at(path, body("account-grant-remove", name.to_owned())));
    }
}

fn rules(grants: Option<&Grants>) -> BTreeMap<Path, Actions> {
    let all = grants.into_iter().flat_map(Grants::iter);
    all.map(|grant| (grant.path, grant.actions)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA ana@laptop";

    fn told(old: &str, new: &str) -> Vec<String> {
        let [old, new] = [old, new].map(|text| Book::parse(text).unwrap());
        let told = between(&old, &new).into_iter();
        told.map(|record| {
            assert_eq!(record.result, DONE);
            let path = record.path.unwrap_or_default();
            format!("{} {} {path}", record.operation, record.about.unwrap())
        })
        .map(|line| line.trim_end().to_owned())
        .collect()
    }

    #[test]
    fn each_change_is_told_once_and_no_secret_with_it() {
        let hash = super::super::HashedPassword::cheap("a").unwrap();
        let ana = format!(
            "[account.ana]\npassword = '{}'\nquota = '1k'\nkeys = ['{KEY}']\n\
             grants = {{ '/' = 'viewer', '/team' = 'editor' }}\n",
            hash.hash()
        );
        assert_eq!(
            told("", &ana),
            [
                "account-add ana",
                "account-password ana",
                "account-grant ana=viewer /",
                "account-grant ana=editor /team",
                "account-key ana=ssh-ed25519 ana@laptop",
                "account-set ana quota=1024",
            ]
        );
        assert!(told(&ana, &ana).is_empty());
        let other = "[anonymous]\n'/pub' = 'viewer'\n[account.ana]\ndisabled = true\n\
                     grants = { '/' = 'viewer', '/team' = 'none' }\n[account.bia]\n";
        assert_eq!(
            told(&ana, other),
            [
                "account-grant visitor=viewer /pub",
                "account-password ana",
                "account-grant ana=none /team",
                "account-key-remove ana=ssh-ed25519 ana@laptop",
                "account-set ana quota=none",
                "account-set ana disabled=true",
                "account-add bia",
            ]
        );
        assert_eq!(
            told(other, "[account.bia]\ngrants = { '/' = 'viewer' }\n"),
            [
                "account-grant-remove visitor /pub",
                "account-grant bia=viewer /",
                "account-remove ana",
            ]
        );
    }
}
