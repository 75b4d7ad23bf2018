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

    /// The language that an `Accept-Language` field likes best (RFC 9110, section 12.5.4); of two
    /// liked as much, the first. None when it names neither.
    pub fn accepted(field: &str) -> Option<Self> {
        let mut best: Option<(Self, f32)> = None;
        // A browser sends a handful; whoever sends thousands has the first looked at.
        for range in field.split(',').take(32) {
            let (tag, parameters) = range.split_once(';').unwrap_or((range, ""));
            let weight = parameters
                .split(';')
                .find_map(|part| part.trim().strip_prefix("q=")?.trim().parse::<f32>().ok())
                .unwrap_or(1.0);
            let Some(lang) = Self::parse(tag.trim()) else {
                continue;
            };
            if weight > best.map_or(0.0, |(_, weight)| weight) {
                best = Some((lang, weight));
            }
        }
        best.map(|(lang, _)| lang)
    }

    pub(crate) fn id(self) -> LanguageIdentifier {
        self.tag().parse().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_says_what_it_likes_best() {
        for (field, lang) in [
            (
                "pt-BR,pt;q=0.9,en-US;q=0.8,en;q=0.7",
                Some(Lang::Portuguese),
            ),
            ("en-GB,pt;q=0.9", Some(Lang::English)),
            ("de-DE,de;q=0.9,pt;q=0.2", Some(Lang::Portuguese)),
            ("en;q=0.2, pt;q=0.8", Some(Lang::Portuguese)),
            ("en;q=0, pt;q=0", None),
            ("de, *;q=0.5", None),
            ("", None),
            (";;,,q=", None),
            ("en;q=NaN, pt;q=0.1", Some(Lang::Portuguese)),
        ] {
            assert_eq!(Lang::accepted(field), lang, "{field}");
        }
    }

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
