//! The command line: built from the client's table of verbs and `serve`, in the person's language.

use std::ffi::OsString;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};
use gaveta_client::fault::Ended;
use gaveta_client::printer::{Color, Printer, Style};
use gaveta_client::shell::{self, ConnectArgs};
use gaveta_client::stop;
use gaveta_client::verbs::{self, Context, PASSWORD_VARIABLE, Verb};
use gaveta_core::{Error, ErrorKind};
use gaveta_text::{Lang, Text};

use crate::account::{self, AccountArgs};
use crate::ask::{self, Wish};
use crate::exit::Exit;
use crate::manual;
use crate::offline;
use crate::serve::{self, ServeArgs};
use crate::verify;

/// What a thread that still waits for a key or a dead disk gets at the end.
const PATIENCE: Duration = Duration::from_millis(200);
/// The command that opens the shell.
const CONNECT: &str = "connect";
/// The command that looks after accounts.
const ACCOUNT: &str = "account";

/// Runs what the arguments (with the program's own name first) ask for.
pub(crate) fn run(args: Vec<OsString>) -> Exit {
    let text = Text::new(Lang::choose(asked_language(&args).as_deref()));
    // Nothing but options: a person at a terminal is asked what to do.
    if says_nothing(&args)
        && let Some(answer) = ask::what_to_do(&text)
    {
        return match answer {
            Ok(Wish::Serve(args)) => serve::run(*args, &text),
            Ok(Wish::Connect(args)) => run_shell(args, &ArgMatches::default(), text),
            Err(exit) => exit,
        };
    }
    let typed = typed(&args);
    let matches = match command(&text).try_get_matches_from(args) {
        Ok(matches) => matches,
        Err(error) => return refuse(&error, &text),
    };
    match matches.subcommand() {
        Some((CONNECT, matches)) => match ConnectArgs::from_arg_matches(matches) {
            Ok(args) => run_shell(args, matches, text.clone()),
            Err(error) => refuse(&error, &text),
        },
        Some(("serve", matches)) => match ServeArgs::from_arg_matches(matches) {
            Ok(args) => serve::run(args, &text),
            Err(error) => refuse(&error, &text),
        },
        Some((ACCOUNT, matches)) => match AccountArgs::from_arg_matches(matches) {
            Ok(args) => account::run(args, &printer(matches, text.clone())),
            Err(error) => refuse(&error, &text),
        },
        Some((manual::COMPLETIONS, matches)) => manual::complete(matches, command(&text), &text),
        Some((manual::MAN, matches)) => manual::man(matches, command(&text), &text),
        Some(("verify", matches)) if verify::is_local(matches) => {
            let printer = printer(matches, text);
            let verified = in_runtime(&printer, verify::run(matches, Arc::clone(&printer)));
            verified.map_or(Exit::Failed, |ended| exit_of(&ended))
        }
        Some((word, matches)) => match verbs::verb(word) {
            Some(verb) => run_verb(verb, matches, text, typed),
            None => Exit::Usage,
        },
        None => Exit::Usage,
    }
}

/// The command as it may be typed again in a usual shell; none when it is no text.
fn typed(args: &[OsString]) -> Option<String> {
    let plain = |c: char| c.is_alphanumeric() || "-_./:@%+=,~".contains(c);
    let words = args.iter().skip(1).map(|arg| {
        let word = arg.to_str()?;
        Some(if !word.is_empty() && word.chars().all(plain) {
            word.to_owned()
        } else {
            format!("'{}'", word.replace('\'', "'\\''"))
        })
    });
    let words: Option<Vec<String>> = std::iter::once(Some("gaveta".to_owned()))
        .chain(words)
        .collect();
    Some(words?.join(" "))
}

fn run_verb(verb: &Verb, matches: &ArgMatches, text: Text, typed: Option<String>) -> Exit {
    let mut context = Context::new(printer(matches, text.clone()), password());
    context.typed = typed;
    let printer = Arc::clone(&context.printer);
    let ended = in_runtime(&printer, async {
        if let Err(error) = stop::on_signals(context.cancel.clone()) {
            let _ = context.printer.fault(&Error::from(error).into());
        }
        match offline::run(verb.name, matches, &context).await {
            Some(ended) => ended,
            None => verb.run(matches, context).await,
        }
    });
    match ended {
        Some(Ok(ended)) => exit_of(&ended),
        Some(Err(error)) => refuse(&error, &text),
        None => Exit::Failed,
    }
}

fn run_shell(args: ConnectArgs, matches: &ArgMatches, text: Text) -> Exit {
    let printer = printer(matches, text);
    let ended = in_runtime(&printer, shell::run(args, Arc::clone(&printer), password()));
    ended.map_or(Exit::Failed, |ended| exit_of(&ended))
}

fn printer(matches: &ArgMatches, text: Text) -> Arc<Printer> {
    let flag = |name| matches!(matches.try_get_one::<bool>(name), Ok(Some(true)));
    let color = matches.try_get_one::<Color>("color").ok().flatten();
    let style = Style {
        json: flag("json"),
        quiet: flag("quiet"),
        color: color.copied().unwrap_or_default(),
        plain: flag("plain-output"),
    };
    Arc::new(Printer::new(text, style))
}

fn password() -> Option<String> {
    std::env::var(PASSWORD_VARIABLE)
        .ok()
        .filter(|text| !text.is_empty())
}

/// Runs something to its end; none, and the reason told, when no threads can be had.
fn in_runtime<T>(printer: &Printer, doing: impl Future<Output = T>) -> Option<T> {
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            let _ = printer.fault(&Error::from(error).into());
            return None;
        }
    };
    let done = runtime.block_on(doing);
    runtime.shutdown_timeout(PATIENCE);
    Some(done)
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
fn refuse(error: &clap::Error, text: &Text) -> Exit {
    // The parser speaks English, with more to say than a sentence of ours.
    let ours = match text.lang() {
        Lang::English => None,
        Lang::Portuguese => verbs::complain(error, text),
    };
    // Who closed the stream has read enough.
    let _ = match ours {
        Some(sentence) => writeln!(std::io::stderr(), "gaveta: {sentence}"),
        None if error.use_stderr() => error.print(),
        None => {
            let help = error.render();
            let help = match Color::Auto.on_output() {
                true => help.ansi().to_string(),
                false => help.to_string(),
            };
            write!(std::io::stdout(), "{}", verbs::in_language(&help, text))
        }
    };
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

/// Nothing behind the program's own name but the language?
fn says_nothing(args: &[OsString]) -> bool {
    match args {
        [] | [_] => true,
        [_, one] => one.to_string_lossy().starts_with("--lang="),
        [_, one, _] => one == "--lang",
        _ => false,
    }
}

/// The whole command line in this language.
fn command(text: &Text) -> Command {
    let serve = ServeArgs::augment_args(Command::new("serve"))
        .visible_aliases(["servir", "servidor"])
        .about("help-serve")
        .long_about(None);
    let connect = ConnectArgs::augment_args(Command::new(CONNECT))
        .visible_aliases(["conectar", "cliente"])
        .about("help-connect")
        .long_about(None);
    let account = AccountArgs::augment_args(Command::new(ACCOUNT))
        .visible_alias("conta")
        .about("help-account")
        .long_about(None)
        .subcommand_required(true)
        .arg_required_else_help(true)
        .disable_help_subcommand(true)
        .subcommand_help_heading(text.say("help-commands", &[]));
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
        .subcommand(dress(verbs::translate(connect, text)))
        .subcommand(dress(
            verbs::translate(account, text)
                .mut_subcommands(|command| dress(verbs::translate(command, text))),
        ))
        .subcommands(
            verbs::on_command_line()
                .map(|verb| dress(offline::with_place(verb.command(text), text))),
        )
        .subcommands(manual::commands().map(|command| dress(verbs::translate(command, text))))
}

/// What goes with every command.
fn options() -> [Arg; 6] {
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
            Arg::new("plain-output")
                .long("plain-output")
                .action(ArgAction::SetTrue)
                .help("help-plain-output"),
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
        let taken = [
            "serve", "servir", "servidor", CONNECT, "conectar", "cliente", "help", ACCOUNT, "conta",
        ];
        for verb in verbs::on_command_line() {
            assert!(!verb.words().any(|word| taken.contains(&word)));
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
    fn a_fault_of_the_command_line_is_told_in_portuguese() {
        let text = Text::new(Lang::Portuguese);
        for (args, part) in [
            (&["gaveta", "lsit"][..], "não há o comando lsit"),
            (&["gaveta", "list", "--what", "h"], "não há a opção --what"),
            (&["gaveta", "rm"], "falta dizer"),
            (
                &["gaveta", "list", "--sort", "cor", "h"],
                "\"cor\" não serve",
            ),
        ] {
            let error = command(&text).try_get_matches_from(args).unwrap_err();
            let told = verbs::complain(&error, &text).unwrap();
            assert!(told.contains(part), "{told}");
        }
        let help = command(&text).try_get_matches_from(["gaveta", "--help"]);
        assert!(verbs::complain(&help.unwrap_err(), &text).is_none());
    }

    #[test]
    fn a_command_is_told_as_it_may_be_typed_again() {
        let typed = |args: &[&str]| typed(&args.iter().map(OsString::from).collect::<Vec<_>>());
        assert_eq!(
            typed(&["/x/gaveta", "send", "a b", "it's", "*", "h:1/"]).as_deref(),
            Some(r"gaveta send 'a b' 'it'\''s' '*' h:1/")
        );
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
