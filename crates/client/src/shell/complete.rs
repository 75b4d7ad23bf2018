//! What a half-typed word may become: verbs, options, names of the server and of this machine.
//!
//! It runs on the editor's thread. Names of the server are asked for in the background and kept
//! for a few seconds; a slow server delays a key by no more than [`PATIENCE`].

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use clap::Arg;
use futures_util::StreamExt;
use gaveta_core::{ListPlan, Listed, Path, Store};
use gaveta_text::{Text, escape};
use reedline::{Completer, CompletionResult, Span, Suggestion};
use tokio::runtime::Handle;

use super::here::Here;
use super::words::{Open, Word, quote, take_apart};
use crate::verbs::{self, Names, Verb};

/// How long a key waits for the server.
const PATIENCE: Duration = Duration::from_millis(400);
/// How long the names of a folder are believed.
const FRESH: Duration = Duration::from_secs(3);
/// So many names of a folder are looked at, of so many folders. Bounds memory.
const MOST_NAMES: usize = 5000;
const MOST_FOLDERS: usize = 16;
/// The most suggestions at once.
const MOST_SHOWN: usize = 200;

/// A name, and whether it is a folder's.
type Name = (String, bool);

/// Completes what is typed.
pub(super) struct Completing {
    here: Arc<Here>,
    text: Text,
    runtime: Handle,
    known: Arc<Mutex<HashMap<Path, Known>>>,
}

struct Known {
    since: Instant,
    changes: u64,
    names: Arc<Vec<Name>>,
}

/// One thing a word may become.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Candidate {
    /// Unquoted.
    text: String,
    help: Option<String>,
    /// More of the same word may follow: a folder.
    goes_on: bool,
}

impl Candidate {
    fn word(text: impl Into<String>, help: Option<String>) -> Self {
        Self {
            text: text.into(),
            help,
            goes_on: false,
        }
    }
}

impl Completer for Completing {
    fn complete(&mut self, line: &str, pos: usize) -> CompletionResult {
        let typed = line.get(..pos).unwrap_or(line);
        let taken = take_apart(typed);
        let mut words = if taken.within {
            taken.commands.last().cloned().unwrap_or_default()
        } else {
            Vec::new()
        };
        let word = match words.last() {
            Some(last) if taken.open.is_some() || last.span.end == pos => words.pop(),
            _ => None,
        };
        let word = word.unwrap_or(Word {
            text: String::new(),
            span: pos..pos,
        });
        // The quote the word began with, whether it is closed yet or not.
        let open = match typed.get(word.span.start..).and_then(|w| w.chars().next()) {
            Some('\'') => Some(Open::Single),
            Some('"') => Some(Open::Double),
            _ => None,
        };
        let found = self.candidates(&words, &word.text);
        let suggestions: Vec<Suggestion> = found
            .into_iter()
            .take(MOST_SHOWN)
            .map(|candidate| Suggestion {
                value: quote(&candidate.text, open, candidate.goes_on),
                display_override: Some(escape(&candidate.text).into_owned()),
                description: candidate.help,
                span: Span::new(word.span.start, pos),
                append_whitespace: !candidate.goes_on,
                ..Suggestion::default()
            })
            .collect();
        CompletionResult::fresh(suggestions)
    }
}

impl Completing {
    pub(super) fn new(here: Arc<Here>, text: Text, runtime: Handle) -> Self {
        Self {
            here,
            text,
            runtime,
            known: Arc::default(),
        }
    }

    /// What the word may become after these.
    fn candidates(&self, before: &[Word], word: &str) -> Vec<Candidate> {
        let Some((first, before)) = before.split_first() else {
            return verbs_like(&self.text, word);
        };
        let Some(verb) = verbs::verb_in_shell(&first.text.to_lowercase()) else {
            return Vec::new();
        };
        let plain = before.iter().any(|word| word.text == "--");
        if !plain {
            if let Some(found) = self.value(verb, before, word) {
                return found;
            }
            if word.starts_with('-') {
                return options_like(verb, &self.text, word);
            }
        }
        let options = |word: &&Word| !plain && word.text.starts_with('-');
        let count = before.iter().filter(|word| !options(word)).count();
        if verb.secret_after.is_some_and(|most| count >= most) {
            return Vec::new();
        }
        let back = before
            .iter()
            .any(|word| matches!(&*word.text, "--get" | "--baixar"));
        let names = match verb.names {
            Names::LocalFolder if back => Names::RemoteFolder,
            names => names,
        };
        let mut found = self.named(names, word);
        // A later word may be where it goes.
        if count > 0 {
            match verb.names {
                Names::Local => found.extend(self.remote(word, true)),
                Names::LocalFolder if verb.name == "mirror" => {
                    found.extend(self.remote(word, true));
                }
                Names::Remote if verb.name == "get" => found.extend(local(word, true)),
                _ => {}
            }
            found.sort_by(|one, other| one.text.cmp(&other.text));
            found.dedup_by(|one, other| one.text == other.text);
        }
        found
    }

    /// The value of an option; none when the word before is no option that takes one.
    fn value(&self, verb: &Verb, before: &[Word], word: &str) -> Option<Vec<Candidate>> {
        let last = before.last()?.text.strip_prefix("--")?;
        let command = verb.command_in_shell(&self.text);
        let arg = command
            .get_arguments()
            .find(|arg| longs(arg).contains(&last))
            .filter(|arg| arg.get_action().takes_values())?;
        let values = arg.get_possible_values();
        if !values.is_empty() {
            let names = values.iter().map(|value| value.get_name());
            return Some(like(names, word));
        }
        Some(match (arg.get_id().as_str(), verb.names) {
            ("to", Names::Local) => self.remote(word, true),
            ("to", _) => local(word, true),
            ("password_file", _) => local(word, false),
            _ => Vec::new(),
        })
    }

    fn named(&self, names: Names, word: &str) -> Vec<Candidate> {
        match names {
            Names::None => Vec::new(),
            Names::Remote => self.remote(word, false),
            Names::RemoteFolder => self.remote(word, true),
            Names::Local => local(word, false),
            Names::LocalFolder => local(word, true),
            Names::Verb => verbs_like(&self.text, word),
            Names::OnOff => like(["on", "off"], word),
        }
    }

    fn remote(&self, word: &str, folders: bool) -> Vec<Candidate> {
        let (folder, prefix) = word
            .rfind('/')
            .map_or(("", word), |at| word.split_at(at + 1));
        let typed = if folder.is_empty() { "." } else { folder };
        let Ok(path) = self.here.address(typed).and_then(|address| address.path()) else {
            return Vec::new();
        };
        names_like(&self.names(&path), folder, prefix, folders)
    }

    /// The names of a folder of the server: those that are known, else what it says in time.
    fn names(&self, folder: &Path) -> Arc<Vec<Name>> {
        let changes = self.here.changes();
        if let Some(known) = lock(&self.known).get(folder)
            && known.since.elapsed() < FRESH
            && known.changes == changes
        {
            return Arc::clone(&known.names);
        }
        let (send, answer) = std::sync::mpsc::sync_channel(1);
        let (store, known, folder) = (
            self.here.drawer().store(),
            Arc::clone(&self.known),
            folder.clone(),
        );
        // It goes on when it is late: the next key finds it.
        self.runtime.spawn(async move {
            let listing = tokio::time::timeout(PATIENCE * 10, list(&*store, &folder));
            let Ok(Some(names)) = listing.await else {
                return;
            };
            let names = Arc::new(names);
            let mut known = lock(&known);
            if known.len() >= MOST_FOLDERS {
                known.clear();
            }
            let fresh = Known {
                since: Instant::now(),
                changes,
                names: Arc::clone(&names),
            };
            known.insert(folder, fresh);
            let _ = send.try_send(names);
        });
        answer.recv_timeout(PATIENCE).unwrap_or_default()
    }
}

fn lock(known: &Mutex<HashMap<Path, Known>>) -> MutexGuard<'_, HashMap<Path, Known>> {
    known.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn list(store: &dyn Store, folder: &Path) -> Option<Vec<Name>> {
    let mut listing = store.list(folder, ListPlan::default()).await.ok()?;
    let mut names = Vec::new();
    while let Some(Ok(listed)) = listing.next().await {
        if let Listed::Entry(entry) = listed
            && let Some(name) = entry.path.name()
        {
            names.push((name.to_owned(), entry.is_folder()));
        }
        if names.len() >= MOST_NAMES {
            break;
        }
    }
    Some(names)
}

/// Names of this machine.
fn local(word: &str, folders: bool) -> Vec<Candidate> {
    let (folder, prefix) = word
        .rfind('/')
        .map_or(("", word), |at| word.split_at(at + 1));
    let place = if folder.is_empty() { "." } else { folder };
    let Ok(entries) = std::fs::read_dir(place) else {
        return Vec::new();
    };
    let names: Vec<Name> = entries
        .flatten()
        .take(MOST_NAMES)
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            // A link to a folder is entered as one.
            let is_folder = entry.path().is_dir();
            (!name.contains(char::is_control)).then_some((name, is_folder))
        })
        .collect();
    names_like(&names, folder, prefix, folders)
}

/// The names that go on from `prefix`, after `folder` as it was typed, sorted. Capital and small
/// letters count as the same when nothing fits otherwise.
fn names_like(names: &[Name], folder: &str, prefix: &str, folders: bool) -> Vec<Candidate> {
    let fitting = |fits: &dyn Fn(&str) -> bool| -> Vec<Candidate> {
        let fits = |name: &str| (prefix.starts_with('.') || !name.starts_with('.')) && fits(name);
        let mut found: Vec<_> = names
            .iter()
            .filter(|(name, is_folder)| (*is_folder || !folders) && fits(name))
            .map(|(name, is_folder)| Candidate {
                text: format!("{folder}{name}{}", if *is_folder { "/" } else { "" }),
                help: None,
                goes_on: *is_folder,
            })
            .collect();
        found.sort_by(|one, other| one.text.cmp(&other.text));
        found
    };
    let exact = fitting(&|name| name.starts_with(prefix));
    if !exact.is_empty() {
        return exact;
    }
    let small = prefix.to_lowercase();
    fitting(&|name| name.to_lowercase().starts_with(&small))
}

/// The verbs whose words go on from this one: each once, by its word in the language if that fits.
fn verbs_like(text: &Text, word: &str) -> Vec<Candidate> {
    let word = word.to_lowercase();
    let mut found: Vec<Candidate> = Vec::new();
    for verb in verbs::in_shell() {
        let main = verb.word(text.lang());
        let fits = |own: &&'static str| own.starts_with(&word);
        let best = Some(main).filter(fits);
        // Every word works in every language, but nobody wants to see them all.
        let best = best.or_else(|| verb.words().find(fits));
        found.extend(best.map(|own| Candidate::word(own, Some(text.say(verb.help, &[])))));
    }
    found
}

fn options_like(verb: &Verb, text: &Text, word: &str) -> Vec<Candidate> {
    let command = verb.command_in_shell(text);
    command
        .get_arguments()
        .filter_map(|arg| {
            let long = longs(arg)
                .into_iter()
                .map(|long| format!("--{long}"))
                .find(|long| long.starts_with(word))?;
            Some(Candidate::word(
                long,
                arg.get_help().map(ToString::to_string),
            ))
        })
        .collect()
}

fn longs(arg: &Arg) -> Vec<&str> {
    arg.get_long_and_visible_aliases().unwrap_or_default()
}

fn like<'a>(words: impl IntoIterator<Item = &'a str>, typed: &str) -> Vec<Candidate> {
    words
        .into_iter()
        .filter(|word| word.starts_with(typed))
        .map(|word| Candidate::word(word, None))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use gaveta_text::Lang;

    fn texts(found: Vec<Candidate>) -> Vec<String> {
        found.into_iter().map(|one| one.text).collect()
    }

    #[test]
    fn a_verb_is_offered_once_in_ones_language() {
        let portuguese = Text::new(Lang::Portuguese);
        assert_eq!(texts(verbs_like(&portuguese, "lis")), ["listar"]);
        assert_eq!(texts(verbs_like(&portuguese, "ls")), ["ls"]);
        assert_eq!(
            texts(verbs_like(&portuguese, "")).len(),
            verbs::in_shell().count()
        );
        let english = Text::new(Lang::English);
        assert_eq!(texts(verbs_like(&english, "del")), ["delete"]);
        assert!(verbs_like(&english, "xyzzy").is_empty());
    }

    #[test]
    fn options_are_offered_with_their_help() {
        let text = Text::new(Lang::English);
        let found = options_like(verbs::verb("list").unwrap(), &text, "--re");
        assert_eq!(texts(found.clone()), ["--recursive", "--reverse"]);
        assert!(found.iter().all(|one| one.help.is_some()));
        let found = options_like(verbs::verb("enviar").unwrap(), &text, "--pa");
        assert_eq!(texts(found), ["--para", "--parallel", "--password-file"]);
    }

    #[test]
    fn names_go_on_from_what_is_typed() {
        let names: Vec<Name> = [
            ("Foto 1", false),
            ("fotos", true),
            (".x", false),
            ("a", true),
        ]
        .map(|(name, folder)| (name.to_owned(), folder))
        .into();
        let like = |prefix, folders| texts(names_like(&names, "d/", prefix, folders));
        assert_eq!(like("fo", false), ["d/fotos/"]);
        assert_eq!(like("FOTO ", false), ["d/Foto 1"]);
        assert_eq!(like("", false), ["d/Foto 1", "d/a/", "d/fotos/"]);
        assert_eq!(like("", true), ["d/a/", "d/fotos/"]);
        assert_eq!(like(".", false), ["d/.x"]);
    }
}
