//! `gaveta token`, `share` and `audit` about a folder of this machine: without a server, in the files
//! that one would have.

use std::fs;
use std::path::{Path as FsPath, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use clap::{ArgMatches, Args, Command, FromArgMatches};
use gaveta_client::fault::{Ended, Fault, Outcome, Sentence};
use gaveta_client::verbs::audit::{self, Audit};
use gaveta_client::verbs::keyring::{Keyring, NewShareBody, NewTokenBody, ShareBody, TokenBody};
use gaveta_client::verbs::share::Share;
use gaveta_client::verbs::token::Token;
use gaveta_client::verbs::{self, Context};
use gaveta_core::{Error, ErrorKind, Kind, Path, Result};
use gaveta_server::offline::Offline;
use gaveta_server::{
    AccountsFile, AuditReader, Book, HashedPassword, Kept, Source, control, drawer_folder,
};
use gaveta_text::Text;

use crate::account::{LOG, Where};
use crate::verify::is_here;

/// How often it is looked whether the log grew.
const LOOK: Duration = Duration::from_millis(250);

/// One of the verbs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verb {
    Token,
    Share,
    Audit,
}

impl Verb {
    fn of(word: &str) -> Option<Self> {
        match word {
            "token" => Some(Self::Token),
            "share" => Some(Self::Share),
            "audit" => Some(Self::Audit),
            _ => None,
        }
    }

    /// What the verb is about, as it was typed.
    fn place(self, matches: &ArgMatches) -> Option<&str> {
        let id = match self {
            Self::Token => "words",
            Self::Share => "path",
            Self::Audit => "server",
        };
        let typed = matches.try_get_many::<String>(id).ok().flatten();
        typed.and_then(|mut words| words.next()).map(String::as_str)
    }

    /// Is something on this machine meant? A folder; for a share and for the log also a file.
    fn is_here(self, matches: &ArgMatches) -> bool {
        let file = self != Self::Token;
        self.place(matches)
            .is_some_and(|place| is_here(place) || file && FsPath::new(place).is_file())
    }
}

/// The command with what says where the state is, for the verbs that can do without a server.
pub(crate) fn with_place(command: Command, text: &Text) -> Command {
    match Verb::of(command.get_name()) {
        Some(_) => verbs::translate(Where::augment_args(command), text),
        None => command,
    }
}

/// Does it without a server, where the words are about this machine; none where they are not.
///
/// # Errors
/// When the arguments are not those of [`with_place`].
pub(crate) async fn run(
    word: &str,
    matches: &ArgMatches,
    context: &Context,
) -> Option<std::result::Result<Ended, clap::Error>> {
    let verb = Verb::of(word)?;
    let place = match Where::from_arg_matches(matches) {
        Ok(place) => place,
        Err(error) => return Some(Err(error)),
    };
    let done = match verb.is_here(matches) {
        true => done(verb, matches, &place, context),
        // What says where the state is means this machine.
        false if place.is_given() => {
            return Some(Ok(context
                .printer
                .ended(Err(Fault::usage("offline-no-folder")))));
        }
        false => return None,
    };
    Some(match done.await {
        Ok(outcome) => Ok(context.printer.ended(outcome)),
        Err(error) => Err(error),
    })
}

async fn done(
    verb: Verb,
    matches: &ArgMatches,
    place: &Where,
    context: &Context,
) -> std::result::Result<Outcome<Ended>, clap::Error> {
    Ok(match verb {
        Verb::Token => {
            let args = Token::from_arg_matches(matches)?;
            context.stoppable(token(&args, place, context)).await
        }
        Verb::Share => {
            let args = Share::from_arg_matches(matches)?;
            context.stoppable(share(&args, place, context)).await
        }
        Verb::Audit => {
            let args = Audit::from_arg_matches(matches)?;
            context.stoppable(log(&args, place, context)).await
        }
    })
}

async fn token(token: &Token, place: &Where, context: &Context) -> Outcome<Ended> {
    let (folder, names) = token
        .words
        .split_first()
        .ok_or(Fault::usage("client-no-address"))?;
    let folder = absolute(folder)?;
    if !folder.is_dir() {
        return Err(Error::new(ErrorKind::NotFolder)
            .about_text(shown(&folder))
            .into());
    }
    let keyring = open(place, folder).await?;
    let done = token.work(context, &keyring, names).await;
    done.map_err(|fault| keyring.said(fault))
}

async fn share(share: &Share, place: &Where, context: &Context) -> Outcome<Ended> {
    let typed = share.path.as_deref().unwrap_or_default();
    let whole = absolute(typed)?;
    let folder = served(place, &whole)?;
    let within = whole.strip_prefix(&folder).unwrap_or(FsPath::new(""));
    let within = within.to_str().map(Path::parse);
    let within = within.unwrap_or_else(|| Err(Error::new(ErrorKind::NotFound)));
    let keyring = open(place, folder).await?;
    let place = || match within {
        Ok(path) => Ok((path, typed.to_owned())),
        Err(error) => Err(error.about_text(typed).into()),
    };
    let done = share.work(context, &keyring, place).await;
    done.map_err(|fault| keyring.said(fault))
}

async fn log(args: &Audit, place: &Where, context: &Context) -> Outcome<Ended> {
    let typed = absolute(args.server.as_deref().unwrap_or_default())?;
    let path = match typed.is_file() {
        true => typed,
        false => state(place)?.join(LOG),
    };
    if !path.is_file() {
        let sentence = Sentence::new("offline-no-log").with("path", shown(&path));
        return Err(Fault::Said(ErrorKind::NotFound, sentence));
    }
    let mut reader = AuditReader::new(path, args.filter()?);
    loop {
        // A line at a time: what is printed is what was read.
        match reader.next_record().map_err(Error::from)? {
            Some(record) => audit::tell(context, &record)?,
            None if args.follow => tokio::time::sleep(LOOK).await,
            None => return Ok(Ended::Done),
        }
        // Ctrl-C is heard in between.
        tokio::task::yield_now().await;
    }
}

fn state(place: &Where) -> Outcome<PathBuf> {
    let none = || Fault::Said(ErrorKind::NotFound, Sentence::new("serve-no-state-dir"));
    place.state().ok_or_else(none)
}

fn shown(path: &FsPath) -> String {
    path.to_string_lossy().into_owned()
}

fn absolute(typed: &str) -> Outcome<PathBuf> {
    fs::canonicalize(typed).map_err(|error| Error::from(error).about_text(typed).into())
}

/// The folder that was served, of which this is a part: the one that has tokens and links here, else
/// the nearest that was ever served.
fn served(place: &Where, part: &FsPath) -> Outcome<PathBuf> {
    let state = state(place)?;
    let known = |folder: &&FsPath| drawer_folder(&state, folder).is_dir();
    let once = |folder: &&FsPath| folder.join(gaveta_core::path::RESERVED).is_dir();
    let found = part.ancestors().find(known);
    let found = found.or_else(|| part.ancestors().find(once));
    found.map(FsPath::to_owned).ok_or_else(|| {
        let sentence = Sentence::new("offline-never-served").with("path", shown(part));
        Fault::Said(ErrorKind::NotFound, sentence)
    })
}

/// The files of a drawer's tokens and links. They are opened for each thing that is done there, so
/// that nobody is kept from them while a person is asked for something.
#[derive(Clone)]
struct Files {
    state: PathBuf,
    accounts: AccountsFile,
    folder: PathBuf,
}

async fn open(place: &Where, folder: PathBuf) -> Outcome<Files> {
    let said = |sentence| Fault::Said(ErrorKind::Io, sentence);
    let none = || said(Sentence::new("serve-no-state-dir"));
    let files = Files {
        state: state(place)?,
        accounts: place.file().ok_or_else(none)?,
        folder,
    };
    let wrong = |error| said(Sentence::new("offline-state").with("reason", error));
    files.known().map_err(wrong)?;
    // Whoever cannot have them is told so before he is asked for anything.
    let opened = files.with(|_| Ok(())).await;
    opened.map_err(|error| files.said(error.into()))?;
    Ok(files)
}

impl Files {
    /// The accounts, and the administrator's password; else why they are not known.
    fn known(&self) -> std::result::Result<(Book, Option<HashedPassword>), String> {
        let book = self.accounts.read().map_err(|error| error.to_string())?;
        let kept = Kept::in_folder(self.state.clone());
        let admin = kept.know(Source::Kept { make: false });
        Ok((book, admin.map_err(|error| error.to_string())?.password))
    }

    /// Does something with them while nobody else has them.
    async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Offline) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let files = self.clone();
        blocking(move || {
            let unknown = |why: String| Error::new(ErrorKind::Io).because(why);
            let (book, admin) = files.known().map_err(unknown)?;
            let keys = drawer_folder(&files.state, &files.folder);
            let log = files.state.join(LOG);
            work(&Offline::open(&keys, &book, admin, Some(&log))?)
        })
        .await
    }

    /// The same, but that a server has them is said with its address.
    fn said(&self, fault: Fault) -> Fault {
        match fault {
            Fault::Store(error) if error.kind() == ErrorKind::Locked => {
                let servers = control::servers(&self.state).into_iter();
                let servers: Vec<String> = servers
                    .map(|server| format!("localhost:{}", server.port))
                    .collect();
                let sentence = Sentence::new("offline-server-runs")
                    .with("folder", shown(&self.folder))
                    .with("servers", servers.join(", "));
                Fault::Said(ErrorKind::Locked, sentence)
            }
            other => other,
        }
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| Error::new(ErrorKind::Io).because(error))?
}

#[async_trait]
impl Keyring for Files {
    async fn make_token(&self, new: &NewTokenBody) -> Result<TokenBody> {
        let new = new.clone();
        self.with(move |offline| offline.make_token(new)).await
    }

    async fn tokens(&self) -> Result<Vec<TokenBody>> {
        self.with(|offline| Ok(offline.tokens())).await
    }

    async fn revoke_token(&self, id: &str) -> Result<()> {
        let id = id.to_owned();
        self.with(move |offline| offline.revoke_token(&id)).await
    }

    async fn make_share(&self, new: &NewShareBody) -> Result<ShareBody> {
        let new = new.clone();
        let at = self.folder.join(&new.path);
        self.with(move |offline| {
            let what = fs::symlink_metadata(at)?.file_type();
            let kind = match (what.is_dir(), what.is_file(), what.is_symlink()) {
                (true, ..) => Kind::Folder,
                (_, true, _) => Kind::File,
                (.., true) => Kind::Link,
                _ => Kind::Special,
            };
            offline.make_share(new, kind)
        })
        .await
    }

    async fn shares(&self) -> Result<Vec<ShareBody>> {
        self.with(|offline| Ok(offline.shares())).await
    }

    async fn end_share(&self, id: &str) -> Result<()> {
        let id = id.to_owned();
        self.with(move |offline| offline.end_share(&id)).await
    }

    /// Whoever served it last may do so elsewhere next time.
    fn origin(&self) -> Option<String> {
        None
    }
}
