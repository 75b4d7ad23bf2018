//! The administrator's password.

use std::io::{self, IsTerminal, Write};

use gaveta_server::{HashedPassword, Kept, PasswordProblem, Source};
use gaveta_text::Text;

use super::args::ServeArgs;
use super::refusal::{Refusal, cannot_know};
use super::warn;

/// The variable that may hold the administrator's password.
const PASSWORD_VARIABLE: &str = "GAVETA_ADMIN_PASSWORD";

/// Where the password comes from. A file is read at once, while we may.
pub(super) fn password_source(args: &ServeArgs) -> Result<Source, PasswordProblem> {
    if let Some(file) = &args.admin_password_file {
        return Source::File(file.clone()).read();
    }
    if let Some(value) = std::env::var_os(PASSWORD_VARIABLE).filter(|value| !value.is_empty()) {
        return Source::text(value);
    }
    Ok(Source::Kept {
        make: io::stderr().is_terminal(),
    })
}

/// The administrator's password. Without one, and nobody there to read a new one, the server runs
/// without an administrator.
pub(super) fn administrator(
    kept: &Kept,
    source: Source,
    text: &Text,
) -> Result<Option<HashedPassword>, Refusal> {
    let known = kept
        .know(source)
        .map_err(|problem| cannot_know(text, &problem))?;
    if let Some(made) = &known.made {
        // Not through the log: logs are kept.
        let args = [("password", made.as_str().into())];
        let _ = writeln!(
            io::stderr().lock(),
            "{}",
            text.say("serve-password-made", &args)
        );
    }
    if known.weak {
        warn(&text.say("serve-warn-weak", &[]));
    }
    if known.password.is_none() {
        warn(&text.say("serve-warn-no-admin", &[]));
    }
    Ok(known.password)
}
