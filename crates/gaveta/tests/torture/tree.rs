//! What is sent and fetched: its contents, what they were before, and what lies on the disks.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use gaveta_core::chunk::CHUNK;
use gaveta_core::{Digest, Hasher};
use gaveta_testkit::proxy::Direction;
use gaveta_testkit::{Rng, content};
use tempfile::TempDir;

/// Small files stay well under a chunk together, as many as may be on their way at once.
const SMALL: usize = 6_000;
/// In every name, after a dot at its start, that the client's disk gives to what is not whole yet.
const PART: &str = ".gaveta-part";

type Digests = BTreeMap<PathBuf, Digest>;

pub(crate) struct Trees {
    home: TempDir,
    drawer: TempDir,
    large: u64,
    small: u64,
    /// What the source is now.
    source: Digests,
    /// What the drawer's files may be while they are replaced.
    sent_before: Digests,
    /// What was fetched last.
    got_before: Digests,
}

fn digest_of(path: &Path) -> Digest {
    let mut file = fs::File::open(path).unwrap();
    let mut hasher = Hasher::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        let length = file.read(&mut buffer).unwrap();
        if length == 0 {
            return hasher.digest();
        }
        hasher.update(&buffer[..length]);
    }
}

/// Every file beneath, with its digest. Files that go while they are looked at are none.
fn digests(root: &Path) -> Digests {
    let mut found = Digests::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else {
            continue;
        };
        for entry in entries {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            if entry.file_type().unwrap().is_dir() {
                if name != ".gaveta" {
                    folders.push(entry.path());
                }
            } else if !(name.starts_with('.') && name.contains(PART)) {
                let path = entry.path().strip_prefix(root).unwrap().to_owned();
                found.insert(path, digest_of(&entry.path()));
            }
        }
    }
    found
}

impl Trees {
    pub(crate) fn new(large: u64, small: u64) -> Self {
        let home = tempfile::tempdir().unwrap();
        fs::create_dir_all(home.path().join("source/many")).unwrap();
        fs::create_dir(home.path().join("back")).unwrap();
        fs::create_dir(home.path().join("server-state")).unwrap();
        Self {
            home,
            drawer: tempfile::tempdir().unwrap(),
            large,
            small,
            source: Digests::new(),
            sent_before: Digests::new(),
            got_before: Digests::new(),
        }
    }

    /// The client's own folder.
    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    pub(crate) fn drawer(&self) -> &Path {
        self.drawer.path()
    }

    /// How many small files there are.
    pub(crate) fn small(&self) -> u64 {
        self.small
    }

    fn source(&self) -> PathBuf {
        self.home().join("source")
    }

    /// Changes the source for another sending. Gives how many bytes must go.
    pub(crate) fn change(&mut self, chance: &mut Rng, round: u64) -> u64 {
        self.sent_before = std::mem::take(&mut self.source);
        let mut wanted = 0;
        // Every other time only a few bytes of the large file differ.
        let anew = round == 0 || chance.once_in(2);
        wanted += if anew {
            self.write_large(chance);
            self.large
        } else {
            self.edit_large(chance)
        };
        for n in 0..self.small {
            if round == 0 || chance.once_in(2) {
                let bytes = content(chance.below(SMALL), chance.bits());
                wanted += bytes.len() as u64;
                fs::write(self.source().join(format!("many/{n}")), bytes).unwrap();
            }
        }
        self.source = digests(&self.source());
        wanted
    }

    fn write_large(&self, chance: &mut Rng) {
        let mut file = fs::File::create(self.source().join("large")).unwrap();
        let mut left = self.large as usize;
        while left > 0 {
            let bytes = content(left.min(4 << 20), chance.bits());
            file.write_all(&bytes).unwrap();
            left -= bytes.len();
        }
    }

    /// Changes a run of bytes; gives the length of the chunks that they touch.
    fn edit_large(&self, chance: &mut Rng) -> u64 {
        let path = self.source().join("large");
        let mut file = fs::OpenOptions::new().write(true).open(path).unwrap();
        let most = self.large as usize / 4;
        let bytes = content(1 + chance.below(most), chance.bits());
        let from = chance.below(self.large as usize - bytes.len()) as u64;
        file.seek(SeekFrom::Start(from)).unwrap();
        file.write_all(&bytes).unwrap();
        let end = (from + bytes.len() as u64).div_ceil(CHUNK) * CHUNK;
        end.min(self.large) - from / CHUNK * CHUNK
    }

    /// How many bytes must come: those of the files that are not as they were fetched last.
    pub(crate) fn note_what_is_there(&mut self) -> u64 {
        self.got_before = digests(&self.home().join("back/source"));
        let differs = |path: &&PathBuf| self.got_before.get(*path) != self.source.get(*path);
        let changed = self.source.keys().filter(differs);
        changed
            .map(|path| fs::metadata(self.source().join(path)).unwrap().len())
            .sum()
    }

    /// Where this way's files appear.
    fn target(&self, direction: Direction) -> PathBuf {
        match direction {
            Direction::Up => self.drawer().join("source"),
            Direction::Down => self.home().join("back/source"),
        }
    }

    /// Each name shows what it was or what it will be.
    pub(crate) fn nothing_is_torn(&self, direction: Direction) {
        let before = match direction {
            Direction::Up => &self.sent_before,
            Direction::Down => &self.got_before,
        };
        for (path, digest) in digests(&self.target(direction)) {
            let may_be: HashSet<_> = [before.get(&path), self.source.get(&path)].into();
            assert!(
                may_be.contains(&Some(&digest)),
                "{direction:?}: {} shows what it never was",
                path.display()
            );
        }
    }

    /// Everything is as its source.
    pub(crate) fn all_is_equal(&self, direction: Direction) {
        let found = digests(&self.target(direction));
        assert!(found == self.source, "{direction:?}: not all is equal");
    }
}
