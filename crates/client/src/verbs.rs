//! What a person can ask for: one verb, one file, one row of the [table](VERBS).
//!
//! The table feeds the command line, the shell, completion and the manual. A verb's file holds its
//! arguments (as a clap struct whose help strings are keys of the texts) and what it does. The same
//! verb runs in both: in the shell a path begins at the folder one is in, on the command line it
//! carries an address.

pub mod audit;
mod cat;
mod cd;
pub(crate) mod complaint;
mod conflict;
mod content;
mod context;
mod copy;
mod delete;
mod df;
mod events;
mod exit;
mod forget;
mod get;
mod help;
mod info;
pub mod keyring;
mod language;
mod lcd;
mod list;
mod lls;
mod lpwd;
mod mirror;
mod mkdir;
mod moving;
mod purge;
mod pwd;
mod rename;
mod restore;
mod rm;
mod send;
pub mod share;
mod span;
mod table;
pub mod token;
mod transferring;
mod trash;
mod undo;
mod uploads;
pub mod verify;
mod versions;

use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;

use clap::{Arg, ArgAction, ArgMatches, Args, Command};
use futures_util::future::BoxFuture;
use gaveta_text::{Lang, Text};
use gaveta_wire::fingerprint::Fingerprint;

use crate::fault::{Ended, Outcome};

pub use context::{Context, PASSWORD_VARIABLE, USER_VARIABLE};
pub use language::in_language;
pub use table::VERBS;

/// The environment variable with the server's fingerprint.
pub(crate) const FINGERPRINT_VARIABLE: &str = "GAVETA_FINGERPRINT";

/// What the verbs that talk to a server have in common.
#[derive(Debug, Clone, Args)]
struct Connection {
    #[arg(long, value_name = "NAME", env = USER_VARIABLE, hide_env = true, help = "arg-user")]
    user: Option<String>,
    #[arg(long, value_name = "FILE", help = "arg-password-file")]
    password_file: Option<PathBuf>,
    #[arg(long, value_name = "FILE", help = "arg-token-file")]
    token_file: Option<PathBuf>,
    #[arg(long, value_name = "SHA256:…", env = FINGERPRINT_VARIABLE, hide_env = true,
        help = "arg-fingerprint")]
    fingerprint: Option<Fingerprint>,
}

/// What a verb's arguments can do.
trait Run: Args + Sized + std::marker::Send + 'static {
    /// Does it.
    fn run(self, context: Context) -> impl Future<Output = Outcome<Ended>> + std::marker::Send;
}

type Start = fn(&ArgMatches, Context) -> Result<BoxFuture<'static, Outcome<Ended>>, clap::Error>;

/// What the names of a verb's words are, for completion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Names {
    /// It takes none.
    None,
    /// Entries of the server.
    Remote,
    /// Folders of the server.
    RemoteFolder,
    /// Files and folders of this machine.
    Local,
    /// Folders of this machine.
    LocalFolder,
    /// Verbs.
    Verb,
    /// `on` or `off`.
    OnOff,
}

/// One row of the table.
#[derive(Debug)]
pub struct Verb {
    /// Its word.
    pub name: &'static str,
    /// The other words for it: Portuguese first, then the usual ones.
    pub aliases: &'static [&'static str],
    /// Its word in Portuguese.
    pub portuguese: &'static str,
    /// Its words, as the help of the command line shows them; none when it is for the shell only.
    pub usage: Option<&'static str>,
    /// The key of its words, as the help of the shell shows them; none when it is for the command
    /// line only.
    pub shell_usage: Option<&'static str>,
    /// What its words name.
    pub names: Names,
    /// Words after so many are secret: a line that holds some is never remembered.
    pub secret_after: Option<usize>,
    /// The key of its help.
    pub help: &'static str,
    augment: fn(Command) -> Command,
    start: Start,
}

impl Verb {
    const fn new<R: Run>(
        name: &'static str,
        aliases: &'static [&'static str],
        help: &'static str,
    ) -> Self {
        Self {
            name,
            aliases,
            portuguese: match aliases {
                [first, ..] => first,
                [] => name,
            },
            usage: None,
            shell_usage: None,
            names: Names::None,
            secret_after: None,
            help,
            augment: R::augment_args,
            start: start::<R>,
        }
    }

    const fn on_command_line(mut self, usage: &'static str) -> Self {
        self.usage = Some(usage);
        self
    }

    const fn in_shell(mut self, usage: &'static str, names: Names) -> Self {
        self.shell_usage = Some(usage);
        self.names = names;
        self
    }

    const fn portuguese(mut self, word: &'static str) -> Self {
        self.portuguese = word;
        self
    }

    const fn secret_after(mut self, words: usize) -> Self {
        self.secret_after = Some(words);
        self
    }

    /// Its word in this language.
    pub fn word(&self, lang: Lang) -> &'static str {
        match lang {
            Lang::Portuguese => self.portuguese,
            Lang::English => self.name,
        }
    }

    /// Every word for it.
    pub fn words(&self) -> impl Iterator<Item = &'static str> {
        std::iter::once(self.name).chain(self.aliases.iter().copied())
    }

    /// Its words in the shell, after this one for it.
    pub fn usage_in_shell(&self, text: &Text) -> String {
        let usage = self.shell_usage.map(|key| text.say(key, &[]));
        let usage = usage.unwrap_or_default();
        let word = self.word(text.lang());
        format!("{word} {usage}").trim_end().to_owned()
    }

    /// The verb as a command of the command line, in this language.
    pub fn command(&self, text: &Text) -> Command {
        let usage = self.usage.unwrap_or_default();
        let usage = format!("gaveta {} [OPTIONS] {usage}", self.name);
        self.dressed(text)
            .override_usage(language::usage_in_language(&usage, text))
    }

    /// The verb as a command of the shell, in this language. Its first word is not among the
    /// arguments.
    pub fn command_in_shell(&self, text: &Text) -> Command {
        let template = format!(
            "{{about-with-newline}}\n{} {{usage}}\n\n{{all-args}}",
            text.say("help-usage", &[])
        );
        let server = language::usage_in_language("HOST[:PORT]/", text);
        let help = Arg::new("help")
            .short('h')
            .long("help")
            .action(ArgAction::Help)
            .help(text.say("help-help", &[]))
            .help_heading(text.say("help-options", &[]));
        self.dressed(text)
            .no_binary_name(true)
            .override_usage(self.usage_in_shell(text))
            .help_template(template)
            .disable_help_flag(true)
            .arg(help)
            // The help names them in the person's language.
            .mut_args(|arg| {
                let values = arg.get_action().takes_values();
                arg.hide_default_value(values).hide_possible_values(values)
            })
            // The server goes without saying.
            .mut_args(|arg| match arg.get_value_names() {
                Some([name]) if name.contains(&server) => {
                    let name = name.replace(&server, "");
                    arg.value_name(name)
                }
                _ => arg,
            })
    }

    fn dressed(&self, text: &Text) -> Command {
        // A struct's own comment would be taken as the help of the verb: ours comes after it.
        let command = (self.augment)(Command::new(self.name))
            .visible_aliases(self.aliases)
            .about(self.help)
            .long_about(None);
        translate(command, text)
    }

    /// Does what was asked for, prints all of it, and says how it ended.
    ///
    /// # Errors
    /// When the arguments are not those of [`Verb::command`].
    pub async fn run(&self, matches: &ArgMatches, context: Context) -> Result<Ended, clap::Error> {
        let printer = Arc::clone(&context.printer);
        let outcome = (self.start)(matches, context)?.await;
        Ok(printer.ended(outcome))
    }
}

fn start<R: Run>(
    matches: &ArgMatches,
    context: Context,
) -> Result<BoxFuture<'static, Outcome<Ended>>, clap::Error> {
    let arguments = R::from_arg_matches(matches)?;
    Ok(Box::pin(arguments.run(context)))
}

/// The verb of this word.
pub fn verb(word: &str) -> Option<&'static Verb> {
    VERBS
        .iter()
        .find(|verb| verb.words().any(|own| own == word))
}

/// What the parser of the command line found, as a sentence in the person's language; none for
/// help and version, which are no faults.
pub fn complain(error: &clap::Error, text: &Text) -> Option<String> {
    let fault = complaint::about(error, "gaveta … --help")?;
    Some(fault.say(text))
}

/// The verb of this word, in the shell.
pub(crate) fn verb_in_shell(word: &str) -> Option<&'static Verb> {
    verb(word).filter(|verb| verb.shell_usage.is_some())
}

/// The verbs of the shell.
pub(crate) fn in_shell() -> impl Iterator<Item = &'static Verb> {
    VERBS.iter().filter(|verb| verb.shell_usage.is_some())
}

/// The verbs of the command line.
pub fn on_command_line() -> impl Iterator<Item = &'static Verb> {
    VERBS.iter().filter(|verb| verb.usage.is_some())
}

/// Turns a command's help strings from keys of the texts into sentences.
pub fn translate(mut command: Command, text: &Text) -> Command {
    let say = |key: &clap::builder::StyledStr| {
        let key = key.to_string();
        text.find(&key, &[]).unwrap_or(key)
    };
    if let Some(about) = command.get_about() {
        let about = say(about);
        command = command.about(about);
    }
    let (arguments, options) = (
        text.say("help-arguments", &[]),
        text.say("help-options", &[]),
    );
    command.mut_args(|arg| {
        let help = arg.get_help().map(say);
        let heading = if arg.is_positional() {
            &arguments
        } else {
            &options
        };
        let name = match arg.get_value_names() {
            Some([name]) => Some(language::usage_in_language(name, text)),
            _ => None,
        };
        let arg = arg.help_heading(heading.clone());
        let arg = match name {
            Some(name) => arg.value_name(name),
            None => arg,
        };
        match help {
            Some(help) => arg.help(help),
            None => arg,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use gaveta_text::Lang;
    use std::collections::BTreeSet;

    #[test]
    fn no_word_names_two_verbs() {
        let mut words = BTreeSet::new();
        for verb in VERBS {
            for word in verb.aliases.iter().chain([&verb.name]) {
                assert!(words.insert(*word), "{word} twice");
                assert_eq!(super::verb(word).unwrap().name, verb.name);
            }
        }
        assert!(super::verb("serve").is_none());
    }

    #[test]
    fn every_help_is_a_sentence_in_both_languages() {
        for lang in Lang::ALL {
            let text = Text::new(lang);
            for verb in VERBS {
                verb.command(&text).debug_assert();
                let command = verb.command_in_shell(&text);
                command.clone().debug_assert();
                assert!(verb.usage.is_some() || verb.shell_usage.is_some());
                if let Some(key) = verb.shell_usage {
                    assert!(text.find(key, &[]).is_some(), "{}", verb.name);
                }
                let helps = command.get_arguments().filter_map(|arg| arg.get_help());
                for help in helps.chain(command.get_about()) {
                    let help = help.to_string();
                    assert!(help.contains(' '), "{} in {lang:?}: {help}", verb.name);
                }
                for arg in command.get_arguments() {
                    assert!(
                        arg.get_help().is_some(),
                        "{}: {:?}",
                        verb.name,
                        arg.get_id()
                    );
                }
            }
        }
    }
}
