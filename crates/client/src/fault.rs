//! Why a verb could not do what it was asked: with a sentence in the person's language.

use gaveta_core::{Error, ErrorKind};
use gaveta_text::{Text, Value, escape};
use serde_json::json;

/// A sentence of the texts and what goes into it.
#[derive(Debug, Clone)]
pub struct Sentence {
    key: &'static str,
    args: Vec<(&'static str, Value)>,
}

impl Sentence {
    /// The sentence of this key.
    pub fn new(key: &'static str) -> Self {
        Self {
            key,
            args: Vec::new(),
        }
    }

    /// Puts a stranger's text in: a name, an address. It is escaped here.
    #[must_use]
    pub fn with(mut self, name: &'static str, text: impl AsRef<str>) -> Self {
        self.args
            .push((name, escape(text.as_ref()).into_owned().into()));
        self
    }

    /// Puts a number in, by which the plural is chosen.
    #[must_use]
    pub fn number(mut self, name: &'static str, number: u64) -> Self {
        self.args.push((name, number.into()));
        self
    }

    /// The sentence itself. Safe for a terminal.
    pub fn say(&self, text: &Text) -> String {
        text.say(self.key, &self.args)
    }
}

/// Why a verb, or one thing it was asked for, failed.
#[derive(Debug)]
pub enum Fault {
    /// The command line makes no sense.
    Usage(Sentence),
    /// A store refused, near or far.
    Store(Error),
    /// Of this kind, with a sentence that says more than the kind does.
    Said(ErrorKind, Sentence),
    /// Ctrl-C or SIGTERM.
    Interrupted,
    /// Nobody reads our standard output any more: `gaveta list … | head`.
    Closed,
}

/// The result of everything a verb does.
pub type Outcome<T = ()> = std::result::Result<T, Fault>;

impl Fault {
    /// A command line that makes no sense, by the key of its sentence.
    pub fn usage(key: &'static str) -> Self {
        Self::Usage(Sentence::new(key))
    }

    /// The stable code, for scripts: that of the error, `usage`, `interrupted` or `closed`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Usage(_) => "usage",
            Self::Store(error) => error.kind().code(),
            Self::Said(kind, _) => kind.code(),
            Self::Interrupted => "interrupted",
            Self::Closed => "closed",
        }
    }

    /// The kind, when it is about a store.
    pub fn kind(&self) -> Option<ErrorKind> {
        match self {
            Self::Store(error) => Some(error.kind()),
            Self::Said(kind, _) => Some(*kind),
            Self::Usage(_) | Self::Interrupted | Self::Closed => None,
        }
    }

    /// The sentence. Safe for a terminal.
    pub fn say(&self, text: &Text) -> String {
        match self {
            Self::Usage(sentence) | Self::Said(_, sentence) => sentence.say(text),
            Self::Store(error) => text.error(error),
            Self::Interrupted => text.say("client-interrupted", &[]),
            Self::Closed => text.kind(ErrorKind::Disconnected),
        }
    }

    /// What somebody may do about it.
    pub fn hint(&self, text: &Text) -> Option<String> {
        self.kind().and_then(|kind| text.hint(kind))
    }

    /// As one JSON object. `path` is not escaped: JSON does that.
    pub fn json(&self, text: &Text) -> serde_json::Value {
        let mut object = json!({
            "type": "error",
            "code": self.code(),
            "message": self.say(text),
        });
        if let Self::Store(error) = self
            && let Some(path) = error.path()
            && let Some(map) = object.as_object_mut()
        {
            map.insert("path".to_owned(), path.into());
        }
        object
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}

/// How a verb ended; the exit code is made of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// Everything asked for was done.
    Done,
    /// The command line makes no sense.
    Usage,
    /// These kinds of failure were named, each once, in the order they came.
    Failed(Vec<ErrorKind>),
    /// Ctrl-C or SIGTERM.
    Interrupted,
}

impl Ended {
    /// How it ended by the fault that ended it.
    pub fn of(fault: &Fault) -> Self {
        match fault {
            Fault::Usage(_) => Self::Usage,
            Fault::Interrupted => Self::Interrupted,
            // Who closed our output has what he wanted.
            Fault::Closed => Self::Done,
            Fault::Store(_) | Fault::Said(..) => {
                Self::Failed(vec![fault.kind().unwrap_or(ErrorKind::Io)])
            }
        }
    }
}

/// The failures of one run, told as they come and counted for the end.
#[derive(Debug, Default)]
pub struct Tally {
    kinds: Vec<ErrorKind>,
    /// How many there were.
    pub count: u64,
}

impl Tally {
    /// One more of this kind.
    pub fn add(&mut self, kind: ErrorKind) {
        self.count += 1;
        if !self.kinds.contains(&kind) {
            self.kinds.push(kind);
        }
    }

    /// How it ended.
    pub fn ended(self) -> Ended {
        if self.count == 0 {
            Ended::Done
        } else {
            Ended::Failed(self.kinds)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gaveta_text::Lang;

    #[test]
    fn a_strangers_text_is_escaped_in_a_sentence() {
        let fault = Fault::Said(
            ErrorKind::NotFound,
            Sentence::new("client-no-match").with("pattern", "\u{1b}[2J*"),
        );
        for lang in Lang::ALL {
            let said = fault.say(&Text::new(lang));
            assert!(
                said.contains("\\u{1b}[2J*") && !said.contains('\u{1b}'),
                "{said}"
            );
        }
        assert_eq!(fault.code(), "not-found");
    }

    #[test]
    fn each_kind_counts_once_for_the_end() {
        let mut tally = Tally::default();
        tally.add(ErrorKind::Exists);
        tally.add(ErrorKind::Exists);
        tally.add(ErrorKind::Io);
        assert_eq!(tally.count, 3);
        assert_eq!(
            tally.ended(),
            Ended::Failed(vec![ErrorKind::Exists, ErrorKind::Io])
        );
        assert_eq!(Tally::default().ended(), Ended::Done);
    }
}
