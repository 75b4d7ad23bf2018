//! Whom the server runs as, and where its folder and its state are.

use std::fmt::Display;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use gaveta_server::{AccountsFile, Book, FileProblem};
use gaveta_text::{Text, escape};

use super::refusal::{Refusal, shown};
use super::user::{self, UserProblem};
use super::warn;
use crate::account::{self, say_problem};
use crate::exit::Exit;

/// The folder that is served, and made, when none is named.
const DEFAULT_FOLDER: &str = "server_files";

/// Becomes the user of `--user`, and says where his home is.
pub(super) fn become_who(name: Option<&str>, text: &Text) -> Result<Option<PathBuf>, Refusal> {
    let Some(name) = name else {
        if user::is_root() {
            warn(&text.say("serve-warn-root", &[]));
        }
        return Ok(None);
    };
    let refused = |problem: &UserProblem| {
        let key = match problem {
            UserProblem::Unknown => "serve-user-unknown",
            UserProblem::Root => "serve-user-root",
            UserProblem::NotRoot => "serve-user-not-root",
            UserProblem::NotDropped | UserProblem::Io(_) => "serve-user-failed",
        };
        let args = [
            ("name", escape(name).into_owned().into()),
            ("reason", shown(problem).into()),
        ];
        Refusal(Exit::State, text.say(key, &args))
    };
    let user = user::find(name).map_err(|problem| refused(&problem))?;
    user::become_user(&user).map_err(|problem| refused(&problem))?;
    tracing::info!(target: "gaveta::server", user = user.name, uid = user.uid, "rights given up");
    Ok(Some(user.home))
}

/// `--state-dir`, or the place for state of whom we run as (XDG Base Directory Specification).
pub(crate) fn state_folder(given: Option<PathBuf>, home: Option<PathBuf>) -> Option<PathBuf> {
    let variable = |name: &str| {
        std::env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    given
        .or_else(|| home.map(|home| home.join(".local/state/gaveta")))
        .or_else(|| variable("XDG_STATE_HOME").map(|state| state.join("gaveta")))
        .or_else(|| variable("HOME").map(|home| home.join(".local/state/gaveta")))
}

/// The folder, absolute. Only the default one is made.
pub(super) fn folder(given: Option<&Path>, text: &Text) -> Result<PathBuf, Refusal> {
    let path = given.unwrap_or(Path::new(DEFAULT_FOLDER));
    let refuse = |key: &str, reason: &dyn Display| {
        let args = [
            ("folder", shown(path.display()).into()),
            ("reason", shown(reason).into()),
        ];
        Refusal(Exit::Folder, text.say(key, &args))
    };
    if given.is_none()
        && let Err(error) = fs::create_dir(path)
        && error.kind() != io::ErrorKind::AlreadyExists
    {
        return Err(refuse("serve-folder-not-made", &error));
    }
    match fs::metadata(path) {
        Ok(about) if about.is_dir() => {
            fs::canonicalize(path).map_err(|error| refuse("serve-folder-unreadable", &error))
        }
        Ok(_) => Err(refuse("serve-folder-is-file", &"")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(refuse("serve-folder-missing", &error))
        }
        Err(error) => Err(refuse("serve-folder-unreadable", &error)),
    }
}

/// Nobody may fetch the password or the key, or replace them, through the drawer. Each secret has
/// its own sentence.
pub(super) fn keep_apart(
    folder: &Path,
    state: &Path,
    secrets: &[(Option<&Path>, &str)],
    text: &Text,
) -> Result<(), Refusal> {
    let beneath = |key: &str, path: &Path| {
        let args = [
            ("path", shown(path.display()).into()),
            ("folder", shown(folder.display()).into()),
        ];
        Refusal(Exit::State, text.say(key, &args))
    };
    if gaveta_disk::contains(folder, state) {
        return Err(beneath("serve-state-beneath", state));
    }
    for (file, key) in secrets {
        if let Some(file) = file
            && gaveta_disk::contains(folder, file)
        {
            return Err(beneath(key, file));
        }
    }
    Ok(())
}

/// Where it is written what accounts with a quota keep in this folder: one file for each folder,
/// for several servers may share the state.
pub(super) fn usage(state: &Path, folder: &Path) -> PathBuf {
    use std::os::unix::ffi::OsStrExt;
    let folder = gaveta_core::Digest::of(folder.as_os_str().as_bytes());
    let name: String = folder.to_string().chars().take(16).collect();
    state.join(format!("usage-{name}.jsonl"))
}

/// The file of the accounts and what it says, outside the folder that is served.
pub(super) fn accounts(
    config: Option<&Path>,
    state: &Path,
    folder: &Path,
    text: &Text,
) -> Result<(AccountsFile, Book), Refusal> {
    // Whoever names one means one that is there.
    if let Some(config) = config
        && let Err(error) = fs::metadata(config)
    {
        let problem = FileProblem::Io(config.to_owned(), error);
        return Err(Refusal(Exit::State, say_problem(text, &problem)));
    }
    let refused = || Refusal(Exit::State, text.say("serve-no-state-dir", &[]));
    let file = account::file(config, Some(state)).ok_or_else(refused)?;
    if gaveta_disk::contains(folder, file.path()) {
        let args = [
            ("path", shown(file.path().display()).into()),
            ("folder", shown(folder.display()).into()),
        ];
        return Err(Refusal(
            Exit::State,
            text.say("serve-password-file-beneath", &args),
        ));
    }
    match file.read() {
        Ok(book) => Ok((file, book)),
        Err(problem) => Err(Refusal(Exit::State, say_problem(text, &problem))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_has_a_place() {
        let given = Some(PathBuf::from("/given"));
        assert_eq!(state_folder(given.clone(), None), given);
        let home = Some(PathBuf::from("/home/ana"));
        assert_eq!(
            state_folder(None, home),
            Some("/home/ana/.local/state/gaveta".into())
        );
    }
}
