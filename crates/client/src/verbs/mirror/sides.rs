//! Which of two words is the folder here, and which the folder on a server.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::sync::Arc;

use gaveta_core::{ErrorKind, Path, Store};
use gaveta_disk::Durability;
use gaveta_transfer::{Resume, Side};

use crate::address::Address;
use crate::drawer::Drawer;
use crate::fault::{Fault, Outcome};
use crate::local::Place;
use crate::printer::progress::Names;
use crate::shell::Here;
use crate::verbs::send::remembered;

/// Which way the mirror goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// From this machine to the server.
    Up,
    /// From the server to this machine.
    Down,
}

/// Does this word tell that it names a server?
type Tell = dyn Fn(&OsStr, &Address) -> bool;

/// What was typed, sorted out.
#[derive(Debug)]
pub(super) struct Words {
    pub(super) way: Way,
    pub(super) here: OsString,
    pub(super) there: Address,
}

impl Words {
    /// Sorts two words out. Where both could be a server's, a scheme or a port tells; then the name
    /// of this machine or a number; then which of them is a folder here.
    ///
    /// # Errors
    /// [`Fault::Usage`] when it cannot be told, or neither is a server's.
    pub(super) fn sort(from: &OsStr, to: &OsStr) -> Outcome<Self> {
        let parse = |word: &OsStr| word.to_str().map(Address::parse);
        let way = match (parse(from), parse(to)) {
            (Some(Ok(source)), Some(Ok(target))) => {
                let tells: [&Tell; 3] = [
                    &|word, _| word.to_string_lossy().contains(':'),
                    &|_, address| {
                        let host = address.server.host.as_str();
                        host == "localhost" || host.parse::<std::net::IpAddr>().is_ok()
                    },
                    &|word, _| !std::path::Path::new(word).is_dir(),
                ];
                let told =
                    tells
                        .iter()
                        .find_map(|tell| match (tell(from, &source), tell(to, &target)) {
                            (true, false) => Some(Way::Down),
                            (false, true) => Some(Way::Up),
                            _ => None,
                        });
                told.ok_or(Fault::usage("client-mirror-sides"))?
            }
            (Some(Ok(_)), _) => Way::Down,
            (_, Some(Ok(_))) => Way::Up,
            // What has a server's form but is wrong in it is said as such.
            (_, Some(Err(fault))) | (Some(Err(fault)), _)
                if [from, to]
                    .iter()
                    .any(|word| word.to_string_lossy().contains(':')) =>
            {
                return Err(fault);
            }
            _ => return Err(Fault::usage("client-mirror-sides")),
        };
        let (here, there) = match way {
            Way::Up => (from, to),
            Way::Down => (to, from),
        };
        let there = there
            .to_str()
            .ok_or(Fault::usage("client-address-not-utf8"))?;
        Ok(Self {
            way,
            here: here.to_owned(),
            there: Address::parse(there)?,
        })
    }

    /// Two words of the shell: from here to the server, or with `get` the other way. Without `to`
    /// the target has the source's last name.
    ///
    /// # Errors
    /// [`Fault::Usage`] when the source has no name and no target was said; as [`Here::address`].
    pub(super) fn near(here: &Here, from: &OsStr, to: Option<&OsStr>, get: bool) -> Outcome<Self> {
        let parse = |word: &OsStr| {
            let word = word.to_str();
            here.address(word.ok_or(Fault::usage("client-address-not-utf8"))?)
        };
        let named = Fault::usage("shell-mirror-name");
        if get {
            let there = parse(from)?;
            let near = match to {
                Some(to) => to.to_owned(),
                None => there.path()?.name().ok_or(named)?.into(),
            };
            return Ok(Self {
                way: Way::Down,
                here: near,
                there,
            });
        }
        let there = match to {
            Some(to) => parse(to)?,
            None => parse(std::path::Path::new(from).file_name().ok_or(named)?)?,
        };
        Ok(Self {
            way: Way::Up,
            here: from.to_owned(),
            there,
        })
    }
}

/// Both ends of a mirror, open.
#[derive(Debug, Clone)]
pub(super) struct Sides {
    pub(super) way: Way,
    pub(super) drawer: Drawer,
    /// The folder on the server.
    pub(super) far: Path,
    pub(super) place: Place,
}

impl Sides {
    /// Sees to it that the source is a folder that is there, and the target one or nothing. What is
    /// written here will be as durable as said.
    ///
    /// # Errors
    /// `NotFound`, `NotFolder`, and what either side says.
    pub(super) async fn open(words: &Words, drawer: Drawer, durable: Durability) -> Outcome<Self> {
        let far = drawer.place(&words.there)?;
        let found = match drawer.remote.stat(&far).await {
            Ok(entry) if entry.is_folder() => true,
            Ok(_) => return Err(drawer.named(ErrorKind::NotFolder.into(), &far)),
            Err(error) if error.kind() == ErrorKind::NotFound => false,
            Err(error) => return Err(drawer.named(error, &far)),
        };
        let place = match words.way {
            Way::Up => Place::source(&words.here)?,
            Way::Down if found => Place::find(&words.here, durable)?,
            Way::Down => return Err(drawer.named(ErrorKind::NotFound.into(), &far)),
        };
        let there = place.store.stat(&place.base).await;
        if there.is_ok_and(|entry| !entry.is_folder()) {
            let shown = place.show(&place.base);
            let error = gaveta_core::Error::new(ErrorKind::NotFolder).about_text(shown);
            return Err(error.into());
        }
        Ok(Self {
            way: words.way,
            drawer,
            far,
            place,
        })
    }

    fn near_side(&self) -> Side {
        Side {
            store: Arc::clone(&self.place.store),
            path: self.place.base.clone(),
        }
    }

    fn far_side(&self) -> Side {
        Side {
            store: self.drawer.store(),
            path: self.far.clone(),
        }
    }

    /// What is copied from.
    pub(super) fn source(&self) -> Side {
        match self.way {
            Way::Up => self.near_side(),
            Way::Down => self.far_side(),
        }
    }

    /// What is made like it.
    pub(super) fn target(&self) -> Side {
        match self.way {
            Way::Up => self.far_side(),
            Way::Down => self.near_side(),
        }
    }

    /// The server, when it is the target: it may want a password before it lets things change.
    pub(super) fn guarded(&self) -> Option<&Drawer> {
        (self.way == Way::Up).then_some(&self.drawer)
    }

    /// The source's store as a person would write a path of it. Not escaped for a terminal.
    pub(super) fn show_source(&self, path: &Path) -> String {
        match self.way {
            Way::Up => self.place.show(path),
            Way::Down => self.drawer.show(path),
        }
    }

    /// The target's, likewise.
    pub(super) fn show_target(&self, path: &Path) -> String {
        match self.way {
            Way::Up => self.drawer.show(path),
            Way::Down => self.place.show(path),
        }
    }

    /// How what was cut is found again.
    pub(super) fn resume(&self) -> Option<Resume> {
        match self.way {
            Way::Up => remembered(&self.drawer),
            Way::Down => Some(Resume::Derive(self.drawer.remote.address().to_string())),
        }
    }

    /// How both ends of each file are named.
    pub(super) fn names(&self) -> Names {
        let (source, target) = (self.source(), self.target());
        let sides = self.clone();
        Names::new(
            HashMap::from([(target.path, self.show_source(&source.path))]),
            move |path| sides.show_target(path),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsString;

    fn sorted(from: &str, to: &str) -> Option<(Way, String)> {
        let (from, to) = (OsString::from(from), OsString::from(to));
        let words = Words::sort(&from, &to).ok()?;
        Some((words.way, words.there.to_string()))
    }

    #[test]
    fn the_servers_word_is_told_from_the_folder() {
        for (from, to, expected) in [
            ("./photos", "host/photos", Some((Way::Up, "host/photos"))),
            ("host/photos", "/tmp/x", Some((Way::Down, "host/photos"))),
            (".", "host", Some((Way::Up, "host/"))),
            ("photos", "host:99/x", Some((Way::Up, "host:99/x"))),
            ("host:99/x", "photos", Some((Way::Down, "host:99/x"))),
            ("photos/a", "gaveta://h/x", Some((Way::Up, "h/x"))),
            ("photos", "localhost/x", Some((Way::Up, "localhost/x"))),
            ("127.0.0.1/x", "photos", Some((Way::Down, "127.0.0.1/x"))),
            ("/a", "/b", None),
            ("no-such-folder", "neither-this", None),
            ("h:1/a", "h:1/b", None),
        ] {
            let expected = expected.map(|(way, there): (Way, &str)| (way, there.to_owned()));
            assert_eq!(sorted(from, to), expected, "{from} {to}");
        }
        // The tests run in the crate's own folder.
        assert_eq!(
            sorted("src", "host"),
            Some((Way::Up, "host/".to_owned())),
            "a folder that is here"
        );
    }
}
