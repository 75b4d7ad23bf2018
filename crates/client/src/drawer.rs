//! One server, as a verb talks to it: connect, and sign in when that is needed.

use std::sync::{Arc, Mutex, PoisonError};

use gaveta_core::{Account, Action, Error, ErrorKind, Path, Store};
use gaveta_text::escape;
use gaveta_wire::fingerprint::Fingerprint;
use gaveta_wire::keys::WayBody;
use gaveta_wire::session::Secret;

use crate::address::{Address, Server};
use crate::fault::{Fault, Outcome, Sentence};
use crate::pattern::{self, Pattern, matches};
use crate::printer::Printer;
use crate::remote::{self, Remote};

mod causes;
mod introduce;
mod passwords;

pub(crate) use causes::{about, not_ours};
use passwords::asked;
pub(crate) use passwords::{Passwords, by_secret, read_secret, token_of_environment};

/// A drawer on a server.
#[derive(Debug, Clone)]
pub(crate) struct Drawer {
    /// The store.
    pub(crate) remote: Remote,
    server: Server,
    passwords: Arc<Passwords>,
    /// The server's, where one was given.
    fingerprint: Option<Fingerprint>,
    printer: Arc<Printer>,
    /// The folder a person stands in, in the shell: paths are named from there.
    folder: Option<Folder>,
    /// Signed in by a token or a share: no password gives more.
    keyed: bool,
    /// What a share's link opens.
    shared: Option<Shared>,
}

/// What a share's link opens: paths behind the link are beneath it.
#[derive(Debug, Clone)]
struct Shared {
    path: Path,
    is_file: bool,
    way: WayBody,
}

/// The folder of a server that a person stands in.
pub(crate) type Folder = Arc<Mutex<Path>>;

impl Drawer {
    /// Connects as a visitor.
    ///
    /// # Errors
    /// As [`Remote::connect`], with a sentence that names the server.
    pub(crate) async fn open(
        server: &Server,
        passwords: Passwords,
        fingerprint: Option<Fingerprint>,
        printer: Arc<Printer>,
    ) -> Outcome<Self> {
        let token = token_of_environment().map(by_secret);
        Self::open_as(server, passwords, fingerprint, printer, token, None).await
    }

    /// Connects as whom the link of a share makes of who has it. Where the link wants a password and
    /// none is given, a person is asked.
    ///
    /// # Errors
    /// As [`Drawer::open_as`]; `NotFound` for a link that leads nowhere; `SignInNeeded` when it
    /// wants a password and nobody can be asked.
    pub(crate) async fn open_share(
        server: &Server,
        secret: &Secret,
        given: Option<Secret>,
        fingerprint: Option<Fingerprint>,
        printer: Arc<Printer>,
    ) -> Outcome<Self> {
        let open = |password: Secret| {
            let sign_in = remote::SignIn {
                name: secret.0.clone(),
                password,
            };
            let (passwords, printer) = (Passwords::default(), Arc::clone(&printer));
            Self::open_as(server, passwords, fingerprint, printer, Some(sign_in), None)
        };
        let is = |fault: &Fault, kind| fault.kind() == Some(kind);
        let is_given = given.is_some();
        let opened = match open(given.unwrap_or(Secret(String::new()))).await {
            Err(fault) if !is_given && is(&fault, ErrorKind::SignInNeeded) => {
                if !printer.can_ask() {
                    let sentence = Sentence::new("share-wants-password");
                    return Err(Fault::Said(ErrorKind::SignInNeeded, sentence));
                }
                let server = escape(&server.to_string()).into_owned();
                let args = [("server", server.into())];
                let question = printer.text().say("share-ask-its-password", &args);
                asked(&printer, &question, open).await?
            }
            opened => opened?,
        };
        let about = opened.remote.shared(secret).await?;
        let shared = Shared {
            path: Path::parse(&about.path)?,
            is_file: about.kind == "file",
            way: about.way,
        };
        Ok(Self {
            shared: Some(shared),
            ..opened
        })
    }

    /// Is this what a link opens by which files are dropped, without seeing what lies there?
    pub(crate) fn drops(&self) -> bool {
        let shared = self.shared.as_ref();
        shared.is_some_and(|shared| shared.way == WayBody::Drop)
    }

    /// Is this the very folder of such a link?
    pub(crate) fn drops_at(&self, path: &Path) -> bool {
        let shared = self.shared.as_ref();
        self.drops() && shared.is_some_and(|shared| shared.path == *path)
    }

    /// The path of the drawer that an address names: behind the link of a share, beneath it.
    ///
    /// # Errors
    /// `BadPath`, `NotFound`.
    pub(crate) fn place(&self, address: &Address) -> Outcome<Path> {
        let path = self.behind(address)?.path()?;
        match &self.shared {
            None => Ok(path),
            Some(shared) if shared.is_file => {
                if path.is_root() || path.as_str() == shared.path.name().unwrap_or_default() {
                    Ok(shared.path.clone())
                } else {
                    Err(Error::at(ErrorKind::NotFound, &path).into())
                }
            }
            Some(shared) => Ok(shared.path.join_path(&path)?),
        }
    }

    /// The pattern of an address; none when it has no wildcard.
    ///
    /// # Errors
    /// `BadPath`, `NotFound`.
    pub(crate) fn pattern(&self, address: &Address) -> Outcome<Option<Pattern>> {
        self.behind(address)?.pattern()
    }

    /// Does an address of this host name something here? Another prefix may lead to another server.
    pub(crate) fn holds(&self, address: &Address) -> bool {
        address.behind(&self.server.base).is_some()
    }

    /// The server, with the prefix that it turned out to be behind.
    pub(crate) fn server(&self) -> &Server {
        &self.server
    }

    fn behind(&self, address: &Address) -> Outcome<Address> {
        let behind = address.behind(&self.server.base);
        let beside = || Error::new(ErrorKind::NotFound).about_text(address.to_string());
        Ok(behind.ok_or_else(beside)?)
    }

    /// Connects, signed in so. Whoever gives a name or a password comes by that, whatever else
    /// there is. `next`: what a transfer that follows asks first ([`remote::Options::next`]).
    ///
    /// # Errors
    /// As [`Drawer::open`].
    pub(crate) async fn open_as(
        server: &Server,
        passwords: Passwords,
        fingerprint: Option<Fingerprint>,
        printer: Arc<Printer>,
        sign_in: Option<remote::SignIn>,
        next: Option<Path>,
    ) -> Outcome<Self> {
        let named_himself = passwords.user.is_some() || passwords.given.is_some();
        let sign_in = sign_in.filter(|_| !named_himself);
        let keyed = sign_in.is_some();
        let named = |error: Error| match error.kind() {
            kind @ (ErrorKind::Disconnected | ErrorKind::TimedOut) => {
                let text = printer.text();
                let why = std::error::Error::source(&error).and_then(|cause| text.cause(cause));
                let why = why.unwrap_or_else(|| text.kind(kind));
                let sentence = Sentence::new("client-no-answer");
                Fault::Said(
                    kind,
                    sentence.with("server", server.to_string()).with("why", why),
                )
            }
            ErrorKind::Unsupported => not_ours(&error, server, printer.text()),
            _ => Fault::Store(about(&error, server.to_string())),
        };
        let given = fingerprint;
        let remote = match introduce::connect(server, fingerprint, sign_in, next, &printer).await? {
            Ok(remote) => remote,
            Err(error) => return Err(named(error)),
        };
        let drawer = Self {
            server: server.behind(&remote.address().base),
            remote,
            passwords: Arc::new(passwords),
            fingerprint: given,
            printer,
            folder: None,
            keyed,
            shared: None,
        };
        if let Some(user) = drawer.passwords.user.clone() {
            match drawer.passwords.find_own()? {
                Some(password) => drawer.sign_in_as(&user, &password).await?,
                None if drawer.printer.can_ask() => drawer.asked(&user).await?,
                None => {
                    let sentence = Sentence::new("client-user-no-password").with("name", user);
                    return Err(Fault::Said(ErrorKind::SignInNeeded, sentence));
                }
            }
        }
        Ok(drawer)
    }

    /// The same drawer as the administrator sees it, over connections of its own: the password is
    /// lent to one command. Who is signed in by it already sees it so anyway. What is changed
    /// through it is this drawer's own change ([`Remote::is_own`]).
    ///
    /// # Errors
    /// As [`Remote::connect`]; `WrongPassword`.
    pub(crate) async fn lent(&self, password: &Secret) -> Outcome<Self> {
        if self.remote.is_signed_in(Account::ADMIN, password) {
            return Ok(self.clone());
        }
        let passwords = Passwords {
            given: Some(password.clone()),
            ..Passwords::default()
        };
        let printer = Arc::clone(&self.printer);
        let lent = Self::open(&self.server, passwords, self.fingerprint, printer).await?;
        lent.sign_in(password).await?;
        Ok(Self {
            folder: self.folder.clone(),
            remote: lent.remote.as_one_with(&self.remote),
            ..lent
        })
    }

    /// As [`Drawer::lent`], for a command to which no password was given: the one that needs no
    /// question, else a person is asked.
    ///
    /// # Errors
    /// As [`Drawer::lent`]; `SignInNeeded` where nobody can be asked; an unreadable password file.
    pub(crate) async fn lent_again(&self) -> Outcome<Self> {
        let is_own = self.keyed || self.passwords.user.is_some();
        if !is_own && let Some(password) = self.passwords.find()? {
            return self.lent(&password).await;
        }
        if !self.printer.can_ask() {
            return Err(Fault::Store(ErrorKind::SignInNeeded.into()));
        }
        let question = self.question(Account::ADMIN);
        let lend = |password: Secret| async move { self.lent(&password).await };
        asked(&self.printer, &question, lend).await
    }

    /// Who signed in, where it is not the administrator lent for a moment.
    pub(crate) fn user(&self) -> Option<&str> {
        self.passwords.user.as_deref()
    }

    /// The same drawer over the same connections, with these passwords.
    pub(crate) fn with_passwords(&self, passwords: Passwords) -> Self {
        Self {
            passwords: Arc::new(passwords),
            ..self.clone()
        }
    }

    /// The same drawer as it is seen from this folder.
    pub(crate) fn seen_from(self, folder: Folder) -> Self {
        Self {
            folder: Some(folder),
            ..self
        }
    }

    /// Where the passwords come from.
    pub(crate) fn passwords(&self) -> &Passwords {
        &self.passwords
    }

    /// The drawer as a store.
    pub(crate) fn store(&self) -> Arc<dyn Store> {
        Arc::new(self.remote.clone())
    }

    /// A path of it as it would be typed. Not escaped for a terminal.
    pub(crate) fn show(&self, path: &Path) -> String {
        let Some(folder) = &self.folder else {
            return format!("{}{path}", self.server);
        };
        let folder = folder.lock().unwrap_or_else(PoisonError::into_inner);
        match path.beneath(&folder) {
            Some(rest) if !rest.is_root() => rest.as_str().to_owned(),
            _ => path.to_string(),
        }
    }

    /// Sees to it that the account may do this, by signing in where it may not. Where nobody can
    /// give a password, nothing happens here, and the server will say what it wants.
    ///
    /// # Errors
    /// `WrongPassword`, `Busy`, an unreadable password file.
    pub(crate) async fn need(&self, action: Action) -> Outcome {
        if self.keyed || self.passwords.user.is_some() {
            // Whoever signed in by himself may what he may: the server says so.
            return Ok(());
        }
        let account = match self.remote.greeted() {
            Some(account) => account,
            None => self.remote.whoami().await?,
        };
        if account.may.iter().any(|may| may == action.code()) {
            return Ok(());
        }
        if let Some(password) = self.passwords.find()? {
            return self.sign_in(&password).await;
        }
        if !self.printer.can_ask() {
            return Ok(());
        }
        self.asked(Account::ADMIN).await
    }

    /// Asks a person for the password of who has this name, and signs in.
    async fn asked(&self, name: &str) -> Outcome {
        let question = self.question(name);
        let sign_in = |password: Secret| async move { self.sign_in_as(name, &password).await };
        asked(&self.printer, &question, sign_in).await
    }

    fn question(&self, name: &str) -> String {
        let text = self.printer.text();
        let server = escape(&self.server.to_string()).into_owned();
        match name {
            Account::ADMIN => text.say("client-ask-password", &[("server", server.into())]),
            name => {
                let name = escape(name).into_owned();
                let args = [("name", name.into()), ("server", server.into())];
                text.say("client-ask-password-of", &args)
            }
        }
    }

    /// Signs in at once when a password was given in so many words: then it must be right. Once:
    /// who is signed in by it already was told that it is.
    ///
    /// # Errors
    /// As [`Drawer::need`].
    pub(crate) async fn use_given(&self) -> Outcome {
        match &self.passwords.given {
            Some(password) if !self.remote.is_signed_in(Account::ADMIN, password) => {
                self.sign_in(&password.clone()).await
            }
            Some(_) | None => Ok(()),
        }
    }

    async fn sign_in(&self, password: &Secret) -> Outcome {
        self.sign_in_as(Account::ADMIN, password).await
    }

    async fn sign_in_as(&self, name: &str, password: &Secret) -> Outcome {
        match self.remote.sign_in(name, password).await {
            Ok(_) => Ok(()),
            Err(error) if error.kind() == ErrorKind::Insecure => {
                let sentence = Sentence::new("tls-plain-password");
                let server = self.server.to_string();
                Err(Fault::Said(error.kind(), sentence.with("server", server)))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// What an address names here: one entry, or all that a pattern matches, sorted by path and
    /// without what lies in another match.
    ///
    /// # Errors
    /// `NotFound`, and what the server says, with the address as it was typed.
    pub(crate) async fn find(&self, address: &Address) -> Outcome<Vec<gaveta_core::Entry>> {
        match self.pattern(address)? {
            Some(pattern) => {
                let found = matches(&self.remote, &pattern).await.map_err(|error| {
                    if error.kind() == ErrorKind::NotFound {
                        Fault::Said(
                            ErrorKind::NotFound,
                            Sentence::new("client-no-match").with("pattern", address.to_string()),
                        )
                    } else {
                        error.into()
                    }
                })?;
                Ok(pattern::outermost(found))
            }
            None => {
                let path = self.place(address)?;
                let entry = self
                    .remote
                    .stat(&path)
                    .await
                    .map_err(|error| self.named(error, &path))?;
                // The bare link of a file ends where a folder's would.
                let is_link = self.shared.as_ref().is_some_and(|shared| shared.is_file);
                if address.folder && !is_link && !entry.is_folder() {
                    let error = Error::new(ErrorKind::NotFolder).about_text(address.to_string());
                    return Err(error.into());
                }
                Ok(vec![entry])
            }
        }
    }

    /// The error with the address of what it is about.
    pub(crate) fn named(&self, error: Error, path: &Path) -> Fault {
        Fault::Store(about(&error, self.show(path)))
    }
}

#[cfg(test)]
mod tests {
    use gaveta_text::Text;

    use super::*;

    #[tokio::test]
    async fn a_password_that_is_lent_is_shown_once() {
        let config = gaveta_server::Config::for_tests("right one").unwrap();
        let store = Arc::new(gaveta_testkit::MemoryStore::new());
        let house = gaveta_server::Server::bind(config, store).await.unwrap();
        let house = house.spawn();
        let server = Address::parse(&format!("http://{}/", house.address()));
        let server = server.unwrap().server;
        let secret = |text: &str| Some(Secret(text.to_owned()));
        let open = async |given: Option<Secret>| {
            let text = Text::new(gaveta_text::Lang::English);
            let printer = Arc::new(Printer::new(text, crate::printer::Style::default()));
            let passwords = Passwords {
                given,
                ..Passwords::default()
            };
            Drawer::open(&server, passwords, None, printer)
                .await
                .unwrap()
        };
        let asked = || house.stats().requests;
        let visitor = open(None).await;
        let lent = visitor.lent(&Secret("right one".into())).await.unwrap();
        let before = asked();
        lent.use_given().await.unwrap();
        lent.need(Action::Delete).await.unwrap();
        lent.use_given().await.unwrap();
        assert_eq!(asked(), before, "it was shown when it was lent");
        // Given with the verb: the first time it must be right, and then that is known.
        let given = open(secret("right one")).await;
        let before = asked();
        given.use_given().await.unwrap();
        given.need(Action::Delete).await.unwrap();
        given.use_given().await.unwrap();
        assert_eq!(asked(), before + 1);
        let wrong = open(secret("wrong")).await;
        let refused = wrong.use_given().await.unwrap_err();
        assert_eq!(refused.kind(), Some(ErrorKind::WrongPassword));
    }
}
