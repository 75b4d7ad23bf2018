//! What this machine remembers of uploads under way, so that the next run goes on with them.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path as OsPath, PathBuf};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use gaveta_core::{Digest, Path, Result, UploadId};
use gaveta_transfer::{Memory, Remembered};

use super::Address;

/// What stands first in every file.
const FORM: &str = "gaveta-transfer 1";
/// The longest file that is read, in bytes.
const MAX: u64 = 64 * 1024;
/// What is older is of no use: the server has dropped the upload long since.
const OLD: Duration = Duration::from_secs(60 * 24 * 3600);

/// Uploads under way to one server: a small file each, for this person alone.
///
/// Crash-safety: a file is written beside and renamed, and flushed soon after, while the transfer
/// has begun already; a lost one costs sending again, no more.
#[derive(Debug, Clone)]
pub struct Journal {
    folder: PathBuf,
    server: String,
}

impl Journal {
    /// The journal of this person, in `$XDG_STATE_HOME/gaveta/transfers` (or
    /// `~/.local/state/…`: the XDG base directory specification); none without a home.
    pub fn of_person(address: &Address) -> Option<Self> {
        let absolute = |name: &str| {
            let path = PathBuf::from(std::env::var_os(name)?);
            path.is_absolute().then_some(path)
        };
        let state = absolute("XDG_STATE_HOME")
            .or_else(|| Some(absolute("HOME")?.join(".local").join("state")))?;
        Some(Self::in_folder(
            state.join("gaveta").join("transfers"),
            address,
        ))
    }

    /// A journal in this folder, which is made when it is needed.
    pub fn in_folder(folder: impl Into<PathBuf>, address: &Address) -> Self {
        Self {
            folder: folder.into(),
            server: format!("{address}{}", address.base),
        }
    }

    /// One file for each server and target. A name says nothing to who sees it.
    fn file(&self, to: &Path) -> PathBuf {
        let key = Digest::of(format!("{}\n{}", self.server, to.as_str()).as_bytes());
        self.folder.join(key.to_string())
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let this = self.clone();
        tokio::task::spawn_blocking(move || work(&this))
            .await
            .map_err(io::Error::other)?
    }
}

#[async_trait]
impl Memory for Journal {
    async fn find(&self, to: &Path) -> Option<Remembered> {
        let to = to.clone();
        self.blocking(move |this| read(&this.file(&to)))
            .await
            .ok()
            .flatten()
    }

    async fn keep(&self, to: &Path, what: &Remembered) -> Result<()> {
        let to = to.clone();
        let text = format!("{FORM}\n{}\n{}", what.id, what.mark);
        let file = self.file(&to);
        let kept = self.blocking(move |this| {
            gaveta_disk::make_private(&this.folder)?;
            write(&this.file(&to), &text)
        });
        kept.await?;
        let folder = self.folder.clone();
        tokio::task::spawn_blocking(move || {
            // One that is forgotten meanwhile needs no flush.
            let flushed = File::open(file).and_then(|file| file.sync_all());
            if let Err(error) = flushed {
                tracing::debug!(%error, "what is remembered may be lost with the power");
            }
            drop_old(&folder);
        });
        Ok(())
    }

    async fn forget(&self, to: &Path) {
        let to = to.clone();
        // What is left behind is found out of date, or grows old.
        let _ = self
            .blocking(move |this| fs::remove_file(this.file(&to)))
            .await;
    }
}

fn read(file: &OsPath) -> io::Result<Option<Remembered>> {
    let mut text = String::new();
    File::open(file)?.take(MAX).read_to_string(&mut text)?;
    let parse = || {
        let rest = text.strip_prefix(FORM)?.strip_prefix('\n')?;
        let (id, mark) = rest.split_once('\n')?;
        Some(Remembered {
            id: UploadId::parse(id).ok()?,
            mark: mark.to_owned(),
        })
    };
    Ok(parse())
}

/// Writes beside, then renames: who reads sees all of it or the old.
fn write(file: &OsPath, text: &str) -> io::Result<()> {
    let beside = file.with_extension(format!("{}.new", std::process::id()));
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options
        .open(&beside)
        .and_then(|mut new| new.write_all(text.as_bytes()))
        .and_then(|()| fs::rename(&beside, file));
    if written.is_err() {
        let _ = fs::remove_file(&beside);
    }
    written
}

/// Removes what nobody came back for.
fn drop_old(folder: &OsPath) {
    let Ok(files) = fs::read_dir(folder) else {
        return;
    };
    let now = SystemTime::now();
    for file in files.flatten() {
        let age = file.metadata().and_then(|is| is.modified());
        let old = age.is_ok_and(|then| now.duration_since(then).is_ok_and(|age| age > OLD));
        if old {
            let _ = fs::remove_file(file.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remembered(mark: &str) -> Remembered {
        Remembered {
            id: UploadId::from_bytes([7; 16]),
            mark: mark.into(),
        }
    }

    #[tokio::test]
    async fn what_is_kept_is_found_until_it_is_forgotten() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("a/b");
        let journal = Journal::in_folder(&folder, &Address::new("::1", 1));
        let (a, b) = (Path::parse("a").unwrap(), Path::parse("b").unwrap());
        assert_eq!(journal.find(&a).await, None);
        journal.keep(&a, &remembered("one\ntwo")).await.unwrap();
        journal.keep(&a, &remembered("one\nthree")).await.unwrap();
        let again = Journal::in_folder(&folder, &Address::new("::1", 1));
        assert_eq!(again.find(&a).await, Some(remembered("one\nthree")));
        assert_eq!(journal.find(&b).await, None);
        let other = Journal::in_folder(&folder, &Address::new("::1", 2));
        assert_eq!(other.find(&a).await, None);
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
        journal.forget(&a).await;
        journal.forget(&a).await;
        assert_eq!(journal.find(&a).await, None);
    }

    #[tokio::test]
    async fn nonsense_is_nothing_and_old_things_go() {
        let home = tempfile::tempdir().unwrap();
        let journal = Journal::in_folder(home.path(), &Address::new("h", 1));
        let a = Path::parse("a").unwrap();
        for bad in [
            "",
            "x",
            "gaveta-transfer 1\n",
            "gaveta-transfer 1\nzz\nmark",
        ] {
            fs::write(journal.file(&a), bad).unwrap();
            assert_eq!(journal.find(&a).await, None, "{bad:?}");
        }
        let old = home.path().join("old");
        let file = File::create(&old).unwrap();
        file.set_modified(SystemTime::now() - 2 * OLD).unwrap();
        journal.keep(&a, &remembered("m")).await.unwrap();
        // It goes soon after.
        for _ in 0..500 {
            if !old.exists() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert!(!old.exists());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::metadata(journal.file(&a)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }
}
