//! What was begun and what was acknowledged, told line by line on the host, which loses nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::sync::Mutex;

/// What is known of a name.
#[derive(Debug, Clone, Default)]
pub(crate) struct Known {
    /// The last version that was acknowledged.
    pub(crate) done: Option<u64>,
    /// What was begun since, and may be there or not.
    pub(crate) begun: BTreeSet<u64>,
}

/// What is known of an upload that is kept.
#[derive(Debug, Clone, Default)]
pub(crate) struct Kept {
    pub(crate) name: String,
    pub(crate) version: u64,
    /// So many bytes from 0 on were acknowledged as safe.
    pub(crate) synced: u64,
}

/// All that was told so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct Journal {
    /// How many times the machine had looked at everything.
    pub(crate) up: usize,
    pub(crate) done_in_all: usize,
    pub(crate) names: BTreeMap<String, Known>,
    pub(crate) kept: BTreeMap<String, Kept>,
    /// Promises that were broken.
    pub(crate) broken: Vec<String>,
}

impl Journal {
    /// What was told so far; a line that is still being written is none.
    pub(crate) fn read(folder: &Path) -> Self {
        let text = fs::read_to_string(folder.join("journal")).unwrap_or_default();
        let mut journal = Self::default();
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        for line in whole.lines() {
            journal.take(line);
        }
        journal
    }

    /// The version of a name that comes next.
    pub(crate) fn next(&self, name: &str) -> u64 {
        let known = self.names.get(name);
        let last = known.and_then(|known| known.begun.iter().copied().chain(known.done).max());
        last.map_or(0, |last| last + 1)
    }

    fn take(&mut self, line: &str) {
        let words: Vec<_> = line.split(' ').collect();
        match *words.as_slice() {
            ["up"] => self.up += 1,
            ["broken", ..] => self.broken.push(line.to_owned()),
            ["begin", name, version] => {
                let known = self.names.entry(name.to_owned()).or_default();
                known.begun.insert(version.parse().unwrap());
            }
            ["done", name, version] => {
                let version = version.parse().unwrap();
                let known = self.names.entry(name.to_owned()).or_default();
                known.done = Some(version);
                known.begun.retain(|begun| *begun > version);
                self.done_in_all += 1;
            }
            ["kept", id, name, version] => {
                let kept = self.kept.entry(id.to_owned()).or_default();
                kept.name = name.to_owned();
                kept.version = version.parse().unwrap();
            }
            ["synced", id, bytes] => {
                self.kept.entry(id.to_owned()).or_default().synced = bytes.parse().unwrap();
            }
            ["gone", id] => {
                self.kept.remove(id);
            }
            _ => panic!("a strange line in the journal: {line:?}"),
        }
    }
}

/// Tells lines. What was told is safe on the host when the call returns.
#[derive(Debug)]
pub(crate) struct Teller(Mutex<File>);

impl Teller {
    pub(crate) fn open(folder: &Path) -> Self {
        let path = folder.join("journal");
        let file = OpenOptions::new().append(true).open(path).unwrap();
        Self(Mutex::new(file))
    }

    pub(crate) fn tell(&self, line: &str) {
        let mut file = self.0.lock().unwrap();
        file.write_all(format!("{line}\n").as_bytes()).unwrap();
        file.sync_data().unwrap();
    }
}
