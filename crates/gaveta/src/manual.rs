//! What a machine's shell and its manual know of the command line: both are made from the commands
//! themselves, so that they cannot say anything else.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::{Arg, ArgMatches, Command};
use clap_complete::Shell;
use clap_mangen::Man;
use gaveta_client::verbs;
use gaveta_core::Error;
use gaveta_text::{Text, escape};

use crate::exit::Exit;

/// The words of these commands.
pub(crate) const COMPLETIONS: &str = "completions";
pub(crate) const MAN: &str = "man";

/// clap_mangen's own headings, and the keys of ours.
const HEADINGS: [(&str, &str); 5] = [
    ("NAME", "man-name"),
    ("SYNOPSIS", "man-synopsis"),
    ("DESCRIPTION", "man-description"),
    ("EXTRA", "man-more"),
    ("VERSION", "man-version"),
];

/// The two commands; their help strings are keys of the texts.
pub(crate) fn commands() -> [Command; 2] {
    [
        Command::new(COMPLETIONS)
            .visible_alias("autocompletar")
            .about("help-completions")
            .arg(
                Arg::new("shell")
                    .value_name("SHELL")
                    .required(true)
                    .value_parser(clap::value_parser!(Shell))
                    .hide_possible_values(true)
                    .help("arg-completions-shell"),
            ),
        Command::new(MAN)
            .visible_alias("manual")
            .about("help-man")
            .arg(
                Arg::new("folder")
                    .value_name("FOLDER")
                    .value_parser(clap::value_parser!(PathBuf))
                    .help("arg-man-folder"),
            ),
    ]
}

/// Prints what a shell needs to complete the words of this command line.
pub(crate) fn complete(matches: &ArgMatches, mut command: Command, text: &Text) -> Exit {
    let Some(shell) = matches.get_one::<Shell>("shell").copied() else {
        return Exit::Usage;
    };
    let name = command.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, name, &mut script);
    print(&script, text)
}

/// Prints the manual's first page, or writes all of them into a folder, one for each command.
pub(crate) fn man(matches: &ArgMatches, command: Command, text: &Text) -> Exit {
    let Some(folder) = matches.get_one::<PathBuf>("folder") else {
        return match page(&Man::new(command), text) {
            Ok(page) => print(page.as_bytes(), text),
            Err(error) => failed(&text.error(&error.into())),
        };
    };
    match write_pages(folder, command, text) {
        Ok(()) => Exit::Done,
        Err((path, error)) => failed(&text.say(
            "man-not-written",
            &[
                ("name", escape(&path.to_string_lossy()).into_owned().into()),
                ("why", text.kind(Error::from(error).kind()).into()),
            ],
        )),
    }
}

/// Writes `gaveta.1`, `gaveta-list.1` and so on. A page appears whole or not at all.
///
/// # Errors
/// What failed, and where.
fn write_pages(
    folder: &Path,
    mut command: Command,
    text: &Text,
) -> Result<(), (PathBuf, io::Error)> {
    fs::create_dir_all(folder).map_err(|error| (folder.to_owned(), error))?;
    command.build();
    let below: Vec<Command> = command.get_subcommands().cloned().collect();
    for command in below.into_iter().chain([command]) {
        // The help of such an argument names its values itself.
        let man = Man::new(command.mut_args(|arg| {
            let values = arg.get_action().takes_values();
            arg.hide_possible_values(values)
        }));
        let path = folder.join(man.get_filename());
        page(&man, text)
            .and_then(|page| replace(&path, page.as_bytes()))
            .map_err(|error| (path, error))?;
    }
    Ok(())
}

fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut name = path.file_name().unwrap_or(OsStr::new("page")).to_owned();
    name.push(".new");
    let beside = path.with_file_name(name);
    let done = fs::write(&beside, content).and_then(|()| fs::rename(&beside, path));
    if done.is_err() {
        let _ = fs::remove_file(&beside);
    }
    done
}

/// One page, what clap_mangen says itself in the language of the rest.
fn page(man: &Man, text: &Text) -> io::Result<String> {
    let mut page = Vec::new();
    man.render(&mut page)?;
    let mut lines: Vec<String> = String::from_utf8_lossy(&page)
        .lines()
        .map(str::to_owned)
        .collect();
    for line in &mut lines {
        if let Some(word) = line.strip_prefix(".SH ").map(|word| word.trim_matches('"')) {
            let heading = match HEADINGS.iter().find(|(theirs, _)| *theirs == word) {
                Some((_, key)) => text.say(key, &[]),
                None => word.to_uppercase(),
            };
            *line = format!(".SH \"{heading}\"");
        } else {
            *line = verbs::in_language(line, text);
        }
    }
    lines.push(String::new());
    Ok(lines.join("\n"))
}

/// Who reads no further has read enough.
fn print(content: &[u8], text: &Text) -> Exit {
    let mut out = io::stdout().lock();
    match out.write_all(content).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            failed(&text.error(&error.into()))
        }
        _ => Exit::Done,
    }
}

fn failed(why: &str) -> Exit {
    let _ = writeln!(io::stderr(), "gaveta: {why}");
    Exit::Failed
}
