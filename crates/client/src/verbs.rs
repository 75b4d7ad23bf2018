//! What a person can ask for: one verb, one file, one row of the [table](VERBS).
//!
//! The table feeds the command line, and later the shell, completion and the manual. A verb's file
//! holds its arguments (as a clap struct whose help strings are keys of the texts) and what it
//! does.

mod conflict;
mod copy;
mod delete;
mod get;
mod info;
mod list;
mod mkdir;
mod moving;
mod rename;
mod rm;
mod send;
mod transferring;

use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;

use clap::{ArgMatches, Args, Command};
use futures_util::future::BoxFuture;
use gaveta_text::Text;
use gaveta_transfer::Cancel;
use gaveta_wire::session::Secret;

use crate::address::Server;
use crate::drawer::{Drawer, Passwords};
use crate::fault::{Ended, Fault, Outcome};
use crate::printer::Printer;

/// The environment variable with the password.
pub const PASSWORD_VARIABLE: &str = "GAVETA_PASSWORD";

/// Every verb, in the order of the help.
pub static VERBS: &[Verb] = &[
    Verb::new::<list::List>("list", &["listar", "ls"], "HOST[:PORT]/PATH…", "verb-list"),
    Verb::new::<send::Send>(
        "send",
        &["enviar", "put"],
        "FILE… HOST[:PORT]/PATH",
        "verb-send",
    ),
    Verb::new::<get::Get>("get", &["baixar"], "HOST[:PORT]/NAME… [FOLDER]", "verb-get"),
    Verb::new::<delete::Delete>(
        "delete",
        &["deletar", "apagar"],
        "HOST[:PORT]/NAME [PASSWORD]",
        "verb-delete",
    ),
    Verb::new::<rm::Rm>("rm", &["remover"], "HOST[:PORT]/NAME…", "verb-rm"),
    Verb::new::<rename::Move>(
        "move",
        &["mover", "mv", "rename", "renomear"],
        "HOST[:PORT]/NAME… HOST[:PORT]/PATH",
        "verb-move",
    ),
    Verb::new::<copy::Copy>(
        "copy",
        &["copiar", "cp"],
        "HOST[:PORT]/NAME… HOST[:PORT]/PATH",
        "verb-copy",
    ),
    Verb::new::<mkdir::Mkdir>("mkdir", &["pasta"], "HOST[:PORT]/FOLDER…", "verb-mkdir"),
    Verb::new::<info::Info>("info", &["stat"], "HOST[:PORT]/NAME…", "verb-info"),
];

/// What a verb may use.
#[derive(Debug, Clone)]
pub struct Context {
    /// Everything that is shown.
    pub printer: Arc<Printer>,
    /// Switched by Ctrl-C and SIGTERM.
    pub cancel: Cancel,
    password: Option<Secret>,
}

impl Context {
    /// A context whose password, if any, is from the environment.
    pub fn new(printer: Arc<Printer>, password: Option<String>) -> Self {
        Self {
            printer,
            cancel: Cancel::new(),
            password: password.map(Secret),
        }
    }

    /// Runs something that may be dropped at any time; [`Fault::Interrupted`] when it was.
    async fn stoppable<T>(&self, doing: impl Future<Output = Outcome<T>> + Send) -> Outcome<T> {
        tokio::select! {
            done = doing => done,
            () = self.cancel.cancelled() => Err(Fault::Interrupted),
        }
    }

    fn text(&self) -> &Text {
        self.printer.text()
    }

    async fn open(&self, server: &Server, connection: &Connection) -> Outcome<Drawer> {
        let passwords = Passwords {
            given: None,
            file: connection.password_file.clone(),
            variable: self.password.clone(),
        };
        Drawer::open(server, passwords, Arc::clone(&self.printer)).await
    }
}

/// What the verbs that talk to a server have in common.
#[derive(Debug, Clone, Args)]
struct Connection {
    #[arg(long, value_name = "FILE", help = "arg-password-file")]
    password_file: Option<PathBuf>,
}

/// What a verb's arguments can do.
trait Run: Args + Sized + std::marker::Send + 'static {
    /// Does it.
    fn run(self, context: Context) -> impl Future<Output = Outcome<Ended>> + std::marker::Send;
}

type Start = fn(&ArgMatches, Context) -> Result<BoxFuture<'static, Outcome<Ended>>, clap::Error>;

/// One row of the table.
#[derive(Debug)]
pub struct Verb {
    /// Its word.
    pub name: &'static str,
    /// The other words for it: Portuguese, and the usual ones.
    pub aliases: &'static [&'static str],
    /// Its words, as the help shows them.
    pub usage: &'static str,
    /// The key of its help.
    pub help: &'static str,
    augment: fn(Command) -> Command,
    start: Start,
}

impl Verb {
    const fn new<R: Run>(
        name: &'static str,
        aliases: &'static [&'static str],
        usage: &'static str,
        help: &'static str,
    ) -> Self {
        Self {
            name,
            aliases,
            usage,
            help,
            augment: R::augment_args,
            start: start::<R>,
        }
    }

    /// The verb as a command of the command line, in this language.
    pub fn command(&self, text: &Text) -> Command {
        // A struct's own comment would be taken as the help of the verb: ours comes after it.
        let command = (self.augment)(Command::new(self.name))
            .visible_aliases(self.aliases)
            .override_usage(format!("gaveta {} [OPTIONS] {}", self.name, self.usage))
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
        let mut ended = match (self.start)(matches, context)?.await {
            Ok(ended) => ended,
            Err(fault) => {
                let told = printer.fault(&fault);
                if matches!(told, Err(Fault::Closed)) {
                    Ended::Done
                } else {
                    Ended::of(&fault)
                }
            }
        };
        if let Err(fault) = printer.finish()
            && ended == Ended::Done
        {
            ended = Ended::of(&fault);
        }
        Ok(ended)
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
        .find(|verb| verb.name == word || verb.aliases.contains(&word))
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
        let arg = arg.help_heading(heading.clone());
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
                let command = verb.command(&text);
                command.clone().debug_assert();
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
