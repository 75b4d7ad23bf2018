//! `help`: every verb in a line, or one in full.

use clap::Args;

use super::{Context, Run, Verb, complaint, in_language, in_shell, verb_in_shell};
use crate::fault::{Ended, Outcome};
use crate::terminal;

#[derive(Debug, Args)]
pub(super) struct Help {
    #[arg(value_name = "COMMAND", help = "arg-help-verb")]
    verb: Option<String>,
}

impl Run for Help {
    async fn run(self, context: Context) -> Outcome<Ended> {
        let text = context.text();
        let Some(word) = &self.verb else {
            return all(&context);
        };
        let Some(verb) = verb_in_shell(&word.to_lowercase()) else {
            return Err(complaint::unknown(word, text));
        };
        let help = verb.command_in_shell(text).render_help().to_string();
        let help = in_language(&help, text);
        for line in help.trim_end().lines() {
            context.printer.line(line)?;
        }
        let words: Vec<_> = verb.words().collect();
        let words = text.say("shell-help-words", &[("words", words.join(", ").into())]);
        context.printer.line("")?;
        context.printer.line(&words)?;
        Ok(Ended::Done)
    }
}

/// The room between the two columns.
const GAP: usize = 2;
/// The widest first column.
const WIDEST: usize = 34;

fn all(context: &Context) -> Outcome<Ended> {
    let text = context.text();
    let usages: Vec<(String, &Verb)> = in_shell()
        .map(|verb| (verb.usage_in_shell(text), verb))
        .collect();
    let width = terminal::width().unwrap_or(80).max(20);
    let widest = usages.iter().map(|(usage, _)| usage.chars().count());
    let column = widest.max().unwrap_or(0).min(WIDEST);
    // On a narrow terminal each help stands beneath its verb.
    let beneath = width < column + GAP + 24;
    for (usage, verb) in usages {
        let help = text.say(verb.help, &[]);
        if beneath || usage.chars().count() > column {
            context.printer.line(&usage)?;
            let indent = if beneath { 4 } else { column + GAP };
            wrapped(context, "", indent, width, &help)?;
        } else {
            let start = format!("{usage:<column$}");
            wrapped(context, &start, column + GAP, width, &help)?;
        }
    }
    context.printer.line("")?;
    context.printer.line(&text.say("shell-help-more", &[]))?;
    Ok(Ended::Done)
}

/// Prints words from a column on, the first line after `start`.
fn wrapped(context: &Context, start: &str, column: usize, width: usize, words: &str) -> Outcome {
    let mut line = format!("{start:<column$}");
    let mut room = width.saturating_sub(column + 1);
    for word in words.split(' ') {
        let length = word.chars().count();
        if length > room && !line.trim().is_empty() && line.chars().count() > column {
            context.printer.line(line.trim_end())?;
            line = " ".repeat(column);
            room = width.saturating_sub(column + 1);
        }
        line.push_str(word);
        line.push(' ');
        room = room.saturating_sub(length + 1);
    }
    context.printer.line(line.trim_end())
}
