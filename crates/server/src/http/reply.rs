//! Requests of the session and of a POST, answered: parse, execute, and a body that fits into one
//! message.

use gaveta_core::{Action, Answer, Command, Cursor, Error, ErrorKind, Order, Path, Result};
use gaveta_wire::MAX_MESSAGE;
use gaveta_wire::body::{EndBody, EntryBody, ErrorBody};
use gaveta_wire::session::{AccountBody, AnswerBody, CALLS, Outcome, Parsed, Reply, Request};
use gaveta_wire::trash::{FindingBody, TrashStateBody, TrashedBody, VerifyBody};

use crate::drawer::View;
use crate::execute::{execute, ordered};

/// Room for what stands around the entries of a page.
const ENVELOPE: usize = 4 * 1024;

/// Reads a request. When it makes no sense, the error comes with its id where one can be made out.
pub(crate) fn parse(text: &[u8]) -> Result<(u64, Parsed), (Option<u64>, Error)> {
    let request: Request = serde_json::from_slice(text).map_err(|error| {
        let id = serde_json::from_slice::<serde_json::Value>(text)
            .ok()
            .and_then(|value| value.get("id")?.as_u64());
        (id, Error::bad_request(format!("not a request: {error}")))
    })?;
    let id = request.id;
    request
        .call
        .parse()
        .map(|parsed| (id, parsed))
        .map_err(|error| (Some(id), error))
}

/// Answers what needs no session.
///
/// # Errors
/// Those of [`execute`]; `Unsupported` for what is about the session itself.
pub(crate) async fn answer(parsed: Parsed, view: &View) -> Result<AnswerBody> {
    match parsed {
        Parsed::Command(command) => {
            let order = match &command {
                Command::List(_, plan) => ordered(plan.clone()).order,
                _ => None,
            };
            Ok(body(execute(command, view).await?, order))
        }
        Parsed::Whoami => Ok(AnswerBody::Account(account(view))),
        Parsed::Help => Ok(AnswerBody::Help {
            calls: CALLS.iter().map(|&call| call.to_owned()).collect(),
        }),
        Parsed::Ping => Ok(AnswerBody::Pong),
        Parsed::SignIn(..) | Parsed::SignOut | Parsed::Watch(_) | Parsed::Unwatch(_) => {
            Err(Error::new(ErrorKind::Unsupported))
        }
    }
}

/// The reply with this id.
pub(crate) fn reply(id: Option<u64>, outcome: Result<AnswerBody>) -> Reply {
    let outcome = match outcome {
        Ok(answer) => Outcome::Ok(answer),
        Err(error) => {
            log(&error);
            Outcome::Error(ErrorBody::from(&error))
        }
    };
    Reply { id, outcome }
}

fn log(error: &Error) {
    let shown = gaveta_text::escape(&error.chain()).into_owned();
    if super::error::is_ours(error) {
        tracing::warn!(target: "gaveta::error", "{shown}");
    } else {
        tracing::debug!(target: "gaveta::error", "{shown}");
    }
}

/// Who looks, and what he may do at the root.
pub(crate) fn account(view: &View) -> AccountBody {
    let root = Path::root();
    let may = Action::ALL
        .into_iter()
        .filter(|action| view.may(*action, &root));
    AccountBody {
        name: view.account().name().to_owned(),
        may: may.map(|action| action.code().to_owned()).collect(),
    }
}

/// As many as fit into one message, at least one; and whether some were left out.
fn fitting<T: serde::Serialize>(all: impl Iterator<Item = T>) -> (Vec<T>, bool) {
    let (mut fit, mut length) = (Vec::new(), ENVELOPE);
    for one in all {
        length += serde_json::to_vec(&one).map_or(0, |json| json.len() + 1);
        if length > MAX_MESSAGE && !fit.is_empty() {
            return (fit, true);
        }
        fit.push(one);
    }
    (fit, false)
}

fn body(answer: Answer, order: Option<Order>) -> AnswerBody {
    match answer {
        Answer::Done => AnswerBody::Done,
        Answer::Entry(entry) => AnswerBody::Entry(EntryBody::from(&entry)),
        Answer::Space(space) => AnswerBody::Space {
            total: space.total,
            free: space.free,
        },
        Answer::Trash { list, next } => {
            let (shown, cut) = fitting(list.iter().map(TrashedBody::from));
            let last = shown.last().map(|last| last.id.clone());
            let next = match cut {
                true => last,
                false => next.map(|next| next.to_string()),
            };
            AnswerBody::Trash { list: shown, next }
        }
        Answer::TrashState(state) => AnswerBody::TrashState(TrashStateBody::from(&state)),
        Answer::Purged { things, more } => AnswerBody::Purged { things, more },
        Answer::Verify(state, findings) => {
            let (list, _) = fitting(findings.iter().map(FindingBody::from));
            let body = VerifyBody::new(&state, &[]);
            AnswerBody::Verify(VerifyBody { list, ..body })
        }
        Answer::Page {
            entries,
            unnameable,
            mut next,
        } => {
            let (mut list, mut length) = (Vec::with_capacity(entries.len()), ENVELOPE);
            let all = entries.len();
            let mut last = None;
            for entry in entries {
                let body = EntryBody::from(&entry);
                length += serde_json::to_vec(&body).map_or(0, |json| json.len() + 1);
                if length > MAX_MESSAGE && !list.is_empty() {
                    break;
                }
                list.push(body);
                last = Some(entry);
            }
            if list.len() < all
                && let (Some(last), Some(order)) = (last, order)
            {
                next = Some(Cursor::of(&last, order).to_string());
            }
            let end = EndBody {
                entries: list.len() as u64,
                unnameable,
                next,
                ..EndBody::default()
            };
            AnswerBody::Page { list, end }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gaveta_core::{Entry, Kind, OrderBy, Version};

    #[test]
    fn the_id_is_recovered_where_it_can_be() {
        let id = |text: &str| parse(text.as_bytes()).unwrap_err().0;
        assert_eq!(id(r#"{"id":7,"do":"dance"}"#), Some(7));
        assert_eq!(id(r#"{"id":8,"do":"stat","path":"../x"}"#), Some(8));
        assert_eq!(id(r#"{"id":-1,"do":"ping"}"#), None);
        for bad in ["", "null", "[]", "{", "\u{0}", "{\"id\":1"] {
            assert_eq!(id(bad), None, "{bad:?}");
        }
        assert_eq!(id(&"[".repeat(50_000)), None);
    }

    #[test]
    fn a_page_of_the_longest_paths_fits_into_a_message_and_goes_on() {
        let order = Order {
            by: OrderBy::Name,
            descending: false,
        };
        // Quotes double in JSON: the worst of names.
        let folder = Path::parse(&vec!["\"".repeat(255); 14].join("/")).unwrap();
        let entries: Vec<Entry> = (0..100)
            .map(|i| Entry {
                path: folder.join(&format!("{:\"<250}", i)).unwrap(),
                kind: Kind::File,
                size: u64::MAX,
                modified: std::time::SystemTime::now(),
                version: Version::parse(&"v".repeat(128)).unwrap(),
                digest: Some(gaveta_core::Digest::of(b"")),
                executable: true,
            })
            .collect();
        let page = Answer::Page {
            entries: entries.clone(),
            unnameable: 0,
            next: None,
        };
        let answer = body(page, Some(order));
        let AnswerBody::Page { list, end } = &answer else {
            panic!("no page")
        };
        assert!(!list.is_empty() && list.len() < 100);
        let last = &entries[list.len() - 1];
        assert_eq!(
            end.next.as_deref(),
            Some(Cursor::of(last, order).to_string().as_str())
        );
        let text = serde_json::to_string(&reply(Some(u64::MAX), Ok(answer))).unwrap();
        assert!(text.len() <= MAX_MESSAGE, "{}", text.len());
    }
}
