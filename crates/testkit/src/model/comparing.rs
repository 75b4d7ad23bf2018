//! Operations of the model that only look, and the comparison of everything.

use std::collections::BTreeMap;

use futures_util::StreamExt;
use gaveta_core::{Digest, Entry, ErrorKind, ListPlan, Listed, OrderBy, Path, ReadPlan};

use super::tree::Node;
use super::{Run, Step, judge};
use crate::content::collect;

impl Run {
    pub(super) async fn stat(&mut self) -> Step {
        let path = self.path();
        self.tell(format!("stat {path:?}"));
        let result = self.store.stat(&path).await;
        if judge(&result, &self.model.missing(&path))? {
            let entry = result.map_err(|e| e.chain())?;
            let node = self.model.nodes[path.as_str()].clone();
            self.same_node(&path, &entry, &node)?;
        }
        Ok(())
    }

    pub(super) fn same_node(&self, path: &Path, entry: &Entry, node: &Node) -> Step {
        let size = node
            .content
            .as_ref()
            .map_or(0, |content| content.len() as u64);
        let digest = node.content.as_ref().map(|content| Digest::of(content));
        let modified = node.content.is_none()
            || node
                .modified
                .is_none_or(|modified| modified == entry.modified);
        let executable = !self.abilities.executable || entry.executable == node.executable;
        let same = entry.path == *path
            && entry.is_file() == node.content.is_some()
            && entry.size == size
            && (entry.digest.is_none() || entry.digest == digest)
            && modified
            && executable;
        if same {
            return Ok(());
        }
        let (exec, time) = (node.executable, node.modified);
        Err(format!(
            "{entry:?} should be {size} bytes, {digest:?}, {time:?}, executable: {exec}"
        ))
    }

    pub(super) async fn list(&mut self) -> Step {
        let path = if self.rng.once_in(4) {
            Path::root()
        } else {
            self.path()
        };
        let mut plan = ListPlan::default();
        if self.rng.once_in(2) {
            let by = *self
                .rng
                .pick(&[OrderBy::Name, OrderBy::Size, OrderBy::Modified]);
            plan = ListPlan::sorted(by, self.rng.once_in(2));
        }
        self.tell(format!("list {path:?}, {plan:?}"));
        let mut legitimate = self.model.missing(&path);
        if self.model.is_file(&path) {
            legitimate.push(ErrorKind::NotFolder);
        }
        let result = self.store.list(&path, plan).await;
        if judge(&result, &legitimate)? {
            drop(result);
            self.compare_folder(&path).await?;
        }
        Ok(())
    }

    /// Compares what one folder holds; gives the folders in it.
    pub(super) async fn compare_folder(&self, folder: &Path) -> Result<Vec<Path>, String> {
        let listing = self.store.list(folder, ListPlan::default()).await;
        let mut listing = listing.map_err(|e| e.chain())?;
        let mut found = BTreeMap::new();
        while let Some(listed) = listing.next().await {
            let entry = match listed.map_err(|e| e.chain())? {
                Listed::Entry(entry) => entry,
                Listed::Unnameable { shown } => return Err(format!("nobody made {shown}")),
            };
            if found
                .insert(entry.path.as_str().to_owned(), entry)
                .is_some()
            {
                return Err("an entry is listed twice".into());
            }
        }
        let depth = folder.depth() + 1;
        let mut expected = self.model.beneath(folder);
        expected.retain(|path| path.split('/').count() == depth);
        if !found.keys().eq(expected.iter()) {
            return Err(format!(
                "{folder:?} holds {:?}, not {expected:?}",
                found.keys()
            ));
        }
        for (path, entry) in &found {
            self.same_node(&entry.path, entry, &self.model.nodes[path])?;
        }
        let folders = found.into_values().filter(Entry::is_folder);
        Ok(folders.map(|entry| entry.path).collect())
    }

    pub(super) async fn read(&mut self) -> Step {
        let path = self.path();
        self.tell(format!("read {path:?}"));
        let mut legitimate = self.model.missing(&path);
        if legitimate.is_empty() && !self.model.is_file(&path) {
            legitimate.push(ErrorKind::IsFolder);
        }
        let result = self.store.read(&path, ReadPlan::default()).await;
        if !judge(&result, &legitimate)? {
            return Ok(());
        }
        let content = self.model.nodes[path.as_str()]
            .content
            .clone()
            .unwrap_or_default();
        let from = self.rng.below(content.len() + 1);
        let to = from + self.rng.below(content.len() - from + 1);
        let reading = result.map_err(|e| e.chain())?;
        let got = collect(reading.stream(from as u64..to as u64)).await;
        if got.map_err(|e| e.chain())? == content[from..to] {
            Ok(())
        } else {
            Err(format!("{from}..{to} are other bytes"))
        }
    }

    /// Compares the whole tree, contents too.
    pub(super) async fn compare(&mut self) -> Step {
        let mut folders = vec![Path::root()];
        while let Some(folder) = folders.pop() {
            folders.extend(self.compare_folder(&folder).await?);
        }
        for (text, node) in &self.model.nodes {
            let (Some(content), Ok(path)) = (&node.content, Path::parse(text)) else {
                continue;
            };
            let reading = self.store.read(&path, ReadPlan::default()).await;
            let reading = reading.map_err(|e| e.chain())?;
            let got = collect(reading.stream(0..content.len() as u64)).await;
            if got.map_err(|e| e.chain())? != *content {
                return Err(format!("{path:?} holds other bytes"));
            }
        }
        Ok(())
    }
}
