//! What runs in the machine: it looks at everything, then writes until the power goes.

use std::path::Path as HostPath;
use std::sync::Arc;

use futures_util::StreamExt;
use gaveta_core::{
    CHUNK, Check, Digest, ErrorKind, ListPlan, Listed, OnDrop, Owner, Path, ReadPlan, Replace,
    Seal, Store, Upload, UploadId, WritePlan, chunk,
};
use gaveta_disk::{DiskStore, Durability, Options};
use gaveta_testkit::{Rng, collect, content, stream_of};

use crate::FAST;
use crate::journal::{Journal, Kept, Teller};

/// So many write at once, so that flushes are shared.
const WRITERS: u64 = 6;
/// So many names each.
const NAMES: usize = 8;
/// The length of what is sent bit by bit.
const KEPT_LENGTH: usize = 3 * CHUNK as usize + 777;

struct Inside {
    store: DiskStore,
    teller: Teller,
}

pub(crate) fn run(folder: &HostPath) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let journal = Journal::read(folder);
        let durability = match std::env::var(FAST).as_deref() {
            Ok("1") => Durability::Fast,
            _ => Durability::Full,
        };
        let options = Options {
            durability,
            ..Options::default()
        };
        let store = DiskStore::open(&folder.join("drawer"), options).unwrap();
        let inside = Arc::new(Inside {
            store,
            teller: Teller::open(folder),
        });
        inside.look(&journal).await;
        inside.teller.tell("up");
        let journal = Arc::new(Journal::read(folder));
        let mut all: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let (inside, journal) = (Arc::clone(&inside), Arc::clone(&journal));
                tokio::spawn(async move { inside.overwrite(writer, &journal).await })
            })
            .collect();
        let kept = Arc::clone(&inside);
        all.push(tokio::spawn(async move { kept.bit_by_bit(&journal).await }));
        for one in all {
            if let Err(panic) = one.await {
                inside
                    .teller
                    .tell(&format!("broken a writer failed: {panic}"));
            }
        }
        // Until the power goes.
        std::future::pending::<()>().await;
    });
}

/// The content of a version of a name: every byte follows from both.
fn content_of(name: &str, version: u64) -> Vec<u8> {
    let seed = Digest::of(format!("{name} {version}").as_bytes()).as_bytes()[..8]
        .iter()
        .fold(0, |seed, byte| seed << 8 | u64::from(*byte));
    let mut chance = Rng::new(seed);
    let length = match chance.below(5) {
        _ if name.starts_with("kept") => KEPT_LENGTH,
        0 => chance.below(40),
        1 | 2 => chance.below(6_000),
        3 => chance.below(400_000),
        _ => CHUNK as usize + chance.below(300_000),
    };
    content(length, seed)
}

fn plan(name: &str) -> WritePlan {
    WritePlan {
        replace: Replace::Always,
        ..WritePlan::new(Path::parse(name).unwrap(), Owner("lostpower".into()))
    }
}

fn seal(bytes: &[u8]) -> Seal {
    Seal {
        length: Some(bytes.len() as u64),
        digest: Some(Digest::of(bytes)),
    }
}

impl Inside {
    fn broken(&self, what: &str) {
        self.teller
            .tell(&format!("broken {}", what.replace('\n', " ")));
    }

    /// Compares everything there is with what was told.
    async fn look(&self, journal: &Journal) {
        for (name, known) in &journal.names {
            let found = match self.content(name).await {
                Ok(found) => found,
                Err(what) => {
                    self.broken(&format!("{name}: {what}"));
                    continue;
                }
            };
            let candidates = known.done.iter().chain(&known.begun).copied();
            let matches = |version: &u64| {
                found
                    .as_ref()
                    .is_some_and(|bytes| *bytes == content_of(name, *version))
            };
            match candidates.clone().find(matches) {
                Some(version) if known.done != Some(version) => {
                    self.teller.tell(&format!("done {name} {version}"));
                }
                Some(_) => {}
                None if found.is_none() && known.done.is_none() => {}
                None => self.broken(&format!(
                    "{name} should be of {:?} or {:?}, and is {:?}",
                    known.done,
                    known.begun,
                    found.map(|bytes| bytes.len())
                )),
            }
        }
        for folder in ["", "files", "kept"] {
            self.look_for_strangers(folder, journal).await;
        }
        for (id, kept) in &journal.kept {
            self.go_on(id, kept, journal).await;
        }
    }

    /// A file that nobody began is no file of ours.
    async fn look_for_strangers(&self, folder: &str, journal: &Journal) {
        let path = Path::parse(folder).unwrap();
        let Ok(mut listing) = self.store.list(&path, ListPlan::default()).await else {
            return;
        };
        while let Some(listed) = listing.next().await {
            match listed {
                Ok(Listed::Entry(entry)) if entry.is_file() => {
                    if !journal.names.contains_key(entry.path.as_str()) {
                        self.broken(&format!("nobody began {:?}", entry.path));
                    }
                }
                Ok(Listed::Entry(entry)) if entry.path.as_str() == "lost+found" => {}
                Ok(Listed::Entry(_)) => {}
                other => self.broken(&format!("{folder}: {other:?}")),
            }
        }
    }

    /// A file's bytes, which must be those that its kept digests tell of; none when it is not there.
    async fn content(&self, name: &str) -> Result<Option<Vec<u8>>, String> {
        let path = Path::parse(name).unwrap();
        let reading = match self.store.read(&path, ReadPlan::default()).await {
            Ok(reading) => reading,
            Err(error) if matches!(error.kind(), ErrorKind::NotFound) => return Ok(None),
            Err(error) => return Err(error.chain()),
        };
        let entry = reading.entry().clone();
        let bytes = collect(reading.stream(0..entry.size)).await;
        let bytes = bytes.map_err(|e| e.chain())?;
        if entry
            .digest
            .is_some_and(|digest| digest != Digest::of(&bytes))
        {
            return Err("its kept digest is of other bytes".into());
        }
        let outline = self.store.outline(&path, &entry.version).await;
        let outline = outline.map_err(|e| e.chain())?;
        if outline.digest() != Digest::of(&bytes) {
            return Err("its kept chunk digests are of other bytes".into());
        }
        Ok(Some(bytes))
    }

    /// Takes up an upload that the power cut, and ends it.
    async fn go_on(&self, id: &str, kept: &Kept, journal: &Journal) {
        let upload = match self.store.upload(&UploadId::parse(id).unwrap(), None).await {
            Ok(upload) => upload,
            Err(error) => {
                let known = journal.names.get(&kept.name);
                let begun = known.is_some_and(|known| {
                    known.begun.contains(&kept.version) || known.done == Some(kept.version)
                });
                if kept.synced > 0 && !begun {
                    let what = error.chain();
                    self.broken(&format!("{} had {} safe: {what}", kept.name, kept.synced));
                }
                self.teller.tell(&format!("gone {id}"));
                return;
            }
        };
        let arrived = upload.state().await.unwrap().arrived;
        if !arrived.covers(&(0..kept.synced)) {
            let told = kept.synced;
            self.broken(&format!("{} had {told} safe, not {arrived:?}", kept.name));
        }
        let bytes = content_of(&kept.name, kept.version);
        for gap in arrived.gaps(bytes.len() as u64).collect::<Vec<_>>() {
            let rest = bytes[gap.start as usize..gap.end as usize].to_vec();
            let rest = stream_of(rest, 65_536);
            upload.write(gap.start, rest, Check::None).await.unwrap();
        }
        let told = format!("{} {}", kept.name, kept.version);
        self.teller.tell(&format!("begin {told}"));
        match upload.commit(seal(&bytes)).await {
            Ok(_) => self.teller.tell(&format!("done {told}")),
            Err(error) => self.broken(&format!("{}: {}", kept.name, error.chain())),
        }
        self.teller.tell(&format!("gone {id}"));
    }

    /// Writes the same few names over and over.
    async fn overwrite(&self, writer: u64, journal: &Journal) {
        let mut chance = Rng::new(writer + 1000 * journal.up as u64);
        let names: Vec<_> = (0..NAMES).map(|n| format!("files/{writer}-{n}")).collect();
        let mut next: Vec<u64> = names.iter().map(|name| journal.next(name)).collect();
        loop {
            let n = chance.below(NAMES);
            let (name, version) = (&names[n], next[n]);
            next[n] += 1;
            let bytes = content_of(name, version);
            let length = bytes.len() as u64;
            let plan = WritePlan {
                length: Some(length),
                ..plan(name)
            };
            let upload = self.store.begin(plan).await.unwrap();
            let pieces = stream_of(bytes.clone(), 65_536);
            if chance.once_in(2) {
                let pieces = chunk::pieces(pieces, 0..length, length);
                upload.write_chunks(0, pieces).await.unwrap();
            } else {
                upload.write(0, pieces, Check::None).await.unwrap();
            }
            self.teller.tell(&format!("begin {name} {version}"));
            upload.commit(seal(&bytes)).await.unwrap();
            self.teller.tell(&format!("done {name} {version}"));
        }
    }

    /// Sends names chunk by chunk; what was made safe must still be there after a cut.
    async fn bit_by_bit(&self, journal: &Journal) {
        let names: Vec<_> = (0..NAMES).map(|n| format!("kept/{n}")).collect();
        let mut next: Vec<u64> = names.iter().map(|name| journal.next(name)).collect();
        for n in (0..NAMES).cycle() {
            let (name, version) = (&names[n], next[n]);
            next[n] += 1;
            let bytes = content_of(name, version);
            let plan = WritePlan {
                length: Some(bytes.len() as u64),
                on_drop: OnDrop::Keep,
                ..plan(name)
            };
            let upload = self.store.begin(plan).await.unwrap();
            let id = upload.state().await.unwrap().id;
            self.teller.tell(&format!("kept {id} {name} {version}"));
            self.send_chunks(&*upload, &bytes, &id).await;
            self.teller.tell(&format!("begin {name} {version}"));
            upload.commit(seal(&bytes)).await.unwrap();
            self.teller.tell(&format!("done {name} {version}"));
            self.teller.tell(&format!("gone {id}"));
        }
    }

    async fn send_chunks(&self, upload: &dyn Upload, bytes: &[u8], id: &UploadId) {
        let length = bytes.len() as u64;
        for index in 0..chunk::count(length) {
            let span = chunk::span(index, length);
            let part = bytes[span.start as usize..span.end as usize].to_vec();
            let pieces = chunk::pieces(stream_of(part, 65_536), span.clone(), length);
            upload.write_chunks(span.start, pieces).await.unwrap();
            upload.sync().await.unwrap();
            self.teller.tell(&format!("synced {id} {}", span.end));
        }
    }
}
