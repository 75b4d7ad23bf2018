//! What the parser says itself, in the person's language.

use gaveta_text::{Lang, Text};

/// What stands for values, as the arguments name them, and the keys of these words.
const VALUES: &[(&str, &str)] = &[
    ("ACTIONS", "value-actions"),
    ("BY", "value-by"),
    ("COMMAND", "value-command"),
    ("COMMANDS", "value-commands"),
    ("DATE", "value-date"),
    ("FILE", "value-file"),
    ("FOLDER", "value-folder"),
    ("FORMAT", "value-format"),
    ("FROM", "value-from"),
    ("HOST", "value-host"),
    ("HOW", "value-how"),
    ("KEY", "value-key"),
    ("LANG", "value-lang"),
    ("LEVEL", "value-level"),
    ("NAME", "value-name"),
    ("NUMBER", "value-number"),
    ("OPTIONS", "value-options"),
    ("PASSWORD", "value-password"),
    ("PATH", "value-path"),
    ("PATTERN", "value-pattern"),
    ("PORT", "value-port"),
    ("RATE", "value-rate"),
    ("SECONDS", "value-seconds"),
    ("SHELL", "value-shell"),
    ("SIZE", "value-size"),
    ("TIME", "value-time"),
    ("TO", "value-to"),
    ("WHAT", "value-what"),
    ("WHEN", "value-when"),
    ("WORD", "value-word"),
];

/// The parser's own words in a help, and their keys. A line may break behind them.
const WORDS: &[(&str, &str)] = &[
    ("[default:", "man-default"),
    ("[alias:", "help-also"),
    ("[aliases:", "help-also"),
    ("[possible values:", "help-values"),
];

/// What stands for a value, or a whole usage: each word in capitals that is known in the person's
/// language.
pub(super) fn usage_in_language(usage: &str, text: &Text) -> String {
    if text.lang() == Lang::English {
        return usage.to_owned();
    }
    let pieces = usage.split_inclusive(|c: char| !c.is_ascii_uppercase());
    pieces
        .map(|piece| {
            let word = piece.trim_end_matches(|c: char| !c.is_ascii_uppercase());
            let end = piece.strip_prefix(word).unwrap_or_default();
            let key = VALUES.iter().find(|(value, _)| *value == word);
            let said = key.and_then(|(_, key)| text.find(key, &[]));
            said.unwrap_or_else(|| word.to_owned()) + end
        })
        .collect()
}

/// A help that was rendered, with the few words of the parser's own in the person's language.
pub fn in_language(help: &str, text: &Text) -> String {
    let mut help = help.to_owned();
    for (theirs, key) in WORDS {
        help = help.replace(theirs, &format!("[{}", text.say(key, &[])));
    }
    for theirs in ["[OPTIONS]", "<COMMAND>"] {
        help = help.replace(theirs, &usage_in_language(theirs, text));
    }
    help
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_for_values_is_named_in_ones_language() {
        let text = Text::new(Lang::Portuguese);
        for (usage, told) in [
            ("HOST[:PORT]/NAME… [FOLDER]", "HOST[:PORTA]/NOME… [PASTA]"),
            ("gaveta list [OPTIONS] X", "gaveta list [OPÇÕES] X"),
            ("on|off", "on|off"),
        ] {
            assert_eq!(usage_in_language(usage, &text), told);
            assert_eq!(usage_in_language(usage, &Text::new(Lang::English)), usage);
        }
        assert_eq!(
            in_language("--x <FILE> [default: 3] [aliases: --y]", &text),
            "--x <FILE> [padrão: 3] [também: --y]"
        );
    }

    /// Every help of every verb: no word of the other language is left.
    #[test]
    fn no_help_in_portuguese_names_a_value_in_english() {
        let text = Text::new(Lang::Portuguese);
        for verb in super::super::VERBS {
            for command in [verb.command(&text), verb.command_in_shell(&text)] {
                let help = in_language(&command.clone().render_help().to_string(), &text);
                for english in [
                    "FILE>",
                    "FOLDER",
                    "NAME",
                    "PATTERN",
                    "[OPTIONS]",
                    "[default",
                    "[alias",
                ] {
                    assert!(!help.contains(english), "{english}: {help}");
                }
            }
        }
    }
}
