//! Links, tokens and the audit log, typed in the shell from where one is.

use crate::common::{House, finish};
use crate::harness::{LOCALES, SECRET, Shell, either, says};

/// A secret of this kind in what was seen.
fn secret(seen: &[String], kind: &str) -> String {
    let all = seen.concat();
    let from = all.find(kind).unwrap_or_else(|| panic!("{seen:#?}"));
    all[from..].chars().take(47).collect()
}

#[test]
fn a_link_made_here_opens_its_file_until_it_is_ended() {
    for locale in LOCALES {
        let house = House::open_with(SECRET);
        house.serve_file("docs/a.txt", "a");
        let shell = Shell::in_locale(&house, locale);
        shell.run(&format!("{} docs", either(locale, "entrar", "cd")));
        let share = either(locale, "compartilhar", "share");
        let file = format!("--password-file {}", house.secret().display());
        let limit = either(locale, "--limite", "--limit");
        let seen = shell.run(&format!("{share} a.txt {limit} 3 {file}"));
        let secret = secret(&seen, "gvs_");
        let link = format!("http://127.0.0.1:{}/.gaveta/s/{secret}", house.port);
        let got = finish(house.client(["get", &link, "--to", "got.txt"]), b"").ok();
        assert!(!got.err.contains(&secret), "{got:?}");
        assert_eq!(house.local("got.txt"), b"a");
        let seen = shell.run(&format!(
            "{share} {} {file}",
            either(locale, "--listar", "--list")
        ));
        says(&seen, "1/3");
        let id = seen
            .iter()
            .find(|line| line.contains("1/3"))
            .and_then(|line| line.split_whitespace().next())
            .unwrap_or_else(|| panic!("{seen:#?}"))
            .to_owned();
        let end = either(locale, "--revogar", "--end");
        let seen = shell.run(&format!("{share} {end} {id} {file}"));
        says(&seen, either(locale, "Link encerrado", &id));
        finish(house.client(["get", &link, "--to", "again.txt"]), b"").ends(5);
        assert!(!house.home.path().join("again.txt").exists());
        shell.leave();
    }
}

#[test]
fn tokens_are_made_and_taken_back_and_the_log_tells_of_it() {
    for locale in LOCALES {
        let house = House::open_with(SECRET);
        let shell = Shell::in_locale(&house, locale);
        let file = format!("--password-file {}", house.secret().display());
        let seen = shell.run(&format!("token add robot {file}"));
        let token = secret(&seen, "gvt_");
        says(&shell.run(&format!("token list {file}")), "robot");
        let removed = either(locale, "Token revogado: robot", "robot");
        says(&shell.run(&format!("token remove robot {file}")), removed);
        let none = either(locale, "Não há tokens.", "no tokens");
        says(&shell.run(&format!("token list {file}")), none);
        let audit = either(locale, "auditoria", "audit");
        let seen = shell.run(&format!("{audit} --operation token-add {file}"));
        says(&seen, "admin");
        assert!(!seen.concat().contains(&token), "{seen:#?}");
        shell.leave();
    }
}
