//! `gaveta` alone at a terminal: serve or connect, and on which port? As the seed asked.

use std::io::{self, BufRead, IsTerminal, Write};

use gaveta_client::address::{Address, DEFAULT_PORT};
use gaveta_client::shell::ConnectArgs;
use gaveta_text::{Text, escape};

use crate::exit::Exit;
use crate::serve::ServeArgs;

/// The host that is meant when none is named.
const NEAREST: &str = "localhost";
/// The environment variable with the port of a server.
const PORT_VARIABLE: &str = "GAVETA_PORT";

/// What a person wants.
#[derive(Debug)]
pub(crate) enum Wish {
    /// To serve a folder.
    Serve(Box<ServeArgs>),
    /// To connect to a server.
    Connect(ConnectArgs),
}

/// Asks; none where nobody can be asked, and the exit code when nobody answers.
pub(crate) fn what_to_do(text: &Text) -> Option<Result<Wish, Exit>> {
    if !io::stdin().is_terminal() || !io::stdout().is_terminal() || !io::stderr().is_terminal() {
        return None;
    }
    let (mut input, mut output) = (io::stdin().lock(), io::stdout());
    Some(ask(text, &mut input, &mut output, serve_port()))
}

/// The port a server takes when none is said: that of the surroundings, if any.
fn serve_port() -> u16 {
    let variable = std::env::var(PORT_VARIABLE).ok();
    let port = variable.and_then(|port| port.parse().ok());
    port.filter(|port| *port > 0).unwrap_or(DEFAULT_PORT)
}

fn ask(
    text: &Text,
    input: &mut impl BufRead,
    output: &mut impl Write,
    serve_port: u16,
) -> Result<Wish, Exit> {
    let mut asking = Asking {
        text,
        input,
        output,
    };
    let serves = asking.until("ask-what", &[], |word| match word.to_lowercase().as_str() {
        "s" | "serve" | "servir" => Some(true),
        "" | "c" | "connect" | "conectar" => Some(false),
        _ => None,
    })?;
    let host = if serves {
        String::new()
    } else {
        let default = [("host", NEAREST.into())];
        asking.until("ask-host", &default, |word| {
            let host = if word.is_empty() { NEAREST } else { word };
            let known = Address::parse(host).ok()?;
            known.text.is_empty().then(|| host.to_owned())
        })?
    };
    // A host may bring its port.
    let has_port = Address::parse(&host).is_ok_and(|address| address.server.port != DEFAULT_PORT);
    if has_port {
        return Ok(Wish::Connect(ConnectArgs::to(host)));
    }
    let usual = if serves { serve_port } else { DEFAULT_PORT };
    let shown = [("port", usual.to_string().into())];
    let port = asking.until("ask-port", &shown, |word| {
        if word.is_empty() {
            return Some(usual);
        }
        word.parse().ok().filter(|port: &u16| *port > 0)
    })?;
    if serves {
        let args = ServeArgs::on_port(port).map_err(|error| {
            let _ = error.print();
            Exit::Usage
        })?;
        return Ok(Wish::Serve(Box::new(args)));
    }
    Ok(Wish::Connect(ConnectArgs::to(if port == DEFAULT_PORT {
        host
    } else {
        format!("{host}:{port}")
    })))
}

struct Asking<'a, I, O> {
    text: &'a Text,
    input: &'a mut I,
    output: &'a mut O,
}

impl<I: BufRead, O: Write> Asking<'_, I, O> {
    /// Asks until the answer fits.
    fn until<T>(
        &mut self,
        key: &str,
        args: &[(&'static str, gaveta_text::Value)],
        fits: impl Fn(&str) -> Option<T>,
    ) -> Result<T, Exit> {
        loop {
            let question = self.text.say(key, args);
            write!(self.output, "{question} ")
                .and_then(|()| self.output.flush())
                .map_err(|_| Exit::Failed)?;
            let mut line = Vec::new();
            let mut bounded = io::Read::take(&mut *self.input, 4096);
            let read = bounded.read_until(b'\n', &mut line);
            if read.map_err(|_| Exit::Failed)? == 0 {
                // Ctrl-D: nobody wants anything.
                let _ = writeln!(self.output);
                return Err(Exit::Usage);
            }
            let line = String::from_utf8_lossy(&line);
            if let Some(fitting) = fits(line.trim()) {
                return Ok(fitting);
            }
            let word = escape(line.trim()).into_owned();
            let again = self.text.say("ask-again", &[("word", word.into())]);
            writeln!(self.output, "{again}").map_err(|_| Exit::Failed)?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gaveta_text::Lang;

    fn answered(typed: &str) -> (Result<Wish, Exit>, String) {
        let mut output = Vec::new();
        let text = Text::new(Lang::Portuguese);
        let wish = ask(&text, &mut typed.as_bytes(), &mut output, 4300);
        (wish, String::from_utf8(output).unwrap())
    }

    fn server(typed: &str) -> Option<String> {
        match answered(typed).0 {
            Ok(Wish::Connect(args)) => args.server,
            other => panic!("{typed:?}: {other:?}"),
        }
    }

    #[test]
    fn enter_takes_what_stands_there() {
        assert_eq!(server("\n\n\n").as_deref(), Some("localhost"));
        assert_eq!(
            server("c\nexample\n5000\n").as_deref(),
            Some("example:5000")
        );
        assert_eq!(
            server("conectar\nexample:7\n").as_deref(),
            Some("example:7")
        );
        let (wish, asked) = answered("s\n\n");
        assert!(matches!(wish, Ok(Wish::Serve(_))), "{wish:?}");
        assert!(asked.contains("Porta [4300]:"), "{asked}");
    }

    #[test]
    fn nonsense_is_asked_again_and_the_end_ends_it() {
        let typed = "x\u{1b}\nc\n::::\nlocalhost\n0\n99999\n12\n";
        assert_eq!(server(typed).as_deref(), Some("localhost:12"));
        assert!(!answered(typed).1.contains('\u{1b}'));
        for typed in ["", "s\n", "c\nlocalhost\n"] {
            assert!(matches!(answered(typed).0, Err(Exit::Usage)), "{typed:?}");
        }
    }
}
