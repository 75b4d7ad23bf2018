//! What a person is told of what failed on the way to a server, or at it.

use gaveta_core::{Error, ErrorKind};
use gaveta_text::Text;

use crate::address::Server;
use crate::fault::{Fault, Sentence};
use crate::remote::OtherProtocol;

/// What answers there is no Gaveta server, or one of another protocol.
pub(crate) fn not_ours(error: &Error, server: &Server, text: &Text) -> Fault {
    let cause = std::error::Error::source(error);
    let sentence = match cause.and_then(|cause| cause.downcast_ref::<OtherProtocol>()) {
        Some(other) => Sentence::new("client-other-protocol")
            .with("theirs", other.theirs.to_string())
            .with("ours", other.ours.to_string()),
        None => {
            let why = cause.and_then(|cause| text.cause(cause));
            let why = why.map(|why| format!(" ({why})")).unwrap_or_default();
            Sentence::new("client-not-gaveta").with("why", why)
        }
    };
    Fault::Said(
        ErrorKind::Unsupported,
        sentence.with("server", server.to_string()),
    )
}

/// The error about what a person calls so, whatever a store called it.
pub(crate) fn about(error: &Error, shown: String) -> Error {
    let named = Error::new(error.kind()).about_text(shown);
    if let Some(system) = system(error) {
        return named.because(system);
    }
    match causes(error) {
        Some(causes) => named.because(causes),
        None => named,
    }
}

/// The system's own error among the causes, from which a sentence is made.
fn system(error: &Error) -> Option<std::io::Error> {
    let mut next = std::error::Error::source(error);
    while let Some(cause) = next {
        next = cause.source();
        let Some(mut system) = cause.downcast_ref::<std::io::Error>() else {
            continue;
        };
        // One that holds another hides it from those who ask for its source.
        while let Some(inner) = system.get_ref().and_then(|inner| inner.downcast_ref()) {
            system = inner;
        }
        if let Some(number) = system.raw_os_error() {
            return Some(std::io::Error::from_raw_os_error(number));
        }
        // One that only holds another tells nothing by itself.
        if system
            .get_ref()
            .is_none_or(|inner| inner.source().is_none())
        {
            return Some(std::io::Error::new(system.kind(), system.to_string()));
        }
    }
    None
}

/// All that caused it, in one line.
fn causes(error: &Error) -> Option<String> {
    let mut next = std::error::Error::source(error);
    let mut causes = Vec::new();
    while let Some(cause) = next {
        causes.push(cause.to_string());
        next = cause.source();
    }
    (!causes.is_empty()).then(|| causes.join(": "))
}
