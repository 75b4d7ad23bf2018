//! The shell: one live connection to a server, and verbs typed line by line.
//!
//! On a terminal that can be edited on there is an editor at the prompt; on any other terminal a
//! plain prompt; without a terminal, or with `-c` or `--file`, commands run one after another
//! until one fails. The same verbs run as on the command line.

mod complete;
mod editor;
mod here;
mod history;
mod live;
mod runner;
mod script;
mod talk;
mod words;

use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use gaveta_core::{Error, ErrorKind, Store};
use gaveta_wire::fingerprint::Fingerprint;
use gaveta_wire::session::Secret;

use crate::address::Address;
use crate::drawer::{Drawer, Passwords};
use crate::fault::{Ended, Fault, Outcome, Sentence};
use crate::printer::Printer;
use crate::stop::Signals;
use crate::terminal;
use crate::verbs::{Context, FINGERPRINT_VARIABLE, USER_VARIABLE};

pub(crate) use here::{Deleted, Here};

use runner::Runner;
use script::Script;

/// The server that is meant when none is named.
const NEAREST: &str = "localhost";

/// The arguments of `gaveta connect`. The help is a key of the texts.
#[derive(Debug, Clone, Default, Args)]
pub struct ConnectArgs {
    /// The server, and the folder of it to begin in.
    #[arg(value_name = "HOST[:PORT][/FOLDER]", help = "arg-connect-server")]
    pub server: Option<String>,
    #[arg(
        short = 'c',
        long = "command",
        value_name = "COMMANDS",
        help = "arg-connect-command",
        conflicts_with = "file"
    )]
    command: Option<String>,
    #[arg(long, value_name = "FILE", help = "arg-connect-file")]
    file: Option<PathBuf>,
    #[arg(long, help = "arg-connect-keep-going")]
    keep_going: bool,
    #[arg(long, help = "arg-connect-no-events")]
    no_events: bool,
    #[arg(long, value_name = "NAME", env = USER_VARIABLE, hide_env = true, help = "arg-user")]
    user: Option<String>,
    #[arg(long, value_name = "FILE", help = "arg-password-file")]
    password_file: Option<PathBuf>,
    #[arg(long, value_name = "SHA256:…", env = FINGERPRINT_VARIABLE, hide_env = true,
        help = "arg-fingerprint")]
    fingerprint: Option<Fingerprint>,
}

impl ConnectArgs {
    /// As when nothing is said but the server.
    pub fn to(server: String) -> Self {
        Self {
            server: Some(server),
            ..Self::default()
        }
    }
}

/// Runs a shell to its end. `password`, if any, is from the environment.
pub async fn run(args: ConnectArgs, printer: Arc<Printer>, password: Option<String>) -> Ended {
    printer.speak_namelessly();
    let ended = match start(args, &printer, password).await {
        Ok(ended) => ended,
        Err(fault) => {
            let _ = printer.fault(&fault);
            Ended::of(&fault)
        }
    };
    let _ = printer.finish();
    ended
}

async fn start(
    args: ConnectArgs,
    printer: &Arc<Printer>,
    password: Option<String>,
) -> Outcome<Ended> {
    let script = Script::of(args.command.clone(), args.file.as_deref())?;
    let mut signals = Signals::new().map_err(Error::from)?;
    let connecting = connect(&args, printer, password);
    let (context, here) = tokio::select! {
        connected = connecting => connected?,
        _ = signals.next() => return Err(Fault::Interrupted),
    };
    let runner = Runner::new(context, here, signals);
    match script {
        Some(script) => script.run(runner, args.keep_going).await,
        None if !terminal::can_ask() => Script::of_input().run(runner, args.keep_going).await,
        None => talk::talk(runner, std::io::stdout().is_terminal()).await,
    }
}

async fn connect(
    args: &ConnectArgs,
    printer: &Arc<Printer>,
    password: Option<String>,
) -> Outcome<(Context, Arc<Here>)> {
    let context = Context::new(Arc::clone(printer), password.clone());
    let address = Address::parse(args.server.as_deref().unwrap_or(NEAREST))?;
    let passwords = Passwords {
        user: args.user.clone(),
        given: None,
        file: args.password_file.clone(),
        variable: password.map(Secret),
    };
    let drawer = Drawer::open(
        &address.server,
        passwords,
        args.fingerprint,
        Arc::clone(printer),
    )
    .await?;
    let folder = drawer.place(&address)?;
    if !folder.is_root() {
        let there = drawer.remote.stat(&folder).await;
        let entry = there.map_err(|error| drawer.named(error, &folder))?;
        if !entry.is_folder() {
            return Err(drawer.named(ErrorKind::NotFolder.into(), &folder));
        }
    }
    let server = drawer.server().clone();
    let here = Here::new(drawer, server, folder, !args.no_events);
    Ok((context, Arc::new(here)))
}

/// The sentence about a line that is no text or has no end.
fn bad_line(line: &terminal::Line) -> Option<Fault> {
    let key = match line {
        terminal::Line::Text(_) => return None,
        terminal::Line::NotUtf8 => "shell-not-utf8",
        terminal::Line::TooLong => "shell-too-long",
    };
    let most = u64::try_from(terminal::MAX_LINE).unwrap_or(u64::MAX);
    Some(Fault::Usage(Sentence::new(key).number("most", most)))
}
