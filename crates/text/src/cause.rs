//! What caused an error, in the person's language. The system and the libraries speak English.

use std::error::Error as StdError;
use std::io;

use crate::{Lang, Text, escape};

impl Text {
    /// What caused it, safe for a terminal: a sentence of ours where the system's own error is among
    /// the causes and known; else their own words in English, and nothing in other languages.
    pub fn cause(&self, error: &(dyn StdError + 'static)) -> Option<String> {
        let causes = || {
            let mut next = Some(error);
            std::iter::from_fn(move || {
                let cause = next?;
                next = cause.source();
                Some(cause)
            })
        };
        if let Some(key) = causes().find_map(key) {
            return self.find(key, &[]);
        }
        // Several levels often say the same.
        let mut words: Vec<String> = causes().map(ToString::to_string).collect();
        words.dedup_by(|one, before| before.contains(one.as_str()));
        (self.lang() == Lang::English).then(|| escape(&words.join(": ")).into_owned())
    }
}

/// The sentence about an error of the system.
fn key(cause: &(dyn StdError + 'static)) -> Option<&'static str> {
    use io::ErrorKind as K;
    let error = cause.downcast_ref::<io::Error>()?;
    // One that holds another hides it from those who ask for its source.
    if let Some(inner) = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<io::Error>())
    {
        return key(inner);
    }
    Some(match error.kind() {
        K::ConnectionRefused => "cause-refused",
        K::ConnectionReset | K::ConnectionAborted | K::BrokenPipe | K::NotConnected => "cause-cut",
        K::UnexpectedEof => "cause-early-end",
        K::TimedOut => "cause-timed-out",
        K::HostUnreachable | K::NetworkUnreachable | K::NetworkDown => "cause-unreachable",
        K::AddrNotAvailable => "cause-no-address",
        K::NotFound => "cause-not-found",
        K::PermissionDenied => "cause-permission",
        K::StorageFull | K::QuotaExceeded => "cause-no-space",
        K::ReadOnlyFilesystem => "cause-read-only",
        K::FileTooLarge => "cause-too-large",
        // The resolver's errors have no kind of their own.
        _ if error.to_string().contains("failed to lookup address") => "cause-unknown-host",
        _ if error.raw_os_error() == Some(EIO) => "cause-device",
        _ if error.raw_os_error() == Some(EMFILE) => "cause-too-many-open",
        _ => return None,
    })
}

/// Source: POSIX errno.h; the same numbers on Linux, macOS and the BSDs.
const EIO: i32 = 5;
const EMFILE: i32 = 24;

#[cfg(test)]
mod tests {
    use super::*;
    use gaveta_core::{Error, ErrorKind};

    #[test]
    fn causes_are_told_in_ones_language_or_not_at_all() {
        let english = Text::new(Lang::English);
        let portuguese = Text::new(Lang::Portuguese);
        let refused = || io::Error::from_raw_os_error(111);
        let error = || Error::new(ErrorKind::Disconnected).because(refused());
        assert_eq!(
            english.error(&error()),
            "the connection was lost (nothing listens there)"
        );
        assert_eq!(
            portuguese.error(&error()),
            "a conexão se perdeu (nada escuta ali)"
        );
        // Also beneath others.
        let wrapped = Error::new(ErrorKind::Disconnected).because(io::Error::other(refused()));
        assert_eq!(
            portuguese.error(&wrapped),
            "a conexão se perdeu (nada escuta ali)"
        );
        let foreign = || Error::new(ErrorKind::Disconnected).because("closed \u{1b}[2J");
        assert_eq!(
            english.error(&foreign()),
            "the connection was lost (closed \\u{1b}[2J)"
        );
        assert_eq!(portuguese.error(&foreign()), "a conexão se perdeu");
    }

    #[test]
    fn every_cause_has_its_sentence_in_both_languages() {
        let numbers = (1..134).map(io::Error::from_raw_os_error);
        let unknown = io::Error::other("failed to lookup address information: x");
        let mut known = 0;
        for error in numbers.chain([unknown]) {
            for lang in Lang::ALL {
                let told = Text::new(lang).cause(&error);
                if key(&error).is_some() {
                    assert!(told.is_some_and(|told| told.contains(' ')), "{error}");
                    known += 1;
                }
            }
        }
        assert!(known > 20, "{known}");
    }
}
