//! What is wrong with a typed command, in the person's language.

use clap::error::{ContextKind, ContextValue, ErrorKind};
use gaveta_text::Text;

use super::Verb;
use crate::fault::{Fault, Sentence};

/// A word that is no verb, and which one may be meant.
pub(crate) fn unknown(word: &str, text: &Text) -> Fault {
    let sentence = match nearest(word) {
        Some((near, verb)) => {
            let main = verb.word(text.lang());
            let near = if near == main {
                near.to_owned()
            } else {
                format!("{near} ({main})")
            };
            Sentence::new("shell-unknown-near").with("near", near)
        }
        None => Sentence::new("shell-unknown"),
    };
    Fault::Usage(sentence.with("word", shortened(word)))
}

/// The verb whose word is nearest, unless all are far.
pub(crate) fn nearest(word: &str) -> Option<(&'static str, &'static Verb)> {
    // A word that long is no slip of a finger, and comparing it takes time.
    if word.chars().count() > 20 {
        return None;
    }
    let word = word.to_lowercase();
    let words = super::in_shell().flat_map(|verb| verb.words().map(move |own| (own, verb)));
    let (distance, near) = words
        .map(|(own, verb)| (strsim::damerau_levenshtein(own, &word), (own, verb)))
        .min_by_key(|(distance, _)| *distance)?;
    let most = match word.chars().count() {
        0..=2 => 1,
        3..=5 => 2,
        _ => 3,
    };
    // Not a letter in common is no likeness.
    (distance <= most && distance < near.0.chars().count()).then_some(near)
}

/// What the parser found, as a sentence; none for the help that was asked for.
pub(crate) fn complaint(error: &clap::Error, verb: &Verb, text: &Text) -> Option<Fault> {
    about(error, &verb.usage_in_shell(text))
}

/// As [`complaint`], of any command of this usage.
pub(super) fn about(error: &clap::Error, usage: &str) -> Option<Fault> {
    let context = |kind| match error.get(kind) {
        Some(ContextValue::String(one)) => one.clone(),
        Some(ContextValue::Strings(several)) => several.join(" "),
        _ => String::new(),
    };
    let key = match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => return None,
        ErrorKind::UnknownArgument => {
            let argument = context(ContextKind::InvalidArg);
            if argument.starts_with('-') {
                "shell-unknown-option"
            } else {
                "shell-too-many"
            }
        }
        ErrorKind::MissingRequiredArgument
        | ErrorKind::TooFewValues
        | ErrorKind::WrongNumberOfValues => "shell-missing",
        ErrorKind::InvalidValue | ErrorKind::ValueValidation | ErrorKind::NoEquals => {
            "shell-bad-value"
        }
        ErrorKind::ArgumentConflict => "shell-twice",
        ErrorKind::TooManyValues => "shell-too-many",
        ErrorKind::InvalidSubcommand => "shell-no-command",
        _ => "shell-no-sense",
    };
    let argument = match error.kind() {
        ErrorKind::InvalidSubcommand => context(ContextKind::InvalidSubcommand),
        _ => context(ContextKind::InvalidArg),
    };
    let sentence = Sentence::new(key)
        .with("argument", shortened(&argument))
        .with("value", shortened(&context(ContextKind::InvalidValue)))
        .with("usage", usage);
    Some(Fault::Usage(sentence))
}

/// Nobody reads a thousand letters of a slip.
fn shortened(word: &str) -> String {
    const MOST: usize = 60;
    if word.chars().count() <= MOST {
        return word.to_owned();
    }
    word.chars().take(MOST).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use gaveta_text::Lang;

    #[test]
    fn slips_find_the_verb_that_was_meant() {
        for (word, near) in [
            ("apagr", Some("delete")),
            ("lsitar", Some("list")),
            ("EXTI", Some("exit")),
            ("baixa", Some("get")),
            ("hlep", Some("help")),
            ("xyzzy", None),
            ("", None),
            ("\u{1b}[2J", None),
        ] {
            assert_eq!(nearest(word).map(|(_, verb)| verb.name), near, "{word}");
        }
        assert!(nearest(&"x".repeat(1_000_000)).is_none());
    }

    #[test]
    fn an_unknown_word_is_told_as_the_seed_did() {
        let text = Text::new(Lang::Portuguese);
        let told = unknown("apagr", &text).say(&text);
        assert!(told.contains("Comando \"apagr\" indisponível."), "{told}");
        assert!(told.contains("apagar (deletar)"), "{told}");
        let told = unknown(&"\u{1b}".repeat(5000), &text).say(&text);
        assert!(!told.contains('\u{1b}') && told.len() < 1000, "{told}");
    }

    #[test]
    fn every_fault_of_a_command_has_its_sentence() {
        for lang in Lang::ALL {
            let text = Text::new(lang);
            for (word, words, part) in [
                ("list", &["--what"][..], "--what"),
                ("delete", &[], "NOM"),
                ("delete", &["a", "b", "c"], "c"),
                ("list", &["--sort", "colour"], "colour"),
                ("rm", &["-r", "-r", "x"], "-r"),
                ("send", &["--parallel", "zero", "x"], "zero"),
            ] {
                let verb = super::super::verb(word).unwrap();
                let command = verb.command_in_shell(&text);
                let error = command.try_get_matches_from(words).unwrap_err();
                let told = complaint(&error, verb, &text).unwrap().say(&text);
                let has = told.contains(part) || (part == "NOM" && told.contains("NAME"));
                assert!(has && !told.contains('‹'), "{words:?}: {told}");
            }
            let verb = super::super::verb("list").unwrap();
            let help = verb.command_in_shell(&text).try_get_matches_from(["-h"]);
            assert!(complaint(&help.unwrap_err(), verb, &text).is_none());
        }
    }
}
