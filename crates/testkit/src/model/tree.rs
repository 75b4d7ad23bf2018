//! The model: a map from path to content, and which errors are legitimate.

use std::collections::BTreeMap;
use std::time::SystemTime;

use gaveta_core::{ErrorKind, Path};

/// What the model knows of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Node {
    /// None for a folder.
    pub(super) content: Option<Vec<u8>>,
    /// None where nothing is promised about it.
    pub(super) modified: Option<SystemTime>,
    pub(super) executable: bool,
}

/// What a plan says about what is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Condition {
    Never,
    Always,
    /// The version that is there.
    Right,
    /// A version that nothing has.
    Strange,
}

/// Every entry but the root.
#[derive(Debug, Clone, Default)]
pub(super) struct Model {
    pub(super) nodes: BTreeMap<String, Node>,
}

const FOLDER: Node = Node {
    content: None,
    modified: None,
    executable: false,
};

impl Model {
    pub(super) fn is_there(&self, path: &Path) -> bool {
        path.is_root() || self.nodes.contains_key(path.as_str())
    }

    pub(super) fn is_file(&self, path: &Path) -> bool {
        self.nodes
            .get(path.as_str())
            .is_some_and(|node| node.content.is_some())
    }

    pub(super) fn is_folder(&self, path: &Path) -> bool {
        self.is_there(path) && !self.is_file(path)
    }

    /// What lies beneath, by path.
    pub(super) fn beneath(&self, folder: &Path) -> Vec<String> {
        let inside = |path: &&String| {
            Path::parse(path).is_ok_and(|path| folder.holds(&path) && path != *folder)
        };
        self.nodes.keys().filter(inside).cloned().collect()
    }

    fn is_blocked(&self, path: &Path) -> bool {
        let mut above = path.parent();
        while let Some(folder) = above {
            if self.is_file(&folder) {
                return true;
            }
            above = folder.parent();
        }
        false
    }

    /// Why `path` cannot be found; none when it can.
    pub(super) fn missing(&self, path: &Path) -> Vec<ErrorKind> {
        match (self.is_there(path), self.is_blocked(path)) {
            (true, _) => vec![],
            (false, true) => vec![ErrorKind::NotFolder, ErrorKind::NotFound],
            (false, false) => vec![ErrorKind::NotFound],
        }
    }

    /// Why nothing can be put at `to`; none when it can. Where several reasons stand, any may be
    /// told.
    pub(super) fn landing(
        &self,
        to: &Path,
        condition: Condition,
        is_folder: bool,
    ) -> Vec<ErrorKind> {
        let mut errors = vec![];
        if self.is_blocked(to) {
            errors.push(ErrorKind::NotFolder);
        }
        let there = self.is_there(to);
        if there && condition == Condition::Never {
            errors.push(ErrorKind::Exists);
        }
        if there && self.is_folder(to) {
            errors.push(ErrorKind::IsFolder);
        }
        if there && is_folder {
            errors.push(ErrorKind::NotFolder);
        }
        let strange = condition == Condition::Strange;
        if strange || (!there && condition == Condition::Right) {
            errors.push(ErrorKind::VersionMismatch);
        }
        errors
    }

    /// Why `from` cannot be moved or copied to `to`; none when it can.
    pub(super) fn moving(
        &self,
        from: &Path,
        to: &Path,
        condition: Condition,
        source: Option<Condition>,
    ) -> Vec<ErrorKind> {
        let mut errors = self.missing(from);
        if from.is_root() || to.is_root() {
            errors.push(ErrorKind::BadMove);
        }
        if source == Some(Condition::Strange)
            || (source == Some(Condition::Right) && !self.is_there(from))
        {
            errors.push(ErrorKind::VersionMismatch);
        }
        if from == to {
            return errors;
        }
        if from.holds(to) {
            errors.push(ErrorKind::BadMove);
        }
        let landing = self.landing(to, condition, self.is_folder(from));
        if to.holds(from) && !landing.is_empty() {
            errors.push(ErrorKind::BadMove);
        }
        errors.extend(landing);
        errors
    }

    fn make_way(&mut self, path: &Path) {
        let mut above = path.parent();
        while let Some(folder) = above.filter(|folder| !folder.is_root()) {
            self.nodes
                .entry(folder.as_str().to_owned())
                .or_insert(FOLDER);
            above = folder.parent();
        }
    }

    pub(super) fn make_folder(&mut self, path: &Path) {
        self.nodes.insert(path.as_str().to_owned(), FOLDER);
    }

    pub(super) fn publish(
        &mut self,
        path: &Path,
        content: Vec<u8>,
        modified: Option<SystemTime>,
        executable: Option<bool>,
    ) {
        self.make_way(path);
        let was = self
            .nodes
            .get(path.as_str())
            .is_some_and(|node| node.executable);
        let executable = executable.unwrap_or(was);
        let node = Node {
            content: Some(content),
            modified,
            executable,
        };
        self.nodes.insert(path.as_str().to_owned(), node);
    }

    pub(super) fn remove(&mut self, path: &Path) {
        for path in self.beneath(path) {
            self.nodes.remove(&path);
        }
        self.nodes.remove(path.as_str());
    }

    pub(super) fn rename(&mut self, from: &Path, to: &Path) {
        let moved = self.taken(from, to);
        if from != to {
            self.remove(from);
        }
        self.make_way(to);
        self.nodes.extend(moved);
    }

    pub(super) fn copy(&mut self, from: &Path, to: &Path) {
        // A copy's modified time is not promised.
        let copied = self.taken(from, to).into_iter();
        let copied: Vec<_> = copied
            .map(|(path, node)| {
                (
                    path,
                    Node {
                        modified: None,
                        ..node
                    },
                )
            })
            .collect();
        self.make_way(to);
        self.nodes.extend(copied);
    }

    fn taken(&self, from: &Path, to: &Path) -> Vec<(String, Node)> {
        let mut paths = self.beneath(from);
        paths.push(from.as_str().to_owned());
        let new = |path: &String| {
            let tail = Path::parse(path).unwrap().beneath(from).unwrap();
            to.join_path(&tail).unwrap().as_str().to_owned()
        };
        paths
            .iter()
            .map(|path| (new(path), self.nodes[path].clone()))
            .collect()
    }
}
