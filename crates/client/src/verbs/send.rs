//! `send`: files and folders of this machine to a server.

use std::ffi::{OsStr, OsString};
use std::io::Read;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use clap::Args;
use futures_util::stream;
use gaveta_core::{
    Account, Action, Check, Content, Entry, Error, ErrorKind, Hasher, Owner, Path, Replace, Seal,
    Store, WritePlan,
};
use gaveta_transfer::{FileId, Observer, Outcome as FileOutcome, Resume, Source};
use serde_json::json;
use tokio::sync::mpsc;

use super::moving::is_into;
use super::rm::fail;
use super::transferring::{self, Job, Target, Transferring};
use super::{Connection, Context, Run};
use crate::address::Address;
use crate::drawer::Drawer;
use crate::fault::{Ended, Fault, Outcome, Sentence};
use crate::local::Sources;
use crate::printer::progress::{Names, Progress};
use crate::remote::Journal;

/// Standard input is read in pieces of this size, this many ahead.
const PIECE: usize = 256 * 1024;
const AHEAD: usize = 4;

#[derive(Debug, Args)]
pub(super) struct Send {
    #[arg(required = true, value_name = "FILE", help = "arg-send-words")]
    words: Vec<OsString>,
    #[arg(
        long,
        visible_alias = "para",
        value_name = "HOST[:PORT]/PATH",
        help = "arg-send-to"
    )]
    to: Option<String>,
    #[arg(long, help = "arg-follow-links")]
    follow_links: bool,
    #[command(flatten)]
    how: Transferring,
    #[command(flatten)]
    connection: Connection,
}

impl Run for Send {
    async fn run(self, context: Context) -> Outcome<Ended> {
        let (files, target) = self.split(&context)?;
        let prepared = async {
            let drawer = context.open_at(&target, &self.connection).await?;
            drawer.remote.warm_up();
            let action = if self.how.replace {
                Action::Replace
            } else {
                Action::Create
            };
            if !self.how.dry_run {
                drawer.need(action).await?;
            }
            let path = drawer.place(&target)?;
            let into = is_into(&drawer, &target, &path).await?;
            Ok((drawer, path, into))
        };
        let (drawer, path, into) = context.stoppable(prepared).await?;
        if files.iter().any(|file| *file == "-") {
            if context.here().is_some() {
                return Err(Fault::usage("shell-no-input"));
            }
            if files.len() > 1 {
                return Err(Fault::usage("client-stdin-alone"));
            }
            if into {
                return Err(Fault::usage("client-stdin-name"));
            }
            return context
                .stoppable(self.send_input(&context, &drawer, &path))
                .await;
        }
        let job = context
            .stoppable(self.job(&context, &files, &target, &path, into))
            .await?;
        if job.is_empty() {
            return Ok(job.tally.ended());
        }
        let show = {
            let drawer = drawer.clone();
            Arc::new(move |path: &Path| drawer.show(path))
        };
        let target = Target {
            store: drawer.store(),
            resume: remembered(&drawer),
            drawer: Some(drawer),
            show,
            done_key: "client-sent",
        };
        transferring::run(&context, &self.how, job, target).await
    }
}

/// What was sent before and cut is found again by this person's journal, where there can be one.
pub(super) fn remembered(drawer: &Drawer) -> Option<Resume> {
    let journal = Journal::of_person(drawer.remote.address())?;
    Some(Resume::Remember(Arc::new(journal)))
}

impl Send {
    /// What goes, and where to: what `--to` says, else the last word. In the shell the last word is
    /// a target only when it ends with `/` and is not alone; else all goes where one is.
    fn split(&self, context: &Context) -> Outcome<(Vec<&OsStr>, Address)> {
        let words: Vec<&OsStr> = self.words.iter().map(OsString::as_os_str).collect();
        if let Some(to) = &self.to {
            return Ok((words, context.address(to)?));
        }
        let (files, target) = match (words.as_slice(), context.here()) {
            ([files @ .., target], Some(_))
                if !files.is_empty() && target.to_string_lossy().ends_with('/') =>
            {
                (files, *target)
            }
            (_, Some(here)) => return Ok((words, here.address(".")?)),
            ([files @ .., target], None) if !files.is_empty() => (files, *target),
            _ => return Err(Fault::usage("client-no-target")),
        };
        let target = target
            .to_str()
            .ok_or(Fault::usage("client-target-not-utf8"))?;
        Ok((files.to_vec(), context.address(target)?))
    }

    /// Finds every source. What cannot be sent is named; the rest goes on.
    async fn job(
        &self,
        context: &Context,
        files: &[&OsStr],
        target: &Address,
        path: &Path,
        into: bool,
    ) -> Outcome<Job> {
        let mut job = Job::new();
        let mut sources = Sources::new(self.follow_links);
        let mut picked = Vec::new();
        for file in files {
            match sources.pick(file).await {
                Ok(more) => picked.extend(more),
                Err(fault) => fail(context, &mut job.tally, fault)?,
            }
        }
        if !into && (files.len() > 1 || picked.len() > 1) {
            return Err(Fault::Usage(
                Sentence::new("client-several-into-one").with("target", target.to_string()),
            ));
        }
        for one in picked {
            let to = match (into, one.entry.path.name()) {
                (false, _) => path.clone(),
                (true, Some(name)) => path.join(name)?,
                (true, None) => return Err(Fault::usage("client-no-name")),
            };
            let source = Source {
                store: one.store,
                path: one.entry.path.clone(),
                to,
                entry: Some(one.entry),
            };
            if let Err(fault) = job.add(source, one.shown) {
                fail(context, &mut job.tally, fault)?;
            }
        }
        Ok(job)
    }

    /// Standard input as one file: its length is known at its end.
    async fn send_input(&self, context: &Context, drawer: &Drawer, path: &Path) -> Outcome<Ended> {
        if self.how.dry_run {
            let shown = drawer.show(path);
            context
                .printer
                .json(&json!({"type": "planned", "path": "-", "to": shown}))?;
            let args = [
                ("from", "-".into()),
                ("to", gaveta_text::escape(&shown).into_owned().into()),
            ];
            context
                .printer
                .note(&context.text().say("client-planned", &args));
            return Ok(Ended::Done);
        }
        let shown = {
            let drawer = drawer.clone();
            Names::new([(path.clone(), "-".to_owned())].into(), move |path| {
                drawer.show(path)
            })
        };
        let progress = Progress::start(Arc::clone(&context.printer), shown);
        let file = FileId(0);
        progress.started(file, path, 0);
        let entry = self
            .upload_input(drawer, path, &progress)
            .await
            .map_err(|error| drawer.named(error, path))?;
        progress.finished(file, path, FileOutcome::Done(&entry));
        drop(progress);
        let text = context.text();
        let args = [
            (
                "name",
                gaveta_text::escape(&drawer.show(path)).into_owned().into(),
            ),
            ("size", text.size(entry.size).into()),
        ];
        context.printer.note(&text.say("client-sent-one", &args));
        Ok(Ended::Done)
    }

    async fn upload_input(
        &self,
        drawer: &Drawer,
        path: &Path,
        progress: &Progress,
    ) -> gaveta_core::Result<Entry> {
        let plan = WritePlan {
            replace: if self.how.replace {
                Replace::Always
            } else {
                Replace::Never
            },
            ..WritePlan::new(path.clone(), Owner::of(Account::VISITOR))
        };
        let upload = drawer.remote.begin(plan).await?;
        let hasher = Arc::new(Mutex::new(Hasher::new()));
        let content = input(Arc::clone(&hasher))?;
        let watched = async {
            loop {
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                progress.advanced(FileId(0), lock(&hasher).count());
            }
        };
        let length = tokio::select! {
            written = upload.write(0, content, Check::None) => written?,
            () = watched => return Err(Error::new(ErrorKind::Io)),
        };
        let digest = lock(&hasher).digest();
        let entry = upload
            .commit(Seal {
                length: Some(length),
                digest: Some(digest),
            })
            .await?;
        if entry.size != length {
            return Err(Error::at(ErrorKind::LengthMismatch, path));
        }
        if entry.digest.is_some_and(|stored| stored != digest) {
            return Err(Error::at(ErrorKind::DigestMismatch, path));
        }
        Ok(entry)
    }
}

fn lock(hasher: &Mutex<Hasher>) -> std::sync::MutexGuard<'_, Hasher> {
    hasher.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Standard input as a content, hashed on its way. It is read by a thread of its own, which ends
/// with the input, or with its next piece after the content was dropped.
fn input(hasher: Arc<Mutex<Hasher>>) -> gaveta_core::Result<Content> {
    let (send, pieces) = mpsc::channel(AHEAD);
    std::thread::Builder::new()
        .name("input".to_owned())
        .spawn(move || {
            let mut input = std::io::stdin().lock();
            loop {
                let mut piece = Vec::with_capacity(PIECE);
                let read = (&mut input).take(PIECE as u64).read_to_end(&mut piece);
                let end = matches!(read, Ok(0) | Err(_));
                let piece = read.map(|_| Bytes::from(piece)).map_err(Error::from);
                if matches!(&piece, Ok(piece) if piece.is_empty())
                    || send.blocking_send(piece).is_err()
                    || end
                {
                    break;
                }
            }
        })?;
    Ok(Box::pin(stream::unfold(
        (pieces, hasher),
        |(mut pieces, hasher)| async move {
            let piece = pieces.recv().await?;
            if let Ok(bytes) = &piece {
                lock(&hasher).update(bytes);
            }
            Some((piece, (pieces, hasher)))
        },
    )))
}
