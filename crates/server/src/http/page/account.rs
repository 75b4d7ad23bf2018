//! One account, for whoever looks after the server: what it may, how much, until when.

use gaveta_core::{Account, Error, ErrorKind, Path, Result, Role};
use gaveta_text::Text;
use gaveta_wire::body::time_to_text;
use http::Response;
use maud::{Markup, html};

use super::accounts::{called, done, own, roles};
use super::{ADMIN_ACCOUNTS, Asked};
use crate::drawer::accounts::Person;
use crate::http::body::Body;
use crate::http::html::{icon, language, sheet, shown, texts};

/// The page of an account, with what there is to say first.
///
/// # Errors
/// `NotFound`.
pub(super) fn one(asked: &Asked<'_>, name: &str, said: Option<&Markup>) -> Result<Response<Body>> {
    let text = texts(language(&asked.head.headers));
    let accounts = &asked.house.drawer.entrance.accounts;
    let person = accounts.find(name);
    let person = person.ok_or_else(|| Error::new(ErrorKind::NotFound).about_text(name))?;
    let me = asked.view.account().name() == name;
    let action = asked.link(&own(name));
    let title = shown(name).into_owned();
    let changes = asked.house.keeping.is_some();
    let main = html! {
        (sheet(&asked.house.base, "desk.css"))
        div.drawer {
            h1 { (icon("person")) " " bdi { (title) } }
            (super::admin::way(asked, text, ADMIN_ACCOUNTS))
            (done(asked, text))
            @if let Some(said) = said { (said) }
            (grants(asked, text, &person, &action, changes && !me && !person.is_built_in()))
            @if me { p.quiet-text { (text.say("page-account-own", &[])) } }
            @if changes && !me && !person.is_built_in() { (limits(text, &person, &action)) }
            @if changes && person.is_built_in() && accounts.is_eased() {
                p.quiet-text { (text.say("page-account-first", &[])) }
            }
            @if changes { (password(text, me, &action)) }
            @if changes && !me && !person.is_built_in() {
                @if name == Account::ADMIN {
                    p.quiet-text { (text.say("page-account-admin", &[])) }
                } @else { (removal(text, &action)) }
            }
        }
    };
    Ok(asked.page(&title, &Path::root(), "", &main))
}

fn grants(asked: &Asked<'_>, text: &Text, person: &Person, action: &str, changes: bool) -> Markup {
    let grants: Vec<_> = person.known().grants().iter().collect();
    html! {
        section.card.wide-card {
            h2 { (text.say("page-account-grants", &[])) }
            p.quiet-text { (text.say("page-account-nearest", &[])) }
            @if grants.is_empty() { p { (text.say("page-account-nothing", &[])) } }
            ul.plain-list {
                @for (i, grant) in grants.iter().enumerate() {
                    @let at = format!("/{}", grant.path.as_str());
                    @let word = grant.actions.to_string();
                    li {
                        @if changes {
                            form.what.grant method="post" action=(action) {
                                input type="hidden" name="exactly" value=(at);
                                label for={ "grant-" (i) } { bdi { (shown(&at)) } }
                                (roles(text, &format!("grant-{i}"), &word))
                                button name="do" value="grant" aria-label={
                                    (text.say("page-account-save", &[])) ": " (shown(&at))
                                } { (text.say("page-account-save", &[])) }
                                button name="do" value="forget" aria-label={
                                    (text.say("page-account-forget", &[])) ": " (shown(&at))
                                } { (text.say("page-account-forget", &[])) }
                            }
                        } @else {
                            (icon("folder"))
                            div.what { bdi { (shown(&at)) }
                                span.detail { (called(text, grant.actions)) } }
                        }
                    }
                }
            }
            @if changes {
                form.fields method="post" action=(action) {
                    input type="hidden" name="do" value="grant";
                    div {
                        label for="grant-at" { (text.say("page-account-at", &[])) }
                        input #grant-at name="at" required placeholder="/…" autocomplete="off"
                            dir="auto";
                    }
                    div {
                        label for="grant-what" { (text.say("page-account-what", &[])) }
                        (roles(text, "grant-what", Role::Viewer.code()))
                    }
                    p.links { button { (text.say("page-account-grant", &[])) } }
                }
            }
            @if let Some(quota) = person.known().quota() {
                p {
                    (text.say("page-account-keeps", &[
                        ("used", text.size(asked.view.kept_by(person.known().name())).into()),
                        ("quota", text.size(quota).into()),
                    ]))
                }
            }
        }
    }
}

fn limits(text: &Text, person: &Person, action: &str) -> Markup {
    // The day alone: what a browser's field for dates holds.
    let until = person.expires().map(time_to_text).unwrap_or_default();
    let until: String = until.chars().take(10).collect();
    let quota = person.known().quota().map(quota_word).unwrap_or_default();
    html! {
        section.card.wide-card {
            h2 { (text.say("page-account-limits", &[])) }
            form.fields method="post" action=(action) {
                input type="hidden" name="do" value="set";
                input type="hidden" name="quota-was" value=(quota);
                input type="hidden" name="expires-was" value=(until);
                div {
                    label for="quota" { (text.say("page-account-quota", &[])) }
                    input #quota name="quota" value=(quota) maxlength="20" autocomplete="off"
                        placeholder="10G";
                }
                div {
                    label for="expires" { (text.say("page-account-expires", &[])) }
                    input #expires name="expires" type="date" value=(until);
                }
                label.choice {
                    input type="checkbox" name="disabled" value="yes"
                        checked[person.is_disabled()];
                    span { (text.say("page-account-disabled", &[])) }
                }
                p.links { button { (text.say("page-account-save", &[])) } }
            }
        }
    }
}

/// A quota as a person writes it: whole units where it has them.
fn quota_word(bytes: u64) -> String {
    let units = [(40, "T"), (30, "G"), (20, "M"), (10, "K")];
    let unit = units
        .into_iter()
        .find(|(shift, _)| bytes > 0 && bytes.is_multiple_of(1 << shift));
    unit.map_or_else(
        || bytes.to_string(),
        |(shift, word)| format!("{}{word}", bytes >> shift),
    )
}

fn password(text: &Text, me: bool, action: &str) -> Markup {
    html! {
        section.card.wide-card {
            h2 { (text.say("page-account-new-password", &[])) }
            p.quiet-text {
                (text.say(match me {
                    true => "page-account-password-own",
                    false => "page-account-password-ends",
                }, &[]))
            }
            form.fields method="post" action=(action) {
                input type="hidden" name="do" value="password";
                div {
                    label for="password" { (text.say("page-password", &[])) }
                    input #password name="password" type="password" required maxlength="1024"
                        autocomplete="new-password";
                }
                p.links { button { (text.say("page-account-save", &[])) } }
            }
        }
    }
}

fn removal(text: &Text, action: &str) -> Markup {
    html! {
        section.card.wide-card {
            details.sure {
                summary.button { (icon("delete")) (text.say("page-account-remove", &[])) }
                form method="post" action=(action) {
                    input type="hidden" name="do" value="remove";
                    p { (text.say("page-account-remove-sure", &[])) }
                    p.links { button.danger { (text.say("page-account-remove", &[])) } }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drawer::accounts::book::size;

    #[test]
    fn a_quota_is_written_as_it_is_read() {
        for (bytes, word) in [
            (10 << 30, "10G"),
            (1536 << 20, "1536M"),
            (1000, "1000"),
            (0, "0"),
        ] {
            assert_eq!(quota_word(bytes), word);
            assert_eq!(size(word), Some(bytes));
        }
    }
}
