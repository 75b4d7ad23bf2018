//! What a person answers to a question, in either language.

/// An answer about one of several things.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// This one.
    Yes,
    /// Not this one.
    No,
    /// This one and all that come.
    All,
    /// None of all that come.
    None,
}

impl Answer {
    /// The answer of this word; none for any other word. An empty line says nothing: nobody
    /// overwrites a file by leaning on a key.
    pub(crate) fn parse(word: &str) -> Option<Self> {
        match word.trim().to_lowercase().as_str() {
            "y" | "yes" | "s" | "sim" => Some(Self::Yes),
            "n" | "no" | "nao" | "não" => Some(Self::No),
            "a" | "all" | "t" | "todos" | "todas" => Some(Self::All),
            "none" | "nenhum" | "nenhuma" => Some(Self::None),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_languages_are_understood_and_nothing_else() {
        for (word, answer) in [
            ("y", Answer::Yes),
            (" S ", Answer::Yes),
            ("Sim", Answer::Yes),
            ("n", Answer::No),
            ("NÃO", Answer::No),
            ("all", Answer::All),
            ("todos", Answer::All),
            ("none", Answer::None),
            ("nenhum", Answer::None),
        ] {
            assert_eq!(Answer::parse(word), Some(answer), "{word}");
        }
        for word in ["", " ", "yn", "talvez", "\u{1b}"] {
            assert_eq!(Answer::parse(word), None, "{word}");
        }
    }
}
