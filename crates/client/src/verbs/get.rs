//! `get`: files and folders of a server to this machine.

use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::sync::Arc;

use bytes::Bytes;
use clap::Args;
use futures_util::StreamExt;
use gaveta_core::{Action, Entry, Error, ErrorKind, Hasher, Kind, Path, ReadPlan, Store};
use gaveta_transfer::{FileId, Observer, Outcome as FileOutcome, Source};
use tokio::sync::{mpsc, oneshot};

use super::rm::fail;
use super::transferring::{self, Job, Target, Transferring};
use super::{Connection, Context, Run};
use crate::address::{Address, is_on};
use crate::drawer::Drawer;
use crate::fault::{Ended, Fault, Outcome, Sentence};
use crate::local::Place;
use crate::printer::progress::{Names, Progress};

#[derive(Debug, Args)]
pub(super) struct Get {
    #[arg(
        required = true,
        value_name = "HOST[:PORT]/NAME",
        help = "arg-get-words"
    )]
    words: Vec<OsString>,
    #[arg(
        long,
        visible_alias = "para",
        value_name = "FOLDER",
        help = "arg-get-to"
    )]
    to: Option<OsString>,
    #[command(flatten)]
    how: Transferring,
    #[command(flatten)]
    connection: Connection,
}

impl Run for Get {
    async fn run(self, context: Context) -> Outcome<Ended> {
        let (names, to) = self.split()?;
        if to == "-" {
            context.printer.give_output_away();
            return context.stoppable(self.to_output(&context, &names)).await;
        }
        let place = Place::find(to)?;
        let job = context
            .stoppable(self.job(&context, &names, &place))
            .await?;
        if job.is_empty() {
            return Ok(job.tally.ended());
        }
        let show = {
            let place = place.clone();
            Arc::new(move |path: &Path| place.show(path))
        };
        let target = Target {
            store: place.store,
            drawer: None,
            show,
            done_key: "client-got",
        };
        transferring::run(&context, &self.how, job, target).await
    }
}

impl Get {
    /// The last word is the folder, unless it is one more address on the first one's server.
    fn split(&self) -> Outcome<(Vec<Address>, &OsStr)> {
        let mut words: Vec<&OsStr> = self.words.iter().map(OsString::as_os_str).collect();
        let parse = |word: &OsStr| {
            let word = word
                .to_str()
                .ok_or(Fault::usage("client-address-not-utf8"))?;
            Address::parse(word)
        };
        let here = OsStr::new(".");
        let to = match (&self.to, words.as_slice()) {
            (Some(to), _) => to.as_os_str(),
            (None, [first, .., last]) => {
                let first = parse(first)?;
                if last.to_str().is_some_and(|last| is_on(last, &first.server)) {
                    here
                } else {
                    words.pop().unwrap_or(here)
                }
            }
            (None, _) => here,
        };
        Ok((words.into_iter().map(parse).collect::<Outcome<_>>()?, to))
    }

    async fn job(&self, context: &Context, names: &[Address], place: &Place) -> Outcome<Job> {
        let mut job = Job::new();
        let mut found: Vec<(Drawer, Entry)> = Vec::new();
        let mut drawers: Vec<(&Address, Drawer)> = Vec::new();
        for name in names {
            let more = async {
                let known = drawers
                    .iter()
                    .find(|(other, _)| other.server == name.server);
                let drawer = match known {
                    Some((_, drawer)) => drawer.clone(),
                    None => {
                        let drawer = context.open(&name.server, &self.connection).await?;
                        drawer.need(Action::Read).await?;
                        drawers.push((name, drawer.clone()));
                        drawer
                    }
                };
                Ok((drawer.find(name).await?, drawer))
            };
            match more.await {
                Ok((entries, drawer)) => {
                    found.extend(entries.into_iter().map(|entry| (drawer.clone(), entry)));
                }
                Err(fault) => fail(context, &mut job.tally, fault)?,
            }
        }
        if !place.into && (names.len() > 1 || found.len() > 1) {
            let target = place.show(&place.base);
            return Err(Fault::Usage(
                Sentence::new("client-several-into-one").with("target", target),
            ));
        }
        for (drawer, entry) in found {
            let added = source(&drawer, &entry, place)
                .and_then(|source| job.add(source, drawer.show(&entry.path)));
            if let Err(fault) = added {
                fail(context, &mut job.tally, fault)?;
            }
        }
        Ok(job)
    }

    /// One file to standard output.
    async fn to_output(&self, context: &Context, names: &[Address]) -> Outcome<Ended> {
        let [name] = names else {
            return Err(Fault::usage("client-stdout-alone"));
        };
        let drawer = context.open(&name.server, &self.connection).await?;
        drawer.need(Action::Read).await?;
        let found = drawer.find(name).await?;
        let [entry] = found.as_slice() else {
            return Err(Fault::usage("client-stdout-alone"));
        };
        match entry.kind {
            Kind::File => {}
            Kind::Folder => return Err(drawer.named(ErrorKind::IsFolder.into(), &entry.path)),
            Kind::Link | Kind::Special => {
                return Err(drawer.named(ErrorKind::NotRegular.into(), &entry.path));
            }
        }
        let names = {
            let drawer = drawer.clone();
            Names::new(
                [(entry.path.clone(), drawer.show(&entry.path))].into(),
                |_| "-".to_owned(),
            )
        };
        let progress = Progress::start(Arc::clone(&context.printer), names);
        if self.how.dry_run {
            progress.finished(FileId(0), &entry.path, FileOutcome::Planned);
            return Ok(Ended::Done);
        }
        progress.found(1, entry.size);
        progress.found_all();
        progress.started(FileId(0), &entry.path, entry.size);
        let got = copy_out(&drawer, entry, &progress).await?;
        progress.finished(FileId(0), &entry.path, FileOutcome::Done(&got));
        Ok(Ended::Done)
    }
}

/// Where an entry goes. The root's own name is that of the place.
fn source(drawer: &Drawer, entry: &Entry, place: &Place) -> Outcome<Source> {
    if !matches!(entry.kind, Kind::File | Kind::Folder) {
        return Err(drawer.named(ErrorKind::NotRegular.into(), &entry.path));
    }
    let to = match entry.path.name() {
        Some(name) if place.into => place.base.join(name)?,
        _ => place.base.clone(),
    };
    Ok(Source {
        store: drawer.store(),
        path: entry.path.clone(),
        to,
    })
}

/// Copies a file to standard output and compares its digest at the end: what was wrong has been
/// written by then, so the exit code says so.
async fn copy_out(drawer: &Drawer, entry: &Entry, progress: &Progress) -> Outcome<Entry> {
    let named = |error: Error| drawer.named(error, &entry.path);
    let range = 0..entry.size;
    let plan = ReadPlan {
        version: Some(entry.version.clone()),
        first: Some(range.clone()),
    };
    let reading = drawer.remote.read(&entry.path, plan).await.map_err(named)?;
    let mut content = reading.stream(range);
    let mut hasher = Hasher::new();
    let (send, written) = output()?;
    while let Some(piece) = content.next().await {
        let piece = piece.map_err(named)?;
        hasher.update(&piece);
        if send.send(piece).await.is_err() {
            break;
        }
        progress.advanced(FileId(0), hasher.count());
    }
    drop(send);
    match written.await {
        Ok(Ok(())) => {}
        Ok(Err(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => {
            return Err(Fault::Closed);
        }
        Ok(Err(error)) => return Err(Error::from(error).about_text("-").into()),
        Err(_) => return Err(Error::new(ErrorKind::Io).about_text("-").into()),
    }
    if hasher.count() != entry.size {
        return Err(named(ErrorKind::LengthMismatch.into()));
    }
    let promised = reading.entry().digest.or(entry.digest);
    if promised.is_some_and(|digest| digest != hasher.digest()) {
        return Err(named(ErrorKind::DigestMismatch.into()));
    }
    Ok(entry.clone())
}

type Written = oneshot::Receiver<std::io::Result<()>>;

/// Standard output, written by a thread of its own: a reader who pauses stops no other wait.
fn output() -> gaveta_core::Result<(mpsc::Sender<Bytes>, Written)> {
    let (send, mut pieces) = mpsc::channel::<Bytes>(4);
    let (done, written) = oneshot::channel();
    std::thread::Builder::new()
        .name("output".to_owned())
        .spawn(move || {
            let mut write = || {
                let mut out = std::io::stdout().lock();
                while let Some(piece) = pieces.blocking_recv() {
                    out.write_all(&piece)?;
                }
                out.flush()
            };
            let result = write();
            // Whoever was stopped asks no more.
            let _ = done.send(result);
        })?;
    Ok((send, written))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(words: &[&str], to: Option<&str>) -> Option<(usize, String)> {
        let get = Get {
            words: words.iter().map(OsString::from).collect(),
            to: to.map(OsString::from),
            how: Transferring::plain(),
            connection: Connection {
                password_file: None,
            },
        };
        let (names, to) = get.split().ok()?;
        Some((names.len(), to.to_string_lossy().into_owned()))
    }

    #[test]
    fn the_last_word_is_the_folder_unless_it_is_on_the_same_server() {
        for (words, to, expected) in [
            (&["h/a"][..], None, Some((1, "."))),
            (&["h/a", "out"], None, Some((1, "out"))),
            (&["h/a", "h/b"], None, Some((2, "."))),
            (&["h/a", "h/b", "./h/c"], None, Some((2, "./h/c"))),
            (&["h/a", "-"], None, Some((1, "-"))),
            (&["h/a", "other/b"], None, Some((1, "other/b"))),
            (&["h/a", "other/b"], Some("out"), Some((2, "out"))),
            (&["/a", "out"], None, None),
        ] {
            let expected = expected.map(|(n, to): (usize, &str)| (n, to.to_owned()));
            assert_eq!(split(words, to), expected, "{words:?}");
        }
    }
}
