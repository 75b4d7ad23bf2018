//! Every sentence a person reads, in Portuguese (Brazil) and English, from the Fluent files in
//! `locales/`; numbers, sizes, dates and plurals by language.
//!
//! A key that is missing shows itself as `‹key›`; nothing here panics. A test fails when a key
//! lacks in one language, takes other arguments there, or is used nowhere.

mod cause;
mod escape;
mod format;
mod lang;

use std::fmt;
use std::sync::{Arc, OnceLock};

use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource, FluentValue};
use gaveta_core::{Error, ErrorKind};

pub use escape::escape;
pub use format::exact_time;
pub use lang::Lang;

/// The Fluent files of both languages, by topic.
const FILES: &[(&str, &str, &str)] = &[
    (
        "trash",
        include_str!("../locales/pt-BR/trash.ftl"),
        include_str!("../locales/en/trash.ftl"),
    ),
    (
        "error",
        include_str!("../locales/pt-BR/error.ftl"),
        include_str!("../locales/en/error.ftl"),
    ),
    (
        "server",
        include_str!("../locales/pt-BR/server.ftl"),
        include_str!("../locales/en/server.ftl"),
    ),
    (
        "client",
        include_str!("../locales/pt-BR/client.ftl"),
        include_str!("../locales/en/client.ftl"),
    ),
    (
        "shell",
        include_str!("../locales/pt-BR/shell.ftl"),
        include_str!("../locales/en/shell.ftl"),
    ),
    (
        "share",
        include_str!("../locales/pt-BR/share.ftl"),
        include_str!("../locales/en/share.ftl"),
    ),
    (
        "desk",
        include_str!("../locales/pt-BR/desk.ftl"),
        include_str!("../locales/en/desk.ftl"),
    ),
    (
        "page",
        include_str!("../locales/pt-BR/page.ftl"),
        include_str!("../locales/en/page.ftl"),
    ),
    (
        "tls",
        include_str!("../locales/pt-BR/tls.ftl"),
        include_str!("../locales/en/tls.ftl"),
    ),
    (
        "account",
        include_str!("../locales/pt-BR/account.ftl"),
        include_str!("../locales/en/account.ftl"),
    ),
    (
        "shell_more",
        include_str!("../locales/pt-BR/shell_more.ftl"),
        include_str!("../locales/en/shell_more.ftl"),
    ),
    (
        "manual",
        include_str!("../locales/pt-BR/manual.ftl"),
        include_str!("../locales/en/manual.ftl"),
    ),
];

/// An argument of a message.
#[derive(Debug, Clone)]
pub enum Value {
    /// Text, put in as it is: whoever gives a stranger's text [escapes](escape) it first.
    Text(String),
    /// A number, by which Fluent chooses the plural.
    Number(f64),
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}
impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}
impl From<&String> for Value {
    fn from(text: &String) -> Self {
        Self::Text(text.clone())
    }
}
impl From<u64> for Value {
    #[allow(
        clippy::cast_precision_loss,
        reason = "a plural needs no more than 53 bits"
    )]
    fn from(number: u64) -> Self {
        Self::Number(number as f64)
    }
}
impl From<usize> for Value {
    fn from(number: usize) -> Self {
        Self::from(u64::try_from(number).unwrap_or(u64::MAX))
    }
}
impl From<u32> for Value {
    fn from(number: u32) -> Self {
        Self::Number(f64::from(number))
    }
}
impl From<u16> for Value {
    fn from(number: u16) -> Self {
        // A port or a code: never grouped, never plural.
        Self::Text(number.to_string())
    }
}

/// The texts of one language. Cheap to clone.
#[derive(Clone)]
pub struct Text {
    lang: Lang,
    bundle: Arc<FluentBundle<FluentResource>>,
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Text").field("lang", &self.lang).finish()
    }
}

impl Text {
    /// The texts of this language.
    pub fn new(lang: Lang) -> Self {
        let mut bundle = FluentBundle::new_concurrent(vec![lang.id()]);
        // The marks around arguments confuse terminals and whoever copies a name.
        bundle.set_use_isolating(false);
        for (_, portuguese, english) in FILES {
            let source = match lang {
                Lang::Portuguese => portuguese,
                Lang::English => english,
            };
            // A broken line is left out, the rest stands; a test keeps broken lines away.
            let resource = FluentResource::try_new((*source).to_owned())
                .unwrap_or_else(|(resource, _)| resource);
            let _ = bundle.add_resource(resource);
        }
        Self {
            lang,
            bundle: Arc::new(bundle),
        }
    }

    /// The texts of this language, read once for the whole program: for a server that speaks each
    /// visitor's language.
    pub fn of(lang: Lang) -> &'static Self {
        static PORTUGUESE: OnceLock<Text> = OnceLock::new();
        static ENGLISH: OnceLock<Text> = OnceLock::new();
        match lang {
            Lang::Portuguese => PORTUGUESE.get_or_init(|| Self::new(lang)),
            Lang::English => ENGLISH.get_or_init(|| Self::new(lang)),
        }
    }

    /// The language.
    pub fn lang(&self) -> Lang {
        self.lang
    }

    /// A sentence.
    pub fn say(&self, key: &str, args: &[(&'static str, Value)]) -> String {
        self.find(key, args).unwrap_or_else(|| format!("‹{key}›"))
    }

    /// A sentence; none when there is none of this key.
    pub fn find(&self, key: &str, args: &[(&'static str, Value)]) -> Option<String> {
        let pattern = self.bundle.get_message(key)?.value()?;
        let args: FluentArgs<'_> = args
            .iter()
            .map(|(name, value)| {
                let value = match value {
                    Value::Text(text) => FluentValue::from(text.as_str()),
                    Value::Number(number) => FluentValue::from(*number),
                };
                (*name, value)
            })
            .collect();
        Some(
            self.bundle
                .format_pattern(pattern, Some(&args), &mut Vec::new())
                .into_owned(),
        )
    }

    /// What went wrong, as a sentence: what it is about, why, and the system's own words where
    /// ours say too little. Safe for a terminal.
    pub fn error(&self, error: &Error) -> String {
        let mut sentence = self.kind(error.kind());
        if let Some(path) = error.path() {
            sentence = format!("{}: {sentence}", escape(path));
        }
        let explained = matches!(
            error.kind(),
            ErrorKind::Io
                | ErrorKind::BadRequest
                | ErrorKind::Unsupported
                | ErrorKind::Disconnected
        );
        if explained
            && let Some(source) = std::error::Error::source(error)
            && let Some(cause) = self.cause(source)
        {
            sentence = format!("{sentence} ({cause})");
        }
        sentence
    }

    /// What this kind of error means, without a path.
    pub fn kind(&self, kind: ErrorKind) -> String {
        self.find(&format!("error-{}", kind.code()), &[])
            .unwrap_or_else(|| kind.to_string())
    }

    /// What somebody may do about it; none when there is nothing to say.
    pub fn hint(&self, kind: ErrorKind) -> Option<String> {
        self.find(&format!("hint-{}", kind.code()), &[])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gaveta_core::{Path, PathProblem};

    #[test]
    fn every_kind_of_error_has_a_sentence_in_both_languages() {
        for lang in Lang::ALL {
            let text = Text::new(lang);
            let kinds = ErrorKind::ALL
                .into_iter()
                .chain(PathProblem::ALL.into_iter().map(ErrorKind::BadPath));
            for kind in kinds {
                let key = format!("error-{}", kind.code());
                assert!(text.find(&key, &[]).is_some(), "{key} lacks in {lang:?}");
            }
        }
    }

    #[test]
    fn an_error_is_told_in_the_language_and_safely() {
        let error = Error::at(ErrorKind::NotFound, &Path::parse("relatório").unwrap());
        assert_eq!(
            Text::new(Lang::Portuguese).error(&error),
            "/relatório: não existe"
        );
        assert_eq!(
            Text::new(Lang::English).error(&error),
            "/relatório: does not exist"
        );
        let error = Error::new(ErrorKind::Io)
            .because("\u{1b}[2Jboom")
            .about_text("a\nb");
        let told = Text::new(Lang::English).error(&error);
        assert!(!told.chars().any(char::is_control), "{told:?}");
        assert!(told.contains("boom"));
    }

    #[test]
    fn an_unknown_key_shows_itself() {
        assert_eq!(
            Text::new(Lang::English).say("no-such-key", &[]),
            "‹no-such-key›"
        );
    }
}
