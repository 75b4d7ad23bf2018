//! What shells complete and what the manual says, made from the commands themselves.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests may"
)]

mod common;

use std::fs;
use std::process::Command;

use common::{Run, finish, gaveta};

fn run(args: &[&str]) -> Run {
    let mut command = gaveta();
    command.args(args);
    finish(command, b"")
}

/// What bash offers for these words with our script, the last one being typed.
#[cfg(unix)]
fn bash_offers(words: &[&str]) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("gaveta.bash");
    fs::write(&script, run(&["completions", "bash"]).ok().out).unwrap();
    let mut bash = Command::new("bash");
    bash.args(["--norc", "-c"])
        .arg(
            r#"source "$1"; shift
            COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"; COMP_POINT=${#COMP_LINE}
            _gaveta gaveta "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
            printf '%s\n' "${COMPREPLY[@]}""#,
        )
        .arg("bash")
        .arg(&script)
        .args(words)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped());
    let offered = finish(bash, b"").ok();
    assert_eq!(offered.err, "");
    offered.lines().into_iter().map(str::to_owned).collect()
}

#[cfg(unix)]
#[test]
fn bash_completes_verbs_in_both_languages_and_options() {
    assert_eq!(bash_offers(&["gaveta", "listar"]), ["listar"]);
    assert!(bash_offers(&["gaveta", "com"]).contains(&"completions".to_owned()));
    let options = bash_offers(&["gaveta", "list", "--"]);
    for option in ["--long", "--sort", "--json", "--lang"] {
        assert!(options.contains(&option.to_owned()), "{options:?}");
    }
}

#[test]
fn every_shell_has_its_script_and_another_is_refused() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = run(&["completions", shell]).ok();
        for word in ["gaveta", "serve", "list", "send"] {
            assert!(script.text().contains(word), "{shell} lacks {word}");
        }
        assert!(!script.text().contains("verb-list"), "{shell}");
    }
    run(&["completions", "tcl"]).ends(2);
    run(&["completions"]).ends(2);
}

#[test]
fn the_manual_has_a_page_for_each_command_in_both_languages() {
    let folder = tempfile::tempdir().unwrap();
    for (lang, heading, sentence) in [
        ("pt-BR", ".SH \"NOME\"", "Lista o que há numa pasta"),
        ("en", ".SH \"NAME\"", "List what a folder holds"),
    ] {
        let target = folder.path().join("not there yet").join(lang);
        run(&["--lang", lang, "man", target.to_str().unwrap()]).ok();
        let page = fs::read_to_string(target.join("gaveta-list.1")).unwrap();
        assert!(page.contains(heading), "{page}");
        assert!(page.contains(sentence), "{page}");
        for name in [
            "gaveta.1",
            "gaveta-serve.1",
            "gaveta-send.1",
            "gaveta-man.1",
        ] {
            assert!(target.join(name).is_file(), "{lang}: {name}");
        }
        let pages = fs::read_dir(&target).unwrap();
        for page in pages.map(|page| page.unwrap().path()) {
            let content = fs::read_to_string(&page).unwrap();
            assert_eq!(page.extension().unwrap(), "1", "{}", page.display());
            for unsaid in ["verb-", "help-", "arg-", "‹"] {
                assert!(!content.contains(unsaid), "{}: {unsaid}", page.display());
            }
        }
    }
    let printed = run(&["man"]).ok();
    let english = folder.path().join("not there yet/en/gaveta.1");
    assert_eq!(printed.text(), fs::read_to_string(english).unwrap());
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("file"), "").unwrap();
    let target = folder.path().join("file/man");
    let refused = run(&["man", target.to_str().unwrap()]).ends(1);
    assert!(
        refused.err.contains("file/man could not be written"),
        "{}",
        refused.err
    );
}
