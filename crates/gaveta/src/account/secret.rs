//! A new password: from a file, from a person who types it twice, or from standard input.

use std::fs::File;
use std::io::{self, BufRead, Read};
use std::path::Path;

use gaveta_client::printer::Printer;
use gaveta_server::{HashedPassword, is_weak};
use gaveta_text::escape;
use zeroize::Zeroizing;

use crate::exit::Exit;

/// No more than this is read, in bytes: more than a password may have.
const MOST: u64 = 4096;

/// The hash of a new password for who has this name; else an exit code and the key of a sentence.
pub(super) fn hash(
    printer: &Printer,
    name: &str,
    file: Option<&Path>,
) -> Result<String, (Exit, &'static str)> {
    let password = match file {
        Some(file) => {
            let file = File::open(file).map_err(|_| (Exit::State, "account-password-file"))?;
            first_line(file).map_err(|_| (Exit::State, "account-password-file"))?
        }
        None if printer.can_ask() => asked(printer, name)?,
        None => first_line(io::stdin().lock()).map_err(|_| (Exit::Usage, "account-no-input"))?,
    };
    if is_weak(&password) {
        printer.note(&printer.text().say("account-weak", &[]));
    }
    let hashed = HashedPassword::new(&password);
    let hashed = hashed.map_err(|_| (Exit::Usage, "serve-password-unusable"))?;
    Ok(hashed.hash().to_owned())
}

fn asked(printer: &Printer, name: &str) -> Result<Zeroizing<String>, (Exit, &'static str)> {
    let failed = (Exit::Interrupted, "account-no-input");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|_| (Exit::Failed, "account-no-input"))?;
    let name = [("name", escape(name).into_owned().into())];
    let ask = |key: &str| {
        let question = printer.text().say(key, &name);
        let typed = runtime.block_on(printer.ask_password(&question));
        typed.map(Zeroizing::new).map_err(|_| failed)
    };
    let first = ask("account-ask-password")?;
    match *first == *ask("account-ask-again")? {
        true => Ok(first),
        false => Err((Exit::Usage, "account-not-the-same")),
    }
}

/// The first line, without its end. Longer than anybody may have it is no password either.
fn first_line(from: impl Read) -> io::Result<Zeroizing<String>> {
    let mut line = Zeroizing::new(Vec::new());
    io::BufReader::new(from.take(MOST)).read_until(b'\n', &mut line)?;
    let text = std::str::from_utf8(&line).map_err(io::Error::other)?;
    let text = text.strip_suffix('\n').unwrap_or(text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    Ok(Zeroizing::new(text.to_owned()))
}
