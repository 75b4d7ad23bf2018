//! Flushes of folders, shared by all who ask at once.
//!
//! Who asks while a flush runs waits for the next one, which serves everybody who came until it
//! began; who comes alone flushes at once. Files are not gathered: their flushes run side by side
//! and the file system joins them into one commit of its journal. (`syncfs` for a whole batch was
//! measured: it is faster for files of a few KiB, but waits for every other byte that anybody
//! wrote to the file system, 100 times as long beside one large upload.)

use std::collections::HashMap;
use std::os::fd::AsFd;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use gaveta_core::{Error, ErrorKind, Result};

use crate::errno::Os;
use crate::locks::lock;
use crate::os;

/// The flushes of all folders.
#[derive(Debug, Default)]
pub(crate) struct SharedFlush(Mutex<HashMap<(u64, u64), Arc<Queue>>>);

/// The flushes of one folder, numbered from 1.
#[derive(Debug, Default)]
struct Queue {
    rounds: Mutex<Rounds>,
    done: Condvar,
}

#[derive(Debug, Default)]
struct Rounds {
    started: u64,
    ended: u64,
    failed: Vec<u64>,
    #[cfg(test)]
    waiting: usize,
}

impl SharedFlush {
    /// Makes the names in this open folder survive a power cut. Blocks.
    pub(crate) fn flush(&self, folder: impl AsFd) -> Result<()> {
        let meta = os::meta_of(&folder).os()?;
        let key = (meta.device, meta.inode);
        let queue = lock(&self.0).entry(key).or_default().clone();
        let flushed = queue.flush(|| os::open_readable(&folder).and_then(os::flush).os());
        let mut all = lock(&self.0);
        drop(queue);
        // Nobody else can come while the table is locked.
        if all
            .get(&key)
            .is_some_and(|queue| Arc::strong_count(queue) == 1)
        {
            all.remove(&key);
        }
        flushed
    }
}

impl Queue {
    /// Waits for a flush that begins after this call, or makes it.
    fn flush(&self, work: impl FnOnce() -> Result<()>) -> Result<()> {
        let mut rounds = lock(&self.rounds);
        let wanted = rounds.started + 1;
        #[cfg(test)]
        if rounds.started != rounds.ended {
            rounds.waiting += 1;
        }
        while rounds.started != rounds.ended && rounds.ended < wanted {
            rounds = self
                .done
                .wait(rounds)
                .unwrap_or_else(PoisonError::into_inner);
        }
        if rounds.ended >= wanted {
            return match rounds.failed.contains(&wanted) {
                true => Err(Error::new(ErrorKind::Io).because("the folder is not flushed")),
                false => Ok(()),
            };
        }
        rounds.started = wanted;
        drop(rounds);
        let flushed = work();
        let mut rounds = lock(&self.rounds);
        rounds.ended = wanted;
        if flushed.is_err() {
            rounds.failed.push(wanted);
        }
        drop(rounds);
        self.done.notify_all();
        flushed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::sync::mpsc::channel;

    /// Runs one flush that takes until told, and ten that come meanwhile; says how many flushes
    /// there were and how many of the ten failed.
    fn ten_behind_one(fails: bool) -> (u64, usize) {
        let queue = Arc::new(Queue::default());
        let flushes = Arc::new(AtomicU64::new(0));
        let (begun, has_begun) = channel();
        let (go, may_go) = channel::<()>();
        let (first, count) = (queue.clone(), flushes.clone());
        let slow = std::thread::spawn(move || {
            first.flush(|| {
                count.fetch_add(1, Ordering::Relaxed);
                begun.send(()).unwrap();
                may_go.recv().unwrap();
                Ok(())
            })
        });
        has_begun.recv().unwrap();
        let others: Vec<_> = (0..10)
            .map(|_| {
                let (queue, flushes) = (queue.clone(), flushes.clone());
                std::thread::spawn(move || {
                    queue.flush(|| {
                        flushes.fetch_add(1, Ordering::Relaxed);
                        match fails {
                            true => Err(Error::new(ErrorKind::NoSpace)),
                            false => Ok(()),
                        }
                    })
                })
            })
            .collect();
        while lock(&queue.rounds).waiting < 10 {
            std::thread::yield_now();
        }
        go.send(()).unwrap();
        slow.join().unwrap().unwrap();
        let ended = others.into_iter().map(|other| other.join().unwrap());
        let failed = ended.filter(Result::is_err).count();
        (flushes.load(Ordering::Relaxed), failed)
    }

    #[test]
    fn those_who_come_during_a_flush_share_the_next() {
        assert_eq!(ten_behind_one(false), (2, 0));
    }

    #[test]
    fn a_flush_that_fails_fails_for_all_who_share_it() {
        assert_eq!(ten_behind_one(true), (2, 10));
    }

    #[test]
    fn the_table_is_empty_when_nobody_asks() {
        let folder = tempfile::tempdir().unwrap();
        let open = os::open_folder(rustix::fs::CWD, folder.path()).unwrap();
        let all = SharedFlush::default();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| (0..50).for_each(|_| all.flush(&open).unwrap()));
            }
        });
        assert!(lock(&all.0).is_empty());
    }

    /// What is flushed of a small file and a big one, in a folder that is made for them.
    #[cfg(target_os = "linux")]
    async fn flushed(durability: crate::Durability, staging: crate::Staging) -> Vec<String> {
        use gaveta_core::{Check, OnDrop, Owner, Path, Seal, Store, WritePlan};
        use gaveta_testkit::stream_of;
        let folder = tempfile::tempdir().unwrap();
        let options = crate::Options {
            durability,
            staging,
            ..crate::Options::default()
        };
        let store = crate::DiskStore::open(folder.path(), options).unwrap();
        for (name, size) in [("d/small", 5), ("d/big", 3 << 20)] {
            let content = vec![7u8; size];
            let plan = WritePlan {
                length: Some(size as u64),
                on_drop: if size > 5 {
                    OnDrop::Keep
                } else {
                    OnDrop::Discard
                },
                ..WritePlan::new(Path::parse(name).unwrap(), Owner("me".into()))
            };
            let upload = store.begin(plan).await.unwrap();
            let written = upload
                .write(0, stream_of(content.clone(), 1 << 20), Check::None)
                .await;
            assert_eq!(written.unwrap(), size as u64);
            let seal = Seal {
                length: Some(size as u64),
                digest: Some(gaveta_core::Digest::of(&content)),
            };
            upload.commit(seal).await.unwrap();
            assert_eq!(std::fs::read(folder.path().join(name)).unwrap(), content);
        }
        let beneath = os::tally::beneath(folder.path()).into_iter();
        let within = |path: std::path::PathBuf| {
            let rest = path.strip_prefix(folder.path()).unwrap();
            rest.to_string_lossy().into_owned()
        };
        beneath.map(within).collect()
    }

    /// The client's own disk, and the served one.
    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn files_and_their_folders_are_flushed_unless_fast() {
        use crate::{Durability, Staging};
        for staging in [Staging::Beside, Staging::Reserved] {
            let full = flushed(Durability::Full, staging).await;
            let folders = full.iter().filter(|path| *path == "d").count();
            // The folder for each file, and the one that it was made in.
            assert_eq!(folders, 2, "{staging:?} {full:?}");
            assert!(full.iter().any(String::is_empty), "{staging:?} {full:?}");
            // Each under the name that it has until it is published.
            let staged = |path: &&String| path.contains(".gaveta");
            assert!(full.iter().filter(staged).count() >= 2, "{full:?}");
            assert_eq!(flushed(Durability::Fast, staging).await, [""; 0]);
        }
    }
}
