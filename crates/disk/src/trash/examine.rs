//! Looking whether what is there is what was put there.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use gaveta_core::{Entry, Error, ErrorKind, Examined, Hasher, Path, Result, Stray, UploadId};

use super::info::{COUNTED, SUFFIX};
use super::{BUCKET_DIGITS, GONE, names};
use crate::base::Base;
use crate::errno::{Os, found};
use crate::meta::Meta;
use crate::reading::read_range;
use crate::reserved::{Reserved, read_whole as read_small, write_whole};
use crate::store::run;
use crate::{note, os};

/// How much is hashed in one turn, before others get theirs.
const TURN: u64 = 4 << 20;
/// How much is read at once.
const PIECE: u64 = 1 << 20;
/// The longest rest after a turn.
const REST: Duration = Duration::from_millis(250);
/// The longest mark.
const MAX_MARK: u64 = 1 << 20;
/// Its name in `records`.
const MARK: &str = "verify";

/// Hashes an open file whole, from the disk rather than from memory where the system lets us.
pub(super) async fn read_whole(
    base: &Arc<Base>,
    path: &Path,
    (file, meta): (OwnedFd, Meta),
    gentle: bool,
) -> Result<Examined> {
    let file = Arc::new(File::from(file));
    let mut hasher = Hasher::new();
    let mut at = 0;
    let kept = {
        let (file, meta) = (file.clone(), meta.clone());
        run(move || {
            os::forget_cached(&*file);
            Ok(note::kept(&*file, &meta))
        })
        .await?
    };
    while at < meta.size {
        let began = std::time::Instant::now();
        // Closed only with the store.
        let permit = base.hashing.acquire().await;
        let (file, end) = (file.clone(), (at + TURN).min(meta.size));
        hasher = run(move || {
            let mut start = at;
            while start < end {
                let next = (start + PIECE).min(end);
                hasher.update(&read_range(&file, start..next)?);
                start = next;
            }
            Ok(hasher)
        })
        .await?;
        at = end;
        drop(permit);
        if gentle {
            tokio::time::sleep(began.elapsed().min(REST)).await;
        }
    }
    let digest = hasher.digest();
    let after = os::meta_of(&*file).os()?;
    if after.version() != meta.version() {
        return Err(Error::new(ErrorKind::VersionMismatch));
    }
    let entry = Entry {
        digest: Some(digest),
        ..meta.entry(path.clone(), None)
    };
    Ok(Examined {
        entry,
        kept: kept.map(|(digest, _)| digest),
        current: kept.is_some_and(|(_, current)| current),
    })
}

/// The strays found so far.
struct Strays {
    most: usize,
    shown: Vec<Stray>,
    count: u64,
}

impl Strays {
    fn add(&mut self, name: &str) {
        self.count += 1;
        if self.shown.len() < self.most {
            let shown = name.escape_default().to_string();
            self.shown.push(Stray { shown });
        }
    }
}

/// What in `.gaveta/` belongs to nobody. What is under way at this moment is not counted among it.
pub(super) fn strays(base: &Base, most: usize) -> Result<(Vec<Stray>, u64)> {
    let mut strays = Strays {
        most,
        shown: Vec::new(),
        count: 0,
    };
    let Some(reserved) = &base.reserved else {
        return Ok((strays.shown, 0));
    };
    for name in names(&reserved.all)? {
        if !Reserved::OWN.contains(&name.as_str()) {
            strays.add(&name);
        }
    }
    for name in names(&reserved.uploads)? {
        if UploadId::parse(&name).is_err() {
            strays.add(&format!("uploads/{name}"));
        }
    }
    if let Some(trash) = found(os::open_folder(&reserved.all, "trash")).os()? {
        in_trash(base, &trash, &mut strays)?;
    }
    Ok((strays.shown, strays.count))
}

fn in_trash(base: &Base, trash: &OwnedFd, strays: &mut Strays) -> Result<()> {
    for bucket in names(trash)? {
        if bucket != GONE {
            in_bucket(base, trash, &bucket, strays)?;
        }
    }
    Ok(())
}

/// Of one name in the trash. A bucket that is empty may go at any moment.
fn in_bucket(base: &Base, trash: &OwnedFd, bucket: &str, strays: &mut Strays) -> Result<()> {
    let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    let is_ours = bucket.len() == BUCKET_DIGITS && bucket.bytes().all(hex);
    let folder = match found(os::open_folder(trash, bucket)) {
        Ok(Some(folder)) if is_ours => folder,
        Ok(None) => return Ok(()),
        Ok(Some(_)) | Err(_) => {
            strays.add(&format!("trash/{bucket}"));
            return Ok(());
        }
    };
    let names = match names(&folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        names => names?,
    };
    for name in &names {
        let stem = name
            .strip_suffix(SUFFIX)
            .or_else(|| name.strip_suffix(COUNTED))
            .unwrap_or(name);
        let id = gaveta_core::TrashId::parse(stem);
        let on_the_way = match (&id, base.bin()) {
            (Ok(id), Some(bin)) => bin.is_pending(id),
            _ => false,
        };
        let known = match &id {
            Err(_) => false,
            // Content must have information that can be read. Information without content is
            // swept up by the keeper.
            Ok(id) if stem == name => super::info::Info::read(&folder, id)?.is_some(),
            Ok(_) => true,
        };
        // Come or gone since the names were read.
        let there = || found(os::meta_at(&folder, name.as_str()));
        if !known && !on_the_way && there().os()?.is_some() {
            strays.add(&format!("trash/{bucket}/{name}"));
        }
    }
    Ok(())
}

/// Keeps the mark of whoever verifies.
pub(super) fn keep_mark(base: &Base, mark: &[u8]) -> Result<()> {
    if mark.len() as u64 > MAX_MARK {
        return Err(Error::new(ErrorKind::TooLarge));
    }
    match &base.reserved {
        Some(reserved) => write_whole(&reserved.records, MARK, mark, false),
        None => Ok(()),
    }
}

/// The mark that was kept last.
pub(super) fn mark(base: &Base) -> Result<Option<Vec<u8>>> {
    match &base.reserved {
        Some(reserved) => read_small(&reserved.records, MARK, MAX_MARK),
        None => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Options, TrashOptions};

    #[test]
    fn a_bucket_that_goes_meanwhile_is_no_stray() {
        let home = tempfile::tempdir().unwrap();
        let options = Options {
            trash: Some(TrashOptions::default()),
            ..Options::default()
        };
        let base = Base::open(home.path(), options).unwrap();
        let at = home.path().join(".gaveta/trash");
        let trash = os::open_folder(rustix::fs::CWD, at.as_path()).unwrap();
        let mut strays = Strays {
            most: 9,
            shown: Vec::new(),
            count: 0,
        };
        in_bucket(&base, &trash, "0123456789ab", &mut strays).unwrap();
        assert_eq!(strays.count, 0);
        // What cannot be a bucket is one, also under the name of one.
        std::fs::create_dir(at.join("0123456789AB")).unwrap();
        std::fs::write(at.join("0123456789ab"), "x").unwrap();
        for name in ["0123456789AB", "0123456789ab"] {
            in_bucket(&base, &trash, name, &mut strays).unwrap();
        }
        assert_eq!(strays.count, 2);
    }
}
