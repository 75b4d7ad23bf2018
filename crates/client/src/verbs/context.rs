//! What a verb may use: the printer, the switch that stops it, and in the shell where one is.

use std::future::Future;
use std::sync::Arc;

use gaveta_core::Path;
use gaveta_text::Text;
use gaveta_transfer::Cancel;
use gaveta_wire::session::Secret;

use super::Connection;
use crate::address::{Address, Server};
use crate::drawer::{Drawer, Passwords, by_secret, read_secret, token_of_environment};
use crate::fault::{Fault, Outcome};
use crate::printer::Printer;
use crate::shell::Here;

/// The environment variable with the password.
pub const PASSWORD_VARIABLE: &str = "GAVETA_PASSWORD";
/// The environment variable with the name to sign in under.
pub const USER_VARIABLE: &str = "GAVETA_USER";

/// What a verb may use.
#[derive(Debug, Clone)]
pub struct Context {
    /// Everything that is shown.
    pub printer: Arc<Printer>,
    /// Switched by Ctrl-C and SIGTERM.
    pub cancel: Cancel,
    pub(crate) password: Option<Secret>,
    /// The command as it may be typed again. Not escaped for a terminal.
    pub typed: Option<String>,
    here: Option<Arc<Here>>,
}

impl Context {
    /// A context whose password, if any, is from the environment.
    pub fn new(printer: Arc<Printer>, password: Option<String>) -> Self {
        Self {
            printer,
            cancel: Cancel::new(),
            password: password.map(Secret),
            typed: None,
            here: None,
        }
    }

    /// The context of one command of the shell, with a switch of its own.
    pub(crate) fn in_shell(&self, here: Arc<Here>, typed: String) -> Self {
        Self {
            printer: Arc::clone(&self.printer),
            cancel: Cancel::new(),
            password: self.password.clone(),
            typed: Some(typed),
            here: Some(here),
        }
    }

    /// Where one is, in the shell; none on the command line.
    pub(crate) fn here(&self) -> Option<&Arc<Here>> {
        self.here.as_ref()
    }

    /// As [`Context::here`], for verbs of the shell.
    ///
    /// # Errors
    /// [`Fault::Usage`] on the command line, which knows no such verb.
    pub(super) fn needs_here(&self) -> Outcome<&Arc<Here>> {
        self.here.as_ref().ok_or(Fault::usage("shell-only"))
    }

    /// What a word names: in the shell from where one is, else by its address.
    ///
    /// # Errors
    /// As [`Address::parse`].
    pub(crate) fn address(&self, typed: &str) -> Outcome<Address> {
        match &self.here {
            Some(here) => here.address(typed),
            None => Address::parse(typed),
        }
    }

    /// What all the words name, and where one is when there is none.
    pub(crate) fn addresses(&self, typed: &[String]) -> Outcome<Vec<Address>> {
        match (typed, &self.here) {
            ([], Some(here)) => Ok(vec![here.address(".")?]),
            ([], None) => Err(Fault::usage("client-no-address")),
            _ => typed.iter().map(|typed| self.address(typed)).collect(),
        }
    }

    /// Runs something that may be dropped at any time; [`Fault::Interrupted`] when it was.
    ///
    /// # Errors
    /// Those of what is run.
    pub async fn stoppable<T>(&self, doing: impl Future<Output = Outcome<T>> + Send) -> Outcome<T> {
        tokio::select! {
            done = doing => done,
            () = self.cancel.cancelled() => Err(Fault::Interrupted),
        }
    }

    pub(crate) fn text(&self) -> &Text {
        self.printer.text()
    }

    /// The server's drawer: in the shell the one that is open already.
    pub(super) async fn open(&self, server: &Server, connection: &Connection) -> Outcome<Drawer> {
        self.open_with(server, connection, None, None).await
    }

    /// As [`Context::open`], with a password that was given, which the shell lends to this command
    /// alone, and with what a transfer that follows asks first.
    pub(super) async fn open_with(
        &self,
        server: &Server,
        connection: &Connection,
        given: Option<Secret>,
        next: Option<Path>,
    ) -> Outcome<Drawer> {
        let file = connection.password_file.clone();
        if let Some(here) = &self.here {
            let drawer = here.drawer();
            if given.is_none() && file.is_none() {
                return Ok(drawer.clone());
            }
            if let Some(password) = &given {
                return drawer.lent(password).await;
            }
            let known = drawer.passwords();
            return Ok(drawer.with_passwords(Passwords {
                user: known.user.clone(),
                given: None,
                file: file.or_else(|| known.file.clone()),
                variable: known.variable.clone(),
            }));
        }
        let passwords = Passwords {
            user: connection.user.clone(),
            given,
            file,
            variable: self.password.clone(),
        };
        let token = match &connection.token_file {
            Some(file) => Some(read_secret(file)?),
            None => token_of_environment(),
        };
        let sign_in = token.map(by_secret);
        let printer = Arc::clone(&self.printer);
        let fingerprint = connection.fingerprint;
        Drawer::open_as(server, passwords, fingerprint, printer, sign_in, next).await
    }

    /// The drawer that an address is in: for the link of a share, what the link opens. Whoever made
    /// a link chose its server: the password of the environment is none of its business. A transfer
    /// follows, which asks first what there is.
    pub(super) async fn open_at(
        &self,
        address: &Address,
        connection: &Connection,
    ) -> Outcome<Drawer> {
        let Some(secret) = &address.share else {
            // Whoever signs in under his name asks when he has; on this machine nothing is far.
            let is_visitor = connection.user.is_none() && !address.server.address().is_loopback();
            let next = match address.pattern()? {
                None if is_visitor => address.path().ok(),
                _ => None,
            };
            return self
                .open_with(&address.server, connection, None, next)
                .await;
        };
        let password = connection.password_file.as_deref().map(read_secret);
        Drawer::open_share(
            &address.server,
            &Secret(secret.0.clone()),
            password.transpose()?,
            connection.fingerprint,
            Arc::clone(&self.printer),
        )
        .await
    }
}
