//! Why a server does not start, in the person's words.

use std::fmt::Display;
use std::path::Path;

use gaveta_core::{Error, ErrorKind};
use gaveta_server::{BindError, PasswordProblem};
use gaveta_text::{Text, escape};

use crate::exit::Exit;

/// Why the server does not start: one sentence and an exit code.
pub(super) struct Refusal(pub(super) Exit, pub(super) String);

/// Safe for a terminal.
pub(super) fn shown(what: impl Display) -> String {
    escape(&what.to_string()).into_owned()
}

pub(super) fn failed(text: &Text, error: &dyn Display) -> Refusal {
    Refusal(
        Exit::Failed,
        text.say("serve-failed", &[("reason", shown(error).into())]),
    )
}

pub(super) fn cannot_bind(text: &Text, error: &BindError) -> Refusal {
    let at = |key: &str, address: &dyn Display, reason: &dyn Display| {
        let args = [
            ("address", shown(address).into()),
            ("reason", shown(reason).into()),
        ];
        Refusal(Exit::Port, text.say(key, &args))
    };
    match error {
        BindError::NoHost(host, error) => at("serve-no-host", host, error),
        BindError::InUse(address) => at("serve-port-in-use", address, &""),
        BindError::Forbidden(address) => at("serve-port-forbidden", address, &""),
        BindError::Io(address, error) => at("serve-port-failed", address, error),
    }
}

pub(super) fn cannot_know(text: &Text, problem: &PasswordProblem) -> Refusal {
    let sentence = match problem {
        PasswordProblem::File(path, error) => {
            let args = [
                ("path", shown(path.display()).into()),
                ("reason", shown(error).into()),
            ];
            text.say("serve-password-file", &args)
        }
        PasswordProblem::Unusable => text.say("serve-password-unusable", &[]),
        PasswordProblem::Damaged(path) => text.say(
            "serve-password-damaged",
            &[("path", shown(path.display()).into())],
        ),
        PasswordProblem::Exposed(path) => text.say(
            "serve-password-exposed",
            &[("path", shown(path.display()).into())],
        ),
        PasswordProblem::Random => text.say("serve-no-random", &[]),
    };
    Refusal(Exit::State, sentence)
}

pub(super) fn cannot_serve(text: &Text, folder: &Path, error: &Error, read_only: bool) -> Refusal {
    let key = match error.kind() {
        ErrorKind::Locked => "serve-folder-locked",
        ErrorKind::Permission | ErrorKind::ReadOnly if !read_only => "serve-folder-not-writable",
        _ => "serve-folder-failed",
    };
    let args = [
        ("folder", shown(folder.display()).into()),
        ("reason", shown(error.chain()).into()),
    ];
    Refusal(Exit::Folder, text.say(key, &args))
}
