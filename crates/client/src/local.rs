//! This machine's side: what a person typed about files here, as a store and paths in it.
//!
//! A source's store is the folder that holds it, so that nothing else can be reached. A target's
//! store is the folder itself, or the nearest folder above it that is there: the rest is made with
//! the first file.

mod follow;

use std::collections::HashMap;
use std::ffi::OsStr;
use std::path::{Component, Path as OsPath, PathBuf};
use std::sync::Arc;

use gaveta_core::{Entry, Error, ErrorKind, Kind, Path, PathProblem, Store};
use gaveta_disk::{DiskStore, Durability};

use crate::fault::{Fault, Outcome, Sentence};
use crate::pattern::{Pattern, is_wild, matches};

use follow::Follow;

/// Something on this machine that was named on the command line.
#[derive(Debug, Clone)]
pub(crate) struct Picked {
    /// The folder that holds it, as a store.
    pub(crate) store: Arc<dyn Store>,
    /// What it is; its path is the one in the store.
    pub(crate) entry: Entry,
    /// How it was named. Not escaped for a terminal.
    pub(crate) shown: String,
}

/// The folders that sources lie in, each opened once.
#[derive(Debug)]
pub(crate) struct Sources {
    follow: bool,
    open: HashMap<PathBuf, Arc<dyn Store>>,
}

impl Sources {
    /// Nothing opened yet. With `follow`, symbolic links stand for what they point to.
    pub(crate) fn new(follow: bool) -> Self {
        Self {
            follow,
            open: HashMap::new(),
        }
    }

    /// What a word of the command line names: one thing, or all that a pattern matches. A name
    /// that is there letter by letter is never taken as a pattern.
    ///
    /// # Errors
    /// `NotFound`, `BadPath` for a name no drawer can hold, `NotRegular` for a link (unless
    /// followed), FIFO, socket or device, and what the system says.
    pub(crate) async fn pick(&mut self, typed: &OsStr) -> Outcome<Vec<Picked>> {
        let shown = typed.to_string_lossy().into_owned();
        let named = |error: Error| Fault::Store(error.about_text(shown.clone()));
        if typed.is_empty() {
            return Err(Fault::usage("client-empty-name"));
        }
        match std::fs::symlink_metadata(typed) {
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && is_wild(&shown) => {
                return self.expand(typed, &shown).await;
            }
            // Who ends a name with a slash means a folder, and is told that it is none.
            Err(error) if shown.ends_with('/') => return Err(named(error.into())),
            Err(error) => return Err(named(rename_error(error.into()))),
        }
        let (folder, name) = split(OsPath::new(typed)).map_err(|error| named(error.into()))?;
        let path = match &name {
            Some(name) => parse_names(OsPath::new(name)).map_err(named)?,
            None => Path::root(),
        };
        let store = self.open(&folder).map_err(named)?;
        let entry = store
            .stat(&path)
            .await
            .map_err(|error| named(renamed(error)))?;
        Ok(vec![self.usable(store, entry, shown)?])
    }

    async fn expand(&mut self, typed: &OsStr, shown: &str) -> Outcome<Vec<Picked>> {
        let none = || {
            Fault::Said(
                ErrorKind::NotFound,
                Sentence::new("client-no-match").with("pattern", shown),
            )
        };
        let mut folder = PathBuf::new();
        let mut rest = PathBuf::new();
        for part in OsPath::new(typed).components() {
            if rest.as_os_str().is_empty() && !is_wild(&part.as_os_str().to_string_lossy()) {
                folder.push(part);
            } else {
                rest.push(part);
            }
        }
        let rest = parse_names(&rest).map_err(|error| Fault::Store(error.about_text(shown)))?;
        let Some(pattern) = Pattern::parse(rest.as_str())? else {
            return Err(none());
        };
        let store = match self.open(here(&folder)) {
            Ok(store) => store,
            Err(error) if error.kind() == ErrorKind::NotFound => return Err(none()),
            Err(error) => return Err(error.about_text(shown).into()),
        };
        let found = matches(&*store, &pattern)
            .await
            .map_err(|error| match error.kind() {
                ErrorKind::NotFound => none(),
                _ => error.into(),
            })?;
        found
            .into_iter()
            .map(|entry| {
                let shown = folder
                    .join(entry.path.as_str())
                    .to_string_lossy()
                    .into_owned();
                self.usable(Arc::clone(&store), entry, shown)
            })
            .collect()
    }

    fn usable(&self, store: Arc<dyn Store>, entry: Entry, shown: String) -> Outcome<Picked> {
        let key = match entry.kind {
            Kind::File | Kind::Folder => {
                return Ok(Picked {
                    store,
                    entry,
                    shown,
                });
            }
            Kind::Link if self.follow => "client-link-loop",
            Kind::Link => "client-link",
            Kind::Special => "client-special",
        };
        Err(Fault::Said(
            ErrorKind::NotRegular,
            Sentence::new(key).with("name", shown),
        ))
    }

    fn open(&mut self, folder: &OsPath) -> gaveta_core::Result<Arc<dyn Store>> {
        if let Some(store) = self.open.get(folder) {
            return Ok(Arc::clone(store));
        }
        let store: Arc<dyn Store> = if self.follow {
            Arc::new(Follow::open(folder)?)
        } else {
            Arc::new(open(folder, Access::Read)?)
        };
        self.open.insert(folder.to_owned(), Arc::clone(&store));
        Ok(store)
    }
}

/// Where files from a server go on this machine.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    /// The nearest folder that is there, as a store.
    pub(crate) store: Arc<dyn Store>,
    /// The typed path in the store.
    pub(crate) base: Path,
    /// Is it a folder to put things into? Else it is the one thing's own name.
    pub(crate) into: bool,
    /// How it was named.
    typed: PathBuf,
}

impl Place {
    /// Takes what was typed: into it when it ends with a separator or is a folder, else it is a
    /// name. Nothing is made. What is written there will be as durable as said.
    ///
    /// # Errors
    /// `NotFolder` when something on the way is a file, `BadPath` for names no drawer can hold.
    pub(crate) fn find(typed: &OsStr, durable: Durability) -> Outcome<Self> {
        let shown = typed.to_string_lossy().into_owned();
        let named = |error: Error| Fault::Store(error.about_text(shown.clone()));
        if typed.is_empty() {
            return Err(Fault::usage("client-empty-name"));
        }
        let ends = shown.ends_with(std::path::is_separator);
        let whole = OsPath::new(typed);
        let mut root = whole;
        let mut rest = PathBuf::new();
        loop {
            match std::fs::metadata(here(root)) {
                Ok(is) if is.is_dir() => break,
                // The last name may be a file that is to be replaced.
                Ok(_) if !ends && rest.as_os_str().is_empty() => {}
                Ok(_) => return Err(named(Error::new(ErrorKind::NotFolder))),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(named(error.into())),
            }
            let Some(name) = root.file_name() else {
                return Err(named(Error::new(ErrorKind::BadPath(PathProblem::Dots))));
            };
            rest = if rest.as_os_str().is_empty() {
                PathBuf::from(name)
            } else {
                OsPath::new(name).join(rest)
            };
            root = root.parent().unwrap_or(OsPath::new(""));
        }
        let base = parse_names(&rest).map_err(named)?;
        let store = Arc::new(open(here(root), Access::Write(durable)).map_err(named)?);
        Ok(Self {
            store,
            into: ends || base.is_root(),
            base,
            typed: whole.to_owned(),
        })
    }

    /// A folder that is there, to be read: nothing in it is ever written.
    ///
    /// # Errors
    /// `NotFound`, `NotFolder`, and what the system says.
    pub(crate) fn source(typed: &OsStr) -> Outcome<Self> {
        let shown = typed.to_string_lossy().into_owned();
        let named = |error: Error| Fault::Store(error.about_text(shown.clone()));
        if typed.is_empty() {
            return Err(Fault::usage("client-empty-name"));
        }
        let root = OsPath::new(typed);
        let is = std::fs::metadata(root).map_err(|error| named(error.into()))?;
        if !is.is_dir() {
            return Err(named(Error::new(ErrorKind::NotFolder)));
        }
        Ok(Self {
            store: Arc::new(open(root, Access::Read).map_err(named)?),
            base: Path::root(),
            into: true,
            typed: root.to_owned(),
        })
    }

    /// The folder itself, as the system knows it.
    pub(crate) fn folder(&self) -> &OsPath {
        &self.typed
    }

    /// A path of the store as the person would write it. Not escaped for a terminal.
    pub(crate) fn show(&self, path: &Path) -> String {
        match path.beneath(&self.base) {
            Some(rest) if rest.is_root() => self.typed.to_string_lossy().into_owned(),
            Some(rest) => self
                .typed
                .join(rest.as_str())
                .to_string_lossy()
                .into_owned(),
            None => path.to_string(),
        }
    }
}

/// The empty path means this folder.
fn here(path: &OsPath) -> &OsPath {
    if path.as_os_str().is_empty() {
        OsPath::new(".")
    } else {
        path
    }
}

enum Access {
    Read,
    Write(Durability),
}

fn open(folder: &OsPath, access: Access) -> gaveta_core::Result<DiskStore> {
    let (read_only, durability) = match access {
        Access::Read => (true, Durability::default()),
        Access::Write(durability) => (false, durability),
    };
    let options = gaveta_disk::Options {
        staging: gaveta_disk::Staging::Beside,
        durability,
        read_only,
        ..gaveta_disk::Options::default()
    };
    DiskStore::open(folder, options)
}

/// The folder that holds it, and its name there; none for the root of the file system. `.`, `..`
/// and a link with a separator behind it stand for the folder they lead to.
fn split(path: &OsPath) -> std::io::Result<(PathBuf, Option<std::ffi::OsString>)> {
    let ends = path.to_string_lossy().ends_with(std::path::is_separator);
    let plain = matches!(path.components().next_back(), Some(Component::Normal(_)));
    let path = if plain && !ends {
        path.to_owned()
    } else {
        std::fs::canonicalize(path)?
    };
    Ok(match (path.parent(), path.file_name()) {
        (Some(parent), Some(name)) => (here(parent).to_owned(), Some(name.to_owned())),
        _ => (path, None),
    })
}

/// Names of the system as a path of a drawer.
fn parse_names(path: &OsPath) -> gaveta_core::Result<Path> {
    let mut parsed = Path::root();
    for part in path.components() {
        let Component::Normal(name) = part else {
            return Err(Error::new(ErrorKind::BadPath(PathProblem::Dots)));
        };
        let name = name
            .to_str()
            .ok_or(ErrorKind::BadPath(PathProblem::NotUtf8))?;
        parsed = parsed
            .join(name)
            .map_err(|error| Error::new(error.kind()))?;
    }
    Ok(parsed)
}

/// Without the path the store named: the caller names what was typed.
fn renamed(error: Error) -> Error {
    let plain = Error::new(error.kind());
    match std::error::Error::source(&error) {
        Some(source) => plain.because(source.to_string()),
        None => plain,
    }
}

/// `NotFolder` on the way means, to a person, that the file is not there.
fn rename_error(error: Error) -> Error {
    if error.kind() == ErrorKind::NotFolder {
        Error::new(ErrorKind::NotFound)
    } else {
        error
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    async fn pick(path: &OsPath, follow: bool) -> Result<Vec<String>, &'static str> {
        match Sources::new(follow).pick(path.as_os_str()).await {
            Ok(picked) => Ok(picked
                .iter()
                .map(|p| p.entry.path.as_str().to_owned())
                .collect()),
            Err(fault) => Err(fault.code()),
        }
    }

    #[tokio::test]
    async fn sources_are_found_with_what_holds_them() {
        let home = tempfile::tempdir().unwrap();
        let at = |name: &str| home.path().join(name);
        fs::create_dir_all(at("d/e")).unwrap();
        fs::write(at("a|b|c"), "x").unwrap();
        fs::write(at("d/e/f.txt"), "x").unwrap();
        fs::write(at("d/e/[1].txt"), "x").unwrap();
        assert_eq!(pick(&at("a|b|c"), false).await, Ok(vec!["a|b|c".into()]));
        assert_eq!(pick(&at("d/"), false).await, Ok(vec!["d".into()]));
        assert_eq!(pick(&at("d/e/.."), false).await, Ok(vec!["d".into()]));
        assert_eq!(
            pick(&at("d/*/*.txt"), false).await,
            Ok(vec!["e/[1].txt".into(), "e/f.txt".into()])
        );
        assert_eq!(
            pick(&at("d/e/[1].txt"), false).await,
            Ok(vec!["[1].txt".into()])
        );
        for missing in ["nothing", "*.nothing", "nowhere/*", "a|b|c/x"] {
            assert_eq!(
                pick(&at(missing), false).await,
                Err("not-found"),
                "{missing}"
            );
        }
        assert_eq!(pick(OsPath::new(""), false).await, Err("usage"));
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn what_is_no_file_or_folder_is_refused() {
        use std::os::unix::ffi::OsStrExt;
        let home = tempfile::tempdir().unwrap();
        let at = |name: &str| home.path().join(name);
        fs::create_dir(at("d")).unwrap();
        std::os::unix::fs::symlink("d", at("link")).unwrap();
        std::os::unix::fs::symlink("nowhere", at("dangling")).unwrap();
        rustix::fs::mkfifoat(rustix::fs::CWD, at("fifo"), rustix::fs::Mode::RUSR).unwrap();
        for name in ["link", "dangling", "fifo"] {
            assert_eq!(
                pick(&at(name), false).await,
                Err("not-a-regular-file"),
                "{name}"
            );
        }
        assert_eq!(pick(&at("link"), true).await, Ok(vec!["link".into()]));
        assert_eq!(pick(&at("dangling"), true).await, Err("not-a-regular-file"));
        assert_eq!(pick(&at("fifo"), true).await, Err("not-a-regular-file"));
        assert_eq!(pick(&at("link/"), false).await, Ok(vec!["d".into()]));
        let odd = home.path().join(OsStr::from_bytes(b"\xff\xfe"));
        fs::write(&odd, "x").unwrap();
        assert_eq!(pick(&odd, false).await, Err("path-not-utf8"));
        fs::write(at("a\nb"), "x").unwrap();
        assert_eq!(
            pick(&at("a\nb"), false).await,
            Err("path-control-character")
        );
    }

    #[test]
    fn a_place_is_a_folder_or_a_name_and_nothing_is_made() {
        let home = tempfile::tempdir().unwrap();
        fs::create_dir(home.path().join("there")).unwrap();
        fs::write(home.path().join("file"), "x").unwrap();
        for (typed, base, into) in [
            ("there", "", true),
            ("there/", "", true),
            ("new", "new", false),
            ("new/", "new", true),
            ("new/deep/x", "new/deep/x", false),
            ("file", "file", false),
            ("there/../there/x", "x", false),
        ] {
            let place = Place::find(home.path().join(typed).as_os_str(), Durability::Full).unwrap();
            assert_eq!((place.base.as_str(), place.into), (base, into), "{typed}");
            let shown = place.show(&place.base.join("z").unwrap());
            assert_eq!(OsPath::new(&shown), home.path().join(typed).join("z"));
        }
        for (typed, code) in [
            ("file/", "not-a-folder"),
            ("file/x", "not-a-folder"),
            ("new/../x", "path-dots"),
            (".gaveta/x", "path-reserved"),
        ] {
            let fault =
                Place::find(home.path().join(typed).as_os_str(), Durability::Full).unwrap_err();
            assert_eq!(fault.code(), code, "{typed}");
        }
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 2);
    }
}
