//! Which language.

use unic_langid::LanguageIdentifier;

/// A language that Gaveta speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Lang {
    /// Portuguese, as in Brazil.
    Portuguese,
    /// English.
    English,
}

impl Lang {
    /// Every language.
    pub const ALL: [Self; 2] = [Self::Portuguese, Self::English];

    /// The tag of BCP 47.
    pub const fn tag(self) -> &'static str {
        match self {
            Self::Portuguese => "pt-BR",
            Self::English => "en",
        }
    }

    /// The language of a tag or locale such as `pt`, `pt-BR`, `pt_PT.UTF-8`, `en`; none for others.
    pub fn parse(text: &str) -> Option<Self> {
        let first = text
            .split(['-', '_', '.', '@'])
            .next()?
            .to_ascii_lowercase();
        match first.as_str() {
            "pt" | "portuguese" | "português" | "portugues" => Some(Self::Portuguese),
            "en" | "english" | "inglês" | "ingles" => Some(Self::English),
            _ => None,
        }
    }

    /// What was asked for, else the system's locale, else English.
    pub fn choose(asked: Option<&str>) -> Self {
        asked
            .and_then(Self::parse)
            .or_else(|| sys_locale::get_locales().find_map(|locale| Self::parse(&locale)))
            .unwrap_or(Self::English)
    }

    pub(crate) fn id(self) -> LanguageIdentifier {
        self.tag().parse().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locales_are_understood() {
        for (text, lang) in [
            ("pt_BR.UTF-8", Some(Lang::Portuguese)),
            ("pt-PT", Some(Lang::Portuguese)),
            ("EN", Some(Lang::English)),
            ("en_US", Some(Lang::English)),
            ("de_DE", None),
            ("C", None),
            ("", None),
        ] {
            assert_eq!(Lang::parse(text), lang, "{text}");
        }
        assert_eq!(Lang::choose(Some("pt")), Lang::Portuguese);
        for lang in Lang::ALL {
            assert_eq!(Lang::parse(lang.tag()), Some(lang));
        }
    }
}
