//! The tree of a memory store: plain data and the rules of moving it. No waiting, no locks.

use std::collections::BTreeMap;
use std::time::SystemTime;

use bytes::Bytes;
use gaveta_core::{
    Digest, Entry, Error, ErrorKind, Kind, MovePlan, Owner, Path, RemovePlan, Replace, Result,
    TouchPlan, Version,
};

/// What lies at a path.
#[derive(Debug, Clone)]
pub(super) struct Node {
    /// None for a folder.
    pub(super) content: Option<Bytes>,
    digest: Option<Digest>,
    modified: SystemTime,
    executable: bool,
    version: u64,
}

/// What a new file gets beside its content.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Looks {
    pub(super) modified: Option<SystemTime>,
    pub(super) executable: Option<bool>,
}

/// Every entry by its path. The root is always there and not in the map.
#[derive(Debug)]
pub(super) struct Tree {
    nodes: BTreeMap<String, Node>,
    root: Node,
    next_version: u64,
    /// Bytes of all contents.
    pub(super) used: u64,
    /// What was deleted or replaced, where it is kept.
    pub(super) held: Option<super::trash::Held>,
}

impl Tree {
    pub(super) fn new() -> Self {
        let root = Node {
            content: None,
            digest: None,
            modified: SystemTime::now(),
            executable: false,
            version: 0,
        };
        Self {
            nodes: BTreeMap::new(),
            root,
            next_version: 1,
            used: 0,
            held: None,
        }
    }

    fn version(&mut self) -> u64 {
        self.next_version += 1;
        self.next_version
    }

    fn node(&self, path: &Path) -> Option<&Node> {
        if path.is_root() {
            Some(&self.root)
        } else {
            self.nodes.get(path.as_str())
        }
    }

    /// What is there; `NotFolder` when something on the way is a file.
    pub(super) fn find(&self, path: &Path) -> Result<&Node> {
        if let Some(node) = self.node(path) {
            return Ok(node);
        }
        self.way_is_free(path)?;
        Err(Error::at(ErrorKind::NotFound, path))
    }

    /// Fails with `NotFolder` when something on the way to `path` is a file.
    pub(super) fn way_is_free(&self, path: &Path) -> Result<()> {
        let mut above = path.parent();
        while let Some(folder) = above {
            if self
                .node(&folder)
                .is_some_and(|node| node.content.is_some())
            {
                return Err(Error::at(ErrorKind::NotFolder, path));
            }
            above = folder.parent();
        }
        Ok(())
    }

    pub(super) fn entry(&self, path: &Path) -> Result<Entry> {
        let node = self.find(path)?;
        node.entry(path)
    }
}

impl Node {
    /// As it is shown at this path.
    pub(super) fn entry(&self, path: &Path) -> Result<Entry> {
        let node = self;
        let version = Version::parse(&format!("m{}", node.version));
        Ok(Entry {
            path: path.clone(),
            kind: if node.content.is_some() {
                Kind::File
            } else {
                Kind::Folder
            },
            size: node
                .content
                .as_ref()
                .map_or(0, |content| content.len() as u64),
            modified: node.modified,
            version: version.ok_or_else(|| Error::at(ErrorKind::Io, path))?,
            digest: node.digest,
            executable: node.executable,
        })
    }
}

impl Tree {
    /// The paths of everything beneath a folder.
    pub(super) fn beneath(&self, folder: &Path) -> Vec<String> {
        let prefix = if folder.is_root() {
            String::new()
        } else {
            format!("{}/", folder.as_str())
        };
        let all = self.nodes.range(prefix.clone()..).map(|(path, _)| path);
        all.take_while(|path| path.starts_with(&prefix))
            .cloned()
            .collect()
    }

    /// The entries right in a folder.
    pub(super) fn children(&self, folder: &Path) -> Result<Vec<Entry>> {
        if self.find(folder)?.content.is_some() {
            return Err(Error::at(ErrorKind::NotFolder, folder));
        }
        let depth = folder.depth() + 1;
        let paths = self
            .beneath(folder)
            .into_iter()
            .filter_map(|path| Path::parse(&path).ok());
        paths
            .filter(|path| path.depth() == depth)
            .map(|path| self.entry(&path))
            .collect()
    }

    pub(super) fn insert(&mut self, path: &str, node: Node) {
        self.used += node
            .content
            .as_ref()
            .map_or(0, |content| content.len() as u64);
        if let Some(old) = self.nodes.insert(path.to_owned(), node) {
            self.used -= old.content.map_or(0, |content| content.len() as u64);
        }
    }

    pub(super) fn take(&mut self, path: &str) -> Option<Node> {
        let node = self.nodes.remove(path)?;
        self.used -= node
            .content
            .as_ref()
            .map_or(0, |content| content.len() as u64);
        Some(node)
    }

    fn new_folder(&mut self) -> Node {
        let version = self.version();
        Node {
            version,
            modified: SystemTime::now(),
            ..self.root.clone()
        }
    }

    /// Makes the folders above `path` that are missing.
    pub(super) fn make_way(&mut self, path: &Path) {
        let mut above = path.parent();
        while let Some(folder) = above.filter(|folder| self.node(folder).is_none()) {
            let node = self.new_folder();
            self.insert(folder.as_str(), node);
            above = folder.parent();
        }
    }

    pub(super) fn make_folder(&mut self, path: &Path) -> Result<Entry> {
        if self.node(path).is_some() {
            return Err(Error::at(ErrorKind::Exists, path));
        }
        self.way_is_free(path)?;
        if path
            .parent()
            .is_some_and(|parent| self.node(&parent).is_none())
        {
            return Err(Error::at(ErrorKind::NotFound, path));
        }
        let node = self.new_folder();
        self.insert(path.as_str(), node);
        self.entry(path)
    }

    /// May something that is a folder or not be put at `to`?
    pub(super) fn may_land(&self, to: &Path, replace: &Replace, is_folder: bool) -> Result<()> {
        self.way_is_free(to)?;
        let refused = |kind| Err(Error::at(kind, to));
        match (self.node(to), replace) {
            (None, Replace::Never | Replace::Always) => Ok(()),
            (None, Replace::Only(_)) => refused(ErrorKind::VersionMismatch),
            (Some(_), Replace::Never) => refused(ErrorKind::Exists),
            (Some(there), _) if there.content.is_none() => refused(ErrorKind::IsFolder),
            (Some(_), _) if is_folder => refused(ErrorKind::NotFolder),
            (Some(_), Replace::Always) => Ok(()),
            (Some(_), Replace::Only(version)) => self.is_version(to, Some(version)),
        }
    }

    /// Fails with `VersionMismatch` unless it is this version, or none is named.
    pub(super) fn is_version(&self, path: &Path, version: Option<&Version>) -> Result<()> {
        let there = self.entry(path)?.version;
        match version {
            Some(version) if *version != there => Err(Error::at(ErrorKind::VersionMismatch, path)),
            Some(_) | None => Ok(()),
        }
    }

    /// Puts a file in its place.
    pub(super) fn publish(
        &mut self,
        target: &Path,
        replace: &Replace,
        content: Bytes,
        digest: Digest,
        looks: Looks,
        by: Option<&Owner>,
    ) -> Result<Entry> {
        self.may_land(target, replace, false)?;
        self.make_way(target);
        self.keep_replaced(target, by);
        let was = self.node(target).is_some_and(|node| node.executable);
        let node = Node {
            content: Some(content),
            digest: Some(digest),
            modified: looks.modified.unwrap_or_else(SystemTime::now),
            executable: looks.executable.unwrap_or(was),
            version: self.version(),
        };
        self.insert(target.as_str(), node);
        self.entry(target)
    }

    pub(super) fn remove(&mut self, path: &Path, plan: &RemovePlan) -> Result<()> {
        if path.is_root() {
            return Err(Error::at(ErrorKind::BadMove, path));
        }
        self.is_version(path, plan.version.as_ref())?;
        let beneath = if self.find(path)?.content.is_none() {
            self.beneath(path)
        } else {
            vec![]
        };
        if !plan.recursive && !beneath.is_empty() {
            return Err(Error::at(ErrorKind::NotEmpty, path));
        }
        if !plan.forever && self.held.is_some() {
            return self.keep_deleted(path, plan.by.as_ref());
        }
        self.take(path.as_str());
        for path in beneath {
            self.take(&path);
        }
        Ok(())
    }

    /// May `from` go to `to`? Says whether it is a folder.
    fn may_move(&self, from: &Path, to: &Path, plan: &MovePlan) -> Result<bool> {
        if from.is_root() || to.is_root() {
            return Err(Error::at(ErrorKind::BadMove, from));
        }
        self.is_version(from, plan.version.as_ref())?;
        if from != to && from.holds(to) {
            return Err(Error::at(ErrorKind::BadMove, from));
        }
        let is_folder = self.find(from)?.content.is_none();
        if from != to {
            self.may_land(to, &plan.replace, is_folder)?;
        }
        Ok(is_folder)
    }

    /// Each path at and beneath `from` with its new place; fails when one would be too long.
    fn places(&self, from: &Path, to: &Path) -> Result<Vec<(String, String)>> {
        let mut places = vec![(from.as_str().to_owned(), to.as_str().to_owned())];
        if self.find(from)?.content.is_none() {
            for path in self.beneath(from) {
                let tail = Path::parse(&path)?.beneath(from).unwrap_or_else(Path::root);
                let new = to.join_path(&tail)?;
                places.push((path, new.as_str().to_owned()));
            }
        }
        Ok(places)
    }

    pub(super) fn rename(&mut self, from: &Path, to: &Path, plan: &MovePlan) -> Result<Entry> {
        self.may_move(from, to, plan)?;
        if from != to {
            let places = self.places(from, to)?;
            self.make_way(to);
            self.keep_replaced(to, plan.by.as_ref());
            for (old, new) in places {
                if let Some(node) = self.take(&old) {
                    self.insert(&new, node);
                }
            }
        }
        self.entry(to)
    }

    /// Copies; `free` bounds what may be added.
    pub(super) fn copy(
        &mut self,
        from: &Path,
        to: &Path,
        plan: &MovePlan,
        free: u64,
    ) -> Result<Entry> {
        self.may_move(from, to, plan)?;
        if from == to {
            return match plan.replace {
                Replace::Never => Err(Error::at(ErrorKind::Exists, to)),
                Replace::Always | Replace::Only(_) => self.entry(to),
            };
        }
        let places = self.places(from, to)?;
        let sizes = places
            .iter()
            .filter_map(|(old, _)| self.nodes.get(old)?.content.as_ref());
        if sizes.map(|content| content.len() as u64).sum::<u64>() > free {
            return Err(Error::at(ErrorKind::NoSpace, to));
        }
        self.make_way(to);
        self.keep_replaced(to, plan.by.as_ref());
        for (old, new) in places {
            let version = self.version();
            if let Some(node) = self.nodes.get(&old).cloned() {
                self.insert(&new, Node { version, ..node });
            }
        }
        self.entry(to)
    }

    pub(super) fn touch(&mut self, path: &Path, plan: TouchPlan) -> Result<Entry> {
        let is_folder = self.find(path)?.content.is_none();
        if is_folder && plan.executable.is_some() {
            return Err(Error::at(ErrorKind::IsFolder, path));
        }
        let version = self.version();
        let node = if path.is_root() {
            Some(&mut self.root)
        } else {
            self.nodes.get_mut(path.as_str())
        };
        if let Some(node) = node {
            node.modified = plan.modified.unwrap_or(node.modified);
            node.executable = plan.executable.unwrap_or(node.executable);
            // It may change, so here it does: nobody may count on the old one.
            node.version = version;
        }
        self.entry(path)
    }
}
