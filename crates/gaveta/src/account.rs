//! `gaveta account`: who may sign in, and may what.
//!
//! It edits the file of the accounts under its lock, and then has every server that runs with the
//! same state folder put it in force.

mod problem;
mod secret;

use std::io::{self, Write};
use std::path::{Path as FsPath, PathBuf};
use std::time::SystemTime;

use clap::{Args, Subcommand};
use gaveta_client::printer::Printer;
use gaveta_core::{Account, Actions, Path};
use gaveta_server::{
    AccountsFile, BadSetting, Book, Change, FileProblem, Record, Settings, SshKey, control, offline,
};
use gaveta_text::{Text, escape};
use serde_json::{Value, json};

use crate::exit::Exit;
use crate::serve::state_folder;
pub(crate) use problem::say as say_problem;

/// The name of the file, in the state folder.
const FILE: &str = "gaveta.toml";
/// The name of the audit log, there.
pub(crate) const LOG: &str = "audit.jsonl";

/// Which server is meant, for commands that look after one on this machine.
#[derive(Debug, Clone, Args)]
pub(crate) struct Where {
    #[arg(
        long,
        value_name = "FOLDER",
        global = true,
        help = "help-serve-state-dir"
    )]
    pub(crate) state_dir: Option<PathBuf>,
    #[arg(long, value_name = "FILE", global = true, help = "help-serve-config")]
    pub(crate) config: Option<PathBuf>,
}

impl Where {
    /// Was anything said?
    pub(crate) fn is_given(&self) -> bool {
        self.state_dir.is_some() || self.config.is_some()
    }

    /// The state folder; none where there is no place for one.
    pub(crate) fn state(&self) -> Option<PathBuf> {
        state_folder(self.state_dir.clone(), None)
    }

    /// The file of the accounts.
    pub(crate) fn file(&self) -> Option<AccountsFile> {
        file(self.config.as_deref(), self.state().as_deref())
    }
}

/// The file that was named, or the one in the state folder.
pub(crate) fn file(config: Option<&FsPath>, state: Option<&FsPath>) -> Option<AccountsFile> {
    let config = config.map(FsPath::to_owned);
    config
        .or_else(|| Some(state?.join(FILE)))
        .map(AccountsFile::at)
}

/// The arguments of `gaveta account`. The help is a key of the texts.
#[derive(Debug, Args)]
pub(crate) struct AccountArgs {
    #[command(flatten)]
    place: Where,
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    #[command(visible_alias = "adicionar", about = "help-account-add", long_about = None)]
    Add(Add),
    #[command(visible_alias = "remover", about = "help-account-remove", long_about = None)]
    Remove(Named),
    #[command(visible_alias = "senha", about = "help-account-password", long_about = None)]
    Password(Password),
    #[command(visible_alias = "listar", about = "help-account-list", long_about = None)]
    List(List),
    #[command(visible_alias = "conceder", about = "help-account-grant", long_about = None)]
    Grant(Grant),
    #[command(visible_alias = "chave", about = "help-account-key", long_about = None)]
    Key(Key),
    #[command(visible_alias = "mudar", about = "help-account-set", long_about = None)]
    Set(Set),
}

#[derive(Debug, Args)]
struct Named {
    #[arg(value_name = "NAME", help = "arg-account-name")]
    name: String,
}

#[derive(Debug, Args)]
struct List {}

#[derive(Debug, Args)]
struct Add {
    #[arg(value_name = "NAME", help = "arg-account-name")]
    name: String,
    #[arg(long = "grant", value_name = "PATH=WHAT", value_parser = granted, help = "arg-account-grant")]
    grants: Vec<(Path, Actions)>,
    #[command(flatten)]
    settings: SettingArgs,
    #[arg(
        long,
        conflicts_with = "password_file",
        help = "arg-account-no-password"
    )]
    no_password: bool,
    #[arg(long, value_name = "FILE", help = "arg-password-file")]
    password_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct SettingArgs {
    #[arg(long, value_name = "SIZE", help = "arg-account-quota")]
    quota: Option<String>,
    #[arg(long, value_name = "DATE", help = "arg-account-expires")]
    expires: Option<String>,
}

#[derive(Debug, Args)]
struct Password {
    #[arg(value_name = "NAME", help = "arg-account-name")]
    name: String,
    #[arg(long, value_name = "FILE", help = "arg-password-file")]
    password_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct Grant {
    #[arg(value_name = "NAME", help = "arg-account-name")]
    name: String,
    #[arg(value_name = "PATH", value_parser = path, help = "arg-account-path")]
    path: Path,
    #[arg(value_name = "WHAT", value_parser = actions, required_unless_present = "remove",
        help = "arg-account-what")]
    what: Option<Actions>,
    #[arg(long, conflicts_with = "what", help = "arg-account-grant-remove")]
    remove: bool,
}

#[derive(Debug, Args)]
struct Key {
    #[arg(value_name = "NAME", help = "arg-account-name")]
    name: String,
    #[arg(value_name = "KEY", help = "arg-account-key")]
    key: String,
    #[arg(long, help = "arg-account-key-remove")]
    remove: bool,
}

#[derive(Debug, Args)]
struct Set {
    #[arg(value_name = "NAME", help = "arg-account-name")]
    name: String,
    #[command(flatten)]
    settings: SettingArgs,
    #[arg(long, conflicts_with = "enable", help = "arg-account-disable")]
    disable: bool,
    #[arg(long, help = "arg-account-enable")]
    enable: bool,
}

/// `PATH=WHAT`.
fn granted(text: &str) -> Result<(Path, Actions), String> {
    let (at, what) = text.rsplit_once('=').ok_or("PATH=WHAT: /team=editor")?;
    Ok((path(at)?, actions(what)?))
}

fn path(text: &str) -> Result<Path, String> {
    gaveta_server::granted_path(text).ok_or_else(|| "/, /team, /team/money".to_owned())
}

fn actions(text: &str) -> Result<Actions, String> {
    Actions::parse(text).map_err(|_| {
        "viewer, contributor, editor, admin, none; list, read, create, replace, delete, manage"
            .to_owned()
    })
}

/// Why it was not done: an exit code and a sentence.
struct Refused(Exit, String);

/// Runs one of the commands.
pub(crate) fn run(args: AccountArgs, printer: &Printer) -> Exit {
    let done = Desk {
        text: printer.text(),
        printer,
        place: args.place,
    }
    .run(args.what);
    let done = done.and_then(|()| {
        let flushed = printer.finish();
        flushed.map_err(|_| Refused(Exit::Failed, String::new()))
    });
    match done {
        Ok(()) => Exit::Done,
        Err(Refused(exit, sentence)) => {
            if !sentence.is_empty() {
                let _ = writeln!(io::stderr().lock(), "gaveta: {sentence}");
            }
            exit
        }
    }
}

struct Desk<'a> {
    text: &'a Text,
    printer: &'a Printer,
    place: Where,
}

impl Desk<'_> {
    fn run(self, what: What) -> Result<(), Refused> {
        match what {
            What::Add(add) => self.add(&add),
            What::Remove(Named { name }) => {
                self.change(&name, &Change::Remove)?;
                self.did("account-removed", "removed", &name)
            }
            What::Password(password) => {
                let file = password.password_file.as_deref();
                // Nobody is asked for a password of no account; "admin" is made when it is not.
                let known = self
                    .read()?
                    .iter()
                    .any(|record| record.name == password.name);
                if !known && password.name != Account::ADMIN {
                    return Err(self.problem(&FileProblem::NoAccount(password.name)));
                }
                let hash = self.hash(&password.name, file)?;
                self.change(&password.name, &Change::Password(hash))?;
                self.did("account-password-set", "password-set", &password.name)
            }
            What::List(List {}) => self.list(),
            What::Grant(grant) => {
                self.change(&grant.name, &Change::Grant(grant.path, grant.what))?;
                self.did("account-granted", "granted", &grant.name)
            }
            What::Key(key) => self.key(&key),
            What::Set(set) => {
                let settings = Settings {
                    disabled: (set.disable || set.enable).then_some(set.disable),
                    ..self.settings(&set.settings)?
                };
                self.change(&set.name, &Change::Set(settings))?;
                self.did("account-changed", "changed", &set.name)
            }
        }
    }

    fn add(&self, add: &Add) -> Result<(), Refused> {
        let name = &add.name;
        if Account::check_name(name).is_err() {
            let name = [("name", escape(name).into_owned().into())];
            return Err(Refused(
                Exit::Usage,
                self.text.say("account-bad-name", &name),
            ));
        }
        let settings = self.settings(&add.settings)?;
        if self.read()?.iter().any(|record| record.name == *name) {
            return Err(self.problem(&FileProblem::Taken(name.clone())));
        }
        let hash = match add.no_password {
            true => None,
            false => Some(self.hash(name, add.password_file.as_deref())?),
        };
        let change = Change::Add {
            password: hash,
            grants: add.grants.clone(),
            settings,
        };
        self.change(name, &change)?;
        self.did("account-added", "added", name)?;
        if add.grants.is_empty() {
            let name = [("name", escape(name).into_owned().into())];
            self.printer
                .note(&self.text.say("account-may-nothing", &name));
        }
        Ok(())
    }

    fn key(&self, key: &Key) -> Result<(), Refused> {
        if key.remove {
            self.change(&key.name, &Change::RemoveKey(key.key.clone()))?;
            return self.did("account-key-removed", "key-removed", &key.name);
        }
        let Some(known) = SshKey::parse(&key.key) else {
            return Err(Refused(Exit::Usage, self.text.say("account-bad-key", &[])));
        };
        self.change(&key.name, &Change::AddKey(known))?;
        self.did("account-key-added", "key-added", &key.name)
    }

    fn settings(&self, given: &SettingArgs) -> Result<Settings, Refused> {
        let setting = |word: &Option<String>| {
            let word = word.as_ref()?;
            Some((!is_none(word)).then(|| word.clone()))
        };
        let settings = Settings {
            quota: setting(&given.quota),
            expires: setting(&given.expires),
            disabled: None,
        };
        settings.check().map_err(|bad| {
            let (key, word) = match bad {
                BadSetting::Quota(word) => ("account-bad-quota", word),
                BadSetting::Expires(word) => ("account-bad-date", word),
            };
            let word = [("word", escape(&word).into_owned().into())];
            Refused(Exit::Usage, self.text.say(key, &word))
        })?;
        Ok(settings)
    }

    fn hash(&self, name: &str, file: Option<&FsPath>) -> Result<String, Refused> {
        secret::hash(self.printer, name, file)
            .map_err(|(exit, key)| Refused(exit, self.text.say(key, &[])))
    }

    fn file(&self) -> Result<AccountsFile, Refused> {
        let none = || Refused(Exit::State, self.text.say("serve-no-state-dir", &[]));
        self.place.file().ok_or_else(none)
    }

    fn read(&self) -> Result<Vec<Record>, Refused> {
        let book = self.file()?.read();
        Ok(book.map_err(|problem| self.problem(&problem))?.records)
    }

    fn change(&self, name: &str, change: &Change) -> Result<(), Refused> {
        let file = self.file()?;
        let failed = |problem| self.problem(&problem);
        let (old, new) = file.change(name, change).map_err(failed)?;
        self.put_in_force(&old, &new);
        Ok(())
    }

    /// Has the servers that run read the file now. One that cannot be asked reads it by itself.
    /// What they would do, where none runs, is done here: the audit log, and in drawers that none has
    /// open the end of what goes with an account.
    fn put_in_force(&self, old: &Book, new: &Book) {
        let Some(state) = self.place.state() else {
            return;
        };
        let servers = control::servers(&state);
        let (log, served) = (state.join(LOG), !servers.is_empty());
        if let Err(error) = offline::accounts_changed(&state, &log, served, old, new) {
            let reason = escape(&error.chain()).into_owned();
            let args = [("reason", reason.into())];
            self.printer
                .note(&self.text.say("account-keys-stay", &args));
        }
        for server in servers {
            let why = match control::ask(&server, &json!({ "do": "reload" })) {
                Ok(Ok(_)) => continue,
                Ok(Err((_, message))) => message,
                Err(error) => error.to_string(),
            };
            let args = [
                ("port", server.port.to_string().into()),
                ("reason", escape(&why).into_owned().into()),
            ];
            self.printer
                .note(&self.text.say("account-not-in-force", &args));
        }
    }

    fn problem(&self, problem: &FileProblem) -> Refused {
        let exit = match problem {
            FileProblem::NoAccount(_) | FileProblem::NoKey => Exit::NotFound,
            FileProblem::Taken(_) => Exit::Conflict,
            FileProblem::Io(..)
            | FileProblem::Exposed(_)
            | FileProblem::Unreadable(_)
            | FileProblem::Wrong(..)
            | FileProblem::Locked(_) => Exit::State,
        };
        Refused(exit, problem::say(self.text, problem))
    }

    fn did(&self, key: &str, what: &str, name: &str) -> Result<(), Refused> {
        self.json(&json!({ "type": what, "name": name }))?;
        let name = [("name", escape(name).into_owned().into())];
        self.printer.note(&self.text.say(key, &name));
        Ok(())
    }

    fn json(&self, value: &Value) -> Result<(), Refused> {
        let said = self.printer.json(value);
        said.map_err(|_| Refused(Exit::Failed, String::new()))
    }

    fn list(&self) -> Result<(), Refused> {
        let records = self.read()?;
        for record in &records {
            let grants: serde_json::Map<String, Value> = record
                .grants
                .iter()
                .map(|grant| (shown(&grant.path), grant.actions.to_string().into()))
                .collect();
            let over = record.expires.is_some_and(|end| end <= SystemTime::now());
            self.json(&json!({
                "type": "account",
                "name": record.name,
                "password": record.password.is_some(),
                "grants": grants,
                "quota": record.quota,
                "keys": record.keys.iter().map(SshKey::to_string).collect::<Vec<_>>(),
                "disabled": record.disabled,
                "expired": over,
                "expires": record.expires.map(gaveta_text::exact_time),
            }))?;
            if self.printer.is_json() {
                continue;
            }
            let mut notes = Vec::new();
            let mut note = |key: &str, when: bool| {
                if when {
                    notes.push(self.text.say(key, &[]));
                }
            };
            note("account-is-disabled", record.disabled);
            note("account-is-expired", over);
            note("account-no-password", record.password.is_none());
            let places = record.grants.iter();
            let places = places.map(|grant| format!("{}={}", shown(&grant.path), grant.actions));
            let line = [record.name.clone()].into_iter().chain(places).chain(notes);
            let line: Vec<String> = line.collect();
            self.line(&escape(&line.join("  ")))?;
        }
        if records.is_empty() {
            self.printer.note(&self.text.say("account-none", &[]));
        }
        Ok(())
    }

    fn line(&self, line: &str) -> Result<(), Refused> {
        let said = self.printer.line(line);
        said.map_err(|_| Refused(Exit::Failed, String::new()))
    }
}

/// A path as it stands in a grant.
fn shown(path: &Path) -> String {
    format!("/{}", path.as_str())
}

/// The word that takes a setting away.
fn is_none(word: &str) -> bool {
    matches!(word, "none" | "nenhum" | "nenhuma")
}
