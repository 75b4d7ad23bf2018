//! A typed line, taken apart: commands, and the words of each.
//!
//! Words are parted by blanks; `'…'` takes everything by its letters, `"…"` all but `\"` and `\\`,
//! and a `\` outside takes the next letter by itself. `;` and the end of a line part commands. A
//! line that begins with `#` says nothing. A quote that is not closed, or a `\` at the end of a
//! line, wants another line.

use std::ops::Range;

/// One word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Word {
    /// Without its quotes.
    pub(crate) text: String,
    /// Where it stands in the line, with its quotes.
    pub(crate) span: Range<usize>,
}

/// What a line that goes on is in the middle of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Open {
    /// Within `'`.
    Single,
    /// Within `"`.
    Double,
    /// After a `\` at the end.
    Escape,
}

/// A line, taken apart.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Taken {
    /// The commands, none of them empty.
    pub(crate) commands: Vec<Vec<Word>>,
    /// What is not closed; its word is the last one.
    pub(crate) open: Option<Open>,
    /// Does the line end within the last command: no `;` or end of line after it?
    pub(crate) within: bool,
}

/// Takes a line apart.
pub(crate) fn take_apart(line: &str) -> Taken {
    let mut taken = Taken::default();
    let mut command: Vec<Word> = Vec::new();
    let mut word: Option<Word> = None;
    let mut quote: Option<Open> = None;
    let mut chars = line.char_indices();
    let mut fresh = true;
    while let Some((at, c)) = chars.next() {
        let end = at + c.len_utf8();
        match (quote, c) {
            (Some(Open::Single), '\'') | (Some(Open::Double), '"') => {
                quote = None;
                grow(&mut word, at, end, None);
            }
            (Some(Open::Double), '\\') => {
                let next = chars.clone().next();
                if let Some((_, escaped @ ('"' | '\\'))) = next {
                    chars.next();
                    grow(&mut word, at, end + 1, Some(escaped));
                } else {
                    grow(&mut word, at, end, Some('\\'));
                }
            }
            (Some(_), c) => grow(&mut word, at, end, Some(c)),
            (None, '\'') => {
                quote = Some(Open::Single);
                grow(&mut word, at, end, None);
            }
            (None, '"') => {
                quote = Some(Open::Double);
                grow(&mut word, at, end, None);
            }
            (None, '\\') => match chars.next() {
                // The line goes on in the next.
                Some((_, '\n')) => {}
                Some((next, escaped)) => {
                    grow(&mut word, at, next + escaped.len_utf8(), Some(escaped));
                }
                None => {
                    grow(&mut word, at, end, None);
                    quote = Some(Open::Escape);
                }
            },
            (None, '#') if fresh => {
                for (_, c) in chars.by_ref() {
                    if c == '\n' {
                        break;
                    }
                }
                continue;
            }
            (None, ';' | '\n' | '\r') => {
                command.extend(word.take());
                if !command.is_empty() {
                    taken.commands.push(std::mem::take(&mut command));
                }
                fresh = c != ';';
                continue;
            }
            (None, c) if c.is_whitespace() => {
                command.extend(word.take());
                continue;
            }
            (None, c) => grow(&mut word, at, end, Some(c)),
        }
        fresh = false;
    }
    command.extend(word);
    taken.within = !command.is_empty();
    if !command.is_empty() {
        taken.commands.push(command);
    }
    taken.open = quote;
    taken
}

fn grow(word: &mut Option<Word>, start: usize, end: usize, c: Option<char>) {
    let word = word.get_or_insert_with(|| Word {
        text: String::new(),
        span: start..end,
    });
    word.span.end = end;
    word.text.extend(c);
}

/// Writes a name so that it is one word again. `open`: the quote that the person began; with
/// `goes_on` the word is left open for more.
pub(crate) fn quote(name: &str, open: Option<Open>, goes_on: bool) -> String {
    let mut quoted = String::with_capacity(name.len() + 2);
    match open {
        Some(Open::Single) if !name.contains('\'') => {
            quoted.push('\'');
            quoted.push_str(name);
            if !goes_on {
                quoted.push('\'');
            }
        }
        Some(Open::Single | Open::Double) => {
            quoted.push('"');
            for c in name.chars() {
                if matches!(c, '"' | '\\') {
                    quoted.push('\\');
                }
                quoted.push(c);
            }
            if !goes_on {
                quoted.push('"');
            }
        }
        Some(Open::Escape) | None => {
            for (at, c) in name.char_indices() {
                let special = c.is_whitespace() || matches!(c, '\'' | '"' | '\\' | ';');
                if special || (at == 0 && c == '#') {
                    quoted.push('\\');
                }
                quoted.push(c);
            }
        }
    }
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<Vec<String>> {
        take_apart(line)
            .commands
            .into_iter()
            .map(|command| command.into_iter().map(|word| word.text).collect())
            .collect()
    }

    #[test]
    fn lines_are_taken_apart_as_in_a_shell() {
        for (line, expected) in [
            ("", &[][..]),
            ("  ;; \n ", &[]),
            ("listar", &[&["listar"][..]]),
            (
                "enviar 'a b' \"c d\" e\\ f",
                &[&["enviar", "a b", "c d", "e f"]],
            ),
            ("a;b ; c\nd", &[&["a"], &["b"], &["c"], &["d"]]),
            (
                "rm 'a;b' a\\;b \"x\\\"y\\z\"",
                &[&["rm", "a;b", "a;b", "x\"y\\z"]],
            ),
            ("# nothing\nls #x", &[&["ls", "#x"]]),
            ("  # nothing", &[]),
            ("ls; #x", &[&["ls"], &["#x"]]),
            ("cd ''", &[&["cd", ""]]),
            ("cd a''b", &[&["cd", "ab"]]),
            ("cd a\\\nb", &[&["cd", "ab"]]),
            ("a|b|c $x `y`", &[&["a|b|c", "$x", "`y`"]]),
        ] {
            assert_eq!(words(line), expected, "{line}");
        }
    }

    #[test]
    fn what_is_not_closed_is_seen() {
        for (line, open) in [
            ("a 'b", Some(Open::Single)),
            ("a \"b", Some(Open::Double)),
            ("a \"b\\\"", Some(Open::Double)),
            ("a \\", Some(Open::Escape)),
            ("a 'b'", None),
            ("a \\'", None),
        ] {
            assert_eq!(take_apart(line).open, open, "{line}");
        }
    }

    #[test]
    fn a_quoted_name_is_one_word_again() {
        for name in ["a", "a b", "a\"b", "it's", "a;b\\c", "#x", "*.txt", "é 🗄"] {
            for open in [None, Some(Open::Single), Some(Open::Double)] {
                let line = format!("get {}", quote(name, open, false));
                assert_eq!(words(&line), [["get", name]], "{line}");
                // Left open, more can follow.
                let line = format!("get {}x", quote(name, open, true));
                let taken = take_apart(&line);
                assert_eq!(taken.commands[0][1].text, format!("{name}x"), "{line}");
            }
        }
    }

    #[test]
    fn spans_hold_the_quotes() {
        let line = "get \"a b\" c";
        let taken = take_apart(line);
        let spans: Vec<_> = taken.commands[0]
            .iter()
            .map(|word| &line[word.span.clone()])
            .collect();
        assert_eq!(spans, ["get", "\"a b\"", "c"]);
    }
}
