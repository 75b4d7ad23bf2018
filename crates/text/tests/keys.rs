//! Both languages say the same things, with the same arguments, and nothing is said nowhere.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests may"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Keys of these beginnings are made by code from a stable code.
const MADE_BY_CODE: [&str; 3] = ["error-", "hint-", "advice-"];

fn crates() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_owned()
}

/// key → the arguments it names, of all files of a language.
fn messages(lang: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut all = BTreeMap::new();
    for file in fs::read_dir(crates().join("text/locales").join(lang)).unwrap() {
        let source = fs::read_to_string(file.unwrap().path()).unwrap();
        let mut key = String::new();
        for line in source.lines() {
            assert!(!line.starts_with('-'), "terms are not used here: {line}");
            if line.starts_with(|c: char| c.is_ascii_lowercase()) {
                key = line.split_once('=').expect(line).0.trim().to_owned();
                assert!(
                    all.insert(key.clone(), BTreeSet::new()).is_none(),
                    "{key} twice in {lang}"
                );
            }
            if line.starts_with('#') || key.is_empty() {
                continue;
            }
            for part in line.split('$').skip(1) {
                let name = part.split(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_');
                all.get_mut(&key).unwrap().insert(name.take(1).collect());
            }
        }
    }
    all
}

fn sources(folder: &Path, all: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, all);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            all.push_str(&fs::read_to_string(path).unwrap());
        }
    }
}

#[test]
fn both_languages_have_the_same_keys_and_arguments() {
    assert_eq!(messages("pt-BR"), messages("en"));
    assert!(messages("en").len() > 40);
}

#[test]
fn every_file_parses_without_error() {
    for lang in ["pt-BR", "en"] {
        for file in fs::read_dir(crates().join("text/locales").join(lang)).unwrap() {
            let path = file.unwrap().path();
            let source = fs::read_to_string(&path).unwrap();
            if let Err((_, errors)) = fluent_bundle::FluentResource::try_new(source) {
                panic!("{}: {errors:?}", path.display());
            }
        }
    }
}

#[test]
fn every_key_is_used() {
    let mut code = String::new();
    for entry in fs::read_dir(crates()).unwrap() {
        let source = entry.unwrap().path().join("src");
        if source.is_dir() {
            sources(&source, &mut code);
        }
    }
    let unused: Vec<_> = messages("en")
        .into_keys()
        .filter(|key| {
            !MADE_BY_CODE
                .iter()
                .any(|beginning| key.starts_with(beginning))
        })
        .filter(|key| !code.contains(&format!("\"{key}\"")))
        .collect();
    assert!(unused.is_empty(), "used nowhere: {unused:?}");
}
