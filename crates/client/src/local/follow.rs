//! A folder of this machine with its symbolic links followed, to read from only.
//!
//! A link stands for what it points to, wherever that is: this is what `--follow-links` asks for.
//! A link to a folder that holds it, directly or through other links, stays a link: so every walk
//! ends. A link to nothing stays a link too. FIFOs and devices are still never opened.

use std::collections::HashMap;
use std::ops::Range;
use std::path::{Path as OsPath, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use futures_core::stream::BoxStream;
use futures_util::{StreamExt, stream};
use gaveta_core::{
    Content, Entry, Error, ErrorKind, Kind, ListPlan, Listed, Listing, MovePlan, Outline, Path,
    PathProblem, Pieces, ReadPlan, Reading, RemovePlan, Result, Space, Store, TouchPlan, Upload,
    UploadId, UploadState, Version, WritePlan,
};
use gaveta_disk::DiskStore;

use super::{Access, open};

/// So many real folders are kept open.
const KEPT: usize = 64;

/// See the [module](self).
#[derive(Debug, Clone)]
pub(super) struct Follow(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    root: PathBuf,
    folders: Mutex<HashMap<PathBuf, Arc<DiskStore>>>,
}

impl Follow {
    /// Opens the folder.
    pub(super) fn open(root: &OsPath) -> Result<Self> {
        let root = std::fs::canonicalize(root)?;
        let opened = Self(Arc::new(Inner {
            root,
            folders: Mutex::default(),
        }));
        opened.0.folder(&opened.0.root)?;
        Ok(opened)
    }

    /// Runs what blocks on a thread for it.
    async fn find(&self, path: &Path) -> Result<(Arc<DiskStore>, Path)> {
        let (inner, path) = (Arc::clone(&self.0), path.clone());
        tokio::task::spawn_blocking(move || inner.find(&path))
            .await
            .map_err(|error| Error::new(ErrorKind::Io).because(error))?
    }
}

impl Inner {
    fn typed(&self, path: &Path) -> PathBuf {
        self.root.join(path.as_str())
    }

    /// The real place of a path: its folder as a store, and its name there.
    fn find(&self, path: &Path) -> Result<(Arc<DiskStore>, Path)> {
        let typed = self.typed(path);
        let is_link = std::fs::symlink_metadata(&typed).is_ok_and(|found| found.is_symlink());
        let real = match std::fs::canonicalize(&typed) {
            Ok(real) if is_link && self.is_loop(path, &real)? => self.link_itself(path)?,
            Ok(real) => real,
            Err(_) if is_link => self.link_itself(path)?,
            Err(error) => return Err(Error::from(error).about(path)),
        };
        match (real.parent(), real.file_name()) {
            (Some(parent), Some(name)) if !path.is_root() => {
                let name = name
                    .to_str()
                    .ok_or(ErrorKind::BadPath(PathProblem::NotUtf8))?;
                Ok((self.folder(parent)?, Path::root().join(name)?))
            }
            _ => Ok((self.folder(&real)?, Path::root())),
        }
    }

    /// The link, in the real folder that holds it.
    fn link_itself(&self, path: &Path) -> Result<PathBuf> {
        let parent = path.parent().unwrap_or_else(Path::root);
        let name = path.name().unwrap_or_default();
        Ok(std::fs::canonicalize(self.typed(&parent))?.join(name))
    }

    /// Would one who goes through this link come back to it?
    fn is_loop(&self, path: &Path, real: &OsPath) -> Result<bool> {
        let mut above = path.parent();
        while let Some(folder) = above {
            if std::fs::canonicalize(self.typed(&folder))?.starts_with(real) {
                return Ok(true);
            }
            above = folder.parent();
        }
        Ok(false)
    }

    fn folder(&self, real: &OsPath) -> Result<Arc<DiskStore>> {
        let mut folders = self.folders.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(store) = folders.get(real) {
            return Ok(Arc::clone(store));
        }
        if folders.len() >= KEPT {
            folders.clear();
        }
        let store = Arc::new(open(real, Access::Read)?);
        folders.insert(real.to_owned(), Arc::clone(&store));
        Ok(store)
    }
}

/// A file by the path that led to it.
#[derive(Debug)]
struct Followed {
    entry: Entry,
    reading: Arc<dyn Reading>,
}

impl Reading for Followed {
    fn entry(&self) -> &Entry {
        &self.entry
    }

    fn stream(&self, range: Range<u64>) -> Content {
        self.reading.stream(range)
    }

    fn chunks(&self, range: Range<u64>) -> Pieces {
        self.reading.chunks(range)
    }
}

fn read_only<T>() -> Result<T> {
    Err(Error::new(ErrorKind::ReadOnly))
}

#[async_trait]
impl Store for Follow {
    async fn stat(&self, path: &Path) -> Result<Entry> {
        let (store, real) = self.find(path).await?;
        Ok(Entry {
            path: path.clone(),
            ..store.stat(&real).await?
        })
    }

    async fn list(&self, folder: &Path, plan: ListPlan) -> Result<Listing> {
        let (store, real) = self.find(folder).await?;
        let listing = store.list(&real, plan).await?;
        let (this, folder) = (self.clone(), folder.clone());
        Ok(Box::pin(listing.then(move |listed| {
            let (this, folder) = (this.clone(), folder.clone());
            async move {
                let mut entry = match listed? {
                    Listed::Entry(entry) => entry,
                    unnameable @ Listed::Unnameable { .. } => return Ok(unnameable),
                };
                entry.path = folder.join(entry.path.name().unwrap_or_default())?;
                if entry.kind == Kind::Link {
                    // What goes away meanwhile stays the link it was.
                    entry = this.stat(&entry.path).await.unwrap_or(entry);
                }
                Ok(Listed::Entry(entry))
            }
        })))
    }

    async fn read(&self, path: &Path, plan: ReadPlan) -> Result<Arc<dyn Reading>> {
        let (store, real) = self.find(path).await?;
        let reading = store.read(&real, plan).await?;
        let entry = Entry {
            path: path.clone(),
            ..reading.entry().clone()
        };
        Ok(Arc::new(Followed { entry, reading }))
    }

    async fn outline(&self, path: &Path, version: &Version) -> Result<Outline> {
        let (store, real) = self.find(path).await?;
        store.outline(&real, version).await
    }

    async fn begin(&self, _: WritePlan) -> Result<Arc<dyn Upload>> {
        read_only()
    }

    async fn upload(&self, _: &UploadId, _: Option<&Path>) -> Result<Arc<dyn Upload>> {
        Err(Error::new(ErrorKind::UnknownUpload))
    }

    async fn uploads(&self) -> Result<BoxStream<'static, Result<UploadState>>> {
        Ok(Box::pin(stream::empty()))
    }

    async fn make_folder(&self, _: &Path) -> Result<Entry> {
        read_only()
    }

    async fn remove(&self, _: &Path, _: RemovePlan) -> Result<()> {
        read_only()
    }

    async fn rename(&self, _: &Path, _: &Path, _: MovePlan) -> Result<Entry> {
        read_only()
    }

    async fn copy(&self, _: &Path, _: &Path, _: MovePlan) -> Result<Entry> {
        read_only()
    }

    async fn touch(&self, _: &Path, _: TouchPlan) -> Result<Entry> {
        read_only()
    }

    fn trash(&self) -> Option<Arc<dyn gaveta_core::Trash>> {
        None
    }

    fn round_trip(&self) -> Option<std::time::Duration> {
        None
    }

    fn upkeep(&self) -> Option<Arc<dyn gaveta_core::Upkeep>> {
        None
    }

    async fn space(&self) -> Result<Space> {
        let (store, _) = self.find(&Path::root()).await?;
        store.space().await
    }
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    async fn walk(store: &Follow) -> Vec<String> {
        let mut found = Vec::new();
        let mut folders = vec![Path::root()];
        while let Some(folder) = folders.pop() {
            let mut listing = store.list(&folder, ListPlan::default()).await.unwrap();
            while let Some(listed) = listing.next().await {
                let Listed::Entry(entry) = listed.unwrap() else {
                    continue;
                };
                found.push(format!("{} {}", entry.path.as_str(), entry.kind.code()));
                if entry.is_folder() {
                    folders.push(entry.path);
                }
            }
        }
        found.sort();
        found
    }

    #[tokio::test]
    async fn links_stand_for_what_they_point_to_and_no_walk_is_endless() {
        let home = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        let at = |name: &str| home.path().join(name);
        fs::write(elsewhere.path().join("real"), "content").unwrap();
        fs::create_dir(elsewhere.path().join("folder")).unwrap();
        symlink(home.path(), elsewhere.path().join("folder/back")).unwrap();
        fs::create_dir(at("d")).unwrap();
        symlink(elsewhere.path().join("real"), at("d/file")).unwrap();
        symlink(elsewhere.path().join("folder"), at("d/folder")).unwrap();
        symlink("..", at("d/up")).unwrap();
        symlink(".", at("d/self")).unwrap();
        symlink("nowhere", at("d/dangling")).unwrap();
        symlink("knot", at("d/knot")).unwrap();
        let store = Follow::open(home.path()).unwrap();
        assert_eq!(
            walk(&store).await,
            [
                "d folder",
                "d/dangling link",
                "d/file file",
                "d/folder folder",
                "d/folder/back link",
                "d/knot link",
                "d/self link",
                "d/up link",
            ]
        );
        let path = Path::parse("d/file").unwrap();
        let entry = store.stat(&path).await.unwrap();
        assert_eq!((entry.size, &entry.path), (7, &path));
        let reading = store.read(&path, ReadPlan::default()).await.unwrap();
        assert_eq!(reading.entry(), &entry);
        let made = store.make_folder(&Path::parse("x").unwrap()).await;
        assert_eq!(made.unwrap_err().kind(), ErrorKind::ReadOnly);
    }
}
