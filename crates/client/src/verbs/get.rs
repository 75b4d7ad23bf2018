//! `get`: files and folders of a server to this machine.

use std::ffi::{OsStr, OsString};
use std::sync::Arc;

use clap::Args;
use gaveta_core::{Action, Entry, ErrorKind, Kind, Path};
use gaveta_transfer::{FileId, Observer, Outcome as FileOutcome, Resume, Source};

use super::rm::fail;
use super::transferring::{self, Job, Target, Transferring};
use super::{Connection, Context, Run, content};
use crate::address::{Address, is_on};
use crate::drawer::Drawer;
use crate::durable::Durable;
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
    #[arg(long, value_name = "HOW", hide_possible_values = true,
        value_enum, default_value_t = Durable::Full, help = "arg-durability")]
    durability: Durable,
    #[command(flatten)]
    how: Transferring,
    #[command(flatten)]
    connection: Connection,
}

impl Run for Get {
    async fn run(self, context: Context) -> Outcome<Ended> {
        let (names, to) = self.split(&context)?;
        if to == "-" {
            if context.here().is_some() {
                return Err(Fault::usage("shell-no-output"));
            }
            context.printer.give_output_away();
            return context.stoppable(self.to_output(&context, &names)).await;
        }
        let place = Place::find(to, self.durability.into())?;
        let (job, servers) = context
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
            resume: Some(Resume::Derive(servers)),
        };
        transferring::run(&context, &self.how, job, target).await
    }
}

impl Get {
    /// What comes, and where to: what `--to` says, else the last word, unless it is one more
    /// address on the first one's server. In the shell the last word is the folder only when it
    /// ends with `/` and is not alone.
    fn split(&self, context: &Context) -> Outcome<(Vec<Address>, &OsStr)> {
        let mut words: Vec<&OsStr> = self.words.iter().map(OsString::as_os_str).collect();
        let parse = |word: &OsStr| {
            let word = word
                .to_str()
                .ok_or(Fault::usage("client-address-not-utf8"))?;
            context.address(word)
        };
        let here = OsStr::new(".");
        let to = match (&self.to, words.as_slice()) {
            (Some(to), _) => to.as_os_str(),
            (None, [first, .., last]) => {
                let another = if context.here().is_some() {
                    !last.to_string_lossy().ends_with('/')
                } else {
                    let first = parse(first)?;
                    last.to_str().is_some_and(|last| is_on(last, &first.server))
                };
                if another {
                    here
                } else {
                    words.pop().unwrap_or(here)
                }
            }
            (None, _) => here,
        };
        Ok((words.into_iter().map(parse).collect::<Outcome<_>>()?, to))
    }

    /// What is to be got, and from which servers.
    async fn job(
        &self,
        context: &Context,
        names: &[Address],
        place: &Place,
    ) -> Outcome<(Job, String)> {
        let mut job = Job::new();
        let mut found: Vec<(Drawer, Entry)> = Vec::new();
        let mut drawers: Vec<(&Address, Drawer)> = Vec::new();
        for name in names {
            let more = async {
                let known = drawers.iter().find(|(other, drawer)| {
                    let same = other.server == name.server && other.share == name.share;
                    same && drawer.holds(name)
                });
                let drawer = match known {
                    Some((_, drawer)) => drawer.clone(),
                    None => {
                        let drawer = context.open_at(name, &self.connection).await?;
                        drawer.remote.warm_up();
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
        let servers = drawers.iter().map(|(_, drawer)| drawer.server());
        let mut servers: Vec<String> = servers.map(ToString::to_string).collect();
        servers.sort();
        servers.dedup();
        Ok((job, servers.join(" ")))
    }

    /// One file to standard output.
    async fn to_output(&self, context: &Context, names: &[Address]) -> Outcome<Ended> {
        let [name] = names else {
            return Err(Fault::usage("client-stdout-alone"));
        };
        let drawer = context.open_at(name, &self.connection).await?;
        drawer.need(Action::Read).await?;
        let found = drawer.find(name).await?;
        let [entry] = found.as_slice() else {
            return Err(Fault::usage("client-stdout-alone"));
        };
        content::is_file(&drawer, entry)?;
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
        let advanced = |bytes| progress.advanced(FileId(0), bytes);
        let got = content::copy_out(&drawer, entry, content::Shape::AsIs, advanced).await?;
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
        entry: Some(entry.clone()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quiet() -> Arc<crate::printer::Printer> {
        let text = gaveta_text::Text::new(gaveta_text::Lang::English);
        Arc::new(crate::printer::Printer::new(
            text,
            crate::printer::Style::default(),
        ))
    }

    fn split(words: &[&str], to: Option<&str>) -> Option<(usize, String)> {
        let get = Get {
            words: words.iter().map(OsString::from).collect(),
            to: to.map(OsString::from),
            durability: Durable::Full,
            how: Transferring::plain(),
            connection: Connection {
                user: None,
                password_file: None,
                token_file: None,
                fingerprint: None,
            },
        };
        let context = Context::new(quiet(), None);
        let (names, to) = get.split(&context).ok()?;
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
