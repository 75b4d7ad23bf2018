//! The first words with a server: who is it, and is it the one that was meant?
//!
//! A given fingerprint decides alone; then one that was remembered; then whether this machine
//! trusts the certificate. Only where none of them says anything a person is asked. Who is known by
//! a key has to show it, also on this machine: nothing is said to it unencrypted.

use gaveta_core::{Error, ErrorKind, Path};
use gaveta_text::escape;
use gaveta_wire::fingerprint::Fingerprint;

use crate::address::Server;
use crate::answer::Answer;
use crate::fault::{Fault, Outcome, Sentence};
use crate::pins::Pins;
use crate::printer::Printer;
use crate::remote::{
    Doubt, Elsewhere, NoHandshake, Options, OtherProtocol, Remote, Security, SignIn, Trust,
    Untrusted,
};

/// Connects, as a visitor or signed in so. The inner error is of the line or of the server.
///
/// # Errors
/// With a sentence: the server is not the one that is known, is unknown and nobody can be asked or
/// the answer was no, a fingerprint was given for `http://`, or the known servers cannot be read.
pub(super) async fn connect(
    server: &Server,
    given: Option<Fingerprint>,
    sign_in: Option<SignIn>,
    next: Option<Path>,
    printer: &Printer,
) -> Outcome<Result<Remote, Error>> {
    let is_open = server.security == Security::Plain;
    if is_open && given.is_some() {
        return Err(said(Sentence::new("tls-open-fingerprint"), server));
    }
    let pins = Pins::of_person();
    let remembered = match (given, &pins) {
        (None, Some(pins)) if !is_open => pins.find(&server.address())?,
        _ => None,
    };
    let trust = given.or(remembered).map_or(Trust::Public, Trust::Pinned);
    let error = match try_with(server, trust, sign_in.clone(), next.clone()).await {
        Ok(remote) => return Ok(Ok(remote)),
        Err(error) => error,
    };
    let Some(cause) = std::error::Error::source(&error) else {
        return Ok(Err(error));
    };
    if let Some(Elsewhere(ip)) = cause.downcast_ref() {
        let sentence = Sentence::new("tls-elsewhere").with("address", ip.to_string());
        return Err(said(sentence, server));
    }
    if let Some(NoHandshake(why)) = cause.downcast_ref() {
        return Err(said(
            Sentence::new("tls-handshake").with("why", why),
            server,
        ));
    }
    let Some(untrusted) = cause.downcast_ref::<Untrusted>() else {
        return Ok(Err(error));
    };
    let shown = untrusted.shown;
    if let Some(known) = untrusted.known {
        let key = if given.is_some() {
            "tls-other"
        } else {
            "tls-changed"
        };
        let sentence = Sentence::new(key)
            .with("known", known.to_string())
            .with("shown", shown.to_string());
        return Err(said(sentence, server));
    }
    if !printer.can_ask() {
        let sentence = Sentence::new("tls-unknown")
            .with("fingerprint", shown.to_string())
            .with("why", doubt(&untrusted.why).say(printer.text()));
        return Err(said(sentence, server));
    }
    let pins = pins.ok_or_else(|| said(Sentence::new("tls-no-home"), server))?;
    if !is_trusted(server, shown, printer).await? {
        return Err(said(Sentence::new("tls-not-trusted"), server));
    }
    let remote = match try_with(server, Trust::Pinned(shown), sign_in, next).await {
        Ok(remote) => remote,
        Err(error) => return Ok(Err(error)),
    };
    pins.remember(&server.address(), shown)?;
    let name = escape(&server.to_string()).into_owned();
    let told = [("server", name.into())];
    printer.note(&printer.text().say("tls-remembered", &told));
    Ok(Ok(remote))
}

/// Where what answers is no Gaveta server, there may be one behind a prefix of what was typed. Who
/// that is, is found out before anybody signs in there.
async fn try_with(
    server: &Server,
    trust: Trust,
    sign_in: Option<SignIn>,
    next: Option<Path>,
) -> Result<Remote, Error> {
    let visitor = Options {
        trust,
        ..Options::default()
    };
    // What is to be asked next is known of the first place alone; not before a sign-in.
    let first_place = Options {
        sign_in: sign_in.clone().filter(|_| server.bases.is_empty()),
        next: next.filter(|_| sign_in.is_none()),
        ..visitor.clone()
    };
    if server.bases.is_empty() {
        return Remote::connect(server.address(), first_place).await;
    }
    let behind = |base: &String| server.address().behind(base);
    let others = server.bases.iter().map(behind);
    let others = others.map(|place| (place, visitor.clone()));
    let places = std::iter::once((server.address(), first_place)).chain(others);
    let mut first = None;
    for (place, options) in places {
        match Remote::connect(place, options).await {
            Ok(remote) => {
                if let Some(SignIn { name, password }) = &sign_in {
                    remote.sign_in(name, password).await?;
                }
                return Ok(remote);
            }
            Err(error) if is_no_gaveta(&error) => {
                first.get_or_insert(error);
            }
            Err(error) => return Err(error),
        }
    }
    Err(first.unwrap_or_else(|| ErrorKind::Unsupported.into()))
}

/// Does something else answer there? A Gaveta server behind a prefix knows nothing outside it.
fn is_no_gaveta(error: &Error) -> bool {
    let cause = std::error::Error::source(error);
    let other = cause.is_some_and(|cause| cause.is::<OtherProtocol>());
    match error.kind() {
        ErrorKind::Unsupported => !other,
        kind => kind == ErrorKind::NotFound,
    }
}

fn doubt(why: &Doubt) -> Sentence {
    match why {
        Doubt::Expired => Sentence::new("tls-doubt-expired"),
        Doubt::Early => Sentence::new("tls-doubt-early"),
        Doubt::OtherName => Sentence::new("tls-doubt-name"),
        Doubt::Issuer => Sentence::new("tls-doubt-issuer"),
        Doubt::Other(why) => Sentence::new("tls-doubt-other").with("why", why),
    }
}

/// Asks a person. The end of the input means no.
async fn is_trusted(server: &Server, shown: Fingerprint, printer: &Printer) -> Outcome<bool> {
    let text = printer.text();
    let name = escape(&server.to_string()).into_owned();
    let fingerprint = shown.to_string();
    let question = [
        text.say("tls-first", &[("server", name.into())]),
        text.say(
            "tls-its-fingerprint",
            &[("fingerprint", fingerprint.into())],
        ),
        text.say("tls-compare", &[]),
        text.say("tls-ask", &[]),
    ]
    .join("\n");
    loop {
        let Some(line) = printer.ask(&question).await? else {
            return Ok(false);
        };
        match Answer::parse(&line) {
            Some(Answer::Yes | Answer::All) => return Ok(true),
            Some(Answer::No | Answer::None) => return Ok(false),
            None => {}
        }
    }
}

fn said(sentence: Sentence, server: &Server) -> Fault {
    let sentence = sentence.with("server", server.to_string());
    Fault::Said(ErrorKind::Insecure, sentence)
}
