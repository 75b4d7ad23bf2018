//! The command line: built from the client's table of verbs and `serve`, in the person's language.

use std::ffi::OsString;
use std::sync::Arc;
use std::time::Duration;

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};
use gaveta_client::fault::Ended;
use gaveta_client::printer::{Color, Printer, Style};
use gaveta_client::stop;
use gaveta_client::verbs::{self, Context, PASSWORD_VARIABLE, VERBS, Verb};
use gaveta_core::ErrorKind;
use gaveta_text::{Lang, Text};

use crate::exit::Exit;
use crate::serve::{self, ServeArgs};

/// What a thread that still waits for a key or a dead disk gets at the end.
const PATIENCE: Duration = Duration::from_millis(200);

/// Runs what the arguments (with the program's own name first) ask for.
pub(crate) fn run(args: Vec<OsString>) -> Exit {
    let text = Text::new(Lang::choose(asked_language(&args).as_deref()));
    let matches = match command(&text).try_get_matches_from(args) {
        Ok(matches) => matches,
        Err(error) => return refuse(&error),
    };
    match matches.subcommand() {
        Some(("serve", matches)) => match ServeArgs::from_arg_matches(matches) {
            Ok(args) => serve::run(args, &text),
            Err(error) => refuse(&error),
        },
        Some((word, matches)) => match verbs::verb(word) {
            Some(verb) => run_verb(verb, matches, text),
            None => Exit::Usage,
        },
        None => Exit::Usage,
    }
}

fn run_verb(verb: &Verb, matches: &ArgMatches, text: Text) -> Exit {
    let style = Style {
        json: matches.get_flag("json"),
        quiet: matches.get_flag("quiet"),
        color: matches
            .get_one::<Color>("color")
            .copied()
            .unwrap_or_default(),
    };
    let printer = Arc::new(Printer::new(text, style));
    let password = std::env::var(PASSWORD_VARIABLE)
        .ok()
        .filter(|text| !text.is_empty());
    let context = Context::new(printer, password);
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            let _ = context
                .printer
                .fault(&gaveta_core::Error::from(error).into());
            return Exit::Failed;
        }
    };
    let ended = runtime.block_on(async {
        if let Err(error) = stop::on_signals(context.cancel.clone()) {
            let _ = context
                .printer
                .fault(&gaveta_core::Error::from(error).into());
        }
        verb.run(matches, context).await
    });
    runtime.shutdown_timeout(PATIENCE);
    match ended {
        Ok(ended) => exit_of(&ended),
        Err(error) => refuse(&error),
    }
}

/// Several failures that would give the same code give that code, else it is [`Exit::Failed`].
fn exit_of(ended: &Ended) -> Exit {
    match ended {
        Ended::Done => Exit::Done,
        Ended::Usage => Exit::Usage,
        Ended::Interrupted => Exit::Interrupted,
        Ended::Failed(kinds) => {
            let mut codes = kinds.iter().map(|kind: &ErrorKind| Exit::of(*kind));
            let first = codes.next().unwrap_or(Exit::Failed);
            if codes.all(|code| code == first) {
                first
            } else {
                Exit::Failed
            }
        }
    }
}

/// Prints what the parser has to say: help and version on standard output, else what is wrong.
fn refuse(error: &clap::Error) -> Exit {
    // Who closed the stream has read enough.
    let _ = error.print();
    if error.use_stderr() {
        Exit::Usage
    } else {
        Exit::Done
    }
}

/// `--lang X` or `--lang=X` anywhere before `--`: the help itself depends on it.
fn asked_language(args: &[OsString]) -> Option<String> {
    let mut args = args.iter().skip(1).map(|arg| arg.to_string_lossy());
    while let Some(arg) = args.next() {
        if arg == "--" {
            break;
        } else if arg == "--lang" {
            return args.next().map(Into::into);
        } else if let Some(lang) = arg.strip_prefix("--lang=") {
            return Some(lang.to_owned());
        }
    }
    None
}

/// The whole command line in this language.
fn command(text: &Text) -> Command {
    let serve = ServeArgs::augment_args(Command::new("serve"))
        .visible_aliases(["servir", "servidor"])
        .about("help-serve")
        .long_about(None);
    let template = format!(
        "{{about-with-newline}}\n{} {{usage}}\n\n{{all-args}}{{after-help}}",
        text.say("help-usage", &[])
    );
    let dress = |command: Command| {
        command
            .disable_help_flag(true)
            .help_template(template.clone())
    };
    let command = Command::new("gaveta")
        .bin_name("gaveta")
        .version(env!("CARGO_PKG_VERSION"))
        .about("help-about")
        .args(options())
        .disable_version_flag(true)
        .arg(
            Arg::new("version")
                .short('V')
                .long("version")
                .action(ArgAction::Version)
                .help("help-version"),
        )
        .disable_help_subcommand(true)
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand_help_heading(text.say("help-commands", &[]))
        .after_help(text.say("help-more", &[]));
    dress(verbs::translate(command, text))
        .subcommand(dress(verbs::translate(serve, text)))
        .subcommands(VERBS.iter().map(|verb| dress(verb.command(text))))
}

/// What goes with every command.
fn options() -> [Arg; 5] {
    let flag = |arg: Arg| arg.global(true).display_order(900);
    let languages = PossibleValuesParser::new(
        Lang::ALL
            .map(Lang::tag)
            .into_iter()
            .map(str::to_owned)
            .map(clap::builder::PossibleValue::new),
    );
    [
        flag(
            Arg::new("lang")
                .long("lang")
                .value_name("LANG")
                .value_parser(languages)
                .ignore_case(true)
                .hide_possible_values(true)
                .help("help-lang"),
        ),
        flag(
            Arg::new("json")
                .long("json")
                .action(ArgAction::SetTrue)
                .help("help-json"),
        ),
        flag(
            Arg::new("quiet")
                .short('q')
                .long("quiet")
                .action(ArgAction::SetTrue)
                .help("help-quiet"),
        ),
        flag(
            Arg::new("color")
                .long("color")
                .value_name("WHEN")
                .value_parser(clap::value_parser!(Color))
                .hide_possible_values(true)
                .help("help-color"),
        ),
        flag(
            Arg::new("help")
                .short('h')
                .long("help")
                .action(ArgAction::Help)
                .help("help-help"),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound_in_both_languages() {
        for lang in Lang::ALL {
            command(&Text::new(lang)).debug_assert();
        }
    }

    #[test]
    fn no_other_command_takes_the_servers_words() {
        for word in ["serve", "servir", "servidor", "help"] {
            assert!(verbs::verb(word).is_none());
        }
    }

    #[test]
    fn help_is_in_the_language_that_was_asked_for() {
        for (lang, sentence) in [
            (Lang::Portuguese, "Lista o que há numa pasta"),
            (Lang::English, "List what a folder holds"),
        ] {
            let help = command(&Text::new(lang)).render_help().to_string();
            assert!(help.contains(sentence), "{help}");
            assert!(!help.contains("help-") && !help.contains("verb-"), "{help}");
        }
    }

    #[test]
    fn the_language_is_found_before_the_rest_is_parsed() {
        let asked =
            |args: &[&str]| asked_language(&args.iter().map(OsString::from).collect::<Vec<_>>());
        assert_eq!(
            asked(&["gaveta", "list", "--lang", "en"]).as_deref(),
            Some("en")
        );
        assert_eq!(
            asked(&["gaveta", "--lang=pt-BR", "list"]).as_deref(),
            Some("pt-BR")
        );
        assert_eq!(asked(&["gaveta", "list", "--", "--lang", "en"]), None);
        assert_eq!(asked(&["gaveta", "--lang"]), None);
    }

    #[test]
    fn failures_of_one_kind_give_its_code_and_mixed_ones_the_general() {
        use ErrorKind::{Disconnected, NotFound, TimedOut};
        for (ended, exit) in [
            (Ended::Done, Exit::Done),
            (Ended::Usage, Exit::Usage),
            (Ended::Interrupted, Exit::Interrupted),
            (Ended::Failed(vec![NotFound]), Exit::NotFound),
            (
                Ended::Failed(vec![Disconnected, TimedOut]),
                Exit::Unreachable,
            ),
            (Ended::Failed(vec![NotFound, TimedOut]), Exit::Failed),
        ] {
            assert_eq!(exit_of(&ended), exit, "{ended:?}");
        }
    }
}
